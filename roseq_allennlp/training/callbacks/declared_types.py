import logging
from typing import TYPE_CHECKING, Any

import torch
from allennlp.nn.util import dist_reduce_sum
from allennlp.training.callbacks import TrainerCallback

from roseq_allennlp.data.label_statistics import count_labels
from roseq_allennlp.data.tag_schemes import split_tag
from roseq_allennlp.data.tag_spelling import with_close_ones

if TYPE_CHECKING:
    from allennlp.training import GradientDescentTrainer

logger = logging.getLogger(__name__)


@TrainerCallback.register("declared_types")
class DeclaredTypesCallback(TrainerCallback):
    """
    Warns of entity types in the training split that are not declared: a mistyped one would become a class of its own.

    Fires in `on_start` and changes nothing. Where the vocabulary has undeclared types it counts the tags of the trainer's own
    data loader, as `label_statistics` does, over all processes. Accumulation and AMP do not concern it.

    # Parameters

    serialization_dir : `str`
        Given by the trainer.
    types : `List[str]`
        The types declared.
    """

    def __init__(self, serialization_dir: str, types: list[str]) -> None:
        super().__init__(serialization_dir)
        self._types = types

    def on_start(self, trainer: "GradientDescentTrainer", is_primary: bool = True, **kwargs: Any) -> None:
        super().on_start(trainer, is_primary, **kwargs)
        vocab: Any = trainer.model.vocab
        undeclared = {tag: split_tag(tag)[1] for tag in vocab.get_token_to_index_vocabulary("labels") if tag != "O"}
        undeclared = {tag: label for tag, label in undeclared.items() if label not in self._types}
        if not undeclared:
            return
        counts = count_labels(trainer.data_loader.iter_instances(), "labels")
        totals = dist_reduce_sum(torch.tensor([counts[tag] for tag in undeclared])).tolist()
        trained_on = {label for label, total in zip(undeclared.values(), totals, strict=True) if total}
        if trained_on and is_primary:
            logger.warning(
                "The training data has types that are not declared: %s. They are trained as classes of their own: correct them, or"
                " declare them among the `types` of the config.",
                with_close_ones(trained_on, self._types),
            )
