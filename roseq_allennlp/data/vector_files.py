"""Files of word vectors, in the text format of word2vec without its first line."""

import gzip
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from roseq_allennlp.files import replacing

MEAN_NORM = 6.0
"""Of the vectors that this package makes: that of GloVe's 100-dimensional ones, for which the model's other sizes were chosen."""


def write_vectors(path: str, words: Iterable[str], vectors: np.ndarray) -> None:
    """
    A word and its vector a line, four digits after the point; compressed if `path` ends in `.gz`. The file appears once it is
    whole.

    # Parameters

    words : `Iterable[str]`
        Without white space, as the format separates by it.
    vectors : `np.ndarray`
        `(N, dim)`, a row for each word.
    """
    Path(path).absolute().parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, open(temporary, "wb") as raw:
        # Without name and time in its header: the same vectors make the same file.
        stream = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if path.endswith(".gz") else raw
        with io.TextIOWrapper(stream, encoding="utf-8", newline="\n", write_through=True) as lines:  # type: ignore[arg-type]
            lines.writelines(vector_lines(words, vectors))


def vector_lines(words: Iterable[str], vectors: np.ndarray) -> Iterator[str]:
    """The lines of such a file."""
    for word, vector in zip(words, vectors, strict=True):
        yield f"{word} {' '.join(f'{value:.4f}' for value in vector.tolist())}\n"
