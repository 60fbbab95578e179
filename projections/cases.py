"""事件现状: every case as it stands, one row each."""

from typing import Any

from events import case as c
from events.envelope import Recorded
from projections.view import FLAG, INTEGER, MOMENT, REAL, TEXT, Rows, View


def opened(rows: Rows, recorded: Recorded, fact: c.CaseOpened) -> None:
    """A new case."""
    rows.put(
        CASES.row(
            case=recorded.stream,
            report=fact.report,
            town=fact.town,
            village=fact.village,
            phase="registered",
            reports=1,
            attempt=0,
            calls=0,
            departments=0,
            follow_ups=0,
            reopenings=0,
            reported_at=fact.reported_at,
            opened_at=recorded.meta.recorded_at,
            configuration=recorded.meta.configuration,
            position=recorded.position,
        )
    )


def report_linked(rows: Rows, recorded: Recorded, fact: c.CaseReportLinked) -> None:
    """One more reporter, or one more word of the same."""
    row = rows.get(recorded.stream)
    if row is not None:
        _change(rows, recorded, reports=row["reports"] + 1)


def triage_queued(rows: Rows, recorded: Recorded, fact: c.CaseTriageQueued) -> None:
    """It waits for an operator."""
    _change(rows, recorded, phase="triage")


def classified(rows: Rows, recorded: Recorded, fact: c.CaseClassified) -> None:
    """What it is about."""
    _change(
        rows,
        recorded,
        phase="registered",
        matter=fact.matter,
        handling_class=fact.handling_class,
        visibility=fact.visibility,
        classified_by=fact.by,
        classified_at=recorded.meta.recorded_at,
        score=fact.score,
        result_due=fact.result.by,
        configuration=recorded.meta.configuration,
    )


def calls_issued(rows: Rows, recorded: Recorded, fact: c.CaseCallsIssued) -> None:
    """Platforms are called."""
    row = rows.get(recorded.stream)
    if row is not None:
        _change(
            rows,
            recorded,
            phase="calling",
            attempt=fact.attempt,
            called_at=row["called_at"] or recorded.meta.recorded_at,
            calls=row["calls"] + len(fact.calls),
            departments=row["departments"] + sum(len(call.legs) for call in fact.calls),
        )


def engaged(rows: Rows, recorded: Recorded, fact: c.CaseEngaged) -> None:
    """Everybody awaited has acknowledged."""
    if not fact.waiting_for:
        _change(rows, recorded, phase="in_progress", engaged_at=recorded.meta.recorded_at)


def call_completed(rows: Rows, recorded: Recorded, fact: c.CaseCallCompleted) -> None:
    """The lead says whether it is solved."""
    if fact.reply is not None:
        _change(rows, recorded, solved=fact.solved)


def result_submitted(rows: Rows, recorded: Recorded, fact: c.CaseResultSubmitted) -> None:
    """The result waits for review."""
    row = rows.get(recorded.stream)
    if row is not None:
        at = recorded.meta.recorded_at
        late = bool(fact.attempt == 1 and row["result_due"] and at > row["result_due"])
        _change(rows, recorded, phase="in_review", submitted_at=at, late=bool(row["late"]) or late)


def sent_back(rows: Rows, recorded: Recorded, fact: c.CaseResultSentBack | c.CaseReworkOrdered) -> None:
    """To be done again."""
    _change(rows, recorded, phase="rework")


def review_reopened(rows: Rows, recorded: Recorded, fact: c.CaseReviewReopened) -> None:
    """Back to the reviewer."""
    _change(rows, recorded, phase="in_review")


def resolved(rows: Rows, recorded: Recorded, fact: c.CaseResolved) -> None:
    """Reviewed; now the reporters are asked."""
    _change(rows, recorded, phase="resolved", reviewed_by=fact.by, resolved_at=recorded.meta.recorded_at)


def followed_up(rows: Rows, recorded: Recorded, fact: c.CaseFollowedUp) -> None:
    """A reporter was asked, or could not be reached."""
    row = rows.get(recorded.stream)
    if row is not None:
        answers: dict[str, Any] = {"satisfied": fact.satisfied} if fact.contacted else {}
        _change(rows, recorded, follow_ups=row["follow_ups"] + 1, **answers)


def closed(rows: Rows, recorded: Recorded, fact: c.CaseClosed) -> None:
    """The end."""
    _change(rows, recorded, phase="closed", closed_at=recorded.meta.recorded_at, close_reason=fact.reason)


def reopened(rows: Rows, recorded: Recorded, fact: c.CaseReopened) -> None:
    """Not the end after all."""
    _change(
        rows,
        recorded,
        phase="rework",
        reopenings=fact.reopening,
        closed_at=None,
        close_reason=None,
        result_due=fact.result.by,
    )


def _change(rows: Rows, recorded: Recorded, **values: Any) -> None:
    rows.change(recorded.stream, position=recorded.position, **values)


CASES = View(
    name="cases",
    version=2,
    purpose="every case as it stands 事件现状",
    key=("case",),
    columns={
        "case": TEXT,
        "report": TEXT,
        "town": TEXT,
        "village": TEXT,
        "matter": TEXT,
        "handling_class": TEXT,
        "visibility": TEXT,
        "phase": TEXT,
        "attempt": INTEGER,
        "reports": INTEGER,
        "calls": INTEGER,
        "departments": INTEGER,
        "follow_ups": INTEGER,
        "reopenings": INTEGER,
        "classified_by": TEXT,
        "score": REAL,
        "solved": TEXT,
        "satisfied": FLAG,
        "late": FLAG,
        "reviewed_by": TEXT,
        "close_reason": TEXT,
        "reported_at": MOMENT,
        "opened_at": MOMENT,
        "classified_at": MOMENT,
        "called_at": MOMENT,
        "engaged_at": MOMENT,
        "submitted_at": MOMENT,
        "resolved_at": MOMENT,
        "closed_at": MOMENT,
        "result_due": MOMENT,
        "configuration": TEXT,
        "position": INTEGER,
    },
    opaque=frozenset({"position"}),
    indexes=(("phase",), ("town", "phase"), ("matter",)),
    folds={
        "case.opened.v1": opened,
        "case.report-linked.v1": report_linked,
        "case.triage-queued.v1": triage_queued,
        "case.classified.v1": classified,
        "case.calls-issued.v1": calls_issued,
        "case.engaged.v1": engaged,
        "case.call-completed.v1": call_completed,
        "case.result-submitted.v1": result_submitted,
        "case.result-sent-back.v1": sent_back,
        "case.rework-ordered.v1": sent_back,
        "case.review-reopened.v1": review_reopened,
        "case.resolved.v1": resolved,
        "case.followed-up.v1": followed_up,
        "case.closed.v1": closed,
        "case.reopened.v1": reopened,
    },
)
