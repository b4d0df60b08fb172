"""Pieces, against the tokenisers of transformers given the same words."""

import logging

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch, Instance, Token, Vocabulary
from allennlp.data.fields import TextField
from transformers import AutoTokenizer

from roseq_allennlp.data.token_indexers import TransformerIndexer

SENTENCES = [
    ["De", "heer", "Jan-Jaap", "uit", "'s-Gravenhage", "zei", ":", '"Ja"', "…"],
    ["EU", "rejects", "German", "call", "\u00e9\u0301cole", "日本", "🙂🙂", "e-mail@example.org"],
    ["x"],
]
ENCODERS = ["tiny_encoder", "tiny_byte_level"]


@pytest.fixture(params=ENCODERS)
def encoder(request):
    return str(request.getfixturevalue(request.param))


def expected_of(encoder: str, words: list[str]) -> tuple[list[int], list[int]]:
    """Ids and number of pieces of each word by transformers."""
    tokenizer = AutoTokenizer.from_pretrained(encoder, add_prefix_space=True)
    encoding = tokenizer(words, is_split_into_words=True, add_special_tokens=False)
    return encoding["input_ids"], [encoding.word_ids().count(index) for index in range(len(words))]


def test_pieces_are_those_of_transformers(encoder) -> None:
    indexer = TransformerIndexer(encoder)
    for words, pieces in zip(SENTENCES, indexer.split(SENTENCES), strict=True):
        ids, counts = expected_of(encoder, words)
        assert 0 not in counts and max(counts) > 1 or len(words) == 1
        assert (pieces.ids.tolist(), pieces.counts.tolist()) == (ids, counts)


def test_a_word_without_a_piece_gets_the_unknown_one(tiny_encoder) -> None:
    words = ["\u200b", "a", "\u200b\u200d", "b", "\ufeff"]
    ids, counts = expected_of(str(tiny_encoder), words)
    assert counts == [0, 1, 0, 1, 0]
    unknown = AutoTokenizer.from_pretrained(tiny_encoder).unk_token_id
    (pieces,) = TransformerIndexer(str(tiny_encoder)).split([words])
    assert pieces.ids.tolist() == [unknown, ids[0], unknown, ids[1], unknown]
    assert pieces.counts.tolist() == [1] * 5


def test_a_long_word_is_read_in_part(encoder, caplog) -> None:
    words = ["ab" * 40, "c", "d" * 5000, "\ud800"]
    indexer = TransformerIndexer(encoder, max_word_pieces=8)
    with caplog.at_level(logging.WARNING):
        (pieces,) = indexer.split([words])
        indexer.split([words])
    ids, counts = expected_of(encoder, [words[0], words[1], words[2][:1024], "?"])
    assert pieces.counts.tolist() == [min(count, 8) for count in counts]
    assert pieces.ids.tolist()[:8] == ids[:8] and counts[0] > 8
    assert [record.message for record in caplog.records if record.name.startswith("roseq")] == [
        "transformer: a word has over 8 pieces or 1024 characters; such words are read in part"
    ]


@pytest.mark.parametrize("least", [0, 30])
def test_the_tensors_are_those_of_allennlp(encoder, least: int) -> None:
    indexer = TransformerIndexer(encoder, token_min_padding_length=least)
    fields = [TextField([Token(word) for word in words], {"tokens": indexer}) for words in SENTENCES]
    batch = Batch([Instance({"tokens": field}) for field in fields])
    vocab = Vocabulary.from_instances(batch.instances)
    batch.index_instances(vocab)
    assert vocab.get_namespaces() == set()
    expected = batch.as_tensor_dict()["tokens"]["tokens"]
    actual = indexer.tensors(indexer.split(SENTENCES))
    assert actual.keys() == expected.keys()
    for key, tensor in expected.items():
        assert tensor.dtype == actual[key].dtype and torch.equal(tensor, actual[key])
    assert torch.equal(actual["mask"].sum(1), torch.tensor(list(map(len, SENTENCES))))


def test_what_is_no_encoder_is_one_sentence(tmp_path) -> None:
    for name in (str(tmp_path), str(tmp_path / "missing"), "no/such/name/at/all"):
        with pytest.raises(ConfigurationError, match="the encoder .* cannot be read") as caught:
            TransformerIndexer(name)
        assert "\n" not in caught.value.message and "trust_remote_code=True" not in caught.value.message
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        TransformerIndexer(str(tmp_path))
    with pytest.raises(ConfigurationError, match="no encoder. Give its `model_name`"):
        TransformerIndexer(serialization_dir=str(tmp_path))
    with pytest.raises(ConfigurationError, match="max_word_pieces must be at least 1; got 0"):
        TransformerIndexer(str(tmp_path), max_word_pieces=0)


def test_a_model_s_own_code_is_not_run(tiny_encoder, tmp_path) -> None:
    import json
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(tiny_encoder, folder)
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}
    (folder / "evil.py").write_text(
        f"open({str(tmp_path / 'ran')!r}, 'w')\nfrom transformers import BertConfig as Config"
    )
    (folder / "config.json").write_text(json.dumps(config))
    TransformerIndexer(str(folder))  # a model of transformers' own, so its code is not needed
    config["model_type"] = "evil"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigurationError, match="code that comes with a model is never run"):
        TransformerIndexer(str(folder))
    assert not (tmp_path / "ran").exists()


def test_a_run_has_one_encoder(tiny_encoder, tiny_byte_level, tmp_path) -> None:
    run = str(tmp_path / "run")
    (expected,) = TransformerIndexer(str(tiny_encoder), serialization_dir=run).split(SENTENCES[:1])
    (again,) = TransformerIndexer(serialization_dir=run).split(SENTENCES[:1])
    (elsewhere,) = TransformerIndexer(str(tmp_path / "run" / "encoder")).split(SENTENCES[:1])
    for pieces in (again, elsewhere):
        assert pieces.ids.tolist() == expected.ids.tolist()
    with pytest.raises(ConfigurationError, match="A run has one encoder"):
        TransformerIndexer(str(tiny_byte_level), serialization_dir=run)
    (tmp_path / "run" / "encoder" / "layout.json").write_text('{"prefix": 3}')
    with pytest.raises(ConfigurationError, match="lacks a file of an encoder, or one is damaged"):
        TransformerIndexer(serialization_dir=run)
