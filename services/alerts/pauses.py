"""How long to rest before an alert is tried again: longer each time, and never for two senders the same."""

import random
from collections.abc import Callable

MOST_TRIES = 12
"""So often an alert is tried on one channel: over 18 minutes as a rule, never over 38."""

FIRST_S, LONGEST_S = 2.0, 600.0

Pause = Callable[[int], float]
"""``(how often it was tried) -> seconds to rest before the next try``."""


def full_jitter(tries: int, draw: Callable[[float, float], float] = random.uniform) -> float:
    """Anything up to a bound that doubles with each try.

    Source: Exponential Backoff And Jitter, AWS Architecture Blog, 2015.
    """
    return draw(0.0, min(LONGEST_S, FIRST_S * 2.0 ** (tries - 1)))
