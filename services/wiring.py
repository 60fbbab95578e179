"""The one composition root: every service, port and file of one data directory, put together."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import structlog

from events.call import MissClock, RecountDues
from events.case import RecountCaseDues
from events.district import Calendar, ConfigureDistrict, District, DistrictConfigured
from events.envelope import Recorded, Request, kind_of
from events.mobilisation import MissMobilisationReview, RecountMobilisationReview
from events.report import EraseReport, ErasureReason
from events.user import UserAdded, UserDisabled
from projections.all_views import VIEWS
from projections.runner import Views
from services.command_centre.service import SERVICE as COMMAND_CENTRE
from services.decisions import Service, Stream
from services.disclosure.scrub import scrub
from services.disclosure.service import SERVICE as DISCLOSURE
from services.intake.desk import Desk
from services.intake.service import SERVICE as INTAKE
from services.people.accounts import Accounts
from services.people.service import SERVICE as PEOPLE
from services.people.user import User, evolve, user_id
from services.platforms.service import SERVICE as PLATFORMS
from services.rules.book import configuration_hash
from services.runtime import configuration, parking
from services.runtime.attempts import Attempts
from services.runtime.batch import Answer, Submission
from services.runtime.clock import Clock, SystemClock
from services.runtime.engine import BATCH_FACTS, EVERYTHING, Engine, Feed
from services.runtime.erasure import doomed, reconcile
from services.runtime.errors import Busy, HujiaoError
from services.runtime.ledger import Ledger
from services.runtime.log import Log
from services.runtime.places import Folder, Place, at
from services.runtime.store import Database
from services.runtime.vault import Vault

SERVICES: tuple[Service, ...] = (configuration.SERVICE, PEOPLE, INTAKE, COMMAND_CENTRE, PLATFORMS, DISCLOSURE)
"""The services of a real township. The simulation is added by the demo and the replay alone."""


logger = structlog.get_logger()

CONFIGURATION = "configuration"
"""Who asks for what follows from a configuration."""

RECOUNTED = "recounted"
"""Up to which version of the configuration every due time that was told has been counted anew."""

RUNS, TOGETHER, APART = "runs", "together", "apart"
"""How a township's services run: all with one place in the log, or each with its own. It cannot be both."""


class House:
    """One township's data, opened: its log, vault, ledger and views, each as soon as it is wanted.

    A process that only reads the log, or only the views, needs rights to nothing else.
    """

    def __init__(
        self,
        where: Path | Place,
        clock: Clock,
        services: tuple[Service, ...] = SERVICES,
        probe: Callable[[str], None] = lambda point: None,
    ) -> None:
        self.place = at(where)
        self.clock, self.services, self._probe = clock, services, probe
        self._opened = ExitStack()

    @property
    def folder(self) -> Path:
        """The data directory, of a house that stands in one."""
        assert isinstance(self.place, Folder), f"expected a house in a folder, found one in {self.place.name}"
        return self.place.path

    @cached_property
    def log(self) -> Log:
        """The log."""
        log = Log(self.place.log())
        self._opened.callback(log.close)
        return log

    @cached_property
    def vault(self) -> Vault:
        """The vault, all erasures that the log tells of made good in it."""
        vault = Vault(self.place.vault())
        self._opened.callback(vault.close)
        reconcile(self.log, vault, self.clock.now())
        return vault

    @cached_property
    def ledger(self) -> Ledger:
        """The write side."""
        return Ledger(self.log, self.vault, self.clock, self.services, scrub, self._probe)

    @cached_property
    def views(self) -> Views:
        """The views."""
        views = Views(self.place.views(), VIEWS)
        self._opened.callback(views.close)
        return views

    @cached_property
    def desk(self) -> Desk:
        """The intake desk."""
        return Desk(self.vault)

    @cached_property
    def accounts(self) -> Accounts:
        """How users prove who they are. Its sessions last by the machine's clock, also where ours runs fast."""
        accounts = Accounts(self.place.accounts(), SystemClock().now)
        self._opened.callback(accounts.close)
        return accounts

    def user(self, name: str) -> User | None:
        """The user who logs in under this name, disabled or not."""
        return self._user_of(self.log.stream(user_id(name)))

    def _user_of(self, facts: list[Recorded]) -> User | None:
        state: User | None = None
        for recorded in facts:
            if isinstance(recorded.fact, UserAdded | UserDisabled):
                state = evolve(state, recorded.fact)
        return state

    def users(self) -> list[User]:
        """Every user there ever was, by name."""
        found = (self._user_of(facts) for facts in self.log.timeless("user"))
        return sorted((user for user in found if user is not None), key=lambda user: user.name)

    def state(self, stream: str) -> Any:
        """What a stream comes to, folded by the service that decides about it; ``None`` when there is no such one."""
        state: Any = None
        for recorded in self.log.stream(stream):
            state = self._folds[kind_of(recorded.name)].evolve(state, recorded.fact)
        return state

    @cached_property
    def _folds(self) -> dict[str, Stream]:
        return {kind: stream for service in self.services for kind, stream in service.streams.items()}

    @cached_property
    def _attempts(self) -> Database:
        database = self.place.attempts()
        self._opened.callback(database.close)
        return database

    def attempts(self, subscriber: str) -> Attempts:
        """The counter of one subscriber's attempts."""
        return Attempts(self._attempts, subscriber)

    def close(self) -> None:
        """Close everything. What was committed stays."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def lock(self) -> None:
        """Become the one process that runs the engine here.

        Raises:
            Busy: when another process is.
            HujiaoError: when the services of this township run apart.
        """
        self.remember(RUNS, TOGETHER)
        lock = self.place.lock(EVERYTHING)
        self._opened.callback(lock.close)
        if not lock.take():
            raise Busy(f"expected to be alone in {self.place.name}, found another process serving it")

    def configure(self, district: District) -> None:
        """Put a configuration into force; the same content again changes nothing.

        With another working calendar every due time that was told is counted anew, and is extended where that is later.
        What a crash leaves undone of it is done when the house is configured again, and each clock does it by itself
        when its time has come.
        """
        request = ConfigureDistrict(stream=configuration.STREAM, hash=configuration_hash(district), district=district)
        with self.ledger.batch() as batch:
            batch.decide(Submission(CONFIGURATION, request, CONFIGURATION, remembered=False))
        configured = self.log.stream(configuration.STREAM)
        counted = int(self.setting(RECOUNTED) or 1)
        if any(_calendar(one) != _calendar(configured[-1]) for one in configured if one.version >= counted):
            self._recount_dues()
        self._note(RECOUNTED, f"{configured[-1].version}")
        if day := self.ledger.rules.unannounced_from(self.clock.now()):
            logger.warning("calendar_ends", provisional_from=f"{day}")

    def _recount_dues(self) -> None:
        with self.log.reading() as cursor:
            waiting = cursor.execute("SELECT request FROM timers").fetchall()
        clocks = [self.log.catalog.decode_request(row[0]) for row in waiting]
        calls = sorted({clock.call for clock in clocks if isinstance(clock, MissClock)})
        turn_outs = sorted({clock.mobilisation for clock in clocks if isinstance(clock, MissMobilisationReview)})
        recounts: list[Request] = [
            *(RecountDues(call=call) for call in calls),
            *(RecountMobilisationReview(mobilisation=turn_out) for turn_out in turn_outs),
            *(RecountCaseDues(case=case) for case in self.log.open_cases()),
        ]
        for start in range(0, len(recounts), BATCH_FACTS):
            with self.ledger.batch() as batch:
                for recount in recounts[start : start + BATCH_FACTS]:
                    batch.decide(Submission(CONFIGURATION, recount, CONFIGURATION, remembered=False))

    def use_clock(self, clock: Clock) -> None:
        """Go on with another clock; time still never runs backwards."""
        self.clock = self.ledger.clock = clock

    def engine(
        self,
        feed: Feed | None = None,
        batch_facts: int = BATCH_FACTS,
        skip: Callable[[Submission], bool] = lambda submission: False,
    ) -> Engine:
        """The one engine of all services, about ``batch_facts`` to a transaction; call `lock` first."""
        return Engine(self.ledger, self.services, self.attempts(EVERYTHING), feed, batch_facts, skip=skip)

    def engine_of(self, name: str, *reacting: Service, feed: Feed | None = None, timers: bool = False) -> Engine:
        """The engine of a process that runs some services' reactions apart from the others, under its own ``name``."""
        attempts = self.attempts(name)
        return Engine(self.ledger, reacting, attempts, feed, subscriber=name, timers=timers)

    def settle(self) -> None:
        """After commits: bring the views up to date, and destroy the pseudonyms' keys that nobody needs now."""
        self.views.catch_up(self.log)
        self.desk.forget_reporters(self.ledger.recorded_at)

    def parked(self) -> int:
        """How many facts and requests wait for an operator."""
        with self.log.reading() as cursor:
            return parking.count(cursor)

    def position(self, subscriber: str) -> int:
        """Up to which fact a subscriber to the log has come."""
        with self.log.reading() as cursor:
            return parking.Parking(subscriber).position(cursor)

    def setting(self, name: str) -> str | None:
        """What the data directory remembers under ``name``."""
        with self.log.reading() as cursor:
            row = cursor.execute("SELECT value FROM settings WHERE name=?", (name,)).fetchone()
            return row[0] if row else None

    def _note(self, name: str, value: str) -> None:
        """Have the data directory remember ``value`` instead of what it remembered."""
        sql = "INSERT INTO settings VALUES (?,?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        with self.log.store.writing() as cursor:
            cursor.execute(sql, (name, value))

    def remember(self, name: str, value: str) -> None:
        """Have the data directory remember ``value``.

        Raises:
            HujiaoError: when it remembers another one, such as another kind of clock.
        """
        with self.log.store.writing() as cursor:
            cursor.execute("INSERT INTO settings VALUES (?,?) ON CONFLICT (name) DO NOTHING", (name, value))
            known = cursor.execute("SELECT value FROM settings WHERE name=?", (name,)).fetchone()[0]
        if known != value:
            raise HujiaoError(f"expected a data directory with {name} {value}, found {name} {known}")

    def erase(self, report: str, by: str, reason: ErasureReason) -> Answer:
        """Erase the person behind a report: the fact first, then the keys. Nobody can read the words again.

        A crash between the two is made good when the house is opened.
        """
        request = EraseReport(report=report, by=by, reason=reason)
        answer = self.ledger.decide(Submission(f"erase/{report}", request, by, remembered=False))
        if answer.status == "accepted":
            self.vault.erase(doomed(self.log, report), self.ledger.recorded_at)
        return answer


def _calendar(recorded: Recorded) -> Calendar:
    assert isinstance(recorded.fact, DistrictConfigured), "the stream of the configuration holds nothing else"
    return recorded.fact.district.calendar
