"""Directories of runs that are damaged, or whose config changes, between a run and `--recover`."""

import json
import shutil
from pathlib import Path

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary

from roseq_allennlp.training.continued_run import continue_run
from roseq_allennlp.training.run_directory import check_run

CONFIG = "training_configs/fixture.jsonnet"
OVERRIDES = json.dumps({"trainer.num_epochs": 1})


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    from allennlp.commands.train import train_model_from_file

    directory = tmp_path_factory.mktemp("finished") / "run"
    train_model_from_file(CONFIG, directory, overrides=OVERRIDES)
    return directory


@pytest.fixture
def run(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b"null", b"[" * 100_000, b'{"a": 1'])
def test_a_damaged_config_is_one_sentence(content, run):
    (run / "config.json").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"config\.json is damaged: .*--dry-run.*--force") as caught:
        check_run(str(run), None)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "name, content",
    [
        ("tokens.txt", b"\xff\xfe\x00"),
        ("tokens.txt", b""),
        ("tokens.txt", b"a\nb\n"),
        ("non_padded_namespaces.txt", None),
        ("non_padded_namespaces.txt", b"\xff"),
    ],
)
def test_a_damaged_vocabulary_is_one_sentence_where_it_is_read(name, content, run):
    file = run / "vocabulary" / name
    file.unlink() if content is None else file.write_bytes(content)
    check_run(str(run), None)  # one process makes it anew
    with pytest.raises(ConfigurationError, match=r"vocabulary is damaged: .*--dry-run.*--force") as caught:
        check_run(str(run), {"cuda_devices": [-1, -1]})
    assert len(str(caught.value).splitlines()) == 1


def test_what_is_whole_or_new_passes(run, tmp_path):
    check_run(str(run), {"cuda_devices": [-1, -1]})
    check_run(str(tmp_path / "new"), {"cuda_devices": [-1, -1]})


def test_the_command_says_it_and_its_way_out_works(run, roseq, tmp_path):
    config = run / "config.json"
    config.write_bytes(b"\x00")
    result = roseq("train", CONFIG, "-s", run, "-o", OVERRIDES, "--recover")
    assert result.status == 1 and result.errors.startswith(f"roseq train: error: {config} is damaged")
    assert len(result.errors.splitlines()) == 1
    assert roseq("train", CONFIG, "-s", tmp_path / "dry", "-o", OVERRIDES, "--dry-run").status == 0
    shutil.copy(tmp_path / "dry" / "config.json", config)
    labels = run / "vocabulary" / "labels.txt"
    written = labels.read_text()
    labels.write_text("damaged")
    (run / "model.tar.gz").unlink()
    assert roseq("train", CONFIG, "-s", run, "-o", OVERRIDES, "--recover").status == 0
    assert (run / "model.tar.gz").exists() and labels.read_text() == written


@pytest.mark.parametrize("content", [None, b"", b"\xff", b"[1]"])
def test_the_metrics_of_a_complete_run_are_damaged(content, run, roseq):
    metrics = run / "metrics_epoch_0.json"
    metrics.unlink() if content is None else metrics.write_bytes(content)
    (run / "model.tar.gz").unlink()
    result = roseq("train", CONFIG, "-s", run, "-o", OVERRIDES, "--recover")
    assert result.status == 1 and "Traceback" not in result.errors
    assert result.errors.splitlines()[-1].startswith(
        f"roseq train: error: {metrics}, the metrics of a run that is complete,"
    )
    assert not (run / "model.tar.gz").exists()


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("z", "\u017e", "The vocabulary is not the one that the checkpoint"),  # as many characters, others
        ("-person", "-animal", "does not fit the config and vocabulary of this run (size mismatch"),
    ],
)
def test_training_data_that_has_changed(old, new, message, run, roseq, tmp_path):
    overrides = json.loads(OVERRIDES)
    config = json.loads((run / "config.json").read_text())
    for key, name in (("train_data_path", "wnut17train.conll"), ("validation_data_path", "emerging.dev.conll")):
        text = Path("fixtures", "wnut17", name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace(old, new), encoding="utf-8")
        config[key] = overrides[key] = str(tmp_path / name)
    (run / "config.json").write_text(json.dumps(config))
    result = roseq("train", CONFIG, "-s", run, "-o", json.dumps(overrides), "--recover")
    last = result.errors.splitlines()[-1]
    assert result.status == 1 and last.startswith("roseq train: error: ") and message in last, last
    assert "ut them back, or train anew" in last and "Traceback" not in result.errors


def test_the_vocabulary_of_a_checkpoint_is_any_start_s():
    """A namespace that is only looked at changes nothing."""
    from roseq_allennlp.training.callbacks.exact_recovery import _digest

    first, second = (Vocabulary(tokens_to_add={"tokens": ["a", "b"], "labels": ["O", "U-x", "U-y"]}) for _ in range(2))
    second.get_vocab_size("elsewhere")
    assert _digest(first) == _digest(second)
    assert _digest(first) != _digest(Vocabulary(tokens_to_add={"tokens": ["b", "a"], "labels": ["O", "U-x", "U-y"]}))


def config_of(run: Path) -> dict:
    return json.loads((run / "config.json").read_text())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data_loader.batch_size": 3}, "data_loader.batch_size is 3, not 16"),
        ({"trainer.num_epochs": 0}, "trainer.num_epochs is 0, less than 1"),
        ({"trainer.patience": 1}, "trainer.patience is 1, less than "),
        ({"model.scale": 1}, "model.scale is new"),
        ({"trainer.optimizer": None}, "trainer.optimizer is new; trainer.optimizer.type is missing"),
        ({"trainer.callbacks": []}, r"trainer.callbacks is new; trainer.callbacks.0\S* is missing"),
        ({"train_data_path": "fixtures/sentences.jsonl"}, "fixtures/sentences.jsonl and .* differ"),
        ({"train_data_path": "fixtures/missing"}, 'train_data_path is "fixtures/missing", not'),
        (
            {"trainer.num_epochs": 9, "pytorch_seed": 7, "numpy_seed": 8},
            "numpy_seed is 8, not 1; pytorch_seed is 7, not 1",
        ),
    ],
)
def test_each_key_that_may_not_differ_is_named(changes, message, run):
    before = config_of(run)
    config = Params.from_file(CONFIG, json.dumps({"trainer.num_epochs": 1, **changes})).as_dict(quiet=True)
    with pytest.raises(ConfigurationError, match=f"not the one that .*: .*{message}.*--force") as caught:
        continue_run(str(run), config)
    assert "trainer.num_epochs is 9" not in str(caught.value)
    assert config_of(run) == before


def test_files_may_move_and_epochs_and_patience_grow(run, tmp_path):
    config = config_of(run)
    file = Path(config["train_data_path"])
    for folder in ("one", "two"):  # the file is at both places, and then at the new one only
        (tmp_path / folder).mkdir()
        moved = tmp_path / folder / "train.conll"
        file = Path(shutil.copy(file, moved) if folder == "one" else shutil.move(file, moved))
        config["train_data_path"] = str(file)
        config["trainer"] |= {"num_epochs": config["trainer"]["num_epochs"] + 1, "patience": None}
        continue_run(str(run), config)
        assert config_of(run) == config
    del config["trainer"]["patience"]
    continue_run(str(run), config)  # the trainer's default: it has no patience
    continue_run(str(tmp_path / "nothing there"), config)


def test_a_schedule_over_all_epochs_cannot_grow(run):
    config = config_of(run)
    config["trainer"]["learning_rate_scheduler"] = {"type": "linear_warmup"}
    (run / "config.json").write_text(json.dumps(config))
    config["trainer"]["patience"] = 99
    continue_run(str(run), config)
    config["trainer"]["num_epochs"] += 1
    with pytest.raises(ConfigurationError, match="learning_rate_scheduler linear_warmup .*--force"):
        continue_run(str(run), config)
