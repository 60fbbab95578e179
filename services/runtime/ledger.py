"""The ledger: takes requests, decides each against the log, and appends all their facts in one transaction.

With the write lock taken first, conflicts cannot occur, in one process or in many: every writing process
embeds the same ledger. Nobody hears of a fact before its commit.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from events.district import DistrictConfigured
from events.envelope import Recorded, Request, kind_of
from events.ids import PREFIX
from services.decisions import Service
from services.rules.book import RuleBook
from services.runtime import configuration
from services.runtime.batch import Answer, Batch, Entry, Standing, Submission, encrypted
from services.runtime.clock import Clock
from services.runtime.errors import Damaged, Erased
from services.runtime.log import Log
from services.runtime.seal import FIRST
from services.runtime.store import Cursor
from services.runtime.vault import Vault

CACHED_STREAMS = 5_000
FOLLOWED = 2_000
"""How many facts of other processes are followed one by one; after more than that the cache begins anew."""


class Ledger:
    """The write side of one log. Not thread-safe: one writer thread, see `services.runtime.front`."""

    def __init__(
        self,
        log: Log,
        vault: Vault,
        clock: Clock,
        services: tuple[Service, ...],
        scrub: Callable[[str], str],
        probe: Callable[[str], None] = lambda point: None,
    ) -> None:
        self.log, self.vault, self.clock = log, vault, clock
        self._standing = Standing(
            log=log,
            vault=vault,
            handlers={request: handler for service in services for request, handler in service.handlers.items()},
            streams={kind: stream for service in services for kind, stream in service.streams.items()},
            scrub=scrub,
            probe=probe,
            cache=OrderedDict(),
        )
        with log.exclusive() as cursor:
            self._catch_up(cursor)

    @property
    def rules(self) -> RuleBook:
        """The configuration in force.

        Raises:
            Damaged: while no configuration was ever loaded.
        """
        if self._standing.rules is None:
            raise Damaged("expected a district configuration in the log, found none: load one first")
        return self._standing.rules

    @property
    def recorded_at(self) -> datetime:
        """When the newest known fact was recorded; time never runs back before it."""
        return self._standing.recorded_at

    @property
    def configured(self) -> bool:
        """Whether a configuration is in force."""
        return self._standing.rules is not None

    @property
    def outdated(self) -> bool:
        """Whether another process has put a configuration into force that no transaction of ours has seen yet."""
        return self.log.newest_of(configuration.STREAM) > self._standing.configured_at

    @contextmanager
    def batch(self, now: datetime | None = None) -> Iterator[Batch]:
        """One transaction of any number of decisions; all are kept or, if the block raises, none.

        ``now`` is when they happen, by default the clock's time.
        """
        standing = self._standing
        mark, in_force = self.vault.mark(), (standing.rules, standing.configured_at)
        try:
            with self.log.exclusive() as cursor:
                self._catch_up(cursor)
                in_force = standing.rules, standing.configured_at
                self.vault.refresh()
                batch = Batch(standing, cursor, max(now or self.clock.now(), standing.recorded_at))
                yield batch
                sealed = batch.write()
                self.vault.flush()
                standing.probe("inside")
        except BaseException:
            self.vault.discard(mark)
            self.vault.abandon()
            standing.rules, standing.configured_at = in_force
            raise
        standing.probe("committed")
        if batch.facts:
            standing.position, standing.seal = batch.facts[-1].position, sealed
            standing.recorded_at = batch.now
        self._keep(batch.entries)

    def decide(self, submission: Submission) -> Answer:
        """Decide one request in a transaction of its own.

        Raises:
            Conflict: when the source id came before with other content.
        """
        with self.batch() as batch:
            return batch.decide(submission)

    def encoded(self, request: Request) -> bytes | None:
        """A request as it may be stored, its words encrypted; ``None`` when just that cannot be done.

        Call it with the log's lock held.
        """
        self.vault.refresh()
        try:
            kept = self.log.catalog.encode_request(encrypted(request, self._standing))
        except (Erased, ValueError, TypeError):
            return None
        self.vault.flush()
        return kept

    def _keep(self, entries: Mapping[str, Entry]) -> None:
        """Take streams as they now stand into the cache, and forget those that were not looked at for longest."""
        standing = self._standing
        for stream, entry in entries.items():
            standing.cache[stream] = entry
            standing.cache.move_to_end(stream)
        while len(standing.cache) > CACHED_STREAMS:
            evicted, _ = standing.cache.popitem(last=False)
            standing.floor = max(standing.floor, evicted[:PREFIX])

    def _catch_up(self, cursor: Cursor) -> None:
        """Learn what other processes appended since our last transaction."""
        standing = self._standing
        row = cursor.execute("SELECT position, seal FROM seals ORDER BY position DESC LIMIT 1").fetchone()
        position, newest = (row[0], row[1]) if row else (0, FIRST)
        behind = position - standing.position
        if not behind:
            return
        follow = standing.position and behind <= FOLLOWED
        facts = self.log.between(standing.position if follow else position - 1, position, FOLLOWED, cursor)
        if not facts or facts[-1].position != position:
            raise Damaged(f"expected the fact at position {position}, where the newest seal is, found none")
        if follow:
            self._follow(facts)
        else:
            standing.cache.clear()
            standing.floor = max(standing.floor, self.log.newest_stream(cursor)[:PREFIX])
            configured = self.log.stream(configuration.STREAM, cursor)
            if configured and isinstance(latest := configured[-1].fact, DistrictConfigured):
                standing.configure(latest, configured[-1].position)
        standing.recorded_at = facts[-1].meta.recorded_at
        standing.position, standing.seal = position, newest

    def _follow(self, facts: list[Recorded]) -> None:
        """Fold what others appended into the streams we know; what we do not know begins to be known if it is new."""
        standing = self._standing
        entries: dict[str, Entry] = {}
        for recorded in facts:
            stream, fact = recorded.stream, recorded.fact
            entry = entries.get(stream) or standing.cache.get(stream)
            evolve = standing.streams[kind_of(recorded.name)].evolve
            if entry is not None and entry.version == recorded.version - 1:
                entries[stream] = Entry(recorded.version, evolve(entry.state, fact), entry.correlation)
            elif entry is None and recorded.version == 1:
                entries[stream] = Entry(1, evolve(None, fact), recorded.meta.correlation)
            if isinstance(fact, DistrictConfigured):
                standing.configure(fact, recorded.position)
        self._keep(entries)
