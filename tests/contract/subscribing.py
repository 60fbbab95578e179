"""What the contract of subscriptions is tried on: a log in some store, facts told there, and somebody who listens."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from eventsourcing.persistence import StoredEvent

from events.call import CallIssued, CallReleased
from events.case import Due, LegPlan
from events.district import District, DistrictConfigured
from events.envelope import Fact, Meta, fact_id
from services.messaging.log_cursor import LogCursor
from services.messaging.queues import Queues
from services.runtime import configuration
from services.runtime.attempts import Attempts
from services.runtime.clock import VirtualClock
from services.runtime.log import Log
from services.runtime.parking import Parked, Parking, all_parked
from services.runtime.places import Place
from services.runtime.pulse import Pulse

SUBSCRIBER = "listener"
TOWNS = ("445303100", "445303101")
NAMES = ("call.issued.v1", "call.released.v1")
MONDAY_MORNING = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
META = Meta(recorded_at=MONDAY_MORNING, causation="test/1", actor="test")


class Store:
    """A log in some place with the counted attempts beside it. Facts are told straight to the log."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.log = Log(place.log())
        self._attempts = place.attempts()

    def close(self) -> None:
        self.log.close()
        self._attempts.close()

    def attempts(self, subscriber: str = SUBSCRIBER) -> Attempts:
        return Attempts(self._attempts, subscriber)

    def configure(self, district: District) -> None:
        self.append(configuration.STREAM, DistrictConfigured(hash="1", district=district))

    def append(self, stream: str, fact: Fact) -> None:
        """Append the next fact of a stream."""
        self._append([(stream, len(self.log.stream(stream)) + 1, fact)])

    def tell(self, *streams: str) -> list[str]:
        """Append the next fact of each of these streams, in one transaction; gives their ids in order."""
        with self.log.reading() as cursor:
            versions = {stream: len(self.log.stream(stream, cursor)) for stream in streams}
        told: list[tuple[str, int, Fact]] = []
        for stream in streams:
            versions[stream] += 1
            told.append((stream, versions[stream], _fact(stream, versions[stream])))
        self._append(told)
        return [fact_id(stream, version) for stream, version, _ in told]

    def parked(self) -> list[Parked]:
        with self.log.reading() as cursor:
            return list(all_parked(cursor))

    def position(self, subscriber: str) -> int:
        """Up to where somebody has come in the log."""
        with self.log.reading() as cursor:
            return Parking(subscriber).position(cursor)

    def operate(self, act: Callable[..., bool], what: str) -> None:
        """Have an operator release or drop something."""
        with self.log.store.writing() as cursor:
            assert act(cursor, what)

    def _append(self, facts: Sequence[tuple[str, int, Fact]]) -> None:
        catalog = self.log.catalog
        stored = [
            StoredEvent(stream, version, catalog.name(fact), catalog.encode(META, fact))
            for stream, version, fact in facts
        ]
        with self.log.exclusive() as cursor:
            self.log.append(cursor, stored, self.log.head())


def cursor_on(store: Store, pulse: Pulse | None = None, batch: int = 50, **more: Any) -> LogCursor:
    lock = store.place.lock(SUBSCRIBER)
    clock = VirtualClock(MONDAY_MORNING)
    return LogCursor(store.log, store.attempts(), clock, SUBSCRIBER, lock, NAMES, pulse, batch, **more)


def queues_at(url: str, queues: Sequence[str], store: Store, pulse: Pulse | None = None) -> Queues:
    lock = store.place.lock(SUBSCRIBER)
    clock = VirtualClock(MONDAY_MORNING)
    return Queues(url, queues, store.log, store.attempts(), clock, SUBSCRIBER, lock, pulse)


def _fact(stream: str, version: int) -> Fact:
    about = {"case": f"case of {stream}", "town": TOWNS[stream.startswith("b")], "platform": "P4"}
    if version > 1:
        return CallReleased(**about, departments=())
    return CallIssued(
        **about,
        attempt=1,
        level="town",
        village="",
        matter="602",
        handling_class="U3",
        legs=(LegPlan("D15", "lead", required=True),),
        result=Due(by=MONDAY_MORNING, rule="test"),
    )
