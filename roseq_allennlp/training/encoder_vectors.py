"""
Word vectors that an encoder makes when training begins: `encoder://{…}/vectors.txt`, as `vectors.from_encoder` writes it.
Importing this module teaches `cached_path` the scheme, so that they are made once and kept in AllenNLP's cache.
"""

import hashlib
import io
import json
from pathlib import Path
from typing import Any, Optional

from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader
from cached_path import SchemeClient, add_scheme_client, cached_path

from roseq_allennlp.data import corpora
from roseq_allennlp.data.dataset_readers.ner_reader import NerReader
from roseq_allennlp.data.spellings import Spellings
from roseq_allennlp.data.vector_files import vector_lines
from roseq_allennlp.modules.word_encoder import WordEncoder, vectors_of_words

SCHEME = "encoder"
_END = "/vectors.txt"  # by which AllenNLP takes it for text
_KEYS = {"encoder", "dim", "reader", "texts"}


class EncoderClient(SchemeClient):
    """The words are those of the texts, as the reader gives them. The version is that of the texts and of the encoder's files."""

    scheme = SCHEME

    def __init__(self, resource: str) -> None:
        super().__init__(resource)
        try:
            self._request: dict[str, Any] = json.loads(resource.removeprefix(f"{SCHEME}://").removesuffix(_END))
            if not resource.endswith(_END) or self._request.keys() != _KEYS:
                raise ValueError(f"its keys must be {', '.join(sorted(_KEYS))}, and its end {_END}")
        except (ValueError, AttributeError) as error:
            raise ConfigurationError(
                f"{resource[:200]}: no request for word vectors ({error}). Write `vectors.from_encoder(name, dim)`."
            ) from error
        self._texts = [str(cached_path(corpora.resolve(text))) for text in self._request["texts"]]
        self._content: Optional[bytes] = None

    def get_etag(self) -> Optional[str]:
        digest = hashlib.sha256()
        for text in self._texts:
            digest.update(Path(text).read_bytes())
        folder = Path(self._request["encoder"])
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            status = file.stat()
            digest.update(f"{file.name} {status.st_size} {status.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def get_size(self) -> Optional[int]:
        if self._content is None:
            self._content = self._made()
        return len(self._content)

    def get_resource(self, temp_file: io.BufferedWriter) -> None:
        self.get_size()
        assert self._content is not None
        temp_file.write(self._content)

    def _made(self) -> bytes:
        reader = DatasetReader.from_params(Params({**self._request["reader"]}))
        if not isinstance(reader, NerReader):
            raise ConfigurationError(
                f"{type(reader).__name__} does not give the words of a text; vectors.from_encoder needs a reader of this"
                " package. Make the vectors with `roseq vectors`, and take vectors.fixed."
            )
        spellings = Spellings()
        for text in self._texts:
            for tokens, _ in reader.read_sentences(text):
                spellings.add(token if isinstance(token, str) else token.ensure_text() for token in tokens)
        words, vectors = vectors_of_words(
            WordEncoder(self._request["encoder"]), spellings.by_word, self._request["dim"]
        )
        return "".join(vector_lines(words, vectors.numpy())).encode()


add_scheme_client(EncoderClient)
