import random

import pytest
from sklearn.metrics import confusion_matrix

from roseq_allennlp.data.tag_schemes import convert
from roseq_allennlp.evaluation.breakdown import by_entity_length, by_sentence_length, by_surface_form, confusion
from roseq_allennlp.evaluation.tagged_data import TaggedSentence, score_of
from roseq_allennlp.scoring.conlleval import Counts, total

TAGS = ["O", "O", "B-A", "I-A", "I-A", "B-B", "I-B"]


@pytest.fixture
def sentences():
    rng = random.Random(8)
    result = []
    for length in range(1, 80):
        gold, predicted = (convert(rng.choices(TAGS, k=length), "IOB2", "BIOES") for _ in range(2))
        predicted = convert(gold[: length // 2] + predicted[length // 2 :], "BIOES", "BIOES")
        result.append(TaggedSentence([rng.choice("abcdef") for _ in gold], gold, predicted, {}))
    return result


@pytest.mark.parametrize(
    "way", [by_entity_length, by_sentence_length, lambda sentences: by_surface_form(sentences, {("a",), ("b", "c")})]
)
def test_groups_add_up_to_all(way, sentences):
    groups = way(sentences)
    assert total(groups) == score_of(sentences).overall
    assert all(counts.gold for counts in groups.values())


def test_entity_length():
    sentence = TaggedSentence(list("abcdefgh"), convert(["B-A"] + ["I-A"] * 5 + ["O", "B-A"], "IOB2", "BIOES"), [], {})
    predicted = convert(["B-A"] + ["I-A"] * 4 + ["O", "O", "B-A"], "IOB2", "BIOES")
    assert by_entity_length([sentence._replace(predicted=predicted)]) == {
        "1": Counts(1, 1, 1),
        **dict.fromkeys(("2", "3", "4"), Counts()),
        "5 or more": Counts(0, 1, 1),
    }


@pytest.mark.parametrize(
    "length, group", [(1, "1 to 10"), (10, "1 to 10"), (11, "11 to 20"), (50, "31 to 50"), (51, "more than 50")]
)
def test_sentence_length(length, group):
    tags = ["S-A"] + ["O"] * (length - 1)
    groups = by_sentence_length([TaggedSentence(["w"] * length, tags, tags, {})])
    assert {name: counts for name, counts in groups.items() if counts.gold} == {group: Counts(1, 1, 1)}


def test_seen_and_unseen():
    words = ["New", "York", "new", "York"]
    sentence = TaggedSentence(words, ["B-L", "E-L", "B-L", "E-L"], ["B-P", "E-P", "B-L", "E-L"], {})
    groups = by_surface_form([sentence], {("New", "York")})
    assert groups == {"seen": Counts(0, 1, 1), "unseen": Counts(1, 1, 1)}


def test_confusion(sentences):
    flat = [
        [tag[2:] or "O" for tags in side for tag in tags]
        for side in zip(*((s.gold, s.predicted) for s in sentences), strict=True)
    ]
    expected = confusion_matrix(*flat, labels=["B", "O", "A"])
    assert confusion(sentences, ["B", "O", "A"]).tolist() == expected.tolist()
    sentence = TaggedSentence(list("abcd"), ["S-A", "B-A", "E-A", "O"], ["S-A", "B-B", "E-B", "S-A"], {})
    assert confusion([sentence], ["O", "A", "B"]).tolist() == [[0, 1, 0], [0, 1, 2], [0, 0, 0]]
    assert confusion([sentence], ["O", "others"]).tolist() == [[0, 1], [0, 3]]
