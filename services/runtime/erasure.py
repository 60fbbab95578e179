"""Which keys go when a person is erased: the report's, and the case's once nobody else's report is in it."""

from events.case import CaseOpened, CaseReportLinked
from events.report import ReportErased, ReportLinked
from services.runtime.log import Log


def doomed(log: Log, report: str) -> list[str]:
    """The streams whose keys must be destroyed, now that ``report`` carries the fact of its erasure."""
    linked = [recorded.fact.case for recorded in log.stream(report) if isinstance(recorded.fact, ReportLinked)]
    return [report, *(case for case in linked if all(_is_erased(log, other) for other in _reports(log, case)))]


def _reports(log: Log, case: str) -> list[str]:
    return [
        recorded.fact.report
        for recorded in log.stream(case)
        if isinstance(recorded.fact, CaseOpened | CaseReportLinked)
    ]


def _is_erased(log: Log, report: str) -> bool:
    return any(isinstance(recorded.fact, ReportErased) for recorded in log.stream(report))
