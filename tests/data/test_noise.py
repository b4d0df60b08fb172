import random

import pytest
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.data.noise import KINDS, NEIGHBOURS, add_noise

WORDS = [
    "This",
    "week",
    "went",
    "McDonald",
    "@Jo_99",
    "12",
    "!",
    "a",
    "😍",
    "é\u0301a",
    "ﬁn",
    "ﷺ",
    "https://t.co/x",
    "İx",
]
TEXT = [random.Random(number).choices(WORDS, k=20) for number in range(200)]


def changed(one, other):
    return {
        (i, j)
        for i, pair in enumerate(zip(one, other, strict=True))
        for j, words in enumerate(zip(*pair, strict=True))
        if words[0] != words[1]
    }


@pytest.mark.parametrize("kinds", [tuple(KINDS), *((kind,) for kind in KINDS)])
@pytest.mark.parametrize("level", [0, 0.3, 1])
def test_words_stay_words(level, kinds):
    noisy = add_noise(TEXT, level, kinds=kinds)
    assert [len(sentence) for sentence in noisy] == [len(sentence) for sentence in TEXT]
    assert all(len(word.split()) == 1 for sentence in noisy for word in sentence)
    assert (noisy == TEXT) == (level == 0)


def test_levels_are_nested_and_the_share_of_changed_words():
    texts = {level: add_noise(TEXT, level) for level in (0.1, 0.4, 1.0)}
    places = {level: changed(TEXT, text) for level, text in texts.items()}
    assert places[0.1] < places[0.4] < places[1.0]
    assert all(texts[0.1][i][j] == texts[1.0][i][j] for i, j in places[0.1])
    assert len(places[0.1]) / 4000 == pytest.approx(0.1, abs=0.02)
    assert len(places[0.4]) / 4000 == pytest.approx(0.4, abs=0.03)
    assert len(places[1.0]) == 4000  # a word can always be changed in some way


def test_seeds():
    assert add_noise(TEXT, 0.5, seed=1) == add_noise(TEXT, 0.5, seed=1)
    assert add_noise(TEXT, 0.5, seed=1) != add_noise(TEXT, 0.5, seed=2)
    # A sentence's noise is its own: what stands after it does not matter.
    assert add_noise(TEXT[:3], 0.5) == add_noise(TEXT, 0.5)[:3]


def results(kind, word):
    return {KINDS[kind](word, draw / 100) for draw in range(100)}


def test_kinds():
    assert results("swap", "This") == {"hTis", "Tihs", "Thsi"}
    assert results("swap", "aa") == {"aa"}
    assert results("drop", "abc") == {"bc", "ac", "ab"} and results("drop", "a") == {"a"}
    assert results("double", "ab") == {"aab", "abb"}
    assert results("case", "McDonald") == {"mcdonald"}
    assert results("elongate", "This") == {"Thisss", "Thissss", "Thisssss"}
    assert results("elongate", "12") == {"12"}
    assert results("key", "S1") == {f"{key}1" for key in "WEADZX"}
    assert results("key", "12") == {"12"}


def test_the_keyboard():
    assert set(NEIGHBOURS) == set("abcdefghijklmnopqrstuvwxyz")
    assert all(key in NEIGHBOURS[other] for key, others in NEIGHBOURS.items() for other in others)
    assert set(NEIGHBOURS["q"]) == set("wa") and set(NEIGHBOURS["g"]) == set("tyfhvb")


@pytest.mark.parametrize(
    "arguments, message", [((1.5,), "from 0 to 1; got 1.5"), ((0.1, 1, ["typo"]), "typo"), ((0.1, 1, []), "none given")]
)
def test_errors(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        add_noise(TEXT, *arguments)


@pytest.mark.parametrize("space", ["\u00a0", "\u2003", "\u3000"])
def test_a_word_with_a_space_of_another_kind_inside_is_not_broken_in_another_place(space):
    word = f"ab{space}cd"
    noisy = {sentence[0] for seed in range(50) for sentence in add_noise([[word]], 1.0, seed)}
    assert noisy == {word, "abcd"}  # as it is, or with the space dropped: then it is one word
    assert add_noise([[word]], 1.0, kinds=["swap", "double", "key", "case", "elongate"]) == [[word]]


def test_any_letter_may_become_any_of_its_neighbours():
    """The key is drawn apart from the letter, though from the same number."""
    keys = set(NEIGHBOURS["s"])
    assert results("key", "ss") == {key + "s" for key in keys} | {"s" + key for key in keys}
