import random
import threading
from copy import deepcopy
from itertools import islice

import pytest
import torch
from allennlp.common import Params
from allennlp.data import Batch, DatasetReader, Vocabulary
from allennlp.data.token_indexers import SingleIdTokenIndexer, TokenCharactersIndexer

from roseq_allennlp.data.dataset_readers import ColumnReader, WnutReader
from roseq_allennlp.data.token_indexers import FoldedWordsIndexer
from roseq_allennlp.data.word_table import WordTable, word_table

CHARACTERS = {"type": "characters", "min_padding_length": 4}
INDEXERS = {
    "single ids": {"tokens": {"type": "single_id", "lowercase_tokens": True}},
    "characters": {"characters": CHARACTERS},
    "those of the configs": {
        "tokens": {"type": "folded_words"},
        "token_characters": {"type": "orthographic_characters", "include_characters": True, "min_padding_length": 4},
        "orthographic": {"type": "orthographic"},
    },
    "the shape's characters alone": {"shapes": {"type": "orthographic_characters", "min_padding_length": 1}},
    "least lengths": {
        "tokens": {"type": "folded_words", "token_min_padding_length": 150},
        "characters": {**CHARACTERS, "token_min_padding_length": 7, "min_padding_length": 300},
    },
    "bytes, with marks": {
        "characters": {
            **CHARACTERS,
            "character_tokenizer": {"byte_encoding": "utf-8", "start_tokens": [300], "end_tokens": [301]},
        }
    },
}
TRAIN = {"fixtures": "fixtures/wnut17/wnut17train.conll", "wnut17": "corpus://wnut17/train"}
TEST = {"fixtures": "fixtures/wnut17/emerging.test.annotated", "wnut17": "corpus://wnut17/test"}


def build(indexers, data="fixtures"):
    """A reader, and a vocabulary of a part of its training data."""
    reader = DatasetReader.from_params(Params({"type": "wnut", "token_indexers": deepcopy(indexers)}))
    return reader, Vocabulary.from_instances(islice(reader.read(TRAIN[data]), 500))


def by_allennlp(reader, vocab, sentences):
    instances = [reader.text_to_instance(words) for words in sentences]
    for instance in instances:
        reader.apply_token_indexers(instance)
    batch = Batch(instances)
    batch.index_instances(vocab)
    return batch.as_tensor_dict()["tokens"]


def assert_same(ours, theirs):
    assert list(ours) == list(theirs)
    for name in theirs:
        assert list(ours[name]) == list(theirs[name])
        for key, tensor in theirs[name].items():
            assert ours[name][key].dtype == tensor.dtype and torch.equal(ours[name][key], tensor)


def check(reader, vocab, path, sizes):
    table = word_table(reader, vocab)
    sentences = [instance["metadata"]["words"] for instance in reader.read(path)]
    random.Random(1).shuffle(sentences)
    sentences[:0] = [["a"], ["é😍", "x" * 300, "\u200b"]]
    for size in sizes:  # words are new to the table the first time, and known the second
        for start in range(0, len(sentences), size):
            batch = sentences[start : start + size]
            assert_same(table.tensors(batch), by_allennlp(reader, vocab, batch))
    assert len(table) == len({word for words in sentences for word in words}) > 100


@pytest.mark.parametrize("name", INDEXERS)
def test_the_tensors_are_those_of_allennlp(name):
    reader, vocab = build(INDEXERS[name])
    check(reader, vocab, TEST["fixtures"], (1, 2, 60))


@pytest.mark.corpora
@pytest.mark.parametrize("name", ["characters", "those of the configs"])
def test_the_tensors_are_those_of_allennlp_on_real_tweets(real_data, name):
    reader, vocab = build(INDEXERS[name], "wnut17")
    check(reader, vocab, TEST["wnut17"], (64, 50))


def test_endless_words_do_not_fill_the_memory():
    reader, vocab = build(INDEXERS["those of the configs"])
    table = WordTable(reader._token_indexers, vocab, max_words=100, max_ids=2000)
    sizes = []
    for number in range(200):
        batch = [[f"w{number}", "Oslo"], ["1,952", f"{number}x", "x"]]
        assert_same(table.tensors(batch), by_allennlp(reader, vocab, batch))
        sizes.append(len(table))
    assert max(sizes) == 101 and sizes.count(5) == 5  # afresh, and again
    table = WordTable(reader._token_indexers, vocab, max_words=100, max_ids=2000)
    sizes = []
    for number in range(6):
        table.tensors([[f"{number}" * 500]])
        sizes.append(len(table))
    assert sizes == [1, 2, 1, 2, 1, 2]


def test_threads_share_a_table():
    reader, vocab = build(INDEXERS["those of the configs"])
    table = WordTable(reader._token_indexers, vocab, max_words=50)
    wrong = []

    def work(seed):
        rng = random.Random(seed)
        for _ in range(150):
            batch = [[f"w{rng.randrange(90)}" * rng.randrange(1, 4) for _ in range(rng.randrange(1, 9))]]
            ours, theirs = table.tensors(batch), by_allennlp(reader, vocab, batch)
            wrong.extend(
                key
                for key, value in theirs["token_characters"].items()
                if not torch.equal(value, ours["token_characters"][key])
            )

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


class Lowercases(ColumnReader):
    def text_to_instance(self, tokens, tags=None):
        return super().text_to_instance([token.lower() for token in tokens], tags)


class Subclass(FoldedWordsIndexer):
    pass


@pytest.mark.parametrize(
    "reader",
    [
        Lowercases(),
        WnutReader(token_indexers={"tokens": SingleIdTokenIndexer(start_tokens=["<s>"])}),
        WnutReader(token_indexers={"tokens": SingleIdTokenIndexer(end_tokens=["</s>"])}),
        WnutReader(token_indexers={"tokens": SingleIdTokenIndexer(feature_name="lemma_", default_value="")}),
        WnutReader(
            token_indexers={
                "tokens": FoldedWordsIndexer(),
                "more": TokenCharactersIndexer(start_tokens=["<s>"], min_padding_length=1),
            }
        ),
        WnutReader(token_indexers={"tokens": FoldedWordsIndexer(), "more": Subclass()}),
    ],
)
def test_what_is_not_known_to_be_the_same_has_no_table(reader):
    assert word_table(reader, Vocabulary()) is None


def test_readers_of_columns_have_one():
    assert word_table(WnutReader(), Vocabulary()) is not None


@pytest.mark.parametrize("name", INDEXERS)
def test_what_the_model_does_not_read_of_a_long_word_is_left_out(name):
    reader, vocab = build(INDEXERS[name])
    table = word_table(reader, vocab, dict.fromkeys([*INDEXERS[name], "of no indexer"], 5))
    sentences = [["a", "Istanbul\u0130" * 3, "x" * 300, "OSLO\u03a3\u0301\u0301"], ["Lisbon"]]
    ours, theirs = table.tensors(sentences), by_allennlp(reader, vocab, sentences)
    for key, tensors in theirs.items():
        for part, tensor in tensors.items():
            assert torch.equal(
                ours[key][part][:, :, :5] if tensor.dim() == 3 else ours[key][part],
                tensor[:, :, :5] if tensor.dim() == 3 else tensor,
            )
            if tensor.dim() == 3:
                width = max(5, getattr(reader._token_indexers[key], "_min_padding_length", 0))
                assert ours[key][part].size(2) == width and not ours[key][part][:, :, 5:].any()


def test_long_words_do_not_fill_the_memory():
    reader, vocab = build(INDEXERS["characters"])
    table = WordTable(reader._token_indexers, vocab, max_ids=1000, max_characters={"characters": 5})
    for number in range(10):
        table.tensors([[f"{number}" * 600]])
        assert len(table) <= 2


@pytest.mark.parametrize("name", ["tiny_encoder", "tiny_byte_level"])
def test_pieces_of_an_encoder(request, name) -> None:
    encoder = {"type": "transformer", "model_name": str(request.getfixturevalue(name)), "max_word_pieces": 5}
    reader, vocab = build({"tokens": encoder, "characters": CHARACTERS})
    table = word_table(reader, vocab)
    sentences = [["Unbelievably", "long" * 20, "\u200b"], ["a"], ["so", "what", "?", "!"]]
    assert_same(table.tensors(sentences), by_allennlp(reader, vocab, sentences))
    pieces = table.pieces(sentences)
    assert_same(table.tensors(sentences[:2], pieces[:2]), by_allennlp(reader, vocab, sentences[:2]))
    assert word_table(*build({"one": encoder, "other": {**encoder, "max_word_pieces": 6}})) is None
    plain, vocab = build({"characters": CHARACTERS})
    assert word_table(plain, vocab).pieces(sentences) is None
