"""The clerk who serves departments: what they do about calls and turn-outs, and the residents' words on request.

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
    DONE,
    Acknowledge,
    Act,
    ActDecided,
    Confirm,
    Contacted,
    Decline,
    MusteredIn,
    Note,
    OpenWords,
    ReportedIn,
    Result,
    TurnOutAct,
    WordsOpened,
)
from events.envelope import Request
from events.mobilisation import ConfirmResponders, DeclineResponder, MobilisationOrdered, Muster
from services.command_centre.case import Case, evolve
from services.decisions import Rejected
from services.intake.words import open_case
from services.messaging.counter import Asked, Unwelcome
from services.messaging.topology import LocalDepartment, senders_of
from services.people.roster import rosters_of
from services.platforms import call as calls
from services.platforms.words import may_open
from services.rules.book import RuleBook
from services.runtime.batch import Answer, Submission
from services.runtime.clock import Clock
from services.runtime.log import Log
from services.runtime.tracing import span, trace_of
from services.runtime.vault import Vault

logger = structlog.get_logger()


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
        if event.type not in DONE:
            raise Unwelcome("not_allowed", f"type: expected one of {', '.join(sorted(DONE))}, found {event.type!r}")
        act = edge_of(event, DONE)
        department = local.department.code
        if act.department not in ("", department):
            raise Unwelcome("not_allowed", f"department: expected {department}, who sent it, found {act.department}")
        if isinstance(act, TurnOutAct):
            request = self._about_turn_out(act, local)
        else:
            issued = self._issued(act.call, local)
            if isinstance(act, OpenWords):
                return Asked(None, lambda _: self._open(user, department, act, issued, event.id))
            request = _request(act, department, issued.case)
        with span("take act", trace_of(event), SpanKind.SERVER, sender=user, act=event.type) as trace:
            submission = Submission(f"{user}/{event.id}", request, act.by, trace=trace)
        return Asked(submission, lambda answer: _decided(answer, user, event))

    def _who(self, user: str) -> LocalDepartment:
        local = senders_of(self._rules()).who(user)
        if not isinstance(local, LocalDepartment):
            raise Unwelcome("not_allowed", f"expected a department of the district, found {user!r}")
        return local

    def _issued(self, call: str, local: LocalDepartment) -> CallIssued:
        first = self._log.first(call)
        if first is None or not isinstance(first.fact, CallIssued) or first.fact.town != local.town.code:
            raise Unwelcome("not_allowed", f"call: expected one of {local.town.alias}, found none with id {call}")
        return first.fact

    def _about_turn_out(self, act: TurnOutAct, local: LocalDepartment) -> Request:
        """Bureaus of the district send people to the turn-outs of any town."""
        first, rules = self._log.first(act.mobilisation), self._rules()
        ordered = first.fact if first is not None else None
        if not isinstance(ordered, MobilisationOrdered) or local.town.code not in (ordered.town, rules.district.code):
            found = f"found none with id {act.mobilisation}"
            raise Unwelcome("not_allowed", f"mobilisation: expected one of {local.town.alias}, {found}")
        who: dict[str, Any] = {"mobilisation": act.mobilisation, "rosters": rosters_of(ordered.town, rules)}
        who |= {"department": local.department.code, "by": act.by}
        match act:
            case Confirm():
                return ConfirmResponders(**who, numbers=act.numbers)
            case Decline():
                return DeclineResponder(**who, number=act.number, ground=act.ground)
            case MusteredIn():
                return Muster(**who, numbers=act.numbers)
            case _:
                raise TypeError(f"expected an act about a turn-out, found {type(act).__name__}")

    def _open(self, user: str, department: str, act: OpenWords, issued: CallIssued, event: str) -> Struct:
        state: Any = None
        for recorded in self._log.stream(act.call):
            state = calls.evolve(state, recorded.fact)  # type: ignore[arg-type]  # a call's stream holds its facts
        try:
            self._expect_not_kept_out(issued.case, department)
            may_open(state, department, act.by, self._rules().matter(issued.matter).visibility)
        except Rejected as rejected:
            logger.warning("words_refused", user=user, call=act.call, reason=str(rejected))
            raise
        who, purpose = f"{act.by} ({user})", f"call {act.call}"
        opened = open_case(self._log, self._vault, issued.case, who, purpose, self._clock.now())
        return WordsOpened(call=act.call, case=issued.case, reports=opened, event=event)

    def _expect_not_kept_out(self, stream: str, department: str) -> None:
        case: Case | None = None
        for recorded in self._log.stream(stream):
            case = evolve(case, recorded.fact)  # type: ignore[arg-type]  # a case's stream holds its facts
        if case is not None and case.kept_from(department):
            raise Rejected(f"department: expected one that has a part in the case, found {department}")


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


def _decided(answer: Answer | None, user: str, event: CloudEvent) -> Struct:
    assert answer is not None, "the ledger has answered"
    if answer.status == "rejected":
        logger.warning("act_rejected", user=user, act=event.type, reason=answer.reason)
    return ActDecided(
        status=answer.status, reason=answer.reason, facts=answer.facts, repeated=answer.repeated, event=event.id
    )
