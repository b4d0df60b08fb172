from collections import Counter
from pathlib import Path

import pytest
from allennlp.data import Instance, Token
from allennlp.data.fields import SequenceLabelField, TextField

from roseq_allennlp.data.dataset_readers.conll2002 import Conll2002Reader
from roseq_allennlp.data.label_statistics import count_labels, label_weights

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
COUNTS = {"B-PER": 81, "O": 1296, "U-LOC": 16, "I-PER": 1}


@pytest.mark.parametrize(
    "tau, expected",
    [
        (0.25, {"O": 1.0, "B-PER": 2.0, "U-LOC": 3.0, "I-PER": 6.0}),  # 1296 / 81 = 2⁴, / 16 = 3⁴, / 1 = 6⁴
        (0.0, {"O": 1.0, "B-PER": 1.0, "U-LOC": 1.0, "I-PER": 1.0}),
        (1.0, {"O": 1.0, "B-PER": 16.0, "U-LOC": 81.0, "I-PER": 1296.0}),
    ],
)
def test_weights(tau, expected):
    weights = label_weights(COUNTS, tau)
    assert weights == pytest.approx(expected)
    assert list(weights) == list(COUNTS)


@pytest.mark.parametrize("tau", [0.25, 1.0])
def test_a_tag_that_never_occurs_gets_the_largest_weight(tau):
    weights = label_weights({**COUNTS, "L-ORG": 0, "B-ORG": 0}, tau)
    assert weights["L-ORG"] == weights["B-ORG"] == weights["I-PER"] == max(weights.values()) > 1
    assert {label: weights[label] for label in COUNTS} == label_weights(COUNTS, tau)


def test_one_token_is_enough():
    assert label_weights({"O": 1, "B-PER": 0}, 0.25) == {"O": 1.0, "B-PER": 1.0}


@pytest.mark.parametrize("counts", [{"O": 0, "B-PER": 0}, {}])
def test_no_tag_at_all(counts):
    with pytest.raises(ValueError, match="^No tag of the label set occurs in .* no label proportions.$"):
        label_weights(counts, 0.25)


@pytest.mark.parametrize("tau", [-0.1, float("nan"), float("inf")])
def test_tau_must_be_finite_and_not_negative(tau):
    with pytest.raises(ValueError, match=f"got {tau}"):
        label_weights(COUNTS, tau)


def test_counts_of_a_file():
    """The tags of the file counted here from its lines: IOB2 is BIOES once B and I know whether an I follows."""
    lines = (FIXTURES / "conll2002" / "ned.train").read_text(encoding="utf-8").splitlines()
    tags = [line.split(" ")[-1] if line else "O" for line in lines]
    expected = Counter()
    for line, tag, following in zip(lines, tags, [*tags[1:], "O"], strict=True):
        if not line or line.startswith("-DOCSTART-"):
            continue
        last = not following.startswith("I-")
        expected[{"B": "S", "I": "E"}[tag[0]] + tag[1:] if last and tag != "O" else tag] += 1
    assert expected["O"] > 100 and {tag[0] for tag in expected} == set("BIESO")

    instances = list(Conll2002Reader().read(FIXTURES / "conll2002" / "ned.train"))
    counts = count_labels(instances, "labels")
    assert {{"U": "S", "L": "E"}.get(tag[0], tag[0]) + tag[1:]: count for tag, count in counts.items()} == expected
    assert count_labels(instances, "other_labels") == {}

    weights = label_weights(counts, 0.25)
    assert weights["O"] == 1.0
    assert weights["U-LOC"] == pytest.approx((expected["O"] / expected["S-LOC"]) ** 0.25)


def test_unknown_tags_are_not_counted():
    text = TextField([Token("a")] * 4)
    instances = [Instance({"tags": SequenceLabelField(tags.split(), text)}) for tags in ("? U-X O O", "? ? ? O")]
    assert count_labels(instances, "labels") == {"O": 3, "U-X": 1}
