import pytest

from roseq_allennlp.scoring.conlleval import Counts, total
from roseq_allennlp.scoring.surface_forms import surface_layout, surface_score


def test_surface_forms():
    words = [["New", "York", "and", "Rome"], ["New", "York"], ["new", "york"], ["Rome"]]
    gold = [["B-L", "I-L", "O", "B-L"], ["B-L", "I-L"], ["B-L", "I-L"], ["B-P"]]
    predicted = [["B-L", "I-L", "O", "O"], ["O", "B-L"], ["B-P", "I-P"], ["B-L"]]
    types = surface_score(words, gold, predicted)
    # Gold: L New York, L Rome, L new york, P Rome. Predicted: L New York, L York, P new york, and L Rome at another place.
    assert types == {"L": Counts(correct=1, predicted=3, gold=3), "P": Counts(correct=0, predicted=1, gold=1)}
    assert total(types).f1 == pytest.approx(100 * 2 * 1 / (4 + 4))
    assert surface_layout(types) == (
        "surface forms: 4; found: 4; correct: 1.\n"
        "precision:  25.00%; recall:  25.00%; FB1:  25.00\n"
        "                L: precision:  33.33%; recall:  33.33%; FB1:  33.33  3\n"
        "                P: precision:   0.00%; recall:   0.00%; FB1:   0.00  1\n"
    )
    with pytest.raises(ValueError):
        surface_score(words[:3], gold, predicted)
