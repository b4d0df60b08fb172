"""What `cached_path` makes of servers that do not do as they should, on a server of this machine."""

import functools
import gzip
import http.server
import multiprocessing
import os
import socket
import threading
import time
from pathlib import Path

import pytest
import urllib3
from allennlp.common import file_utils
from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path

from roseq_allennlp.data import http_client
from roseq_allennlp.data.downloads import fetch_vectors

PAGE = b"\n<!DOCTYPE html><html><body>Please log in</body></html>"
VECTORS = b"jan 1 2 3\nkomt 4 5 6\n"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers `GET` by the first part of the path; `HEAD` with a version and no more, or not at all."""

    def __init__(self, *arguments, counts):
        self.counts = counts
        super().__init__(*arguments)

    def do_HEAD(self):
        kind = self.path.split("/")[1]
        if kind in ("redirects", "silent", "dead"):
            return self.do_GET()
        self.send_response(int(kind) if kind.isdigit() else 405 if kind == "no-head" else 200)
        self.send_header("ETag", '"1"')
        self.end_headers()

    def do_GET(self):
        kind = self.path.split("/")[1]
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if kind.isdigit():
            return self.send_error(int(kind))
        if kind == "redirects":
            self.send_response(302)
            self.send_header("Location", self.path)
            return self.end_headers()
        if kind == "silent":
            return time.sleep(3)
        if kind == "dead":
            return self.connection.shutdown(socket.SHUT_RDWR)
        body = {
            "page": PAGE,
            "empty": b"",
            "gzip": gzip.compress(VECTORS),
            "words": b"no vectors here\nnone\n",
            "broken": gzip.compress(VECTORS * 99)[:-9],
        }.get(kind, VECTORS)
        self.send_response(200)
        if kind in ("cut", "stalled"):
            self.send_header("Content-Length", str(len(body) + 100))
        if kind == "gzip":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if kind == "slow":
            time.sleep(0.5)
        self.wfile.write(body)
        if kind == "stalled":
            self.wfile.flush()
            time.sleep(3)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def counts():
    return {}


@pytest.fixture(scope="module")
def address(counts):
    handler = functools.partial(Handler, counts=counts)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch, tmp_path):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(http_client, "TIMEOUT", (1.0, 0.5))
    monkeypatch.setattr(http_client, "_RETRIES", http_client._RETRIES.new(backoff_factor=0))
    monkeypatch.setattr(file_utils, "CACHE_DIRECTORY", str(tmp_path / "cache"))


def cached(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "cache").glob("*") if path.suffix != ".lock"]


@pytest.mark.parametrize(
    "path, message",
    [
        ("404/v.vec", "the server has no such file (404)"),
        ("410/v.vec", "the server has no such file (410)"),
        ("403/v.vec", "the server answers 403"),
        ("401/v.vec", "the server answers 401"),
        ("500/v.vec", "the server answers 500"),
        ("503/v.vec", "the server answers 503"),
        ("redirects/v.vec", "sends from one address to the next without an end"),
        ("silent/v.vec", "fell silent"),
        ("dead/v.vec", "the connection was broken"),
        ("stalled/v.vec", "fell silent"),
        ("cut/v.vec", "the connection ended before the whole file was here"),
        ("page/v.vec", "the answer is a web page"),
        ("page/v.vec.gz", "the answer is a web page"),
        ("empty/v.vec", "the file is empty"),
        ("plain/v.vec.gz", "the file is not .gz"),
        ("plain/v.zip", "the file is not .zip"),
        ("plain/v.vec.bz2", "the file is not .bz2"),
        ("plain/v.vec.xz?x=1#y", "the file is not .xz"),
    ],
)
def test_what_is_not_the_file_is_one_sentence_and_not_cached(path, message, address, tmp_path):
    with pytest.raises(OSError) as caught:
        cached_path(f"{address}/{path}")
    assert str(caught.value).startswith(f"{address}/{path}: ") and message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1 and "HTTPConnection" not in str(caught.value)
    assert cached(tmp_path) == []
    with pytest.raises(ConfigurationError, match="could not be downloaded"):
        fetch_vectors(f"{address}/{path}", 3)


@pytest.mark.parametrize(
    "address, message",
    [
        ("http://nowhere.invalid/v.vec", "the name of the server is not known"),
        ("http://127.0.0.1:1/v.vec", "the server does not accept connections"),
        ("http://[::1/v.vec", ""),
        ("http:///v.vec", "the address is not valid"),
    ],
)
def test_no_server(address, message):
    with pytest.raises(ConfigurationError, match="could not be downloaded") as caught:
        fetch_vectors(address, 3)
    assert message in str(caught.value) and len(str(caught.value).splitlines()) == 1


def test_no_tls(address):
    with pytest.raises(OSError, match="the server's certificate cannot be trusted, or it does not speak TLS"):
        cached_path(f"{address}/plain/v.vec".replace("http:", "https:"))


def test_retries_are_bounded(address, counts):
    counts.clear()
    with pytest.raises(OSError):
        cached_path(f"{address}/dead/v.vec")
    assert counts["dead"] == 3  # of HEAD; a file is not asked for
    assert http_client._RETRIES.total == 2 and isinstance(http_client._RETRIES, urllib3.Retry)


@pytest.mark.parametrize("kind", ["plain/v.vec", "gzip/v.vec.gz", "no-head/v.vec"])
def test_vectors_are_fetched_once(kind, address, counts, tmp_path):
    counts.clear()
    for _ in range(2):
        fetch_vectors(f"{address}/{kind}", 3)
    assert list(counts.values()) == [1]
    content = Path(cached_path(f"{address}/{kind}")).read_bytes()
    assert VECTORS == (gzip.decompress(content) if kind.endswith(".gz") else content)


@pytest.mark.parametrize("path", ["words/v.txt", "plain/v.vec", "broken/v.vec.gz"])
def test_what_is_no_vectors_does_not_stay_in_the_cache(path, address, tmp_path):
    with pytest.raises(ConfigurationError, match="It has been removed from the cache") as caught:
        fetch_vectors(f"{address}/{path}", 4)  # the vectors have 3 numbers
    assert f"{address}/{path}: " in str(caught.value) and cached(tmp_path) == []


def test_without_a_connection_the_copy_in_the_cache_is_used(address, monkeypatch, caplog):
    url = f"{address}/plain/kept.vec"
    path = cached_path(url)

    def refuse(*arguments, **options):
        raise http_client.requests.ConnectionError("no route")

    monkeypatch.setattr("requests.Session.head", refuse)
    assert cached_path(url) == path
    assert "The copy in the cache is used." in caplog.text


def test_the_password_of_an_address_is_not_shown(address):
    url = f"{address}/404/v.vec".replace("://", "://jan:geheim@")
    with pytest.raises(ConfigurationError) as caught:
        fetch_vectors(url, 3)
    assert "geheim" not in str(caught.value) and "***@127.0.0.1" in str(caught.value)


def test_two_processes_at_once(address, counts, monkeypatch):
    monkeypatch.setattr(http_client, "TIMEOUT", (20.0, 20.0))
    counts.clear()
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=fetch_vectors, args=(f"{address}/slow/v.vec", 3)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0] and counts == {"slow": 1}


def test_killed_half_way_and_begun_again(address, tmp_path, monkeypatch):
    monkeypatch.setattr(http_client, "TIMEOUT", (20.0, 20.0))
    process = multiprocessing.get_context("fork").Process(target=cached_path, args=(f"{address}/slow/again.vec",))
    process.start()
    while not list((tmp_path / "cache").glob("*.tmp")):
        time.sleep(0.01)
    process.kill()
    process.join()
    fetch_vectors(f"{address}/slow/again.vec", 3)
    assert Path(cached_path(f"{address}/slow/again.vec")).read_bytes() == VECTORS


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(28, "No space left on device")])
def test_a_cache_that_cannot_be_written(error, address, monkeypatch):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr("cached_path.cache_file.tempfile.NamedTemporaryFile", fail)
    with pytest.raises(ConfigurationError, match=f"could not be downloaded: .*{os.strerror(error.errno)}"):
        fetch_vectors(f"{address}/plain/full.vec", 3)


def test_files_of_ones_own_are_left_alone(tmp_path):
    own = tmp_path / "own.vec"
    own.write_bytes(PAGE)
    fetch_vectors(str(own), 3)
    assert own.exists()
