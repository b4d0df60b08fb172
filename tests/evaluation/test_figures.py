import re
import warnings

from roseq_allennlp.evaluation.calibration import Bin
from roseq_allennlp.evaluation.figures import bars, reliability_diagram


def texts(picture):
    return re.findall(r">([^<>\n]+)</text>", picture)


def test_bars_have_their_labels_and_values():
    shown = texts(bars("a", ["O", "A$B$C"], {"one": [97.25, 3], "other": [0, 12]}, "F1, %"))
    assert {"O", "A$B$C", "97.2", "3.0", "0.0", "12.0", "one", "other", "F1, %"} <= set(shown)


def test_a_logarithmic_scale_shows_zeros():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = texts(bars("a", ["O", "A", "B"], {"data": [59570, 0, 1]}, "tokens", digits=0, log=True))
        assert "59,570" in shown and "0" in shown and "10k" in shown
        assert "0" in texts(bars("a", ["O"], {"data": [0]}, "tokens", digits=0, log=True))
        bars("a", [], {"data": []}, "tokens")


def test_reliability_diagram():
    picture = reliability_diagram("r", {"m": [Bin(0.8, 0.9, 5, 0.85, 0.6)], "nothing": []})
    assert {"m", "nothing", "equal"} <= set(texts(picture))
