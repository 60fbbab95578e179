"""The vault: keys for everything that can name a person, in a database of its own.

Words are encrypted with AES-GCM under a random key per report or case. The nonce is a keyed hash of the
words, so the same words under the same key give the same bytes, and a repeated request can be recognised
without opening anything. Destroying the key erases the person everywhere, and the log still verifies.
"""

import hmac
import secrets
import sqlite3
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from threading import RLock
from typing import TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import msgpack

from events.ids import PREFIX
from events.private import Sealed
from services.runtime.errors import Damaged, Erased

NONCE_BYTES = 12
KEY_BYTES = 32
CACHED_KEYS = 5_000
PSEUDONYMS = "pseudonyms"

_TABLES = """
CREATE TABLE IF NOT EXISTS keys (stream TEXT PRIMARY KEY, key BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tombstones (stream TEXT PRIMARY KEY, erased_at TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS periods (month TEXT PRIMARY KEY, key BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sources (source TEXT PRIMARY KEY, key BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attachments (stream TEXT, sha256 TEXT, box BLOB NOT NULL, PRIMARY KEY (stream, sha256));
CREATE TABLE IF NOT EXISTS openings (n INTEGER PRIMARY KEY AUTOINCREMENT, opened_at TEXT NOT NULL,
    who TEXT NOT NULL, purpose TEXT NOT NULL, stream TEXT NOT NULL);
"""

T = TypeVar("T")


class Vault:
    """Encrypts, opens, erases. One instance per process; safe to share between threads.

    New keys are kept back until `flush`, which makes them durable; call it before the facts that need them
    are committed, and `discard` when they are not wanted after all.
    """

    def __init__(self, path: Path) -> None:
        self._lock = RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=60)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_TABLES)
        self._keys: dict[str, bytes] = {}
        self._new: dict[str, bytes] = {}
        self._staged: list[tuple[str, str, bytes]] = []
        self._named: dict[tuple[str, str], bytes] = {}
        self._floor = ""
        self._data_version = -1
        self.refresh()

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def encrypt(self, stream: str, words: object) -> Sealed:
        """Encrypt a struct or string under the key of ``stream``, making the key if there is none.

        Raises:
            Erased: when that key was destroyed.
        """
        key = self._key(stream, create=True)
        return Sealed(stream, _encrypt(key, stream, msgpack.encode(words)))

    def open(self, box: Sealed, form: type[T], who: str, purpose: str, at: datetime) -> T:
        """The words in clear; that ``who`` opened them, and what for, is recorded first.

        Raises:
            Erased: when the key was destroyed.
            Damaged: when the bytes are not what was encrypted.
        """
        self.refresh()
        if not box.box:
            raise Erased(f"expected words of {box.key}, found none kept: the person behind them was erased before")
        key = self._key(box.key, create=False)
        with self._lock:
            self._db.execute(
                "INSERT INTO openings (opened_at, who, purpose, stream) VALUES (?,?,?,?)",
                (at.astimezone(UTC).isoformat(), who, purpose, box.key),
            )
        return msgpack.decode(_decrypt(key, box.key, box.box), type=form)

    def openings(self, stream: str) -> list[tuple[str, str, str]]:
        """Who opened words of ``stream``: ``(when, who, purpose)`` in order."""
        with self._lock:
            found = self._db.execute(
                "SELECT opened_at, who, purpose FROM openings WHERE stream=? ORDER BY n", (stream,)
            )
            return [(row[0], row[1], row[2]) for row in found]

    def stage_attachment(self, stream: str, content: bytes) -> None:
        """Encrypt bytes under the key of ``stream``; durable with the next `flush`, unless it is abandoned."""
        name = sha256(content).hexdigest()
        with self._lock:
            self._staged.append((stream, name, _encrypt(self._key(stream, create=True), f"{stream}/{name}", content)))

    def abandon(self) -> None:
        """Forget staged attachments: the transaction that wanted them was rolled back."""
        with self._lock:
            self._staged.clear()

    def attachment(self, stream: str, name: str) -> bytes:
        """The bytes of an attachment by the SHA-256 of its content.

        Raises:
            Erased: when the key was destroyed.
            KeyError: when there is no such attachment.
        """
        self.refresh()
        key = self._key(stream, create=False)
        with self._lock:
            row = self._db.execute("SELECT box FROM attachments WHERE stream=? AND sha256=?", (stream, name)).fetchone()
        if row is None:
            raise KeyError(name)
        return _decrypt(key, f"{stream}/{name}", row[0])

    def receipt_key(self, source: str) -> bytes:
        """The key from which a source's receipts are made; made at first use, durable at once."""
        return self._named_key("sources", "source", source)

    def pseudonym_key(self, month: str) -> bytes | None:
        """The key of a month (``2026-11``) for reporters' pseudonyms; ``None`` once it is destroyed."""
        with self._lock:
            oldest = self._db.execute("SELECT erased_at FROM tombstones WHERE stream=?", (PSEUDONYMS,)).fetchone()
        if oldest is not None and month < oldest[0]:
            return None
        return self._named_key("periods", "month", month)

    def destroy_pseudonyms_before(self, month: str) -> None:
        """Destroy the pseudonym keys of all months before ``month``, for ever."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM periods WHERE month < ?", (month,))
            self._db.execute(
                "INSERT INTO tombstones VALUES (?, ?) ON CONFLICT (stream)"
                " DO UPDATE SET erased_at = max(erased_at, excluded.erased_at)",
                (PSEUDONYMS, month),
            )
            self._db.execute("COMMIT")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._named.clear()

    def erase(self, streams: list[str], at: datetime) -> None:
        """Destroy the keys and attachments of streams, and what the file still held of them."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            for stream in streams:
                self._db.execute("DELETE FROM keys WHERE stream=?", (stream,))
                self._db.execute("DELETE FROM attachments WHERE stream=?", (stream,))
                self._db.execute("INSERT OR IGNORE INTO tombstones VALUES (?,?)", (stream, at.isoformat()))
                self._keys.pop(stream, None)
                self._new.pop(stream, None)
                self._floor = max(self._floor, stream[:PREFIX])
            self._db.execute("COMMIT")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def is_erased(self, stream: str) -> bool:
        """Whether the key of ``stream`` was destroyed."""
        with self._lock:
            return self._db.execute("SELECT 1 FROM tombstones WHERE stream=?", (stream,)).fetchone() is not None

    def refresh(self) -> None:
        """Notice keys that another process made or destroyed. Call it with the log's lock held, before making any.

        Stream ids begin with their time: a stream whose time is after the floor has a key in memory or none.
        """
        with self._lock:
            version = self._db.execute("PRAGMA data_version").fetchone()[0]
            if version != self._data_version:
                self._data_version = version
                self._keys.clear()
                newest = self._db.execute(
                    "SELECT max(stream) FROM (SELECT max(stream) AS stream FROM keys"
                    " UNION ALL SELECT max(stream) FROM tombstones WHERE stream <> ?)",
                    (PSEUDONYMS,),
                ).fetchone()[0]
                self._floor = max(self._floor, (newest or "")[:PREFIX])

    def mark(self) -> int:
        """A mark for `discard`."""
        return len(self._new)

    def discard(self, mark: int) -> None:
        """Forget keys made since ``mark`` whose request came to nothing."""
        with self._lock:
            for stream in list(self._new)[mark:]:
                del self._new[stream]

    def flush(self) -> None:
        """Make new keys and staged attachments durable. After this the facts that need them may be committed."""
        with self._lock:
            if self._new:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany("INSERT INTO keys VALUES (?,?)", self._new.items())
                self._db.execute("COMMIT")
                self._keys.update(self._new)
                self._new.clear()
            if self._staged:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany("INSERT OR REPLACE INTO attachments VALUES (?,?,?)", self._staged)
                self._db.execute("COMMIT")
                self._staged.clear()
            while len(self._keys) > CACHED_KEYS:
                oldest = next(iter(self._keys))
                del self._keys[oldest]
                self._floor = max(self._floor, oldest[:PREFIX])

    def _key(self, stream: str, create: bool) -> bytes:
        with self._lock:
            key = self._new.get(stream) or self._keys.get(stream)
            if key is not None:
                return key
            if create and stream[:PREFIX] > self._floor:
                return self._make(stream)
            row = self._db.execute(
                "SELECT (SELECT key FROM keys WHERE stream=?1), (SELECT 1 FROM tombstones WHERE stream=?1)", (stream,)
            ).fetchone()
            if row[1]:
                raise Erased(f"expected words of {stream}, found that the person behind them was erased")
            if row[0] is not None:
                self._keys[stream] = row[0]
                return bytes(row[0])
            if not create:
                raise Erased(f"expected a key for {stream}, found none in the vault")
            return self._make(stream)

    def _make(self, stream: str) -> bytes:
        key = self._new[stream] = secrets.token_bytes(KEY_BYTES)
        return key

    def _named_key(self, table: str, column: str, name: str) -> bytes:
        with self._lock:
            known = self._named.get((table, name))
            if known is None:
                self._db.execute(f"INSERT OR IGNORE INTO {table} VALUES (?,?)", (name, secrets.token_bytes(KEY_BYTES)))
                row = self._db.execute(f"SELECT key FROM {table} WHERE {column}=?", (name,)).fetchone()
                known = self._named[(table, name)] = bytes(row[0])
            return known


def _encrypt(key: bytes, about: str, words: bytes) -> bytes:
    context = about.encode()
    nonce = hmac.digest(key, b"nonce/" + context + b"/" + words, "sha256")[:NONCE_BYTES]
    return nonce + AESGCM(key).encrypt(nonce, words, context)


def _decrypt(key: bytes, about: str, box: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], about.encode())
    except (InvalidTag, ValueError) as error:
        raise Damaged(f"expected the encrypted words of {about}, found other bytes") from error
