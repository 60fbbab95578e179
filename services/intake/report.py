"""The report stream: received, accepted or refused, linked to a case, and at last perhaps erased."""

from datetime import datetime
from typing import Literal, assert_never

from msgspec import Struct, structs

from events.envelope import Fact
from events.file import MAX_FILES
from events.ids import case_of
from events.private import sealed
from events.report import (
    AttachFile,
    EraseReport,
    FileAttached,
    LinkReportToCase,
    RefuseReport,
    ReportAccepted,
    ReportErased,
    ReportLinked,
    ReportRefused,
    ReportSubmitted,
    SubmitReport,
    Suggestion,
)
from events.reporter import ReporterReported
from services.decisions import Rejected
from services.intake.reporter import Reporter, told_before
from services.rules.book import RuleBook

Facts = ReportSubmitted | ReportAccepted | ReportLinked | ReportRefused | FileAttached | ReportErased


class Report(Struct, frozen=True):
    """What intake and the command centre need to know of a report to decide about it."""

    phase: Literal["received", "accepted", "linked", "refused"]
    town: str
    village: str
    reported_at: datetime
    anonymous: bool
    matter: str
    suggestions: tuple[Suggestion, ...]
    complained_of: tuple[str, ...] = ()
    case: str = ""
    files: tuple[str, ...] = ()
    erased: bool = False


def evolve(state: Report | None, fact: Facts) -> Report:
    """Fold one fact of a report stream."""
    if isinstance(fact, ReportSubmitted):
        return Report(
            phase="received",
            town=fact.town,
            village=fact.village,
            reported_at=fact.reported_at,
            anonymous=fact.anonymous,
            matter=fact.matter,
            suggestions=fact.suggestions,
            complained_of=fact.complained_of,
        )
    assert state is not None, "a report stream begins with its submission"
    match fact:
        case ReportAccepted():
            return structs.replace(state, phase="accepted", case=fact.case)
        case ReportLinked():
            return structs.replace(state, phase="linked", case=fact.case)
        case ReportRefused():
            return structs.replace(state, phase="refused")
        case FileAttached():
            return structs.replace(state, files=(*state.files, fact.file))
        case ReportErased():
            return structs.replace(state, erased=True)
        case _:
            assert_never(fact)


def submit(
    report: Report | None, reporters: tuple[Reporter | None, ...], request: SubmitReport, rules: RuleBook
) -> tuple[tuple[str, Fact], ...]:
    """Accept a report; if its reporter told the same story within the window, it joins that case.

    The same reporter, matter and village within 24 hours is linked by itself; everything less certain is a
    person's decision. An anonymous report has no reporter and is never linked, nor is one about a department by itself.
    """
    if report is not None:
        return ()
    village = rules.villages.get(request.village)
    if request.village and (village is None or village.town != request.town):
        town = village.town if village else "none of the district"
        raise Rejected(f"village: expected a village of town {request.town}, found {request.village} of town {town}")
    matter = rules.certain_matter(request.matter, request.suggestions)
    code = matter.code if matter else ""
    known = bool(code) and not request.complained_of
    earlier = told_before(reporters, code, request.village, request.reported_at, rules) if known else None
    case = earlier.case if earlier else case_of(request.report)
    submitted = ReportSubmitted(
        source=request.source,
        record=request.record,
        receipt=request.receipt,
        channel=request.channel,
        town=request.town,
        village=request.village,
        reported_at=request.reported_at,
        words=sealed(request.words),
        reporter=request.reporters[0] if request.reporters else "",
        anonymous=request.anonymous,
        appeal=request.appeal,
        matter=request.matter,
        suggestions=request.suggestions,
        complained_of=request.complained_of,
        attachments=request.attachments,
    )
    accepted = ReportAccepted(
        case=case, joins=earlier is not None, reporter=request.reporters[0] if earlier is not None else ""
    )
    appends: list[tuple[str, Fact]] = [(request.report, submitted), (request.report, accepted)]
    if request.reporters:
        reported = ReporterReported(
            report=request.report,
            case=case,
            matter=code,
            village=request.village,
            reported_at=request.reported_at,
        )
        appends.append((request.reporters[0], reported))
    return tuple(appends)


def decide(
    state: Report | None,
    request: LinkReportToCase | RefuseReport | AttachFile | EraseReport,
    now: datetime,
    rules: RuleBook,
) -> tuple[Fact, ...]:
    """Everything that happens to a report after its submission."""
    if state is None:
        raise Rejected("expected a report that was submitted, found none with this id")
    match request:
        case LinkReportToCase():
            if state.phase in ("linked", "refused"):
                return ()
            return (ReportLinked(case=request.case, supplement=request.supplement),)
        case RefuseReport():
            if state.phase == "refused":
                return ()
            return (ReportRefused(ground=request.ground, advice=sealed(request.advice), by=request.by),)
        case AttachFile():
            return _attach(state, request)
        case EraseReport():
            return () if state.erased else (ReportErased(by=request.by, reason=request.reason),)
        case _:
            assert_never(request)


def _attach(state: Report, request: AttachFile) -> tuple[Fact, ...]:
    if request.file in state.files:
        return ()
    if state.erased:
        raise Rejected("report: expected one whose person is known, found that the person was erased")
    if request.case != state.case:
        raise Rejected(f"case: expected {state.case}, to which the report belongs, found {request.case}")
    if len(state.files) >= MAX_FILES:
        raise Rejected(f"files: expected at most {MAX_FILES} of one report, found {len(state.files)} already")
    attached = FileAttached(case=state.case, file=request.file, media_type=request.media_type, size=request.size)
    return (attached,)
