import re

import pytest

from roseq_allennlp.evaluation.tagged_data import score_of, tag_file
from roseq_allennlp.models.archive import load_archive

DATA = "fixtures/wnut17/emerging.test.annotated"


@pytest.fixture(scope="session")
def other_archive(tmp_path_factory, archive_path):
    """The archive with noise on its emissions: a tagger that makes other errors."""
    import torch
    from allennlp.models.archival import archive_model, load_archive

    directory = tmp_path_factory.mktemp("models") / "noisy"
    directory.mkdir()
    archive = load_archive(archive_path)
    torch.manual_seed(3)
    with torch.no_grad():
        archive.model._emission_layer.bias += 3 * torch.randn_like(archive.model._emission_layer.bias)
    archive.config.to_file(directory / "config.json")
    archive.model.vocab.save_to_files(directory / "vocabulary")
    torch.save(archive.model.state_dict(), directory / "best.th")
    archive_model(directory)
    return directory


def test_two_archives(roseq, archive_path, other_archive):
    status, output, errors = roseq("compare", archive_path, other_archive, DATA)
    assert status == 0
    pair = [tag_file(load_archive(path), DATA) for path in (archive_path, other_archive)]
    first, second = (score_of(sentences).overall for sentences in pair)
    assert first.f1 != second.f1
    lines = output.splitlines()
    model_rows = [line.split() for line in lines[-3:-1]]
    assert [row[0] for row in model_rows] == ["archive", "noisy"]
    for row, counts in zip(model_rows, (first, second), strict=True):
        assert row[1:4] == [f"{value:.2f}" for value in (counts.precision, counts.recall, counts.f1)]
        assert float(row[4]) <= counts.f1 <= float(row[6])
    match = re.match(r"F1 noisy - F1 archive: (\S+) \(95 % (\S+) to (\S+)\), p = (0\.\d{4}|1\.0000);", lines[-1])
    assert match and float(match[1]) == pytest.approx(second.f1 - first.f1, abs=0.006)

    labels = lines[lines.index("Labels by frequency") + 2 : -6]
    assert labels[0].split()[0] == "O"
    numbers = [int(line.split()[1]) for line in labels]
    assert numbers == sorted(numbers, reverse=True)
    assert sum(numbers) == score_of(pair[0]).tokens

    rows = re.findall(r"^ +(\d+) +(right|wrong): .*? (right|wrong): ", output, re.MULTILINE)
    expected = [
        (number, *("right" if sentence.predicted_entities == sentence.gold_entities else "wrong" for sentence in both))
        for number, both in enumerate(zip(*pair, strict=True), 1)
    ]
    assert [(int(number), *rest) for number, *rest in rows] == [row for row in expected if row[1] != row[2]]
    assert rows and "tagging with" in errors


def test_the_same_archive_twice(roseq, archive_path):
    output = roseq("compare", archive_path, archive_path, DATA).output
    assert "One is right" not in output and "p = 1.0000" in output


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["{archive}", "runs/none", DATA], "runs/none: no such archive"),
        (["{archive}", "{archive}", "fixtures/none"], "fixtures/none: no such file"),
        (["{archive}", "{archive}", "corpus://wnut17/training"], "has no 'training'"),
    ],
)
def test_errors(roseq, archive_path, arguments, message):
    status, output, errors = roseq("compare", *(text.format(archive=archive_path) for text in arguments))
    assert (
        (status, output) == (1, "")
        and errors.splitlines()[-1].startswith("roseq compare: error: ")
        and message in errors
    )
