"""Every pair of this package's callbacks, in both orders: training goes on after a stop as if it had not been stopped."""

import signal
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.commands.train import TrainModel
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.training.callbacks import TrainerCallback

from roseq_allennlp.training import callbacks

OPTIONS = {
    "adversarial": {"epsilon": 2.0},
    "augmentation": {"mentions": 0.5, "noise": 0.2},
    "declared_types": {"types": ["LOC", "MISC"]},
}
NAMES = sorted(
    name
    for name in TrainerCallback.list_available()
    if TrainerCallback.by_name(name) in {getattr(callbacks, each) for each in callbacks.__all__}
)


def train(directory: Path, names: tuple[str, ...], epochs: int) -> dict[str, torch.Tensor]:
    """Trains up to so many epochs of one batch each, from the last checkpoint in the directory; the last weights."""
    torch.manual_seed(0)
    params = {
        "dataset_reader": {"type": "conll2002", "max_instances": 6},
        "train_data_path": "fixtures/conll2002/ned.train",
        "validation_data_path": "fixtures/conll2002/ned.testa",
        "datasets_for_vocab_creation": ["train"],
        "vocabulary": {"tokens_to_add": {"labels": [f"{prefix}-{kind}" for kind in KINDS for prefix in "BILU"]}},
        "validation_data_loader": {"type": "in_memory", "batch_size": 4},
        "data_loader": {"type": "in_memory", "batch_size": 4, "batches_per_epoch": 1},
        "model": {
            "type": "label_aware_crf_tagger",
            "text_field_embedder": {"token_embedders": {"tokens": {"type": "embedding", "embedding_dim": 5}}},
            "encoder": {"type": "lstm", "input_size": 5, "hidden_size": 3, "bidirectional": True},
            "embedding_dropout": 0.0,
            "dropout": 0.5 if "exact_recovery" in names else 0.0,
            "tau": 0.25 if "label_statistics" in names else None,
        },
        "trainer": {
            "num_epochs": epochs,
            "validation_metric": "+f1-measure-overall",
            "optimizer": {"type": "sgd", "lr": 0.1},
            "run_confidence_checks": False,
            "enable_default_callbacks": False,
            "callbacks": [{"type": name, **OPTIONS.get(name, {})} for name in names],
        },
    }
    training: Any = TrainModel.from_params(
        params=Params(params), serialization_dir=str(directory), local_rank=0, batch_weight_key=""
    )
    training.trainer.train()
    return torch.load(directory / f"model_state_e{epochs}_b0.th", weights_only=True)


KINDS = ("LOC", "MISC", "ORG", "PER")


@pytest.mark.parametrize("pair", list(combinations(NAMES, 2)), ids=" ".join)
def test_both_orders_recover_to_the_weights_of_an_unbroken_run(tmp_path: Path, pair: tuple[str, str]) -> None:
    unbroken = train(tmp_path / "unbroken", pair, 2)
    for names in (pair, pair[::-1]):
        directory = tmp_path / names[0]
        stopped = train(directory, names, 1)
        recovered = train(directory, names, 2)
        assert any((stopped[name] != value).any() for name, value in recovered.items())
        for name, value in unbroken.items():
            torch.testing.assert_close(
                recovered[name],
                value,
                rtol=0,
                atol=0,
                msg=lambda text, names=names, name=name: f"{names} {name}: {text}",
            )


def test_all_callbacks_are_paired() -> None:
    assert len(NAMES) == len(callbacks.__all__) == 10


@pytest.mark.parametrize(
    "before, after, message",
    [
        (("adversarial", "exact_recovery"), ("exact_recovery", "adversarial"), "state of another callback"),
        (("exact_recovery", "late_start"), ("exact_recovery", "finite_loss"), "started with the callbacks .*LateStart"),
        (("late_start",), ("exact_recovery",), "exact_recovery: the checkpoint holds the state of another"),
        (("late_start",), ("adversarial",), "adversarial: the checkpoint holds the state of another"),
    ],
)
def test_changed_callbacks_are_refused_by_name(
    tmp_path: Path, before: tuple[str, ...], after: tuple[str, ...], message: str
) -> None:
    train(tmp_path, before, 1)
    with pytest.raises(ConfigurationError, match=message):
        train(tmp_path, after, 2)


def test_a_callback_that_refuses_leaves_no_signal_handler_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OPTIONS, "adversarial", {"embedders": ["characters"]})
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ConfigurationError, match="no token embedder"):
        train(tmp_path, ("exact_recovery", "adversarial"), 1)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
