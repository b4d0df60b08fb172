"""Archives of trained taggers: written whole or not at all, and opened without executing anything that is in them."""

import copy
import json
import re
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any, Optional, Union

import safetensors.torch
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path
from allennlp.common.meta import META_NAME, Meta
from allennlp.common.params import parse_overrides, remove_keys_from_params, with_overrides
from allennlp.data import DatasetReader, Vocabulary
from allennlp.models import Model, archival
from allennlp.models.archival import CONFIG_NAME, Archive
from allennlp.version import VERSION

from roseq_allennlp.data.dataset_readers import ColumnReader
from roseq_allennlp.files import replacing
from roseq_allennlp.models.label_aware_crf_tagger import LabelAwareCrfTagger

SAFETENSORS = "weights.safetensors"
_WEIGHTS = ("weights.th", SAFETENSORS, "best.th")  # the last in the directory of a run
_READERS = ("dataset_reader", "validation_dataset_reader")
# AllenNLP takes any such text where a registered name is expected, imports the module and calls what it names.
_PYTHON_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")
_NOT_LOADED = ["pretrained_file", "initializer"]  # what the weights come from in training, and never in loading
_REFUSED_KEYS = ("_pretrained", "trust_remote_code")  # another archive, opened by AllenNLP; code from the network
_EXPECTED = {
    "model": (
        Model,
        LabelAwareCrfTagger,
        "model",
        "a label_aware_crf_tagger. Tags of other models are scored by `roseq score`",
    ),
    **dict.fromkeys(
        _READERS,
        (
            DatasetReader,
            ColumnReader,
            "dataset reader",
            "one of columns (`columns`, `conll2002`, `conll2003_ner`, `wnut`), as taggers of this package have",
        ),
    ),
}
_BUILT = (*_EXPECTED, "data_loader", "validation_data_loader", "evaluation")  # by loading, and by `evaluate`


def load_archive(
    archive_file: Union[str, PathLike],
    cuda_device: int = -1,
    overrides: Union[str, dict[str, Any]] = "",
    weights_file: Optional[str] = None,
) -> Archive:
    """
    As AllenNLP's function of that name, for an archive of this package's tagger that may come from a stranger: its
    members are plain files inside it, its config is plain JSON that names no Python path, no other archive and no remote
    code, its model is a `label_aware_crf_tagger` and its readers are of columns, and its weights are tensors and no
    pickled objects. Weights may be safetensors (`weights.safetensors`).

    # Parameters

    archive_file : `Union[str, PathLike]`
        A `model.tar.gz`, also an address, or the directory of a run.
    cuda_device : `int`, optional (default = `-1`)
        Number of the GPU, -1 for the CPU.
    overrides : `Union[str, Dict[str, Any]]`, optional
        Of the config, checked as it is.
    weights_file : `str`, optional
        In place of those in the archive.

    # Raises

    `ConfigurationError`: there is no such file, it is none of these, or it has been damaged, with one sentence that says
    what and what to do.
    """
    try:
        path = Path(cached_path(archive_file))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{archive_file}: no such archive. Give a model.tar.gz, or the directory of a finished run."
        ) from error
    if path.is_dir():
        return _load(archive_file, path, cuda_device, overrides, weights_file)
    with tempfile.TemporaryDirectory() as directory:
        extract(path, directory, archive_file)
        return _load(archive_file, Path(directory), cuda_device, overrides, weights_file)


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


def _load(
    name: Union[str, PathLike],
    directory: Path,
    cuda_device: int,
    overrides: Union[str, dict[str, Any]],
    weights_file: Optional[str],
) -> Archive:
    weights = Path(weights_file) if weights_file else _weights_in(name, directory)
    config, meta = read_config(name, directory)
    changed = parse_overrides(json.dumps(overrides) if isinstance(overrides, dict) else overrides)
    config = with_overrides(config, changed) if changed else config
    check_config(name, config)
    params = Params(config)
    state = _read_weights(name, weights)
    vocab = _vocabulary(name, params, directory)
    train, validation = _READERS
    reader_params = {
        train: params.get(train),
        validation: params.get(validation, params.get(train).duplicate()),
    }
    try:
        readers = {
            key: DatasetReader.from_params(value.duplicate(), serialization_dir=str(directory))
            for key, value in reader_params.items()
        }
        model = _model(params.get("model").duplicate(), vocab, directory)
        missing, unexpected = model.load_state_dict(state, strict=False)
        if missing or unexpected:
            raise RuntimeError(f"missing: {missing[:3]}, unexpected: {unexpected[:3]}")
    except (ConfigurationError, RuntimeError, TypeError) as error:
        raise ConfigurationError(
            f"{name}: its config or weights do not fit this version ({str(error).splitlines()[-1].strip()}). It was written"
            f" by another version of roseq-allennlp, or with AllenNLP {meta.version if meta else 'of unknown version'} where"
            f" this is {VERSION}: open it with that version, or train anew."
        ) from error
    model.to(torch.device("cpu") if cuda_device < 0 else torch.device("cuda", cuda_device))
    return Archive(model, params, readers[train], readers[validation], meta)


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
    if not isinstance(config, dict) or not all(isinstance(config.get(key), dict) for key in ("model", _READERS[0])):
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
    remove_keys_from_params(built, _NOT_LOADED)
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


def _weights_in(name: Union[str, PathLike], directory: Path) -> Path:
    for each in _WEIGHTS:
        if (directory / each).is_file():
            return directory / each
    raise ConfigurationError(
        f"{name}: has no weights ({', '.join(_WEIGHTS)}). The archive is not whole, or the run has finished no epoch: fetch"
        " it again, or go on with `roseq train … --recover`."
    )


def _read_weights(name: Union[str, PathLike], path: Path) -> dict[str, torch.Tensor]:
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of damaged bytes torch raises nearly anything
        raise ConfigurationError(
            f"{name}: its weights ({path.name}) cannot be read as tensors: {str(error).splitlines()[0][:200]}. They are"
            " damaged, or hold objects that would run code: fetch the archive again, or do not trust its source."
        ) from error
    return state


def _vocabulary(name: Union[str, PathLike], params: Params, directory: Path) -> Vocabulary:
    vocabulary = params.get("vocabulary", Params({}))
    vocabulary = Params({"type": vocabulary}) if isinstance(vocabulary, str) else vocabulary
    folder = directory / "vocabulary"
    needed = (folder / "non_padded_namespaces.txt", folder / f"{params['model'].get('label_namespace', 'labels')}.txt")
    for file in needed:
        if not file.is_file():
            raise ConfigurationError(
                f"{name}: has no vocabulary/{file.name}, so its words and labels are unknown. The archive is not whole:"
                " fetch it again, or have it written anew with `roseq train … --recover`."
            )
    kind, _ = Vocabulary.resolve_class_name(vocabulary.get("type", Vocabulary.default_implementation))
    return kind.from_files(folder, vocabulary.get("padding_token"), vocabulary.get("oov_token"))


def _model(params: Params, vocab: Vocabulary, directory: Path) -> Model:
    remove_keys_from_params(params, _NOT_LOADED)
    model = Model.from_params(vocab=vocab, params=params, serialization_dir=str(directory))
    model.extend_embedder_vocab()
    return model


def archive_model(
    serialization_dir: Union[str, PathLike],
    weights: str = "best.th",
    archive_path: Optional[Union[str, PathLike]] = None,
    include_in_archive: Optional[list[str]] = None,
) -> str:
    """AllenNLP's function of that name, whose archive takes the place of an earlier one only when it is whole."""
    path = Path(archive_path or serialization_dir)
    path = path / "model.tar.gz" if path.is_dir() else path
    with replacing(path) as temporary:
        archival.archive_model(serialization_dir, weights, temporary, include_in_archive)
    return str(path)


def with_safetensors(archive_file: Union[str, PathLike], output: Union[str, PathLike]) -> None:
    """
    Writes an archive anew with its weights as safetensors; it is checked as for loading, but not built.

    # Raises

    `ConfigurationError`, as `load_archive`.
    """
    source = Path(cached_path(archive_file))
    with tempfile.TemporaryDirectory() as temporary:
        directory = source
        if not source.is_dir():
            directory = Path(temporary)
            extract(source, directory, archive_file)
        config, _ = read_config(archive_file, directory)
        check_config(archive_file, config)
        weights = Path(temporary) / SAFETENSORS
        state = _read_weights(archive_file, _weights_in(archive_file, directory))
        safetensors.torch.save_file({key: value.contiguous() for key, value in state.items()}, weights)
        with replacing(output) as whole, tarfile.open(whole, "w:gz") as archive:
            archive.add(weights, SAFETENSORS)
            for each in (CONFIG_NAME, META_NAME, "vocabulary"):
                if (directory / each).exists():
                    archive.add(directory / each, each)
