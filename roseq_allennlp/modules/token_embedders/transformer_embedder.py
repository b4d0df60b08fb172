import contextlib
import hashlib
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple, Optional

import numpy as np
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules.token_embedders import TokenEmbedder

from roseq_allennlp.data.encoder_files import encoder_files
from roseq_allennlp.modules.encoder_loading import load_encoder, positions
from roseq_allennlp.modules.feature_store import FeatureStore
from roseq_allennlp.nn.half_precision import at_least_float32
from roseq_allennlp.nn.layer_mix import mixed
from roseq_allennlp.nn.word_pieces import Window, cut_words, length_groups, pooling_weights, windows_of

POOLING = ("first", "mean")
_GROUPS = {"cpu": (64, 4096)}  # padding, in pieces, that costs as much as a further call; pieces of a call
_GROUPS_ELSEWHERE = (4096, 65_536)
_STORES: "weakref.WeakValueDictionary[bytes, FeatureStore]" = weakref.WeakValueDictionary()
_Layers = tuple[Sequence[torch.Tensor], torch.Tensor]  # of a group, see `_through_encoder`
_ENCODED: ContextVar[Optional[dict[Any, list[_Layers]]]] = ContextVar("encoded", default=None)


@contextlib.contextmanager
def encoded_once() -> Iterator[None]:
    """Within it, embedders that share a frozen encoder put what they all are given through it once."""
    token = _ENCODED.set({})
    try:
        yield
    finally:
        _ENCODED.reset(token)


class _Row(NamedTuple):
    """What the encoder sees at once: a sentence, or a window of one."""

    sentence: int
    window: Window


class _Group(NamedTuple):
    """Rows that go through the encoder together, `(rows, P)` pieces and `(rows, words)` words."""

    rows: Sequence[_Row]
    ids: np.ndarray  # (rows, P) int64
    attended: np.ndarray  # (rows, P) bool, true for real pieces
    starts: np.ndarray  # (rows, words) int64, the first piece of each word
    counts: np.ndarray  # (rows, words) int64, how many it has; 0 at padding


@TokenEmbedder.register("transformer")
class TransformerEmbedder(TokenEmbedder):
    """
    Vectors of words by an encoder of Hugging Face, with the token indexer `transformer` of the same `model_name`.

    **Tuned** (`trainable`), it is trained with the rest of the model; its parameters are those whose name has
    `.encoder.`, for a learning rate of their own. **Frozen**, it is always in evaluation mode, and gives a learned mix of
    the outputs of all its layers. These are computed once for each sentence that a training process meets, development
    data included, and kept: see `features_in_memory`. They are kept by the digest of the encoder's weights and of all that
    shapes its output (pooling, windows, layers), and the sentence's pieces; a process has one version of each library.
    Embedders of one process with the same encoder, as in an ensemble, share them. On the CPU each sentence is computed
    alone, so that its features do not depend on the batch in which it is met first; elsewhere in batches.

    Long sentences go through the encoder in windows of whole words, which overlap; a word takes its vector from the window
    in which it has the most context. Nothing is cut off.

    An `observer` may replace the vectors that the layer gives to the encoder, or what the frozen one gives out, as
    adversarial training does: see `CharacterEmbedding`. A tuned encoder gives it `(N, D)`, the vectors of all pieces as
    its embedding layer looks them up, with `(N,)` int64, each one's sentence; a frozen one gives `(B, T, D)` and `None`.

    # Parameters

    model_name : `str`, optional
        A name of the Hugging Face hub, or a folder. Any encoder of `AutoModel`; of an encoder-decoder the encoder. Left
        out in an archive, which has the encoder's config and its weights.
    trainable : `bool`, optional (default = `False`)
    pooling : `str`, optional (default = `"mean"`)
        `"mean"` of a word's pieces, or its `"first"` one.
    mix_layers : `bool`, optional
        Give a learned mix of the outputs of all layers, the embedding layer's included, and not the last layer alone. By
        default where the encoder is frozen.
    gradient_checkpointing : `bool`, optional (default = `False`)
        Compute the layers of a tuned encoder again in the backward pass, which needs less memory and takes longer.
    bfloat16 : `bool`, optional (default = `False`)
        Compute a tuned encoder in bfloat16 where PyTorch's autocast does so; the weights stay in float32, and the loss
        needs no scaling. Without it the trainer's `use_amp` decides.
    window : `int`, optional (default = `512`)
        The most pieces that the encoder gets at once, those at the beginning and the end included; fewer where it takes no
        more.
    overlap : `int`, optional (default = a quarter of a window)
        Pieces that two windows of a long sentence share.
    features_in_memory : `float`, optional (default = `2.0`)
        GiB of a frozen encoder's features that stay in memory; further ones are in a file in the directory of the run,
        which has no name there and is gone when the process ends.
    serialization_dir : `str`, optional
        Set by AllenNLP.

    # Raises

    `ConfigurationError`: the model or its weights cannot be read, a value is out of range, or an option has no effect.
    """

    observer: Optional[Callable[[torch.Tensor, Optional[torch.Tensor]], torch.Tensor]] = None

    def __init__(
        self,
        model_name: Optional[str] = None,
        trainable: bool = False,
        pooling: str = "mean",
        mix_layers: Optional[bool] = None,
        gradient_checkpointing: bool = False,
        bfloat16: bool = False,
        window: int = 512,
        overlap: Optional[int] = None,
        features_in_memory: float = 2.0,
        serialization_dir: Optional[str] = None,
    ) -> None:
        super().__init__()
        if pooling not in POOLING:
            raise ConfigurationError(f"transformer: pooling must be one of {POOLING}; got {pooling!r}.")
        if (gradient_checkpointing or bfloat16) and not trainable:
            raise ConfigurationError(
                "transformer: `gradient_checkpointing` and `bfloat16` are for an encoder with `trainable`; a frozen one"
                " has no gradient, and its features are kept in float32. Leave them out."
            )
        if features_in_memory < 0:
            raise ConfigurationError(
                f"transformer: features_in_memory must be at least 0 GiB; got {features_in_memory}."
            )
        files = encoder_files(model_name, serialization_dir)
        self.encoder = load_encoder(files, model_name, serialization_dir)
        self._layout = layout = files.layout
        self._special = len(layout.prefix) + len(layout.suffix)
        limits = (window, layout.max_length, positions(self.encoder))
        self._size = min(limit for limit in limits if limit is not None) - self._special
        overlap = self._size // 4 if overlap is None else overlap
        if not 0 <= overlap < self._size:
            raise ConfigurationError(
                f"transformer: a window holds {self._size} pieces of a sentence, and windows share `overlap` = {overlap} of"
                " them: fewer than they hold, and at least 0. Change `window` or `overlap`."
            )
        self._overlap = overlap
        self._pooling = pooling
        self._bfloat16 = bfloat16
        self._trainable = trainable
        self._features_in_memory = features_in_memory
        self._directory = serialization_dir
        self._store: Optional[FeatureStore] = None  # made for the first training batch
        self._mix: Optional[torch.nn.Parameter] = None
        if mix_layers if mix_layers is not None else not trainable:
            self._mix = torch.nn.Parameter(torch.zeros(1 + self.encoder.config.num_hidden_layers))
            self._scale = torch.nn.Parameter(torch.ones(()))
        self.encoder.requires_grad_(trainable)
        if trainable:
            self.encoder.get_input_embeddings().register_forward_hook(self._after_lookup)
        if gradient_checkpointing:
            self.encoder.gradient_checkpointing_enable({"use_reentrant": False})
        self._lookup: Optional[torch.Tensor] = None  # what the next call of the encoder takes
        self.train(self.training)

    def get_output_dim(self) -> int:
        return int(self.encoder.config.hidden_size)

    def share_encoder(self, other: "TransformerEmbedder") -> None:
        """Takes the encoder of `other`, which has the same config, if it is frozen: memory and checkpoints have it once."""
        if not self._trainable:
            self.encoder = other.encoder

    def train(self, mode: bool = True) -> "TransformerEmbedder":
        super().train(mode)
        if not self._trainable:
            self.encoder.eval()
        return self

    def forward(
        self, piece_ids: torch.Tensor, num_pieces: torch.Tensor, mask: Optional[torch.Tensor] = None
    ) -> torch.Tensor:
        """
        # Parameters

        piece_ids : `(B, P)` int64
            Pieces of B sentences, word after word, padded at the end.
        num_pieces : `(B, T)` int64
            Of each word, 0 at padding.
        mask : `(B, T)` bool, optional
            Not looked at.

        # Returns

        `(B, T, D)`, zero at padding.
        """
        pieces, counts = cut_words(piece_ids.cpu().numpy(), num_pieces.cpu().numpy(), self._size)
        device = piece_ids.device
        if self._trainable:
            with torch.autocast(device.type, torch.bfloat16) if self._bfloat16 else contextlib.nullcontext():
                vectors = self._computed(pieces, counts, device)
            return vectors.to(at_least_float32(vectors.dtype))
        if self.training and self._store is None and torch.is_grad_enabled():
            self._store = self._shared_store()
        if self._store is None:
            with torch.no_grad():
                vectors = self._computed(pieces, counts, device)
        else:
            features = self._features(pieces, counts, device)
            weights = features[0].new_ones(1) if self._mix is None else self._mix_weights()
            vectors = mixed(weights.to(device), features)
            if vectors.size(1) < counts.shape[1]:  # `token_min_padding_length`
                vectors = torch.nn.functional.pad(vectors, (0, 0, 0, counts.shape[1] - vectors.size(1)))
        return vectors if self.observer is None else self.observer(vectors, None)

    def _mix_weights(self) -> torch.Tensor:
        assert self._mix is not None
        return self._mix.softmax(0) * self._scale  # (layers,)

    def _computed(self, pieces: np.ndarray, counts: np.ndarray, device: torch.device) -> torch.Tensor:
        """Vectors of words by the encoder, `(B, T, D)`."""
        groups = [self._inputs(rows, pieces, counts) for rows in self._groups(self._rows(counts), counts, device)]
        parts, index, size = [], np.zeros(counts.shape, np.int64), 1  # row 0 is zero, for padding
        for group, (layers, pool) in zip(groups, self._encoded(groups, pieces, counts, device), strict=True):
            num_words = group.counts.shape[1]
            if self._mix is None:
                vectors = layers[-1]
            else:
                vectors = torch.einsum(
                    "l,l...->...", self._mix_weights().to(layers[0].dtype), torch.stack(list(layers))
                )
            parts.append(torch.bmm(pool.to(vectors.dtype), vectors))  # (rows, words, D)
            for position, row in enumerate(group.rows):
                first, _, kept_first, kept_end = row.window
                index[row.sentence, kept_first:kept_end] = (
                    size + position * num_words + np.arange(kept_first - first, kept_end - first)
                )
            size += len(group.rows) * num_words
        if not parts:
            return torch.zeros(*counts.shape, self.get_output_dim(), device=device)
        flat = torch.cat([parts[0].new_zeros(1, parts[0].size(2)), *(part.flatten(0, 1) for part in parts)])
        return flat.index_select(0, torch.from_numpy(index).flatten().to(device)).view(*counts.shape, -1)

    def _encoded(
        self, groups: Sequence[_Group], pieces: np.ndarray, counts: np.ndarray, device: torch.device
    ) -> Iterable[_Layers]:
        lookups = self._lookups(groups, device) if self._trainable else [None] * len(groups)
        computed = (self._through_encoder(group, device, lookup) for group, lookup in zip(groups, lookups, strict=True))
        known = None if self._trainable else _ENCODED.get()
        if known is None:
            return computed
        key = (id(self.encoder), pieces.shape, pieces.tobytes(), counts.shape, counts.tobytes(), device)
        if key not in known:
            known[key] = list(computed)
        return known[key]

    def _features(self, pieces: np.ndarray, counts: np.ndarray, device: torch.device) -> list[torch.Tensor]:
        """A frozen encoder's features, `(layers, words, D)` for each sentence; computed where they are not stored."""
        assert self._store is not None
        result: list[Optional[torch.Tensor]] = []
        keys, missing = [], []
        for sentence, (row, sizes) in enumerate(zip(pieces, counts, strict=True)):
            sizes = sizes[: int((sizes > 0).sum())]
            row = row[: sizes.sum()]
            keys.append(hashlib.blake2b(row.tobytes() + sizes.tobytes(), digest_size=16).digest())
            result.append(self._store.get(keys[-1]))
            if result[-1] is None:
                missing.append(sentence)
        alone = device.type == "cpu"
        for chosen in [[sentence] for sentence in missing] if alone else [missing] if missing else []:
            for sentence, features in zip(chosen, self._layers_of(pieces, counts, chosen, device), strict=True):
                result[sentence] = self._store.add(keys[sentence], features)
        return result  # type: ignore[return-value]

    @torch.no_grad()
    def _layers_of(
        self, pieces: np.ndarray, counts: np.ndarray, chosen: Sequence[int], device: torch.device
    ) -> list[torch.Tensor]:
        rows = self._rows(counts[list(chosen)])
        num_layers = 1 if self._mix is None else self._mix.numel()
        result = [torch.empty(num_layers, int((counts[i] > 0).sum()), self.get_output_dim()) for i in chosen]
        rows = [_Row(chosen[row.sentence], row.window) for row in rows]
        places = {sentence: place for place, sentence in enumerate(chosen)}
        for members in self._groups(rows, counts, device):
            with torch.autocast(device.type, enabled=False):
                layers, pool = self._through_encoder(self._inputs(members, pieces, counts), device, None)
                vectors = torch.stack([torch.bmm(pool, layer) for layer in layers[-num_layers:]], dim=1).cpu()
            for row, of_layers in zip(members, vectors, strict=True):  # (layers, words, D)
                first, _, kept_first, kept_end = row.window
                result[places[row.sentence]][:, kept_first:kept_end] = of_layers[
                    :, kept_first - first : kept_end - first
                ]
        return result

    def _rows(self, counts: np.ndarray) -> list[_Row]:
        rows: list[_Row] = []
        for sentence, sizes in enumerate(counts):
            num_words = int((sizes > 0).sum())
            if num_words == 0:
                continue
            if sizes.sum() <= self._size:
                windows = [Window(0, num_words, 0, num_words)]
            else:
                windows = windows_of(sizes[:num_words], self._size, self._overlap)
            rows.extend(_Row(sentence, window) for window in windows)
        return rows

    def _groups(self, rows: Sequence[_Row], counts: np.ndarray, device: torch.device) -> Iterator[list[_Row]]:
        """Rows of similar length."""
        lengths = [self._special + int(counts[row.sentence, row.window.first : row.window.end].sum()) for row in rows]
        overhead, max_size = _GROUPS.get(device.type, _GROUPS_ELSEWHERE)
        if torch.is_grad_enabled():
            max_size = 2**62  # the layers' outputs are all kept anyway
        for group in length_groups(lengths, overhead, max_size):
            yield [rows[index] for index in group]

    def _inputs(self, rows: Sequence[_Row], pieces: np.ndarray, counts: np.ndarray) -> _Group:
        prefix, suffix = self._layout.prefix, self._layout.suffix
        num_words = max(row.window.end - row.window.first for row in rows)
        lengths = np.array([counts[row.sentence, row.window.first : row.window.end].sum() for row in rows])
        ids = np.full((len(rows), self._special + int(lengths.max())), self._layout.padding, np.int64)
        sizes = np.zeros((len(rows), num_words), np.int64)
        for position, (row, length) in enumerate(zip(rows, lengths, strict=True)):
            first, end = row.window.first, row.window.end
            begin = counts[row.sentence, :first].sum()
            sentence = pieces[row.sentence, begin : begin + length]
            ids[position, : self._special + length] = np.concatenate([prefix, sentence, suffix])
            sizes[position, : end - first] = counts[row.sentence, first:end]
        attended = np.arange(ids.shape[1]) < (self._special + lengths)[:, None]
        return _Group(rows, ids, attended, len(prefix) + sizes.cumsum(1) - sizes, sizes)

    def _lookups(self, groups: Sequence[_Group], device: torch.device) -> list[torch.Tensor]:
        """
        The vectors of the pieces of all groups, each `(rows, P, D)`, looked up at once: the gradient of a lookup is as large
        as the table, whatever is looked up.
        """
        if not groups:
            return []
        ids = np.concatenate([group.ids.ravel() for group in groups])
        vectors = self.encoder.get_input_embeddings()(torch.from_numpy(ids).to(device))  # (pieces, D)
        if self.observer is not None:
            owners = [np.repeat([row.sentence for row in group.rows], group.ids.shape[1]) for group in groups]
            vectors = self.observer(vectors, torch.from_numpy(np.concatenate(owners)).to(device))
        parts = vectors.split([group.ids.size for group in groups])
        return [part.view(*group.ids.shape, -1) for part, group in zip(parts, groups, strict=True)]

    def _through_encoder(
        self, group: _Group, device: torch.device, lookup: Optional[torch.Tensor]
    ) -> tuple[Sequence[torch.Tensor], torch.Tensor]:
        """
        The layers' outputs, each `(rows, P, D)`, and the matrix that pools them, `(rows, words, P)`. The encoder has the
        vectors `lookup` for its pieces, if they are given.
        """
        pooled = np.minimum(group.counts, 1) if self._pooling == "first" else group.counts
        ids, attended, starts, counts = (
            torch.from_numpy(array).to(device) for array in (group.ids, group.attended, group.starts, pooled)
        )
        self._lookup = lookup
        output = self.encoder(
            input_ids=ids,
            attention_mask=attended.long(),
            output_hidden_states=self._mix is not None,
            return_dict=True,
        )
        layers = [output.last_hidden_state] if self._mix is None else output.hidden_states
        return layers, pooling_weights(starts, counts, ids.size(1))

    def _after_lookup(self, layer: torch.nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
        """In the encoder, what was looked up before in the place of what the layer looks up: not all take vectors."""
        lookup, self._lookup = self._lookup, None
        return output if lookup is None else lookup

    def _shared_store(self) -> FeatureStore:
        digest = hashlib.blake2b(repr((self._layout, self._size, self._overlap, self._pooling)).encode())
        digest.update(repr((None if self._mix is None else len(self._mix), self.encoder.config.to_dict())).encode())
        for name, value in self.encoder.state_dict().items():
            digest.update(name.encode())
            digest.update(value.cpu().contiguous().view(torch.uint8).numpy())
        key = digest.digest()
        store = _STORES.get(key)
        if store is None:
            store = _STORES[key] = FeatureStore(int(self._features_in_memory * 2**30), self._directory)
        return store
