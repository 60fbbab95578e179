"""The views: each fact counts once, whoever folds it; a new build stands beside the old; the past is where it was."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from events.envelope import Recorded
from projections import runner
from projections.all_views import VIEWS
from projections.cases import CASES
from projections.runner import Views
from projections.view import INTEGER, TEXT, Row, Rows, View
from services import history, reasons
from services.runtime.clock import VirtualClock
from services.wiring import House
from tests.flow.conftest import REPORTS
from tests.flow.township import MONDAY_MORNING, all_facts, hand_in, open_case, react, rows

OpenHouse = Callable[..., House]


class Stop(Exception):
    """Something went wrong while facts were folded."""


@pytest.fixture
def house(played: House) -> House:
    return played


class Shelf(Protocol):
    """Where a test's views stand, seen past them; an analyst would come this way."""

    def where(self, name: str) -> tuple[Path | str, str]:
        """The file or URL of the views of that name, and their schema."""
        ...

    def connect(self, name: str) -> Any:
        """A connection of the bare driver."""
        ...

    def tables(self, name: str) -> set[str]:
        """The tables there."""
        ...


class Files:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def where(self, name: str) -> tuple[Path | str, str]:
        return self._folder / f"{name}.db", ""

    def connect(self, name: str) -> Any:
        return sqlite3.connect(self._folder / f"{name}.db", isolation_level=None, timeout=30, check_same_thread=False)

    def tables(self, name: str) -> set[str]:
        return _first_column(self.connect(name), "SELECT name FROM sqlite_schema WHERE type = 'table'")


class Schemas:
    def __init__(self, url: str) -> None:
        self._url = url

    def where(self, name: str) -> tuple[Path | str, str]:
        return self._url, name

    def connect(self, name: str) -> Any:
        options = f"-c search_path={name}"
        return psycopg.connect(self._url, autocommit=True, prepare_threshold=None, options=options)

    def tables(self, name: str) -> set[str]:
        return _first_column(self.connect(name), f"SELECT tablename FROM pg_tables WHERE schemaname = '{name}'")


def _first_column(connection: Any, sql: str) -> set[str]:
    try:
        return {row[0] for row in connection.execute(sql)}
    finally:
        connection.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    """A place for views on each kind of database."""
    if request.param == "sqlite":
        return Files(tmp_path)
    return Schemas(request.getfixturevalue("postgres_url"))


@pytest.fixture
def opened(shelf: Shelf) -> Iterator[Callable[..., Views]]:
    """Opens views of this test; opened again under the same name they are the same."""
    kept: list[Views] = []

    def open_it(views: Sequence[View] = VIEWS, name: str = "views") -> Views:
        where, schema = shelf.where(name)
        kept.append(Views(where, views, schema))
        return kept[-1]

    yield open_it
    for views in kept:
        views.close()


class First:
    """Only the first facts of a log, as if the others were not there yet."""

    def __init__(self, facts: Sequence[Recorded], many: int) -> None:
        self._facts = facts[:many]

    def after(self, position: int, limit: int = 1000, stop: int | None = None) -> Sequence[Recorded]:
        return self._facts[position : len(self._facts) if stop is None else stop][:limit]


def raising_at(position: int, broken: list[bool]) -> View:
    """A view that hears of acknowledgements, and cannot fold the first one after a position while it is broken."""

    def fold(rows: Rows, recorded: Recorded, fact: Any) -> None:
        rows.put({"call": recorded.stream, "department": fact.department, "position": recorded.position})
        if broken and recorded.position > position:
            raise Stop

    return View(
        name="fragile",
        version=1,
        purpose="a view of the test's own",
        key=("call", "department"),
        columns={"call": TEXT, "department": TEXT, "position": INTEGER},
        folds={"call.acknowledged.v1": fold},
    )


# Exactly once


def test_folding_in_one_pass_or_in_many_small_ones_gives_the_same_rows(
    house: House, opened: Callable[..., Views], monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once, bit_by_bit = opened(), opened(name="other")

    at_once.catch_up(house.log)
    monkeypatch.setattr(runner, "BATCH", 7)
    monkeypatch.setattr(runner, "KEPT_ROWS", 3)
    bit_by_bit.catch_up(house.log)

    assert at_once.digest() == bit_by_bit.digest() == house.views.digest()
    assert set(bit_by_bit.positions().values()) == {house.log.head()}


def test_catching_up_when_nothing_is_new_changes_nothing(house: House, opened: Callable[..., Views]) -> None:
    views = opened()
    views.catch_up(house.log)
    before = views.digest()

    reached = views.catch_up(house.log)

    assert reached == house.log.head()
    assert views.digest() == before


def test_facts_that_were_folded_already_are_not_folded_again(house: House, opened: Callable[..., Views]) -> None:
    views = opened()
    views.catch_up(house.log, stop=1800)
    facts = all_facts(house.log)

    views.fold(facts[:1800])
    views.fold(facts[1700:1900])
    views.fold(facts[1750:2000])

    assert set(views.positions().values()) == {2000}
    views.catch_up(house.log)
    assert views.digest() == house.views.digest()


def test_facts_that_would_leave_a_gap_are_not_folded(house: House, opened: Callable[..., Views]) -> None:
    views = opened()
    views.catch_up(house.log, stop=1700)

    views.fold(all_facts(house.log)[1750:1800])

    assert set(views.positions().values()) == {1700}


def test_two_writers_on_one_database_that_take_turns_fold_each_fact_once(
    house: House, opened: Callable[..., Views]
) -> None:
    writers = [opened(), opened()]

    for n, position in enumerate(range(40, house.log.head() + 40, 40)):
        writers[n % 2].catch_up(house.log, stop=min(position, house.log.head()))

    assert writers[0].digest() == writers[1].digest() == house.views.digest()


def test_two_writers_on_one_database_at_once_fold_each_fact_once(
    house: House, opened: Callable[..., Views], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "BATCH", 20)
    writers = [opened(), opened()]
    together = threading.Barrier(2)
    failures: list[BaseException] = []

    def catch_up(views: Views) -> None:
        together.wait()
        try:
            views.catch_up(house.log)
        except BaseException as error:  # noqa: BLE001 - it is looked at in the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=catch_up, args=(views,)) for views in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert failures == []
    assert writers[0].digest() == writers[1].digest() == house.views.digest()


def test_a_fold_that_fails_leaves_rows_and_positions_as_they_were_and_a_retry_gives_the_same_rows(
    house: House, opened: Callable[..., Views]
) -> None:
    broken = [True]
    views = opened((*VIEWS, raising_at(1850, broken)))
    views.catch_up(house.log, stop=1840)
    before = views.digest(), views.positions()

    for _ in range(3):
        with pytest.raises(Stop):
            views.catch_up(house.log)
    assert (views.digest(), views.positions()) == before
    broken.clear()
    views.catch_up(house.log)

    untroubled = opened((*VIEWS, raising_at(0, broken)), name="other")
    untroubled.catch_up(house.log)
    assert views.digest() == untroubled.digest()
    assert {name: views.digest()[name] for name in house.views.digest()} == house.views.digest()


def test_a_view_that_is_added_later_catches_up_with_the_others(house: House, opened: Callable[..., Views]) -> None:
    views = opened(VIEWS[:3])
    views.catch_up(house.log, stop=1900)
    views.close()

    more = opened()
    before = more.positions()
    more.catch_up(house.log)

    assert set(before.values()) == {0, 1900}
    assert more.digest() == house.views.digest()


# Builds beside builds


def test_a_rebuild_gives_the_same_rows_and_leaves_one_build_of_each_view(
    house: House, opened: Callable[..., Views], shelf: Shelf
) -> None:
    views = opened()
    views.catch_up(house.log)

    for _ in range(2):
        views.rebuild(house.log)

    assert views.digest() == house.views.digest()
    assert shelf.tables("views") == {"builds"} | {f"{view.name}_v{view.version}_2" for view in VIEWS}


def test_a_rebuild_that_was_cut_off_is_finished_when_the_views_are_opened_again(
    house: House, opened: Callable[..., Views], monkeypatch: pytest.MonkeyPatch, shelf: Shelf
) -> None:
    monkeypatch.setattr(runner, "BATCH", 100)
    views = opened()
    views.catch_up(house.log)
    reached: list[int] = []

    def stop(position: int) -> None:
        reached.append(position)
        if position >= 300:
            raise Stop

    with pytest.raises(Stop):
        views.rebuild(house.log, stop)
    served = rows(views, "cases")
    views.close()
    again = opened()
    assert rows(again, "cases") == served
    assert set(again.positions().values()) == {house.log.head()}
    again.catch_up(house.log, progress=reached.append)

    assert reached == [100, 200, 300, *(min(p, house.log.head()) for p in range(400, house.log.head() + 100, 100))]
    assert again.digest() == house.views.digest()
    assert shelf.tables("views") == {"builds"} | {f"{view.name}_v{view.version}_1" for view in VIEWS}


def test_one_process_goes_on_after_another_has_rebuilt_the_views(house: House, opened: Callable[..., Views]) -> None:
    one, other = opened(), opened()
    one.catch_up(house.log, stop=1900)

    other.rebuild(house.log)
    one.catch_up(house.log)

    assert one.digest() == house.views.digest()


def next_version() -> View:
    """The cases with one column more."""

    def opened(rows: Rows, recorded: Recorded, fact: Any) -> None:
        CASES.folds["case.opened.v1"](rows, recorded, fact)
        rows.change(recorded.stream, first_report=fact.report)

    return View(
        name=CASES.name,
        version=CASES.version + 1,
        purpose=CASES.purpose,
        key=CASES.key,
        columns={**CASES.columns, "first_report": TEXT},
        folds={**CASES.folds, "case.opened.v1": opened},
        opaque=CASES.opaque,
        indexes=CASES.indexes,
    )


class Reader(threading.Thread):
    """Queries a view by its plain name all the time, with a connection of its own, as an analyst would."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__()
        self._connection = shelf.connect("views")
        self._done = threading.Event()
        self.begun = threading.Event()
        self.queries = 0
        self.counted: set[int] = set()
        self.columns: list[tuple[str, ...]] = []
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            while not self._done.is_set():
                found = self._connection.execute("SELECT * FROM cases")
                columns = tuple(column[0] for column in found.description)
                if columns not in self.columns:
                    self.columns.append(columns)
                self.counted.add(len(found.fetchall()))
                self.queries += 1
                self.begun.set()
        except (sqlite3.Error, psycopg.Error) as error:
            self.failure = error

    def stop(self) -> None:
        """Query once more, and end."""
        queries, deadline = self.queries, threading.Event()
        while self.is_alive() and self.queries < queries + 2:
            deadline.wait(0.001)
        self._done.set()
        self.join(timeout=30)
        self._connection.close()


def test_a_raised_version_is_built_beside_the_old_one_and_no_reader_ever_finds_nothing_or_an_error(
    house: House, opened: Callable[..., Views], monkeypatch: pytest.MonkeyPatch, shelf: Shelf
) -> None:
    monkeypatch.setattr(runner, "BATCH", 10)
    opened().catch_up(house.log)
    many = len(rows(house.views, "cases"))
    reader = Reader(shelf)
    reader.start()
    assert reader.begun.wait(timeout=30)

    raised = next_version()
    views = opened((raised, *(view for view in VIEWS if view is not CASES)))
    assert views.positions()["cases"] == house.log.head()
    views.catch_up(house.log)
    reader.stop()

    assert reader.failure is None
    assert reader.counted == {many}
    assert reader.columns == [tuple(CASES.columns), tuple(raised.columns)]
    assert {found["first_report"] for found in rows(views, "cases")} == {
        found["report"] for found in rows(house.views, "cases")
    }
    assert f"cases_v{CASES.version}" not in shelf.tables("views")
    assert {name: digest for name, digest in views.digest().items() if name != "cases"} == {
        name: digest for name, digest in house.views.digest().items() if name != "cases"
    }


def test_while_a_raised_version_is_being_built_readers_see_the_old_one(
    house: House, opened: Callable[..., Views], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "BATCH", 100)
    opened([CASES]).catch_up(house.log)
    seen: list[Row] = []

    views = opened([next_version()])
    views.catch_up(house.log, progress=lambda position: seen.append(rows(views, "cases")[0]))

    assert len(seen) > 3
    assert all("first_report" not in found for found in seen)
    assert "first_report" in rows(views, "cases")[0]


# The past


def positions(house: House) -> list[int]:
    head = house.log.head()
    return [1, 2, 50, head // 3, head // 2, head - 1, head]


def test_views_as_of_a_position_are_those_of_a_log_that_ends_there(
    house: House, opened: Callable[..., Views], tmp_path: Path
) -> None:
    facts = all_facts(house.log)

    for position in positions(house):
        then = history.views_as_of(house.log, tmp_path, position)
        built = opened(name=f"first_{position}")
        built.catch_up(First(facts, position))

        assert then.digest() == built.digest()
        assert set(then.positions().values()) == {position}
        then.close()


def test_views_as_of_a_position_are_there_at_once_the_second_time_and_finished_if_they_were_cut_off(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "BATCH", 50)
    reached: list[int] = []

    def stop(position: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        history.views_as_of(house.log, tmp_path, 200, stop)
    finished = history.views_as_of(house.log, tmp_path, 200, reached.append)
    digest = finished.digest()
    finished.close()
    again = history.views_as_of(house.log, tmp_path, 200, reached.append)

    assert reached == [100, 150, 200]
    assert again.digest() == digest
    again.close()


def test_before_the_first_fact_every_view_is_empty(house: House, tmp_path: Path) -> None:
    then = history.views_as_of(house.log, tmp_path, 0)

    assert all(rows(then, view.name) == [] for view in VIEWS)
    then.close()


def of_case(views: Views, view: View, case: str) -> list[Row]:
    """The rows of a built view about a case."""
    build = views._builds[view.name]
    with views.database.reading() as connection:
        found = connection.execute(select(build.table).where(build.table.c.case == case)).mappings()
        return sorted((dict(row) for row in found), key=lambda row: [row[column] for column in view.key])


def test_a_case_as_of_a_position_is_what_whole_views_say_of_it(house: House, tmp_path: Path) -> None:
    about_a_case = [view for view in VIEWS if "case" in view.columns]
    checked = 0

    for position in positions(house)[3:]:
        then = history.views_as_of(house.log, tmp_path, position)
        for case in [found["case"] for found in rows(then, "cases")]:
            folded = history.case_as_of(history.facts_of_case(house.log, case, position))
            for view in about_a_case:
                found = [row for row in folded[view.name] if row["case"] == case]  # a report may not know its case yet
                of_one = sorted(found, key=lambda row, key=view.key: [row[column] for column in key])
                assert of_one == of_case(then, view, case), view.name
            assert [row["position"] for row in folded["timeline"]] == sorted(
                row["position"] for row in folded["timeline"]
            )
            checked += 1
        then.close()

    assert {view.name for view in VIEWS if view not in about_a_case} == {
        "workload",
        "people",
        "secondments",
        "party_organisations",
        "roster",
        "shifts",
        "gaps",
        "responders",
    }
    assert checked > REPORTS


def test_two_reports_in_one_case_are_both_in_its_past(open_house: OpenHouse) -> None:
    told = open_house()
    case = open_case(told, "1")
    second = hand_in(told, "2")
    react(told)

    folded = history.case_as_of(history.facts_of_case(told.log, case, told.log.head()))

    assert len(folded["reports"]) == 2
    assert {found["case"] for found in folded["reports"]} == {case}
    assert second in {found["report"] for found in folded["reports"]}


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True), microseconds=st.sampled_from([0, 1, -1, 10**6, -(10**6), 10**12]))
def test_the_position_at_a_time_is_that_of_the_newest_fact_recorded_by_then(
    house: House, share: float, microseconds: int
) -> None:
    facts = all_facts(house.log)
    at = facts[int(share * len(facts))].meta.recorded_at + timedelta(microseconds=microseconds)

    found = history.position_at(house.log, at)

    assert found == sum(fact.meta.recorded_at <= at for fact in facts)


def test_an_empty_log_has_no_position_at_any_time(tmp_path: Path) -> None:
    with House(tmp_path, VirtualClock(MONDAY_MORNING)) as empty:
        assert history.position_at(empty.log, MONDAY_MORNING) == 0


def test_why_a_case_is_as_it_is_can_be_said_of_every_case_in_both_languages(house: House) -> None:
    for case in [found["case"] for found in rows(house.views, "cases")]:
        facts = history.facts_of_case(house.log, case, house.log.head())

        sentences = reasons.explain(house.log, facts)

        assert len(sentences) >= 3
        assert all(sentence["zh"] and sentence["en"] for sentence in sentences)
        assert all(one["at"] <= other["at"] for one, other in pairwise(sentences))
