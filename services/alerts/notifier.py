"""The port over which alerts leave, and what can become of one attempt. Adapters: `webhook` and `mail`.

SMS and the messengers of governments stand behind the webhook: their gateways are the operator's own.
"""

from typing import Protocol

from msgspec import Struct

from services.alerts.alert import Message

TIMEOUT_S = 10.0
"""How long one attempt may take from its first byte to the receiver's answer."""


class Delivered(Struct, frozen=True):
    """The receiver took it."""


class Refused(Struct, frozen=True):
    """The receiver will never take it, as long as nobody changes anything. ``cause`` is short and names no address."""

    cause: str


class TryLater(Struct, frozen=True):
    """The same again later may arrive; the receiver may also have it already. Not before ``after_s``, in seconds."""

    cause: str
    after_s: float = 0.0


Outcome = Delivered | Refused | TryLater


class Notifier(Protocol):
    """One channel."""

    async def deliver(self, alert: Message) -> Outcome:
        """Try once, for no longer than `TIMEOUT_S`. Raises nothing that has to do with the receiver or the network.

        The same alert again carries the same id, by which the receiver can tell that it has it.
        """
        ...
