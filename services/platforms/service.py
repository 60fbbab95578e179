"""六大工作平台: which facts make a platform act, and which requests it decides."""

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
from events.case import CaseDepartmentRecused, CaseHandedDown, CaseResultSubmitted
from events.envelope import Recorded, Request
from services.decisions import Handler, Service, Stream, on_one_stream
from services.people.roster import roster_of
from services.platforms import call
from services.rules.book import RuleBook


def call_departments(recorded: Recorded, fact: CallIssued, rules: RuleBook) -> tuple[Request, ...]:
    """A called platform calls its departments."""
    return (CallDepartments(call=recorded.stream),)


def release_calls(
    recorded: Recorded, fact: CaseResultSubmitted | CaseHandedDown | CaseDepartmentRecused, rules: RuleBook
) -> tuple[Request, ...]:
    """Once a case has its result, is handed down or called for anew, calls that nobody waits for end."""
    return tuple(ReleaseCall(call=released) for released in fact.released)


SERVICE = Service(
    name="platforms",
    streams={"call": Stream(call.evolve, call.timers)},
    handlers={
        MissClock: Handler(lambda r: (r.call, roster_of(r.town)) if r.step and r.town else (r.call,), call.miss),
        **{
            request: on_one_stream("call", call.decide)
            for request in (
                CallDepartments,
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
