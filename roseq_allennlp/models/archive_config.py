"""The config of an untrusted archive, checked along the constructors that AllenNLP's FromParams would call."""

import collections.abc
import copy
import difflib
import inspect
import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Optional, Union

from allennlp.common import FromParams, Lazy, Params, Registrable
from allennlp.common.checks import ConfigurationError
from allennlp.common.from_params import can_construct_from_params, infer_params, remove_optional
from allennlp.common.meta import META_NAME, Meta
from allennlp.data import DataLoader, DatasetReader, Vocabulary
from allennlp.evaluation import Evaluator
from allennlp.models import Model
from allennlp.models.archival import CONFIG_NAME
from allennlp.training import Trainer
from allennlp.version import VERSION

from roseq_allennlp.models.archive_components import (
    COMPONENTS,
    LIMIT,
    LIMITS,
    NAMES_A_FILE,
    NOT_GIVEN,
    NOT_LOADED,
    NOT_LOADED_OF,
    SUPPLIED,
    UNREGISTERED,
    from_user,
)

READERS = ("dataset_reader", "validation_dataset_reader")
_BUILT: dict[str, Any] = {
    "model": Model,
    **dict.fromkeys(READERS, DatasetReader),
    **dict.fromkeys(("data_loader", "validation_data_loader"), DataLoader),  # by `evaluate`, as the next
    "evaluation": Evaluator,
}
_SEEDS = ("random_seed", "numpy_seed", "pytorch_seed")
_MAX_DEPTH = 64


class ArchiveError(ConfigurationError):
    """A whole sentence about an archive, without its name."""


class _Mismatch(Exception):
    """A value of another type than a parameter takes."""


def read_config(directory: Path) -> tuple[dict[str, Any], Optional[Meta]]:
    """The config as plain JSON, not evaluated as Jsonnet, which can read files; and AllenNLP's version."""
    try:
        config = read_json(directory / CONFIG_NAME)
        meta = read_json(directory / META_NAME) if (directory / META_NAME).exists() else None
        if meta is not None and not (isinstance(meta, dict) and isinstance(meta.get("version"), str)):
            raise ValueError(f"{META_NAME} has no version")
    except FileNotFoundError as error:
        raise ArchiveError(
            f"has no {CONFIG_NAME}, so it is no archive of AllenNLP. Give a model.tar.gz, or the directory of a finished"
            " run."
        ) from error
    except (ValueError, RecursionError, OSError) as error:
        raise ArchiveError(
            f"its {CONFIG_NAME} or {META_NAME} is not the JSON that AllenNLP writes ({error}). Fetch it again."
        ) from error
    if not isinstance(config, dict) or not all(config.get(key) for key in ("model", READERS[0])):
        raise ArchiveError(f"its {CONFIG_NAME} has no `model` or no `dataset_reader`. Fetch it again.")
    if meta is None:
        return config, None
    if meta["version"].split(".")[0] != VERSION.split(".")[0]:
        raise ArchiveError(
            f"was written with AllenNLP {meta['version'][:20]}, this is {VERSION}, which cannot open it. Open it with that"
            " version, or train anew."
        )
    return config, Meta(meta["version"])


def read_json(path: Path) -> Any:
    """Plain JSON, nested no deeper than a config is. Raises `ValueError`, `RecursionError` or `OSError`."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no number of JSON")

    value = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    level: list[Any] = [value]
    for _ in range(_MAX_DEPTH):
        parts = [list(container.values()) if isinstance(container, dict) else container for container in level]
        level = [
            part
            for container in parts
            if isinstance(container, list)
            for part in container
            if isinstance(part, (dict, list))
        ]
    if level:
        raise ValueError(f"it is nested deeper than {_MAX_DEPTH} levels")
    return value


def checked_config(config: dict[str, Any]) -> dict[str, Any]:
    """
    What loading, tagging and evaluating build from a config: model, readers, data loaders and evaluator, and the type
    of the vocabulary. Parameters that loading does not need are left out.

    # Raises

    `ConfigurationError`, before anything is built: a component that is not in `archive_components`, a parameter that no
    constructor has, or one that can name a file or an address.
    """
    config = Params(copy.deepcopy(config)).as_dict(quiet=True)  # reads the text "None" as null, as AllenNLP does
    built = {}
    for key, base in _BUILT.items():
        if config.get(key) is None:
            continue
        _check_plainness(config[key], key)
        try:
            built[key] = _component(config[key], base, key)
        except _Mismatch as error:
            raise _other_version(key, str(error)) from error
    if isinstance(config.get("evaluation"), str):  # AllenNLP's command adds to it
        raise _other_version("evaluation", f"must be an object, got {_short(config['evaluation'])}")
    for key in _SEEDS:
        seed = config.get(key)
        if seed is not None and not (type(seed) is int and 0 <= seed < 2**32):
            raise _other_version(key, f"must be an integer from 0 to 2^32 - 1, got {_short(seed)}")
    built["vocabulary"] = _vocabulary(config.get("vocabulary"))
    return built


def checked_trainer(config: dict[str, Any]) -> dict[str, Any]:
    """
    What training builds from the key `trainer` of a config, without what belongs to a machine: `cuda_device`, `use_amp`.

    # Raises

    `ConfigurationError`, as `checked_config`.
    """
    trainer = Params(copy.deepcopy({"trainer": config.get("trainer") or {}})).as_dict(quiet=True)["trainer"]
    if isinstance(trainer, dict):
        trainer = {key: value for key, value in trainer.items() if key not in ("cuda_device", "use_amp")}
    _check_plainness(trainer, "trainer")
    try:
        return _component(trainer, Trainer, "trainer")
    except _Mismatch as error:
        raise _other_version("trainer", str(error)) from error


def _vocabulary(params: Any) -> dict[str, Any]:
    """It is read from the archive, whatever its type says of files."""
    params = {"type": params} if isinstance(params, str) else {} if params is None else params
    if not isinstance(params, dict):
        raise _other_version("vocabulary", f"must be an object, got {_short(params)}")
    name = params.get("type", Vocabulary.default_implementation)
    if not isinstance(name, str) or name not in Vocabulary.list_available():
        raise _not_allowed("vocabulary", name, Vocabulary.list_available())
    tokens = {key: params.get(key) for key in ("padding_token", "oov_token")}
    for key, token in tokens.items():
        if token is not None and not isinstance(token, str):
            raise _other_version(f"vocabulary.{key}", f"must be a string, got {_short(token)}")
    return {"type": name, **tokens}


def _component(value: Any, base: Any, where: str) -> dict[str, Any]:
    """What FromParams would build for a parameter of the class `base`, `value` being an object or a registered name."""
    if isinstance(value, str):
        value = {"type": value}
    if not isinstance(value, dict):
        raise _Mismatch(f"must be an object or the name of a {base.__name__}, got {_short(value)}")
    # Not `list_available()`, which would make each class that is asked a base class.
    registered = Registrable._registry.get(base)
    if not registered:
        allowed = base in UNREGISTERED or from_user(base) or any(base in _classes(known) for known in COMPONENTS)
        if not allowed:
            raise _not_allowed(where, base.__name__, [allowed.__name__ for allowed in UNREGISTERED])
        return _arguments(value, base, inspect.getattr_static(base, "__init__"), where)
    name = value.get("type", base.default_implementation)
    component, constructor = registered.get(name, (None, None)) if isinstance(name, str) else (None, None)
    names = COMPONENTS.get(base, set())
    if component is None or (name not in names and not from_user(component)):
        raise _not_allowed(where, name, names, component)
    arguments = {key: part for key, part in value.items() if key != "type"}
    inspected = getattr(component, constructor) if constructor else component.__init__  # type: ignore[misc]
    return {"type": name, **_arguments(arguments, component, inspected, where)}


def _classes(base: Any) -> set[Any]:
    return {Registrable._registry[base][name][0] for name in COMPONENTS[base] if name in Registrable._registry[base]}


def _arguments(arguments: dict[str, Any], component: Any, constructor: Any, where: str) -> dict[str, Any]:
    if not hasattr(component, "from_params"):  # a function of PyTorch, called with them as they are
        return {key: _plain(part, f"{where}.{key}") for key, part in arguments.items()}
    parameters = {} if constructor is object.__init__ else infer_params(component, constructor)
    known = {
        key: parameter.annotation
        for key, parameter in parameters.items()
        if key != "self" and parameter.kind not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    }
    # A class of the user's that reads its parameters itself tells nothing of them.
    reads_itself = component.from_params.__func__ is not FromParams.from_params.__func__  # type: ignore[attr-defined]
    result = {}
    for key, part in arguments.items():
        position = f"{where}.{key}"
        if key in NOT_LOADED or key in NOT_LOADED_OF.get(component, ()):
            continue
        if key == "type":
            raise _not_allowed(where, part, ())
        if key in SUPPLIED or key in NOT_GIVEN or NAMES_A_FILE.search(key):
            if part is None and key not in SUPPLIED:
                continue
            raise ArchiveError(
                f"refused, `{position}` of its config could name a file, an address or a method, and opening an archive uses"
                " none from its config. Take the parameter out, or do not trust its source."
            )
        if key not in known and not reads_itself:
            close = difflib.get_close_matches(key, known, 1)
            raise _other_version(position, f"{component.__name__} has no such parameter", *close)
        try:
            result[key] = _value(part, known.get(key, Any), position)
        except _Mismatch as error:
            raise _other_version(position, str(error)) from error
    return result


def _value(value: Any, annotation: Any, where: str) -> Any:
    """As `allennlp.common.from_params.construct_arg`, branch by branch, but nothing is built."""
    if value is None:
        return None
    annotation = remove_optional(annotation)
    origin = getattr(annotation, "__origin__", None)
    args: tuple[Any, ...] = getattr(annotation, "__args__", ())
    if hasattr(annotation, "from_params"):
        return _component(value, annotation, where)
    if annotation in (bool, int, float, str):
        if type(value) not in {bool: (bool, int), int: (bool, int), float: (int, float), str: (str,)}[annotation]:
            raise _Mismatch(f"must be of type {annotation.__name__}, got {_short(value)}")
        return value
    if origin in (collections.abc.Mapping, Mapping, dict) and len(args) == 2 and can_construct_from_params(args[1]):
        if not isinstance(value, dict):
            raise _Mismatch(f"must be an object, got {_short(value)}")
        return {key: _value(part, args[1], f"{where}.{key}") for key, part in value.items()}
    if origin is Union:
        mismatch = _Mismatch(f"must be one of {args}")
        for alternative in args:
            try:
                return _value(value, alternative, where)
            except _Mismatch as error:  # what is refused is not tried in another way
                mismatch = error
        raise mismatch
    if origin is Lazy:
        return _component(value, args[0], where)
    many = origin in (tuple, set, list, collections.abc.Iterable, Iterable)
    if many and all(map(can_construct_from_params, args)):
        if not isinstance(value, list):  # AllenNLP would go through a text by characters
            raise _Mismatch(f"must be a list, got {_short(value)}")
        annotations = args if origin is tuple else args[:1] * len(value)
        return [
            _value(part, inner, f"{where}[{i}]")
            for i, (inner, part) in enumerate(zip(annotations, value, strict=False))
        ]
    return _plain(value, where)


def _plain(value: Any, where: str) -> Any:
    """A value that FromParams hands on as it is: nothing in it may look like a component."""
    if isinstance(value, dict):
        if "type" in value:
            raise ArchiveError(
                f"refused, `{where}.type` of its config is {_short(value['type'])}, where no component is known to belong."
                " Do not trust its source."
            )
        return {key: _plain(part, f"{where}.{key}") for key, part in value.items()}
    return [_plain(part, f"{where}[{i}]") for i, part in enumerate(value)] if isinstance(value, list) else value


def _check_plainness(value: Any, where: str) -> None:
    """What no part of a config may have, whatever reads it."""
    key = re.sub(r"\[\d+\]$", "", where).rsplit(".", 1)[-1]
    if key in ("_pretrained", "trust_remote_code"):
        raise ArchiveError(
            f"refused, `{where}` of its config would have another archive or code from the network opened. Do not trust"
            " its source."
        )
    if isinstance(value, (int, float)) and not (math.isfinite(value) and abs(value) <= LIMITS.get(key, LIMIT)):
        raise ArchiveError(
            f"refused, `{where}` of its config is {_short(value)}; the largest number allowed there is"
            f" {LIMITS.get(key, LIMIT)}, so that no archive takes all memory or time."
        )
    parts: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict):
        parts = ((f"{where}.{name}", part) for name, part in value.items())
    elif isinstance(value, list):
        parts = ((f"{where}[{i}]", part) for i, part in enumerate(value))
    for position, part in parts:
        _check_plainness(part, position)


def _not_allowed(where: str, name: Any, names: Iterable[str], component: Any = None) -> ArchiveError:
    which = "no name registered here" if component is None else f"the {component.__name__} of {component.__module__}"
    known = f"Allowed there: {', '.join(sorted(names))}. " if names else ""
    return ArchiveError(
        f"refused, `{where}.type` of its config is {_short(name)}, {which}; an archive may have components that read nothing"
        f" but their arguments, and those of packages you imported. {known}Name your own package with --include-package,"
        " or import it; else do not trust its source."
    )


def _other_version(where: str, what: str, *close: str) -> ArchiveError:
    hint = f" (there is `{close[0]}`)" if close else ""
    return ArchiveError(
        f"`{where}` of its config does not fit this version: {what}{hint}. It is damaged, or was written by another"
        " version of roseq-allennlp: open it with that version, or train anew."
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
