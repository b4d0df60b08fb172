from roseq_allennlp.training.callbacks.adversarial import AdversarialCallback
from roseq_allennlp.training.callbacks.label_statistics import LabelStatisticsCallback

__all__ = ["AdversarialCallback", "LabelStatisticsCallback"]
