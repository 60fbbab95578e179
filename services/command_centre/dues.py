"""期限顺延: what a case owes beside its calls is extended when a holiday is amended, and never shortened.

What the case promised is the same promise as that of its departments: while they are at work it moves with theirs.
"""

from datetime import datetime
from typing import assert_never

from events.case import CaseDueExtended, Due, ExtendPromise, Owed, RecountCaseDues
from services.command_centre.case import Case
from services.decisions import Rejected
from services.rules.book import RuleBook


def decide(
    state: Case | None, request: RecountCaseDues | ExtendPromise, now: datetime, rules: RuleBook
) -> tuple[CaseDueExtended, ...]:
    """What a changed calendar makes of what is owed now."""
    if state is None:
        raise Rejected("expected an opened case, found none with this id")
    match request:
        case RecountCaseDues():
            owed = _owed(state)
            return tuple(longer for owes, was in owed.items() if was for longer in extended(owes, was, rules))
        case ExtendPromise(due=due):
            was = state.result
            same = was is not None and (was.rule, was.since) == (due.rule, due.since)
            if was is None or not same or due.by <= was.by or state.phase == "closed":
                return ()
            return (CaseDueExtended(owes="result", was=was, due=due),)
        case _:
            assert_never(request)


def extended(owes: Owed, was: Due, rules: RuleBook) -> tuple[CaseDueExtended, ...]:
    """That there is longer by the calendar in force, if there is."""
    due = rules.recounted(None, was)
    return () if due == was else (CaseDueExtended(owes=owes, was=was, due=due),)


def _owed(state: Case) -> dict[Owed, Due | None]:
    """What is owed beside the calls in the phase in which the case is."""
    match state.phase:
        case "registered":
            return {"result": state.result}
        case "village_handling":
            return {"result": state.result, "village": state.village_due}
        case "in_review":
            return {"review": state.due}
        case "resolved":
            return {"follow_up": state.due}
        case _:
            return {}
