"""What a run begins with: its data, their sizes, its model, its components, and where it writes."""

from collections.abc import Iterable
from typing import Any, Optional

import torch
from allennlp.data import Instance
from allennlp.data.data_loaders import MultiProcessDataLoader, SimpleDataLoader
from allennlp.nn.util import dist_reduce_sum

from roseq_allennlp.scoring.conlleval import entities
from roseq_allennlp.training.trainer_access import TrainerAccess


def run_header(config: dict[str, Any], access: TrainerAccess, directory: str) -> list[tuple[str, str]]:
    """
    In distributed training all processes must call this: their shards are added.

    # Parameters

    config : `Dict[str, Any]`
        The whole one.
    access : `TrainerAccess`
        To the trainer that AllenNLP has built of it.
    directory : `str`
        That of the run.

    # Returns

    `List[Tuple[str, str]]`
        Five names, each with a text. Data that is not held in memory is not counted. What the model and the callbacks of
        the trainer have as `summary` are the components.
    """
    loaders = (access.data_loader, access.validation_data_loader)
    sizes = [_size(loader, short=number > 0) for number, loader in enumerate(loaders) if loader is not None]
    summaries = [getattr(part, "summary", "") for part in (access.plain_model, *access.callbacks)]
    return [
        ("data", _paths(config.get("train_data_path"), config.get("validation_data_path"))),
        ("sizes", "; development ".join(sizes)),
        ("model", _model(config.get("model"), access)),
        ("components", ", ".join(text for text in summaries if isinstance(text, str) and text) or "none of RoSeq's"),
        ("directory", f"{directory}, with the log {'out_worker0.log' if access.is_distributed else 'out.log'}"),
    ]


def _paths(train: Any, development: Any) -> str:
    """Both; the folder once, where it is the same."""
    if development is None:
        return str(train)
    folders = [str(path).rpartition("/")[0] for path in (train, development)]
    if folders[0] and folders[0] == folders[1] and isinstance(train, str) and isinstance(development, str):
        return f"{folders[0]}: {train.rpartition('/')[2]}, development {development.rpartition('/')[2]}"
    return f"{train}; development {development}"


def _size(loader: Any, short: bool) -> str:
    """Sentences, and entities where they have tags of them; `short` is without these words."""
    instances = _in_memory(loader)
    counts: Any = torch.tensor([0, 0, 0, int(instances is None)])
    for instance in instances or ():
        counts[0] += 1
        if (number := _entities(instance)) is not None:
            counts[1] += number
            counts[2] += 1
    sentences, tagged, with_tags, unknown = dist_reduce_sum(counts).tolist()
    if unknown:
        return "read anew in each epoch"
    size = f"{sentences:,}" if short else f"{sentences:,} {'sentences' if with_tags else 'instances'}"
    return f"{size} with {tagged:,}{'' if short else ' entities'}" if with_tags else size


def _in_memory(loader: Any) -> Optional[Iterable[Instance]]:
    """`None` where to look at the instances is to read them once more, and to draw random numbers, it may be."""
    is_held = isinstance(loader, MultiProcessDataLoader) and getattr(loader, "max_instances_in_memory", 1) is None
    return loader.iter_instances() if is_held or isinstance(loader, SimpleDataLoader) else None


def _entities(instance: Instance) -> Optional[int]:
    tags: Any = instance.fields.get("tags")
    try:
        return len(entities(list(map(str, tags.labels))))
    except (AttributeError, ValueError):  # none, or tags of another kind
        return None


def _model(config: Any, access: TrainerAccess) -> str:
    model = access.plain_model
    kind = config.get("type") if isinstance(config, dict) else config
    members = getattr(model, "members", None)
    number = f" of {len(members)}" if isinstance(members, list) else ""
    sizes = {True: 0, False: 0}  # by whether they are trained
    for parameter in model.parameters():
        sizes[parameter.requires_grad] += parameter.numel()
    fixed = f" + {_rounded(sizes[False])} fixed" if sizes[False] else ""
    labels = model.vocab.get_vocab_size("labels") if model.vocab and "labels" in model.vocab.get_namespaces() else 0
    weights = f"{_rounded(sizes[True])} weights{fixed}" + (f", {labels} labels" if labels else "")
    return f"{kind}{number}, {weights}, {access.devices}"


def _rounded(number: int) -> str:
    return f"{number / 1e6:.1f}M" if number >= 1e6 else f"{number / 1e3:.0f}k" if number >= 1e4 else str(number)
