"""Counts attempts before they are made, durable at once, so that what takes the process with it is found.

The count stands in a file of its own: the log's one writer is busy with the attempt itself.
"""

import sqlite3
from pathlib import Path

MAX_ATTEMPTS = 5
"""How often a fact or request may fail, or take the process with it, before it is parked."""


class Attempts:
    """How often each thing was tried without success. One process at a time: the one that runs the engine."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("CREATE TABLE IF NOT EXISTS attempts (what TEXT PRIMARY KEY, n INTEGER NOT NULL)")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def count(self, what: str) -> int:
        """Count one attempt at ``what``; gives how many there were with this one."""
        sql = "INSERT INTO attempts VALUES (?,1) ON CONFLICT (what) DO UPDATE SET n = n + 1 RETURNING n"
        return int(self._db.execute(sql, (what,)).fetchone()[0])

    def so_far(self, what: str) -> int:
        """How many attempts at ``what`` there were."""
        row = self._db.execute("SELECT n FROM attempts WHERE what=?", (what,)).fetchone()
        return int(row[0]) if row else 0

    def forget(self, what: str) -> None:
        """It was handled at last, or somebody decided that it shall be tried anew."""
        self._db.execute("DELETE FROM attempts WHERE what=?", (what,))

    def count_start(self, position: int) -> int:
        """Count a start of the engine at this place in the log; gives how many there were with this one."""
        key = f"start:{position}"
        self._db.execute("DELETE FROM attempts WHERE what LIKE 'start:%' AND what <> ?", (key,))
        return self.count(key)
