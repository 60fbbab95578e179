"""Hearing of facts: the one port, and what its adapters share, which is never to lose a fact and never to hang on one.

A subscription gives batches of recorded facts, in order per stream, at least once, and moves on after their effect is
durable. A fact that cannot be handled is tried a bounded number of times, then parked with its cause; later facts of
its stream park behind it until an operator releases or drops them, and all other streams go on.

The adapters are `services.runtime.log_cursor` and `services.runtime.queues`; both pass one contract suite.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from events.envelope import Recorded
from services.runtime.attempts import MAX_ATTEMPTS, Attempts
from services.runtime.clock import Clock
from services.runtime.log import Log
from services.runtime.parking import Parking
from services.runtime.retry import PASSING, pauses

ENDED = "the process ended whenever it was handled"
BEHIND = "behind a parked fact"

Handle = Callable[[Sequence[Recorded]], Awaitable[None]]
"""Has an effect, durable when it returns. It may see the same fact again, and must then do no more than once."""

logger = structlog.get_logger()


class Subscription(Protocol):
    """Where facts are heard of."""

    async def run(self, handle: Handle) -> None:
        """Hear until cancelled, over every break. What is being handled when it is cancelled will come again."""
        ...


class Care:
    """Handles facts with care for one subscriber: counts, tries again, parks.

    Attempts are counted before they are made, so that a fact which takes the process with it is found out.
    """

    def __init__(self, log: Log, attempts: Attempts, clock: Clock, subscriber: str, handle: Handle) -> None:
        self._log, self._attempts, self._clock = log, attempts, clock
        self._handle = handle
        self._parking = Parking(subscriber)
        self._parked: set[str] | None = None

    async def handle(self, facts: Sequence[Recorded], *, careful: bool = False) -> None:
        """Return once each fact was handled or parked; one at a time when ``careful``.

        Raises:
            LinkLost, Unavailable, Overloaded: the same again later helps; nothing counts as an attempt.
        """
        await self._handle_released()
        if not careful and not any(recorded.stream in self._waiting for recorded in facts):
            try:
                await self._handle(facts)
            except PASSING:
                raise
            except Exception as error:  # noqa: BLE001  # whatever it is, one of these facts caused it: find out which
                logger.warning("one_by_one", subscriber=self._parking.subscriber, error=str(error))
            else:
                return
        for recorded in facts:
            await self._one(recorded)

    async def idle(self) -> None:
        """Call it now and then when nothing is heard: what an operator released is handled."""
        await self._handle_released()

    @property
    def _waiting(self) -> set[str]:
        assert self._parked is not None, "what is parked is looked up first"
        return self._parked

    async def _one(self, recorded: Recorded) -> None:
        if recorded.stream in self._waiting:
            await self._park(recorded, BEHIND)
            return
        waits = pauses()
        attempt, cause = await asyncio.to_thread(self._attempts.count, recorded.id), ENDED
        while attempt <= MAX_ATTEMPTS:
            try:
                await self._handle((recorded,))
            except PASSING:
                await asyncio.to_thread(self._attempts.take_back, recorded.id)
                raise
            except Exception as error:
                cause = f"{type(error).__name__}: {error}"
                logger.exception("failed", what=recorded.id, subscriber=self._parking.subscriber, attempt=attempt)
                if attempt < MAX_ATTEMPTS:
                    await asyncio.sleep(next(waits))
                attempt = await asyncio.to_thread(self._attempts.count, recorded.id)
            else:
                await asyncio.to_thread(self._attempts.forget, recorded.id)
                return
        await self._park(recorded, cause)

    async def _park(self, recorded: Recorded, cause: str) -> None:
        def park() -> None:
            with self._log.store.writing() as cursor:
                self._parking.park(
                    cursor, recorded.id, recorded.stream, cause, self._clock.now(), position=recorded.position
                )
            self._attempts.forget(recorded.id)

        await asyncio.to_thread(park)
        self._waiting.add(recorded.stream)
        logger.error("parked", what=recorded.id, subscriber=self._parking.subscriber, cause=cause)

    async def _handle_released(self) -> None:
        """What an operator let go on, in the order of the log, before anything newer."""
        for recorded in await asyncio.to_thread(self._take_released):
            await self._one(recorded)

    def _take_released(self) -> list[Recorded]:
        with self._log.reading() as cursor:
            released = self._parking.has_released(cursor)
            self._parked = self._parking.streams(cursor)
        if not released:
            return []
        with self._log.store.writing() as cursor:
            taken = self._parking.take_released(cursor)
        return [self._log.after(what.position - 1, 1)[0] for what in taken if what.position is not None]
