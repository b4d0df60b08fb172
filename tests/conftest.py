"""What all tests share: they run at the root of the repository, on the data of fixtures/, on one thread, with no cache
but their own. Tests of the real corpora (marked `corpora`, or asking for `real_data`) keep `$ROSEQ_DATA` as it is."""

import json
import logging
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from _jsonnet import evaluate_snippet
from allennlp.commands.train import train_model
from allennlp.common import Params, file_utils
from allennlp.common.tqdm import logger as tqdm_logger

import roseq_allennlp
from roseq_allennlp.__main__ import main
from roseq_allennlp.data import corpora
from roseq_allennlp.experiments.results import HeldOut, Run
from roseq_allennlp.predictors import NerTagger

ROOT = Path(__file__).resolve().parents[1]
torch.set_num_threads(1)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def cache_root(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("allennlp")


@pytest.fixture(autouse=True)
def environment(request, monkeypatch, cache_root) -> None:
    monkeypatch.chdir(ROOT)
    for name, value in (("OMP_NUM_THREADS", "1"), ("ALLENNLP_CACHE_ROOT", str(cache_root))):  # for processes started
        monkeypatch.setenv(name, value)
    # The first two are set by commands, and are as before after each test; the others by a terminal, or pytest-xdist.
    for name in ("ALLENNLP_LOG_LEVEL", "ROSEQ_SHOWN_LOGS", "COLUMNS", "NO_COLOR"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr(file_utils, "CACHE_DIRECTORY", str(cache_root / "cache"))
    if request.node.get_closest_marker("corpora") is None and "real_data" not in request.fixturenames:
        monkeypatch.setenv("ROSEQ_DATA", "fixtures")


@pytest.fixture(autouse=True)
def logging_as_before():
    """Training replaces the handlers of the root logger, those of pytest among them."""
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level, bars = root.handlers[:], root.level, tqdm_logger.handlers[:]
    yield
    root.handlers[:], tqdm_logger.handlers[:] = handlers, bars
    root.setLevel(level)
    sys.excepthook = hook


@pytest.fixture(scope="session")
def repository() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def archive_path() -> Path:
    """A trained tagger, see `fixtures/build_archive.py`."""
    return ROOT / "fixtures" / "archive" / "model.tar.gz"


@pytest.fixture(scope="session")
def tagger(archive_path) -> NerTagger:
    return roseq_allennlp.load(archive_path)


@pytest.fixture
def real_data(monkeypatch) -> Path:
    """The directory of the real corpora, made `$ROSEQ_DATA`; the test is skipped where there is none."""
    beside = ROOT.parent / "shared" / "data"
    path = Path(os.environ.get(corpora.DATA_VARIABLE) or beside)
    if not (path / "conll2002").is_dir():
        pytest.skip("the real corpora are not here")
    monkeypatch.setenv(corpora.DATA_VARIABLE, str(path))
    return path


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory) -> Path:
    """The folder of a BERT of two layers, 16 wide, with random weights and cased word pieces of the texts of fixtures/."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("bert")
    pieces = BertWordPieceTokenizer(lowercase=False)
    pieces.train([str(text) for text in (ROOT / "fixtures" / "sources").iterdir()], vocab_size=400, show_progress=False)
    pieces.save_model(str(folder))
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=False, model_max_length=48)
    tokenizer.save_pretrained(folder)
    config = BertConfig(pieces.get_vocab_size(), 16, 2, 2, 32, max_position_embeddings=48, initializer_range=0.5)
    return _saved(BertModel, config, folder)


@pytest.fixture(scope="session")
def tiny_byte_level(tmp_path_factory) -> Path:
    """As `tiny_encoder`, of a RoBERTa, whose pieces are made of bytes."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaConfig, RobertaModel, RobertaTokenizerFast

    folder = tmp_path_factory.mktemp("roberta")
    pieces = ByteLevelBPETokenizer()
    texts = [str(text) for text in (ROOT / "fixtures" / "sources").iterdir()]
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    pieces.train(texts, vocab_size=400, show_progress=False, special_tokens=special)
    pieces.save_model(str(folder))
    RobertaTokenizerFast(str(folder / "vocab.json"), str(folder / "merges.txt")).save_pretrained(folder)
    config = RobertaConfig(
        pieces.get_vocab_size(), 16, 2, 2, 32, max_position_embeddings=50, pad_token_id=1, initializer_range=0.5
    )
    return _saved(RobertaModel, config, folder)


@pytest.fixture(scope="session")
def encoder_config():
    """The config of a small RoSeq on WNUT-2017's fixtures with an encoder, tuned or frozen, as jsonnet gives it."""

    def build(name: Path, tune: bool, **switches) -> dict:
        folder = ROOT / "training_configs" / "lib"
        source = f"""
            local corpora = import {json.dumps(str(folder / "corpora.libsonnet"))};
            local roseq = import {json.dumps(str(folder / "roseq.libsonnet"))};
            local vectors = import {json.dumps(str(folder / "vectors.libsonnet"))};
            roseq(
              corpora.wnut17 {{
                train: 'fixtures/wnut17/wnut17train.conll', dev: 'fixtures/wnut17/emerging.dev.conll',
              }},
              vectors.transformer({json.dumps(str(name))}, tune={json.dumps(tune)}, lr=0.001),
              {json.dumps({"num_epochs": 2, **switches})},
            )
        """
        config = json.loads(evaluate_snippet("config", source))
        config["dataset_reader"]["max_instances"] = 40
        if "encoder" in (tagger := config["model"].get("member", config["model"])):
            tagger["encoder"]["hidden_size"] = 8
            tagger["fusion"].update(input_dim=16, hidden_dims=8)
        return config

    return build


@pytest.fixture(scope="session")
def encoder_run(tmp_path_factory, encoder_config, tiny_encoder, tiny_byte_level):
    """The directory of a finished run with a tiny encoder, by whether it is tuned; the encoder's own folder is gone."""
    runs: dict[bool, Path] = {}

    def train(tuned: bool) -> Path:
        if tuned not in runs:
            folder = tmp_path_factory.mktemp("encoder")
            shutil.copytree(tiny_encoder if tuned else tiny_byte_level, folder / "model")
            config = encoder_config(folder / "model", tuned, num_epochs=8, at=False)
            train_model(Params(config), str(folder / "run"), file_friendly_logging=True)
            shutil.rmtree(folder / "model")
            runs[tuned] = folder / "run"
        return runs[tuned]

    return train


def _saved(kind, config, folder) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        kind(config).save_pretrained(folder)
    return folder


class Result(NamedTuple):
    status: int
    output: str
    errors: str


@pytest.fixture
def roseq(monkeypatch, capfd):
    """Runs a command line as `roseq` does, in this process: one of its own would take seconds to start."""

    def run(*arguments) -> Result:
        monkeypatch.setattr(sys, "argv", ["roseq", *map(str, arguments)])
        capfd.readouterr()
        status = 0
        try:
            main()
        except SystemExit as error:
            if isinstance(error.code, str):
                print(error.code, file=sys.stderr)
            status = error.code if isinstance(error.code, int) else 1
        return Result(status, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def run():
    """Makes up the result of a run, see `Run`; `f1` None is one without test scores."""

    def make(
        system="roseq", seed=1, f1=40.0, corpus="wnut17", settings=None, seconds=60.0, counts=COUNTS, dev_f1=None
    ) -> Run:
        sums = [sum(column) for column in zip(*counts, strict=True)][1:]
        test = None if f1 is None else HeldOut({"person": sums, "group": [0, 0, 0]}, 5, counts, {"0.1": 30.0})
        dev_f1 = (f1 or 0.0) + 10 if dev_f1 is None else dev_f1
        trained_on, versions = {"person": 7, "group": 9}, {"torch": "2"}
        found = (dev_f1, 1.0, 2.0, f1, 5, 9, seconds, trained_on, "abc", versions, test)
        return Run(corpus, system, seed, settings or {}, *found)

    return make


COUNTS = [[0, 1, 1, 1], [3, 0, 2, 1]]
