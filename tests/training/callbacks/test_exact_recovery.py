"""Runs that are killed and recovered, against the same run that never was."""

import json
import multiprocessing
import os
import random
import signal
import threading
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
import torch
from allennlp.commands.train import TrainModel, train_model_from_file
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.training.callbacks import TrainerCallback

from roseq_allennlp.training.callbacks import ExactRecoveryCallback, exact_recovery
from roseq_allennlp.training.continued_run import continue_run

CONFIG = "training_configs/fixture.jsonnet"
STREAM = {"type": "multiprocess", "batch_size": 8, "max_instances_in_memory": 16, "shuffle": True}
VARIANTS: dict[str, dict[str, Any]] = {
    "shipped": {},
    "bucketed": {"data_loader": {"type": "in_memory", "batch_sampler": {"type": "bucket", "batch_size": 8}}},
    "larger than memory": {"data_loader": STREAM},
    "part of an epoch": {"data_loader.batches_per_epoch": 3},
    "accumulation": {"trainer.num_gradient_accumulation_steps": 2},
    "moving average": {"trainer.moving_average": {"type": "exponential", "decay": 0.9}},
    "decoding in training": {"model.decode_in_training": True},
    "ensemble": {
        "model": {"type": "tagger_ensemble", "size": 2, "member": Params.from_file(CONFIG)["model"].as_dict()},
        "trainer.num_gradient_accumulation_steps": 2,
        "trainer.moving_average": {"type": "exponential", "decay": 0.9},
    },
    "augmentation": {"callbacks": [{"type": "augmentation"}]},
    "augmentation, part of an epoch": {"callbacks": [{"type": "augmentation"}], "data_loader.batches_per_epoch": 3},
    "trainable vectors": {"model.text_field_embedder.token_embedders.tokens.type": "embedding"},
}
KILL: dict[str, Any] = dict.fromkeys(
    ("epoch", "batch", "training", "signal")
)  # of this process: where it ends itself, and how


@TrainerCallback.register("end_itself")
class EndItself(TrainerCallback):
    def on_batch(
        self,
        trainer: Any,
        inputs: Any,
        outputs: Any,
        metrics: Any,
        epoch: int,
        batch_number: int,
        is_training: bool,
        **kwargs: Any,
    ) -> None:
        if (epoch, batch_number, is_training) == (KILL["epoch"], KILL["batch"], KILL["training"]):
            os.kill(os.getpid(), KILL["signal"])


def train(directory: Path, overrides: dict[str, Any], recover: bool = False) -> None:
    changes = json.dumps(changes_of_config(overrides))
    if recover:
        continue_run(str(directory), Params.from_file(CONFIG, changes).as_dict(quiet=True))
    train_model_from_file(CONFIG, directory, overrides=changes, recover=recover)


def changes_of_config(overrides: dict[str, Any]) -> dict[str, Any]:
    config = {
        "data_loader.batch_size": 8,
        "trainer.num_epochs": 5,
        **overrides,
        "trainer.callbacks": [
            {"type": "end_itself"},
            {"type": "exact_recovery"},
            {"type": "label_statistics"},
            {"type": "adversarial"},
            *overrides.get("callbacks", ()),
        ],
    }
    config.pop("callbacks", None)
    if "data_loader" in overrides:
        del config["data_loader.batch_size"]
    return config


def train_and_kill(directory: Path, overrides: dict[str, Any], recover: bool = False, **kill: Any) -> int:
    def child() -> None:
        KILL.update({"signal": signal.SIGKILL, "batch": 2, "training": True, **kill})
        train(directory, overrides, recover)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(120)
    assert process.exitcode is not None
    return process.exitcode


def results(directory: Path) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], dict[str, Any]]:
    """Weights of the best and of the last epoch, and the metrics."""
    last = max(directory.glob("model_state_e*"), key=lambda path: int(path.name.split("_e")[1].split("_")[0]))
    return torch.load(directory / "best.th"), torch.load(last), without_time(directory / "metrics.json")


def without_time(path: Path) -> dict[str, Any]:
    metrics = json.loads(path.read_text())
    return {name: value for name, value in metrics.items() if "duration" not in name and "memory" not in name}


def assert_equal(one: Path, other: Path) -> None:
    *weights, metrics = results(one)
    *other_weights, other_metrics = results(other)
    assert metrics == other_metrics
    for state, other_state in zip(weights, other_weights, strict=True):
        assert state.keys() == other_state.keys()
        assert all(torch.equal(state[name], other_state[name]) for name in state)
    for path in one.glob("metrics_epoch_*.json"):
        assert without_time(path) == without_time(other / path.name)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    runs: dict[str, Path] = {}

    def run(name: str) -> Path:
        if name not in runs:
            runs[name] = tmp_path_factory.mktemp("unbroken")
            train(runs[name], VARIANTS[name])
        return runs[name]

    return run


@pytest.mark.parametrize("name", VARIANTS)
def test_a_killed_run_ends_as_one_that_was_not(name, unbroken, tmp_path):
    for epoch in (1, 3):  # the second kill is of a run that was itself recovered
        assert train_and_kill(tmp_path, VARIANTS[name], recover=epoch == 3, epoch=epoch) == -signal.SIGKILL
    train(tmp_path, VARIANTS[name], recover=True)
    assert_equal(unbroken(name), tmp_path)


def test_killed_before_any_checkpoint(unbroken, tmp_path):
    assert train_and_kill(tmp_path, {}, epoch=0) == -signal.SIGKILL
    train(tmp_path, {}, recover=True)
    assert_equal(unbroken("shipped"), tmp_path)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("shipped", signal.SIGINT),
        ("shipped", signal.SIGTERM),
        ("larger than memory", signal.SIGINT),
        ("accumulation", signal.SIGINT),
        ("moving average", signal.SIGINT),
        ("decoding in training", signal.SIGINT),
    ],
)
def test_a_signal_saves_the_state(name, number, unbroken, tmp_path, capfd):
    assert train_and_kill(tmp_path, VARIANTS[name], epoch=2, signal=number) != 0
    assert "Stopping after this batch, with a checkpoint." in capfd.readouterr().err
    assert (tmp_path / "model_state_e2_b2.th").exists()
    train(tmp_path, VARIANTS[name], recover=True)
    assert_equal(unbroken(name), tmp_path)


def test_a_signal_in_the_last_batch_of_an_epoch(unbroken, tmp_path):
    batches = 17  # of 8 of the 130 sentences
    assert train_and_kill(tmp_path, {}, epoch=2, batch=batches, signal=signal.SIGINT) != 0
    assert (tmp_path / "model_state_e3_b1.th").exists()
    train(tmp_path, {}, recover=True)
    assert_equal(unbroken("shipped"), tmp_path)


def test_a_checkpoint_after_the_last_batch_before_validation(unbroken, tmp_path):
    overrides = {"trainer.checkpointer.save_every_num_batches": 17}
    assert train_and_kill(tmp_path, overrides, epoch=2, batch=1, training=False) == -signal.SIGKILL
    assert (tmp_path / "model_state_e2_b17.th").exists()
    train(tmp_path, overrides, recover=True)
    assert_equal(unbroken("shipped"), tmp_path)


def test_best_weights_lost_with_the_process_are_written_anew(unbroken, tmp_path):
    best = json.loads((unbroken("shipped") / "metrics.json").read_text())["best_epoch"]
    if best + 1 < 5:
        assert train_and_kill(tmp_path, {}, epoch=best + 1) == -signal.SIGKILL
    else:
        train(tmp_path, {})
    (tmp_path / "best.th").unlink()  # it may be a link to the checkpoint
    (tmp_path / "best.th").write_bytes(b"torn")
    train(tmp_path, {}, recover=True)
    assert_equal(unbroken("shipped"), tmp_path)


def test_best_weights_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    overrides = {**VARIANTS["moving average"], "trainer.num_epochs": 3, "trainer.validation_metric": "-loss"}
    plain, written = torch.save, []

    def fail_once(state: Any, path: Path) -> None:
        if path.name.startswith(".best.th") and len(written) == 1:
            path.write_bytes(b"half")
            raise RuntimeError("file write failed")
        plain(state, path)
        written.extend([path] if path.name.startswith(".best.th") else [])

    monkeypatch.setattr(torch, "save", fail_once)
    with pytest.raises(OSError, match="best.th could not be written: file write failed"):
        train(tmp_path / "broken", overrides)
    assert (tmp_path / "broken" / "model_state_e2_b0.th").exists()  # of the epoch whose best.th failed
    assert torch.load(tmp_path / "broken" / "best.th").keys()
    written.append(Path())
    train(tmp_path / "broken", overrides, recover=True)
    train(tmp_path / "whole", overrides)
    assert_equal(tmp_path / "whole", tmp_path / "broken")


def test_a_complete_run_is_not_trained_further(unbroken, tmp_path):
    patience = {"trainer.patience": 1, "trainer.num_epochs": 40, "trainer.validation_metric": "+crf_loss"}
    train(tmp_path / "stopped", patience)
    for run, overrides in ((tmp_path / "stopped", patience), (unbroken("shipped"), {})):
        before = {path: path.read_bytes() for path in run.glob("*_state_*")}
        metrics = without_time(run / "metrics.json")
        assert metrics["epoch"] < 39
        (run / "model.tar.gz").unlink()
        (run / "metrics.json").unlink()
        train(run, overrides, recover=True)
        assert (run / "model.tar.gz").exists()
        assert without_time(run / "metrics.json") == metrics
        assert {path: path.read_bytes() for path in run.glob("*_state_*")} == before


@pytest.mark.parametrize("name", ["shipped", "larger than memory", "moving average", "augmentation"])
def test_more_epochs_end_as_if_the_run_had_had_them(name, unbroken, tmp_path):
    train(tmp_path, {**VARIANTS[name], "trainer.num_epochs": 2})
    train(tmp_path, VARIANTS[name], recover=True)
    assert_equal(unbroken(name), tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["trainer"]["num_epochs"] == 5


def test_more_patience_ends_as_if_the_run_had_had_it(tmp_path):
    overrides = {"trainer.num_epochs": 7, "trainer.validation_metric": "+crf_loss"}  # whose best epoch is the first
    for name, patience in (("long", 4), ("short", 2)):
        train(tmp_path / name, {**overrides, "trainer.patience": patience})
    assert json.loads((tmp_path / "short" / "metrics.json").read_text())["epoch"] == 2
    train(tmp_path / "short", {**overrides, "trainer.patience": 4}, recover=True)
    assert json.loads((tmp_path / "short" / "metrics.json").read_text())["epoch"] == 4
    assert_equal(tmp_path / "long", tmp_path / "short")


@pytest.mark.parametrize("other", [(3, 0), (2, 0), (3, 4), (0, 0)])
def test_nodes_that_start_from_different_checkpoints_are_refused(other, monkeypatch, tmp_path):
    def all_gather_object(found: list[Any], mine: Any) -> None:
        found[:] = [mine, other]

    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_gather_object", all_gather_object)
    trainer = make_trainer(tmp_path)
    trainer._distributed = True
    trainer._start_after_epochs_completed, trainer._start_after_batches_in_epoch_completed = 3, 0
    callback = ExactRecoveryCallback(str(tmp_path))
    if other == (3, 0):
        callback.on_start(trainer)
    else:
        with pytest.raises(
            ConfigurationError, match="one of them has not all of .*'model_state_e3_b0'.*--recover"
        ) as caught:
            callback.on_start(trainer)
        assert caught.value.message.startswith(
            "The nodes of this run do not start from the same checkpoint: one of them"
        )
        assert caught.value.message.endswith(
            ". Give each node --recover, and remove the checkpoints that are newer than the last one that all have."
        )


def test_the_signals_are_given_back(tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    train(tmp_path, {"trainer.num_epochs": 1})
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_second_signal_ends_at_once():
    callback = ExactRecoveryCallback("")
    callback._on_signal(signal.SIGTERM, None)
    with pytest.raises(KeyboardInterrupt):
        callback._on_signal(signal.SIGINT, None)


def test_the_scale_of_the_loss_is_kept(tmp_path):
    def start(saved: Optional[dict[str, Any]] = None) -> tuple[ExactRecoveryCallback, torch.amp.GradScaler]:
        trainer = make_trainer(tmp_path)
        trainer._scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
        trainer._start_after_epochs_completed = 1 if saved else 0
        callback = ExactRecoveryCallback(str(tmp_path))
        if saved is not None:
            callback.load_state_dict(saved)
        callback.on_start(trainer)
        callback.on_end(trainer)
        return callback, trainer._scaler

    first, scaler = start()
    scaler.scale(torch.ones(1))  # which makes it
    scaler.update(8.0)
    _, other = start(torch.load(_saved(tmp_path, first.state_dict()), weights_only=True))
    assert other.get_scale() == 8.0


@pytest.fixture
def started(tmp_path: Path) -> ExactRecoveryCallback:
    return start_callback(tmp_path)


def start_callback(
    directory: Path, saved: Optional[dict[str, Any]] = None, trainer: Optional[Any] = None
) -> ExactRecoveryCallback:
    callback = ExactRecoveryCallback(str(directory))
    if saved is not None:
        callback.load_state_dict(saved)
    callback.on_start(trainer or make_trainer(directory))
    return callback


def refused(*arguments: Any, **others: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        start_callback(*arguments, **others)
    return caught.value.message


def test_a_checkpoint_of_another_run_is_refused(started, tmp_path):
    state = started.state_dict()
    here = ["ConsoleLoggerCallback", "ConfidenceChecksCallback"]  # of AllenNLP's trainer
    assert state["vocabulary"] == exact_recovery._digest(started._model.vocab)
    assert state["callbacks"] == here
    assert refused(tmp_path, {**state, "callbacks": ["A", "B"]}) == (
        f"The run was started with the callbacks A, B; the config has {', '.join(here)}. Recover with the callbacks that the"
        " run was started with, in their order, or train anew."
    )
    assert refused(tmp_path, {**state, "vocabulary": "0"}) == (
        f"The vocabulary is not the one that the checkpoint in {tmp_path} was trained with: the training data, or the files"
        " in its directory vocabulary, have changed since. Put them back, or train anew: with --force, or into another"
        " directory."
    )
    assert refused(tmp_path, {**state, "another": 1}).startswith(
        "exact_recovery: the checkpoint holds the state of another"
    )


def test_the_vocabulary_is_told_by_what_is_in_it():
    def digest(**words: list[str]) -> str:
        vocab = Vocabulary()
        for namespace, entries in words.items():
            vocab.add_tokens_to_namespace(entries, namespace)
            vocab.get_index_to_token_vocabulary(namespace)  # which creates it
        return exact_recovery._digest(vocab)

    assert digest(words=["a"]) == digest(words=["a"]) not in (digest(), digest(words=["b"]), digest(others=["a"]))
    assert digest(words=[]) == digest()


def test_a_checkpoint_of_a_gpu_is_recovered_on_the_cpu(started, tmp_path):
    state = started.state_dict()
    on_gpu = {
        name: {**generators, "cuda": torch.zeros(16, dtype=torch.uint8)}
        for name, generators in state["generators"][0].items()
    }
    start_callback(tmp_path, {**state, "generators": [on_gpu]})._restore()


def test_a_run_of_one_epoch_is_complete_after_it(started):
    trainer = started._access._trainer
    trainer._num_epochs = trainer._start_after_epochs_completed = 1
    assert started._is_complete()
    trainer._start_after_epochs_completed = 0
    assert not started._is_complete()


def test_the_primary_process_keeps_the_best_weights(tmp_path):
    for is_primary in (True, False):
        callback = ExactRecoveryCallback(str(tmp_path))
        callback.on_start(make_trainer(tmp_path), is_primary=is_primary)
        assert callback._best._writes is is_primary


def test_an_epoch_of_one_batch_that_was_trained_before(started, monkeypatch):
    trainer = started._access._trainer
    started._loader = ["batch"]
    monkeypatch.setattr(started, "_take_over_signals", lambda: None)
    restored: list[int] = []
    monkeypatch.setattr(started, "_restore", lambda: restored.append(1))
    trainer._start_after_epochs_completed, trainer._start_after_batches_in_epoch_completed = 0, 1
    trainer._epochs_completed = 0
    assert list(started._batches()) == ["batch"]
    assert restored and "loss" in started._untrained


def test_a_checkpoint_of_version_0_1_has_no_callbacks_no_vocabulary_and_metrics_by_position(started, tmp_path):
    metric = started._metrics()["_f1"]
    metric([["U-person"]], [["U-person"]])
    state = started.state_dict()
    old = {name: value for name, value in state.items() if name not in ("callbacks", "vocabulary")}
    callback = start_callback(tmp_path, {**old, "metrics": list(state["metrics"].values())})
    assert callback._metrics()["_f1"].get_metric() == metric.get_metric() != {}
    with pytest.raises(ValueError, match="zip"):
        start_callback(tmp_path, {**old, "metrics": []})


def test_the_generators_are_set_to_their_saved_state(started, tmp_path):
    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(1))

    saved = torch.load(_saved(tmp_path, started.state_dict()), weights_only=True)
    first = draw()
    callback = start_callback(tmp_path, saved)  # as at the start of the run
    assert draw() == first != draw()
    callback._restore()
    assert draw() == first
    callback._restore()  # once
    assert draw() != first


def test_the_generator_of_the_gpu_is_kept_with_the_others(monkeypatch):
    device, given = torch.device("cuda", 3), []
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: ("state of", device))
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: given.append((state, device)))
    on_gpu, on_cpu = exact_recovery._generators(device), exact_recovery._generators(torch.device("cpu"))
    assert on_gpu["cuda"] == ("state of", device) and on_cpu["cuda"] is None
    exact_recovery._set_generators(on_gpu, torch.device("cpu"))
    exact_recovery._set_generators(on_cpu, device)
    assert not given
    exact_recovery._set_generators(on_gpu, device)
    assert given == [(("state of", device), device)]


def test_each_process_takes_its_own_generators(started, monkeypatch, tmp_path):
    generators = [
        {**started._generators(), "start": {**started._start, "python": random.Random(n).getstate()}} for n in (0, 1)
    ]
    state = {**started.state_dict(), "generators": generators}
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(
        torch.distributed, "all_gather_object", lambda starts, mine: starts.__setitem__(slice(None), [mine] * 2)
    )
    trainer = make_trainer(tmp_path)
    trainer._distributed = True
    callback = start_callback(tmp_path, state, trainer)
    assert callback._start is callback._to_restore["start"] is generators[1]["start"]
    assert random.random() == random.Random(1).random()
    assert start_callback(tmp_path, state)._to_restore is None  # one process has not what two have saved
    assert start_callback(tmp_path, {**state, "generators": None})._to_restore is None


def test_the_generators_of_all_processes_are_kept_at_the_end_of_an_epoch(started, monkeypatch):
    def all_gather_object(results: list[Any], mine: Any) -> None:
        results[:] = [mine, "another's"]

    started._access._trainer._distributed = True
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_gather_object", all_gather_object)
    started.on_epoch(started._access._trainer, {}, 0)
    first, other = started.state_dict()["generators"]
    assert first.keys() == started._generators().keys() and other == "another's"
    started._access._trainer._batches_in_epoch_completed = 1  # in the middle of an epoch: its own alone
    (alone,) = started.state_dict()["generators"]
    assert alone["start"] is started._start


def test_signals_are_taken_over_once_by_the_main_thread_of_one_process(started, monkeypatch):
    handlers: list[tuple[int, Any]] = []
    monkeypatch.setattr(signal, "signal", lambda number, handler: handlers.append((number, handler)) or f"old {number}")
    started._access._trainer._distributed = True
    started._take_over_signals()
    started._access._trainer._distributed = False
    thread = threading.Thread(target=started._take_over_signals)
    thread.start()
    thread.join()
    assert not handlers
    started._take_over_signals()
    started._take_over_signals()
    assert [number for number, _ in handlers] == [signal.SIGINT, signal.SIGTERM]
    started.on_end(started._access._trainer)
    assert handlers[2:] == [(number, f"old {number}") for number in (signal.SIGINT, signal.SIGTERM)]


def test_a_scale_that_is_saved_or_needed_alone(started, tmp_path):
    state = started.state_dict()
    assert state["scaler"] is None
    trainer = make_trainer(tmp_path)
    trainer._scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    start_callback(tmp_path, state, trainer)
    assert trainer._scaler.get_scale() == 4.0
    start_callback(tmp_path, {**state, "scaler": trainer._scaler.state_dict()})


def test_the_exception_of_a_signal_says_where_the_run_was(started, monkeypatch):
    started._on_signal(signal.SIGTERM, None)
    monkeypatch.setattr(started._access, "save_checkpoint", lambda: None)
    with pytest.raises(exact_recovery.SigTermReceived, match="^after batch 3 of epoch 2$"):
        started.on_batch(None, None, None, {"batch_loss": 1.0}, epoch=2, batch_number=3, is_training=True)


def test_a_signal_says_what_it_does(capfd):
    ExactRecoveryCallback("")._on_signal(signal.SIGTERM, None)
    assert capfd.readouterr().err == "\nStopping after this batch, with a checkpoint. Again to stop at once, without.\n"


@pytest.mark.parametrize("groups, steps, is_last", [(8, 2, False), (9, 2, True), (16, 1, False), (17, 1, True)])
def test_the_last_batch_is_known_where_the_length_is(groups, steps, is_last, started):
    trainer = started._access._trainer
    trainer._batches_in_epoch_completed, trainer._num_gradient_accumulation_steps = groups, steps
    started._loader = range(17)
    assert started._is_last() is is_last
    started._loader = iter(())
    assert started._is_last() is False


def test_metrics_of_a_complete_run_that_cannot_be_read(started, tmp_path):
    trainer = started._access._trainer
    trainer._start_after_epochs_completed = trainer._num_epochs
    path = tmp_path / f"metrics_epoch_{trainer._num_epochs - 1}.json"
    path.write_text('{"training_loss": 2}')
    metrics = {"training_loss": 1, "another": 3}
    started.on_end(trainer, metrics)
    assert metrics == {"training_loss": 2, "another": 3}
    path.write_text("{")
    with pytest.raises(ConfigurationError) as caught:
        started.on_end(trainer, {})
    message = caught.value.message
    assert message.startswith(f"{path}, the metrics of a run that is complete, cannot be read: Expecting property name")
    assert message.endswith(". Put a copy of it back and give --recover again, or train anew with --force.")


def _saved(directory: Path, state: Any) -> Path:
    torch.save(state, directory / "state.th")
    return directory / "state.th"


def make_trainer(directory: Path) -> Any:
    params = Params.from_file(CONFIG, json.dumps({"trainer.callbacks": []}))
    for name in ("random_seed", "numpy_seed", "pytorch_seed"):
        params.pop(name)
    return TrainModel.from_params(params=params, serialization_dir=str(directory), local_rank=0).trainer
