"""MQTT through our own client: it acknowledges when told to, notices refusals and dead links, and leaves nothing."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiomqtt
import pytest

from deploy.servers import MosquittoServer
from services.messaging import mqtt
from services.messaging.mqtt import AckingClient, NotAllowed, client, content_of, said
from services.messaging.retry import LinkLost
from tests.brokers import PATIENCE_S, ended, somebody, through, until
from tests.proxy import Proxy
from tests.servers import need

SOON_S = 2.0
VERSIONS = {"MQTT 5": aiomqtt.ProtocolVersion.V5, "MQTT 3.1.1": aiomqtt.ProtocolVersion.V311}


@pytest.fixture
def proxy(mosquitto: MosquittoServer, topics: str) -> Iterator[Proxy]:
    with Proxy(mosquitto.port) as opened:
        yield opened


@pytest.fixture
def url(mosquitto: MosquittoServer, topics: str) -> str:
    return mosquitto.url()


@pytest.fixture
def silent() -> Iterator[str]:
    with somebody(b"") as address:
        yield f"mqtt://{address}"


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> aiomqtt.ProtocolVersion:
    return VERSIONS[request.param]


async def publish(
    server: MosquittoServer,
    topic: str,
    *payloads: str,
    version: aiomqtt.ProtocolVersion = aiomqtt.ProtocolVersion.V5,
) -> None:
    """As any terminal does, with QoS 1."""
    async with aiomqtt.Client("127.0.0.1", server.port, protocol=version) as terminal:
        for payload in payloads:
            await terminal.publish(topic, payload, qos=1)


async def take(link: AckingClient, many: int) -> list[str]:
    """The payloads of so many messages; none is acknowledged."""
    return [bytes(message.payload).decode() for message in await messages(link, many)]  # type: ignore[arg-type]  # a body is bytes


async def messages(link: AckingClient, many: int) -> list[aiomqtt.Message]:
    taken: list[aiomqtt.Message] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(taken) < many:
            taken += await link.take(many - len(taken))
    return taken


async def nothing_more(link: AckingClient) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await link.take(1)


async def known(url: str, name: str, topic: str) -> None:
    """Have the broker keep a session of this name."""
    async with client(url, name, (topic,)):
        pass


async def test_what_was_not_acknowledged_comes_again_in_order_and_what_was_does_not(
    mosquitto: MosquittoServer, url: str, topics: str, version: aiomqtt.ProtocolVersion
) -> None:
    await known(url, topics, topics)
    await publish(mosquitto, topics, *map(str, range(6)), version=version)

    async with client(url, topics, (topics,)) as link:
        first = await take(link, 6)
    async with client(url, topics, (topics,)) as link:
        again = await messages(link, 6)
        for message in again[:4]:
            link.acknowledge(message)
        await link.send(f"{topics}/elsewhere", b"")  # once this is answered, the broker has read what was sent before
    async with client(url, topics, (topics,)) as link:
        rest = await messages(link, 2)
        for message in rest:
            link.acknowledge(message)
        await nothing_more(link)

    assert first == list("012345")
    assert [message.payload for message in again] == [b"0", b"1", b"2", b"3", b"4", b"5"]
    assert [message.payload for message in rest] == [b"4", b"5"]


async def test_who_takes_nothing_holds_the_broker_back(
    mosquitto: MosquittoServer, url: str, topics: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "RECEIVE_MAXIMUM", 3)
    async with client(url, topics, (topics,)) as link:
        await publish(mosquitto, topics, *map(str, range(5)))
        taken = await messages(link, 3)
        await nothing_more(link)
        link.acknowledge(taken[0])
        more = await take(link, 1)

    assert [message.payload for message in taken] == [b"0", b"1", b"2"]
    assert more == ["3"]


async def test_what_came_while_the_service_was_away_is_there_when_it_comes_back(
    mosquitto: MosquittoServer, url: str, topics: str, version: aiomqtt.ProtocolVersion
) -> None:
    for old in (False, True):
        name = f"{topics}-{old}"
        async with client(url, name, (f"{topics}/#",), old=old):
            pass

    await publish(mosquitto, f"{topics}/a", "1", version=version)
    await publish(mosquitto, f"{topics}/b", "2", version=version)

    for old in (False, True):
        async with client(url, f"{topics}-{old}", (f"{topics}/#",), old=old) as link:
            assert await take(link, 2) == ["1", "2"]


async def test_giving_up_waiting_loses_nothing(mosquitto: MosquittoServer, url: str, topics: str) -> None:
    heard: list[bytes] = []
    async with client(url, topics, (topics,)) as link:
        publishing = asyncio.ensure_future(publish(mosquitto, topics, *map(str, range(400))))
        until_s = time.monotonic() + PATIENCE_S
        while len(heard) < 400 and time.monotonic() < until_s:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.0003):
                    for message in await link.take(3):
                        heard.append(bytes(message.payload))  # type: ignore[arg-type]  # a body is bytes
                        link.acknowledge(message)
        await publishing

    assert heard == [str(n).encode() for n in range(400)]


async def test_a_message_keeps_what_its_sender_said_about_it(url: str, topics: str) -> None:
    async with client(url, topics, (topics,)) as link:
        await link.send(topics, b"{}", content_of("application/json", b"question 1"))
        message = (await messages(link, 1))[0]

    assert said(message.properties, "ContentType") == "application/json"
    assert said(message.properties, "CorrelationData") == b"question 1"
    assert said(message.properties, "ResponseTopic") is None


async def test_many_are_sent_at_once_and_each_is_confirmed(url: str, topics: str) -> None:
    async with client(url, topics, (topics,)) as link:
        await asyncio.gather(*(link.send(topics, str(n).encode()) for n in range(5 * mqtt.WINDOW)))
        heard = []
        while len(heard) < 5 * mqtt.WINDOW:
            for message in await link.take(50):
                heard.append(message.payload)
                link.acknowledge(message)

    assert sorted(heard) == sorted(str(n).encode() for n in range(5 * mqtt.WINDOW))


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[MosquittoServer]:
    """A broker where everybody may write to one topic alone."""
    need("mosquitto")
    rules = tmp_path / "acl"
    rules.write_text("topic write allowed\ntopic read #\n")
    with MosquittoServer(tmp_path / "mosquitto", acl=rules) as server:
        yield server


async def test_a_publication_that_the_broker_refuses_is_not_taken_for_a_good_one(guarded: MosquittoServer) -> None:
    async with client(guarded.url(), "somebody") as link:
        await link.send("allowed", b"1")
        with pytest.raises(NotAllowed, match=r"forbidden.*[Nn]ot authorized"):
            await link.send("forbidden", b"2")
        found = await asyncio.gather(
            *(link.send(("allowed", "forbidden")[n % 2], b"3") for n in range(20)), return_exceptions=True
        )

    assert [type(error) for error in found] == [type(None), NotAllowed] * 10


async def test_a_cut_link_is_noticed_while_publishing_and_while_hearing(url: str, topics: str, proxy: Proxy) -> None:
    async with client(through(proxy, url), topics, (topics,)) as link:
        hearing = asyncio.ensure_future(link.take(1))
        await link.send(f"{topics}/elsewhere", b"1")
        proxy.freeze()
        sending = [asyncio.ensure_future(link.send(f"{topics}/elsewhere", b"2")) for _ in range(10)]
        await asyncio.wait([hearing], timeout=0.05)
        proxy.cut()
        _, left = await asyncio.wait([hearing, *sending], timeout=SOON_S)

        assert not left
        assert {type(task.exception()) for task in (hearing, *sending)} == {LinkLost}
        with pytest.raises(LinkLost):
            await link.send(topics, b"3")
        with pytest.raises(LinkLost):
            await link.take(1)


async def test_what_was_heard_over_a_link_that_broke_cannot_be_acknowledged(
    mosquitto: MosquittoServer, url: str, topics: str, proxy: Proxy
) -> None:
    async with client(through(proxy, url), topics, (topics,)) as link:
        await publish(mosquitto, topics, "1", "2")
        first, second = await messages(link, 2)
        link.acknowledge(first)
        await publish(mosquitto, f"{topics}/elsewhere", "the broker has heard of it by now")
        proxy.cut()
        with pytest.raises(LinkLost):
            await link.take(1)
        with pytest.raises(LinkLost):
            link.acknowledge(second)
    async with client(url, topics, (topics,)) as link:
        again = await take(link, 1)

    assert again[-1] == "2"


async def test_a_frozen_link_is_noticed_by_its_silence(
    url: str, topics: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "KEEP_ALIVE_S", 1)
    async with client(through(proxy, url), topics, (topics,)) as link:
        proxy.freeze()

        with pytest.raises(LinkLost):
            await asyncio.wait_for(link.take(1), PATIENCE_S)


async def test_who_sends_over_a_frozen_link_does_not_wait_for_ever(
    url: str, topics: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "CONFIRM_S", 0.2)
    async with client(through(proxy, url), topics) as link:
        proxy.freeze()

        with pytest.raises(LinkLost, match="confirmed"):
            await link.send(topics, b"1")


@pytest.mark.parametrize("unsent", [0, 2000])
async def test_a_frozen_link_can_be_left_soon(url: str, topics: str, proxy: Proxy, unsent: int) -> None:
    before = asyncio.all_tasks()
    async with client(through(proxy, url), topics, (topics,)) as link:
        proxy.freeze()
        sending = [asyncio.ensure_future(link.send(topics, b"x" * 10_000)) for _ in range(unsent)]
        await asyncio.sleep(0)
        began = time.monotonic()

    assert time.monotonic() - began < SOON_S
    found = await asyncio.wait_for(asyncio.gather(*sending, return_exceptions=True), SOON_S)
    assert {type(error) for error in found} <= {LinkLost}
    await until(lambda: asyncio.all_tasks() <= before, "no task to be left", SOON_S)


async def test_who_asks_somebody_silent_can_be_stopped_and_leaves_nothing_behind(silent: str) -> None:
    before = asyncio.all_tasks()

    async def connect() -> None:
        async with client(silent, "test"):
            raise AssertionError("nobody answered")

    connecting = asyncio.ensure_future(connect())
    await asyncio.wait([connecting], timeout=0.1)
    await ended([connecting], SOON_S)

    assert connecting.cancelled()
    await until(lambda: asyncio.all_tasks() <= before, "no task to be left", SOON_S)


@pytest.mark.parametrize("after_s", [0.0, 0.0005, 0.001, 0.002, 0.004, 0.01])
async def test_whoever_is_stopped_in_the_middle_of_connecting_leaves_nothing_behind(
    url: str, topics: str, proxy: Proxy, after_s: float
) -> None:
    before = asyncio.all_tasks()

    async def connect() -> None:
        async with client(through(proxy, url), topics, (topics,)):
            await asyncio.Event().wait()

    connecting = asyncio.ensure_future(connect())
    await asyncio.wait([connecting], timeout=after_s)
    await ended([connecting], SOON_S)

    await until(lambda: asyncio.all_tasks() <= before, "no task to be left", SOON_S)
    await until(lambda: proxy.links == 0, "no link to be left", SOON_S)


async def test_who_cannot_reach_the_broker_is_told_so(silent: str, url: str, proxy: Proxy) -> None:
    proxy.cut()
    for address in (through(proxy, url), "mqtt://127.0.0.1:1"):
        with pytest.raises(LinkLost, match="let test in"):
            async with client(address, "test"):
                pass


async def test_the_same_name_goes_on_over_a_new_link_after_each_break(
    mosquitto: MosquittoServer, url: str, topics: str, proxy: Proxy
) -> None:
    heard: list[str] = []
    for n in range(3):
        with suppress(LinkLost):
            async with client(through(proxy, url), topics, (topics,)) as link:
                await publish(mosquitto, topics, str(n))
                while str(n) not in heard:
                    for message in await messages(link, 1):
                        heard.append(bytes(message.payload).decode())  # type: ignore[arg-type]  # a body is bytes
                        link.acknowledge(message)
                proxy.cut()
                proxy.mend()
                async with asyncio.timeout(PATIENCE_S):
                    while True:
                        await link.take(1)

    assert list(dict.fromkeys(heard)) == ["0", "1", "2"]


async def test_who_takes_over_a_session_ends_the_link_of_the_other(url: str, topics: str) -> None:
    async with client(url, topics, (topics,)) as first:
        hearing = asyncio.ensure_future(first.take(1))
        async with client(url, topics, (topics,)) as second:
            with pytest.raises(LinkLost):
                await asyncio.wait_for(hearing, SOON_S)
            await second.send(topics, b"1")
            assert await take(second, 1) == ["1"]


@asynccontextmanager
async def restarted(server: MosquittoServer) -> AsyncIterator[None]:
    await asyncio.to_thread(server.stop)
    yield
    await asyncio.to_thread(server.start)


async def test_what_waits_outlives_the_broker(mosquitto: MosquittoServer, url: str, topics: str) -> None:
    await known(url, topics, topics)
    await publish(mosquitto, topics, "1", "2")
    async with restarted(mosquitto):
        with pytest.raises(LinkLost):
            await known(url, topics, topics)

    async with client(url, topics, (topics,)) as link:
        assert await take(link, 2) == ["1", "2"]
