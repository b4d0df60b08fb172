import json
import subprocess

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from roseq_allennlp.experiments import measuring
from roseq_allennlp.experiments.measuring import epochs_of, seconds_of


def test_revision(monkeypatch, tmp_path):
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    assert head.startswith(measuring.revision().rstrip("+"))
    monkeypatch.setattr(measuring, "__file__", str(tmp_path / "measuring.py"))
    assert measuring.revision() == "0.1.0"


@pytest.mark.parametrize(
    "durations, seconds",
    [
        ([], 0),
        (["0:00:05", "0:00:10.500000"], 10.5),
        (["0:00:05", "0:00:10", "0:00:04", "0:00:09"], 19),  # resumed after the second
        (["23:59:50", "1 day, 0:00:10", "2 days, 1:00:00.250000"], 2 * 86400 + 3600.25),
    ],
)
def test_seconds_of_a_resumed_run(durations, seconds, tmp_path):
    for number, duration in enumerate(durations):
        (tmp_path / f"metrics_epoch_{number}.json").write_text(json.dumps({"training_duration": duration}))
    assert seconds_of(epochs_of(tmp_path)) == pytest.approx(seconds)


def test_epochs_are_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 9, 2):
        (tmp_path / f"metrics_epoch_{number}.json").write_text(json.dumps({"epoch": number}))
    assert [epoch["epoch"] for epoch in epochs_of(tmp_path)] == [2, 9, 10]


@pytest.mark.parametrize("named, has_gpu, device", [({}, True, 0), ({}, False, -1), ({"cuda_device": 1}, True, 1)])
def test_a_run_is_scored_on_the_device_that_it_trained_on(named, has_gpu, device, tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text(json.dumps({"trainer": {"num_epochs": 3, **named}}))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)

    def load(directory, cuda_device):
        assert directory == tmp_path
        raise ConfigurationError(f"on {cuda_device}")

    monkeypatch.setattr(measuring, "load_archive", load)
    with pytest.raises(ConfigurationError, match=f"^on {device}$"):
        measuring.result_of(tmp_path, "wnut17", "base", 1, {})
