"""The vault: words open with their key alone, every opening is recorded, and erased is erased everywhere."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from events.edge import Attachment
from events.ids import case_of
from events.private import Sealed
from events.report import AttachFile, Contact, EraseReport, FileAttached, ReportSubmitted, ReportWords
from services.runtime.batch import Submission
from services.runtime.errors import Damaged, Erased
from services.runtime.places import Folder, Place
from services.runtime.vault import Vault
from services.wiring import House
from tests.flow.stores import BROKEN, behind, broken, keys
from tests.flow.township import MONDAY_MORNING, hand_in, open_case, react, row, submission

OpenHouse = Callable[..., House]
Places = Callable[[str], Place]
FilesWith = Callable[[Place, bytes], list[str]]
pytestmark = pytest.mark.every_store
PHOTO = b"\x89PNG a broken road"


@pytest.fixture
def vault(place: Places) -> Iterator[Vault]:
    opened = Vault(place("vault").vault())
    yield opened
    opened.close()


@pytest.fixture
def files_with(request: pytest.FixtureRequest) -> FilesWith:
    """Names the files of a place that hold these bytes anywhere; a server's log of changes is none of them."""

    def found(place: Place, content: bytes) -> list[str]:
        if isinstance(place, Folder):
            files = [file for file in place.path.iterdir() if file.is_file()]
        else:
            with behind(place, "vault") as connection:
                connection.execute("CHECKPOINT")
                database = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()")
                folder = request.getfixturevalue("postgres").folder / "data" / "base" / str(database.fetchone()[0])
            files = list(folder.iterdir())
        return sorted(file.name for file in files if content in file.read_bytes())

    return found


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


def test_the_bytes_do_not_hold_the_words(house: House, files_with: FilesWith) -> None:
    hand_in(house, "1", text="王小明住在桥头", contact=Contact(name="王小明", phone="13800000000"))
    react(house)

    assert files_with(house.place, "王小明".encode()) == []
    assert files_with(house.place, b"13800000000") == []


def test_who_opens_words_and_what_for_is_recorded_before_they_are_given(vault: Vault) -> None:
    box = vault.encrypt("a" * 32, "路面破损")
    tampered = Sealed(box.key, box.box[:-1] + bytes([box.box[-1] ^ 1]))

    vault.open(box, str, "operator-1", "to classify it", MONDAY_MORNING)
    with pytest.raises(Damaged):
        vault.open(tampered, str, "operator-2", "to see", MONDAY_MORNING)

    at = MONDAY_MORNING.isoformat()
    assert vault.openings("a" * 32) == [(at, "operator-1", "to classify it"), (at, "operator-2", "to see")]
    assert vault.openings("b" * 32) == []


def test_words_that_cannot_be_recorded_as_opened_are_not_given(vault: Vault, place: Places) -> None:
    box = vault.encrypt("a" * 32, "路面破损")

    with broken(place("vault"), "vault", "openings"), pytest.raises(BROKEN):
        vault.open(box, str, "operator", "to read it", MONDAY_MORNING)

    assert vault.openings("a" * 32) == []


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


def test_a_new_key_is_stored_only_once_it_is_flushed(vault: Vault, place: Places) -> None:
    vault.encrypt("a" * 32, "路面破损")

    before = keys(place("vault"))
    vault.flush()

    assert (before, keys(place("vault")).keys()) == ({}, {"a" * 32})


def test_keys_discarded_since_a_mark_are_not_stored_and_those_before_it_are(vault: Vault, place: Places) -> None:
    kept = vault.encrypt("a" * 32, "一")
    mark = vault.mark()
    lost = vault.encrypt("b" * 32, "二")

    vault.discard(mark)
    vault.flush()

    assert [len(key) for key in keys(place("vault")).values()] == [32]
    assert vault.open(kept, str, "operator", "to read it", MONDAY_MORNING) == "一"
    with pytest.raises(Erased):
        vault.open(lost, str, "operator", "to read it", MONDAY_MORNING)
    assert vault.encrypt("b" * 32, "二") != lost


def test_the_key_of_a_report_is_stored_before_its_facts_are(open_house: OpenHouse) -> None:
    found: list[set[str]] = []

    def look(point: str) -> None:
        if point == "inside":
            found.append(set(keys(house.place)))

    house = open_house()
    house.ledger._standing.probe = look
    report = hand_in(house, "1")

    assert found == [{report}]


# Files


def attach(house: House, report: str, content: bytes) -> Submission:
    """A file for a report, as the window hands it to the ledger."""
    request = AttachFile(report=report, case=case_of(report), media_type="application/pdf", size=len(content))
    return Submission(f"files/{report}/{uuid4().hex}", request, "files", attachments=(content,))


def files_of(house: House, report: str) -> list[str]:
    """The files that the log names."""
    return [fact.fact.file for fact in house.log.stream(report) if isinstance(fact.fact, FileAttached)]


def boxes(house: House, report: str) -> list[str]:
    """The files that the vault holds."""
    with behind(house.place, "vault") as connection:
        found = connection.execute(f"SELECT sha256 FROM attachments WHERE stream = '{report}'").fetchall()
    return [name for (name,) in found]


def test_a_files_id_is_known_only_under_its_key_and_tells_nothing_without(vault: Vault) -> None:
    one, again = (vault.file_id("a" * 32, PHOTO, create=True) for _ in range(2))

    assert one == again
    assert one != vault.file_id("b" * 32, PHOTO, create=True)
    assert one != vault.file_id("a" * 32, PHOTO + b"x")
    assert one != sha256(PHOTO).hexdigest()
    with pytest.raises(Erased):
        vault.file_id("c" * 32, PHOTO)


def test_the_log_names_a_file_as_the_vault_does_and_each_opening_is_recorded(house: House) -> None:
    report = hand_in(house, "1")

    answer = house.ledger.decide(attach(house, report, PHOTO))

    (file,) = files_of(house, report)
    assert (answer.status, boxes(house, report)) == ("accepted", [file])
    assert house.vault.open_attachment(report, file, "officer", "to look", MONDAY_MORNING) == PHOTO
    assert house.vault.openings(report) == [(MONDAY_MORNING.isoformat(), "officer", "to look")]


def test_a_file_that_cannot_be_recorded_as_opened_is_not_given(house: House) -> None:
    report = hand_in(house, "1")
    house.ledger.decide(attach(house, report, PHOTO))
    (file,) = files_of(house, report)

    with broken(house.place, "vault", "openings"), pytest.raises(BROKEN):
        house.vault.open_attachment(report, file, "officer", "to look", MONDAY_MORNING)


def test_a_file_is_stored_before_its_fact_and_a_cut_between_leaves_one_that_nobody_can_ask_for(
    open_house: OpenHouse,
) -> None:
    house = open_house()
    report = hand_in(house, "1")

    def cut(point: str) -> None:
        if point == "inside":
            raise KeyboardInterrupt

    house.ledger._standing.probe = cut
    with pytest.raises(KeyboardInterrupt):
        house.ledger.decide(attach(house, report, PHOTO))
    house.close()

    again = open_house()
    left = boxes(again, report)
    assert (len(left), files_of(again, report)) == (1, [])
    again.ledger.decide(attach(again, report, PHOTO))
    assert boxes(again, report) == files_of(again, report) == left, "sent again it is the same"
    again.erase(report, by="officer", reason="request")
    assert boxes(again, report) == []


def test_a_file_whose_bytes_cannot_be_stored_is_not_in_the_log(house: House) -> None:
    report = hand_in(house, "1")

    with broken(house.place, "vault", "attachments"), pytest.raises(BROKEN):
        house.ledger.decide(attach(house, report, PHOTO))

    assert (boxes(house, report), files_of(house, report)) == ([], [])


def test_of_a_file_that_is_rejected_neither_bytes_nor_a_key_are_kept(house: House) -> None:
    nobody = "0" * 32

    answer = house.ledger.decide(attach(house, nobody, PHOTO))

    assert (answer.status, boxes(house, nobody)) == ("rejected", [])
    assert nobody not in keys(house.place)


def test_a_request_for_a_file_without_one_or_with_two_is_rejected(house: House) -> None:
    report = hand_in(house, "1")
    one = attach(house, report, PHOTO)

    answers = [
        house.ledger.decide(structs.replace(one, source_id=f"{one.source_id}{len(contents)}", attachments=contents))
        for contents in ((), (PHOTO, PHOTO))
    ]

    assert [answer.reason for answer in answers] == [
        f"file: expected the bytes of one beside the request, found {n}" for n in (0, 2)
    ]


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
    with behind(house.place, "vault") as connection:
        assert connection.execute("SELECT DISTINCT stream FROM attachments").fetchall() == [(other,)]


@pytest.mark.parametrize("others", [0, 40, 400])
def test_after_an_erasure_the_bytes_of_the_key_are_in_no_file(house: House, others: int, files_with: FilesWith) -> None:
    with house.ledger.batch() as batch:
        for n in range(others):
            batch.decide(submission(house, f"other {n}", reporter=f"other-{n}"))
    report = handed_in_with_photo(house, "1")
    react(house)
    case = row(house, "reports", report=report)["case"]
    house.vault.encrypt(case, "做完了。")
    house.vault.flush()
    lost = [keys(house.place)[stream] for stream in (report, case)]
    assert all(files_with(house.place, key) for key in lost)

    house.erase(report, by="officer", reason="request")

    assert [files_with(house.place, key) for key in lost] == [[], []]
    house.close()
    assert [files_with(house.place, key) for key in lost] == [[], []]


def test_nobody_can_write_under_a_key_that_was_erased(house: House) -> None:
    report = hand_in(house, "1")
    react(house)
    house.erase(report, by="officer", reason="request")

    with pytest.raises(Erased):
        house.vault.encrypt(report, "别的话")
    with pytest.raises(Erased):
        house.vault.stage_attachment(report, PHOTO)

    assert report not in keys(house.place)


def test_the_report_of_an_erased_person_sent_again_is_the_same_report_and_brings_no_words_back(house: House) -> None:
    report = hand_in(house, "1")
    house.erase(report, by="officer", reason="request")

    again = house.ledger.decide(submission(house, "1"))

    assert (again.status, again.repeated) == ("accepted", True)
    assert report not in keys(house.place)


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


@pytest.mark.files
def test_a_backup_of_the_vault_that_is_put_back_has_later_erasures_replayed(
    open_house: OpenHouse, tmp_path: Path, files_with: FilesWith
) -> None:
    house = open_house()
    report, other = handed_in_with_photo(house, "1"), handed_in_with_photo(house, "2")
    react(house)
    house.close()
    shutil.copy(house.folder / "vault.db", tmp_path / "backup.db")
    house = open_house()
    lost = keys(house.place)[report]
    house.erase(report, by="officer", reason="request")
    house.close()

    shutil.copy(tmp_path / "backup.db", house.folder / "vault.db")
    restored = open_house()

    with pytest.raises(Erased):
        open_words(restored, report)
    assert open_words(restored, other).title == "路面破损"
    assert files_with(restored.place, lost) == []


def test_an_erasure_that_was_cut_off_after_its_fact_is_made_good_when_the_house_is_opened(
    open_house: OpenHouse,
) -> None:
    house = open_house()
    report = hand_in(house, "1")
    react(house)
    request = EraseReport(report=report, by="officer", reason="request")
    house.ledger.decide(Submission(f"erase/{report}", request, "officer"))
    house.close()
    assert report in keys(house.place)

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
    vault: Vault, place: Places
) -> None:
    months = [f"2026-{month:02d}" for month in range(1, 13)]
    made = {month: vault.pseudonym_key(month) for month in months}
    assert made == {month: vault.pseudonym_key(month) for month in months}
    assert len(set(made.values())) == 12

    vault.destroy_pseudonyms_before("2026-06")
    vault.destroy_pseudonyms_before("2026-03")
    again = Vault(place("vault").vault())

    for opened in (vault, again):
        assert [opened.pseudonym_key(month) for month in months[:5]] == [None] * 5
        assert opened.pseudonym_key("2019-12") is None
        assert [opened.pseudonym_key(month) for month in months[5:]] == [made[month] for month in months[5:]]
    again.close()


def test_the_bytes_of_a_destroyed_pseudonym_key_are_in_no_file(
    vault: Vault, place: Places, files_with: FilesWith
) -> None:
    lost = vault.pseudonym_key("2026-01")
    assert lost is not None
    assert files_with(place("vault"), lost)

    vault.destroy_pseudonyms_before("2026-02")

    assert files_with(place("vault"), lost) == []


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


# Several processes


def another(place: Places) -> Vault:
    """The vault as another process has it open."""
    return Vault(place("vault").vault())


def test_a_key_that_another_process_made_is_used_and_not_made_anew(vault: Vault, place: Places) -> None:
    other = another(place)
    streams = [f"{n:012x}" + "a" * 20 for n in range(6)]

    for n, stream in enumerate(streams):
        maker, user = (vault, other) if n % 2 else (other, vault)
        maker.refresh()
        box = maker.encrypt(stream, "路面破损")
        maker.flush()
        user.refresh()
        user.expect({stream})
        assert user.encrypt(stream, "路面破损") == box
        user.flush()

    assert keys(place("vault")).keys() == set(streams)
    other.close()


def test_a_key_that_another_process_made_for_an_older_stream_is_found(vault: Vault, place: Places) -> None:
    other = another(place)
    old, new = "1" * 32, "2" * 32
    vault.encrypt(new, "新")
    vault.flush()
    other.refresh()

    box = other.encrypt(old, "旧")
    other.flush()
    vault.refresh()

    assert vault.encrypt(old, "旧") == box
    other.close()


@pytest.mark.parametrize("known", [True, False])
def test_a_key_that_another_process_destroyed_is_neither_used_nor_made_anew(
    vault: Vault, place: Places, known: bool
) -> None:
    other = another(place)
    stream = "a" * 32
    if known:
        vault.encrypt(stream, "路面破损")
        vault.flush()

    other.erase([stream], MONDAY_MORNING)
    vault.refresh()

    with pytest.raises(Erased):
        vault.encrypt(stream, "路面破损")
    other.close()


def test_a_key_made_while_another_process_destroys_it_is_not_stored(vault: Vault, place: Places) -> None:
    other = another(place)
    erased, kept = "a" * 32, "b" * 32
    vault.refresh()
    box = vault.encrypt(erased, "路面破损")
    vault.stage_attachment(erased, PHOTO)
    vault.encrypt(kept, "路面破损")

    other.erase([erased], MONDAY_MORNING)
    vault.flush()

    assert keys(place("vault")).keys() == {kept}
    with behind(place("vault"), "vault") as connection:
        assert connection.execute("SELECT count(*) FROM attachments").fetchone()[0] == 0
    with pytest.raises(Erased):
        vault.open(box, str, "operator", "to read it", MONDAY_MORNING)
    other.close()


def test_pseudonyms_that_another_process_destroyed_are_not_used_any_more(vault: Vault, place: Places) -> None:
    other = another(place)
    months = ("2026-01", "2026-02")
    before = [vault.pseudonym_key(month) for month in months]
    assert before == [other.pseudonym_key(month) for month in months]

    other.destroy_pseudonyms_before("2026-02")
    vault.refresh()

    assert [vault.pseudonym_key(month) for month in months] == [None, before[1]]
    with behind(place("vault"), "vault") as connection:
        assert connection.execute("SELECT month FROM periods").fetchall() == [("2026-02",)]
    other.close()


def test_two_processes_that_need_the_same_named_key_at_once_get_the_same(vault: Vault, place: Places) -> None:
    other = another(place)

    with ThreadPoolExecutor(2) as threads:
        made = [
            {keys.result() for keys in [threads.submit(one.receipt_key, source) for one in (vault, other)]}
            for source in map(str, range(20))
        ]

    assert [len(found) for found in made] == [1] * 20
    other.close()
