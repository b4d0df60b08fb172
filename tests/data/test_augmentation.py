import random
from collections import Counter

import pytest

from roseq_allennlp.data.augmentation import augmented
from roseq_allennlp.data.dataset_readers import WnutReader
from roseq_allennlp.data.tag_schemes import Span, from_spans, invalid_positions, to_spans


@pytest.fixture(scope="module")
def sentences(repository):
    instances = WnutReader().read(str(repository / "fixtures/wnut17/wnut17train.conll"))
    return [(instance["metadata"]["words"], instance["tags"].labels) for instance in instances]


def mentions_of(sentences):
    """By type, as texts."""
    found = Counter()
    for words, tags in sentences:
        found.update((span.label, *words[span.start : span.end]) for span in to_spans(tags, "BIOUL"))
    return found


def context(words, tags):
    """A sentence with its entities closed up to their types."""
    starts = {span.start: span.label for span in to_spans(tags, "BIOUL")}
    return [
        starts.get(at, word) if at in starts else word
        for at, (word, tag) in enumerate(zip(words, tags, strict=True))
        if tag == "O" or at in starts
    ]


def test_other_mentions_of_the_type_stand_in_the_same_contexts(sentences):
    made = augmented(sentences, mentions=1.0, noise=0.0, seed="1")
    assert len(made) == len(sentences)
    for (words, tags), (old_words, old_tags) in zip(made, sentences, strict=True):
        assert len(words) == len(tags) and not invalid_positions(tags, "BIOUL")
        assert context(words, tags) == context(old_words, old_tags)
    assert mentions_of(made).keys() <= mentions_of(sentences).keys()
    assert any(len(words) != len(old) for (words, _), (old, _) in zip(made, sentences, strict=True))


def test_shares():
    """Each of 4 000 mentions is its own: those that are another's are the replaced ones, but for one in 4 000."""
    generator = random.Random(5)
    sentences = []
    for number in range(2000):
        spans = [("PER", 1, 2), ("LOC", 3, 3 + generator.choice((1, 2)))]
        words = [f"w{number}.{at}" for at in range(6)]
        tags = from_spans([Span(*span) for span in spans], 6, "BIOUL")
        sentences.append((words, tags))

    def kept(made):
        return (
            sum((mentions_of([one]) & mentions_of([other])).total() for one, other in zip(made, sentences, strict=True))
            / 4000
        )

    assert kept(augmented(sentences, 0.0, 0.0, "1")) == 1.0
    assert kept(augmented(sentences, 0.3, 0.0, "1")) == pytest.approx(0.7, abs=0.03)  # 4 standard deviations
    mistyped = augmented(sentences, 0.0, 0.2, "1")
    assert [tags for _, tags in mistyped] == [tags for _, tags in sentences]
    changed = sum(
        word != old
        for (words, _), (olds, _) in zip(mistyped, sentences, strict=True)
        for word, old in zip(words, olds, strict=True)
    )
    assert changed / 12000 == pytest.approx(0.2, abs=0.015)


def test_the_seed_is_all_that_a_variant_follows_from(sentences):
    random.seed(1)
    one = augmented(sentences, 0.5, 0.1, "1 0")
    assert random.random() == random.Random(1).random()  # nothing was drawn from what the training draws from
    assert one == augmented(sentences, 0.5, 0.1, "1 0")
    assert one != augmented(sentences, 0.5, 0.1, "1 1")


def test_unknown_tags_stay_beside_other_mentions():
    """Entities that go on into an unknown tag are neither replaced nor drawn."""
    words = ["in", "New", "York", "with", "Ann", "or", "Bo", "Li", "x"]
    tags = ["?", "B-LOC", "L-LOC", "O", "?", "?", "B-PER", "?", "O"]
    other = (["Rome", "Ada"], ["U-LOC", "U-PER"])
    made = {tuple(map(tuple, augmented([(words, tags), other], 1.0, 0.0, str(seed))[0])) for seed in range(20)}
    rest = ("with", "Ann", "or", "Bo", "Li", "x"), ("O", "?", "?", "B-PER", "?", "O")
    assert made == {
        (("in", "New", "York", *rest[0]), ("?", "B-LOC", "L-LOC", *rest[1])),
        (("in", "Rome", *rest[0]), ("?", "U-LOC", *rest[1])),
    }
