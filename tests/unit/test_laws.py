"""Laws that hold for everything the language can say and for every order in which requests may come."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from events.call import (
    AcknowledgeCall,
    CallAcknowledged,
    CallClockMissed,
    CallIssued,
    CallResultFiled,
    ContactReporter,
    DepartmentReportedIn,
    DepartmentsCalled,
    FileResult,
    MissClock,
    NoteProgress,
    ReportIn,
)
from events.case import (
    REPORTER,
    ApproveResult,
    CallDistrict,
    CaseClosed,
    CaseReopened,
    CaseResolved,
    CaseReworkOrdered,
    ClassifyCase,
    ConsentToHandDown,
    EscalateCase,
    ExplainCase,
    FollowUp,
    GrantLaunchWaiver,
    HandDown,
    JoinReport,
    RecuseDepartment,
    ReopenCase,
    ResolveInVillage,
    SendBackResult,
)
from events.catalog import CATALOG, FACTS, REQUESTS
from events.district import ConfigureDistrict
from events.envelope import Fact, Meta, Request, kind_of
from events.ids import approval_of, call_of, case_of, district_call_of, mobilisation_of, outcome_of, stream_id
from events.outcome import PublishOutcome, WithholdOutcome
from events.report import SubmitReport, Suggestion
from services.command_centre import launch
from services.command_centre.reopening import MOST_REOPENINGS
from services.decisions import Rejected
from services.people.person import person_id
from services.people.roster import roster_of
from services.people.user import user_id
from services.rules.book import RuleBook
from tests.unit.drawn import any_of, built
from tests.unit.past import (
    CASE,
    DAHE_VILLAGE,
    GAOCUN,
    LIUDU,
    LIUDU_VILLAGE,
    MONDAY,
    P2_CALL,
    P4_CALL,
    REPORT,
    STREAMS,
    Past,
    words,
)

# --- encoding


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_that_is_stored_and_read_is_the_same_fact(name: str) -> None:
    @settings(max_examples=25)
    @given(meta=any_of(Meta), fact=any_of(FACTS[name]))
    def law(meta: Meta, fact: Fact) -> None:
        assert CATALOG.decode(name, CATALOG.encode(meta, fact)) == (name, meta, fact)

    law()


@pytest.mark.parametrize("request_type", REQUESTS, ids=lambda request_type: request_type.__name__)
def test_a_request_that_waits_and_is_read_is_the_same_request(request_type: type[Request]) -> None:
    @settings(max_examples=25)
    @given(any_of(request_type))
    def law(request: Request) -> None:
        assert CATALOG.decode_request(CATALOG.encode_request(request)) == request

    law()


@pytest.mark.parametrize("struct", [*FACTS.values(), *REQUESTS], ids=lambda struct: struct.__name__)
def test_what_goes_out_as_json_says_the_same(struct: type[Any]) -> None:
    @settings(max_examples=10)
    @given(any_of(struct))
    def law(value: Any) -> None:
        assert msgspec.json.decode(msgspec.json.encode(value), type=struct) == value

    law()


# --- requests in any order, from anybody, without any service that reacts

AGAIN = stream_id("report", MONDAY, "hotline", "2")
REPORTERS = [stream_id("reporter", MONDAY, name) for name in ("one", "two")]
CASES = [CASE, case_of(AGAIN)]
CALLS = [P4_CALL, P2_CALL, call_of(CASE, "P4", 2), call_of(case_of(AGAIN), "P4", 1), district_call_of(CASE, 1)]
NUMBERS = ["LD-1", "LD-2", "GC-1"]
ROSTERS = [roster_of(LIUDU), roster_of(GAOCUN), roster_of("445303")]
DEPARTMENTS = ["D15", "D16", "D08", "D17", "X5", "B07"]
PEOPLE = ["officer", "reviewer", "clerk", REPORTER]
BUREAUS = ["B03", "B07"]
LAUNCH_LIST = launch.STREAM
MATTERS = ["401", "406", "201", "999"]
SEALED = st.sampled_from([words("x"), words("y", REPORT)])
ATTEMPTS = st.integers(1, 3)

BY_NAME = {
    "report": st.sampled_from([REPORT, AGAIN]),
    "case": st.sampled_from(CASES),
    "opens": st.sampled_from(CASES),
    "opened": st.sampled_from(CASES),
    "call": st.sampled_from(CALLS),
    "outcome": st.sampled_from([outcome_of(case) for case in CASES]),
    "user": st.sampled_from([user_id(name) for name in ("one", "two")]),
    "reporter": st.sampled_from(REPORTERS),
    "person": st.sampled_from([person_id(number) for number in NUMBERS]),
    "number": st.sampled_from(NUMBERS),
    "numbers": st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3).map(tuple),
    "roster": st.sampled_from(ROSTERS),
    "rosters": st.just((ROSTERS[0], ROSTERS[-1])),
    "mobilisation": st.sampled_from([mobilisation_of(case) for case in CASES]),
    "approval": st.sampled_from([approval_of(case) for case in CASES]),
    "reporters": st.sampled_from([(), *((reporter,) for reporter in REPORTERS), tuple(REPORTERS)]),
    "town": st.sampled_from([LIUDU, LIUDU, LIUDU, GAOCUN]),
    "village": st.sampled_from([LIUDU_VILLAGE, DAHE_VILLAGE, ""]),
    "matter": st.sampled_from([*MATTERS, "", "998"]),
    "suggestions": st.lists(
        st.builds(Suggestion, st.sampled_from(MATTERS), st.floats(0, 1), st.just(("词",))), max_size=2
    ).map(tuple),
    "reported_at": st.timedeltas(timedelta(0), timedelta(days=2)).map(lambda after: MONDAY + after),
    "closed_at": st.timedeltas(timedelta(days=-31), timedelta(days=9)).map(lambda after: MONDAY + after),
    "department": st.sampled_from(DEPARTMENTS),
    "platform": st.sampled_from(["P4", "P2"]),
    "by": st.sampled_from(PEOPLE),
    "handlers": st.lists(st.sampled_from(PEOPLE), max_size=2).map(tuple),
    "authors": st.lists(st.sampled_from(PEOPLE), max_size=2).map(tuple),
    "attempt": ATTEMPTS,
    "nth": st.integers(1, 3),
    "bureau": st.sampled_from(["", "B07", "B03", "D16"]),
    "launch": st.just(LAUNCH_LIST),
    "evidence": st.one_of(st.none(), SEALED),
    "step": st.integers(0, 2),
    "words": SEALED,
    "note": SEALED,
    "account": SEALED,
    "conditions": SEALED,
    "new_facts": SEALED,
    "pieces": SEALED,
    "remedied": SEALED,
    "advice": SEALED,
    "reply": st.one_of(st.none(), SEALED),
}
SEALED_REASON = {**BY_NAME, "reason": SEALED}
SEALED_REPLY = {**BY_NAME, "reply": SEALED}
ANY_REQUEST = st.one_of(
    *(
        built(
            request,
            SEALED_REASON if "reason" in request.PRIVATE else SEALED_REPLY if "Draft" in request.__name__ else BY_NAME,
        )
        for request in REQUESTS
        if request is not ConfigureDistrict
    )
)


def says_something_new_each_time(request: Request) -> bool:
    """A note is taken as often as somebody writes one; a step of the ladder is a timer's, which is decided once."""
    return isinstance(request, NoteProgress) or (isinstance(request, MissClock) and request.step > 0)


def decided(past: Past, request: Request, now: datetime) -> tuple[tuple[str, Fact], ...]:
    try:
        return past.decide(request, now)
    except Rejected as rejected:
        return rejected.record


STAGES = ("nothing yet", "calling", "in review", "resolved", "done again", "resolved again", "closed", "reopened")


def submit(
    report: str,
    at: datetime,
    matter: str,
    village: str,
    reporters: tuple[str, ...],
    complained_of: tuple[str, ...] = (),
) -> SubmitReport:
    return SubmitReport(
        report=report,
        source="hotline",
        record=report,
        receipt="",
        channel="hotline",
        town=LIUDU,
        village=village,
        reported_at=at,
        words=words("有人挖山", report),
        reporters=reporters,
        anonymous=not reporters,
        matter=matter,
        complained_of=complained_of,
    )


def work_of(past: Past, call: str, department: str) -> list[Request]:
    """All that a department can do about a call, in the order of the rules."""
    case = past.states[call].issued.case
    who: dict[str, Any] = {"call": call, "department": department, "by": f"officer-{department}"}
    return [
        AcknowledgeCall(**who),
        ReportIn(**who, people=3),
        ContactReporter(**who),
        NoteProgress(**who, case=case, note=words("x")),
        FileResult(**who, case=case, solved="yes", account=words("x"), reply=words("y")),
    ]


def bring_to(past: Past, stage: str, now: datetime = MONDAY) -> None:
    """Let a case go the straight way up to a stage, all in one instant."""

    def everybody_works() -> None:
        for call in dict.fromkeys(stream for stream, fact in past.facts if isinstance(fact, CallIssued)):
            for department in past.states[call].parts:
                for request in work_of(past, call, department):
                    if not past.refusal(request, now):
                        past.play(request, now)

    not_solved = FollowUp(case=CASE, report=REPORT, by="clerk", contacted=True, solved=False)
    approved = ApproveResult(case=CASE, by="reviewer")
    steps = STAGES.index(stage)
    if steps >= 1:
        past.play(submit(REPORT, now, "401", LIUDU_VILLAGE, (REPORTERS[0],)), now)
    if steps >= 2:
        everybody_works()
    if steps >= 3:
        past.play(approved, now)
    if steps >= 4:
        past.play(not_solved, now)
    if steps >= 5:
        everybody_works()
        past.play(approved, now)
    if steps >= 6:
        past.play(FollowUp(case=CASE, report=REPORT, by=REPORTER, contacted=True, solved=True), now)
    if steps >= 7:
        reopen = ReopenCase(case=CASE, report=REPORT, by=REPORTER, reason=words("x", REPORT), closed_at=now)
        past.play(reopen, now)


class AnyOrder(RuleBasedStateMachine):
    """Whoever asks for whatever and whenever: facts follow or a refusal, nothing else."""

    def __init__(self, rules: RuleBook) -> None:
        super().__init__()
        self.past = Past(rules)
        self.now = MONDAY

    @initialize(stage=st.sampled_from(STAGES))
    def begin(self, stage: str) -> None:
        bring_to(self.past, stage)

    def ask(self, request: Request) -> None:
        appends = decided(self.past, request, self.now)
        for stream, fact in appends:
            self.past.happened(stream, fact)
        if appends and not says_something_new_each_time(request):
            assert decided(self.past, request, self.now) != appends

    @rule(request=ANY_REQUEST)
    def ask_for_anything(self, request: Request) -> None:
        self.ask(request)

    @rule(after=st.timedeltas(timedelta(0), timedelta(days=3)))
    def wait(self, after: timedelta) -> None:
        self.now += after

    @precondition(lambda self: self.past.facts)
    @rule(data=st.data())
    def let_a_service_react(self, data: st.DataObject) -> None:
        stream, fact = data.draw(st.sampled_from(self.past.facts), label="fact")
        for request in self.past.reactions(stream, fact):
            note(f"reaction: {request}")
            self.ask(request)

    @precondition(lambda self: self.past.timers)
    @rule(data=st.data())
    def let_a_timer_fire(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.past.timers)), label="timer")
        timer = self.past.timers.pop(key)
        self.now = max(self.now, timer.due)
        self.ask(timer.request)

    def teardown(self) -> None:
        folding_in_two_parts_equals_folding_at_once(self.past)


def folding_in_two_parts_equals_folding_at_once(past: Past) -> None:
    """Also from stored facts, and without touching the state in between."""
    streams = {stream for stream, _ in past.facts}
    for stream in streams:
        facts = [fact for owner, fact in past.facts if owner == stream]
        evolve = STREAMS[kind_of(CATALOG.name(facts[0]))].evolve
        meta = Meta(recorded_at=MONDAY, causation="", actor="")
        stored = [(CATALOG.name(fact), CATALOG.encode(meta, fact)) for fact in facts]
        half = len(facts) // 2
        first = None
        for fact in facts[:half]:
            first = evolve(first, fact)
        before = repr(first)
        second = first
        for name, state in stored[half:]:
            second = evolve(second, CATALOG.decode(name, state)[2])
        assert second == past.states[stream]
        assert repr(first) == before


def test_requests_in_any_order_are_decided_or_rejected_and_the_same_is_never_decided_twice(rules: RuleBook) -> None:
    run_state_machine_as_test(
        lambda: AnyOrder(rules), settings=settings(max_examples=120, stateful_step_count=40, deadline=None)
    )


# --- a township at work: people act, services react, clocks run


class Township(RuleBasedStateMachine):
    """Two residents, their cases, and everybody who may do something about them, in any order."""

    def __init__(self, rules: RuleBook) -> None:
        super().__init__()
        self.past = Past(rules)
        self.now = MONDAY
        self.reports = 0

    @initialize(stage=st.sampled_from(STAGES))
    def begin(self, stage: str) -> None:
        bring_to(self.past, stage)

    def play(self, request: Request) -> None:
        try:
            self.past.play(request, self.now)
        except Rejected as rejected:
            note(f"rejected: {rejected}")

    @precondition(lambda self: self.reports < 3)
    @rule(
        matter=st.sampled_from([*MATTERS, ""]),
        reporters=st.sampled_from([(REPORTERS[0],), (REPORTERS[1],), ()]),
        village=st.sampled_from([LIUDU_VILLAGE, DAHE_VILLAGE]),
    )
    def report(self, matter: str, reporters: tuple[str, ...], village: str) -> None:
        self.reports += 1
        report = stream_id("report", self.now, "hotline", str(self.reports))
        self.play(submit(report, self.now, matter, village, reporters))

    @precondition(lambda self: self.streams("call"))
    @rule(data=st.data())
    def let_a_department_act(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(self.streams("call")), label="call")
        parts = sorted(self.past.states[call].parts)
        department = data.draw(st.sampled_from([*parts, "D01"]), label="department")
        self.play(data.draw(st.sampled_from(work_of(self.past, call, department)), label="request"))

    @precondition(lambda self: self.streams("call"))
    @rule(data=st.data())
    def let_everybody_called_do_their_work(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(self.streams("call")), label="call")
        for department in sorted(self.past.states[call].parts):
            for request in work_of(self.past, call, department):
                self.play(request)

    @precondition(lambda self: self.streams("case"))
    @rule(
        data=st.data(),
        act=st.sampled_from(["classify", "approve", "send back", "explain"]),
        by=st.sampled_from(["reviewer", "officer-D15"]),
    )
    def let_the_command_centre_act(self, data: st.DataObject, act: str, by: str) -> None:
        case = data.draw(st.sampled_from(self.streams("case")), label="case")
        acts: dict[str, Request] = {
            "classify": ClassifyCase(case=case, matter="401", by=by),
            "approve": ApproveResult(case=case, by=by),
            "send back": SendBackResult(case=case, by=by, reason=words("x")),
            "explain": ExplainCase(case=case, by=by),
        }
        self.play(acts[act])

    @precondition(lambda self: self.streams("case"))
    @rule(data=st.data(), department=st.sampled_from([*DEPARTMENTS, "D04"]))
    def let_somebody_be_complained_of(self, data: st.DataObject, department: str) -> None:
        case = data.draw(st.sampled_from(self.streams("case")), label="case")
        self.play(RecuseDepartment(case=case, department=department, by="centre"))

    @precondition(lambda self: self.streams("report"))
    @rule(data=st.data())
    def let_an_operator_join_a_report(self, data: st.DataObject) -> None:
        report = data.draw(st.sampled_from(self.streams("report")), label="report")
        case = data.draw(st.sampled_from(self.streams("case") or CASES), label="case")
        opened = self.past.states[report].case
        self.play(JoinReport(case=case, opened=opened, report=report, by="operator"))

    @precondition(lambda self: self.streams("case"))
    @rule(
        data=st.data(),
        act=st.sampled_from(["call", "waive", "hand down", "consent", "resolve", "escalate"]),
        condition=st.sampled_from(["", "headcount"]),
    )
    def let_village_and_district_act(self, data: st.DataObject, act: str, condition: Any) -> None:
        case = data.draw(st.sampled_from(self.streams("case")), label="case")
        nth = self.past.states[case].district_calls + 1
        acts: dict[str, Request] = {
            "call": CallDistrict(case=case, by="centre", condition=condition, evidence=words("x"), nth=nth),
            "waive": GrantLaunchWaiver(case=case, by="leader", reason=words("x"), bureau="B07"),
            "hand down": HandDown(case=case, by="district", reason=words("x")),
            "consent": ConsentToHandDown(case=case, by="centre"),
            "resolve": ResolveInVillage(case=case, by="clerk", solved="yes", account=words("x"), reply=words("y")),
            "escalate": EscalateCase(case=case, reason="beyond_village", by="clerk"),
        }
        self.play(acts[act])

    @precondition(lambda self: self.streams("case"))
    @rule(data=st.data(), solved=st.sampled_from([True, False, None]), by=st.sampled_from(["clerk", REPORTER]))
    def hear_a_reporter(self, data: st.DataObject, solved: bool | None, by: str) -> None:
        case = data.draw(st.sampled_from(self.streams("case")), label="case")
        report = data.draw(st.sampled_from([known.report for known in self.past.states[case].reports]), label="report")
        self.play(FollowUp(case=case, report=report, by=by, contacted=solved is not None, solved=solved))

    @precondition(lambda self: self.streams("case"))
    @rule(data=st.data(), ago=st.sampled_from([timedelta(0), timedelta(days=31)]))
    def let_a_reporter_come_back(self, data: st.DataObject, ago: timedelta) -> None:
        case = data.draw(st.sampled_from(self.streams("case")), label="case")
        report = data.draw(st.sampled_from([known.report for known in self.past.states[case].reports]), label="report")
        closed_at, reason = self.now - ago, words("x", report)
        self.play(ReopenCase(case=case, report=report, by=REPORTER, reason=reason, closed_at=closed_at))

    @precondition(lambda self: self.streams("outcome"))
    @rule(data=st.data(), act=st.sampled_from([PublishOutcome, WithholdOutcome]))
    def let_somebody_decide_what_is_public(self, data: st.DataObject, act: type[Any]) -> None:
        outcome = data.draw(st.sampled_from(self.streams("outcome")), label="outcome")
        ground = {"ground": "secret"} if act is WithholdOutcome else {}
        self.play(act(outcome=outcome, case=CASE, by="publisher", **ground))

    @rule(after=st.sampled_from([timedelta(minutes=20), timedelta(hours=5), timedelta(days=1), timedelta(days=12)]))
    def let_time_pass(self, after: timedelta) -> None:
        until = self.now + after
        while due := [key for key, timer in self.past.timers.items() if timer.due <= until]:
            first = min(due, key=lambda key: (self.past.timers[key].due, key))
            timer = self.past.timers.pop(first)
            self.now = max(self.now, timer.due)
            self.play(timer.request)
        self.now = until

    def streams(self, kind: str) -> list[str]:
        return sorted({stream for stream, fact in self.past.facts if kind_of(CATALOG.name(fact)) == kind})

    def facts(self, stream: str, *kinds: type[Fact]) -> list[Any]:
        return [fact for owner, fact in self.past.facts if owner == stream and isinstance(fact, kinds)]

    @invariant()
    def every_department_does_each_thing_once(self) -> None:
        for kind in (CallAcknowledged, DepartmentReportedIn, CallResultFiled):
            for call in self.streams("call"):
                times = Counter(fact.department for fact in self.facts(call, kind))
                assert set(times.values()) <= {1}, (kind, times)

    @invariant()
    def every_clock_is_missed_at_most_once(self) -> None:
        for call in self.streams("call"):
            missed = Counter((fact.department, fact.clock) for fact in self.facts(call, CallClockMissed))
            assert set(missed.values()) <= {1}, missed

    @invariant()
    def whoever_is_called_to_the_spot_reports_in_before_it_files(self) -> None:
        for call in self.streams("call"):
            here: set[str] = set()
            to_the_spot: set[str] = set()
            for fact in self.facts(call, DepartmentsCalled, DepartmentReportedIn, CallResultFiled):
                if isinstance(fact, DepartmentsCalled):
                    to_the_spot = {leg.department for leg in fact.legs if leg.arrive}
                elif isinstance(fact, DepartmentReportedIn):
                    here.add(fact.department)
                else:
                    assert fact.department not in to_the_spot - here

    @invariant()
    def each_attempt_of_a_case_has_one_lead(self) -> None:
        leads = Counter(
            (fact.case, fact.attempt)
            for call in self.streams("call")
            for fact in self.facts(call, CallIssued)
            for leg in fact.legs
            if leg.role == "lead"
        )
        assert set(leads.values()) <= {1}, leads

    @invariant()
    def nobody_approves_what_they_handled(self) -> None:
        for case in self.streams("case"):
            assert not [fact for fact in self.facts(case, CaseResolved) if fact.by in fact.handlers]

    @invariant()
    def a_case_closes_once_until_it_is_reopened_and_is_reworked_by_itself_once(self) -> None:
        for case in self.streams("case"):
            ends = self.facts(case, CaseClosed, CaseReopened)
            assert [type(fact) for fact in ends] == [CaseClosed, CaseReopened] * (len(ends) // 2) + [CaseClosed] * (
                len(ends) % 2
            )
            assert len(self.facts(case, CaseReopened)) <= MOST_REOPENINGS
            assert len(self.facts(case, CaseReworkOrdered)) <= 1
            assert (self.past.states[case].phase == "closed") == (len(ends) % 2 == 1)

    @invariant()
    def no_clock_runs_for_a_case_that_has_its_result(self) -> None:
        calls = self.streams("call")
        running = {self.past.states[stream].issued.case for stream, _ in self.past.timers if stream in calls}
        for case in running:
            assert self.past.states[case].phase in {"calling", "in_progress"}

    @invariant()
    def a_case_is_where_its_level_says(self) -> None:
        for stream in self.streams("case"):
            case = self.past.states[stream]
            at_district = [call for call in case.calls if all(leg.department in BUREAUS for leg in call.legs)]
            assert bool(at_district) == (case.level == "district")
            assert (case.level == "village") == (case.village_due is not None and case.attempt == 0)
            assert case.phase != "village_handling" or case.level == "village"

    @invariant()
    def no_case_at_work_waits_for_nobody(self) -> None:
        for stream in self.streams("case"):
            case = self.past.states[stream]
            if case.phase in {"calling", "in_progress"}:
                parts = [part for call in case.calls for part in self.past.states[call.call].parts.values()]
                assert any(part.open and part.leg.required for part in parts)

    @invariant()
    def whoever_is_recused_has_no_part_and_somebody_else_is_called_at_once(self) -> None:
        for stream in self.streams("case"):
            case = self.past.states[stream]
            assert case.phase != "registered"
            calls = [call for call in self.streams("call") if self.past.states[call].issued.case == stream]
            owing = {code for call in calls for code, part in self.past.states[call].parts.items() if part.open}
            assert not owing & set(case.recused)
            assert not {leg.department for call in case.calls for leg in call.legs} & set(case.recused) or (
                case.phase in {"in_review", "resolved", "closed"}
            )

    @invariant()
    def every_report_belongs_to_the_case_that_knows_it(self) -> None:
        for report in self.streams("report"):
            case = self.past.states[report].case
            assert report in {known.report for known in self.past.states[case].reports}

    def teardown(self) -> None:
        folding_in_two_parts_equals_folding_at_once(self.past)


def test_a_township_at_work_keeps_its_promises_whatever_people_do(rules: RuleBook) -> None:
    run_state_machine_as_test(
        lambda: Township(rules), settings=settings(max_examples=60, stateful_step_count=40, deadline=None)
    )
