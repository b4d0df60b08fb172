from roseq_allennlp.modules.token_embedders.char_cnn_highway import CharCnnHighway
from roseq_allennlp.modules.token_embedders.fixed_embedding import FixedEmbedding

__all__ = ["CharCnnHighway", "FixedEmbedding"]
