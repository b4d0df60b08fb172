"""How `cached_path` fetches a file over HTTP: within a time, in whole, and only what the address promises."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Optional
from urllib.parse import urlsplit

import requests
import urllib3
from cached_path import add_scheme_client, find_latest_cached
from cached_path.meta import Meta
from cached_path.schemes.http import HttpClient
from requests.adapters import HTTPAdapter

from roseq_allennlp.data.cache import cache_directory
from roseq_allennlp.text import without_secrets

logger = logging.getLogger(__name__)

TIMEOUT = (10.0, 30.0)  # seconds: to connect, and between two parts of an answer
_RETRIES = urllib3.Retry(
    total=2,
    backoff_factor=0.5,
    status_forcelist=(429, 502, 503, 504),
    raise_on_status=False,
    respect_retry_after_header=False,  # which may ask for days
)
_NO_HEAD = (403, 405, 501)  # answers of servers that have GET only
_BEGINNING = 1024  # bytes, which show what a file is
_MAGIC = {".gz": b"\x1f\x8b", ".tgz": b"\x1f\x8b", ".zip": b"PK", ".bz2": b"BZh", ".xz": b"\xfd7zXZ"}
_PAGES = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<?xml", b"<!--")
_PAGE_SUFFIXES = (".html", ".htm", ".xhtml", ".xml", ".svg")
_REASONS = (  # the first that is in the name of an error or of one of its causes
    ("NameResolution", "the name of the server is not known"),
    ("SSL", "the server's certificate cannot be trusted, or it does not speak TLS"),
    ("Proxy", "the proxy does not answer"),
    ("Timeout", f"the server did not answer within {TIMEOUT[0]:g} s, or fell silent for {TIMEOUT[1]:g} s"),
    ("TooManyRedirects", "the server sends from one address to the next without an end"),
    ("InvalidURL", "the address is not valid"),
    ("Location", "the address is not valid"),
    ("IncompleteRead", "the connection ended before the whole file was here"),
    ("Protocol", "the connection was broken"),
    ("Decode", "the answer is not compressed as it says"),
    ("NewConnection", "the server does not accept connections"),
    ("Connection", "the connection failed"),
)


class CheckedHttpClient(HttpClient):
    """
    In place of `cached_path`'s own client for `http` and `https`. What it refuses is not cached: an empty file, a web page
    where the address does not end as one (that of a network that asks to log in), and a file that is not compressed
    as its address says. Without a connection the copy in the cache is used, with a warning.

    Two retries, and times after which it gives up, see `TIMEOUT`.

    # Raises

    `FileNotFoundError` for the status 404 and 410, else `requests.RequestException`, both `OSError`s, with one sentence.
    """

    recoverable_errors = ()  # see `get_etag`
    _head_response: Optional[requests.Response]

    @property
    def head_response(self) -> requests.Response:
        if self._head_response is None:
            with self._session() as session, self._explained():
                response = session.head(self.resource, allow_redirects=True, timeout=TIMEOUT)
            if response.status_code not in _NO_HEAD:
                self.validate_response(response)
            self._head_response = response
        return self._head_response

    def get_etag(self) -> Optional[str]:
        try:
            return super().get_etag()
        except requests.RequestException as error:
            cached = find_latest_cached(self.resource, cache_directory())
            if cached is None:
                raise
            logger.warning("%s The copy in the cache is used.", error)
            return Meta.from_path(f"{cached}.json").etag

    def get_resource(self, temp_file: io.BufferedWriter) -> None:
        promised = _MAGIC.get(self._suffix())
        beginning = b""
        with self._session() as session, self._explained():
            response = session.get(self.resource, stream=True, timeout=TIMEOUT)
            self.validate_response(response)
            # Servers call a compressed file a compressed transfer of one.
            for part in response.raw.stream(1 << 16, decode_content=promised is None):
                if len(beginning) < _BEGINNING:
                    beginning += part
                    self._check(beginning, promised)
                temp_file.write(part)
        if not beginning:
            raise self._error("the file is empty")
        if promised is not None and not beginning.startswith(promised):
            raise self._error(f"the file is too short to be {self._suffix()}")

    def validate_response(self, response: requests.Response) -> None:
        status = response.status_code
        if status in (404, 410):
            raise FileNotFoundError(f"{without_secrets(self.resource)}: the server has no such file ({status}).")
        if status >= 400:
            raise self._error(f"the server answers {status} {response.reason}")

    def _check(self, beginning: bytes, promised: Optional[bytes]) -> None:
        text = beginning.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        if text.startswith(_PAGES) and self._suffix() not in _PAGE_SUFFIXES:
            raise self._error("the answer is a web page, perhaps one that asks to log in, and not the file")
        if promised is not None and not beginning.startswith(promised[: len(beginning)]):
            raise self._error(f"the file is not {self._suffix()}, as its address ends")

    def _suffix(self) -> str:
        return PurePosixPath(urlsplit(self.resource).path).suffix.lower()

    def _session(self) -> requests.Session:
        session = requests.Session()
        for scheme in self.scheme:
            session.mount(f"{scheme}://", HTTPAdapter(max_retries=_RETRIES))
        session.headers.update({**self.headers, "Accept-Encoding": "identity"})
        return session

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            if isinstance(error, _Explained):
                raise
            names = " ".join(type(cause).__name__ for cause in _causes(error))
            reason = next((sentence for name, sentence in _REASONS if name in names), str(error))
            raise self._error(reason) from error

    def _error(self, reason: str) -> "_Explained":
        return _Explained(f"{without_secrets(self.resource)}: {without_secrets(reason)}.")


class _Explained(requests.RequestException):
    pass


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, what it was made from and what it holds."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop(0)
        if isinstance(cause, BaseException) and cause not in seen:
            seen.append(cause)
            yield cause
            waiting += [getattr(cause, "reason", None), cause.__cause__, cause.__context__, *cause.args]


add_scheme_client(CheckedHttpClient)
