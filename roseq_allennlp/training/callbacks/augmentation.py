from typing import TYPE_CHECKING, Any, Optional

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import Instance
from allennlp.training.callbacks import TrainerCallback

from roseq_allennlp.data.augmentation import Sentence, augmented

if TYPE_CHECKING:
    from allennlp.training import GradientDescentTrainer


@TrainerCallback.register("augmentation")
class AugmentationCallback(TrainerCallback):
    """
    Trains on a variant of each sentence beside the sentence itself, so an epoch has twice as many: some entities replaced by
    other mentions of their types, and words mistyped (see `augmentation.augmented`). Nothing but the training split is drawn
    from, and nothing else is varied: development and test data stay as they are, and so do vocabulary and label
    statistics, which count the training split's own sentences.

    Fires in `on_start`, where it has the trainer's data loader draw variants for each pass over the data. They follow from
    the config's `pytorch_seed` and the number of the pass, so a recovered run has the same. In distributed training each
    process varies its shard, with the mentions of its shard. Accumulation and AMP do not concern it.

    # Parameters

    mentions : `float`, optional (default = `0.5`)
        Share of the entities to replace, from 0 to 1.
    noise : `float`, optional (default = `0.1`)
        Share of the words to mistype, from 0 to 1.
    variants : `int`, optional
        How many variants a sentence has, of which later passes repeat the first, second and so on: a frozen encoder computes
        each once. By default each pass has a new one.

    # Raises

    `ConfigurationError`: a share out of range, or both 0; fewer than one variant; a data loader other than `in_memory`;
    instances without `tokens` and `tags`.
    """

    def __init__(
        self, serialization_dir: str, mentions: float = 0.5, noise: float = 0.1, variants: Optional[int] = None
    ) -> None:
        super().__init__(serialization_dir)
        for name, share in {"mentions": mentions, "noise": noise}.items():
            if not 0 <= share <= 1:
                raise ConfigurationError(f"augmentation: `{name}` is a share, from 0 to 1; got {share}.")
        if mentions == noise == 0:
            raise ConfigurationError("augmentation: `mentions` and `noise` are both 0. Remove the callback.")
        if variants is not None and variants < 1:
            raise ConfigurationError(f"augmentation: `variants` must be at least 1, or left out; got {variants}.")
        self._variants = variants
        self._mentions = mentions
        self._noise = noise

    @property
    def summary(self) -> str:
        """What the header of a run says of it."""
        return "augmentation"

    def on_start(self, trainer: "GradientDescentTrainer", *args: Any, **kwargs: Any) -> None:
        self._seed = torch.initial_seed()
        loader: Any = trainer.data_loader
        if not hasattr(loader, "add_to_each_pass"):
            raise ConfigurationError(
                'augmentation needs a data loader that takes its variants. Set `data_loader.type` to "in_memory".'
            )
        try:
            self._sentences: list[Sentence] = [
                ([token.text for token in instance["tokens"]], instance["tags"].labels)
                for instance in loader.iter_instances()
            ]
        except KeyError as error:
            raise ConfigurationError(
                f"augmentation needs instances with `tokens` and `tags`, as the readers of this package make them; there"
                f" is no {error}."
            ) from error
        self._text_to_instance = loader.reader.text_to_instance
        loader.add_to_each_pass(self._draw)

    def _draw(self, number: int) -> list[Instance]:
        if self._variants is not None:
            number %= self._variants
        variants = augmented(self._sentences, self._mentions, self._noise, f"{self._seed} {number}")
        return [self._text_to_instance(words, tags) for words, tags in variants]
