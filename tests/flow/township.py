"""What the flow tests do in a township: hand in reports, let everybody react, act, and look at what came of it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from typing import Any

from sqlalchemy import text

from events.edge import ReportLine
from events.envelope import Recorded, Request
from events.ids import case_of
from events.report import SubmitReport
from projections.runner import Views
from services.rules.book import RuleBook
from services.runtime import seal
from services.runtime.batch import Answer, Submission
from services.runtime.engine import Answered, Due
from services.runtime.log import Log
from services.runtime.vault import Vault
from services.simulation.people import Dice
from services.simulation.residents import invented_reports
from services.wiring import House
from tests.flow import stores

SOURCE = "desk"
_acts = count()
MONDAY_MORNING = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
"""Nine o'clock in Shanghai on a working day; the clock of every test's house stands there."""


def report_line(house: House, record: str, **fields: Any) -> ReportLine:
    """A report on a damaged road, by the sender's own claim of what it is about; every field can be given."""
    village = house.ledger.rules.district.villages[0].code
    given: dict[str, Any] = {"time": house.clock.now(), "title": "路面破损", "text": "村口路面塌了一块。"}
    given |= {"village": village, "matter": "602", "reporter": "resident-7"}
    return ReportLine(id=record, **(given | fields))


def submission(house: House, record: str, **fields: Any) -> Submission:
    """The line of `report_line`, as the desk hands it to the ledger."""
    return house.desk.submission(report_line(house, record, **fields), SOURCE, house.ledger.rules, house.clock.now())


def hand_in(house: House, record: str, **fields: Any) -> str:
    """Hand in a report; gives its stream. Nobody reacts yet."""
    submitted = submission(house, record, **fields)
    assert isinstance(submitted.request, SubmitReport)
    assert house.ledger.decide(submitted).status == "accepted"
    return submitted.request.report


def open_case(house: House, record: str, **fields: Any) -> str:
    """Hand in a report and let everybody react; gives the case that it opened."""
    report = hand_in(house, record, **fields)
    react(house)
    return case_of(report)


def act(house: House, request: Request, by: str = "somebody") -> Answer:
    """Have one request decided now, and let everybody react at this instant."""
    answer = house.ledger.decide(Submission(f"desk/act-{next(_acts)}", request, by))
    react(house)
    return answer


def react(house: House) -> None:
    """Everything that is due at this instant, and nothing later; then the views are current."""
    house.engine().run(until=house.clock.now())
    house.views.catch_up(house.log)


def pass_time(house: House, to: datetime) -> None:
    """Let everything happen that is due until ``to``; the clock stands there afterwards."""
    house.engine().run(until=to)
    move = getattr(house.clock, "move", None)
    assert move is not None, "only a virtual clock is moved"
    move(to)
    house.views.catch_up(house.log)


def row(house: House, view: str, **where: Any) -> dict[str, Any]:
    """The one row of a view that fits; times are text, as anyone finds them in the file."""
    found = rows(house.views, view, **where)
    assert len(found) == 1, f"expected one row of {view} where {where}, found {len(found)}"
    return found[0]


def rows(views: Views, view: str, **where: Any) -> list[dict[str, Any]]:
    """The rows of a view that fit, read as an analyst would, through the plain name."""
    condition = " AND ".join(f'"{column}" = :{column}' for column in where) or "1 = 1"
    with views.database.reading() as connection:
        found = connection.execute(text(f"SELECT * FROM {view} WHERE {condition}"), where)
        return [dict(row) for row in found.mappings()]


def names(facts: list[Recorded]) -> list[str]:
    """The wire names of facts, without their versions."""
    return [fact.name.removesuffix(".v1") for fact in facts]


def all_facts(log: Log, after: int = 0) -> list[Recorded]:
    """Everything in the log after a position."""
    return [recorded for batch in log.all_after(after) for recorded in batch]


def told(log: Log) -> list[tuple[str, str, int, datetime]]:
    """Everything that was said, without what differs from folder to folder: a vault's own keys and what they make."""
    return [
        (recorded.name, recorded.stream, recorded.version, recorded.meta.recorded_at)
        for recorded in all_facts(log)
        if not recorded.name.startswith("reporter.")
    ]


def counts(house: House) -> dict[str, int]:
    """How many rows each table of the log has."""
    tables = ("stored_events", "inbox", "timers", "seals")
    with house.log.reading() as cursor:
        return {table: cursor.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}


def keys(house: House) -> set[str]:
    """The streams whose keys the vault holds."""
    return set(stores.keys(house.place))


def stored(vault: Vault, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a question to the vault's own database finds."""
    with vault._database.reading() as cursor:
        return list(cursor.execute(sql, values).fetchall())


def timers(log: Log) -> dict[str, int]:
    """All waiting timers with their due times in microseconds."""
    with log.reading() as cursor:
        return dict(cursor.execute("SELECT id, due FROM timers").fetchall())


def settled(log: Log) -> None:
    """Assert what holds for every log: the chain is whole, and no position or version is lost or doubled."""
    facts = all_facts(log)
    versions: dict[str, int] = {}
    for recorded in facts:
        assert recorded.version == versions.get(recorded.stream, 0) + 1
        versions[recorded.stream] = recorded.version
    assert [recorded.position for recorded in facts] == list(range(1, len(facts) + 1))
    moments = [recorded.meta.recorded_at for recorded in facts]
    assert moments == sorted(moments)
    assert seal.verify(log).fault is None
    assert seal.verify(log).facts == len(facts)


def residents_lines(rules: RuleBook, start: datetime, many: int, seed: int = 1) -> Iterator[ReportLine]:
    """So many invented reports, always the same for a seed."""
    return islice(invented_reports(Dice(seed), rules, start, timedelta(hours=3)), many)


class Inputs:
    """A feed of prepared requests, each with the time at which it is due; keeps the answers."""

    def __init__(self, due: list[Due], at_once: int = 1000) -> None:
        self._due, self._at_once = list(due), at_once
        self.answers: list[Answered] = []

    def next_due(self) -> datetime | None:
        return self._due[0][0] if self._due else None

    def take(self, until: datetime, limit: int) -> list[Due]:
        taken = [due for due in self._due if due[0] <= until][: min(limit, self._at_once)]
        self._due = self._due[len(taken) :]
        return taken

    def answered(self, answers: list[Answered]) -> None:
        self.answers += answers

    def give_back(self, taken: list[Due]) -> None:
        self._due = taken + self._due
