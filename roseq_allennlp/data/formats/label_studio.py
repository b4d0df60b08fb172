"""Label Studio's JSON (`data`, `annotations`) and JSON-MIN (a row of an annotation, its spans under the name of the tag)."""

import reprlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Optional

from roseq_allennlp.data.documents import Document, Tally
from roseq_allennlp.data.formats.checks import RawSpan, checked_document, without_unknown
from roseq_allennlp.data.formats.format import Output, ReadOptions
from roseq_allennlp.data.formats.json_rows import as_json, parsed, whole_text, writing
from roseq_allennlp.errors import ConfigurationError

_OF_ANNOTATION = {"annotator", "annotation_id", "created_at", "updated_at", "lead_time"}  # in JSON-MIN


def read(path: str, options: ReadOptions, tally: Tally) -> Iterator[Document]:
    """
    See `Format`. Where a task has several annotations the first is read, or that of `annotator`; skipped ones, and tasks that
    have none left, are left out. What is no span, such as choices and relations, is passed over.
    """
    tasks = parsed(whole_text(path), path)
    if not isinstance(tasks, list):
        raise ConfigurationError(f"{path}: expected an array of tasks, as Label Studio exports it, got {_name(tasks)}.")
    seen: set[Any] = set()
    for number, task in enumerate(tasks, 1):
        where = f"{path}, task {number}"
        if not isinstance(task, dict):
            raise ConfigurationError(f"{where}: expected an object, got {reprlib.repr(task)}.")
        if isinstance(task.get("id"), (int, str)):
            where += f" (id {task['id']})"
        document = (_of_task if "data" in task else _of_row)(task, where, options, tally, seen)
        if document is not None:
            yield document


def _of_task(
    task: dict[str, Any], where: str, options: ReadOptions, tally: Tally, seen: set[Any]
) -> Optional[Document]:
    data, annotations = task["data"], task.get("annotations", task.get("completions"))
    if not isinstance(data, dict) or not isinstance(annotations, list):
        raise ConfigurationError(f"{where}: expected an object `data` and a list `annotations`.")
    for annotation in annotations:
        if not isinstance(annotation, dict) or not isinstance(annotation.get("result"), list):
            raise ConfigurationError(f"{where}: expected annotations with a list `result`.")
    kept = [annotation for annotation in annotations if not annotation.get("was_cancelled")]
    kept = [annotation for annotation in kept if _is_by(annotation.get("completed_by"), options.annotator)]
    if not kept:
        tally.add("tasks without an annotation" + _by(options), where)
        return None
    if len(kept) > 1:
        tally.add("tasks with several annotations, of which the first is read", where)
    key = _text_key(data, where)
    values = [
        result.get("value") if isinstance(result, dict) else result
        for result in kept[0]["result"]
        if not isinstance(result, dict) or "labels" in str(result.get("type", "labels"))
    ]
    other = {name: value for name, value in data.items() if name != key}
    return checked_document(data[key], _spans(values, where), where, options, tally, other=other)


def _of_row(row: dict[str, Any], where: str, options: ReadOptions, tally: Tally, seen: set[Any]) -> Optional[Document]:
    if not _OF_ANNOTATION & row.keys():
        raise ConfigurationError(
            f"{where}: expected `data` and `annotations`, as JSON has them, or `annotator` and `annotation_id` beside the text, as"
            f" JSON-MIN has them, got the keys {reprlib.repr(sorted(row))}. Rows of other tools are read as JSON lines, one in a"
            " line, without an array around them."
        )
    if not _is_by(row.get("annotator"), options.annotator):
        tally.add("annotations" + _by(options, "that are not"), where)
        return None
    if isinstance(row.get("id"), (int, str)):  # each annotation of a task has a row of its own
        if row["id"] in seen:
            tally.add("further annotations of a task, left out", where)
            return None
        seen.add(row["id"])
    lists = {name: value for name, value in row.items() if _is_spans(value)}
    key = _text_key({name: value for name, value in row.items() if name not in _OF_ANNOTATION}, where)
    other = {
        name: value for name, value in row.items() if name != key and name not in lists and name not in _OF_ANNOTATION
    }
    values = [value for some in lists.values() for value in some]
    return checked_document(row[key], _spans(values, where), where, options, tally, other=other)


def _is_spans(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) and "labels" in item for item in value)


def _spans(values: Iterable[Any], where: str) -> Iterator[RawSpan]:
    for value in values:
        if (
            not isinstance(value, dict)
            or not isinstance(value.get("labels"), list)
            or not {"start", "end"} <= value.keys()
        ):
            raise ConfigurationError(
                f"{where}: expected a span of plain text with `start`, `end` and a list `labels`, got {reprlib.repr(value)}."
            )
        quote = value.get("text")
        for label in value["labels"]:
            yield RawSpan(label, value["start"], value["end"], quote if isinstance(quote, str) else None)


def _text_key(data: dict[str, Any], where: str) -> str:
    texts = [name for name, value in data.items() if isinstance(value, str)]
    if "text" in texts:
        return "text"
    if len(texts) == 1:
        return texts[0]
    raise ConfigurationError(
        f"{where}: expected the text as `text`, or as the only string, got {reprlib.repr(sorted(data))}."
    )


def _is_by(annotator: Any, wanted: Optional[str]) -> bool:
    names = [annotator.get("id"), annotator.get("email")] if isinstance(annotator, dict) else [annotator]
    return wanted is None or wanted in map(str, names)


def _by(options: ReadOptions, without: str = "") -> str:
    return f" {without} by {options.annotator!r}".replace("  ", " ") * (options.annotator is not None) + ", left out"


def _name(value: Any) -> str:
    return "an object" if isinstance(value, dict) else reprlib.repr(value)


def write(documents: Iterable[Document], output: Output) -> None:
    """
    See `Format`. An array of tasks, for a project whose tags are named `label` and `text`, as those of Label Studio's
    template for named entities are.
    """
    _write_tasks(map(_task, without_unknown(documents, "Label Studio's format")), output)


class Review(NamedTuple):
    """
    An annotation to be looked at again.

    # Parameters

    annotated : `Document`
        What is unknown of it stands as `unknown`, characters `[start, end)`, in the task's data, as annotations cannot say it.
    predicted : `Document`
        A tagger's entities in the same text.
    probabilities : `Sequence[float]`
        Of each of them.
    """

    annotated: Document
    predicted: Document
    probabilities: Sequence[float]


def write_reviews(reviews: Iterable[Review], output: Output) -> None:
    """As `write`, each task with its annotation and a prediction beside it."""
    _write_tasks(map(_task_of_review, reviews), output)


class Tags(NamedTuple):
    """
    Which tags of a project's labelling interface spans belong to.

    # Parameters

    label : `str`
        Name of the `<Labels>`.
    text : `str`
        Name of the `<Text>`.
    key : `str`
        Of the text in the task's data.
    labels : `FrozenSet[str]`, optional
        Those of the project that the tagger gives, where that is known.
    """

    label: str = "label"
    text: str = "text"
    key: str = "text"
    labels: Optional[frozenset[str]] = None


TAGS = Tags()
"""Those of Label Studio's template for named entities."""


def prediction(
    document: Document, probabilities: Sequence[float], version: str = "roseq", tags: Tags = TAGS
) -> dict[str, Any]:
    """
    A tagger's entities in a text, as Label Studio shows them to annotators. Its score, by which tasks can be sorted, is the
    least probability of an entity.
    """
    result = _result(document, tags)
    for entity, probability in zip(result, probabilities, strict=True):
        entity["score"] = round(probability, 4)
    score = {"score": round(min(probabilities), 4)} if probabilities else {}
    return {"model_version": version, **score, "result": result}


def _task_of_review(review: Review) -> dict[str, Any]:
    task = _task(review.annotated)
    if review.annotated.unknown:
        task["data"]["unknown"] = review.annotated.unknown
    return {**task, "predictions": [prediction(review.predicted, review.probabilities)]}


def _write_tasks(tasks: Iterable[dict[str, Any]], output: Output) -> None:
    with writing(output) as file:
        file.write("[")
        separator = "\n"
        for task in tasks:
            file.write(separator + as_json(task))
            separator = ",\n"
        file.write("\n]\n")


def _task(document: Document) -> dict[str, Any]:
    data = {**document.other, "text": document.text}
    return {"data": data, "annotations": [{"result": _result(document)}]}


def _result(document: Document, tags: Tags = TAGS) -> list[dict[str, Any]]:
    return [
        {
            "from_name": tags.label,
            "to_name": tags.text,
            "type": "labels",
            "value": {
                "start": entity.start,
                "end": entity.end,
                "text": document.text[entity.start : entity.end],
                "labels": [entity.label],
            },
        }
        for entity in document.entities
    ]
