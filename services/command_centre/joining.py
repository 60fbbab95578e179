"""并案: a person finds that a waiting report tells of a case that is open already, and joins it to that.

Source: the rule that only the same reporter's report within a day is linked by itself, and a person confirms everything
less certain. Each reporter keeps an own receipt, and is asked in the end like the first.
"""

from datetime import datetime

from events.case import CaseClosed, CaseReportLinked, JoinReport
from events.report import ReportLinked
from services.command_centre.case import Case
from services.decisions import Append, Rejected
from services.intake.report import Report
from services.rules.book import RuleBook


def decide(
    states: tuple[Case | None, Case | None, Report | None], request: JoinReport, now: datetime, rules: RuleBook
) -> tuple[Append, ...]:
    """Link the report of a case that waits in triage to another of the town, and end the case it opened, together.

    Raises:
        Rejected: when somebody is at work on the report's own case already, or the other has ended.
    """
    case, opened, report = states
    if case is None or opened is None or report is None:
        raise Rejected("expected a report that waits in triage and the case that it tells of, found none such")
    if any(known.report == request.report for known in case.reports[1:]):
        return ()
    if request.report not in {known.report for known in opened.reports} or request.opened == request.case:
        raise Rejected(f"report: expected one with a case of its own, found {request.report} without")
    if opened.phase != "triage" or len(opened.reports) > 1:
        raise Rejected(f"expected a case in triage with a single report, found {opened.phase}, {len(opened.reports)}")
    outside = {*opened.recused, *opened.named} - {*case.recused}
    if outside:
        raise Rejected(
            f"case: expected one from which {', '.join(sorted(outside))} is recused too, found one that is not"
        )
    if case.phase == "closed":
        raise Rejected("case: expected one that is open, found it closed")
    if case.town != opened.town:
        raise Rejected(f"case: expected one of the town {opened.town}, found one of {case.town}")
    return (
        (request.case, CaseReportLinked(report=request.report, anonymous=report.anonymous)),
        (request.opened, CaseClosed(reason="merged", by=request.by)),
        (request.report, ReportLinked(case=request.case)),
    )
