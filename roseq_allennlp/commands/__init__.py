from roseq_allennlp.commands.ablation import AblationCommand
from roseq_allennlp.commands.archive import ArchiveCommand
from roseq_allennlp.commands.compare import CompareCommand
from roseq_allennlp.commands.convert import ConvertCommand
from roseq_allennlp.commands.corpora import CorporaCommand
from roseq_allennlp.commands.label_weights import LabelWeightsCommand
from roseq_allennlp.commands.noise import NoiseCommand
from roseq_allennlp.commands.predict_ray import PredictRayCommand
from roseq_allennlp.commands.report import ReportCommand
from roseq_allennlp.commands.results import ResultsCommand
from roseq_allennlp.commands.score import ScoreCommand

__all__ = [
    "AblationCommand",
    "ArchiveCommand",
    "CompareCommand",
    "ConvertCommand",
    "CorporaCommand",
    "LabelWeightsCommand",
    "NoiseCommand",
    "PredictRayCommand",
    "ReportCommand",
    "ResultsCommand",
    "ScoreCommand",
]
