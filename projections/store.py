"""Where views stand: the port to their database, and what its adapters for SQLite and PostgreSQL do alike."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table
from sqlalchemy.exc import SQLAlchemyError

from projections.view import INTEGER, Key, View

BUILDS = Table(
    "builds",
    MetaData(),
    Column("name", String, primary_key=True),
    Column("version", INTEGER, primary_key=True),
    Column("number", INTEGER, primary_key=True),
    Column("position", INTEGER, nullable=False),
    Column("serving", INTEGER, nullable=False),
)
"""Which builds of which views there are, how far each has come, and which one readers see."""


class Unavailable(ConnectionError):
    """The database of the views cannot be reached now. Nothing is half done, and the same again later helps."""


class Locked(Unavailable):
    """Somebody held for too long what was needed. Nothing is half done, and the same again later helps."""


class StoredRows(Protocol):
    """The table of one build as folds need it: rows by the million, so straight through the driver."""

    def use(self, connection: Connection) -> None:
        """What follows happens in the transaction of this connection."""
        ...

    def load(self, key: Key) -> Sequence[Any] | None:
        """The row with this key in the order of the columns, if there is one."""
        ...

    def store(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows in the order of the columns; those with a known key take the new values."""
        ...

    def remove(self, keys: Sequence[Key]) -> None:
        """Delete the rows with these keys."""
        ...


class Database(ABC):
    """Explicit transactions over the tables of views: writers take the lock first, readers see one state.

    Rows are the same on every database: flags are 0 or 1 to whoever asks in SQL, times are text.

    Raises:
        Unavailable: from every method, when the database cannot be reached.
        Locked: when somebody else keeps the lock for longer than a minute.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @abstractmethod
    def create(self, tables: MetaData) -> None:
        """Make what is missing of the place and of these tables, whoever else does so at the same time."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[Connection]:
        """A transaction that is alone among writers, committed at the end, or rolled back if the block raises."""

    @abstractmethod
    def switching(self) -> AbstractContextManager[Connection]:
        """As `writing`, for changes of what plain names mean: no reader sees half of it.

        Raises:
            Locked: when there is no moment for it now; it is soon given up, because readers wait meanwhile.
        """

    @abstractmethod
    def reading(self) -> AbstractContextManager[Connection]:
        """A transaction in which every statement sees the same state; it can change nothing."""

    @abstractmethod
    def asking(self) -> AbstractContextManager[Connection]:
        """As `reading`, for one question in somebody else's words: it reaches nothing but what is here."""

    @abstractmethod
    def pipelined(self, connection: Connection) -> AbstractContextManager[object]:
        """Within this, what is stored and removed need not be done before the next is folded."""

    @abstractmethod
    def rows_of(self, table: Table, key: Sequence[str]) -> StoredRows:
        """The rows of a build's table, with its key in the order in which folds name it."""

    @abstractmethod
    def serve(self, connection: Connection, views: Sequence[View], tables: Mapping[str, str]) -> None:
        """Let plain names mean these tables from now on; ``views`` are all that have plain names then."""

    @abstractmethod
    def is_served(self, connection: Connection, views: Sequence[View]) -> bool:
        """Whether everybody who may read these views can, by their plain names."""

    @abstractmethod
    def _unavailable(self, error: Exception) -> type[Unavailable] | None:
        """What to call an error of driver or library, if waiting helps against it."""

    @contextmanager
    def _transaction(self, begin: str, end: str = "COMMIT", *, detached: bool = False) -> Iterator[Connection]:
        with self._connection() as connection:
            if detached:
                connection.detach()
            try:
                connection.exec_driver_sql(begin, execution_options={"no_parameters": True})
                yield connection
                connection.exec_driver_sql(end)
            except BaseException:
                try:
                    connection.exec_driver_sql("ROLLBACK")
                except SQLAlchemyError:  # a link that broke has rolled back by itself
                    connection.invalidate()
                raise

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            with self.engine.connect() as connection:
                yield connection
        except Exception as error:
            kind = self._unavailable(error)
            if kind is None:
                raise
            found = str(getattr(error, "orig", None) or error).strip()
            raise kind(f"expected the database of the views to answer, found: {found}") from error
