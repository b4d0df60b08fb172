import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.nn.util import dist_reduce_sum
from allennlp.training.callbacks import TrainerCallback

from roseq_allennlp.data.label_statistics import count_labels
from roseq_allennlp.data.tag_schemes import UNKNOWN

if TYPE_CHECKING:
    from allennlp.training import GradientDescentTrainer

logger = logging.getLogger(__name__)


@TrainerCallback.register("label_statistics")
class LabelStatisticsCallback(TrainerCallback):
    """
    Counts the tags of the training split, and of nothing else, and gives them to the model's `set_label_counts` for ζ
    (eq. 8). Tokens whose tag is unknown (`?`) are not counted.

    Fires in `on_start`: once a run, before the first batch, also after `--recover`. It reads every instance of the
    trainer's own data loader; data that is not held in memory is read once more for it. In distributed training each
    worker counts its shard and the counts are added, so all have the ζ of one process. Accumulation and AMP do not
    concern it. The vocabulary's counters are not used: they are gone in distributed training and after `--recover`, and
    may have counted other splits.

    # Raises

    `ConfigurationError` if the model takes no label counts, or no tag is known.
    """

    def on_start(self, trainer: "GradientDescentTrainer", is_primary: bool = True, **kwargs: Any) -> None:
        model: Any = trainer.model
        if not hasattr(model, "set_label_counts"):
            raise ConfigurationError(
                f"label_statistics sets the label weights of a label_aware_crf_tagger; the model is a "
                f"{type(model).__name__}. Remove the callback."
            )
        counts = count_labels(trainer.data_loader.iter_instances(), "labels")
        labels = list(model.vocab.get_token_to_index_vocabulary("labels"))
        totals = dist_reduce_sum(torch.tensor([counts[label] for label in labels])).tolist()
        if not any(totals):
            raise ConfigurationError(
                "The training data has no known tags of the namespace `labels`, so ζ cannot be computed. "
                "Train on labelled data, or turn the label weights off (`tau: null`)."
            )
        by_label = dict(zip(labels, totals, strict=True))
        if not by_label.get("O") and any(UNKNOWN in tags for tags in _tags(trainer)):
            raise ConfigurationError(
                f"{getattr(trainer.data_loader, 'data_path', 'The training data')}: has unknown tags (`?`) and no token that is"
                " known to be O, so the tagger would mark every token. Add sentences that are annotated in full, or read what is"
                " unmarked as O."
            )
        model.set_label_counts(by_label)
        if is_primary:
            weights = model.crf.label_weights.tolist()
            logger.info(
                "Label weights ζ: %s", {label: round(weight, 5) for label, weight in zip(labels, weights, strict=True)}
            )


def _tags(trainer: "GradientDescentTrainer") -> Iterator[Sequence[Any]]:
    for instance in trainer.data_loader.iter_instances():
        yield from (getattr(field, "labels", ()) for field in instance.fields.values())
