"""The case stream: from registered through calling, review and follow-up to its end."""

from datetime import datetime
from typing import Literal, assert_never

from msgspec import Struct, structs

from events.call import CallIssued
from events.case import (
    CallPlan,
    CaseCallCompleted,
    CaseCallsIssued,
    CaseClassified,
    CaseClosed,
    CaseDepartmentRecused,
    CaseDistrictCalled,
    CaseDistrictCallRefused,
    CaseDueExtended,
    CaseEngaged,
    CaseEscalated,
    CaseFollowedUp,
    CaseHandDownConsented,
    CaseHandedDown,
    CaseLevel,
    CaseOpened,
    CaseReopened,
    CaseReportLinked,
    CaseResolved,
    CaseResultSentBack,
    CaseResultSubmitted,
    CaseReviewReopened,
    CaseReworkOrdered,
    CaseTriageQueued,
    CaseVillageHandlingStarted,
    CaseVillageResolved,
    ClassifyCase,
    CloseCase,
    CloseReason,
    Due,
    EngageCase,
    EscalateCase,
    IssueCalls,
    LaunchWaiverGranted,
    RefusedGround,
    SubmitResult,
)
from events.district import HandlingClass, Matter, Visibility
from events.envelope import Fact
from events.private import Sealed
from events.report import Suggestion
from services.decisions import ClearTimer, Rejected, SetTimer
from services.intake.report import Report
from services.rules.book import RuleBook

Phase = Literal[
    "registered",
    "triage",
    "village_handling",
    "calling",
    "in_progress",
    "in_review",
    "resolved",
    "rework",
    "closed",
]
"""已登记、待分类、村级办理、呼叫中、办理中、待审核、办结待回访、重办、已结案."""

AT_WORK: tuple[Phase, ...] = ("calling", "in_progress")
"""Platforms are called, and the result is not in."""

Facts = (
    CaseOpened
    | CaseReportLinked
    | CaseTriageQueued
    | CaseClassified
    | CaseDepartmentRecused
    | CaseVillageHandlingStarted
    | CaseVillageResolved
    | CaseEscalated
    | CaseCallsIssued
    | CaseDistrictCalled
    | CaseDistrictCallRefused
    | LaunchWaiverGranted
    | CaseHandedDown
    | CaseHandDownConsented
    | CaseEngaged
    | CaseCallCompleted
    | CaseResultSubmitted
    | CaseResultSentBack
    | CaseResolved
    | CaseFollowedUp
    | CaseReworkOrdered
    | CaseReviewReopened
    | CaseClosed
    | CaseReopened
    | CaseDueExtended
)

Requests = ClassifyCase | IssueCalls | EngageCase | SubmitResult | CloseCase


class Asked(Struct, frozen=True):
    """How far the follow-up of one reporter has come."""

    report: str
    anonymous: bool
    supplement: bool
    tries: tuple[datetime, ...] = ()
    reached: bool = False

    def done(self, tries: int) -> bool:
        """Whether nothing is left to ask this reporter."""
        return self.anonymous or self.supplement or self.reached or len(self.tries) >= tries

    @property
    def may_answer(self) -> bool:
        """Whether this reporter's own answer still counts: one for each report that is no supplement."""
        return not self.supplement and not self.reached


class Waiver(Struct, frozen=True):
    """特批 for one call to the district against the launch list: which bureau, and who granted it."""

    platform: str
    bureau: str
    by: str


class Case(Struct, frozen=True):
    """What the command centre needs to know of a case to decide about it.

    ``result`` is what was promised for the next calling; without it the time begins anew with the calling.
    ``village_due`` is until when the village has it, ``due`` until when review or follow-up is owed. ``refused`` are
    the attempts to call the district, each as list version, ground and condition, that wait for a waiver;
    ``consented`` that the town agrees to be handed it down once more. ``recused`` are the departments that may have no
    part in it, ``named`` those that a report complains of.
    """

    phase: Phase
    town: str
    village: str
    reports: tuple[Asked, ...]
    matter: str = ""
    handling_class: HandlingClass = "U3"
    visibility: Visibility = "statistics"
    result: Due | None = None
    attempt: int = 0
    calls: tuple[CallPlan, ...] = ()
    awaited: frozenset[str] = frozenset()
    completed: frozenset[str] = frozenset()
    handlers: tuple[str, ...] = ()
    solved: Literal["yes", "partly", "no"] = "yes"
    reply: Sealed | None = None
    reworked: bool = False
    reopenings: int = 0
    close_reason: CloseReason | None = None
    level: CaseLevel = "town"
    village_due: Due | None = None
    due: Due | None = None
    district_calls: int = 0
    refused: frozenset[tuple[int, RefusedGround, str]] = frozenset()
    waiver: Waiver | None = None
    handed_down: int = 0
    consented: bool = False
    recused: tuple[str, ...] = ()
    named: tuple[str, ...] = ()

    def kept_from(self, department: str) -> bool:
        """Whether a department must not hear of it: recused, or complained of and nobody has decided about that yet."""
        return department in self.recused or (self.phase == "triage" and department in self.named)

    @property
    def contactable(self) -> bool:
        """Whether any reporter can be asked."""
        return any(not report.anonymous for report in self.reports)


def evolve(state: Case | None, fact: Facts) -> Case:
    """Fold one fact of a case stream."""
    if isinstance(fact, CaseOpened):
        return Case("registered", fact.town, fact.village, (Asked(fact.report, fact.anonymous, supplement=False),))
    assert state is not None, "a case stream begins with its opening"
    match fact:
        case CaseReportLinked():
            asked = Asked(fact.report, fact.anonymous, fact.supplement)
            return structs.replace(state, reports=(*state.reports, asked))
        case CaseTriageQueued():
            return structs.replace(state, phase="triage", named=fact.complained_of)
        case CaseClassified():
            return structs.replace(
                state,
                phase="registered",
                matter=fact.matter,
                handling_class=fact.handling_class,
                visibility=fact.visibility,
                result=fact.result,
            )
        case CaseDepartmentRecused():
            waiver = state.waiver if state.waiver and state.waiver.bureau != fact.department else None
            known = structs.replace(state, recused=fact.recused, waiver=waiver)
            return structs.replace(known, phase="registered", level="town", calls=()) if fact.released else known
        case CaseVillageHandlingStarted():
            return structs.replace(state, phase="village_handling", level="village", village_due=fact.due)
        case CaseVillageResolved():
            return structs.replace(state, handlers=(fact.by,), solved=fact.solved, reply=fact.reply)
        case CaseEscalated():
            return structs.replace(state, phase="registered", level=fact.to)
        case CaseDistrictCalled():
            calls = (*state.calls, fact.call)
            return structs.replace(
                state, level="district", calls=calls, district_calls=fact.nth, refused=frozenset(), waiver=None
            )
        case CaseDistrictCallRefused():
            attempt = (fact.list_version, fact.ground, fact.condition)
            return structs.replace(state, refused=state.refused | {attempt})
        case LaunchWaiverGranted():
            return structs.replace(state, waiver=Waiver(fact.district_platform, fact.bureau, fact.by))
        case CaseHandedDown():
            kept = tuple(call for call in state.calls if call.call not in fact.released)
            times = state.handed_down + 1
            return structs.replace(state, level="town", calls=kept, handed_down=times, consented=False)
        case CaseHandDownConsented():
            return structs.replace(state, consented=True)
        case CaseCallsIssued():
            return structs.replace(
                state,
                phase="calling",
                level="town",
                refused=frozenset(),
                waiver=None,
                attempt=fact.attempt,
                calls=fact.calls,
                awaited=frozenset(fact.awaited),
                completed=frozenset(),
            )
        case CaseEngaged():
            phase: Phase = "calling" if fact.waiting_for else "in_progress"
            return structs.replace(state, phase=phase, awaited=frozenset(fact.waiting_for))
        case CaseCallCompleted():
            return structs.replace(
                state,
                completed=state.completed | {fact.call},
                handlers=(*state.handlers, *(new for new in fact.handlers if new not in state.handlers)),
                solved=fact.solved if fact.reply else state.solved,
                reply=fact.reply or state.reply,
            )
        case CaseResultSubmitted():
            return structs.replace(state, phase="in_review", due=fact.review)
        case CaseResultSentBack():
            return structs.replace(state, phase="rework", result=None)
        case CaseResolved():
            return structs.replace(state, phase="resolved", due=fact.follow_up)
        case CaseFollowedUp():
            return structs.replace(state, reports=tuple(_asked(known, fact) for known in state.reports))
        case CaseReworkOrdered():
            again = _ask_again(state.reports)
            return structs.replace(state, phase="rework", reworked=True, result=None, reports=again)
        case CaseReviewReopened():
            return structs.replace(state, phase="in_review", due=fact.review, reports=_ask_again(state.reports))
        case CaseClosed():
            return structs.replace(state, phase="closed", close_reason=fact.reason)
        case CaseReopened():
            return structs.replace(
                state,
                phase="rework",
                close_reason=None,
                reworked=True,
                reopenings=fact.reopening,
                result=fact.result,
                reports=_ask_again(state.reports),
            )
        case CaseDueExtended():
            names = {"result": "result", "village": "village_due"}
            return structs.replace(state, **{names.get(fact.owes, "due"): fact.due})
        case _:
            assert_never(fact)


def open_case(
    state: Case | None, opened: CaseOpened, report: Report, now: datetime, rules: RuleBook
) -> tuple[Fact, ...]:
    """Open a case and classify it; when neither the sender nor the words are certain, queue it for an operator.

    So does what is about departments: only a person can tell a complaint about one from a complaint to it.
    """
    if state is not None:
        return ()
    claimed, suggestions = report.matter, report.suggestions
    matter = rules.certain_matter(claimed, suggestions)
    if matter is None or report.complained_of:
        queued = CaseTriageQueued(
            suggestions=(Suggestion(claimed, 1.0, ()),) if claimed and matter else suggestions,
            threshold=rules.district.triage_threshold,
            complained_of=report.complained_of,
        )
        return opened, queued
    if claimed:
        return opened, _classified(matter, evolve(None, opened), "sender", now, rules)
    best = suggestions[0]
    by_words = _classified(matter, evolve(None, opened), "catalogue", now, rules)
    return opened, structs.replace(by_words, score=best.score, words=best.words)


def link_report(state: Case, report_id: str, anonymous: bool) -> tuple[Fact, ...]:
    """Join a further report of the same reporter to an open case; it counts as a supplement."""
    if any(known.report == report_id for known in state.reports):
        return ()
    return (CaseReportLinked(report=report_id, supplement=True, anonymous=anonymous),)


def refuse_report(state: Case | None, report_id: str, by: str) -> tuple[Fact, ...]:
    """End a case whose only report is refused. Only while it waits in triage: later somebody is at work."""
    if state is None or report_id not in {known.report for known in state.reports}:
        raise Rejected(f"expected a case with report {report_id}, found none")
    if state.close_reason == "refused":
        return ()
    if state.phase != "triage" or len(state.reports) > 1:
        raise Rejected(f"expected a case in triage with a single report, found {state.phase}, {len(state.reports)}")
    return (CaseClosed(reason="refused", by=by),)


def decide(state: Case | None, request: Requests, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    """What the command centre asks of an open case until its result is in; then `review` goes on."""
    if state is None:
        raise Rejected("expected an opened case, found none with this id")
    match request:
        case ClassifyCase():
            return _classify(state, request, now, rules)
        case IssueCalls():
            return _issue_calls(state, request, rules)
        case EngageCase():
            return _engage(state, request)
        case SubmitResult():
            return _submit_result(state, request, now, rules)
        case CloseCase():
            current = state.phase == "resolved" and state.attempt == request.attempt and not state.contactable
            return (CaseClosed(reason="solved", by="clock"),) if current else ()
        case _:
            assert_never(request)


def submitted(state: Case, now: datetime, rules: RuleBook) -> tuple[CaseResultSubmitted, ...]:
    """That the case has its result, if no call is left whose required part is not filed."""
    needed = {call.call for call in state.calls if any(leg.required for leg in call.legs)}
    if not needed <= state.completed:
        return ()
    fact = CaseResultSubmitted(
        attempt=state.attempt,
        handlers=state.handlers,
        solved=state.solved,
        review=rules.review_due(state.handling_class, now),
        released=tuple(call.call for call in state.calls if call.call not in state.completed),
    )
    return (fact,)


def call_issued(case_id: str, case: Case, plan: CallPlan, attempt: int, now: datetime, rules: RuleBook) -> CallIssued:
    """The first fact of a call.

    For rework the result is due when the matter's promise, begun anew, ends; after a reopening, in half of that.
    """
    due_again = rules.reopened_due if case.reopenings else rules.result_due
    return CallIssued(
        case=case_id,
        attempt=attempt,
        platform=plan.platform,
        level="town",
        town=case.town,
        village=case.village,
        matter=case.matter,
        handling_class=case.handling_class,
        legs=plan.legs,
        result=case.result or due_again(rules.matter(case.matter), now),
        contactable=case.contactable,
    )


def timers(stream: str, fact: Facts) -> tuple[SetTimer | ClearTimer, ...]:
    """A case that nobody can be asked about closes by the clock; what the village has not done goes up by it."""
    match fact:
        case CaseResolved() if fact.closes_at is not None:
            return (SetTimer("close", fact.closes_at, CloseCase(case=stream, attempt=fact.attempt)),)
        case CaseVillageHandlingStarted() | CaseDueExtended(owes="village"):
            overdue = EscalateCase(case=stream, reason="village_overdue", by="clock")
            return (SetTimer("village", fact.due.by, overdue),)
        case CaseVillageResolved() | CaseEscalated():
            return (ClearTimer("village"),)
        case _:
            return ()


def _classify(state: Case, request: ClassifyCase, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    if state.phase != "triage":
        if state.matter == request.matter:
            return ()
        raise Rejected(f"expected a case in triage, found one in phase {state.phase}")
    matter = rules.matters.get(request.matter)
    if matter is None:
        raise Rejected(f"matter: expected a code of the catalogue, found {request.matter!r}")
    if needed := rules.needed_of(state.town, matter, state.recused):
        raise Rejected(f"matter: expected one that can be handled without who is recused, found {needed}")
    return (_classified(matter, state, request.by, now, rules),)


def _classified(matter: Matter, state: Case, by: str, now: datetime, rules: RuleBook) -> CaseClassified:
    return CaseClassified(
        matter=matter.code,
        town=state.town,
        handling_class=matter.handling_class,
        visibility=matter.visibility,
        by=by,
        result=rules.result_due(matter, now),
        village=state.village,
        recused=state.recused,
    )


def _issue_calls(state: Case, request: IssueCalls, rules: RuleBook) -> tuple[Fact, ...]:
    if request.attempt <= state.attempt:
        return ()
    if state.phase not in ("registered", "rework"):
        raise Rejected(f"expected a case to be called for, found one in phase {state.phase}")
    legs = [leg for call in request.calls for leg in call.legs]
    if any(leg.department in state.recused for leg in legs):
        return ()  # planned before the department was recused: then another plan follows
    leads = [leg.department for leg in legs if leg.role == "lead"]
    if len(leads) != 1:
        raise Rejected(f"expected exactly one lead over all calls, found {len(leads)}: {', '.join(leads)}")
    on_site = rules.matter(state.matter).on_site
    awaited = tuple(leg.department for leg in legs if leg.role == "lead" or (on_site and leg.required))
    return (CaseCallsIssued(attempt=request.attempt, calls=request.calls, awaited=awaited, reason=request.reason),)


def _engage(state: Case, request: EngageCase) -> tuple[Fact, ...]:
    if state.phase not in AT_WORK or request.attempt != state.attempt or request.department not in state.awaited:
        return ()
    waiting_for = tuple(sorted(state.awaited - {request.department}))
    return (CaseEngaged(attempt=state.attempt, department=request.department, waiting_for=waiting_for),)


def _submit_result(state: Case, request: SubmitResult, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    current = request.attempt == state.attempt and any(call.call == request.call for call in state.calls)
    if state.phase not in AT_WORK or not current or request.call in state.completed:
        return ()
    completed = CaseCallCompleted(
        call=request.call, handlers=request.handlers, solved=request.solved, reply=request.reply
    )
    return completed, *submitted(evolve(state, completed), now, rules)


def _asked(known: Asked, fact: CaseFollowedUp) -> Asked:
    if known.report != fact.report:
        return known
    return structs.replace(known, tries=(*known.tries, fact.tried_at), reached=known.reached or fact.contacted)


def _ask_again(reports: tuple[Asked, ...]) -> tuple[Asked, ...]:
    return tuple(structs.replace(known, tries=(), reached=False) for known in reports)
