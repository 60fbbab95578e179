"""Plays a replay that is killed again and again, at drawn moments, and started again each time.

Run by the crash test, and by hand on the real messages:

    python -m tests.system.killing 20 SEED FOLDER FILE [FILE ...]
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from services.intake.files import FileFeed
from services.rules.book import RuleBook
from services.runtime.clock import SystemClock, VirtualClock
from services.runtime.district import find_district, load_district
from services.runtime.places import Place, place
from services.simulation.service import simulation
from services.wiring import SERVICES, House
from tests.flow.stores import where as name_of

POINTS = ("inside", "committed", "deciding")
"""Inside a commit: all is written, nothing committed. Committed: before anybody has the answer. Or anywhere."""

AT_COMMITS = 10
"""At least so many of the kills are inside a commit or between commit and answer."""


def play(where: Place, files: list[Path], batch_facts: int, point: str = "", countdown: int = 0) -> dict[str, str]:
    """What `hujiao replay` does; ends with SIGKILL at the ``countdown``-th passing of ``point``, if one is given."""

    def probe(passing: str) -> None:
        nonlocal countdown
        if passing == point:
            countdown -= 1
            if countdown == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    rules = RuleBook(load_district(find_district("yunan")))
    clock = VirtualClock(datetime(2000, 1, 1, tzinfo=UTC))
    with House(where, clock, (*SERVICES, simulation(seed=1)), probe) as house:
        house.lock()
        feed = FileFeed(files, house.desk, lambda: rules, SystemClock().now())
        feed.index()
        if feed.first is not None:
            clock.move(feed.first)
        house.configure(rules.district)
        house.engine(feed, batch_facts).run(after_commit=house.settle)
        house.views.catch_up(house.log)
        feed.close()
        return house.views.digest()


def play_in_a_child(where: Place, files: list[Path], batch_facts: int, point: str, countdown: int) -> bool:
    """Play in a process of its own; gives whether it was killed."""
    arguments = [name_of(where), str(batch_facts), point, str(countdown), *map(str, files)]
    module = __spec__.name if __spec__ else __name__
    child = subprocess.run([sys.executable, "-m", module, "--child", *arguments], check=False)
    if child.returncode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"expected the child to end or be killed, found status {child.returncode}")
    return child.returncode == -signal.SIGKILL


def kill_and_restart(
    where: Place, files: list[Path], kills: int, seed: int, batches: tuple[int, ...], most_facts: int
) -> Counter[str]:
    """Kill the replay ``kills`` times, each within about ``most_facts`` of its start; gives how often where.

    Transactions are of the sizes ``batches`` in turn: small ones leave many places to stop at, large ones leave
    a long way to catch up.
    """
    draw = random.Random(seed)
    killed: Counter[str] = Counter()
    for n in range(kills):
        point = POINTS[n % 2] if n < AT_COMMITS else draw.choice(POINTS)
        batch_facts = batches[n % len(batches)]
        most = most_facts if point == "deciding" else most_facts // batch_facts
        if play_in_a_child(where, files, batch_facts, point, draw.randint(1, max(1, most))):
            killed[point] += 1
    return killed


def main(arguments: list[str]) -> None:
    """The child, or the whole experiment by hand."""
    if arguments[0] == "--child":
        where, batch_facts, point, countdown, *files = arguments[1:]
        play(place(where), [Path(file) for file in files], int(batch_facts), point, int(countdown))
        return
    kills, seed, folder, *files = arguments
    paths = [Path(file) for file in files]
    with tempfile.TemporaryDirectory(dir=folder) as undisturbed, tempfile.TemporaryDirectory(dir=folder) as disturbed:
        expected = play(place(undisturbed), paths, 1000)
        killed = kill_and_restart(place(disturbed), paths, int(kills), int(seed), (1000, 200, 5000), 15_000)
        found = play(place(disturbed), paths, 1000)
    print(f"seed {seed}: killed {dict(killed)}; digests {'equal' if found == expected else 'DIFFER'}")
    sys.exit(found != expected)


if __name__ == "__main__":
    main(sys.argv[1:])
