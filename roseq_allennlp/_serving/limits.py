"""What stands before the application: token, size of the body, time limit, and what goes wrong without an answer."""

import asyncio
import base64
import binascii
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Optional

from roseq_allennlp._serving.batching import log_failure
from roseq_allennlp._serving.settings import Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = ("/", "/healthz")
"""Paths that need no token."""


class _Refused(Exception):
    def __init__(self, status: int, detail: str, headers: Optional[Mapping[str, str]] = None) -> None:
        self.status, self.detail, self.headers = status, detail, headers or {}


class _Gone(Exception):
    """The client has closed the connection."""


class Limits:
    """
    An application of ASGI around another one. A request is refused with 401 without the token, with 413 where its body is
    larger than may be, with 408 where that does not come in time, with 504 where the answer is not ready in time, and with 500
    where the application raises. Where the client leaves, the work for it is cancelled. Nothing of a request is logged.

    # Parameters

    app : `Application`
    settings : `Settings`
    observe : `Callable[[Mapping[str, Any], int, float], None]`
        Is called at the end of each request with its scope, the status and the seconds.
    """

    def __init__(
        self, app: Application, settings: Settings, observe: Callable[[Mapping[str, Any], int, float], None]
    ) -> None:
        self._app, self._settings, self._observe = app, settings, observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        started = loop.time()
        response = _Response(send)
        try:
            self._check_token(scope)
            limit = self._settings.time_limit
            try:
                body = await asyncio.wait_for(self._body(scope, receive), limit)
            except asyncio.TimeoutError:
                raise _Refused(408, f"the body has not come within {limit:g} s") from None
            await self._answer(scope, body, receive, response, limit - (loop.time() - started))
        except _Refused as error:
            await response.refuse(error.status, error.detail, error.headers)
        except _Gone:
            response.status = 499  # as nginx counts it
        except Exception as error:
            log_failure("a request", error)
            await response.refuse(500, "the server has failed; its log says where")
        finally:
            self._observe(scope, response.status, loop.time() - started)

    def _check_token(self, scope: Scope) -> None:
        token = self._settings.token
        if token is None or scope["path"] in OPEN:
            return
        sent = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        if not secrets.compare_digest(_token_in(sent), token.encode()):
            raise _Refused(
                401, "the token is missing or wrong: send `Authorization: Bearer TOKEN`", {"WWW-Authenticate": "Bearer"}
            )

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        most = self._settings.max_body
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        declared, received, more = int(length[:20]) if length.isdigit() else 0, 0, True
        chunks = []
        while more and max(declared, received) <= most:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            more = message.get("more_body", False)
            chunks.append(message.get("body", b""))
            received += len(chunks[-1])
        if max(declared, received) > most:  # what is left of it the server reads and drops
            raise _Refused(413, f"the body is larger than {most} bytes: send fewer or shorter texts at a time")
        return b"".join(chunks)

    async def _answer(self, scope: Scope, body: bytes, receive: Receive, response: "_Response", seconds: float) -> None:
        is_sent = False

        async def receive_body() -> Message:
            nonlocal is_sent
            if is_sent:
                await asyncio.Event().wait()  # until cancelled
            is_sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def until_gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        answer = asyncio.ensure_future(self._app(scope, receive_body, response.send))
        gone = asyncio.ensure_future(until_gone())
        try:
            await asyncio.wait([answer, gone], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if response.is_complete or answer.done():
                await answer
            elif gone.done():
                raise _Gone
            else:
                raise _Refused(504, f"the answer was not ready within {self._settings.time_limit:g} s")
        finally:
            for task in (answer, gone):
                task.cancel()
            await asyncio.wait([answer, gone])
            for task in (answer, gone):
                if not task.cancelled():
                    task.exception()  # which is not to be logged as one that nobody has asked for


class _Response:
    """Knows what has been sent."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 500
        self.is_started = self.is_complete = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.is_started, self.status = True, message["status"]
        await self._send(message)
        self.is_complete = message["type"] == "http.response.body" and not message.get("more_body", False)

    async def refuse(self, status: int, detail: str, headers: Optional[Mapping[str, str]] = None) -> None:
        """Sends an error, unless an answer has begun: that stays unfinished, and the server closes the connection."""
        if self.is_started:
            return
        body = json.dumps({"detail": detail}).encode()
        all_headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
        encoded = [(name.lower().encode(), value.encode()) for name, value in all_headers.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": encoded})
        await self.send({"type": "http.response.body", "body": body})


def _token_in(header: bytes) -> bytes:
    """The token of `Bearer TOKEN`, or the password of `Basic …`, which is what Label Studio can send."""
    kind, _, value = header.partition(b" ")
    if kind.lower() == b"basic":
        try:
            return base64.b64decode(value, validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return value.strip() if kind.lower() == b"bearer" else b""
