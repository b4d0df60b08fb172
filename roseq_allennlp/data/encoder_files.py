"""What a transformer needs besides its weights: its config, its tokeniser, and how a sentence is put together for it."""

import contextlib
import inspect
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple, Optional

from allennlp.common.checks import ConfigurationError
from tokenizers import Tokenizer

ENCODER = "encoder"
"""The directory in that of a run, and in an archive."""

CONFIG, TOKENIZER, LAYOUT = "config.json", "tokenizer.json", "layout.json"
_NO_LIMIT = 10**6  # a tokeniser without a longest length says 1e30


class Layout(NamedTuple):
    """How the pieces of a sentence become the input of the encoder."""

    model_name: str  # the hub name or folder that this comes from
    prefix: list[int]  # pieces before those of a sentence
    suffix: list[int]
    padding: int
    unknown: int  # the piece of a word without one
    max_length: Optional[int]  # pieces that the encoder takes at a time, as far as its tokeniser knows


class EncoderFiles(NamedTuple):
    """The config of an encoder as `AutoConfig.for_model` takes it, its tokeniser as JSON, and its layout."""

    config: dict[str, Any]
    tokenizer: str
    layout: Layout


def encoder_files(model_name: Optional[str], serialization_dir: Optional[str]) -> EncoderFiles:
    """
    Those in the directory of the run or archive, if they are there; else those of the model, which are put there, so that
    the archive needs no other. Nothing that belongs to a model is executed.

    # Raises

    `ConfigurationError`: there is no such model, it has no fast tokeniser, needs code of its own, or is not the one that
    the run was started with.
    """
    folder = None if serialization_dir is None else Path(serialization_dir, ENCODER)
    if folder is not None and folder.is_dir():
        files = read_encoder_files(folder)
        if model_name not in (None, files.layout.model_name):
            raise ConfigurationError(
                f"transformer: `model_name` is {model_name!r}, but {folder} is of {files.layout.model_name!r}. A run has"
                " one encoder: name the same everywhere, or train into another directory."
            )
        return files
    if model_name is None:
        raise ConfigurationError(
            f"transformer: no encoder. Give its `model_name`, or an archive with a directory `{ENCODER}`, which one gets"
            f' whose config has "include_in_archive": ["{ENCODER}"].'
        )
    files = read_encoder_files(Path(model_name)) if Path(model_name, LAYOUT).is_file() else _of_model(model_name)
    files = files._replace(layout=files.layout._replace(model_name=model_name))
    if folder is not None:
        _write(files, folder)
    return files


def read_encoder_files(folder: Path) -> EncoderFiles:
    """
    What `encoder_files` has written.

    # Raises

    `ConfigurationError`: a file is missing or damaged.
    """
    try:
        config, layout = (json.loads((folder / name).read_text(encoding="utf-8")) for name in (CONFIG, LAYOUT))
        files = EncoderFiles(config, (folder / TOKENIZER).read_text(encoding="utf-8"), Layout(**layout))
        _check(files)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ConfigurationError(
            f"{folder} lacks a file of an encoder, or one is damaged ({error}). Fetch it again, or train anew."
        ) from error
    return files


def _check(files: EncoderFiles) -> None:
    layout = files.layout
    pieces = [*layout.prefix, *layout.suffix, layout.padding, layout.unknown]
    if not isinstance(files.config, dict) or not isinstance(layout.model_name, str):
        raise ValueError("a value is of another type")
    if not all(type(piece) is int and piece >= 0 for piece in pieces) or len(pieces) > 64:
        raise ValueError("its pieces are no ids")
    if layout.max_length is not None and not (type(layout.max_length) is int and 0 < layout.max_length < _NO_LIMIT):
        raise ValueError("its longest length is no number of pieces")


def _of_model(name: str) -> EncoderFiles:
    from transformers import AutoConfig, AutoTokenizer  # they take a second, which other runs need not wait

    try:
        config = AutoConfig.from_pretrained(name, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(name, config=config, use_fast=True, trust_remote_code=False)
    except Exception as error:  # of tokenizers too, which has no class of its own
        raise ConfigurationError(
            f"transformer: the encoder {name!r} cannot be read ({' '.join(str(error).split())[:300]}). Give a name of the"
            " Hugging Face hub, or a folder with config.json, tokenizer.json and weights; code that comes with a model is"
            " never run."
        ) from error
    if not tokenizer.is_fast:
        raise ConfigurationError(
            f"transformer: the encoder {name!r} has no fast tokeniser, without which its pieces have no words. Convert it"
            " to a tokenizer.json, or choose another."
        )
    specification = json.loads(tokenizer.backend_tokenizer.to_str())
    specification["truncation"] = specification["padding"] = None
    _with_space_before_words(specification["pre_tokenizer"])
    backend = Tokenizer.from_str(json.dumps(specification))
    sentence = backend.encode("a")
    first = sentence.special_tokens_mask.index(0)
    num_pieces = sentence.special_tokens_mask.count(0)
    padding = tokenizer.pad_token_id or 0
    return EncoderFiles(
        _plain_config(config),
        backend.to_str(),
        Layout(
            model_name=name,
            prefix=sentence.ids[:first],
            suffix=sentence.ids[first + num_pieces :],
            padding=padding,
            unknown=padding if tokenizer.unk_token_id is None else tokenizer.unk_token_id,
            max_length=tokenizer.model_max_length if tokenizer.model_max_length < _NO_LIMIT else None,
        ),
    )


def _with_space_before_words(pre_tokenizer: Any) -> None:
    """A byte-level tokeniser tells the beginning of a word by the space before it, which a list of words has not."""
    if isinstance(pre_tokenizer, dict):
        if pre_tokenizer.get("type") == "ByteLevel":
            pre_tokenizer["add_prefix_space"] = True
        for part in pre_tokenizer.get("pretokenizers", ()):
            _with_space_before_words(part)


def _plain_config(config: Any) -> dict[str, Any]:
    """What shapes the encoder: neither names of other models or files, nor what belongs to a task."""
    known = inspect.signature(type(config).__init__).parameters
    values = {key: value for key, value in config.to_dict().items() if key in known}
    return {"model_type": config.model_type, **json.loads(json.dumps(values, default=str))}


def _write(files: EncoderFiles, folder: Path) -> None:
    """All of them or none: another process of a distributed run may write the same."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{ENCODER}-") as temporary:
        whole = Path(temporary, ENCODER)
        whole.mkdir()
        (whole / CONFIG).write_text(json.dumps(files.config, indent=1), encoding="utf-8")
        (whole / TOKENIZER).write_text(files.tokenizer, encoding="utf-8")
        (whole / LAYOUT).write_text(json.dumps(files.layout._asdict(), indent=1), encoding="utf-8")
        with contextlib.suppress(OSError):  # it is there by now
            os.rename(whole, folder)
        if not folder.is_dir():
            shutil.copytree(whole, folder)
