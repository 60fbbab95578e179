"""The inside of one ledger transaction: what was decided so far, before anybody hears of it."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Literal

from eventsourcing.persistence import StoredEvent
from msgspec import Struct, msgpack, structs

from events.district import DistrictConfigured
from events.envelope import Fact, Meta, Recorded, Request, kind_of
from events.ids import PREFIX
from events.private import Sealed
from services.decisions import ClearTimer, Handler, Later, Rejected, SetTimer, Stream
from services.rules.book import RuleBook
from services.runtime.errors import Conflict, Damaged, Erased
from services.runtime.log import Log
from services.runtime.seal import FIRST, seal
from services.runtime.store import INBOX, Cursor, Database
from services.runtime.timers import Timers
from services.runtime.vault import Vault

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Submission(Struct, frozen=True):
    """A request on its way to the ledger.

    ``source_id`` is namespaced by whoever may use it. What the engine sends itself is not ``remembered``: its
    cursor and timers move in the same transaction and say as much as an inbox entry would. ``correlation`` is that
    of the fact that is reacted to; without it, that of the stream which the request is first of all about.
    ``attachments`` are files in clear that belong to the stream that the request's ``FILE`` names, else to the first;
    the vault keeps them if it is accepted and says something new.
    ``trace`` is the W3C ``traceparent`` under which it is asked; facts carry it on.
    """

    source_id: str
    request: Request
    actor: str
    remembered: bool = True
    correlation: str = ""
    attachments: tuple[bytes, ...] = ()
    trace: str = ""


class Answer(Struct, frozen=True, omit_defaults=True):
    """What became of a request. ``facts`` says how many were appended: 0 for a repeat of what was done.

    One that is rejected may still have facts: that it was tried is recorded then.
    """

    status: Literal["accepted", "rejected"]
    reason: str = ""
    facts: int = 0
    repeated: bool = False


class Entry(Struct):
    """A stream as the ledger knows it."""

    version: int
    state: Any
    correlation: str


class Standing(Struct):
    """What a ledger knows of its log, and its ports. ``rules`` are those in force, ``None`` before the first.

    Stream ids begin with their time. Every stream whose time is after ``floor`` is in the cache, so that one that
    is not there is new and need not be looked for.

    ``probe`` is called with ``deciding``, ``inside`` (all is written, nothing committed) and ``committed``;
    the crash tests kill the process there.
    """

    log: Log
    vault: Vault
    handlers: Mapping[type[Request], Handler]
    streams: Mapping[str, Stream]
    scrub: Callable[[str], str]
    probe: Callable[[str], None]
    cache: OrderedDict[str, Entry]
    rules: RuleBook | None = None
    floor: str = ""
    position: int = 0
    seal: bytes = FIRST
    recorded_at: datetime = EPOCH
    configured_at: int = 0

    def configure(self, fact: DistrictConfigured, position: int) -> None:
        """Put a configuration into force, which stands at this position of the log."""
        self.configured_at = position
        if self.rules is None or self.rules.hash != fact.hash:
            self.rules = RuleBook(fact.district)


class Batch:
    """The inside of one ledger transaction. ``facts`` are those appended so far, already with positions."""

    def __init__(self, standing: Standing, cursor: Cursor, now: datetime) -> None:
        self._standing = standing
        self._catalog = standing.log.catalog
        self.cursor = cursor
        self.base = standing.position
        self.now = now
        self.facts: list[Recorded] = []
        self.entries: dict[str, Entry] = {}
        self._stored: list[StoredEvent] = []
        self._inbox: dict[str, tuple[bytes, bytes]] = {}
        self._looked_up: dict[str, tuple[bytes, bytes] | None] = {}
        self._absent: set[str] = set()
        """Streams that were looked for and are not in the log."""
        self._timers = Timers(cursor)

    @property
    def rules(self) -> RuleBook:
        """The configuration in force inside this transaction.

        Raises:
            Damaged: while no configuration was ever loaded.
        """
        if self._standing.rules is None:
            raise Damaged("expected a district configuration in the log, found none: load one first")
        return self._standing.rules

    def move(self, now: datetime) -> None:
        """Let time pass inside the transaction; never backwards."""
        self.now = max(self.now, now)

    def expect(self, submissions: Sequence[Submission]) -> None:
        """Look up together what the decisions of these will ask for one by one."""
        ids = [submission.source_id for submission in submissions if submission.remembered]
        found = self.cursor.among("SELECT source_id, request, answer FROM inbox WHERE source_id", ids) if ids else ()
        self._looked_up = {**dict.fromkeys(ids), **{row[0]: (row[1], row[2]) for row in found}}
        standing = self._standing
        named = {
            stream
            for submission in submissions
            for stream in standing.handlers[type(submission.request)].streams(submission.request)
            if stream[:PREFIX] <= standing.floor and stream not in self.entries and stream not in standing.cache
        }
        if named:
            stored = standing.log.streams(named, self.cursor)
            for facts in stored.values():
                self._fold(facts)
            self._absent |= named - stored.keys()
        standing.vault.expect(
            {
                getattr(sent.request, owner)
                for sent in submissions
                for owner in (*type(sent.request).PRIVATE.values(), type(sent.request).FILE)
                if owner
            }
        )

    def decide(self, submission: Submission) -> Answer:
        """Decide one request against the log and everything decided before it in this transaction.

        Raises:
            Conflict: when the source id came before with other content. Nothing is written.
        """
        standing = self._standing
        standing.probe("deciding")
        mark = standing.vault.mark()
        request_hash = b""
        try:
            try:
                request = self._with_file(self._encrypted(submission.request), submission.attachments)
                if submission.remembered:
                    request_hash = self._hash(request)
                    if known := self._known(submission.source_id, request):
                        standing.vault.discard(mark)
                        return known
            except Erased as error:
                known = self._known(submission.source_id) if submission.remembered else None
                if known:
                    return known
                raise Rejected(str(error)) from error
            handler = standing.handlers[type(request)]
            streams = handler.streams(request)
            states = tuple(self._state(stream) for stream in streams)
            rules = standing.rules
            appends = handler.decide(states, request, self.now, rules)  # type: ignore[arg-type]  # only the first configuration is decided without rules
        except Conflict:
            standing.vault.discard(mark)
            raise
        except Rejected as rejected:
            appends = rejected.record
            answer = Answer("rejected", str(rejected), facts=len(appends))
        else:
            answer = Answer("accepted", facts=len(appends))
        if appends:
            self._append(appends, submission, streams)
            owner = getattr(request, type(request).FILE) if type(request).FILE else streams[0]
            for content in submission.attachments if answer.status == "accepted" else ():
                standing.vault.stage_attachment(owner, content, getattr(request, "file", ""))
        elif standing.vault.discard(mark) and request_hash:  # under another key the same words are other bytes
            request_hash = self._hash(_without_words(request))
        if submission.remembered and request_hash:
            self._inbox[submission.source_id] = (request_hash, msgpack.encode(answer))
        return answer

    def later(self, source_id: str, later: Later) -> None:
        """Store a request to be decided when its time has come; at the earliest after this instant."""
        self._set_timers([(source_id, later.due, self._encrypted(later.request))])

    def has_due(self) -> bool:
        """Whether any timer's time has come."""
        return self._timers.any_by(_microseconds(self.now))

    def due(self, until: datetime, limit: int) -> list[tuple[datetime, str, Request]]:
        """Timers due by ``until``, ``(due, source id, request)``, in order; deleted, to be decided here.

        At most ``limit``; all when it is negative.
        """
        rows = self._timers.take(_microseconds(until), limit)
        return [(_moment(row[0]), row[1], self._catalog.decode_request(row[2])) for row in rows]

    def next_due(self) -> datetime | None:
        """When the next timer is due."""
        due = self._timers.first()
        return _moment(due) if due is not None else None

    def write(self) -> bytes:
        """Write what was decided; gives the new seal. Called by the ledger at the end of the block."""
        standing, cursor = self._standing, self.cursor
        self._timers.write()
        if self._inbox:
            cursor.insert(INBOX, [(source_id, *entry) for source_id, entry in sorted(self._inbox.items())])
        if not self.facts:
            return standing.seal
        standing.log.append(cursor, self._stored, self.base)
        sealed = seal(
            standing.seal,
            (
                (recorded.position, recorded.stream.encode(), recorded.version, recorded.name.encode(), stored.state)
                for recorded, stored in zip(self.facts, self._stored, strict=True)
            ),
        )
        cursor.execute("INSERT INTO seals VALUES (?,?)", (self.facts[-1].position, sealed))
        return sealed

    def _known(self, source_id: str, request: Request | None = None) -> Answer | None:
        entry = self._inbox.get(source_id) or self._looked_up.get(source_id)
        if entry is None and source_id not in self._looked_up:
            entry = self.cursor.execute(
                "SELECT request, answer FROM inbox WHERE source_id = ?", (source_id,)
            ).fetchone()
        if entry is None:
            return None
        if request is not None and entry[0] not in (self._hash(request), self._hash(_without_words(request))):
            raise Conflict(f"expected the same content under source id {source_id} as before, found other content")
        return structs.replace(msgpack.decode(entry[1], type=Answer), repeated=True)

    def _hash(self, request: Request) -> bytes:
        """What the sender said, in short, without what we derived from it: only that makes two requests the same."""
        return blake2b(self._catalog.encode_request(_without_derived(request)), digest_size=16).digest()

    def _encrypted(self, request: Request) -> Request:
        return encrypted(request, self._standing)

    def _with_file(self, request: Request, contents: tuple[bytes, ...]) -> Request:
        """A request that comes with a file, with the file's id."""
        owner = type(request).FILE
        if not owner:
            return request
        if len(contents) != 1:
            raise Rejected(f"file: expected the bytes of one beside the request, found {len(contents)}")
        file = self._standing.vault.file_id(getattr(request, owner), contents[0], create=True)
        changed: Request = structs.replace(request, file=file)
        return changed

    def _state(self, stream: str) -> Any:
        entry = self._entry(stream)
        return entry.state if entry else None

    def _entry(self, stream: str) -> Entry | None:
        entry = self.entries.get(stream) or self._standing.cache.get(stream)
        if entry is not None:
            return entry
        if stream[:PREFIX] > self._standing.floor or stream in self._absent:
            return None
        facts = self._standing.log.stream(stream, self.cursor)
        if not facts:
            self._absent.add(stream)
            return None
        return self._fold(facts)

    def _fold(self, facts: list[Recorded]) -> Entry:
        """Take in a stream that is not in the cache."""
        evolve = self._standing.streams[kind_of(facts[0].name)].evolve
        state = None
        for recorded in facts:
            state = evolve(state, recorded.fact)
        entry = self.entries[facts[0].stream] = Entry(facts[-1].version, state, facts[0].meta.correlation)
        return entry

    def _append(self, appends: tuple[tuple[str, Fact], ...], submission: Submission, streams: tuple[str, ...]) -> None:
        standing, catalog = self._standing, self._catalog
        about = self._entry(streams[0])
        correlation = submission.correlation or (about.correlation if about else streams[0])
        meta = Meta(
            recorded_at=self.now,
            causation=submission.source_id,
            actor=submission.actor,
            correlation=correlation,
            configuration=standing.rules.hash if standing.rules else "",
            trace=submission.trace,
        )
        for stream, fact in appends:
            name = catalog.name(fact)
            kind = standing.streams[kind_of(name)]
            known = self._entry(stream)
            state = kind.evolve(known.state if known else None, fact)
            version = known.version + 1 if known else 1
            self.entries[stream] = Entry(version, state, known.correlation if known else correlation)
            position = self.base + len(self.facts) + 1
            self.facts.append(Recorded(position, stream, version, name, meta, fact))
            self._stored.append(StoredEvent(stream, version, name, catalog.encode(meta, fact)))
            if kind.timers is not None and (timers := kind.timers(stream, fact)):
                self._apply(stream, timers)
            if isinstance(fact, DistrictConfigured):
                standing.configure(fact, position)

    def _apply(self, stream: str, timers: tuple[SetTimer | ClearTimer, ...]) -> None:
        for timer in timers:
            if isinstance(timer, ClearTimer):
                self._timers.clear(f"timer:{stream}:{timer.name}")
        self._set_timers(
            [
                (f"timer:{stream}:{timer.name}", timer.due, timer.request)
                for timer in timers
                if isinstance(timer, SetTimer)
            ]
        )

    def _set_timers(self, timers: list[tuple[str, datetime, Request]]) -> None:
        earliest = _microseconds(self.now) + 1
        for source_id, due, request in timers:
            self._timers.set(source_id, max(_microseconds(due), earliest), self._catalog.encode_request(request))


def encrypted(request: Request, standing: Standing) -> Request:
    """The request with every private field encrypted, public ones scrubbed before.

    Words about a case whose people were all erased are not kept: the case goes on without them.

    Raises:
        Erased: for a report whose person was erased.
    """
    changed: dict[str, Any] = {}
    for field, owner in type(request).PRIVATE.items():
        words = getattr(request, field)
        if words is None or isinstance(words, Sealed):
            continue
        if field in type(request).PUBLIC:
            words = standing.scrub(words)
        key = getattr(request, owner)
        try:
            changed[field] = standing.vault.encrypt(key, words)
        except Erased:
            if owner == "report":
                raise
            changed[field] = Sealed(key, b"")
    return structs.replace(request, **changed) if changed else request


def timer_due(store: Database, now: datetime) -> bool:
    """Whether any timer's time has come."""
    return bool(store.look("SELECT 1 FROM timers WHERE due <= ? LIMIT 1", (_microseconds(now),)))


def _without_derived(request: Request) -> Request:
    derived = type(request).DERIVED
    return structs.replace(request, **derived) if derived else request


def _without_words(request: Request) -> Request:
    """A request whose key was not kept, as far as it can be compared with another."""
    said = (field for field in type(request).PRIVATE if getattr(request, field) is not None)
    return structs.replace(request, **dict.fromkeys(said, Sealed("", b"")))


def _microseconds(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def _moment(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)
