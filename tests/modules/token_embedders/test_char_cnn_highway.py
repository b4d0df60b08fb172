import math

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import Token, Vocabulary
from torch.testing import assert_close

from roseq_allennlp.data.token_indexers.orthographic_characters_indexer import OrthographicCharactersIndexer
from roseq_allennlp.modules.token_embedders import char_cnn_highway
from roseq_allennlp.modules.token_embedders.char_cnn_highway import CharCnnHighway

WORDS = ["a", "be", "Cab", "dec", "dead", "facade", "Ab-ba", "deadbeefcafe", "E"]


@pytest.fixture(scope="module")
def vocab():
    vocab = Vocabulary()
    for character in "abcdefABCDEF-":
        vocab.add_token_to_namespace(character, "token_characters")
    for shape in "cCnp":
        vocab.add_token_to_namespace(shape, "orthographic_characters")
    return vocab


def make(vocab, **kwargs):
    torch.manual_seed(5)
    sizes = {"embedding_dim": 3, "num_filters": 2, **kwargs}
    embedder = CharCnnHighway(vocab, **sizes).double()
    for convolution in embedder.convolutions:  # so that a window of padding would win if it took part
        torch.nn.init.constant_(convolution.bias, 0.7)
    for name, value in embedder.named_parameters():
        if "embedding" in name:
            torch.nn.init.normal_(value[1:])  # row 0 is padding
    return embedder


def indices(vocab, words, padding=0):
    """`(1, tokens, characters)` of the words and of their shapes."""
    indexer = OrthographicCharactersIndexer(include_characters=True, min_padding_length=1)
    indexed = indexer.tokens_to_indices([Token(word) for word in words], vocab)
    lengths = indexer.get_padding_lengths(indexed)
    lengths = {name: length + (padding if "num_token" in name else 0) for name, length in lengths.items()}
    tensors = indexer.as_padded_tensor_dict(indexed, lengths)
    return tensors["token_characters"].unsqueeze(0), tensors["orthographic_characters"].unsqueeze(0)


def by_hand(embedder, ids, shapes=None):
    """
    Eqs. (1) to (3) for one word, number by number. A word shorter than the widest filter is padded up to it with zero
    vectors; a window that starts after the word's end takes no part.
    """
    weights = {name: value.tolist() for name, value in embedder.state_dict().items()}
    vectors = [list(weights["embedding.weight"][i]) for i in ids]
    for vector, shape in zip(vectors, shapes or [], strict=False):
        vector.extend(weights["orthographic_embedding.weight"][shape])
    widest = max(convolution.kernel_size[0] for convolution in embedder.convolutions)
    padded = vectors + [[0.0] * len(vectors[0])] * (widest - len(vectors))

    features = []
    for index, convolution in enumerate(embedder.convolutions):
        width = convolution.kernel_size[0]
        for kernel, bias in zip(
            weights[f"convolutions.{index}.weight"], weights[f"convolutions.{index}.bias"], strict=False
        ):
            windows = []
            for i in range(min(len(vectors), len(padded) - width + 1)):
                inner = sum(row[k] * padded[i + k][channel] for channel, row in enumerate(kernel) for k in range(width))
                windows.append(math.tanh(inner + bias))  # eq. (1)
            features.append(max(windows))  # eq. (2)

    size, layer = len(features), 0
    while f"highway._layers.{layer}.weight" in weights:
        matrix, bias = weights[f"highway._layers.{layer}.weight"], weights[f"highway._layers.{layer}.bias"]
        linear = [
            sum(a * b for a, b in zip(row, features, strict=True)) + c for row, c in zip(matrix, bias, strict=True)
        ]
        new, carry = linear[:size], linear[size:]
        transform = [1 - 1 / (1 + math.exp(-x)) for x in carry]
        features = [t * math.tanh(g) + (1 - t) * e for t, g, e in zip(transform, new, features, strict=True)]  # eq. (3)
        layer += 1
    return features


@pytest.mark.parametrize("orthographic_dim", [None, 2])
@pytest.mark.parametrize("widths, layers", [((2, 3, 4), 2), ((1, 5), 1), ((3,), 0)])
def test_equations(vocab, widths, layers, orthographic_dim):
    embedder = make(vocab, filter_widths=widths, num_highway_layers=layers, orthographic_dim=orthographic_dim)
    assert sum(name.startswith("highway.") and name.endswith(".bias") for name in embedder.state_dict()) == layers
    characters, shapes = indices(vocab, WORDS)
    actual = embedder(characters, shapes if orthographic_dim else None)
    assert actual.shape == (1, len(WORDS), embedder.get_output_dim()) and actual.size(2) == 2 * len(widths)
    for index, word in enumerate(WORDS):
        ids, shape_ids = characters[0, index, : len(word)].tolist(), shapes[0, index, : len(word)].tolist()
        assert 0 not in ids and 0 not in shape_ids
        expected = by_hand(embedder, ids, shape_ids if orthographic_dim else None)
        assert_close(actual[0, index], torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("way", ["_with_padding", "_without_padding"])
@pytest.mark.parametrize("orthographic_dim", [None, 2])
def test_a_character_with_the_id_of_padding_is_a_character(way, orthographic_dim, monkeypatch):
    """Inside a word; at its end too where the shapes tell that there is one, and where it does not change the length."""
    monkeypatch.setattr(CharCnnHighway, "_without_padding", getattr(CharCnnHighway, way))
    vocab = Vocabulary(padding_token="-")
    for character, namespace in [
        *((c, "token_characters") for c in "abcd"),
        *((c, "orthographic_characters") for c in "cCnp"),
    ]:
        vocab.add_token_to_namespace(character, namespace)
    words = ["a-b-cd", "-ab", "a--b", "--------b", "@", "@@@@@"] + ["ab-", "-", "abcd-----"] * bool(orthographic_dim)
    embedder = make(vocab, orthographic_dim=orthographic_dim)
    characters, shapes = indices(vocab, words)
    for tensors in ((characters, shapes), indices(vocab, [*words, "abcd" * 9])):
        actual = embedder(tensors[0], tensors[1] if orthographic_dim else None)
        for index, word in enumerate(words):
            ids, shape_ids = characters[0, index, : len(word)].tolist(), shapes[0, index, : len(word)].tolist()
            expected = by_hand(embedder, ids, shape_ids if orthographic_dim else None)
            assert_close(actual[0, index], torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("way", ["_with_padding", "_without_padding"])
@pytest.mark.parametrize("size", [1, 4, 20])
def test_a_block_of_words_at_a_time_gives_the_same(vocab, way, size, monkeypatch):
    monkeypatch.setattr(CharCnnHighway, "_without_padding", getattr(CharCnnHighway, way))
    embedder = make(vocab, orthographic_dim=2)
    ids = sentences_of(2, 10, indices(vocab, [*WORDS, "be", "facade"]))
    expected = embedder(*ids).detach()
    monkeypatch.setattr(char_cnn_highway, "_BLOCK", size)
    with torch.no_grad():
        assert_close(embedder(*ids), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("orthographic_dim", [None, 2])
@pytest.mark.parametrize("word", ["a", "be", "Cab", "dead", "deadbeef"])
def test_a_word_has_one_vector_whatever_stands_beside_it(vocab, word, orthographic_dim):
    embedder = make(vocab, orthographic_dim=orthographic_dim)

    def vector(words, padding=0):
        characters, shapes = indices(vocab, words, padding)
        return embedder(characters, shapes if orthographic_dim else None)[0, words.index(word)]

    alone = vector([word])
    for words, padding in [(["f", word], 0), ([word], 1), ([word], 20), (["deadbeefcafe" * 3, word, "ed"], 3)]:
        assert_close(vector(words, padding), alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("word", ["a", "Cab", "facade"])
def test_gradient(vocab, word):
    embedder = make(vocab, orthographic_dim=2)
    inputs = indices(vocab, [word, "dead"], 2)
    names, values = zip(*embedder.named_parameters(), strict=True)

    def loss(*values):
        # The vector of padding, row 0, is a constant.
        whole = [
            torch.cat([0 * value[:1], value]) if "embedding" in name else value
            for name, value in zip(names, values, strict=True)
        ]
        return torch.func.functional_call(embedder, dict(zip(names, whole, strict=True)), inputs).square().sum()

    values = [value[1:] if "embedding" in name else value for name, value in zip(names, values, strict=True)]
    assert torch.autograd.gradcheck(loss, [value.detach().clone().requires_grad_() for value in values])


def test_padding_vectors_stay_zero(vocab):
    embedder = make(vocab, orthographic_dim=2)
    embedder(*indices(vocab, ["a", "Cab"], 4)).sum().backward()
    for embedding in (embedder.embedding, embedder.orthographic_embedding):
        assert (embedding.weight[0] == 0).all() and (embedding.weight.grad[0] == 0).all()
        assert embedding.weight.grad.abs().sum() > 0


def test_orthographic_vectors_are_read(vocab):
    embedder = make(vocab, orthographic_dim=2)
    characters, shapes = indices(vocab, ["Cab"])
    changed = shapes.clone()
    changed[0, 0, 0] = vocab.get_token_index("n", "orthographic_characters")
    assert (embedder(characters, changed) - embedder(characters, shapes)).abs().max() > 1e-3


def test_only_max_word_length_characters_are_read(vocab):
    cut, whole = make(vocab, max_word_length=5), make(vocab)
    long, short = indices(vocab, ["facade" * 1000, "be"])[0], indices(vocab, ["facad", "be"])[0]
    assert_close(cut(long), whole(short))
    assert (whole(long) - whole(short)).abs().max() > 1e-3
    with_shapes = make(vocab, max_word_length=5, orthographic_dim=2)
    assert_close(with_shapes(long, torch.ones_like(long)), with_shapes(short, torch.ones_like(short)))


@pytest.mark.parametrize(
    "kwargs, message",
    [
        ({"filter_widths": ()}, r"filter_widths=\[\]"),
        ({"filter_widths": (0, 2)}, r"filter_widths=\[0, 2\]"),
        ({"num_filters": 0}, "num_filters=0"),
        ({"orthographic_dim": 0}, "orthographic_dim=0"),
        ({"num_highway_layers": -1}, "^char_cnn_highway needs sizes, .* num_highway_layers of at least 0; got .*=-1.$"),
        ({"max_word_length": 3}, r"max_word_length=3 is shorter than the widest filter \(4\)"),
    ],
)
def test_sizes_that_do_not_fit(vocab, kwargs, message):
    with pytest.raises(ConfigurationError, match=message):
        CharCnnHighway(vocab, **kwargs)


def test_sizes_of_the_paper(vocab):
    """Section IV-B; and a word may be cut to the width of the widest filter."""
    embedder = CharCnnHighway(vocab, max_word_length=4)
    assert embedder.get_output_dim() == 3 * 20
    assert [convolution.weight.shape for convolution in embedder.convolutions] == [(20, 30, n) for n in (2, 3, 4)]
    assert len(embedder.highway._layers) == 2


def test_words_that_differ_in_shape_alone(vocab):
    """Such as two of characters that the vocabulary lacks."""
    embedder = make(vocab, orthographic_dim=2)
    characters, shapes = torch.ones(1, 2, 3, dtype=torch.long), torch.tensor([[[2, 2, 2], [3, 2, 2]]])
    outputs = embedder(characters, shapes)[0]
    for index in range(2):
        assert_close(outputs[index], embedder(characters[:, :1], shapes[:, index : index + 1])[0, 0])
    assert (outputs[0] - outputs[1]).abs().max() > 1e-3


@pytest.mark.parametrize("orthographic_dim", [None, 2])
def test_shapes_missing_or_not_expected(vocab, orthographic_dim):
    embedder = make(vocab, orthographic_dim=orthographic_dim)
    characters, shapes = indices(vocab, ["Cab"])
    with pytest.raises(ConfigurationError) as caught:
        embedder(characters, None if orthographic_dim else shapes)
    assert caught.value.message == (
        "char_cnn_highway: `orthographic_dim` and the indexer `orthographic_characters` with "
        '`"include_characters": true` go together; only one of them is set.'
    )


def sentences_of(batch_size, length, tensors):
    """Words in a row as a batch, padding after the last."""
    return [
        torch.nn.functional.pad(ids.squeeze(0), (0, 0, 0, batch_size * length - ids.size(1))).unflatten(
            0, (batch_size, length)
        )
        for ids in tensors
    ]


def outputs_and_gradients(embedder, *ids):
    """Of the real words; and how many characters were looked up."""
    looked_up = []
    lookup = embedder.embedding.forward
    with pytest.MonkeyPatch.context() as patch:  # no hook: it would be noticed
        patch.setattr(
            embedder.embedding, "forward", lambda ids, *args: looked_up.append(ids.numel()) or lookup(ids, *args)
        )
        outputs = embedder(*ids)
    factors = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(1), dtype=outputs.dtype)
    gradients = torch.autograd.grad((outputs * factors).sum(), list(embedder.parameters()))
    return (outputs, *gradients), looked_up


@pytest.mark.parametrize("orthographic_dim", [None, 2])
@pytest.mark.parametrize("widths", [(2, 3, 4), (4, 1), (3,)], ids=str)
def test_real_words_only_gives_the_same(vocab, orthographic_dim, widths):
    embedder = make(vocab, orthographic_dim=orthographic_dim, filter_widths=widths)
    words = [*WORDS, "be", "aaaaaa", "Be", "facade", "be"]  # equal windows, words met again, words of equal letters
    ids = sentences_of(2, 10, indices(vocab, words))[: 2 if orthographic_dim else 1]
    fast, looked_up = outputs_and_gradients(embedder, *ids)
    distinct = {tuple(word) for word in words}
    assert looked_up == [sum(max(len(word), max(widths)) for word in distinct)]
    embedder._without_padding = embedder._with_padding
    plain, looked_up = outputs_and_gradients(embedder, *ids)
    assert looked_up == [20 * max(ids[0].size(2), max(widths))]
    for found, wanted in zip(fast, plain, strict=True):
        assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    del embedder._without_padding
    with torch.no_grad():  # scores are looked up
        assert_close(embedder(*ids), plain[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("orthographic_dim", [None, 2])
def test_an_observer_sees_each_occurrence_and_its_sentence(vocab, orthographic_dim):
    embedder = make(vocab, orthographic_dim=orthographic_dim)
    ids = sentences_of(3, 2, indices(vocab, ["be", "Cab", "be", "facade", "be"]))[: 2 if orthographic_dim else 1]
    plain = embedder(*ids)
    seen = []
    layers = [embedder.embedding, embedder.orthographic_embedding][: len(ids)]

    def observer(output, sentences):
        seen.append((sentences, output))
        return output

    for layer in layers:
        layer.observer = observer
    assert_close(embedder(*ids), plain, rtol=1e-12, atol=1e-12)
    assert len(seen) == len(ids)
    for sentences, output in seen:
        assert sentences.tolist() == [0] * 8 + [1] * 10 + [2] * 4  # words below four characters have four
        assert output.shape == (22, output.size(1))
    embedder.embedding.observer = lambda output, _: torch.zeros_like(output)
    assert (embedder(*ids) - plain).abs().max() > 0.1  # its answer is what the words are made of


@pytest.mark.parametrize("training", [True, False])
def test_a_batch_without_characters(vocab, training):
    embedder = make(vocab)
    with torch.set_grad_enabled(training):
        outputs = embedder(torch.zeros(2, 3, 5, dtype=torch.long))
    assert_close(outputs, torch.zeros(2, 3, 6, dtype=torch.float64))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layers", [0, 2])
def test_bfloat16_autocast(vocab, training, layers):
    embedder = make(vocab, num_highway_layers=layers).float()
    ids, _ = indices(vocab, WORDS)
    with torch.set_grad_enabled(training), torch.autocast("cpu", dtype=torch.bfloat16):
        low = embedder(ids)
    assert_close(low, embedder(ids), rtol=0, atol=0.03)  # in float32 too


def test_no_step_needs_the_values(vocab):
    embedder = make(vocab, orthographic_dim=2).to("meta")
    ids = [tensor.to("meta") for tensor in indices(vocab, WORDS)]
    outputs = embedder(*ids)
    outputs.sum().backward()
    assert outputs.shape == (1, len(WORDS), 6) and embedder.embedding.weight.grad is not None
