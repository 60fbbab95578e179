"""Cases: opened, classified, called for, engaged, submitted, reviewed, followed up and closed."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from events.call import CallIssued
from events.case import (
    ApproveResult,
    CallPlan,
    CaseCallCompleted,
    CaseCallsIssued,
    CaseClassified,
    CaseClosed,
    CaseEngaged,
    CaseFollowedUp,
    CaseOpened,
    CaseReportLinked,
    CaseResolved,
    CaseResultSentBack,
    CaseResultSubmitted,
    CaseReviewReopened,
    CaseReworkOrdered,
    CaseTriageQueued,
    ClassifyCase,
    CloseCase,
    Due,
    EngageCase,
    ExplainCase,
    FollowUp,
    IssueCalls,
    LegPlan,
    LinkReport,
    OpenCase,
    SendBackResult,
    SubmitResult,
)
from events.envelope import Fact, Request
from events.ids import call_of, case_of, stream_id
from events.report import ReportAccepted, ReportSubmitted, Suggestion
from events.reporter import ReporterReported
from services.decisions import Rejected, SetTimer
from services.rules.book import RuleBook
from tests.unit.moments import at
from tests.unit.past import (
    CASE,
    GAOCUN,
    LIUDU,
    LIUDU_VILLAGE,
    MONDAY,
    P2_CALL,
    P4_CALL,
    REPORT,
    Past,
    with_district,
    with_periods,
    without_matter,
    words,
)

REPORTER = stream_id("reporter", MONDAY, "somebody")

AGAIN = stream_id("report", MONDAY, "hotline", "2")
P4_AGAIN = call_of(CASE, "P4", 2)
SURE = (Suggestion("401", 0.8, ("挖山", "非法采矿")), Suggestion("404", 0.1, ("违建",)))
UNSURE = (Suggestion("401", 0.499, ("挖山",)),)
REPLY = words("已查处，现场已恢复。")
TWO_DAYS = timedelta(days=2)

LEAD = LegPlan("D15", "lead", required=True)
P4_PLAN = CallPlan(
    P4_CALL,
    "P4",
    (
        LEAD,
        LegPlan("D16", "assist", required=True),
        LegPlan("D18", "assist", required=True),
        LegPlan("D19", "assist"),
        LegPlan("D17", "assist"),
    ),
)
P2_PLAN = CallPlan(P2_CALL, "P2", (LegPlan("D08", "assist", required=True), LegPlan("D11", "assist")))
AGAIN_PLAN = CallPlan(P4_AGAIN, "P4", (LEAD,))


def report_known(past: Past, report: str = REPORT, *, anonymous: bool = False, **changes: Any) -> None:
    fields: dict[str, Any] = {"matter": "401", "village": LIUDU_VILLAGE, **changes}
    submitted = ReportSubmitted(
        source="hotline",
        record=report,
        receipt="LD23456789AB2",
        channel="hotline",
        town=LIUDU,
        reported_at=MONDAY,
        words=words("有人挖山", report),
        anonymous=anonymous,
        **fields,
    )
    past.happened(report, submitted, ReportAccepted(case=CASE))


def opened(*, anonymous: bool = False) -> CaseOpened:
    return CaseOpened(report=REPORT, town=LIUDU, village=LIUDU_VILLAGE, reported_at=MONDAY, anonymous=anonymous)


def classified(matter: str = "401", by: str = "sender", **changes: Any) -> CaseClassified:
    fields: dict[str, Any] = {
        "handling_class": "U1",
        "visibility": "confidential",
        "result": Due(by=MONDAY + timedelta(hours=24), rule="matter 401 promised 24h", since=MONDAY),
        "village": LIUDU_VILLAGE,
        **changes,
    }
    return CaseClassified(matter=matter, town=LIUDU, by=by, **fields)


CALLED = CaseCallsIssued(attempt=1, calls=(P4_PLAN, P2_PLAN), awaited=("D15", "D16", "D18", "D08"))
P4_DONE = CaseCallCompleted(call=P4_CALL, handlers=("officer-D15", "officer-D16"), solved="partly", reply=REPLY)
P2_DONE = CaseCallCompleted(call=P2_CALL, handlers=("officer-D08",), solved="yes")
SUBMITTED = CaseResultSubmitted(
    attempt=1,
    handlers=("officer-D15", "officer-D16", "officer-D08"),
    solved="partly",
    review=Due(by=MONDAY + timedelta(hours=4), rule="urgent review 4h", since=MONDAY),
)


def resolved(attempt: int = 1, **changes: Any) -> CaseResolved:
    fields: dict[str, Any] = {
        "handlers": ("officer-D15", "officer-D16", "officer-D08"),
        "ask": (REPORT,),
        "reply": REPLY,
        **changes,
    }
    return CaseResolved(
        attempt=attempt,
        by="reviewer",
        visibility="confidential",
        matter="401",
        town=LIUDU,
        village=LIUDU_VILLAGE,
        follow_up=Due(by=at("2026-11-26 17:30"), rule="follow-up 3wd", since=MONDAY),
        **fields,
    )


IN_TRIAGE: tuple[Fact, ...] = (opened(), CaseTriageQueued(suggestions=UNSURE, threshold=0.5))
REGISTERED: tuple[Fact, ...] = (opened(), classified())
CALLING = (*REGISTERED, CALLED)
IN_REVIEW = (*CALLING, P4_DONE, P2_DONE, SUBMITTED)
RESOLVED = (*IN_REVIEW, resolved())
REWORK = (*RESOLVED, CaseReworkOrdered(attempt=1, matter="401", town=LIUDU, report=REPORT))
RESOLVED_AGAIN = (
    *REWORK,
    CaseCallsIssued(attempt=2, calls=(AGAIN_PLAN,), awaited=("D15",), reason="rework"),
    CaseCallCompleted(call=P4_AGAIN, handlers=("officer-D15",), solved="yes", reply=REPLY),
    CaseResultSubmitted(
        attempt=2, handlers=("officer-D15", "officer-D16", "officer-D08"), solved="yes", review=SUBMITTED.review
    ),
    resolved(2),
)
CLOSED = (*RESOLVED, CaseClosed(reason="solved", by="clerk"))


# --- opening and classifying


def test_a_case_is_opened_and_classified_by_what_its_sender_said(past: Past) -> None:
    report_known(past, suggestions=UNSURE)

    appends = past.decide(OpenCase(case=CASE, report=REPORT))

    assert appends == ((CASE, opened()), (CASE, classified()))


@pytest.mark.parametrize("score", [0.5, 0.8])
def test_a_case_is_classified_by_words_that_are_certain_enough_and_says_which(past: Past, score: float) -> None:
    best = Suggestion("401", score, ("挖山", "非法采矿"))
    report_known(past, matter="", suggestions=(best, *UNSURE))

    facts = past.facts_of(OpenCase(case=CASE, report=REPORT))

    assert facts == [opened(), classified(by="catalogue", score=score, words=best.words)]


@pytest.mark.parametrize("suggestions", [UNSURE, ()])
def test_a_case_below_the_threshold_waits_for_an_operator(past: Past, suggestions: tuple[Suggestion, ...]) -> None:
    report_known(past, matter="", suggestions=suggestions)

    facts = past.facts_of(OpenCase(case=CASE, report=REPORT))

    assert facts == [opened(), CaseTriageQueued(suggestions=suggestions, threshold=0.5)]


def test_a_case_on_a_matter_that_the_catalogue_lost_waits_for_an_operator(rules: RuleBook) -> None:
    past = Past(without_matter(rules, "401"))
    report_known(past)

    _, queued = past.facts_of(OpenCase(case=CASE, report=REPORT))

    assert queued == CaseTriageQueued(suggestions=(), threshold=0.5)


def test_a_case_whose_words_name_a_matter_that_the_catalogue_lost_waits_for_an_operator(rules: RuleBook) -> None:
    past = Past(without_matter(rules, "401"))
    report_known(past, matter="", suggestions=SURE)

    _, queued = past.facts_of(OpenCase(case=CASE, report=REPORT))

    assert isinstance(queued, CaseTriageQueued)


def test_a_case_knows_that_its_reporter_is_anonymous(past: Past) -> None:
    report_known(past, anonymous=True)

    first, *_ = past.facts_of(OpenCase(case=CASE, report=REPORT))

    assert first == opened(anonymous=True)


def test_a_case_opened_twice_is_a_repeat(past: Past) -> None:
    report_known(past)
    past.do(OpenCase(case=CASE, report=REPORT))

    assert past.decide(OpenCase(case=CASE, report=REPORT)) == ()


def test_the_result_is_due_by_the_matters_promise_and_without_one_by_that_of_its_class(rules: RuleBook) -> None:
    without_promise = with_district(
        rules,
        lambda district: {
            "matters": tuple(msgspec.structs.replace(matter, promised="") for matter in district.matters)
        },
    )

    assert rules.result_due(rules.matters["303"], MONDAY).rule == "matter 303 promised 10wd"
    assert without_promise.result_due(without_promise.matters["303"], MONDAY) == Due(
        by=at("2026-11-30 17:30"), rule="U3 result 5wd", since=MONDAY
    )


def test_an_operator_classifies_a_case_in_triage(past: Past) -> None:
    past.happened(CASE, *IN_TRIAGE)

    facts = past.facts_of(ClassifyCase(case=CASE, matter="401", by="operator"))

    assert facts == [classified(by="operator")]


def test_a_case_is_classified_by_a_matter_of_the_catalogue_only(past: Past) -> None:
    past.happened(CASE, *IN_TRIAGE)

    refusal = past.refusal(ClassifyCase(case=CASE, matter="998", by="operator"))

    assert refusal == "matter: expected a code of the catalogue, found '998'"


def test_a_case_classified_twice_alike_is_a_repeat_and_otherwise_rejected(past: Past) -> None:
    past.happened(CASE, *REGISTERED)

    assert past.decide(ClassifyCase(case=CASE, matter="401", by="operator")) == ()
    assert (
        past.refusal(ClassifyCase(case=CASE, matter="404", by="operator"))
        == "expected a case in triage, found one in phase registered"
    )


# --- further reports


def test_a_further_report_joins_an_open_case_as_a_supplement_once(past: Past) -> None:
    report_known(past, AGAIN)
    past.happened(CASE, *CALLING)
    link = LinkReport(case=CASE, opens=case_of(AGAIN), report=AGAIN, reporter=REPORTER)

    appends = past.do(link)

    assert appends == ((CASE, CaseReportLinked(report=AGAIN, supplement=True)),)
    assert past.decide(link) == ()


def test_a_further_report_on_an_ended_case_opens_one_of_its_own(past: Past) -> None:
    report_known(past, AGAIN)
    past.happened(CASE, *CLOSED)

    appends = past.decide(LinkReport(case=CASE, opens=case_of(AGAIN), report=AGAIN, reporter=REPORTER))

    assert [stream for stream, _ in appends] == [case_of(AGAIN), case_of(AGAIN), REPORTER]
    assert [type(fact) for _, fact in appends] == [CaseOpened, CaseClassified, ReporterReported]


def test_a_further_report_on_a_case_that_nobody_opened_opens_one_of_its_own(past: Past) -> None:
    report_known(past, AGAIN)

    appends = past.decide(LinkReport(case=CASE, opens=case_of(AGAIN), report=AGAIN, reporter=REPORTER))

    assert {stream for stream, _ in appends} == {case_of(AGAIN), REPORTER}


# --- calling


def test_a_classified_case_calls_every_platform_that_its_matter_needs(past: Past) -> None:
    wanted = past.reactions(CASE, classified())

    assert wanted == [IssueCalls(case=CASE, attempt=1, calls=(P4_PLAN, P2_PLAN))]


def test_seven_departments_of_two_platforms_are_two_calls_with_seven_parts_in_one_decision(past: Past) -> None:
    past.happened(CASE, *REGISTERED)

    appends = past.decide(IssueCalls(case=CASE, attempt=1, calls=(P4_PLAN, P2_PLAN)))

    def issued(plan: CallPlan) -> CallIssued:
        return CallIssued(
            case=CASE,
            town=LIUDU,
            platform=plan.platform,
            attempt=1,
            level="town",
            village=LIUDU_VILLAGE,
            matter="401",
            handling_class="U1",
            legs=plan.legs,
            result=Due(by=MONDAY + timedelta(hours=24), rule="matter 401 promised 24h", since=MONDAY),
        )

    assert appends == ((CASE, CALLED), (P4_CALL, issued(P4_PLAN)), (P2_CALL, issued(P2_PLAN)))


def test_an_external_unit_is_called_on_the_platform_of_the_lead(rules: RuleBook) -> None:
    (call,) = rules.plan_calls(CASE, LIUDU, rules.matters["201"], attempt=1, only_lead=False)

    assert call.platform == "P2"
    assert [leg.department for leg in call.legs] == ["D06", "D10", "X5"]


def test_a_department_that_a_town_lacks_is_not_called_there(rules: RuleBook) -> None:
    without_forestry = with_district(
        rules,
        lambda district: {
            "departments": tuple(
                msgspec.structs.replace(department, absent_in=(GAOCUN,)) if department.code == "D18" else department
                for department in district.departments
            )
        },
    )
    matter = without_forestry.matters["401"]

    called = {
        town: {
            leg.department for call in without_forestry.plan_calls(CASE, town, matter, 1, False) for leg in call.legs
        }
        for town in (LIUDU, GAOCUN)
    }

    assert called[LIUDU] - called[GAOCUN] == {"D18"}


def test_a_matter_at_the_desk_waits_for_its_lead_alone(past: Past) -> None:
    past.happened(CASE, opened(), classified("601"))
    (issue,) = past.reactions(CASE, classified("601"))

    issued, *_ = past.facts_of(issue)

    assert isinstance(issued, CaseCallsIssued)
    assert issued.awaited == ("D27",)


@pytest.mark.parametrize(
    ("plans", "found"),
    [
        ((), "0: "),
        ((P2_PLAN,), "0: "),
        ((P4_PLAN, CallPlan(P2_CALL, "P2", (LegPlan("D08", "lead", required=True),))), "2: D15, D08"),
    ],
)
def test_a_case_has_exactly_one_lead_over_all_its_calls(past: Past, plans: tuple[CallPlan, ...], found: str) -> None:
    past.happened(CASE, *REGISTERED)

    refusal = past.refusal(IssueCalls(case=CASE, attempt=1, calls=plans))

    assert refusal == f"expected exactly one lead over all calls, found {found}"


def test_calling_twice_for_one_attempt_is_a_repeat(past: Past) -> None:
    past.happened(CASE, *CALLING)

    assert past.decide(IssueCalls(case=CASE, attempt=1, calls=(P4_PLAN, P2_PLAN))) == ()


@pytest.mark.parametrize(
    ("facts", "phase"), [(IN_TRIAGE, "triage"), (CALLING, "calling"), (IN_REVIEW, "in_review"), (CLOSED, "closed")]
)
def test_a_case_is_called_for_once_it_is_classified_or_to_be_done_again(
    past: Past, facts: tuple[Fact, ...], phase: str
) -> None:
    past.happened(CASE, *facts)

    refusal = past.refusal(IssueCalls(case=CASE, attempt=2, calls=(AGAIN_PLAN,)))

    assert refusal == f"expected a case to be called for, found one in phase {phase}"


def test_departments_of_an_anonymous_report_are_told_that_nobody_can_be_reached(past: Past) -> None:
    past.happened(CASE, opened(anonymous=True), classified())

    _, *calls = past.facts_of(IssueCalls(case=CASE, attempt=1, calls=(P4_PLAN, P2_PLAN)))

    assert [call.contactable for call in calls if isinstance(call, CallIssued)] == [False, False]


# --- engaging


def test_a_case_is_in_progress_once_the_lead_and_all_who_must_come_have_acknowledged(past: Past) -> None:
    past.happened(CASE, *CALLING)

    facts = []
    phases = []
    for department in ("D08", "D19", "D15", "D18", "D16"):
        facts += [fact for _, fact in past.do(EngageCase(case=CASE, attempt=1, department=department))]
        phases.append(past.states[CASE].phase)

    assert facts == [
        CaseEngaged(attempt=1, department="D08", waiting_for=("D15", "D16", "D18")),
        CaseEngaged(attempt=1, department="D15", waiting_for=("D16", "D18")),
        CaseEngaged(attempt=1, department="D18", waiting_for=("D16",)),
        CaseEngaged(attempt=1, department="D16"),
    ]
    assert phases == ["calling", "calling", "calling", "calling", "in_progress"]


def test_an_acknowledgement_of_an_earlier_attempt_or_told_twice_changes_nothing(past: Past) -> None:
    past.happened(CASE, *CALLING, CaseEngaged(attempt=1, department="D15", waiting_for=("D08", "D16", "D18")))

    assert past.decide(EngageCase(case=CASE, attempt=1, department="D15")) == ()
    assert past.decide(EngageCase(case=CASE, attempt=2, department="D16")) == ()


# --- the result


def submit(call: str, done: CaseCallCompleted, attempt: int = 1) -> SubmitResult:
    return SubmitResult(
        case=CASE, call=call, attempt=attempt, handlers=done.handlers, solved=done.solved, reply=done.reply
    )


def test_a_case_waits_for_every_call_with_a_required_part(past: Past) -> None:
    past.happened(CASE, *CALLING)

    first = past.do(submit(P2_CALL, P2_DONE))
    second = past.do(submit(P4_CALL, P4_DONE))

    assert first == ((CASE, P2_DONE),)
    assert second == (
        (CASE, P4_DONE),
        (CASE, msgspec.structs.replace(SUBMITTED, handlers=("officer-D08", "officer-D15", "officer-D16"))),
    )


def test_what_counts_as_solved_and_as_reply_is_the_leads(past: Past) -> None:
    past.happened(CASE, *IN_REVIEW)

    assert past.states[CASE].solved == "partly"
    assert past.states[CASE].reply == REPLY


def test_a_call_completed_twice_or_for_an_earlier_attempt_changes_nothing(past: Past) -> None:
    past.happened(CASE, *CALLING, P2_DONE)

    assert past.decide(submit(P2_CALL, P2_DONE)) == ()
    assert past.decide(submit(P4_CALL, P4_DONE, attempt=2)) == ()


OPTIONAL = CallPlan(P2_CALL, "P2", (LegPlan("D11", "assist"),))


def called_with_an_optional_platform(past: Past) -> None:
    past.happened(
        CASE, *REGISTERED, CaseCallsIssued(attempt=1, calls=(P4_PLAN, OPTIONAL), awaited=("D15", "D16", "D18"))
    )


def test_a_call_without_a_required_part_holds_nothing_up_and_is_released(past: Past) -> None:
    called_with_an_optional_platform(past)

    _, submitted = past.facts_of(submit(P4_CALL, P4_DONE))

    assert isinstance(submitted, CaseResultSubmitted)
    assert submitted.released == (P2_CALL,)


@pytest.mark.parametrize("later", [(), (resolved(),), (resolved(), CaseClosed(reason="solved", by="clerk"))])
def test_an_optional_call_that_completes_late_does_not_submit_the_result_again(
    past: Past, later: tuple[Fact, ...]
) -> None:
    called_with_an_optional_platform(past)
    past.do(submit(P4_CALL, P4_DONE))
    past.happened(CASE, *later)
    phase = past.states[CASE].phase

    appends = past.do(submit(P2_CALL, CaseCallCompleted(call=P2_CALL, handlers=("officer-D11",), solved="yes")))

    assert not [fact for _, fact in appends if isinstance(fact, CaseResultSubmitted)]
    assert past.states[CASE].phase == phase


@pytest.mark.parametrize(
    ("handling_class", "rule"), [("U1", "urgent review 4h"), ("U2", "urgent review 4h"), ("U3", "review 1wd")]
)
def test_an_urgent_result_is_to_be_reviewed_within_hours(past: Past, handling_class: str, rule: str) -> None:
    past.happened(CASE, opened(), classified(handling_class=handling_class), CALLED, P2_DONE)

    _, submitted = past.facts_of(submit(P4_CALL, P4_DONE))

    assert isinstance(submitted, CaseResultSubmitted)
    assert submitted.review.rule == rule


# --- review


def test_a_reviewer_who_handled_nothing_approves_and_the_reporters_are_to_be_asked(past: Past) -> None:
    past.happened(CASE, *IN_REVIEW)

    assert past.facts_of(ApproveResult(case=CASE, by="reviewer")) == [resolved()]


@pytest.mark.parametrize("handler", ["officer-D15", "officer-D16", "officer-D08"])
@pytest.mark.parametrize("review", ["approve", "send back", "explain"])
def test_nobody_reviews_what_they_handled(past: Past, handler: str, review: str) -> None:
    past.happened(CASE, *IN_REVIEW)
    requests: dict[str, Request] = {
        "approve": ApproveResult(case=CASE, by=handler),
        "send back": SendBackResult(case=CASE, by=handler, reason=words("不符")),
        "explain": ExplainCase(case=CASE, by=handler),
    }

    refusal = past.refusal(requests[review])

    assert refusal == f"expected a reviewer who did not handle the case, found its handler {handler}"


def test_whoever_handled_the_case_before_it_was_done_again_does_not_review_it_either(past: Past) -> None:
    past.happened(CASE, *RESOLVED_AGAIN[:-1])

    assert past.refusal(ApproveResult(case=CASE, by="officer-D16"))


def test_an_approval_twice_is_a_repeat(past: Past) -> None:
    past.happened(CASE, *RESOLVED)

    assert past.decide(ApproveResult(case=CASE, by="reviewer")) == ()
    assert past.decide(ApproveResult(case=CASE, by="another")) == ()


@pytest.mark.parametrize(
    ("facts", "phase"), [(IN_TRIAGE, "triage"), (REGISTERED, "registered"), (CALLING, "calling"), (REWORK, "rework")]
)
def test_a_case_without_a_result_is_not_reviewed(past: Past, facts: tuple[Fact, ...], phase: str) -> None:
    past.happened(CASE, *facts)

    for request in (ApproveResult(case=CASE, by="reviewer"), ExplainCase(case=CASE, by="reviewer")):
        assert past.refusal(request) == f"expected a case in phase in_review, found one in phase {phase}"


def test_a_result_sent_back_is_done_again_by_the_lead_alone(past: Past) -> None:
    past.happened(CASE, *IN_REVIEW)
    reason = words("照片不清楚")

    ((_, sent_back),) = past.do(SendBackResult(case=CASE, by="reviewer", reason=reason))
    wanted = past.reactions(CASE, sent_back)

    assert sent_back == CaseResultSentBack(attempt=1, matter="401", town=LIUDU, by="reviewer", reason=reason)
    assert wanted == [IssueCalls(case=CASE, attempt=2, calls=(AGAIN_PLAN,), reason="rework")]
    assert past.decide(SendBackResult(case=CASE, by="reviewer", reason=reason)) == ()


def test_what_is_done_again_is_due_when_the_promise_begun_anew_ends(past: Past) -> None:
    past.happened(CASE, *REWORK)
    wednesday = MONDAY + TWO_DAYS

    appends = past.decide(IssueCalls(case=CASE, attempt=2, calls=(AGAIN_PLAN,), reason="rework"), wednesday)

    (_, issued), (stream, call) = appends
    assert issued == CaseCallsIssued(attempt=2, calls=(AGAIN_PLAN,), awaited=("D15",), reason="rework")
    assert stream == P4_AGAIN
    assert isinstance(call, CallIssued)
    assert (call.attempt, call.result.by) == (2, wednesday + timedelta(hours=24))


def test_a_result_is_not_sent_back_before_it_is_there_nor_after_it_was_approved(past: Past) -> None:
    send_back = SendBackResult(case=CASE, by="reviewer", reason=words("不符"))
    past.happened(CASE, *CALLING)
    early = past.refusal(send_back)
    past.happened(CASE, P4_DONE, P2_DONE, SUBMITTED, resolved())

    assert early == "expected a case in phase in_review, found one in phase calling"
    assert past.refusal(send_back) == "expected a case in phase in_review, found one in phase resolved"


# --- follow-up


def follow_up(report: str = REPORT, *, contacted: bool = True, **answers: Any) -> FollowUp:
    return FollowUp(case=CASE, report=report, by="clerk", contacted=contacted, **answers)


def asked(try_no: int = 1, when: datetime = MONDAY, *, contacted: bool = True, **answers: Any) -> CaseFollowedUp:
    fields = {"report": REPORT, "attempt": 1, **answers}
    return CaseFollowedUp(try_no=try_no, tried_at=when, by="clerk", contacted=contacted, **fields)


def test_a_reporter_who_says_it_is_solved_closes_the_case(past: Past) -> None:
    past.happened(CASE, *RESOLVED)

    facts = past.facts_of(follow_up(solved=True, satisfied=False))

    assert facts == [asked(solved=True, satisfied=False), CaseClosed(reason="solved", by="clerk")]


def test_the_first_not_solved_is_done_again_by_itself(past: Past) -> None:
    past.happened(CASE, *RESOLVED)

    appends = past.do(follow_up(solved=False, satisfied=False))

    rework = CaseReworkOrdered(attempt=1, matter="401", town=LIUDU, report=REPORT)
    assert appends == ((CASE, asked(solved=False, satisfied=False)), (CASE, rework))
    assert past.reactions(CASE, rework) == [IssueCalls(case=CASE, attempt=2, calls=(AGAIN_PLAN,), reason="rework")]


def test_the_second_not_solved_goes_back_to_the_reviewer(past: Past) -> None:
    past.happened(CASE, *RESOLVED_AGAIN)

    followed_up, reopened = past.facts_of(follow_up(solved=False))

    assert followed_up == asked(attempt=2, solved=False)
    assert reopened == CaseReviewReopened(
        attempt=2, report=REPORT, review=Due(by=MONDAY + timedelta(hours=4), rule="urgent review 4h", since=MONDAY)
    )
    assert past.reactions(CASE, reopened) == []


def back_in_review(past: Past) -> None:
    past.happened(CASE, *RESOLVED_AGAIN)
    past.do(follow_up(solved=False))


def test_the_reviewer_explains_what_the_reporter_still_calls_unsolved(past: Past) -> None:
    back_in_review(past)

    facts = past.facts_of(ExplainCase(case=CASE, by="reviewer"))

    assert facts == [CaseClosed(reason="explained", by="reviewer")]


def test_the_reviewer_may_instead_order_it_done_a_third_time(past: Past) -> None:
    back_in_review(past)

    ((_, sent_back),) = past.do(SendBackResult(case=CASE, by="reviewer", reason=words("再查")))
    (issue,) = past.reactions(CASE, sent_back)

    assert isinstance(issue, IssueCalls)
    assert (issue.attempt, past.states[CASE].phase) == (3, "rework")
    assert past.do(issue)


def test_a_reporter_is_asked_again_about_what_was_done_again(past: Past) -> None:
    past.happened(CASE, *RESOLVED, asked(solved=False), *RESOLVED_AGAIN[len(RESOLVED) : -1])

    (again,) = past.facts_of(ApproveResult(case=CASE, by="reviewer"))

    assert again == resolved(2)


TRY_AGAIN = follow_up(contacted=False)


def test_three_tries_over_two_days_are_enough(past: Past) -> None:
    past.happened(CASE, *RESOLVED)
    evening, tuesday = MONDAY + timedelta(hours=8), MONDAY + timedelta(days=1)

    first = past.do(TRY_AGAIN, MONDAY)
    second = past.do(TRY_AGAIN, evening)
    third = past.do(TRY_AGAIN, tuesday)

    assert [fact for _, fact in first + second] == [
        asked(1, MONDAY, contacted=False),
        asked(2, evening, contacted=False),
    ]
    assert [fact for _, fact in third] == [
        asked(3, tuesday, contacted=False),
        CaseClosed(reason="solved", by="clerk"),
    ]


def test_three_tries_on_one_day_are_not_enough(past: Past) -> None:
    past.happened(CASE, *RESOLVED, asked(1, MONDAY, contacted=False), asked(2, MONDAY, contacted=False))

    evening = at("2026-11-23 23:59")

    assert past.refusal(TRY_AGAIN, evening) == "expected 3 tries over at least two days, found all on the same day"
    assert past.decide(TRY_AGAIN, at("2026-11-24 00:00"))
    assert past.decide(follow_up(solved=True), evening)


def test_a_district_may_be_content_with_one_try(rules: RuleBook) -> None:
    past = Past(with_periods(rules, follow_up_tries=1))
    past.happened(CASE, *RESOLVED)

    facts = past.facts_of(TRY_AGAIN)

    assert facts == [asked(contacted=False), CaseClosed(reason="solved", by="clerk")]


def two_reporters(past: Past) -> None:
    """Two residents, each with a voice of their own, and a supplement, which has none."""
    past.happened(CASE, *REGISTERED, CaseReportLinked(report=AGAIN), CaseReportLinked(report="third", supplement=True))
    past.happened(CASE, CALLED, P4_DONE, P2_DONE, SUBMITTED, resolved(ask=(REPORT, AGAIN)))


def test_every_reporter_is_asked_before_the_case_closes_and_a_supplement_is_not(past: Past) -> None:
    two_reporters(past)

    first = past.do(follow_up(solved=True))
    second = past.do(follow_up(AGAIN, solved=True))

    assert [type(fact) for _, fact in first] == [CaseFollowedUp]
    assert [type(fact) for _, fact in second] == [CaseFollowedUp, CaseClosed]


@pytest.mark.parametrize(
    ("report", "refusal"),
    [
        ("third", "expected a reporter who still has to be asked, found one who was, or who is anonymous"),
        ("nobody", "expected a report of this case, found nobody"),
    ],
)
def test_only_reporters_of_the_case_who_have_a_voice_are_asked(past: Past, report: str, refusal: str) -> None:
    two_reporters(past)

    assert past.refusal(follow_up(report, solved=True)) == refusal


def test_a_reporter_who_answered_is_not_asked_again(past: Past) -> None:
    two_reporters(past)
    past.do(follow_up(solved=True))

    assert "found one who was" in past.refusal(follow_up(solved=True))


@pytest.mark.parametrize(("contacted", "solved"), [(True, None), (False, True), (False, False)])
def test_there_is_an_answer_exactly_when_the_reporter_was_reached(
    past: Past, contacted: bool, solved: bool | None
) -> None:
    past.happened(CASE, *RESOLVED)

    refusal = past.refusal(follow_up(contacted=contacted, solved=solved))

    assert refusal == "expected an answer to 'solved' exactly when the reporter was contacted"


def test_nobody_is_satisfied_who_was_not_reached(past: Past) -> None:
    past.happened(CASE, *RESOLVED)

    assert past.refusal(follow_up(contacted=False, satisfied=True))


@pytest.mark.parametrize(("facts", "phase"), [(IN_REVIEW, "in_review"), (CLOSED, "closed"), (REWORK, "rework")])
def test_reporters_are_asked_only_while_the_case_is_resolved(past: Past, facts: tuple[Fact, ...], phase: str) -> None:
    past.happened(CASE, *facts)

    assert past.refusal(follow_up(solved=True)) == f"expected a case in phase resolved, found one in phase {phase}"


# --- closing by the clock


def test_an_anonymous_case_is_closed_by_the_clock(past: Past) -> None:
    past.happened(CASE, opened(anonymous=True), *IN_REVIEW[1:])

    ((_, done),) = past.do(ApproveResult(case=CASE, by="reviewer"))
    (timer,) = past.timers.values()
    facts = past.facts_of(timer.request, timer.due)

    closes_at = at("2026-11-30 17:30")
    assert done == resolved(ask=(), closes_at=closes_at)
    assert timer == SetTimer("close", closes_at, CloseCase(case=CASE, attempt=1))
    assert facts == [CaseClosed(reason="solved", by="clock")]


def test_nobody_asks_an_anonymous_reporter(past: Past) -> None:
    past.happened(CASE, opened(anonymous=True), *IN_REVIEW[1:])
    past.do(ApproveResult(case=CASE, by="reviewer"))

    assert "or who is anonymous" in past.refusal(follow_up(solved=True))


@pytest.mark.parametrize("facts", [IN_REVIEW, REWORK, CLOSED, RESOLVED_AGAIN])
def test_the_clock_closes_only_what_is_still_resolved_as_it_was(past: Past, facts: tuple[Fact, ...]) -> None:
    past.happened(CASE, *facts)

    assert past.decide(CloseCase(case=CASE, attempt=1)) == ()


@pytest.mark.parametrize("fact", [fact for fact in RESOLVED_AGAIN if not isinstance(fact, CaseResolved)])
def test_no_other_fact_of_a_case_sets_a_timer(past: Past, fact: Fact) -> None:
    past.happened(CASE, *REGISTERED, fact)

    assert past.timers == {}


def test_a_case_with_a_known_reporter_waits_for_the_follow_up_without_a_timer(past: Past) -> None:
    past.happened(CASE, *RESOLVED)

    assert past.timers == {}


@pytest.mark.parametrize(
    "request_",
    [
        ClassifyCase(case=CASE, matter="401", by="x"),
        IssueCalls(case=CASE, attempt=1, calls=()),
        EngageCase(case=CASE, attempt=1, department="D15"),
        SubmitResult(case=CASE, call=P4_CALL, attempt=1, handlers=(), solved="yes"),
        CloseCase(case=CASE, attempt=1),
        ApproveResult(case=CASE, by="x"),
        SendBackResult(case=CASE, by="x", reason=words("y")),
        ExplainCase(case=CASE, by="x"),
        FollowUp(case=CASE, report=REPORT, by="x", contacted=False),
        FollowUp(case=CASE, report=REPORT, by="reporter", contacted=True, solved=True),
    ],
    ids=lambda request: type(request).__name__,
)
def test_nothing_can_be_done_with_a_case_that_nobody_opened(past: Past, request_: Request) -> None:
    with pytest.raises(Rejected, match="expected an opened case, found none with this id"):
        past.decide(request_)
