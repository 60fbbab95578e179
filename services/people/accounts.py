"""Accounts: how users prove who they are. Passwords, tokens and sessions, in the vault's place and never in the log.

A password is kept as its argon2 hash; tokens and sessions are random, and kept as the hash of what their owner has.
"""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import NamedTuple

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from events.user import UserName
from services.runtime.errors import HujiaoError
from services.runtime.store import PASSWORDS, Database

SESSION = timedelta(hours=12)
"""A session ends with the shift, whatever happens in it."""

GUESSES, GUESSES_OF_ALL = 5, 50
"""Wrong passwords for one name from one address, and from everywhere, after which nobody is listened to for a while."""

LOCKED = timedelta(minutes=15)
SHORTEST, LONGEST = 10, 200
TOKEN_DAYS = 365

_SECRET_BYTES = 32


class WeakPassword(HujiaoError):
    """A password that is too short or too long."""


class Locked(HujiaoError):
    """Too many wrong passwords. The right one does not help either until the time is over."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"expected fewer wrong passwords, found too many: try again after {until:%H:%M:%S} UTC")
        self.until = until


class Session(NamedTuple):
    """What a browser keeps: the cookie's value, and what it sends back in a header with everything it changes."""

    secret: str
    csrf: str


class Accounts:
    """Passwords, tokens and sessions of users by their names. Safe to share between threads.

    Whether a user is enabled, and what they may do, stands in the log.
    """

    def __init__(self, database: Database, now: Callable[[], datetime], hasher: PasswordHasher | None = None) -> None:
        self._database, self._now = database, now
        self._hasher = hasher or PasswordHasher()

    @cached_property
    def _nobodys(self) -> str:
        """What the password of a user who does not exist is compared with."""
        return self._hasher.hash(secrets.token_urlsafe())

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def set_password(self, user: str, password: str) -> None:
        """Give a user a password, and end all their sessions.

        Raises:
            WeakPassword: when it is not of a length that is neither guessed nor a burden.
        """
        check_strength(password)
        with self._database.writing() as cursor:
            cursor.insert(PASSWORDS, [(user, self._hasher.hash(password))], replace=True)
            cursor.execute("DELETE FROM sessions WHERE name=?", (user,))

    def check(self, user: str, password: str, address: str) -> bool:
        """Whether this is the user's password. It takes as long for a user who does not exist.

        Raises:
            Locked: after too many wrong ones for this user, from this address or all together.
        """
        user = _possible(user)
        kept = self._database.look("SELECT hash FROM passwords WHERE name=?", (user,))
        for key, most in ((f"{user} {address}", GUESSES), (user, GUESSES_OF_ALL)):
            self._count_guess(key, most)
        right = self._is(kept[0][0] if kept else self._nobodys, password) and bool(kept)
        if right:
            with self._database.writing() as cursor:
                cursor.execute("DELETE FROM guesses WHERE what=? OR what=?", (f"{user} {address}", user))
        return right

    def _is(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False

    def _count_guess(self, key: str, most: int) -> None:
        """Count one more guess, before it is looked at, so that guessing at the same time does not help."""
        now = self._now()
        sql = (
            "INSERT INTO guesses VALUES (?, 1, ?) ON CONFLICT (what) DO UPDATE SET n = guesses.n + 1 RETURNING n, began"
        )
        with self._database.writing() as cursor:
            cursor.execute("DELETE FROM guesses WHERE began < ?", (_seconds(now - LOCKED),))
            n, began = cursor.execute(sql, (key, _seconds(now))).fetchone()
        if n > most:
            raise Locked(datetime.fromtimestamp(began, UTC) + LOCKED)

    def open_session(self, user: str) -> Session:
        """A session of a user who has shown the password."""
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        now = self._now()
        with self._database.writing() as cursor:
            cursor.execute("DELETE FROM sessions WHERE ends <= ?", (_seconds(now),))
            cursor.execute("INSERT INTO sessions VALUES (?,?,?)", (_hash(secret), user, _seconds(now + SESSION)))
        return Session(secret, csrf_of(secret))

    def session(self, secret: str) -> str | None:
        """The name of the user whose session this is, while it lasts."""
        sql = "SELECT name FROM sessions WHERE secret=? AND ends > ?"
        found = self._database.look(sql, (_hash(secret), _seconds(self._now())))
        return found[0][0] if found else None

    def end_session(self, secret: str) -> None:
        """Log out."""
        with self._database.writing() as cursor:
            cursor.execute("DELETE FROM sessions WHERE secret=?", (_hash(secret),))

    def give_token(self, user: str, label: str, days: int = TOKEN_DAYS) -> str:
        """A token for a program that acts for a user. It can be seen here and never again."""
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        ends = _seconds(self._now() + timedelta(days=days))
        with self._database.writing() as cursor:
            cursor.execute("INSERT INTO tokens VALUES (?,?,?,?)", (_hash(secret), user, label, ends))
        return secret

    def token(self, secret: str) -> str | None:
        """The name of the user whose token this is, while it lasts."""
        sql = "SELECT name FROM tokens WHERE secret=? AND ends > ?"
        found = self._database.look(sql, (_hash(secret), _seconds(self._now())))
        return found[0][0] if found else None

    def forget(self, user: str) -> None:
        """Take password, tokens and sessions of a user away."""
        with self._database.writing() as cursor:
            for table in ("passwords", "tokens", "sessions"):
                cursor.execute(f"DELETE FROM {table} WHERE name=?", (user,))


def check_strength(password: str) -> None:
    """Whether somebody may have this password.

    Raises:
        WeakPassword: when it is not of a length that is neither guessed nor a burden.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPassword(f"password: expected {SHORTEST} to {LONGEST} characters, found {len(password)}")


def csrf_of(session: str) -> str:
    """What goes with a session's cookie into a header: another site can make a browser send the one, not the other."""
    return _hash(f"csrf/{session}")


def _possible(user: str) -> str:
    """The name, or that of nobody for every one that no user can have: guesses of it are counted too, but not kept."""
    try:
        return msgspec.convert(user, UserName)
    except msgspec.ValidationError:
        return ""


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
