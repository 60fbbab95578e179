"""上报件: every report with its receipt and what became of it; no words.

``attachments`` is how many files came with the report itself, ``files`` how many the resident attached after it.
"""

from events import report as r
from events.envelope import Recorded
from projections.view import FLAG, INTEGER, MOMENT, REAL, TEXT, Rows, View


def submitted(rows: Rows, recorded: Recorded, fact: r.ReportSubmitted) -> None:
    """A new report."""
    best = fact.suggestions[0] if fact.suggestions else None
    rows.put(
        REPORTS.row(
            report=recorded.stream,
            receipt=fact.receipt,
            source=fact.source,
            record=fact.record,
            channel=fact.channel,
            town=fact.town,
            village=fact.village,
            appeal=fact.appeal,
            anonymous=fact.anonymous,
            attachments=fact.attachments,
            files=0,
            claimed_matter=fact.matter or None,
            suggested_matter=best.matter if best else None,
            suggested_score=best.score if best else None,
            phase="received",
            reported_at=fact.reported_at,
            recorded_at=recorded.meta.recorded_at,
            position=recorded.position,
        )
    )


def accepted(rows: Rows, recorded: Recorded, fact: r.ReportAccepted) -> None:
    """It is our business."""
    rows.change(recorded.stream, phase="accepted")


def linked(rows: Rows, recorded: Recorded, fact: r.ReportLinked) -> None:
    """It has its case."""
    rows.change(recorded.stream, phase="linked", case=fact.case, supplement=fact.supplement)


def refused(rows: Rows, recorded: Recorded, fact: r.ReportRefused) -> None:
    """It is not our business."""
    rows.change(recorded.stream, phase="refused", refused_ground=fact.ground)


def file_attached(rows: Rows, recorded: Recorded, fact: r.FileAttached) -> None:
    """A photo, recording or document came after it."""
    row = rows.get(recorded.stream)
    if row is not None:
        rows.change(recorded.stream, files=row["files"] + 1)


def erased(rows: Rows, recorded: Recorded, fact: r.ReportErased) -> None:
    """The person behind it is forgotten."""
    rows.change(recorded.stream, erased_at=recorded.meta.recorded_at)


REPORTS = View(
    name="reports",
    version=2,
    purpose="every report with its receipt 上报件",
    key=("report",),
    columns={
        "report": TEXT,
        "receipt": TEXT,
        "source": TEXT,
        "record": TEXT,
        "channel": TEXT,
        "town": TEXT,
        "village": TEXT,
        "appeal": TEXT,
        "anonymous": FLAG,
        "attachments": INTEGER,
        "files": INTEGER,
        "claimed_matter": TEXT,
        "suggested_matter": TEXT,
        "suggested_score": REAL,
        "phase": TEXT,
        "case": TEXT,
        "supplement": FLAG,
        "refused_ground": TEXT,
        "reported_at": MOMENT,
        "recorded_at": MOMENT,
        "erased_at": MOMENT,
        "position": INTEGER,
    },
    opaque=frozenset({"position", "receipt"}),
    indexes=(("receipt",), ("case",)),
    folds={
        "report.submitted.v1": submitted,
        "report.accepted.v1": accepted,
        "report.linked.v1": linked,
        "report.refused.v1": refused,
        "report.file-attached.v1": file_attached,
        "report.erased.v1": erased,
    },
)
