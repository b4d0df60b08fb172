import logging
import os
from typing import TYPE_CHECKING, Any, Optional

import torch
import torch.distributed as dist
from allennlp.common import logging as common_logging
from allennlp.common.checks import ConfigurationError
from allennlp.nn.util import move_to_device
from allennlp.training.callbacks import TrainerCallback

from roseq_allennlp.console import Console
from roseq_allennlp.data.tag_schemes import bioul_to_bioes
from roseq_allennlp.files import save
from roseq_allennlp.modules.crf import ConditionalRandomField
from roseq_allennlp.nn.temperature import ScoredSpans, fit_temperature
from roseq_allennlp.training.best_weights import NAME
from roseq_allennlp.training.scored_spans import scored_spans
from roseq_allennlp.training.trainer_access import TrainerAccess

if TYPE_CHECKING:
    from allennlp.training import GradientDescentTrainer

logger = logging.getLogger(__name__)


@TrainerCallback.register("calibration")
class CalibrationCallback(TrainerCallback):
    """
    When training is done, fits the temperature of the best weights' probabilities to the development data, as `roseq calibrate`
    does, and writes the weights anew with it: the archive has it from there. Tags and scores do not change.

    Fires in `on_start`, which only refuses what cannot be calibrated, and in `on_end`, where the best weights are in memory:
    averaged ones, where a moving average is kept. Without development data, or where none or all of the predicted entities are
    right, it warns, and the weights stay as they are. A run that breaks off, here too, does it when it is recovered.

    AMP: probabilities are those that the archive will give, without autocast. Distributed training: the entities that all
    processes predict are put together. Accumulation does not concern it.

    # Raises

    `ConfigurationError`: the model is no tagger of this package, or has a `temperature` in its config; or distributed training
    in which each process holds a part of the weights.
    """

    def on_start(self, trainer: "GradientDescentTrainer", *args: Any, **kwargs: Any) -> None:
        crf = getattr(trainer.model, "crf", None)
        if not isinstance(crf, ConditionalRandomField):
            raise ConfigurationError(
                f"calibration is for label_aware_crf_tagger and tagger_ensemble; the model is a {type(trainer.model).__name__}."
                " Remove the callback."
            )
        if crf.has_given_temperature:
            raise ConfigurationError(
                "calibration fits the temperature that `model.temperature` gives. Remove it, or the callback."
            )
        if TrainerAccess(trainer).is_sharded:
            raise ConfigurationError(
                "calibration needs all weights in one process. Remove `distributed.ddp_accelerator` or set it to"
                ' {"type": "torch"}.'
            )

    def on_end(
        self,
        trainer: "GradientDescentTrainer",
        metrics: Optional[dict[str, Any]] = None,
        epoch: Optional[int] = None,
        is_primary: bool = True,
        **kwargs: Any,
    ) -> None:
        access = TrainerAccess(trainer)
        if metrics is None or access.best_weights_file is None:
            return
        if access.validation_data_loader is None:
            if is_primary:
                logger.warning("The probabilities are not calibrated, as there are no development data.")
            return
        batches = _predicted(trainer.model, access.validation_data_loader, trainer.cuda_device)
        if access.is_distributed:
            of_all: list[Any] = [None] * dist.get_world_size()
            dist.all_gather_object(of_all, batches)
            batches = [batch for of_process in of_all for batch in of_process]
        try:
            temperature = fit_temperature(batches)
        except ValueError as error:
            if is_primary:
                logger.warning("The probabilities are not calibrated: %s", error)
            return
        trainer.model.crf.temperature = temperature  # type: ignore[union-attr, assignment]
        if is_primary:
            save(access.model.state_dict(), os.path.join(self.serialization_dir, NAME))
            console = Console(plain=common_logging.FILE_FRIENDLY_LOGGING)
            console.say(f"Probabilities are calibrated on the development data, by a temperature of {temperature:.3f}.")


@torch.no_grad()
def _predicted(model: Any, loader: Any, device: torch.device) -> list[ScoredSpans]:
    was_training = model.training
    model.eval()
    batches = []
    for batch in loader:
        tags = batch["tags"]
        # Without tags there is no loss, and no metric counts.
        output = model(**move_to_device({name: value for name, value in batch.items() if name != "tags"}, device))
        gold = [entry.get("tags") for entry in batch.get("metadata", ())]
        if not gold or None in gold:
            gold = model._tag_strings(tags, output["mask"])
        predicted = model._tag_strings(output["tags"], output["mask"])
        batches.append(
            scored_spans(model.crf, output, *(list(map(bioul_to_bioes, each)) for each in (gold, predicted)))
        )
    model.train(was_training)
    return batches
