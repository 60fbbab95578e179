"""The commands over PostgreSQL: they say what they say over a data directory, and find what is wrong with a log."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from deploy.servers import PostgresServer
from services.rules.book import RuleBook
from services.simulation.people import Dice
from services.simulation.residents import invented_reports
from tests.system.commands import Hujiao

MONDAY = datetime(2026, 3, 2, 1, tzinfo=UTC)
REPORTS = 20
OWN = {"receipt", "seconds", "facts_per_second", "reporter"}
"""What each place has of its own: receipts and pseudonyms are made with the vault's own keys, and time passes."""


@pytest.fixture
def lines(tmp_path: Path, rules: RuleBook) -> Path:
    path = tmp_path / "reports.jsonl"
    reports = islice(invented_reports(Dice(3), rules, MONDAY, timedelta(minutes=40)), REPORTS)
    path.write_bytes(b"".join(msgspec.json.encode(report) + b"\n" for report in reports))
    return path


def shared(found: Any) -> Any:
    """What was said, without what each place has of its own."""
    match found:
        case dict():
            return {name: shared(value) for name, value in found.items() if name not in OWN}
        case list():
            return [shared(value) for value in found]
        case _:
            return found


def test_every_question_is_answered_as_over_a_data_directory(
    lines: Path, tmp_path: Path, postgres_url: str, hujiao: Hujiao
) -> None:
    places = {"files": str(tmp_path / "data"), "server": postgres_url}
    played = {name: hujiao("replay", lines, "--data", data, "--json") for name, data in places.items()}
    case = hujiao("query", 'SELECT "case" FROM cases ORDER BY "case" LIMIT 1', "--data", postgres_url, "--json").json
    case = case[0]["case"]
    sql = "SELECT town, phase, count(*) AS n FROM cases GROUP BY town, phase ORDER BY town, phase"

    assert [said.status for said in played.values()] == [0, 0]
    assert shared(played["server"].json) == shared(played["files"].json)
    for command in (
        ("status",),
        ("board",),
        ("case", case),
        ("case", case, "--words-for", "operator"),
        ("explain", case),
        ("query", sql),
        ("asof", "150"),
        ("asof", "2026-03-02", "--limit", "3"),
        ("asof", "200", case),
        ("asof", "150", "--sql", sql),
        ("digest",),
        ("rebuild",),
        ("parked", "list"),
    ):
        said = {name: hujiao(*command, "--data", data, "--json") for name, data in places.items()}
        assert said["server"].status == said["files"].status == 0, said
        assert shared(said["server"].json) == shared(said["files"].json), command
        assert hujiao(*command, "--data", postgres_url).status == 0
    verified = {name: hujiao("verify", "--data", data, "--json").json for name, data in places.items()}
    assert verified["server"].keys() == verified["files"].keys()
    assert verified["server"]["facts"] == verified["files"]["facts"]
    assert verified["server"]["fault"] is None


def test_a_report_goes_its_way_by_hand(postgres_url: str, rules: RuleBook, hujiao: Hujiao) -> None:
    data = ("--data", postgres_url)
    village = rules.district.villages[0].code

    assert hujiao("district", "load", "yunan", *data).status == 0
    words = ("--title", "路面破损", "--text", "村口路面塌了一块。")
    said = hujiao("report", *words, "--village", village, "--matter", "602", *data, "--json")
    assert said.status == 0, said
    receipt = said.json["receipt"]
    found = hujiao("case", receipt, *data, "--json").json
    case = found["case"]["case"]
    for leg in [leg for leg in found["legs"] if leg["required"]]:
        officer = (case, leg["department"], "--by", f"{leg['department']}-1", *data)
        assert hujiao("act", "acknowledge", *officer).status == 0
        assert hujiao("act", "report-in", *officer, "--people", 2).status == 0
        assert hujiao("act", "note", case, leg["department"], "在路上。", *officer[2:]).status == 0
        reply = ("--reply", "您反映的路面已修复。") if leg["role"] == "lead" else ()
        assert hujiao("act", "file", case, leg["department"], "路面已修好。", *officer[2:], *reply).status == 0
    again = hujiao("act", "acknowledge", *officer)
    approved = hujiao("act", "approve", case, "--by", "reviewer", *data, "--json")
    closed = hujiao("act", "follow-up", case, "solved", "--by", "clerk", "--satisfied", *data, "--json")
    published = hujiao("act", "publish", case, "--by", "clerk", *data, "--json")

    assert (again.status, "done already" in again.out) == (0, True)
    assert approved.json["phase"] == "resolved"
    assert closed.json["phase"] == "closed"
    assert published.json["status"] == "accepted"
    assert hujiao("case", receipt, "--words-for", "clerk", *data).out.count("村口路面塌了一块。") == 1
    erased = hujiao("erase", receipt, "--by", "officer", *data, "--json")
    assert erased.json["erased"] is True
    assert hujiao("erase", receipt, "--by", "officer", *data, "--json").json["erased"] is False
    assert "erased" in hujiao("case", receipt, "--words-for", "clerk", *data).out
    assert hujiao("verify", *data).status == 0


def test_what_is_parked_is_listed_released_and_dropped(lines: Path, postgres_url: str, hujiao: Hujiao) -> None:
    data = ("--data", postgres_url)
    hujiao("replay", lines, *data)
    before = hujiao("status", *data, "--json").json["facts"]
    park = "INSERT INTO log.parked SELECT 'engine', originator_id || ':' || originator_version, notification_id,"
    park += " originator_id, 'by hand', 1, 0, NULL FROM log.stored_events WHERE notification_id = %s RETURNING what"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        found = [connection.execute(park, (position,)).fetchone() for position in (5, 9)]
    one, other = [row[0] for row in found if row is not None]

    listed = hujiao("parked", "list", *data, "--json").json
    released = hujiao("parked", "release", one, *data)
    dropped = hujiao("parked", "drop", other, *data)
    unknown = hujiao("parked", "drop", other, *data)

    assert [parked["what"] for parked in listed] == [one, other]
    assert (released.status, dropped.status, unknown.status) == (0, 0, 2)
    assert hujiao("parked", "list", *data, "--json").json == []
    assert hujiao("status", *data, "--json").json["facts"] == before


POSITION = "notification_id = 100"


@pytest.mark.parametrize(
    "harm",
    [
        f"UPDATE log.stored_events SET state = set_byte(state, 7, get_byte(state, 7) # 1) WHERE {POSITION}",
        f"UPDATE log.stored_events SET topic = 'report.refused.v1' WHERE {POSITION}",
        f"UPDATE log.stored_events SET originator_version = 99 WHERE {POSITION}",
        f"DELETE FROM log.stored_events WHERE {POSITION}",
        "UPDATE log.seals SET seal = set_byte(seal, 0, get_byte(seal, 0) # 1)"
        " WHERE position = (SELECT min(position) FROM log.seals WHERE position >= 100)",
    ],
)
def test_verify_notices_what_was_changed(lines: Path, postgres_url: str, hujiao: Hujiao, harm: str) -> None:
    hujiao("replay", lines, "--data", postgres_url)
    assert hujiao("verify", "--data", postgres_url).status == 0

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        assert connection.execute(harm).rowcount == 1
    said = hujiao("verify", "--data", postgres_url, "--json")

    assert said.status == 5
    fault = said.json["fault"]
    assert fault["after"] < 100 <= fault["position"]
    assert "Fault" in hujiao("verify", "--data", postgres_url).out


def test_verify_notices_a_cut_end_against_a_head_that_was_noted(lines: Path, postgres_url: str, hujiao: Hujiao) -> None:
    hujiao("replay", lines, "--data", postgres_url)
    words = ("--title", "路面破损", "--text", "又塌了。", "--matter", "602", "--town", "六都镇")
    assert hujiao("report", *words, "--data", postgres_url).status == 0
    head = hujiao("verify", "--data", postgres_url, "--json").json["head"]

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        last = connection.execute("SELECT position FROM log.seals ORDER BY position DESC OFFSET 1 LIMIT 1").fetchone()
        assert last is not None
        connection.execute("DELETE FROM log.stored_events WHERE notification_id > %s", last)
        connection.execute("DELETE FROM log.seals WHERE position > %s", last)

    assert hujiao("verify", "--data", postgres_url).status == 0
    assert hujiao("verify", "--head", head, "--data", postgres_url).status == 5


def test_who_finds_no_log_is_told_where_and_why(postgres: PostgresServer, postgres_url: str, hujiao: Hujiao) -> None:
    nobody = postgres.url("nobody", "guessed", postgres_url.rpartition("/")[2])
    nowhere = postgres.url(database="nowhere")
    postgres_gone = postgres_url.replace(f":{postgres.port}/", ":1/")

    for data, expected in (
        (postgres_url, "expected a data directory or database with a log, found none at 127.0.0.1"),
        (nobody, 'password authentication failed for user "nobody"'),
        (nowhere, 'database "nowhere" does not exist'),
        (postgres_gone, "Connection refused"),
    ):
        said = hujiao("status", "--data", data)
        assert said.status == (2 if data == postgres_url else 1)
        assert expected in said.err.replace("\n", " ")
        assert "Traceback" not in said.err
        assert "sesame" not in said.err
        assert "guessed" not in said.err


def test_only_one_process_serves_a_database(lines: Path, postgres_url: str, hujiao: Hujiao) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtextextended('hujiao: engine', 0))")

        said = hujiao("replay", lines, "--data", postgres_url)

    assert said.status == 6
    assert "found another process serving it" in said.err.replace("\n", " ")
    assert hujiao("replay", lines, "--data", postgres_url).status == 0
