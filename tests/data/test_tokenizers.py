import importlib.util

import pytest
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.data import tokenizers
from roseq_allennlp.data.tokenizers import SpacyTokenizer


def test_by_the_rules_of_the_language():
    assert [token.text for token in SpacyTokenizer("en")("don't go")] == ["do", "n't", "go"]
    assert [token.text for token in SpacyTokenizer("xx")("don't go")] == ["don't", "go"]
    assert [token.text for token in SpacyTokenizer("zh")("我在巴黎")] == list("我在巴黎")


@pytest.mark.parametrize(
    "language, package, advice",
    [
        ("ja", "sudachipy", "pip install sudachipy sudachidict_core"),
        ("ko", "natto", "natto-py"),
        ("th", "pythainlp", "PyThaiNLP"),
        ("vi", "pyvi", "Pyvi not installed"),
    ],
)
def test_a_language_whose_package_is_missing_gives_spacys_advice(language, package, advice):
    if importlib.util.find_spec(package) is not None:
        pytest.skip(f"{package} is installed")
    with pytest.raises(ConfigurationError) as caught:
        SpacyTokenizer(language)
    assert advice in str(caught.value) and f"`language` '{language}'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_language_that_spacy_lacks():
    with pytest.raises(ConfigurationError, match="spaCy has no language 'zz'"):
        SpacyTokenizer("zz")


def test_memory_stays_bounded(monkeypatch):
    monkeypatch.setattr(tokenizers, "_MOST_WORDS", 600)
    tokenizer = SpacyTokenizer("xx")
    for number in range(2000):
        assert tokenizer(f"w{number}").text == f"w{number}"
        assert len(tokenizer._tokenizer.vocab) < 1300
