"""Hearing of facts: the one port, and what its adapters share, which is never to lose a fact and never to hang on one.

A subscription gives batches of recorded facts, in order per stream, at least once, and moves on after their effect is
durable. A fact that cannot be handled is tried a bounded number of times, then parked with its cause; later facts of
its stream park behind it until an operator releases or drops them, and all other streams go on.

The adapters are `services.messaging.log_cursor` and `services.messaging.queues`; both pass one contract suite.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from events.envelope import Recorded
from services.messaging.retry import PASSING, pauses
from services.runtime.attempts import MAX_ATTEMPTS, Attempts
from services.runtime.clock import Clock
from services.runtime.log import Log
from services.runtime.parking import BEHIND, ENDED, Parking
from services.runtime.places import Lock
from services.runtime.threads import in_thread

STANDBY_S = 1.0

Handle = Callable[[Sequence[Recorded]], Awaitable[None]]
"""Has an effect, durable when it returns. It may see the same fact again, and must then do no more than once."""

logger = structlog.get_logger()


class Subscription(Protocol):
    """Where facts are heard of."""

    async def run(self, handle: Handle) -> None:
        """Hear until cancelled, over every break. What is being handled when it is cancelled will come again."""
        ...


async def stand_by(lock: Lock) -> None:
    """Wait until one is the only process that hears for a subscriber.

    Raises:
        Unavailable: when the store that knows cannot be reached.
    """
    while not await in_thread(lock.take):  # noqa: ASYNC110  # the lock is the store's: nobody wakes us
        await asyncio.sleep(STANDBY_S)


class Care:
    """Handles facts with care for one subscriber: counts, tries again, parks.

    Attempts are counted before they are made, so that a fact which takes the process with it is found out.
    """

    def __init__(self, log: Log, attempts: Attempts, clock: Clock, subscriber: str, handle: Handle) -> None:
        self._log, self._attempts, self._clock = log, attempts, clock
        self._handle = handle
        self._parking = Parking(subscriber)
        self._waiting: set[str] = set()

    async def handle(self, facts: Sequence[Recorded], *, careful: bool = False) -> None:
        """Return once each fact was handled or parked; one at a time when ``careful``.

        Raises:
            LinkLost, Unavailable, Overloaded: the same again later helps; nothing counts as an attempt.
        """
        await self.idle()
        failed: Exception | None = None
        if not careful and not any(recorded.stream in self._waiting for recorded in facts):
            try:
                await self._handle(facts)
            except PASSING:
                raise
            except Exception as error:  # noqa: BLE001  # whatever it is, one of these facts caused it: find out which
                logger.warning("one_by_one", subscriber=self._parking.subscriber, error=str(error))
                failed = error if len(facts) == 1 else None
            else:
                return
        for recorded in facts:
            await self._one(recorded, failed)

    async def idle(self) -> None:
        """Handle what an operator let go on, before anything newer; call it now and then when nothing is heard.

        Raises:
            LinkLost, Unavailable, Overloaded: the same again later helps.
        """
        for recorded in await in_thread(self._look):
            if await self._one(recorded):
                await in_thread(self._done, recorded.id)

    async def _one(self, recorded: Recorded, failed: Exception | None = None) -> bool:
        """Handle or park one fact, which may have ``failed`` once already; gives whether it was handled."""
        if recorded.stream in self._waiting:
            await self._park(recorded, BEHIND)
            return False
        waits, cause = pauses(), ENDED
        while (attempt := await in_thread(self._attempts.count, recorded.id)) <= MAX_ATTEMPTS:
            error = failed or await self._try(recorded)
            if error is None:
                await in_thread(self._attempts.forget, recorded.id)
                return True
            failed, cause = None, f"{type(error).__name__}: {error}"
            logger.error(
                "failed", what=recorded.id, subscriber=self._parking.subscriber, attempt=attempt, exc_info=error
            )
            if attempt < MAX_ATTEMPTS:
                await asyncio.sleep(next(waits))
        await self._park(recorded, cause)
        return False

    async def _try(self, recorded: Recorded) -> Exception | None:
        """Handle one fact; gives what went wrong."""
        try:
            await self._handle((recorded,))
        except PASSING:
            await in_thread(self._attempts.take_back, recorded.id)
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the cause
            return error
        return None

    async def _park(self, recorded: Recorded, cause: str) -> None:
        def park() -> None:
            self._attempts.forget(recorded.id)  # whoever lets it go on wants it tried anew
            with self._log.store.writing() as cursor:
                self._parking.park(
                    cursor, recorded.id, recorded.stream, cause, self._clock.now(), position=recorded.position
                )

        await in_thread(park)
        self._waiting.add(recorded.stream)
        logger.error("parked", what=recorded.id, subscriber=self._parking.subscriber, cause=cause)

    def _look(self) -> list[Recorded]:
        """Look up which streams wait, and what need wait no more."""
        self._waiting, free = self._parking.look(self._log.store)
        return [self._log.after(what.position - 1, 1)[0] for what in free if what.position is not None]

    def _done(self, what: str) -> None:
        with self._log.store.writing() as cursor:
            self._parking.done(cursor, what)
