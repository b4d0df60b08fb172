"""Learning rates that fall from a tagger's output to its input, so that what is general changes less than what is special."""

import re
from typing import Any

import torch

_ENCODER = r"token_embedder_\w+[.]encoder[.]"
_LAYER = r"(?:.*[.])?(?:h|block|layers?)[.]"
_PARTS = (
    r"(?:^|[.])(?:_emission_layer|crf)[.]",
    r"(?:^|[.])_fusion[.]",
    r"^(?!.*_text_field_embedder).*_encoder[.]",
    r"_text_field_embedder[.]token_embedder_\w+[.](?!encoder[.])",
)


def with_layer_decay(trainer: dict[str, Any], model: torch.nn.Module, decay: float) -> None:
    """
    Gives the optimizer a group for each layer, whose learning rate is that of the config times `decay` to the power of the
    layer's depth: 0 for emissions and transitions, then the fusion, the encoder, the embeddings; the layers of a
    transformer follow below, and the vectors of its pieces are the lowest. Parts that the model lacks have no depth.

    # Parameters

    trainer : `Dict[str, Any]`
        Its config, which is changed.
    model : `torch.nn.Module`
        A tagger, or an ensemble of them.
    decay : `float`
        Above 0.
    """
    optimizer = trainer.get("optimizer") or {"type": "adam"}
    optimizer = {"type": optimizer} if isinstance(optimizer, str) else optimizer
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    layers = {int(match[1]) for name in names if (match := re.search(f"{_ENCODER}{_LAYER}([0-9]+)[.]", name))}
    patterns = [
        *_PARTS,
        *(f"{_ENCODER}{_LAYER}{number}[.]" for number in sorted(layers, reverse=True)),
        f"{_ENCODER}(?!{_LAYER}[0-9])",
    ]
    matched = [(pattern, name) for pattern in patterns if (name := _first(pattern, names))]
    groups = []
    for depth, (pattern, name) in enumerate(matched):
        options = _options(name, optimizer)
        groups.append([[pattern], {**options, "lr": options["lr"] * decay**depth}])
    trainer["optimizer"] = {**optimizer, "parameter_groups": groups}
    scheduler = trainer.get("learning_rate_scheduler")
    if isinstance(scheduler, dict) and scheduler.get("type") == "inverse_time_decay":
        # Its floor would be above the lower rates.
        scheduler["min_lr"] = scheduler.get("min_lr", 1e-4) * decay ** (len(groups) - 1)


def _first(pattern: str, names: list[str]) -> str:
    return next((name for name in names if re.search(pattern, name)), "")


def _options(name: str, optimizer: dict[str, Any]) -> dict[str, Any]:
    """The options of a parameter's group in the config, with its learning rate."""
    for patterns, options in optimizer.get("parameter_groups") or ():
        if any(re.search(pattern, name) for pattern in patterns):
            return {"lr": optimizer.get("lr", 0.001), **options}
    return {"lr": optimizer.get("lr", 0.001)}
