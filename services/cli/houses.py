"""Opening a data directory from the command line, and the settings every command shares."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from cyclopts import Parameter

from events.envelope import Request
from projections.queries import Questions
from services.people.user import User
from services.runtime.clock import SystemClock, VirtualClock
from services.runtime.errors import Busy, HujiaoError
from services.runtime.places import Place, place
from services.simulation.service import simulation
from services.wiring import APART, RUNS, SERVICES, House

Data = Annotated[
    str,
    Parameter(
        name="--data",
        env_var=["HUJIAO_STORE_URL", "HUJIAO_DATA"],
        help="The data directory, or the URL of a PostgreSQL database.",
    ),
]
Json = Annotated[bool, Parameter(name="--json", negative="", help="One line of JSON instead of a table.")]
District = Annotated[
    str, Parameter(name="--district", env_var="HUJIAO_DISTRICT", help="A district's name or the folder of its files.")
]
AlertsFile = Annotated[
    Path | None,
    Parameter(
        name="--alerts", env_var="HUJIAO_ALERTS", help="The file of channels over which departments are alerted."
    ),
]

Asked = TypeVar("Asked", bound=Request)

DEFAULT_DATA = "data"
DEFAULT_DISTRICT = "yunan"


@contextmanager
def existing_house(data: str) -> Iterator[House]:
    """A data directory that is there already, with the clock and the services it had, and views that are current.

    In a replay's or demo's directory the simulation goes on playing everybody else.

    Raises:
        HujiaoError: when there is none; or a file in it is not what it should be.
    """
    where = existing_place(data)
    try:
        house = House(where, SystemClock())
        if house.setting("clock") not in (None, "system"):
            seed = int(house.setting("seed") or 1)
            house.close()
            house = House(where, VirtualClock(datetime(2000, 1, 1, tzinfo=UTC)), (*SERVICES, simulation(seed)))
        with house:
            house.settle()
            yield house
    except sqlite3.DatabaseError as error:
        raise HujiaoError(f"--data: expected the files of a data directory, found damage: {error}") from error


def place_of(data: str) -> Place:
    """Where ``--data`` says; views and vault of a database may be reached as other users than its log."""
    return place(data, os.environ.get("HUJIAO_VIEWS_URL", ""), os.environ.get("HUJIAO_VAULT_URL", ""))


def existing_place(data: str) -> Place:
    """The same, if a log is there.

    Raises:
        HujiaoError: when there is none.
    """
    where = place_of(data)
    if not where.exists():
        raise HujiaoError(f"--data: expected a data directory or database with a log, found none at {where.name}")
    return where


def checked(house: House, request: Asked) -> Asked:
    """A request made from arguments, with every field as it may be.

    Raises:
        HujiaoError: naming the field, what was expected and what was found.
    """
    catalog = house.log.catalog
    try:
        catalog.decode_request(catalog.encode_request(request))
    except (msgspec.ValidationError, UnicodeError, OverflowError) as error:
        raise HujiaoError(f"expected what a request may say, found something else: {error}") from error
    return request


def known_user(house: House, name: str) -> User:
    """The user of this name.

    Raises:
        HujiaoError: when there is none, or one who is disabled.
    """
    found = house.user(name)
    if found is None or found.disabled:
        raise HujiaoError(f"user: expected one who is enabled, found {name!r}, {'disabled' if found else 'unknown'}")
    return found


def town_code(house: House, name: str) -> str:
    """The code of the town of this name, alias or code; the district itself is one more.

    Raises:
        HujiaoError: when there is none.
    """
    known = house.ledger.rules.unit_by_name
    if name not in known:
        raise HujiaoError(f"town: expected one of {', '.join(sorted(known))}, found {name!r}")
    return known[name].code


def drain(house: House) -> None:
    """Have the services react to what was just decided, unless others are there to do it."""
    if house.setting(RUNS) == APART:
        return
    with contextlib.suppress(Busy):
        house.lock()
        house.engine().run(until=max(house.clock.now(), house.ledger.recorded_at))
    house.settle()


def find_case(house: House, reference: str) -> str:
    """The one case that a receipt, an id or the beginning of an id means.

    Raises:
        HujiaoError: when it is none or several.
    """
    found = Questions(house.views.database).find_case(reference)
    if len(found) == 1:
        return found[0]
    if not found:
        raise HujiaoError(f"case: expected a receipt, a case's id or its beginning, found nothing for {reference!r}")
    listed = ", ".join(found[:5])
    raise HujiaoError(f"case: expected one case, found {len(found)} that begin with {reference!r}: {listed}")
