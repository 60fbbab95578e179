"""The views on PostgreSQL: they answer as those in a file do, show analysts what they may see, and outlive a server."""

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import SQLAlchemyError

from deploy.servers import PostgresServer
from events.envelope import Recorded
from projections import postgres as adapter
from projections import runner
from projections.all_views import VIEWS
from projections.cases import CASES
from projections.database import open_database
from projections.queries import Questions
from projections.runner import Views
from projections.store import Locked, Unavailable
from projections.view import BYTES, FLAG, INTEGER, MOMENT, REAL, TEXT, Rows, View
from services.provisioning import roles
from services.provisioning.secret import Secret
from services.wiring import House
from tests.flow.township import all_facts, rows
from tests.proxy import Proxy

SECRET = Secret(b"0123456789abcdef0123456789abcdef")

FOR_ANALYSTS = [view for view in VIEWS if "case" in view.columns or view.names_nobody]


class Listed:
    """A log of prepared facts."""

    def __init__(self, facts: Sequence[Recorded]) -> None:
        self._facts = facts

    def after(self, position: int, limit: int = 1000, stop: int | None = None) -> Sequence[Recorded]:
        return self._facts[position : len(self._facts) if stop is None else stop][:limit]


@pytest.fixture(scope="session")
def log(played: House) -> Listed:
    """Everything that happened in the township, in memory: a log that any thread may read."""
    return Listed(all_facts(played.log))


@pytest.fixture
def head(played: House) -> int:
    return played.log.head()


@pytest.fixture
def opened() -> Iterator[Callable[..., Views]]:
    """Opens views, and closes them after the test."""
    kept: list[Views] = []

    def open_it(where: Path | str, views: Sequence[View] = VIEWS, schema: str = "views") -> Views:
        kept.append(Views(where, views, schema))
        return kept[-1]

    yield open_it
    for views in kept:
        views.close()


@pytest.fixture
def views(postgres_url: str, opened: Callable[..., Views], log: Listed) -> Views:
    """All views on PostgreSQL, current, for this test alone."""
    current = opened(postgres_url)
    current.catch_up(log)
    return current


Provide = Callable[[str], Callable[[str], str]]


@pytest.fixture(scope="module")
def provide(postgres: PostgresServer) -> Iterator[Provide]:
    """Gives a database the roles and schemas that an installation has; gives the URL of each role there."""

    def provide_it(url: str) -> Callable[[str], str]:
        roles.apply(url, SECRET)
        return lambda role: postgres.url(role, SECRET.password(role), url.rpartition("/")[2])

    yield provide_it
    for role in (roles.LOG, roles.VIEWS, roles.VAULT, roles.ANALYST):
        told(postgres.url(), f"DROP ROLE {role}")


@pytest.fixture
def provided(provide: Provide, postgres_url: str) -> Callable[[str], str]:
    """A database with roles and schemas for this test alone; gives the URL of a role there."""
    return provide(postgres_url)


@pytest.fixture(scope="module")
def shared(postgres: PostgresServer, provide: Provide, log: Listed) -> Iterator[Callable[[str], str]]:
    """A database with roles and current views that tests only try to change; gives the URL of a role there."""
    url_of = provide(postgres.create_database("shared", icu_locale="zh"))
    views = Views(url_of(roles.VIEWS), VIEWS)
    views.catch_up(log)
    views.close()
    yield url_of
    postgres.drop_database("shared")


@pytest.fixture
def shared_views(shared: Callable[[str], str], opened: Callable[..., Views]) -> Views:
    return opened(shared(roles.VIEWS))


@pytest.fixture
def analyst(shared: Callable[[str], str]) -> Iterator[Any]:
    """An analyst's connection to current views."""
    with psycopg.connect(shared(roles.ANALYST), autocommit=True, prepare_threshold=None) as connection:
        yield connection


def told(url: str, statement: str) -> list[Any]:
    """What the server answers to the role of this URL."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(statement)
        return found.fetchall() if found.description else []


# The same


def strange(values: Sequence[tuple[Any, ...]]) -> View:
    """A view of one column of each form, in which each fact leaves a row of given values."""

    def fold(found: Rows, recorded: Recorded, fact: Any) -> None:
        key, text, integer, real, flag, raw, moment = values[recorded.position % len(values)]
        found.put(
            {
                "key": key,
                "text": text,
                "integer": integer,
                "real": real,
                "flag": flag,
                "bytes": raw,
                "moment": None if moment is None else recorded.meta.recorded_at + moment,
            }
        )

    forms = {"text": TEXT, "integer": INTEGER, "real": REAL, "flag": FLAG, "bytes": BYTES, "moment": MOMENT}
    return View(
        name="strange",
        version=1,
        purpose="a view of the test's own",
        key=("key",),
        columns={"key": TEXT, **forms},
        folds={"call.acknowledged.v1": fold},
        indexes=(("text", "moment"),),
    )


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ROWS = st.tuples(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
    st.none() | TEXTS,
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.booleans(),
    st.none() | st.binary(max_size=20),
    st.none() | st.timedeltas(timedelta(days=-9000), timedelta(days=9000)),
)


@settings(
    max_examples=15,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(values=st.lists(ROWS, min_size=1, max_size=30))
@example(values=[("nothing at all", "", 0, 0.0, False, b"", timedelta(0))])
def test_any_values_have_the_same_order_and_digest_in_a_file_and_on_postgresql(
    values: list[tuple[Any, ...]], log: Listed, tmp_path: Path, postgres_url: str, opened: Callable[..., Views]
) -> None:
    name = f"strange_{uuid.uuid4().hex}"
    in_a_file = opened(tmp_path / f"{name}.db", [strange(values)])
    on_a_server = opened(postgres_url, [strange(values)], name)

    for views in (in_a_file, on_a_server):
        views.catch_up(log, stop=1900)

    asked = "SELECT * FROM strange ORDER BY key"
    assert Questions(in_a_file.database).sql(asked) == Questions(on_a_server.database).sql(asked)
    assert in_a_file.digest() == on_a_server.digest()
    for views in (in_a_file, on_a_server):
        views.close()


def every_answer(questions: Questions, played: House, town: str) -> dict[str, Any]:
    """What screens and the command line ask, with every filter."""
    newest = played.ledger.recorded_at
    reports = rows(played.views, "reports")
    cases = sorted({report["case"] for report in reports if report["case"]})
    asked: dict[str, Any] = {
        "figures": questions.figures(),
        "boards": [
            questions.board(now, where, classes, overdue, limit)
            for now in (newest - timedelta(days=200), newest)
            for where in ("", town)
            for classes in ((), ("U1", "U3"))
            for overdue in (False, True)
            for limit in (1, 1000)
        ],
        "owed": [questions.owed(now) for now in (newest - timedelta(days=200), newest)],
        "recent": [questions.recent(), questions.recent(7)],
        "cases": [
            questions.cases(phase, where, limit)
            for phase in ("", "closed", "\0")
            for where in ("", town)
            for limit in (3, 1000)
        ],
        "case": [questions.case(case) for case in [*cases, "unknown", "", "\0"]],
        "found": [
            questions.find_case(reference)
            for known in (*cases[:3], *(report["receipt"] for report in reports[:3]))
            for reference in (known, known.lower(), known[:6], known[:1], "", "%", "\0")
        ],
        "receipt": [questions.receipt(report["receipt"]) for report in reports] + [questions.receipt("\0")],
        "reported": [questions.reported_at(report["source"], report["record"]) for report in reports],
        "nothing reported": questions.reported_at("nobody", "\0"),
    }
    keys = {view.name: ", ".join(f'"{name}"' for name in view.key) for view in VIEWS}
    return asked | {name: questions.sql(f"SELECT * FROM {name} ORDER BY {key}") for name, key in keys.items()}


def leaves(value: Any) -> Iterator[Any]:
    """Every single value in an answer."""
    match value:
        case dict():
            for part in value.values():
                yield from leaves(part)
        case list() | tuple():
            for part in value:
                yield from leaves(part)
        case _:
            yield value


@pytest.mark.parametrize("share", [0.3, 1])
def test_every_question_has_the_same_answer_in_a_file_and_on_postgresql(
    share: float, played: House, log: Listed, tmp_path: Path, postgres_url: str, opened: Callable[..., Views], head: int
) -> None:
    answers = []
    town = rows(played.views, "cases")[0]["town"]
    for where in (tmp_path / "views.db", postgres_url):
        views = opened(where)
        views.catch_up(log, stop=int(share * head))
        answers.append(every_answer(Questions(views.database), played, town))

    assert answers[0] == answers[1]
    for answer in answers:
        assert {type(value) for value in leaves(answer)} <= {int, float, str, bytes, type(None)}, "flags are 0 or 1"


@pytest.mark.parametrize(
    "question",
    [
        'SELECT * FROM legs ORDER BY "call", department',
        "SELECT count(*), sum(reports), max(score), min(reported_at) FROM cases",
        "SELECT town, sum(filed) AS filed FROM workload GROUP BY town ORDER BY town;",
        "SELECT acknowledged_late, count(*) FROM legs WHERE required GROUP BY 1 ORDER BY 1 -- with a remark",
        "WITH late AS (SELECT * FROM legs WHERE acknowledged_late) SELECT count(*) FROM late",
        "SELECT count(*) FROM timeline WHERE what LIKE 'call.%' AND detail LIKE '%s%'",
        "SELECT '%s', '%(name)s', '100%', ':name', 'a?b'",
        "SELECT 1.5 AS half, 3 AS whole, NULL AS missing, 1 = 1 AS yes, 1 = 2 AS no",
        "SELECT avg(people) * 1.0 FROM legs WHERE people = 2",
        "VALUES (1, 'one'), (2, 'two')",
    ],
)
def test_a_question_in_plain_sql_has_the_same_answer_in_a_file_and_on_postgresql(
    question: str, played: House, shared_views: Views
) -> None:
    (_, in_a_file), (_, on_a_server) = (
        Questions(database).sql(question) for database in (played.views.database, shared_views.database)
    )

    assert on_a_server == in_a_file
    assert on_a_server != []
    assert [[type(value) for value in row] for row in on_a_server] == [
        [type(value) for value in row] for row in in_a_file
    ]


def contents(views: Views) -> dict[str, Any]:
    """Everything that somebody could have changed."""
    names = "SELECT schemaname, viewname, viewowner, definition FROM pg_views WHERE schemaname IN ('views', 'analysis')"
    tables = "SELECT schemaname, tablename, tableowner FROM pg_tables WHERE schemaname NOT LIKE 'pg_%'"
    rights = "SELECT relname, relacl::text FROM pg_class WHERE relacl IS NOT NULL ORDER BY 1"
    asked = Questions(views.database)
    known = {what: asked.sql(f"{what} ORDER BY 1, 2") for what in (names, tables)} | {rights: asked.sql(rights)}
    return known | {"digests": views.digest(), "builds": rows(views, "builds")}


@pytest.mark.parametrize(
    "question",
    [
        "INSERT INTO builds (name) VALUES ('x')",
        "UPDATE builds SET position = 0",
        "DELETE FROM reports_v2",
        "WITH gone AS (DELETE FROM reports_v2 RETURNING *) SELECT * FROM gone",
        "SELECT 1; DROP VIEW reports CASCADE",
        "SELECT 1; COMMIT; DROP VIEW reports CASCADE",
        "COMMIT; DROP VIEW reports CASCADE",
        "COMMIT",
        "ROLLBACK",
        "BEGIN READ WRITE",
        "SET TRANSACTION READ WRITE",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "SET search_path TO analysis",
        "CREATE TABLE mine (x int)",
        "CREATE TEMP TABLE mine (x int)",
        "SELECT * INTO mine FROM reports",
        "DROP TABLE reports_v2 CASCADE",
        "TRUNCATE reports_v2",
        "LOCK TABLE builds",
        "SELECT * FROM reports_v2 FOR UPDATE",
        "COPY reports TO '/dev/null'",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "DO $$ BEGIN DELETE FROM reports_v2; END $$",
        "PREPARE mine AS SELECT 1",
        "DEALLOCATE ALL",
        "LISTEN mine",
        "VACUUM",
        "GRANT ALL ON reports_v2 TO PUBLIC",
        "SELECT nextval('mine')",
        "SELECT * FROM nowhere",
        "SELECT %s",
        "SELECT $1",
        "SELEC",
        "",
        ";",
        "--",
        "\0",
        "(" * 5_000,
    ],
)
def test_a_question_in_somebody_s_own_words_changes_nothing_and_is_told_what_is_wrong(
    question: str, shared_views: Views
) -> None:
    before = contents(shared_views)

    with pytest.raises(SQLAlchemyError):
        Questions(shared_views.database).sql(question)

    assert contents(shared_views) == before


@pytest.mark.parametrize(
    "question",
    [
        "SELECT set_config('search_path', 'pg_catalog', false)",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SELECT pg_advisory_lock(1)",
        "SELECT lo_create(4711)",
    ],
)
def test_what_a_question_does_to_its_session_ends_with_it(
    question: str, shared: Callable[[str], str], shared_views: Views
) -> None:
    before = contents(shared_views)

    with suppress(SQLAlchemyError):  # some of them are refused, all are without effect
        Questions(shared_views.database).sql(question)

    assert contents(shared_views) == before
    url = shared(roles.VIEWS)
    assert told(url, "SELECT count(*) FROM pg_largeobject_metadata") == [(0,)]
    assert told(url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


# Analysts


def confidential(played: House) -> set[str]:
    """The cases that analysts must not see, or of which nobody knows yet."""
    hidden = {found["case"] for found in rows(played.views, "cases") if found["visibility"] in ("confidential", None)}
    assert hidden, "a township without a confidential case shows nothing"
    return hidden


def test_an_analyst_sees_every_view_without_the_confidential_cases(analyst: Any, played: House) -> None:
    hidden = confidential(played)

    for view in FOR_ANALYSTS:
        shown = analyst.execute(f"SELECT * FROM analysis.{view.name}")
        columns = [column.name for column in shown.description]
        found = {tuple(row) for row in shown}

        assert columns == list(view.columns)
        if "case" in view.columns:
            expected = [row for row in rows(played.views, view.name) if row["case"] and row["case"] not in hidden]
            assert {row[columns.index("case")] for row in found} == {row["case"] for row in expected}
            assert len(found) == len(expected)
        else:
            assert len(found) == len(rows(played.views, view.name)) > 0


def test_an_analyst_sees_no_view_that_names_people(analyst: Any) -> None:
    shown = {name for (name,) in analyst.execute("SELECT viewname FROM pg_views WHERE schemaname = 'analysis'")}

    assert {view.name for view in VIEWS} - shown == {
        "people",
        "secondments",
        "party_organisations",
        "roster",
        "shifts",
        "responders",
    }


def test_a_case_that_nobody_has_classified_is_not_shown_yet(
    provided: Callable[[str], str], opened: Callable[..., Views], log: Listed, played: House
) -> None:
    opened_at = next(fact.position for fact in log.after(0, 10_000) if fact.name == "case.opened.v1")
    views = opened(provided(roles.VIEWS))
    views.catch_up(log, stop=opened_at)

    shown = [told(provided(roles.ANALYST), f"SELECT * FROM analysis.{view.name}") for view in FOR_ANALYSTS]

    assert len(rows(views, "cases")) == len(rows(views, "timeline")) == 1
    assert shown == [[] for _ in FOR_ANALYSTS]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM views.cases",
        f"SELECT * FROM views.cases_v{CASES.version}",
        "SELECT * FROM views.builds",
        "SELECT * FROM log.stored_events",
        "SELECT * FROM vault.keys",
        "SET search_path TO views; SELECT * FROM cases",
        "INSERT INTO analysis.workload (town, department) VALUES ('x', 'y')",
        "UPDATE analysis.cases SET visibility = 'public'",
        "DELETE FROM analysis.cases",
        "TRUNCATE analysis.workload",
        "DROP VIEW analysis.cases",
        "ALTER VIEW analysis.cases RESET (security_barrier)",
        "CREATE VIEW analysis.mine AS SELECT 1 AS x",
        "CREATE TABLE analysis.mine (x int)",
        "CREATE TABLE public.mine (x int)",
        "CREATE TEMP TABLE mine (x int)",
        "CREATE SCHEMA mine",
        "BEGIN; LOCK TABLE views.builds IN EXCLUSIVE MODE",
        f"BEGIN; LOCK TABLE views.cases_v{CASES.version} IN EXCLUSIVE MODE",
        "SET ROLE hujiao_views",
    ],
)
def test_an_analyst_reads_nothing_else_and_changes_nothing(statement: str, analyst: Any) -> None:
    no_such_thing = (psycopg.errors.UndefinedTable, psycopg.errors.WrongObjectType)

    with pytest.raises((psycopg.errors.InsufficientPrivilege, *no_such_thing)):
        analyst.execute(statement)


@pytest.mark.parametrize("view", ["cases", "timeline", "legs"])
def test_an_analyst_s_own_conditions_are_not_tried_on_hidden_rows(view: str, analyst: Any, played: House) -> None:
    for case in confidential(played):
        found = analyst.execute(f"""SELECT * FROM analysis.{view} WHERE 1 / (("case" <> '{case}')::int) = 2""")
        assert found.fetchall() == []


def test_analysts_see_a_new_build_together_with_everybody_else(
    provided: Callable[[str], str], opened: Callable[..., Views], log: Listed
) -> None:
    views = opened(provided(roles.VIEWS))
    views.catch_up(log)
    analyst = psycopg.connect(provided(roles.ANALYST), autocommit=True, prepare_threshold=None)
    before = {view.name: sorted(analyst.execute(f"SELECT * FROM analysis.{view.name}")) for view in FOR_ANALYSTS}
    during: list[int] = []

    def look(position: int) -> None:
        during.append(analyst.execute("SELECT count(*) FROM analysis.cases").fetchone()[0])

    views.rebuild(log, look)

    assert {
        view.name: sorted(analyst.execute(f"SELECT * FROM analysis.{view.name}")) for view in FOR_ANALYSTS
    } == before
    assert set(during) == {len(before["cases"])}
    analyst.close()


def test_an_analyst_who_comes_after_the_views_may_read_them_once_they_are_opened_again(
    postgres_url: str, provided: Callable[[str], str], opened: Callable[..., Views], log: Listed
) -> None:
    told(postgres_url, f"ALTER ROLE {roles.ANALYST} RENAME TO nobody_yet")
    opened(provided(roles.VIEWS)).catch_up(log)
    told(postgres_url, f"ALTER ROLE nobody_yet RENAME TO {roles.ANALYST}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        told(provided(roles.ANALYST), "SELECT * FROM analysis.cases")

    opened(provided(roles.VIEWS))

    assert told(provided(roles.ANALYST), "SELECT * FROM analysis.cases") != []


def test_scratch_views_stand_in_a_schema_of_their_own_that_analysts_cannot_reach(
    provided: Callable[[str], str], opened: Callable[..., Views], log: Listed, played: House
) -> None:
    then = opened(provided(roles.VIEWS), schema="views_as_of_200")
    then.catch_up(log, stop=200)

    assert set(then.positions().values()) == {200}
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        told(provided(roles.ANALYST), "SELECT * FROM views_as_of_200.cases")
    assert told(provided(roles.VIEWS), "SELECT FROM pg_views WHERE schemaname = 'analysis'") == []


def test_a_role_that_may_not_make_the_schemas_is_told_which_one_is_missing(
    provided: Callable[[str], str], opened: Callable[..., Views]
) -> None:
    with pytest.raises(PermissionError, match="expected a schema views_elsewhere in the database, or the right"):
        opened(provided(roles.LOG), schema="views_elsewhere")


@pytest.mark.parametrize("schema", ["", "Views", "a;b", 'a"b', "1a", "x" * 64])
def test_a_schema_has_a_plain_name(schema: str, postgres_url: str) -> None:
    with pytest.raises(ValueError, match="expected small letters"):
        open_database(postgres_url, schema)


# Several at once


def test_views_that_are_opened_for_the_first_time_by_several_at_once_are_made_once(
    postgres_url: str, opened: Callable[..., Views], log: Listed, played: House
) -> None:
    together = threading.Barrier(4)
    failures: list[BaseException] = []

    def begin() -> None:
        together.wait()
        try:
            opened(postgres_url).catch_up(log)
        except BaseException as error:  # noqa: BLE001 - it is looked at in the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert failures == []
    assert opened(postgres_url).digest() == played.views.digest()


RAISED = View(CASES.name, CASES.version + 1, CASES.purpose, CASES.key, CASES.columns, CASES.folds, CASES.opaque)
WITH_RAISED = [RAISED, *(view for view in VIEWS if view is not CASES)]


def test_what_a_reader_has_begun_to_read_is_not_switched_under_it(
    views: Views, postgres_url: str, opened: Callable[..., Views], log: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "SWITCHING_S", 0.1)
    monkeypatch.setattr(adapter, "SWITCHING_AGAIN_S", 0)
    many = len(rows(views, "cases"))

    with views.database.reading() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM reports").scalar_one()
        newer = opened(postgres_url, WITH_RAISED)
        newer.catch_up(log)
        served = rows(newer, "builds", name="cases", serving=1)
        found = connection.exec_driver_sql("SELECT count(*) FROM cases").scalar_one()
    newer.catch_up(log)

    assert found == many > 0
    assert [build["version"] for build in served] == [CASES.version]
    assert [build["version"] for build in rows(newer, "builds", name="cases")] == [RAISED.version]


def test_a_switch_that_found_no_moment_is_not_tried_again_at_once(
    views: Views, postgres_url: str, opened: Callable[..., Views], log: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "SWITCHING_S", 0.1)
    other = opened(postgres_url)

    with views.database.reading():
        other.rebuild(log)
    other.catch_up(log)

    assert {found["number"] for found in rows(other, "builds", serving=1)} == {0}


def test_a_program_of_before_goes_on_with_the_views_that_a_newer_one_has_not_replaced(
    views: Views, postgres_url: str, opened: Callable[..., Views], log: Listed, played: House
) -> None:
    newer = opened(postgres_url, WITH_RAISED)
    newer.catch_up(log)

    views.catch_up(log)

    assert views.digest() == {name: digest for name, digest in played.views.digest().items() if name != "cases"}
    assert newer.digest() == played.views.digest()


def test_who_waits_too_long_for_another_writer_is_told_so_and_succeeds_later(
    views: Views, postgres_url: str, opened: Callable[..., Views], log: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(adapter.SESSION, "lock_timeout", "2s")  # a vacuum in the way gives up after one
    other = opened(postgres_url)

    with views.database.writing(), pytest.raises(Locked, match="expected the database of the views to answer"):
        other.rebuild(log)
    other.rebuild(log)

    assert other.digest() == views.digest()


def test_a_writer_that_stands_still_loses_the_lock_and_what_it_had_begun(
    views: Views,
    postgres_url: str,
    opened: Callable[..., Views],
    log: Listed,
    played: House,
) -> None:
    still = opened(postgres_url)

    def begin_and_stand_still() -> None:
        with still.database.writing() as connection:
            limit = connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar_one()
            assert limit == "1min"
            connection.exec_driver_sql(f"DELETE FROM cases_v{CASES.version}")
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '500ms'")
            views.rebuild(log)

    with pytest.raises(Unavailable):
        begin_and_stand_still()

    assert len(rows(views, "cases")) > 0
    assert views.digest() == played.views.digest()


# A server that comes and goes


def test_the_call_after_a_restart_of_the_server_works(
    postgres: PostgresServer, postgres_url: str, opened: Callable[..., Views], log: Listed, played: House
) -> None:
    views = opened(postgres_url)
    views.catch_up(log, stop=1900)
    figures = Questions(views.database).figures()

    postgres.restart()

    assert Questions(views.database).figures() == figures
    views.catch_up(log)
    assert views.digest() == played.views.digest()


def test_while_the_server_is_away_every_call_says_so_and_afterwards_all_is_well(
    postgres: PostgresServer, postgres_url: str, opened: Callable[..., Views], log: Listed, played: House
) -> None:
    views = opened(postgres_url)
    views.catch_up(log, stop=1900)
    postgres.stop()

    for call in (
        lambda: views.catch_up(log),
        views.digest,
        views.positions,
        Questions(views.database).figures,
        lambda: Questions(views.database).sql("SELECT 1"),
        lambda: opened(postgres_url),
    ):
        with pytest.raises(Unavailable, match="expected the database of the views to answer, found:"):
            call()
    postgres.start()

    views.catch_up(log)
    assert views.digest() == played.views.digest()


def breaking(broken: list[int], at: int, how: Callable[[], object]) -> View:
    """A view in whose fold something happens at a position, as often as ``broken`` says."""

    def fold(found: Rows, recorded: Recorded, fact: Any) -> None:
        found.put({"call": recorded.stream, "department": fact.department, "position": recorded.position})
        if recorded.position > at and broken:
            broken.pop()
            how()

    columns = {"call": TEXT, "department": TEXT, "position": INTEGER}
    folds = {"call.acknowledged.v1": fold}
    return View("breaking", 1, "a view of the test's own", ("call", "department"), columns, folds)


def test_a_server_that_is_killed_while_facts_are_folded_counts_each_once_after_it_is_back(
    postgres: PostgresServer, postgres_url: str, opened: Callable[..., Views], log: Listed, played: House
) -> None:
    views = opened(postgres_url, (*VIEWS, breaking([1], 1850, postgres.kill)))
    views.catch_up(log, stop=1840)

    with pytest.raises(Unavailable):
        views.catch_up(log)
    postgres.start()
    views.catch_up(log)

    digests = views.digest()
    assert {name: digests[name] for name in played.views.digest()} == played.views.digest()


def test_links_that_break_at_any_moment_make_no_fact_count_twice(
    postgres: PostgresServer,
    postgres_url: str,
    opened: Callable[..., Views],
    log: Listed,
    played: House,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "BATCH", 5)
    draw = Random(3)
    broken = 0

    with Proxy(postgres.port) as proxy:
        views = opened(postgres_url.replace(f":{postgres.port}/", f":{proxy.port}/"))
        for _ in range(40):
            cut = threading.Timer(draw.uniform(0.005, 0.1), proxy.cut)
            cut.start()
            try:
                views.catch_up(log, stop=played.log.head())
            except Unavailable:
                broken += 1
            cut.join()
            proxy.mend()
        monkeypatch.undo()
        views.catch_up(log)

        assert broken > 10
        assert views.digest() == played.views.digest()
        views.close()
