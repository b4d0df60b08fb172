from typing import TYPE_CHECKING, Any, Optional

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch, Instance, TextFieldTensors, Vocabulary
from allennlp.models import Archive
from allennlp.training.callbacks import TrainerCallback

from roseq_allennlp.models.archive import load_archive
from roseq_allennlp.models.label_aware_crf_tagger import LabelAwareCrfTagger
from roseq_allennlp.models.tagger import Tagger
from roseq_allennlp.nn.distillation import excess_counts
from roseq_allennlp.nn.forward_backward import Potentials
from roseq_allennlp.nn.temperature import tempered

if TYPE_CHECKING:
    from allennlp.training import GradientDescentTrainer


@TrainerCallback.register("distillation")
class DistillationCallback(TrainerCallback):
    """
    Trains a tagger to give the probabilities of a trained one, such as an ensemble that tags several times as slowly. In the
    loss of a batch the CRF's, eq. (10), counts `1 - weight`, and `weight` the cross-entropy of the teacher's distribution over
    paths and the tagger's (`path_cross_entropy`). The focal loss stays that of the gold tags, and so do all scores.

    Fires in `on_start`, where the teacher is loaded, as safely as any archive, and `on_end`, where it is forgotten. The
    adversarial pass over a batch has the teacher's answer to the batch as it is; variants by `augmentation` are answered as any
    sentence. The teacher has no part in the weights saved, in validation, or in the state of a checkpoint. AMP: it answers
    under autocast as the tagger does. Distributed training: each process loads it. Accumulation does not concern it.

    # Parameters

    teacher : `str`
        An archive, or the directory of a run: trained with the same reader, vocabulary and vectors as this tagger.
    weight : `float`, optional (default = `0.5`)
        From above 0 to 1.

    # Raises

    `ConfigurationError`: a weight out of range; a model that is no tagger of this package; a teacher that cannot be loaded, or
    for which words or tags have other ids.
    """

    def __init__(self, serialization_dir: str, teacher: str, weight: float = 0.5) -> None:
        super().__init__(serialization_dir)
        if not 0 < weight <= 1:
            raise ConfigurationError(f"distillation: `weight` must be above 0 and at most 1; got {weight}.")
        self._path, self._weight = teacher, weight

    @property
    def summary(self) -> str:
        """What the header of a run says of it."""
        return f"distilled from {self._path}"

    def on_start(self, trainer: "GradientDescentTrainer", *args: Any, **kwargs: Any) -> None:
        model: Any = trainer.model
        self._taggers: list[LabelAwareCrfTagger] = getattr(model, "members", [model])
        if not isinstance(model, Tagger):
            raise ConfigurationError(
                "distillation is for label_aware_crf_tagger and tagger_ensemble; the model is a "
                f"{type(model).__name__}. Remove the callback."
            )
        archive = load_archive(self._path)
        teacher = archive.model
        if not isinstance(teacher, Tagger):
            raise ConfigurationError(
                f"distillation: {self._path} holds a {type(teacher).__name__}, which is no tagger."
            )
        self._check_ids(trainer.data_loader, model.vocab, archive)
        self._teacher = teacher.to(next(model.parameters()).device).eval().requires_grad_(False)
        self._last: Optional[tuple[TextFieldTensors, Potentials]] = None
        for tagger in self._taggers:
            tagger.teacher, tagger.teacher_weight = self._answer, self._weight

    def on_end(self, trainer: "GradientDescentTrainer", *args: Any, **kwargs: Any) -> None:
        for tagger in self._taggers:
            tagger.teacher = None
        del self._teacher, self._last

    @torch.no_grad()
    def _answer(self, tokens: TextFieldTensors, mask: torch.Tensor) -> Potentials:
        """Computed once for a batch, although each member of an ensemble asks for it, and the adversarial pass asks again."""
        if self._last is None or self._last[0] is not tokens:
            emissions, _ = self._teacher.score_tags(tokens, None, mask)
            crf = self._teacher.crf
            potentials = tempered(crf.potentials_of_likelihood(emissions), crf.temperature)
            self._last = tokens, excess_counts(potentials, mask)
        return self._last[1]

    def _check_ids(self, loader: Any, vocab: Vocabulary, archive: Archive) -> None:
        """Of the whole vocabulary, and of a sentence, which shows whether its words are looked up in the same way."""
        others = archive.model.vocab
        differ = {
            name
            for name in {*vocab._token_to_index, *others._token_to_index}
            if vocab.get_token_to_index_vocabulary(name) != others.get_token_to_index_vocabulary(name)
        }
        if not differ:
            instance = next(iter(loader.iter_instances()))
            again = archive.dataset_reader.text_to_instance([token.text for token in instance["tokens"]])
            archive.dataset_reader.apply_token_indexers(again)
            ids, other_ids = _ids(instance, vocab), _ids(again, others)
            differ = {name for name in {**ids, **other_ids} if not _are_equal(ids.get(name), other_ids.get(name))}
        if differ:
            raise ConfigurationError(
                f"distillation: the teacher {self._path} has other ids of {', '.join(sorted(differ))}. It must be trained with"
                " the same training data, reader and vectors as this tagger."
            )


def _ids(instance: Instance, vocab: Vocabulary) -> dict[str, Any]:
    batch = Batch([instance])
    batch.index_instances(vocab)
    return batch.as_tensor_dict()["tokens"]  # type: ignore[return-value]


def _are_equal(ids: Optional[dict[str, torch.Tensor]], others: Optional[dict[str, torch.Tensor]]) -> bool:
    if ids is None or others is None or ids.keys() != others.keys():
        return False
    return all(torch.equal(ids[key], others[key]) for key in ids)
