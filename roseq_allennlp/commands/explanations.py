"""One line for a mistake of the user's that AllenNLP, Jsonnet or torch reports by an exception of another kind."""

import argparse
import json
import math
import re
from typing import Any, Optional

from allennlp.common import FromParams, Params
from allennlp.data.data_loaders.multiprocess_data_loader import WorkerError
from allennlp.modules.token_embedders.embedding import EmbeddingsTextFile
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException

from roseq_allennlp.data import corpora
from roseq_allennlp.data.downloads import BROKEN
from roseq_allennlp.training.overrides import parsed


def explain(error: Exception, args: argparse.Namespace) -> Optional[str]:
    """One line for a user's mistake that AllenNLP, Jsonnet or torch reports by another exception; `None` for a bug."""
    text = str(error)
    if isinstance(error, (ProcessExitedException, ProcessRaisedException)):  # ends in the worker's stack trace
        if mismatch := explain_mismatch(text, args):
            return mismatch
        kind, _, last = text.strip().splitlines()[-1].partition(": ")
        if kind.endswith("ConfigurationError"):
            return last
        if isinstance(error, ProcessExitedException) or re.search("by peer|NCCL|[Tt]imed out", last):
            return f"a process of the distributed run has ended ({last or kind}). Go on with --recover, on each node."
        if f"in {FromParams.from_params.__name__}\n" in text:
            return f"the config does not fit: {kind}: {last.rstrip('.')}. Correct the value."
    if isinstance(error, KeyError) and "not found in vocab namespace" in text:
        return (
            f"{error.args[0]}. Train with all labels of the data, or have it read by a reader of this package, with which"
            " entities of unknown types are scored as missed."
        )
    vectors = isinstance(error, (ValueError, StopIteration)) or "normal expects std" in text  # of NaN
    if vectors and hasattr(args, "param_path"):
        config = Params.from_file(args.param_path, args.overrides).as_flat_dict()
        for file in {str(value) for key, value in config.items() if key.endswith("pretrained_file") and value}:
            if (line := bad_vector(file)) is not None:
                file = {copy: name for name, copy in getattr(args, "vector_copies", {}).items()}.get(file, file)
                reason = "no word and finite numbers, or no line at all"
                return f"{file}, line {line}: {reason}. Remove it, or fetch the file again."
    return explain_component(error, args)


def explain_component(error: Exception, args: argparse.Namespace) -> Optional[str]:
    """One line for what a component of the config could not be built with; `None` for an error of another place."""
    frame, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is FromParams.from_params.__func__.__code__:  # type: ignore[attr-defined]
            frame = trace.tb_frame  # the innermost
        trace = trace.tb_next
    if frame is None:
        return None
    params, component = frame.f_locals.get("params"), frame.f_locals["cls"].__name__
    where = getattr(params, "history", "").rstrip(".")
    reason = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, TypeError) and (unknown := re.search(r"unexpected keyword argument '(\w+)'", reason)):
        places = places_of(unknown[1], Params.from_file(args.param_path, args.overrides).params)
        where = next((place for place in places if place.startswith(where)), where)
        reason = f"{component} has no such key"
    elif isinstance(error, WorkerError):  # which has the kind of the error alone
        kind = reason.partition(" Traceback")[0].removeprefix("worker raised ")
        reason = f"a process that reads data raised {kind}: set `num_workers` to 0 to be told why"
    elif not isinstance(error, (ValueError, TypeError)):
        reason = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    return f"`{where or 'the config'}` does not fit: {reason}. Correct the value, or the spelling of its key."


def places_of(key: str, config: Any, where: str = "") -> list[str]:
    """Where a config has a key of that name."""
    parts = enumerate(config) if isinstance(config, list) else config.items() if isinstance(config, dict) else ()
    result = []
    for name, part in parts:
        place = f"{where}.{name}".removeprefix(".")
        result += [place] if name == key else []
        result += places_of(key, part, place)
    return result


def advice(message: str, overrides: Any) -> str:
    """What `-o` has to do with an error that says a key is missing."""
    missing = re.search(r'key "\w+" is required at location "([\w.]+)\."|`([\w.]+)\.type`: a \w+ needs', message)
    for key, value in parsed(overrides).items() if missing else ():
        if isinstance(value, dict) and value and f"{missing[1] or missing[2]}.".startswith(f"{key}."):  # type: ignore[index]
            part, example = next(iter(value.items()))
            change = json.dumps({f"{key}.{part}": example}, ensure_ascii=False)
            return f"{'' if message.endswith('.') else '.'} -o replaces `{key}` as a whole; to change a part of it: '{change}'."
    return ""


def explain_mismatch(text: str, args: argparse.Namespace) -> Optional[str]:
    """One line for a checkpoint's weights that do not fit the model, from torch's message; `None` for another message."""
    if not (wrong := re.search(r"Error\(s\) in loading state_dict for .*\n\s*(.*)", text)):
        return None
    return (
        f"the last checkpoint in {args.serialization_dir} does not fit the config and vocabulary of this run"
        f" ({wrong[1].strip().rstrip('.')}). The training data or the files there have changed since: put them back, or train"
        " anew: with --force, or into another directory."
    )


def bad_vector(file: str) -> Optional[int]:
    """Number of the first line in a file of vectors that does not hold finite numbers; 1 for an empty file."""
    try:
        with EmbeddingsTextFile(corpora.resolve(file)) as lines:
            for number, line in enumerate(lines, 1):
                try:
                    numbers = list(map(float, line.rstrip().split(" ")[1:]))
                except ValueError:
                    return number
                if not all(map(math.isfinite, numbers)):
                    return number
    except StopIteration:  # an empty file
        return 1
    except BROKEN:
        return None
    return None
