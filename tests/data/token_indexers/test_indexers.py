import pytest
import torch
from allennlp.common import Params
from allennlp.data import Batch, Instance, Token, TokenIndexer, Vocabulary
from allennlp.data.fields import TextField
from allennlp.data.token_indexers import TokenCharactersIndexer

import roseq_allennlp.data  # noqa: F401


def build(name, **params):
    return TokenIndexer.from_params(Params({"type": name, **params}))


def batch(indexers, *sentences, **vocabulary):
    """The vocabulary of the sentences, and their padded tensors."""
    instances = [Instance({"tokens": TextField([Token(w) for w in s.split()], indexers)}) for s in sentences]
    vocab = Vocabulary.from_instances(instances, **vocabulary)
    data = Batch(instances)
    data.index_instances(vocab)
    return vocab, data.as_tensor_dict()["tokens"]


def test_orthographic():
    vocab, tensors = batch({"shape": build("orthographic")}, "Jan at 2 koeken", "Piet wacht")
    names = vocab.get_index_to_token_vocabulary("orthographic")
    shapes = [[names[i] for i in row] for row in tensors["shape"]["tokens"].tolist()]
    padding = vocab._padding_token
    assert shapes == [["Ccc", "cc", "n", "cccccc"], ["Cccc", "ccccc", padding, padding]]
    assert vocab.get_vocab_size("tokens") == 2  # nothing but padding and OOV


@pytest.mark.parametrize("min_padding_length, width", [(1, 6), (9, 9)])
def test_orthographic_characters_line_up_with_the_words_characters(min_padding_length, width):
    indexers = {
        "shape": build("orthographic_characters", min_padding_length=min_padding_length),
        "characters": TokenCharactersIndexer(min_padding_length=min_padding_length),
    }
    vocab, tensors = batch(indexers, "Jan at 2 koeken", "Ω don't 👍🏽")
    shapes = tensors["shape"]["token_characters"]
    assert shapes.shape == (2, 4, width)
    assert torch.equal(shapes > 0, tensors["characters"]["token_characters"] > 0)
    names = vocab.get_index_to_token_vocabulary("orthographic_characters")
    assert "".join(names[i] for i in shapes[1, 1].tolist() if i) == "cccpc"
    assert set(names.values()) == {vocab._padding_token, vocab._oov_token, "C", "c", "n", "p"}


def test_orthographic_characters_with_the_words_own():
    indexer = build("orthographic_characters", include_characters=True, min_padding_length=7)
    vocab, tensors = batch({"both": indexer, "words": TokenCharactersIndexer(min_padding_length=7)}, "Jan at 2 koeken")
    both = tensors["both"]
    assert torch.equal(both["token_characters"], tensors["words"]["token_characters"])
    names = vocab.get_index_to_token_vocabulary("orthographic_characters")
    shapes = ["".join(names[i] for i in row if i) for row in both["orthographic_characters"][0].tolist()]
    assert shapes == ["Ccc", "cc", "n", "cccccc"] and both["orthographic_characters"].shape == (1, 4, 7)
    assert indexer.get_empty_token_list() == {"token_characters": [], "orthographic_characters": []}


def test_folded_words_falls_back_from_the_word_to_its_folded_digits():
    indexer = build("folded_words")
    vocab = Vocabulary(tokens_to_add={"tokens": ["jan", "1952", "0000", "0,0"]})
    words = ["JAN", "1952", "1987", "3,4", "Piet", "55"]
    ids = indexer.tokens_to_indices([Token(word) for word in words], vocab)["tokens"]
    names = [vocab.get_token_from_index(i) for i in ids]
    assert names == ["jan", "1952", "0000", "0,0", vocab._oov_token, vocab._oov_token]


def test_folded_words_counts_both_forms():
    vocab, tensors = batch(
        {"words": build("folded_words")}, "Jan jan 1951 1952", "JAN 1953 0000", min_count={"tokens": 2}
    )
    assert set(vocab.get_token_to_index_vocabulary()) == {vocab._padding_token, vocab._oov_token, "jan", "0000"}
    jan, year = vocab.get_token_index("jan"), vocab.get_token_index("0000")
    assert tensors["words"]["tokens"].tolist() == [[jan, jan, year, year], [jan, year, year, 0]]
    assert vocab._retained_counter["tokens"]["0000"] == 4  # `0000` itself once, not twice


@pytest.mark.parametrize(
    "name, params",
    [("orthographic", {}), ("orthographic_characters", {"min_padding_length": 2}), ("folded_words", {})],
)
def test_namespace_minimum_padding_and_no_tokens(name, params):
    indexer = build(name, namespace="mine", token_min_padding_length=3, **params)
    vocab, tensors = batch({"words": indexer}, "Jan 12")
    assert vocab.get_vocab_size("mine") > 2
    (tensor,) = tensors["words"].values()
    assert tensor.shape[:2] == (1, 3)
    assert indexer.get_empty_token_list() == {key: [] for key in tensors["words"]}
    empty = TextField([], {"words": indexer})
    empty.index(vocab)
    assert [len(t) for t in empty.as_tensor(empty.get_padding_lengths())["words"].values()] == [3]
