"""值班表: who of a town is there, who holds which post and who is on duty when, as facts and requests of its roster.

One roster for each town, so that nobody is taken twice: whoever wants a person asks the stream that holds them all.
"""

from datetime import date, datetime
from typing import Annotated

from msgspec import Meta, Struct

from events.district import Post
from events.envelope import Fact, Request
from events.patterns import END, PRINTABLE
from events.person import PartyRelation, StaffNumber
from events.report import Person

Rank = Annotated[int, Meta(ge=0, le=9)]
"""0 holds the post; 1, 2 … are the deputies (副职), asked in this order."""

Moment = Annotated[datetime, Meta(tz=True)]
"""A time with its offset, as whoever asks writes it; facts hold it in UTC."""

ShiftName = Annotated[str, Meta(pattern=rf"^[a-z0-9][a-z0-9-]{{0,39}}{END}")]
"""What the town calls one shift, such as ``2026-12-01-night``."""

PartyOrgName = Annotated[str, Meta(min_length=1, max_length=60, pattern=PRINTABLE)]
"""What a platform's Party organisation is called, such as 综合执法平台党支部."""

Platform = Annotated[str, Meta(max_length=10)]
"""A platform's code; empty for a post that is the whole town's."""


class RosterJoined(Fact, frozen=True, kw_only=True):
    """入表: a person serves in the town, in this department. Said again when department or Party relation change."""

    town: str
    number: str
    name: str
    department: str
    party_relation: PartyRelation = ""


class RosterLeft(Fact, frozen=True, kw_only=True):
    """离表: the person serves elsewhere now. ``taken_by`` is the turn-out that they were with, if with one."""

    number: str
    taken_by: str = ""


class MemberLent(Fact, frozen=True, kw_only=True):
    """借出: lent from this instant on. ``taken_by`` is the turn-out on whose scene the person was, if on one."""

    number: str
    taken_by: str = ""


class MemberReturned(Fact, frozen=True, kw_only=True):
    """归队: in the pools again."""

    number: str


class PostFilled(Fact, frozen=True, kw_only=True):
    """任职: a person holds a post beside the own work, such as 台长, since the day ``since`` (Asia/Shanghai)."""

    post: Post
    number: str
    since: date
    platform: str = ""
    rank: int = 0


class PostVacated(Fact, frozen=True, kw_only=True):
    """免职: the person holds the post no longer from the day ``on``."""

    post: Post
    number: str
    on: date
    platform: str = ""


class PartyOrgFormed(Fact, frozen=True, kw_only=True):
    """平台党组织成立: a platform of the town has a Party organisation since the day ``since`` (Asia/Shanghai).

    Its members are those of the platform's departments whose Party relation the town's committee has.
    """

    town: str
    platform: str
    name: str
    since: date


class PartyOrgDissolved(Fact, frozen=True, kw_only=True):
    """平台党组织撤销: the one that was formed on the day ``formed`` is no more from the day ``on``."""

    platform: str
    formed: date
    on: date


class PartySecretaryNamed(Fact, frozen=True, kw_only=True):
    """党组织书记: a member is secretary of the one that was ``formed`` then, since the day ``since``."""

    platform: str
    formed: date
    number: str
    since: date


class ShiftSet(Fact, frozen=True, kw_only=True):
    """排班: a person is on duty for a post from ``start`` until ``end`` (UTC)."""

    town: str
    shift: str
    post: Post
    number: str
    start: datetime
    end: datetime
    platform: str = ""


class ShiftPassed(Fact, frozen=True, kw_only=True):
    """换班、交接: somebody else has the shift from ``at`` (UTC) on, all of it or what is left."""

    shift: str
    to: str
    at: datetime


class ShiftRemoved(Fact, frozen=True, kw_only=True):
    """取消排班."""

    shift: str


class LeaveGranted(Fact, frozen=True, kw_only=True):
    """请假: away from ``start`` until ``end`` (UTC): in no pool and on no duty."""

    town: str
    number: str
    start: datetime
    end: datetime


class LeaveBegun(Fact, frozen=True, kw_only=True):
    """假期开始: the leave begins of a person who was with the turn-out ``taken_by``, and is with it no longer."""

    number: str
    taken_by: str


class LeaveEnded(Fact, frozen=True, kw_only=True):
    """销假: back at ``at`` (UTC), before the leave was over."""

    number: str
    at: datetime


class PeopleTaken(Fact, frozen=True, kw_only=True):
    """调用: these people are with a joint turn-out; nobody else gets them before they are free."""

    mobilisation: str
    numbers: tuple[str, ...]


class PeopleFreed(Fact, frozen=True, kw_only=True):
    """解除调用."""

    mobilisation: str
    numbers: tuple[str, ...]


class PersonDeployed(Fact, frozen=True, kw_only=True):
    """统一调动: a person works for another department of the town until ``until`` (UTC) at the latest."""

    town: str
    number: str
    department: str
    until: datetime
    by: str


class PersonReleased(Fact, frozen=True, kw_only=True):
    """调动结束: the person works for the own department again. ``by`` is ``clock`` when the time was over."""

    number: str
    by: str


class Gap(Struct, frozen=True, omit_defaults=True):
    """无人值班: from ``start`` until ``end`` (UTC) nobody answers for a post."""

    post: Post
    start: datetime
    end: datetime
    platform: str = ""


class CoverChecked(Fact, frozen=True, kw_only=True):
    """值班检查: what the roster leaves without cover from ``start`` until ``end`` (UTC), told before it comes."""

    town: str
    start: datetime
    end: datetime
    gaps: tuple[Gap, ...] = ()


class RosterRequest(Request, frozen=True, kw_only=True):
    """What is asked of the roster of a town: ``roster`` is its stream."""

    roster: str


class JoinRoster(RosterRequest, frozen=True, kw_only=True, tag="roster.join.v1"):
    """Sent when a person begins to serve in the town, comes back, or changes within it."""

    town: str
    person: str


class LeaveRoster(RosterRequest, frozen=True, kw_only=True, tag="roster.leave.v1"):
    """Sent when a person serves elsewhere now."""

    person: str


class FillPost(RosterRequest, frozen=True, kw_only=True, tag="roster.fill-post.v1"):
    """Have a person hold a post, or be its deputy."""

    town: str
    post: Post
    number: StaffNumber
    since: date
    by: Person
    platform: Platform = ""
    rank: Rank = 0


class VacatePost(RosterRequest, frozen=True, kw_only=True, tag="roster.vacate-post.v1"):
    """Let a person hold a post no longer."""

    town: str
    post: Post
    number: StaffNumber
    on: date
    by: Person
    platform: Platform = ""


class FormPartyOrg(RosterRequest, frozen=True, kw_only=True, tag="roster.form-party-org.v1"):
    """Record that a platform of the town has a Party organisation."""

    town: str
    platform: Platform
    name: PartyOrgName
    since: date
    by: Person


class DissolvePartyOrg(RosterRequest, frozen=True, kw_only=True, tag="roster.dissolve-party-org.v1"):
    """Record that a platform's Party organisation is no more."""

    town: str
    platform: Platform
    on: date
    by: Person


class NamePartySecretary(RosterRequest, frozen=True, kw_only=True, tag="roster.name-party-secretary.v1"):
    """Record who is the secretary of a platform's Party organisation."""

    town: str
    platform: Platform
    number: StaffNumber
    since: date
    by: Person


class SetShift(RosterRequest, frozen=True, kw_only=True, tag="roster.set-shift.v1"):
    """Put a person on duty for a post. The same shift again changes nothing."""

    town: str
    shift: ShiftName
    post: Post
    number: StaffNumber
    start: Moment
    end: Moment
    by: Person
    platform: Platform = ""


class PassShift(RosterRequest, frozen=True, kw_only=True, tag="roster.pass-shift.v1"):
    """Give a shift to somebody else: all of it before it begins (换班), what is left of it after that (交接)."""

    town: str
    shift: ShiftName
    to: StaffNumber
    by: Person


class RemoveShift(RosterRequest, frozen=True, kw_only=True, tag="roster.remove-shift.v1"):
    """Take a shift off the roster that has not begun."""

    town: str
    shift: ShiftName
    by: Person


class GrantLeave(RosterRequest, frozen=True, kw_only=True, tag="roster.grant-leave.v1"):
    """Let a person be away."""

    town: str
    number: StaffNumber
    start: Moment
    end: Moment
    by: Person


class BeginLeave(RosterRequest, frozen=True, kw_only=True, tag="roster.begin-leave.v1"):
    """A timer's request in a leave's first minute."""

    number: str


class EndLeave(RosterRequest, frozen=True, kw_only=True, tag="roster.end-leave.v1"):
    """Record that a person is back from leave, now."""

    town: str
    number: StaffNumber
    by: Person


class DeployPerson(RosterRequest, frozen=True, kw_only=True, tag="roster.deploy.v1"):
    """Have a person work for another department of the town for a bounded time."""

    town: str
    number: StaffNumber
    department: str
    until: Moment
    by: Person


class ReleasePerson(RosterRequest, frozen=True, kw_only=True, tag="roster.release.v1"):
    """Let a deployed person work for the own department again; also a timer's, with ``clock``, at the end."""

    town: str
    number: StaffNumber
    by: Person


class CheckCover(RosterRequest, frozen=True, kw_only=True, tag="roster.check-cover.v1"):
    """A timer's request to look for hours without cover in the day that begins at ``start``."""

    town: str
    start: Moment
