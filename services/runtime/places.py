"""Where a township's data stands: a folder of SQLite files, or a PostgreSQL database with a schema for each part."""

import contextlib
import fcntl
from pathlib import Path
from typing import Protocol

from services.runtime.postgres import PostgresDatabase, PostgresLock, schema_exists
from services.runtime.postgres_log import PostgresEventStore
from services.runtime.sqlite import SqliteDatabase, SqliteEventStore
from services.runtime.store import ACCOUNT_TABLES, ATTEMPT_TABLES, VAULT_TABLES, Database, EventStore

LOG, VAULT, ACCOUNTS, VIEWS, ATTEMPTS = "log.db", "vault.db", "accounts.db", "views.db", "attempts.db"


class Lock(Protocol):
    """That one process alone does something. It is lost when the process ends."""

    def take(self) -> bool:
        """Take it, or learn that somebody else has it; gives whether it is ours now."""
        ...

    def held(self) -> bool:
        """Whether it is still ours."""
        ...

    def close(self) -> None:
        """Give it back."""
        ...


class Place(Protocol):
    """Where the parts of one township's data are opened."""

    name: str
    """What a person calls it; no password in it."""

    def exists(self) -> bool:
        """Whether there is a log already."""
        ...

    def log(self) -> EventStore:
        """The store of the log."""
        ...

    def vault(self) -> Database:
        """The database of the vault."""
        ...

    def accounts(self) -> Database:
        """The database in which users prove who they are."""
        ...

    def attempts(self) -> Database:
        """The database in which attempts are counted."""
        ...

    def views(self) -> Path | str:
        """The file, or the URL of the database, in which the views stand."""
        ...

    def past(self, position: int) -> tuple[Path | str, str]:
        """Where scratch views as of a position stand: the file or URL, and the schema there."""
        ...

    def lock(self, what: str) -> Lock:
        """The lock on being the one process that does ``what`` here."""
        ...


class Folder:
    """A data directory: a file for each part, nothing to install."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)

    def exists(self) -> bool:
        """Whether there is a log already."""
        return (self.path / LOG).is_file()

    def log(self) -> EventStore:
        """The store of the log."""
        return SqliteEventStore(self._file(LOG))

    def vault(self) -> Database:
        """The database of the vault."""
        return SqliteDatabase(self._file(VAULT), VAULT_TABLES)

    def accounts(self) -> Database:
        """The database in which users prove who they are."""
        return SqliteDatabase(self._file(ACCOUNTS), ACCOUNT_TABLES)

    def attempts(self) -> Database:
        """The database in which attempts are counted."""
        return SqliteDatabase(self._file(ATTEMPTS), ATTEMPT_TABLES)

    def views(self) -> Path | str:
        """The file of the views."""
        return self.path / VIEWS

    def past(self, position: int) -> tuple[Path | str, str]:
        """The scratch file of a position."""
        return self.path / f"views-as-of-{position}.db", f"views_as_of_{position}"

    def lock(self, what: str) -> Lock:
        """A lock on a file."""
        return _FileLock(self.path / f"{what}.lock")

    def _file(self, name: str) -> Path:
        self.path.mkdir(parents=True, exist_ok=True)
        return self.path / name

    def forget(self) -> None:
        """Remove every file."""
        for pattern in (*(f"{name}*" for name in (LOG, VAULT, ACCOUNTS, VIEWS, ATTEMPTS)), "views-as-of-*"):
            for file in self.path.glob(pattern):
                file.unlink()


class Server:
    """A PostgreSQL database. Log, views and vault may be reached as different users, each with rights to its own."""

    def __init__(self, url: str, views_url: str = "", vault_url: str = "") -> None:
        self._url, self._views_url, self._vault_url = url, views_url or url, vault_url or url
        self.name = url.rsplit("@", 1)[-1]

    def exists(self) -> bool:
        """Whether there is a log already."""
        return schema_exists(self._url, "log")

    def log(self) -> EventStore:
        """The store of the log."""
        return PostgresEventStore(self._url)

    def vault(self) -> Database:
        """The schema of the vault."""
        return PostgresDatabase(self._vault_url, "vault", VAULT_TABLES)

    def accounts(self) -> Database:
        """In the schema of the vault, whose role alone opens doors."""
        return PostgresDatabase(self._vault_url, "vault", ACCOUNT_TABLES)

    def attempts(self) -> Database:
        """Beside the log, through connections of its own."""
        return PostgresDatabase(self._url, "log", ATTEMPT_TABLES)

    def views(self) -> Path | str:
        """The URL of the database with the views."""
        return self._views_url

    def past(self, position: int) -> tuple[Path | str, str]:
        """The scratch schema of a position."""
        return self._views_url, f"views_as_of_{position}"

    def lock(self, what: str) -> Lock:
        """A lock that the server gives to one connection."""
        return PostgresLock(self._url, what)


class _FileLock:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a")
        self._held = False

    def take(self) -> bool:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._held = True
        return self._held

    def held(self) -> bool:
        return self._held

    def close(self) -> None:
        self._file.close()
        self._held = False


def at(where: Path | Place) -> Place:
    """A place; of a path, the folder there."""
    return Folder(where) if isinstance(where, Path) else where


def place(where: str, views_url: str = "", vault_url: str = "") -> Place:
    """The place of this name: a ``postgresql://`` URL, or the path of a folder."""
    if where.startswith(("postgresql://", "postgres://")):
        return Server(where, views_url, vault_url)
    return Folder(Path(where))
