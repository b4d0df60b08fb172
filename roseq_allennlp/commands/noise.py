import argparse

from allennlp.common.checks import ConfigurationError

from roseq_allennlp.commands.parsers.noise import LEVELS
from roseq_allennlp.console import Console
from roseq_allennlp.data.noise import add_noise
from roseq_allennlp.evaluation import plots
from roseq_allennlp.evaluation.bootstrap import Interval, f1_interval, sentence_counts
from roseq_allennlp.evaluation.comparison import check_same_sentences
from roseq_allennlp.evaluation.tagged_data import (
    gold_tags,
    model_names,
    read_labelled,
    score_of,
    tag_instances,
    words_of,
)
from roseq_allennlp.models.archive import load_archive
from roseq_allennlp.text import shown

_SAMPLES = 1000  # for the bands of the plot


def run(args: argparse.Namespace, console: Console) -> int:
    """Measures F1 as typing noise grows."""
    plots.check_format(args.output)
    if len(args.archives) > len(plots.LOOKS):
        raise ConfigurationError(f"One plot holds {len(plots.LOOKS)} archives at most; got {len(args.archives)}.")
    levels, kinds = _levels(args.levels), args.kinds.split(",")
    add_noise([], 0, args.seed, kinds)  # an unknown kind is an error before the work begins
    names = model_names(args.archives)
    archives = [load_archive(path, args.cuda_device) for path in args.archives]
    data = [read_labelled(archive.validation_dataset_reader, args.data) for archive in archives]
    sentences = [(words_of(instance), gold_tags(instance)) for instance in data[0]]
    for path, instances in zip(args.archives, data, strict=True):
        check_same_sentences(
            sentences,
            [(words_of(instance), gold_tags(instance)) for instance in instances],
            f"{args.archives[0]} and {path} read {args.data} differently",
        )

    f1: dict[str, list[float]] = {name: [] for name in names}
    bands: dict[str, list[Interval]] = {name: [] for name in names}
    for level in console.progress(levels, "tagging with noise"):
        texts = add_noise([words for words, _ in sentences], level, args.seed, kinds)
        for name, archive in zip(names, archives, strict=True):
            reader = archive.validation_dataset_reader
            noisy = [reader.text_to_instance(words, tags) for words, (_, tags) in zip(texts, sentences, strict=True)]
            tagged = tag_instances(archive, noisy)
            f1[name].append(score_of(tagged).overall.f1)
            bands[name].append(f1_interval(sentence_counts(tagged), _SAMPLES))
    _plot(args.output, levels, f1, bands)
    rows = [[f"{level:g}", *(f1[name][index] for name in names)] for index, level in enumerate(levels)]
    console.table(["words changed", *names], rows, f"F1 on {args.data}, seed {args.seed}")
    console.print(f"The plot is {args.output}")
    return 0


def _levels(text: str) -> list[float]:
    try:
        levels = sorted({float(level) for level in text.split(",")})
    except ValueError as error:
        raise ConfigurationError(
            f"--levels: {text!r} is not a list of numbers separated by commas, such as {LEVELS}."
        ) from error
    for level in levels:
        add_noise([], level)
    return levels


def _plot(path: str, levels: list[float], f1: dict[str, list[float]], bands: dict[str, list[Interval]]) -> None:
    with plots.drawing() as (figure, axes):
        for (name, values), look in zip(f1.items(), plots.LOOKS, strict=False):
            axes.plot(levels, values, color=look.color, marker=look.marker, linestyle=look.line, label=shown(name))
            low, high = zip(*bands[name], strict=True)
            axes.fill_between(levels, low, high, color=look.color, alpha=0.15, linewidth=0)
        axes.set_xlabel("share of words with a typing error")
        axes.set_ylabel("F1, % (band: 95 % bootstrap)")
        axes.set_ylim(bottom=0)
        axes.grid(True)
        figure.legend(loc="outside upper center", ncols=len(f1), frameon=False)
        plots.save(figure, path)
