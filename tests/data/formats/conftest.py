import json

import pytest
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.data.documents import Tally
from roseq_allennlp.data.formats import FORMATS, ReadOptions


@pytest.fixture
def write(tmp_path):
    """Writes rows as JSON lines, another value as JSON, text as it is."""

    def write(content, name="data.jsonl"):
        path = tmp_path / name
        if name.endswith(".jsonl") and not isinstance(content, str):
            content = "\n".join(json.dumps(row) for row in content)
        path.write_bytes((content if isinstance(content, str) else json.dumps(content)).encode())
        return str(path)

    return write


@pytest.fixture
def read():
    """The documents of a file, and what was counted."""

    def read(name, path, **options):
        tally = Tally()
        return list(FORMATS[name].read(str(path), ReadOptions(**options), tally)), str(tally)

    return read


@pytest.fixture
def refused(read):
    def refused(name, path, **options):
        with pytest.raises(ConfigurationError) as caught:
            read(name, path, **options)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return refused
