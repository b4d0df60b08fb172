import json

import _jsonnet
import pytest

from roseq_allennlp.errors import ConfigurationError
from roseq_allennlp.experiments.new_config import dimension_of, jsonnet


@pytest.mark.parametrize(
    "value", ["", "it's", 'a "b"', "\\", '\\"', "\\'", "ü\t\n%(x)s", {"b-per": "B-PER", "it's": [1, None, True]}]
)
def test_values_as_jsonnet(value):
    assert json.loads(_jsonnet.evaluate_snippet("", jsonnet(value))) == value


@pytest.mark.parametrize("text, dimension", [("oslo 1 2 3\n", 3), ("4 3\noslo 1 2 3\n", 3), ("a\t1\t2\nb 1 2\n", 2)])
def test_the_dimension_of_vectors(text, dimension, tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text(text)
    assert dimension_of(str(path)) == dimension
    assert dimension_of("fixtures/glove/glove.6B.100d.subset.txt.gz") == 100


@pytest.mark.parametrize("text", ["", "oslo\n", "4 3 2 x\n", "oslo 1 2\nrome 1 2 3\n"])
def test_what_are_no_vectors(text, tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="does not begin with a word and its numbers"):
        dimension_of(str(path))
