from roseq_allennlp.training.learning_rate_schedulers.inverse_time_decay import InverseTimeDecay
from roseq_allennlp.training.learning_rate_schedulers.linear_warmup import LinearWarmup

__all__ = ["InverseTimeDecay", "LinearWarmup"]
