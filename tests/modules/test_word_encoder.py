from collections import Counter
from pathlib import Path

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from transformers import AutoModel, AutoTokenizer

from roseq_allennlp.modules.word_encoder import WordEncoder, vectors_of_words


def test_a_word_is_the_mean_of_its_pieces_read_alone(tiny_encoder: Path) -> None:
    """The model itself on one word at a time, without padding."""
    words = ["Oslo", "a", "Keller", "Zürich", "fog"]
    result = WordEncoder(str(tiny_encoder))(words)
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    model = AutoModel.from_pretrained(tiny_encoder).eval()
    assert result.shape == (5, 16)
    for word, vector in zip(words, result, strict=True):
        with torch.no_grad():
            states = model(**tokenizer(word, return_tensors="pt")).last_hidden_state[0, 1:-1]
        torch.testing.assert_close(vector, states.mean(dim=0), atol=1e-5, rtol=0)
    assert WordEncoder(str(tiny_encoder))([]).shape == (0, 16)


def test_vectors_are_of_the_most_frequent_spelling_and_scaled(tiny_encoder: Path) -> None:
    encoder = WordEncoder(str(tiny_encoder))
    spellings = {word: Counter({word: 1}) for word in ("fog", "rain", "sun", "snow", "ice")}
    spellings["oslo"] = Counter({"oslo": 2, "Oslo": 5})
    words, vectors = vectors_of_words(encoder, spellings, 3)
    assert words[0] == "oslo" and set(words) == set(spellings)
    assert vectors.shape == (6, 3)
    assert float(vectors.norm(dim=1).mean()) == pytest.approx(6.0)
    counts = torch.tensor([7.0, 1, 1, 1, 1, 1]).sqrt().unsqueeze(1)
    assert torch.allclose((counts * vectors).sum(dim=0), torch.zeros(3, dtype=torch.float64), atol=1e-5)  # centred
    alone = {**spellings, "oslo": Counter({"Oslo": 7})}
    torch.testing.assert_close(vectors, vectors_of_words(encoder, alone, 3)[1], atol=1e-6, rtol=0)
    other = {**spellings, "oslo": Counter({"oslo": 7})}
    assert (vectors - vectors_of_words(encoder, other, 3)[1]).abs().max() > 0.1
    states = encoder(["Oslo", *words[1:]]).double()
    differences = (states - states[0]) @ torch.linalg.lstsq(states[1:] - states[0], vectors[1:] - vectors[0]).solution
    torch.testing.assert_close(differences, vectors - vectors[0])  # an affine image of the states


@pytest.mark.parametrize("dim", [0, 5, 9])
def test_more_dimensions_than_there_are_words_are_refused(dim: int, tiny_encoder: Path) -> None:
    spellings = {word: Counter({word: 1}) for word in ("fog", "rain", "sun", "snow", "ice")}
    with pytest.raises(ConfigurationError, match=f"can have 1 to 4 dimensions.*got {dim}"):
        vectors_of_words(WordEncoder(str(tiny_encoder)), spellings, dim)
