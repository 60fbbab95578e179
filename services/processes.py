"""The processes of a township that runs apart: what each ``hujiao run SERVICE`` puts together and how it ends.

Every service that decides embeds the same ledger over the same log; what a broker brings is remembered there. So any
process may end at any moment, or run twice, and nothing is lost or done twice.
"""

import asyncio
import contextlib
import functools
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from msgspec import Struct

from events.district import DistrictConfigured, Hotline
from projections.queries import FIGURES, Questions
from services.alerting import alert, channels_in
from services.alerts.service import NAME as ALERTS
from services.command_centre.service import SERVICE as COMMAND_CENTRE
from services.decisions import Service
from services.departments.door import Acts
from services.disclosure.service import SERVICE as DISCLOSURE
from services.intake.hotline import Reports
from services.intake.service import SERVICE as INTAKE
from services.intake.terminals import NEWS, News, Terminals
from services.messaging import topology
from services.messaging.counter import Clerk, Counter
from services.messaging.doors import Door
from services.messaging.letters import Addresses
from services.messaging.log_cursor import LogCursor
from services.messaging.queues import Queues
from services.messaging.reactor import Reactor
from services.messaging.relay import Relay, Write
from services.messaging.retry import keep
from services.messaging.watch import watch_broker, watch_store
from services.platforms.service import SERVICE as PLATFORMS
from services.provisioning.management import Management, Unreachable, check_mine
from services.rules.book import RuleBook
from services.runtime import configuration
from services.runtime.clock import SystemClock
from services.runtime.errors import Ended, HujiaoError
from services.runtime.front import Front
from services.runtime.places import Place
from services.runtime.probe import Probe
from services.runtime.pulse import Figure, Pulse
from services.runtime.threads import in_thread
from services.serving import EngineThread, Listener
from services.web.app import create_app
from services.web.window import Window
from services.wiring import APART, RUNS, House

STOP_S = 8.0
"""What is still at work so long after the word to stop is left to whoever comes next."""

VIEWS_WAIT_S = 0.5
DEFAULT_PORT = 8765
LOOPBACK = "127.0.0.1"

logger = structlog.get_logger()


class Settings(Struct, frozen=True):
    """Where everything is, from the environment; empty what a service does not need."""

    broker_url: str = ""
    management_url: str = ""
    mqtt_url: str = ""
    window_url: str = ""
    probe_port: int = 0
    probe_host: str = LOOPBACK


class Process:
    """One service as a process: a house, a pulse, and what it does until it is told to stop."""

    def __init__(self, name: str, house: House, settings: Settings) -> None:
        self.name, self.house, self.settings = name, house, settings
        self.pulse = Pulse(name)
        self.front = Front()
        self._engine: EngineThread | None = None
        self._ended = asyncio.Event()

    @property
    def source(self) -> str:
        """What our messages call their sender."""
        return f"/hujiao/{self.rules().district.code}"

    def rules(self) -> RuleBook:
        """The configuration in force, for a service that has a ledger."""
        return self.house.ledger.rules

    def broker(self) -> str:
        """Where RabbitMQ is.

        Raises:
            HujiaoError: when nobody said.
        """
        if not self.settings.broker_url:
            raise HujiaoError(f"HUJIAO_BROKER_URL: expected where RabbitMQ is, for {self.name}, found nothing")
        return self.settings.broker_url

    def mosquitto(self) -> str:
        """Where the terminals' broker is.

        Raises:
            HujiaoError: when nobody said.
        """
        if not self.settings.mqtt_url:
            raise HujiaoError(
                f"HUJIAO_MQTT_URL: expected where the terminals' broker is, for {self.name}, found nothing"
            )
        return self.settings.mqtt_url

    def check_topology(self) -> None:
        """Compare what stands at the broker with what the configuration wants of it, if we may look.

        Raises:
            HujiaoError: with everything that differs.
        """
        wanted = topology.derive(configured(self.house).district, PLATFORMS.reactions)
        nodes = self.settings.management_url.split()
        for n, url in enumerate(nodes, start=1):
            try:
                with Management(url) as management:
                    check_mine(management, wanted, f"svc.{self.name}")
            except Unreachable:
                if n == len(nodes):
                    raise
            else:
                return

    @asynccontextmanager
    async def deciding(
        self, *reacting: Service, timers: bool = False, settle: Callable[[], None] = lambda: None
    ) -> AsyncIterator[None]:
        """An engine at work meanwhile, for what comes to the front and what these services react to."""
        engine = self.house.engine_of(self.name, *reacting, feed=self.front, timers=timers)
        if reacting:
            self.behind(lambda: self.house.position(self.name))
        loop = asyncio.get_running_loop()

        def ended() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended before us
                loop.call_soon_threadsafe(self._ended.set)

        self._engine = EngineThread(
            engine,
            self.front,
            lambda: self.house.clock,
            settle,
            on_end=ended,
            on_store=lambda there: self.pulse.there("store", up=there),
        )
        listener = Listener(self.house.log, self.front.wake)
        self._engine.start()
        if reacting:  # nobody else has to know at once what others have appended
            listener.start()
        try:
            yield
        finally:
            await asyncio.to_thread(self._engine.stop)
            if reacting:
                await asyncio.to_thread(listener.stop)

    def behind(self, position: Callable[[], int]) -> None:
        """Figures of how far ``position`` is behind the log: in facts, and by the age of the first of them."""
        log, clock = self.house.log, self.house.clock

        def age_s() -> float:
            waiting = log.after(position(), 1)
            return (clock.now() - waiting[0].meta.recorded_at).total_seconds() if waiting else 0.0

        self.pulse.figure("lag", lambda: float(log.head() - position()))
        self.pulse.figure("lag_s", age_s)

    def alive(self) -> bool:
        """Whether nothing that should run has ended."""
        return self._engine is None or self._engine.is_alive()

    async def engine_ends(self) -> None:
        """Returns never, but when the engine has ended by itself.

        Raises:
            Ended: then, saying why.
        """
        await self._ended.wait()
        found = self._engine.failure if self._engine else None
        raise Ended(f"expected an engine that works, found that it ended: {found}")


Serve = Callable[[Process], Coroutine[Any, Any, None]]


async def intake(process: Process) -> None:
    """Take hotlines' reports from their queue, and tell reports their cases."""
    house = process.house
    clerk = Reports(house.desk, house.clock, process.rules, lambda senders, user: _hotline(senders.who(user)))

    def forget() -> None:
        house.desk.forget_reporters(house.ledger.recorded_at)

    async with process.deciding(INTAKE, settle=forget):
        await _door(process, topology.INTAKE, clerk).run()


async def terminals(process: Process) -> None:
    """Take terminals' reports over MQTT, and tell them how their cases go."""
    house, url = process.house, process.mosquitto()
    clerk = Reports(house.desk, house.clock, process.rules, lambda senders, user: senders.terminal(user))
    hears = Terminals(url, Counter(clerk, process.front), house.clock, process.source, process.pulse)

    def is_terminal(source: str) -> bool:
        return topology.senders_of(process.rules()).terminal(source) is not None

    async with (
        process.deciding(),
        News(url, house.log, house.vault, house.clock, process.source, is_terminal) as news,
    ):
        await together(hears.run(), _cursor(process, "news", NEWS).run(news.tell))


async def departments(process: Process) -> None:
    """Take what departments do about their calls, and open words to them."""
    house = process.house
    clerk = Acts(house.log, house.vault, house.clock, process.rules)
    async with process.deciding():
        await _door(process, topology.ACTS, clerk).run()


async def command_centre(process: Process) -> None:
    """Open cases, call platforms, review."""
    async with process.deciding(COMMAND_CENTRE):
        await for_ever()


async def disclosure(process: Process) -> None:
    """Draft notices."""
    async with process.deciding(DISCLOSURE):
        await for_ever()


async def clock(process: Process) -> None:
    """Have every timer decided when its time has come."""
    async with process.deciding(timers=True):
        await for_ever()


def platforms(town: str = "", platform: str = "") -> Serve:
    """Consume the queues of platforms: of all, or of some towns' and platforms'."""

    async def serve(process: Process) -> None:
        house = process.house
        district = process.rules().district
        queues = [
            topology.platform_queue(known.alias, wanted.code)
            for known in district.towns
            for wanted in district.platforms
            if "town" in wanted.levels and town in ("", known.alias, known.code) and platform in ("", wanted.code)
        ]
        if not queues:
            raise HujiaoError(f"expected a town and platform of the district, found {town!r} and {platform!r}")
        subscriber = ".".join(part for part in ("platforms", town, platform) if part)
        hears = Queues(
            process.broker(),
            queues,
            house.log,
            house.attempts(subscriber),
            house.clock,
            subscriber,
            house.place.lock(subscriber),
            process.pulse,
        )
        await together(hears.run(Reactor(house.ledger, PLATFORMS).handle), watch_store(house.log, process.pulse))

    return serve


async def relay(process: Process) -> None:
    """Publish every fact to the broker."""
    house = process.house

    def writer(fact: DistrictConfigured) -> Write:
        return Addresses(RuleBook(fact.district), PLATFORMS.reactions, process.settings.window_url).letters

    async with Relay(house.log, process.broker(), writer, process.pulse) as publishes:
        relays = _cursor(process, "relay").run(publishes.publish)
        await together(relays, watch_broker(process.broker(), "hujiao relay watches", process.pulse))


async def projections(process: Process) -> None:
    """Keep the views current."""
    house = process.house

    async def fold(well: Callable[[], None]) -> None:
        while True:
            await in_thread(house.views.catch_up, house.log)
            well()
            await in_thread(house.log.store.wait, VIEWS_WAIT_S)

    process.behind(lambda: min(house.views.positions().values()))
    towns = {town.code: town.alias for town in configured(house).district.towns}
    questions = Questions(house.views.database)

    def owed(what: str) -> Callable[[], Figure]:
        def ask() -> Figure:
            rows = questions.owed(house.clock.now())
            return {f"{towns.get(row['town'], row['town'])}.{row['owner']}": float(row[what]) for row in rows}

        return ask

    for what in ("owed", "overdue", "unacknowledged_s"):
        process.pulse.figure(what, owed(what))
    await keep("projections", process.pulse, fold)


def alerts(path: Path | None = None) -> Serve:
    """Alert departments over the channels of a file; without one, nobody."""

    async def serve(process: Process) -> None:
        house = process.house
        channels = channels_in(path, process.rules())
        process.behind(lambda: house.position(ALERTS))
        async with process.deciding():
            await alert(house, process.front, channels, process.pulse)

    return serve


def web(port: int, host: str = LOOPBACK) -> Serve:
    """Answer over HTTP: the console, the API, reports that come over the web."""

    async def serve(process: Process) -> None:
        window = Window(process.house, process.front, process.alive, demo=False)
        for name in FIGURES:
            process.pulse.figure(name, functools.partial(window.questions.figure, name))
        config = uvicorn.Config(create_app(window), host=host, port=port, log_level="warning")
        server = _Uvicorn(config)
        async with process.deciding():
            serving = asyncio.ensure_future(server.serve())
            try:
                await asyncio.shield(serving)
            finally:
                window.live.end()
                server.should_exit = True
                await serving

    return serve


class _Uvicorn(uvicorn.Server):
    """Leaves signals to the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None of them."""
        yield


SERVICES: Mapping[str, Serve] = {
    "intake": intake,
    "terminals": terminals,
    "departments": departments,
    "command_centre": command_centre,
    "platforms": platforms(),
    "disclosure": disclosure,
    "clock": clock,
    "relay": relay,
    "projections": projections,
    "web": web(DEFAULT_PORT),
    "alerts": alerts(),
}
"""Every service that runs apart, by its name."""

AT_THE_BROKER = ("intake", "departments", "platforms", "relay")
"""Those that check the topology before they begin."""


def configured(house: House) -> DistrictConfigured:
    """The configuration in force, as the log says.

    Raises:
        HujiaoError: when there is none yet.
    """
    facts = house.log.stream(configuration.STREAM)
    if not facts or not isinstance(latest := facts[-1].fact, DistrictConfigured):
        raise HujiaoError(
            "expected a district's configuration in the log, found none: `hujiao district load` puts it there"
        )
    return latest


async def run(name: str, where: Place, settings: Settings, serve: Serve) -> None:
    """Run one service until SIGTERM or SIGINT, and end within ten seconds; what is in hand is finished or comes again.

    Raises:
        HujiaoError: when something that it needs differs from what it expects, or is missing.
    """
    with House(where, SystemClock()) as house:
        process = Process(name, house, settings)
        process.pulse.figure("log_position", lambda: float(house.log.head()))
        process.pulse.figure("parked", lambda: float(house.parked()))
        house.remember(RUNS, APART)
        configured(house)
        if name in AT_THE_BROKER:
            await asyncio.to_thread(process.check_topology)
        probe = None
        if settings.probe_port:
            probe = Probe(settings.probe_port, process.pulse, process.alive, settings.probe_host)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for told in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(told, stop.set)
        logger.info("running", service=name)
        try:
            await until(stop, serve(process), process.engine_ends())
            logger.info("stopped", service=name)
        finally:
            if probe is not None:
                probe.close()


async def until(stop: asyncio.Event, *works: Coroutine[Any, Any, None]) -> None:
    """Do all of this at once until told to stop; it goes on for ever, or fails.

    Raises:
        Ended: when one of it ended by itself; or whatever made it fail.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    stopped = asyncio.ensure_future(stop.wait())
    try:
        done, _ = await asyncio.wait((*tasks, stopped), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (*tasks, stopped):
            task.cancel()
        await asyncio.wait((*tasks, stopped), timeout=STOP_S)
    for task in tasks:
        if task in done:
            task.result()
            raise Ended("expected work that goes on until it is told to stop, found that it ended by itself")


async def together(*works: Coroutine[Any, Any, None]) -> None:
    """Do all of this at once until cancelled or one of it fails; raises what made it fail."""
    await until(asyncio.Event(), *works)


async def for_ever() -> None:
    """Never returns: what there is to do is done elsewhere until this is cancelled."""
    await asyncio.Event().wait()


def _door(process: Process, queue: str, clerk: Clerk) -> Door:
    counter = Counter(clerk, process.front)
    return Door(process.broker(), queue, counter, process.house.clock, process.source, process.pulse)


def _cursor(process: Process, subscriber: str, names: Sequence[str] | Mapping[str, Any] = ()) -> LogCursor:
    house = process.house
    lock = house.place.lock(subscriber)
    attempts = house.attempts(subscriber)
    process.behind(lambda: house.position(subscriber))
    return LogCursor(house.log, attempts, house.clock, subscriber, lock, tuple(names), process.pulse)


def _hotline(known: object) -> Hotline | None:
    return known if isinstance(known, Hotline) else None
