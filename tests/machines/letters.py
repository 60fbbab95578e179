"""What may be asked for in a scene: single requests, and what a whole department or town does at once."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from events.call import (
    AcknowledgeCall,
    FileResult,
    ReportIn,
)
from events.case import (
    REPORTER,
    ApproveResult,
    ClassifyCase,
    ExplainCase,
    FollowUp,
    ReopenCase,
    SendBackResult,
)
from events.envelope import Request
from events.ids import stream_id
from events.report import RefuseReport, SubmitReport, Suggestion
from tests.machines.explore import Letter, Played
from tests.unit.past import CASE, LIUDU, LIUDU_VILLAGE, MONDAY, REPORT, words

AGAIN = stream_id("report", MONDAY, "hotline", "2")
NEIGHBOUR = stream_id("reporter", MONDAY, "one")
SMALL, PUBLIC, FOOD, THEFT = "999", "101", "301", "405"
"""Whatever fits nowhere else, at one desk; at two, and published; on the spot, by two of three; on the launch list."""
IN_VILLAGE, OFF_LIST = "603", "302"
DISTRICT = "445303"


# --- reports and cases


def submit(report: str, matter: str, *, anonymous: bool = False, words_say: str = "") -> SubmitReport:
    """A report; what its words say is not certain enough by itself."""
    return SubmitReport(
        report=report,
        source="hotline",
        record=report,
        receipt="",
        channel="hotline",
        town=LIUDU,
        village=LIUDU_VILLAGE,
        reported_at=MONDAY,
        words=words("x", report),
        reporters=() if anonymous else (NEIGHBOUR,),
        anonymous=anonymous,
        matter=matter,
        suggestions=(Suggestion(words_say, 0.1, ("词",)),) if words_say else (),
    )


def one(*requests: Request) -> Letter:
    """Always these."""
    return lambda played: requests


def told(matter: str, **how: Any) -> Letter:
    """The report with which everything begins."""
    return one(submit(REPORT, matter, **how))


def told_again(matter: str) -> Letter:
    """The same story by the same reporter."""
    return one(submit(AGAIN, matter))


def parts(played: Played) -> Iterator[tuple[str, str, bool]]:
    """Every department's part that is not over, with its call, whoever assists first."""
    found = [
        (part.leg.role == "lead", call, department)
        for call in played.of("call")
        for department, part in played.states[call].parts.items()
        if part.open
    ]
    return ((call, department, lead) for lead, call, department in sorted(found))


def who(call: str, department: str) -> dict[str, Any]:
    """Who acts for a department."""
    return {"call": call, "department": department, "by": f"officer-{department}"}


def lead_acknowledges(played: Played) -> Iterable[Request]:
    """The lead alone."""
    return [AcknowledgeCall(**who(call, department)) for call, department, lead in parts(played) if lead]


def all_acknowledge(played: Played) -> Iterable[Request]:
    """Everybody who is called."""
    return [AcknowledgeCall(**who(call, department)) for call, department, _ in parts(played)]


def result(call: str, department: str) -> FileResult:
    """A department's result, with what a lead needs."""
    sealed = words("x")
    return FileResult(**who(call, department), case=CASE, solved="yes", account=sealed, reply=sealed)


def all_work(played: Played) -> Iterable[Request]:
    """Everybody who is called does all that they owe."""
    for call, department, _ in parts(played):
        yield AcknowledgeCall(**who(call, department))
        yield ReportIn(**who(call, department), people=2)
        yield result(call, department)


def asked(contacted: bool, solved: bool | None, by: str = "clerk") -> Letter:
    """A reporter is asked, a day after whatever was before."""

    def letter(played: Played) -> Iterable[Request]:
        played.now += timedelta(days=1)
        return [FollowUp(case=CASE, report=REPORT, by=by, contacted=contacted, solved=solved)]

    return letter


def at_most(attempts: int, request: Request) -> Letter:
    """As long as a case was not called for more often: work may begin anew for ever."""

    def letter(played: Played) -> Iterable[Request]:
        case = played.states.get(CASE)
        return [request] if case is not None and case.attempt <= attempts else []

    return letter


APPROVES = one(ApproveResult(case=CASE, by="reviewer"))
SENDS_BACK = at_most(1, SendBackResult(case=CASE, by="reviewer", reason=words("x")))
EXPLAINS = one(ExplainCase(case=CASE, by="reviewer"))
CLASSIFIES = one(ClassifyCase(case=CASE, matter=SMALL, by="clerk"))
REFUSES = one(RefuseReport(report=REPORT, case=CASE, ground="court", advice=words("x", REPORT), by="clerk"))
REOPENS = at_most(2, ReopenCase(case=CASE, report=REPORT, by=REPORTER, reason=words("x", REPORT), closed_at=MONDAY))
SOLVED, NOT_SOLVED, NOBODY_THERE = asked(True, True), asked(True, False), asked(False, None)


def does(department: str, act: type[Request], **more: Any) -> Letter:
    """One act of one department about the part that it has."""

    def letter(played: Played) -> Iterable[Request]:
        return [act(**who(call, code), **more) for call, code, _ in parts(played) if code == department]

    return letter


def files(department: str) -> Letter:
    """Its result."""
    return lambda played: [result(call, code) for call, code, _ in parts(played) if code == department]
