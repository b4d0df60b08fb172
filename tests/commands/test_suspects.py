import html
import json
import multiprocessing
import re
import shutil

import pytest

from roseq_allennlp.commands import suspects
from roseq_allennlp.data.documents import Entity, Tally
from roseq_allennlp.data.folds import folds_of
from roseq_allennlp.data.formats import FORMATS, ReadOptions
from roseq_allennlp.data.formats.columns import read as read_columns
from roseq_allennlp.data.tag_schemes import Span
from roseq_allennlp.evaluation.out_of_fold import Tagged
from roseq_allennlp.evaluation.suspect_rows import suspect_sentences
from roseq_allennlp.evaluation.suspects_page import render
from roseq_allennlp.evaluation.tagged_data import TaggedSentence
from roseq_allennlp.scoring.suspects import KINDS, Evidence

CONFIG = "training_configs/fixture.jsonnet"
SMALL = {"model.encoder.hidden_size": 4, "model.fusion.input_dim": 8}


@pytest.fixture
def trained(monkeypatch, archive_path, tmp_path):
    """In place of training, which would take seconds for each fold, a run has the weights of `fixtures/`."""
    begun = []

    def copied(run):
        shutil.unpack_archive(archive_path, run)
        (run / "weights.th").rename(run / "best.th")
        (run / "metrics.json").write_text("{}")

    def start(config, run, log, recover):
        begun.append(json.loads(config.read_text(encoding="utf-8")))
        process = multiprocessing.get_context("fork").Process(target=copied, args=(run,))
        process.start()
        return process

    monkeypatch.setattr(suspects, "start_training", start)
    return begun


def data(tmp_path, lines):
    """A config that trains on these lines."""
    file = tmp_path / "my data.conll"
    file.write_text("".join(line.replace(" ", "\t") + "\n" for line in lines), encoding="utf-8")
    local = f"""(import '{suspects.CONFIGS / "fixture.jsonnet"}') + {{ train_data_path: '{file}' }}"""
    config = tmp_path / "own.jsonnet"
    config.write_text(local, encoding="utf-8")
    return config


def rows_of(page):
    return [json.loads(line) for line in page.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()]


def test_folds_are_trained_in_processes_and_only_once(roseq, tmp_path, monkeypatch):
    page, runs = tmp_path / "new" / "page.html", tmp_path / "runs"
    arguments = [
        "suspects",
        CONFIG,
        "--folds",
        2,
        "--epochs",
        1,
        "--overrides",
        json.dumps(SMALL),
        "-s",
        runs,
        "-o",
        page,
    ]
    first = roseq(*arguments)
    assert first.status == 0, first.errors
    assert {path.name for path in page.parent.iterdir()} == {"page.html", "page.jsonl", "page.json"}
    assert len(json.loads((runs / "fold1" / "metrics_epoch_0.json").read_text())) and "Epoch 0/0" in (
        runs / "fold2.log"
    ).read_text(encoding="utf-8")

    # What a fold is trained on, and so its vocabulary and counts of labels, is all of the other fold and nothing of its own.
    documents = list(read_columns("fixtures/wnut17/wnut17train.conll", ReadOptions(), Tally()))
    folds = folds_of(len(documents), 2, 1)
    for fold in range(2):
        config = json.loads((runs / f"fold{fold + 1}.json").read_text())
        assert config["train_data_path"] == str(runs / f"fold{fold + 1}.conll")
        assert config["validation_data_path"] == "fixtures/wnut17/emerging.dev.conll"
        trained_on = read_columns(config["train_data_path"], ReadOptions(), Tally())
        expected = [one.text for one, own in zip(documents, folds, strict=True) if own != fold]
        assert [one.text for one in trained_on] == expected
    rows = rows_of(page)
    assert sorted(suspect["rank"] for row in rows for suspect in row["suspects"]) == list(
        range(1, 1 + sum(len(row["suspects"]) for row in rows))
    )
    assert all(row["tokens"] == documents[row["sentence"] - 1].words() for row in rows)

    monkeypatch.setattr(suspects, "start_training", None)
    written = page.with_suffix(".json").read_bytes()
    assert roseq(*arguments).status == 0 and page.with_suffix(".json").read_bytes() == written
    refused = roseq(*arguments, "--seed", 2)
    assert refused.status == 1 and "fold1.conll: the run there was begun with other settings" in refused.errors
    refused = roseq(*[argument if argument != 1 else 2 for argument in arguments])
    assert refused.status == 1 and "fold1.json: the run there was begun with other settings" in refused.errors


LINES = "RT O|@ann O|: O|Paris B-person|Hilton I-person|in O|Chicago O| |I O|love O|Miley B-person|Cyrus B-location| ".split(
    "|"
)


def test_rows_tasks_and_the_page_say_the_same(roseq, tmp_path, trained):
    page = tmp_path / "page.html"
    answer = roseq("suspects", data(tmp_path, LINES), "--folds", 2, "-s", tmp_path / "runs", "-o", page)
    assert answer.status == 0, answer.errors
    rows = rows_of(page)
    assert rows
    counts = dict(line.rsplit(maxsplit=1) for line in answer.output.splitlines() if line.startswith(KINDS))
    for kind in KINDS:
        assert int(counts[kind]) == sum(suspect["kind"] == kind for row in rows for suspect in row["suspects"])
    documents = list(FORMATS["label-studio"].read(str(page.with_suffix(".json")), ReadOptions(), Tally()))
    tasks = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    text = page.read_text(encoding="utf-8")
    articles = re.findall(r"<article.*?</article>", text, re.DOTALL)
    assert len(documents) == len(tasks) == len(articles) == len(rows)
    for row, document, task, article in zip(rows, documents, tasks, articles, strict=True):
        assert document.text == " ".join(row["tokens"]) and document.other["sentence"] == row["sentence"]
        expected = {1: [Entity("person", 10, 22)], 2: [Entity("person", 7, 12), Entity("location", 13, 18)]}
        assert document.entities == expected[row["sentence"]]
        assert len(task["data"]["suspects"]) == len(row["suspects"]) == article.count("<li>")
        marked = [value["value"]["labels"][0] for value in task["predictions"][0]["result"]]
        assert marked == [tag[2:] for tag in row["predicted_tags"] if tag[0] in "BS"]
        assert f"Sentence {row['sentence']}</h3>" in article
        for suspect in row["suspects"]:
            assert f"{suspect['kind']}:</b>" in article and f"(rank {suspect['rank']})" in article
            for side in filter(None, (suspect["labelled"], suspect["proposed"])):
                assert side["text"] == " ".join(row["tokens"][side["start_token"] : side["end_token"]])
    assert "http" not in re.sub(r"<article.*?</article>", "", text, flags=re.DOTALL).replace("http-equiv", "")


def test_unknown_tokens_are_no_suspects(roseq, tmp_path, trained):
    whole, partly = tmp_path / "whole.html", tmp_path / "partly.html"
    lines = ["RT O", "Chicago O", "is O", "cold O", "", "I O", "love O", "Miley O", "Cyrus O", ""]
    hidden = [line.replace("Chicago O", "Chicago ?").replace("Miley O", "Miley ?") for line in lines]
    for page, kept in ((whole, lines), (partly, hidden)):
        config = data(tmp_path, [*kept, "See O", "you O", ""])
        arguments = ["--folds", 2, "-s", tmp_path / page.stem, "-o", page]
        answer = roseq("suspects", config, *arguments)
        assert answer.status == 0, answer.errors

    def texts(page):
        return {
            (row["sentence"], suspect["proposed"]["text"])
            for row in rows_of(page)
            for suspect in row["suspects"]
            if suspect["proposed"]
        }

    assert any("Miley" in text or "Chicago" in text for _, text in texts(whole))
    assert not any("Miley" in text or "Chicago" in text for _, text in texts(partly))
    assert list(FORMATS["label-studio"].read(str(partly.with_suffix(".json")), ReadOptions(), Tally())) is not None


def test_a_part_of_a_corpus_and_a_config_without_development_data(roseq, tmp_path, trained):
    arguments = ["--folds", 3, "-s", tmp_path / "runs", "-o", tmp_path / "page.html"]
    answer = roseq("suspects", "wnut17", "--sentences", 10, "--epochs", 7, *arguments)
    assert answer.status == 0 and "corpus://wnut17/train: 10 sentences" in answer.output
    for config in trained:
        assert config["trainer"]["num_epochs"] == 7 and "tau" not in config["model"]
        assert config["validation_data_path"] == "corpus://wnut17/dev"
        assert "max_instances" not in {**config["validation_dataset_reader"], **config["dataset_reader"]}
        assert "test_data_path" not in config
    assert "the development data of the config choose the best" in (tmp_path / "page.html").read_text(encoding="utf-8")

    config = data(tmp_path, LINES)
    local = config.read_text(encoding="utf-8")
    config.write_text(f"std.mergePatch({local}, {{ validation_data_path: null }})", encoding="utf-8")
    page = tmp_path / "other.html"
    assert roseq("suspects", config, "--folds", 2, "-s", tmp_path / "others", "-o", page).status == 0
    assert "the last one counts" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["wnut18"], "wnut18 is neither a file nor in the catalogue of corpora. Give a training config, or one of"),
        ([CONFIG, "--folds", "1"], "--folds must be at least 2; got 1."),
        ([CONFIG, "--epochs", "0"], "--epochs must be at least 1; got 0."),
        ([CONFIG, "--sentences", "0"], "--sentences must be at least 1; got 0."),
        (
            [CONFIG, "--folds", "2000"],
            "wnut17train.conll: the number of folds must be from 2 to that of sentences, 130; got",
        ),
        ([CONFIG, "-o", "page.json"], "page.json: is the name of the page, and files that end in .jsonl and .json"),
        ([CONFIG, "--overrides", "{"], "--overrides {: is no JSON"),
        ([CONFIG, "--overrides", '{"trainer.num_epoch": 1}'], "--overrides: `trainer.num_epoch`"),
        (["README.md"], "README.md: cannot be read as a training config"),
        (
            [CONFIG, "--overrides", '{"validation_data_path": "./fixtures/wnut17/wnut17train.conll"}'],
            "`validation_data_path` is the training data, so the labels that are held out would choose the epoch.",
        ),
        ([CONFIG, "--overrides", '{"train_data_path": "fixtures/none.conll"}'], "fixtures/none.conll"),
        (
            [CONFIG, "--overrides", '{"dataset_reader": {"type": "conll2003"}}'],
            "`dataset_reader` is a Conll2003DatasetReader, of which no folds are made.",
        ),
    ],
)
def test_errors(roseq, tmp_path, arguments, message):
    output = [] if "-o" in arguments else ["-o", tmp_path / "page.html"]
    status, printed, errors = roseq("suspects", *arguments, *output, "-s", tmp_path / "runs")
    assert (status, printed) == (1, "") and errors.startswith("roseq suspects: error: ") and message in errors


def test_a_page_shows_markup_as_text_and_says_what_it_leaves_out(monkeypatch):
    name = Span("<b>", 0, 1)
    evidence = Evidence({name: 0.1}, {}, {(0, 1): 0.9}, [])
    sentence = TaggedSentence(["<script>", "\u202e"], ["S-<b>", "O"], ["O", "O"], {})
    many = suspect_sentences([Tagged(sentence, evidence)] * 3)
    page = render(many, "<i>data</i>", 4, [("About", "a & b")], "1", "roseq", {"key": "<u>"})
    assert "<script>" not in page.replace('<script>"use strict"', "") and "<i>" not in page and "\u202e" not in page
    assert html.escape("<script>") in page and "\\u202e" in page and "a &amp; b" in page
    assert page.count("<article") == 3 and "3 of 4 sentences have a suspect" in page and "left out" not in page
    monkeypatch.setattr("roseq_allennlp.evaluation.suspects_page.MOST", 2)
    page = render(many, "data", 4, [], "1", "roseq", {})
    assert page.count("<article") == 2 and "the last 1 of them are left out" in page
