"""`up` and `demo`: every service in one process, with the console in the browser."""

import signal
from datetime import UTC, datetime, time, timedelta
from typing import Annotated

import uvicorn
from cyclopts import Parameter
from cyclopts.validators import Number

from projections.queries import Questions
from services.alerting import AlertsThread, channels_in
from services.alerts.channels import NOBODY, Channels
from services.cli.houses import DEFAULT_DATA, DEFAULT_DISTRICT, AlertsFile, Data, District, place_of
from services.cli.screen import Exit, out, progress
from services.rules.book import RuleBook
from services.rules.calendar import SHANGHAI
from services.runtime.clock import ScaledClock, SystemClock, VirtualClock
from services.runtime.district import find_district, load_district
from services.runtime.engine import Feed
from services.runtime.errors import HujiaoError
from services.runtime.front import Front
from services.runtime.places import Folder, Place
from services.serving import EngineThread
from services.simulation.people import Dice
from services.simulation.residents import SOURCE, Residents, invented_reports
from services.simulation.service import simulation
from services.web.app import create_app
from services.web.window import Window
from services.wiring import SERVICES, House

Port = Annotated[
    int,
    Parameter(name="--port", env_var="HUJIAO_PORT", validator=Number(gte=1, lte=65535), help="The port on 127.0.0.1."),
]

DEFAULT_PORT = 8765
BETWEEN_REPORTS = timedelta(minutes=15)
BETWEEN_REPORTS_LIVE = timedelta(minutes=4)
DEMO_SPEED = 60.0


def up(
    *,
    data: Data = DEFAULT_DATA,
    district: District = DEFAULT_DISTRICT,
    port: Port = DEFAULT_PORT,
    alerts: AlertsFile = None,
) -> Exit:
    """Serve a real township: every service in one process on SQLite, nothing simulated.

    The console is at http://127.0.0.1:8765, its API at /schema/openapi.json.
    End it with Ctrl-C; what was committed stays.
    """
    loaded = load_district(find_district(district))
    channels = channels_in(alerts, RuleBook(loaded))
    with House(place_of(data), SystemClock()) as house:
        house.lock()
        house.remember("clock", "system")
        house.configure(loaded)
        out.print(f"Serving {house.ledger.rules.district.zh} from {house.place.name}.")
        return _serve(house, Front(), None, port, demo=False, channels=channels)


def demo(
    *,
    data: Data = f"{DEFAULT_DATA}/demo",
    district: District = DEFAULT_DISTRICT,
    port: Port = DEFAULT_PORT,
    speed: float = DEMO_SPEED,
    seed: int = 1,
    days: int = 4,
    fresh: bool = False,
) -> Exit:
    """Watch a district at work: invented residents, departments and reviewers on a clock that runs fast.

    Parameters
    ----------
    speed
        How many seconds of the demo pass in one of yours; the console can change it.
    seed
        Another seed tells another story.
    days
        How much has already happened when you come in.
    fresh
        Forget an earlier demo in the same directory and begin again.
    """
    where = place_of(data)
    if fresh and where.exists():
        _forget(where)
    rules = RuleBook(load_district(find_district(district)))
    virtual = VirtualClock(_working_morning(rules, datetime.now(UTC)) - timedelta(days=days))
    services = (*SERVICES, simulation(seed))
    with House(where, virtual, services) as house:
        house.lock()
        house.remember("clock", "scaled")
        house.remember("seed", str(seed))
        begun = house.ledger.configured
        house.configure(rules.district)
        start = max(virtual.now(), house.ledger.recorded_at)
        front = Front()
        house.settle()
        if not begun:
            start = _live_through(house, _residents(house, seed, start, BETWEEN_REPORTS), start + timedelta(days=days))
        feed = _residents(house, seed, start, BETWEEN_REPORTS_LIVE, front)
        house.use_clock(ScaledClock(start, speed))
        out.print(f"[bold]演示 DEMO[/bold]: invented reports, a sample configuration, a clock at {speed:g}×.")
        return _serve(house, front, feed, port, demo=True)


def _forget(where: Place) -> None:
    """Remove the files of an earlier demo, and of nothing but a demo."""
    with House(where, SystemClock()) as house:
        house.lock()
        if house.setting("clock") != "scaled" or not isinstance(where, Folder):
            raise HujiaoError(f"--fresh: expected the directory of a demo, found another township's at {where.name}")
        where.forget()


def _residents(house: House, seed: int, start: datetime, gap: timedelta, others: Feed | None = None) -> Residents:
    """The demo's residents, who go on where they were."""
    sql = f"SELECT count(*), max(reported_at) FROM reports WHERE source = '{SOURCE}'"
    (known, newest), *_ = Questions(house.views.database).sql(sql)[1]
    after = datetime.fromisoformat(newest) if newest else start
    lines = invented_reports(Dice(seed), house.ledger.rules, after, gap, first=known)
    return Residents(lines, house.desk, house.ledger.rules, others)


def _live_through(house: House, feed: Feed, until: datetime) -> datetime:
    """Play the days before the demo begins, so that there is something to see."""
    engine = house.engine(feed)
    began = house.clock.now()
    minutes = int((until - began).total_seconds() / 60)
    with progress("Playing the days before", minutes) as update:
        engine.run(
            until=until,
            after_commit=lambda: update(int((house.ledger.recorded_at - began).total_seconds() / 60)),
        )
    house.settle()
    return until


def _serve(
    house: House, front: Front, feed: Feed | None, port: int, *, demo: bool, channels: Channels = NOBODY
) -> Exit:
    engine: EngineThread | None = None
    window = Window(house, front, lambda: engine is not None and engine.is_alive(), demo)
    app = create_app(window)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))

    def end() -> None:
        window.live.end()
        server.should_exit = True

    for told in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told, lambda *_: end())  # uvicorn ends on them by itself, and then raises them once more
    playing = house.engine(feed or front, skip=window.seats.plays)
    engine = EngineThread(playing, front, lambda: house.clock, house.settle, end)
    alerting = AlertsThread(house, front, channels) if channels.channel else None
    engine.start()
    if alerting is not None:
        alerting.start()
    out.print(f"Look at [bold cyan]http://127.0.0.1:{port}[/bold cyan] and /schema/openapi.json. Ctrl-C ends it.")
    try:
        server.run()
    finally:
        if alerting is not None:
            alerting.stop()
        engine.stop()
    return Exit.FAILED if engine.failure else Exit.DONE


def _working_morning(rules: RuleBook, now: datetime) -> datetime:
    """Half past eight on the last working day up to now: nobody wants to watch an empty office."""
    day = now.astimezone(SHANGHAI).date()
    while not rules.calendar.counts(day):
        day -= timedelta(days=1)
    opens = rules.district.calendar.hours[0][0]
    return datetime.combine(day, time(opens.hour, opens.minute), SHANGHAI).astimezone(UTC)
