"""回避: which departments have no part in a case, and of which a report complains."""

from typing import Any

from events import case as c
from events.envelope import Recorded
from projections.view import INTEGER, MOMENT, TEXT, Rows, View

NAMED = "named"
"""What a report says: until an operator has decided, the department sees nothing of the case either."""


def named(rows: Rows, recorded: Recorded, fact: c.CaseTriageQueued) -> None:
    """The report is about departments; an operator will decide."""
    for department in fact.complained_of:
        _put(rows, recorded, department=department, ground=NAMED)


def recused(rows: Rows, recorded: Recorded, fact: c.CaseDepartmentRecused) -> None:
    """The department has no part in the case from now on."""
    _put(rows, recorded, department=fact.department, ground=fact.ground, recused_by=fact.by)


def _put(rows: Rows, recorded: Recorded, **values: Any) -> None:
    at, position = recorded.meta.recorded_at, recorded.position
    rows.put(RECUSALS.row(case=recorded.stream, at=at, position=position, **values))


RECUSALS = View(
    name="recusals",
    version=1,
    purpose="departments that have no part in a case, or are complained of in it 回避",
    key=("case", "department"),
    columns={
        "case": TEXT,
        "department": TEXT,
        "ground": TEXT,
        "recused_by": TEXT,
        "at": MOMENT,
        "position": INTEGER,
    },
    opaque=frozenset({"position"}),
    indexes=(("department",),),
    folds={"case.triage-queued.v1": named, "case.department-recused.v1": recused},
)
