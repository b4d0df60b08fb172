import re
from typing import Any

from allennlp.data import Vocabulary
from allennlp.data.token_indexers import SingleIdTokenIndexer, TokenIndexer
from allennlp.data.tokenizers import Token

from roseq_allennlp.data.word_keys import word_key


@TokenIndexer.register("folded_words")
class FoldedWordsIndexer(SingleIdTokenIndexer):
    """
    A word as a single id: that of its lowercased form if the vocabulary holds it, else that of the lowercased form with
    each digit written `0` (`1,952` is `0,000`), else out of vocabulary. Both forms are counted, so that under a
    `min_count` the numbers too rare to be kept train the form that stands for unseen ones.

    # Parameters

    namespace : `str`, optional (default = `"tokens"`)
        Namespace of the vocabulary.
    token_min_padding_length : `int`, optional (default = `0`)
        See `TokenIndexer`.
    normalize : `bool`, optional (default = `False`)
        Take `roseq_allennlp.data.word_keys.word_key` of the lowercased form first, so that `don’t` is `don't`, and
        a full-width or decomposed form is the usual one. The form without it is looked up second, for vocabularies
        that have only that one.
    """

    namespace: str

    def __init__(self, namespace: str = "tokens", token_min_padding_length: int = 0, normalize: bool = False) -> None:
        super().__init__(namespace, token_min_padding_length=token_min_padding_length)
        self._normalize = normalize

    def count_vocab_items(self, token: Token, counter: dict[str, dict[str, int]]) -> None:
        key = self._key(self._get_feature_value(token).lower())
        for form in dict.fromkeys((key, _fold_digits(key))):  # in order: the vocabulary breaks ties by it
            counter[self.namespace][form] += 1

    def tokens_to_indices(self, tokens: list[Token], vocabulary: Vocabulary) -> dict[str, list[int]]:
        known = vocabulary.get_token_to_index_vocabulary(self.namespace)
        words = [self._get_feature_value(token).lower() for token in tokens]
        forms = []
        for word in words:
            key = self._key(word)
            forms.append(key if key in known else word if word in known else _fold_digits(key))
        return {"tokens": [vocabulary.get_token_index(form, self.namespace) for form in forms]}

    def _key(self, lowercased: str) -> str:
        return word_key(lowercased) if self._normalize else lowercased

    def _to_params(self) -> dict[str, Any]:
        return {
            "namespace": self.namespace,
            "token_min_padding_length": self._token_min_padding_length,
            "normalize": self._normalize,
        }


def _fold_digits(word: str) -> str:
    return re.sub(r"\d", "0", word)
