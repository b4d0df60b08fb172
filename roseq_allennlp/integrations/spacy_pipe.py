import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Optional, Union

import torch
from allennlp.common.checks import ConfigurationError
from spacy.pipeline import Pipe
from spacy.pipeline.span_ruler import (
    overlapping_labeled_spans_score,
    prioritize_existing_ents_filter,
    prioritize_new_ents_filter,
)
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc, Span
from spacy.util import minibatch
from spacy.vocab import Vocab

from roseq_allennlp.data.sentence_splitting import split_sentences
from roseq_allennlp.models.archive import with_safetensors
from roseq_allennlp.predictors.loading import load
from roseq_allennlp.predictors.ner_tagger import NerTagger

_ARCHIVE = "model.tar.gz"


class RoseqPipe(Pipe):
    """
    A pipe of spaCy that sets `doc.ents`. Tokens are tagged as they are, white space as outside of entities, in the sentences
    of the pipeline, or those of spaCy's `sentencizer` where it has none. `doc._.roseq` has all `entities`, with characters
    and tokens of the doc; `span._.probability` that of a span.

    # Parameters

    vocab : `spacy.vocab.Vocab`
    name : `str`
    archive : `str`, optional
        What `roseq_allennlp.load` opens: at once where it is a file or directory, otherwise when first needed. What
        `from_disk` and `from_bytes` bring takes its place.
    min_probability : `Union[float, Dict[str, float]]`, optional (default = `0.0`)
        Entities below it are left out; of each type where it is a dictionary, and types that it has not are all kept.
    spans_key : `str`, optional
        Sets `doc.spans[spans_key]` too, with the entities that overlap with those of other pipes.
    overwrite_ents : `bool`, optional (default = `False`)
        Whether these entities win over those of the pipes before it.

    # Raises

    `ConfigurationError`: the archive cannot be opened, or a probability is not between 0 and 1.
    """

    def __init__(
        self,
        vocab: Vocab,
        name: str = "roseq",
        archive: Optional[str] = None,
        min_probability: Union[float, dict[str, float]] = 0.0,
        spans_key: Optional[str] = None,
        overwrite_ents: bool = False,
    ) -> None:
        values = min_probability.values() if isinstance(min_probability, dict) else [min_probability]
        if not all(0 <= value <= 1 for value in values):
            raise ConfigurationError(f"pipe {name}: `min_probability` must be between 0 and 1, got {min_probability}.")
        if not Span.has_extension("probability"):
            Span.set_extension("probability", default=None)
        if not Doc.has_extension("roseq"):
            Doc.set_extension("roseq", default=None)
        self.vocab, self.name = vocab, name
        self._archive, self._min_probability = archive, min_probability
        self._spans_key, self._overwrite_ents = spans_key, overwrite_ents
        self._tagger: Optional[NerTagger] = None
        self._bytes: Optional[bytes] = None  # of an archive that came from a pipeline
        self._process = os.getpid()
        if archive is not None and Path(archive).exists():
            self._tagger = load(archive)

    def __reduce__(self) -> tuple[Any, ...]:
        settings = (self._min_probability, self._spans_key, self._overwrite_ents)
        return _unpickled, (self.vocab, self.name, settings, self.to_bytes())

    @property
    def labels(self) -> tuple[str, ...]:
        return () if self._tagger is None else self._tagger.labels

    def initialize(self, get_examples: Callable[[], Iterable[Any]], *, nlp: Any = None) -> None:
        self._opened()

    def __call__(self, doc: Doc) -> Doc:
        for result in self.pipe([doc], batch_size=1):
            return result
        return doc  # the error handler has been told

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        tagger, handler = self._opened(), self.get_error_handler()
        for docs in minibatch(stream, size=batch_size):
            bounds = [_bounds(doc) for doc in docs]
            sentences = [
                # A token of spaCy may be empty, which counts as white space here.
                [token.text or " " for token in doc[start:end]]
                for doc, of_doc in zip(docs, bounds, strict=True)
                for start, end in of_doc
            ]
            answers = iter(list(tagger.tag_many(sentences)))
            for doc, of_doc in zip(docs, bounds, strict=True):
                try:
                    self._annotate(doc, [(start, next(answers)) for start, _ in of_doc])
                except Exception as error:
                    handler(self.name, self, [doc], error)
                else:
                    yield doc

    def score(self, examples: Iterable[Any], **kwargs: Any) -> dict[str, Any]:
        examples = list(examples)
        scores = get_ner_prf(examples)
        if self._spans_key is not None:
            scores |= overlapping_labeled_spans_score(examples, spans_key=self._spans_key)
        return scores

    def to_bytes(self, **kwargs: Any) -> bytes:
        if self._bytes is not None:
            return self._bytes
        source = self._opened().source
        assert source is not None
        with tempfile.TemporaryDirectory() as temporary:
            with_safetensors(source, path := Path(temporary, _ARCHIVE))
            return path.read_bytes()

    def from_bytes(self, data: bytes, **kwargs: Any) -> "RoseqPipe":
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary, _ARCHIVE)
            path.write_bytes(data)
            try:
                self._tagger = load(path)
            except ConfigurationError as error:
                message = str(error.message).replace(str(path), f"the archive of the pipe {self.name}")
                raise ConfigurationError(message) from error
        self._bytes = data
        return self

    def to_disk(self, path: Union[str, Path], **kwargs: Any) -> None:
        data = self.to_bytes()
        Path(path).mkdir(exist_ok=True, parents=True)
        Path(path, _ARCHIVE).write_bytes(data)

    def from_disk(self, path: Union[str, Path], **kwargs: Any) -> "RoseqPipe":
        file = Path(path, _ARCHIVE)
        self._tagger = load(file)
        self._bytes = file.read_bytes()
        return self

    def _opened(self) -> NerTagger:
        if self._process != os.getpid():  # a fork has none of torch's threads, and would wait for them
            torch.set_num_threads(1)
            self._process = os.getpid()
        if self._tagger is None:
            if self._archive is None:
                raise ConfigurationError(
                    f"the pipe {self.name} has no archive: set `archive` in its config to a model.tar.gz, or load a saved"
                    " pipeline by spacy.load."
                )
            self._tagger = load(self._archive)
        return self._tagger

    def _annotate(self, doc: Doc, answers: list[tuple[int, dict[str, Any]]]) -> None:
        entities, spans = [], []
        for first, answer in answers:
            if "error" in answer:
                raise ValueError(answer["error"])
            for entity in answer["entities"]:
                span = Span(doc, first + entity["start_token"], first + entity["end_token"], label=entity["label"])
                tokens = {"start_token": span.start, "end_token": span.end}
                characters = {"text": span.text, "start": span.start_char, "end": span.end_char}
                entities.append({**entity, **characters, **tokens})
                if entity["probability"] >= self._threshold(entity["label"]):
                    span._.probability = entity["probability"]
                    spans.append(span)
        doc._.roseq = {"entities": entities}
        merge = prioritize_new_ents_filter if self._overwrite_ents else prioritize_existing_ents_filter
        doc.ents = sorted(merge(doc.ents, spans), key=lambda span: span.start)
        if self._spans_key is not None:
            doc.spans[self._spans_key] = spans

    def _threshold(self, label: str) -> float:
        return (
            self._min_probability.get(label, 0.0) if isinstance(self._min_probability, dict) else self._min_probability
        )


def _bounds(doc: Doc) -> list[tuple[int, int]]:
    """Tokens `[start, end)` of the sentences."""
    if doc.has_annotation("SENT_START"):
        return [(sentence.start, sentence.end) for sentence in doc.sents]
    copy = Doc(doc.vocab, words=[token.text for token in doc], spaces=[bool(token.whitespace_) for token in doc])
    return split_sentences(copy)


def _unpickled(vocab: Vocab, name: str, settings: tuple[Any, ...], data: bytes) -> RoseqPipe:
    return RoseqPipe(vocab, name, None, *settings).from_bytes(data)
