"""Measures what the parts cost, as ratios within one run on one machine.

    python -m tests.bench.run [--only embedded|server|brokers|desks] [FILE of report lines]

Baselines and aims are fixed in the code, each topic in a file of its own. Rates are per second. The desks come last and
play 100,000 reports first, which takes about half an hour.
"""

import sys
import tempfile
from pathlib import Path

from tests.bench import brokers, desks, embedded, server
from tests.bench.measures import sample_facts

TOPICS = ("embedded", "server", "brokers", "desks")


def main(arguments: list[str]) -> None:
    """Measure all topics, or one."""
    topics = TOPICS
    if arguments[:1] == ["--only"]:
        topics, arguments = (arguments[1],), arguments[2:]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        facts = sample_facts(folder / "sample")
        if "embedded" in topics:
            embedded.measure(folder, [Path(argument) for argument in arguments], facts)
        if "server" in topics:
            server.measure(folder, facts)
        if "brokers" in topics:
            brokers.measure(folder)
        if "desks" in topics:
            desks.measure(folder / "desks", desks.REPORTS)


if __name__ == "__main__":
    main(sys.argv[1:])
