"""Laws of a township through the seasons: it begins on any eve or leap day, and holidays are amended while it works."""

from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test
from msgspec import structs

from events.call import CallClockMissed, MissClock, RecountDues
from events.case import Due, RecountCaseDues
from events.district import District
from events.envelope import Request
from events.mobilisation import RecountMobilisationReview, StandDown
from services.people.roster import answers
from services.platforms.call import CLOCKS
from services.rules.book import RuleBook
from tests.unit.moments import at
from tests.unit.past import LIUDU_VILLAGE, Past, with_district
from tests.unit.scripts import EDGES_OF_TIME, Script
from tests.unit.test_laws import STAGES, Township, bring_to
from tests.unit.test_mobilisation_decisions import ASKED, TURN_OUT, opened, order, register

IN_WORKING_TIME = ("999", "302", "101")
"""Matters whose clocks run in office hours, the last one at its village first."""


class Seasons(Township):
    """The same people at work, on days on which counting is not easy."""

    def __init__(self, rules: RuleBook) -> None:
        super().__init__(rules)
        self.rules, self.script = rules, Script()
        self.began = (STAGES[0], self.now)
        self.told: dict[tuple[Any, ...], datetime] = {}

    @initialize(
        stage=st.sampled_from(STAGES), start=st.sampled_from(EDGES_OF_TIME), matter=st.sampled_from(IN_WORKING_TIME)
    )
    def begin(self, stage: str, start: str, matter: str) -> None:
        self.now = at(start)
        self.began = (stage, self.now)
        bring_to(self.past, stage, self.now)
        self.report(matter, (), LIUDU_VILLAGE)

    def play(self, request: Request) -> None:
        before = len(self.past.facts)
        note(self.script.play(self.past, request, self.now))
        for stream, fact in self.past.facts[before:]:
            if isinstance(fact, CallClockMissed):
                self.nobody_is_late_before_their_time_is_over(stream, fact)

    def nobody_is_late_before_their_time_is_over(self, stream: str, missed: CallClockMissed) -> None:
        call = self.past.states[stream]
        due = call.parts[missed.department].leg.due(missed.clock)
        assert due.by == missed.due <= self.now
        assert self.past.rules.recounted(call.called_at, due) == due

    @rule(first=st.integers(0, 4), many=st.integers(1, 4), to=st.sampled_from(["rest", "work"]), tell=st.booleans())
    def amend_the_calendar(self, first: int, many: int, to: str, tell: bool) -> None:
        """The days before us become days of rest, or of work; calls and cases hear of it, or timers find out."""
        days = {self.now.date() + timedelta(days=first + n) for n in range(many)}
        self.past.rules = with_district(self.past.rules, lambda district: _amended(district, days, to))
        if tell:
            for call in self.streams("call"):
                self.play(RecountDues(call=call))
            for case in self.streams("case"):
                self.play(RecountCaseDues(case=case))

    @invariant()
    def no_due_time_is_earlier_than_it_was_told(self) -> None:
        for call in self.streams("call"):
            for department, part in self.past.states[call].parts.items():
                for clock in CLOCKS:
                    due = part.leg.due(clock)
                    if due is not None:
                        self.tell((call, department, clock), due)

    @invariant()
    def what_a_case_owes_is_due_no_earlier_than_it_was_told(self) -> None:
        for case in self.streams("case"):
            state = self.past.states[case]
            for owes, due in (("result", state.result), ("village", state.village_due), ("", state.due)):
                if due is not None:
                    self.tell((case, owes, due.rule, due.since), due)

    def tell(self, what: tuple[Any, ...], due: Due) -> None:
        assert due.by >= self.told.setdefault(what, due.by)
        self.told[what] = due.by

    @invariant()
    def a_case_promises_nothing_earlier_than_its_departments(self) -> None:
        for stream in self.streams("call"):
            call = self.past.states[stream]
            promise = self.past.states[call.issued.case].result
            for part in call.parts.values():
                leg = part.leg.result
                running = part.runs("result") and "result" not in part.missed
                if running and promise and (leg.rule, leg.since) == (promise.rule, promise.since):
                    assert leg.by <= promise.by

    @invariant()
    def what_a_village_has_waits_for_its_timer_at_its_due_time(self) -> None:
        for case in self.streams("case"):
            state = self.past.states[case]
            if state.phase == "village_handling":
                assert self.past.timers[case, "village"].due == state.village_due.by

    @invariant()
    def every_clock_that_runs_has_an_owner_and_a_timer_at_its_due_time(self) -> None:
        for (stream, _), timer in self.past.timers.items():
            clock = timer.request
            if not isinstance(clock, MissClock):
                continue
            call = self.past.states[stream]
            part, unit = call.parts[clock.department], call.issued.town
            assert self.past.rules.here(unit, clock.department)
            if clock.step:
                post = self.past.rules.district.ladder[clock.step - 1].post
                assert answers(None, post, unit, call.issued.platform, self.now, self.past.rules)
            else:
                assert timer.due == part.leg.due(clock.clock).by
                assert part.runs(clock.clock)

    @invariant()
    def every_clock_that_runs_and_was_not_missed_waits_for_its_timer(self) -> None:
        for call in self.streams("call"):
            for department, part in self.past.states[call].parts.items():
                running = [clock for clock in CLOCKS if part.runs(clock) and clock not in part.missed]
                assert {f"{department}.{clock}" for clock in running} <= {name for _, name in self.past.timers}

    @invariant()
    def no_closed_case_has_a_part_open_that_was_required(self) -> None:
        for call in self.streams("call"):
            state = self.past.states[call]
            if self.past.states[state.issued.case].phase in {"in_review", "resolved", "closed"}:
                assert not [part for part in state.parts.values() if part.open and part.leg.required]

    @invariant()
    def a_case_that_is_called_for_has_one_lead_over_all_its_calls(self) -> None:
        for stream in self.streams("case"):
            calls = self.past.states[stream].calls
            assert not calls or sum(leg.role == "lead" for call in calls for leg in call.legs) == 1

    @precondition(lambda self: self.streams("call"))
    @rule(data=st.data())
    def say_the_same_of_a_call_again(self, data: st.DataObject) -> None:
        """Counting anew is a repeat where nothing was amended since."""
        call = data.draw(st.sampled_from(self.streams("call")), label="call")
        about = self.past.states[call].issued.case
        for again in (RecountDues(call=call), RecountCaseDues(case=about)):
            self.play(again)
            assert self.past.decide(again, self.now) == ()

    def teardown(self) -> None:
        super().teardown()
        again = Past(self.rules)
        bring_to(again, *self.began)
        self.script.play_again(again)
        assert again.facts == self.past.facts
        assert again.timers.keys() >= self.past.timers.keys()


def _amended(district: District, days: set[date], to: str) -> dict[str, Any]:
    calendar = district.calendar
    known = {day for day in days if calendar.first_year <= day.year <= calendar.last_year}
    rest, work = set(calendar.rest) - known, set(calendar.work) - known
    rest, work = (rest | known, work) if to == "rest" else (rest, work | known)
    return {"calendar": structs.replace(calendar, rest=tuple(sorted(rest)), work=tuple(sorted(work)))}


def test_a_township_keeps_its_promises_through_the_seasons_and_says_the_same_when_it_is_played_again(
    rules: RuleBook,
) -> None:
    run_state_machine_as_test(
        lambda: Seasons(rules), settings=settings(max_examples=60, stateful_step_count=30, deadline=None)
    )


@given(
    over=st.sampled_from(EDGES_OF_TIME),
    amended=st.lists(st.tuples(st.sets(st.integers(0, 6)), st.sampled_from(["rest", "work"])), max_size=4),
)
def test_a_turn_out_is_written_up_no_earlier_than_was_told_and_its_timer_stands_at_the_newest(
    rules: RuleBook, over: str, amended: list[tuple[set[int], str]]
) -> None:
    past, now = Past(rules), at(over)
    register(past, "D15", 1)
    opened(past)
    past.play(order())
    past.play(StandDown(**ASKED), now)
    told = past.states[TURN_OUT].review.by

    for days, to in amended:
        off = {now.date() + timedelta(days=n) for n in days}
        past.rules = with_district(past.rules, lambda district, off=off, to=to: _amended(district, off, to))
        past.play(RecountMobilisationReview(mobilisation=TURN_OUT), now)

        due = past.states[TURN_OUT].review
        assert due.by >= told
        assert due.by >= past.rules.turn_out_review_due(now).by
        assert past.timers[TURN_OUT, "review"].due == due.by
        assert past.decide(RecountMobilisationReview(mobilisation=TURN_OUT), now) == ()
        told = due.by
