"""呼叫单: every call of a platform for a case, one row each."""

from events import call as k
from events.envelope import Recorded
from projections.view import INTEGER, MOMENT, TEXT, Rows, View


def issued(rows: Rows, recorded: Recorded, fact: k.CallIssued) -> None:
    """A platform is called."""
    rows.put(
        CALLS.row(
            call=recorded.stream,
            case=fact.case,
            attempt=fact.attempt,
            platform=fact.platform,
            level=fact.level,
            town=fact.town,
            village=fact.village,
            matter=fact.matter,
            handling_class=fact.handling_class,
            phase="issued",
            departments=len(fact.legs),
            acknowledged=0,
            filed=0,
            missed=0,
            issued_at=recorded.meta.recorded_at,
            result_due=fact.result.by,
            position=recorded.position,
        )
    )


def departments_called(rows: Rows, recorded: Recorded, fact: k.DepartmentsCalled) -> None:
    """Its departments are called."""
    rows.change(recorded.stream, phase="called", called_at=fact.called_at)


def acknowledged(rows: Rows, recorded: Recorded, fact: k.CallAcknowledged) -> None:
    """One more department has it in hand."""
    row = rows.get(recorded.stream)
    if row is not None:
        rows.change(recorded.stream, acknowledged=row["acknowledged"] + 1)


def filed(rows: Rows, recorded: Recorded, fact: k.CallResultFiled) -> None:
    """One more department has filed."""
    row = rows.get(recorded.stream)
    if row is not None:
        rows.change(recorded.stream, filed=row["filed"] + 1)


def missed(rows: Rows, recorded: Recorded, fact: k.CallClockMissed) -> None:
    """One more clock ran out."""
    row = rows.get(recorded.stream)
    if row is not None:
        rows.change(recorded.stream, missed=row["missed"] + 1)


def extended(rows: Rows, recorded: Recorded, fact: k.CallDueExtended) -> None:
    """The result is due later."""
    if fact.clock == "result":
        rows.change(recorded.stream, result_due=fact.due.by)


def completed(rows: Rows, recorded: Recorded, fact: k.CallCompleted) -> None:
    """All required parts are in."""
    rows.change(recorded.stream, phase="completed", ended_at=recorded.meta.recorded_at, solved=fact.solved)


def released(rows: Rows, recorded: Recorded, fact: k.CallReleased) -> None:
    """No longer needed."""
    rows.change(recorded.stream, phase="released", ended_at=recorded.meta.recorded_at)


CALLS = View(
    name="calls",
    version=2,
    purpose="every call of a platform 呼叫单",
    key=("call",),
    columns={
        "call": TEXT,
        "case": TEXT,
        "attempt": INTEGER,
        "platform": TEXT,
        "level": TEXT,
        "town": TEXT,
        "village": TEXT,
        "matter": TEXT,
        "handling_class": TEXT,
        "phase": TEXT,
        "departments": INTEGER,
        "acknowledged": INTEGER,
        "filed": INTEGER,
        "missed": INTEGER,
        "solved": TEXT,
        "issued_at": MOMENT,
        "called_at": MOMENT,
        "ended_at": MOMENT,
        "result_due": MOMENT,
        "position": INTEGER,
    },
    opaque=frozenset({"position"}),
    indexes=(("case",), ("town", "platform", "phase")),
    folds={
        "call.issued.v1": issued,
        "call.departments-called.v1": departments_called,
        "call.acknowledged.v1": acknowledged,
        "call.result-filed.v1": filed,
        "call.clock-missed.v1": missed,
        "call.due-extended.v1": extended,
        "call.completed.v1": completed,
        "call.released.v1": released,
    },
)
