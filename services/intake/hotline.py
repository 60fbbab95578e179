"""The channel of hotlines and other systems that publish reports: `report.submit.v1` in, receipt or refusal out."""

from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import Struct, structs
from opentelemetry.trace import SpanKind

from events.cloudevents import CloudEvent
from events.district import Hotline, Terminal
from events.edge import ReportLine, ReportReceived
from events.report import SubmitReport
from services.decisions import Rejected
from services.intake.desk import Desk
from services.intake.line import BadLine, read_event
from services.messaging.counter import Asked, Unwelcome
from services.messaging.topology import Senders, senders_of
from services.rules.book import RuleBook
from services.runtime.batch import Answer, Submission
from services.runtime.clock import Clock
from services.runtime.errors import Erased
from services.runtime.tracing import span, trace_of


class Reports:
    """The clerk who takes reports. A sender's name is the source of what it reports, whatever the report says.

    ``known`` gives the sender of this name under a configuration, or ``None``. A terminal's report is of its own
    channel, and of its own place unless it says another.
    """

    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        rules: Callable[[], RuleBook],
        known: Callable[[Senders, str], Hotline | Terminal | None],
    ) -> None:
        self._desk, self._clock, self._rules, self._known = desk, clock, rules, known

    def asked(self, user: str, event: CloudEvent) -> Asked:
        """Have the report handed in, and answer with its receipt.

        Raises:
            Unwelcome: when the sender is not known or speaks for another, or the report cannot be taken as it is.
        """
        rules = self._rules()
        sender = self._known(senders_of(rules), user)
        if sender is None:
            raise Unwelcome("not_allowed", f"expected a sender that the district knows, found {user!r}")
        try:
            line = read_event(event, partial(_completed, sender))
            if line.source not in (None, user):
                raise Unwelcome("not_allowed", f"source: expected {user}, who sent it, or none, found {line.source}")
            with span("take report", trace_of(event), SpanKind.SERVER, sender=user) as trace:
                submission = self._desk.submission(line, user, rules, self._clock.now(), trace=trace)
        except BadLine as error:
            raise Unwelcome("malformed", str(error)) from error
        except Erased as error:
            raise Unwelcome("rejected", str(error)) from error
        return Asked(submission, lambda answer: _received(submission, answer))


def _completed(sender: Hotline | Terminal, line: ReportLine) -> ReportLine:
    """A terminal's report with what everybody knows about the terminal."""
    if isinstance(sender, Hotline):
        return line
    line = structs.replace(line, channel=sender.channel)
    if line.village is None and line.town is None:
        line = structs.replace(line, town=sender.town, village=sender.village or None)
    return line


def _received(submission: Submission, answer: Answer | None) -> Struct:
    request: Any = submission.request
    assert answer is not None, "the ledger has answered"
    assert isinstance(request, SubmitReport), "the desk makes reports"
    if answer.status == "rejected":
        raise Rejected(answer.reason)
    return ReportReceived(
        record=request.record, receipt=request.receipt, report=request.report, repeated=answer.repeated
    )
