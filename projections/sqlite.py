"""The database of the views as one SQLite file."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, Table, TableClause, bindparam, column, create_engine, delete, event, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError

from projections.store import Database, Locked, StoredRows, Unavailable
from projections.view import Key, View

PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "cache_size=-65536", "busy_timeout=60000")

_READING = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)


class SQLiteDatabase(Database):
    """One file; readers are never held up."""

    def __init__(self, path: Path) -> None:
        super().__init__(create_engine(f"sqlite:///{path}", isolation_level="AUTOCOMMIT"))
        event.listen(self.engine, "connect", _prepare)

    def create(self, tables: MetaData) -> None:
        """Make the tables that are missing."""
        with self.writing() as connection:
            tables.create_all(connection)

    def writing(self) -> AbstractContextManager[Connection]:
        """A transaction that takes the file's one lock for writers first."""
        return self._transaction("BEGIN IMMEDIATE")

    def switching(self) -> AbstractContextManager[Connection]:
        """The same: a reader goes on with the state that it began with, names and all."""
        return self.writing()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction in which every statement sees the same state; it can change nothing."""
        with self._transaction("BEGIN", "ROLLBACK") as connection:
            connection.exec_driver_sql("PRAGMA query_only=ON")
            try:
                yield connection
            finally:
                connection.exec_driver_sql("PRAGMA query_only=OFF")

    @contextmanager
    def asking(self) -> Iterator[Connection]:
        """As `reading`, and no other file is attached or made."""
        with self.reading() as connection:
            driver: Any = connection.connection.dbapi_connection
            driver.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY)
            try:
                yield connection
            finally:
                driver.set_authorizer(None)

    def pipelined(self, connection: Connection) -> AbstractContextManager[object]:
        """Nothing to gain: the file is written by this process."""
        return nullcontext()

    def rows_of(self, table: Table, key: Sequence[str]) -> StoredRows:
        """The rows of a build's table."""
        return _Rows(table, key)

    def serve(self, connection: Connection, views: Sequence[View], tables: Mapping[str, str]) -> None:
        """Let plain names mean these tables from now on."""
        for name, table in tables.items():
            connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")
            connection.exec_driver_sql(f"CREATE VIEW {name} AS SELECT * FROM {table}")

    def is_served(self, connection: Connection, views: Sequence[View]) -> bool:
        """Who can read the file can read every name in it."""
        return True

    def _unavailable(self, error: Exception) -> type[Unavailable] | None:
        cause = error.orig if isinstance(error, DBAPIError) else error
        busy = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
        return Locked if isinstance(cause, sqlite3.Error) and getattr(cause, "sqlite_errorcode", 0) in busy else None


class _Rows:
    def __init__(self, table: Table, key: Sequence[str]) -> None:
        names = tuple(column.name for column in table.columns)
        self._upsert, self._delete, self._select = _statements(table.name, names, tuple(key))
        self._cursor: Any = None

    def use(self, connection: Connection) -> None:
        self._cursor = connection.connection.cursor()

    def load(self, key: Key) -> Sequence[Any] | None:
        self._cursor.execute(self._select, key)
        found: Sequence[Any] | None = self._cursor.fetchone()
        return found

    def store(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self._cursor.executemany(self._upsert, rows)

    def remove(self, keys: Sequence[Key]) -> None:
        self._cursor.executemany(self._delete, keys)


@cache
def _statements(name: str, columns: tuple[str, ...], key: tuple[str, ...]) -> tuple[str, str, str]:
    """SQL that stores, deletes and selects a row, with its values by position; every house of a process needs it."""
    rows = TableClause(name, *(column(part) for part in columns))
    upsert = insert(rows).values({part: bindparam(part) for part in columns})
    changing = {part: upsert.excluded[part] for part in columns if part not in key}
    with_key = [rows.c[part] == bindparam(part) for part in key]
    statements = (
        upsert.on_conflict_do_update(index_elements=list(key), set_=changing),
        delete(rows).where(*with_key),
        select(rows).where(*with_key),
    )
    dialect = sqlite.dialect(paramstyle="qmark")
    stored, deleted, selected = (str(statement.compile(dialect=dialect)) for statement in statements)
    return stored, deleted, selected


def _prepare(connection: Any, record: object) -> None:
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
