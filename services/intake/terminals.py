"""The channel of app and village terminals (终端) over MQTT: reports in, receipts and news of their cases out.

A terminal is known by the topic that it alone may write to. The broker hears that we have a report only after the
ledger has answered and the receipt is on its way; until then it keeps the report, in the order in which it was sent.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Self

import structlog
from aiomqtt import Message

from events.attributes import BadEvent
from events.carried import edge_event
from events.case import CaseClosed, CaseOpened, CaseReportLinked
from events.cloudevents import (
    MQTT,
    STRUCTURED,
    CloudEvent,
    from_headers,
    from_structured,
    is_binary,
    is_structured,
    to_structured,
)
from events.edge import CaseNews, Stage
from events.envelope import Recorded
from events.outcome import OutcomePublished
from events.private import Sealed
from events.report import ReportRefused, ReportSubmitted
from services.messaging.counter import Counter, Outcome, carried_on, short
from services.messaging.mqtt import AckingClient, NotAllowed, client, content_of, said, session_name
from services.messaging.queues import patiently
from services.messaging.retry import LinkLost, keep
from services.messaging.topology import REPORTS, news_topic, read_report_topic, receipt_topic
from services.runtime.clock import Clock
from services.runtime.errors import Erased
from services.runtime.log import Log
from services.runtime.pulse import Pulse
from services.runtime.threads import in_thread
from services.runtime.vault import Vault

BATCH = 100
HEARS, TELLS = "hujiao-hears", "hujiao-tells"
MOST_NAME = 500
"""In bytes; an event's id has 2,048 characters, and in an answer's our own words stand around the sender's name."""

NEWS: dict[str, Stage] = {
    "case.triage-queued.v1": "triage",
    "case.classified.v1": "registered",
    "case.village-handling-started.v1": "village_handling",
    "case.calls-issued.v1": "calling",
    "case.engaged.v1": "in_progress",
    "case.result-submitted.v1": "in_review",
    "case.rework-ordered.v1": "rework",
    "case.result-sent-back.v1": "rework",
    "case.resolved.v1": "resolved",
    "case.closed.v1": "closed",
    "case.reopened.v1": "rework",
    "outcome.published.v1": "published",
    "report.refused.v1": "refused",
}
"""Which facts are news to whoever reported, and the stage they mean."""

logger = structlog.get_logger()


class Terminals:
    """Takes the reports of terminals at a counter whose clerk knows them."""

    def __init__(self, url: str, counter: Counter, clock: Clock, source: str, pulse: Pulse) -> None:
        self._url, self._counter, self._clock = url, counter, clock
        self._source, self._pulse = source, pulse

    async def run(self) -> None:
        """Serve until cancelled, over every break."""

        async def serve(well: Callable[[], None]) -> None:
            async with client(self._url, session_name(HEARS, self._url), (REPORTS,)) as link:
                well()
                while True:
                    await self._serve(link, await link.take(BATCH))

        await keep("terminals", self._pulse, serve)

    async def _serve(self, link: AckingClient, messages: list[Message]) -> None:
        senders = [_sender(message) for message in messages]
        requests = [(sender, _event(message)) for sender, message in zip(senders, messages, strict=True)]
        outcomes: list[Outcome] = []

        async def serve() -> None:
            outcomes[:] = await self._counter.serve(requests)

        await patiently(serve)
        for sender, message, outcome in zip(senders, messages, outcomes, strict=True):
            await self._answer(link, sender, message, outcome)
            link.acknowledge(message)

    async def _answer(self, link: AckingClient, sender: str, message: Message, outcome: Outcome) -> None:
        if outcome.refused is not None:
            logger.warning("not_taken", user=sender, kind=outcome.refused.kind, reason=str(outcome.refused))
        self._pulse.count(outcome.refused.kind if outcome.refused else "answered")
        if not sender:
            return
        about = outcome.event
        name = short(about.id, MOST_NAME) if about else f"{message.mid}"
        answer = edge_event(
            outcome.reply, f"{sender}/{name}/answer", self._source, self._clock.now(), extensions=carried_on(about)
        )
        await _tell(link, receipt_topic(sender), answer, said(message.properties, "CorrelationData"))


class News:
    """Tells terminals how the cases of their reports go: `tell` is a `Handle` of `services.messaging.subscription`.

    ``is_terminal`` says whether a report's source is a terminal.
    """

    def __init__(
        self, url: str, log: Log, vault: Vault, clock: Clock, source: str, is_terminal: Callable[[str], bool]
    ) -> None:
        self._url, self._log, self._vault, self._clock = url, log, vault, clock
        self._source, self._is_terminal = source, is_terminal
        self._open = AsyncExitStack()
        self._link: AckingClient | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._hang_up()

    async def tell(self, facts: Sequence[Recorded]) -> None:
        """Publish what is news of these facts; returns once the broker has all of it.

        Raises:
            LinkLost: when the link broke: all of it is published again.
        """
        news = await in_thread(lambda: [told for recorded in facts for told in self._news(recorded)])
        if not news:
            return
        if self._link is None:
            self._link = await self._open.enter_async_context(client(self._url, session_name(TELLS, self._url)))
        try:
            for sender, event in news:
                await _tell(self._link, news_topic(sender), event)
        except LinkLost:
            await self._hang_up()
            raise

    async def _hang_up(self) -> None:
        self._link = None
        await self._open.aclose()

    def _news(self, recorded: Recorded) -> Iterator[tuple[str, CloudEvent]]:
        """The terminals that a fact is news to, each with what it is told."""
        fact = recorded.fact
        if isinstance(fact, CaseClosed) and fact.reason == "merged":
            return  # the report goes on with the case that it was joined to
        if isinstance(fact, ReportRefused):
            reports, note = [recorded.stream], self._words(fact.advice)
        else:
            reports = self._reports(fact.case if isinstance(fact, OutcomePublished) else recorded.stream)
            note = self._words(fact.reply) if isinstance(fact, OutcomePublished) else ""
        for report in reports:
            first = self._log.first(report)
            if first is None or not isinstance(first.fact, ReportSubmitted):
                continue
            told = first.fact
            if self._is_terminal(told.source):
                at = recorded.meta.recorded_at
                news = CaseNews(receipt=told.receipt, record=told.record, stage=NEWS[recorded.name], at=at, note=note)
                yield told.source, edge_event(news, f"{recorded.id}/{report}", self._source, at, subject=told.receipt)

    def _reports(self, case: str) -> list[str]:
        facts = (recorded.fact for recorded in self._log.stream(case))
        return [fact.report for fact in facts if isinstance(fact, CaseOpened | CaseReportLinked)]

    def _words(self, words: Sealed) -> str:
        """Words that are meant for whoever reported."""
        try:
            return self._vault.open(words, str, "the reporter", "news of the case", self._clock.now())
        except Erased:
            return ""


async def _tell(link: AckingClient, topic: str, event: CloudEvent, correlation: bytes | None = None) -> None:
    """Publish an event in structured mode, which terminals of both versions of MQTT can read."""
    try:
        await link.send(topic, to_structured(event), content_of(STRUCTURED, correlation))
    except NotAllowed as error:  # the broker's access list is wrong; nobody else may be kept waiting for it
        logger.error("terminal_not_told", topic=topic, error=str(error))  # noqa: TRY400  # no fault of the program


def _sender(message: Message) -> str:
    """The terminal that alone may write to the message's topic; empty if no terminal may."""
    found = read_report_topic(message.topic.value)
    return found[-1] if found else ""


def _event(message: Message) -> CloudEvent | BadEvent:
    """The event of a message: in binary mode when it has an event's attributes beside its body, else structured."""
    body = bytes(message.payload) if isinstance(message.payload, bytes | bytearray) else b""
    content_type, attributes = said(message.properties, "ContentType"), said(message.properties, "UserProperty")
    try:
        if not is_structured(content_type) and is_binary(attributes or (), MQTT):
            return from_headers(attributes, content_type, body, MQTT)
        return from_structured(body)
    except BadEvent as error:
        return error
