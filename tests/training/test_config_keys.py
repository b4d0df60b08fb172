import copy
import json
from typing import Any, Optional, Union

import _jsonnet
import pytest
from allennlp.common import FromParams, Lazy, Params
from allennlp.data import DatasetReader
from allennlp.models import Model
from allennlp.training.callbacks import TrainerCallback

from roseq_allennlp.training.config_check import check_config, check_overrides
from roseq_allennlp.training.config_keys import problems
from roseq_allennlp.training.overrides import OverridesError, changed

FIXTURE = json.loads(_jsonnet.evaluate_file("training_configs/fixture.jsonnet"))
CLASSIFIER = {  # all kinds of parameters that AllenNLP's own classes have
    "dataset_reader": {
        "type": "text_classification_json",
        "tokenizer": "whitespace",
        "token_indexers": {"tokens": {"type": "single_id", "lowercase_tokens": True}},
        "max_instances": 3,  # of the class above, by **kwargs
    },
    "train_data_path": "train",
    "model": {
        "type": "basic_classifier",
        "text_field_embedder": {
            "token_embedders": {
                "tokens": {"type": "embedding", "embedding_dim": 10},
                "bert": {"type": "pretrained_transformer", "model_name": "bert", "transformer_kwargs": {"any": 3}},
                "own": {"_pretrained": {"archive_file": "a", "module_path": "b"}},
            }
        },
        "seq2vec_encoder": {"type": "cnn", "embedding_dim": 10, "num_filters": 1, "ngram_filter_sizes": [2]},
        "feedforward": {"input_dim": 1, "num_layers": 2, "hidden_dims": [2, 3], "activations": ["relu", "linear"]},
        "regularizer": {"regexes": [["weight$", {"type": "l2", "alpha": 10}], ["bias$", "l1"]]},
        "initializer": {"regexes": [["a", {"type": "constant", "val": 1}]], "prevent_regexes": ["x"]},
    },
    "vocabulary": {"max_vocab_size": 3, "tokens_to_add": {"tokens": ["a"]}},
    "data_loader": {"batch_sampler": {"type": "bucket", "batch_size": 5, "sorting_keys": ["tokens"]}},
    "evaluation": "simple",
    "include_in_archive": ["a"],
    "random_seed": 1,
    "distributed": {"cuda_devices": [-1, -1], "ddp_accelerator": {"type": "torch", "find_unused_parameters": True}},
    "trainer": {
        "optimizer": {"type": "huggingface_adamw", "lr": 4e-5, "parameter_groups": [[["bias"], {"any": 0}]]},
        "learning_rate_scheduler": {"type": "slanted_triangular", "cut_frac": 0.1},
        "moving_average": {"type": "exponential", "decay": 0.99},
        "checkpointer": {"keep_most_recent_by_count": 3},
        "validation_metric": ["+accuracy", "-loss"],
        "cuda_device": None,
        "grad_norm": False,
        "run_sanity_checks": False,
        "callbacks": ["console_logger", {"type": "tensorboard", "should_log_learning_rate": True}],
    },
}
VARIANTS: list[dict[str, Any]] = [
    {"model": {"type": "from_archive", "archive_file": "a"}},
    {"model.type": "allennlp.models.BasicClassifier"},
    {"vocabulary": {"type": "from_files", "directory": "a"}},
    {"vocabulary": "empty"},
    {
        "dataset_reader": {
            "type": "interleaving",
            "readers": {"a": {"type": "conll2002", "language": "es"}, "b": "wnut"},
        }
    },
    {"trainer.validation_metric": "+accuracy"},
]


@pytest.mark.parametrize("changes", [{}, *VARIANTS])
def test_nothing_is_wrong_with_a_config_of_allennlp(changes):
    assert problems(changed(CLASSIFIER, changes)) == []


MISTAKES: list[tuple[dict[str, Any], str, str]] = [  # change, place, advice
    ({"trainer.num_epoch": 2}, "trainer.num_epoch", "did you mean `num_epochs`?"),
    ({"num_epochs": 2}, "num_epochs", "did you mean `trainer.num_epochs`?"),
    ({"num_epoch": 2}, "num_epoch", "did you mean `trainer.num_epochs`?"),
    ({"random_sed": 2}, "random_sed", "did you mean `random_seed`?"),
    ({"model.gama": 2}, "model.gama", "did you mean `gamma`?"),
    ({"model.encoder.hidden_siz": 2}, "model.encoder.hidden_siz", "did you mean `hidden_size`?"),
    (
        {"model.text_field_embedder.token_embedders.tokens.pretraind_file": "x"},
        "model.text_field_embedder.token_embedders.tokens.pretraind_file",
        "did you mean `pretrained_file`?",
    ),
    ({"trainer.callbacks.6.epsilo": 2}, "trainer.callbacks.6.epsilo", "has no such key"),
    ({"trainer.optimizer.lrr": 2}, "trainer.optimizer.lrr", "did you mean `lr`?"),
    ({"trainer.checkpointer.keep": 2}, "trainer.checkpointer.keep", "AtomicCheckpointer has no such key; its keys are"),
    (
        {"dataset_reader.token_indexers.tokens.normalise": 2},
        "dataset_reader.token_indexers.tokens.normalise",
        "normaliz",
    ),
    ({"dataset_reader.langage": "nl"}, "dataset_reader.langage", "did you mean `language`?"),
    ({"data_loader.batchsize": 2}, "data_loader.batchsize", "did you mean `batch_size`?"),
    ({"vocabulary.min_cont": {}}, "vocabulary.min_cont", "did you mean `min_count`?"),
    ({"distributed": {"cuda_device": [-1, -1]}}, "distributed.cuda_device", "did you mean `cuda_devices`?"),
    ({"model.encoder": {"tpye": "lstm"}}, "model.encoder.tpye", "did you mean `type`?"),
    ({"model.encoder.type": "lstmm"}, "model.encoder.type", "Did you mean 'lstm'?"),
    ({"model.fusion.activations": "tanhh"}, "model.fusion.activations.type", "Did you mean 'tanh'?"),
    ({"trainer.optimizer": "qqq"}, "trainer.optimizer.type", "It is one of"),
    ({"model.type": "allennlp.models.Nothing"}, "model.type", "unable to find class Nothing"),
    ({"model": {"gamma": 2}}, "model.type", "a Model needs a type"),
    (
        {"model.initializer": {"regexes": [["a", {"type": "uniform", "c": 1}]]}},
        "model.initializer.regexes.0.1.c",
        "keys",
    ),
    ({"model.tau": "much"}, "model.tau", "must be a number; got 'much'"),
    ({"trainer.num_epochs": 1.5}, "trainer.num_epochs", "must be a whole number; got 1.5"),
    ({"trainer.callbacks": "adversarial"}, "trainer.callbacks", "must be a list; got 'adversarial'"),
    ({"model": 3}, "model", "must be an object, or the name of a Model; got 3"),
    ({"dataset_reader.token_indexers": [1]}, "dataset_reader.token_indexers", "must be an object; got [1]"),
]


@pytest.mark.parametrize("changes, where, advice", MISTAKES)
def test_a_mistake_is_told_with_its_place_and_a_way_out(changes, where, advice):
    config = changed(FIXTURE, changes)
    (problem,) = [found for found in problems(config) if found.where == where]
    assert advice in problem.what and config == changed(FIXTURE, changes)


def test_a_member_of_an_ensemble_is_looked_at_too():
    config = {**FIXTURE, "model": {"type": "tagger_ensemble", "size": 2, "member": {**FIXTURE["model"], "gama": 1}}}
    assert [problem.where for problem in problems(config)] == ["model.member.gama"]


def test_classes_of_the_user_may_have_any_key():
    class ReadsItself(TrainerCallback):
        @classmethod
        def from_params(cls, params: Params, **extras: Any) -> "ReadsItself":
            return cls(**extras)

    class TakesAny(TrainerCallback):
        def __init__(self, known: int, **kwargs: Any) -> None:
            super().__init__(kwargs["serialization_dir"])

    class Part(FromParams):
        def __init__(self, width: int) -> None:
            self.width = width

    class Typed(TrainerCallback):
        def __init__(
            self,
            serialization_dir: str,
            part: Optional[Union[int, Part]] = None,
            lazy: Optional[Lazy[Part]] = None,
            free: Optional[dict[str, Any]] = None,
            params: Optional[Params] = None,
        ) -> None:
            super().__init__(serialization_dir)

    for name, kind in (("reads_itself", ReadsItself), ("takes_any", TakesAny), ("typed", Typed)):
        TrainerCallback.register(f"test_{name}", exist_ok=True)(kind)

    def wrong(callback: dict[str, Any]) -> list[str]:
        return [problem.where for problem in problems(changed(FIXTURE, {"trainer.callbacks": [callback]}))]

    assert wrong({"type": "test_reads_itself", "anything": 1}) == []
    assert wrong({"type": "test_takes_any", "known": 1, "anything": 1}) == []
    assert wrong({"type": "test_takes_any", "known": "one"}) == ["trainer.callbacks.0.known"]
    assert wrong({"type": "test_typed", "part": 1, "lazy": {"width": 1}, "free": {"a": 1}, "params": {"b": 1}}) == []
    assert wrong({"type": "test_typed", "part": {"width": 1}, "lazy": None}) == []
    assert wrong({"type": "test_typed", "part": {"widht": 1}}) == ["trainer.callbacks.0.part.widht"]
    assert wrong({"type": "test_typed", "lazy": {"widht": 1}}) == ["trainer.callbacks.0.lazy.widht"]
    assert wrong({"type": "test_typed", "fre": {}}) == ["trainer.callbacks.0.fre"]


def test_no_module_is_imported_for_an_archive(monkeypatch):
    monkeypatch.setattr(Model, "resolve_class_name", None)
    monkeypatch.setattr(DatasetReader, "resolve_class_name", None)
    config = {**FIXTURE, "model": {"type": "os.path", "gama": 1}, "dataset_reader": "os.path"}
    assert problems(config, imports=False) == []


def check(changes: dict[str, Any], **options: Any) -> None:
    check_config(FIXTURE, changed(FIXTURE, changes), "my.jsonnet", **options)


def test_the_file_and_the_overrides_are_told_apart():
    written = copy.deepcopy(FIXTURE)
    written["model"]["gama"] = 1
    config = changed(written, {"trainer.num_epoch": 1})
    with pytest.raises(OverridesError, match="^-o: `trainer.num_epoch`: "):
        check_overrides(written, config)
    with pytest.raises(Exception, match=r"^my.jsonnet: `model.gama`: .*\? -o: `trainer.num_epoch`: .*\?$"):
        check_config(written, config, "my.jsonnet")


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"trainer.num_epochs": 0}, "`trainer.num_epochs`: must be at least 1; got 0."),
        ({"trainer.num_epochs": -3}, "`trainer.num_epochs`: must be at least 1; got -3."),
        ({"trainer.num_epochs": True}, "`trainer.num_epochs`: must be at least 1; got true."),
        ({"trainer.num_epochs": None}, "`trainer.num_epochs`: must be at least 1; got null."),
        ({"trainer.patience": 0}, "`trainer.patience`: must be at least 1; got 0."),
        ({"trainer.num_gradient_accumulation_steps": 0}, "must be at least 1; got 0."),
        ({"trainer.grad_norm": -1.0}, "`trainer.grad_norm`: must be at least 0; got -1.0."),
        ({"data_loader.batch_size": 0}, "`data_loader.batch_size`: must be at least 1; got 0."),
        ({"validation_data_loader.batch_size": -1}, "`validation_data_loader.batch_size`: must be at least 1"),
        (
            {"data_loader": {"batch_sampler": {"type": "bucket", "batch_size": 0}}},
            "`data_loader.batch_sampler.batch_size`",
        ),
        ({"trainer.use_amp": True}, "`trainer.use_amp`: needs a GPU, and PyTorch finds none here."),
        ({"trainer.cuda_device": 0}, "`trainer.cuda_device`: is 0, but the GPUs that PyTorch finds here are: none."),
        ({"trainer.cuda_device": "0"}, "must be the number of a GPU, or -1 for the CPU; got '0'."),
        ({"trainer.cuda_device": [0, 1]}, "must be the number of a GPU, or -1 for the CPU; got [0, 1]."),
        ({"distributed": {"cuda_devices": [0, 1]}}, "`distributed.cuda_devices`: is 0, but the GPUs"),
        ({"distributed": {"cuda_devices": [-1]}}, "`distributed.cuda_devices`: is one device. Give several"),
        ({"distributed": {}}, "`distributed.cuda_devices`: must be a list"),
        (
            {"distributed": {"cuda_devices": [-1, -1]}, "trainer.use_amp": True},
            "and `distributed.cuda_devices` is -1, the",
        ),
        ({"trainer.validation_metric": "f1"}, "`trainer.validation_metric`: must begin with + if more is better"),
        ({"trainer.validation_metric": "+f1-mesure-overall"}, "did you mean `f1-measure-overall`?"),
        ({"trainer.validation_metric": ["-loss", "+f1-measure-overal"]}, "did you mean `f1-measure-overall`?"),
        ({"trainer.validation_metric": "+f1"}, "there is no metric f1; did you mean `"),
        ({"datasets_for_vocab_creation": ["trian"]}, "has 'trian'; the config has train, validation."),
        ({"model": None}, "`model`: must not be null"),
        ({"train_data_path": None}, "`train_data_path`: must not be null"),
        ({"numpy_seed": -1}, "`numpy_seed`: must be a whole number, at least 0; got -1."),
        ({"random_seed": "abc"}, "`random_seed`: must be a whole number; got 'abc'."),
    ],
)
def test_values_that_cannot_work(changes, message, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: int("is -1, the" in message))
    with pytest.raises(Exception) as caught:
        check(changes)
    assert str(caught.value).startswith("-o: ") and message in str(caught.value), str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("changes", [{"trainer.use_amp": True}, {"trainer.cuda_device": 0}, {"trainer.cuda_device": 1}])
def test_gpus_that_are_there_or_not_needed(changes, monkeypatch):
    check(changes, trains=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    check(changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"trainer.patience": None, "trainer.grad_norm": False, "trainer.cuda_device": -1},
        {"random_seed": -1, "pytorch_seed": "7", "numpy_seed": None},
        {"distributed": {"cuda_devices": [-1, -1]}},
        {"distributed": {"cuda_devices": [-1], "num_nodes": 2}},
        {"trainer.validation_metric": "+f1-measure-person"},
        {"trainer.validation_metric": ["-loss", "+accuracy", "+recall-overall", "-focal_loss"]},
        {"model": {"type": "from_archive", "archive_file": "a"}, "trainer.validation_metric": "+mine"},
        {"data_loader.batch_size": None, "trainer.use_amp": False},
    ],
)
def test_values_that_work(changes):
    check(changes)
