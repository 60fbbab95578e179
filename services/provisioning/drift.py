"""What differs between the topology that is wanted and the one that is found, in words and as data. Pure."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from services.messaging.topology import (
    ACTS,
    DEAD,
    FACTS,
    INTAKE,
    REPLIES,
    UNROUTED,
    Binding,
    Exchange,
    Part,
    Permission,
    Policy,
    Queue,
    Topology,
    User,
    door,
    exactly,
    user_at,
)
from services.provisioning.secret import SHA256, is_hash_of

How = Literal["create", "change", "replace", "remove", "leave"]
"""What has to be done. ``replace`` removes and creates anew; what is to ``leave`` only a person may mend."""

What = Literal["vhost", "user", "password", "permission", "policy", "exchange", "queue", "binding"]

_OUR_QUEUE = re.compile(
    rf"({INTAKE}|{ACTS}|{UNROUTED}|{DEAD}|(platform|department)\.[A-Z]{{2}}\.[A-Z0-9]+|replies\.[a-z0-9-]+)"
)
_OUR_USER = re.compile(r"svc\.[a-z]+|dept\.[a-z]{2}\.[a-z0-9]+")
_OUR_POLICY = re.compile(r"hujiao-.*")


class Change(Struct, frozen=True):
    """One difference: what has to be done to which object, and both sides in words.

    ``part`` is the object as it is wanted, or as it is found where it is not wanted.
    """

    how: How
    what: What
    name: str
    expected: str = ""
    found: str = ""
    part: Part | None = None

    @property
    def words(self) -> str:
        """The difference as one sentence."""
        sides = f": expected {self.expected}, found {self.found}" if self.expected or self.found else ""
        return f"{self.how} {self.what} {self.name}{sides}"

    def as_data(self) -> dict[str, str]:
        """The difference for machines."""
        return {"how": self.how, "what": self.what, "name": self.name, "expected": self.expected, "found": self.found}


class PasswordHash(Struct, frozen=True):
    """What a broker keeps of a user's password."""

    hash: str
    algorithm: str


class Found(Struct, frozen=True):
    """What is there: ours and everybody else's.

    ``messages`` are how many a queue holds, as far as that is known; ``governed_by`` is the one policy in force on a
    queue. Only an administrator sees users: to anybody else ``passwords`` is None. ``elsewhere`` are the users who
    may also do something in other vhosts.
    """

    topology: Topology = Topology()
    vhost: bool = True
    messages: Mapping[str, int | None] = {}
    governed_by: Mapping[str, str] = {}
    passwords: Mapping[str, PasswordHash] | None = None
    elsewhere: frozenset[str] = frozenset()


def left(change: Change, messages: int | None) -> Change:
    """A change of a queue that is not made, because the queue holds messages, or may hold some."""
    held = f"{'an unknown number of' if messages is None else messages} messages in it"
    return Change(
        "leave",
        "queue",
        change.name,
        change.expected or "none",
        ", ".join(filter(None, (change.found, held))),
        change.part,
    )


def difference(
    wanted: Topology, found: Found, vhost: str, password: Callable[[str], str] | None = None
) -> tuple[Change, ...]:
    """Everything that differs, in an order in which it can be mended.

    Of what is not wanted only that counts which carries our names. ``password`` gives a user's password; without it
    passwords are not compared. An unwanted queue that holds messages is left, and so is one that a foreign policy
    governs.
    """
    changes: list[Change] = [] if found.vhost else [Change("create", "vhost", vhost)]
    there = found.topology
    if found.passwords is not None:
        changes += _users(wanted, found, password)
        changes += _compare("permission", wanted.permissions, there.permissions, "change")
    changes += _compare("policy", wanted.policies, there.policies, "change")
    changes += _compare("exchange", wanted.exchanges, there.exchanges, "replace")
    changes += _queues(wanted, found)
    replaced = {(change.what, change.name) for change in changes if change.how == "replace"}
    changes += _bindings(wanted, there, replaced)
    return (*changes, *_unwanted(wanted, found))


def concerning(changes: Iterable[Change], wanted: Topology, service: str) -> tuple[Change, ...]:
    """Those of the changes that a service's work depends on.

    These are the queues that it reads with all that fills them, and the exchanges that it writes to with all
    that they fill; and always where dead letters go.
    """
    queues = set(wanted.read_by(service))
    exchanges = {*wanted.written_by(service), DEAD}
    sources = {binding.source for binding in wanted.bindings if binding.destination in queues}
    queues |= {binding.destination for binding in wanted.bindings if binding.source in exchanges}
    exchanges |= sources

    def concerns(change: Change) -> bool:
        match change.part:
            case Exchange(name=name):
                return name in exchanges
            case Queue(name=name):
                return name in queues
            case Binding(destination=name, to=to):
                return name in (queues if to == "queue" else exchanges)
            case Policy(pattern=pattern):
                return any(re.search(pattern, queue) for queue in queues)
            case _:
                return change.what == "vhost"

    return tuple(change for change in changes if concerns(change))


def _compare(what: What, wanted: Iterable[Part], found: Iterable[Part], how: How) -> Iterator[Change]:
    there = {name_of(part): part for part in found}
    for part in wanted:
        name = name_of(part)
        if name not in there:
            yield Change("create", what, name, part=part)
        elif there[name] != part:
            yield Change(how, what, name, *_sides(part, there[name]), part)


def _users(wanted: Topology, found: Found, password: Callable[[str], str] | None) -> Iterator[Change]:
    yield from _compare("user", wanted.users, found.topology.users, "change")
    for user in wanted.users:
        kept = (found.passwords or {}).get(user.name)
        if kept is not None and password is not None:
            if kept.algorithm != SHA256:
                yield Change("change", "password", user.name, SHA256, kept.algorithm or "no password", user)
            elif not is_hash_of(password(user.name), kept.hash):
                yield Change("change", "password", user.name, "the one of our secret", "another", user)


def _queues(wanted: Topology, found: Found) -> Iterator[Change]:
    changed = {change.name: change for change in _compare("queue", wanted.queues, found.topology.queues, "replace")}
    policies_there = set(map(name_of, found.topology.policies))
    for queue in wanted.queues:
        change = changed.get(queue.name)
        messages = found.messages.get(queue.name)
        if change is None:
            policy = policy_for(wanted.policies, queue.name)
            governs = found.governed_by.get(queue.name, "")
            if policy in policies_there and governs != policy:
                yield Change("leave", "queue", queue.name, f"the policy {policy} in force", governs or "none", queue)
        elif change.how == "replace" and messages:
            yield left(change, messages)
        else:
            yield change


def _bindings(wanted: Topology, there: Topology, replaced: set[tuple[What, str]]) -> Iterator[Change]:
    found = set(map(name_of, there.bindings))
    for binding in wanted.bindings:
        gone = ("exchange", binding.source) in replaced or ("queue", binding.destination) in replaced
        if gone or name_of(binding) not in found:
            yield Change("create", "binding", name_of(binding), part=binding)


def _unwanted(wanted: Topology, found: Found) -> Iterator[Change]:
    there = found.topology
    yield from _unwanted_users(wanted, found)
    yield from _superfluous("binding", wanted.bindings, there.bindings)
    for change in _superfluous("queue", wanted.queues, there.queues):
        messages = found.messages.get(change.name)
        yield left(change, messages) if messages else change
    yield from _superfluous("exchange", wanted.exchanges, there.exchanges)
    yield from _superfluous("policy", wanted.policies, there.policies)


def _superfluous(what: What, wanted: Iterable[Part], found: Iterable[Part]) -> Iterator[Change]:
    known = set(map(name_of, wanted))
    for part in found:
        if name_of(part) not in known and _is_ours(part):
            yield Change("remove", what, name_of(part), part=part)


def _unwanted_users(wanted: Topology, found: Found) -> Iterator[Change]:
    known = {user.name for user in wanted.users}
    users = {user.name: user for user in found.topology.users}
    for permission in found.topology.permissions:
        if permission.user not in known and _is_ours(permission):
            if permission.user in found.elsewhere or permission.user not in users:
                yield Change("remove", "permission", permission.user, part=permission)
            else:
                yield Change("remove", "user", permission.user, part=users[permission.user])


def _is_ours(part: Part) -> bool:
    """Whether an object carries one of our names. A hotline's user is known by the door that it may write to."""
    match part:
        case Exchange(name=name):
            return name in {FACTS, UNROUTED, DEAD, REPLIES} or user_at(name) is not None
        case Queue(name=name):
            return _OUR_QUEUE.fullmatch(name) is not None
        case Binding(destination=name, to="queue"):
            return _OUR_QUEUE.fullmatch(name) is not None
        case Binding(destination=name):
            return _is_ours(Exchange(name, ""))
        case Policy(name=name):
            return _OUR_POLICY.fullmatch(name) is not None
        case Permission(user=user, write=write):
            return _OUR_USER.fullmatch(user) is not None or write == exactly(door(user))
        case User(name=name):
            return _OUR_USER.fullmatch(name) is not None


def policy_for(policies: Iterable[Policy], queue: str) -> str:
    """The name of the policy that governs a queue; empty for none."""
    fitting = [policy for policy in policies if re.search(policy.pattern, queue)]
    return max(fitting, key=lambda policy: policy.priority).name if fitting else ""


def name_of(part: Part) -> str:
    """What an object is called; a binding has no name but what it joins."""
    match part:
        case Binding():
            to = "" if part.to == "queue" else f"{part.to} "
            key = f" ({part.key})" if part.key else ""
            arguments = f" {_text(part.arguments)}" if part.arguments else ""
            return f"{part.source} -> {to}{part.destination}{key}{arguments}"
        case Permission():
            return part.user
        case _:
            return part.name


def _sides(wanted: Part, found: Part) -> tuple[str, str]:
    """The fields that differ, as they should be and as they are."""
    sides: list[tuple[str, str]] = []
    for field in wanted.__struct_fields__:
        here, there = getattr(wanted, field), getattr(found, field)
        if here == there:
            continue
        if isinstance(here, Mapping):
            keys = sorted(key for key in here.keys() | there.keys() if here.get(key) != there.get(key))
            sides += [(_entry(key, here), _entry(key, there)) for key in keys]
        else:
            sides.append((f"{field} {_text(here)}", f"{field} {_text(there)}"))
    return ", ".join(here for here, _ in sides), ", ".join(there for _, there in sides)


def _entry(key: str, values: Mapping[str, Any]) -> str:
    return f"{key} {_text(values[key])}" if key in values else f"no {key}"


def _text(value: Any) -> str:
    match value:
        case str():
            return value
        case tuple():
            return " ".join(value) or "none"
        case _:
            return msgspec.json.encode(value, order="sorted").decode()
