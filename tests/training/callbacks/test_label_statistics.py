import collections
import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Instance, Token, Vocabulary
from allennlp.data.fields import MetadataField, SequenceLabelField, TextField
from allennlp.models import load_archive

from roseq_allennlp.training.callbacks.label_statistics import LabelStatisticsCallback, count_labels

ROOT = Path(__file__).parents[3]


def params(callbacks: list[dict[str, Any]], **extra: Any) -> Params:
    return Params(
        {
            "dataset_reader": {"type": "wnut"},
            "train_data_path": str(ROOT / "fixtures/wnut17/wnut17train.conll"),
            # A count that saw it too would differ.
            "validation_data_path": str(ROOT / "fixtures/wnut17/emerging.dev.conll"),
            "data_loader": {"batch_size": 32},
            "model": {
                "type": "label_aware_crf_tagger",
                "text_field_embedder": {"token_embedders": {"tokens": {"type": "embedding", "embedding_dim": 4}}},
                "encoder": {"type": "lstm", "input_size": 4, "hidden_size": 3, "bidirectional": True},
                "tau": 0.25,
            },
            "trainer": {"num_epochs": 1, "optimizer": {"type": "sgd", "lr": 0.1}, "callbacks": callbacks},
            **copy.deepcopy(extra),  # AllenNLP takes out of it what it reads
        }
    )


def counted_by_hand() -> dict[str, int]:
    """Tags of the training file in BIOUL, by a rule of its own: a tag's letter follows from its two neighbours."""
    counts: dict[str, int] = collections.Counter()
    text = (ROOT / "fixtures/wnut17/wnut17train.conll").read_text(encoding="utf-8")
    tags = [line.split("\t")[1].strip() if line.strip() else "" for line in text.split("\n")] + [""]
    for tag, after in zip(tags, tags[1:], strict=False):
        if tag:
            goes_on = after[:2] == "I-"
            letter = {("B", True): "B", ("B", False): "U", ("I", True): "I", ("I", False): "L"}.get((tag[0], goes_on))
            counts[f"{letter}-{tag[2:]}" if letter else "O"] += 1
    return counts


def assert_label_weights(directory: Path) -> None:
    model = load_archive(directory / "model.tar.gz").model
    counts = counted_by_hand()
    labels = model.vocab.get_index_to_token_vocabulary("labels")
    for index, weight in enumerate(model.crf.label_weights.tolist()):
        assert weight == pytest.approx((counts["O"] / counts[labels[index]]) ** 0.25, rel=1e-5), labels[index]


@pytest.mark.parametrize(
    "extra",
    [
        {"datasets_for_vocab_creation": ["train"]},
        {"data_loader": {"batch_size": 32, "max_instances_in_memory": 64}, "datasets_for_vocab_creation": ["train"]},
        {"distributed": {"cuda_devices": [-1, -1]}, "datasets_for_vocab_creation": ["train"]},
    ],
    ids=["in memory", "streamed", "two processes"],
)
def test_counts_are_those_of_the_training_split(tmp_path: Path, extra: dict[str, Any]) -> None:
    train_model(
        params([{"type": "label_statistics"}], **extra), str(tmp_path / "run"), include_package=["roseq_allennlp"]
    )
    assert_label_weights(tmp_path / "run")


def test_other_sequence_labels_are_not_counted() -> None:
    words = TextField([Token("a"), Token("b")])
    instance = Instance(
        {
            "tokens": words,
            "tags": SequenceLabelField(["O", "U-X"], words),
            "parts": SequenceLabelField(["O", "NOUN"], words, label_namespace="parts_labels"),
            "metadata": MetadataField({}),
        }
    )
    assert count_labels([instance, instance], "labels") == {"O": 2, "U-X": 2}
    assert count_labels([instance], "parts_labels") == {"O": 1, "NOUN": 1}


def test_without_counts_training_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="label_statistics"):
        train_model(params([]), str(tmp_path / "run"))


class Counted:
    """A trainer whose model has two labels, and one sentence to count."""

    class Tagger(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.vocab = Vocabulary(tokens_to_add={"labels": ["O", "U-X"]}, non_padded_namespaces=["labels"])
            self.crf = SimpleNamespace(label_weights=torch.tensor([1.0, 1.2345678]))

        def set_label_counts(self, counts: dict[str, int]) -> None:
            self.counts = counts

    def __init__(self, tags: list[str]) -> None:
        words = TextField([Token("a") for _ in tags])
        self.model = self.Tagger()
        fields = {"tags": SequenceLabelField(tags, words)} if tags else {}
        self.data_loader = SimpleNamespace(iter_instances=lambda: iter([Instance(fields)]))


@pytest.mark.parametrize("arguments, logged", [((), True), ((True,), True), ((False,), False)])
def test_the_primary_process_logs_the_weights(
    arguments: tuple[bool, ...], logged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    trainer = Counted(["U-X", "O", "O"])
    LabelStatisticsCallback("").on_start(trainer, *arguments)  # type: ignore[arg-type]
    assert trainer.model.counts == {"O": 2, "U-X": 1}
    assert caplog.messages == ["Label weights ζ: {'O': 1.0, 'U-X': 1.23457}"] * logged


def test_data_without_tags_is_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        LabelStatisticsCallback("").on_start(Counted([]))  # type: ignore[arg-type]
    assert caught.value.message == (
        "The training data has no known tags of the namespace `labels`, so ζ cannot be computed. "
        "Train on labelled data, or turn the label weights off (`tau: null`)."
    )


def test_other_models_are_refused() -> None:
    class Trainer:
        model = torch.nn.Linear(1, 1)

    with pytest.raises(ConfigurationError, match="Linear"):
        LabelStatisticsCallback("").on_start(Trainer())


@pytest.mark.parametrize("tags, refused", [("? U-x O", False), ("? U-x ?", True), ("U-x U-x U-x", False)])
def test_some_token_must_be_known_to_be_o(tags, refused):
    """Where others are unknown: a tagger would mark each token."""
    counts = {}
    vocab = Vocabulary(tokens_to_add={"labels": ["O", "U-x"]})
    model = SimpleNamespace(
        vocab=vocab, set_label_counts=counts.update, crf=SimpleNamespace(label_weights=torch.ones(2))
    )
    instance = Instance({"tags": SequenceLabelField(tags.split(), TextField([Token("a")] * 3))})
    trainer: Any = SimpleNamespace(model=model, data_loader=SimpleNamespace(iter_instances=lambda: [instance]))
    if refused:
        with pytest.raises(ConfigurationError, match="no token that is known to be O"):
            LabelStatisticsCallback("").on_start(trainer)
    else:
        LabelStatisticsCallback("").on_start(trainer)
        assert counts == {"O": tags.split().count("O"), "U-x": tags.split().count("U-x")}
