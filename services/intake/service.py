"""群众上报: which requests intake decides, and how a report learns its case."""

from datetime import datetime

from events.case import CaseOpened, CaseReportLinked
from events.envelope import Recorded, Request
from events.report import EraseReport, LinkReportToCase, SubmitReport
from services.decisions import Append, Handler, Service, Stream, on_one_stream
from services.intake import report, reporter
from services.intake.report import Report
from services.intake.reporter import Reporter
from services.rules.book import RuleBook


def link(recorded: Recorded, fact: CaseOpened | CaseReportLinked, rules: RuleBook) -> tuple[Request, ...]:
    """The report learns which case it belongs to."""
    supplement = isinstance(fact, CaseReportLinked) and fact.supplement
    return (LinkReportToCase(report=fact.report, case=recorded.stream, supplement=supplement),)


def decide_submit(
    states: tuple[Report | Reporter | None, ...], request: SubmitReport, now: datetime, rules: RuleBook
) -> tuple[Append, ...]:
    """Accept a report, looking at what its reporter told lately."""
    own, *recent = states
    assert own is None or isinstance(own, Report)
    reporters = tuple(known for known in recent if isinstance(known, Reporter))
    return report.submit(own, reporters, request, rules)


SERVICE = Service(
    name="intake",
    streams={"report": Stream(report.evolve), "reporter": Stream(reporter.evolve)},
    handlers={
        SubmitReport: Handler(lambda r: (r.report, *r.reporters), decide_submit),
        LinkReportToCase: on_one_stream("report", report.decide),
        EraseReport: on_one_stream("report", report.decide),
    },
    reactions={"case.opened.v1": link, "case.report-linked.v1": link},
)
