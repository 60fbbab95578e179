"""How a process is: whether it is ready, and what it has done so far, for probes and metrics."""

from collections.abc import Callable, Mapping
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest


class Pulse:
    """The readiness and the figures of one process. Safe to use from any thread.

    A process is ready when everything that it waits for is there: each part says so under a name of its own.
    """

    def __init__(self, service: str = "") -> None:
        self.service = service
        self._lock = Lock()
        self._there: dict[str, bool] = {}
        self._registry = CollectorRegistry()
        self._done = Counter(
            "hujiao_done",
            "How often this process has done each thing.",
            ["service", "what"],
            registry=self._registry,
        )
        self._up = Gauge(
            "hujiao_ready",
            "1 while what this part of the process waits for is there.",
            ["service", "part"],
            registry=self._registry,
        )
        self._gauges = Gauge(
            "hujiao_figure", "How much there is of each thing.", ["service", "of"], registry=self._registry
        )
        self._asked: dict[str, Callable[[], float]] = {}

    def count(self, what: str, times: int = 1) -> None:
        """Something was done."""
        self._done.labels(self.service, what).inc(times)

    def there(self, part: str, up: bool) -> None:
        """A part of the process has, or has lost, what it waits for."""
        with self._lock:
            self._there[part] = up
        self._up.labels(self.service, part).set(up)

    def figure(self, of: str, ask: Callable[[], float]) -> None:
        """A figure to be asked for whenever somebody looks."""
        self._asked[of] = ask

    def parts(self) -> Mapping[str, bool]:
        """Which parts have what they wait for."""
        with self._lock:
            return dict(self._there)

    def ready(self) -> bool:
        """Whether all of them have; not before the first has said so."""
        parts = self.parts()
        return bool(parts) and all(parts.values())

    def metrics(self) -> bytes:
        """Everything as Prometheus reads it."""
        for of, ask in self._asked.items():
            self._gauges.labels(self.service, of).set(ask())
        return generate_latest(self._registry)
