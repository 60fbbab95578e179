"""`deploy/local`: one whole township that comes up, is watched, works, loses its servers, is stopped, and goes down.

About two minutes on a machine with nothing else to do, half a minute of it for the first start. The tests share the
township and run in their order; each leaves everything running but the last ones.
"""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, LiteralString

import aio_pika
import aiomqtt
import httpx
import msgspec
import psycopg
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from deploy.processes import HOST, Process, until
from deploy.township import OURS, Township
from services.processes.process import SERVICES
from services.provisioning import roles
from services.provisioning.environment import USES, of_service
from services.rules.book import RuleBook
from services.simulation.people import Dice
from services.simulation.residents import invented_reports
from tests.servers import need
from tests.system.watching import SCRAPES, asked, expressions, load

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "local"
COMES_UP_S, GOES_DOWN_S = 300.0, 120.0
STOPS_S = 10.0
SOON_S = 60.0
REPORTS = 60
ADOPT_ORPHANS = 36
"""PR_SET_CHILD_SUBREAPER: who started a process has ended, so we become its parent and learn how it ends."""


def run(*arguments: str | Path, timeout_s: float = COMES_UP_S) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


class Local:
    """The township of these tests, by the script and from inside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.first = self("up")
        self.township = Township(folder, outlive=True)

    def __call__(self, do: str, *options: str) -> dict[str, Any]:
        """What the script says."""
        done = run(do, *options, "--json", "--data", self.folder)
        assert done.returncode == 0, done.stderr
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    def running(self) -> set[str]:
        return {name for name, process in self("status")["processes"].items() if process["running"]}

    def ask(self, service: str, path: str) -> httpx.Response:
        """What a service's probe says; 503 for one that does not answer."""
        try:
            url = f"{self.township.services[service].probe_url}/{path}"
            return httpx.get(url, timeout=10, trust_env=False)
        except httpx.TransportError:
            return httpx.Response(503)

    def look(self, path: str) -> int:
        """The status with which the window answers."""
        return httpx.get(f"{self.first['console']}/{path}", timeout=30, trust_env=False).status_code

    def ready(self) -> set[str]:
        """The services that say so."""
        with ThreadPoolExecutor(len(USES)) as threads:
            answers = threads.map(lambda service: self.ask(service, "ready").status_code, USES)
            return {service for service, status in zip(USES, answers, strict=True) if status == httpx.codes.OK}


@pytest.fixture(scope="module")
def local(servers_folder: Path) -> Iterator[Local]:
    for package in ("postgresql", "rabbitmq-server", "mosquitto"):
        need(package)
    folder = Path(tempfile.mkdtemp(dir=servers_folder))
    prctl = ctypes.CDLL(None).prctl
    prctl(ADOPT_ORPHANS, 1, 0, 0, 0)
    try:
        yield Local(folder)
    finally:
        if folder.exists():
            run("down", "--data", folder, timeout_s=GOES_DOWN_S)
        prctl(ADOPT_ORPHANS, 0, 0, 0, 0)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory, rules: RuleBook) -> Path:
    """Invented reports of the last weeks."""
    start = datetime.now(UTC) - timedelta(days=20)
    file = tmp_path_factory.mktemp("lines") / "lines.jsonl"
    reports = islice(invented_reports(Dice(3), rules, start, timedelta(hours=1)), REPORTS)
    file.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in reports))
    return file


def test_up_brings_everything_up_and_status_says_where(local: Local) -> None:
    status = local("status")

    assert status == local.first
    assert status["folder"] == str(local.folder)
    assert status["processes"].keys() == {"postgresql", "mosquitto", "hujiao@localhost", *SERVICES}
    assert all(process["running"] and process["ports"] for process in status["processes"].values())
    assert all(Path(process["log"]).is_file() for process in status["processes"].values())
    assert local.ready() == set(USES)
    assert httpx.get(status["console"], follow_redirects=True, trust_env=False).status_code == httpx.codes.OK


async def test_one_user_of_each_kind_can_log_in_with_what_status_says(local: Local) -> None:
    users = local.first["users"]

    assert users.keys() == {"department", "hotline", "terminal", "analyst", "operator"}
    for kind in ("department", "hotline"):
        link = await aio_pika.connect(users[kind]["url"])
        await link.close()
    terminal = users["terminal"]
    port = local.first["processes"]["mosquitto"]["ports"]["mqtt"]
    async with aiomqtt.Client(HOST, port, username=terminal["user"], password=terminal["password"]):
        pass
    with psycopg.connect(users["analyst"]["url"]) as connection:
        assert connection.execute("SELECT count(*) FROM analysis.cases").fetchone() is not None
    operator = users["operator"]
    async with httpx.AsyncClient(auth=(operator["user"], operator["password"]), trust_env=False) as client:
        overview = await client.get(f"{operator['url']}/api/overview")
    assert overview.status_code == httpx.codes.OK


def test_every_service_that_is_told_to_stop_while_it_works_ends_well_within_ten_seconds(
    local: Local, lines: Path
) -> None:
    township = local.township
    stopping = {name: service.pid for name, service in township.services.items()}
    with replay(local, lines) as replaying:
        assert until(lambda: done(local, "relay", "sent") > REPORTS, SOON_S), "expected the relay at work"
        assert replaying.poll() is None, "expected reports still on their way"

        began = time.monotonic()
        for pid in stopping.values():
            os.kill(pid, signal.SIGTERM)
        with ThreadPoolExecutor(len(stopping)) as threads:
            ended = dict(zip(stopping, threads.map(wait_for, stopping.values()), strict=True))
        took = {name: at - began for name, (_, at) in ended.items()}
        stopped = local("status")["processes"]
        local("up")
        said, complaint = replaying.communicate(timeout=COMES_UP_S)

    assert {name: status for name, (status, _) in ended.items()} == dict.fromkeys(stopping, 0)
    assert {name: seconds for name, seconds in took.items() if seconds > STOPS_S} == {}
    assert {name for name in stopping if stopped[name]["running"]} == set()
    assert replaying.returncode == 0, complaint
    figures = json.loads(said)
    assert (figures["receipts"], figures["refused"]) == (REPORTS, 0)
    assert until(lambda: cases_of_reports(township) == REPORTS, SOON_S), "expected a case for every report"
    assert township.hujiao("parked", "list", "--json") == []
    assert {name: held for name, held in queues(local).items() if held} == {}


def test_whatever_is_watched_is_there(local: Local) -> None:
    samples = [
        (sample.name, dict(sample.labels) | {"job": job})
        for job, families in scraped(local)
        for family in families
        for sample in family.samples
    ]
    samples += [("up", {"job": job["job_name"]}) for job in load(SCRAPES)["scrape_configs"]]
    shown = {job for _, labels in samples for job in (labels["job"],)}
    assert shown == {"hujiao", "rabbitmq", "rabbitmq-queues"}

    for name, expression in expressions().items():
        for chosen in asked(expression):
            lasting = chosen._replace(labels={key: how for key, how in chosen.labels.items() if key != "what"})
            found = [labels for metric, labels in samples if metric == chosen.name]
            assert found, f"{name}: expected {chosen.name} to be told by somebody, found nobody"
            assert any(lasting.fits(labels) for labels in found), f"{name}: expected {chosen} among {found[:3]}"


@pytest.mark.parametrize("server", ["postgresql", "rabbitmq"])
def test_a_service_is_not_ready_while_what_it_needs_is_away_and_is_again_when_it_is_back(
    server: str, local: Local
) -> None:
    township = local.township
    away = township.postgres if server == "postgresql" else township.rabbit
    waiting = set(USES) if server == "postgresql" else {name for name, uses in USES.items() if "broker" in uses}

    away.stop()
    gone = until(lambda: local.ready() == set(USES) - waiting, SOON_S)
    unready, alive = set(USES) - local.ready(), {name for name in USES if local.ask(name, "live").is_success}
    told = {name for name in USES if 'hujiao_ready{part="' in local.ask(name, "metrics").text}
    window = {local.look(path) for path in ("api/notices", "api/receipts/LD5BQL7X2LKSA")}
    away.start()
    back = until(lambda: local.ready() == set(USES), SOON_S)

    assert gone, f"expected {waiting} not to be ready, found {unready}"
    assert alive == set(USES), "whoever waits need not be started anew"
    assert told == set(USES)
    assert window == ({503} if server == "postgresql" else {200, 404})
    assert back, f"expected all to be ready again, found {local.ready()}"


def test_a_service_refuses_to_begin_when_the_topology_differs_and_says_what(local: Local) -> None:
    township, binding = local.township, "/api/bindings/hujiao/e/from.hotline-12345/q/intake"
    environment = {**os.environ, **of_service("intake", township)}
    [node] = township.nodes

    node.manage("DELETE", f"{binding}/~")
    refused = subprocess.run(
        [sys.executable, "-m", "services.cli", "run", "intake"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SOON_S,
        check=False,
    )
    local("up")

    assert refused.returncode == 5
    assert "expected the broker's topology to be what the configuration wants, found 1 difference" in refused.stderr
    assert "from.hotline-12345" in refused.stderr
    assert "intake" in refused.stderr
    assert "hujiao topology apply" in refused.stderr
    assert len(node.manage("GET", binding)) == 1


def test_a_killed_service_is_seen_and_started_again_and_the_others_are_left_alone(local: Local) -> None:
    services = local.township.services
    before = {name: service.pid for name, service in services.items()}

    os.kill(before["relay"], signal.SIGKILL)
    wait_for(before["relay"])
    killed = local("status")["processes"]
    local("up")

    assert {name for name, process in killed.items() if not process["running"]} == {"relay"}
    after = {name: service.pid for name, service in services.items()}
    assert {name for name in after if after[name] != before[name]} == {"relay"}
    assert local.ready() == set(USES)


def test_down_ends_every_process_and_keeps_what_was_recorded(local: Local) -> None:
    township = local.township
    servers = [*township.services.values(), township.postgres, township.mosquitto, *township.nodes]
    running = [process for server in servers for pid in server.pids if (process := Process.find(pid))]
    recorded = facts(township)

    said = local("down")

    assert len(running) > len(servers)
    assert [process.pid for process in running if process.alive] == []
    assert not any(process["running"] for process in said["processes"].values())
    township.postgres.start()
    try:
        assert facts(township) == recorded > REPORTS
    finally:
        township.postgres.stop()


def test_down_and_forget_leaves_nothing(local: Local) -> None:
    local("down", "--forget")

    assert not local.folder.exists()


def test_nothing_is_begun_or_forgotten_in_a_folder_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("mine")

    for do in (("status",), ("down",), ("down", "--forget")):
        refused = run(*do, "--data", tmp_path)
        assert refused.returncode == 2
        assert f"expected a folder in which a township was started, found none at {tmp_path}" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["letter"]


def test_what_somebody_else_put_into_the_folder_is_not_forgotten(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("mine")
    township = Township(tmp_path)
    (tmp_path / "postgresql").mkdir()

    township.forget()

    assert [path.name for path in tmp_path.iterdir()] == ["letter"]
    assert "administrator" in OURS


@contextlib.contextmanager
def replay(local: Local, lines: Path) -> Iterator[subprocess.Popen[str]]:
    """Reports from all senders, and departments that acknowledge, each under its own user."""
    ports = {name: process["ports"] for name, process in local.first["processes"].items()}
    arguments = [
        *("replay", str(lines), "--via", "amqp,mqtt5,mqtt311", "--json"),
        *("--broker", f"amqp://{HOST}:{ports['hujiao@localhost']['amqp']}/hujiao"),
        *("--mqtt", f"mqtt://{HOST}:{ports['mosquitto']['mqtt']}"),
        *("--secret-file", str(local.folder / "secret")),
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "services.cli", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def done(local: Local, service: str, what: str) -> float:
    """How often a service has done something."""
    told = text_string_to_metric_families(local.ask(service, "metrics").text)
    return sum(
        sample.value
        for family in told
        for sample in family.samples
        if sample.name == "hujiao_done_total" and sample.labels["what"] == what
    )


def scraped(local: Local) -> Iterator[tuple[str, list[Metric]]]:
    """What Prometheus would be told by each job."""
    [node] = local.township.nodes
    places: dict[str, Callable[[], list[str]]] = {
        "hujiao": lambda: [local.ask(service, "metrics").text for service in USES],
    }
    for job in load(SCRAPES)["scrape_configs"]:
        asks = places.get(job["job_name"])
        if asks is None:
            url = node.metrics_url.removesuffix("/metrics") + job.get("metrics_path", "/metrics")
            told = [httpx.get(url, params=job.get("params"), timeout=30, trust_env=False).text]
        else:
            told = asks()
        yield job["job_name"], [family for text in told for family in text_string_to_metric_families(text)]


def queues(local: Local) -> dict[str, int]:
    """How many messages each queue holds in which nothing should be."""
    [node] = local.township.nodes
    found = node.manage("GET", "/api/queues/hujiao?columns=name,messages")
    return {queue["name"]: queue.get("messages", 0) for queue in found if queue["name"] in ("dead", "unrouted")}


def facts(township: Township) -> int:
    return number(township.store_url(roles.LOG), "SELECT count(*) FROM log.stored_events")


def cases_of_reports(township: Township) -> int:
    """How many reports have a case."""
    return number(township.store_url(roles.VIEWS), 'SELECT count("case") FROM views.reports')


def number(url: str, question: LiteralString) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(question).fetchone()
    assert row is not None
    return int(row[0])


def wait_for(pid: int) -> tuple[int, float]:
    """The exit status of a process that we have adopted, negative for a signal, and when it came."""
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), time.monotonic()
