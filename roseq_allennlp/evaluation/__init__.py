"""
Scores and what explains them. `score` gives what `conlleval` prints; `tagged_data` tags labelled data with an archive, and
the other modules say where its errors are.
"""

from roseq_allennlp.evaluation.scoring import Counts, Score, score, surface_score, token_scores

__all__ = ["Counts", "Score", "score", "surface_score", "token_scores"]
