"""A server on the loopback that speaks as much of the Hugging Face Hub's HTTP API as uploading and loading a model take."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


class Hub:
    """The commits of each model, oldest first: an id, and the files by name."""

    def __init__(self) -> None:
        self.models: dict[str, list[tuple[str, dict[str, bytes]]]] = {}
        self.private: dict[str, Any] = {}
        self.objects: dict[str, bytes] = {}  # large files by their SHA-256
        self.requests: list[tuple[str, str]] = []
        self.url = ""

    def commit(self, model: str, files: dict[str, bytes]) -> str:
        commits = self.models[model]
        files = {**(commits[-1][1] if commits else {}), **files}
        digest = hashlib.sha1(repr((len(commits), sorted(files))).encode()).hexdigest()
        commits.append((digest, files))
        return digest

    def at(self, model: str, revision: str) -> tuple[str, dict[str, bytes]]:
        commits = self.models[model]
        if revision == "main":
            return commits[-1]
        return next(commit for commit in commits if commit[0] == revision)


@contextmanager
def running() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            pass

        def answer(self, body: Any, status: int = 200, **headers: str) -> None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            path = urlsplit(self.path).path
            hub.requests.append(("POST", path))
            if path == "/api/repos/create":
                request = json.loads(body)
                name = "/".join(filter(None, (request.get("organization"), request["name"])))
                hub.models.setdefault(name, [])
                hub.private[name] = request.get("private")
                self.answer({"url": f"{hub.url}/{name}"})
            elif path == "/api/validate-yaml":
                self.answer({"errors": [], "warnings": []})
            elif match := re.fullmatch("/api/models/(.+)/preupload/.+", path):
                names = [file["path"] for file in json.loads(body)["files"]]
                modes = {name: "lfs" if name.endswith(".safetensors") else "regular" for name in names}
                self.answer({"files": [{"path": n, "uploadMode": m, "shouldIgnore": False} for n, m in modes.items()]})
            elif path.endswith("/info/lfs/objects/batch"):
                objects = json.loads(body)["objects"]
                for item in objects:
                    item["actions"] = {"upload": {"href": f"{hub.url}/objects/{item['oid']}"}}
                self.answer({"transfer": "basic", "objects": objects}, Content_Type="application/vnd.git-lfs+json")
            elif match := re.fullmatch("/api/models/(.+)/commit/.+", path):
                files = {}
                for line in map(json.loads, body.splitlines()):
                    value = line["value"]
                    if line["key"] == "file":
                        files[value["path"]] = base64.b64decode(value["content"])
                    elif line["key"] == "lfsFile":
                        files[value["path"]] = hub.objects[value["oid"]]
                digest = hub.commit(match[1], files)
                self.answer({"commitUrl": f"{hub.url}/{match[1]}/commit/{digest}", "commitOid": digest})
            else:
                self.answer({"error": f"unknown address {path}"}, 404)

        def do_PUT(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            name = self.path.rpartition("/")[2]
            assert hashlib.sha256(content).hexdigest() == name
            hub.objects[name] = content
            self.answer({})

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.requests.append((self.command, path))
            try:
                if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
                    digest, files = hub.at(match[1], match[2] or "main")
                    siblings = [{"rfilename": name, "size": len(content)} for name, content in files.items()]
                    self.answer({"id": match[1], "sha": digest, "siblings": siblings, "private": False, "tags": []})
                elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
                    digest, files = hub.at(match[1], match[2])
                    etag = hashlib.sha1(files[match[3]]).hexdigest()
                    self.answer(files[match[3]], ETag=f'"{etag}"', X_Repo_Commit=digest)
                else:
                    self.answer({"error": f"unknown address {path}"}, 404)
            except KeyError:
                self.answer({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")
            except StopIteration:
                self.answer({"error": "Revision not found"}, 404, X_Error_Code="RevisionNotFound")

        do_HEAD = do_GET

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
