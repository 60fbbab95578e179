"""并联审批: all departments' opinions on one project, asked for at once, as facts and requests of one approval.

Source: the reform of Yun'an, whose platforms let all departments turn out together and raise their objections together,
so that a road is approved as a project within a week and has all its permits within a month.
"""

from datetime import date, datetime
from typing import ClassVar, Literal

from msgspec import Struct

from events.case import Due
from events.district import ItemCode, LegalBasis, Milestone
from events.envelope import Fact, Request
from events.private import Sealed, Words
from events.report import Person

Opinion = Literal["agree", "agree_with_conditions", "object"]
"""同意、有条件同意、不同意."""

RoundOutcome = Literal["approved", "objected", "incomplete"]
"""意见齐备、有异议、意见未齐: how a round ended. Nobody's silence is an opinion."""

Decision = Literal["granted", "refused"]
"""批准、不予批准."""


class ApprovalItem(Struct, frozen=True, omit_defaults=True):
    """审批事项: what one department is asked about. ``ceiling`` is the statutory limit, where there is one."""

    item: str
    department: str
    ceiling: Due | None = None
    basis: str = ""


class Promised(Struct, frozen=True):
    """承诺时限: until when a milestone is promised."""

    milestone: Milestone
    limit: Due


class ApprovalFact(Fact, frozen=True, kw_only=True):
    """What every fact of an approval says: for which case, in which town."""

    case: str
    town: str


class ApprovalRoundOpened(ApprovalFact, frozen=True, kw_only=True):
    """已启动: all these items are asked about at once, at ``asked_at`` (UTC), and all opinions are due together.

    A later round asks again only about what was objected to or not answered; ``remedied`` says what was changed.
    ``lead`` is the department that leads the matter.
    """

    matter: str
    village: str
    lead: str
    round: int
    items: tuple[ApprovalItem, ...]
    asked_at: datetime
    due: Due
    by: str
    milestones: tuple[Promised, ...] = ()
    remedied: Sealed | None = None


class OpinionFiled(ApprovalFact, frozen=True, kw_only=True):
    """已出具意见. ``conditions`` are those of the consent, or what would remedy the objection (整改要求).

    With ``new_facts`` a department objects, after the round is closed, to what it had agreed to.
    """

    round: int
    item: str
    department: str
    by: str
    opinion: Opinion
    legal_basis: str = ""
    conditions: Sealed | None = None
    new_facts: Sealed | None = None
    late: bool = False


class MaterialRequested(ApprovalFact, frozen=True, kw_only=True):
    """一次性告知: all the pieces that an item lacks, said once in a round. The due time stays where it is."""

    round: int
    item: str
    department: str
    by: str
    pieces: Sealed


class MaterialSupplied(ApprovalFact, frozen=True, kw_only=True):
    """已补正: what was asked for has been handed in."""

    round: int
    item: str
    department: str
    by: str


class OpinionMissed(ApprovalFact, frozen=True, kw_only=True):
    """逾期未出具意见: the due time has passed without a word, which is no consent.

    ``post`` is told of it, in the ``person`` who is on duty there; both are empty when nobody is on duty at any post.
    """

    round: int
    item: str
    department: str
    due: Due
    post: str = ""
    person: str = ""


class ApprovalRoundClosed(ApprovalFact, frozen=True, kw_only=True):
    """已截止: everybody has spoken, or the due time has passed."""

    round: int
    outcome: RoundOutcome
    objected: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class ApprovalDecided(ApprovalFact, frozen=True, kw_only=True):
    """已决定, ``on`` a day of Asia/Shanghai. Granted only when every item has an opinion and none objects."""

    round: int
    decision: Decision
    by: str
    on: date
    reason: Sealed | None = None


class MilestoneReached(ApprovalFact, frozen=True, kw_only=True):
    """里程碑: reached on a day of Asia/Shanghai; ``in_time`` says whether by the ``limit``, where one is promised."""

    milestone: Milestone
    on: date
    by: str
    limit: Due | None = None
    in_time: bool | None = None


class OpenApproval(Request, frozen=True, kw_only=True, tag="approval.open.v1"):
    """Open the first round, when the lead of a matter with a template is called."""

    approval: str
    case: str


class FileOpinion(Request, frozen=True, kw_only=True, tag="approval.file-opinion.v1"):
    """A department's opinion on its own item. An objection names its legal basis and what would remedy it."""

    PRIVATE: ClassVar[dict[str, str]] = {"conditions": "case", "new_facts": "case"}

    approval: str
    case: str
    item: ItemCode
    by: Person
    opinion: Opinion
    legal_basis: LegalBasis = ""
    conditions: Words | None = None
    new_facts: Words | None = None


class RequestMaterial(Request, frozen=True, kw_only=True, tag="approval.request-material.v1"):
    """Say everything that an item lacks, at once (一次性告知)."""

    PRIVATE: ClassVar[dict[str, str]] = {"pieces": "case"}

    approval: str
    case: str
    item: ItemCode
    by: Person
    pieces: Words


class SupplyMaterial(Request, frozen=True, kw_only=True, tag="approval.supply-material.v1"):
    """Record that what an item lacked has been handed in."""

    approval: str
    case: str
    item: ItemCode
    by: Person


class OpenNextRound(Request, frozen=True, kw_only=True, tag="approval.open-next-round.v1"):
    """Ask again about what was objected to or not answered, saying what was changed (整改情况)."""

    PRIVATE: ClassVar[dict[str, str]] = {"remedied": "case"}

    approval: str
    case: str
    by: Person
    remedied: Words | None = None


class MissOpinions(Request, frozen=True, kw_only=True, tag="approval.miss-opinions.v1"):
    """The clock's request when a round's opinions are due; the roster of ``town`` says who is told."""

    approval: str
    round: int
    town: str


class DecideApproval(Request, frozen=True, kw_only=True, tag="approval.decide.v1"):
    """Grant or refuse what the opinions are about; a refusal says why."""

    PRIVATE: ClassVar[dict[str, str]] = {"reason": "case"}

    approval: str
    case: str
    by: Person
    decision: Decision
    reason: Words | None = None


class ReachMilestone(Request, frozen=True, kw_only=True, tag="approval.reach-milestone.v1"):
    """Record the day on which the project got so far."""

    approval: str
    case: str
    milestone: Milestone
    on: date
    by: Person
