from roseq_allennlp.modules import seq2seq_encoders, token_embedders

__all__ = ["seq2seq_encoders", "token_embedders"]
