"""A service that reacts apart from the log's engine does what the engine would, and does it once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from deploy.servers import RabbitServer
from events.call import CallDepartments, CallIssued, ReleaseCall
from events.district import DistrictConfigured
from events.envelope import Recorded
from events.ids import call_of
from services.command_centre.service import SERVICE as COMMAND_CENTRE
from services.decisions import Later, Service
from services.intake.service import SERVICE as INTAKE
from services.messaging.letters import Addresses
from services.messaging.log_cursor import LogCursor
from services.messaging.queues import Queues
from services.messaging.reactor import Reactor
from services.messaging.relay import Relay, Write
from services.messaging.topology import ALL, fact_key, platform_queue
from services.platforms.service import SERVICE as PLATFORMS
from services.rules.book import RuleBook
from services.runtime.pulse import Pulse
from services.wiring import House
from tests.brokers import administering, until
from tests.conftest import OpenHouse
from tests.flow.township import all_facts, counts, hand_in, names, open_case, submission


def without_platforms(house: House, record: str) -> str:
    """Hand in a report and let everybody but the platforms react; gives the call that waits for its platform."""
    hand_in(house, record)
    house.engine_of("the others", INTAKE, COMMAND_CENTRE).run(until=house.clock.now())
    return next(recorded.stream for recorded in all_facts(house.log) if recorded.name == "call.issued.v1")


def first(house: House, stream: str) -> Recorded:
    found = house.log.first(stream)
    assert found is not None
    return found


@pytest.mark.every_store
async def test_a_fact_that_is_heard_again_is_decided_once(house: House) -> None:
    call = without_platforms(house, "1")
    issued = first(house, call)
    reactor = Reactor(house.ledger, PLATFORMS)

    await reactor.handle([issued])
    once = counts(house)
    await reactor.handle([issued, issued])
    await Reactor(house.ledger, PLATFORMS).handle([issued])

    assert names(house.log.stream(call)) == ["call.issued", "call.departments-called"]
    assert counts(house) == once


async def test_facts_that_nobody_reacts_to_change_nothing(house: House) -> None:
    without_platforms(house, "1")
    before = counts(house)

    await Reactor(house.ledger, PLATFORMS).handle([r for r in all_facts(house.log) if r.name != "call.issued.v1"])

    assert counts(house) == before


async def test_what_one_reaction_wants_and_may_not_have_stops_no_other(house: House) -> None:
    call = without_platforms(house, "1")
    other = call_of("0" * 32, "P4", 1)

    def wants(recorded: Recorded, fact: CallIssued, rules: RuleBook) -> tuple[CallDepartments | ReleaseCall, ...]:
        return (ReleaseCall(call=other), CallDepartments(call=recorded.stream))

    service = Service(name="platforms", reactions={"call.issued.v1": wants})
    await Reactor(house.ledger, service).handle([first(house, call)])

    assert names(house.log.stream(call)) == ["call.issued", "call.departments-called"]
    assert house.log.stream(other) == []


async def test_a_reaction_that_fails_leaves_nothing_behind(house: House) -> None:
    call = without_platforms(house, "1")
    before = counts(house)

    def fails(recorded: Recorded, fact: CallIssued, rules: RuleBook) -> tuple[Later, ...]:
        return (Later(due=datetime(2030, 1, 1, tzinfo=UTC), request=CallDepartments(call=recorded.stream)),)

    good = Reactor(house.ledger, PLATFORMS)
    with pytest.raises(TypeError, match="at once"):
        await Reactor(house.ledger, Service(name="late", reactions={"call.issued.v1": fails})).handle(
            [first(house, call)]
        )
    unchanged = counts(house)
    await good.handle([first(house, call)])

    assert unchanged == before
    assert names(house.log.stream(call))[-1] == "call.departments-called"


async def test_many_at_once_take_turns(house: House) -> None:
    call = without_platforms(house, "1")
    reactor = Reactor(house.ledger, PLATFORMS)

    await asyncio.gather(*(reactor.handle([first(house, call)]) for _ in range(8)))

    assert names(house.log.stream(call)) == ["call.issued", "call.departments-called"]


async def test_who_is_stopped_in_the_middle_leaves_the_ledger_to_nobody_half_done(house: House) -> None:
    call = without_platforms(house, "1")
    reactor = Reactor(house.ledger, PLATFORMS)
    with house.log.exclusive():
        handling = asyncio.ensure_future(reactor.handle([first(house, call)]))
        await asyncio.wait([handling], timeout=0.05)
        handling.cancel()
    await asyncio.wait([handling])

    assert handling.cancelled()
    assert len(house.log.stream(call)) == 2, "what the thread had begun is done when the task has ended"


@asynccontextmanager
async def platforms_at_the_broker(house: House, rabbit: RabbitServer, vhost: str) -> AsyncIterator[None]:
    """The relay and the platforms' service, with a real broker between them."""
    url = rabbit.amqp_url(vhost=vhost)
    towns = house.ledger.rules.district.towns
    async with administering(rabbit, vhost) as broker:
        await broker.exchange("facts")
        await broker.exchange("unrouted", "fanout")
        await broker.queue("departments", ("facts", "*.*.D*.#"), ("facts", "*.*.X*.#"))
        for town in towns[:1]:
            for platform in house.ledger.rules.district.platforms:
                bindings = [
                    ("facts", fact_key(town.alias, platform.code, ALL, "call.issued.v1")),
                    ("facts", fact_key(town.alias, ALL, ALL, "case.result-submitted.v1")),
                ]
                await broker.queue(platform_queue(town.alias, platform.code), *bindings, alone=True)
        queues = [platform_queue(towns[0].alias, platform.code) for platform in house.ledger.rules.district.platforms]

        def writer(configured: DistrictConfigured) -> Write:
            return Addresses(RuleBook(configured.district), PLATFORMS.reactions).letters

        async with Relay(house.log, url, writer, Pulse()) as relay:
            lock, name = house.place.lock("relay"), "platforms"
            cursor = LogCursor(house.log, house.attempts("relay"), house.clock, "relay", lock)
            hears = Queues(
                url, queues, house.log, house.attempts(name), house.clock, name, house.place.lock(name), Pulse()
            )
            tasks = [
                asyncio.ensure_future(cursor.run(relay.publish)),
                asyncio.ensure_future(hears.run(Reactor(house.ledger, PLATFORMS).handle)),
            ]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)


@pytest.mark.every_store
async def test_platforms_that_hear_over_queues_cause_the_facts_that_the_engine_would(
    open_house: OpenHouse, rabbit: RabbitServer, rabbit_vhost: str
) -> None:
    embedded, apart = open_house(name="embedded"), open_house(name="apart")
    matters = {"1": "602", "2": "401", "3": "101"}
    for record, matter in matters.items():
        open_case(embedded, record, matter=matter, reporter=f"resident-{record}")
        sent = submission(apart, record, matter=matter, reporter=f"resident-{record}")
        apart.ledger.decide(sent)
    apart.engine_of("the others", INTAKE, COMMAND_CENTRE).run(until=apart.clock.now())
    calls = {recorded.stream: recorded for recorded in all_facts(embedded.log) if recorded.name == "call.issued.v1"}
    assert len(calls) >= len(matters)

    async with platforms_at_the_broker(apart, rabbit, rabbit_vhost):
        await until(
            lambda: all(len(apart.log.stream(call)) == len(embedded.log.stream(call)) for call in calls),
            "all departments to be called",
        )

    for call in calls:
        assert [said(recorded) for recorded in apart.log.stream(call)] == [
            said(recorded) for recorded in embedded.log.stream(call)
        ]


def said(recorded: Recorded) -> tuple[object, ...]:
    """Everything but the place in the log."""
    return recorded.id, recorded.name, recorded.fact, recorded.meta
