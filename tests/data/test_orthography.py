import pytest

from roseq_allennlp.data.orthography import word_shape


@pytest.mark.parametrize(
    "word, shape",
    [
        ("I", "C"),
        ("don't", "cccpc"),
        ("like", "cccc"),
        ("13!", "nnp"),
        ("", ""),
        ("ÉtaŻ", "CccC"),
        ("Ωμέγα", "Ccccc"),
        ("Жук", "Ccc"),
        ("ǅ", "C"),  # title case
        ("北京", "cc"),
        ("שלום", "cccc"),
        ("عربي", "cccc"),
        ("ªʰ", "cc"),
        ("²½Ⅷ٣", "nnnn"),
        ("E\u0301e\u0301", "Cccc"),  # decomposed
        ("हिन्दी", "cccccc"),
        ("\u0301a", "pc"),
        ("1\ufe0f\u20e3", "nnn"),
        ("❤\ufe0f👍🏽", "pppp"),
        ("#@_$€+", "pppppp"),
        ("a\u00a0b\u200d\x00\t", "cpcppp"),
    ],
)
def test_shape(word, shape):
    assert word_shape(word) == shape
    assert len(shape) == len(word)
