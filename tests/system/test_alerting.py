"""Alerts from the outside: our own command as a process of its own, killed on the way, and a real receiver."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.servers import free_ports
from services.alerts.service import NAME
from services.runtime.clock import SystemClock
from services.runtime.district import find_district, load_district
from services.wiring import APART, RUNS, House
from tests.flow.township import hand_in
from tests.receivers import HANG, HOST, Endpoint, endpoint
from tests.system.commands import Hujiao

PATIENCE_S = 60
GLANCE_S = 0.05
EMERGENCY = {"matter": "204"}


def until(true: Callable[[], bool], what: str) -> None:
    """Wait until something is true; fail when it is not in time."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, f"expected {what} within {PATIENCE_S} s"
        time.sleep(GLANCE_S)


@pytest.fixture
def receiver() -> Iterator[Endpoint]:
    with endpoint() as one:
        yield one


@pytest.fixture
def channels(tmp_path: Path, receiver: Endpoint) -> Path:
    file = tmp_path / "alerts.toml"
    file.write_text(
        'console_url = "https://hujiao.test/console/"\n'
        f'[[channel]]\nname = "gateway"\nkind = "webhook"\nurl = "{receiver.url}"\nsecret = "whsec_{"QUJD" * 8}"\n'
        '[[route]]\ndepartment = "D09"\nchannels = ["gateway"]\n'
    )
    return file


@contextmanager
def running(*words: str, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Our command at work as a process; killed at the end."""
    command = [sys.executable, "-c", "from services.cli.main import main; main()", *words]
    with subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            yield process
        finally:
            process.kill()


class Window:
    """A served township, asked over HTTP."""

    def __init__(self, port: int) -> None:
        self.url = f"http://{HOST}:{port}"

    def open(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:  # noqa: S310  # our own server
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def report(self, line: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310  # our own server
            f"{self.url}/api/reports", json.dumps(line).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310  # the same
            found: dict[str, Any] = json.load(answer)
        return found


def emergency() -> dict[str, Any]:
    village = load_district(find_district("yunan")).villages[0].code
    now = SystemClock().now().isoformat()
    return {"id": "1", "time": now, "title": "有人打架", "text": "村口", "village": village, **EMERGENCY}


def test_what_a_killed_township_was_sending_is_sent_after_it_is_back_under_the_same_id(
    tmp_path: Path, receiver: Endpoint, channels: Path, hujiao: Hujiao
) -> None:
    (port,) = free_ports(1)
    data = str(tmp_path / "data")
    up = ("up", "--data", data, "--port", str(port))
    window = Window(port)
    receiver.answers.append(HANG)
    with running(*up, "--alerts", str(channels)) as township:
        until(window.open, "a window")
        window.report(emergency())
        until(lambda: len(receiver.posted) == 1, "an alert on its way")
        township.kill()

    with running(*up, HUJIAO_ALERTS=str(channels)):
        until(lambda: len(receiver.posted) == 2, "the alert once more")
        delivered = "SELECT delivery FROM legs WHERE department = 'D09'"
        until(
            lambda: hujiao("query", delivered, "--data", data, "--json").json == [{"delivery": "delivered"}],
            "it to be noted",
        )

    first, again = receiver.posted
    assert (first.id, first.body) == (again.id, again.body)
    noted = "SELECT what FROM timeline WHERE department = 'D09' AND what LIKE 'call.%deliver%' ORDER BY version"
    assert hujiao("query", noted, "--data", data, "--json").json == [{"what": "call.delivered.v1"}]
    assert hujiao("alerts", "dead", "--data", data, "--json").json == []


def test_whom_no_alert_reached_is_listed(tmp_path: Path, receiver: Endpoint, channels: Path, hujiao: Hujiao) -> None:
    (port,) = free_ports(1)
    data = str(tmp_path / "data")
    receiver.always = 410
    with running("up", "--data", data, "--port", str(port), "--alerts", str(channels)):
        window = Window(port)
        until(window.open, "a window")
        window.report(emergency())
        until(lambda: bool(hujiao("alerts", "dead", "--data", data, "--json").json), "a dead alert")

    (row,) = hujiao("alerts", "dead", "--data", data, "--json").json
    assert (row["department"], row["handling_class"], row["failed"]) == ("D09", "U1", "gateway refused")
    assert "gateway refused" in hujiao("alerts", "dead", "--data", data).out


def test_alerts_run_apart_and_end_with_0_when_told_to(tmp_path: Path, receiver: Endpoint, channels: Path) -> None:
    data = tmp_path / "data"
    with House(data, SystemClock()) as house:
        house.remember(RUNS, APART)
        house.configure(load_district(find_district("yunan")))
        with running("run", "alerts", "--data", str(data), "--alerts", str(channels)) as alerts:
            until(lambda: house.position(NAME) > 0, "alerts that hear")
            hand_in(house, "r-1", **EMERGENCY)
            house.engine().run(until=house.clock.now())
            until(lambda: bool(receiver.posted), "an alert")
            until(lambda: house.position(NAME) == house.log.head(), "nothing under way")
            alerts.terminate()
            said, _ = alerts.communicate(timeout=PATIENCE_S)

    assert alerts.returncode == 0, said.decode()
    assert b"Traceback" not in said


def test_a_file_that_cannot_be_used_is_told_so_before_anything_is_made(
    tmp_path: Path, channels: Path, hujiao: Hujiao
) -> None:
    channels.write_text(channels.read_text().replace("webhook", "pigeon"))

    for words in (("up", "--data", tmp_path / "data", "--alerts", channels), ("alerts", "check", channels)):
        said = hujiao(*words)
        assert said.status == 2
        assert "Invalid value 'pigeon'" in said.err
    assert not (tmp_path / "data").exists()


def test_a_good_file_is_good(channels: Path, hujiao: Hujiao) -> None:
    said = hujiao("alerts", "check", channels)

    assert said.status == 0
    assert "gateway (webhook)" in said.out
