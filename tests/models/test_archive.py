"""Archives that are damaged, of other versions or hostile; each is built here from the trained one of fixtures/."""

import copy
import io
import json
import os
import pickle
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.models import Model, archival

import roseq_allennlp
from roseq_allennlp.models.archive import archive_model, load_archive

DATA = "fixtures/wnut17/emerging.test.annotated"


def test_the_archive_itself_is_opened(write, tagger):
    assert roseq_allennlp.load(write()).tag("a b") == tagger.tag("a b")


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


def saved(state: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["torch", "pickle", "forced"])
def test_weights_that_run_code(kind, write, members, tmp_path, monkeypatch, refused):
    marker = tmp_path / "executed"
    if kind == "forced":  # what torch takes for "all my files are trusted"
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    state = {**torch.load(io.BytesIO(members["weights.th"]), weights_only=True), "evil": Evil(marker)}
    path = write({"weights.th": pickle.dumps(state) if kind == "pickle" else saved(state)})
    assert "cannot be read as tensors" in refused(path)
    assert not marker.exists()


def link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def file(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = 1
    return info


@pytest.mark.parametrize(
    "member",
    [
        file("../escaped"),
        file("vocabulary/../../escaped"),
        file("/tmp/escaped-from-archive"),
        link("vocabulary/link", "/etc/passwd", tarfile.SYMTYPE),
        link("vocabulary/link", "labels.txt", tarfile.SYMTYPE),
        link("vocabulary/link", "config.json", tarfile.LNKTYPE),
        link("pipe", "", tarfile.FIFOTYPE),
        link("device", "", tarfile.CHRTYPE),
    ],
    ids=lambda member: member.name,
)
def test_members_that_leave_the_directory_or_are_links(member, write, tmp_path, monkeypatch, refused):
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(unpacked))
    message = refused(write({}, member))
    assert message.startswith(f"refused, its member {member.name!r} is ")
    assert not list(unpacked.iterdir())
    assert not (tmp_path / "escaped").exists() and not Path("/tmp/escaped-from-archive").exists()


CODE = [
    ("model.encoder", {"type": "subprocess.Popen", "args": ["mkdir", "{marker}"]}),
    ("model.encoder", "subprocess.Popen"),
    ("model.text_field_embedder.token_embedders.tokens", {"type": "os.mkdir", "path": "{marker}"}),
    ("model", {"type": "subprocess.Popen", "args": ["mkdir", "{marker}"]}),
    ("dataset_reader.token_indexers.evil", {"type": "subprocess.Popen", "args": ["mkdir", "{marker}"]}),
    ("dataset_reader", {"type": "subprocess.Popen", "args": ["mkdir", "{marker}"]}),
    ("validation_dataset_reader", {"type": "subprocess.Popen", "args": ["mkdir", "{marker}"]}),
    ("evaluation", {"type": "subprocess.Popen", "args": ["mkdir", "{marker}"]}),
    ("data_loader", {"type": "subprocess.Popen", "args": ["mkdir", "{marker}"]}),
    ("vocabulary.type", "subprocess.Popen"),
    ("model.encoder", {"type": "evil-module.run"}),
    ("model.fusion.activations", "evil module.run"),
    ("model.encoder", {"_pretrained": {"archive_file": "{marker}", "path": "_encoder"}}),
    ("model", {"type": "from_archive", "archive_file": "{marker}"}),
    ("dataset_reader.token_indexers.x", {"type": "pretrained_transformer", "trust_remote_code": True}),
]


@pytest.mark.parametrize(("place", "value"), CODE, ids=range(len(CODE)))
def test_a_config_that_runs_code(place, value, with_config, tmp_path, refused):
    marker = tmp_path / "executed"
    path = with_config(place, json.loads(json.dumps(value).replace("{marker}", str(marker))))
    message = refused(path)
    assert message.startswith("refused, ")
    assert not marker.exists()


def test_allennlp_s_own_loader_runs_it(with_config, tmp_path):
    # Why there is another one, and that the archives above are what they are meant to be.
    marker = tmp_path / "executed"
    path = with_config("model.encoder", {"type": "subprocess.Popen", "args": ["mkdir", str(marker)]})
    with pytest.raises(Exception):  # noqa: B017  whatever the called function leads to
        archival.load_archive(path)
    for _ in range(100):
        if marker.exists():
            return
        time.sleep(0.05)
    pytest.fail("AllenNLP has become safer: see docs/archives.md")


def test_packages_are_never_taken_from_the_archive(with_config, tmp_path, monkeypatch):
    (tmp_path / "evil_package.py").write_text("raise SystemExit('executed')")
    monkeypatch.syspath_prepend(tmp_path)
    assert roseq_allennlp.load(with_config("include_package", ["evil_package"])).tag("a")["words"] == ["a"]


def test_jsonnet_in_a_config_is_not_evaluated(write, refused):
    assert "not the JSON that AllenNLP writes" in refused(write({"config.json": b'{ model: importstr "/etc/passwd" }'}))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_truncated(share, write, refused):
    path = write()
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert "cannot be read as an archive" in (message := refused(path)) and "fetch it again" in message


@pytest.mark.parametrize("content", [b"GIF89a", b"\x1f\x8b" + bytes(100), b"<html>404</html>"])
def test_foreign_files(content, tmp_path, refused):
    (tmp_path / "model.tar.gz").write_bytes(content)
    assert "truncated or none at all" in refused(tmp_path / "model.tar.gz")


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("config.json", "no config.json, so it is no archive of AllenNLP"),
        ("weights.th", "has no weights"),
        ("vocabulary/labels.txt", "has no vocabulary/labels.txt"),
        ("vocabulary/non_padded_namespaces.txt", "has no vocabulary/non_padded_namespaces.txt"),
    ],
)
def test_members_that_are_missing(member, message, write, refused):
    assert message in refused(write({member: None}))


def test_a_missing_namespace_changes_the_sizes(write, refused):
    assert "do not fit this version" in refused(write({"vocabulary/tokens.txt": None}))


def test_other_versions(write, members, with_config, refused):
    assert "written with AllenNLP 3.1.0, this is 2.10.1" in refused(write({"meta.json": b'{"version": "3.1.0"}'}))
    assert "another version of roseq-allennlp" in refused(with_config("model.invented", 3))
    state = torch.load(io.BytesIO(members["weights.th"]), weights_only=True)
    renamed = {key.replace("_encoder", "_other"): value for key, value in state.items()}
    assert "missing: ['_encoder" in refused(write({"weights.th": saved(renamed)}))


def test_other_models_and_readers(with_config, refused):
    tagger = refused(with_config("model", {"type": "simple_tagger"}))
    assert tagger.startswith(
        "refused, `model.type` of its config is 'simple_tagger', the SimpleTagger of allennlp.models"
    )
    reader = refused(with_config("dataset_reader", {"type": "babi"}))
    assert reader.startswith("refused, `dataset_reader.type` of its config is 'babi', the BabiReader of allennlp.data")
    assert "'invented', no name registered here" in refused(with_config("model", {"type": "invented"}))


def test_no_archive(tmp_path, refused):
    assert "no such archive" in refused(tmp_path / "model.tar.gz")
    assert "no weights" in refused(tmp_path)


@pytest.mark.parametrize(("count", "numbers"), [(0, "none"), (1, "0 only"), (4, "0 to 3")])
def test_no_such_gpu(count, numbers, archive_path, monkeypatch, roseq):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    found = roseq("report", archive_path, "fixtures/wnut17/emerging.test.annotated", "--cuda-device", 4)
    assert found.status == 1
    assert f"cuda_device is 4, but the GPUs that PyTorch finds here are: {numbers}. Give one" in found.errors


def test_the_directory_of_a_run(archive_path, tmp_path, tagger):
    with tarfile.open(archive_path) as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "weights.th").rename(tmp_path / "best.th")
    assert roseq_allennlp.load(tmp_path).tag("a b") == tagger.tag("a b")


def test_what_allennlp_loads_is_loaded_alike(archive_path):
    ours, theirs = load_archive(archive_path), archival.load_archive(archive_path)
    assert ours.config.as_dict() == theirs.config.as_dict() and ours.meta == theirs.meta
    assert type(ours.dataset_reader) is type(theirs.dataset_reader)
    for (name, value), (other, expected) in zip(
        ours.model.state_dict().items(), theirs.model.state_dict().items(), strict=False
    ):
        assert name == other and torch.equal(value, expected)
    model: Model = load_archive(archive_path, overrides='{"model.top_k": 3}').model
    assert model._top_k == 3


def test_safetensors(archive_path, tmp_path, tagger, roseq, refused):
    path = tmp_path / "safe.tar.gz"
    assert roseq("archive", archive_path, path).status == 0
    with tarfile.open(path) as archive:
        assert "weights.safetensors" in archive.getnames() and "weights.th" not in archive.getnames()
    assert roseq_allennlp.load(path).tag("a b") == tagger.tag("a b")
    damaged = tmp_path / "damaged"
    with tarfile.open(path) as archive:
        archive.extractall(damaged, filter="data")
    (damaged / "weights.safetensors").write_bytes(b"\xff" * 100)
    assert "cannot be read as tensors" in refused(damaged)


@pytest.mark.parametrize("command", [("evaluate", DATA), ("predict", "fixtures/sentences.jsonl"), ("noise", DATA)])
def test_every_command_opens_archives_so(command, with_config, tmp_path, roseq):
    marker = tmp_path / "executed"
    path = with_config("model.encoder", {"type": "subprocess.Popen", "args": ["mkdir", str(marker)]})
    name, data = command
    result = roseq(name, path, data)
    assert result.status == 1 and not marker.exists()
    assert "refused, `model.encoder.type`" in result.errors and "Traceback" not in result.errors


def test_an_archive_is_written_whole_or_not_at_all(archive_path, tmp_path, monkeypatch):
    with tarfile.open(archive_path) as archive:
        archive.extractall(tmp_path, filter="data")
    path = Path(archive_model(tmp_path, weights="weights.th"))
    assert roseq_allennlp.load(path)
    before = path.read_bytes()

    def fail(self: tarfile.TarFile, name: Any, *args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "add", fail)
    with pytest.raises(OSError):
        archive_model(tmp_path, weights="weights.th")
    assert path.read_bytes() == before and not list(tmp_path.glob(".*"))


def test_no_archive_is_written_of_damaged_weights(archive_path, tmp_path):
    with tarfile.open(archive_path) as archive:
        archive.extractall(tmp_path, filter="data")
    content = bytearray((tmp_path / "weights.th").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "weights.th").write_bytes(content)
    with pytest.raises(ConfigurationError, match="weights.th is damaged .*no archive of it is written"):
        archive_model(tmp_path, weights="weights.th")
    assert not (tmp_path / "model.tar.gz").exists()


def test_roseq_train_writes_so_and_puts_allennlp_back(tmp_path, roseq, monkeypatch):
    from allennlp.commands import train as module

    written = []
    monkeypatch.setattr("roseq_allennlp.models.archive.archive_model", lambda *args, **_: written.append(args))
    before = copy.copy(vars(module)["archive_model"])
    result = roseq("train", "training_configs/fixture.jsonnet", "-s", tmp_path, "-o", '{"trainer.num_epochs": 1}')
    assert result.status == 0 and written == [(str(tmp_path),)]
    assert module.archive_model is before
