"""The front: requests of many senders meet in one bounded queue, and the engine's thread decides them together.

The library's store is synchronous, so there is one writer thread; senders await their answer, which comes after
the commit of the batch that decided it.
"""

import asyncio
import contextlib
import queue
from datetime import UTC, datetime
from threading import Event, Lock

from services.runtime.batch import Answer, Submission
from services.runtime.engine import Answered, Due
from services.runtime.errors import HujiaoError

MAX_WAITING = 10_000

_Settled = list[tuple[asyncio.Future[Answer], Answer | HujiaoError]]


class Overloaded(HujiaoError):
    """Too many requests wait already. Nothing was taken; try again in a moment."""


class Closed(HujiaoError):
    """The engine has ended. Send it again, under the same id, once it is back."""


class Front:
    """A feed for the engine on one side, `submit` for senders on the other."""

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        self._queue: queue.SimpleQueue[tuple[Submission, asyncio.Future[Answer]]] = queue.SimpleQueue()
        self._waiting: dict[str, list[asyncio.Future[Answer]]] = {}
        self._again: list[Due] = []
        self._max_waiting = max_waiting
        self._arrived = Event()
        self._closed: str | None = None
        self._lock = Lock()

    async def submit(self, submission: Submission) -> Answer:
        """Have a request decided; returns after the commit.

        Raises:
            Conflict: when the source id came before with other content.
            Overloaded: when too many requests wait.
            Closed: when the engine has ended; what was not answered may or may not have been decided.
        """
        if self._queue.qsize() >= self._max_waiting:
            raise Overloaded(f"expected fewer than {self._max_waiting} waiting requests, found as many: try again")
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._closed is not None:
                raise Closed(f"expected an engine that works, found one that ended: {self._closed}")
            self._queue.put((submission, future))
        self._arrived.set()
        return await future

    def close(self, reason: str) -> None:
        """Tell everybody who waits, and whoever comes later, that nothing is decided any more."""
        with self._lock:
            self._closed = reason
        while True:
            try:
                submission, future = self._queue.get_nowait()
            except queue.Empty:
                break
            self._waiting.setdefault(submission.source_id, []).append(future)
        waiting = [future for futures in self._waiting.values() for future in futures]
        self._waiting.clear()
        for future in waiting:
            error = Closed(f"expected an answer, found that the engine ended: {reason}")
            settled: _Settled = [(future, error)]
            with contextlib.suppress(RuntimeError):  # the sender's loop has ended: nobody waits any more
                future.get_loop().call_soon_threadsafe(_settle, settled)

    def wake(self) -> None:
        """Something may have happened elsewhere: `wait` no longer."""
        self._arrived.set()

    def wait(self, timeout_s: float) -> None:
        """Sleep until something arrives or the time is over; for the engine's thread."""
        self._arrived.wait(timeout_s)
        self._arrived.clear()

    def next_due(self) -> datetime | None:
        """Whatever waits is due at once."""
        return datetime.min.replace(tzinfo=UTC) if self._again or not self._queue.empty() else None

    def take(self, until: datetime, limit: int) -> list[Due]:
        """What has arrived, in the order of arrival."""
        taken, self._again = self._again[:limit], self._again[limit:]
        while len(taken) < limit:
            try:
                submission, future = self._queue.get_nowait()
            except queue.Empty:
                break
            self._waiting.setdefault(submission.source_id, []).append(future)
            taken.append((until, submission))
        return taken

    def answered(self, answers: list[Answered]) -> None:
        """Wake the senders, with one call into each event loop."""
        ready: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Answer], Answer | HujiaoError]]] = {}
        for submission, answer in answers:
            futures = self._waiting[submission.source_id]
            future = futures.pop(0)
            if not futures:
                del self._waiting[submission.source_id]
            ready.setdefault(future.get_loop(), []).append((future, answer))
        for loop, settled in ready.items():
            loop.call_soon_threadsafe(_settle, settled)

    def give_back(self, taken: list[Due]) -> None:
        """Offer these again first."""
        self._again = taken + self._again


def _settle(settled: _Settled) -> None:
    for future, answer in settled:
        if future.done():
            continue
        if isinstance(answer, HujiaoError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
