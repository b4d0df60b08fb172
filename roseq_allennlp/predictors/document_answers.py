"""The answer to a document, from those to its sentences."""

from collections.abc import Sequence
from typing import Any

from roseq_allennlp.predictors.sentences import Sentence


def document_answer(sentences: Sequence[Sentence], answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """
    `words`, `tags` and `entities` of the whole document, and `sentences`: for each `start` and `end` (in characters of the
    document), `start_token` and `end_token`, all ends exclusive, and `top_k_tags` where the model gives them.
    """
    document: dict[str, Any] = {"words": [], "tags": [], "entities": [], "sentences": []}
    for sentence, answer in zip(sentences, answers, strict=True):
        first = len(document["words"])
        _, starts = sentence.placed()
        bounds: dict[str, Any] = {"start": starts[0], "end": starts[len(sentence.words) - 1] + len(sentence.words[-1])}
        bounds.update(start_token=first, end_token=first + len(sentence.words))
        if "top_k_tags" in answer:
            bounds["top_k_tags"] = answer["top_k_tags"]
        document["sentences"].append(bounds)
        document["words"] += answer["words"]
        document["tags"] += answer["tags"]
        for entity in answer["entities"]:
            tokens = {name: first + entity[name] for name in ("start_token", "end_token")}
            document["entities"].append({**entity, **tokens})
    return document
