import argparse
import contextlib
import logging
import os
import shlex
from collections.abc import Iterator

from roseq_allennlp.console import Console
from roseq_allennlp.experiments.new_config import Plan, Size, check_new, plan, write
from roseq_allennlp.experiments.own_data import SEED, SHARES, Data, demonstration, survey


def run(args: argparse.Namespace, console: Console) -> int:
    """Writes a config for labelled data, and says what it has chosen and why."""
    check_new(args.directory)
    labels = args.labels.split(",") if args.labels else None
    with _remarks() as remarks:
        data = survey(args.data, args.directory, labels) if args.data else demonstration(args.directory)
    for remark in remarks:
        console.say(remark)
    chosen = plan(data, args.vectors, args.encoder, args.language)
    config = write(data, chosen, args.directory)
    _print_data(data, bool(args.data), console)
    _print_plan(chosen, console)
    run = os.path.join(args.directory, "run")
    console.print(f"{config} is written. Train with it:")
    console.print(f"  roseq train {shlex.quote(config)} -s {shlex.quote(run)}")
    if "test" in data.files:
        console.print(
            f"  roseq evaluate {shlex.quote(f'{run}/model.tar.gz')} {shlex.quote(_short(data.files['test']))}"
        )
    return 0


@contextlib.contextmanager
def _remarks() -> Iterator[dict[str, None]]:
    """What is logged about the files, once each: they are read several times."""
    remarks: dict[str, None] = {}
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: remarks.setdefault(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("roseq_allennlp")
    before, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield remarks
    finally:
        logger.removeHandler(handler)
        logger.propagate = before


def _print_data(data: Data, is_given: bool, console: Console) -> None:
    kind = data.format if data.scheme is None else f"{data.format}, {data.scheme}"
    for role, path in data.files.items():
        counts = data.counts[role]
        size = _number(counts.sentences, "sentence") if counts.given else _number(counts.texts, "text")
        words = _number(counts.tokens, "word")
        entities = _number(counts.entities.total(), "entity", "entities")
        console.print(f"{role:<9} {_short(path)} ({kind}): {size}, {words}, {entities}")
    if is_given and data.parts:
        shares = f"{SHARES[0]} % for training, {SHARES[1]} % for development"
        console.print(
            f"          there is no development file, so the training file was divided at random: {shares}, seed {SEED}"
        )
    if data.by_order:
        console.print("          the names do not tell what a file is for, so their order does")
    types = data.counts["train"].entities.most_common()
    console.print(f"types     {', '.join(f'{label} {count}' for label, count in types)}")


def _print_plan(plan: Plan, console: Console) -> None:
    size: Size = plan.size.value
    model = "the base model, without RoSeq's components" if plan.switches.value else "RoSeq"
    console.print(f"language  {plan.language.value}: {plan.language.reason}")
    console.print(f"model     {model}: {plan.switches.reason}")
    console.print(f"shapes    {'on' if plan.shapes.value else 'off'}: {plan.shapes.reason}")
    console.print(f"vectors   {plan.vectors.value.removeprefix('vectors.')}: {plan.vectors.reason}")
    console.print(
        f"training  batches of {size.batch_size}, at most {size.num_epochs} epochs, {size.patience} without a better F1:"
        f" {plan.size.reason}"
    )


def _number(count: int, one: str, several: str = "") -> str:
    return f"{count} {one if count == 1 else several or one + 's'}"


def _short(path: str) -> str:
    """From the working directory on, if it is below that."""
    return path.removeprefix(f"{os.getcwd()}/")
