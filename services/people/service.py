"""用户、人员、值班表: which requests about users, people and rosters are decided, and who joins and leaves a roster."""

from datetime import datetime

from events.envelope import Recorded, Request
from events.mobilisation import DropResponder
from events.person import (
    ApproveSecondment,
    ConsentToSecondment,
    EndSecondment,
    MissReturn,
    MovePerson,
    NoteOverdueTold,
    PartyRelationTransferred,
    PersonMoved,
    PersonRegistered,
    RefuseSecondment,
    RegisterPerson,
    RequestSecondment,
    SecondmentEnded,
    StartSecondment,
    TransferPartyRelation,
)
from events.roster import (
    BeginLeave,
    CheckCover,
    DeployPerson,
    DissolvePartyOrg,
    EndLeave,
    FillPost,
    FormPartyOrg,
    GrantLeave,
    JoinRoster,
    LeaveBegun,
    LeaveRoster,
    MemberLent,
    NamePartySecretary,
    PassShift,
    ReleasePerson,
    RemoveShift,
    RosterLeft,
    SetShift,
    VacatePost,
)
from events.user import AddUser, DisableUser
from services.decisions import Append, Handler, Service, Stream, on_one_stream
from services.people import party, person, roster, rostering, user
from services.people.person import Employee
from services.people.roster import Roster, roster_of
from services.rules.book import RuleBook

_ABOUT_PEOPLE = (
    RegisterPerson,
    MovePerson,
    TransferPartyRelation,
    RequestSecondment,
    ConsentToSecondment,
    ApproveSecondment,
    RefuseSecondment,
    MissReturn,
    NoteOverdueTold,
    EndSecondment,
)
_ABOUT_ROSTERS = (
    FillPost,
    VacatePost,
    SetShift,
    PassShift,
    RemoveShift,
    GrantLeave,
    BeginLeave,
    EndLeave,
    DeployPerson,
    ReleasePerson,
    CheckCover,
)


def join_roster(
    recorded: Recorded, fact: PersonRegistered | PartyRelationTransferred | SecondmentEnded, rules: RuleBook
) -> tuple[Request, ...]:
    """Who serves in a town, or is back there, is on its roster as the register knows them."""
    return (JoinRoster(roster=roster_of(fact.town), town=fact.town, person=recorded.stream),)


def change_roster(recorded: Recorded, fact: PersonMoved, rules: RuleBook) -> tuple[Request, ...]:
    """Who serves in another town leaves one roster and joins the other."""
    joins = JoinRoster(roster=roster_of(fact.town), town=fact.town, person=recorded.stream)
    if fact.from_town == fact.town:
        return (joins,)
    return LeaveRoster(roster=roster_of(fact.from_town), person=recorded.stream), joins


def drop_responder(
    recorded: Recorded, fact: LeaveBegun | MemberLent | RosterLeft, rules: RuleBook
) -> tuple[Request, ...]:
    """Nobody is lent, on leave, or serves in another town, and is on a scene here."""
    if not fact.taken_by:
        return ()
    return (DropResponder(mobilisation=fact.taken_by, number=fact.number),)


def decide_join(
    states: tuple[Employee | None, Roster | None], request: JoinRoster, now: datetime, rules: RuleBook
) -> tuple[Append, ...]:
    """Put a person on the roster, or change what it says of them."""
    return tuple((request.roster, fact) for fact in roster.join(states, request))


def decide_leave(
    states: tuple[Employee | None, Roster | None], request: LeaveRoster, now: datetime, rules: RuleBook
) -> tuple[Append, ...]:
    """Take a person off the roster."""
    return tuple((request.roster, fact) for fact in roster.leave(states))


def decide_start(
    states: tuple[Employee | None, Roster | None], request: StartSecondment, now: datetime, rules: RuleBook
) -> tuple[Append, ...]:
    """Begin a secondment and empty the person's place in the pools, in one transaction."""
    employee, local = states
    started = person.decide(employee, request, now, rules)
    lent = roster.lend(local, employee.number) if started and employee is not None else ()
    return (
        *((request.person, fact) for fact in started),
        *((roster_of(request.town), fact) for fact in lent),
    )


SERVICE = Service(
    name="people",
    streams={
        "user": Stream(user.evolve),
        "person": Stream(person.evolve, person.timers),
        "roster": Stream(roster.evolve, roster.timers),
    },
    handlers={
        **{request: on_one_stream("user", user.decide) for request in (AddUser, DisableUser)},
        **{request: on_one_stream("person", person.decide) for request in _ABOUT_PEOPLE},
        **{request: on_one_stream("roster", rostering.decide) for request in _ABOUT_ROSTERS},
        **{
            request: on_one_stream("roster", party.decide)
            for request in (FormPartyOrg, DissolvePartyOrg, NamePartySecretary)
        },
        JoinRoster: Handler(lambda r: (r.person, r.roster), decide_join),
        LeaveRoster: Handler(lambda r: (r.person, r.roster), decide_leave),
        StartSecondment: Handler(lambda r: (r.person, roster_of(r.town)), decide_start),
    },
    reactions={
        "person.registered.v1": join_roster,
        "person.moved.v1": change_roster,
        "person.party-relation-transferred.v1": join_roster,
        "person.secondment-ended.v1": join_roster,
        "roster.leave-begun.v1": drop_responder,
        "roster.left.v1": drop_responder,
        "roster.member-lent.v1": drop_responder,
    },
)
