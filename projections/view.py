"""What a view is: its columns, its key, and how each fact changes its rows. Pure; the runner does the storing."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, LargeBinary, String
from sqlalchemy.dialects.postgresql import TEXT as POSTGRES_TEXT
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from events.envelope import Recorded

Row = dict[str, Any]
Key = tuple[Any, ...]

_ORDERED = String().with_variant(POSTGRES_TEXT(collation="C"), "postgresql")
"""Text that every database orders by its bytes."""


class Moment(TypeDecorator[datetime]):
    """An aware time, stored as ISO 8601 text in UTC with microseconds, so that text order is time order."""

    impl = _ORDERED
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """To text."""
        return None if value is None else moment_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """From text."""
        return None if value is None else datetime.fromisoformat(value)


class Flag(TypeDecorator[bool]):
    """True or false, read as such from databases that store numbers and from drivers that give them."""

    impl = Boolean
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> bool | None:
        """From what the driver gives."""
        return None if value is None else bool(value)


def moment_text(value: datetime) -> str:
    """How views store a time."""
    return (value if value.tzinfo is UTC else value.astimezone(UTC)).isoformat(timespec="microseconds")


def plain_text(value: str) -> str:
    """How views store text: without the one character that PostgreSQL cannot store."""
    return value.replace("\0", "␀")


class Rows:
    """The rows of one view while facts are folded: what is known in memory, and what has changed.

    ``load`` fetches a row by key from the stored table. Rows given out may be changed in place by
    `change`; nothing is stored until the runner takes what has changed.
    """

    def __init__(self, key: tuple[str, ...], load: Callable[[Key], Row | None]) -> None:
        self._key = key
        self._load = load
        self._known: dict[Key, Row | None] = {}
        self._changed: set[Key] = set()

    def get(self, *key: Any) -> Row | None:
        """The row with this key, if there is one. Only to be read: change it with `change`."""
        try:
            return self._known[key]
        except KeyError:
            row = self._known[key] = self._load(key)
            return row

    def put(self, row: Row) -> None:
        """Insert a whole row, or replace it."""
        key = tuple([row[column] for column in self._key])
        self._known[key] = row
        self._changed.add(key)

    def change(self, *key: Any, **values: Any) -> Row | None:
        """Set some columns of the row with this key; gives the row, or ``None`` if there is none."""
        row = self.get(*key)
        if row is not None:
            row.update(values)
            self._changed.add(key)
        return row

    def delete(self, *key: Any) -> None:
        """Remove the row with this key."""
        if self.get(*key) is not None:
            self._known[key] = None
            self._changed.add(key)

    def take_changed(self, keep: int) -> tuple[list[Row], list[Key]]:
        """Rows to store and keys to remove since the last call; forgets the oldest rows beyond ``keep``."""
        stored, removed = [], []
        for key in self._changed:
            row = self._known[key]
            if row is None:
                removed.append(key)
                del self._known[key]
            else:
                stored.append(row)
        self._changed.clear()
        for key in list(islice(self._known, max(0, len(self._known) - keep))):
            del self._known[key]
        return stored, removed

    def forget(self) -> None:
        """Forget everything: the transaction was rolled back."""
        self._known.clear()
        self._changed.clear()


Fold = Callable[[Rows, Recorded, Any], None]
"""``(rows, recorded, recorded.fact)``: change the rows as the fact says."""


class View:
    """One view: a documented table that a reader may query by its plain name.

    ``folds`` names the facts it listens to. ``opaque`` columns are positions, keyed or encrypted: they are left
    out of the digest. Raise ``version`` whenever columns or folds change: the new one is built beside the old.

    Analysts see of a view with a column ``case`` what is about cases known not to be confidential, and of any other
    view everything if it ``names_nobody``, or else nothing.
    """

    def __init__(
        self,
        name: str,
        version: int,
        purpose: str,
        key: tuple[str, ...],
        columns: Mapping[str, Any],
        folds: Mapping[str, Fold],
        opaque: frozenset[str] = frozenset(),
        indexes: tuple[tuple[str, ...], ...] = (),
        *,
        names_nobody: bool = False,
    ) -> None:
        self.name, self.version, self.purpose = name, version, purpose
        self.key, self.columns, self.folds = key, dict(columns), dict(folds)
        self.opaque, self.indexes, self.names_nobody = opaque, indexes, names_nobody
        self._empty = dict.fromkeys(columns)

    def row(self, **values: Any) -> Row:
        """A row with every column, those not named ``None``."""
        return {**self._empty, **values}

    def table_columns(self) -> list[Column[Any]]:
        """The columns for the database."""
        return [
            Column(name, form, primary_key=name in self.key, nullable=name not in self.key)
            for name, form in self.columns.items()
        ]


INTEGER = Integer().with_variant(BigInteger(), "postgresql")
TEXT, REAL, FLAG, BYTES, MOMENT = _ORDERED, Float, Flag, LargeBinary, Moment
