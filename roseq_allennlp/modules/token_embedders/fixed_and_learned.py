from typing import Any, Optional

import torch
from allennlp.data import Vocabulary
from allennlp.modules.token_embedders import Embedding, TokenEmbedder
from allennlp.modules.token_embedders.embedding import EmbeddingsTextFile


@TokenEmbedder.register("fixed_and_learned")
class FixedAndLearned(Embedding):
    def __init__(
        self,
        vocab: Vocabulary,
        embedding_dim: int,
        pretrained_file: Optional[str] = None,
        vocab_namespace: str = "tokens",
        word_dropout: float = 0.0,
    ) -> None:
        super().__init__(
            embedding_dim=embedding_dim,
            vocab=vocab,
            pretrained_file=pretrained_file,
            vocab_namespace=vocab_namespace,
            trainable=False,
        )
        slots = torch.arange(1, self.num_embeddings + 1)
        slots[0] = 0
        if pretrained_file:
            known = []
            with EmbeddingsTextFile(pretrained_file) as lines:
                index = vocab.get_token_to_index_vocabulary(vocab_namespace)
                known = [index[w] for w in (line.split(" ", 1)[0] for line in lines) if w in index]
            is_known = torch.zeros(self.num_embeddings, dtype=torch.bool)
            is_known[known] = True
            is_known[0] = True
            slots = torch.where(is_known, 0, torch.cumsum(~is_known, 0))
            self.weight.data[~is_known] = 0.0
            self.weight.data[0] = 0.0
        self.register_buffer("slots", slots)
        self.learned = torch.nn.Embedding(int(slots.max()) + 1, embedding_dim, padding_idx=0)
        bound = (3 / embedding_dim) ** 0.5
        torch.nn.init.uniform_(self.learned.weight, -bound, bound)
        self.learned.weight.data[0] = 0.0
        self._word_dropout = word_dropout

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        rows = state_dict[prefix + "learned.weight"].size(0)
        if rows != self.learned.num_embeddings:
            self.learned = torch.nn.Embedding(rows, self.output_dim, padding_idx=0)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        if self.training and self._word_dropout:
            drop = torch.empty(tokens.shape).bernoulli_(self._word_dropout).bool() & (tokens > 1)
            tokens = tokens.masked_fill(drop, 1)
        return super().forward(tokens) + self.learned(self.slots[tokens])
