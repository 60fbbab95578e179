"""The subscription to queues of RabbitMQ, for those who run apart from the log's own services."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog
from aio_pika.abc import AbstractIncomingMessage

from events.attributes import BadEvent
from events.carried import recorded_of
from events.cloudevents import from_headers
from events.envelope import Recorded
from services.messaging.amqp import PREFIXES, Heard, channel, rejected
from services.messaging.retry import PASSING, LinkLost, keep, pauses
from services.messaging.subscription import Care, Handle, stand_by
from services.runtime.attempts import Attempts
from services.runtime.clock import Clock
from services.runtime.log import Log
from services.runtime.places import Lock
from services.runtime.pulse import Pulse
from services.runtime.threads import in_thread

PREFETCH = 200
BATCH = 200
LOOK_S = 1.0
"""How often to see whether an operator released something, while nothing is heard."""

Pair = tuple[AbstractIncomingMessage, Recorded]

logger = structlog.get_logger()


class Queues:
    """Hears the facts in some queues that the relay fills, through one channel.

    What is heard twice because a link broke is handled with care, one by one: it may be what broke it. One process
    at a time hears for a subscriber: the others stand by until ``lock`` is free.
    """

    def __init__(
        self,
        url: str,
        queues: Sequence[str],
        log: Log,
        attempts: Attempts,
        clock: Clock,
        subscriber: str,
        lock: Lock,
        pulse: Pulse | None = None,
    ) -> None:
        self._url, self._queues, self._subscriber, self._lock = url, tuple(queues), subscriber, lock
        self._pulse = pulse or Pulse()
        self._log, self._attempts, self._clock = log, attempts, clock

    async def run(self, handle: Handle) -> None:
        """Hear until cancelled, over every break."""
        care = Care(self._log, self._attempts, self._clock, self._subscriber, handle)

        async def hear(well: Callable[[], None]) -> None:
            await stand_by(self._lock)
            async with channel(self._url, f"hujiao {self._subscriber}", PREFETCH) as opened:
                heard = Heard(opened)
                await heard.listen(*self._queues)
                well()
                while await in_thread(self._lock.held):
                    messages = await heard.take(BATCH, LOOK_S)
                    readable = [pair for message in messages if (pair := await self._read(message))]
                    await patiently(partial(self._handle, care, readable))
                    if readable:
                        await heard.settle(readable[-1][0])
                        self._pulse.count("facts_handled", len(readable))
            raise LinkLost(f"expected to be the only one who hears for {self._subscriber}, found the lock lost")

        try:
            await keep(self._subscriber, self._pulse, hear)
        finally:
            self._lock.close()

    async def _handle(self, care: Care, heard: list[Pair]) -> None:
        if heard:
            again = any(message.redelivered for message, _ in heard)
            await care.handle([recorded for _, recorded in heard], careful=again)
        else:
            await care.idle()

    async def _read(self, message: AbstractIncomingMessage) -> Pair | None:
        """The message and its fact; what is no fact goes to the dead letters.

        Raises:
            UnknownFact: for a fact of a newer program. This one must end, and nothing is lost.
        """
        try:
            return message, recorded_of(from_headers(message.headers, message.content_type, message.body, PREFIXES))
        except BadEvent as error:
            logger.warning("not_a_fact", id=message.message_id, error=str(error))
            await rejected(message)
            return None


async def patiently(work: Callable[[], Awaitable[None]]) -> None:
    """Do work that waits for a store or a link of its own, again and again, holding what was heard meanwhile."""
    for pause in pauses():
        try:
            await work()
        except PASSING as error:
            logger.warning("waits", error=str(error), pause_s=pause)
            await asyncio.sleep(pause)
        else:
            return
