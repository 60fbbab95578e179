"""The clerk who serves departments: what they do about their calls, and the residents' words on request.

A department is known by the exchange that it writes to. It acts for itself, in its own town, and for nobody else.
"""

from collections.abc import Callable
from typing import Any

import structlog
from msgspec import Struct
from opentelemetry.trace import SpanKind

from events.call import (
    AcknowledgeCall,
    CallIssued,
    ContactReporter,
    FileResult,
    NoteProgress,
    ReportIn,
)
from events.carried import edge_of
from events.cloudevents import CloudEvent
from events.edge import (
    ACTS,
    Acknowledge,
    Act,
    ActDecided,
    Contacted,
    Note,
    OpenWords,
    ReportedIn,
    Result,
    WordsOpened,
)
from events.envelope import Request
from services.decisions import Rejected
from services.intake.words import open_case
from services.messaging.counter import Asked, Unwelcome
from services.messaging.topology import LocalDepartment, senders_of
from services.platforms import call as calls
from services.platforms.words import may_open
from services.rules.book import RuleBook
from services.runtime.batch import Answer, Submission
from services.runtime.clock import Clock
from services.runtime.log import Log
from services.runtime.tracing import span, trace_of
from services.runtime.vault import Vault

logger = structlog.get_logger()

ACCEPTED: dict[str, type[Act]] = {**ACTS, "words.open.v1": OpenWords}


class Acts:
    """The clerk of all departments of a district."""

    def __init__(self, log: Log, vault: Vault, clock: Clock, rules: Callable[[], RuleBook]) -> None:
        self._log, self._vault, self._clock, self._rules = log, vault, clock, rules

    def asked(self, user: str, event: CloudEvent) -> Asked:
        """Have the act decided, or the words opened.

        Raises:
            Unwelcome: when the sender is no department, speaks for another, or the call is not of its town.
            BadEvent: when the event holds no act.
        """
        local = self._who(user)
        if event.type not in ACCEPTED:
            raise Unwelcome("not_allowed", f"type: expected one of {', '.join(sorted(ACCEPTED))}, found {event.type!r}")
        act = edge_of(event, ACCEPTED)
        department = local.department.code
        if act.department not in ("", department):
            raise Unwelcome("not_allowed", f"department: expected {department}, who sent it, found {act.department}")
        issued = self._issued(act.call)
        if issued is None or issued.town != local.town.code:
            raise Unwelcome("not_allowed", f"call: expected one of {local.town.alias}, found none with id {act.call}")
        if isinstance(act, OpenWords):
            return Asked(None, lambda _: self._open(user, department, act, issued, event.id))
        with span("take act", trace_of(event), SpanKind.SERVER, sender=user, act=event.type) as trace:
            request = _request(act, department, issued.case)
            submission = Submission(f"{user}/{event.id}", request, act.by, trace=trace)
        return Asked(submission, lambda answer: _decided(answer, user, act.call, event.id))

    def _who(self, user: str) -> LocalDepartment:
        local = senders_of(self._rules()).who(user)
        if not isinstance(local, LocalDepartment):
            raise Unwelcome("not_allowed", f"expected a department of the district, found {user!r}")
        return local

    def _issued(self, call: str) -> CallIssued | None:
        first = self._log.first(call)
        return first.fact if first is not None and isinstance(first.fact, CallIssued) else None

    def _open(self, user: str, department: str, act: OpenWords, issued: CallIssued, event: str) -> Struct:
        state: Any = None
        for recorded in self._log.stream(act.call):
            state = calls.evolve(state, recorded.fact)  # type: ignore[arg-type]  # a call's stream holds its facts
        try:
            may_open(state, department, act.by, self._rules().matter(issued.matter).visibility)
        except Rejected as rejected:
            logger.warning("words_refused", user=user, call=act.call, reason=str(rejected))
            raise
        who, purpose = f"{act.by} ({user})", f"call {act.call}"
        opened = open_case(self._log, self._vault, issued.case, who, purpose, self._clock.now())
        return WordsOpened(call=act.call, case=issued.case, reports=opened, event=event)


def _request(act: Act, department: str, case: str) -> Request:
    who = {"call": act.call, "department": department, "by": act.by}
    match act:
        case Acknowledge():
            return AcknowledgeCall(**who)
        case ReportedIn():
            return ReportIn(**who, people=act.people)
        case Contacted():
            return ContactReporter(**who)
        case Note():
            return NoteProgress(**who, case=case, note=act.note)
        case Result():
            return FileResult(**who, case=case, solved=act.solved, account=act.account, reply=act.reply)
        case _:
            raise TypeError(f"expected an act of a department, found {type(act).__name__}")


def _decided(answer: Answer | None, user: str, call: str, event: str) -> Struct:
    assert answer is not None, "the ledger has answered"
    if answer.status == "rejected":
        logger.warning("act_rejected", user=user, call=call, reason=answer.reason)
    return ActDecided(
        status=answer.status, reason=answer.reason, facts=answer.facts, repeated=answer.repeated, event=event
    )
