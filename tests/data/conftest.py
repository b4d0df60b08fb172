import os
from pathlib import Path

import pytest
from allennlp.common import file_utils

from roseq_allennlp.data import corpora


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache in place of the user's."""
    path = tmp_path / "cache"
    monkeypatch.setattr(file_utils, "CACHE_DIRECTORY", str(path))
    return path


@pytest.fixture
def real_data(monkeypatch) -> Path:
    """The directory of the real corpora, made `$ROSEQ_DATA`; the test is skipped where there is none."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    path = Path(os.environ.get(corpora.DATA_VARIABLE) or beside)
    if not (path / "conll2002").is_dir():
        pytest.skip("the real corpora are not here")
    monkeypatch.setenv(corpora.DATA_VARIABLE, str(path))
    return path
