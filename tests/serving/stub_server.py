"""A server with the answers of the tagging server's API and no model: it marks the names it is given."""

import contextlib
import json
import re
import threading
from bisect import bisect
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import roseq_allennlp

PAGE = Path(roseq_allennlp.__file__).parent / "_serving" / "page.html"


class Stub:
    """
    What the server has and does, which a test may change at any time.

    `models` are those of `/v1/models`; `names` has, by model, name → (type, probability) or
    (type, probability, alternatives), each of these (first token, last token, other keys); `responses` come before any answer, each `(status, headers, body)` or an event that
    the next answer waits for, and those of `by_model` in place of a model's answers. `requests` are the bodies that came
    to `/v1/tag`.
    """

    def __init__(self):
        self.models, self.names, self.requests = [], {}, []
        self.responses, self.by_model = [], {}
        self.token = None
        self.address = ""

    def model(self, name, names, labels=None, **facts):
        labels = labels or sorted({value[0] for value in names.values()})
        defaults = {"language": "en", "thresholds": {}, "development_f1": None, "calibrated": False}
        self.models.append({"name": name, "labels": labels, **defaults, **facts})
        self.names[name] = names

    def tag(self, text, model, most=0):
        starts = [match.start() for match in re.finditer(r"\S+", text)]
        words = text.split()
        entities = []
        for name, (label, probability, *alternatives) in self.names[model].items():
            for match in re.finditer(re.escape(name), text):
                start, end = match.span()
                tokens = {"start_token": bisect(starts, start) - 1, "end_token": bisect(starts, end - 1)}
                marked = {
                    "text": name,
                    "label": label,
                    "start": start,
                    "end": end,
                    **tokens,
                    "probability": probability,
                }
                others = [
                    {"start_token": tokens["start_token"] + first, "end_token": tokens["start_token"] + end, **other}
                    for first, end, other in (alternatives[0] if alternatives else [])
                ]
                entities.append({**marked, "alternatives": others[:most]} if most else marked)
        tags = ["O"] * len(words)
        for one in entities:
            first, last = one["start_token"], one["end_token"] - 1
            inside = [f"I-{one['label']}"] * (last - first - 1)
            whole = [f"S-{one['label']}"] if first == last else [f"B-{one['label']}", *inside, f"E-{one['label']}"]
            tags[first : last + 1] = whole
        sentence = {"start": 0, "end": len(text), "start_token": 0, "end_token": len(words)}
        return {"words": words, "tags": tags, "entities": entities, "sentences": [sentence]}

    def response(self, path, body, authorization):
        if self.token is not None and authorization != f"Bearer {self.token}":
            return 401, {}, {"detail": "This server takes requests with its token only."}
        if path == "/v1/models":
            return 200, {}, {"models": self.models}
        if path != "/v1/tag":
            return 404, {}, {"detail": "there is no such path"}
        self.requests.append(body)
        response = self.responses.pop(0) if self.responses else self.by_model.get(body["model"])
        if isinstance(response, threading.Event):
            response.wait(10)
        elif response is not None:
            return response
        text = body["document"] if "document" in body else " ".join(body["tokens"])
        return 200, {}, {"model": body["model"], "answers": [self.tag(text, body["model"], body.get("alternatives"))]}


@contextlib.contextmanager
def serving_stub():
    """Starts a `Stub` on a free port of the loopback."""
    stub = Stub()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def send(self, status, headers, content):
            with contextlib.suppress(ConnectionError):  # of a page that no longer waits
                self.send_response(status)
                for name, value in {**headers, "Content-Length": len(content)}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(content)

        def do_GET(self):
            if self.path == "/":
                self.send(200, {"Content-Type": "text/html; charset=utf-8"}, PAGE.read_bytes())
            else:
                self.answer(None)

        def do_POST(self):
            self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def answer(self, body):
            status, headers, content = stub.response(self.path, body, self.headers["Authorization"])
            encoded = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send(status, {"Content-Type": "application/json", **headers}, encoded)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    stub.address = f"http://127.0.0.1:{server.server_address[1]}/"
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
