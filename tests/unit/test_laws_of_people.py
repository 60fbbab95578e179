"""Laws of people: register, rosters, secondments and turn-outs together, over months, leap days and ends of months."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from events.case import CaseClassified, CaseOpened, Due
from events.envelope import Fact, Request
from events.ids import case_of, mobilisation_of, stream_id
from events.mobilisation import (
    ConfirmResponders,
    DeclineResponder,
    Muster,
    OrderMobilisation,
    RespondersMustered,
    ReviewMobilisation,
    StandDown,
)
from events.person import (
    ApproveSecondment,
    ConsentToSecondment,
    EndSecondment,
    MovePerson,
    RefuseSecondment,
    RegisterPerson,
    RequestSecondment,
    SecondmentApproved,
    SecondmentConsented,
    SecondmentEnded,
    SecondmentOverdue,
    SecondmentRequested,
    SecondmentStarted,
)
from events.roster import DeployPerson, EndLeave, GrantLeave, ReleasePerson
from services.people.person import person_id
from services.people.roster import Roster, roster_of
from services.rules.book import RuleBook
from services.rules.calendar import SHANGHAI
from services.rules.limits import add_months
from tests.unit.moments import at
from tests.unit.past import CASE, GAOCUN, LIUDU, LIUDU_VILLAGE, MONDAY, REPORT, Past, words
from tests.unit.scripts import EDGES_OF_TIME, Script
from tests.unit.test_laws import folding_in_two_parts_equals_folding_at_once

CASES = (CASE, case_of(stream_id("report", MONDAY, "hotline", "2")))
TURN_OUTS = {case: mobilisation_of(case) for case in CASES}
TOWNS = {LIUDU: "LD", GAOCUN: "GC"}
ROSTERS = {town: roster_of(town) for town in TOWNS}
RESERVE = roster_of("445303")
NUMBERS = ("LD-D15-1", "LD-D15-2", "LD-D16-1", "LD-D06-1", "GC-D15-1")
ONE = st.sampled_from(NUMBERS)
SOME = st.lists(ONE, min_size=1, max_size=3).map(tuple)
DEPARTMENTS = st.sampled_from(["D15", "D16", "D06"])
STEPS = st.sampled_from([ConsentToSecondment, ApproveSecondment, EndSecondment])


class Staff(RuleBasedStateMachine):
    """Five people of two towns, two scenes, and whoever may send them somewhere."""

    def __init__(self, rules: RuleBook) -> None:
        super().__init__()
        self.rules, self.script = rules, Script()
        self.past = Past(rules)
        self.now = MONDAY

    @initialize(
        start=st.sampled_from(EDGES_OF_TIME),
        served=st.lists(st.sampled_from([0, 23, 24, 30, 40]), min_size=len(NUMBERS), max_size=len(NUMBERS)),
    )
    def begin(self, start: str, served: list[int]) -> None:
        """Everybody has served for so many months, or a day less; both cases want people on the spot."""
        self.now = at(start)
        self._open_cases(self.past)
        for number, months in zip(NUMBERS, served, strict=True):
            alias, department, _ = number.split("-")
            town = next(code for code, known in TOWNS.items() if known == alias)
            since = add_months(self.today, -months) + timedelta(days=months % 2)
            about: dict[str, Any] = {"employer": "单位", "department": department, "by": "区", "town": town}
            self.play(
                RegisterPerson(
                    person=person_id(number), number=number, name=number, since=min(since, self.today), **about
                )
            )

    def _open_cases(self, past: Past) -> None:
        for case in CASES:
            about: dict[str, Any] = {"report": REPORT, "town": LIUDU, "village": LIUDU_VILLAGE, "reported_at": MONDAY}
            past.happened(case, CaseOpened(**about, anonymous=True))
            known: dict[str, Any] = {"handling_class": "U1", "visibility": "confidential", "by": "sender"}
            result = Due(by=MONDAY, rule="U1 result 24h")
            past.happened(case, CaseClassified(matter="401", town=LIUDU, result=result, **known))

    @property
    def today(self) -> date:
        return self.now.astimezone(SHANGHAI).date()

    def play(self, request: Request) -> None:
        before = len(self.past.facts)
        note(self.script.play(self.past, request, self.now))
        for _, fact in self.past.facts[before:]:
            if isinstance(fact, RespondersMustered):
                for number in fact.numbers:
                    assert [r for r in self.rosters() if number in r.members and r.members[number].there(self.now)]

    # whoever decides about people

    @rule(number=ONE, ahead=st.integers(-1, 40), months=st.integers(0, 7), days=st.integers(-1, 1))
    def ask_for_somebody(self, number: str, ahead: int, months: int, days: int) -> None:
        start = self.today + timedelta(days=ahead)
        back = add_months(start, months) + timedelta(days=days)
        self.play(RequestSecondment(person=person_id(number), to="区里", start=start, back=back, by="区"))

    @rule(number=ONE, months=st.integers(1, 8), days=st.integers(-1, 1))
    def lend_somebody_the_straight_way(self, number: str, months: int, days: int) -> None:
        person = person_id(number)
        back = add_months(self.today, months) + timedelta(days=days)
        self.play(RequestSecondment(person=person, to="区里", start=self.today, back=back, by="区"))
        self.play(ConsentToSecondment(person=person, by="镇"))
        self.play(ApproveSecondment(person=person, by="区人事"))

    @rule(number=ONE, step=STEPS, by=st.sampled_from(["镇", "区"]))
    def go_on_with_a_secondment(self, number: str, step: type[Any], by: str) -> None:
        self.play(step(person=person_id(number), by=by))

    @rule(number=ONE)
    def refuse_a_secondment(self, number: str) -> None:
        self.play(RefuseSecondment(person=person_id(number), ground="needed_here", by="镇"))

    @rule(number=ONE, town=st.sampled_from(list(TOWNS)), department=DEPARTMENTS, ago=st.integers(0, 3))
    def move_somebody(self, number: str, town: str, department: str, ago: int) -> None:
        since = self.today - timedelta(days=ago)
        self.play(MovePerson(person=person_id(number), town=town, department=department, since=since, by="区"))

    @rule(number=ONE, town=st.sampled_from(list(TOWNS)), department=DEPARTMENTS, hours=st.integers(1, 50))
    def deploy_somebody(self, number: str, town: str, department: str, hours: int) -> None:
        until = self.now + timedelta(hours=hours)
        about: dict[str, Any] = {"roster": ROSTERS[town], "town": town, "number": number, "by": "镇"}
        self.play(DeployPerson(**about, department=department, until=until))

    @rule(number=ONE, town=st.sampled_from(list(TOWNS)))
    def release_somebody(self, number: str, town: str) -> None:
        self.play(ReleasePerson(roster=ROSTERS[town], town=town, number=number, by="镇"))

    @rule(number=ONE, town=st.sampled_from(list(TOWNS)), after=st.integers(0, 3), hours=st.integers(1, 30))
    def give_somebody_leave(self, number: str, town: str, after: int, hours: int) -> None:
        start = self.now + timedelta(hours=after)
        end = start + timedelta(hours=hours)
        about: dict[str, Any] = {"roster": ROSTERS[town], "town": town, "number": number, "by": "镇"}
        self.play(GrantLeave(**about, start=start, end=end))

    @rule(number=ONE, town=st.sampled_from(list(TOWNS)))
    def end_somebodys_leave(self, number: str, town: str) -> None:
        self.play(EndLeave(roster=ROSTERS[town], town=town, number=number, by="镇"))

    # on the scene

    @rule(case=st.sampled_from(CASES), many=st.integers(1, 4))
    def order_a_turn_out(self, case: str, many: int) -> None:
        self.play(OrderMobilisation(**self.scene(case), case=case, min_people=many))

    @rule(case=st.sampled_from(CASES), numbers=SOME)
    def report_people_in(self, case: str, numbers: tuple[str, ...]) -> None:
        self.play(Muster(**self.scene(case), numbers=numbers))

    @rule(case=st.sampled_from(CASES), numbers=SOME, department=DEPARTMENTS)
    def say_who_is_on_the_way(self, case: str, numbers: tuple[str, ...], department: str) -> None:
        self.play(ConfirmResponders(**self.scene(case), numbers=numbers, department=department))

    @rule(case=st.sampled_from(CASES), number=ONE, department=DEPARTMENTS)
    def say_who_cannot_come(self, case: str, number: str, department: str) -> None:
        self.play(DeclineResponder(**self.scene(case), number=number, department=department, ground="ill"))

    @rule(case=st.sampled_from(CASES))
    def stand_down(self, case: str) -> None:
        self.play(StandDown(**self.scene(case)))

    @rule(case=st.sampled_from(CASES))
    def write_it_up(self, case: str) -> None:
        self.play(ReviewMobilisation(mobilisation=TURN_OUTS[case], case=case, by="镇", note=words("x")))

    @rule(
        after=st.sampled_from(
            [timedelta(minutes=20), timedelta(hours=8), *(timedelta(days=days) for days in (1, 2, 28, 31, 100, 200))]
        )
    )
    def let_time_pass(self, after: timedelta) -> None:
        until = self.now + after
        while due := [key for key, timer in self.past.timers.items() if timer.due <= until]:
            first = min(due, key=lambda key: (self.past.timers[key].due, key))
            timer = self.past.timers.pop(first)
            self.now = max(self.now, timer.due)
            self.play(timer.request)
        self.now = until

    # what holds

    def scene(self, case: str) -> dict[str, Any]:
        return {"mobilisation": TURN_OUTS[case], "rosters": (ROSTERS[LIUDU], RESERVE), "by": "镇"}

    def rosters(self) -> list[Roster]:
        return [self.past.states[stream] for stream in ROSTERS.values() if stream in self.past.states]

    def held(self) -> Counter[str]:
        under_way = (self.past.states.get(stream) for stream in TURN_OUTS.values())
        return Counter(r.number for turn_out in under_way if turn_out and not turn_out.over for r in turn_out.held())

    @invariant()
    def nobody_is_with_two_turn_outs_and_who_is_with_one_is_nowhere_else(self) -> None:
        held = self.held()
        assert set(held.values()) <= {1}
        for number in held:
            (member,) = [roster.members[number] for roster in self.rosters() if number in roster.members]
            assert member.taken_by in TURN_OUTS.values()
            assert member.there(self.now)
            assert not member.deployed_to
            assert not self.past.states[person_id(number)].away

    @invariant()
    def who_is_taken_is_held_by_the_turn_out_that_took_them(self) -> None:
        taken = {m.number for roster in self.rosters() for m in roster.members.values() if m.taken_by}
        assert taken == set(self.held())

    @invariant()
    def who_is_lent_is_in_no_pool_and_everybody_else_on_one_roster(self) -> None:
        for number in NUMBERS:
            employee = self.past.states.get(person_id(number))
            if employee is None:
                continue
            on = [town for town, stream in ROSTERS.items() if self._on(stream, number)]
            assert on == ([] if employee.away else [employee.town])

    def _on(self, stream: str, number: str) -> bool:
        roster = self.past.states.get(stream)
        return roster is not None and number in roster.members and not roster.members[number].lent

    @invariant()
    def everybody_who_was_lent_was_lent_by_the_rules(self) -> None:
        for number in NUMBERS:
            steps: list[Fact] = [fact for stream, fact in self.past.facts if stream == person_id(number)]
            ended: date | None = None
            asked: SecondmentRequested | None = None
            for fact, before in zip(steps[1:], steps, strict=False):
                if isinstance(fact, SecondmentConsented | SecondmentApproved):
                    assert asked is not None
                    assert fact.by != asked.by
                elif isinstance(fact, SecondmentRequested):
                    asked = fact
                    rested = add_months(ended, self.rules.district.secondment.pause_months) if ended else fact.start
                    assert rested <= fact.start
                elif isinstance(fact, SecondmentStarted):
                    assert asked is not None
                    assert fact.start < fact.back <= add_months(fact.start, 6)
                    order = [type(step) for step in steps[steps.index(asked) : steps.index(fact) + 1]]
                    assert order == [SecondmentRequested, SecondmentConsented, SecondmentApproved, SecondmentStarted]
                elif isinstance(fact, SecondmentOverdue):
                    assert isinstance(before, SecondmentStarted)
                elif isinstance(fact, SecondmentEnded):
                    ended = fact.on

    @invariant()
    def nobody_is_lent_before_two_years_of_service(self) -> None:
        for number in NUMBERS:
            employee = self.past.states.get(person_id(number))
            if employee is not None and employee.secondment is not None:
                assert add_months(employee.since, 24) <= employee.secondment.start

    def teardown(self) -> None:
        folding_in_two_parts_equals_folding_at_once(self.past)
        again = Past(self.rules)
        self._open_cases(again)
        self.script.play_again(again)
        assert again.facts == self.past.facts
        assert {key: timer.due for key, timer in self.past.timers.items()}.items() <= {
            key: timer.due for key, timer in again.timers.items()
        }.items()


def test_nobody_is_in_two_places_or_lent_against_a_rule_whatever_is_asked_and_whenever(rules: RuleBook) -> None:
    run_state_machine_as_test(
        lambda: Staff(rules), settings=settings(max_examples=80, stateful_step_count=35, deadline=None)
    )
