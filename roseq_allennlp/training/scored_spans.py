from collections.abc import Mapping, Sequence

import torch

from roseq_allennlp.modules.crf import ConditionalRandomField
from roseq_allennlp.nn.forward_backward import Potentials
from roseq_allennlp.nn.temperature import ScoredSpans
from roseq_allennlp.scoring.conlleval import Tags, comparable, entities


@torch.no_grad()
def scored_spans(
    crf: ConditionalRandomField, output: Mapping[str, torch.Tensor], gold: Sequence[Tags], predicted: Sequence[Tags]
) -> ScoredSpans:
    """
    The predicted entities of a batch that can be compared with the gold ones, see `scoring.conlleval`.

    # Parameters

    output : `Mapping[str, torch.Tensor]`
        `emissions`, `mask` and `tags` of a tagger that decodes.
    gold, predicted : `Sequence[Sequence[str]]`
        The tags of each sentence in BIOES.
    """
    rows: list[int] = []  # of sentences with a predicted entity
    spans, is_right = [], []
    for row, (true, tags) in enumerate(zip(gold, predicted, strict=True)):
        of_gold = set(entities(true))
        if of_sentence := comparable(true, tags):
            spans += [(len(rows), span.start, span.end) for span in of_sentence]
            is_right += [span in of_gold for span in of_sentence]
            rows.append(row)
    emissions = output["emissions"][rows].double()
    potentials = Potentials(*(scores.cpu() for scores in crf.potentials(emissions, constrained=True)))
    return ScoredSpans(
        potentials,
        output["mask"][rows].cpu(),
        output["tags"][rows].cpu(),
        torch.tensor(spans).reshape(-1, 3).long(),
        torch.tensor(is_right, dtype=torch.bool),
    )
