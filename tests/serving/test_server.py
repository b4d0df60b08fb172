"""The process that serves, over real connections."""

import contextlib
import socket
import threading
import time

import httpx
import pytest

from roseq_allennlp._serving.server import _Connection, bound, is_local, server_for
from roseq_allennlp._serving.settings import Settings
from roseq_allennlp.errors import ConfigurationError


async def app(scope, receive, send):
    if scope["type"] == "http":
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"whole"})


@contextlib.contextmanager
def running(host="127.0.0.1", **settings):
    """Gives the port."""
    said, ready = [], threading.Event()

    def say(line):
        said.append(line)
        ready.set()

    with bound(host, 0) as listener:
        server = server_for(app, Settings(**settings), say)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            assert ready.wait(10)
            port = listener.getsockname()[1]
            shown = f"[{host}]" if ":" in host else host
            assert said == [f"roseq serve: http://{shown}:{port}/, until Ctrl-C"]
            yield port
        finally:
            server.should_exit = True
            thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: ", b"POST / HTTP/1.1\r\nContent-Le"])
def test_a_connection_without_a_request_is_closed(sent):
    with running(time_limit=0.2) as port, socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(sent)
        started = time.monotonic()
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(100) == b""
        assert 0.1 < time.monotonic() - started < 3


def test_a_connection_with_requests_stays():
    with running(time_limit=0.3) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        connections = set()
        for _ in range(8):
            response = client.get("/")
            assert response.text == "whole" and "server" not in response.headers
            connections.add(response.extensions["network_stream"].get_extra_info("client_addr"))
            time.sleep(0.1)
        assert len(connections) == 1


def test_the_body_of_an_answer_does_not_wait_for_the_headers_to_be_acknowledged(monkeypatch):
    """Nagle's algorithm is off: with it each answer takes the 40 ms after which a client acknowledges on its own."""
    made, no_delay = _Connection.connection_made, []

    def noted(self, transport):
        made(self, transport)
        no_delay.append(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(_Connection, "connection_made", noted)
    with running() as port:
        assert httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).text == "whole"
    assert no_delay == [1]


def test_addresses():
    with bound("127.0.0.1", 0) as listener:
        assert is_local(listener) and not _listens(listener)
    with bound("0.0.0.0", 0) as listener:
        assert not is_local(listener)


def test_an_address_of_ipv6():
    try:
        with bound("::1", 0) as listener:
            assert is_local(listener)
    except ConfigurationError:
        pytest.skip("no IPv6")
    with running("::1"):
        pass


def _listens(listener):
    try:
        socket.create_connection(listener.getsockname(), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True
