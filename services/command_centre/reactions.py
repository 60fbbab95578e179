"""镇指挥中心: what the command centre wants after a fact, from the report to the result. Pure."""

from events.approval import OpenApproval
from events.call import CallAcknowledged, CallCompleted, CallDueExtended, CallIssued
from events.case import (
    CaseClassified,
    CaseDepartmentRecused,
    CaseEscalated,
    CaseReopened,
    CaseResultSentBack,
    CaseReworkOrdered,
    EngageCase,
    ExtendPromise,
    HandleInVillage,
    IssueCalls,
    LinkReport,
    OpenCase,
    SubmitResult,
)
from events.envelope import Recorded, Request
from events.ids import approval_of, case_of, mobilisation_of
from events.mobilisation import (
    MissMuster,
    OrderMobilisation,
    RecuseResponders,
    ResponderDropped,
    RespondersRecused,
    StandDown,
)
from events.report import ReportAccepted
from services.command_centre.mobilisation import CLOCK
from services.people.roster import rosters_of
from services.rules.book import RuleBook

_Calling = (
    CaseClassified | CaseEscalated | CaseDepartmentRecused | CaseResultSentBack | CaseReworkOrdered | CaseReopened
)


def open_or_join(recorded: Recorded, fact: ReportAccepted, rules: RuleBook) -> tuple[Request, ...]:
    """An accepted report opens a case, or joins that of the same reporter's earlier report."""
    report = recorded.stream
    if fact.joins:
        return (LinkReport(case=fact.case, opens=case_of(report), report=report, reporter=fact.reporter),)
    return (OpenCase(case=fact.case, report=report),)


def handle_or_call(recorded: Recorded, fact: CaseClassified, rules: RuleBook) -> tuple[Request, ...]:
    """A classified case goes to its village first, if the matter may be handled there."""
    if fact.village and rules.matter(fact.matter).village:
        return (HandleInVillage(case=recorded.stream),)
    return call_platforms(recorded, fact, rules)


def call_platforms(recorded: Recorded, fact: CaseClassified | CaseEscalated, rules: RuleBook) -> tuple[Request, ...]:
    """A case calls every platform that its matter needs."""
    return (_issue(recorded.stream, fact, 1, "", rules),)


def call_without(recorded: Recorded, fact: CaseDepartmentRecused, rules: RuleBook) -> tuple[Request, ...]:
    """回避: the platforms are called anew without the department, and those of it who turned out leave."""
    turned_out = RecuseResponders(
        mobilisation=mobilisation_of(recorded.stream), rosters=rosters_of(fact.town, rules), department=fact.department
    )
    if not fact.again:
        return (turned_out,)
    return turned_out, _issue(recorded.stream, fact, fact.attempt + 1, "recused", rules)


def call_again(
    recorded: Recorded, fact: CaseResultSentBack | CaseReworkOrdered | CaseReopened, rules: RuleBook
) -> tuple[Request, ...]:
    """再次呼叫: rework goes to the lead that had it before, also when the case had ended.

    What only the village had so far is called for at the town as if for the first time.
    """
    reason = "reopened" if isinstance(fact, CaseReopened) else "rework"
    return (_issue(recorded.stream, fact, fact.attempt + 1, reason, rules, only_lead=fact.attempt > 0),)


def engage(recorded: Recorded, fact: CallAcknowledged, rules: RuleBook) -> tuple[Request, ...]:
    """Each acknowledgement is told to the case, which waits for those it needs."""
    return (EngageCase(case=fact.case, attempt=fact.attempt, department=fact.department),)


def submit_result(recorded: Recorded, fact: CallCompleted, rules: RuleBook) -> tuple[Request, ...]:
    """Each completed call is told to the case; with the lead's, whoever turned out may go."""
    submitted = SubmitResult(
        case=fact.case,
        call=recorded.stream,
        attempt=fact.attempt,
        handlers=fact.handlers,
        solved=fact.solved,
        reply=fact.reply,
    )
    return submitted, *_stand_down(fact, rules)


def extend_promise(recorded: Recorded, fact: CallDueExtended, rules: RuleBook) -> tuple[Request, ...]:
    """What a department promises is what its case promises."""
    return (ExtendPromise(case=fact.case, due=fact.due),) if fact.clock == "result" else ()


def begin_with_the_call(recorded: Recorded, fact: CallIssued, rules: RuleBook) -> tuple[Request, ...]:
    """What a matter wants beside its calls begins as soon as its lead is called the first time."""
    if fact.attempt > 1 or not any(leg.role == "lead" for leg in fact.legs):
        return ()
    return *_order_mobilisation(fact, rules), *_open_approval(fact, rules)


def call_more(recorded: Recorded, fact: ResponderDropped | RespondersRecused, rules: RuleBook) -> tuple[Request, ...]:
    """Where somebody is dropped and too few are left, others are called at once."""
    if not fact.short:
        return ()
    return (MissMuster(mobilisation=recorded.stream, rosters=rosters_of(fact.town, rules)),)


def _issue(
    case_id: str, fact: _Calling, attempt: int, reason: str, rules: RuleBook, *, only_lead: bool = False
) -> IssueCalls:
    matter = rules.matter(fact.matter)
    calls = rules.plan_calls(case_id, fact.town, matter, attempt, only_lead, fact.recused)
    return IssueCalls(case=case_id, attempt=attempt, calls=calls, reason=reason)


def _order_mobilisation(fact: CallIssued, rules: RuleBook) -> tuple[OrderMobilisation, ...]:
    """A matter that wants many people on the spot has them turn out."""
    matter = rules.matter(fact.matter)
    if not rules.turns_out(matter):
        return ()
    ordered = OrderMobilisation(
        mobilisation=mobilisation_of(fact.case),
        rosters=rosters_of(fact.town, rules),
        case=fact.case,
        min_people=matter.min_people,
        by=CLOCK,
    )
    return (ordered,)


def _open_approval(fact: CallIssued, rules: RuleBook) -> tuple[OpenApproval, ...]:
    """A matter with a template has all its departments asked at once."""
    if fact.matter not in rules.approvals or fact.level != "town":
        return ()
    return (OpenApproval(approval=approval_of(fact.case), case=fact.case),)


def _stand_down(fact: CallCompleted, rules: RuleBook) -> tuple[StandDown, ...]:
    """事不完、人不走: who turned out may go when the lead has filed the result."""
    if fact.reply is None:
        return ()
    rosters = rosters_of(fact.town, rules)
    return (StandDown(mobilisation=mobilisation_of(fact.case), rosters=rosters, by=CLOCK),)
