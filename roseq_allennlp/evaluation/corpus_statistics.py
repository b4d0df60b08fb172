"""How large a corpus is, and how skewed its labels are (Table II and Fig. 2)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from roseq_allennlp.data.tag_schemes import UNKNOWN
from roseq_allennlp.scoring.conlleval import Tags, entities, label_of


@dataclass
class SplitStatistics:
    """
    The sentences of a split, its tokens by label (O included) and its entities by type.

    Entities are counted as `conlleval` counts them: a stray `I` starts one too. For both WNUT corpora the paper's Table II
    counts the tokens of entities instead.
    """

    sentences: int = 0
    tokens: "Counter[str]" = field(default_factory=Counter)
    entities: "Counter[str]" = field(default_factory=Counter)


def split_statistics(tags: Iterable[Tags]) -> SplitStatistics:
    """Counts a split from the tags of each sentence."""
    statistics = SplitStatistics()
    for sentence in tags:
        statistics.sentences += 1
        statistics.tokens.update(label_of(tag) for tag in sentence if tag != UNKNOWN)
        statistics.entities.update(span.label for span in entities(sentence))
    return statistics
