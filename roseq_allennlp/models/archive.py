"""Archives of trained taggers: written whole or not at all, and opened without executing anything that is in them."""

import contextlib
import json
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Optional, Union

import safetensors.torch
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path
from allennlp.common.meta import META_NAME, Meta
from allennlp.common.util import SigTermReceived
from allennlp.data import DatasetReader, Vocabulary
from allennlp.models import Model, archival
from allennlp.models.archival import CONFIG_NAME, Archive
from allennlp.version import VERSION

from roseq_allennlp.data.encoder_files import ENCODER
from roseq_allennlp.files import FULL, check_saved, replacing
from roseq_allennlp.models.archive_config import READERS, ArchiveError, checked_config, read_config
from roseq_allennlp.models.archive_encoder import check_encoder
from roseq_allennlp.models.archive_files import MAX_SIZE, check_inside, check_vocabulary, copy_run, extract
from roseq_allennlp.models.archive_rehearsal import rehearse
from roseq_allennlp.models.archive_weights import (
    SAFETENSORS,
    bounded_memory,
    load_state,
    read_weights,
    temperature_in,
    temperature_of,
)
from roseq_allennlp.models.description import METRICS_NAME, Description, describe
from roseq_allennlp.models.hub import HUB, copy_snapshot, download, is_snapshot
from roseq_allennlp.models.tagger import Tagger
from roseq_allennlp.training.config_check import check_overrides
from roseq_allennlp.training.devices import check_device
from roseq_allennlp.training.overrides import OverridesError, changed, parsed

WEIGHTS = ("weights.th", SAFETENSORS, "best.th")  # the last in the directory of a run
_BESIDE_WEIGHTS = (CONFIG_NAME, META_NAME, METRICS_NAME, "vocabulary", ENCODER)


def load_archive(
    archive_file: Union[str, PathLike],
    cuda_device: int = -1,
    overrides: Union[str, dict[str, Any]] = "",
    weights_file: Optional[str] = None,
    max_size: int = MAX_SIZE,
) -> Archive:
    """
    Like AllenNLP's `load_archive`, but safe for untrusted archives: nothing in one is executed, no file outside it is read,
    and no address is asked. Its config may name the components of `archive_components`, and those of packages that the
    user has imported; its weights are tensors, also as safetensors (`weights.safetensors`). One sentence is tagged before
    it is returned.

    # Parameters

    archive_file : `Union[str, PathLike]`
        A `model.tar.gz`, also an address, the directory of a run, or `hf://user/model`, or `hf://user/model@revision`, on the
        Hugging Face Hub.
    cuda_device : `int`, optional (default = `-1`)
        Number of the GPU, -1 for the CPU.
    overrides : `Union[str, Dict[str, Any]]`, optional
        For the config, checked as it is.
    weights_file : `str`, optional
        In place of those in the archive.
    max_size : `int`, optional (default = `2**32`)
        Largest size of an unpacked archive, in bytes. For the directory of a run, only the vocabulary has a limit.

    # Raises

    `ConfigurationError`: there is no such file, it is not an archive of a tagger, or it is damaged or hostile; one sentence
    says what is wrong and what to do.
    """
    return load_described(archive_file, cuda_device, overrides, weights_file, max_size)[0]


def load_described(
    archive_file: Union[str, PathLike],
    cuda_device: int = -1,
    overrides: Union[str, dict[str, Any]] = "",
    weights_file: Optional[str] = None,
    max_size: int = MAX_SIZE,
) -> tuple[Archive, Description]:
    """`load_archive`, and what the archive says of itself."""
    check_device(cuda_device)
    with opened_archive(archive_file, overrides, weights_file, max_size) as (archive, description, _):
        archive.model.to(torch.device("cpu") if cuda_device < 0 else torch.device("cuda", cuda_device))
    return archive, description


@contextlib.contextmanager
def opened_archive(
    archive_file: Union[str, PathLike],
    overrides: Union[str, dict[str, Any]] = "",
    weights_file: Optional[str] = None,
    max_size: int = MAX_SIZE,
) -> Iterator[tuple[Archive, Description, Path]]:
    """As `load_described`, with the temporary directory that has the archive's files, all but the weights of a run."""
    changes = parsed(overrides)
    path = _located(archive_file, max_size)
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        with _one_sentence(archive_file, directory, changes):
            weights = _open(path, directory, max_size)
            config, meta = read_config(directory)
            config, built = _changed(config, changes)  # before the weights are read: they take long
            check_encoder(directory, built)
            state = read_weights(Path(weights_file) if weights_file else weights)
            check_vocabulary(directory, max((max(value.shape, default=0) for value in state.values()), default=0))
            description = describe(directory, config, temperature_of(state))
            archive = _build(built, _complete(config), meta, state, directory)
        yield archive, description, directory


def description_of(archive_file: Union[str, PathLike], max_size: int = MAX_SIZE) -> Description:
    """
    What an archive says of itself; its model is not built.

    # Raises

    `ConfigurationError`, as `load_archive`.
    """
    path = _located(archive_file, max_size)
    with tempfile.TemporaryDirectory() as temporary, _one_sentence(archive_file, Path(temporary)):
        directory = Path(temporary)
        weights = _open(path, directory, max_size)
        config, _ = read_config(directory)
        checked_config(config)
        return describe(directory, config, temperature_in(weights))


def _changed(config: dict[str, Any], changes: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The config with overrides, and what is built from it. What is wrong with them alone is an `OverridesError`."""
    if not changes:
        return config, checked_config(config)
    result = changed(config, changes)
    check_overrides(config, result, imports=False)
    try:
        return result, checked_config(result)
    except ArchiveError as error:
        checked_config(config)
        raise OverridesError(f"-o: {error.message}") from error


def _complete(config: dict[str, Any]) -> Params:
    """With what AllenNLP's commands take from it without asking whether it is there."""
    model = config["model"]
    config = {**config, "model": {"type": model} if isinstance(model, str) else model}
    if config.get("evaluation") in (None, "None"):
        config.pop("evaluation", None)
    if all(config.get(key) in (None, "None") for key in ("data_loader", "validation_data_loader")):
        config["validation_data_loader"] = {"type": "in_memory", "batch_size": 64}
    return Params(config)


def _located(name: Union[str, PathLike], max_size: int = MAX_SIZE) -> Path:
    if str(name).startswith(HUB):
        return download(str(name), max_size)
    try:
        return Path(cached_path(name))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{name}: no such archive. Give a model.tar.gz, or the directory of a finished run."
        ) from error


def _open(path: Path, directory: Path, max_size: int = MAX_SIZE) -> Path:
    """Puts all that loading reads, but the weights of a run, into the directory; returns the path of the weights."""
    if is_snapshot(path):
        copy_snapshot(path, directory, max_size)
        return _weights_in(directory)
    if path.is_dir():
        copy_run(path, directory)
    else:
        extract(path, directory, max_size)
    return _weights_in(path if path.is_dir() else directory)


@contextlib.contextmanager
def _one_sentence(
    name: Union[str, PathLike], directory: Path, changes: Optional[dict[str, Any]] = None
) -> Iterator[None]:
    """Within it, any error is one sentence about the archive: what is wrong with it, and the way out."""
    try:
        yield
    except (MemoryError, SigTermReceived, OverridesError):
        raise
    except ArchiveError as error:
        raise ConfigurationError(f"{name}: {_one_line(error.message)}") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        if changes:
            raise OverridesError(
                f"{name}: its config, vocabulary or weights do not fit with the changes of -o"
                f" ({_one_line(str(error) or type(error).__name__)}). Correct them, or open it without."
            ) from error
        version = VERSION
        with contextlib.suppress(ConfigurationError, AttributeError):
            version = read_config(directory)[1].version  # type: ignore[union-attr]
        other = "" if version == VERSION else f", or with AllenNLP {_one_line(version)} where this is {VERSION}"
        raise ConfigurationError(
            f"{name}: its config, vocabulary or weights do not fit this version"
            f" ({_one_line(str(error) or type(error).__name__)}). It is damaged, or was written by another version of"
            f" roseq-allennlp{other}: fetch it again, open it with that version, or train anew."
        ) from error


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    text = "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
    return text if len(text) <= 500 else f"{text[:500]}…"


def _weights_in(source: Path) -> Path:
    for name in WEIGHTS:
        if (source / name).exists():
            return check_inside(source, name)
    raise ArchiveError(
        f"has no weights ({', '.join(WEIGHTS)}). The archive is not whole, or the run has finished no epoch: fetch it"
        " again, or go on with `roseq train … --recover`."
    )


def _build(
    built: dict[str, Any], config: Params, meta: Optional[Meta], state: dict[str, torch.Tensor], directory: Path
) -> Archive:
    train, validation = READERS
    reader = DatasetReader.from_params(Params(built[train]).duplicate(), serialization_dir=str(directory))
    validation_reader = DatasetReader.from_params(
        Params(built.get(validation, built[train])).duplicate(), serialization_dir=str(directory)
    )
    vocab = _vocabulary(built, directory)
    with bounded_memory(state):
        model = Model.from_params(
            vocab=vocab, params=Params(built["model"]).duplicate(), serialization_dir=str(directory)
        )
        model.extend_embedder_vocab()
    load_state(model, state, finite_buffers=isinstance(model, Tagger))
    archive = Archive(model, config, reader, validation_reader, meta)
    for rehearsed in (reader, validation_reader):
        rehearse(model, rehearsed, built)
    return archive


def _vocabulary(built: dict[str, Any], directory: Path) -> Vocabulary:
    folder, params = directory / "vocabulary", built["vocabulary"]
    tagger = built["model"].get("member", built["model"])
    for name in ("non_padded_namespaces.txt", f"{tagger.get('label_namespace', 'labels')}.txt"):
        if not (folder / name).is_file():
            raise ArchiveError(
                f"has no vocabulary/{name}, so its words and labels are unknown. The archive is not whole: fetch it again, or"
                " have it written anew with `roseq train … --recover`."
            )
    kind, _ = Vocabulary.resolve_class_name(params["type"])
    return kind.from_files(folder, params["padding_token"], params["oov_token"])


def archive_model(
    serialization_dir: Union[str, PathLike],
    weights: str = "best.th",
    archive_path: Optional[Union[str, PathLike]] = None,
    include_in_archive: Optional[list[str]] = None,
) -> str:
    """
    AllenNLP's function of that name, whose archive takes the place of an earlier one only when it is whole, and has the
    config and the tokeniser of an encoder, and the metrics of the run.

    # Raises

    `ConfigurationError`: the weights have been damaged.
    """
    path = Path(archive_path or serialization_dir)
    path = path / "model.tar.gz" if path.is_dir() else path
    weights_file = Path(serialization_dir, weights)
    if weights_file.is_file():
        try:
            check_saved(weights_file)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise ConfigurationError(
                f"{weights_file} is damaged ({error}), and no archive of it is written. Go on with --recover."
            ) from error
    included = include_in_archive or []
    beside = [name for name in (ENCODER, METRICS_NAME) if Path(serialization_dir, name).exists()]
    included = [*included, *(name for name in beside if name not in included)]
    with replacing(path) as temporary:
        archival.archive_model(serialization_dir, weights, temporary, included or None)
    return str(path)


def with_settings(
    archive_file: Union[str, PathLike], output: Union[str, PathLike], settings: Mapping[str, Any]
) -> None:
    """
    Writes an archive anew, with other values of parameters of its tagger and its weights as they are. It may take the place
    of the archive.

    # Raises

    `ConfigurationError`, as `load_archive`.
    """
    path = _located(archive_file)
    with tempfile.TemporaryDirectory() as temporary, _one_sentence(archive_file, Path(temporary)):
        directory = Path(temporary)
        weights = _open(path, directory)
        config, _ = read_config(directory)
        config["model"].get("member", config["model"]).update(settings)
        checked_config(config)
        (directory / CONFIG_NAME).write_text(json.dumps(config, indent=4), encoding="utf-8")
        beside = {name: directory / name for name in _BESIDE_WEIGHTS if (directory / name).exists()}
        _pack(output, {"weights.th" if weights.suffix == ".th" else weights.name: weights, **beside})


def with_safetensors(archive_file: Union[str, PathLike], output: Union[str, PathLike]) -> Description:
    """
    Writes an archive anew with its weights as safetensors; it is checked as for loading, but not built.

    # Raises

    `ConfigurationError`, as `load_archive`.
    """
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        description = unpack_with_safetensors(archive_file, directory)
        _pack(output, {path.name: path for path in sorted(directory.iterdir())})
    return description


def _pack(output: Union[str, PathLike], files: Mapping[str, Path]) -> None:
    """Writes files and directories into an archive, by their names there."""
    with replacing(output) as whole, tarfile.open(whole, "w:gz") as archive:
        for name, path in files.items():
            archive.add(path, name)


def unpack_with_safetensors(archive_file: Union[str, PathLike], directory: Path) -> Description:
    """
    Writes the files of an archive into an empty directory, with its weights as safetensors; it is checked as for loading,
    but not built.

    # Raises

    `ConfigurationError`, as `load_archive`.
    """
    path = _located(archive_file)
    with tempfile.TemporaryDirectory() as temporary, _one_sentence(archive_file, Path(temporary)):
        unpacked = Path(temporary)
        weights = _open(path, unpacked)
        config, _ = read_config(unpacked)
        check_encoder(unpacked, checked_config(config))
        state = {key: value.clone() for key, value in read_weights(weights).items()}  # none share their memory
        description = describe(unpacked, config, temperature_of(state))
        contiguous = {key: value.contiguous() for key, value in state.items()}
        safetensors.torch.save_file(contiguous, directory / SAFETENSORS)
        for name in _BESIDE_WEIGHTS:
            if (unpacked / name).exists():
                shutil.move(unpacked / name, directory / name)
    return description
