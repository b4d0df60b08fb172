"""The token classifier of `transformers`: its model, collator, `Trainer` and pipeline, over the words of a sentence."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Optional

import torch
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    pipeline,
    set_seed,
)

from benchmarks.measure import synchronise
from benchmarks.ours import Sentence
from roseq_allennlp.data.tag_schemes import Span, from_spans

_IGNORED = -100  # no label: of a word's further pieces


class TokenClassifier:
    """
    An encoder with one linear layer, for IOB2 tags at the first piece of each word, as the examples of `transformers` have
    it. What is beyond the encoder's length is cut off.

    # Parameters

    encoder : `str`
        A name of the Hugging Face hub, or a folder.
    sentences : `Sequence[Sentence]`
        To be trained on.
    types : `Sequence[str]`
        Entity types.
    device : `torch.device`
    seed : `int`
    options
        Of `TrainingArguments`; by default nothing is logged, evaluated or saved.
    """

    def __init__(
        self,
        encoder: str,
        sentences: Sequence[Sentence],
        types: Sequence[str],
        device: torch.device,
        seed: int = 1,
        **options: Any,
    ) -> None:
        self.epochs = 0  # that it was trained
        self._device = device
        self._labels = ["O", *(f"{prefix}-{label}" for label in types for prefix in "BI")]
        numbers = {label: number for number, label in enumerate(self._labels)}
        set_seed(seed)
        self._tokenizer = AutoTokenizer.from_pretrained(encoder, use_fast=True)
        self._model = AutoModelForTokenClassification.from_pretrained(
            encoder, num_labels=len(self._labels), id2label=dict(enumerate(self._labels)), label2id=numbers
        )
        self._max_length = min(self._tokenizer.model_max_length, 512)
        rows = []
        for words, entities in sentences:
            spans = [Span(*entity) for entity in entities]
            tags = [numbers[tag] for tag in from_spans(spans, len(words), "IOB2")]
            row = self._pieces(words)
            row["labels"] = [_IGNORED if word is None else tags[word] for word in _first_pieces(row)]
            rows.append(row.data)
        self._directory = tempfile.TemporaryDirectory()
        arguments = TrainingArguments(
            self._directory.name,
            seed=seed,
            use_cpu=device.type == "cpu",
            **{"save_strategy": "no", "logging_strategy": "no", "report_to": "none", "disable_tqdm": True, **options},
        )
        self._watch = _EpochClock(device)
        self._trainer = Trainer(
            self._model,
            arguments,
            DataCollatorForTokenClassification(self._tokenizer),
            rows,
            tokenizer=self._tokenizer,
            callbacks=[self._watch],
        )
        self._trainer.remove_callback(PrinterCallback)

    def train(self, after_epoch: Optional[Callable[[int], None]] = None) -> float:
        """Trains all epochs, and calls `after_epoch` with the number of each. Returns their seconds, without those calls."""
        self._watch.seconds, self._watch.after_epoch = 0.0, after_epoch
        self._trainer.train()
        self.epochs += round(self._trainer.state.epoch)
        return self._watch.seconds

    def state(self) -> dict[str, torch.Tensor]:
        """A copy of the weights."""
        return {name: tensor.clone() for name, tensor in self._model.state_dict().items()}

    def load_state(self, state: dict[str, torch.Tensor]) -> None:
        self._model.load_state_dict(state)

    def tags(self, sentences: Sequence[Sequence[str]], batch_size: int = 32) -> list[list[str]]:
        """IOB2 tags of sentences of words: the best label of each first piece, and `O` where a word was cut off."""
        training = self._model.training
        self._model.eval()
        result: list[list[str]] = [["O"] * len(words) for words in sentences]
        order = sorted(range(len(sentences)), key=lambda index: len(sentences[index]))
        for start in range(0, len(order), batch_size):
            indices = order[start : start + batch_size]
            rows = [self._pieces(sentences[index]) for index in indices]
            batch = self._tokenizer.pad([row.data for row in rows], return_tensors="pt").to(self._device)
            with torch.inference_mode():
                best = self._model(**batch).logits.argmax(2).tolist()
            for index, row, numbers in zip(indices, rows, best, strict=True):
                for word, number in zip(_first_pieces(row), numbers, strict=False):
                    if word is not None:
                        result[index][word] = self._labels[number]
        self._model.train(training)
        return result

    def save(self) -> str:
        """Writes model and tokeniser, and returns their folder."""
        self._trainer.save_model()
        return self._directory.name

    def _pieces(self, words: Sequence[str]) -> Any:
        return self._tokenizer(list(words), is_split_into_words=True, truncation=True, max_length=self._max_length)


def entity_pipeline(folder: str, device: torch.device) -> Any:
    """From texts to entities, as a user of `transformers` has it."""
    return pipeline("token-classification", folder, device=device, aggregation_strategy="simple")


def _first_pieces(row: Any) -> Iterator[Optional[int]]:
    """For each piece the word that it begins, or `None`."""
    before = None
    for word in row.word_ids():
        yield word if word != before else None
        before = word


class _EpochClock(TrainerCallback):
    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.seconds = 0.0
        self.after_epoch: Optional[Callable[[int], None]] = None

    def on_epoch_begin(self, *args: Any, **kwargs: Any) -> None:
        synchronise(self._device)
        self.seconds -= time.perf_counter()

    def on_epoch_end(self, args: Any, state: Any, *others: Any, **kwargs: Any) -> None:
        synchronise(self._device)
        self.seconds += time.perf_counter()
        if self.after_epoch is not None:
            self.after_epoch(round(state.epoch) - 1)
