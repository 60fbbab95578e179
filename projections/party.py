"""平台党组织: the Party organisations of a town's platforms, one after the other, and who was named secretary last."""

from events import roster as r
from events.envelope import Recorded
from projections.view import TEXT, Rows, View


def formed(rows: Rows, recorded: Recorded, fact: r.PartyOrgFormed) -> None:
    """成立."""
    about = {"platform": fact.platform, "town": fact.town, "name": fact.name, "since": fact.since.isoformat()}
    rows.put(PARTY_ORGS.row(roster=recorded.stream, **about))


def dissolved(rows: Rows, recorded: Recorded, fact: r.PartyOrgDissolved) -> None:
    """撤销."""
    rows.change(recorded.stream, fact.platform, fact.formed.isoformat(), until=fact.on.isoformat())


def secretary_named(rows: Rows, recorded: Recorded, fact: r.PartySecretaryNamed) -> None:
    """书记."""
    named = {"secretary": fact.number, "secretary_since": fact.since.isoformat()}
    rows.change(recorded.stream, fact.platform, fact.formed.isoformat(), **named)


PARTY_ORGS = View(
    name="party_organisations",
    version=1,
    purpose="which Party organisation a platform has, and its secretary 平台党组织",
    key=("roster", "platform", "since"),
    columns=dict.fromkeys(
        ("roster", "platform", "town", "name", "since", "until", "secretary", "secretary_since"), TEXT
    ),
    folds={
        "roster.party-org-formed.v1": formed,
        "roster.party-org-dissolved.v1": dissolved,
        "roster.party-secretary-named.v1": secretary_named,
    },
)
