from roseq_allennlp.training.optimizers.fused_adam import FusedAdam

__all__ = ["FusedAdam"]
