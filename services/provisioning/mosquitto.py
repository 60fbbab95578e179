"""Mosquitto's password and access files: one user for each terminal, and the service that hears them all. Pure."""

import base64
import hashlib
from collections.abc import Iterator

from events.district import District
from services.messaging.topology import REPORTS, SVC_TERMINALS, news_topic, receipt_topic, report_topic
from services.provisioning.secret import Secret

PBKDF2_SHA512 = 7
"""How Mosquitto 2 calls this way of hashing in its password file."""

ITERATIONS = 101
"""Mosquitto's own default. Our passwords are random: there is nothing that more rounds could protect."""

SALT_BYTES = 12


def may(district: District) -> dict[str, tuple[tuple[str, str], ...]]:
    """What each user of Mosquitto may do: ``write`` or ``read``, and the topic."""
    towns = {town.code: town.alias for town in district.towns}
    terminals = {
        terminal.name: (
            ("write", report_topic(towns[terminal.town], terminal.channel, terminal.name)),
            ("read", receipt_topic(terminal.name)),
            ("read", news_topic(terminal.name)),
        )
        for terminal in district.terminals
    }
    service = (("read", REPORTS), ("write", receipt_topic("#")), ("write", news_topic("#")))
    return {SVC_TERMINALS: service, **terminals}


def access_file(district: District) -> str:
    """The content of ``acl_file``: whoever is not named, and whatever is not named, is refused."""

    def lines() -> Iterator[str]:
        for user, allowed in may(district).items():
            yield f"user {user}"
            yield from (f"topic {access} {topic}" for access, topic in allowed)
            yield ""

    return "\n".join(lines())


def password_file(district: District, secret: Secret) -> str:
    """The content of ``password_file``; the same secret always gives the same."""
    return "".join(f"{user}:{_hashed(user, secret)}\n" for user in may(district))


def _hashed(user: str, secret: Secret) -> str:
    salt = secret.salt(f"mosquitto/{user}", SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", secret.password(user).encode("utf-8"), salt, ITERATIONS)
    words = (base64.b64encode(part).decode("ascii") for part in (salt, digest))
    return f"${PBKDF2_SHA512}${ITERATIONS}${'$'.join(words)}"
