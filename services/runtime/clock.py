"""Where time comes from. All times are aware UTC; a data directory remembers which clock it has."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """The current time, aware, UTC. Never earlier than an answer before."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The machine's time."""
        return datetime.now(UTC)


class VirtualClock:
    """Stands still until it is moved: the replay's clock."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """Where it was moved last."""
        return self._now

    def move(self, to: datetime) -> None:
        """Move on to ``to``; an earlier time leaves it where it is."""
        self._now = max(self._now, to)


class ScaledClock:
    """Runs ``speed`` times as fast as the machine's clock: the demo's clock. The speed may change at any time."""

    def __init__(self, start: datetime, speed: float) -> None:
        self._pace = (start, time.monotonic(), speed)

    @property
    def speed(self) -> float:
        """How many of its seconds pass in one of ours."""
        return self._pace[2]

    def now(self) -> datetime:
        """The scaled time."""
        start, since, speed = self._pace
        return start + timedelta(seconds=(time.monotonic() - since) * speed)

    def run_at(self, speed: float) -> None:
        """Change the speed from now on."""
        self._pace = (self.now(), time.monotonic(), speed)
