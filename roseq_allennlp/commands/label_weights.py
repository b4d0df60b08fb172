import argparse
from collections import Counter
from typing import Any, Optional

from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader

from roseq_allennlp.console import Console
from roseq_allennlp.data.label_statistics import count_labels, label_weights
from roseq_allennlp.data.tag_schemes import bioul_to_bioes, split_tag
from roseq_allennlp.data.tag_spelling import with_close_ones
from roseq_allennlp.evaluation import plots
from roseq_allennlp.text import shown

_PAPER = 0.25


def run(args: argparse.Namespace, console: Console) -> int:
    """Shows θ and ζ (eq. 8) of each tag, as training with that config computes them."""
    plots.check_format(args.output)
    config = _config(args.config, args.overrides)
    tau, remark = _tau(config, args.config)
    others = _numbers(args.tau) if args.tau else (tau / 2, 2 * tau) if tau else (_PAPER, 2 * _PAPER)
    taus = sorted({tau, *others})
    named, counts = _named(config), _counts(config, args.config)
    try:
        label_weights(counts, tau)  # first, so that an error names the config's own τ
        weights = [label_weights(counts, value) for value in taus]
    except ValueError as error:
        raise ConfigurationError(f"{args.config}: {error}") from error
    tags = sorted(counts, key=lambda tag: (-counts[tag], tag))
    total = sum(counts.values())
    headers = ["tag", "tokens", "θ", *(f"ζ, τ = {value:g}" for value in taus)]
    headers = [f"{header} (config)" if header == f"ζ, τ = {tau:g}" and not remark else header for header in headers]
    rows = [
        [name, counts[tag], f"{counts[tag] / total:.5f}", *(f"{of_tau[tag]:.5f}" for of_tau in weights)]
        for name, tag in zip(bioul_to_bioes(tags), tags, strict=True)
    ]
    _plot(
        args.output,
        bioul_to_bioes(tags),
        {f"τ = {t:g}": [w[tag] for tag in tags] for t, w in zip(taus, weights, strict=True)},
    )
    console.table(headers, rows, f"{args.config}: {total} tokens of the training split")
    if remark:
        console.print(remark)
    types, declared = ({split_tag(tag)[1] for tag in tags if tag != "O"} for tags in (counts, named))
    if named and types - declared:
        console.print(f"Types that the config does not declare: {with_close_ones(types - declared, declared)}.")
    if not all(counts.values()):
        console.print("A tag that the training split does not hold has the largest weight of another.")
    console.print(f"The plot is {args.output}")
    return 0


def _config(path: str, overrides: str) -> dict[str, Any]:
    try:
        config = Params.from_file(path, overrides).as_dict(quiet=True)
    except (OSError, RuntimeError, ValueError, AttributeError) as error:
        reason = str(error).splitlines()[0]  # jsonnet goes on with its stack
        raise ConfigurationError(f"{path}: cannot be read as a training config. {reason}") from error
    if not isinstance(config, dict):
        raise ConfigurationError(f"{path}: cannot be read as a training config. It is not an object with keys.")
    for key in ("dataset_reader", "train_data_path"):
        if not config.get(key):
            raise ConfigurationError(f"{path}: has no `{key}`; give a config to train with.")
    # Like AllenNLP: a name alone is an object of that type, and null is an empty object.
    for key in ("dataset_reader", "model", "vocabulary"):
        value = config.get(key) or {}
        config[key] = {"type": value} if isinstance(value, str) else value
    config["model"] = config["model"].get("member", config["model"])  # all members of an ensemble are alike
    return config


def _tau(config: dict[str, Any], path: str) -> tuple[float, Optional[str]]:
    """Returns the config's τ, or else the paper's with a remark that says why."""
    model = config["model"]
    tau = model.get("tau")
    if tau is None:
        what = (
            "gives `label_weights` of its own" if model.get("label_weights") else "sets no `tau`: all its weights are 1"
        )
        return _PAPER, f"The config {what}; τ = {_PAPER} is the paper's."
    if not isinstance(tau, (int, float)):
        raise ConfigurationError(f"{path}: `model.tau` must be a number of at least 0, or null; got {tau!r}.")
    return tau, None


def _numbers(text: str) -> list[float]:
    try:
        first, second = map(float, text.split(","))
    except ValueError as error:
        raise ConfigurationError(
            f"--tau: {text!r} is not two numbers separated by a comma, such as 0.1,0.5."
        ) from error
    return [first, second]


def _counts(config: dict[str, Any], path: str) -> dict[str, int]:
    """Counts each tag of the label set (BIOUL), as the callback `label_statistics` does."""
    named = _named(config)
    reader = DatasetReader.from_params(Params(config["dataset_reader"]))
    counts: Counter[str] = count_labels(reader.read(config["train_data_path"]), "labels")
    if not counts:
        raise ConfigurationError(
            f"{path}: its `train_data_path` has no tags; ζ is counted from those of labelled data."
        )
    return {tag: counts[tag] for tag in [*named, *(tag for tag in counts if tag not in named)]}


def _named(config: dict[str, Any]) -> list[str]:
    return (config["vocabulary"].get("tokens_to_add") or {}).get("labels", [])


def _plot(path: str, tags: list[str], series: dict[str, list[float]]) -> None:
    tags = list(map(shown, tags))  # pictures are XML, which holds no control characters
    with plots.drawing(max(4.8, 1.5 + 0.22 * len(tags)), 4.2) as (figure, axes):
        for (name, values), look in zip(series.items(), plots.LOOKS, strict=False):
            axes.plot(tags, values, color=look.color, marker=look.marker, linestyle=look.line, label=name, markersize=5)
        axes.tick_params(axis="x", rotation=90)
        axes.set_yscale("log", subs=[])
        ticks = [step * 10**power for power in range(6) for step in (1, 2, 5)]
        axes.set_yticks([tick for tick in ticks if tick <= 1.1 * max(map(max, series.values()))])
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_ylabel("label-aware weight ζ")
        axes.grid(True)
        figure.legend(loc="outside upper center", ncols=len(series), frameon=False)
        plots.save(figure, path)
