"""Seals: each batch's link in the hash chain, and the check of the whole chain."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from services.runtime.log import Log
from services.runtime.store import Raw

FIRST = hashlib.sha256(b"hujiao").digest()


class Fault(NamedTuple):
    """A batch that is not what its seal says: facts after ``after`` up to ``position``."""

    after: int
    position: int
    what: str


class Verified(NamedTuple):
    """The outcome of `verify`: ``head`` is the newest seal in hexadecimal, ``fault`` the first bad batch."""

    facts: int
    batches: int
    head: str
    fault: Fault | None


def seal(previous: bytes, facts: Iterable[Raw]) -> bytes:
    """SHA-256 over the previous seal and ``(position, stream, version, name, bytes)`` of every fact."""
    digest = hashlib.sha256(previous)
    for position, stream, version, name, state in facts:
        digest.update(b"%d %s %d %s %d\n" % (position, stream, version, name, len(state)))
        digest.update(state)
    return digest.digest()


def verify(log: Log, head: str = "") -> Verified:
    """Recompute every seal. With ``head``, a seal noted earlier must still be part of the chain.

    A change anywhere in the stored facts breaks the seal of its batch; a cut end breaks none, and shows only
    against a head that was noted elsewhere.
    """
    previous, position, facts, batches, found_head = FIRST, 0, 0, 0, not head
    with log.reading() as cursor:
        seals = cursor.execute("SELECT position, seal FROM seals ORDER BY position").fetchall()
        for end, stored in seals:
            rows = log.store.raw(cursor, position, end)
            if rows is None or seal(previous, rows) != stored:
                fault = Fault(position, end, f"the facts {position + 1} to {end} are not those that were sealed")
                return Verified(facts, batches, previous.hex(), fault)
            previous, position = stored, end
            facts, batches = facts + len(rows), batches + 1
            found_head = found_head or stored.hex() == head
        unsealed = log.unsealed(cursor, position)
    end_fault: Fault | None = None
    if unsealed:
        end_fault = Fault(position, position + unsealed, f"{unsealed} facts after {position} carry no seal")
    elif not found_head:
        end_fault = Fault(
            position,
            position,
            f"the log ends with the batch up to {position}, sealed {previous.hex()}; "
            f"the batch sealed {head} is missing: the newest batches were cut off",
        )
    return Verified(facts, batches, previous.hex(), end_fault)
