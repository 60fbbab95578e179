"""The baselines of the broker alone: `aio-pika` passing messages through a chain of queues, and a round trip.

    python -m tests.bench.passing URL SOURCE TARGET

is one hop as the library's documentation writes it: a callback that publishes what it hears, awaits the broker's
confirm, then acknowledges. Quorum queues, messages kept on disk.
"""

import asyncio
import sys
from collections.abc import Sequence

import aio_pika
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage

WINDOW = 200
PREFETCH = 200
HOPS = ("intake", "platform", "department", "acts", "answers")
"""The queues on a report's way from its sender to the answer to a department's act."""


def queue_of(hop: str) -> str:
    """The quorum queue of a hop."""
    return f"pass.{hop}"


async def pass_on(url: str, source: str, target: str) -> None:
    """Pass on what comes, for ever."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=PREFETCH)

        async def hear(message: AbstractIncomingMessage) -> None:
            await channel.default_exchange.publish(again(message), target)
            await message.ack()

        await (await channel.get_queue(source)).consume(hear)
        print("ready", flush=True)
        await asyncio.Event().wait()


def again(message: AbstractIncomingMessage) -> Message:
    """The same message once more."""
    return Message(
        message.body,
        headers=message.headers,
        content_type=message.content_type,
        message_id=message.message_id,
        type=message.type,
        timestamp=message.timestamp,
        delivery_mode=DeliveryMode.PERSISTENT,
    )


async def send_through(url: str, messages: Sequence[Message]) -> float:
    """Publish into the first queue, at most `WINDOW` unconfirmed, and hear at the last; gives the seconds it took."""
    async with await aio_pika.connect(url) as sending, await aio_pika.connect(url) as hearing:
        channel, hears = await sending.channel(), await hearing.channel()
        await hears.set_qos(prefetch_count=PREFETCH)
        left, window, arrived = len(messages), asyncio.Semaphore(WINDOW), asyncio.Event()

        async def hear(message: AbstractIncomingMessage) -> None:
            nonlocal left
            await message.ack()
            left -= 1
            if not left:
                arrived.set()

        async def publish(message: Message) -> None:
            async with window:
                await channel.default_exchange.publish(message, queue_of(HOPS[0]))

        await (await hears.get_queue(queue_of(HOPS[-1]))).consume(hear)
        time = asyncio.get_running_loop().time
        began = time()
        async with asyncio.TaskGroup() as tasks:
            for message in messages:
                tasks.create_task(publish(message))
        await arrived.wait()
        return time() - began


async def round_trips(url: str, queue: str, messages: Sequence[Message], per_second: float) -> list[float]:
    """How long each message took from its publishing, with confirm, until it was heard, at a steady pace."""
    async with await aio_pika.connect(url) as sending, await aio_pika.connect(url) as hearing:
        channel, hears = await sending.channel(), await hearing.channel()
        await hears.set_qos(prefetch_count=PREFETCH)
        time = asyncio.get_running_loop().time
        sent: dict[str | None, float] = {}
        took: list[float] = []
        arrived = asyncio.Event()

        async def hear(message: AbstractIncomingMessage) -> None:
            took.append(time() - sent[message.message_id])
            await message.ack()
            if len(took) == len(messages):
                arrived.set()

        async def publish(message: Message) -> None:
            sent[message.message_id] = time()
            await channel.default_exchange.publish(message, queue)

        await (await hears.get_queue(queue)).consume(hear)
        began = time()
        async with asyncio.TaskGroup() as tasks:
            for n, message in enumerate(messages):
                if (early := began + n / per_second - time()) > 0:
                    await asyncio.sleep(early)
                tasks.create_task(publish(message))
        await arrived.wait()
        return took


if __name__ == "__main__":
    asyncio.run(pass_on(*sys.argv[1:4]))
