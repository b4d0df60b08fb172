"""Directories of runs that are damaged between a run and `--recover`, through the command."""

import json
import shutil
from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary

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
