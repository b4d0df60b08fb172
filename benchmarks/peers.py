"""AllenNLP's `crf_tagger` and spaCy's small pipeline."""

import random
from typing import Any

import spacy
import torch
from allennlp.common.util import lazy_groups_of
from allennlp.models.archival import load_archive
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import minibatch

from benchmarks.ours import PASSES_BEFORE_TAGGING, Sentence, cuda_number


class CrfTagger:
    """AllenNLP's `crf_tagger` out of its archive."""

    def __init__(self, archive: str, device: torch.device) -> None:
        loaded = load_archive(archive, cuda_device=cuda_number(device))
        self._model, self._reader = loaded.model.eval(), loaded.validation_dataset_reader

    def tag(self, sentences: list[list[str]]) -> list[dict[str, Any]]:
        # What a predictor does with tokens, less its conversion of the logits into lists.
        results = []
        for group in lazy_groups_of(sentences, 64):
            instances = [self._reader.text_to_instance(words) for words in group]
            for instance in instances:
                self._reader.apply_token_indexers(instance)
            results += self._model.forward_on_instances(instances)
        return results


class SpacyTagger:
    """
    The architecture of spaCy's small English pipeline, `tok2vec` and `ner` alone, trained here briefly: no trained
    pipeline is on the package index, and its speed does not depend on what the weights are. Runs on the CPU.

    # Parameters

    sentences : `List[Sentence]`
    shared : `bool`
        Whether `ner` listens to `tok2vec`, as in the configs that spaCy proposes and faster, or has an encoder of
        its own besides, as in `en_core_web_sm`.
    """

    def __init__(self, sentences: list[Sentence], shared: bool) -> None:
        spacy.util.fix_random_seed(1)
        self._pipeline = spacy.blank("en")
        width = 96
        encoder = {
            "@architectures": "spacy.Tok2Vec.v2",
            "embed": {
                "@architectures": "spacy.MultiHashEmbed.v2",
                "width": width,
                "attrs": ["NORM", "PREFIX", "SUFFIX", "SHAPE", "SPACY", "IS_SPACE"],
                "rows": [5000, 1000, 2500, 2500, 50, 50],
                "include_static_vectors": False,
            },
            "encode": {
                "@architectures": "spacy.MaxoutWindowEncoder.v2",
                "width": width,
                "depth": 4,
                "window_size": 1,
                "maxout_pieces": 3,
            },
        }
        listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": width, "upstream": "tok2vec"}
        parser = {
            "@architectures": "spacy.TransitionBasedParser.v2",
            "state_type": "ner",
            "extra_state_tokens": False,
            "hidden_width": 64,
            "maxout_pieces": 2,
            "use_upper": True,
            "tok2vec": listener if shared else encoder,
        }
        self._pipeline.add_pipe("tok2vec", config={"model": encoder})
        self._pipeline.add_pipe("ner", config={"model": parser})
        examples = [self._example(sentence) for sentence in sentences]
        optimizer = self._pipeline.initialize(lambda: examples)
        for _ in range(PASSES_BEFORE_TAGGING):
            random.shuffle(examples)
            for batch in minibatch(examples, 32):
                self._pipeline.update(batch, sgd=optimizer, drop=0.1)

    def _example(self, sentence: Sentence) -> Example:
        vocabulary = self._pipeline.vocab
        gold = Doc(vocabulary, words=sentence.words)
        gold.ents = [Span(gold, start, end, label=label) for label, start, end in sentence.entities]
        return Example(Doc(vocabulary, words=sentence.words), gold)

    def tag(self, sentences: list[list[str]]) -> list[Any]:
        documents = (Doc(self._pipeline.vocab, words=words) for words in sentences)
        return [document.ents for document in self._pipeline.pipe(documents)]
