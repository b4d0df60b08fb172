"""What in a training config cannot work: told before any data is read, and before the run's directory is made."""

import difflib
import json
import re
from typing import Any, Optional

import torch
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.training.config_keys import Problem, problems
from roseq_allennlp.training.devices import check_device
from roseq_allennlp.training.overrides import OverridesError

_SPLITS = ("train", "validation", "test")
_METRICS = ("accuracy", "loss", "reg_loss", "batch_loss", "batch_reg_loss", "crf_loss", "focal_loss")
_OF_TYPES = ("f1-measure", "precision", "recall")
_SEEDS = ("random_seed", "numpy_seed", "pytorch_seed")
_LOADERS = ("data_loader", "validation_data_loader")
_LEAST = {  # by place: the least number, and whether null stands for none
    ("trainer", "num_epochs"): (1, False),
    ("trainer", "num_gradient_accumulation_steps"): (1, False),
    ("trainer", "patience"): (1, True),
    ("trainer", "grad_norm"): (0, True),
    ("trainer", "grad_clipping"): (0, True),
    **{
        (loader, *path): (least, True)
        for loader in _LOADERS
        for path, least in {
            ("batch_size",): 1,
            ("batches_per_epoch",): 1,
            ("batch_sampler", "batch_size"): 1,
            ("max_instances_in_memory",): 1,
            ("num_workers",): 0,
        }.items()
    },
}


def check_overrides(written: dict[str, Any], config: dict[str, Any], option: str = "-o", imports: bool = True) -> None:
    """
    # Parameters

    written, config : `Dict[str, Any]`
        A config without and with overrides.
    option : `str`, optional (default = `"-o"`)
        What they are called in errors.
    imports : `bool`, optional (default = `True`)
        See `problems`.

    # Raises

    `OverridesError`: keys, types and values of theirs that no constructor takes.
    """
    known = set(problems(written, imports))
    if wrong := [problem for problem in problems(config, imports) if problem not in known]:
        raise OverridesError(f"{option}: {' '.join(map(str, wrong))}")


def check_config(
    written: dict[str, Any], config: dict[str, Any], name: str, option: str = "-o", trains: bool = True
) -> None:
    """
    # Parameters

    written : `Dict[str, Any]`
        The config of the file.
    config : `Dict[str, Any]`
        The same with overrides.
    name, option : `str`
        What the file and the overrides are called in errors.
    trains : `bool`, optional (default = `True`)
        Whether the GPUs must be there.

    # Raises

    `ConfigurationError`: keys, types and values that AllenNLP would refuse late, or ignore; devices that are not there.
    """
    wrong = _wrong(config, trains)
    by_file = set(wrong if written == config else _wrong(written, trains))
    sources = {name: [problem for problem in wrong if problem in by_file]}
    sources[option] = [problem for problem in wrong if problem not in by_file]
    lines = [f"{source}: {' '.join(map(str, found))}" for source, found in sources.items() if found]
    if lines:
        raise ConfigurationError(" ".join(lines))


def _wrong(config: dict[str, Any], trains: bool) -> list[Problem]:
    found = problems(config)
    told = {problem.where for problem in found}
    others = (*_numbers(config), *_names(config), *(_devices(config) if trains else ()))
    return found + [problem for problem in others if problem.where not in told]


def _numbers(config: dict[str, Any]) -> list[Problem]:
    found = []
    trainer = config.get("trainer")
    of_allennlp = isinstance(trainer, dict) and trainer.get("type", "gradient_descent") == "gradient_descent"
    for path, (least, may_be_null) in _LEAST.items():
        if path[0] == "trainer" and not of_allennlp:
            continue
        value: Any = config
        for key in path[:-1]:
            value = value.get(key) if isinstance(value, dict) else None
        if not isinstance(value, dict) or path[-1] not in value:
            continue
        value = value[path[-1]]
        if (value is None and may_be_null) or (path[-1] == "grad_norm" and isinstance(value, bool)):
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= least:
            found.append(Problem(".".join(path), f"must be at least {least}; got {json.dumps(value)}."))
    return found


def _names(config: dict[str, Any]) -> list[Problem]:
    """Texts, and what is not there, that AllenNLP looks at late."""
    found = [
        Problem(key, "must not be null: a training config needs it.")
        for key in ("dataset_reader", "train_data_path", "model", "data_loader", "trainer")
        if key in config and config[key] is None
    ]
    splits = [split for split in _SPLITS if config.get(f"{split}_data_path") is not None]
    for split in config.get("datasets_for_vocab_creation") or ():
        if split not in splits and not found:
            found.append(Problem("datasets_for_vocab_creation", f"has {split!r}; the config has {', '.join(splits)}."))
    trainer = config.get("trainer")
    metrics = trainer.get("validation_metric") if isinstance(trainer, dict) else None
    for metric in [metrics] if isinstance(metrics, str) else metrics or ():
        if not str(metric).startswith(("+", "-")):
            what = f"must begin with + if more is better, or with -; got {metric!r}."
            found.append(Problem("trainer.validation_metric", what))
        elif _is_of_this_package(config.get("model")) and (known := _no_metric(metric[1:])):
            found.append(
                Problem("trainer.validation_metric", f"there is no metric {metric[1:]}; did you mean `{known}`?")
            )
    for name in _SEEDS:
        seed = config.get(name)
        if seed is not None and not (
            re.fullmatch(r"-?\d+", str(seed)) and (name != "numpy_seed" or 0 <= int(seed) < 2**32)
        ):
            found.append(
                Problem(name, f"must be a whole number{', at least 0' * (name == 'numpy_seed')}; got {seed!r}.")
            )
    return found


def _is_of_this_package(model: Any) -> bool:
    name = model if isinstance(model, str) else model.get("type") if isinstance(model, dict) else None
    return name in ("label_aware_crf_tagger", "tagger_ensemble")


def _no_metric(name: str) -> Optional[str]:
    """The metric of a tagger that comes closest to one that it does not have; `None` for one that it may have."""
    kind, _, of_type = name.rpartition("-")
    if name in _METRICS or (kind in _OF_TYPES and not difflib.get_close_matches(of_type, ["overall"], 1, 0.8)):
        return None  # any type may be in the data
    known = [*_METRICS, *(f"{kind}-overall" for kind in _OF_TYPES)]
    return None if name in known else (difflib.get_close_matches(name, known, 1, 0) or known)[0]


def _devices(config: dict[str, Any]) -> list[Problem]:
    trainer, distributed = config.get("trainer"), config.get("distributed")
    trainer = trainer if isinstance(trainer, dict) else {}
    found: list[Problem] = []
    devices: Any = []
    if distributed is not None:
        where = "distributed.cuda_devices"
        devices = distributed.get("cuda_devices") if isinstance(distributed, dict) else None
        if not isinstance(devices, list) or not devices:
            return [Problem(where, "must be a list, with the number of a GPU for each process, or -1 for the CPU.")]
        if len(devices) == 1 and distributed.get("num_nodes") in (None, 1):
            return [Problem(where, "is one device. Give several, or leave `distributed` out.")]
    else:
        where = "trainer.cuda_device"
        if "cuda_device" in trainer and trainer["cuda_device"] is not None:
            devices = [trainer["cuda_device"]]
        elif not torch.cuda.device_count():
            devices = [-1]
    for device in devices:
        if problem := _device_problem(device, where):
            found.append(problem)
            break
    if not found and trainer.get("use_amp") is True and any(device < 0 for device in devices):
        reason = "PyTorch finds none here" if not torch.cuda.device_count() else f"`{where}` is -1, the CPU"
        found.append(Problem("trainer.use_amp", f"needs a GPU, and {reason}. Leave it out, or set it to false."))
    return found


def _device_problem(device: Any, where: str) -> Optional[Problem]:
    try:
        check_device(device)
    except ConfigurationError as error:
        return Problem(where, error.message.removeprefix("cuda_device "))
    return None
