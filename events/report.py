"""群众上报: what a resident told us, as facts and requests of one report stream."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct

from events.envelope import Fact, Request
from events.file import MAX_FILE_BYTES, FileSize, MediaType
from events.patterns import PRINTABLE
from events.private import Sealed, Words

Channel = Literal["hotline", "app", "village", "web"]
Appeal = Literal["enquiry", "help", "complaint", "tip", "suggestion"]
"""诉求类型: 咨询、求助、投诉、举报、建议."""

Line = Annotated[str, Meta(max_length=200)]
Person = Annotated[str, Meta(min_length=1, max_length=100, pattern=PRINTABLE)]
"""Who acts: a named person or post. Whoever acts for the township stands in the log by name."""

RefusalGround = Literal["court", "petition", "discipline", "secret", "out_of_area", "not_genuine", "emergency_line"]
"""不予受理的情形: what belongs to another procedure, another place, or is no report."""

ErasureReason = Literal["request", "retention", "mistake", "court_order"]

Text = Annotated[str, Meta(max_length=20_000)]
"""Free words; a fifth of a book chapter is enough for any report, and bounds what one sender can cost us."""

ComplainedOf = Annotated[tuple[Annotated[str, Meta(max_length=20)], ...], Meta(max_length=3)]
"""被举报部门: the departments that a report is about, by their codes. Who says so must be believed until a person has
looked: it must not reach them."""

MAX_ATTACHMENT_BYTES = MAX_FILE_BYTES
MAX_ATTACHMENTS = 9


class Suggestion(Struct, frozen=True):
    """A matter that the words speak for: ``score`` in 0..1, and the catalogue words that decided."""

    matter: str
    score: float
    words: tuple[str, ...]


class Point(Struct, frozen=True, forbid_unknown_fields=True):
    """A place on the map in degrees, in the datum in which it was sent."""

    lon: Annotated[float, Meta(ge=-180, le=180)]
    lat: Annotated[float, Meta(ge=-90, le=90)]
    datum: Literal["GCJ-02", "WGS-84"]


class Contact(Struct, frozen=True, omit_defaults=True):
    """How to reach the resident; lives in the vault only."""

    name: Annotated[str, Meta(max_length=100)] = ""
    phone: Annotated[str, Meta(max_length=40)] = ""


class AttachmentNote(Struct, frozen=True):
    """What is known of an attachment whose bytes the vault holds; ``sha256`` is of the bytes in clear."""

    name: str
    media_type: str
    sha256: str
    size: int


class ReportWords(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="private", tag="report"):
    """Everything about a report that can name a person; encrypted as one under the report's key.

    ``reporter`` is a keyed hash of the sender's number for the resident, never that number.
    """

    title: Text
    text: Text
    place: Line = ""
    reporter: str = ""
    point: Point | None = None
    contact: Contact | None = None
    attachments: tuple[AttachmentNote, ...] = ()


class ReportSubmitted(Fact, frozen=True, kw_only=True):
    """已接收: a report reached us and has a receipt.

    ``reported_at`` is the resident's time (UTC). ``reporter`` is a keyed pseudonym, empty when anonymous.
    ``matter`` is the sender's own claim, empty when it made none; ``suggestions`` come from the words.
    """

    source: str
    record: str
    receipt: str
    channel: Channel
    town: str
    village: str
    reported_at: datetime
    words: Sealed
    reporter: str = ""
    anonymous: bool = False
    appeal: Appeal | None = None
    matter: str = ""
    suggestions: tuple[Suggestion, ...] = ()
    complained_of: tuple[str, ...] = ()
    attachments: int = 0
    """How many came with the report itself; `FileAttached` tells of those that came after it."""


class ReportAccepted(Fact, frozen=True, kw_only=True):
    """已受理: it is our business. ``case`` is the case it shall open, or join when ``joins`` is true.

    ``reporter`` is the pseudonym that told of it before, so that it can learn of another case if that has ended.
    """

    case: str
    joins: bool = False
    reporter: str = ""


class ReportLinked(Fact, frozen=True, kw_only=True):
    """已立案: the report belongs to ``case``; a ``supplement`` tells the same story by the same reporter."""

    case: str
    supplement: bool = False


class ReportRefused(Fact, frozen=True, kw_only=True):
    """不予受理: with a listed ground and where to go instead."""

    ground: str
    advice: Sealed
    by: str


class FileAttached(Fact, frozen=True, kw_only=True):
    """群众附件: the resident sent a photo, recording or document to a report; ``size`` is in bytes, as stored.

    ``case`` is the one that the report belonged to then.
    """

    case: str
    file: str
    media_type: str
    size: int


class ReportErased(Fact, frozen=True, kw_only=True):
    """已删除个人信息: the report's key is destroyed; nobody can read its words again."""

    by: str
    reason: ErasureReason


class SubmitReport(Request, frozen=True, kw_only=True, tag="report.submit.v1"):
    """Hand in a report. ``report`` and ``reporters`` are streams derived by intake from the sender's record.

    ``reporters`` are the reporter's pseudonyms to look under for recent reports, the current one first;
    near a monthly change of pseudonyms there are two. Empty when anonymous.
    """

    PRIVATE: ClassVar[dict[str, str]] = {"words": "report"}
    DERIVED: ClassVar[dict[str, Any]] = {"receipt": "", "reporters": (), "suggestions": ()}

    report: str
    source: str
    record: str
    receipt: str
    channel: Channel
    town: str
    village: str
    reported_at: datetime
    words: ReportWords | Sealed
    reporters: tuple[str, ...] = ()
    anonymous: bool = False
    appeal: Appeal | None = None
    matter: str = ""
    suggestions: tuple[Suggestion, ...] = ()
    complained_of: ComplainedOf = ()
    attachments: int = 0


class LinkReportToCase(Request, frozen=True, kw_only=True, tag="report.link.v1"):
    """Tell the report which case it belongs to; sent when the command centre has opened or joined one."""

    report: str
    case: str
    supplement: bool = False


class RefuseReport(Request, frozen=True, kw_only=True, tag="report.refuse.v1"):
    """Refuse a report that waits in triage, on a listed ground; its case ends with it."""

    PRIVATE: ClassVar[dict[str, str]] = {"advice": "report"}

    report: str
    case: str
    ground: RefusalGround
    advice: Words
    by: Person


class AttachFile(Request, frozen=True, kw_only=True, tag="report.attach-file.v1"):
    """Attach a file to a report whose case is not closed. The bytes come beside the request, already cleaned."""

    DERIVED: ClassVar[dict[str, Any]] = {"file": ""}
    FILE: ClassVar[str] = "report"

    report: str
    case: str
    media_type: MediaType
    size: FileSize
    file: str = ""


class EraseReport(Request, frozen=True, kw_only=True, tag="report.erase.v1"):
    """Erase the person behind a report. The fact comes first, then the key is destroyed."""

    report: str
    by: Person
    reason: ErasureReason
