"""The services that speak with a broker."""

from collections.abc import Mapping, Sequence
from typing import Any

from events.district import DistrictConfigured, Hotline
from services.departments.door import Acts
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
from services.messaging.watch import watch_broker, watch_store
from services.platforms.service import SERVICE as PLATFORMS
from services.processes.process import Process, together
from services.rules.book import RuleBook
from services.runtime.errors import HujiaoError


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


async def platforms(process: Process) -> None:
    """Consume the queues of platforms: of all, or of some towns' and platforms'."""
    house, town, platform = process.house, process.settings.town, process.settings.platform
    district = process.rules().district
    queues = [
        topology.platform_queue(known.alias, wanted.code)
        for known, wanted in topology.local_platforms(district)
        if town in ("", known.alias, known.code) and platform in ("", wanted.code)
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


async def relay(process: Process) -> None:
    """Publish every fact to the broker."""
    house = process.house

    def writer(fact: DistrictConfigured) -> Write:
        return Addresses(RuleBook(fact.district), PLATFORMS.reactions, process.settings.window_url).letters

    async with Relay(house.log, process.broker(), writer, process.pulse) as publishes:
        relays = _cursor(process, "relay").run(publishes.publish)
        await together(relays, watch_broker(process.broker(), "hujiao relay watches", process.pulse))


def _door(process: Process, queue: str, clerk: Clerk) -> Door:
    counter = Counter(clerk, process.front)
    return Door(process.broker(), queue, counter, process.house.clock, process.source, process.pulse)


def _hotline(known: object) -> Hotline | None:
    return known if isinstance(known, Hotline) else None


def _cursor(process: Process, subscriber: str, names: Sequence[str] | Mapping[str, Any] = ()) -> LogCursor:
    house = process.house
    lock = house.place.lock(subscriber)
    attempts = house.attempts(subscriber)
    process.behind(lambda: house.position(subscriber))
    return LogCursor(house.log, attempts, house.clock, subscriber, lock, tuple(names), process.pulse)
