"""What the tests of the edges share: one whole township, and its outside users with plain clients of their own.

A hotline, a department, a terminal and an analyst here know nothing but their name, their password and what the
README tells them; none of our own encoders helps them. ``WARM_TOWNSHIP=FOLDER`` keeps the township between runs.
"""

import asyncio
import json
import os
import queue
import re
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import aio_pika
import msgspec
import paho.mqtt.client as paho
import psycopg
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from deploy.township import VHOST, Township
from events.envelope import Recorded
from events.report import ReportSubmitted
from services.messaging.properties import read_all
from services.provisioning import roles
from services.runtime.district import find_district
from services.runtime.log import Log
from services.runtime.places import Server
from services.runtime.vault import Vault
from tests.servers import need

DEADLINE_S = 40.0
"""Whatever shall happen has happened after this time, even on a machine with other work."""

NEVER_S = 1.0
"""How long to look out for what must not come, once something sent after it has come."""

HOTLINE, OTHER_HOTLINE = "hotline-12345", "police-110"
APP, OTHER_APP = "app-ld", "app-gc"
VILLAGE_TERMINAL, VILLAGE = "village-445303100201", "445303100201"
TOWN, OTHER_TOWN = "LD", "GC"

JSON, STRUCTURED, BATCH = "application/json", "application/cloudevents+json", "application/cloudevents-batch+json"
MSGPACK = "application/vnd.msgpack"

ALLEY = "105"
"""A confidential matter at the desk: lead D04, D01 assists; hours to acknowledge."""

PAPERS = "501"
"""A matter at the desk: lead D21, assisted by D08 and D23; hours to acknowledge."""

NOISE = "203"
"""A matter on the spot, lead D08, assisted by D15 and X5. In these tests all its clocks take a minute."""

POTHOLE = "204"
"""A matter on the spot with half an hour to come: lead D09, D08 required, D32 assists."""

_PACKAGES = ("postgresql", "rabbitmq-server", "mosquitto", "mosquitto-clients", "amqp-tools")
_HURRIED = (
    (
        "limits.toml",
        r'(class = "U2".*?acknowledge = )"1h"\narrive = "2h"\ncontact = "4h"',
        r'\1"1min"\narrive = "1min"\ncontact = "1min"',
    ),
    ("matters.toml", r'(code = "203".*?promised = )"24h"', r'\1"1min"'),
)
_SHOWN = 400

TRACES = "traces.jsonl"
"""Where all services write their spans, in the township's folder."""

T = TypeVar("T")


class Edges:
    """The township, and what an operator sees of it."""

    def __init__(self, township: Township) -> None:
        self.township = township
        self.log = Log(Server(township.store_url(roles.LOG)).log())
        self.dead: list[Letter] = []

    def close(self) -> None:
        """Let go of the log."""
        self.log.close()

    @property
    def management_url(self) -> str:
        """Where the management interface is, without a user."""
        return f"http://127.0.0.1:{self.township.nodes[0].ports['management']}"

    def admin_url(self) -> str:
        """Where RabbitMQ's administrator finds the township's virtual host."""
        return self.township.nodes[0].amqp_url(vhost=VHOST)

    @contextmanager
    def vault(self) -> Iterator[Vault]:
        """The vault, as whoever runs it may open it."""
        vault = Vault(
            Server(self.township.store_url(roles.LOG), vault_url=self.township.store_url(roles.VAULT)).vault()
        )
        try:
            yield vault
        finally:
            vault.close()

    def openings(self, stream: str) -> list[tuple[str, str]]:
        """Who opened words of a stream, and what for."""
        with self.vault() as vault:
            return [(who, purpose) for _, who, purpose in vault.openings(stream)]

    def rows(self, sql: str, role: str = roles.VIEWS) -> list[tuple[Any, ...]]:
        """What a role of PostgreSQL gets for a question."""
        with psycopg.connect(self.township.store_url(role)) as connection:
            return connection.execute(sql).fetchall()  # type: ignore[arg-type]  # questions of the tests themselves

    def head(self) -> int:
        """The position of the newest fact."""
        return self.log.head()

    def since(self, position: int) -> list[Recorded]:
        """All facts after a position."""
        return [recorded for batch in self.log.all_after(position) for recorded in batch]

    def report(self, source: str, record: str, since: int = 0) -> Recorded | None:
        """The first fact of a report; ``None`` when there is none."""
        for recorded in self.since(since):
            fact = recorded.fact
            if isinstance(fact, ReportSubmitted) and (fact.source, fact.record) == (source, record):
                return recorded
        return None

    def log_of(self, service: str) -> list[dict[str, Any]]:
        """What a service has logged so far."""
        lines = self.township.services[service].log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def broker_log(self) -> str:
        """What RabbitMQ has logged so far."""
        return "".join(
            file.read_text(encoding="utf-8", errors="replace")
            for node in self.township.nodes
            for file in (node.log, *sorted((node.folder / "logs").glob("*.log")))
        )

    def mosquitto_log(self) -> str:
        """What Mosquitto has logged so far."""
        return self.township.mosquitto.log.read_text(encoding="utf-8", errors="replace")

    def depth(self, name: str) -> int:
        """How many messages a queue holds now, those on their way to a consumer included."""
        found = self.township.nodes[0].ctl(
            "list_queues", "--vhost", VHOST, "--quiet", "--no-table-headers", "name", "messages"
        )
        return next(int(count) for line in found.splitlines() for queue, count in [line.split("\t")] if queue == name)

    def pids(self) -> dict[str, int]:
        """The process of every service."""
        return {name: service.pid for name, service in self.township.services.items()}


@pytest.fixture(scope="session")
def edges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edges]:
    """The township of all tests of the edges; whoever breaks something mends it."""
    for package in _PACKAGES:
        need(package)
    warm = os.environ.get("WARM_TOWNSHIP")
    folder = Path(warm) if warm else Path("/tmp") / f"hujiao-edges-{uuid.uuid4().hex}"  # noqa: S108  # where the user postgres can go
    folder.mkdir(exist_ok=bool(warm))
    township = Township(
        folder,
        district=str(_district(folder / "hurried")),
        outlive=bool(warm),
        environment={"HUJIAO_TRACE_FILE": str(folder / TRACES)},
    )
    try:
        if not warm or not _runs(township):
            township.up()
        known = Edges(township)
        try:
            yield known
        finally:
            known.close()
    finally:
        if not warm:
            _kill(township)
            shutil.rmtree(folder)


def _runs(township: Township) -> bool:
    """Whether everything runs already."""
    servers = (township.postgres, township.rabbit, township.mosquitto)
    return all(server.running for server in servers) and all(s.running for s in township.services.values())


def _kill(township: Township) -> None:
    """End everything at once: nobody waits for what it holds."""
    for server in (*township.services.values(), township.rabbit, township.postgres, township.mosquitto):
        server.kill()


def _district(folder: Path) -> Path:
    """The sample district, with one matter all of whose clocks take a minute."""
    if not folder.exists():
        shutil.copytree(find_district("yunan"), folder)
        for name, old, new in _HURRIED:
            text, times = re.subn(old, new, (folder / name).read_text(encoding="utf-8"), count=1, flags=re.DOTALL)
            assert times == 1, f"expected {old} in {name}, found none"
            (folder / name).write_text(text, encoding="utf-8")
    return folder


# --- what is sent


def fresh(prefix: str = "r") -> str:
    """A name that nobody used before."""
    return f"{prefix}-{uuid.uuid4().hex[:20]}"


def report(record: str, **fields: Any) -> dict[str, Any]:
    """A report line that can be taken, of somebody whom nobody else is."""
    line = {
        "id": record,
        "time": datetime.now(UTC).isoformat(),
        "title": "开证明等了一上午",
        "text": "窗口一直没有人，想办居住证明。",
        "village": VILLAGE,
        "matter": PAPERS,
        "reporter": fresh("resident"),
    }
    return {name: value for name, value in {**line, **fields}.items() if value is not None}


class Event(NamedTuple):
    """A CloudEvent as somebody outside writes it: attributes, and what it says."""

    attributes: dict[str, Any]
    data: Any

    @property
    def id(self) -> str:
        return str(self.attributes["id"])


def event(kind: str, data: Any, **attributes: Any) -> Event:
    """An event of this type; an attribute of ``None`` is left out."""
    given = {"specversion": "1.0", "id": fresh("e"), "source": "//example.org", "type": kind, **attributes}
    return Event({name: value for name, value in given.items() if value is not None}, data)


def submit(record: str = "", **fields: Any) -> Event:
    """A report in its event."""
    line = report(record or fresh(), **fields)
    return event("report.submit.v1", line)


class Sent(NamedTuple):
    """A message before it has a transport: headers, content type, body."""

    headers: dict[str, Any]
    content_type: str | None
    body: bytes


def encoded(data: Any, content_type: str = JSON) -> bytes:
    """What an event says, in bytes."""
    if isinstance(data, bytes):
        return data
    if "msgpack" in content_type:
        return msgspec.msgpack.encode(data)
    return json.dumps(data, ensure_ascii=False).encode()


def binary(said: Event, content_type: str = JSON, prefix: str = "cloudEvents_") -> Sent:
    """An event in binary mode."""
    headers = {f"{prefix}{name}": value for name, value in said.attributes.items()}
    return Sent(headers, content_type, encoded(said.data, content_type))


def as_json(said: Event, content_type: str = JSON) -> dict[str, Any]:
    """An event as the JSON format has it."""
    if "json" in content_type:
        return {**said.attributes, "datacontenttype": content_type, "data": said.data}
    data = encoded(said.data, content_type)
    return {
        **said.attributes,
        "datacontenttype": content_type,
        "data_base64": msgspec.json.decode(msgspec.json.encode(data)),
    }


def structured(said: Event, content_type: str = JSON) -> Sent:
    """An event in structured mode."""
    return Sent({}, STRUCTURED, encoded(as_json(said, content_type)))


def batch(events: Sequence[Event | Mapping[str, Any]]) -> Sent:
    """Several events in one message."""
    return Sent({}, BATCH, encoded([as_json(one) if isinstance(one, Event) else one for one in events]))


# --- over AMQP


class Letter(NamedTuple):
    """A message as somebody outside gets it."""

    type: str
    data: Any
    headers: dict[str, Any]
    content_type: str | None
    correlation_id: str | None
    message_id: str | None
    routing_key: str
    body: bytes

    @property
    def id(self) -> str:
        return str(self.headers.get("cloudEvents_id"))


def letter(message: AbstractIncomingMessage) -> Letter:
    """What a message says."""
    return Letter(
        type=str(message.headers.get("cloudEvents_type", "")),
        data=_decoded(message.body, message.content_type or ""),
        headers=dict(message.headers),
        content_type=message.content_type,
        correlation_id=message.correlation_id,
        message_id=message.message_id,
        routing_key=message.routing_key or "",
        body=message.body,
    )


def _decoded(body: bytes, content_type: str) -> Any:
    try:
        return msgspec.msgpack.decode(body) if "msgpack" in content_type else json.loads(body)
    except (ValueError, msgspec.DecodeError):
        return None


class Outside:
    """A user of RabbitMQ with one channel, which hears its own queue if it has one."""

    def __init__(self, edges: Edges, user: str, channel: AbstractChannel) -> None:
        self.edges, self.user, self.channel = edges, user, channel
        self.heard: list[Letter] = []
        self._came = asyncio.Condition()

    async def listen(self, name: str) -> None:
        """Hear a queue; everything is acknowledged."""
        source = await self.channel.get_queue(name, ensure=False)
        await source.consume(self._hear, no_ack=False)

    async def send(
        self,
        sent: Sent,
        *,
        exchange: str = "",
        key: str = "",
        headers: Mapping[str, Any] | None = None,
        **properties: Any,
    ) -> None:
        """Publish to its own exchange, or to another; returns once the broker has it."""
        to = await self.channel.get_exchange(exchange or f"from.{self.user}", ensure=False)
        message = aio_pika.Message(
            sent.body, headers={**sent.headers, **(headers or {})}, content_type=sent.content_type, **properties
        )
        async with asyncio.timeout(DEADLINE_S):
            await to.publish(message, key)

    async def ask(self, sent: Sent, **properties: Any) -> Letter:
        """Publish, and wait for the answer."""
        correlation = properties.pop("correlation_id", None) or fresh("c")
        await self.send(sent, correlation_id=correlation, **properties)
        return await self.hear(lambda came: came.correlation_id == correlation)

    async def hear(self, wanted: Callable[[Letter], bool], what: str = "the message that was waited for") -> Letter:
        """Wait for a message."""
        return (await self.hear_all(wanted, 1, what))[0]

    async def hear_all(
        self, wanted: Callable[[Letter], bool], count: int, what: str = "all messages that were waited for"
    ) -> list[Letter]:
        """Wait for so many messages, in the order in which they came."""
        try:
            async with asyncio.timeout(DEADLINE_S), self._came:
                await self._came.wait_for(lambda: len(self.got(wanted)) >= count)
        except TimeoutError:
            shown = "\n".join(f"{came.type} {str(came.data)[:_SHOWN]}" for came in self.heard[-10:])
            raise AssertionError(f"expected {what} for {self.user}, found:\n{shown}") from None
        return self.got(wanted)

    def got(self, wanted: Callable[[Letter], bool]) -> list[Letter]:
        """What has come so far."""
        return [came for came in self.heard if wanted(came)]

    async def _hear(self, message: AbstractIncomingMessage) -> None:
        async with self._came:
            self.heard.append(letter(message))
            self._came.notify_all()
        await message.ack()


def own_queue(user: str) -> str:
    """Where a user hears: a hotline its replies, a department everything."""
    if not user.startswith("dept."):
        return f"replies.{user}"
    _, town, department = user.split(".")
    return f"department.{town.upper()}.{department.upper()}"


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[AbstractChannel]:
    """A channel on a connection of its own, with confirms."""
    async with asyncio.timeout(DEADLINE_S):
        link = await aio_pika.connect(url)
    try:
        yield await link.channel(publisher_confirms=True, on_return_raises=True)
    finally:
        await link.close()


@asynccontextmanager
async def outside(edges: Edges, user: str, *, deaf: bool = False) -> AsyncIterator[Outside]:
    """A hotline or department at work, under its own name and password."""
    async with connected(edges.township.amqp_url(user)) as channel:
        known = Outside(edges, user, channel)
        if not deaf:
            await known.listen(own_queue(user))
        yield known


@asynccontextmanager
async def operator(edges: Edges, name: str = "dead") -> AsyncIterator[Outside]:
    """The administrator, who looks through the dead letters (or another queue). What was seen is remembered."""
    read_all()  # among the dead is what no client can read
    async with connected(edges.admin_url()) as channel:
        known = Outside(edges, "admin", channel)
        known.heard = edges.dead if name == "dead" else []
        await known.listen(name)
        yield known


async def dead_letter(edges: Edges, wanted: Callable[[Letter], bool]) -> Letter:
    """Wait for a dead letter."""
    async with operator(edges) as looks:
        return await looks.hear(wanted, "a dead letter")


# --- over MQTT


class News(NamedTuple):
    """A message as a terminal gets it."""

    topic: str
    type: str
    data: Any
    event: dict[str, Any]
    correlation: bytes | None
    content_type: str | None


class Terminal:
    """A terminal with a client of its own, in MQTT 5 or 3.1.1; everything it hears is kept."""

    def __init__(
        self, edges: Edges, user: str, *, old: bool = False, session: str = "", password: str = "", listens: bool = True
    ) -> None:
        self.edges, self.user, self.old = edges, user, old
        self.heard: list[News] = []
        self.raw: list[paho.MQTTMessage] = []
        self._came: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._confirmed: dict[int, Any] = {}
        self._listens = listens
        self._clean = not session
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=session or fresh(user),
            protocol=paho.MQTTv311 if old else paho.MQTTv5,
            **({"clean_session": self._clean} if old else {}),  # type: ignore[arg-type]  # by version
        )
        self.client.username_pw_set(user, password or edges.township.password(user))
        self.client.on_message = self._hear
        self.client.on_publish = self._confirm
        self.client.on_subscribe = self._subscribed
        self.client.on_connect = self._connected
        self._status: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._granted: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        self.connect()
        if self._listens:
            for topic in (f"receipt/{self.user}", f"news/{self.user}"):
                self.subscribe(topic)
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """End the link, or the tries to get one, and leave no socket to be found by whoever collects garbage."""
        self.client.disconnect()
        self.client.loop_stop()
        self.client._reset_sockets()

    def connect(self) -> str:
        """Log in; gives why not, if not."""
        host, port = "127.0.0.1", self.edges.township.mosquitto.port
        if self.old:
            self.client.connect(host, port, keepalive=30)
        else:
            wanted = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # untyped library
            wanted.SessionExpiryInterval = 0 if self._clean else 3600
            self.client.connect(host, port, keepalive=30, clean_start=self._clean, properties=wanted)
        self.client.loop_start()
        code = self._status.get(timeout=DEADLINE_S)
        return str(code) if code.is_failure else ""

    def subscribe(self, topic: str, qos: int = 1) -> bool:
        """Ask to hear a topic; gives whether the broker says yes."""
        self.client.subscribe(topic, qos)
        return not any(code.is_failure for code in self._granted.get(timeout=DEADLINE_S))

    def publish(
        self, topic: str, sent: Sent, *, correlation: bytes | None = None, retain: bool = False, response: str = ""
    ) -> str:
        """Publish with QoS 1; gives why the broker refused it, if it did. 3.1.1 never says."""
        return self.confirmed(self.post(topic, sent, correlation=correlation, retain=retain, response=response))

    def post(
        self, topic: str, sent: Sent, *, correlation: bytes | None = None, retain: bool = False, response: str = ""
    ) -> int:
        """Publish without waiting; gives the number to ask `confirmed` about."""
        about = None
        if not self.old:
            about = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # untyped library
            if sent.content_type:
                about.ContentType = sent.content_type
            if sent.headers:
                about.UserProperty = [(name, str(value)) for name, value in sent.headers.items()]
            if correlation is not None:
                about.CorrelationData = correlation
            if response:
                about.ResponseTopic = response
        return self.client.publish(topic, sent.body, 1, retain, about).mid

    def confirmed(self, number: int) -> str:
        """Wait until the broker has a message."""
        wait_for(lambda: number in self._confirmed, "the broker's confirmation")
        code = self._confirmed[number]
        return str(code) if code.is_failure else ""

    def report(self, sent: Sent, **options: Any) -> str:
        """Publish to the topic that is its own."""
        return self.publish(report_topic(self.edges, self.user), sent, **options)

    def hear(self, wanted: Callable[[News], bool], what: str = "the message that was waited for") -> News:
        """Wait for a message."""
        return self.hear_all(wanted, 1, what)[0]

    def hear_all(
        self, wanted: Callable[[News], bool], count: int, what: str = "all messages that were waited for"
    ) -> list[News]:
        """Wait for so many messages, in the order in which they came."""

        def found() -> list[News]:
            some = [news for news in list(self.heard) if wanted(news)]
            return some if len(some) >= count else []

        return wait_for(found, f"{what} for {self.user}")

    def receipt(self, record: str) -> News:
        """Wait for the answer to a report."""
        return self.hear(
            lambda news: (
                news.topic.startswith("receipt/") and isinstance(news.data, dict) and news.data.get("record") == record
            ),
            f"a receipt for {record}",
        )

    def _hear(self, client: Any, userdata: Any, message: paho.MQTTMessage) -> None:
        self.raw.append(message)
        try:
            said = json.loads(message.payload)
        except ValueError:
            said = {}
        said = said if isinstance(said, dict) else {}
        self.heard.append(
            News(
                message.topic,
                str(said.get("type", "")),
                said.get("data"),
                said,
                getattr(message.properties, "CorrelationData", None),
                getattr(message.properties, "ContentType", None),
            )
        )

    def _confirm(self, client: Any, userdata: Any, mid: int, reason: Any, properties: Any) -> None:
        self._confirmed[mid] = reason

    def _subscribed(self, client: Any, userdata: Any, mid: int, reasons: Any, properties: Any) -> None:
        self._granted.put(reasons)

    def _connected(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._status.put(reason)


def report_topic(edges: Edges, user: str) -> str:
    """The topic that a terminal writes to, by the naming of the sample's senders."""
    alias, channel = (TOWN, "village") if user.startswith("village-") else (user.removeprefix("app-").upper(), "app")
    return f"report/{alias}/{channel}/{user}"


# --- waiting


def wait_for(condition: Callable[[], T], what: str, seconds: float = DEADLINE_S) -> T:
    """Wait until a condition gives something; for tests without a loop."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"expected {what} within {seconds:g} s, found {found!r}")
        time.sleep(0.02)
    return found


async def until(condition: Callable[[], T | Awaitable[T]], what: str, seconds: float = DEADLINE_S) -> T:
    """Wait until a condition gives something."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        found = await found if isinstance(found, Awaitable) else found
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"expected {what} within {seconds:g} s, found {found!r}")
        await asyncio.sleep(0.05)


def days_ago(days: float) -> str:
    """A time of the past as a report line has it."""
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()
