"""A service's reactions away from the log's own engine: what it wants after each fact is decided and remembered.

Its place in a queue and the facts it causes do not change in one transaction, so the inbox keeps every answer: the
same fact heard again wants the same again, and nothing happens twice.
"""

import asyncio
from collections.abc import Iterator, Sequence

import structlog
from opentelemetry.trace import SpanKind

from events.envelope import Recorded, Request
from services.decisions import Later, Service
from services.runtime.batch import Batch, Submission
from services.runtime.ledger import Ledger
from services.runtime.threads import in_thread
from services.runtime.tracing import followed

logger = structlog.get_logger()


class Reactor:
    """Decides what one service wants, through a ledger of its own. A `Handle` of `services.messaging.subscription`."""

    def __init__(self, ledger: Ledger, service: Service) -> None:
        self._ledger, self._service = ledger, service
        self._one_at_a_time = asyncio.Lock()

    async def handle(self, facts: Sequence[Recorded]) -> None:
        """Decide all that these facts make the service want, in one transaction."""
        async with self._one_at_a_time:
            await in_thread(self._react, facts)

    def _react(self, facts: Sequence[Recorded]) -> None:
        with self._ledger.batch() as batch:
            wanted = [submission for recorded in facts for submission in self._wanted(batch, recorded)]
            batch.expect(wanted)
            for submission in wanted:
                answer = batch.decide(submission)
                if answer.status == "rejected":
                    logger.info("reaction_rejected", source_id=submission.source_id, reason=answer.reason)

    def _wanted(self, batch: Batch, recorded: Recorded) -> list[Submission]:
        reaction = self._service.reactions.get(recorded.name)
        if reaction is None:
            return []
        name, meta = self._service.name, recorded.meta
        with followed(f"react to {recorded.name}", meta.trace, SpanKind.CONSUMER, service=name) as trace:
            wanted = reaction(recorded, recorded.fact, batch.rules)
        return [
            Submission(f"reaction:{name}:{recorded.id}:{n}", request, name, correlation=meta.correlation, trace=trace)
            for n, request in enumerate(_at_once(wanted))
        ]


def _at_once(wanted: tuple[Request | Later, ...]) -> Iterator[Request]:
    for request in wanted:
        if isinstance(request, Later):
            raise TypeError(f"expected a request to be decided at once, found one for {request.due}")
        yield request
