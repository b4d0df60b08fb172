import random
from collections import Counter

import pytest
import torch
from torch.multiprocessing import start_processes

from roseq_allennlp.training.metrics.conll_f1 import ConllF1

TYPES = ["LOC", "PER", "creative-work"]


def chunk_ends(before, tag, before_type, tag_type):
    """`endOfChunk` of the shared tasks' script, for B, I and O."""
    if (before, tag) in {("B", "B"), ("B", "O"), ("I", "B"), ("I", "O")}:
        return True
    return before != "O" and before_type != tag_type


def chunk_starts(before, tag, before_type, tag_type):
    """`startOfChunk` of the script, for B, I and O."""
    if (before, tag) in {("B", "B"), ("I", "B"), ("O", "B"), ("O", "I")}:
        return True
    return tag != "O" and before_type != tag_type


def conlleval(predictions, gold_labels):
    """The script's one pass over the lines of a file, in IOB2, with its counts and ratios."""
    correct, found_correct, found_guessed, tokens, correct_tags = Counter(), Counter(), Counter(), 0, 0
    in_correct, last_correct, last_guessed = False, ("O", ""), ("O", "")
    for guessed_tags, gold_tags in zip(predictions, gold_labels, strict=True):
        for guessed_tag, gold_tag in [
            *zip(guessed_tags, gold_tags, strict=True),
            (None, None),
        ]:  # an empty line, read as O
            guess, _, guess_type = (guessed_tag or "O").partition("-")
            gold, _, gold_type = (gold_tag or "O").partition("-")
            gold_ends = chunk_ends(last_correct[0], gold, last_correct[1], gold_type)
            guess_ends = chunk_ends(last_guessed[0], guess, last_guessed[1], guess_type)
            if in_correct:
                if gold_ends and guess_ends and last_guessed[1] == last_correct[1]:
                    in_correct = False
                    correct[last_correct[1]] += 1
                elif gold_ends != guess_ends or guess_type != gold_type:
                    in_correct = False
            gold_starts = chunk_starts(last_correct[0], gold, last_correct[1], gold_type)
            guess_starts = chunk_starts(last_guessed[0], guess, last_guessed[1], guess_type)
            if gold_starts and guess_starts and guess_type == gold_type:
                in_correct = True
            found_correct[gold_type] += gold_starts
            found_guessed[guess_type] += guess_starts
            if gold_tag is not None:
                tokens += 1
                correct_tags += gold_tag == guessed_tag
            last_correct, last_guessed = (gold, gold_type), (guess, guess_type)

    def scores(name, correct, guessed, gold):
        precision, recall = correct / guessed if guessed else 0.0, correct / gold if gold else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        return {f"precision-{name}": precision, f"recall-{name}": recall, f"f1-measure-{name}": f1}

    metrics = {"accuracy": correct_tags / tokens}
    for label in TYPES:
        metrics.update(scores(label, correct[label], found_guessed[label], found_correct[label]))
    totals = (sum(counts.values()) for counts in (correct, found_guessed, found_correct))
    return {**metrics, **scores("overall", *totals)}


def random_bioul(rng, length):
    tags = []
    while len(tags) < length:
        size, label = min(rng.randint(1, 4), length - len(tags)), rng.choice(TYPES)
        if rng.random() < 0.4:
            tags.append("O")
        elif size == 1:
            tags.append(f"U-{label}")
        else:
            tags += [f"B-{label}"] + [f"I-{label}"] * (size - 2) + [f"L-{label}"]
    return tags


def random_iob2(rng, length):
    """Valid or not."""
    return [rng.choice(["O", *(f"{prefix}-{label}" for prefix in "BI" for label in TYPES)]) for _ in range(length)]


def random_data(generate, count=600):
    """Predictions that share a half of each other sentence with the gold tags."""
    rng = random.Random(17)
    predictions, gold_labels = [], []
    for _ in range(count):
        same, length = generate(rng, rng.randint(0, 5)), rng.randint(1, 5)
        predictions.append(same + generate(rng, length))
        gold_labels.append(same + generate(rng, length))
    return predictions, gold_labels


@pytest.mark.parametrize("generate", [random_bioul, random_iob2])
def test_agrees_with_conlleval(generate):
    predictions, gold_labels = random_data(generate)
    metric = ConllF1()
    for start in range(0, len(predictions), 7):
        metric(predictions[start : start + 7], gold_labels[start : start + 7])
    # Valid BIOUL is IOB2 with L and U written as I and B.
    in_iob2 = [
        [[{"L": "I", "U": "B"}.get(tag[0], tag[0]) + tag[1:] for tag in tags] for tags in sentences]
        for sentences in (predictions, gold_labels)
    ]
    expected = conlleval(*in_iob2)
    assert 0.3 < expected["f1-measure-overall"] < 0.9
    assert metric.get_metric() == pytest.approx(expected)


def test_by_hand():
    metric = ConllF1()
    gold = ["B-PER", "I-PER", "L-PER", "O", "U-LOC", "U-LOC", "O", "U-ORG"]
    predicted = ["B-PER", "L-PER", "O", "O", "U-LOC", "U-ORG", "U-MISC", "O"]
    metric([predicted, ["O"]], [gold, ["O"]])
    assert metric.get_metric() == pytest.approx(
        {
            "accuracy": 5 / 9,  # in IOB2, where the L of PER is an I as in gold
            **{"precision-LOC": 1.0, "recall-LOC": 1 / 2, "f1-measure-LOC": 2 / 3},
            **{"precision-MISC": 0.0, "recall-MISC": 0.0, "f1-measure-MISC": 0.0},
            **{"precision-ORG": 0.0, "recall-ORG": 0.0, "f1-measure-ORG": 0.0},
            **{"precision-PER": 0.0, "recall-PER": 0.0, "f1-measure-PER": 0.0},
            **{"precision-overall": 1 / 4, "recall-overall": 1 / 4, "f1-measure-overall": 1 / 4},
        }
    )


@pytest.mark.parametrize(
    "predictions, gold",
    [([["O"]], [["O", "O"]]), ([["O"]], [["O"], ["O"]]), ([["O"], ["O", "O"]], [["O", "O"], ["O"]])],
)
def test_lengths_must_match(predictions, gold):
    with pytest.raises(ValueError, match="same number of tokens"):
        ConllF1()(predictions, gold)


@pytest.mark.parametrize("by_reading", [True, False])
def test_reset(by_reading):
    metric = ConllF1()
    metric([["U-PER"]], [["U-PER"]])
    assert metric.get_metric()["f1-measure-overall"] == 1.0
    assert metric.get_metric(reset=by_reading)["f1-measure-PER"] == 1.0
    if not by_reading:
        metric.reset()
    empty = {"accuracy": 0.0, "precision-overall": 0.0, "recall-overall": 0.0, "f1-measure-overall": 0.0}
    assert metric.get_metric() == empty
    metric([["O"]], [["U-LOC"]])
    assert "f1-measure-PER" not in metric.get_metric()


def test_state_saved_and_loaded():
    metric, other = ConllF1(), ConllF1()
    metric([["B-PER", "L-PER", "O", "U-LOC"]], [["B-PER", "L-PER", "O", "O"]])
    other.load_state_dict(metric.state_dict())
    expected = metric.get_metric()
    assert other.get_metric() == expected and expected["accuracy"] == 3 / 4
    for each in (metric, other):
        each([["U-LOC", "O"]], [["U-LOC", "U-LOC"]])
    assert other.get_metric() == metric.get_metric() != expected


def worker(rank, address, predictions, gold_labels, expected):
    torch.distributed.init_process_group("gloo", init_method=address, world_size=2, rank=rank)
    own = slice(0, 5) if rank == 0 else slice(5, None)
    metric = ConllF1()
    metric(predictions[own], gold_labels[own])
    alone = metric.get_metric()
    assert alone != pytest.approx(expected)
    if rank == 0:
        metric.get_metric()  # must wait for nobody
    assert metric.get_metric(reset=True) == pytest.approx(expected)
    assert metric.get_metric()["f1-measure-overall"] == 0.0
    torch.distributed.destroy_process_group()


def test_workers_add_their_counts(tmp_path):
    predictions, gold_labels = random_data(random_bioul, 60)
    predictions, gold_labels = predictions + [["U-new"]], gold_labels + [["U-new"]]  # a type that one worker sees
    metric = ConllF1()
    metric(predictions, gold_labels)
    arguments = (f"file://{tmp_path / 'store'}", predictions, gold_labels, metric.get_metric())
    start_processes(worker, arguments, nprocs=2, start_method="fork")
