"""What an archive may hold that comes from a stranger: checked before anything in it is built."""

import copy
import json
import re
import tarfile
import zlib
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any, Optional, Union

from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.meta import META_NAME, Meta
from allennlp.common.params import remove_keys_from_params
from allennlp.data import DatasetReader, Vocabulary
from allennlp.models import Model
from allennlp.models.archival import CONFIG_NAME
from allennlp.version import VERSION

from roseq_allennlp.data.dataset_readers import ColumnReader
from roseq_allennlp.models.tagger import Tagger

READERS = ("dataset_reader", "validation_dataset_reader")
# AllenNLP takes any text with a dot where a registered name is expected, imports the module and calls what it names.
# Numbers are none, and modules whose names have a slash are not found.
_PYTHON_PATH = re.compile(r"(?!\d*\.\d+$)[^/]+\.[^/]+", re.DOTALL)
NOT_LOADED = ["pretrained_file", "initializer"]  # what the weights come from in training, and never in loading
_REFUSED_KEYS = ("_pretrained", "trust_remote_code")  # another archive, opened by AllenNLP; code from the network
_EXPECTED = {
    "model": (
        Model,
        Tagger,
        "model",
        "a label_aware_crf_tagger. Tags of other models are scored by `roseq score`",
    ),
    **dict.fromkeys(
        READERS,
        (
            DatasetReader,
            ColumnReader,
            "dataset reader",
            "one of columns (`columns`, `conll2002`, `conll2003_ner`, `wnut`), as taggers of this package have",
        ),
    ),
}
_BUILT = (*_EXPECTED, "data_loader", "validation_data_loader", "evaluation")  # by loading, and by `evaluate`


def extract(path: Path, directory: Union[str, PathLike], name: Union[str, PathLike]) -> None:
    """
    Unpacks an archive whose members are all files and directories that stay inside.

    # Raises

    `ConfigurationError`, before anything is written, if a member is not; or if the archive cannot be read to its end.
    """
    try:
        with tarfile.open(path, "r:gz") as archive:
            members = archive.getmembers()
            for member in members:
                parts = Path(member.name).parts
                if not (member.isfile() or member.isdir()) or member.name.startswith(("/", "\\")) or ".." in parts:
                    kind = "a link" if member.issym() or member.islnk() else "no file inside it"
                    raise ConfigurationError(
                        f"{name}: refused, its member {member.name!r} is {kind}. No tagger's archive has such members: do"
                        " not trust its source."
                    )
            # "data", where this Python has it, also drops owners and permissions.
            if hasattr(tarfile, "data_filter"):
                archive.extraction_filter = tarfile.data_filter
            archive.extractall(directory, members)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise ConfigurationError(
            f"{name}: cannot be read as an archive ({error}). It is truncated or none at all: fetch it again, or have it"
            " written anew with `roseq train … --recover`."
        ) from error


def read_config(name: Union[str, PathLike], directory: Path) -> tuple[dict[str, Any], Optional[Meta]]:
    """The config as plain JSON, not evaluated as Jsonnet, which can read files; and AllenNLP's version."""
    try:
        config = json.loads((directory / CONFIG_NAME).read_text(encoding="utf-8"))
        meta = Meta.from_path(directory / META_NAME) if (directory / META_NAME).exists() else None
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{name}: has no {CONFIG_NAME}, so it is no archive of AllenNLP. Give a model.tar.gz, or the directory of a"
            " finished run."
        ) from error
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{name}: its {CONFIG_NAME} or {META_NAME} is not the JSON that AllenNLP writes ({error}). Fetch it again."
        ) from error
    if not isinstance(config, dict) or not all(isinstance(config.get(key), dict) for key in ("model", READERS[0])):
        raise ConfigurationError(f"{name}: its {CONFIG_NAME} has no `model` or no `dataset_reader`. Fetch it again.")
    if meta is not None and meta.version.split(".")[0] != VERSION.split(".")[0]:
        raise ConfigurationError(
            f"{name}: was written with AllenNLP {meta.version}, this is {VERSION}, which cannot open it. Open it with that"
            " version, or train anew."
        )
    return config, meta


def check_config(name: Union[str, PathLike], config: dict[str, Any]) -> None:
    """
    # Raises

    `ConfigurationError`, before anything is built, if the config could make AllenNLP run other code than that of
    registered components.
    """
    built = Params(copy.deepcopy({key: config[key] for key in _BUILT if key in config}))
    remove_keys_from_params(built, NOT_LOADED)
    for place, value in _strings(built.as_dict(quiet=True), ""):
        if place.rsplit(".", 1)[-1] in _REFUSED_KEYS or _PYTHON_PATH.fullmatch(value):
            raise ConfigurationError(
                f"{name}: refused, `{place[1:]}` of its config is {value!r}, by which opening it would run code that is not"
                " a registered component's. Register the component under a name without dots, or do not trust its"
                " source."
            )
    for key in config.keys() & _EXPECTED.keys():
        base, expected, what, description = _EXPECTED[key]  # type: Any, type, str, str
        try:
            component, constructor = base.resolve_class_name(config[key].get("type"))
        except (ConfigurationError, TypeError) as error:
            raise ConfigurationError(f"{name}: its {what} is of no type that is known here ({error}).") from error
        if constructor or not issubclass(component, expected):
            raise ConfigurationError(f"{name}: its {what} is a {component.__name__}; expected {description}.")
    vocabulary = config.get("vocabulary", {})
    kind = vocabulary.get("type", Vocabulary.default_implementation) if isinstance(vocabulary, dict) else vocabulary
    if kind not in Vocabulary.list_available():
        raise ConfigurationError(f"{name}: refused, `vocabulary.type` of its config is {kind!r}, no registered name.")


def _strings(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Keys that are refused whatever their value, and all strings, with where they are."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key in _REFUSED_KEYS:
                yield f"{place}.{key}", str(part)
            yield from _strings(part, f"{place}.{key}")
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _strings(part, f"{place}[{number}]")
    elif isinstance(value, str):
        yield place, value
