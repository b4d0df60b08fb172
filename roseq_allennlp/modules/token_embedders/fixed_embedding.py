from typing import Optional

import torch
from allennlp.data import Vocabulary
from allennlp.modules.token_embedders import Embedding, TokenEmbedder


@TokenEmbedder.register("fixed_embedding")
class FixedEmbedding(Embedding):
    """
    Word vectors that stay as they are, and one for all unknown words that is learned.

    Adversarial training and fine-tuning take it as any other `Embedding`.

    # Parameters

    embedding_dim : `int`
    vocab : `Vocabulary`
    pretrained_file : `str`, optional
        Word vectors in text format. An archive needs none. Words of the vocabulary that the file lacks have random
        vectors, so the vocabulary should hold only those in it.
    vocab_namespace : `str`, optional (default = `"tokens"`)
    """

    def __init__(
        self,
        embedding_dim: int,
        vocab: Vocabulary,
        pretrained_file: Optional[str] = None,
        vocab_namespace: str = "tokens",
    ) -> None:
        super().__init__(
            embedding_dim,
            vocab_namespace=vocab_namespace,
            pretrained_file=pretrained_file,  # type: ignore[arg-type]  # None by default
            vocab=vocab,
            trainable=False,
        )
        self._unknown_id = vocab.get_token_index(vocab._oov_token, vocab_namespace)
        self.unknown = torch.nn.Parameter(self.weight[self._unknown_id].detach().clone())  # (embedding_dim,)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """`tokens` is `(…)` int64; returns `(…, embedding_dim)`."""
        is_unknown = (tokens == self._unknown_id).unsqueeze(-1)
        return torch.where(is_unknown, self.unknown, super().forward(tokens))
