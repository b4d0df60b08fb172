"""What in a training config cannot work: told before any data is read, and before the run's directory is made."""

import json
from typing import Any, Optional

import torch
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.training.config_keys import Problem, problems
from roseq_allennlp.training.devices import check_device

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


def check_config(written: dict[str, Any], config: dict[str, Any], name: str, option: str = "-o") -> None:
    """
    # Parameters

    written : `Dict[str, Any]`
        The config of the file.
    config : `Dict[str, Any]`
        The same with overrides.
    name, option : `str`
        What the file and the overrides are called in errors.

    # Raises

    `ConfigurationError`: keys, types and values that AllenNLP would refuse late, or ignore; devices that are not there.
    """
    wrong = _wrong(config)
    by_file = set(wrong if written == config else _wrong(written))
    sources = {name: [problem for problem in wrong if problem in by_file]}
    sources[option] = [problem for problem in wrong if problem not in by_file]
    lines = [f"{source}: {' '.join(map(str, found))}" for source, found in sources.items() if found]
    if lines:
        raise ConfigurationError(" ".join(lines))


def _wrong(config: dict[str, Any]) -> list[Problem]:
    found = problems(config)
    told = {problem.where for problem in found}
    return found + [problem for problem in (*_numbers(config), *_devices(config)) if problem.where not in told]


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


def _devices(config: dict[str, Any]) -> list[Problem]:
    trainer, distributed = config.get("trainer"), config.get("distributed")
    trainer = trainer if isinstance(trainer, dict) else {}
    found, devices = [], []
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
