"""The seals: whatever is changed in a stored fact, verifying names its batch; a cut end shows against a noted head."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from deploy.servers import PostgresServer
from events.district import District
from services.runtime.clock import VirtualClock
from services.runtime.log import Log
from services.runtime.places import Folder, Place, Server
from services.runtime.seal import FIRST, Verified, seal, verify
from services.simulation.residents import Residents
from services.simulation.service import simulation
from services.wiring import SERVICES, House
from tests.flow.stores import behind
from tests.flow.township import MONDAY_MORNING, counts, hand_in, react, residents_lines, settled

OpenHouse = Callable[..., House]
Places = Callable[[str], Place]
Statement = tuple[str, tuple[Any, ...]]
pytestmark = pytest.mark.every_store
COLUMNS = ("originator_id", "originator_version", "topic", "state")


class Sample:
    """A log of many batches, and where each batch ends."""

    def __init__(self, place: Place, district: District) -> None:
        self.place = place
        with House(place, VirtualClock(MONDAY_MORNING), (*SERVICES, simulation(3))) as house:
            house.configure(district)
            lines = list(residents_lines(house.ledger.rules, MONDAY_MORNING, 6))
            for line in lines:
                house.engine(Residents(iter([line]), house.desk, house.ledger.rules)).run(until=line.time)
            house.engine().run()
            settled(house.log)
            self.position = house.log.store.position
            self.head = verify(house.log).head
            with house.log.reading() as cursor:
                self.ends = [row[0] for row in cursor.execute("SELECT position FROM seals ORDER BY position")]
        self.facts = self.ends[-1]

    def batch(self, position: int) -> tuple[int, int]:
        """Which batch a position is in: the end of the one before it, and its own."""
        ends = [0, *self.ends]
        return next((before, end) for before, end in zip(ends, self.ends, strict=False) if position <= end)

    def value(self, column: str, table: str, position: int) -> Any:
        """What stands in a column at a position."""
        where = self.position if table == "stored_events" else "position"
        with behind(self.place, "log") as connection:
            return connection.execute(f"SELECT {column} FROM {table} WHERE {where} = {position:d}").fetchone()[0]

    @contextmanager
    def tampered(self, *statements: Statement) -> Iterator[Log]:
        """The log after somebody has changed something behind its back; afterwards it is as before."""
        raise NotImplementedError


class FileSample(Sample):
    """On a file, of which every change has a copy of its own."""

    @contextmanager
    def tampered(self, *statements: Statement) -> Iterator[Log]:
        assert isinstance(self.place, Folder)
        copy = Folder(self.place.path / "tampered")
        copy.path.mkdir()
        shutil.copy(self.place.path / "log.db", copy.path / "log.db")
        log = None
        try:
            with behind(copy, "log") as connection:
                carry_out(connection, statements)
            log = Log(copy.log())
            yield log
        finally:
            if log is not None:
                log.close()
            shutil.rmtree(copy.path)


class ServerSample(Sample):
    """On PostgreSQL, where the tables are put back after each change."""

    TABLES = ("stored_events", "seals")

    def __init__(self, place: Place, district: District) -> None:
        super().__init__(place, district)
        self._log = Log(place.log())
        with behind(place, "log") as connection:
            connection.execute("CREATE SCHEMA kept")
            for table in self.TABLES:
                connection.execute(f"CREATE TABLE kept.{table} AS TABLE {table}")

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    @contextmanager
    def tampered(self, *statements: Statement) -> Iterator[Log]:
        with behind(self.place, "log") as connection:
            try:
                carry_out(connection, [(sql.replace("?", "%s"), values) for sql, values in statements])
                yield self._log
            finally:
                for table in self.TABLES:
                    connection.execute(f"DELETE FROM {table}")
                    connection.execute(f"INSERT INTO {table} SELECT * FROM kept.{table}")


def carry_out(connection: Any, statements: Sequence[Statement]) -> None:
    """Do what the statements say; what the store itself does not let happen is not looked at."""
    for statement, values in statements:
        try:
            connection.execute(statement, values)
        except (sqlite3.IntegrityError, psycopg.IntegrityError, psycopg.DataError):
            assume(False)


@pytest.fixture(scope="module")
def file_sample(tmp_path_factory: pytest.TempPathFactory, district: District) -> Sample:
    return FileSample(Folder(tmp_path_factory.mktemp("sealed")), district)


@pytest.fixture(scope="module")
def server_sample(postgres: PostgresServer, district: District) -> Iterator[Sample]:
    postgres.start()
    made = ServerSample(Server(postgres.create_database("sealed", icu_locale="zh")), district)
    yield made
    made.close()
    postgres.drop_database("sealed")


@pytest.fixture(scope="module", params=["file_sample", "server_sample"])
def sample(request: pytest.FixtureRequest) -> Sample:
    made: Sample = request.getfixturevalue(request.param)
    assert len(made.ends) > 5
    return made


def named(found: Verified) -> tuple[int, int]:
    assert found.fault is not None
    return found.fault.after, found.fault.position


def test_a_log_that_nobody_touched_verifies_with_every_fact_and_batch(sample: Sample) -> None:
    with sample.tampered() as log:
        found = verify(log)

    assert found == Verified(sample.facts, len(sample.ends), sample.head, None)


def flipped(value: Any, place: float, bit: int) -> Any:
    """The value with one bit of one of its bytes changed, of the same kind as before."""
    if isinstance(value, int):
        return value ^ (1 << bit)
    stored = bytearray(value if isinstance(value, bytes) else value.encode())
    stored[int(place * len(stored))] ^= 1 << bit
    return bytes(stored)


@settings(max_examples=80)
@given(
    share=st.floats(0, 1, exclude_max=True),
    column=st.sampled_from(COLUMNS),
    place=st.floats(0, 1, exclude_max=True),
    bit=st.integers(0, 6),
)
def test_one_changed_bit_anywhere_in_a_stored_fact_is_found_in_its_batch(
    sample: Sample, share: float, column: str, place: float, bit: int
) -> None:
    position = 1 + int(share * sample.facts)
    found = change(sample, position, column, place, bit)

    assert named(found) == sample.batch(position)
    assert found.facts == sample.batch(position)[0]


@pytest.mark.parametrize("column", ["originator_id", "topic"])
def test_a_changed_byte_that_is_no_text_any_more_is_found_too(file_sample: Sample, column: str) -> None:
    found = change(file_sample, 10, column, 0.5, 7)

    assert named(found) == file_sample.batch(10)


@pytest.mark.parametrize(
    ("column", "value"),
    [("originator_version", "one"), ("topic", b"\x00"), ("state", "no bytes"), ("originator_id", b"a")],
)
def test_a_value_of_another_kind_is_found_too(file_sample: Sample, column: str, value: object) -> None:
    with file_sample.tampered((f"UPDATE stored_events SET {column} = ? WHERE rowid = 10", (value,))) as log:
        found = verify(log)

    assert named(found) == file_sample.batch(10)


def change(sample: Sample, position: int, column: str, place: float, bit: int) -> Verified:
    value = sample.value(column, "stored_events", position)
    other = flipped(value, place, bit)
    if isinstance(value, str) and isinstance(sample.place, Server):
        other = other.decode()
    form = "CAST(? AS TEXT)" if isinstance(value, str) else "?"
    sql = f"UPDATE stored_events SET {column} = {form} WHERE {sample.position} = ?"
    with sample.tampered((sql, (other, position))) as log:
        return verify(log)


@settings(max_examples=15)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_deleted_fact_is_found_in_its_batch(sample: Sample, share: float) -> None:
    position = 1 + int(share * sample.facts)

    with sample.tampered((f"DELETE FROM stored_events WHERE {sample.position} = ?", (position,))) as log:
        found = verify(log)

    assert named(found) == sample.batch(position)


@settings(max_examples=15)
@given(shares=st.tuples(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True)))
def test_two_facts_that_changed_places_are_found_in_the_first_of_their_batches(
    sample: Sample, shares: tuple[float, float]
) -> None:
    one, other = sorted(1 + int(share * sample.facts) for share in shares)
    assume(one != other)
    move = f"UPDATE stored_events SET {sample.position} = ? WHERE {sample.position} = ?"

    with sample.tampered((move, (10**9, one)), (move, (one, other)), (move, (other, 10**9))) as log:
        found = verify(log)

    assert named(found) == sample.batch(one)


@settings(max_examples=15)
@given(number=st.integers(0, 10_000), place=st.integers(0, 31), bit=st.integers(0, 7))
def test_a_changed_seal_is_found(sample: Sample, number: int, place: int, bit: int) -> None:
    end = sample.ends[number % len(sample.ends)]
    stored = bytearray(sample.value("seal", "seals", end))
    stored[place] ^= 1 << bit

    with sample.tampered(("UPDATE seals SET seal = ? WHERE position = ?", (bytes(stored), end))) as log:
        found = verify(log)

    assert named(found) == sample.batch(end)


def test_a_removed_seal_is_found(sample: Sample) -> None:
    with sample.tampered(("DELETE FROM seals WHERE position = ?", (sample.ends[2],))) as log:
        found = verify(log)

    assert named(found) == (sample.ends[1], sample.ends[3])


@pytest.mark.parametrize("batches", [1, 2, 4])
def test_newest_batches_that_were_cut_off_show_only_against_a_head_noted_before(sample: Sample, batches: int) -> None:
    end = sample.ends[-batches - 1]
    cut = [
        (f"DELETE FROM {table} WHERE {column} > ?", (end,))
        for table, column in (("stored_events", sample.position), ("seals", "position"))
    ]

    with sample.tampered(*cut) as log:
        alone, against = verify(log), verify(log, sample.head)

    assert alone.fault is None
    assert alone.facts == end
    assert named(against) == (end, end)
    assert against.fault is not None
    assert "cut off" in against.fault.what
    assert sample.head in against.fault.what


def test_a_head_noted_long_ago_is_still_part_of_a_longer_chain(open_house: OpenHouse) -> None:
    house = open_house()
    heads = []
    for n in range(5):
        hand_in(house, f"{n}")
        heads.append(verify(house.log).head)
    react(house)

    for head in heads:
        assert verify(house.log, head).fault is None
    assert verify(house.log, "0" * 64).fault is not None
    assert len(set(heads)) == 5


@pytest.mark.parametrize("where", ["after", "before"])
def test_an_extra_fact_without_a_seal_is_found(sample: Sample, where: str) -> None:
    at = sample.facts + 1 if where == "after" else -1
    extra = (
        f"INSERT INTO stored_events ({sample.position}, originator_id, originator_version, topic, state)"
        f" SELECT ?, originator_id, 999, topic, state FROM stored_events WHERE {sample.position} = 2",
        (at,),
    )

    with sample.tampered(extra) as log:
        found = verify(log)

    assert found.fault is not None
    if where == "after":
        assert named(found) == (sample.facts, at)
        assert "no seal" in found.fault.what


def test_an_empty_log_verifies_and_its_head_is_the_beginning(place: Places) -> None:
    log = Log(place("data").log())

    found = verify(log)

    assert found == Verified(0, 0, FIRST.hex(), None)
    log.close()


def test_a_batch_without_facts_is_not_sealed(open_house: OpenHouse) -> None:
    house = open_house()
    hand_in(house, "1")
    before = counts(house)

    hand_in(house, "1")
    with house.ledger.batch():
        pass

    assert counts(house) == before


FACT = st.tuples(
    st.integers(1, 10**12),
    st.text("0123456789abcdef", min_size=32, max_size=32).map(str.encode),
    st.integers(1, 10**6),
    st.sampled_from([b"call.issued.v1", b"case.opened.v1"]),
    st.binary(max_size=40),
)


@given(one=st.lists(FACT, max_size=4), other=st.lists(FACT, max_size=4))
def test_two_lists_of_facts_have_the_same_seal_only_if_they_are_the_same(one: list[Any], other: list[Any]) -> None:
    assert (seal(FIRST, one) == seal(FIRST, other)) == (one == other)


@given(before=st.lists(FACT, max_size=2), one=st.lists(FACT, min_size=1, max_size=2))
def test_the_same_facts_after_others_have_another_seal(before: list[Any], one: list[Any]) -> None:
    assert seal(seal(FIRST, before), one) != seal(FIRST, one)
