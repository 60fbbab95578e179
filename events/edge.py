"""What passes our doors and is neither fact nor request: the data of the events that others send us or get from us.

Every message has an explicit wire name in `EDGE`, which is the ``type`` of the CloudEvent that carries it. What comes
in is strict about its fields; what goes out may gain fields, so read over those that you do not know. All times carry
an offset; those that we write are UTC. Codes of towns, villages, platforms, departments and matters are the district
configuration's. Streams (``call``, ``case``, ``report``) are 32 hexadecimal digits.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from events.call import People, Solved
from events.case import Due, Level, Role
from events.district import HandlingClass
from events.mobilisation import Declined, Numbers
from events.patterns import END
from events.person import StaffNumber
from events.report import (
    MAX_ATTACHMENTS,
    Appeal,
    AttachmentNote,
    Channel,
    ComplainedOf,
    Contact,
    Line,
    Person,
    Point,
    Text,
)

SOURCE_PATTERN = rf"^[a-z0-9][a-z0-9._-]{{0,39}}{END}"
Source = Annotated[str, Meta(pattern=SOURCE_PATTERN)]
Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=rf"^[^\x00-\x1f\x7f]+{END}")]
Code = Annotated[str, Meta(max_length=20)]
StreamId = Annotated[str, Meta(pattern=rf"^[0-9a-f]{{32}}{END}")]

NotTaken = Literal["malformed", "not_allowed", "rejected", "conflict", "try_again"]
"""Why nothing was taken: it cannot be read; its sender may not; not as things stand; the same id came before with
other content; or, alone of the five, for no fault of the sender's: send it again later, unchanged."""

Stage = Literal[
    "triage",
    "registered",
    "village_handling",
    "calling",
    "in_progress",
    "in_review",
    "rework",
    "resolved",
    "closed",
    "published",
    "refused",
]
"""待分类、已登记、村级办理、呼叫中、办理中、待审核、重办、办结待回访、已结案、结果已公开、不予受理."""


class Attachment(Struct, frozen=True):
    """A file that comes with a report: its bytes in ``data`` (base64), or beside a file of lines at ``path``."""

    name: Name
    media_type: Annotated[str, Meta(pattern=rf"^[\w.+-]+/[\w.+-]+{END}", max_length=100)]
    sha256: Annotated[str, Meta(pattern=rf"^[0-9a-f]{{64}}{END}")]
    path: str = ""
    data: bytes = b""


class ReportLine(Struct, frozen=True, kw_only=True):
    """One report as its sender writes it. Fields beyond these are counted and left out, never refused.

    ``id`` is the sender's own record number; with its source it is the report's identity for ever. ``time`` is
    ISO 8601 with an offset: when the resident reported. ``complained_of`` are the departments that it is about
    (被举报部门): then a person decides what becomes of it before any department is called.
    """

    id: Name
    time: datetime
    title: Text
    text: Text
    source: Source | None = None
    reporter: Annotated[str, Meta(max_length=200)] | None = None
    channel: Channel = "app"
    town: Code | None = None
    village: Code | None = None
    place: Line | None = None
    point: Point | None = None
    appeal: Appeal | None = None
    matter: Code | None = None
    anonymous: bool = False
    complained_of: ComplainedOf = ()
    contact: Contact | None = None
    attachments: Annotated[tuple[Attachment, ...], Meta(max_length=MAX_ATTACHMENTS)] = ()


class ReportReceived(Struct, frozen=True, kw_only=True):
    """已接收: the answer to ``report.submit.v1``, sent once the report is committed.

    ``record`` is the sender's own number, ``receipt`` (回执) what the resident is told. ``repeated`` when the same
    report was known already: the receipt is the first one's.
    """

    record: str
    receipt: str
    report: str
    repeated: bool = False


class RequestNotTaken(Struct, frozen=True, kw_only=True):
    """未受理的报文: nothing of what was sent was taken, and why.

    ``reason`` names the field, what was expected and what was found. ``event`` is the id of the event that is
    answered, empty when none could be read.
    """

    kind: NotTaken
    reason: str
    event: str = ""


class ActDecided(Struct, frozen=True, kw_only=True):
    """The answer to a department's act, sent once it is committed.

    ``facts`` says how many facts it made: 0 when all of it had been done before. ``repeated`` when the same event
    was decided before: the answer is the first one's. ``reason`` says why a rejected one is not allowed as things
    stand. ``event`` is the id of the event that is answered.
    """

    status: Literal["accepted", "rejected"]
    reason: str = ""
    facts: int = 0
    repeated: bool = False
    event: str = ""


class LegCalled(Struct, frozen=True, kw_only=True):
    """部门被呼叫: a department's own part of a call (分办单), sent to that department.

    ``matter_zh`` is the matter's name, ``handling_class`` the 办理类别, ``attempt`` counts calling again from 1. The
    clocks run from ``called_at`` (UTC): ``acknowledge`` 签收, ``arrive`` 报到, ``contact`` 首联, ``result`` 反馈; one
    that does not run for this department is null. ``link`` leads to the case in the window, empty without one.
    """

    call: str
    case: str
    town: str
    village: str
    platform: str
    department: str
    role: Role
    required: bool
    matter: str
    matter_zh: str
    handling_class: HandlingClass
    level: Level
    attempt: int
    called_at: datetime
    acknowledge: Due
    result: Due
    arrive: Due | None = None
    contact: Due | None = None
    link: str = ""


class TurnOutCalled(Struct, frozen=True, kw_only=True):
    """联合出动点名: whom of its own people a department is to send, by staff number (``numbers``), sent to it alone.

    ``min_people`` are wanted on the spot from all together. They are to be there by ``muster``; ``called_at`` is UTC,
    ``link`` leads to the case in the window, empty without one.
    """

    mobilisation: str
    case: str
    town: str
    village: str
    platform: str
    department: str
    matter: str
    matter_zh: str
    numbers: tuple[str, ...]
    min_people: int
    called_at: datetime
    muster: Due
    link: str = ""


class TurnOutReleased(Struct, frozen=True, kw_only=True):
    """收队: these of a department's people may go, as the turn-out is over or the department recused from the case."""

    mobilisation: str
    case: str
    town: str
    department: str
    numbers: tuple[str, ...]
    why: Literal["stood_down", "recused"]


class Act(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a department does about a call that it got.

    ``by`` is the person who acts. Which department acts is proven by the exchange it writes to; ``department`` need
    not be said, and is only checked.
    """

    call: StreamId
    by: Person
    department: Code = ""


class Acknowledge(Act, frozen=True, kw_only=True):
    """签收: the duty officer takes the call in hand."""


class ReportedIn(Act, frozen=True, kw_only=True):
    """报到: so many people of the department are on the spot."""

    people: People


class Contacted(Act, frozen=True, kw_only=True):
    """首联: the lead has spoken with the reporter."""


class Note(Act, frozen=True, kw_only=True):
    """办理中: a note on progress, only for those who handle the case."""

    note: Text


class Result(Act, frozen=True, kw_only=True):
    """反馈: an internal ``account``; from the lead also the public ``reply`` that it proposes."""

    solved: Solved
    account: Text
    reply: Text | None = None


class TurnOutAct(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a department does about a turn-out to which its people are called. ``by`` and ``department`` as of `Act`."""

    mobilisation: StreamId
    by: Person
    department: Code = ""


class Confirm(TurnOutAct, frozen=True, kw_only=True):
    """应召: these of its people are on their way."""

    numbers: Numbers


class Decline(TurnOutAct, frozen=True, kw_only=True):
    """不能到: one of its people cannot come."""

    number: StaffNumber
    ground: Declined


class MusteredIn(TurnOutAct, frozen=True, kw_only=True):
    """到场: these of its people are on the spot, also such as were not called."""

    numbers: Numbers


class OpenWords(Act, frozen=True, kw_only=True):
    """申请查看原文: somebody who handles the call wants to read what the residents said. Every opening is recorded."""


class OpenedReport(Struct, frozen=True, kw_only=True):
    """原文: one report's words in clear, for the one who asked and nobody else.

    ``reported_at`` is the resident's time (UTC). ``contact`` is null when the resident gave none or is anonymous.
    ``receipt`` is empty: it stays with its reporter, for whom whoever holds it answers.
    When the person was erased (已删除个人信息) ``erased`` is true and all words are empty.
    """

    receipt: str
    record: str
    channel: Channel
    reported_at: datetime
    title: str = ""
    text: str = ""
    place: str = ""
    village: str = ""
    point: Point | None = None
    contact: Contact | None = None
    anonymous: bool = False
    attachments: tuple[AttachmentNote, ...] = ()
    erased: bool = False


class WordsOpened(Struct, frozen=True, kw_only=True):
    """The answer to ``words.open.v1``: every report of the case behind the call, oldest first.

    ``event`` is the id of the event that is answered.
    """

    call: str
    case: str
    reports: tuple[OpenedReport, ...]
    event: str = ""


class CaseNews(Struct, frozen=True, kw_only=True):
    """办理进展: how far the case of a report has come, for the terminal that sent the report.

    ``at`` is when it was recorded (UTC). ``note`` is what may be told: the public reply once it is published, the
    advice when the report was refused; else empty.
    """

    receipt: str
    record: str
    stage: Stage
    at: datetime
    note: str = ""


ACTS: Mapping[str, type[Act]] = {
    "call.acknowledge.v1": Acknowledge,
    "call.report-in.v1": ReportedIn,
    "call.contact-reporter.v1": Contacted,
    "call.note.v1": Note,
    "call.file-result.v1": Result,
}
"""What a department may do about a call, by wire name."""

TURN_OUT_ACTS: Mapping[str, type[TurnOutAct]] = {
    "mobilisation.confirm.v1": Confirm,
    "mobilisation.decline.v1": Decline,
    "mobilisation.muster.v1": MusteredIn,
}
"""What a department may do about a turn-out, by wire name."""

DONE: Mapping[str, type[Act | TurnOutAct]] = {**ACTS, **TURN_OUT_ACTS, "words.open.v1": OpenWords}
"""Everything that a department may ask for, by wire name."""

RECEIVED: Mapping[str, type[Struct]] = {"report.submit.v1": ReportLine, **DONE}
"""What we take at our doors, by wire name."""

SENT: Mapping[str, type[Struct]] = {
    "report.received.v1": ReportReceived,
    "request.not-taken.v1": RequestNotTaken,
    "act.decided.v1": ActDecided,
    "leg.called.v1": LegCalled,
    "responders.called.v1": TurnOutCalled,
    "responders.released.v1": TurnOutReleased,
    "words.opened.v1": WordsOpened,
    "case.news.v1": CaseNews,
}
"""What we hand out beside facts, by wire name."""

EDGE: Mapping[str, type[Struct]] = {**RECEIVED, **SENT}
"""Every message of the edges, by wire name. Names are for ever."""

NAMES: Mapping[type[Struct], str] = {struct: name for name, struct in EDGE.items()}
"""The wire name of each struct of the edges."""
