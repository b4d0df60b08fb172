"""What `roseq train` shows, in place of what AllenNLP would."""

import argparse
import contextlib
import json
import logging
import multiprocessing
import shlex
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from allennlp.commands import train
from allennlp.common import Params
from allennlp.common import logging as common_logging
from allennlp.models import Model
from allennlp.models.archival import CONFIG_NAME
from allennlp.training import GradientDescentTrainer

from roseq_allennlp import plugins
from roseq_allennlp.commands.allennlp_bars import bars_shown, replaced
from roseq_allennlp.console import Console
from roseq_allennlp.data.corpora import SCHEME
from roseq_allennlp.logs import log_to, user_logs
from roseq_allennlp.models.tagger import Tagger
from roseq_allennlp.training.callbacks.score_table import show_scores
from roseq_allennlp.training.epoch_lines import EpochLines
from roseq_allennlp.training.run_header import run_header
from roseq_allennlp.training.trainer_access import TrainerAccess


@contextlib.contextmanager
def run_shown(console: Console, verbose: bool) -> Iterator[None]:
    """Within it, training shows its header, epochs and scores, in the processes that it starts too, and logs to its directory."""
    with replaced(train, "_train_worker", partial(_train_worker, console, verbose)), _observed(console):
        yield


def _train_worker(console: Console, verbose: bool, process_rank: int, *args: Any, **kwargs: Any) -> Any:
    if multiprocessing.parent_process() is None:
        return plugins.train_worker(process_rank, *args, **kwargs)
    with user_logs(console if process_rank == 0 else None, "roseq train", verbose, is_run=True), _observed(console):
        return plugins.train_worker(process_rank, *args, **kwargs)


@contextlib.contextmanager
def _observed(console: Console) -> Iterator[None]:
    with (
        bars_shown(console, "training"),
        replaced(train, "TrainModel", _ObservedTrainModel(console, train.TrainModel)),
        replaced(
            common_logging, "prepare_global_logging", partial(_log_to_directory, common_logging.prepare_global_logging)
        ),
    ):
        yield


class _ObservedTrainModel:
    """In the place of AllenNLP's class, whose objects it makes."""

    def __init__(self, console: Console, train_model: type[train.TrainModel]) -> None:
        self._console, self._train_model = console, train_model

    def from_params(self, params: Params, serialization_dir: str, local_rank: int, **kwargs: Any) -> train.TrainModel:
        config = params.duplicate().as_dict(quiet=True)
        loop = self._train_model.from_params(
            params=params, serialization_dir=serialization_dir, local_rank=local_rank, **kwargs
        )
        trainer = getattr(loop, "trainer", None)
        if isinstance(trainer, GradientDescentTrainer):
            access = TrainerAccess(trainer)
            header = run_header(config, access, str(serialization_dir))
            if local_rank == 0:
                self._console.report_fields(header)
            access.observe(EpochLines(str(serialization_dir), self._console))
        return loop


def _log_to_directory(prepare: Any, *args: Any, **kwargs: Any) -> None:
    """AllenNLP's function `prepare`, of which the handler of the file is kept."""
    root = logging.getLogger()
    handlers, hook = root.handlers[:], sys.excepthook
    prepare(*args, **kwargs)
    sys.excepthook = hook
    (file,) = [handler for handler in root.handlers if isinstance(handler, logging.FileHandler)]
    root.handlers[:] = handlers
    log_to(file)


def show_end_of_run(args: argparse.Namespace, console: Console) -> None:
    """Where the archive is, and the commands that come next; before them the test scores, if the config asked for them."""
    directory = Path(args.serialization_dir)
    if args.dry_run:
        console.print(f"Nothing was trained (--dry-run); the vocabulary is in {directory / 'vocabulary'}.")
        return
    config = json.loads((directory / CONFIG_NAME).read_text(encoding="utf-8"))
    if (file := directory / "metrics.json").exists():
        metrics = json.loads(file.read_text(encoding="utf-8"))
        show_scores(metrics, "Test scores of the best epoch", console, "test_")
    archive = str(directory / "model.tar.gz")
    commands = list(_next_commands(config, archive))
    console.print("")
    console.print(f"The archive is {archive}." + (" What comes next:" if commands else ""))
    for command in commands:
        options = [f"--include-package={name}" for name in args.include_package]
        console.print(f"  {shlex.join(['roseq', *map(str, command), *options])}", is_command=True)


def _next_commands(config: dict[str, Any], archive: str) -> Iterator[list[Any]]:
    model = config["model"]
    name = model["type"] if isinstance(model, dict) else model
    if name != "from_archive" and not issubclass(Model.resolve_class_name(name)[0], Tagger):
        return
    train_data, test = config.get("train_data_path"), config.get("test_data_path")
    if isinstance(train_data, str) and train_data.startswith(f"{SCHEME}://"):
        test = test or f"{train_data.rpartition('/')[0]}/test"
    yield ["evaluate", archive, test or "TEST"]
    yield ["report", archive, config.get("validation_data_path") or "DATA"]
    yield ["predict", archive, "TEXTS"]
