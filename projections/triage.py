"""待分类: cases that wait for an operator, with what the words suggested."""

from events import case as c
from events.envelope import Recorded
from projections.view import INTEGER, MOMENT, REAL, TEXT, Rows, View


def opened(rows: Rows, recorded: Recorded, fact: c.CaseOpened) -> None:
    """Every case begins here, and most leave at once."""
    rows.put(
        TRIAGE.row(
            case=recorded.stream,
            report=fact.report,
            town=fact.town,
            village=fact.village,
            reported_at=fact.reported_at,
            queued_at=recorded.meta.recorded_at,
            position=recorded.position,
        )
    )


def queued(rows: Rows, recorded: Recorded, fact: c.CaseTriageQueued) -> None:
    """Nothing was certain enough."""
    best = fact.suggestions[0] if fact.suggestions else None
    rows.change(
        recorded.stream,
        best=best.matter if best else None,
        score=best.score if best else None,
        threshold=fact.threshold,
        suggestions="; ".join(f"{s.matter} {s.score:.3f} {' '.join(s.words)}" for s in fact.suggestions),
    )


def left(rows: Rows, recorded: Recorded, fact: c.CaseClassified | c.CaseClosed) -> None:
    """Decided."""
    rows.delete(recorded.stream)


TRIAGE = View(
    name="triage",
    version=1,
    purpose="cases that wait for an operator 待分类",
    key=("case",),
    columns={
        "case": TEXT,
        "report": TEXT,
        "town": TEXT,
        "village": TEXT,
        "best": TEXT,
        "score": REAL,
        "threshold": REAL,
        "suggestions": TEXT,
        "reported_at": MOMENT,
        "queued_at": MOMENT,
        "position": INTEGER,
    },
    opaque=frozenset({"position"}),
    folds={
        "case.opened.v1": opened,
        "case.triage-queued.v1": queued,
        "case.classified.v1": left,
        "case.closed.v1": left,
    },
)
