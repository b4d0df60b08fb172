import pytest

from roseq_allennlp.predictors import worker_pool


@pytest.fixture(autouse=True)
def no_processes_are_left():
    yield
    worker_pool._close_all()


@pytest.fixture(scope="module")
def with_emissions(tagger):
    """The tagger, whose model keeps its emissions."""
    before = tagger._model._return_emissions
    tagger._model._return_emissions = True
    yield tagger
    tagger._model._return_emissions = before
