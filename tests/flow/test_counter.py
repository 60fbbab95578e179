"""The counter: requests of outside users are decided in their order and all answered, however many there are."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from events.attributes import BadEvent
from events.cloudevents import JSON, CloudEvent
from events.district import Hotline
from events.edge import ReportReceived, RequestNotTaken
from events.report import ReportSubmitted
from services.intake.hotline import Reports
from services.messaging.counter import Asked, Clerk, Counter, short
from services.messaging.topology import Senders
from services.runtime.front import Front
from services.serving import EngineThread
from services.wiring import House
from tests.flow.township import all_facts, report_line

HOTLINE = "hotline-12345"


@contextmanager
def open_counter(house: House, max_waiting: int = 10_000, clerk: Clerk | None = None) -> Iterator[Counter]:
    """A counter, for hotlines if nobody else stands behind it, with the engine at work."""
    front = Front(max_waiting)
    thread = EngineThread(house.engine(front), front, lambda: house.clock, house.settle)
    thread.start()
    try:
        yield Counter(clerk or reports(house), front)
    finally:
        thread.stop()
    assert thread.failure is None


def reports(house: House) -> Reports:
    return Reports(house.desk, house.clock, lambda: house.ledger.rules, hotline)


def hotline(senders: Senders, user: str) -> Hotline | None:
    known = senders.who(user)
    return known if isinstance(known, Hotline) else None


def event(house: House, record: str, **fields: Any) -> CloudEvent:
    data = msgspec.json.encode(report_line(house, record, **fields))
    return CloudEvent(f"e-{record}", "//example.org", "report.submit.v1", datacontenttype=JSON, data=data)


async def test_what_is_sent_first_is_decided_first_whatever_it_is_called(house: House) -> None:
    records = [f"{number:04d}" for number in range(50, 0, -1)]

    with open_counter(house) as counter:
        outcomes = await counter.serve([(HOTLINE, event(house, record, reporter=record)) for record in records])

    facts = [recorded.fact for recorded in all_facts(house.log)]
    assert [fact.record for fact in facts if isinstance(fact, ReportSubmitted)] == records
    assert [getattr(outcome.reply, "record", "") for outcome in outcomes] == records


async def test_more_requests_than_may_wait_at_once_are_all_answered(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.messaging.counter.AT_ONCE", 20)
    requests = [(HOTLINE, event(house, f"{number % 30}")) for number in range(300)]

    with open_counter(house, max_waiting=25) as counter:
        outcomes = await counter.serve(requests)

    assert all(isinstance(outcome.reply, ReportReceived) for outcome in outcomes)
    assert [outcome.reply.repeated for outcome in outcomes if isinstance(outcome.reply, ReportReceived)] == [
        number >= 30 for number in range(300)
    ]


async def test_each_of_many_requests_has_the_answer_that_is_its_own(house: House) -> None:
    taken, other_words = event(house, "1"), event(house, "1", text="别的话")
    nobody, nothing = event(house, "2"), BadEvent("event", "one JSON object", "none", "torso")

    with open_counter(house) as counter:
        outcomes = await counter.serve(
            [(HOTLINE, taken), (HOTLINE, other_words), ("nobody", nobody), (HOTLINE, nothing)]
        )

    replies = [outcome.reply for outcome in outcomes]
    assert isinstance(replies[0], ReportReceived)
    refusals = [reply for reply in replies if isinstance(reply, RequestNotTaken)]
    assert [(reply.kind, reply.event) for reply in refusals] == [
        ("conflict", "e-1"),
        ("not_allowed", "e-2"),
        ("malformed", "torso"),
    ]
    assert [outcome.refused is not None for outcome in outcomes] == [False, False, True, True]


async def test_who_looks_sees_what_they_did_before_and_nothing_of_what_they_do_later(house: House) -> None:
    seen: list[list[str]] = []

    class Onlookers:
        """They look at the log or hand in a report."""

        def asked(self, user: str, event: CloudEvent) -> Asked:
            return Asked(None, self.look) if event.id == "e-look" else reports(house).asked(user, event)

        def look(self, answer: object) -> RequestNotTaken:
            facts = [recorded.fact for recorded in all_facts(house.log)]
            seen.append([fact.record for fact in facts if isinstance(fact, ReportSubmitted)])
            return RequestNotTaken(kind="rejected", reason=f"{len(seen)}")

    records = ["1", "look", "2", "look", "look", "3"]
    with open_counter(house, clerk=Onlookers()) as counter:
        outcomes = await counter.serve([(HOTLINE, event(house, record, reporter=record)) for record in records])

    assert seen == [["1"], ["1", "2"], ["1", "2"]]
    assert [getattr(outcome.reply, "record", "look") for outcome in outcomes] == records


@pytest.mark.parametrize("name", ["x" * 2048, "号" * 2048, "é" * 200])
def test_a_long_name_is_cut_to_its_bytes_and_no_two_become_one(name: str) -> None:
    cut = short(name, 150)

    assert len(cut.encode()) <= 150
    assert cut != short(name + "x", 150)
    assert short(cut, 150) == cut
