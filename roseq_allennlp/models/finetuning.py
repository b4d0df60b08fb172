"""
Fine-tuning: a trained archive and new data become the directory of a run that has not begun, with a plain config, a vocabulary,
an encoder, training data and the weights to begin with. From there on it is a run as any other, and needs the archive no more.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.meta import META_NAME, Meta
from allennlp.common.params import with_overrides
from allennlp.common.util import prepare_environment
from allennlp.data import DatasetReader, Vocabulary
from allennlp.models import Model
from allennlp.models.archival import CONFIG_NAME, Archive

from roseq_allennlp.data.encoder_files import CONFIG, ENCODER, LAYOUT, TOKENIZER
from roseq_allennlp.data.tag_schemes import UNKNOWN
from roseq_allennlp.data.training_mix import MIX_READER, types_in, write_sentences
from roseq_allennlp.files import save
from roseq_allennlp.models.archive import opened_archive
from roseq_allennlp.models.archive_config import READERS, checked_config, checked_trainer
from roseq_allennlp.models.archive_encoder import objects_in
from roseq_allennlp.models.description import name_of_data
from roseq_allennlp.models.extended_vocabulary import Extension, extended, vectors_for
from roseq_allennlp.models.extended_weights import begin_new_vectors, take_over
from roseq_allennlp.models.finetuning_data import reader_for, sentences_of
from roseq_allennlp.models.finetuning_request import FineTuning, check_request
from roseq_allennlp.models.tagger import CALIBRATION, Tagger
from roseq_allennlp.modules.encoder_loading import START
from roseq_allennlp.training.layer_rates import with_layer_decay

REQUEST = "finetune.json"
"""What was asked for and what it came to, in the directory of the run."""

_SEEDS = ("random_seed", "numpy_seed", "pytorch_seed")
_GOES_ON = {"trainer.num_epochs", "trainer.patience"}  # what may change when a run goes on


def begin(request: FineTuning, directory: Path, recover: bool = False, force: bool = False) -> dict[str, Any]:
    """
    Makes the directory of the run, or looks whether it can go on: after that `config.json` in it is what to train, with
    `recover`.

    # Returns

    Overrides for that config: with `recover`, other numbers of epochs.

    # Raises

    `ConfigurationError`: the archive or the data cannot be trained on, or the directory is there, or is of another run.
    """
    if recover:
        return _overrides_to_go_on(request, directory)
    if not force and directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigurationError(f"{directory} is not empty. Go on with --recover, or train anew with --force.")
    prepare(request, directory)
    return {}


def begin_in(request: FineTuning, directory: Path) -> None:
    """As `begin`, in a directory that AllenNLP has made, with nothing of a run in it that matters."""
    with tempfile.TemporaryDirectory(dir=directory.absolute().parent, prefix=f".{directory.name}-") as temporary:
        whole = Path(temporary, "run")
        prepare(request, whole, directory)
        for part in whole.iterdir():
            os.replace(part, directory / part.name)


def _overrides_to_go_on(request: FineTuning, directory: Path) -> dict[str, Any]:
    try:
        begun = json.loads((directory / REQUEST).read_text(encoding="utf-8"))
        begun["overrides"].keys()
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigurationError(
            f"{directory} has no {REQUEST} that can be read, so fine-tuning has not begun there. Leave out --recover."
        ) from error
    now = request._asdict()
    changed = {key: value for key, value in now["overrides"].items() if begun["overrides"].get(key) != value}
    other = [key for key in FineTuning._fields if key not in ("archive", "overrides") and now[key] != begun.get(key)]
    other += sorted((changed.keys() | begun["overrides"].keys() - now["overrides"].keys()) - _GOES_ON)
    if other:
        raise ConfigurationError(
            f"the run in {directory} was begun with another value of {', '.join(other)}, see {REQUEST} there. Go on with the"
            " same, or fine-tune into another directory."
        )
    return {key: value for key, value in now["overrides"].items() if key in _GOES_ON}


def check_is_new(config: Any, where: str = "") -> None:
    """
    # Raises

    `ConfigurationError`: a part of a training config is to be read from an archive by AllenNLP, which executes what is in
    it, and whose own archive would need it.
    """
    if isinstance(config, dict) and (config.get("type") == "from_archive" or "_pretrained" in config):
        what = "an archive" if "_pretrained" in config else "from_archive"
        raise ConfigurationError(
            f"`{where}` is {what}: what this trains would need it, and no command of roseq would open that. Fine-tune the"
            " archive: roseq finetune ARCHIVE --train DATA -s DIR."
        )
    if isinstance(config, (dict, list)):
        for key, part in config.items() if isinstance(config, dict) else enumerate(config):
            check_is_new(part, f"{where}.{key}".lstrip("."))


def prepare(request: FineTuning, directory: Path, named: Optional[Path] = None) -> None:
    """
    Writes the directory of a run that has not begun: `config.json`, `vocabulary`, `encoder` if there is one, `start.th`,
    the training data and `finetune.json`; whole, or not at all. `named` is how its config names it, if it is moved then.

    # Raises

    `ConfigurationError`, as `begin`.
    """
    check_request(request)
    with opened_archive(request.archive) as (archive, _, files):
        if not isinstance(archive.model, Tagger):
            raise ConfigurationError(
                f"{request.archive}: its model is a {type(archive.model).__name__}; fine-tuning is for label_aware_crf_tagger"
                " and tagger_ensemble. Train that one by a config of its own."
            )
        directory.absolute().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory.absolute().parent, prefix=f".{directory.name}-") as temporary:
            whole = Path(temporary, "run")
            whole.mkdir()
            _write_run(request, archive, files, whole, named or directory)
            if directory.is_dir():  # only now: the archive may be in it
                shutil.rmtree(directory)
            os.rename(whole, directory)


def made(directory: Path) -> str:
    """What a request came to: how many sentences, and new words, characters, shapes and labels."""
    counts: dict[str, int] = json.loads((directory / REQUEST).read_text(encoding="utf-8"))["made"]
    return ", ".join(f"{number} {name}" for name, number in counts.items())


def _write_run(request: FineTuning, archive: Archive, files: Path, whole: Path, directory: Path) -> None:
    """Into `whole`, with paths as they will be in `directory`."""
    raw = archive.config.as_dict(quiet=True)
    config = _changed(request, _of_archive(raw, archive))
    if (files / ENCODER).is_dir():
        _copy_encoder(files, whole, directory)
    prepare_environment(Params({key: config[key] for key in _SEEDS if key in config}))

    sentences = sentences_of(request, config, archive, whole)
    if request.dev is not None:
        config[READERS[1]] = reader_for(config[READERS[1]], request.dev, archive)
    data = _name_of(raw.get("train_data_path"), request.train)
    write_sentences(whole / data, sentences)
    types = list(dict.fromkeys([*(request.types or ()), *types_in(sentences)]))
    trained = archive.model.vocab
    mix = DatasetReader.from_params(Params(config[READERS[0]]).duplicate(), serialization_dir=str(whole))
    instances = list(mix.read(whole / data))
    for instance in instances:
        mix.apply_token_indexers(instance)
    vectors = {} if request.vectors is None else vectors_for(request.vectors, archive.model)
    extension = extended(trained, instances, types, archive.model, vectors, raw.get("vocabulary"))
    extension.vocab.save_to_files(str(whole / "vocabulary"))
    model = _model(config, extension, archive.model, vectors, whole)
    save({name: value.detach().clone() for name, value in model.named_parameters()}, whole / START)

    config["train_data_path"] = str(directory / data)
    _finish(config, request, types, model, trained, directory)
    if (whole / ENCODER).is_dir():
        config["include_in_archive"] = [ENCODER]
        for part in objects_in(config):
            if part.get("type") == "transformer":
                part["model_name"] = str(directory / ENCODER)
    Params(config).to_file(str(whole / CONFIG_NAME))
    Meta.new().to_file(whole / META_NAME)
    unknown = sum(tags.count(UNKNOWN) for _, tags in sentences)
    made = {
        "sentences": len(sentences),
        "tokens of unknown tag": unknown,
        **{f"new {name}": len(rows) for name, rows in extension.rows.items()},
    }
    made["new labels"] = extension.vocab.get_vocab_size("labels") - trained.get_vocab_size("labels")
    text = json.dumps({**request._asdict(), "made": made}, indent=2, ensure_ascii=False)
    (whole / REQUEST).write_text(f"{text}\n", encoding="utf-8")


def _name_of(before: Optional[str], train: str) -> str:
    """What is trained on, in the directory of the run: by it an archive says what it was trained on, first and now."""
    names = [name_of_data(path).removesuffix(".conll") for path in (before, train)]
    text = re.sub(r"[^\w.+-]+", "-", "+".join(filter(None, names)))
    return f"{text.encode()[-200:].decode(errors='ignore')}.conll"  # a file system takes 255 bytes


def _of_archive(raw: dict[str, Any], archive: Archive) -> dict[str, Any]:
    """What of an archive's config trains again: checked, without paths, and without what belongs to a machine."""
    built = checked_config(raw)
    reader = {**built.get(READERS[1], built[READERS[0]])}
    reader.pop("max_instances", None)  # of other data
    tagger = built["model"].get("member", built["model"])
    for key in CALIBRATION:  # of other weights
        tagger.pop(key, None)
    return {
        **{key: raw[key] for key in _SEEDS if raw.get(key) is not None},
        READERS[0]: {
            **MIX_READER,
            **{key: reader[key] for key in ("token_indexers", "max_length") if key in reader},
            "language": getattr(archive.dataset_reader, "language", "xx"),
        },
        READERS[1]: reader,
        "model": built["model"],
        "data_loader": built.get("data_loader", {"batch_size": 16, "shuffle": True}),
        "validation_data_loader": built.get("validation_data_loader", {"type": "in_memory", "batch_size": 64}),
        **({"evaluation": built["evaluation"]} if "evaluation" in built else {}),
        "trainer": checked_trainer({"trainer": _without_teacher(raw.get("trainer"))}),
    }


def _without_teacher(trainer: Any) -> Any:
    """Without the callback `distillation`, whose teacher is a file of the machine that the archive is from."""
    if not isinstance(trainer, dict) or not isinstance(trainer.get("callbacks"), list):
        return trainer
    return {**trainer, "callbacks": [each for each in trainer["callbacks"] if not _is_distillation(each)]}


def _is_distillation(callback: Any) -> bool:
    return isinstance(callback, dict) and callback.get("type") == "distillation"


def _changed(request: FineTuning, config: dict[str, Any]) -> dict[str, Any]:
    if not request.overrides:
        return config
    try:
        return with_overrides(config, request.overrides)
    except ValueError as error:
        raise ConfigurationError(f"overrides: {error}. They change the archive's config.") from error


def _copy_encoder(files: Path, whole: Path, directory: Path) -> None:
    (whole / ENCODER).mkdir()
    for name in (CONFIG, TOKENIZER, LAYOUT):  # and nothing else that an archive may have there
        shutil.copyfile(files / ENCODER / name, whole / ENCODER / name)
    layout = whole / ENCODER / LAYOUT
    values = {**json.loads(layout.read_text(encoding="utf-8")), "model_name": str(directory / ENCODER)}
    layout.write_text(json.dumps(values, indent=1), encoding="utf-8")


def _model(
    config: dict[str, Any],
    extension: Extension,
    trained: Model,
    vectors: Mapping[str, Mapping[str, torch.Tensor]],
    whole: Path,
) -> Model:
    """Built as training will build it, on the vocabulary as it will be read."""
    tokens = extension.vocab._padding_token, extension.vocab._oov_token
    vocab = Vocabulary.from_files(whole / "vocabulary", *tokens)
    model = Model.from_params(vocab=vocab, params=Params(config["model"]).duplicate(), serialization_dir=str(whole))
    take_over(model, trained)
    begin_new_vectors(model, extension.rows, vectors)
    return model


def _finish(
    config: dict[str, Any], request: FineTuning, types: list[str], model: Model, trained: Vocabulary, directory: Path
) -> None:
    """Completes the config by what it trains on, and from where."""
    tokens = {"padding_token": trained._padding_token, "oov_token": trained._oov_token}
    config["vocabulary"] = {"type": "from_files", "directory": str(directory / "vocabulary"), **tokens}
    config["model"]["initializer"] = {
        "regexes": [[".*", {"type": "pretrained", "weights_file_path": str(directory / START)}]]
    }
    trainer = config["trainer"]
    if request.dev is not None:
        config["validation_data_path"] = request.dev
    else:
        trainer.pop("patience", None)
    callbacks = trainer.setdefault("callbacks", [])
    tagger = config["model"].get("member", config["model"])
    names = [callback if isinstance(callback, str) else callback.get("type") for callback in callbacks]
    if tagger.get("tau") is not None and "label_statistics" not in names:
        callbacks.append({"type": "label_statistics"})
    for callback in callbacks:
        if isinstance(callback, dict) and callback.get("type") == "declared_types":
            callback["types"] = list(dict.fromkeys([*callback.get("types", ()), *types]))
    if request.layer_decay < 1:
        with_layer_decay(trainer, model, request.layer_decay)
