"""A process of its own that orders turn-outs for one town through a ledger of its own, one each time it is told to.

``orderer.py PLACE TOWN``: for each case that it reads it orders a turn-out and says whom of the district it got; told
``down`` it lets them go again.
"""

import sys
from datetime import UTC, datetime

from events.envelope import Request
from events.ids import mobilisation_of
from events.mobilisation import OrderMobilisation, RespondersCalled, StandDown
from services.people.roster import rosters_of
from services.runtime.batch import Submission
from services.runtime.clock import VirtualClock
from services.runtime.places import place
from services.wiring import House
from tests.flow.writer import say

NEEDED = 3


def main(where: str, town: str) -> None:
    """Order and stand down, as told."""
    with House(place(where), VirtualClock(datetime(2026, 11, 23, 1, 0, tzinfo=UTC))) as house:
        rosters = rosters_of(town, house.ledger.rules)
        case = ""

        def ask(form: type[Request], **more: object) -> None:
            asked = form(mobilisation=mobilisation_of(case), rosters=rosters, by=town, **more)  # type: ignore[call-arg]  # both have these
            house.ledger.decide(Submission(f"{town}/{case}/{form.__name__}", asked, town))

        say("ready")
        for line in sys.stdin:
            if line.strip() == "down":
                ask(StandDown)
                say("down")
                continue
            case = line.strip()
            ask(OrderMobilisation, case=case, min_people=NEEDED)
            facts = [recorded.fact for recorded in house.log.stream(mobilisation_of(case))]
            called = [r.number for f in facts if isinstance(f, RespondersCalled) for r in f.responders]
            say(" ".join(number for number in called if number.startswith("YA")))


if __name__ == "__main__":
    main(*sys.argv[1:])
