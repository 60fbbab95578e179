"""The past: a case, its board and whole views as they stood at a position or time."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from events.case import CaseCallsIssued, CaseDistrictCalled, CaseOpened, CaseReportLinked
from events.envelope import Recorded
from events.ids import approval_of, mobilisation_of, outcome_of
from projections.all_views import VIEWS
from projections.runner import Progress, Views
from projections.view import Row, Rows
from services.runtime.log import Log
from services.runtime.places import Place, at


def position_at(log: Log, at: datetime) -> int:
    """The position of the newest fact recorded at or before ``at``; 0 when there is none.

    Times never run backwards in the log, so this looks at a handful of facts only.
    """
    low, high = 0, log.head()
    while low < high:
        middle = (low + high + 1) // 2
        if log.after(middle - 1, 1)[0].meta.recorded_at <= at:
            low = middle
        else:
            high = middle - 1
    return low


def facts_of_case(log: Log, case: str, stop: int) -> list[Recorded]:
    """Every fact about a case up to position ``stop``: of its reports, calls, turn-out, approval and notice too."""
    own = [recorded for recorded in log.stream(case) if recorded.position <= stop]
    streams: list[str] = [outcome_of(case), mobilisation_of(case), approval_of(case)]
    for recorded in own:
        match recorded.fact:
            case CaseOpened() | CaseReportLinked():
                streams.append(recorded.fact.report)
            case CaseCallsIssued():
                streams += [call.call for call in recorded.fact.calls]
            case CaseDistrictCalled():
                streams.append(recorded.fact.call.call)
    others = [recorded for stream in streams for recorded in log.stream(stream) if recorded.position <= stop]
    return sorted(own + others, key=lambda recorded: recorded.position)


def case_as_of(facts: Iterable[Recorded]) -> Mapping[str, list[Row]]:
    """The rows of every view about one case, folded in memory from its facts alone."""
    built = [(view, Rows(view.key, lambda key: None)) for view in VIEWS]
    for recorded in facts:
        for view, rows in built:
            fold = view.folds.get(recorded.name)
            if fold is not None:
                fold(rows, recorded, recorded.fact)
    found = {view.name: rows.take_changed(0)[0] for view, rows in built}
    found["timeline"].sort(key=lambda row: row["position"])
    return found


def views_as_of(log: Log, where: Path | Place, position: int, progress: Progress = lambda reached: None) -> Views:
    """All views as they stood at ``position``, in a scratch file or schema named by it; built once."""
    views = _scratch(*at(where).past(position))
    if position:
        views.catch_up(log, stop=position, progress=progress)
    return views


def _scratch(where: Path | str, schema: str) -> Views:
    return Views(where, VIEWS, schema)
