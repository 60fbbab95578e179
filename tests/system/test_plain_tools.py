"""The README's samples for hotlines, terminals, departments and analysts, run as they are written, by a bare shell.

Each sample can be played once in a township's life: its reports and acts have their ids.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.township import VHOST
from services.provisioning import roles
from tests.servers import need
from tests.system.edges import APP, HOTLINE, Edges, binary, outside, own_queue, submit, wait_for

ROOT = Path(__file__).parents[2]
SECTIONS = {
    "README.md": (
        "How a hotline publishes",
        "How an app or village terminal reports",
        "How a department subscribes",
        "How an analyst queries",
    ),
    "README.zh.md": ("热线怎样发布", "App 或村居终端怎样上报", "部门怎样订阅", "分析人员怎样查询"),
}
DEPARTMENT, POSTED_CALL = "dept.ld.d09", "01a210409e409bb2b5d64f7a1d605052"
"""Whose sample it is, and the call in it, which nobody can have got."""

DAMAGED_ROAD = "602"
"""The matter that the sample of the department is about."""

RUN_S = 60.0


def samples(file: str) -> list[tuple[str, str]]:
    """The language and text of every sample for outsiders, in order."""
    text = (ROOT / file).read_text(encoding="utf-8")
    found = []
    for title in SECTIONS[file]:
        section = text.split(f"\n### {title}\n")[1].split("\n### ")[0]
        found += re.findall(r"^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return found


HOTLINE_SH, HOTLINE_PY, TERMINAL_SH, DEPARTMENT_SH, ANALYST_SH, ANALYST_PY = (text for _, text in samples("README.md"))

Run = Callable[..., str]


@pytest.fixture(scope="module")
def played_once(edges: Edges) -> None:
    for package in ("postgresql", "mosquitto-clients", "amqp-tools"):
        need(package)
    if edges.report(HOTLINE, "2026-000123"):
        pytest.skip("the samples were played in this township before")


@pytest.fixture
def run(edges: Edges, played_once: None, tmp_path: Path) -> Run:
    """Runs a command in an empty folder, with nothing in its environment but what the README names."""
    amqp, password = edges.township.amqp_url, edges.township.password
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "HOTLINE_URL": amqp(HOTLINE),
        "DEPARTMENT_URL": amqp(DEPARTMENT),
        "ANALYST_URL": edges.township.store_url(roles.ANALYST),
        "MQTT_PORT": str(edges.township.mosquitto.port),
        "PASSWORD": password(APP),
    }

    def run(*command: str) -> str:
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=RUN_S, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), f"{command[-1]}\n{done.stdout}{done.stderr}"
        return done.stdout

    return run


def shell(run: Run, script: str) -> str:
    return run("sh", "-e", "-c", script)


def python(run: Run, script: str) -> str:
    """By an interpreter that has the libraries which the sample imports, and does not look into its own folder."""
    return run(sys.executable, "-I", "-W", "error", "-c", script)


def empty(edges: Edges, user: str) -> None:
    """Take out of a user's queue what other tests have left there."""
    edges.township.nodes[0].manage("DELETE", f"/api/queues/{VHOST}/{own_queue(user)}/contents")


def fields(line: str) -> set[str]:
    """The names of an object of which a comment shows the beginning."""
    return set(re.findall(r'"(\w+)":', re.sub(r"\{[^{}]*\}", "0", line.removeprefix("# ")[1:])))


def shown(sample: str) -> set[str]:
    """The fields of what a sample's comment says that comes."""
    return fields(next(line for line in sample.splitlines() if line.startswith("# {")))


def commands(sample: str) -> list[str]:
    """The commands of a sample, one by one."""
    return re.split(r"^(?=amqp-|mosquitto_)", sample, flags=re.MULTILINE)[1:]


def test_both_readmes_have_the_same_samples() -> None:
    assert samples("README.md") == samples("README.zh.md")
    assert [language for language, _ in samples("README.md")] == ["sh", "python", "sh", "sh", "sh", "python"]


def test_a_hotline_reports_with_the_plain_tools_and_gets_its_receipt(edges: Edges, run: Run) -> None:
    empty(edges, HOTLINE)

    receipt = json.loads(shell(run, HOTLINE_SH))

    recorded = edges.report(HOTLINE, "2026-000123")
    assert recorded is not None
    assert receipt.keys() == shown(HOTLINE_SH) == {"record", "receipt", "report", "repeated"}
    assert (receipt["record"], receipt["report"], receipt["repeated"]) == ("2026-000123", recorded.stream, False)
    assert re.fullmatch(r"LD[0-9A-Z]{11}", receipt["receipt"])


async def test_a_hotline_reports_in_python_and_its_answer_carries_its_correlation_id(edges: Edges, run: Run) -> None:
    assert python(run, HOTLINE_PY) == ""

    async with outside(edges, HOTLINE) as hotline:
        answer = await hotline.hear(lambda came: came.correlation_id == "2026-000124")
    assert (answer.type, answer.data["record"]) == ("report.received.v1", "2026-000124")
    assert edges.report(HOTLINE, "2026-000124") is not None


def test_a_terminal_reports_with_the_plain_tools_and_hears_its_receipt_and_news(edges: Edges, run: Run) -> None:
    told = by_type(shell(run, TERMINAL_SH))
    while len(told) < 2:  # the tool may print one message twice, when it ends before Mosquitto hears that it has it
        told |= by_type(shell(run, commands(TERMINAL_SH)[-1]))

    recorded = edges.report(APP, "0001")
    assert recorded is not None
    receipt, news = told["report.received.v1"], told["case.news.v1"]
    assert (receipt["record"], receipt["report"], receipt["repeated"]) == ("0001", recorded.stream, False)
    assert (news["record"], news["receipt"]) == ("0001", receipt["receipt"])
    assert news["stage"] in {"triage", "registered", "calling"}


def by_type(line: str) -> dict[str, Any]:
    """What an event says, under its type."""
    said = json.loads(line)
    return {said["type"]: said["data"]}


async def test_a_department_hears_its_part_and_acknowledges_with_the_plain_tools(edges: Edges, run: Run) -> None:
    consume, publish = commands(DEPARTMENT_SH)
    empty(edges, DEPARTMENT)
    async with outside(edges, HOTLINE) as hotline:
        await hotline.ask(binary(submit(matter=DAMAGED_ROAD)))
    before = edges.head()

    leg = json.loads(shell(run, consume))
    shell(run, publish.replace(POSTED_CALL, leg["call"]))  # the one thing that the reader has to put in
    heard = [json.loads(shell(run, consume)) for _ in ("the answer", "the fact")]

    assert shown(DEPARTMENT_SH) <= leg.keys()
    assert (leg["department"], leg["role"], leg["matter"]) == ("D09", "assist", DAMAGED_ROAD)
    (decided,) = [said for said in heard if "status" in said]
    assert (decided["status"], decided["event"], decided["facts"]) == ("accepted", "ack-1", 1)
    (fact,) = [said for said in heard if "status" not in said]
    assert (fact["department"], fact["by"]) == ("D09", "李四")
    assert "call.acknowledged.v1" in {
        recorded.name for recorded in edges.since(before) if recorded.stream == leg["call"]
    }


def test_an_analyst_asks_with_the_plain_tool_and_in_python(edges: Edges, run: Run) -> None:
    wait_for(
        lambda: edges.rows("SELECT 1 FROM analysis.legs WHERE department = 'D09' AND acknowledged_at IS NOT NULL"),
        "the acknowledgement in the views",
    )

    table = shell(run, ANALYST_SH)
    listed = python(run, ANALYST_PY)

    head, _, *rows = (line for line in table.splitlines() if line)
    assert [name.strip() for name in head.split("|")] == ["department", "called", "acknowledged", "late"]
    departments = {row.split("|")[0].strip(): [int(n) for n in row.split("|")[1:3]] for row in rows if "|" in row}
    called, acknowledged = departments["D09"]
    assert called >= acknowledged >= 1
    with psycopg.connect(edges.township.store_url(roles.ANALYST)) as connection:
        towns = dict(connection.execute("SELECT town, count(*) FROM analysis.cases GROUP BY town").fetchall())
    assert {town: int(cases) for town, cases in (line.split() for line in listed.splitlines())} == towns
