from collections import Counter
from pathlib import Path

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from roseq_allennlp.modules.word_encoder import WordEncoder, vectors_of_words

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.fixture(scope="session")
def encoder_directory(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A cased BERT of letters, 8 wide."""
    directory = tmp_path_factory.mktemp("encoder")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    tokenizer = Tokenizer(models.WordPiece({piece: index for index, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(directory)
    torch.manual_seed(0)
    BertModel(
        BertConfig(
            vocab_size=len(pieces),
            hidden_size=8,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=70,
        )
    ).save_pretrained(directory)
    return str(directory)


def test_a_word_is_the_mean_of_its_pieces_read_alone(encoder_directory: str) -> None:
    """The model itself on one word at a time, without padding."""
    words = ["Oslo", "a", "fog" * 40, "\u200b", "Zürich"]
    result = WordEncoder(encoder_directory)(words)
    assert result.shape == (5, 8)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(encoder_directory)
    model = BertModel.from_pretrained(encoder_directory).eval()
    for word, vector in zip(words, result, strict=True):
        ids = tokenizer(word)["input_ids"]
        ids = ids if len(ids) <= 64 else [*ids[:63], ids[-1]]
        with torch.no_grad():
            states = model(torch.tensor([ids])).last_hidden_state[0, 1:-1]
        expected = states.mean(dim=0) if len(states) else torch.zeros(8)
        torch.testing.assert_close(vector, expected, atol=1e-5, rtol=0)


def test_vectors_are_of_the_most_frequent_spelling_and_scaled(encoder_directory: str) -> None:
    encoder = WordEncoder(encoder_directory)
    spellings = {word: Counter({word: 1}) for word in ("fog", "rain", "sun", "snow", "ice")}
    spellings["oslo"] = Counter({"oslo": 2, "Oslo": 5})
    words, vectors = vectors_of_words(encoder, spellings, 3)
    assert words[0] == "oslo" and set(words) == set(spellings)
    assert vectors.shape == (6, 3)
    assert float(vectors.norm(dim=1).mean()) == pytest.approx(6.0)
    counts = torch.tensor([7.0, 1, 1, 1, 1, 1]).sqrt().unsqueeze(1)
    assert torch.allclose((counts * vectors).sum(dim=0), torch.zeros(3, dtype=torch.float64), atol=1e-5)  # centred
    states = encoder(["Oslo", *words[1:]]).double()
    differences = (states - states[0]) @ torch.linalg.lstsq(states[1:] - states[0], vectors[1:] - vectors[0]).solution
    torch.testing.assert_close(differences, vectors - vectors[0])  # an affine image of the states


@pytest.mark.parametrize("dim", [0, 5, 9])
def test_more_dimensions_than_there_are_words_are_refused(dim: int, encoder_directory: str) -> None:
    spellings = {word: Counter({word: 1}) for word in ("fog", "rain", "sun", "snow", "ice")}
    with pytest.raises(ConfigurationError, match=f"can have 1 to 4 dimensions.*got {dim}"):
        vectors_of_words(WordEncoder(encoder_directory), spellings, dim)


def test_what_is_no_encoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no encoder can be loaded.*Give a directory"):
        WordEncoder(str(tmp_path))
