"""What all tests share: the sample district, a house in a temporary folder, and the real input if it is at hand."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import structlog
from hypothesis import settings

from deploy.servers import PostgresServer
from events.district import District
from services.decisions import Service
from services.rules.book import RuleBook
from services.runtime.clock import Clock, VirtualClock
from services.runtime.district import find_district, load_district
from services.runtime.places import Folder, Place, Server
from services.wiring import SERVICES, House

pytest_plugins = ["tests.servers", "tests.system.commands", "tests.system.edges"]

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
Places = Callable[[str], Place]
SQLITE, POSTGRESQL = "sqlite", "postgresql"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "every_store: run on SQLite and on PostgreSQL")
    config.addinivalue_line("markers", "files: about files, whatever the others of the module are about")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marked = metafunc.definition.get_closest_marker
    if "place" in metafunc.fixturenames and marked("every_store") and not marked("files"):
        metafunc.parametrize("place", [SQLITE, POSTGRESQL], indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Places]:
    """Where things of this test stand, by a name: in folders; or in databases, when the test is run on PostgreSQL."""
    if getattr(request, "param", SQLITE) == SQLITE:
        yield lambda name: Folder(tmp_path / name)
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    postgres.start()  # an earlier test may have stopped it
    known: dict[str, str] = {}

    def named(name: str) -> Place:
        if name not in known:
            known[name] = f"test_{uuid4().hex}"
            postgres.create_database(known[name], icu_locale="zh")
        return Server(postgres.url(database=known[name]))

    yield named
    postgres.start()
    for database in known.values():
        postgres.drop_database(database)


@pytest.fixture
def open_house(place: Places, district: District) -> Iterator[OpenHouse]:
    """Opens the house in a place of this test, configured; opened again it is the same house."""
    opened: list[House] = []

    def open_it(services: tuple[Service, ...] = SERVICES, clock: Clock | None = None, name: str = "data") -> House:
        house = House(place(name), clock or VirtualClock(MONDAY_MORNING), services)
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
