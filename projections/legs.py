"""分办单: every department's part of a call with its four clocks: due, actual, and who."""

from typing import Any

from events import call as k
from events.case import Due
from events.envelope import Recorded
from projections.view import FLAG, INTEGER, MOMENT, TEXT, Rows, View


def departments_called(rows: Rows, recorded: Recorded, fact: k.DepartmentsCalled) -> None:
    """One row for each department, with all its due times."""
    for leg in fact.legs:
        rows.put(
            LEGS.row(
                call=recorded.stream,
                department=leg.department,
                case=fact.case,
                town=fact.town,
                platform=fact.platform,
                handling_class=fact.handling_class,
                role=leg.role,
                required=leg.required,
                progress="called",
                missed=0,
                proofs=0,
                called_at=fact.called_at,
                acknowledge_due=leg.acknowledge.by,
                arrive_due=_by(leg.arrive),
                contact_due=_by(leg.contact),
                result_due=leg.result.by,
                position=recorded.position,
            )
        )


def acknowledged(rows: Rows, recorded: Recorded, fact: k.CallAcknowledged) -> None:
    """签收."""
    _change(
        rows,
        recorded,
        fact.department,
        progress="acknowledged",
        acknowledged_at=recorded.meta.recorded_at,
        acknowledged_by=fact.by,
        acknowledged_late=fact.late,
    )


def reported_in(rows: Rows, recorded: Recorded, fact: k.DepartmentReportedIn) -> None:
    """报到."""
    _change(
        rows,
        recorded,
        fact.department,
        progress="reported_in",
        reported_in_at=recorded.meta.recorded_at,
        reported_in_late=fact.late,
        people=fact.people,
    )


def contacted(rows: Rows, recorded: Recorded, fact: k.ReporterContacted) -> None:
    """首联."""
    _change(rows, recorded, fact.department, contacted_at=recorded.meta.recorded_at, contacted_late=fact.late)


def proven(rows: Rows, recorded: Recorded, fact: k.ProofAttached) -> None:
    """办结证明."""
    row = rows.get(recorded.stream, fact.department)
    if row is not None:
        _change(rows, recorded, fact.department, proofs=row["proofs"] + 1)


def filed(rows: Rows, recorded: Recorded, fact: k.CallResultFiled) -> None:
    """反馈."""
    _change(
        rows,
        recorded,
        fact.department,
        progress="filed",
        filed_at=recorded.meta.recorded_at,
        filed_by=fact.by,
        filed_late=fact.late,
        solved=fact.solved,
    )


def missed(rows: Rows, recorded: Recorded, fact: k.CallClockMissed) -> None:
    """A clock ran out."""
    row = rows.get(recorded.stream, fact.department)
    if row is not None:
        _change(rows, recorded, fact.department, missed=row["missed"] + 1)


def extended(rows: Rows, recorded: Recorded, fact: k.CallDueExtended) -> None:
    """It has longer than it was told."""
    due: dict[str, Any] = {f"{fact.clock}_due": fact.due.by}
    _change(rows, recorded, fact.department, **due)


def escalated(rows: Rows, recorded: Recorded, fact: k.CallEscalated) -> None:
    """Somebody higher knows."""
    _change(rows, recorded, fact.department, escalated_to=fact.post)


def completed(rows: Rows, recorded: Recorded, fact: k.CallCompleted) -> None:
    """Who only assisted may stop."""
    for department in fact.released:
        _change(rows, recorded, department, progress="released", released_at=recorded.meta.recorded_at)


def released(rows: Rows, recorded: Recorded, fact: k.CallReleased) -> None:
    """The case has its result."""
    for department in fact.departments:
        _change(rows, recorded, department, progress="released", released_at=recorded.meta.recorded_at)


def alerted(rows: Rows, recorded: Recorded, fact: k.CallAlerted) -> None:
    """提醒: an alert is under way."""
    _undelivered(rows, recorded, fact.department, "under_way")


def delivered(rows: Rows, recorded: Recorded, fact: k.CallDelivered) -> None:
    """送达: the first alert that arrives counts."""
    row = rows.get(recorded.stream, fact.department)
    if row is not None and row["delivered_at"] is None:
        _change(rows, recorded, fact.department, delivery="delivered", delivered_at=recorded.meta.recorded_at)


def delivery_failed(rows: Rows, recorded: Recorded, fact: k.CallDeliveryFailed) -> None:
    """未送达: why, unless another alert has arrived."""
    _undelivered(rows, recorded, fact.department, fact.reason)


def _undelivered(rows: Rows, recorded: Recorded, department: str, delivery: str) -> None:
    row = rows.get(recorded.stream, department)
    if row is not None and row["delivered_at"] is None:
        _change(rows, recorded, department, delivery=delivery)


def _change(rows: Rows, recorded: Recorded, department: str, **values: Any) -> None:
    rows.change(recorded.stream, department, position=recorded.position, **values)


def _by(due: Due | None) -> Any:
    return due.by if due is not None else None


LEGS = View(
    name="legs",
    version=3,
    purpose="every department's part of a call with its clocks 分办单",
    key=("call", "department"),
    columns={
        "call": TEXT,
        "department": TEXT,
        "case": TEXT,
        "town": TEXT,
        "platform": TEXT,
        "handling_class": TEXT,
        "role": TEXT,
        "required": FLAG,
        "progress": TEXT,
        "missed": INTEGER,
        "escalated_to": TEXT,
        "called_at": MOMENT,
        "delivery": TEXT,
        "delivered_at": MOMENT,
        "acknowledge_due": MOMENT,
        "acknowledged_at": MOMENT,
        "acknowledged_by": TEXT,
        "acknowledged_late": FLAG,
        "arrive_due": MOMENT,
        "reported_in_at": MOMENT,
        "reported_in_late": FLAG,
        "people": INTEGER,
        "contact_due": MOMENT,
        "contacted_at": MOMENT,
        "contacted_late": FLAG,
        "proofs": INTEGER,
        "result_due": MOMENT,
        "filed_at": MOMENT,
        "filed_by": TEXT,
        "filed_late": FLAG,
        "solved": TEXT,
        "released_at": MOMENT,
        "position": INTEGER,
    },
    opaque=frozenset({"position"}),
    indexes=(("case",), ("town", "department", "progress")),
    folds={
        "call.departments-called.v1": departments_called,
        "call.acknowledged.v1": acknowledged,
        "call.reported-in.v1": reported_in,
        "call.reporter-contacted.v1": contacted,
        "call.proof-attached.v1": proven,
        "call.result-filed.v1": filed,
        "call.clock-missed.v1": missed,
        "call.due-extended.v1": extended,
        "call.escalated.v1": escalated,
        "call.completed.v1": completed,
        "call.released.v1": released,
        "call.alerted.v1": alerted,
        "call.delivered.v1": delivered,
        "call.delivery-failed.v1": delivery_failed,
    },
)
