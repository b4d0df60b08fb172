import shutil
import subprocess
import sys
import zipfile

from roseq_allennlp.data.catalogue import CONFIGS, CORPORA, VECTORS


def test_entries_are_complete():
    in_the_paper = ["conll2002-nl", "conll2002-es", "conll2003-en", "wnut16", "wnut17"]
    assert list(CORPORA)[:5] == in_the_paper
    assert all({"base", "roseq"} <= CORPORA[name].paper.keys() for name in in_the_paper)
    for corpus in CORPORA.values():
        assert list(corpus.files) == ["train", "dev", "test"]
        assert corpus.types == tuple(sorted(corpus.types)) and corpus.vectors in {"learned", *VECTORS}
        assert all((CONFIGS / f"lib/{name}").is_file() for name in ("roseq.libsonnet", "vectors.libsonnet"))


def test_a_wheel_brings_configs_and_catalogue(repository, tmp_path):
    for name in ("roseq_allennlp", "training_configs", "fixtures"):
        shutil.copytree(repository / name, tmp_path / name)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(repository / name, tmp_path)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", "wheels", "."]
    subprocess.run(command, check=True, cwd=tmp_path)
    (wheel,) = tmp_path.glob("wheels/*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (repository / "training_configs").rglob("*.*sonnet"):
        assert f"roseq_allennlp/training_configs/{path.relative_to(repository / 'training_configs')}" in names
    assert "roseq_allennlp/training_configs/lib/catalogue.json" in names
