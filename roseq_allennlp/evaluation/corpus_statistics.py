"""How large a corpus is, and how skewed its labels are (Table II and Fig. 2)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from roseq_allennlp.scoring.conlleval import Tags, entities, label_of


@dataclass
class SplitStatistics:
    """
    Of one split: its sentences, its tokens by label (O among them) and its entities by type.

    Entities are those of `conlleval`, which a stray `I` starts too. The paper's Table II counts the tokens of entities
    instead for both WNUT corpora.
    """

    sentences: int = 0
    tokens: "Counter[str]" = field(default_factory=Counter)
    entities: "Counter[str]" = field(default_factory=Counter)


def split_statistics(tags: Iterable[Tags]) -> SplitStatistics:
    """From the tags of each sentence."""
    found = SplitStatistics()
    for sentence in tags:
        found.sentences += 1
        found.tokens.update(map(label_of, sentence))
        found.entities.update(span.label for span in entities(sentence))
    return found
