import pytest

from roseq_allennlp.evaluation.tagged_data import score_of, tag_file
from roseq_allennlp.models.archive import load_archive

DATA = "fixtures/wnut17/emerging.test.annotated"


def test_f1_falls_with_noise(roseq, archive_path, tmp_path):
    plot = tmp_path / "plots" / "noise.svg"
    other = f"{archive_path.parent}/../archive/model.tar.gz"
    status, output, _ = roseq("noise", archive_path, other, DATA, "--levels", "0.8,0,0.3", "-o", plot)
    assert status == 0
    rows = [list(map(float, line.split())) for line in output.splitlines()[3:6]]
    assert [row[0] for row in rows] == [0, 0.3, 0.8]
    assert all(first == second for _, first, second in rows)  # the same archive on the same text
    clean = score_of(tag_file(load_archive(archive_path), DATA)).overall.f1
    assert rows[0][1] == pytest.approx(clean, abs=0.006) and rows[2][1] < clean - 20
    assert "<svg" in plot.read_text(encoding="utf-8")
    first = plot.read_bytes()
    assert roseq("noise", archive_path, other, DATA, "--levels", "0.8,0,0.3", "-o", plot).output == output
    assert plot.read_bytes() == first
    assert (
        roseq("noise", archive_path, DATA, "--levels", "0.8", "--seed", "2", "-o", plot).output.split()[-5]
        != rows[2][1]
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--levels", "0,2"], "from 0 to 1; got 2.0"),
        (["--levels", "x"], "--levels: 'x'"),
        (["--kinds", "swap,typo"], "['typo']. Known are swap"),
        (["-o", "noise.html"], "pictures are written as .svg, .png, .pdf"),
    ],
)
def test_errors(roseq, archive_path, arguments, message):
    status, output, errors = roseq("noise", archive_path, DATA, *arguments)
    assert (status, output) == (1, "") and errors.startswith("roseq noise: error: ") and message in errors
