"""A config for labelled data of one's own: what is chosen for them and why, and the text of the file."""

import json
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from roseq_allennlp.data.catalogue import CONFIGS, VECTORS
from roseq_allennlp.data.languages import known_languages, language_of
from roseq_allennlp.data.text_files import lines
from roseq_allennlp.errors import ConfigurationError
from roseq_allennlp.experiments.own_data import Counts, Data, write_parts
from roseq_allennlp.text import shown

_FEW_SENTENCES = 200
_ONLINE = 0.01  # of the words, from which on a text is taken for tweets
_SHORT = 40  # words of the mean text, up to which it is taken for one sentence or post


class Size(NamedTuple):
    """
    The training for a number of sentences: the fewer there are, the fewer steps has an epoch.

    # Parameters

    below : `float`
        It is for fewer training sentences than this.
    batch_size, num_epochs, patience : `int`
    """

    below: float
    batch_size: int
    num_epochs: int
    patience: int


SIZES = (
    Size(300, 4, 150, 50),
    Size(1500, 8, 100, 30),
    Size(30_000, 16, 50, 15),
    Size(float("inf"), 32, 20, 5),
)


class Choice(NamedTuple):
    """What a config has, and the reason in a few words."""

    value: Any
    reason: str


class Plan(NamedTuple):
    """
    All that is chosen for some data.

    # Parameters

    language : `Choice`
        spaCy's code.
    size : `Choice`
        A `Size`.
    switches : `Choice`
        Those of `roseq.libsonnet`.
    shapes : `Choice`
        Whether words have shapes.
    vectors : `Choice`
        An expression of Jsonnet over `vectors.libsonnet`.
    """

    language: Choice
    size: Choice
    switches: Choice
    shapes: Choice
    vectors: Choice


def plan(
    data: Data, vectors: Optional[str] = None, encoder: Optional[str] = None, language: Optional[str] = None
) -> Plan:
    """
    Chooses for data what was not given.

    # Raises

    `ConfigurationError`: vectors that are neither a file nor in the catalogue; an encoder that cannot be one; a language that
    spaCy does not know.
    """
    if language is not None and language not in known_languages():
        raise ConfigurationError(
            f"--language {language}: spaCy has no such language. Its codes are {', '.join(known_languages())}; xx is any."
        )
    counts = data.counts["train"]
    number = counts.sentences
    size = next(size for size in SIZES if number < size.below)
    code = Choice(language, "--language") if language else _language(data)
    few = number < _FEW_SENTENCES
    switches = Choice(
        {"lacrf": False, "fl": False, "at": False} if few else {},
        f"RoSeq gains from about {_FEW_SENTENCES} sentences on" if few else f"for {_FEW_SENTENCES} sentences and more",
    )
    is_online = counts.online >= _ONLINE * counts.tokens
    shapes = Choice(is_online, "tweets, by their @, # and links" if is_online else "no tweets")
    return Plan(code, Choice(size, f"{number} sentences"), switches, shapes, _words(vectors, encoder, code.value))


def _language(data: Data) -> Choice:
    code = language_of(sum((counts.words for counts in data.counts.values()), start=Counts().words))
    return Choice(
        code or "xx",
        "by its frequent words" if code else "any, as its frequent words are of none; --language names one",
    )


def _words(vectors: Optional[str], encoder: Optional[str], language: str) -> Choice:
    if encoder is not None:
        return Choice(f"vectors.transformer({quoted(_encoder(encoder))})", "--encoder, frozen")
    if vectors in VECTORS:
        return Choice(f"vectors.named[{quoted(vectors)}]", "--vectors, of the catalogue, fixed")
    if vectors is not None:
        path = os.path.abspath(vectors)
        return Choice(f"vectors.fixed({quoted(path)}, {dimension_of(vectors)})", "--vectors, fixed")
    known = [name for name, entry in VECTORS.items() if entry.language == language]
    advice = f", such as {known[0]}" if known else ""
    return Choice("vectors.learned(50)", f"learned with the tagger, without --encoder or --vectors{advice}")


def _encoder(name: str) -> str:
    if Path(name).is_dir():
        if not (Path(name) / "config.json").is_file():
            raise ConfigurationError(
                f"--encoder {name}: the folder has no config.json, so it is no encoder of Hugging Face."
            )
        return os.path.abspath(name)
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w.-]+)?", name):
        raise ConfigurationError(f"--encoder {name}: is no folder, and no name of the Hugging Face hub.")
    return name


def dimension_of(path: str) -> int:
    """
    The dimension of a local file of word vectors in text, also packed by gzip.

    # Raises

    `ConfigurationError`: there is no such file, or its first lines hold no vectors.
    """
    try:
        first = [line.split() for _, (_, line) in zip(range(2), lines(path), strict=False)]
    except OSError as error:
        raise ConfigurationError(
            f"--vectors {path}: {error.strerror or error}. Give a file of vectors in text, or one of {', '.join(VECTORS)}."
        ) from error
    if first and len(first[0]) == 2 and all(cell.isdigit() for cell in first[0]):
        return int(first[0][1])
    try:
        dimensions = {len([float(cell) for cell in cells[1:]]) for cells in first}
    except ValueError:
        dimensions = set()
    if len(dimensions) != 1 or 0 in dimensions:
        raise ConfigurationError(
            f"--vectors {path}: does not begin with a word and its numbers, as word vectors in text do."
        )
    return dimensions.pop()


def config_text(data: Data, plan: Plan, directory: str) -> str:
    """The config as Jsonnet."""
    size: Size = plan.size.value
    switches = {
        **plan.switches.value,
        "batch_size": size.batch_size,
        "num_epochs": size.num_epochs,
        "patience": size.patience,
    }
    types = sorted({label for counts in data.counts.values() for label in counts.entities})
    config, run = (os.path.join(directory, name) for name in ("config.jsonnet", "run"))
    return f"""\
// A tagger of {shown(_listed(types))}, trained on {data.counts["train"].sentences} sentences. Change what you like:
// lib/roseq.libsonnet has the definition with all its switches, lib/vectors.libsonnet the kinds of word vectors.
//
//   roseq train {shown(config)} -s {shown(run)}
local roseq = import 'lib/roseq.libsonnet';
local vectors = import 'lib/vectors.libsonnet';

roseq(
  {{
    reader: {_reader(data)},
    language: {quoted(plan.language.value)},  // spaCy's code, for the tokeniser of new text
    types: [{", ".join(map(quoted, types))}],
    shapes: {json.dumps(plan.shapes.value)},  // whether words have shapes (C c n p), as for tweets
    train: {quoted(data.files["train"])},
    dev: {quoted(data.files["dev"])},
  }},
  {plan.vectors.value},
  {{
{_switches(switches, plan)}
  }},
)
"""


def _switches(switches: dict[str, Any], plan: Plan) -> str:
    comments = {
        "lacrf": "the three components of RoSeq are off",
        "num_epochs": "at most",
        "patience": "epochs without a better development F1, after which it stops",
    }
    values = [
        f"    {name}: {json.dumps(value)}," + (f"  // {comments[name]}" if name in comments else "")
        for name, value in switches.items()
    ]
    return "\n".join(values)


def _listed(types: Sequence[str], most: int = 6) -> str:
    return ", ".join(types[:most]) + (" …" if len(types) > most else "")


def _reader(data: Data) -> str:
    name, options = ("columns", data.options) if data.format == "columns" else ("spans", dict(data.options))
    if data.format != "columns":
        counts = data.counts["train"]
        if not counts.given and counts.tokens <= _SHORT * counts.texts:
            options["split_sentences"] = False
    if not options:
        return quoted(name)
    return (
        "{ type: " + ", ".join([quoted(name), *(f"{key}: {jsonnet(value)}" for key, value in options.items())]) + " }"
    )


def jsonnet(value: Any) -> str:
    """A value as Jsonnet."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{quoted(key)}: {jsonnet(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(jsonnet, value)) + "]"
    return json.dumps(value)


def quoted(text: Optional[str]) -> str:
    """A text as Jsonnet, in single quotation marks."""
    inner = json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"'{inner}'"


def check_new(directory: str) -> None:
    """
    # Raises

    `ConfigurationError`: there is a file of that name, or a directory with something in it.
    """
    if os.path.isdir(directory) and os.listdir(directory):
        raise ConfigurationError(f"{directory}: the directory is not empty. Name a new one, or remove what is in it.")
    if os.path.lexists(directory) and not os.path.isdir(directory):
        raise ConfigurationError(f"{directory}: is a file. Name a new directory.")


def write(data: Data, plan: Plan, directory: str) -> str:
    """Writes the config, the definition that it imports, and the data that have no file yet. Returns the path of the config."""
    path = Path(directory)
    try:
        path.mkdir(parents=True, exist_ok=True)
        shutil.copytree(CONFIGS / "lib", path / "lib")
        write_parts(data)
        config = path / "config.jsonnet"
        config.write_text(config_text(data, plan, directory), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{directory}: cannot be written: {error.strerror or error}. Name another directory."
        ) from error
    return str(config)
