"""A door: the queue through which outside users send us requests over RabbitMQ, and where they are answered.

Who sent something is proved by the exchange it came through and by nothing that it says. Everything is answered, to
the sender's own queue or its direct reply-to and nowhere else, before the broker hears that we have it. What cannot
be read or is not allowed goes to the dead letters as well, with the reason in a header.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import structlog
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage

from events.attributes import MAX_INTEGER, BadEvent, harmless, shown
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
from services.messaging.amqp import PREFIXES, Heard, Sender, Unroutable, channel, event_message
from services.messaging.counter import Counter, Outcome, Unwelcome, carried_on, short
from services.messaging.direct import PREFIX, DirectReplies
from services.messaging.properties import UNREADABLE, read_all
from services.messaging.queues import patiently
from services.messaging.retry import LinkLost, keep
from services.messaging.topology import DEAD, REPLIES, user_at
from services.runtime.clock import Clock
from services.runtime.pulse import Pulse
from services.runtime.tracing import under

PREFETCH = 300
BATCH = 200
WAIT_S = 5.0
ANSWERS = 500
"""How many answers are on their way at once."""

MOST_REASON = 1000
MOST_HEADERS = 60_000
"""All of a message's headers have to fit into one frame of 128 KiB."""

MOST_NAME, MOST_CORRELATION = 150, 255
"""In bytes: AMQP's short strings hold 255, and in an id our own words stand around the sender's name."""
UNKNOWN = "unknown"

logger = structlog.get_logger()


class Asking(NamedTuple):
    """A message with the user who sent it and the events in it."""

    message: AbstractIncomingMessage
    user: str
    events: list[CloudEvent | BadEvent]


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
        read_all()

    async def run(self) -> None:
        """Serve until cancelled, over every break."""

        async def serve(well: Callable[[], None]) -> None:
            async with (
                channel(self._url, f"hujiao {self._queue} hears", PREFETCH) as hearing,
                channel(self._url, f"hujiao {self._queue} answers") as answering,
                DirectReplies(self._url, f"hujiao {self._queue} answers directly") as direct,
            ):
                heard, sender = Heard(hearing), Sender(answering)
                await heard.listen(self._queue)
                well()
                while True:
                    messages = await heard.take(BATCH, WAIT_S)
                    if messages:
                        await self._serve(messages, sender, direct)
                        await heard.settle(messages[-1])

        await keep(f"door {self._queue}", self._pulse, serve)

    async def _serve(self, messages: list[AbstractIncomingMessage], sender: Sender, direct: DirectReplies) -> None:
        asked = [Asking(message, _user(message), events_in(message)) for message in messages]
        requests = [(asking.user, event) for asking in asked for event in asking.events]
        outcomes: list[Outcome] = []

        async def serve() -> None:
            outcomes[:] = await self._counter.serve(requests)

        await patiently(serve)
        remaining = iter(outcomes)
        for some in _shared_out(asked):
            sending, directly = [], []
            for asking in some:
                became = [next(remaining) for _ in asking.events]
                sending.append(self._bury(sender, asking, became))
                answers = [self._answer(asking, n, outcome) for n, outcome in enumerate(became)]
                address = asking.message.reply_to or ""
                if address.startswith(PREFIX):
                    directly += [(address, answer) for answer in answers]
                else:
                    sending += [_reply(sender, asking.user, answer) for answer in answers]
            for failed in await asyncio.gather(*sending, return_exceptions=True):
                if failed is not None:
                    raise failed
            await direct.send(directly)

    async def _bury(self, sender: Sender, asking: Asking, outcomes: Sequence[Outcome]) -> None:
        """Give a message to the dead letters if anything in it was refused: once, with all reasons."""
        refused = [(n, outcome.refused) for n, outcome in enumerate(outcomes) if outcome.refused is not None]
        for _, unwelcome in refused:
            logger.warning("not_taken", user=asking.user, kind=unwelcome.kind, reason=str(unwelcome))
        if refused:
            try:
                await sender.send(DEAD, asking.user, _dead(asking, refused))
            except Unroutable as error:
                raise LinkLost(f"expected a queue for dead letters, found: {error}") from error

    def _answer(self, asking: Asking, n: int, outcome: Outcome) -> Message:
        message, user, about = asking.message, asking.user, outcome.event
        self._pulse.count(outcome.refused.kind if outcome.refused else "answered")
        said = about.id if about else message.message_id or f"{message.delivery_tag}"
        name = short(harmless(said) if about is None else said, MOST_NAME)
        answer = edge_event(
            outcome.reply,
            f"{user}/{name}/answer",
            self._source,
            self._clock.now(),
            content_type=about.datacontenttype if about and about.datacontenttype in MSGPACK else JSON,
            extensions=carried_on(about),
        )
        return event_message(
            answer,
            f"{user}/{name}/{message.delivery_tag}.{n}/answer",
            correlation_id=message.correlation_id or message.message_id or short(said, MOST_CORRELATION),
        )


async def _reply(sender: Sender, user: str, answer: Message) -> None:
    try:
        await sender.send(REPLIES, user, answer)
    except Unroutable:  # nobody whom the topology knows
        logger.warning("answer_unwanted", direct=False, user=user, answer=answer.message_id)


def events_in(message: AbstractIncomingMessage) -> list[CloudEvent | BadEvent]:
    """The events of a message in whatever mode; one that cannot be read stands for itself."""
    if UNREADABLE in message.headers:
        return [BadEvent("properties", "what can be read", shown(message.headers[UNREADABLE]))]
    trace = message.headers.get("traceparent")
    try:
        return [one if isinstance(one, BadEvent) else under(one, trace) for one in _read(message)]
    except BadEvent as error:
        return [error]


def _read(message: AbstractIncomingMessage) -> list[CloudEvent | BadEvent]:
    if is_batch(message.content_type):
        return list(from_batch(message.body)) or [BadEvent("batch", "at least one event", "none")]
    if is_structured(message.content_type):
        return [from_structured(message.body)]
    return [from_headers(message.headers, message.content_type, message.body, PREFIXES)]


def _user(message: AbstractIncomingMessage) -> str:
    return user_at(message.exchange or "") or UNKNOWN


def _shared_out(asked: Sequence[Asking]) -> Iterator[list[Asking]]:
    """The messages in order, so many at a time that their answers do not outnumber what one link can bear."""
    some: list[Asking] = []
    for asking in asked:
        some.append(asking)
        if sum(len(one.events) for one in some) >= ANSWERS:
            yield some
            some = []
    yield some


def _dead(asking: Asking, refused: Sequence[tuple[int, Unwelcome]]) -> Message:
    message = asking.message
    alone = len(asking.events) == 1
    reasons = (str(unwelcome) if alone else f"event {n}: {unwelcome}" for n, unwelcome in refused)
    headers: dict[str, str | int] = {
        **_passable(message),
        "hujiao-from": asking.user,
        "hujiao-kind": refused[0][1].kind,
        "hujiao-reason": "; ".join(reasons)[:MOST_REASON],
    }
    if message.message_id:
        headers["hujiao-message"] = message.message_id
    return Message(
        message.body,
        headers=dict(headers),
        content_type=message.content_type,
        message_id=f"{asking.user}/{message.delivery_tag}/dead",  # the sender's own may be that of another message
        delivery_mode=DeliveryMode.PERSISTENT,
    )


def _passable(message: AbstractIncomingMessage) -> dict[str, str | int]:
    """The plain headers of a message, as far as there is room in a frame; CC and BCC, being lists, are none."""
    kept: dict[str, str | int] = {}
    room = MOST_HEADERS
    for name, value in message.headers.items():
        if isinstance(value, str | int) and not (isinstance(value, int) and abs(value) > MAX_INTEGER):
            room -= len(name.encode()) + len(str(value).encode())
            if room < 0:
                break
            kept[name] = value
    return kept
