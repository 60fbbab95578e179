"""`person`: the register of who works where, and 借调 from its request to the return."""

from collections.abc import Callable
from datetime import date
from typing import Annotated

from cyclopts import App, Parameter

from events.envelope import Request
from events.person import (
    ApproveSecondment,
    ConsentToSecondment,
    EndSecondment,
    Ground,
    MovePerson,
    PartyRelation,
    RefuseSecondment,
    RegisterPerson,
    RequestSecondment,
    TransferPartyRelation,
)
from projections.queries import Questions
from services.cli.acting import Options, decide, tell
from services.cli.houses import DEFAULT_DATA, Data, Json, existing_house, town_code
from services.cli.screen import Exit, print_json, table
from services.people.person import person_id
from services.wiring import House

person = App(
    name="person", help="Who works where since when, and who is lent. NUMBER is a person's own, such as LD-0042."
)
secondment = App(name="secondment", help="借调: requested, consented to, approved, begun by itself, ended.")
person.command(secondment)

Day = Annotated[date, Parameter(help="A day in Asia/Shanghai: 2026-12-01.")]
_COLUMNS = ("number", "name", "town", "department", "since", "employer", "secondment", "lent_to", "lent_from", "back")


def _decide(options: Options, make: Callable[[House], Request]) -> Exit:
    with existing_house(options.data) as house:
        answer = decide(house, make(house), options)
    return tell(answer, options)


@person.command
def register(
    number: str,
    name: str,
    *,
    employer: str,
    town: str,
    department: str,
    since: Day,
    skill: Annotated[list[str] | None, Parameter(help="What the person can do, once for each.", negative="")] = None,
    party: PartyRelation = "",
    options: Options,
) -> Exit:
    """Take a person into the register.

    Parameters
    ----------
    employer
        Who pays them: the town, or the bureau that dispatched them.
    town
        Where they serve: a town by name, alias or code.
    since
        Since which day they have served in that town.
    party
        Where their Party relation is, if they have one.
    """

    def make(house: House) -> Request:
        return RegisterPerson(
            person=person_id(number),
            number=number,
            name=name,
            employer=employer,
            town=town_code(house, town),
            department=department,
            since=since,
            by=options.by,
            skills=tuple(skill or ()),
            party_relation=party,
        )

    return _decide(options, make)


@person.command
def move(number: str, *, town: str, department: str, since: Day, options: Options) -> Exit:
    """Let a person serve elsewhere; in another town the years of service begin anew."""

    def make(house: House) -> Request:
        code = town_code(house, town)
        return MovePerson(person=person_id(number), town=code, department=department, since=since, by=options.by)

    return _decide(options, make)


@person.command
def party(number: str, to: PartyRelation, *, options: Options) -> Exit:
    """转移党组织关系: put a member of a dispatched body under the town Party committee, or back."""
    return _decide(options, lambda house: TransferPartyRelation(person=person_id(number), to=to, by=options.by))


@person.command(name="list")
def list_people(*, data: Data = DEFAULT_DATA, as_json: Json = False) -> Exit:
    """Show the register, and who is lent."""
    with existing_house(data) as house:
        rows = Questions(house.views.database).people()
    if as_json:
        print_json(rows)
    else:
        table("People", _COLUMNS, ([row[name] or "" for name in _COLUMNS] for row in rows))
    return Exit.DONE


@secondment.command
def request(number: str, to: str, *, start: Day, back: Day, options: Options) -> Exit:
    """Ask for a person from one day until another, on which they are in the town again."""
    return _decide(
        options,
        lambda house: RequestSecondment(person=person_id(number), to=to, start=start, back=back, by=options.by),
    )


@secondment.command
def consent(number: str, *, options: Options) -> Exit:
    """Record the consent of the town's Party committee (镇党委同意)."""
    return _decide(options, lambda house: ConsentToSecondment(person=person_id(number), by=options.by))


@secondment.command
def approve(number: str, *, options: Options) -> Exit:
    """区人事部门批准; it begins by itself on its first day."""
    return _decide(options, lambda house: ApproveSecondment(person=person_id(number), by=options.by))


@secondment.command
def refuse(number: str, ground: Ground, *, options: Options) -> Exit:
    """Let nothing come of a secondment that has not begun."""
    return _decide(options, lambda house: RefuseSecondment(person=person_id(number), ground=ground, by=options.by))


@secondment.command
def end(number: str, *, options: Options) -> Exit:
    """归队: the person is in the town again, today."""
    return _decide(options, lambda house: EndSecondment(person=person_id(number), by=options.by))
