"""What each desk's page costs at the server with many cases, beside a bare page that asks the views the same question.

    python -m tests.bench.desks [REPORTS] [FOLDER that keeps the played township]

Aim: a median under 200 ms for each page with 100,000 cases.
"""

import asyncio
import json
import logging
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import httpx
import uvicorn
from litestar import Litestar, get

from events.user import AddUser, Unit
from projections.queries import Questions
from services.people.authority import sights_of
from services.people.user import user_id
from services.rules.book import RuleBook
from services.runtime.batch import Submission
from services.runtime.clock import VirtualClock
from services.runtime.district import find_district, load_district
from services.runtime.front import Front
from services.serving import EngineThread
from services.simulation.people import Dice
from services.simulation.residents import Residents, invented_reports
from services.simulation.service import simulation
from services.web.app import create_app
from services.web.window import Window
from services.wiring import SERVICES, House

START = datetime(2024, 1, 2, 0, 30, tzinfo=UTC)
GAP = timedelta(minutes=10)
REPORTS = 100_000
TIMES = 31
AIM_MS = 200
HOST = "127.0.0.1"
TOWN, VILLAGE = "445303100", "445303100201"
DESKS = 100
CROWD_REPORTS = 10

EVERYTHING = (
    "intake_clerk",
    "command_centre",
    "department_officer",
    "reviewer",
    "follow_up_clerk",
    "district_command",
    "privacy_officer",
)

Ask = Callable[[Questions, datetime], Any]


def pages(case: str, department: str) -> Mapping[str, tuple[str, str, Ask]]:
    """Each desk's page: who looks, where, and the question that it asks the views."""
    return {
        "board of the district": ("district_command", "/api/board", lambda asked, now: asked.board(now, limit=60)),
        "board of a town": ("command_centre", "/api/board", lambda asked, now: asked.board(now, limit=60)),
        "board of a department": ("department_officer", "/api/board", lambda asked, now: asked.board(now, limit=60)),
        "figures": ("district_command", "/api/status", lambda asked, now: asked.figures()),
        "what happened last": ("department_officer", "/api/recent", lambda asked, now: asked.recent(40)),
        "triage": ("command_centre", "/api/triage", lambda asked, now: asked.triage()),
        "inbox": ("department_officer", "/api/inbox", lambda asked, now: asked.owing(now, (), department)),
        "review": ("reviewer", "/api/review", lambda asked, now: asked.owing(now, ("review",))),
        "follow-up": ("follow_up_clerk", "/api/follow-ups", lambda asked, now: asked.owing(now, ("follow_up",))),
        "disclosure": ("privacy_officer", "/api/drafts", lambda asked, now: asked.owing(now, ("disclose",))),
        "workload": ("district_command", "/api/workload", lambda asked, now: asked.workload()),
        "cases": ("district_command", "/api/cases", lambda asked, now: asked.cases()),
        "one case": ("command_centre", f"/api/cases/{case}", lambda asked, now: asked.case(case)),
        "morning": (
            "command_centre",
            f"/api/towns/{TOWN}/morning",
            lambda asked, now: asked.night(TOWN, now - timedelta(hours=15), now, now + timedelta(hours=15)),
        ),
    }


def play(house: House, reports: int) -> None:
    """Live through so many reports, and stop with work on every desk."""
    rules = RuleBook(load_district(find_district("yunan")))
    house.configure(rules.district)
    lines = islice(invented_reports(Dice(1), rules, START, GAP), reports)
    began, feed = time.monotonic(), Residents(lines, house.desk, rules)
    house.engine(feed).run(until=START + GAP * reports, after_commit=house.settle)
    house.settle()
    spent = time.monotonic() - began
    print(f"played {feed.receipts:,} reports, {house.log.head():,} facts in {spent:,.0f} s", flush=True)


def tokens(house: House, department: str) -> dict[str, str]:
    """A user for each role, and their tokens."""
    found = {}
    for role in EVERYTHING:
        name = role.replace("_", "-")
        bound = {"department": department} if role == "department_officer" else {}
        unit = Unit() if role in ("district_command", "privacy_officer") else Unit(town=TOWN, **bound)
        request = AddUser(user=user_id(name), name=name, person=f"bench {name}", roles=(role,), unit=unit)  # type: ignore[arg-type]  # roles are
        house.ledger.decide(Submission(f"user/{name}", request, "bench", remembered=False))
        found[role] = house.accounts.give_token(name, "bench")
    return found


@contextmanager
def serving(app: Litestar, lifespan: Literal["on", "off"] = "off") -> Iterator[httpx.Client]:
    """A client of an application on a free port."""
    with socket.socket(
        socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
    ) as listening:  # answers at once, not Nagle's way
        listening.bind((HOST, 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan=lifespan))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        with httpx.Client(base_url=f"http://{HOST}:{listening.getsockname()[1]}", timeout=60) as client:
            yield client
        server.should_exit = True
        thread.join()


def bare(house: House, asks: Mapping[str, tuple[str, str, Ask]]) -> Litestar:
    """Pages with nothing but the question, within the sight of the same user."""

    @get("/{page:str}", sync_to_thread=True)
    def answer(page: str) -> Any:
        role, _, ask = asks[page]
        user = house.user(role.replace("_", "-"))
        assert user is not None
        return ask(Questions(house.views.database, sights_of(user)), house.clock.now())

    return Litestar([answer], logging_config=None)


def apart(url: str, token: str, line: Mapping[str, str]) -> list[float]:
    """The sorted seconds of `crowd` in a process of its own: all it takes of the server's time is its asking."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return sorted(process.submit(_crowd, url, token, line).result())


def _crowd(url: str, token: str, line: Mapping[str, str]) -> list[float]:
    return asyncio.run(crowd(url, token, line))


async def crowd(url: str, token: str, line: Mapping[str, str]) -> list[float]:
    """Seconds from handing in a report until each of many desks has heard of it and has its rows, over some reports."""
    spent: list[float] = []
    began, report = 0.0, 0
    heard = asyncio.Semaphore(0)

    async def desk(client: httpx.AsyncClient) -> None:
        last = 0
        async with client.stream("GET", "/api/live") as stream:
            heard.release()
            async for text in stream.aiter_lines():
                if last < report and text.startswith("data: ") and json.loads(text[6:])["facts"]:
                    last = report
                    (await client.get("/api/triage")).raise_for_status()
                    spent.append(time.perf_counter() - began)
                    heard.release()

    headers = {"authorization": f"Bearer {token}"}
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=2 * DESKS, keepalive_expiry=2)
    async with (
        httpx.AsyncClient(base_url=url, timeout=60, headers=headers, limits=limits) as client,
        asyncio.TaskGroup() as group,  # a desk that fails ends it all
    ):
        desks = [group.create_task(desk(client)) for _ in range(DESKS)]
        await _all_of(heard)
        for report in range(1, CROWD_REPORTS + 1):
            began = time.perf_counter()
            new = {**line, "id": f"crowd {time.time_ns()} {report}"}
            (await client.post("/api/reports", json=new)).raise_for_status()
            await _all_of(heard)
            await asyncio.sleep(1)
        for task in desks:
            task.cancel()
    return spent


async def _all_of(heard: asyncio.Semaphore) -> None:
    for _ in range(DESKS):
        await heard.acquire()


def medians_ms(asked: Callable[[], httpx.Response], others: Callable[[], httpx.Response]) -> tuple[float, float, int]:
    """The medians of two requests in turn, and the bytes of the first's answer."""
    spent: tuple[list[float], list[float]] = ([], [])
    size = 0
    for _ in range(TIMES):
        for one, times in zip((asked, others), spent, strict=True):
            began = time.perf_counter()
            answer = one()
            times.append((time.perf_counter() - began) * 1e3)
            assert answer.status_code == 200, answer.text
            size = size if one is others else len(answer.content)
    return statistics.median(spent[0]), statistics.median(spent[1]), size


def measure(folder: Path, reports: int) -> None:
    """Measure every page, and how soon many open desks hear of something."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with House(folder, VirtualClock(START + GAP * reports), (*SERVICES, simulation(1))) as house:
        if not house.log.head():
            house.clock = house.ledger.clock = VirtualClock(START)
            play(house, reports)
        found = Questions(house.views.database)
        board = found.board(house.clock.now(), TOWN)["rows"]
        row = next(row for row in board if row["owes"] == "acknowledge" and row["call"])
        asks = pages(row["case"], row["owner"])
        given = tokens(house, row["owner"])
        front = Front()
        window = Window(house, front, lambda: True, demo=False)
        print(f"{found.figure('cases'):,} cases, {house.log.head():,} facts")
        print(f"{'page':<24} {'bytes':>9} {'ms':>8} {'bare ms':>8} {'ratio':>6}   aim: < {AIM_MS} ms")
        with serving(create_app(window)) as client, serving(bare(house, asks)) as plain:
            for name, (role, path, _) in asks.items():
                headers = {"authorization": f"Bearer {given[role]}"}
                ours, theirs, size = medians_ms(
                    lambda path=path, headers=headers: client.get(path, headers=headers),  # type: ignore[misc]  # bound at once
                    lambda name=name: plain.get(f"/{name}"),  # type: ignore[misc]  # as above
                )
                missed = "" if ours < AIM_MS else "   MISSED"
                print(f"{name:<24} {size:>9,} {ours:>8.1f} {theirs:>8.1f} {ours / theirs:>6.2f}{missed}", flush=True)
        engine = EngineThread(house.engine(front), front, lambda: house.clock, house.settle)
        engine.start()
        line = {
            "time": house.clock.now().isoformat(),
            "title": "",
            "text": "路面塌陷",
            "matter": "602",
            "village": VILLAGE,
        }
        with serving(create_app(window), lifespan="on") as client:
            spent = apart(str(client.base_url), given["command_centre"], line)
        engine.stop()
        middle, worst = spent[len(spent) // 2], spent[-1]
        print(f"{DESKS} open desks, from a report to each desk's rows: median {middle:.2f} s, worst {worst:.2f} s")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        measure(
            Path(sys.argv[2]) if len(sys.argv) > 2 else Path(temporary) / "data",
            int(sys.argv[1]) if len(sys.argv) > 1 else REPORTS,
        )
