import json
import multiprocessing
import shutil

import pytest
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.commands import ablation
from roseq_allennlp.commands.console import Console
from roseq_allennlp.data import corpora
from roseq_allennlp.evaluation.ablation import SYSTEMS, read_result
from roseq_allennlp.evaluation.tagged_data import score_of, tag_file
from roseq_allennlp.models.archive import load_archive

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
        found = {"lacrf": "tau" in config["model"], "fl": "gamma" in config["model"], "at": "adversarial" in callbacks}
        assert {name for name, on in found.items() if on} == set(system.split("_")) - {"base"}
        assert config["random_seed"] == config["numpy_seed"] == config["pytorch_seed"] == 7


def test_a_run_is_trained_in_another_process_and_scored_once(tmp_path, capfd):
    found = ablation.run_all(tmp_path, "wnut17", configs(["base", "lacrf_fl_at"]), Console())
    run = tmp_path / "lacrf_fl_at" / "seed1"
    assert found[1] == read_result(run / "result.json")
    metrics = json.loads((run / "metrics.json").read_text())
    test = score_of(tag_file(load_archive(run), "corpus://wnut17/test")).overall
    assert found[1].test_f1 == test.f1 and found[1].epochs == 2
    assert found[1].development_f1 == 100 * metrics["best_validation_f1-measure-overall"]
    assert 0 < found[1].seconds < 60
    assert (run / "model.tar.gz").exists() and "Epoch 1/1" in run.with_suffix(".log").read_text(encoding="utf-8")
    assert "2 of 2: RoSeq Model, seed 1" in capfd.readouterr().err
    assert {file.name for file in tmp_path.iterdir()} == {"base", "lacrf_fl_at", "table.md", "table.csv", "plot.svg"}
    # With everything done there is nothing to train.
    assert ablation.run_all(tmp_path, "wnut17", configs(["base", "lacrf_fl_at"]), Console(), train=None) == found
    with pytest.raises(ConfigurationError, match="other settings"):
        ablation.run_all(tmp_path, "wnut17", configs(["base"], overrides='{"trainer.num_epochs": 3}'), Console())


class Trained:
    """In place of a training: `done` is what it leaves behind."""

    def __init__(self, done):
        self.done, self.recovered = done, []

    def __call__(self, config, run, log, recover):
        self.recovered.append(recover)
        process = multiprocessing.get_context("fork").Process(target=self.done, args=(run, log))
        process.start()
        return process


@pytest.fixture
def trained(tmp_path, archive_path):
    """The directory of a run that is done, with the scores of another archive."""
    archive = tmp_path / "archive"
    shutil.unpack_archive(archive_path, archive)
    (archive / "weights.th").rename(archive / "best.th")
    scores = {f"best_validation_{name}-overall": 0.5 for name in ("precision", "recall", "f1-measure")}
    (archive / "metrics.json").write_text(json.dumps({**scores, "best_epoch": 0}))
    (archive / "metrics_epoch_0.json").write_text(json.dumps({"training_duration": "0:00:05", "epoch": 0}))
    return archive


def test_it_goes_on_where_it_was(trained, tmp_path):
    def break_off(run, log):
        log.write_text("line 1\n" * 50 + "the reason\n")
        run.mkdir(exist_ok=True)
        raise SystemExit(1)

    directory, key = tmp_path / "runs", "fl"
    fails = Trained(break_off)
    for _ in range(2):  # without a checkpoint it begins anew, after one it is continued
        with pytest.raises(ConfigurationError, match=r"training failed(.|\n)*the reason") as error:
            ablation.run_all(directory, "wnut17", configs([key]), Console(), fails)
        assert str(error.value).count("line 1") == 19
        (directory / key / "seed1" / "training_state_e1_b0.th").touch()
    assert fails.recovered == [False, True]

    works = Trained(lambda run, log: shutil.copytree(trained, run, dirs_exist_ok=True) and None)
    (first,) = ablation.run_all(directory, "wnut17", configs([key]), Console(), works)
    assert works.recovered == [True] and (first.development_f1, first.epochs, first.seconds) == (50, 1, 5)
    # One that is trained but not scored is not trained again.
    (directory / key / "seed1" / "result.json").unlink()
    assert ablation.run_all(directory, "wnut17", configs([key]), Console(), works) == [first]
    assert works.recovered == [True]


def test_stopped_by_hand(tmp_path, monkeypatch):
    def sleep(run, log):
        import time

        time.sleep(60)

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ablation, "_state", stop)
    sleeps = Trained(sleep)
    with pytest.raises(ConfigurationError, match="stopped. The same command goes on"):
        ablation.run_all(tmp_path, "wnut17", configs(["base"]), Console(), sleeps)
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["wnut18"], "'wnut18' is no corpus of the catalogue"),
        (["wnut17", "--seeds", "1,x"], "--seeds: '1,x'"),
        (["wnut17", "--config", "none.jsonnet"], "none.jsonnet: cannot be read"),
        (["wnut17", "--overrides", "{"], "cannot be read"),
    ],
)
def test_errors(roseq, tmp_path, arguments, message):
    status, output, errors = roseq("ablation", *arguments, "-s", tmp_path)
    assert (status, output) == (1, "") and errors.startswith("ablation: error: ") and message in errors


def test_data_that_are_not_here_are_missed_before_the_training(roseq, monkeypatch, tmp_path):
    monkeypatch.setenv(corpora.DATA_VARIABLE, str(tmp_path))
    assert "wnut17train.conll is not there" in roseq("ablation", "wnut17", "-s", tmp_path / "runs").errors
