"""The roster stream of a town: who is there, who holds which post, who is on duty, and who is free to be sent.

Nobody is taken twice, because whoever takes people asks the one stream that holds them. What people ask of it is
decided in `services.people.rostering`.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import assert_never

from msgspec import Struct, structs

from events.district import Post
from events.envelope import Fact
from events.ids import PREFIX, child_id
from events.person import PartyRelation
from events.roster import (
    BeginLeave,
    CheckCover,
    CoverChecked,
    Gap,
    JoinRoster,
    LeaveBegun,
    LeaveEnded,
    LeaveGranted,
    MemberLent,
    MemberReturned,
    PartyOrgDissolved,
    PartyOrgFormed,
    PartySecretaryNamed,
    PeopleFreed,
    PeopleTaken,
    PersonDeployed,
    PersonReleased,
    PostFilled,
    PostVacated,
    ReleasePerson,
    RosterJoined,
    RosterLeft,
    ShiftPassed,
    ShiftRemoved,
    ShiftSet,
)
from services.decisions import ClearTimer, SetTimer
from services.people.person import Employee, midnight
from services.rules.book import RuleBook
from services.rules.calendar import SHANGHAI

Facts = (
    RosterJoined
    | RosterLeft
    | MemberLent
    | MemberReturned
    | PostFilled
    | PostVacated
    | PartyOrgFormed
    | PartyOrgDissolved
    | PartySecretaryNamed
    | ShiftSet
    | ShiftPassed
    | ShiftRemoved
    | LeaveGranted
    | LeaveBegun
    | LeaveEnded
    | PeopleTaken
    | PeopleFreed
    | PersonDeployed
    | PersonReleased
    | CoverChecked
)

CHECKED_AT = time(17, 0, tzinfo=SHANGHAI)
"""When the day that begins then is looked at for hours without cover."""
DAY = timedelta(days=1)


class Appointment(Struct, frozen=True):
    """Who holds a post, or is its deputy from rank 1 on, since which day and until before which (Asia/Shanghai)."""

    post: Post
    platform: str
    number: str
    rank: int
    since: date
    until: date = date.max


class PartyOrg(Struct, frozen=True):
    """A platform's Party organisation, since which day and until before which, and who was named its secretary last."""

    platform: str
    name: str
    since: date
    until: date = date.max
    secretary: str = ""


class Shift(Struct, frozen=True):
    """Who is on duty for a post from when until when."""

    post: Post
    platform: str
    number: str
    start: datetime
    end: datetime


class Leave(Struct, frozen=True):
    """An absence."""

    start: datetime
    end: datetime


class Member(Struct, frozen=True):
    """A person of the town. ``taken_by`` is the turn-out that has them, ``deployed_to`` the department they help."""

    number: str
    name: str
    department: str
    party_relation: PartyRelation = ""
    lent: bool = False
    taken_by: str = ""
    deployed_to: str = ""
    leaves: tuple[Leave, ...] = ()

    def there(self, at: datetime) -> bool:
        """Whether the person can be reached at a moment: neither lent nor on leave."""
        return not self.lent and not any(leave.start <= at < leave.end for leave in self.leaves)

    def free(self, at: datetime) -> bool:
        """Whether the person can be sent somewhere at a moment."""
        return self.there(at) and not self.taken_by and not self.deployed_to

    def why_not(self, at: datetime) -> str:
        """What keeps the person from being sent somewhere; empty if nothing does."""
        if self.lent:
            return "lent"
        if not self.there(at):
            return "on leave"
        if self.taken_by:
            return "with another turn-out"
        return f"deployed to {self.deployed_to}" if self.deployed_to else ""


class Roster(Struct, frozen=True):
    """A town's people by staff number, their posts, and the shifts that are not over; ``told`` is the newest check."""

    members: dict[str, Member] = {}
    posts: tuple[Appointment, ...] = ()
    shifts: dict[str, Shift] = {}
    told: CoverChecked | None = None
    party: tuple[PartyOrg, ...] = ()

    def party_org(self, platform: str, day: date) -> PartyOrg | None:
        """The Party organisation that a platform has on a day."""
        return next((org for org in self.party if org.platform == platform and org.since <= day < org.until), None)

    def keeps(self, post: Post, platform: str) -> bool:
        """Whether the roster has anything to say about who answers for a post."""
        kept: list[Appointment | Shift] = [*self.posts, *self.shifts.values()]
        return any((known.post, known.platform) == (post, platform) for known in kept)

    def on_duty(self, post: Post, platform: str, at: datetime) -> Member | None:
        """Who answers for a post at a moment: whose shift it is, else the holder, else the deputies in order."""
        day = at.astimezone(SHANGHAI).date()
        asked = [
            *sorted(
                (shift.start, shift.number)
                for shift in self.shifts.values()
                if (shift.post, shift.platform) == (post, platform) and shift.start <= at < shift.end
            ),
            *sorted(
                (held.rank, held.number)
                for held in self.posts
                if (held.post, held.platform) == (post, platform) and held.since <= day < held.until
            ),
        ]
        found = (self.members.get(number) for _, number in asked)
        return next((member for member in found if member is not None and member.there(at)), None)

    def free(self, at: datetime) -> list[Member]:
        """Who can be sent somewhere now, by number."""
        return sorted((member for member in self.members.values() if member.free(at)), key=lambda member: member.number)

    def gaps(self, post: Post, platform: str, start: datetime, end: datetime) -> tuple[Gap, ...]:
        """The times between two moments at which nobody answers for a post."""
        edges = {start, end}
        for shift in self.shifts.values():
            edges |= {shift.start, shift.end}
        for member in self.members.values():
            edges |= {moment for leave in member.leaves for moment in (leave.start, leave.end)}
        for held in self.posts:
            edges |= {midnight(day) for day in (held.since, held.until) if day < date.max}
        moments = sorted(moment for moment in edges if start <= moment <= end)
        gaps: list[Gap] = []
        for moment, after in pairwise(moments):
            if self.on_duty(post, platform, moment) is not None:
                continue
            if gaps and gaps[-1].end == moment:
                gaps[-1] = structs.replace(gaps[-1], end=after)
            else:
                gaps.append(Gap(post=post, platform=platform, start=moment, end=after))
        return tuple(gaps)


def roster_of(town: str) -> str:
    """The stream of a town's roster."""
    return child_id("roster", "0" * PREFIX, town)


def rosters_of(town: str, rules: RuleBook) -> tuple[str, str]:
    """The streams of the rosters that a turn-out in a town takes people from: the town's and the district's."""
    return roster_of(town), roster_of(rules.district.code)


def evolve(state: Roster | None, fact: Facts) -> Roster:
    """Fold one fact of a roster."""
    state = state or Roster()
    match fact:
        case RosterJoined():
            known = state.members.get(fact.number) or Member(fact.number, fact.name, fact.department)
            changed = {"name": fact.name, "department": fact.department, "party_relation": fact.party_relation}
            return _put(state, structs.replace(known, **changed, lent=False))
        case RosterLeft():
            rest = {number: member for number, member in state.members.items() if number != fact.number}
            return structs.replace(state, members=rest, posts=tuple(p for p in state.posts if p.number != fact.number))
        case MemberLent():
            return _change(state, (fact.number,), lent=True, taken_by="", deployed_to="")
        case MemberReturned():
            return _change(state, (fact.number,), lent=False)
        case PostFilled():
            held = Appointment(fact.post, fact.platform, fact.number, fact.rank, fact.since)
            return structs.replace(state, posts=(*_without(state.posts, held), held))
        case PostVacated():
            over = tuple(
                structs.replace(held, until=fact.on)
                if (held.post, held.platform, held.number) == (fact.post, fact.platform, fact.number)
                else held
                for held in state.posts
            )
            return structs.replace(state, posts=tuple(held for held in over if held.since < held.until))
        case PartyOrgFormed():
            return structs.replace(state, party=(*state.party, PartyOrg(fact.platform, fact.name, fact.since)))
        case PartyOrgDissolved():
            return _change_party(state, fact, until=fact.on)
        case PartySecretaryNamed():
            return _change_party(state, fact, secretary=fact.number)
        case ShiftSet():
            shift = Shift(fact.post, fact.platform, fact.number, fact.start, fact.end)
            return structs.replace(state, shifts={**state.shifts, fact.shift: shift})
        case ShiftPassed():
            return structs.replace(state, shifts=_passed(state.shifts, fact))
        case ShiftRemoved():
            return structs.replace(state, shifts={name: s for name, s in state.shifts.items() if name != fact.shift})
        case LeaveGranted():
            leaves = (*state.members[fact.number].leaves, Leave(fact.start, fact.end))
            return _change(state, (fact.number,), leaves=leaves)
        case LeaveBegun():
            return _change(state, (fact.number,), taken_by="")
        case LeaveEnded():
            leaves = tuple(_cut(leave, fact.at) for leave in state.members[fact.number].leaves)
            return _change(state, (fact.number,), leaves=leaves)
        case PeopleTaken():
            return _change(state, fact.numbers, taken_by=fact.mobilisation)
        case PeopleFreed():
            mine = (number for number, m in state.members.items() if m.taken_by == fact.mobilisation)
            return _change(state, set(mine) & set(fact.numbers), taken_by="")
        case PersonDeployed():
            return _change(state, (fact.number,), deployed_to=fact.department)
        case PersonReleased():
            return _change(state, (fact.number,), deployed_to="")
        case CoverChecked():
            return structs.replace(_forget(state, fact.start), told=fact)
        case _:
            assert_never(fact)


def join(states: tuple[Employee | None, Roster | None], request: JoinRoster) -> tuple[Fact, ...]:
    """A person is on the roster as the register knows them; whoever is away by then joins when they are back."""
    employee, state = states
    if employee is None or employee.town != request.town or employee.away:
        return ()
    joined = RosterJoined(
        town=request.town,
        number=employee.number,
        name=employee.name,
        department=employee.department,
        party_relation=employee.party_relation,
    )
    known = (state or Roster()).members.get(employee.number)
    back = (MemberReturned(number=employee.number),) if known is not None and known.lent else ()
    as_known = known is not None and evolve(state, joined).members[employee.number] == structs.replace(
        known, lent=False
    )
    return back if as_known else (*back, joined)


def leave(states: tuple[Employee | None, Roster | None]) -> tuple[RosterLeft, ...]:
    """A person who serves elsewhere now is on the roster no longer."""
    employee, state = states
    if employee is None or state is None or employee.number not in state.members:
        return ()
    return (RosterLeft(number=employee.number, taken_by=state.members[employee.number].taken_by),)


def lend(state: Roster | None, number: str) -> tuple[MemberLent, ...]:
    """The person is in no pool from this instant on."""
    known = (state or Roster()).members.get(number)
    return (MemberLent(number=number, taken_by=known.taken_by),) if known is not None and not known.lent else ()


def answers(state: Roster | None, post: Post, town: str, platform: str, at: datetime, rules: RuleBook) -> str:
    """Who answers for a post at a moment, by name; empty when nobody does.

    A post of which the town's roster says nothing is answered for as the configuration says.
    """
    platform_of_post = platform if post == "platform_head" else ""
    if state is not None and state.keeps(post, platform_of_post):
        member = state.on_duty(post, platform_of_post, at)
        return member.name if member is not None else ""
    duty = rules.on_duty(post, town, platform)
    return duty.person if duty is not None else ""


def timers(stream: str, fact: Facts) -> tuple[SetTimer | ClearTimer, ...]:
    """What changes who is there has the days looked at that it touches; leave and deployments begin and end by them."""
    match fact:
        case ShiftSet():
            return tuple(_check(stream, fact.town, at) for at in (fact.start, fact.end))
        case LeaveGranted():
            begins = BeginLeave(roster=stream, number=fact.number)
            name = f"leave.{fact.number}.{fact.start:%Y-%m-%dT%H:%M:%S}"
            return _check(stream, fact.town, fact.start), SetTimer(name, fact.start, begins)
        case PersonDeployed():
            over = ReleasePerson(roster=stream, town=fact.town, number=fact.number, by="clock")
            return (SetTimer(f"deployed.{fact.number}", fact.until, over),)
        case PersonReleased():
            return (ClearTimer(f"deployed.{fact.number}"),)
        case _:
            return ()


def _check(stream: str, town: str, at: datetime) -> SetTimer:
    """Look at the day in which a moment lies, before it begins."""
    local = at.astimezone(SHANGHAI)
    start = datetime.combine(local.date() - DAY * (local.timetz() < CHECKED_AT), CHECKED_AT).astimezone(UTC)
    return SetTimer(f"cover.{start:%Y-%m-%d}", start, CheckCover(roster=stream, town=town, start=start))


def _passed(shifts: dict[str, Shift], fact: ShiftPassed) -> dict[str, Shift]:
    """Who had it keeps what is behind, under a name of its own."""
    shift = shifts[fact.shift]
    passed = {**shifts, fact.shift: structs.replace(shift, number=fact.to, start=fact.at)}
    if fact.at > shift.start:
        passed[f"{fact.shift}~{shift.number}"] = structs.replace(shift, end=fact.at)
    return passed


def _cut(leave: Leave, at: datetime) -> Leave:
    return structs.replace(leave, end=at) if leave.start <= at < leave.end else leave


def _without(posts: Iterable[Appointment], held: Appointment) -> tuple[Appointment, ...]:
    same = (held.post, held.platform, held.number)
    return tuple(other for other in posts if (other.post, other.platform, other.number) != same)


def _change_party(state: Roster, fact: PartyOrgDissolved | PartySecretaryNamed, **changes: object) -> Roster:
    meant = (fact.platform, fact.formed)
    party = (structs.replace(org, **changes) if (org.platform, org.since) == meant else org for org in state.party)
    return structs.replace(state, party=tuple(party))


def _forget(state: Roster, before: datetime) -> Roster:
    """Leave out what is over, which no decision asks about any more."""
    members = {
        number: structs.replace(member, leaves=tuple(leave for leave in member.leaves if leave.end > before))
        for number, member in state.members.items()
    }
    shifts = {name: shift for name, shift in state.shifts.items() if shift.end > before}
    return structs.replace(state, members=members, shifts=shifts)


def _change(state: Roster, numbers: Iterable[str], **changes: object) -> Roster:
    members = dict(state.members)
    for number in numbers:
        if number in members:
            members[number] = structs.replace(members[number], **changes)
    return structs.replace(state, members=members)


def _put(state: Roster, member: Member) -> Roster:
    return structs.replace(state, members={**state.members, member.number: member})
