"""What a tagger takes in: texts and lists of words, checked."""

import contextlib
import itertools
import reprlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Optional, Union

from allennlp.data import Instance


class Unreadable(dict[str, Any]):
    """Input that cannot be tagged; holds the reason, its `error`, until its turn in the output comes."""


class Sentence(NamedTuple):
    """Words, with the text they are from and the position of each in it (in Unicode code points)."""

    words: list[str]
    text: Optional[str] = None  # None: the words with single spaces between them
    starts: Optional[list[int]] = None

    def placed(self) -> tuple[str, list[int]]:
        """The text, and the position of each word in it."""
        if self.text is not None and self.starts is not None:
            return self.text, self.starts
        return " ".join(self.words), list(itertools.accumulate((len(word) + 1 for word in self.words), initial=0))


def checked_input(item: Any) -> Union[str, Sentence, Unreadable]:
    """A text, words, or what is wrong with input that holds neither; all can be sent to another process."""
    if isinstance(item, (Sentence, Unreadable)):
        return item
    if not isinstance(item, dict) or ("sentence" in item) == ("tokens" in item):
        return Unreadable(error='expected {"sentence": "…"} or {"tokens": ["…", …]}')
    if "sentence" in item:
        if not isinstance(item["sentence"], str):
            return Unreadable(error=f"`sentence` must be a string, not {reprlib.repr(item['sentence'])}")
        return _plain(item["sentence"])
    words = item["tokens"]
    if (
        not isinstance(words, (list, tuple))
        or not all(map(isinstance, words, itertools.repeat(str)))
        or not all(map(str.strip, words))
    ):
        return Unreadable(error="`tokens` must be a list of strings, none of them empty or white space")
    return Sentence(list(map(_plain, words)))


def iterator_of(items: Any, rule: str) -> Iterator[Any]:
    """An iterator over `items`; raises `ValueError` with the rule for one text or dictionary, and for what has no items."""
    if not isinstance(items, (str, bytes, Mapping)):
        with contextlib.suppress(TypeError):
            return iter(items)
    raise ValueError(f"{rule}; got {reprlib.repr(items)}")


def _plain(text: str) -> str:
    """The text as a `str`, also if it is of a subclass."""
    return text if type(text) is str else str.__str__(text)


def has_words_only(instance: Instance) -> bool:
    """Whether the model would see no more of the instance than its words; tags it may have are not looked at."""
    if not instance.fields.keys() <= {"tokens", "metadata", "tags"}:
        return False
    return [token.text for token in instance["tokens"]] == words_of(instance)  # type: ignore[attr-defined]


def words_of(instance: Instance) -> list[str]:
    """The words of an instance that a reader of this package made."""
    return list(instance["metadata"]["words"])  # type: ignore[index]
