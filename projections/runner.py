"""Builds views from the log: exactly once, several views in one pass, new builds beside the old ones.

Rows and the position up to which they are right change in one transaction. Readers use SQL views with plain
names (``cases``), which point to one build's table (``cases_v1``) and are switched in one transaction.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from msgspec import msgpack
from sqlalchemy import Column, Connection, Index, Integer, MetaData, String, Table, bindparam, delete, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert

from events.envelope import Recorded
from projections.database import Database
from projections.view import FLAG, MOMENT, Key, Row, Rows, View, moment_text

BATCH = 1000
KEPT_ROWS = 8_000

Progress = Callable[[int], None]
"""Called with the position reached."""


class Facts(Protocol):
    """Where facts come from: the log."""

    def after(self, position: int, limit: int = BATCH, stop: int | None = None) -> Sequence[Recorded]:
        """At most ``limit`` facts after ``position`` (to ``stop``, inclusive), in order."""
        ...


class Build:
    """One build of one view: its table and the rows that are in memory.

    ``number`` counts the builds of one version, so that a rebuild can stand beside what it replaces.
    """

    def __init__(self, view: View, number: int) -> None:
        self.view, self.number = view, number
        self.name = f"{view.name}_v{view.version}" + (f"_{number}" if number else "")
        indexes = (Index(f"{self.name}_{'_'.join(columns)}", *columns) for columns in view.indexes)
        self.table = Table(self.name, MetaData(), *view.table_columns(), *indexes)
        self._columns = list(view.columns)
        self._moments = [name for name, form in view.columns.items() if form is MOMENT]
        self._flags = [name for name, form in view.columns.items() if form is FLAG]
        key = [self.table.c[column] for column in view.key]
        upsert = insert(self.table).values({name: bindparam(name) for name in self._columns})
        changing = {name: upsert.excluded[name] for name in self._columns if name not in view.key}
        self._upsert = _compiled(upsert.on_conflict_do_update(index_elements=list(view.key), set_=changing))
        self._delete = _compiled(delete(self.table).where(*(column == bindparam(column.name) for column in key)))
        self._select = _compiled(select(self.table).where(*(column == bindparam(column.name) for column in key)))
        self._cursor: Any = None
        self._folded_to = -1
        self.rows = Rows(view.key, self._load)

    def fold(self, connection: Connection, position: int, facts: Sequence[Recorded]) -> None:
        """Fold the facts that follow ``position`` into the rows and write what changed."""
        if position != self._folded_to:
            self.rows.forget()
        self._folded_to = facts[-1].position
        self._cursor = connection.connection.cursor()  # rows by the million: straight to the driver
        folds, rows = self.view.folds, self.rows
        for recorded in facts:
            fold = folds.get(recorded.name)
            if fold is not None:
                fold(rows, recorded, recorded.fact)
        stored, removed = rows.take_changed(KEPT_ROWS)
        if stored:
            self._cursor.executemany(self._upsert, [self._to_database(row) for row in stored])
        if removed:
            self._cursor.executemany(self._delete, removed)

    def forget(self) -> None:
        """Forget what is in memory: the transaction was rolled back."""
        self.rows.forget()
        self._folded_to = -1

    def digest(self, connection: Connection) -> str:
        """SHA-256 over the canonical msgpack of all rows in key order, opaque columns left out."""
        columns = [self.table.c[name] for name in sorted(self.view.columns) if name not in self.view.opaque]
        rows = connection.execute(select(*columns).order_by(*(self.table.c[name] for name in self.view.key)))
        digest = sha256()
        for row in rows:
            digest.update(msgpack.encode(tuple(row)))
        return digest.hexdigest()

    def _load(self, key: Key) -> Row | None:
        self._cursor.execute(self._select, key)
        found = self._cursor.fetchone()
        return None if found is None else self._from_database(found)

    def _to_database(self, row: Row) -> tuple[Any, ...]:
        """The values of a row in the order of the columns, times as text."""
        stored = row.copy()
        for name in self._moments:
            value = stored[name]
            if value is not None:
                stored[name] = moment_text(value)
        return tuple([stored[name] for name in self._columns])

    def _from_database(self, found: Sequence[Any]) -> Row:
        """A row as folds know it."""
        row = dict(zip(self._columns, found, strict=True))
        for name in self._moments:
            if row[name] is not None:
                row[name] = datetime.fromisoformat(row[name])
        for name in self._flags:
            if row[name] is not None:
                row[name] = bool(row[name])
        return row


def _compiled(statement: Any) -> str:
    """The statement's SQL with its values by position, compiled once: rows by the million pass through it."""
    compiled = statement.compile(dialect=sqlite.dialect(paramstyle="qmark"))
    return str(compiled)


_BUILDS = Table(
    "builds",
    MetaData(),
    Column("name", String, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("serving", Integer, nullable=False),
)


class Views:
    """A database of views. Several processes may catch up: each fact still counts once.

    ``views`` are those that shall be current. A raised version is built beside what readers see and takes
    over when it has caught up.
    """

    def __init__(self, path: Path, views: Iterable[View]) -> None:
        self.database = Database(path)
        self.views = tuple(views)
        self._builds: dict[str, Build] = {}
        self._taken_over: list[Build] = []
        with self.database.writing() as connection:
            _BUILDS.metadata.create_all(connection)
            self._follow(connection)
            for view in self.views:
                if view.name not in self._builds:
                    self._builds[view.name] = self._begin(connection, view, 0)

    def close(self) -> None:
        """Close every connection."""
        self.database.close()

    def positions(self) -> dict[str, int]:
        """Up to which fact each view that readers see is right; 0 while its first build is not finished."""
        with self.database.reading() as connection:
            found = connection.execute(select(_BUILDS.c.name, _BUILDS.c.position).where(_BUILDS.c.serving == 1))
            served = {row.name: row.position for row in found}
        return {view.name: served.get(view.name, 0) for view in self.views}

    def catch_up(self, log: Facts, stop: int | None = None, progress: Progress = lambda position: None) -> int:
        """Fold everything new, to ``stop`` inclusive; gives the position reached.

        Builds that lie behind go first, so that the rest is one pass for all.
        """
        while True:
            positions = self._build_positions()
            least = min(positions.values())
            ahead = min((position for position in positions.values() if position > least), default=least + BATCH)
            facts = log.after(least, min(BATCH, ahead - least), stop)
            if not facts:
                self._take_over()
                return least
            self.fold(facts)
            progress(facts[-1].position)

    def fold(self, facts: Sequence[Recorded]) -> None:
        """Fold consecutive facts into every build that stands directly before or inside them; all or none."""
        try:
            with self.database.writing() as connection:
                self._follow(connection)
                for build in self._builds.values():
                    position = self._position(connection, build)
                    if facts[0].position - 1 <= position < facts[-1].position:
                        build.fold(connection, position, facts[position - facts[0].position + 1 :])
                        connection.execute(update(_BUILDS).where(*_is(build)).values(position=facts[-1].position))
        except BaseException:
            for build in self._builds.values():
                build.forget()
            raise

    def rebuild(self, log: Facts, progress: Progress = lambda position: None) -> None:
        """Build every view anew beside the running one; readers see the old rows until the new ones are all there."""
        with self.database.writing() as connection:
            for view in self.views:
                number = self._builds[view.name].number + 1
                self._builds[view.name] = self._begin(connection, view, number)
        self.catch_up(log, progress=progress)

    def digest(self) -> dict[str, str]:
        """A SHA-256 per view; the same wherever the same facts were folded."""
        with self.database.reading() as connection:
            self._follow(connection)
            return {name: build.digest(connection) for name, build in self._builds.items()}

    def _build_positions(self) -> dict[str, int]:
        with self.database.reading() as connection:
            self._follow(connection)
            return {name: self._position(connection, build) for name, build in self._builds.items()}

    def _position(self, connection: Connection, build: Build) -> int:
        found = connection.execute(select(_BUILDS.c.position).where(*_is(build)))
        return int(found.scalar_one())

    def _follow(self, connection: Connection) -> None:
        """Take up builds that another process, or a program before us, has begun."""
        rows = connection.execute(select(_BUILDS.c.name, _BUILDS.c.version, _BUILDS.c.number)).all()
        for view in self.views:
            numbers = [row.number for row in rows if (row.name, row.version) == (view.name, view.version)]
            known = self._builds.get(view.name)
            if numbers and (known is None or known.number != max(numbers)):
                self._builds[view.name] = Build(view, max(numbers))

    def _begin(self, connection: Connection, view: View, number: int) -> Build:
        """A new empty build. The very first of a view serves readers from the start."""
        build = Build(view, number)
        build.table.metadata.create_all(connection)
        served = connection.execute(
            select(_BUILDS.c.number).where(_BUILDS.c.name == view.name, _BUILDS.c.serving == 1)
        ).first()
        connection.execute(
            insert(_BUILDS).values(
                name=view.name, version=view.version, number=number, position=0, serving=int(served is None)
            )
        )
        if served is None:
            _serve(connection, build)
        return build

    def _take_over(self) -> None:
        """Let every finished build serve readers, all in one transaction, and drop what it replaces."""
        if self._taken_over == list(self._builds.values()):
            return
        with self.database.writing() as connection:
            for build in self._builds.values():
                others = connection.execute(
                    select(_BUILDS).where(_BUILDS.c.name == build.view.name, ~_same(build))
                ).all()
                if not others:
                    continue
                _serve(connection, build)
                connection.execute(update(_BUILDS).where(*_is(build)).values(serving=1))
                for old in others:
                    name = f"{old.name}_v{old.version}" + (f"_{old.number}" if old.number else "")
                    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")
                connection.execute(delete(_BUILDS).where(_BUILDS.c.name == build.view.name, ~_same(build)))
        self._taken_over = list(self._builds.values())


def _serve(connection: Connection, build: Build) -> None:
    connection.exec_driver_sql(f"DROP VIEW IF EXISTS {build.view.name}")
    connection.exec_driver_sql(f"CREATE VIEW {build.view.name} AS SELECT * FROM {build.name}")


def _is(build: Build) -> tuple[Any, ...]:
    return (
        _BUILDS.c.name == build.view.name,
        _BUILDS.c.version == build.view.version,
        _BUILDS.c.number == build.number,
    )


def _same(build: Build) -> Any:
    return (_BUILDS.c.version == build.view.version) & (_BUILDS.c.number == build.number)
