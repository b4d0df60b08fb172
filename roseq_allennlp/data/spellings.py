from collections import Counter, defaultdict
from collections.abc import Iterable

from roseq_allennlp.data.word_keys import word_key


class Spellings:
    """How often a text has each word, by the form in which word vectors are looked up, in each of its spellings."""

    def __init__(self) -> None:
        self.by_word: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, words: Iterable[str]) -> None:
        """Words that hold white space, which no file of vectors can have, are left out."""
        for word in words:
            key = word_key(word.lower())
            if len(key.split()) == 1:
                self.by_word[key][word] += 1

    @property
    def counts(self) -> "Counter[str]":
        return Counter({word: spellings.total() for word, spellings in self.by_word.items()})
