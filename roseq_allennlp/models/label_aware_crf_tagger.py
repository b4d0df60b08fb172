import contextlib
import math
from collections.abc import Callable
from typing import Optional

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import TextFieldTensors, Vocabulary
from allennlp.models import Model
from allennlp.modules import FeedForward, Seq2SeqEncoder, TextFieldEmbedder
from allennlp.modules.conditional_random_field.conditional_random_field import allowed_transitions
from allennlp.nn import InitializerApplicator, RegularizerApplicator
from allennlp.nn.parallel import DdpAccelerator

from roseq_allennlp.data.label_statistics import label_weights as weights_from_counts
from roseq_allennlp.models.tagger import EMBEDDED, Tagger
from roseq_allennlp.modules.crf import ConditionalRandomField
from roseq_allennlp.modules.seq2seq_encoders import BidirectionalLstm
from roseq_allennlp.nn.distillation import path_cross_entropy
from roseq_allennlp.nn.dropout import dropout as apply_dropout
from roseq_allennlp.nn.focal_loss import focal_loss
from roseq_allennlp.nn.forward_backward import UNKNOWN, Potentials
from roseq_allennlp.training.metrics.loss_average import LossAverage

REDUCTIONS = ("sentence_sum", "token_mean")


@Model.register("label_aware_crf_tagger")
class LabelAwareCrfTagger(Tagger):
    """
    RoSeq's tagger: embedder, encoder, fusion (eq. 6), emissions, label-aware CRF (eq. 9) and focal loss (eq. 11).

    Each component is a switch. With `tau`, `label_weights` and `gamma` all unset this is the BiLSTM-CNN-CRF base model;
    adversarial training is the trainer callback `adversarial`.

    # Parameters

    vocab : `Vocabulary`
        Its labels are BIOUL tags, AllenNLP's name for BIOES.
    text_field_embedder : `TextFieldEmbedder`
    encoder : `Seq2SeqEncoder`, optional
        Without one the emissions, or the fusion, are computed from the embeddings. A `bidirectional_lstm` without
        `input_size` gets the width of the embedder.
    fusion : `FeedForward`, optional
        Over the concatenated directions of the encoder; eq. (6) is one linear layer and tanh.
    tau : `float`, optional
        τ of eq. (8). Set, it turns the label-aware weights on; the callback `label_statistics` then counts the training
        split. An archive keeps ζ with the weights and needs no counts.
    label_weights : `Dict[str, float]`, optional
        ζ by tag (BIOUL) instead of `tau`; tags left out have weight 1.
    gamma : `float`, optional
        γ of eq. (11). Set, it turns the focal loss on.
    focal_reduction : `str`, optional (default = `"sentence_sum"`)
        `"sentence_sum"`: the focal loss summed over a sentence's real tokens, averaged over the batch's sentences, as the
        CRF's loss is; `"token_mean"`: averaged over the batch's real tokens. Tokens of unknown tag are left out.
    embedding_dropout : `float`, optional (default = `0.2`)
        On the concatenated embeddings.
    dropout : `float`, optional (default = `0.5`)
        On the encoder's output, where there is one.
    constrain_decoding : `bool`, optional (default = `True`)
        Decode valid BIOUL sequences only.
    include_start_end_transitions : `bool`, optional (default = `False`)
        Eq. (7) has none.
    top_k : `int`, optional (default = `1`)
        Paths to decode; above 1 the output has `top_k_tags`.
    decode_in_training : `bool`, optional (default = `False`)
        Decode and score the batches of training too.
    return_emissions : `bool`, optional (default = `False`)
        Keep the unweighted emissions in the human-readable output.
    temperature : `float`, optional (default = that of the weights, else 1)
        What the CRF's scores are divided by for all probabilities, neither for the tags nor for the loss. `roseq calibrate`
        sets it; the callback `calibration` keeps its own with the weights.
    thresholds : `Dict[str, float]`, optional
        By entity type the least probability that `roseq calibrate` has found for a precision: for who asks for it.
    initializer : `InitializerApplicator`, optional
    regularizer : `RegularizerApplicator`, optional
    ddp_accelerator : `DdpAccelerator`, optional
        Set by AllenNLP in distributed training.

    # Raises

    `ConfigurationError` when it is built: a switch out of range, two that exclude each other, labels that are not BIOUL,
    sizes that do not fit. In the first training batch: `tau` without label counts.
    """

    def __init__(
        self,
        vocab: Vocabulary,
        text_field_embedder: TextFieldEmbedder,
        encoder: Optional[Seq2SeqEncoder] = None,
        fusion: Optional[FeedForward] = None,
        tau: Optional[float] = None,
        label_weights: Optional[dict[str, float]] = None,
        gamma: Optional[float] = None,
        focal_reduction: str = "sentence_sum",
        embedding_dropout: float = 0.2,
        dropout: float = 0.5,
        constrain_decoding: bool = True,
        include_start_end_transitions: bool = False,
        top_k: int = 1,
        decode_in_training: bool = False,
        return_emissions: bool = False,
        temperature: Optional[float] = None,
        thresholds: Optional[dict[str, float]] = None,
        initializer: InitializerApplicator = InitializerApplicator(),
        regularizer: Optional[RegularizerApplicator] = None,
        ddp_accelerator: Optional[DdpAccelerator] = None,
    ) -> None:
        super().__init__(vocab, top_k, decode_in_training, return_emissions, regularizer, ddp_accelerator)
        if temperature is not None and not 0 < temperature < math.inf:
            raise ConfigurationError(f"temperature must be a finite number above 0; got {temperature}.")
        for label, threshold in (thresholds or {}).items():
            if not 0 <= threshold <= 1:
                raise ConfigurationError(f"thresholds are probabilities, from 0 to 1; got {threshold} for {label!r}.")
        for name, value in (("tau", tau), ("gamma", gamma)):
            if value is not None and not 0 <= value < math.inf:
                raise ConfigurationError(
                    f"{name} must be a finite number of at least 0, or null to turn it off; got {value}."
                )
        for name, share in (("dropout", dropout), ("embedding_dropout", embedding_dropout)):
            if not 0 <= share <= 1:
                raise ConfigurationError(f"{name} is a share of values, from 0 to 1; got {share}.")
        if tau is not None and label_weights is not None:
            raise ConfigurationError("`tau` computes the label weights and `label_weights` gives them: set only one.")
        if focal_reduction not in REDUCTIONS:
            raise ConfigurationError(f"focal_reduction must be one of {REDUCTIONS}; got {focal_reduction!r}.")
        width = text_field_embedder.get_output_dim()
        if isinstance(encoder, BidirectionalLstm) and not encoder.get_input_dim():
            encoder.set_input_dim(width)
        if encoder is not None and width != encoder.get_input_dim():
            raise ConfigurationError(
                f"The encoder takes vectors of {encoder.get_input_dim()}, the text field embedder gives "
                f"{width}: make them equal."
            )
        width = width if encoder is None else encoder.get_output_dim()
        if fusion is not None and fusion.get_input_dim() != width:
            raise ConfigurationError(
                f"The fusion layer takes vectors of {fusion.get_input_dim()}, what is before it gives {width}: make them"
                " equal."
            )
        self.tau = tau
        self._gamma = gamma
        self._focal_reduction = focal_reduction
        self._text_field_embedder = text_field_embedder
        self._embedding_dropout = embedding_dropout
        self._encoder = encoder
        self._dropout = dropout
        self._fusion = fusion
        width = width if fusion is None else fusion.get_output_dim()
        self._emission_layer = torch.nn.Linear(width, len(self._labels))
        self.crf = ConditionalRandomField(
            len(self._labels),
            allowed_transitions("BIOUL", self._labels) if constrain_decoding else None,
            include_start_end_transitions,
            temperature,
        )
        self.thresholds = thresholds or {}
        if tau is not None:
            self.crf.label_weights.fill_(float("nan"))  # unknown until counted or loaded
        elif label_weights is not None:
            self._set_label_weights(label_weights)
        # Set by the callback `distillation`: `excess_counts` of a trained tagger for a batch, and how much of the CRF's loss is
        # of it.
        self.teacher: Optional[Callable[[TextFieldTensors, torch.Tensor], Potentials]] = None
        self.teacher_weight = 0.0
        self._checked_label_weights = False
        self._losses = {"crf_loss": LossAverage()}
        if gamma is not None:
            self._losses["focal_loss"] = LossAverage()
        initializer(self)

    @property
    def summary(self) -> str:
        """What the header of a run says of it: the components that are on."""
        parts = []
        if self.tau is not None:
            parts.append(f"label weights τ={self.tau:g}")
        elif bool((self.crf.label_weights != 1).any()):
            parts.append("label weights given")
        if self._gamma is not None:
            parts.append(f"focal loss γ={self._gamma:g}")
        return ", ".join(parts)

    @property
    def embedders(self) -> list[TextFieldEmbedder]:
        return [self._text_field_embedder]

    def set_label_counts(self, counts: dict[str, int]) -> None:
        """ζ from the number of tokens with each tag of the training split; does nothing where `tau` is unset."""
        if self.tau is not None:
            self._set_label_weights(weights_from_counts(counts, self.tau))

    def _set_label_weights(self, weights: dict[str, float]) -> None:
        unknown = sorted(weights.keys() - set(self._labels.values()))
        if unknown:
            raise ConfigurationError(
                f"label_weights names {unknown}, but the tags are {sorted(self._labels.values())}."
            )
        if not all(0 < weight < math.inf for weight in weights.values()):
            raise ConfigurationError(f"label_weights must be positive and finite; got {weights}.")
        values = [weights.get(self._labels[index], 1.0) for index in range(len(self._labels))]
        self.crf.label_weights.copy_(torch.tensor(values))

    def score_tags(
        self, tokens: TextFieldTensors, tags: Optional[torch.Tensor], mask: torch.Tensor, has_unknown: bool = False
    ) -> tuple[torch.Tensor, Optional[torch.Tensor]]:
        embedded = (
            tokens[EMBEDDED]["vectors"] if EMBEDDED in tokens else self._text_field_embedder(tokens)
        )  # (B, T, width)
        features = apply_dropout(embedded, self._embedding_dropout, self.training)
        if self._encoder is not None:
            features = apply_dropout(self._encoder(features, mask), self._dropout, self.training)  # (B, T, its width)
        if self._fusion is not None:
            features = self._fusion(features)  # eq. (6), (B, T, fusion's width)
        # Not in half precision: ζ multiplies the emissions, and a sentence's are added up.
        with contextlib.nullcontext() if mask.is_meta else torch.autocast(mask.device.type, enabled=False):
            emissions = self._emission_layer(features.to(self._emission_layer.weight.dtype))  # (B, T, K)
        self._check_label_weights()
        if tags is None:
            return emissions, None
        teacher = self.teacher(tokens, mask) if self.teacher is not None and self.training else None
        return emissions, self._loss(emissions, tags, mask, has_unknown, teacher)

    def _loss(
        self,
        emissions: torch.Tensor,
        tags: torch.Tensor,
        mask: torch.Tensor,
        has_unknown: bool,
        teacher: Optional[Potentials],
    ) -> torch.Tensor:
        loss = -self.crf(emissions, tags, mask, has_unknown).mean()  # eq. (10)
        self._losses["crf_loss"](loss)
        if teacher is not None:
            soft_loss = path_cross_entropy(self.crf.potentials_of_likelihood(emissions), teacher, mask)
            loss = loss + self.teacher_weight * (soft_loss - loss)
        if self._gamma is not None:
            known = mask
            if has_unknown:
                known, tags = mask & (tags != UNKNOWN), tags.clamp(min=0)  # (B, T)
            focal = focal_loss(emissions, tags, self._gamma) * known  # eq. (11), (B, T)
            count = known.sum().clamp(min=1) if self._focal_reduction == "token_mean" else mask.size(0)
            focal = focal.sum() / count
            self._losses["focal_loss"](focal)
            loss = loss + focal  # eq. (12)
        return loss

    def _check_label_weights(self) -> None:
        # Once, since the check synchronises with the device; never on the meta device, which has no values.
        weights = self.crf.label_weights
        if self._checked_label_weights or weights.is_meta:
            return
        if torch.isnan(weights).any():
            raise ConfigurationError(
                "The label weights ζ are not known: `tau` is set, but no label counts were given and none were loaded. "
                'Add {"type": "label_statistics"} to `trainer.callbacks`, or give `label_weights` by name.'
            )
        self._checked_label_weights = True

    def get_metrics(self, reset: bool = False) -> dict[str, float]:
        return {**{name: loss.get_metric(reset) for name, loss in self._losses.items()}, **super().get_metrics(reset)}
