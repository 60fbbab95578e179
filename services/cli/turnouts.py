"""`turnout`: 联合出动, from the order over the muster to the write-up."""

from collections.abc import Callable
from typing import Any

from cyclopts import App

from events.envelope import Request
from events.ids import mobilisation_of
from events.mobilisation import (
    ConfirmResponders,
    Declined,
    DeclineResponder,
    Muster,
    OrderMobilisation,
    ReviewMobilisation,
    StandDown,
)
from projections.queries import Questions
from services.cli.acting import Options, decide, tell
from services.cli.houses import DEFAULT_DATA, Data, Json, existing_house, find_case
from services.cli.screen import Exit, print_json, table
from services.people.roster import rosters_of
from services.runtime.errors import HujiaoError

turnout = App(name="turnout", help="联合出动: people of several departments on one scene. CASE is a receipt or an id.")

_COUNTS = ("phase", "min_people", "called", "mustered", "ordered_at", "muster_due", "reached_at", "stood_down_at")
_PEOPLE = ("number", "department", "presence", "ground", "called_at", "arrived_at")


def _decide(case: str, options: Options, make: Callable[[dict[str, Any], str], Request]) -> Exit:
    with existing_house(options.data) as house:
        found = find_case(house, case)
        town = (Questions(house.views.database).case(found) or {})["case"]["town"]
        rosters = rosters_of(town, house.ledger.rules)
        here: dict[str, Any] = {"mobilisation": mobilisation_of(found), "rosters": rosters, "by": options.by}
        answer = decide(house, make(here, found), options)
    return tell(answer, options)


@turnout.command
def show(case: str, *, data: Data = DEFAULT_DATA, as_json: Json = False) -> Exit:
    """Show how many are needed and there, and who was called."""
    with existing_house(data) as house:
        questions = Questions(house.views.database)
        found = questions.turn_out(find_case(house, case))
        if found is None:
            raise HujiaoError("case: expected one for which people turned out, found another")
        people = questions.responders(found["mobilisation"])
    if as_json:
        print_json({**found, "responders": people})
        return Exit.DONE
    table("Turn-out", _COUNTS, [[found[name] for name in _COUNTS]])
    table("Responders", _PEOPLE, ([row[name] or "" for name in _PEOPLE] for row in people))
    return Exit.DONE


@turnout.command
def order(case: str, min_people: int, *, options: Options) -> Exit:
    """Have so many people turn out for a case at least, called by name at once."""
    return _decide(case, options, lambda here, found: OrderMobilisation(**here, case=found, min_people=min_people))


@turnout.command
def confirm(case: str, department: str, *numbers: str, options: Options) -> Exit:
    """已应召: say for a department who is on the way."""
    return _decide(case, options, lambda here, found: ConfirmResponders(**here, department=department, numbers=numbers))


@turnout.command
def decline(case: str, department: str, number: str, ground: Declined, *, options: Options) -> Exit:
    """不能到: say for a department who cannot come."""
    return _decide(
        case,
        options,
        lambda here, found: DeclineResponder(**here, department=department, number=number, ground=ground),
    )


@turnout.command
def muster(case: str, *numbers: str, department: str = "", options: Options) -> Exit:
    """报到: report named people in on the spot; nobody counts twice, or in two places."""
    return _decide(case, options, lambda here, found: Muster(**here, numbers=numbers, department=department))


@turnout.command
def stand_down(case: str, *, options: Options) -> Exit:
    """收队: let everybody go. With the lead's result it happens by itself."""
    return _decide(case, options, lambda here, found: StandDown(**here))


@turnout.command
def review(case: str, note: str, *, options: Options) -> Exit:
    """补录、复盘: write up what was done, within two working days."""
    return _decide(
        case,
        options,
        lambda here, found: ReviewMobilisation(mobilisation=here["mobilisation"], case=found, by=options.by, note=note),
    )
