"""What tests do at a private RabbitMQ beside our own code: put queues there, publish, look, and wait."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import aio_pika
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import DeliveryError

from deploy.servers import RabbitServer
from tests.proxy import HOST, Proxy

PATIENCE_S = 15.0
GLANCE_S = 0.01


async def until(true: Callable[[], bool], what: str, within_s: float = PATIENCE_S) -> None:
    """Wait until something is true; fail when it is not within so long."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, f"expected {what} within {within_s:g} s"
        await asyncio.sleep(GLANCE_S)


def through(proxy: Proxy, url: str) -> str:
    """The same address, by way of the proxy."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{proxy.port}")).geturl()


@contextmanager
def somebody(says: bytes) -> Iterator[str]:
    """The address of somebody who accepts every connection, says something and never another word."""
    with socket.create_server((HOST, 0)) as server:
        kept: list[socket.socket] = []

        def accept() -> None:
            with suppress(OSError):
                while True:
                    kept.append(server.accept()[0])
                    kept[-1].sendall(says)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"{HOST}:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in kept:
            connection.close()


class Broker:
    """One virtual host, as its administrator sees it."""

    def __init__(self, server: RabbitServer, vhost: str, channel: AbstractChannel) -> None:
        self.server, self.vhost, self._channel = server, vhost, channel
        self.url = server.amqp_url(vhost=vhost)

    async def exchange(self, name: str, kind: str = "topic") -> None:
        await self._channel.declare_exchange(name, aio_pika.ExchangeType(kind), durable=True)

    async def queue(self, name: str, *bindings: tuple[str, str], alone: bool = False, **arguments: Any) -> None:
        """A quorum queue, bound to ``(exchange, key)``; with a single active consumer if it is heard ``alone``."""
        given: dict[str, Any] = {"x-queue-type": "quorum", **arguments}
        if alone:
            given["x-single-active-consumer"] = True
        queue = await self._channel.declare_queue(name, durable=True, arguments=given)
        for exchange, key in bindings:
            await queue.bind(exchange, key)

    async def delete(self, queue: str) -> None:
        await self._channel.queue_delete(queue)

    async def publish(self, exchange: str, key: str, *bodies: bytes, **properties: Any) -> None:
        to = await self._channel.get_exchange(exchange, ensure=False) if exchange else self._channel.default_exchange
        for body in bodies:
            message = Message(body, delivery_mode=DeliveryMode.PERSISTENT, **properties)
            await to.publish(message, key, mandatory=False)

    async def fill(self, queue: str, body: bytes) -> None:
        """Publish to a queue until it takes no more; one with a limit takes a few more than that."""
        with suppress(DeliveryError):
            while True:
                await self.publish("", queue, body)

    async def depth(self, queue: str) -> int:
        """How many messages are ready there."""
        found = await self._channel.declare_queue(queue, passive=True)
        return found.declaration_result.message_count or 0

    async def take(self, queue: str, many: int) -> list[AbstractIncomingMessage]:
        """So many messages out of a queue, for good; waits for them."""
        found = await self._channel.get_queue(queue, ensure=False)
        deadline = time.monotonic() + PATIENCE_S
        taken: list[AbstractIncomingMessage] = []
        while len(taken) < many:
            message = await found.get(fail=False)
            if message is not None:
                await message.ack()
                taken.append(message)
                continue
            assert time.monotonic() < deadline, f"expected {many} messages in {queue}, found {len(taken)}"
            await asyncio.sleep(GLANCE_S)
        return taken

    def manage(self, method: str, path: str, body: object = None) -> Any:
        """Ask the management interface about this virtual host: ``manage("PUT", "policies/{}/name", ...)``."""
        return self.server.manage(method, f"/api/{path.format(self.vhost)}", body)

    def policy(self, name: str, pattern: str, **definition: Any) -> None:
        wanted = {
            "pattern": pattern,
            "apply-to": "queues",
            "definition": {k.replace("_", "-"): v for k, v in definition.items()},
        }
        self.manage("PUT", f"policies/{{}}/{name}", wanted)


@asynccontextmanager
async def administering(server: RabbitServer, vhost: str) -> AsyncIterator[Broker]:
    """The virtual host, for as long as the administrator's own link is open."""
    async with await aio_pika.connect(server.amqp_url(vhost=vhost)) as link:
        yield Broker(server, vhost, await link.channel())


async def until_depth(broker: Broker, queue: str, many: int) -> None:
    """Wait until so many messages are ready in a queue."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := await broker.depth(queue)) != many:
        assert time.monotonic() < deadline, f"expected {many} messages in {queue}, found {found}"
        await asyncio.sleep(GLANCE_S)


async def ended(tasks: Iterable["asyncio.Task[Any]"], within_s: float = 2.0) -> None:
    """Cancel tasks, and see that they end within so long and leave nothing running."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    _, left = await asyncio.wait(tasks, timeout=within_s)
    assert not left, f"expected to end within {within_s:g} s, found {len(left)} still at work"
