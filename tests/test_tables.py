import io

import pytest
from rich.console import Console

from roseq_allennlp.tables import fitting_table, markdown


def lines(headers, rows, width=200, ruled=False):
    console = Console(file=io.StringIO(), width=width)
    console.print(fitting_table(headers, rows, console, ruled))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_numbers_stand_right_with_two_digits():
    assert lines(["name", "n", "F1"], [["a", 10, 99.999], ["bcd", 7, ""]]) == [
        "name   n      F1",
        "a     10  100.00",
        "bcd    7",
    ]


def test_a_line_below_the_headers():
    assert lines(["a", "b"], [["x", 1]], ruled=True) == ["a  b", "────", "x  1"]


def test_long_text_is_wrapped():
    assert len(lines(["text"], [["word " * 20]], 25)) == 1 + 4


def test_no_rows():
    assert lines(["a", "b"], []) == ["a  b"]


@pytest.mark.parametrize("width", range(1, 60))
def test_what_does_not_fit(width):
    """Words of headers stand below each other, then columns closer, then each cell on a line of its own; numbers stay whole."""
    found = lines(["label", "train tokens", "dev tokens"], [["creative-work", 12345, 67.89], ["O", 1, 2.0]], width)
    assert max(map(len, found)) <= width
    if width >= len("train tokens  creative-work"):
        text = "\n".join(found)
        assert all(cell in text for cell in ("creative-work", "12345", "67.89"))
    assert len(found) == (3 if width >= 39 else 4) or width < 27


def test_a_name_is_wrapped_last():
    (_, first, *_) = lines(["name", "text"], [["conll2002-nl", "word " * 20]], 30)
    assert first.startswith("conll2002-nl  word")


def test_a_long_header_does_not_take_the_room_of_the_cells():
    found = lines(["label", "F1 runs/a-long-name/model.tar.gz", "F1 b"], [["creative-work", 1.0, 2.0]], 40)
    assert max(map(len, found)) <= 40 and found[-1].split() == ["creative-work", "1.00", "2.00"]


def test_markup_is_text():
    assert lines(["[b]x[/b]"], [["[red]:smile:"]]) == ["[b]x[/b]", "[red]:smile:"]


def test_markdown():
    assert markdown(["name", "F1"], [["a", 99.999], ["long name", ""]]) == (
        "| name      |     F1 |\n|-----------|--------|\n| a         | 100.00 |\n| long name |        |"
    )
    assert markdown(["a"], []) == "| a   |\n|-----|"
