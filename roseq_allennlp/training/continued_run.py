"""A run that goes on with a config other than the one it was started with."""

import filecmp
import inspect
import json
import math
import os
from typing import Any

from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError
from allennlp.models.archival import CONFIG_NAME
from allennlp.training import GradientDescentTrainer
from allennlp.training.learning_rate_schedulers import LearningRateScheduler
from allennlp.training.momentum_schedulers import MomentumScheduler

from roseq_allennlp.files import replacing

_MAY_GROW = ("trainer.num_epochs", "trainer.patience")
_SCHEDULERS: dict[str, type[Registrable]] = {
    "learning_rate_scheduler": LearningRateScheduler,
    "momentum_scheduler": MomentumScheduler,
}
_ABSENT = object()


def continue_run(directory: str, config: dict[str, Any]) -> None:
    """
    Puts `config` in the place of the one that the run was started with, which AllenNLP wants to be the same. It may have more
    epochs, more patience, and other paths of files.

    # Parameters

    directory : `str`
        Directory of the run that is to go on, after `check_run`. Where it holds no config, nothing is done.
    config : `dict[str, Any]`
        The run's config, with all overrides.

    # Raises

    `ConfigurationError`: something else differs; names each key. Or the run would not end as one that had the config
    from its start, since its learning rates depend on the number of epochs.
    """
    file = os.path.join(directory, CONFIG_NAME)
    if not os.path.exists(file):
        return
    with open(file, encoding="utf-8") as stream:
        before = json.load(stream)
    old, new = _leaves(before), _leaves(config)
    # In the order of the config, and at the end the keys that it has no longer.
    differing = {key: (old.get(key, _ABSENT), new.get(key, _ABSENT)) for key in {**new, **old}}
    differing = {key: values for key, values in differing.items() if values[0] != values[1]}
    if not differing:
        return
    faults = [fault for key, values in differing.items() if (fault := _fault(key, *values))]
    if faults:
        raise ConfigurationError(
            f"the config is not the one that the run in {directory} was started with: {'; '.join(faults)}. With --recover"
            " trainer.num_epochs and trainer.patience may grow and files may move. Put the rest back, or train anew: with"
            " --force, or into another directory."
        )
    if "trainer.num_epochs" in differing:
        for key, base in _SCHEDULERS.items():
            scheduler = (config["trainer"].get(key) or {}).get("type")
            if scheduler and "num_epochs" in inspect.signature(base.resolve_class_name(scheduler)[0]).parameters:
                raise ConfigurationError(
                    f"the run in {directory} cannot have another number of epochs: with the {key} {scheduler} the epochs that"
                    f" are done would have been others. Put trainer.num_epochs back, or train anew: with --force, or into"
                    " another directory."
                )
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(config, indent=4), encoding="utf-8")


def _leaves(value: Any, key: str = "") -> dict[str, Any]:
    """The values of a config by their dotted keys, in which a position in a list is a number. An empty object is a value."""
    if not (value and isinstance(value, (dict, list))):
        return {key: value}
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    return {
        leaf: part
        for name, item in parts
        for leaf, part in _leaves(item, f"{key}.{name}" if key else str(name)).items()
    }


def _fault(key: str, old: Any, new: Any) -> str:
    """What is wrong with a key that has changed; nothing if it may."""
    if key in _MAY_GROW:
        if _number(key, new) >= _number(key, old):
            return ""
        return f"{key} is {_shown(new)}, less than {_shown(old)}"
    if isinstance(old, str) and isinstance(new, str) and os.path.exists(new) and not key.endswith("type"):
        if os.path.exists(old) and not _same(old, new):
            return f"{key}: {new} and {old} differ"
        if os.path.exists(old) or os.path.basename(old.rstrip("/")) == os.path.basename(new.rstrip("/")):
            return ""
    if old is _ABSENT:
        return f"{key} is new"
    return f"{key} is missing" if new is _ABSENT else f"{key} is {_shown(new)}, not {_shown(old)}"


def _number(key: str, value: Any) -> float:
    """Absent is the trainer's default; without a patience training goes on to the end."""
    if value is _ABSENT:
        value = inspect.signature(GradientDescentTrainer.from_partial_objects).parameters[key.partition(".")[2]].default
    return math.inf if value is None else value


def _shown(value: Any) -> str:
    return "the default" if value is _ABSENT else json.dumps(value)


def _same(one: str, other: str) -> bool:
    """Whether two files, or all files of two folders, have the same content."""
    if os.path.isdir(one) != os.path.isdir(other):
        return False
    if not os.path.isdir(one):
        return filecmp.cmp(one, other, shallow=False)
    names = set(os.listdir(one))
    return names == set(os.listdir(other)) and all(
        _same(os.path.join(one, name), os.path.join(other, name)) for name in names
    )
