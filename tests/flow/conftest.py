"""What several files of flow tests look at: a township in which everything has happened."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from events.district import District
from events.person import RegisterPerson
from events.roster import SetShift
from services.people.person import person_id
from services.people.roster import roster_of
from services.runtime.clock import VirtualClock
from services.simulation.residents import Residents
from services.simulation.service import simulation
from services.wiring import SERVICES, House
from tests.flow.township import MONDAY_MORNING, act, residents_lines

REPORTS = 25


def keep_roster(house: House) -> None:
    """One person of a town has the command centre's duty for a night, and nobody has it after that."""
    town, number = house.ledger.rules.district.towns[0].code, "LD-0001"
    about: dict[str, Any] = {"employer": "六都镇", "department": "D01", "since": date(2020, 1, 6), "by": "personnel"}
    act(house, RegisterPerson(person=person_id(number), number=number, name="李敏", town=town, **about))
    night: dict[str, Any] = {"start": MONDAY_MORNING, "end": MONDAY_MORNING + timedelta(hours=12)}
    on_duty = SetShift(
        roster=roster_of(town), town=town, shift="night", post="command_centre", number=number, by="centre", **night
    )
    act(house, on_duty)


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory, district: District) -> Iterator[House]:
    """A township in which everything has happened; its log and views, in SQLite, are only read.

    The register of its people fills the log up to about position 1650; the reports come after that.
    """
    folder = tmp_path_factory.mktemp("played")
    with House(folder, VirtualClock(MONDAY_MORNING), (*SERVICES, simulation(5))) as house:
        house.configure(district)
        keep_roster(house)
        lines = residents_lines(house.ledger.rules, MONDAY_MORNING, REPORTS)
        house.engine(Residents(lines, house.desk, house.ledger.rules)).run()
        house.views.catch_up(house.log)
        yield house
