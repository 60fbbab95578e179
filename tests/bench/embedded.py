"""What store, ledger, views and the whole life cycle cost on SQLite, in one process.

Baselines: the same rows through `sqlite3` alone in batches of 300, a new log each time, ``synchronous=FULL``, WAL; the
library's application saving one aggregate per request; its projection runner in memory.
"""

import gc
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from eventsourcing.persistence import StoredEvent

from events.catalog import CATALOG
from events.envelope import Recorded
from projections.cases import CASES
from projections.view import Rows
from services.intake.files import FileFeed
from services.runtime.clock import SystemClock, VirtualClock
from services.runtime.places import Folder
from services.simulation.people import Dice
from services.simulation.residents import Residents, invented_reports
from services.wiring import House
from tests.bench import library
from tests.bench.measures import (
    FLOOD,
    REQUESTS,
    ROWS,
    RULES,
    SAVES,
    START,
    bare_append,
    flood_feed,
    house_in,
    in_batches,
    ledger_in_batches,
    ledger_rate,
    ledger_through_futures,
    life_cycle,
    profiled,
    rate,
    ratio,
    stored,
    submissions,
    timed_life_cycle,
)

LEDGER_AIM, FLOOD_AIM = 0.2, 0.12


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


def fold_cases(rows: Sequence[tuple[int, str, int, str, bytes]]) -> Rows:
    """Decode stored facts and fold the view of cases in memory."""
    folded = Rows(CASES.key, lambda key: None)
    folds = CASES.folds
    for position, stream, version, topic, state in rows:
        name, meta, fact = CATALOG.decode(topic, state)
        fold = folds.get(name)
        if fold is not None:
            fold(folded, Recorded(position, stream, version, name, meta, fact), fact)
    return folded


def replay_feed(house: House, clock: VirtualClock, files: list[Path]) -> FileFeed | Residents:
    """Report lines of files, or invented ones when there are none."""
    if not files:
        return Residents(islice(invented_reports(Dice(3), RULES, START, timedelta(hours=1)), 2_000), house.desk, RULES)
    feed = FileFeed(files, house.desk, lambda: RULES, SystemClock().now())
    feed.index()
    assert feed.first is not None, "a replay needs reports"
    clock.move(feed.first)
    return feed


def measure_ledger(folder: Path, facts: Sequence[Recorded]) -> tuple[float, float]:
    """Prints the ratios of the ledger; gives the rate of the bare append and the ledger's ratio to the driver."""
    print("Store and ledger, embedded on SQLite:")
    rows = stored(facts)
    bare = rate("bare driver, rows in batches of 300", ROWS, lambda: bare_driver(folder, rows))
    what = "the library's recorder as we set it up, with encoding"
    append = rate(what, ROWS, lambda: bare_append(Folder(folder / "append"), facts))
    batches = ledger_rate(folder / "batches", "ledger, facts in batches of 300 requests", ledger_in_batches)
    futures = ledger_rate(folder / "futures", "ledger, facts through awaited futures", ledger_through_futures)
    what = "the library's application, one save of 3 events per request"
    one_save = rate(what, 3 * SAVES, lambda: library.save_each(library.on_sqlite(folder), SAVES))
    ratio("ledger in batches / bare driver", batches / bare, LEDGER_AIM)
    ratio("ledger through awaited futures / bare driver", futures / bare, 0.12)
    ratio("ledger in batches / the library's one save per request", batches / one_save, 4)
    return append, batches / bare


def measure_rebuild() -> None:
    """Our fold against the library's runner, on the same story of as many cases."""
    print("Rebuild of a view, in memory on both sides:")
    events = 8_000
    facts = library.some_facts(events)
    rows = [(f.position, f.stream, f.version, f.name, CATALOG.encode(f.meta, f.fact)) for f in facts]
    ours = rate("decode and fold, facts", events, lambda: fold_cases(rows))
    their_rows, theirs = library.rebuild(events)
    print(f"  {'ProjectionRunner, events':<66} {theirs:>10,.0f}/s")
    if their_rows != library.rows_of(fold_cases(rows)):
        raise SystemExit("the rebuilt rows differ: nothing was measured")
    ratio("rebuild / ProjectionRunner", ours / theirs, 40)


def measure_life_cycle(folder: Path, files: list[Path], append: float) -> float:
    """The whole way of the data; gives the ratio on the flood."""
    print("Whole life cycle, all ten views included:")
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


def measure(folder: Path, files: list[Path], facts: Sequence[Recorded]) -> None:
    """Measure, print ratios, and show where the time goes when an aim was missed."""
    append, ledger = measure_ledger(folder, facts)
    flood = measure_life_cycle(folder, files, append)
    measure_rebuild()
    if ledger < LEDGER_AIM:
        with house_in(folder / "profile-batches") as house:
            requests = submissions(house, REQUESTS // 4)
            profiled("ledger in batches", lambda: ledger_in_batches(house, requests))
    if flood < FLOOD_AIM:
        with house_in(folder / "profile-flood") as house:
            profiled("flood", lambda: life_cycle(house, flood_feed(house), START))
