"""Words that can name a person stand nowhere in clear, and once their person is erased, nowhere at all."""

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from events.ids import case_of
from projections.all_views import VIEWS
from services.cli.main import _explain, app
from services.runtime.clock import VirtualClock
from services.runtime.district import find_district, load_district
from services.runtime.places import Folder
from services.runtime.vault import Vault
from services.wiring import House
from tests.flow.township import stored

MONDAY = datetime(2026, 3, 2, 1, tzinfo=UTC)
VILLAGE = load_district(find_district("yunan")).villages[0].code
MATTER = "301"


class Person(NamedTuple):
    """Everything by which one resident could be known."""

    title: str
    text: str
    place: str
    name: str
    phone: str
    reporter: str
    photo: bytes

    @property
    def markers(self) -> list[str]:
        return [self.title, self.text, self.place, self.name, self.phone, self.reporter]


LI = Person(
    "李氏祖宅门前的水沟",
    "我家水沟堵了三个月 zqxj-marker-text",
    "榕树头第七间",
    "李栀子",
    "13800007351",
    "id-card-44530319700101735X",
    b"\xff\xd8 a photo of the ditch, zqxj-marker-photo " + bytes(range(256)),
)
WANG = Person(
    "王家门口的水沟",
    "同一条水沟又堵了 kwvy-marker-text",
    "榕树头第八间",
    "王茉莉",
    "13900009462",
    "id-card-44530319800202946X",
    b"\xff\xd8 another photo, kwvy-marker-photo " + bytes(range(255, -1, -1)),
)


def line(record: str, who: Person, minutes: int = 0, **fields: Any) -> bytes:
    photo = {
        "name": "ditch.jpg",
        "media_type": "image/jpeg",
        "sha256": sha256(who.photo).hexdigest(),
        "data": base64.b64encode(who.photo).decode(),
    }
    report = {
        "id": record,
        "time": (MONDAY + timedelta(minutes=minutes)).isoformat(),
        "title": who.title,
        "text": who.text,
        "place": who.place,
        "reporter": who.reporter,
        "contact": {"name": who.name, "phone": who.phone},
        "village": VILLAGE,
        "matter": MATTER,
        "attachments": [photo],
        **fields,
    }
    return json.dumps(report, ensure_ascii=False).encode() + b"\n"


class Township:
    """A data directory and the command line over it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.data, self._capsys = folder, folder / "data", capsys

    def hujiao(self, *tokens: object, status: int | None = 0) -> str:
        """What a command says, on both channels; it must end with ``status``."""
        words = [str(token) for token in tokens] + ["--data", str(self.data)]
        try:
            found = int(app(words, exit_on_error=False) or 0)
        except Exception as error:  # noqa: BLE001  # what the command line does with it is under test
            found = int(_explain(error))
        said = self._capsys.readouterr()
        assert status is None or found == status, f"expected exit status {status}, found {found}: {said.err}"
        return said.out + said.err

    def play(self, *lines: bytes, status: int | None = 0) -> dict[str, Any]:
        """Replay lines; the figures with which that ends, and the receipts."""
        (self.folder / "lines.jsonl").write_bytes(b"".join(lines))
        receipts = self.folder / "receipts.tsv"
        said = self.hujiao("replay", self.folder / "lines.jsonl", "--receipts", receipts, "--json", status=status)
        figures: dict[str, Any] = json.loads(said.splitlines()[0])
        given = dict(entry.split("\t") for entry in receipts.read_text().splitlines())
        return {**figures, "given": given}

    def digests(self) -> dict[str, str]:
        return dict(json.loads(self.hujiao("digest", "--json")))

    def rows(self, sql: str) -> list[dict[str, Any]]:
        return list(json.loads(self.hujiao("query", sql, "--json")))

    def words(self, receipt: str) -> list[dict[str, Any]]:
        return list(json.loads(self.hujiao("case", receipt, "--words-for", "officer Chen", "--json"))["words"])

    def everything_asked(self, receipt: str) -> str:
        """All that can be asked without opening words."""
        questions: list[tuple[str, ...]] = [
            ("case", receipt),
            ("explain", receipt),
            ("board",),
            ("status",),
            ("digest",),
            ("verify",),
            ("asof", "10", "--sql", "SELECT * FROM reports"),
            ("asof", "10"),
            ("parked", "list"),
            *(("query", f"SELECT * FROM {view.name}") for view in VIEWS),
        ]
        told = [self.hujiao(*question) + self.hujiao(*question, "--json") for question in questions]
        return "".join(told)

    def files(self) -> Iterator[tuple[str, bytes]]:
        for path in sorted(self.data.rglob("*")):
            if path.is_file():
                yield path.name, path.read_bytes()

    def openings(self, report: str) -> list[tuple[str, str, str]]:
        with closing(Vault(Folder(self.data).vault())) as vault:
            return vault.openings(report)


@pytest.fixture
def township(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Township:
    return Township(tmp_path, capsys)


def forms(marker: str | bytes) -> list[bytes]:
    """A marker as it could stand in a file: as it is, escaped, in base64 at any offset, and in hexadecimal."""
    if isinstance(marker, str):
        found = forms(marker.encode())
        for encoding in ("utf-16-le", "utf-16-be", "gb18030"):
            found.append(marker.encode(encoding))
        return [*found, json.dumps(marker)[1:-1].encode(), marker.encode("unicode_escape")]
    plain = [marker, marker.hex().encode(), marker.hex().upper().encode()]
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + marker)
        plain.append(encoded[4 if offset else 0 : len(encoded) // 4 * 4 - 4])
    return [form for form in plain if len(form) >= 6]


def test_a_marker_would_be_found_in_any_form() -> None:
    inside = "x" + LI.text + "x"

    for written in (
        inside.encode(),
        inside.encode("utf-16-le"),
        json.dumps(inside).encode(),
        base64.b64encode(inside.encode()),
        base64.b64encode(b"?" + inside.encode()),
        base64.b64encode(b"??" + inside.encode()),
        inside.encode().hex().encode(),
    ):
        assert any(form in written for form in forms(LI.text))


def check_nothing_is_told(township: Township, who: Person, told: str) -> None:
    photo = who.photo[4:40]
    for marker in (*who.markers, who.text[-16:], photo):
        for form in forms(marker):
            for name, content in township.files():
                assert form not in content, f"{marker!r} stands in {name} as {form[:40]!r}"
            assert form not in told.encode(), f"{marker!r} was told as {form[:40]!r}"


def test_words_stand_in_no_file_and_no_answer_but_can_be_opened(township: Township) -> None:
    receipt = township.play(line("1", LI))["given"]["import/1"]

    told = township.everything_asked(receipt)

    check_nothing_is_told(township, LI, told)
    (words,) = township.words(receipt)
    assert (words["title"], words["text"], words["place"]) == (LI.title, LI.text, LI.place)


def test_every_opening_is_recorded_with_who_and_when(township: Township) -> None:
    receipt = township.play(line("1", LI))["given"]["import/1"]
    (report,) = township.rows("SELECT report FROM reports")

    assert township.openings(report["report"]) == []
    township.words(receipt)
    township.words(receipt)

    opened = township.openings(report["report"])
    assert [who for _, who, _ in opened] == ["officer Chen", "officer Chen"]
    assert all(datetime.fromisoformat(at).tzinfo is not None for at, _, _ in opened)


def test_words_are_opened_for_somebody_or_not_at_all(township: Township) -> None:
    receipt = township.play(line("1", LI))["given"]["import/1"]
    (report,) = township.rows("SELECT report FROM reports")

    said = township.hujiao("case", receipt, "--words-for", " ", status=2)

    assert LI.title not in said
    assert township.openings(report["report"]) == []


def test_words_with_markup_are_shown_as_they_are(township: Township) -> None:
    marked = LI._replace(title="[bold]水沟[/bold]", text="见[red]附件[/nothing] [/] \\[x]")
    receipt = township.play(line("1", marked))["given"]["import/1"]

    said = township.hujiao("case", receipt, "--words-for", "officer Chen")

    assert marked.title in said
    assert marked.text in said


def test_an_attachment_can_be_opened_until_it_is_erased(township: Township) -> None:
    receipt = township.play(line("1", LI))["given"]["import/1"]
    (report,) = township.rows("SELECT report FROM reports")
    name = sha256(LI.photo).hexdigest()

    with closing(Vault(Folder(township.data).vault())) as vault:
        assert vault.attachment(report["report"], name) == LI.photo
    township.hujiao("erase", receipt, "--by", "clerk")

    with closing(Vault(Folder(township.data).vault())) as vault:
        assert stored(vault, "SELECT count(*) FROM attachments")[0][0] == 0
        assert stored(vault, "SELECT count(*) FROM keys WHERE stream = ?", report["report"])[0][0] == 0
        assert vault.is_erased(report["report"])


def test_after_an_erasure_nobody_can_read_the_words_and_all_else_is_as_it_was(township: Township) -> None:
    receipt = township.play(line("1", LI), line("2", WANG))["given"]["import/1"]
    before, facts = township.digests(), json.loads(township.hujiao("verify", "--json"))["facts"]

    said = json.loads(township.hujiao("erase", receipt, "--by", "clerk", "--reason", "request", "--json"))

    refused = township.hujiao("case", receipt, "--words-for", "officer Chen", status=None)
    told = township.everything_asked(receipt)
    after = township.digests()
    assert said["erased"] is True
    assert LI.title not in refused
    assert "erased" in refused
    check_nothing_is_told(township, LI, told)
    assert {name for name in after if after[name] != before[name]} == {"reports"}
    assert json.loads(township.hujiao("verify", "--json")) | {"head": "", "batches": 0} == {
        "facts": facts + 1,
        "batches": 0,
        "head": "",
        "fault": None,
    }


def test_an_erasure_changes_nothing_of_the_report_but_when_it_was_erased(township: Township) -> None:
    receipt = township.play(line("1", LI), line("2", WANG))["given"]["import/1"]
    before = township.rows("SELECT * FROM reports ORDER BY record")

    township.hujiao("erase", receipt, "--by", "clerk")

    after = township.rows("SELECT * FROM reports ORDER BY record")
    changed = {name for old, new in zip(before, after, strict=True) for name in old if old[name] != new[name]}
    assert changed == {"erased_at"}
    assert [row["erased_at"] is not None for row in after] == [True, False]


def test_views_built_anew_after_an_erasure_are_the_same(township: Township) -> None:
    receipt = township.play(line("1", LI))["given"]["import/1"]
    township.hujiao("erase", receipt, "--by", "clerk")
    digests = township.digests()

    township.hujiao("rebuild")

    assert township.digests() == digests


@pytest.mark.parametrize("attachments", ["with", "without"])
def test_the_same_line_after_the_erasure_gets_the_same_receipt_and_adds_nothing(
    attachments: str, township: Township
) -> None:
    report = line("1", LI) if attachments == "with" else line("1", LI, attachments=[])
    first = township.play(report)
    township.hujiao("erase", first["given"]["import/1"], "--by", "clerk")
    facts = first["facts"] + 1

    again = township.play(report, status=None)

    assert again["refused"] == 0
    assert again["given"] == first["given"]
    assert (again["repeated"], again["facts"], again["reports"]) == (1, facts, 1)
    check_nothing_is_told(township, LI, "")


def test_the_destroyed_keys_stand_in_no_file_any_more(township: Township) -> None:
    receipt = township.play(line("1", LI))["given"]["import/1"]
    with closing(Vault(Folder(township.data).vault())) as vault:
        keys = [row[0] for row in stored(vault, "SELECT key FROM keys")]

    township.hujiao("erase", receipt, "--by", "clerk")

    assert len(keys) == 2, "the report's and the case's"
    for name, content in township.files():
        assert not any(key in content for key in keys), name


def test_erased_twice_is_erased_once(township: Township) -> None:
    receipt = township.play(line("1", LI))["given"]["import/1"]
    township.hujiao("erase", receipt, "--by", "clerk")
    digests, facts = township.digests(), json.loads(township.hujiao("status", "--json"))["facts"]

    again = json.loads(township.hujiao("erase", receipt, "--by", "another clerk", "--json"))

    assert again["erased"] is False
    assert township.digests() == digests
    assert json.loads(township.hujiao("status", "--json"))["facts"] == facts


def test_a_case_of_two_reports_keeps_its_key_until_both_are_erased(township: Township) -> None:
    same = WANG._replace(reporter=LI.reporter)
    played = township.play(line("1", LI), line("2", same, minutes=30))
    rows = township.rows('SELECT report, "case" FROM reports ORDER BY record')
    case = rows[0]["case"]
    assert [row["case"] for row in rows] == [case, case], "the same reporter, matter and village is one case"
    assert case == case_of(rows[0]["report"])

    def erased() -> list[bool]:
        with closing(Vault(Folder(township.data).vault())) as vault:
            return [vault.is_erased(stream) for stream in (rows[0]["report"], rows[1]["report"], case)]

    assert erased() == [False, False, False]
    township.hujiao("erase", played["given"]["import/1"], "--by", "clerk")
    assert erased() == [True, False, False]
    township.hujiao("erase", played["given"]["import/2"], "--by", "clerk")
    assert erased() == [True, True, True]


def test_the_words_of_the_other_report_of_a_case_can_still_be_opened(township: Township) -> None:
    same = WANG._replace(reporter=LI.reporter)
    played = township.play(line("1", LI), line("2", same, minutes=30))
    township.hujiao("erase", played["given"]["import/1"], "--by", "clerk")

    said = township.hujiao("case", played["given"]["import/2"], "--words-for", "officer Chen", "--json", status=None)

    assert WANG.text in said
    assert LI.text not in said


def test_a_backup_of_the_vault_does_not_bring_the_words_back(township: Township) -> None:
    receipt = township.play(line("1", LI))["given"]["import/1"]
    (report,) = township.rows("SELECT report FROM reports")
    kept = {path.name: path.read_bytes() for path in township.data.glob("vault.db*")}
    township.hujiao("erase", receipt, "--by", "clerk")
    for path in township.data.glob("vault.db*"):
        path.unlink()
    for name, content in kept.items():
        (township.data / name).write_bytes(content)

    said = township.hujiao("case", receipt, "--words-for", "officer Chen", status=None)

    assert LI.title not in said
    with House(township.data, VirtualClock(MONDAY)) as house:
        assert house.vault.is_erased(report["report"])


def test_an_anonymous_report_keeps_nothing_that_names_its_reporter(township: Township) -> None:
    receipt = township.play(line("1", LI, anonymous=True))["given"]["import/1"]

    told = township.everything_asked(receipt) + json.dumps(township.words(receipt), ensure_ascii=False)

    for marker in (LI.name, LI.phone, LI.reporter):
        assert marker not in told
        for name, content in township.files():
            assert marker.encode() not in content, name


@pytest.mark.parametrize("receipt", ["x", "", "LD2222222222A", "LDLDLDLDLDLDLDLD"])
def test_what_is_no_receipt_erases_nothing(receipt: str, township: Township) -> None:
    played = township.play(line("1", LI))

    said = township.hujiao("erase", receipt, "--by", "clerk", status=2)

    assert "expected" in said
    assert len(township.words(played["given"]["import/1"])) == 1
