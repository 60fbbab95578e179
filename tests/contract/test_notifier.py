"""The contract of the port `Notifier`, over a real HTTP server and a real SMTP server."""

import asyncio
import base64
import hmac
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec import structs

from deploy.servers import free_ports
from services.alerts.alert import CONFIDENTIAL_ZH, Alert, Overdue
from services.alerts.mail import Mail, Server
from services.alerts.notifier import TIMEOUT_S, Delivered, Notifier, Refused, TryLater
from services.alerts.webhook import Webhook, body_of, signature
from services.rules.calendar import SHANGHAI
from services.runtime.clock import VirtualClock
from tests.receivers import HANG, HOST, Endpoint, endpoint, mailbox

SECRET = bytes(range(32))
NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
SHORT_S = 0.3
"""So long an attempt may take where the receiver hangs."""

CASE = "019ab1c2d3e4" + "02" * 10
ALERT = Alert(
    id="019ab1c2d3e4" + "03" * 10 + ":3",
    alerted_at=NOON.astimezone(SHANGHAI),
    town="445303100",
    town_zh="六都镇",
    matter="401",
    matter_zh="非法采矿",
    handling_class="U1",
    department="D15",
    department_zh="综合执法队",
    role="lead",
    acknowledge_by=(NOON + timedelta(minutes=15)).astimezone(SHANGHAI),
    call="019ab1c2d3e4" + "03" * 10,
    case=CASE,
    link=f"https://hujiao.example.cn/console/#case={CASE}",
)


class Rig(NamedTuple):
    """An adapter, once more in a hurry, and its receiver: what it says to the next alerts, and which reached it.

    Those that reached it are told by id and text.
    """

    notifier: Notifier
    hasty: Notifier
    say: Callable[[str], None]
    reached: Callable[[], list[tuple[str, str]]]


@asynccontextmanager
async def over_http() -> AsyncIterator[Rig]:
    words: dict[str, Any] = {"later": 503, "never": 410, "hang": HANG}
    with endpoint() as receiver:
        async with httpx.AsyncClient() as client:
            yield Rig(
                Webhook(receiver.url, SECRET, client, VirtualClock(NOON)),
                Webhook(receiver.url, SECRET, client, VirtualClock(NOON), SHORT_S),
                lambda word: receiver.answers.append(words[word]),
                lambda: [(posted.id, posted.body.decode()) for posted in receiver.posted],
            )


@asynccontextmanager
async def over_smtp() -> AsyncIterator[Rig]:
    words = {"later": "451 busy", "never": "550 no", "hang": HANG}
    async with mailbox() as receiver:
        yield Rig(
            mail_to(receiver.port),
            mail_to(receiver.port, timeout_s=SHORT_S),
            lambda word: receiver.answers.append(words[word]),
            lambda: [(str(found["Message-ID"]), text_of(found)) for found in receiver.received],
        )


@pytest.fixture(params=[over_http, over_smtp])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    async with request.param() as made:
        yield made


def mail_to(port: int, timeout_s: float = TIMEOUT_S, **changes: Any) -> Mail:
    server: dict[str, Any] = {"host": HOST, "port": port, "security": "none"}
    return Mail(Server(**server | changes), "hujiao@town.example.cn", "duty@d15.example.cn", timeout_s)


def text_of(message: EmailMessage) -> str:
    return f"{message['Subject']}\n{message.get_content()}"


# --- both


async def test_what_the_receiver_takes_is_delivered_and_says_what_to_do(rig: Rig) -> None:
    assert await rig.notifier.deliver(ALERT) == Delivered()

    ((_, said),) = rig.reached()
    for wanted in ("六都镇", "401", "非法采矿", "U1", "D15", "综合执法队", "lead", "12:15", CASE, ALERT.link):
        assert wanted in said


async def test_of_a_confidential_matter_nothing_is_named(rig: Rig) -> None:
    hidden = structs.replace(ALERT, matter="", matter_zh=CONFIDENTIAL_ZH)

    assert await rig.notifier.deliver(hidden) == Delivered()

    ((_, said),) = rig.reached()
    assert CONFIDENTIAL_ZH in said
    assert "非法采矿" not in said
    assert "401" not in said


async def test_of_an_overdue_return_the_town_and_where_to_look_are_told_and_nothing_else(rig: Rig) -> None:
    known = {"id": "overdue:7", "alerted_at": ALERT.alerted_at, "town": ALERT.town, "town_zh": ALERT.town_zh}

    assert await rig.notifier.deliver(Overdue(**known, link="https://hujiao.test/console/")) == Delivered()

    ((_, said),) = rig.reached()
    for wanted in ("六都镇", "445303100", "https://hujiao.test/console/"):
        assert wanted in said


async def test_what_is_put_off_arrives_later_under_the_same_id(rig: Rig) -> None:
    rig.say("later")
    rig.say("later")

    outcomes = [await rig.notifier.deliver(ALERT) for _ in range(3)]

    assert [type(outcome) for outcome in outcomes] == [TryLater, TryLater, Delivered]
    assert len({found for found, _ in rig.reached()}) == 1


async def test_another_alert_has_another_id(rig: Rig) -> None:
    await rig.notifier.deliver(ALERT)
    await rig.notifier.deliver(structs.replace(ALERT, id=ALERT.id.replace(":3", ":4")))

    assert len({found for found, _ in rig.reached()}) == 2


async def test_what_is_refused_for_good_is_refused(rig: Rig) -> None:
    rig.say("never")

    assert isinstance(await rig.notifier.deliver(ALERT), Refused)


async def test_a_receiver_that_hangs_holds_nobody_up(rig: Rig) -> None:
    rig.say("hang")

    hung = await rig.hasty.deliver(ALERT)
    after = await rig.notifier.deliver(ALERT)

    assert isinstance(hung, TryLater)
    assert after == Delivered()


async def test_alerts_that_leave_at_once_all_arrive(rig: Rig) -> None:
    many = [structs.replace(ALERT, id=f"{ALERT.call}:{n}") for n in range(1, 6)]

    assert await asyncio.gather(*(rig.notifier.deliver(one) for one in many)) == [Delivered()] * 5

    assert len({found for found, _ in rig.reached()}) == 5


@asynccontextmanager
async def notifiers_at(port: int) -> AsyncIterator[list[Notifier]]:
    async with httpx.AsyncClient() as client:
        yield [
            Webhook(f"http://{HOST}:{port}/", SECRET, client, VirtualClock(NOON)),
            mail_to(port),
        ]


async def test_nobody_there_may_be_there_later() -> None:
    (port,) = free_ports(1)

    async with notifiers_at(port) as notifiers:
        for notifier in notifiers:
            assert isinstance(await notifier.deliver(ALERT), TryLater)


@pytest.mark.parametrize("says", [b"", b"\xff\xfe\x00 nonsense\r\n", b"250-", b"HTTP/9"])
async def test_somebody_who_speaks_something_else_is_tried_again(says: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, HOST, 0)
    async with server, notifiers_at(server.sockets[0].getsockname()[1]) as notifiers:
        for notifier in notifiers:
            assert isinstance(await notifier.deliver(ALERT), TryLater)


# --- the webhook


@pytest.fixture
async def hook() -> AsyncIterator[tuple[Endpoint, Webhook, VirtualClock]]:
    clock = VirtualClock(NOON)
    with endpoint() as receiver:
        async with httpx.AsyncClient() as client:
            yield receiver, Webhook(receiver.url, SECRET, client, clock), clock


Hook = tuple[Endpoint, Webhook, VirtualClock]


async def test_the_signature_is_that_of_the_specification(hook: Hook) -> None:
    receiver, webhook, _ = hook

    await webhook.deliver(ALERT)

    (posted,) = receiver.posted
    signed = f"{posted.id}.{posted.headers['webhook-timestamp']}.".encode() + posted.body
    expected = base64.b64encode(hmac.new(SECRET, signed, "sha256").digest()).decode()
    assert posted.headers["webhook-signature"] == f"v1,{expected}"
    assert posted.headers["webhook-timestamp"] == str(int(NOON.timestamp()))
    assert posted.headers["content-type"] == "application/json"


def test_the_example_of_the_specification_is_signed_as_it_says() -> None:
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_a_second_try_has_the_same_id_and_body_and_a_signature_of_its_own_time(hook: Hook) -> None:
    receiver, webhook, clock = hook
    receiver.answers.append(500)

    await webhook.deliver(ALERT)
    clock.move(NOON + timedelta(minutes=1))
    await webhook.deliver(ALERT)

    first, second = receiver.posted
    assert (first.id, first.body) == (second.id, second.body) == (ALERT.id, body_of(ALERT))
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_every_good_status_is_a_delivery(hook: Hook, status: int) -> None:
    receiver, webhook, _ = hook
    receiver.always = status

    assert await webhook.deliver(ALERT) == Delivered()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 413, 422])
async def test_what_says_that_the_alert_is_wrong_is_not_sent_again(hook: Hook, status: int) -> None:
    receiver, webhook, _ = hook
    receiver.always = status

    assert await webhook.deliver(ALERT) == Refused(f"status {status}")


@pytest.mark.parametrize("status", [300, 302, 304, 408, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_sent_again(hook: Hook, status: int) -> None:
    receiver, webhook, _ = hook
    receiver.always = status

    assert await webhook.deliver(ALERT) == TryLater(f"status {status}")


@pytest.mark.parametrize(("rest", "after_s"), [("7", 7.0), ("99999", 600.0), ("soon", 0.0), ("-1", 0.0), ("²", 0.0)])
async def test_a_receiver_that_wants_rest_gets_some(hook: Hook, rest: str, after_s: float) -> None:
    receiver, webhook, _ = hook
    receiver.always = (429, {"retry-after": rest})

    assert await webhook.deliver(ALERT) == TryLater("status 429", after_s)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(hook: Hook, status: int) -> None:
    receiver, webhook, _ = hook
    receiver.always = (status, {"location": "/elsewhere"})

    assert await webhook.deliver(ALERT) == TryLater(f"status {status}")

    assert [posted.path for posted in receiver.posted] == ["/alerts"]


# --- e-mail


async def test_a_message_has_one_id_sender_and_date_however_often_it_is_sent() -> None:
    async with mailbox() as receiver:
        for _ in range(2):
            await mail_to(receiver.port).deliver(ALERT)

    first, second = receiver.received
    for header in ("Message-ID", "Date", "From", "To", "Subject"):
        assert first[header] == second[header]
    assert first["Message-ID"] == f"<{ALERT.id.replace(':', '.')}.alert@town.example.cn>"
    assert first["Auto-Submitted"] == "auto-generated"


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate of this machine that nobody knows yet, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "certificate.pem", folder / "key.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return public, context


def only_duty(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"duty", b"right"), handled=False)


@pytest.mark.parametrize(("password", "outcome"), [("right", Delivered()), ("wrong", Refused("reply 535"))])
async def test_over_starttls_the_server_is_known_and_so_are_we(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str, outcome: object
) -> None:
    known, context = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(known))
    async with mailbox(
        tls_context=context, require_starttls=True, authenticator=only_duty, auth_required=True
    ) as receiver:
        mail = mail_to(receiver.port, host="localhost", security="starttls", user="duty", password=password)

        assert await mail.deliver(ALERT) == outcome

    assert receiver.encrypted == [True] * len(receiver.received)
    assert len(receiver.received) == (outcome == Delivered())


async def test_a_server_that_nobody_vouches_for_is_told_nothing(tmp_path: Path) -> None:
    _, context = certificate(tmp_path)
    async with mailbox(tls_context=context) as receiver:
        outcome = await mail_to(receiver.port, host="localhost", security="starttls").deliver(ALERT)

    assert isinstance(outcome, TryLater)
    assert receiver.received == []


async def test_without_the_encryption_that_was_wanted_nothing_is_sent() -> None:
    async with mailbox() as receiver:
        outcome = await mail_to(receiver.port, security="starttls").deliver(ALERT)

    assert isinstance(outcome, TryLater)
    assert receiver.received == []


async def test_a_mailbox_that_is_not_there_is_refused() -> None:
    async with mailbox() as receiver:
        receiver.unknown = "duty@d15.example.cn"

        assert await mail_to(receiver.port).deliver(ALERT) == Refused("reply 550")

    assert receiver.received == []
