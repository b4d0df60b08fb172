import pytest

from roseq_allennlp.predictors import worker_pool


@pytest.fixture(autouse=True)
def no_processes_are_left():
    yield
    worker_pool._close_all()
