"""The data, this project's taggers, and what trains them: AllenNLP's own trainer, as for `crf_tagger` (peers.py)."""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Optional

import torch
from allennlp.commands.train import TrainModel
from allennlp.common import Params
from allennlp.common.util import prepare_environment
from allennlp.data import DatasetReader
from allennlp.models import Model
from allennlp.models.archival import archive_model

import roseq_allennlp
from roseq_allennlp.data.tag_schemes import to_spans
from roseq_allennlp.predictors import NerTagger
from roseq_allennlp.predictors.word_features import word_features

CONFIG = Path(__file__).with_name("tagger.jsonnet")
TRAIN, TEST = "corpus://wnut17/train", "corpus://wnut17/test"
VECTORS = "corpus://glove-6b-100d/vectors.txt"
ALL = "lacrf,fl,at"
# Before a system tags: after fewer it finds no entities, and tagging would be cheaper than it is.
PASSES_BEFORE_TAGGING = 6


class Sentence(NamedTuple):
    """Words, and entities as `(label, start, end)` in tokens, end exclusive."""

    words: list[str]
    entities: list[tuple[str, int, int]]


@cache
def read(path: str, limit: int = 0) -> list[Sentence]:
    """The first `limit` sentences of a corpus file; all of them for 0."""
    reader = DatasetReader.by_name("wnut")(max_instances=limit or None)
    return [
        Sentence(
            instance["metadata"]["words"],
            [(span.label, span.start, span.end) for span in to_spans(instance["tags"].labels, "BIOUL")],
        )
        for instance in reader.read(path)
    ]


def write(sentences: list[Sentence], path: Path) -> None:
    """Writes sentences as a column file, IOB2."""
    with path.open("w", encoding="utf-8") as file:
        for words, entities in sentences:
            tags = ["O"] * len(words)
            for label, start, end in entities:
                tags[start:end] = [f"B-{label}"] + [f"I-{label}"] * (end - start - 1)
            file.writelines(f"{word}\t{tag}\n" for word, tag in zip(words, tags, strict=True))
            file.write("\n")


def cuda_number(device: torch.device) -> int:
    """How AllenNLP names a device."""
    return (device.index or 0) if device.type == "cuda" else -1


class Training:
    """
    A tagger under AllenNLP's trainer, trained a pass at a time so that others can take their turns between.

    # Parameters

    system : `str`
        `roseq` or `crf_tagger`.
    components : `str`
        Of `lacrf`, `fl`, `at` and `shapes`, with commas between; for `roseq`.
    sentences : `int`
        Of the training data, from its beginning; 0 takes all.
    corpus : `str`
        In the catalogue.
    train : `str`
        The training data; the corpus's training split if left out.
    batch_size : `int`
    vectors : `str`
        As `tagger.jsonnet` takes them; empty for GloVe's.
    seed : `int`
    """

    def __init__(
        self,
        system: str,
        components: str,
        device: torch.device,
        sentences: int = 0,
        corpus: str = "wnut17",
        train: str = "",
        batch_size: int = 16,
        vectors: str = "",
        seed: int = 1,
    ) -> None:
        if system == "crf_tagger":
            import allennlp_models.tagging  # noqa: F401  (registers it, and may not be here)
        variables = {
            "system": system,
            "components": components,
            "corpus": corpus,
            "train": train or f"corpus://{corpus}/train",
            "sentences": str(sentences),
            "batch_size": str(batch_size),
            "vectors": vectors,
            "cuda_device": str(cuda_number(device)),
        }
        self._directory = tempfile.TemporaryDirectory()
        self._params = Params.from_file(CONFIG, ext_vars=variables)
        params = self._params.duplicate()
        self._include = params.pop("include_in_archive", None)
        params.params.update(random_seed=seed, numpy_seed=seed, pytorch_seed=seed)
        prepare_environment(params)
        self._trainer: Any = TrainModel.from_params(
            params, serialization_dir=self._directory.name, local_rank=0
        ).trainer
        for callback in self._trainer._callbacks:
            callback.on_start(self._trainer, is_primary=True)

    @property
    def config(self) -> dict[str, Any]:
        return self._params.as_dict(quiet=True)

    @property
    def model(self) -> Model:
        return self._trainer.model

    @property
    def num_tags(self) -> int:
        return int(self._trainer.model.vocab.get_vocab_size("labels"))

    def train_pass(self) -> None:
        """One pass over the training data, as `trainer.train()` does it; no validation, no checkpoint."""
        trainer = self._trainer
        trainer._train_epoch(trainer._epochs_completed)
        trainer._epochs_completed += 1
        trainer._batches_in_epoch_completed = 0

    def archive(self) -> str:
        """The model as `allennlp train` leaves it, for loading as a user does."""
        while self._trainer._epochs_completed < PASSES_BEFORE_TAGGING:
            self.train_pass()
        directory = Path(self._directory.name)
        torch.save(self._trainer.model.state_dict(), directory / "best.th")
        self._params.to_file(str(directory / "config.json"))
        return archive_model(directory, include_in_archive=self._include)


def load(archive: str, device: torch.device, bfloat16: bool = False) -> NerTagger:
    return roseq_allennlp.load(archive, cuda_device=cuda_number(device), bfloat16=bfloat16)


def tag_anew(tagger: NerTagger, sentences: list[list[str]]) -> Optional[float]:
    """Tags as a tagger that has met no word yet; returns the share of tokens whose features it then knew, if it keeps any."""
    tagger._word_features = word_features(tagger._model, tagger._word_table)
    for _ in tagger.tag_many(sentences):
        pass
    features = tagger._word_features
    return None if features is None else features.num_hits / features.num_tokens
