import itertools

import pytest
import torch
from allennlp.common import Params
from allennlp.data import Batch, DatasetReader, Vocabulary
from allennlp.models import Model

from roseq_allennlp.data.tag_schemes import Span, invalid_positions, to_spans
from roseq_allennlp.data.training_mix import Sentence, read_sentences
from roseq_allennlp.evaluation import out_of_fold
from roseq_allennlp.evaluation.out_of_fold import likely_spans, tagged
from roseq_allennlp.evaluation.tagged_data import tag_instances
from roseq_allennlp.models.archive import load_archive
from roseq_allennlp.nn.forward_backward import path_score

DATA = "fixtures/wnut17/emerging.test.annotated"


@pytest.fixture(scope="module")
def archive(archive_path):
    return load_archive(archive_path)


def test_probabilities_are_those_of_all_paths(archive, monkeypatch):
    """By enumeration of all valid paths of a sentence of three tokens."""
    monkeypatch.setattr(out_of_fold, "LEAST", 1e-4)
    words, tags = ["Hello", "Ann", "Lee"], ["O", "B-person", "L-person"]
    (answer,) = tagged(archive.model, archive.dataset_reader, [Sentence(words, tags)])
    model, reader = archive.model, archive.dataset_reader
    instance = reader.text_to_instance(words)
    reader.apply_token_indexers(instance)
    batch = Batch([instance])
    batch.index_instances(model.vocab)
    with torch.no_grad():
        emissions = model(**batch.as_tensor_dict())["emissions"].double()
    names = model.vocab.get_index_to_token_vocabulary("labels")
    paths = [
        path
        for path in itertools.product(range(len(names)), repeat=3)
        if not invalid_positions([names[tag] for tag in path], "BIOUL")
    ]
    potentials = model.crf.potentials(emissions.expand(len(paths), -1, -1), constrained=False)
    scores = path_score(potentials, torch.tensor(paths), torch.ones(len(paths), 3, dtype=torch.bool))
    probabilities = torch.softmax(scores, dim=0).tolist()
    spans = [to_spans([names[tag] for tag in path], "BIOUL") for path in paths]
    exact = {}
    for of_path, value in zip(spans, probabilities, strict=True):
        for span in of_path:
            exact[span] = exact.get(span, 0.0) + value
    gold = Span("person", 1, 3)
    assert answer.evidence.labelled == pytest.approx({gold: exact[gold]}, rel=1e-5)
    likely = {span: value for span, value in exact.items() if value >= 1e-4 and span != gold}
    assert len(likely) > 2 and answer.evidence.others == pytest.approx(likely, rel=1e-5)
    for (start, end), value in answer.evidence.outside.items():
        outside = [not any(one.start < end and start < one.end for one in of_path) for of_path in spans]
        assert value == pytest.approx(sum(itertools.compress(probabilities, outside)), rel=1e-5)
    assert answer.evidence.outside.keys() >= {(span.start, span.end) for span in {gold, *likely}}


def test_sentences_are_tagged_as_the_predictor_tags_them(archive):
    sentences = read_sentences(archive.dataset_reader, DATA)
    instances = [archive.dataset_reader.text_to_instance(*sentence) for sentence in sentences]
    for answer, expected in zip(
        tagged(archive.model, archive.dataset_reader, sentences), tag_instances(archive, instances), strict=True
    ):
        assert answer.sentence[:3] == expected[:3]
        assert answer.sentence.probabilities == pytest.approx(expected.probabilities, rel=1e-4)
        assert answer.evidence.predicted == expected.predicted_entities
        assert list(answer.evidence.labelled) == expected.gold_entities


def test_an_ensemble_is_asked_as_one_tagger():
    config = Params.from_file("training_configs/fixture.jsonnet").as_dict(quiet=True)
    reader = DatasetReader.from_params(Params(config["dataset_reader"]))
    sentences = read_sentences(reader, DATA)[:5]
    instances = [reader.text_to_instance(*sentence) for sentence in sentences]
    for instance in instances:
        reader.apply_token_indexers(instance)
    vocab = Vocabulary.from_params(Params(config["vocabulary"]), instances=instances)
    member = {**config["model"], "tau": None}
    model = Model.from_params(Params({"type": "tagger_ensemble", "size": 2, "member": member}), vocab=vocab).eval()
    batch = Batch(instances)
    batch.index_instances(vocab)
    with torch.no_grad():
        output = model.make_output_human_readable(model(**batch.as_tensor_dict()))
    assert any(output["entities"])
    for answer, entities in zip(tagged(model, reader, sentences), output["entities"], strict=True):
        expected = {Span(one["label"], one["start_token"], one["end_token"]): one["probability"] for one in entities}
        assert answer.sentence.probabilities == pytest.approx(expected, rel=1e-4)


def test_what_is_unknown_is_no_evidence(archive):
    words = ["Ann", "Lee", "left", "Oslo", "today"]
    whole = ["B-person", "L-person", "O", "O", "O"]
    (known,) = tagged(archive.model, archive.dataset_reader, [Sentence(words, ["O"] * 5)])
    touched = {position for span in known.evidence.others for position in range(span.start, span.end)}
    assert touched
    for position in sorted(touched):
        tags = ["?" if index == position else "O" for index in range(5)]
        (answer,) = tagged(archive.model, archive.dataset_reader, [Sentence(words, tags)])
        assert answer.evidence.others == {
            span: value for span, value in known.evidence.others.items() if not span.start <= position < span.end
        }
        assert not any(span.start <= position < span.end for span in answer.evidence.predicted)
    # An entity that goes on into an unknown token has no known end: none of its tokens counts.
    (answer,) = tagged(archive.model, archive.dataset_reader, [Sentence(words, ["B-person", "?", *whole[2:]])])
    assert not answer.evidence.labelled and all(span.start > 1 for span in answer.evidence.others)


def test_a_type_that_the_tagger_does_not_know_has_no_probability(archive):
    (answer,) = tagged(archive.model, archive.dataset_reader, [Sentence(["Ann", "left"], ["U-mammal", "O"])])
    assert answer.evidence.labelled == {Span("mammal", 0, 1): 0.0}


def test_likely_spans():
    labels = {tag: index for index, tag in enumerate(["O", "B-X", "I-X", "L-X", "U-X", "U-Y"])}
    rows = [
        [0.1, 0.6, 0.0, 0.0, 0.3, 0.0],
        [0.1, 0.0, 0.3, 0.4, 0.2, 0.0],
        [0.3, 0.1, 0.0, 0.3, 0.0, 0.3],
    ]
    spans = likely_spans(torch.tensor(rows), labels, 0.2)
    assert spans == [("X", 0, 1), ("X", 0, 2), ("X", 0, 3), ("X", 1, 2), ("Y", 2, 3)]
    assert likely_spans(torch.tensor(rows), labels, 0.35) == [("X", 0, 2)]


def test_another_kind_of_model_is_refused():
    class Other(Model):
        pass

    with pytest.raises(Exception, match="the model is a Other, which gives no probabilities of entities"):
        list(tagged(Other(None), None, []))
