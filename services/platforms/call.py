"""The call stream: what a platform does with a call, and each department with its part (分办单).

Each part has clocks of its own. No department's acknowledgement silences another's, and a late act is
accepted and marked late rather than refused. How departments are alerted is decided in `services.platforms.delivery`.
"""

from datetime import datetime
from typing import Literal, assert_never

from msgspec import Struct, structs

from events.call import (
    AcknowledgeCall,
    AlertDepartment,
    AttachProof,
    CallAcknowledged,
    CallAlerted,
    CallClockMissed,
    CallCompleted,
    CallDelivered,
    CallDeliveryFailed,
    CallDepartments,
    CallDueExtended,
    CallEscalated,
    CallIssued,
    CallNoted,
    CallReleased,
    CallResultFiled,
    ContactReporter,
    DepartmentReportedIn,
    DepartmentsCalled,
    FileResult,
    Leg,
    MissClock,
    MissDelivery,
    NoteDelivery,
    NoteDeliveryFailure,
    NoteProgress,
    ProofAttached,
    RecountDues,
    ReleaseCall,
    ReporterContacted,
    ReportIn,
)
from events.district import Clock
from events.envelope import Fact
from events.file import MAX_FILES
from events.private import Sealed, sealed
from services.decisions import Append, ClearTimer, Rejected, SetTimer
from services.people.roster import Roster, answers
from services.platforms import delivery
from services.platforms.delivery import Alerting
from services.rules.book import RuleBook

Facts = (
    CallIssued
    | DepartmentsCalled
    | CallAcknowledged
    | DepartmentReportedIn
    | ReporterContacted
    | CallNoted
    | ProofAttached
    | CallResultFiled
    | CallClockMissed
    | CallDueExtended
    | CallEscalated
    | CallCompleted
    | CallReleased
    | delivery.Facts
)

Acts = AcknowledgeCall | ReportIn | ContactReporter | NoteProgress | AttachProof | FileResult
Requests = CallDepartments | ReleaseCall | RecountDues | delivery.Requests | Acts

CLOCKS: tuple[Clock, ...] = ("acknowledge", "arrive", "contact", "result")

Progress = Literal["called", "acknowledged", "reported_in", "filed", "released"]
"""已呼叫、已签收、已报到、已反馈、已解除."""


class Part(Struct, frozen=True):
    """One department's part as it stands. ``missed`` are clocks that ran out, ``met`` those that were met.

    ``told`` is, by clock, the last step of the ladder that was taken. ``handler`` is the person who acknowledged, empty
    before. ``proofs`` are the files that show what it did, ``alerting`` is how it was alerted, where anybody is.
    """

    leg: Leg
    progress: Progress = "called"
    met: frozenset[Clock] = frozenset()
    missed: frozenset[Clock] = frozenset()
    told: dict[Clock, int] = {}
    handler: str = ""
    proofs: tuple[str, ...] = ()
    alerting: Alerting = Alerting()

    @property
    def open(self) -> bool:
        """Whether the department still owes something."""
        return self.progress not in ("filed", "released")

    def runs(self, clock: Clock) -> bool:
        """Whether the department still owes what this clock measures."""
        return self.open and clock not in self.met and self.leg.due(clock) is not None


class Call(Struct, frozen=True):
    """What a platform needs to know of a call to decide about it."""

    issued: CallIssued
    parts: dict[str, Part] = {}
    called_at: datetime | None = None
    handlers: tuple[str, ...] = ()
    solved: Literal["yes", "partly", "no"] = "yes"
    reply: Sealed | None = None
    over: bool = False


def evolve(state: Call | None, fact: Facts) -> Call:
    """Fold one fact of a call stream."""
    if isinstance(fact, CallIssued):
        return Call(fact)
    assert state is not None, "a call stream begins with its issue"
    match fact:
        case DepartmentsCalled():
            return structs.replace(
                state, called_at=fact.called_at, parts={leg.department: Part(leg) for leg in fact.legs}
            )
        case CallAcknowledged():
            taken = _with(state, fact.department, "acknowledged", "acknowledge")
            return _put(taken, structs.replace(taken.parts[fact.department], handler=fact.by))
        case DepartmentReportedIn():
            return _with(state, fact.department, "reported_in", "arrive")
        case ReporterContacted():
            return _with(state, fact.department, None, "contact")
        case CallNoted():
            return state
        case CallEscalated():
            part = state.parts[fact.department]
            return _put(state, structs.replace(part, told={**part.told, fact.clock: fact.step}))
        case ProofAttached():
            part = state.parts[fact.department]
            return _put(state, structs.replace(part, proofs=(*part.proofs, fact.file)))
        case CallResultFiled():
            filed = _with(state, fact.department, "filed", "result")
            handlers = state.handlers if fact.by in state.handlers else (*state.handlers, fact.by)
            if state.parts[fact.department].leg.role != "lead":
                return structs.replace(filed, handlers=handlers)
            return structs.replace(filed, handlers=handlers, solved=fact.solved, reply=fact.reply)
        case CallClockMissed():
            part = state.parts[fact.department]
            return _put(state, structs.replace(part, missed=part.missed | {fact.clock}))
        case CallDueExtended():
            part = state.parts[fact.department]
            return _put(state, structs.replace(part, leg=part.leg.extended(fact.clock, fact.due)))
        case CallCompleted():
            return structs.replace(_release(state, fact.released), over=True)
        case CallReleased():
            return structs.replace(_release(state, fact.departments), over=True)
        case CallAlerted() | CallDelivered() | CallDeliveryFailed():
            part = state.parts[fact.department]
            return _put(state, structs.replace(part, alerting=delivery.evolve(part.alerting, fact)))
        case _:
            assert_never(fact)


def decide(state: Call | None, request: Requests, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    """Everything that happens to a call after its issue."""
    if state is None:
        raise Rejected("expected an issued call, found none with this id")
    match request:
        case CallDepartments():
            return _call_departments(state, now, rules)
        case ReleaseCall():
            waiting = tuple(sorted(code for code, part in state.parts.items() if part.open))
            return () if state.over else (CallReleased(**_about(state), departments=waiting),)
        case RecountDues():
            running = ((part, clock) for part in state.parts.values() for clock in CLOCKS)
            return tuple(fact for part, clock in running for fact in _extend(state, part, clock, rules))
        case AlertDepartment() | NoteDelivery() | NoteDeliveryFailure() | MissDelivery():
            part = _called(state, request.department)
            urgent = state.issued.handling_class in delivery.IN_TIME
            return delivery.decide(part.alerting, request, now, _about(state), part.progress == "called", urgent)
        case AcknowledgeCall() | ReportIn() | ContactReporter() | NoteProgress() | AttachProof() | FileResult():
            return _act(state, request, now, rules)
        case _:
            assert_never(request)


def timers(stream: str, fact: Facts) -> tuple[SetTimer | ClearTimer, ...]:
    """Every clock of every department is a timer; meeting it clears the timer and the steps after it."""
    match fact:
        case DepartmentsCalled():
            return tuple(
                SetTimer(
                    f"{leg.department}.{clock}",
                    due.by,
                    MissClock(call=stream, department=leg.department, clock=clock),
                )
                for leg in fact.legs
                for clock in CLOCKS
                if (due := leg.due(clock)) is not None
            )
        case CallClockMissed():
            return tuple(
                SetTimer(
                    f"{fact.department}.{fact.clock}.{step}",
                    at,
                    MissClock(call=stream, department=fact.department, clock=fact.clock, step=step, town=fact.town),
                )
                for step, at in enumerate(fact.escalations, start=1)
            )
        case CallDueExtended():
            missed = MissClock(call=stream, department=fact.department, clock=fact.clock)
            return (SetTimer(f"{fact.department}.{fact.clock}", fact.due.by, missed),)
        case CallAcknowledged():
            return (ClearTimer(f"{fact.department}.acknowledge"),)
        case DepartmentReportedIn():
            return (ClearTimer(f"{fact.department}.arrive"),)
        case ReporterContacted():
            return (ClearTimer(f"{fact.department}.contact"),)
        case CallResultFiled():
            return (ClearTimer(fact.department),)
        case CallCompleted():
            return tuple(ClearTimer(department) for department in fact.released)
        case CallReleased():
            return tuple(ClearTimer(department) for department in fact.departments)
        case CallAlerted() | CallDelivered() | CallDeliveryFailed():
            return delivery.timers(stream, fact)
        case _:
            return ()


def _call_departments(state: Call, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    if state.parts or state.over:
        return ()
    issued = state.issued
    legs = rules.legs(
        issued.legs,
        rules.matter(issued.matter),
        issued.handling_class,
        issued.result,
        now,
        issued.contactable,
        at_district=issued.level == "district",
        listed=(issued.acknowledge, issued.arrive),
    )
    called = DepartmentsCalled(
        **_about(state),
        handling_class=issued.handling_class,
        called_at=now,
        legs=legs,
    )
    return (called,)


def _act(state: Call, request: Acts, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    part = _called(state, request.department)
    about = _about(state)
    match request:
        case AcknowledgeCall():
            if "acknowledge" in part.met:
                return ()
            _still_open(part)
            late = _late(part, "acknowledge", now)
            attempt = state.issued.attempt
            return (
                CallAcknowledged(**about, attempt=attempt, department=request.department, by=request.by, late=late),
            )
        case AttachProof() if request.file in part.proofs:
            return ()
        case FileResult() if part.progress == "filed":
            raise Rejected(f"expected a part without a result, found one that {request.department} has filed")
        case _:
            _still_open(part)
    if "acknowledge" not in part.met:
        raise Rejected(f"expected {request.department} to acknowledge first, found its part only called")
    match request:
        case ReportIn():
            if part.leg.arrive is None:
                raise Rejected(
                    f"expected a department called to the spot, found {request.department} called to its desk"
                )
            if "arrive" in part.met:
                return ()
            late = _late(part, "arrive", now)
            return (
                DepartmentReportedIn(
                    **about, department=request.department, by=request.by, people=request.people, late=late
                ),
            )
        case ContactReporter():
            if part.leg.contact is None:
                raise Rejected(f"expected the lead of a case whose reporter can be reached, found {request.department}")
            if "contact" in part.met:
                return ()
            late = _late(part, "contact", now)
            return (ReporterContacted(**about, department=request.department, by=request.by, late=late),)
        case NoteProgress():
            return (CallNoted(**about, department=request.department, by=request.by, note=sealed(request.note)),)
        case AttachProof():
            return _attach(state, part, request)
        case FileResult():
            return _file(state, part, request, now, rules)
        case _:
            assert_never(request)


def _attach(state: Call, part: Part, request: AttachProof) -> tuple[Fact, ...]:
    if len(part.proofs) >= MAX_FILES:
        raise Rejected(f"files: expected at most {MAX_FILES} of one department, found {len(part.proofs)} already")
    attached = ProofAttached(
        **_about(state),
        department=request.department,
        by=request.by,
        file=request.file,
        media_type=request.media_type,
        size=request.size,
    )
    return (attached,)


def _file(state: Call, part: Part, request: FileResult, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    if part.leg.arrive is not None and "arrive" not in part.met:
        raise Rejected(f"expected {request.department} to report in on the spot first, found it only acknowledged")
    if part.leg.role == "lead" and request.reply is None:
        raise Rejected("reply: expected the lead's public reply, found none")
    demanded = part.leg.role == "lead" and rules.matter(state.issued.matter).closing_proof
    if demanded and request.solved == "yes" and not part.proofs:
        raise Rejected("proof: expected a file of the lead's that shows the matter solved, found none attached")
    filed = CallResultFiled(
        **_about(state),
        department=request.department,
        by=request.by,
        solved=request.solved,
        account=sealed(request.account),
        reply=sealed(request.reply) if request.reply is not None and part.leg.role == "lead" else None,
        late=_late(part, "result", now),
    )
    after = evolve(state, filed)
    waited_for = [other for other in after.parts.values() if other.leg.required] or list(after.parts.values())
    if any(other.open for other in waited_for):
        return (filed,)
    completed = CallCompleted(
        **_about(state),
        attempt=state.issued.attempt,
        handlers=after.handlers,
        solved=after.solved,
        released=tuple(sorted(code for code, other in after.parts.items() if other.open)),
        reply=after.reply,
    )
    return filed, completed


def miss(
    states: tuple[Call | None, *tuple[Roster | None, ...]], request: MissClock, now: datetime, rules: RuleBook
) -> tuple[Append, ...]:
    """What follows when a clock has run out, and at each step of the ladder after it.

    A clock that has more time by the calendar in force than it was told is extended instead. The town's roster says who
    is told; a step at which nobody answers is recorded and the next one taken at once.
    """
    state, *rosters = states
    if state is None:
        raise Rejected("expected an issued call, found none with this id")
    part = state.parts.get(request.department)
    if part is None or not part.runs(request.clock) or state.called_at is None:
        return ()
    if request.step:
        escalated = _escalate(state, part, request, rosters[0] if rosters else None, now, rules)
        return tuple((request.call, fact) for fact in escalated)
    if request.clock in part.missed:
        return ()
    if extended := _extend(state, part, request.clock, rules):
        return tuple((request.call, fact) for fact in extended)
    due = part.leg.due(request.clock)
    assert due is not None, "a clock that runs has a due time"
    if now < due.by:  # it was extended in the instant in which its timer fired, and has another
        return ()
    missed = CallClockMissed(
        **_about(state),
        department=request.department,
        clock=request.clock,
        due=due.by,
        escalations=rules.escalations(state.called_at, due),
    )
    return ((request.call, missed),)


def _extend(state: Call, part: Part, clock: Clock, rules: RuleBook) -> tuple[CallDueExtended, ...]:
    """What a changed calendar makes of a clock that runs and was not missed."""
    was = part.leg.due(clock)
    if was is None or not part.runs(clock) or clock in part.missed or state.called_at is None:
        return ()
    due = rules.recounted(state.called_at, was)
    extended = CallDueExtended(**_about(state), department=part.leg.department, clock=clock, was=was, due=due)
    return () if due == was else (extended,)


def _escalate(
    state: Call, part: Part, request: MissClock, roster: Roster | None, now: datetime, rules: RuleBook
) -> tuple[CallEscalated, ...]:
    """The step, and those after it as long as nobody answers; nothing when it was taken with an empty one before."""
    about, taken = _about(state), part.told.get(request.clock, 0)
    escalated: list[CallEscalated] = []
    for step, rung in enumerate(rules.district.ladder, start=1):
        if step < request.step or step <= taken:
            continue
        person = answers(roster, rung.post, about["town"], about["platform"], now, rules)
        escalated.append(
            CallEscalated(
                **about,
                department=request.department,
                clock=request.clock,
                step=step,
                post=rung.post,
                person=person,
            )
        )
        if person:
            break
    return tuple(escalated) if request.step > taken else ()


def _about(state: Call) -> dict[str, str]:
    return {"case": state.issued.case, "town": state.issued.town, "platform": state.issued.platform}


def _called(state: Call, department: str) -> Part:
    part = state.parts.get(department)
    if part is None:
        called = ", ".join(sorted(state.parts)) or "none yet"
        raise Rejected(f"department: expected one that is called ({called}), found {department}")
    return part


def _still_open(part: Part) -> None:
    if not part.open:
        raise Rejected(f"expected a part that is open, found it {part.progress}")


def _late(part: Part, clock: Clock, now: datetime) -> bool:
    due = part.leg.due(clock)
    return due is not None and now > due.by


def _with(state: Call, department: str, progress: Progress | None, met: Clock) -> Call:
    part = state.parts[department]
    return _put(state, structs.replace(part, progress=progress or part.progress, met=part.met | {met}))


def _put(state: Call, part: Part) -> Call:
    return structs.replace(state, parts={**state.parts, part.leg.department: part})


def _release(state: Call, departments: tuple[str, ...]) -> Call:
    for code in departments:
        state = _put(state, structs.replace(state.parts[code], progress="released"))
    return state
