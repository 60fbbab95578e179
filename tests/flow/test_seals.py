"""The seals: whatever is changed in a stored fact, verifying names its batch; a cut end shows against a noted head."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from events.district import District
from services.runtime.clock import VirtualClock
from services.runtime.log import Log
from services.runtime.places import Folder
from services.runtime.seal import FIRST, Verified, seal, verify
from services.simulation.residents import Residents
from services.simulation.service import simulation
from services.wiring import SERVICES, House
from tests.flow.township import MONDAY_MORNING, counts, hand_in, react, residents_lines, settled

OpenHouse = Callable[..., House]
Fresh = Callable[[], Path]
COLUMNS = ("originator_id", "originator_version", "topic", "state")


class Sample:
    """A log of many batches on a file, and where each batch ends."""

    def __init__(self, folder: Path, district: District) -> None:
        self.file = folder / "log.db"
        with House(folder, VirtualClock(MONDAY_MORNING), (*SERVICES, simulation(3))) as house:
            house.configure(district)
            lines = list(residents_lines(house.ledger.rules, MONDAY_MORNING, 6))
            for line in lines:
                house.engine(Residents(iter([line]), house.desk, house.ledger.rules)).run(until=line.time)
            house.engine().run()
            settled(house.log)
            self.head = verify(house.log).head
            with house.log.reading() as cursor:
                self.ends = [row[0] for row in cursor.execute("SELECT position FROM seals ORDER BY position")]
        self.facts = self.ends[-1]

    def batch(self, position: int) -> tuple[int, int]:
        """Which batch a position is in: the end of the one before it, and its own."""
        ends = [0, *self.ends]
        return next((before, end) for before, end in zip(ends, self.ends, strict=False) if position <= end)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory, district: District) -> Sample:
    made = Sample(tmp_path_factory.mktemp("sealed"), district)
    assert len(made.ends) > 5
    return made


@contextmanager
def tampered(sample: Sample, *statements: tuple[str, tuple[Any, ...]]) -> Iterator[Log]:
    """A copy of the sample in whose file somebody has changed something."""
    folder = sample.file.parent / "tampered"
    folder.mkdir()
    shutil.copy(sample.file, folder / "log.db")
    connection = sqlite3.connect(folder / "log.db", isolation_level=None)
    log = None
    try:
        for statement, values in statements:
            try:
                connection.execute(statement, values)
            except sqlite3.IntegrityError:
                assume(False)
        connection.close()
        log = Log(Folder(folder).log())
        yield log
    finally:
        connection.close()
        if log is not None:
            log.close()
        shutil.rmtree(folder)


def named(found: Verified) -> tuple[int, int]:
    assert found.fault is not None
    return found.fault.after, found.fault.position


def test_a_log_that_nobody_touched_verifies_with_every_fact_and_batch(sample: Sample) -> None:
    with tampered(sample) as log:
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
def test_a_changed_byte_that_is_no_text_any_more_is_found_too(sample: Sample, column: str) -> None:
    found = change(sample, 10, column, 0.5, 7)

    assert named(found) == sample.batch(10)


@pytest.mark.parametrize(
    ("column", "value"),
    [("originator_version", "one"), ("topic", b"\x00"), ("state", "no bytes"), ("originator_id", b"a")],
)
def test_a_value_of_another_kind_is_found_too(sample: Sample, column: str, value: object) -> None:
    with tampered(sample, (f"UPDATE stored_events SET {column} = ? WHERE rowid = 10", (value,))) as log:
        found = verify(log)

    assert named(found) == sample.batch(10)


def change(sample: Sample, position: int, column: str, place: float, bit: int) -> Verified:
    reader = sqlite3.connect(sample.file)
    value = reader.execute(f"SELECT {column} FROM stored_events WHERE rowid = ?", (position,)).fetchone()[0]
    reader.close()
    other = flipped(value, place, bit)
    form = "CAST(? AS TEXT)" if isinstance(value, str) else "?"
    with tampered(sample, (f"UPDATE stored_events SET {column} = {form} WHERE rowid = ?", (other, position))) as log:
        return verify(log)


@settings(max_examples=15)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_deleted_fact_is_found_in_its_batch(sample: Sample, share: float) -> None:
    position = 1 + int(share * sample.facts)

    with tampered(sample, ("DELETE FROM stored_events WHERE rowid = ?", (position,))) as log:
        found = verify(log)

    assert named(found) == sample.batch(position)


@settings(max_examples=15)
@given(shares=st.tuples(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True)))
def test_two_facts_that_changed_places_are_found_in_the_first_of_their_batches(
    sample: Sample, shares: tuple[float, float]
) -> None:
    one, other = sorted(1 + int(share * sample.facts) for share in shares)
    assume(one != other)
    move = "UPDATE stored_events SET rowid = ? WHERE rowid = ?"

    with tampered(sample, (move, (10**9, one)), (move, (one, other)), (move, (other, 10**9))) as log:
        found = verify(log)

    assert named(found) == sample.batch(one)


@settings(max_examples=15)
@given(number=st.integers(0, 10_000), place=st.integers(0, 31), bit=st.integers(0, 7))
def test_a_changed_seal_is_found(sample: Sample, number: int, place: int, bit: int) -> None:
    end = sample.ends[number % len(sample.ends)]
    reader = sqlite3.connect(sample.file)
    stored = bytearray(reader.execute("SELECT seal FROM seals WHERE position = ?", (end,)).fetchone()[0])
    reader.close()
    stored[place] ^= 1 << bit

    with tampered(sample, ("UPDATE seals SET seal = ? WHERE position = ?", (bytes(stored), end))) as log:
        found = verify(log)

    assert named(found) == sample.batch(end)


def test_a_removed_seal_is_found(sample: Sample) -> None:
    with tampered(sample, ("DELETE FROM seals WHERE position = ?", (sample.ends[2],))) as log:
        found = verify(log)

    assert named(found) == (sample.ends[1], sample.ends[3])


@pytest.mark.parametrize("batches", [1, 2, 4])
def test_newest_batches_that_were_cut_off_show_only_against_a_head_noted_before(sample: Sample, batches: int) -> None:
    end = sample.ends[-batches - 1]
    cut = [
        (f"DELETE FROM {table} WHERE {column} > ?", (end,))
        for table, column in (("stored_events", "rowid"), ("seals", "position"))
    ]

    with tampered(sample, *cut) as log:
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


@pytest.mark.parametrize("place", ["after", "before"])
def test_an_extra_fact_without_a_seal_is_found(sample: Sample, place: str) -> None:
    at = sample.facts + 1 if place == "after" else -1
    extra = (
        "INSERT INTO stored_events (rowid, originator_id, originator_version, topic, state)"
        " SELECT ?, originator_id, 999, topic, state FROM stored_events WHERE rowid = 2",
        (at,),
    )

    with tampered(sample, extra) as log:
        found = verify(log)

    assert found.fault is not None
    if place == "after":
        assert named(found) == (sample.facts, at)
        assert "no seal" in found.fault.what


def test_an_empty_log_verifies_and_its_head_is_the_beginning(tmp_path: Path) -> None:
    log = Log(Folder(tmp_path).log())

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
