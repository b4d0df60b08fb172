"""The notebook of docs/ runs as it stands there, and its outputs are those of this version; what results show of themselves."""

import html
import json
import re

import nbformat
import pytest

from roseq_allennlp.data.tag_schemes import Span
from roseq_allennlp.evaluation.pages import Page
from roseq_allennlp.evaluation.report import render
from roseq_allennlp.evaluation.tagged_data import TaggedSentence, score_of, tag_file
from roseq_allennlp.models.archive import load_archive
from roseq_allennlp.predictors import NerTagger
from roseq_allennlp.scoring.conlleval import score
from roseq_allennlp.tables import html_table
from tests.notebooks import QUICKSTART, executed, keep


def test_the_kept_outputs_are_small_whole_and_of_no_machine():
    text = QUICKSTART.read_text(encoding="utf-8")
    assert len(text) < 60_000 and not re.search(
        r"/(?:tmp|home|root|work|usr|var)/|site-packages|Traceback|\\u001b\[", text
    )
    notebook = nbformat.from_dict(json.loads(text))
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))


@pytest.mark.notebook
def test_the_quickstart_runs(tmp_path):
    """A minute: seven commands. Numbers may differ between machines; what kinds of outputs there are does not."""
    kept = nbformat.read(QUICKSTART, 4)
    clone = tmp_path / "clone"
    new = nbformat.reads(keep(executed(kept, clone), clone), 4)
    assert "roseq_allennlp" not in "".join(
        path.name for path in clone.iterdir()
    )  # only what the package brings is used
    kinds = [
        [
            sorted((output.output_type, output.get("name", ""), *output.get("data", {})) for output in cell.outputs)
            for cell in notebook.cells
            if cell.cell_type == "code"
        ]
        for notebook in (kept, new)
    ]
    assert kinds[0] == kinds[1]
    (training,) = [cell.outputs for cell in new.cells if "roseq train" in cell.source]
    printed = "".join(output.text for output in training)
    assert float(re.search(r"overall +[\d.]+ +[\d.]+ +([\d.]+)", printed)[1]) > 50
    (answer,) = [cell.outputs[0].data["text/html"] for cell in new.cells if cell.source.startswith("tagger.tag")]
    assert answer.count("<mark") >= 2


def cells(text):
    return [
        [html.unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
        for row in text.split("<tr>")[1:]
    ]


def test_a_table():
    text = html_table(["type", "F1"], [["<b>&", 99.999], ["c", 1]])
    assert cells(text) == [["type", "F1"], ["<b>&", "100.00"], ["c", "1"]] and "<b>" not in text
    assert text.count("text-align: right") == 3 and cells(html_table(["a"], [])) == [["a"]]


def test_scores():
    result = score([["B-a", "E-a", "O", "S-b"]], [["B-a", "E-a", "S-b", "O"]])
    assert cells(result._repr_html_()) == [
        ["type", "precision", "recall", "F1", "correct", "predicted", "gold"],
        ["a", "100.00", "100.00", "100.00", "1", "1", "1"],
        ["b", "0.00", "0.00", "0.00", "0", "1", "1"],
        ["overall", "50.00", "50.00", "50.00", "1", "2", "2"],
    ]


def test_a_tagger_says_what_it_is(tagger):
    rows = cells(tagger._repr_html_())
    assert (
        rows[1:] == [list(line) for line in tagger.description.lines()] == cells(tagger.description._repr_html_())[1:]
    )
    assert NerTagger(tagger._model, tagger._dataset_reader)._repr_html_() is None


def test_a_sentence_has_gold_and_predicted_entities():
    sentence = TaggedSentence(
        ["Ann", "<i>", "Oslo"], ["S-a", "O", "S-b"], ["S-a", "S-c", "O"], {Span("c", 1, 2): 0.25, Span("a", 0, 1): 0.5}
    )
    gold, predicted = sentence._repr_html_().split("tagger", 1)
    marks = [
        re.findall(r"<mark[^>]*>\s*(.*?)\s*<span[^>]*>(.*?)</span>", part, re.DOTALL) for part in (gold, predicted)
    ]
    assert marks == [[("Ann", "a"), ("Oslo", "b")], [("Ann", "a 0.50"), ("&lt;i&gt;", "c 0.25")]] and "gold" in gold


def test_a_page_is_shown_in_a_frame_of_its_own(archive_path):
    data = "fixtures/wnut17/emerging.test.annotated"
    sentences = tag_file(load_archive(archive_path), data)
    page = render({"a": sentences}, data, ["a.tar.gz"], "1", "not known")
    frame = re.fullmatch(r'<iframe srcdoc="([^"]*)" sandbox="allow-scripts"[^>]*></iframe>', page._repr_html_())
    assert isinstance(page, Page) and html.unescape(frame[1]) == page
    assert f"{score_of(sentences).overall.f1:.2f}" in page
