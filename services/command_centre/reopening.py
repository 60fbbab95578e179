"""重新办理: a closed case is taken up again because its reporter says that it is not solved.

Source: the city hotline rules (12345), by which whoever reported may come back after the end, and the same lead
answers for it in a shorter time; the figures are those of the sample profile.
"""

from datetime import datetime, timedelta

from events.case import CaseReopened, ReopenCase
from events.private import sealed
from services.command_centre.case import Case
from services.decisions import Append, Rejected
from services.intake.report import Report
from services.rules.book import RuleBook

REOPENABLE = timedelta(days=30)
"""So long after its end a case may be reopened, in calendar days."""

MOST_REOPENINGS = 2


def decide(
    states: tuple[Case | None, Report | None], request: ReopenCase, now: datetime, rules: RuleBook
) -> tuple[Append, ...]:
    """Reopen a case that was closed lately, by one of its own reporters who was not erased.

    Confidential cases may be reopened like any other. A case that was refused never was ours to solve.

    Raises:
        Rejected: when it is not the time for it, or not the reporter's any more: then the hotline knows what to do.
    """
    case, report = states
    if case is None or report is None or request.report not in {known.report for known in case.reports}:
        raise Rejected("expected a report of this case, found none with this id")
    if report.erased:
        raise Rejected("expected a report that still has its reporter, found one that was erased")
    if case.phase != "closed" or case.close_reason in ("refused", "merged"):
        raise Rejected(f"expected a closed case, found one in phase {case.close_reason or case.phase}")
    if case.reopenings >= MOST_REOPENINGS:
        most = f"expected at most {MOST_REOPENINGS} reopenings of a case"
        raise Rejected(f"{most}, found {case.reopenings} before this one: call the hotline 12345")
    if request.closed_at is None or now - request.closed_at > REOPENABLE:
        raise Rejected(f"expected a case closed in the last {REOPENABLE.days} days, found {request.closed_at}")
    reopened = CaseReopened(
        attempt=case.attempt,
        reopening=case.reopenings + 1,
        report=request.report,
        matter=case.matter,
        town=case.town,
        village=case.village,
        handling_class=case.handling_class,
        by=request.by,
        reason=sealed(request.reason),
        result=rules.reopened_due(rules.matter(case.matter), now),
        recused=case.recused,
    )
    return ((request.case, reopened),)
