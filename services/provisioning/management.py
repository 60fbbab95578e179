"""Reads and changes what stands at RabbitMQ through its management interface. Synchronous; for 3.10 and newer."""

import re
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote, unquote, urlsplit

import httpx
import msgspec

from services.messaging.topology import (
    VHOST,
    Binding,
    Exchange,
    Part,
    Permission,
    Policy,
    Queue,
    Topology,
    User,
)
from services.provisioning.drift import Change, Found, PasswordHash, concerning, difference, left, name_of
from services.provisioning.secret import SALT_BYTES, SHA256, Secret, salted_hash
from services.runtime.errors import HujiaoError

OLDEST = (3, 10)
DEAD_LETTERS_NEED = "stream_queue"
SHOWN = 20
TIMEOUT_S = 30.0
CREATING_S = 600.0
"""How long the creation of a whole topology may take on a slow machine."""

STALE_S = 11.0
"""How old the broker's count of messages can be: a queue tells it every five seconds, and it is collected as often."""

T = TypeVar("T", bound=msgspec.Struct)


class Unreachable(HujiaoError):
    """Nobody answers where the management interface should be. Try again later."""


class Refused(HujiaoError):
    """The user is unknown, or may not do this. Never retry: give another user, or this one the right."""


class NotTaken(HujiaoError):
    """The broker did not take a change. The text has its reason."""


class WrongVersion(HujiaoError):
    """What answers is no RabbitMQ that this program can work with."""


class TopologyDiffers(HujiaoError):
    """What stands at the broker is not what the configuration wants; ``changes`` is all that differs."""

    def __init__(self, changes: tuple[Change, ...]) -> None:
        lines = [f"  {change.words}" for change in changes[:SHOWN]]
        lines += [f"  and {len(changes) - SHOWN} more"] if len(changes) > SHOWN else []
        super().__init__(
            f"expected the broker's topology to be what the configuration wants, found {len(changes)} differences; "
            "`hujiao topology plan` shows all of them, `hujiao topology apply` mends them:\n" + "\n".join(lines)
        )
        self.changes = changes


class Management:
    """The management interface of one RabbitMQ, seen by one user, and in it one vhost.

    ``url`` is ``http://user:password@host:15672``. Whatever talks to the broker raises `Unreachable`, `Refused` or
    `NotTaken`.
    """

    def __init__(self, url: str, vhost: str = VHOST, stale_s: float = STALE_S) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not parts.username:
            shown = re.sub(r"//.*@", "//...@", url)
            raise HujiaoError(f"management url: expected http://user:password@host:15672, found {shown!r}")
        self.user, self.vhost = unquote(parts.username), vhost
        self.address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
        self._stale_s = stale_s
        auth = (self.user, unquote(parts.password or ""))
        try:
            self._client = httpx.Client(base_url=f"{self.address}/api", auth=auth, timeout=TIMEOUT_S)
        except httpx.InvalidURL as error:
            raise HujiaoError(f"management url: expected http://user:password@host:15672, found: {error}") from error
        self._vhost = _quoted(vhost)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def version(self) -> str:
        """The version of RabbitMQ.

        Raises:
            WrongVersion: when it is older than 3.10, or no RabbitMQ answers.
        """
        overview = self._get("overview")
        found = str(overview.get("rabbitmq_version") if isinstance(overview, dict) else "")
        numbers = tuple(int(number) for number in re.findall(r"\d+", found)[:2])
        if numbers < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise WrongVersion(f"expected RabbitMQ {oldest} or newer at {self.address}, found {found or 'none'}")
        return found

    def read(self) -> Found:
        """All that is there, as an administrator sees it."""
        self.version()
        flags = {flag["name"]: flag["state"] for flag in self._get("feature-flags")}
        if flags.get(DEAD_LETTERS_NEED, "enabled") != "enabled":
            raise WrongVersion(
                f"expected the feature flag {DEAD_LETTERS_NEED}, without which dead letters can be lost, found it "
                f"{flags[DEAD_LETTERS_NEED]}: rabbitmqctl enable_feature_flag all"
            )
        users = self._get("users")
        permissions = self._get("permissions")
        here = [entry for entry in permissions if entry["vhost"] == self.vhost]
        seen = self._read_vhost()
        return msgspec.structs.replace(
            seen,
            topology=msgspec.structs.replace(
                seen.topology,
                users=tuple(User(user["name"], _tags(user["tags"])) for user in users),
                permissions=tuple(_struct(Permission, entry) for entry in here),
            ),
            passwords={
                user["name"]: PasswordHash(user["password_hash"], str(user.get("hashing_algorithm", "")))
                for user in users
            },
            elsewhere=frozenset(entry["user"] for entry in permissions if entry["vhost"] != self.vhost),
        )

    def read_without_users(self) -> Found:
        """All that a user sees who has the tag ``management`` and some permission in the vhost."""
        self.version()
        return self._read_vhost()

    def apply(self, changes: Iterable[Change], secret: Secret) -> tuple[Change, ...]:
        """Make the changes, each idempotent: after a failure halfway, read again and apply the rest.

        A queue is only removed while it is empty: it is cut off first, and its messages are counted when the count
        is new enough to be true.

        Returns:
            What was left as it is, because a queue holds messages.
        """
        doing = [change for change in changes if change.how != "leave"]
        gone = [change.part for change in doing if change.how in ("remove", "replace")]
        if any(change.what == "vhost" for change in doing):
            self._send("PUT", f"vhosts/{self._vhost}", {})
        for part in gone:
            self._take_away(part)
        kept = self._remove_empty({part.name for part in gone if isinstance(part, Queue)})
        spared = [change for change in doing if change.what == "queue" and change.name in kept]
        self._create([change.part for change in doing if change.how != "remove" and change not in spared], secret)
        return tuple(left(change, kept[change.name]) for change in spared)

    def _read_vhost(self) -> Found:
        exchanges = self._get(f"exchanges/{self._vhost}")
        # among statistics a queue's policy is as old as its count of messages
        queues = self._get(f"queues/{self._vhost}", {"disable_stats": "true"})
        bindings = self._get(f"bindings/{self._vhost}")
        return Found(
            topology=Topology(
                exchanges=tuple(_struct(Exchange, exchange) for exchange in exchanges if exchange["name"]),
                queues=tuple(_struct(Queue, queue) for queue in queues),
                bindings=tuple(_binding(binding) for binding in bindings if binding["source"]),
                policies=tuple(
                    _struct(Policy, policy | {"apply_to": policy["apply-to"]})
                    for policy in self._get(f"policies/{self._vhost}")
                ),
            ),
            vhost=bool(exchanges),  # every vhost has some of its own
            messages=self._messages(),
            governed_by={queue["name"]: queue.get("policy") or "" for queue in queues},
        )

    def _take_away(self, part: Part | None) -> None:
        match part:
            case User(name=name):
                self._send("DELETE", f"users/{_quoted(name)}")
            case Permission(user=user):
                self._send("DELETE", f"permissions/{self._vhost}/{_quoted(user)}")
            case Policy(name=name):
                self._send("DELETE", f"policies/{self._vhost}/{_quoted(name)}")
            case Exchange(name=name):
                self._send("DELETE", f"exchanges/{self._vhost}/{_quoted(name)}")
            case Binding():
                self._unbind(part)
            case Queue(name=name):
                for binding in self._get(f"queues/{self._vhost}/{_quoted(name)}/bindings"):
                    if binding["source"]:
                        self._unbind(_binding(binding))

    def _unbind(self, binding: Binding) -> None:
        between = f"bindings/{self._vhost}/e/{_quoted(binding.source)}/{binding.to[0]}/{_quoted(binding.destination)}"
        for found in self._get(between):
            if _binding(found) == binding:
                self._send("DELETE", f"{between}/{_quoted(found['properties_key'])}")

    def _remove_empty(self, queues: set[str]) -> dict[str, int | None]:
        """Remove queues that are cut off and hold nothing; gives the others, with what they hold."""
        if not queues:
            return {}
        time.sleep(self._stale_s)
        held = self._messages()
        kept = {queue: held[queue] for queue in queues & held.keys() if held[queue] != 0}
        for queue in queues - kept.keys():
            self._send("DELETE", f"queues/{self._vhost}/{_quoted(queue)}")
        return kept

    def _messages(self) -> dict[str, int | None]:
        """How many messages each queue holds, those too that wait for their dead-letter queue to take them.

        The count is up to `STALE_S` old; a queue of which the broker has none yet has None.
        """
        counted = self._get(f"queues/{self._vhost}", {"columns": "name,messages,messages_dlx"})
        return {
            queue["name"]: queue["messages"] + queue.get("messages_dlx", 0) if "messages" in queue else None
            for queue in counted
        }

    def _create(self, parts: Iterable[Part | None], secret: Secret) -> None:
        document: dict[str, list[dict[str, Any]]] = {}
        for part in {(type(part), name_of(part)): part for part in parts if part is not None}.values():
            kind, entry = self._definition(part, secret)
            document.setdefault(kind, []).append(entry)
        if document:
            self._send("POST", "definitions", document, CREATING_S)

    def _definition(self, part: Part, secret: Secret) -> tuple[str, dict[str, Any]]:
        """An object as the definitions of the management interface have it, and where it stands in them."""
        fields = msgspec.to_builtins(part)
        if isinstance(part, User):
            salt = secret.salt(f"rabbitmq/{part.name}", SALT_BYTES)
            hashed = {"password_hash": salted_hash(secret.password(part.name), salt), "hashing_algorithm": SHA256}
            return "users", fields | hashed
        fields["vhost"] = self.vhost
        match part:
            case Permission():
                return "permissions", fields
            case Policy():
                return "policies", fields | {"apply-to": fields.pop("apply_to")}
            case Exchange():
                return "exchanges", fields
            case Queue():
                return "queues", fields
            case Binding():
                return "bindings", fields | {"routing_key": fields.pop("key"), "destination_type": fields.pop("to")}

    def _get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """What stands at a path; an empty list for what is not there."""
        answer = self._ask("GET", path, params=query)
        try:
            return [] if answer.status_code == httpx.codes.NOT_FOUND else answer.json()
        except ValueError as error:
            raise WrongVersion(f"expected RabbitMQ's management interface at {self.address}, found another") from error

    def _send(self, method: str, path: str, body: Any = None, timeout_s: float = TIMEOUT_S) -> None:
        """Change something; to delete what is not there is no error."""
        self._ask(method, path, json=body, timeout=timeout_s)

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **options)
        except httpx.TransportError as error:
            found = str(error) or type(error).__name__
            raise Unreachable(f"expected RabbitMQ's management interface at {self.address}, found: {found}") from error
        wanted = f"{method} {path} at {self.address}"
        match answer.status_code:
            case httpx.codes.UNAUTHORIZED | httpx.codes.FORBIDDEN:
                raise Refused(
                    f"expected {self.user} to be allowed to {wanted}, found: {_said(answer)}{self._cure(method)}"
                )
            case code if code >= httpx.codes.INTERNAL_SERVER_ERROR:
                raise Unreachable(f"expected an answer to {wanted}, found: {code} {_said(answer)}")
            case httpx.codes.NOT_FOUND if method in ("GET", "DELETE"):
                return answer
            case code if code >= httpx.codes.MULTIPLE_CHOICES:
                raise NotTaken(f"expected RabbitMQ to take {wanted}, found: {code} {_said(answer)}")
        return answer

    def _cure(self, method: str) -> str:
        """To remove something even an administrator needs permissions in the vhost."""
        grant = f"rabbitmqctl set_permissions -p {self.vhost} {self.user} '.*' '.*' '.*'"
        return f"; if it is the administrator: {grant}" if method == "DELETE" else ""


def check_mine(management: Management, wanted: Topology, service: str) -> None:
    """A service's own look at the broker when it starts; changes nothing and needs no more than its own user.

    Users and permissions are left out: only an administrator sees them.

    Raises:
        TopologyDiffers: when something that the service's work depends on is not as it is wanted.
    """
    found = management.read_without_users()
    if changes := concerning(difference(wanted, found, management.vhost), wanted, service):
        raise TopologyDiffers(changes)


def _struct(form: type[T], entry: Mapping[str, Any]) -> T:
    return msgspec.convert({field: entry[field] for field in form.__struct_fields__ if field in entry}, form)


def _binding(entry: Mapping[str, Any]) -> Binding:
    return Binding(
        source=entry["source"],
        destination=entry["destination"],
        key=entry["routing_key"],
        to=entry["destination_type"],
        arguments=entry["arguments"],
    )


def _tags(tags: str | list[str]) -> tuple[str, ...]:
    return tuple(sorted(tags.split(",") if isinstance(tags, str) else tags))


def _said(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["reason"]).strip()
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase


def _quoted(name: str) -> str:
    return quote(name, safe="")
