import pytest
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.data.tag_schemes import Span
from roseq_allennlp.evaluation.comparison import check_same_sentences, differences, tag_with_each, with_brackets
from roseq_allennlp.evaluation.tagged_data import TaggedSentence, model_names


def sentence(gold, predicted):
    gold, predicted = gold.split(), predicted.split()
    return TaggedSentence([f"w{number}" for number in range(len(gold))], gold, predicted, {})


def test_differences():
    first = [sentence("S-A O", "S-A O"), sentence("S-A O", "O O"), sentence("S-A", "S-B"), sentence("O", "O")]
    second = [sentence("S-A O", "O O"), sentence("S-A O", "S-A O"), sentence("S-A", "O"), sentence("O", "O")]
    result = differences(first, second)
    assert [(difference.number, difference.first_is_right) for difference in result] == [(1, True), (2, False)]
    assert result[0].first is first[0] and result[0].second is second[0]


def test_with_brackets():
    words = "Marta Keller flies to Oslo".split()
    spans = [Span("person", 0, 2), Span("location", 4, 5)]
    assert with_brackets(words, spans) == "[Marta Keller|person] flies to [Oslo|location]"


@pytest.mark.parametrize("other", [[], [sentence("S-A", "O")], [sentence("S-A O", "O O")]])
def test_other_sentences_are_refused(other):
    with pytest.raises(ConfigurationError, match="^a and b: .*max_length"):
        check_same_sentences([sentence("O", "O")], other, "a and b")


def test_archives_tag_the_same_sentences(archive_path):
    first, second = tag_with_each([archive_path] * 2, "fixtures/wnut17/emerging.test.annotated")
    assert first == second and len(first) > 10


def test_model_names():
    assert model_names(["runs/roseq/model.tar.gz", "runs/base", "runs/third/"]) == ["roseq", "base", "third"]
    assert model_names(["a/roseq", "b/roseq/model.tar.gz"]) == ["a/roseq", "b/roseq/model.tar.gz"]
    assert model_names(["a", "a"]) == ["a (1)", "a (2)"]
