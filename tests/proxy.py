"""A TCP proxy in the test's own process that can cut, slow down and freeze the links through it."""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from deploy.processes import HOST, free_ports

CHUNK_BYTES = 16 * 1024
LINGER_NOT = struct.pack("ii", 1, 0)
"""A socket that is closed like this resets its peer, whatever was still to be said."""


class Proxy:
    """Listens on a free port of 127.0.0.1, from its making to `close`, and passes on to ``target_port``.

    It works in a thread of its own; its methods may be called from anywhere and have had their effect on return.
    """

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        # a port that no outgoing connection is given: who tries again and again would one day reach itself
        self.port = free_ports(1)[0]
        listener = socket.create_server((HOST, self.port))
        self.accepted = 0
        """How many links were asked for so far."""
        self._links: dict[asyncio.Task[None], socket.socket] = {}
        self._cut = False
        self._seconds_per_chunk = 0.0
        ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listener, ready)), name="proxy", daemon=True
        )
        self._thread.start()
        ready.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def links(self) -> int:
        """How many links there are now."""
        return len(self._links)

    def cut(self) -> None:
        """Reset all links, and every new one until `mend`."""
        self._do(self._cut_all())

    def mend(self) -> None:
        """Let new links through again."""
        self._cut = False

    def slow(self, seconds_per_chunk: float) -> None:
        """Wait so long before each chunk of at most 16 KiB, in each direction; 0 for no wait."""
        self._seconds_per_chunk = seconds_per_chunk

    def freeze(self) -> None:
        """Pass nothing, on old and new links alike, until `thaw`; who connects is accepted and hears nothing."""
        self._do(self._set_passing(passing=False))

    def thaw(self) -> None:
        """Pass on again, first what was sent meanwhile."""
        self._do(self._set_passing(passing=True))

    def close(self) -> None:
        """Reset all links and listen no more."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join()

    def _do(self, act: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(act, self._loop).result()

    async def _serve(self, listener: socket.socket, ready: "Future[None]") -> None:
        self._loop = asyncio.get_running_loop()
        self._closing, self._passing = asyncio.Event(), asyncio.Event()
        self._passing.set()
        # asyncio's own server loses connections that it accepted just before it closed
        with listener:
            listener.setblocking(False)
            self._loop.add_reader(listener, self._accept, listener)
            ready.set_result(None)
            await self._closing.wait()
            self._loop.remove_reader(listener)
        await self._cut_all()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):
            connection, _ = listener.accept()
            self.accepted += 1
            link = self._loop.create_task(self._link(connection))
            self._links[link] = connection
            link.add_done_callback(self._ended)

    def _ended(self, link: asyncio.Task[None]) -> None:
        with self._links.pop(link) as connection, suppress(OSError):  # closed, unless the link was cut before it began
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)

    async def _set_passing(self, *, passing: bool) -> None:
        if passing:
            self._passing.set()
        else:
            self._passing.clear()

    async def _cut_all(self) -> None:
        self._cut = True
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def _link(self, connection: socket.socket) -> None:
        ends: list[asyncio.StreamWriter] = []
        try:
            if not self._cut:
                await self._join(connection, ends)
        finally:
            for end in ends:
                await _reset(end)

    async def _join(self, connection: socket.socket, ends: list[asyncio.StreamWriter]) -> None:
        words, near = await asyncio.open_connection(sock=connection)
        ends.append(near)
        await self._passing.wait()
        try:
            answers, far = await asyncio.open_connection(HOST, self.target_port)
            ends.append(far)
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._pass(words, far))
                ways.create_task(self._pass(answers, near))
            for end in ends:
                end.close()
            for end in ends:
                await _closed(end)
        except* OSError:
            await self._passing.wait()  # who is frozen does not hear of the other's end either

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(CHUNK_BYTES):
            if self._seconds_per_chunk:
                await asyncio.sleep(self._seconds_per_chunk)
            await self._passing.wait()
            sink.write(chunk)
            await sink.drain()
        await self._passing.wait()
        sink.write_eof()


async def _closed(end: asyncio.StreamWriter) -> None:
    await asyncio.shield(end.wait_closed())  # whoever waits there can be cut; the stream itself must not notice


async def _reset(end: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.CancelledError):  # it may have closed already, or be cut again
        end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        end.transport.abort()
        await _closed(end)
