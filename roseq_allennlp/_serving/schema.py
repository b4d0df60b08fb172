"""What clients send and get, checked by Pydantic and shown in the OpenAPI description."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Optional, Union

from pydantic import BaseModel, ConfigDict, Field, model_validator

from roseq_allennlp.text import shown

_SHOWN = 60  # characters of a key that are repeated in an error
_INPUTS = {"text": "sentence", "document": "text", "tokens": "tokens"}  # keys here, and those of `NerTagger`
_INTERFACE = """<View>
  <Labels name="label" toName="text"><Label value="person"/><Label value="location"/></Labels>
  <Text name="text" value="$text"/>
</View>"""
_TEXT = "Marta Keller flies from Lisbon to Oslo tomorrow"
_EXAMPLES: list[dict[str, Any]] = [
    {"text": _TEXT},
    {"document": f"{_TEXT}. She is back on Friday.", "min_probability": 0.5, "review": True},
    {"tokens": [_TEXT.split(), ["Oslo", "is", "cold"]], "min_probability": {"person": 0.8}},
    {"text": [_TEXT, "so happy @jonas got a job at Nordlight Labs"], "alternatives": 3},
]


class TagRequest(BaseModel):
    """Exactly one of `text`, `document` and `tokens`."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [*_EXAMPLES]})
    text: Optional[Union[str, list[str]]] = Field(None, description="a text or a list of texts, each of one sentence")
    document: Optional[Union[str, list[str]]] = Field(
        None, description="a text or a list of texts, each split into sentences"
    )
    tokens: Optional[Union[list[str], list[list[str]]]] = Field(
        None, description="a list of tokens, or a list of such lists, each of one sentence"
    )
    model: Optional[str] = Field(None, description="the name of one of the server's taggers; the first if left out")
    min_probability: Optional[Union[float, dict[str, float], Literal["calibrated"]]] = Field(
        None, description='a number from 0 to 1, such numbers by type, or "calibrated" for those in the archive'
    )
    review: bool = Field(False, description="true to mark entities below min_probability and not leave them out")
    alternatives: int = Field(
        0, ge=0, le=10, description="a whole number from 0 to 10: how many other entities each one is shown with"
    )

    @model_validator(mode="after")
    def _one_input(self) -> "TagRequest":
        if sum(getattr(self, key) is not None for key in _INPUTS) != 1:
            raise ValueError("give exactly one of `text`, `document` and `tokens`")
        if self._value() == []:
            raise ValueError(f"`{self._key()}` is an empty list")
        return self

    def items(self) -> list[dict[str, Any]]:
        """The inputs as `NerTagger.predict_batch_json` takes them."""
        key = _INPUTS[self._key()]
        return [{key: value} for value in (self._value() if self.is_list() else [self._value()])]

    def is_list(self) -> bool:
        """Whether the input is a list of inputs."""
        value = self._value()
        return isinstance(value, list) and (self._key() != "tokens" or isinstance(value[0], list))

    def in_own_keys(self, error: str) -> str:
        """An error of the tagger, with the key as it was sent."""
        return error.replace(f"`{_INPUTS[self._key()]}`", f"`{self._key()}`")

    def _key(self) -> str:
        return next(key for key in _INPUTS if getattr(self, key) is not None)

    def _value(self) -> Any:
        return getattr(self, self._key())


class Problem(BaseModel):
    """An error of the server, in one sentence."""

    detail: str = Field(examples=["`text` must be a text or a list of texts, each of one sentence"])


class TagResponse(BaseModel):
    """An answer to each input, in their order."""

    model: str = Field(examples=["wnut17"])
    answers: list[dict[str, Any]] = Field(
        description="what `NerTagger.tag` gives: `words`, `tags` and `entities`, and `sentences` of a document; or `error`",
        examples=[
            [
                {
                    "words": ["Oslo", "is", "cold"],
                    "tags": ["S-location", "O", "O"],
                    "entities": [
                        {
                            **{"text": "Oslo", "label": "location", "start": 0, "end": 4},
                            **{"start_token": 0, "end_token": 1, "probability": 0.98},
                        }
                    ],
                }
            ]
        ],
    )


class ModelInfo(BaseModel):
    """What is known of a tagger."""

    name: str = Field(examples=["wnut17"])
    language: Optional[str] = Field(description="spaCy's code; null where it is not known", examples=["en"])
    labels: list[str] = Field(description="entity types", examples=[["location", "person"]])
    thresholds: dict[str, float] = Field(
        description='the least probability by type, for "calibrated"', examples=[{"person": 0.8}]
    )
    development_f1: Optional[float] = Field(description="in percent", examples=[53.1])
    calibrated: bool = Field(description="whether its probabilities have been calibrated")


class ModelsResponse(BaseModel):
    """The taggers of the server; the first is the default."""

    models: list[ModelInfo]


class Task(BaseModel):
    """A task of Label Studio; its other keys are not looked at."""

    model_config = ConfigDict(strict=True)
    data: dict[str, Any]


class PredictRequest(BaseModel):
    """What Label Studio sends for predictions; its other keys are not looked at."""

    model_config = ConfigDict(strict=True)
    tasks: list[Task] = Field(description="a list of tasks, each with its `data`")
    label_config: Optional[str] = Field(None, description="the project's labelling interface, in XML")


class SetupRequest(BaseModel):
    """What Label Studio sends when a project is connected; its other keys are not looked at."""

    model_config = ConfigDict(strict=True)
    interface: Optional[str] = Field(
        None, alias="schema", description="the project's labelling interface, in XML", examples=[_INTERFACE]
    )


BODIES: dict[str, type[BaseModel]] = {"/v1/tag": TagRequest, "/predict": PredictRequest, "/setup": SetupRequest}
"""What is expected, by path."""


def what_is_wrong(errors: Sequence[Mapping[str, Any]], body: type[BaseModel]) -> str:
    """
    One sentence for Pydantic's errors, without what has been sent but for a name of a key.

    # Parameters

    errors : `Sequence[Mapping[str, Any]]`
        As FastAPI gives them, the first place of each `loc` being `body`.
    body : `Type[BaseModel]`
        What is expected.
    """
    error = errors[0]
    keys = [part for part in error["loc"][1:] if isinstance(part, str)]
    if error["type"] == "json_invalid":
        return f"the body is not JSON: {error['ctx']['error']} at character {error['loc'][1]}"
    if not keys:
        if error["type"] == "value_error":
            return str(error["msg"]).removeprefix("Value error, ")
        return "the body must be a JSON object, sent with `Content-Type: application/json`"
    if any(one["type"] == "string_unicode" for one in errors):
        return f"`{keys[0]}` has half a character without its other half"
    if error["type"] == "extra_forbidden":
        known = ", ".join(f"`{name}`" for name in body.model_fields)
        return f"there is no key `{shown(keys[0][:_SHOWN])}`; the keys are {known}"
    fields = {field.alias or name: field for name, field in body.model_fields.items()}
    return f"`{keys[0]}` must be {fields[keys[0]].description}"
