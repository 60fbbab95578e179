"""Measures what the store, the ledger, the views and the whole life cycle cost, as ratios within one run.

    python -m tests.bench.run [FILE of report lines]

Baselines, fixed here: the same rows in batches of 300, a new log each time, ``synchronous=FULL``, WAL; the
library's own application saving one aggregate per request; its own projection runner. Rates are per second.
"""

import asyncio
import cProfile
import gc
import pstats
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from threading import Event, Thread

from eventsourcing.persistence import StoredEvent

from events.catalog import CATALOG
from events.envelope import Recorded
from projections.cases import CASES
from projections.view import Rows
from services.intake.files import FileFeed
from services.rules.book import RuleBook
from services.runtime.batch import Submission
from services.runtime.clock import SystemClock, VirtualClock
from services.runtime.district import find_district, load_district
from services.runtime.front import Front
from services.runtime.log import Log
from services.runtime.places import Folder
from services.simulation.people import Dice
from services.simulation.residents import SOURCE, Residents, invented_reports
from services.simulation.service import simulation
from services.wiring import SERVICES, House
from tests.bench import library

BATCH = 300
ROWS = 60_000
REQUESTS = 20_000
FLOOD = 6_000
LEDGER_AIM, FLOOD_AIM = 0.2, 0.12
START = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)

RULES = RuleBook(load_district(find_district("yunan")))


def rate(what: str, amount: int, work: Callable[[], object]) -> float:
    """Do the work once and print how much of it was done in a second."""
    began = time.perf_counter()
    work()
    per_second = amount / (time.perf_counter() - began)
    print(f"  {what:<66} {per_second:>10,.0f}/s")
    return per_second


def ratio(what: str, value: float, aim: float) -> None:
    """Print a ratio with its aim."""
    print(f"{'reached' if value >= aim else 'MISSED ':>8}  {what:<66} {value:.3f}  (aim {aim})")


def in_batches(rows: Sequence[StoredEvent]) -> Iterable[Sequence[StoredEvent]]:
    """The rows, 300 at a time."""
    return (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))


def bare_driver(folder: Path, rows: Sequence[StoredEvent]) -> None:
    """The same rows through `sqlite3` alone."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        "CREATE TABLE stored_events (rowid INTEGER PRIMARY KEY AUTOINCREMENT, originator_id TEXT NOT NULL,"
        " originator_version INTEGER NOT NULL, topic TEXT NOT NULL, state BLOB NOT NULL,"
        " UNIQUE (originator_id, originator_version))"
    )
    for batch in in_batches(rows):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES (?,?,?,?)",
            [(row.originator_id, row.originator_version, row.topic, row.state) for row in batch],
        )
        connection.execute("COMMIT")
    connection.close()


def bare_append(folder: Path, facts: Sequence[Recorded]) -> None:
    """Facts encoded and appended through the library's recorder as we set it up, and nothing else."""
    log = Log(Folder(folder / "append").log())
    for start in range(0, len(facts), BATCH):
        events = [
            StoredEvent(fact.stream, fact.version, fact.name, CATALOG.encode(fact.meta, fact.fact))
            for fact in facts[start : start + BATCH]
        ]
        with log.exclusive() as cursor:
            log.append(cursor, events, start)
    log.close()


def house_in(folder: Path, *, simulated: bool = False, clock: VirtualClock | SystemClock | None = None) -> House:
    """A configured house in a new folder."""
    services = (*SERVICES, simulation(1)) if simulated else SERVICES
    house = House(folder, clock or VirtualClock(START), services)
    house.configure(RULES.district)
    house.lock()
    return house


def submissions(house: House, amount: int) -> list[Submission]:
    """Prepared requests to hand in invented reports."""
    lines = invented_reports(Dice(1), RULES, START - timedelta(days=20), timedelta(seconds=40))
    return [house.desk.submission(line, SOURCE, RULES, START) for line in islice(lines, amount)]


def ledger_in_batches(house: House, requests: Sequence[Submission]) -> None:
    """Decide requests, 300 to a transaction: encryption, inbox, timers, seals, everything."""
    for start in range(0, len(requests), BATCH):
        with house.ledger.batch() as batch:
            for request in requests[start : start + BATCH]:
                batch.decide(request)


def ledger_through_futures(house: House, requests: Sequence[Submission]) -> None:
    """The same requests, each awaited by its sender, 1,000 senders at a time; nobody reacts."""
    front = Front()
    engine = house.engine_of("bench", feed=front)
    over = Event()

    def decide() -> None:
        while not over.is_set():
            if not engine.step(house.clock.now()):
                front.wait(0.01)

    async def send_all() -> None:
        for start in range(0, len(requests), 1000):
            await asyncio.gather(*(front.submit(request) for request in requests[start : start + 1000]))

    writer = Thread(target=decide)
    writer.start()
    asyncio.run(send_all())
    over.set()
    writer.join()


def fold_cases(stored: Sequence[tuple[int, str, int, str, bytes]]) -> Rows:
    """Decode stored facts and fold the view of cases in memory."""
    rows = Rows(CASES.key, lambda key: None)
    folds = CASES.folds
    for position, stream, version, topic, state in stored:
        name, meta, fact = CATALOG.decode(topic, state)
        fold = folds.get(name)
        if fold is not None:
            fold(rows, Recorded(position, stream, version, name, meta, fact), fact)
    return rows


def life_cycle(house: House, feed: FileFeed | Residents, until: datetime | None = None) -> int:
    """Play a feed to the end or ``until``, all views kept current; gives the number of facts."""
    house.engine(feed).run(until, after_commit=house.settle)
    house.views.catch_up(house.log)
    return house.log.head()


def timed_life_cycle(what: str, house: House, feed: FileFeed | Residents, until: datetime | None = None) -> float:
    """Facts per second of a whole life cycle."""
    began = time.perf_counter()
    facts = life_cycle(house, feed, until)
    per_second = facts / (time.perf_counter() - began)
    print(f"  {what:<66} {per_second:>10,.0f}/s")
    return per_second


def profiled(what: str, work: Callable[[], object]) -> None:
    """Where the time goes, when an aim was missed."""
    profile = cProfile.Profile()
    profile.runcall(work)
    print(f"  where the time goes in: {what}")
    pstats.Stats(profile).sort_stats("tottime").print_stats(12)


def flood_feed(house: House) -> Residents:
    """Reports that all arrive at one moment and need no clock to go on."""
    lines = invented_reports(Dice(2), RULES, START - timedelta(days=1), timedelta(seconds=10))
    return Residents(islice(lines, FLOOD), house.desk, RULES)


def replay_feed(house: House, clock: VirtualClock, files: list[Path]) -> FileFeed | Residents:
    """Report lines of files, or invented ones when there are none."""
    if not files:
        return Residents(islice(invented_reports(Dice(3), RULES, START, timedelta(hours=1)), 2_000), house.desk, RULES)
    feed = FileFeed(files, house.desk, lambda: RULES, SystemClock().now())
    feed.index()
    assert feed.first is not None, "a replay needs reports"
    clock.move(feed.first)
    return feed


def measure_ledger(folder: Path) -> tuple[float, float]:
    """Ratios of the bare append; prints those of the ledger."""
    print("Store and ledger, embedded on SQLite:")
    with house_in(folder / "sample") as house:
        ledger_in_batches(house, submissions(house, ROWS // 3 + 1))
        facts = [fact for batch in house.log.all_after() for fact in batch][:ROWS]
    rows = [StoredEvent(f.stream, f.version, f.name, CATALOG.encode(f.meta, f.fact)) for f in facts]
    bare = rate("bare driver, rows in batches of 300", ROWS, lambda: bare_driver(folder, rows))
    append = rate("the library's recorder as we set it up, with encoding", ROWS, lambda: bare_append(folder, facts))
    batches = ledger_rate(folder / "batches", "ledger, facts in batches of 300 requests", ledger_in_batches)
    futures = ledger_rate(folder / "futures", "ledger, facts through awaited futures", ledger_through_futures)
    saves = 3_000
    what = "the library's application, one save of 3 events per request"
    one_save = rate(what, 3 * saves, lambda: library.save_each(folder, saves))
    ratio("ledger in batches / bare driver", batches / bare, LEDGER_AIM)
    ratio("ledger through awaited futures / bare driver", futures / bare, 0.12)
    ratio("ledger in batches / the library's one save per request", batches / one_save, 4)
    return append, batches / bare


def ledger_rate(folder: Path, what: str, work: Callable[[House, Sequence[Submission]], None]) -> float:
    """Facts per second through the ledger."""
    with house_in(folder) as house:
        requests = submissions(house, REQUESTS)
        before = house.log.head()
        began = time.perf_counter()
        work(house, requests)
        per_second = (house.log.head() - before) / (time.perf_counter() - began)
    print(f"  {what:<66} {per_second:>10,.0f}/s")
    return per_second


def measure_rebuild() -> None:
    """Our fold against the library's runner, on the same story of as many cases."""
    print("Rebuild of a view, in memory on both sides:")
    events = 8_000
    facts = library.some_facts(events)
    stored = [(f.position, f.stream, f.version, f.name, CATALOG.encode(f.meta, f.fact)) for f in facts]
    ours = rate("decode and fold, facts", events, lambda: fold_cases(stored))
    their_rows, theirs = library.rebuild(events)
    print(f"  {'ProjectionRunner, events':<66} {theirs:>10,.0f}/s")
    if their_rows != library.rows_of(fold_cases(stored)):
        raise SystemExit("the rebuilt rows differ: nothing was measured")
    ratio("rebuild / ProjectionRunner", ours / theirs, 40)


def measure_life_cycle(folder: Path, files: list[Path], append: float) -> float:
    """The whole way of the data; gives the ratio on the flood."""
    print("Whole life cycle, all nine views included:")
    gc.collect()
    gc.freeze()  # what the measurements before left behind is not looked through again and again
    clock = VirtualClock(datetime(2000, 1, 1, tzinfo=UTC))
    with house_in(folder / "replay", simulated=True, clock=clock) as house:
        feed = replay_feed(house, clock, files)
        replay = timed_life_cycle(f"replay of {'files' if files else 'invented reports'}, facts", house, feed)
    with house_in(folder / "flood") as house:
        flood = timed_life_cycle(f"flood of {FLOOD:,} reports, facts", house, flood_feed(house), START)
    ratio("life cycle on the replay / bare append", replay / append, 0.05)
    ratio("life cycle on the flood / bare append", flood / append, FLOOD_AIM)
    return flood / append


def main(files: list[Path]) -> None:
    """Measure, print ratios, and show where the time goes when an aim was missed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        append, ledger = measure_ledger(folder)
        flood = measure_life_cycle(folder, files, append)
        measure_rebuild()
        if ledger < LEDGER_AIM:
            with house_in(folder / "profile-batches") as house:
                requests = submissions(house, REQUESTS // 4)
                profiled("ledger in batches", lambda: ledger_in_batches(house, requests))
        if flood < FLOOD_AIM:
            with house_in(folder / "profile-flood") as house:
                profiled("flood", lambda: life_cycle(house, flood_feed(house), START))


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
