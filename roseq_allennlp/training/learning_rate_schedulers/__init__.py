from roseq_allennlp.training.learning_rate_schedulers.inverse_time_decay import InverseTimeDecay

__all__ = ["InverseTimeDecay"]
