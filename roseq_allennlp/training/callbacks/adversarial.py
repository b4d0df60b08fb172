import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Optional

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules import TextFieldEmbedder
from allennlp.modules.token_embedders import Embedding
from allennlp.training.callbacks import TrainerCallback
from allennlp.training.metrics import Metric

from roseq_allennlp.modules.token_embedders import TransformerEmbedder
from roseq_allennlp.modules.token_embedders.char_cnn_highway import CharacterEmbedding
from roseq_allennlp.nn.perturbation import NORMS, adversarial_perturbation
from roseq_allennlp.training.metrics.loss_average import LossAverage
from roseq_allennlp.training.metrics.of_model import metrics_of, unchanged
from roseq_allennlp.training.trainer_access import TrainerAccess, check_state
from roseq_allennlp.training.wrapped_data_loader import WrappedDataLoader

if TYPE_CHECKING:
    from allennlp.training import GradientDescentTrainer


@TrainerCallback.register("adversarial")
class AdversarialCallback(TrainerCallback):
    """
    Adversarial training, eqs. (13) to (16): trains on the loss of a batch plus the loss of the same batch with each
    embedding layer's output moved by η = ε g / ‖g‖₂, g the gradient of the clean loss there, the norm per sentence unless
    `norm` says otherwise.

    The layers are the AllenNLP `Embedding` modules inside the model's text field embedder (word vectors, character
    vectors, shapes), each with its own gradient, before dropout. A tuned `transformer` is moved at the vectors that its encoder
    looks up for the pieces; a frozen one, and any token embedder without such a module, at its output. Vectors may be
    frozen: the gradient is with respect to outputs, not weights.

    When each hook fires and what it changes:

    - `on_start` (also after `--recover`) hooks the layers and the trainer's model, counts what its data loader gives
      out, and adds `adversarial_loss`, the mean loss of the moved batches, to the model's training metrics. `loss` stays
      the clean one.
    - `on_backward` does the two backward passes and the forward pass between them. Only `.grad` of the parameters
      changes: `requires_grad` and the model's metrics are as before. A regularisation penalty counts once.
    - `on_end` takes all that away.

    Accumulation: both losses are divided by the number of batches in the group, a shorter last group included. AMP: both
    are scaled by the trainer's `GradScaler`; the forward pass runs under autocast. Distributed: gradients are summed
    over both passes first and reduced once a batch, as in plain training. Gradient clipping, moving averages and
    schedulers see the sum.

    # Parameters

    epsilon : `float`, optional (default = `5.0`)
        ε >= 0, the length of the step for each sentence and layer; 0 doubles the clean gradient.
    norm : `str`, optional (default = `"sentence"`)
        What has the length ε: with `"sentence"` the step of a sentence, eq. (14); with `"token"` that of each vector (of a
        word, a piece, a character); with `"channel"` that of each entry of the vectors over a sentence, as the paper's
        authors have it for characters in their code. For characters of 30 entries that is √30 times as far.
    embedders : `List[str]`, optional
        Keys of the token embedders to perturb, as in the config. All by default.

    # Raises

    `ConfigurationError` for ε < 0, an unknown norm or key, a model without text field embedder, a second callback that has
    called backward, and distributed training other than `torch` DDP. `ValueError` if the adversarial loss is NaN.
    """

    def __init__(
        self,
        serialization_dir: str,
        epsilon: float = 5.0,
        embedders: Optional[list[str]] = None,
        norm: str = "sentence",
    ) -> None:
        super().__init__(serialization_dir)
        if not (epsilon >= 0 and math.isfinite(epsilon)):
            raise ConfigurationError(f"adversarial: epsilon must be a finite number of at least 0; got {epsilon}.")
        if norm not in NORMS:
            raise ConfigurationError(f"adversarial: norm must be one of {NORMS}; got {norm!r}.")
        self._epsilon = epsilon
        self._norm = norm
        self._embedders = embedders
        self._loss = LossAverage()
        self._metrics: list[Metric] = []  # of the model
        self._stack = contextlib.ExitStack()  # what on_end undoes
        self._no_sync = contextlib.ExitStack()  # held from the clean forward pass to the clean backward pass
        self._batch: Optional[dict[str, Any]] = None
        self._drawn = 0  # batches of the epoch that the data loader has given out
        self._num_sentences = 0
        # The layers' outputs in the order of the clean forward pass, with each row's sentence index if the rows are not
        # those of the batch.
        self._outputs: list[tuple[torch.Tensor, Optional[torch.Tensor]]] = []
        self._perturbations: Optional[Iterator[torch.Tensor]] = None  # set during the adversarial forward pass

    @property
    def summary(self) -> str:
        """What the header of a run says of it."""
        return f"adversarial ε={self._epsilon:g}"

    def state_dict(self) -> dict[str, Any]:
        return {"loss": self._loss.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        check_state("adversarial", state_dict, {"loss"})
        self._loss.load_state_dict(state_dict["loss"])

    def on_start(self, trainer: "GradientDescentTrainer", *args: Any, **kwargs: Any) -> None:
        self._access = access = TrainerAccess(trainer)
        model: Any = trainer.model
        wrapped = access.pytorch_model
        if access.is_distributed and not isinstance(wrapped, torch.nn.parallel.DistributedDataParallel):
            raise ConfigurationError(
                f"adversarial works with the `torch` DDP accelerator only; this run uses {type(wrapped).__name__}. "
                'Remove `distributed.ddp_accelerator` or set it to {"type": "torch"}.'
            )
        self._loader = trainer.data_loader
        trainer.data_loader = WrappedDataLoader(self._loader, self._counted_batches)  # type: ignore[assignment]
        self._stack.callback(setattr, trainer, "data_loader", self._loader)
        self._stack.callback(wrapped.register_forward_pre_hook(self._before_forward, with_kwargs=True).remove)
        for layer in find_layers(model, self._embedders):
            if isinstance(layer, (CharacterEmbedding, TransformerEmbedder)):
                layer.observer = self._observe
                self._stack.callback(setattr, layer, "observer", None)
            else:
                self._stack.callback(layer.register_forward_hook(self._after_layer).remove)
        self._metrics = list(metrics_of(model).values())
        plain = model.get_metrics

        def get_metrics(reset: bool = False) -> dict[str, float]:
            metrics = plain(reset)
            if model.training:
                metrics["adversarial_loss"] = self._loss.get_metric(reset)
                # Here, where the trainer asks for the number after each step anyway: to look at it earlier would be one
                # more wait for the device.
                if math.isnan(metrics["adversarial_loss"]):
                    raise ValueError("nan adversarial loss encountered")
            return metrics

        model.get_metrics = get_metrics
        self._stack.callback(delattr, model, "get_metrics")

    def on_end(self, trainer: "GradientDescentTrainer", *args: Any, **kwargs: Any) -> None:
        self._no_sync.close()
        self._stack.close()
        self._batch, self._outputs = None, []

    def on_backward(
        self,
        trainer: "GradientDescentTrainer",
        batch_outputs: dict[str, torch.Tensor],
        backward_called: bool,
        **kwargs: Any,
    ) -> bool:
        if backward_called:
            raise ConfigurationError(
                "adversarial calls backward itself, mixed precision included, but another callback has already done so. "
                "Remove the other one (such as `mixed_precision_backward`) from `trainer.callbacks`."
            )
        backward = self._scaled_backward()
        backward(batch_outputs["loss"])
        self._no_sync.close()
        self._perturbations = iter(
            [
                torch.zeros_like(output)
                if output.grad is None
                else adversarial_perturbation(output.grad, self._epsilon, self._num_sentences, sentences, self._norm)
                for output, sentences in self._outputs
            ]
        )
        self._outputs = []
        assert self._batch is not None
        batch, self._batch = self._batch, None
        try:
            with unchanged(self._metrics), torch.autocast("cuda", enabled=self._access.uses_amp):
                loss = self._access.pytorch_model(**batch)["loss"]
            left_over = len(list(self._perturbations))
            if left_over:
                raise ConfigurationError(_other_layers(f"{left_over} fewer"))
        finally:
            self._perturbations = None
        backward(loss)
        self._loss(loss)
        return True

    def _counted_batches(self) -> Iterator[Any]:
        self._drawn = 0
        for batch in self._loader:
            self._drawn += 1
            yield batch

    def _scaled_backward(self) -> Callable[[torch.Tensor], None]:
        """Backward of a batch's loss as the trainer would do it: divided by the size of its group, scaled under AMP."""
        # The trainer hands out the undivided loss, and has drawn all batches of a group before it trains on the first.
        # Earlier groups were full; only the last of an epoch can be shorter.
        access = self._access
        steps = self._drawn - access.accumulation_steps * access.groups_completed

        def backward(loss: torch.Tensor) -> None:
            loss = loss / steps
            (loss if access.scaler is None else access.scaler.scale(loss)).backward()

        return backward

    def _before_forward(self, wrapped: torch.nn.Module, args: Any, batch: dict[str, Any]) -> None:
        if self._perturbations is not None or not (wrapped.training and torch.is_grad_enabled()):
            return
        self._batch, self._outputs = batch, []
        self._num_sentences = _batch_size(batch)
        if isinstance(wrapped, torch.nn.parallel.DistributedDataParallel):
            self._no_sync.enter_context(wrapped.no_sync())

    def _after_layer(self, layer: torch.nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
        return self._observe(output, None)

    def _observe(self, output: torch.Tensor, sentences: Optional[torch.Tensor]) -> torch.Tensor:
        """Keeps a layer's output in the clean forward pass, and perturbs it in the adversarial one."""
        if self._perturbations is not None:
            perturbation = next(self._perturbations, None)
            if perturbation is None or perturbation.shape != output.shape:
                raise ConfigurationError(_other_layers("others"))
            return output + perturbation
        if self._batch is not None:
            if output.requires_grad:
                output.retain_grad()
            else:  # frozen vectors: a leaf of its own
                output.requires_grad_()
            self._outputs.append((output, sentences))
        return output


def _other_layers(which: str) -> str:
    return (
        f"adversarial: the second forward pass of a batch used {which} of the perturbed embedding layers than the first. The"
        " model must call the same layers in the same order each time; `embedders` can leave out those that it does not."
    )


def find_layers(model: torch.nn.Module, keys: Optional[Sequence[str]]) -> list[torch.nn.Module]:
    """The layers whose outputs are perturbed, see `AdversarialCallback`; each once."""
    prefix = "token_embedder_"
    embedders = [
        (name[len(prefix) :], child)
        for module in model.modules()
        if isinstance(module, TextFieldEmbedder)
        for name, child in module.named_children()
        if name.startswith(prefix)
    ]
    if not embedders:
        raise ConfigurationError(
            f"adversarial needs a model with a `basic` text field embedder; {type(model).__name__} has none."
        )
    names = sorted({key for key, _ in embedders})
    unknown = sorted(set(keys or ()) - set(names))
    if unknown:
        raise ConfigurationError(
            f"adversarial: no token embedder {unknown} in the model; `embedders` may name {names}."
        )
    layers: dict[torch.nn.Module, None] = {}
    for key, embedder in embedders:
        if keys is None or key in keys:
            inner: list[torch.nn.Module] = [module for module in embedder.modules() if isinstance(module, Embedding)]
            layers.update(dict.fromkeys(inner or [embedder]))
    return list(layers)


def _batch_size(batch: Any) -> int:
    """Length of the outermost dimension of the first tensor in a (nested) batch."""
    while isinstance(batch, dict):
        batch = next(value for value in batch.values() if isinstance(value, (dict, torch.Tensor)))
    return int(batch.size(0))
