import pytest
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.data.tag_schemes import to_spans
from roseq_allennlp.predictors.alternatives import add_alternatives
from tests.paths import allowed_paths

TEXT = "Marta Keller flies from Lisbon to Oslo tomorrow"


def of(entity):
    return (entity["label"], entity["start_token"], entity["end_token"])


@pytest.mark.parametrize("words", [["Marta", "Keller"], ["to", "Oslo"], ["@anna", "in", "Oslo"], ["Lisbon"]])
def test_alternatives_are_the_most_probable_ones_by_sums_over_all_paths(with_emissions, words):
    tagger = with_emissions
    paths = allowed_paths(tagger, words)
    values: dict = {}
    for path, probability in paths.items():
        for span in to_spans(path, "BIOES"):
            values[tuple(span)] = values.get(tuple(span), 0.0) + probability
    best = sorted(paths, key=paths.__getitem__)[-10:]
    seen = {tuple(span) for path in best for span in to_spans(path, "BIOES")}
    answer = tagger.tag_tokens(words)
    add_alternatives(tagger, [(None, answer)], 100)
    assert answer["entities"]
    for entity in answer["entities"]:
        label, start, end = of(entity)
        candidates = seen | {(other, start, end) for other in tagger.labels}
        expected = {span for span in candidates if span != (label, start, end) and span[1] < end and start < span[2]}
        alternatives = entity["alternatives"]
        assert {of(other) for other in alternatives} == expected
        probabilities = [other["probability"] for other in alternatives]
        assert probabilities == pytest.approx([values[of(other)] for other in alternatives], abs=1e-5)
        assert probabilities == sorted(probabilities, reverse=True)


def test_texts_documents_and_tokens(tagger):
    document = f"{TEXT}.\n\nOslo is cold."
    answers = [
        (TEXT, tagger.tag(TEXT)),
        (document, tagger.tag_document(document)),
        (None, tagger.tag_tokens(TEXT.split())),
        (None, tagger.tag_tokens(["Marta", "\n", "flies"])),
        ("", tagger.tag("")),
        (None, {"error": "of the input"}),
    ]
    add_alternatives(tagger, answers, 3)
    for text, answer in answers[:3]:
        text = TEXT if text is None else text
        for entity in answer["entities"]:
            assert len(entity["alternatives"]) == 3
            spans = [(of(other)[1], of(other)[2]) for other in entity["alternatives"]]
            scores = tagger.score(answer["words"], [of(other) for other in entity["alternatives"]])
            if "sentences" not in answer:  # else the words of a sentence are scored
                assert scores == pytest.approx([other["probability"] for other in entity["alternatives"]], abs=1e-6)
            for other in entity["alternatives"]:
                assert text[other["start"] : other["end"]] == other["text"]
                assert other.keys() == entity.keys() - {"alternatives"}
                if "sentences" not in answer:
                    assert other["text"] == " ".join(answer["words"][other["start_token"] : other["end_token"]])
            assert all(start < entity["end_token"] and entity["start_token"] < end for start, end in spans)
    in_document, alone = answers[1][1]["entities"], tagger.tag("Oslo is cold.")
    add_alternatives(tagger, [("Oslo is cold.", alone)], 3)
    assert [of(other) for other in in_document[-1]["alternatives"]] == [
        (label, start + 9, end + 9) for label, start, end in map(of, alone["entities"][0]["alternatives"])
    ]
    white = answers[3][1]["entities"][0]
    assert white["text"] == "Marta" and all(other["text"].startswith("Marta") for other in white["alternatives"])
    plain = tagger.tag_tokens(["Marta", "flies"])
    add_alternatives(tagger, [(None, plain)], 3)
    values = [[other["probability"] for other in entity["alternatives"]] for entity in (white, plain["entities"][0])]
    assert values[0] == pytest.approx(values[1], abs=1e-6)
    assert "alternatives" not in answers[4][1] and answers[5][1] == {"error": "of the input"}


def test_a_long_sentence_takes_no_copy_for_each_span(tagger, monkeypatch):
    words = TEXT.split() * 60
    crf, calls = tagger.crf_model().crf, []
    inner = crf.span_probabilities

    def counted(emissions, mask, tags, spans):
        calls.append(emissions.shape[:2])
        return inner(emissions, mask, tags, spans)

    monkeypatch.setattr(crf, "span_probabilities", counted)
    answer = tagger.tag_tokens(words)
    calls.clear()
    add_alternatives(tagger, [(None, answer)], 10)
    assert len(answer["entities"]) > 100 and all(entity["alternatives"] for entity in answer["entities"])
    assert sum(copies for copies, _ in calls) < 20 and max(copies * tokens for copies, tokens in calls) <= 4096


def test_another_model_has_none(tagger, monkeypatch):
    monkeypatch.setattr(tagger, "_model", object())
    with pytest.raises(ConfigurationError, match="Probabilities of tags are those of a label_aware_crf_tagger"):
        add_alternatives(tagger, [], 1)
