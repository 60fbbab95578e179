"""What a decision is: the vocabulary shared by the stream files, which decide, and the ledger, which records."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from events.envelope import Fact, Recorded, Request
from services.rules.book import RuleBook


class Rejected(Exception):
    """A request that is not allowed as things stand. The text says what was expected and what was found.

    The same request again is rejected again; ask for something else. ``record`` are facts about the attempt, which
    happen although nothing is done: they are appended, and the answer is still that it was rejected.
    """

    def __init__(self, reason: str, record: "tuple[Append, ...]" = ()) -> None:
        super().__init__(reason)
        self.record = record


class SetTimer(Struct, frozen=True):
    """Have ``request`` decided at ``due``. ``name`` is unique in its stream; setting it again replaces it."""

    name: str
    due: datetime
    request: Request


class ClearTimer(Struct, frozen=True):
    """Forget the timer ``name`` and all below it, ``name.…``, as far as they still wait."""

    name: str


Append = tuple[str, Fact]
"""A fact and the stream it goes to."""

Decide = Callable[[tuple[Any, ...], Any, datetime, RuleBook], tuple[Append, ...]]
"""``(states, request, now, rules) -> appends``: pure. Empty means a repeat. Raises `Rejected`."""

Timers = Callable[[str, Any], tuple[SetTimer | ClearTimer, ...]]
"""``(stream, fact) -> timers`` that the fact sets and clears: pure, so that timers can be rebuilt."""


class Handler(Struct, frozen=True):
    """How one kind of request is decided: which streams it reads and writes, and the decision."""

    streams: Callable[[Any], tuple[str, ...]]
    decide: Decide


class Stream(Struct, frozen=True):
    """How one kind of stream is folded, and which timers its facts set."""

    evolve: Callable[[Any, Any], Any]
    timers: Timers | None = None


class Later(Struct, frozen=True):
    """A request to be decided at ``due`` (aware) rather than at once."""

    due: datetime
    request: Request


Reaction = Callable[[Recorded, Any, RuleBook], tuple[Request | Later, ...]]
"""``(recorded, recorded.fact, rules) -> requests``: what a service wants after a fact.

Pure, and of the fact and the configuration alone; whatever needs more is decided in the target.
"""


class Service(Struct, frozen=True):
    """One service as the composition root sees it.

    ``reactions`` are listed by the wire name of the fact they answer.
    """

    name: str
    handlers: Mapping[type[Request], Handler] = {}
    streams: Mapping[str, Stream] = {}
    reactions: Mapping[str, Reaction] = {}


def on_one_stream(field: str, decide: Callable[[Any, Any, datetime, RuleBook], tuple[Fact, ...]]) -> Handler:
    """A handler for a request about the single stream that its ``field`` names."""

    def decide_one(states: tuple[Any, ...], request: Any, now: datetime, rules: RuleBook) -> tuple[Append, ...]:
        stream = getattr(request, field)
        return tuple((stream, fact) for fact in decide(states[0], request, now, rules))

    return Handler(lambda request: (getattr(request, field),), decide_one)
