"""A whole township on this machine: the three servers, and every service as a process of its own."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import psycopg

from deploy.processes import HOST, Server, ServerFailed, free_ports
from deploy.servers import MosquittoServer, PostgresServer, RabbitCluster, RabbitServer, missing
from services.messaging.topology import local_departments
from services.provisioning import roles
from services.provisioning.environment import USES, of_service
from services.provisioning.secret import ensure_secret
from services.runtime.district import find_district, load_district

DISTRICT = "yunan"
DATABASE = "hujiao"
VHOST = "hujiao"
ASK_S = 3.0

SECRET, ADMINISTRATOR, DISTRICT_NAME = "secret", "administrator", "district"
POSTGRES, RABBIT, MOSQUITTO, ACCESS, SERVICES = "postgresql", "rabbitmq", "mosquitto", "mosquitto-access", "services"
OURS = (SECRET, ADMINISTRATOR, DISTRICT_NAME, POSTGRES, RABBIT, MOSQUITTO, ACCESS, SERVICES)
"""All that stands in a township's folder."""

T = TypeVar("T")

_VARIABLES = {"probe": "HUJIAO_PROBE_PORT", "port": "HUJIAO_PORT"}


class Share(NamedTuple):
    """One process of a service, which takes a part of its work; ``arguments`` say which."""

    name: str
    service: str
    arguments: tuple[str, ...] = ()


EVERYTHING = tuple(Share(service, service) for service in USES)


class Service(Server):
    """``hujiao run SERVICE`` as a process that is ready when its probe says so."""

    UNREADY = (OSError, urllib.error.URLError)

    def __init__(self, folder: Path, share: Share, environment: Mapping[str, str], *, outlive: bool) -> None:
        super().__init__(folder, outlive=outlive)
        self.share, self._settings = share, environment
        self.TITLE = f"hujiao run {share.service}"  # type: ignore[misc]  # each share has its own
        self.PORTS = ("probe", "port") if share.service == "web" else ("probe",)  # type: ignore[misc]  # the same

    @property
    def probe_url(self) -> str:
        """Where its supervisor asks: ``/live``, ``/ready``, ``/metrics``."""
        return f"http://{HOST}:{self.ports['probe']}"

    def claim(self) -> None:
        """Choose its ports now, so that others can be told of them before it starts."""
        if not self.ports:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._keep(dict(zip(self.PORTS, free_ports(len(self.PORTS)), strict=True)), None)

    def _prepare(self) -> None:
        """Nothing: all that a service keeps is in the log."""

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "services.cli", "run", self.share.service, *self.share.arguments]

    def _environment(self) -> dict[str, str]:
        ports = {_VARIABLES[purpose]: str(port) for purpose, port in self.ports.items()}
        return {**super()._environment(), **self._settings, **ports}

    def _probe(self) -> None:
        with urllib.request.urlopen(f"{self.probe_url}/ready", timeout=ASK_S):  # noqa: S310  # our own process
            pass


class Township:
    """Everything in one folder. The same folder is the same township, in any process.

    ``outlive``: it goes on when the process that started it ends. ``environment`` is added to every service's.
    """

    def __init__(
        self,
        folder: Path,
        *,
        nodes: int = 1,
        district: str = DISTRICT,
        outlive: bool = False,
        shares: Sequence[Share] = EVERYTHING,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self.district, self._outlive = folder.resolve(), district, outlive
        self._shares, self._extra = tuple(shares), dict(environment or {})
        self._services: dict[str, Service] | None = None
        password = self._own_password()
        self.postgres = PostgresServer(self.folder / POSTGRES, password, outlive=outlive)
        self.rabbit: RabbitServer | RabbitCluster = (
            RabbitServer(self.folder / RABBIT, password, outlive=outlive)
            if nodes == 1
            else RabbitCluster(self.folder / RABBIT, password, nodes=nodes, outlive=outlive)
        )
        access = self.folder / ACCESS
        self.mosquitto = MosquittoServer(
            self.folder / MOSQUITTO, access / "passwd", access / "acl", log_everything=True, outlive=outlive
        )

    @property
    def nodes(self) -> list[RabbitServer]:
        """The nodes of RabbitMQ."""
        return self.rabbit.nodes if isinstance(self.rabbit, RabbitCluster) else [self.rabbit]

    @property
    def secret_file(self) -> Path:
        """The secret from which all passwords come."""
        return self.folder / SECRET

    @property
    def services(self) -> Mapping[str, Service]:
        """Every process of a service, by the name of its share; the servers must have been started once."""
        if self._services is None:
            self._services = {share.name: self._service(share) for share in self._shares}
        return self._services

    @property
    def console(self) -> str:
        """Where the console answers, before it does; empty in a township without one."""
        for share in self._shares:
            if share.service == "web":
                web = Service(self._home(share), share, {}, outlive=self._outlive)
                web.claim()
                return f"http://{HOST}:{web.ports['port']}"
        return ""

    def up(self) -> None:
        """Start whatever does not run, make what is missing, and wait until all of it is ready.

        Raises:
            ServerFailed: when a program is missing, or something does not start. The rest is left as it is.
        """
        if lacking := missing():
            raise ServerFailed(f"expected three servers, found missing: apt install {' '.join(sorted(lacking))}")
        self.folder.chmod(0o755)  # PostgreSQL's own user must pass through
        ensure_secret(self.secret_file)
        (self.folder / DISTRICT_NAME).write_text(self.district)
        for_all((self._store_up, self._broker_up, self._terminals_up), lambda up: up())
        for_all(self.services.values(), lambda service: service.start())

    def down(self) -> None:
        """End everything, services first; the data stays."""
        if self._begun:
            for_all(self.services.values(), lambda service: service.stop())
        for_all((self.postgres, self.rabbit, self.mosquitto), lambda server: server.stop())

    def hujiao(self, *arguments: str) -> Any:
        """What a command of ours answers, from JSON if it was asked for."""
        stores = {
            "HUJIAO_STORE_URL": self.store_url(roles.LOG),
            "HUJIAO_VAULT_URL": self.store_url(roles.VAULT),
            "HUJIAO_VIEWS_URL": self.store_url(roles.VIEWS),
        }
        return self._command(stores, *arguments)

    def password(self, user: str) -> str:
        """The password of a user of either broker, or of a role of PostgreSQL."""
        return ensure_secret(self.secret_file).password(user)

    def store_url(self, role: str) -> str:
        """Where a role of PostgreSQL finds its data."""
        return self.postgres.url(role, self.password(role), DATABASE)

    def amqp_url(self, user: str) -> str:
        """Where a user finds RabbitMQ: every node, with spaces between."""
        return " ".join(node.amqp_url(user, self.password(user), VHOST) for node in self.nodes)

    def management_url(self, user: str) -> str:
        """Where a user finds RabbitMQ's management interface: of every node, with spaces between."""
        return " ".join(node.management_url(user, self.password(user)) for node in self.nodes)

    def mqtt_url(self, user: str) -> str:
        """Where a terminal, or the service that hears them, finds Mosquitto."""
        return self.mosquitto.url(user, self.password(user))

    def state(self) -> dict[str, Any]:
        """Addresses, one user of each kind with its password, and processes: what runs and where its log is."""
        servers: dict[str, Server] = {"postgresql": self.postgres, "mosquitto": self.mosquitto}
        servers |= {node.name: node for node in self.nodes}
        servers |= self.services if self._begun else {}
        return {
            "folder": str(self.folder),
            "console": self.console if self._begun else "",
            "users": self._users() if self._begun else {},
            "processes": {
                name: {"running": server.running, "ports": server.ports, "log": str(server.log)}
                for name, server in servers.items()
            },
        }

    def forget(self) -> None:
        """Remove all data, and the folder if nobody else has anything in it; everything must be down."""
        for part in OURS:
            path = self.folder / part
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()

    @property
    def _begun(self) -> bool:
        """Whether the servers have been started once, so that everything has its address."""
        return all(server.ports for server in (self.postgres, self.mosquitto, *self.nodes))

    def _users(self) -> dict[str, Any]:
        """One user of each kind: the first of each in the district's files."""
        district = load_district(find_district(self.district))
        outside = {"department": next(local_departments(district)).user}
        if district.hotlines:
            outside["hotline"] = district.hotlines[0].name
        found = {kind: self._user(user, self.amqp_url(user)) for kind, user in outside.items()}
        for terminal in district.terminals[:1]:
            found["terminal"] = self._user(terminal.name, self.mqtt_url(terminal.name))
        found["analyst"] = self._user(roles.ANALYST, self.store_url(roles.ANALYST))
        node = self.nodes[0]
        found["operator"] = {"user": node.user, "password": node.password, "url": node.management_url()}
        return found

    def _user(self, user: str, url: str) -> dict[str, str]:
        return {"user": user, "password": self.password(user), "url": url}

    def _command(self, variables: Mapping[str, str], *arguments: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments],
            env={**os.environ, "HUJIAO_SECRET_FILE": str(self.secret_file), **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            what = f"hujiao {' '.join(arguments[:2])}"
            raise ServerFailed(f"expected `{what}` to succeed, found:\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    def _store_up(self) -> None:
        self.postgres.start()
        with psycopg.connect(self.postgres.url()) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
        if known is None:
            self.postgres.create_database(DATABASE)
        self.hujiao("store", "apply", "--admin", self.postgres.url(database=DATABASE))
        self.hujiao("district", "load", self.district)

    def _broker_up(self) -> None:
        self.rabbit.start()
        where = self.nodes[0].management_url()
        self._command({}, "topology", "apply", "--management", where, "--district", self.district)

    def _terminals_up(self) -> None:
        self._command({}, "topology", "mosquitto", str(self.folder / ACCESS), "--district", self.district)
        if self.mosquitto.running:
            self.mosquitto.reload()
        else:
            self.mosquitto.start()

    def _service(self, share: Share) -> Service:
        settings = {
            "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
            "HUJIAO_LOG": "INFO",
            **{name: value for name, value in os.environ.items() if name.startswith(("OTEL_", "HUJIAO_ALERTS"))},
            **of_service(share.service, self),
        }
        if "window" in USES[share.service].split():
            settings["HUJIAO_WINDOW_URL"] = self.console
        return Service(self._home(share), share, {**settings, **self._extra}, outlive=self._outlive)

    def _home(self, share: Share) -> Path:
        return self.folder / SERVICES / share.name

    def _own_password(self) -> str:
        """The administrators' password of the private servers, made at the first start."""
        file = self.folder / ADMINISTRATOR
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(18))
        return file.read_text()


def begun(folder: Path) -> tuple[int, str] | None:
    """How many nodes of RabbitMQ (0: not yet known) and which district the township in a folder has, if any."""
    if not (folder / ADMINISTRATOR).is_file():
        return None
    alone = (folder / RABBIT / "server.json").is_file()
    nodes = 1 if alone else len(list((folder / RABBIT).glob("hujiao*")))
    named = folder / DISTRICT_NAME
    return nodes, named.read_text() if named.is_file() else DISTRICT


def for_all(things: Iterable[T], act: Callable[[T], object]) -> None:
    """Do something to several things at once; raises what the first of them raised."""
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(act, things))


def lines(state: Mapping[str, Any]) -> Iterator[str]:
    """What `Township.state` says, for a person."""
    yield f"in {state['folder']}"
    for name, process in state["processes"].items():
        running = "runs" if process["running"] else "does not run"
        yield f"  {name:<17} {running:<13} {', '.join(f'{k} {v}' for k, v in process['ports'].items())}"
    if state["console"]:
        yield f"{'console':<12} {state['console']}"
    for kind, user in state["users"].items():
        yield f"{kind:<12} {user['url']}"
