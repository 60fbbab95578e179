"""What cannot be handled is parked with its cause, and the rest goes on: one subscriber's cursor and parked rows.

What changes anything, or must see what else is decided, works inside the caller's write transaction on the log.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from events.envelope import Request
from services.runtime.store import Cursor, Database

ENDED = "the process ended whenever it was handled"
"""The cause of what took the process with it again and again."""

BEHIND = "behind a parked fact"
"""The cause of what is parked only because an earlier fact of its stream is."""


class Waiting(NamedTuple):
    """A request that was due ``at``."""

    at: datetime
    request: Request


class Poison(Exception):
    """Carries which fact or request failed out of the transaction that is rolled back."""

    def __init__(
        self, what: str, stream: str, position: int | None, cause: Exception, waiting: Waiting | None = None
    ) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.what, self.stream, self.position, self.waiting = what, stream, position, waiting


class Parked(NamedTuple):
    """A fact (by position) or a request that waits for an operator; facts of its stream wait behind it."""

    subscriber: str
    what: str
    position: int | None
    stream: str
    cause: str
    parked_at: datetime
    request: bytes | None


class Parking:
    """One subscriber's place in the log, and what it has parked."""

    def __init__(self, subscriber: str) -> None:
        self.subscriber = subscriber

    def position(self, cursor: Cursor) -> int:
        """Up to which fact the subscriber has come."""
        row = cursor.execute("SELECT position FROM cursors WHERE name=?", (self.subscriber,)).fetchone()
        return row[0] if row else 0

    def move(self, cursor: Cursor, to: int) -> None:
        """The subscriber has come to ``to``; it never goes back."""
        cursor.execute(
            "INSERT INTO cursors VALUES (?,?) ON CONFLICT (name) DO UPDATE SET position = excluded.position"
            " WHERE excluded.position > cursors.position",
            (self.subscriber, to),
        )

    def park(
        self,
        cursor: Cursor,
        what: str,
        stream: str,
        cause: str,
        at: datetime,
        position: int | None = None,
        request: bytes | None = None,
    ) -> None:
        """Set something aside."""
        cursor.execute("DELETE FROM parked WHERE subscriber=? AND what=?", (self.subscriber, what))
        cursor.execute(
            "INSERT INTO parked (subscriber, what, position, stream, cause, parked_at, released, request)"
            " VALUES (?,?,?,?,?,?,0,?)",
            (self.subscriber, what, position, stream, cause, int(at.timestamp() * 1e6), request),
        )

    def streams(self, cursor: Cursor) -> set[str]:
        """The streams whose facts wait behind a parked one."""
        sql = "SELECT stream FROM parked WHERE subscriber=? AND released = 0"
        return {row[0] for row in cursor.execute(sql, (self.subscriber,))}

    def look(self, store: Database) -> tuple[set[str], list[Parked]]:
        """The streams that wait for an operator, and what need wait no more, in the order of the log.

        A stream waits for its first fact alone: what was parked behind it while an operator let it go on is free too.
        """
        sql = f"{_SELECT}, released FROM parked WHERE subscriber=? ORDER BY coalesce(position, 0), what"
        rows = store.look(sql, (self.subscriber,))
        found = [(_parked(row[:-1]), bool(row[-1])) for row in rows]
        streams = {parked.stream for parked, released in found if not released and parked.cause != BEHIND}
        return streams, [
            parked
            for parked, released in found
            if released or (parked.cause == BEHIND and parked.stream not in streams)
        ]

    def done(self, cursor: Cursor, what: str) -> None:
        """It was handled at last."""
        cursor.execute("DELETE FROM parked WHERE subscriber=? AND what=?", (self.subscriber, what))

    def has_released(self, store: Database) -> bool:
        """Whether an operator let anything go on."""
        return bool(store.look("SELECT 1 FROM parked WHERE subscriber=? AND released = 1 LIMIT 1", (self.subscriber,)))

    def take_released(self, cursor: Cursor) -> list[Parked]:
        """Take out what was released, in the order of the log."""
        sql = f"{_SELECT} FROM parked WHERE subscriber=? AND released = 1 ORDER BY coalesce(position, 0), what"
        released = [_parked(row) for row in cursor.execute(sql, (self.subscriber,)).fetchall()]
        if released:
            cursor.execute("DELETE FROM parked WHERE subscriber=? AND released = 1", (self.subscriber,))
        return released


def all_parked(cursor: Cursor) -> Iterator[Parked]:
    """Everything that waits for an operator, whoever parked it, oldest first."""
    sql = f"{_SELECT} FROM parked WHERE released = 0 ORDER BY parked_at, coalesce(position, 0), what"
    return map(_parked, cursor.execute(sql).fetchall())


def count(cursor: Cursor) -> int:
    """How much waits for an operator, or for being handled again."""
    return int(cursor.execute("SELECT count(*) FROM parked").fetchone()[0])


def release(cursor: Cursor, what: str) -> bool:
    """Have it, and what waits behind it, handled again by whoever parked it. Gives whether it was parked."""
    rows = cursor.execute("SELECT subscriber, stream FROM parked WHERE what=?", (what,)).fetchall()
    cursor.executemany("UPDATE parked SET released = 1 WHERE subscriber=? AND stream=?", rows)
    return bool(rows)


def drop(cursor: Cursor, what: str) -> bool:
    """Give it up for good, and release what waits behind it. Gives whether it was parked."""
    known = release(cursor, what)
    cursor.execute("DELETE FROM parked WHERE what=?", (what,))
    return known


_SELECT = "SELECT subscriber, what, position, stream, cause, parked_at, request"


def _parked(row: tuple[str, str, int | None, str, str, int, bytes | None]) -> Parked:
    subscriber, what, at_position, stream, cause, parked_at, request = row
    return Parked(subscriber, what, at_position, stream, cause, datetime.fromtimestamp(parked_at / 1e6, UTC), request)
