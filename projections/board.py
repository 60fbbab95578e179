"""看板: what is open, who owes what until when. A row goes when its duty is done."""

from datetime import datetime
from typing import Any

from events import call as k
from events import case as c
from events import outcome as o
from events.case import Due
from events.envelope import Recorded
from projections.view import FLAG, INTEGER, MOMENT, TEXT, Rows, View

CENTRE = "command_centre"
VILLAGE = "village"
DISCLOSURE = "disclosure"


def opened(rows: Rows, recorded: Recorded, fact: c.CaseOpened) -> None:
    """The command centre owes a decision what it is about."""
    _owe(rows, recorded, recorded.stream, CENTRE, "classify", None, town=fact.town, village=fact.village)


def classified(rows: Rows, recorded: Recorded, fact: c.CaseClassified) -> None:
    """Then the platforms are called."""
    row = rows.get(recorded.stream, CENTRE)
    if row is not None:
        row = {**row, "matter": fact.matter, "handling_class": fact.handling_class}
        rows.put({**row, "owes": "result", "due": fact.result.by, "overdue": False, "since": recorded.meta.recorded_at})


def village_started(rows: Rows, recorded: Recorded, fact: c.CaseVillageHandlingStarted) -> None:
    """The village owes it first."""
    _owe(
        rows,
        recorded,
        recorded.stream,
        VILLAGE,
        "village",
        fact.due,
        town=fact.town,
        village=fact.village,
        matter=fact.matter,
        handling_class=fact.handling_class,
    )


def village_done(rows: Rows, recorded: Recorded, fact: c.CaseVillageResolved | c.CaseEscalated) -> None:
    """It is done, or the town's now."""
    rows.delete(recorded.stream, VILLAGE)


def departments_called(rows: Rows, recorded: Recorded, fact: k.DepartmentsCalled) -> None:
    """Every called department owes an acknowledgement."""
    centre = rows.get(fact.case, CENTRE) or {}
    for leg in fact.legs:
        rows.put(
            BOARD.row(
                case=fact.case,
                owner=leg.department,
                call=recorded.stream,
                town=fact.town,
                village=centre.get("village"),
                matter=centre.get("matter"),
                handling_class=fact.handling_class,
                platform=fact.platform,
                role=leg.role,
                owes="acknowledge",
                due=leg.acknowledge.by,
                then_arrive=leg.arrive.by if leg.arrive else None,
                then_result=leg.result.by,
                overdue=False,
                escalated=0,
                since=fact.called_at,
                position=recorded.position,
            )
        )


def acknowledged(rows: Rows, recorded: Recorded, fact: k.CallAcknowledged) -> None:
    """Next it owes to come, or the result."""
    row = rows.get(fact.case, fact.department)
    if row is not None:
        owes = "arrive" if row["then_arrive"] else "result"
        _now_owes(rows, recorded, fact.case, fact.department, owes, row[f"then_{owes}"])


def reported_in(rows: Rows, recorded: Recorded, fact: k.DepartmentReportedIn) -> None:
    """Next it owes the result."""
    row = rows.get(fact.case, fact.department)
    if row is not None:
        _now_owes(rows, recorded, fact.case, fact.department, "result", row["then_result"])


def missed(rows: Rows, recorded: Recorded, fact: k.CallClockMissed) -> None:
    """It is late."""
    row = rows.get(fact.case, fact.department)
    if row is not None and row["owes"] == fact.clock:
        rows.change(fact.case, fact.department, overdue=True)


def extended(rows: Rows, recorded: Recorded, fact: k.CallDueExtended) -> None:
    """The department has longer; so has the centre for a result, if it is the same promise."""
    row = rows.get(fact.case, fact.department)
    if row is not None:
        changed = {f"then_{fact.clock}": fact.due.by} if fact.clock in ("arrive", "result") else {}
        now = {"due": fact.due.by, "overdue": False} if row["owes"] == fact.clock else {}
        rows.change(fact.case, fact.department, **changed, **now)
    centre = rows.get(fact.case, CENTRE)
    if fact.clock == "result" and centre is not None and (centre["owes"], centre["due"]) == ("result", fact.was.by):
        rows.change(fact.case, CENTRE, due=fact.due.by, overdue=False)


def case_extended(rows: Rows, recorded: Recorded, fact: c.CaseDueExtended) -> None:
    """The centre, or the village, has longer."""
    owner = VILLAGE if fact.owes == "village" else CENTRE
    row = rows.get(recorded.stream, owner)
    if row is not None and row["owes"] == fact.owes:
        rows.change(recorded.stream, owner, due=fact.due.by, overdue=False)


def escalated(rows: Rows, recorded: Recorded, fact: k.CallEscalated) -> None:
    """Somebody higher knows."""
    row = rows.get(fact.case, fact.department)
    if row is not None and row["owes"] == fact.clock:
        rows.change(fact.case, fact.department, escalated=fact.step)


def filed(rows: Rows, recorded: Recorded, fact: k.CallResultFiled) -> None:
    """It owes nothing more."""
    rows.delete(fact.case, fact.department)


def completed(rows: Rows, recorded: Recorded, fact: k.CallCompleted) -> None:
    """Who only assisted owes nothing more."""
    for department in fact.released:
        rows.delete(fact.case, department)


def released(rows: Rows, recorded: Recorded, fact: k.CallReleased) -> None:
    """Who only assisted owes nothing more."""
    for department in fact.departments:
        rows.delete(fact.case, department)


def to_review(rows: Rows, recorded: Recorded, fact: c.CaseResultSubmitted | c.CaseReviewReopened) -> None:
    """The command centre owes a review."""
    _now_owes(rows, recorded, recorded.stream, CENTRE, "review", fact.review.by)


def to_rework(rows: Rows, recorded: Recorded, fact: c.CaseResultSentBack | c.CaseReworkOrdered) -> None:
    """The result is owed again."""
    _now_owes(rows, recorded, recorded.stream, CENTRE, "result", None)


def resolved(rows: Rows, recorded: Recorded, fact: c.CaseResolved) -> None:
    """The command centre owes a follow-up."""
    _now_owes(rows, recorded, recorded.stream, CENTRE, "follow_up", fact.follow_up.by)


def closed(rows: Rows, recorded: Recorded, fact: c.CaseClosed) -> None:
    """Nothing is owed any more."""
    rows.delete(recorded.stream, CENTRE)


def reopened(rows: Rows, recorded: Recorded, fact: c.CaseReopened) -> None:
    """The result is owed again, by a case that was gone from the board."""
    _owe(
        rows,
        recorded,
        recorded.stream,
        CENTRE,
        "result",
        fact.result,
        town=fact.town,
        village=fact.village,
        matter=fact.matter,
        handling_class=fact.handling_class,
    )


def drafted(rows: Rows, recorded: Recorded, fact: o.OutcomeDrafted) -> None:
    """A second person owes a decision on the notice."""
    _owe(
        rows,
        recorded,
        fact.case,
        DISCLOSURE,
        "disclose",
        fact.disclose,
        town=fact.town,
        village=fact.village,
        matter=fact.matter,
    )


def disclosed(rows: Rows, recorded: Recorded, fact: o.OutcomePublished | o.OutcomeWithheld) -> None:
    """The notice is decided."""
    rows.delete(fact.case, DISCLOSURE)


def _owe(rows: Rows, recorded: Recorded, case: str, owner: str, owes: str, due: Due | None, **values: Any) -> None:
    rows.put(
        BOARD.row(
            case=case,
            owner=owner,
            owes=owes,
            due=due.by if due else None,
            overdue=False,
            escalated=0,
            since=recorded.meta.recorded_at,
            position=recorded.position,
            **values,
        )
    )


def _now_owes(rows: Rows, recorded: Recorded, case: str, owner: str, owes: str, due: datetime | None) -> None:
    late = due is not None and recorded.meta.recorded_at > due
    rows.change(
        case,
        owner,
        owes=owes,
        due=due,
        overdue=late,
        escalated=0,
        since=recorded.meta.recorded_at,
        position=recorded.position,
    )


BOARD = View(
    name="board",
    version=4,
    purpose="what is open, who owes what until when 看板",
    key=("case", "owner"),
    columns={
        "case": TEXT,
        "owner": TEXT,
        "call": TEXT,
        "town": TEXT,
        "village": TEXT,
        "matter": TEXT,
        "handling_class": TEXT,
        "platform": TEXT,
        "role": TEXT,
        "owes": TEXT,
        "due": MOMENT,
        "overdue": FLAG,
        "escalated": INTEGER,
        "since": MOMENT,
        "then_arrive": MOMENT,
        "then_result": MOMENT,
        "position": INTEGER,
    },
    opaque=frozenset({"position"}),
    indexes=(("due",), ("town", "owner")),
    folds={
        "case.opened.v1": opened,
        "case.classified.v1": classified,
        "case.village-handling-started.v1": village_started,
        "case.village-resolved.v1": village_done,
        "case.escalated.v1": village_done,
        "call.departments-called.v1": departments_called,
        "call.acknowledged.v1": acknowledged,
        "call.reported-in.v1": reported_in,
        "call.clock-missed.v1": missed,
        "call.due-extended.v1": extended,
        "case.due-extended.v1": case_extended,
        "call.escalated.v1": escalated,
        "call.result-filed.v1": filed,
        "call.completed.v1": completed,
        "call.released.v1": released,
        "case.result-submitted.v1": to_review,
        "case.review-reopened.v1": to_review,
        "case.result-sent-back.v1": to_rework,
        "case.rework-ordered.v1": to_rework,
        "case.resolved.v1": resolved,
        "case.closed.v1": closed,
        "case.reopened.v1": reopened,
        "outcome.drafted.v1": drafted,
        "outcome.published.v1": disclosed,
        "outcome.withheld.v1": disclosed,
    },
)
