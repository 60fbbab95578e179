"""工作量: how busy each town's departments are, and how they keep their clocks."""

from typing import Any

from events import call as k
from events.envelope import Recorded
from projections.view import INTEGER, TEXT, Rows, View

COUNTS = (
    "called",
    "open",
    "acknowledged",
    "acknowledged_late",
    "reported_in",
    "people",
    "filed",
    "filed_late",
    "missed",
)


def departments_called(rows: Rows, recorded: Recorded, fact: k.DepartmentsCalled) -> None:
    """More to do."""
    for leg in fact.legs:
        _add(rows, fact.town, leg.department, called=1, open=1)


def acknowledged(rows: Rows, recorded: Recorded, fact: k.CallAcknowledged) -> None:
    """签收."""
    _add(rows, fact.town, fact.department, acknowledged=1, acknowledged_late=int(fact.late))


def reported_in(rows: Rows, recorded: Recorded, fact: k.DepartmentReportedIn) -> None:
    """报到."""
    _add(rows, fact.town, fact.department, reported_in=1, people=fact.people)


def filed(rows: Rows, recorded: Recorded, fact: k.CallResultFiled) -> None:
    """反馈."""
    _add(rows, fact.town, fact.department, filed=1, filed_late=int(fact.late), open=-1)


def missed(rows: Rows, recorded: Recorded, fact: k.CallClockMissed) -> None:
    """A clock ran out."""
    _add(rows, fact.town, fact.department, missed=1)


def completed(rows: Rows, recorded: Recorded, fact: k.CallCompleted) -> None:
    """Who only assisted is free again."""
    for department in fact.released:
        _add(rows, fact.town, department, open=-1)


def released(rows: Rows, recorded: Recorded, fact: k.CallReleased) -> None:
    """Who only assisted is free again."""
    for department in fact.departments:
        _add(rows, fact.town, department, open=-1)


def _add(rows: Rows, town: str, department: str, **counts: int) -> None:
    row = rows.get(town, department)
    if row is None:
        row = {"town": town, "department": department, **dict.fromkeys(COUNTS, 0)}
    added: dict[str, Any] = {name: row[name] + count for name, count in counts.items()}
    rows.put({**row, **added})


WORKLOAD = View(
    name="workload",
    version=1,
    purpose="how busy each department is, and how it keeps its clocks 工作量",
    key=("town", "department"),
    columns={"town": TEXT, "department": TEXT, **dict.fromkeys(COUNTS, INTEGER)},
    names_nobody=True,
    folds={
        "call.departments-called.v1": departments_called,
        "call.acknowledged.v1": acknowledged,
        "call.reported-in.v1": reported_in,
        "call.result-filed.v1": filed,
        "call.clock-missed.v1": missed,
        "call.completed.v1": completed,
        "call.released.v1": released,
    },
)
