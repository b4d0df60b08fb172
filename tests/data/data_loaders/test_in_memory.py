"""The batches of AllenNLP's own loader, from tensors made once."""

import copy
import json
import random

import _jsonnet
import pytest
import torch
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DataLoader, DatasetReader, Instance, Token, Vocabulary
from allennlp.data.dataset_readers.dataset_reader import DistributedInfo
from allennlp.data.fields import (
    AdjacencyField,
    ArrayField,
    FlagField,
    IndexField,
    LabelField,
    ListField,
    MetadataField,
    MultiLabelField,
    NamespaceSwappingField,
    SequenceLabelField,
    SpanField,
    TextField,
    TransformerTextField,
)
from allennlp.data.token_indexers import SingleIdTokenIndexer, TokenCharactersIndexer, TokenIndexer

from roseq_allennlp.data.data_loaders import InMemoryDataLoader
from roseq_allennlp.data.data_loaders.in_memory_data_loader import split_into

WNUT = "fixtures/wnut17/wnut17train.conll"
SAMPLER = {"type": "bucket", "batch_size": 6, "sorting_keys": ["tokens"]}
SETTINGS = {
    "in order": {"batch_size": 7},
    "shuffled": {"batch_size": 7, "shuffle": True},
    "one by one": {"batch_size": 1, "shuffle": True},
    "full batches": {"batch_size": 7, "shuffle": True, "drop_last": True},
    "some of an epoch": {"batch_size": 7, "shuffle": True, "batches_per_epoch": 3},
    "bucketed": {"batch_sampler": SAMPLER},
    "bucketed, some, full": {"batch_sampler": {**SAMPLER, "drop_last": True}, "batches_per_epoch": 3},
}


def evaluate(name):
    return json.loads(_jsonnet.evaluate_file(f"training_configs/{name}.jsonnet"))


def loaders(reader, path, settings):
    """AllenNLP's and ours."""
    made = [
        DataLoader.from_params(
            Params(copy.deepcopy({"type": kind, "quiet": True, **settings})), reader=reader, data_path=path
        )
        for kind in ("multiprocess", "in_memory")
    ]
    vocabulary = Vocabulary.from_instances(made[0].iter_instances())
    for loader in made:
        loader.index_with(vocabulary)
    return made


def assert_same(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, torch.Tensor):
        assert (found.dtype, found.shape, found.device) == (expected.dtype, expected.shape, expected.device)
        assert found.is_meta or torch.equal(found, expected)
    else:
        assert found == expected


def assert_same_epochs(plain, ours, epochs=3):
    assert len(plain) == len(ours)
    different = set()
    for seed in range(epochs):
        random.seed(seed)
        expected = list(plain)
        after = random.random()
        random.seed(seed)
        found = list(ours)
        assert random.random() == after  # nothing more was drawn
        assert len(expected) > 1
        assert_same(found, expected)
        different.add(str(expected[0]))
    return len(different)


class PaddedWithSevens(SingleIdTokenIndexer):
    """As the indexers of transformers have their own padding."""

    def as_padded_tensor_dict(self, tokens, padding_lengths):
        ids, length = tokens["tokens"], padding_lengths["tokens"]
        mask = torch.arange(length) < len(ids)
        return {"token_ids": torch.LongTensor(ids + [7] * (length - len(ids))), "mask": mask}


class HalfLength(SingleIdTokenIndexer):
    """A batch shows more of a short sentence than the sentence alone."""

    def get_padding_lengths(self, indexed_tokens):
        return {"tokens": 1 + len(indexed_tokens["tokens"]) // 2}


class WithMask(SingleIdTokenIndexer):
    def tokens_to_indices(self, tokens, vocabulary):
        return {**super().tokens_to_indices(tokens, vocabulary), "mask": [True] * len(tokens)}

    def get_empty_token_list(self):
        return {"tokens": [], "mask": []}


class OddReader(DatasetReader):
    """Fields of all kinds; of `path` sentences, some without tokens if `empty`."""

    def __init__(self, empty=False):
        super().__init__()
        self.empty = empty
        self.indexers: dict[str, TokenIndexer] = {
            "ids": SingleIdTokenIndexer(token_min_padding_length=3),
            "masked": WithMask(),
            "characters": TokenCharactersIndexer(min_padding_length=2),
        }

    def _read(self, path):
        rng = random.Random(5)
        for number in range(path):
            length = 0 if self.empty and number % 3 == 1 else rng.randint(1, 9)
            words = ["x" * rng.randint(1, 6) + str(rng.randint(0, 9)) for _ in range(length)]
            yield self.text_to_instance(words, number, rng)

    def text_to_instance(self, words, number, rng):
        tokens = [Token(word) for word in words]
        text = TextField(tokens, self.indexers)
        some = [Token(f"w{rng.randint(0, 9)}") for _ in range(rng.randint(1, 4))]
        return Instance(
            {
                "tokens": text,
                "sevens": TextField(tokens, {"odd": PaddedWithSevens()}),
                "halves": TextField(tokens, {"odd": HalfLength()}),
                "tags": SequenceLabelField([word[-1] for word in words], text),
                "numbers": SequenceLabelField([int(word[-1]) - 5 for word in words], text),
                "label": LabelField(f"l{number % 3}", "kind_labels"),
                "large": LabelField(10**10 + number, skip_indexing=True),
                "several": MultiLabelField([number % 4, 4], skip_indexing=True, num_labels=5),
                "array": ArrayField(torch.full((rng.randint(1, 4), 2), rng.random()), padding_value=-1),
                "texts": ListField([TextField(some, self.indexers)] * rng.randint(1, 3)),
                "labels": ListField([LabelField(f"l{len(word)}") for word in words + ["x"]]),
                "flag": FlagField("all alike"),
                "swapped": NamespaceSwappingField(some, "tokens"),
                "index": IndexField(0, text),
                "span": SpanField(0, 0, TextField(some)),
                "edges": AdjacencyField([(i, i) for i in range(len(words))], text),
                "transformer": TransformerTextField(torch.arange(1, 2 + len(words)), padding_token_id=9),
                "metadata": MetadataField({"words": words, "pair": (number, None)}),
                "tensors": MetadataField([{"one": torch.tensor(number)}]),
            }
        )


@pytest.fixture
def reader():
    return DatasetReader.from_params(Params(evaluate("roseq_wnut17")["dataset_reader"]))


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_the_batches_of_the_other_loader(reader, settings):
    assert assert_same_epochs(*loaders(reader, WNUT, settings)) == (1 if settings == {"batch_size": 7} else 3)


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_fields_of_all_kinds(settings, empty):
    assert_same_epochs(*loaders(OddReader(empty), 40, settings))


@pytest.mark.parametrize("config", ["roseq_wnut17", "roseq_conll02_nl"])
@pytest.mark.parametrize("settings", [{"batch_size": 16, "shuffle": True}, {"batch_sampler": SAMPLER}])
def test_real_corpora(real_data, config, settings):
    config = evaluate(config)
    reader = DatasetReader.from_params(Params(config["dataset_reader"]))
    plain, ours = loaders(reader, config["validation_data_path"], settings)
    assert len(list(plain.iter_instances())) > 1000
    assert_same_epochs(plain, ours, epochs=2)


def test_the_target_device():
    plain, ours = loaders(OddReader(), 40, {"batch_size": 7})
    for device in ("cpu", "meta"):
        for loader in (plain, ours):
            loader.set_target_device(torch.device(device))
        assert_same(list(ours), list(plain))
        batch = next(iter(ours))
        assert {batch["tags"].device.type, batch["tensors"][0][0]["one"].device.type} == {device}


def test_each_tensor_is_made_once(reader, monkeypatch):
    made = []
    for kind in (TextField, SequenceLabelField, MetadataField):
        plain = kind.as_tensor
        monkeypatch.setattr(
            kind, "as_tensor", lambda field, lengths, plain=plain: made.append(field) or plain(field, lengths)
        )
    ours = loaders(reader, WNUT, {"batch_size": 7, "shuffle": True})[1]
    assert not made
    instances = len(list(ours.iter_instances()))
    for _ in range(3):
        list(ours)
        assert len(made) == len({id(field) for field in made}) == 2 * instances


def test_a_batch_can_be_written_to(reader):
    plain, ours = loaders(reader, WNUT, {"batch_size": 7})
    for batch in ours:
        batch["tags"].fill_(-1)
        batch["tokens"]["tokens"]["tokens"].zero_()
    assert_same(list(ours), list(plain))


def test_another_vocabulary(reader):
    ours = loaders(reader, WNUT, {"batch_size": 7})[1]
    before = list(ours)
    fresh = DataLoader.by_name("multiprocess")(reader, WNUT, batch_size=7, quiet=True)
    other = Vocabulary.from_instances(fresh.iter_instances(), min_count={"tokens": 3})
    for loader in (fresh, ours):
        loader.index_with(other)
    assert_same(list(ours), list(fresh))
    assert any(
        not torch.equal(one["tokens"]["tokens"]["tokens"], two["tokens"]["tokens"]["tokens"])
        for one, two in zip(before, ours, strict=True)
    )


@pytest.mark.parametrize("rank", [0, 1])
def test_the_shard_of_a_process(rank):
    reader = OddReader()
    reader._set_distributed_info(DistributedInfo(world_size=2, global_rank=rank))
    plain, ours = loaders(reader, 40, {"batch_size": 7, "shuffle": True})
    assert len(list(ours.iter_instances())) == 20
    assert_same_epochs(plain, ours)


class UnlikeReader(DatasetReader):
    def _read(self, path):
        for number in range(path):
            label = LabelField(number, skip_indexing=True)
            yield Instance({"label": label, "more": label} if number % 2 else {"label": label})


def test_unlike_instances():
    assert_same_epochs(*loaders(UnlikeReader(), 9, {"batch_size": 1, "shuffle": True}))
    for loader in loaders(UnlikeReader(), 9, {"batch_size": 2}):
        with pytest.raises(ConfigurationError, match="'more' present in some Instances but not others"):
            list(loader)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({}, "needs `batch_size` or a `batch_sampler`, got neither"),
        ({"batch_size": 0}, "`batch_size` must be at least 1, got 0"),
        ({"batch_size": 2, "batches_per_epoch": 0}, "`batches_per_epoch` must be at least 1, got 0"),
        ({"batch_sampler": SAMPLER, "batch_size": 16, "shuffle": True}, "got it with `batch_size` 16, `shuffle` True"),
        ({"batch_sampler": SAMPLER, "drop_last": True}, "got it with `drop_last` True"),
        ({"batch_size": 2, "num_workers": 2}, "num_workers"),
    ],
)
def test_settings_that_break_the_rules(reader, settings, message):
    with pytest.raises(ConfigurationError, match=message):
        InMemoryDataLoader.from_params(Params(copy.deepcopy(settings)), reader=reader, data_path=WNUT)


def test_without_a_vocabulary(reader):
    with pytest.raises(ValueError, match="has not been indexed"):
        next(iter(InMemoryDataLoader(reader, WNUT, batch_size=2, quiet=True)))


def trained(directory, kind, settings):
    """The metrics of each epoch: two, the second one after `--recover`."""
    config = evaluate("fixture")
    config["data_loader"] = {"type": kind, **settings}
    config["validation_data_loader"] = {"type": kind, "batch_size": 64}
    for epochs in (1, 2):
        config["trainer"]["num_epochs"] = epochs
        if epochs == 2:
            (directory / "config.json").write_text(json.dumps(config))
        train_model(Params(copy.deepcopy(config)), directory, recover=epochs == 2, return_model=False)
    metrics = [json.loads((directory / f"metrics_epoch_{epoch}.json").read_text()) for epoch in (0, 1)]
    return [{key: value for key, value in one.items() if "loss" in key or "f1" in key} for one in metrics]


@pytest.mark.parametrize("settings", [{"batch_size": 16, "shuffle": True}, {"batch_sampler": SAMPLER}])
def test_training_gives_the_same_numbers(tmp_path, settings):
    plain, ours = (trained(tmp_path / kind, kind, settings) for kind in ("multiprocess", "in_memory"))
    assert ours == plain and ours[0]["training_loss"] > ours[1]["training_loss"] and "validation_loss" in ours[1]


def test_batches_are_cut_in_two_until_there_are_enough():
    batches = [[1, 2, 3, 4], [5, 6, 7, 8], [9]]
    assert split_into(3, batches) == batches
    assert split_into(4, batches) == [[1, 2, 3, 4], [5, 6], [7, 8], [9]]
    assert split_into(9, batches) == [[each] for each in range(1, 10)]
    for few in ([[1]], []):
        with pytest.raises(ConfigurationError, match="too few for 2 batches. Train in fewer processes"):
            split_into(2, few)
