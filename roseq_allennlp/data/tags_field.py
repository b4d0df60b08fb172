from collections import Counter
from typing import Any

from allennlp.data import Vocabulary
from allennlp.data.fields import SequenceLabelField

from roseq_allennlp.data.tag_schemes import UNKNOWN, to_spans

UNKNOWN_ID = -1
"""The id of an unknown tag, which is in no vocabulary."""


class TagsField(SequenceLabelField):
    """
    Gold tags in BIOUL. Entities of which the vocabulary lacks a tag have the ids of O: the tagger has no class for them, and
    takes their tags for its scores from the metadata. The vocabulary stays as it is.

    An unknown tag (`?`) is no label: the vocabulary does not count it, and its id is `UNKNOWN_ID`.
    """

    __slots__: list[str] = []

    def count_vocab_items(self, counter: dict[str, dict[str, int]]) -> None:
        if self._indexed_labels is None:
            for tag, count in Counter(map(str, self.labels)).items():
                if tag != UNKNOWN:
                    counter[self._label_namespace][tag] += count

    def index(self, vocab: Vocabulary) -> None:
        known = vocab.get_token_to_index_vocabulary(self._label_namespace)
        tags: Any = list(self.labels)
        missing = set(tags) - known.keys() - {UNKNOWN}
        if missing and "O" in known:
            for span in to_spans(self.labels, "BIOUL"):  # type: ignore[arg-type]
                if not missing.isdisjoint(self.labels[span.start : span.end]):
                    tags[span.start : span.end] = ["O"] * (span.end - span.start)
        self._indexed_labels = [
            UNKNOWN_ID if tag == UNKNOWN else vocab.get_token_index(tag, self._label_namespace) for tag in tags
        ]
