"""Which channels there are and whom each alerts: `alerts.toml`, read strictly. It holds secrets and stays private."""

import base64
import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from events.call import ChannelName
from events.patterns import END
from services.rules.book import RuleBook
from services.runtime.errors import HujiaoError

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Mailbox = Annotated[str, Meta(pattern=rf"^[^\s@<>,;:\"]+@[^\s@<>,;:\"]+{END}", max_length=254)]
PortNumber = Annotated[int, Meta(ge=1, le=65535)]

SHORTEST_KEY, LONGEST_KEY = 24, 64
"""Bytes of a webhook's secret. Source: Standard Webhooks 1.0.0."""

_PREFIX = "whsec_"
_HOST = re.compile(r"[A-Za-z0-9.:-]+")


class BadChannels(HujiaoError):
    """A file of channels that cannot be used; every fault names what was expected and what was found."""

    def __init__(self, path: Path, faults: list[str]) -> None:
        super().__init__(f"{len(faults)} faults in {path.name}:\n" + "\n".join(f"  {fault}" for fault in faults))


class _Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file. Unknown keys are faults."""


class WebhookChannel(_Part, frozen=True, tag_field="kind", tag="webhook"):
    """An HTTP endpoint that checks signatures made with ``secret``, ``whsec_`` and base64."""

    name: ChannelName
    url: str
    secret: str

    def key(self) -> bytes:
        """The secret's bytes.

        Raises:
            ValueError: saying what was expected, without the secret.
        """
        if not self.secret.startswith(_PREFIX):
            raise ValueError(f"expected {_PREFIX} and base64, found something else")
        try:
            key = base64.b64decode(self.secret.removeprefix(_PREFIX), validate=True)
        except ValueError as error:
            raise ValueError(f"expected base64 after {_PREFIX}, found something else") from error
        if not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
            raise ValueError(f"expected {SHORTEST_KEY} to {LONGEST_KEY} bytes in base64, found {len(key)}")
        return key


class MailChannel(_Part, frozen=True, tag_field="kind", tag="mail", rename={"sender": "from"}):
    """A mailbox, and the mail server that takes what is for it. Passwords are sent over TLS alone."""

    name: ChannelName
    to: Mailbox
    sender: Mailbox
    smtp: str
    port: PortNumber = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: str = ""


Channel = WebhookChannel | MailChannel


class Route(_Part, frozen=True):
    """Whom ``channels`` alert, in this order; what is left out may be any.

    A route ``about`` secondments is for those who look after the town's people: it names no department or platform.
    """

    channels: Annotated[tuple[ChannelName, ...], Meta(min_length=1)]
    about: Literal["calls", "secondments"] = "calls"
    town: Text | None = None
    department: Text | None = None
    platform: Text | None = None

    @property
    def key(self) -> tuple[str, str | None, str | None, str | None]:
        """What tells it from the others, the most exact first."""
        return self.about, self.department, self.town, self.platform


class Channels(_Part, frozen=True):
    """The whole file. ``console_url`` is where links to cases lead."""

    console_url: str
    channel: tuple[Channel, ...] = ()
    route: tuple[Route, ...] = ()

    def of(self, town: str, alias: str, platform: str, department: str) -> tuple[str, ...]:
        """The channels of a department's part of a call; none where no route fits.

        Of the routes that fit, one that names the department is the most exact, then one that names the town.
        """
        return self._best(
            route
            for route in self.route
            if route.about == "calls"
            and route.town in (None, town, alias)
            and route.platform in (None, platform)
            and route.department in (None, department)
        )

    def of_secondments(self, town: str, alias: str) -> tuple[str, ...]:
        """The channels over which it is told that somebody of a town is overdue; none where no route is about it."""
        return self._best(
            route for route in self.route if route.about == "secondments" and route.town in (None, town, alias)
        )

    @staticmethod
    def _best(fitting: Iterable[Route]) -> tuple[str, ...]:
        best = max(fitting, key=lambda route: tuple(part is not None for part in route.key), default=None)
        return best.channels if best else ()


NOBODY = Channels(console_url="")
"""Nobody is alerted."""


def read_channels(path: Path) -> Channels:
    """The channels and routes in a file.

    Raises:
        BadChannels: with every fault, and with no secret in it.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadChannels(path, [f"expected a file of channels and routes, found: {error.strerror}"]) from error
    except ValueError as error:
        raise BadChannels(path, [f"expected TOML in UTF-8, found: {error}"]) from error
    try:
        channels = msgspec.convert(content, Channels)
    except msgspec.ValidationError as error:
        raise BadChannels(path, [f"{error}"]) from error
    faults = list(_check(channels))
    if faults:
        raise BadChannels(path, faults)
    return channels


def check_against(path: Path, channels: Channels, rules: RuleBook) -> None:
    """Compare the routes with the district.

    Raises:
        BadChannels: with every town, platform and department that the district does not have.
    """
    known = {
        "town": {name for town in rules.district.units for name in (town.code, town.alias)},
        "platform": set(rules.platforms),
        "department": set(rules.departments),
    }
    faults = [
        f"route {n}: {part}: expected one of the district, found {found!r}"
        for n, route in enumerate(channels.route, start=1)
        for part, names in known.items()
        if (found := getattr(route, part)) is not None and found not in names
    ]
    if faults:
        raise BadChannels(path, faults)


def _check(channels: Channels) -> Iterable[str]:
    if not _is_http(channels.console_url):
        yield f"console_url: expected http://… or https://…, found {channels.console_url!r}"
    names = Counter(channel.name for channel in channels.channel)
    for name, times in names.items():
        if times > 1:
            yield f"channel {name}: expected once, found {times} times"
    for channel in channels.channel:
        for fault in _check_channel(channel):
            yield f"channel {channel.name}: {fault}"
    for n, route in enumerate(channels.route, start=1):
        for name in route.channels:
            if name not in names:
                yield f"route {n}: channels: expected one of {', '.join(names) or 'none'}, found {name!r}"
        if route.about == "secondments" and (route.department or route.platform):
            yield f"route {n}: about: expected calls where there is a department or platform, found secondments"
    for (about, *key), times in Counter(route.key for route in channels.route).items():
        if times > 1:
            parts = zip(("department", "town", "platform"), key, strict=True)
            named = ", ".join(f"{part} {value}" for part, value in parts if value is not None)
            named = named or ("everybody" if about == "calls" else about)
            yield f"route of {named}: expected once, found {times} times"


def _check_channel(channel: Channel) -> Iterable[str]:
    match channel:
        case WebhookChannel():
            if not _is_http(channel.url):
                yield "url: expected http://… or https://… with a host, found something else"
            try:
                channel.key()
            except ValueError as error:
                yield f"secret: {error}"
        case MailChannel():
            if not _HOST.fullmatch(channel.smtp):
                yield f"smtp: expected the name or address of a mail server, found {channel.smtp!r}"
            if bool(channel.user) != bool(channel.password):
                yield "password: expected one exactly where there is a user, found something else"
            if channel.password and channel.security == "none":
                yield "security: expected starttls or tls where there is a password, found none"


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
