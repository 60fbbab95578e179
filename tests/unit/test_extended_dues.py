"""期限顺延: a holiday that is amended extends what was told, and shortens nothing.

In 2020 the State Council prolonged the Spring Festival on 27 January: the 31st and the make-up Saturday, 1 February,
became days of rest. Offices had closed on the 23rd.
"""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from events.call import (
    AcknowledgeCall,
    CallAcknowledged,
    CallClockMissed,
    CallDueExtended,
    ContactReporter,
    FileResult,
    MissClock,
    RecountDues,
)
from events.case import (
    ApproveResult,
    CaseDueExtended,
    CaseEscalated,
    ClassifyCase,
    Due,
    EscalateCase,
    FollowUp,
    RecountCaseDues,
    ReopenCase,
)
from events.district import Calendar, District
from events.ids import mobilisation_of
from events.mobilisation import (
    MobilisationOrdered,
    MobilisationReviewExtended,
    MobilisationReviewMissed,
    RecountMobilisationReview,
    StoodDown,
)
from events.report import SubmitReport, Suggestion
from services.rules.book import RuleBook
from services.rules.limits import due_by, half_of, recounted
from tests.unit.moments import at
from tests.unit.past import CASE, LIUDU, LIUDU_VILLAGE, REPORT, Past, with_district, words

EVE = at("2020-01-23 17:00")
TOLD = {"acknowledge": at("2020-01-31 12:00"), "contact": at("2020-01-24 17:00"), "result": at("2020-02-05 17:30")}
LATER = {"acknowledge": at("2020-02-03 12:00"), "contact": at("2020-01-24 17:00"), "result": at("2020-02-07 17:30")}
"""What a case of no certain matter owes its one department, by the first announcement and by the second."""


def first_announced(district: District) -> dict[str, Any]:
    rest = tuple(day for day in district.calendar.rest if day != date(2020, 1, 31))
    return {"calendar": structs.replace(district.calendar, rest=rest, work=(*district.calendar.work, date(2020, 2, 1)))}


@pytest.fixture
def called(rules: RuleBook) -> Past:
    """A case that is called for on the eve, and the amendment after it."""
    past = Past(with_district(rules, first_announced))
    past.play(report(), EVE)
    past.rules = rules
    return past


def report(matter: str = "999") -> SubmitReport:
    return SubmitReport(
        report=REPORT,
        source="hotline",
        record="1",
        receipt="",
        channel="hotline",
        town=LIUDU,
        village=LIUDU_VILLAGE,
        reported_at=EVE,
        words=words("x", REPORT),
        matter=matter,
        suggestions=() if matter else (Suggestion("999", 0.1, ("词",)),),
    )


def the_call(past: Past) -> str:
    return str(past.states[CASE].calls[-1].call)


def who(past: Past) -> dict[str, Any]:
    return {"call": the_call(past), "department": "D01", "by": "officer"}


def recount(past: Past) -> RecountDues:
    return RecountDues(call=the_call(past))


def dues(past: Past) -> dict[str, datetime]:
    leg = past.states[the_call(past)].parts["D01"].leg
    return {clock: leg.due(clock).by for clock in ("acknowledge", "contact", "result")}


def extended(past: Past, now: datetime = EVE) -> list[Any]:
    return [fact for fact in past.facts_of(recount(past), now) if isinstance(fact, CallDueExtended)]


def test_what_was_told_before_an_amendment_stands_until_it_is_counted_anew(called: Past) -> None:
    assert dues(called) == TOLD


def test_every_clock_in_working_time_is_extended_and_says_from_when_until_when(called: Past) -> None:
    about: dict[str, Any] = {"case": CASE, "town": LIUDU, "platform": called.states[CASE].calls[0].platform}

    facts = called.facts_of(recount(called))

    acknowledge, result = "U3 acknowledge 4wh", "matter 999 promised 5wd"
    assert facts == [
        CallDueExtended(
            **about,
            department="D01",
            clock="acknowledge",
            was=Due(by=TOLD["acknowledge"], rule=acknowledge),
            due=Due(by=LATER["acknowledge"], rule=acknowledge),
        ),
        CallDueExtended(
            **about,
            department="D01",
            clock="result",
            was=Due(by=TOLD["result"], rule=result, since=EVE),
            due=Due(by=LATER["result"], rule=result, since=EVE),
        ),
    ]


def test_the_department_has_until_then_and_its_timers_fire_then(called: Past) -> None:
    called.do(recount(called))

    assert dues(called) == LATER
    waiting = {name: timer.due for (stream, name), timer in called.timers.items() if stream == the_call(called)}
    assert waiting == {f"D01.{clock}": due for clock, due in LATER.items()}
    assert called.timers[the_call(called), "D01.acknowledge"].request == MissClock(
        call=the_call(called), department="D01", clock="acknowledge"
    )


def test_counting_anew_twice_is_a_repeat(called: Past) -> None:
    called.do(recount(called))

    assert called.decide(recount(called)) == ()


def test_an_amendment_that_gives_less_time_shortens_nothing(rules: RuleBook) -> None:
    past = Past(rules)
    past.play(report(), EVE)
    past.rules = with_district(rules, first_announced)

    assert past.decide(recount(past)) == ()
    assert dues(past) == LATER


def test_a_clock_that_is_met_or_missed_stays_as_it_is(called: Past) -> None:
    called.rules = with_district(called.rules, first_announced)
    called.play(AcknowledgeCall(**who(called)), EVE)
    called.play(MissClock(call=the_call(called), department="D01", clock="result"), TOLD["result"])
    called.rules = with_district(called.rules, lambda district: {"calendar": longer(district.calendar)})

    assert called.decide(recount(called)) == ()


def longer(calendar: Calendar) -> Calendar:
    return structs.replace(calendar, rest=(*calendar.rest, date(2020, 2, 3)))


def test_a_part_that_is_over_is_not_extended(called: Past) -> None:
    called.play(AcknowledgeCall(**who(called)), EVE)
    called.play(FileResult(**who(called), case=CASE, solved="yes", account=words("x"), reply=words("y")), EVE)

    assert called.decide(recount(called)) == ()


def test_a_timer_that_fires_at_the_old_time_finds_out_by_itself(called: Past) -> None:
    miss = called.timers[the_call(called), "D01.acknowledge"].request

    (found,) = called.facts_of(miss, TOLD["acknowledge"])

    assert isinstance(found, CallDueExtended)
    assert (found.clock, found.was.by, found.due.by) == ("acknowledge", TOLD["acknowledge"], LATER["acknowledge"])


def test_at_the_new_time_the_clock_is_missed_and_the_ladder_goes_on_from_there(called: Past) -> None:
    called.do(recount(called))
    miss = called.timers[the_call(called), "D01.acknowledge"].request

    (missed,) = called.facts_of(miss, LATER["acknowledge"])

    assert isinstance(missed, CallClockMissed)
    assert missed.due == LATER["acknowledge"]
    assert missed.escalations == (at("2020-02-03 15:30"), at("2020-02-03 16:30"))


def test_a_timer_that_was_taken_in_the_instant_of_the_extension_misses_nothing(called: Past) -> None:
    taken = called.timers[the_call(called), "D01.acknowledge"].request
    called.do(recount(called), TOLD["acknowledge"])

    assert called.decide(taken, TOLD["acknowledge"]) == ()


def test_whoever_acts_by_the_new_time_is_not_late(called: Past) -> None:
    called.do(recount(called))

    in_time = called.facts_of(AcknowledgeCall(**who(called)), LATER["acknowledge"])
    late = called.facts_of(AcknowledgeCall(**who(called)), LATER["acknowledge"] + timedelta(microseconds=1))

    assert [fact.late for fact in (*in_time, *late) if isinstance(fact, CallAcknowledged)] == [False, True]


def test_a_promise_is_counted_from_when_it_was_made_and_not_from_the_call(rules: RuleBook) -> None:
    past = Past(with_district(rules, first_announced))
    past.play(report(""), EVE - timedelta(days=2))
    made = EVE - timedelta(days=1)
    classified = past.do(ClassifyCase(case=CASE, matter="999", by="clerk"), made)
    past.settle(classified, EVE)
    past.rules = rules

    *_, result = extended(past)

    assert (result.was.by, result.due.by) == (at("2020-02-04 17:30"), at("2020-02-06 17:30"))
    assert result.due == structs.replace(rules.result_due(rules.matters["999"], made), since=made)


def test_half_the_time_of_a_reopened_case_is_counted_anew_as_half(called: Past) -> None:
    called.rules = with_district(called.rules, first_announced)
    finish(called, EVE)
    called.play(
        ReopenCase(case=CASE, report=REPORT, by="reporter", reason=words("x", REPORT), closed_at=EVE),
        EVE + timedelta(minutes=20),
    )
    called.rules = with_district(called.rules, lambda district: {"calendar": longer(district.calendar)})
    again = EVE + timedelta(minutes=20)

    found = {fact.clock: fact.due for fact in extended(called)}

    promised = called.rules.result_due(called.rules.matters["999"], again)
    assert found["result"] == half_of(called.rules.calendar, again, promised)
    assert found["result"].rule == "half of matter 999 promised 5wd"


def finish(past: Past, now: datetime) -> None:
    past.play(AcknowledgeCall(**who(past)), now)
    past.play(ContactReporter(**who(past)), now)
    past.play(FileResult(**who(past), case=CASE, solved="yes", account=words("x"), reply=words("y")), now)
    past.play(ApproveResult(case=CASE, by="reviewer"), now)
    past.play(FollowUp(case=CASE, report=REPORT, by="clerk", contacted=True, solved=True), now)


# --- what the case owes


def owed(past: Past) -> list[CaseDueExtended]:
    return [f for f in past.facts_of(RecountCaseDues(case=CASE), EVE) if isinstance(f, CaseDueExtended)]


def test_what_a_department_is_given_its_case_promises(called: Past) -> None:
    assert called.states[CASE].result.by == TOLD["result"]
    assert owed(called) == [], "it moves with the departments'"

    called.play(recount(called), EVE)

    assert called.states[CASE].result.by == dues(called)["result"] == LATER["result"]
    (fact,) = [fact for _, fact in called.facts if isinstance(fact, CaseDueExtended)]
    assert (fact.owes, fact.was.by, fact.due.by) == ("result", TOLD["result"], LATER["result"])
    assert fact.due == called.states[the_call(called)].parts["D01"].leg.result


def test_where_a_department_has_missed_it_the_case_promised_no_longer_either(called: Past) -> None:
    called.rules = with_district(called.rules, first_announced)
    called.play(MissClock(call=the_call(called), department="D01", clock="result"), TOLD["result"])
    called.rules = with_district(called.rules, lambda district: {"calendar": longer(district.calendar)})

    called.play(recount(called), TOLD["result"])

    assert called.states[CASE].result.by == dues(called)["result"] == TOLD["result"]


@pytest.fixture
def in_village(rules: RuleBook) -> Past:
    """A village has it on the eve, and the amendment after it."""
    past = Past(with_district(rules, first_announced))
    past.play(report("101"), EVE)
    assert past.states[CASE].phase == "village_handling"
    past.rules = rules
    return past


def test_a_village_has_as_much_longer_and_its_timer_moves(in_village: Past) -> None:
    told = in_village.states[CASE].village_due

    in_village.play(RecountCaseDues(case=CASE), EVE)

    due = in_village.states[CASE].village_due
    assert due == in_village.rules.village_due(EVE)
    assert due.by > told.by
    assert in_village.states[CASE].result == in_village.rules.result_due(in_village.rules.matters["101"], EVE)
    assert in_village.timers[CASE, "village"].due == due.by
    assert in_village.decide(RecountCaseDues(case=CASE)) == ()


def test_the_clock_of_a_village_that_was_not_told_finds_out_by_itself(in_village: Past) -> None:
    timer = in_village.timers[CASE, "village"]

    in_village.play(timer.request, timer.due)

    moved = in_village.timers[CASE, "village"]
    assert moved.due > timer.due
    assert in_village.states[CASE].phase == "village_handling"
    assert isinstance(in_village.facts_of(moved.request, moved.due)[0], CaseEscalated)
    by_hand = EscalateCase(case=CASE, reason="beyond_village", by="村")
    assert isinstance(in_village.facts_of(by_hand, timer.due)[0], CaseEscalated)


def test_review_and_follow_up_are_extended_while_they_are_owed(called: Past) -> None:
    later = called.rules
    called.rules = with_district(later, first_announced)
    called.play(AcknowledgeCall(**who(called)), EVE)
    called.play(FileResult(**who(called), case=CASE, solved="yes", account=words("x"), reply=words("y")), EVE)

    called.rules = later
    (review,) = owed(called)
    called.play(ApproveResult(case=CASE, by="reviewer"), EVE)

    assert (review.owes, review.due) == ("review", later.review_due("U3", EVE))
    assert review.due.by > review.was.by
    assert owed(called) == [], "the follow-up was told by the newest calendar"
    called.rules = with_district(called.rules, lambda district: {"calendar": longest(district.calendar)})
    (follow_up,) = owed(called)
    assert (follow_up.owes, follow_up.due) == ("follow_up", called.rules.follow_up_due(EVE))


def test_a_turn_out_may_be_written_up_later_until_it_is_missed(called: Past) -> None:
    mobilised: Any = {"case": CASE, "town": LIUDU, "platform": "P4"}
    before = with_district(called.rules, first_announced)
    turn_out = mobilisation_of(CASE)
    ordered = MobilisationOrdered(
        **mobilised,
        matter="401",
        village="",
        min_people=1,
        departments=("D15",),
        rosters=(),
        muster=Due(by=EVE, rule="U1 muster 30min"),
        by="clock",
    )
    called.happened(
        turn_out, ordered, StoodDown(**mobilised, by="clock", count=1, review=before.turn_out_review_due(EVE))
    )
    miss = called.timers[turn_out, "review"]

    extended = called.do(miss.request, miss.due)

    review = called.rules.turn_out_review_due(EVE)
    assert extended == (
        (turn_out, MobilisationReviewExtended(**mobilised, was=before.turn_out_review_due(EVE), due=review)),
    )
    assert called.timers[turn_out, "review"].due == review.by > miss.due
    assert called.decide(miss.request, miss.due) == (), "taken in the instant of the extension"
    assert [type(fact) for _, fact in called.do(miss.request, review.by)] == [MobilisationReviewMissed]
    called.rules = with_district(called.rules, lambda district: {"calendar": longest(district.calendar)})
    assert called.decide(RecountMobilisationReview(mobilisation=turn_out)) == ()


def longest(calendar: Calendar) -> Calendar:
    return structs.replace(calendar, rest=(*calendar.rest, *(date(2020, 2, day) for day in range(3, 15))))


@given(
    start=st.datetimes(datetime(2020, 1, 1), datetime(2020, 3, 1)).map(lambda moment: at(moment.isoformat())),  # noqa: DTZ001  # hypothesis wants naive bounds
    text=st.builds(
        lambda amount, unit: f"{amount}{unit}", st.integers(1, 30), st.sampled_from(["min", "h", "d", "wh", "wd"])
    ),
    rest=st.sets(st.dates(date(2020, 1, 1), date(2020, 3, 31)), max_size=9),
    half=st.booleans(),
)
def test_whatever_is_amended_nobody_has_less_time_than_they_were_told(
    rules: RuleBook, start: datetime, text: str, rest: set[date], half: bool
) -> None:
    def amended(district: District) -> dict[str, Any]:
        calendar = district.calendar
        swapped = tuple(day for day in calendar.rest if day not in rest)
        work = tuple(day for day in calendar.work if day not in rest)
        given_back = {day for day in calendar.rest if day in rest}
        return {"calendar": structs.replace(calendar, rest=(*swapped, *(rest - given_back)), work=work)}

    other = with_district(rules, amended).calendar
    told = due_by(rules.calendar, start, text, "label")
    by_now = due_by(other, start, text, "label")
    if half:
        told, by_now = half_of(rules.calendar, start, told), half_of(other, start, by_now)

    found = recounted(other, start, told)

    assert found.by == max(told.by, by_now.by)
    assert found.rule == told.rule
    assert recounted(rules.calendar, start, found) == found
