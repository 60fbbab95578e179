"""Starts, watches and ends a server that is private to its folder and touches nothing of the machine's own."""

import json
import os
import random
import re
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

HOST = "127.0.0.1"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
READY_S = 120.0
STOPPED_S = 60.0
POLL_S = 0.03
LOG_LINES = 25

_TAKEN = re.compile(r"address already in use|eaddrinuse|could not bind", re.IGNORECASE)

_SPAWNER = ThreadPoolExecutor(1, thread_name_prefix="servers")
"""Starts every server: a child that is bound to its parent dies with the thread that started it, and this one stays."""

_CHILDREN: list[subprocess.Popen[bytes]] = []
"""Every child, kept because Python warns of one that is let go before it was waited for: it may outlive this process,
or be ended by way of another handle."""


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
        return cls(pid, stat[2]) if stat and stat[0] not in "ZX" else None

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
    UNREADY: ClassVar[tuple[type[Exception], ...]] = (OSError,)
    """What the probe raises while there is no good answer."""

    def __init__(self, folder: Path, *, outlive: bool = False) -> None:
        self.folder, self.outlive = folder, outlive
        self.log = folder / "log"
        self._kept = folder / "server.json"
        self._child: subprocess.Popen[bytes] | None = None

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
        ports: dict[str, int] = self._state().get("ports", {})
        return ports

    @property
    def port(self) -> int:
        """The port that clients use."""
        return self.ports[self.PORTS[0]]

    @property
    def running(self) -> bool:
        """Whether its main process runs."""
        return bool((main := self._main()) and main.alive)

    @property
    def pid(self) -> int:
        """The id of the main process."""
        if (main := self._main()) and main.alive:
            return main.pid
        raise ServerFailed(f"expected {self.TITLE} in {self.folder} to run, found it stopped")

    @property
    def pids(self) -> list[int]:
        """The ids of all its processes."""
        return [process.pid for process in _family(self._main())]

    def start(self, timeout_s: float = READY_S) -> None:
        """Start it, unless it runs, and wait until it answers.

        Raises:
            ServerFailed: when it ends, or does not answer in time. Nothing is left running then.
        """
        if self.running:
            return
        fresh = not self.ports
        try:
            self._start(timeout_s)
        except ServerFailed as failed:
            if not (fresh and _TAKEN.search(str(failed))):
                raise
            # somebody took a port between our look and the server's
            self._keep({}, None)
            self._start(timeout_s)

    def stop(self, timeout_s: float = STOPPED_S) -> None:
        """Let it finish and end; nothing to do when it does not run.

        Raises:
            ServerFailed: when it had to be killed.
        """
        main = self._main()
        family = _family(main)
        if main:
            main.signal(self.STOP)
        stopped = not main or until(lambda: not main.alive, timeout_s)
        self._end(family)
        if not stopped:
            raise ServerFailed(
                f"expected {self.TITLE} to stop within {timeout_s:g} s, had to kill it\n{self._end_of_log()}"
            )

    def kill(self) -> None:
        """End all its processes at once with SIGKILL, as a power failure would."""
        if main := self._main():
            main.signal(signal.SIGSTOP)  # who stands still starts no more children
            self._end(_family(main))

    def restart(self, timeout_s: float = READY_S) -> None:
        """Stop and start, on the same ports."""
        self.stop()
        self.start(timeout_s)

    @abstractmethod
    def _prepare(self) -> None:
        """Make data folder and configuration, for the present ports."""

    @abstractmethod
    def _command(self) -> list[str]:
        """What to run; it must stay the main process."""

    @abstractmethod
    def _probe(self) -> None:
        """Ask it something; raises one of `UNREADY` when there is no good answer."""

    def _environment(self) -> dict[str, str]:
        return {"PATH": PATH, "LANG": "C.UTF-8"}

    def _privileges(self) -> list[str]:
        """Options of setpriv with which all its programs run."""
        return []

    def _run(self, command: list[str], extra: dict[str, str] | None = None, timeout_s: float = READY_S) -> str:
        """Run one of its tools; gives what it printed."""
        done = subprocess.run(
            _with(self._privileges(), command),
            cwd=self.folder,
            env={**self._environment(), **(extra or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode:
            raise ServerFailed(
                f"expected {Path(command[0]).name} to succeed, found status {done.returncode}:\n"
                f"{done.stdout}{done.stderr}"
            )
        return done.stdout

    def _start(self, timeout_s: float) -> None:
        self.kill()
        self.folder.mkdir(parents=True, exist_ok=True)
        ports = self.ports or dict(zip(self.PORTS, free_ports(len(self.PORTS)), strict=True))
        self._keep(ports, None)
        self._prepare()
        with self.log.open("ab") as log:
            child = _SPAWNER.submit(
                subprocess.Popen,
                _with(
                    self._privileges() if self.outlive else [*self._privileges(), "--pdeathsig=KILL"], self._command()
                ),
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            ).result()
        _CHILDREN.append(child)
        self._child = child
        self._keep(ports, Process.find(child.pid))
        try:
            self._wait_for_an_answer(timeout_s)
        except BaseException:
            self.kill()
            raise

    def _wait_for_an_answer(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            fault = self._fault()
            if not self.running:  # whoever answered was somebody else on our port
                raise ServerFailed(f"expected {self.TITLE} to start, found that it ended\n{self._end_of_log()}")
            if fault is None:
                return
            if time.monotonic() > deadline:
                raise ServerFailed(
                    f"expected {self.TITLE} to answer within {timeout_s:g} s, found: {fault}\n{self._end_of_log()}"
                )
            time.sleep(POLL_S)

    def _fault(self) -> Exception | None:
        try:
            self._probe()
        except self.UNREADY as fault:
            return fault
        return None

    def _end(self, processes: list[Process]) -> None:
        for process in processes:
            process.signal(signal.SIGKILL)
        if not until(lambda: not any(process.alive for process in processes), STOPPED_S):
            raise ServerFailed(f"expected the killed processes of {self.TITLE} to end, found some running")
        if self._child:
            self._child.wait()
            _CHILDREN.remove(self._child)
            self._child = None

    def _state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads(self._kept.read_bytes())
        except FileNotFoundError:
            return {}
        return state

    def _main(self) -> Process | None:
        main = self._state().get("main")
        return Process(*main) if main else None

    def _keep(self, ports: dict[str, int], main: Process | None) -> None:
        written = self._kept.with_suffix(".new")
        written.write_text(json.dumps({"ports": ports, "main": main and (main.pid, main.started)}))
        written.replace(self._kept)

    def _end_of_log(self) -> str:
        with suppress(FileNotFoundError):
            lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
            return "\n".join([f"the end of {self.log}:", *(f"  {line}" for line in lines)])
        return f"{self.log} was not written"


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


def _with(privileges: list[str], command: list[str]) -> list[str]:
    return ["setpriv", *privileges, "--", *command] if privileges else command


def _stat(pid: int) -> tuple[str, int, int] | None:
    """State, parent and start of a process."""
    with suppress(FileNotFoundError, ProcessLookupError):
        # the name in brackets may hold anything
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(") ")[2].split()
        return fields[0], int(fields[1]), int(fields[19])
    return None


def _family(main: Process | None) -> list[Process]:
    """This process and all its descendants, as far as they run."""
    if main is None or not main.alive:
        return []
    children: dict[int, list[int]] = {}
    for pid in [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]:
        if stat := _stat(pid):
            children.setdefault(stat[1], []).append(pid)
    family, waiting = [], [main.pid]
    while waiting:
        pid = waiting.pop()
        family += [process for process in [Process.find(pid)] if process]
        waiting += children.get(pid, [])
    return family


def until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Wait for a condition; gives whether it came true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True
