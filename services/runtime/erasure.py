"""Which keys go when a person is erased: the report's, and the case's once nobody else's report is in it."""

from datetime import datetime

from events.case import CaseOpened, CaseReportLinked
from events.report import ReportErased, ReportLinked
from services.runtime.log import Log
from services.runtime.vault import Vault


def doomed(log: Log, report: str) -> list[str]:
    """The streams whose keys must be destroyed, now that ``report`` carries the fact of its erasure."""
    linked = [recorded.fact.case for recorded in log.stream(report) if isinstance(recorded.fact, ReportLinked)]
    return [report, *(case for case in linked if all(_is_erased(log, other) for other in _reports(log, case)))]


def reconcile(log: Log, vault: Vault, at: datetime) -> None:
    """Keys that the log says are destroyed are so, though a backup of the vault may have brought them back."""
    for report in log.erased():
        left = [stream for stream in doomed(log, report) if not vault.is_erased(stream)]
        if left:
            vault.erase(left, at)


def _reports(log: Log, case: str) -> list[str]:
    return [
        recorded.fact.report
        for recorded in log.stream(case)
        if isinstance(recorded.fact, CaseOpened | CaseReportLinked)
    ]


def _is_erased(log: Log, report: str) -> bool:
    return any(isinstance(recorded.fact, ReportErased) for recorded in log.stream(report))
