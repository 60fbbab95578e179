"""A reporter's voice: what somebody asks who holds a report's receipt becomes a request in the reporter's place.

The one way from a receipt to the ledger. Nobody logs in for it: the receipt is the secret.
"""

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from events.case import REPORTER, CaseClosed, CaseFollowedUp, CaseResolved, FollowUp, ReopenCase
from events.envelope import Recorded, Request, kind_of
from events.private import Sealed
from services.decisions import Rejected
from services.runtime.batch import Submission
from services.wiring import House

SOURCE = "receipt"
"""The namespace of source ids of what comes by receipt; no sender may bear this name."""

May = Literal["rate", "reopen"]
"""评价、要求重新办理."""

_NOTHING = Sealed("", b"")


class Rated(Struct):
    """What a reporter answered about the result that stands, asked or by receipt; ``at`` is UTC."""

    solved: bool | None
    satisfied: bool | None
    at: datetime


class Held(Struct, frozen=True):
    """A receipt that somebody holds, with its report and the case that the report belongs to."""

    receipt: str
    report: str
    case: str


class Standing(Struct, frozen=True):
    """What the holder of a receipt can do now, and what they answered about the result that stands."""

    may: tuple[May, ...] = ()
    rated: Rated | None = None


class Voice:
    """What reporters ask of one house. Decides by the log, never by a view, which may lag."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._handlers = {act: handler for service in house.services for act, handler in service.handlers.items()}
        self._streams = {kind: stream for service in house.services for kind, stream in service.streams.items()}

    def standing(self, held: Held) -> Standing:
        """How things stand for a receipt."""
        facts = self._house.log.stream(held.case)
        rating = _rating(held, facts, solved=True, satisfied=True)
        reopening = _reopening(held, facts, _NOTHING)
        asked: tuple[tuple[May, Submission | None], ...] = (("rate", rating), ("reopen", reopening))
        may = tuple(what for what, submission in asked if submission and self._possible(submission.request))
        return Standing(may, _rated(held.report, facts))

    def rating(self, held: Held, *, solved: bool, satisfied: bool) -> Submission:
        """群众评价: the reporter's answer about the result that stands; the same again is the same answer.

        Raises:
            Rejected: when the case never had a result.
        """
        rating = _rating(held, self._house.log.stream(held.case), solved=solved, satisfied=satisfied)
        if rating is None:
            raise Rejected("expected a case with a result, found one that has none yet")
        return rating

    def reopening(self, held: Held, reason: str) -> Submission:
        """重新办理: the reporter wants it taken up again; the same again after the same end is the same wish.

        Raises:
            Rejected: when the case never ended.
        """
        reopening = _reopening(held, self._house.log.stream(held.case), reason)
        if reopening is None:
            raise Rejected("expected a closed case, found one that was never closed")
        return reopening

    def _possible(self, request: Request) -> bool:
        house, handler = self._house, self._handlers[type(request)]
        states = tuple(self._state(stream) for stream in handler.streams(request))
        try:
            return bool(handler.decide(states, request, house.clock.now(), house.ledger.rules))
        except Rejected:
            return False

    def _state(self, stream: str) -> Any:
        state: Any = None
        for recorded in self._house.log.stream(stream):
            state = self._streams[kind_of(recorded.name)].evolve(state, recorded.fact)
        return state


def _rating(held: Held, facts: list[Recorded], *, solved: bool, satisfied: bool) -> Submission | None:
    """Named by the result that it is about: one attempt may have two, when the reviewer decides again."""
    result = _last(facts, CaseResolved)
    request = FollowUp(
        case=held.case, report=held.report, by=REPORTER, contacted=True, solved=solved, satisfied=satisfied
    )
    return Submission(f"{SOURCE}/{held.receipt}/rating/{result.version}", request, REPORTER) if result else None


def _reopening(held: Held, facts: list[Recorded], reason: str | Sealed) -> Submission | None:
    """Named by the end that it is about."""
    end = _last(facts, CaseClosed)
    if end is None:
        return None
    closed_at = end.meta.recorded_at
    request = ReopenCase(case=held.case, report=held.report, by=REPORTER, reason=reason, closed_at=closed_at)
    return Submission(f"{SOURCE}/{held.receipt}/reopening/{end.version}", request, REPORTER)


def _rated(report: str, facts: list[Recorded]) -> Rated | None:
    rated = None
    for recorded in facts:
        match recorded.fact:
            case CaseResolved():
                rated = None
            case CaseFollowedUp() as answer if answer.report == report and answer.contacted:
                rated = Rated(answer.solved, answer.satisfied, recorded.meta.recorded_at)
    return rated


def _last(facts: list[Recorded], form: type[CaseResolved | CaseClosed]) -> Recorded | None:
    return next((recorded for recorded in reversed(facts) if isinstance(recorded.fact, form)), None)
