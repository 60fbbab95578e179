"""实时: what happens, told to every open desk as it happens, within the sight of whoever sits there.

A stream carries every fact in somebody's sight once, in order, its position as the event's id. A browser that comes
back names the last id that it has seen and hears of everything since. Of a case that comes into sight only later,
such as when a department is called for it, one hears from then on. A desk's rows are not sent: whoever hears of
something asks for them, so that no desk can drift away from what is.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import msgspec
import structlog
from litestar.response.sse import ServerSentEventMessage
from msgspec import Struct

from projections.queries import Found, Questions
from projections.sight import Sight
from projections.store import Unavailable as ViewsUnavailable
from services.runtime.store import Unavailable

LOOK_S = 0.2
"""So often one look is taken whether something has happened, however many desks are open."""

SIGN_OF_LIFE_S = 5.0
"""A stream that has nothing to tell says so, and asks at least so often whether its user may still listen."""

COME_BACK_MS = 1000
MOST = 500
"""At most so many facts in one event; the next follows at once."""

_KEPT = 64
"""Of so many questions the answers are kept for other streams."""

logger = structlog.get_logger()


class News(Struct):
    """How things stand as a whole, and the facts since the event before, in order."""

    status: dict[str, Any]
    facts: list[Found]


class Live:
    """How far the views of one house have come, looked at once for all streams, of which there may be many."""

    def __init__(
        self, questions: Questions, shown_up_to: Callable[[], int], status: Callable[[], dict[str, Any]]
    ) -> None:
        self._questions, self._shown_up_to, self._status = questions, shown_up_to, status
        self._asked: dict[tuple[Sequence[Sight], int, int], asyncio.Future[list[Found]]] = {}
        self.position = 0
        self.status: dict[str, Any] = {}
        self.ended = False

    @asynccontextmanager
    async def looking(self, app: object) -> AsyncIterator[None]:
        """Look on while the application runs."""
        task = asyncio.create_task(self._look_on(), name="live")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    def end(self) -> None:
        """Let every stream end as soon as it has told what there is: whoever serves is about to stop."""
        self.ended = True

    async def _look_on(self) -> None:
        while True:
            try:
                position = await asyncio.to_thread(self._shown_up_to)
                if position != self.position or not self.status:
                    self.status = await asyncio.to_thread(self._status)
                    self.position = position
            except (Unavailable, ViewsUnavailable) as error:
                logger.warning("not_live", error=str(error))
            except Exception:  # whatever it is, the desks hear again as soon as it is over
                logger.exception("not_live")
            await asyncio.sleep(LOOK_S)

    async def happened(self, sights: Sequence[Sight], after: int, upto: int) -> list[Found]:
        """What happened in these sights after one position up to another, asked once for all who hear of it."""
        key = (sights, after, upto)
        if key not in self._asked:
            asking = asyncio.to_thread(self._questions.within(sights).happened, after, upto, MOST)
            self._asked[key] = asyncio.ensure_future(asking)
            if len(self._asked) > _KEPT:
                del self._asked[next(iter(self._asked))]
        try:
            return await asyncio.shield(self._asked[key])  # one who goes takes nobody's answer along
        except Exception:
            self._asked.pop(key, None)
            raise

    async def moved_from(self, position: int) -> None:
        """Wait until the views stand elsewhere than at ``position``, or for a sign of life."""
        for _ in range(int(SIGN_OF_LIFE_S / LOOK_S)):
            if self.position != position or self.ended:
                return
            await asyncio.sleep(LOOK_S)


async def stream(
    live: Live,
    sights: Sequence[Sight],
    after: int | None,
    now: Callable[[], dict[str, Any]],
    may_listen: Callable[[], bool],
) -> AsyncIterator[ServerSentEventMessage]:
    """What one person hears within their sights from the position ``after`` on, or from now.

    ``now`` is merged into every status, and the stream asks now and then whether they may still listen, and ends when
    they may not.
    """
    yield ServerSentEventMessage(retry=COME_BACK_MS, data=None)
    if not live.status:
        await live.moved_from(live.position)
    told = live.position if after is None else after
    asked = monotonic()
    while True:
        upto = live.position
        try:
            if monotonic() - asked >= SIGN_OF_LIFE_S:
                if not await asyncio.to_thread(may_listen):
                    return
                asked = monotonic()
            facts = await live.happened(sights, told, upto) if told < upto else []
        except (Unavailable, ViewsUnavailable):  # whoever looks says so; it comes back
            await asyncio.sleep(LOOK_S)
            continue
        told = facts[-1]["position"] if len(facts) == MOST else max(told, upto)
        news = News(live.status | now(), facts)
        yield ServerSentEventMessage(event="news", id=told, data=msgspec.json.encode(news).decode())
        if told >= upto:
            if live.ended:
                return
            await live.moved_from(upto)
