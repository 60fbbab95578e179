"""What surrounds every fact in the log, and the two kinds of things the language has: facts and requests."""

from datetime import datetime
from typing import Any, ClassVar

from msgspec import Struct


class Fact(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """事实: something that happened. Immutable, stored for ever under an explicit versioned name.

    A new field must have a default; a field never changes its type. Anything else is a new version of the
    fact with an upcast from the old one, both listed in `events.catalog`.
    """


class Request(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, tag_field="request"):
    """Something that somebody wants to happen. Decided by the ledger, never stored in the log.

    ``PRIVATE`` names the fields that hold free text or other personal data, each with the field that holds
    the stream whose vault key encrypts it. Whoever sends a request may fill them in clear; the ledger
    encrypts them before anything is stored. ``PUBLIC`` names those of them that are meant for the public:
    they are scrubbed by pattern first. ``DERIVED`` gives the empty values of fields that we computed from what
    the sender said; they do not make a repeated request another one. ``FILE`` names, of a request that comes with
    one file, the field with the stream whose vault key encrypts it; the ledger then fills in ``file``, its id.
    """

    PRIVATE: ClassVar[dict[str, str]] = {}
    PUBLIC: ClassVar[tuple[str, ...]] = ()
    DERIVED: ClassVar[dict[str, Any]] = {}
    FILE: ClassVar[str] = ""


class Meta(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a fact comes from; stored with it, never part of what it says.

    ``recorded_at`` is UTC and never runs backwards in the log. ``causation`` is the source id of the request
    that was decided, ``correlation`` the stream of the report with which everything began, ``actor`` who
    asked, ``configuration`` the hash of the district configuration that the decision used, ``trace`` the W3C
    ``traceparent`` under which it was decided, empty when nobody traced it.
    """

    recorded_at: datetime
    causation: str
    actor: str
    correlation: str = ""
    configuration: str = ""
    trace: str = ""


class Recorded(Struct, frozen=True):
    """A fact as the log knows it: ``position`` orders all streams, ``version`` (from 1) orders its own."""

    position: int
    stream: str
    version: int
    name: str
    meta: Meta
    fact: Fact

    @property
    def id(self) -> str:
        """The fact's identity everywhere: its stream and version."""
        return fact_id(self.stream, self.version)


def fact_id(stream: str, version: int) -> str:
    """A fact's identity everywhere: ``<stream>:<version>``."""
    return f"{stream}:{version}"


def kind_of(name: str) -> str:
    """The kind of stream a wire name belongs to: ``call.acknowledged.v1`` is a fact of a ``call``."""
    return name.split(".", 1)[0]
