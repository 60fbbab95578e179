"""Who receives alerts in the tests: a real HTTP server and a real SMTP server that answer as they are told."""

import asyncio
import json
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from aiosmtpd.smtp import SMTP, Envelope, Session

HOST = "127.0.0.1"
HANG = "hang"


class Posted(NamedTuple):
    """A request as the HTTP server saw it."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.body)["data"]
        return data


class Endpoint:
    """An HTTP server. ``answers`` are given one by one, then ``always``; each a status, with headers if need be."""

    def __init__(self) -> None:
        self.posted: list[Posted] = []
        self.answers: deque[Any] = deque()
        self.always: Any = 204
        self.woken = threading.Event()
        self.url = ""

    def answer(self) -> Any:
        return self.answers.popleft() if self.answers else self.always


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    """An HTTP server at work on a free port."""
    told = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the library looks for this name
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            told.posted.append(Posted(self.path, headers, body))
            answer = told.answer()
            if answer == HANG:
                told.woken.wait()
                return
            status, headers = answer if isinstance(answer, tuple) else (answer, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            told.posted.append(Posted(self.path, {}, b""))

        def log_message(self, *args: object) -> None:
            """Nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server((HOST, 0), Handler) as server:
        told.url = f"http://{HOST}:{server.server_port}/alerts"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield told
        finally:
            told.woken.set()
            server.shutdown()
            thread.join()


class Mailbox:
    """An SMTP server's mailboxes but ``unknown``. ``answers`` are given to messages one by one, then ``always``."""

    def __init__(self) -> None:
        self.received: list[EmailMessage] = []
        self.encrypted: list[bool] = []
        self.answers: deque[str] = deque()
        self.always = "250 OK"
        self.woken = asyncio.Event()
        self.port = 0
        self.unknown = ""

    async def handle_RCPT(  # noqa: N802  # the library looks for this name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address == self.unknown:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802  # and for this
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        answer = self.answers.popleft() if self.answers else self.always
        if answer == HANG:
            await self.woken.wait()
            return "421 bye"
        assert isinstance(envelope.content, bytes)
        self.received.append(message_from_bytes(envelope.content, policy=policy.default))
        self.encrypted.append(session.ssl is not None)
        return answer


@asynccontextmanager
async def mailbox(**options: Any) -> AsyncIterator[Mailbox]:
    """An SMTP server at work on a free port."""
    told = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(told, hostname="mail.test", loop=loop, **options), HOST, 0)
    told.port = server.sockets[0].getsockname()[1]
    try:
        yield told
    finally:
        told.woken.set()
        server.close()
