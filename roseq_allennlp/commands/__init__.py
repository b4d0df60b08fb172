from roseq_allennlp.commands.compare import CompareCommand
from roseq_allennlp.commands.report import ReportCommand
from roseq_allennlp.commands.score import ScoreCommand

__all__ = ["CompareCommand", "ReportCommand", "ScoreCommand"]
