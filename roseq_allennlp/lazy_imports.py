"""
Libraries that AllenNLP imports, and that tagging hardly ever uses: executed when something of them is asked for. For the
program `roseq` alone; a program that imports this package finds its libraries as they are.

Python's own `LazyLoader` executes a package as soon as one of its submodules is imported, as AllenNLP does with these. Here
a package is executed before a submodule that is not in `LAZY`, as Python does it: such a submodule may need all of its package.
"""

import contextlib
import sys
import threading
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Optional

LAZY = (  # packages before their submodules
    *("torchvision", "torchvision.ops", "torchvision.ops.boxes"),  # imports PyTorch's compiler
    *("transformers.data", "sklearn", "sklearn.metrics", "scipy.stats"),  # for the scores of GLUE
    *("boto3", "boto3.dynamodb", "boto3.session"),
    "nltk",
)
_IN_ANNOTATIONS = ("nltk.Tree",)  # for which AllenNLP imports all of nltk, and this scikit-learn
_OPTIONAL = ("transformers.data",)  # whose other submodules, which AllenNLP imports, do not need it
_lock = threading.RLock()


@contextlib.contextmanager
def lazy_imports() -> Iterator[None]:
    """Modules of `LAZY` that are imported within, for the first time, are executed when an attribute of them is asked for."""
    _finder.is_lazy = True
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)  # and it stays, for the submodules of what waits
    try:
        yield
    finally:
        _finder.is_lazy = False


class _Finder(MetaPathFinder):
    is_lazy = False

    def find_spec(
        self, name: str, path: Optional[Sequence[str]], target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        if name not in LAZY:
            package = name.rpartition(".")[0]
            if not self.is_lazy or package not in _OPTIONAL:
                _execute(package)
            imported = sys.modules.get(name)  # by its package
            return None if imported is None else ModuleSpec(name, _Imported(imported))
        spec = PathFinder.find_spec(name, path) if self.is_lazy else None
        if spec is not None and spec.loader is not None:
            spec.loader = _LazyLoader(spec.loader)
        return spec


_finder = _Finder()


class _Imported(Loader):
    """Loads a module that has been imported while Python looked for it: leaves it as it is."""

    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec


class _LazyLoader(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> Optional[ModuleType]:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self._loader
        module.__getattr__ = _Waiting(module, self._loader)  # type: ignore[method-assign]


class _Waiting:
    """The function `__getattr__` of a module that has not been executed: Python calls it for what the module does not have."""

    def __init__(self, module: ModuleType, loader: Loader) -> None:
        self._module, self._loader = module, loader
        self._is_executing = False

    def __call__(self, name: str) -> Any:
        submodule = f"{self._module.__name__}.{name}"
        if submodule in LAZY:
            return import_module(submodule)
        if submodule in _IN_ANNOTATIONS and _finder.is_lazy:
            return type(name, (), {})
        with _lock:
            if self._is_executing:
                raise AttributeError(f"module {self._module.__name__!r} has no attribute {name!r}")
            self.execute()
        return getattr(self._module, name)

    def execute(self) -> None:
        """Executes the module, after its package and before its submodules, where those wait too."""
        name = self._module.__name__
        _execute(name.rpartition(".")[0])
        if self._is_executing or self._module.__dict__.get("__getattr__") is not self:
            return
        self._is_executing = True
        try:
            self._loader.exec_module(self._module)
        finally:
            self._is_executing = False
        if self._module.__dict__.get("__getattr__") is self:
            del self._module.__getattr__
        for submodule in LAZY:
            if submodule.startswith(f"{name}."):
                _execute(submodule)


def _execute(name: str) -> None:
    waiting = sys.modules[name].__dict__.get("__getattr__") if name in sys.modules else None
    if isinstance(waiting, _Waiting):
        waiting.execute()
