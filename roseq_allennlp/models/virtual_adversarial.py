from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from allennlp.data import DatasetReader
from allennlp.data.data_loaders import SimpleDataLoader
from allennlp.nn.util import get_text_field_mask
from allennlp.training.callbacks import TrainerCallback

from roseq_allennlp.models.tagger import EMBEDDED
from roseq_allennlp.nn.distillation import excess_counts, path_cross_entropy
from roseq_allennlp.nn.perturbation import adversarial_perturbation

if TYPE_CHECKING:
    from allennlp.training import GradientDescentTrainer


@TrainerCallback.register("virtual_adversarial")
class VirtualAdversarialCallback(TrainerCallback):
    """
    Virtual adversarial training (Miyato et al. 2017) on text without labels: a batch of it beside each batch, on which the
    distribution over paths may not change where the embedded sentence moves by ε in the direction in which it changes most.
    """

    def __init__(
        self, serialization_dir: str, reader: DatasetReader, path: str, epsilon: float = 5.0, weight: float = 1.0
    ) -> None:
        super().__init__(serialization_dir)
        self._reader, self._path, self._epsilon, self._weight = reader, path, epsilon, weight

    def on_start(self, trainer: "GradientDescentTrainer", *args: Any, **kwargs: Any) -> None:
        instances = [one for one in self._reader.read(self._path) if len(one["tokens"]) > 1]  # type: ignore[arg-type]
        self._batches = self._endless(SimpleDataLoader(instances, 16, shuffle=True, vocab=trainer.model.vocab))

    def _endless(self, loader: SimpleDataLoader) -> Iterator[Any]:
        while True:
            yield from loader

    def on_backward(
        self,
        trainer: "GradientDescentTrainer",
        batch_outputs: dict[str, torch.Tensor],
        backward_called: bool,
        **kwargs: Any,
    ) -> bool:
        model: Any = trainer.model
        if not backward_called:
            batch_outputs["loss"].backward()
        tokens = next(self._batches)["tokens"]
        mask = get_text_field_mask(tokens)  # (B, T)

        def potentials(vectors: torch.Tensor) -> Any:
            return model.crf.potentials_of_likelihood(model.score_tags({EMBEDDED: {"vectors": vectors}}, None, mask)[0])

        embedded = model._text_field_embedder(tokens)  # (B, T, width)
        model.eval()
        with torch.no_grad():
            clean = potentials(embedded.detach())
        counts = excess_counts(clean, mask)
        direction = torch.randn_like(embedded) * mask.unsqueeze(2)
        step = adversarial_perturbation(direction, 0.1, len(mask)).requires_grad_()
        loss = path_cross_entropy(potentials(embedded.detach() + step), counts, mask)
        (gradient,) = torch.autograd.grad(loss, step)
        model.train()
        move = adversarial_perturbation(gradient, self._epsilon, len(mask))
        (self._weight * path_cross_entropy(potentials(embedded + move), counts, mask)).backward()  # type: ignore[no-untyped-call]
        return True
