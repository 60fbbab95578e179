"""The service that answers over HTTP."""

import asyncio
import contextlib
import functools
from collections.abc import Iterator

import uvicorn

from projections.queries import FIGURES
from services.processes.process import Process
from services.web.app import create_app
from services.web.window import Window


async def web(process: Process) -> None:
    """Answer over HTTP: the console, the API, reports that come over the web."""
    window = Window(process.house, process.front, process.alive, demo=False)
    for name in FIGURES:
        process.pulse.figure(name, functools.partial(window.questions.figure, name))
    config = uvicorn.Config(
        create_app(window), host=process.settings.host, port=process.settings.port, log_level="warning"
    )
    server = _Uvicorn(config)
    async with process.deciding():
        serving = asyncio.ensure_future(server.serve())
        try:
            await asyncio.shield(serving)
        finally:
            window.live.end()
            server.should_exit = True
            await serving


class _Uvicorn(uvicorn.Server):
    """Leaves signals to the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None of them."""
        yield
