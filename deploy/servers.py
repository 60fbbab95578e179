"""PostgreSQL, RabbitMQ (one node or a cluster) and Mosquitto as private servers; what they need to be installed."""

import os
import pwd
import secrets
import shutil
import signal
import socket
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
import psycopg
from psycopg import sql

from deploy.processes import HOST, PATH, READY_S, STOPPED_S, Server, ServerFailed, free_ports, until

ASK_S = 10.0
PROBE_S = 2.0

_ON_LOOPBACK = "-kernel inet_dist_use_interface {127,0,0,1}"
_CONNECT = bytes.fromhex("100c 0004 4d515454 04 02 003c 0000")
"""MQTT 3.1.1, no name, clean session."""
_CONNACK = b"\x20"


class PostgresServer(Server):
    """PostgreSQL with a superuser who logs in by password, over TCP alone.

    It refuses to run as root and runs as the user ``postgres`` then, who must be able to enter ``folder``.
    """

    TITLE = "PostgreSQL"
    PORTS = ("postgresql",)
    UNREADY = (OSError, psycopg.Error)
    STOP = signal.SIGINT  # roll back and leave, instead of waiting until all clients have gone

    def __init__(self, folder: Path, password: str, user: str = "postgres", *, outlive: bool = False) -> None:
        super().__init__(folder, outlive=outlive)
        self.user, self.password = user, password
        self._data = folder / "data"

    def url(self, user: str = "", password: str = "", database: str = "postgres") -> str:
        """Where ``user`` (without one: the superuser) finds ``database``."""
        name, secret = (user, password) if user else (self.user, self.password)
        return f"postgresql://{_login(name, secret)}@{HOST}:{self.port}/{quote(database, safe='')}"

    def create_database(self, name: str, icu_locale: str = "") -> str:
        """Create a database and give its URL for the superuser.

        Text is ordered by bytes, or by the rules of ``icu_locale`` where one is given.
        """
        order = (
            sql.SQL(" LOCALE_PROVIDER icu ICU_LOCALE {}").format(sql.Literal(icu_locale)) if icu_locale else sql.SQL("")
        )
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0{}").format(sql.Identifier(name), order))
        return self.url(database=name)

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _prepare(self) -> None:
        if self._data.exists():
            return
        unfinished, secret = self.folder / "data.new", self.folder / "password"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        if os.geteuid() == 0:
            shutil.chown(unfinished, "postgres", "postgres")
            shutil.chown(secret, "postgres", "postgres")
        try:
            self._run(
                [
                    *(str(_postgres("initdb")), "--pgdata", str(unfinished)),
                    *("--username", self.user, "--pwfile", str(secret), "--auth", "scram-sha-256"),
                    *("--encoding", "UTF8", "--locale", "C.UTF-8"),
                ]
            )
        finally:
            secret.unlink()
        unfinished.rename(self._data)

    def _command(self) -> list[str]:
        settings = {"listen_addresses": HOST, "port": self.port, "unix_socket_directories": ""}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(_postgres("postgres")), "-D", str(self._data), *options]

    def _privileges(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        postgres = pwd.getpwnam("postgres")
        return [f"--reuid={postgres.pw_uid}", f"--regid={postgres.pw_gid}", "--clear-groups"]

    def _probe(self) -> None:
        with psycopg.connect(self.url(), connect_timeout=int(PROBE_S)) as connection:
            connection.execute("SELECT 1")


class Epmd(Server):
    """Where the Erlang nodes of one cluster find one another; its folder is their HOME and holds their cookie."""

    TITLE = "epmd"
    PORTS = ("epmd",)

    def _prepare(self) -> None:
        cookie = self.folder / ".erlang.cookie"
        if not cookie.exists():
            written = self.folder / "cookie.new"
            written.touch(mode=0o600)
            written.write_text(secrets.token_hex(16))
            written.chmod(0o400)
            written.rename(cookie)

    def _command(self) -> list[str]:
        return ["epmd", "-port", str(self.port), "-address", HOST]

    def _probe(self) -> None:
        socket.create_connection((HOST, self.port), PROBE_S).close()


class RabbitServer(Server):
    """A RabbitMQ node with management and Prometheus metrics, and one user: the given administrator.

    A node of a cluster is told the cluster's ``epmd`` and the names of all its nodes, ``cluster``.
    """

    TITLE = "RabbitMQ"
    PORTS = ("amqp", "management", "prometheus", "distribution")
    UNREADY = (OSError, httpx.HTTPError)

    def __init__(
        self,
        folder: Path,
        password: str,
        user: str = "admin",
        *,
        name: str = "hujiao@localhost",
        epmd: Epmd | None = None,
        cluster: Iterable[str] = (),
        outlive: bool = False,
    ) -> None:
        super().__init__(folder, outlive=outlive)
        self.user, self.password, self.name = user, password, name
        self._alone = epmd is None
        self._epmd = epmd or Epmd(folder / "home", outlive=outlive)
        self._cluster = tuple(cluster)

    @property
    def metrics_url(self) -> str:
        """Where Prometheus asks."""
        return f"http://{HOST}:{self.ports['prometheus']}/metrics"

    @property
    def pids(self) -> list[int]:
        """The ids of all its processes, its own epmd among them."""
        return super().pids + (self._epmd.pids if self._alone else [])

    def amqp_url(self, user: str = "", password: str = "", vhost: str = "/") -> str:
        """Where ``user`` (without one: the administrator) finds ``vhost``."""
        return f"amqp://{self._login(user, password)}@{HOST}:{self.port}/{quote(vhost, safe='')}"

    def management_url(self, user: str = "", password: str = "") -> str:
        """Where ``user`` (without one: the administrator) finds the management interface."""
        return f"http://{self._login(user, password)}@{HOST}:{self.ports['management']}"

    def manage(self, method: str, path: str, body: object = None) -> Any:
        """Ask the management interface as administrator, as in ``manage("GET", "/api/queues")``.

        Gives the answer's content, None when it has none.

        Raises:
            httpx.HTTPError: when there is no answer or one that says no.
        """
        with httpx.Client(trust_env=False, timeout=ASK_S) as client:
            answer = client.request(method, self.management_url() + path, json=body)
            answer.raise_for_status()
            return answer.json() if answer.content else None

    def ctl(self, *arguments: str, tool: str = "rabbitmqctl") -> str:
        """Run ``rabbitmqctl`` or another of its tools on this node; gives what it printed."""
        port = str(free_ports(1)[0])
        extra = {
            "RABBITMQ_CTL_DIST_PORT_MIN": port,
            "RABBITMQ_CTL_DIST_PORT_MAX": port,
            "RABBITMQ_CTL_ERL_ARGS": _ON_LOOPBACK,
        }
        return self._run([str(_rabbitmq(tool)), "--node", self.name, *arguments], extra)

    def save(self) -> None:
        """Make it write down the quorum queues that were declared so far, so that they survive `kill`.

        RabbitMQ does so by itself after up to three seconds, though it confirms messages at once. A queue of which
        that was not written yet when the node was killed is empty for ever after, and (3.10) never gets a leader.
        """
        self.ctl("eval", "ok = dets:sync(ra_directory_reverse).")

    def stop(self, timeout_s: float = STOPPED_S) -> None:
        """Let it finish and end; takes six seconds, RabbitMQ's own way."""
        try:
            super().stop(timeout_s)
        finally:
            if self._alone:
                self._epmd.kill()

    def kill(self) -> None:
        """End all its processes at once with SIGKILL; the epmd of a cluster stays."""
        super().kill()
        if self._alone:
            self._epmd.kill()

    def _prepare(self) -> None:
        self._epmd.start()
        settings = {
            "listeners.tcp.local": f"{HOST}:{self.port}",
            "management.tcp.ip": HOST,
            "management.tcp.port": self.ports["management"],
            "prometheus.tcp.ip": HOST,
            "prometheus.tcp.port": self.ports["prometheus"],
            "default_user": self.user,
            "default_pass": self.password,
            "loopback_users": "none",
            "vm_memory_high_watermark.absolute": "1GiB",
            "disk_free_limit.absolute": "50MB",
            "raft.wal_max_size_bytes": 64 * 2**20,
        }
        for n, name in enumerate(self._cluster, 1):
            settings[f"cluster_formation.classic_config.nodes.{n}"] = name
        if self._cluster:
            # a node that was cut off must not go on alone, and must be missed before everybody's patience ends
            settings |= {"cluster_partition_handling": "pause_minority", "net_ticktime": 10}
        configuration = self.folder / "rabbitmq.conf"
        configuration.touch(mode=0o600)
        configuration.write_text("".join(f"{key} = {value}\n" for key, value in settings.items()))
        (self.folder / "enabled_plugins").write_text("[rabbitmq_management,rabbitmq_prometheus].\n")

    def _command(self) -> list[str]:
        return [str(_rabbitmq("rabbitmq-server"))]

    def _environment(self) -> dict[str, str]:
        paths = {
            "CONF_ENV_FILE": "rabbitmq-env.conf",
            "CONFIG_FILE": "rabbitmq.conf",
            "CONFIG_FILES": "conf.d",
            "ADVANCED_CONFIG_FILE": "advanced.config",
            "GENERATED_CONFIG_DIR": "generated",
            "SCHEMA_DIR": "schema",
            "ENABLED_PLUGINS_FILE": "enabled_plugins",
            "MNESIA_BASE": "data",
            "LOG_BASE": "logs",
            "PID_FILE": "pid",
        }
        return {
            **super()._environment(),
            **{f"RABBITMQ_{name}": str(self.folder / path) for name, path in paths.items()},
            "HOME": str(self._epmd.folder),
            "ERL_EPMD_PORT": str(self._epmd.port),
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_CRASH_DUMP": str(self.folder / "erl_crash.dump"),
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_DIST_PORT": str(self.ports["distribution"]),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_LOG": "-color",
            # without this a shell stays between us and the node, and a signal reaches the shell alone
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_SERVER_START_ARGS": "-noinput",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"+S 2:2 {_ON_LOOPBACK}",
        }

    def _probe(self) -> None:
        with socket.create_connection((HOST, self.port), PROBE_S) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            if not connection.recv(1):
                raise ConnectionError("expected the node to begin a connection, found that it ended it")
        self.manage("GET", "/api/overview")

    def _login(self, user: str, password: str) -> str:
        return _login(user, password) if user else _login(self.user, self.password)


class RabbitCluster:
    """RabbitMQ nodes on one machine, joined into one cluster before anything is declared."""

    def __init__(
        self, folder: Path, password: str, user: str = "admin", *, nodes: int = 3, outlive: bool = False
    ) -> None:
        self._epmd = Epmd(folder / "home", outlive=outlive)
        names = [f"hujiao{n}@localhost" for n in range(1, nodes + 1)]
        self.nodes = [
            RabbitServer(
                folder / name.partition("@")[0],
                password,
                user,
                name=name,
                epmd=self._epmd,
                cluster=names,
                outlive=outlive,
            )
            for name in names
        ]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether all its nodes run."""
        return all(node.running for node in self.nodes)

    @property
    def pids(self) -> list[int]:
        """The ids of all its processes."""
        return [pid for part in (*self.nodes, self._epmd) for pid in part.pids]

    def start(self, timeout_s: float = READY_S) -> None:
        """Start the nodes that do not run, and wait until all answer.

        Raises:
            ServerFailed: when one does not start. Those that ran before go on, the others do not run then.
        """
        stood_still = [node for node in self.nodes if not node.running]
        try:
            self._epmd.start()
            self._all(lambda node: node.start(timeout_s))
        except BaseException:
            for node in stood_still:
                node.kill()
            if len(stood_still) == len(self.nodes):
                self._epmd.kill()
            raise

    def save(self) -> None:
        """Make every node write down the quorum queues that were declared so far, so that they survive `kill`."""
        self._all(RabbitServer.save)

    def stop(self, timeout_s: float = STOPPED_S) -> None:
        """Let all nodes finish and end.

        Raises:
            ServerFailed: when one had to be killed.
        """
        try:
            self._all(lambda node: node.stop(timeout_s))
        finally:
            self._epmd.kill()

    def kill(self) -> None:
        """End all processes of all nodes at once with SIGKILL."""
        self._all(RabbitServer.kill)
        self._epmd.kill()

    def _all(self, act: Callable[[RabbitServer], None]) -> None:
        with ThreadPoolExecutor(len(self.nodes)) as threads:
            list(threads.map(act, self.nodes))


class MosquittoServer(Server):
    """Mosquitto for MQTT 5 and 3.1.1. Anonymous clients only where no file of ``passwords`` is given.

    It answers a publisher at once and writes to disk all that it holds every second or two, and when it stops: `kill`
    loses what came after the last time. `save` makes it write now. (To write after each message is its only other
    offer: all of it again each time, 200 times as slow with a few thousand messages waiting.)
    """

    TITLE = "Mosquitto"
    PORTS = ("mqtt",)

    def __init__(
        self,
        folder: Path,
        passwords: Path | None = None,
        acl: Path | None = None,
        *,
        max_inflight_messages: int = 20,
        log_everything: bool = False,
        outlive: bool = False,
    ) -> None:
        super().__init__(folder, outlive=outlive)
        self._settings = {
            "listener": "",
            "user": pwd.getpwuid(os.geteuid()).pw_name,
            "allow_anonymous": "false" if passwords else "true",
            **({"password_file": str(passwords.resolve())} if passwords else {}),
            **({"acl_file": str(acl.resolve())} if acl else {}),
            "persistence": "true",
            "persistence_location": f"{folder.resolve()}/",
            "autosave_interval": "1",
            "max_queued_messages": "1000000000",  # 0, no limit, makes 2.0.11 end the link of whoever is refused
            "max_inflight_messages": str(max_inflight_messages),
            "set_tcp_nodelay": "true",
            "log_dest": "stderr",
            "log_timestamp_format": "%Y-%m-%dT%H:%M:%S%z",
        }
        self._log_types = ("all",) if log_everything else ("error", "warning", "notice")

    def url(self, user: str = "", password: str = "") -> str:
        """Where ``user``, or anybody, finds it."""
        login = f"{_login(user, password)}@" if user else ""
        return f"mqtt://{login}{HOST}:{self.port}"

    def save(self, timeout_s: float = STOPPED_S) -> None:
        """Make it write to disk all that it has acknowledged so far, and wait until it has.

        Raises:
            ServerFailed: when it does not in time.
        """
        saved = self.folder / "mosquitto.db"
        before = saved.stat().st_ino if saved.exists() else None
        os.kill(self.pid, signal.SIGUSR1)
        # a new file takes the place of the old one
        if not until(lambda: saved.exists() and saved.stat().st_ino != before, timeout_s):
            raise ServerFailed(f"expected Mosquitto to write within {timeout_s:g} s, found {saved} unchanged")

    def reload(self) -> None:
        """Read passwords and permissions anew, without a restart."""
        os.kill(self.pid, signal.SIGHUP)

    def _prepare(self) -> None:
        settings = self._settings | {"listener": f"{self.port} {HOST}"}
        lines = [*(f"{key} {value}" for key, value in settings.items()), *(f"log_type {t}" for t in self._log_types)]
        (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def _command(self) -> list[str]:
        return [str(_on_path("mosquitto")), "-c", str((self.folder / "mosquitto.conf").resolve())]

    def _probe(self) -> None:
        with socket.create_connection((HOST, self.port), PROBE_S) as connection:
            connection.sendall(_CONNECT)
            if connection.recv(4)[:1] != _CONNACK:
                raise ConnectionError("expected an answer to CONNECT, found none")


def missing() -> dict[str, str]:
    """What is not installed on this machine: Debian's package, and what it is."""
    return {package: title for package, (title, find, program) in _PACKAGES.items() if find(program) is None}


def _postgres(program: str) -> Path | None:
    installed = Path("/usr/lib/postgresql").glob(f"*/bin/{program}")
    return max(installed, key=lambda path: int(path.parts[4]), default=None)


def _rabbitmq(program: str) -> Path | None:
    return max(Path("/usr/lib/rabbitmq/lib").glob(f"rabbitmq_server-*/sbin/{program}"), default=None)


def _on_path(program: str) -> Path | None:
    found = shutil.which(program, path=PATH)
    return Path(found) if found else None


_PACKAGES: dict[str, tuple[str, Callable[[str], Path | None], str]] = {
    "postgresql": ("PostgreSQL", _postgres, "postgres"),
    "rabbitmq-server": ("RabbitMQ", _rabbitmq, "rabbitmq-server"),
    "mosquitto": ("Mosquitto", _on_path, "mosquitto"),
    "mosquitto-clients": ("mosquitto_pub and mosquitto_sub", _on_path, "mosquitto_pub"),
    "amqp-tools": ("amqp-publish and amqp-consume", _on_path, "amqp-publish"),
}


def _login(user: str, password: str) -> str:
    return f"{quote(user, safe='')}:{quote(password, safe='')}"
