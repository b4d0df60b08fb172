import json
from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from cached_path import cached_path

import roseq_allennlp
from roseq_allennlp.data.word_keys import word_key
from roseq_allennlp.modules.word_encoder import WordEncoder

CONFIG = """
local roseq = import 'lib/roseq.libsonnet';
local vectors = import 'lib/vectors.libsonnet';
roseq(
  (import 'lib/corpora.libsonnet').wnut17 {
    train: 'fixtures/wnut17/wnut17train.conll', dev: 'fixtures/wnut17/emerging.dev.conll',
  },
  vectors.from_encoder('%s', 6),
  { num_epochs: 1 },
)
"""


def words_of(name: str) -> set[str]:
    lines = Path("fixtures/wnut17", name).read_text(encoding="utf-8").splitlines()
    return {word_key(line.split("\t")[0].lower()) for line in lines if line.strip()}


@pytest.fixture
def config(tiny_encoder: Path, repository: Path) -> Any:
    path = repository / "training_configs" / "of_a_test.jsonnet"
    path.write_text(CONFIG % tiny_encoder)
    yield path
    path.unlink()


def test_training_makes_them_once_for_training_and_development_words(config, tmp_path, monkeypatch, capsys) -> None:
    model = train_model(Params.from_file(str(config)), str(tmp_path / "run"))
    err = capsys.readouterr().err
    assert "No word vector for 0.0% of development tokens" in err, [
        line for line in err.splitlines() if "ectors" in line
    ]
    words = set(model.vocab.get_token_to_index_vocabulary("tokens"))
    assert words_of("wnut17train.conll") | words_of("emerging.dev.conll") <= words
    assert not words_of("emerging.test.annotated") <= words
    layer: Any = model._text_field_embedder.token_embedder_tokens  # type: ignore[attr-defined, union-attr]
    assert float(layer.weight[2:].norm(dim=1).mean()) == pytest.approx(6.0, abs=0.01)

    def again(*args: Any) -> None:
        raise AssertionError("the encoder runs once")

    monkeypatch.setattr(WordEncoder, "__init__", again)
    same = train_model(Params.from_file(str(config)), str(tmp_path / "again"))
    torch.testing.assert_close(same.state_dict(), model.state_dict(), rtol=0, atol=0)
    monkeypatch.undo()
    # The archive needs neither the vectors nor the encoder.
    monkeypatch.setattr("allennlp.common.file_utils.CACHE_DIRECTORY", str(tmp_path / "cache"))
    assert roseq_allennlp.load(tmp_path / "run").tag("Fog in Oslo")["words"] == ["Fog", "in", "Oslo"]


@pytest.mark.parametrize("request_", ["{}", "no JSON", json.dumps({"encoder": "x", "dim": 3})])
def test_what_is_no_request_is_told(request_: str) -> None:
    with pytest.raises(ConfigurationError, match="vectors.from_encoder"):
        cached_path(f"encoder://{request_}/vectors.txt")


def test_another_text_makes_other_vectors(tiny_encoder: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.conll"
    request = {"encoder": str(tiny_encoder), "dim": 2, "reader": {"type": "wnut"}, "texts": [str(text)]}
    files = []
    for words in (["fog", "sun", "rain", "sea"], ["fog", "sun", "rain", "snow"]):
        text.write_text("".join(f"{word}\tO\n" for word in words))
        files.append(Path(cached_path(f"encoder://{json.dumps(request)}/vectors.txt")).read_text())
        assert {line.split(" ")[0] for line in files[-1].splitlines()} == set(words)
