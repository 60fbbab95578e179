"""结果公开: a resolved case of public visibility gets a notice; what is confidential never does."""

from events.case import CaseResolved
from events.envelope import Recorded, Request
from events.ids import outcome_of
from events.outcome import DraftOutcome, PublishOutcome, WithholdOutcome
from services.decisions import Service, Stream, on_one_stream
from services.disclosure import outcome
from services.rules.book import RuleBook


def draft(recorded: Recorded, fact: CaseResolved, rules: RuleBook) -> tuple[Request, ...]:
    """A public case's reply becomes a draft; other cases count in statistics only."""
    if fact.visibility != "public" or fact.reply is None:
        return ()
    drafted = DraftOutcome(
        outcome=outcome_of(recorded.stream),
        case=recorded.stream,
        attempt=fact.attempt,
        matter=fact.matter,
        town=fact.town,
        village=fact.village,
        authors=fact.handlers,
        reply=fact.reply,
    )
    return (drafted,)


SERVICE = Service(
    name="disclosure",
    streams={"outcome": Stream(outcome.evolve)},
    handlers={
        request: on_one_stream("outcome", outcome.decide) for request in (DraftOutcome, PublishOutcome, WithholdOutcome)
    },
    reactions={"case.resolved.v1": draft},
)
