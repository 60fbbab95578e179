"""What several files of flow tests look at: a township in which everything has happened."""

from collections.abc import Iterator

import pytest

from events.district import District
from services.runtime.clock import VirtualClock
from services.simulation.residents import Residents
from services.simulation.service import simulation
from services.wiring import SERVICES, House
from tests.flow.township import MONDAY_MORNING, residents_lines

REPORTS = 25


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory, district: District) -> Iterator[House]:
    """A township in which everything has happened; its log and views, in SQLite, are only read."""
    folder = tmp_path_factory.mktemp("played")
    with House(folder, VirtualClock(MONDAY_MORNING), (*SERVICES, simulation(5))) as house:
        house.configure(district)
        lines = residents_lines(house.ledger.rules, MONDAY_MORNING, REPORTS)
        house.engine(Residents(lines, house.desk, house.ledger.rules)).run()
        house.views.catch_up(house.log)
        yield house
