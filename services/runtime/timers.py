"""The timers as one transaction sees them: what it sets and clears is written together, before anybody looks."""

from services.runtime.store import TIMERS, Cursor


class Timers:
    """All waiting timers, inside the transaction of ``cursor``. Times are microseconds since 1970.

    A timer is named ``timer:<stream>:<name>``; one of the name ``<name>.<more>`` is part of it.
    """

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._set: dict[str, dict[str, tuple[str, int, bytes]]] = {}
        """What is to be written, by stream."""
        self._cleared: dict[str, None] = {}
        """Whose rows are to be deleted before that."""
        self._first: int | None = None
        """No timer is due before this; none at all if ``None``. ``_known`` once it was looked up, and from then on."""
        self._known = self._exact = False

    def set(self, name: str, due: int, request: bytes) -> None:
        """Set a timer, or another time for it."""
        self._set.setdefault(_stream(name), {})[name] = (name, due, request)
        if self._first is None or due < self._first:
            self._first = due

    def clear(self, name: str) -> None:
        """Clear a timer and all that are part of it."""
        waiting = self._set.get(_stream(name), {})
        for known in [known for known in waiting if known == name or known.startswith(f"{name}.")]:
            del waiting[known]
        self._cleared[name] = None
        self._exact = False

    def any_by(self, moment: int) -> bool:
        """Whether any timer is due by a moment."""
        if self._known and (self._first is None or self._first > moment):
            return False
        first = self.first()
        return first is not None and first <= moment

    def first(self) -> int | None:
        """When the first timer is due; ``None`` when there is none."""
        if not self._exact:
            self.write()
            row = self._cursor.execute("SELECT due FROM timers ORDER BY due, id LIMIT 1").fetchone()
            self._first = row[0] if row else None
            self._known = self._exact = True
        return self._first

    def take(self, until: int, limit: int) -> list[tuple[int, str, bytes]]:
        """Take out the timers due by ``until``, ``(due, name, request)``, in order; all of them if ``limit`` < 0."""
        self.write()
        which = "due <= ?"
        if limit >= 0:
            which = f"id IN (SELECT id FROM timers WHERE {which} ORDER BY due, id LIMIT {limit:d})"
        taken = self._cursor.execute(
            f"DELETE FROM timers WHERE {which} RETURNING due, id, request", (until,)
        ).fetchall()
        self._exact = False
        return sorted((row[0], row[1], row[2]) for row in taken)

    def write(self) -> None:
        """Write what was set and cleared so far."""
        if self._cleared:
            # in the order of characters "/" comes directly after "."
            self._cursor.executemany(
                "DELETE FROM timers WHERE id = ? OR (id > ? AND id < ?)",
                [(name, f"{name}.", f"{name}/") for name in self._cleared],
            )
            self._cleared.clear()
        rows = [row for waiting in self._set.values() for row in waiting.values()]
        if rows:
            self._cursor.insert(TIMERS, rows, replace=True)
            self._set.clear()


def _stream(name: str) -> str:
    """What a timer is about; a request that waits under another kind of name is about itself."""
    return name.rpartition(":")[0]
