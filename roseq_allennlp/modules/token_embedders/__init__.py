from roseq_allennlp.modules.token_embedders.char_cnn_highway import CharCnnHighway
from roseq_allennlp.modules.token_embedders.fixed_embedding import FixedEmbedding
from roseq_allennlp.modules.token_embedders.transformer_embedder import TransformerEmbedder

__all__ = ["CharCnnHighway", "FixedEmbedding", "TransformerEmbedder"]
