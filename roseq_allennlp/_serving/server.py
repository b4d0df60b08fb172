"""The process that serves an application: its socket, and how it stops."""

import contextlib
import ipaddress
import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from roseq_allennlp._serving.settings import Settings
from roseq_allennlp.errors import ConfigurationError

_GRACE = 5  # seconds beyond the time limit of a request


@contextlib.contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """
    A socket at an address, which does not listen yet.

    # Raises

    `ConfigurationError`: there is no such address, or it is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # With the protocol named: where it is 0, asyncio does not set TCP_NODELAY for the connections, and the body of an
        # answer waits 40 ms until the client acknowledges the headers.
        listener = socket.socket(family, kind, protocol)
    except (OSError, OverflowError, UnicodeError) as error:
        raise ConfigurationError(f"--host {host} --port {port}: no address to listen at ({error}).") from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            raise ConfigurationError(
                f"--host {host} --port {port}: cannot listen there ({error.strerror}). Choose another port, or 0 for a free one."
            ) from error
        yield listener


def is_local(listener: socket.socket) -> bool:
    """Whether only this machine reaches it."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def serve(app: Any, listener: socket.socket, settings: Settings, say: Callable[[str], None]) -> None:
    """
    Serves an application of ASGI until SIGINT or SIGTERM comes, and then answers what it has accepted. A second SIGINT ends it
    at once. The signal is raised again afterwards, for those who handle it outside.

    # Parameters

    app : `Any`
    listener : `socket.socket`
        Bound.
    settings : `Settings`
    say : `Callable[[str], None]`
        Gets a line with the address as soon as requests are answered.
    """
    server_for(app, settings, say).run([listener])


def server_for(app: Any, settings: Settings, say: Callable[[str], None]) -> uvicorn.Server:
    """The server of `serve`."""
    config = uvicorn.Config(
        app,
        http=partial(_Connection, settings.time_limit),  # type: ignore[arg-type]
        log_config=None,
        access_log=False,  # what stands in a path may be text
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=int(settings.time_limit) + _GRACE,
    )
    return _Server(config, say)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, say: Callable[[str], None]) -> None:
        super().__init__(config)
        self._say = say

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        host, port, *_ = sockets[0].getsockname()
        self._say(f"roseq serve: http://{f'[{host}]' if ':' in host else host}:{port}/, until Ctrl-C")


class _Connection(H11Protocol):
    """Closes a connection on which no request is in hand for long, such as one whose headers do not come to an end."""

    def __init__(self, time_limit: float, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._time_limit = time_limit

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.loop.call_later(self._time_limit, self._check, self.cycle)

    def _check(self, last: Any) -> None:
        """`last` is the request that was the last one some time ago."""
        if self.transport.is_closing():
            return
        if self.cycle is last and (last is None or last.response_complete):
            self.transport.close()
        else:
            self.loop.call_later(self._time_limit, self._check, self.cycle)
