"""Files of word vectors, as AllenNLP reads them: UTF-8, a word and its numbers with single spaces between them."""

import codecs
import hashlib
import io
import logging
import os
import re
from pathlib import Path
from typing import IO, Any

from allennlp.common import file_utils
from allennlp.common.checks import ConfigurationError
from allennlp.modules.token_embedders.embedding import parse_embeddings_file_uri

from roseq_allennlp.data.downloads import BROKEN, is_archive, opened
from roseq_allennlp.data.text_files import lines, undecodable
from roseq_allennlp.files import replacing

logger = logging.getLogger(__name__)

_OTHERS = (".h5", ".hdf5", ".bz2", ".xz")  # which AllenNLP reads by itself
_ODD = ("\ufeff", "\t", "\r", "  ", "\0")  # what its reader takes for a part of a word or number
_BLOCK = 1 << 20  # bytes
_BINARY = re.compile("[\x00-\x08\x0e-\x1f]")


def readable(file: str) -> str:
    """
    The file itself where AllenNLP reads it as it is meant, and otherwise a copy in the cache: without byte order marks, with a
    space for each run of tabs and spaces, in UTF-8, uncompressed.

    # Parameters

    file : `str`
        As in a config: a path, an address, or `(address of an archive)#file`. One of the catalogue is not looked at.

    # Raises

    `ConfigurationError`: a binary file, or one that is not UTF-8; with the line.
    """
    url, member = parse_embeddings_file_uri(file)
    if url.startswith("corpus://") or url.endswith(_OTHERS):
        return file
    try:
        path = file_utils.cached_path(url)
        if member is None and is_archive(path):
            return file
        with opened(path, member) as stream, open(path, "rb") as packed:
            is_packed = member is None and packed.read(2) == b"\x1f\x8b"
            if is_packed == (member is None and url.endswith(".gz")) and _is_plain(stream):
                return file
        name = hashlib.sha256(f"{path} {member}".encode()).hexdigest()
        copy = Path(file_utils.CACHE_DIRECTORY, f"roseq-vectors-{name}.txt")
        time = Path(path).stat().st_mtime_ns
        if not copy.is_file() or copy.stat().st_mtime_ns != time:
            copy.parent.mkdir(parents=True, exist_ok=True)
            with opened(path, member) as stream, replacing(copy) as temporary:
                _copy(stream, file, temporary)
                os.utime(temporary, ns=(time, time))  # by which it is known to be of this version
    except FileNotFoundError:
        return file  # AllenNLP says so
    except BROKEN as error:
        raise ConfigurationError(f"{file}: cannot be read ({error}). Fetch the file again.") from error
    logger.info("%s is read from %s, with single spaces and without byte order marks", file, copy)
    return str(copy)


def _is_plain(stream: IO[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while block := stream.read(_BLOCK):
            text = decoder.decode(block)
            if any(odd in text for odd in _ODD):
                return False
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True


def _copy(stream: Any, file: str, target: Path) -> None:
    source = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)
    with open(target, "w", encoding="utf-8") as copy:
        for number, line in lines(source, name=file):
            if _BINARY.search(line):
                raise ConfigurationError(
                    f"{file}, line {number}: is binary. Write the vectors as text, as gensim does:"
                    " KeyedVectors.load_word2vec_format(FILE, binary=True).save_word2vec_format(TEXT)"
                )
            if problem := undecodable(line):
                raise ConfigurationError(
                    f"{file}, line {number}: {problem}. Recode the file, if it is ISO-8859-1: iconv -f iso-8859-1 -t utf-8 {file}"
                )
            copy.write(re.sub("[ \t]+", " ", line.strip(" \t")) + "\n")
