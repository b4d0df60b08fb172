from roseq_allennlp.training.metrics.conll_f1 import ConllF1
from roseq_allennlp.training.metrics.loss_average import LossAverage

__all__ = ["ConllF1", "LossAverage"]
