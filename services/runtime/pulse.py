"""How a process is: whether it is ready, and what it has done so far, for probes and metrics."""

from collections.abc import Callable, Mapping
from threading import Lock, Thread

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

ASK_S = 3.0
"""How long whoever looks waits for figures: less than Prometheus waits for us, more than a store at work needs."""

Figure = float | Mapping[str, float]
"""How much there is of something; of something that many have, how much each has."""

logger = structlog.get_logger()


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
            "hujiao_figure",
            "How much there is of each thing, and whose it is where many have it.",
            ["service", "of", "whose"],
            registry=self._registry,
        )
        self._figures: dict[str, Callable[[], Figure]] = {}
        self._looking = Lock()
        self._asking: Thread | None = None
        self._told: dict[str, Figure] = {}

    def count(self, what: str, times: int = 1) -> None:
        """Something was done."""
        self._done.labels(self.service, what).inc(times)

    def there(self, part: str, up: bool) -> None:
        """A part of the process has, or has lost, what it waits for."""
        with self._lock:
            self._there[part] = up
        self._up.labels(self.service, part).set(up)

    def figure(self, of: str, ask: Callable[[], Figure]) -> None:
        """A figure to be asked for whenever somebody looks."""
        self._figures[of] = ask

    def parts(self) -> Mapping[str, bool]:
        """Which parts have what they wait for."""
        with self._lock:
            return dict(self._there)

    def ready(self) -> bool:
        """Whether all of them have; not before the first has said so."""
        parts = self.parts()
        return bool(parts) and all(parts.values())

    def metrics(self) -> bytes:
        """Everything as Prometheus reads it; figures that are not to be had now are left out."""
        with self._looking:
            if self._asking is None or not self._asking.is_alive():
                # a store that has gone can keep whoever asks it for long
                self._asking = Thread(target=self._ask, name="figures", daemon=True)
                self._asking.start()
            self._asking.join(ASK_S)
            self._gauges.clear()
            told = {} if self._asking.is_alive() else self._told
            for of, figure in told.items():
                for whose, value in figure.items() if isinstance(figure, Mapping) else (("", figure),):
                    self._gauges.labels(self.service, of, whose).set(value)
            return generate_latest(self._registry)

    def _ask(self) -> None:
        told: dict[str, Figure] = {}
        try:
            for of, ask in self._figures.items():
                told[of] = ask()
        except Exception as error:  # noqa: BLE001  # whatever it is, the other metrics are wanted all the more
            logger.warning("no_figures", error=str(error))
        self._told = told
