"""乡镇呼叫、部门报到: one platform's summons, with a part ("leg") and clocks of its own for each department."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct, structs

from events.case import Due, LegPlan, Level, Role
from events.district import Clock, HandlingClass
from events.envelope import Fact, Request
from events.file import FileSize, MediaType
from events.patterns import END
from events.private import Sealed, Words
from events.report import Person

Solved = Literal["yes", "partly", "no"]
DeliveryFailure = Literal["refused", "dead_letter", "unknown_channel"]
"""Why an alert will not arrive on a channel: the receiver will never take it, it was tried as often as it may be, or
no such channel is configured any more."""

ChannelName = Annotated[str, Meta(pattern=rf"^[a-z][a-z0-9-]{{0,39}}{END}")]
"""The name of a way to reach departments, as the operator calls it; never an address."""

People = Annotated[int, Meta(ge=1, le=5000)]


class Leg(Struct, frozen=True, omit_defaults=True):
    """分办单: one department's part. A clock that does not run for it is ``None``."""

    department: str
    role: Role
    required: bool
    acknowledge: Due
    result: Due
    arrive: Due | None = None
    contact: Due | None = None

    def due(self, clock: Clock) -> Due | None:
        """The due time of one of the four clocks."""
        match clock:
            case "acknowledge":
                return self.acknowledge
            case "arrive":
                return self.arrive
            case "contact":
                return self.contact
            case "result":
                return self.result

    def extended(self, clock: Clock, due: Due) -> "Leg":
        """The part with another due time for one of its clocks."""
        match clock:
            case "acknowledge":
                return structs.replace(self, acknowledge=due)
            case "arrive":
                return structs.replace(self, arrive=due)
            case "contact":
                return structs.replace(self, contact=due)
            case "result":
                return structs.replace(self, result=due)


class CallFact(Fact, frozen=True, kw_only=True):
    """What every fact of a call says: for which case, in which town, on which platform."""

    case: str
    town: str
    platform: str


class CallIssued(CallFact, frozen=True, kw_only=True):
    """已呼叫: a platform is called for a case; at the district's level ``town`` is the district's own code.

    ``acknowledge`` and ``arrive`` are limits of the launch list, which hold instead of the handling class's.
    """

    attempt: int
    level: Level
    village: str
    matter: str
    handling_class: HandlingClass
    legs: tuple[LegPlan, ...]
    result: Due
    contactable: bool = True
    acknowledge: str = ""
    arrive: str = ""


class DepartmentsCalled(CallFact, frozen=True, kw_only=True):
    """The platform has called its departments; each one's clocks run from ``called_at`` (UTC)."""

    handling_class: HandlingClass
    called_at: datetime
    legs: tuple[Leg, ...]


class CallAcknowledged(CallFact, frozen=True, kw_only=True):
    """已签收: a department has the call in hand, a named person. A late one is accepted and marked."""

    attempt: int
    department: str
    by: str
    late: bool = False


class DepartmentReportedIn(CallFact, frozen=True, kw_only=True):
    """已报到: people of the department are on the spot."""

    department: str
    by: str
    people: int
    late: bool = False


class ReporterContacted(CallFact, frozen=True, kw_only=True):
    """首联: the lead has spoken with the reporter."""

    department: str
    by: str
    late: bool = False


class CallNoted(CallFact, frozen=True, kw_only=True):
    """办理中: a note on progress."""

    department: str
    by: str
    note: Sealed


class ProofAttached(CallFact, frozen=True, kw_only=True):
    """办结证明: a department shows what it did; ``size`` is in bytes, as stored."""

    department: str
    by: str
    file: str
    media_type: str
    size: int


class CallResultFiled(CallFact, frozen=True, kw_only=True):
    """已反馈: a department's internal account, and the public reply that the lead proposes."""

    department: str
    by: str
    solved: Solved
    account: Sealed
    reply: Sealed | None = None
    late: bool = False


class CallClockMissed(CallFact, frozen=True, kw_only=True):
    """逾期: a department let a clock run out. Whatever it does later is accepted and marked late.

    ``escalations`` are the times (UTC) at which somebody higher is told, step by step.
    """

    department: str
    clock: Clock
    due: datetime
    escalations: tuple[datetime, ...] = ()


class CallDueExtended(CallFact, frozen=True, kw_only=True):
    """期限顺延: by the calendar now in force a department has longer than it was told; never shorter.

    The same rule counted anew from the same moment gives ``due`` instead of ``was``.
    """

    department: str
    clock: Clock
    was: Due
    due: Due


class CallEscalated(CallFact, frozen=True, kw_only=True):
    """催办升级: somebody higher is told of a missed clock. ``person`` is empty when nobody is on duty."""

    department: str
    clock: Clock
    step: int
    post: str
    person: str


class CallCompleted(CallFact, frozen=True, kw_only=True):
    """已完成: all required parts are filed; departments that only assisted are ``released``."""

    attempt: int
    handlers: tuple[str, ...]
    solved: Solved
    released: tuple[str, ...] = ()
    reply: Sealed | None = None


class CallReleased(CallFact, frozen=True, kw_only=True):
    """已解除: the case has its result; ``departments`` that only assisted need not go on."""

    departments: tuple[str, ...]


class CallAlerted(CallFact, frozen=True, kw_only=True):
    """已提醒: an alert for this department set out on a channel, the ``nth`` that is tried.

    ``then`` are the channels left, in order. Where an alert must arrive in time it has until ``deliver_by`` (UTC).
    """

    department: str
    channel: str
    nth: int
    then: tuple[str, ...] = ()
    deliver_by: datetime | None = None


class CallDelivered(CallFact, frozen=True, kw_only=True):
    """已送达: a channel took the alert for this department. It does not say that anybody has read it."""

    department: str
    channel: str


class CallDeliveryFailed(CallFact, frozen=True, kw_only=True):
    """未送达: the alert did not arrive on this channel; what did not arrive in time may still arrive."""

    department: str
    channel: str
    reason: DeliveryFailure | Literal["not_in_time"]


class CallDepartments(Request, frozen=True, kw_only=True, tag="call.call-departments.v1"):
    """The platform's consumer calls its departments, unless ``case`` waits for this call no more.

    Due times come from the rules in force. Requests of before lack the case.
    """

    call: str
    case: str = ""


class ReleaseCall(Request, frozen=True, kw_only=True, tag="call.release.v1"):
    """The case has its result; whoever is still called without being required may stop."""

    call: str


class AcknowledgeCall(Request, frozen=True, kw_only=True, tag="call.acknowledge.v1"):
    """A department's duty officer takes the call in hand (签收)."""

    call: str
    department: str
    by: Person


class ReportIn(Request, frozen=True, kw_only=True, tag="call.report-in.v1"):
    """A department is on the spot with so many people (报到)."""

    call: str
    department: str
    by: Person
    people: People


class ContactReporter(Request, frozen=True, kw_only=True, tag="call.contact-reporter.v1"):
    """The lead has spoken with the reporter (首联)."""

    call: str
    department: str
    by: Person


class NoteProgress(Request, frozen=True, kw_only=True, tag="call.note.v1"):
    """A note on how it goes; only for those who handle the case."""

    PRIVATE: ClassVar[dict[str, str]] = {"note": "case"}

    call: str
    case: str
    department: str
    by: Person
    note: Words


class AttachProof(Request, frozen=True, kw_only=True, tag="call.attach-proof.v1"):
    """A department's proof of what it did (办结证明). The bytes come beside the request, already cleaned."""

    DERIVED: ClassVar[dict[str, Any]] = {"file": ""}
    FILE: ClassVar[str] = "case"

    call: str
    case: str
    department: str
    by: Person
    media_type: MediaType
    size: FileSize
    file: str = ""


class FileResult(Request, frozen=True, kw_only=True, tag="call.file-result.v1"):
    """A department's result: an internal account; from the lead also the public reply it proposes."""

    PRIVATE: ClassVar[dict[str, str]] = {"account": "case", "reply": "case"}
    PUBLIC: ClassVar[tuple[str, ...]] = ("reply",)

    call: str
    case: str
    department: str
    by: Person
    solved: Solved
    account: Words
    reply: Words | None = None


class MissClock(Request, frozen=True, kw_only=True, tag="call.miss-clock.v1"):
    """A timer's request at a clock's due time, and at each step of the ladder after it."""

    call: str
    department: str
    clock: Clock
    step: int = 0
    town: str = ""


class RecountDues(Request, frozen=True, kw_only=True, tag="call.recount-dues.v1"):
    """Count every running clock of a call anew; sent when another working calendar is in force."""

    call: str


class AlertDepartment(Request, frozen=True, kw_only=True, tag="call.alert.v1"):
    """Alert a department of its part: on the first of these channels, and on each next one when one fails."""

    call: str
    department: str
    channels: Annotated[tuple[ChannelName, ...], Meta(min_length=1)]


class NoteDelivery(Request, frozen=True, kw_only=True, tag="call.note-delivery.v1"):
    """A channel took the alert."""

    call: str
    department: str
    channel: ChannelName


class NoteDeliveryFailure(Request, frozen=True, kw_only=True, tag="call.note-delivery-failure.v1"):
    """The alert will not arrive on this channel."""

    call: str
    department: str
    channel: ChannelName
    reason: DeliveryFailure


class MissDelivery(Request, frozen=True, kw_only=True, tag="call.miss-delivery.v1"):
    """A timer's request when an alert should have arrived on this channel."""

    call: str
    department: str
    channel: ChannelName
