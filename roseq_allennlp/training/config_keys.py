"""What in a training config AllenNLP's constructors do not take: found before any data is read, where AllenNLP would say it
late, without the place, or not at all."""

import collections.abc
import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Optional, Union

from allennlp.commands.train import TrainModel
from allennlp.common import FromParams, Lazy, Registrable
from allennlp.common.checks import ConfigurationError
from allennlp.common.from_params import can_construct_from_params, infer_params, remove_optional
from allennlp.evaluation import Evaluator
from allennlp.nn.parallel import DdpAccelerator
from allennlp.training import GradientDescentTrainer

# What `allennlp train` takes from a config before it builds anything.
_OF_TRAINING = {
    **dict.fromkeys(("random_seed", "numpy_seed", "pytorch_seed"), Any),
    "evaluation": Evaluator,
    "include_in_archive": list[str],
}
_OF_DISTRIBUTED = {
    **dict.fromkeys(("cuda_devices", "num_nodes", "primary_address", "primary_port"), Any),
    "ddp_accelerator": DdpAccelerator,
}
# AllenNLP's trainer takes any key and ignores what it does not know, but for this one.
_OF_TRAINER = {"run_sanity_checks": bool}
# Packages whose constructors give their `**kwargs` to the constructor of the class above, as they are.
_PASSING_ON = ("allennlp.", "roseq_allennlp.")
# Parameters that AllenNLP gives, and no config.
_GIVEN = {
    "vocab",
    "serialization_dir",
    "local_rank",
    "world_size",
    "reader",
    "data_path",
    "model_parameters",
    "instances",
}
_NUMBERS: dict[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool, int), "true or false"),
    int: ((bool, int), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a text"),
}


class Problem(NamedTuple):
    """What is wrong at one place of a config, such as `trainer.callbacks.2.epsilon`, as `-o` names it."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"`{self.where}`: {self.what}"


def problems(config: dict[str, Any], imports: bool = True) -> list[Problem]:
    """
    Follows a config along the constructors that FromParams would call, at any depth, and builds nothing.

    A class of the user's that reads its parameters itself, or takes `**kwargs`, may have any key; so may a parameter that is a
    plain dictionary or `Params`.

    # Parameters

    config : `Dict[str, Any]`
        As `allennlp train` takes it, overrides included.
    imports : `bool`, optional (default = `True`)
        Import the modules of types that are paths of classes, as AllenNLP does; what they take is not looked at otherwise.

    # Returns

    `List[Problem]`
        Keys that no constructor has, types that are not registered, and values that are no number, text, list or object where
        one is needed.
    """
    walk = _Walk(imports)
    walk.component(config, TrainModel, "", _OF_TRAINING | {"distributed": _Distributed})
    return [
        problem if isinstance(problem, Problem) else problem.named(walk.known)  # when all keys of all places are known
        for problem in walk.problems
    ]


class _Distributed:
    """Stands for the keys of `distributed`, which no class takes."""


class _UnknownKey(NamedTuple):
    place: str
    key: str
    owner: str

    @property
    def where(self) -> str:
        return f"{self.place}.{self.key}".removeprefix(".")

    def named(self, known: dict[str, set[str]]) -> Problem:
        here = known[self.place] - _GIVEN
        elsewhere = {f"{place}.{key}".removeprefix("."): key for place, keys in known.items() for key in keys}
        close = difflib.get_close_matches(self.key, here, 1) or [
            min((place for place in elsewhere if elsewhere[place] == key), key=lambda place: place.count("."))
            for key in difflib.get_close_matches(self.key, set(elsewhere.values()), 1, 0.8)
        ]
        if close:
            advice = f"did you mean `{close[0]}`?"
        else:
            advice = f"its keys are {', '.join(sorted(here)) or 'none'}."
        return Problem(self.where, f"{self.owner} has no such key; {advice}")


class _Walk:
    def __init__(self, imports: bool) -> None:
        self._imports = imports
        self.problems: list[Union[Problem, _UnknownKey]] = []
        self.known: dict[str, set[str]] = {}  # by place

    def component(self, value: Any, base: Any, where: str, further: Optional[dict[str, Any]] = None) -> None:
        """What a parameter of the class `base` is given, as `FromParams.from_params` reads it."""
        base = getattr(base, "__origin__", base)  # of a generic class
        if _reads_itself(base):
            return
        value = {"type": value} if isinstance(value, str) else value
        if not isinstance(value, dict):
            self.problems.append(
                Problem(where, f"must be an object, or the name of a {base.__name__}; got {_short(value)}.")
            )
            return
        component, constructor, keys = base, base.__init__, set()
        # Not `list_available()`, which would make each class that is asked a base class.
        if registered := Registrable._registry.get(base):
            keys = {"type"}
            chosen = self._chosen(value, base, registered, where)
            if chosen is None or _reads_itself(chosen[0]):
                return
            component, name = chosen
            constructor = (
                getattr(component, name) if name else component if _is_plain(component) else component.__init__
            )
        parameters, takes_any = _parameters(component, constructor)
        parameters = {**parameters, **(further or {})}
        self.known[where] = {*keys, *parameters}
        for key, part in value.items():
            place = f"{where}.{key}".removeprefix(".")
            if key in parameters:
                self.value(part, parameters[key], place)
            elif key not in keys and not takes_any:
                self.problems.append(_UnknownKey(where, key, component.__name__ if where else "a training config"))

    def _chosen(
        self, value: dict[str, Any], base: Any, registered: dict[str, Any], where: str
    ) -> Optional[tuple[Any, Any]]:
        name = value.get("type", base.default_implementation)
        place = f"{where}.type".removeprefix(".")
        if isinstance(name, str) and name in registered:
            return registered[name]
        if isinstance(name, str) and "." in name:  # the path of a class
            if not self._imports:
                return None
            try:
                return base.resolve_class_name(name)
            except ConfigurationError as error:
                self.problems.append(Problem(place, f"{error.message}."))
                return None
        if "type" not in value and (close := difflib.get_close_matches("type", value, 1)):
            self.problems.append(Problem(f"{where}.{close[0]}".removeprefix("."), "did you mean `type`?"))
            return None
        advice = f"It is one of {', '.join(sorted(registered))}."
        if isinstance(name, str) and (close := difflib.get_close_matches(name, registered, 1)):
            advice = f"Did you mean {close[0]!r}?"
        what = f"no {base.__name__} is registered as {name!r}" if "type" in value else f"a {base.__name__} needs a type"
        self.problems.append(
            Problem(place, f"{what}. {advice} What is in a package of your own needs --include-package.")
        )
        return None

    def value(self, value: Any, annotation: Any, where: str) -> None:
        """As `allennlp.common.from_params.construct_arg`, branch by branch."""
        if value is None or (isinstance(value, dict) and "_pretrained" in value):
            return
        annotation = remove_optional(annotation)
        origin = getattr(annotation, "__origin__", None)
        arguments: tuple[Any, ...] = getattr(annotation, "__args__", ())
        if annotation is _Distributed:
            self._distributed(value, where)
        elif hasattr(annotation, "from_params"):
            self.component(value, annotation, where)
        elif annotation in (bool, int, float, str):
            kinds, name = _NUMBERS[annotation]
            if type(value) not in kinds:
                self.problems.append(Problem(where, f"must be {name}; got {_short(value)}."))
        elif origin in (collections.abc.Mapping, Mapping, dict) and can_construct_from_params(arguments[-1]):
            if not isinstance(value, dict):
                self.problems.append(Problem(where, f"must be an object; got {_short(value)}."))
                return
            for key, part in value.items():
                self.value(part, arguments[-1], f"{where}.{key}")
        elif origin is Union:
            self._one_of(value, arguments, where)
        elif origin is Lazy:
            self.component(value, arguments[0], where)
        elif origin in (tuple, set, list, collections.abc.Iterable, Iterable):
            if not all(map(can_construct_from_params, arguments)):
                return
            if not isinstance(value, list):  # AllenNLP would go through a text by characters
                self.problems.append(Problem(where, f"must be a list; got {_short(value)}."))
                return
            kinds_of_parts = arguments if origin is tuple else arguments[:1] * len(value)
            for index, (kind, part) in enumerate(zip(kinds_of_parts, value, strict=False)):
                self.value(part, kind, f"{where}.{index}")

    def _one_of(self, value: Any, alternatives: tuple[Any, ...], where: str) -> None:
        """The first alternative that fits; else the problems of the one that gets furthest."""
        walks = []
        for alternative in alternatives:
            walk = _Walk(self._imports)
            walk.value(value, alternative, where)
            walks.append(walk)
        best = min(
            walks, key=lambda walk: (bool(walk.problems), -max((len(p.where) for p in walk.problems), default=0))
        )
        self.known.update(best.known)
        self.problems += best.problems

    def _distributed(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            self.problems.append(Problem(where, f"must be an object; got {_short(value)}."))
            return
        self.known[where] = set(_OF_DISTRIBUTED)
        for key, part in value.items():
            if key not in _OF_DISTRIBUTED:
                self.problems.append(_UnknownKey(where, key, "distributed training"))
            elif key == "ddp_accelerator":
                self.value(part, DdpAccelerator, f"{where}.{key}")


def _reads_itself(component: Any) -> bool:
    """Whether the class does not leave it to FromParams to read its parameters."""
    method = getattr(component, "from_params", None)
    return method is not None and getattr(method, "__func__", None) is not FromParams.from_params.__func__  # type: ignore[attr-defined]


def _is_plain(component: Any) -> bool:
    """A function or class of PyTorch, which is called with the parameters as they are."""
    return not hasattr(component, "from_params")


def _parameters(component: Any, constructor: Callable[..., Any]) -> tuple[dict[str, Any], bool]:
    """Annotations by the name of a parameter, and whether any further key is taken."""
    if constructor is object.__init__:
        return {}, False
    try:
        if _is_plain(component):
            parameters: Mapping[str, inspect.Parameter] = inspect.signature(component).parameters
        else:
            parameters = infer_params(component, constructor)
    except (TypeError, ValueError):  # of C
        return {}, True
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    known = {
        key: Any if _is_plain(component) else parameter.annotation
        for key, parameter in parameters.items()
        if key != "self" and parameter.kind not in variable
    }
    if component is GradientDescentTrainer:
        return {**_OF_TRAINER, **known}, False
    return known, _takes_any(component, constructor)


def _takes_any(component: Any, constructor: Callable[..., Any]) -> bool:
    """Whether a key that is no parameter reaches a constructor which takes it."""
    parameters = inspect.signature(component if _is_plain(component) else constructor).parameters.values()
    if not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return False
    passes_on = f"{component.__module__}.".startswith(_PASSING_ON) and constructor is component.__init__
    above = next((each for each in component.__mro__[1:] if issubclass(each, FromParams)), None) if passes_on else None
    return above is None or above.__init__ is object.__init__ or _takes_any(above, above.__init__)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
