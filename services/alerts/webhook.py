"""Alerts as signed HTTP requests, by the Standard Webhooks specification, so that receivers need nothing of ours.

Source: Standard Webhooks 1.0.0, https://www.standardwebhooks.com.
"""

import asyncio
import base64
import hmac
from collections.abc import Mapping
from http import HTTPStatus

import httpx
import msgspec

from services.alerts.alert import Alert, Message, Overdue
from services.alerts.notifier import TIMEOUT_S, Delivered, Outcome, Refused, TryLater
from services.runtime.clock import Clock

TYPES: Mapping[type[Message], str] = {Alert: "call.alerted.v1", Overdue: "person.secondment-overdue.v1"}
PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
"""Answers of the 4xx that say nothing against the alert itself."""

LONGEST_REST_S = 600.0
"""A receiver that wants more rest than this gets no more."""


def signature(secret: bytes, id_: str, timestamp: str, body: bytes) -> str:
    """``v1,`` and the base64 of HMAC-SHA256 over ``id.timestamp.body``; ``timestamp`` is in seconds since 1970."""
    signed = b".".join((id_.encode(), timestamp.encode(), body))
    return f"v1,{base64.b64encode(hmac.digest(secret, signed, 'sha256')).decode()}"


def body_of(alert: Message) -> bytes:
    """The JSON of an alert, the same however often it is sent."""
    return msgspec.json.encode({"type": TYPES[type(alert)], "timestamp": alert.alerted_at, "data": alert})


class Webhook:
    """Posts alerts to one URL. Follows no redirect and reads no answer but its status."""

    def __init__(
        self, url: str, secret: bytes, client: httpx.AsyncClient, clock: Clock, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._url, self._secret, self._client, self._clock = url, secret, client, clock
        self._timeout_s = timeout_s

    async def deliver(self, alert: Message) -> Outcome:
        """Delivered with any 2xx; refused with any 4xx but 408 and 429; whatever else happens may pass."""
        body, timestamp = body_of(alert), str(int(self._clock.now().timestamp()))
        headers = {
            "content-type": "application/json",
            "user-agent": "hujiao",
            "webhook-id": alert.id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signature(self._secret, alert.id, timestamp, body),
        }
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._client.stream(
                    "POST", self._url, content=body, headers=headers, follow_redirects=False, timeout=self._timeout_s
                ) as response,
            ):
                return _outcome(response)
        except (httpx.HTTPError, OSError) as error:
            return TryLater(type(error).__name__)


def _outcome(response: httpx.Response) -> Outcome:
    status = response.status_code
    if response.is_success:
        return Delivered()
    if response.is_client_error and status not in PASSING:
        return Refused(f"status {status}")
    rest = response.headers.get("retry-after", "")
    return TryLater(f"status {status}", min(float(rest), LONGEST_REST_S) if rest.isascii() and rest.isdigit() else 0.0)
