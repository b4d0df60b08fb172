"""Archives of trained taggers: written whole or not at all, and opened without executing anything that is in them."""

import json
import tarfile
import tempfile
from os import PathLike
from pathlib import Path
from typing import Any, Optional, Union

import safetensors.torch
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path
from allennlp.common.meta import META_NAME
from allennlp.common.params import parse_overrides, remove_keys_from_params, with_overrides
from allennlp.data import DatasetReader, Vocabulary
from allennlp.models import Model, archival
from allennlp.models.archival import CONFIG_NAME, Archive
from allennlp.version import VERSION

from roseq_allennlp.files import replacing
from roseq_allennlp.models.archive_checks import NOT_LOADED, READERS, check_config, extract, read_config

SAFETENSORS = "weights.safetensors"
_WEIGHTS = ("weights.th", SAFETENSORS, "best.th")  # the last in the directory of a run


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

    `ConfigurationError`: there is no such file, it is none of these, or it has been damaged, or there is no such GPU, with
    one sentence that says what and what to do.
    """
    _check_device(cuda_device)
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


def _check_device(cuda_device: int) -> None:
    if cuda_device >= 0 and cuda_device >= (count := torch.cuda.device_count()):
        numbers = f"0 to {count - 1}" if count > 1 else "0 only" if count else "none"
        raise ConfigurationError(
            f"cuda_device is {cuda_device}, but the GPUs that PyTorch finds here are: {numbers}. Give one of them, or -1 for"
            " the CPU."
        )


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
    train, validation = READERS
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
    folder, tagger = directory / "vocabulary", params["model"].get("member", params["model"])
    needed = (folder / "non_padded_namespaces.txt", folder / f"{tagger.get('label_namespace', 'labels')}.txt")
    for file in needed:
        if not file.is_file():
            raise ConfigurationError(
                f"{name}: has no vocabulary/{file.name}, so its words and labels are unknown. The archive is not whole:"
                " fetch it again, or have it written anew with `roseq train … --recover`."
            )
    kind, _ = Vocabulary.resolve_class_name(vocabulary.get("type", Vocabulary.default_implementation))
    return kind.from_files(folder, vocabulary.get("padding_token"), vocabulary.get("oov_token"))


def _model(params: Params, vocab: Vocabulary, directory: Path) -> Model:
    remove_keys_from_params(params, NOT_LOADED)
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
