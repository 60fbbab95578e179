"""结果公开: what the public is told about a case, as facts and requests of one outcome stream."""

from typing import ClassVar, Literal

from events.case import Due
from events.envelope import Fact, Request
from events.private import Sealed, Words
from events.report import Person

WithheldGround = Literal["personal_data", "secret", "incorrect"]


class OutcomeDrafted(Fact, frozen=True, kw_only=True):
    """待公开: the public reply, already scrubbed by pattern, waits for a second person."""

    case: str
    attempt: int
    matter: str
    town: str
    village: str
    authors: tuple[str, ...]
    reply: Sealed
    disclose: Due


class OutcomePublished(Fact, frozen=True, kw_only=True):
    """已公开."""

    case: str
    by: str
    reply: Sealed
    late: bool = False


class OutcomeWithheld(Fact, frozen=True, kw_only=True):
    """不予公开, with its ground."""

    case: str
    by: str
    ground: WithheldGround


class DraftOutcome(Request, frozen=True, kw_only=True, tag="outcome.draft.v1"):
    """Prepare the notice of a resolved case. ``reply`` was scrubbed when it was filed."""

    outcome: str
    case: str
    attempt: int
    matter: str
    town: str
    village: str
    authors: tuple[str, ...]
    reply: Sealed


class PublishOutcome(Request, frozen=True, kw_only=True, tag="outcome.publish.v1"):
    """A second person approves; with ``reply``, after correcting the text."""

    PRIVATE: ClassVar[dict[str, str]] = {"reply": "case"}
    PUBLIC: ClassVar[tuple[str, ...]] = ("reply",)

    outcome: str
    case: str
    by: Person
    reply: Words | None = None


class WithholdOutcome(Request, frozen=True, kw_only=True, tag="outcome.withhold.v1"):
    """A second person finds that the notice must not be published."""

    outcome: str
    case: str
    by: Person
    ground: WithheldGround
