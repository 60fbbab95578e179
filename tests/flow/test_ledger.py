"""The ledger: what it answers, what it writes, and what it never does, in one process or in several."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from events.call import AcknowledgeCall, CallNoted, NoteProgress, ReportIn
from events.case import ApproveResult, CaseCallsIssued, ClassifyCase
from events.catalog import UnknownFact
from events.district import ConfigureDistrict, District
from events.ids import call_of, case_of
from events.report import LinkReportToCase, Point, SubmitReport
from services.decisions import ClearTimer, Service, SetTimer, Stream
from services.platforms import call as platforms
from services.runtime import configuration, ledger, seal
from services.runtime.batch import Answer, Batch, Submission
from services.runtime.clock import VirtualClock
from services.runtime.errors import Conflict, Damaged
from services.runtime.places import Place
from services.simulation.residents import Residents
from services.simulation.service import simulation
from services.wiring import SERVICES, House
from tests.flow.stores import BROKEN, behind, broken, where
from tests.flow.township import (
    MONDAY_MORNING,
    act,
    all_facts,
    counts,
    hand_in,
    keys,
    names,
    open_case,
    react,
    residents_lines,
    row,
    settled,
    submission,
    timers,
    told,
)
from tests.flow.writer import note

OpenHouse = Callable[..., House]
Places = Callable[[str], Place]
pytestmark = pytest.mark.every_store
MINUTE = timedelta(minutes=1)
ROOT = Path(__file__).resolve().parents[2]


class Stop(Exception):
    """Something outside the ledger went wrong."""


@contextmanager
def undone(house: House) -> Iterator[Batch]:
    """A batch whose block raises after all."""
    with suppress(Stop), house.ledger.batch() as batch:
        yield batch
        raise Stop


def not_allowed() -> Submission:
    return Submission("desk/no", ApproveResult(case="0" * 32, by="reviewer"), "reviewer")


def configure(district: District, name: str) -> Submission:
    request = ConfigureDistrict(stream=configuration.STREAM, hash=name, district=district)
    return Submission("configuration", request, "configuration", remembered=False)


def acknowledged_call(house: House, record: str = "1") -> str:
    """A call whose lead has acknowledged it, so that it may write notes."""
    leg = row(house, "legs", case=open_case(house, record), role="lead")
    act(house, AcknowledgeCall(call=leg["call"], department=leg["department"], by="officer"))
    return str(leg["call"])


# What it answers


def test_an_accepted_request_is_answered_with_the_number_of_its_facts(house: House) -> None:
    answer = house.ledger.decide(submission(house, "1"))

    assert answer == Answer("accepted", facts=3)
    assert names(all_facts(house.log, after=1)) == ["report.submitted", "report.accepted", "reporter.reported"]


def test_a_rejected_request_is_answered_with_its_reason_and_writes_no_fact(house: House) -> None:
    head = house.log.head()

    answer = house.ledger.decide(not_allowed())

    assert answer.status == "rejected"
    assert "expected an opened case" in answer.reason
    assert house.log.head() == head


def test_a_repeated_request_gets_its_first_answer_and_changes_nothing(house: House) -> None:
    first = house.ledger.decide(submission(house, "1"))
    before = counts(house)

    again = house.ledger.decide(submission(house, "1"))

    assert again == structs.replace(first, repeated=True)
    assert counts(house) == before


def test_a_repeated_request_gets_its_first_answer_from_a_house_that_was_opened_anew(open_house: OpenHouse) -> None:
    one = open_house()
    first = one.ledger.decide(submission(one, "1"))
    one.close()

    again = open_house()

    assert again.ledger.decide(submission(again, "1")) == structs.replace(first, repeated=True)


def test_a_rejection_stays_one_under_its_source_id_though_another_would_be_allowed_by_now(house: House) -> None:
    told_later = submission(house, "1").request
    assert isinstance(told_later, SubmitReport)
    link = Submission("desk/link", LinkReportToCase(report=told_later.report, case="0" * 32), "somebody")
    first = house.ledger.decide(link)
    hand_in(house, "1")

    again = house.ledger.decide(link)
    anew = house.ledger.decide(structs.replace(link, source_id="desk/link again"))

    assert first.status == "rejected"
    assert again == structs.replace(first, repeated=True)
    assert anew == Answer("accepted", facts=1)


def test_a_decision_that_asks_for_what_is_already_so_is_accepted_with_no_facts(house: House) -> None:
    case = open_case(house, "1")

    answer = house.ledger.decide(Submission("desk/same", ClassifyCase(case=case, matter="602", by="op"), "op"))

    assert answer == Answer("accepted", facts=0)


# The same source id with other content

OTHER_CONTENT: list[dict[str, Any]] = [
    {"text": "别的地方也塌了。"},
    {"title": "别的标题"},
    {"anonymous": True},
    {"matter": "404"},
    {"place": "村委会旁"},
    {"point": Point(112.0, 22.9, "GCJ-02")},
    {"channel": "hotline"},
    {"time": MONDAY_MORNING - MINUTE},
]


@pytest.mark.parametrize("other", OTHER_CONTENT, ids=",".join)
def test_the_same_source_id_with_other_content_is_a_conflict_and_nothing_is_written(
    house: House, other: dict[str, Any]
) -> None:
    house.ledger.decide(submission(house, "1"))
    before = counts(house), keys(house)

    with pytest.raises(Conflict):
        house.ledger.decide(submission(house, "1", **other))

    assert (counts(house), keys(house)) == before
    assert house.ledger.decide(submission(house, "1")).repeated


def test_a_conflict_in_a_batch_touches_nobody_else_in_it(house: House) -> None:
    house.ledger.decide(submission(house, "1"))

    with house.ledger.batch() as batch:
        batch.decide(submission(house, "2"))
        with pytest.raises(Conflict):
            batch.decide(submission(house, "1", text="别的"))
        batch.decide(submission(house, "3"))

    assert names(all_facts(house.log)).count("report.submitted") == 3
    settled(house.log)


def test_a_conflict_in_a_batch_leaves_no_key_behind(house: House) -> None:
    house.ledger.decide(submission(house, "1"))
    before = keys(house)

    with house.ledger.batch() as batch, pytest.raises(Conflict):
        batch.decide(submission(house, "1", time=house.clock.now() - MINUTE))

    assert keys(house) == before


def test_the_same_source_id_twice_in_one_batch_is_decided_once_and_repeated_once(house: House) -> None:
    with house.ledger.batch() as batch:
        first = batch.decide(submission(house, "1"))
        again = batch.decide(submission(house, "1"))
        with pytest.raises(Conflict):
            batch.decide(submission(house, "1", text="别的"))

    assert (first.repeated, again.repeated) == (False, True)
    assert names(all_facts(house.log)).count("report.submitted") == 1


def test_what_was_derived_from_the_words_makes_no_conflict_when_it_comes_out_differently(house: House) -> None:
    handed_in = submission(house, "1", matter=None)
    request = handed_in.request
    assert isinstance(request, SubmitReport)
    assert request.suggestions
    first = house.ledger.decide(handed_in)

    other = structs.replace(request, receipt="LD2222222222X", reporters=("0" * 32,), suggestions=())
    again = house.ledger.decide(structs.replace(handed_in, request=other))

    assert again == structs.replace(first, repeated=True)


# Batches


def test_a_rejection_in_a_batch_touches_nobody_else(house: House) -> None:
    with house.ledger.batch() as batch:
        answers = [batch.decide(told) for told in (submission(house, "1"), not_allowed(), submission(house, "2"))]

    assert [answer.status for answer in answers] == ["accepted", "rejected", "accepted"]
    assert names(all_facts(house.log)).count("report.submitted") == 2
    settled(house.log)


def test_a_rejected_request_leaves_no_key_behind(house: House) -> None:
    before = keys(house)
    handed_in = submission(house, "1")

    answer = house.ledger.decide(
        structs.replace(handed_in, request=structs.replace(handed_in.request, town="elsewhere"))
    )

    assert answer.status == "rejected"
    assert keys(house) == before


def test_a_rejected_request_gets_its_first_answer_again_though_the_key_of_its_words_was_not_kept(house: House) -> None:
    handed_in = submission(house, "1")
    elsewhere = structs.replace(handed_in, request=structs.replace(handed_in.request, town="elsewhere"))
    case = open_case(house, "2")
    note_early = NoteProgress(call=call_of(case, "P1", 9), case=case, department="D01", by="op", note="还没签收")
    early = Submission("desk/early", note_early, "op")

    for request in (elsewhere, early):
        first = house.ledger.decide(request)
        again = [house.ledger.decide(request) for _ in range(2)]

        assert first.status == "rejected"
        assert again == [structs.replace(first, repeated=True)] * 2


def test_a_rejected_request_is_in_conflict_with_another_under_its_source_id(house: House) -> None:
    handed_in = submission(house, "1")
    elsewhere = structs.replace(handed_in, request=structs.replace(handed_in.request, town="elsewhere"))
    house.ledger.decide(elsewhere)

    with pytest.raises(Conflict):
        house.ledger.decide(handed_in)


def test_the_streams_of_one_request_are_written_side_by_side_in_one_batch(house: House) -> None:
    case = open_case(house, "1", matter="601")

    issued = next(recorded for recorded in house.log.stream(case) if isinstance(recorded.fact, CaseCallsIssued))
    together = [fact for fact in all_facts(house.log) if fact.meta.causation == issued.meta.causation]

    assert isinstance(issued.fact, CaseCallsIssued)
    assert len(issued.fact.calls) > 1
    assert [fact.stream for fact in together] == [case, *(call.call for call in issued.fact.calls)]
    assert [fact.position - issued.position for fact in together] == list(range(len(together)))


def test_a_request_to_several_streams_writes_none_of_them_when_one_cannot_be_written(house: House) -> None:
    case = case_of(hand_in(house, "1", matter="601"))

    with broken(house.place, "log", "stored_events", "NEW.topic = 'call.issued.v1'"), pytest.raises(BROKEN):
        react(house)

    assert house.log.stream(case) == []
    react(house)
    assert names(house.log.stream(case))[:3] == ["case.opened", "case.classified", "case.calls-issued"]
    settled(house.log)


def test_a_batch_whose_block_raises_leaves_nothing(house: House, district: District) -> None:
    call = acknowledged_call(house)
    before = counts(house), keys(house), timers(house.log), house.ledger.rules.hash, seal.verify(house.log).head
    leg = row(house, "legs", department="D09")
    assist = AcknowledgeCall(call=leg["call"], department="D09", by="officer")

    with undone(house) as batch:
        answers = [
            batch.decide(submission(house, "2")),
            batch.decide(note(house, call, "officer", 1)),
            batch.decide(Submission("officer/2", assist, "officer")),
            batch.decide(not_allowed()),
            batch.decide(configure(structs.replace(district, triage_threshold=0.9), "other")),
        ]
        assert [answer.facts for answer in answers] == [3, 1, 1, 0, 1]

    after = counts(house), keys(house), timers(house.log), house.ledger.rules.hash, seal.verify(house.log).head
    assert after == before
    assert house.ledger.decide(submission(house, "2")) == Answer("accepted", facts=3)
    assert house.ledger.decide(Submission("officer/2", assist, "officer")) == Answer("accepted", facts=1)
    settled(house.log)


def test_a_first_configuration_that_was_rolled_back_is_not_in_force(place: Places, district: District) -> None:
    with House(place("data"), VirtualClock(MONDAY_MORNING)) as house:
        with undone(house) as batch:
            batch.decide(configure(district, "first"))

        assert not house.ledger.configured


@pytest.mark.parametrize(("point", "done"), [("deciding", False), ("inside", False), ("committed", True)])
def test_a_process_that_ends_around_the_commit_has_done_everything_or_nothing(
    place: Places, district: District, point: str, done: bool
) -> None:
    ends_at: list[str] = []

    def end(at: str) -> None:
        if at in ends_at:
            raise Stop

    with House(place("data"), VirtualClock(MONDAY_MORNING), probe=end) as house:
        house.configure(district)
        before = counts(house)
        ends_at.append(point)
        with pytest.raises(Stop):
            house.ledger.decide(submission(house, "1"))
        ends_at.clear()

        assert (counts(house) != before) == done
        assert house.ledger.decide(submission(house, "1")) == Answer("accepted", facts=3, repeated=done)
        assert house.ledger.decide(submission(house, "2")).facts == 3
        settled(house.log)


# Several writers


def test_two_houses_on_one_folder_write_alternately_without_losing_or_doubling_a_version(
    open_house: OpenHouse,
) -> None:
    one, other = open_house(), open_house()
    call = acknowledged_call(one)

    for n in range(20):
        one.ledger.decide(note(one, call, "one", n))
        other.ledger.decide(note(other, call, "other", n))
        if n % 5 == 0:
            hand_in(other, f"more-{n}")
            react(one)

    settled(one.log)
    assert seal.verify(one.log) == seal.verify(other.log)
    assert names(one.log.stream(call)).count("call.noted") == 40


def test_two_houses_in_two_threads_write_at_once_without_losing_or_doubling_a_version(open_house: OpenHouse) -> None:
    houses = {"one": open_house(), "other": open_house()}
    call = acknowledged_call(houses["one"])
    together = threading.Barrier(2)
    failures: list[BaseException] = []

    def write(who: str) -> None:
        together.wait()
        try:
            for n in range(100):
                assert houses[who].ledger.decide(note(houses[who], call, who, n)).facts == 1
        except BaseException as error:  # noqa: BLE001 - it is looked at in the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=write, args=(who,)) for who in houses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert failures == []
    settled(houses["one"].log)
    assert seal.verify(houses["one"].log) == seal.verify(houses["other"].log)
    assert names(houses["one"].log.stream(call)).count("call.noted") == 200


def test_two_processes_write_at_once_without_losing_or_doubling_a_version(open_house: OpenHouse) -> None:
    house = open_house()
    call = acknowledged_call(house)
    command = [sys.executable, "-m", "tests.flow.writer", where(house.place), call]
    writers = [
        subprocess.Popen([*command, who, "60"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True)
        for who in ("one", "other")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"

    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for n in range(60):
        assert house.ledger.decide(note(house, call, "we", n)).facts == 1
    for writer in writers:
        writer.communicate(timeout=30)

    assert [writer.returncode for writer in writers] == [0, 0]
    settled(house.log)
    assert names(house.log.stream(call)).count("call.noted") == 180


def test_a_house_decides_with_the_configuration_that_another_put_into_force(
    open_house: OpenHouse, district: District
) -> None:
    one, other = open_house(), open_house()
    hand_in(one, "before")

    other.configure(structs.replace(district, triage_threshold=0.99))
    report = hand_in(one, "after")

    assert one.ledger.rules.district.triage_threshold == 0.99
    assert one.log.stream(report)[0].meta.configuration == other.ledger.rules.hash


def test_a_house_that_was_opened_empty_learns_the_configuration_that_another_put_into_force(
    place: Places, district: District
) -> None:
    with (
        House(place("data"), VirtualClock(MONDAY_MORNING)) as one,
        House(place("data"), VirtualClock(MONDAY_MORNING)) as other,
    ):
        other.configure(district)

        with one.ledger.batch() as batch:
            assert batch.rules.hash == other.ledger.rules.hash


# Time


def test_what_is_recorded_never_runs_backwards_whatever_the_clocks_say(open_house: OpenHouse) -> None:
    ahead = open_house(clock=VirtualClock(MONDAY_MORNING + timedelta(hours=1)))
    behind = open_house(clock=VirtualClock(MONDAY_MORNING - timedelta(hours=1)))

    for n in range(4):
        hand_in((ahead, behind)[n % 2], str(n), time=MONDAY_MORNING - timedelta(days=1))
    behind.ledger.decide(submission(behind, "early"))
    with behind.ledger.batch(now=MONDAY_MORNING - timedelta(days=2)) as batch:
        batch.decide(submission(behind, "earlier"))

    settled(ahead.log)
    assert {fact.meta.recorded_at for fact in all_facts(ahead.log)} == {ahead.clock.now()}


def test_a_house_that_is_opened_with_a_clock_behind_its_log_goes_on_from_the_log(open_house: OpenHouse) -> None:
    late = open_house(clock=VirtualClock(MONDAY_MORNING + timedelta(days=3)))
    hand_in(late, "1")
    late.close()

    early = open_house()
    report = hand_in(early, "2")

    assert early.log.stream(report)[0].meta.recorded_at == MONDAY_MORNING + timedelta(days=3)
    settled(early.log)


# Timers


def timers_by_note(stream: str, fact: platforms.Facts) -> tuple[SetTimer | ClearTimer, ...]:
    """A call whose notes set and clear timers by the name of who writes: ``set remind 30`` is half an hour on."""
    match fact.by.split() if isinstance(fact, CallNoted) else ():
        case ("set", name, minutes):
            request = AcknowledgeCall(call=stream, department="D32", by=f"timer {minutes}")
            return (SetTimer(name, MONDAY_MORNING + int(minutes) * MINUTE, request),)
        case ("clear", name):
            return (ClearTimer(name),)
        case _:
            return ()


WITH_TIMERS = Service(name="notes", streams={"call": Stream(platforms.evolve, timers_by_note)})


def remind(house: House, call: str, by: str) -> dict[str, int]:
    """Write a note by that name; gives the timers of the call afterwards, in minutes from the beginning."""
    told_by = structs.replace(note(house, call, "desk", house.log.head()).request, by=by)
    assert house.ledger.decide(Submission(f"desk/{house.log.head()}", told_by, by)).facts == 1
    began = int(MONDAY_MORNING.timestamp()) * 1_000_000
    return {name.rsplit(":", 1)[1]: due - began for name, due in timers(house.log).items()}


@pytest.mark.parametrize("minutes", ["0", "-1", "-100000"])
def test_a_timer_that_is_due_already_waits_until_just_after_now(open_house: OpenHouse, minutes: str) -> None:
    house = open_house(services=(*SERVICES, WITH_TIMERS))
    call = acknowledged_call(house)

    waiting = remind(house, call, f"set remind {minutes}")

    assert waiting == {"remind": 1}


def test_a_timer_is_replaced_by_its_name_and_cleared_by_its_name(open_house: OpenHouse) -> None:
    house = open_house(services=(*SERVICES, WITH_TIMERS))
    call = acknowledged_call(house)
    minute = 60_000_000

    assert remind(house, call, "set remind 30") == {"remind": 30 * minute}
    assert remind(house, call, "set other 20") == {"remind": 30 * minute, "other": 20 * minute}
    assert remind(house, call, "set remind 45") == {"remind": 45 * minute, "other": 20 * minute}
    assert remind(house, call, "set remind 10") == {"remind": 10 * minute, "other": 20 * minute}
    assert remind(house, call, "clear nothing") == {"remind": 10 * minute, "other": 20 * minute}
    assert remind(house, call, "clear remind") == {"other": 20 * minute}


def test_a_batch_knows_when_the_next_timer_is_due_however_they_are_set_and_cleared(open_house: OpenHouse) -> None:
    house = open_house(services=(*SERVICES, WITH_TIMERS))
    call = acknowledged_call(house)
    moments = []

    with house.ledger.batch() as batch:
        for n, by in enumerate(("set a 30", "set b 20", "set b 40", "clear a", "set c 50", "clear b")):
            request = structs.replace(note(house, call, "desk", n).request, by=by)
            assert batch.decide(Submission(f"officer/{n}", request, by)).facts == 1
            due = batch.due(batch.now, -1)
            moments.append(((batch.next_due() or MONDAY_MORNING) - MONDAY_MORNING) // MINUTE)
            assert due == []

    assert moments == [30, 20, 30, 40, 40, 50]


def test_every_clock_of_a_called_department_is_a_timer_and_meeting_it_clears_it(house: House) -> None:
    leg = row(house, "legs", case=open_case(house, "1"), role="lead")
    of_lead = f"timer:{leg['call']}:{leg['department']}."

    waiting = {name.removeprefix(of_lead) for name in timers(house.log) if name.startswith(of_lead)}
    act(house, AcknowledgeCall(call=leg["call"], department=leg["department"], by="officer"))
    act(house, ReportIn(call=leg["call"], department=leg["department"], by="officer", people=2))
    left = {name.removeprefix(of_lead) for name in timers(house.log) if name.startswith(of_lead)}

    assert waiting == {"acknowledge", "arrive", "contact", "result"}
    assert left == {"contact", "result"}


# States


def play(house: House, many: int) -> None:
    lines = residents_lines(house.ledger.rules, MONDAY_MORNING, many)
    house.engine(Residents(lines, house.desk, house.ledger.rules)).run()


def test_states_folded_anew_from_the_log_lead_to_the_same_facts_as_states_kept_in_memory(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = (*SERVICES, simulation(1))
    kept, forgotten = open_house(services), open_house(services, name="forgetful")

    play(kept, 12)
    monkeypatch.setattr(ledger, "CACHED_STREAMS", 1)
    play(forgotten, 12)

    assert told(forgotten.log) == told(kept.log)
    settled(forgotten.log)


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_requests_decided_one_by_one_or_in_batches_lead_to_the_same_facts(open_house: OpenHouse, at_once: int) -> None:
    def decide(house: House, many: int) -> None:
        call = acknowledged_call(house)
        requests = [note(house, call, "who", n) if n % 3 else submission(house, f"r{n}") for n in range(12)]
        for start in range(0, len(requests), many):
            with house.ledger.batch() as batch:
                for request in requests[start : start + many]:
                    assert batch.decide(request).facts

    together, apart = open_house(), open_house(name="apart")

    decide(together, 12)
    decide(apart, at_once)

    assert told(apart.log) == told(together.log)
    settled(apart.log)


def test_facts_of_a_name_that_the_program_does_not_know_stop_it(open_house: OpenHouse) -> None:
    house = open_house()
    report = hand_in(house, "1")
    position = house.log.store.position
    with behind(house.place, "log") as connection:
        connection.execute(f"UPDATE stored_events SET topic = 'report.from-the-future.v9' WHERE {position} = 3")
    fresh = open_house()

    with pytest.raises(UnknownFact, match=r"report\.from-the-future\.v9"):
        fresh.log.after(0)
    with pytest.raises(UnknownFact):
        fresh.ledger.decide(Submission("desk/2", LinkReportToCase(report=report, case="0" * 32), "somebody"))
    with pytest.raises(UnknownFact):
        fresh.views.catch_up(fresh.log)
    assert fresh.views.positions()["reports"] == 0


def test_a_log_whose_newest_facts_were_cut_off_cannot_be_written_to(open_house: OpenHouse) -> None:
    house = open_house()
    hand_in(house, "1")
    head, position = house.log.head(), house.log.store.position
    house.close()
    with behind(house.place, "log") as connection:
        connection.execute(f"DELETE FROM stored_events WHERE {position} = {head}")

    with pytest.raises(Damaged, match=f"position {head}"):
        open_house()
