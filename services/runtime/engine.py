"""The engine: moves facts to reactions, timers and inputs to decisions, one transaction at a time.

It is one queue: what is due first (in the order of due time, then as its feed has it), then reactions to facts in the
order of the log, and only when nothing is left does time pass. Where a transaction is cut makes no
difference to the facts, so neither does a crash. The cursor moves in the transaction that reacts.
"""

import heapq
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from events.envelope import Recorded, Request
from services.decisions import Later, Reaction, Service
from services.runtime import parking
from services.runtime.attempts import CAREFUL_AFTER, MAX_ATTEMPTS, Attempts
from services.runtime.batch import Answer, Batch, Submission, timer_due
from services.runtime.configuration import STREAM
from services.runtime.errors import Conflict
from services.runtime.ledger import Ledger
from services.runtime.store import Unavailable

BATCH_FACTS = 1000
CHUNK = 500
NO_LIMIT = -1
EVERYTHING = "engine"
"""The name of the one engine that runs all services in one process."""

NOWHERE = -1

EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
LOOK_EVERY = timedelta(seconds=1)

logger = structlog.get_logger()

Answered = tuple[Submission, Answer | Conflict]
Due = tuple[datetime, Submission]


class Feed(Protocol):
    """Where requests from outside come from, each with the time at which it is due."""

    def next_due(self) -> datetime | None:
        """When the next request is due; ``None`` when there is none now."""
        ...

    def take(self, until: datetime, limit: int) -> list[Due]:
        """Take at most ``limit`` requests due by ``until``, in the order in which they shall be decided.

        That is the order of due time and, where the same input shall always give the same facts, of source id; else
        that of arrival: what one sender sent first is decided first.
        """
        ...

    def answered(self, answers: list[Answered]) -> None:
        """The answers to requests that were taken; called once after each commit, with each answer once."""
        ...

    def give_back(self, taken: list[Due]) -> None:
        """Nothing happened to these: offer them again."""
        ...


class NoFeed:
    """Nothing comes from outside."""

    def next_due(self) -> datetime | None:
        """Never."""
        return None

    def take(self, until: datetime, limit: int) -> list[Due]:
        """Nothing."""
        return []

    def answered(self, answers: list[Answered]) -> None:
        """Nobody asked."""

    def give_back(self, taken: list[Due]) -> None:
        """Nothing was taken."""


class Engine:
    """Runs some services' reactions, and the timers if it has them, over one ledger.

    ``subscriber`` names its place in the log: all services together have one when they run in one process, each
    has its own when they run apart. Two engines of one name do no harm: what one has done the other finds done.
    A timer that is due and that ``skip`` is true of is forgotten: in the demo a person plays it instead.
    """

    def __init__(
        self,
        ledger: Ledger,
        services: tuple[Service, ...],
        attempts: Attempts,
        feed: Feed | None = None,
        batch_facts: int = BATCH_FACTS,
        subscriber: str = EVERYTHING,
        timers: bool = True,
        skip: Callable[[Submission], bool] = lambda submission: False,
    ) -> None:
        self._ledger = ledger
        self._feed: Feed = feed or NoFeed()
        self._attempts = attempts
        self._batch_facts = batch_facts
        self._timers, self._skip = timers, skip
        self._parking = parking.Parking(subscriber)
        self._reactions: dict[str, list[tuple[str, Reaction]]] = {}
        for service in services:
            for name, reaction in service.reactions.items():
                self._reactions.setdefault(name, []).append((service.name, reaction))
        self._queue: deque[Recorded] = deque()
        self._tail: int | None = None
        self._taken: list[Due] = []
        with ledger.log.reading() as cursor:
            self._parked = self._parking.streams(cursor)
            position = self._parking.position(cursor)
        starts = attempts.count_start(position)
        self._careful = CHUNK if starts >= CAREFUL_AFTER else 0
        self._unproven = CHUNK
        """So much is to be handled before this start counts as one that went well."""
        self._tried: list[str] = []
        self._reacted_to = position
        self._look_at = EARLIEST

    def run(self, until: datetime | None = None, after_commit: Callable[[], None] = lambda: None) -> None:
        """Play: work until nothing is left that is due by ``until``, time passing inside transactions.

        Without ``until``, work until nothing is left at all.
        """
        while self._step(None, until or LATEST):
            after_commit()

    def step(self, now: datetime) -> bool:
        """Serve: one transaction of what is due ``now``. Gives whether there was any.

        What fails again and again is parked with its cause.
        """
        return self._step(now, now)

    def end(self) -> None:
        """The process ends because it was told to: nothing took it down."""
        self._attempts.forget_starts()

    def idle(self, now: datetime) -> bool:
        """Whether `step` would find nothing to do; asked without keeping anybody from writing."""
        if self._tail is None or self._queue or self._feed.next_due() is not None:
            return False
        if self._reactions and self._has_new():
            return False
        if not self._reactions and now >= self._look_at:
            self._look_at = now + LOOK_EVERY
            if self._ledger.outdated:  # those who ask are judged by the rules in force before anything is decided
                return False
        store = self._ledger.log.store
        return not (self._timers and timer_due(store, now)) and not self._parking.has_released(store)

    def _has_new(self) -> bool:
        """Read on; gives whether anybody reacts to what is new, and passes over it if not.

        How far that led is stored when it was far or nothing more comes: until then a restart passes over it again.
        """
        assert self._tail is not None, "who reads on knows where it stands"
        log, began, more = self._ledger.log, self._tail, True
        while more:
            new = log.after(self._tail, CHUNK)
            more = len(new) == CHUNK
            self._tail = new[-1].position if new else self._tail
            if any(recorded.name in self._reactions or recorded.stream == STREAM for recorded in new):
                self._queue.extend(new)
                return True
        passed = self._tail - self._reacted_to
        if passed and (passed >= self._batch_facts or self._tail == began):
            with log.store.writing() as cursor:
                self._parking.move(cursor, self._tail)
            self._reacted_to = self._tail
        return False

    def _step(self, now: datetime | None, until: datetime) -> bool:
        self._tried.clear()
        answers: list[Answered] = []
        try:
            with self._ledger.batch(now) as batch:
                worked = self._work(batch, until, answers)
        except parking.Poison as poison:
            try:
                self._park_or_retry(poison)
            finally:
                self._forget()
                self._careful = CHUNK
            return True
        except BaseException:
            self._forget()
            raise
        self._taken.clear()
        assert self._tail is not None, "a step knows where it stands"
        if self._reactions and self._tail >= batch.base:
            self._queue.extend(batch.facts[self._tail - batch.base :])
            self._tail = batch.base + len(batch.facts)
        if answers:
            self._feed.answered(answers)
        for what in self._tried:
            self._attempts.forget(what)
        self._careful = max(0, self._careful - 1)
        if worked and self._unproven > 0:
            self._unproven -= max(1, len(answers))
            if self._unproven <= 0:  # who reacts to nothing starts at the same place for ever
                self._attempts.forget_starts()
        return worked

    def _work(self, batch: Batch, until: datetime, answers: list[Answered]) -> bool:
        position = reacted_to = self._parking.position(batch.cursor)
        if position != self._reacted_to:
            self._queue.clear()
            self._tail = None
        if self._tail is None:
            self._tail = position
        handled = self._handle_released(batch)
        limit = 1 if self._careful else self._batch_facts
        while handled < limit and len(batch.facts) < self._batch_facts:
            if due := self._due(batch):
                for at, submission in due:
                    answer = self._decide(batch, submission, at)
                    if submission.remembered:
                        answers.append((submission, answer))
                handled += len(due)
            elif (recorded := self._next(batch)) is not None:
                self._react(batch, recorded)
                reacted_to = recorded.position
                handled += 1
            elif not self._pass_time(batch, until):
                break
        if reacted_to != position:
            self._parking.move(batch.cursor, reacted_to)
        self._reacted_to = reacted_to
        return handled > 0

    def _due(self, batch: Batch) -> list[Due]:
        """Timers and inputs whose time has come, in the order in which they are decided; one when careful."""
        limit = 1 if self._careful else CHUNK
        inputs = self._feed.take(batch.now, limit)
        self._taken.extend(inputs)
        has_timers = self._timers and batch.has_due()
        if not inputs and not has_timers:
            return []
        until = inputs[-1][0] if len(inputs) == limit else batch.now
        timers = [
            (at, Submission(source_id, request, "clock", remembered=False))
            for at, source_id, request in (batch.due(until, limit if self._careful else NO_LIMIT) if has_timers else ())
        ]
        timers = [due for due in timers if not self._skip(due[1])]
        if self._careful and inputs and timers:
            self._feed.give_back(inputs)
            self._taken.clear()
            inputs = []
        batch.expect([submission for _, submission in timers + inputs])
        return list(heapq.merge(timers, inputs, key=lambda due: (due[0], due[1].source_id)))

    def _next(self, batch: Batch) -> Recorded | None:
        """The next fact nobody has reacted to: of the log, then of this very transaction."""
        assert self._tail is not None, "a step knows where it stands"
        if not self._reactions:
            return None
        if not self._queue and self._tail < batch.base:
            self._queue.extend(self._ledger.log.between(self._tail, batch.base, CHUNK, batch.cursor))
            self._tail = self._queue[-1].position
        if self._queue:
            return self._queue.popleft()
        if self._tail - batch.base < len(batch.facts):
            self._tail += 1
            return batch.facts[self._tail - batch.base - 1]
        return None

    def _pass_time(self, batch: Batch, until: datetime) -> bool:
        """Move on to the next moment at which anything is due, if that is not after ``until``."""
        timer = batch.next_due() if self._timers else None
        moments = [at for at in (timer, self._feed.next_due()) if at is not None]
        if not moments or not batch.now < min(moments) <= until:
            return False
        batch.move(min(moments))
        return True

    def _react(self, batch: Batch, recorded: Recorded) -> None:
        reactions = self._reactions.get(recorded.name)
        if reactions is None:
            return
        behind = recorded.stream in self._parked
        if behind or not self._may_try(recorded.id):
            cause = parking.BEHIND if behind else parking.ENDED
            self._parking.park(batch.cursor, recorded.id, recorded.stream, cause, batch.now, recorded.position)
            self._parked.add(recorded.stream)
            return
        try:
            for service, reaction in reactions:
                for n, wanted in enumerate(reaction(recorded, recorded.fact, batch.rules)):
                    self._want(batch, f"reaction:{service}:{recorded.id}:{n}", service, recorded, wanted)
        except Unavailable:
            raise
        except Exception as error:
            raise parking.Poison(recorded.id, recorded.stream, recorded.position, error) from error

    def _want(self, batch: Batch, source_id: str, service: str, recorded: Recorded, wanted: Request | Later) -> None:
        """Decide what a reaction wants, or have it wait for its time."""
        if isinstance(wanted, Later):
            batch.later(source_id, wanted)
            return
        meta = recorded.meta
        submission = Submission(source_id, wanted, service, False, correlation=meta.correlation, trace=meta.trace)
        answer = batch.decide(submission)
        if answer.status == "rejected":
            logger.info("reaction_rejected", source_id=source_id, reason=answer.reason)

    def _decide(self, batch: Batch, submission: Submission, at: datetime) -> Answer | Conflict:
        if not self._may_try(submission.source_id):
            request = self._ledger.encoded(submission.request)
            self._parking.park(
                batch.cursor, submission.source_id, submission.source_id, parking.ENDED, batch.now, None, request
            )
            return Answer("rejected", f"parked: {parking.ENDED}")
        try:
            return batch.decide(submission)
        except Conflict as conflict:
            return conflict
        except Unavailable:
            raise
        except Exception as error:
            waiting = parking.Waiting(at, submission.request)
            raise parking.Poison(submission.source_id, submission.source_id, None, error, waiting) from error

    def _may_try(self, what: str) -> bool:
        """When careful: count the attempt before it is made; ``False`` once there were too many."""
        if not self._careful:
            return True
        self._tried.append(what)
        return self._attempts.count(what) <= MAX_ATTEMPTS

    def _handle_released(self, batch: Batch) -> int:
        """Facts and timers that an operator let go on, before anything else."""
        released = self._parking.take_released(batch.cursor)
        self._parked = self._parking.streams(batch.cursor)
        for what in released:
            if what.position is not None:
                self._react(batch, self._ledger.log.between(what.position - 1, what.position, 1, batch.cursor)[0])
            elif what.request is not None:
                request = self._ledger.log.catalog.decode_request(what.request)
                self._decide(batch, Submission(what.what, request, "operator", remembered=False), batch.now)
        return len(released)

    def _park_or_retry(self, poison: parking.Poison) -> None:
        """Try again, alone, until it has failed too often; then park it and let the others go on."""
        count = self._attempts.so_far if self._careful else self._attempts.count
        failed = count(poison.what)
        logger.error("failed", what=poison.what, cause=str(poison), attempt=failed)
        if failed < MAX_ATTEMPTS:
            return
        at = self._ledger.recorded_at
        with self._ledger.log.exclusive() as cursor:
            encoded = self._ledger.encoded(poison.waiting.request) if poison.waiting else None
            self._parking.park(cursor, poison.what, poison.stream, str(poison), at, poison.position, encoded)
            if poison.position is not None:
                self._parking.move(cursor, poison.position)
                self._parked.add(poison.stream)
            else:
                cursor.execute("DELETE FROM timers WHERE id=?", (poison.what,))
        self._attempts.forget(poison.what)
        for due in [due for due in self._taken if due[1].source_id == poison.what]:
            self._taken.remove(due)
            self._feed.answered([(due[1], Answer("rejected", f"parked: {poison}"))])

    def _forget(self) -> None:
        """Nothing of the step happened: what was taken in memory is taken again."""
        self._queue.clear()
        self._tail = None
        self._reacted_to = NOWHERE
        self._feed.give_back(self._taken)
        self._taken = []
