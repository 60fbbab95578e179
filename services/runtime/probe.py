"""What a supervisor asks a process over HTTP: whether it lives, whether it is ready, and its metrics."""

import json
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CONTENT_TYPE_LATEST

from services.runtime.errors import HujiaoError
from services.runtime.pulse import Pulse


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name for it
        """Nobody reads the log of a probe."""


class Probe:
    """Answers on one port of this machine: ``/live``, ``/ready`` (200 or 503, with each part) and ``/metrics``.

    ``alive`` is asked for ``/live``: a process that says no should be started anew.
    """

    def __init__(self, port: int, pulse: Pulse, alive: Callable[[], bool], host: str = "127.0.0.1") -> None:
        self._pulse, self._alive = pulse, alive
        try:
            self._server = make_server(host, port, self._answer, _Server, _Quiet)
        except OSError as error:
            raise HujiaoError(f"HUJIAO_PROBE_PORT: expected a free port, found {port}: {error}") from error
        Thread(target=self._server.serve_forever, name="probe", daemon=True).start()

    @property
    def port(self) -> int:
        """Where it answers."""
        return self._server.server_port

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/live":
                status, form, body = _judged(self._alive(), {"service": self._pulse.service})
            case "/ready":
                parts = {"service": self._pulse.service, "parts": dict(self._pulse.parts())}
                status, form, body = _judged(self._pulse.ready(), parts)
            case "/metrics":
                status, form, body = "200 OK", CONTENT_TYPE_LATEST, self._pulse.metrics()
            case _:
                status, form, body = "404 Not Found", "text/plain", b"expected /live, /ready or /metrics\n"
        start(status, [("Content-Type", form), ("Content-Length", str(len(body)))])
        return [body]


def _judged(good: bool, about: dict[str, Any]) -> tuple[str, str, bytes]:
    status = "200 OK" if good else "503 Service Unavailable"
    return status, "application/json", json.dumps({"ok": good, **about}).encode() + b"\n"
