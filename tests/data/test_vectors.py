import gzip
import os
import zipfile

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
        ("v.txt.gz", gzip.compress(PLAIN)),
        ("v.txt", b""),
        ("v.h5", b"\x00\x01"),
    ],
)
def test_what_allennlp_reads_is_left_alone(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert readable(str(tmp_path / name)) == str(tmp_path / name)


@pytest.mark.parametrize("name", ["corpus://glove-6b-100d/vectors.txt", "none.txt"])
def test_other_names_are_left_alone(name):
    assert readable(name) == name


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
        ("v.vec", gzip.compress(PLAIN)),
        ("v.txt.gz", PLAIN),
        ("v.txt.gz", gzip.compress(PLAIN.replace(b" ", b"\t"))),
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
        (PLAIN + b"z\xfcrich 0.1 0.2\n", "line 3: byte 0xfc is not utf-8. Recode"),
        (b"1 1\nno \x00\x00\x80?", "line 2: is binary"),
        (b"a 0.1\n" * 200_000 + b"\xfc 0.1\n", "line 200001: byte 0xfc"),
        (b"\x28\xb5\x2f\xfd\x00", "compressed by Zstandard"),
        (gzip.compress(PLAIN * 999)[:-9], "its gzip is damaged"),
    ],
)
def test_what_cannot_be_read(tmp_path, content, message):
    path = tmp_path / "v.txt"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        readable(str(path))
    assert caught.value.message.startswith(str(path)) and message in caught.value.message
