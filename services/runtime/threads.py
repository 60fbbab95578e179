"""Work of the synchronous stores, done in threads by tasks that may be cancelled meanwhile."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

LINGER_S = 1.0
"""How long a cancelled task waits for its thread: the store that the thread works on is closed next."""

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """As `asyncio.to_thread`, but when cancelled it first waits, though not for ever, until the work has ended."""
    working = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        working.add_done_callback(_look_at)
        await asyncio.wait((working,), timeout=LINGER_S)
        raise


def _look_at(ended: "asyncio.Task[T]") -> None:
    """What became of it interests nobody any more; the loop would complain that nobody asked."""
    if not ended.cancelled():
        ended.exception()
