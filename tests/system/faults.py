"""Plays reports through a whole township of real servers and processes, breaks something meanwhile, and audits.

What the senders' and departments' side has in its books is held against the log, and the log against an embedded
township that took the same reports. Run by the fault test, and by hand on the real messages:

    python -m tests.system.faults FOLDER [--fault NAME ...] [--nodes 3] [--most N] FILE ...

It prints a table: the fault, how long it took, and what was lost, doubled or out of order.
"""

import argparse
import asyncio
import logging
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
import structlog
from msgspec import structs

from deploy.township import Township
from events.call import CallAcknowledged, CallIssued, DepartmentsCalled
from events.case import CaseClassified
from events.edge import ReportLine
from events.report import ReportLinked, ReportSubmitted
from projections.all_views import VIEWS
from projections.runner import Views
from projections.store import Database
from services.intake.line import read_line
from services.messaging.topology import LocalDepartment
from services.provisioning import roles
from services.rules.book import RuleBook
from services.runtime.clock import SystemClock
from services.runtime.district import find_district, load_district
from services.runtime.log import Log
from services.runtime.places import Server
from services.runtime.seal import verify
from services.simulation.correspondents import VIA, Addresses, Assigned, Books, assigned, correspond
from services.wiring import House
from tests.flow.township import Inputs
from tests.proxy import Proxy

WAY_S = 600.0
PAUSE_S = 0.1


class Proxied(Township):
    """A township whose services, senders and departments reach every server through a proxy."""

    def __init__(self, folder: Path, nodes: int = 1) -> None:
        super().__init__(folder, nodes=nodes)
        self._proxies: dict[int, Proxy] = {}

    @property
    def proxies(self) -> list[Proxy]:
        """All of them, one for each port."""
        return list(self._proxies.values())

    def through(self, url: str, port: int) -> str:
        """The same address by way of the proxy before ``port``."""
        proxy = self._proxies.get(port) or self._proxies.setdefault(port, Proxy(port))
        return url.replace(f":{port}", f":{proxy.port}")

    def amqp_url(self, user: str) -> str:
        """By way of the proxies."""
        urls = super().amqp_url(user)
        for node in self.nodes:
            urls = self.through(urls, node.port)
        return urls

    def mqtt_url(self, user: str) -> str:
        """By way of the proxy."""
        return self.through(super().mqtt_url(user), self.mosquitto.port)

    def store_url(self, role: str) -> str:
        """By way of the proxy."""
        return self.through(super().store_url(role), self.postgres.port)

    def down(self) -> None:
        """End everything."""
        super().down()
        for proxy in self.proxies:
            proxy.close()


@dataclass
class Play:
    """A replay at work: what faults may look at and break."""

    township: Proxied
    books: Books
    reports: int
    asleep: set[str] = field(default_factory=set)

    async def until(self, share: float) -> None:
        """Wait until this share of the reports has its receipt."""
        deadline = time.monotonic() + WAY_S
        while len(self.books.receipts) < share * self.reports:
            assert time.monotonic() < deadline, (
                f"expected {share:.0%} of the receipts, found {len(self.books.receipts)}"
            )
            await asyncio.sleep(PAUSE_S)


Fault = Callable[[Play], Awaitable[None]]


async def nothing(play: Play) -> None:
    """Nothing breaks."""


async def kill_services(play: Play) -> None:
    """Every service is killed with -9 in turn, and started again."""
    services = play.township.services
    for n, service in enumerate(services.values(), start=1):
        await play.until(0.9 * n / (len(services) + 1))
        service.kill()
        await asyncio.to_thread(service.start)


async def restart_rabbit(play: Play) -> None:
    """RabbitMQ is restarted."""
    await play.until(0.3)
    await asyncio.to_thread(play.township.rabbit.stop)
    await asyncio.to_thread(play.township.rabbit.start)


async def stop_rabbit(play: Play) -> None:
    """RabbitMQ is killed, and comes back after a minute."""
    await play.until(0.3)
    play.township.rabbit.kill()
    await asyncio.sleep(60)
    await asyncio.to_thread(play.township.rabbit.start)


async def restart_postgres(play: Play) -> None:
    """PostgreSQL is restarted, then killed and started again."""
    await play.until(0.3)
    await asyncio.to_thread(play.township.postgres.restart)
    await play.until(0.6)
    play.township.postgres.kill()
    await asyncio.to_thread(play.township.postgres.start)


async def restart_mosquitto(play: Play) -> None:
    """Mosquitto is restarted."""
    await play.until(0.3)
    await asyncio.to_thread(play.township.mosquitto.restart)


async def cut_links(play: Play) -> None:
    """All links are cut, slowed down, and frozen for a while."""
    for share in (0.2, 0.4):
        await play.until(share)
        for proxy in play.township.proxies:
            proxy.cut()
        await asyncio.sleep(1)
        for proxy in play.township.proxies:
            proxy.mend()
    await play.until(0.5)
    for proxy in play.township.proxies:
        proxy.slow(0.02)
    await asyncio.sleep(5)
    for proxy in play.township.proxies:
        proxy.slow(0)
    await play.until(0.7)
    for proxy in play.township.proxies:
        proxy.freeze()
    await asyncio.sleep(5)
    for proxy in play.township.proxies:
        proxy.thaw()


async def department_asleep(play: Play) -> None:
    """One department of every town reads nothing until all the others have done."""


async def kill_node(play: Play) -> None:
    """One node of the cluster is killed, and comes back."""
    await play.until(0.3)
    node = play.township.nodes[0]
    node.kill()
    await play.until(0.7)
    await asyncio.to_thread(node.start)


async def cut_off_node(play: Play) -> None:
    """One node of the cluster loses the two others, though not its clients, for half a minute.

    It is no longer let in by them, nor they by it: without a network of its own a node cannot be cut off otherwise.
    """
    await play.until(0.3)
    lost, *others = play.township.nodes
    for other in others:
        lost.ctl("eval", f"erlang:set_cookie('{other.name}', nobody), erlang:disconnect_node('{other.name}').")
    await asyncio.sleep(30)
    for other in others:
        lost.ctl("eval", f"erlang:set_cookie('{other.name}', erlang:get_cookie()).")


async def freeze_node(play: Play) -> None:
    """One node of the cluster is stopped in its tracks for half a minute, as if cut off, and goes on."""
    await play.until(0.3)
    pids = play.township.nodes[1].pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(30)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


async def everything(play: Play) -> None:
    """One thing after the other: a service of each kind killed, every server restarted, all links cut."""
    township = play.township
    for n, name in enumerate(("intake", "command_centre", "platforms", "relay", "departments", "terminals"), start=1):
        await play.until(0.05 * n)
        township.services[name].kill()
        await asyncio.to_thread(township.services[name].start)
    await play.until(0.4)
    await asyncio.to_thread(township.postgres.restart)
    await play.until(0.5)
    await asyncio.to_thread(township.rabbit.restart)
    await play.until(0.6)
    await asyncio.to_thread(township.mosquitto.restart)
    await play.until(0.7)
    for proxy in township.proxies:
        proxy.cut()
    for proxy in township.proxies:
        proxy.mend()


FAULTS: Mapping[str, Fault] = {
    fault.__name__: fault
    for fault in (
        nothing,
        kill_services,
        restart_rabbit,
        stop_rabbit,
        restart_postgres,
        restart_mosquitto,
        cut_links,
        department_asleep,
        everything,
    )
}
IN_A_CLUSTER: Mapping[str, Fault] = {fault.__name__: fault for fault in (kill_node, cut_off_node, freeze_node)}
ASLEEP = "D07"
FIGURES = ("reports", "receipts", "linked", "legs", "acknowledged", "heard again")
WIDTH = max(map(len, FIGURES))


@dataclass
class Audit:
    """What came of a play; ``faults`` is empty when nobody lost anything."""

    figures: dict[str, int]
    faults: list[str]


async def play(township: Proxied, lines: Iterable[ReportLine], fault: Fault) -> tuple[Books, list[Assigned]]:
    """Hand in the reports while the fault happens; everything must have gone quiet at the end."""
    rules = RuleBook(load_district(find_district(township.district)))
    reports = assigned(lines, VIA, rules)
    addresses = Addresses(township.amqp_url, township.mqtt_url)
    books = Books()
    ahead = Play(township, books, len(reports))
    sleeps = fault is department_asleep

    def asleep(local: LocalDepartment) -> bool:
        return sleeps and local.department.code == ASLEEP

    breaking = asyncio.ensure_future(fault(ahead))
    await correspond(reports, rules, addresses, SystemClock(), books, asleep)
    await breaking
    # whoever slept, or was away when a queue came back, hears everything now
    await correspond((), rules, addresses, SystemClock(), books)
    return books, reports


def audit(township: Proxied, books: Books, reports: Sequence[Assigned], folder: Path) -> Audit:
    """Hold the books against the log, and the log against an embedded township."""
    log = Log(Server(Township.store_url(township, roles.LOG)).log())
    facts = [recorded for batch in log.all_after() for recorded in batch]
    faults: list[str] = [f"{wrong.listener}: {wrong.what}" for wrong in books.wrong]
    if fault := verify(log).fault:
        faults.append(fault.what)
    submitted = Counter(f"{f.fact.source}/{f.fact.record}" for f in facts if isinstance(f.fact, ReportSubmitted))
    wanted = {f"{user}/{line.id}" for user, line in reports}
    ours = {key for key in submitted if key in wanted}
    faults += [f"no receipt: {key}" for key in wanted - books.receipts.keys()]
    faults += [f"not in the log: {key}" for key in wanted - ours]
    faults += [f"twice in the log: {key}" for key, times in submitted.items() if times != 1]
    faults += [f"refused: {key}: {reason}" for key, reason in books.refused.items() if key in wanted]
    called = Counter(
        (f.stream, leg.department) for f in facts if isinstance(f.fact, DepartmentsCalled) for leg in f.fact.legs
    )
    acknowledged = Counter((f.stream, f.fact.department) for f in facts if isinstance(f.fact, CallAcknowledged))
    faults += [f"called twice: {leg}" for leg, times in called.items() if times != 1]
    faults += [f"acknowledged {acknowledged[leg]} times: {leg}" for leg in called if acknowledged[leg] != 1]
    faults += [f"act rejected: {act}: {d.reason}" for act, d in books.decided.items() if d.status != "accepted"]
    faults += [f"act undecided: {act}" for act in books.undecided()]
    alone, counts = embedded(township, reports, folder)
    together = outcomes(log)
    faults += different(together, alone, books.receipts)
    faults += [
        f"{counter}: only apart {apart - counts[counter]}, only together {counts[counter] - apart}"
        for counter, apart in watched(township, len(facts)).items()
        if apart != counts[counter]
    ]
    with log.reading() as cursor:
        parked = cursor.execute("SELECT count(*) FROM parked").fetchone()[0]
    log.close()
    depths = {
        queue["name"]: queue.get("messages", 0) for queue in township.nodes[-1].manage("GET", "/api/queues/hujiao")
    }
    left = {name: depth for name, depth in depths.items() if depth and name in ("dead", "unrouted", "intake", "acts")}
    faults += [f"{depth} messages in {name}" for name, depth in left.items()]
    faults += [f"{parked} parked"] if parked else []
    figures = {
        "reports": len(reports),
        "receipts": len(books.receipts.keys() & wanted),
        "facts": len(facts),
        "legs": len(called),
        "acknowledged": len(acknowledged),
        "linked": len(together) - len({case for _, case, _, _ in together.values()}),
        "heard again": books.heard["repeated"],
    }
    return Audit(figures, faults)


Outcome = tuple[str, str, str, tuple[str, ...]]
"""Receipt, case, matter and platforms of a report. A case is named by the first in the alphabet of all its reports:
which of them came first and opened it is nobody's promise when something breaks."""


def outcomes(log: Log) -> dict[str, Outcome]:
    """What became of each report, by its source and record."""
    receipts, cases, matters = {}, {}, {}
    platforms: dict[str, set[str]] = {}
    for batch in log.all_after():
        for recorded in batch:
            match recorded.fact:
                case ReportSubmitted() as fact:
                    receipts[recorded.stream] = (f"{fact.source}/{fact.record}", fact.receipt)
                case ReportLinked() as fact:
                    cases[recorded.stream] = fact.case
                case CaseClassified() as fact:
                    matters[recorded.stream] = fact.matter
                case CallIssued() as fact:
                    platforms.setdefault(fact.case, set()).add(fact.platform)
    named: dict[str, str] = {}
    for report, (key, _) in receipts.items():
        case = cases.get(report, "")
        named[case] = min(named.get(case, key), key)
    return {
        key: (
            receipt,
            named[case := cases.get(report, "")],
            matters.get(case, ""),
            tuple(sorted(platforms.get(case, ()))),
        )
        for report, (key, receipt) in receipts.items()
    }


COUNTERS = (
    "SELECT channel, town, count(*) FROM reports GROUP BY channel, town",
    "SELECT town, village, matter, count(*) FROM cases GROUP BY town, village, matter",
    "SELECT town, platform, count(*) FROM calls GROUP BY town, platform",
    "SELECT town, department, called FROM workload",
    "SELECT count(*) FROM triage",
)
"""What an analyst counts, as far as it depends neither on the order of things nor on what departments do."""


def counted(database: Database) -> dict[str, set[tuple[Any, ...]]]:
    """What each counter gives."""
    with database.reading() as connection:
        return {sql: {tuple(row) for row in connection.exec_driver_sql(sql)} for sql in COUNTERS}


def watched(township: Proxied, head: int) -> dict[str, set[tuple[Any, ...]]]:
    """What the township's own views say once they have seen everything."""
    views = Views(Township.store_url(township, roles.VIEWS), VIEWS)
    try:
        deadline = time.monotonic() + WAY_S
        while min(views.positions().values()) < head:
            assert time.monotonic() < deadline, f"expected views at {head}, found {views.positions()}"
            time.sleep(PAUSE_S)
        return counted(views.database)
    finally:
        views.close()


def embedded(
    township: Proxied, reports: Sequence[Assigned], folder: Path
) -> tuple[dict[str, Outcome], dict[str, set[tuple[Any, ...]]]]:
    """What becomes of the same reports in one process on SQLite, whose sources have the same receipt keys."""
    with House(folder, SystemClock()) as house:
        with (
            psycopg.connect(Township.store_url(township, roles.VAULT)) as vault,
            house.vault._database.writing() as cursor,
        ):
            for row in vault.execute("SELECT source, key FROM vault.sources"):
                cursor.execute("INSERT INTO sources VALUES (?, ?) ON CONFLICT (source) DO NOTHING", row)
        house.configure(load_district(find_district(township.district)))
        now = house.clock.now()
        house.desk.forget_reporters(now)
        due = [(now, house.desk.submission(line, user, house.ledger.rules, now)) for user, line in reports]
        house.engine(Inputs(due)).run(until=now)
        house.views.catch_up(house.log)
        return outcomes(house.log), counted(house.views.database)


def different(found: Mapping[str, Outcome], wanted: Mapping[str, Outcome], told: Mapping[str, str]) -> list[str]:
    """Where the distributed township came to something else than the embedded one, or told somebody else."""
    faults = [f"{key}: {found.get(key)} instead of {want}" for key, want in wanted.items() if found.get(key) != want]
    return faults + [
        f"{key}: told {told.get(key)} instead of {want[0]}" for key, want in wanted.items() if told.get(key) != want[0]
    ]


def lately(lines: Sequence[ReportLine]) -> list[ReportLine]:
    """The reports, moved by whole weeks so that the newest is of the last: who tells the same story twice is known.

    For older ones nobody keeps the keys of pseudonyms, so those of the last weeks are linked and the others are not.
    """
    weeks = (SystemClock().now() - max(line.time for line in lines)) // timedelta(weeks=1)
    return [structs.replace(line, time=line.time + weeks * timedelta(weeks=1)) for line in lines]


def run(folder: Path, lines: Sequence[ReportLine], fault: Fault, nodes: int = 1) -> tuple[float, Audit]:
    """One township, one replay, one fault; gives how long the replay took, in seconds, and the audit."""
    township = Proxied(folder / "township", nodes)
    try:
        township.up()
        began = time.monotonic()
        books, reports = asyncio.run(play(township, lately(lines), fault))
        took = time.monotonic() - began
        return took, audit(township, books, reports, folder / "embedded")
    finally:
        township.down()


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument(
        "--fault", action="append", choices=[*FAULTS, *IN_A_CLUSTER], help="one of them; all by default"
    )
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--most", type=int, default=10**9, help="so many reports")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    known = {**FAULTS, **(IN_A_CLUSTER if given.nodes > 1 else {})}
    lines = [read_line(raw) for file in given.files for raw in islice(file.open("rb"), given.most)][: given.most]
    given.folder.mkdir(parents=True, exist_ok=True)
    given.folder.chmod(0o755)
    print(f"{'fault':<20} {'s':>7} {' '.join(f'{name:>{WIDTH}}' for name in FIGURES)}  lost, doubled or out of order")
    for name in given.fault or known:
        with tempfile.TemporaryDirectory(dir=given.folder) as place:
            Path(place).chmod(0o755)
            took, found = run(Path(place), lines, known[name], given.nodes)
        shown = " ".join(f"{found.figures[of]:>{WIDTH}}" for of in FIGURES)
        print(f"{name:<20} {took:>7.1f} {shown}  {len(found.faults) or 'nothing'}", flush=True)
        for fault in found.faults[:10]:
            print(f"    {fault}")


if __name__ == "__main__":
    main()
