"""Taggers on the Hugging Face Hub, against a local server that speaks its API."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from allennlp.common.checks import ConfigurationError
from huggingface_hub import ModelCard, constants, file_download
from huggingface_hub.utils import reset_sessions

from roseq_allennlp import load
from roseq_allennlp.data.catalogue import CORPORA
from roseq_allennlp.models.archive import with_settings
from roseq_allennlp.models.description import Description, describe
from roseq_allennlp.models.hub import copy_snapshot
from roseq_allennlp.predictors.model_card import model_card
from tests import hub as hub_server

NAME = "someone/tagger"
SENTENCE = "Tokyo is far from Anna ."


METRICS = {
    "best_epoch": 3,
    "best_validation_precision-overall": 0.75,
    "best_validation_recall-overall": 0.5,
    "best_validation_f1-measure-overall": 0.6,
    "best_validation_recall-person": 0.25,
    "best_validation_f1-measure-creative-work": 0.125,
    "validation_f1-measure-overall": 0.1,  # of the last epoch
    "test_f1-measure-overall": 0.375,
}


@pytest.fixture(scope="module")
def archive(archive_path, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("run")
    with tarfile.open(archive_path) as file:
        file.extractall(directory, filter="data")
    (directory / "metrics.json").write_text(json.dumps(METRICS))
    return directory


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with hub_server.running() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        for module in (constants, file_download):
            monkeypatch.setattr(module, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        reset_sessions()
        yield hub
    reset_sessions()


def pushed(hub: Any, archive: Path, **options: Any) -> dict[str, bytes]:
    load(archive).push_to_hub(NAME, token="hf_test", **options)
    return hub.models[NAME][-1][1]


def test_a_tagger_comes_back_from_the_hub_as_it_was(hub, archive, tmp_path):
    files = pushed(hub, archive, private=True, license="apache-2.0")
    assert hub.private[NAME] is True
    assert set(files) >= {"README.md", "config.json", "meta.json", "metrics.json", "weights.safetensors"}
    assert not [name for name in files if name.endswith((".th", ".bin", ".pt", ".pkl", ".py"))]
    before, after = load(archive), load(f"hf://{NAME}")
    assert after.tag(SENTENCE) == before.tag(SENTENCE)
    assert (after.labels, after.metrics, after.description) == (before.labels, before.metrics, before.description)
    assert "README.md" not in [path.name for path in (tmp_path / "cache").rglob("*")]  # only what loading reads


def test_the_card_says_what_the_run_was(hub, archive):
    files = pushed(hub, archive, license="apache-2.0")
    card = ModelCard(files["README.md"].decode())
    assert (card.data.library_name, card.data.pipeline_tag) == ("allennlp", "token-classification")
    assert card.data.license == "apache-2.0"
    values = {(result.dataset_split, result.metric_name): result.metric_value for result in card.data.eval_results}
    assert values == {
        ("validation", "precision"): 0.75,
        ("validation", "recall"): 0.5,
        ("validation", "f1"): 0.6,
        ("validation", "recall of person"): 0.25,
        ("validation", "f1 of creative-work"): 0.125,
        ("test", "f1"): 0.375,
    }
    assert {(one.dataset_split, one.dataset_name) for one in card.data.eval_results} == {
        ("validation", "emerging.dev.conll"),
        ("test", "data that its archive does not name"),
    }
    for part in (f'load("hf://{NAME}")', "Intended use and limits", "wnut17train.conll", "calibrated"):
        assert part in files["README.md"].decode()
    assert str(Path.cwd()) not in files["README.md"].decode()


def test_scores_are_of_the_data_that_the_config_names(tmp_path):
    paths = {"validation_data_path": "/there/dev.conll", "test_data_path": "corpus://wnut17/test"}
    description = describe(tmp_path, {"model": {}, "dataset_reader": {}, **paths}, fitted=1.0)
    assert description.scored_on == {"development": "dev.conll", "test": "wnut17"} and description.trained_on == ""


def test_the_card_of_a_fine_tuned_tagger_names_all_that_it_was_trained_on():
    description = Description("label_aware_crf_tagger", "en", ("person",), "wnut16+wnut17+mine.conll")
    text = str(model_card(NAME, description))
    assert "wnut16+wnut17+mine.conll" in text
    for corpus in ("wnut16", "wnut17"):
        assert f"{corpus}: licence {CORPORA[corpus].licence}. {CORPORA[corpus].citation}" in text
    assert "mine: licence" not in text


def test_the_card_says_that_probabilities_are_calibrated(hub, archive, tmp_path):
    assert "It was not calibrated" in pushed(hub, archive)["README.md"].decode()
    with_settings(archive, tmp_path / "a.tar.gz", {"temperature": 2.5, "thresholds": {"person": 0.75}})
    card = pushed(hub, tmp_path / "a.tar.gz")["README.md"].decode()
    assert "by a temperature of 2.50" in card and "person from 0.750" in card and "not calibrated" not in card
    assert load(f"hf://{NAME}").thresholds("calibrated") == {"person": 0.75}


def test_a_revision_is_the_tagger_of_that_time(hub, archive):
    pushed(hub, archive)
    first = hub.models[NAME][-1][0]
    hub.commit(NAME, {"config.json": b"{}"})
    assert load(f"hf://{NAME}@{first}").labels == load(f"hf://{NAME}", revision=first).labels
    with pytest.raises(ConfigurationError, match="has no `model`"):
        load(f"hf://{NAME}")
    with pytest.raises(ConfigurationError, match="has no revision nowhere"):
        load(f"hf://{NAME}", revision="nowhere")
    with pytest.raises(ConfigurationError, match="only hf://USER/MODEL has revisions"):
        load(archive, revision=first)


def test_without_a_connection_the_cache_is_used(hub, archive, monkeypatch):
    pushed(hub, archive)
    expected = load(f"hf://{NAME}").tag(SENTENCE)
    hub.requests.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    reset_sessions()
    assert load(f"hf://{NAME}").tag(SENTENCE) == expected
    assert not hub.requests
    with pytest.raises(ConfigurationError, match="not in the Hub's cache"):
        load("hf://someone/else")


def test_a_server_that_is_gone_leaves_the_cache(hub, archive, monkeypatch):
    pushed(hub, archive)
    expected = load(f"hf://{NAME}").tag(SENTENCE)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert load(f"hf://{NAME}").tag(SENTENCE) == expected


@pytest.mark.parametrize("address", ["hf://", "hf://one", "hf://a/b/c", "hf://a b/c", "hf://../../etc"])
def test_no_name_of_a_model_is_one_line(address, hub):
    with pytest.raises(ConfigurationError, match="give hf://USER/MODEL"):
        load(address)
    assert not hub.requests


def test_what_the_hub_does_not_have_is_one_line(hub):
    with pytest.raises(ConfigurationError, match="the Hub has no such model"):
        load("hf://someone/nothing")


def test_what_is_hostile_is_refused_before_it_is_fetched(hub, archive):
    pushed(hub, archive)
    hub.commit(NAME, {"vocabulary/large.txt": b"x" * 3_000_000})
    hub.requests.clear()
    with pytest.raises(ConfigurationError, match="refused, it has .* bytes"):
        load(f"hf://{NAME}", max_size=2_000_000)
    assert all("resolve" not in path for _, path in hub.requests)
    hub.models["someone/pickles"] = []
    hub.commit("someone/pickles", {"config.json": b"{}", "pytorch_model.bin": b"pickle"})
    with pytest.raises(ConfigurationError, match="no weights.safetensors"):
        load("hf://someone/pickles")


def test_a_link_out_of_the_cache_is_refused(tmp_path):
    snapshot = tmp_path / "models--a--b" / "snapshots" / "0"
    snapshot.mkdir(parents=True)
    (tmp_path / "secret").write_text("{}")
    (snapshot / "config.json").symlink_to(tmp_path / "secret")
    (tmp_path / "out").mkdir()
    with pytest.raises(ConfigurationError, match="config.json is a link to a file elsewhere"):
        copy_snapshot(snapshot, tmp_path / "out", 2**20)


def test_only_what_load_has_opened_is_uploaded(archive, hub):
    tagger = load(archive)
    tagger.source = None
    with pytest.raises(ConfigurationError, match="roseq_allennlp.load"):
        tagger.push_to_hub(NAME)
    assert not hub.requests
