"""What is said about tagged data: `tagged_data` tags it with an archive, and the other modules say where its errors are."""

from roseq_allennlp.scoring import Counts, Score, score, surface_score, token_scores

__all__ = ["Counts", "Score", "score", "surface_score", "token_scores"]
