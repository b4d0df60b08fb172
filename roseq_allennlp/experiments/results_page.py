"""The tables and plots of a page of results, in Markdown, from the runs themselves."""

import json
import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

import numpy as np

from roseq_allennlp.data.catalogue import CORPORA
from roseq_allennlp.errors import ConfigurationError
from roseq_allennlp.experiments.ablation import mean, mean_and_deviation
from roseq_allennlp.experiments.results import Run
from roseq_allennlp.experiments.results_groups import (
    COMPARED,
    Systems,
    by_size,
    compared,
    gain,
    groups,
    on_training_split,
    shipped,
)
from roseq_allennlp.experiments.results_plots import PLOTS
from roseq_allennlp.experiments.systems import PEERS, SYSTEMS, TABLE_IV, TITLES
from roseq_allennlp.scoring.conlleval import Counts
from roseq_allennlp.tables import markdown

_BESIDE = (SYSTEMS["base"].title, SYSTEMS["roseq"].title, "gain", SYSTEMS["best"].title)
_OWN_VECTORS = "those of the config"


def build(page: str, runs: Sequence[Run], directory: Path) -> str:
    """
    Returns the page with its tables and plots rebuilt: all text between `<!-- results: NAME -->` and `<!-- end -->`, for each
    NAME of `TABLES`, and between `<!-- plot: NAME -->` and `<!-- end -->`, for each NAME of `PLOTS`.

    # Parameters

    page : `str`
    runs : `Sequence[Run]`
    directory : `Path`
        That of the page; plots are written to `plots/` in it.

    # Raises

    `ConfigurationError`: a part has another name, the page has no part, or a run has another corpus or system.
    """
    unknown = sorted({run.corpus for run in runs} - set(CORPORA) | {run.system for run in runs} - set(TITLES))
    if unknown:
        raise ConfigurationError(
            f"The page has no place for runs of {unknown}; it has {', '.join(CORPORA)} and {', '.join(TITLES)}."
        )

    def part(match: "re.Match[str]") -> str:
        kind, name = match["kind"], match["name"]
        known, what = (TABLES, "table") if kind == "results" else (PLOTS, "plot")
        if name not in known:
            raise ConfigurationError(f"<!-- {kind}: {name} -->: there is no such {what}; known are {', '.join(known)}.")
        if kind == "results":
            made = TABLES[name](runs)
        else:
            made = f"![{PLOTS[name](runs, directory / 'plots' / f'{name}.svg')}](plots/{name}.svg)"
        return f"<!-- {kind}: {name} -->\n{made}\n<!-- end -->"

    built, parts = re.subn(
        r"<!-- (?P<kind>results|plot): (?P<name>.*?) -->.*?<!-- end -->", part, page, flags=re.DOTALL
    )
    if not parts:
        raise ConfigurationError(
            f"The page has no `<!-- results: NAME -->` with `<!-- end -->` after it, NAME one of {', '.join(TABLES)}."
        )
    return built


def _beside(scores: Sequence[Optional[float]]) -> list[Any]:
    """Returns the cells under `_BESIDE`."""
    base, roseq, best = scores
    assert base is not None and roseq is not None
    return [base, roseq, f"{roseq - base:+.2f}", "" if best is None else best]


def _gain(first: Sequence[Run], second: Sequence[Run]) -> str:
    test = gain(first, second)
    return f"{test.difference:+.2f} ({test.interval.low:+.2f} to {test.interval.high:+.2f})"


def _paper_gain(corpus: str, system: str) -> str:
    figures = CORPORA[corpus].paper
    known = system != "base" and {system, "base"} <= figures.keys()
    return f"{figures[system] - figures['base']:+.2f}" if known else ""


def _row(corpus: str, system: str, systems: Systems) -> list[Any]:
    runs = systems[system]
    return [
        TITLES[system],
        len(runs),
        mean_and_deviation([run.dev_f1 for run in runs]),
        mean_and_deviation([run.test_f1 for run in runs]),
        _gain(systems["base"], runs) if "base" in systems and system != "base" else "",
        CORPORA[corpus].paper.get(system, ""),
        _paper_gain(corpus, system),
        f"{statistics.mean(run.best_epoch + 1 for run in runs):.0f} of {statistics.mean(run.epochs for run in runs):.0f}",
        statistics.mean(run.seconds for run in runs) / 60,
    ]


_HEADERS = (
    *("system", "seeds", "development F1", "test F1", "gain over base (95 %)"),
    *("paper's test F1", "paper's gain", "best epoch of", "minutes a run"),
)


def gains(runs: Sequence[Run]) -> str:
    """Compares base, RoSeq and `best` on each corpus of the catalogue, with the shipped configs."""
    by_corpus = shipped(runs)
    rows: list[list[Any]] = []
    for corpus in CORPORA:
        systems = by_corpus.get(corpus, {})
        shown = [system for system in COMPARED if system in systems]
        rows += [[corpus, *_row(corpus, system, systems)] for system in shown]
        if not shown:
            for system in ("base", "roseq"):
                figures = [CORPORA[corpus].paper.get(system, ""), _paper_gain(corpus, system)]
                rows.append([corpus, SYSTEMS[system].title, 0, "not measured", "not measured", "", *figures, "", ""])
    return markdown(["corpus", *_HEADERS], rows)


def vectors(runs: Sequence[Run]) -> str:
    """Shows the runs with other vectors than the corpus's, encoders among them, against RoSeq in the paper."""
    rows = []
    for (corpus, settings), systems in groups(runs).items():
        changes = json.loads(settings)
        if "vectors" not in changes or not on_training_split(changes):  # see `sizes`, `train_and_dev`
            continue
        name = changes.pop("vectors")
        paper = CORPORA[corpus].paper.get("roseq")
        for system, of_system in systems.items():
            if system in PEERS:
                continue
            title, *figures = _row(corpus, system, systems)
            f1 = mean([run.test_f1 for run in of_system])
            change = "" if paper is None or f1 is None else f"{f1 - paper:+.2f}"
            shown = _shown(changes) if changes else ""
            rows.append([corpus, name, title, shown, *figures[:4], change, *figures[6:]])
    headers = ("corpus", "vectors", _HEADERS[0], "settings", *_HEADERS[1:5], "over the paper's RoSeq", *_HEADERS[7:])
    return markdown(headers, rows)


def peers(runs: Sequence[Run]) -> str:
    """
    Compares the systems of others with RoSeq on the same vectors; one that trains an encoder is compared with RoSeq on the encoder's
    frozen features.
    """
    rows = []
    by_settings = groups(runs)
    for (corpus, settings), systems in by_settings.items():
        name = json.loads(settings).get("vectors", "")
        ours = {"vectors": re.sub("^tuned:", "frozen:", name)} if name else {}
        roseq = by_settings.get((corpus, json.dumps(ours)), {}).get("roseq", [])
        for system in (system for system in PEERS if system in systems):
            title, *figures = _row(corpus, system, systems)
            f1 = mean_and_deviation([run.test_f1 for run in roseq])
            lead = [f1, _gain(systems[system], roseq)] if roseq else ["", ""]
            rows.append([corpus, name or _OWN_VECTORS, title, *figures[:3], *lead, *figures[6:]])
    headers = ("corpus", "vectors", *_HEADERS[:4], TITLES["roseq"], "RoSeq's lead (95 %)", *_HEADERS[7:])
    return markdown(headers, rows)


def ablations(runs: Sequence[Run]) -> str:
    """Shows Table IV for the corpora on which all of its systems have runs, with the seeds that all of them have."""
    parts = []
    for title, corpus, systems in _table_iv(runs):
        rows = [_row(corpus, system, systems) for system in TABLE_IV]
        parts.append(f"{title}:\n\n{markdown(_HEADERS, rows)}")
    return "\n\n".join(parts)


def effects(runs: Sequence[Run]) -> str:
    """Shows the effect of each component in Table IV: the mean of the four systems with it minus that of the others."""
    rows = []
    for title, _, systems in _table_iv(runs):
        for component in ("lacrf", "fl", "at"):
            sides: tuple[list[Run], list[Run]] = ([], [])
            for system, of_system in systems.items():
                sides[component in SYSTEMS[system].components].extend(of_system)
            scores = [[_development_and_overall(run) for run in side] for side in sides]
            change = np.mean(scores[1], axis=0) - np.mean(scores[0], axis=0)
            development, precision, recall = (f"{value:+.2f}" for value in change)
            name = SYSTEMS[f"base+{component}"].title.removeprefix("+")
            rows.append([title, name, len(sides[1]), development, _gain(*sides), precision, recall])
    headers = (
        "corpus",
        "component",
        "runs with it",
        "development F1",
        "test F1 (95 %)",
        "test precision",
        "test recall",
    )
    return markdown(headers, rows)


def _development_and_overall(run: Run) -> tuple[float, float, float]:
    assert run.test is not None
    return run.dev_f1, run.test.overall.precision, run.test.overall.recall


def _table_iv(runs: Sequence[Run]) -> Iterator[tuple[str, str, Systems]]:
    """Yields title, corpus and runs of all of Table IV's systems, with the seeds that all of them have."""
    for (corpus, settings), systems in groups(runs).items():
        if set(TABLE_IV) <= systems.keys():
            seeds = set.intersection(*({run.seed for run in systems[system]} for system in TABLE_IV))
            paired = {system: [run for run in systems[system] if run.seed in seeds] for system in TABLE_IV}
            yield _title(corpus, settings), corpus, paired


def _title(corpus: str, settings: str) -> str:
    changes = json.loads(settings)
    title = (
        corpus if "sentences" not in changes else f"{corpus}, its first {changes.pop('sentences')} training sentences"
    )
    return f"{title}, {_shown(changes)}" if changes else title


def _shown(settings: dict[str, Any]) -> str:
    return f"`{json.dumps(settings, sort_keys=True)[1:-1]}`"


def labels(runs: Sequence[Run]) -> str:
    """Shows F1 of each entity type, with the rarest type in training last."""
    rows = []
    for corpus, sides in compared(runs):
        trained_on = next(run.train_entities for run in runs if (run.corpus, run.settings) == (corpus, {}))
        gold = {label: counts[2] for label, counts in sides[0][0].labels.items()}
        for label in sorted(gold, key=lambda label: -trained_on.get(label, 0)):
            f1 = [mean([Counts(*one.labels.get(label, (0, 0, 0))).f1 for one in side]) for side in sides]
            rows.append([corpus, label, trained_on.get(label, 0), gold[label], *_beside(f1)])
    return markdown(("corpus", "label", "in training", "in test", *_BESIDE), rows)


def noise(runs: Sequence[Run]) -> str:
    """Shows test F1 as words are mistyped, and the gain at each level."""
    rows = []
    for corpus, sides in compared(runs):
        for level in ("0", *sides[0][0].noise):
            f1 = [mean([one.noise.get(level, one.overall.f1) for one in side]) for side in sides]
            rows.append([corpus, f"{100 * float(level):.0f} %", *_beside(f1)])
    return markdown(("corpus", "words mistyped", *_BESIDE), rows)


def sizes(runs: Sequence[Run]) -> str:
    """Shows the gain by the number of training sentences, for corpora with runs on a part of the training split."""
    rows = []
    for corpus, sizes_of_corpus in by_size(runs).items():
        for sentences, systems in sorted(sizes_of_corpus.items()):
            base, roseq = systems["base"], systems["roseq"]
            scores = [mean_and_deviation([run.test_f1 for run in side]) for side in (base, roseq)]
            size = "all" if sentences == float("inf") else f"first {sentences:.0f}"
            entities = sum(base[0].train_entities.values())
            rows.append([corpus, size, entities, len(roseq), *scores, _gain(base, roseq)])
    headers = ("corpus", "sentences", "entities", "seeds", SYSTEMS["base"].title, SYSTEMS["roseq"].title, "gain (95 %)")
    return markdown(headers, rows)


def train_and_dev(runs: Sequence[Run]) -> str:
    """Shows the runs trained on the development split too, beside those on the training split alone with the same seeds."""
    rows = []
    by_settings = groups(runs)
    for (corpus, settings), systems in by_settings.items():
        changes = json.loads(settings)
        if changes.pop("trained_on", None) is None:
            continue
        alone = by_settings.get((corpus, json.dumps(changes, sort_keys=True)), {})
        for system, of_system in systems.items():
            seeds = {run.seed for run in of_system}
            beside = [run for run in alone.get(system, []) if run.seed in seeds]
            scores = [mean_and_deviation([run.test_f1 for run in side]) for side in (beside, of_system)]
            over_base = _gain(systems["base"], of_system) if "base" in systems and system != "base" else ""
            gained = _gain(beside, of_system) if beside else ""
            vectors_ = changes.get("vectors", _OWN_VECTORS)
            rows.append([corpus, vectors_, TITLES[system], len(seeds), *scores, gained, over_base])
    headers = ("corpus", "vectors", "system", "seeds", "train", "train and dev", "gain (95 %)", "gain over base (95 %)")
    return markdown(headers, rows)


def tuning(runs: Sequence[Run]) -> str:
    """
    Shows every setting tried, on development data; the change is from the config without it, on the same vectors and seeds, and of the
    same revision, where settings have one of these: `sentences`, `vectors`, `config`.
    """
    tried: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        if run.test is None:
            tried.setdefault((run.corpus, run.system, run.key[1]), []).append(run)
    scores = {run.key: run.dev_f1 for run in runs}
    rows = []
    for (corpus, system, settings), tuned in sorted(tried.items()):
        data = {name: value for name, value in tuned[0].settings.items() if name in ("sentences", "vectors", "config")}
        before = [scores.get(replace(run, settings=data).key) for run in tuned]
        known = [score for score in before if score is not None]
        # The config on a part of the training split, on other vectors or of another revision is itself the reference.
        compared = len(known) == len(tuned) and data != tuned[0].settings
        change = statistics.mean(run.dev_f1 for run in tuned) - statistics.mean(known) if compared else None
        shown = _shown(json.loads(settings))
        f1 = mean_and_deviation([run.dev_f1 for run in tuned])
        rows.append([corpus, TITLES[system], shown, len(tuned), f1, "" if change is None else f"{change:+.2f}"])
    return markdown(("corpus", "system", "settings", "seeds", "development F1", "change"), rows)


def total(runs: Sequence[Run]) -> str:
    """Returns the cost, revisions and versions of all runs, in words."""
    hours = sum(run.seconds for run in runs) / 3600
    revisions = ", ".join(sorted({run.revision for run in runs}))
    versions = "; ".join(
        sorted({", ".join(f"{name} {version}" for name, version in run.versions.items()) for run in runs})
    )
    return f"{len(runs)} runs, {hours:.1f} CPU hours, one thread each. Revisions: {revisions}. Versions: {versions}."


TABLES: dict[str, Callable[[Sequence[Run]], str]] = {
    **{"gains": gains, "vectors": vectors, "peers": peers, "ablations": ablations},
    **{"effects": effects, "labels": labels, "noise": noise, "sizes": sizes},
    **{"train_and_dev": train_and_dev, "tuning": tuning, "total": total},
}
"""The functions that build the tables of a page, by the name of the table."""
