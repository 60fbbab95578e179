"""Plays hotlines, terminals and departments over the real brokers, each under its own user, and keeps their books.

They know nothing but what is sent to them, and send again whatever was not answered. Their books say in the end
whether anybody lost or heard twice what they were promised once.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec
from aio_pika.abc import AbstractIncomingMessage
from msgspec import structs

from events.carried import edge_event, edge_of
from events.cloudevents import CloudEvent, from_headers, from_structured, to_structured
from events.edge import (
    SENT,
    Acknowledge,
    ActDecided,
    LegCalled,
    ReportedIn,
    ReportLine,
    ReportReceived,
    RequestNotTaken,
)
from services.intake.line import placed_by_hash
from services.messaging.amqp import PREFIXES, Heard, Sender, channel, event_message
from services.messaging.mqtt import AckingClient, client, content_of
from services.messaging.retry import keep
from services.messaging.topology import (
    LocalDepartment,
    department_queue,
    door,
    local_departments,
    receipt_topic,
    replies_queue,
    report_topic,
    senders_of,
)
from services.rules.book import RuleBook
from services.runtime.clock import Clock
from services.runtime.errors import HujiaoError
from services.runtime.pulse import Pulse

AT_ONCE = 300
"""So many reports a sender has out without an answer."""

PATIENCE_S = 20.0
"""After so long without any answer a sender sends again what was not answered."""

QUIET_S = 6.0
STRUCTURED = "application/cloudevents+json"
OFFICER = "值班员"


class Doubled(NamedTuple):
    """A message that came again, or out of order."""

    listener: str
    what: str


class Books:
    """What the senders' side knows when all is over."""

    def __init__(self) -> None:
        self.receipts: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        self.legs: dict[tuple[str, str], LegCalled] = {}
        self.decided: dict[str, ActDecided] = {}
        self.wrong: list[Doubled] = []
        self.heard: Counter[str] = Counter()
        self._versions: dict[tuple[str, str], set[int]] = {}
        self.stirred = 0

    def undecided(self) -> list[str]:
        """The acknowledgements that were sent and not answered."""
        sent = (f"{user}/{call}/acknowledge" for call, user in self.legs)
        return [act for act in sent if act not in self.decided]

    def answered(self, source: str, event: CloudEvent) -> None:
        """Note a receipt or a refusal."""
        self.stirred += 1
        match edge_of(event, SENT):
            case ReportReceived(record=record, receipt=receipt):
                key = f"{source}/{record}"
                if self.receipts.setdefault(key, receipt) != receipt:
                    self.wrong.append(Doubled(source, f"{record}: another receipt than before"))
            case RequestNotTaken(reason=reason, event=record):
                self.refused[f"{source}/{record}"] = reason
            case other:
                self.wrong.append(Doubled(source, f"an answer of type {type(other).__name__}"))

    def told(self, department: str, event: CloudEvent) -> None:
        """Note a fact that a department hears: of one stream each is newer than all before, or the same again."""
        self.stirred += 1
        stream, _, text = event.id.removesuffix(f".{department}").rpartition(":")
        version, known = int(text), self._versions.setdefault((department, stream), set())
        if version in known:
            self.heard["repeated"] += 1
        elif known and version < max(known):
            self.wrong.append(Doubled(department, f"{event.id} after {max(known)}"))
        known.add(version)
        self.heard[event.type] += 1


class Hotline:
    """A hotline that publishes reports and reads its own replies."""

    def __init__(self, user: str, url: str, lines: Sequence[ReportLine], books: Books, clock: Clock) -> None:
        self.user, self._url, self._books, self._clock = user, url, books, clock
        self._open = Unanswered(user, lines, books)

    async def run(self) -> None:
        """Publish until everything is answered, over every break."""

        async def publish(well: Callable[[], None]) -> None:
            async with channel(self._url, self.user) as sending, channel(self._url, self.user, AT_ONCE) as hearing:
                sender, heard = Sender(sending), Heard(hearing)
                await heard.listen(replies_queue(self.user))
                well()
                self._open.again()
                while not self._open.done:
                    for line in self._open.next(AT_ONCE):
                        event = edge_event(line, line.id, self.user, self._clock.now())
                        await sender.send(door(self.user), "", event_message(event, line.id, correlation_id=line.id))
                    await self._listen(heard)

        await keep(self.user, Pulse(), publish)

    async def _listen(self, heard: Heard) -> None:
        messages = await heard.take(AT_ONCE, PATIENCE_S)
        for message in messages:
            self._books.answered(self.user, event_of(message))
        if messages:
            await heard.settle(messages[-1])
        else:
            self._open.again()


class Terminal:
    """An app or a village terminal over MQTT 5 or, if it is ``old``, 3.1.1."""

    def __init__(
        self, user: str, url: str, topic: str, lines: Sequence[ReportLine], books: Books, clock: Clock, *, old: bool
    ) -> None:
        self.user, self._url, self._topic, self._books, self._clock = user, url, topic, books, clock
        self._open, self._old = Unanswered(user, lines, books), old

    async def run(self) -> None:
        """Publish until everything is answered, over every break."""

        async def publish(well: Callable[[], None]) -> None:
            async with client(self._url, self.user, (receipt_topic(self.user),), old=self._old) as link:
                well()
                self._open.again()
                while not self._open.done:
                    for line in self._open.next(AT_ONCE):
                        event = to_structured(edge_event(line, line.id, self.user, self._clock.now()))
                        await link.send(self._topic, event, None if self._old else content_of(STRUCTURED))
                    await self._listen(link)

        await keep(self.user, Pulse(), publish)

    async def _listen(self, link: AckingClient) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                messages = await link.take(AT_ONCE)
        except TimeoutError:
            self._open.again()
            return
        for message in messages:
            assert isinstance(message.payload, bytes), "a body is bytes"
            self._books.answered(self.user, from_structured(message.payload))
            link.acknowledge(message)


class Department:
    """A department that acknowledges every call that it hears of, and reports in where it must come."""

    def __init__(self, local: LocalDepartment, url: str, books: Books, clock: Clock) -> None:
        self.user, self.code = local.user, local.department.code
        self._queue = department_queue(local.town.alias, self.code)
        self._url, self._books, self._clock = url, books, clock

    async def run(self) -> None:
        """Answer until cancelled, over every break."""

        async def answer(well: Callable[[], None]) -> None:
            async with channel(self._url, self.user, AT_ONCE) as opened:
                sender, heard = Sender(opened), Heard(opened)
                await heard.listen(self._queue)
                well()
                while True:
                    messages = await heard.take(AT_ONCE, PATIENCE_S)
                    for message in messages:
                        await self._hear(sender, event_of(message))
                    if messages:
                        await heard.settle(messages[-1])

        await keep(self.user, Pulse(), answer)

    async def _hear(self, sender: Sender, event: CloudEvent) -> None:
        if event.type == "act.decided.v1":
            decided = msgspec.json.decode(event.data, type=ActDecided)
            self._books.decided[f"{self.user}/{decided.event}"] = decided
            self._books.stirred += 1
            return
        if event.type in ("request.not-taken.v1", "words.opened.v1"):
            self._books.wrong.append(Doubled(self.user, event.data.decode()))
            return
        self._books.told(self.code, event)
        if event.type == "leg.called.v1":
            leg = msgspec.json.decode(event.data, type=LegCalled)
            self._books.legs[leg.call, self.user] = leg
            by = f"{self.user} {OFFICER}"
            await self._do(sender, f"{leg.call}/acknowledge", Acknowledge(call=leg.call, by=by), event)
            if leg.arrive is not None:
                await self._do(sender, f"{leg.call}/report-in", ReportedIn(call=leg.call, by=by, people=2), event)

    async def _do(self, sender: Sender, name: str, act: Acknowledge | ReportedIn, about: CloudEvent) -> None:
        trace = about.extensions.get("traceparent")
        carried = {} if trace is None else {"traceparent": trace}
        event = edge_event(act, name, self.user, self._clock.now(), extensions=carried)
        await sender.send(door(self.user), "", event_message(event, name, correlation_id=name))


class Unanswered:
    """The reports of one sender that have no answer yet, in the order in which they are sent."""

    def __init__(self, source: str, lines: Sequence[ReportLine], books: Books) -> None:
        self._source, self._lines, self._books = source, list(lines), books
        self._sent = 0

    @property
    def done(self) -> bool:
        """Whether everything is answered."""
        return self._sent == len(self._lines) and not self._waiting()

    def next(self, most: int) -> list[ReportLine]:
        """What may be sent now, so that at most ``most`` wait for their answers."""
        room = max(0, most - len(self._waiting()))
        some = self._lines[self._sent : self._sent + room]
        self._sent += len(some)
        return some

    def again(self) -> None:
        """Send once more, in the old order, from the first that was not answered."""
        waiting = self._waiting()
        if waiting:
            self._sent = self._lines.index(waiting[0])

    def _waiting(self) -> list[ReportLine]:
        return [line for line in self._lines[: self._sent] if not self._is_answered(line)]

    def _is_answered(self, line: ReportLine) -> bool:
        key = f"{self._source}/{line.id}"
        return key in self._books.receipts or key in self._books.refused


Assigned = tuple[str, ReportLine]
"""A report and the user who hands it in."""

VIA = ("amqp", "mqtt5", "mqtt311")
"""The ways over which reports can be handed in."""


def assigned(lines: Iterable[ReportLine], via: Sequence[str], rules: RuleBook) -> list[Assigned]:
    """Each report in the order of their times with its sender: of each way one whom the district knows.

    Residents are shared out in turn and each keeps to one sender: only then are somebody's reports of the same story
    recorded in their order, so that the same one opens the case however fast each way is.

    Raises:
        HujiaoError: when it knows none for one of the ways.
    """
    district = rules.district
    users = {
        "amqp": next((hotline.name for hotline in district.hotlines), ""),
        "mqtt5": next((terminal.name for terminal in district.terminals if terminal.channel == "app"), ""),
        "mqtt311": next((terminal.name for terminal in district.terminals if terminal.channel == "village"), ""),
    }
    if unknown := [way for way in via if not users.get(way)]:
        raise HujiaoError(f"--via: expected some of {', '.join(VIA)} with a sender in the district, found {unknown[0]}")
    channels = {terminal.name: terminal.channel for terminal in district.terminals}
    found: list[Assigned] = []
    senders: dict[str, str] = {}
    for line in sorted(lines, key=lambda line: (line.time, line.id)):
        user = senders.setdefault(line.reporter or line.id, users[via[len(senders) % len(via)]])
        placed = structs.replace(placed_by_hash(line, district.villages), source=None)
        found.append((user, structs.replace(placed, channel=channels.get(user, placed.channel))))
    return found


class Addresses(NamedTuple):
    """Where each user finds its broker."""

    amqp: Callable[[str], str]
    mqtt: Callable[[str], str]


async def correspond(
    reports: Sequence[Assigned],
    rules: RuleBook,
    addresses: Addresses,
    clock: Clock,
    books: Books,
    asleep: Callable[[LocalDepartment], bool] = lambda local: False,
) -> None:
    """Hand in all reports and have every department that is not asleep answer, until all has gone quiet."""
    departments = [
        asyncio.ensure_future(Department(local, addresses.amqp(local.user), books, clock).run())
        for local in local_departments(rules.district)
        if not asleep(local)
    ]
    by_user: dict[str, list[ReportLine]] = {}
    for user, line in reports:
        by_user.setdefault(user, []).append(line)
    try:
        await asyncio.gather(
            *(_sender(user, lines, rules, addresses, clock, books).run() for user, lines in by_user.items())
        )
        await _quiet(books)
    finally:
        await _end(departments)


def _sender(
    user: str, lines: list[ReportLine], rules: RuleBook, addresses: Addresses, clock: Clock, books: Books
) -> Hotline | Terminal:
    terminal = senders_of(rules).terminal(user)
    if terminal is None:
        return Hotline(user, addresses.amqp(user), lines, books, clock)
    topic = report_topic(rules.towns[terminal.town].alias, terminal.channel, user)
    old = terminal.channel == "village"
    return Terminal(user, addresses.mqtt(user), topic, lines, books, clock, old=old)


async def _end(tasks: Sequence[asyncio.Future[None]]) -> None:
    """Cancel until everybody has heard it: a library may swallow it once (`asyncio.wait_for` of Python 3.11 does)."""
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=PATIENCE_S)
    await asyncio.gather(*tasks, return_exceptions=True)


async def _quiet(books: Books) -> None:
    """Returns when every act is decided and nobody has heard anything for a while."""
    since, stirred = asyncio.get_running_loop().time(), -1
    while True:
        now = asyncio.get_running_loop().time()
        if books.stirred != stirred:
            since, stirred = now, books.stirred
        elif now - since > QUIET_S and not books.undecided():
            return
        await asyncio.sleep(QUIET_S / 10)


def event_of(message: AbstractIncomingMessage) -> CloudEvent:
    """The event in a message to an outside user."""
    return from_headers(message.headers, message.content_type, message.body, PREFIXES)
