"""镇指挥中心: which facts make the command centre act, and which requests it decides."""

from datetime import datetime
from typing import Any

from events.approval import (
    DecideApproval,
    FileOpinion,
    MissOpinions,
    OpenApproval,
    OpenNextRound,
    ReachMilestone,
    RequestMaterial,
    SupplyMaterial,
)
from events.case import (
    ApproveResult,
    CallDistrict,
    CaseOpened,
    ClassifyCase,
    CloseCase,
    ConsentToHandDown,
    EngageCase,
    EscalateCase,
    ExplainCase,
    ExtendPromise,
    FollowUp,
    GrantLaunchWaiver,
    HandDown,
    HandleInVillage,
    IssueCalls,
    JoinReport,
    LinkReport,
    OpenCase,
    RecountCaseDues,
    RecuseDepartment,
    ReopenCase,
    ResolveInVillage,
    SendBackResult,
    SubmitResult,
)
from events.ids import district_call_of
from events.launch import PublishLaunchList
from events.mobilisation import (
    ConfirmResponders,
    DeclineResponder,
    DropResponder,
    MissMobilisationReview,
    MissMuster,
    Muster,
    OrderMobilisation,
    RecountMobilisationReview,
    RecuseResponders,
    ReviewMobilisation,
    StandDown,
)
from events.report import AttachFile, RefuseReport
from events.reporter import ReporterReported
from services.command_centre import (
    approval,
    case,
    district,
    dues,
    joining,
    launch,
    mobilisation,
    reactions,
    recusal,
    reopening,
    review,
    village,
)
from services.command_centre.case import Case
from services.decisions import Append, Handler, Rejected, Service, Stream, on_one_stream
from services.intake import report as intake
from services.intake.report import Report
from services.people.roster import roster_of
from services.rules.book import RuleBook


def decide_open(
    states: tuple[Case | None, Report | None], request: OpenCase, now: datetime, rules: RuleBook
) -> tuple[Append, ...]:
    """Open a case for a report."""
    own, report = states
    return _open(own, request.case, request.report, _submitted(report, request.report), now, rules)


def decide_link(
    states: tuple[Report | None, Case | None, Case | None, Any], request: LinkReport, now: datetime, rules: RuleBook
) -> tuple[Append, ...]:
    """Join an open case; when it has ended meanwhile, open a new one."""
    report, known, own, _ = states
    report = _submitted(report, request.report)
    if known is None or known.phase == "closed":
        opened = _open(own, request.opens, request.report, report, now, rules)
        return (*opened, (request.reporter, _told(request, report, rules))) if opened else ()
    return tuple((request.case, fact) for fact in case.link_report(known, request.report, report.anonymous))


def decide_calls(
    states: tuple[Case | None, ...], request: IssueCalls, now: datetime, rules: RuleBook
) -> tuple[Append, ...]:
    """Write the case's fact and every call's first fact in one transaction."""
    centre = states[0]
    facts = case.decide(centre, request, now, rules)
    if not facts or centre is None:
        return ()
    calls = (
        (plan.call, case.call_issued(request.case, centre, plan, request.attempt, now, rules)) for plan in request.calls
    )
    return (*((request.case, fact) for fact in facts), *calls)


def decide_refuse(
    states: tuple[Report | None, Case | None], request: RefuseReport, now: datetime, rules: RuleBook
) -> tuple[Append, ...]:
    """Refuse a report and end the case that it opened, together."""
    refused = intake.decide(states[0], request, now, rules)
    closed = case.refuse_report(states[1], request.report, request.by)
    return (*((request.report, fact) for fact in refused), *((request.case, fact) for fact in closed))


def decide_attach(
    states: tuple[Report | None, Case | None], request: AttachFile, now: datetime, rules: RuleBook
) -> tuple[Append, ...]:
    """Attach a file to a report, unless its case has ended."""
    report, known = states
    attached = intake.decide(report, request, now, rules)
    if attached and known is not None and known.phase == "closed":
        raise Rejected("case: expected one that is open, found it closed: hand in another report")
    return tuple((request.report, fact) for fact in attached)


def _told(request: LinkReport, report: Report, rules: RuleBook) -> ReporterReported:
    matter = rules.certain_matter(report.matter, report.suggestions)
    return ReporterReported(
        report=request.report,
        case=request.opens,
        matter=matter.code if matter else "",
        village=report.village,
        reported_at=report.reported_at,
    )


def _submitted(report: Report | None, stream: str) -> Report:
    if report is None:
        raise Rejected(f"expected a submitted report, found none with id {stream}")
    return report


def _open(
    state: Case | None, stream: str, report_id: str, report: Report, now: datetime, rules: RuleBook
) -> tuple[Append, ...]:
    opened = CaseOpened(
        report=report_id,
        town=report.town,
        village=report.village,
        reported_at=report.reported_at,
        anonymous=report.anonymous,
    )
    facts = case.open_case(state, opened, report, now, rules)
    return tuple((stream, fact) for fact in facts)


SERVICE = Service(
    name="command_centre",
    streams={
        "case": Stream(case.evolve, case.timers),
        "approval": Stream(approval.evolve, approval.timers),
        "launch": Stream(launch.evolve),
        "mobilisation": Stream(mobilisation.evolve, mobilisation.timers),
    },
    handlers={
        OpenCase: Handler(lambda r: (r.case, r.report), decide_open),
        LinkReport: Handler(lambda r: (r.report, r.case, r.opens, r.reporter), decide_link),
        JoinReport: Handler(lambda r: (r.case, r.opened, r.report), joining.decide),
        RefuseReport: Handler(lambda r: (r.report, r.case), decide_refuse),
        RecuseDepartment: on_one_stream("case", recusal.decide),
        ReopenCase: Handler(lambda r: (r.case, r.report), reopening.decide),
        AttachFile: Handler(lambda r: (r.report, r.case), decide_attach),
        IssueCalls: Handler(lambda r: (r.case, *(plan.call for plan in r.calls)), decide_calls),
        MissOpinions: Handler(lambda r: (r.approval, roster_of(r.town)), approval.miss),
        OpenApproval: Handler(lambda r: (r.approval, r.case), approval.decide_open),
        **{
            request: on_one_stream("approval", approval.decide)
            for request in (
                FileOpinion,
                RequestMaterial,
                SupplyMaterial,
                OpenNextRound,
                DecideApproval,
                ReachMilestone,
            )
        },
        OrderMobilisation: Handler(lambda r: (r.mobilisation, r.case, *r.rosters), mobilisation.decide_order),
        **{
            request: Handler(lambda r: (r.mobilisation, *r.rosters), mobilisation.decide)
            for request in (ConfirmResponders, DeclineResponder, RecuseResponders, Muster, MissMuster, StandDown)
        },
        **{
            request: on_one_stream("mobilisation", mobilisation.decide_alone)
            for request in (
                DropResponder,
                ReviewMobilisation,
                RecountMobilisationReview,
                MissMobilisationReview,
            )
        },
        PublishLaunchList: on_one_stream("launch", launch.decide),
        CallDistrict: Handler(lambda r: (r.case, launch.STREAM, district_call_of(r.case, r.nth)), district.decide_call),
        **{
            request: Handler(lambda r: (r.case, launch.STREAM), district.decide)
            for request in (GrantLaunchWaiver, HandDown, ConsentToHandDown)
        },
        **{
            request: on_one_stream("case", village.decide)
            for request in (HandleInVillage, ResolveInVillage, EscalateCase)
        },
        **{
            request: on_one_stream("case", case.decide)
            for request in (ClassifyCase, EngageCase, SubmitResult, CloseCase)
        },
        **{request: on_one_stream("case", dues.decide) for request in (RecountCaseDues, ExtendPromise)},
        **{
            request: on_one_stream("case", review.decide)
            for request in (ApproveResult, SendBackResult, ExplainCase, FollowUp)
        },
    },
    reactions={
        "report.accepted.v1": reactions.open_or_join,
        "case.classified.v1": reactions.handle_or_call,
        "case.escalated.v1": reactions.call_platforms,
        "case.department-recused.v1": reactions.call_without,
        "case.result-sent-back.v1": reactions.call_again,
        "case.rework-ordered.v1": reactions.call_again,
        "case.reopened.v1": reactions.call_again,
        "call.acknowledged.v1": reactions.engage,
        "call.issued.v1": reactions.begin_with_the_call,
        "call.completed.v1": reactions.submit_result,
        "call.due-extended.v1": reactions.extend_promise,
        "mobilisation.responder-dropped.v1": reactions.call_more,
        "mobilisation.department-recused.v1": reactions.call_more,
    },
)
