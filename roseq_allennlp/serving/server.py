"""The process that serves an application: its socket, and how it stops."""

import contextlib
import ipaddress
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from roseq_allennlp.errors import ConfigurationError
from roseq_allennlp.serving.settings import Settings

_GRACE = 5  # seconds beyond the time limit of a request


@contextlib.contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """
    A socket at an address, which does not listen yet.

    # Raises

    `ConfigurationError`: there is no such address, or it is taken.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
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
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # what stands in a path may be text
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=int(settings.time_limit) + _GRACE,
    )
    _Server(config, say).run([listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, say: Callable[[str], None]) -> None:
        super().__init__(config)
        self._say = say

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        host, port, *_ = sockets[0].getsockname()
        self._say(f"roseq serve: http://{f'[{host}]' if ':' in host else host}:{port}/, until Ctrl-C")
