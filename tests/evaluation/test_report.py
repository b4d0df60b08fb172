import html
import json
import re
import shutil
import tarfile

import pytest

from roseq_allennlp.data.tag_schemes import Span
from roseq_allennlp.evaluation.report import render, training_of
from roseq_allennlp.evaluation.tagged_data import TaggedSentence, score_of, tag_file
from roseq_allennlp.models.archive import load_archive
from roseq_allennlp.scoring import error_kinds

DATA = "fixtures/wnut17/emerging.test.annotated"
TRAIN = "fixtures/wnut17/wnut17train.conll"


def cells(page, title):
    """The rows of the first table after a heading."""
    section = page[page.index(f"<h2>{title}</h2>") :]
    body = section[section.index("<tbody>") : section.index("</tbody>")]
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    return [[html.unescape(cell) for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row)] for row in rows]


@pytest.fixture(scope="module")
def tagged(archive_path):
    return tag_file(load_archive(archive_path), DATA)


def test_one_model(roseq, archive_path, tagged, tmp_path):
    output = tmp_path / "new" / "report.html"
    status, printed, said = roseq("report", archive_path, DATA, "--train", TRAIN, "-o", output)
    assert status == 0 and str(output) in printed and "training split" not in said
    page = output.read_text(encoding="utf-8")
    assert [path.name for path in output.parent.iterdir()] == ["report.html"]
    overall = score_of(tagged).overall
    scores = [f"{value:.2f}" for value in (overall.precision, overall.recall, overall.f1)]
    assert cells(page, "Overall")[0][:4] == ["archive", *scores] and " ".join(scores) in " ".join(printed.split())
    tokens = {row[0]: int(row[3].replace(",", "")) for row in cells(page, "Labels")}
    assert sum(tokens.values()) == score_of(tagged).tokens
    types = score_of(tagged).types
    for label, _, _, *entity in cells(page, "F1 by label"):
        expected = ["", "", ""] if label == "O" else [f"{types[label].precision:.2f}", f"{types[label].recall:.2f}"]
        assert entity[: len(expected)] == expected
    confusion = cells(page, "Confusion of types")
    assert sum(int(cell.replace(",", "")) for row in confusion for cell in row[1:]) == score_of(tagged).tokens
    if error_kinds.AVAILABLE:
        kinds = {row[0]: int(row[1]) for row in cells(page, "Errors by kind")}
        assert kinds["correct"] == overall.correct and sum(kinds.values()) - kinds["spurious"] == overall.gold
    seen = cells(page, "F1 of seen and unseen entities")
    assert sum(int(row[1]) for row in seen) == overall.gold
    assert page.count("<article") == sum(
        bool(sentence.gold_entities or sentence.predicted_entities) for sentence in tagged
    )
    # What a page takes from elsewhere.
    assert not re.search(r'(src|href)="(?!#|data:,)', page) and "@import" not in page and "url(http" not in page


def test_two_models(roseq, archive_path, tmp_path):
    output = tmp_path / "report.html"
    assert roseq(
        "report", archive_path, DATA, "--against", f"{archive_path.parent}/../archive/model.tar.gz", "-o", output
    )
    page = output.read_text(encoding="utf-8")
    assert "p = 1.0000 by paired bootstrap" in page
    assert len(cells(page, "F1 by label")[0]) == 2 + 2 * 4


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["{archive}", DATA, "-o", "{directory}"], "is a directory"),
        (["runs/none", DATA, "-o", "setup.py/r.html"], "setup.py/r.html: its directory cannot be made"),
        (["{archive}", DATA, "--train", "fixtures/none", "-o", "{directory}/r.html"], "fixtures/none: no such file"),
        (["runs/none", DATA, "-o", "{directory}/r.html"], "runs/none: no such archive"),
        (["{archive}", "fixtures/sentences.txt", "-o", "{directory}/r.html"], "columns in"),
    ],
)
def test_errors(roseq, archive_path, tmp_path, arguments, message):
    status, _, said = roseq("report", *(text.format(archive=archive_path, directory=tmp_path) for text in arguments))
    assert status == 1 and said.splitlines()[-1].startswith("roseq report: error: ") and message in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (TRAIN, "the archive's config names no corpus of the catalogue, and other files are not read"),
        ("{secret}", "names no corpus of the catalogue"),
        ("https://example.org/data", "names no corpus of the catalogue"),
        ("corpus://glove-6b-100d/vectors.txt", "names no corpus of the catalogue"),
        ("corpus://conll2003-en/train", "is not at hand, or the archive's reader does not read it"),
        (["corpus://wnut17/train"], "names no corpus of the catalogue"),
        ("corpus://wnut17/train", ""),
    ],
)
def test_the_training_split_of_an_archive(path, said, roseq, archive_path, tmp_path, monkeypatch):
    # A file whose first line would be quoted by the reader's error.
    secret = tmp_path / "secret"
    secret.write_text("root:PASSWORD:19000\n")
    for name in ("conll2003", "wnut17"):  # of the first, what is at hand is not what the reader takes
        shutil.copytree(f"fixtures/{name}", tmp_path / name)
    (tmp_path / "conll2003" / "eng.train").write_text("root:PASSWORD:19000\n")
    monkeypatch.setenv("ROSEQ_DATA", str(tmp_path))
    run = tmp_path / "run"
    with tarfile.open(archive_path) as archive:
        archive.extractall(run, filter="data")
    config = json.loads((run / "config.json").read_text())
    config["train_data_path"] = path.replace("{secret}", str(secret)) if isinstance(path, str) else path
    (run / "config.json").write_text(json.dumps(config))
    status, printed, errors = roseq("report", run, DATA, "-o", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert status == 0 and "PASSWORD" not in page + printed + errors
    assert (said in html.unescape(page) and said in errors and "--train" in errors) if said else "--train" not in errors


def page_of(sentences, training="none"):
    return render({"a": sentences}, "data", ["a.tar.gz"], "1", training)


def test_nothing_is_predicted():
    page = page_of([TaggedSentence(["a", "b"], ["S-X", "O"], ["O", "O"], {}), TaggedSentence(["c"], ["O"], ["O"], {})])
    assert cells(page, "Overall")[0][1:4] == ["0.00", "0.00", "0.00"]
    assert "Expected calibration error: a 0.00 %" in page and page.count("<article") == 1


def test_a_group_without_entities_has_no_score():
    page = page_of([TaggedSentence(["a"], ["S-X"], ["S-X"], {Span("X", 0, 1): 0.5})])
    assert cells(page, "F1 by entity length")[:2] == [["1", "1", *["100.00"] * 3], ["2", "0", *["none"] * 3]]


def test_no_entities_at_all():
    assert page_of([TaggedSentence(["a"], ["O"], ["O"], {})]).count("<article") == 0
    assert "</html>" in page_of([])


def test_nothing_of_the_data_is_markup():
    words = ["<script>alert(1)</script>", "&amp;", 'a"b', "'", "x\u2028y\nz", "{text}", "😍"]
    tags = ["S-<em>&\"'", *["O"] * 5, "S-A-B"]
    entities = {Span("<em>&\"'", 0, 1): 0.5, Span("A-B", 6, 7): 0.5}
    page = render(
        {"<i>": [TaggedSentence(words, tags, tags, entities)]}, "<u>", ["<s>"], "1", training_of([words], [tags])
    )
    body = re.sub(r"<style>.*?</style>|<svg.*?</svg>|<script>\s*\"use strict\".*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"<(script|em>|i>|u>|s>)", body)
    gold = re.search(r'<span>gold</span><div class="entities".*?>(.*?)</div>', page, re.DOTALL)
    assert gold is not None
    shown = " ".join(html.unescape(re.sub(r"<.*?>", "", gold[1])).split())
    assert shown == "<script>alert(1)</script> <em>&\"' &amp; a\"b ' x y z {text} 😍 A-B"


def test_without_nervaluate(monkeypatch):
    monkeypatch.setattr(error_kinds, "AVAILABLE", False)
    page = page_of([TaggedSentence(["a", "b"], ["S-X", "O"], ["O", "S-Y"], {Span("Y", 1, 2): 0.5})])
    assert "need Python 3.11" in page and "missed: X" in page and "wrong: Y" in page and 'id="kind"' not in page
