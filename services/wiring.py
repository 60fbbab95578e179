"""The one composition root: every service, port and file of one data directory, put together."""

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import Self

from events.district import ConfigureDistrict, District
from events.report import EraseReport, ErasureReason
from projections.all_views import VIEWS
from projections.runner import Views
from services.command_centre.service import SERVICE as COMMAND_CENTRE
from services.decisions import Service
from services.disclosure.scrub import scrub
from services.disclosure.service import SERVICE as DISCLOSURE
from services.intake.desk import Desk
from services.intake.service import SERVICE as INTAKE
from services.platforms.service import SERVICE as PLATFORMS
from services.rules.book import configuration_hash
from services.runtime import configuration
from services.runtime.attempts import Attempts
from services.runtime.batch import Answer, Submission
from services.runtime.clock import Clock
from services.runtime.engine import BATCH_FACTS, Engine, Feed
from services.runtime.erasure import doomed
from services.runtime.errors import Busy, HujiaoError
from services.runtime.ledger import Ledger
from services.runtime.log import Log
from services.runtime.vault import Vault

SERVICES: tuple[Service, ...] = (configuration.SERVICE, INTAKE, COMMAND_CENTRE, PLATFORMS, DISCLOSURE)
"""The services of a real township. The simulation is added by the demo and the replay alone."""

LOG, VAULT, VIEWS_FILE, ATTEMPTS, LOCK = "log.db", "vault.db", "views.db", "attempts.db", "engine.lock"


class House:
    """One data directory, opened: its log, vault, ledger and views."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        services: tuple[Service, ...] = SERVICES,
        probe: Callable[[str], None] = lambda point: None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.clock, self.services = folder, clock, services
        self.log = Log(folder / LOG)
        self.vault = Vault(folder / VAULT)
        self._reconcile_erasures()
        self.ledger = Ledger(self.log, self.vault, clock, services, scrub, probe)
        self.views = Views(folder / VIEWS_FILE, VIEWS)
        self.desk = Desk(self.vault)
        self.attempts = Attempts(folder / ATTEMPTS)
        self._lock_file = (folder / LOCK).open("a")

    def close(self) -> None:
        """Close every file. What was committed stays."""
        self._lock_file.close()
        self.attempts.close()
        self.views.close()
        self.vault.close()
        self.log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def lock(self) -> None:
        """Become the one process that runs the engine here.

        Raises:
            Busy: when another process is.
        """
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(f"expected to be alone in {self.folder.name}, found another process serving it") from error

    def configure(self, district: District) -> None:
        """Put a configuration into force; the same content again changes nothing."""
        request = ConfigureDistrict(stream=configuration.STREAM, hash=configuration_hash(district), district=district)
        self.ledger.decide(Submission("configuration", request, "configuration", remembered=False))

    def use_clock(self, clock: Clock) -> None:
        """Go on with another clock; time still never runs backwards."""
        self.clock = self.ledger.clock = clock

    def engine(self, feed: Feed | None = None, batch_facts: int = BATCH_FACTS) -> Engine:
        """The engine over this house, about ``batch_facts`` to a transaction; call `lock` first."""
        return Engine(self.ledger, self.services, self.attempts, feed, batch_facts)

    def settle(self) -> None:
        """After commits: bring the views up to date, and destroy the pseudonyms' keys that nobody needs now."""
        self.views.catch_up(self.log)
        self.desk.forget_reporters(self.ledger.recorded_at)

    def parked(self) -> int:
        """How many facts and requests wait for an operator."""
        with self.log.reading() as cursor:
            return int(cursor.execute("SELECT count(*) FROM parked").fetchone()[0])

    def setting(self, name: str) -> str | None:
        """What the data directory remembers under ``name``."""
        with self.log.reading() as cursor:
            row = cursor.execute("SELECT value FROM settings WHERE name=?", (name,)).fetchone()
            return row[0] if row else None

    def remember(self, name: str, value: str) -> None:
        """Have the data directory remember ``value``.

        Raises:
            HujiaoError: when it remembers another one, such as another kind of clock.
        """
        with self.log.exclusive() as cursor:
            cursor.execute("INSERT OR IGNORE INTO settings VALUES (?,?)", (name, value))
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

    def _reconcile_erasures(self) -> None:
        """Keys that the log says are destroyed are so, though a backup of the vault may have brought them back."""
        for report in self.log.erased():
            left = [stream for stream in doomed(self.log, report) if not self.vault.is_erased(stream)]
            if left:
                self.vault.erase(left, self.clock.now())
