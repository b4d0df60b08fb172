"""Label Studio's protocol, by requests of the kind that its documentation and the examples of its SDK show."""

import pytest

from roseq_allennlp.data.documents import Tally
from roseq_allennlp.data.formats import label_studio
from roseq_allennlp.data.formats.format import ReadOptions
from tests.serving.http import detail, post

TEXT = "Marta Keller flies to Oslo.\n\nNordlight Labs is in Lisbon 🙂, Marta Keller says"


def interface(*labels, name="ner_tags", source="text", key="text", more=""):
    inner = "".join(f'\n    <Label value="{label}" background="#FFA39E"/>' for label in labels)
    return (
        f'<View>\n  <Labels name="{name}" toName="{source}">{inner}\n  </Labels>\n'
        f'  <Text name="{source}" value="${key}"{more}/>\n</View>'
    )


def task(number=1428, **data):
    """With all the keys that Label Studio sends."""
    return {
        **{"id": number, "data": data, "meta": {}, "created_at": "2024-03-20T20:50:22.955810Z", "is_labeled": False},
        **{"updated_at": "2024-03-20T20:50:22.955819Z", "overlap": 1, "inner_id": 18, "total_annotations": 0},
        **{"cancelled_annotations": 0, "total_predictions": 0, "comment_count": 0, "project": 6, "updated_by": None},
        **{"unresolved_comment_count": 0, "last_comment_updated_at": None, "file_upload": 8, "comment_authors": []},
        **{"annotations": [], "predictions": []},
    }


def predict(client, *tasks, config=None, **more):
    params = {"login": None, "password": None, "context": None}
    body = {"tasks": tasks, "model_version": None, "project": "6.1710967805", "params": params, **more}
    return post(client, {**body, "label_config": config}, "/predict")


def test_predictions_have_the_entities_of_the_tagger(client, tagger, tmp_path):
    response = predict(
        client, task(message=TEXT), task(2, message=""), config=interface("person", "location", key="message")
    )
    assert response.status_code == 200 and response.json()["model_version"] == "fixture"
    first, second = response.json()["results"]
    assert second == {"model_version": "fixture", "result": []}
    expected = [entity for entity in tagger.tag_document(TEXT)["entities"] if entity["label"] in ("person", "location")]
    assert len(expected) == 4 < len(tagger.tag_document(TEXT)["entities"])
    for result, entity in zip(first["result"], expected, strict=True):
        value = {"start": entity["start"], "end": entity["end"], "text": entity["text"], "labels": [entity["label"]]}
        assert result == {
            **{"from_name": "ner_tags", "to_name": "text", "type": "labels", "value": value},
            "score": pytest.approx(entity["probability"], abs=1e-3),
        }
    assert first["score"] == min(result["score"] for result in first["result"])
    # What an annotator accepts is read again.
    from roseq_allennlp.data.formats.json_rows import as_json

    export = [{"id": 1, "data": {"message": TEXT}, "annotations": [{"result": first["result"]}]}]
    (tmp_path / "export.json").write_text(as_json(export), encoding="utf-8")
    (document,) = label_studio.read(str(tmp_path / "export.json"), ReadOptions(), Tally())
    assert document.entities == [(entity["label"], entity["start"], entity["end"]) for entity in expected]


def test_labels_that_are_no_types_do_not_hide_the_predictions(client):
    """As in the examples of the SDK, whose labels are made up."""
    (result,) = predict(client, task(text=TEXT), config=interface("label_1", "label_2")).json()["results"]
    assert {entity["value"]["labels"][0] for entity in result["result"]} >= {"person", "location"}


@pytest.mark.parametrize("config", [None, "", " \n"])
def test_without_an_interface_names_are_those_of_the_template(client, config):
    (result,) = predict(client, {"data": {"text": TEXT}}, config=config).json()["results"]
    assert {(entity["from_name"], entity["to_name"]) for entity in result["result"]} == {("label", "text")}
    assert predict(client).json() == {"results": [], "model_version": "fixture"}


def setup(client, config):
    body = {"project": "6.1710967805", "schema": config, "hostname": "http://localhost:8080", "access_token": "x"}
    return post(client, {**body, "extra_params": {}}, "/setup")


def test_a_project_is_connected(client):
    assert client.get("/health").json()["status"] == "UP"
    assert setup(client, interface("person", "other")).json() == {"model_version": "fixture"}
    assert setup(client, "").json() == {"model_version": "fixture"}
    sentence = detail(setup(client, interface("PER", "LOC")), 422)
    assert sentence.startswith("none of the project's labels is a type of the tagger; its types are corporation, ")


@pytest.mark.parametrize(
    "config, sentence",
    [
        ("<View", "the labelling interface is not XML"),
        ("\x00", "the labelling interface is not XML"),
        ("\ud800", "the labelling interface is not XML"),
        ('<?xml version="1.0" encoding="nonesuch"?><View/>', "the labelling interface"),
        ("<View></View>", "the labelling interface has no <Labels> for a <Text>"),
        (interface("person", key="").replace("$", ""), "the labelling interface has no <Labels> for a <Text>"),
        (interface("person", more=' valueType="url"'), "the labelling interface has no <Labels> for a <Text>"),
        (interface("person").replace('toName="text"', ""), "the labelling interface has no <Labels> for a <Text>"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><View>&b;</View>', "the labelling interface must have no DOCTYPE"),
        ("<a>" * 100_000, "the labelling interface is not XML"),
    ],
)
def test_an_interface_that_cannot_be_used_is_one_sentence(client, config, sentence):
    assert detail(setup(client, config), 422).startswith(sentence)
    assert detail(predict(client, task(text="a"), config=config), 422).startswith(sentence)


@pytest.mark.parametrize(
    "body, sentence",
    [
        ({}, "`tasks` must be a list of tasks, each with its `data`"),
        ({"tasks": {}}, "`tasks` must be a list of tasks"),
        ({"tasks": [{}]}, "`tasks` must be a list of tasks"),
        ({"tasks": [{"data": []}]}, "`tasks` must be a list of tasks"),
        ({"tasks": [{"data": {"text": "a"}}, {"data": {}}]}, "task 2 of 2 has no text as `text` in its data"),
        ({"tasks": [{"data": {"text": 1}}]}, "task 1 of 1 has no text as `text`"),
        ({"tasks": [{"data": {"text": "\ud800"}}]}, "task 1 of 1: `text` has half a character"),
        ({"tasks": [], "label_config": 1}, "`label_config` must be the project's labelling interface, in XML"),
    ],
)
def test_a_bad_request_is_one_sentence(client, body, sentence):
    assert detail(post(client, body, "/predict"), 422).startswith(sentence)
    assert detail(post(client, {"schema": 1}, "/setup"), 422) == (
        "`schema` must be the project's labelling interface, in XML"
    )
