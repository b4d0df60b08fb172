import json
import re
from dataclasses import replace

import pytest
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.experiments.results import keep_result, read_results


def test_results_are_kept_exactly_and_replaced(run, tmp_path):
    file = tmp_path / "new" / "results.jsonl"
    first, second = run(f1=100 / 3), run(seed=2, f1=None)
    for result in (second, first, second):
        keep_result(file, result)
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
        (lambda _: "{}", ":1: is not the result of a run"),
        (lambda _: "[", ":1: is not the result of a run"),
        (lambda line: line.replace('"seed"', '"sead"'), ":1: is not the result of a run.*sead"),
        (lambda line: f"{line}\n{line}", ":2: this run occurs twice"),
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
