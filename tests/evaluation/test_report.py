import html
import json
import re
import shutil
import tarfile

import pytest

from roseq_allennlp.data.tag_schemes import Span
from roseq_allennlp.evaluation import marked_sentences
from roseq_allennlp.evaluation.report import render, training_of
from roseq_allennlp.evaluation.tagged_data import TaggedSentence, score_of, tag_file
from roseq_allennlp.models.archive import load_archive
from roseq_allennlp.scoring import error_kinds
from roseq_allennlp.scoring.conlleval import token_scores

DATA = "fixtures/wnut17/emerging.test.annotated"
TRAIN = "fixtures/wnut17/wnut17train.conll"


def cells(page, title):
    """The rows of the first table after a heading."""
    section = page[page.index(f"<h2>{title}</h2>") :]
    body = section[section.index("<tbody>") : section.index("</tbody>")]
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    return [[html.unescape(cell) for cell in re.findall(r"<t[hd](?: .*?)?>(.*?)</t[hd]>", row)] for row in rows]


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
    for label, gold, *ratios in cells(page, "F1 by type"):
        counts = types.pop(label)
        assert [gold, *ratios] == [
            str(counts.gold),
            *(f"{value:.2f}" for value in (counts.precision, counts.recall, counts.f1)),
        ]
    assert not types
    of_tokens = token_scores([s.gold for s in tagged], [s.predicted for s in tagged])
    assert {label: f1 for label, f1 in cells(page, "F1 of tokens by label") if f1 != "none"} == {
        label: f"{counts.f1:.2f}" for label, counts in of_tokens.items()
    }
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
    settings = dict(cells(page, "How this was made"))
    assert settings["model.type"] == "label_aware_crf_tagger" and settings["trainer.optimizer.type"] == "adam"
    assert f"<pre>roseq report {archive_path} {DATA} --train {TRAIN} -o {output}</pre>" in page
    # What a page takes from elsewhere.
    assert not re.search(r'(src|href)="(?!#|data:,)', page) and "@import" not in page and "url(http" not in page


def test_two_models(roseq, archive_path, tmp_path):
    other, output = tmp_path / "other", tmp_path / "report.html"
    with tarfile.open(archive_path) as archive:
        archive.extractall(other, filter="data")
    config = json.loads((other / "config.json").read_text())
    config["trainer"]["num_epochs"] = 77
    (other / "config.json").write_text(json.dumps(config))
    assert roseq("report", archive_path, DATA, "--against", other, "-o", output).status == 0
    page = output.read_text(encoding="utf-8")
    assert "p = 1.0000 by paired bootstrap" in page
    first, second = cells(page, "F1 by type")[:2]
    assert first[1] == "archive" and second[0] == "other" and second[1:] == first[2:] and len(first) == 6
    differing = cells(page, "How this was made")
    assert [row[0] for row in differing] == ["trainer.num_epochs"] and differing[0][2] == "77"


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


def test_many_types_and_settings_keep_the_page_small():
    sentences = [TaggedSentence(["a"], [f"S-t{n}"], [f"S-t{n}"], {Span(f"t{n}", 0, 1): 0.5}) for n in range(300)]
    configs = {"a": {f"key{n}": "long" * 2000 for n in range(9000)}}
    page = render({"a": sentences}, "data", ["a"], "1", "none", configs=configs)
    assert len(page) < 1_500_000
    assert len(cells(page, "F1 by type")) == 300
    confusion = cells(page, "Confusion of types")
    assert confusion[-1][0] == "all others" and confusion[-1][-1] == "261" and len(confusion) == 40
    assert "the 40 most frequent of 300; the table has all" in page and "the first 500 of 9,000 settings" in page


def test_selection(monkeypatch):
    """Sentences with an error come first, and one that is too long leaves room for others."""
    monkeypatch.setattr(marked_sentences, "MOST", 3)
    monkeypatch.setattr(marked_sentences, "MOST_TEXT", 3000)
    span = Span("X", 0, 1)
    row = {"none": [], "right": [("correct", span)], "wrong": [("spurious", span)], "long": [("missed", span)]}
    names = ["right", "none", "wrong", "right", "long", "wrong", "right"]
    models = {"a": [TaggedSentence(["w" * (3000 if name == "long" else 1)], ["O"], ["O"], {}) for name in names]}
    selection = marked_sentences.select(models, {"a": [row[name] for name in names]})
    assert selection == ([0, 2, 5], 3, 1)


def test_what_is_left_out_is_said(monkeypatch):
    monkeypatch.setattr(marked_sentences, "MOST", 2)
    right, wrong = (TaggedSentence(["a"], ["S-X"], [tag], {Span("X", 0, 1): 0.5}) for tag in ("S-X", "O"))
    none = TaggedSentence(["a"], ["O"], ["O"], {})
    page = page_of([right, right, wrong, none])
    assert "3 sentences have a gold or a predicted entity, the other 1 have none" in page
    assert "1 of them are left out, all without an error" in page and page.count("<article") == 2
    assert "2 of them are left out, 1 with an error" in page_of([wrong, wrong, wrong, right])


def test_nothing_of_the_data_is_markup():
    words = ["<script>alert(1)</script>", "&amp;", 'a"b', "'", "x\u2028y\nz\u202e\ud800", "{text}", "😍"]
    tags = ["S-<em>&\"'", *["O"] * 5, "S-A-B"]
    entities = {Span("<em>&\"'", 0, 1): 0.5, Span("A-B", 6, 7): 0.5}
    page = render(
        {"<x>": [TaggedSentence(words, tags, tags, entities)]}, "<y>", ["<z>"], "1", training_of([words], [tags])
    )
    body = re.sub(r"<style>.*?</style>|<svg.*?</svg>|<script>\s*\"use strict\".*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"<(script|em>|x>|y>|z>)", body) and page.encode()
    gold = re.search(r'<span>gold</span><div><p dir="auto">(.*?)</p>', page, re.DOTALL)
    assert gold is not None
    shown = " ".join(html.unescape(re.sub(r"<.*?>", "", gold[1])).split())
    assert shown == "<script>alert(1)</script> <em>&\"' &amp; a\"b ' x y z\\u202e\\ud800 {text} 😍 A-B"


def test_without_nervaluate(monkeypatch):
    monkeypatch.setattr(error_kinds, "AVAILABLE", False)
    page = page_of([TaggedSentence(["a", "b"], ["S-X", "O"], ["O", "S-Y"], {Span("Y", 1, 2): 0.5})])
    assert "need Python 3.11" in page and "<option>wrong</option>" in page
    assert "✗1 missed:</b> “<bdi>a</bdi>” X" in page and "✗2 wrong:</b> “<bdi>b</bdi>” Y 0.50<" in page
