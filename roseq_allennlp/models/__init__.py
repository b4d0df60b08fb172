from roseq_allennlp.models.label_aware_crf_tagger import LabelAwareCrfTagger

__all__ = ["LabelAwareCrfTagger"]
