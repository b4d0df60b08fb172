import logging
from collections.abc import Iterator, Sequence
from typing import Any, Optional, Union

from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader, Instance, Token, TokenIndexer
from allennlp.data.fields import Field, MetadataField, TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer

from roseq_allennlp.data.tag_schemes import UNKNOWN, bioes_to_bioul, convert, invalid_positions, to_spans
from roseq_allennlp.data.tags_field import TagsField

logger = logging.getLogger(__name__)


class NerReader(DatasetReader):
    """
    What the readers of labelled sentences share. A subclass gives `read_sentences`.

    An instance has `tokens` (`TextField`), `tags` (`SequenceLabelField` in AllenNLP's `BIOUL`, namespace `labels`) and
    `metadata` (`{"words": [...], "tags": [...]}`, the tags if it has any). A tag may be `?`, unknown: any tag is possible.
    Sentences are divided among data loading workers and distributed processes before any instance is built.

    # Parameters

    token_indexers : `Dict[str, TokenIndexer]`, optional (default = `{"tokens": SingleIdTokenIndexer()}`)
    max_length : `int`, optional (default = no limit)
        In tokens. A longer sentence is split into pieces no longer than this, each an instance of its own, between
        entities where they leave room for it; one warning for a file has the count.
    language : `str`, optional (default = `"xx"`, any)
        As spaCy names it; the predictor tokenizes by it.

    # Raises

    `ConfigurationError`: a parameter that breaks its rule.
    """

    def __init__(
        self,
        token_indexers: Optional[dict[str, TokenIndexer]] = None,
        max_length: Optional[int] = None,
        language: str = "xx",
        **kwargs,
    ) -> None:
        super().__init__(manual_distributed_sharding=True, manual_multiprocess_sharding=True, **kwargs)
        if max_length is not None and max_length < 1:
            raise ConfigurationError(
                f"`max_length` must be at least 1 token, got {max_length}. Leave it out for no limit."
            )
        self._token_indexers = token_indexers or {"tokens": SingleIdTokenIndexer()}
        self._max_length = max_length
        self.language = language

    def read_sentences(self, file_path: str) -> Iterator[tuple[Sequence[Union[str, Token]], list[str]]]:
        """Tokens and valid BIOUL tags of each sentence of a file, `?` for unknown ones, as a stream."""
        raise NotImplementedError

    def _read(self, file_path) -> Iterator[Instance]:
        for tokens, tags in self.shard_iterable(self._cut(str(file_path))):
            yield self.text_to_instance(tokens, tags)

    def text_to_instance(  # type: ignore[override]
        self, tokens: Sequence[Union[str, Token]], tags: Optional[Sequence[str]] = None
    ) -> Instance:
        """
        # Parameters

        tokens : `Sequence[Union[str, Token]]`
        tags : `Sequence[str]`, optional
            One per token, in BIOUL or BIOES, or `?` where it is unknown.

        # Raises

        `ConfigurationError`: tags that are not valid BIOUL or BIOES, or not as many as the tokens.
        """
        text = TextField([Token(token) if isinstance(token, str) else token for token in tokens])
        metadata: dict[str, Any] = {"words": [token.text for token in text.tokens]}
        fields: dict[str, Field] = {"tokens": text, "metadata": MetadataField(metadata)}
        if tags is not None:
            try:
                invalid = [tags[i] for i in invalid_positions(tags, "BIOUL")]
            except ValueError as error:
                raise ConfigurationError(str(error)) from error
            if invalid:
                raise ConfigurationError(
                    f"`tags` must be valid BIOUL or BIOES, got {list(tags)}, where {', '.join(invalid)} are not."
                    " `roseq_allennlp.data.tag_schemes.convert` makes them of another scheme's."
                )
            metadata["tags"] = bioes_to_bioul(tags)
            fields["tags"] = TagsField(metadata["tags"], text, label_namespace="labels")
        return Instance(fields)

    def apply_token_indexers(self, instance: Instance) -> None:
        instance["tokens"].token_indexers = self._token_indexers  # type: ignore[attr-defined]

    def _cut(self, file_path: str) -> Iterator[tuple[Sequence[Union[str, Token]], list[str]]]:
        split = total = unknown = outside = 0
        try:
            for tokens, tags in self.read_sentences(file_path):
                total, unknown, outside = total + len(tags), unknown + tags.count(UNKNOWN), outside + tags.count("O")
                ends = _cuts(tags, self._max_length)
                if len(ends) == 1:
                    yield tokens, tags
                    continue
                split += 1
                for start, end in zip([0, *ends], ends, strict=False):
                    # Again, for the entities longer than `max_length`: each part of one is an entity.
                    yield tokens[start:end], convert(tags[start:end], "BIOUL", "BIOUL")
        finally:  # also where the reading stops early, at `max_instances`
            if split:
                logger.warning("%s: sentences split for more than %d tokens: %d", file_path, self._max_length, split)
            if unknown:
                logger.info("%s: tokens whose tag is unknown: %d of %d", file_path, unknown, total)
                if not outside:
                    logger.warning(
                        "%s: %d of %d tokens have an unknown tag and none is known to be O. A tagger that is trained on this alone"
                        " marks every token: add sentences that are annotated in full, or read what is unmarked as O",
                        file_path,
                        unknown,
                        total,
                    )


def _cuts(tags: list[str], max_length: Optional[int]) -> list[int]:
    """Where the pieces of a sentence end. A piece ends before an entity that would not fit, unless it starts with it."""
    length = len(tags)
    if max_length is None or length <= max_length:
        return [length]
    spans = to_spans(tags, "BIOUL")
    cuts = [0]
    while length - cuts[-1] > max_length:
        end = cuts[-1] + max_length
        starts = [span.start for span in spans if span.start < end < span.end]
        cuts.append(starts[0] if starts and starts[0] > cuts[-1] else end)
    return cuts[1:] + [length]
