import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Optional, Union

import torch
from allennlp.common.checks import ConfigurationError
from spacy.pipeline import Pipe
from spacy.pipeline.span_ruler import overlapping_labeled_spans_score
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc, Span, Token
from spacy.util import filter_spans, minibatch
from spacy.vocab import Vocab

from roseq_allennlp.files import replacing
from roseq_allennlp.models.archive import with_safetensors
from roseq_allennlp.predictors.loading import load
from roseq_allennlp.predictors.ner_tagger import NerTagger
from roseq_allennlp.predictors.thresholds import MinProbability, apply_thresholds, checked_thresholds

_ARCHIVE = "model.tar.gz"


class RoseqPipe(Pipe):
    """
    A pipe of spaCy that sets `doc.ents` by a trained archive, as `NerTagger.tag` does. It reads the tokens of the pipeline
    in the sentences of the pipeline; a doc without sentences is one. White-space tokens are passed over.

    `doc._.roseq["entities"]` has all that the tagger finds, with characters and tokens of the doc, also what is not in
    `doc.ents`; `review` marks those below `min_probability`. `span._.probability` and `span._.review` are those of a span.

    # Parameters

    vocab : `spacy.vocab.Vocab`
    name : `str`
    archive : `str`, optional
        What `roseq_allennlp.load` opens: at once where it is a file or directory, otherwise when first needed. What
        `from_disk` and `from_bytes` bring takes its place.
    min_probability : `Union[float, Mapping[str, float], str]`, optional
        Entities below it are left out, see `NerTagger.tag`.
    review : `bool`, optional (default = `False`)
        They stay, with `span._.review` true.
    spans_key : `str`, optional
        Sets `doc.spans[spans_key]` too, with the entities that overlap with those of other pipes.
    overwrite_ents : `bool`, optional (default = `False`)
        Whether these entities win over those of the pipes before it.

    # Raises

    `ConfigurationError`: the archive cannot be opened, or has no such type or no thresholds; a probability is not from 0 to 1.
    """

    def __init__(
        self,
        vocab: Vocab,
        name: str = "roseq",
        archive: Optional[str] = None,
        min_probability: MinProbability = None,
        review: bool = False,
        spans_key: Optional[str] = None,
        overwrite_ents: bool = False,
    ) -> None:
        self.vocab, self.name = vocab, name
        self._archive, self._min_probability, self._review = archive or None, min_probability, review
        self._spans_key, self._overwrite_ents = spans_key, overwrite_ents
        self._tagger: Optional[NerTagger] = None
        self._least: Optional[dict[str, float]] = None
        self._bytes: Optional[bytes] = None  # of the archive as a pipeline holds it
        self._process = os.getpid()
        if archive and Path(archive).exists():
            self._open(archive)
        else:  # what can be said without the archive
            types = list(min_probability) if isinstance(min_probability, dict) else ["all types"]
            self._checked(lambda: checked_thresholds(min_probability, types, {"": 0.0}))

    def __reduce__(self) -> tuple[Any, ...]:
        settings = (self._min_probability, self._review, self._spans_key, self._overwrite_ents)
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
            sentences = [_sentences(doc) for doc in docs]
            texts = [[token.text for token in words] for of_doc in sentences for words in of_doc]
            answers = iter(list(tagger.tag_many(texts)))
            for doc, of_doc in zip(docs, sentences, strict=True):
                try:
                    self._annotate(doc, [(words, next(answers)) for words in of_doc])
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
        tagger = self._opened()
        if self._bytes is None:
            assert tagger.source is not None
            with tempfile.TemporaryDirectory() as temporary:
                description = with_safetensors(tagger.source, path := Path(temporary, _ARCHIVE))
                if description != tagger.description:
                    raise ConfigurationError(
                        f"pipe {self.name}: {tagger.source} has changed since it was loaded. Make the pipe anew."
                    )
                self._bytes = path.read_bytes()
        return self._bytes

    def from_bytes(self, data: bytes, **kwargs: Any) -> "RoseqPipe":
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary, _ARCHIVE)
            path.write_bytes(data)
            try:
                self._open(path)
            except ConfigurationError as error:
                message = str(error.message).replace(str(path), f"the archive of the pipe {self.name}")
                raise ConfigurationError(message) from error
        self._bytes = data
        return self

    def to_disk(self, path: Union[str, Path], **kwargs: Any) -> None:
        data = self.to_bytes()
        Path(path).mkdir(exist_ok=True, parents=True)
        with replacing(Path(path, _ARCHIVE)) as unfinished:
            unfinished.write_bytes(data)

    def from_disk(self, path: Union[str, Path], **kwargs: Any) -> "RoseqPipe":
        file = Path(path, _ARCHIVE)
        self._open(file)
        self._bytes = file.read_bytes()
        return self

    def _opened(self) -> NerTagger:
        if self._process != os.getpid():  # a fork has none of torch's threads, and would wait for them
            torch.set_num_threads(1)
            self._process = os.getpid()
        if self._tagger is not None:
            return self._tagger
        if self._archive is None:
            raise ConfigurationError(
                f"the pipe {self.name} has no archive: set `archive` in its config to a model.tar.gz, or load a saved"
                " pipeline by spacy.load."
            )
        return self._open(self._archive)

    def _open(self, archive: Union[str, Path]) -> NerTagger:
        tagger = load(archive)
        self._least = self._checked(lambda: tagger.thresholds(self._min_probability))
        self._tagger = tagger
        return tagger

    def _checked(self, thresholds: Callable[[], Optional[dict[str, float]]]) -> Optional[dict[str, float]]:
        try:
            return thresholds()
        except ValueError as error:
            raise ConfigurationError(f"pipe {self.name}: {error}.") from error

    def _annotate(self, doc: Doc, answers: list[tuple[list[Token], dict[str, Any]]]) -> None:
        entities, spans = [], []
        for words, answer in answers:
            if "error" in answer:
                raise ValueError(answer["error"])
            for entity in apply_thresholds(answer, self._least, review=True)["entities"]:
                first, last = words[entity["start_token"]], words[entity["end_token"] - 1]
                span = Span(doc, first.i, last.i + 1, label=entity["label"])
                tokens = {"start_token": span.start, "end_token": span.end}
                characters = {"text": span.text, "start": span.start_char, "end": span.end_char}
                entities.append({**entity, **characters, **tokens})
                if self._review or not entity.get("review"):
                    spans.append(span)
        doc._.roseq = {"entities": entities}
        first_choice, second = (spans, doc.ents) if self._overwrite_ents else (doc.ents, spans)
        taken = {token for span in first_choice for token in range(span.start, span.end)}
        free = (span for span in second if taken.isdisjoint(range(span.start, span.end)))
        doc.ents = filter_spans([*first_choice, *free])
        if self._spans_key is not None:
            doc.spans[self._spans_key] = spans


def _sentences(doc: Doc) -> list[list[Token]]:
    """The words of each sentence: tokens of spaCy may be white space."""
    sentences = doc.sents if doc.has_annotation("SENT_START") else [doc]
    return [[token for token in sentence if not token.is_space] for sentence in sentences]


def _unpickled(vocab: Vocab, name: str, settings: tuple[Any, ...], data: bytes) -> RoseqPipe:
    return RoseqPipe(vocab, name, None, *settings).from_bytes(data)
