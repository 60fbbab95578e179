"""Stream ids that sort by time: 48 bits of the report's own time, then a hash of what the stream is about.

Children (the case of a report, the calls of a case) inherit the time of their parent, so everything about
one matter lies close together in every index, and a replay of the same input names the same streams.
"""

from datetime import datetime
from hashlib import blake2b

PREFIX = 12
LENGTH = 32


def stream_id(kind: str, at: datetime, *about: str) -> str:
    """The id of the stream of ``kind`` that is about ``about``, born at ``at`` (an aware time)."""
    return _milliseconds(at) + _hash(kind, *about)


def child_id(kind: str, parent: str, *about: str) -> str:
    """The id of a stream that belongs to the stream ``parent`` and shares its time."""
    return parent[:PREFIX] + _hash(kind, parent, *about)


def is_stream_id(text: str) -> bool:
    """Whether ``text`` has the form of a stream id (32 lower-case hexadecimal digits)."""
    return len(text) == LENGTH and all(character in "0123456789abcdef" for character in text)


def case_of(report: str) -> str:
    """The case that a report opens if it is not linked to another."""
    return child_id("case", report)


def call_of(case: str, platform: str, attempt: int) -> str:
    """The call of one platform for one case; ``attempt`` counts from 1 over calling again."""
    return child_id("call", case, platform, str(attempt))


def mobilisation_of(case: str) -> str:
    """The stream of the turn-out for a case."""
    return child_id("mobilisation", case)


def district_call_of(case: str, nth: int) -> str:
    """The ``nth`` call (from 1) that goes for a case to the district, whichever platform it is."""
    return child_id("call", case, "district", str(nth))


def outcome_of(case: str) -> str:
    """The stream of what is told to the public about a case."""
    return child_id("outcome", case)


def approval_of(case: str) -> str:
    """The stream of what the departments think of a case's project, asked all at once."""
    return child_id("approval", case)


def _milliseconds(at: datetime) -> str:
    return f"{max(0, int(at.timestamp() * 1000)):012x}"


def _hash(*parts: str) -> str:
    digest = blake2b(digest_size=(LENGTH - PREFIX) // 2)
    for part in parts:
        digest.update(part.encode("utf-8"))
        digest.update(b"\x1f")
    return digest.hexdigest()
