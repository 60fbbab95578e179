"""村级办理: the village handles first what it can; what it cannot, or does not in time, goes up to the town.

Source: the three-level response of district, town and village in the reform of Yun'an; how long a village has is our
configurable default.
"""

from datetime import datetime
from typing import assert_never

from events.case import (
    CaseEscalated,
    CaseResultSubmitted,
    CaseVillageHandlingStarted,
    CaseVillageResolved,
    EscalateCase,
    HandleInVillage,
    ResolveInVillage,
)
from events.envelope import Fact
from events.private import sealed
from services.command_centre.case import Case
from services.command_centre.dues import extended
from services.decisions import Rejected
from services.rules.book import RuleBook

Requests = HandleInVillage | ResolveInVillage | EscalateCase


def decide(state: Case | None, request: Requests, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    """What is asked of a case that a village may handle. Late is nothing here: its time over, the case has gone up."""
    if state is None:
        raise Rejected("expected an opened case, found none with this id")
    match request:
        case HandleInVillage():
            return _start(state, now, rules)
        case ResolveInVillage():
            return _resolve(state, request, now, rules)
        case EscalateCase():
            return _escalate(state, request, now, rules)
        case _:
            assert_never(request)


def _start(state: Case, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    if state.village_due is not None:
        return ()
    if state.phase != "registered" or state.attempt:
        raise Rejected(f"expected a classified case that nobody handles yet, found one in phase {state.phase}")
    if not state.village or not rules.matter(state.matter).village:
        raise Rejected(f"expected a matter that a named village may handle, found {state.matter} in {state.village!r}")
    started = CaseVillageHandlingStarted(
        town=state.town,
        village=state.village,
        matter=state.matter,
        handling_class=state.handling_class,
        due=rules.village_due(now),
    )
    return (started,)


def _resolve(state: Case, request: ResolveInVillage, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    _expect_in_village(state)
    resolved = CaseVillageResolved(
        town=state.town,
        village=state.village,
        by=request.by,
        solved=request.solved,
        account=sealed(request.account),
        reply=sealed(request.reply),
    )
    submitted = CaseResultSubmitted(
        attempt=state.attempt,
        handlers=(request.by,),
        solved=request.solved,
        review=rules.review_due(state.handling_class, now),
    )
    return resolved, submitted


def _escalate(state: Case, request: EscalateCase, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    """Up to the town; the clock extends what has more time by the calendar in force instead."""
    if state.level == "town" and state.village_due is not None:
        return ()
    _expect_in_village(state)
    if request.reason == "village_overdue" and state.village_due is not None:
        if request.by == "clock" and (longer := extended("village", state.village_due, rules)):
            return longer
        if now < (by := state.village_due.by):
            raise Rejected(f"reason: expected one before {by}, when the village is late, found {now}")
    escalated = CaseEscalated(
        town=state.town,
        matter=state.matter,
        came_from="village",
        to="town",
        reason=request.reason,
        by=request.by,
        recused=state.recused,
    )
    return (escalated,)


def _expect_in_village(state: Case) -> None:
    if state.phase != "village_handling":
        raise Rejected(f"expected a case that the village handles, found one in phase {state.phase}")
