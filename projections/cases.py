"""事件现状: every case as it stands, one row each."""

from typing import Any

from events import call as k
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
            level="town",
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
            level="town",
            asked=None,
            attempt=fact.attempt,
            called_at=row["called_at"] or recorded.meta.recorded_at,
            calls=row["calls"] + len(fact.calls),
            departments=row["departments"] + sum(len(call.legs) for call in fact.calls),
        )


def village_started(rows: Rows, recorded: Recorded, fact: c.CaseVillageHandlingStarted) -> None:
    """The village handles it first."""
    _change(rows, recorded, phase="village_handling", level="village")


def village_resolved(rows: Rows, recorded: Recorded, fact: c.CaseVillageResolved) -> None:
    """The village says whether it is solved."""
    _change(rows, recorded, solved=fact.solved)


def went_up(rows: Rows, recorded: Recorded, fact: c.CaseEscalated) -> None:
    """From the village to the town."""
    _change(rows, recorded, phase="registered", level=fact.to)


def district_called(rows: Rows, recorded: Recorded, fact: c.CaseDistrictCalled) -> None:
    """The district is called, and the town tracks it to the end."""
    row = rows.get(recorded.stream)
    if row is not None:
        _change(
            rows,
            recorded,
            level="district",
            tracker=fact.tracker,
            district=fact.district,
            asked="called",
            list_version=fact.list_version,
            calls=row["calls"] + 1,
            departments=row["departments"] + len(fact.call.legs),
        )


def district_refused(rows: Rows, recorded: Recorded, fact: c.CaseDistrictCallRefused) -> None:
    """The launch list does not let the town call; it waits for a waiver."""
    _change(rows, recorded, district=fact.district, asked="refused", list_version=fact.list_version)


def waived(rows: Rows, recorded: Recorded, fact: c.LaunchWaiverGranted) -> None:
    """The town may call once against the list."""
    _change(rows, recorded, asked="waived")


def handed_down(rows: Rows, recorded: Recorded, fact: c.CaseHandedDown) -> None:
    """The town's alone again; it has been the district's too."""
    _change(rows, recorded, level="town", asked=None)


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
        late = bool(fact.attempt <= 1 and row["result_due"] and at > row["result_due"])
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


def extended(rows: Rows, recorded: Recorded, fact: k.CallDueExtended) -> None:
    """What was promised first is due later."""
    row = rows.get(fact.case)
    if fact.clock == "result" and row is not None and row["result_due"] == fact.was.by:
        rows.change(fact.case, result_due=fact.due.by, position=recorded.position)


def promise_extended(rows: Rows, recorded: Recorded, fact: c.CaseDueExtended) -> None:
    """What was promised is due later."""
    if fact.owes == "result":
        _change(rows, recorded, result_due=fact.due.by)


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
    version=5,
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
        "level": TEXT,
        "tracker": TEXT,
        "district": TEXT,
        "asked": TEXT,
        "list_version": INTEGER,
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
    indexes=(("phase",), ("town", "phase"), ("matter",), ("tracker",), ("level", "phase")),
    folds={
        "case.opened.v1": opened,
        "case.report-linked.v1": report_linked,
        "case.triage-queued.v1": triage_queued,
        "case.classified.v1": classified,
        "case.village-handling-started.v1": village_started,
        "case.village-resolved.v1": village_resolved,
        "case.escalated.v1": went_up,
        "case.district-called.v1": district_called,
        "case.district-call-refused.v1": district_refused,
        "case.launch-waiver-granted.v1": waived,
        "case.handed-down.v1": handed_down,
        "case.calls-issued.v1": calls_issued,
        "case.engaged.v1": engaged,
        "case.call-completed.v1": call_completed,
        "case.result-submitted.v1": result_submitted,
        "case.result-sent-back.v1": sent_back,
        "case.rework-ordered.v1": sent_back,
        "case.review-reopened.v1": review_reopened,
        "case.resolved.v1": resolved,
        "case.followed-up.v1": followed_up,
        "call.due-extended.v1": extended,
        "case.due-extended.v1": promise_extended,
        "case.closed.v1": closed,
        "case.reopened.v1": reopened,
    },
)
