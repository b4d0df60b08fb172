"""What a tagger takes in: texts and lists of words, checked."""

import contextlib
import itertools
import reprlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Optional, Union

from allennlp.data import Instance

from roseq_allennlp.data.documents import Document

LONGEST = {"sentence": 4 * 10**6, "tokens": 4 * 10**6, "text": 10**7}
"""Characters of an input: some GB of memory. A longer one is an error, and the rows beside it are tagged."""


class Unreadable(dict[str, Any]):
    """Input that cannot be tagged; holds the reason, its `error`, until its turn in the output comes."""


class Sentence(NamedTuple):
    """Words, with the text they are from and the position of each in it (in Unicode code points)."""

    words: list[str]
    text: Optional[str] = None  # None: the words with single spaces between them
    starts: Optional[list[int]] = None
    visible: Optional[list[int]] = None  # positions of the words that are not white space; None: all

    def seen(self) -> list[str]:
        """The words that the model sees."""
        return self.words if self.visible is None else [self.words[position] for position in self.visible]

    def placed(self) -> tuple[str, list[int]]:
        """The text, and the position of each word in it."""
        if self.text is not None and self.starts is not None:
            return self.text, self.starts
        return " ".join(self.words), list(itertools.accumulate((len(word) + 1 for word in self.words), initial=0))


def checked_input(item: Any) -> Union[str, Document, Sentence, Unreadable]:
    """A text, a document, words, or what is wrong with input that holds none; all can be sent to another process."""
    if isinstance(item, (Document, Sentence, Unreadable)):
        return item
    # Rows of other tools have `text` beside their tokens.
    given = [key for key in ("sentence", "tokens") if key in item] or ["text"] if isinstance(item, dict) else []
    if len(given) != 1 or given[0] not in item:
        return Unreadable(error='expected {"sentence": "…"}, {"text": "…"} or {"tokens": ["…", …]}')
    (key,) = given
    value = item[key]
    if key == "tokens":
        return _checked_tokens(value)
    if not isinstance(value, str):
        return Unreadable(error=f"`{key}` must be a string, not {reprlib.repr(value)}")
    value = _plain(value)
    return _no_text(key, value) or (value if key == "sentence" else Document(value))


def _checked_tokens(words: Any) -> Union[Sentence, Unreadable]:
    types = set(map(type, words)) if isinstance(words, (list, tuple)) else {None}
    if not all(kind is not None and issubclass(kind, str) for kind in types) or "" in words:
        return Unreadable(error="`tokens` must be a list of strings, none of them empty")
    words = list(words) if types <= {str} else list(map(_plain, words))
    if (problem := _no_text("tokens", "".join(words))) is not None:
        return problem
    if all(map(str.strip, words)):
        return Sentence(words)
    return Sentence(words, visible=[position for position, word in enumerate(words) if word.strip()])


def _no_text(key: str, text: str) -> Optional[Unreadable]:
    """What is wrong with a text that no file could hold, or that takes too much memory."""
    if len(text) > LONGEST[key]:
        advice = 'give it as a document, {"text": …}, or split it' if key == "sentence" else "split it"
        return Unreadable(error=f"`{key}` has {len(text)} characters, more than {LONGEST[key]}: {advice}")
    try:
        text.encode()
        return None
    except UnicodeEncodeError as error:
        half = text[error.start].encode("unicode_escape").decode()
        return Unreadable(error=f"`{key}` has half a character, {half}, without its other half")


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
