import argparse
import shutil

from roseq_allennlp.console import Console
from roseq_allennlp.evaluation.bootstrap import SAMPLES, sentence_counts
from roseq_allennlp.evaluation.comparison import differences, tag_with_each, with_brackets
from roseq_allennlp.evaluation.score_rows import HEADERS, paired_test_sentence, score_row
from roseq_allennlp.evaluation.tagged_data import model_names, score_of
from roseq_allennlp.scoring.conlleval import Counts, token_scores

_WIDTH = 160  # of output that does not go to a terminal, in characters


def run(args: argparse.Namespace, console: Console) -> int:
    """Compares two taggers on the same sentences."""
    names = model_names(args.archives)
    models = tag_with_each(args.archives, args.data, args.cuda_device, console.progress)

    wide = max(20, ((_WIDTH if console.plain else shutil.get_terminal_size().columns) - 20) // 2)
    rows = []
    for number, first_is_right, *pair in differences(*models):
        cells = [with_brackets(sentence.words, sentence.predicted_entities) for sentence in pair]
        rows.append(
            [number, *map(": ".join, zip(("right", "wrong")[:: 1 if first_is_right else -1], cells, strict=True))]
        )
    if rows:
        console.table(["sentence", *names], rows, "One is right and the other wrong", [None, wide, wide])

    scores = [score_of(sentences) for sentences in models]
    tokens = [token_scores([s.gold for s in model], [s.predicted for s in model]) for model in models]
    by_frequency = sorted({*tokens[0], *tokens[1]}, key=lambda label: (-_gold(tokens, label), label))
    rows = []
    for label in by_frequency:
        f1s = [score.types.get(label, Counts()).f1 for score in scores]
        of_tokens = [counts.get(label, Counts()).f1 for counts in tokens]
        rows.append(
            [label, _gold(tokens, label), *of_tokens, *(["", "", ""] if label == "O" else [*f1s, _change(f1s)])]
        )
    headers = [
        "label",
        "tokens",
        *(f"token F1 {name}" for name in names),
        *(f"F1 {name}" for name in names),
        "change",
    ]
    console.table(headers, rows, "Labels by frequency")

    counts = [sentence_counts(sentences) for sentences in models]
    title = f"{args.data}: {len(models[0])} sentences, {scores[0].overall.gold} entities"
    console.table(HEADERS, list(map(score_row, names, counts)), title)
    sentence = paired_test_sentence(names[0], names[1], counts[0], counts[1])
    console.print(f"{sentence}; paired bootstrap, {SAMPLES} samples of sentences")
    return 0


def _gold(tokens: list[dict[str, Counts]], label: str) -> int:
    return max(counts.get(label, Counts()).gold for counts in tokens)


def _change(pair: list[float]) -> str:
    return f"{pair[1] - pair[0]:+.2f}"
