"""What a run of fine-tuning trains on: new sentences, and shares of older ones."""

from pathlib import Path
from typing import Any

from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader
from allennlp.models.archival import Archive

from roseq_allennlp.data.dataset_readers import ColumnReader
from roseq_allennlp.data.formats import recognised
from roseq_allennlp.data.text_files import local_path
from roseq_allennlp.data.training_mix import Sentence, only_types, read_sentences, share_of, types_in
from roseq_allennlp.models.archive_config import READERS
from roseq_allennlp.models.finetuning_request import FineTuning
from roseq_allennlp.models.unannotated import with_unknown_tags


def sentences_of(request: FineTuning, config: dict[str, Any], archive: Archive, whole: Path) -> list[Sentence]:
    """
    What is trained on: the new sentences with the entities that count, then shares of the older ones. `config` has the
    archive's reader; the encoder's files are in `whole`.

    # Raises

    `ConfigurationError`: a file cannot be read, or has not the types that it should have.
    """

    def read(path: str) -> list[Sentence]:
        reader = reader_for(config[READERS[1]], path, archive)
        return read_sentences(DatasetReader.from_params(Params(reader).duplicate(), serialization_dir=str(whole)), path)

    new = read(request.train)
    present = types_in(new)
    if not present:
        raise ConfigurationError(
            f"{request.train}: the training data has no entity. Give a file with tags of entities."
        )
    if absent := [label for label in request.types or () if label not in present]:
        raise ConfigurationError(
            f"{request.train}: has no entity of the type {', '.join(absent)}; its types are {', '.join(present)}."
        )
    if request.types is not None:
        new = only_types(new, request.types)
    known = {label.partition("-")[2] for label in archive.model.vocab.get_token_to_index_vocabulary("labels")}
    missing = sorted(known - {*types_in(new), ""})
    if missing and (request.unmarked or ("unknown" if request.replay else "O")) == "unknown":
        new = with_unknown_tags(new, archive, missing)
    known.update(types_in(new))
    replayed = []
    for path, share in request.replay.items():
        older = read(path)
        if foreign := [label for label in types_in(older) if label not in known]:
            raise ConfigurationError(
                f"replay: {path} has entities of the type {', '.join(foreign)}, which neither the archive nor the training"
                " data knows. Give data that the archive was trained on."
            )
        replayed += share_of(older, share, config.get("random_seed", 0))
    return new + replayed


def reader_for(config: dict[str, Any], path: str, archive: Archive) -> dict[str, Any]:
    """
    The archive's reader where it is not one of columns. Else one of columns that detects what the config does not set, the
    scheme of the tags always, or that of annotation tools, where the file is of one.
    """
    if not issubclass(DatasetReader.resolve_class_name(config["type"])[0], ColumnReader):
        return config
    language = {"language": getattr(archive.dataset_reader, "language", "xx")}
    try:
        kind = recognised(path if Path(path).is_dir() else local_path(path))
    except (ConfigurationError, OSError):  # the reader says it better
        kind = "columns"
    if kind == "columns":
        of_corpus = config["type"] in ("conll2002", "conll2003_ner", "wnut")  # whose layout the new file may not have
        return {**language, **config, "type": "columns" if of_corpus else config["type"], "tag_scheme": None}
    shared: dict[str, Any] = {key: config[key] for key in ("token_indexers", "max_length") if key in config}
    return {"type": "spans", **language, **shared}
