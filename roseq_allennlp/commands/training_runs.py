"""Training runs one after another, each in a process of its own, that go on where they stopped."""

import argparse
import multiprocessing
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from allennlp.commands.train import train_model_from_file
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.commands.training_checks import check_training
from roseq_allennlp.commands.with_allennlp import safer_functions
from roseq_allennlp.console import Bar, Console
from roseq_allennlp.experiments.measuring import epochs_of
from roseq_allennlp.predictors.worker_pool import end_with_parent

_LINES_SHOWN = 20  # from the end of a failed run's log

Train = Callable[[Path, Path, Path, bool], "multiprocessing.process.BaseProcess"]
"""Starts a training run in a new process: see `start_training`."""


def keep_text(file: Path, text: str, directory: Path) -> None:
    """
    Writes what runs in `directory` begin with, such as a config.

    # Raises

    `ConfigurationError`: they were begun with another text.
    """
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    elif file.read_text(encoding="utf-8") != text:
        raise ConfigurationError(
            f"{file}: the run there was begun with other settings. Give another --serialization-dir, the settings it was"
            f" begun with, or remove {directory}."
        )


def train_to_the_end(run: Path, train: Train, console: Console, show: Callable[[str], Any]) -> None:
    """
    Trains the run of the directory `run` by the config `run.json`, with the log `run.log`; one that stopped goes on from its
    last checkpoint. `show` is called with the state of the run.

    # Raises

    `ConfigurationError`: the training failed, or was stopped.
    """
    config, log = run.with_suffix(".json"), run.with_suffix(".log")
    recover = any(run.glob("training_state_e*.th"))  # without a checkpoint the run starts again
    process = train(config, run, log, recover)
    try:
        while process.is_alive():
            process.join(timeout=1)
            show(state_of(run))
    except BaseException as error:  # SIGTERM too: Python would wait for the end of the run
        process.terminate()
        process.join()
        if isinstance(error, KeyboardInterrupt):
            raise ConfigurationError("stopped. The same command goes on where this was.") from None
        raise
    if process.exitcode != 0 or not (run / "metrics.json").exists():
        with open(log, encoding="utf-8", errors="replace") as file:
            for line in deque(file, _LINES_SHOWN):
                console.say(line.rstrip("\n"))
        raise ConfigurationError(f"{run}: training failed. Above is the end of {log}.")


def describe(bar: Bar, name: str, state: str) -> None:
    """Shows the state of the run of that name in a bar."""
    bar.set_description(f"{name}{state}")


def state_of(run: Path) -> str:
    """The last epoch of a run that trains and its best development F1; empty before the end of the first one."""
    try:
        epochs = epochs_of(run)
    except ValueError:  # an epoch's file is being written
        return ""
    if not epochs:
        return ""
    best = epochs[-1].get("best_validation_f1-measure-overall", 0.0)
    return f": epoch {epochs[-1]['epoch']}, best development F1 {100 * best:.2f}"


def start_training(config: Path, run: Path, log: Path, recover: bool) -> "multiprocessing.process.BaseProcess":
    """Starts a training run in a new process, with its own memory and random numbers, that ends when this one ends."""
    process = multiprocessing.get_context("spawn").Process(target=_train, args=(config, run, log, recover))
    process.start()
    return process


def _train(config: Path, run: Path, log: Path, recover: bool) -> None:
    threading.Thread(target=end_with_parent, daemon=True).start()
    with open(log, "a", encoding="utf-8") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    args = argparse.Namespace(param_path=config, overrides="")
    try:
        check_training(args)
        with safer_functions():
            train_model_from_file(
                config, run, args.overrides, recover=recover, force=not recover, file_friendly_logging=True
            )
    except ConfigurationError as error:
        raise SystemExit(f"error: {error.message}") from error
