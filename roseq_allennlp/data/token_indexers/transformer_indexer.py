import logging
import math
from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import IndexedTokenList, Vocabulary
from allennlp.data.token_indexers import TokenIndexer
from allennlp.data.tokenizers import Token

from roseq_allennlp.data.encoder_files import encoder_files
from roseq_allennlp.data.word_pieces import PieceIds, WordPieces

logger = logging.getLogger(__name__)


@TokenIndexer.register("transformer")
class TransformerIndexer(TokenIndexer):
    """
    The pieces of words for the token embedder `transformer`, by the fast tokeniser of a Hugging Face model. It has no part
    in the vocabulary: the pieces have ids of their own. The pieces that begin and end a sentence, and the windows of a
    long one, are the embedder's.

    A word without a piece, such as one of zero-width characters, gets the unknown piece.

    # Parameters

    model_name : `str`, optional
        A name of the Hugging Face hub, or a folder. Left out in an archive, which has the tokeniser.
    max_word_pieces : `int`, optional (default = `64`)
        Pieces of a word that are read; the rest, and what is beyond 1024 characters, is left out.
    token_min_padding_length : `int`, optional (default = `0`)
        See `TokenIndexer`.
    serialization_dir : `str`, optional
        Set by AllenNLP: the directory of the run, into which the tokeniser and the encoder's config are copied, or of an
        archive.

    # Raises

    `ConfigurationError`: the model cannot be read, or `max_word_pieces` is below 1.
    """

    def __init__(
        self,
        model_name: Optional[str] = None,
        max_word_pieces: int = 64,
        token_min_padding_length: int = 0,
        serialization_dir: Optional[str] = None,
    ) -> None:
        super().__init__(token_min_padding_length)
        if max_word_pieces < 1:
            raise ConfigurationError(f"transformer: max_word_pieces must be at least 1; got {max_word_pieces}.")
        files = encoder_files(model_name, serialization_dir)
        self._model_name = model_name
        self._max_word_pieces = max_word_pieces
        try:
            self._pieces = WordPieces(files.tokenizer, files.layout.unknown, max_word_pieces)
            if self._pieces.num_pieces > (rows := files.config.get("vocab_size", math.inf)):
                raise ValueError(f"has {self._pieces.num_pieces} pieces, the encoder vectors for {rows}")
        except ValueError as error:
            raise ConfigurationError(f"transformer: the tokeniser of {files.layout.model_name!r} {error}.") from error

    def split(self, sentences: Sequence[Sequence[str]]) -> list[PieceIds]:
        """The pieces of sentences of words."""
        before = self._pieces.num_cut
        result = self._pieces.split(sentences)
        if before == 0 < self._pieces.num_cut:
            logger.warning(
                "transformer: a word has over %d pieces or 1024 characters; such words are read in part",
                self._max_word_pieces,
            )
        return result

    def count_vocab_items(self, token: Token, counter: dict[str, dict[str, int]]) -> None:
        pass

    def tokens_to_indices(self, tokens: list[Token], vocabulary: Vocabulary) -> IndexedTokenList:
        (pieces,) = self.split([[token.ensure_text() for token in tokens]])
        return {
            "piece_ids": pieces.ids.tolist(),
            "num_pieces": pieces.counts.tolist(),
            "mask": [True] * len(tokens),
        }

    def get_empty_token_list(self) -> IndexedTokenList:
        return {"piece_ids": [], "num_pieces": [], "mask": []}

    def tensors(self, sentences: Sequence[PieceIds]) -> dict[str, torch.Tensor]:
        """What AllenNLP makes of a batch of sentences: `piece_ids` `(B, P)`, `num_pieces` and `mask` `(B, T)`."""
        least = self._token_min_padding_length
        piece_ids, num_pieces = (_padded(list(column), least) for column in zip(*sentences, strict=True))
        return {"piece_ids": piece_ids, "num_pieces": num_pieces, "mask": num_pieces > 0}

    def _to_params(self) -> dict[str, Any]:
        return {
            "model_name": self._model_name,
            "max_word_pieces": self._max_word_pieces,
            "token_min_padding_length": self._token_min_padding_length,
        }


def _padded(rows: Sequence[np.ndarray], least: int) -> torch.Tensor:
    matrix = np.zeros((len(rows), max(map(len, rows), default=0) if rows else 0), np.int64)
    for row, values in zip(matrix, rows, strict=True):
        row[: len(values)] = values
    if matrix.shape[1] < least:
        matrix = np.pad(matrix, ((0, 0), (0, least - matrix.shape[1])))
    return torch.from_numpy(matrix)
