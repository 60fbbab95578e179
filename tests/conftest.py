"""What all tests share: the sample district, a house in a temporary folder, and the real input if it is at hand."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from events.district import District
from services.decisions import Service
from services.rules.book import RuleBook
from services.runtime.clock import Clock, VirtualClock
from services.runtime.district import find_district, load_district
from services.wiring import SERVICES, House

pytest_plugins = ["tests.servers", "tests.system.edges"]

SHARED = Path(__file__).resolve().parents[2] / "shared"
MONDAY_MORNING = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
"""Nine o'clock in Shanghai on a working day."""

settings.register_profile("ci", deadline=None, max_examples=60)
settings.load_profile("ci")


@pytest.fixture(scope="session")
def district() -> District:
    return load_district(find_district("yunan"))


@pytest.fixture(scope="session")
def rules(district: District) -> RuleBook:
    return RuleBook(district)


@pytest.fixture(autouse=True)
def _quiet_log() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))


OpenHouse = Callable[..., House]


@pytest.fixture
def open_house(tmp_path: Path, district: District) -> Iterator[OpenHouse]:
    """Opens the house in a folder of this test, configured; opened again it is the same house."""
    opened: list[House] = []

    def open_it(services: tuple[Service, ...] = SERVICES, clock: Clock | None = None, folder: str = "data") -> House:
        house = House(tmp_path / folder, clock or VirtualClock(MONDAY_MORNING), services)
        house.configure(district)
        opened.append(house)
        return house

    yield open_it
    for house in opened:
        house.close()


@pytest.fixture
def house(open_house: OpenHouse) -> House:
    return open_house()


@pytest.fixture(scope="session")
def real_reports() -> Path:
    """The folder of real messages; where it is missing, the checks of real input say that they were not run."""
    folder = SHARED / "data" / "reports"
    if not folder.is_dir():
        if os.environ.get("CI"):
            pytest.fail("expected the real messages beside the checkout, found none: CI must have them")
        pytest.skip("NOT RUN: the real messages are not here; only checks of real input need them")
    return folder
