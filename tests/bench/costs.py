"""What a stretch of work costs: processor time of each process, and what PostgreSQL's clients wait for meanwhile."""

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

import psycopg

SAMPLE_S = 0.02
MOST_WAITS = 4
_TICKS = os.sysconf("SC_CLK_TCK")
_SELF = "this process"

_LOCK = (
    "SELECT bool_or(granted), count(*) FILTER (WHERE NOT granted) FROM pg_locks"
    " WHERE locktype = 'advisory' AND ((classid::bigint << 32) | objid::bigint) = hashtext('hujiao: append')::bigint"
)
_WAITS = (
    "SELECT wait_event_type || '/' || wait_event FROM pg_stat_activity"
    " WHERE state = 'active' AND wait_event IS NOT NULL AND pid <> pg_backend_pid()"
)


def processor_seconds(pids: Sequence[int]) -> float:
    """Processor time that these processes, and their children that have ended, have had so far."""
    ticks = 0
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            # the name in brackets may hold anything
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(") ")[2].split()
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / _TICKS


class Watch:
    """Watches processes, by name with their ids, and the log's lock, from `__enter__` to `__exit__`.

    The lock is looked at every `SAMPLE_S`: shares are shares of looks.
    """

    def __init__(self, processes: Mapping[str, Callable[[], Sequence[int]]], store_url: str = "") -> None:
        self._processes = {_SELF: lambda: (os.getpid(),), **processes}
        self._url = store_url
        self._over = Event()
        self._looks = self._held = self._waiting = 0
        self._waits: Counter[str] = Counter()
        self._began = self.seconds = 0.0
        self.processor: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._began = time.perf_counter()
        self.processor = {name: -processor_seconds(pids()) for name, pids in self._processes.items()}
        if self._url:
            self._looking = Thread(target=self._look, daemon=True)
            self._looking.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name, pids in self._processes.items():
            self.processor[name] += processor_seconds(pids())
        self.seconds = time.perf_counter() - self._began
        if self._url:
            self._over.set()
            self._looking.join()

    @property
    def held(self) -> float:
        """The share of time in which somebody held the log's lock."""
        return self._held / max(self._looks, 1)

    @property
    def waiting(self) -> float:
        """How many waited for it, on average."""
        return self._waiting / max(self._looks, 1)

    def show(self, deliveries: int, per: str = "1,000 deliveries") -> None:
        """Print where the time went."""
        whole = sum(self.processor.values())
        print(f"    {whole:.1f} s of processor in {self.seconds:.1f} s; each process's seconds for {per}:")
        for name, spent in sorted(self.processor.items(), key=lambda item: -item[1]):
            print(f"      {name:<24} {spent / deliveries * 1000:>7.3f} s   {spent / max(whole, 1e-9):>4.0%}")
        if self._looks:
            waits = ", ".join(f"{what} {n / self._looks:.2f}" for what, n in self._waits.most_common(MOST_WAITS))
            print(
                f"    the log's lock was held {self.held:.0%} of the time, {self.waiting:.2f} waited for it on average"
            )
            print(f"    waits of PostgreSQL's clients on average: {waits or 'none'}")

    def _look(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._over.wait(SAMPLE_S):
                held, waiting = connection.execute(_LOCK).fetchone() or (None, 0)
                self._looks, self._held, self._waiting = (
                    self._looks + 1,
                    self._held + bool(held),
                    self._waiting + waiting,
                )
                self._waits.update(row[0] for row in connection.execute(_WAITS))
