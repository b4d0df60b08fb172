"""The best epoch of a system that trains itself, and its result as `roseq ablation` keeps those of this project's taggers."""

import copy
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Optional, Protocol

from allennlp.data import DatasetReader, Instance

from benchmarks.ours import Sentence
from roseq_allennlp.data.catalogue import CORPORA
from roseq_allennlp.data.corpora import SCHEME
from roseq_allennlp.evaluation.tagged_data import TaggedSentence, gold_tags, read_labelled, score_of, words_of
from roseq_allennlp.experiments.measuring import held_out, revision, versions
from roseq_allennlp.experiments.results import Run, keep_result
from roseq_allennlp.scoring.conlleval import entities


class System(Protocol):
    def tags(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]: ...
    def state(self) -> Any: ...
    def load_state(self, state: Any) -> None: ...


class Selection:
    """
    A corpus of the catalogue, and the epoch with the best development F1 of a system that is trained on it.

    # Parameters

    corpus : `str`
    system : `str`
        A name in `systems.TITLES`.
    seed : `int`
    patience : `int`, optional
        Epochs without a better development F1 after which `look` says that it is enough.
    """

    def __init__(self, corpus: str, system: str, seed: int, patience: Optional[int] = None) -> None:
        self._corpus, self._name, self._seed, self._patience = corpus, system, seed, patience
        self.types = CORPORA[corpus].types
        self._reader = DatasetReader.by_name(CORPORA[corpus].reader)(language=CORPORA[corpus].language)
        train, self._dev = (read_labelled(self._reader, f"{SCHEME}://{corpus}/{split}") for split in ("train", "dev"))
        self.train = [Sentence(words_of(one), [tuple(span) for span in entities(gold_tags(one))]) for one in train]
        self._best: dict[str, Any] = {"epoch": -1, "f1": -1.0}
        self._epochs = 0
        self._start = 0.0

    def start(self) -> None:
        """Starts the clock; call it when the system is built."""
        self._start = time.monotonic()

    def look(self, system: System, epoch: int) -> bool:
        """Scores the development data after an epoch, from 0. Returns whether to train on."""
        overall = score_of(self._tag(system, self._dev)).overall
        self._epochs = epoch + 1
        print(f"epoch {epoch}: development F1 {overall.f1:.2f}, {time.monotonic() - self._start:.0f} s", flush=True)
        if overall.f1 > self._best["f1"]:
            self._best = {"epoch": epoch, "f1": overall.f1, "overall": overall, "state": copy.deepcopy(system.state())}
        return self._patience is None or epoch - self._best["epoch"] < self._patience

    def finish(
        self,
        system: System,
        settings: dict[str, Any],
        packages: dict[str, str],
        results: Optional[Path] = None,
        read_test: bool = True,
    ) -> Run:
        """Scores the whole test file with the weights of the best epoch; keeps the result in a file, if there is one."""
        seconds = time.monotonic() - self._start
        system.load_state(self._best["state"])
        test = None
        if read_test:
            test = held_out(self._reader, f"{SCHEME}://{self._corpus}/test", partial(self._tag, system))
        run = Run(
            corpus=self._corpus,
            system=self._name,
            seed=self._seed,
            settings=settings,
            dev_f1=self._best["f1"],
            dev_precision=self._best["overall"].precision,
            dev_recall=self._best["overall"].recall,
            test_f1=None if test is None else test.overall.f1,
            best_epoch=self._best["epoch"],
            epochs=self._epochs,
            seconds=seconds,
            train_entities=dict(Counter(label for sentence in self.train for label, _, _ in sentence.entities)),
            revision=revision(),
            versions={**versions(), **packages},
            test=test,
        )
        print(
            f"development F1 {run.dev_f1:.2f}, test F1 {run.test_f1}, epoch {run.best_epoch}, {seconds / 60:.1f} minutes"
        )
        if results:
            keep_result(results, run)
        return run

    @staticmethod
    def _tag(system: System, instances: Sequence[Instance]) -> list[TaggedSentence]:
        words = [words_of(instance) for instance in instances]
        return [
            TaggedSentence(sentence, gold_tags(instance), tags, {})
            for sentence, instance, tags in zip(words, instances, system.tags(words), strict=True)
        ]
