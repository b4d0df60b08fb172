"""Runs by corpus, settings and system, as the tables and plots of a page of results take them."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from roseq_allennlp.data.catalogue import CORPORA
from roseq_allennlp.evaluation.bootstrap import PairedTest, mean_difference
from roseq_allennlp.experiments.results import HeldOut, Run
from roseq_allennlp.experiments.systems import TITLES

Systems = dict[str, list[Run]]

COMPARED = ("base", "roseq", "best")


def groups(runs: Sequence[Run]) -> dict[tuple[str, str], Systems]:
    """Groups runs with test scores by corpus and settings (JSON), then by system, in the order of the catalogue."""
    order, names = list(CORPORA), list(TITLES)
    found: dict[tuple[str, str], Systems] = {}
    for run in sorted(runs, key=lambda run: (order.index(run.corpus), names.index(run.system), run.seed)):
        if run.test is not None:
            found.setdefault(run.key[:2], {}).setdefault(run.system, []).append(run)
    return found


def shipped(runs: Sequence[Run]) -> dict[str, Systems]:
    """Returns the systems of each corpus with the shipped configs as they are."""
    return {corpus: systems for (corpus, settings), systems in groups(runs).items() if settings == "{}"}


def held_out(runs: Sequence[Run]) -> list[HeldOut]:
    """Returns the test results of the runs that have them."""
    return [run.test for run in runs if run.test is not None]


def on_training_split(changes: dict[str, Any]) -> bool:
    """Whether runs with these settings were trained on the whole training split and on nothing else."""
    return not {"sentences", "trained_on"} & changes.keys()


def gain(first: Sequence[Run], second: Sequence[Run]) -> PairedTest:
    """Returns how much the second runs' mean test F1 is above the first ones', with its interval."""
    base, other = ([one.sentence_counts() for one in held_out(runs)] for runs in (first, second))
    return mean_difference(base, other)


def compared(runs: Sequence[Run]) -> Iterator[tuple[str, list[list[HeldOut]]]]:
    """Yields each corpus with runs of base and RoSeq, and its test results of each system of `COMPARED`."""
    for corpus, systems in shipped(runs).items():
        if {"base", "roseq"} <= systems.keys():
            yield corpus, [held_out(systems.get(system, [])) for system in COMPARED]


def by_size(runs: Sequence[Run]) -> dict[str, dict[float, Systems]]:
    """
    Returns for each corpus of several sizes, with its vectors where they are not those of its config, base and RoSeq by the
    number of training sentences, infinite for all of them.
    """
    sizes: dict[str, dict[float, Systems]] = {}
    for (corpus, settings), systems in groups(runs).items():
        changes = json.loads(settings)
        size, vectors = changes.pop("sentences", float("inf")), changes.pop("vectors", None)
        if not changes and {"base", "roseq"} <= systems.keys():
            title = corpus if vectors is None else f"{corpus}, {vectors}"
            sizes.setdefault(title, {})[size] = {system: systems[system] for system in ("base", "roseq")}
    return {title: by_number for title, by_number in sizes.items() if len(by_number) > 1}
