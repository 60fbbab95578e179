"""Nobody loses a report, a call or an acknowledgement, whatever breaks; and apart comes to what together comes to."""

import tempfile
from datetime import timedelta
from itertools import islice
from pathlib import Path

import pytest

from events.edge import ReportLine
from services.intake.line import read_line
from services.rules.book import RuleBook
from services.simulation.people import Dice
from services.simulation.residents import invented_reports
from tests.conftest import MONDAY_MORNING
from tests.servers import need
from tests.system.faults import everything, nothing, run

REAL, INVENTED = 60, 60


@pytest.fixture(autouse=True)
def _needs_all_servers() -> None:
    for package in ("postgresql", "rabbitmq-server", "mosquitto"):
        need(package)


@pytest.fixture
def folder(servers_folder: Path) -> Path:
    place = Path(tempfile.mkdtemp(dir=servers_folder))
    place.chmod(0o755)
    return place


def test_real_messages_over_the_real_brokers_come_to_what_they_come_to_in_one_process(
    real_reports: Path, folder: Path
) -> None:
    with (real_reports / "messages-2019.jsonl").open("rb") as file:
        lines = [read_line(raw) for raw in islice(file, REAL)]

    _, found = run(folder, lines, nothing)

    assert found.faults == []
    assert found.figures["receipts"] == REAL
    assert found.figures["acknowledged"] == found.figures["legs"] > REAL


def test_nothing_is_lost_doubled_or_out_of_order_when_everything_breaks_in_turn(folder: Path, rules: RuleBook) -> None:
    lines = invented(rules)

    _, found = run(folder, lines, everything)

    assert found.faults == []
    assert found.figures["receipts"] == INVENTED
    assert found.figures["acknowledged"] == found.figures["legs"] > INVENTED


def invented(rules: RuleBook) -> list[ReportLine]:
    start = MONDAY_MORNING - timedelta(days=20)
    return list(islice(invented_reports(Dice(11), rules, start, timedelta(hours=1)), INVENTED))
