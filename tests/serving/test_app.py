"""What the server gives, and what it says to bad requests."""

import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from allennlp.models import Model
from prometheus_client.parser import text_string_to_metric_families

from roseq_allennlp._serving.metrics import Metrics
from roseq_allennlp._serving.tagging import Input, Options, tag_inputs
from roseq_allennlp.predictors import NerTagger
from roseq_allennlp.predictors.alternatives import add_alternatives
from tests.serving.http import detail, post

TEXT = "Marta Keller flies from Lisbon to Oslo tomorrow"
DOCUMENT = f"{TEXT}.\n\nOslo is cold. 🙂 Marta Keller is back."


def rounded(value):
    """Probabilities depend on the batch by their last digits."""
    if isinstance(value, float):
        return pytest.approx(value, abs=1e-5)
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value


def answers(client, **body):
    response = post(client, body)
    assert response.status_code == 200, response.text
    assert response.json().keys() == {"model", "answers"}
    return response.json()["answers"]


def test_answers_are_those_of_the_tagger(client, tagger):
    tokens = ["Marta", " ", "Keller"]
    assert answers(client, text=TEXT) == [rounded(dict(tagger.tag(TEXT)))]
    assert answers(client, text=[TEXT, "", "Oslo"]) == [rounded(dict(tagger.tag(text))) for text in (TEXT, "", "Oslo")]
    assert answers(client, document=DOCUMENT) == [rounded(dict(tagger.tag_document(DOCUMENT)))]
    assert answers(client, document=[DOCUMENT] * 2) == [rounded(dict(tagger.tag_document(DOCUMENT)))] * 2
    assert answers(client, tokens=tokens) == [rounded(dict(tagger.tag_tokens(tokens)))]
    assert answers(client, tokens=[tokens, [], ["Oslo"]]) == [
        rounded(dict(tagger.tag_tokens(words))) for words in (tokens, [], ["Oslo"])
    ]
    assert answers(client, tokens=[["a"], [""]])[1] == {
        "error": "`tokens` must be a list of strings, none of them empty"
    }
    assert "`text` has half a character" in answers(client, text=["a", "\ud800"])[1]["error"]


@pytest.mark.parametrize("least", [0.995, {"person": 0.999}, 0, 1])
@pytest.mark.parametrize("review", [False, True])
def test_thresholds(client, tagger, least, review):
    actual = answers(client, document=DOCUMENT, min_probability=least, review=review)
    assert actual == [rounded(dict(tagger.tag_document(DOCUMENT, least, review)))]


def test_alternatives(client, tagger):
    (answer,) = answers(client, document=DOCUMENT, alternatives=2, min_probability=0.9)
    expected = dict(tagger.tag_document(DOCUMENT, 0.9))
    add_alternatives(tagger, [(DOCUMENT, expected)], 2)
    assert answer == rounded(expected) and len(answer["entities"][0]["alternatives"]) == 2
    assert answers(client, text=[TEXT] * 2, alternatives=0)[0]["entities"][0].keys() == {
        *("text", "label", "start", "end", "start_token", "end_token", "probability")
    }


def test_each_input_of_a_batch_has_its_own_options(tagger):
    options = [Options(), Options(alternatives=1), Options(alternatives=3), Options(least={"person": 1.0})]
    answers = tag_inputs(tagger, [Input({"sentence": TEXT}, one) for one in options])
    assert [len(answer["entities"]) for answer in answers] == [3, 3, 3, 2]
    assert [len(answer["entities"][0].get("alternatives", ())) for answer in answers] == [0, 1, 3, 0]


BAD = [
    ("{}", "give exactly one of `text`, `document` and `tokens`"),
    ('{"text": null}', "give exactly one of `text`, `document` and `tokens`"),
    ('{"text": "a", "tokens": ["a"]}', "give exactly one of `text`, `document` and `tokens`"),
    ('{"text": 1}', "`text` must be a text or a list of texts"),
    ('{"text": ["a", 1]}', "`text` must be a text or a list of texts"),
    ('{"text": {"a": "b"}}', "`text` must be a text or a list of texts"),
    ('{"text": []}', "`text` is an empty list"),
    ('{"document": []}', "`document` is an empty list"),
    ('{"tokens": []}', "`tokens` is an empty list"),
    ('{"tokens": "a"}', "`tokens` must be a list of tokens, or a list of such lists"),
    ('{"tokens": ["a", ["b"]]}', "`tokens` must be a list of tokens, or a list of such lists"),
    ('{"tokens": [[["a"]]]}', "`tokens` must be a list of tokens, or a list of such lists"),
    ('{"tokens": [""]}', "`tokens` must be a list of strings, none of them empty"),
    ('{"text": "a", "review": 1}', "`review` must be true"),
    ('{"text": "a", "review": "yes"}', "`review` must be true"),
    ('{"text": "a", "alternatives": -1}', "`alternatives` must be a whole number from 0 to 10"),
    ('{"text": "a", "alternatives": 11}', "`alternatives` must be a whole number from 0 to 10"),
    ('{"text": "a", "alternatives": 1.5}', "`alternatives` must be a whole number from 0 to 10"),
    ('{"text": "a", "alternatives": true}', "`alternatives` must be a whole number from 0 to 10"),
    ('{"text": "a", "alternatives": 1%s}' % ("0" * 400), "`alternatives` must be a whole number from 0 to 10"),
    ('{"text": "a", "alternatives": 1%s}' % ("0" * 5000), "the body is not JSON"),
    ('{"text": "a", "min_probability": 2}', "min_probability must be from 0 to 1"),
    ('{"text": "a", "min_probability": NaN}', "min_probability must be from 0 to 1"),
    ('{"text": "a", "min_probability": 1e999}', "min_probability must be from 0 to 1"),
    ('{"text": "a", "min_probability": 1%s}' % ("0" * 400), "`min_probability` must be a number from 0 to 1"),
    ('{"text": "a", "min_probability": "0.5"}', "`min_probability` must be a number from 0 to 1"),
    ('{"text": "a", "min_probability": true}', "`min_probability` must be a number from 0 to 1"),
    ('{"text": "a", "min_probability": {"person": "x"}}', "`min_probability` must be a number from 0 to 1"),
    ('{"text": "a", "min_probability": {"persons": 0.5}}', "the tagger has no type 'persons'; its types are corp"),
    ('{"text": "a", "min_probability": {"person": -1}}', "min_probability must be from 0 to 1"),
    ('{"text": "a", "min_probability": "calibrated"}', "the archive has no thresholds"),
    ('{"text": "a", "texts": "b"}', "there is no key `texts`; the keys are `text`, `document`"),
    ('{"text": "a", "\\u001b[2J": "b"}', "there is no key `\\x1b[2J`"),
    ('{"text": "\\ud800"}', "`text` has half a character, \\ud800"),
    ('{"document": "\\udfff a"}', "`document` has half a character, \\udfff"),
    ('{"\\ud800": "a"}', ""),
    ("[]", "the body must be a JSON object"),
    ('"a"', "the body must be a JSON object"),
    ("null", "the body must be a JSON object"),
    ("", "the body must be a JSON object"),
    ("NaN", "the body must be a JSON object"),
    ("{", "the body is not JSON: Expecting property name"),
    ('{"text": "a"} b', "the body is not JSON: Extra data at character 14"),
    ('{"text": "a\n"}', "the body is not JSON: Invalid control character at"),
    ("[" * 100_000, "the body is not JSON"),
    ('{"text":' * 100_000, "the body is not JSON"),
    (b"\xff\xfe", "the body is not JSON"),
    (b'{"text": "\xff"}', "the body is not JSON"),
]


@pytest.mark.parametrize("body, sentence", BAD, ids=range(len(BAD)))
def test_a_bad_request_is_one_sentence(client, body, sentence):
    response = post(client, body)
    assert sentence in detail(response, 400 if response.status_code == 400 else 422)
    assert answers(client, text="Oslo")[0]["tags"] == ["S-location"]


def test_other_requests(client):
    assert "there is no tagger 'x'; there are fixture" in detail(post(client, {"text": "a", "model": "x"}), 404)
    assert detail(client.get("/nothing"), 404) == "there is no such path"
    assert detail(client.get("/v1/tag"), 405) == "the path does not take this method"
    form = client.post("/v1/tag", content='{"text": "a"}', headers={"Content-Type": "text/plain"})
    assert detail(form, 422) == "the body must be a JSON object, sent with `Content-Type: application/json`"
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404


def test_a_body_in_utf_16_is_read_as_json_may_be(client):
    assert post(client, json.dumps({"text": "Oslo"}).encode("utf-16")).json()["answers"][0]["words"] == ["Oslo"]


def test_limits_of_texts(client_of, tagger):
    client = client_of({"one": tagger}, max_text=20)
    assert answers(client, text="a" * 20)
    assert detail(post(client, {"text": "a" * 21}), 413) == "the text has more than 20 characters: split it"
    assert "text 2 of 3 has more than 20" in detail(post(client, {"document": ["a", "b" * 21, "c"]}), 413)
    assert "the text has more" in detail(post(client, {"tokens": ["ab"] * 7}), 413)
    assert answers(client, tokens=[["ab"] * 6] * 9)


@pytest.fixture
def held(tagger, monkeypatch):
    """Tags when it is let to."""
    inner, let, calls = tagger.predict_batch_json, threading.Event(), []

    def wait(items):
        calls.append(items)
        assert let.wait(20)
        return inner(items)

    monkeypatch.setattr(tagger, "predict_batch_json", wait)
    yield let, calls
    let.set()


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_full_queue_says_when_to_come_again(client_of, tagger, held):
    let, calls = held
    client = client_of({"one": tagger}, queue=1, wait=0)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(post, client, {"text": "Oslo"})
        until(lambda: calls)
        second = threads.submit(post, client, {"text": "Oslo"})
        until(lambda: 'roseq_waiting_requests{model="one"} 1.0' in client.get("/metrics").text)
        refused = post(client, {"text": "Oslo"})
        assert detail(refused, 503) == "1 requests wait already: try again in a second"
        assert refused.headers["Retry-After"] == "1"
        let.set()
        assert [one.result().json()["answers"][0]["tags"] for one in (first, second)] == [["S-location"]] * 2


def test_the_time_limit(client_of, tagger, held):
    let, _ = held
    client = client_of({"one": tagger}, time_limit=0.3)
    assert detail(post(client, {"text": "Oslo"}), 504) == "the answer was not ready within 0.3 s"
    let.set()
    assert answers(client, text="Oslo")[0]["tags"] == ["S-location"]


def test_a_server_that_does_not_tag_is_not_well(client_of, tagger, monkeypatch):
    def fail(*numbers):
        raise RuntimeError

    monkeypatch.setattr(Metrics, "of_model", lambda self, name, waiting: fail)
    client = client_of({"one": tagger})
    assert client.get("/healthz").json() == {"status": "ok"}
    assert answers(client, text="Oslo")
    until(lambda: client.get("/healthz").status_code == 503)
    assert detail(client.get("/healthz"), 503) == "the server does not tag"


def test_the_taggers_and_what_is_known_of_them(client, tagger):
    assert client.get("/v1/models").json() == {
        "models": [
            {
                **{"name": "fixture", "language": "en", "labels": list(tagger.labels), "thresholds": {}},
                **{"development_f1": None, "calibrated": False},
            }
        ]
    }
    assert client.get("/healthz").json() == {"status": "ok"}


def test_the_page_loads_nothing_from_elsewhere(client):
    response = client.get("/")
    assert response.headers["content-type"] == "text/html; charset=utf-8" and response.text.startswith(
        "<!doctype html>"
    )
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "connect-src 'self'" in policy
    assert not re.findall(r'(?:src|href)="(?:\w+:)?//', response.text)


def test_metrics(client):
    answers(client, text=["Oslo", "a secret"])
    answers(client, text="Oslo")
    client.get("/a secret?text=secret")
    post(client, {"texts": 1})
    page = client.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4") and "secret" not in page.text
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(page.text)
        for sample in family.samples
    }
    assert samples["roseq_requests_total", "/v1/tag", "200"] == 2
    assert samples["roseq_requests_total", "/v1/tag", "422"] == samples["roseq_requests_total", "other", "404"] == 1
    assert samples["roseq_request_seconds_count", "/v1/tag"] == 3
    assert samples["roseq_inputs_total", "fixture"] == 3
    assert samples["roseq_batch_requests_count", "fixture"] == 2 == samples["roseq_batch_requests_sum", "fixture"]
    assert samples["roseq_waiting_requests", "fixture"] == 0
    assert samples[("process_resident_memory_bytes",)] > 2**20


def test_the_description_has_examples_that_work(client):
    description = client.get("/openapi.json").json()
    schemas = description["components"]["schemas"]
    examples = schemas["TagRequest"]["examples"]
    for example in examples:
        assert post(client, example).status_code == 200
    assert {key for example in examples for key in example} == set(schemas["TagRequest"]["properties"]) - {"model"}
    paths = description["paths"]
    assert set(paths) == {"/v1/tag", "/v1/models", "/healthz", "/metrics", "/predict", "/setup", "/health"}
    assert {"200", "401", "404", "413", "422", "503", "504"} == set(paths["/v1/tag"]["post"]["responses"])


def test_several_taggers(client_of, tagger, archive_path):
    other = NerTagger(tagger._model, tagger._dataset_reader, language="xx")
    client = client_of({"one": tagger, "two": other})
    assert [one["name"] for one in client.get("/v1/models").json()["models"]] == ["one", "two"]
    for name in ("one", "two"):
        response = post(client, {"text": "Oslo", "model": name})
        assert response.json()["model"] == name and response.json()["answers"][0]["tags"] == ["S-location"]
    assert post(client, {"text": "Oslo"}).json()["model"] == "one"


def test_a_tagger_without_a_crf_of_this_package(client_of, tagger, monkeypatch):
    class Other(Model):
        def forward(self, **inputs):
            raise AssertionError

    client = client_of({"one": tagger})
    monkeypatch.setattr(
        tagger, "predict_batch_json", lambda items: [{"words": [], "tags": [], "entities": []}] * len(items)
    )
    monkeypatch.setattr(tagger, "_model", Other(tagger._model.vocab))
    assert client.get("/v1/models").json()["models"][0]["thresholds"] == {}
    assert answers(client, text="a")
    assert "the model is a Other" in detail(post(client, {"text": "a", "alternatives": 1}), 422)


def test_what_fails_is_logged_without_its_text(client, tagger, monkeypatch, caplog):
    inner = tagger.predict_batch_json

    def failing(items):
        if any("secret" in str(item) for item in items):
            raise RuntimeError(f"cannot tag {items}")
        return inner(items)

    monkeypatch.setattr(tagger, "predict_batch_json", failing)
    assert detail(post(client, {"text": ["a", "secret"]}), 500) == "the tagger has failed; the server's log says where"
    assert answers(client, text="Oslo")[0]["tags"] == ["S-location"]
    monkeypatch.setattr(tagger, "thresholds", lambda least: failing(["secret"]))
    assert detail(post(client, {"text": "a"}), 500) == "the server has failed; its log says where"
    assert "RuntimeError in" in caplog.text and "failing" in caplog.text and "secret" not in caplog.text
