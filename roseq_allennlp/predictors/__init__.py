from roseq_allennlp.predictors.loading import load
from roseq_allennlp.predictors.ner_tagger import NerTagger

__all__ = ["NerTagger", "load"]
