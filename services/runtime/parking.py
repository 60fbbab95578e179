"""What cannot be handled is parked with its cause, and the rest goes on: cursor and parked rows.

All functions work inside the caller's write transaction on the log.
"""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from events.envelope import Request

_CURSOR = "engine"


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

    what: str
    position: int | None
    stream: str
    cause: str
    parked_at: datetime
    request: bytes | None


def position(cursor: sqlite3.Cursor) -> int:
    """Up to which fact the engine has reacted."""
    row = cursor.execute("SELECT position FROM cursors WHERE name=?", (_CURSOR,)).fetchone()
    return row[0] if row else 0


def move(cursor: sqlite3.Cursor, to: int) -> None:
    """The engine has reacted up to ``to``; it never goes back."""
    cursor.execute(
        "INSERT INTO cursors VALUES (?,?) ON CONFLICT (name) DO UPDATE SET position = max(position, excluded.position)",
        (_CURSOR, to),
    )


def park(
    cursor: sqlite3.Cursor,
    what: str,
    stream: str,
    cause: str,
    at: datetime,
    position: int | None = None,
    request: bytes | None = None,
) -> None:
    """Set something aside."""
    cursor.execute(
        "INSERT OR REPLACE INTO parked (what, position, stream, cause, parked_at, request) VALUES (?,?,?,?,?,?)",
        (what, position, stream, cause, int(at.timestamp() * 1e6), request),
    )


def streams(cursor: sqlite3.Cursor) -> set[str]:
    """The streams whose facts wait behind a parked one."""
    return {row[0] for row in cursor.execute("SELECT stream FROM parked WHERE released = 0")}


def all_parked(cursor: sqlite3.Cursor) -> Iterator[Parked]:
    """Everything that waits for an operator, oldest first."""
    return map(_parked, cursor.execute(f"{_SELECT} WHERE released = 0 ORDER BY parked_at, position, what"))


def release(cursor: sqlite3.Cursor, what: str) -> bool:
    """Have it, and what waits behind it, handled again. Gives whether it was parked."""
    row = cursor.execute("SELECT stream FROM parked WHERE what=?", (what,)).fetchone()
    if row is not None:
        cursor.execute("UPDATE parked SET released = 1 WHERE stream=?", (row[0],))
    return row is not None


def drop(cursor: sqlite3.Cursor, what: str) -> bool:
    """Give it up for good, and release what waits behind it. Gives whether it was parked."""
    known = release(cursor, what)
    cursor.execute("DELETE FROM parked WHERE what=?", (what,))
    return known


def take_released(cursor: sqlite3.Cursor) -> list[Parked]:
    """Take out what was released, in the order of the log."""
    released = [_parked(row) for row in cursor.execute(f"{_SELECT} WHERE released = 1 ORDER BY position, what")]
    cursor.executemany("DELETE FROM parked WHERE what=?", [(parked.what,) for parked in released])
    return released


_SELECT = "SELECT what, position, stream, cause, parked_at, request FROM parked"


def _parked(row: tuple[str, int | None, str, str, int, bytes | None]) -> Parked:
    what, at_position, stream, cause, parked_at, request = row
    return Parked(what, at_position, stream, cause, datetime.fromtimestamp(parked_at / 1e6, UTC), request)
