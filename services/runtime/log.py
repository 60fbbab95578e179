"""The log: all facts in one order, in SQLite through the recorders of the `eventsourcing` library.

This is the only module that knows the library. Beside its table of stored events stand those that must
change in the same transaction: inbox, timers, seals, cursors and what is parked.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
)

from events.catalog import CATALOG, Catalog
from events.envelope import Recorded

PRAGMAS = (
    "synchronous=FULL",
    "cache_size=-65536",
    "mmap_size=268435456",
    "temp_store=MEMORY",
    "wal_autocheckpoint=4000",
)
BUSY_S = 60
READ = 1000


class Pool(SQLiteConnectionPool):
    """The library's pool with our settings on every connection."""

    def _create_connection(self) -> SQLiteConnection:
        connection = super()._create_connection()
        for pragma in PRAGMAS:
            connection.cursor().execute(f"PRAGMA {pragma}")
        return connection


class Recorder(SQLiteApplicationRecorder):
    """The library's recorder with positions that are never used twice, and inserts in one statement.

    Positions are an explicit AUTOINCREMENT column that the library expects to be called ``rowid``: implicit
    ones are issued again after the newest event is deleted, and a VACUUM may renumber them.
    """

    def __init__(self, datastore: SQLiteDatastore) -> None:
        super().__init__(datastore)
        self.insert_events_statement = (
            "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES (?,?,?,?)"
        )

    def construct_create_table_statements(self) -> list[str]:
        """The tables of the log."""
        return [
            "CREATE TABLE IF NOT EXISTS stored_events (rowid INTEGER PRIMARY KEY AUTOINCREMENT,"
            " originator_id TEXT NOT NULL, originator_version INTEGER NOT NULL, topic TEXT NOT NULL,"
            " state BLOB NOT NULL, UNIQUE (originator_id, originator_version))",
            "CREATE INDEX IF NOT EXISTS erased ON stored_events (originator_id) WHERE topic = 'report.erased.v1'",
            "CREATE TABLE IF NOT EXISTS inbox (source_id TEXT PRIMARY KEY, request BLOB NOT NULL,"
            " answer BLOB NOT NULL) WITHOUT ROWID",
            "CREATE TABLE IF NOT EXISTS timers (id TEXT PRIMARY KEY, due INTEGER NOT NULL,"
            " request BLOB NOT NULL) WITHOUT ROWID",
            "CREATE INDEX IF NOT EXISTS timers_due ON timers (due, id)",
            "CREATE TABLE IF NOT EXISTS seals (position INTEGER PRIMARY KEY, seal BLOB NOT NULL)",
            "CREATE TABLE IF NOT EXISTS cursors (name TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID",
            "CREATE TABLE IF NOT EXISTS parked (what TEXT PRIMARY KEY, position INTEGER, stream TEXT NOT NULL,"
            " cause TEXT NOT NULL, parked_at INTEGER NOT NULL, released INTEGER NOT NULL DEFAULT 0,"
            " due INTEGER, request BLOB) WITHOUT ROWID",
            "CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        ]

    def insert_inside(self, c: SQLiteCursor, stored_events: Sequence[StoredEvent]) -> Sequence[int]:
        """Insert inside the caller's transaction; gives the positions."""
        return self._insert_events(c, stored_events)

    def _insert_events(self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int]:
        c.executemany(
            self.insert_events_statement,
            [
                (
                    event.originator_id if isinstance(event.originator_id, str) else event.originator_id.hex,
                    event.originator_version,
                    event.topic,
                    event.state,
                )
                for event in stored_events
            ],
        )
        if not stored_events:
            return ()
        c.execute("SELECT last_insert_rowid()")
        last = cast(int, c.fetchone()[0])
        return range(last - len(stored_events) + 1, last + 1)


class Log:
    """One log in one file. Readers see a consistent state and never wait for the writer.

    Raises:
        sqlite3.OperationalError: when another process holds the lock for longer than a minute; retry.
    """

    def __init__(self, path: Path, catalog: Catalog = CATALOG) -> None:
        self.catalog = catalog
        self._datastore = SQLiteDatastore(str(path), lock_timeout=BUSY_S, originator_id_type="text")
        library_pool = self._datastore.pool
        self._datastore.pool = Pool(db_name=str(path), lock_timeout=BUSY_S)
        library_pool.close()
        self.recorder = Recorder(self._datastore)
        self.recorder.create_table()

    def close(self) -> None:
        """Close every connection."""
        self._datastore.close()

    @contextmanager
    def exclusive(self) -> Iterator[sqlite3.Cursor]:
        """One write transaction, the lock taken first; rolled back if the block raises."""
        with self._datastore.get_connection(commit=True) as connection:
            cursor = connection.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor.sqlite_cursor
                connection.commit()
            except BaseException:
                connection.rollback()
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Cursor]:
        """One read transaction: everything in it sees the same state."""
        with self._datastore.transaction(commit=False) as cursor:
            yield cursor.sqlite_cursor

    def insert(self, cursor: sqlite3.Cursor, events: Sequence[StoredEvent]) -> Sequence[int]:
        """Append events inside `exclusive`; gives their positions, contiguous."""
        return self.recorder.insert_inside(SQLiteCursor(cursor), events)

    def head(self) -> int:
        """The position of the newest fact; 0 for an empty log."""
        return self.recorder.max_notification_id() or 0

    def after(self, position: int, limit: int = READ, stop: int | None = None) -> list[Recorded]:
        """At most ``limit`` facts after ``position`` (to ``stop``, inclusive), in order."""
        notifications = self.recorder.select_notifications(position, limit, stop, inclusive_of_start=False)
        return [
            self._recorded(found.id, cast(str, found.originator_id), found.originator_version, found.topic, found.state)
            for found in notifications
        ]

    def all_after(self, position: int = 0, stop: int | None = None) -> Iterator[list[Recorded]]:
        """Everything after ``position`` in batches."""
        while batch := self.after(position, stop=stop):
            yield batch
            position = batch[-1].position

    def stream(self, stream: str, cursor: sqlite3.Cursor | None = None) -> list[Recorded]:
        """All facts of one stream in order; inside a transaction when its cursor is given."""
        if cursor is None:
            with self.reading() as own:
                return self.stream(stream, own)
        cursor.execute(
            "SELECT rowid, originator_version, topic, state FROM stored_events WHERE originator_id=?"
            " ORDER BY originator_version",
            (stream,),
        )
        return [self._recorded(row[0], stream, row[1], row[2], row[3]) for row in cursor.fetchall()]

    def erased(self) -> list[str]:
        """The streams of all reports whose person was erased."""
        with self.reading() as cursor:
            cursor.execute("SELECT originator_id FROM stored_events WHERE topic = 'report.erased.v1'")
            return [row[0] for row in cursor.fetchall()]

    def _recorded(self, position: int, stream: str, version: int, topic: str, state: bytes) -> Recorded:
        name, meta, fact = self.catalog.decode(topic, state)
        return Recorded(position, stream, version, name, meta, fact)
