"""Labelled data, as a trained archive tags them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch, DatasetReader, Instance
from allennlp.models import Model
from allennlp.models.archival import Archive
from allennlp.nn.util import move_to_device
from more_itertools import chunked

from roseq_allennlp.data.tag_schemes import Span, bioul_to_bioes
from roseq_allennlp.predictors import NerTagger
from roseq_allennlp.predictors.answer import Mark, mark, marked_html
from roseq_allennlp.predictors.sentences import words_of as words_of
from roseq_allennlp.scoring.conlleval import Score, comparable, entities, score
from roseq_allennlp.text import without_secrets

_AT_A_TIME = 2048  # sentences

Progress = Callable[[list, str], Iterable]
"""Iterates over a list and shows the progress under a title, as `Console.progress` does."""


class TaggedSentence(NamedTuple):
    """
    A sentence with its gold and its predicted tags, both BIOES, and the probability that the tagger gives each of the
    entities it predicts, as a whole. Where gold tags are unknown, `gold_entities` and `predicted_entities` are those that can
    be compared, see `scoring.conlleval`.
    """

    words: list[str]
    gold: list[str]
    predicted: list[str]
    probabilities: dict[Span, float]

    @property
    def gold_entities(self) -> list[Span]:
        return entities(self.gold)

    @property
    def predicted_entities(self) -> list[Span]:
        return comparable(self.gold, self.predicted)

    def _repr_html_(self) -> str:
        """What a notebook shows: the gold entities, and below them those of the tagger."""
        gold = [Mark(span.start, span.end, span.label, span.label) for span in self.gold_entities]
        by_start = sorted(self.probabilities.items(), key=lambda item: item[0].start)
        predicted = [mark(*span, probability) for span, probability in by_start]
        return f"<b>gold</b>{marked_html(self.words, gold)}<b>tagger</b>{marked_html(self.words, predicted)}"


Models = Mapping[str, Sequence[TaggedSentence]]
"""The same sentences, as one or several taggers tag them, by the tagger's name."""


def read_labelled(reader: DatasetReader, data_path: Union[str, PathLike]) -> list[Instance]:
    """
    Reads all instances of a file, or of `corpus://…`.

    # Raises

    `ConfigurationError`: the file is missing, cannot be read, or has no tags.
    """
    instances = list(reader.read(data_path))
    if any("tags" not in instance.fields for instance in instances):
        raise ConfigurationError(f"{data_path}: has sentences without tags; they are needed to score against.")
    return instances


def gold_tags(instance: Instance) -> list[str]:
    """Returns the gold tags of an instance in BIOES."""
    return bioul_to_bioes(instance["tags"].labels)  # type: ignore[attr-defined]


def model_output(model: Model, reader: DatasetReader, sentences: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Returns what a model gives for a batch of sentences without labels, on the model's device."""
    instances = [reader.text_to_instance(words) for words in sentences]
    for instance in instances:
        reader.apply_token_indexers(instance)
    batch = Batch(instances)
    batch.index_instances(model.vocab)
    output: dict[str, Any] = model(**move_to_device(batch.as_tensor_dict(), next(model.parameters()).device))
    return output


def tag_instances(
    archive: Archive, instances: list[Instance], progress: Optional[Progress] = None, title: str = "tagging"
) -> list[TaggedSentence]:
    """Tags labelled instances with an archive's best weights, in their order."""
    tagger = NerTagger.from_archive(archive, "ner_tagger")
    parts = list(chunked(instances, _AT_A_TIME))
    sentences: list[TaggedSentence] = []
    for part in progress(parts, title) if progress else parts:
        for instance, answer in zip(part, tagger.predict_batch_instance(part), strict=True):
            predicted: list[dict[str, Any]] = answer["entities"]
            probabilities = {
                Span(entity["label"], entity["start_token"], entity["end_token"]): entity["probability"]
                for entity in predicted
            }
            sentences.append(TaggedSentence(words_of(instance), gold_tags(instance), answer["tags"], probabilities))
    return sentences


def tag_file(
    archive: Archive, data_path: Union[str, PathLike], progress: Optional[Progress] = None, title: str = "tagging"
) -> list[TaggedSentence]:
    """Tags a labelled file, read with the archive's own reader, see `read_labelled`."""
    return tag_instances(archive, read_labelled(archive.validation_dataset_reader, data_path), progress, title)


def model_names(paths: Sequence[Union[str, PathLike]]) -> list[str]:
    """Names archives for tables and pictures: by the run's directory, or by the path if two names are equal."""
    names = [
        path.parent.name if path.name.endswith(".tar.gz") else path.name
        for path in (Path(path).resolve() for path in paths)
    ]
    if len(set(names)) < len(names):
        names = list(map(str, paths))
    names = list(map(without_secrets, names))
    return [name if names.count(name) == 1 else f"{name} ({number})" for number, name in enumerate(names, 1)]


def score_of(sentences: Iterable[TaggedSentence]) -> Score:
    """Entity scores and token accuracy, as `conlleval` counts them."""
    sentences = list(sentences)
    return score([sentence.gold for sentence in sentences], [sentence.predicted for sentence in sentences])
