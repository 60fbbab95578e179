"""The people the simulation plays: how fast they are, and what they answer. Drawn from a hash, never at random.

Delays follow what answering really took on a city's message board: half the replies within 11 days, a tenth
later than 41 days. Departments on emergency clocks are drawn around their own limits instead.
"""

from datetime import timedelta
from hashlib import blake2b
from math import exp, log
from statistics import NormalDist

from events.envelope import Recorded, Request
from services.decisions import Later

_NORMAL = NormalDist()
REPLY_MEDIAN_DAYS = 11.0
REPLY_P90_DAYS = 41.0


class Dice:
    """Draws from a hash of the seed and what the draw is about: the same draw whenever it is asked for."""

    def __init__(self, seed: int) -> None:
        self._seed = seed.to_bytes(8, "big", signed=True)

    def share(self, *about: str) -> float:
        """A number strictly between 0 and 1, evenly spread."""
        digest = blake2b(b"\x1f".join(part.encode() for part in about), digest_size=7, key=self._seed)
        return (int.from_bytes(digest.digest()) + 0.5) / 2**56

    def happens(self, chance: float, *about: str) -> bool:
        """Whether something of this chance happens."""
        return self.share(*about) < chance

    def skewed(self, median: float, p90: float, *about: str) -> float:
        """A log-normal draw with this median and ninetieth percentile, both positive."""
        spread = _NORMAL.inv_cdf(0.9)
        z = _NORMAL.inv_cdf(self.share(*about))
        return median * exp(z / spread * log(p90 / median))

    def choose(self, options: tuple[str, ...], *about: str) -> str:
        """One of the options, each as likely."""
        return options[int(self.share(*about) * len(options))]


def after(recorded: Recorded, minutes: float, request: Request) -> Later:
    """What somebody does so many minutes after a fact."""
    return Later(recorded.meta.recorded_at + timedelta(minutes=minutes), request)
