"""The model card of a tagger on the Hugging Face Hub, made from what its archive says of itself."""

from typing import Any, Optional

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from roseq_allennlp.data.catalogue import CORPORA
from roseq_allennlp.models.description import OVERALL, Description

_NO_LANGUAGE = "xx"
_NOT_NAMED = "data that its archive does not name"
_ON_THE_HUB = {"development": "validation", "test": "test"}
_USE = """\
It marks the names of the types above in text of the kind that it was trained on. On other text (another genre, other years,
another language) it is worse than the scores say: score it on a sample of yours first (`roseq evaluate`). It does not
decide who or what a name refers to. Errors are not spread evenly over groups of people, places and languages; do not let it
alone decide anything about a person.

An entity's probability is that of its whole span under the model. {calibration}"""
_CALIBRATED = """\
It was calibrated on development data, by a temperature of {temperature:.2f}: near 0.8, about eight in ten entities were right
there. High ones may be too high where text differs from that."""
_NOT_CALIBRATED = "It was not calibrated: high ones are too high where\ntext differs from the training text."


def model_card(name: str, description: Description, license: Optional[str] = None) -> ModelCard:
    """
    # Parameters

    name : `str`
        `user/model`.
    description : `Description`
    license : `str`, optional
        Of the model, by its name on the Hub.
    """
    trained_on = description.trained_on or _NOT_NAMED
    names = trained_on.removesuffix(".conll").split("+")  # as fine-tuning names its data
    data = ModelCardData(
        language=None if description.language == _NO_LANGUAGE else description.language,
        license=license,
        library_name="allennlp",
        pipeline_tag="token-classification",
        tags=["named-entity-recognition", "roseq"],
        metrics=["precision", "recall", "f1"],
        model_name=name if description.metrics else None,  # which asks for results
        eval_results=_results(description) if description.metrics else None,
    )
    licences = "".join(
        f"\n\n{name}: licence {corpus.licence}. {corpus.citation}. {corpus.homepage}"
        for name in names
        if (corpus := CORPORA.get(name))
    )
    facts = "\n".join(f"- {_cell(key)}: {_cell(value)}" for key, value in description.lines())
    tables = "\n\n".join(_table(split, by_type) for split, by_type in description.metrics.items())
    calibrated = _NOT_CALIBRATED if description.temperature == 1 else _CALIBRATED
    use = _USE.format(calibration=calibrated.format(temperature=description.temperature))
    text = f"""\
# {name.rpartition("/")[2]}

A named entity tagger of [RoSeq for AllenNLP](https://doi.org/10.1109/TNNLS.2019.2911236).

{facts}

## How to load it

```python
from roseq_allennlp import load

tagger = load("hf://{name}")
tagger.tag("…")["entities"]
```

Nothing in the archive is executed.

## Training data

{_cell(trained_on)}.{licences}

## Scores

{tables or "The archive was written without them."}

## Intended use and limits

{use}
"""
    return ModelCard(f"---\n{data.to_yaml()}\n---\n\n{text}", ignore_metadata_errors=False)


def _results(description: Description) -> list[EvalResult]:
    shared: dict[str, Any] = {"task_type": "token-classification", "task_name": "Named entity recognition"}
    return [
        EvalResult(
            **shared,
            dataset_type=description.scored_on.get(split, _NOT_NAMED).lower(),
            dataset_name=description.scored_on.get(split, _NOT_NAMED),
            dataset_split=_ON_THE_HUB[split],
            metric_type=score,
            metric_name=score if label == OVERALL else f"{score} of {label}",
            metric_value=value,
        )
        for split, by_type in description.metrics.items()
        for label, scores in by_type.items()
        for score, value in scores.items()
    ]


def _table(split: str, by_type: Any) -> str:
    rows = [f"| {split} | precision | recall | F1 |", "|---|---|---|---|"]
    for label, scores in sorted(by_type.items(), key=lambda item: (item[0] == OVERALL, item[0])):
        cells = [f"{100 * scores[score]:.1f}" if score in scores else "" for score in ("precision", "recall", "f1")]
        rows.append(f"| {_cell(label)} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _cell(text: str) -> str:
    """Text of the archive's, which may hold anything, in a cell of a table."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")
