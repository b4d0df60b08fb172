import json

import pytest

from roseq_allennlp.commands import select
from roseq_allennlp.data.documents import Tally
from roseq_allennlp.data.formats import FORMATS, ReadOptions, recognised
from roseq_allennlp.data.label_statistics import count_labels
from roseq_allennlp.evaluation.tagged_data import read_labelled
from roseq_allennlp.models.archive import load_archive
from roseq_allennlp.predictors.sentences import Sentence
from roseq_allennlp.predictors.uncertainty import unsure

DATA = "fixtures/wnut17/emerging.test.annotated"
TEXTS = [
    "Marta Keller flies from Lisbon to Oslo tomorrow",
    "zzz qqqq of Hushpod Mini and Velvet Moth , whatever",
    "hello",
    "marta keller flies from Lisbon to Oslo tomorrow !",
]


def sentences_of(path, name=None):
    return list(FORMATS[name or recognised(str(path))].read(str(path), ReadOptions(), Tally()))


def entities_of(tagger, text):
    return [(entity["label"], entity["start"], entity["end"]) for entity in tagger.tag(text)["entities"]]


@pytest.mark.parametrize(
    "name, arguments, kind",
    [
        ("tasks.jsonl", [], "doccano"),
        ("tasks.json", [], "label-studio"),
        ("tasks.conll", [], "columns"),
        ("tasks.spacy", [], "spacy"),
        ("tasks.jsonl.gz", ["--output-format", "prodigy"], "prodigy"),
    ],
)
@pytest.mark.parametrize("by", ["entropy", "margin"])
def test_the_least_sure_sentences_are_written_as_tasks(
    roseq, archive_path, tagger, tmp_path, name, arguments, kind, by
):
    pool, output = tmp_path / "pool.txt", tmp_path / "new" / name
    pool.write_text("".join(f"{text}\n\n" for text in TEXTS), encoding="utf-8")
    status, printed, errors = roseq("select", archive_path, pool, "-n", 2, "--by", by, "-o", output, *arguments)
    assert (status, errors) == (0, "") and f"{name}: 2 of 4 sentences" in printed
    values = dict(unsure(tagger, [Sentence(text.split()) for text in TEXTS], by))
    best = sorted(range(4), key=lambda index: -values[index].score)
    best.remove(max(0, 3, key=best.index))  # the two are nearly the same
    documents = sentences_of(output, kind)
    assert [text for document in documents for text in document.text.split("\n")] == [
        TEXTS[index] for index in best[:2]
    ]
    if kind != "columns":
        for document in documents:
            assert [tuple(entity) for entity in document.entities] == entities_of(tagger, document.text)
    if kind in ("doccano", "label-studio", "prodigy"):
        assert [document.other[by] for document in documents] == pytest.approx(
            [values[index].value for index in best[:2]], abs=1e-3
        )


def test_pools_of_every_kind(roseq, archive_path, tagger, tmp_path):
    rows = [
        {"sentence": TEXTS[0], "id": 1, "label": [[0, 5, "old"]]},
        {"text": "Hushpod Mini is here.  It rains in Porto.", "id": 2, "tags": ["x"]},
        {"tokens": ["Anna", " ", "Berg", "left"], "id": 3, "ner_tags": [0, 0, 0, 0]},
        {"tokens": ["a", ""], "id": 4},
        {"sentence": "  ", "id": 5},
    ]
    pool, output = tmp_path / "pool.jsonl", tmp_path / "tasks.jsonl"
    pool.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    status, printed, errors = roseq("select", archive_path, pool, DATA, "-n", 100, "-o", output)
    assert status == 0
    assert f"{pool}, line 4: left out: `tokens` must be a list of strings" in errors
    assert f"no more than {len(output.read_text(encoding='utf-8').splitlines())} sentences" in errors
    tasks = {task["text"]: task for task in map(json.loads, output.read_text(encoding="utf-8").splitlines())}
    assert set(tasks) >= {TEXTS[0], "Hushpod Mini is here.", "It rains in Porto.", "Anna   Berg left"}
    assert [tasks["It rains in Porto."][key] for key in ("id", "label")] == [2, [[12, 17, "location"]]]
    assert {key for task in tasks.values() for key in task} == {"text", "label", "entropy", "id"}
    values = [task["entropy"] for task in tasks.values()]
    assert values == sorted(values, reverse=True)
    # Those of the labelled file have the tagger's entities, and not its own.
    sentence = next(iter(read_labelled(load_archive(archive_path).dataset_reader, DATA)))["metadata"]["words"]
    expected = [[entity["start"], entity["end"], entity["label"]] for entity in tagger.tag_tokens(sentence)["entities"]]
    assert tasks[" ".join(sentence)]["label"] == expected


def test_rare_types_are_favoured(roseq, archive_path, tmp_path):
    outputs = [tmp_path / "plain.jsonl", tmp_path / "rare.jsonl"]
    shares = []
    for output, options in zip(outputs, ([], ["--balance", "rare"]), strict=True):
        status, printed, _ = roseq("select", archive_path, "corpus://wnut17/train", "-n", 15, "-o", output, *options)
        assert status == 0
        expected = {line.split()[0]: float(line.split()[1]) for line in printed.splitlines()[3:9]}
        # The types of the training data by their number of entities: location and person have the most.
        shares.append(1 - (expected["person"] + expected["location"]) / sum(expected.values()))
    assert shares[1] > shares[0] + 0.02


TRAIN = "fixtures/wnut17/wnut17train.conll"


def test_the_label_weights_tell_the_counts_of_the_training_data(archive_path, tagger):
    counts = count_labels(read_labelled(load_archive(archive_path).dataset_reader, TRAIN), "labels")
    by_weights = select._counts_of_weights(tagger)
    for tag, number in counts.items():
        assert number / counts["O"] == pytest.approx(by_weights[tag] / by_weights["O"], rel=1e-4)


def test_an_archive_without_label_weights(roseq, archive_path, tmp_path, monkeypatch):
    outputs = [tmp_path / f"{name}.jsonl" for name in ("weights", "given", "corpus", "none")]
    run = ["select", archive_path, DATA, "-n", 8, "--balance", "rare", "-o"]
    assert roseq(*run, outputs[0]).status == 0
    monkeypatch.setattr(select, "_counts_of_weights", lambda tagger: None)
    status, _, errors = roseq(*run, outputs[3])  # its config names a file, which is not read
    assert status == 1 and "Give its training data with --train, or leave out --balance." in errors
    assert not outputs[3].exists()
    assert roseq(*run, outputs[1], "--train", TRAIN).status == 0

    def of_a_corpus(*args):
        archive = load_archive(*args)
        archive.config.params["train_data_path"] = "corpus://wnut17/train"
        return archive

    monkeypatch.setattr(select, "load_archive", of_a_corpus)
    assert roseq(*run, outputs[2]).status == 0
    texts = [[json.loads(line)["text"] for line in output.read_text().splitlines()] for output in outputs[:3]]
    assert set(texts[0]) == set(texts[1]) and texts[1] == texts[2]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["-n", "0"], "--number must be at least 1, got 0."),
        (["--by", "disagreement"], "the archive has one tagger: choose entropy or margin"),
        (["-o", "tasks.xyz"], "tasks.xyz: its name does not tell the format"),
        (["-o", "fixtures"], "fixtures: is a directory"),
        (["-", "-"], "standard input (-) can be read once"),
        (["nowhere.txt"], "nowhere.txt: No such file"),
        (["--balance", "rare", "--train", "nowhere.conll"], "nowhere.conll"),
    ],
)
def test_errors(roseq, archive_path, tmp_path, arguments, message):
    status, output, errors = roseq("select", archive_path, DATA, "-o", tmp_path / "tasks.jsonl", *arguments)
    assert (status, output) == (1, "") and errors.startswith("roseq select: error: ") and message in errors
    assert not (tmp_path / "tasks.jsonl").exists()


def test_an_empty_pool(roseq, archive_path, tmp_path):
    pool = tmp_path / "pool.txt"
    pool.write_text("\n \n", encoding="utf-8")
    status, output, errors = roseq("select", archive_path, pool, "-o", tmp_path / "tasks.jsonl")
    assert (status, output) == (1, "") and "no sentence that can be tagged" in errors
