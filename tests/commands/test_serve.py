"""`roseq serve` as a program: its options, its errors, and how it stops."""

import concurrent.futures
import os
import re
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from roseq_allennlp._serving import server

TOKEN = "correct-horse-battery"


@pytest.fixture
def served(monkeypatch):
    """What `serve` gets, in place of serving."""
    calls = []
    monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "")  # set by the command, and as before afterwards
    monkeypatch.delenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY")
    monkeypatch.setattr(server, "serve", lambda *arguments: calls.append(arguments))
    return calls


def test_archives_are_named_by_their_folders(archive_path, roseq, served, tmp_path):
    (tmp_path / "run").mkdir()
    for name in ("run/model.tar.gz", "calibrated.tar.gz"):
        (tmp_path / name).symlink_to(archive_path)
    folder = tmp_path / "run"
    archives = [
        archive_path,
        folder / "model.tar.gz",
        f"mine={archive_path}",
        tmp_path / "run" / ".." / "run" / "model.tar.gz",
    ]
    result = roseq("serve", *archives, "--port", "0", "--wait", "0.5", "--max-text", "7")
    assert (result.status, result.output, result.errors) == (0, "", "")
    ((app, listener, settings, _),) = served
    assert (settings.wait, settings.max_text, settings.token) == (0.0005, 7, None)
    assert listener.fileno() == -1  # closed at the end
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "16"
    from fastapi.testclient import TestClient

    with TestClient(app) as client:
        assert [one["name"] for one in client.get("/v1/models").json()["models"]] == [
            "archive",
            "archive-2",
            "mine",
            "archive-3",
        ]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--queue", "0"], "--queue must be at least 1, got 0."),
        (["--wait", "-1"], "--wait must be at least 0, got -1."),
        (["--time-limit", "nan"], "--time-limit must be at least 0.001, got nan."),
        (["--max-body", "0"], "--max-body must be at least 1, got 0."),
        (["--port", "65536"], "--port must be at most 65535, got 65536."),
        (["--host", "no.such.host.invalid"], "--host no.such.host.invalid --port 0: no address to listen at ("),
        (["--host", "192.0.2.1"], "cannot listen there (Cannot assign requested address). Choose another port"),
        (["--token-file", "nothing"], "--token-file nothing: cannot be read: "),
        (["--token-file", "fixtures/sentences.txt"], "fixtures/sentences.txt: a token is at least 8 letters"),
        (["--cuda-device", "7"], "cuda_device is 7"),
    ],
)
def test_what_is_wrong_is_one_line(arguments, message, archive_path, roseq, served):
    result = roseq("serve", archive_path, "--port", "0", *arguments)
    assert result.status == 1 and not served
    assert (
        message in result.errors and result.errors.count("\n") == 1 and result.errors.startswith("roseq serve: error")
    )


def test_a_port_that_is_taken_and_an_archive_that_is_not_there(archive_path, roseq, served):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = roseq("serve", "nothing", "--port", taken.getsockname()[1])
        assert (
            "cannot listen there (Address already in use). Choose another port, or 0 for a free one." in result.errors
        )
    result = roseq("serve", "nothing", "--port", "0")
    assert result.status == 1 and "nothing" in result.errors and result.errors.count("\n") == 1


def test_the_token_is_of_a_file_or_of_the_environment(archive_path, roseq, served, tmp_path, monkeypatch):
    monkeypatch.setenv("ROSEQ_SERVE_TOKEN", "short")
    result = roseq("serve", archive_path, "--port", "0")
    assert "$ROSEQ_SERVE_TOKEN: a token is at least 8 letters" in result.errors
    (tmp_path / "token").write_text(f"{TOKEN}\n", encoding="utf-8")
    roseq("serve", archive_path, "--port", "0", "--token-file", tmp_path / "token")
    monkeypatch.setenv("ROSEQ_SERVE_TOKEN", TOKEN[::-1])
    roseq("serve", archive_path, "--port", "0")
    assert [settings.token for _, _, settings, _ in served] == [TOKEN, TOKEN[::-1]]


def test_who_may_use_it_is_said(archive_path, roseq, served, monkeypatch):
    warning = "roseq serve: warning: without a token, all who reach 0.0.0.0 may use it: see --token-file.\n"
    assert roseq("serve", archive_path, "--port", "0", "--host", "0.0.0.0", "--quiet").errors == warning
    assert roseq("serve", archive_path, "--port", "0", "--host", "localhost").errors == ""
    monkeypatch.setenv("ROSEQ_SERVE_TOKEN", TOKEN)
    assert roseq("serve", archive_path, "--port", "0", "--host", "0.0.0.0").errors == ""


@pytest.mark.parametrize("package", ["fastapi", "uvicorn", "prometheus_client"])
def test_a_package_of_the_extra_is_missing(package, archive_path, roseq, monkeypatch):
    for name in [
        name for name in sys.modules if name.partition(".")[0] == package or "roseq_allennlp._serving" in name
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    result = roseq("serve", archive_path)
    assert result.status == 1 and result.errors == (
        f"roseq serve: error: {package} is not installed, which the server needs: pip install 'roseq-allennlp[serve]'.\n"
    )


def test_a_server_answers_what_it_has_accepted(archive_path, repository, tmp_path):
    """Beside clients that leave, send no HTTP, or too much; nothing of a text is logged."""
    command = [sys.executable, "-m", "roseq_allennlp", "serve", archive_path, "--port", "0", "--max-body", "2000"]
    environment = {**os.environ, "PYTHONPATH": str(repository), "ROSEQ_SERVE_TOKEN": TOKEN}
    process = subprocess.Popen([*command, "--wait", "1000"], stderr=subprocess.PIPE, text=True, env=environment)
    try:
        line = process.stderr.readline()
        address = re.fullmatch(r"roseq serve: (http://127\.0\.0\.1:(\d+)/), until Ctrl-C\n", line)
        assert address, line + process.stderr.read()
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=address[1], headers=headers, timeout=20, trust_env=False) as client:
            for waste in (b"\x00\xff secret\r\n\r\n", b"POST /v1/tag HTTP/1.1\r\nContent-Length: 9\r\n\r\nsecret"):
                with socket.create_connection(("127.0.0.1", int(address[2]))) as connection:
                    connection.sendall(waste)
            too_large = client.post("/v1/tag", content=b"secret" * 2**20)
            assert too_large.status_code == 413
            assert client.post("/v1/tag", content=iter([b"secret" * 999] * 99)).status_code == 413
            assert client.get("/secret").status_code == 404
            assert client.get("/v1/models", headers={"Authorization": "Bearer secret"}).status_code == 401
            with concurrent.futures.ThreadPoolExecutor(8) as threads:
                answers = [
                    threads.submit(client.post, "/v1/tag", json={"text": f"Oslo is {number} secret"})
                    for number in range(8)
                ]
                deadline = time.monotonic() + 10
                while 'waiting_requests{model="archive"} 8' not in client.get("/metrics").text:
                    assert time.monotonic() < deadline
                process.send_signal(signal.SIGTERM)
                words = [answer.result().json()["answers"][0]["words"][2] for answer in answers]
                assert words == [str(number) for number in range(8)]
        assert process.wait(20) == 143
        assert process.stderr.read() == "roseq serve: stopped.\n"
    finally:
        process.kill()
        process.wait()
