import pytest
from allennlp.data import Token, Vocabulary
from hypothesis import given
from hypothesis import strategies as st

from roseq_allennlp.data.token_indexers import FoldedWordsIndexer
from roseq_allennlp.data.word_keys import word_key

WRITTEN = [
    ("don\u2019t", "don't"),
    ("don\u02bct", "don't"),
    ("5\u2032", "5'"),
    ("she`s", "she's"),
    ("cafe\u0301", "caf\u00e9"),
    ("\u212b", "\u00c5"),
    ("\uff2f\uff53\uff4c\uff4f\uff07\uff53", "Oslo's"),
    ("\uff76\uff9e\uff98", "\u30ac\u30ea"),  # half-width katakana
    ("\uff11\uff12", "12"),
    ("Os\u200blo\ufeff", "Oslo"),
    ("co\u00adop", "coop"),
    ("\u202bOslo\u202c", "Oslo"),
    ("\u2764\ufe0f", "\u2764"),
    ("\U0001f469\u200d\U0001f467", "\U0001f469\U0001f467"),
    ("Oslo", "Oslo"),
    ("\u2018Oslo\u201d", "\u2018Oslo\u201d"),  # quotation marks are not apostrophes
    ("\u00bd", "\u00bd"),
    ("\ufb01", "\ufb01"),  # compatible, but not a form of width
    ("\u200b", "\u200b"),  # nothing would be left
    ("", ""),
]


@pytest.mark.parametrize("word, key", WRITTEN)
def test_keys(word, key):
    assert word_key(word) == key


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("\uff76\uff9e\u200b\u0301e\u2019`A"))))
def test_a_key_is_its_own_key(word):
    assert word_key(word_key(word)) == word_key(word)


def ids(indexer, vocab, *words):
    return indexer.tokens_to_indices([Token(word) for word in words], vocab)["tokens"]


def test_a_word_is_looked_up_by_its_key_then_as_it_is_then_with_folded_digits():
    vocab = Vocabulary(tokens_to_add={"tokens": ["don't", "oslo", "\u2019", "'", "cafe\u0301", "0'", "o\u200bk"]})
    indexer = FoldedWordsIndexer(normalize=True)
    names = [
        vocab.get_token_from_index(id_)
        for id_ in ids(indexer, vocab, "DON\u2019T", "\uff2fslo", "\u2019", "Cafe\u0301", "7\u2032", "O\u200bk", "Ok")
    ]
    assert names == ["don't", "oslo", "'", "cafe\u0301", "0'", "o\u200bk", vocab._oov_token]


def test_without_it_nothing_changes():
    vocab = Vocabulary(tokens_to_add={"tokens": ["don't", "\u2019"]})
    unknown = vocab.get_token_index(vocab._oov_token)
    assert ids(FoldedWordsIndexer(), vocab, "don\u2019t", "\u2019") == [unknown, vocab.get_token_index("\u2019")]


@pytest.mark.parametrize("normalize, counted", [(True, {"don't": 2, "0\u200b": 0, "0": 1}), (False, {"don\u2019t": 1})])
def test_what_is_counted(normalize, counted):
    counter: dict = {"tokens": dict.fromkeys(["don't", "don\u2019t", "1\u200b", "0\u200b", "1", "0"], 0)}
    indexer = FoldedWordsIndexer(normalize=normalize)
    for word in ("Don\u2019t", "don't", "1\u200b"):
        indexer.count_vocab_items(Token(word), counter)
    assert counted.items() <= counter["tokens"].items()
    assert FoldedWordsIndexer.from_params(indexer.to_params())._normalize is normalize
