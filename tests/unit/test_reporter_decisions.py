"""What a reporter decides about their own case, by receipt: the answer that counts, and the way back after the end."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from events.case import (
    REPORTER,
    CaseCallsIssued,
    CaseClosed,
    CaseFollowedUp,
    CaseReopened,
    CaseReportLinked,
    CaseReworkOrdered,
    Due,
    ExplainCase,
    FollowUp,
    IssueCalls,
    ReopenCase,
)
from events.envelope import Fact
from events.report import ReportErased
from services.command_centre.reopening import MOST_REOPENINGS, REOPENABLE
from services.rules.book import RuleBook
from services.rules.limits import due_by, half_of
from tests.unit.moments import at
from tests.unit.past import CASE, LIUDU, LIUDU_VILLAGE, MONDAY, REPORT, Past, words
from tests.unit.test_case_decisions import (
    AGAIN,
    AGAIN_PLAN,
    IN_REVIEW,
    RESOLVED,
    RESOLVED_AGAIN,
    REWORK,
    classified,
    follow_up,
    opened,
    report_known,
    resolved,
)

REASON = words("路面又塌了", REPORT)
CLOSED = (*RESOLVED, CaseClosed(reason="solved", by="clerk"))
HALF_OF_A_DAY = Due(by=MONDAY + timedelta(hours=12), rule="half of matter 401 promised 24h", since=MONDAY)


def answer(report: str = REPORT, **answers: Any) -> FollowUp:
    given: dict[str, Any] = {"contacted": True, "solved": True, "satisfied": True, **answers}
    return FollowUp(case=CASE, report=report, by=REPORTER, **given)


def reopen(closed_at: datetime | None = MONDAY, report: str = REPORT) -> ReopenCase:
    return ReopenCase(case=CASE, report=report, by=REPORTER, reason=REASON, closed_at=closed_at)


def reopened(reopening: int = 1, attempt: int = 1, result: Due = HALF_OF_A_DAY) -> CaseReopened:
    return CaseReopened(
        attempt=attempt,
        reopening=reopening,
        report=REPORT,
        matter="401",
        town=LIUDU,
        village=LIUDU_VILLAGE,
        handling_class="U1",
        by=REPORTER,
        reason=REASON,
        result=result,
    )


# --- the answer


def test_a_reporter_who_answers_unasked_counts_like_one_who_was_asked(past: Past) -> None:
    past.happened(CASE, *RESOLVED)

    followed_up, closed = past.facts_of(answer(satisfied=False))

    assert followed_up == CaseFollowedUp(
        report=REPORT,
        attempt=1,
        try_no=1,
        tried_at=MONDAY,
        by=REPORTER,
        contacted=True,
        solved=True,
        satisfied=False,
    )
    assert closed == CaseClosed(reason="solved", by=REPORTER)


def test_a_reporter_who_finds_it_not_solved_has_it_done_again(past: Past) -> None:
    past.happened(CASE, *RESOLVED)

    _, rework = past.facts_of(answer(solved=False, satisfied=False))

    assert rework == CaseReworkOrdered(attempt=1, matter="401", town=LIUDU, report=REPORT)


def test_an_anonymous_reporter_whom_nobody_can_ask_may_answer(past: Past) -> None:
    past.happened(CASE, opened(anonymous=True), *IN_REVIEW[1:], resolved(ask=()))

    refused, facts = past.refusal(follow_up(solved=True)), past.facts_of(answer())

    assert refused.startswith("expected a reporter who still has to be asked")
    assert [type(fact) for fact in facts] == [CaseFollowedUp, CaseClosed]


def test_each_reporter_has_one_vote(past: Past) -> None:
    past.happened(CASE, opened(), CaseReportLinked(report=AGAIN), *RESOLVED[1:])

    past.do(answer())
    again = past.refusal(answer(solved=False))
    asked_too = past.refusal(follow_up(solved=True))
    other = past.do(answer(AGAIN))

    assert again.startswith("expected a reporter who has not answered yet")
    assert asked_too.startswith("expected a reporter who still has to be asked")
    assert [type(fact) for _, fact in other] == [CaseFollowedUp, CaseClosed]


def test_who_was_asked_and_answered_has_no_second_vote_by_receipt(past: Past) -> None:
    past.happened(CASE, opened(), CaseReportLinked(report=AGAIN), *RESOLVED[1:])

    past.do(follow_up(solved=True))

    assert past.refusal(answer()).startswith("expected a reporter who has not answered yet")


def test_who_could_not_be_reached_may_still_answer(past: Past) -> None:
    past.happened(CASE, opened(), CaseReportLinked(report=AGAIN), *RESOLVED[1:])
    for days in range(3):
        past.do(follow_up(contacted=False), MONDAY + timedelta(days=days))

    assert past.refusal(follow_up(solved=True)).startswith("expected a reporter who still has to be asked")
    assert not past.refusal(answer())


def test_a_supplement_has_no_vote_of_its_own(past: Past) -> None:
    past.happened(CASE, opened(), CaseReportLinked(report=AGAIN, supplement=True), *RESOLVED[1:])

    assert past.refusal(answer(AGAIN)).startswith("expected a reporter who has not answered yet")


def test_a_reporter_who_comes_by_receipt_has_an_answer(past: Past) -> None:
    past.happened(CASE, *RESOLVED)

    refusal = past.refusal(answer(contacted=False, solved=None, satisfied=None))

    assert refusal == "expected an answer from a reporter who came by receipt, found none"


@pytest.mark.parametrize(("facts", "phase"), [(IN_REVIEW, "in_review"), (REWORK, "rework"), (CLOSED, "closed")])
def test_a_reporter_answers_only_while_the_case_is_resolved(past: Past, facts: tuple[Fact, ...], phase: str) -> None:
    past.happened(CASE, *facts)

    assert past.refusal(answer()) == f"expected a case in phase resolved, found one in phase {phase}"


# --- the way back


@pytest.mark.parametrize(("reason", "by"), [("solved", "clerk"), ("solved", "clock"), ("explained", "reviewer")])
def test_a_closed_case_goes_back_to_its_lead_with_half_the_time(past: Past, reason: Any, by: str) -> None:
    report_known(past)
    past.happened(CASE, *RESOLVED, CaseClosed(reason=reason, by=by))

    ((stream, fact),) = past.do(reopen())
    wanted = past.reactions(CASE, fact)

    assert (stream, fact) == (CASE, reopened())
    assert wanted == [IssueCalls(case=CASE, attempt=2, calls=(AGAIN_PLAN,), reason="reopened")]
    (issued, call) = past.facts_of(wanted[0], MONDAY + timedelta(minutes=5))
    assert issued == CaseCallsIssued(attempt=2, calls=(AGAIN_PLAN,), awaited=("D15",), reason="reopened")
    assert getattr(call, "result") == HALF_OF_A_DAY  # noqa: B009 - a fact of any kind
    assert past.states[CASE].phase == "rework"


def test_the_same_wish_again_finds_the_case_open(past: Past) -> None:
    report_known(past)
    past.happened(CASE, *CLOSED, reopened())

    assert past.refusal(reopen()) == "expected a closed case, found one in phase rework"


def test_a_reopened_result_that_is_sent_back_is_due_in_half_the_time_as_well(past: Past) -> None:
    past.happened(CASE, *CLOSED, reopened())
    past.happened(CASE, CaseReworkOrdered(attempt=2, matter="401", town=LIUDU, report=REPORT))
    later = MONDAY + timedelta(days=1)

    _, call = past.facts_of(IssueCalls(case=CASE, attempt=3, calls=(AGAIN_PLAN,), reason="rework"), later)

    assert getattr(call, "result").by == later + timedelta(hours=12)  # noqa: B009 - a fact of any kind


def test_every_reporter_is_asked_anew_about_a_reopened_case(past: Past) -> None:
    report_known(past)
    past.happened(CASE, *RESOLVED)
    past.do(answer())
    past.happened(CASE, reopened(), *RESOLVED_AGAIN[len(REWORK) :])

    followed_up, closed = past.facts_of(answer())

    assert getattr(followed_up, "attempt") == 2  # noqa: B009 - a fact of any kind
    assert closed == CaseClosed(reason="solved", by=REPORTER)


def test_what_a_reporter_still_calls_unsolved_after_a_reopening_is_the_reviewers_to_decide(past: Past) -> None:
    past.happened(CASE, *CLOSED, reopened(), *RESOLVED_AGAIN[len(REWORK) :])

    past.do(answer(solved=False))

    assert past.states[CASE].phase == "in_review"
    assert past.facts_of(ExplainCase(case=CASE, by="reviewer")) == [CaseClosed(reason="explained", by="reviewer")]


def test_the_third_reopening_is_the_hotlines(past: Past) -> None:
    report_known(past)
    past.happened(CASE, *CLOSED)
    for _ in range(MOST_REOPENINGS):
        past.do(reopen())
        past.happened(CASE, *RESOLVED_AGAIN[len(REWORK) :], CaseClosed(reason="solved", by="clerk"))

    refusal = past.refusal(reopen())

    assert refusal == "expected at most 2 reopenings of a case, found 2 before this one: call the hotline 12345"


@pytest.mark.parametrize(("late", "possible"), [(timedelta(0), True), (timedelta(microseconds=1), False)])
def test_a_case_may_be_reopened_for_thirty_days(past: Past, late: timedelta, possible: bool) -> None:
    report_known(past)
    past.happened(CASE, *CLOSED)

    refusal = past.refusal(reopen(MONDAY - REOPENABLE - late))

    assert timedelta(days=30) == REOPENABLE
    assert (not refusal) == possible


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        (lambda past: past.happened(CASE, *RESOLVED), "expected a closed case, found one in phase resolved"),
        (
            lambda past: past.happened(CASE, opened(), CaseClosed(reason="refused", by="x")),
            "expected a closed case, found one in phase refused",
        ),
        (
            lambda past: (
                past.happened(CASE, *CLOSED),
                past.happened(REPORT, ReportErased(by="x", reason="request")),
            ),
            "expected a report that still has its reporter, found one that was erased",
        ),
        (lambda past: None, "expected a report of this case, found none with this id"),
    ],
    ids=["resolved", "refused", "erased", "unknown"],
)
def test_what_is_not_closed_or_never_was_ours_or_has_no_reporter_any_more_is_not_reopened(
    past: Past, given: Callable[[Past], Any], refusal: str
) -> None:
    report_known(past)
    given(past)

    assert past.refusal(reopen()) == refusal


def test_a_case_is_reopened_by_its_own_reporters(past: Past) -> None:
    report_known(past)
    report_known(past, AGAIN)
    past.happened(CASE, *CLOSED)

    assert past.refusal(reopen(report=AGAIN)) == "expected a report of this case, found none with this id"
    assert past.refusal(reopen(None)) == "expected a case closed in the last 30 days, found None"


def test_a_case_of_another_class_keeps_its_own_promise_halved(past: Past) -> None:
    report_known(past)
    past.happened(CASE, opened(), classified("406", handling_class="U3"), *RESOLVED[2:], CLOSED[-1])

    ((_, fact),) = past.decide(reopen())

    promised = past.rules.result_due(past.rules.matter("406"), MONDAY)
    assert getattr(fact, "result") == half_of(past.rules.calendar, MONDAY, promised)  # noqa: B009 - a fact of any kind


@pytest.mark.parametrize(
    ("text", "by"),
    [
        pytest.param("24h", "2026-11-23 21:00", id="wall time"),
        pytest.param("4wh", "2026-11-23 11:00", id="office hours"),
        pytest.param("4wd", "2026-11-25 12:00", id="working days: sixteen of 32 office hours"),
    ],
)
def test_half_of_a_clock_is_half_of_its_own_kind_of_time(rules: RuleBook, text: str, by: str) -> None:
    due = due_by(rules.calendar, MONDAY, text, "promised")

    assert half_of(rules.calendar, MONDAY, due) == Due(by=at(by), rule=f"half of promised {text}")
