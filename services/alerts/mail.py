"""Alerts as e-mail over SMTP, one message each."""

import asyncio
from contextlib import suppress
from email.message import EmailMessage
from typing import Literal

from aiosmtplib import SMTP, SMTPException, SMTPRecipientsRefused, SMTPResponseException
from msgspec import Struct

from services.alerts.alert import CONFIDENTIAL, CONFIDENTIAL_ZH, Alert, Message, Overdue
from services.alerts.notifier import TIMEOUT_S, Delivered, Outcome, Refused, TryLater

Security = Literal["starttls", "tls", "none"]

PERMANENT = 500
"""Replies from here on are for good. Source: RFC 5321, 4.2.1."""

QUIT_S = 1.0

ROLES = {"lead": "主办", "assist": "协办", "consult": "会商"}


class Server(Struct, frozen=True, kw_only=True):
    """A mail server. With ``starttls`` or ``tls`` its certificate is checked and nothing is sent in clear."""

    host: str
    port: int
    security: Security
    user: str = ""
    password: str = ""


class Mail:
    """Sends alerts to one mailbox."""

    def __init__(self, server: Server, sender: str, to: str, timeout_s: float = TIMEOUT_S) -> None:
        self._server, self._sender, self._to, self._timeout_s = server, sender, to, timeout_s

    async def deliver(self, alert: Message) -> Outcome:
        """Delivered once the server has taken the message; refused when it says so for good."""
        server, message, taken = self._server, message_of(alert, self._sender, self._to), False
        client = SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user or None,
            password=server.password or None,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            timeout=self._timeout_s,
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                await client.connect()
                await client.send_message(message)
                taken = True
            with suppress(SMTPException, OSError):
                await client.quit(timeout=QUIT_S)
        except (SMTPException, OSError) as error:
            return Delivered() if taken else _outcome(error)
        finally:
            client.close()
        return Delivered()


def message_of(alert: Message, sender: str, to: str) -> EmailMessage:
    """The message of an alert; its Message-ID is the same however often it is sent."""
    message = EmailMessage()
    message["Message-ID"] = f"<{alert.id.replace(':', '.')}.alert@{sender.rpartition('@')[2]}>"
    message["From"], message["To"] = sender, to
    message["Date"] = alert.alerted_at
    subject, *lines = _overdue(alert) if isinstance(alert, Overdue) else _called(alert)
    message["Subject"] = subject
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n".join((*lines, "", alert.link)) + "\n", cte="base64")
    return message


def _overdue(alert: Overdue) -> tuple[str, ...]:
    return (
        f"{alert.town_zh} 借调人员逾期未归",
        f"{alert.town_zh} ({alert.town}) 有借调人员逾期未归，请到控制台「人员」查看。",
        "Somebody of the town is lent and not back: look in the console, under people.",
    )


def _called(alert: Alert) -> tuple[str, ...]:
    about = f"{alert.matter} {alert.matter_zh}" if alert.matter else f"{CONFIDENTIAL_ZH} ({CONFIDENTIAL})"
    by = f"{alert.acknowledge_by:%Y-%m-%d %H:%M}"
    return (
        f"[{alert.handling_class}] {alert.town_zh} 呼叫 {alert.department_zh}: {about}",
        f"{alert.town_zh} 呼叫 {alert.department_zh} ({alert.department})",
        "",
        f"事项 matter: {about}",
        f"办理类别 class: {alert.handling_class}",
        f"角色 role: {ROLES[alert.role]} {alert.role}",
        f"签收期限 acknowledge by: {by} (Asia/Shanghai)",
        f"事件 case: {alert.case}",
    )


def _outcome(error: SMTPException | OSError) -> Outcome:
    match error:
        case SMTPRecipientsRefused(recipients=recipients):
            codes = [refused.code for refused in recipients]
            return _answered(min(codes, default=PERMANENT))
        case SMTPResponseException(code=code):
            return _answered(code)
        case _:
            return TryLater(type(error).__name__)


def _answered(code: int) -> Outcome:
    return Refused(f"reply {code}") if code >= PERMANENT else TryLater(f"reply {code}")
