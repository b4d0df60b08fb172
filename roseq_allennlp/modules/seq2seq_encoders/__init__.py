from roseq_allennlp.modules.seq2seq_encoders.bidirectional_lstm import BidirectionalLstm

__all__ = ["BidirectionalLstm"]
