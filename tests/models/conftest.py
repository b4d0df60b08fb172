"""Archives with changes, each built from the trained one of fixtures/."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any, Optional

import pytest
from allennlp.common.checks import ConfigurationError

import roseq_allennlp


@pytest.fixture
def members(archive_path) -> dict[str, bytes]:
    with tarfile.open(archive_path) as archive:
        return {each.name: archive.extractfile(each).read() for each in archive.getmembers() if each.isfile()}


@pytest.fixture
def write(tmp_path, members):
    """An archive of `members`, some of them others (`None`: left out), with tar members of any kind added."""

    def build(changes: Optional[dict[str, Optional[bytes]]] = None, *added: tarfile.TarInfo) -> Path:
        path = tmp_path / "model.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name, content in {**members, **(changes or {})}.items():
                if content is not None:
                    info = tarfile.TarInfo(name)
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))
            for info in added:
                archive.addfile(info, io.BytesIO(b"x" * info.size))
        return path

    return build


@pytest.fixture
def with_config(write, members):
    def build(path: str, value: Any) -> Path:
        config = json.loads(members["config.json"])
        *parents, last = path.split(".")
        part = config
        for name in parents:
            part = part.setdefault(name, {})
        part[last] = value
        return write({"config.json": json.dumps(config).encode()})

    return build


@pytest.fixture(scope="session")
def refused():
    """Loads an archive that must be refused, in one sentence about it, and gives the sentence."""

    def load(path: Path, **options: Any) -> str:
        with pytest.raises(ConfigurationError) as caught:
            roseq_allennlp.load(path, **options)
        message = str(caught.value)
        assert message.startswith(f"{path}: ") and "\n" not in message and message.isprintable()
        return message.removeprefix(f"{path}: ")

    return load
