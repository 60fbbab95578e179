"""Answers to RabbitMQ's direct reply-to, over a link of their own.

The address stands in the request, and its sender can have made it up: the broker then breaks the link over which we
answer. So no other answer goes over this one.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Self

import structlog
from aio_pika import Message

from services.messaging.amqp import Sender, Unroutable, channel
from services.messaging.retry import LinkLost

PREFIX = "amq.rabbitmq.reply-to."

Letter = tuple[str, Message]
"""An address and what is sent there."""

logger = structlog.get_logger()


class DirectReplies:
    """Sends answers to whoever waits for them at this moment, opening its link when there is something to send."""

    def __init__(self, url: str, name: str) -> None:
        self._url, self._name = url, name
        self._open = AsyncExitStack()
        self._sender: Sender | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._hang_up()

    async def send(self, letters: Sequence[Letter]) -> None:
        """Send all; what nobody waits for any more, or never did, is given up.

        Raises:
            LinkLost: when the broker cannot be reached at all.
        """
        for letter in await self._try(letters):
            # one of them broke the link for all: it will again, alone
            if await self._try([letter]):
                _unwanted(letter)

    async def _try(self, letters: Sequence[Letter]) -> list[Letter]:
        """Send; gives those of which nobody can say whether they arrived."""
        if not letters:
            return []
        if self._sender is None:
            self._sender = Sender(await self._open.enter_async_context(channel(self._url, self._name)))
        sender = self._sender
        sent = await asyncio.gather(
            *(sender.send("", address, message) for address, message in letters), return_exceptions=True
        )
        doubtful = []
        for letter, failed in zip(letters, sent, strict=True):
            match failed:
                case None:
                    pass
                case Unroutable():
                    _unwanted(letter)
                case LinkLost():
                    doubtful.append(letter)
                case _:
                    raise failed
        if doubtful:
            await self._hang_up()
        return doubtful

    async def _hang_up(self) -> None:
        self._sender = None
        await self._open.aclose()


def _unwanted(letter: Letter) -> None:
    """Whoever asked has gone; sent again, the request gets the same answer."""
    logger.warning("answer_unwanted", direct=True, answer=letter[1].message_id)
