"""Changes to a config that a command line gives, as AllenNLP reads them; what is wrong with them is told of them alone."""

import difflib
import json
from os import PathLike
from pathlib import Path
from typing import Any, Optional, Union

from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.params import parse_overrides, with_overrides


class OverridesError(ConfigurationError):
    """What is wrong with overrides, which the message begins with."""


def read_config(
    path: Union[str, PathLike],
    overrides: Union[str, dict[str, Any]] = "",
    option: str = "-o",
    variables: Optional[dict[str, Any]] = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """
    # Parameters

    path : `Union[str, PathLike]`
        A config in Jsonnet.
    overrides : `Union[str, Dict[str, Any]]`, optional
        As `-o` has them.
    option : `str`, optional (default = `"-o"`)
        What they are called in errors.
    variables : `Dict[str, Any]`, optional
        Jsonnet's external variables, beside those of the environment.

    # Returns

    `Tuple[Dict[str, Any], Dict[str, Any]]`
        The config of the file, and that with the overrides.

    # Raises

    `ConfigurationError`: the file is no config. `OverridesError`: the overrides are no JSON object, or do not fit it.
    """
    changes = parsed(overrides, option)  # first, as they take no time
    unreadable = f"{path}: cannot be read as a training config."
    if Path(path).is_dir():  # Jsonnet would end the process
        raise ConfigurationError(f"{unreadable} It is a directory.")
    try:
        config = Params.from_file(path, "", variables or {}).params
    except (OSError, RuntimeError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"{unreadable} {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise ConfigurationError(f"{unreadable} It must be an object with keys, and is {_kind(config)}.")
    return config, changed(config, changes, option)


def parsed(overrides: Union[str, dict[str, Any]], option: str = "-o") -> dict[str, Any]:
    """
    # Raises

    `OverridesError`: they are no JSON object.
    """
    example = """'{"trainer.num_epochs": 10}'"""
    try:
        changes = overrides if isinstance(overrides, dict) else parse_overrides(overrides)
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise OverridesError(f"{option} {overrides}: is no JSON ({reason}). Write it as {example}.") from error
    if not isinstance(changes, dict):
        raise OverridesError(
            f"{option} {overrides}: must be an object with keys, and is {_kind(changes)}. Write it as {example}."
        )
    return changes


def changed(config: dict[str, Any], changes: dict[str, Any], option: str = "-o") -> dict[str, Any]:
    """
    A config with what `parsed` gives.

    # Raises

    `OverridesError`: they change what is not there.
    """
    try:
        return with_overrides(config, changes) if changes else config
    except (ValueError, AttributeError) as error:
        misfits = filter(None, (_misfit(config, changes, key) for key in changes))
        raise OverridesError(f"{option}: {next(misfits, str(error))}") from error


def _misfit(config: dict[str, Any], changes: dict[str, Any], key: str) -> Optional[str]:
    """Why `with_overrides` cannot apply the change of `key`, which may add a last part to an object, but no other."""
    value: Any = config
    parts = key.split(".")
    for number, part in enumerate(parts):
        where = ".".join(parts[:number])
        if number and where in changes:
            return (
                f"`{key}` cannot be changed beside `{where}`, which is replaced as a whole. Put the one into the other."
            )
        last = number == len(parts) - 1
        if isinstance(value, list):
            if not (part.isdecimal() and str(int(part)) == part and int(part) < len(value)):
                return f"`{key}`: `{where}` is a list of {len(value)}, numbered from 0, and has no {part!r}."
            value = value[int(part)]
        elif isinstance(value, dict):
            if part not in value and not last:
                if close := difflib.get_close_matches(part, value, 1):
                    return f"`{key}`: the config has no `{'.'.join(parts[: number + 1])}`; did you mean `{close[0]}`?"
                rest: Any = changes[key]
                for inner in reversed(parts[number + 1 :]):
                    rest = {inner: rest}
                whole = json.dumps({".".join(parts[: number + 1]): rest}, ensure_ascii=False)
                return f"`{key}`: the config has no `{'.'.join(parts[: number + 1])}`. To add it, give it whole: '{whole}'."
            value = value.get(part)
        else:
            return f"`{key}`: `{where}` is {json.dumps(value, ensure_ascii=False)}, which has no keys."
    return None


def _kind(value: Any) -> str:
    kinds = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
