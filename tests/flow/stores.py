"""What tests do to a store behind its back, whatever kind it is."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from services.runtime.places import Folder, Place, Server

BROKEN = (sqlite3.IntegrityError, psycopg.errors.RaiseException)
"""What the driver raises where `broken` has its way."""


@contextmanager
def behind(place: Place, part: str) -> Iterator[Any]:
    """A connection of one's own to a part, ``log`` or ``vault``, in which every statement is a transaction."""
    if isinstance(place, Folder):
        connection: Any = sqlite3.connect(place.path / f"{part}.db", isolation_level=None)
    else:
        assert isinstance(place, Server)
        connection = psycopg.connect(place._url, autocommit=True, options=f"-c search_path={part}")
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def broken(place: Place, part: str, table: str, which: str = "1 = 1") -> Iterator[None]:
    """While this lasts nothing is inserted into a table, or nothing of which ``which`` is true of ``NEW``."""
    trigger = f"CREATE TRIGGER broken BEFORE INSERT ON {table}"
    with behind(place, part) as connection:
        if isinstance(place, Folder):
            connection.execute(f"{trigger} WHEN {which} BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
        else:
            raises = "BEGIN RAISE 'the disk is full'; END"
            connection.execute(f"CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $${raises}$$")
            connection.execute(f"{trigger} FOR EACH ROW WHEN ({which}) EXECUTE FUNCTION broken()")
        yield
        connection.execute("DROP TRIGGER broken" if isinstance(place, Folder) else "DROP FUNCTION broken CASCADE")


def where(place: Place) -> str:
    """What `services.runtime.places.place` knows the place by."""
    return str(place.path) if isinstance(place, Folder) else place._url  # type: ignore[attr-defined]  # a server's


def keys(place: Place) -> dict[str, bytes]:
    """The keys that the vault holds, by stream, as anybody else finds them."""
    with behind(place, "vault") as connection:
        return {stream: bytes(key) for stream, key in connection.execute("SELECT stream, key FROM keys").fetchall()}
