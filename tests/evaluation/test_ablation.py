import csv
import json
import statistics

import pytest

from roseq_allennlp.evaluation.ablation import (
    HEADERS,
    SYSTEMS,
    Result,
    epochs_of,
    read_result,
    seconds_of,
    summary,
    write_result,
    write_tables,
)


def result(system, seed, f1, seconds=60.0):
    return Result(system, seed, 1.0, 2.0, f1 + 10, 3.0, 4.0, f1, 5, 9, seconds)


RESULTS = [result("base", 1, 30.0), result("base", 2, 31.0, 120.0), result("fl", 1, 33.0), result("at", 1, 29.0)]


def test_summary():
    deviation = statistics.stdev([30, 31])
    assert summary(RESULTS) == [
        ["Base Model", 2, f"40.50 ± {deviation:.2f}", f"30.50 ± {deviation:.2f}", "", 1.5],
        ["+FL", 1, "43.00", "33.00", "+2.50", 1.0],
        ["+AT", 1, "39.00", "29.00", "-1.50", 1.0],
    ]
    assert summary(RESULTS[2:])[0][4] == ""  # no base to compare with


def test_tables(tmp_path):
    write_tables(tmp_path, "wnut17", RESULTS)
    lines = (tmp_path / "table.md").read_text(encoding="utf-8").splitlines()
    assert [cell.strip() for cell in lines[2].strip("|").split("|")] == list(HEADERS)
    assert lines[4].startswith("| Base Model") and lines[4].endswith("1.50 |") and len(lines) == 7
    with open(tmp_path / "table.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["test_f1"] for row in rows] == ["30.0", "31.0", "33.0", "29.0"]
    picture = (tmp_path / "plot.svg").read_text(encoding="utf-8")
    assert all(word in picture for word in ("+FL", "Base", "development", "test"))


def test_results_are_kept_exactly(tmp_path):
    kept = result("base", 1, 100 / 3)
    write_result(tmp_path / "result.json", kept)
    assert read_result(tmp_path / "result.json") == kept


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


def test_the_systems_are_those_of_table_iv():
    assert len(SYSTEMS) == 8
    assert all((name.lower().replace(" +", "_").strip("+") == key) for key, name in list(SYSTEMS.items())[1:-1])
