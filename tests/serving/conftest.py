import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from roseq_allennlp._serving.app import create_app
from roseq_allennlp._serving.settings import Settings


@pytest.fixture
def client_of() -> Iterator[Callable[..., TestClient]]:
    """Makes a client of an application of these taggers, which runs until the end of the test."""
    with contextlib.ExitStack() as stack:

        def make(taggers: dict[str, Any], **settings: Any) -> TestClient:
            return stack.enter_context(TestClient(create_app(taggers, Settings(**settings))))

        yield make


@pytest.fixture
def client(client_of, tagger) -> TestClient:
    return client_of({"fixture": tagger})
