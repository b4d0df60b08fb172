"""The other systems: AllenNLP's `crf_tagger`, Flair's BiLSTM-CRF and spaCy's small pipeline."""

import random
import tempfile
import time
from typing import Any

import allennlp_models.tagging  # noqa: F401  (registers crf_tagger)
import flair
import spacy
import torch
from allennlp.common.file_utils import cached_path
from allennlp.common.util import lazy_groups_of
from allennlp.models.archival import load_archive
from flair.data import Corpus, Dictionary
from flair.data import Sentence as FlairSentence
from flair.datasets import FlairDatapointDataset
from flair.embeddings import CharacterEmbeddings, StackedEmbeddings, WordEmbeddings
from flair.models import SequenceTagger
from flair.trainers import ModelTrainer
from flair.trainers.plugins import TrainerPlugin
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import minibatch

from benchmarks.measure import synchronise
from benchmarks.ours import PASSES_BEFORE_TAGGING, Sentence, cuda_number

VECTORS = "corpus://glove-6b-100d/vectors.txt"


class CrfTagger:
    """AllenNLP's `crf_tagger` out of its archive."""

    def __init__(self, archive: str, device: torch.device) -> None:
        loaded = load_archive(archive, cuda_device=cuda_number(device))
        self._model, self._reader = loaded.model.eval(), loaded.validation_dataset_reader

    def tag(self, sentences: list[list[str]]) -> list[dict[str, Any]]:
        # What a predictor does with tokens, less its conversion of the logits into lists.
        results = []
        for group in lazy_groups_of(sentences, 64):
            instances = [self._reader.text_to_instance(words) for words in group]
            for instance in instances:
                self._reader.apply_token_indexers(instance)
            results += self._model.forward_on_instances(instances)
        return results


class FlairTagger:
    """
    Flair's BiLSTM-CRF over fixed word vectors and a character LSTM of 30 a direction, 60-d. Its own `ModelTrainer`
    trains it, keeping the word vectors of the data in memory as it does by default.
    """

    def __init__(self, sentences: list[Sentence], device: torch.device) -> None:
        flair.device = device
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
            [_word_vectors(), CharacterEmbeddings(characters, char_embedding_dim=30, hidden_size_char=30)]
        )
        self._tagger = SequenceTagger(
            embeddings, types, "ner", hidden_size=100, rnn_layers=1, use_crf=True, reproject_embeddings=False
        )
        self._passes = 0

    def train_pass(self) -> float:
        """One epoch of `ModelTrainer`, without what it does before and after it. Returns its seconds."""
        watch = _EpochClock(self._device)
        with tempfile.TemporaryDirectory() as directory:
            ModelTrainer(self._tagger, self._corpus).train_custom(
                directory,
                learning_rate=0.001,
                mini_batch_size=16,
                max_epochs=1,
                optimizer=torch.optim.Adam,
                train_with_dev=True,
                max_grad_norm=5.0,
                save_final_model=False,
                create_file_logs=False,
                create_loss_file=False,
                plugins=[watch],
            )
        self._passes += 1
        return watch.seconds

    def prepare_to_tag(self) -> None:
        while self._passes < PASSES_BEFORE_TAGGING:
            self.train_pass()
        self._tagger.eval()

    def tag(self, sentences: list[list[str]], batch_size: int) -> list[Any]:
        tagged = [FlairSentence(words) for words in sentences]
        self._tagger.predict(tagged, mini_batch_size=batch_size)
        return [sentence.get_spans("ner") for sentence in tagged]


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


def _word_vectors() -> WordEmbeddings:
    """The vectors of the other systems. Flair reads files by gensim only, so they are put in place."""
    vocabulary: dict[str, int] = {}
    rows: list[list[float]] = []
    with open(cached_path(VECTORS), encoding="utf-8") as file:
        for line in file:
            word, *values = line.rstrip("\n").split(" ")
            vocabulary[word] = len(rows)
            rows.append([float(value) for value in values])
    embeddings = WordEmbeddings(embeddings=None, vocab=vocabulary, embedding_length=len(rows[0]), name="glove")
    with torch.no_grad():
        embeddings.embedding.weight[: len(rows)] = torch.tensor(rows)
    return embeddings


class SpacyTagger:
    """
    The architecture of spaCy's small English pipeline, `tok2vec` and `ner` alone, trained here briefly: no trained
    pipeline is on the package index, and its speed does not depend on what the weights are. Runs on the CPU.

    # Parameters

    sentences : `List[Sentence]`
    shared : `bool`
        Whether `ner` listens to `tok2vec`, as in the configs that spaCy proposes and faster, or has an encoder of
        its own besides, as in `en_core_web_sm`.
    """

    def __init__(self, sentences: list[Sentence], shared: bool) -> None:
        spacy.util.fix_random_seed(1)
        self._pipeline = spacy.blank("en")
        width = 96
        encoder = {
            "@architectures": "spacy.Tok2Vec.v2",
            "embed": {
                "@architectures": "spacy.MultiHashEmbed.v2",
                "width": width,
                "attrs": ["NORM", "PREFIX", "SUFFIX", "SHAPE", "SPACY", "IS_SPACE"],
                "rows": [5000, 1000, 2500, 2500, 50, 50],
                "include_static_vectors": False,
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
        examples = [self._example(sentence) for sentence in sentences]
        optimizer = self._pipeline.initialize(lambda: examples)
        for _ in range(PASSES_BEFORE_TAGGING):
            random.shuffle(examples)
            for batch in minibatch(examples, 32):
                self._pipeline.update(batch, sgd=optimizer, drop=0.1)

    def _example(self, sentence: Sentence) -> Example:
        vocabulary = self._pipeline.vocab
        gold = Doc(vocabulary, words=sentence.words)
        gold.ents = [Span(gold, start, end, label=label) for label, start, end in sentence.entities]
        return Example(Doc(vocabulary, words=sentence.words), gold)

    def tag(self, sentences: list[list[str]]) -> list[Any]:
        documents = (Doc(self._pipeline.vocab, words=words) for words in sentences)
        return [document.ents for document in self._pipeline.pipe(documents)]
