"""借调: every step of every secondment, who took it and when. A request begins a new one."""

from typing import Any

from events import person as p
from events.envelope import Recorded
from projections.view import FLAG, INTEGER, MOMENT, TEXT, Rows, View

STEPS = ("requested", "consented", "approved", "refused", "started", "overdue", "ended")
"""申请、镇党委同意、区人事批准、未成、借出、逾期未归、归队."""


def taken(rows: Rows, recorded: Recorded, fact: Any) -> None:
    """A step: what it says of itself. ``before`` is the decision that one stood before which came to nothing."""
    more: dict[str, Any] = {}
    match fact:
        case p.SecondmentRequested() | p.SecondmentStarted():
            more = {"lent_to": fact.to, "lent_from": fact.start.isoformat(), "back": fact.back.isoformat()}
        case p.SecondmentRefused():
            more = {"before": fact.at, "ground": fact.ground}
        case p.SecondmentOverdue():
            more = {"lent_to": fact.to, "back": fact.back.isoformat()}
        case p.SecondmentEnded():
            more = {"back": fact.on.isoformat(), "late": fact.late}
    rows.put(
        SECONDMENTS.row(
            person=recorded.stream,
            version=recorded.version,
            number=fact.number,
            town=fact.town,
            step=recorded.name.removeprefix("person.secondment-").removesuffix(".v1"),
            at=recorded.meta.recorded_at,
            who=getattr(fact, "by", None),
            **more,
        )
    )


SECONDMENTS = View(
    name="secondments",
    version=1,
    purpose="every step of every secondment, and who took it 借调",
    key=("person", "version"),
    columns={
        "person": TEXT,
        "version": INTEGER,
        "number": TEXT,
        "town": TEXT,
        "step": TEXT,
        "at": MOMENT,
        "who": TEXT,
        "lent_to": TEXT,
        "lent_from": TEXT,
        "back": TEXT,
        "before": TEXT,
        "ground": TEXT,
        "late": FLAG,
    },
    folds={f"person.secondment-{step}.v1": taken for step in STEPS},
)
