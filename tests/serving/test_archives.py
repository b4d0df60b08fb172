"""Archives of all kinds behind one server."""

import json

import pytest
from allennlp.commands.train import train_model
from allennlp.common import Params

import roseq_allennlp
from tests.serving.http import post
from tests.serving.test_app import DOCUMENT, rounded


@pytest.fixture(scope="module")
def archives(tmp_path_factory, encoder_config, encoder_run, tiny_encoder):
    """An ensemble, and a tagger with a frozen encoder."""
    config = encoder_config(tiny_encoder, False, ensemble=2, num_epochs=4)
    folder = tmp_path_factory.mktemp("ensemble")
    train_model(Params(json.loads(json.dumps(config))), str(folder / "run"), file_friendly_logging=True)
    return {"ensemble": folder / "run", "encoder": encoder_run(False) / "model.tar.gz"}


def test_each_answers_as_it_does_alone(archives, archive_path, client_of, roseq, tmp_path):
    calibrated = tmp_path / "calibrated.tar.gz"
    data = "fixtures/wnut17/emerging.dev.conll"
    result = roseq("calibrate", archive_path, data, "--target-precision", "0.9", "-o", calibrated)
    assert result.status == 0, result.errors
    paths = {**archives, "calibrated": calibrated, "plain": archive_path}
    client = client_of({name: roseq_allennlp.load(path) for name, path in paths.items()})
    models = {one["name"]: one for one in client.get("/v1/models").json()["models"]}
    assert list(models) == list(paths)
    assert [one["calibrated"] for one in models.values()] == [False, False, True, False]
    assert models["calibrated"]["thresholds"].keys() == set(models["calibrated"]["labels"])
    metrics = json.loads((archives["ensemble"] / "metrics.json").read_text(encoding="utf-8"))
    assert models["ensemble"]["development_f1"] == pytest.approx(100 * metrics["best_validation_f1-measure-overall"])
    for name, path in paths.items():
        alone = roseq_allennlp.load(path)
        for least in (None, 0.5, "calibrated") if name == "calibrated" else (None, 0.5):
            body = {"document": DOCUMENT, "model": name, "min_probability": least, "alternatives": 3}
            response = post(client, body)
            assert response.status_code == 200, response.text
            (answer,) = response.json()["answers"]
            for entity in answer["entities"]:
                assert len(entity.pop("alternatives")) == 3
            assert answer == rounded(dict(alone.tag_document(DOCUMENT, least)))
    kept = [
        len(
            post(client, {"text": "Marta Keller of Nordlight Labs", "model": "calibrated", **least}).json()["answers"][
                0
            ]["entities"]
        )
        for least in ({}, {"min_probability": "calibrated"})
    ]
    assert kept[0] >= kept[1]
