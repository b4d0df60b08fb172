"""Scores from gold and predicted tags alone: what `conlleval` prints, surface forms, errors by kind."""

from roseq_allennlp.scoring.conlleval import Counts, Score, score, token_scores
from roseq_allennlp.scoring.surface_forms import surface_score

__all__ = ["Counts", "Score", "score", "surface_score", "token_scores"]
