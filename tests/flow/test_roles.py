"""Roles in PostgreSQL: each part of the data belongs to one, and nobody reads or holds up what is another's."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.servers import PostgresServer
from events.district import District
from services.cli.main import app
from services.provisioning import roles
from services.provisioning.secret import Secret
from services.runtime.clock import VirtualClock
from services.runtime.places import Server
from services.simulation.residents import Residents
from services.simulation.service import simulation
from services.wiring import SERVICES, House
from tests.flow.township import MONDAY_MORNING, all_facts, residents_lines, settled, told

SECRET = Secret(b"an installation's own thirty-two")
ALL = (roles.LOG, roles.VIEWS, roles.VAULT, roles.ANALYST)
UrlOf = Callable[[str], str]


@pytest.fixture
def url_of(postgres: PostgresServer, postgres_url: str) -> Iterator[UrlOf]:
    """The URL of a role in the database of this test; the roles, which are the whole server's, are gone afterwards."""
    yield lambda role: postgres.url(role, SECRET.password(role), postgres_url.rpartition("/")[2])
    postgres.start()
    postgres.drop_database(postgres_url.rpartition("/")[2])
    for role in ALL:
        answer(postgres.url(), f"DROP ROLE IF EXISTS {role}")


@pytest.fixture
def applied(postgres_url: str, url_of: UrlOf) -> UrlOf:
    roles.apply(postgres_url, SECRET)
    return url_of


def answer(url: str, *statements: str) -> list[Any]:
    """What the server answers to the role of this URL."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            found = connection.execute(statement)
        return found.fetchall() if found.description else []


def open_house(url_of: UrlOf, district: District) -> House:
    """A house each of whose parts is reached as the role that it belongs to."""
    where = Server(url_of(roles.LOG), views_url=url_of(roles.VIEWS), vault_url=url_of(roles.VAULT))
    house = House(where, VirtualClock(MONDAY_MORNING), (*SERVICES, simulation(1)))
    house.configure(district)
    return house


def play(house: House) -> None:
    lines = residents_lines(house.ledger.rules, MONDAY_MORNING, 12)
    house.engine(Residents(lines, house.desk, house.ledger.rules)).run(after_commit=house.settle)
    house.views.catch_up(house.log)


def test_a_township_whose_parts_are_reached_as_their_roles_becomes_what_it_would_on_files(
    applied: UrlOf, district: District, tmp_path: Path, postgres_url: str
) -> None:
    with House(tmp_path, VirtualClock(MONDAY_MORNING), (*SERVICES, simulation(1))) as on_files:
        on_files.configure(district)
        play(on_files)
        expected = told(on_files.log), on_files.views.digest()

    with open_house(applied, district) as house:
        play(house)
        report = next(fact.stream for fact in all_facts(house.log) if fact.name == "report.submitted.v1")
        settled(house.log)
        found = told(house.log), house.views.digest()
        house.erase(report, by="officer", reason="request")

    owners = answer(
        postgres_url,
        "SELECT DISTINCT nspname, relowner::regrole::text FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE nspname IN ('log', 'views', 'analysis', 'vault') AND relkind IN ('r', 'v')",
    )
    assert found == expected
    assert dict(owners) == roles.OWNERS


READS = {
    "log": "SELECT count(*) FROM log.stored_events",
    "vault": "SELECT count(*) FROM vault.keys",
    "views": "SELECT count(*) FROM views.cases",
    "analysis": "SELECT count(*) FROM analysis.cases",
}
WRITES = {
    "log": "DELETE FROM log.inbox",
    "vault": "DELETE FROM vault.openings",
    "views": "UPDATE views.builds SET position = position",
    "analysis": "DROP VIEW analysis.cases",
}
MAY_READ = {
    roles.LOG: {"log"},
    roles.VAULT: {"vault"},
    roles.VIEWS: {"views", "analysis"},
    roles.ANALYST: {"analysis"},
}
MAY_WRITE = {roles.LOG: {"log"}, roles.VAULT: {"vault"}, roles.VIEWS: {"views", "analysis"}, roles.ANALYST: set()}


def test_each_role_reads_and_writes_what_is_its_own_and_nothing_else(applied: UrlOf, district: District) -> None:
    with open_house(applied, district) as house:
        play(house)

    for role in ALL:
        for statements, may in ((READS, MAY_READ[role]), (WRITES, MAY_WRITE[role])):
            for part, statement in statements.items():
                with psycopg.connect(applied(role)) as connection:
                    if part in may:
                        connection.execute(statement)
                    else:
                        with pytest.raises(psycopg.errors.InsufficientPrivilege):
                            connection.execute(statement)
                    connection.rollback()


@pytest.mark.parametrize("other", [role for role in ALL if role != roles.LOG])
def test_nobody_can_become_another_or_make_things_anywhere_else(applied: UrlOf, other: str) -> None:
    for statement in (
        f"SET ROLE {other}",
        "SET ROLE postgres",
        f"GRANT {other} TO {roles.LOG}",
        "CREATE ROLE another",
        "CREATE TABLE public.another (x int)",
        f"CREATE TABLE {'views' if other == roles.VIEWS else 'vault'}.another (x int)",
        "CREATE TEMP TABLE another (x int)",
        "COPY (SELECT 1) TO '/another'",
        "COPY log.inbox FROM PROGRAM 'id'",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            answer(applied(roles.LOG), statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_advisory_lock(hashtext('hujiao: engine'))",
        "SELECT pg_try_advisory_lock(1, 2)",
        "SELECT pg_advisory_xact_lock(hashtext('hujiao: create'))",
        "LOCK TABLE log.stored_events IN ACCESS SHARE MODE",
        "LOCK TABLE analysis.cases IN EXCLUSIVE MODE",
    ],
)
def test_an_analyst_cannot_hold_up_a_service(applied: UrlOf, district: District, statement: str) -> None:
    with open_house(applied, district) as house:
        house.views.catch_up(house.log)

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        answer(applied(roles.ANALYST), "BEGIN", statement)
    for role in (roles.LOG, roles.VIEWS, roles.VAULT):
        assert answer(applied(role), "SELECT pg_try_advisory_lock(1)") == [(True,)]


def everything(url: str) -> list[Any]:
    """All that can differ: roles with what is kept of their passwords, owners and rights of everything, settings."""
    return [
        answer(url, statement)
        for statement in (
            "SELECT * FROM pg_authid ORDER BY oid",
            "SELECT * FROM pg_auth_members ORDER BY roleid, member",
            "SELECT setdatabase, setrole, setconfig FROM pg_db_role_setting ORDER BY setrole, setdatabase",
            "SELECT datname, datdba, datacl FROM pg_database WHERE datname = current_database()",
            "SELECT oid, nspname, nspowner, nspacl FROM pg_namespace WHERE nspname !~ '^pg_(temp|toast)' ORDER BY oid",
            "SELECT oid, relname, relowner, relacl FROM pg_class WHERE relpersistence = 'p' ORDER BY oid",
            "SELECT oid, proname, proacl FROM pg_proc ORDER BY oid",
        )
    ]


def test_applied_again_nothing_changes(applied: UrlOf, postgres_url: str, district: District) -> None:
    with open_house(applied, district) as house:
        play(house)
    before = everything(postgres_url)

    roles.apply(postgres_url, SECRET)

    assert everything(postgres_url) == before


@pytest.mark.parametrize("role", ALL)
@pytest.mark.parametrize("change", ["PASSWORD 'guessed'", "PASSWORD NULL", "NOLOGIN"])
def test_a_role_that_can_log_in_otherwise_is_set_right(
    applied: UrlOf, postgres_url: str, role: str, change: str
) -> None:
    before = answer(postgres_url, "SELECT rolname, rolpassword FROM pg_authid ORDER BY oid")
    answer(postgres_url, f"ALTER ROLE {role} {change}")
    with pytest.raises(psycopg.OperationalError):
        answer(applied(role), "SELECT 1")

    roles.apply(postgres_url, SECRET)

    assert answer(applied(role), "SELECT current_user") == [(role,)]
    after = answer(postgres_url, "SELECT rolname, rolpassword FROM pg_authid ORDER BY oid")
    assert {name for (name, kept), (_, now) in zip(before, after, strict=True) if kept != now} <= {role}


def test_another_secret_gives_other_passwords(applied: UrlOf, postgres_url: str) -> None:
    roles.apply(postgres_url, Secret(b"x" * 32))

    for role in ALL:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            answer(applied(role), "SELECT 1")


@pytest.mark.parametrize(
    ("wrong", "statement"),
    [
        (f"ALTER ROLE {roles.ANALYST} SUPERUSER", READS["vault"]),
        (f"GRANT {roles.VAULT} TO {roles.LOG}", READS["vault"]),
        (f"GRANT USAGE ON SCHEMA vault TO {roles.LOG}; GRANT SELECT ON vault.keys TO {roles.LOG}", READS["vault"]),
        ("GRANT USAGE ON SCHEMA vault TO PUBLIC; GRANT SELECT ON vault.keys TO PUBLIC", READS["vault"]),
        (f"GRANT pg_read_all_data TO {roles.ANALYST}", READS["vault"]),
        (f"GRANT USAGE ON SCHEMA log TO {roles.ANALYST}; GRANT SELECT ON log.stored_events TO {roles.ANALYST}", ""),
    ],
)
def test_rights_that_somebody_gave_by_hand_are_taken_back(
    applied: UrlOf, postgres_url: str, district: District, wrong: str, statement: str
) -> None:
    with open_house(applied, district) as house:
        house.views.catch_up(house.log)
        before = everything(postgres_url)
        role = roles.ANALYST if roles.ANALYST in wrong else roles.LOG
        statement = statement or READS["log"]
        answer(postgres_url, *wrong.split("; "))
        answer(applied(role), statement)

        roles.apply(postgres_url, SECRET)

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            answer(applied(role), statement)
        assert everything(postgres_url)[:4] == before[:4]
        house.views.catch_up(house.log)


def test_a_township_that_had_no_roles_so_far_goes_over_to_them(
    postgres_url: str, url_of: UrlOf, district: District
) -> None:
    with House(Server(postgres_url), VirtualClock(MONDAY_MORNING), (*SERVICES, simulation(1))) as house:
        house.configure(district)
        play(house)
        before = told(house.log), house.views.digest()

    roles.apply(postgres_url, SECRET)

    with open_house(url_of, district) as house:
        assert (told(house.log), house.views.digest()) == before
        house.views.rebuild(house.log)
        report = next(fact.stream for fact in all_facts(house.log) if fact.name == "report.submitted.v1")
        assert house.erase(report, by="officer", reason="request").facts == 1
        house.views.catch_up(house.log)
    assert answer(url_of(roles.ANALYST), READS["analysis"])[0][0] > 0


def test_no_password_is_in_what_a_server_logs(postgres: PostgresServer, postgres_url: str, url_of: UrlOf) -> None:
    database = postgres_url.rpartition("/")[2]
    answer(postgres_url, f"ALTER DATABASE \"{database}\" SET log_statement = 'all'")

    roles.apply(postgres_url, SECRET)

    logged = postgres.log.read_text()
    assert f'ALTER ROLE "{roles.VAULT}" PASSWORD \'SCRAM-SHA-256' in logged
    assert [role for role in ALL if SECRET.password(role) in logged] == []
    assert answer(url_of(roles.VAULT), "SELECT 1") == [(1,)]


# The commands


def test_the_commands_make_the_roles_and_say_how_each_logs_in(
    postgres_url: str, url_of: UrlOf, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--admin", postgres_url, "--secret-file", str(tmp_path / "secret")]

    assert app(["store", "apply", *options], exit_on_error=False) == 0
    assert app(["store", "apply", *options], exit_on_error=False) == 0
    capsys.readouterr()
    assert app(["store", "credentials", *options, "--json"], exit_on_error=False) == 0
    urls = json.loads(capsys.readouterr().out)

    assert urls.keys() == set(ALL)
    for role, url in urls.items():
        assert answer(url, "SELECT current_user") == [(role,)]


def test_who_is_no_administrator_is_told_so(applied: UrlOf, tmp_path: Path) -> None:
    before = {role: applied(role) for role in ALL}

    with pytest.raises(Exception, match="expected an administrator of PostgreSQL, found: permission denied"):
        app(["store", "apply", "--admin", before[roles.LOG], "--secret-file", str(tmp_path / "s")], exit_on_error=False)

    assert answer(before[roles.VAULT], "SELECT 1") == [(1,)]
