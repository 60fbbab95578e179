"""The engine: time passes in order, cuts make no difference, and what cannot be handled is parked with its cause."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from events.call import CallClockMissed, CallEscalated, MissClock, NoteProgress
from events.case import ApproveResult, ClassifyCase
from events.district import District
from events.envelope import Recorded, Request
from events.ids import case_of
from events.report import SubmitReport
from services.decisions import Handler, Later, Service
from services.runtime import parking
from services.runtime.attempts import CAREFUL_AFTER, MAX_ATTEMPTS
from services.runtime.batch import Submission
from services.runtime.clock import VirtualClock
from services.runtime.engine import CHUNK, EVERYTHING, Engine
from services.runtime.parking import Parked
from services.runtime.places import Place
from services.simulation.residents import Residents
from services.simulation.service import simulation
from services.wiring import SERVICES, House
from tests.flow.township import (
    MONDAY_MORNING,
    Inputs,
    all_facts,
    hand_in,
    names,
    open_case,
    pass_time,
    react,
    residents_lines,
    settled,
    submission,
    timers,
    told,
)

OpenHouse = Callable[..., House]
Places = Callable[[str], Place]
pytestmark = pytest.mark.every_store
PLAYED = (*SERVICES, simulation(1))
REPORTS = 60


class Killed(BaseException):
    """The process ends here."""


# Time and cuts


def residents(house: House) -> Residents:
    """The same residents with the same reports, from the first one on."""
    return Residents(residents_lines(house.ledger.rules, MONDAY_MORNING, REPORTS), house.desk, house.ledger.rules)


class Undisturbed:
    """What became of the residents' reports in one run, from the first to the last."""

    def __init__(self, folder: Path, district: District) -> None:
        with House(folder, VirtualClock(MONDAY_MORNING), PLAYED) as house:
            house.configure(district)
            house.engine(residents(house)).run()
            house.views.catch_up(house.log)
            settled(house.log)
            self.facts = all_facts(house.log)
            self.told = told(house.log)
            self.digests = house.views.digest()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, district: District) -> Undisturbed:
    return Undisturbed(tmp_path_factory.mktemp("undisturbed"), district)


def same(house: House, undisturbed: Undisturbed) -> None:
    house.views.catch_up(house.log)
    assert told(house.log) == undisturbed.told
    assert house.views.digest() == undisturbed.digests
    settled(house.log)


def test_time_passes_from_one_due_thing_to_the_next_and_nothing_is_recorded_before_its_time(
    undisturbed: Undisturbed,
) -> None:
    missed = [fact for fact in undisturbed.facts if isinstance(fact.fact, CallClockMissed)]
    steps = {
        (fact.stream, fact.fact.department, fact.fact.clock, fact.fact.step): fact.meta.recorded_at
        for fact in undisturbed.facts
        if isinstance(fact.fact, CallEscalated)
    }

    assert len(missed) > 10
    assert len(steps) > 5
    for fact in missed:
        assert isinstance(fact.fact, CallClockMissed)
        assert fact.meta.recorded_at == fact.fact.due
        for step, at in enumerate(fact.fact.escalations, start=1):
            assert steps.get((fact.stream, fact.fact.department, fact.fact.clock, step), at) == at
    for one, next_one in pairwise(undisturbed.facts):
        assert one.meta.recorded_at <= next_one.meta.recorded_at


def test_every_case_comes_to_its_end_and_leaves_no_timer(place: Places, district: District) -> None:
    with House(place("data"), VirtualClock(MONDAY_MORNING), PLAYED) as house:
        house.configure(district)

        house.engine(residents(house)).run()

        found = Counter(names(all_facts(house.log)))
        assert found["report.submitted"] == REPORTS
        assert found["case.closed"] == found["case.opened"]
        assert found["outcome.published"] + found["outcome.withheld"] <= found["outcome.drafted"]
        assert timers(house.log) == {}


def test_the_same_input_again_adds_nothing(place: Places, district: District, undisturbed: Undisturbed) -> None:
    with House(place("data"), VirtualClock(MONDAY_MORNING), PLAYED) as house:
        house.configure(district)
        house.engine(residents(house)).run()

        house.engine(residents(house)).run()

        same(house, undisturbed)


@pytest.mark.parametrize("hours", [5, 96])
def test_playing_in_stretches_of_time_makes_no_difference(
    place: Places, district: District, undisturbed: Undisturbed, hours: int
) -> None:
    until = MONDAY_MORNING
    with House(place("data"), VirtualClock(MONDAY_MORNING), PLAYED) as house:
        house.configure(district)
        engine = house.engine(residents(house))

        for _ in range(300):
            until += timedelta(hours=hours)
            engine.run(until=until)
        engine.run()

        same(house, undisturbed)


def test_playing_with_a_new_engine_and_a_reopened_house_again_and_again_makes_no_difference(
    place: Places, district: District, undisturbed: Undisturbed
) -> None:
    dice = Random(7)
    until = MONDAY_MORNING

    for _ in range(12):
        with House(place("data"), VirtualClock(MONDAY_MORNING), PLAYED) as house:
            house.configure(district)
            for _ in range(dice.randrange(1, 4)):
                until += timedelta(hours=dice.expovariate(1 / 30))
                house.engine(residents(house)).run(until=until)
                if dice.random() < 0.5:
                    house.views.catch_up(house.log)
    with House(place("data"), VirtualClock(MONDAY_MORNING), PLAYED) as house:
        house.engine(residents(house)).run()

        same(house, undisturbed)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_process_killed_at_any_step_and_started_again_makes_no_difference(
    place: Places, district: District, undisturbed: Undisturbed, seed: int
) -> None:
    dice = Random(seed)
    left = 0
    killed: Counter[str] = Counter()

    def kill(point: str) -> None:
        nonlocal left
        left -= 1 if point == "deciding" else 40
        if left < 0:
            killed[point] += 1
            raise Killed

    done = False
    while not done:
        left = 100_000
        with House(place("data"), VirtualClock(MONDAY_MORNING), PLAYED, kill) as house:
            house.configure(district)
            left = dice.randrange(50, 800) if sum(killed.values()) < 15 else 1_000_000
            try:
                house.engine(residents(house)).run()
                done = True
            except Killed:
                continue
            same(house, undisturbed)
            assert parked(house) == []

    assert sum(killed.values()) > 5
    assert killed.keys() == {"deciding", "inside", "committed"}


def test_facts_that_wait_in_great_number_are_all_reacted_to(house: House) -> None:
    with house.ledger.batch() as batch:
        for n in range(500):
            batch.decide(submission(house, f"{n:04d}", reporter=f"resident-{n}"))

    react(house)

    assert names(all_facts(house.log)).count("case.opened") == 500


# What cannot be handled


class Fragile:
    """A service of the test's own that hears of everything about reports and fails, or dies, at those in ``broken``."""

    def __init__(self, kill: bool = False) -> None:
        self.broken: set[str] = set()
        self.tried: Counter[str] = Counter()
        self.handled: list[str] = []
        self._error: type[BaseException] = Killed if kill else ValueError
        heard = ("report.submitted.v1", "report.accepted.v1", "report.linked.v1")
        self.services = (Service(name="fragile", reactions=dict.fromkeys(heard, self.react)), *SERVICES)

    def react(self, recorded: Recorded, fact: Any, rules: Any) -> tuple[Request | Later, ...]:
        self.tried[recorded.id] += 1
        if recorded.id in self.broken:
            raise self._error(f"cannot handle {recorded.id}")
        self.handled.append(recorded.id)
        return ()


def parked(house: House) -> list[Parked]:
    with house.log.reading() as cursor:
        return list(parking.all_parked(cursor))


def release(house: House, what: str) -> bool:
    with house.log.exclusive() as cursor:
        return parking.release(cursor, what)


def drop(house: House, what: str) -> bool:
    with house.log.exclusive() as cursor:
        return parking.drop(cursor, what)


def cursor_of(house: House) -> int:
    with house.log.reading() as cursor:
        return parking.Parking(EVERYTHING).position(cursor)


def test_a_fact_that_always_fails_is_parked_with_its_cause_and_what_follows_it_waits_behind(
    open_house: OpenHouse,
) -> None:
    fragile = Fragile()
    house = open_house(fragile.services)
    report = hand_in(house, "1")
    fragile.broken = {f"{report}:1"}

    react(house)

    first, behind = parked(house)
    assert (first.what, first.stream, first.cause) == (f"{report}:1", report, f"ValueError: cannot handle {report}:1")
    assert (behind.what, behind.stream, behind.cause) == (f"{report}:2", report, "behind a parked fact")


def test_a_fact_that_always_fails_is_tried_as_often_as_promised(open_house: OpenHouse) -> None:
    fragile = Fragile()
    house = open_house(fragile.services)
    report = hand_in(house, "1")
    fragile.broken = {f"{report}:1"}

    react(house)

    assert fragile.tried[f"{report}:1"] == MAX_ATTEMPTS


def test_while_a_stream_is_parked_the_other_streams_go_on(open_house: OpenHouse) -> None:
    fragile = Fragile()
    house = open_house(fragile.services)
    reports = [hand_in(house, str(n), reporter=f"resident-{n}") for n in range(5)]
    fragile.broken = {f"{reports[2]}:1"}

    react(house)
    later = hand_in(house, "later", reporter="somebody else")
    react(house)

    opened = {fact.stream for fact in all_facts(house.log) if fact.name == "case.opened.v1"}
    assert opened == {case_of(report) for report in (*reports, later)} - {case_of(reports[2])}
    assert {waiting.stream for waiting in parked(house)} == {reports[2]}
    assert cursor_of(house) == house.log.head()


def test_what_was_parked_before_waits_on_when_the_house_is_opened_again(open_house: OpenHouse) -> None:
    fragile = Fragile()
    house = open_house(fragile.services)
    report = hand_in(house, "1")
    fragile.broken = {f"{report}:1"}
    react(house)
    before, tried = parked(house), fragile.tried.copy()
    house.close()

    again = open_house(fragile.services)
    react(again)

    assert parked(again) == before
    assert fragile.tried == tried


def test_released_after_a_repair_everything_of_the_stream_is_handled_in_order(open_house: OpenHouse) -> None:
    fragile, repaired = Fragile(), Fragile()
    house = open_house(fragile.services)
    report = hand_in(house, "1")
    fragile.broken = {f"{report}:1"}
    react(house)
    house.close()

    again = open_house(repaired.services)
    react(again)
    assert repaired.handled == []
    assert release(again, f"{report}:1")
    react(again)

    assert repaired.handled == [f"{report}:1", f"{report}:2", f"{report}:3"]
    assert parked(again) == []
    assert "call.departments-called" in names(all_facts(again.log))
    settled(again.log)


def test_an_engine_that_is_running_takes_up_what_an_operator_released_meanwhile(open_house: OpenHouse) -> None:
    fragile = Fragile()
    house = open_house(fragile.services)
    report = hand_in(house, "1")
    fragile.broken = {f"{report}:1"}
    engine = house.engine()
    engine.run(until=MONDAY_MORNING)
    fragile.broken.clear()

    release(house, f"{report}:1")
    engine.run(until=MONDAY_MORNING)

    assert fragile.handled == [f"{report}:1", f"{report}:2", f"{report}:3"]
    assert parked(house) == []


def test_a_fact_that_was_dropped_is_never_handled_and_what_waited_behind_it_is(open_house: OpenHouse) -> None:
    fragile = Fragile()
    house = open_house(fragile.services)
    report = hand_in(house, "1")
    fragile.broken = {f"{report}:1"}
    react(house)

    assert drop(house, f"{report}:1")
    react(house)

    assert fragile.handled == [f"{report}:2", f"{report}:3"]
    assert parked(house) == []
    assert not drop(house, f"{report}:1")


def test_released_without_a_repair_it_is_parked_again_with_all_that_waits_behind_it(open_house: OpenHouse) -> None:
    fragile = Fragile()
    house = open_house(fragile.services)
    report = hand_in(house, "1")
    fragile.broken = {f"{report}:1"}
    react(house)
    before = [waiting[:4] for waiting in parked(house)]

    release(house, f"{report}:1")
    react(house)

    assert [waiting[:4] for waiting in parked(house)] == before
    assert fragile.tried[f"{report}:1"] > MAX_ATTEMPTS
    assert fragile.handled == []


def test_released_without_a_repair_nothing_else_is_handled_twice(open_house: OpenHouse) -> None:
    fragile = Fragile()
    house = open_house(fragile.services)
    report = hand_in(house, "1")
    fragile.broken = {f"{report}:1"}
    hand_in(house, "2", reporter="somebody else")
    react(house)
    assert cursor_of(house) == house.log.head()

    release(house, f"{report}:1")
    react(house)

    assert max(Counter(fragile.handled).values()) == 1


# Requests that cannot be decided


def undecidable(request: type[Request], field: str, broken: set[str], error: type[BaseException]) -> Service:
    """A service that takes over one kind of request and fails at those about ``broken``."""
    real = next(service.handlers[request] for service in SERVICES if request in service.handlers)

    def fail(states: Any, request: Any, now: datetime, rules: Any) -> Any:
        if getattr(request, field) in broken:
            raise error(f"cannot decide about {getattr(request, field)}")
        return real.decide(states, request, now, rules)

    return Service(name="undecidable", handlers={request: Handler(real.streams, fail)})


def missing_clocks(broken: set[str], error: type[BaseException] = ValueError) -> tuple[Service, ...]:
    return (*SERVICES, undecidable(MissClock, "call", broken, error))


def call_of_case(house: House, case: str) -> str:
    return next(
        fact.stream for fact in all_facts(house.log) if fact.name == "call.issued.v1" and fact.fact.case == case
    )


def test_a_timer_that_cannot_be_decided_is_parked_and_all_other_timers_go_on(open_house: OpenHouse) -> None:
    broken: set[str] = set()
    house = open_house(missing_clocks(broken))
    cases = [open_case(house, str(n), reporter=f"resident-{n}") for n in range(3)]
    broken.add(call_of_case(house, cases[1]))

    pass_time(house, MONDAY_MORNING + timedelta(hours=1))

    missed = Counter(fact.fact.case for fact in all_facts(house.log) if fact.name == "call.clock-missed.v1")
    of_lead = [waiting for waiting in parked(house) if waiting.what.endswith("D32.acknowledge")]
    assert missed[cases[0]] == missed[cases[2]] > missed[cases[1]]
    assert len(of_lead) == 1
    assert of_lead[0].cause == f"ValueError: cannot decide about {broken.copy().pop()}"
    assert of_lead[0].what not in timers(house.log)
    assert of_lead[0].position is None


def test_a_parked_timer_is_decided_once_it_is_released_after_a_repair(open_house: OpenHouse) -> None:
    broken: set[str] = set()
    house = open_house(missing_clocks(broken))
    call = call_of_case(house, open_case(house, "1"))
    broken.add(call)
    pass_time(house, MONDAY_MORNING + timedelta(hours=1))
    waiting = [found.what for found in parked(house)]
    house.close()

    again = open_house(clock=VirtualClock(MONDAY_MORNING + timedelta(hours=1)))
    for what in waiting:
        assert release(again, what)
    react(again)

    assert names(again.log.stream(call)).count("call.clock-missed") == len(waiting) > 0
    assert parked(again) == []


def test_a_request_that_cannot_be_decided_is_parked_and_its_sender_is_told(open_house: OpenHouse) -> None:
    failing = undecidable(ApproveResult, "case", {"0" * 32}, ValueError)
    house = open_house((*SERVICES, failing))
    react(house)
    request = ApproveResult(case="0" * 32, by="reviewer")
    feed = Inputs(
        [
            (MONDAY_MORNING, Submission("desk/1", request, "reviewer")),
            (MONDAY_MORNING, submission(house, "2")),
        ]
    )

    house.engine(feed).run()

    answers = {told.source_id: answer for told, answer in feed.answers}
    assert len(feed.answers) == 2
    assert answers["desk/1"].status == "rejected"
    assert answers["desk/1"].reason.startswith("parked: ValueError")
    assert answers["desk/2"].status == "accepted"
    assert [waiting.what for waiting in parked(house)] == ["desk/1"]


def test_a_parked_request_keeps_nobodys_words_in_clear(open_house: OpenHouse) -> None:
    failing = undecidable(NoteProgress, "call", {"0" * 32}, ValueError)
    house = open_house((*SERVICES, failing))
    words = "王小明的电话是一三八"
    request = NoteProgress(call="0" * 32, case="1" * 32, department="D32", by="officer", note=words)

    house.engine(Inputs([(MONDAY_MORNING, Submission("desk/1", request, "officer"))])).run()

    waiting = parked(house)
    assert [found.what for found in waiting] == ["desk/1"]
    assert words.encode() not in (waiting[0].request or b"")


# What takes the process with it


def starts_until_it_stays_up(open_it: Callable[[], House], play: Callable[[House], None], at_most: int) -> int:
    """Start the process anew until it stays up; gives how often it died."""
    for deaths in range(at_most):
        house = open_it()
        try:
            play(house)
        except Killed:
            house.close()
        else:
            house.close()
            return deaths
    pytest.fail(f"expected a process that stays up after at most {at_most} starts, found it dying at each of them")


def test_a_fact_that_takes_the_process_with_it_again_and_again_is_parked_in_the_end(open_house: OpenHouse) -> None:
    fragile = Fragile(kill=True)
    house = open_house(fragile.services)
    reports = [hand_in(house, str(n), reporter=f"resident-{n}") for n in range(4)]
    fragile.broken = {f"{reports[1]}:1"}
    house.close()

    deaths = starts_until_it_stays_up(lambda: open_house(fragile.services), react, at_most=30)

    house = open_house(fragile.services)
    assert MAX_ATTEMPTS <= deaths <= 2 * CAREFUL_AFTER + MAX_ATTEMPTS
    assert [(waiting.what, waiting.cause) for waiting in parked(house)] == [
        (f"{reports[1]}:1", "the process ended whenever it was handled"),
        (f"{reports[1]}:2", "behind a parked fact"),
    ]
    opened = {fact.stream for fact in all_facts(house.log) if fact.name == "case.opened.v1"}
    assert opened == {case_of(report) for report in reports} - {case_of(reports[1])}
    settled(house.log)


def test_a_timer_that_takes_the_process_with_it_again_and_again_is_parked_in_the_end(open_house: OpenHouse) -> None:
    broken: set[str] = set()
    services = missing_clocks(broken, Killed)
    house = open_house(services)
    broken.add(call_of_case(house, open_case(house, "1")))
    house.close()

    starts_until_it_stays_up(
        lambda: open_house(services), lambda opened: pass_time(opened, MONDAY_MORNING + timedelta(hours=1)), at_most=40
    )


@pytest.mark.parametrize(
    ("handled", "told_to_end", "careful"),
    [(20, False, True), (20, True, False), (2 * CHUNK, False, False)],
    ids=["killed early", "told to end", "killed late"],
)
def test_who_reacts_to_nothing_is_careful_only_after_being_killed_early_again_and_again(
    open_house: OpenHouse, handled: int, told_to_end: bool, careful: bool
) -> None:
    house = open_house()

    def start(n: int) -> int:
        """A process that decides requests alone; gives how many transactions they took."""
        request = ClassifyCase(case="0" * 32, matter="602", by="op")
        told = [(MONDAY_MORNING, Submission(f"desk/{n}/{m}", request, "op")) for m in range(handled)]
        engine = Engine(house.ledger, (), house.attempts("door"), Inputs(told), subscriber="door", timers=False)
        steps = sum(iter(lambda: engine.step(MONDAY_MORNING), False))
        if told_to_end:
            engine.end()
        return steps

    steps = [start(n) for n in range(CAREFUL_AFTER)]

    assert steps[0] < 20
    assert (steps[-1] >= 20) is careful


def test_a_careful_engine_parks_no_innocent_fact_while_inputs_keep_coming(open_house: OpenHouse) -> None:
    fragile = Fragile()
    house = open_house(fragile.services)
    bad = hand_in(house, "bad")
    fragile.broken = {f"{bad}:1"}
    busy = [(MONDAY_MORNING, submission(house, f"{n}", reporter=f"resident-{n}")) for n in range(12)]
    feed = Inputs([], at_once=1)
    engine = house.engine(feed)
    while engine.step(MONDAY_MORNING):
        pass

    feed.give_back(busy)
    while engine.step(MONDAY_MORNING):
        pass

    assert {waiting.stream for waiting in parked(house)} == {bad}
    for told_by, _ in feed.answers:
        assert isinstance(told_by.request, SubmitReport)
        assert names(house.log.stream(told_by.request.report))[-1] == "report.linked"
