"""What Prometheus reads at `/metrics`: a registry of the application's own."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """
    Requests by path and status, their seconds, batches of each tagger and what waits for it, and what the process uses.

    # Parameters

    paths : `Iterable[str]`
        Those of the application. Others are counted together: what stands in a path may be text.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = set(paths)
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)

        def named(kind: Any, name: str, text: str, labels: tuple[str, ...], **options: Any) -> Any:
            return kind(f"roseq_{name}", text, labels, registry=self._registry, **options)

        self._requests = named(Counter, "requests", "Requests that have ended", ("path", "status"))
        self._seconds = named(Histogram, "request_seconds", "From request to answer", ("path",), buckets=_SECONDS)
        self._inputs = named(Counter, "inputs", "Texts and lists of tokens that were tagged", ("model",))
        self._batch = named(Histogram, "batch_requests", "Requests of a batch", ("model",), buckets=_COUNTS)
        self._batch_seconds = named(Histogram, "batch_seconds", "Work on a batch", ("model",), buckets=_SECONDS)
        self._waiting = named(Gauge, "waiting_requests", "Requests that wait for a batch", ("model",))

    def of_request(self, scope: Mapping[str, Any], status: int, seconds: float) -> None:
        """Counts a request that has ended."""
        path = scope["path"] if scope["path"] in self._paths else "other"
        self._requests.labels(path, status).inc()
        self._seconds.labels(path).observe(seconds)

    def of_model(self, name: str, waiting: Callable[[], int]) -> Callable[[int, int, float], None]:
        """What counts a batch of a tagger, see `Batcher`; `waiting` says how many requests wait for it."""
        self._waiting.labels(name).set_function(waiting)

        def observe(requests: int, inputs: int, seconds: float) -> None:
            self._batch.labels(name).observe(requests)
            self._batch_seconds.labels(name).observe(seconds)
            self._inputs.labels(name).inc(inputs)

        return observe

    def page(self) -> bytes:
        """In Prometheus's text format."""
        return generate_latest(self._registry)
