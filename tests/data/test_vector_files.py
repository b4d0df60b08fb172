import gzip

import numpy as np
import pytest
from allennlp.modules.token_embedders.embedding import EmbeddingsTextFile

from roseq_allennlp.data.vector_files import write_vectors

WORDS = ["Straße", "a\u00a0b", "'s"]
VECTORS = np.array([[1.0, -0.00004, 2.5], [3.14159, -2.0, 0.0], [1e-9, -7.25, 100.0]])


@pytest.mark.parametrize("name", ["new/words.vec", "words.vec.gz"])
def test_allennlp_reads_what_is_written(name, tmp_path):
    path = str(tmp_path / name)
    write_vectors(path, WORDS, VECTORS)
    with EmbeddingsTextFile(path) as lines:
        rows = [line.rstrip("\n").split(" ") for line in lines]
    assert [row[0] for row in rows] == WORDS
    np.testing.assert_allclose(np.array([row[1:] for row in rows], float), VECTORS, atol=5.1e-5)
    assert not list(tmp_path.rglob("*.tmp"))


def test_the_same_vectors_make_the_same_file(tmp_path):
    for name in ("a.gz", "b.gz"):
        write_vectors(str(tmp_path / name), WORDS, VECTORS)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()).count(b"\n") == 3


def test_a_failure_leaves_no_file(tmp_path):
    with pytest.raises(ValueError):
        write_vectors(str(tmp_path / "words.vec"), WORDS, VECTORS[:2])
    assert list(tmp_path.iterdir()) == []
