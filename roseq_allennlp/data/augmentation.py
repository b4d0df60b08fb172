"""Variants of training sentences, with other mentions of the same types and mistyped words."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence

from roseq_allennlp.data.noise import add_noise
from roseq_allennlp.data.tag_schemes import Span, from_spans, to_spans

Sentence = tuple[Sequence[str], Sequence[str]]
"""Words, and as many tags in BIOUL."""

_Mentions = Mapping[str, Sequence[Sequence[str]]]  # by type; a mention stands there as often as it occurs


def augmented(sentences: Sequence[Sentence], mentions: float, noise: float, seed: str) -> list[Sentence]:
    """
    A variant of each sentence, all drawn from these sentences alone.

    # Parameters

    sentences : `Sequence[Sentence]`
    mentions : `float`
        Probability that an entity is replaced by a mention of the same type, drawn from all mentions in the sentences
        by their frequency. It may be the same mention, or a longer or shorter one.
    noise : `float`
        Share of the words to mistype, those of mentions too (see `add_noise`).
    seed : `str`
    """
    generator = random.Random(seed)
    entities = [(words, to_spans(tags, "BIOUL")) for words, tags in sentences]
    pool = defaultdict(list)
    for words, spans in entities:
        for span in spans:
            pool[span.label].append(words[span.start : span.end])
    replaced = [_replaced(words, spans, pool, mentions, generator) for words, spans in entities]
    noisy = add_noise([words for words, _ in replaced], noise, f"{seed} noise")
    return [(words, tags) for words, (_, tags) in zip(noisy, replaced, strict=True)]


def _replaced(
    words: Sequence[str], entities: Sequence[Span], pool: _Mentions, share: float, generator: random.Random
) -> Sentence:
    made: list[str] = []
    spans = []
    end = 0
    for span in entities:
        mention = words[span.start : span.end]
        if generator.random() < share:
            mention = generator.choice(pool[span.label])
        made += words[end : span.start]
        spans.append(Span(span.label, len(made), len(made) + len(mention)))
        made += mention
        end = span.end
    made += words[end:]
    return made, from_spans(spans, len(made), "BIOUL")
