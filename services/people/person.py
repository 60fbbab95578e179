"""The person stream: who serves where since when, and 借调, which five rules bound.

Source of the rules: the reform of Yun'an, which lets nobody be lent who has served under two years in the town, then
wants the town Party committee's consent and after it the approval of the district's personnel department, for at most
six months. How long the pause between two secondments is, is our configurable default; that whoever asks neither
consents nor approves is our own rule.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, assert_never

from msgspec import Struct, structs

from events.envelope import Fact
from events.ids import PREFIX, child_id
from events.person import (
    ApproveSecondment,
    ConsentToSecondment,
    EndSecondment,
    MissReturn,
    MovePerson,
    NoteOverdueTold,
    OverdueTold,
    PartyRelation,
    PartyRelationTransferred,
    PersonMoved,
    PersonRegistered,
    RefuseSecondment,
    RegisterPerson,
    RequestSecondment,
    SecondmentApproved,
    SecondmentConsented,
    SecondmentEnded,
    SecondmentOverdue,
    SecondmentRefused,
    SecondmentRequested,
    SecondmentStarted,
    StartSecondment,
    TransferPartyRelation,
)
from services.decisions import ClearTimer, Rejected, SetTimer
from services.rules.book import RuleBook
from services.rules.calendar import SHANGHAI
from services.rules.limits import add_months

Facts = (
    PersonRegistered
    | PersonMoved
    | PartyRelationTransferred
    | SecondmentRequested
    | SecondmentConsented
    | SecondmentApproved
    | SecondmentRefused
    | SecondmentStarted
    | SecondmentOverdue
    | OverdueTold
    | SecondmentEnded
)
Steps = (
    ConsentToSecondment
    | ApproveSecondment
    | RefuseSecondment
    | StartSecondment
    | MissReturn
    | NoteOverdueTold
    | EndSecondment
)
Requests = RegisterPerson | MovePerson | TransferPartyRelation | RequestSecondment | Steps

Stage = Literal["requested", "consented", "approved", "away", "overdue"]
"""已申请、镇党委已同意、区人事已批准、借出、逾期未归."""

TIMER = "secondment"


class Secondment(Struct, frozen=True):
    """One that is under way: ``to`` whom, and from which day until which day, on which the person is back.

    ``asked_by`` is who requested it, ``told`` whether it is known what became of the alert that they are overdue.
    """

    to: str
    start: date
    back: date
    asked_by: str
    stage: Stage = "requested"
    told: bool = False


class Employee(Struct, frozen=True):
    """A person as the register knows them; ``last_back`` is when the last secondment ended."""

    number: str
    name: str
    employer: str
    town: str
    department: str
    since: date
    skills: tuple[str, ...] = ()
    party_relation: PartyRelation = ""
    secondment: Secondment | None = None
    last_back: date | None = None

    @property
    def away(self) -> bool:
        """Whether the person is lent and not back: in no pool, and on no roster of the town."""
        return self.secondment is not None and self.secondment.stage in ("away", "overdue")


def person_id(number: str) -> str:
    """The stream of the person with a staff number."""
    return child_id("person", "0" * PREFIX, number)


def evolve(state: Employee | None, fact: Facts) -> Employee:
    """Fold one fact of a person's stream."""
    if isinstance(fact, PersonRegistered):
        return Employee(**structs.asdict(fact))
    assert state is not None, "a person's stream begins with the register"
    match fact:
        case PersonMoved():
            return structs.replace(state, town=fact.town, department=fact.department, since=fact.since)
        case PartyRelationTransferred():
            return structs.replace(state, party_relation=fact.to)
        case SecondmentRequested():
            return structs.replace(state, secondment=Secondment(fact.to, fact.start, fact.back, fact.by))
        case SecondmentConsented():
            return _stage(state, "consented")
        case SecondmentApproved():
            return _stage(state, "approved")
        case SecondmentRefused():
            return structs.replace(state, secondment=None)
        case SecondmentStarted():
            return _stage(state, "away")
        case SecondmentOverdue():
            return _stage(state, "overdue")
        case OverdueTold():
            return _change(state, told=True)
        case SecondmentEnded():
            return structs.replace(state, secondment=None, last_back=fact.on)
        case _:
            assert_never(fact)


def decide(state: Employee | None, request: Requests, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    """Everything that is asked about a person."""
    if isinstance(request, RegisterPerson):
        return _register(state, request, now, rules)
    if state is None:
        raise Rejected("person: expected one of the register, found none with this number")
    match request:
        case MovePerson():
            return _move(state, request, now, rules)
        case TransferPartyRelation():
            return (
                ()
                if request.to == state.party_relation
                else (PartyRelationTransferred(to=request.to, town=state.town),)
            )
        case RequestSecondment():
            return _request(state, request, now, rules)
        case _:
            return _go_on(state, request, now)


def timers(stream: str, fact: Facts) -> tuple[SetTimer | ClearTimer, ...]:
    """A secondment begins by itself on its first day, and is overdue when the day of return is over."""
    match fact:
        case SecondmentApproved():
            return (SetTimer(TIMER, midnight(fact.start), StartSecondment(person=stream, town=fact.town)),)
        case SecondmentStarted():
            after = midnight(fact.back + timedelta(days=1))
            return (SetTimer(TIMER, after, MissReturn(person=stream)),)
        case SecondmentRefused() | SecondmentEnded():
            return (ClearTimer(TIMER),)
        case _:
            return ()


def midnight(day: date) -> datetime:
    """The first moment of a day in Asia/Shanghai, in UTC."""
    return datetime.combine(day, time(), SHANGHAI).astimezone(UTC)


def _register(
    state: Employee | None, request: RegisterPerson, now: datetime, rules: RuleBook
) -> tuple[PersonRegistered, ...]:
    if request.person != person_id(request.number):
        raise Rejected(f"person: expected the stream of {request.number}, found {request.person}")
    _check_place(request.town, request.department, rules)
    _check_come(request.since, now)
    wanted = PersonRegistered(
        number=request.number,
        name=request.name,
        employer=request.employer,
        town=request.town,
        department=request.department,
        since=request.since,
        skills=request.skills,
        party_relation=request.party_relation,
    )
    if state is None:
        return (wanted,)
    if evolve(None, wanted) == structs.replace(state, secondment=None, last_back=None):
        return ()
    raise Rejected(f"number: expected one that nobody has, found {state.number} of {state.name}")


def _move(state: Employee, request: MovePerson, now: datetime, rules: RuleBook) -> tuple[PersonMoved, ...]:
    _check_place(request.town, request.department, rules)
    if (request.town, request.department) == (state.town, state.department):
        return ()
    if state.secondment is not None:
        raise Rejected(f"expected a person who is not lent, found a secondment to {state.secondment.to} under way")
    _check_come(request.since, now)
    if request.since < state.since:
        raise Rejected(f"since: expected {state.since}, when service here began, or later, found {request.since}")
    since = state.since if request.town == state.town else request.since
    return (PersonMoved(town=request.town, department=request.department, since=since, from_town=state.town),)


def _request(
    state: Employee, request: RequestSecondment, now: datetime, rules: RuleBook
) -> tuple[SecondmentRequested, ...]:
    if state.secondment is not None:
        known = state.secondment
        if (known.to, known.start, known.back) == (request.to, request.start, request.back):
            return ()
        raise Rejected(f"expected a person who is not lent, found a secondment to {known.to} {known.stage}")
    bounds = rules.district.secondment
    if request.start < _today(now):
        raise Rejected(f"start: expected today or a later day, found {request.start}")
    if request.back <= request.start:
        raise Rejected(f"back: expected a day after {request.start}, found {request.back}")
    first = add_months(state.since, bounds.service_months)
    if request.start < first:
        raise Rejected(
            f"R-SEC-1: expected {bounds.service_months} months of service in the town before a secondment, so not"
            f" before {first}, found service since {state.since} and a start on {request.start}"
        )
    last = add_months(request.start, bounds.longest_months)
    if request.back > last:
        raise Rejected(
            f"R-SEC-4: expected at most {bounds.longest_months} calendar months, so back by {last}, found"
            f" {request.back}"
        )
    if state.last_back is not None and request.start < (rested := add_months(state.last_back, bounds.pause_months)):
        raise Rejected(
            f"R-SEC-4: expected a pause of {bounds.pause_months} months after {state.last_back}, so not before"
            f" {rested}, found a start on {request.start}"
        )
    return (
        SecondmentRequested(
            number=state.number,
            town=state.town,
            to=request.to,
            start=request.start,
            back=request.back,
            by=request.by,
        ),
    )


def _go_on(state: Employee, request: Steps, now: datetime) -> tuple[Fact, ...]:
    secondment = state.secondment
    if secondment is None:
        if isinstance(request, StartSecondment | MissReturn | NoteOverdueTold):
            return ()
        raise Rejected("expected a secondment under way, found none: it is requested first")
    about = {"number": state.number, "town": state.town}
    match request:
        case ConsentToSecondment():
            _another(secondment, request.by)
            return _step(secondment, "requested", SecondmentConsented(**about, by=request.by), "R-SEC-2")
        case ApproveSecondment():
            _another(secondment, request.by)
            approved = SecondmentApproved(**about, by=request.by, start=secondment.start)
            if secondment.start < _today(now):
                raise Rejected(f"start: expected today or a later day, found {secondment.start}: request it anew")
            return _step(secondment, "consented", approved, "R-SEC-3")
        case RefuseSecondment():
            if state.away:
                raise Rejected(f"expected a secondment that has not begun, found it {secondment.stage}")
            at = _BEFORE[secondment.stage]
            return (SecondmentRefused(**about, at=at, ground=request.ground, by=request.by),)
        case StartSecondment():
            if secondment.stage != "approved":
                return ()
            begun = SecondmentStarted(**about, to=secondment.to, start=secondment.start, back=secondment.back)
            return (begun,)
        case MissReturn():
            if secondment.stage != "away":
                return ()
            return (SecondmentOverdue(**about, to=secondment.to, back=secondment.back),)
        case NoteOverdueTold():
            if secondment.stage != "overdue" or secondment.told:
                return ()
            return (OverdueTold(**about, channel=request.channel or ""),)
        case EndSecondment():
            if not state.away:
                raise Rejected(f"expected a person who is away, found the secondment {secondment.stage}")
            today = _today(now)
            return (SecondmentEnded(**about, on=today, by=request.by, late=today > secondment.back),)
        case _:
            assert_never(request)


_BEFORE: dict[Stage, Literal["consent", "approval", "start"]] = {
    "requested": "consent",
    "consented": "approval",
    "approved": "start",
}
_ORDER: tuple[Stage, ...] = ("requested", "consented", "approved", "away", "overdue")


def _step(secondment: Secondment, after: Stage, fact: Fact, rule: str) -> tuple[Fact, ...]:
    """The fact that follows the stage ``after``; a repeat where it has been reached, refused before."""
    behind = _ORDER.index(secondment.stage) - _ORDER.index(after)
    if behind < 0:
        raise Rejected(f"{rule}: expected a secondment that is {after} first, found it {secondment.stage}")
    return (fact,) if behind == 0 else ()


def _another(secondment: Secondment, by: str) -> None:
    if by == secondment.asked_by:
        raise Rejected(f"R-SEC-5: expected another person than the one who requested it, found {by}")


def _stage(state: Employee, stage: Stage) -> Employee:
    return _change(state, stage=stage)


def _change(state: Employee, **changes: object) -> Employee:
    assert state.secondment is not None, "a secondment begins with its request"
    return structs.replace(state, secondment=structs.replace(state.secondment, **changes))


def _check_place(town: str, department: str, rules: RuleBook) -> None:
    if town not in rules.units:
        raise Rejected(f"town: expected one of {', '.join(sorted(rules.units))}, found {town!r}")
    if not rules.here(town, department):
        here = sorted(code for code in rules.departments if rules.here(town, code))
        raise Rejected(f"department: expected one of {', '.join(here)}, found {department!r}")


def _check_come(day: date, now: datetime) -> None:
    if day > _today(now):
        raise Rejected(f"since: expected a day that has come, found {day}")


def _today(now: datetime) -> date:
    return now.astimezone(SHANGHAI).date()
