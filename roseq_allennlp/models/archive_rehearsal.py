"""What an archive has built, tried on a sentence: what does not work is known when it is opened, and not in the middle of a text."""

import re
import secrets
from collections.abc import Iterator
from typing import Any

import spacy
import torch
from allennlp.common import Params
from allennlp.common.from_params import takes_arg
from allennlp.data import Batch, DataLoader, DatasetReader, Instance
from allennlp.evaluation import Evaluator
from allennlp.models import Model
from allennlp.nn.util import is_distributed

from roseq_allennlp.data.tag_schemes import bioul_to_bioes
from roseq_allennlp.models.archive_config import ArchiveError


class _OneSentence(DatasetReader):
    """Gives a single instance, for a rehearsal of what would read a file."""

    def __init__(self, reader: DatasetReader, instance: Instance) -> None:
        super().__init__()
        self._reader = reader
        self._instance = instance

    def _read(self, file_path: Any) -> Iterator[Instance]:
        yield self._instance

    def apply_token_indexers(self, instance: Instance) -> None:
        self._reader.apply_token_indexers(instance)


def rehearse(model: Model, reader: DatasetReader, built: dict[str, Any]) -> None:
    """
    Tags a sentence of words that no vocabulary holds, and goes through the batches that `evaluate` would make of it, so
    that what does not work is known at once; also that a reader and a model of the user's do what tagging needs.
    """
    language = getattr(reader, "language", "xx")
    if not isinstance(language, str) or not re.fullmatch("[a-z]{2,3}", language):  # spaCy imports what it names
        raise ArchiveError(
            f"refused, its reader's `language` is {language!r}, not a code such as `en`, or `xx` for any."
        )
    spacy.util.get_lang_class(language)
    instance = _instance(reader, [secrets.token_hex(8), "\ue000", "Aa1-"])
    training = model.training
    batch = Batch([instance])
    batch.index_instances(model.vocab)
    try:
        with torch.inference_mode():
            output = model.eval()(**batch.as_tensor_dict())
            wrong = [name for name, value in output.items() if isinstance(value, torch.Tensor) and value.isnan().any()]
            if wrong:
                raise ArchiveError(f"tags a sentence with NaN in its {wrong}. Its weights are damaged: fetch it again.")
            output = model.make_output_human_readable(output)
    finally:
        model.train(training)
    keys = {"label", "start_token", "end_token", "probability"}
    if not (
        _is_a_row(output.get("tags"))
        and _is_a_row(output.get("entities"))
        and all(keys <= entity.keys() for entity in output["entities"][0])
    ):
        raise ArchiveError(
            f"its model is a {type(model).__name__}, which gives no `tags` and `entities` (each with"
            f" {', '.join(sorted(keys))}) for a sentence, as `label_aware_crf_tagger` does. Tags of other models are scored"
            " by `roseq score`."
        )
    bioul_to_bioes(list(model.vocab.get_token_to_index_vocabulary(getattr(model, "label_namespace", "labels"))))
    for key in ("data_loader", "validation_data_loader"):
        if key in built:
            params = {**built[key]}
            params.pop("num_workers", None)  # processes are for files
            if takes_arg(
                DataLoader.resolve_class_name(params.get("type", DataLoader.default_implementation))[0], "quiet"
            ):
                params["quiet"] = True
            loader = DataLoader.from_params(
                Params(params).duplicate(), reader=_OneSentence(reader, _instance(reader, ["a"])), data_path=""
            )
            loader.index_with(model.vocab)
            if not is_distributed():  # the processes of a distributed run share the sentences out, and each needs one
                next(iter(loader), None)
    Evaluator.from_params(Params(built.get("evaluation", {})).duplicate())


def _instance(reader: DatasetReader, words: list[str]) -> Instance:
    try:
        instance = reader.text_to_instance(words)
        reader.apply_token_indexers(instance)
        if list(instance["metadata"]["words"]) != words:  # type: ignore[index]
            raise ValueError("other words")
    except Exception as error:
        raise ArchiveError(
            f"its dataset reader is a {type(reader).__name__}, whose `text_to_instance(words)` gives no instance with the"
            f" words in `metadata` ({error or type(error).__name__}), as `columns` does. Correct the reader."
        ) from error
    return instance


def _is_a_row(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 1 and isinstance(value[0], list)
