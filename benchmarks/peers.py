"""AllenNLP's `crf_tagger` and spaCy's small pipeline."""

import random
from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
import spacy
import torch
from allennlp.common import Params
from allennlp.common.util import lazy_groups_of
from allennlp.data import DatasetReader
from allennlp.models import Model
from allennlp.models.archival import load_archive
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import minibatch
from spacy.vectors import Vectors
from spacy.vocab import Vocab

from benchmarks.ours import PASSES_BEFORE_TAGGING, Sentence, Training, cuda_number
from roseq_allennlp.data.tag_schemes import Span as TagSpan
from roseq_allennlp.data.tag_schemes import bioul_to_bioes, from_spans
from roseq_allennlp.data.vector_files import read_vectors


class CrfTagger:
    """AllenNLP's `crf_tagger` out of its archive."""

    def __init__(self, archive: str, device: torch.device) -> None:
        loaded = load_archive(archive, cuda_device=cuda_number(device))
        self._model, self._reader = loaded.model.eval(), loaded.validation_dataset_reader

    def tag(self, sentences: list[list[str]]) -> list[dict[str, Any]]:
        return _forward(self._model, self._reader, sentences)


class CrfTaggerTraining:
    """AllenNLP's `crf_tagger` in training."""

    def __init__(self, device: torch.device, seed: int, corpus: str = "wnut17", vectors: str = "") -> None:
        self._training = Training("crf_tagger", "", device, corpus=corpus, vectors=vectors, seed=seed)
        self._reader = DatasetReader.from_params(Params(self._training.config["dataset_reader"]))

    def train_pass(self) -> None:
        self._training.train_pass()

    def tags(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        answers = _forward(self._training.model.eval(), self._reader, sentences)
        self._training.model.train()
        return [bioul_to_bioes(answer["tags"]) for answer in answers]

    def state(self) -> dict[str, torch.Tensor]:
        return self._training.model.state_dict()

    def load_state(self, state: dict[str, torch.Tensor]) -> None:
        self._training.model.load_state_dict(state)


def _forward(model: Model, reader: DatasetReader, sentences: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """What a predictor does with tokens, less its conversion of the logits into lists."""
    results = []
    for group in lazy_groups_of(sentences, 64):
        instances = [reader.text_to_instance(words) for words in group]
        for instance in instances:
            reader.apply_token_indexers(instance)
        results += model.forward_on_instances(instances)
    return results


class SpacyTagger:
    """
    The architecture of spaCy's small English pipeline, `tok2vec` and `ner` alone, trained here briefly: no trained
    pipeline is on the package index, and its speed does not depend on what the weights are. Runs on the CPU.

    # Parameters

    sentences : `List[Sentence]`
    shared : `bool`
        Whether `ner` listens to `tok2vec`, as in the configs that spaCy proposes and faster, or has an encoder of
        its own besides, as in `en_core_web_sm`.
    seed : `int`
    passes : `int`
        Over the sentences, before it tags.
    vectors : `str`, optional
        A file of word vectors, 100-d, looked up in lower case, which it gets beside its own.
    language : `str`
    """

    def __init__(
        self,
        sentences: list[Sentence],
        shared: bool,
        seed: int = 1,
        passes: int = PASSES_BEFORE_TAGGING,
        vectors: Optional[str] = None,
        language: str = "en",
    ) -> None:
        spacy.util.fix_random_seed(seed)
        self._pipeline = spacy.blank(language)
        if vectors:
            self._pipeline.vocab.vectors = _word_vectors(self._pipeline.vocab, vectors)
        width = 96
        encoder = {
            "@architectures": "spacy.Tok2Vec.v2",
            "embed": {
                "@architectures": "spacy.MultiHashEmbed.v2",
                "width": width,
                "attrs": ["NORM", "PREFIX", "SUFFIX", "SHAPE", "SPACY", "IS_SPACE"],
                "rows": [5000, 1000, 2500, 2500, 50, 50],
                "include_static_vectors": vectors is not None,
            },
            "encode": {
                "@architectures": "spacy.MaxoutWindowEncoder.v2",
                "width": width,
                "depth": 4,
                "window_size": 1,
                "maxout_pieces": 3,
            },
        }
        listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": width, "upstream": "tok2vec"}
        parser = {
            "@architectures": "spacy.TransitionBasedParser.v2",
            "state_type": "ner",
            "extra_state_tokens": False,
            "hidden_width": 64,
            "maxout_pieces": 2,
            "use_upper": True,
            "tok2vec": listener if shared else encoder,
        }
        self._pipeline.add_pipe("tok2vec", config={"model": encoder})
        self._pipeline.add_pipe("ner", config={"model": parser})
        self._examples = [self._example(sentence) for sentence in sentences]
        self._optimizer = self._pipeline.initialize(lambda: self._examples)
        for _ in range(passes):
            self.train_pass()

    def train_pass(self) -> None:
        random.shuffle(self._examples)
        for batch in minibatch(self._examples, 32):
            self._pipeline.update(batch, sgd=self._optimizer, drop=0.1)

    def _example(self, sentence: Sentence) -> Example:
        vocabulary = self._pipeline.vocab
        gold = Doc(vocabulary, words=sentence.words)
        gold.ents = [Span(gold, start, end, label=label) for label, start, end in sentence.entities]
        return Example(Doc(vocabulary, words=sentence.words), gold)

    def tag(self, sentences: list[list[str]]) -> list[Any]:
        documents = (Doc(self._pipeline.vocab, words=words) for words in sentences)
        return [document.ents for document in self._pipeline.pipe(documents)]

    def tags(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        found = self.tag([list(words) for words in sentences])
        return [
            from_spans([TagSpan(span.label_, span.start, span.end) for span in spans], len(words), "IOB2")
            for words, spans in zip(sentences, found, strict=True)
        ]

    def state(self) -> bytes:
        return self._pipeline.to_bytes(exclude=["vocab", "tokenizer"])

    def load_state(self, state: bytes) -> None:
        self._pipeline.from_bytes(state, exclude=["vocab", "tokenizer"])


def _word_vectors(vocabulary: Vocab, file: str) -> Vectors:
    rows = read_vectors(file, 100)
    keys = [vocabulary.strings.add(word) for word in rows]
    return Vectors(strings=vocabulary.strings, data=np.stack(list(rows.values())), keys=keys, attr="LOWER")
