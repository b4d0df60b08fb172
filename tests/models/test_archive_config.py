"""What an archive's config may name: hostile configs, all components of AllenNLP, and those of the user."""

import io
import itertools
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest
import torch
from allennlp.common import Registrable, from_params
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import import_module_and_submodules
from allennlp.data import BatchSampler, DataLoader, DatasetReader, Instance, Token, TokenIndexer, Tokenizer
from allennlp.data.data_loaders.data_collator import DataCollator
from allennlp.data.fields import MetadataField, TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer
from allennlp.evaluation import Evaluator, Serializer
from allennlp.models import Model
from allennlp.modules import Seq2SeqEncoder, Seq2VecEncoder, TextFieldEmbedder, TokenEmbedder
from allennlp.nn import Activation
from allennlp.nn.regularizers import Regularizer
from allennlp.training import Checkpointer, Trainer, TrainerCallback
from allennlp.training.learning_rate_schedulers import LearningRateScheduler
from allennlp.training.moving_average import MovingAverage
from allennlp.training.optimizers import Optimizer

import roseq_allennlp
from roseq_allennlp.models.archive_components import COMPONENTS, LIBRARIES
from roseq_allennlp.models.archive_config import checked_config, checked_trainer

EVIL = {"type": "evil_module.Evil"}
EMBEDDERS = "model.text_field_embedder.token_embedders"
INDEXERS = "dataset_reader.token_indexers"
INNER = {"type": "from_archive", "archive_file": "{address}"}
HOSTILE = {  # where in the config, what, and what the sentence names
    "member from_archive": ("model", {"type": "tagger_ensemble", "member": INNER}, "model.member.type"),
    "model from_archive": ("model", INNER, "model.type"),
    "member of a member": (
        "model",
        {"type": "tagger_ensemble", "member": {"type": "tagger_ensemble", "member": INNER}},
        "model.member.member.type",
    ),
    "_pretrained": ("model.encoder", {"_pretrained": {"archive_file": "{address}"}}, "model.encoder._pretrained"),
    "_pretrained below a type": (
        f"{EMBEDDERS}.tokens",
        {"type": "embedding", "_pretrained": {}},
        f"{EMBEDDERS}.tokens._pretrained",
    ),
    "slash": ("model.encoder", {"type": "evil_module.x/y.z"}, "model.encoder.type"),
    "slash as text": ("model.encoder", "evil_module.x/y.z", "model.encoder.type"),
    "dotted": ("model.encoder", EVIL, "model.encoder.type"),
    "dotted text": ("model.fusion.activations", "evil_module.Evil", "model.fusion.activations.type"),
    "dotted in a list": ("model.fusion.activations", ["tanh", "evil_module.Evil"], "model.fusion.activations[1].type"),
    "double colon": ("model.encoder", {"type": "evil_module::Evil"}, "model.encoder.type"),
    "number with a dot": ("model.encoder", {"type": "1.5"}, "model.encoder.type"),
    "type in capitals": ("model.encoder", {"type": "LSTM", "input_size": 45}, "model.encoder.type"),
    "type with a space": ("model.encoder", {"type": "lstm "}, "model.encoder.type"),
    "type in full width": ("model.encoder", {"type": "ｌｓｔｍ"}, "model.encoder.type"),
    "type as list": ("model.encoder", {"type": ["lstm"]}, "model.encoder.type"),
    "type as object": ("model.encoder", {"type": EVIL}, "model.encoder.type"),
    "type null": ("model.encoder", {"type": None}, "model.encoder.type"),
    "type that is none by its text": ("model.encoder", {"type": "None"}, "model.encoder.type"),
    "transformer indexer": (
        f"{INDEXERS}.x",
        {"type": "pretrained_transformer", "model_name": "a/b"},
        f"{INDEXERS}.x.type",
    ),
    "mismatched transformer": (
        f"{EMBEDDERS}.x",
        {"type": "pretrained_transformer_mismatched", "model_name": "a/b"},
        f"{EMBEDDERS}.x.type",
    ),
    "override_weights_file": (
        f"{EMBEDDERS}.tokens",
        {"type": "embedding", "embedding_dim": 20, "override_weights_file": "{address}"},
        f"{EMBEDDERS}.tokens.override_weights_file",
    ),
    "elmo": (
        f"{EMBEDDERS}.x",
        {"type": "elmo_token_embedder", "options_file": "{address}", "weight_file": "{address}"},
        f"{EMBEDDERS}.x.type",
    ),
    "bert_pooler": (
        f"{EMBEDDERS}.x",
        {"type": "character_encoding", "embedding": {"embedding_dim": 2}, "encoder": "bert_pooler"},
        f"{EMBEDDERS}.x.encoder.type",
    ),
    "spacy tokenizer": (
        f"{INDEXERS}.x",
        {"type": "characters", "character_tokenizer": {"type": "spacy", "language": "/tmp/evil"}},
        f"{INDEXERS}.x.character_tokenizer.type",
    ),
    "vocabulary of the model": ("model.vocab", {"type": "from_files", "directory": "/etc"}, "model.vocab"),
    "serialization_dir": ("dataset_reader.serialization_dir", "/etc", "dataset_reader.serialization_dir"),
    "data_path": ("validation_data_loader.data_path", "/etc/passwd", "validation_data_loader.data_path"),
    "reader of the loader": ("data_loader.reader", {"type": "wnut"}, "data_loader.reader"),
    "collator with a tokenizer": (
        "data_loader",
        {"type": "multiprocess", "batch_size": 2, "collate_fn": {"type": "language_model"}},
        "data_loader.collate_fn.type",
    ),
    "sampler": ("data_loader", {"batch_sampler": "evil_module.Evil"}, "data_loader.batch_sampler.type"),
    "serializer": ("evaluation", {"batch_serializer": EVIL}, "evaluation.batch_serializer.type"),
    "method": ("evaluation", {"postprocessor_fn_name": "load_state_dict"}, "evaluation.postprocessor_fn_name"),
    "evaluator": ("evaluation", EVIL, "evaluation.type"),
    "reader": ("dataset_reader", {"type": "evil_module.Evil"}, "dataset_reader.type"),
    "validation reader": ("validation_dataset_reader", "evil_module.Evil", "validation_dataset_reader.type"),
    "reader of readers": ("dataset_reader", {"type": "sharded", "base_reader": EVIL}, "dataset_reader.type"),
    "vocabulary": ("vocabulary.type", "evil_module.Evil", "vocabulary.type"),
    "vocabulary as text": ("vocabulary", "evil_module.Evil", "vocabulary.type"),
    "accelerator": ("model.ddp_accelerator", {"type": "evil_module.Evil"}, "model.ddp_accelerator.type"),
    "regularizer": (
        "model.regularizer",
        {"regexes": [[".*", {"type": "evil_module.Evil"}]]},
        "model.regularizer.regexes[0][1].type",
    ),
    "type in a plain value": (f"{EMBEDDERS}.tokens.weight", EVIL, f"{EMBEDDERS}.tokens.weight.type"),
    "remote code": (f"{INDEXERS}.tokens.trust_remote_code", True, f"{INDEXERS}.tokens.trust_remote_code"),
    "language as a path": ("dataset_reader.language", "../../evil_module", "reader's `language`"),
    "language of dots": ("dataset_reader.language", "en.stop_words", "reader's `language`"),
    "memory": ("model.top_k", 10**6, "model.top_k"),
    "padding": (f"{INDEXERS}.tokens.token_min_padding_length", 10**9, f"{INDEXERS}.tokens.token_min_padding_length"),
    "processes": ("data_loader.num_workers", 1000, "data_loader.num_workers"),
}


def test_the_table_is_long_enough():
    assert len(HOSTILE) >= 28


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_configs(name, with_config, tmp_path, monkeypatch, refused):
    place, value, named = HOSTILE[name]
    marker = tmp_path / "executed"
    (tmp_path / "evil_module.py").write_text(f"open({str(marker)!r}, 'w')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("socket.socket.connect", lambda *_: marker.write_text("connected"))
    path = with_config(place, json.loads(json.dumps(value).replace("{address}", "http://127.0.0.1:9/model.tar.gz")))
    message = refused(path)
    assert message.startswith("refused, ") and named in message
    assert not marker.exists()


IGNORED = {  # what training alone reads
    "initializer": (
        "model.initializer",
        {"regexes": [[".*", {"type": "pretrained", "weights_file_path": "/etc/passwd"}]]},
    ),
    "pretrained_file": (f"{EMBEDDERS}.tokens.pretrained_file", "http://127.0.0.1:9/vectors.txt"),
    "vocabulary": ("vocabulary", {"type": "from_files", "directory": "http://127.0.0.1:9/"}),
    "vocabulary's transformer": ("vocabulary", {"type": "from_pretrained_transformer", "model_name": "a/b"}),
    "pretrained_files": ("vocabulary.pretrained_files.tokens", "/etc/passwd"),
    "trainer": ("trainer", {"type": "evil_module.Evil", "callbacks": [EVIL]}),
    "train_data_path": ("train_data_path", "/etc/passwd"),
    "include_package": ("include_package", ["evil_module"]),
    "null": (f"{EMBEDDERS}.tokens.override_weights_file", None),
}


@pytest.mark.parametrize("name", IGNORED)
def test_what_is_never_read(name, with_config, tmp_path, monkeypatch, tagger):
    (tmp_path / "evil_module.py").write_text("raise SystemExit('executed')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("connected"))
    assert roseq_allennlp.load(with_config(*IGNORED[name])).tag("a b") == tagger.tag("a b")


# For each base class, where in a config one of its components can be.
CHARACTERS = {"type": "character_encoding", "embedding": {"embedding_dim": 2}}
SLOTS: dict[str, tuple[Any, str, Any]] = {
    "model": (Model, "model", "{}"),
    "member": (Model, "model", {"type": "tagger_ensemble", "member": "{}"}),
    "encoder": (Seq2SeqEncoder, "model.encoder", "{}"),
    "inner encoder": (Seq2SeqEncoder, "model.encoder", {"type": "compose", "encoders": ["{}"]}),
    "activation": (Activation, "model.fusion.activations", "{}"),
    "activations": (Activation, "model.fusion.activations", ["{}"]),
    "embedder": (TextFieldEmbedder, "model.text_field_embedder", "{}"),
    "token embedder": (TokenEmbedder, f"{EMBEDDERS}.tokens", "{}"),
    "character encoder": (Seq2VecEncoder, f"{EMBEDDERS}.x", {**CHARACTERS, "encoder": "{}"}),
    "regularizer": (Regularizer, "model.regularizer", {"regexes": [[".*", "{}"]]}),
    "reader": (DatasetReader, "dataset_reader", "{}"),
    "validation reader": (DatasetReader, "validation_dataset_reader", "{}"),
    "indexer": (TokenIndexer, f"{INDEXERS}.tokens", "{}"),
    "tokenizer": (Tokenizer, f"{INDEXERS}.x", {"type": "characters", "character_tokenizer": "{}"}),
    "loader": (DataLoader, "data_loader", "{}"),
    "validation loader": (DataLoader, "validation_data_loader", "{}"),
    "sampler": (BatchSampler, "data_loader", {"batch_sampler": "{}"}),
    "collator": (DataCollator, "data_loader", {"collate_fn": "{}"}),
    "evaluator": (Evaluator, "evaluation", "{}"),
    "serializer": (Serializer, "evaluation", {"batch_serializer": "{}"}),
    "vocabulary in a model": (None, "model.vocab", "{}"),
    "accelerator": (None, "model.ddp_accelerator", "{}"),
    "plain value": (None, f"{EMBEDDERS}.tokens.weight", {"x": ["{}"]}),
    # Of the trainer, which only fine-tuning builds.
    "trainer": (Trainer, "trainer", "{}"),
    "optimizer": (Optimizer, "trainer.optimizer", "{}"),
    "scheduler": (LearningRateScheduler, "trainer.learning_rate_scheduler", "{}"),
    "momentum": (None, "trainer.momentum_scheduler", "{}"),
    "moving average": (MovingAverage, "trainer.moving_average", "{}"),
    "checkpointer": (Checkpointer, "trainer.checkpointer", "{}"),
    "callback": (TrainerCallback, "trainer.callbacks", ["{}"]),
    "accelerator of the trainer": (None, "trainer.ddp_accelerator", "{}"),
}


@pytest.fixture
def config(members) -> dict[str, Any]:
    return json.loads(members["config.json"])


@pytest.fixture(scope="module")
def registered() -> list[tuple[Any, str]]:
    import_module_and_submodules("allennlp", exclude={"allennlp.sanity_checks", "allennlp.tools"})
    try:
        import_module_and_submodules("allennlp_models")
    except ModuleNotFoundError:
        pass
    return [
        (base, name)
        for base, entries in Registrable._registry.items()
        for name, (component, _) in entries.items()
        if component.__module__.partition(".")[0] in LIBRARIES
    ]


def put(config: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    *parents, last = place.split(".")
    part = config = json.loads(json.dumps(config))
    for name in parents:
        part = part.setdefault(name, {})
    part[last] = value
    return config


def filled(template: Any, value: Any) -> Any:
    return json.loads(json.dumps(template).replace('"{}"', json.dumps(value)))


def test_every_base_class_of_the_table_has_a_slot():
    assert {base for base, _, _ in SLOTS.values()} - {None} == COMPONENTS.keys()


@pytest.mark.parametrize("slot", SLOTS)
def test_no_component_outside_the_table_in_any_slot(slot, config, registered):
    """Each of AllenNLP's and this package's registered names, as an object and as text, where it belongs and elsewhere."""
    base, place, template = SLOTS[slot]
    allowed = COMPONENTS.get(base, set())
    assert len(registered) > 200
    for (_, name), as_text in itertools.product(registered, (False, True)):
        hostile = put(config, place, filled(template, name if as_text else {"type": name}))
        if name in allowed or (as_text and slot == "plain value"):
            continue
        with pytest.raises(ConfigurationError, match="refused|does not fit"):
            (checked_trainer if place.startswith("trainer") else checked_config)(hostile)


def test_none_of_them_is_ever_built(config, registered, archive_path, tmp_path, refused, monkeypatch):
    built: list[Any] = []
    create = from_params.create_kwargs
    monkeypatch.setattr(
        from_params, "create_kwargs", lambda *args, **extras: built.append(args[1]) or create(*args, **extras)
    )
    with tarfile.open(archive_path) as archive:
        archive.extractall(tmp_path, filter="data")
    roseq_allennlp.load(tmp_path)
    ordinary = set(built)
    assert {each.__name__ for each in ordinary} >= {"WnutReader", "LabelAwareCrfTagger", "FeedForward"}
    for slot_base, place, template in SLOTS.values():
        for base, name in registered:
            if base is slot_base and name not in COMPONENTS[base] and not place.startswith("trainer"):
                built.clear()
                hostile = put(config, place, filled(template, {"type": name}))
                (tmp_path / "config.json").write_text(json.dumps(hostile))
                refused(tmp_path)
                assert not built, name


def test_the_table_names_components_that_exist(registered):
    for base, names in COMPONENTS.items():
        assert names <= {name for each, name in registered if each is base}, base


class Reader(DatasetReader):
    def __init__(self, stem: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def text_to_instance(self, words: list[str]) -> Instance:  # type: ignore[override]
        text = TextField([Token(word) for word in words], {"tokens": SingleIdTokenIndexer()})
        return Instance({"tokens": text, "metadata": MetadataField({"words": words})})

    def _read(self, file_path: Any) -> Iterator[Instance]:
        yield self.text_to_instance(["a"])


class OtherReader(Reader):
    def text_to_instance(self, words: list[str], tags: list[str]) -> Instance:  # type: ignore[override]
        return super().text_to_instance(words)


class Tagger(Model):
    """The first label for the first token."""

    def __init__(self, vocab: Any, encoder: Optional[Seq2SeqEncoder] = None, **kwargs: Any) -> None:
        super().__init__(vocab, **kwargs)
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, tokens: Any, metadata: Any = None) -> dict[str, Any]:  # type: ignore[override]
        return {"words": [each["words"] for each in metadata]} if metadata else {"words": tokens["tokens"]["tokens"]}

    def make_output_human_readable(self, output_dict: dict[str, Any]) -> dict[str, Any]:
        tags = [["U-person", *["O"] * (len(words) - 1)] for words in output_dict["words"]]
        entity = {"label": "person", "start_token": 0, "end_token": 1, "probability": 1.0}
        return {"tags": tags, "entities": [[entity] for _ in tags]}


class OtherTagger(Tagger):
    def make_output_human_readable(self, output_dict: dict[str, Any]) -> dict[str, Any]:
        return {"classes": output_dict["words"]}


@pytest.fixture
def users(monkeypatch) -> None:
    readers = {"my_reader": (Reader, None), "my_other_reader": (OtherReader, None)}
    models = {"my_tagger": (Tagger, None), "my_other_tagger": (OtherTagger, None)}
    for base, entries in ((DatasetReader, readers), (Model, models)):
        monkeypatch.setitem(Registrable._registry, base, {**Registrable._registry[base], **entries})


@pytest.fixture
def of_user(users, write, members, config):
    buffer = io.BytesIO()
    torch.save({"weight": torch.ones(1)}, buffer)

    def build(reader: Any, model: Any) -> Path:
        changed = {**config, "dataset_reader": reader, "model": model}
        return write({"config.json": json.dumps(changed).encode(), "weights.th": buffer.getvalue()})

    return build


ENCODER = {"encoder": {"type": "pass_through", "input_dim": 2}}


def test_components_of_the_user(of_user):
    tagger = roseq_allennlp.load(of_user({"type": "my_reader", "stem": True}, {"type": "my_tagger", **ENCODER}))
    answer = tagger.tag("Anna sings")
    assert answer["tags"] == ["S-person", "O"] and answer["entities"][0]["text"] == "Anna"


def test_components_of_the_user_by_name_alone(of_user):
    assert roseq_allennlp.load(of_user("my_reader", "my_tagger")).tag("Anna")["tags"] == ["S-person"]


@pytest.mark.parametrize(
    ("reader", "model", "message"),
    [
        ({"type": "my_other_reader"}, {"type": "my_tagger", **ENCODER}, "is a OtherReader, whose `text_to_instance(words)`"),
        ({"type": "my_reader"}, {"type": "my_other_tagger", **ENCODER}, "is a OtherTagger, which gives no `tags` and `entit"),
        ({"type": "my_reader"}, {"type": "my_tagger", "encoder": EVIL}, "refused, `model.encoder.type`"),
        ({"type": "my_reader", "cache_dir": "/etc"}, {"type": "my_tagger", **ENCODER}, "refused, `dataset_reader.cache_dir`"),
        ({"type": "my_reader", "stam": True}, {"type": "my_tagger", **ENCODER}, "(there is `stem`)"),
    ],
)  # fmt: skip
def test_components_of_the_user_that_do_not_fit(reader, model, message, of_user, refused):
    assert message in refused(of_user(reader, model))


def test_they_are_unknown_until_they_are_imported(write, config, refused):
    path = write({"config.json": json.dumps({**config, "dataset_reader": {"type": "my_reader"}}).encode()})
    assert "'my_reader', no name registered here" in (message := refused(path)) and "--include-package" in message
