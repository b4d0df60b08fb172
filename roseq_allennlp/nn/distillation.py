"""
What a linear chain, the student, has yet to learn from another one, the teacher (structure-level distillation, Wang et al. 2021,
"Structural Knowledge Distillation: Tractably Distilling Information for Structured Predictor").

A path's score is linear in the potentials. So the expected score of the teacher's paths, less that of any one path, is the sum
of the student's potentials, each times how much oftener the teacher expects it than it stands in that path. The one path here
has the first tag at all tokens.
"""

import torch

from roseq_allennlp.nn.forward_backward import Potentials, log_likelihood


def excess_counts(teacher: Potentials, mask: torch.Tensor) -> Potentials:
    """
    How much oftener each tag and step is expected than it stands in the one path, divided by the number of sentences, in the
    shapes of the potentials, which must be finite: the gradient of −log p of that path. `mask` is `(B, T)`.
    """
    leaves = Potentials(*(scores.detach().requires_grad_() for scores in teacher))
    with torch.enable_grad():
        improbability = _mean_improbability(leaves, mask)
    return Potentials(*torch.autograd.grad(improbability, leaves))


def path_cross_entropy(student: Potentials, counts: Potentials, mask: torch.Tensor) -> torch.Tensor:
    """
    −Σ p(y) log q(y) over all tag paths y, p the teacher's probability and q the student's, a scalar: the mean over sentences, exact.
    `counts` are the `excess_counts` of the teacher. The gradient is with respect to the student.
    """
    scores = [(excess * own).sum() for excess, own in zip(counts, student, strict=True)]
    return _mean_improbability(student, mask) - torch.stack(scores).sum()


def _mean_improbability(potentials: Potentials, mask: torch.Tensor) -> torch.Tensor:
    """−log p of the one path, the mean over sentences."""
    path = torch.zeros_like(mask, dtype=torch.long)
    return -log_likelihood(potentials, path, mask, has_unknown=False).mean()
