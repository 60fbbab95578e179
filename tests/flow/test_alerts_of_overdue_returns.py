"""逾期未归 in a township: who looks after its people is alerted over real servers, and nobody is named to them."""

import asyncio
from datetime import date, timedelta

import pytest

from events.person import (
    ApproveSecondment,
    ConsentToSecondment,
    EndSecondment,
    NoteOverdueTold,
    OverdueTold,
    RegisterPerson,
    RequestSecondment,
)
from services.alerts.channels import Route
from services.alerts.pauses import MOST_TRIES
from services.alerts.service import NAME, Submit, begin_now
from services.people.person import midnight, person_id
from services.runtime.batch import Answer, Submission
from services.wiring import House
from tests.brokers import until
from tests.flow.test_alerts import CONSOLE, alerting, channels_of, kinds, letter, move, never, receiver, webhook
from tests.flow.township import MONDAY_MORNING, act, all_facts, pass_time
from tests.receivers import Endpoint, mailbox

__all__ = ["receiver"]

NUMBER, PERSON, BUREAU = "LD-0042", person_id("LD-0042"), "区自然资源局"
TODAY = MONDAY_MORNING.date()
BACK = TODAY + timedelta(days=31)
OVERDUE = midnight(BACK + timedelta(days=1))
PERSONNEL = Route(channels=("gateway", "mail"), about="secondments")


@pytest.fixture
def lent(house: House) -> House:
    """Somebody is lent who should have been back by the day before `OVERDUE`; alerts begin after that."""
    about = {"employer": BUREAU, "town": house.ledger.rules.district.towns[0].code, "department": "D16", "by": "区"}
    act(house, RegisterPerson(person=PERSON, number=NUMBER, name="李敏", since=date(2020, 1, 6), **about))
    start = TODAY + timedelta(days=1)
    act(house, RequestSecondment(person=PERSON, to=BUREAU, start=start, back=BACK, by="张三"))
    act(house, ConsentToSecondment(person=PERSON, by="镇党委"))
    act(house, ApproveSecondment(person=PERSON, by="区人事"))
    pass_time(house, OVERDUE - timedelta(seconds=1))
    begin_now(house.log)
    return house


def told(house: House) -> list[str]:
    return [fact.channel for fact in kinds(house, OverdueTold)]


async def test_an_overdue_return_alerts_and_tells_the_town_and_where_to_look_and_nobodys_name(
    lent: House, receiver: Endpoint
) -> None:
    async with mailbox() as letters:
        channels = channels_of(webhook("gateway", receiver.url), letter("mail", letters.port), routes=(PERSONNEL,))
        async with alerting(lent, channels):
            move(lent, OVERDUE)
            await until(lambda: told(lent) == ["gateway"], "a told return")
        assert letters.received == []

    (posted,) = receiver.posted
    town = lent.ledger.rules.district.towns[0]
    position = next(f.position for f in all_facts(lent.log) if f.name == "person.secondment-overdue.v1")
    assert posted.data == {
        "id": f"overdue:{position}",
        "alerted_at": "2026-12-25T00:00:00+08:00",
        "town": town.code,
        "town_zh": town.zh,
        "link": CONSOLE,
    }
    for hidden in (NUMBER, PERSON, "李敏", BUREAU, "张三"):
        assert hidden not in f"{posted.body.decode()}{posted.headers}"


async def test_where_one_channel_refuses_it_arrives_over_the_next(lent: House, receiver: Endpoint) -> None:
    receiver.always = 410
    async with mailbox() as letters:
        channels = channels_of(webhook("gateway", receiver.url), letter("mail", letters.port), routes=(PERSONNEL,))
        async with alerting(lent, channels):
            move(lent, OVERDUE)
            await until(lambda: told(lent) == ["mail"], "a told return")

    (message,) = letters.received
    text = f"{message['Subject']}{message.get_content()}{message['Message-ID']}"
    assert "逾期未归" in text
    for hidden in (NUMBER, PERSON, "李敏", BUREAU, "张三"):
        assert hidden not in text
    assert len(receiver.posted) == 1


async def test_what_arrives_over_no_channel_is_noted_and_not_sent_after_a_restart(
    lent: House, receiver: Endpoint
) -> None:
    receiver.always = 503
    channels = channels_of(
        webhook("gateway", receiver.url), routes=(Route(channels=("gateway",), about="secondments"),)
    )
    async with alerting(lent, channels):
        move(lent, OVERDUE)
        await until(lambda: told(lent) == [""], "a return that could not be told")
    assert len(receiver.posted) == MOST_TRIES

    async with alerting(lent, channels):
        await until(lambda: lent.position(NAME) == lent.log.head(), "everything heard")

    assert len(receiver.posted) == MOST_TRIES


async def test_an_alert_whose_arrival_was_not_noted_is_sent_again_with_the_same_id_and_noted_once(
    lent: House, receiver: Endpoint
) -> None:
    channels = channels_of(
        webhook("gateway", receiver.url), routes=(Route(channels=("gateway",), about="secondments"),)
    )
    noting: list[Submission] = []

    def dying_before_it_is_noted(submit: Submit) -> Submit:
        async def submitted(sent: Submission) -> Answer:
            if isinstance(sent.request, NoteOverdueTold):
                noting.append(sent)
                await asyncio.Event().wait()
            return await submit(sent)

        return submitted

    async with alerting(lent, channels, through=dying_before_it_is_noted):
        move(lent, OVERDUE)
        await until(lambda: bool(noting), "an alert that was sent and not noted")
    assert told(lent) == []

    async with alerting(lent, channels):
        await until(lambda: told(lent) == ["gateway"], "a told return")

    first, again = receiver.posted
    assert (first.id, first.body) == (again.id, again.body)


async def test_channels_that_are_for_calls_are_not_told(lent: House, receiver: Endpoint) -> None:
    calls = channels_of(webhook("gateway", receiver.url))
    async with alerting(lent, calls):
        move(lent, OVERDUE)
        await until(lambda: any(f.name == "person.secondment-overdue.v1" for f in all_facts(lent.log)), "overdue")
        await until(lambda: lent.position(NAME) == lent.log.head(), "everything heard")
    assert receiver.posted == []


async def test_once_the_person_is_back_nothing_more_is_sent(lent: House, receiver: Endpoint) -> None:
    receiver.always = 503
    channels = channels_of(
        webhook("gateway", receiver.url), routes=(Route(channels=("gateway",), about="secondments"),)
    )
    async with alerting(lent, channels, sleep=never):
        move(lent, OVERDUE)
        await until(lambda: bool(receiver.posted), "a first try")
    act(lent, EndSecondment(person=PERSON, by="镇党委"))

    async with alerting(lent, channels):
        await until(lambda: lent.position(NAME) == lent.log.head(), "nothing under way")

    assert len(receiver.posted) == 1
    assert told(lent) == []
