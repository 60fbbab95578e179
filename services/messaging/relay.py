"""The relay: publishes every fact of the log to the broker, after its commit, in order per stream, at least once.

A bounded number of streams is on the way at once, and of each at most one unconfirmed fact, so that nobody hears of a
stream's facts out of order, whatever the broker refuses. The place in the log moves after the confirms. One
relay works and the others stand by.
"""

import asyncio
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from itertools import groupby
from typing import NamedTuple, Self

import structlog
from opentelemetry.trace import SpanKind

from events.district import DistrictConfigured
from events.envelope import Recorded
from services.messaging.amqp import Sender, Unroutable, channel, event_message
from services.messaging.letters import Letter
from services.messaging.retry import LinkLost, Refused, pauses
from services.messaging.topology import FACTS, UNROUTED
from services.runtime.configuration import STREAM
from services.runtime.log import Log
from services.runtime.pulse import Pulse
from services.runtime.threads import in_thread
from services.runtime.tracing import followed

WINDOW = 200
KNOWN_STREAMS = 20_000

logger = structlog.get_logger()

Write = Callable[[Recorded, Recorded], Iterable[Letter]]
"""``(recorded, first of its stream) -> letters``."""


class _InForce(NamedTuple):
    """How letters are written of the facts from a position on."""

    since: int
    write: Write


class Relay:
    """Publishes facts: `publish` is a `Handle` of `services.messaging.subscription`.

    ``writer`` gives how letters are written under a configuration. Each fact's letters are written under the one that
    was in force when it was recorded, whenever they are sent.
    """

    def __init__(self, log: Log, url: str, writer: Callable[[DistrictConfigured], Write], pulse: Pulse) -> None:
        self._log, self._url, self._pulse = log, url, pulse
        self._writer = writer
        self._configured: list[_InForce] = []
        self._firsts: OrderedDict[str, Recorded] = OrderedDict()
        self._window = asyncio.Semaphore(WINDOW)
        self._link = AsyncExitStack()
        self._sender: Sender | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._hang_up()

    async def publish(self, facts: Sequence[Recorded]) -> None:
        """Publish these facts; returns once the broker has confirmed all of them.

        What the broker refuses is sent again until it is taken; the facts of other streams go out meanwhile.

        Raises:
            LinkLost: when the link broke. Some may have arrived; all are published again.
        """
        firsts = await in_thread(self._look_up, facts)
        sender = await self._connected()
        by_stream = groupby(sorted(facts, key=lambda recorded: recorded.stream), lambda recorded: recorded.stream)
        chains = [self._in_order(sender, list(group), firsts[stream]) for stream, group in by_stream]
        failed = [error for error in await asyncio.gather(*chains, return_exceptions=True) if error is not None]
        if any(isinstance(error, LinkLost) for error in failed):
            await self._hang_up()
        if failed:
            raise next((error for error in failed if not isinstance(error, LinkLost)), failed[0])

    async def _in_order(self, sender: Sender, facts: list[Recorded], first: Recorded) -> None:
        async with self._window:
            for recorded in facts:
                letters = self._in_force(recorded.position)(recorded, first)
                with followed(f"publish {recorded.name}", recorded.meta.trace, SpanKind.PRODUCER):
                    delivering = [self._deliver(sender, letter) for letter in letters]
                    failed = await asyncio.gather(*delivering, return_exceptions=True)
                for error in failed:
                    if error is not None:
                        raise error

    async def _deliver(self, sender: Sender, letter: Letter) -> None:
        for pause in pauses():
            try:
                return await self._send(sender, letter)
            except Refused as error:
                self._pulse.count("refused")
                logger.warning("refused", key=letter.key, id=letter.message_id, error=str(error), pause_s=pause)
                await asyncio.sleep(pause)
        raise AssertionError("pauses have no end")

    async def _send(self, sender: Sender, letter: Letter) -> None:
        message = event_message(letter.event, letter.message_id)
        try:
            await sender.send(FACTS, letter.key, message, mandatory=letter.owed)
        except Unroutable as error:
            logger.error("unrouted", key=letter.key, id=letter.message_id)  # noqa: TRY400  # no fault of the program
            message.headers["hujiao-key"] = letter.key
            try:
                await sender.send(UNROUTED, letter.key, message)
            except Unroutable:
                raise LinkLost(str(error)) from error
            self._pulse.count("unrouted")
        else:
            self._pulse.count("sent")

    async def _connected(self) -> Sender:
        if self._sender is None:
            self._sender = Sender(await self._link.enter_async_context(channel(self._url, "hujiao relay")))
        return self._sender

    async def _hang_up(self) -> None:
        self._sender = None
        await self._link.aclose()

    def _in_force(self, position: int) -> Write:
        """How the letters of the fact at this position are written."""
        later = bisect_right(self._configured, position, key=lambda configured: configured.since)
        return self._configured[max(0, later - 1)].write

    def _look_up(self, facts: Sequence[Recorded]) -> dict[str, Recorded]:
        """The first fact of each stream; a bounded number is remembered. And the configurations up to these facts."""
        configurations = facts if self._configured else [*self._log.stream(STREAM), *facts]
        for recorded in configurations:
            newest = self._configured[-1].since if self._configured else 0
            if isinstance(recorded.fact, DistrictConfigured) and recorded.position > newest:
                self._configured.append(_InForce(recorded.position, self._writer(recorded.fact)))
        found: dict[str, Recorded] = {}
        for recorded in facts:
            stream = recorded.stream
            if stream in found:
                continue
            first = recorded if recorded.version == 1 else self._firsts.get(stream) or self._log.first(stream)
            assert first is not None, "a stream that goes on has begun"
            found[stream] = self._firsts[stream] = first
            self._firsts.move_to_end(stream)
        while len(self._firsts) > KNOWN_STREAMS:
            self._firsts.popitem(last=False)
        return found
