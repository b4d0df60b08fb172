"""From a file in one format to a file, or to splits, in another."""

import hashlib
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from roseq_allennlp.data.documents import Document, Tally
from roseq_allennlp.data.formats import FORMATS, ReadOptions
from roseq_allennlp.errors import ConfigurationError

if TYPE_CHECKING:
    from spacy.tokens import Doc

_WORD = re.compile(r"[^ \t\r\n]+")  # tokens may hold other white space, such as no-break spaces


class Conversion(NamedTuple):
    """
    # Parameters

    path : `str`
    source, target : `str`
        Names of formats.
    options : `ReadOptions`
    tokenize : `Callable[[str], Doc]`
        For texts without given tokens, where the target needs some.
    tokenized : `bool`
        Whether texts are tokens with spaces between them, a line for each sentence; `tokenize` is then not called.
        What the file itself says of tokens and sentences stands.
    """

    path: str
    source: str
    target: str
    options: ReadOptions
    tokenize: "Callable[[str], Doc]"
    tokenized: bool = False

    def documents(self, tally: Tally) -> Iterator[Document]:
        """The documents as the target can hold them, as a stream."""
        from roseq_allennlp.data.alignment import aligned  # with spaCy, which takes seconds

        for document in FORMATS[self.source].read(self.path, self.options, tally):
            if self.tokenized and document.sentences is None:
                _set_tokens(document)
            if FORMATS[self.target].needs_tokens:
                document = aligned(document, self.tokenize, self.options.misaligned, tally)
                if not document.tokens:
                    tally.add("documents without a word left out", document.where)
                    continue
            yield document


def splits_of(texts: Iterable[str], shares: Sequence[int], seed: int) -> list[int]:
    """
    Divides texts at random, but equal ones, white space apart, go together, so that no text is in two splits.

    # Parameters

    texts : `Iterable[str]`
        Only their hashes are kept.
    shares : `Sequence[int]`
        In percent; their sum is 100.
    seed : `int`

    # Returns

    `List[int]`
        The index of the split of each text.

    # Raises

    `ConfigurationError`: a split would be empty.
    """
    keys = [hashlib.blake2b(" ".join(text.split()).encode(), digest_size=16).digest() for text in texts]
    counts = Counter(keys)
    groups = list(counts)
    random.Random(seed).shuffle(groups)
    ends = [sum(shares[: index + 1]) * len(keys) for index in range(len(shares))]  # times 100
    split_of: dict[bytes, int] = {}
    before = 0
    for group in groups:
        middle = 100 * before + 50 * counts[group]
        split_of[group] = next(index for index, end in enumerate(ends) if middle < end)
        before += counts[group]
    if len(set(split_of.values())) < len(shares):
        raise ConfigurationError(
            f"{len(groups)} different texts are too few for splits of {', '.join(map(str, shares))} percent: one would be empty."
        )
    return [split_of[key] for key in keys]


def _set_tokens(document: Document) -> None:
    """Tokens between spaces, unless they are given, and a sentence for each line."""
    if document.tokens is None:
        document.tokens = [match.span() for match in _WORD.finditer(document.text)]
    starts = [0]
    for index in range(1, len(document.tokens)):
        if re.search(r"[\r\n]", document.text[document.tokens[index - 1][1] : document.tokens[index][0]]):
            starts.append(index)
    document.sentences = list(zip(starts, [*starts[1:], len(document.tokens)], strict=True))
