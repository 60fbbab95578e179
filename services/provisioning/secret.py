"""The one secret of an installation: random bytes from which all users' passwords at the servers are derived."""

import base64
import contextlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from services.runtime.errors import HujiaoError

SHA256 = "rabbit_password_hashing_sha256"
"""What RabbitMQ calls the only way of hashing that `salted_hash` knows; every version has it."""

SALT_BYTES = 4
SECRET_BYTES = 32
PASSWORD_CHARACTERS = 32
"""Of base32: 160 bits, so that no number of guesses and no slow hash matters."""


class Secret:
    """What passwords are derived from. They stand in no file: whoever has the secret can compute any of them."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def password(self, user: str) -> str:
        """The password of a user: 32 capital letters and digits, always the same."""
        return base64.b32encode(self._derive(f"password/{user}")).decode("ascii")[:PASSWORD_CHARACTERS]

    def salt(self, user: str, size: int) -> bytes:
        """Up to 32 bytes to salt a hash of a user's password: the same secret gives the same hashes and files."""
        return self._derive(f"salt/{user}")[:size]

    def _derive(self, purpose: str) -> bytes:
        return hmac.digest(self._key, purpose.encode("utf-8"), "sha256")


def salted_hash(password: str, salt: bytes) -> str:
    """What RabbitMQ keeps of a password: base64 of a salt of four bytes and the SHA-256 of salt and password."""
    return base64.b64encode(salt + sha256(salt + password.encode("utf-8")).digest()).decode("ascii")


def is_hash_of(password: str, kept: str) -> bool:
    """Whether RabbitMQ would take this password by the hash that it keeps."""
    try:
        salt = base64.b64decode(kept, validate=True)[:SALT_BYTES]
    except ValueError:
        return False
    return hmac.compare_digest(salted_hash(password, salt), kept)


def read_secret(path: Path) -> Secret:
    """The secret in a file.

    Raises:
        HujiaoError: when there is none, or it does not hold exactly 32 bytes.
    """
    try:
        key = path.read_bytes()
    except OSError as error:
        raise HujiaoError(f"secret file: expected {SECRET_BYTES} bytes in {path}, found: {error.strerror}") from error
    if len(key) != SECRET_BYTES:
        raise HujiaoError(f"secret file: expected {SECRET_BYTES} bytes in {path}, found {len(key)}")
    return Secret(key)


def ensure_secret(path: Path, fresh: Callable[[int], bytes] = secrets.token_bytes) -> Secret:
    """The secret in a file. A missing one is created, for its owner alone; one that is there is never changed.

    Raises:
        HujiaoError: when it cannot be created, or is there and no secret.
    """
    if path.exists():
        return read_secret(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, written = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600 from the start
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(fresh(SECRET_BYTES))
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):  # somebody else was faster: theirs stays
                os.link(written, path)
        finally:
            Path(written).unlink()
    except OSError as error:
        raise HujiaoError(f"secret file: expected to create {path}, found: {error.strerror}") from error
    return read_secret(path)
