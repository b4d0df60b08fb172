"""Archives with an encoder stand alone, and one that is made to do harm is refused."""

import io
import json
import shutil
import socket
import tarfile
from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.common import Params
from allennlp.models.archival import load_archive as allennlp_load

import roseq_allennlp
from roseq_allennlp.data.token_indexers import TransformerIndexer
from roseq_allennlp.models.archive import with_safetensors
from roseq_allennlp.models.archive_encoder import ENCODER_TYPES, check_encoder
from roseq_allennlp.modules.token_embedders import TransformerEmbedder

SENTENCES = [["Obama", "visits", "Justin", "Bieber", "in", "Paris", "\u200b"], ["x"], ["so", "cool"] * 40]


@pytest.fixture(params=[True, False], ids=["tuned", "frozen"])
def run(request, encoder_run) -> Path:
    return encoder_run(request.param)


@pytest.fixture
def offline(monkeypatch):
    """Any connection fails the test."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError(f"connects to {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def tags(answers) -> list[Any]:
    return [(answer["tags"], [round(entity["probability"], 4) for entity in answer["entities"]]) for answer in answers]


def test_an_archive_needs_no_folder_and_no_network(run: Path, tmp_path, offline) -> None:
    """By this package's loader, from the archive, the run and safetensors, and by AllenNLP's; with the weights' numbers."""
    moved = tmp_path / "moved.tar.gz"
    shutil.copy(run / "model.tar.gz", moved)
    with_safetensors(moved, tmp_path / "safe.tar.gz")
    with tarfile.open(tmp_path / "safe.tar.gz") as archive:
        assert {"encoder/config.json", "encoder/layout.json", "encoder/tokenizer.json", "weights.safetensors"} <= set(
            archive.getnames()
        )
    answers = [tags(roseq_allennlp.load(path).tag_many(SENTENCES)) for path in (moved, run, tmp_path / "safe.tar.gz")]
    assert answers[0] == answers[1] == answers[2]
    theirs = allennlp_load(moved)
    tagger = roseq_allennlp.load(moved)
    saved = torch.load(run / "best.th", weights_only=True)
    for model in (theirs.model, tagger._model):
        state = model.state_dict()
        assert state.keys() == saved.keys()
        assert all(torch.equal(value, saved[name]) for name, value in state.items())
    assert any("layer.1" in name for name in saved)


def test_the_rehearsed_archive_tags_as_it_did_in_training(run: Path, roseq, tmp_path) -> None:
    """`roseq evaluate` on the development data gives the F1 of the best epoch."""
    output = tmp_path / "metrics.json"
    result = roseq(
        "evaluate", run / "model.tar.gz", "fixtures/wnut17/emerging.dev.conll", "--output-file", output, "--quiet"
    )
    assert result.status == 0, result.errors
    trained = json.loads((run / "metrics.json").read_text())
    assert json.loads(output.read_text())["f1-measure-overall"] == trained["best_validation_f1-measure-overall"]


@pytest.fixture
def rewritten(encoder_run, tmp_path):
    """The archive of a run with one of its JSON files changed."""

    def write(name: str, change) -> Path:
        path = tmp_path / "changed.tar.gz"
        with tarfile.open(encoder_run(True) / "model.tar.gz") as source, tarfile.open(path, "w:gz") as target:
            for member in source.getmembers():
                content = source.extractfile(member).read() if member.isfile() else b""
                if member.name == name:
                    value = json.loads(content)
                    content = change(value)
                    if content is None:
                        continue
                    content = content if isinstance(content, bytes) else json.dumps(content).encode()
                    member.size = len(content)
                target.addfile(member, io.BytesIO(content))
        return path

    return write


def changed(*path: Any, value: Any):
    def change(content: Any) -> Any:
        *parents, last = path
        part = content
        for key in parents:
            part = part[key]
        part[last] = value
        return content

    return change


CONFIG, LAYOUT, TOKENIZER = "encoder/config.json", "encoder/layout.json", "encoder/tokenizer.json"
SPLIT = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}
GROWING = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
HARMFUL = {
    "another model": (CONFIG, changed("model_type", value="detr"), "of the type 'detr'"),
    "no type": (CONFIG, changed("model_type", value=["bert"]), "of the type"),
    "code": (CONFIG, changed("auto_map", value={"AutoModel": "evil.Model"}), "'auto_map', which bert does not know"),
    "a path": (CONFIG, changed("_name_or_path", value="/etc"), "'_name_or_path', which bert does not know"),
    "an object": (CONFIG, changed("hidden_act", value={"type": "x"}), "neither a number nor a word"),
    "many layers": (CONFIG, changed("num_hidden_layers", value=10**5), "at most 256 is allowed"),
    "infinite": (CONFIG, changed("layer_norm_eps", value=1e300), "at most 1000000 is allowed"),
    "large": (CONFIG, changed("intermediate_size", value=10**6), "larger than its weights|do not fit"),
    "other weights": (CONFIG, changed("num_hidden_layers", value=3), "do not fit"),
    "deep": (CONFIG, lambda _: b"[" * 500 + b"]" * 500, "cannot be read"),
    "no JSON": (TOKENIZER, lambda _: b"{", "cannot be read"),
    "no config": (CONFIG, lambda _: None, "cannot be read"),
    "prefix": (LAYOUT, changed("prefix", value=["x"]), "no ids"),
    "long prefix": (LAYOUT, changed("prefix", value=[1] * 10**5), "no ids"),
    "piece beyond the vectors": (LAYOUT, changed("suffix", value=[10**5]), "do not fit"),
    "another layout": (LAYOUT, changed("code", value="x"), "cannot be read"),
    "expression": (TOKENIZER, changed("pre_tokenizer", value=SPLIT), "a regular expression of its own"),
    "growing": (
        TOKENIZER,
        changed("normalizer", value={"type": "Sequence", "normalizers": [GROWING] * 3}),
        "by longer text",
    ),
    "prepended": (TOKENIZER, changed("normalizer", value={"type": "Prepend", "prepend": "a" * 9}), "puts text before"),
    "many parts": (
        TOKENIZER,
        changed("normalizer", value={"type": "Sequence", "normalizers": [{"type": "NFC"}] * 20}),
        "more than 16 parts",
    ),
    "unknown part": (TOKENIZER, changed("normalizer", value={"type": "Evil"}), "'Evil'"),
    "more pieces than vectors": (TOKENIZER, changed("model", "vocab", "aa", value=10**5), "pieces, the encoder"),
    "a huge file": (TOKENIZER, lambda content: json.dumps(content).encode() + b" " * 2**26, "unpack to more than"),
}


@pytest.mark.parametrize(("name", "change", "message"), HARMFUL.values(), ids=HARMFUL)
def test_a_harmful_encoder_is_refused(rewritten, refused, offline, name: str, change, message: str) -> None:
    import re

    assert re.search(message, sentence := refused(rewritten(name, change))), sentence


def test_pieces_may_have_any_name(rewritten, offline) -> None:
    """English word pieces have `type`, `pattern` and `content` among them."""

    def change(tokenizer: dict[str, Any]) -> dict[str, Any]:
        vocabulary = tokenizer["model"]["vocab"]
        for piece, name in zip(sorted(vocabulary)[-3:], ("type", "pattern", "content"), strict=True):
            vocabulary[name] = vocabulary.pop(piece)
        return tokenizer

    assert roseq_allennlp.load(rewritten(TOKENIZER, change)).tag("type of pattern")["tags"]


def test_an_archive_without_its_encoder_is_refused(encoder_run, refused, tmp_path) -> None:
    path = tmp_path / "without.tar.gz"
    with tarfile.open(encoder_run(True) / "model.tar.gz") as source, tarfile.open(path, "w:gz") as target:
        for member in source.getmembers():
            if not member.name.startswith("encoder"):
                target.addfile(member, source.extractfile(member) if member.isfile() else None)
    assert "has no directory `encoder`" in refused(path)


def test_the_model_name_of_a_config_is_not_followed(rewritten, offline, tmp_path) -> None:
    """It may be any text: neither a folder nor a hub is asked."""

    def change(config: dict[str, Any]) -> dict[str, Any]:
        config["dataset_reader"]["token_indexers"]["tokens"]["model_name"] = str(tmp_path)
        config["model"]["text_field_embedder"]["token_embedders"]["tokens"]["model_name"] = "no/such"
        return config

    assert roseq_allennlp.load(rewritten("config.json", change)).tag("So cool")["tags"]


def test_a_link_in_the_directory_of_a_run_is_refused(encoder_run, refused, tmp_path) -> None:
    run = tmp_path / "run"
    shutil.copytree(encoder_run(True), run)
    (run / "encoder" / "config.json").rename(tmp_path / "outside.json")
    (run / "encoder" / "config.json").symlink_to(tmp_path / "outside.json")
    assert "is a link to a file elsewhere" in refused(run)


def test_training_goes_on_from_an_archive(encoder_run, encoder_config, tmp_path, offline) -> None:
    """AllenNLP's `from_archive`, with the tokeniser that the archive brought, on other sentences."""
    from allennlp.commands.train import train_model

    run = encoder_run(True)
    config = encoder_config(run / "encoder", True)
    config["model"] = {"type": "from_archive", "archive_file": str(run / "model.tar.gz")}
    config["vocabulary"] = {"type": "from_files", "directory": str(run / "vocabulary")}
    config["train_data_path"], config["validation_data_path"] = (
        config["validation_data_path"],
        config["train_data_path"],
    )
    config["trainer"]["callbacks"] = [{"type": "adversarial", "epsilon": 0.1}]
    model = train_model(Params(config), str(tmp_path / "more"), file_friendly_logging=True)
    before = torch.load(run / "best.th", weights_only=True)
    name = "_text_field_embedder.token_embedder_tokens.encoder.encoder.layer.0.output.dense.weight"
    difference = (model.state_dict()[name] - before[name]).abs().max()
    assert 0 < difference < 0.1


SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
T5 = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
SIZES = {
    "albert": {**SMALL, "embedding_size": 8},
    "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
    "electra": {**SMALL, "embedding_size": 8},
    "modernbert": {**SMALL, **dict.fromkeys(("pad_token_id", "cls_token_id", "sep_token_id"), 0)},
    "mobilebert": {**SMALL, "intra_bottleneck_size": 16},
    "rembert": {**SMALL, "input_embedding_size": 8, "output_embedding_size": 8},
    **dict.fromkeys(("t5", "mt5", "umt5"), T5),
}


@pytest.mark.parametrize("kind", sorted(ENCODER_TYPES))
def test_each_allowed_architecture_is_rebuilt_from_its_files(kind: str, tiny_encoder, tmp_path) -> None:
    """With the weights it had, the same vectors; from numbers that the check lets through."""
    from transformers import CONFIG_MAPPING, AutoConfig, AutoModel

    if kind not in CONFIG_MAPPING:
        pytest.skip("this transformers is older")
    folder, run = tmp_path / "model", tmp_path / "run"
    shutil.copytree(tiny_encoder, folder)
    config = AutoConfig.for_model(kind, vocab_size=400, max_position_embeddings=60, **SIZES.get(kind, SMALL))
    AutoModel.from_config(config).save_pretrained(folder)
    indexer = TransformerIndexer(str(folder), serialization_dir=str(run))
    check_encoder(run, {"token_indexer": {"type": "transformer"}})
    trained = TransformerEmbedder(str(folder), trainable=True, serialization_dir=str(run)).eval()
    rebuilt = TransformerEmbedder(trainable=True, serialization_dir=str(run)).eval()
    rebuilt.load_state_dict(trained.state_dict())
    data = indexer.tensors(indexer.split([["So", "cool", "!"], ["a"]]))
    with torch.no_grad():
        vectors = trained(**data)
        assert vectors.any() and torch.equal(rebuilt(**data), vectors)
        (pieces,), layout = indexer.split([["So", "cool", "!"]]), trained._layout
        ids = torch.tensor([[*layout.prefix, *pieces.ids, *layout.suffix]])
        hidden = trained.encoder(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
    word = hidden[len(layout.prefix) :][: pieces.counts[0]].mean(0)
    torch.testing.assert_close(vectors[0, 0], word, rtol=1e-4, atol=1e-5)
