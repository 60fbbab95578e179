"""MQTT through `aiomqtt`: a client that acknowledges what it hears only when told to, and notices what is refused.

The library acknowledges a message before anybody has stored it, and takes a refused publication for a good one. Both
are mended here, by its own hooks. A client is used for one link and then thrown away: one that is used again says
that it is connected before the broker has answered.
"""

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import aiomqtt
from aiomqtt import Message, MqttError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from services.messaging.retry import LinkLost
from services.runtime.errors import HujiaoError

RECEIVE_MAXIMUM = 100
"""So many unacknowledged messages the broker sends; then it waits. That is our back-pressure.

Mosquitto 2.0.11 sends two for each that was acknowledged: of a long queue up to half may wait with us.
"""

SESSION_S = 30 * 24 * 3600
"""How long the broker keeps for us what comes while we are away."""

WINDOW = 100
CONNECT_S = 10.0
CONFIRM_S = 20.0
CLOSE_S = 1.0
KEEP_ALIVE_S = 20

_HOOKS = ("manual_ack_set", "ack", "_sock_close")


class NotAllowed(HujiaoError):
    """The broker refuses a publication to this topic: see to its access list."""


class AckingClient(aiomqtt.Client):
    """One link to a broker with a session that outlives it; ``identifier`` names the session.

    It speaks MQTT 5, or 3.1.1, where the broker can neither refuse a publication nor be held back.

    Raises:
        RuntimeError: at once, when the library underneath is not the one this was written for.
    """

    def __init__(self, url: str, identifier: str, *, old: bool = False) -> None:
        parts = urlsplit(url)
        connect, secure = properties_of(PacketTypes.CONNECT), parts.scheme == "mqtts"
        connect.SessionExpiryInterval, connect.ReceiveMaximum = SESSION_S, RECEIVE_MAXIMUM
        super().__init__(
            parts.hostname or "127.0.0.1",
            parts.port or (8883 if secure else 1883),
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            identifier=identifier,
            **(
                {"protocol": aiomqtt.ProtocolVersion.V311, "clean_session": False}
                if old
                else {"protocol": aiomqtt.ProtocolVersion.V5, "clean_start": False, "properties": connect}
            ),
            keepalive=KEEP_ALIVE_S,
            max_inflight_messages=WINDOW,
            timeout=CONNECT_S,
            tls_context=ssl.create_default_context() if secure else None,
        )
        if not all(hasattr(self._client, name) for name in _HOOKS):
            raise RuntimeError("expected a paho-mqtt that acknowledges by hand, found another: pin aiomqtt 2.5")
        self._client.manual_ack_set(True)
        self._confirms: dict[int, asyncio.Future[str]] = {}
        self._stirred = asyncio.Event()
        self._connecting, self._left = False, False

    def acknowledge(self, message: Message) -> None:
        """Tell the broker that the message is stored. In the order of arrival, please.

        Raises:
            LinkLost: when it could not be told: the message will come again.
        """
        if self._disconnected.done():  # the library would only write it down
            raise LinkLost("expected to acknowledge a message, found that the link broke")
        if message.qos and (status := self._client.ack(message.mid, message.qos)):
            raise LinkLost(f"expected to acknowledge a message, found status {status}")

    async def send(self, topic: str, payload: bytes, properties: Properties | None = None) -> None:
        """Publish with QoS 1; returns once the broker has it.

        Raises:
            NotAllowed: when the broker refuses it.
            LinkLost: when the link broke or no answer came: it may or may not have arrived.
        """
        sent = self._client.publish(topic, payload, 1, retain=False, properties=properties)
        if sent.rc:
            raise LinkLost(f"expected to publish to {topic}, found status {sent.rc}")
        confirm = self._confirms[sent.mid] = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait((confirm, self._disconnected), timeout=CONFIRM_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._confirms[sent.mid]
        if not confirm.done():
            raise LinkLost(f"expected {topic} to be confirmed, found that the link broke or nobody answered")
        if refused := confirm.result():
            raise NotAllowed(f"expected to publish to {topic}, found: {refused}")

    async def take(self, most: int) -> list[Message]:
        """What was heard, at least one and at most ``most``; waits for the first. Who gives up waiting loses nothing.

        Raises:
            LinkLost: when the link broke: what was not acknowledged will come again.
        """
        self._disconnected.add_done_callback(self._stir)
        try:
            while self._queue.empty() and not self._disconnected.done():
                self._stirred.clear()
                await self._stirred.wait()
        finally:
            self._disconnected.remove_done_callback(self._stir)
        if self._disconnected.done():
            raise LinkLost(f"expected to go on hearing, found: {self._disconnected.exception() or 'the link was left'}")
        return [self._queue.get_nowait() for _ in range(min(most, self._queue.qsize()))]

    async def leave(self) -> None:
        """End the link, politely if that takes no time. Nothing of it is left then, or soon after."""
        if self._client.is_connected():
            with contextlib.suppress(MqttError, TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await self.__aexit__(None, None, None)
        self._left = True
        if not self._connecting:
            self._abandon()

    def _abandon(self) -> None:
        self._client._sock_close()  # noqa: SLF001  # see `_HOOKS`; it tells the loop to look at the socket no more
        if not self._disconnected.done():
            self._disconnected.set_result(None)
        elif not self._disconnected.cancelled():
            self._disconnected.exception()  # nobody need have asked

    def _client_connect(self) -> None:
        """In a thread, which goes on when its caller is gone."""
        self._connecting = True
        try:
            super()._client_connect()
        finally:
            with contextlib.suppress(RuntimeError):  # the loop has ended before us
                self._loop.call_soon_threadsafe(self._connected_or_not)  # after what the thread itself asked for

    def _connected_or_not(self) -> None:
        self._connecting = False
        if self._left:
            self._abandon()

    def _stir(self, _: object) -> None:
        self._stirred.set()

    def _on_message(self, client: Any, userdata: Any, message: Any) -> None:
        super()._on_message(client, userdata, message)
        self._stirred.set()

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason_code: Any, properties: Any) -> None:
        confirm = self._confirms.get(mid)
        if confirm is not None and not confirm.done():
            confirm.set_result(str(reason_code) if reason_code.is_failure else "")
        super()._on_publish(client, userdata, mid, reason_code, properties)


@asynccontextmanager
async def client(
    url: str, identifier: str, topics: Sequence[str] = (), *, old: bool = False
) -> AsyncIterator[AckingClient]:
    """A link of its own, subscribed to these topics with QoS 1; closed at the end. ``old`` speaks MQTT 3.1.1.

    ``url`` is ``mqtt://user:password@host:port``, or ``mqtts://``.

    Raises:
        LinkLost: when the broker cannot be reached, does not let us in, or does not let us hear a topic.
    """
    link, task = AckingClient(url, identifier, old=old), asyncio.current_task()
    assert task is not None, "a coroutine runs in a task"
    asked_before = task.cancelling()
    try:
        try:
            await link.__aenter__()
        except MqttError as error:
            raise LinkLost(f"expected the MQTT broker to let {identifier} in, found: {error}") from error
        try:
            for topic in topics:
                granted: Any = await link.subscribe(topic, qos=1)
                if any(getattr(code, "is_failure", False) for code in granted):
                    raise LinkLost(f"expected to hear {topic}, found: {', '.join(map(str, granted))}")
        except MqttError as error:
            raise LinkLost(f"expected to hear {', '.join(topics)}, found: {error}") from error
        if task.cancelling() > asked_before:
            # `asyncio.wait_for` of Python 3.11, which the library uses, forgets it when just then the wait has ended
            raise asyncio.CancelledError
        yield link
    finally:
        await link.leave()


def session_name(purpose: str, url: str) -> str:
    """A name for a user's session that always is the same and that nobody else can guess.

    Mosquitto lets whoever logs in, as whatever user, take over or end the session of which it says the name.
    """
    password = unquote(urlsplit(url).password or "")
    return f"{purpose}-{hashlib.sha256(f'{purpose}/{password}'.encode()).hexdigest()[:16]}"


def properties_of(packet: int) -> Properties:
    """Empty properties for a kind of packet."""
    return Properties(packet)  # type: ignore[no-untyped-call]  # the library's own


def said(properties: Properties | None, name: str) -> Any:
    """A property of a message, ``None`` if its sender said nothing."""
    return getattr(properties, name, None)


def content_of(content_type: str, correlation: bytes | None = None) -> Properties:
    """The properties of a message that says what its body is and, if it answers another, which."""
    properties = properties_of(PacketTypes.PUBLISH)
    properties.ContentType = content_type
    if correlation is not None:
        properties.CorrelationData = correlation
    return properties
