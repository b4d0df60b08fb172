from roseq_allennlp.modules.token_embedders.char_cnn_highway import CharCnnHighway

__all__ = ["CharCnnHighway"]
