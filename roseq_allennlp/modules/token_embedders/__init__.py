from roseq_allennlp.modules.token_embedders.char_cnn_highway import CharCnnHighway
from roseq_allennlp.modules.token_embedders.fixed_and_learned import FixedAndLearned

__all__ = ["CharCnnHighway", "FixedAndLearned"]
