"""What `roseq` imports: AllenNLP's components, the plugins of the user's home, and `--include-package`."""

import importlib.util
import logging
import multiprocessing
import os
import pkgutil
import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from typing import Any, Optional

import torch.distributed as dist
from allennlp.commands import train
from allennlp.common import plugins

logger = logging.getLogger(__name__)

_NOT_IMPORTED = ("allennlp.sanity_checks", "allennlp.tools")  # nor by AllenNLP
_NEED_CHECKLIST = "allennlp.confidence_checks.task_checklists"
_allennlp_train_worker = train._train_worker


def import_allennlp() -> None:
    """All of AllenNLP, for a config that may name any of its components."""
    _import_all("allennlp")


def import_plugins() -> None:
    """
    AllenNLP's function of that name, without the file `.allennlp_plugins` of the working directory, and without that
    directory on the path of imports: no code runs that lies beside downloaded data. Without `import_allennlp`.
    """
    for name in plugins.DEFAULT_PLUGINS:
        if importlib.util.find_spec(name):
            _import_plugin(name, _import_all)
    if os.path.isfile(plugins.GLOBAL_PLUGINS_FILENAME):
        for name in plugins.discover_file_plugins(plugins.GLOBAL_PLUGINS_FILENAME):
            _import_plugin(name, importlib.import_module)
    if os.path.isfile(plugins.LOCAL_PLUGINS_FILENAME):
        names = {name for name in plugins.discover_file_plugins() if name.isidentifier()} - sys.modules.keys()
        if names:
            print(
                f"roseq does not read {plugins.LOCAL_PLUGINS_FILENAME} of the working directory: for what it names, give"
                f" {' '.join(f'--include-package {name}' for name in sorted(names))}",
                file=sys.stderr,
            )


def _import_plugin(name: str, load: Callable[[str], Any]) -> None:
    """A plugin may be installed without all it needs, as AllenNLP's own models: then it is left out, as by AllenNLP."""
    try:
        load(name)
    except ModuleNotFoundError as error:
        logger.error("Plugin %s could not be loaded: %s", name, error)


def import_packages(names: list[str]) -> None:
    """Those of `--include-package`. The working directory is searched last, and only if one of them is nowhere else."""
    here = os.getcwd()
    for name in {name.partition(".")[0] for name in names} - sys.modules.keys():
        if here not in sys.path and not importlib.util.find_spec(name) and PathFinder.find_spec(name, [here]):
            sys.path.append(here)
    for name in names:
        _import_all(name)


def _import_all(name: str) -> None:
    """A package and its public modules. AllenNLP's own function puts the working directory first on the path."""
    if name in _NOT_IMPORTED or (name == _NEED_CHECKLIST and not importlib.util.find_spec("checklist")):
        return
    for module in pkgutil.iter_modules(getattr(importlib.import_module(name), "__path__", [])):
        if not module.name.startswith(("_", "test")):
            _import_all(f"{name}.{module.name}")


def train_worker(
    process_rank: int,
    params: Any,
    serialization_dir: Any,
    include_package: Optional[list[str]] = None,
    *args: Any,
    **kwargs: Any,
) -> Any:
    """AllenNLP's `_train_worker`. A process of a distributed run is a fresh one, which imports all this anew."""
    if multiprocessing.parent_process() is not None:
        import_allennlp()
        import_plugins()
        import_packages(include_package or [])
        train.import_plugins = lambda: None
        include_package = []
    model = _allennlp_train_worker(process_rank, params, serialization_dir, include_package or [], *args, **kwargs)
    # A thread of the group that outlives the interpreter would abort the process (pytorch/pytorch#179291).
    if dist.is_initialized():
        dist.destroy_process_group()
    return model
