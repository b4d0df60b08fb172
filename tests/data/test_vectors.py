import bz2
import gzip
import lzma
import os
import struct
import zipfile

import h5py
import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.modules.token_embedders.embedding import EmbeddingsTextFile

from roseq_allennlp.data.vectors import readable

PLAIN = b"oslo 0.1 0.2\nz\xc3\xbcrich 0.2 0.1 \n"


@pytest.mark.parametrize(
    "name, content",
    [
        ("v.txt", PLAIN),
        ("v", PLAIN),
        ("v.vec", b"2 2\n" + PLAIN),
        ("v.txt.gz", gzip.compress(PLAIN, mtime=0)),
        ("v.txt", b""),
        ("v.txt.bz2", bz2.compress(PLAIN)),
        ("v.txt.xz", lzma.compress(PLAIN)),
    ],
)
def test_what_allennlp_reads_is_left_alone(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert readable(str(tmp_path / name)) == str(tmp_path / name)


def test_vectors_of_the_catalogue_are_left_alone():
    name = "corpus://glove-6b-100d/vectors.txt"
    assert readable(name) == name


def test_hdf5_is_left_alone(tmp_path):
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["embedding"] = [[0.1, 0.2]]
    assert readable(str(tmp_path / "v.h5"), 2) == str(tmp_path / "v.h5")


@pytest.mark.parametrize(
    "name, content",
    [
        ("v.txt", b"\xef\xbb\xbf" + PLAIN),
        ("v.txt", b"\xef\xbb\xbf2 2\n" + PLAIN.replace(b"z", b"\xef\xbb\xbfz")),
        ("v.txt", PLAIN.replace(b" ", b"\t")),
        ("v.txt", PLAIN.replace(b" ", b"  ")),
        ("v.txt", PLAIN.replace(b"\n", b"\r\n")),
        ("v.txt", PLAIN.replace(b"\n", b"\r")),
        ("v.txt", PLAIN.decode().encode("utf-16")),
        ("v.vec", b"2 2 \n" + PLAIN),
        ("v.txt", b"2 2\r\n" + PLAIN),
        ("v.txt.bz2", bz2.compress(PLAIN.replace(b" ", b"\t"))),
        ("v.txt.xz", lzma.compress(PLAIN.replace(b" ", b"\t"))),
        ("v.txt", lzma.compress(PLAIN)),
        ("v.txt.bz2", PLAIN),
        ("v.vec", gzip.compress(PLAIN, mtime=0)),
        ("v.txt.gz", PLAIN),
        ("v.txt.gz", gzip.compress(PLAIN.replace(b" ", b"\t"), mtime=0)),
    ],
)
def test_a_copy_that_allennlp_reads(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    copy = readable(str(path))
    assert copy != str(path)
    with EmbeddingsTextFile(copy) as lines:
        assert [line.split() for line in lines] == [["oslo", "0.1", "0.2"], ["zürich", "0.2", "0.1"]]
    before = os.stat(copy)
    assert readable(str(path)) == copy and os.stat(copy).st_ino == before.st_ino
    path.write_bytes(b"a\t0.1\n")
    os.utime(path, (before.st_mtime + 5,) * 2)
    with EmbeddingsTextFile(readable(str(path))) as lines:
        assert next(iter(lines)) == "a 0.1\n"


def test_a_member_of_an_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "v.zip", "w") as archive:
        archive.writestr("a.txt", PLAIN.replace(b" ", b"\t"))
        archive.writestr("b.txt", PLAIN)
    assert readable(f"({tmp_path}/v.zip)#b.txt") == f"({tmp_path}/v.zip)#b.txt"
    with EmbeddingsTextFile(readable(f"({tmp_path}/v.zip)#a.txt")) as lines:
        assert next(iter(lines)) == "oslo 0.1 0.2\n"


@pytest.mark.parametrize(
    "content, message",
    [
        (
            PLAIN + b"z\xfcrich 0.1 0.2\n",
            "line 3: byte 0xfc is not utf-8. Recode the file",
        ),
        (PLAIN * 200_000 + b"\xfc 0.1\n", "line 400001: byte 0xfc"),
        (b"1 1\nno \x00\x00\x80?", "is binary, as word2vec writes it. Write the vectors as text"),
        (b"2 1\nno " + struct.pack("<f", 1 / 3) + b"yes " + struct.pack("<f", 2 / 3), "is binary, as word2vec"),
        (
            b"2 1\nno " + struct.pack("<f", 1 / 3) + b"\nyes " + struct.pack("<f", 2 / 3) + b"\n",
            "is binary, as word2vec",
        ),
        (b"no " + struct.pack("<8f", *range(8)), "line 1: is binary. Write the vectors as text"),
        (b"\x93NUMPY\x01\x00v\x00{'descr'", "line 1: is binary"),
        (b"\xba\x16\x4f\x2f\x0c\x00", "is a model of fastText. Give the file of its vectors, which ends in .vec."),
        (b"\x28\xb5\x2f\xfd\x00", "compressed by Zstandard"),
        (gzip.compress(PLAIN * 999, mtime=0)[:-9], "its gzip is damaged"),
    ],
)
def test_what_cannot_be_read(tmp_path, content, message):
    path = tmp_path / "v.txt"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        readable(str(path))
    assert caught.value.message.startswith(str(path)) and message in caught.value.message


@pytest.mark.parametrize(
    "name, content, message",
    [
        (
            "v.txt",
            b"the,0.1,0.2\n",
            "begins with 'the,0.1,0.2', no word and 2 numbers with spaces or tabs between them",
        ),
        ("v.txt", b"the;0.1;0.2\n", "no word and 2 numbers"),
        ("v.txt", b"the 0,1 0,2\n", "no word and 2 numbers"),
        ("v.txt", b"the\noslo\n", "begins with 'the', no word and 2 numbers"),
        (
            "v.txt",
            b"the 0.1 0.2 0.3\n",
            "a word and 3 numbers, where `embedding_dim` is 2. Give vectors of that width, or",
        ),
        ("v.txt", b"2 2\n", "has no line with a word and its vector"),
        ("v.txt", b"", "cannot be read as word vectors (it is empty)"),
        ("v.txt", b"<!DOCTYPE html>", "no word and 2 numbers"),
        ("v.h5", b"the 0.1 0.2\n", "cannot be read as word vectors ("),
        ("none.txt", None, "none.txt not found. The path of word vectors is relative to the working directory."),
        ("directory", ..., "expected a file of word vectors, got a directory."),
    ],
)
def test_what_are_no_vectors_of_that_width(name, content, message, tmp_path):
    path = tmp_path / name
    if content is ...:
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        readable(str(path), 2)
    assert str(path) in caught.value.message and message in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "content", [PLAIN, b"2 2\n" + PLAIN, b"New York 0.1 0.2\n" + PLAIN, PLAIN.replace(b" ", b"\t")]
)
def test_vectors_of_that_width(content, tmp_path):
    (tmp_path / "v.txt").write_bytes(content)
    readable(str(tmp_path / "v.txt"), 2)


def test_an_archive_of_several_files(tmp_path):
    with zipfile.ZipFile(tmp_path / "v.zip", "w") as archive:
        archive.writestr("a.txt", PLAIN)
        archive.writestr("b.txt", PLAIN)
    for name, message in ((f"{tmp_path}/v.zip", "contains multiple files"), (f"({tmp_path}/v.zip)#c.txt", "'c.txt'")):
        with pytest.raises(ConfigurationError, match=message):
            readable(name, 2)
    assert readable(f"({tmp_path}/v.zip)#a.txt", 2) == f"({tmp_path}/v.zip)#a.txt"


@pytest.mark.parametrize("name", ["v.txt", "v.txt.gz"])
def test_an_encoding_that_is_not_known_is_an_error(tmp_path, name):
    content = PLAIN.decode().encode("iso-8859-1")
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with pytest.raises(ConfigurationError, match="line 2: byte 0xfc is not utf-8. Recode the file, .*iconv"):
        readable(str(tmp_path / name))
