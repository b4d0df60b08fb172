from typing import Any

from allennlp.data import Vocabulary
from allennlp.data.fields import SequenceLabelField

from roseq_allennlp.data.tag_schemes import from_spans, to_spans


class TagsField(SequenceLabelField):
    """
    Gold tags in BIOUL. Entities of which the vocabulary lacks a tag have the ids of O: the tagger has no class for them, and
    takes their tags for its scores from the metadata. The vocabulary stays as it is.
    """

    __slots__: list[str] = []

    def index(self, vocab: Vocabulary) -> None:
        known = vocab.get_token_to_index_vocabulary(self._label_namespace)
        tags: Any = self.labels
        unknown = set(tags) - known.keys()
        if not unknown or "O" not in known:
            super().index(vocab)
            return
        spans = [span for span in to_spans(tags, "BIOUL") if unknown.isdisjoint(tags[span.start : span.end])]
        self._indexed_labels = [known[tag] for tag in from_spans(spans, len(tags), "BIOUL")]
