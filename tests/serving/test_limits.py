"""Tokens, sizes, times and clients that leave."""

import asyncio
import base64
import logging

import pytest

from roseq_allennlp._serving.limits import Limits
from roseq_allennlp._serving.settings import Settings
from tests.serving.http import detail, post

TOKEN = "correct-horse"


def test_a_token_is_needed_but_for_the_page_and_the_health(client_of, tagger):
    client = client_of({"one": tagger}, token=TOKEN)
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Authorization": "Basic é"}):
        headers = {name: value.encode() for name, value in headers.items()}
        response = client.post("/v1/tag", json={"text": "Oslo"}, headers=headers)
        assert detail(response, 401) == "the token is missing or wrong: send `Authorization: Bearer TOKEN`"
        assert response.headers["WWW-Authenticate"] == "Bearer"
    assert post(client, {"text": "Oslo"}, Authorization=f"Bearer {TOKEN}").status_code == 200
    assert post(client, {"text": "Oslo"}, Authorization=f"bearer  {TOKEN} ").status_code == 200
    basic = base64.b64encode(f"anyone:{TOKEN}".encode()).decode()  # Label Studio's way
    assert client.get("/health", headers={"Authorization": f"Basic {basic}"}).status_code == 200
    for path in ("/v1/models", "/metrics", "/openapi.json", "/health", "/predict", "/nothing", "/healthz/"):
        assert client.get(path).status_code == 401
    assert client.get("/").status_code == client.get("/healthz").status_code == 200


def test_the_size_of_a_body(client_of, tagger):
    client = client_of({"one": tagger}, max_body=100)
    body = b'{"text": "Oslo"}'
    assert post(client, body + b" " * (100 - len(body))).status_code == 200
    sentence = "the body is larger than 100 bytes: send fewer or shorter texts at a time"
    assert detail(post(client, body + b" " * 100), 413) == sentence
    chunked = client.post("/v1/tag", content=iter([body, b" " * 50, b" " * 50]))
    assert "content-length" not in chunked.request.headers and detail(chunked, 413) == sentence


class Exchange:
    """A request as an ASGI server would hand it to `Limits`; `messages` are what the client sends, with the seconds before."""

    def __init__(self, app, messages, **settings):
        self.sent, self.ends = [], []
        self.limits = Limits(app, Settings(**settings), lambda scope, status, seconds: self.ends.append(status))
        self.messages = list(messages)

    async def receive(self):
        if not self.messages:
            await asyncio.Event().wait()
        seconds, message = self.messages.pop(0)
        await asyncio.sleep(seconds)
        return message

    async def send(self, message):
        self.sent.append(message)

    def run(self, headers=()):
        scope = {"type": "http", "path": "/v1/tag", "headers": list(headers)}
        asyncio.run(asyncio.wait_for(self.limits(scope, self.receive, self.send), 10))
        return [message.get("status", message.get("body")) for message in self.sent]


BODY = {"type": "http.request", "body": b"x"}
PART = {"type": "http.request", "body": b"x", "more_body": True}
GONE = {"type": "http.disconnect"}


class Application:
    """Answers after some seconds, and knows whether it was cancelled."""

    def __init__(self, seconds=0.0, part=False):
        self.seconds, self.part, self.was_cancelled, self.body = seconds, part, False, None

    async def __call__(self, scope, receive, send):
        self.body = (await receive())["body"]
        if self.part:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        if not self.part:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"y"})


def test_a_request_goes_through_whole():
    app = Application()
    exchange = Exchange(app, [(0, PART), (0, BODY)])
    assert exchange.run() == [200, b"y"] and app.body == b"xx" and exchange.ends == [200]


def test_an_answer_that_takes_too_long():
    app = Application(9)
    exchange = Exchange(app, [(0, BODY)], time_limit=0.1)
    assert exchange.run() == [504, b'{"detail": "the answer was not ready within 0.1 s"}']
    assert app.was_cancelled and exchange.ends == [504]


def test_an_answer_that_has_begun_is_not_answered_twice():
    exchange = Exchange(Application(9, part=True), [(0, BODY)], time_limit=0.1)
    assert exchange.run() == [200]


def test_a_body_that_does_not_come():
    app = Application()
    exchange = Exchange(app, [(0, PART), (9, BODY)], time_limit=0.1)
    assert exchange.run() == [408, b'{"detail": "the body has not come within 0.1 s"}']
    assert app.body is None and exchange.ends == [408]


@pytest.mark.parametrize("messages", [[(0, PART), (0, GONE)], [(0, BODY), (0.05, GONE)]])
def test_the_work_for_a_client_that_leaves_is_cancelled(messages):
    app = Application(9)
    exchange = Exchange(app, messages)
    assert exchange.run() == [] and exchange.ends == [499]
    assert app.was_cancelled == (app.body is not None)


def test_a_large_body_is_not_read():
    chunk = {"type": "http.request", "body": bytes(2**20), "more_body": True}
    exchange = Exchange(Application(), [(0, chunk)] * 1000, max_body=100)
    assert exchange.run()[0] == 413 and len(exchange.messages) == 999
    exchange = Exchange(Application(), [(0, PART)] * 5 + [(0, BODY)])
    assert exchange.run([(b"content-length", b"9" * 30)])[0] == 413 and len(exchange.messages) == 6


def test_an_application_that_raises(caplog):
    async def app(scope, receive, send):
        raise ValueError("a secret")

    with caplog.at_level(logging.INFO):
        assert Exchange(app, [(0, BODY)]).run()[0] == 500
    assert "ValueError in" in caplog.text and "secret" not in caplog.text
