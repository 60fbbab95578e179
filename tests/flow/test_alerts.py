"""Alerts in a township: departments are alerted over real servers, and the log knows what became of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from events.call import (
    AcknowledgeCall,
    AlertDepartment,
    CallAlerted,
    CallClockMissed,
    CallDelivered,
    CallDeliveryFailed,
    DepartmentsCalled,
    MissDelivery,
    NoteDelivery,
    NoteDeliveryFailure,
)
from events.envelope import Recorded, Request
from events.ids import case_of
from events.report import SubmitReport
from projections.queries import Questions
from services.alerting import AlertsThread, notifiers_of
from services.alerts.alert import Alert
from services.alerts.channels import Channels, MailChannel, Route, WebhookChannel
from services.alerts.notifier import Notifier, Outcome
from services.alerts.pauses import MOST_TRIES
from services.alerts.service import AT_ONCE, HEARS, NAME, Alerts, Submit, begin_now
from services.messaging.log_cursor import LogCursor
from services.runtime.batch import Answer, Submission
from services.runtime.clock import VirtualClock
from services.runtime.front import Front, Overloaded
from services.serving import EngineThread
from services.wiring import House
from tests.brokers import until
from tests.conftest import OpenHouse
from tests.flow.township import (
    MONDAY_MORNING,
    act,
    all_facts,
    open_case,
    pass_time,
    row,
    rows,
    submission,
    timers,
    told,
)
from tests.receivers import HANG, HOST, Endpoint, endpoint, mailbox

MINUTE = timedelta(minutes=1)
SECRET = "whsec_" + "A" * 43 + "="
CONSOLE = "https://hujiao.example.cn/console/"
EMERGENCY = {"matter": "204"}
"""Of class U1 and public; the lead is D09."""


def webhook(name: str, url: str) -> WebhookChannel:
    return WebhookChannel(name=name, url=url, secret=SECRET)


def letter(name: str, port: int) -> MailChannel:
    return MailChannel(name=name, to="duty@d15.test", sender="hujiao@town.test", smtp=HOST, port=port, security="none")


def channels_of(*channels: Any, routes: tuple[Route, ...] = ()) -> Channels:
    """These channels; all of them, in this order, for everybody, if nothing else is said."""
    everybody = (Route(channels=tuple(channel.name for channel in channels)),)
    return Channels(console_url=CONSOLE, channel=channels, route=routes or everybody)


def only(*channels: str) -> tuple[Route, ...]:
    """The lead of an emergency is alerted over these, and nobody else."""
    return (Route(department="D09", channels=channels),)


def move(house: House, to: datetime) -> None:
    """The clock stands there from now on."""
    assert isinstance(house.clock, VirtualClock)
    house.clock.move(to)


def clocks_missed(house: House) -> list[tuple[datetime, CallClockMissed]]:
    return [
        (recorded.meta.recorded_at, recorded.fact)
        for recorded in all_facts(house.log)
        if isinstance(recorded.fact, CallClockMissed)
    ]


@pytest.fixture
def receiver() -> Iterator[Endpoint]:
    with endpoint() as one:
        yield one


@pytest.fixture
def second() -> Iterator[Endpoint]:
    with endpoint() as one:
        yield one


async def at_once(_: float) -> None:
    """Rest no longer than others need to do something."""
    await asyncio.sleep(0)


@asynccontextmanager
async def alerting(
    house: House,
    channels: Channels,
    *,
    through: Callable[[Submit], Submit] = lambda submit: submit,
    notifiers: dict[str, Notifier] | None = None,
    sleep: Callable[[float], Awaitable[None]] = at_once,
) -> AsyncIterator[Front]:
    """The engine of a house in its thread, and alerts at work beside it, as in a township that serves."""
    front = Front()
    engine = EngineThread(house.engine(front), front, lambda: house.clock, house.settle)
    engine.start()
    await asyncio.to_thread(begin_now, house.log)
    async with httpx.AsyncClient() as client:
        attempts = house.attempts(NAME)
        known = {**notifiers_of(channels, client, house.clock), **(notifiers or {})}
        alerts = Alerts(
            house.log, attempts, channels, known, lambda: house.ledger.rules, through(front.submit), sleep=sleep
        )
        with closing(house.place.lock(NAME)) as lock:
            cursor = LogCursor(house.log, attempts, house.clock, NAME, lock, HEARS, settled=alerts.settled)
            working = asyncio.ensure_future(alerts.run(cursor))
            try:
                yield front
            finally:
                working.cancel()
                with suppress(asyncio.CancelledError):
                    await working
                await asyncio.to_thread(engine.stop)
    assert engine.failure is None


def kinds(house: House, *kinds: type[Any]) -> list[Any]:
    facts: list[Any] = [recorded.fact for recorded in all_facts(house.log)]
    return [fact for fact in facts if isinstance(fact, kinds)]


def about_alerts(house: House) -> list[tuple[str, str, str]]:
    """What the log says of alerts: department, channel, and what became of it."""
    return [
        (fact.department, fact.channel, getattr(fact, "reason", type(fact).__name__))
        for fact in kinds(house, CallAlerted, CallDelivered, CallDeliveryFailed)
    ]


async def reported(front: Front, house: House, record: str = "r-1", **fields: Any) -> str:
    """Report something and have it called; gives the case."""
    sent = submission(house, record, **(EMERGENCY | fields))
    assert isinstance(sent.request, SubmitReport)
    await front.submit(sent)
    case = case_of(sent.request.report)
    await until(lambda: any(fact.case == case for fact in kinds(house, DepartmentsCalled)), "called departments")
    return case


async def told_of_alerts(house: House, *expected: tuple[str, str, str]) -> None:
    """Wait until the log says just this of alerts."""
    await until(lambda: about_alerts(house) == list(expected), f"{expected}, found {about_alerts(house)}")


def set_out(house: House) -> list[Recorded]:
    return [recorded for recorded in all_facts(house.log) if isinstance(recorded.fact, CallAlerted)]


async def never(_: float) -> None:
    """Rest for ever: nothing is tried again."""
    await asyncio.Event().wait()


LEAD = Route(department="D09", channels=("gateway", "mail"))
SET_OUT, ARRIVED = ("D09", "gateway", "CallAlerted"), ("D09", "gateway", "CallDelivered")


# --- who is alerted


@pytest.mark.every_store
async def test_a_called_department_is_alerted_and_the_log_says_so(house: House, receiver: Endpoint) -> None:
    async with alerting(house, channels_of(webhook("gateway", receiver.url), routes=only("gateway"))) as front:
        case = await reported(front, house)
        await told_of_alerts(house, SET_OUT, ARRIVED)

    (posted,) = receiver.posted
    (alerted,) = set_out(house)
    assert posted.id == alerted.id
    assert posted.data | {"alerted_at": "", "town": ""} == {
        "id": alerted.id,
        "alerted_at": "",
        "town": "",
        "town_zh": house.ledger.rules.towns[alerted.fact.town].zh,
        "matter": "204",
        "matter_zh": house.ledger.rules.matters["204"].zh,
        "handling_class": "U1",
        "department": "D09",
        "department_zh": house.ledger.rules.departments["D09"].zh,
        "role": "lead",
        "acknowledge_by": "2026-11-23T09:15:00+08:00",
        "call": alerted.stream,
        "case": case,
        "link": f"{CONSOLE}#case={case}",
    }
    leg = row(house, "legs", case=case, department="D09")
    assert (leg["delivery"], leg["delivered_at"]) == ("delivered", "2026-11-23T01:00:00.000000+00:00")
    lines = {line["what"]: line["detail"] for line in rows(house.views, "timeline", case=case, department="D09")}
    assert lines == {"call.alerted.v1": "gateway", "call.delivered.v1": "gateway"}


async def test_of_a_confidential_case_nothing_is_told(house: House, receiver: Endpoint) -> None:
    routes = (Route(department="D15", channels=("gateway",)),)
    async with alerting(house, channels_of(webhook("gateway", receiver.url), routes=routes)) as front:
        await reported(front, house, matter="401", title="后山有人挖矿", text="夜里挖")
        await until(lambda: bool(receiver.posted), "an alert")

    (posted,) = receiver.posted
    assert (posted.data["matter"], posted.data["matter_zh"]) == ("", "保密事项")
    for hidden in ("挖", "矿", "resident-7"):
        assert hidden not in posted.body.decode()


async def test_where_no_route_fits_everything_is_as_without_alerts(
    house: House, open_house: OpenHouse, receiver: Endpoint
) -> None:
    other = open_house(name="without")
    open_case(other, "r-1", **EMERGENCY)
    routes = (Route(town="445303101", channels=("gateway",)),)

    async with alerting(house, channels_of(webhook("gateway", receiver.url), routes=routes)) as front:
        await reported(front, house)
        await until(lambda: house.position(NAME) == house.log.head(), "everything heard")

    assert told(house.log) == told(other.log)
    assert timers(house.log) == timers(other.log)
    assert receiver.posted == []


async def test_who_was_called_before_there_were_alerts_is_not_alerted(house: House, receiver: Endpoint) -> None:
    open_case(house, "r-1", **EMERGENCY)

    async with alerting(house, channels_of(webhook("gateway", receiver.url), routes=only("gateway"))) as front:
        case = await reported(front, house, "r-2", reporter="resident-8")
        await told_of_alerts(house, SET_OUT, ARRIVED)

    assert [posted.data["case"] for posted in receiver.posted] == [case]


async def test_what_was_called_while_alerts_were_away_is_alerted_when_they_are_back(
    house: House, receiver: Endpoint
) -> None:
    channels = channels_of(webhook("gateway", receiver.url), routes=only("gateway"))
    async with alerting(house, channels):
        pass
    open_case(house, "r-1", **EMERGENCY)

    async with alerting(house, channels):
        await told_of_alerts(house, SET_OUT, ARRIVED)


@pytest.mark.every_store
async def test_the_view_tells_of_the_first_delivery_and_else_of_the_newest_failure(house: House) -> None:
    case = open_case(house, "r-1", **EMERGENCY)
    called = next(recorded for recorded in all_facts(house.log) if isinstance(recorded.fact, DepartmentsCalled))
    about = {"call": called.stream, "department": called.fact.legs[0].department}  # type: ignore[attr-defined]  # it is

    def seen(request: Request, *minutes: int) -> tuple[str | None, str | None]:
        for after in minutes:
            move(house, MONDAY_MORNING + after * MINUTE)
        act(house, request)
        leg = row(house, "legs", case=case, department=about["department"])
        return leg["delivery"], leg["delivered_at"]

    assert row(house, "legs", case=case, department=about["department"])["delivery"] is None
    assert seen(AlertDepartment(**about, channels=("gateway", "mail"))) == ("under_way", None)
    refused = NoteDeliveryFailure(**about, channel="gateway", reason="refused")
    assert seen(refused) == ("under_way", None)
    assert seen(MissDelivery(**about, channel="mail"), 2) == ("not_in_time", None)
    arrived = "2026-11-23T01:03:00.000000+00:00"
    assert seen(NoteDelivery(**about, channel="mail"), 3) == ("delivered", arrived)
    assert seen(NoteDelivery(**about, channel="mail"), 4) == ("delivered", arrived)


# --- two minutes


async def test_an_emergency_whose_first_channel_is_dead_takes_the_next_in_two_minutes_and_no_clock_waits(
    house: House, open_house: OpenHouse, receiver: Endpoint
) -> None:
    without = open_house(name="without", clock=VirtualClock(MONDAY_MORNING))
    open_case(without, "r-1", **EMERGENCY)
    receiver.always = 503
    async with mailbox() as letters:
        channels = channels_of(webhook("gateway", receiver.url), letter("mail", letters.port), routes=(LEAD,))
        async with alerting(house, channels, sleep=never) as front:
            await reported(front, house)
            await until(lambda: bool(receiver.posted), "a first try")
            move(house, MONDAY_MORNING + 2 * MINUTE - timedelta(microseconds=1))
            nobody = AcknowledgeCall(call=set_out(house)[0].stream, department="D99", by="nobody")
            await front.submit(Submission("desk/nobody", nobody, "nobody"))  # decided just then, and rejected
            before = about_alerts(house)
            move(house, MONDAY_MORNING + 2 * MINUTE)
            await told_of_alerts(
                house,
                SET_OUT,
                ("D09", "gateway", "not_in_time"),
                ("D09", "mail", "CallAlerted"),
                ("D09", "mail", "CallDelivered"),
            )
            move(house, MONDAY_MORNING + 15 * MINUTE)
            await until(lambda: bool(kinds(house, CallClockMissed)), "a missed acknowledgement")

    assert before == [SET_OUT]
    assert len(letters.received) == 1
    pass_time(without, MONDAY_MORNING + 15 * MINUTE)
    assert kinds(house, DepartmentsCalled) == kinds(without, DepartmentsCalled)
    assert clocks_missed(house) == clocks_missed(without)
    assert {name: due for name, due in timers(house.log).items() if name in timers(without.log)} == timers(without.log)


async def test_an_alert_that_arrives_too_late_is_delivered_all_the_same(house: House, receiver: Endpoint) -> None:
    receiver.answers.append(503)
    rested = asyncio.Event()

    async def rest(_: float) -> None:
        await rested.wait()

    channels = channels_of(webhook("gateway", receiver.url), routes=only("gateway"))
    async with alerting(house, channels, sleep=rest) as front:
        await reported(front, house)
        await until(lambda: bool(receiver.posted), "a first try")
        move(house, MONDAY_MORNING + 2 * MINUTE)
        await told_of_alerts(house, SET_OUT, ("D09", "gateway", "not_in_time"))
        rested.set()
        await told_of_alerts(house, SET_OUT, ("D09", "gateway", "not_in_time"), ARRIVED)


# --- what fails


async def test_a_receiver_that_is_away_for_a_while_is_tried_again_under_the_same_id(
    house: House, receiver: Endpoint
) -> None:
    receiver.answers.extend((500, 500))
    async with alerting(house, channels_of(webhook("gateway", receiver.url), routes=only("gateway"))) as front:
        await reported(front, house)
        await told_of_alerts(house, SET_OUT, ARRIVED)

    assert len(receiver.posted) == 3
    assert {posted.id for posted in receiver.posted} == {set_out(house)[0].id}


async def test_a_refusal_takes_the_next_channel_at_once(house: House, receiver: Endpoint, second: Endpoint) -> None:
    receiver.always = 410
    routes = (Route(channels=("gateway", "other"), department="D09"),)
    channels = channels_of(webhook("gateway", receiver.url), webhook("other", second.url), routes=routes)
    async with alerting(house, channels) as front:
        await reported(front, house)
        await told_of_alerts(
            house,
            SET_OUT,
            ("D09", "gateway", "refused"),
            ("D09", "other", "CallAlerted"),
            ("D09", "other", "CallDelivered"),
        )

    assert (len(receiver.posted), len(second.posted)) == (1, 1)


@pytest.mark.every_store
async def test_what_cannot_be_delivered_is_a_dead_letter_and_is_not_sent_after_a_restart(
    house: House, receiver: Endpoint
) -> None:
    receiver.always = 503
    channels = channels_of(webhook("gateway", receiver.url), routes=only("gateway"))
    async with alerting(house, channels) as front:
        case = await reported(front, house)
        await told_of_alerts(house, SET_OUT, ("D09", "gateway", "dead_letter"))
    assert len(receiver.posted) == MOST_TRIES

    receiver.always = 204
    async with alerting(house, channels):
        await until(lambda: house.position(NAME) == house.log.head(), "everything heard")

    assert len(receiver.posted) == MOST_TRIES
    assert row(house, "legs", case=case, department="D09")["delivery"] == "dead_letter"
    (unreached,) = Questions(house.views.database).unreached()
    assert (unreached["case"], unreached["department"], unreached["failed"]) == (case, "D09", "gateway dead_letter")


async def test_a_notifier_that_breaks_is_tried_again_and_stops_nobody_else(house: House, receiver: Endpoint) -> None:
    class Broken:
        async def deliver(self, alert: Alert) -> Outcome:
            raise ZeroDivisionError("nobody thought of this")

    routes = (Route(channels=("broken", "gateway"), department="D09"),)
    channels = channels_of(webhook("broken", receiver.url), webhook("gateway", receiver.url), routes=routes)
    async with alerting(house, channels, notifiers={"broken": Broken()}) as front:
        await reported(front, house)
        await told_of_alerts(
            house,
            ("D09", "broken", "CallAlerted"),
            ("D09", "broken", "dead_letter"),
            SET_OUT,
            ARRIVED,
        )


async def test_a_channel_that_is_configured_no_more_gives_way_to_the_next(house: House, receiver: Endpoint) -> None:
    receiver.always = 503
    routes = (Route(channels=("gateway", "other"), department="D09"),)
    gateway, other = webhook("gateway", receiver.url), webhook("other", receiver.url)
    async with alerting(house, channels_of(gateway, other, routes=routes), sleep=never) as front:
        await reported(front, house)
        await until(lambda: bool(receiver.posted), "a first try")

    receiver.always = 204
    async with alerting(house, channels_of(other)):
        await told_of_alerts(
            house,
            SET_OUT,
            ("D09", "gateway", "unknown_channel"),
            ("D09", "other", "CallAlerted"),
            ("D09", "other", "CallDelivered"),
        )


async def test_who_has_acknowledged_is_not_alerted_again(house: House, receiver: Endpoint) -> None:
    receiver.always = 503
    rested = asyncio.Event()

    async def rest(_: float) -> None:
        await rested.wait()

    channels = channels_of(webhook("gateway", receiver.url), routes=only("gateway"))
    async with alerting(house, channels, sleep=rest) as front:
        await reported(front, house)
        await until(lambda: bool(receiver.posted), "a first try")
        (alerted,) = set_out(house)
        taken = AcknowledgeCall(call=alerted.stream, department="D09", by="officer-D09")
        await front.submit(Submission("desk/taken", taken, "officer-D09"))
        rested.set()
        await until(lambda: house.position(NAME) == house.log.head(), "nothing under way")

    assert len(receiver.posted) == 1
    assert about_alerts(house) == [SET_OUT]


# --- nobody waits for another


async def test_a_dead_endpoint_keeps_no_other_department_waiting(
    house: House, receiver: Endpoint, second: Endpoint
) -> None:
    receiver.always = HANG
    routes = (Route(department="D09", channels=("gateway",)), Route(channels=("other",)))
    channels = channels_of(webhook("gateway", receiver.url), webhook("other", second.url), routes=routes)
    async with alerting(house, channels) as front:
        for n in range(AT_ONCE + 3):
            await reported(front, house, f"r-{n}", reporter=f"resident-{n}")
        calls = sum(len(fact.legs) for fact in kinds(house, DepartmentsCalled)) - AT_ONCE - 3
        await until(lambda: len(kinds(house, CallDelivered)) == calls, "everybody else alerted")
        hanging = len(receiver.posted)
        kept = house.position(NAME)
        receiver.woken.set()

    assert hanging == AT_ONCE
    assert kept < min(recorded.position for recorded in set_out(house) if recorded.fact.department == "D09")


# --- crashes


@pytest.mark.every_store
async def test_an_alert_whose_delivery_was_not_noted_is_sent_again_with_the_same_id_and_noted_once(
    house: House, receiver: Endpoint
) -> None:
    channels = channels_of(webhook("gateway", receiver.url), routes=only("gateway"))
    noted: list[Submission] = []

    def dying_before_it_is_noted(submit: Submit) -> Submit:
        async def submitted(sent: Submission) -> Answer:
            if isinstance(sent.request, NoteDelivery):
                noted.append(sent)
                await asyncio.Event().wait()
            return await submit(sent)

        return submitted

    async with alerting(house, channels, through=dying_before_it_is_noted) as front:
        await reported(front, house)
        await until(lambda: bool(noted), "an alert that was sent and not noted")
    assert about_alerts(house) == [SET_OUT]

    async with alerting(house, channels):
        await told_of_alerts(house, SET_OUT, ARRIVED)

    first, again = receiver.posted
    assert (first.id, first.body) == (again.id, again.body)


async def test_a_delivery_that_was_noted_just_before_the_end_is_not_sent_again(
    house: House, receiver: Endpoint
) -> None:
    channels = channels_of(webhook("gateway", receiver.url), routes=only("gateway"))
    answered: list[Answer] = []

    def dying_after_it_is_noted(submit: Submit) -> Submit:
        async def submitted(sent: Submission) -> Answer:
            answer = await submit(sent)
            if isinstance(sent.request, NoteDelivery):
                answered.append(answer)
                await asyncio.Event().wait()
            return answer

        return submitted

    async with alerting(house, channels, through=dying_after_it_is_noted) as front:
        await reported(front, house)
        await until(lambda: bool(answered), "a delivery that was noted")

    async with alerting(house, channels):
        await until(lambda: house.position(NAME) == house.log.head(), "everything heard")

    assert about_alerts(house) == [SET_OUT, ARRIVED]
    assert len(receiver.posted) == 1


async def test_tries_are_counted_over_restarts(house: House, receiver: Endpoint) -> None:
    receiver.always = 503
    channels = channels_of(webhook("gateway", receiver.url), routes=only("gateway"))
    async with alerting(house, channels, sleep=never) as front:
        await reported(front, house)
        await until(lambda: len(receiver.posted) == 1, "a first try")
    for n in range(2, MOST_TRIES):
        async with alerting(house, channels, sleep=never):
            await until(lambda n=n: len(receiver.posted) == n, f"try {n}")  # type: ignore[misc]  # bound on purpose

    async with alerting(house, channels, sleep=never):
        await told_of_alerts(house, SET_OUT, ("D09", "gateway", "dead_letter"))

    assert len(receiver.posted) == MOST_TRIES


async def test_a_request_that_finds_too_many_waiting_is_made_again(house: House, receiver: Endpoint) -> None:
    channels = channels_of(webhook("gateway", receiver.url), routes=only("gateway"))
    refused = 0

    def overloaded_at_first(submit: Submit) -> Submit:
        async def submitted(sent: Submission) -> Answer:
            nonlocal refused
            refused += 1
            if refused <= 3:
                raise Overloaded("expected fewer, found more")
            return await submit(sent)

        return submitted

    async with alerting(house, channels, through=overloaded_at_first) as front:
        await reported(front, house)
        await told_of_alerts(house, SET_OUT, ARRIVED)


# --- in a thread of its own


async def test_a_thread_alerts_until_it_is_told_to_stop(house: House, receiver: Endpoint) -> None:
    front = Front()
    engine = EngineThread(house.engine(front), front, lambda: house.clock, house.settle)
    thread = AlertsThread(house, front, channels_of(webhook("gateway", receiver.url), routes=only("gateway")))
    engine.start()
    thread.start()
    try:
        await until(lambda: house.position(NAME) > 0, "a thread that hears")
        await reported(front, house)
        await told_of_alerts(house, SET_OUT, ARRIVED)
    finally:
        await asyncio.to_thread(thread.stop)
        await asyncio.to_thread(engine.stop)

    assert not thread.is_alive()
