"""Each command once over a small played district: what it says, how it ends, and what it says to junk."""

import csv
import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events.catalog import CATALOG
from projections.all_views import VIEWS
from services.cli.main import app
from services.intake.receipt import read_receipt
from services.rules.book import RuleBook
from services.runtime.clock import SystemClock
from services.runtime.district import find_district, load_district
from services.simulation.people import Dice
from services.simulation.residents import invented_reports
from services.wiring import House
from tests.system.commands import Hujiao

RULES = RuleBook(load_district(find_district("yunan")))
VILLAGE = RULES.district.villages[0].code
MONDAY = datetime(2026, 3, 2, 1, tzinfo=UTC)
REPORTS = 30
FIGURES = {
    "reports",
    "refused",
    "repeated",
    "receipts",
    "cases",
    "linked",
    "triage",
    "calls",
    "legs",
    "acknowledged",
    "acknowledged_late",
    "reported_in",
    "closed",
    "disclosed",
    "facts",
    "parked",
    "seconds",
    "facts_per_second",
}


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lines") / "reports.jsonl"
    reports = islice(invented_reports(Dice(3), RULES, MONDAY, timedelta(minutes=40)), REPORTS)
    path.write_bytes(b"".join(msgspec.json.encode(report) + b"\n" for report in reports))
    return path


@pytest.fixture(scope="module")
def master(lines: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A played data directory that nobody touches."""
    data = tmp_path_factory.mktemp("master") / "data"
    receipts = data.parent / "receipts.tsv"
    assert app(["replay", str(lines), "--data", str(data), "--receipts", str(receipts)], exit_on_error=False) == 0
    return data


@pytest.fixture
def played(master: Path, tmp_path: Path) -> Path:
    """A played data directory for one test."""
    return Path(shutil.copytree(master, tmp_path / "data"))


@pytest.fixture
def receipt(master: Path) -> str:
    return (master.parent / "receipts.tsv").read_text().split()[1]


def content_of(folder: Path) -> dict[str, Any]:
    """All rows of all tables of a data directory, and the names of its files."""
    found: dict[str, Any] = {"files": sorted(path.name for path in folder.glob("*.db"))}
    for name in found["files"]:
        database = sqlite3.connect(folder / name)
        try:
            found[name] = list(database.iterdump())
        finally:
            database.close()
    return found


# ------------------------------------------------------------------------------------------------------------ replay


def test_replay_ends_with_one_line_of_figures(lines: Path, tmp_path: Path, hujiao: Hujiao) -> None:
    said = hujiao("replay", lines, "--data", tmp_path / "data", "--json")

    figures = said.json
    assert said.status == 0
    assert figures.keys() >= FIGURES
    assert (figures["reports"], figures["receipts"], figures["refused"], figures["repeated"]) == (30, 30, 0, 0)
    assert figures["cases"] + figures["linked"] == 30
    assert figures["closed"] == figures["cases"], "everything has ended"
    assert figures["acknowledged"] == figures["legs"] > figures["calls"] > 0
    assert (figures["parked"], figures["triage"]) == (0, 0)


def test_replay_without_json_shows_a_table(lines: Path, tmp_path: Path, hujiao: Hujiao) -> None:
    said = hujiao("replay", lines, "--data", tmp_path / "data")

    assert said.status == 0
    assert "Replay" in said.out
    assert "facts_per_second" in said.out


def test_the_same_files_again_add_nothing_and_give_the_same_receipts(
    lines: Path, master: Path, played: Path, tmp_path: Path, hujiao: Hujiao
) -> None:
    facts = hujiao("status", "--data", played, "--json").json["facts"]

    said = hujiao("replay", lines, "--data", played, "--receipts", tmp_path / "again.tsv", "--json")

    assert said.status == 0
    assert (said.json["facts"], said.json["repeated"]) == (facts, 30)
    assert (tmp_path / "again.tsv").read_text() == (master.parent / "receipts.tsv").read_text()


def test_the_receipts_file_holds_every_report_once(master: Path) -> None:
    entries = [line.split("\t") for line in (master.parent / "receipts.tsv").read_text().splitlines()]

    assert [source_id for source_id, _ in entries] == [f"import/{n:06d}" for n in range(REPORTS)]
    assert len({read_receipt(receipt) for _, receipt in entries}) == REPORTS


def test_the_same_seed_gives_the_same_views_and_another_seed_others(
    lines: Path, master: Path, tmp_path: Path, hujiao: Hujiao
) -> None:
    hujiao("replay", lines, "--data", tmp_path / "same", "--seed", 1)
    hujiao("replay", lines, "--data", tmp_path / "other", "--seed", 2)

    known, same, other = (
        hujiao("digest", "--data", data, "--json").json for data in (master, tmp_path / "same", tmp_path / "other")
    )

    assert known == same
    assert known["timeline"] != other["timeline"]


def test_a_directory_played_with_one_seed_refuses_another_and_stays_as_it_is(
    lines: Path, played: Path, hujiao: Hujiao
) -> None:
    before = content_of(played)

    said = hujiao("replay", lines, "--data", played, "--seed", 2)

    assert said.status == 2
    assert "expected a data directory with seed 2, found seed 1" in said.err
    assert content_of(played) == before


def test_lines_without_a_source_belong_to_the_one_that_is_named(lines: Path, tmp_path: Path, hujiao: Hujiao) -> None:
    hujiao("replay", lines, "--data", tmp_path / "data", "--source", "hotline")

    said = hujiao("query", "SELECT DISTINCT source FROM reports", "--data", tmp_path / "data", "--json")

    assert said.json == [{"source": "hotline"}]


def test_a_source_that_is_no_name_is_refused(lines: Path, tmp_path: Path, hujiao: Hujiao) -> None:
    said = hujiao("replay", lines, "--data", tmp_path / "data", "--source", "Hot/Line\n")

    assert said.status == 2
    assert "source" in said.err


def test_replay_of_two_files_in_parts_and_at_once_gives_the_same_receipts(
    lines: Path, tmp_path: Path, hujiao: Hujiao
) -> None:
    content = lines.read_bytes().splitlines(keepends=True)
    (tmp_path / "a.jsonl").write_bytes(b"".join(content[::2]))
    (tmp_path / "b.jsonl").write_bytes(b"".join(content[1::2]))

    said = hujiao("replay", tmp_path / "a.jsonl", tmp_path / "b.jsonl", "--data", tmp_path / "both", "--json")

    assert said.json["receipts"] == REPORTS


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([], "expected at least one file"),
        (["nowhere.jsonl"], "found none at nowhere.jsonl"),
        (["."], "expected a file of report lines"),
    ],
)
def test_replay_without_a_file_is_wrong_use_and_makes_no_directory(
    tokens: list[str], expected: str, tmp_path: Path, hujiao: Hujiao
) -> None:
    said = hujiao("replay", *tokens, "--data", tmp_path / "data")

    assert said.status == 2
    assert expected in said.err
    assert not (tmp_path / "data").exists()


# --------------------------------------------------------------------------------------------------------------- ask


def test_status_says_how_much_there_is_and_how_current_each_view_is(played: Path, hujiao: Hujiao) -> None:
    said = hujiao("status", "--data", played, "--json")

    figures = said.json
    assert said.status == 0
    assert figures.keys() >= (FIGURES - {"refused", "repeated", "seconds", "facts_per_second"})
    assert (figures["reports"], figures["receipts"], figures["parked"]) == (30, 30, 0)
    assert set(figures["lag"].values()) == {0}
    assert set(figures["lag"]) == {view.name for view in VIEWS}
    assert "facts behind" in hujiao("status", "--data", played).out
    assert figures["calendar"].startswith(f"announced to {RULES.district.calendar.last_year}")


def test_a_district_whose_calendar_ends_is_good_and_told_from_when_dues_are_provisional(
    tmp_path: Path, hujiao: Hujiao
) -> None:
    folder = shutil.copytree(find_district("yunan"), tmp_path / "copy")
    (folder / "calendar.toml").write_text(
        "[calendar]\nhours = [[08:30:00, 17:30:00]]\nfirst_year = 2010\nlast_year = 2010\nrest = []\nwork = []\n",
        encoding="utf-8",
    )

    said = hujiao("district", "check", folder)

    assert said.status == 0
    assert "Good" in said.out
    assert "expected the holidays of 2011, found none: what falls due from 2011-01-01" in " ".join(said.out.split())


def test_a_case_is_found_by_receipt_by_id_and_by_the_beginning_of_its_id(
    played: Path, receipt: str, hujiao: Hujiao
) -> None:
    found = hujiao("case", receipt, "--data", played, "--json").json
    case = found["case"]["case"]

    assert hujiao("case", receipt.lower(), "--data", played, "--json").json == found
    assert hujiao("case", case, "--data", played, "--json").json == found
    assert hujiao("case", case[:20], "--data", played, "--json").json == found
    assert found.keys() > {"case", "reports", "calls", "legs", "files", "board", "timeline"}
    assert "words" not in found
    shown = hujiao("case", receipt, "--data", played)
    assert shown.status == 0
    assert "Timeline" in shown.out


@pytest.mark.parametrize("reference", ["x", "", "0", "%", "'; DROP VIEW cases; --", "\udcff", "LD2222222222A"])
@pytest.mark.parametrize("command", [["case"], ["explain"], ["asof", "10"], ["act", "approve"]])
def test_what_means_no_case_or_several_is_told_so(
    command: list[str], reference: str, played: Path, hujiao: Hujiao
) -> None:
    more = ["--by", "somebody"] if command[0] == "act" else []

    said = hujiao(*command, reference, *more, "--data", played)

    assert said.status == 2
    assert said.err
    assert "Traceback" not in said.err


def test_explain_gives_the_reasons_in_both_languages(played: Path, receipt: str, hujiao: Hujiao) -> None:
    said = hujiao("explain", receipt, "--data", played, "--json")

    assert said.status == 0
    assert said.json["because"]
    assert all(reason["zh"] and reason["en"] for reason in said.json["because"])
    shown = hujiao("explain", receipt, "--data", played)
    assert shown.status == 0
    assert said.json["because"][0]["zh"] in shown.out


def test_the_board_of_a_played_district_owes_nothing(played: Path, hujiao: Hujiao) -> None:
    found = hujiao("board", "--data", played, "--json").json

    assert found["total"] == len(found["rows"]) == 0
    assert hujiao("board", "--town", "LD", "--data", played).status == 0
    assert hujiao("board", "--town", "六都镇", "--data", played).status == 0
    nowhere = hujiao("board", "--town", "nowhere", "--data", played)
    assert nowhere.status == 2
    assert "expected one of" in nowhere.err


@pytest.mark.parametrize("limit", ["-1", "0", "99999999999999999999999", "many", "1e3", ""])
def test_a_junk_limit_of_the_board_is_bounded_or_refused(limit: str, played: Path, hujiao: Hujiao) -> None:
    assert hujiao("board", f"--limit={limit}", "--data", played).status in (0, 2)


def test_query_answers_as_table_as_csv_and_as_json(played: Path, hujiao: Hujiao) -> None:
    sql = "SELECT record, town FROM reports ORDER BY record LIMIT 3"

    as_json = hujiao("query", sql, "--data", played, "--json").json
    as_csv = list(csv.DictReader(io.StringIO(hujiao("query", sql, "--csv", "--data", played).out)))
    as_table = hujiao("query", sql, "--data", played).out

    assert [row["record"] for row in as_json] == ["000000", "000001", "000002"]
    assert as_csv == as_json
    assert all(row["record"] in as_table for row in as_json)


@pytest.mark.parametrize("view", [view.name for view in VIEWS])
def test_every_view_can_be_asked(view: str, played: Path, hujiao: Hujiao) -> None:
    assert hujiao("query", f"SELECT * FROM {view}", "--data", played, "--json").status == 0
    assert hujiao("query", f"SELECT * FROM {view} LIMIT 1", "--data", played).status == 0


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO builds (name) VALUES ('x')",
        "UPDATE sqlite_master SET sql = ''",
        "DELETE FROM reports",
        "DROP VIEW reports",
        "DROP TABLE reports_v1",
        "CREATE TABLE mine (x)",
        "CREATE TEMP TABLE mine (x)",
        "ATTACH 'mine.db' AS mine",
        "ATTACH ':memory:' AS mine",
        "DETACH main",
        "PRAGMA query_only = OFF",
        "PRAGMA user_version = 7",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA writable_schema = ON",
        "COMMIT",
        "ROLLBACK",
        "BEGIN",
        "SAVEPOINT x",
        "VACUUM",
        "VACUUM INTO 'mine.db'",
        "REINDEX",
        "SELECT 1; DROP VIEW reports",
        "SELECT load_extension('mine')",
        "SELECT * FROM nowhere",
        "SELECT ?",
        "SELECT :name",
        "SELEC",
        "",
        "--",
        "\0",
        "(" * 5_000,
        "\udcff",
    ],
)
def test_query_can_change_nothing_and_says_what_is_wrong(
    sql: str, played: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hujiao: Hujiao
) -> None:
    monkeypatch.chdir(tmp_path)
    before = content_of(played)

    said = hujiao("query", sql, "--data", played)

    assert said.status == 2
    assert said.err.strip()
    assert "sqlalche.me" not in said.err
    assert content_of(played) == before
    assert not (tmp_path / "mine.db").exists()
    assert hujiao("query", "SELECT count(*) AS n FROM reports", "--data", played, "--json").json == [{"n": REPORTS}]


def test_what_looks_like_markup_is_shown_as_it_is(tmp_path: Path, hujiao: Hujiao) -> None:
    data = tmp_path / "data"
    hujiao("report", "--text", "x", "--village", VILLAGE, "--id", "[/b] [red]7[/red]", "--data", data)

    said = hujiao("query", "SELECT record FROM reports", "--data", data)

    assert said.status == 0
    assert "[/b] [red]7[/red]" in said.out


def test_a_column_of_bytes_is_one_line_of_json_and_a_table(played: Path, hujiao: Hujiao) -> None:
    sql = "SELECT x'00ff0a' AS bytes, NULL AS missing, 1e999 AS endless, 'a\nb' AS two_lines"

    assert hujiao("query", sql, "--data", played, "--json").status == 0
    assert len(hujiao("query", sql, "--data", played, "--json").json) == 1
    assert "Infinity" not in hujiao("query", sql, "--data", played, "--json").out, "JSON knows no infinity"
    assert hujiao("query", sql, "--data", played).status == 0


# -------------------------------------------------------------------------------------------------------------- as of


@pytest.mark.parametrize("at", ["2026-03-02T12:00:00+08:00", "2026-03-02", "40", "0", "2026-03-02T04:00:00Z"])
def test_the_past_can_be_asked_by_time_by_date_and_by_position(at: str, played: Path, hujiao: Hujiao) -> None:
    said = hujiao("asof", at, "--data", played, "--json")

    assert said.status == 0
    assert said.json["position"] >= 0
    assert said.json["total"] == len(said.json["rows"]) or said.json["total"] > 50
    assert hujiao("asof", at, "--data", played).status == 0


def test_the_past_of_a_case_and_of_any_question_are_those_of_that_time(
    played: Path, receipt: str, hujiao: Hujiao
) -> None:
    now = hujiao("case", receipt, "--data", played, "--json").json
    opened = hujiao("query", "SELECT min(position) AS p FROM timeline", "--data", played, "--json").json[0]["p"]

    then = hujiao("asof", opened, receipt, "--data", played, "--json").json
    count = hujiao("asof", opened, "--sql", "SELECT count(*) AS n FROM cases", "--data", played, "--json").json

    assert now["case"]["phase"] == "closed"
    assert then["cases"][0]["phase"] == "registered"
    assert then["cases"][0]["case"] == now["case"]["case"]
    assert count == [{"n": 1}]


def test_the_views_at_the_head_are_the_views_of_now(played: Path, hujiao: Hujiao) -> None:
    head = hujiao("status", "--data", played, "--json").json["position"]
    sql = "SELECT * FROM cases ORDER BY 1"

    past = hujiao("asof", head, "--sql", sql, "--data", played, "--json").json

    assert past == hujiao("query", sql, "--data", played, "--json").json
    assert hujiao("asof", head, "--sql", sql, "--csv", "--data", played).status == 0


@pytest.mark.parametrize(
    "at",
    [
        "yesterday",
        "",
        "2026-13-01",
        "2026-02-30",
        "2026-03-02T12:00:00",
        "2026-03-02T25:00:00Z",
        "99999999",
        "9" * 40,
        "9" * 5_000,
        "=-1",
        "1.5",
        "٣",
        "\0",
        "\udcff",
    ],
)
def test_a_junk_time_is_told_so(at: str, played: Path, hujiao: Hujiao) -> None:
    said = hujiao("asof", at, "--data", played)

    assert said.status == 2
    assert "at: expected" in said.err


def test_the_past_before_a_case_was_opened_does_not_know_it(played: Path, receipt: str, hujiao: Hujiao) -> None:
    said = hujiao("asof", "1", receipt, "--data", played)

    assert said.status == 2
    assert "opened later" in said.err


@pytest.mark.parametrize("sql", ["DROP VIEW cases", "SELEC", "ATTACH 'mine.db' AS mine"])
def test_a_question_to_the_past_can_change_nothing(
    sql: str, played: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hujiao: Hujiao
) -> None:
    monkeypatch.chdir(tmp_path)

    said = hujiao("asof", "40", "--sql", sql, "--data", played)

    assert said.status == 2
    assert not (tmp_path / "mine.db").exists()
    assert hujiao("asof", "40", "--sql", "SELECT * FROM cases", "--data", played).status == 0


# ------------------------------------------------------------------------------------------------------ report and act


@pytest.fixture
def township(tmp_path: Path) -> Path:
    return tmp_path / "township"


def hand_in(hujiao: Hujiao, data: Path, record: str = "1", **more: str) -> dict[str, Any]:
    """A report by hand, and what became of it."""
    report = {"title": "路灯坏了", "text": "村口的路灯不亮", "village": VILLAGE, "reporter": "r1", "id": record, **more}
    options = [part for name, value in report.items() for part in (f"--{name}", value)]
    said = hujiao("report", *options, "--data", data, "--json")
    assert said.status == 0, said.err
    taken: dict[str, Any] = said.json
    return taken


def test_a_report_by_hand_gets_a_receipt_and_a_case(township: Path, hujiao: Hujiao) -> None:
    taken = hand_in(hujiao, township, matter="301")

    assert read_receipt(taken["receipt"])
    assert taken["repeated"] is False
    assert hujiao("case", taken["receipt"], "--data", township, "--json").json["case"]["case"] == taken["case"]
    shown = hujiao("report", "--text", "x", "--village", VILLAGE, "--data", township)
    assert shown.status == 0
    assert "Receipt" in shown.out


def test_the_same_report_by_hand_under_the_same_number_is_the_same_report(township: Path, hujiao: Hujiao) -> None:
    first = hand_in(hujiao, township)

    again = hand_in(hujiao, township)

    assert again == {**first, "repeated": True}


def test_another_report_under_the_same_number_is_a_conflict(township: Path, hujiao: Hujiao) -> None:
    hand_in(hujiao, township)

    said = hujiao("report", "--text", "other words", "--village", VILLAGE, "--id", "1", "--data", township)

    assert said.status == 4
    assert "other content" in said.err


def test_a_whole_line_can_be_handed_in(township: Path, hujiao: Hujiao) -> None:
    line = {"id": "7", "time": "2026-03-02T09:00:00+08:00", "title": "灯", "text": "灯坏了", "village": VILLAGE}

    first = hujiao("report", "--line", json.dumps(line), "--data", township, "--json")
    again = hujiao("report", "--line", json.dumps(line), "--data", township, "--json")

    assert first.status == again.status == 0
    assert again.json == {**first.json, "repeated": True}


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (["--text", "x"], "village"),
        (["--village", VILLAGE], "text"),
        (["--text", "x", "--village", "1"], "village"),
        (["--text", "x", "--town", "1"], "town"),
        (["--text", "x", "--village", VILLAGE, "--matter", "000"], "matter"),
        (["--text", "x" * 20_001, "--village", VILLAGE], "text"),
        (["--text", "\udcff", "--village", VILLAGE], "UTF-8"),
        (["--text", "x", "--village", VILLAGE, "--id", "a\nb"], "id"),
        (["--text", "x", "--village", VILLAGE, "--channel", "fax"], "channel"),
        (["--text", "x", "--village", VILLAGE, "--source", "A B"], "source"),
        (["--line", "{"], "JSON"),
        (["--line", ""], "JSON"),
        (["--line", "[]"], "object"),
    ],
)
def test_a_junk_report_by_hand_is_wrong_use_and_stores_nothing(
    tokens: list[str], expected: str, township: Path, hujiao: Hujiao
) -> None:
    said = hujiao("report", *tokens, "--data", township)

    assert said.status == 2
    assert expected.lower() in (said.err + said.out).lower()
    if township.exists():
        assert hujiao("status", "--data", township, "--json").json["reports"] == 0


def department_of(hujiao: Hujiao, data: Path, receipt: str, role: str = "lead") -> str:
    legs = hujiao("case", receipt, "--data", data, "--json").json["legs"]
    return str(next(leg["department"] for leg in reversed(legs) if leg["role"] == role))


def test_a_case_goes_through_all_acts_to_its_end(township: Path, hujiao: Hujiao) -> None:
    receipt = hand_in(hujiao, township, title="嗯", text="不知道说什么好")["receipt"]

    def act(*tokens: str, by: str) -> dict[str, Any]:
        said = hujiao("act", *tokens, "--by", by, "--data", township, "--json")
        assert said.status == 0, said.err + said.out
        assert said.json["status"] == "accepted"
        return dict(said.json)

    assert act("classify", receipt, "301", by="operator")["phase"] == "calling"
    lead = department_of(hujiao, township, receipt)
    for leg in hujiao("case", receipt, "--data", township, "--json").json["legs"]:
        act("acknowledge", receipt, leg["department"], by="officer")
        if leg["arrive_due"]:
            act("report-in", receipt, leg["department"], "3", by="officer")
    act("contact", receipt, lead, by="officer")
    act("note", receipt, lead, "现场已看过", by="officer")
    for leg in hujiao("case", receipt, "--data", township, "--json").json["legs"]:
        if leg["department"] != lead:
            act("file", receipt, leg["department"], "已协助处理", by="officer")
    assert act("file", receipt, lead, "已修好", "--reply", "路灯已修好。", by="officer")["phase"] == "in_review"
    assert act("send-back", receipt, "缺照片", by="reviewer")["phase"] == "calling"
    act("acknowledge", receipt, lead, by="officer")
    act("report-in", receipt, lead, by="officer")
    assert act("file", receipt, lead, "已补照片", "--reply", "路灯已修好。", by="officer")["phase"] == "in_review"
    assert act("approve", receipt, by="reviewer")["phase"] == "resolved"
    act("follow-up", receipt, "unreached", by="clerk")
    assert act("follow-up", receipt, "solved", "--satisfied", by="clerk")["phase"] == "closed"
    act("publish", receipt, by="publisher")

    assert hujiao("status", "--data", township, "--json").json["disclosed"] == 1
    assert hujiao("verify", "--data", township).status == 0


def test_a_notice_can_be_withheld(township: Path, hujiao: Hujiao) -> None:
    receipt = through_review(hujiao, township)

    said = hujiao("act", "withhold", receipt, "personal_data", "--by", "publisher", "--data", township, "--json")

    assert said.status == 0
    assert hujiao("query", "SELECT phase FROM notices", "--data", township, "--json").json == [{"phase": "withheld"}]


def test_a_case_that_its_reporter_still_calls_unsolved_can_be_closed_with_an_explanation(
    township: Path, hujiao: Hujiao
) -> None:
    receipt = through_review(hujiao, township)
    hujiao("act", "follow-up", receipt, "not-solved", "--by", "clerk", "--data", township)
    through_result(hujiao, township, receipt)
    hujiao("act", "approve", receipt, "--by", "reviewer", "--data", township)
    hujiao("act", "follow-up", receipt, "not-solved", "--by", "clerk", "--data", township)

    said = hujiao("act", "close-explained", receipt, "--by", "reviewer", "--data", township, "--json")

    assert said.status == 0, said.err
    assert said.json["phase"] == "closed"


def through_result(hujiao: Hujiao, data: Path, receipt: str) -> None:
    """Every department of the newest calls acknowledges and files."""
    legs = hujiao("case", receipt, "--data", data, "--json").json["legs"]
    for leg in sorted((leg for leg in legs if leg["progress"] == "called"), key=lambda leg: leg["role"] == "lead"):
        department = leg["department"]
        hujiao("act", "acknowledge", receipt, department, "--by", "officer", "--data", data)
        if leg["arrive_due"]:
            hujiao("act", "report-in", receipt, department, "--by", "officer", "--data", data)
        reply = ["--reply", "已处理。"] if leg["role"] == "lead" else []
        hujiao("act", "file", receipt, department, "已处理", *reply, "--by", "officer", "--data", data)


def through_review(hujiao: Hujiao, data: Path) -> str:
    """A case that is resolved; its receipt."""
    receipt = str(hand_in(hujiao, data, matter="301")["receipt"])
    through_result(hujiao, data, receipt)
    said = hujiao("act", "approve", receipt, "--by", "reviewer", "--data", data, "--json")
    assert said.status == 0, said.err
    assert said.json["phase"] == "resolved"
    return receipt


def test_a_report_that_waits_in_triage_can_be_refused(township: Path, hujiao: Hujiao) -> None:
    receipt = hand_in(hujiao, township, title="嗯", text="不知道说什么好")["receipt"]

    said = hujiao("act", "refuse", receipt, "court", "请向法院提出。", "--by", "operator", "--data", township, "--json")

    assert said.status == 0
    assert said.json["phase"] == "closed"


def test_an_act_that_is_not_allowed_ends_with_4_and_its_reason(played: Path, receipt: str, hujiao: Hujiao) -> None:
    before = hujiao("status", "--data", played, "--json").json["facts"]

    said = hujiao("act", "send-back", receipt, "not good", "--by", "reviewer", "--data", played)
    as_json = hujiao("act", "send-back", receipt, "still not", "--by", "reviewer", "--data", played, "--json")

    assert said.status == 4
    assert "closed" in said.err
    assert as_json.status == 4
    assert json.loads(as_json.out)["status"] == "rejected"
    assert json.loads(as_json.out)["reason"]
    assert hujiao("status", "--data", played, "--json").json["facts"] == before


def test_an_act_that_was_refused_can_be_tried_again_in_another_way(township: Path, hujiao: Hujiao) -> None:
    receipt = hand_in(hujiao, township, title="嗯", text="不知道说什么好")["receipt"]
    wrong = hujiao("act", "classify", receipt, "000", "--by", "operator", "--data", township)

    right = hujiao("act", "classify", receipt, "301", "--by", "operator", "--data", township)

    assert wrong.status == 4
    assert right.status == 0, right.err


def test_the_same_act_under_the_same_number_is_done_once(township: Path, hujiao: Hujiao) -> None:
    receipt = hand_in(hujiao, township, title="嗯", text="不知道说什么好")["receipt"]
    act = ("act", "classify", receipt, "301", "--by", "operator", "--id", "A-7", "--data", township)
    hujiao(*act)
    facts = hujiao("status", "--data", township, "--json").json["facts"]

    again = hujiao(*act)

    assert again.status == 0
    assert "it was done already" in again.out
    assert hujiao("status", "--data", township, "--json").json["facts"] == facts


def test_the_number_of_a_report_is_not_in_the_way_of_the_same_number_of_an_act(township: Path, hujiao: Hujiao) -> None:
    receipt = hand_in(hujiao, township, record="7", title="嗯", text="不知道说什么好")["receipt"]

    said = hujiao("act", "classify", receipt, "301", "--by", "operator", "--id", "7", "--data", township)

    assert said.status == 0, said.err


@pytest.mark.parametrize(
    "tokens",
    [
        ["acknowledge", "NOPE"],
        ["acknowledge", ""],
        ["report-in", "LEAD", "0"],
        ["report-in", "LEAD", "-5"],
        ["report-in", "LEAD", "many"],
        ["report-in", "LEAD", "9" * 30],
        ["note", "LEAD", "x" * 20_001],
        ["file", "LEAD", "x" * 20_001, "--reply", "x"],
        ["file", "LEAD", "x", "--reply", "x" * 20_001],
        ["file", "LEAD", "x", "--solved", "maybe"],
        ["acknowledge", "LEAD", "--by", "x" * 201],
        ["acknowledge", "LEAD", "--by", ""],
        ["acknowledge", "LEAD", "--by", "\udcff"],
        ["acknowledge", "LEAD", "--id", "\udcff"],
        ["follow-up", "perhaps"],
        ["withhold", "mood"],
        ["refuse", "mood", "x"],
        ["dance"],
    ],
    ids=lambda tokens: " ".join(token[:12] for token in tokens).encode("unicode_escape").decode(),
)
def test_a_junk_act_is_refused_in_a_sentence_and_changes_nothing(
    tokens: list[str], township: Path, hujiao: Hujiao
) -> None:
    receipt = hand_in(hujiao, township, matter="301")["receipt"]
    lead = department_of(hujiao, township, receipt)
    facts = hujiao("status", "--data", township, "--json").json["facts"]
    name, *rest = (lead if word == "LEAD" else word for word in tokens)
    by = [] if "--by" in rest else ["--by", "somebody"]

    said = hujiao("act", name, receipt, *rest, *by, "--data", township)

    assert said.status in (2, 4)
    assert said.err.strip() or said.out.strip()
    assert "Traceback" not in said.err
    assert hujiao("status", "--data", township, "--json").json["facts"] == facts


def test_a_name_with_markup_is_shown_as_it_is(township: Path, hujiao: Hujiao) -> None:
    receipt = hand_in(hujiao, township, title="嗯", text="不知道说什么好")["receipt"]
    hujiao("act", "classify", receipt, "301", "--by", "Li [/x] [red]", "--data", township)

    case = hujiao("case", receipt, "--data", township)
    explained = hujiao("explain", receipt, "--data", township)

    assert case.status == explained.status == 0
    assert "Li [/x] [red]" in case.out
    assert "Li [/x] [red]" in explained.out


# -------------------------------------------------------------------------------------------------------------- keep


def test_digest_names_every_view_and_rebuild_changes_none(played: Path, hujiao: Hujiao) -> None:
    digests = hujiao("digest", "--data", played, "--json").json

    rebuilt = hujiao("rebuild", "--data", played, "--json").json

    assert set(digests) == {view.name for view in VIEWS}
    assert all(len(digest) == 64 for digest in digests.values())
    assert rebuilt == digests
    assert "Digests" in hujiao("digest", "--data", played).out


def test_verify_gives_a_head_that_is_known_later(played: Path, hujiao: Hujiao) -> None:
    found = hujiao("verify", "--data", played, "--json").json

    assert found["fault"] is None
    assert found["facts"] == hujiao("status", "--data", played, "--json").json["facts"]
    assert hujiao("verify", "--head", found["head"], "--data", played).status == 0
    assert "Intact" in hujiao("verify", "--data", played).out


@pytest.mark.parametrize("head", ["junk", "0" * 63, "0" * 65, "G" * 64, "A" * 64, "0" * 63 + "\n", "٠" * 64])
def test_a_junk_head_is_wrong_use(head: str, played: Path, hujiao: Hujiao) -> None:
    said = hujiao("verify", "--head", head, "--data", played)

    assert said.status == 2
    assert "64 hexadecimal digits" in said.err


def test_a_head_that_the_log_never_had_is_a_fault(played: Path, hujiao: Hujiao) -> None:
    said = hujiao("verify", "--head", "0" * 64, "--data", played)

    facts = hujiao("status", "--data", played, "--json").json["facts"]
    assert said.status == 5
    assert "cut off" in said.out
    assert f"{facts + 1} to {facts}" not in said.out, "no batch goes backwards"
    assert hujiao("verify", "--head", "0" * 64, "--data", played, "--json").json["fault"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE stored_events SET state = CAST(state || x'00' AS BLOB) WHERE rowid = 5",
        "UPDATE stored_events SET state = 'text' WHERE rowid = 5",
        "UPDATE stored_events SET state = CAST(state AS TEXT) WHERE rowid = 5",
        "UPDATE stored_events SET state = 7 WHERE rowid = 5",
        "UPDATE stored_events SET topic = 'report.linked.v1' WHERE rowid = 6",
        "UPDATE stored_events SET topic = 'nonsense' WHERE rowid = 6",
        "UPDATE stored_events SET originator_version = 99 WHERE rowid = 6",
        "UPDATE stored_events SET originator_id = x'ff' WHERE rowid = 6",
        "UPDATE stored_events SET rowid = 900000 WHERE rowid = 6",
        "DELETE FROM stored_events WHERE rowid = 6",
        "DELETE FROM stored_events WHERE rowid = (SELECT max(rowid) FROM stored_events)",
        "DELETE FROM seals WHERE position = (SELECT max(position) FROM seals)",
        "UPDATE seals SET seal = x'00'",
        "UPDATE seals SET seal = 'text'",
    ],
)
def test_a_changed_log_is_a_fault_and_ends_with_5(change: str, played: Path, hujiao: Hujiao) -> None:
    database = sqlite3.connect(played / "log.db")
    assert database.execute(change).rowcount > 0
    database.commit()
    database.close()

    said = hujiao("verify", "--data", played)

    assert said.status == 5
    assert "Fault" in said.out


def test_parked_is_empty_and_knows_nothing_to_release_or_drop(played: Path, hujiao: Hujiao) -> None:
    assert hujiao("parked", "list", "--data", played, "--json").json == []
    assert hujiao("parked", "list", "--data", played).status == 0
    for command in ("release", "drop"):
        said = hujiao("parked", command, "nothing", "--data", played)
        assert said.status == 2
        assert "expected something parked" in said.err


def test_schema_writes_one_file_a_name_and_the_channels(tmp_path: Path, hujiao: Hujiao) -> None:
    said = hujiao("schema", tmp_path / "language")

    written = {path.name for path in (tmp_path / "language").iterdir()}
    assert said.status == 0
    assert {f"{name}.schema.json" for name in CATALOG._structs} <= written
    assert json.loads((tmp_path / "language" / "asyncapi.json").read_text())["asyncapi"].startswith("3.")
    for name in written:
        json.loads((tmp_path / "language" / name).read_text(encoding="utf-8"))


def test_the_language_does_not_go_where_a_file_stands(tmp_path: Path, hujiao: Hujiao) -> None:
    (tmp_path / "file").write_text("mine")

    said = hujiao("schema", tmp_path / "file")

    assert said.status == 1
    assert said.err.strip()
    assert (tmp_path / "file").read_text() == "mine"


# -------------------------------------------------------------------------------------------------------- directories


NEEDS_DATA = [
    ["status"],
    ["board"],
    ["digest"],
    ["rebuild"],
    ["verify"],
    ["parked", "list"],
    ["parked", "release", "x"],
    ["parked", "drop", "x"],
    ["case", "x"],
    ["explain", "x"],
    ["asof", "1"],
    ["query", "SELECT 1"],
    ["act", "approve", "x", "--by", "y"],
]


@pytest.mark.parametrize("command", NEEDS_DATA, ids=" ".join)
def test_an_unknown_data_directory_is_told_so_and_not_made(command: list[str], tmp_path: Path, hujiao: Hujiao) -> None:
    said = hujiao(*command, "--data", tmp_path / "nowhere")

    assert said.status == 2
    assert "expected a data directory" in said.err
    assert not (tmp_path / "nowhere").exists()


def test_a_data_directory_of_other_files_is_told_so(tmp_path: Path, hujiao: Hujiao) -> None:
    (tmp_path / "log.db").write_bytes(b"this is no database at all" * 100)

    for command in (["status"], ["verify"], ["digest"]):
        said = hujiao(*command, "--data", tmp_path)
        assert said.status in (1, 2, 5)
        assert said.err.strip()


def test_the_directory_of_a_replay_is_not_served_as_a_real_one(played: Path, hujiao: Hujiao) -> None:
    said = hujiao("up", "--data", played, "--port", "1")

    assert said.status == 2
    assert "expected a data directory with clock system, found clock virtual" in said.err


def test_an_unknown_district_is_told_so_before_anything_is_made(lines: Path, tmp_path: Path, hujiao: Hujiao) -> None:
    for command in (["replay", lines], ["up"], ["demo"], ["report", "--text", "x", "--village", VILLAGE]):
        said = hujiao(*command, "--district", "nowhere", "--data", tmp_path / "data")
        assert said.status == 2
        assert "district.toml" in said.err
        assert not (tmp_path / "data").exists()


@pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")
@pytest.mark.parametrize("port", ["-1", "65536", "99999999999", "http", ""])
def test_a_junk_port_is_wrong_use(port: str, tmp_path: Path, hujiao: Hujiao) -> None:
    said = hujiao("up", f"--port={port}", "--data", tmp_path / "data")

    assert said.status == 2


def test_while_another_process_serves_the_directory_it_is_busy_but_may_be_asked(
    lines: Path, tmp_path: Path, hujiao: Hujiao
) -> None:
    data = tmp_path / "data"
    receipt = hand_in(hujiao, data, matter="301")["receipt"]
    holding = (
        "import sys; from pathlib import Path; from services.runtime.clock import SystemClock;"
        "from services.wiring import House; house = House(Path(sys.argv[1]), SystemClock()); house.lock();"
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holding, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == b"held\n"

            busy = hujiao("replay", lines, "--data", data)
            served = hujiao("up", "--data", data)
            asked = hujiao("case", receipt, "--data", data)
            reported = hujiao("report", "--text", "x", "--village", VILLAGE, "--data", data, "--json")
        finally:
            other.kill()

    assert busy.status == served.status == 6
    assert "found another process serving it" in busy.err
    assert asked.status == 0
    assert reported.status == 0
    assert read_receipt(reported.json["receipt"])


def test_once_the_other_process_is_gone_its_work_is_done(township: Path, hujiao: Hujiao) -> None:
    hand_in(hujiao, township, matter="301")
    with House(township, SystemClock()) as other:
        other.lock()
        waiting = hujiao("report", "--text", "灯坏了", "--village", VILLAGE, "--data", township, "--json").json
    assert waiting["case"] is None

    receipt = hand_in(hujiao, township, record="3")["receipt"]

    assert receipt
    assert hujiao("case", waiting["receipt"], "--data", township).status == 0


# -------------------------------------------------------------------------------------------------- the command itself


def start(*tokens: str, **environment: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", "from services.cli.main import main; main()", *tokens]
    return subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_the_directory_comes_from_the_environment_and_one_json_line_goes_out(played: Path) -> None:
    with start("status", "--json", HUJIAO_DATA=str(played), HUJIAO_LOG="rubbish") as running:
        out, err = running.communicate(timeout=60)

    assert running.returncode == 0
    assert err == b""
    assert json.loads(out)["reports"] == REPORTS
    assert out.count(b"\n") == 1


def test_wrong_use_ends_with_2_and_no_traceback(tmp_path: Path) -> None:
    with start("replay", "nowhere", "--data", str(tmp_path / "data")) as running:
        out, err = running.communicate(timeout=60)

    assert running.returncode == 2
    assert out == b""
    assert b"expected a file of report lines" in err
    assert b"Traceback" not in err


def test_a_reader_that_goes_away_is_no_fault(played: Path) -> None:
    sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300000) SELECT i FROM n"
    with start("query", sql, "--csv", "--data", str(played)) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline() == b"i\n"
        running.stdout.close()
        err = running.stderr.read()

    assert running.returncode == 0
    assert err == b""


def test_a_replay_that_is_interrupted_ends_with_130_and_goes_on_the_next_time(
    master: Path, lines: Path, tmp_path: Path, hujiao: Hujiao
) -> None:
    data = tmp_path / "data"
    with start("replay", str(lines), "--data", str(data)) as running:
        while not (data / "log.db").exists():
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)

    assert running.returncode in (0, 130), err
    assert b"Traceback" not in err
    hujiao("replay", lines, "--data", data)
    assert hujiao("digest", "--data", data, "--json").json == hujiao("digest", "--data", master, "--json").json


@pytest.mark.parametrize("tokens", [["--help"], ["-h"], ["--version"], ["act"], ["act", "--help"], ["parked"], []])
def test_help_is_given_to_those_who_ask(tokens: list[str], hujiao: Hujiao) -> None:
    said = hujiao(*tokens)

    assert said.status == 0
    assert said.out.strip()


@pytest.mark.parametrize("tokens", [["frobnicate"], ["status", "--frob"], ["status", "extra"], ["act", "frob"]])
def test_an_unknown_command_or_option_is_wrong_use(tokens: list[str], hujiao: Hujiao) -> None:
    said = hujiao(*tokens)

    assert said.status == 2
    assert said.err + said.out
