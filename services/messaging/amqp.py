"""RabbitMQ through `aio-pika`: links that end clearly when they break, sending with confirms, and hearing in batches.

A link lives until anything at all goes wrong with it, and is then made anew: the library's own recovery hides what
was in flight, waits without end while it is away, and cannot be stopped while it tries to come back. Sending and
hearing never share a connection: one that the broker has blocked could not acknowledge either.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aio_pika
import aiormq
import structlog
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage
from aio_pika.connection import make_url
from aio_pika.exceptions import AMQPError, DeliveryError, PublishError
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from yarl import URL

from events.cloudevents import CloudEvent, to_headers
from services.messaging.retry import LinkLost, Refused
from services.runtime.errors import HujiaoError

PREFIXES = ("cloudEvents_", "cloudEvents:")
"""How attributes of CloudEvents are told from other headers: the first when we write, either when we read."""

CONNECT_S = 10.0
CONFIRM_S = 20.0
CLOSE_S = 1.0
HEARTBEAT_S = 20

_BROKEN = (
    AMQPError,
    ConnectionError,
    OSError,
    TimeoutError,
    asyncio.InvalidStateError,
    aiormq.exceptions.ChannelInvalidStateError,
    RuntimeError,  # a channel that was just closed says so with nothing better
)

logger = structlog.get_logger()


class Unroutable(HujiaoError):
    """No queue wants what was sent, and the broker gave it back. Nobody has it: see to the topology."""


@asynccontextmanager
async def channel(url: str, name: str, prefetch: int = 0) -> AsyncIterator[AbstractChannel]:
    """A channel on a connection of its own, with confirms; closed at the end, whatever the broker says to that.

    ``url`` is one node's, or those of several with spaces between. ``name`` is what an operator sees at the broker.
    With ``prefetch`` at most so many deliveries of each consumer are in hand at once.

    Raises:
        LinkLost: when the broker cannot be reached, or does not let us in.
    """
    async with AsyncExitStack() as opened:
        try:
            link = await _connect(url.split(), name, opened)
            async with asyncio.timeout(CONNECT_S):
                found = await link.channel(publisher_confirms=True, on_return_raises=True)
                if prefetch:
                    await found.set_qos(prefetch_count=prefetch)
        except _BROKEN as error:
            raise LinkLost(f"expected RabbitMQ to let {name} in, found: {_said(error)}") from error
        yield found


async def _connect(urls: list[str], name: str, opened: AsyncExitStack) -> aio_pika.Connection:
    """A connection to the first node of the cluster that answers; ``opened`` closes it."""
    for n, url in enumerate(urls, start=1):
        link = aio_pika.Connection(make_url(url, heartbeat=HEARTBEAT_S), client_properties={"connection_name": name})
        wire = link.kwargs["transport_factory"] = _Wire()
        opened.push_async_callback(_close, link, wire)
        try:
            async with asyncio.timeout(CONNECT_S):
                await link.connect()
        except _BROKEN:
            if n == len(urls):
                raise
        else:
            return link
    raise ConnectionError("expected where a node of RabbitMQ is, found nothing")


class _Wire(TransportFactory):
    """Makes a connection's transport as the library does, and can cut it off: the library may wait for a farewell."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        factory = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        reader, writer = await factory.create(url, **kwargs)
        self._transport = writer.transport
        return reader, writer

    def cut(self) -> None:
        """End it at once; what was not sent yet is not."""
        if self._transport is not None:
            self._transport.abort()


class Sender:
    """Publishes through one channel and waits for the broker's confirm. Safe to use from several tasks at once.

    Never send two messages of the same id at once: the broker gives back what nobody wants by that id.
    """

    def __init__(self, on: AbstractChannel) -> None:
        self._channel = on
        self._exchanges: dict[str, AbstractExchange] = {}

    async def send(self, exchange: str, key: str, message: Message, *, mandatory: bool = True) -> None:
        """Publish; returns once the broker has it safe.

        Raises:
            Unroutable: when it is mandatory and no queue wants it.
            Refused: when the broker did not take it.
            LinkLost: when the link broke or the confirm did not come in time: it may or may not have arrived.
        """
        try:
            to = self._exchanges.get(exchange)
            if to is None:
                to = self._exchanges[exchange] = (
                    await self._channel.get_exchange(exchange, ensure=False)
                    if exchange
                    else self._channel.default_exchange
                )
            confirmed = await to.publish(message, key, mandatory=mandatory, timeout=CONFIRM_S)
        except PublishError as error:
            raise Unroutable(f"expected a queue for {key} of {exchange!r}, found none") from error
        except DeliveryError as error:
            raise Refused(f"expected the broker to take {key} of {exchange!r}, found that it did not") from error
        except _BROKEN as error:
            raise LinkLost(f"expected a confirm for {key} of {exchange!r}, found: {_said(error)}") from error
        if not isinstance(confirmed, aiormq.spec.Basic.Ack):
            raise Unroutable(f"expected the broker to confirm {key} of {exchange!r}, found {confirmed!r}")


class Heard:
    """What consumers of one channel have heard and nobody has taken yet, in the order of arrival."""

    def __init__(self, on: AbstractChannel) -> None:
        self._channel = on
        self._waiting: deque[AbstractIncomingMessage] = deque()
        self._stirred = asyncio.Event()
        self._lost = False
        on.close_callbacks.add(self._broke)

    async def listen(self, *queues: str) -> None:
        """Begin to hear from these queues.

        Raises:
            LinkLost: when one is missing, or is not ours to read.
        """
        try:
            underlay = await self._channel.get_underlay_channel()
            underlay.on_consumer_cancel_callbacks.add(self._broke)
            for name in queues:
                queue = await self._channel.get_queue(name, ensure=False)
                await queue.consume(self._hear, timeout=CONNECT_S)
        except _BROKEN as error:
            raise LinkLost(f"expected to hear from {', '.join(queues[:3])}, found: {_said(error)}") from error

    async def take(self, most: int, wait_s: float) -> list[AbstractIncomingMessage]:
        """What is there, at most ``most``; waits for the first so long, then gives nothing.

        Raises:
            LinkLost: when the link broke or the broker took a queue from us. What was heard will come again.
        """
        if not self._waiting and not self._lost:
            self._stirred.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._stirred.wait()
        if self._lost:
            raise LinkLost("expected to go on hearing, found that the link broke or a queue was taken away")
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    async def settle(self, last: AbstractIncomingMessage) -> None:
        """Acknowledge this delivery and every one of the channel before it.

        Raises:
            LinkLost: when the link broke meanwhile: they will all come again.
        """
        try:
            await last.ack(multiple=True)
        except _BROKEN as error:
            raise LinkLost(f"expected to acknowledge, found: {_said(error)}") from error

    async def _hear(self, message: AbstractIncomingMessage) -> None:
        self._waiting.append(message)
        self._stirred.set()

    def _broke(self, *_: Any) -> None:
        self._lost = True
        self._stirred.set()


async def rejected(message: AbstractIncomingMessage) -> None:
    """Send a delivery to the dead letters.

    Raises:
        LinkLost: when the link broke meanwhile: it will come again.
    """
    try:
        await message.reject(requeue=False)
    except _BROKEN as error:
        raise LinkLost(f"expected to reject a delivery, found: {_said(error)}") from error


def event_message(event: CloudEvent, message_id: str, **properties: Any) -> Message:
    """An event in binary mode: its attributes are headers, its data the body. Kept on disk by the broker."""
    headers: dict[str, Any] = dict(to_headers(event, PREFIXES[0]))
    if traceparent := event.extensions.get("traceparent"):
        headers["traceparent"] = traceparent
    return Message(
        event.data,
        headers=headers,
        content_type=event.datacontenttype,
        message_id=message_id,
        type=event.type,
        timestamp=event.time,
        delivery_mode=DeliveryMode.PERSISTENT,
        **properties,
    )


async def _close(link: aio_pika.Connection, wire: _Wire) -> None:
    try:
        async with asyncio.timeout(CLOSE_S):
            await link.close()
    except _BROKEN as error:
        logger.info("link_closed_badly", error=_said(error))
    finally:
        wire.cut()


def _said(error: BaseException) -> str:
    return str(error).strip() or type(error).__name__
