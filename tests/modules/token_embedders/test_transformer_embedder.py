"""Vectors of words, against transformers' own model on one sentence at a time."""

from copy import deepcopy

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from transformers import AutoModel, AutoTokenizer

from roseq_allennlp.data.token_indexers import TransformerIndexer
from roseq_allennlp.modules.feature_store import FeatureStore
from roseq_allennlp.modules.token_embedders import TransformerEmbedder, transformer_embedder

SENTENCES = [
    ["EU", "rejects", "German", "call", "to", "boycott", "British", "lamb", "."],
    ["Peter", "Blackburn"],
    ["BRUSSELS", "1996-08-22"],
    ["\u200b", "x"],
]


@pytest.fixture(autouse=True)
def no_stores(monkeypatch) -> None:
    monkeypatch.setattr(transformer_embedder, "_STORES", {})


@pytest.fixture(params=["tiny_encoder", "tiny_byte_level"])
def encoder(request):
    return str(request.getfixturevalue(request.param))


def inputs(encoder: str, sentences: list[list[str]]) -> dict[str, torch.Tensor]:
    indexer = TransformerIndexer(encoder)
    return indexer.tensors(indexer.split(sentences))


def layers_of(encoder: str, words: list[str], pooling: str) -> torch.Tensor:
    """All layers of one sentence by transformers, `(layers, words, D)`; words without a piece are left out."""
    tokenizer = AutoTokenizer.from_pretrained(encoder, add_prefix_space=True)
    encoding = tokenizer(words, is_split_into_words=True, return_tensors="pt")
    model = AutoModel.from_pretrained(encoder).eval()
    with torch.no_grad():
        hidden = torch.stack(model(**encoding, output_hidden_states=True).hidden_states)[:, 0]
    positions = [
        [position for position, owner in enumerate(encoding.word_ids()) if owner == index]
        for index in range(len(words))
    ]
    pool = (lambda vectors: vectors[:, 0]) if pooling == "first" else (lambda vectors: vectors.mean(1))
    return torch.stack([pool(hidden[:, chosen]) for chosen in positions if chosen], dim=1)


@pytest.mark.parametrize("pooling", ["first", "mean"])
@pytest.mark.parametrize("trainable", [True, False])
def test_vectors_are_those_of_transformers(encoder, pooling: str, trainable: bool) -> None:
    embedder = TransformerEmbedder(encoder, trainable=trainable, pooling=pooling, mix_layers=True).eval()
    torch.nn.init.normal_(embedder._mix)
    torch.nn.init.constant_(embedder._scale, 0.7)
    vectors = embedder(**inputs(encoder, SENTENCES))
    assert vectors.shape == (4, 9, embedder.get_output_dim()) and vectors.dtype == torch.float32
    for row, words in zip(vectors, SENTENCES[:3], strict=False):
        expected = torch.einsum("l,ltd->td", 0.7 * embedder._mix.softmax(0), layers_of(encoder, words, pooling))
        torch.testing.assert_close(row[: len(words)], expected, rtol=1e-5, atol=1e-5)
        assert not row[len(words) :].any()
    assert vectors[3, :2].isfinite().all() and vectors[3, 0].any()


def test_the_last_layer_where_it_is_tuned(encoder) -> None:
    vectors = TransformerEmbedder(encoder, trainable=True).eval()(**inputs(encoder, SENTENCES))
    torch.testing.assert_close(vectors[0], layers_of(encoder, SENTENCES[0], "mean")[-1], rtol=1e-5, atol=1e-5)


def test_a_long_sentence_is_not_cut(encoder) -> None:
    """Words far from the borders of windows have the vectors that they have in the window alone; all words have one."""
    words = [word for _ in range(12) for word in SENTENCES[0]]
    embedder = TransformerEmbedder(encoder, trainable=True, overlap=16).eval()
    data = inputs(encoder, [words, SENTENCES[1]])
    assert data["num_pieces"][0].sum() > 3 * embedder._size
    vectors = embedder(**data)
    assert vectors[0].any(dim=1).all() and vectors[1, :2].any(dim=1).all() and not vectors[1, 2:].any()
    rows = embedder._rows(data["num_pieces"].numpy())
    assert len(rows) > 4
    for row in rows[:-1]:
        first, end, kept_first, kept_end = row.window
        alone = layers_of(encoder, words[first:end], "mean")[-1][kept_first - first : kept_end - first]
        torch.testing.assert_close(vectors[0, kept_first:kept_end], alone, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(embedder(**inputs(encoder, [words]))[0], vectors[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("observer", [None, lambda vectors, sentences: vectors])
def test_grouping_changes_nothing(encoder, monkeypatch, observer) -> None:
    sentences = [SENTENCES[0][:length] for length in (9, 2, 5, 9, 1)] + [SENTENCES[0] * 8]
    embedder = TransformerEmbedder(encoder, trainable=True, mix_layers=True, overlap=8).eval()
    embedder.observer = observer
    results = []
    for groups in ((0, 1), (30, 100), (10**6, 10**6)):
        monkeypatch.setitem(transformer_embedder._GROUPS, "cpu", groups)
        with torch.no_grad():
            results.append(embedder(**inputs(encoder, sentences)))
    for result in results[1:]:
        torch.testing.assert_close(result, results[0], rtol=1e-5, atol=1e-5)


def test_a_frozen_encoder_goes_through_each_sentence_once(encoder, monkeypatch) -> None:
    embedder = TransformerEmbedder(encoder)
    torch.nn.init.normal_(embedder._mix)
    calls = []
    embedder.encoder.register_forward_hook(
        lambda module, args, kwargs, output: calls.append(kwargs["input_ids"]), with_kwargs=True
    )
    sentences = [*SENTENCES, SENTENCES[0] * 8]
    data = inputs(encoder, sentences)
    with torch.no_grad():
        expected = embedder.eval()(**data)  # before training nothing is kept
        assert calls and embedder._store is None
        calls.clear()
    first = embedder.train()(**data)
    assert not embedder.encoder.training and not any(value.requires_grad for value in embedder.encoder.parameters())
    torch.testing.assert_close(first, expected, rtol=0, atol=1e-5)
    assert [len(ids) for ids in calls] == [1, 1, 1, 1, len(embedder._rows(data["num_pieces"][4:].numpy()))]
    assert len(calls[-1]) > 1  # in windows
    calls.clear()
    shuffled = inputs(encoder, sentences[::-1])
    for mode in (True, False):  # development data are stored too
        with torch.set_grad_enabled(mode):
            again = embedder.train(mode)(**shuffled)
        assert torch.equal(again.flip(0), first)
    assert not calls


def test_the_mix_learns_as_it_does_without_a_store(encoder) -> None:
    data = inputs(encoder, SENTENCES)
    gradients = []
    for embedder in (
        TransformerEmbedder(encoder),
        TransformerEmbedder(encoder, trainable=True, mix_layers=True).eval(),
    ):
        target = torch.linspace(-1, 1, embedder.get_output_dim())
        ((embedder(**data) - target) ** 2).sum().backward()
        gradients.append([embedder._mix.grad, embedder._scale.grad])
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4)


def test_embedders_share_the_features_of_the_same_encoder(encoder) -> None:
    data = inputs(encoder, SENTENCES)
    one, same, other = (TransformerEmbedder(encoder) for _ in range(3))
    with torch.no_grad():
        other.encoder.get_input_embeddings().weight[5] += 1
    first = TransformerEmbedder(encoder, pooling="first")
    for embedder in (one, same, other, first):
        embedder(**data)
    assert one._store is same._store and len(one._store) == len(SENTENCES)
    assert one._store is not other._store and one._store is not first._store
    assert len(deepcopy(one)._store) == 0


def test_features_beyond_the_memory_go_to_a_file(tmp_path, caplog) -> None:
    features = {bytes([number]): torch.randn(3, number + 1, 5) for number in range(20)}
    for directory, is_mapped in ((str(tmp_path), True), (None, False), (str(tmp_path / "missing"), False)):
        store = FeatureStore(0, directory)
        for key, value in features.items():
            assert torch.equal(store.add(key, value), value)
        assert (store.mapped > 0, store.memory, len(store)) == (is_mapped, 0, 20 if is_mapped else 0)
        assert store.is_full != is_mapped
        for key, value in features.items():
            assert torch.equal(store.get(key), value) if is_mapped else store.get(key) is None
        assert list(tmp_path.iterdir()) == []
    store = FeatureStore(2**27, None)
    for key, value in features.items():
        store.add(key, value)
    assert len(store) == 20 and store.memory == 2**26


def test_without_room_the_numbers_are_the_same(encoder) -> None:
    data = inputs(encoder, SENTENCES)
    stored, never = TransformerEmbedder(encoder), TransformerEmbedder(encoder)
    never._store = FeatureStore(0, None)
    for _ in range(2):
        assert torch.equal(stored(**data), never(**data))
    assert never._store.is_full and len(never._store) == 0


def test_gradient_checkpointing_has_the_same_gradients(encoder) -> None:
    data = inputs(encoder, SENTENCES)
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(1)
        embedder = TransformerEmbedder(encoder, trainable=True, gradient_checkpointing=checkpointing)
        torch.manual_seed(2)
        embedder(**data).square().sum().backward()
        gradients.append({name: value.grad for name, value in embedder.named_parameters()})
    assert all(gradient is not None for gradient in gradients[0].values())
    torch.testing.assert_close(*gradients)


def test_bfloat16(encoder) -> None:
    data = inputs(encoder, SENTENCES)
    exact, lowered = (TransformerEmbedder(encoder, trainable=True, bfloat16=lower).eval()(**data) for lower in (0, 1))
    assert lowered.dtype == torch.float32 and not torch.equal(exact, lowered)
    torch.testing.assert_close(lowered, exact, rtol=0.1, atol=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "last"}, "pooling must be one of"),
        ({"bfloat16": True}, "are for an encoder with `trainable`"),
        ({"gradient_checkpointing": True}, "are for an encoder with `trainable`"),
        ({"window": 8, "overlap": 7}, "a window holds 6 pieces"),
        ({"overlap": -1}, "at least 0"),
        ({"features_in_memory": -1}, "at least 0 GiB"),
    ],
)
def test_options_are_checked(tiny_encoder, options, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TransformerEmbedder(str(tiny_encoder), **options)


def test_of_a_word_larger_than_a_window_a_part_is_read(tiny_encoder) -> None:
    embedder = TransformerEmbedder(str(tiny_encoder), trainable=True, window=10, overlap=0).eval()
    data = inputs(str(tiny_encoder), [["a", "abcdefghijklmnopqrstuvwxyz", "b"], ["x"]])
    assert data["num_pieces"][0, 1] > 8
    indexer = TransformerIndexer(str(tiny_encoder), max_word_pieces=8)
    cut = indexer.tensors(indexer.split([["a", "abcdefghijklmnopqrstuvwxyz", "b"], ["x"]]))
    torch.testing.assert_close(embedder(**data), embedder(**cut))


@pytest.mark.parametrize("damage", ["missing", "truncated", "other"])
def test_weights_that_are_not_there(tiny_encoder, tmp_path, damage: str) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    folder = tmp_path / "model"
    shutil.copytree(tiny_encoder, folder)
    weights = folder / "model.safetensors"
    if damage == "missing":
        weights.unlink()
    elif damage == "truncated":
        weights.write_bytes(weights.read_bytes()[:1000])
    else:
        state = load_file(weights)
        save_file({key: value for key, value in state.items() if ".layer.1." not in key}, weights, {"format": "pt"})
    with pytest.raises(ConfigurationError, match="weights of the encoder|has no weights for") as caught:
        TransformerEmbedder(str(folder), serialization_dir=str(tmp_path / "run"))
    assert "\n" not in caught.value.message
