from roseq_allennlp.training import callbacks, learning_rate_schedulers, metrics, optimizers

__all__ = ["callbacks", "learning_rate_schedulers", "metrics", "optimizers"]
