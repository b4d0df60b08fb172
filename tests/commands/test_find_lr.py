import json

import pytest
from allennlp.commands import find_learning_rate

from roseq_allennlp.data.label_statistics import count_labels, label_weights

CONFIG = "training_configs/fixture.jsonnet"


def test_zeta_is_counted(roseq, tmp_path, monkeypatch):
    trainers = []

    def keep(trainer, **options):
        trainers.append(trainer)
        return search(trainer, **options)

    search = find_learning_rate.search_learning_rate
    monkeypatch.setattr("roseq_allennlp.commands.find_lr._search", keep)
    result = roseq("find-lr", CONFIG, "-s", tmp_path / "lr", "--num-batches", 11)
    assert result.status == 0 and result.output.splitlines()[-1] == f"The plot is {tmp_path / 'lr' / 'lr-losses.png'}"
    assert (tmp_path / "lr" / "lr-losses.png").read_bytes().startswith(b"\x89PNG")
    (trainer,) = trainers
    labels = trainer.model.vocab.get_token_to_index_vocabulary("labels")
    counts = count_labels(trainer.data_loader.iter_instances(), "labels")
    weights = label_weights({label: counts[label] for label in labels}, 0.25)
    assert trainer.model.crf.label_weights.tolist() == pytest.approx([weights[label] for label in labels])
    assert find_learning_rate.search_learning_rate is search


@pytest.mark.parametrize("config", ["base_wnut17", "roseq_conll02_nl", "best_conll02_es"])
def test_shipped_configs(config, roseq, tmp_path):
    changes = json.dumps({"dataset_reader.max_instances": 20})
    path = f"training_configs/{config}.jsonnet"
    result = roseq("find-lr", path, "-s", tmp_path / "lr", "-o", changes, "--num-batches", 11)
    assert result.status == 0 and (tmp_path / "lr" / "lr-losses.png").exists(), result.errors


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--num-batches", 10], "--num-batches must be more than 10; got 10."),
        (["--start-lr", 0], "--start-lr must be above 0, and --end-lr above it; got 0 and 10."),
        (["--start-lr", 1, "--end-lr", 0.1], "--start-lr must be above 0, and --end-lr above it; got 1 and 0.1."),
        (["-o", '{"trainer.num_epoch": 1}'], "-o: `trainer.num_epoch`: "),
        (["-o", '{"train_data_path": "nope"}'], "nope: no such file."),
        (["-o", '{"trainer.cuda_device": 0}'], "-o: `trainer.cuda_device`: is 0, but the GPUs"),
        (["-o", '{"distributed": {"cuda_devices": [-1, -1]}}'], "find-lr runs in one process"),
    ],
)
def test_errors_leave_nothing_behind(arguments, message, roseq, tmp_path):
    result = roseq("find-lr", CONFIG, "-s", tmp_path / "lr", *arguments)
    (line,) = [line for line in result.errors.splitlines() if ": error: " in line]
    assert result.status == 1 and line.startswith("roseq find-lr: error: ") and message in line
    assert "Traceback" not in result.errors and not list(tmp_path.iterdir())
