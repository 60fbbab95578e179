"""Plays a hotline and every department of a district on three connections, as cheaply as can be.

What is measured is the township, not its visitors: `services.simulation.correspondents` gives each a link of its own.
"""

import asyncio
from collections.abc import Sequence

import msgspec
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from events.carried import edge_event
from events.cloudevents import CloudEvent
from events.edge import Acknowledge, LegCalled, ReportLine
from events.ids import stream_id
from services.messaging.amqp import Sender, channel, event_message
from services.messaging.topology import department_user, door, local_departments, replies_queue
from services.rules.book import RuleBook
from services.runtime.clock import SystemClock
from services.simulation.correspondents import event_of

WINDOW = 200
"""So many messages a sender has out without the broker's confirm."""

PREFETCH = 200
LOOK_S = 1.0
PATIENCE_S = 60.0
OFFICER = "值班员"


class Correspondence:
    """What was said about some reports, and when: times are the event loop's, in seconds.

    ``legs`` is how many calls of departments must come of the reports. What comes again from an earlier stretch of
    work, because the broker did not hear that it was taken, counts for nothing.
    """

    def __init__(self, answers: set[str], legs: int) -> None:
        self._answers, self._legs = answers, legs
        self.sent: dict[str, float] = {}
        self.called: dict[str, float] = {}
        self.receipts: set[str] = set()
        self.acts: set[str] = set()
        self.decided: set[str] = set()
        self.acknowledged: set[str] = set()
        self.began = self.ended = 0.0

    @property
    def seconds(self) -> float:
        """From the first report to the last answer."""
        return self.ended - self.began

    @property
    def delays(self) -> list[float]:
        """From a report's publishing until its first leg had come to a department, for each report with a leg."""
        return [at - self.sent[report] for report, at in self.called.items()]

    @property
    def complete(self) -> bool:
        """Whether every report has its receipt, and every act its answer and its fact."""
        heard = (len(self.acts), len(self.decided), len(self.acknowledged))
        return self.receipts == self._answers and heard == (self._legs,) * 3

    def hear(self, at: float, event: CloudEvent) -> LegCalled | None:
        """Note what was heard; gives the leg that is to be acknowledged."""
        about = str(event.extensions.get("correlation"))
        match event.type:
            case "report.received.v1" if event.id in self._answers:
                self.receipts.add(event.id)
            case "act.decided.v1" if event.id in self.acts:
                self.decided.add(event.id)
            case "call.acknowledged.v1" if about in self.sent:
                self.acknowledged.add(event.id)
            case "leg.called.v1" if about in self.sent:
                self.called.setdefault(about, at)
                return msgspec.json.decode(event.data, type=LegCalled)
        return None

    def __str__(self) -> str:
        return (
            f"{len(self.receipts)} of {len(self._answers)} receipts, {len(self.acts)} of {self._legs} legs, "
            f"{len(self.decided)} answers to acts, {len(self.acknowledged)} facts about them"
        )


class Visitors:
    """The hotline and the departments; ``url`` is of a user who may do what they all may."""

    def __init__(self, url: str, hotline: str, rules: RuleBook) -> None:
        self._url, self._hotline = url, hotline
        self._queues = [replies_queue(hotline), *(local.queue for local in local_departments(rules.district))]
        self._aliases = {town.code: town.alias for town in rules.district.towns}
        self._clock = SystemClock()

    async def correspond(self, lines: Sequence[ReportLine], legs: int, per_second: float = 0) -> Correspondence:
        """Hand in reports, at once or at a steady pace, and acknowledge every leg, until all is answered.

        With no ``legs`` to come, until every report has its receipt.
        """
        said = Correspondence({answer_of(self._hotline, line.id) for line in lines}, legs)
        time = asyncio.get_running_loop().time
        async with (
            channel(self._url, "bench reports") as reporting,
            channel(self._url, "bench acts") as acting,
            channel(self._url, "bench hears", PREFETCH) as hearing,
        ):
            ears, acts = await Ears.at(hearing, self._queues), Sender(acting)
            said.began = said.ended = time()
            publishing = asyncio.ensure_future(self._report(Sender(reporting), lines, per_second, said))
            while not (publishing.done() and said.complete):
                messages = await ears.take(LOOK_S)
                if messages:
                    said.ended = messages[-1][0]
                    heard = [said.hear(at, event_of(message)) for at, message in messages]
                    await asyncio.gather(*(self._acknowledge(acts, leg, said) for leg in heard if leg))
                    await messages[-1][1].ack(multiple=True)
                elif time() - said.ended > PATIENCE_S:
                    raise SystemExit(f"expected every answer, found for {PATIENCE_S:g} s: {said}")
            await publishing
        return said

    async def _report(
        self, sender: Sender, lines: Sequence[ReportLine], per_second: float, said: Correspondence
    ) -> None:
        window, time = asyncio.Semaphore(WINDOW), asyncio.get_running_loop().time

        async def publish(line: ReportLine) -> None:
            async with window:
                event = edge_event(line, line.id, self._hotline, self._clock.now())
                message = event_message(event, line.id, correlation_id=line.id)
                said.sent[stream_id("report", line.time, self._hotline, line.id)] = time()
                await sender.send(door(self._hotline), "", message)

        async with asyncio.TaskGroup() as tasks:
            for n, line in enumerate(lines):
                if per_second and (early := said.began + n / per_second - time()) > 0:
                    await asyncio.sleep(early)
                tasks.create_task(publish(line))

    async def _acknowledge(self, sender: Sender, leg: LegCalled, said: Correspondence) -> None:
        user = department_user(self._aliases[leg.town], leg.department)
        name, act = f"{leg.call}/acknowledge", Acknowledge(call=leg.call, by=f"{user} {OFFICER}")
        event = edge_event(act, name, user, self._clock.now())
        said.acts.add(answer_of(user, name))
        await sender.send(door(user), "", event_message(event, f"{user}/{name}", correlation_id=name))


def answer_of(user: str, event: str) -> str:
    """The id of the answer to an event that a user sent."""
    return f"{user}/{event}/answer"


class Ears:
    """What has arrived from some queues, each with its time."""

    def __init__(self) -> None:
        self._arrived: list[tuple[float, AbstractIncomingMessage]] = []
        self._stirred = asyncio.Event()

    @classmethod
    async def at(cls, hearing: AbstractChannel, queues: Sequence[str]) -> "Ears":
        """Begin to hear."""
        ears = cls()
        for name in queues:
            await (await hearing.get_queue(name, ensure=False)).consume(ears._hear)
        return ears

    async def take(self, wait_s: float) -> list[tuple[float, AbstractIncomingMessage]]:
        """All that has arrived; waits for the first so long."""
        if not self._arrived:
            self._stirred.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._stirred.wait()
            except TimeoutError:
                return []
        taken, self._arrived = self._arrived, []
        return taken

    async def _hear(self, message: AbstractIncomingMessage) -> None:
        self._arrived.append((asyncio.get_running_loop().time(), message))
        self._stirred.set()
