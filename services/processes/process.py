"""One service as a process: what all of them share, and how ``hujiao run SERVICE`` begins and ends.

Every service that decides embeds the same ledger over the same log; what a broker brings is remembered there. So any
process may end at any moment, or run twice, and nothing is lost or done twice.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import structlog
from msgspec import Struct

from events.district import DistrictConfigured
from services.decisions import Service
from services.messaging import topology
from services.platforms.service import SERVICE as PLATFORMS
from services.provisioning.management import Management, Unreachable, check_mine
from services.rules.book import RuleBook
from services.runtime import configuration
from services.runtime.clock import SystemClock
from services.runtime.errors import Ended, HujiaoError
from services.runtime.front import Front
from services.runtime.places import Place
from services.runtime.probe import Probe
from services.runtime.pulse import Pulse
from services.serving import EngineThread, Listener
from services.wiring import APART, RUNS, House

STOP_S = 8.0
"""What is still at work so long after the word to stop is left to whoever comes next."""

DEFAULT_PORT = 8765
LOOPBACK = "127.0.0.1"

logger = structlog.get_logger()


class Settings(Struct, frozen=True):
    """Where everything is and which share of the work is this process's; empty what a service does not need."""

    broker_url: str = ""
    management_url: str = ""
    mqtt_url: str = ""
    window_url: str = ""
    probe_port: int = 0
    probe_host: str = LOOPBACK
    town: str = ""
    platform: str = ""
    host: str = LOOPBACK
    port: int = DEFAULT_PORT
    alerts: Path | None = None


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


SERVICES: Mapping[str, str] = {
    "intake": "brokers",
    "terminals": "brokers",
    "departments": "brokers",
    "command_centre": "store",
    "platforms": "brokers",
    "disclosure": "store",
    "clock": "store",
    "relay": "brokers",
    "projections": "store",
    "web": "web",
    "alerts": "store",
}
"""Every service that runs apart, by its name, with the file here that holds it: nobody imports the others."""

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


async def run(name: str, where: Place, settings: Settings) -> None:
    """Run one service until SIGTERM or SIGINT, and end within ten seconds; what is in hand is finished or comes again.

    Raises:
        HujiaoError: when something that it needs differs from what it expects, or is missing.
    """
    serve: Serve = getattr(import_module(f"services.processes.{SERVICES[name]}"), name)
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
