"""`roseq calibrate`, and what follows from it in all that opens the archive."""

import json
import math
import tarfile

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError
from scipy.optimize import minimize_scalar

import roseq_allennlp
from roseq_allennlp.evaluation.tagged_data import gold_tags, read_labelled, score_of, tag_file, words_of
from roseq_allennlp.evaluation.temperature import predicted_spans
from roseq_allennlp.models.archive import load_archive, with_safetensors, with_settings
from roseq_allennlp.models.finetuning import prepare
from roseq_allennlp.models.finetuning_request import FineTuning
from roseq_allennlp.nn.temperature import fit_temperature

DEV = "fixtures/wnut17/emerging.test.annotated"


@pytest.fixture(scope="module")
def calibrated(archive_path, tmp_path_factory):
    path = tmp_path_factory.mktemp("calibrated") / "model.tar.gz"
    with_settings(archive_path, path, {"temperature": 3.0, "thresholds": {"person": 0.25, "location": 1.0}})
    return path


def config_of(path):
    with tarfile.open(path) as archive:
        return json.load(archive.extractfile("config.json"))["model"]


def test_the_temperature_is_the_most_likely_one(roseq, archive_path, tmp_path):
    output = tmp_path / "new" / "model.tar.gz"
    status, printed, _ = roseq("calibrate", archive_path, DEV, "-o", output, "--target-precision", "0.9")
    assert status == 0 and str(output) in printed
    settings = config_of(output)
    # By a search of another kind, over the probabilities that the tagger gives at each temperature.
    archive = load_archive(archive_path)

    def loss(logarithm):
        archive.model.crf.temperature = math.exp(logarithm)
        total = 0.0
        for sentence in tag_file(archive, DEV):
            for span in sentence.predicted_entities:
                probability = sentence.probabilities[span]
                total -= math.log(probability if span in sentence.gold_entities else 1 - probability)
        return total

    best = minimize_scalar(loss, bounds=(-1, 1), method="bounded", options={"xatol": 1e-6})
    assert settings["temperature"] == pytest.approx(math.exp(best.x), rel=2e-3)
    assert set(settings["thresholds"]) == set(roseq_allennlp.load(archive_path).labels)
    after = tag_file(load_archive(output), DEV)
    for label, least in settings["thresholds"].items():
        kept = [
            span in sentence.gold_entities
            for sentence in after
            for span in sentence.predicted_entities
            if span.label == label and sentence.probabilities[span] >= least
        ]
        assert (least == 1.0 and not kept) or np.mean(kept) >= 0.9
    shown = [line.split() for line in printed.splitlines()]
    assert "recall" in printed
    assert all(float(row[-1]) <= 100 for row in shown if row and row[0] in settings["thresholds"])


def test_tags_stay_and_all_probabilities_change(archive_path, calibrated):
    before, after = load_archive(archive_path), load_archive(calibrated)
    tagged = tag_file(before, DEV), tag_file(after, DEV)
    assert [sentence.predicted for sentence in tagged[0]] == [sentence.predicted for sentence in tagged[1]]
    assert score_of(tagged[0]) == score_of(tagged[1])
    changed = [
        (a.probabilities[span], b.probabilities[span]) for a, b in zip(*tagged, strict=True) for span in a.probabilities
    ]
    assert changed and all(first > second for first, second in changed if first > 0.9)
    answers = []
    for path in (archive_path, calibrated):
        archive = load_archive(path, overrides='{"model.top_k": 5}')
        tagger = roseq_allennlp.predictors.NerTagger.from_archive(archive)
        answers.append(tagger.tag("Marta Keller flies from Lisbon to Oslo")["top_k_tags"])
    paths = [[path["tags"] for path in answer] for answer in answers]
    logs = [[path["log_probability"] for path in answer] for answer in answers]
    assert paths[0] == paths[1]
    # Differences of log probabilities are differences of scores.
    assert np.diff(logs[1]) == pytest.approx(np.diff(logs[0]) / 3, rel=1e-4)


def test_it_is_kept_and_can_be_turned_off(roseq, archive_path, calibrated, tmp_path):
    tagger = roseq_allennlp.load(calibrated)
    assert "probabilities: temperature 3.00, location from 1.000, person from 0.250" in repr(tagger)
    assert "not calibrated" in roseq("info", archive_path).output
    with_safetensors(calibrated, tmp_path / "safe.tar.gz")
    with_settings(tmp_path / "safe.tar.gz", tmp_path / "safe.tar.gz", {"temperature": 3.0})
    text = "Marta Keller flies from Lisbon to Oslo"
    assert roseq_allennlp.load(tmp_path / "safe.tar.gz").tag(text) == tagger.tag(text)
    plain = load_archive(calibrated, overrides='{"model.temperature": 1}')
    first = roseq_allennlp.predictors.NerTagger.from_archive(plain).tag(text)
    assert first == roseq_allennlp.load(archive_path).tag(text) != tagger.tag(text)
    run = tmp_path / "run"
    with tarfile.open(calibrated) as archive:
        archive.extractall(run, filter="data")
    (run / "weights.th").rename(run / "best.th")
    with_settings(run, tmp_path / "of_run.tar.gz", {"temperature": 3.0})
    assert roseq_allennlp.load(tmp_path / "of_run.tar.gz").tag(text) == tagger.tag(text)


def test_fine_tuning_begins_uncalibrated(calibrated, tmp_path):
    prepare(FineTuning(archive=str(calibrated), train="fixtures/wnut17/wnut17train.conll"), tmp_path / "run")
    model = json.loads((tmp_path / "run" / "config.json").read_text())["model"]
    assert "temperature" not in model and "thresholds" not in model


def test_probabilities_of_the_fit_are_the_taggers(archive_path, calibrated):
    archive = load_archive(archive_path)
    instances = read_labelled(archive.validation_dataset_reader, DEV)
    batches = predicted_spans(archive, instances)
    fitted = {tuple(s.words): s for batch in batches for s in batch.tagged(3.0)}
    for sentence in tag_file(load_archive(calibrated), DEV):
        assert fitted[tuple(sentence.words)].probabilities == pytest.approx(sentence.probabilities, abs=1e-6)
    assert {tuple(words_of(instance)): gold_tags(instance) for instance in instances} == {
        words: sentence.gold for words, sentence in fitted.items()
    }
    right = [batch.scored._replace(is_right=batch.scored.is_right | True) for batch in batches]
    with pytest.raises(ValueError, match="all of them right"):
        fit_temperature(right)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--target-precision", "90"], "--target-precision must be above 0 and at most 1, such as 0.9; got 90"),
        (["--target-precision", "nan"], "--target-precision must be"),
        (["-o", "setup.py/a.tar.gz"], "its directory cannot be made"),
    ],
)
def test_errors(roseq, archive_path, tmp_path, arguments, message):
    status, _, said = roseq("calibrate", archive_path, DEV, "-o", tmp_path / "a.tar.gz", *arguments)
    assert status == 1 and message in said and not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [0, -1.0, 1e9])
def test_a_temperature_that_is_none(archive_path, tmp_path, value):
    with pytest.raises(ConfigurationError, match="temperature"):
        with_settings(archive_path, tmp_path / "a.tar.gz", {"temperature": value})
        load_archive(tmp_path / "a.tar.gz")


def test_thresholds_leave_out_or_mark(calibrated):
    tagger = roseq_allennlp.load(calibrated)
    text = "Marta Keller flies from Lisbon to Oslo tomorrow"
    plain = tagger.tag(text)
    probabilities = {entity["text"]: entity["probability"] for entity in plain["entities"]}
    lowest = min(probabilities, key=probabilities.__getitem__)
    least = sorted(probabilities.values())[1]
    answer = tagger.tag(text, min_probability=least)
    assert [entity["text"] for entity in answer["entities"]] == [name for name in probabilities if name != lowest]
    removed = next(entity for entity in plain["entities"] if entity["text"] == lowest)
    assert set(answer["tags"][removed["start_token"] : removed["end_token"]]) == {"O"}
    assert answer["tags"].count("O") == plain["tags"].count("O") + removed["end_token"] - removed["start_token"]
    marked = tagger.tag(text, min_probability=least, review=True)
    assert [entity["text"] for entity in marked["entities"] if entity.get("review")] == [lowest]
    assert marked["tags"] == plain["tags"]
    assert {e["label"] for e in tagger.tag(text, min_probability={"person": 1.0})["entities"]} == {"location"}
    assert {e["label"] for e in tagger.tag(text, min_probability="calibrated")["entities"]} == {"person"}
    words = text.split()
    for other in (tagger.tag_tokens(words, {"person": 1.0}), tagger.tag_document(text, {"person": 1.0})):
        assert {entity["label"] for entity in other["entities"]} == {"location"}
    (many,) = tagger.tag_many([text], min_probability={"person": 1.0})
    assert {entity["label"] for entity in many["entities"]} == {"location"}


@pytest.mark.parametrize(
    "value", [1.1, -0.1, math.nan, True, "0.5", {"persn": 0.5}, {"person": "0.5"}, {"person": None}]
)
def test_bad_thresholds(tagger, value):
    with pytest.raises(ValueError, match="min_probability"):
        tagger.tag("x", min_probability=value)
    with pytest.raises(ValueError, match="min_probability"):
        tagger.tag_many(["x"], min_probability=value)


def test_predict(roseq, calibrated, archive_path, tmp_path):
    source = tmp_path / "in.txt"
    source.write_text("Marta Keller flies from Lisbon to Oslo tomorrow\n")

    def labels(*arguments, path=calibrated):
        status, output, said = roseq("predict", path, source, *arguments)
        assert status == 0, said
        return [(entity["label"], entity.get("review", False)) for entity in json.loads(output)["entities"]]

    assert len(labels()) == 3
    assert labels("--min-probability", "1") == []
    assert labels("--min-probability", "person=1") == [("location", False)] * 2
    assert (
        labels("--min-probability", '{"location": 1}')
        == labels("--min-probability", "calibrated")
        == [("person", False)]
    )
    assert labels("--min-probability", "location=1,person=0", "--review") == [
        ("person", False),
        *[("location", True)] * 2,
    ]
    for arguments, message in (
        (["--min-probability", "x"], "is none of 0.8, PER=0.8"),
        (["--min-probability", "person=x"], "is none of 0.8, PER=0.8"),
        (["--min-probability", "{"], "is none of 0.8, PER=0.8"),
        (["--min-probability", "80"], "must be from 0 to 1; got 80.0"),
        (["--min-probability", "persn=0.5"], "'persn' ('person' is close)"),
        (["--review"], "--review marks entities"),
        (["--review", "--min-probability", "1", "--output-format", "columns"], "--review marks entities"),
    ):
        status, _, said = roseq("predict", calibrated, source, *arguments)
        assert status == 1 and message in said and len(said.splitlines()) == 1
    status, _, said = roseq("predict", archive_path, source, "--min-probability", "calibrated")
    assert status == 1 and "the archive has no thresholds" in said


def test_report_before_and_after(roseq, calibrated, tmp_path):
    output = tmp_path / "report.html"
    assert roseq("report", calibrated, DEV, "-o", output).status == 0
    page = output.read_text(encoding="utf-8")
    section = page[page.index("<h2>Reliability of probabilities</h2>") :]
    section = section[: section.index("</section>")]
    name = calibrated.parent.name
    assert f"{name} before calibration" in section and section.count("<svg") == 2
    after = tag_file(load_archive(calibrated), DEV)
    right = [
        span in s.gold_entities
        for s in after
        for span in s.predicted_entities
        if span.label == "person" and s.probabilities[span] >= 0.25
    ]
    assert f"{100 * np.mean(right):.2f}" in section and "Thresholds in the archive" in section
    squares = [
        (sentence.probabilities[span] - (span in sentence.gold_entities)) ** 2
        for sentence in after
        for span in sentence.predicted_entities
    ]
    assert f"{100 * np.mean(squares):.2f} (" in section
