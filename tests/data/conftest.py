from pathlib import Path

import pytest
from allennlp.common import file_utils


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache in place of the user's."""
    path = tmp_path / "cache"
    monkeypatch.setattr(file_utils, "CACHE_DIRECTORY", str(path))
    return path
