"""The encoder of an untrusted archive: its config, its tokeniser and the pieces around a sentence, checked before they are used."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from allennlp.common.checks import ConfigurationError

from roseq_allennlp.data.encoder_files import CONFIG, ENCODER, LAYOUT, TOKENIZER, read_encoder_files
from roseq_allennlp.models.archive_config import ArchiveError, read_json

ENCODER_TYPES = {
    *("albert", "bert", "camembert", "convbert", "deberta", "deberta-v2", "distilbert", "electra", "ernie"),
    *("megatron-bert", "mobilebert", "modernbert", "mpnet", "mt5", "rembert", "roberta", "roberta-prelayernorm"),
    *("t5", "umt5", "xlm-roberta", "xlm-roberta-xl"),
}
"""Architectures of transformers that are built from the numbers of their config alone: no other model, file or address."""

ENCODER_SIZES = {f"{ENCODER}/{CONFIG}": 2**20, f"{ENCODER}/{LAYOUT}": 2**20, f"{ENCODER}/{TOKENIZER}": 2**26}
"""The files, and the most bytes of each."""

_PARTS = {
    "model": {"BPE", "Unigram", "WordLevel", "WordPiece"},
    "normalizer": {
        *("BertNormalizer", "ByteLevel", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Precompiled", "Prepend"),
        *("Replace", "Sequence", "Strip", "StripAccents"),
    },
    "pre_tokenizer": {
        *(
            "BertPreTokenizer",
            "ByteLevel",
            "CharDelimiterSplit",
            "Digits",
            "Metaspace",
            "Punctuation",
            "Sequence",
            "Split",
        ),
        *("UnicodeScripts", "Whitespace", "WhitespaceSplit"),
    },
}
_MOST_PARTS = 16
_EXPRESSIONS = {" {2,}"}  # regular expressions of known tokenisers; others may take endless time
_CHARSMAP = 2**20  # of characters, in the text that it is written as
_LIMIT = 10**6
_LIMITS = {"layers": 256, "groups": 256, "group_num": 256}  # by the end of a name: what is gone through for each batch


def check_encoder(directory: Path, built: dict[str, Any]) -> None:
    """
    # Raises

    `ConfigurationError`: the config has a component `transformer`, and the archive no encoder, or one that could take time
    or memory without limit, or that names another model.
    """
    if not any(part.get("type") == "transformer" for part in objects_in(built)):
        return
    folder = directory / ENCODER
    if not folder.is_dir():
        raise ArchiveError(
            f"has no directory `{ENCODER}` with the tokeniser and the config of its encoder. Have it written anew by `roseq"
            f' train … --recover`, or with "include_in_archive": ["{ENCODER}"] in the config.'
        )
    try:
        tokenizer = read_json(folder / TOKENIZER)
        read_json(folder / CONFIG), read_json(folder / LAYOUT)  # for their depth
        config = read_encoder_files(folder).config
    except (OSError, ValueError, RecursionError, ConfigurationError) as error:
        raise ArchiveError(f"its `{ENCODER}` cannot be read ({error}). Fetch it again.") from error
    _check_config(config)
    _check_tokenizer(tokenizer)


def objects_in(value: Any) -> Iterator[dict[str, Any]]:
    """Yields the objects of a config, or of other JSON, at any depth."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from objects_in(part)


def _check_config(config: dict[str, Any]) -> None:
    from transformers import CONFIG_MAPPING

    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in ENCODER_TYPES:
        raise _refused(
            f"its encoder is of the type {str(kind)[:40]!r}; allowed are {', '.join(sorted(ENCODER_TYPES))}, which need"
            " nothing but their numbers"
        )
    if kind not in CONFIG_MAPPING:
        raise ArchiveError(f"its encoder is of the type {kind!r}, which needs a later version of transformers.")
    known = inspect.signature(CONFIG_MAPPING[kind].__init__).parameters.keys() - {"self", "kwargs"} | {"model_type"}
    for key, value in config.items():
        if key not in known:
            raise _refused(f"the config of its encoder has {key[:40]!r}, which {kind} does not know")
        numbers = value if isinstance(value, list) else [value]
        if not all(part is None or isinstance(part, (bool, int, float, str)) for part in numbers) or len(numbers) > 256:
            raise _refused(f"`{key}` in the config of its encoder is neither a number nor a word")
        limit = next((limit for name, limit in _LIMITS.items() if key.endswith(name)), _LIMIT)
        if any(isinstance(part, (int, float)) and not abs(part) <= limit for part in numbers):
            raise _refused(f"`{key}` in the config of its encoder is {str(value)[:40]}; at most {limit} is allowed")


def _check_tokenizer(tokenizer: Any) -> None:
    if not isinstance(tokenizer, dict):
        raise _refused("its tokenizer.json holds no tokeniser")
    for name, types in _PARTS.items():
        value = tokenizer.get(name)
        if name == "model" and isinstance(value, dict):  # its pieces may have any names, `type` among them
            value = {key: entry for key, entry in value.items() if key != "vocab"}
        parts = [part for part in objects_in(value) if "type" in part]
        for part in parts:
            if part["type"] not in types:
                raise _refused(f"its tokeniser has a {name} {str(part['type'])[:40]!r}; allowed are {sorted(types)}")
            _check_part(part)
        if len(parts) > _MOST_PARTS:
            raise _refused(f"its tokeniser has a {name} of more than {_MOST_PARTS} parts")


def _check_part(part: dict[str, Any]) -> None:
    pattern, content = part.get("pattern"), part.get("content", "")
    replaced = ""
    if isinstance(pattern, dict):
        if "Regex" in pattern and pattern["Regex"] not in _EXPRESSIONS:
            raise _refused(f"its tokeniser has a regular expression of its own, {str(pattern['Regex'])[:60]!r}")
        replaced = pattern.get("String", "  ")
    # Several of them could make a word as long as they like.
    if part["type"] == "Replace" and len(str(content)) > len(str(replaced)):
        raise _refused("its tokeniser replaces text by longer text")
    if part["type"] == "Prepend" and len(str(part.get("prepend"))) > 1:
        raise _refused("its tokeniser puts text before each word")
    if len(str(part.get("precompiled_charsmap", ""))) > _CHARSMAP:
        raise _refused(f"its tokeniser has a map of characters of more than {_CHARSMAP} bytes")


def _refused(what: str) -> ArchiveError:
    return ArchiveError(f"refused, {what}. Open it with `allennlp` if it is your own; else do not trust its source.")
