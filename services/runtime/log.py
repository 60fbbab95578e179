"""The log: all facts in one order, in whatever store it stands, through the recorders of the `eventsourcing` library.

Only this module and the stores know the library. Beside its table of stored events stand those that must
change in the same transaction: inbox, timers, seals, cursors and what is parked.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from typing import cast

from eventsourcing.persistence import StoredEvent

from events.catalog import CATALOG, Catalog
from events.envelope import Recorded
from events.ids import PREFIX
from services.runtime.store import Cursor, EventStore

READ = 1000


class Log:
    """One log. Readers see a consistent state and never wait for the writer.

    Raises:
        Unavailable: from every method, when the store cannot be reached.
    """

    def __init__(self, store: EventStore, catalog: Catalog = CATALOG) -> None:
        self.store, self.catalog = store, catalog
        self.exclusive = store.exclusive
        self._streams = (
            f"SELECT {store.position}, originator_id, originator_version, topic, state FROM stored_events"
            " WHERE originator_id"
        )
        self._after = (
            f"SELECT {store.position}, originator_id, originator_version, topic, state FROM stored_events"
            f" WHERE {store.position} > ? AND {store.position} <= ? ORDER BY {store.position} LIMIT ?"
        )
        self._unsealed = f"SELECT count(*) FROM stored_events WHERE {store.position} > ?"

    def close(self) -> None:
        """Close every connection."""
        self.store.close()

    def reading(self) -> AbstractContextManager[Cursor]:
        """One read transaction: everything in it sees the same state."""
        return self.store.reading()

    def append(self, cursor: Cursor, events: Sequence[StoredEvent], after: int) -> None:
        """Append events inside `exclusive`, at the positions that follow ``after``, the newest."""
        self.store.append(cursor, events, after)

    def head(self) -> int:
        """The position of the newest fact; 0 for an empty log."""
        return self.store.recorder.max_notification_id() or 0

    def after(self, position: int, limit: int = READ, stop: int | None = None) -> list[Recorded]:
        """At most ``limit`` facts after ``position`` (to ``stop``, inclusive), in order."""
        notifications = self.store.recorder.select_notifications(position, limit, stop, inclusive_of_start=False)
        return [
            self._recorded(found.id, cast(str, found.originator_id), found.originator_version, found.topic, found.state)
            for found in notifications
        ]

    def between(self, after: int, stop: int, limit: int, cursor: Cursor) -> list[Recorded]:
        """As `after`, inside a transaction."""
        return [self._recorded(*row) for row in cursor.execute(self._after, (after, stop, limit)).fetchall()]

    def all_after(self, position: int = 0, stop: int | None = None) -> Iterator[list[Recorded]]:
        """Everything after ``position`` in batches."""
        while batch := self.after(position, stop=stop):
            yield batch
            position = batch[-1].position

    def stream(self, stream: str, cursor: Cursor | None = None) -> list[Recorded]:
        """All facts of one stream in order; inside a transaction when its cursor is given."""
        sql = f"{self._streams} = ? ORDER BY originator_version"
        rows = self.store.look(sql, (stream,)) if cursor is None else cursor.execute(sql, (stream,)).fetchall()
        return [self._recorded(*row) for row in rows]

    def streams(self, streams: Iterable[str], cursor: Cursor) -> dict[str, list[Recorded]]:
        """All facts of several streams, each in order; those that are not there are left out."""
        rows = sorted(cursor.among(self._streams, list(streams)), key=lambda row: (row[1], row[2]))
        return {stream: [self._recorded(*row) for row in group] for stream, group in groupby(rows, lambda row: row[1])}

    def timeless(self, kind: str) -> list[list[Recorded]]:
        """All facts of every stream of one kind that does not begin with a report's time, such as users."""
        sql = f"{self._streams} < ? AND topic LIKE ? ORDER BY originator_id, originator_version"
        rows = self.store.look(sql, ("0" * (PREFIX - 1) + "1", f"{kind}.%"))
        return [[self._recorded(*row) for row in group] for _, group in groupby(rows, lambda row: row[1])]

    def first(self, stream: str) -> Recorded | None:
        """The fact with which a stream begins. It never changes."""
        rows = self.store.look(f"{self._streams} = ? AND originator_version = 1", (stream,))
        return self._recorded(*rows[0]) if rows else None

    def newest_of(self, stream: str) -> int:
        """The position of a stream's newest fact; 0 when there is none."""
        sql = f"SELECT max({self.store.position}) FROM stored_events WHERE originator_id = ?"
        return self.store.look(sql, (stream,))[0][0] or 0

    def newest_stream(self, cursor: Cursor) -> str:
        """The stream whose id is the greatest; empty for an empty log."""
        return cursor.execute("SELECT max(originator_id) FROM stored_events").fetchone()[0] or ""

    def unsealed(self, cursor: Cursor, after: int) -> int:
        """How many facts stand after the position of the newest seal; none, if nobody wrote past us."""
        return int(cursor.execute(self._unsealed, (after,)).fetchone()[0])

    def open_cases(self) -> list[str]:
        """The streams of all cases that are not closed, by id. Looks through the whole log."""
        sql = (
            "SELECT originator_id FROM stored_events"
            " WHERE topic IN ('case.opened.v1', 'case.reopened.v1', 'case.closed.v1') GROUP BY originator_id"
            " HAVING sum(CASE topic WHEN 'case.closed.v1' THEN -1 ELSE 1 END) > 0 ORDER BY originator_id"
        )
        return [row[0] for row in self.store.look(sql)]

    def erased(self) -> list[str]:
        """The streams of all reports whose person was erased."""
        sql = "SELECT originator_id FROM stored_events WHERE topic = 'report.erased.v1'"
        return [row[0] for row in self.store.look(sql)]

    def _recorded(self, position: int, stream: str, version: int, topic: str, state: bytes) -> Recorded:
        name, meta, fact = self.catalog.decode(topic, state)
        return Recorded(position, stream, version, name, meta, fact)
