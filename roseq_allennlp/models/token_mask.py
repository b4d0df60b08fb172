"""Which positions of a padded batch hold a word: told by lengths, since a word may have the id of padding."""

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import torch
from allennlp.data import TextFieldTensors


def token_mask(tokens: TextFieldTensors, metadata: Optional[Sequence[Any]] = None) -> torch.Tensor:
    """
    # Parameters

    tokens : `TextFieldTensors`
        Of B sentences, padded at the right to T tokens.
    metadata : `Sequence[Any]`, optional
        For each sentence a mapping with its `words`, as many as its tokens; anything else says nothing here.

    # Returns

    `(B, T)` bool, true for real tokens: the `mask` that an indexer gives (such as that of a transformer); else as many as a
    sentence's `words`; without these, those up to the last token to which any indexer gives an id other than 0, at
    least one.

    # Raises

    `ValueError` for `words` that are not as many as the tokens. On an accelerator fewer go unnoticed: to look at the tokens
    would synchronise with the device.
    """
    for tensors in tokens.values():
        if "mask" in tensors:
            return tensors["mask"].bool()
    ids = [tensor for tensors in tokens.values() for tensor in tensors.values()]  # (B, T) or (B, T, characters)
    position = torch.arange(ids[0].size(1), device=ids[0].device)  # (T,)
    words = words_in(metadata)
    if words is None:
        last = torch.stack([_last(tensor) for tensor in ids]).amax(dim=0)  # (B,)
        return position <= last.unsqueeze(1)
    counts = list(map(len, words))
    lengths = torch.tensor(counts).to(position.device, non_blocking=True)  # (B,)
    fewest = min(ids, key=torch.Tensor.dim)
    if max(counts) > len(position) or (fewest.device.type == "cpu" and (_last(fewest) >= lengths.clamp(min=1)).any()):
        raise ValueError(
            f"The metadata of a batch has {counts} `words`, which are not the numbers of its tokens, {len(position)} at most:"
            " the reader must give as many `words` as tokens, or none."
        )
    return position < lengths.unsqueeze(1)


def words_in(metadata: Optional[Sequence[Any]]) -> Optional[list[list[str]]]:
    """`words` of each sentence; `None` where some sentence has none."""
    if metadata is None or not all(isinstance(entry, Mapping) and "words" in entry for entry in metadata):
        return None
    return [entry["words"] for entry in metadata]


def _last(ids: torch.Tensor) -> torch.Tensor:
    """Last position of each sentence with an id other than 0, `(B,)`; 0 where all ids are 0."""
    real = (ids != 0) if ids.dim() == 2 else (ids != 0).flatten(2).any(dim=2)  # (B, T)
    return (real * torch.arange(real.size(1), device=ids.device)).amax(dim=1)
