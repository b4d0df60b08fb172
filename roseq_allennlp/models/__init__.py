from roseq_allennlp.models.distillation import DistillationCallback
from roseq_allennlp.models.finetuned_run import FinetunedRun
from roseq_allennlp.models.label_aware_crf_tagger import LabelAwareCrfTagger
from roseq_allennlp.models.tagger_ensemble import TaggerEnsemble

__all__ = ["DistillationCallback", "FinetunedRun", "LabelAwareCrfTagger", "TaggerEnsemble"]
