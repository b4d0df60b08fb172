from roseq_allennlp.training import callbacks, checkpointers, learning_rate_schedulers, metrics, optimizers

__all__ = ["callbacks", "checkpointers", "learning_rate_schedulers", "metrics", "optimizers"]
