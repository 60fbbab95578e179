"""One township behind several processes: whoever decides knows the newest state, whatever the others did meanwhile.

And a process that is killed, stands still or has the same request twice does no harm to the others.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec import structs

from events.call import AcknowledgeCall, CallIssued, NoteProgress, ReportIn
from events.district import District
from events.edge import ReportLine
from events.report import ReportSubmitted, ReportWords
from services.runtime import ledger, vault
from services.runtime.batch import Answer, Submission
from services.runtime.clock import VirtualClock
from services.runtime.errors import Conflict, Erased
from services.runtime.places import Place
from services.simulation.residents import Residents
from services.simulation.service import simulation
from services.wiring import SERVICES, House
from tests.flow.stores import keys, where
from tests.flow.township import (
    MONDAY_MORNING,
    act,
    all_facts,
    hand_in,
    names,
    open_case,
    residents_lines,
    row,
    settled,
    submission,
    told,
)
from tests.flow.writer import note

OpenHouse = Callable[..., House]
Places = Callable[[str], Place]
REPORTS = 80
ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.every_store


# Houses that take turns


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger and a vault that hold little in memory and soon are too far behind to follow."""
    monkeypatch.setattr(ledger, "CACHED_STREAMS", 6)
    monkeypatch.setattr(ledger, "FOLLOWED", 9)
    monkeypatch.setattr(vault, "CACHED_KEYS", 4)


@dataclass
class Story:
    """What residents, departments and operators do, drawn from a seed; each step by one of several houses."""

    houses: list[House]
    clock: VirtualClock
    draw: Random
    records: list[str] = field(default_factory=list)
    said: list[object] = field(default_factory=list)

    def go_on(self, steps: int) -> None:
        """Do so much."""
        often = (self.report, self.react, self.work) * 2
        seldom = (self.report_again, self.differ, self.wait, self.erase, self.look)
        for _ in range(steps):
            does = self.draw.choice((*often, *seldom))
            house = self.draw.choice(self.houses)
            self.said.append((does.__name__, does(house)))

    def report(self, house: House) -> Answer:
        self.records.append(f"record {len(self.records)}")
        return self._report(house, self.records[-1])

    def report_again(self, house: House) -> Answer | None:
        return self._report(house, self.draw.choice(self.records)) if self.records else None

    def differ(self, house: House) -> Answer | str | None:
        try:
            return self._report(house, self.draw.choice(self.records), title="别的事") if self.records else None
        except Conflict as conflict:  # which nobody can tell of an erased report
            return str(conflict)

    def _report(self, house: House, record: str, **fields: Any) -> Answer:
        dice = Random(record)
        time = MONDAY_MORNING - timedelta(minutes=dice.randrange(4000))
        fields = {"time": time, "reporter": f"resident-{dice.randrange(4)}", **fields}
        return house.ledger.decide(submission(house, record, **fields))

    def react(self, house: House) -> int:
        house.engine().run(until=house.clock.now())
        return house.log.head()

    def wait(self, house: House) -> int:
        self.clock.move(self.clock.now() + timedelta(minutes=self.draw.randrange(90)))
        return self.react(house)

    def work(self, house: House) -> Answer | None:
        calls = [found for found in all_facts(house.log) if isinstance(found.fact, CallIssued)]
        if not calls:
            return None
        call = self.draw.choice(calls)
        assert isinstance(call.fact, CallIssued)
        department = self.draw.choice(call.fact.legs).department
        officer = {"call": call.stream, "department": department, "by": f"{department}-1"}
        request = self.draw.choice(
            (
                AcknowledgeCall(**officer),
                ReportIn(**officer, people=2),
                NoteProgress(**officer, case=call.fact.case, note="在路上。"),
            )
        )
        return house.ledger.decide(Submission(f"desk/{len(self.said)}", request, "officer"))

    def erase(self, house: House) -> Answer | None:
        reports = self._reports(house)
        return house.erase(self.draw.choice(reports)[0], by="officer", reason="request") if reports else None

    def look(self, house: House) -> object:
        reports = self._reports(house)
        if not reports:
            return None
        _, submitted = self.draw.choice(reports)
        try:
            return house.vault.open(submitted.words, ReportWords, "operator", "to read it", MONDAY_MORNING).text
        except Erased:
            return "erased"

    def _reports(self, house: House) -> list[tuple[str, ReportSubmitted]]:
        return [(found.stream, found.fact) for found in all_facts(house.log) if isinstance(found.fact, ReportSubmitted)]


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_houses_that_take_turns_decide_as_one_house_alone_would(
    open_house: OpenHouse, forgetful: None, seed: int
) -> None:
    clocks = VirtualClock(MONDAY_MORNING), VirtualClock(MONDAY_MORNING)
    alone = Story([open_house(name="alone", clock=clocks[0])] * 3, clocks[0], Random(seed))
    together = Story([open_house(clock=clocks[1]) for _ in range(3)], clocks[1], Random(seed))

    alone.go_on(120)
    together.go_on(120)

    assert together.said == alone.said
    assert told(together.houses[0].log) == told(alone.houses[0].log)
    settled(together.houses[0].log)


@pytest.mark.parametrize("behind", ["near", "far"])
def test_a_house_knows_what_became_of_a_stream_while_it_looked_away(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch, behind: str
) -> None:
    one, other = open_house(), open_house()
    call = acknowledged_call(one)
    assert other.ledger.decide(note(other, call, "other", 0)).facts == 1
    monkeypatch.setattr(ledger, "FOLLOWED", 500 if behind == "near" else 5)

    for n in range(8):
        assert one.ledger.decide(note(one, call, "one", n)).facts == 1
    leg = row(one, "legs", call=call, role="lead")
    again = other.ledger.decide(
        Submission("desk/again", AcknowledgeCall(call=call, department=leg["department"], by="officer"), "officer")
    )
    last = other.ledger.decide(note(other, call, "other", 1))

    assert again == Answer("accepted", facts=0)
    assert last.facts == 1
    settled(other.log)


def test_a_stream_that_another_house_began_at_an_early_time_is_known(open_house: OpenHouse) -> None:
    one, other = open_house(), open_house()
    hand_in(one, "new")
    early = hand_in(other, "early", time=MONDAY_MORNING - timedelta(days=30))

    one.configure(structs.replace(one.ledger.rules.district, triage_threshold=0.9))
    again = one.ledger.decide(submission(one, "early", time=MONDAY_MORNING - timedelta(days=30)))

    assert again == Answer("accepted", facts=3, repeated=True)
    assert names(one.log.stream(early)) == ["report.submitted", "report.accepted"]
    settled(one.log)


def test_a_case_whose_reporter_another_house_erased_gets_no_new_words(open_house: OpenHouse) -> None:
    one, other = open_house(), open_house()
    call = acknowledged_call(one)
    assert one.ledger.decide(note(one, call, "one", 0)).facts == 1
    report = next(fact.stream for fact in all_facts(one.log) if fact.name == "report.submitted.v1")

    other.erase(report, by="officer", reason="request")
    one.ledger.decide(note(one, call, "one", 1))

    boxes = [getattr(fact.fact, "note", None) for fact in one.log.stream(call) if fact.name == "call.noted.v1"]
    assert [bool(box and box.box) for box in boxes] == [True, False]
    assert keys(one.place) == {}


# Processes


def acknowledged_call(house: House, record: str = "1") -> str:
    """A call whose lead has acknowledged it, so that it may write notes."""
    leg = row(house, "legs", case=open_case(house, record), role="lead")
    act(house, AcknowledgeCall(call=leg["call"], department=leg["department"], by="officer"))
    return str(leg["call"])


class Writer:
    """A process that writes notes on a call, which may kill itself at a point of its own transactions."""

    def __init__(self, place: Place, call: str, who: str, many: int, point: str = "", count: int = 0) -> None:
        command = [sys.executable, "-m", "tests.flow.writer", where(place), call, who, str(many), point, str(count)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True, bufsize=1
        )
        self.who = who
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def begin(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def end(self) -> tuple[int, list[int]]:
        """Its status, and the notes that it was told were written."""
        said, _ = self._process.communicate(timeout=120)
        return self._process.returncode, [int(line) for line in said.split()]


@pytest.mark.parametrize("point", ["deciding", "inside", "committed"])
def test_a_writer_killed_in_the_middle_of_a_transaction_keeps_nobody_up_and_loses_nothing_it_was_told(
    open_house: OpenHouse, point: str
) -> None:
    house = open_house()
    call = acknowledged_call(house)
    writers = [
        Writer(house.place, call, "killed", 40, point, 13),
        Writer(house.place, call, "killed too", 40, point, 29),
        Writer(house.place, call, "other", 40),
    ]
    for writer in writers:
        writer.begin()
    for n in range(40):
        assert house.ledger.decide(note(house, call, "we", n)).facts == 1
    ends = [writer.end() for writer in writers]

    again = Writer(house.place, call, "killed", 40)
    again.begin()
    status, done = again.end()

    assert [status for status, _ in ends] == [-signal.SIGKILL, -signal.SIGKILL, 0]
    assert (status, done) == (0, list(range(40)))
    written = {fact.meta.causation for fact in all_facts(house.log)}
    assert {f"{writer.who}/{n}" for writer, (_, said) in zip(writers, ends, strict=True) for n in said} <= written
    assert len(ends[0][1]) == 12
    counts = [names(house.log.stream(call)).count("call.noted")]
    assert counts == [40 + 40 + 40 + len([1 for cause in written if cause.startswith("killed too/")])]
    settled(house.log)


# The same story


def play(house: House, lines: Sequence[ReportLine], until: datetime | None = None) -> None:
    house.engine(Residents(iter(lines), house.desk, house.ledger.rules)).run(until)
    house.views.catch_up(house.log)


@pytest.fixture(scope="module")
def on_a_file(tmp_path_factory: pytest.TempPathFactory, district: District) -> Iterator[House]:
    """What becomes of some reports on SQLite."""
    with House(tmp_path_factory.mktemp("file"), VirtualClock(MONDAY_MORNING), (*SERVICES, simulation(1))) as house:
        house.configure(district)
        play(house, lines(house))
        yield house


def lines(house: House) -> list[ReportLine]:
    return list(residents_lines(house.ledger.rules, MONDAY_MORNING, REPORTS))


def test_the_same_reports_become_the_same_facts_and_views_wherever_they_are_kept(
    open_house: OpenHouse, on_a_file: House
) -> None:
    house = open_house((*SERVICES, simulation(1)))

    play(house, lines(house))

    assert told(house.log) == told(on_a_file.log)
    assert house.views.digest() == on_a_file.views.digest()
    settled(house.log)


def test_two_houses_that_play_in_turns_tell_the_same_story(open_house: OpenHouse, on_a_file: House) -> None:
    houses = [open_house((*SERVICES, simulation(1))) for _ in range(2)]
    reports = lines(houses[0])
    dice, until = Random(1), MONDAY_MORNING

    for n in range(30):
        until += timedelta(hours=dice.expovariate(1 / 30))
        play(houses[n % 2], reports, until)
    play(houses[0], reports)

    assert told(houses[1].log) == told(on_a_file.log)
    settled(houses[1].log)
