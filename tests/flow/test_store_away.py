"""A server that restarts, dies or loses a link: who asks is told so, nothing is half done, the next try works.

About log, vault and engine on PostgreSQL; the views have tests of their own.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import psycopg
import pytest

from deploy.servers import PostgresServer
from events.district import District
from services.runtime import parking, postgres
from services.runtime.batch import Answer
from services.runtime.clock import VirtualClock
from services.runtime.log import Log
from services.runtime.places import Server
from services.runtime.store import Unavailable
from services.simulation.residents import Residents
from services.simulation.service import simulation
from services.wiring import SERVICES, House
from tests.flow.test_store import lines
from tests.flow.township import (
    MONDAY_MORNING,
    Inputs,
    all_facts,
    counts,
    hand_in,
    keys,
    names,
    react,
    settled,
    submission,
    timers,
    told,
)
from tests.proxy import Proxy

PATIENCE_S = 60.0
OpenAt = Callable[..., House]


@pytest.fixture
def open_at(district: District) -> Iterator[OpenAt]:
    """Opens the house in a database, configured."""
    opened: list[House] = []

    def open_it(url: str, vault_url: str = "", **settings: Any) -> House:
        house = House(Server(url, vault_url=vault_url), VirtualClock(MONDAY_MORNING), **settings)
        opened.append(house)
        house.configure(district)
        return house

    yield open_it
    for house in opened:
        house.close()


@pytest.fixture
def house(open_at: OpenAt, postgres_url: str) -> House:
    return open_at(postgres_url)


def through(proxy: Proxy, url: str) -> str:
    """The URL by which the proxy's way is taken."""
    return url.replace(f":{proxy.target_port}/", f":{proxy.port}/")


# A server that is not there


def test_after_a_restart_of_the_server_everything_works_at_the_first_try(
    house: House, postgres: PostgresServer
) -> None:
    report = hand_in(house, "1")
    react(house)
    attempts = house.attempts("somebody")
    attempts.count("something")
    calls: tuple[Callable[[], object], ...] = (
        house.log.head,
        lambda: house.log.after(0),
        lambda: house.log.stream(report),
        lambda: house.log.first(report),
        lambda: house.vault.openings(report),
        house.vault.refresh,
        lambda: house.setting("clock"),
        lambda: hand_in(house, "again"),
        lambda: attempts.so_far("something"),
        lambda: house.engine().step(house.clock.now()),
        lambda: house.erase(report, by="officer", reason="request"),
    )

    for call in calls:
        postgres.restart()
        call()

    assert attempts.so_far("something") == 1
    settled(house.log)


def test_while_the_server_is_away_every_call_says_so_soon_and_afterwards_all_is_well(
    house: House, postgres: PostgresServer, open_at: OpenAt, postgres_url: str
) -> None:
    report = hand_in(house, "1")
    engine = house.engine(Inputs([(MONDAY_MORNING, submission(house, "2"))]))
    idle = house.engine()
    while idle.step(MONDAY_MORNING):
        pass
    before = counts(house)
    handed_in = submission(house, "3")
    lock = house.place.lock("something")
    postgres.stop()

    began = time.monotonic()
    for call in (
        house.log.head,
        lambda: house.log.after(0),
        lambda: house.log.stream(report),
        lambda: house.vault.openings(report),
        lambda: house.vault.is_erased(report),
        house.vault.refresh,
        house.parked,
        lambda: house.ledger.decide(handed_in),
        lambda: idle.idle(MONDAY_MORNING),
        lambda: engine.step(house.clock.now()),
        lambda: house.attempts("somebody").count("something"),
        lambda: house.remember("something", "1"),
        lock.take,
        house.place.exists,
        lambda: open_at(postgres_url),
    ):
        with pytest.raises(Unavailable, match="expected PostgreSQL to answer, found: "):
            call()
    assert house.log.store.wait(0.01)
    took = time.monotonic() - began
    postgres.start()

    assert took < PATIENCE_S / 4
    assert counts(house) == before
    assert house.ledger.decide(handed_in) == Answer("accepted", facts=3)
    assert engine.step(house.clock.now())
    assert lock.take()
    lock.close()
    settled(house.log)


@pytest.mark.parametrize("point", ["deciding", "inside"])
@pytest.mark.parametrize("how", ["kill", "restart"])
def test_a_server_that_goes_in_the_middle_of_a_transaction_leaves_nothing_half_done(
    open_at: OpenAt, postgres_url: str, postgres: PostgresServer, point: str, how: str
) -> None:
    goes_at: list[str] = []

    def go(passing: str) -> None:
        if passing in goes_at:
            goes_at.clear()
            getattr(postgres, how)()

    house = open_at(postgres_url, probe=go)
    hand_in(house, "0")
    before = counts(house), timers(house.log)
    goes_at.append(point)
    with pytest.raises(Unavailable):
        house.ledger.decide(submission(house, "1"))
    postgres.start()

    assert (counts(house), timers(house.log)) == before
    assert house.ledger.decide(submission(house, "1")) == Answer("accepted", facts=3)
    assert house.ledger.decide(submission(house, "2")).facts == 3
    assert len(keys(house)) == 3
    settled(house.log)


class Breaking(Proxy):
    """Loses the link once, when one end says ``words``: before the other end hears them, or the answer to them."""

    def __init__(self, target_port: int, words: bytes, *, heard: bool) -> None:
        super().__init__(target_port)
        self._words, self._heard = words, heard
        self.armed = False
        self.lost: list[bytes] = []

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(65536):
            if self.lost and not self.armed:
                raise ConnectionResetError  # this is the answer
            if self.armed and self._words in chunk:
                self.armed = False
                self.lost.append(chunk)
                if not self._heard:
                    raise ConnectionResetError
            sink.write(chunk)
            await sink.drain()
        sink.write_eof()


@pytest.mark.parametrize("heard", [True, False])
def test_a_commit_whose_answer_was_lost_is_answered_from_the_inbox_and_one_that_was_not_heard_is_done_now(
    open_at: OpenAt, postgres_url: str, postgres: PostgresServer, heard: bool
) -> None:
    open_at(postgres_url)  # a statement that a link has sent often is sent by a number, which says nothing
    with (
        Breaking(postgres.port, b"COMMIT", heard=heard) as proxy,
        House(Server(through(proxy, postgres_url), vault_url=postgres_url), VirtualClock(MONDAY_MORNING)) as house,
    ):
        hand_in(house, "0")
        handed_in = submission(house, "1")
        before = counts(house)
        proxy.armed = True
        with pytest.raises(Unavailable):
            house.ledger.decide(handed_in)
        proxy.lost.clear()

        assert (counts(house) != before) == heard
        assert house.ledger.decide(handed_in) == Answer("accepted", facts=3, repeated=heard)
        assert hand_in(house, "2")
        assert len(keys(house)) == 3
        settled(house.log)


@pytest.mark.parametrize("heard", [True, False])
def test_keys_whose_commit_was_not_answered_are_used_and_not_made_anew(
    open_at: OpenAt, postgres_url: str, postgres: PostgresServer, heard: bool
) -> None:
    with Breaking(postgres.port, b"COMMIT", heard=heard) as proxy:
        house = open_at(postgres_url, vault_url=through(proxy, postgres_url))
        hand_in(house, "0")
        handed_in = submission(house, "1")
        proxy.armed = True
        with pytest.raises(Unavailable):
            house.ledger.decide(handed_in)
        proxy.lost.clear()
        stored = len(keys(house))

        assert stored == (2 if heard else 1)
        assert house.ledger.decide(handed_in) == Answer("accepted", facts=3)
        assert len(keys(house)) == 2
        settled(house.log)


def test_an_engine_whose_commit_was_not_answered_tells_every_sender_once_and_reacts_once(
    open_at: OpenAt, postgres_url: str, postgres: PostgresServer
) -> None:
    open_at(postgres_url)  # a statement that a link has sent often is sent by a number, which says nothing
    with (
        Breaking(postgres.port, b"COMMIT", heard=True) as proxy,
        House(Server(through(proxy, postgres_url), vault_url=postgres_url), VirtualClock(MONDAY_MORNING)) as house,
    ):
        feed = Inputs([(MONDAY_MORNING, submission(house, str(n), reporter=f"resident-{n}")) for n in range(5)])
        engine = house.engine(feed)
        proxy.armed = True
        with pytest.raises(Unavailable):
            engine.step(MONDAY_MORNING)
        proxy.lost.clear()
        assert feed.answers == []

        while engine.step(MONDAY_MORNING):
            pass

        assert [answer for _, answer in feed.answers] == [Answer("accepted", facts=3, repeated=True)] * 5
        assert names(all_facts(house.log)).count("case.opened") == 5
        assert house.parked() == 0
        settled(house.log)


def test_what_cannot_be_handled_because_the_store_is_away_is_nobody_s_fault(
    open_at: OpenAt, postgres_url: str, postgres: PostgresServer
) -> None:
    house = open_at(postgres_url)
    reports = [hand_in(house, str(n), reporter=f"resident-{n}") for n in range(3)]
    fresh = open_at(postgres_url)  # has to look up what it decides about
    engine = fresh.engine(Inputs([(MONDAY_MORNING, submission(fresh, "later"))]))
    away = 0

    def cut_off(point: str) -> None:
        nonlocal away
        if point == "deciding" and away < 9:
            away += 1
            with psycopg.connect(postgres.url(), autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    (postgres_url.rpartition("/")[2],),
                )

    fresh.ledger._standing.probe = cut_off
    tries = 0
    while names(all_facts(house.log)).count("case.opened") < len(reports):
        tries += 1
        assert tries < 40
        try:
            engine.step(MONDAY_MORNING)
        except Unavailable:
            continue

    with house.log.reading() as cursor:
        assert list(parking.all_parked(cursor)) == []
    assert away == 9
    assert fresh.attempts("engine").so_far(f"{reports[0]}:1") == 0
    settled(house.log)


def test_links_that_break_at_any_moment_change_nothing_of_the_story(
    open_at: OpenAt, postgres_url: str, postgres: PostgresServer, open_house: Callable[..., House]
) -> None:
    services = (*SERVICES, simulation(1))
    undisturbed = open_house(services)
    reports = lines(undisturbed)[:40]
    undisturbed.engine(Residents(iter(reports), undisturbed.desk, undisturbed.ledger.rules)).run()
    draw, broken = Random(5), 0

    with Proxy(postgres.port) as proxy:
        url = through(proxy, postgres_url)
        house = open_at(url, services=services)
        done = False
        while not done:
            cut = threading.Timer(draw.uniform(0.01, 0.15), proxy.cut if broken < 15 else proxy.mend)
            cut.start()
            try:
                house.engine(Residents(iter(reports), house.desk, house.ledger.rules), batch_facts=40).run()
                done = True
            except Unavailable:
                broken += 1
            cut.join()
            proxy.mend()

        assert broken >= 10
        assert told(house.log) == told(undisturbed.log)
        assert house.parked() == 0
        settled(house.log)


# Who stands still, and who waits


def test_a_writer_that_stands_still_in_a_transaction_loses_it_and_the_others_go_on(
    open_at: OpenAt, postgres_url: str, house: House
) -> None:
    still = open_at(postgres_url)

    def stand_still() -> None:
        with still.ledger.batch() as batch:
            assert batch.cursor.execute("SHOW idle_in_transaction_session_timeout").fetchone()[0] == "1min"
            batch.decide(submission(still, "1"))
            soon = "SELECT set_config('idle_in_transaction_session_timeout', '500ms', true)"
            assert batch.cursor.execute(soon).fetchone() == ("500ms",)
            assert house.ledger.decide(submission(house, "2")) == Answer("accepted", facts=3)

    with pytest.raises(Unavailable):
        stand_still()

    assert names(all_facts(house.log)).count("report.submitted") == 1
    assert still.ledger.decide(submission(still, "1")) == Answer("accepted", facts=3)
    settled(house.log)


def test_who_waits_too_long_for_the_lock_is_told_so_and_succeeds_later(
    open_at: OpenAt, postgres_url: str, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres.SESSION, "lock_timeout", "2s")  # a vacuum in the way gives up after one
    impatient = open_at(postgres_url)
    handed_in = submission(impatient, "2")

    with house.ledger.batch() as batch:
        batch.decide(submission(house, "1"))
        with pytest.raises(Unavailable, match="lock timeout"):
            impatient.ledger.decide(handed_in)

    assert impatient.ledger.decide(handed_in) == Answer("accepted", facts=3)
    settled(house.log)


def test_neither_a_vacuum_nor_the_opening_of_another_house_waits_for_who_appends(
    open_at: OpenAt, postgres_url: str, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres.SESSION, "lock_timeout", "5s")

    with house.ledger.batch() as batch, psycopg.connect(postgres_url, autocommit=True) as connection:
        batch.decide(submission(house, "1"))
        batch.write()
        connection.execute("SET lock_timeout = '5s'")
        connection.execute("VACUUM ANALYZE log.stored_events")
        log = Log(Server(postgres_url).log())
        assert log.head() == 1
        log.close()
        batch._inbox.clear()
        batch.facts.clear()


def test_a_transaction_in_which_a_statement_failed_does_not_pass_for_committed(house: House) -> None:
    def swallow() -> None:
        with house.log.store.writing() as cursor:
            cursor.execute("INSERT INTO settings VALUES ('a', 'b')")
            with pytest.raises(psycopg.errors.UndefinedTable):
                cursor.execute("SELECT * FROM nothing").fetchall()

    with pytest.raises(RuntimeError, match="expected a transaction to commit"):
        swallow()

    assert house.setting("a") is None


def test_connections_are_shared_and_none_is_left_behind(house: House, postgres_url: str) -> None:
    for n in range(30):
        hand_in(house, str(n), reporter=f"resident-{n}")
    react(house)

    with psycopg.connect(postgres_url) as connection:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        before = connection.execute(others).fetchone()
        house.close()
        connection.rollback()
        deadline = time.monotonic() + PATIENCE_S
        while connection.execute(others).fetchone() != (0,):
            connection.rollback()
            assert time.monotonic() < deadline

    assert before is not None
    assert before[0] <= 6
