"""Variants of training sentences, with other mentions of the same types and mistyped words."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence

from roseq_allennlp.data.noise import add_noise
from roseq_allennlp.data.tag_schemes import Span, from_spans, whole_spans

Sentence = tuple[Sequence[str], Sequence[str]]
"""Words, and as many tags in BIOUL, `?` for unknown ones."""

_Mentions = Mapping[str, Sequence[Sequence[str]]]  # by type; a mention stands there as often as it occurs


def augmented(sentences: Sequence[Sentence], mentions: float, noise: float, seed: str) -> list[Sentence]:
    """
    A variant of each sentence, all drawn from these sentences alone. Only entities that are known as a whole are replaced and
    drawn; all other tags stay, unknown ones too.

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
    entities = [whole_spans(tags, "BIOUL") for _, tags in sentences]
    pool = defaultdict(list)
    for (words, _), spans in zip(sentences, entities, strict=True):
        for span in spans:
            pool[span.label].append(words[span.start : span.end])
    replaced = [
        _replaced(*sentence, spans, pool, mentions, generator)
        for sentence, spans in zip(sentences, entities, strict=True)
    ]
    noisy = add_noise([words for words, _ in replaced], noise, f"{seed} noise")
    return [(words, tags) for words, (_, tags) in zip(noisy, replaced, strict=True)]


def _replaced(
    words: Sequence[str],
    tags: Sequence[str],
    entities: Sequence[Span],
    pool: _Mentions,
    share: float,
    generator: random.Random,
) -> Sentence:
    made: list[str] = []
    made_tags: list[str] = []
    end = 0
    for span in entities:
        mention = words[span.start : span.end]
        if generator.random() < share:
            mention = generator.choice(pool[span.label])
        made += [*words[end : span.start], *mention]
        made_tags += tags[end : span.start]
        made_tags += from_spans([Span(span.label, 0, len(mention))], len(mention), "BIOUL")
        end = span.end
    return [*made, *words[end:]], [*made_tags, *tags[end:]]
