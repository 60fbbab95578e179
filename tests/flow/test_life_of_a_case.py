"""The life of a case, act by act: what is recorded at each step, and what everybody can see of it then."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from events.call import AcknowledgeCall, CallClockMissed, CallEscalated, ContactReporter, FileResult, ReportIn
from events.case import (
    ApproveResult,
    CaseFollowedUp,
    CaseReopened,
    CaseResolved,
    ClassifyCase,
    ExplainCase,
    FollowUp,
    SendBackResult,
)
from events.ids import outcome_of
from events.outcome import PublishOutcome, WithholdOutcome
from events.private import Sealed
from events.report import LinkReportToCase, RefuseReport, ReportSubmitted, SubmitReport
from services.runtime.batch import Answer, Submission
from services.runtime.errors import Conflict, Erased
from services.voice import Held, Standing, Voice
from services.wiring import House
from tests.flow.township import (
    MONDAY_MORNING,
    act,
    all_facts,
    hand_in,
    names,
    open_case,
    pass_time,
    react,
    row,
    rows,
    settled,
    submission,
    timers,
)

OpenHouse = Callable[..., House]
pytestmark = pytest.mark.every_store
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


class Since:
    """What has been recorded since one looked last."""

    def __init__(self, house: House) -> None:
        self._house, self._position = house, house.log.head()

    def recorded(self) -> list[str]:
        facts = all_facts(self._house.log, self._position)
        self._position = self._house.log.head()
        return names(facts)


def later(house: House, by: timedelta) -> None:
    pass_time(house, house.clock.now() + by)


def text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")


def leg(house: House, case: str, department: str) -> dict[str, Any]:
    """A department's part in the newest call that has it."""
    return max(rows(house.views, "legs", case=case, department=department), key=lambda found: found["called_at"])


def acknowledge(house: House, case: str, department: str) -> Answer:
    call = leg(house, case, department)["call"]
    return act(house, AcknowledgeCall(call=call, department=department, by=f"{department}-1"), f"{department}-1")


def report_in(house: House, case: str, department: str) -> Answer:
    call = leg(house, case, department)["call"]
    request = ReportIn(call=call, department=department, by=f"{department}-1", people=3)
    return act(house, request, f"{department}-1")


def file_result(house: House, case: str, department: str, solved: Any = "yes") -> Answer:
    found = leg(house, case, department)
    request = FileResult(
        call=found["call"],
        case=case,
        department=department,
        by=f"{department}-1",
        solved=solved,
        account="路面已修好，照片三张。",
        reply="您反映的路面已修复，如有问题请致电13800000000。" if found["role"] == "lead" else None,
    )
    return act(house, request, f"{department}-1")


def bring_to_review(house: House, case: str) -> None:
    """All that the required departments have to do for a damaged road."""
    later(house, MINUTE)
    for department in [found["department"] for found in rows(house.views, "legs", case=case, required=True)]:
        if leg(house, case, department)["progress"] == "called":
            acknowledge(house, case, department)
            report_in(house, case, department)
            assert file_result(house, case, department).status == "accepted"
    assert row(house, "cases", case=case)["phase"] == "in_review"


def follow_up(house: House, case: str, **answer: Any) -> Answer:
    report = row(house, "cases", case=case)["report"]
    return act(house, FollowUp(case=case, report=report, by="clerk", **answer), "clerk")


# The straight path


def test_the_straight_path_from_the_report_to_the_published_outcome(house: House) -> None:  # noqa: PLR0915 - one life
    since = Since(house)

    # A resident reports
    report = hand_in(house, "1")
    assert since.recorded() == ["report.submitted", "report.accepted", "reporter.reported"]
    house.views.catch_up(house.log)
    found = row(house, "reports", report=report)
    assert (found["phase"], found["case"], found["claimed_matter"]) == ("accepted", None, "602")
    assert len(found["receipt"]) == 13

    # The command centre opens a case and calls two platforms
    react(house)
    case = row(house, "reports", report=report)["case"]
    assert since.recorded() == [
        "case.opened",
        "case.classified",
        "report.linked",
        "case.calls-issued",
        "call.issued",
        "call.issued",
        "call.departments-called",
        "call.departments-called",
    ]
    assert row(house, "reports", report=report)["phase"] == "linked"
    now = row(house, "cases", case=case)
    assert (now["phase"], now["matter"], now["handling_class"], now["classified_by"]) == (
        "calling",
        "602",
        "U2",
        "sender",
    )
    assert (now["calls"], now["departments"], now["attempt"]) == (2, 3, 1)
    assert rows(house.views, "triage") == []
    assert {(found["department"], found["role"], found["required"]) for found in rows(house.views, "legs")} == {
        ("D32", "lead", 1),
        ("D09", "assist", 1),
        ("D11", "assist", 0),
    }
    lead = leg(house, case, "D32")
    assert lead["acknowledge_due"] == text(MONDAY_MORNING + HOUR)
    assert lead["arrive_due"] == text(MONDAY_MORNING + 2 * HOUR)
    assert lead["contact_due"] == text(MONDAY_MORNING + 4 * HOUR)
    assert leg(house, case, "D11")["arrive_due"] is None
    owed = {found["owner"]: found["owes"] for found in rows(house.views, "board", case=case)}
    assert owed == {"command_centre": "result", "D32": "acknowledge", "D09": "acknowledge", "D11": "acknowledge"}

    # The departments acknowledge; the case is in progress once both that it waits for have
    later(house, 10 * MINUTE)
    acknowledge(house, case, "D32")
    assert since.recorded() == ["call.acknowledged", "case.engaged"]
    assert row(house, "cases", case=case)["phase"] == "calling"
    acknowledge(house, case, "D09")
    assert since.recorded() == ["call.acknowledged", "case.engaged"]
    assert row(house, "cases", case=case)["phase"] == "in_progress"
    acknowledge(house, case, "D11")
    assert since.recorded() == ["call.acknowledged"]
    lead = leg(house, case, "D32")
    assert (lead["progress"], lead["acknowledged_late"]) == ("acknowledged", 0)
    assert lead["acknowledged_at"] == text(MONDAY_MORNING + 10 * MINUTE)
    assert row(house, "board", case=case, owner="D32")["owes"] == "arrive"
    assert row(house, "board", case=case, owner="D11")["owes"] == "result"

    # They report in on the spot; the lead speaks with the resident
    later(house, 30 * MINUTE)
    report_in(house, case, "D32")
    report_in(house, case, "D09")
    call = lead["call"]
    act(house, ContactReporter(call=call, department="D32", by="D32-1"), "D32-1")
    assert since.recorded() == ["call.reported-in", "call.reported-in", "call.reporter-contacted"]
    lead = leg(house, case, "D32")
    assert (lead["progress"], lead["people"], lead["reported_in_late"]) == ("reported_in", 3, 0)
    assert lead["contacted_at"] == text(house.clock.now())

    # They file their results; the assisting department that nobody waits for is released
    later(house, 3 * HOUR)
    file_result(house, case, "D09")
    assert since.recorded() == ["call.result-filed", "call.completed", "case.call-completed"]
    assert row(house, "cases", case=case)["phase"] == "in_progress"
    file_result(house, case, "D32")
    assert since.recorded()[:4] == [
        "call.result-filed",
        "call.completed",
        "case.call-completed",
        "case.result-submitted",
    ]
    now = row(house, "cases", case=case)
    assert (now["phase"], now["solved"], now["late"]) == ("in_review", "yes", 0)
    assert {leg(house, case, department)["progress"] for department in ("D32", "D09")} == {"filed"}
    assert leg(house, case, "D11")["progress"] == "released"
    assert {found["owner"]: found["owes"] for found in rows(house.views, "board", case=case)} == {
        "command_centre": "review"
    }
    assert timers(house.log) == {}

    # Somebody who did not handle it reviews it
    refused = act(house, ApproveResult(case=case, by="D32-1"), "D32-1")
    assert refused.status == "rejected"
    assert since.recorded() == []
    act(house, ApproveResult(case=case, by="reviewer"), "reviewer")
    assert since.recorded() == ["case.resolved", "outcome.drafted"]
    now = row(house, "cases", case=case)
    assert (now["phase"], now["reviewed_by"]) == ("resolved", "reviewer")
    assert row(house, "notices", case=case)["phase"] == "drafted"
    assert {found["owner"]: found["owes"] for found in rows(house.views, "board", case=case)} == {
        "command_centre": "follow_up",
        "disclosure": "disclose",
    }

    # The resident is asked, and says that it is solved
    later(house, 20 * HOUR)
    follow_up(house, case, contacted=True, solved=True, satisfied=True)
    assert since.recorded() == ["case.followed-up", "case.closed"]
    now = row(house, "cases", case=case)
    assert (now["phase"], now["close_reason"], now["satisfied"], now["follow_ups"]) == ("closed", "solved", 1, 1)

    # A second person publishes the outcome, in which no telephone number is left
    outcome = outcome_of(case)
    refused = act(house, PublishOutcome(outcome=outcome, case=case, by="D32-1"), "D32-1")
    assert refused.status == "rejected"
    act(house, PublishOutcome(outcome=outcome, case=case, by="publisher"), "publisher")
    assert since.recorded() == ["outcome.published"]
    notice = row(house, "notices", case=case)
    assert (notice["phase"], notice["decided_by"], notice["late"]) == ("published", "publisher", 0)
    published = house.log.stream(outcome)[-1].fact
    reply = house.vault.open(getattr(published, "reply"), str, "anybody", "to read it", MONDAY_MORNING)  # noqa: B009 - a fact of any kind
    assert "路面已修复" in reply
    assert "13800000000" not in reply
    assert rows(house.views, "board") == []

    # Everything is in the timeline, in order, and the chain is whole
    timeline = sorted(rows(house.views, "timeline", case=case), key=lambda found: found["position"])
    assert [found["what"] for found in timeline] == [
        fact.name for fact in all_facts(house.log) if not fact.name.startswith(("report", "district"))
    ]
    settled(house.log)


def correlations(house: House) -> dict[str, set[str]]:
    """By kind of stream, with which streams its facts say that everything began."""
    found: dict[str, set[str]] = {}
    for fact in all_facts(house.log, after=1):
        found.setdefault(fact.name.split(".")[0], set()).add(fact.meta.correlation)
    return found


def test_every_fact_about_a_report_its_case_and_its_calls_says_with_which_report_it_began(house: House) -> None:
    report = hand_in(house, "1")
    react(house)
    case = row(house, "reports", report=report)["case"]
    bring_to_review(house, case)

    found = correlations(house)

    assert found == {kind: {report} for kind in ("report", "reporter", "case", "call")}


def test_the_facts_of_an_outcome_say_with_which_report_it_began(house: House) -> None:
    case = open_case(house, "1")
    bring_to_review(house, case)
    act(house, ApproveResult(case=case, by="reviewer"), "reviewer")

    assert correlations(house)["outcome"] == {row(house, "cases", case=case)["report"]}


def test_a_second_report_of_one_reporter_on_another_matter_began_with_itself(house: House) -> None:
    hand_in(house, "1")

    second = hand_in(house, "2", matter="404")

    assert {fact.meta.correlation for fact in house.log.stream(second)} == {second}


def test_a_case_that_no_words_make_certain_waits_in_triage_until_an_operator_decides(house: House) -> None:
    case = open_case(house, "1", matter=None, title="你好", text="有事要说。")
    waiting = row(house, "triage", case=case)
    assert row(house, "cases", case=case)["phase"] == "triage"
    assert waiting["threshold"] == house.ledger.rules.district.triage_threshold
    assert row(house, "board", case=case)["owes"] == "classify"

    refused = act(house, ClassifyCase(case=case, matter="no such matter", by="operator"), "operator")
    answer = act(house, ClassifyCase(case=case, matter="602", by="operator"), "operator")

    assert (refused.status, answer.status) == ("rejected", "accepted")
    now = row(house, "cases", case=case)
    assert (now["phase"], now["classified_by"], now["matter"]) == ("calling", "operator", "602")
    assert rows(house.views, "triage") == []


def test_a_report_refused_in_triage_ends_its_case_with_it(house: House) -> None:
    report = hand_in(house, "1", matter=None, title="你好", text="有事要说。")
    react(house)
    case = row(house, "reports", report=report)["case"]

    request = RefuseReport(report=report, case=case, ground="court", advice="请向法院提出。", by="operator")
    answer = act(house, request, "operator")

    assert answer == Answer("accepted", facts=2)
    found = row(house, "reports", report=report)
    assert (found["phase"], found["refused_ground"]) == ("refused", "court")
    assert row(house, "cases", case=case)["close_reason"] == "refused"
    assert rows(house.views, "triage") == rows(house.views, "board") == []


# Clocks


def test_a_missed_acknowledgement_becomes_a_fact_at_its_due_time_and_is_escalated_step_by_step(house: House) -> None:
    case = open_case(house, "1")
    due = MONDAY_MORNING + HOUR

    pass_time(house, due - timedelta(microseconds=1))
    assert [fact for fact in all_facts(house.log) if isinstance(fact.fact, CallClockMissed)] == []
    assert row(house, "board", case=case, owner="D32")["overdue"] == 0

    pass_time(house, due)
    missed = [fact for fact in all_facts(house.log) if isinstance(fact.fact, CallClockMissed)]
    assert {(fact.fact.department, fact.fact.clock) for fact in missed if isinstance(fact.fact, CallClockMissed)} == {
        (department, "acknowledge") for department in ("D32", "D09", "D11")
    }
    assert {fact.meta.recorded_at for fact in missed} == {due}
    assert row(house, "board", case=case, owner="D32")["overdue"] == 1
    assert leg(house, case, "D32")["missed"] == 1

    pass_time(house, due + HOUR / 2)
    steps = [fact for fact in all_facts(house.log) if isinstance(fact.fact, CallEscalated)]
    told = [
        (fact.meta.recorded_at - due, fact.fact.step, fact.fact.post, fact.fact.person)
        for fact in steps
        if isinstance(fact.fact, CallEscalated) and fact.fact.department == "D32"
    ]
    platform = leg(house, case, "D32")["platform"]
    assert told == [
        (HOUR / 4, 1, "platform_head", f"head-{platform}"),
        (HOUR / 2, 2, "command_centre", "command-centre"),
    ]
    assert row(house, "board", case=case, owner="D32")["escalated"] == 2
    assert leg(house, case, "D32")["escalated_to"] == "command_centre"


def test_a_late_acknowledgement_is_accepted_and_marked_late_and_stops_the_steps_that_are_left(house: House) -> None:
    case = open_case(house, "1")
    pass_time(house, MONDAY_MORNING + HOUR + 20 * MINUTE)

    answer = acknowledge(house, case, "D32")
    pass_time(house, MONDAY_MORNING + 110 * MINUTE)

    assert answer.status == "accepted"
    found = leg(house, case, "D32")
    assert (found["progress"], found["acknowledged_late"]) == ("acknowledged", 1)
    steps = [
        fact.fact.step
        for fact in all_facts(house.log)
        if isinstance(fact.fact, CallEscalated) and (fact.fact.department, fact.fact.clock) == ("D32", "acknowledge")
    ]
    assert steps == [1]
    assert row(house, "workload", department="D32")["acknowledged_late"] == 1


def test_one_departments_acknowledgement_silences_no_other_departments_clock(house: House) -> None:
    case = open_case(house, "1")

    acknowledge(house, case, "D32")
    pass_time(house, MONDAY_MORNING + HOUR)

    missed = [fact.fact for fact in all_facts(house.log) if isinstance(fact.fact, CallClockMissed)]
    assert {(fact.department, fact.clock) for fact in missed} == {("D09", "acknowledge"), ("D11", "acknowledge")}


def test_a_case_in_which_nobody_can_be_asked_closes_by_the_clock(house: House) -> None:
    case = open_case(house, "1", anonymous=True, reporter=None)
    bring_to_review(house, case)
    act(house, ApproveResult(case=case, by="reviewer"), "reviewer")
    resolved = house.log.stream(case)[-1].fact
    assert isinstance(resolved, CaseResolved)
    assert resolved.closes_at is not None

    pass_time(house, resolved.closes_at - timedelta(microseconds=1))
    assert row(house, "cases", case=case)["phase"] == "resolved"
    pass_time(house, resolved.closes_at)

    now = row(house, "cases", case=case)
    assert (now["phase"], now["closed_at"]) == ("closed", text(resolved.closes_at))


# Several reports


def test_two_reports_of_one_reporter_within_a_day_are_one_case_with_two_receipts(house: House) -> None:
    first = hand_in(house, "1")
    react(house)
    later(house, 23 * HOUR)

    second = hand_in(house, "2", text="还没有人来。")
    react(house)

    found = [row(house, "reports", report=report) for report in (first, second)]
    assert found[0]["case"] == found[1]["case"]
    assert found[0]["receipt"] != found[1]["receipt"]
    assert [told["supplement"] for told in found] == [0, 1]
    assert row(house, "cases", case=found[0]["case"])["reports"] == 2
    assert len(rows(house.views, "cases")) == 1


@pytest.mark.parametrize(
    ("other", "hours"),
    [
        ({}, 25),
        ({"reporter": "somebody else"}, 1),
        ({"matter": "404"}, 1),
        ({"village": "445303100002"}, 1),
        ({"anonymous": True}, 1),
    ],
    ids=["a day later", "another reporter", "another matter", "another village", "anonymous"],
)
def test_anything_less_certain_opens_a_case_of_its_own(house: House, other: dict[str, Any], hours: int) -> None:
    if "village" in other:
        other = {"village": house.ledger.rules.district.villages[1].code}
    first = open_case(house, "1")
    later(house, hours * HOUR)

    second = open_case(house, "2", **other)

    assert first != second
    assert {found["case"] for found in rows(house.views, "cases")} == {first, second}


def test_the_same_story_after_the_case_has_ended_opens_a_new_one(house: House) -> None:
    first = open_case(house, "1", matter=None, title="你好", text="有事要说。")
    act(house, ClassifyCase(case=first, matter="602", by="operator"), "operator")
    told = open_case(house, "2")
    bring_to_review(house, told)
    act(house, ApproveResult(case=told, by="reviewer"), "reviewer")
    follow_up(house, told, contacted=True, solved=True, satisfied=True)
    later(house, HOUR)

    again = hand_in(house, "3")
    react(house)

    found = row(house, "reports", report=again)
    assert found["case"] not in (first, told)
    assert row(house, "cases", case=found["case"])["phase"] == "calling"


# Done again


def test_a_result_that_the_reviewer_sends_back_is_called_for_again_by_the_lead_alone(house: House) -> None:
    case = open_case(house, "1")
    bring_to_review(house, case)
    since = Since(house)

    by_handler = act(house, SendBackResult(case=case, by="D32-1", reason="我自己来。"), "D32-1")
    act(house, SendBackResult(case=case, by="reviewer", reason="请补照片。"), "reviewer")

    assert by_handler.status == "rejected"
    assert since.recorded() == [
        "case.result-sent-back",
        "case.calls-issued",
        "call.issued",
        "call.departments-called",
    ]
    now = row(house, "cases", case=case)
    assert (now["phase"], now["attempt"], now["calls"]) == ("calling", 2, 3)
    assert {found["owner"] for found in rows(house.views, "board", case=case)} == {"command_centre", "D32"}
    bring_to_review(house, case)
    act(house, ApproveResult(case=case, by="reviewer"), "reviewer")
    assert row(house, "cases", case=case)["phase"] == "resolved"


def test_a_reporter_who_says_it_is_not_solved_has_it_done_again_and_the_second_time_the_reviewer_decides(
    house: House,
) -> None:
    case = open_case(house, "1")
    bring_to_review(house, case)
    act(house, ApproveResult(case=case, by="reviewer"), "reviewer")
    since = Since(house)

    follow_up(house, case, contacted=True, solved=False, satisfied=False)
    assert since.recorded() == [
        "case.followed-up",
        "case.rework-ordered",
        "case.calls-issued",
        "call.issued",
        "call.departments-called",
    ]
    assert row(house, "cases", case=case)["attempt"] == 2
    bring_to_review(house, case)
    act(house, ApproveResult(case=case, by="reviewer"), "reviewer")
    assert row(house, "notices", case=case)["attempt"] == 2
    since.recorded()

    follow_up(house, case, contacted=True, solved=False, satisfied=False)
    assert since.recorded() == ["case.followed-up", "case.review-reopened"]
    assert row(house, "cases", case=case)["phase"] == "in_review"
    act(house, ExplainCase(case=case, by="reviewer"), "reviewer")

    now = row(house, "cases", case=case)
    assert (now["phase"], now["close_reason"], now["satisfied"]) == ("closed", "explained", 0)
    assert timers(house.log) == {}
    settled(house.log)


def by_receipt(house: House, submitted: Submission) -> Answer:
    """Have what came by a receipt decided, and let everybody react."""
    answer = house.ledger.decide(submitted)
    react(house)
    return answer


def test_a_case_rated_by_receipt_closes_and_its_reporter_has_it_taken_up_again(house: House) -> None:  # noqa: PLR0915 - one life
    report = hand_in(house, "1")
    react(house)
    receipt, case = (row(house, "reports", report=report)[name] for name in ("receipt", "case"))
    voice, held = Voice(house), Held(receipt, report, case)
    bring_to_review(house, case)
    assert voice.standing(held) == Standing()
    act(house, ApproveResult(case=case, by="reviewer"), "reviewer")
    act(house, PublishOutcome(outcome=outcome_of(case), case=case, by="publisher"), "publisher")
    since = Since(house)

    # The reporter answers by receipt; the same again is the same answer, another one is a conflict
    assert voice.standing(held).may == ("rate",)
    first = by_receipt(house, voice.rating(held, solved=True, satisfied=True))
    again = by_receipt(house, voice.rating(held, solved=True, satisfied=True))
    with pytest.raises(Conflict):
        house.ledger.decide(voice.rating(held, solved=False, satisfied=False))
    assert (first.facts, first.repeated, again.repeated) == (2, False, True)
    assert since.recorded() == ["case.followed-up", "case.closed"]
    now = row(house, "cases", case=case)
    assert (now["phase"], now["close_reason"], now["satisfied"], now["reopenings"]) == ("closed", "solved", 1, 0)
    assert rows(house.views, "board", case=case) == []

    # A week later it is as bad as before: the lead is called again, and has half the time
    later(house, timedelta(days=7))
    standing = voice.standing(held)
    assert standing.may == ("reopen",)
    assert standing.rated is not None
    assert (standing.rated.solved, standing.rated.satisfied) == (True, True)
    first = by_receipt(house, voice.reopening(held, "同一处又塌了。"))
    again = by_receipt(house, voice.reopening(held, "同一处又塌了。"))
    assert (first.status, first.repeated, again.repeated) == ("accepted", False, True)
    assert since.recorded() == ["case.reopened", "case.calls-issued", "call.issued", "call.departments-called"]
    now = row(house, "cases", case=case)
    assert (now["phase"], now["attempt"], now["reopenings"]) == ("calling", 2, 1)
    assert (now["closed_at"], now["close_reason"]) == (None, None)
    promised = house.ledger.rules.reopened_due(house.ledger.rules.matter("602"), house.clock.now())
    assert now["result_due"] == leg(house, case, "D32")["result_due"] == text(promised.by)
    owed = rows(house.views, "board", case=case)
    assert {found["owner"]: found["owes"] for found in owed} == {"command_centre": "result", "D32": "acknowledge"}
    assert {(found["village"], found["matter"]) for found in owed} == {(now["village"], "602")}
    reopened = next(fact for fact in house.log.stream(case) if isinstance(fact.fact, CaseReopened)).fact
    assert isinstance(reopened, CaseReopened)
    reason = house.vault.open(reopened.reason, str, "anybody", "to read it", MONDAY_MORNING)
    assert (reason, reopened.reason.key) == ("同一处又塌了。", report)

    # What was published stays so until there is a new result, which is drafted anew
    assert row(house, "notices", case=case)["phase"] == "published"
    bring_to_review(house, case)
    act(house, ApproveResult(case=case, by="reviewer"), "reviewer")
    notice = row(house, "notices", case=case)
    assert (notice["phase"], notice["attempt"]) == ("drafted", 2)

    # The reporter is asked anew
    assert voice.standing(held) == Standing(("rate",))
    by_receipt(house, voice.rating(held, solved=True, satisfied=False))
    now = row(house, "cases", case=case)
    assert (now["phase"], now["satisfied"], now["follow_ups"]) == ("closed", 0, 2)
    timeline = [found["what"] for found in rows(house.views, "timeline", case=case)]
    assert timeline.count("case.reopened.v1") == 1
    settled(house.log)


def closed_by_its_reporter(house: House) -> tuple[Voice, Held]:
    report = hand_in(house, "1")
    react(house)
    found = row(house, "reports", report=report)
    voice, held = Voice(house), Held(found["receipt"], report, found["case"])
    bring_to_review(house, held.case)
    act(house, ApproveResult(case=held.case, by="reviewer"), "reviewer")
    assert by_receipt(house, voice.rating(held, solved=True, satisfied=True)).facts == 2
    return voice, held


def test_a_closed_case_can_be_reopened_for_thirty_days(house: House) -> None:
    voice, held = closed_by_its_reporter(house)

    later(house, timedelta(days=30))
    assert voice.standing(held).may == ("reopen",)
    later(house, MINUTE)
    assert voice.standing(held).may == ()
    late = by_receipt(house, voice.reopening(held, "又坏了。"))
    assert (late.status, late.reason[:41]) == ("rejected", "expected a case closed in the last 30 day")


def test_a_reporter_who_was_erased_does_not_come_back(house: House) -> None:
    voice, held = closed_by_its_reporter(house)

    house.erase(held.report, "somebody", "request")

    refused = by_receipt(house, voice.reopening(held, "还是坏的。"))

    assert voice.standing(held).may == ()
    assert (refused.status, "erased" in refused.reason) == ("rejected", True)
    settled(house.log)


def test_a_reporter_who_cannot_be_reached_is_tried_on_several_days_and_then_the_case_closes(house: House) -> None:
    case = open_case(house, "1")
    bring_to_review(house, case)
    act(house, ApproveResult(case=case, by="reviewer"), "reviewer")

    answers = [follow_up(house, case, contacted=False) for _ in range(3)]
    assert [answer.status for answer in answers] == ["accepted", "accepted", "rejected"]
    assert "at least two days" in answers[2].reason
    later(house, 24 * HOUR)
    follow_up(house, case, contacted=False)

    tries = [fact.fact for fact in house.log.stream(case) if isinstance(fact.fact, CaseFollowedUp)]
    assert [tried.try_no for tried in tries] == [1, 2, 3]
    now = row(house, "cases", case=case)
    assert (now["phase"], now["follow_ups"], now["satisfied"]) == ("closed", 3, None)


def test_a_notice_can_be_withheld_with_its_ground_by_a_second_person(house: House) -> None:
    case = open_case(house, "1")
    bring_to_review(house, case)
    act(house, ApproveResult(case=case, by="reviewer"), "reviewer")

    request = WithholdOutcome(outcome=outcome_of(case), case=case, by="publisher", ground="personal_data")
    act(house, request, "publisher")

    notice = row(house, "notices", case=case)
    assert (notice["phase"], notice["ground"], notice["reply"]) == ("withheld", "personal_data", None)


def test_a_confidential_case_gets_no_notice(house: House) -> None:
    case = open_case(house, "1", matter="102")
    assert row(house, "cases", case=case)["visibility"] == "confidential"
    acknowledge(house, case, "D04")
    file_result(house, case, "D04")

    act(house, ApproveResult(case=case, by="reviewer"), "reviewer")

    assert row(house, "cases", case=case)["phase"] == "resolved"
    assert rows(house.views, "notices") == []


def test_acts_out_of_order_are_rejected_with_what_was_expected_and_record_nothing(house: House) -> None:
    case = open_case(house, "1")
    call = leg(house, case, "D32")["call"]
    before = house.log.head()

    refused = [
        report_in(house, case, "D32"),
        file_result(house, case, "D32"),
        act(house, ContactReporter(call=call, department="D32", by="D32-1")),
        act(house, AcknowledgeCall(call=call, department="D01", by="D01-1")),
        act(house, ApproveResult(case=case, by="reviewer")),
        act(house, SendBackResult(case=case, by="reviewer", reason="请补照片。")),
        act(house, ExplainCase(case=case, by="reviewer")),
        follow_up(house, case, contacted=True, solved=True, satisfied=True),
        act(house, PublishOutcome(outcome=outcome_of(case), case=case, by="publisher")),
    ]

    assert [answer.status for answer in refused] == ["rejected"] * len(refused)
    assert all(answer.reason.count("expected") == 1 and "found" in answer.reason for answer in refused)
    assert house.log.head() == before


def test_every_act_done_twice_is_done_once(house: House) -> None:
    case = open_case(house, "1")
    acknowledge(house, case, "D32")
    report_in(house, case, "D32")
    before = house.log.head()

    answers = [acknowledge(house, case, "D32"), report_in(house, case, "D32")]

    assert answers == [Answer("accepted", facts=0)] * 2
    assert house.log.head() == before


# Erasure in the middle


def test_after_an_erasure_in_the_middle_nobody_reads_the_words_and_the_chain_still_verifies(house: House) -> None:
    case = open_case(house, "1")
    report = row(house, "cases", case=case)["report"]
    acknowledge(house, case, "D32")
    submitted = house.log.stream(report)[0].fact
    assert isinstance(submitted, ReportSubmitted)

    house.erase(report, by="officer", reason="request")
    house.views.catch_up(house.log)

    with pytest.raises(Erased):
        house.vault.open(submitted.words, Sealed, "operator", "to read it", MONDAY_MORNING)
    assert row(house, "reports", report=report)["erased_at"] == text(house.clock.now())
    assert row(house, "cases", case=case)["phase"] == "calling"
    assert names(house.log.stream(report)) == ["report.submitted", "report.accepted", "report.linked", "report.erased"]
    settled(house.log)


def test_after_an_erasure_the_clocks_and_acts_without_words_go_on(house: House) -> None:
    case = open_case(house, "1")
    house.erase(row(house, "cases", case=case)["report"], by="officer", reason="request")

    acknowledge(house, case, "D32")
    report_in(house, case, "D32")
    pass_time(house, MONDAY_MORNING + HOUR)

    assert leg(house, case, "D32")["progress"] == "reported_in"
    assert leg(house, case, "D09")["missed"] == 1


def test_after_an_erasure_the_case_can_still_be_brought_to_its_end(house: House) -> None:
    case = open_case(house, "1")
    house.erase(row(house, "cases", case=case)["report"], by="officer", reason="request")

    bring_to_review(house, case)
    act(house, ApproveResult(case=case, by="reviewer"), "reviewer")

    assert row(house, "cases", case=case)["phase"] == "resolved"


def test_the_other_reporter_of_a_case_is_served_on_after_the_first_was_erased(house: House) -> None:
    case = open_case(house, "1")
    open_case(house, "2")
    assert row(house, "cases", case=case)["reports"] == 2
    house.erase(row(house, "cases", case=case)["report"], by="officer", reason="request")

    bring_to_review(house, case)
    act(house, ApproveResult(case=case, by="reviewer"), "reviewer")
    follow_up(house, case, contacted=True, solved=True, satisfied=True)

    assert row(house, "cases", case=case)["phase"] == "closed"


def test_an_erased_report_is_erased_once_and_one_that_never_was_cannot_be(house: House) -> None:
    report = hand_in(house, "1")

    answers = [house.erase(report, by="officer", reason="request") for _ in range(2)]
    unknown = house.erase("0" * 32, by="officer", reason="request")

    assert [(answer.status, answer.facts) for answer in answers] == [("accepted", 1), ("accepted", 0)]
    assert unknown.status == "rejected"


def test_a_report_is_linked_once_and_stays_with_its_case(house: House) -> None:
    case = open_case(house, "1")
    request = submission(house, "1").request
    assert isinstance(request, SubmitReport)

    answer = act(house, LinkReportToCase(report=request.report, case="0" * 32))

    assert answer.facts == 0
    assert row(house, "reports", report=request.report)["case"] == case
