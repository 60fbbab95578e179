"""人员: who works for a town, since when and for whom, and 借调, as facts and requests of one person's stream."""

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta

from events.call import ChannelName
from events.envelope import Fact, Request
from events.patterns import END, PRINTABLE
from events.report import Person

StaffNumber = Annotated[str, Meta(pattern=rf"^[A-Z][A-Z0-9-]{{1,19}}{END}")]
"""工号: a person's own number, which never changes and is nobody else's."""

PartyRelation = Literal["", "bureau", "town_committee"]
"""党组织关系: none, with the bureau that dispatched them, or under the town Party committee's management (归口管理)."""

Skill = Annotated[str, Meta(min_length=1, max_length=40, pattern=PRINTABLE)]
Skills = Annotated[tuple[Skill, ...], Meta(max_length=20)]
Employer = Annotated[str, Meta(min_length=1, max_length=100, pattern=PRINTABLE)]
Ground = Literal["needed_here", "unsuitable", "withdrawn", "other"]
"""工作需要、人选不合适、申请撤回、其他: why nothing comes of a secondment."""


class PersonRegistered(Fact, frozen=True, kw_only=True):
    """入册: ``name`` works in the department of a town, and has served in that town since the day ``since``.

    ``employer`` pays them: the town itself, or the district bureau that dispatched them. All days are Asia/Shanghai.
    """

    number: str
    name: str
    employer: str
    town: str
    department: str
    since: date
    skills: tuple[str, ...] = ()
    party_relation: PartyRelation = ""


class PersonMoved(Fact, frozen=True, kw_only=True):
    """调动. ``since`` is the day since which the person has served in the town: a new one only in another town."""

    town: str
    department: str
    since: date
    from_town: str = ""


class PartyRelationTransferred(Fact, frozen=True, kw_only=True):
    """转移党组织关系."""

    to: PartyRelation
    town: str = ""


class SecondmentRequested(Fact, frozen=True, kw_only=True):
    """申请借调: ``to`` wants the person from the day ``start`` on; on the day ``back`` they are in the town again."""

    number: str
    town: str
    to: str
    start: date
    back: date
    by: str


class SecondmentConsented(Fact, frozen=True, kw_only=True):
    """镇党委同意: the Party committee of the town of service lets the person go."""

    number: str
    town: str
    by: str


class SecondmentApproved(Fact, frozen=True, kw_only=True):
    """区人事部门批准. ``start`` is when it begins by itself."""

    number: str
    town: str
    by: str
    start: date


class SecondmentRefused(Fact, frozen=True, kw_only=True):
    """不同意、不批准、撤回: nothing comes of it; ``at`` says who stood before the decision."""

    number: str
    town: str
    at: Literal["consent", "approval", "start"]
    ground: Ground
    by: str


class SecondmentStarted(Fact, frozen=True, kw_only=True):
    """借出: from the first minute of the day on, the person is in no pool and on no roster of the town."""

    number: str
    town: str
    to: str
    start: date
    back: date


class SecondmentOverdue(Fact, frozen=True, kw_only=True):
    """逾期未归: the day ``back`` is over and nobody has recorded that the person is there."""

    number: str
    town: str
    to: str
    back: date


class OverdueTold(Fact, frozen=True, kw_only=True):
    """已提醒逾期: the alert that somebody is overdue arrived over ``channel``; where that is empty, over none."""

    number: str
    town: str
    channel: str


class SecondmentEnded(Fact, frozen=True, kw_only=True):
    """归队: the person is in the town again since the day ``on``."""

    number: str
    town: str
    on: date
    by: str
    late: bool = False


class RegisterPerson(Request, frozen=True, kw_only=True, tag="person.register.v1"):
    """Take a person into the town's register. The same again changes nothing."""

    person: str
    number: StaffNumber
    name: Person
    employer: Employer
    town: str
    department: str
    since: date
    by: Person
    skills: Skills = ()
    party_relation: PartyRelation = ""


class MovePerson(Request, frozen=True, kw_only=True, tag="person.move.v1"):
    """Let a person serve elsewhere, since the day ``since``."""

    person: str
    town: str
    department: str
    since: date
    by: Person


class TransferPartyRelation(Request, frozen=True, kw_only=True, tag="person.transfer-party-relation.v1"):
    """Put a member of a dispatched body under the town Party committee's management, or back."""

    person: str
    to: PartyRelation
    by: Person


class RequestSecondment(Request, frozen=True, kw_only=True, tag="person.request-secondment.v1"):
    """Ask for a person from the day ``start`` until the day ``back``, on which they are in the town again."""

    person: str
    to: Employer
    start: date
    back: date
    by: Person


class ConsentToSecondment(Request, frozen=True, kw_only=True, tag="person.consent-to-secondment.v1"):
    """The town Party committee's consent."""

    person: str
    by: Person


class ApproveSecondment(Request, frozen=True, kw_only=True, tag="person.approve-secondment.v1"):
    """The approval of the district's personnel department."""

    person: str
    by: Person


class RefuseSecondment(Request, frozen=True, kw_only=True, tag="person.refuse-secondment.v1"):
    """Let nothing come of a secondment that has not begun."""

    person: str
    ground: Ground
    by: Person


class StartSecondment(Request, frozen=True, kw_only=True, tag="person.start-secondment.v1"):
    """The day has come on which a secondment begins; from this instant on the person is on no roster of the town."""

    person: str
    town: str = ""


class MissReturn(Request, frozen=True, kw_only=True, tag="person.miss-return.v1"):
    """The day is over on which a person should have been back."""

    person: str


class NoteOverdueTold(Request, frozen=True, kw_only=True, tag="person.note-overdue-told.v1"):
    """Record over which channel an alert of an overdue return has arrived; without one it did over none."""

    person: str
    channel: ChannelName | None = None


class EndSecondment(Request, frozen=True, kw_only=True, tag="person.end-secondment.v1"):
    """Record that a person is in the town again, today."""

    person: str
    by: Person
