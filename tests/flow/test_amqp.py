"""RabbitMQ through our own links: what the library hides is said, nothing waits for ever, nothing is lost unnoticed."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import pytest
from aio_pika import Message
from aio_pika.abc import AbstractIncomingMessage

from deploy.servers import RabbitServer
from services.messaging import amqp
from services.messaging.amqp import Heard, Sender, Unroutable, channel
from services.messaging.retry import LinkLost, Refused
from tests.brokers import PATIENCE_S, Broker, administering, ended, somebody, through, until, until_depth
from tests.proxy import HOST, Proxy

SOON_S = 2.0
"""So soon a link must end when it is told to, whatever state it is in."""


@pytest.fixture
async def broker(rabbit: RabbitServer, rabbit_vhost: str) -> AsyncIterator[Broker]:
    """A virtual host with an exchange of topics."""
    async with administering(rabbit, rabbit_vhost) as broker:
        await broker.exchange("facts")
        yield broker


@pytest.fixture
def proxy(rabbit: RabbitServer) -> Iterator[Proxy]:
    with Proxy(rabbit.port) as opened:
        yield opened


@pytest.fixture
async def queued(broker: Broker) -> Broker:
    """The same with a queue that hears everything."""
    await broker.queue("everything", ("facts", "#"))
    return broker


@pytest.fixture
def silent() -> Iterator[str]:
    with somebody(b"") as address:
        yield address


@asynccontextmanager
async def sending(url: str) -> AsyncIterator[Sender]:
    async with channel(url, "test sends") as opened:
        yield Sender(opened)


@asynccontextmanager
async def hearing(url: str, *queues: str, prefetch: int = 100) -> AsyncIterator[Heard]:
    async with channel(url, "test hears", prefetch) as opened:
        heard = Heard(opened)
        await heard.listen(*queues)
        yield heard


def note(name: str) -> Message:
    return Message(name.encode(), message_id=name)


async def heard_in_all(heard: Heard, many: int) -> list[AbstractIncomingMessage]:
    """So many deliveries, in the order in which they are given."""
    taken: list[AbstractIncomingMessage] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(taken) < many:
            taken += await heard.take(many - len(taken), 1.0)
    return taken


async def test_what_no_queue_wants_is_said_and_the_link_goes_on(queued: Broker) -> None:
    await queued.exchange("other")

    async with sending(queued.url) as sender:
        with pytest.raises(Unroutable, match=r"MC\.all for .* of 'other'|a queue for MC\.all of 'other'"):
            await sender.send("other", "MC.all", note("1"))
        await sender.send("other", "MC.all", note("2"), mandatory=False)
        await sender.send("facts", "MC.all", note("3"))

    assert [message.body for message in await queued.take("everything", 1)] == [b"3"]


async def test_of_many_messages_at_once_exactly_the_unwanted_are_given_back(broker: Broker) -> None:
    await broker.queue("even", *(("facts", f"n.{n}") for n in range(0, 40, 2)))

    async with sending(broker.url) as sender:
        sent = [sender.send("facts", f"n.{n}", note(str(n))) for n in range(40)]
        found = await asyncio.gather(*sent, return_exceptions=True)

    assert [n for n, error in enumerate(found) if isinstance(error, Unroutable)] == list(range(1, 40, 2))
    assert [error for error in found if error is not None and not isinstance(error, Unroutable)] == []
    assert await broker.depth("even") == 20


async def test_sending_over_a_cut_link_fails_at_once(queued: Broker, proxy: Proxy) -> None:
    async with sending(through(proxy, queued.url)) as sender:
        await sender.send("facts", "a", note("1"))
        proxy.cut()
        began = time.monotonic()
        with pytest.raises(LinkLost):
            await sender.send("facts", "a", note("2"))
        with pytest.raises(LinkLost):
            await sender.send("facts", "a", note("3"))

        assert time.monotonic() - began < SOON_S


async def test_what_is_on_the_way_when_the_link_is_cut_fails_and_does_not_wait(queued: Broker, proxy: Proxy) -> None:
    async with sending(through(proxy, queued.url)) as sender:
        await sender.send("facts", "a", note("1"))
        proxy.freeze()
        waiting = [asyncio.ensure_future(sender.send("facts", "a", note(f"{n}"))) for n in range(2, 50)]
        await asyncio.sleep(0)
        proxy.cut()
        done, left = await asyncio.wait(waiting, timeout=SOON_S)

    assert not left
    assert {type(task.exception()) for task in done} == {LinkLost}


async def test_a_message_whose_confirm_did_not_come_may_arrive_after_all_and_is_the_same_again_when_sent_again(
    queued: Broker, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amqp, "CONFIRM_S", 0.3)
    async with sending(through(proxy, queued.url)) as sender:
        await sender.send("facts", "a", note("first"))
        proxy.freeze()
        with pytest.raises(LinkLost, match="confirm"):
            await sender.send("facts", "a", note("second"))
        proxy.thaw()
        await until_depth(queued, "everything", 2)
    async with sending(queued.url) as sender:
        await sender.send("facts", "a", note("second"))

    taken = await queued.take("everything", 3)
    assert [message.message_id for message in taken] == ["first", "second", "second"]


async def test_who_connects_to_somebody_silent_can_be_stopped_and_leaves_nothing_behind(silent: str) -> None:
    before = asyncio.all_tasks()

    async def connect() -> None:
        async with channel(f"amqp://guest:guest@{silent}/", "test"):
            raise AssertionError("nobody answered")

    connecting = asyncio.ensure_future(connect())
    await asyncio.wait([connecting], timeout=0.05)
    began = time.monotonic()
    await ended([connecting])

    assert connecting.cancelled()
    assert time.monotonic() - began < SOON_S
    await until(lambda: asyncio.all_tasks() <= before, "no task to be left", SOON_S)


async def test_who_connects_to_somebody_silent_gives_up_by_himself(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amqp, "CONNECT_S", 0.3)
    before = asyncio.all_tasks()

    with pytest.raises(LinkLost):
        async with channel(f"amqp://guest:guest@{silent}/", "test"):
            pass

    await until(lambda: asyncio.all_tasks() <= before, "no task to be left", SOON_S)


@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.003, 0.006, 0.01, 0.015, 0.02])
async def test_whoever_is_stopped_in_the_middle_of_connecting_leaves_nothing_behind(
    broker: Broker, proxy: Proxy, after_s: float
) -> None:
    before = asyncio.all_tasks()

    async def connect() -> None:
        async with channel(through(proxy, broker.url), "test", 10):
            await asyncio.Event().wait()

    connecting = asyncio.ensure_future(connect())
    await asyncio.wait([connecting], timeout=after_s)
    await ended([connecting])

    await until(lambda: asyncio.all_tasks() <= before, "no task to be left", SOON_S)
    await until(lambda: proxy.links == 0, "no link to be left", SOON_S)


async def test_a_frozen_link_can_be_left_soon(queued: Broker, proxy: Proxy) -> None:
    before = asyncio.all_tasks()
    async with sending(through(proxy, queued.url)) as sender, hearing(through(proxy, queued.url), "everything"):
        await sender.send("facts", "a", note("1"))
        proxy.freeze()
        began = time.monotonic()

    assert time.monotonic() - began < 2 * SOON_S
    await until(lambda: asyncio.all_tasks() <= before, "no task to be left", SOON_S)
    proxy.thaw()
    await until(lambda: proxy.links == 0, "no link to be left")


async def test_a_connection_that_the_broker_ends_is_noticed_by_who_hears_and_by_who_sends(queued: Broker) -> None:
    async with sending(queued.url) as sender, hearing(queued.url, "everything") as heard:
        await sender.send("facts", "a", note("1"))
        assert [message.body for message in await heard.take(10, PATIENCE_S)] == [b"1"]
        taking = asyncio.ensure_future(heard.take(10, 3 * PATIENCE_S))
        await asyncio.to_thread(queued.server.ctl, "close_all_connections", "--vhost", queued.vhost, "away with you")

        with pytest.raises(LinkLost):
            await asyncio.wait_for(taking, PATIENCE_S)
        with pytest.raises(LinkLost):
            await asyncio.wait_for(sender.send("facts", "a", note("2")), PATIENCE_S)


async def test_a_frozen_link_is_noticed_by_its_missing_heartbeats(
    queued: Broker, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amqp, "HEARTBEAT_S", 1)
    async with hearing(through(proxy, queued.url), "everything") as heard:
        proxy.freeze()

        with pytest.raises(LinkLost):
            await heard.take(10, PATIENCE_S)


@pytest.mark.parametrize("url", ["amqp://admin:wrong@{at}/", "amqp://{login}@{at}/nowhere"])
async def test_who_is_not_let_in_is_told_so(rabbit: RabbitServer, url: str) -> None:
    rabbit.start()
    login = rabbit.amqp_url().removeprefix("amqp://").partition("@")[0]

    with pytest.raises(LinkLost, match="let test in"):
        async with channel(url.format(login=login, at=f"{HOST}:{rabbit.port}"), "test"):
            pass


@pytest.mark.parametrize(
    "says",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"AMQP\x00\x00\x09\x01",
        b"\x01" * 100,
        b"\x01\x00\x00\x00\x00\x00\x04junk\xce",
    ],
)
async def test_who_meets_somebody_else_is_told_so(says: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amqp, "CONNECT_S", 0.3)
    before = asyncio.all_tasks()
    with somebody(says) as address, pytest.raises(LinkLost, match="let test in"):
        async with channel(f"amqp://guest:guest@{address}/", "test"):
            pass

    await until(lambda: asyncio.all_tasks() <= before, "no task to be left", SOON_S)


async def test_of_several_nodes_the_first_that_answers_is_taken(queued: Broker) -> None:
    with Proxy(queued.server.port) as gone:
        url = through(gone, queued.url)

    async with sending(f"{url} {url} {queued.url}") as sender:
        await sender.send("facts", "a", note("1"))
    with pytest.raises(LinkLost):
        async with sending(f"{url} {url}"):
            pass


async def test_deliveries_are_heard_in_order_and_settled_up_to_the_last(queued: Broker) -> None:
    names = [f"{n}" for n in range(500)]
    await queued.publish("facts", "a", *(name.encode() for name in names))

    async with hearing(queued.url, "everything", prefetch=1000) as heard:
        first = await heard_in_all(heard, 300)
        await heard.settle(first[249])
    async with hearing(queued.url, "everything", prefetch=1000) as heard:
        again = await heard_in_all(heard, 250)
        await heard.settle(again[-1])
        nothing = await heard.take(10, 0.05)

    assert [message.body.decode() for message in first] == names[:300]
    assert [message.body.decode() for message in again] == names[250:]
    assert {message.redelivered for message in again[:50]} == {True}
    assert nothing == []
    assert await queued.depth("everything") == 0


async def test_no_more_than_was_asked_for_is_in_hand_and_each_consumer_is_counted_by_itself(queued: Broker) -> None:
    """A limit for a whole channel would be refused by quorum queues, with the end of the connection."""
    await queued.queue("more", ("facts", "#"))
    await queued.publish("facts", "a", *(b"%d" % n for n in range(20)))

    async with hearing(queued.url, "everything", "more", prefetch=5) as heard:
        taken = await heard_in_all(heard, 10)
        nothing = await heard.take(10, 0.1)
        await heard.settle(taken[-1])
        more = await heard_in_all(heard, 10)

    assert nothing == []
    assert len(more) == 10


async def test_a_queue_that_is_taken_away_is_noticed(queued: Broker) -> None:
    await queued.queue("other")
    async with hearing(queued.url, "other", "everything") as heard:
        taking = asyncio.ensure_future(heard.take(10, PATIENCE_S))
        await queued.delete("everything")

        with pytest.raises(LinkLost, match="taken away"):
            await asyncio.wait_for(taking, SOON_S)
        with pytest.raises(LinkLost):
            await heard.take(10, PATIENCE_S)


async def test_a_queue_that_is_not_there_is_not_waited_for(queued: Broker) -> None:
    with pytest.raises(LinkLost, match=r"missing.*NOT_FOUND|NOT_FOUND.*missing"):
        async with hearing(queued.url, "everything", "missing"):
            pass


async def test_a_full_queue_refuses_though_others_took_the_message_and_later_takes_it(queued: Broker) -> None:
    await queued.queue("small", ("facts", "#"))
    await asyncio.to_thread(queued.policy, "small", "^small$", max_length=3, overflow="reject-publish")

    async with sending(queued.url) as sender:
        sent = 0
        with pytest.raises(Refused):  # noqa: PT012  # which of them is refused is the broker's to say
            async with asyncio.timeout(PATIENCE_S):
                for sent in range(1000):  # a quorum queue takes some more than its limit
                    await sender.send("facts", "a", note(str(sent)))
        await queued.take("small", 3)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(Refused):
                    await sender.send("facts", "a", note(str(sent)))
                    break
        everything = await queued.take("everything", await queued.depth("everything"))
        small = await queued.take("small", await queued.depth("small"))

    assert small[-1].message_id == str(sent)
    ids = [message.message_id for message in everything]
    assert list(dict.fromkeys(ids)) == [str(n) for n in range(sent + 1)]
    assert ids.count(str(sent)) >= 2


async def test_while_the_broker_wants_memory_sending_fails_and_hearing_goes_on(
    queued: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amqp, "CONFIRM_S", 0.5)
    async with hearing(queued.url, "everything") as heard:
        async with sending(queued.url) as sender:
            await sender.send("facts", "a", note("before"))
        before = await heard_in_all(heard, 1)
        async with short_of_memory(queued.server):
            async with sending(queued.url) as sender:
                for name in ("blocked", "too"):
                    with pytest.raises(LinkLost, match="confirm"):
                        await sender.send("facts", "a", note(name))
                await heard.settle(before[0])
                began = time.monotonic()
            left = time.monotonic()
        async with sending(queued.url) as sender:
            for name in ("blocked", "too", "after"):
                await sender.send("facts", "a", note(name))
        names = [message.message_id for message in await heard_in_all(heard, 3)]
        while names[-1] != "after":
            names += [message.message_id for message in await heard_in_all(heard, 1)]

    assert left - began < SOON_S
    assert set(names) == {"blocked", "too", "after"}


@asynccontextmanager
async def short_of_memory(server: RabbitServer) -> AsyncIterator[None]:
    """The broker believes that it has none left, and takes nothing meanwhile."""
    await asyncio.to_thread(server.ctl, "set_vm_memory_high_watermark", "0.0000001")
    try:
        yield
    finally:
        await asyncio.to_thread(server.ctl, "set_vm_memory_high_watermark", "absolute", "1GiB")
