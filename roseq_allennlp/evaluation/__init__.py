"""Evaluation of taggers: `tagged_data` tags labelled data with an archive, and the other modules analyse the errors."""

from roseq_allennlp.scoring import Counts, Score, score, surface_score, token_scores

__all__ = ["Counts", "Score", "score", "surface_score", "token_scores"]
