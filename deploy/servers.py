"""Starts private PostgreSQL, RabbitMQ and Mosquitto servers, each in a folder and on ports of its own."""

import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

HOST = "127.0.0.1"
READY_S = 120.0
STOPPED_S = 60.0
POLL_S = 0.03
LOG_LINES = 25

_TAKEN = re.compile(r"address already in use|eaddrinuse|could not bind", re.IGNORECASE)
_DIED = (None, "Z", "X")

_SPAWNER = ThreadPoolExecutor(1, thread_name_prefix="servers")
"""Starts every server: a child that is bound to its parent dies with the thread that started it, and this one stays."""

_LEFT: list[subprocess.Popen[bytes]] = []
"""Children that shall outlive this process; kept here because Python warns of running children that are let go."""


class ServerFailed(RuntimeError):
    """A server did not start, stop or answer as it should; the message ends with the end of its log."""


@dataclass(frozen=True)
class Process:
    """A process by id and start, because ids are given anew."""

    pid: int
    started: int

    @classmethod
    def find(cls, pid: int) -> "Process | None":
        """The process that has this id now; None when there is none, or one that ended and was not waited for."""
        stat = _stat(pid)
        return cls(pid, stat[2]) if stat and stat[0] not in _DIED else None

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self == Process.find(self.pid)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, to this process only."""
        with suppress(ProcessLookupError):
            if self.alive:
                os.kill(self.pid, number)


class Server(ABC):
    """A private server in ``folder``, as a handle: the same folder is the same server, in any process.

    Its ports are chosen at the first start and kept, so that what it said and stored is valid after each start.
    It dies with the process that started it, however that dies, unless ``outlive`` is set. Linux only.
    """

    TITLE: ClassVar[str]
    PORTS: ClassVar[tuple[str, ...]]
    STOP: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, folder: Path, *, outlive: bool = False) -> None:
        self.folder, self.outlive = folder, outlive
        self.log = folder / "log"
        self._kept = folder / "server.json"
        self._children: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def ports(self) -> dict[str, int]:
        """Its ports by their purpose; empty before the first start."""
        ports: dict[str, int] = self._state()["ports"]
        return ports

    @property
    def port(self) -> int:
        """The port that clients use."""
        return self.ports[self.PORTS[0]]

    @property
    def running(self) -> bool:
        """Whether its main process runs."""
        return bool(started := self._started()) and started[-1].alive

    @property
    def pid(self) -> int:
        """The id of the main process."""
        if not self.running:
            raise ServerFailed(f"expected {self.TITLE} in {self.folder} to run, found it stopped")
        return self._started()[-1].pid

    @property
    def pids(self) -> list[int]:
        """The ids of all its processes."""
        return [process.pid for process in _family(self._started())]

    def start(self, timeout_s: float = READY_S) -> None:
        """Start it, unless it runs, and wait until it answers.

        Raises:
            ServerFailed: when it ends, or does not answer in time. Nothing is left running then.
        """
        if self.running:
            return
        fresh = not self.ports
        try:
            self.launch()
            self.wait_ready(timeout_s)
        except ServerFailed as failed:
            if not (fresh and _TAKEN.search(str(failed))):
                raise
            # somebody took a port between our look and the server's
            self._keep({}, [])
            self.launch()
            self.wait_ready(timeout_s)

    def launch(self) -> None:
        """Start it without waiting; `wait_ready` must follow."""
        self.kill()
        self.folder.mkdir(parents=True, exist_ok=True)
        ports = self.ports or dict(zip(self.PORTS, free_ports(len(self.PORTS)), strict=True))
        self._keep(ports, [])
        self._prepare()
        started: list[Process] = []
        for command in self._commands():
            started.append(self._spawn(command))
            self._keep(ports, started)

    def wait_ready(self, timeout_s: float = READY_S) -> None:
        """Wait until it answers.

        Raises:
            ServerFailed: when it ends or does not answer in time; it is killed then.
        """
        try:
            self._wait_for_an_answer(timeout_s)
        except BaseException:
            self.kill()
            raise

    def stop(self, timeout_s: float = STOPPED_S) -> None:
        """Let it finish and end; nothing to do when it does not run.

        Raises:
            ServerFailed: when it had to be killed.
        """
        family = _family(self._started())
        stopped = True
        if self.running:
            main = self._started()[-1]
            main.signal(self.STOP)
            stopped = _until(lambda: not main.alive, timeout_s)
        _end(family)
        self._reap()
        if not stopped:
            raise ServerFailed(
                f"expected {self.TITLE} to stop within {timeout_s:g} s, had to kill it\n{self._end_of_log()}"
            )

    def kill(self) -> None:
        """End all its processes at once with SIGKILL, as a power failure would."""
        for process in self._started():
            process.signal(signal.SIGSTOP)  # who stands still starts no more children
        _end(_family(self._started()))
        self._reap()

    def restart(self, timeout_s: float = READY_S) -> None:
        """Stop and start, on the same ports."""
        self.stop()
        self.start(timeout_s)

    @abstractmethod
    def _prepare(self) -> None:
        """Make data folder and configuration, for the present ports."""

    @abstractmethod
    def _commands(self) -> list[list[str]]:
        """What to run; the last one is the main process."""

    @abstractmethod
    def _probe(self) -> None:
        """Ask it something; raises when there is no good answer."""

    def _environment(self) -> dict[str, str]:
        return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}

    def _privileges(self) -> list[str]:
        return []

    def _fault(self) -> Exception | None:
        try:
            self._probe()
        except (OSError, psycopg.Error, ServerFailed) as fault:
            return fault
        return None

    def _wait_for_an_answer(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while (fault := self._fault()) is not None:
            if not self.running:
                raise ServerFailed(f"expected {self.TITLE} to start, found that it ended\n{self._end_of_log()}")
            if time.monotonic() > deadline:
                raise ServerFailed(
                    f"expected {self.TITLE} to answer within {timeout_s:g} s, found: {fault}\n{self._end_of_log()}"
                )
            time.sleep(POLL_S)

    def _spawn(self, command: list[str]) -> Process:
        bound = [] if self.outlive else ["--pdeathsig", "KILL"]
        privileges = [*bound, *self._privileges()]
        with self.log.open("ab") as log:
            child = _SPAWNER.submit(
                subprocess.Popen,
                ["setpriv", *privileges, "--", *command] if privileges else command,
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            ).result()
        (_LEFT if self.outlive else self._children).append(child)
        started = Process.find(child.pid)
        return started or Process(child.pid, 0)

    def _run(self, command: list[str], timeout_s: float = READY_S) -> str:
        privileges = self._privileges()
        done = subprocess.run(
            ["setpriv", *privileges, "--", *command] if privileges else command,
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode:
            raise ServerFailed(
                f"expected {Path(command[0]).name} to succeed, found status {done.returncode}\n"
                f"{done.stdout}{done.stderr}"
            )
        return done.stdout

    def _state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads(self._kept.read_bytes())
        except FileNotFoundError:
            return {"ports": {}, "processes": []}
        return state

    def _started(self) -> list[Process]:
        return [Process(pid, started) for pid, started in self._state()["processes"]]

    def _keep(self, ports: dict[str, int], processes: list[Process]) -> None:
        state = {"ports": ports, "processes": [(process.pid, process.started) for process in processes]}
        written = self._kept.with_suffix(".new")
        written.write_text(json.dumps(state))
        written.replace(self._kept)

    def _reap(self) -> None:
        for child in (*self._children, *_LEFT):
            child.poll()
        self._children = [child for child in self._children if child.returncode is None]

    def _end_of_log(self) -> str:
        with suppress(FileNotFoundError):
            lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
            return "\n".join([f"the end of {self.log}:", *(f"  {line}" for line in lines)])
        return f"{self.log} was not written"


class PostgresServer(Server):
    """PostgreSQL with a superuser who logs in by password, over TCP alone.

    It refuses to run as root and runs as the user ``postgres`` then, who must be able to enter ``folder``.
    """

    TITLE = "PostgreSQL"
    PORTS = ("postgresql",)
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

    def _commands(self) -> list[list[str]]:
        settings = {"listen_addresses": HOST, "port": self.port, "unix_socket_directories": ""}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [[str(_postgres("postgres")), "-D", str(self._data), *options]]

    def _privileges(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        postgres = pwd.getpwnam("postgres")
        return ["--reuid", str(postgres.pw_uid), "--regid", str(postgres.pw_gid), "--clear-groups"]

    def _probe(self) -> None:
        with psycopg.connect(self.url(), connect_timeout=5) as connection:
            connection.execute("SELECT 1")


def missing() -> dict[str, str]:
    """Which servers are not installed on this machine, each with the Debian package that has it."""
    found = {"postgresql": _postgres("postgres")}
    return {package: package for package, path in found.items() if path is None}


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 on which nobody listens.

    They lie below those that the system gives to outgoing connections: else a client that tries again and again to
    reach a stopped server is one day given that server's own port, connects to itself, and the port is taken.
    """
    first_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    candidates = range(max(1024, first_outgoing - 7000), first_outgoing)
    ports: list[int] = []
    with ExitStack() as held:
        for port in random.SystemRandom().sample(candidates, len(candidates)):
            listener = held.enter_context(socket.socket())
            with suppress(OSError):
                listener.bind((HOST, port))
                ports.append(port)
            if len(ports) == count:
                return ports
    raise ServerFailed(f"expected {count} free ports in {candidates}, found {len(ports)}")


def _postgres(program: str) -> Path | None:
    installed = Path("/usr/lib/postgresql").glob(f"*/bin/{program}")
    return max(installed, key=lambda path: int(path.parts[4]), default=None)


def _login(user: str, password: str) -> str:
    return f"{quote(user, safe='')}:{quote(password, safe='')}"


def _stat(pid: int) -> tuple[str, int, int] | None:
    """State, parent and start of a process."""
    with suppress(FileNotFoundError, ProcessLookupError):
        # the name in brackets may hold anything
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(") ")[2].split()
        return fields[0], int(fields[1]), int(fields[19])
    return None


def _family(roots: Iterable[Process]) -> list[Process]:
    """These processes and all their descendants, as far as they run."""
    everybody = {int(entry.name): _stat(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    children: dict[int, list[int]] = {}
    for pid, stat in everybody.items():
        if stat:
            children.setdefault(stat[1], []).append(pid)
    family, waiting = [], [root.pid for root in roots if root.alive]
    while waiting:
        pid = waiting.pop()
        if process := Process.find(pid):
            family.append(process)
        waiting += children.get(pid, [])
    return family


def _end(processes: Iterable[Process]) -> None:
    doomed = list(processes)
    for process in doomed:
        process.signal(signal.SIGKILL)
    if not _until(lambda: not any(process.alive for process in doomed), STOPPED_S):
        raise ServerFailed(f"expected killed processes to end, found {[p.pid for p in doomed if p.alive]}")


def _until(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True
