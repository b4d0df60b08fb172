"""Archives whose structure is damaged or hostile, and the memory that small ones take."""

import gzip
import io
import json
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.common.checks import ConfigurationError

import roseq_allennlp
from roseq_allennlp.models import archive_files
from roseq_allennlp.models.archive_weights import read_weights

MEGABYTE = 2**20


def member(name: str, kind: bytes, size: int = 0, **fields: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def header(name: str, kind: bytes, content: bytes) -> bytes:
    """A member as it is in the file; the tarfile module would not write some of them."""
    return member(name, kind, len(content)).tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % 512)


def record(key: str, value: str) -> bytes:
    text = f" {key}={value}\n".encode("utf-8", "surrogateescape")
    length = len(text) + 1
    while len(str(length)) + len(text) != length:
        length = len(str(length)) + len(text)
    return str(length).encode() + text


def plain(members: dict[str, bytes], leave_out: str = "") -> bytes:
    return b"".join(header(name, tarfile.REGTYPE, content) for name, content in members.items() if name != leave_out)


END = bytes(1024)
TAR: dict[str, tuple[Callable[[dict[str, bytes]], bytes], str]] = {
    "pax header of 9 MB": (
        lambda m: header("x", tarfile.XHDTYPE, record("comment", "x" * 9 * MEGABYTE)) + plain(m) + END,
        "a header in it has",
    ),
    "global header of 9 MB": (
        lambda m: header("x", tarfile.XGLTYPE, record("comment", "x" * 9 * MEGABYTE)) + plain(m) + END,
        "a header in it has",
    ),
    "long name of 9 MB": (
        lambda m: header("x", tarfile.GNUTYPE_LONGNAME, b"x" * 9 * MEGABYTE) + plain(m) + END,
        "a header in it has",
    ),
    "long link": (lambda m: header("x", tarfile.GNUTYPE_LONGLINK, b"/etc/passwd\0") + plain(m) + END, "no plain file"),
    "many pax headers": (
        lambda m: header("x", tarfile.XHDTYPE, record("mtime", "1.5")) * 100_000 + plain(m) + END,
        "more than 3,000 members",
    ),
    "100 000 members": (
        lambda m: plain(m) + b"".join(header(f"f{i}", tarfile.REGTYPE, b"") for i in range(100_000)) + END,
        "more than 3,000 members",
    ),
    "sparse member": (lambda m: plain(m) + header("s", tarfile.GNUTYPE_SPARSE, b"x") + END, "'s' is no plain file"),
    "sparse by pax": (
        lambda m: header("x", tarfile.XHDTYPE, record("GNU.sparse.realsize", str(2**50))) + plain(m) + END,
        "changes the size",
    ),
    "sparse 1.0": (
        lambda m: header("x", tarfile.XHDTYPE, record("GNU.sparse.major", "1")) + plain(m) + END,
        "changes the size",
    ),
    "size by pax": (
        lambda m: header("x", tarfile.XHDTYPE, record("size", str(2**60))) + plain(m) + END,
        "changes the size",
    ),
    "path by pax that leaves": (
        lambda m: header("x", tarfile.XHDTYPE, record("path", "../escaped")) + plain(m) + END,
        "'../escaped' is no plain file",
    ),
    "path by GNU that leaves": (
        lambda m: header("x", tarfile.GNUTYPE_LONGNAME, b"/tmp/escaped\0") + plain(m) + END,
        "'/tmp/escaped' is no plain file",
    ),
    "escapes in a name": (lambda m: plain(m) + header("a\x1b[31m", tarfile.REGTYPE, b"") + END, "no plain file"),
    "name that is too long for a file": (
        lambda m: header("x", tarfile.XHDTYPE, record("path", "a" * 900)) + plain(m) + END,
        "cannot be read as an archive",
    ),
    "pax record without a length": (
        lambda m: header("x", tarfile.XHDTYPE, b"path=x\n") + plain(m) + END,
        "a pax header is damaged",
    ),
    "pax record that is too long": (
        lambda m: header("x", tarfile.XHDTYPE, b"999 path=x\n") + plain(m) + END,
        "a pax header is damaged",
    ),
    "pax record of length 0": (
        lambda m: header("x", tarfile.XHDTYPE, b"0 path=x\n") + plain(m) + END,
        "a pax header is damaged",
    ),
    "negative size": (
        lambda m: plain(m) + negative(tarfile.TarInfo("n").tobuf(tarfile.GNU_FORMAT)) + END,
        "refused, its member 'n'",
    ),
    "size beyond the end": (lambda m: plain(m) + member("n", tarfile.REGTYPE, 4096).tobuf(), "its end is missing"),
    "no end": (plain, "its end is missing"),
    "trailing text": (lambda m: plain(m) + END + b"x", "something follows the end"),
    "trailing zeros": (lambda m: plain(m) + END + bytes(3 * MEGABYTE), "something follows the end"),
    "damaged checksum": (lambda m: plain(m) + b"\xff" * 512 + END, "cannot be read as an archive"),
    "config of 100 MB": (
        lambda m: header("config.json", tarfile.REGTYPE, b" " * 100 * MEGABYTE) + plain(m) + END,
        "no tagger's archive has such a file",
    ),
    "config of 100 MB by another name": (
        lambda m: header("./config.json", tarfile.REGTYPE, b" " * 100 * MEGABYTE) + plain(m) + END,
        "no tagger's archive has such a file",
    ),
    "meta of 1 MB": (
        lambda m: header("meta.json", tarfile.REGTYPE, b" " * MEGABYTE) + END,
        "no tagger's archive has such a file",
    ),
    "zeros": (
        lambda m: plain(m) + header("z", tarfile.REGTYPE, bytes(70 * MEGABYTE)) + END,
        "over 100 times its own size",
    ),
    "file in place of a directory": (
        lambda m: header("vocabulary", tarfile.REGTYPE, b"x") + plain(m) + END,
        "cannot be read as an archive",
    ),
    "directory in place of a file": (
        lambda m: plain(m, "weights.th") + header("weights.th", tarfile.DIRTYPE, b"") + END,
        "weights.th is not a file",
    ),
}
KINDS = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.CONTTYPE, b"Z"]
for _kind in KINDS:
    TAR[f"member of type {_kind!r}"] = (lambda m, k=_kind: plain(m) + header("l", k, b"") + END, "'l' is ")
for _name in ("../x", "/x", "a/../../x", "\\x", "vocabulary/../../x", "..", "a\nb", "a\u202eb"):
    TAR[f"member {_name!r}"] = (lambda m, n=_name: plain(m) + header(n, tarfile.REGTYPE, b"") + END, "no plain file")


def negative(block: bytes) -> bytes:
    """A header whose size is negative, in base 256."""
    changed = bytearray(block)
    changed[124:136] = b"\xff" * 12
    changed[148:156] = b" " * 8
    changed[148:156] = b"%06o\0 " % sum(changed)
    return bytes(changed)


@pytest.mark.parametrize("name", TAR)
def test_structures(name, members, tmp_path, refused, monkeypatch):
    build, message = TAR[name]
    path = tmp_path / "model.tar.gz"
    path.write_bytes(gzip.compress(build(members), 1))
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(unpacked))
    assert message in refused(path)
    assert not list(unpacked.iterdir()) and not (tmp_path / "escaped").exists() and not Path("/tmp/escaped").exists()


def test_what_other_programs_write(members, tmp_path, tagger):
    """A long name in each format, a global header, `./` before names, a directory, two streams of gzip."""
    data = header("x", tarfile.XGLTYPE, record("comment", "x")) + header("./vocabulary/", tarfile.DIRTYPE, b"")
    data += header("x", tarfile.XHDTYPE, record("path", "./extra/ä" + "a" * 200)) + header("y", tarfile.REGTYPE, b"1")
    data += header("x", tarfile.GNUTYPE_LONGNAME, b"extra/" + b"b" * 200 + b"\0") + header("y", tarfile.REGTYPE, b"2")
    data += plain({f"./{name}": content for name, content in members.items()}) + END
    path = tmp_path / "model.tar.gz"
    path.write_bytes(gzip.compress(data[:5000]) + gzip.compress(data[5000:]))
    assert roseq_allennlp.load(path).tag("a b") == tagger.tag("a b")
    (tmp_path / "out").mkdir()
    archive_files.extract(path, tmp_path / "out")
    assert (tmp_path / "out" / "extra" / ("ä" + "a" * 200)).read_text() == "1"
    assert (tmp_path / "out" / "extra" / ("b" * 200)).read_text() == "2"
    with tarfile.open(path) as archive:  # as the tarfile module reads it
        for info in archive.getmembers():
            if info.isfile():
                assert (tmp_path / "out" / info.name).read_bytes() == archive.extractfile(info).read()


def test_the_limit_is_an_option(write, refused):
    path = write()
    size = 100_000
    assert "unpack to more than 100,000 bytes (give `max_size` to `load`" in refused(path, max_size=size)
    assert roseq_allennlp.load(path, max_size=2 * size)


def test_only_the_disk_is_to_blame_for_a_full_disk(write, monkeypatch):
    path, plain_open = write(), open

    def full(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if mode == "wb":
            raise OSError(28, "No space left on device", str(file))
        return plain_open(file, mode, *args, **kwargs)

    monkeypatch.setattr(archive_files, "open", full, raising=False)
    with pytest.raises(OSError, match="No space left"):
        roseq_allennlp.load(path)


VOCABULARY: dict[str, tuple[dict[str, Any], str]] = {
    "not UTF-8": ({"vocabulary/tokens.txt": b"@@UNKNOWN@@\n\xff\xfe\n"}, "do not fit this version"),
    "without the unknown entry": ({"vocabulary/tokens.txt": b"the\na\n"}, "do not fit this version"),
    "empty": ({"vocabulary/tokens.txt": b""}, "do not fit this version"),
    "labels that are not BIOUL": ({"vocabulary/labels.txt": b"O\nX-person\n"}, "must be BIOUL"),
    "no labels": ({"vocabulary/labels.txt": b""}, "no tags"),
    "padded labels": ({"vocabulary/non_padded_namespaces.txt": b""}, "do not fit this version"),
    "a directory": ({"vocabulary/tokens.txt/x": b"", "vocabulary/tokens.txt": None}, "vocabulary/tokens.txt is not a file"),
    "another directory": ({"vocabulary/more/x": b""}, "vocabulary/more is not a file"),
    "3 million lines": ({"vocabulary/more.txt": b"@@UNKNOWN@@\n" + b"a\n" * 3_000_000}, "more than 100,000 entries"),
    "a line of 20 MB": ({"vocabulary/more.txt": b"a" * 20 * MEGABYTE}, "more than 100,000 entries, or more than 128"),
    "labels of 3 million lines": ({"vocabulary/labels.txt": b"O\n" * 3_000_000}, "more than 100,000 entries"),
    "no file for unknown words": (
        {"vocabulary/non_padded_namespaces.txt": b"*labels\n*tags\ntokens\n", "vocabulary/tokens.txt": b"a\n" * 22},
        "do not fit this version",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VOCABULARY)
def test_vocabularies(name, write, refused):
    changes, message = VOCABULARY[name]
    assert message in refused(write(changes))


def saved(state: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer, **options)
    return buffer.getvalue()


def deflated(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    return buffer.getvalue()


HUGE = 2**40
TRANSITIONS = "crf.transitions"
WEIGHTS: dict[str, tuple[Callable[[dict[str, torch.Tensor]], Any], str]] = {
    "empty": (lambda s: {}, "no tensors by name"),
    "a list": (lambda s: list(s.values()), "no tensors by name"),
    "a tensor": (lambda s: torch.zeros(3), "no tensors by name"),
    "nothing": (lambda s: None, "no tensors by name"),
    "integer keys": (lambda s: dict(enumerate(s.values())), "0 is no tensor with a name"),
    "a number": (lambda s: {**s, "x": 1.0}, "'x' is no tensor with a name"),
    "nested": (lambda s: {"model": s}, "'model' is no tensor with a name"),
    "more": (lambda s: {**s, "x": torch.zeros(1)}, "unexpected: ['x']"),
    "NaN": (lambda s: {**s, TRANSITIONS: s[TRANSITIONS] * float("nan")}, "holds NaN"),
    "infinite": (lambda s: {**s, TRANSITIONS: s[TRANSITIONS] + float("inf")}, "not finite"),
    "infinite ζ": (lambda s: {**s, "crf.label_weights": s["crf.label_weights"] + float("inf")}, "not finite"),
    "complex": (lambda s: {**s, TRANSITIONS: s[TRANSITIONS].to(torch.complex64)}, "real numbers"),
    "integers": (lambda s: {**s, TRANSITIONS: s[TRANSITIONS].long()}, "torch.int64, expected torch.float32"),
    "bool": (lambda s: {**s, TRANSITIONS: s[TRANSITIONS].bool()}, "torch.bool, expected torch.float32"),
    "sparse": (lambda s: {**s, TRANSITIONS: s[TRANSITIONS].to_sparse()}, "cannot be read as tensors"),
    "quantized": (
        lambda s: {**s, TRANSITIONS: torch.quantize_per_tensor(s[TRANSITIONS], 0.1, 0, torch.qint8)},
        "cannot be read as tensors",
    ),
    "stride 0": (lambda s: {**s, "x": torch.zeros(1).as_strided((HUGE,), (0,))}, "'x' is larger than the file"),
    "other shape": (lambda s: {**s, TRANSITIONS: torch.zeros(2, 2)}, "size mismatch"),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights(name, write, members, refused):
    change, message = WEIGHTS[name]
    state = dict(torch.load(io.BytesIO(members["weights.th"]), weights_only=True))
    assert message in refused(write({"weights.th": saved(change(state))}))


def test_weights_in_other_precision_and_shared_ones(write, members, roseq, tmp_path):
    state = dict(torch.load(io.BytesIO(members["weights.th"]), weights_only=True))
    assert roseq_allennlp.load(write({"weights.th": saved({k: v.bfloat16() for k, v in state.items()})})).tag("a")
    # What safetensors does not take as it is: memory that two names share, and rows that are not in order.
    table = torch.zeros(2, *state[TRANSITIONS].shape)
    shared = {**state, TRANSITIONS: table[0].T, "crf.label_weights": table[0][0] + 1}
    path = write({"weights.th": saved(shared)})
    assert roseq("archive", path, tmp_path / "safe.tar.gz").status == 0
    assert roseq_allennlp.load(tmp_path / "safe.tar.gz").tag("a b") == roseq_allennlp.load(path).tag("a b")


def test_one_weight_by_many_names(tmp_path):
    """Sixteen members of an ensemble share a frozen encoder; more names would be a way to fill the memory."""
    path, weight = tmp_path / "weights.th", torch.zeros(10**6)
    torch.save({str(number): weight for number in range(16)}, path)
    assert len(read_weights(path)) == 16
    torch.save({str(number): weight for number in range(17)}, path)
    with pytest.raises(ConfigurationError, match="'16' is larger than the file"):
        read_weights(path)


@pytest.mark.parametrize("name", WEIGHTS)
def test_roseq_archive_on_odd_weights(name, write, members, roseq, tmp_path):
    change, _ = WEIGHTS[name]
    state = dict(torch.load(io.BytesIO(members["weights.th"]), weights_only=True))
    result = roseq("archive", write({"weights.th": saved(change(state))}), tmp_path / "out.tar.gz")
    assert "Traceback" not in result.errors and result.status in (0, 1)
    assert (tmp_path / "out.tar.gz").exists() == (result.status == 0)


def safetensors_of(header_: Any, length: int = -1) -> bytes:
    text = header_ if isinstance(header_, bytes) else json.dumps(header_).encode()
    return struct.pack("<Q", len(text) if length < 0 else length) + text


OTHER_WEIGHTS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "compressed zip": ("weights.th", deflated),
    "zip of zeros": ("weights.th", lambda content: deflated(saved({"x": torch.zeros(4 * MEGABYTE)}))),
    "legacy format": (
        "weights.th",
        lambda content: saved({"x": torch.zeros(1)}, _use_new_zipfile_serialization=False),
    ),
    "empty file": ("weights.th", lambda content: b""),
    "zip without tensors": ("weights.th", lambda content: b"PK\x05\x06" + bytes(18)),
    "flipped bytes": (
        "weights.th",
        lambda content: content[:300] + bytes(b ^ 255 for b in content[300:400]) + content[400:],
    ),
    "safetensors: header too long": ("weights.safetensors", lambda content: safetensors_of({}, 2**60)),
    "safetensors: header of 99 MB": (
        "weights.safetensors",
        lambda content: safetensors_of(b" " * 99 * MEGABYTE),
    ),
    "safetensors: huge shape": (
        "weights.safetensors",
        lambda content: safetensors_of({"x": {"dtype": "F32", "shape": [HUGE], "data_offsets": [0, 4]}}) + bytes(4),
    ),
    "safetensors: no header": ("weights.safetensors", lambda content: safetensors_of([1])),
    "safetensors: nothing": ("weights.safetensors", lambda content: safetensors_of({})),
}


@pytest.mark.parametrize("name", OTHER_WEIGHTS)
def test_files_of_weights(name, archive_path, members, tmp_path, refused):
    file, build = OTHER_WEIGHTS[name]
    with tarfile.open(archive_path) as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "weights.th").unlink()
    (tmp_path / file).write_bytes(build(members["weights.th"]))
    assert "cannot be read as tensors" in refused(tmp_path)


JSON: dict[str, tuple[dict[str, bytes], str]] = {
    "nested": ({"config.json": b"[" * 3_000_000}, "is not the JSON"),
    "nested a little": ({"config.json": b'{"a":' * 100 + b"1" + b"}" * 100}, "deeper than 64"),
    "a list": ({"config.json": b"[]"}, "has no `model`"),
    "null": ({"config.json": b"null"}, "has no `model`"),
    "a number": ({"config.json": b"1"}, "has no `model`"),
    "a long number": ({"config.json": b'{"model": ' + b"9" * 5000 + b"}"}, "is not the JSON"),
    "NaN": ({"config.json": b'{"model": NaN}'}, "NaN is no number of JSON"),
    "UTF-16": ({"config.json": '{"model": 1}'.encode("utf-16")}, "is not the JSON"),
    "surrogates": ({"config.json": b'{"model": {"type": "\\ud800"}, "dataset_reader": "wnut"}'}, "refused"),
    "meta is a list": ({"meta.json": b"[1]"}, "meta.json has no version"),
    "meta is a number": ({"meta.json": b"2"}, "meta.json has no version"),
    "version is a number": ({"meta.json": b'{"version": 2}'}, "meta.json has no version"),
    "version is empty": ({"meta.json": b'{"version": ""}'}, "written with AllenNLP "),
    "version has escapes": ({"meta.json": b'{"version": "3\\u001b[31m"}'}, "written with AllenNLP 3\\x1b[31m"),
}


@pytest.mark.parametrize("name", JSON)
def test_json(name, write, refused):
    changes, message = JSON[name]
    assert message in refused(write(changes))


CONFIGS: dict[str, tuple[str, Any]] = {
    **{f"reader {value!r}": ("dataset_reader", value) for value in ("", "x", 1, None, [], {}, True, 1.5, ["wnut"])},
    **{f"validation reader {value!r}": ("validation_dataset_reader", value) for value in ("", "x", 1, [], {}, True)},
    **{f"model {value!r}": ("model", value) for value in ("", "label_aware_crf_tagger", 1, None, [], {}, True)},
    **{f"encoder {value!r}": ("model.encoder", value) for value in ("lstm", 1, None, [], {}, "bidirectional_lstm")},
    **{f"loader {value!r}": ("data_loader", value) for value in ("in_memory", 1, [], {"batch_size": 0}, {"batch_size": "x"})},
    **{f"batch size {value!r}": ("validation_data_loader.batch_size", value) for value in (-1, 0, "1", [1], 1.5, 10**7)},
    **{f"evaluation {value!r}": ("evaluation", value) for value in ("simple", 1, [], {"x": 1}, True)},
    **{f"seed {value!r}": ("numpy_seed", value) for value in (-1, 2**32, "x", 1.5, [])},
    **{f"vocabulary {value!r}": ("vocabulary", value) for value in ("x", 1, [1], {"type": 1}, {"oov_token": 1}, {"oov_token": "x"})},
    **{f"dropout {value!r}": ("model.dropout", value) for value in (1.5, -0.1, "x", [0.5], {}, True, 10**9)},
    **{f"embedding dropout {value!r}": ("model.embedding_dropout", value) for value in (2, -1)},
    **{f"language {value!r}": ("dataset_reader.language", value) for value in ("", "qq", "EN", 1, ["en"], "english" * 50)},
    **{f"hidden size {value!r}": ("model.encoder.hidden_size", value) for value in (0, -1, 10**6, "25", 25.0, None)},
    **{f"layers {value!r}": ("model.encoder.num_layers", value) for value in (0, -1, 10**6, 2)},
    **{f"labels {value!r}": ("model.label_namespace", value) for value in ("", "tokens", "../labels", "x", 1)},
    **{f"indexers {value!r}": ("dataset_reader.token_indexers", value) for value in ({}, [], "x", {"x": None}, {"": "single_id"})},
    **{f"tau {value!r}": ("model.tau", value) for value in (-1, "x")},
    "members": ("model", {"type": "tagger_ensemble", "size": 10**6, "member": {"type": "label_aware_crf_tagger"}}),
    "terminal escapes": ("model.\x1b[31m", 1),
    "a key of two lines": ("model.a\nb", 1),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_configs(name, with_config, refused):
    refused(with_config(*CONFIGS[name]))


@pytest.mark.parametrize("value", [None, "None", ...])
def test_what_evaluating_asks_for_may_be_missing(value, with_config, write, members, roseq):
    config = json.loads(members["config.json"])
    for key in ("data_loader", "validation_data_loader", "evaluation", "random_seed"):
        config.pop(key, None)
        if value is not ...:
            config[key] = value
    path = write({"config.json": json.dumps(config).encode()})
    result = roseq("evaluate", path, "fixtures/wnut17/emerging.test.annotated")
    assert result.status == 0 and "overall" in result.output


def test_broken_archives_do_not_trace_in_commands(with_config, roseq):
    for place, value in (CONFIGS["dropout 1.5"], CONFIGS["batch size -1"], CONFIGS["reader 1"], CONFIGS["seed -1"]):
        for command, data in (
            ("evaluate", "fixtures/wnut17/emerging.test.annotated"),
            ("predict", "fixtures/sentences.jsonl"),
        ):
            result = roseq(command, with_config(place, value), data)
            assert result.status == 1 and "Traceback" not in result.errors
            assert sum(f"roseq {command}: error: " in line for line in result.errors.splitlines()) == 1  # fmt: skip


@pytest.mark.parametrize("name", ["config.json", "weights.th", "vocabulary/labels.txt", "vocabulary/.lock"])
def test_links_in_the_directory_of_a_run(name, archive_path, tmp_path, refused, tagger):
    run, outside = tmp_path / "run", tmp_path / "outside"
    with tarfile.open(archive_path) as archive:
        archive.extractall(run, filter="data")
    outside.write_bytes(b"mine")
    (run / name).unlink()
    (run / name).symlink_to(outside)
    if name == "vocabulary/.lock":  # not read, and above all not emptied
        assert roseq_allennlp.load(run).tag("a") == tagger.tag("a")
    else:
        assert f"{name} is a link to a file elsewhere" in refused(run)
    assert outside.read_bytes() == b"mine"


def test_pipes_in_the_directory_of_a_run(archive_path, tmp_path, refused):
    with tarfile.open(archive_path) as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "vocabulary" / "tokens.txt").unlink()
    os.mkfifo(tmp_path / "vocabulary" / "tokens.txt")
    assert "vocabulary/tokens.txt is not a file" in refused(tmp_path)


def test_nothing_is_written_into_the_directory_of_a_run(archive_path, tmp_path):
    with tarfile.open(archive_path) as archive:
        archive.extractall(tmp_path, filter="data")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    roseq_allennlp.load(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


MEASURE = """
import re, sys
import roseq_allennlp
from allennlp.common.checks import ConfigurationError
def memory(key):
    return int(re.search(key + r":\\s+(\\d+) kB", open("/proc/self/status").read())[1]) / 1024
roseq_allennlp.load(sys.argv[1])
for path in sys.argv[1:]:
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # VmHWM, the most there was, starts anew
    before = memory("VmRSS")
    try:
        roseq_allennlp.load(path)
    except ConfigurationError:
        refused = 1
    else:
        refused = 0
    print(path, refused, memory("VmHWM") - before)
"""


@pytest.mark.skipif(
    not os.access("/proc/self/clear_refs", os.W_OK), reason="only Linux tells the most memory there was"
)
def test_the_memory_that_small_archives_take(archive_path, members, tmp_path):
    """In a process of its own; measured is the most of it, in MB, beyond what there was before each."""
    state = dict(torch.load(io.BytesIO(members["weights.th"]), weights_only=True))
    config = json.loads(members["config.json"])
    config["model"]["encoder"]["hidden_size"] = 6000
    several = json.loads(members["config.json"])
    several["model"] = {"type": "tagger_ensemble", "size": 3000, "member": several["model"]}
    hostile = {
        **{name: TAR[name][0](members) for name in TAR if "MB" in name or "000" in name or name == "zeros"},
        **{
            name: plain({**members, **{key: value for key, value in changes.items() if value is not None}}) + END
            for name, (changes, _) in VOCABULARY.items()
            if "MB" in name or "million" in name
        },
        "stride 0": plain({**members, "weights.th": saved(WEIGHTS["stride 0"][0](state))}) + END,
        "zip of zeros": plain({**members, "weights.th": OTHER_WEIGHTS["zip of zeros"][1](b"")}) + END,
        "hidden size": plain({**members, "config.json": json.dumps(config).encode()}) + END,
        "ensemble": plain({**members, "config.json": json.dumps(several).encode()}) + END,
        "nested": plain({**members, "config.json": JSON["nested"][0]["config.json"]}) + END,
    }
    paths = []
    for index, (name, content) in enumerate(hostile.items()):
        paths.append(tmp_path / f"{index}-{name.replace(' ', '-')}.tar.gz")
        paths[-1].write_bytes(gzip.compress(content))
    command = [sys.executable, "-c", MEASURE, str(archive_path), *map(str, paths)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    print(result.stdout)
    refused, taken = zip(*(map(float, line.split()[-2:]) for line in result.stdout.splitlines()), strict=True)
    assert len(taken) == 1 + len(hostile) and refused == (0.0, *[1.0] * len(hostile)) and max(taken) < 100
