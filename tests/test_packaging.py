"""What a source distribution holds, that its tests run, and what a package index shows of it."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from importlib.metadata import requires

import _jsonnet
import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

NOT_SHIPPED = (".ci/", ".gitignore")
HANDFUL = ("tests/scoring/test_surface_forms.py", "tests/data/test_orthography.py", "tests/test_tables.py")


def files_of(repository):
    """The files that git tracks; all files of the folder where it is not a checkout."""
    listing = subprocess.run(["git", "ls-files"], cwd=repository, capture_output=True, text=True)
    files = (path for path in repository.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    names = listing.stdout.splitlines() or [str(path.relative_to(repository)) for path in files]
    return [name for name in names if not name.startswith(NOT_SHIPPED) and (repository / name).is_file()]


@pytest.fixture(scope="module")
def unpacked(repository, tmp_path_factory):
    """A source distribution, built from a copy of the repository and unpacked."""
    folder = tmp_path_factory.mktemp("packaging")
    names = files_of(repository)
    for name in names:
        (folder / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repository / name, folder / "checkout" / name)
    build = "from setuptools import build_meta; build_meta.build_sdist('..')"
    subprocess.run([sys.executable, "-c", build], check=True, capture_output=True, cwd=folder / "checkout")
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    unpacked = folder / archive.name.removesuffix(".tar.gz")
    assert [name for name in names if not (unpacked / name).is_file()] == []
    return unpacked


def test_a_source_distribution_has_all_files_and_its_tests_run(unpacked):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *HANDFUL]
    environment = {name: value for name, value in os.environ.items() if name != "ROSEQ_DATA"}
    environment["PYTHONPATH"] = str(unpacked)
    result = subprocess.run(command, cwd=unpacked, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert result.returncode == 0 and re.search(r"\d+ passed", result.stdout), result.stdout[-3000:]


def test_a_package_index_shows_licence_paper_and_no_link_it_cannot_follow(unpacked):
    text = (unpacked / "PKG-INFO").read_text(encoding="utf-8")
    metadata = message_from_string(text)
    assert metadata["License-Expression"] == "Apache-2.0" and metadata["License-File"] == "LICENSE"
    assert metadata.get_all("Project-URL") == ["Paper, https://doi.org/10.1109/TNNLS.2019.2911236"]
    assert "Programming Language :: Python :: 3.13" in metadata.get_all("Classifier")
    targets = re.findall(r"\]\(([^)]*)\)", metadata.get_payload())
    assert targets and all(target.startswith("https://") for target in targets)
    assert "[CITATION.cff]" not in text and "CITATION.cff has it" in text and "docs/archives.md" in text


def test_an_installed_wheel_brings_the_configs_and_the_data_of_init(unpacked, repository, tmp_path):
    build = "from setuptools import build_meta; build_meta.build_wheel('..')"
    subprocess.run([sys.executable, "-c", build], check=True, capture_output=True, cwd=unpacked)
    (wheel,) = unpacked.parent.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    package = tmp_path / "installed" / "roseq_allennlp"
    configs = {path.relative_to(repository): path for path in (repository / "training_configs").rglob("*.*sonnet")}
    assert len(configs) > 20
    for name, path in configs.items():
        assert (package / name).read_bytes() == path.read_bytes()
    page = "_serving/page.html"
    assert (package / page).read_bytes() == (repository / "roseq_allennlp" / page).read_bytes()
    assert not [path for path in package.rglob("*.py") if path.parent.name in ("fixtures", "wnut17")]
    with open(package / "training_configs/lib/vectors.libsonnet", "a", encoding="utf-8") as file:
        file.write("// of the wheel\n")
    environment = {**os.environ, "PYTHONPATH": str(package.parent)}
    command = [sys.executable, "-m", "roseq_allennlp", "init", "demo"]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert "// of the wheel" in (tmp_path / "demo/lib/vectors.libsonnet").read_text(encoding="utf-8")
    config = json.loads(_jsonnet.evaluate_file(str(tmp_path / "demo/config.jsonnet")))
    assert config["train_data_path"] == str(tmp_path / "demo/train.conll")


def test_the_overrides_are_the_bounds_of_this_package_where_allennlps_are_stale(unpacked, repository):
    lines = (repository / "overrides.txt").read_text(encoding="utf-8").splitlines()
    overrides = [Requirement(line) for line in lines if not line.startswith("#")]
    left_out = {override.name for override in overrides if str(override.marker) == 'python_version < "3"'}
    metadata = message_from_string((unpacked / "PKG-INFO").read_text(encoding="utf-8"))
    ours = {str(Requirement(text)).replace("_", "-") for text in metadata.get_all("Requires-Dist")}
    assert {str(override).replace("_", "-") for override in overrides if override.name not in left_out} <= ours
    named = {override.name.replace("_", "-").lower() for override in overrides}
    locked = dict(
        line.partition(" ;")[0].split("==") for line in (repository / "requirements.txt").read_text().splitlines()
    )
    for requirement in map(Requirement, requires("allennlp")):
        if requirement.marker is None or requirement.marker.evaluate({**default_environment(), "extra": ""}):
            name = requirement.name.replace("_", "-").lower()
            assert name in named or requirement.specifier.contains(locked[name]), requirement
