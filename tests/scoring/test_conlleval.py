import random
from collections import Counter

import conlleval
import pytest
from seqeval.metrics.sequence_labeling import get_entities
from sklearn.metrics import precision_recall_fscore_support

from roseq_allennlp.data.tag_schemes import UNKNOWN, convert, from_spans
from roseq_allennlp.scoring.conlleval import (
    Counts,
    Score,
    compared,
    conlleval_layout,
    entities,
    score,
    token_scores,
)
from roseq_allennlp.scoring.surface_forms import surface_score

TYPES = ("LOC", "creative-work", "PER")
IOB_TAGS = ["O", *(f"{prefix}-{label}" for prefix in "BI" for label in TYPES)]
BIOES_TAGS = [*IOB_TAGS, *(f"{prefix}-{label}" for prefix in "ES" for label in TYPES)]


def random_sentences(seed, tags, sentences=4):
    """Gold and predicted tags, valid or not; six in ten predicted tags are the gold ones."""
    rng = random.Random(seed)
    gold = [rng.choices(tags, k=rng.randint(1, 9)) for _ in range(sentences)]
    return gold, [[tag if rng.random() < 0.6 else rng.choice(tags) for tag in sentence] for sentence in gold]


def as_file(gold, predicted):
    lines = []
    for pair in zip(gold, predicted, strict=True):
        lines += [f"token {gold_tag} {tag}" for gold_tag, tag in zip(*pair, strict=True)] + [""]
    return lines


def assert_same_counts(result, expected):
    """`expected` is that of the package `conlleval`; its ratios are other ones where nothing is predicted."""
    everything = {"overall": result.overall, **result.types}
    slots = {"overall": expected["overall"]["chunks"], **expected["slots"]["chunks"]}
    assert {label: counts._asdict() for label, counts in everything.items()} == {
        label: {"correct": slot["stats"]["correct"], "predicted": slot["stats"]["pred"], "gold": slot["stats"]["gold"]}
        for label, slot in slots.items()
        if label == "overall" or slot["stats"]["pred"] or slot["stats"]["gold"]
    }
    tokens = expected["overall"]["tags"]["stats"]
    assert (result.tokens, result.correct_tokens) == (tokens["gold"], tokens["correct"])


@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "invalid"])
def test_agrees_with_conlleval_on_random_sequences(scheme):
    for seed in range(600):  # four sentences each
        gold, predicted = random_sentences(seed, IOB_TAGS)
        if scheme != "invalid":
            gold, predicted = ([convert(tags, "IOB2", scheme) for tags in side] for side in (gold, predicted))
        assert_same_counts(score(gold, predicted), conlleval.evaluate(as_file(gold, predicted)))


@pytest.mark.parametrize("scheme", ["BIOES", "BIOUL"])
def test_bioes_is_scored_as_the_same_entities_in_iob2(scheme):
    for seed in range(200):
        in_iob2 = [[convert(tags, "IOB2", "IOB2") for tags in side] for side in random_sentences(seed, IOB_TAGS)]
        in_bioes = [[convert(tags, "IOB2", scheme) for tags in side] for side in in_iob2]
        assert score(*in_bioes) == score(*in_iob2)


def test_entities_are_those_of_seqeval():
    for seed in range(600):
        for tags in random_sentences(seed, IOB_TAGS)[0]:
            assert [(span.label, span.start, span.end - 1) for span in entities(tags)] == get_entities(tags)


@pytest.mark.parametrize(
    "tags, expected",
    [
        ("S-A S-A", "S-A S-A"),
        ("B-A I-A O", "B-A E-A O"),  # never closed
        ("I-A E-A", "B-A E-A"),  # never opened
        ("B-A E-B", "S-A S-B"),
        ("B-A E-A B-A", "B-A E-A S-A"),  # conlleval takes this B for more of the same entity
        ("S-A I-A", "S-A S-A"),  # nothing continues an S
        ("B-A E-A I-A E-A", "B-A E-A B-A E-A"),
        ("U-A L-A", "S-A S-A"),
    ],
)
def test_invalid_bioes_is_read_by_the_rule(tags, expected):
    tags, expected = tags.split(), expected.split()
    assert from_spans(entities(tags), len(tags), "BIOES") == expected
    assert score([tags], [expected]) == Score(score([expected], [expected]).types, len(tags), len(tags))


def test_the_layout_is_that_of_the_script():
    """The figures are those that conlleval.pl, version of 2004-01-26, prints for these columns."""
    gold = ["B-PER I-PER O O B-LOC".split(), ["I-LOC"]]
    predicted = ["B-PER I-PER O B-LOC I-LOC".split(), ["I-LOC"]]
    assert conlleval_layout(score(gold, predicted)) == (
        "processed 6 tokens with 3 phrases; found: 3 phrases; correct: 2.\n"
        "accuracy:  66.67%; precision:  66.67%; recall:  66.67%; FB1:  66.67\n"
        "              LOC: precision:  50.00%; recall:  50.00%; FB1:  50.00  2\n"
        "              PER: precision: 100.00%; recall: 100.00%; FB1: 100.00  1\n"
    )
    assert conlleval_layout(Score()) == "processed 0 tokens with 0 phrases; found: 0 phrases; correct: 0.\n"


@pytest.mark.corpora
def test_the_spanish_test_file_with_500_tags_changed(real_data):
    """The figures are those that conlleval.pl, version of 2004-01-26, prints for these columns."""
    gold: list[list[str]] = [[]]
    with open(real_data / "conll2002" / "esp.testb", encoding="utf-8") as file:
        for line in file:
            if line.split():
                gold[-1].append(line.split()[-1])
            elif gold[-1]:
                gold.append([])
    gold = [tags for tags in gold if tags]
    rng, tags = random.Random(500), sorted({tag for sentence in gold for tag in sentence})
    predicted = [list(sentence) for sentence in gold]
    for sentence, token in rng.sample([(i, j) for i, row in enumerate(gold) for j in range(len(row))], 500):
        predicted[sentence][token] = rng.choice([tag for tag in tags if tag != predicted[sentence][token]])
    expected = (
        "processed 51533 tokens with 3559 phrases; found: 4029 phrases; correct: 3500.\n"
        "accuracy:  99.03%; precision:  86.87%; recall:  98.34%; FB1:  92.25\n"
        "              LOC: precision:  90.41%; recall:  98.25%; FB1:  94.16  1178\n"
        "             MISC: precision:  71.31%; recall:  97.94%; FB1:  82.53  467\n"
        "              ORG: precision:  90.54%; recall:  98.43%; FB1:  94.32  1522\n"
        "              PER: precision:  83.99%; recall:  98.50%; FB1:  90.67  862\n"
    )
    assert conlleval_layout(score(gold, predicted)) == expected
    in_bioes = [[convert(tags, "IOB2", "BIOES") for tags in side] for side in (gold, predicted)]
    in_iob2 = [[convert(tags, "BIOES", "IOB2") for tags in side] for side in in_bioes]
    assert conlleval_layout(score(*in_bioes)) == conlleval_layout(score(*in_iob2))
    assert conlleval_layout(score(*in_bioes)).splitlines()[2:] == expected.splitlines()[2:]


def test_scores_of_parts_add_up():
    gold, predicted = random_sentences(1, BIOES_TAGS, 50)
    parts = [score(gold[start : start + 7], predicted[start : start + 7]) for start in range(0, 50, 7)]
    assert sum(parts, Score()) == score(gold, predicted)
    here, there = score([["B-X"]], [["B-X"]]), score([["B-Y"]], [["O"]])  # types of one part only
    assert (here + there).types == (there + here).types == {"X": Counts(1, 1, 1), "Y": Counts(0, 0, 1)}


def test_nothing_is_scored_0():
    assert (Counts().precision, Counts().recall, Counts().f1, Score().accuracy) == (0.0, 0.0, 0.0, 0.0)


def test_scores_as_dictionaries():
    result = score([["B-X", "O"], ["B-Y", "O"]], [["B-X", "O"], ["O", "B-X"]])
    x = {"precision": 50.0, "recall": 100.0, "f1": pytest.approx(200 / 3), "correct": 1, "predicted": 2, "gold": 1}
    y = {"precision": 0.0, "recall": 0.0, "f1": 0.0, "correct": 0, "predicted": 0, "gold": 1}
    overall = {"precision": 50.0, "recall": 50.0, "f1": 50.0, "correct": 1, "predicted": 2, "gold": 2}
    tokens = {"accuracy": 50.0, "tokens": 4, "correct_tokens": 2}
    assert result.as_dict() == {"overall": overall, "types": {"X": x, "Y": y}, **tokens}


def test_token_scores_are_those_of_scikit_learn():
    gold, predicted = random_sentences(3, BIOES_TAGS, 200)
    result = token_scores(gold, predicted)
    flat = [[tag[2:] or "O" for tags in side for tag in tags] for side in (gold, predicted)]
    assert list(result) == sorted(["O", *TYPES])
    expected = precision_recall_fscore_support(*flat, labels=list(result))
    for label, *values, support in zip(result, *expected, strict=True):
        counts = result[label]
        assert [counts.precision, counts.recall, counts.f1] == pytest.approx([100 * value for value in values])
        assert counts.gold == support


@pytest.mark.parametrize("predicted", [[["O"]], [["O", "O"], ["O"]], [["O"], ["O", "O", "O"]]])
@pytest.mark.parametrize("function", [score, token_scores, lambda *tags: surface_score([["a"], ["b", "c"]], *tags)])
def test_sentences_must_match(function, predicted):
    with pytest.raises(ValueError, match="^Predicted and gold tags must have .* same number of tokens each.$"):
        function([["O"], ["O", "O"]], predicted)


def test_what_is_no_tag_is_refused():
    with pytest.raises(ValueError, match="'X-LOC' is no tag"):
        score([["X-LOC"]], [["O"]])


def hidden(seed, gold, share):
    rng = random.Random(f"hidden {seed}")
    return [[UNKNOWN if rng.random() < share else tag for tag in tags] for tags in gold]


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(20))
def test_unknown_gold_tags_are_left_out(seed, share):
    """Against a count one by one, of BIOES that is valid before some of it is hidden."""
    gold, predicted = random_sentences(seed, BIOES_TAGS)
    gold, predicted = ([convert(tags, "BIOES", "BIOES") for tags in side] for side in (gold, predicted))
    partial = hidden(seed, gold, share)
    result = score(partial, predicted)
    counts = Counter()
    for whole, tags, guess in zip(gold, partial, predicted, strict=True):
        spans = [(s, UNKNOWN in tags[s.start : s.end]) for s in entities(whole)]
        known = {s for s, is_hidden in spans if not is_hidden}
        out = {i for s, is_hidden in spans if is_hidden for i in range(s.start, s.end)}
        out |= {i for i, tag in enumerate(tags) if tag == UNKNOWN}
        kept = {s for s in entities(guess) if out.isdisjoint(range(s.start, s.end))}
        assert compared(tags, guess, "BIOES") == (
            sorted(known, key=lambda s: s.start),
            sorted(kept, key=lambda s: s.start),
        )
        counts.update(gold=len(known), correct=len(known & kept))
    assert result.tokens == sum(tag != UNKNOWN for tags in partial for tag in tags)
    assert (result.overall.gold, result.overall.correct) == (counts["gold"], counts["correct"])
    tokens = token_scores(partial, predicted)
    assert sum(part.gold for part in tokens.values()) == result.tokens


@pytest.mark.parametrize(
    "gold, predicted, counts, tokens",
    [
        ("B-X ? O", "B-X B-X O", (1, 1, 1), (2, 2)),  # a prediction at an unknown token is not wrong
        ("B-X ? O", "B-X I-X O", (0, 0, 1), (2, 2)),  # one over it is not either, but the known entity is missed
        ("B-X ? O", "B-X O B-X", (1, 2, 1), (2, 1)),
        ("? ? ?", "B-X O B-X", (0, 0, 0), (0, 0)),
        ("? I-X O B-X", "B-X I-X O B-X", (1, 1, 1), (3, 3)),  # its beginning is unknown: left out
        ("S-X ? O", "S-X S-X O", (1, 1, 1), (2, 2)),
        ("B-X ? E-X S-X", "B-X I-X E-X O", (0, 0, 1), (3, 2)),
    ],
)
def test_what_is_counted_beside_unknown_tags(gold, predicted, counts, tokens):
    result = score([gold.split()], [predicted.split()])
    assert result.overall == counts and (result.tokens, result.correct_tokens) == tokens
    forms = surface_score(["abcd"[: len(gold.split())]], [gold.split()], [predicted.split()])
    assert {label: part for label, part in forms.items() if part.gold} == ({"X": counts} if counts[2] else {})


def test_the_scheme_decides_what_goes_on():
    """After an unknown tag, in a file that is IOB1 by its other entities."""
    gold, predicted = [["?", "I-X"], ["I-X", "O"], ["I-X"]], [["O", "I-X"], ["I-X", "O"], ["I-X"]]
    assert score(gold, predicted).overall == (3, 3, 3)
