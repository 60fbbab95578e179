"""What has happened so far, in memory: given facts are folded, requests decided on the states they leave."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from events.catalog import CATALOG
from events.district import District, Matter, Periods
from events.envelope import Fact, Meta, Recorded, Request, kind_of
from events.ids import call_of, case_of, stream_id
from events.private import Sealed
from services.command_centre.service import SERVICE as COMMAND_CENTRE
from services.decisions import Append, Handler, Rejected, SetTimer, Stream
from services.disclosure.service import SERVICE as DISCLOSURE
from services.intake.service import SERVICE as INTAKE
from services.people.service import SERVICE as PEOPLE
from services.platforms.service import SERVICE as PLATFORMS
from services.rules.book import RuleBook
from tests.unit.moments import at

SERVICES = (PEOPLE, INTAKE, COMMAND_CENTRE, PLATFORMS, DISCLOSURE)
HANDLERS: dict[type[Request], Handler] = {kind: handler for s in SERVICES for kind, handler in s.handlers.items()}
STREAMS: dict[str, Stream] = {kind: stream for s in SERVICES for kind, stream in s.streams.items()}

MONDAY = at("2026-11-23 09:00")
LIUDU, LIUDU_VILLAGE, DAHE_VILLAGE, GAOCUN = "445303100", "445303100201", "445303100202", "445303101"
REPORT = stream_id("report", MONDAY, "hotline", "1")
CASE = case_of(REPORT)
P4_CALL, P2_CALL = call_of(CASE, "P4", 1), call_of(CASE, "P2", 1)


def words(text: str, key: str = CASE) -> Sealed:
    """Words as the ledger hands them on: encrypted, here only to look at."""
    return Sealed(key=key, box=text.encode())


class Past:
    """The facts of some streams and the states they leave. Decides as the ledger does, but keeps nothing durable."""

    def __init__(self, rules: RuleBook) -> None:
        self.rules = rules
        self.states: dict[str, Any] = {}
        self.facts: list[tuple[str, Fact]] = []
        self.timers: dict[tuple[str, str], SetTimer] = {}

    def happened(self, stream: str, *facts: Fact) -> None:
        """Given these facts of a stream, and the timers they set and clear."""
        for fact in facts:
            kind = STREAMS[kind_of(CATALOG.name(fact))]
            self.states[stream] = kind.evolve(self.states.get(stream), fact)
            self.facts.append((stream, fact))
            for timer in kind.timers(stream, fact) if kind.timers else ():
                if isinstance(timer, SetTimer):
                    self.timers[stream, timer.name] = timer
                else:
                    self._clear(stream, timer.name)

    def _clear(self, stream: str, name: str) -> None:
        gone = [key for key in self.timers if key[0] == stream and f"{key[1]}.".startswith(f"{name}.")]
        for key in gone:
            del self.timers[key]

    def decide(self, request: Request, now: datetime = MONDAY) -> tuple[Append, ...]:
        """When somebody asks for this: the facts that follow. Changes nothing.

        Raises:
            Rejected: when it is not allowed; it may have facts to be recorded.
        """
        handler = HANDLERS[type(request)]
        states = tuple(self.states.get(stream) for stream in handler.streams(request))
        return handler.decide(states, request, now, self.rules)

    def facts_of(self, request: Request, now: datetime = MONDAY) -> list[Fact]:
        """As `decide`, without the streams."""
        return [fact for _, fact in self.decide(request, now)]

    def do(self, request: Request, now: datetime = MONDAY) -> tuple[Append, ...]:
        """As `decide`, and it has happened."""
        try:
            appends = self.decide(request, now)
        except Rejected as rejected:
            for stream, fact in rejected.record:
                self.happened(stream, fact)
            raise
        for stream, fact in appends:
            self.happened(stream, fact)
        return appends

    def tried(self, request: Request, now: datetime = MONDAY) -> tuple[str, list[Fact]]:
        """Ask for what is refused: why it is, and the facts that are recorded about it, which have happened."""
        try:
            self.do(request, now)
        except Rejected as rejected:
            return str(rejected), [fact for _, fact in rejected.record]
        return "", []

    def refusal(self, request: Request, now: datetime = MONDAY) -> str:
        """Why the request is not allowed; empty when it is."""
        try:
            self.decide(request, now)
        except Rejected as rejected:
            return str(rejected)
        return ""

    def reactions(self, stream: str, fact: Fact) -> list[Request]:
        """What the services want after a fact."""
        name = CATALOG.name(fact)
        recorded = Recorded(1, stream, 1, name, Meta(recorded_at=MONDAY, causation="", actor=""), fact)
        return [
            wanted
            for service in SERVICES
            if name in service.reactions
            for wanted in service.reactions[name](recorded, fact, self.rules)
            if isinstance(wanted, Request)
        ]

    def settle(self, appends: tuple[Append, ...], now: datetime = MONDAY) -> None:
        """Let every service react, and to what follows from that, until nothing is left to do."""
        waiting = list(appends)
        while waiting:
            for request in self.reactions(*waiting.pop(0)):
                try:
                    waiting += self.do(request, now)
                except Rejected:
                    continue

    def play(self, request: Request, now: datetime = MONDAY) -> None:
        """Decide a request and everything that the services do about it."""
        self.settle(self.do(request, now), now)


def with_district(rules: RuleBook, change: Callable[[District], dict[str, Any]]) -> RuleBook:
    """The rules of a district that differs in some fields."""
    return RuleBook(msgspec.structs.replace(rules.district, **change(rules.district)))


def with_periods(rules: RuleBook, **changes: Any) -> RuleBook:
    """The rules with other periods."""

    def change(district: District) -> dict[str, Any]:
        periods: Periods = msgspec.structs.replace(district.periods, **changes)
        return {"periods": periods}

    return with_district(rules, change)


def without_matter(rules: RuleBook, code: str) -> RuleBook:
    """The rules of a catalogue that no longer has a matter."""

    def change(district: District) -> dict[str, Any]:
        matters: tuple[Matter, ...] = tuple(matter for matter in district.matters if matter.code != code)
        return {"matters": matters}

    return with_district(rules, change)
