"""
Archives and directories of runs, each changed in one to three places at random: they are opened and used, or refused in
one sentence. A few dozen in CI; `make fuzz` tries 2 000.
"""

import copy
import gzip
import io
import json
import os
import random
import tarfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError

import roseq_allennlp

FUZZ = int(os.environ.get("ROSEQ_FUZZ_ARCHIVES", 2000 if os.environ.get("ROSEQ_FUZZ") else 90))
DATA = "fixtures/wnut17/emerging.test.annotated"
TEXTS = ["Marta Keller flies to Oslo on 3 May 2024 😍", "a", "", "\u2028\x1b[31m \ufeff", "x" * 300]
ODD = [
    *(None, True, False, 0, 1, -1, 2, 3, 7, 100, 2**31, 10**18, 0.0, 0.5, 1.5, -0.5, 1e308, 1e-308),
    *("", "x", "None", "true", "0", "evil.module.X", "a/b.c", "../x", "/etc/passwd", "http://127.0.0.1:9/x", "\0", "é" * 300),
    *("\x1b[31m", "a\nb", "lstm", "embedding", "single_id", "from_archive", "pretrained_transformer", "labels", "tokens"),
    *([], {}, [[]], [None], [1, 2], ["x"], {"": 1}, {"type": "x"}, {"type": None}, {"a": {"b": []}}, {"_pretrained": {}}),
]  # fmt: skip
Members = dict[str, bytes]


def places(value: Any, path: tuple = ()) -> list[tuple]:
    """The paths of all parts of a JSON value, but the whole."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [each for key, part in parts for each in ((*path, key), *places(part, (*path, key)))]


def at(value: Any, path: tuple) -> Any:
    for key in path:
        value = value[key]
    return value


def change_json(value: Any, rng: random.Random) -> Any:
    # Half of them in what loading builds: the rest is long and never read.
    built = [path for path in places(value) if path[0] in ("model", "dataset_reader", "data_loader", "vocabulary")]
    path = rng.choice(built if built and rng.random() < 0.7 else places(value) or [()])
    if not path:
        return rng.choice(ODD)
    parent, key = at(value, path[:-1]), path[-1]
    names = [name for entries in Registrable._registry.values() for name in entries]
    operation = rng.randrange(9)
    if operation <= 2:
        parent[key] = copy.deepcopy(rng.choice(ODD))
    elif operation == 3:
        del parent[key]
    elif operation == 4 and isinstance(parent, dict):
        parent[rng.choice(["x", "", "type", "_pretrained", "vocab", str(key).upper(), f"{key} ", "a\nb"])] = parent.pop(
            key
        )
    elif operation == 5:
        parent[key] = rng.choice([[parent[key]], {"type": parent[key]}, {"x": parent[key]}])
    elif operation == 6:
        parent[key] = copy.deepcopy(at(value, rng.choice(places(value))))
    elif operation == 7:
        parent[key] = rng.choice([name := rng.choice(names), {"type": name}])
    elif isinstance(parent, dict):
        parent[rng.choice([*parent, "extra", "file_path", "regularizer", "token_min_padding_length"])] = rng.choice(ODD)
    return value


def change_bytes(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content) + 1)
    end = min(len(content), start + rng.choice([1, 1, 8, 100, 5000]))
    middle = rng.choice([b"", rng.randbytes(end - start), bytes(end - start), b"\xff" * 3, content[start:end] * 2])
    return content[:start] if rng.random() < 0.15 else content[:start] + middle + content[end:]


def of_config(members: Members, rng: random.Random) -> None:
    value = change_json(json.loads(members["config.json"]), rng)
    members["config.json"] = json.dumps(value).encode()


def of_meta(members: Members, rng: random.Random) -> None:
    members["meta.json"] = json.dumps(rng.choice([*ODD, {"version": rng.choice(ODD)}])).encode()


def of_file(members: Members, rng: random.Random) -> None:
    name = rng.choice(list(members))
    operation = rng.randrange(6)
    if operation == 0:
        del members[name]
    elif operation == 1:
        members[name] = b""
    elif operation == 2:
        members[rng.choice(["extra", "vocabulary/a/b", "vocabulary/x.txt", f"{name}/x", *members])] = members[name]
    else:
        members[name] = change_bytes(members[name], rng)


def of_vocabulary(members: Members, rng: random.Random) -> None:
    name = rng.choice([name for name in members if name.startswith("vocabulary/")])
    lines = members[name].split(b"\n")
    operation = rng.randrange(7)
    place = rng.randrange(len(lines))
    if operation == 0:
        del lines[place]
    elif operation == 1:
        lines.insert(
            place, rng.choice([b"", b"\xff\xfe", lines[0], b"B-x", "\u2028".encode(), b"x\ty", b"\0", b"*", b"U-"])
        )
    elif operation == 2:
        rng.shuffle(lines)
    elif operation == 3:
        lines = [line.upper() for line in lines]
    elif operation == 4:
        members[name.replace(".txt", rng.choice([".TXT", "", "x.txt", ".bak"]))] = members[name]
    elif operation == 5:
        lines[place] += rng.choice([b"\r", b" ", b"\x85", b"-"])
    else:
        lines = lines[:place]
    members[name] = b"\n".join(lines)


def of_weights(members: Members, rng: random.Random) -> None:
    state = dict(torch.load(io.BytesIO(members["weights.th"]), weights_only=True))
    key = rng.choice(list(state))
    value = state[key]
    change: Callable[[], Any] = rng.choice(
        [
            lambda: value * float("nan"),
            lambda: value + float("inf"),
            lambda: value * 1e38,
            lambda: value.double(),
            lambda: value.half(),
            lambda: value.to(torch.complex64),
            lambda: value.long(),
            lambda: value.to_sparse(),
            lambda: value[:0],
            lambda: value.unsqueeze(0),
            lambda: value.flatten(),
            lambda: value.expand(3, *value.shape),
            lambda: torch.nn.Parameter(value.float()),
            lambda: torch.zeros(1).as_strided((2**40,), (0,)),
            lambda: rng.choice(ODD[:10]),
            lambda: {key: value},
            lambda: torch.tensor(1.0),
            lambda: -value,
        ]
    )
    state[rng.choice([key, key, key, f"{key}x", 3, "", key.upper()])] = change()
    if rng.random() < 0.2:
        del state[rng.choice(list(state))]
    buffer = io.BytesIO()
    torch.save(rng.choice([state, state, state, list(state.values()), {"model": state}]), buffer)
    members["weights.th"] = buffer.getvalue()


def as_tar(members: Members, rng: random.Random) -> bytes:
    """An archive, in half of the cases with a damaged or an odd structure."""
    buffer = io.BytesIO()
    kind = rng.randrange(10)
    form = rng.choice([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if kind == 0:
                info.mtime = rng.choice([1.5, -1, 2**40])
                info.pax_headers = {
                    rng.choice(["comment", "path", "size", "GNU.sparse.map", "hdrcharset"]): rng.choice(
                        ["x", "1", "-1", "\0"]
                    )
                }
            archive.addfile(info, io.BytesIO(content))
        if kind == 1:
            info = tarfile.TarInfo(rng.choice(["x", "../x", "/x", "a" * 300, "a/b/c", "\udcff", "weights.th"]))
            info.type = rng.choice(
                [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE]
            )
            info.linkname = rng.choice(["", "/etc/passwd", "config.json"])
            archive.addfile(info)  # fmt: skip
    data = buffer.getvalue()
    if kind == 2:  # in a header
        data = bytearray(data)
        block = 512 * rng.randrange(len(data) // 512)
        data[block + rng.randrange(512)] = rng.randrange(256)
    elif kind == 3:
        data = change_bytes(bytes(data), rng)
    data = gzip.compress(bytes(data), 1)
    return change_bytes(data, rng) if kind == 4 else data


MUTATIONS = [*[of_config] * 6, of_meta, *[of_file] * 2, *[of_vocabulary] * 4, *[of_weights] * 3]


def mutated(members: Members, number: int, directory: Path) -> tuple[Path, str]:
    rng = random.Random(number)
    members, kinds = dict(members), []
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        change = rng.choice(MUTATIONS)
        if {"config.json", "weights.th"} <= members.keys():
            try:
                change(members, rng)
            except Exception:
                continue  # what an earlier one damaged cannot be changed again
            kinds.append(change.__name__)
    path = directory / f"{number}"
    if rng.random() < 0.5:
        path = path.with_suffix(".tar.gz")
        path.write_bytes(as_tar(members, rng))
        return path, "archive"
    for name, content in members.items():
        if (path / name).is_dir() or any(parent.is_file() for parent in (path / name).parents):
            continue
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    path.mkdir(exist_ok=True)
    return path, "run"


def test_changed_archives_are_used_or_refused(members, roseq, tmp_path):
    counts: Counter[str] = Counter()
    foreign, slowest = [], 0.0
    for number in range(FUZZ):
        path, kind = mutated(members, number, tmp_path)
        started = time.monotonic()
        try:
            tagger = roseq_allennlp.load(path)
        except ConfigurationError as error:
            counts[f"{kind}: refused"] += 1
            message = str(error)
            if not (message.startswith(f"{path}: ") and message.isprintable()):
                foreign.append((number, "message", message))
        except Exception:
            foreign.append((number, "load", traceback.format_exc()))
        else:
            counts[f"{kind}: used"] += 1
            try:
                for answer in (*map(tagger.tag, TEXTS), *tagger.tag_many(TEXTS)):
                    assert len(answer["words"]) == len(answer["tags"])
                    json.dumps(answer)
            except Exception:
                foreign.append((number, "tag", traceback.format_exc()))
            for command in (("evaluate", path, DATA), ("archive", path, tmp_path / "out.tar.gz")):
                try:
                    result = roseq(*command)
                    wrong = "Traceback" in result.errors and result.errors
                except Exception:
                    wrong = traceback.format_exc()
                if wrong:
                    foreign.append((number, command[0], wrong))
        slowest = max(slowest, time.monotonic() - started)
    line = f"archives: {FUZZ} mutations, {len(foreign)} foreign traces ({dict(sorted(counts.items()))}), {slowest:.1f} s at most"
    print(line)
    if os.environ.get("ROSEQ_FUZZ"):
        Path("runs").mkdir(exist_ok=True)
        with open("runs/fuzz.txt", "a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    assert not foreign, "\n".join(f"{number} {step}: {text[-1500:]}" for number, step, text in foreign[:20])
    assert sum(counts.values()) == FUZZ and len(counts) == 4


@pytest.mark.parametrize("change", [of_config, of_meta, of_file, of_vocabulary, of_weights])
def test_each_mutation_changes_something(change, members):
    for number in range(5):
        changed = dict(members)
        change(changed, random.Random(number))
        if changed != members:
            return
    pytest.fail("nothing has changed")
