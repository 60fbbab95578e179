"""Plays the people of the towns: who works where, and who comes when a joint turn-out calls them."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import islice
from typing import Any

from events.district import DistrictConfigured
from events.envelope import Recorded, Request
from events.mobilisation import (
    DeclineResponder,
    Muster,
    MusterReached,
    MusterShort,
    Responder,
    RespondersCalled,
    ReviewMobilisation,
    StandDown,
    StoodDown,
)
from events.person import PersonRegistered, RegisterPerson
from services.decisions import Later, Reaction
from services.people.person import person_id
from services.people.roster import rosters_of
from services.rules.book import RuleBook
from services.simulation.people import Dice, after
from services.simulation.words import demo_words

FEWEST, MORE = 1, 6
"""Departments have one to six people: some could do nothing alone (1到2个人)."""
MANAGED, COMES, SAYS_NO = 0.7, 0.9, 0.5
"""Whose Party relation the town's committee has, who comes when called, and who of the others says so."""
SINCE = date(1998, 7, 1)


def reactions(dice: Dice) -> Mapping[str, Reaction]:
    """What they do after which facts."""

    def register(recorded: Recorded, fact: DistrictConfigured, rules: RuleBook) -> tuple[Request, ...]:
        return tuple(person for unit in rules.units for person in islice(_staff(dice, rules, unit), 1))

    def register_the_others(recorded: Recorded, fact: PersonRegistered, rules: RuleBook) -> tuple[Request, ...]:
        everybody = _staff(dice, rules, fact.town)
        return tuple(everybody) if next(everybody).number == fact.number else ()

    def come(recorded: Recorded, fact: RespondersCalled, rules: RuleBook) -> tuple[Later, ...]:
        if not fact.pools:  # they were there before anybody called them
            return ()
        departments = dict.fromkeys(responder.department for responder in fact.responders)
        return tuple(
            act
            for department in departments
            for act in _turn_out(dice, recorded, fact, department, rosters_of(fact.town, rules))
        )

    def stand_down(recorded: Recorded, fact: MusterReached | MusterShort, rules: RuleBook) -> tuple[Later, ...]:
        if isinstance(fact, MusterShort) and fact.again is not None:
            return ()
        rosters = rosters_of(fact.town, rules)
        wanted = StandDown(mobilisation=recorded.stream, rosters=rosters, by=f"{fact.town[-3:]}-centre")
        return (after(recorded, minutes=dice.skewed(90, 180, "stand down", recorded.id), request=wanted),)

    def write_up(recorded: Recorded, fact: StoodDown, rules: RuleBook) -> tuple[Later, ...]:
        note = "现场已控制，人员设备已清点，后续工作交由主办部门。"
        wanted = ReviewMobilisation(
            mobilisation=recorded.stream, case=fact.case, by=f"{fact.town[-3:]}-centre", note=note
        )
        return (after(recorded, minutes=dice.skewed(600, 3000, "write up", recorded.id), request=wanted),)

    return {
        "district.configured.v1": register,
        "person.registered.v1": register_the_others,
        "mobilisation.responders-called.v1": come,
        "mobilisation.reached.v1": stand_down,
        "mobilisation.short.v1": stand_down,
        "mobilisation.stood-down.v1": write_up,
    }


def _staff(dice: Dice, rules: RuleBook, code: str) -> Iterator[RegisterPerson]:
    """Everybody who works for a department of a town, or of the district; the same people whenever one asks.

    The first is registered with the district's configuration, the others after the first: each of them once.
    """
    unit, names = rules.units[code], demo_words().people
    for department in rules.departments.values():
        if department.kind == "external" or not rules.here(code, department.code):
            continue
        for n in range(1, FEWEST + 1 + int(MORE * dice.share("staff", code, department.code))):
            number = f"{unit.alias}-{department.code}-{n}"
            managed = dice.happens(MANAGED, "managed", number)
            yield RegisterPerson(
                person=person_id(number),
                number=number,
                name=dice.choose(names.surnames, "surname", number) + dice.choose(names.given, "given", number),
                employer=department.parent if department.kind == "district_dispatched" else unit.zh,
                town=code,
                department=department.code,
                since=SINCE,
                by="personnel-1",
                party_relation="town_committee" if managed else "",
            )


def _turn_out(
    dice: Dice, recorded: Recorded, fact: RespondersCalled, department: str, rosters: tuple[str, ...]
) -> Iterable[Later]:
    """Those of a department who come come together; of the others some say that they cannot."""
    about = (recorded.id, department)
    ask: dict[str, Any] = {
        "mobilisation": recorded.stream,
        "rosters": rosters,
        "by": f"{fact.town[-3:]}-{department}-1",
    }
    mine = [responder for responder in fact.responders if responder.department == department]

    def comes(responder: Responder) -> bool:
        return dice.happens(COMES, "comes", recorded.id, responder.number)

    for responder in mine:
        if not comes(responder) and dice.happens(SAYS_NO, "says no", recorded.id, responder.number):
            declined = DeclineResponder(**ask, department=department, number=responder.number, ground="on_other_duty")
            yield after(recorded, minutes=2 + 6 * dice.share("no", recorded.id, responder.number), request=declined)
    coming = tuple(responder.number for responder in mine if comes(responder))
    if coming:
        mustered = Muster(**ask, department=department, numbers=coming)
        yield after(recorded, minutes=dice.skewed(18, 32, "muster", *about), request=mustered)
