"""The library's own conformance cases over our recorder, on a file, with our pool and settings."""

import importlib
import shutil
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing import cryptography
from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import SQLiteDatastore

from services.runtime.sqlite import BUSY_S, Pool, Recorder

# The module of cases also holds some on ciphers and wants PyCryptodome for them; the library's other cipher does too.
sys.modules.setdefault("eventsourcing.cipher", cryptography)
persistence = importlib.import_module("eventsourcing.tests.persistence")


class OnAFile:
    """A recorder over a new file for each case, with the connections of a log."""

    recorder_class: type[Recorder] = Recorder

    def setUp(self) -> None:
        self._folder = Path(tempfile.mkdtemp())
        self._datastores: list[SQLiteDatastore] = []
        self._threads = set(threading.enumerate())

    def tearDown(self) -> None:
        for reader in set(threading.enumerate()) - self._threads:
            reader.join(timeout=30)  # the cases leave readers behind, and nobody may read what is being closed
        for datastore in self._datastores:
            datastore.close()
        shutil.rmtree(self._folder)

    def new_originator_id(self) -> str:
        return uuid4().hex

    def create_recorder(self) -> Any:
        datastore = open_datastore(self._folder / "log.db")
        self._datastores.append(datastore)
        recorder = self.recorder_class(datastore)
        recorder.create_table()
        return recorder


class WithoutPositions(Recorder):
    """The aggregate cases want no positions from an insert; everything else is ours."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> None:
        super().insert_events(stored_events, **kwargs)


class PositionsAsAList(Recorder):
    """Ours come as a range; the cases compare with a list."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> list[int]:
        return list(super().insert_events(stored_events, **kwargs) or ())


class TestRecorderOfStreams(OnAFile, persistence.AggregateRecorderTestCase):
    recorder_class = WithoutPositions
    test_performance = None  # prints a measurement and asserts nothing


class TestRecorderOfTheLog(OnAFile, persistence.ApplicationRecorderTestCase):
    recorder_class = PositionsAsAList
    test_performance = None  # the same


class TestPositionsOfTwoWriters(OnAFile, persistence.NonInterleavingNotificationIDsBaseCase):
    pass


def open_datastore(path: Path) -> SQLiteDatastore:
    datastore = SQLiteDatastore(str(path), lock_timeout=BUSY_S, originator_id_type="text")
    library_pool = datastore.pool
    datastore.pool = Pool(db_name=str(path), lock_timeout=BUSY_S)
    library_pool.close()
    return datastore


def events(stream: str, *versions: int) -> list[StoredEvent]:
    return [StoredEvent(stream, version, "some.fact.v1", b"state") for version in versions]


@pytest.mark.parametrize("in_between", ["DELETE FROM stored_events WHERE rowid = 6", "DELETE FROM stored_events"])
def test_a_position_is_never_used_twice_though_the_newest_event_was_deleted_and_the_file_vacuumed(
    tmp_path: Path, in_between: str
) -> None:
    datastore = open_datastore(tmp_path / "log.db")
    recorder = Recorder(datastore)
    recorder.create_table()
    assert list(recorder.insert_events(events("a", 1, 2, 3)) or ()) == [1, 2, 3]
    assert list(recorder.insert_events(events("b", 1, 2, 3)) or ()) == [4, 5, 6]

    other = sqlite3.connect(tmp_path / "log.db", isolation_level=None)
    other.execute(in_between)
    other.execute("VACUUM")
    other.close()
    after = recorder.insert_events(events("c", 1, 2))

    assert list(after or ()) == [7, 8]
    datastore.close()


def test_positions_in_the_middle_stay_what_they_were_when_a_file_with_gaps_is_vacuumed(tmp_path: Path) -> None:
    datastore = open_datastore(tmp_path / "log.db")
    recorder = Recorder(datastore)
    recorder.create_table()
    recorder.insert_events(events("a", 1, 2, 3, 4))

    other = sqlite3.connect(tmp_path / "log.db", isolation_level=None)
    other.execute("DELETE FROM stored_events WHERE rowid IN (1, 3)")
    other.execute("VACUUM")
    other.close()

    assert [found.id for found in recorder.select_notifications(None, 10)] == [2, 4]
    datastore.close()


def test_every_connection_of_the_pool_waits_for_the_disk_and_keeps_its_changes_beside_the_file(tmp_path: Path) -> None:
    datastore = open_datastore(tmp_path / "log.db")
    Recorder(datastore).create_table()

    for commit in (False, True):
        with datastore.transaction(commit=commit) as cursor:
            cursor.execute("PRAGMA synchronous")
            synchronous = cursor.fetchone()[0]
            cursor.execute("PRAGMA journal_mode")
            journal = cursor.fetchone()[0]

        assert (synchronous, journal) == (2, "wal")
    datastore.close()
