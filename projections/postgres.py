"""The database of the views as one schema of PostgreSQL, and beside it the schema that analysts may read."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
from psycopg.adapt import Loader
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection, Float, MetaData, Table, create_engine, event, text
from sqlalchemy import exc as library
from sqlalchemy.dialects import postgresql

from projections.store import BUILDS, Database, Locked, StoredRows, Unavailable
from projections.view import Key, View

VIEWS, ANALYSIS, ANALYST = "views", "analysis", "hujiao_analyst"
"""The schema of the views that readers see, the one for analysts, and the analysts' role."""

CONNECT_S = 5
SWITCHING_S, SWITCHING_AGAIN_S = 1, 30
SESSION = {
    "lock_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "synchronous_commit": "off",
}
"""Who stands still or vanishes does not hold the others up for long. What a crash of the server loses is folded again:
rows and position are lost together."""
LINK = {"connect_timeout": CONNECT_S, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
LINK_LOST_MS = 30_000

_SCHEMA = re.compile(r"[a-z][a-z0-9_]{0,62}")
_ONLY_WHEN_ASKED = 1 << 30
_CONFIDENTIAL = "visibility <> 'confidential'"
"""Not true of a case that nobody has classified yet."""


class PostgresDatabase(Database):
    """One schema, made if it is missing and the role may.

    What analysts may read of ``views`` stands in the schema ``analysis``; another schema holds scratch views,
    which nobody else reads.
    """

    def __init__(self, url: str, schema: str = VIEWS) -> None:
        if not _SCHEMA.fullmatch(schema):
            raise ValueError(f"schema: expected small letters, digits and underscores, found {schema!r}")
        self._url, self._schema = url, schema
        self._analysis = ANALYSIS if schema == VIEWS else None
        self._switch_after = 0.0
        engine = create_engine(
            "postgresql+psycopg://", creator=self._connect, isolation_level="AUTOCOMMIT", pool_pre_ping=True
        )
        event.listen(engine, "connect", _prepare)
        super().__init__(engine)

    def create(self, tables: MetaData) -> None:
        """Make the schemas and tables that are missing."""
        with self._transaction("BEGIN") as connection:
            if _exists(connection, "pg_tables", schemaname=self._schema, tablename=BUILDS.name):
                return
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('hujiao: create'))")
            for schema in filter(None, (self._schema, self._analysis)):
                if not _exists(connection, "pg_namespace", nspname=schema):
                    _create_schema(connection, schema)
            tables.create_all(connection)

    def writing(self) -> AbstractContextManager[Connection]:
        """A transaction that takes a lock first which readers do not mind."""
        return self._transaction(f"BEGIN; LOCK TABLE {BUILDS.name} IN EXCLUSIVE MODE")

    @contextmanager
    def switching(self) -> Iterator[Connection]:
        """A transaction without any reader.

        A reader who began before would go on with rows of before, and names of now. Because all readers wait
        behind this lock, it is given up after a second, and not tried again for half a minute.
        """
        if time.monotonic() < self._switch_after:
            raise Locked("expected a moment without readers, found some just now")
        lock = f"LOCK TABLE {BUILDS.name} IN ACCESS EXCLUSIVE MODE"
        try:
            with self._transaction(f"BEGIN; SET LOCAL lock_timeout = '{SWITCHING_S}s'; {lock}") as connection:
                yield connection
        except Locked:
            self._switch_after = time.monotonic() + SWITCHING_AGAIN_S
            raise

    def reading(self) -> AbstractContextManager[Connection]:
        """A transaction in which every statement sees the same state; it can change nothing."""
        return self._transaction(_READ, "ROLLBACK")

    def asking(self) -> AbstractContextManager[Connection]:
        """As `reading`, over a connection that is closed afterwards: a question can leave things behind in it."""
        return self._transaction(_READ, "ROLLBACK", detached=True)

    def pipelined(self, connection: Connection) -> AbstractContextManager[object]:
        """The server stores one view's rows while the next view is folded."""
        driver: Any = connection.connection.dbapi_connection
        pipeline: AbstractContextManager[object] = driver.pipeline()
        return pipeline

    def rows_of(self, table: Table, key: Sequence[str]) -> StoredRows:
        """The rows of a build's table."""
        return _Rows(table, key)

    def serve(self, connection: Connection, views: Sequence[View], tables: Mapping[str, str]) -> None:
        """Let plain names mean these tables from now on, and show analysts what they may see of all views.

        What somebody has built on top of a view goes with its old table.
        """
        for name, table in tables.items():
            connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name} CASCADE")
            connection.exec_driver_sql(f"CREATE VIEW {name} AS SELECT * FROM {table}")
        if self._analysis is None:
            return
        shown = _conditions(views)
        for name, condition in shown.items():
            connection.exec_driver_sql(f"DROP VIEW IF EXISTS {self._analysis}.{name} CASCADE")
            # without the barrier a condition of the analyst's own would be tried on hidden rows, and tell by its errors
            connection.exec_driver_sql(
                f"CREATE VIEW {self._analysis}.{name} WITH (security_barrier)"
                f" AS SELECT * FROM {self._schema}.{name} AS shown WHERE {condition}"
            )
        if shown and _exists(connection, "pg_roles", rolname=ANALYST):
            connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {self._analysis} TO {ANALYST}")
            names = ", ".join(f"{self._analysis}.{name}" for name in shown)
            connection.exec_driver_sql(f"GRANT SELECT ON {names} TO {ANALYST}")

    def is_served(self, connection: Connection, views: Sequence[View]) -> bool:
        """Whether all views for analysts are there, and the role for them, if it exists, may read them."""
        if self._analysis is None:
            return True
        sql = text(
            "SELECT relname FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = :schema)"
            " AND NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :role AND NOT"
            " (has_schema_privilege(pg_roles.oid, relnamespace, 'USAGE')"
            " AND has_table_privilege(pg_roles.oid, pg_class.oid, 'SELECT')))"
        )
        found = connection.execute(sql, {"schema": self._analysis, "role": ANALYST}).scalars()
        return _conditions(views).keys() <= set(found)

    def _connect(self) -> Any:
        options = [str(conninfo_to_dict(self._url).get("options") or "")]
        options += [f"-c {name}={value}" for name, value in {"search_path": self._schema, **SESSION}.items()]
        link: dict[str, Any] = {**LINK, "tcp_user_timeout": LINK_LOST_MS, "options": " ".join(options)}
        # a prepared SELECT * would fail when a raised version takes over: only what asks for it is prepared
        return psycopg.connect(self._url, prepare_threshold=_ONLY_WHEN_ASKED, **link)

    def _unavailable(self, error: Exception) -> type[Unavailable] | None:
        cause = error.orig if isinstance(error, library.DBAPIError) else error
        if isinstance(cause, _LOCKED):
            return Locked
        if isinstance(cause, library.TimeoutError) or (isinstance(cause, psycopg.Error) and _passes(cause)):
            return Unavailable
        return None


class _Rows:
    """All rows of a batch go in one statement, one array for each column: half the time of a statement for each."""

    def __init__(self, table: Table, key: Sequence[str]) -> None:
        names = [column.name for column in table.columns]
        where = " AND ".join(f'"{name}" = %s' for name in key)
        gone = " AND ".join(f'stored."{name}" = gone."{name}"' for name in key)
        changing = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name not in key)
        self._select = f"SELECT {_listed(names)} FROM {table.name} WHERE {where}"
        self._upsert = (
            f"INSERT INTO {table.name} ({_listed(names)}) SELECT * FROM {_arrays(table, names)}"
            f" ON CONFLICT ({_listed(key)}) DO {f'UPDATE SET {changing}' if changing else 'NOTHING'}"
        )
        self._delete = (
            f"DELETE FROM {table.name} AS stored USING {_arrays(table, key)} AS gone ({_listed(key)}) WHERE {gone}"
        )
        self._reals = [place for place, column in enumerate(table.columns) if isinstance(column.type, Float)]
        self._loading: Any = None
        self._storing: Any = None

    def use(self, connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        self._loading, self._storing = driver.cursor(), driver.cursor()

    def load(self, key: Key) -> Sequence[Any] | None:
        found: Sequence[Any] | None = self._loading.execute(self._select, key, prepare=True).fetchone()
        return found

    def store(self, rows: Sequence[tuple[Any, ...]]) -> None:
        columns = [list(column) for column in zip(*rows, strict=True)]
        for place in self._reals:  # an array holds numbers of one kind
            columns[place] = [None if value is None else float(value) for value in columns[place]]
        self._storing.execute(self._upsert, columns, prepare=True)

    def remove(self, keys: Sequence[Key]) -> None:
        self._storing.execute(self._delete, [list(column) for column in zip(*keys, strict=True)], prepare=True)


class _FlagLoader(Loader):
    """A boolean as 0 or 1, which it is on SQLite."""

    def load(self, data: Any) -> int:
        return int(bytes(data) == b"t")


class _NumberLoader(Loader):
    """The sums and averages of SQL as Python's own numbers."""

    def load(self, data: Any) -> int | float:
        digits = bytes(data)
        return int(digits) if digits.lstrip(b"-").isdigit() else float(digits)


_READ = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; LOCK TABLE {BUILDS.name} IN ACCESS SHARE MODE"
"""The lock comes before the first look: then nothing is switched between a look and the next."""


_LOCKED = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)
_PASSING = ("08", "40", "53", "57", "25P03")
"""How the codes of errors begin that pass: broken links, conflicts, resources, an operator, a time limit."""


def _passes(error: psycopg.Error) -> bool:
    """Whether waiting helps. What has no code did not come from the server, so that the link is at fault."""
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError)
    return error.sqlstate.startswith(_PASSING) and not isinstance(error, psycopg.errors.ProtocolViolation)


def _prepare(connection: Any, record: object) -> None:
    connection.adapters.register_loader("bool", _FlagLoader)
    connection.adapters.register_loader("numeric", _NumberLoader)


def _conditions(views: Sequence[View]) -> dict[str, str]:
    """Which rows of each view analysts may see; views that they may not see at all are left out.

    Nothing is shown of a confidential case, nor of one of which nobody knows yet whether it is.
    """
    names = {view.name for view in views}
    about_others = f'"case" IN (SELECT "case" FROM {VIEWS}.cases WHERE {_CONFIDENTIAL})'
    shown = {view.name: "true" for view in views if view.names_nobody}
    if "cases" in names:
        shown |= {view.name: about_others for view in views if "case" in view.columns}
        shown["cases"] = _CONFIDENTIAL
    return shown


def _exists(connection: Connection, catalogue: str, **where: str) -> bool:
    condition = " AND ".join(f"{name} = :{name}" for name in where)
    return connection.execute(text(f"SELECT FROM {catalogue} WHERE {condition}"), where).first() is not None


def _create_schema(connection: Connection, schema: str) -> None:
    try:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
    except library.ProgrammingError as error:
        raise PermissionError(
            f"expected a schema {schema} in the database, or the right to make it, found neither: {error.orig}"
        ) from error


def _arrays(table: Table, names: Sequence[str]) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # the library's own
    forms = (table.c[name].type.compile(dialect).partition(" ")[0] for name in names)
    return f"unnest({', '.join(f'%b::{form}[]' for form in forms)})"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
