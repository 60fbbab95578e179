"""并案: a waiting report is joined to the case that it tells of, and its reporter keeps a receipt and a voice."""

import pytest
from msgspec import structs

from events.case import CaseClosed, CaseReportLinked, CloseCase, JoinReport, ReopenCase
from events.envelope import Request
from events.ids import case_of, stream_id
from events.report import RefuseReport, ReportLinked, SubmitReport
from services.command_centre.case import Asked
from tests.unit.past import CASE, GAOCUN, LIUDU, LIUDU_VILLAGE, MONDAY, REPORT, Past, words
from tests.unit.test_laws import submit

NEIGHBOUR = stream_id("report", MONDAY, "app", "2")
WAITS = case_of(NEIGHBOUR)
JOINS = JoinReport(case=CASE, opened=WAITS, report=NEIGHBOUR, by="operator")


@pytest.fixture
def reported(past: Past) -> Past:
    """A village's wish is called for; a neighbour's words are not certain enough and wait in triage."""
    past.play(submit(REPORT, MONDAY, "601", LIUDU_VILLAGE, ()))
    past.play(submit(NEIGHBOUR, MONDAY, "", LIUDU_VILLAGE, ()))
    return past


def test_a_report_is_linked_and_the_case_it_opened_ends_all_at_once(reported: Past) -> None:
    assert reported.states[WAITS].phase == "triage"

    assert reported.do(JOINS) == (
        (CASE, CaseReportLinked(report=NEIGHBOUR, anonymous=True)),
        (WAITS, CaseClosed(reason="merged", by="operator")),
        (NEIGHBOUR, ReportLinked(case=CASE)),
    )
    assert reported.decide(JOINS) == ()


def test_whoever_is_joined_is_asked_as_the_first_is_and_services_change_nothing(reported: Past) -> None:
    reported.play(JOINS)

    assert [(asked.report, asked.supplement) for asked in reported.states[CASE].reports] == [
        (REPORT, False),
        (NEIGHBOUR, False),
    ]
    assert reported.states[NEIGHBOUR].case == CASE


def test_a_case_of_which_somebody_can_be_asked_now_is_not_closed_by_the_clock(reported: Past) -> None:
    first, theirs = (Asked(report, anonymous=True, supplement=False) for report in (REPORT, NEIGHBOUR))
    resolved = structs.replace(reported.states[CASE], phase="resolved", reports=(first, theirs))
    closes = CloseCase(case=CASE, attempt=resolved.attempt)
    reported.states[CASE] = resolved
    assert reported.facts_of(closes)

    reported.states[CASE] = structs.replace(resolved, reports=(first, structs.replace(theirs, anonymous=False)))
    assert reported.decide(closes) == ()


def test_the_same_again_is_nothing_new_whatever_case_is_said_to_be_its_own(reported: Past) -> None:
    reported.play(JOINS)

    assert reported.decide(JoinReport(case=CASE, opened=CASE, report=NEIGHBOUR, by="operator")) == ()


def test_a_case_that_was_joined_to_another_is_not_taken_up_again(reported: Past) -> None:
    reported.play(JOINS)

    again = ReopenCase(case=WAITS, report=NEIGHBOUR, by="reporter", reason=words("x"), closed_at=MONDAY)
    assert reported.refusal(again) == "expected a closed case, found one in phase merged"


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (JoinReport(case=WAITS, opened=WAITS, report=NEIGHBOUR, by="o"), "report: expected one with a case of its own"),
        (JoinReport(case=WAITS, opened=CASE, report=REPORT, by="o"), "expected a case in triage with a single report"),
        (
            JoinReport(case=CASE, opened=WAITS, report="x", by="o"),
            "expected a report that waits in triage and the case",
        ),
        (JoinReport(case="x", opened=WAITS, report=NEIGHBOUR, by="o"), "expected a report that waits in triage and"),
    ],
)
def test_what_is_not_joined(reported: Past, request_: Request, refusal: str) -> None:
    assert reported.refusal(request_).startswith(refusal)


def test_a_report_is_not_joined_to_a_case_that_has_ended_or_of_another_town(reported: Past) -> None:
    elsewhere = stream_id("report", MONDAY, "app", "3")
    there: SubmitReport = submit(elsewhere, MONDAY, "601", "", ())
    reported.play(SubmitReport(**{**{f: getattr(there, f) for f in there.__struct_fields__}, "town": GAOCUN}))
    joins = JoinReport(case=case_of(elsewhere), opened=WAITS, report=NEIGHBOUR, by="operator")
    assert reported.refusal(joins) == f"case: expected one of the town {LIUDU}, found one of {GAOCUN}"

    reported.happened(CASE, CaseClosed(reason="solved", by="clerk"))
    assert reported.refusal(JOINS) == "case: expected one that is open, found it closed"


def test_what_was_joined_is_not_refused_any_more(reported: Past) -> None:
    reported.play(JOINS)

    refuses = RefuseReport(report=NEIGHBOUR, case=WAITS, ground="secret", advice=words("x"), by="operator")
    assert reported.refusal(refuses).startswith("expected a case in triage with a single report, found closed")
