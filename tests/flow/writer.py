"""A process of its own that writes notes on a call through a ledger of its own.

``writer.py PLACE CALL NAME MANY [POINT COUNT]``: it says when it is ready, begins when it is told to, and says the
number of each note that was written. At the COUNTth passing of POINT it kills itself.
"""

import os
import signal
import sys

from events.call import CallIssued, NoteProgress
from services.runtime.batch import Submission
from services.runtime.clock import SystemClock
from services.runtime.places import place
from services.wiring import House


def note(house: House, call: str, who: str, n: int) -> Submission:
    """A note of the department that leads a call."""
    issued = house.log.stream(call)[0].fact
    assert isinstance(issued, CallIssued)
    request = NoteProgress(call=call, case=issued.case, department=issued.legs[0].department, by=who, note="在路上。")
    return Submission(f"{who}/{n}", request, who)


def main(where: str, call: str, who: str, many: str, point: str = "", count: str = "0") -> None:
    """Write."""
    left = int(count)

    def probe(passing: str) -> None:
        nonlocal left
        left -= passing == point
        if passing == point and not left:
            os.kill(os.getpid(), signal.SIGKILL)

    with House(place(where), SystemClock(), probe=probe) as house:
        say("ready")
        sys.stdin.readline()
        for n in range(int(many)):
            assert house.ledger.decide(note(house, call, who, n)).facts == 1
            say(str(n))


def say(what: str) -> None:
    """Say it at once."""
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
