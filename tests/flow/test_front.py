"""The front: many senders at once, one writer, and an answer for each of them after its commit."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec import structs

from events.case import ApproveResult
from events.district import District
from services.runtime.batch import Answer, Submission
from services.runtime.clock import VirtualClock
from services.runtime.errors import Conflict, HujiaoError
from services.runtime.front import Front, Overloaded
from services.serving import EngineThread
from services.wiring import House
from tests.flow.township import MONDAY_MORNING, all_facts, counts, names, settled, submission

DEADLINE_S = 30


@contextmanager
def serving(house: House, front: Front) -> Iterator[EngineThread]:
    """The engine at work in its own thread."""
    thread = EngineThread(house.engine(front), front, lambda: house.clock, house.settle)
    thread.start()
    try:
        yield thread
    finally:
        thread.stop()
    assert thread.failure is None
    assert not thread.is_alive()


async def all_of(*waiting: object) -> list[Answer | BaseException]:
    async with asyncio.timeout(DEADLINE_S):
        return await asyncio.gather(*waiting, return_exceptions=True)  # type: ignore[call-overload,no-any-return]  # answers and errors together, as asked


async def until(true: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(DEADLINE_S):
        while not true():  # noqa: ASYNC110 - the condition is in the files, and nobody signals it
            await asyncio.sleep(0.005)


async def test_every_one_of_many_senders_is_answered_and_all_their_facts_are_there(house: House) -> None:
    front = Front()
    requests = [submission(house, f"{n:04d}", reporter=f"resident-{n}") for n in range(200)]

    with serving(house, front):
        answers = await all_of(*(front.submit(request) for request in requests))

    assert answers == [Answer("accepted", facts=3)] * 200
    assert names(all_facts(house.log)).count("report.submitted") == 200
    settled(house.log)


async def test_an_answer_comes_after_the_commit_of_what_it_answers(house: House) -> None:
    front = Front()

    async def submitted_and_seen(n: int) -> bool:
        request = submission(house, f"{n:04d}", reporter=f"resident-{n}")
        await front.submit(request)
        other = sqlite3.connect(house.folder / "log.db")
        try:
            found = other.execute("SELECT 1 FROM inbox WHERE source_id = ?", (request.source_id,)).fetchone()
        finally:
            other.close()
        return found is not None

    with serving(house, front):
        seen = await all_of(*(submitted_and_seen(n) for n in range(50)))

    assert seen == [True] * 50


async def test_a_repeat_gets_the_first_answer_and_other_content_raises_a_conflict(house: House) -> None:
    front = Front()

    with serving(house, front):
        first = await front.submit(submission(house, "1"))
        again = await front.submit(submission(house, "1"))
        with pytest.raises(Conflict):
            await front.submit(submission(house, "1", text="别的"))
        after = await front.submit(submission(house, "2"))

    assert again == structs.replace(first, repeated=True)
    assert after.status == "accepted"


async def test_conflicts_and_rejections_among_many_reach_those_who_caused_them_and_nobody_else(house: House) -> None:
    front = Front()
    good = [submission(house, f"{n:04d}") for n in range(20)]
    await_first = submission(house, "first")
    conflicting = [submission(house, "first", text=f"别的 {n}") for n in range(5)]
    refused = [Submission(f"desk/no-{n}", ApproveResult(case="0" * 32, by="reviewer"), "reviewer") for n in range(5)]

    with serving(house, front):
        await front.submit(await_first)
        answers = await all_of(*(front.submit(request) for request in (*conflicting, *good, *refused)))

    assert [type(answer) for answer in answers[:5]] == [Conflict] * 5
    assert {answer.status for answer in answers[5:25] if isinstance(answer, Answer)} == {"accepted"}
    assert [answer.status for answer in answers[25:] if isinstance(answer, Answer)] == ["rejected"] * 5
    assert names(all_facts(house.log)).count("report.submitted") == 21


async def test_the_same_request_sent_many_times_at_once_is_decided_once(house: House) -> None:
    front = Front()
    request = submission(house, "1")

    with serving(house, front):
        answers = await all_of(*(front.submit(request) for _ in range(30)))

    assert [answer.repeated for answer in answers if isinstance(answer, Answer)] == [False] + [True] * 29
    assert names(all_facts(house.log)).count("report.submitted") == 1


async def test_what_a_sender_submits_one_after_the_other_is_decided_in_that_order(house: House) -> None:
    front = Front()

    async def sender(who: str) -> None:
        for n in reversed(range(10)):
            await front.submit(submission(house, f"{who}-{n}", reporter=f"{who}-{n}"))

    with serving(house, front):
        await all_of(*(sender(who) for who in "abcd"))

    records = [fact.fact.record for fact in all_facts(house.log) if fact.name == "report.submitted.v1"]
    for who in "abcd":
        assert [record for record in records if record[0] == who] == [f"{who}-{n}" for n in reversed(range(10))]


async def test_requests_that_meet_in_one_transaction_are_decided_in_the_order_in_which_they_came(
    house: House,
) -> None:
    front = Front()
    requests = [submission(house, f"{n:04d}", reporter=f"resident-{n}") for n in (3, 1, 4, 2, 0)]
    waiting = [asyncio.create_task(front.submit(request)) for request in requests]
    await asyncio.sleep(0)

    with serving(house, front):
        await all_of(*waiting)

    records = [fact.fact.record for fact in all_facts(house.log) if fact.name == "report.submitted.v1"]
    assert records == ["0003", "0001", "0004", "0002", "0000"]


async def test_five_hundred_senders_at_once_share_a_few_transactions(house: House) -> None:
    front = Front()
    requests = [submission(house, f"{n:04d}", reporter=f"resident-{n}") for n in range(500)]
    before = counts(house)["seals"]

    with serving(house, front):
        answers = await all_of(*(front.submit(request) for request in requests))
        seals = counts(house)["seals"] - before

    assert answers == [Answer("accepted", facts=3)] * 500
    assert seals <= 25
    settled(house.log)


async def test_beyond_the_bound_a_sender_is_turned_away_and_nothing_of_its_request_is_kept(house: House) -> None:
    front = Front(max_waiting=10)
    waiting = [asyncio.create_task(front.submit(submission(house, f"{n}"))) for n in range(10)]
    await asyncio.sleep(0)
    before = counts(house)

    with pytest.raises(Overloaded):
        await front.submit(submission(house, "one too many"))
    with serving(house, front):
        await all_of(*waiting)
        after = await front.submit(submission(house, "one too many"))

    assert before["inbox"] == 0
    assert after == Answer("accepted", facts=3)
    assert names(all_facts(house.log)).count("report.submitted") == 11


async def test_a_sender_that_gives_up_waiting_does_not_hold_up_the_others(house: House) -> None:
    front = Front()
    impatient = asyncio.create_task(front.submit(submission(house, "1")))
    patient = asyncio.create_task(front.submit(submission(house, "2")))
    await asyncio.sleep(0)
    impatient.cancel()

    with serving(house, front):
        answers = await all_of(patient, front.submit(submission(house, "1")))

    assert impatient.cancelled()
    assert answers == [Answer("accepted", facts=3), Answer("accepted", facts=3, repeated=True)]


async def test_senders_in_several_event_loops_are_each_answered_in_their_own(house: House) -> None:
    front = Front()

    def in_a_loop_of_its_own(who: str) -> int:
        async def send() -> int:
            answers = await all_of(*(front.submit(submission(house, f"{who}-{n}")) for n in range(20)))
            return sum(isinstance(answer, Answer) and answer.facts == 3 for answer in answers)

        return asyncio.run(send())

    with serving(house, front):
        answered = await all_of(*(asyncio.to_thread(in_a_loop_of_its_own, who) for who in "abc"))

    assert answered == [20, 20, 20]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_senders_hear_that_the_engine_has_ended(tmp_path: Path, district: District) -> None:
    def fail(point: str) -> None:
        if failing and point == "inside":
            raise OSError("the disk is full")

    failing: list[bool] = []
    front = Front()
    with House(tmp_path, VirtualClock(MONDAY_MORNING), probe=fail) as house:
        house.configure(district)
        thread = EngineThread(house.engine(front), front, lambda: house.clock, house.settle)
        thread.start()
        failing.append(True)
        try:
            async with asyncio.timeout(1):
                with pytest.raises(HujiaoError):
                    await front.submit(submission(house, "1"))
        finally:
            thread.stop()
        assert isinstance(thread.failure, OSError)


async def test_what_is_submitted_is_reacted_to_and_shown_without_anybody_asking_again(house: House) -> None:
    front = Front()

    with serving(house, front):
        await front.submit(submission(house, "1"))
        await until(lambda: house.views.positions()["cases"] == house.log.head() > 10)

    assert "call.departments-called" in names(all_facts(house.log))
