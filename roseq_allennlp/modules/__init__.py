from roseq_allennlp.modules import token_embedders

__all__ = ["token_embedders"]
