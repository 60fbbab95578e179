"""Counts attempts before they are made, durable at once, so that what takes the process with it is found.

The count stands in a database of its own: the log's one writer is busy with the attempt itself.
"""

from services.runtime.store import Database

MAX_ATTEMPTS = 5
"""How often a fact or request may fail, or take the process with it, before it is parked."""

CAREFUL_AFTER = 3
"""After so many starts at the same place everything is handled in a transaction of its own."""


class Attempts:
    """How often one subscriber tried each thing without success. One process at a time per subscriber."""

    def __init__(self, database: Database, subscriber: str) -> None:
        self._database, self._prefix = database, f"{subscriber}/"

    def count(self, what: str) -> int:
        """Count one attempt at ``what``; gives how many there were with this one."""
        sql = "INSERT INTO attempts VALUES (?,1) ON CONFLICT (what) DO UPDATE SET n = attempts.n + 1 RETURNING n"
        with self._database.writing() as cursor:
            return int(cursor.execute(sql, (self._prefix + what,)).fetchone()[0])

    def so_far(self, what: str) -> int:
        """How many attempts at ``what`` there were."""
        with self._database.reading() as cursor:
            row = cursor.execute("SELECT n FROM attempts WHERE what=?", (self._prefix + what,)).fetchone()
            return int(row[0]) if row else 0

    def forget(self, what: str) -> None:
        """It was handled at last, or somebody decided that it shall be tried anew."""
        with self._database.writing() as cursor:
            cursor.execute("DELETE FROM attempts WHERE what=?", (self._prefix + what,))

    def take_back(self, what: str) -> None:
        """The last attempt does not count: what ended it was not the fault of ``what``."""
        with self._database.writing() as cursor:
            cursor.execute("UPDATE attempts SET n = n - 1 WHERE what=?", (self._prefix + what,))
            cursor.execute("DELETE FROM attempts WHERE what=? AND n <= 0", (self._prefix + what,))

    def count_start(self, position: int) -> int:
        """Count a start of the subscriber at this place in the log; gives how many there were with this one."""
        key = f"start:{position}"
        self._forget_starts(but=self._prefix + key)
        return self.count(key)

    def forget_starts(self) -> None:
        """The subscriber has shown that it can go on, or ended because it was told to."""
        self._forget_starts()

    def _forget_starts(self, but: str = "") -> None:
        start = f"{self._prefix}start:"
        with self._database.writing() as cursor:
            cursor.execute(
                "DELETE FROM attempts WHERE what > ? AND what < ? AND what <> ?", (start, start[:-1] + ";", but)
            )
