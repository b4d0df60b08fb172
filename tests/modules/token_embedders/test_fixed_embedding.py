import json
from pathlib import Path

import pytest
import torch
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.data import Vocabulary
from allennlp.models import load_archive
from allennlp.modules.token_embedders import Embedding, TokenEmbedder

VECTORS = {"oslo": [1.0, 2.0, 3.0], "fog": [-1.0, 0.5, 0.0]}


@pytest.fixture
def layer(tmp_path: Path) -> Embedding:
    file = tmp_path / "words.vec"
    file.write_text("".join(f"{word} {' '.join(map(str, vector))}\n" for word, vector in VECTORS.items()))
    vocab = Vocabulary(tokens_to_add={"tokens": list(VECTORS)})
    params = {"type": "fixed_embedding", "embedding_dim": 3, "pretrained_file": str(file)}
    layer = TokenEmbedder.from_params(Params(params), vocab=vocab)
    assert isinstance(layer, Embedding)
    return layer


def test_a_step_moves_the_vector_of_unknown_words_and_no_other(layer: Embedding) -> None:
    tokens = torch.tensor([[2, 1, 3, 1], [1, 2, 0, 0]])
    before = layer(tokens).detach()
    torch.testing.assert_close(before[0, [0, 2]], torch.tensor(list(VECTORS.values())))
    torch.testing.assert_close(before[0, 1], layer.weight[1])
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)
    layer(tokens).sum().backward()
    optimizer.step()
    after = layer(tokens).detach()
    is_unknown = (tokens == 1).unsqueeze(2)
    torch.testing.assert_close(after, torch.where(is_unknown, before - 0.5 * 3, before))  # it stands there three times


def test_an_archive_keeps_what_was_learned(tmp_path: Path) -> None:
    """Adversarial training included; the words of the fixture are tagged from the archive without the file."""
    file = tmp_path / "words.vec"
    words = sorted({line.split("\t")[0].lower() for line in open("fixtures/wnut17/wnut17train.conll") if line.strip()})
    known = words[::2]
    file.write_text("".join(f"{word} {index / 100} 1.0 -1.0\n" for index, word in enumerate(known)))
    dim = 3
    overrides = {
        "trainer.num_epochs": 1,
        "model.text_field_embedder.token_embedders.tokens": {
            "type": "fixed_embedding",
            "embedding_dim": dim,
            "pretrained_file": str(file),
        },
        "model.initializer": {"regexes": []},
        "model.encoder.input_size": dim + 60 + 50,
        "vocabulary.min_count": None,
        "vocabulary.pretrained_files": {"tokens": str(file)},
        "vocabulary.only_include_pretrained_words": True,
    }
    params = Params.from_file("training_configs/fixture.jsonnet", json.dumps(overrides))
    model = train_model(params, str(tmp_path / "run"))
    trained = model._text_field_embedder.token_embedder_tokens  # type: ignore[attr-defined, union-attr]
    unknown = trained.weight[1]
    assert not torch.equal(trained.unknown, unknown)
    file.unlink()
    loaded = load_archive(tmp_path / "run").model._text_field_embedder.token_embedder_tokens  # type: ignore[union-attr]
    torch.testing.assert_close(loaded.unknown, trained.unknown, rtol=0, atol=0)
    torch.testing.assert_close(loaded.weight, trained.weight, rtol=0, atol=0)
