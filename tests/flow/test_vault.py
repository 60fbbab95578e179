"""The vault: words open with their key alone, every opening is recorded, and erased is erased everywhere."""

import shutil
import sqlite3
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.edge import Attachment
from events.private import Sealed
from events.report import Contact, EraseReport, ReportSubmitted, ReportWords
from services.runtime.batch import Submission
from services.runtime.errors import Damaged, Erased
from services.runtime.places import Folder
from services.runtime.vault import Vault
from services.wiring import House
from tests.flow.township import MONDAY_MORNING, hand_in, keys, open_case, react, row, submission

OpenHouse = Callable[..., House]
PHOTO = b"\x89PNG a broken road"


@pytest.fixture
def vault(tmp_path: Path) -> Any:
    opened = Vault(Folder(tmp_path).vault())
    yield opened
    opened.close()


def stored_key(folder: Path, stream: str) -> bytes:
    """The bytes of a key as the file holds them."""
    found = sqlite3.connect(folder / "vault.db")
    try:
        return bytes(found.execute("SELECT key FROM keys WHERE stream = ?", (stream,)).fetchone()[0])
    finally:
        found.close()


def files_with(folder: Path, content: bytes) -> list[str]:
    """The files of a folder that hold these bytes anywhere."""
    return sorted(file.name for file in folder.iterdir() if file.is_file() and content in file.read_bytes())


def words_of(house: House, report: str) -> Sealed:
    fact = house.log.stream(report)[0].fact
    assert isinstance(fact, ReportSubmitted)
    return fact.words


def open_words(house: House, report: str) -> ReportWords:
    return house.vault.open(words_of(house, report), ReportWords, "operator", "to read it", MONDAY_MORNING)


# Words


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.text(max_size=200), others=st.text(max_size=200))
def test_the_same_words_under_the_same_key_give_the_same_bytes_and_others_give_others(
    vault: Vault, words: str, others: str
) -> None:
    once = vault.encrypt("a" * 32, words)

    again = vault.encrypt("a" * 32, words)
    other = vault.encrypt("a" * 32, others)

    assert once == again
    assert (once.box == other.box) == (words == others)
    assert vault.open(once, str, "operator", "to read it", MONDAY_MORNING) == words


def test_the_same_words_under_another_key_give_other_bytes_that_do_not_open_each_other(vault: Vault) -> None:
    one, other = vault.encrypt("a" * 32, "路面破损"), vault.encrypt("b" * 32, "路面破损")

    assert one.box != other.box
    with pytest.raises(Damaged):
        vault.open(Sealed("b" * 32, one.box), str, "operator", "to read it", MONDAY_MORNING)


def test_the_bytes_do_not_hold_the_words(house: House) -> None:
    hand_in(house, "1", text="王小明住在桥头", contact=Contact(name="王小明", phone="13800000000"))
    react(house)

    assert files_with(house.folder, "王小明".encode()) == []
    assert files_with(house.folder, b"13800000000") == []


def test_who_opens_words_and_what_for_is_recorded_before_they_are_given(vault: Vault) -> None:
    box = vault.encrypt("a" * 32, "路面破损")
    tampered = Sealed(box.key, box.box[:-1] + bytes([box.box[-1] ^ 1]))

    vault.open(box, str, "operator-1", "to classify it", MONDAY_MORNING)
    with pytest.raises(Damaged):
        vault.open(tampered, str, "operator-2", "to see", MONDAY_MORNING)

    at = MONDAY_MORNING.isoformat()
    assert vault.openings("a" * 32) == [(at, "operator-1", "to classify it"), (at, "operator-2", "to see")]
    assert vault.openings("b" * 32) == []


def test_words_that_cannot_be_recorded_as_opened_are_not_given(vault: Vault, tmp_path: Path) -> None:
    box = vault.encrypt("a" * 32, "路面破损")
    other = sqlite3.connect(tmp_path / "vault.db", isolation_level=None)
    other.execute("CREATE TRIGGER full BEFORE INSERT ON openings BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
    other.close()

    with pytest.raises(sqlite3.IntegrityError):
        vault.open(box, str, "operator", "to read it", MONDAY_MORNING)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_box_with_any_bit_changed_or_any_end_cut_off_is_damaged(vault: Vault, data: st.DataObject) -> None:
    box = vault.encrypt("a" * 32, "路面破损")
    place = data.draw(st.integers(0, len(box.box) - 1))
    flipped = bytearray(box.box)
    flipped[place] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises(Damaged):
        vault.open(Sealed(box.key, bytes(flipped)), str, "operator", "to read it", MONDAY_MORNING)
    if place >= 12:
        with pytest.raises(Damaged):
            vault.open(Sealed(box.key, box.box[:place]), str, "operator", "to read it", MONDAY_MORNING)


@pytest.mark.parametrize("length", [1, 7])
def test_a_box_that_is_shorter_than_a_nonce_is_damaged(vault: Vault, length: int) -> None:
    box = vault.encrypt("a" * 32, "路面破损")

    with pytest.raises(Damaged):
        vault.open(Sealed(box.key, box.box[:length]), str, "operator", "to read it", MONDAY_MORNING)


# Keys


def test_a_new_key_is_in_the_file_only_once_it_is_flushed(vault: Vault, tmp_path: Path) -> None:
    vault.encrypt("a" * 32, "路面破损")

    def stored() -> int:
        found = sqlite3.connect(tmp_path / "vault.db")
        try:
            return int(found.execute("SELECT count(*) FROM keys").fetchone()[0])
        finally:
            found.close()

    before = stored()
    vault.flush()

    assert (before, stored()) == (0, 1)


def test_keys_discarded_since_a_mark_are_not_stored_and_those_before_it_are(vault: Vault, tmp_path: Path) -> None:
    kept = vault.encrypt("a" * 32, "一")
    mark = vault.mark()
    lost = vault.encrypt("b" * 32, "二")

    vault.discard(mark)
    vault.flush()

    assert len(stored_key(tmp_path, "a" * 32)) == 32
    assert vault.open(kept, str, "operator", "to read it", MONDAY_MORNING) == "一"
    with pytest.raises(Erased):
        vault.open(lost, str, "operator", "to read it", MONDAY_MORNING)
    assert vault.encrypt("b" * 32, "二") != lost


def test_the_key_of_a_report_is_in_the_file_before_its_facts_are(open_house: OpenHouse, tmp_path: Path) -> None:
    found: list[set[str]] = []

    def look(point: str) -> None:
        if point == "inside":
            found.append(keys(house))

    house = open_house()
    house.ledger._standing.probe = look
    report = hand_in(house, "1")

    assert found == [{report}]


# Erasure


def handed_in_with_photo(house: House, record: str) -> str:
    photo = Attachment("photo.png", "image/png", sha256(PHOTO).hexdigest(), data=PHOTO)
    return hand_in(house, record, attachments=(photo,), reporter=f"resident-{record}")


def test_after_an_erasure_nothing_opens_and_the_attachments_are_gone(house: House) -> None:
    report, other = handed_in_with_photo(house, "1"), handed_in_with_photo(house, "2")
    react(house)
    name = sha256(PHOTO).hexdigest()
    assert house.vault.attachment(report, name) == PHOTO
    assert open_words(house, report).title == "路面破损"

    answer = house.erase(report, by="officer", reason="request")

    assert answer.status == "accepted"
    with pytest.raises(Erased):
        open_words(house, report)
    with pytest.raises(Erased):
        house.vault.attachment(report, name)
    assert house.vault.is_erased(report)
    assert open_words(house, other).title == "路面破损"
    assert house.vault.attachment(other, name) == PHOTO
    with sqlite3.connect(house.folder / "vault.db") as file:
        assert file.execute("SELECT DISTINCT stream FROM attachments").fetchall() == [(other,)]
    file.close()


@pytest.mark.parametrize("others", [0, 40, 400])
def test_after_an_erasure_the_bytes_of_the_key_are_in_no_file(house: House, others: int) -> None:
    with house.ledger.batch() as batch:
        for n in range(others):
            batch.decide(submission(house, f"other {n}", reporter=f"other-{n}"))
    report = handed_in_with_photo(house, "1")
    react(house)
    case = row(house, "reports", report=report)["case"]
    house.vault.encrypt(case, "做完了。")
    house.vault.flush()
    lost = [stored_key(house.folder, stream) for stream in (report, case)]
    assert all(files_with(house.folder, key) for key in lost)

    house.erase(report, by="officer", reason="request")

    assert [files_with(house.folder, key) for key in lost] == [[], []]
    house.close()
    assert [files_with(house.folder, key) for key in lost] == [[], []]


def test_nobody_can_write_under_a_key_that_was_erased(house: House) -> None:
    report = hand_in(house, "1")
    react(house)
    house.erase(report, by="officer", reason="request")

    with pytest.raises(Erased):
        house.vault.encrypt(report, "别的话")
    with pytest.raises(Erased):
        house.vault.stage_attachment(report, PHOTO)

    assert report not in keys(house)


def test_the_report_of_an_erased_person_sent_again_is_the_same_report_and_brings_no_words_back(house: House) -> None:
    report = hand_in(house, "1")
    house.erase(report, by="officer", reason="request")

    again = house.ledger.decide(submission(house, "1"))

    assert (again.status, again.repeated) == ("accepted", True)
    assert report not in keys(house)


def test_an_erased_report_stays_erased_in_a_house_that_is_opened_again(open_house: OpenHouse) -> None:
    house = open_house()
    report = hand_in(house, "1")
    house.erase(report, by="officer", reason="request")
    house.close()

    again = open_house()

    with pytest.raises(Erased):
        open_words(again, report)


def test_what_one_process_erased_no_other_process_can_open(open_house: OpenHouse) -> None:
    one, other = open_house(), open_house()
    report = hand_in(one, "1")
    assert open_words(other, report).title == "路面破损"

    one.erase(report, by="officer", reason="request")

    with pytest.raises(Erased):
        open_words(other, report)


def test_a_backup_of_the_vault_that_is_put_back_has_later_erasures_replayed(
    open_house: OpenHouse, tmp_path: Path
) -> None:
    house = open_house()
    report, other = handed_in_with_photo(house, "1"), handed_in_with_photo(house, "2")
    react(house)
    house.close()
    shutil.copy(house.folder / "vault.db", tmp_path / "backup.db")
    house = open_house()
    lost = stored_key(house.folder, report)
    house.erase(report, by="officer", reason="request")
    house.close()

    shutil.copy(tmp_path / "backup.db", house.folder / "vault.db")
    restored = open_house()

    with pytest.raises(Erased):
        open_words(restored, report)
    assert open_words(restored, other).title == "路面破损"
    assert files_with(restored.folder, lost) == []


def test_an_erasure_that_was_cut_off_after_its_fact_is_made_good_when_the_house_is_opened(
    open_house: OpenHouse,
) -> None:
    house = open_house()
    report = hand_in(house, "1")
    react(house)
    request = EraseReport(report=report, by="officer", reason="request")
    house.ledger.decide(Submission(f"erase/{report}", request, "officer"))
    house.close()
    assert stored_key(house.folder, report)

    again = open_house()

    with pytest.raises(Erased):
        open_words(again, report)


# A key that two have, and pseudonyms


def test_the_words_about_a_case_are_erased_with_its_last_reporter_and_not_before(house: House) -> None:
    one = hand_in(house, "1")
    react(house)
    other = hand_in(house, "2")
    react(house)
    case = row(house, "reports", report=one)["case"]
    note = house.vault.encrypt(case, "做完了。")
    house.vault.flush()
    assert row(house, "reports", report=other)["case"] == case

    house.erase(one, by="officer", reason="request")
    assert house.vault.open(note, str, "operator", "to read it", MONDAY_MORNING) == "做完了。"
    house.erase(other, by="officer", reason="request")

    with pytest.raises(Erased):
        house.vault.open(note, str, "operator", "to read it", MONDAY_MORNING)


def test_the_pseudonym_key_of_a_month_stays_the_same_until_it_is_destroyed_and_never_comes_back(
    vault: Vault, tmp_path: Path
) -> None:
    months = [f"2026-{month:02d}" for month in range(1, 13)]
    made = {month: vault.pseudonym_key(month) for month in months}
    assert made == {month: vault.pseudonym_key(month) for month in months}
    assert len(set(made.values())) == 12

    vault.destroy_pseudonyms_before("2026-06")
    vault.destroy_pseudonyms_before("2026-03")
    again = Vault(Folder(tmp_path).vault())

    for opened in (vault, again):
        assert [opened.pseudonym_key(month) for month in months[:5]] == [None] * 5
        assert opened.pseudonym_key("2019-12") is None
        assert [opened.pseudonym_key(month) for month in months[5:]] == [made[month] for month in months[5:]]
    again.close()


def test_the_bytes_of_a_destroyed_pseudonym_key_are_in_no_file(vault: Vault, tmp_path: Path) -> None:
    lost = vault.pseudonym_key("2026-01")
    assert lost is not None

    vault.destroy_pseudonyms_before("2026-02")

    assert files_with(tmp_path, lost) == []


def test_reports_under_another_month_carry_another_pseudonym(open_house: OpenHouse) -> None:
    house = open_house()
    pseudonyms = set()
    for n, day in enumerate(("2026-10-15", "2026-11-15", "2026-11-20")):
        report = hand_in(house, f"{n}", time=datetime.fromisoformat(f"{day}T09:00:00+08:00"))
        fact = house.log.stream(report)[0].fact
        assert isinstance(fact, ReportSubmitted)
        pseudonyms.add(fact.reporter)

    assert len(pseudonyms) == 2
    assert open_case(house, "3")
