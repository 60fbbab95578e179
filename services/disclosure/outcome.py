"""The outcome stream: a scrubbed notice waits for a second person, who publishes or withholds it.

Source: the rule that public lists must not carry personal data (personal information protection law,
article 25), and that whoever wrote a reply does not approve it for the public.
"""

from datetime import datetime
from typing import Literal, assert_never

from msgspec import Struct, structs

from events.case import Due
from events.envelope import Fact
from events.outcome import (
    DraftOutcome,
    OutcomeDrafted,
    OutcomePublished,
    OutcomeWithheld,
    PublishOutcome,
    WithholdOutcome,
)
from events.private import Sealed, sealed
from services.decisions import Rejected
from services.rules.book import RuleBook

Facts = OutcomeDrafted | OutcomePublished | OutcomeWithheld
Requests = DraftOutcome | PublishOutcome | WithholdOutcome


class Outcome(Struct, frozen=True):
    """What disclosure needs to know of a notice to decide about it."""

    phase: Literal["drafted", "published", "withheld"]
    attempt: int
    authors: tuple[str, ...]
    reply: Sealed
    disclose: Due


def evolve(state: Outcome | None, fact: Facts) -> Outcome:
    """Fold one fact of an outcome stream."""
    if isinstance(fact, OutcomeDrafted):
        return Outcome("drafted", fact.attempt, fact.authors, fact.reply, fact.disclose)
    assert state is not None, "an outcome stream begins with its draft"
    match fact:
        case OutcomePublished():
            return structs.replace(state, phase="published", reply=fact.reply)
        case OutcomeWithheld():
            return structs.replace(state, phase="withheld")
        case _:
            assert_never(fact)


def decide(state: Outcome | None, request: Requests, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    """Draft anew after every rework; publish or withhold a draft, never by one of its authors."""
    if isinstance(request, DraftOutcome):
        if state is not None and request.attempt <= state.attempt:
            return ()
        drafted = OutcomeDrafted(
            case=request.case,
            attempt=request.attempt,
            matter=request.matter,
            town=request.town,
            village=request.village,
            authors=request.authors,
            reply=request.reply,
            disclose=rules.disclose_due(now),
        )
        return (drafted,)
    if state is None:
        raise Rejected("expected a drafted outcome, found none for this case")
    if request.by in state.authors:
        raise Rejected(f"expected a person who did not write the reply, found its author {request.by}")
    wanted = "published" if isinstance(request, PublishOutcome) else "withheld"
    if state.phase == wanted:
        return ()
    match request:
        case PublishOutcome():
            reply = state.reply if request.reply is None else sealed(request.reply)
            late = now > state.disclose.by
            return (OutcomePublished(case=request.case, by=request.by, reply=reply, late=late),)
        case WithholdOutcome():
            return (OutcomeWithheld(case=request.case, by=request.by, ground=request.ground),)
        case _:
            assert_never(request)
