import pytest
import torch
from torch.multiprocessing import start_processes

from roseq_allennlp.training.metrics.loss_average import LossAverage


def test_mean_over_batches():
    metric = LossAverage()
    assert metric.get_metric() == 0.0
    for value in (1.0, 2.0, 6.0):
        metric(torch.tensor(value))
    value = metric.get_metric()
    assert type(value) is float and value == pytest.approx(3.0)


@pytest.mark.parametrize("by_reading", [True, False])
def test_reset(by_reading):
    metric = LossAverage()
    metric(torch.tensor(5.0))
    assert metric.get_metric() == 5.0
    assert metric.get_metric(reset=by_reading) == 5.0
    if not by_reading:
        metric.reset()
    assert metric.get_metric() == 0.0
    metric(torch.tensor(1.0))
    assert metric.get_metric() == 1.0


def test_keeps_no_graph():
    metric = LossAverage()
    metric(torch.ones((), requires_grad=True) * 2)
    assert not metric._total.requires_grad


def worker(rank, address):
    torch.distributed.init_process_group("gloo", init_method=address, world_size=2, rank=rank)
    metric = LossAverage()
    for value in ((1.0,), (4.0, 5.0, 6.0))[rank]:
        metric(torch.tensor(value))
    if rank == 0:
        assert metric.get_metric() == pytest.approx(1.0)  # one worker alone: waits for nobody
    assert metric.get_metric(reset=True) == pytest.approx(4.0)  # (1 + 4 + 5 + 6) / 4, not (1 + 5) / 2
    assert metric.get_metric() == 0.0
    torch.distributed.destroy_process_group()


def test_workers_add_sums_and_counts(tmp_path):
    start_processes(worker, (f"file://{tmp_path / 'store'}",), nprocs=2, start_method="fork")
