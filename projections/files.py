"""附件: every photo, recording and document that is attached to a report or shows what a department did; no names."""

from events import call as k
from events import report as r
from events.envelope import Recorded
from projections.view import INTEGER, MOMENT, TEXT, Rows, View


def attached(rows: Rows, recorded: Recorded, fact: r.FileAttached) -> None:
    """A resident's."""
    rows.put(
        FILES.row(
            stream=recorded.stream,
            version=recorded.version,
            case=fact.case,
            report=recorded.stream,
            file=fact.file,
            media_type=fact.media_type,
            size=fact.size,
            attached_at=recorded.meta.recorded_at,
            position=recorded.position,
        )
    )


def proven(rows: Rows, recorded: Recorded, fact: k.ProofAttached) -> None:
    """A department's."""
    rows.put(
        FILES.row(
            stream=recorded.stream,
            version=recorded.version,
            case=fact.case,
            call=recorded.stream,
            department=fact.department,
            file=fact.file,
            media_type=fact.media_type,
            size=fact.size,
            attached_at=recorded.meta.recorded_at,
            position=recorded.position,
        )
    )


FILES = View(
    name="files",
    version=1,
    purpose="every file attached to a report or by a department 附件",
    key=("stream", "version"),
    columns={
        "stream": TEXT,
        "version": INTEGER,
        "case": TEXT,
        "report": TEXT,
        "call": TEXT,
        "department": TEXT,
        "file": TEXT,
        "media_type": TEXT,
        "size": INTEGER,
        "attached_at": MOMENT,
        "position": INTEGER,
    },
    opaque=frozenset({"position", "file"}),
    folds={"report.file-attached.v1": attached, "call.proof-attached.v1": proven},
)
