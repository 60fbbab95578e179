"""Plays 100,000 generated reports and prints memory and cost per fact along the way.

    python -m tests.bench.memory [REPORTS]

Two figures count: memory stays flat after the first tenth, and a fact at the end costs what it cost at the beginning.
"""

import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from services.rules.book import RuleBook
from services.runtime.clock import VirtualClock
from services.runtime.district import find_district, load_district
from services.simulation.people import Dice
from services.simulation.residents import Residents, invented_reports
from services.simulation.service import simulation
from services.wiring import SERVICES, House

START = datetime(2024, 1, 2, 0, 30, tzinfo=UTC)
GAP = timedelta(minutes=10)
POINTS = 20


def resident_mib() -> float:
    """Memory of this process now, not its peak, without the pages of mapped files."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    line = next(line for line in status.read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


def main(reports: int) -> None:
    """Play, and print a line for every twentieth of the reports."""
    rules = RuleBook(load_district(find_district("yunan")))
    with (
        tempfile.TemporaryDirectory() as folder,
        House(Path(folder) / "data", VirtualClock(START), (*SERVICES, simulation(1))) as house,
    ):
        house.configure(rules.district)
        house.lock()
        lines = islice(invented_reports(Dice(1), rules, START, GAP), reports)
        feed = Residents(lines, house.desk, rules)
        curve: list[tuple[int, int, float, float]] = []
        cpu, facts = time.process_time(), 0
        print(f"{'reports':>9} {'facts':>11} {'MiB':>8} {'µs CPU per fact':>16}")

        def after_commit() -> None:
            nonlocal cpu, facts
            house.settle()
            if feed.receipts * POINTS // reports > len(curve):
                now, head = time.process_time(), house.log.head()
                cost = (now - cpu) / max(head - facts, 1) * 1e6
                curve.append((feed.receipts, head, resident_mib(), cost))
                print("{:>9,} {:>11,} {:>8.1f} {:>16.1f}".format(*curve[-1]), flush=True)
                cpu, facts = now, head

        house.engine(feed).run(after_commit=after_commit)
        in_all = house.log.head()
    tenth = max(len(curve) // 10, 1)
    first, last = curve[tenth : 3 * tenth], curve[-2 * tenth :]
    cost = sum(point[3] for point in last) / sum(point[3] for point in first)
    print(f"facts in all: {in_all:,}")
    print(f"memory at the end / after the first tenth: {curve[-1][2] / curve[tenth][2]:.3f}")
    print(f"cost per fact at the end / at the beginning: {cost:.3f}  (aim: at most 1.15)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
