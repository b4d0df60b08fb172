"""What the tests of the server share."""

import json
from typing import Any


def post(client, body: Any, path: str = "/v1/tag", **headers: str):
    """Sends text as it is, and anything else as JSON."""
    content = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return client.post(path, content=content, headers={"Content-Type": "application/json", **headers})


def detail(response, status: int) -> str:
    """The one sentence of an error."""
    assert response.status_code == status and list(response.json()) == ["detail"], response.text
    sentence = response.json()["detail"]
    assert sentence and not any(word in sentence for word in ("\n", "Traceback", "pydantic", "Error"))
    return sentence
