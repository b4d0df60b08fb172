import argparse
import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Optional

from allennlp.common.checks import ConfigurationError

from roseq_allennlp.commands.outputs import prepared
from roseq_allennlp.commands.parsers.ablation import PARTS
from roseq_allennlp.commands.training_runs import Train, describe, keep_text, start_training, train_to_the_end
from roseq_allennlp.console import Console
from roseq_allennlp.data.catalogue import CORPORA
from roseq_allennlp.data.corpora import SCHEME, resolve
from roseq_allennlp.experiments.ablation import HEADERS, named_vectors, summary, write_tables
from roseq_allennlp.experiments.measuring import result_of
from roseq_allennlp.experiments.results import Run, keep_result, read_results
from roseq_allennlp.experiments.systems import SYSTEMS
from roseq_allennlp.training.config_check import check_config
from roseq_allennlp.training.overrides import OverridesError, parsed, read_config

_RESULT = "result.json"

Score = Callable[[Path, str, int], Run]


def run(args: argparse.Namespace, console: Console) -> int:
    """Trains the eight systems of Table IV."""
    if args.corpus not in CORPORA:
        raise ConfigurationError(
            f"{args.corpus!r} is not in the catalogue of corpora. Choose from {', '.join(CORPORA)}."
        )
    systems = args.systems.split(",")
    unknown = sorted(set(systems) - set(SYSTEMS))
    if unknown:
        raise ConfigurationError(f"--systems: there is no {unknown}. Choose from {', '.join(SYSTEMS)}.")
    without = [part for part in args.without.split(",") if part]
    if unknown := sorted(set(without) - set(PARTS)):
        raise ConfigurationError(f"--without: there is no {unknown}. Choose from {', '.join(PARTS)}.")
    if args.sentences is not None and args.sentences < 1:
        raise ConfigurationError(f"--sentences must be at least 1; got {args.sentences}.")
    for split in CORPORA[args.corpus].files:
        resolve(f"{SCHEME}://{args.corpus}/{split}")  # a missing file is an error before hours of training
    settings = {
        **({"vectors": named_vectors(args.vectors)} if args.vectors else {}),
        **({"without": sorted(set(without))} if without else {}),
        **({"sentences": args.sentences} if args.sentences else {}),
    }
    parts = [str(value) if name != "without" else "-".join(["without", *value]) for name, value in settings.items()]
    name = re.sub(r"[^\w.-]+", "-", "_".join([args.corpus, *parts]))
    directory = Path(args.serialization_dir or f"runs/ablation/{name}")
    configs = {
        (system, seed): _config(
            args.config, args.corpus, system, seed, args.overrides, args.sentences, args.vectors, without
        )
        for seed in _seeds(args.seeds)  # outermost: a stopped ablation compares its systems on the same seeds
        for system in systems
    }
    settings = parsed(args.overrides, "--overrides") | settings
    file = Path(prepared(str(args.results or directory / "results.jsonl")))

    def score(run: Path, system: str, seed: int) -> Run:
        kept = run / _RESULT
        (result,) = read_results([kept]) if kept.exists() else (None,)
        if result is None or (result.test is None and not args.no_test):
            result = result_of(run, args.corpus, system, seed, settings, not args.no_test)
            keep_result(kept, result)
        keep_result(file, result)
        return result

    results = run_all(directory, args.corpus, configs, score, console)
    console.table(HEADERS, summary(results), f"{args.corpus}: mean ± sample standard deviation, F1 in percent")
    console.print(f"Table and plot are in {directory}, results in {file}")
    return 0


def _seeds(text: str) -> list[int]:
    try:
        return list(dict.fromkeys(int(seed) for seed in text.split(",")))
    except ValueError as error:
        raise ConfigurationError(
            f"--seeds: {text!r} is not a list of whole numbers separated by commas, such as 1,2,3."
        ) from error


def _config(
    file: str,
    corpus: str,
    system: str,
    seed: int,
    overrides: str,
    sentences: Optional[int] = None,
    vectors: str = "",
    without: Sequence[str] = (),
) -> dict[str, Any]:
    components = [*SYSTEMS[system].components, *(f"-{part}" for part in without)]
    variables = {"ROSEQ_CORPUS": corpus, "ROSEQ_COMPONENTS": ",".join(components), "ROSEQ_VECTORS": vectors}
    try:
        written, config = read_config(file, overrides, "--overrides", variables)
    except OverridesError:
        raise
    except ConfigurationError as error:
        raise ConfigurationError(f"{error.message} Run this in the root of a checkout, or give --config.") from error
    check_config(written, config, file, "--overrides")
    if sentences:
        config["validation_dataset_reader"] = config.get("validation_dataset_reader", config["dataset_reader"])
        config["dataset_reader"] = {**config["dataset_reader"], "max_instances": sentences}
    return {**config, **dict.fromkeys(("random_seed", "numpy_seed", "pytorch_seed"), seed)}


def run_all(
    directory: Path,
    corpus: str,
    configs: dict[tuple[str, int], dict[str, Any]],
    score: Score,
    console: Console,
    train: Optional[Train] = None,
) -> list[Run]:
    """
    Trains the runs that are not trained yet, scores all of them, and rewrites the tables after each.

    # Parameters

    directory : `Path`
        Receives, for each system and seed, the config `SYSTEM/seedN.json`, the run `SYSTEM/seedN`, and the log
        `SYSTEM/seedN.log`; and the tables.
    corpus : `str`
    configs : `Dict[Tuple[str, int], Dict[str, Any]]`
        The configs by system and seed, in the order of training.
    score : `Score`
        Returns the result of a run from its directory, system and seed.
    console : `Console`
    train : `Train`, optional
        Starts a training run in a new process.

    # Raises

    `ConfigurationError`: a run in `directory` has another config, or a training run failed.
    """
    runs = {key: directory / key[0] / f"seed{key[1]}" for key in configs}
    for key, run in runs.items():
        keep_text(run.with_suffix(".json"), json.dumps(configs[key], indent=2) + "\n", directory)
    results: list[Run] = []
    with console.bar(len(runs), "runs") as bar:
        for number, ((system, seed), run) in enumerate(runs.items(), 1):
            name = f"{SYSTEMS[system].title}, seed {seed}"
            if not (run / "metrics.json").exists():
                if console.plain:
                    console.report(f"{number} of {len(runs)}: {name}, log in {run.with_suffix('.log')}")
                train_to_the_end(run, train or start_training, console, partial(describe, bar, name))
            results.append(score(run, system, seed))
            write_tables(directory, corpus, results)
            bar.update()
    return results
