import contextlib
import math
from collections.abc import Iterator
from typing import Any, Optional

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import TextFieldTensors, Vocabulary
from allennlp.models import Model
from allennlp.modules import FeedForward, Seq2SeqEncoder, TextFieldEmbedder
from allennlp.modules.conditional_random_field.conditional_random_field import allowed_transitions
from allennlp.nn import InitializerApplicator, util

from roseq_allennlp.data.label_statistics import label_weights as weights_from_counts
from roseq_allennlp.data.tag_schemes import to_spans
from roseq_allennlp.modules.crf import ConditionalRandomField
from roseq_allennlp.nn.dropout import dropout as apply_dropout
from roseq_allennlp.nn.focal_loss import focal_loss
from roseq_allennlp.training.metrics.conll_f1 import ConllF1
from roseq_allennlp.training.metrics.loss_average import LossAverage


def locked_dropout(x, p, training):
    if not training or not p:
        return x
    m = torch.empty_like(x[:, :1]).bernoulli_(1 - p).div_(1 - p)
    return x * m


REDUCTIONS = ("sentence_sum", "token_mean")


@Model.register("label_aware_crf_tagger")
class LabelAwareCrfTagger(Model):
    """
    RoSeq's tagger: embedder, encoder, fusion (eq. 6), emissions, label-aware CRF (eq. 9) and focal loss (eq. 11).

    Each component is a switch. With `tau`, `label_weights` and `gamma` all unset this is the BiLSTM-CNN-CRF base model;
    adversarial training is the trainer callback `adversarial`.

    # Parameters

    vocab : `Vocabulary`
        Its labels are BIOUL tags, AllenNLP's name for BIOES.
    text_field_embedder : `TextFieldEmbedder`
    encoder : `Seq2SeqEncoder`
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
        CRF's loss is; `"token_mean"`: averaged over the batch's real tokens.
    embedding_dropout : `float`, optional (default = `0.2`)
        On the concatenated embeddings.
    dropout : `float`, optional (default = `0.5`)
        On the encoder's output.
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
    label_namespace : `str`, optional (default = `"labels"`)
    initializer : `InitializerApplicator`, optional
    regularizer : `RegularizerApplicator`, optional

    # Raises

    `ConfigurationError` when it is built: a switch out of range, two that exclude each other, labels that are not BIOUL,
    sizes that do not fit. In the first training batch: `tau` without label counts.
    """

    default_predictor = "ner_tagger"

    def __init__(
        self,
        vocab: Vocabulary,
        text_field_embedder: TextFieldEmbedder,
        encoder: Seq2SeqEncoder,
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
        label_namespace: str = "labels",
        outside_penalty: float = 0.0,
        locked: bool = False,
        word_dropout: float = 0.0,
        initializer: InitializerApplicator = InitializerApplicator(),
        **kwargs: Any,
    ) -> None:
        unknown = sorted(kwargs.keys() - {"regularizer", "serialization_dir", "ddp_accelerator"})
        if unknown:
            raise ConfigurationError(f"label_aware_crf_tagger has no {unknown}: check the spelling in `model`.")
        super().__init__(vocab, **kwargs)
        for name, value in (("tau", tau), ("gamma", gamma)):
            if value is not None and not 0 <= value < math.inf:
                raise ConfigurationError(
                    f"{name} must be a finite number of at least 0, or null to turn it off; got {value}."
                )
        if tau is not None and label_weights is not None:
            raise ConfigurationError("`tau` computes the label weights and `label_weights` gives them: set only one.")
        if focal_reduction not in REDUCTIONS:
            raise ConfigurationError(f"focal_reduction must be one of {REDUCTIONS}; got {focal_reduction!r}.")
        if top_k < 1:
            raise ConfigurationError(f"top_k must be at least 1; got {top_k}.")
        if text_field_embedder.get_output_dim() != encoder.get_input_dim():
            raise ConfigurationError(
                f"The encoder takes vectors of {encoder.get_input_dim()}, the text field embedder gives "
                f"{text_field_embedder.get_output_dim()}: make them equal."
            )
        if fusion is not None and fusion.get_input_dim() != encoder.get_output_dim():
            raise ConfigurationError(
                f"The fusion layer takes vectors of {fusion.get_input_dim()}, the encoder gives "
                f"{encoder.get_output_dim()}: make them equal."
            )
        self.label_namespace = label_namespace
        self.tau = tau
        self._gamma = gamma
        self._focal_reduction = focal_reduction
        self._top_k = top_k
        self._decode_in_training = decode_in_training
        self._return_emissions = return_emissions

        self._labels = vocab.get_index_to_token_vocabulary(label_namespace)
        num_tags = len(self._labels)
        if not num_tags:
            raise ConfigurationError(
                f"The vocabulary has no tags in the namespace `{label_namespace}`: train on labelled data."
            )
        wrong = [label for label in self._labels.values() if label != "O" and label[:2] not in ("B-", "I-", "L-", "U-")]
        if wrong:
            raise ConfigurationError(f"The label set must be BIOUL (O, B-, I-, L-, U-); got {wrong[:5]}.")

        self._text_field_embedder = text_field_embedder
        self._embedding_dropout = embedding_dropout
        self._encoder = encoder
        self._dropout = dropout
        self._fusion = fusion
        features = encoder.get_output_dim() if fusion is None else fusion.get_output_dim()
        self._emission_layer = torch.nn.Linear(features, num_tags)
        self.crf = ConditionalRandomField(
            num_tags,
            allowed_transitions("BIOUL", self._labels) if constrain_decoding else None,
            include_start_end_transitions,
        )
        if tau is not None:
            self.crf.label_weights.fill_(float("nan"))  # unknown until counted or loaded
        elif label_weights is not None:
            self._set_label_weights(label_weights)
        self._checked_label_weights = False
        self._outside_penalty = outside_penalty
        self._locked = locked
        self._word_dropout = word_dropout

        self._f1 = ConllF1()
        self._losses = {"crf_loss": LossAverage()}
        if gamma is not None:
            self._losses["focal_loss"] = LossAverage()
        initializer(self)

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

    def forward(  # type: ignore[override]
        self,
        tokens: TextFieldTensors,
        tags: Optional[torch.Tensor] = None,
        metadata: Optional[list[dict[str, Any]]] = None,
    ) -> dict[str, Any]:
        """
        # Parameters

        tokens : `TextFieldTensors`
            Of B sentences, padded to T tokens.
        tags : `(B, T)` int64, optional
            Gold tags.
        metadata : `List[Dict[str, Any]]`, optional
            `words` of each sentence.

        # Returns

        With `tags`: `loss`, a scalar, the mean over sentences of eq. (12). When not training: `tags` `(B, T)`, the best
        path, `emissions` `(B, T, K)`, `mask` `(B, T)` and, with `top_k` above 1, `top_k_tags` `(B, k, T)` and
        `top_k_log_probabilities` `(B, k)`.
        """
        mask = util.get_text_field_mask(tokens)
        if self.training and self._word_dropout:
            ids = tokens["tokens"]["tokens"]
            drop = torch.empty(ids.shape).bernoulli_(self._word_dropout).bool() & (ids > 1)
            tokens = {**tokens, "tokens": {"tokens": ids.masked_fill(drop, 1)}}
        drop = locked_dropout if self._locked else apply_dropout
        features = drop(self._text_field_embedder(tokens), self._embedding_dropout, self.training)
        features = drop(self._encoder(features, mask), self._dropout, self.training)
        if self._fusion is not None:
            features = self._fusion(features)  # eq. (6)
        # Not in half precision: ζ multiplies the emissions, and a sentence's are added up.
        with contextlib.nullcontext() if mask.is_meta else torch.autocast(mask.device.type, enabled=False):
            emissions = self._emission_layer(features.to(self._emission_layer.weight.dtype))
        self._check_label_weights()

        output: dict[str, Any] = {}
        if tags is not None:
            output["loss"] = self._loss(emissions, tags, mask)
        if not self.training or self._decode_in_training:
            decoded = emissions
            if self._outside_penalty:
                o = next(i for i, t in self._labels.items() if t == "O")
                decoded = emissions.clone()
                decoded[..., o] -= self._outside_penalty / self.crf.label_weights[o]
            paths, scores = self.crf.decode(decoded, mask, self._top_k)
            output.update(tags=paths[:, 0], emissions=emissions, mask=mask)
            if self._top_k > 1:
                log_z = self.crf.log_partition(emissions, mask)
                output.update(top_k_tags=paths, top_k_log_probabilities=scores - log_z.unsqueeze(1))
            if tags is not None:
                self._f1(self._tag_strings(paths[:, 0], mask), self._tag_strings(tags, mask))
        if metadata is not None and not self.training:
            output["words"] = [entry["words"] for entry in metadata]
        return output

    def _loss(self, emissions: torch.Tensor, tags: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        loss = -self.crf(emissions, tags, mask).mean()  # eq. (10)
        self._losses["crf_loss"](loss)
        if self._gamma is not None:
            focal = focal_loss(emissions, tags, self._gamma) * mask  # eq. (11)
            focal = focal.sum() / (mask.sum() if self._focal_reduction == "token_mean" else mask.size(0))
            self._losses["focal_loss"](focal)
            loss = loss + focal  # eq. (12)
        return loss

    def _check_label_weights(self) -> None:
        # Once, and never on the meta device, which has no values: an accelerator is waited for a single time.
        weights = self.crf.label_weights
        if self._checked_label_weights or weights.is_meta:
            return
        if torch.isnan(weights).any():
            raise ConfigurationError(
                "The label weights ζ are not known: `tau` is set, but no label counts were given and none were loaded. "
                'Add {"type": "label_statistics"} to `trainer.callbacks`, or give `label_weights` by name.'
            )
        self._checked_label_weights = True

    def _tag_strings(self, tags: torch.Tensor, mask: torch.Tensor) -> list[list[str]]:
        lengths = mask.sum(dim=1).tolist()
        return [list(map(self._labels.__getitem__, row[:length])) for row, length in zip(tags.tolist(), lengths)]

    def make_output_human_readable(self, output_dict: dict[str, Any]) -> dict[str, Any]:
        """
        Turns ids into BIOUL tags and adds `entities`: for each sentence a list of `label`, `start_token`, `end_token`
        (exclusive) and `probability`, the exact probability of the span's tags among the paths decoding may choose.
        """
        paths, emissions, mask = output_dict["tags"], output_dict["emissions"], output_dict.pop("mask")
        if not self._return_emissions:
            del output_dict["emissions"]
        output_dict["tags"] = self._tag_strings(paths, mask)
        # Most sentences of most texts have no entity: they are not looked through.
        spans = [to_spans(tags, "BIOUL") if tags.count("O") < len(tags) else [] for tags in output_dict["tags"]]
        chosen = [index for index, found in enumerate(spans) if found]
        probabilities: Iterator[float] = iter(())
        if chosen:
            rows = [(row, span.start, span.end) for row, index in enumerate(chosen) for span in spans[index]]
            cut_out = torch.tensor(rows, device=paths.device)
            kept = torch.tensor(chosen, device=paths.device)
            probabilities = iter(
                self.crf.span_probabilities(emissions[kept], mask[kept], paths[kept], cut_out).tolist()
            )
        output_dict["entities"] = [
            [
                {
                    "label": span.label,
                    "start_token": span.start,
                    "end_token": span.end,
                    "probability": next(probabilities),
                }
                for span in found
            ]
            for found in spans
        ]
        if "top_k_tags" in output_dict:
            ranked, log_probabilities = output_dict.pop("top_k_tags"), output_dict.pop("top_k_log_probabilities")
            output_dict["top_k_tags"] = [
                [
                    {"tags": tags, "log_probability": value}
                    for tags, value in zip(self._tag_strings(paths, row.expand_as(paths)), values)
                    if value > float("-inf")
                ]
                for paths, row, values in zip(ranked, mask, log_probabilities.tolist())
            ]
        return output_dict

    def get_metrics(self, reset: bool = False) -> dict[str, float]:
        metrics = {name: loss.get_metric(reset) for name, loss in self._losses.items()}
        if not self.training or self._decode_in_training:
            scores = self._f1.get_metric(reset)
            # The trainer shows what it reads during an epoch in its progress bar: the types are for the end of one.
            metrics.update(scores if reset else {"f1-measure-overall": scores["f1-measure-overall"]})
        return metrics
