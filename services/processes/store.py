"""The services that need nothing but the store."""

from collections.abc import Callable

from projections.queries import Questions
from services.alerting import alert, channels_in
from services.alerts.service import NAME as ALERTS
from services.command_centre.service import SERVICE as COMMAND_CENTRE
from services.disclosure.service import SERVICE as DISCLOSURE
from services.messaging.retry import keep
from services.people.service import SERVICE as PEOPLE
from services.processes.process import Process, configured, for_ever
from services.runtime.pulse import Figure
from services.runtime.threads import in_thread

VIEWS_WAIT_S = 0.5


async def command_centre(process: Process) -> None:
    """Open cases, call platforms, review; keep the rosters of those who can be sent."""
    async with process.deciding(COMMAND_CENTRE, PEOPLE):
        await for_ever()


async def disclosure(process: Process) -> None:
    """Draft notices."""
    async with process.deciding(DISCLOSURE):
        await for_ever()


async def clock(process: Process) -> None:
    """Have every timer decided when its time has come."""
    async with process.deciding(timers=True):
        await for_ever()


async def projections(process: Process) -> None:
    """Keep the views current."""
    house = process.house

    async def fold(well: Callable[[], None]) -> None:
        while True:
            await in_thread(house.views.catch_up, house.log)
            well()
            await in_thread(house.log.store.wait, VIEWS_WAIT_S)

    process.behind(lambda: min(house.views.positions().values()))
    towns = {town.code: town.alias for town in configured(house).district.units}
    questions = Questions(house.views.database)

    def owed(what: str) -> Callable[[], Figure]:
        def ask() -> Figure:
            rows = questions.owed(house.clock.now())
            return {f"{towns.get(row['town'], row['town'])}.{row['owner']}": float(row[what]) for row in rows}

        return ask

    for what in ("owed", "overdue", "unacknowledged_s"):
        process.pulse.figure(what, owed(what))
    await keep("projections", process.pulse, fold)


async def alerts(process: Process) -> None:
    """Alert departments over the channels of a file; without one, nobody."""
    house = process.house
    channels = channels_in(process.settings.alerts, process.rules())
    process.behind(lambda: house.position(ALERTS))
    async with process.deciding():
        await alert(house, process.front, channels, process.pulse)
