"""A process of its own that writes notes on a call through a ledger of its own: ``writer.py PLACE CALL NAME MANY``.

It says when it is ready, and begins when it is told to.
"""

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


def main(where: str, call: str, who: str, many: str) -> None:
    """Write."""
    with House(place(where), SystemClock()) as house:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        for n in range(int(many)):
            assert house.ledger.decide(note(house, call, who, n)).facts == 1


if __name__ == "__main__":
    main(*sys.argv[1:])
