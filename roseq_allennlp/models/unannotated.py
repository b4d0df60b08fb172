"""Tokens of new data that may carry entities of types which its annotation lacks."""

from collections.abc import Iterator, Sequence

import torch
from allennlp.data import Batch
from allennlp.models.archival import Archive
from more_itertools import chunked

from roseq_allennlp.data.tag_schemes import UNKNOWN
from roseq_allennlp.data.training_mix import Sentence

_AT_A_TIME = 64  # sentences
_LEAST = 0.1


def with_unknown_tags(
    sentences: Sequence[Sentence], archive: Archive, types: Sequence[str], least: float = _LEAST
) -> list[Sentence]:
    """
    Makes the tag unknown, `?`, where it is O and a trained tagger gives entities of some types at least the probability
    `least`. All other tokens stay O: data in which no token is known to be O teaches a tagger to mark each of them.

    # Parameters

    sentences : `Sequence[Sentence]`
    archive : `Archive`
        Of a `Tagger`.
    types : `Sequence[str]`
        Those that the tagger knows and the annotation lacks.
    least : `float`, optional (default = `0.1`)
    """
    return [
        Sentence(
            words,
            [UNKNOWN if tag == "O" and value >= least else tag for tag, value in zip(tags, row, strict=True)],
        )
        for (words, tags), row in zip(sentences, _probabilities(sentences, archive, types), strict=True)
    ]


@torch.inference_mode()
def _probabilities(sentences: Sequence[Sentence], archive: Archive, types: Sequence[str]) -> Iterator[list[float]]:
    """For each token the probability of a tag of these types."""
    model = archive.model.eval()
    labels = model.vocab.get_token_to_index_vocabulary("labels")
    columns = [index for label, index in labels.items() if label.partition("-")[2] in types]
    for part in chunked(sentences, _AT_A_TIME):
        instances = [archive.dataset_reader.text_to_instance(words) for words, _ in part]
        for instance in instances:
            archive.dataset_reader.apply_token_indexers(instance)
        batch = Batch(instances)
        batch.index_instances(model.vocab)
        output = model(**batch.as_tensor_dict())
        marginals = model.crf.marginals(output["emissions"], output["mask"])  # type: ignore[operator, union-attr]  # (B, T, K)
        of_types = marginals[..., columns].sum(dim=-1)  # (B, T)
        for (words, _), row in zip(part, of_types.tolist(), strict=True):
            yield row[: len(words)]
