"""结果公开: notices to the public, drafted and published. The reply is encrypted; the vault opens it."""

from msgspec import msgpack

from events import outcome as o
from events.envelope import Recorded
from projections.view import BYTES, FLAG, INTEGER, MOMENT, TEXT, Rows, View


def drafted(rows: Rows, recorded: Recorded, fact: o.OutcomeDrafted) -> None:
    """A draft, or a new one after rework."""
    rows.put(
        NOTICES.row(
            case=fact.case,
            matter=fact.matter,
            town=fact.town,
            village=fact.village,
            phase="drafted",
            attempt=fact.attempt,
            drafted_at=recorded.meta.recorded_at,
            disclose_due=fact.disclose.by,
            reply=msgpack.encode(fact.reply),
            position=recorded.position,
        )
    )


def published(rows: Rows, recorded: Recorded, fact: o.OutcomePublished) -> None:
    """Everybody may read it."""
    rows.change(
        fact.case,
        phase="published",
        decided_by=fact.by,
        decided_at=recorded.meta.recorded_at,
        late=fact.late,
        reply=msgpack.encode(fact.reply),
    )


def withheld(rows: Rows, recorded: Recorded, fact: o.OutcomeWithheld) -> None:
    """Nobody may."""
    rows.change(
        fact.case,
        phase="withheld",
        decided_by=fact.by,
        decided_at=recorded.meta.recorded_at,
        ground=fact.ground,
        reply=None,
    )


NOTICES = View(
    name="notices",
    version=1,
    purpose="notices to the public 结果公开",
    key=("case",),
    columns={
        "case": TEXT,
        "matter": TEXT,
        "town": TEXT,
        "village": TEXT,
        "phase": TEXT,
        "attempt": INTEGER,
        "decided_by": TEXT,
        "ground": TEXT,
        "late": FLAG,
        "drafted_at": MOMENT,
        "disclose_due": MOMENT,
        "decided_at": MOMENT,
        "reply": BYTES,
        "position": INTEGER,
    },
    opaque=frozenset({"position", "reply"}),
    indexes=(("phase", "decided_at"),),
    folds={
        "outcome.drafted.v1": drafted,
        "outcome.published.v1": published,
        "outcome.withheld.v1": withheld,
    },
)
