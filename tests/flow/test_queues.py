"""What hearing queues does beside its contract: with what is no fact, with newer facts, with lost queues."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from deploy.servers import RabbitServer
from events.carried import fact_event
from events.catalog import UnknownFact
from events.envelope import Recorded
from services.messaging import queues, retry, subscription
from services.messaging.amqp import Heard, Sender, channel, event_message
from services.runtime.places import Folder
from services.runtime.pulse import Pulse
from tests.brokers import PATIENCE_S, Broker, administering, ended, until, until_depth
from tests.contract.subscribing import Store, queues_at

QUEUE = "platform"


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(subscription, "STANDBY_S", 0.05)
    monkeypatch.setattr(queues, "LOOK_S", 0.1)


@pytest.fixture
async def broker(rabbit: RabbitServer, rabbit_vhost: str) -> AsyncIterator[Broker]:
    async with administering(rabbit, rabbit_vhost) as broker:
        await broker.exchange("dead", "fanout")
        await broker.queue("dead", ("dead", ""))
        await declare(broker)
        yield broker


async def declare(broker: Broker) -> None:
    strategy = {"x-dead-letter-exchange": "dead", "x-dead-letter-strategy": "at-least-once"}
    await broker.queue(QUEUE, alone=True, **strategy, **{"x-overflow": "reject-publish"})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(Folder(tmp_path / "data"))
    yield opened
    opened.close()


async def send(broker: Broker, facts: Sequence[Recorded]) -> None:
    """As the relay does."""
    async with channel(broker.url, "test") as opened:
        sender = Sender(opened)
        for recorded in facts:
            await sender.send("", QUEUE, event_message(fact_event(recorded, "/test"), recorded.id))


async def test_what_is_no_fact_goes_to_the_dead_letters_and_the_facts_around_it_are_heard(
    broker: Broker, store: Store
) -> None:
    told, pulse = store.tell("a", "a", "a"), Pulse()
    first, second, third = store.log.after(0)
    await send(broker, [first])
    await broker.publish("", QUEUE, b"junk", b"")
    await send(broker, [second])
    headers = {f"cloudEvents_{name}": "x" for name in ("specversion", "id", "source", "type")}
    await broker.publish("", QUEUE, b"{}", headers=headers)
    heard: list[str] = []

    async def handle(facts: Sequence[Recorded]) -> None:
        heard.extend(recorded.id for recorded in facts)

    running = asyncio.ensure_future(queues_at(broker.url, [QUEUE], store, pulse).run(handle))
    await until_depth(broker, "dead", 3)
    await send(broker, [third])
    await until(lambda: len(heard) == 3, "the facts to be heard")
    await ended([running])

    assert heard == told
    assert [message.body for message in await broker.take("dead", 3)] == [b"junk", b"", b"{}"]
    assert store.parked() == []


async def test_a_fact_of_a_newer_program_ends_this_one_and_stays_where_it_is(broker: Broker, store: Store) -> None:
    store.tell("a", "a")
    first, second = store.log.after(0)
    await send(broker, [first])
    async with channel(broker.url, "test") as opened:
        newer = event_message(fact_event(second, "/test"), second.id)
        newer.headers["cloudEvents_type"] = "call.praised.v9"
        await Sender(opened).send("", QUEUE, newer)

    async def handle(facts: Sequence[Recorded]) -> None:
        """Nothing to do."""

    with pytest.raises(UnknownFact):
        async with asyncio.timeout(PATIENCE_S):
            await queues_at(broker.url, [QUEUE], store).run(handle)

    async with channel(broker.url, "another", 10) as opened:
        left = Heard(opened)
        await left.listen(QUEUE)
        await until_depth(broker, QUEUE, 0)
        taken = await left.take(2, PATIENCE_S)
    assert taken[-1].message_id == second.id
    assert await broker.depth("dead") == 0


async def test_a_queue_that_was_taken_away_is_heard_again_when_it_is_back(broker: Broker, store: Store) -> None:
    told, pulse = store.tell("a", "a"), Pulse()
    first, second = store.log.after(0)
    heard: list[str] = []

    async def handle(facts: Sequence[Recorded]) -> None:
        heard.extend(recorded.id for recorded in facts)

    running = asyncio.ensure_future(queues_at(broker.url, [QUEUE], store, pulse).run(handle))
    await send(broker, [first])
    await until(lambda: heard == told[:1], "the first to be heard")
    await broker.delete(QUEUE)
    await until(lambda: not pulse.ready(), "the loss to be noticed")
    await declare(broker)
    await until(pulse.ready, "the queue to be heard again")
    await send(broker, [second])
    await until(lambda: heard == told, "the second to be heard")
    await ended([running])

    assert heard == told


async def test_of_two_consumers_of_a_queue_one_hears_all_until_it_ends(broker: Broker) -> None:
    names = [b"%d" % n for n in range(40)]
    async with channel(broker.url, "second", 10) as standing_by:
        async with channel(broker.url, "first", 10) as active:
            one, other = Heard(active), Heard(standing_by)
            await one.listen(QUEUE)
            await other.listen(QUEUE)
            await broker.publish("", QUEUE, *names)
            first = []
            while len(first) < 20:
                first += await one.take(20 - len(first), PATIENCE_S)
                await one.settle(first[-1])
            assert await other.take(10, 0.1) == []
        second = []
        while len(second) < 20:
            second += await other.take(20, PATIENCE_S)
            await other.settle(second[-1])

    assert [message.body for message in first + second] == names
