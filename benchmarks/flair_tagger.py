"""Flair's BiLSTM-CRF."""

import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import flair
import numpy as np
import torch
from flair.data import Corpus, Dictionary
from flair.data import Sentence as FlairSentence
from flair.datasets import FlairDatapointDataset
from flair.embeddings import CharacterEmbeddings, StackedEmbeddings, WordEmbeddings
from flair.models import SequenceTagger
from flair.trainers import ModelTrainer
from flair.trainers.plugins import TrainerPlugin, TrainingInterrupt

from benchmarks.measure import synchronise
from benchmarks.ours import PASSES_BEFORE_TAGGING, VECTORS, Sentence
from roseq_allennlp.data.tag_schemes import Span, from_spans
from roseq_allennlp.data.vector_files import read_vectors


class FlairTagger:
    """
    Flair's BiLSTM-CRF over fixed word vectors and a character LSTM of 30 a direction, 60-d. Its own `ModelTrainer`
    trains it, keeping the word vectors of the data in memory as it does by default.
    """

    def __init__(self, sentences: list[Sentence], device: torch.device, seed: int = 1, vectors: str = VECTORS) -> None:
        flair.device = device
        flair.set_seed(seed)
        self._device = device
        characters, types = Dictionary(), Dictionary(add_unk=False)
        types.span_labels = True
        data = []
        for words, entities in sentences:
            sentence = FlairSentence(words)
            for label, start, end in entities:
                sentence[start:end].add_label("ner", label)
                types.add_item(label)
            for character in "".join(words):
                characters.add_item(character)
            data.append(sentence)
        self._corpus = Corpus(train=FlairDatapointDataset(data), sample_missing_splits=False)
        embeddings = StackedEmbeddings(
            [_word_vectors(vectors), CharacterEmbeddings(characters, char_embedding_dim=30, hidden_size_char=30)]
        )
        self._tagger = SequenceTagger(
            embeddings, types, "ner", hidden_size=100, rnn_layers=1, use_crf=True, reproject_embeddings=False
        )
        self._passes = 0

    def train_pass(self) -> float:
        """One epoch of `ModelTrainer`, without what it does before and after it. Returns its seconds."""
        watch = _EpochClock(self._device)
        self._train(1, watch)
        self._passes += 1
        return watch.seconds

    def train(self, epochs: int, look: Callable[[int], bool]) -> None:
        """Trains epochs until `look`, which gets the number of each when it is over, says that it is enough."""
        self._train(epochs, _Look(look))

    def _train(self, epochs: int, plugin: TrainerPlugin) -> None:
        with tempfile.TemporaryDirectory() as directory:
            ModelTrainer(self._tagger, self._corpus).train_custom(
                directory,
                learning_rate=0.001,
                mini_batch_size=16,
                max_epochs=epochs,
                optimizer=torch.optim.Adam,
                train_with_dev=True,
                max_grad_norm=5.0,
                save_final_model=False,
                create_file_logs=False,
                create_loss_file=False,
                plugins=[plugin],
            )

    def prepare_to_tag(self) -> None:
        while self._passes < PASSES_BEFORE_TAGGING:
            self.train_pass()
        self._tagger.eval()

    def tag(self, sentences: list[list[str]], batch_size: int) -> list[Any]:
        tagged = [FlairSentence(words) for words in sentences]
        self._tagger.predict(tagged, mini_batch_size=batch_size)
        return [sentence.get_spans("ner") for sentence in tagged]

    def tags(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        training = self._tagger.training
        self._tagger.eval()
        found = self.tag([list(words) for words in sentences], 32)
        self._tagger.train(training)
        return [
            from_spans([Span(span.tag, span[0].idx - 1, span[-1].idx) for span in spans], len(words), "IOB2")
            for words, spans in zip(sentences, found, strict=True)
        ]

    def state(self) -> dict[str, torch.Tensor]:
        return self._tagger.state_dict()

    def load_state(self, state: dict[str, torch.Tensor]) -> None:
        self._tagger.load_state_dict(state)


class _EpochClock(TrainerPlugin):
    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._device = device
        self.seconds = 0.0

    @TrainerPlugin.hook
    def before_training_epoch(self, **kwargs: Any) -> None:
        synchronise(self._device)
        self.seconds = -time.perf_counter()

    @TrainerPlugin.hook
    def after_training_epoch(self, **kwargs: Any) -> None:
        synchronise(self._device)
        self.seconds += time.perf_counter()


class _Look(TrainerPlugin):
    def __init__(self, look: Callable[[int], bool]) -> None:
        super().__init__()
        self._look = look

    @TrainerPlugin.hook
    def after_training_epoch(self, epoch: int, **kwargs: Any) -> None:
        if not self._look(epoch - 1):
            raise TrainingInterrupt("the development F1 has not risen")


def _word_vectors(file: str) -> WordEmbeddings:
    """The vectors of the other systems, 100-d. Flair reads files by gensim only, so they are put in place."""
    rows = read_vectors(file, 100)
    vocabulary = {word: number for number, word in enumerate(rows)}
    embeddings = WordEmbeddings(embeddings=None, vocab=vocabulary, embedding_length=100, name="vectors")
    with torch.no_grad():
        embeddings.embedding.weight[: len(rows)] = torch.tensor(np.stack(list(rows.values())))
    return embeddings
