"""What people ask of a town's roster: posts and their deputies, shifts, leave, and whom to deploy."""

from datetime import UTC, datetime, timedelta
from typing import assert_never

from msgspec import structs

from events.district import Post
from events.envelope import Fact
from events.roster import (
    BeginLeave,
    CheckCover,
    CoverChecked,
    DeployPerson,
    EndLeave,
    FillPost,
    GrantLeave,
    LeaveBegun,
    LeaveEnded,
    LeaveGranted,
    PassShift,
    PersonDeployed,
    PersonReleased,
    PostFilled,
    PostVacated,
    ReleasePerson,
    RemoveShift,
    SetShift,
    ShiftPassed,
    ShiftRemoved,
    ShiftSet,
    VacatePost,
)
from services.decisions import Rejected
from services.people.roster import DAY, Appointment, Leave, Member, Roster, Shift
from services.rules.book import RuleBook

Requests = (
    FillPost
    | VacatePost
    | SetShift
    | PassShift
    | RemoveShift
    | GrantLeave
    | BeginLeave
    | EndLeave
    | DeployPerson
    | ReleasePerson
    | CheckCover
)

LONGEST_SHIFT = timedelta(days=7)
LONGEST_AHEAD = timedelta(days=366)
"""How far ahead anybody is planned for, and how long anybody is away or deployed."""
LONGEST_SERVICE = timedelta(days=60 * 366)


def decide(state: Roster | None, request: Requests, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    """Everything that people ask of a roster, and what it finds by itself."""
    state = state or Roster()
    match request:
        case FillPost():
            return _fill_post(state, request, now, rules)
        case VacatePost():
            return _vacate_post(state, request)
        case SetShift():
            return _set_shift(state, request, now, rules)
        case PassShift():
            return _pass_shift(state, request, now)
        case RemoveShift():
            shift = _shift(state, request.shift)
            if shift.start <= now:
                raise Rejected(f"shift: expected one that has not begun, found it begun at {shift.start}")
            return (ShiftRemoved(shift=request.shift),)
        case GrantLeave():
            return _grant_leave(state, request, now)
        case BeginLeave():
            member = state.members.get(request.number)
            if member is None or member.there(now) or not member.taken_by:
                return ()
            return (LeaveBegun(number=member.number, taken_by=member.taken_by),)
        case EndLeave():
            on_leave = any(leave.start <= now < leave.end for leave in _member(state, request.number).leaves)
            return (LeaveEnded(number=request.number, at=now),) if on_leave else ()
        case DeployPerson():
            return _deploy(state, request, now, rules)
        case ReleasePerson():
            deployed = request.number in state.members and state.members[request.number].deployed_to
            return (PersonReleased(number=request.number, by=request.by),) if deployed else ()
        case CheckCover():
            end = request.start + DAY
            kept = (cover for cover in rules.district.cover if state.keeps(cover.post, cover.platform))
            gaps = tuple(
                gap for cover in kept for gap in state.gaps(cover.post, cover.platform, max(now, request.start), end)
            )
            checked = CoverChecked(town=request.town, start=request.start, end=end, gaps=gaps)
            return () if checked == state.told else (checked,)
        case _:
            assert_never(request)


def _fill_post(state: Roster, request: FillPost, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    _member(state, request.number)
    if abs(request.since - now.date()) > LONGEST_SERVICE:
        raise Rejected(f"since: expected a day of somebody's service, found {request.since}")
    _check_platform(request.post, request.platform, rules)
    held = Appointment(request.post, request.platform, request.number, request.rank, request.since)
    if held in state.posts:
        return ()
    filled = PostFilled(
        post=request.post, number=request.number, since=request.since, platform=request.platform, rank=request.rank
    )
    for other in state.posts:
        same = (other.post, other.platform, other.rank) == (held.post, held.platform, held.rank)
        if same and other.number != held.number and other.until > held.since:
            raise Rejected(f"rank: expected one that nobody holds then, found {other.number} since {other.since}")
    return (filled,)


def _vacate_post(state: Roster, request: VacatePost) -> tuple[Fact, ...]:
    wanted = (request.post, request.platform, request.number)
    held = next((held for held in state.posts if (held.post, held.platform, held.number) == wanted), None)
    if held is None:
        raise Rejected(f"post: expected one that {request.number} holds, found no such post")
    if held.until <= request.on:
        return ()
    return (PostVacated(post=request.post, number=request.number, on=request.on, platform=request.platform),)


def _set_shift(state: Roster, request: SetShift, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    member = _member(state, request.number)
    _check_platform(request.post, request.platform, rules)
    shift = Shift(request.post, request.platform, request.number, request.start, request.end)
    if request.shift in state.shifts:
        if state.shifts[request.shift] == shift:
            return ()
        raise Rejected(f"shift: expected a new name, found {request.shift} on the roster already")
    _check_span(request.start, request.end, now)
    if request.end - request.start > LONGEST_SHIFT:
        raise Rejected(f"end: expected at most {LONGEST_SHIFT.days} days after the start, found {request.end}")
    for name, other in state.shifts.items():
        if other.number == request.number and _overlap(other, shift):
            raise Rejected(f"number: expected one who is free then, found {request.number} on the shift {name}")
    for leave in member.leaves:
        if _overlap(leave, shift):
            raise Rejected(
                f"number: expected one who is there then, found {request.number} on leave from {leave.start}"
            )
    return (
        ShiftSet(
            town=request.town,
            shift=request.shift,
            post=request.post,
            number=request.number,
            start=request.start.astimezone(UTC),
            end=request.end.astimezone(UTC),
            platform=request.platform,
        ),
    )


def _pass_shift(state: Roster, request: PassShift, now: datetime) -> tuple[Fact, ...]:
    shift, member = _shift(state, request.shift), _member(state, request.to)
    if shift.end <= now:
        raise Rejected(f"shift: expected one that is not over, found it over at {shift.end}")
    if shift.number == request.to:
        return ()
    rest = structs.replace(shift, number=request.to, start=max(shift.start, now))
    for name, other in state.shifts.items():
        if other.number == request.to and _overlap(other, rest):
            raise Rejected(f"to: expected one who is free then, found {request.to} on the shift {name}")
    if member.lent or any(_overlap(leave, rest) for leave in member.leaves):
        raise Rejected(f"to: expected one who is there then, found {request.to} away")
    return (ShiftPassed(shift=request.shift, to=request.to, at=rest.start),)


def _grant_leave(state: Roster, request: GrantLeave, now: datetime) -> tuple[Fact, ...]:
    member = _member(state, request.number)
    wanted = Leave(request.start, request.end)
    if wanted in member.leaves:
        return ()
    _check_span(request.start, request.end, now)
    if any(_overlap(leave, wanted) for leave in member.leaves):
        raise Rejected(f"start: expected a time without leave, found {request.number} on leave then")
    if member.taken_by and request.start <= now:
        raise Rejected(
            f"number: expected one who is on no scene, or leave that begins later, found {request.number} with a"
            " turn-out"
        )
    start, end = request.start.astimezone(UTC), request.end.astimezone(UTC)
    return (LeaveGranted(town=request.town, number=request.number, start=start, end=end),)


def _deploy(state: Roster, request: DeployPerson, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    member = _member(state, request.number)
    if not rules.here(request.town, request.department) or request.department == member.department:
        raise Rejected(f"department: expected another one of the town, found {request.department!r}")
    if not now < request.until <= now + LONGEST_AHEAD:
        raise Rejected(f"until: expected a moment within {LONGEST_AHEAD.days} days from {now}, found {request.until}")
    if member.deployed_to == request.department:
        return ()
    if not member.free(now):
        raise Rejected(f"number: expected one who is free, found {request.number} {member.why_not(now)}")
    deployed = PersonDeployed(
        town=request.town,
        number=request.number,
        department=request.department,
        until=request.until.astimezone(UTC),
        by=request.by,
    )
    return (deployed,)


def _member(state: Roster, number: str) -> Member:
    if number not in state.members:
        raise Rejected(f"number: expected one of the roster, found {number!r}")
    return state.members[number]


def _shift(state: Roster, name: str) -> Shift:
    if name not in state.shifts:
        raise Rejected(f"shift: expected one of the roster, found {name!r}")
    return state.shifts[name]


def _check_platform(post: Post, platform: str, rules: RuleBook) -> None:
    if post == "platform_head" and platform not in rules.platforms:
        raise Rejected(f"platform: expected one of {', '.join(sorted(rules.platforms))}, found {platform!r}")
    if post == "command_centre" and platform:
        raise Rejected(f"platform: expected none for a post of the whole town, found {platform!r}")


def _check_span(start: datetime, end: datetime, now: datetime) -> None:
    if end <= start:
        raise Rejected(f"end: expected a moment after {start}, found {end}")
    if end <= now:
        raise Rejected(f"end: expected a moment after {now}, found {end}")
    if end > now + LONGEST_AHEAD or start < now - LONGEST_AHEAD:
        raise Rejected(f"end: expected a time within {LONGEST_AHEAD.days} days, found {start} to {end}")


def _overlap(one: Shift | Leave, other: Shift | Leave) -> bool:
    return one.start < other.end and other.start < one.end
