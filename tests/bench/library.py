"""The library's own way of doing the same, as a baseline: its application, its aggregates, its projection runner."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.application import Application
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.popo import POPOTrackingRecorder
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL

from events.case import CaseCallsIssued, CaseClassified, CaseClosed, CaseOpened, Due
from events.catalog import CATALOG
from events.envelope import Meta, Recorded
from projections.view import Rows

AT = datetime(2026, 3, 2, tzinfo=UTC)


class Case(Aggregate):
    """A case as the library's documentation would write it."""

    @event("Opened")
    def __init__(self, town: str, village: str) -> None:
        self.town, self.village, self.phase, self.attempt = town, village, "registered", 0

    @event("Classified")
    def classify(self, matter: str) -> None:
        self.matter = matter

    @event("Called")
    def call(self, attempt: int) -> None:
        self.phase, self.attempt = "calling", attempt

    @event("Closed")
    def close(self, reason: str) -> None:
        self.phase, self.reason = "closed", reason


class Cases(Application[UUID]):
    """The library's application with its defaults."""

    name = "cases"


def on_sqlite(folder: Path) -> dict[str, str]:
    """The library's settings for a new file."""
    return {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(folder / "library.db")}


def on_postgres(url: str) -> dict[str, str]:
    """The library's settings for a database."""
    known = conninfo_to_dict(url)
    names = {"DBNAME": "dbname", "HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password"}
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        **{f"POSTGRES_{name}": str(known[key]) for name, key in names.items()},
    }


def save_each(env: dict[str, str], amount: int) -> None:
    """One request, one aggregate, one save of three events."""
    cases = Cases(env)
    for n in range(amount):
        case = Case("445303100", str(n))
        case.classify("401")
        case.call(1)
        cases.save(case)
    cases.close()


class CasesView(POPOTrackingRecorder):
    """Rows in memory, with the position."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, dict[str, Any]] = {}

    def change(self, key: str, tracking: Tracking, **values: Any) -> None:
        """Change a row and move the position, together."""
        with self._database_lock:
            self._assert_tracking_uniqueness(tracking)
            self._insert_tracking(tracking)
            self.rows.setdefault(key, {}).update(values)


class CasesProjection(Projection[CasesView]):
    """The same view."""

    name = "cases"

    @singledispatchmethod
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """Other events do not matter."""

    @process_event.register
    def opened(self, domain_event: Case.Opened, tracking: Tracking) -> None:
        village = domain_event.village
        self.view.change(village, tracking, town=domain_event.town, phase="registered", attempt=0, matter=None)

    @process_event.register
    def called(self, domain_event: Case.Called, tracking: Tracking) -> None:
        self.view.change(_VILLAGE[domain_event.originator_id], tracking, phase="calling", attempt=domain_event.attempt)

    @process_event.register
    def classified(self, domain_event: Case.Classified, tracking: Tracking) -> None:
        self.view.change(_VILLAGE[domain_event.originator_id], tracking, matter=domain_event.matter)

    @process_event.register
    def closed(self, domain_event: Case.Closed, tracking: Tracking) -> None:
        self.view.change(_VILLAGE[domain_event.originator_id], tracking, phase="closed")


_VILLAGE: dict[UUID, str] = {}


def rebuild(events: int) -> tuple[dict[str, dict[str, Any]], float]:
    """The rows that the library's runner builds from so many events, and events per second."""
    with ProjectionRunner(
        application_class=Cases, projection_class=CasesProjection, view_class=CasesView, env={}
    ) as idle:
        app = idle.app
        last = 0
        began = time.perf_counter()
        for n in range(events // 4):
            case = Case("445303100", f"v{n}")
            _VILLAGE[case.id] = f"v{n}"
            case.classify("401")
            case.call(1)
            case.close("solved")
            last = app.save(case)[-1].notification.id
        saved = time.perf_counter() - began
        idle.wait(last, timeout=300)
        took = time.perf_counter() - began
        return dict(idle.projection.view.rows), events / max(took - saved * 0, 1e-9)


class StoredCasesView(PostgresTrackingRecorder):
    """The same rows in a table of PostgreSQL; each event is a transaction, as the library has it."""

    def __init__(self, datastore: PostgresDatastore, **settings: Any) -> None:
        super().__init__(datastore, **settings)
        table = "(id uuid PRIMARY KEY, village text, town text, phase text, attempt bigint, matter text)"
        self.sql_create_statements.append(SQL(f"CREATE TABLE IF NOT EXISTS cases_view {table}").format())

    def change(self, tracking: Tracking, sql: LiteralString, values: tuple[Any, ...]) -> None:
        """Change a row and move the position, together."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(sql, values)


class StoredCasesProjection(Projection[StoredCasesView]):
    """The same view again."""

    name = "casesview"

    @singledispatchmethod
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """Other events do not matter."""

    @process_event.register
    def opened(self, domain_event: Case.Opened, tracking: Tracking) -> None:
        values = (domain_event.originator_id, domain_event.village, domain_event.town)
        self.view.change(tracking, "INSERT INTO cases_view VALUES (%s, %s, %s, 'registered', 0, NULL)", values)

    @process_event.register
    def called(self, domain_event: Case.Called, tracking: Tracking) -> None:
        values = (domain_event.attempt, domain_event.originator_id)
        self.view.change(tracking, "UPDATE cases_view SET phase = 'calling', attempt = %s WHERE id = %s", values)

    @process_event.register
    def classified(self, domain_event: Case.Classified, tracking: Tracking) -> None:
        values = (domain_event.matter, domain_event.originator_id)
        self.view.change(tracking, "UPDATE cases_view SET matter = %s WHERE id = %s", values)

    @process_event.register
    def closed(self, domain_event: Case.Closed, tracking: Tracking) -> None:
        self.view.change(
            tracking, "UPDATE cases_view SET phase = 'closed' WHERE id = %s", (domain_event.originator_id,)
        )


def rebuild_stored(url: str, events: int) -> tuple[dict[str, dict[str, Any]], float]:
    """The rows that the runner builds in PostgreSQL from so many stored events, and events per second."""
    env = on_postgres(url)
    app = Cases(env)
    cases = []
    for n in range(events // 4):
        case = Case("445303100", f"v{n}")
        case.classify("401")
        case.call(1)
        case.close("solved")
        cases.append(case)
    last = app.save(*cases)[-1].notification.id
    app.close()
    began = time.perf_counter()
    with ProjectionRunner(
        application_class=Cases, projection_class=StoredCasesProjection, view_class=StoredCasesView, env=env
    ) as runner:
        runner.wait(last, timeout=300)
        took = time.perf_counter() - began
        with runner.view.datastore.cursor() as cursor:
            cursor.execute("SELECT village, town, phase, attempt, matter FROM cases_view")
            rows = {row.pop("village"): dict(row) for row in cursor.fetchall()}
    return rows, events / took


def some_facts(amount: int) -> list[Recorded]:
    """As many facts of ours saying the same about as many cases."""
    facts: list[Recorded] = []
    meta = Meta(recorded_at=AT, causation="bench", actor="bench", correlation="c", configuration="c")
    for n in range(amount // 4):
        stream = uuid5(NAMESPACE_URL, f"v{n}").hex
        due = Due(by=AT, rule="matter 401 promised 24h")
        said = (
            CaseOpened(report=stream, town="445303100", village=f"v{n}", reported_at=AT),
            CaseClassified(
                matter="401",
                town="445303100",
                handling_class="U1",
                visibility="confidential",
                by="catalogue",
                result=due,
            ),
            CaseCallsIssued(attempt=1, calls=(), awaited=()),
            CaseClosed(reason="solved", by="bench"),
        )
        facts += [
            Recorded(len(facts) + version, stream, version, CATALOG.name(fact), meta, fact)
            for version, fact in enumerate(said, start=1)
        ]
    return facts


def rows_of(rows: Rows) -> dict[str, dict[str, Any]]:
    """Our rows in the library's form."""
    stored, _ = rows.take_changed(0)
    names = ("town", "phase", "attempt", "matter")
    return {row["village"]: {name: row[name] for name in names} for row in stored}
