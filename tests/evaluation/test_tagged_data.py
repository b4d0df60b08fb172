import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.data import Instance

import roseq_allennlp
from roseq_allennlp.data.tag_schemes import bioul_to_bioes
from roseq_allennlp.evaluation.tagged_data import read_labelled, score_of, tag_file, tag_instances
from roseq_allennlp.models.archive import load_archive

DATA = "fixtures/wnut17/emerging.test.annotated"


def test_sentences_are_tagged_as_the_predictor_does(archive_path):
    archive = load_archive(archive_path)
    sentences = tag_file(archive, DATA)
    tagger = roseq_allennlp.load(archive_path)
    for sentence, instance in zip(sentences, archive.validation_dataset_reader.read(DATA), strict=True):
        answer = tagger.tag_tokens(sentence.words)
        assert sentence.predicted == answer["tags"]
        assert sentence.gold == bioul_to_bioes(instance["tags"].labels)
        assert list(sentence.probabilities) == sentence.predicted_entities
        expected = [entity["probability"] for entity in answer["entities"]]
        assert list(sentence.probabilities.values()) == pytest.approx(expected, rel=1e-4)


def test_the_score_is_that_of_evaluate(archive_path):
    """In the model's own metric, by AllenNLP's own loop."""
    from allennlp.data.data_loaders import SimpleDataLoader
    from allennlp.training.util import evaluate

    archive = load_archive(archive_path)
    result = score_of(tag_file(archive, DATA))
    loader = SimpleDataLoader(read_labelled(archive.validation_dataset_reader, DATA), 8, vocab=archive.model.vocab)
    for instance in loader.instances:
        archive.validation_dataset_reader.apply_token_indexers(instance)
    metrics = evaluate(archive.model, loader)
    assert result.overall.f1 == pytest.approx(100 * metrics["f1-measure-overall"])
    assert result.accuracy == pytest.approx(100 * metrics["accuracy"])
    assert {key.removeprefix("f1-measure-") for key in metrics if key.startswith("f1")} - {"overall"} == set(
        result.types
    )


def test_progress(archive_path):
    shown = []

    def progress(parts, title):
        for part in parts:
            shown.append((len(part), title))
            yield part

    archive = load_archive(archive_path)
    instances = read_labelled(archive.validation_dataset_reader, DATA) * 110
    assert len(tag_instances(archive, instances, progress, "tagging")) == len(instances) > 2048
    assert shown == [(2048, "tagging"), (len(instances) - 2048, "tagging")]


def test_what_cannot_be_scored(archive_path, monkeypatch):
    archive = load_archive(archive_path)
    reader = archive.validation_dataset_reader
    untagged = Instance({"tokens": reader.text_to_instance(["a"])["tokens"]})
    monkeypatch.setattr(reader, "read", lambda path: [untagged])
    with pytest.raises(ConfigurationError, match="sentences without tags"):
        read_labelled(reader, DATA)
