"""The same life cycle as FastStream's and `eventsourcing`'s documentation would write it, as a baseline.

    python -m tests.bench.faststream_baseline HOP BROKER_URL STORE_URL

is one process with one handler, which saves one aggregate per message and publishes what follows from it. Whom a case
calls is written in the report already: nothing is classified, encrypted, remembered, timed or sealed here. Quorum
queues, messages kept on disk, confirms, acknowledged after the handler; the log of each message is turned off.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import aio_pika
import msgspec
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from faststream import FastStream
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitQueue
from pydantic import BaseModel

from tests.bench.library import on_postgres

WINDOW = 200
PREFETCH = 200
QUEUES = ("intake", "cases", "platforms", "department", "acts", "answers")
PATIENCE_S = 120.0


def queue_of(name: str) -> str:
    """The quorum queue of this name."""
    return f"faststream.{name}"


class CallPlan(BaseModel):
    """Whom a case calls on one platform."""

    platform: str
    departments: list[str]


class ReportIn(BaseModel):
    """What the hotline publishes."""

    record: str
    village: str
    title: str
    text: str
    calls: list[CallPlan]


class CaseIn(BaseModel):
    """What intake tells the command centre."""

    report: str
    village: str
    calls: list[CallPlan]


class CallIn(BaseModel):
    """What the command centre tells a platform."""

    case: str
    platform: str
    departments: list[str]


class LegOut(BaseModel):
    """What a platform tells a department."""

    call: str
    case: str
    department: str


class ActIn(BaseModel):
    """What a department does."""

    call: str
    department: str
    by: str


class Answer(BaseModel):
    """What a sender is told."""

    kind: str
    about: str


class Report(Aggregate):
    """A report."""

    @event("Submitted")
    def __init__(self, record: str, village: str, title: str, text: str) -> None:
        self.record, self.village, self.title, self.text = record, village, title, text


class Case(Aggregate):
    """A case and whom it calls."""

    @event("Opened")
    def __init__(self, report: str, village: str, platforms: list[str]) -> None:
        self.report, self.village, self.platforms = report, village, platforms


class Call(Aggregate):
    """A call and who has acknowledged it."""

    @event("Issued")
    def __init__(self, case: str, platform: str, departments: list[str]) -> None:
        self.case, self.platform, self.departments = case, platform, departments
        self.acknowledged: list[str] = []

    @event("Acknowledged")
    def acknowledge(self, department: str, by: str) -> None:
        self.acknowledged.append(department)


class Township(Application[UUID]):
    """The library's application with its defaults."""


def create(store_url: str) -> None:
    """Create its tables: several processes at once cannot."""
    Township(on_postgres(store_url)).close()


def quorum(name: str) -> RabbitQueue:
    """A queue of the baseline."""
    return RabbitQueue(queue_of(name), queue_type=QueueType.QUORUM, durable=True)


def intake(broker: RabbitBroker, township: Township) -> None:
    """Reports are saved, the command centre is told, the sender is answered."""
    cases = broker.publisher(quorum("cases"), persist=True)

    @broker.subscriber(quorum("intake"))
    @broker.publisher(quorum("answers"), persist=True)
    async def take(said: ReportIn) -> Answer:
        report = Report(said.record, said.village, said.title, said.text)
        township.save(report)
        await cases.publish(CaseIn(report=str(report.id), village=said.village, calls=said.calls))
        return Answer(kind="received", about=said.record)


def command_centre(broker: RabbitBroker, township: Township) -> None:
    """Cases are saved, platforms are called."""
    platforms = broker.publisher(quorum("platforms"), persist=True)

    @broker.subscriber(quorum("cases"))
    async def take(said: CaseIn) -> None:
        case = Case(said.report, said.village, [call.platform for call in said.calls])
        township.save(case)
        for call in said.calls:
            await platforms.publish(CallIn(case=str(case.id), platform=call.platform, departments=call.departments))


def platforms(broker: RabbitBroker, township: Township) -> None:
    """Calls are saved, departments are called."""
    department = broker.publisher(quorum("department"), persist=True)

    @broker.subscriber(quorum("platforms"))
    async def take(said: CallIn) -> None:
        call = Call(said.case, said.platform, said.departments)
        township.save(call)
        for name in said.departments:
            await department.publish(LegOut(call=str(call.id), case=said.case, department=name))


def departments(broker: RabbitBroker, township: Township) -> None:
    """Acknowledgements are saved, the departments are answered."""

    @broker.subscriber(quorum("acts"))
    @broker.publisher(quorum("answers"), persist=True)
    async def take(said: ActIn) -> Answer:
        call: Call = township.repository.get(UUID(said.call))
        call.acknowledge(said.department, said.by)
        township.save(call)
        return Answer(kind="acknowledged", about=said.call)


HOPS: Mapping[str, Callable[[RabbitBroker, Township], None]] = {
    hop.__name__: hop for hop in (intake, command_centre, platforms, departments)
}


async def serve(hop: str, broker_url: str, store_url: str) -> None:
    """Run one hop for ever."""
    broker = RabbitBroker(broker_url, default_channel=Channel(prefetch_count=PREFETCH), logger=None)
    HOPS[hop](broker, Township({**on_postgres(store_url), "CREATE_TABLE": "no"}))
    app = FastStream(broker, logger=None)

    @app.after_startup
    async def started() -> None:
        print("ready", flush=True)

    await app.run()


Plans = Sequence[tuple[str, str, str, str, Sequence[tuple[str, Sequence[str]]]]]
"""Record, village, title, text, and the called platforms with their departments."""


async def correspond(url: str, plans: Plans) -> float:
    """Hand in reports, acknowledge every call; gives the seconds until all was answered."""
    async with await aio_pika.connect(url) as sending, await aio_pika.connect(url) as hearing:
        channel, hears = await sending.channel(), await hearing.channel()
        await hears.set_qos(prefetch_count=PREFETCH)
        left = len(plans) + sum(len(departments) for *_, calls in plans for _, departments in calls)
        window, answered = asyncio.Semaphore(WINDOW), asyncio.Event()

        async def publish(queue: str, said: dict[str, Any]) -> None:
            message = Message(
                msgspec.json.encode(said), content_type="application/json", delivery_mode=DeliveryMode.PERSISTENT
            )
            async with window:
                await channel.default_exchange.publish(message, queue_of(queue))

        async def called(message: AbstractIncomingMessage) -> None:
            leg = msgspec.json.decode(message.body)
            await publish("acts", {"call": leg["call"], "department": leg["department"], "by": "officer"})
            await message.ack()

        async def told(message: AbstractIncomingMessage) -> None:
            nonlocal left
            await message.ack()
            left -= 1
            if not left:
                answered.set()

        hear: Sequence[tuple[str, Callable[[AbstractIncomingMessage], Awaitable[None]]]]
        hear = (("department", called), ("answers", told))
        for queue, callback in hear:
            await (await hears.get_queue(queue_of(queue))).consume(callback)
        time = asyncio.get_running_loop().time
        began = time()
        async with asyncio.TaskGroup() as tasks:
            for record, village, title, text, calls in plans:
                planned = [{"platform": platform, "departments": list(names)} for platform, names in calls]
                said = {"record": record, "village": village, "title": title, "text": text, "calls": planned}
                tasks.create_task(publish("intake", said))
        async with asyncio.timeout(PATIENCE_S):
            await answered.wait()
        return time() - began


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:4]))
