"""The directory of a run: what one that goes on reads there, and what one that never begins leaves there."""

import argparse
import contextlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any, Optional, Union

from allennlp.commands import find_learning_rate
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.models.archival import CONFIG_NAME
from allennlp.training import util
from torch.optim.optimizer import register_optimizer_step_post_hook

_MARKER_VARIABLE = "ROSEQ_NEW_RUN"  # for the processes of a distributed run
_MAKERS: tuple[Any, ...] = (util, find_learning_rate)  # where `train` and `find-lr` look for the function that makes it
_create_serialization_dir = util.create_serialization_dir


def check_run(directory: str, distributed: Any) -> None:
    """
    # Parameters

    directory : `str`
        Directory of the run that is to go on.
    distributed : `Any`
        The config's key of that name: its processes read the vocabulary there, where one process makes it anew.

    # Raises

    `ConfigurationError`: the config or the vocabulary there is damaged.
    """
    way_out = (
        "Put a copy of it back, such as the one that the same config with --dry-run writes into another directory, and go on"
        " with --recover; or train anew with --force."
    )
    file = os.path.join(directory, CONFIG_NAME)
    if os.path.exists(file):
        try:
            with open(file, encoding="utf-8") as stream:
                if not isinstance(json.load(stream), dict):
                    raise ValueError("it is no object with keys")
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigurationError(f"{file} is damaged: {error}. {way_out}") from error
    folder = os.path.join(directory, "vocabulary")
    if distributed and os.path.exists(file):
        try:
            Vocabulary.from_files(folder)
        except Exception as error:  # whatever the lines of damaged files lead to
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ConfigurationError(f"{folder} is damaged: {reason}. {way_out}") from error


class NewRun:
    """
    The directory of a run that has not begun to train, as it was before: if the run fails before its first step, the
    corrected command finds the directory as the first one did.
    """

    def __init__(self, marker: Path) -> None:
        self._marker = marker  # there as long as no step is done; holds where the run is that `--force` replaces
        self._marker.touch()
        self._directory: Optional[Path] = None
        self._made: list[Path] = []  # the directory and those above it, as far as they are new, from the top
        self.undone = False

    def create(self, params: Params, serialization_dir: Union[str, PathLike], recover: bool, force: bool) -> None:
        """AllenNLP's `create_serialization_dir`, but what is there with `force` is kept until the run begins."""
        directory = Path(serialization_dir)
        if recover:
            _create_serialization_dir(params, serialization_dir, recover, force)
            return
        replaced: Optional[Path] = None
        if force and directory.is_dir() and not directory.is_symlink() and any(directory.iterdir()):
            kept = directory.absolute().with_name(f".{directory.name}.replaced-{secrets.token_hex(4)}")
            with contextlib.suppress(OSError):  # where something is mounted there AllenNLP removes what it holds
                directory.rename(kept)
                self._marker.write_bytes(os.fsencode(kept))
                replaced = kept
        try:
            made = [path for path in (directory, *directory.parents) if not path.exists()][::-1]
            _create_serialization_dir(params, serialization_dir, recover, force)
        except OSError as error:
            if replaced is not None:
                replaced.rename(directory)
                self._marker.write_bytes(b"")
            reason = error.strerror or error
            raise ConfigurationError(
                f"{directory}: the run's directory cannot be made ({reason}). Choose another one with -s."
            ) from error
        self._directory, self._made = directory, made

    def undo(self) -> None:
        """After a failure. Does nothing where a step has been done, or nothing was made."""
        if self._directory is None or not self._marker.exists():
            return
        replaced = os.fsdecode(self._marker.read_bytes())
        for path in self._directory.iterdir() if self._directory.is_dir() else ():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        for path in reversed(self._made):
            with contextlib.suppress(OSError):  # another has put something there meanwhile
                path.rmdir()
        if replaced:
            os.rename(replaced, self._directory)
        self.undone = True


@contextlib.contextmanager
def new_run(args: argparse.Namespace) -> Iterator[None]:
    """
    Within it a run of AllenNLP's `train` or `find-lr` leaves its directory as it was if it fails before its first training
    step; then `args.undone` is true. A process of a distributed run imports this module and notes its own first step.
    """
    args.undone = False
    with tempfile.TemporaryDirectory() as folder:
        run = NewRun(Path(folder, "new"))
        os.environ[_MARKER_VARIABLE] = str(run._marker)
        hook = note_first_step()
        for module in _MAKERS:
            module.create_serialization_dir = run.create
        try:
            yield
            _begin()
        except BaseException:
            with contextlib.suppress(OSError):
                run.undo()
                args.undone = run.undone
            raise
        finally:
            for module in _MAKERS:
                module.create_serialization_dir = _create_serialization_dir
            hook.remove()
            os.environ.pop(_MARKER_VARIABLE, None)


def note_first_step() -> Any:
    """From the first step of any optimizer of this process on the run has begun. Returns the handle that ends this."""
    return register_optimizer_step_post_hook(lambda *_: _begin())


def _begin() -> None:
    """What the run replaces goes."""
    marker = Path(os.environ.get(_MARKER_VARIABLE, ""))
    if marker.is_file():
        with contextlib.suppress(FileNotFoundError):  # another process was first
            replaced = os.fsdecode(marker.read_bytes())
            marker.unlink()
            if replaced:
                shutil.rmtree(replaced, ignore_errors=True)


if _MARKER_VARIABLE in os.environ:  # a process of a distributed run
    note_first_step()
