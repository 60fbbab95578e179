"""Opening a data directory from the command line, and the settings every command shares."""

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from projections.queries import Questions
from services.runtime.clock import Clock, SystemClock, VirtualClock
from services.runtime.errors import Busy, HujiaoError
from services.simulation.service import simulation
from services.wiring import LOG, SERVICES, House

Data = Annotated[Path, Parameter(name="--data", env_var="HUJIAO_DATA", help="The data directory.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="One line of JSON instead of a table.")]
District = Annotated[
    str, Parameter(name="--district", env_var="HUJIAO_DISTRICT", help="A district's name or the folder of its files.")
]

DEFAULT_DATA = Path("data")
DEFAULT_DISTRICT = "yunan"


@contextmanager
def existing_house(data: Path) -> Iterator[House]:
    """A data directory that is there already, with the clock and the services it had, and views that are current.

    In a replay's or demo's directory the simulation goes on playing everybody else.

    Raises:
        HujiaoError: when there is none; or a file in it is not what it should be.
    """
    if not (data / LOG).is_file():
        raise HujiaoError(f"--data: expected a data directory with a {LOG}, found none at {data}")
    try:
        remembered = settings_of(data)
        real = remembered.get("clock", "system") == "system"
        clock: Clock = SystemClock() if real else VirtualClock(datetime(2000, 1, 1, tzinfo=UTC))
        house = House(data, clock, SERVICES if real else (*SERVICES, simulation(int(remembered.get("seed", 1)))))
    except sqlite3.DatabaseError as error:
        raise HujiaoError(f"--data: expected the files of a data directory, found damage: {error}") from error
    with house:
        house.settle()
        yield house


def settings_of(data: Path) -> dict[str, str]:
    """What a data directory remembers: its clock and, if it is played, its seed."""
    with contextlib.closing(sqlite3.connect(data / LOG)) as log:
        return dict(log.execute("SELECT name, value FROM settings").fetchall())


def drain(house: House) -> None:
    """Have the services react to what was just decided, unless a server is there to do it."""
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
