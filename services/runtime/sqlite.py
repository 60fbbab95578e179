"""The port to a database on SQLite files: a log, a vault and attempts each in a file of its own."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any, cast

from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
)

from services.runtime.store import LOG_TABLES, Form, Raw, Table, insert_statement
from services.runtime.store import Cursor as AnyCursor

PRAGMAS = (
    "synchronous=FULL",
    "cache_size=-65536",
    "mmap_size=268435456",
    "temp_store=MEMORY",
    "wal_autocheckpoint=4000",
)
BUSY_S = 60
MOST_VALUES = 500
BEFORE_EVERYTHING = -(2**63)
GLANCE_S = 0.05
"""How often to look whether another process has changed the file."""

_FORMS: dict[Form, str] = {"text": "TEXT", "integer": "INTEGER", "bytes": "BLOB", "serial": "INTEGER"}
_RAW = (
    "SELECT rowid, CAST(originator_id AS BLOB), originator_version, CAST(topic AS BLOB), CAST(state AS BLOB),"
    " typeof(originator_id), typeof(originator_version), typeof(topic), typeof(state)"
    " FROM stored_events WHERE rowid > ? AND rowid <= ? ORDER BY rowid"
)
_TYPES = ("text", "integer", "text", "blob")


class Cursor(sqlite3.Cursor):
    """The driver's cursor with the two statements that differ between databases."""

    def insert(self, table: Table, rows: Sequence[Sequence[Any]], *, replace: bool = False) -> None:
        """Insert rows of all columns; with ``replace``, those with a known key take the new values."""
        values = f"VALUES ({', '.join('?' * len(table.columns))})"
        self.executemany(insert_statement(table, values, replace=replace), rows)

    def among(self, sql: str, values: Sequence[str]) -> list[Any]:
        """The rows of ``sql``, which ends in the name of a column that shall be one of ``values``, in any order."""
        found: list[Any] = []
        for start in range(0, len(values), MOST_VALUES):
            some = values[start : start + MOST_VALUES]
            found += self.execute(f"{sql} IN ({', '.join('?' * len(some))})", some).fetchall()
        return found


class SqliteDatabase:
    """One file through one connection; safe to share between threads."""

    def __init__(self, path: Path, tables: tuple[Table, ...]) -> None:
        self._lock = RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=BUSY_S)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            self._db.execute(f"PRAGMA {pragma}")
        for statement in create_statements(tables):
            self._db.execute(statement)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def look(self, statement: str, values: Sequence[Any] = (), /) -> list[Any]:
        """The rows of one statement that changes nothing."""
        with self._lock:
            return self._db.execute(statement, values).fetchall()

    @contextmanager
    def reading(self) -> Iterator[AnyCursor]:
        """Statements that see the same state as long as nobody else writes between them."""
        with self._lock:
            yield self._db.cursor(Cursor)

    @contextmanager
    def writing(self) -> Iterator[AnyCursor]:
        """One write transaction, rolled back if the block raises."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db.cursor(Cursor)
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    def shred(self, tables: Sequence[str]) -> None:
        """What was deleted is overwritten in the file at once; here also in its log of changes."""
        with self._lock:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


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
            *create_statements(LOG_TABLES),
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


class SqliteEventStore:
    """The log in one file. Readers see a consistent state and never wait for the writer.

    Raises:
        sqlite3.OperationalError: when another process holds the lock for longer than a minute; retry.
    """

    position = "rowid"

    def __init__(self, path: Path) -> None:
        self._datastore = SQLiteDatastore(str(path), lock_timeout=BUSY_S, originator_id_type="text")
        library_pool = self._datastore.pool
        self._datastore.pool = Pool(db_name=str(path), lock_timeout=BUSY_S)
        library_pool.close()
        self.recorder = Recorder(self._datastore)
        self.recorder.create_table()
        self._seen = 0

    def close(self) -> None:
        """Close every connection."""
        self._datastore.close()

    @contextmanager
    def exclusive(self) -> Iterator[AnyCursor]:
        """One write transaction, the lock taken first; rolled back if the block raises."""
        with self._datastore.get_connection(commit=True) as connection:
            cursor = _driver(connection).cursor(Cursor)
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
                connection.commit()
            except BaseException:
                connection.rollback()
                raise

    writing = exclusive  # a file has one writer, whatever it writes

    def look(self, statement: str, values: Sequence[Any] = (), /) -> list[Any]:
        """The rows of one statement that changes nothing."""
        with self._datastore.get_connection(commit=False) as connection:
            return _driver(connection).execute(statement, values).fetchall()

    @contextmanager
    def reading(self) -> Iterator[AnyCursor]:
        """One read transaction: everything in it sees the same state."""
        with self._datastore.get_connection(commit=False) as connection:
            cursor = _driver(connection).cursor(Cursor)
            cursor.execute("BEGIN")
            try:
                yield cursor
            finally:
                connection.rollback()

    def append(self, cursor: AnyCursor, events: Sequence[StoredEvent], after: int) -> None:
        """Append events inside `exclusive`.

        Raises:
            RuntimeError: when the file gives them other positions than those that follow ``after``.
        """
        assert isinstance(cursor, sqlite3.Cursor), "a cursor of this store"
        positions = self.recorder.insert_inside(SQLiteCursor(cursor), events)
        if positions and (positions[0] != after + 1 or positions[-1] != after + len(events)):
            found = f"{positions[0]} to {positions[-1]}"
            raise RuntimeError(f"expected positions {after + 1} to {after + len(events)}, found {found}")

    def raw(self, cursor: AnyCursor, after: int, until: int) -> list[Raw] | None:
        """The stored bytes of facts; whatever stands before the first position belongs to the first batch."""
        rows = cursor.execute(_RAW, (after or BEFORE_EVERYTHING, until)).fetchall()
        if any(tuple(row[5:]) != _TYPES for row in rows):
            return None
        return [tuple(row[:5]) for row in rows]

    def shred(self, tables: Sequence[str]) -> None:
        """The log holds nothing that must be shredded."""

    def wait(self, timeout_s: float) -> bool:
        """Look at the file's newest position until it changes or the time is over."""
        deadline = time.monotonic() + timeout_s
        while (head := self.recorder.max_notification_id() or 0) == self._seen and time.monotonic() < deadline:
            time.sleep(min(GLANCE_S, max(0.0, deadline - time.monotonic())))
        changed, self._seen = head != self._seen, head
        return changed


def create_statements(tables: tuple[Table, ...]) -> list[str]:
    """What makes these tables and indexes where they are missing."""
    statements = []
    for table in tables:
        counted = any(form == "serial" for _, form in table.columns)
        ending = "" if counted else " WITHOUT ROWID"
        statements.append(f"CREATE TABLE IF NOT EXISTS {table.name} ({table.definition(_FORMS)}){ending}")
        statements += table.index_statements()
    return statements


def _driver(connection: SQLiteConnection) -> sqlite3.Connection:
    return connection._sqlite_conn  # noqa: SLF001  # the library has no public way to its driver's connection
