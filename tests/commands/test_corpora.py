import hashlib
import shutil
import sys

import pytest
from allennlp.common import file_utils

from roseq_allennlp.data import corpora
from tests.terminal import in_terminal

NAMES = [*corpora.CORPORA, *corpora.VECTORS]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, and no way to download anything."""

    def refuse(*arguments):
        raise AssertionError("nothing may be downloaded")

    monkeypatch.setattr(file_utils, "CACHE_DIRECTORY", str(tmp_path / "cache"))
    monkeypatch.setattr("cached_path.schemes.http.HttpClient.get_etag", refuse)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """`$ROSEQ_DATA`, empty."""
    path = tmp_path / "data"
    path.mkdir()
    monkeypatch.setenv("ROSEQ_DATA", str(path))
    return path


def rows(output):
    """By first cell, the others as text."""
    return dict(line.split(maxsplit=1) for line in output.splitlines() if len(line.split()) > 1)


def test_list(roseq):
    result = roseq("corpora", "list")
    lines = result.output.splitlines()
    assert result.status == 0 and max(map(len, lines)) <= 80
    assert lines[0].split() == ["name", "language", "types", "where", "licence"]
    assert [line.split()[0] for line in lines[1:] if line[:1] != " "] == NAMES
    cells = rows(result.output)
    assert (
        " here " in cells["wnut17"] and "CC BY 4.0" in cells["wnut17"] and "300 dimensions" in cells["fasttext-cc-nl"]
    )
    assert set(corpora.CORPORA["wnut17"].types) <= set(result.output.split())


@pytest.mark.parametrize("columns", [30, 40, 80])
def test_list_on_a_terminal(columns):
    shown = in_terminal([sys.executable, "-m", "roseq_allennlp", "corpora", "list"], columns)
    assert shown.status == 0 and max(map(len, shown.lines)) <= columns
    words = " ".join(shown.lines).split()
    assert set(NAMES) <= set(words) and "creative-work" in words


def test_all_that_is_known_of_a_corpus(roseq, monkeypatch):
    output = roseq("corpora", "list", "wnut17").output
    assert (
        output.startswith("wnut17\n")
        and rows(output)["reader"].split() == ["wnut"]
        and "2017" in rows(output)["citation"]
    )
    assert rows(output)["where"].strip() == "here"
    monkeypatch.delenv("ROSEQ_DATA")
    wheres = [
        rows(roseq("corpora", "list", name).output)["where"] for name in ("wnut17", "conll2003-en", "fasttext-cc-nl")
    ]
    assert "to be downloaded" in wheres[0] and "to be downloaded" in wheres[2]
    assert "conll2003/eng.train" in wheres[1] and "$ROSEQ_DATA" in wheres[1]


@pytest.mark.parametrize("action", ["list", "fetch", "verify", "stats"])
def test_unknown_names(roseq, action):
    result = roseq("corpora", action, "wnut18")
    assert result.status == 1 and result.output == "" and len(result.errors.splitlines()) == 1
    assert "'wnut18' is not in the catalogue" in result.errors and "wnut17" in result.errors


def test_fetch_what_is_here(roseq):
    result = roseq("corpora", "fetch", "--quiet")
    cells = rows(result.output)
    assert result.status == 0 and "corpus://glove-6b-100d/vectors.txt" not in cells
    for name, corpus in corpora.CORPORA.items():
        for split, source in corpus.files.items():
            assert cells[f"corpus://{name}/{split}"].strip() == f"fixtures/{source.local[0]}"


def test_what_has_to_be_below_the_data_directory_is_not_to_be_downloaded(roseq, data):
    assert "put wnut17/wnut17train.conll" in rows(roseq("corpora", "list", "wnut17").output)["where"]
    assert "put 3 files" in rows(roseq("corpora", "list").output)["wnut17"]


def test_vectors_cached_from_the_data_directory_are_not_those_that_would_be_downloaded(roseq, monkeypatch):
    assert roseq("corpora", "fetch", "glove-6b-100d").status == 0
    monkeypatch.delenv("ROSEQ_DATA")
    assert corpora.at_hand("corpus://glove-6b-100d/vectors.txt") is None


def test_fetch_vectors(roseq, tmp_path):
    path = rows(roseq("corpora", "fetch", "glove-6b-100d").output)["corpus://glove-6b-100d/vectors.txt"]
    assert path.startswith(str(tmp_path / "cache"))
    with open(path, encoding="utf-8") as file:
        assert len(next(file).split(" ")) == 101


def test_a_corpus_that_needs_a_licence_fails_only_if_it_is_asked_for(roseq, data):
    for name, corpus in corpora.CORPORA.items():
        for source in corpus.files.values():
            if name != "conll2003-en":
                (data / source.local[0]).parent.mkdir(exist_ok=True)
                shutil.copy(f"fixtures/{source.local[0]}", data / source.local[0])
    for result, status in ((roseq("corpora", "fetch"), 0), (roseq("corpora", "fetch", "conll2003-en"), 1)):
        assert result.status == status and "conll2003/eng.train" in result.errors
        assert "Traceback" not in result.errors
    result = roseq("corpora", "stats")
    assert result.status == 0 and "conll2003/eng.train" in result.errors and "conll2003-en" not in result.output
    assert roseq("corpora", "stats", "conll2003-en").status == 1


def test_verify(roseq, data, monkeypatch):
    text = "Één B-MISC\n"
    files = corpora.CORPORA["conll2002-nl"].files
    for split, content in (("train", text.encode()), ("dev", text.encode("iso-8859-1")), ("test", b"cut of")):
        source = files[split]
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        monkeypatch.setitem(files, split, corpora.Source(source.local, source.addresses, sha256))
        (data / source.local[0]).parent.mkdir(exist_ok=True)
        (data / source.local[0]).write_bytes(content)
    (data / "conll2003").mkdir()
    (data / "conll2003" / "eng.train").write_bytes(b"EU B-ORG\n")

    result = roseq("corpora", "verify")
    cells = rows(result.output)
    assert result.status == 1
    assert cells["corpus://conll2002-nl/train"].startswith("ok  ")
    assert cells["corpus://conll2002-nl/dev"].startswith("ok in ISO-8859-1")
    assert cells["corpus://conll2002-nl/test"].startswith("differs") and "corpus://conll2002-nl/test" in result.errors
    assert cells["corpus://conll2003-en/train"].startswith("no checksum known")
    assert cells["corpus://conll2003-en/dev"].strip() == "not here"
    assert cells["corpus://fasttext-cc-nl/vectors.txt"].strip() == "not here"
    assert roseq("corpora", "verify", "conll2003-en", "wnut17").status == 0


def test_fixtures_are_not_the_corpora(roseq):
    result = roseq("corpora", "verify", "wnut17")
    assert result.status == 1 and result.output.count("differs") == 3


def test_verify_the_corpora(roseq, real_data):
    result = roseq("corpora", "verify", "conll2002-nl", "conll2002-es", "wnut16", "wnut17")
    assert result.status == 0 and result.output.count(" ok ") == 12


def test_stats(roseq):
    result = roseq("corpora", "stats")
    assert result.status == 0
    *labels, summary = result.output.split("\n\n")
    table = [line.split() for line in summary.splitlines()[2:]]
    assert [row[:3] for row in table] == [
        [name, corpus.language, split] for name, corpus in corpora.CORPORA.items() for split in corpus.files
    ]
    for part, (name, corpus) in zip(labels, corpora.CORPORA.items(), strict=True):
        title, _, *lines = part.strip().splitlines()
        assert title.startswith(f"{name}:")
        cells = {line.split()[0]: line.split()[1:] for line in lines}
        assert set(cells) - {"O"} <= set(corpus.types)
        outside = cells.pop("O")
        for split in range(3):
            sentences, tokens, entities = map(int, [row[3:] for row in table if row[0] == name][split])
            # A type has tokens, share and entities; O has tokens and share.
            of_types = [cell[3 * split : 3 * split + 3] for cell in cells.values()]
            assert int(outside[2 * split]) + sum(int(cell[0]) for cell in of_types) == tokens >= sentences > 0
            assert sum(int(cell[2]) for cell in of_types) == entities > 0
            share = float(outside[2 * split + 1]) + sum(float(cell[1]) for cell in of_types)
            assert share == pytest.approx(100, abs=0.1)


def test_stats_of_the_corpora(roseq, real_data):
    result = roseq("corpora", "stats", "wnut17", "conll2002-es")
    lines = [" ".join(line.split()) for line in result.output.splitlines()]
    for row in ("train 3394 62730 1975", "dev 1009 15733 836", "test 1287 23394 1079"):
        assert f"wnut17 en {row}" in lines
    # One entity more than the file has `B-` tags.
    for row in ("train 8323 264715 18798", "dev 1915 52923 4352", "test 1517 51533 3559"):
        assert f"conll2002-es es {row}" in lines
    assert any(line.startswith("O 59570 94.96 14483 92.05 21654 92.56") for line in lines)


def test_stats_of_vectors(roseq):
    result = roseq("corpora", "stats", "glove-6b-100d")
    assert result.status == 1 and "glove-6b-100d" in result.errors and "wnut17" in result.errors
