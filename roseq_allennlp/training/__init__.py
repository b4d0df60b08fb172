from roseq_allennlp.training import (
    callbacks,
    checkpointers,
    encoder_vectors,
    learning_rate_schedulers,
    metrics,
    optimizers,
    run_directory,
)

__all__ = [
    "callbacks",
    "checkpointers",
    "encoder_vectors",
    "learning_rate_schedulers",
    "metrics",
    "optimizers",
    "run_directory",
]
