from typing import Any

from allennlp.data.token_indexers import SingleIdTokenIndexer, TokenIndexer
from allennlp.data.tokenizers import Token

from roseq_allennlp.data.orthography import word_shape


@TokenIndexer.register("orthographic")
class OrthographicIndexer(SingleIdTokenIndexer):
    """
    A word as the id of its shape, see `roseq_allennlp.data.orthography.word_shape`.

    # Parameters

    namespace : `str`, optional (default = `"orthographic"`)
        Namespace of the vocabulary.
    token_min_padding_length : `int`, optional (default = `0`)
        See `TokenIndexer`.
    """

    def __init__(self, namespace: str = "orthographic", token_min_padding_length: int = 0) -> None:
        super().__init__(namespace, token_min_padding_length=token_min_padding_length)

    def _get_feature_value(self, token: Token) -> str:
        return word_shape(super()._get_feature_value(token))

    def _to_params(self) -> dict[str, Any]:
        return {"namespace": self.namespace, "token_min_padding_length": self._token_min_padding_length}
