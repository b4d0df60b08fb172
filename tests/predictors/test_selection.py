import random

import pytest

from roseq_allennlp.predictors.selection import Selection, boost, pairs_of, rarity


def chosen(sentences, size):
    """What is kept of pairs of a score and words."""
    selection = Selection(size)
    for score, words in sentences:
        selection.offer(score, words.split(), (score, words))
    return selection.best()


def sentences_of(number, seed=1):
    """Sentences that have no pair of words in common, with scores; some scores are equal."""
    draw = random.Random(seed)
    return [
        (float(draw.randrange(number // 2)), f"a{index}x b{index}y c{index}z".translate(LETTERS))
        for index in range(number)
    ]


LETTERS = str.maketrans("0123456789", "qwertyuiop")  # digits are alike


@pytest.mark.parametrize("number, size", [(1, 1), (5, 10), (500, 1), (500, 20)])
def test_the_best_are_chosen_best_first(number, size):
    sentences = sentences_of(max(number, 2))[:number]
    expected = sorted(sentences, key=lambda pair: -pair[0])[:size]  # a stable sort: the first of equals
    assert chosen(sentences, size) == expected


def test_near_duplicates_give_way_to_the_best_of_them():
    sentences = [
        (1.0, "the road to Oslo is closed today ."),
        (3.0, "The road to OSLO is closed today !"),
        (2.0, "the road to Oslo is closed today"),
        (0.5, "the road to Porto was open"),
        (3.0, "the road to Oslo is closed today"),
        (0.7, "flight 12 is late"),
        (0.6, "flight 99 is late"),
        (0.1, "Oslo"),
        (0.2, "Porto"),
    ]
    words = [words for _, words in chosen(sentences, 9)]
    assert words == [
        "The road to OSLO is closed today !",
        "flight 12 is late",
        "the road to Porto was open",
        "Porto",
        "Oslo",
    ]


def test_many_copies_take_one_place():
    others = sentences_of(30)
    copies = [(100.0 + index, f"breaking news from Oslo {'again' * (index % 2)}") for index in range(200)]
    mixed = [*others, *copies]
    random.Random(3).shuffle(mixed)
    kept = chosen(mixed, 10)
    assert len(kept) == 10 and kept[0] == max(copies)
    assert kept[1:] == sorted((pair for pair in mixed if pair in others), key=lambda pair: -pair[0])[:9]


def test_no_two_chosen_are_nearly_the_same():
    draw = random.Random(5)
    pool = [(draw.random(), " ".join(draw.choices("abcd", k=draw.randrange(1, 7)))) for _ in range(3000)]
    kept = chosen(pool, 40)
    assert kept == sorted(kept, key=lambda pair: -pair[0])
    pairs = [pairs_of(words.split()) for _, words in kept]
    for index, first in enumerate(pairs):
        for second in pairs[:index]:
            assert len(first & second) < 0.5 * len(first | second)


def test_memory_is_for_what_is_kept():
    selection = Selection(5)
    for index in range(2000):
        copy = ["breaking", "news", "from", "Oslo", "again"]
        words = copy if index % 2 else [f"{'x' * (index % 91)}", f"{'y' * (index % 89)}"]
        selection.offer(index / 2 if index % 2 else float(index), words, index)
    assert len(selection._kept) <= 10 and len(selection._orders_of) <= 36 and len(selection._heap) <= 21
    for index in range(1000):
        selection.offer(2000.0 + index, copy, index)  # better and better, as a sentence that stays
    assert len(selection._heap) <= 21 and selection.best()[0] == 999


def test_rare_types_weigh_more():
    weights = rarity({"person": 100, "product": 25, "group": 0})
    assert weights == {"person": 1.0, "product": 4.0, "group": 4.0}
    assert boost({"person": 0.3, "product": 0.0, "group": 0.0}, weights) == pytest.approx(1)
    assert boost({"person": 0.1, "product": 0.1, "group": 0.2}, weights) == pytest.approx(3.25)
    assert boost({"person": 0.0, "product": 0.0, "group": 0.0}, weights) == 1
    assert rarity({"person": 0, "group": 0}) == {"person": 1.0, "group": 1.0}
