"""Serving: the engine's thread beside whatever else a process does, until it is told to stop."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from threading import Event, Thread

import structlog

from services.runtime.clock import Clock
from services.runtime.engine import Engine
from services.runtime.front import Front
from services.runtime.log import Log
from services.runtime.store import Unavailable

IDLE_S = 0.1
BREAK_S = 0.5
LISTEN_S = 0.5

logger = structlog.get_logger()


class EngineThread(Thread):
    """Decides and reacts, calls ``settle`` after each step, and ``on_end`` at the end.

    ``failure`` says why it ended before it was told to. While the store cannot be reached it waits for it.
    """

    def __init__(
        self,
        engine: Engine,
        front: Front,
        now: Callable[[], Clock],
        settle: Callable[[], object] = lambda: None,
        on_end: Callable[[], None] = lambda: None,
        on_store: Callable[[bool], None] = lambda there: None,
    ) -> None:
        super().__init__(name="engine", daemon=True)
        self._engine, self._front, self._clock = engine, front, now
        self._settle, self._on_end, self._on_store = settle, on_end, on_store
        self._stopping = Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Work until `stop`."""
        try:
            while not self._stopping.is_set():
                try:
                    worked = self._step()
                    self._on_store(True)
                except Unavailable as error:
                    logger.warning("store_unavailable", error=str(error))
                    self._on_store(False)
                    self._stopping.wait(BREAK_S)
                    continue
                if not worked:
                    self._front.wait(IDLE_S)
            with suppress(Unavailable):
                self._engine.end()
        except BaseException as error:
            self.failure = error
            logger.exception("engine_stopped")
            raise
        finally:
            self._front.close(f"{type(self.failure).__name__}: {self.failure}" if self.failure else "it was stopped")
            self._on_end()

    def _step(self) -> bool:
        now = self._clock().now()
        worked = not self._engine.idle(now) and self._engine.step(now)
        try:
            self._settle()
        except Exception:  # views and old keys cause nothing and may lag: they do not stop a township
            logger.exception("not_settled")
        return worked

    def stop(self) -> None:
        """Finish the transaction at hand and end."""
        self._stopping.set()
        self._front.wake()
        self.join(timedelta(seconds=30).total_seconds())


class Listener(Thread):
    """Calls ``wake`` whenever another process may have appended something to the log."""

    def __init__(self, log: Log, wake: Callable[[], None]) -> None:
        super().__init__(name="listener", daemon=True)
        self._log, self._wake = log, wake
        self._stopping = Event()

    def run(self) -> None:
        """Listen until `stop`."""
        while not self._stopping.is_set():
            try:
                if self._log.store.wait(LISTEN_S):
                    self._wake()
            except Unavailable:
                self._stopping.wait(BREAK_S)

    def stop(self) -> None:
        """Listen no more."""
        self._stopping.set()
        self.join(timedelta(seconds=5).total_seconds())
