import math

import numpy as np
import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader, Vocabulary
from allennlp.models import Model

from roseq_allennlp.data.tag_schemes import bioul_to_bioes, to_spans
from roseq_allennlp.predictors import NerTagger
from roseq_allennlp.predictors.sentences import Sentence
from roseq_allennlp.predictors.uncertainty import unsure
from tests.paths import allowed_paths

SENTENCES = [["Marta", "Keller", "flies"], ["zzz"], ["@anna", "in"], ["the", "Oslo", "😀"]]


@pytest.mark.parametrize("by", ["entropy", "margin"])
def test_what_is_measured_is_that_of_all_paths(with_emissions, by):
    tagger = with_emissions
    sentences = [Sentence(words) for words in [*SENTENCES, []]]
    results = dict(unsure(tagger, sentences, by))
    assert sorted(results) == [0, 1, 2, 3]  # none for the empty one
    for index, words in enumerate(SENTENCES):
        paths = allowed_paths(tagger, words)
        value, score, expected, answer = results[index]
        first, second = sorted(paths.values())[:-3:-1]
        margin = math.log(first) - math.log(second)
        entropy = -sum(probability * math.log(probability) for probability in paths.values() if probability > 0)
        assert value == pytest.approx(entropy if by == "entropy" else margin, abs=1e-4)
        assert score == pytest.approx(entropy if by == "entropy" else second / first, abs=1e-4)
        assert bioul_to_bioes(answer["tags"]) == tagger.tag_tokens(words)["tags"]
        for label in tagger.labels:
            number = sum(
                probability * sum(span.label == label for span in to_spans(path, "BIOES"))
                for path, probability in paths.items()
            )
            assert expected[label] == pytest.approx(number, abs=1e-4)


def test_one_tagger_does_not_disagree(tagger):
    with pytest.raises(ConfigurationError, match="the archive has one tagger: choose entropy or margin"):
        list(unsure(tagger, [Sentence(["Oslo"])], "disagreement"))


@pytest.fixture(scope="module")
def ensemble():
    """An ensemble with random weights."""
    config = Params.from_file("training_configs/fixture.jsonnet").as_dict()
    reader = DatasetReader.from_params(Params(config["dataset_reader"]))
    instances = list(reader.read("fixtures/wnut17/wnut17train.conll"))
    vocab = Vocabulary.from_params(Params(config["vocabulary"]), instances=instances)
    member = {**config["model"], "return_emissions": True}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = Model.from_params(Params({"type": "tagger_ensemble", "size": 3, "member": member}), vocab=vocab)
    model.set_label_counts(
        {label: 1000 if label == "O" else 10 for label in vocab.get_token_to_index_vocabulary("labels")}
    )
    return NerTagger(model.eval(), reader)


def test_disagreement_is_the_mean_divergence_from_the_mean(ensemble):
    results = dict(unsure(ensemble, list(map(Sentence, SENTENCES)), "disagreement"))
    members = [NerTagger(member, ensemble._dataset_reader) for member in ensemble._model.members]
    for index, words in enumerate(SENTENCES):
        marginals = np.stack([member.marginals(words).probabilities for member in members])  # (members, T, K)
        mean = marginals.mean(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            divergence = np.where(marginals > 0, marginals * np.log(marginals / mean), 0).sum(axis=(1, 2)).mean()
        assert divergence > 1e-4
        assert results[index].value == results[index].score == pytest.approx(divergence, rel=1e-4)


def test_an_ensemble_has_the_probabilities_of_its_one_crf(ensemble):
    words = ["Marta", "Oslo"]
    tags, probabilities = ensemble.marginals(words)
    expected = np.zeros_like(probabilities)
    for path, probability in allowed_paths(ensemble, words).items():
        for token, tag in enumerate(path):
            expected[token, tags.index(tag)] += probability
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    answer = ensemble.tag_tokens(words)
    spans = [(entity["label"], entity["start_token"], entity["end_token"]) for entity in answer["entities"]]
    assert ensemble.score(words, spans) == pytest.approx(
        [entity["probability"] for entity in answer["entities"]], abs=1e-5
    )
