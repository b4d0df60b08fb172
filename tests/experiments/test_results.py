import json
import re
import subprocess
from dataclasses import replace

import pytest
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.evaluation import results
from roseq_allennlp.evaluation.results import epochs_of, keep_result, read_results, seconds_of


def test_results_are_kept_exactly_and_replaced(run, tmp_path):
    file = tmp_path / "new" / "results.jsonl"
    first, second = run(f1=100 / 3), run(seed=2, f1=None)
    for each in (second, first, second):
        keep_result(file, each)
    assert read_results([file]) == [first, second]
    again = replace(first, dev_f1=1.0)
    keep_result(file, again)
    keep_result(file, other := replace(first, settings={"sentences": 3}))
    assert sorted(read_results([file]), key=lambda run: run.key) == sorted(
        [again, second, other], key=lambda run: run.key
    )
    assert all(json.loads(line)["corpus"] == "wnut17" for line in file.read_text().splitlines())


@pytest.mark.parametrize(
    "text, message",
    [
        (lambda _: "{}", ":1: is no result of a run"),
        (lambda _: "[", ":1: is no result of a run"),
        (lambda line: line.replace('"seed"', '"sead"'), ":1: is no result of a run.*sead"),
        (lambda line: f"{line}\n{line}", ":2: this run stands there already"),
    ],
)
def test_bad_files(run, tmp_path, text, message):
    line = run().as_line()
    file = tmp_path / "results.jsonl"
    file.write_text(text(line))
    with pytest.raises(ConfigurationError, match=re.escape(str(file)) + message):
        read_results([file])
    with pytest.raises(ConfigurationError, match="none.jsonl: cannot be read"):
        read_results([tmp_path / "none.jsonl"])


def test_counts_of_sentences(run):
    assert run().test.sentence_counts().tolist() == [[1, 1, 1], [0, 0, 0], [0, 0, 0], [0, 2, 1], [0, 0, 0]]
    assert run().test.overall == (1, 3, 2)


def test_revision(monkeypatch, tmp_path):
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    assert head.startswith(results.revision().rstrip("+"))
    monkeypatch.setattr(results, "__file__", str(tmp_path / "results.py"))
    assert results.revision() == "0.1.0"


@pytest.mark.parametrize(
    "durations, seconds",
    [
        ([], 0),
        (["0:00:05", "0:00:10.500000"], 10.5),
        (["0:00:05", "0:00:10", "0:00:04", "0:00:09"], 19),  # resumed after the second
        (["23:59:50", "1 day, 0:00:10", "2 days, 1:00:00.250000"], 2 * 86400 + 3600.25),
    ],
)
def test_seconds_of_a_resumed_run(durations, seconds, tmp_path):
    for number, duration in enumerate(durations):
        (tmp_path / f"metrics_epoch_{number}.json").write_text(json.dumps({"training_duration": duration}))
    assert seconds_of(epochs_of(tmp_path)) == pytest.approx(seconds)


def test_epochs_are_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 9, 2):
        (tmp_path / f"metrics_epoch_{number}.json").write_text(json.dumps({"epoch": number}))
    assert [epoch["epoch"] for epoch in epochs_of(tmp_path)] == [2, 9, 10]
