"""Laws of services that run apart: each hears the facts in their order, and as late as it likes."""

from collections import deque
from datetime import datetime
from typing import Any

from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from events.call import AcknowledgeCall
from events.case import ClassifyCase, HandDown, RecuseDepartment
from events.catalog import CATALOG
from events.envelope import Meta, Recorded, Request
from services.command_centre.case import AT_WORK
from services.decisions import Append, Rejected
from services.rules.book import RuleBook
from tests.unit.past import CASE, LIUDU_VILLAGE, MONDAY, REPORT, SERVICES, Past, words
from tests.unit.test_laws import submit
from tests.unit.test_level_decisions import call_district

DEPARTMENTS = ["D17", "D15", "D19", "D08", "D16", "D18", "D04", "D30", "B07", "B08"]


class Lagging(RuleBasedStateMachine):
    """One case; people act on it while the services have not yet heard of what happened before."""

    def __init__(self, rules: RuleBook) -> None:
        super().__init__()
        self.past = Past(rules)
        self.unheard: dict[str, deque[Append]] = {service.name: deque() for service in SERVICES}

    def ask(self, request: Request, now: datetime = MONDAY) -> None:
        try:
            appends = self.past.do(request, now)
        except Rejected as rejected:
            note(f"rejected: {rejected}")
            return
        for waiting in self.unheard.values():
            waiting.extend(appends)

    def hear(self, name: str) -> None:
        """One service hears of the next fact, and asks for what it wants then."""
        service = next(service for service in SERVICES if service.name == name)
        stream, fact = self.unheard[name].popleft()
        wire = CATALOG.name(fact)
        recorded = Recorded(1, stream, 1, wire, Meta(recorded_at=MONDAY, causation="", actor=""), fact)
        react: Any = service.reactions.get(wire, lambda *_: ())
        for wanted in react(recorded, fact, self.past.rules):
            if isinstance(wanted, Request):
                self.ask(wanted)

    @initialize(matter=st.sampled_from(["402", "401", "404"]), called=st.booleans())
    def begin(self, matter: str, called: bool) -> None:
        self.ask(submit(REPORT, MONDAY, "", LIUDU_VILLAGE, ()))
        self.hear_everything()
        self.ask(ClassifyCase(case=CASE, matter=matter, by="operator"))
        if called:
            self.hear_everything()

    def hear_everything(self) -> None:
        while any(self.unheard.values()):
            for name, waiting in self.unheard.items():
                if waiting:
                    self.hear(name)

    @precondition(lambda self: any(self.unheard.values()))
    @rule(data=st.data())
    def let_a_service_hear(self, data: st.DataObject) -> None:
        behind = sorted(name for name, waiting in self.unheard.items() if waiting)
        self.hear(data.draw(st.sampled_from(behind), label="service"))

    @rule(department=st.sampled_from(DEPARTMENTS))
    def recuse(self, department: str) -> None:
        self.ask(RecuseDepartment(case=CASE, department=department, by="centre"))

    @rule(department=st.sampled_from(DEPARTMENTS))
    def acknowledge(self, department: str) -> None:
        calls = [stream for stream, state in self.past.states.items() if type(state).__name__ == "Call"]
        for call in calls:
            if department in self.past.states[call].parts:
                self.ask(AcknowledgeCall(call=call, department=department, by="officer"))

    @rule()
    def call_the_district(self) -> None:
        self.ask(call_district("headcount", words("x"), self.past.states[CASE].district_calls + 1))

    @rule()
    def hand_down(self) -> None:
        self.ask(HandDown(case=CASE, by="district", reason=words("x")))

    def teardown(self) -> None:
        """Once everybody has heard of everything, somebody owes the case something, and nobody who is recused does."""
        self.hear_everything()
        case = self.past.states[CASE]
        calls = {stream: state for stream, state in self.past.states.items() if type(state).__name__ == "Call"}
        owing = {code for state in calls.values() for code, part in state.parts.items() if part.open}
        assert case.phase in AT_WORK
        assert owing
        assert not owing & set(case.recused)
        assert {plan.call for plan in case.calls} <= calls.keys()
        assert all(not state.over for stream, state in calls.items() if stream in {plan.call for plan in case.calls})
        self.nobody_was_called_after_being_recused()

    def nobody_was_called_after_being_recused(self) -> None:
        recused: set[str] = set()
        for stream, fact in self.past.facts:
            recused |= set(getattr(fact, "recused", ())) if stream == CASE else set()
            called = {leg.department for leg in getattr(fact, "legs", ())} if CATALOG.name(fact) == CALLED else set()
            assert not called & recused


CALLED = "call.departments-called.v1"


def test_nobody_is_lost_or_called_wrongly_however_late_the_services_hear(rules: RuleBook) -> None:
    run_state_machine_as_test(
        lambda: Lagging(rules), settings=settings(max_examples=300, stateful_step_count=30, deadline=None)
    )
