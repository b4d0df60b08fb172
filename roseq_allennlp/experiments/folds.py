"""The training runs of cross-validation: the config of each fold, and what the fold's tagger makes of what it has not seen."""

import copy
import os
from pathlib import Path
from typing import Any, Optional

from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader

from roseq_allennlp.data.dataset_readers import NerReader
from roseq_allennlp.data.training_mix import MIX_READER, Sentence
from roseq_allennlp.evaluation.tagged_data import read_labelled, words_of


def training_sentences(config: dict[str, Any], name: str) -> tuple[NerReader, list[Sentence]]:
    """
    The reader of a training config, and the training sentences as it reads them.

    # Raises

    `ConfigurationError`: `name`, the config, trains on nothing that can be divided; data that cannot be read, or have no tags.
    """
    path = config.get("train_data_path")
    if config.get("type") == "finetune" or not isinstance(path, str):
        raise ConfigurationError(
            f"{name}: needs a `train_data_path`, one file, of which folds are made. Give the config of a run that trains from"
            " the start."
        )
    if os.path.realpath(path) == os.path.realpath(config.get("validation_data_path") or ""):
        raise ConfigurationError(
            f"{name}: `validation_data_path` is the training data, so the labels that are held out would choose the epoch. Give"
            " other development data, or leave it out: then each fold trains for all its epochs."
        )
    reader = DatasetReader.from_params(Params({"reader": copy.deepcopy(config["dataset_reader"])}).pop("reader"))
    if not isinstance(reader, NerReader):
        raise ConfigurationError(
            f"{name}: `dataset_reader` is a {type(reader).__name__}, of which no folds are made. Use one of this package's"
            " readers, such as `columns` or `spans`."
        )
    instances = read_labelled(reader, path)
    return reader, [
        Sentence(words_of(instance), instance["tags"].labels)  # type: ignore[attr-defined]
        for instance in instances
    ]


def fold_config(config: dict[str, Any], reader: NerReader, train: Path, epochs: Optional[int] = None) -> dict[str, Any]:
    """
    The config of a run on a part of the training data.

    The vocabulary, the counts of labels and the weights come from that part, and the config's development data choose the epoch;
    without any the last epoch counts. No test data are read.

    # Parameters

    config : `Dict[str, Any]`
        Of a run on all training data.
    reader : `NerReader`
        That of its training data.
    train : `Path`
        What `write_sentences` wrote of the part.
    epochs : `int`, optional (default = those of the config)
    """
    left_out = ("test_data_path", "evaluate_on_test")
    changed = {key: copy.deepcopy(value) for key, value in config.items() if key not in left_out}
    given = changed["dataset_reader"]
    given = given if isinstance(given, dict) else {"type": given}  # as AllenNLP reads a name alone
    changed.setdefault("validation_dataset_reader", given)
    changed["dataset_reader"] = {
        **MIX_READER,
        **{key: given[key] for key in ("token_indexers",) if key in given},
        "language": reader.language,
    }
    changed["train_data_path"] = str(train.absolute())
    if epochs is not None:
        changed["trainer"]["num_epochs"] = epochs
    return changed
