"""Live: an open desk hears of everything in its sight once and in order, whatever breaks on the way."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.people.authority import sights_of
from tests.servers import need
from tests.system.gated import DISTRICT, OTHER_VILLAGE, VILLAGE, Gated, gated
from tests.system.screens import DESKTOP, browser

HOST = "127.0.0.1"
PATIENCE_S = 30.0
LEAD = next(matter.lead for matter in DISTRICT.matters if matter.code == "602")
OTHER_TOWN = OTHER_VILLAGE.town
DESKS = 100
CALM = 10
"""So many of the demo's seconds pass in one of ours where a screen is compared with what the server says meanwhile."""


class Ear:
    """Listens as one user; ``heard`` are the facts so far, ``last`` the id of the last event."""

    def __init__(self, events: Iterator[str]) -> None:
        self._lines = events
        self.heard: list[dict[str, Any]] = []
        self.last = ""
        self.status: dict[str, Any] = {}

    def event(self) -> bool:
        """Wait for the next event; false when the stream ended."""
        for line in self._lines:
            field, _, value = line.partition(": ")
            if field == "id":
                self.last = value
            elif field == "data":
                news = json.loads(value)
                self.heard += news["facts"]
                self.status = news["status"]
                return True
        return False

    def until(self, position: int) -> None:
        """Listen until everything up to a position has been told."""
        self._listen(lambda: int(self.last or 0) >= position)

    def more(self, facts: int) -> None:
        """Listen until so many facts more have been told."""
        enough = len(self.heard) + facts
        self._listen(lambda: len(self.heard) >= enough)

    def _listen(self, enough: Callable[[], bool]) -> None:
        give_up = time.monotonic() + PATIENCE_S
        while not enough():
            assert self.event(), "expected the stream to go on, found its end"
            assert time.monotonic() < give_up, f"expected to hear more, heard {len(self.heard)} up to {self.last}"


@contextmanager
def listening(url: str, headers: dict[str, str], last: str = "", query: str = "") -> Iterator[Ear]:
    """An open stream."""
    sent = headers | ({"last-event-id": last} if last else {})
    with httpx.stream("GET", f"{url}/api/live{query}", headers=sent, timeout=PATIENCE_S) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Ear(answer.iter_lines())


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    with gated(tmp_path_factory.mktemp("live")) as house:
        yield house


def seen(house: Gated, name: str, after: int = 0) -> list[int]:
    """The positions of every fact that a user may see now."""
    user = house.house.user(name)
    assert user is not None
    questions = house.window.questions.within(sights_of(user))
    return [row["position"] for row in questions.happened(after, house.house.log.head(), 100_000)]


def test_who_sleeps_through_five_hundred_facts_hears_of_each_once_and_in_order_when_they_wake(
    house: Gated, url: str
) -> None:
    officer = house.user("department_officer", town=VILLAGE.town, department=LEAD)
    everybody = house.user("district_command")
    with listening(url, house.as_user(officer)) as ear:
        ear.event()
        house.report()
        ear.until(house.house.log.head())
        before, last = [fact["position"] for fact in ear.heard], ear.last

    while len(seen(house, officer, int(last))) < 510:
        house.report()
        house.report(village=OTHER_VILLAGE.code)

    with listening(url, house.as_user(officer), last) as ear:
        ear.until(house.house.log.head())
    heard = [fact["position"] for fact in ear.heard]
    assert heard == seen(house, officer, int(last))
    assert before == [position for position in seen(house, officer) if before[0] <= position <= int(last)]
    assert {fact["town"] for fact in ear.heard} == {VILLAGE.town}
    assert ear.status["position"] == house.house.log.head()
    assert len(seen(house, everybody)) > len(seen(house, officer))


def test_a_desk_that_names_its_place_in_the_address_begins_there(house: Gated, url: str) -> None:
    name = house.user("district_command")
    house.report()
    head = house.house.log.head()
    after = seen(house, name)[-5]

    with listening(url, house.as_user(name), query=f"?after={after}") as ear:
        ear.until(head)

    assert [fact["position"] for fact in ear.heard] == seen(house, name, after)


@pytest.mark.parametrize("last", ["999999999999", "-3", "1e9", "9" * 400])
def test_a_place_that_is_none_of_this_log_begins_with_now(house: Gated, url: str, last: str) -> None:
    name = house.user("district_command")

    with listening(url, house.as_user(name), last) as ear:
        ear.event()

    assert ear.heard == []
    assert int(ear.last) <= house.house.log.head()


def test_nobody_and_who_sees_no_cases_hears_nothing(house: Gated) -> None:
    assert house.get("", "/api/live").status_code == 401
    refused = house.get(house.user("administrator"), "/api/live")
    assert refused.status_code == 403
    assert "department_officer" in refused.json()["detail"]


def test_who_is_disabled_hears_no_more(house: Gated, url: str) -> None:
    name = house.user("district_command")
    administrator = house.user("administrator")
    with listening(url, house.as_user(name)) as ear:
        ear.event()
        assert house.act(administrator, "user.disable.v1", name=name).status_code == 200
        house.report()
        give_up = time.monotonic() + PATIENCE_S
        while ear.event():
            assert time.monotonic() < give_up, "expected the stream to end"


def test_a_hundred_open_desks_hear_of_the_same_report(house: Gated, url: str) -> None:
    names = [house.user("department_officer", town=VILLAGE.town, department=LEAD) for _ in range(DESKS)]
    all_open, reported = threading.Barrier(DESKS + 1, timeout=PATIENCE_S), threading.Event()
    head = 0

    def listen(name: str) -> list[int]:
        with listening(url, house.as_user(name)) as ear:
            ear.event()
            all_open.wait()
            assert reported.wait(PATIENCE_S)
            ear.until(head)
            return [fact["position"] for fact in ear.heard]

    with ThreadPoolExecutor(DESKS) as pool:
        desks = [pool.submit(listen, name) for name in names]
        all_open.wait()
        before = house.house.log.head()
        house.report()
        head = house.house.log.head()
        reported.set()
        heard = [desk.result(PATIENCE_S) for desk in desks]

    assert heard == [seen(house, names[0], before)] * DESKS
    assert heard[0]


def free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def demo(folder: Path, port: int, speed: int = 600) -> Iterator[subprocess.Popen[bytes]]:
    """A demo in a process of its own, which is killed in the end; ``speed`` of its seconds pass in one of ours."""
    command = [sys.executable, "-m", "services.cli", "demo", "--data", str(folder), "--port", str(port), "--days", "1"]
    command += ["--speed", f"{speed}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            give_up = time.monotonic() + 2 * PATIENCE_S
            while True:
                try:
                    httpx.get(f"http://{HOST}:{port}/health").raise_for_status()
                    break
                except httpx.HTTPError:
                    assert process.poll() is None, "expected the demo to run, found its end"
                    assert time.monotonic() < give_up, "expected the demo to answer"
                    time.sleep(0.1)
            yield process
        finally:
            process.send_signal(signal.SIGKILL)


def test_a_desk_hears_of_everything_although_the_server_was_killed_meanwhile(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://{HOST}:{port}"
    with demo(tmp_path, port), httpx.Client() as client:
        client.post(
            f"{url}/api/seats", json={"role": "command_centre", "unit": {"town": VILLAGE.town}}
        ).raise_for_status()
        cookie = {"cookie": f"hujiao_session={client.cookies['hujiao_session']}"}
        with listening(url, cookie) as ear:
            ear.event()
            first = int(ear.last)
            ear.more(10)
        last = ear.last
        before = [fact["position"] for fact in ear.heard]

    with demo(tmp_path, port):
        with listening(url, cookie, last) as ear:
            ear.more(10)
        heard = before + [fact["position"] for fact in ear.heard]
        with listening(url, cookie, query=f"?after={first}") as whole:
            whole.until(heard[-1])

    assert heard == [fact["position"] for fact in whole.heard if fact["position"] <= heard[-1]]


SHOWN = (
    "[...document.querySelectorAll('#desk-rows a')].map((link) => new URLSearchParams(link.hash.slice(1)).get('case'))"
)
ASKED = """(() => {
  const inbox = new XMLHttpRequest();
  inbox.open("GET", "/api/inbox", false);
  inbox.send();
  return JSON.parse(inbox.responseText).rows.map((row) => row.case);
})()"""


def test_an_open_screen_recovers_by_itself_after_the_server_was_killed(tmp_path: Path) -> None:
    need("chromium-driver", there=shutil.which("chromedriver") is not None)
    port = free_port()
    with browser(f"http://{HOST}:{port}", tmp_path / "profile") as screen:
        screen.size(*DESKTOP)
        with demo(tmp_path / "data", port, CALM):
            screen.open("/console/")
            screen.tap("#seat-open")
            screen.tap("#seat-form button.primary")
            screen.the("#desk-rows li")
            screen.value("window.neverLoadedAgain = true")
        screen.the("#lost")
        with demo(tmp_path / "data", port, CALM):
            screen.until(lambda: not screen.all("#lost"), "the line to be back")
            screen.until(lambda: screen.value(SHOWN) == screen.value(ASKED), "the inbox as it is")
            offered = [button.text for button in screen.all("#desk-rows .quick")]
            screen.press("a")
            screen.until(
                lambda: [button.text for button in screen.all("#desk-rows .quick")] != offered, "the next thing to do"
            )
        assert screen.value("window.neverLoadedAgain")
