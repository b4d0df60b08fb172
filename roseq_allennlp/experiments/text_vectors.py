"""Word vectors learned from unlabelled text, by fastText."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.data.vector_files import MEAN_NORM

_WINDOW = 5  # words on each side
_MIN_COUNT = 2  # rarer words are not trained on; their vectors are those of their character n-grams


def learn_vectors(
    sentences: Sequence[Sequence[str]], counts: "Counter[str]", dim: int, epochs: int, seed: int
) -> tuple[list[str], np.ndarray]:
    """
    Vectors of all words of a text by fastText's skip-gram model (Bojanowski et al., "Enriching Word Vectors with Subword
    Information", TACL 2017), as gensim has it, on one thread: the same text and seed give the same vectors.

    # Parameters

    sentences : `Sequence[Sequence[str]]`
        Words as they will be looked up.
    counts : `Counter[str]`
        How often each stands in them.
    dim, epochs, seed : `int`

    # Returns

    The words, the most frequent ones first, and `(N, dim)` float32 of mean norm 6.

    # Raises

    `ConfigurationError`: gensim is not installed, or no word stands in the text twice.
    """
    try:
        from gensim.models import FastText
    except ImportError as error:
        raise ConfigurationError(
            "vectors are learned by gensim, which is not installed: pip install 'roseq-allennlp[vectors]', or gensim."
        ) from error
    if counts.total() == 0 or counts.most_common(1)[0][1] < _MIN_COUNT:
        raise ConfigurationError("no word stands in the text twice, so no vectors can be learned. Give more text.")
    model = FastText(
        vector_size=dim, window=_WINDOW, min_count=_MIN_COUNT, sg=1, negative=10, epochs=epochs, workers=1, seed=seed
    )
    model.build_vocab(corpus_iterable=sentences)
    model.train(corpus_iterable=sentences, total_examples=model.corpus_count, epochs=epochs)
    words = [word for word, _ in counts.most_common()]
    vectors = np.stack([model.wv.get_vector(word) for word in words])  # by n-grams where the word was too rare
    return words, vectors * (MEAN_NORM / np.linalg.norm(vectors, axis=1).mean())
