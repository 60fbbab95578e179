"""The log on PostgreSQL: positions without gaps, in the order of commits, and a sign to whoever waits for more.

Who appends takes one lock before anything is read that a decision depends on, so that nobody who reads on from a
position misses what commits later. It is no lock on the table: a VACUUM would wait for that, and whoever appends for
the VACUUM.
"""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import psycopg
from eventsourcing.persistence import Notification, StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder
from psycopg import Connection

from services.runtime.postgres import Cursor, PostgresDatabase
from services.runtime.store import LOG_TABLES, Raw, Table
from services.runtime.store import Cursor as AnyCursor

CHANNEL = "hujiao_appended"
LOCK = "SELECT pg_advisory_xact_lock(hashtext('hujiao: append'))"
PAUSE_S = 0.2

_EVENTS = Table(
    "stored_events",
    (
        ("originator_id", "text"),
        ("originator_version", "integer"),
        ("topic", "text"),
        ("state", "bytes"),
        ("notification_id", "integer"),
    ),
    ("originator_id", "originator_version"),
)
_INDEXES = (
    "CREATE UNIQUE INDEX IF NOT EXISTS stored_events_positions ON stored_events (notification_id)",
    "CREATE INDEX IF NOT EXISTS erased ON stored_events (originator_id) WHERE topic = 'report.erased.v1'",
)


class Recorder(PostgresApplicationRecorder):
    """The library's recorder over a table whose positions have no gaps, in the order of commits.

    A sequence would lose numbers whenever a transaction is rolled back; with the lock held, the next position is
    the newest and one. The library's own reads try ten times while a server is away; ours say so at once.
    """

    def __init__(self, database: PostgresDatabase) -> None:
        super().__init__(database.datastore)
        self._database = database
        self.sql_create_statements = []
        self.channel_name = CHANNEL

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """Insert in a transaction of its own; gives the positions."""
        with self.datastore.transaction(commit=True) as cursor:
            cursor.execute(LOCK)
            cursor.execute("SELECT coalesce(max(notification_id), 0) AS newest FROM stored_events")
            found = cursor.fetchone()
            assert found is not None, "an aggregate gives a row"
            after: int = found["newest"]
            if stored_events:
                statements = Cursor(cursor)
                _append(statements, stored_events, after)
                statements.sent()
        return range(after + 1, after + len(stored_events) + 1)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """The events at the positions from ``start`` to ``stop``, of some topics or of all."""
        conditions = {
            "notification_id >= ?" if inclusive_of_start else "notification_id > ?": start,
            "notification_id <= ?": stop,
            "topic = ANY(?)": list(topics) or None,
        }
        given = {condition: value for condition, value in conditions.items() if value is not None}
        where = f" WHERE {' AND '.join(given)}" if given else ""
        rows = self._database.look(
            f"{_NOTIFICATIONS}{where} ORDER BY notification_id LIMIT ?", (*given.values(), limit)
        )
        return [Notification(*row) for row in rows]

    def max_notification_id(self) -> int | None:
        """The newest position."""
        newest: int | None = self._database.look("SELECT max(notification_id) FROM stored_events")[0][0]
        return newest


_NOTIFICATIONS = "SELECT originator_id, originator_version, topic, state, notification_id FROM stored_events"
"""In the order of a notification's fields."""


class PostgresEventStore(PostgresDatabase):
    """The log in one schema. Readers see a consistent state and never wait for the writer."""

    position = "notification_id"

    def __init__(self, url: str) -> None:
        super().__init__(url, "log", (*LOG_TABLES, _EVENTS), _INDEXES)
        self.recorder = Recorder(self)
        self._listening: Connection[Any] | None = None

    def close(self) -> None:
        """Close every connection."""
        if self._listening is not None:
            self._listening.close()
        super().close()

    def exclusive(self) -> AbstractContextManager[AnyCursor]:
        """One transaction, the lock taken first that every transaction takes which appends facts."""
        return self._transaction(f"BEGIN; {LOCK}")

    def append(self, cursor: AnyCursor, events: Sequence[StoredEvent], after: int) -> None:
        """Append events inside `exclusive`, at the positions that follow ``after``, the newest."""
        assert isinstance(cursor, Cursor), "a cursor of this store"
        _append(cursor, events, after)

    def raw(self, cursor: AnyCursor, after: int, until: int) -> list[Raw] | None:
        """The stored bytes of facts; the table's own types see to it that none is of another type."""
        rows = cursor.execute(
            "SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events"
            " WHERE notification_id > ? AND notification_id <= ? ORDER BY notification_id",
            (after or -(2**63), until),
        )
        return [(row[0], row[1].encode(), row[2], row[3].encode(), row[4]) for row in rows]

    def wait(self, timeout_s: float) -> bool:
        """Listen until another process has appended something or the time is over; after a break it may have."""
        try:
            if self._listening is None:
                self._listening = psycopg.connect(**self.settings, autocommit=True)
                self._listening.execute(f"LISTEN {CHANNEL}")
                return True
            return any(True for _ in self._listening.notifies(timeout=timeout_s, stop_after=1))
        except psycopg.Error:
            if self._listening is not None:
                self._listening.close()
                self._listening = None
            time.sleep(min(timeout_s, PAUSE_S))
            return True


def _append(cursor: Cursor, events: Sequence[StoredEvent], after: int) -> None:
    cursor.insert(
        _EVENTS,
        [
            (str(event.originator_id), event.originator_version, event.topic, event.state, position)
            for position, event in enumerate(events, start=after + 1)
        ],
    )
    cursor.execute(f"NOTIFY {CHANNEL}")
