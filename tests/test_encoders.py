"""Encoders crossed with the rest, each on a tiny one: tagging, commands, ensembles, recovery, processes, precision."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch, Vocabulary
from allennlp.models import Model

import roseq_allennlp
from roseq_allennlp.models.archive_weights import MOST_NAMES
from roseq_allennlp.modules.token_embedders import TransformerEmbedder

TEXT = Path("fixtures/wnut17/emerging.test.annotated")
KINDS = pytest.mark.parametrize("tuned", [True, False], ids=["tuned", "frozen"])


def sentences() -> list[list[str]]:
    blocks = TEXT.read_text(encoding="utf-8").split("\n\n")
    words = [[line.split("\t")[0] for line in block.splitlines() if line.strip()] for block in blocks]
    return [sentence for sentence in words if sentence][:20] + [["long"] * 90, ["\u200b"], ["x" * 5000]]


def weights(directory: Path) -> dict[str, torch.Tensor]:
    return torch.load(directory / "best.th", weights_only=True)


def assert_equal(actual: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert actual.keys() == expected.keys()
    assert [name for name, value in expected.items() if not torch.equal(actual[name], value)] == []


@KINDS
def test_tagging_gives_what_the_model_gives_for_one_sentence(encoder_run, tuned: bool) -> None:
    """In batches by pieces, from a reader's instances, in threads of several processes, and alone through AllenNLP."""
    tagger = roseq_allennlp.load(encoder_run(tuned) / "model.tar.gz")
    model, reader = tagger._model, tagger._dataset_reader
    answers = list(tagger.tag_many(sentences()))
    assert tagger._word_table is not None
    for words, answer in zip(sentences(), answers, strict=True):
        instance = reader.text_to_instance(words)
        reader.apply_token_indexers(instance)
        batch = Batch([instance])
        batch.index_instances(model.vocab)
        with torch.no_grad():
            output = model.make_output_human_readable(model(**batch.as_tensor_dict()))
        assert answer["tags"] == tagger._in_bioes(output["tags"][0])
        for ours, theirs in zip(answer["entities"], output["entities"][0], strict=True):
            assert ours["probability"] == pytest.approx(theirs["probability"], abs=1e-5)
    assert any(answer["entities"] for answer in answers)
    instances = [reader.text_to_instance(words) for words in sentences()]
    assert [answer["tags"] for answer in tagger.predict_batch_instance(instances)] == [
        answer["tags"] for answer in answers
    ]
    embedder = next(module for module in model.modules() if isinstance(module, TransformerEmbedder))
    assert embedder._store is None  # new text is not kept


@KINDS
def test_batches_hold_sentences_of_similar_numbers_of_pieces(encoder_run, tuned: bool, monkeypatch) -> None:
    tagger = roseq_allennlp.load(encoder_run(tuned) / "model.tar.gz")
    shapes = []
    plain = tagger._tag_batch

    def tag(inputs, device):
        shapes.append(tagger_pieces(inputs))
        return plain(inputs, device)

    def tagger_pieces(inputs) -> list[int]:
        return inputs["tokens"]["tokens"]["num_pieces"].sum(1).tolist()

    monkeypatch.setattr(tagger, "_tag_batch", tag)
    few, many = ["a"] * 8, ["abcdefghijklmnopq" * 3] * 8  # as many words
    list(tagger.tag_many([few, many] * 200))
    assert sum(map(len, shapes)) == 400 and all(max(batch) <= 2 * min(batch) for batch in shapes)


@KINDS
def test_several_processes(encoder_run, tuned: bool) -> None:
    path = encoder_run(tuned) / "model.tar.gz"
    alone, shared = (roseq_allennlp.load(path, processes=processes) for processes in (1, 2))
    many = sentences() * 60
    assert [answer["tags"] for answer in shared.tag_many(many, batch_size=300)] == [
        answer["tags"] for answer in alone.tag_many(many)
    ]


@KINDS
def test_commands(encoder_run, roseq, tmp_path, tuned: bool) -> None:
    """`predict`, `report` and `noise` on an archive."""
    archive = encoder_run(tuned) / "model.tar.gz"
    lines = tmp_path / "lines.jsonl"
    lines.write_text("".join(json.dumps({"tokens": words}) + "\n" for words in sentences()))
    tagged = tmp_path / "tagged.jsonl"
    result = roseq("predict", archive, lines, "--output-file", tagged, "--silent", "--batch-size", 7)
    assert result.status == 0, result.errors
    expected = [answer["tags"] for answer in roseq_allennlp.load(archive).tag_many(sentences())]
    assert [json.loads(line)["tags"] for line in tagged.read_text().splitlines()] == expected
    for command in (
        ("report", archive, TEXT, "--train", "fixtures/wnut17/wnut17train.conll", "-o", tmp_path / "report"),
        ("noise", archive, TEXT),
    ):
        result = roseq(*command)
        assert result.status == 0, result.errors


@KINDS
def test_an_ensemble(encoder_config, tiny_encoder, tmp_path, tuned: bool) -> None:
    """Each member tunes an encoder of its own; a frozen one they share, and it goes through a batch once."""
    config = encoder_config(tiny_encoder, tuned, ensemble=2, augmented=True, calibrated=True)
    model = train_model(Params(config), str(tmp_path / "run"), file_friendly_logging=True)
    first, second = (member._text_field_embedder.token_embedder_tokens for member in model.members)
    name = "encoder.layer.0.output.dense.weight"
    one, other = first.encoder.state_dict()[name], second.encoder.state_dict()[name]
    assert torch.equal(one, other) != tuned
    assert (first.encoder is second.encoder) != tuned
    if not tuned:
        assert first._store is second._store is not None
    tagger = roseq_allennlp.load(tmp_path / "run" / "model.tar.gz")
    model = tagger._model
    assert_equal(model.state_dict(), weights(tmp_path / "run"))
    batches = []
    first, second = (member._text_field_embedder.token_embedder_tokens for member in model.members)
    for encoder in {first.encoder, second.encoder}:
        encoder.register_forward_pre_hook(lambda *_: batches.append(1))
    together = list(tagger.tag_many(sentences()[:1]))
    assert len(batches) == 1 + tuned
    # As if each member had its own, as in archives of before.
    second.encoder = copy.deepcopy(second.encoder)
    apart = list(tagger.tag_many(sentences()[:1]))
    assert apart == together and len(batches) == (4 if tuned else 3)


def test_an_archive_names_no_weight_of_an_ensemble_more_often_than_it_may(
    encoder_config, tiny_encoder, encoder_run
) -> None:
    config = encoder_config(tiny_encoder, False, ensemble=MOST_NAMES + 2)
    model = Model.from_params(
        Params(config["model"]), vocab=Vocabulary.from_files(str(encoder_run(False) / "vocabulary"))
    )
    encoders = [member._text_field_embedder.token_embedder_tokens.encoder for member in model.members]
    assert [encoders.count(encoder) for encoder in encoders] == [MOST_NAMES] * MOST_NAMES + [1, 1]


@KINDS
@pytest.mark.parametrize("switches", [{}, {"bilstm": False, "characters": False}], ids=["whole", "plain"])
def test_recovery_is_exact(encoder_config, tiny_encoder, tmp_path, monkeypatch, tuned: bool, switches) -> None:
    """Bit for bit, from the middle of an epoch too, with a scheduler by steps and all components."""
    from roseq_allennlp.training.callbacks import ExactRecoveryCallback

    config = encoder_config(tiny_encoder, tuned, num_epochs=3, **switches)
    config["data_loader"]["batch_size"] = 4
    train_model(Params(json.loads(json.dumps(config))), str(tmp_path / "whole"), file_friendly_logging=True)

    plain = ExactRecoveryCallback.on_batch

    def stopped(self: Any, trainer: Any, *args: Any, **kwargs: Any) -> None:
        if trainer._epochs_completed == 1 and trainer._batches_in_epoch_completed == 3:
            self._stop = KeyboardInterrupt
        plain(self, trainer, *args, **kwargs)

    monkeypatch.setattr(ExactRecoveryCallback, "on_batch", stopped)
    with pytest.raises(KeyboardInterrupt):
        train_model(Params(json.loads(json.dumps(config))), str(tmp_path / "parts"), file_friendly_logging=True)
    monkeypatch.setattr(ExactRecoveryCallback, "on_batch", plain)
    train_model(
        Params(json.loads(json.dumps(config))), str(tmp_path / "parts"), recover=True, file_friendly_logging=True
    )
    assert_equal(weights(tmp_path / "parts"), weights(tmp_path / "whole"))
    ours, theirs = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("parts", "whole"))
    for key in theirs.keys() - {"training_duration", "training_start_epoch", "training_epochs"}:
        if not key.endswith(("_MB", "duration")):
            assert ours[key] == theirs[key], key


@KINDS
def test_the_data_loader_of_allennlp(encoder_config, tiny_encoder, tmp_path, tuned: bool) -> None:
    """The same weights with `multiprocess`, whose batches are indexed anew each time."""
    runs = []
    for name, loader in (("ours", "in_memory"), ("theirs", "multiprocess")):
        config = encoder_config(tiny_encoder, tuned)
        for key in ("data_loader", "validation_data_loader"):
            config[key]["type"] = loader
        runs.append(tmp_path / name)
        train_model(Params(config), str(runs[-1]), file_friendly_logging=True)
    assert_equal(*map(weights, runs))


@pytest.mark.parametrize(
    "options", [{"num_gradient_accumulation_steps": 2}, {"moving_average": {"type": "exponential"}}]
)
@KINDS
def test_accumulation_and_moving_average(encoder_config, tiny_encoder, tmp_path, tuned: bool, options) -> None:
    config = encoder_config(tiny_encoder, tuned)
    config["trainer"].update(options)
    train_model(Params(config), str(tmp_path / "run"), file_friendly_logging=True)
    assert roseq_allennlp.load(tmp_path / "run" / "model.tar.gz").tag("Fine .")["tags"]


def test_bfloat16_and_gradient_checkpointing(encoder_config, tiny_encoder, tmp_path) -> None:
    """With the adversarial step, whose second pass goes through the encoder again."""
    config = encoder_config(tiny_encoder, True)
    embedder = config["model"]["text_field_embedder"]["token_embedders"]["tokens"]
    embedder.update(bfloat16=True, gradient_checkpointing=True)
    train_model(Params(config), str(tmp_path / "run"), file_friendly_logging=True)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert 0 < metrics["training_adversarial_loss"] < 100
    assert all(value.dtype == torch.float32 for value in weights(tmp_path / "run").values())
    assert roseq_allennlp.load(tmp_path / "run" / "model.tar.gz").tag("Fine .")["tags"]


@KINDS
def test_distributed_training(encoder_config, tiny_encoder, tmp_path, tuned: bool) -> None:
    """Two processes write one archive, which opens; with the adversarial step and a window for long sentences."""
    config = encoder_config(tiny_encoder, tuned, num_epochs=1)
    config["distributed"] = {"cuda_devices": [-1, -1], "ddp_accelerator": {"type": "torch"}}
    train_model(Params(config), str(tmp_path / "run"), include_package=["roseq_allennlp"], file_friendly_logging=True)
    assert sorted(path.name for path in (tmp_path / "run" / "encoder").iterdir()) == [
        *("config.json", "layout.json", "tokenizer.json")
    ]
    assert roseq_allennlp.load(tmp_path / "run" / "model.tar.gz").tag("Fine .")["tags"]


def test_one_encoder_a_run(encoder_config, tiny_encoder, tiny_byte_level, tmp_path) -> None:
    config = encoder_config(tiny_encoder, True)
    config["model"]["text_field_embedder"]["token_embedders"]["tokens"]["model_name"] = str(tiny_byte_level)
    with pytest.raises(ConfigurationError, match="A run has one encoder"):
        train_model(Params(config), str(tmp_path / "run"), file_friendly_logging=True)


def test_a_run_that_has_lost_its_encoder_s_folder_recovers(encoder_config, tiny_encoder, tmp_path) -> None:
    import shutil

    shutil.copytree(tiny_encoder, tmp_path / "model")
    config = encoder_config(tmp_path / "model", True)
    train_model(Params(json.loads(json.dumps(config))), str(tmp_path / "run"), file_friendly_logging=True)
    shutil.rmtree(tmp_path / "model")
    before = weights(tmp_path / "run")
    train_model(Params(json.loads(json.dumps(config))), str(tmp_path / "run"), recover=True, file_friendly_logging=True)
    assert_equal(weights(tmp_path / "run"), before)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        train_model(Params(config), str(tmp_path / "anew"), file_friendly_logging=True)


def test_layer_wise_decay(encoder_config, tiny_encoder, tmp_path) -> None:
    """Each parameter has the learning rate of its layer."""
    from _jsonnet import evaluate_snippet
    from allennlp.training.optimizers import make_parameter_groups

    lib = Path("training_configs/lib/vectors.libsonnet").resolve()
    source = f"(import '{lib}').transformer('x', tune=true, lr=1, layer_decay=0.5, layers=2).parameter_groups"
    groups = json.loads(evaluate_snippet("x", source))
    embedder = TransformerEmbedder(str(tiny_encoder), trainable=True)
    named = [
        (f"_members.0._text_field_embedder.token_embedder_tokens.{name}", p) for name, p in embedder.named_parameters()
    ]
    rates = {
        id(parameter): group.get("lr")
        for group in make_parameter_groups([*named, ("crf.transitions", torch.nn.Parameter(torch.zeros(1)))], groups)
        for parameter in group["params"]
    }
    for name, parameter in named:
        expected = 1 if "layer.1." in name else 0.5 if "layer.0." in name else 0.25
        assert rates[id(parameter)] == expected, name
    assert list(rates.values()).count(None) == 1


def test_predict_ray(encoder_run, tmp_path) -> None:
    """On a local cluster, whose actors load the archive."""
    import subprocess
    import sys

    archive = encoder_run(False) / "model.tar.gz"
    lines, output = tmp_path / "in.jsonl", tmp_path / "out"
    lines.write_text("".join(json.dumps({"tokens": words}) + "\n" for words in sentences()))
    command = ("predict-ray", lines, output, "--archive", archive, "--actors", 1, "--quiet")
    result = subprocess.run(
        [sys.executable, "-m", "roseq_allennlp", *map(str, command)], capture_output=True, text=True, timeout=240
    )
    assert result.returncode == 0, result.stderr
    rows = [json.loads(line) for part in sorted(output.iterdir()) for line in part.read_text().splitlines()]
    expected = roseq_allennlp.load(archive).tag_many(sentences())
    assert sorted(row["tags"] for row in rows) == sorted(answer["tags"] for answer in expected)
