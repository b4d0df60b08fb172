import contextlib
import itertools
import multiprocessing
import reprlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Optional, Union

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import JsonDict, lazy_groups_of
from allennlp.data import Batch, DatasetReader, Instance
from allennlp.models import Model
from allennlp.nn.util import move_to_device
from allennlp.predictors import Predictor

from roseq_allennlp.data.documents import Document
from roseq_allennlp.data.tag_schemes import bioul_to_bioes
from roseq_allennlp.data.word_pieces import PieceIds
from roseq_allennlp.data.word_table import word_table
from roseq_allennlp.models.tagger import Tagger
from roseq_allennlp.modules.token_embedders.char_cnn_highway import longest_words
from roseq_allennlp.nn.bfloat16 import bfloat16_autocast
from roseq_allennlp.predictors.answer import Answer
from roseq_allennlp.predictors.batching import length_buckets, windows
from roseq_allennlp.predictors.described import Described
from roseq_allennlp.predictors.document_answers import document_answer
from roseq_allennlp.predictors.forking import gate
from roseq_allennlp.predictors.probabilities import Probabilities
from roseq_allennlp.predictors.rows import from_json
from roseq_allennlp.predictors.sentences import (
    Sentence,
    Unreadable,
    checked_input,
    has_words_only,
    iterator_of,
    words_of,
)
from roseq_allennlp.predictors.texts import TextSplitter
from roseq_allennlp.predictors.thresholds import MinProbability, apply_thresholds, checked_thresholds
from roseq_allennlp.predictors.white_space import with_white_space
from roseq_allennlp.predictors.word_completion import WordCompletion
from roseq_allennlp.predictors.word_features import word_features
from roseq_allennlp.predictors.worker_pool import WorkerPool

_MAX_TOKENS = {"cpu": 4096, "cuda": 65_536}  # of a batch, padding included
_WINDOW = 2048  # sentences
_WINDOW_SIZE = 2**17  # of what is in them: tokens, or characters of text
_READING = threading.RLock()  # not every indexer bears several threads


@Predictor.register("ner_tagger")
class NerTagger(Described, Probabilities, Predictor):
    """
    Tags text, documents, tokens or column files.

    In: `{"sentence": "…"}`, tokenised by spaCy's rules for the language (no model, no download); `{"text": "…"}`, a
    document, split into sentences besides, by a pipe of spaCy and at blank lines; or `{"tokens": […]}`, tagged as they are,
    white space as `O`. A `text` beside one of the others is not looked at. Out, for each: `words`; `tags`, in BIOES;
    `entities`, each with `text`, `label`, `start` and `end` (characters of the input, end exclusive; of the tokens joined by
    single spaces where tokens came in), `start_token` and `end_token` (exclusive), and `probability`, that of the whole
    span. A model with `top_k` above 1 adds `top_k_tags`. A document's answer has `sentences`, each with its `start`, `end`,
    `start_token` and `end_token`, and its `top_k_tags`; no entity is in two sentences. Input that cannot be tagged gives
    `{"error": "…"}` in its place; text without a word gives no words and no entities.

    Sentences are sorted by length (in pieces, where an encoder reads them) into batches, as many of them at a time as are
    given: `allennlp predict` gives `--batch-size` of them, 1 unless it is set, and is many times faster with some thousands.
    Answers come in the order of input and do not depend on the batch beyond the rounding of probabilities.

    Several threads may use one tagger, and the program may be forked meanwhile: a fork waits for the batches in hand.

    # Parameters

    model : `Model`
        A `label_aware_crf_tagger`.
    dataset_reader : `DatasetReader`
    language : `str`, optional
        spaCy's code, such as `nl`; by default the reader's `language`.
    processes : `int`, optional (default = `1`)
        Above 1, that many processes of one thread each share the work where thousands of sentences come at once, of all
        threads that bring them. They tag with the model as it is when the first of them is needed. On the CPU only, and
        not in a process that may have none of its own (a `daemon` of `multiprocessing`), which does the work itself.
    bfloat16 : `bool`, optional (default = `False`)
        Compute the forward pass up to the emissions in bfloat16 where PyTorch's autocast does so. Faster where the
        hardware computes in bfloat16, slower elsewhere; near ties between tags may fall otherwise.
    sentence_pipe : `str`, optional (default = `"sentencizer"`)
        Name of the spaCy pipe that ends the sentences of a document: one of spaCy's that needs no trained model, or your
        own (`@Language.component`).
    encoder : `str`, optional
        The pretrained encoder, a directory or a name on the Hugging Face Hub, that `roseq vectors` made the tagger's
        fixed word vectors with: words first met in tagging get theirs from it, see `WordCompletion`.

    # Raises

    `ConfigurationError` for a language or pipe that spaCy does not know, for `processes` below 1, and for several of them
    with a model on a GPU; with the first text, where the language needs a package that is not installed.
    """

    def __init__(
        self,
        model: Model,
        dataset_reader: DatasetReader,
        language: Optional[str] = None,
        processes: int = 1,
        bfloat16: bool = False,
        sentence_pipe: str = "sentencizer",
        encoder: Optional[str] = None,
    ) -> None:
        super().__init__(model, dataset_reader)
        if processes < 1:
            raise ConfigurationError(f"`processes` must be at least 1, got {processes}.")
        if processes > 1 and self.cuda_device >= 0:
            raise ConfigurationError(
                f"`processes` is {processes}, but the model is on GPU {self.cuda_device}, which one process keeps busy:"
                " set it to 1, or load the model onto the CPU."
            )
        language = language if language is not None else getattr(dataset_reader, "language", "xx")
        self._splitter = TextSplitter(language, sentence_pipe)
        self._bfloat16 = bfloat16
        self._processes = processes
        self._pool = WorkerPool(self._tag_window, processes)  # of all threads that use the tagger
        self._word_table = word_table(dataset_reader, model.vocab, longest_words(model))
        self._completion = None if encoder is None else WordCompletion(model, dataset_reader, encoder)
        # A completion changes the ids and vectors of words met before.
        self._word_features = word_features(model, self._word_table) if self._completion is None else None
        labels = list(model.vocab.get_token_to_index_vocabulary(getattr(model, "label_namespace", "labels")))
        self._bioes = dict(zip(labels, bioul_to_bioes(labels), strict=True))

    def tag(self, text: str, min_probability: MinProbability = None, review: bool = False) -> Answer:
        """
        Tags one text.

        # Parameters

        text : `str`
        min_probability : `Union[float, Mapping[str, float], str]`, optional
            Entities below it are left out, and their tags are `O`: a number, numbers by type, or `"calibrated"`, those that
            `roseq calibrate --target-precision` has kept in the archive.
        review : `bool`, optional (default = `False`)
            Mark them by `review: true` instead.

        # Raises

        `ValueError` if the text is no `str`; for a number that is not from 0 to 1, a type that the tagger lacks, and an
        archive without thresholds.
        """
        return self._one({"sentence": text}, min_probability, review)

    def tag_document(self, text: str, min_probability: MinProbability = None, review: bool = False) -> Answer:
        """Tags one text sentence by sentence, see `tag`."""
        return self._one({"text": text}, min_probability, review)

    def tag_tokens(self, tokens: Sequence[str], min_probability: MinProbability = None, review: bool = False) -> Answer:
        """Tags one sentence of tokens, see `tag`. Raises `ValueError` if they are not all non-empty `str`."""
        words = list(iterator_of(tokens, "tag_tokens takes a list of strings"))
        return self._one({"tokens": words}, min_probability, review)

    def thresholds(self, min_probability: MinProbability) -> Optional[dict[str, float]]:
        """Returns the least probability by type that `min_probability` stands for, see `tag`; `None` for `None`."""
        return checked_thresholds(min_probability, self.labels, getattr(self._model, "thresholds", {}))

    def _one(self, item: JsonDict, min_probability: MinProbability, review: bool) -> Answer:
        least = self.thresholds(min_probability)
        return _answer_or_raise(apply_thresholds(self.predict_json(item), least, review))

    def tag_many(
        self,
        sentences: Iterable[Union[str, Sequence[str]]],
        batch_size: int = _WINDOW,
        min_probability: MinProbability = None,
        review: bool = False,
    ) -> Iterator[JsonDict]:
        """
        Tags texts, or lists of tokens, in the order they come. The input may be endless. What cannot be tagged gives an
        `error` in its place. An exception of the input comes after the answers to what was read before it.

        # Parameters

        sentences : `Iterable[Union[str, Sequence[str]]]`
        batch_size : `int`, optional (default = `2048`)
            Sentences read ahead, fewer where they are long. They are sorted by length into the model's batches, so more
            of them are faster and fewer answer sooner. With several processes each has up to two times as many.
        min_probability, review : optional
            See `tag`.

        # Raises

        `ValueError` as `tag`, for what is no collection of texts, such as a single one, and for `batch_size` below 1;
        `RuntimeError` if one of several processes dies, in each thread that waits for their answers.
        """
        iterator = iterator_of(sentences, "tag_many takes many texts or lists of tokens; use tag for one")
        if not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {reprlib.repr(batch_size)}")
        least = self.thresholds(min_probability)
        groups = (
            [{"sentence" if item is None or isinstance(item, str) else "tokens": item} for item in window]
            for window in windows(iterator, batch_size, _WINDOW_SIZE)
        )
        answers = self._tag_windows(groups)
        return (apply_thresholds(answer, least, review) for window in answers for answer in window)  # can be closed

    def tag_batches(self, batches: Iterable[list[JsonDict]]) -> Iterator[list[JsonDict]]:
        """
        The answers of `predict_batch_json` to each of many batches, which several processes share. As many of them are
        taken ahead as the processes need, none by one process.
        """
        return self._tag_windows(iter(batches))

    def load_line(self, line: str) -> JsonDict:
        return from_json(line)

    def predict_json(self, inputs: JsonDict) -> JsonDict:
        return self.predict_batch_json([inputs])[0]

    def predict_batch_json(self, inputs: list[JsonDict]) -> list[JsonDict]:
        return self._tag_list(list(iterator_of(inputs, "predict_batch_json takes a list of inputs")))

    def predict_instance(self, instance: Instance) -> JsonDict:
        return self.predict_batch_instance([instance])[0]

    def predict_batch_instance(self, instances: list[Instance]) -> list[JsonDict]:
        sentences = [Sentence(words_of(instance)) for instance in instances]
        if self._word_table is not None and all(map(has_words_only, instances)):
            return self._tag_list(sentences)
        return self._tag_sentences(sentences, instances)

    def _tag_list(self, items: Sequence[Union[JsonDict, Sentence]]) -> list[JsonDict]:
        share = len(items)
        if self._processes > 1:  # too little is not worth the way to another process
            share = min(max(-(-len(items) // self._processes), _WINDOW // 8), _WINDOW)
        windows = lazy_groups_of(items, max(share, 1))
        return list(itertools.chain.from_iterable(self._tag_windows(windows, keep=True)))

    def _tag_windows(self, windows: Iterator[list[Any]], keep: bool = False) -> Iterator[list[JsonDict]]:
        """Tags more than one window in the processes, which with `keep` stay for the next call."""
        windows = ([checked_input(item) for item in window] for window in windows)
        if self._processes == 1 or multiprocessing.current_process().daemon:
            yield from map(self._tag_window, windows)
            return
        for first in windows:
            try:
                second = next(windows, None)
            except Exception:
                yield self._tag_window(first)
                raise
            if second is None:
                yield self._tag_window(first)
            else:
                yield from self._pool.map(itertools.chain([first, second], windows), keep)

    def _json_to_instance(self, json_dict: JsonDict) -> Instance:
        checked = checked_input(json_dict)
        if isinstance(checked, Unreadable):
            raise ValueError(checked["error"])
        words = [word for sentence in self._sentences(checked) for word in sentence.seen()]
        return self._dataset_reader.text_to_instance(words)

    def _sentences(self, checked: Union[str, Document, Sentence]) -> list[Sentence]:
        """Raises `ValueError` for what is not a text, such as half a character."""
        return [checked] if isinstance(checked, Sentence) else self._splitter.sentences(checked)

    def _tag_window(self, items: list[Union[str, Document, Sentence, Unreadable]]) -> list[JsonDict]:
        errors: dict[int, JsonDict] = {}  # by index in the input
        sentences: dict[int, list[Sentence]] = {}
        for index, item in enumerate(items):
            if isinstance(item, Unreadable):
                errors[index] = dict(item)
                continue
            try:
                sentences[index] = self._sentences(item)
            except ValueError as error:
                errors[index] = {"error": str(error)}
        tagged = iter(self._tag_sentences(list(itertools.chain.from_iterable(sentences.values()))))
        answers = []
        for index, item in enumerate(items):
            if index in errors:
                answers.append(errors[index])
                continue
            parts = list(itertools.islice(tagged, len(sentences[index])))
            answers.append(document_answer(sentences[index], parts) if isinstance(item, Document) else parts[0])
        return answers

    def _tag_sentences(self, sentences: list[Sentence], instances: Optional[list[Instance]] = None) -> list[JsonDict]:
        """Answers to `sentences`; `instances`, if given, are what the model sees of them."""
        seen = [sentence.seen() for sentence in sentences]
        empty: JsonDict = {"tags": [], "entities": []}  # of sentences without a word
        answers = [{} if words else self._answer(sentences[index], empty) for index, words in enumerate(seen)]
        for index, output in self._in_batches(seen, self._tag_batch, instances):
            answers[index] = self._answer(sentences[index], output)
        return answers

    def _in_batches(
        self,
        seen: Sequence[list[str]],
        compute: Callable[[dict[str, Any], torch.device], dict[str, Any]],
        instances: Optional[list[Instance]] = None,
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """
        What `compute` gives for batches of sentences of similar length, lists by name: the index of each sentence, with its
        entries. Those without a word are left out.
        """
        device = next(self._model.parameters()).device
        chosen = [index for index, words in enumerate(seen) if words]
        sentences_of_words = [seen[index] for index in chosen]
        pieces = None
        if instances is None and self._word_table is not None:
            with gate.inside():
                pieces = self._word_table.pieces(sentences_of_words)
        lengths = None if pieces is None else [len(sentence.ids) for sentence in pieces]
        for batch in length_buckets(sentences_of_words, _MAX_TOKENS.get(device.type, 4096), lengths=lengths):
            indices = [chosen[position] for position in batch]
            of_batch = None if pieces is None else [pieces[position] for position in batch]
            with gate.inside():
                inputs = self._inputs(
                    [sentences_of_words[position] for position in batch], indices, instances, of_batch, device
                )
                output = compute(inputs, device)
            for row, index in enumerate(indices):
                yield index, {name: values[row] for name, values in output.items()}

    def _inputs(
        self,
        words: list[list[str]],
        indices: list[int],
        instances: Optional[list[Instance]],
        pieces: Optional[list[PieceIds]],
        device: torch.device,
    ) -> dict[str, Any]:
        """A batch of `words`, or of the `instances` with these indices, for the model."""
        if self._completion is not None:
            self._completion.add(word for sentence in words for word in sentence)
        if instances is None and self._word_table is not None:
            tokens = None
            if self._word_features is not None:
                with self._precision(device):
                    tokens = self._word_features.tensors(words)
            if tokens is None:
                tokens = move_to_device(self._word_table.tensors(words, pieces), device)
            return {"tokens": tokens, "metadata": [{"words": sentence} for sentence in words]}
        with _READING:
            if instances is None:
                chosen = [self._dataset_reader.text_to_instance(sentence) for sentence in words]
            else:
                chosen = [instances[index] for index in indices]
            for instance in chosen:
                self._dataset_reader.apply_token_indexers(instance)
            batch = Batch(chosen)
            batch.index_instances(self._model.vocab)
            inputs = move_to_device(batch.as_tensor_dict(), device)
        if isinstance(self._model, Tagger):  # a reader of the user's may leave the words out
            inputs.setdefault("metadata", [{"words": sentence} for sentence in words])
        return inputs

    def _tag_batch(self, inputs: dict[str, Any], device: torch.device) -> dict[str, Any]:
        """`tags`, `entities` and, with `top_k` above 1, `top_k_tags`: lists with an entry for each sentence."""
        with torch.inference_mode():
            output = self._model.make_output_human_readable(self._forward(inputs, device))
        return {name: output[name] for name in ("tags", "entities", "top_k_tags") if name in output}

    def _forward(self, inputs: dict[str, Any], device: torch.device) -> dict[str, Any]:
        with self._precision(device):
            output: dict[str, Any] = self._model(**inputs)
        return output

    def _precision(self, device: torch.device) -> contextlib.AbstractContextManager[None]:
        return bfloat16_autocast(device) if self._bfloat16 else contextlib.nullcontext()

    def _answer(self, sentence: Sentence, output: dict[str, Any]) -> JsonDict:
        if sentence.visible is not None:
            output = with_white_space(output, sentence.visible, len(sentence.words))
        answer: JsonDict = {"words": sentence.words, "tags": self._in_bioes(output["tags"]), "entities": []}
        if output["entities"]:
            text, starts = sentence.placed()
            for entity in output["entities"]:
                last = entity["end_token"] - 1
                start, end = starts[entity["start_token"]], starts[last] + len(sentence.words[last])
                in_text = {"text": text[start:end], "label": entity["label"], "start": start, "end": end}
                answer["entities"].append({**in_text, **entity})
        if "top_k_tags" in output:
            answer["top_k_tags"] = [{**path, "tags": self._in_bioes(path["tags"])} for path in output["top_k_tags"]]
        return answer

    def _in_bioes(self, tags: list[str]) -> list[str]:
        return list(map(self._bioes.__getitem__, tags))


def _answer_or_raise(answer: JsonDict) -> Answer:
    if "error" in answer:
        raise ValueError(answer["error"])
    return Answer(answer)
