"""`distillation`, from an ensemble of two."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Optional
from unittest import mock

import pytest
import torch
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DataLoader, DatasetReader, Vocabulary
from allennlp.models import Model

from roseq_allennlp.data.tags_field import UNKNOWN_ID
from roseq_allennlp.models import DistillationCallback
from roseq_allennlp.models.archive import load_archive
from roseq_allennlp.models.finetuning import prepare
from roseq_allennlp.models.finetuning_request import FineTuning
from roseq_allennlp.nn.forward_backward import Potentials, token_marginals

CONFIG = "training_configs/fixture.jsonnet"
ENSEMBLE = {"type": "tagger_ensemble", "size": 2, "member": Params.from_file(CONFIG)["model"].as_dict()}


@pytest.fixture(scope="module")
def teacher_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("teacher") / "run"
    changes = {"model": ENSEMBLE, "trainer.num_epochs": 5, "trainer.callbacks": [{"type": "label_statistics"}]}
    train_model(Params.from_file(CONFIG, json.dumps(changes)), str(directory), file_friendly_logging=True)
    return directory / "model.tar.gz"


class Student:
    """A tagger that has not been trained, in a stand-in for the trainer, and a batch."""

    def __init__(
        self, archive: Path, weight: float, changes: Optional[dict[str, Any]] = None, config: Any = None
    ) -> None:
        changes = {"data_loader.shuffle": False, **(changes or {})}
        config = config or Params.from_file(CONFIG, json.dumps(changes)).as_dict(quiet=True)
        reader = DatasetReader.from_params(Params(config["dataset_reader"]))
        loader: Any = DataLoader.from_params(
            Params(config["data_loader"]), reader=reader, data_path=config["train_data_path"]
        )
        vocab = Vocabulary.from_params(Params(config["vocabulary"]), instances=loader.iter_instances())
        loader.index_with(vocab)
        self.model: Any = Model.from_params(Params(config["model"]), vocab=vocab)
        labels = vocab.get_token_to_index_vocabulary("labels")
        self.model.set_label_counts({label: 1000 if label == "O" else 10 for label in labels})
        for module in self.model.modules():
            if hasattr(module, "_embedding_dropout"):
                module._embedding_dropout = module._dropout = 0.0
        self.batch = next(iter(loader))
        self.callback = DistillationCallback("unused", str(archive), weight)
        self.trainer: Any = SimpleNamespace(model=self.model, data_loader=loader)

    def start(self) -> "Student":
        self.callback.on_start(self.trainer)
        return self

    def loss(self) -> torch.Tensor:
        return self.model(**self.batch)["loss"]


def test_the_gradient_of_a_batch(teacher_path: Path) -> None:
    """For a tag at a token: its probability less the teacher's, calibrated, times ζ of the student."""
    student = Student(teacher_path, 1.0, {"model.gamma": None}).start()
    student.callback._teacher.crf.temperature = 2.0
    emissions: list[torch.Tensor] = []

    def keep(layer: torch.nn.Module, args: Any, output: torch.Tensor) -> None:
        output.retain_grad()
        emissions.append(output)

    student.model._emission_layer.register_forward_hook(keep)
    student.loss().backward()
    mask = torch.zeros_like(student.batch["tags"], dtype=torch.bool)
    for row, entry in enumerate(student.batch["metadata"]):
        mask[row, : len(entry["words"])] = True
    teacher: Any = load_archive(teacher_path).model.eval()
    of_teacher = teacher.score_tags(student.batch["tokens"], None, mask)[0]
    own, others = (
        model.crf.potentials(each.detach().double(), constrained=False)
        for model, each in ((student.model, emissions[0]), (teacher, of_teacher))
    )
    expected = token_marginals(own, mask) - token_marginals(Potentials(*(scores / 2 for scores in others)), mask)
    difference = expected * student.model.crf.label_weights / len(mask)
    assert difference.abs().max() > 0.01
    torch.testing.assert_close(emissions[0].grad, difference.float(), atol=1e-6, rtol=1e-4)


def test_the_loss_is_a_mean(teacher_path: Path) -> None:
    """Of that with the gold tags alone, and that with the teacher alone; the focal loss has its whole weight in each."""
    losses = []
    for weight in (None, 0.3, 1.0):
        torch.manual_seed(3)
        student = Student(teacher_path, weight or 1.0)
        losses.append(float((student if weight is None else student.start()).loss()))
    gold, mixed, teacher = losses
    assert mixed == pytest.approx(0.7 * gold + 0.3 * teacher) and abs(gold - teacher) > 0.1


def test_tags_that_are_not_known(teacher_path: Path) -> None:
    """The teacher knows more of them than the gold tags do."""
    student = Student(teacher_path, 1.0, {"model.gamma": None}).start()
    del student.batch["metadata"]
    known = float(student.loss())
    student.batch["tags"][:, ::2] = UNKNOWN_ID
    assert float(student.loss()) == pytest.approx(known)


def test_the_teacher_is_asked_in_training_alone_and_once_for_a_batch(
    teacher_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    student = Student(teacher_path, 0.5, {"model": ENSEMBLE}).start()
    teacher = student.callback._teacher
    asked = mock.Mock(side_effect=teacher.score_tags)
    monkeypatch.setattr(teacher, "score_tags", asked)
    student.loss()
    student.loss()  # the adversarial pass has the same batch
    assert asked.call_count == 1
    student.batch = {**student.batch, "tokens": dict(student.batch["tokens"])}
    student.loss()
    assert asked.call_count == 2
    student.model.eval()
    validated = float(student.loss())
    student.callback.on_end(student.trainer)
    assert asked.call_count == 2 and validated == float(student.loss())
    student.model.train()
    student.loss()
    assert asked.call_count == 2


def test_a_run_beside_the_other_callbacks(teacher_path: Path, roseq: Any, tmp_path: Path) -> None:
    """It learns from the teacher, recovers bit for bit, and its archive does not need the teacher."""
    callbacks: list[dict[str, Any]] = [{"type": name} for name in ("exact_recovery", "label_statistics", "adversarial")]
    distillation = {"type": "distillation", "teacher": str(tmp_path / "teacher.tar.gz")}

    def train(name: str, num_epochs: int, last: dict[str, Any], *arguments: str) -> None:
        changes = {
            "trainer.num_epochs": num_epochs,
            "trainer.callbacks": [*callbacks, {"type": "augmentation"}, last, {"type": "calibration"}],
        }
        result = roseq("train", CONFIG, "-s", tmp_path / name, "-o", json.dumps(changes), *arguments)
        assert result.status == 0, result.err

    (tmp_path / "teacher.tar.gz").write_bytes(teacher_path.read_bytes())
    train("whole", 3, distillation)
    train("stopped", 1, distillation)
    train("stopped", 3, distillation, "--recover")
    train("without", 3, {"type": "late_start"})
    weights = {name: torch.load(tmp_path / name / "best.th") for name in ("whole", "stopped", "without")}
    assert {*weights["whole"]} - {"crf.temperature"} == {*weights["without"]} - {"crf.temperature"}
    assert all(torch.equal(value, weights["stopped"][name]) for name, value in weights["whole"].items())
    assert not torch.equal(weights["whole"]["crf.transitions"], weights["without"]["crf.transitions"])
    (tmp_path / "teacher.tar.gz").unlink()
    archive = load_archive(tmp_path / "whole" / "model.tar.gz")
    assert archive.model.teacher is None
    tuned = tmp_path / "tuned"
    prepare(FineTuning(str(tmp_path / "whole"), "fixtures/wnut17/wnut17train.conll", dev=None), tuned)
    types = [callback["type"] for callback in json.loads((tuned / "config.json").read_text())["trainer"]["callbacks"]]
    assert "adversarial" in types and "distillation" not in types


def test_two_processes_load_it_each(teacher_path: Path, tmp_path: Path) -> None:
    changes = {
        "trainer.num_epochs": 1,
        "trainer.callbacks": [{"type": "label_statistics"}, {"type": "distillation", "teacher": str(teacher_path)}],
        "distributed": {"cuda_devices": [-1, -1]},
    }
    command = [sys.executable, "-m", "roseq_allennlp", "train", CONFIG, "-s", str(tmp_path / "run")]
    result = subprocess.run([*command, "-o", json.dumps(changes)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert f"distilled from {teacher_path}" in result.stdout + result.stderr


def test_another_teacher_is_refused(
    teacher_path: Path, encoder_run: Any, encoder_config: Any, tiny_encoder: Path
) -> None:
    """With other words, and, where the vocabulary is the same, with another encoder."""
    message = "distillation: the teacher .* has other ids of {}. It must be trained with the same training data"
    with pytest.raises(ConfigurationError, match=message.format("token_characters")):
        Student(teacher_path, 0.5, {"vocabulary.min_count.token_characters": 3}).start()
    with pytest.raises(ConfigurationError, match=message.format("tokens")):
        Student(encoder_run(False), 0.5, config=encoder_config(tiny_encoder, False)).start()


def test_a_teacher_on_the_features_of_an_encoder(encoder_run: Any, encoder_config: Any, tiny_byte_level: Path) -> None:
    student = Student(encoder_run(False), 0.5, config=encoder_config(tiny_byte_level, False))
    gold = float(student.loss())
    assert float(student.start().loss()) != gold


def test_what_is_refused(teacher_path: Path) -> None:
    for weight in (0.0, 1.1, float("nan")):
        with pytest.raises(ConfigurationError, match="`weight` must be above 0 and at most 1; got"):
            DistillationCallback("unused", str(teacher_path), weight)
    with pytest.raises(ConfigurationError, match="runs/none"):
        Student(Path("runs/none"), 0.5).start()
    student = Student(teacher_path, 0.5)
    student.trainer.model = torch.nn.Linear(1, 1)
    with pytest.raises(ConfigurationError, match="the model is a Linear. Remove the callback"):
        student.start()
