"""The alerts of one house, put together: channels, notifiers, a place in the log, and a thread if one is wanted."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import httpx
import structlog

from services.alerts.channels import (
    NOBODY,
    Channel,
    Channels,
    MailChannel,
    WebhookChannel,
    check_against,
    read_channels,
)
from services.alerts.mail import Mail, Server
from services.alerts.notifier import Notifier
from services.alerts.service import HEARS, NAME, Alerts, begin_now
from services.alerts.webhook import Webhook
from services.messaging.log_cursor import LogCursor
from services.rules.book import RuleBook
from services.runtime.clock import Clock
from services.runtime.front import Front
from services.runtime.pulse import Pulse
from services.runtime.threads import in_thread
from services.wiring import House

AGAIN_S = 5.0

logger = structlog.get_logger()


def channels_in(path: Path | None, rules: RuleBook) -> Channels:
    """The channels of a file; without one nobody is alerted.

    Raises:
        BadChannels: when the file cannot be used, or not in this district.
    """
    if path is None:
        return NOBODY
    channels = read_channels(path)
    check_against(path, channels, rules)
    return channels


async def alert(house: House, front: Front, channels: Channels, pulse: Pulse | None = None) -> None:
    """Alert whoever is called in a house from now on, until cancelled; what is noted of it goes to the front."""
    await in_thread(begin_now, house.log)
    async with httpx.AsyncClient() as client:
        attempts = house.attempts(NAME)
        notifiers = notifiers_of(channels, client, house.clock)
        alerts = Alerts(house.log, attempts, channels, notifiers, lambda: house.ledger.rules, front.submit, pulse)
        with closing(house.place.lock(NAME)) as lock:
            await alerts.run(
                LogCursor(house.log, attempts, house.clock, NAME, lock, HEARS, pulse, settled=alerts.settled)
            )


def notifiers_of(channels: Channels, client: httpx.AsyncClient, clock: Clock) -> Mapping[str, Notifier]:
    """A notifier for each channel, by its name."""

    def notifier(channel: Channel) -> Notifier:
        match channel:
            case WebhookChannel():
                return Webhook(channel.url, channel.key(), client, clock)
            case MailChannel():
                server = Server(
                    host=channel.smtp,
                    port=channel.port,
                    security=channel.security,
                    user=channel.user,
                    password=channel.password,
                )
                return Mail(server, channel.sender, channel.to)

    return {channel.name: notifier(channel) for channel in channels.channel}


class AlertsThread(Thread):
    """Alerts in a thread of their own, begun again whenever they end by themselves: a township goes on without them.

    Who is called once this is made is alerted.
    """

    def __init__(self, house: House, front: Front, channels: Channels) -> None:
        super().__init__(name=NAME, daemon=True)
        begin_now(house.log)
        self._house, self._front, self._channels = house, front, channels
        self._stopping = Event()
        self._cancel: Callable[[], object] = lambda: None

    def run(self) -> None:
        """Alert until `stop`."""
        while not self._stopping.is_set():
            try:
                asyncio.run(self._until_cancelled())
            except Exception:
                logger.exception("alerts_ended")
                self._stopping.wait(AGAIN_S)

    async def _until_cancelled(self) -> None:
        loop = asyncio.get_running_loop()
        working = asyncio.ensure_future(alert(self._house, self._front, self._channels))
        self._cancel = lambda: loop.call_soon_threadsafe(working.cancel)
        if self._stopping.is_set():
            working.cancel()
        with suppress(asyncio.CancelledError):
            await working

    def stop(self) -> None:
        """End; what is under way is sent again after the next start."""
        self._stopping.set()
        with suppress(RuntimeError):  # the loop has ended by itself
            self._cancel()
        self.join(timedelta(seconds=10).total_seconds())
