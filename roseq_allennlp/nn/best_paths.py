"""The tag paths of highest score of a linear chain, batched; potentials and shapes as in `forward_backward`."""

import torch

from roseq_allennlp.nn.forward_backward import Potentials
from roseq_allennlp.nn.rows import by_token


@torch.no_grad()
def viterbi(potentials: Potentials, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """
    The path of highest score. No step synchronises with the device. Returns tags `(B, T)` int64, 0 at padding, and scores `(B,)`.
    """
    num_tags = potentials.transitions.size(0)
    # Tags before sentences: the maximum then runs over the outermost dimension, which vectorises.
    emissions = potentials.emissions.permute(1, 2, 0).contiguous()  # (T, K, B)
    best = torch.empty_like(emissions)  # (T, K, B)
    best[0] = potentials.start.unsqueeze(1) + emissions[0]
    candidates = emissions.new_empty(num_tags, *emissions.shape[1:])  # (K from, K to, B)
    moves = potentials.transitions.unsqueeze(2)
    for before, after, emission in zip(by_token(best[:-1]), by_token(best[1:]), by_token(emissions[1:]), strict=True):
        torch.add(before.unsqueeze(1), moves, out=candidates)
        torch.amax(candidates, dim=0, out=after).add_(emission)
    # The way back forms the same sums for the one tag that follows only; row K, the end, follows the last token.
    into = torch.cat([potentials.transitions.t(), potentials.end.unsqueeze(0)])  # (K + 1, K)
    follows = torch.nn.functional.pad(mask, (0, 1))[:, 1:].t()  # (T, B), whether a real token follows
    path = mask.new_empty(mask.size(1), mask.size(0), dtype=torch.long)  # (T, B)
    tag, score_of_tag = path[-1].zero_(), best.new_empty(mask.size(0))  # (B,)
    for score, follow, chosen in zip(
        *(by_token(rows, backwards=True) for rows in (best.transpose(1, 2), follows, path)), strict=True
    ):
        torch.max(score + into[tag.masked_fill(~follow, num_tags)], dim=1, out=(score_of_tag, chosen))
        tag = chosen
    last = (mask.sum(dim=1) - 1).expand(1, *best.shape[1:])  # (1, K, B)
    final = best.gather(0, last).squeeze(0) + potentials.end.unsqueeze(1)  # (K, B)
    return path.t().contiguous() * mask, final.amax(dim=0)


def n_best(potentials: Potentials, mask: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """
    The n paths of highest score, best first. No step synchronises with the device.

    # Returns

    tags : `(B, n, T)` int64, 0 at padding
    scores : `(B, n)`; `-inf` where a sentence has fewer than n paths
    """
    batch_size, length, num_tags = potentials.emissions.shape
    emissions = potentials.emissions.transpose(0, 1)  # (T, B, K)
    # The state is a pair (rank, tag), flattened to rank * K + tag. Before the first step only rank 0 exists.
    best = emissions.new_full((batch_size, n, num_tags), float("-inf"))  # (B, n, K)
    best[:, 0] = potentials.start + emissions[0]
    stay = torch.arange(n * num_tags, device=emissions.device).view(1, n, num_tags)
    pointers = []
    for step in range(1, length):
        candidates = (best.unsqueeze(3) + potentials.transitions).flatten(1, 2)  # (B, n * K, K)
        scores, origins = candidates.topk(n, dim=1)  # (B, n, K)
        real = mask[:, step].view(-1, 1, 1)
        best = torch.where(real, scores + emissions[step].unsqueeze(1), best)
        pointers.append(torch.where(real, origins, stay))
    scores, state = (best + potentials.end).flatten(1).topk(n, dim=1)  # (B, n)
    path = [state]
    for origins in reversed(pointers):
        state = origins.flatten(1).gather(1, state)
        path.append(state)
    tags = torch.stack(path[::-1], dim=2) % num_tags  # (B, n, T)
    return tags * mask.unsqueeze(1), scores
