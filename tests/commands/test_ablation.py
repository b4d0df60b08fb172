import itertools
import json
import multiprocessing
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import SigTermReceived

from roseq_allennlp.commands import ablation, training_runs
from roseq_allennlp.console import Console
from roseq_allennlp.data import corpora
from roseq_allennlp.evaluation.tagged_data import gold_tags, score_of, tag_file
from roseq_allennlp.experiments.measuring import result_of
from roseq_allennlp.experiments.results import read_results
from roseq_allennlp.experiments.systems import SYSTEMS
from roseq_allennlp.models.archive import description_of, load_archive
from roseq_allennlp.scoring.conlleval import entities

FAST = '{"trainer.num_epochs": 2, "model.encoder.hidden_size": 4, "model.fusion.input_dim": 8}'
CONFIG = "training_configs/ablation.jsonnet"


def configs(systems, seeds=(1,), overrides=FAST):
    return {
        (system, seed): ablation._config(CONFIG, "wnut17", system, seed, overrides)
        for seed in seeds
        for system in systems
    }


def test_configs_have_the_components_and_the_seed():
    for system in SYSTEMS:
        config = ablation._config(CONFIG, "wnut17", system, 7, "")
        callbacks = [callback["type"] for callback in config["trainer"]["callbacks"]]
        tagger = config["model"].get("member", config["model"])
        switches = {"lacrf": "tau" in tagger, "fl": "gamma" in tagger, "at": "adversarial" in callbacks}
        switches["best"] = tagger is not config["model"]
        assert {name for name, on in switches.items() if on} == set(SYSTEMS[system].components)
        assert config["random_seed"] == config["numpy_seed"] == config["pytorch_seed"] == 7


def scored(run, system, seed):
    return result_of(run, "wnut17", system, seed, {})


def fails(*_):
    raise AssertionError("trained again")


def test_a_run_is_trained_in_another_process_and_scored_once(tmp_path, capfd):
    results = ablation.run_all(tmp_path, "wnut17", configs(["base", "roseq"]), scored, Console())
    run = tmp_path / "roseq" / "seed1"
    metrics = json.loads((run / "metrics.json").read_text())
    test = score_of(tag_file(load_archive(run), "corpus://wnut17/test"))
    assert results[1].test_f1 == test.overall.f1 and results[1].epochs == 2
    assert {label: tuple(counts) for label, counts in results[1].test.labels.items()} == test.types
    assert results[1].test.overall == tuple(results[1].test.sentence_counts().sum(axis=0)) == test.overall
    assert results[1].dev_f1 == 100 * metrics["best_validation_f1-measure-overall"]
    assert 0 < results[1].seconds < 60
    # The archive alone knows its scores, wherever it is moved.
    known = description_of(run / "model.tar.gz").metrics["development"]["overall"]["f1"]
    assert known == metrics["best_validation_f1-measure-overall"]
    assert "Epoch 1/1" in run.with_suffix(".log").read_text(encoding="utf-8")
    assert "2 of 2: RoSeq Model, seed 1" in capfd.readouterr().err
    assert {file.name for file in tmp_path.iterdir()} == {"base", "roseq", "table.md", "plot.svg"}
    # With everything done there is nothing to train.
    assert ablation.run_all(tmp_path, "wnut17", configs(["base", "roseq"]), scored, Console(), train=fails) == results
    with pytest.raises(ConfigurationError, match="other settings"):
        ablation.run_all(tmp_path, "wnut17", configs(["base"], overrides='{"trainer.num_epochs": 3}'), None, Console())


def test_a_part_of_the_training_split_and_results_without_the_test_split(roseq, tmp_path, monkeypatch):
    file, split = tmp_path / "kept" / "tuning.jsonl", 7
    arguments = ["wnut17", "--systems", "base", "--seeds", "3", "--sentences", split, "--overrides", FAST]
    arguments += ["-s", tmp_path / "runs", "--results", file]
    assert roseq("ablation", *arguments, "--no-test").status == 0
    (result,) = read_results([file])
    whole = ablation._config(CONFIG, "wnut17", "base", 3, FAST)
    config = json.loads((tmp_path / "runs" / "base" / "seed3.json").read_text(encoding="utf-8"))
    assert config.pop("validation_dataset_reader") == whole["dataset_reader"]
    assert config["dataset_reader"].pop("max_instances") == split and config == whole
    assert (result.system, result.seed, result.test_f1, result.test) == ("base", 3, None, None)
    assert result.settings == {**json.loads(FAST), "sentences": split}
    reader = load_archive(tmp_path / "runs" / "base" / "seed3").validation_dataset_reader
    first = list(itertools.islice(reader.read("corpus://wnut17/train"), split))
    assert result.train_entities == Counter(span.label for instance in first for span in entities(gold_tags(instance)))

    # The test split is read later, whole, by the run that is there; its result is kept, and goes into any file.
    monkeypatch.setattr(ablation, "start_training", fails)
    assert roseq("ablation", *arguments).status == 0
    (tested,) = read_results([file])
    assert replace(tested, test=None, test_f1=None) == result
    assert tested.test.sentences == sum(1 for _ in reader.read("corpus://wnut17/test")) > split
    monkeypatch.setattr(ablation, "result_of", fails)
    for again in (["--no-test"], []):
        assert roseq("ablation", *arguments, *again, "--results", tmp_path / "other.jsonl").status == 0
        assert read_results([tmp_path / "other.jsonl"]) == [tested]


def test_other_vectors_are_in_the_config_and_its_name_alone_in_the_results(roseq, tmp_path, monkeypatch, tiny_encoder):
    monkeypatch.chdir(tmp_path)
    config = Path(__file__).parents[2] / CONFIG
    monkeypatch.setattr(ablation, "resolve", lambda name: name)
    monkeypatch.setattr(ablation, "result_of", lambda *arguments: arguments[4])
    monkeypatch.setattr(ablation, "keep_result", lambda *_: None)
    begun = []

    def run_all(directory, corpus, configs, score, console):
        begun.append((str(directory), score(directory, "base", 1), configs["base", 1]))
        return []

    monkeypatch.setattr(ablation, "run_all", run_all)

    def kept(*arguments):
        answer = roseq("ablation", "wnut17", "--config", config, "--systems", "base", "--seeds", "1", *arguments)
        assert answer.status == 0, answer.errors
        return begun[-1]

    directory, settings, whole = kept("--vectors", f"tuned:{tiny_encoder}", "--without", "bilstm,characters")
    name = tiny_encoder.name
    assert settings == {"vectors": f"tuned:{name}", "without": ["bilstm", "characters"]}
    assert directory == f"runs/ablation/wnut17_tuned-{name}_without-bilstm-characters"
    assert whole["dataset_reader"]["token_indexers"]["tokens"]["model_name"] == str(tiny_encoder)
    assert "encoder" not in whole["model"]
    file = tmp_path / "a folder" / "words.vec"
    file.parent.mkdir()
    file.touch()
    directory, settings, _ = kept("--vectors", f"fixed:{file}:20", "--sentences", "9")
    assert settings == {"vectors": "fixed:words.vec:20", "sentences": 9}
    assert directory == "runs/ablation/wnut17_fixed-words.vec-20_9"
    directory, settings, _ = kept("--vectors", "frozen:some/encoder", "--overrides", FAST)
    assert settings == {**json.loads(FAST), "vectors": "frozen:some/encoder"}
    assert kept()[:2] == ("runs/ablation/wnut17", {})


class Trained:
    """Replaces a training run: `done` writes what the run leaves behind."""

    def __init__(self, done):
        self.done, self.recovered = done, []

    def __call__(self, config, run, log, recover):
        self.recovered.append(recover)
        process = multiprocessing.get_context("fork").Process(target=self.done, args=(run, log))
        process.start()
        return process


@pytest.fixture
def trained(tmp_path, archive_path):
    """The directory of a finished run, with the scores of another archive."""
    archive = tmp_path / "archive"
    shutil.unpack_archive(archive_path, archive)
    (archive / "weights.th").rename(archive / "best.th")
    scores = {f"best_validation_{name}-overall": 0.5 for name in ("precision", "recall", "f1-measure")}
    (archive / "metrics.json").write_text(json.dumps({**scores, "best_epoch": 0}))
    (archive / "metrics_epoch_0.json").write_text(json.dumps({"training_duration": "0:00:05", "epoch": 0}))
    return archive


def test_it_goes_on_where_it_was(trained, tmp_path, capsys):
    def break_off(run, log):
        log.write_text("line 1\n" * 50 + "the reason\n")
        run.mkdir(exist_ok=True)
        raise SystemExit(1)

    directory, key = tmp_path / "runs", "base+fl"
    fails = Trained(break_off)
    for _ in range(2):  # without a checkpoint it starts again, with one it is continued
        with pytest.raises(ConfigurationError, match="training failed. Above is the end of .*seed1.log"):
            ablation.run_all(directory, "wnut17", configs([key]), scored, Console(), fails)
        lines = capsys.readouterr().err.splitlines()
        assert lines.count("line 1") == 19 and lines[-1] == "the reason"
        (directory / key / "seed1" / "training_state_e1_b0.th").touch()
    assert fails.recovered == [False, True]

    works = Trained(lambda run, log: shutil.copytree(trained, run, dirs_exist_ok=True) and None)
    (first,) = ablation.run_all(directory, "wnut17", configs([key]), scored, Console(), works)
    assert works.recovered == [True] and (first.dev_f1, first.epochs, first.seconds) == (50, 1, 5)
    # A finished run is not trained again.
    assert ablation.run_all(directory, "wnut17", configs([key]), scored, Console(), works) == [first]
    assert works.recovered == [True]


@pytest.mark.parametrize(
    "stopped, raised, message",
    [
        (KeyboardInterrupt, ConfigurationError, "stopped. The same command goes on"),
        (SigTermReceived, SigTermReceived, ""),
    ],
)
def test_stopped(stopped, raised, message, tmp_path, monkeypatch):
    def sleep(run, log):
        import time

        time.sleep(60)

    def stop(*_):
        raise stopped

    monkeypatch.setattr(training_runs, "state_of", stop)
    sleeps = Trained(sleep)
    with pytest.raises(raised, match=message):
        ablation.run_all(tmp_path, "wnut17", configs(["base"]), scored, Console(), sleeps)
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["wnut18"], "'wnut18' is not in the catalogue of corpora"),
        (["wnut17", "--seeds", "1,x"], "--seeds: '1,x'"),
        (["wnut17", "--systems", "base,lacrf"], "--systems: there is no ['lacrf']"),
        (["wnut17", "--sentences", "0"], "--sentences must be at least 1; got 0"),
        (["wnut17", "--without", "lstm"], "--without: there is no ['lstm']. Choose from bilstm, characters"),
        (["wnut17", "--vectors", "tunned:x"], "ROSEQ_VECTORS has tunned:; it may have fixed:, frozen:, tuned:"),
        (["wnut17", "--config", "none.jsonnet"], "none.jsonnet: cannot be read"),
        (["wnut17", "--overrides", "{"], "--overrides {: is no JSON"),
        (["wnut17", "--overrides", '{"trainer.num_epoch": 1}'], "--overrides: `trainer.num_epoch`: GradientDescent"),
        (
            ["wnut17", "--overrides", '{"trainer.cuda_device": 99}'],
            "--overrides: `trainer.cuda_device`: is 99, but the",
        ),
    ],
)
def test_errors(roseq, tmp_path, arguments, message):
    status, output, errors = roseq("ablation", *arguments, "-s", tmp_path)
    assert (status, output) == (1, "") and errors.startswith("roseq ablation: error: ") and message in errors


def test_data_that_are_not_here_are_missed_before_the_training(roseq, monkeypatch, tmp_path):
    monkeypatch.setenv(corpora.DATA_VARIABLE, str(tmp_path))
    assert "wnut17train.conll is not there" in roseq("ablation", "wnut17", "-s", tmp_path / "runs").errors
