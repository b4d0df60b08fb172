"""Teaches `cached_path` the scheme `corpus://`, so that names of the catalogue work wherever AllenNLP takes a path."""

import io
import shutil
from pathlib import Path
from typing import IO, Optional

from cached_path import SchemeClient, add_scheme_client

from roseq_allennlp.data import http_client  # noqa: F401  how `cached_path` fetches over HTTP
from roseq_allennlp.data.catalogue import Vectors
from roseq_allennlp.data.corpora import DATA_VARIABLE, SCHEME, find, local_file, version
from roseq_allennlp.data.downloads import BROKEN, download, no_vectors, uncompressed
from roseq_allennlp.errors import ConfigurationError


class CorpusClient(SchemeClient):
    """
    How `cached_path` gets the contents of `corpus://...`, always uncompressed.
    """

    scheme = SCHEME

    def __init__(self, resource: str) -> None:
        super().__init__(resource)
        self._entry, self._source = find(resource)
        self._content: Optional[IO[bytes]] = None

    def get_etag(self) -> Optional[str]:
        return version(self.resource)

    def get_size(self) -> Optional[int]:
        """Gets the file: a download shows its progress, and once `get_resource` is called another display is open."""
        local = local_file(self.resource, self._entry, self._source)
        self._content = self._uncompressed(local) if local else self._download()
        return self._content.seek(0, io.SEEK_END)

    def _dimension(self) -> Optional[int]:
        return self._entry.dimension if isinstance(self._entry, Vectors) else None

    def _uncompressed(self, local: Path) -> IO[bytes]:
        try:
            content = uncompressed(str(local))
            # Of any width: whoever puts a file in its place may have reasons.
            if self._dimension() is None or not (problem := no_vectors(content, None)):
                return content
            content.close()
            raise ValueError(problem)
        except BROKEN as error:
            raise ConfigurationError(
                f"{self.resource}: {local} cannot be used ({error}). Fetch the file again."
            ) from error

    def _download(self) -> IO[bytes]:
        otherwise = (
            f"put the file at {self._source.local[0]} below a directory and set {DATA_VARIABLE} to that directory."
        )
        return download(self.resource, self._source.addresses, self._source.sha256, otherwise, self._dimension())

    def get_resource(self, temp_file: io.BufferedWriter) -> None:
        if self._content is None:
            self.get_size()
        assert self._content is not None
        with self._content as content:
            content.seek(0)
            shutil.copyfileobj(content, temp_file)


add_scheme_client(CorpusClient)
