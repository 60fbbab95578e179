"""六大工作平台: which facts make a platform act, and which requests it decides."""

from datetime import datetime
from typing import Any, Protocol

from events.call import (
    AcknowledgeCall,
    AlertDepartment,
    AttachProof,
    CallDepartments,
    CallIssued,
    ContactReporter,
    FileResult,
    MissClock,
    MissDelivery,
    NoteDelivery,
    NoteDeliveryFailure,
    NoteProgress,
    RecountDues,
    ReleaseCall,
    ReportIn,
)
from events.case import CallPlan, CaseDepartmentRecused, CaseHandedDown, CaseResultSubmitted
from events.envelope import Recorded, Request
from services.decisions import Append, Handler, Service, Stream, on_one_stream
from services.people.roster import roster_of
from services.platforms import call
from services.rules.book import RuleBook


def call_departments(recorded: Recorded, fact: CallIssued, rules: RuleBook) -> tuple[Request, ...]:
    """A called platform calls its departments."""
    return (CallDepartments(call=recorded.stream, case=fact.case),)


def release_calls(
    recorded: Recorded, fact: CaseResultSubmitted | CaseHandedDown | CaseDepartmentRecused, rules: RuleBook
) -> tuple[Request, ...]:
    """Once a case has its result, is handed down or called for anew, calls that nobody waits for end."""
    return tuple(ReleaseCall(call=released) for released in fact.released)


class Calling(Protocol):
    """What a platform must know of a case: which calls it waits for."""

    @property
    def calls(self) -> tuple[CallPlan, ...]:
        """They."""


def decide_departments(
    states: tuple[Any, ...], request: CallDepartments, now: datetime, rules: RuleBook
) -> tuple[Append, ...]:
    """Call the departments of a call, if the case still waits for it: who was recused meanwhile never hears of it."""
    case: Calling | None = states[1] if request.case else None
    if case is not None and request.call not in {plan.call for plan in case.calls}:
        return ()
    return tuple((request.call, fact) for fact in call.decide(states[0], request, now, rules))


SERVICE = Service(
    name="platforms",
    streams={"call": Stream(call.evolve, call.timers)},
    handlers={
        MissClock: Handler(lambda r: (r.call, roster_of(r.town)) if r.step and r.town else (r.call,), call.miss),
        CallDepartments: Handler(lambda r: (r.call, r.case) if r.case else (r.call,), decide_departments),
        **{
            request: on_one_stream("call", call.decide)
            for request in (
                ReleaseCall,
                RecountDues,
                AcknowledgeCall,
                ReportIn,
                ContactReporter,
                NoteProgress,
                AttachProof,
                FileResult,
                AlertDepartment,
                NoteDelivery,
                NoteDeliveryFailure,
                MissDelivery,
            )
        },
    },
    reactions={
        "call.issued.v1": call_departments,
        "case.result-submitted.v1": release_calls,
        "case.handed-down.v1": release_calls,
        "case.department-recused.v1": release_calls,
    },
)
