"""Where rows stand: the port to a database, and the tables of log, vault and attempts, told once for every database.

Statements are written in what SQLite and PostgreSQL have in common, with ``?`` for a value. The adapters are
`services.runtime.sqlite` and `services.runtime.postgres`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, NamedTuple, Protocol

from eventsourcing.persistence import ApplicationRecorder, StoredEvent

from services.runtime.errors import HujiaoError

Form = Literal["text", "integer", "bytes", "serial"]
"""Text is ordered by its bytes, on every database. A serial column counts rows by itself."""


class Unavailable(HujiaoError):
    """The database cannot be reached now. Nothing is half done; the same again later helps."""


class Table(NamedTuple):
    """A table beside the facts: its columns with their forms, its key, indexes, and which columns may be empty."""

    name: str
    columns: tuple[tuple[str, Form], ...]
    key: tuple[str, ...]
    indexes: tuple[tuple[str, ...], ...] = ()
    optional: tuple[str, ...] = ()

    def definition(self, forms: Mapping[Form, str]) -> str:
        """The columns and the key as a statement that creates the table wants them."""
        columns = (f"{name} {forms[form]}{'' if name in self.optional else ' NOT NULL'}" for name, form in self.columns)
        return f"{', '.join(columns)}, PRIMARY KEY ({', '.join(self.key)})"

    def index_statements(self) -> list[str]:
        """What makes the indexes where they are missing."""
        return [
            f"CREATE INDEX IF NOT EXISTS {self.name}_{'_'.join(columns)} ON {self.name} ({', '.join(columns)})"
            for columns in self.indexes
        ]


INBOX = Table("inbox", (("source_id", "text"), ("request", "bytes"), ("answer", "bytes")), ("source_id",))
TIMERS = Table("timers", (("id", "text"), ("due", "integer"), ("request", "bytes")), ("id",), (("due", "id"),))
LOG_TABLES = (
    INBOX,
    TIMERS,
    Table("seals", (("position", "integer"), ("seal", "bytes")), ("position",)),
    Table("cursors", (("name", "text"), ("position", "integer")), ("name",)),
    Table(
        "parked",
        (
            ("subscriber", "text"),
            ("what", "text"),
            ("position", "integer"),
            ("stream", "text"),
            ("cause", "text"),
            ("parked_at", "integer"),
            ("released", "integer"),
            ("request", "bytes"),
        ),
        ("subscriber", "what"),
        optional=("position", "request"),
    ),
    Table("settings", (("name", "text"), ("value", "text")), ("name",)),
)
"""What must change in the same transaction as the facts."""

KEYS = Table("keys", (("stream", "text"), ("key", "bytes")), ("stream",))
ATTACHMENTS = Table("attachments", (("stream", "text"), ("sha256", "text"), ("box", "bytes")), ("stream", "sha256"))
VAULT_TABLES = (
    KEYS,
    ATTACHMENTS,
    Table("tombstones", (("stream", "text"), ("erased_at", "text")), ("stream",)),
    Table("periods", (("month", "text"), ("key", "bytes")), ("month",)),
    Table("sources", (("source", "text"), ("key", "bytes")), ("source",)),
    Table(
        "openings",
        (("n", "serial"), ("opened_at", "text"), ("who", "text"), ("purpose", "text"), ("stream", "text")),
        ("n",),
        (("stream",),),
    ),
    Table(
        "changes", (("what", "text"), ("newest", "text"), ("flushes", "integer"), ("erasures", "integer")), ("what",)
    ),
)
"""The vault, in a database or schema of its own."""

PASSWORDS = Table("passwords", (("name", "text"), ("hash", "text")), ("name",))
ACCOUNT_TABLES = (
    PASSWORDS,
    Table("sessions", (("secret", "text"), ("name", "text"), ("ends", "integer")), ("secret",), (("name",),)),
    Table(
        "tokens",
        (("secret", "text"), ("name", "text"), ("label", "text"), ("ends", "integer")),
        ("secret",),
        (("name",),),
    ),
    Table("guesses", (("what", "text"), ("n", "integer"), ("began", "integer")), ("what",)),
)
"""How users prove who they are; beside the vault, because it opens the same doors."""

ATTEMPT_TABLES = (Table("attempts", (("what", "text"), ("n", "integer")), ("what",)),)
"""How often things were tried: durable at once, so never inside the transaction that tries."""


class Cursor(Protocol):
    """Statements inside one transaction.

    Raises:
        Unavailable: from every method, when the database cannot be reached any more; the transaction came to nothing.
    """

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> "Cursor":
        """Run one statement."""
        ...

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> object:
        """Run one statement for each row of values."""
        ...

    def fetchone(self) -> Any:
        """The next row, a tuple, or ``None``."""
        ...

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """The rows."""
        ...

    def insert(self, table: Table, rows: Sequence[Sequence[Any]], *, replace: bool = False) -> None:
        """Insert rows of all columns; with ``replace``, those with a known key take the new values."""
        ...

    def among(self, sql: str, values: Sequence[str]) -> list[Any]:
        """The rows of ``sql``, which ends in the name of a column that shall be one of ``values``, in any order."""
        ...


class Database(Protocol):
    """One database, or schema of one, with some of the tables above.

    Raises:
        Unavailable: from every method, when the database cannot be reached.
    """

    def look(self, sql: str, values: Sequence[Any] = (), /) -> list[Any]:
        """The rows of one statement that changes nothing."""
        ...

    def reading(self) -> AbstractContextManager[Cursor]:
        """One transaction in which everything sees the same state; it changes nothing."""
        ...

    def writing(self) -> AbstractContextManager[Cursor]:
        """One transaction, rolled back if the block raises. It appends no facts."""
        ...

    def shred(self, tables: Sequence[str]) -> None:
        """See to it that rows deleted from these tables cannot be read from the files any more."""
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


class EventStore(Database, Protocol):
    """The database of a log: the library's recorder, and the tables of `LOG_TABLES` beside its own.

    ``position`` is what the library calls the column of positions there.
    """

    position: str

    @property
    def recorder(self) -> ApplicationRecorder:
        """The library's recorder over this store."""
        ...

    def exclusive(self) -> AbstractContextManager[Cursor]:
        """As `writing`, with the lock taken first that every transaction takes which appends facts."""
        ...

    def append(self, cursor: Cursor, events: Sequence[StoredEvent], after: int) -> None:
        """Append events inside `exclusive`, at the positions that follow ``after``, the newest."""
        ...

    def raw(self, cursor: Cursor, after: int, until: int) -> list["Raw"] | None:
        """The stored bytes of the facts after one position up to another; ``None`` when a value has a wrong type."""
        ...

    def wait(self, timeout_s: float) -> bool:
        """Sleep until another process may have appended something, or the time is over; gives whether it may have."""
        ...


Raw = tuple[int, bytes, int, bytes, bytes]
"""Position, stream, version, name and content, as they are stored and sealed."""


def insert_statement(table: Table, source: str, *, replace: bool) -> str:
    """The insert of all columns of a table from ``source``, such as ``VALUES (?, ?)``."""
    names = [name for name, _ in table.columns]
    sql = f"INSERT INTO {table.name} ({', '.join(names)}) {source}"
    if replace:
        changed = ", ".join(f"{name} = excluded.{name}" for name in names if name not in table.key)
        sql += f" ON CONFLICT ({', '.join(table.key)}) DO UPDATE SET {changed}"
    return sql
