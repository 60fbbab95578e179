"""The vault: keys for everything that can name a person, in a database of its own.

Words are encrypted with AES-GCM under a random key per report or case. The nonce is a keyed hash of the
words, so the same words under the same key give the same bytes, and a repeated request can be recognised
without opening anything. Destroying the key erases the person everywhere, and the log still verifies.
"""

import hmac
import secrets
from collections.abc import Collection
from datetime import UTC, datetime
from hashlib import sha256
from threading import RLock
from typing import TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import msgpack

from events.ids import PREFIX
from events.private import Sealed
from services.runtime.errors import Damaged, Erased
from services.runtime.store import ATTACHMENTS, KEYS, Cursor, Database

NONCE_BYTES = 12
KEY_BYTES = 32
CACHED_KEYS = 5_000
PSEUDONYMS = "pseudonyms"

T = TypeVar("T")


class Vault:
    """Encrypts, opens, erases. One instance per process; safe to share between threads.

    New keys are kept back until `flush`, which makes them durable; call it before the facts that need them
    are committed, and `discard` when they are not wanted after all.
    """

    def __init__(self, database: Database) -> None:
        self._lock = RLock()
        self._database = database
        self._keys: dict[str, bytes] = {}
        self._new: dict[str, bytes] = {}
        self._staged: list[tuple[str, str, bytes]] = []
        self._named: dict[tuple[str, str], bytes] = {}
        self._floor = ""
        self._missing: set[str] = set()
        self._flushes = self._erasures = -1
        self._first_month = ""
        """The pseudonyms' keys of all months before are destroyed."""
        self.refresh()

    def close(self) -> None:
        """Close the database."""
        self._database.close()

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
        with self._database.writing() as cursor:
            _record_opening(cursor, at, who, purpose, box.key)
        return msgpack.decode(_decrypt(key, box.key, box.box), type=form)

    def openings(self, stream: str) -> list[tuple[str, str, str]]:
        """Who opened words of ``stream``: ``(when, who, purpose)`` in order."""
        with self._database.reading() as cursor:
            found = cursor.execute("SELECT opened_at, who, purpose FROM openings WHERE stream=? ORDER BY n", (stream,))
            return [(row[0], row[1], row[2]) for row in found]

    def newest_openings(self, limit: int) -> list[dict[str, str]]:
        """Who opened words last, of which stream and what for, the newest first; times are UTC."""
        sql = "SELECT opened_at, who, purpose, stream FROM openings ORDER BY n DESC LIMIT ?"
        names = ("opened_at", "who", "purpose", "stream")
        return [dict(zip(names, row, strict=True)) for row in self._database.look(sql, (limit,))]

    def file_id(self, stream: str, content: bytes, *, create: bool = False) -> str:
        """What a file of ``stream`` is known by outside the vault: a hash of it under the stream's key.

        Whoever guesses what is in the file cannot tell from it, and nobody can once the key is destroyed. ``create``
        makes the key if there is none.

        Raises:
            Erased: when the key was destroyed, or when there is none and none is made.
        """
        return hmac.digest(self._key(stream, create=create), b"file/" + content, "sha256").hex()

    def stage_attachment(self, stream: str, content: bytes, name: str = "") -> None:
        """Encrypt bytes under the key of ``stream``; durable with the next `flush`, unless it is abandoned.

        Their ``name`` is the SHA-256 of the content, unless another is given. The same again replaces the same.
        """
        name = name or sha256(content).hexdigest()
        with self._lock:
            self._staged.append((stream, name, _encrypt(self._key(stream, create=True), f"{stream}/{name}", content)))

    def abandon(self) -> None:
        """Forget staged attachments: the transaction that wanted them was rolled back."""
        with self._lock:
            self._staged.clear()

    def open_attachment(self, stream: str, name: str, who: str, purpose: str, at: datetime) -> bytes:
        """As `attachment`; that ``who`` opened it, and what for, is recorded first."""
        self.refresh()
        self._key(stream, create=False)
        with self._database.writing() as cursor:
            _record_opening(cursor, at, who, purpose, stream)
        return self.attachment(stream, name)

    def attachment(self, stream: str, name: str) -> bytes:
        """The bytes of an attachment by the name under which it was staged.

        Raises:
            Erased: when the key was destroyed.
            KeyError: when there is no such attachment.
        """
        self.refresh()
        key = self._key(stream, create=False)
        with self._database.reading() as cursor:
            row = cursor.execute("SELECT box FROM attachments WHERE stream=? AND sha256=?", (stream, name)).fetchone()
        if row is None:
            raise KeyError(name)
        return _decrypt(key, f"{stream}/{name}", row[0])

    def receipt_key(self, source: str) -> bytes:
        """The key from which a source's receipts are made; made at first use, durable at once."""
        return self._named_key("sources", "source", source)

    def hand_out_receipt_key(self, source: str, who: str, at: datetime) -> bytes:
        """The same key, for somebody outside who shall compute receipts; that ``who`` got it is recorded first."""
        key = self.receipt_key(source)
        with self._database.writing() as cursor:
            _record_opening(cursor, at, who, f"receipt key of {source}", source)
        return key

    def pseudonym_key(self, month: str) -> bytes | None:
        """The key of a month (``2026-11``) for reporters' pseudonyms; ``None`` once it is destroyed.

        That another process destroyed it is known from the next `refresh` on; nobody makes it anew.
        """
        with self._lock:
            if ("periods", month) not in self._named:
                self.refresh()
            return None if month < self._first_month else self._named_key("periods", "month", month)

    def destroy_pseudonyms_before(self, month: str) -> None:
        """Destroy the pseudonym keys of all months before ``month``, for ever."""
        with self._lock:
            with self._database.writing() as cursor:
                cursor.execute("DELETE FROM periods WHERE month < ?", (month,))
                cursor.execute(
                    "INSERT INTO tombstones VALUES (?, ?) ON CONFLICT (stream)"
                    " DO UPDATE SET erased_at = excluded.erased_at WHERE excluded.erased_at > tombstones.erased_at",
                    (PSEUDONYMS, month),
                )
            self._database.shred(("periods",))
            self.refresh()

    def erase(self, streams: list[str], at: datetime) -> None:
        """Destroy the keys and attachments of streams, and what the file still held of them."""
        with self._lock:
            with self._database.writing() as cursor:
                _, erasures = _change(cursor, max(streams, default=""), erasures=1)
                for stream in streams:
                    cursor.execute("DELETE FROM keys WHERE stream=?", (stream,))
                    cursor.execute("DELETE FROM attachments WHERE stream=?", (stream,))
                    cursor.execute(
                        "INSERT INTO tombstones VALUES (?,?) ON CONFLICT (stream) DO NOTHING", (stream, at.isoformat())
                    )
            if erasures == self._erasures + 1:
                self._erasures = erasures
            for stream in streams:
                self._keys.pop(stream, None)
                self._new.pop(stream, None)
                self._floor = max(self._floor, stream[:PREFIX])
            self._database.shred(("keys",))  # without it attachments are noise

    def is_erased(self, stream: str) -> bool:
        """Whether the key of ``stream`` was destroyed."""
        with self._database.reading() as cursor:
            return cursor.execute("SELECT 1 FROM tombstones WHERE stream=?", (stream,)).fetchone() is not None

    def refresh(self) -> None:
        """Notice keys that another process made or destroyed. Call it with the log's lock held, before making any.

        Stream ids begin with their time: a stream whose time is after the floor has a key in memory or none.
        """
        with self._lock:
            self._missing.clear()
            found = {row[0]: row[1:] for row in self._database.look(_CHANGES)}
            newest, flushes, erasures = found.get("keys", ("", 0, 0))
            first_month = found.get(PSEUDONYMS, ("",))[0]
            if first_month != self._first_month:
                self._named.clear()
                self._first_month = first_month
            if (flushes, erasures) != (self._flushes, self._erasures):
                self._floor = max(self._floor, newest[:PREFIX])
            if erasures != self._erasures:
                self._keys.clear()
            self._flushes, self._erasures = flushes, erasures

    def expect(self, streams: Collection[str]) -> None:
        """Look up together the keys of streams that are about to be asked for, with the log's lock held."""
        with self._lock:
            unknown = [s for s in streams if s[:PREFIX] <= self._floor and s not in self._keys and s not in self._new]
            if not unknown:
                return
            with self._database.reading() as cursor:
                self._keys.update(cursor.among("SELECT stream, key FROM keys WHERE stream", unknown))
                erased = {row[0] for row in cursor.among("SELECT stream FROM tombstones WHERE stream", unknown)}
            self._missing.update(stream for stream in unknown if stream not in self._keys and stream not in erased)

    def mark(self) -> int:
        """A mark for `discard`."""
        return len(self._new)

    def discard(self, mark: int) -> bool:
        """Forget keys made since ``mark`` whose request came to nothing; gives whether there were any."""
        with self._lock:
            made = list(self._new)[mark:]
            for stream in made:
                del self._new[stream]
        return bool(made)

    def flush(self) -> None:
        """Make new keys and staged attachments durable. After this the facts that need them may be committed."""
        with self._lock:
            if self._new or self._staged:
                self._write()
                self._new.clear()
                self._staged.clear()
            while len(self._keys) > CACHED_KEYS:
                oldest = next(iter(self._keys))
                del self._keys[oldest]
                self._floor = max(self._floor, oldest[:PREFIX])

    def _write(self) -> None:
        """Store new keys and attachments, but for those whose stream was erased since `refresh`."""
        with self._database.writing() as cursor:
            newest = max([*self._new, *(stream for stream, _, _ in self._staged)])
            flushes, erasures = _change(cursor, newest, flushes=1)  # first: who erases waits for us, or is through
            erased = set()
            if erasures != self._erasures:
                streams = {*self._new, *(stream for stream, _, _ in self._staged)}
                erased = {row[0] for row in cursor.among("SELECT stream FROM tombstones WHERE stream", list(streams))}
            made = {stream: key for stream, key in self._new.items() if stream not in erased}
            cursor.insert(KEYS, list(made.items()))
            cursor.insert(ATTACHMENTS, [staged for staged in self._staged if staged[0] not in erased], replace=True)
        if flushes == self._flushes + 1:  # else somebody else made keys too: `refresh` will notice
            self._flushes = flushes
        self._keys.update(made)

    def _key(self, stream: str, create: bool) -> bytes:
        with self._lock:
            key = self._new.get(stream) or self._keys.get(stream)
            if key is not None:
                return key
            if create and (stream[:PREFIX] > self._floor or stream in self._missing):
                return self._make(stream)
            with self._database.reading() as cursor:
                row = cursor.execute(
                    "SELECT (SELECT key FROM keys WHERE stream=?), (SELECT 1 FROM tombstones WHERE stream=?)",
                    (stream, stream),
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
                with self._database.writing() as cursor:
                    made = (name, secrets.token_bytes(KEY_BYTES))
                    cursor.execute(f"INSERT INTO {table} VALUES (?,?) ON CONFLICT ({column}) DO NOTHING", made)
                    row = cursor.execute(f"SELECT key FROM {table} WHERE {column}=?", (name,)).fetchone()
                known = self._named[(table, name)] = bytes(row[0])
            return known


_CHANGES = (
    "SELECT what, newest, flushes, erasures FROM changes UNION ALL"
    f" SELECT stream, erased_at, 0, 0 FROM tombstones WHERE stream = '{PSEUDONYMS}'"
)


def _change(cursor: Cursor, newest: str, flushes: int = 0, erasures: int = 0) -> tuple[int, int]:
    """Tell other processes up to which stream there may be keys; gives how often keys were made and destroyed."""
    row = cursor.execute(
        "INSERT INTO changes VALUES ('keys', ?, ?, ?) ON CONFLICT (what) DO UPDATE SET"
        " flushes = changes.flushes + excluded.flushes, erasures = changes.erasures + excluded.erasures,"
        " newest = CASE WHEN excluded.newest > changes.newest THEN excluded.newest ELSE changes.newest END"
        " RETURNING flushes, erasures",
        (newest, flushes, erasures),
    ).fetchone()
    return row[0], row[1]


def _record_opening(cursor: Cursor, at: datetime, who: str, purpose: str, stream: str) -> None:
    cursor.execute(
        "INSERT INTO openings (opened_at, who, purpose, stream) VALUES (?,?,?,?)",
        (at.astimezone(UTC).isoformat(), who, purpose, stream),
    )


def _encrypt(key: bytes, about: str, words: bytes) -> bytes:
    context = about.encode()
    nonce = hmac.digest(key, b"nonce/" + context + b"/" + words, "sha256")[:NONCE_BYTES]
    return nonce + AESGCM(key).encrypt(nonce, words, context)


def _decrypt(key: bytes, about: str, box: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], about.encode())
    except (InvalidTag, ValueError) as error:
        raise Damaged(f"expected the encrypted words of {about}, found other bytes") from error
