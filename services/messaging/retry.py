"""Going on after a break: what breaks with a link or a store comes back, and so does the work over it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import structlog

from projections.store import Unavailable as ViewsUnavailable
from services.runtime.errors import HujiaoError
from services.runtime.front import Overloaded
from services.runtime.pulse import Pulse
from services.runtime.store import Unavailable

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0

logger = structlog.get_logger()


class LinkLost(HujiaoError):
    """The link to a broker broke, or never came to be. What was in flight may or may not have arrived."""


class Refused(HujiaoError):
    """The broker did not take it: a queue is full, perhaps one of several. Send it again later, under the same id."""


PASSING = (LinkLost, Refused, Unavailable, ViewsUnavailable, Overloaded)
"""What is nobody's fault and goes away: the same again later helps."""


def pauses() -> Iterator[float]:
    """How long to wait before each next try, in seconds; without end."""
    pause = FIRST_PAUSE_S
    while True:
        yield pause
        pause = min(LONGEST_PAUSE_S, 2 * pause)


async def keep(what: str, pulse: Pulse, work: Callable[[Callable[[], None]], Awaitable[None]]) -> None:
    """Do work to its end, if it has one, and begin it again whenever something passing breaks it off.

    ``work`` gets a function to call once all is well. Pauses are short again after a break of what was well for
    longer than the last pause.
    """
    waits, pause = pauses(), 0.0
    since: float | None = None
    time = asyncio.get_running_loop().time
    pulse.there(what, up=False)

    def well() -> None:
        nonlocal since
        since = time() if since is None else since
        pulse.there(what, up=True)

    while True:
        try:
            return await work(well)
        except PASSING as error:
            if since is not None and time() - since > pause:
                waits = pauses()
            since, pause = None, next(waits)
            pulse.there(what, up=False)
            pulse.count("breaks")
            logger.warning("begins_again", what=what, error=str(error), pause_s=pause)
            await asyncio.sleep(pause)
