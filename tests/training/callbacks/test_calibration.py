"""`calibration`, against `roseq calibrate` on the archive of the same run without it."""

import json
import multiprocessing
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Optional

import pytest
import torch
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch
from allennlp.models import archival

from roseq_allennlp.data.data_loaders import InMemoryDataLoader
from roseq_allennlp.data.tag_schemes import convert
from roseq_allennlp.evaluation.tagged_data import read_labelled, score_of, tag_file
from roseq_allennlp.evaluation.temperature import predicted_spans
from roseq_allennlp.models.archive import load_archive, with_safetensors
from roseq_allennlp.models.archive_weights import temperature_of
from roseq_allennlp.models.finetuning import prepare
from roseq_allennlp.models.finetuning_request import FineTuning
from roseq_allennlp.nn.temperature import fit_temperature
from roseq_allennlp.training.callbacks import CalibrationCallback, calibration

CONFIG = "training_configs/fixture.jsonnet"
DEV = "fixtures/wnut17/emerging.dev.conll"
KEY = "crf.temperature"
ENSEMBLE = {"type": "tagger_ensemble", "size": 2, "member": Params.from_file(CONFIG)["model"].as_dict()}
VARIANTS: dict[str, dict[str, Any]] = {
    "an earlier epoch is the best": {"trainer.num_epochs": 7},
    "ensemble, moving average": {
        "model": {**ENSEMBLE, "member": {**ENSEMBLE["member"], "tau": None}},
        "trainer.moving_average": {"type": "exponential", "decay": 0.5},
    },
}
PLAIN = "an earlier epoch is the best"


def train(directory: Path, changes: dict[str, Any], calibrated: bool = True, recover: bool = False) -> None:
    changes = {
        "data_loader.batch_size": 8,
        "trainer.num_epochs": 6,
        **({} if "model" in changes else {"model.tau": None}),
        **changes,
    }
    changes["trainer.callbacks"] = [{"type": "exact_recovery"}, *([{"type": "calibration"}] if calibrated else [])]
    train_model(Params.from_file(CONFIG, json.dumps(changes)), directory, recover=recover, file_friendly_logging=True)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same run without and with calibration, by the name of the variant."""
    made: dict[str, tuple[Path, Path]] = {}

    def run(name: str) -> tuple[Path, Path]:
        if name not in made:
            directory = tmp_path_factory.mktemp("calibration")
            made[name] = directory / "without", directory / "with"
            for path, calibrated in zip(made[name], (False, True), strict=True):
                train(path, VARIANTS[name], calibrated)
        return made[name]

    return run


@pytest.mark.parametrize("name", VARIANTS)
def test_the_temperature_is_that_of_the_command_and_nothing_else_changes(name: str, runs: Any) -> None:
    without, calibrated = runs(name)
    archive = load_archive(without / "model.tar.gz")
    spans = predicted_spans(archive, read_labelled(archive.validation_dataset_reader, DEV))
    expected = fit_temperature([batch.scored for batch in spans])
    assert abs(expected - 1) > 0.01
    weights = torch.load(calibrated / "best.th")
    assert float(weights.pop(KEY)) == pytest.approx(expected, rel=1e-6)
    before = torch.load(without / "best.th")
    assert weights.keys() == before.keys() and all(torch.equal(weights[name], before[name]) for name in before)
    metrics = [
        {
            key: value
            for key, value in json.loads((run / "metrics.json").read_text()).items()
            if not {"duration", "memory"} & set(key.split("_"))
        }
        for run in (without, calibrated)
    ]
    assert metrics[0] == metrics[1]
    assert (metrics[0]["best_epoch"] < metrics[0]["epoch"]) == (name == PLAIN)
    checkpoints = [torch.load(path) for path in calibrated.glob("model_state_e*.th")]
    assert checkpoints and all(KEY not in state for state in checkpoints)
    tagged = [tag_file(load_archive(run / "model.tar.gz"), DEV) for run in (without, calibrated)]
    assert [sentence.predicted for sentence in tagged[0]] == [sentence.predicted for sentence in tagged[1]]
    assert score_of(tagged[0]) == score_of(tagged[1])
    given = [[p for sentence in sentences for p in sentence.probabilities.values()] for sentences in tagged]
    fitted = [p for batch in spans for sentence in batch.tagged(expected) for p in sentence.probabilities.values()]
    assert sorted(given[1]) == pytest.approx(sorted(fitted), abs=1e-6) and given[0] != given[1]


def test_whatever_opens_the_weights_has_it(runs: Any, roseq: Any, tmp_path: Path) -> None:
    run = runs(PLAIN)[1]
    archive = run / "model.tar.gz"
    fitted = float(torch.load(run / "best.th")[KEY])
    with_safetensors(archive, tmp_path / "safe.tar.gz")
    for path in (archive, run, tmp_path / "safe.tar.gz"):
        assert load_archive(path).model.crf.temperature == fitted
        assert f"temperature {fitted:.2f}" in roseq("info", path).output
    plain = archival.load_archive(archive)
    assert plain.model.crf.temperature == fitted and plain.config["model"].get("temperature") is None
    assert load_archive(archive, overrides='{"model.temperature": 1}').model.crf.temperature == 1
    # The command's, in the config, stands above that of the weights.
    assert roseq("calibrate", archive, DEV, "-o", tmp_path / "again.tar.gz").status == 0
    again = load_archive(tmp_path / "again.tar.gz").model.crf
    assert again.has_given_temperature and again.temperature == pytest.approx(fitted, rel=1e-6)


def test_training_on_begins_without_it(runs: Any, tmp_path: Path) -> None:
    run = runs(PLAIN)[1]
    prepare(FineTuning(archive=str(run / "model.tar.gz"), train=DEV), tmp_path / "run")
    assert KEY not in torch.load(tmp_path / "run" / "start.th")
    archive = load_archive(run)
    fitted = archive.model.crf.temperature
    batch = Batch(read_labelled(archive.validation_dataset_reader, DEV)[:2])
    batch.index_instances(archive.model.vocab)
    archive.model.eval()(**batch.as_tensor_dict())
    assert archive.model.crf.temperature == fitted != 1
    archive.model.train()(**batch.as_tensor_dict())
    assert archive.model.crf.temperature == 1 and KEY not in archive.model.state_dict()


@pytest.mark.parametrize("killed_in", ["fit_temperature", "save", "console"])
def test_a_run_killed_in_calibration_ends_as_one_that_was_not(killed_in: str, runs: Any, tmp_path: Path) -> None:
    def child() -> None:
        def kill(*args: Any, **kwargs: Any) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(calibration, "Console" if killed_in == "console" else killed_in, kill)
        train(tmp_path, VARIANTS[PLAIN])

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL and not (tmp_path / "model.tar.gz").exists()
    train(tmp_path, VARIANTS[PLAIN], recover=True)
    one, other = (torch.load(run / "best.th") for run in (runs(PLAIN)[1], tmp_path))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert load_archive(tmp_path / "model.tar.gz").model.crf.temperature == float(one[KEY])


def test_a_training_without_a_predicted_entity_ends_well(tmp_path: Path) -> None:
    train(tmp_path, {"trainer.num_epochs": 1})
    (warning,) = [line for line in (tmp_path / "out.log").read_text().splitlines() if calibration.__name__ in line]
    assert "The probabilities are not calibrated: on these data the tagger predicts no entity" in warning
    assert load_archive(tmp_path / "model.tar.gz").model.crf.temperature == 1


def loader_of(archive: Any, dev: Path) -> InMemoryDataLoader:
    loader = InMemoryDataLoader(archive.validation_dataset_reader, str(dev), batch_size=3)
    loader.index_with(archive.model.vocab)
    return loader


def ended(archive: Any, directory: Path, dev: Optional[Path], distributed: bool = False, **kwargs: Any) -> None:
    """Fires the end of a run whose best weights are those of an archive."""
    loader = None if dev is None else loader_of(archive, dev)
    trainer = SimpleNamespace(
        model=archive.model,
        cuda_device=torch.device("cpu"),
        _validation_data_loader=loader,
        _best_model_filename=str(directory / "best.th"),
        _distributed=distributed,
        _ddp_wrapped_model=None,
    )
    callback: Any = CalibrationCallback(str(directory))
    callback.on_start(trainer)
    callback.on_end(trainer, **{"metrics": {}, "epoch": 0, "is_primary": True, **kwargs})


@pytest.mark.parametrize("kind", ["all right", "all wrong", "none"])
def test_what_cannot_be_calibrated_is_one_line(
    kind: str, archive_path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    archive, dev = load_archive(archive_path), None
    if kind != "none":
        dev = tmp_path / "dev"
        predicted = tag_file(archive, DEV)
        lines = []
        for sentence in predicted:
            iob2 = convert(sentence.predicted, "BIOES", "IOB2")
            lines += [
                f"{word}\t{'O' if kind == 'all wrong' else tag}" for word, tag in zip(sentence.words, iob2, strict=True)
            ]
            lines.append("")
        dev.write_text("\n".join(lines), encoding="utf-8")
    ended(archive, tmp_path, dev)
    ended(archive, tmp_path, dev, is_primary=False)
    (warning,) = [record for record in caplog.records if record.name == calibration.__name__]
    assert "not calibrated" in warning.getMessage() and "\n" not in warning.getMessage()
    assert archive.model.crf.temperature == 1 and not (tmp_path / "best.th").exists()


def test_it_fits_the_development_data_and_keeps_the_mode(archive_path: Path, tmp_path: Path) -> None:
    archive = load_archive(archive_path)
    spans = predicted_spans(
        archive, read_labelled(archive.validation_dataset_reader, "fixtures/wnut17/emerging.test.annotated")
    )
    expected = fit_temperature([batch.scored for batch in spans])
    archive.model.train()
    before = archive.model.get_metrics()
    ended(archive, tmp_path, Path("fixtures/wnut17/emerging.test.annotated"))
    assert archive.model.training and archive.model.get_metrics() == before
    assert archive.model.crf.temperature == pytest.approx(expected, rel=1e-6)
    assert float(torch.load(tmp_path / "best.th")[KEY]) == archive.model.crf.temperature
    (tmp_path / "best.th").unlink()
    ended(archive, tmp_path, Path(DEV), is_primary=False)
    ended(archive, tmp_path, Path(DEV), metrics=None)  # a run that broke off
    assert not (tmp_path / "best.th").exists()


def test_processes_put_together_what_each_predicts(
    archive_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentences = Path("fixtures/wnut17/emerging.test.annotated").read_text(encoding="utf-8").strip().split("\n\n")
    archive = load_archive(archive_path)
    shards = [tmp_path / "0", tmp_path / "1"]
    for number, shard in enumerate(shards):
        shard.write_text("\n\n".join(sentences[number::2]) + "\n", encoding="utf-8")
    of_second = calibration._predicted(archive.model, loader_of(archive, shards[1]), torch.device("cpu"))
    monkeypatch.setattr(calibration.dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(
        calibration.dist, "all_gather_object", lambda of_all, own: of_all.__setitem__(slice(None), [own, of_second])
    )
    ended(archive, tmp_path, shards[0], distributed=True)
    together = archive.model.crf.temperature
    archive = load_archive(archive_path)
    ended(archive, tmp_path, Path("fixtures/wnut17/emerging.test.annotated"))
    assert together == pytest.approx(archive.model.crf.temperature, rel=1e-6)
    monkeypatch.undo()
    ended(archive, tmp_path, shards[0])
    assert together != pytest.approx(archive.model.crf.temperature, rel=1e-3)


def test_what_it_refuses(archive_path: Path) -> None:
    callback: Any = CalibrationCallback("runs/none")
    with pytest.raises(ConfigurationError, match="the model is a Linear. Remove the callback"):
        callback.on_start(SimpleNamespace(model=torch.nn.Linear(1, 1)))
    model = load_archive(archive_path, overrides='{"model.temperature": 1.5}').model
    with pytest.raises(ConfigurationError, match="the temperature that `model.temperature` gives"):
        callback.on_start(SimpleNamespace(model=model))
    model = load_archive(archive_path).model
    with pytest.raises(ConfigurationError, match="needs all weights in one process"):
        callback.on_start(SimpleNamespace(model=model, _ddp_wrapped_model=SimpleNamespace(is_sharded=True)))


@pytest.mark.parametrize("value", [torch.tensor(0.0), torch.tensor(float("inf")), torch.tensor([1.0, 2.0])])
def test_weights_with_a_temperature_that_is_none_are_refused(value: torch.Tensor, archive_path: Path) -> None:
    model = load_archive(archive_path).model
    with pytest.raises(RuntimeError, match="crf.temperature must be a finite number above 0"):
        model.load_state_dict({**model.state_dict(), KEY: value})
    assert temperature_of({KEY: value}) == 1
