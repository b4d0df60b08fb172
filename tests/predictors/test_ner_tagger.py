import itertools
import json
import sys

import pytest
from allennlp.commands import main
from allennlp.common.checks import ConfigurationError
from allennlp.predictors import Predictor

import roseq_allennlp
from roseq_allennlp.data.tag_schemes import invalid_positions
from roseq_allennlp.predictors import NerTagger

EMPTY = {"words": [], "tags": [], "entities": []}


def approximately(answer):
    """The answer, with room for rounding in its probabilities."""
    entities = [
        {**entity, "probability": pytest.approx(entity["probability"], abs=1e-4)} for entity in answer["entities"]
    ]
    return {**answer, "entities": entities}


def predict(monkeypatch, archive, data, output, *options):
    """The command `allennlp predict` in this process; its output, a dictionary for each line."""
    command = ["allennlp", "predict", archive, data, "--output-file", output, "--silent"]
    monkeypatch.setattr(sys, "argv", [*map(str, command), "--include-package", "roseq_allennlp", *options])
    main()
    return [json.loads(line) for line in output.read_text().splitlines()]


@pytest.mark.parametrize("load", [Predictor.from_path, roseq_allennlp.load])
def test_the_archive_s_own_predictor_gives_what_is_expected(load, archive_path, repository):
    tagger = load(str(archive_path))
    assert type(tagger) is NerTagger
    sentences = (repository / "fixtures" / "sentences.jsonl").read_text(encoding="utf-8").splitlines()
    expected = archive_path.with_name("predictions.jsonl").read_text(encoding="utf-8").splitlines()
    for sentence, answer in zip(sentences, map(json.loads, expected), strict=True):
        assert answer["entities"]
        assert tagger.predict_json(tagger.load_line(sentence)) == approximately(answer)


MARTA = "Marta Keller flies to Oslo"


@pytest.mark.parametrize(
    "text, entities",
    [
        (MARTA, ["Marta Keller", "Oslo"]),
        ("Marta  Keller is\tin  Lisbon ", ["Marta  Keller", "Lisbon"]),
        ("\n Marta\nKeller\r\n flies to Oslo\n", ["Marta\nKeller", "Oslo"]),
        ("\u00a0Marta\u3000Keller\u00a0flies to Oslo", ["Marta\u3000Keller", "Oslo"]),
        ("😍😍 Marta Keller 👩‍👩‍👧 in Porto 😍", ["Marta Keller", "Porto"]),
        ("cafe\u0301s in Lisbon with e\u0301 Oslo", ["Lisbon", "Oslo"]),
        ("שלום Marta Keller in Lisbon עולם", ["Marta Keller", "Lisbon"]),
        ("\u202bمرحبا\u202c Marta Keller", ["Marta Keller"]),
        ("Oslo's (Lisbon) #Porto", ["Oslo", "Lisbon", "Porto"]),
    ],
)
def test_entities_are_pieces_of_the_text(tagger, text, entities):
    answer = tagger.tag(text)
    assert [entity["text"] for entity in answer["entities"]] == entities
    assert answer.keys() == EMPTY.keys() and len(answer["words"]) == len(answer["tags"])
    assert {tag[0] for tag in answer["tags"]} <= set("BIOES") and not invalid_positions(answer["tags"], "BIOES")
    for entity in answer["entities"]:
        assert entity["text"] == text[entity["start"] : entity["end"]]
        span = slice(entity["start_token"], entity["end_token"])
        assert answer["words"][span] == entity["text"].split()
        assert {tag[2:] for tag in answer["tags"][span]} == {entity["label"]}
        assert 0 < entity["probability"] <= 1


@pytest.mark.parametrize("tokens", [MARTA.split(), tuple(MARTA.split())])
def test_tokens(tagger, tokens):
    answer = tagger.tag_tokens(tokens)
    assert answer == approximately(tagger.tag(MARTA)) == next(tagger.tag_many([tokens]))
    assert tagger.tag_tokens(["New York", "-", "Oslo"])["words"] == ["New York", "-", "Oslo"]  # as they are


@pytest.mark.parametrize("wrong", [None, 3, ["Marta"]])
def test_what_is_no_text_raises(tagger, wrong):
    with pytest.raises(ValueError, match="must be a string"):
        tagger.tag(wrong)


@pytest.mark.parametrize("wrong", ["Marta", ["Marta", ""], ["Marta", " \t"], ["Marta", None], [["Marta"]]])
def test_what_are_no_tokens_raises(tagger, wrong):
    with pytest.raises(ValueError, match="list of strings"):
        tagger.tag_tokens(wrong)


def test_tag_many_keeps_the_order_and_does_not_depend_on_the_batch(tagger):
    texts = [MARTA, "", "so " * 40, ["job", "at", "Nordlight", "Labs"], "a", None, "😍", "Lisbon", 7]
    alone = list(tagger.tag_many(texts, batch_size=1))
    assert alone[0]["entities"] and alone[1] == EMPTY and alone[3]["words"] == texts[3]
    assert [place for place, answer in enumerate(alone) if "error" in answer] == [5, 8]
    for batch_size in (2, 64):
        for one, other in zip(alone, tagger.tag_many(iter(texts), batch_size=batch_size), strict=True):
            assert other == (one if "error" in one else approximately(one))


def test_tag_many_refuses_a_single_text(tagger):
    with pytest.raises(ValueError, match="use tag for one"):
        next(tagger.tag_many("Marta Keller"))


def test_tag_many_is_lazy(tagger):
    taken = []

    def endless():
        for number in itertools.count():
            assert number < 100, "read far ahead of the answers"
            taken.append(number)
            yield f"number {number}"

    answers = list(itertools.islice(tagger.tag_many(endless(), batch_size=4), 6))
    assert [answer["words"] for answer in answers] == [["number", str(number)] for number in range(6)]
    assert len(taken) == 8


ANSWER, ERROR = "an answer", "an error"
GOOD = json.dumps({"sentence": MARTA})
LINES = [
    (GOOD, ANSWER),
    ('{"sentence": ""}', EMPTY),
    ('{"sentence": " \\t\\n\\u00a0 "}', EMPTY),
    ('{"tokens": []}', EMPTY),
    (GOOD, ANSWER),
    (json.dumps({"sentence": "x" * 10_000}), ANSWER),
    (json.dumps({"tokens": ["😍" * 10_000, "in", "Oslo"]}), ANSWER),
    ('{"sentence": null}', ERROR),
    ("null", ERROR),
    (GOOD, ANSWER),
    ("3", ERROR),
    ('["Marta"]', ERROR),
    ('"Marta"', ERROR),
    ("{}", ERROR),
    ('{"sentence": 3}', ERROR),
    ('{"sentence": ["Marta"]}', ERROR),
    (GOOD, ANSWER),
    ('{"sentence": "Marta', ERROR),
    ("Marta", ERROR),
    ("[" * 100_000, ERROR),
    ('{"tokens": ["Marta", ""]}', ERROR),
    ('{"tokens": "Marta"}', ERROR),
    ('{"tokens": null}', ERROR),
    ('{"sentence": "Marta", "tokens": ["Marta"]}', ERROR),
    ('{"sentence": "\\ud83d"}', ERROR),
    ('{"sentence": "a\\u0000b\\u200b"}', ANSWER),
    (GOOD, ANSWER),
]


@pytest.mark.parametrize("options", [[], ["--batch-size", "3"], ["--batch-size", "100"]])
def test_each_line_gets_an_answer_or_an_error_of_its_own(monkeypatch, tagger, archive_path, tmp_path, options):
    data = tmp_path / "lines.jsonl"
    data.write_text("\n".join(line for line, _ in LINES) + "\n", encoding="utf-8")
    good = approximately(tagger.tag(MARTA))
    results = predict(monkeypatch, archive_path, data, tmp_path / "out.jsonl", *options)
    for result, (line, expected) in zip(results, LINES, strict=True):
        if expected is ERROR:
            assert result.keys() == {"error"} and result["error"]
        elif expected is ANSWER:
            assert result["words"] and len(result["tags"]) == len(result["words"])
            assert line != GOOD or result == good
        else:
            assert result == expected


@pytest.mark.parametrize("options", [[], ["--batch-size", "16"]])
def test_column_files(monkeypatch, tagger, archive_path, tmp_path, options):
    sentences = [MARTA.split(), ["#Nordlight", "😍"], ["so", "happy"], ["Lisbon"]]
    data = tmp_path / "new.conll"
    data.write_text("\n\n".join("\n".join(f"{word}\tO" for word in words) for words in sentences), encoding="utf-8")
    results = predict(monkeypatch, archive_path, data, tmp_path / "out.jsonl", "--use-dataset-reader", *options)
    for result, words in zip(results, sentences, strict=True):
        assert result == approximately(tagger.tag_tokens(words)) and result["words"] == words
    assert [entity["text"] for entity in results[0]["entities"]] == ["Marta Keller", "Oslo"]


def test_top_k(archive_path):
    overrides = {"model.top_k": 3}
    answer = Predictor.from_path(archive_path, overrides=json.dumps(overrides)).tag(MARTA)
    assert len(answer["top_k_tags"]) == 3 and answer["top_k_tags"][0]["tags"] == answer["tags"]
    assert not any(invalid_positions(path["tags"], "BIOES") for path in answer["top_k_tags"])
    assert {tag[0] for path in answer["top_k_tags"] for tag in path["tags"]} <= set("BIOES")


def test_language(tagger, archive_path):
    model, reader = tagger._model, tagger._dataset_reader
    assert reader.language == "en" and tagger.tag("it's Oslo")["words"] == ["it", "'s", "Oslo"]  # the config's
    assert NerTagger(model, reader, language="fr").tag("l'Oslo")["words"] == ["l'", "Oslo"]
    with pytest.raises(ConfigurationError, match="'qq'"):
        NerTagger(model, reader, language="qq")
    with pytest.raises(ConfigurationError, match="'qq'"):
        Predictor.from_path(archive_path, overrides=json.dumps({"dataset_reader.language": "qq"}))
