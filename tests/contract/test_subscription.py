"""The contract of the port `Subscription`: over the log on SQLite and on PostgreSQL, and over queues of RabbitMQ.

To the queues every fact comes as in a township: the relay publishes it to an exchange, which routes it by its key.
"""

import asyncio
import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

from deploy.servers import PostgresServer, RabbitServer
from events.district import DistrictConfigured
from events.envelope import Recorded
from projections.store import Unavailable as ViewsUnavailable
from services.messaging import queues, retry, subscription
from services.messaging.letters import Addresses
from services.messaging.log_cursor import LogCursor
from services.messaging.relay import Relay, Write
from services.messaging.retry import LinkLost, Refused
from services.messaging.subscription import ENDED, Handle, Subscription
from services.rules.book import RuleBook
from services.runtime.attempts import MAX_ATTEMPTS
from services.runtime.clock import VirtualClock
from services.runtime.front import Overloaded
from services.runtime.parking import BEHIND, drop, release
from services.runtime.places import Folder, Place, Server
from services.runtime.pulse import Pulse
from services.runtime.store import Unavailable
from tests.brokers import administering, ended, through, until
from tests.contract.subscribing import (
    MONDAY_MORNING,
    NAMES,
    SUBSCRIBER,
    Store,
    cursor_on,
    queues_at,
)
from tests.proxy import Proxy

SOON_S = 2.0
"""So soon a subscription ends when it is told to, in whatever state it is."""

HEARD_IN = ("town a", "town b")


class Rig(NamedTuple):
    """One adapter, ready to be tried. Each subscription is a new one of the same name, as after a restart."""

    store: Store
    subscribe: Callable[[], Subscription]
    victim: dict[str, object]
    """How a process of its own subscribes; see `tests.contract.victim`."""
    link: Proxy | None = None

    @property
    def proxy(self) -> Proxy:
        assert self.link is not None, "only what is heard over a link is tried with one that breaks"
        return self.link


@asynccontextmanager
async def on_sqlite(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    place = Folder(request.getfixturevalue("tmp_path") / "data")
    with ExitStack() as opened:
        store = opened.enter_context(open_store(place))
        yield Rig(store, lambda: cursor_on(store), {"folder": str(place.path)})


@asynccontextmanager
async def on_postgres(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    postgres: PostgresServer = request.getfixturevalue("postgres")
    url: str = request.getfixturevalue("postgres_url")
    with ExitStack() as opened:
        proxy = opened.enter_context(Proxy(postgres.port))
        told = opened.enter_context(open_store(Server(url)))
        heard = opened.enter_context(open_store(Server(through(proxy, url))))
        opened.callback(proxy.thaw)
        yield Rig(told, lambda: cursor_on(heard), {"url": url}, proxy)


@asynccontextmanager
async def over_queues(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    rabbit: RabbitServer = request.getfixturevalue("rabbit")
    vhost: str = request.getfixturevalue("rabbit_vhost")
    place = Folder(request.getfixturevalue("tmp_path") / "data")
    async with AsyncExitStack() as opened:
        proxy = opened.enter_context(Proxy(rabbit.port))
        store = opened.enter_context(open_store(place))
        store.configure(request.getfixturevalue("district"))
        async with administering(rabbit, vhost) as broker:
            await broker.exchange("facts")
            for queue, town in zip(HEARD_IN, ("LD", "GC"), strict=True):
                await broker.queue(queue, ("facts", f"{town}.*.all.call.#"), alone=True)
        await opened.enter_async_context(relayed(store, rabbit.amqp_url(vhost=vhost)))
        url = through(proxy, rabbit.amqp_url(vhost=vhost))
        victim = {"folder": str(place.path), "broker": rabbit.amqp_url(vhost=vhost), "queues": HEARD_IN}
        yield Rig(store, lambda: queues_at(url, HEARD_IN, store), victim, proxy)


@asynccontextmanager
async def relayed(store: Store, url: str) -> AsyncIterator[None]:
    """A relay at work."""

    def writer(configured: DistrictConfigured) -> Write:
        return Addresses(RuleBook(configured.district), NAMES).letters

    async with Relay(store.log, url, writer, Pulse()) as relay:
        clock, lock = VirtualClock(MONDAY_MORNING), store.place.lock("relay")
        cursor = LogCursor(store.log, store.attempts("relay"), clock, "relay", lock)
        async with listening(cursor, relay.publish):
            yield


@asynccontextmanager
async def listening(subscribed: Subscription, handle: Handle) -> AsyncIterator["asyncio.Task[None]"]:
    """A subscription at work meanwhile; killed at the end."""
    running = asyncio.ensure_future(subscribed.run(handle))
    try:
        yield running
    finally:
        running.cancel()
        await asyncio.wait([running])


def open_store(place: Place) -> "ClosingStore":
    return ClosingStore(place)


class ClosingStore(Store):
    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


ADAPTERS = {"log on SQLite": on_sqlite, "log on PostgreSQL": on_postgres, "queues": over_queues}
over_a_link = pytest.mark.parametrize("rig", ["log on PostgreSQL", "queues"], indirect=True)
over_a_link_to_the_store = pytest.mark.parametrize("rig", ["log on PostgreSQL"], indirect=True)


@pytest.fixture(params=ADAPTERS)
async def rig(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setattr(retry, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(subscription, "STANDBY_S", 0.05)
    monkeypatch.setattr(queues, "LOOK_S", 0.1)
    async with ADAPTERS[request.param](request) as opened:
        yield opened


class Listener:
    """Handles facts: their ids in the order of the effects are what counts.

    ``before`` is asked for each fact before its effect, and may raise; ``after`` is awaited after all effects.
    """

    def __init__(
        self,
        before: Callable[[Recorded], None] = lambda recorded: None,
        after: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.effects: list[str] = []
        self.tried: list[tuple[str, ...]] = []
        self.before, self.after = before, after

    async def handle(self, facts: Sequence[Recorded]) -> None:
        self.tried.append(tuple(recorded.id for recorded in facts))
        for recorded in facts:
            self.before(recorded)
            self.effects.append(recorded.id)
        if self.after is not None:
            await self.after()

    def has(self, *ids: str) -> Callable[[], bool]:
        return lambda: set(ids) <= set(self.effects)

    def tries(self, what: str) -> int:
        """How often it was tried alone, when nothing else can be the cause."""
        return self.tried.count((what,))


class Broken(Exception):
    """A fault of the handler."""


class Breaks:
    """Raises for some facts, the first so many times; heals when told."""

    def __init__(self, *what: str, times: int = 10**6, error: Callable[[], Exception] = lambda: Broken("no")) -> None:
        self.what, self.left, self._error = set(what), times, error

    def __call__(self, recorded: Recorded) -> None:
        if recorded.id in self.what and self.left:
            self.left -= 1
            raise self._error()

    def heal(self) -> None:
        self.left = 0


def in_order(effects: Iterable[str]) -> dict[str, list[int]]:
    """The versions of each stream as they had their first effects; asserts that these were in order."""
    versions: dict[str, list[int]] = defaultdict(list)
    for what in dict.fromkeys(effects):
        stream, _, version = what.rpartition(":")
        versions[stream].append(int(version))
    for stream, heard in versions.items():
        assert heard == sorted(heard), f"expected {stream} in order, found {heard}"
    return versions


def of(stream: str, effects: Iterable[str]) -> list[str]:
    """The effects of one stream."""
    return [what for what in effects if what.startswith(f"{stream}:")]


def mixed(streams: int, each: int) -> list[str]:
    """Streams of both towns, each so many times, in turns."""
    return [f"{'ab'[n % 2]}{n}" for _ in range(each) for n in range(streams)]


async def test_every_fact_is_heard_in_the_order_of_its_stream(rig: Rig) -> None:
    told = rig.store.tell(*mixed(10, 12))
    listener = Listener()

    async with listening(rig.subscribe(), listener.handle):
        await until(listener.has(*told), "all to be heard")
        later = rig.store.tell(*mixed(10, 2))
        await until(listener.has(*later), "what was told later to be heard too")

    assert Counter(listener.effects) == Counter([*told, *later])
    assert in_order(listener.effects) == {f"{'ab'[n % 2]}{n}": list(range(1, 15)) for n in range(10)}


async def test_what_was_heard_is_not_heard_again_after_an_orderly_end(rig: Rig) -> None:
    first, second = Listener(), Listener()
    told = rig.store.tell("a", "b")
    async with listening(rig.subscribe(), first.handle):
        await until(first.has(*told), "all to be heard")
        # the next batch is asked for after the last was acknowledged
        told += rig.store.tell("a")
        await until(first.has(*told), "more to be heard")
    async with listening(rig.subscribe(), second.handle):
        last = rig.store.tell("a", "b")
        await until(second.has(*last), "the last to be heard")

    assert set(second.effects) - {told[-1]} == set(last)


@pytest.mark.parametrize("rig", ["log on SQLite", "log on PostgreSQL"], indirect=True)
async def test_what_is_not_settled_is_heard_again_after_a_restart_and_what_is_settled_is_not(rig: Rig) -> None:
    first, second, third = Listener(), Listener(), Listener()
    told = rig.store.tell("a", "b", "a")
    unsettled = [2]

    def settled(position: int) -> int:
        return min(unsettled, default=position + 1) - 1

    async with listening(cursor_on(rig.store, settled=settled), first.handle):
        await until(first.has(*told), "all to be heard")
        told += rig.store.tell("b")
        await until(first.has(*told), "more to be heard")
    async with listening(cursor_on(rig.store, settled=settled), second.handle):
        await until(second.has(*told[1:]), "what is not settled to be heard again")
        unsettled.clear()
        await until(
            lambda: rig.store.position(SUBSCRIBER) == len(told), "the place to be kept although nothing is told"
        )
    async with listening(cursor_on(rig.store), third.handle):
        last = rig.store.tell("c")
        await until(third.has(*last), "the last to be heard")

    assert second.effects == told[1:]
    assert third.effects == last


async def test_who_is_killed_after_the_effect_and_before_the_acknowledgement_hears_it_again(rig: Rig) -> None:
    told = rig.store.tell("a", "b", "a")
    killed, again = Listener(after=for_ever), Listener()
    async with listening(rig.subscribe(), killed.handle):
        await until(lambda: len(killed.effects) > 0, "an effect")
    assert rig.store.parked() == []

    async with listening(rig.subscribe(), again.handle):
        await until(again.has(*told), "all to be heard again")

    assert in_order(again.effects) == {"a": [1, 2], "b": [1]}


async def for_ever() -> None:
    await asyncio.Event().wait()


async def test_a_handler_that_fails_once_is_tried_again(rig: Rig) -> None:
    told = rig.store.tell("a", "b", "a")
    listener = Listener(Breaks(told[0], times=1))

    async with listening(rig.subscribe(), listener.handle):
        await until(listener.has(*told), "all to be heard")

    assert in_order(listener.effects) == {"a": [1, 2], "b": [1]}
    assert rig.store.parked() == []
    assert rig.store.attempts().so_far(told[0]) == 0


async def test_what_always_fails_is_tried_so_often_and_parked_with_its_cause_and_its_stream_waits_behind_it(
    rig: Rig,
) -> None:
    told = rig.store.tell("a", "b", "a", "a", "b")
    listener = Listener(Breaks(told[2]))

    async with listening(rig.subscribe(), listener.handle):
        await until(listener.has(told[0], told[1], told[4]), "what does not fail to be heard")
        later = rig.store.tell("a", "b", "c")
        await until(listener.has(*later[1:]), "other streams to go on")
        await until(lambda: len(rig.store.parked()) == 3, "the stream to be parked")

    assert listener.tries(told[2]) == MAX_ATTEMPTS
    assert sorted((parked.what, parked.cause) for parked in rig.store.parked()) == [
        (told[2], "Broken: no"),
        (told[3], BEHIND),
        (later[0], BEHIND),
    ]
    assert {parked.subscriber for parked in rig.store.parked()} == {SUBSCRIBER}
    assert not {told[2], told[3], later[0]} & set(listener.effects)
    assert rig.store.attempts().so_far(told[2]) == 0


async def test_what_fails_alone_is_tried_exactly_so_often(rig: Rig) -> None:
    told = rig.store.tell("a")
    listener = Listener(Breaks(told[0]))

    async with listening(rig.subscribe(), listener.handle):
        await until(lambda: len(rig.store.parked()) == 1, "it to be parked")

    assert listener.tried == [(told[0],)] * MAX_ATTEMPTS


async def test_attempts_survive_a_restart(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    told = rig.store.tell("a")
    tried: list[tuple[str, ...]] = []
    monkeypatch.setattr(retry, "FIRST_PAUSE_S", 60.0)
    for attempt in (1, 2):
        killed = Listener(Breaks(*told))

        def made(attempt: int = attempt, killed: Listener = killed) -> bool:
            return killed.tried != [] and rig.store.attempts().so_far(told[0]) == attempt

        async with listening(rig.subscribe(), killed.handle):
            await until(made, "an attempt that is counted")
        tried += killed.tried
    monkeypatch.setattr(retry, "FIRST_PAUSE_S", 0.01)

    listener = Listener(Breaks(*told))
    async with listening(rig.subscribe(), listener.handle):
        await until(lambda: rig.store.parked() != [], "it to be parked")

    assert len(tried + listener.tried) == MAX_ATTEMPTS
    assert [parked.cause for parked in rig.store.parked()] == ["Broken: no"]


async def parked_stream(rig: Rig, listener: Listener, breaks: Breaks) -> list[str]:
    """Have the second of four facts of a stream parked, and the others behind it."""
    told = rig.store.tell("a", "a", "a", "a", "b")
    breaks.what.add(told[1])
    async with listening(rig.subscribe(), listener.handle):
        await until(listener.has(told[0], told[4]), "what does not fail to be heard")
        await until(lambda: len(rig.store.parked()) == 3, "the stream to be parked")
        await until(listener.has(*rig.store.tell("b")), "what is parked to be acknowledged")
    breaks.heal()
    listener.effects.clear()
    listener.tried.clear()
    return told[:4]


async def test_what_is_released_is_handled_in_order_and_before_anything_newer(rig: Rig) -> None:
    listener = Listener(breaks := Breaks())
    told = await parked_stream(rig, listener, breaks)

    newer = rig.store.tell("a")
    async with listening(rig.subscribe(), listener.handle):
        await until(lambda: len(rig.store.parked()) == 4, "the newer fact to be parked too")
        rig.store.operate(release, told[1])
        await until(listener.has(*told[1:], *newer), "what was released to be handled")
        newest = rig.store.tell("a")
        await until(listener.has(*newest), "the stream to go on")
        await until(lambda: rig.store.parked() == [], "nothing to be parked")

    assert of("a", listener.effects) == [*told[1:], *newer, *newest]


async def test_what_is_dropped_is_given_up_and_the_rest_goes_on_in_order(rig: Rig) -> None:
    listener = Listener(breaks := Breaks())
    told = await parked_stream(rig, listener, breaks)

    rig.store.operate(drop, told[1])
    newer = rig.store.tell("a")
    async with listening(rig.subscribe(), listener.handle):
        await until(listener.has(*told[2:], *newer), "the rest to be handled")
        await until(lambda: rig.store.parked() == [], "nothing to be parked")

    assert of("a", listener.effects) == [*told[2:], *newer]


async def test_what_is_released_too_early_is_parked_again_and_the_rest_behind_it(rig: Rig) -> None:
    listener = Listener(breaks := Breaks())
    told = await parked_stream(rig, listener, breaks)
    breaks.left = 10**6

    rig.store.operate(release, told[1])
    async with listening(rig.subscribe(), listener.handle):
        await until(lambda: listener.tries(told[1]) == MAX_ATTEMPTS, "it to be tried again")
        await until(lambda: len(rig.store.parked()) == 3, "the stream to be parked again")
        breaks.heal()
        rig.store.operate(release, told[1])
        await until(listener.has(*told[1:]), "what was released to be handled")
        await until(lambda: rig.store.parked() == [], "nothing to be parked")

    assert of("a", listener.effects) == told[1:]


async def test_what_is_released_is_not_lost_when_its_handling_breaks_off(rig: Rig) -> None:
    listener = Listener(breaks := Breaks())
    told = await parked_stream(rig, listener, breaks)
    rig.store.operate(release, told[1])

    passing = Listener(Breaks(told[2], times=3, error=lambda: LinkLost("away")))
    async with listening(rig.subscribe(), passing.handle):
        await until(passing.has(*told[1:]), "what was released to be handled")

    assert of("a", passing.effects)[-2:] == told[2:]
    assert in_order(of("a", passing.effects)) == {"a": [2, 3, 4]}


async def test_what_is_released_is_not_lost_when_its_handler_is_killed(rig: Rig) -> None:
    listener = Listener(breaks := Breaks())
    told = await parked_stream(rig, listener, breaks)
    rig.store.operate(release, told[1])

    killed = Listener(after=for_ever)
    async with listening(rig.subscribe(), killed.handle):
        await until(killed.has(told[1]), "the first to have its effect")
    again = Listener()
    async with listening(rig.subscribe(), again.handle):
        await until(again.has(*told[1:]), "all to be handled")

    assert in_order(of("a", again.effects)) == {"a": [2, 3, 4]}


async def test_what_was_parked_while_an_operator_released_its_stream_waits_for_nobody(rig: Rig) -> None:
    listener = Listener(breaks := Breaks())
    told = await parked_stream(rig, listener, breaks)
    newer = rig.store.tell("another", "a")

    def release_meanwhile(recorded: Recorded) -> None:
        if recorded.id == newer[0] and rig.store.parked():
            rig.store.operate(release, told[1])

    listener.before = release_meanwhile
    async with listening(rig.subscribe(), listener.handle):
        await until(listener.has(*told[1:], *newer), "all to be handled")
        await until(lambda: rig.store.parked() == [], "nothing to be parked")

    assert in_order(of("a", listener.effects)) == {"a": [2, 3, 4, 5]}


@pytest.mark.parametrize("error", [LinkLost, Refused, Unavailable, ViewsUnavailable, Overloaded])
async def test_what_passes_is_waited_out_and_is_no_attempt(rig: Rig, error: type[Exception]) -> None:
    told = rig.store.tell("a", "b", "a")
    listener = Listener(breaks := Breaks(told[0], times=MAX_ATTEMPTS + 2, error=lambda: error("away")))

    async with listening(rig.subscribe(), listener.handle):
        await until(listener.has(*told), "all to be heard")

    assert breaks.left == 0
    assert in_order(listener.effects) == {"a": [1, 2], "b": [1]}
    assert rig.store.parked() == []
    assert rig.store.attempts().so_far(told[0]) == 0


async def test_what_passes_is_no_attempt_for_what_is_handled_with_care_either(rig: Rig) -> None:
    told = rig.store.tell("a", "b")
    errors = iter([Broken("once"), *[Unavailable("away")] * (MAX_ATTEMPTS + 2), Broken("twice")])
    listener = Listener(breaks := Breaks(told[0], times=MAX_ATTEMPTS + 4, error=lambda: next(errors)))

    async with listening(rig.subscribe(), listener.handle):
        await until(listener.has(*told), "all to be heard")

    assert breaks.left == 0
    assert rig.store.parked() == []


async def test_what_takes_the_process_with_it_is_found_out_and_parked(rig: Rig, tmp_path: Path) -> None:
    before = rig.store.tell("b", "a")
    deadly, behind, last = rig.store.tell("a", "a", "b")
    await until_relayed(rig, last)
    effects = tmp_path / "effects"
    asked = {**rig.victim, "effects": str(effects), "deadly": deadly, "last": last}
    found = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.contract.victim", json.dumps(asked)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert found.returncode == 0, found.stderr
    deaths = int(found.stdout)
    assert MAX_ATTEMPTS <= deaths <= MAX_ATTEMPTS + 2
    happened = effects.read_text().split()
    assert happened.count(deadly) == deaths
    assert set(happened) == {*before, deadly, last}
    assert [(parked.what, parked.cause) for parked in rig.store.parked()] == [(deadly, ENDED), (behind, BEHIND)]


async def until_relayed(rig: Rig, last: str) -> None:
    """Facts come to queues a little later than to the log."""
    if "queues" in rig.victim:
        position = rig.store.log.head()
        await until(lambda: rig.store.position("relay") >= position, f"{last} to be relayed")


@over_a_link
async def test_a_link_that_is_cut_again_and_again_costs_nothing_but_time(rig: Rig) -> None:
    proxy = rig.proxy
    listener = Listener()
    told: list[str] = []

    async with listening(rig.subscribe(), listener.handle):
        for n in range(6):
            told += rig.store.tell(*mixed(6, 8))
            await until(lambda n=n: len(set(listener.effects)) >= n * 48 + 10, "some to be heard")  # type: ignore[misc]  # mypy cannot infer defaults
            proxy.cut()
            told += rig.store.tell(*mixed(6, 1))
            proxy.mend()
        await until(listener.has(*told), "all to be heard")

    assert in_order(listener.effects) == {f"{'ab'[n % 2]}{n}": list(range(1, 55)) for n in range(6)}
    assert rig.store.parked() == []


@over_a_link
async def test_a_link_that_stays_away_is_asked_for_until_it_is_there(rig: Rig) -> None:
    proxy = rig.proxy
    listener = Listener()
    before = rig.store.tell("a")

    async with listening(rig.subscribe(), listener.handle):
        await until(listener.has(*before), "the first to be heard")
        proxy.cut()
        asked = proxy.accepted
        told = rig.store.tell("a", "b")
        await until(lambda: proxy.accepted > asked + 3, "it to be asked for")
        assert listener.effects == before
        proxy.mend()
        await until(listener.has(*told), "all to be heard")

    assert rig.store.parked() == []


@over_a_link
async def test_a_link_that_was_frozen_goes_on(rig: Rig) -> None:
    proxy = rig.proxy
    listener = Listener()
    told = rig.store.tell(*mixed(4, 10))

    async with listening(rig.subscribe(), listener.handle):
        await until(lambda: len(listener.effects) > 4, "some to be heard")
        proxy.freeze()
        told += rig.store.tell(*mixed(4, 10))
        await until_relayed(rig, told[-1])
        assert told[-1] not in listener.effects
        proxy.thaw()
        await until(listener.has(*told), "all to be heard")

    assert in_order(listener.effects) == {f"{'ab'[n % 2]}{n}": list(range(1, 21)) for n in range(4)}


@over_a_link
async def test_a_slow_link_keeps_the_order(rig: Rig) -> None:
    proxy = rig.proxy
    proxy.slow(0.005)
    told = rig.store.tell(*mixed(4, 15))
    listener = Listener()

    async with listening(rig.subscribe(), listener.handle):
        await until(listener.has(*told), "all to be heard", 30.0)

    assert in_order(listener.effects) == {f"{'ab'[n % 2]}{n}": list(range(1, 16)) for n in range(4)}


async def test_of_two_of_one_name_one_hears_and_the_other_takes_over_when_it_is_killed(rig: Rig) -> None:
    first, second = Listener(), Listener()
    second.effects = first.effects
    told = rig.store.tell(*mixed(4, 10))

    async with listening(rig.subscribe(), first.handle) as one:
        await until(first.has(*told), "the first to hear all")
        async with listening(rig.subscribe(), second.handle):
            told += rig.store.tell(*mixed(4, 10))
            await until(first.has(*told), "the first to hear all")
            first.after = for_ever
            told += rig.store.tell(*mixed(4, 10))
            await until(lambda: len(first.effects) > 80, "the first to be in the middle of something")
            assert second.tried == []
            one.cancel()
            await until(second.has(*told), "the second to take over")

    assert in_order(first.effects) == {f"{'ab'[n % 2]}{n}": list(range(1, 31)) for n in range(4)}


@over_a_link_to_the_store
async def test_who_lost_the_lock_asks_for_it_again(rig: Rig, request: pytest.FixtureRequest) -> None:
    listener = Listener()
    told = rig.store.tell("a")

    async with listening(rig.subscribe(), listener.handle) as running:
        await until(listener.has(*told), "the first to be heard")
        with psycopg.connect(request.getfixturevalue("postgres_url"), autocommit=True) as superuser:
            superuser.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        told = rig.store.tell("a", "b")
        await until(listener.has(*told), "all to be heard")

        assert not running.done()


def left() -> set["asyncio.Task[object]"]:
    """What runs, without the work in threads: the relay of the queues always has some."""
    return {task for task in asyncio.all_tasks() if getattr(task.get_coro(), "__name__", "") != "to_thread"}


Bring = Callable[[Rig, Listener, pytest.MonkeyPatch], Awaitable[None]]


async def hearing_nothing(rig: Rig, listener: Listener, _: pytest.MonkeyPatch) -> None:
    await until(listener.has(*rig.store.tell("a")), "it to hear")


async def handling(rig: Rig, listener: Listener, _: pytest.MonkeyPatch) -> None:
    listener.after = for_ever
    rig.store.tell("a")
    await until(lambda: listener.effects != [], "it to have an effect")


async def pausing_between_attempts(rig: Rig, listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE_S", 60.0)
    told = rig.store.tell("a")
    listener.before = Breaks(*told)
    await until(lambda: rig.store.attempts().so_far(told[0]) > 0, "a failed attempt")


async def waiting_for_something_to_pass(rig: Rig, listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE_S", 60.0)
    listener.before = Breaks(*rig.store.tell("a"), error=lambda: Unavailable("away"))
    await until(lambda: listener.tried != [], "it to be tried")


async def on_a_frozen_link(rig: Rig, listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    await hearing_nothing(rig, listener, monkeypatch)
    rig.proxy.freeze()


async def asking_somebody_silent(rig: Rig, listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    await hearing_nothing(rig, listener, monkeypatch)
    rig.proxy.freeze()
    rig.proxy.cut()
    rig.proxy.mend()
    asked = rig.proxy.accepted
    await until(lambda: rig.proxy.accepted > asked, "it to ask again")


@pytest.mark.parametrize("bring", [hearing_nothing, handling, pausing_between_attempts, waiting_for_something_to_pass])
async def test_it_ends_soon_in_every_state(rig: Rig, bring: Bring, monkeypatch: pytest.MonkeyPatch) -> None:
    await ends_soon(rig, bring, monkeypatch)


@over_a_link
@pytest.mark.parametrize("bring", [on_a_frozen_link, asking_somebody_silent])
async def test_it_ends_soon_in_every_state_of_its_link(rig: Rig, bring: Bring, monkeypatch: pytest.MonkeyPatch) -> None:
    await ends_soon(rig, bring, monkeypatch)


async def ends_soon(rig: Rig, bring: Bring, monkeypatch: pytest.MonkeyPatch) -> None:
    await until_relayed(rig, *rig.store.tell("b"))
    before, listener = left(), Listener()
    running = asyncio.ensure_future(rig.subscribe().run(listener.handle))
    try:
        await bring(rig, listener, monkeypatch)
    finally:
        await ended([running], SOON_S)

    assert running.cancelled()
    if rig.link is not None:
        rig.link.thaw()
    await until(lambda: left() <= before, "nothing to be left running")


async def test_who_stands_by_ends_soon_too(rig: Rig) -> None:
    listener = Listener()

    async with listening(rig.subscribe(), listener.handle):
        await until(listener.has(*rig.store.tell("a")), "the first to hear")
        standing_by = asyncio.ensure_future(rig.subscribe().run(listener.handle))
        await asyncio.wait([standing_by], timeout=0.2)
        assert not standing_by.done()
        await ended([standing_by], SOON_S)

    assert standing_by.cancelled()
