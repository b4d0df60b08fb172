from collections import Counter

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.experiments.text_vectors import learn_vectors

ANIMALS = "the {} drinks water and the {} eats grass near the old {}"
NAMES = ["cow", "goat", "sheep", "horse"]
pytest.importorskip("gensim")
SENTENCES = [ANIMALS.format(*[NAMES[(i + k) % 4] for k in range(3)]).split() for i in range(60)]
SENTENCES += [f"engine number {i % 7} burns oil and diesel at speed".split() for i in range(60)] + [["goatling"]]
COUNTS = Counter(word for sentence in SENTENCES for word in sentence)


def cosine(words: list[str], vectors: np.ndarray, one: str, other: str) -> float:
    a, b = vectors[words.index(one)], vectors[words.index(other)]
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_words_of_like_use_and_like_form_are_near() -> None:
    words, vectors = learn_vectors(SENTENCES, COUNTS, 20, 15, 1)
    assert set(words) == set(COUNTS) and [COUNTS[word] for word in words] == sorted(COUNTS.values(), reverse=True)
    assert vectors.shape == (len(COUNTS), 20)
    assert np.linalg.norm(vectors, axis=1).mean() == pytest.approx(6.0, rel=1e-4)
    assert cosine(words, vectors, "cow", "horse") > cosine(words, vectors, "cow", "diesel")
    # Seen once, so not trained on: by its character n-grams.
    assert cosine(words, vectors, "goatling", "goat") > cosine(words, vectors, "goatling", "diesel")


def test_the_seed_decides() -> None:
    first, same, other = (learn_vectors(SENTENCES, COUNTS, 10, 2, seed)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 0.1


def test_a_text_without_a_repeated_word_is_too_short() -> None:
    with pytest.raises(ConfigurationError, match="no word stands in the text twice"):
        learn_vectors([["one", "two"]], Counter(["one", "two"]), 5, 1, 1)


def test_without_gensim_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gensim.models", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'roseq-allennlp\[vectors\]'"):
        learn_vectors(SENTENCES, COUNTS, 5, 1, 1)
