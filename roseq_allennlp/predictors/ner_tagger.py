import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Optional, Union

import spacy
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import JsonDict, lazy_groups_of
from allennlp.data import DatasetReader, Instance
from allennlp.data.fields import MetadataField
from allennlp.models import Model
from allennlp.predictors import Predictor

from roseq_allennlp.data.tag_schemes import bioul_to_bioes


class UnreadableLine(dict[str, Any]):
    """A line of input that is no JSON; holds the reason until its turn in the output comes."""


class Sentence(NamedTuple):
    """Words and where each stands in `text`, `[start, end)` in characters (Unicode code points)."""

    text: str
    words: list[str]
    offsets: list[tuple[int, int]]


@Predictor.register("ner_tagger")
class NerTagger(Predictor):
    """
    Tags text, tokens or column files.

    In: `{"sentence": "…"}`, tokenised by spaCy's rules for the language (no model, no download), or `{"tokens": […]}`,
    tagged as they are. Out, for each: `words`; `tags`, in BIOES; `entities`, each with `text`, `label`, `start` and
    `end` (characters of the input, end exclusive; of the tokens joined by single spaces where tokens came in),
    `start_token` and `end_token` (exclusive), and `probability`, that of the whole span. A model with `top_k` above 1
    adds `top_k_tags`. Input that cannot be tagged gives `{"error": "…"}` in its place; text without a word gives
    no words and no entities.

    # Parameters

    model : `Model`
        A `label_aware_crf_tagger`.
    dataset_reader : `DatasetReader`
    language : `str`, optional
        spaCy's code, such as `nl`; by default the reader's `language`.

    # Raises

    `ConfigurationError` for a language that spaCy does not know.
    """

    def __init__(self, model: Model, dataset_reader: DatasetReader, language: Optional[str] = None) -> None:
        super().__init__(model, dataset_reader)
        code: str = language if language is not None else getattr(dataset_reader, "language", "xx")
        try:
            # Only the tokeniser is used: it has no limit on the length of a text.
            self._tokenizer = spacy.blank(code).tokenizer
        except ImportError as error:
            raise ConfigurationError(
                f"spaCy has no language {code!r}: set the reader's `language` to one of its codes, or to xx."
            ) from error

    def tag(self, text: str) -> JsonDict:
        """Tags one text. Raises `ValueError` if it is no `str`."""
        return _answer_or_raise(self.predict_json({"sentence": text}))

    def tag_tokens(self, tokens: Sequence[str]) -> JsonDict:
        """Tags one sentence of tokens. Raises `ValueError` if they are not all non-empty `str`."""
        return _answer_or_raise(self.predict_json({"tokens": tokens if isinstance(tokens, str) else list(tokens)}))

    def tag_many(self, sentences: Iterable[Union[str, Sequence[str]]], batch_size: int = 64) -> Iterator[JsonDict]:
        """
        Tags texts, or lists of tokens, in the order they come, `batch_size` at a time: the input may be endless. What
        cannot be tagged gives an `error` in its place. Raises `ValueError` for a single text: it is no sequence of texts.
        """
        if isinstance(sentences, str):
            raise ValueError("tag_many takes many texts; use tag for one")
        for group in lazy_groups_of(iter(sentences), batch_size):
            yield from self.predict_batch_json(
                [{"sentence" if item is None or isinstance(item, str) else "tokens": item} for item in group]
            )

    def load_line(self, line: str) -> JsonDict:
        try:
            return json.loads(line)
        except (ValueError, RecursionError) as error:
            return UnreadableLine(error=f"not a line of JSON: {error}")

    def predict_json(self, inputs: JsonDict) -> JsonDict:
        return self.predict_batch_json([inputs])[0]

    def predict_batch_json(self, inputs: list[JsonDict]) -> list[JsonDict]:
        results: list[JsonDict] = [{"words": [], "tags": [], "entities": []} for _ in inputs]
        sentences: dict[int, Sentence] = {}  # those with words, by their place in the input
        for place, json_dict in enumerate(inputs):
            try:
                sentence = self._sentence(json_dict)
                if sentence.words:
                    sentences[place] = sentence
            except ValueError as error:
                results[place] = {"error": str(error)}
        instances = [self._dataset_reader.text_to_instance(sentence.words) for sentence in sentences.values()]
        for place, answer in zip(sentences, self._predict(list(sentences.values()), instances)):
            results[place] = answer
        return results

    def predict_instance(self, instance: Instance) -> JsonDict:
        return self.predict_batch_instance([instance])[0]

    def predict_batch_instance(self, instances: list[Instance]) -> list[JsonDict]:
        return self._predict([_joined(_words(instance)) for instance in instances], instances)

    def _json_to_instance(self, json_dict: JsonDict) -> Instance:
        return self._dataset_reader.text_to_instance(self._sentence(json_dict).words)

    def _sentence(self, json_dict: Any) -> Sentence:
        """Raises `ValueError`, with what is wrong and what is expected, for anything that is not a sentence."""
        if isinstance(json_dict, UnreadableLine):
            raise ValueError(json_dict["error"])
        if not isinstance(json_dict, dict) or ("sentence" in json_dict) == ("tokens" in json_dict):
            raise ValueError('expected {"sentence": "…"} or {"tokens": ["…", …]}')
        if "sentence" in json_dict:
            text = json_dict["sentence"]
            if not isinstance(text, str):
                raise ValueError(f"`sentence` must be a string, not {json.dumps(text, default=str)[:40]}")
            tokens = [token for token in self._tokenizer(text) if not token.is_space]
            return Sentence(
                text, [token.text for token in tokens], [(token.idx, token.idx + len(token)) for token in tokens]
            )
        words = json_dict["tokens"]
        if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) and word.strip() for word in words):
            raise ValueError("`tokens` must be a list of strings, none of them empty or white space")
        return _joined(words)

    def _predict(self, sentences: list[Sentence], instances: list[Instance]) -> list[JsonDict]:
        if not instances:
            return []
        for instance in instances:
            self._dataset_reader.apply_token_indexers(instance)
        return [
            _answer(sentence, output)
            for sentence, output in zip(sentences, self._model.forward_on_instances(instances))
        ]


def _words(instance: Instance) -> list[str]:
    field = instance["metadata"]
    assert isinstance(field, MetadataField)
    return field["words"]


def _joined(words: Sequence[str]) -> Sentence:
    """Tokens as a text, single spaces between them."""
    ends = list(itertools.accumulate(len(word) + 1 for word in words))
    return Sentence(" ".join(words), list(words), [(end - 1 - len(word), end - 1) for word, end in zip(words, ends)])


def _answer(sentence: Sentence, output: dict[str, Any]) -> JsonDict:
    entities = []
    for entity in output["entities"]:
        start = sentence.offsets[entity["start_token"]][0]
        end = sentence.offsets[entity["end_token"] - 1][1]
        entities.append(
            {"text": sentence.text[start:end], "label": entity["label"], "start": start, "end": end, **entity}
        )
    answer = {"words": sentence.words, "tags": bioul_to_bioes(output["tags"]), "entities": entities}
    if "top_k_tags" in output:
        answer["top_k_tags"] = [{**path, "tags": bioul_to_bioes(path["tags"])} for path in output["top_k_tags"]]
    return answer


def _answer_or_raise(answer: JsonDict) -> JsonDict:
    if "error" in answer:
        raise ValueError(answer["error"])
    return answer
