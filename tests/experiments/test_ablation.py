import statistics

import pytest

from roseq_allennlp.experiments.ablation import (
    HEADERS,
    SYSTEMS,
    mean_and_deviation,
    summary,
    write_tables,
)
from roseq_allennlp.experiments.systems import TABLE_IV


@pytest.fixture
def runs(run):
    return [run("base", 1, 30.0), run("base", 2, 31.0, seconds=120.0), run("base+fl", 1, 33.0), run("base+at", 1, 29.0)]


def test_summary(run, runs):
    deviation = statistics.stdev([30, 31])
    assert summary(runs) == [
        ["Base Model", 2, f"40.50 ± {deviation:.2f}", f"30.50 ± {deviation:.2f}", "", 1.5],
        ["+FL", 1, "43.00", "33.00", "+2.50", 1.0],
        ["+AT", 1, "39.00", "29.00", "-1.50", 1.0],
    ]
    assert summary(runs[2:])[0][4] == ""  # no base to compare with
    assert [row[3:5] for row in summary([runs[0], run("base+fl", 1, None)])] == [["30.00", ""], ["", ""]]


def test_a_mean_of_what_is_missing_is_none():
    assert (mean_and_deviation([]), mean_and_deviation([1.0, None]), mean_and_deviation([1.0])) == ("", "", "1.00")


@pytest.mark.parametrize("f1", [30.0, None])
def test_tables(run, runs, tmp_path, f1):
    write_tables(tmp_path, "wnut17", [*runs[1:], run("base", 1, f1)])
    lines = (tmp_path / "table.md").read_text(encoding="utf-8").splitlines()
    assert [cell.strip() for cell in lines[2].strip("|").split("|")] == list(HEADERS)
    assert lines[4].startswith("| Base Model") and lines[4].endswith("1.50 |") and len(lines) == 7
    picture = (tmp_path / "plot.svg").read_text(encoding="utf-8")
    assert all(word in picture for word in ("+FL", "Base", "development", "test"))


def test_the_systems_are_those_of_table_iv():
    assert (
        len(TABLE_IV) == 8 and SYSTEMS["base"].components == () and SYSTEMS["roseq"].components == ("lacrf", "fl", "at")
    )
    assert set(SYSTEMS) - set(TABLE_IV) == {"best"} and SYSTEMS["best"].components == ("lacrf", "fl", "at", "best")
    for system in TABLE_IV[1:-1]:
        assert SYSTEMS[system].title.lower().replace(" +", ",").strip("+") == ",".join(SYSTEMS[system].components)
