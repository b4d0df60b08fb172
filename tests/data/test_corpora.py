import functools
import gzip
import hashlib
import http.server
import io
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest
import requests
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path
from allennlp.data import DatasetReader, Vocabulary
from allennlp.modules.token_embedders import Embedding

from roseq_allennlp.data import corpora
from roseq_allennlp.data.corpora import Source, resolve

TEXT = "Één B-MISC\nzin O\n"
SHA256 = hashlib.sha256(TEXT.encode()).hexdigest()
VECTORS = "2 3\njan 1 2 3\nkomt 4 5 6\n"


@pytest.fixture(autouse=True)
def no_data(monkeypatch):
    monkeypatch.delenv("ROSEQ_DATA", raising=False)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """`$ROSEQ_DATA`, and a function that writes a file below it."""
    root = tmp_path / "data"
    monkeypatch.setenv("ROSEQ_DATA", str(root))

    def write(relative, content):
        path = root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return write


class Server:
    """Serves a directory over HTTP, and remembers what was fetched."""

    def __init__(self, root):
        root.mkdir()
        self.root, self.fetched = root, []
        server = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def do_GET(self):
                server.fetched.append(self.path)
                super().do_GET()

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(root)))
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def url(self, file):
        return f"http://127.0.0.1:{self.http.server_port}/{file}"

    def stop(self):
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server(tmp_path / "served")
    yield server
    server.stop()


def offer(monkeypatch, path, *addresses, sha256=SHA256):
    """Puts other addresses of a file into the catalogue."""
    name, file = path.removeprefix("corpus://").split("/")
    entry = {**corpora.CORPORA, **corpora.VECTORS}[name]
    source = Source(entry.files[file].local, addresses, sha256)
    monkeypatch.setitem(entry.files, file, source)


def error(path):
    with pytest.raises(ConfigurationError) as caught:
        resolve(path)
    return str(caught.value)


@pytest.mark.parametrize("path", ["data/train.conll", "/data/x", "https://example.org/x", "corpus/x"])
def test_other_paths_are_left_alone(path):
    assert resolve(path) == path


@pytest.mark.parametrize("name, file", [("conll2002-nl", "ned.train"), ("conll2002-es", "esp.train")])
def test_a_local_file_is_used_where_it_is(data, name, file):
    path = data(f"conll2002/{file}", TEXT.encode())
    assert resolve(f"corpus://{name}/train") == str(path)


def test_every_file_of_the_catalogue_is_found_below_the_data_directory(data):
    for name, entry in corpora.CORPORA.items():
        assert set(entry.files) == {"train", "dev", "test"}
        DatasetReader.by_name(entry.reader)
        for file, source in entry.files.items():
            path = data(source.local[0], TEXT.encode())
            assert resolve(f"corpus://{name}/{file}") == str(path)
            assert bool(source.addresses) == (source.sha256 is not None) == (name != "conll2003-en")


def test_unknown_names_list_the_known_ones():
    message = error("corpus://conll2002/train")
    assert "'conll2002' is not in the catalogue" in message and "conll2002-nl" in message and "glove-6b-100d" in message
    message = error("corpus://wnut17/testa")
    assert "has no 'testa'" in message and "corpus://wnut17/test." in message
    with pytest.raises(ConfigurationError, match="has no 'train'"):
        cached_path("corpus://glove-6b-100d/train")


def test_a_file_missing_from_the_data_directory(data, tmp_path):
    message = error("corpus://wnut17/dev")
    assert str(tmp_path / "data" / "wnut17" / "emerging.dev.conll") in message and "unset ROSEQ_DATA" in message


@pytest.mark.parametrize("is_set", [False, True])
def test_conll2003_cannot_be_downloaded(is_set, request):
    if is_set:
        request.getfixturevalue("data")
    message = error("corpus://conll2003-en/dev")
    assert "conll2003/eng.train, conll2003/eng.testa, conll2003/eng.testb" in message and "ROSEQ_DATA" in message


def test_a_file_is_downloaded_once(server, monkeypatch):
    (server.root / "train").write_bytes(TEXT.encode())
    offer(monkeypatch, "corpus://wnut16/train", server.url("train"))
    path = resolve("corpus://wnut16/train")
    assert Path(path).read_bytes() == TEXT.encode()
    server.stop()  # nothing is asked of it again
    assert resolve("corpus://wnut16/train") == cached_path("corpus://wnut16/train") == path
    assert server.fetched == ["/train"]


def test_a_reader_reads_a_downloaded_file(server, monkeypatch):
    (server.root / "train").write_bytes(TEXT.encode())
    offer(monkeypatch, "corpus://wnut16/train", server.url("train"))
    reader = DatasetReader.by_name("columns")()
    (instance,) = reader.read("corpus://wnut16/train")
    assert instance["metadata"]["words"] == ["Één", "zin"]


def test_members_of_archives(server, monkeypatch):
    with zipfile.ZipFile(server.root / "a.zip", "w") as archive:
        archive.writestr("deep/ned.train", TEXT)
    # As the shared task's own site has it: gzip in a tar, in ISO-8859-1.
    packed = gzip.compress(TEXT.encode("iso-8859-1"))
    with tarfile.open(server.root / "b.tgz", "w:gz") as archive:
        member = tarfile.TarInfo("deep/ned.testa.gz")
        member.size = len(packed)
        archive.addfile(member, io.BytesIO(packed))
    offer(monkeypatch, "corpus://conll2002-nl/train", f"({server.url('a.zip')})#deep/ned.train")
    offer(monkeypatch, "corpus://conll2002-nl/dev", f"({server.url('b.tgz')})#deep/ned.testa.gz")
    for split in ("train", "dev"):
        assert Path(resolve(f"corpus://conll2002-nl/{split}")).read_bytes() == TEXT.encode()


@pytest.mark.parametrize("first", ["missing", "other", "broken.zip"])
def test_the_next_address_is_tried(server, monkeypatch, first):
    (server.root / "other").write_bytes(b"something else")
    (server.root / "broken.zip").write_bytes(b"PK\x03\x04 cut off")
    (server.root / "train").write_bytes(TEXT.encode())
    address = f"({server.url(first)})#x" if first.endswith("zip") else server.url(first)
    offer(monkeypatch, "corpus://wnut16/train", address, server.url("train"))
    assert Path(resolve("corpus://wnut16/train")).read_bytes() == TEXT.encode()


def test_a_wrong_checksum_is_an_error_and_the_file_is_not_kept(server, monkeypatch, cache):
    (server.root / "train").write_bytes(b"cut of")
    offer(monkeypatch, "corpus://wnut16/train", server.url("train"))
    message = error("corpus://wnut16/train")
    for part in ("corpus://wnut16/train", hashlib.sha256(b"cut of").hexdigest(), SHA256, "wnut16/train below"):
        assert part in message
    assert [file.name for file in cache.iterdir() if file.suffix != ".lock"] == []
    (server.root / "train").write_bytes(TEXT.encode())
    assert Path(resolve("corpus://wnut16/train")).read_bytes() == TEXT.encode()


def test_a_wrong_file_outside_the_cache_is_not_deleted(tmp_path, monkeypatch):
    mine = tmp_path / "mine"
    mine.write_text("something else")
    offer(monkeypatch, "corpus://wnut16/train", str(mine))
    assert "expected" in error("corpus://wnut16/train") and mine.exists()


def test_no_connection_is_an_error_that_says_what_to_do(monkeypatch):
    def refuse(client):
        raise requests.exceptions.ConnectionError("no route")

    monkeypatch.setattr("cached_path.schemes.http.HttpClient.get_etag", refuse)
    message = error("corpus://wnut16/dev")
    for address in corpora.CORPORA["wnut16"].files["dev"].addresses:
        assert f"{address}: ConnectionError: no route" in message
    assert "put the file at wnut16/dev below a directory" in message


def check_vectors(path):
    """AllenNLP's own readers of vectors, unmodified."""
    vocab = Vocabulary(
        {"tokens": {"komt": 1, "jan": 1, "piet": 1}},
        pretrained_files={"tokens": path},
        only_include_pretrained_words=True,
    )
    assert set(vocab.get_token_to_index_vocabulary()) == {vocab._padding_token, vocab._oov_token, "jan", "komt"}
    weight = Embedding(embedding_dim=3, vocab=vocab, pretrained_file=path).weight
    assert torch.equal(weight[vocab.get_token_index("jan")], torch.tensor([1.0, 2.0, 3.0]))
    assert torch.equal(weight[vocab.get_token_index("komt")], torch.tensor([4.0, 5.0, 6.0]))


@pytest.mark.parametrize(
    "file, content",
    [
        ("glove.6B.100d.subset.txt.gz", gzip.compress(VECTORS.encode(), mtime=0)),
        ("glove.6B.100d.txt", VECTORS.encode()),
    ],
)
def test_local_vectors(data, file, content):
    data(f"glove/{file}", content)
    check_vectors("corpus://glove-6b-100d/vectors.txt")
    check_vectors(resolve("corpus://glove-6b-100d/vectors.txt"))


def test_local_vectors_that_change_are_read_again(data):
    data("glove/glove.6B.100d.txt", b"jan 9 9 9\n")
    cached_path("corpus://glove-6b-100d/vectors.txt")
    data("glove/glove.6B.100d.txt", VECTORS.encode())
    check_vectors("corpus://glove-6b-100d/vectors.txt")


@pytest.mark.parametrize("name", ["glove-6b-100d", "fasttext-cc-nl"])
def test_vectors_are_downloaded_even_if_a_data_directory_is_set(data, server, monkeypatch, name):
    with zipfile.ZipFile(server.root / "v.zip", "w") as archive:
        archive.writestr("wanted.txt", VECTORS)
        archive.writestr("other.txt", "jan 0 0 0")
    (server.root / "v.vec.gz").write_bytes(gzip.compress(VECTORS.encode()))
    address = f"({server.url('v.zip')})#wanted.txt" if name.startswith("glove") else server.url("v.vec.gz")
    offer(monkeypatch, f"corpus://{name}/vectors.txt", address, sha256=None)
    check_vectors(f"corpus://{name}/vectors.txt")
    assert len(server.fetched) == 1


def test_a_truncated_download_of_vectors_is_not_kept(server, monkeypatch):
    packed = gzip.compress(VECTORS.encode())
    (server.root / "v.gz").write_bytes(packed[:-6])
    offer(monkeypatch, "corpus://fasttext-cc-es/vectors.txt", server.url("v.gz"), sha256=None)
    assert "EOFError" in error("corpus://fasttext-cc-es/vectors.txt")
    (server.root / "v.gz").write_bytes(packed)
    check_vectors("corpus://fasttext-cc-es/vectors.txt")
