"""What an archive says of itself: its model, language, entity types, training data and scores."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from roseq_allennlp.data import corpora
from roseq_allennlp.data.catalogue import CORPORA
from roseq_allennlp.models.archive_config import ArchiveError, read_json

METRICS_NAME = "metrics.json"
_SPLITS = {"best_validation_": "development", "test_": "test"}  # prefixes of AllenNLP's metrics
_PATHS = {"validation": "development", "test": "test"}  # what a config calls them
_SCORES = {"precision": "precision", "recall": "recall", "f1-measure": "f1"}
OVERALL = "overall"


@dataclass(frozen=True)
class Description:
    """
    # Parameters

    model : `str`
        Registered name, with the number of taggers of an ensemble.
    language : `str`
        spaCy's code, `xx` where it is not known.
    labels : `Tuple[str, ...]`
        Entity types, in alphabetical order.
    trained_on : `str`
        A corpus of the catalogue, or the name of the training file without its folders.
    metrics : `Mapping[str, Mapping[str, Mapping[str, float]]]`
        By split (`development`: that of the epoch that was chosen; `test`, if it was evaluated), then entity type or
        `overall`: `precision`, `recall` and `f1`, from 0 to 1. Empty for archives that were written without them.
    temperature : `float`
        Of the probabilities, 1 where they are not calibrated.
    thresholds : `Mapping[str, float]`
        Least probability by type, as `roseq calibrate --target-precision` has found it.
    scored_on : `Mapping[str, str]`
        The data of each split, named like the training data.
    """

    model: str
    language: str
    labels: tuple[str, ...]
    trained_on: str
    metrics: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    temperature: float = 1.0
    thresholds: Mapping[str, float] = field(default_factory=dict)
    scored_on: Mapping[str, str] = field(default_factory=dict)

    @property
    def calibration(self) -> str:
        """What is known of the calibration of probabilities, in a few words."""
        parts = ["not calibrated" if self.temperature == 1 else f"temperature {self.temperature:.2f}"]
        parts += [f"{label} from {least:.3f}" for label, least in sorted(self.thresholds.items())]
        return ", ".join(parts)

    def lines(self) -> list[tuple[str, str]]:
        """Name and value of each fact, for people."""
        scores = [
            (f"{split} F1", f"{100 * by_type[OVERALL]['f1']:.2f}")
            for split, by_type in self.metrics.items()
            if "f1" in by_type.get(OVERALL, {})
        ]
        return [
            ("model", self.model),
            ("language", self.language),
            ("labels", ", ".join(self.labels)),
            ("trained on", self.trained_on or "not known"),
            *(scores or [("development F1", "not known")]),
            ("probabilities", self.calibration),
        ]

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from roseq_allennlp.tables import html_table

        return html_table(["", ""], self.lines())


def describe(directory: Path, config: Mapping[str, Any], fitted: float) -> Description:
    """
    # Parameters

    directory : `Path`
        Of an archive that is unpacked, or of a run.
    config : `Mapping[str, Any]`
        The config there, see `archive_config.read_config`.
    fitted : `float`
        The temperature saved with the weights. One in the config takes precedence.

    # Raises

    `ArchiveError`: its `metrics.json` is not what AllenNLP writes.
    """
    model = config["model"] if isinstance(config["model"], Mapping) else {"type": config["model"]}
    member = model.get("member", model)
    name = str(member.get("type"))
    if member is not model:
        name = f"{model.get('type')}, {model.get('size')} of {name}"
    temperature, thresholds = member.get("temperature"), member.get("thresholds")
    trained_on = name_of_data(config.get("train_data_path"))
    scored_on = {split: name_of_data(config.get(f"{key}_data_path")) for key, split in _PATHS.items()}
    reader = config["dataset_reader"]
    language = reader.get("language") if isinstance(reader, Mapping) else None
    return Description(
        model=name,
        language=str(language or (CORPORA[trained_on].language if trained_on in CORPORA else "xx")),
        labels=_labels(directory / "vocabulary" / f"{member.get('label_namespace', 'labels')}.txt"),
        trained_on=trained_on,
        metrics=_metrics(directory / METRICS_NAME),
        # AllenNLP reads the text "None" as null, too.
        temperature=float(temperature) if isinstance(temperature, (int, float)) else fitted,
        thresholds=thresholds if isinstance(thresholds, Mapping) else {},
        scored_on={split: name for split, name in scored_on.items() if name},
    )


def name_of_data(path: Any) -> str:
    """The name of the corpus of a path `corpus://…`, or of a file without its folders. Takes what a config may hold."""
    scheme, text = f"{corpora.SCHEME}://", str(path or "")
    return text.removeprefix(scheme).partition("/")[0] if text.startswith(scheme) else PurePosixPath(text).name


def types_of(tags: Iterable[str]) -> tuple[str, ...]:
    """The entity types of tags, in alphabetical order. Takes lines that are no tags, as an archive may hold."""
    return tuple(sorted({tag.partition("-")[2] for tag in tags} - {""}))


def _labels(file: Path) -> tuple[str, ...]:
    return types_of(file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else ())


def _metrics(file: Path) -> dict[str, dict[str, dict[str, float]]]:
    if not file.exists():
        return {}
    try:
        values = read_json(file)
        if not isinstance(values, dict):
            raise ValueError("it is no object with keys")
    except (OSError, ValueError, RecursionError) as error:
        raise ArchiveError(f"its {METRICS_NAME} is not what AllenNLP writes ({error}). Fetch it again.") from error
    metrics: dict[str, dict[str, dict[str, float]]] = {}
    for key, value in values.items():
        for prefix, split in _SPLITS.items():
            for score, name in _SCORES.items():
                label = key.removeprefix(f"{prefix}{score}-")
                if label != key and isinstance(value, (int, float)) and math.isfinite(value):
                    metrics.setdefault(split, {}).setdefault(label, {})[name] = float(value)
    return metrics
