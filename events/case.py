"""事件: one problem and its way from the first report to its end, as facts and requests of one case stream."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct

from events.district import HandlingClass, Visibility
from events.envelope import Fact, Request
from events.launch import Condition
from events.private import Sealed, Words
from events.report import Person, Suggestion

Role = Literal["lead", "assist", "consult"]
"""主办, 协办, 会商."""

Level = Literal["town", "district"]
"""On which level a call stands."""

CaseLevel = Literal["village", "town", "district"]
"""On which level a case is handled: 村、镇、区."""

EscalationReason = Literal["village_overdue", "beyond_village", "asked"]
"""Why a village hands a case up: 村级逾期, 超出村级能力, 群众要求."""

RefusedGround = Literal["not_on_list", "no_condition", "condition_not_listed", "no_evidence"]
"""Why a town may not call the district: 不在清单, 未说明条件, 条件不在清单, 没有依据材料."""

RecusalGround = Literal["complained_of", "interested"]
"""Why a department is kept out of a case (回避): 被举报, 有利害关系."""

REPORTER = "reporter"
"""Who acts by a receipt: a report's own reporter (上报人), of whom facts hold no name."""

Owed = Literal["result", "village", "review", "follow_up"]
"""What a case owes beside its calls: 办结、村级办理、审核、回访."""

CloseReason = Literal["solved", "explained", "refused", "merged"]
"""How a case ended: 解决, 解释说明, 不予受理, 已并案."""


class Due(Struct, frozen=True, omit_defaults=True):
    """A due time (UTC) and the rule that set it, in words a person can check.

    ``provisional`` when the working calendar of that time is not announced yet. ``since`` (UTC) is when it began to
    count, where that may be another moment than that of the fact which tells it.
    """

    by: datetime
    rule: str
    provisional: bool = False
    since: datetime | None = None


class LegPlan(Struct, frozen=True, omit_defaults=True):
    """分办单: which department is called in which role. ``required``: the result waits for its part."""

    department: str
    role: Role
    required: bool = False


class CallPlan(Struct, frozen=True):
    """呼叫单: one platform's part of calling, with the stream it will have."""

    call: str
    platform: str
    legs: tuple[LegPlan, ...]


class CaseOpened(Fact, frozen=True, kw_only=True):
    """已登记: a problem exists. ``report`` is the first that told us."""

    report: str
    town: str
    village: str
    reported_at: datetime
    anonymous: bool = False


class CaseReportLinked(Fact, frozen=True, kw_only=True):
    """A further report on the same problem; every reporter keeps an own receipt and voice."""

    report: str
    supplement: bool = False
    anonymous: bool = False


class CaseTriageQueued(Fact, frozen=True, kw_only=True):
    """待分类: an operator decides, as no matter is certain enough, or as the report is about departments themselves.

    ``threshold`` is what the score would have to reach; ``complained_of`` are the departments that the report names.
    """

    suggestions: tuple[Suggestion, ...]
    threshold: float
    complained_of: tuple[str, ...] = ()


class CaseDepartmentRecused(Fact, frozen=True, kw_only=True):
    """回避: from now on the department has no part in the case and sees nothing of it. ``recused`` are all such.

    With ``again`` the platforms are called anew without it, and the calls that are ``released`` end.
    """

    department: str
    ground: RecusalGround
    by: str
    town: str
    matter: str
    attempt: int
    recused: tuple[str, ...]
    again: bool = False
    released: tuple[str, ...] = ()


class CaseClassified(Fact, frozen=True, kw_only=True):
    """已分类: what the case is about and how it must be handled.

    ``by`` is ``catalogue``, ``sender`` or the operator's name; ``score`` and ``words`` are those that
    decided, empty for a person's choice.
    """

    matter: str
    town: str
    handling_class: HandlingClass
    visibility: Visibility
    by: str
    result: Due
    score: float = 0.0
    words: tuple[str, ...] = ()
    village: str = ""
    recused: tuple[str, ...] = ()


class CaseVillageHandlingStarted(Fact, frozen=True, kw_only=True):
    """村级办理: the village handles it first; when ``due`` has passed it goes up to the town by itself."""

    town: str
    village: str
    matter: str
    handling_class: HandlingClass
    due: Due


class CaseVillageResolved(Fact, frozen=True, kw_only=True):
    """村级办结: what the village did, and the public reply that it proposes."""

    town: str
    village: str
    by: str
    solved: Literal["yes", "partly", "no"]
    account: Sealed
    reply: Sealed


class CaseEscalated(Fact, frozen=True, kw_only=True):
    """上提: the case goes up a level, and is called for there."""

    town: str
    matter: str
    came_from: CaseLevel
    to: CaseLevel
    reason: EscalationReason
    by: str
    recused: tuple[str, ...] = ()


class CaseCallsIssued(Fact, frozen=True, kw_only=True):
    """呼叫中: platforms are called, all in one transaction; ``attempt`` counts calling again from 1.

    ``awaited`` are the departments whose acknowledgement the case cannot do without.
    """

    attempt: int
    calls: tuple[CallPlan, ...]
    awaited: tuple[str, ...]
    reason: str = ""


class CaseEngaged(Fact, frozen=True, kw_only=True):
    """办理中: an awaited department has acknowledged; in progress once ``waiting_for`` is empty."""

    attempt: int
    department: str
    waiting_for: tuple[str, ...] = ()


class CaseCallCompleted(Fact, frozen=True, kw_only=True):
    """One of the calls has all the parts it requires; ``reply`` and ``solved`` are the lead's, if it had the lead."""

    call: str
    handlers: tuple[str, ...]
    solved: Literal["yes", "partly", "no"]
    reply: Sealed | None = None


class CaseDistrictCalled(Fact, frozen=True, kw_only=True):
    """向区呼叫: the town calls the district, the ``nth`` time for this case, and tracks it to the end.

    ``list_version`` is that of the launch list in force, 0 while none was published; ``allowed`` what let the town do
    it: the list at once, the list on ``condition``, or ``waived_by``, the duty leader, against the list.
    """

    attempt: int
    nth: int
    call: CallPlan
    district: str
    tracker: str
    matter: str
    list_version: int
    allowed: Literal["on_list", "on_condition", "waived"]
    by: str
    condition: str = ""
    evidence: Sealed | None = None
    waived_by: str = ""


class CaseDistrictCallRefused(Fact, frozen=True, kw_only=True):
    """清单外呼叫被拒: a town wanted to call the district and the launch list does not let it.

    Recorded once for each reason: what is refused often belongs on the next list.
    """

    nth: int
    district: str
    town: str
    matter: str
    list_version: int
    ground: RefusedGround
    by: str
    condition: str = ""
    evidence: Sealed | None = None


class LaunchWaiverGranted(Fact, frozen=True, kw_only=True):
    """特批: the district's duty leader lets the town call this bureau for this case once, against the launch list."""

    nth: int
    district: str
    town: str
    matter: str
    list_version: int
    district_platform: str
    bureau: str
    by: str
    reason: Sealed


class CaseHandedDown(Fact, frozen=True, kw_only=True):
    """交办下派: the district finds the town competent; the call to the district is ``released``."""

    nth: int
    town: str
    matter: str
    by: str
    reason: Sealed
    released: tuple[str, ...]


class CaseHandDownConsented(Fact, frozen=True, kw_only=True):
    """镇同意再次下派: the town agrees that the same case is handed down to it once more."""

    nth: int
    town: str
    by: str


class CaseResultSubmitted(Fact, frozen=True, kw_only=True):
    """待审核: the lead and all required departments have filed. ``handlers`` may not review it.

    ``released`` are the calls that are no longer needed.
    """

    attempt: int
    handlers: tuple[str, ...]
    solved: Literal["yes", "partly", "no"]
    review: Due
    released: tuple[str, ...] = ()


class CaseResultSentBack(Fact, frozen=True, kw_only=True):
    """退回重办: somebody other than the handler found the closing condition not met."""

    attempt: int
    matter: str
    town: str
    by: str
    reason: Sealed
    recused: tuple[str, ...] = ()


class CaseResolved(Fact, frozen=True, kw_only=True):
    """办结待回访: reviewed by somebody other than the handler; now the reporters are asked.

    ``ask`` are the reports whose reporters are to be asked; when there are none because all are anonymous, the
    case closes by itself at ``closes_at`` (UTC).
    """

    attempt: int
    by: str
    visibility: Visibility
    matter: str
    town: str
    village: str
    follow_up: Due
    handlers: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    reply: Sealed | None = None
    closes_at: datetime | None = None


class CaseFollowedUp(Fact, frozen=True, kw_only=True):
    """回访: one try, at ``tried_at`` (UTC), to reach one reporter; the answers only when ``contacted``.

    ``by`` is `REPORTER` when nobody asked and the reporter answered by receipt (群众评价).
    """

    report: str
    attempt: int
    try_no: int
    tried_at: datetime
    by: str
    contacted: bool
    solved: bool | None = None
    satisfied: bool | None = None


class CaseReworkOrdered(Fact, frozen=True, kw_only=True):
    """重办: a reporter said it is not solved; the first time this happens by itself."""

    attempt: int
    matter: str
    town: str
    report: str
    recused: tuple[str, ...] = ()


class CaseReviewReopened(Fact, frozen=True, kw_only=True):
    """A second "not solved" goes back to the reviewer, who orders rework or explains."""

    attempt: int
    report: str
    review: Due


class CaseClosed(Fact, frozen=True, kw_only=True):
    """已结案."""

    reason: CloseReason
    by: str


class CaseReopened(Fact, frozen=True, kw_only=True):
    """重新办理: a reporter came back after the case was closed, for the ``reopening``-th time (from 1).

    The same lead is called again; the result is due after half the time that was promised first. ``reason`` is
    encrypted under the report's key.
    """

    attempt: int
    reopening: int
    report: str
    matter: str
    town: str
    village: str
    handling_class: HandlingClass
    by: str
    reason: Sealed
    result: Due
    recused: tuple[str, ...] = ()


class CaseDueExtended(Fact, frozen=True, kw_only=True):
    """期限顺延: by the calendar now in force there is longer than was told for what the case owes; never shorter.

    The same rule counted anew from the same moment gives ``due`` instead of ``was``.
    """

    owes: Owed
    was: Due
    due: Due


class OpenCase(Request, frozen=True, kw_only=True, tag="case.open.v1"):
    """Open a case for an accepted report and classify it if the words or the sender are certain enough."""

    case: str
    report: str


class LinkReport(Request, frozen=True, kw_only=True, tag="case.link-report.v1"):
    """Join a report to ``case`` of the same reporter; if that has ended, the case ``opens`` is opened instead.

    Then the pseudonym ``reporter`` learns of it, so that a third report joins the second.
    """

    case: str
    opens: str
    report: str
    reporter: str


class JoinReport(Request, frozen=True, kw_only=True, tag="case.join-report.v1"):
    """并案: the report whose own case ``opened`` waits in triage tells of ``case``, a person finds."""

    case: str
    opened: str
    report: str
    by: Person


class ClassifyCase(Request, frozen=True, kw_only=True, tag="case.classify.v1"):
    """An operator's choice at the triage queue (待分类)."""

    case: str
    matter: str
    by: Person


class RecuseDepartment(Request, frozen=True, kw_only=True, tag="case.recuse-department.v1"):
    """回避: keep a department out of a case, as it is complained of or has an interest in it."""

    case: str
    department: Annotated[str, Meta(max_length=20)]
    by: Person
    ground: RecusalGround = "complained_of"


class IssueCalls(Request, frozen=True, kw_only=True, tag="case.issue-calls.v1"):
    """Call every platform that the matter needs. ``calls`` names the call streams that it will write."""

    case: str
    attempt: int
    calls: tuple[CallPlan, ...]
    reason: Annotated[str, Meta(max_length=40)] = ""


class HandleInVillage(Request, frozen=True, kw_only=True, tag="case.handle-in-village.v1"):
    """The village handles the case first, as its matter may be handled there."""

    case: str


class ResolveInVillage(Request, frozen=True, kw_only=True, tag="case.resolve-in-village.v1"):
    """The village's clerk has handled it: an internal account, and the public reply that the village proposes."""

    PRIVATE: ClassVar[dict[str, str]] = {"account": "case", "reply": "case"}
    PUBLIC: ClassVar[tuple[str, ...]] = ("reply",)

    case: str
    by: Person
    solved: Literal["yes", "partly", "no"]
    account: Words
    reply: Words


class EscalateCase(Request, frozen=True, kw_only=True, tag="case.escalate.v1"):
    """The village hands the case up to the town; the clock does so when the village's time is over."""

    case: str
    reason: EscalationReason
    by: Person


class CallDistrict(Request, frozen=True, kw_only=True, tag="case.call-district.v1"):
    """The town calls the district by the launch list. ``nth`` counts these calls of one case, from 1."""

    PRIVATE: ClassVar[dict[str, str]] = {"evidence": "case"}
    DERIVED: ClassVar[dict[str, Any]] = {"nth": 1}

    case: str
    by: Person
    condition: Condition | Literal[""] = ""
    evidence: Words | None = None
    nth: Annotated[int, Meta(ge=1, le=1000)] = 1


class GrantLaunchWaiver(Request, frozen=True, kw_only=True, tag="case.grant-launch-waiver.v1"):
    """The district's duty leader allows a call that the launch list did not; without a ``bureau``, the list's own."""

    PRIVATE: ClassVar[dict[str, str]] = {"reason": "case"}

    case: str
    by: Person
    reason: Words
    bureau: Annotated[str, Meta(max_length=20)] = ""


class HandDown(Request, frozen=True, kw_only=True, tag="case.hand-down.v1"):
    """The district's command centre gives the case back to the town, and says why."""

    PRIVATE: ClassVar[dict[str, str]] = {"reason": "case"}

    case: str
    by: Person
    reason: Words


class ConsentToHandDown(Request, frozen=True, kw_only=True, tag="case.consent-to-hand-down.v1"):
    """The town's command centre agrees to have the same case handed down once more."""

    case: str
    by: Person


class EngageCase(Request, frozen=True, kw_only=True, tag="case.engage.v1"):
    """Sent when a department that the case waits for has acknowledged."""

    case: str
    attempt: int
    department: str


class SubmitResult(Request, frozen=True, kw_only=True, tag="case.submit-result.v1"):
    """Sent when a call has all the parts it requires; the case waits for all such calls."""

    case: str
    call: str
    attempt: int
    handlers: tuple[str, ...]
    solved: Literal["yes", "partly", "no"]
    reply: Sealed | None = None


class ApproveResult(Request, frozen=True, kw_only=True, tag="case.approve-result.v1"):
    """The reviewer (审核员) finds the closing condition met; never one who handled the case."""

    case: str
    by: Person


class SendBackResult(Request, frozen=True, kw_only=True, tag="case.send-back-result.v1"):
    """The reviewer wants it done again, and says why."""

    PRIVATE: ClassVar[dict[str, str]] = {"reason": "case"}

    case: str
    by: Person
    reason: Words


class ExplainCase(Request, frozen=True, kw_only=True, tag="case.explain.v1"):
    """The reviewer closes a case that the reporter still calls unsolved, with an explanation (解释说明)."""

    case: str
    by: Person


class FollowUp(Request, frozen=True, kw_only=True, tag="case.follow-up.v1"):
    """Record one try to reach a reporter (回访), or the reporter's own answer by receipt: then ``by`` is `REPORTER`."""

    case: str
    report: str
    by: Person
    contacted: bool
    solved: bool | None = None
    satisfied: bool | None = None


class CloseCase(Request, frozen=True, kw_only=True, tag="case.close.v1"):
    """The clock's request to close a case whose reporters are all anonymous."""

    case: str
    attempt: int


class RecountCaseDues(Request, frozen=True, kw_only=True, tag="case.recount-dues.v1"):
    """Count anew what a case owes beside its calls; sent when another working calendar is in force."""

    case: str


class ExtendPromise(Request, frozen=True, kw_only=True, tag="case.extend-promise.v1"):
    """Sent when a department has until ``due`` for the result: what the case promised is the same promise."""

    case: str
    due: Due


class ReopenCase(Request, frozen=True, kw_only=True, tag="case.reopen.v1"):
    """A reporter wants a closed case taken up again, and says why.

    ``closed_at`` (UTC) is when the case was closed last, read in the log by whoever sends this.
    """

    PRIVATE: ClassVar[dict[str, str]] = {"reason": "report"}
    DERIVED: ClassVar[dict[str, Any]] = {"closed_at": None}

    case: str
    report: str
    by: Person
    reason: Words
    closed_at: datetime | None = None
