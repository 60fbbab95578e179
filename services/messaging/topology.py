"""The topology at the brokers: every name that stands there, and all that a district wants there. Pure.

Who publishes is proved by where it was published: each outside user writes to an exchange of its own and nowhere else.
Limits stand in policies alone, so that they can be changed while everything runs.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct

from events.district import Department, District, Hotline, Platform, Terminal, Town
from events.envelope import kind_of
from events.report import Channel
from services.rules.book import RuleBook

VHOST = "hujiao"
ALL = "all"
"""In a routing key: of no platform, or of no department in particular."""

FACTS, UNROUTED, DEAD, REPLIES = "facts", "unrouted", "dead", "replies"
INTAKE, ACTS = "intake", "acts"

SVC_INTAKE, SVC_DEPARTMENTS, SVC_RELAY, SVC_PLATFORMS = "svc.intake", "svc.departments", "svc.relay", "svc.platforms"
SVC_TERMINALS = "svc.terminals"
"""The service that hears the terminals; a user of Mosquitto, the others are RabbitMQ's."""

REPORTS = "report/#"
"""Every terminal's reports."""

_DOOR, _REPLIES = "from.", "replies."
_NOTHING = "^$"
_MANAGEMENT = "management"
_LOOKS = 1_000_000
"""A delivery limit for queues that only people look into, because 4.x drops what was looked at 20 times."""


def door(user: str) -> str:
    """The one exchange that an outside user writes to. Whatever comes through it is from that user."""
    return f"{_DOOR}{user}"


def user_at(exchange: str) -> str | None:
    """The outside user whose door this exchange is."""
    return exchange.removeprefix(_DOOR) if exchange.startswith(_DOOR) else None


def exactly(name: str) -> str:
    """The pattern of a permission for this one name."""
    return "^" + name.replace(".", r"\.") + "$"


def platform_queue(town: str, platform: str) -> str:
    """The queue of a platform in the town (or district) with this alias, such as ``platform.LD.P4``."""
    return f"platform.{town}.{platform}"


def department_queue(town: str, department: str) -> str:
    """The queue of a department in the town with this alias, such as ``department.LD.D07``."""
    return f"department.{town}.{department}"


def replies_queue(hotline: str) -> str:
    """The queue in which a hotline finds the answers to what it published."""
    return f"{_REPLIES}{hotline}"


def department_user(town: str, department: str) -> str:
    """The user of a department in the town with this alias, such as ``dept.ld.d07``."""
    return f"dept.{town}.{department}".lower()


def fact_key(town: str, platform: str | None, department: str | None, wire_name: str) -> str:
    """The routing key of a fact: ``<town>.<platform|all>.<department|all>.<stream kind>.<fact>``, no version.

    ``town`` is the alias; a platform or department of ``None`` or ``""`` is ``all``.
    """
    return f"{town}.{platform or ALL}.{department or ALL}.{wire_name.rsplit('.', 1)[0]}"


def report_topic(town: str, channel: Channel, terminal: str) -> str:
    """Where a terminal publishes its reports. Its name is in the topic, because MQTT tells nobody who published."""
    return f"report/{town}/{channel}/{terminal}"


def read_report_topic(topic: str) -> tuple[str, str, str] | None:
    """The town's alias, channel and terminal in a topic of `report_topic`; the broker's access list proves them."""
    match topic.split("/"):
        case ["report", town, channel, terminal]:
            return town, channel, terminal
        case _:
            return None


def receipt_topic(terminal: str) -> str:
    """Where a terminal hears what became of what it published."""
    return f"receipt/{terminal}"


def news_topic(terminal: str) -> str:
    """Where a terminal hears of the cases that it reported."""
    return f"news/{terminal}"


class LocalDepartment(Struct, frozen=True):
    """A department as it is there in one town; a bureau, as it is at the district."""

    town: Town
    department: Department

    @property
    def user(self) -> str:
        """Its user at the broker, which is also the source of what it asks for."""
        return department_user(self.town.alias, self.department.code)

    @property
    def queue(self) -> str:
        """Where it hears of its parts of calls, and is answered."""
        return department_queue(self.town.alias, self.department.code)


def local_departments(district: District) -> Iterator[LocalDepartment]:
    """Every department in every town that has it, external units too; and the bureaus at the district."""
    for unit in district.units:
        for department in district.departments:
            if district.has(department, unit.code):
                yield LocalDepartment(unit, department)


def local_platforms(district: District) -> Iterator[tuple[Town, Platform]]:
    """Every platform in every town and at the district, at whichever of these levels it stands."""
    for unit in district.units:
        level = "district" if unit == district.seat else "town"
        for platform in district.platforms:
            if level in platform.levels:
                yield unit, platform


class Senders:
    """Who an outside user is, for the edges; built once per configuration."""

    def __init__(self, district: District) -> None:
        self._known: dict[str, Hotline | LocalDepartment] = {hotline.name: hotline for hotline in district.hotlines}
        self._known |= {local.user: local for local in local_departments(district)}
        self._terminals = {terminal.name: terminal for terminal in district.terminals}

    def who(self, user: str) -> Hotline | LocalDepartment | None:
        """The hotline or department behind a user of RabbitMQ; None for one that this configuration does not know."""
        return self._known.get(user)

    def terminal(self, name: str) -> Terminal | None:
        """The terminal behind a user of Mosquitto."""
        return self._terminals.get(name)


@lru_cache(maxsize=4)
def senders_of(rules: RuleBook) -> Senders:
    """The outside users of a configuration."""
    return Senders(rules.district)


class Exchange(Struct, frozen=True):
    """交换机."""

    name: str
    type: str
    durable: bool = True
    auto_delete: bool = False
    internal: bool = False
    arguments: Mapping[str, Any] = {}


class Queue(Struct, frozen=True):
    """队列: always durable and replicated. Its arguments can never be changed, so no limit is one of them."""

    name: str
    arguments: Mapping[str, Any]
    durable: bool = True
    auto_delete: bool = False


class Binding(Struct, frozen=True):
    """绑定: what the exchange ``source`` is given under ``key`` goes to ``destination`` too."""

    source: str
    destination: str
    key: str = ""
    to: str = "queue"
    arguments: Mapping[str, Any] = {}


class Policy(Struct, frozen=True):
    """策略: the limits of all queues whose name fits ``pattern``."""

    name: str
    pattern: str
    definition: Mapping[str, Any]
    apply_to: str = "queues"
    priority: int = 0


class User(Struct, frozen=True):
    """A user of RabbitMQ; its password is derived and never part of the topology."""

    name: str
    tags: tuple[str, ...] = ()


class Permission(Struct, frozen=True):
    """权限: which names a user may declare, publish to and read from, each a regular expression."""

    user: str
    configure: str
    write: str
    read: str


Part = Exchange | Queue | Binding | Policy | User | Permission


class Topology(Struct, frozen=True):
    """All that is wanted, or found, in one vhost of RabbitMQ."""

    exchanges: tuple[Exchange, ...] = ()
    queues: tuple[Queue, ...] = ()
    bindings: tuple[Binding, ...] = ()
    policies: tuple[Policy, ...] = ()
    users: tuple[User, ...] = ()
    permissions: tuple[Permission, ...] = ()

    def permission(self, user: str) -> Permission:
        """What a user may do.

        Raises:
            KeyError: for a user who is none of ours.
        """
        for permission in self.permissions:
            if permission.user == user:
                return permission
        raise KeyError(user)

    def written_by(self, user: str) -> tuple[str, ...]:
        """The exchanges that a user may publish to."""
        write = self.permission(user).write
        return tuple(exchange.name for exchange in self.exchanges if re.search(write, exchange.name))

    def read_by(self, user: str) -> tuple[str, ...]:
        """The queues that a user may read."""
        read = self.permission(user).read
        return tuple(queue.name for queue in self.queues if re.search(read, queue.name))


_DEAD_LETTERS = {
    "dead-letter-exchange": DEAD,
    "dead-letter-strategy": "at-least-once",
    "overflow": "reject-publish",  # at-least-once needs it
    "delivery-limit": 1000,
}
POLICIES = (
    Policy("hujiao-doors", f"^({INTAKE}|{ACTS})$", {"max-length": 100_000, **_DEAD_LETTERS}),
    Policy("hujiao-calls", r"^(platform|department)\..*$", _DEAD_LETTERS),
    Policy(
        "hujiao-replies",
        r"^replies\..*$",
        {"max-length": 100_000, "overflow": "drop-head", "dead-letter-exchange": DEAD, "delivery-limit": 1000},
    ),
    Policy(
        "hujiao-unrouted",
        f"^{UNROUTED}$",
        {"max-length": 100_000, "overflow": "reject-publish", "delivery-limit": _LOOKS},
    ),
    Policy("hujiao-dead", f"^{DEAD}$", {"delivery-limit": _LOOKS}),
)
"""A sleeping department must not stop the others, so its queue has no limit: depth and age are alarms."""


def derive(district: District, heard_by_platforms: Iterable[str]) -> Topology:
    """The whole topology that a district wants.

    ``heard_by_platforms`` are the wire names of the facts that the platforms' service reacts to. Of a call, a
    platform hears what is addressed to itself; of anything else, what is addressed to the whole town.
    """
    parts = [
        *_ours(),
        *(part for hotline in district.hotlines for part in _hotline(hotline.name)),
        *(part for local in local_departments(district) for part in _department(local)),
        *_platforms(district, sorted(set(heard_by_platforms))),
    ]
    return Topology(
        exchanges=tuple(part for part in parts if isinstance(part, Exchange)),
        queues=tuple(part for part in parts if isinstance(part, Queue)),
        bindings=tuple(part for part in parts if isinstance(part, Binding)),
        policies=POLICIES,
        users=tuple(part for part in parts if isinstance(part, User)),
        permissions=tuple(part for part in parts if isinstance(part, Permission)),
    )


def _ours() -> Iterator[Part]:
    yield Exchange(FACTS, "topic")
    yield Exchange(REPLIES, "direct")
    for name in (UNROUTED, DEAD):
        yield Exchange(name, "fanout")
        yield _queue(name)
        yield Binding(name, name)
    for name in (INTAKE, ACTS):
        yield _queue(name)
    answers = rf"^({REPLIES}|{DEAD}|amq\.default)$"
    for user, write, read in (
        (SVC_INTAKE, answers, f"^{INTAKE}$"),
        (SVC_DEPARTMENTS, answers, f"^{ACTS}$"),
        (SVC_RELAY, f"^({FACTS}|{UNROUTED})$", _NOTHING),
        (SVC_PLATFORMS, f"^{DEAD}$", r"^platform\..*$"),
    ):
        yield User(user, (_MANAGEMENT,))
        yield Permission(user, _NOTHING, write, read)


def _hotline(name: str) -> Iterator[Part]:
    yield from _outside(name, INTAKE, replies_queue(name))


def _department(local: LocalDepartment) -> Iterator[Part]:
    yield from _outside(local.user, ACTS, local.queue)
    yield Binding(FACTS, local.queue, f"{local.town.alias}.*.{local.department.code}.#")


def _outside(user: str, heard_in: str, queue: str) -> Iterator[Part]:
    yield User(user)
    yield Permission(user, _NOTHING, exactly(door(user)), exactly(queue))
    yield Exchange(door(user), "fanout")
    yield Binding(door(user), heard_in)
    yield _queue(queue)
    yield Binding(REPLIES, queue, user)


def _platforms(district: District, heard: list[str]) -> Iterator[Part]:
    for unit, platform in local_platforms(district):
        queue = platform_queue(unit.alias, platform.code)
        yield _queue(queue, {"x-single-active-consumer": True})
        for name in heard:
            addressed = platform.code if kind_of(name) == "call" else ALL
            yield Binding(FACTS, queue, fact_key(unit.alias, addressed, ALL, name))


def _queue(name: str, arguments: Mapping[str, Any] | None = None) -> Queue:
    return Queue(name, {"x-queue-type": "quorum", **(arguments or {})})
