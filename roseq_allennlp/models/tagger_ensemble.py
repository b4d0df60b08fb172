import copy
from typing import Optional

import torch
from allennlp.common import Lazy
from allennlp.common.checks import ConfigurationError
from allennlp.data import TextFieldTensors, Vocabulary
from allennlp.models import Model
from allennlp.modules import TextFieldEmbedder
from allennlp.nn import InitializerApplicator, RegularizerApplicator
from allennlp.nn.parallel import DdpAccelerator

from roseq_allennlp.models.archive_weights import MOST_NAMES
from roseq_allennlp.models.label_aware_crf_tagger import LabelAwareCrfTagger
from roseq_allennlp.models.tagger import EMBEDDED, Tagger
from roseq_allennlp.modules.token_embedders.transformer_embedder import TransformerEmbedder, encoded_once


@Model.register("tagger_ensemble")
class TaggerEnsemble(Tagger):
    """
    Several `label_aware_crf_tagger`s of one config, which differ in their random weights and dropout, trained side by side
    on the same batches. The loss is the sum of theirs; none sees another's gradient. Tags and probabilities are those of
    one CRF, whose emissions and transitions are the means of theirs: up to its normalisation, the geometric mean of their
    distributions over paths.

    Training and tagging cost as much as all members together, but for a frozen encoder, which they share.

    # Parameters

    vocab : `Vocabulary`
    member : `Lazy[Model]`
        The config of one, a `label_aware_crf_tagger`. Its `top_k`, `decode_in_training`, `return_emissions`, `temperature`
        and `thresholds` are the ensemble's.
    size : `int`, optional (default = `3`)
        How many.
    initializer : `InitializerApplicator`, optional
        Of all members at once, whose parameters begin with `_members.0.` and so on; after the initializers of each.
    regularizer, ddp_accelerator : optional
        See `LabelAwareCrfTagger`.

    # Raises

    `ConfigurationError`: fewer than two members, or members that are no `label_aware_crf_tagger`.
    """

    def __init__(
        self,
        vocab: Vocabulary,
        member: Lazy[Model],
        size: int = 3,
        initializer: InitializerApplicator = InitializerApplicator(),
        regularizer: Optional[RegularizerApplicator] = None,
        ddp_accelerator: Optional[DdpAccelerator] = None,
    ) -> None:
        if size < 2:
            raise ConfigurationError(f"size is how many taggers are in the ensemble, at least 2; got {size}.")
        members = [member.construct(vocab=vocab) for _ in range(size)]
        first = members[0]
        if not isinstance(first, LabelAwareCrfTagger):
            raise ConfigurationError(
                f"The members of a tagger_ensemble must be a label_aware_crf_tagger; got {type(first).__name__}."
            )
        super().__init__(
            vocab,
            first._top_k,
            first._decode_in_training,
            first._return_emissions,
            regularizer,
            ddp_accelerator,
        )
        for other in members[1:MOST_NAMES]:
            for of_first, own in zip(_encoders(first), _encoders(other), strict=True):
                own.share_encoder(of_first)
        self._members = torch.nn.ModuleList(members)
        self.crf = copy.deepcopy(first.crf).requires_grad_(False)
        self.thresholds = first.thresholds
        initializer(self)

    @property
    def members(self) -> list[LabelAwareCrfTagger]:
        return list(self._members)  # type: ignore[arg-type]

    @property
    def summary(self) -> str:
        """What the header of a run says of it: the components of its members."""
        return self.members[0].summary

    @property
    def embedders(self) -> list[TextFieldEmbedder]:
        return [embedder for member in self.members for embedder in member.embedders]

    def tokens_of_members(self, tokens: TextFieldTensors) -> list[TextFieldTensors]:
        """The same for each, unless they are embedded already."""
        if EMBEDDED not in tokens:
            return [tokens] * len(self.members)
        widths = [embedder.get_output_dim() for embedder in self.embedders]
        vectors = tokens[EMBEDDED]["vectors"].split(widths, dim=2)
        return [{EMBEDDED: {**tokens[EMBEDDED], "vectors": own}} for own in vectors]

    def set_label_counts(self, counts: dict[str, int]) -> None:
        """ζ of each member, see `LabelAwareCrfTagger.set_label_counts`."""
        for member in self.members:
            member.set_label_counts(counts)
        self._take_means()

    @torch.no_grad()
    def _take_means(self) -> None:
        states = [member.crf.state_dict() for member in self.members]
        means = {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]}
        self.crf.load_state_dict({**self.crf.state_dict(), **means})  # the temperature is its own

    def score_tags_by_members(
        self, tokens: TextFieldTensors, tags: Optional[torch.Tensor], mask: torch.Tensor, has_unknown: bool = False
    ) -> list[tuple[torch.Tensor, Optional[torch.Tensor]]]:
        """`score_tags` of each."""
        with encoded_once():
            return [
                member.score_tags(own, tags, mask, has_unknown)
                for member, own in zip(self.members, self.tokens_of_members(tokens), strict=True)
            ]

    def score_tags(
        self, tokens: TextFieldTensors, tags: Optional[torch.Tensor], mask: torch.Tensor, has_unknown: bool = False
    ) -> tuple[torch.Tensor, Optional[torch.Tensor]]:
        scored = self.score_tags_by_members(tokens, tags, mask, has_unknown)
        if not self.training or self._decode_in_training:
            self._take_means()
        losses = [loss for _, loss in scored if loss is not None]
        emissions = torch.stack([emissions for emissions, _ in scored]).mean(0)  # (B, T, K)
        return emissions, torch.stack(losses).sum() if losses else None

    def get_metrics(self, reset: bool = False) -> dict[str, float]:
        """The members' losses are summed, as in training."""
        metrics: dict[str, float] = {}
        for member in self.members:
            for name, loss in member._losses.items():
                metrics[name] = metrics.get(name, 0.0) + loss.get_metric(reset)
        return {**metrics, **super().get_metrics(reset)}


def _encoders(member: Model) -> list[TransformerEmbedder]:
    return [module for module in member.modules() if isinstance(module, TransformerEmbedder)]
