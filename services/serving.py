"""Serving: the engine's thread beside the web server, in one process, until it is told to stop."""

from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread

import structlog

from services.runtime.engine import Engine
from services.runtime.front import Front
from services.wiring import House

IDLE_S = 0.1

logger = structlog.get_logger()


class EngineThread(Thread):
    """Decides, reacts and keeps the views current, and calls ``on_end`` at the end.

    ``failure`` says why it ended before it was told to.
    """

    def __init__(self, house: House, engine: Engine, front: Front, on_end: Callable[[], None] = lambda: None) -> None:
        super().__init__(name="engine", daemon=True)
        self._house, self._engine, self._front = house, engine, front
        self._on_end = on_end
        self._stopping = Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Work until `stop`."""
        try:
            while not self._stopping.is_set():
                worked = self._engine.step(self._house.clock.now())
                self._keep_views_current()
                if not worked:
                    self._front.wait(IDLE_S)
        except BaseException as error:
            self.failure = error
            logger.exception("engine_stopped")
            raise
        finally:
            self._front.close(f"{type(self.failure).__name__}: {self.failure}" if self.failure else "it was stopped")
            self._on_end()

    def _keep_views_current(self) -> None:
        """Views may lag, they cause nothing: one that fails shows as lag and does not stop the township."""
        try:
            self._house.settle()
        except Exception:
            logger.exception("views_failed")

    def stop(self) -> None:
        """Finish the transaction at hand and end."""
        self._stopping.set()
        self.join(timedelta(seconds=30).total_seconds())
