"""A door: the queue through which outside users send us requests over RabbitMQ, and where they are answered.

Who sent something is proved by the exchange it came through and by nothing that it says. Everything is answered, to
the sender's own queue or its direct reply-to and nowhere else, before the broker hears that we have it. What cannot
be read or is not allowed goes to the dead letters as well, with the reason in a header.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage

from events.attributes import BadEvent
from events.carried import edge_event
from events.cloudevents import (
    JSON,
    MSGPACK,
    CloudEvent,
    from_batch,
    from_headers,
    from_structured,
    is_batch,
    is_structured,
)
from services.runtime.amqp import PREFIXES, Heard, Sender, Unroutable, channel, event_message
from services.runtime.clock import Clock
from services.runtime.counter import Counter, Outcome
from services.runtime.pulse import Pulse
from services.runtime.queues import patiently
from services.runtime.retry import keep
from services.runtime.topology import DEAD, REPLIES, user_at

PREFETCH = 300
BATCH = 200
WAIT_S = 5.0
DIRECT_REPLY = "amq.rabbitmq.reply-to."
MOST_REASON = 1000
UNKNOWN = "unknown"

logger = structlog.get_logger()


class Door:
    """Serves one queue of requests at one counter. ``source`` is what our answers call their sender."""

    def __init__(
        self,
        url: str,
        queue: str,
        counter: Counter,
        clock: Clock,
        source: str,
        pulse: Pulse,
    ) -> None:
        self._url, self._queue, self._counter = url, queue, counter
        self._clock, self._source, self._pulse = clock, source, pulse

    async def run(self) -> None:
        """Serve until cancelled, over every break."""

        async def serve(well: Callable[[], None]) -> None:
            async with (
                channel(self._url, f"hujiao {self._queue} hears", PREFETCH) as hearing,
                channel(self._url, f"hujiao {self._queue} answers") as answering,
            ):
                heard, sender = Heard(hearing), Sender(answering)
                await heard.listen(self._queue)
                well()
                while True:
                    messages = await heard.take(BATCH, WAIT_S)
                    if messages:
                        await self._serve(messages, sender)
                        await heard.settle(messages[-1])

        await keep(f"door {self._queue}", self._pulse, serve)

    async def _serve(self, messages: list[AbstractIncomingMessage], sender: Sender) -> None:
        read = [(message, _user(message), events_in(message)) for message in messages]
        requests = [(user, event) for _, user, events in read for event in events]
        outcomes: list[Outcome] = []

        async def serve() -> None:
            outcomes[:] = await self._counter.serve(requests)

        await patiently(serve)
        remaining = iter(outcomes)
        answers = [
            self._answer(sender, message, user, n, next(remaining))
            for message, user, events in read
            for n in range(len(events))
        ]
        for failed in await asyncio.gather(*answers, return_exceptions=True):
            if failed is not None:
                raise failed

    async def _answer(
        self, sender: Sender, message: AbstractIncomingMessage, user: str, n: int, outcome: Outcome
    ) -> None:
        if outcome.refused is not None:
            logger.warning("not_taken", user=user, kind=outcome.refused.kind, reason=str(outcome.refused))
            await sender.send(DEAD, user, _dead(message, user, outcome))
        self._pulse.count(outcome.refused.kind if outcome.refused else "answered")
        about = outcome.event
        name = about.id if about else message.message_id or f"{message.delivery_tag}"
        answer = edge_event(
            outcome.reply,
            f"{user}/{name}/answer",
            self._source,
            self._clock.now(),
            content_type=about.datacontenttype if about and about.datacontenttype in MSGPACK else JSON,
            extensions=_kept(about),
        )
        reply = event_message(
            answer,
            f"{user}/{name}/{message.delivery_tag}.{n}/answer",
            correlation_id=message.correlation_id or message.message_id or name,
        )
        direct = (message.reply_to or "").startswith(DIRECT_REPLY)
        exchange, key = ("", message.reply_to or "") if direct else (REPLIES, user)
        try:
            await sender.send(exchange, key, reply)
        except Unroutable:  # whoever asked has gone, or is nobody we know: sent again, it gets the same answer
            logger.warning("answer_unwanted", user=user, direct=direct)


def events_in(message: AbstractIncomingMessage) -> list[CloudEvent | BadEvent]:
    """The events of a message in whatever mode; one that cannot be read stands for itself."""
    try:
        if is_batch(message.content_type):
            return list(from_batch(message.body)) or [BadEvent("batch", "at least one event", "none")]
        if is_structured(message.content_type):
            return [from_structured(message.body)]
        return [from_headers(message.headers, message.content_type, message.body, PREFIXES)]
    except BadEvent as error:
        return [error]


def _user(message: AbstractIncomingMessage) -> str:
    return user_at(message.exchange or "") or UNKNOWN


def _dead(message: AbstractIncomingMessage, user: str, outcome: Outcome) -> Message:
    assert outcome.refused is not None, "only what was refused dies"
    headers: dict[str, Any] = {
        **message.headers,
        "hujiao-from": user,
        "hujiao-kind": outcome.refused.kind,
        "hujiao-reason": str(outcome.refused)[:MOST_REASON],
    }
    return Message(
        message.body,
        headers=headers,
        content_type=message.content_type,
        message_id=message.message_id,
        delivery_mode=DeliveryMode.PERSISTENT,
    )


def _kept(about: CloudEvent | None) -> dict[str, str | int]:
    """What of a request its answer carries on: the trace."""
    trace = about.extensions.get("traceparent") if about else None
    return {} if trace is None else {"traceparent": trace}
