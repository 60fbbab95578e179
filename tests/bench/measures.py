"""What all benchmarks share: how a rate and a ratio are printed, and the work that is measured on every store."""

import asyncio
import cProfile
import pstats
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from threading import Event, Thread

from eventsourcing.persistence import StoredEvent

from events.catalog import CATALOG
from events.envelope import Recorded
from services.intake.files import FileFeed
from services.rules.book import RuleBook
from services.runtime.batch import Submission
from services.runtime.clock import SystemClock, VirtualClock
from services.runtime.district import find_district, load_district
from services.runtime.front import Front
from services.runtime.log import Log
from services.runtime.places import Place
from services.simulation.people import Dice
from services.simulation.residents import SOURCE, Residents, invented_reports
from services.simulation.service import simulation
from services.wiring import SERVICES, House

BATCH = 300
ROWS = 60_000
REQUESTS = 20_000
FLOOD = 6_000
SAVES = 3_000
START = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)

RULES = RuleBook(load_district(find_district("yunan")))


def show(what: str, per_second: float) -> float:
    """Print a rate; gives it."""
    print(f"  {what:<66} {per_second:>10,.0f}/s")
    return per_second


def rate(what: str, amount: int, work: Callable[[], object]) -> float:
    """Do the work once and print how much of it was done in a second."""
    began = time.perf_counter()
    work()
    return show(what, amount / (time.perf_counter() - began))


def ratio(what: str, value: float, aim: float) -> None:
    """Print a ratio with its aim."""
    print(f"{'reached' if value >= aim else 'MISSED ':>8}  {what:<66} {value:.3f}  (aim {aim})")


def profiled(what: str, work: Callable[[], object]) -> None:
    """Where the time goes, when an aim was missed."""
    profile = cProfile.Profile()
    profile.runcall(work)
    print(f"  where the time goes in: {what}")
    pstats.Stats(profile).sort_stats("tottime").print_stats(12)


def in_batches(rows: Sequence[StoredEvent]) -> Iterable[Sequence[StoredEvent]]:
    """The rows, 300 at a time."""
    return (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))


def stored(facts: Iterable[Recorded]) -> list[StoredEvent]:
    """Facts as the log stores them."""
    return [StoredEvent(fact.stream, fact.version, fact.name, CATALOG.encode(fact.meta, fact.fact)) for fact in facts]


def bare_append(place: Place, facts: Sequence[Recorded]) -> None:
    """Facts encoded and appended through the library's recorder as we set it up, and nothing else."""
    log = Log(place.log())
    for start in range(0, len(facts), BATCH):
        with log.exclusive() as cursor:
            log.append(cursor, stored(facts[start : start + BATCH]), start)
    log.close()


def house_in(where: Path | Place, *, simulated: bool = False, clock: VirtualClock | SystemClock | None = None) -> House:
    """A configured house in a new folder or database."""
    services = (*SERVICES, simulation(1)) if simulated else SERVICES
    house = House(where, clock or VirtualClock(START), services)
    house.configure(RULES.district)
    house.lock()
    return house


def submissions(house: House, amount: int) -> list[Submission]:
    """Prepared requests to hand in invented reports."""
    lines = invented_reports(Dice(1), RULES, START - timedelta(days=20), timedelta(seconds=40))
    return [house.desk.submission(line, SOURCE, RULES, START) for line in islice(lines, amount)]


def sample_facts(folder: Path) -> list[Recorded]:
    """The facts of decided requests, which every store is given to keep."""
    with house_in(folder) as house:
        ledger_in_batches(house, submissions(house, ROWS // 3 + 1))
        return [fact for batch in house.log.all_after() for fact in batch][:ROWS]


def ledger_in_batches(house: House, requests: Sequence[Submission]) -> None:
    """Decide requests, 300 to a transaction: encryption, inbox, timers, seals, everything."""
    for start in range(0, len(requests), BATCH):
        with house.ledger.batch() as batch:
            some = requests[start : start + BATCH]
            batch.expect(some)
            for request in some:
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


def ledger_rate(where: Path | Place, what: str, work: Callable[[House, Sequence[Submission]], None]) -> float:
    """Facts per second through the ledger."""
    with house_in(where) as house:
        requests = submissions(house, REQUESTS)
        before = house.log.head()
        began = time.perf_counter()
        work(house, requests)
        return show(what, (house.log.head() - before) / (time.perf_counter() - began))


def life_cycle(house: House, feed: FileFeed | Residents, until: datetime | None = None) -> int:
    """Play a feed to the end or ``until``, all views kept current; gives the number of facts."""
    house.engine(feed).run(until, after_commit=house.settle)
    house.views.catch_up(house.log)
    return house.log.head()


def timed_life_cycle(what: str, house: House, feed: FileFeed | Residents, until: datetime | None = None) -> float:
    """Facts per second of a whole life cycle."""
    began = time.perf_counter()
    facts = life_cycle(house, feed, until)
    return show(what, facts / (time.perf_counter() - began))


def flood_feed(house: House) -> Residents:
    """Reports that all arrive at one moment and need no clock to go on."""
    lines = invented_reports(Dice(2), RULES, START - timedelta(days=1), timedelta(seconds=10))
    return Residents(islice(lines, FLOOD), house.desk, RULES)
