from roseq_allennlp.training.checkpointers.atomic_checkpointer import AtomicCheckpointer

__all__ = ["AtomicCheckpointer"]
