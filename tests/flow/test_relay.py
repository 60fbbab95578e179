"""The relay against a real broker: in order per stream, moving on after the confirms, losing and holding up nothing."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aio_pika.abc import AbstractIncomingMessage
from msgspec import structs

from deploy.servers import RabbitServer
from events.carried import recorded_of
from events.cloudevents import from_headers
from events.district import District, DistrictConfigured
from events.envelope import Recorded
from events.reporter import ReporterReported
from services.messaging import amqp, relay, retry
from services.messaging.amqp import PREFIXES
from services.messaging.letters import Addresses, Letter
from services.messaging.log_cursor import LogCursor
from services.messaging.relay import Relay, Write
from services.rules.book import RuleBook
from services.runtime import configuration
from services.runtime.clock import VirtualClock
from services.runtime.places import Folder
from services.runtime.pulse import Pulse
from tests.brokers import PATIENCE_S, Broker, administering, through, until, until_depth
from tests.contract.subscribing import MONDAY_MORNING, NAMES, TOWNS, Store
from tests.proxy import Proxy

RELAY = "relay"
EVERYTHING = "everything"


class HoldsAnswers(Proxy):
    """A proxy that can let through what is said to the broker and hold back what it answers."""

    held = False

    def hold(self) -> None:
        self.held = True

    def let_go(self) -> None:
        self.held = False

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        if sink.get_extra_info("sockname")[1] == self.port:
            source = _Held(self, source)  # type: ignore[assignment]  # as much of a reader as is needed
        await super()._pass(source, sink)


class _Held:
    """The broker's words, as late as the proxy wants."""

    def __init__(self, proxy: HoldsAnswers, source: asyncio.StreamReader) -> None:
        self._proxy, self._source = proxy, source

    async def read(self, n: int) -> bytes:
        words = await self._source.read(n)
        while self._proxy.held:  # noqa: ASYNC110  # told from another thread
            await asyncio.sleep(0.005)
        return words


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE_S", 0.01)


@pytest.fixture
def store(tmp_path: Path, district: District) -> Iterator[Store]:
    """A log that begins with a configuration."""
    opened = Store(Folder(tmp_path / "data"))
    opened.configure(district)
    yield opened
    opened.close()


@pytest.fixture
async def broker(rabbit: RabbitServer, rabbit_vhost: str) -> AsyncIterator[Broker]:
    """The exchanges that the relay writes to, and a queue that hears everything."""
    async with administering(rabbit, rabbit_vhost) as broker:
        await broker.exchange("facts")
        await broker.exchange("unrouted", "fanout")
        await broker.queue("unrouted", ("unrouted", ""))
        await broker.queue(EVERYTHING, ("facts", "#"))
        yield broker


@pytest.fixture
def proxy(rabbit: RabbitServer) -> Iterator[HoldsAnswers]:
    with HoldsAnswers(rabbit.port) as opened:
        yield opened
        opened.let_go()


def writer(configured: DistrictConfigured) -> Write:
    return Addresses(RuleBook(configured.district), NAMES).letters


@asynccontextmanager
async def relaying(
    store: Store, url: str, write: Callable[[DistrictConfigured], Write] = writer, pulse: Pulse | None = None
) -> AsyncIterator["asyncio.Task[None]"]:
    """A relay at work meanwhile; killed at the end."""
    async with Relay(store.log, url, write, pulse or Pulse()) as publishes:
        lock, clock = store.place.lock(RELAY), VirtualClock(MONDAY_MORNING)
        cursor = LogCursor(store.log, store.attempts(RELAY), clock, RELAY, lock, pulse=pulse)
        running = asyncio.ensure_future(cursor.run(publishes.publish))
        try:
            yield running
        finally:
            running.cancel()
            await asyncio.wait([running])


async def all_relayed(store: Store) -> None:
    await until(lambda: store.position(RELAY) == store.log.head(), "all to be relayed")


def ids(messages: Iterable[AbstractIncomingMessage]) -> list[str]:
    """The facts that were sent, without the configuration with which the log begins."""
    told = (str(message.message_id) for message in messages)
    return [what for what in told if not what.startswith(configuration.STREAM)]


def versions(what: Iterable[str]) -> dict[str, list[int]]:
    """The versions of each stream in the order in which they were sent first."""
    found: dict[str, list[int]] = defaultdict(list)
    for sent in dict.fromkeys(what):
        stream, _, version = sent.rpartition(":")
        found[stream].append(int(version))
    return found


async def sent(broker: Broker, queue: str = EVERYTHING) -> list[AbstractIncomingMessage]:
    """All that lies in a queue."""
    return await broker.take(queue, await broker.depth(queue))


async def stays(broker: Broker, many: int, queue: str = EVERYTHING) -> None:
    """So many messages come, and then no more."""
    await until_depth(broker, queue, many)
    await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=0.2)
    assert await broker.depth(queue) == many


async def test_every_fact_goes_out_as_itself_in_the_order_of_its_stream(store: Store, broker: Broker) -> None:
    streams = [f"{'ab'[n % 2]}{n}" for n in range(30)]
    told = [what for _ in range(8) for what in store.tell(*streams)]

    async with relaying(store, broker.url):
        await all_relayed(store)

    messages = await sent(broker)
    assert Counter(ids(messages)) == Counter(told)
    assert versions(ids(messages)) == {stream: list(range(1, 9)) for stream in streams}
    heard = [recorded_of(from_headers(m.headers, m.content_type, m.body, PREFIXES)) for m in messages]
    assert sorted(heard, key=lambda recorded: recorded.position) == store.log.after(0)
    assert {(message.routing_key, message.delivery_mode) for message in messages[1:]} >= {
        ("LD.P4.all.call.issued", 2),
        ("GC.P4.all.call.released", 2),
    }


async def test_the_place_in_the_log_moves_after_the_confirms_and_not_before(
    store: Store, broker: Broker, proxy: HoldsAnswers
) -> None:
    async with relaying(store, through(proxy, broker.url)):
        await all_relayed(store)
        before = store.position(RELAY)
        proxy.hold()
        store.tell("a", "b", "c")
        await stays(broker, 1 + 3)
        unconfirmed = store.position(RELAY)
        proxy.let_go()
        await all_relayed(store)

    assert (before, unconfirmed, store.position(RELAY)) == (1, 1, 4)


async def test_of_each_stream_at_most_one_fact_is_on_its_way(store: Store, broker: Broker, proxy: HoldsAnswers) -> None:
    async with relaying(store, through(proxy, broker.url)):
        await all_relayed(store)
        proxy.hold()
        told = [what for _ in range(4) for what in store.tell("a", "b", "c")]
        await stays(broker, 1 + 3)
        on_their_way = ids(await sent(broker))
        proxy.let_go()
        await all_relayed(store)

    assert sorted(on_their_way) == sorted(told[:3])
    assert versions(ids(await sent(broker))) == {stream: [2, 3, 4] for stream in ("a", "b", "c")}


async def test_no_more_streams_than_the_window_holds_are_on_their_way(
    store: Store, broker: Broker, proxy: HoldsAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "WINDOW", 5)
    async with relaying(store, through(proxy, broker.url)):
        await all_relayed(store)
        proxy.hold()
        store.tell(*(f"a{n}" for n in range(20)))
        await stays(broker, 1 + 5)
        proxy.let_go()
        await all_relayed(store)

    assert await broker.depth(EVERYTHING) == 1 + 20


async def test_who_is_killed_repeats_at_most_what_was_on_its_way(
    store: Store, broker: Broker, proxy: HoldsAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "WINDOW", 5)
    async with relaying(store, through(proxy, broker.url)):
        await all_relayed(store)
        proxy.hold()
        told = [what for _ in range(3) for what in store.tell(*(f"a{n}" for n in range(20)))]
        await stays(broker, 1 + 5)
    async with relaying(store, broker.url):
        await all_relayed(store)

    found = Counter(ids(await sent(broker)))
    assert set(found) == set(told)
    assert sum(found.values()) == len(told) + 5
    assert max(found.values()) == 2


async def test_a_link_that_is_cut_again_and_again_costs_neither_facts_nor_order(
    store: Store, broker: Broker, proxy: HoldsAnswers
) -> None:
    streams = [f"{'ab'[n % 2]}{n}" for n in range(12)]
    told: list[str] = []
    async with relaying(store, through(proxy, broker.url)):
        for _ in range(8):
            told += [what for _ in range(3) for what in store.tell(*streams)]
            links = proxy.accepted
            await until(lambda links=links: proxy.links > 0 or proxy.accepted > links, "a link")  # type: ignore[misc]  # mypy cannot infer defaults
            proxy.cut()
            proxy.mend()
        await all_relayed(store)

    messages = ids(await sent(broker))
    assert set(messages) == set(told)
    assert versions(messages) == {stream: list(range(1, 25)) for stream in streams}


async def test_a_slow_link_keeps_the_order(store: Store, broker: Broker, proxy: HoldsAnswers) -> None:
    proxy.slow(0.01)
    told = [what for _ in range(10) for what in store.tell("a", "b", "c")]

    async with relaying(store, through(proxy, broker.url)):
        await all_relayed(store)

    messages = ids(await sent(broker))
    assert Counter(messages) == Counter(told)
    assert versions(messages) == {stream: list(range(1, 11)) for stream in ("a", "b", "c")}


async def test_confirms_that_do_not_come_are_not_waited_for_without_end(
    store: Store, broker: Broker, proxy: HoldsAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amqp, "CONFIRM_S", 0.2)
    pulse = Pulse()
    async with relaying(store, through(proxy, broker.url), pulse=pulse):
        await all_relayed(store)
        proxy.hold()
        told = store.tell("a", "a")
        await until(lambda: not pulse.ready(), "the relay to say that it has no link")
        assert store.position(RELAY) == 1
        proxy.let_go()
        await all_relayed(store)
        await until(pulse.ready, "the relay to be well again")

    assert versions(ids(await sent(broker))) == versions(told)


async def test_what_nobody_wants_is_laid_aside_with_its_key_and_the_rest_goes_on(store: Store, broker: Broker) -> None:
    await broker.delete(EVERYTHING)
    await broker.queue("town", ("facts", "LD.#"))
    pulse = Pulse()
    told = store.tell("a", "b", "a", "b")

    async with relaying(store, broker.url, pulse=pulse):
        await all_relayed(store)

    assert ids(await sent(broker, "town")) == [told[0], told[2]]
    unwanted = await sent(broker, "unrouted")
    assert [message.message_id for message in unwanted] == [told[1], told[3]]
    assert [message.headers["hujiao-key"] for message in unwanted] == [
        "GC.P4.all.call.issued",
        "GC.P4.all.call.released",
    ]
    assert [message.routing_key for message in unwanted] == [message.headers["hujiao-key"] for message in unwanted]
    assert b'hujiao_done_total{service="",what="unrouted"} 2.0' in pulse.metrics()


async def test_what_cannot_even_be_laid_aside_is_waited_for(store: Store, broker: Broker) -> None:
    await broker.delete(EVERYTHING)
    await broker.delete("unrouted")
    told, pulse = store.tell("a", "b"), Pulse()
    async with relaying(store, broker.url, pulse=pulse):
        await until(lambda: b'what="breaks"} 3.0' in pulse.metrics(), "it to be tried again")
        await broker.queue("late", ("facts", "#"))
        await all_relayed(store)

    assert set(ids(await sent(broker, "late"))) == set(told)


async def test_a_full_queue_holds_up_its_own_facts_alone_and_nothing_is_lost(store: Store, broker: Broker) -> None:
    await broker.queue("full", ("facts", "GC.#"))
    await asyncio.to_thread(broker.policy, "full", "^full$", max_length=1, overflow="reject-publish")
    await broker.fill("full", b"x")
    pulse = Pulse()
    async with relaying(store, broker.url, pulse=pulse):
        await all_relayed(store)
        told = store.tell("a", "b", "a", "b", "a2")
        await until(lambda: b'what="refused"' in pulse.metrics(), "a fact to be refused")
        await until_some(broker, EVERYTHING, {told[0], told[2], told[4]})
        assert store.position(RELAY) < store.log.head()
        full: list[AbstractIncomingMessage] = []
        while store.position(RELAY) < store.log.head():
            full += await broker.take("full", await broker.depth("full"))
        full += await sent(broker, "full")

    assert [message.message_id for message in full if message.body != b"x"] == [told[1], told[3]]


async def until_some(broker: Broker, queue: str, wanted: set[str]) -> None:
    """Wait until these have come; what else came is forgotten."""
    found: set[str] = set()
    async with asyncio.timeout(PATIENCE_S):
        while not wanted <= found:
            found |= set(ids(await sent(broker, queue)))


async def test_secret_streams_never_go_out(store: Store, broker: Broker) -> None:
    secret = ReporterReported(report="r", case="c", matter="602", village="", reported_at=MONDAY_MORNING)
    store.append("pseudonym", secret)
    told = store.tell("a")

    async with relaying(store, broker.url):
        await all_relayed(store)

    messages = await sent(broker)
    assert ids(messages) == told
    assert not any(b"pseudonym" in message.body for message in messages)


def renamed(district: District, alias: str) -> DistrictConfigured:
    """The district with another alias for its first town."""
    towns = tuple(structs.replace(town, alias=alias) if town.code == TOWNS[0] else town for town in district.towns)
    return DistrictConfigured(hash=alias, district=structs.replace(district, towns=towns))


async def test_letters_are_written_as_the_configuration_wanted_it_when_their_fact_was_recorded(
    store: Store, broker: Broker, district: District
) -> None:
    """However much later they are sent, and by whom."""
    store.tell("a")
    store.append(configuration.STREAM, renamed(district, "XX"))
    store.tell("a")

    async with relaying(store, broker.url):
        await all_relayed(store)
        store.tell("a")
        store.append(configuration.STREAM, renamed(district, "YY"))
        store.tell("a", "a2")
        await all_relayed(store)
    store.tell("a")
    store.append(configuration.STREAM, renamed(district, "ZZ"))
    store.tell("a")
    async with relaying(store, broker.url):
        await all_relayed(store)

    keys = {str(message.message_id): str(message.routing_key)[:2] for message in await sent(broker)}
    assert [keys[f"a:{version}"] for version in range(1, 7)] == ["LD", "XX", "XX", "YY", "YY", "ZZ"]
    assert keys["a2:1"] == "YY"


async def test_a_fact_that_cannot_be_written_is_parked_and_the_others_go_out(store: Store, broker: Broker) -> None:
    told = store.tell("a", "bad", "a", "bad", "b")

    def failing(configured: DistrictConfigured) -> Write:
        write = writer(configured)

        def fails(recorded: Recorded, first: Recorded) -> list[Letter]:
            if recorded.id == told[1]:
                raise KeyError("matter")
            return list(write(recorded, first))

        return fails

    async with relaying(store, broker.url, failing):
        await all_relayed(store)

    assert set(ids(await sent(broker))) == {told[0], told[2], told[4]}
    assert [(parked.subscriber, parked.what) for parked in store.parked()] == [(RELAY, told[1]), (RELAY, told[3])]
