"""
Many threads on the same taggers, in one process and in several. 4 seconds in CI; `make fuzz` takes 60
(`ROSEQ_STRESS`) and appends the counts to runs/fuzz.txt.
"""

import faulthandler
import gc
import itertools
import multiprocessing
import os
import random
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import torch

import roseq_allennlp
from roseq_allennlp.data import tokenizers
from roseq_allennlp.predictors import NerTagger

SECONDS = float(os.environ.get("ROSEQ_STRESS", 0))
THREADS = 8


class Caller:
    """What one thread does with taggers, and whether each answer is that to its sentence."""

    def __init__(self, number, taggers, sentences, expected):
        self.number, self.taggers, self.sentences, self.expected = number, taggers, sentences, expected
        self.rng = random.Random(number)
        self.counts = Counter()
        self.made = 0

    def sentence(self):
        """One of those whose tags are known, or of words that no table holds yet."""
        if self.rng.random() < 0.5:
            return self.rng.choice(self.sentences)
        self.made += 1
        return [f"w{self.number}x{self.made}x{place}" for place in range(self.rng.randrange(1, 9))]

    def check(self, sentences, answers):
        for sentence, answer in zip(sentences, answers, strict=True):
            assert answer["words"] == sentence
            known = self.expected.get(" ".join(sentence))
            assert known is None or answer["tags"] == known
        self.counts["sentences"] += len(sentences)

    def tag(self, tagger):
        sentence = self.sentence()
        self.check([sentence], [tagger.tag_tokens(sentence)])

    def tag_text(self, tagger):
        sentence = self.rng.choice(self.sentences)
        self.check([sentence], [tagger.tag(" ".join(sentence))])

    def tag_many(self, tagger):
        sentences = [self.sentence() for _ in range(self.rng.randrange(1, 300))]
        self.check(sentences, list(tagger.tag_many(iter(sentences), batch_size=self.rng.choice([8, 32, 64]))))

    def predict(self, tagger):
        sentences = [self.sentence() for _ in range(600)]
        self.check(sentences, tagger.predict_batch_json([{"tokens": sentence} for sentence in sentences]))

    def abandon(self, tagger):
        """A part of the answers; the rest is thrown away: closed, dropped, or left to the garbage collector."""
        sentences = [self.sentence() for _ in range(200)]
        answers = tagger.tag_many(sentences, batch_size=16)
        count = self.rng.randrange(40)
        self.check(sentences[:count], list(itertools.islice(answers, count)))
        if self.rng.random() < 0.3:
            cycle = [answers]
            cycle.append(cycle)
        elif self.rng.random() < 0.5:
            gc.collect()

    def break_off(self, tagger):
        """Input that fails: the answers before it come first."""
        sentences = [self.sentence() for _ in range(self.rng.randrange(60))]
        given, failed = [], False

        def items():
            yield from sentences
            raise OSError("of the input")

        try:
            for answer in tagger.tag_many(items(), batch_size=16):
                given.append(answer)
        except OSError:
            failed = True
        assert failed
        self.check(sentences, given)

    def fork(self, tagger):
        """A process of the program's own, with the tagger."""
        sentence = self.rng.choice(self.sentences)
        process = multiprocessing.get_context("fork").Process(target=self.in_child, args=(tagger, sentence))
        try:
            process.start()
        except RuntimeError as error:  # another thread forks: filelock refuses, of itself, two at a time
            assert "filelock" in str(error)
            self.counts["fork refused"] += 1
            return
        process.join(30)
        assert process.exitcode == 0, "hangs" if process.is_alive() else process.exitcode
        self.counts["sentences"] += 41

    def in_child(self, tagger, sentence):
        torch.set_num_threads(1)
        self.check([sentence], [tagger.tag_tokens(sentence)])
        self.check([sentence] * 40, list(tagger.tag_many([sentence] * 40, batch_size=8)))

    def run(self, end):
        calls = [self.tag, self.tag_text, self.tag_many, self.predict, self.abandon, self.break_off]
        if sys.platform == "linux":
            calls.append(self.fork)
        weights = [20, 20, 6, 1, 3, 2, 1]
        while time.monotonic() < end:
            name, tagger = self.rng.choice(list(self.taggers.items()))
            call = self.rng.choices(calls, weights[: len(calls)])[0]
            call(tagger)
            self.counts[f"{name}: {call.__name__}"] += 1


@pytest.fixture
def expected(tagger, repository):
    """Tags of some sentences, from one thread."""
    lines = (repository / "fixtures" / "sentences.txt").read_text("utf-8").splitlines()
    words = [answer["words"] for answer in map(tagger.tag, lines)]
    longer = [list(itertools.chain(*each)) for times in (2, 3) for each in itertools.product(words, repeat=times)]
    sentences = [each for each in words + longer if tagger.tag(" ".join(each))["words"] == each]
    return {" ".join(each): tagger.tag_tokens(each)["tags"] for each in sentences}


def test_every_sentence_is_answered_once_and_in_order(archive_path, tagger, expected, monkeypatch, capsys):
    monkeypatch.setattr(tokenizers, "_MOST_WORDS", 2000)  # to start afresh often
    taggers = {
        "one process": NerTagger(tagger._model, tagger._dataset_reader),
        "two processes": roseq_allennlp.load(archive_path, processes=2),
        "bfloat16": roseq_allennlp.load(archive_path, bfloat16=True),
    }
    taggers["one process"]._word_table._max_words = 300
    half = {key: taggers["bfloat16"].tag_tokens(key.split())["tags"] for key in expected}
    expected = {key: tags for key, tags in expected.items() if half[key] == tags}  # near no tie
    assert len(expected) > 30
    sentences = [key.split() for key in expected]
    callers = [Caller(number, taggers, sentences, expected) for number in range(THREADS)]
    errors = []

    def run(caller):
        try:
            caller.run(end)
        except BaseException as error:
            errors.append(error)

    end = time.monotonic() + (SECONDS or 4)
    threads = [threading.Thread(target=run, args=(caller,), daemon=True) for caller in callers]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) and time.monotonic() < end + 60:
        time.sleep(0.05)
    if any(thread.is_alive() for thread in threads):
        with capsys.disabled():
            faulthandler.dump_traceback(all_threads=True)
        pytest.fail("a thread hangs")
    if errors:
        raise errors[0]
    for tagger in taggers.values():
        tagger._pool.close()
    gc.collect()
    assert not multiprocessing.active_children()
    assert torch.backends.mkldnn.enabled
    total = sum((caller.counts for caller in callers), Counter())
    assert total["sentences"] > 100
    if SECONDS:
        Path("runs").mkdir(exist_ok=True)
        with open("runs/fuzz.txt", "a", encoding="utf-8") as file:
            file.writelines(f"threads, {name}: {count}\n" for name, count in sorted(total.items()))
