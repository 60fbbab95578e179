"""原文: what a resident said, opened for one who may read it. Each opening is recorded before it is made."""

from datetime import datetime

from msgspec import structs

from events.case import CaseOpened, CaseReportLinked
from events.edge import OpenedReport
from events.report import ReportSubmitted, ReportWords
from services.runtime.errors import Erased
from services.runtime.log import Log
from services.runtime.vault import Vault


def open_case(log: Log, vault: Vault, case: str, who: str, purpose: str, at: datetime) -> tuple[OpenedReport, ...]:
    """Every report of a case with its words, the first that told of it first."""
    reports = [
        recorded.fact.report
        for recorded in log.stream(case)
        if isinstance(recorded.fact, CaseOpened | CaseReportLinked)
    ]
    return tuple(open_report(log, vault, report, who, purpose, at) for report in reports)


def open_report(log: Log, vault: Vault, report: str, who: str, purpose: str, at: datetime) -> OpenedReport:
    """One report with its words; without them when the person behind it was erased.

    Its receipt stays with its reporter: whoever holds it answers for them.
    """
    first = log.first(report)
    assert first is not None, "a case knows submitted reports"
    submitted = first.fact
    assert isinstance(submitted, ReportSubmitted), "a report begins with its submission"
    known = OpenedReport(
        receipt="",
        record=submitted.record,
        channel=submitted.channel,
        reported_at=submitted.reported_at,
        village=submitted.village,
        anonymous=submitted.anonymous,
    )
    try:
        words = vault.open(submitted.words, ReportWords, who, purpose, at)
    except Erased:
        return structs.replace(known, erased=True)
    return structs.replace(
        known,
        title=words.title,
        text=words.text,
        place=words.place,
        point=words.point,
        contact=words.contact,
        attachments=words.attachments,
    )
