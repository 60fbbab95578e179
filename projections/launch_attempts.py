"""向区呼叫: every attempt of a town to call the district; what the launch list refused feeds the next list."""

from events import case as c
from events.envelope import Recorded
from projections.view import INTEGER, MOMENT, TEXT, Rows, View


def called(rows: Rows, recorded: Recorded, fact: c.CaseDistrictCalled) -> None:
    """It was allowed, by the list or against it."""
    rows.put(
        LAUNCH_ATTEMPTS.row(
            case=recorded.stream,
            version=recorded.version,
            town=fact.tracker,
            matter=fact.matter,
            at=recorded.meta.recorded_at,
            outcome=fact.allowed,
            condition=fact.condition or None,
            bureau=fact.call.legs[0].department,
            list_version=fact.list_version,
        )
    )


def refused(rows: Rows, recorded: Recorded, fact: c.CaseDistrictCallRefused) -> None:
    """It was not."""
    rows.put(
        LAUNCH_ATTEMPTS.row(
            case=recorded.stream,
            version=recorded.version,
            town=fact.town,
            matter=fact.matter,
            at=recorded.meta.recorded_at,
            outcome="refused",
            condition=fact.condition or None,
            ground=fact.ground,
            list_version=fact.list_version,
        )
    )


LAUNCH_ATTEMPTS = View(
    name="launch_attempts",
    version=1,
    purpose="every attempt to call the district, and what the launch list said 启动清单",
    key=("case", "version"),
    columns={
        "case": TEXT,
        "version": INTEGER,
        "town": TEXT,
        "matter": TEXT,
        "at": MOMENT,
        "outcome": TEXT,
        "ground": TEXT,
        "condition": TEXT,
        "bureau": TEXT,
        "list_version": INTEGER,
    },
    indexes=(("matter", "outcome"), ("at",)),
    folds={"case.district-called.v1": called, "case.district-call-refused.v1": refused},
)
