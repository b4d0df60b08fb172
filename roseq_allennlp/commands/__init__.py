from roseq_allennlp.commands.score import ScoreCommand

__all__ = ["ScoreCommand"]
