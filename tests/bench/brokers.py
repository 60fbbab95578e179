"""What the life cycle costs over RabbitMQ and PostgreSQL, every service a process of its own, on private servers.

Baselines: `aio-pika` passing the same messages through as many hops, a process for each, until as many deliveries are
made; FastStream with the `eventsourcing` library's application doing the same job; a round trip at the broker. The
windows and prefetches of all sides are 200, all queues are quorum queues. Views, web and terminals do not run: nothing
on a report's way waits for them.
"""

import asyncio
import logging
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psycopg
import structlog
from aio_pika import Message
from msgspec import structs

from deploy.processes import Server as Process
from deploy.processes import until
from deploy.servers import missing
from deploy.township import DATABASE, VHOST, Share, Township, for_all
from events.call import DepartmentsCalled
from events.carried import edge_event
from events.report import ReportSubmitted
from services.messaging.amqp import event_message
from services.simulation.people import Dice
from services.simulation.residents import invented_reports
from tests.bench import faststream_baseline, passing
from tests.bench.correspondence import Correspondence, Visitors
from tests.bench.costs import Watch
from tests.bench.measures import RULES, house_in, ratio, show
from tests.flow.township import Inputs

SERVICES = ("intake", "command_centre", "platforms", "departments", "relay", "disclosure", "clock")
REPORTS = 500
ROUNDS = 3
PACED_S = 10.0
PACED_ROUNDS = 2
BACKLOG = 800
HOTLINE = RULES.district.hotlines[0].name
DELIVERED = "rabbitmq_global_messages_delivered_total{"
BASELINE = "baseline"
"""The virtual host and the database of the baselines."""

PASSING_AIM, FASTSTREAM_AIM, LATENCY_AIM = 0.4, 4, 3
WAIT_S = 60.0
LOOK_S = 0.02


class Job:
    """So many invented reports, and whom each calls, as an embedded township decides it. No two are of one reporter."""

    def __init__(self, folder: Path, seed: int, amount: int, towns: Sequence[str] = ()) -> None:
        now, gap = datetime.now(UTC), timedelta(seconds=1)
        invented = invented_reports(Dice(seed), RULES, now - amount * gap, gap)
        if towns:
            invented = (line for line in invented if RULES.villages[str(line.village)].town in towns)
        self.lines = [
            structs.replace(line, id=f"{seed}-{line.id}", reporter=f"{seed}-{line.id}", time=now - (amount - n) * gap)
            for n, line in enumerate(islice(invented, amount))
        ]
        self.calls: dict[str, list[tuple[str, list[str]]]] = {line.id: [] for line in self.lines}
        with house_in(folder / f"job-{seed}") as house:
            due = [(now, house.desk.submission(line, HOTLINE, RULES, now)) for line in self.lines]
            house.engine(Inputs(due)).run(until=now)
            facts = [recorded for batch in house.log.all_after() for recorded in batch]
        records = {f.stream: f.fact.record for f in facts if isinstance(f.fact, ReportSubmitted)}
        for recorded in facts:
            if isinstance(called := recorded.fact, DepartmentsCalled):
                whom = (called.platform, [leg.department for leg in called.legs])
                self.calls[records[recorded.meta.correlation]].append(whom)

    @property
    def legs(self) -> int:
        """How many departments are called in all."""
        return sum(len(departments) for calls in self.calls.values() for _, departments in calls)

    @property
    def messages(self) -> list[Message]:
        """The reports as the hotline publishes them."""
        now = datetime.now(UTC)
        return [event_message(edge_event(line, line.id, HOTLINE, now), line.id) for line in self.lines]

    @property
    def plans(self) -> faststream_baseline.Plans:
        """The reports as the baseline is told them."""
        return [(line.id, str(line.village), line.title, line.text, self.calls[line.id]) for line in self.lines]


class Ground:
    """A township's servers and services, and places of the baselines' own on the same servers."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._seed = folder, 0
        self.township = Township(folder / "township", shares=[Share(service, service) for service in SERVICES])
        self._queues = [
            *map(passing.queue_of, passing.HOPS),
            *map(faststream_baseline.queue_of, faststream_baseline.QUEUES),
        ]

    def prepare(self) -> None:
        """Start everything."""
        self.township.up()
        self.rabbit = self.township.nodes[0]
        self.rabbit.manage("PUT", f"/api/vhosts/{BASELINE}")
        for vhost in (VHOST, BASELINE):
            everything = {"configure": ".*", "write": ".*", "read": ".*"}
            self.rabbit.manage("PUT", f"/api/permissions/{vhost}/{self.rabbit.user}", everything)
        for queue in self._queues:
            quorum = {"durable": True, "arguments": {"x-queue-type": "quorum"}}
            self.rabbit.manage("PUT", f"/api/queues/{BASELINE}/{queue}", quorum)
        self.store_url = self.township.postgres.create_database(BASELINE)
        faststream_baseline.create(self.store_url)
        self.broker_url = self.rabbit.amqp_url(vhost=BASELINE)
        self.visitors = Visitors(self.rabbit.amqp_url(vhost=VHOST), HOTLINE, RULES)

    def job(self, amount: int, towns: Sequence[str] = ()) -> Job:
        """Reports that nobody has handed in yet."""
        self._seed += 1
        return Job(self._folder, self._seed, amount, towns)

    def start(self, *names: str) -> None:
        """Start services of the township, or all."""
        services = self.township.services
        for_all([services[name] for name in names or services], lambda service: service.start())

    def stop(self) -> None:
        """Stop all services of the township: a baseline has the machine for itself."""
        for_all(self.township.services.values(), lambda service: service.stop())

    def watch(self, others: Mapping[str, Process] = MappingProxyType({})) -> Watch:
        """Watch the servers, the services that run, and others."""
        servers = {"RabbitMQ": self.rabbit, "PostgreSQL": self.township.postgres}
        watched: dict[str, Process] = {**servers, **self.township.services, **others}
        running = {name: _pids(process) for name, process in watched.items() if process.running}
        return Watch(running, self.township.postgres.url(database=DATABASE))

    def deliveries(self) -> int:
        """How many deliveries the broker has made so far."""
        with urllib.request.urlopen(self.rabbit.metrics_url, timeout=WAIT_S) as answer:  # noqa: S310  # our own server
            lines = answer.read().decode().splitlines()
        return sum(
            int(line.split()[-1]) for line in lines if line.startswith("rabbitmq_global_messages_delivered_total")
        )

    def departments_called(self) -> int:
        """How often a platform has called its departments so far."""
        return self._ask("SELECT count(*) FROM log.stored_events WHERE topic = 'call.departments-called.v1'")

    def relayed(self) -> None:
        """Wait until the relay has published everything."""
        behind = (
            "SELECT max(notification_id) - (SELECT position FROM log.cursors WHERE name = 'relay')"
            " FROM log.stored_events"
        )
        if not until(lambda: not self._ask(behind), WAIT_S):
            raise SystemExit(f"expected the relay to be through within {WAIT_S:g} s")

    def empty(self) -> None:
        """Forget what a baseline left: the broker may not have heard that its last messages were taken."""
        for queue in (
            *map(passing.queue_of, passing.HOPS),
            *map(faststream_baseline.queue_of, faststream_baseline.QUEUES),
        ):
            self.rabbit.manage("DELETE", f"/api/queues/{BASELINE}/{queue}/contents")

    @contextmanager
    def hops(self, module: str, hops: Sequence[tuple[str, ...]]) -> Iterator[None]:
        """The processes of a baseline, ready."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
        with ExitStack() as running:
            processes = [
                running.enter_context(
                    subprocess.Popen([sys.executable, "-m", module, *hop], env=environment, stdout=subprocess.PIPE)
                )
                for hop in hops
            ]
            for process in processes:
                running.callback(process.terminate)
            for process in processes:
                assert process.stdout is not None, "it was asked for"
                if not process.stdout.readline():
                    raise SystemExit(f"expected {module} to be ready, found that it ended")
            yield

    def _ask(self, question: str) -> int:
        with psycopg.connect(self.township.postgres.url(database=DATABASE)) as connection:
            row = connection.execute(question).fetchone()
        assert row is not None, "a count gives a row"
        return int(row[0])


class Round:
    """What one round of the township and of the baselines gave, per second."""

    def __init__(self, ground: Ground) -> None:
        job = ground.job(REPORTS)
        before = ground.deliveries()
        with ground.watch() as self.watch:
            said = asyncio.run(ground.visitors.correspond(job.lines, job.legs))
        self.deliveries = ground.deliveries() - before
        self.rate, self.reports = self.deliveries / said.seconds, REPORTS / said.seconds
        ground.stop()
        self.passed, self.faststream = _passed(ground, job, self.deliveries), _by_faststream(ground, job)
        ground.start()


def _passed(ground: Ground, job: Job, deliveries: int) -> float:
    """Deliveries per second of the pass-through, with as many deliveries."""
    messages = job.messages
    amount = max(1, deliveries // len(passing.HOPS))
    some = [messages[n % len(messages)] for n in range(amount)]
    hops = list(zip(map(passing.queue_of, passing.HOPS), map(passing.queue_of, passing.HOPS[1:]), strict=False))
    with ground.hops(passing.__name__, [(ground.broker_url, *hop) for hop in hops]):
        took = asyncio.run(passing.send_through(ground.broker_url, some))
    ground.empty()
    return amount * len(passing.HOPS) / took


def _by_faststream(ground: Ground, job: Job) -> float:
    """Reports per second of FastStream."""
    hops = [(hop, ground.broker_url, ground.store_url) for hop in faststream_baseline.HOPS]
    with ground.hops(faststream_baseline.__name__, hops):
        took = asyncio.run(faststream_baseline.correspond(ground.broker_url, job.plans))
    ground.empty()
    return REPORTS / took


def measure_life_cycle(ground: Ground) -> float:
    """The ratios of the life cycle; gives the reports per second."""
    rounds = [Round(ground) for _ in range(ROUNDS)]

    def median(of: Callable[[Round], float]) -> float:
        return statistics.median(of(one) for one in rounds)

    last = rounds[-1]
    print(f"  {last.deliveries / REPORTS:.1f} broker deliveries for each report; medians of {ROUNDS} rounds:")
    show("life cycle, deliveries", median(lambda one: one.rate))
    show("aio-pika passes through, deliveries", median(lambda one: one.passed))
    reports = show("life cycle, reports", median(lambda one: one.reports))
    show("FastStream with the library's application, reports", median(lambda one: one.faststream))
    passing_ratio = median(lambda one: one.rate / one.passed)
    ratio("life cycle / aio-pika pass-through", passing_ratio, PASSING_AIM)
    faststream_ratio = median(lambda one: one.reports / one.faststream)
    ratio("life cycle / FastStream", faststream_ratio, FASTSTREAM_AIM)
    if passing_ratio < PASSING_AIM or faststream_ratio < FASTSTREAM_AIM:
        last.watch.show(last.deliveries)
    return reports


class Paced:
    """Delays at a steady pace, in seconds: of the township from report to leg, and of round trips at the broker.

    ``meanwhile`` are trips at the same rate beside the township's work, ``alone`` those while it has nothing to do.
    """

    def __init__(self, ground: Ground, per_second: float) -> None:
        amount = int(per_second * PACED_S)
        job, queue = ground.job(amount), passing.queue_of(passing.HOPS[-1])

        def trips() -> Coroutine[Any, Any, list[float]]:
            return passing.round_trips(ground.broker_url, queue, job.messages, per_second)

        async def both() -> tuple[Correspondence, list[float]]:
            return await asyncio.gather(ground.visitors.correspond(job.lines, job.legs, per_second), trips())

        self.alone = asyncio.run(trips())
        ground.empty()
        with ground.watch() as self.watch:
            said, self.meanwhile = asyncio.run(both())
        ground.empty()
        self.delays = said.delays


def measure_latency(ground: Ground, reports: float) -> None:
    """From a report's publishing until its leg is in the department's hands, at half of what the township can."""
    per_second = reports / 2
    paced = [Paced(ground, per_second) for _ in range(PACED_ROUNDS)]
    print(f"  at half load, {per_second:.1f} reports a second, in milliseconds, medians of {PACED_ROUNDS} rounds:")
    delay = _delays("report until a department has its leg", [one.delays for one in paced])
    trip = _delays("the broker's own round trip at the same rate meanwhile", [one.meanwhile for one in paced])
    _delays("the same with nothing else to do", [one.alone for one in paced])
    reached, what = delay / trip <= LATENCY_AIM, "latency at half load, p99 / the broker's own round trip, p99"
    print(f"{'reached' if reached else 'MISSED ':>8}  {what:<66} {delay / trip:.3f}  (aim at most {LATENCY_AIM})")
    if not reached:
        paced[-1].watch.show(len(paced[-1].delays), "1,000 reports")


def measure_platforms(ground: Ground) -> None:
    """How much faster two processes of the platforms, a town each, take what waits in their queues than one does."""
    towns = _alike()
    apart = [Share(f"platforms-{town}", "platforms", ("--town", town)) for town in towns]
    together = [Share("platforms-all", "platforms")]
    rates = []
    for shares in (together, apart):
        rate, watch, calls = _drained(ground, shares, towns)
        rates.append(rate)
        show(f"{len(shares)} process{'es' if len(shares) > 1 else ''} of the platforms, calls", rate)
        watch.show(calls, "1,000 calls")
    one, two = rates
    print(f"          {'two processes of the platforms / one':<66} {two / one:.3f}")


def _drained(ground: Ground, shares: Sequence[Share], towns: Sequence[str]) -> tuple[float, Watch, int]:
    """Calls per second of processes that begin together on full queues, what it cost, and how many calls there were.

    They hear nothing while the queues fill: they are stopped in their tracks, for less time than a link lives.
    """
    job = ground.job(BACKLOG, [RULES.town_by_name[town].code for town in towns])
    calls = sum(len(calls) for calls in job.calls.values())
    consumers = Township(ground.township.folder, shares=shares).services
    for_all(consumers.values(), lambda service: service.start())
    ground.start("intake", "command_centre", "relay")
    with ExitStack() as ending:
        ending.callback(for_all, consumers.values(), lambda service: service.stop())
        for service in consumers.values():
            os.kill(service.pid, signal.SIGSTOP)
            ending.callback(os.kill, service.pid, signal.SIGCONT)
        asyncio.run(ground.visitors.correspond(job.lines, legs=0))
        ground.relayed()
        ground.stop()
        done = ground.departments_called()
        with ground.watch(consumers) as watch:
            for service in consumers.values():
                os.kill(service.pid, signal.SIGCONT)
            seen: list[tuple[float, int]] = []
            while not seen or seen[-1][1] < calls:
                if (now := ground.departments_called() - done) > (seen[-1][1] if seen else 0):
                    seen.append((time.perf_counter(), now))
                time.sleep(LOOK_S)
    (began, first), (ended, last) = seen[0], seen[-1]
    return (last - first) / (ended - began), watch, calls


def _alike() -> tuple[str, str]:
    """The aliases of the two towns whose numbers of villages differ least: they get about as many reports."""
    sizes = Counter(RULES.towns[village.town].alias for village in RULES.district.villages)
    ordered = sorted(sizes, key=lambda town: sizes[town])
    return min(pairwise(ordered), key=lambda pair: sizes[pair[1]] - sizes[pair[0]])


def _delays(what: str, rounds: Sequence[Sequence[float]]) -> float:
    """Print median and 99th percentile; gives the latter."""
    p50, p99 = (statistics.median(_quantile(delays, q) for delays in rounds) for q in (0.5, 0.99))
    print(f"  {what:<60} p50 {p50 * 1000:>7.1f}  p99 {p99 * 1000:>7.1f}")
    return p99


def _quantile(values: Sequence[float], q: float) -> float:
    return sorted(values)[min(len(values) - 1, int(q * len(values)))]


def _pids(process: Process) -> Callable[[], Sequence[int]]:
    return lambda: process.pids


def measure(folder: Path) -> None:
    """Measure, print ratios, and show where the time goes when an aim was missed."""
    if lacking := missing():
        print(f"NOT RUN: the rows that need brokers (apt install {' '.join(sorted(lacking))})")
        return
    folder.chmod(0o755)  # the user postgres must be able to enter
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    ground = Ground(folder)
    try:
        ground.prepare()
        print("Life cycle over RabbitMQ and PostgreSQL, every service a process:")
        reports = measure_life_cycle(ground)
        measure_latency(ground, reports)
        ground.stop()
        measure_platforms(ground)
    finally:
        ground.township.down()
