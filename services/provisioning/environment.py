"""What each service has to be told of the servers, as environment variables: its own users, and nobody else's."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

from services.provisioning import roles
from services.provisioning.secret import Secret
from services.runtime.errors import HujiaoError

USES: Mapping[str, str] = {
    "intake": "vault broker",
    "terminals": "vault mqtt",
    "departments": "vault broker",
    "command_centre": "vault",
    "platforms": "vault broker",
    "disclosure": "vault",
    "clock": "vault",
    "relay": "broker window",
    "projections": "views",
    "web": "vault views",
    "alerts": "vault",
}
"""The services that run apart, and what each of them needs beside the log."""

PROVISION, POSTGRES, RABBITMQ, GRAFANA = "provision", "postgres", "rabbitmq", "grafana"
"""Who else gets an environment: whoever provisions, and the servers' own container images."""

ADMINISTRATOR = "admin"
PROBE_PORT = 9101
"""The first service's; the next one has the next."""


class Servers(Protocol):
    """Where the servers are for each user, its password in the URL; several nodes have spaces between."""

    def store_url(self, role: str) -> str:
        """Where a role of PostgreSQL finds the database."""
        ...

    def amqp_url(self, user: str) -> str:
        """Where a user finds RabbitMQ."""
        ...

    def management_url(self, user: str) -> str:
        """Where a user finds RabbitMQ's management interface."""
        ...

    def mqtt_url(self, user: str) -> str:
        """Where a user finds Mosquitto."""
        ...


class Named:
    """Servers at addresses such as ``amqp://host:5672/hujiao``, to which each user and its password are added."""

    def __init__(self, secret: Secret, *, store: str, broker: str, management: str, mqtt: str) -> None:
        self._secret = secret
        self._store, self._broker, self._management, self._mqtt = store, broker, management, mqtt

    def store_url(self, role: str) -> str:
        """Where a role of PostgreSQL finds the database."""
        return self._with("--store", self._store, role)

    def amqp_url(self, user: str) -> str:
        """Where a user finds RabbitMQ."""
        return self._with("--broker", self._broker, user)

    def management_url(self, user: str) -> str:
        """Where a user finds RabbitMQ's management interface."""
        return self._with("--management", self._management, user)

    def mqtt_url(self, user: str) -> str:
        """Where a user finds Mosquitto."""
        return self._with("--mqtt", self._mqtt, user)

    def _with(self, option: str, addresses: str, user: str) -> str:
        def login(address: str) -> str:
            parts = urlsplit(address)
            if not parts.scheme or not parts.hostname or "@" in parts.netloc:
                shown = address.rpartition("@")[2]
                raise HujiaoError(f"{option}: expected an address such as scheme://host:port, no user, found {shown!r}")
            return urlunsplit(parts._replace(netloc=f"{user}:{self._secret.password(user)}@{parts.netloc}"))

        return " ".join(login(address) for address in addresses.split())


def of_service(service: str, servers: Servers) -> dict[str, str]:
    """What ``hujiao run SERVICE`` reads of the servers."""
    uses, user = USES[service].split(), f"svc.{service}"
    variables = {"HUJIAO_STORE_URL": servers.store_url(roles.LOG)}
    if "vault" in uses:
        variables["HUJIAO_VAULT_URL"] = servers.store_url(roles.VAULT)
    if "views" in uses:
        variables["HUJIAO_VIEWS_URL"] = servers.store_url(roles.VIEWS)
    if "broker" in uses:
        variables["HUJIAO_BROKER_URL"] = servers.amqp_url(user)
        variables["HUJIAO_MANAGEMENT_URL"] = servers.management_url(user)
    if "mqtt" in uses:
        variables["HUJIAO_MQTT_URL"] = servers.mqtt_url(user)
    return variables


def environments(
    secret: Secret, servers: Servers, window: str, probe_host: str
) -> Iterator[tuple[str, dict[str, str]]]:
    """Everybody's environment by name: every service's, that of whoever provisions, and those of container images.

    ``window`` is where links to cases lead, ``probe_host`` the address at which the services' probes answer.
    """
    for port, service in enumerate(USES, start=PROBE_PORT):
        links = {"HUJIAO_WINDOW_URL": window} if window and "window" in USES[service].split() else {}
        probe = {"HUJIAO_PROBE_HOST": probe_host, "HUJIAO_PROBE_PORT": str(port)}
        yield service, {**of_service(service, servers), **links, **probe}
    yield (
        PROVISION,
        {
            "HUJIAO_STORE_ADMIN_URL": servers.store_url(POSTGRES),
            "HUJIAO_STORE_URL": servers.store_url(roles.LOG),
            "HUJIAO_VAULT_URL": servers.store_url(roles.VAULT),
            "HUJIAO_MANAGEMENT_URL": servers.management_url(ADMINISTRATOR).split()[0],
        },
    )
    yield POSTGRES, {"POSTGRES_PASSWORD": secret.password(POSTGRES)}
    yield (
        RABBITMQ,
        {"RABBITMQ_DEFAULT_USER": ADMINISTRATOR, "RABBITMQ_DEFAULT_PASS": secret.password(ADMINISTRATOR)},
    )
    yield GRAFANA, {"GF_SECURITY_ADMIN_PASSWORD": secret.password(GRAFANA)}


def written(variables: Mapping[str, str]) -> str:
    """Variables as systemd, container engines and a shell all read them."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())
