"""The library's own conformance cases over our recorder on PostgreSQL, and the positions that it gives."""

import importlib
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from eventsourcing import cryptography
from eventsourcing.persistence import IntegrityError, StoredEvent
from eventsourcing.postgres import PostgresSubscription

from services.runtime.postgres_log import PostgresEventStore, Recorder

# The module of cases also holds some on ciphers and wants PyCryptodome for them; the library's other cipher does too.
sys.modules.setdefault("eventsourcing.cipher", cryptography)
persistence = importlib.import_module("eventsourcing.tests.persistence")


class OnAServer:
    """A recorder over a new database for each case, as the log has it."""

    recorder_class: type[Recorder] = Recorder

    @pytest.fixture(autouse=True)
    def _database(self, postgres_url: str) -> None:
        self._url = postgres_url

    def setUp(self) -> None:
        self._stores: list[PostgresEventStore] = []
        self._threads = set(threading.enumerate())

    def tearDown(self) -> None:
        for store in self._stores:
            store.close()
        for reader in set(threading.enumerate()) - self._threads:
            reader.join(timeout=30)

    def new_originator_id(self) -> str:
        return uuid4().hex

    def create_recorder(self) -> Any:
        store = PostgresEventStore(self._url)
        self._stores.append(store)
        return self.recorder_class(store)


class WithoutPositions(Recorder):
    """The aggregate cases want no positions from an insert; everything else is ours."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> None:
        super().insert_events(stored_events, **kwargs)


class PositionsAsAList(Recorder):
    """Ours come as a range; the cases compare with a list."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> list[int]:
        return list(super().insert_events(stored_events, **kwargs) or ())

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> "LooksAgain":
        return LooksAgain(recorder=self, gt=gt, topics=topics)


class LooksAgain(PostgresSubscription):
    """The library's looks once and then listens: of what comes in between it would never hear."""

    def _loop_on_pull(self) -> None:
        self._has_been_notified = AtMostASecond()
        super()._loop_on_pull()


class AtMostASecond(threading.Event):
    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(1.0)


class TestRecorderOfStreams(OnAServer, persistence.AggregateRecorderTestCase):
    recorder_class = WithoutPositions
    test_performance = None  # prints a measurement and asserts nothing


class TestRecorderOfTheLog(OnAServer, persistence.ApplicationRecorderTestCase):
    recorder_class = PositionsAsAList
    test_performance = None  # the same

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestPositionsOfTwoWriters(OnAServer, persistence.NonInterleavingNotificationIDsBaseCase):
    pass


class Stop(Exception):
    """Something outside the store went wrong."""


@pytest.fixture
def store(postgres_url: str) -> Any:
    opened = PostgresEventStore(postgres_url)
    yield opened
    opened.close()


def events(stream: str, *versions: int) -> list[StoredEvent]:
    return [StoredEvent(stream, version, "some.fact.v1", b"state") for version in versions]


def positions(store: PostgresEventStore) -> list[int]:
    return [found.id for found in store.recorder.select_notifications(None, 10_000)]


def test_transactions_that_are_rolled_back_leave_no_gap_in_the_positions(store: PostgresEventStore) -> None:
    recorder = store.recorder
    recorder.insert_events(events("a", 1, 2))

    with pytest.raises(IntegrityError):
        recorder.insert_events(events("b", 1, 2, 2))
    with suppress(Stop), store.exclusive() as cursor:
        store.append(cursor, events("c", 1, 2, 3), 2)
        raise Stop
    recorder.insert_events(events("d", 1))
    with store.exclusive() as cursor:
        store.append(cursor, events("e", 1, 2), 3)

    assert positions(store) == [1, 2, 3, 4, 5]


def test_a_position_is_given_once_though_two_say_that_they_follow_the_same(store: PostgresEventStore) -> None:
    store.recorder.insert_events(events("a", 1))

    with pytest.raises(psycopg.errors.UniqueViolation), store.exclusive() as cursor:
        store.append(cursor, events("b", 1), 0)

    assert positions(store) == [1]


def test_who_reads_on_from_a_position_while_several_append_and_roll_back_misses_nothing(
    postgres_url: str, store: PostgresEventStore
) -> None:
    writers, writes, failures = 3, 40, []
    over = threading.Event()
    read: list[int] = []

    def write(name: str) -> None:
        own = PostgresEventStore(postgres_url)
        try:
            for n in range(writes):
                own.recorder.insert_events(events(f"{name}-{n}", 1, 2, 3))
                with suppress(IntegrityError):
                    own.recorder.insert_events(events(f"{name}-{n}", 4, 4))
        except BaseException as error:  # noqa: BLE001 - it is looked at in the test's own thread
            failures.append(error)
        finally:
            own.close()

    def read_on() -> None:
        while not (over.is_set() and store.recorder.max_notification_id() == (read or [0])[-1]):
            last = read[-1] if read else None
            read.extend(found.id for found in store.recorder.select_notifications(last, 7, inclusive_of_start=False))

    reader = threading.Thread(target=read_on)
    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"[:writers]]
    for thread in (reader, *threads):
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    over.set()
    reader.join(timeout=60)

    assert failures == []
    assert read == list(range(1, 3 * writers * writes + 1))


def test_a_transaction_of_somebody_else_that_takes_its_time_to_append_keeps_later_positions_back(
    store: PostgresEventStore, postgres_url: str
) -> None:
    other = PostgresEventStore(postgres_url)
    done = threading.Event()

    def append_too() -> None:
        other.recorder.insert_events(events("b", 1))
        done.set()

    with store.exclusive() as cursor:
        store.append(cursor, events("a", 1, 2), 0)
        thread = threading.Thread(target=append_too)
        thread.start()
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
        with store.reading() as looking:
            while not looking.execute(waits).fetchone()[0]:
                assert thread.is_alive()
        assert positions(store) == []
        assert not done.is_set()
    thread.join(timeout=30)

    assert [(found.id, found.originator_id) for found in store.recorder.select_notifications(None, 9)] == [
        (1, "a"),
        (2, "a"),
        (3, "b"),
    ]
    other.close()
