"""The subscription to the log itself: a position in it, and no queue to lose."""

from collections.abc import Callable, Collection

from events.envelope import Recorded
from services.messaging.retry import LinkLost, keep
from services.messaging.subscription import Care, Handle, stand_by
from services.runtime.attempts import CAREFUL_AFTER, Attempts
from services.runtime.clock import Clock
from services.runtime.log import Log
from services.runtime.parking import Parking
from services.runtime.places import Lock
from services.runtime.pulse import Pulse
from services.runtime.threads import in_thread

BATCH = 500
WAIT_S = 0.5


class LogCursor:
    """Hears every fact of the log whose wire name is among ``names``; of all of them, if there are none.

    One process at a time hears for a subscriber: the others stand by until ``lock`` is free. The place in the log is
    kept at ``settled`` of the position that was read: a subscriber whose effects come later says up to where there are
    none to come, and hears what follows once more after a restart.
    """

    def __init__(
        self,
        log: Log,
        attempts: Attempts,
        clock: Clock,
        subscriber: str,
        lock: Lock,
        names: Collection[str] = (),
        pulse: Pulse | None = None,
        batch: int = BATCH,
        settled: Callable[[int], int] = lambda position: position,
    ) -> None:
        self._log, self._attempts, self._clock, self._subscriber = log, attempts, clock, subscriber
        self._lock, self._names, self._batch = lock, frozenset(names), batch
        self._pulse = pulse or Pulse()
        self._settled = settled
        self._parking = Parking(subscriber)

    async def run(self, handle: Handle) -> None:
        """Hear until cancelled, over every break."""
        care = Care(self._log, self._attempts, self._clock, self._subscriber, handle)
        careful_until: int | None = None
        unproven = True

        async def went_well() -> None:
            nonlocal unproven
            if unproven:
                await in_thread(self._attempts.forget_starts)
                unproven = False

        async def hear(well: Callable[[], None]) -> None:
            nonlocal careful_until
            await stand_by(self._lock)
            position = kept = await in_thread(self._position)
            if careful_until is None:  # to begin again after a break is not to start
                starts = await in_thread(self._attempts.count_start, position)
                careful_until = position + self._batch if starts >= CAREFUL_AFTER else 0
            while (facts := await in_thread(self._read, position)) is not None:
                if not facts:
                    kept = await self._keep(kept, position)
                    await care.idle()
                    await went_well()
                    well()
                    await in_thread(self._log.store.wait, WAIT_S)
                    continue
                wanted = [recorded for recorded in facts if self._wants(recorded)]
                if wanted:
                    await care.handle(wanted, careful=position < careful_until)
                position = facts[-1].position
                kept = await self._keep(kept, position)
                if position >= careful_until:
                    await went_well()
                well()
                self._pulse.count("facts_handled", len(wanted))
            raise LinkLost(f"expected to be the only one who hears for {self._subscriber}, found the lock lost")

        try:
            await keep(self._subscriber, self._pulse, hear)
        finally:
            self._lock.close()

    def _wants(self, recorded: Recorded) -> bool:
        return not self._names or recorded.name in self._names

    def _read(self, position: int) -> list[Recorded] | None:
        """What comes after a position; ``None`` once somebody else may be the one who hears."""
        return self._log.after(position, self._batch) if self._lock.held() else None

    def _position(self) -> int:
        with self._log.reading() as cursor:
            return self._parking.position(cursor)

    async def _keep(self, kept: int, position: int) -> int:
        """Keep the place that is settled, if that is further than the one that is kept; gives which one it is now."""
        settled = self._settled(position)
        if settled > kept:
            await in_thread(self._move, settled)
        return max(kept, settled)

    def _move(self, to: int) -> None:
        with self._log.store.writing() as cursor:
            self._parking.move(cursor, to)
