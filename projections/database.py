"""Opens the database of the views: a SQLite file, or a schema of PostgreSQL."""

from pathlib import Path

from projections.postgres import VIEWS, PostgresDatabase
from projections.sqlite import SQLiteDatabase
from projections.store import Database


def open_database(where: Path | str, schema: str = VIEWS) -> Database:
    """The database at a path or a ``postgresql://`` URL; ``schema`` means nothing to a file."""
    return PostgresDatabase(where, schema) if isinstance(where, str) else SQLiteDatabase(where)
