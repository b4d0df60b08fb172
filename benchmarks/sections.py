"""What is measured, a section for each group of rows. A section gives its rows one by one, as they are ready."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any

import torch

from benchmarks import batches as by_batch_size
from benchmarks import crfs, flops, measure, ours, peers, report
from benchmarks import memory as memory_process
from benchmarks.encoders import encoder
from benchmarks.measure import Row, clock, in_turn
from roseq_allennlp.data.tag_schemes import to_spans

LIKELIHOOD_SIZES = ((16, 40, 17), (16, 40, 41), (64, 40, 17), (256, 60, 17))
VITERBI_SIZES = ((64, 40, 17), (256, 60, 17))
LENGTHS = (10, 100, 1000)
LATENCY_WORDS = 20
LATENCY_CALLS = 300
SHORT_CALL = 0.2  # seconds; what takes less is repeated within one reading
GIB = 2**30


class Context:
    """Where a section runs, and the systems that several sections use, each built once when first needed."""

    def __init__(
        self,
        device: torch.device,
        repeats: int,
        sentences: int,
        batch_sizes: Sequence[int] = (),
        encoder: str = "",
        until: float = float("inf"),
    ) -> None:
        self.device = device
        self.repeats = repeats
        self.batch_sizes = batch_sizes
        self.encoder = encoder
        self.until = until  # of time.monotonic(): no section, nor size of batch, begins later
        self.notes: list[str] = []  # for whoever reads the results
        self.batches: list[dict[str, Any]] = []  # of the section of that name
        self.has_crf_tagger, self.has_flair = (name in report.installed() for name in ("allennlp-models", "flair"))
        self.training_data = ours.read(ours.TRAIN, sentences)
        # Less than is trained on: the slowest system takes as long for either.
        self.test_data = [sentence.words for sentence in ours.read(ours.TEST, sentences * 2 // 5)]
        self._trainings: dict[str, ours.Training] = {}

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self.until

    @property
    def training_tokens(self) -> int:
        return sum(len(sentence.words) for sentence in self.training_data)

    @property
    def test_tokens(self) -> int:
        return sum(map(len, self.test_data))

    def training(self, components: str) -> ours.Training:
        """RoSeq with some of its components; `crf_tagger` by that name."""
        if components not in self._trainings:
            system, wanted = ("crf_tagger", "") if components == "crf_tagger" else ("roseq", components)
            self._trainings[components] = ours.Training(system, wanted, self.device, len(self.training_data))
        return self._trainings[components]

    @cached_property
    def flair(self) -> Any:
        from benchmarks.flair_tagger import FlairTagger

        return FlairTagger(self.training_data, self.device)

    @cached_property
    def archive(self) -> str:
        """Made once: other sections train the model further."""
        return self.training(ours.ALL).archive()

    @cached_property
    def tagger(self) -> Any:
        return ours.load(self.archive, self.device)

    def in_turn(self, **work: Callable[[], Any]) -> dict[str, list[float]]:
        """Seconds of a call of each, in turn."""
        return in_turn({name: clock(call, self.device, SHORT_CALL) for name, call in work.items()}, self.repeats)


def crf(context: Context) -> Iterator[Row]:
    """Log-likelihood, forward and backward; emissions and transitions get gradients."""
    targets = {"AllenNLP": 4.0, "pytorch-crf": 2.5, "torch-struct": None}
    for size in LIKELIHOOD_SIZES:
        case = crfs.case(*size, context.device)
        systems = crfs.likelihoods(case)
        crfs.check_likelihoods(case, systems)

        def step(likelihood: Callable[[], torch.Tensor], weights: torch.Tensor, case: crfs.Case = case) -> None:
            case.emissions.grad = weights.grad = None
            likelihood().backward()

        seconds = context.in_turn(**{name: partial(step, *system) for name, system in systems.items()})
        for peer, at_least in targets.items():
            if peer in systems:
                yield measure.speed(f"CRF log-likelihood {_size(size)}", peer, seconds["ours"], seconds[peer], at_least)


def viterbi(context: Context) -> Iterator[Row]:
    """The best path that is valid BIOUL, up to lists of Python numbers."""
    targets = {"AllenNLP": 10.0, "pytorch-crf": 2.5}
    for size in VITERBI_SIZES:
        case = crfs.case(*size, context.device)
        systems = crfs.decoders(case)
        crfs.check_paths(case, systems)
        seconds = context.in_turn(**systems)
        for peer, at_least in targets.items():
            if peer in systems:
                yield measure.speed(
                    f"constrained Viterbi {_size(size)}", peer, seconds["ours"], seconds[peer], at_least
                )


def training(context: Context) -> Iterator[Row]:
    """Whole passes over the training data, with all that a user waits for but validation and checkpoints."""
    names = {"plain": "", "full": ours.ALL} | ({"crf_tagger": "crf_tagger"} if context.has_crf_tagger else {})
    passes = {name: clock(context.training(system).train_pass, context.device) for name, system in names.items()}
    if context.has_flair:
        passes["Flair"] = context.flair.train_pass
    seconds = in_turn(passes, context.repeats)
    amount = (context.training_tokens, "tokens")
    for name, kind, other, at_least in (
        ("training, plain", "plain", "crf_tagger", 3.0),
        ("training, LACRF + FL + AT", "full", "crf_tagger", 1.5),
        ("training, plain", "plain", "Flair", None),
        ("training, LACRF + FL + AT", "full", "Flair", 2.5),
    ):
        if other in seconds:
            yield measure.speed(name, f"{other}, plain", seconds[kind], seconds[other], at_least, amount)


def tagging(context: Context) -> Iterator[Row]:
    """Lists of tokens to results as each system gives them; ours with the probabilities of entities."""
    words = context.test_data
    found = {"ours": sum(len(answer["entities"]) for answer in context.tagger.tag_many(words))}
    work: dict[str, Callable[[], Any]] = {
        "ours": lambda: ours.tag_anew(context.tagger, words),
        "words met before": lambda: list(context.tagger.tag_many(words)),
    }
    if context.has_crf_tagger:
        crf_tagger = peers.CrfTagger(context.training("crf_tagger").archive(), context.device)
        found["crf_tagger"] = sum(len(to_spans(answer["tags"], "BIOUL")) for answer in crf_tagger.tag(words))
        work["crf_tagger"] = partial(crf_tagger.tag, words)
    if context.has_flair:
        context.flair.prepare_to_tag()
        found["Flair"] = sum(map(len, context.flair.tag(words, 32)))
        work |= {f"Flair, {size}": partial(context.flair.tag, words, size) for size in (32, 64)}
    if context.device.type == "cpu":  # where it would stay
        spacy, spacy_twice = (peers.SpacyTagger(context.training_data, shared) for shared in (True, False))
        found["spaCy"] = sum(map(len, spacy.tag(words)))
        work |= {
            "spaCy, one encoder": partial(spacy.tag, words),
            "spaCy, an encoder each": partial(spacy_twice.tag, words),
        }
    context.notes.append(
        f"Threads {torch.get_num_threads()}: {len(words)} sentences of {context.test_tokens} tokens were tagged; "
        "entities found: " + ", ".join(f"{name} {count}" for name, count in found.items())
    )
    if (share := ours.tag_anew(context.tagger, words)) is not None:
        context.notes.append(
            f"Of the tokens of these sentences {share:.0%} are words met before in them, whose features are kept."
        )
    seconds = context.in_turn(**work)
    yield measure.speed(
        "tagging words met before",
        "the first time",
        seconds["words met before"],
        seconds["ours"],
        None,
        (context.test_tokens, "tokens"),
    )
    if context.has_flair:
        seconds["Flair"] = min(seconds["Flair, 32"], seconds["Flair, 64"], key=sum)
    promised = torch.get_num_threads() == 1
    for peer, at_least in {
        "crf_tagger": 15.0,
        "Flair": 2.5,
        "spaCy, one encoder": 2.5,
        "spaCy, an encoder each": None,
    }.items():
        if peer in seconds:
            amount = (context.test_tokens, "tokens")
            bound = at_least if promised else None
            yield measure.speed("tagging", peer, seconds["ours"], seconds[peer], bound, amount)


def latency(context: Context) -> Iterator[Row]:
    """One sentence of `LATENCY_WORDS` words at a time: the median of `LATENCY_CALLS` calls, and the slowest but 1 %."""
    if torch.get_num_threads() > 1:
        return
    stream = [word for sentence in ours.read(ours.TEST) for word in sentence.words]
    starts = range(0, LATENCY_WORDS * LATENCY_CALLS, LATENCY_WORDS)
    sentences = [stream[start : start + LATENCY_WORDS] for start in starts]
    work: dict[str, Callable[[list[str]], Any]] = {"ours": lambda words: context.tagger.tag(" ".join(words))}
    if context.has_crf_tagger:
        crf_tagger = peers.CrfTagger(context.training("crf_tagger").archive(), context.device)
        work["crf_tagger"] = lambda words: crf_tagger.tag([words])
    if context.has_flair:
        context.flair.prepare_to_tag()
        work["Flair"] = lambda words: context.flair.tag([words], 1)
    if context.device.type == "cpu":
        spacy = peers.SpacyTagger(context.training_data, True)
        work["spaCy, one encoder"] = lambda words: spacy.tag([words])
    medians: dict[str, list[float]] = {name: [] for name in work}
    slowest: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(context.repeats + 1):
        for name, tag in work.items():
            seconds = sorted(clock(partial(tag, words), context.device)() for words in sentences)
            if turn:  # after the warm-up
                medians[name].append(seconds[len(seconds) // 2])
                slowest[name].append(seconds[len(seconds) * 99 // 100])
    for peer in work.keys() - {"ours"}:
        for what, values in (("median", medians), ("99th percentile", slowest)):
            yield measure.speed(f"one sentence of {LATENCY_WORDS} words, {what}", peer, values["ours"], values[peer])


def step(context: Context) -> Iterator[Row]:
    """The training step with adversarial passes and without, LACRF and focal loss on in both."""
    seconds = context.in_turn(
        adversarial=context.training(ours.ALL).train_pass, without=context.training("lacrf,fl").train_pass
    )
    steps = -(-len(context.training_data) // 16)
    yield measure.cost(
        "adversarial training step",
        "the step without",
        seconds["adversarial"],
        seconds["without"],
        at_most=2.1,
        unit=(1000 / steps, "ms"),
    )


def length(context: Context) -> Iterator[Row]:
    """Tagging the same tokens in sentences of several lengths."""
    stream = [word for sentence in ours.read(ours.TEST) for word in sentence.words]
    stream = stream[: len(stream) // LENGTHS[-1] * LENGTHS[-1]]
    texts = {size: [stream[start : start + size] for start in range(0, len(stream), size)] for size in LENGTHS}

    def tag(sentences: list[list[str]]) -> None:
        list(context.tagger.tag_many(sentences))

    seconds = context.in_turn(**{str(size): partial(tag, text) for size, text in texts.items()})
    shortest = seconds[str(LENGTHS[0])]
    for size in LENGTHS[1:]:
        yield measure.cost(
            f"tagging a token, sentences of {size} tokens",
            f"sentences of {LENGTHS[0]}",
            seconds[str(size)],
            shortest,
            at_most=1.5,
            unit=(1e6 / len(stream), "µs"),
        )


def bfloat16(context: Context) -> Iterator[Row]:
    """Tagging the whole test file under bfloat16 autocast against float32: what it costs in F1, and what it brings."""
    sentences = ours.read(ours.TEST)
    words = [sentence.words for sentence in sentences]
    gold = {(place, *entity) for place, sentence in enumerate(sentences) for entity in sentence.entities}
    low = ours.load(context.archive, context.device, bfloat16=True)
    scores = []
    for tagger in (low, context.tagger):
        found = {
            (place, entity["label"], entity["start_token"], entity["end_token"])
            for place, answer in enumerate(tagger.tag_many(words))
            for entity in answer["entities"]
        }
        scores.append(200 * len(found & gold) / (len(found) + len(gold)))
    yield Row(
        name="bfloat16, F1 of tagging the test file",
        against="float32",
        threads=torch.get_num_threads(),
        ratio=round(scores[1] - scores[0], 3),
        unit="points",
        ours=scores[0],
        theirs=scores[1],
        at_least=None,
        at_most=0.3,
        repeats=1,
        ours_repeats=[round(scores[0], 3)],
        theirs_repeats=[round(scores[1], 3)],
    )
    seconds = context.in_turn(
        low=lambda: list(low.tag_many(words)), float32=lambda: list(context.tagger.tag_many(words))
    )
    amount = (sum(map(len, words)), "tokens")
    yield measure.speed("tagging in bfloat16", "float32", seconds["low"], seconds["float32"], amount=amount)


def memory(context: Context) -> Iterator[Row]:
    """Peak resident memory of a process of its own that trains one step on one long sentence, word shapes on too."""
    if context.device.type != "cpu" or torch.get_num_threads() > 1:  # it does not depend on the threads
        return
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", memory_process.__name__]
    before, peak = json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
    yield Row(
        name=f"memory, training step on {memory_process.LONG_SENTENCE} tokens, all on",
        against="before that step",
        threads=torch.get_num_threads(),
        ratio=round(peak / GIB, 3),
        unit="GiB",
        ours=peak / GIB,
        theirs=before / GIB,
        at_least=None,
        at_most=1.5,
        repeats=1,
        ours_repeats=[round(peak / GIB, 3)],
        theirs_repeats=[round(before / GIB, 3)],
    )


def batches(context: Context) -> Iterator[Row]:
    """Gives no ratios: what a training step is made of, by batch size, in `context.batches`."""
    yield from ()
    systems = {"plain": ("roseq", ""), "LACRF + FL + AT": ("roseq", ours.ALL)}
    if context.has_crf_tagger:
        systems["crf_tagger"] = ("crf_tagger", "")
    for size in context.batch_sizes:
        sentences = size * by_batch_size.STEPS
        tokens = sum(len(sentence.words) for sentence in ours.read(ours.TRAIN, sentences))
        for name, (system, components) in systems.items():
            if context.is_over:
                context.notes.append(f"batches of {size}, {name}: left out, the seconds were over.")
                continue
            training = ours.Training(system, components, context.device, sentences, batch_size=size)
            found = {"system": name, "batch_size": size, **by_batch_size.measure(training, tokens, context.device)}
            context.batches.append(found)
            print(f"  batches: {found}", flush=True)


SECTIONS: dict[str, Callable[[Context], Iterator[Row]]] = {
    section.__name__: section
    for section in (crf, viterbi, training, tagging, latency, step, length, bfloat16, memory, encoder, batches)
}


def account(context: Context) -> dict[str, Any]:
    """Operations of a forward pass for a token, over the tagged data, and the machine's peak."""
    trained = context.training(ours.ALL)
    words = [word for sentence in context.test_data for word in sentence]
    parts = flops.account(trained.config, trained.num_tags, words)
    return {
        "threads": torch.get_num_threads(),
        "peak_gflops": round(flops.peak_gflops(context.device), 1),
        "flop_per_token": parts | {"total": sum(parts.values())},
    }


def _size(size: tuple[int, int, int]) -> str:
    return f"({', '.join(map(str, size))})"
