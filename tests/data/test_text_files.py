import codecs
import gzip
import io
import os

import pytest
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.data.text_files import decoded_lines, find_encoding, lines, local_path, undecodable


@pytest.fixture
def write(tmp_path):
    def write(content: bytes) -> str:
        path = tmp_path / "file.txt"
        path.write_bytes(content)
        return str(path)

    return write


def read(path: str) -> list[str]:
    numbered = list(lines(path))
    assert [number for number, _ in numbered] == list(range(1, len(numbered) + 1))
    return [line for _, line in numbered]


@pytest.mark.parametrize(
    "content, expected",
    [
        ("a\nb", ["a", "b"]),
        ("a\n\nb\n", ["a", "", "b"]),
        ("a\r\n\r\nb\r\n", ["a", "", "b"]),
        ("a\r\rb\r", ["a", "", "b"]),
        ("a\r\r\n\r\r\nb\r\r\n", ["a", "", "b"]),  # what a program makes of \r\n that writes \r\n for \n
        ("a\rb\n\nc\r\nd", ["a", "b", "", "c", "d"]),
        ("\ufeffa\n\ufeffb\r\ufeff\ufeffc", ["a", "b", "c"]),
        ("a\u2028b\x85c\x0bd\x0ce\x1cf", ["a\u2028b\x85c\x0bd\x0ce\x1cf"]),
        ("", []),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda data: gzip.compress(data[:3]) + gzip.compress(data[3:])])
def test_lines(write, content, expected, encoding, pack):
    path = write(pack(content.encode(encoding)))
    assert read(path) == expected
    with open(path, "rb") as stream:
        assert [line for _, line in lines(stream)] == expected
        assert not stream.closed


def test_big_endian_and_a_lone_mark(write):
    assert read(write(codecs.BOM_UTF16_BE + "é\nb".encode("utf-16-be"))) == ["é", "b"]
    assert read(write(codecs.BOM_UTF8)) == [""]


def test_what_cannot_be_decoded_is_known_line_by_line(write):
    path = write(b"ok\nz\xfcrich\nok\n")
    assert [undecodable(line) for line in read(path)] == [None, "byte 0xfc is not utf-8", None]
    assert read(path)[1].encode("utf-8", "surrogateescape") == b"z\xfcrich"
    with pytest.raises(ConfigurationError, match="file.txt, line 2: byte 0xfc is not utf-8"):
        list(decoded_lines(path, "utf-8"))
    path = write("a\n".encode("utf-16") + b"b")
    with pytest.raises(ConfigurationError, match="line 2: byte 0x62 is not utf-16"):
        list(decoded_lines(path, "utf-16"))


@pytest.mark.parametrize(
    "content, expected",
    [
        (b"abc", "utf-8"),
        ("é".encode(), "utf-8"),
        ("é".encode("utf-16"), "utf-16"),
        (b"\xe9\n", "iso-8859-1"),
        (b"\x93a\x94 \xe9\n", "cp1252"),
        (b"\x80\n", "cp1252"),
        (b"\x93\x81\n", "iso-8859-1"),  # cp1252 has no 0x81
        ("Spaß“\n".encode("cp1252") + b"\xe9\n" * 20, "cp1252"),  # whose first line happens to be UTF-8
    ],
)
def test_encodings(write, content, expected):
    assert find_encoding(write(content)) == expected


def test_a_damaged_line_does_not_turn_a_file_of_utf_8_into_another(write):
    with pytest.raises(ConfigurationError, match="line 3: byte 0xe9 is not UTF-8, which line 1 is in"):
        find_encoding(write("é\nb\n".encode() + b"\xe9\n"))


@pytest.mark.parametrize(
    "content, message",
    [
        (gzip.compress(b"abc" * 1000)[:-9], "its gzip is damaged"),
        (gzip.compress(os.urandom(100_000))[:50_000], "its gzip is damaged"),
        (b"\x1f\x8b", "its gzip is damaged"),
        (b"\x28\xb5\x2f\xfd\x04\x00", "file.txt: is compressed by Zstandard. Unpack it: unzstd "),
        (b"\xfd7zXZ\x00\x00", "compressed by xz"),
        (b"BZh91AY&SY\x00", "compressed by bzip2"),
        (b"PK\x03\x04\x14\x00", "a zip archive, or a document"),
    ],
)
def test_other_compression_is_refused(write, content, message):
    path = write(content)
    for source in (path, io.BufferedReader(io.BytesIO(content))):
        with pytest.raises(ConfigurationError, match=message if source == path else message.replace("file.txt", "")):
            list(lines(source))


def test_local_path(tmp_path, write):
    assert local_path(write(b"a")) == str(tmp_path / "file.txt")
    os.mkfifo(tmp_path / "pipe")
    for name, message in (("none", "no such file"), (".", "got a directory"), ("pipe", "got a pipe")):
        with pytest.raises(ConfigurationError, match=message):
            local_path(str(tmp_path / name))
