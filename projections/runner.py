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
from sqlalchemy import Connection, Index, MetaData, Table, bindparam, delete, insert, select, update

from events.envelope import Recorded
from projections.database import open_database
from projections.postgres import VIEWS
from projections.store import BUILDS, Database, Locked
from projections.view import FLAG, MOMENT, TEXT, Key, Row, Rows, View, moment_text, plain_text

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

    def __init__(self, database: Database, view: View, number: int) -> None:
        self.view, self.number = view, number
        self.key = _key(view.name, view.version, number)
        self.name = _table_name(view.name, view.version, number)
        indexes = (Index(f"{self.name}_{'_'.join(columns)}", *columns) for columns in view.indexes)
        self.table = Table(self.name, MetaData(), *view.table_columns(), *indexes)
        self._columns = list(view.columns)
        self._texts = [name for name, form in view.columns.items() if form is TEXT]
        self._moments = [name for name, form in view.columns.items() if form is MOMENT]
        self._flags = [name for name, form in view.columns.items() if form is FLAG]
        self._stored = database.rows_of(self.table, view.key)
        self._folded_to = -1
        self.rows = Rows(view.key, self._load)

    def fold(self, connection: Connection, position: int, facts: Sequence[Recorded]) -> None:
        """Fold the facts that follow ``position`` into the rows and write what changed."""
        if position != self._folded_to:
            self.rows.forget()
        self._folded_to = facts[-1].position
        self._stored.use(connection)
        folds, rows = self.view.folds, self.rows
        for recorded in facts:
            fold = folds.get(recorded.name)
            if fold is not None:
                fold(rows, recorded, recorded.fact)
        changed, removed = rows.take_changed(KEPT_ROWS)
        if changed:
            self._stored.store([self._to_database(row) for row in changed])
        if removed:
            self._stored.remove(removed)

    def forget(self) -> None:
        """Forget what is in memory: the transaction was rolled back."""
        self.rows.forget()
        self._folded_to = -1

    def digest(self, connection: Connection) -> str:
        """SHA-256 over the canonical msgpack of all rows in key order, opaque columns left out."""
        columns = [self.table.c[name] for name in sorted(self.view.columns) if name not in self.view.opaque]
        ordered = select(*columns).order_by(*(self.table.c[name] for name in self.view.key))
        digest = sha256()
        for row in connection.execute(ordered.execution_options(yield_per=BATCH)):
            digest.update(msgpack.encode(tuple(row)))
        return digest.hexdigest()

    def _load(self, key: Key) -> Row | None:
        found = self._stored.load(key)
        return None if found is None else self._from_database(found)

    def _to_database(self, row: Row) -> tuple[Any, ...]:
        """The values of a row in the order of the columns, times as text."""
        stored = row.copy()
        for name in self._texts:
            value = stored[name]
            if value is not None and "\0" in value:
                stored[name] = plain_text(value)
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


class Views:
    """A database of views. Several processes may catch up: each fact still counts once.

    ``where`` is the path of a SQLite file or a ``postgresql://`` URL, and ``schema`` where in the latter. ``views``
    are those that shall be current. A raised version is built beside what readers see and takes over when it has
    caught up.

    Raises:
        Unavailable: from every method, when the database cannot be reached. The same again later helps.
    """

    def __init__(self, where: Path | str, views: Iterable[View], schema: str = VIEWS) -> None:
        self.database = open_database(where, schema)
        self.views = tuple(views)
        self._builds: dict[str, Build] = {}
        self._taken_over: list[Build] = []
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every connection."""
        self.database.close()

    def positions(self) -> dict[str, int]:
        """Up to which fact each view that readers see is right; 0 while its first build is not finished."""
        with self.database.reading() as connection:
            found = connection.execute(select(BUILDS.c.name, BUILDS.c.position).where(BUILDS.c.serving == 1))
            served = {row.name: row.position for row in found}
        return {view.name: served.get(view.name, 0) for view in self.views}

    def catch_up(self, log: Facts, stop: int | None = None, progress: Progress = lambda position: None) -> int:
        """Fold everything new, to ``stop`` inclusive; gives the position reached.

        Builds that lie behind go first, so that the rest is one pass for all.
        """
        while True:
            with self.database.reading() as connection:
                positions = self._follow(connection).values()
            least = min(positions)
            ahead = min((position for position in positions if position > least), default=least + BATCH)
            facts = log.after(least, min(BATCH, ahead - least), stop)
            if not facts:
                self._take_over()
                return least
            self.fold(facts)
            progress(facts[-1].position)

    def fold(self, facts: Sequence[Recorded]) -> None:
        """Fold consecutive facts into every build that stands directly before or inside them; all or none."""
        first, last = facts[0].position, facts[-1].position
        try:
            with self.database.writing() as connection:
                behind = {
                    name: position
                    for name, position in self._follow(connection).items()
                    if first - 1 <= position < last
                }
                with self.database.pipelined(connection):
                    for name, position in behind.items():
                        self._builds[name].fold(connection, position, facts[position - first + 1 :])
                if behind:
                    moved = update(BUILDS).where(*_IS).values(position=last)
                    connection.execute(moved, [self._builds[name].key for name in behind])
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
            return {name: self._builds[name].digest(connection) for name in self._follow(connection)}

    def _open(self) -> None:
        self.database.create(BUILDS.metadata)
        with self.database.writing() as connection:
            self._follow(connection)
            begun = [view for view in self.views if view.name not in self._builds]
            for view in begun:
                self._builds[view.name] = self._begin(connection, view, 0)
            served = set(connection.execute(select(BUILDS.c.name).where(BUILDS.c.serving == 1)).scalars())
            first = [self._builds[view.name] for view in begun if view.name not in served]
            if first or not self.database.is_served(connection, self.views):
                self._serve(connection, first)

    def _serve(self, connection: Connection, builds: Sequence[Build]) -> None:
        self.database.serve(connection, self.views, {build.view.name: build.name for build in builds})
        if builds:
            connection.execute(update(BUILDS).where(*_IS).values(serving=1), [build.key for build in builds])

    def _follow(self, connection: Connection) -> dict[str, int]:
        """Take up builds that another process, or a program before us, has begun; gives the position of each build.

        A view is missing in what is given when a newer program has replaced our version of it.
        """
        rows = connection.execute(select(BUILDS)).all()
        positions = {}
        for view in self.views:
            ours = {row.number: row.position for row in rows if (row.name, row.version) == (view.name, view.version)}
            if ours:
                newest = max(ours)
                known = self._builds.get(view.name)
                if known is None or known.number != newest:
                    self._builds[view.name] = Build(self.database, view, newest)
                positions[view.name] = ours[newest]
        return positions

    def _begin(self, connection: Connection, view: View, number: int) -> Build:
        """A new empty build, which nobody sees yet."""
        build = Build(self.database, view, number)
        build.table.metadata.create_all(connection)
        row = {"name": view.name, "version": view.version, "number": number, "position": 0, "serving": 0}
        connection.execute(insert(BUILDS).values(row))
        return build

    def _take_over(self) -> None:
        """Let every finished build serve readers, all in one transaction, and drop what it replaces.

        When there is no moment for it now, readers go on with the old builds until one of the next times.
        """
        if self._taken_over == list(self._builds.values()):
            return
        with self.database.reading() as connection:
            replaced = self._replaced(connection)
        if replaced:
            try:
                self._switch()
            except Locked:
                return
        self._taken_over = list(self._builds.values())

    def _switch(self) -> None:
        with self.database.switching() as connection:
            replaced = self._replaced(connection)
            self._serve(connection, [self._builds[name] for name in dict.fromkeys(row.name for row in replaced)])
            for row in replaced:
                connection.exec_driver_sql(f"DROP TABLE IF EXISTS {_table_name(row.name, row.version, row.number)}")
                connection.execute(delete(BUILDS).where(*_IS), _key(row.name, row.version, row.number))

    def _replaced(self, connection: Connection) -> list[Any]:
        """The builds beside ours."""
        ours = {name: self._builds[name] for name in self._follow(connection)}
        return [
            row
            for row in connection.execute(select(BUILDS))
            if row.name in ours and (row.version, row.number) != (ours[row.name].view.version, ours[row.name].number)
        ]


_IS = tuple(BUILDS.c[name] == bindparam(f"its_{name}") for name in ("name", "version", "number"))
"""That a row is about the build of `_key`."""


def _key(name: str, version: int, number: int) -> dict[str, Any]:
    return {"its_name": name, "its_version": version, "its_number": number}


def _table_name(name: str, version: int, number: int) -> str:
    return f"{name}_v{version}" + (f"_{number}" if number else "")
