"""What ledger and views cost on PostgreSQL, on a private server with its default durability.

Baselines: the same rows through `psycopg` alone, one ``INSERT ... SELECT FROM unnest`` for 300 of them, into a table
with the same keys; the library's application saving one aggregate per request; its projection runner over a table.
"""

from collections.abc import Sequence
from pathlib import Path

import psycopg
from eventsourcing.persistence import StoredEvent

from deploy.servers import PostgresServer, missing
from events.envelope import Recorded
from projections.cases import CASES
from projections.runner import Views
from services.runtime.log import Log
from services.runtime.places import Server
from tests.bench import library
from tests.bench.measures import (
    FLOOD,
    REQUESTS,
    ROWS,
    SAVES,
    START,
    bare_append,
    flood_feed,
    house_in,
    in_batches,
    ledger_in_batches,
    ledger_rate,
    ledger_through_futures,
    profiled,
    rate,
    ratio,
    show,
    stored,
    submissions,
    timed_life_cycle,
)

PASSWORD = "bench"  # noqa: S105 - of a server that lives as long as the benchmark
LEDGER_AIM, ONE_SAVE_AIM, REBUILD_AIM = 0.25, 8, 40
EVENTS = 8_000


def bare_driver(url: str, rows: Sequence[StoredEvent]) -> None:
    """The same rows through `psycopg` alone."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE bare (originator_id text NOT NULL, originator_version bigint NOT NULL, topic text NOT NULL,"
            " state bytea NOT NULL, notification_id bigserial, PRIMARY KEY (originator_id, originator_version))"
        )
        connection.execute("CREATE UNIQUE INDEX ON bare (notification_id)")
        for batch in in_batches(rows):
            columns = list(zip(*batch, strict=True))
            connection.execute(
                "INSERT INTO bare (originator_id, originator_version, topic, state)"
                " SELECT * FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::bytea[])",
                [list(column) for column in columns],
            )


def measure_ledger(server: PostgresServer, facts: Sequence[Recorded]) -> float:
    """Prints the ratios of the ledger; gives that to the bare driver."""
    rows = [(str(row.originator_id), row.originator_version, row.topic, row.state) for row in stored(facts)]
    bare = rate("bare driver, rows in batches of 300", ROWS, lambda: bare_driver(server.create_database("bare"), rows))
    what = "the recorder as we set it up, with encoding"
    rate(what, ROWS, lambda: bare_append(Server(server.create_database("append")), facts))
    what = "ledger, facts in batches of 300 requests"
    batches = ledger_rate(Server(server.create_database("batches")), what, ledger_in_batches)
    what = "ledger, facts through awaited futures"
    futures = ledger_rate(Server(server.create_database("futures")), what, ledger_through_futures)
    env = library.on_postgres(server.create_database("library"))
    what = "the library's application, one save of 3 events per request"
    one_save = rate(what, 3 * SAVES, lambda: library.save_each(env, SAVES))
    ratio("ledger in batches / bare driver", batches / bare, LEDGER_AIM)
    print(f"          {'ledger through awaited futures / bare driver':<66} {futures / bare:.3f}")
    ratio("ledger in batches / the library's one save per request", batches / one_save, ONE_SAVE_AIM)
    return batches / bare


def measure_rebuild(server: PostgresServer) -> float:
    """A view's table built from a stored log by us and by the library's runner, on the same story."""
    url = server.create_database("rebuild")
    bare_append(Server(url), library.some_facts(EVENTS))
    log, views = Log(Server(url).log()), Views(url, (CASES,))
    ours = rate("a view caught up from the log, facts", EVENTS, lambda: views.catch_up(log))
    with views.database.reading() as connection:
        found = connection.exec_driver_sql("SELECT village, town, phase, attempt, matter FROM cases").mappings()
        our_rows = {row["village"]: {name: row[name] for name in row if name != "village"} for row in found}
    views.close()
    log.close()
    their_rows, theirs = library.rebuild_stored(server.create_database("runner"), EVENTS)
    show("ProjectionRunner, events", theirs)
    if their_rows != our_rows:
        raise SystemExit("the rebuilt rows differ: nothing was measured")
    ratio("rebuild / ProjectionRunner", ours / theirs, REBUILD_AIM)
    return ours / theirs


def measure(folder: Path, facts: Sequence[Recorded]) -> None:
    """Measure, print ratios, and show where the time goes when an aim was missed."""
    if "postgresql" in missing():
        print("NOT RUN: the rows of PostgreSQL (apt install postgresql)")
        return
    folder.chmod(0o755)  # the user postgres must be able to enter
    with PostgresServer(folder / "postgresql", PASSWORD) as server:
        print("Ledger and views on PostgreSQL:")
        ledger = measure_ledger(server, facts)
        with house_in(Server(server.create_database("flood"))) as house:
            timed_life_cycle(f"flood of {FLOOD:,} reports, facts, all views", house, flood_feed(house), START)
        measure_rebuild(server)
        if ledger < LEDGER_AIM:
            with house_in(Server(server.create_database("profile"))) as house:
                requests = submissions(house, REQUESTS // 4)
                profiled("ledger in batches", lambda: ledger_in_batches(house, requests))
