"""
The pipe `roseq` of spaCy beside `tag_many` of the same tagger, and both beside spaCy's `ner`, in turn on one thread:
`python -m benchmarks.spacy_pipe model.tar.gz corpus://wnut17/test`. With `--agree` it tags each sentence as a text, by the pipe
and by `tag_many`, every twentieth by `tag` too, and counts those in which they differ.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import spacy
import torch
from allennlp.data import Instance
from spacy.tokens import Doc

import roseq_allennlp
from benchmarks.ours import Sentence
from benchmarks.peers import SpacyTagger
from roseq_allennlp.data.tag_schemes import to_spans
from roseq_allennlp.models.archive import load_archive
from roseq_allennlp.predictors import NerTagger


def pipeline(tagger: NerTagger, *pipes: str) -> spacy.Language:
    """Its texts are split as the tagger splits them."""
    nlp = spacy.blank(tagger.description.language)
    for name in pipes:
        nlp.add_pipe(name)
    nlp.add_pipe("roseq", config={"archive": str(tagger.source)})
    return nlp


def labelled(archive: str, data: str) -> Iterator[Sentence]:
    instance: Instance
    for instance in load_archive(archive).validation_dataset_reader.read(data):
        spans = to_spans(instance["tags"].labels, "BIOUL")
        yield Sentence(list(instance["metadata"]["words"]), [(span.label, span.start, span.end) for span in spans])


def disagreements(tagger: NerTagger, sentences: list[list[str]]) -> tuple[int, int]:
    """Prints what differs; returns how many sentences do, and how many entities there are."""
    texts = [" ".join(words) for words in sentences]
    differ = entities = 0
    for number, (doc, answer) in enumerate(zip(pipeline(tagger).pipe(texts), tagger.tag_many(texts), strict=True)):
        given = [(span.start_char, span.end_char, span.label_) for span in doc.ents]
        entities += len(given)
        for other in [answer] if number % 20 else [answer, tagger.tag(doc.text)]:
            expected = [(e["start"], e["end"], e["label"]) for e in other["entities"]]
            if given != expected:
                differ += 1
                print(doc.text, expected, given, sep="\n  ", flush=True)
    return differ, entities


def rates(systems: dict[str, Callable[[], Any]], words: int, repeats: int) -> None:
    """Words a CPU second: other work on the machine counts little."""
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    for turn in range(repeats + 1):
        for name, work in systems.items():
            start = time.process_time()
            work()
            if turn:  # the first warms up
                seconds[name].append(time.process_time() - start)
    first = statistics.median(next(iter(seconds.values())))
    for name, values in seconds.items():
        median = statistics.median(values)
        spread = f"{words / max(values):.0f} to {words / min(values):.0f}"
        print(f"{name:32} {words / median:8.0f} words/s ({spread}), {median / first:.2f} times the first", flush=True)


def compare(tagger: NerTagger, data: str, sentences: list[Sentence], repeats: int) -> None:
    nlp, with_sentences = pipeline(tagger), pipeline(tagger, "sentencizer")
    tokens = [sentence.words for sentence in sentences]
    texts = [" ".join(words) for words in tokens]
    ner = SpacyTagger(sentences, shared=True, passes=3)
    words = sum(map(len, tokens))
    print(f"{data}: {len(tokens)} sentences, {words} words")
    systems = {
        "tag_many, tokens": lambda: list(tagger.tag_many(tokens)),
        "pipe roseq, tokens": lambda: [doc.ents for doc in nlp.pipe(Doc(nlp.vocab, words) for words in tokens)],
        "spaCy's ner, tokens": lambda: ner.tag(tokens),
    }
    rates(systems, words, repeats)
    systems = {
        "tag_many, texts": lambda: list(tagger.tag_many(texts)),
        "pipe roseq, texts": lambda: [doc.ents for doc in nlp.pipe(texts)],
        "pipes sentencizer, roseq, texts": lambda: [doc.ents for doc in with_sentences.pipe(texts)],
    }
    rates(systems, words, repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive")
    parser.add_argument("data", nargs="+")
    parser.add_argument("--agree", action="store_true")
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(1)
    tagger = roseq_allennlp.load(args.archive)
    if args.agree:
        wrong = 0
        for data in args.data:
            sentences = [sentence.words for sentence in labelled(args.archive, data)]
            differ, entities = disagreements(tagger, sentences)
            wrong += differ
            print(f"{data}: {differ} of {len(sentences)} sentences differ, {entities} entities", flush=True)
        sys.exit(bool(wrong))
    for data in args.data:
        compare(tagger, data, list(labelled(args.archive, data)), args.repeats)


if __name__ == "__main__":
    main()
