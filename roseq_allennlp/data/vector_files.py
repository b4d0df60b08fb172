"""Files of word vectors, in the text format of word2vec without its first line."""

import gzip
import io
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Optional

import numpy as np
from allennlp.common.checks import ConfigurationError
from allennlp.modules.token_embedders.embedding import EmbeddingsTextFile

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


def read_vectors(file: str, dim: int, wanted: Optional[Container[str]] = None) -> dict[str, np.ndarray]:
    """
    The vectors of a file that AllenNLP reads, `(dim,)` float32 by word; of all words, or of the wanted ones. Lines of
    another width, such as a header, are left out.

    # Raises

    `ConfigurationError`: it has none of that width, or a line holds what is no finite number.
    """
    vectors: dict[str, np.ndarray] = {}
    widths: Counter[int] = Counter()
    with EmbeddingsTextFile(file) as lines:
        for number, line in enumerate(lines, 1):
            word, *fields = line.rstrip().split(" ")
            widths[len(fields)] += 1
            if len(fields) != dim or (wanted is not None and word not in wanted):
                continue
            try:
                vectors[word] = np.asarray(fields, np.float32)
            except ValueError:
                vectors[word] = np.full(dim, np.nan)
            if not np.isfinite(vectors[word]).all():
                raise ConfigurationError(
                    f"{file}, line {number}: no word and finite numbers. Remove it, or fetch the file again."
                )
    if dim not in widths:
        width = widths.most_common(1)[0][0] if widths else 0
        raise ConfigurationError(
            f"{file}: its vectors have {width} numbers, those of the tagger {dim}. Give such a file."
        )
    return vectors


def vector_lines(words: Iterable[str], vectors: np.ndarray) -> Iterator[str]:
    """The lines of such a file."""
    for word, vector in zip(words, vectors, strict=True):
        yield f"{word} {' '.join(f'{value:.4f}' for value in vector.tolist())}\n"
