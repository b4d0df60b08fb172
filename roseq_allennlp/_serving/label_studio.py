"""Label Studio's protocol for machine-learning backends: it asks for predictions of tasks, which annotators then correct."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from xml.etree.ElementTree import ParseError, TreeBuilder, XMLParser

from fastapi import APIRouter, HTTPException

from roseq_allennlp._serving.schema import PredictRequest, SetupRequest
from roseq_allennlp._serving.tagging import Options
from roseq_allennlp.data.documents import Document, Entity
from roseq_allennlp.data.formats.label_studio import TAGS, Tags, prediction
from roseq_allennlp.text import shown

_SHOWN = 60  # characters of a key that are repeated in an error
Answers = Callable[[list[dict[str, Any]], Options], Awaitable[list[dict[str, Any]]]]


class _Interface(TreeBuilder):
    """Collects what is needed of a labelling interface in XML, and builds no tree."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}  # key of the task's data, by name of the tag
        self.labels: list[dict[str, str]] = []  # attributes of each <Labels>
        self.values: list[set[str]] = []  # its labels

    def start(self, tag: Any, attributes: Any) -> Any:
        if tag == "Text" and attributes.get("value", "").startswith("$") and attributes.get("valueType") != "url":
            self.texts[attributes.get("name", "")] = attributes["value"][1:]
        elif tag == "Labels":
            self.labels.append(attributes)
            self.values.append(set())
        elif tag == "Label" and self.values:
            self.values[-1].add(attributes.get("value", ""))

    def end(self, tag: Any) -> Any:
        pass

    def data(self, data: Any) -> None:
        pass

    def doctype(self, name: str, public: Any, system: Any) -> None:
        raise HTTPException(422, "the labelling interface must have no DOCTYPE")

    def close(self) -> Any:
        pass


def tags_of(interface: str, types: Sequence[str]) -> Tags:
    """
    The tags of a project's labelling interface for spans of a text, and its labels among the types of the tagger.

    # Raises

    `HTTPException` where it has none.
    """
    if not interface.strip():
        return TAGS
    parsed = _Interface()
    parser = XMLParser(target=parsed)
    try:
        parser.feed(interface)
        parser.close()
    except (ParseError, ValueError) as error:
        raise HTTPException(422, "the labelling interface is not XML") from error
    for attributes, values in zip(parsed.labels, parsed.values, strict=True):
        name = attributes.get("toName", "")
        if name in parsed.texts:
            return Tags(attributes.get("name", ""), name, parsed.texts[name], frozenset(values & set(types)))
    raise HTTPException(422, "the labelling interface has no <Labels> for a <Text> whose value is `$` and a name")


def router(name: str, types: Sequence[str], answers: Answers) -> APIRouter:
    """
    The paths that Label Studio calls.

    # Parameters

    name : `str`
        Of the tagger, which is the version of the predictions.
    types : `Sequence[str]`
        Its entity types.
    answers : `Callable[[List[Dict[str, Any]], Options], Awaitable[List[Dict[str, Any]]]]`
        Tags inputs.
    """
    paths = APIRouter(tags=["Label Studio"])

    @paths.post("/predict")
    async def predict(body: PredictRequest) -> dict[str, Any]:
        """Predictions for tasks, each text a document."""
        tags = tags_of(body.label_config or "", types)
        texts = []
        for number, task in enumerate(body.tasks, 1):
            text = task.data.get(tags.key)
            if not isinstance(text, str):
                key = shown(tags.key[:_SHOWN])
                raise HTTPException(422, f"task {number} of {len(body.tasks)} has no text as `{key}` in its data")
            texts.append(text)
        tagged = await answers([{"text": text} for text in texts], Options())
        results = []
        for number, (text, answer) in enumerate(zip(texts, tagged, strict=True), 1):
            if "error" in answer:
                raise HTTPException(422, f"task {number} of {len(texts)}: {answer['error']}")
            kept = [entity for entity in answer["entities"] if not tags.labels or entity["label"] in tags.labels]
            document = Document(text, [Entity(entity["label"], entity["start"], entity["end"]) for entity in kept])
            results.append(prediction(document, [entity["probability"] for entity in kept], name, tags))
        return {"results": results, "model_version": name}

    @paths.post("/setup")
    async def setup(body: SetupRequest) -> dict[str, str]:
        """Whether the project's labels fit the tagger."""
        labels = tags_of(body.interface or "", types).labels
        if labels is not None and not labels:
            known = ", ".join(types)
            raise HTTPException(422, f"none of the project's labels is a type of the tagger; its types are {known}")
        return {"model_version": name}

    @paths.get("/health")
    async def health() -> dict[str, str]:
        """Whether the server is there."""
        return {"status": "UP", "model_class": "NerTagger"}

    return paths
