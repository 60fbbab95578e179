"""Watches over servers that a process needs and would not miss while it has nothing to do."""

import asyncio
from collections.abc import Callable

from services.messaging.amqp import Heard, channel
from services.messaging.retry import keep
from services.runtime.log import Log
from services.runtime.pulse import Pulse
from services.runtime.threads import in_thread

LOOK_S = 1.0


async def watch_store(log: Log, pulse: Pulse) -> None:
    """Look after the log's store, the part ``store`` of the process, until cancelled."""

    async def look(well: Callable[[], None]) -> None:
        while True:
            await in_thread(log.head)
            well()
            await asyncio.sleep(LOOK_S)

    await keep("store", pulse, look)


async def watch_broker(url: str, name: str, pulse: Pulse) -> None:
    """Hold a link to RabbitMQ, the part ``broker`` of the process, until cancelled."""

    async def hold(well: Callable[[], None]) -> None:
        async with channel(url, name) as opened:
            held = Heard(opened)
            well()
            while True:
                await held.take(1, LOOK_S)

    await keep("broker", pulse, hold)
