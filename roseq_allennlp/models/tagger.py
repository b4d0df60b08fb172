import logging
from collections.abc import Iterator, Sequence
from typing import Any, Optional

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import TextFieldTensors, Vocabulary
from allennlp.models import Model
from allennlp.modules import TextFieldEmbedder
from allennlp.nn import RegularizerApplicator
from allennlp.nn.parallel import DdpAccelerator

from roseq_allennlp.data.tag_schemes import UNKNOWN, split_tag, to_spans
from roseq_allennlp.data.tag_spelling import with_close_ones
from roseq_allennlp.data.tags_field import UNKNOWN_ID
from roseq_allennlp.models.token_mask import token_mask, words_in
from roseq_allennlp.modules.crf import ConditionalRandomField
from roseq_allennlp.nn.forward_backward import may_have_unknown
from roseq_allennlp.training.metrics.conll_f1 import ConllF1

logger = logging.getLogger(__name__)
CALIBRATION = ("temperature", "thresholds")
"""Parameters of a tagger that `roseq calibrate` sets: they hold for its weights alone."""
EMBEDDED = "embedded"
"""Key in `tokens` of words that are embedded already: `vectors` `(B, T, width)`, as `Tagger.embed` gives, and `mask` `(B, T)`."""


class Tagger(Model):
    """
    What the taggers share: BIOUL labels; decoding, scores and entities from the emissions that a subclass gives for its
    `crf`. The parameters are `LabelAwareCrfTagger`'s.
    """

    default_predictor = "ner_tagger"
    crf: ConditionalRandomField
    thresholds: dict[str, float]

    def __init__(
        self,
        vocab: Vocabulary,
        top_k: int = 1,
        decode_in_training: bool = False,
        return_emissions: bool = False,
        regularizer: Optional[RegularizerApplicator] = None,
        ddp_accelerator: Optional[DdpAccelerator] = None,
    ) -> None:
        super().__init__(vocab, regularizer, ddp_accelerator=ddp_accelerator)  # type: ignore[arg-type]  # None by default
        if top_k < 1:
            raise ConfigurationError(f"top_k must be at least 1; got {top_k}.")
        self._top_k = top_k
        self._decode_in_training = decode_in_training
        self._return_emissions = return_emissions
        self._labels = vocab.get_index_to_token_vocabulary("labels")
        if not self._labels:
            raise ConfigurationError("The vocabulary has no tags in the namespace `labels`: train on labelled data.")
        wrong = [label for label in self._labels.values() if label != "O" and label[:2] not in ("B-", "I-", "L-", "U-")]
        if wrong:
            raise ConfigurationError(f"The label set must be BIOUL (O, B-, I-, L-, U-); got {wrong[:5]}.")
        self._f1 = ConllF1()
        self._warned_of: set[str] = set()  # types

    @property
    def embedders(self) -> list[TextFieldEmbedder]:
        raise NotImplementedError

    def embed(self, tokens: TextFieldTensors) -> torch.Tensor:
        """What the `embedders` give, one after the other: `(B, T, width)`."""
        return torch.cat([embedder(tokens) for embedder in self.embedders], dim=2)

    def score_tags(
        self, tokens: TextFieldTensors, tags: Optional[torch.Tensor], mask: torch.Tensor, has_unknown: bool = False
    ) -> tuple[torch.Tensor, Optional[torch.Tensor]]:
        """
        Emissions `(B, T, K)`, unweighted, for `crf` as it is on return; and, with `tags`, the loss, a scalar. `has_unknown`
        says whether any of `tags` may be unknown.
        """
        raise NotImplementedError

    def forward(  # type: ignore[override]
        self,
        tokens: TextFieldTensors,
        tags: Optional[torch.Tensor] = None,
        metadata: Optional[list[dict[str, Any]]] = None,
    ) -> dict[str, Any]:
        """
        # Parameters

        tokens : `TextFieldTensors`
            Of B sentences, padded to T tokens; or `EMBEDDED`.
        tags : `(B, T)` int64, optional
            Gold tags; −1 where any tag is possible.
        metadata : `List[Dict[str, Any]]`, optional
            `words` of each sentence, which say how many tokens it has, and its gold `tags` where `tags` has ids. Without
            `words` the mask is told from the ids, and a sentence is cut short if it ends with words to which each indexer
            gives the id of padding. Entities of types that the vocabulary lacks have the ids of O, for the loss too, and are
            scored as missed. Where the tags of a sentence are `?`, its loss is that of all tag sequences that agree with what is
            known, and the scores leave out the tokens, and the predicted entities with one of them.

        # Returns

        With `tags`: `loss`, a scalar, the mean over sentences of eq. (12). When not training: `tags` `(B, T)`, the best
        path, `emissions` `(B, T, K)`, `mask` `(B, T)` and, with `top_k` above 1, `top_k_tags` `(B, k, T)` and
        `top_k_log_probabilities` `(B, k)`.
        """
        if self.training and not self.crf.has_given_temperature:
            self.crf.temperature = 1.0  # one that was fitted was of other weights
        others = self._other_tags(metadata or ())
        mask = token_mask(tokens, metadata)  # (B, T)
        has_unknown = UNKNOWN in others
        if tags is not None and not all("tags" in entry for entry in metadata or ({},)):
            has_unknown = may_have_unknown(tags)
        emissions, loss = self.score_tags(tokens, tags, mask, has_unknown)
        output: dict[str, Any] = {} if loss is None else {"loss": loss}
        if not self.training or self._decode_in_training:
            paths, scores = self.crf.decode(emissions, mask, self._top_k)  # (B, k, T), (B, k)
            output.update(tags=paths[:, 0], emissions=emissions, mask=mask)
            if self._top_k > 1:
                log_z = self.crf.log_partition(emissions, mask)  # (B,)
                output.update(top_k_tags=paths, top_k_log_probabilities=scores - log_z.unsqueeze(1))
            if tags is not None:
                gold = [entry["tags"] for entry in metadata or ()] if others else self._tag_strings(tags, mask)
                self._f1(self._tag_strings(paths[:, 0], mask), gold)
        if not self.training and (words := words_in(metadata)) is not None:
            output["words"] = words
        return output

    def _other_tags(self, metadata: Sequence[dict[str, Any]]) -> set[str]:
        """
        Gold tags that are no label: the unknown one, and those that the vocabulary lacks, which are refused in training and
        warned of otherwise.
        """
        others = set().union(*(entry.get("tags", ()) for entry in metadata)) - set(self._labels.values())
        lacking = others - {UNKNOWN}
        types = {split_tag(tag)[1] for tag in lacking}
        if lacking and self.training:
            raise ConfigurationError(
                f'The training data has tags that the vocabulary lacks: {", ".join(map(repr, sorted(lacking)))}. Add "train" to'
                " `datasets_for_vocab_creation`, or correct the tags."
            )
        if new := types - self._warned_of:
            self._warned_of |= new
            known = {split_tag(label)[1] for label in self._labels.values()}
            logger.warning(
                "Entities of types that the tagger was not trained on are scored as missed: %s",
                with_close_ones(new, known),
            )
        return others

    def _tag_strings(self, tags: torch.Tensor, mask: torch.Tensor) -> list[list[str]]:
        lengths = mask.sum(dim=1).tolist()
        names = {**self._labels, UNKNOWN_ID: UNKNOWN}
        return [list(map(names.__getitem__, row[:length])) for row, length in zip(tags.tolist(), lengths, strict=True)]

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
        chosen = [index for index, entities in enumerate(spans) if entities]
        probabilities: Iterator[float] = iter(())
        if chosen:
            rows = [(row, span.start, span.end) for row, index in enumerate(chosen) for span in spans[index]]
            cut_out = torch.tensor(rows, device=paths.device)  # (S, 3): row among the chosen sentences, start, end
            kept = torch.tensor(chosen, device=paths.device)  # sentences with an entity
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
                for span in entities
            ]
            for entities in spans
        ]
        if "top_k_tags" in output_dict:
            ranked, log_probabilities = output_dict.pop("top_k_tags"), output_dict.pop("top_k_log_probabilities")
            output_dict["top_k_tags"] = [
                [
                    {"tags": tags, "log_probability": value}
                    for tags, value in zip(self._tag_strings(paths, row.expand_as(paths)), values, strict=True)
                    if value > float("-inf")
                ]
                for paths, row, values in zip(ranked, mask, log_probabilities.tolist(), strict=True)
            ]
        return output_dict

    def get_metrics(self, reset: bool = False) -> dict[str, float]:
        if self.training and not self._decode_in_training:
            return {}
        scores = self._f1.get_metric(reset)
        # The trainer shows what it reads during an epoch in its progress bar: the types are for the end of one.
        return scores if reset else {"f1-measure-overall": scores["f1-measure-overall"]}
