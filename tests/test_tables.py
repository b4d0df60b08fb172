from roseq_allennlp.tables import table


def test_numbers_stand_right_with_two_digits():
    lines = table(["name", "n", "F1"], [["a", 10, 99.999], ["bcd", 7, ""]]).splitlines()
    assert [line.rstrip() for line in lines] == ["name      n      F1", "a        10  100.00", "bcd       7"]


def test_long_text_is_wrapped():
    assert len(table(["text"], [["word " * 20]], "plain", [25]).splitlines()) == 1 + 4


def test_no_rows():
    assert table(["a", "b"], []) == "a    b"
