from roseq_allennlp.training.callbacks.adversarial import AdversarialCallback
from roseq_allennlp.training.callbacks.augmentation import AugmentationCallback
from roseq_allennlp.training.callbacks.calibration import CalibrationCallback
from roseq_allennlp.training.callbacks.declared_types import DeclaredTypesCallback
from roseq_allennlp.training.callbacks.exact_recovery import ExactRecoveryCallback
from roseq_allennlp.training.callbacks.finite_loss import FiniteLossCallback
from roseq_allennlp.training.callbacks.label_statistics import LabelStatisticsCallback
from roseq_allennlp.training.callbacks.late_start import LateStartCallback
from roseq_allennlp.training.callbacks.score_table import ScoreTableCallback
from roseq_allennlp.training.callbacks.vector_coverage import VectorCoverageCallback

__all__ = [
    "AdversarialCallback",
    "AugmentationCallback",
    "CalibrationCallback",
    "DeclaredTypesCallback",
    "ExactRecoveryCallback",
    "FiniteLossCallback",
    "LabelStatisticsCallback",
    "LateStartCallback",
    "ScoreTableCallback",
    "VectorCoverageCallback",
]
