"""Whatever stands in a file of lines: the good lines get receipts, each bad one a reason, and nothing is half done."""

import base64
import json
import signal
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.district import District
from events.edge import ReportLine
from projections.queries import Questions
from services.cli.main import _explain, app
from services.intake.files import FileFeed
from services.intake.receipt import read_receipt
from services.rules.book import RuleBook
from services.runtime.clock import VirtualClock
from services.runtime.district import find_district, load_district
from services.runtime.seal import verify
from services.wiring import House
from tests.flow.township import stored

DISTRICT = load_district(find_district("yunan"))
RULES = RuleBook(DISTRICT)
MONDAY = datetime(2026, 3, 2, 1, tzinfo=UTC)
READ_AT = MONDAY + timedelta(days=1)
ENDS_WITHIN_S = 5.0
VILLAGE = DISTRICT.villages[0]
OTHER_TOWN = next(town.code for town in DISTRICT.towns if town.code != VILLAGE.town)


def good(record: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": record,
        "time": MONDAY.isoformat(),
        "title": "村口的路灯坏了",
        "text": "晚上很黑，请来修。",
        "reporter": f"resident-{record}",
        "village": VILLAGE.code,
        **fields,
    }


def as_line(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()


def without(field: str) -> bytes:
    return as_line({name: value for name, value in good("bad").items() if name != field})


def changed(**fields: Any) -> bytes:
    return as_line(good("bad", **fields))


def patched(old: str, new: bytes, **fields: Any) -> bytes:
    return changed(**fields).replace(old.encode(), new)


def attachment(content: bytes, **fields: Any) -> dict[str, Any]:
    data = base64.b64encode(content).decode()
    return {
        "name": "photo.jpg",
        "media_type": "image/jpeg",
        "sha256": sha256(content).hexdigest(),
        "data": data,
    } | fields


def hujiao(*tokens: object) -> int:
    """The exit status of a command."""
    try:
        return int(app([str(token) for token in tokens], exit_on_error=False) or 0)
    except Exception as error:  # noqa: BLE001  # what the command line does with it is under test
        return _explain(error)


class Played(NamedTuple):
    house: House
    feed: FileFeed
    receipts: dict[str, str]

    def refused(self) -> dict[int, str]:
        return {refused.line: refused.reason for refused in self.feed.refused}


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """What takes longer does not end at all, and fails."""

    def give_up(*_: object) -> None:
        raise TimeoutError(f"expected an end within {seconds} seconds, found none")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def played(content: bytes, district: District = DISTRICT, folder: Path | None = None) -> Iterator[Played]:
    """The lines, played to their end in a house of their own."""
    with tempfile.TemporaryDirectory() as scratch:
        place = folder or Path(scratch)
        path = place / "lines.jsonl"
        path.write_bytes(content)
        receipts: dict[str, str] = {}
        with House(place / "data", VirtualClock(MONDAY)) as house:
            house.configure(district)
            house.lock()
            feed = FileFeed([path], house.desk, lambda: RULES, READ_AT, on_receipt=receipts.__setitem__)
            with deadline(ENDS_WITHIN_S), closing(feed):
                feed.index()
                house.engine(feed).run()
            house.views.catch_up(house.log)
            yield Played(house, feed, receipts)


def check_nothing_is_lost_or_half_done(house: House, reports: int, *, built_anew: bool = False) -> None:
    questions = Questions(house.views.database)
    _, known = questions.sql('SELECT report, phase, "case" FROM reports')
    _, open_cases = questions.sql("SELECT \"case\" FROM cases WHERE phase <> 'closed'")
    _, owed = questions.sql("SELECT DISTINCT \"case\" FROM board WHERE owner = 'command_centre'")
    _, orphans = questions.sql('SELECT "case" FROM reports WHERE "case" NOT IN (SELECT "case" FROM cases)')
    _, miscounted = questions.sql(
        'SELECT c."case" FROM cases c WHERE reports <> (SELECT count(*) FROM reports r WHERE r."case" = c."case")'
    )

    assert len(known) == reports
    assert {phase for _, phase, _ in known} <= {"linked"}
    assert all(case for _, _, case in known)
    assert orphans == []
    assert miscounted == []
    assert sorted(owed) == sorted(open_cases), "every open case, and no other, is on the command centre's board"
    assert verify(house.log).fault is None
    with house.log.reading() as cursor:
        assert cursor.execute("SELECT count(*) FROM parked").fetchone()[0] == 0
        assert cursor.execute("SELECT count(*) FROM timers").fetchone()[0] == 0
    if built_anew:
        before = house.views.digest()
        house.views.rebuild(house.log)
        assert house.views.digest() == before


BAD: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"hello", "JSON"),
    "half an object": (as_line(good("bad"))[:-5], "JSON"),
    "two objects": (as_line(good("bad")) * 2, "JSON"),
    "a list": (b"[]", "object"),
    "a string": (b'"x"', "object"),
    "a number": (b"17", "object"),
    "null": (b"null", "object"),
    "an empty object": (b"{}", "id"),
    "NaN": (b"NaN", "JSON"),
    "NUL bytes": (b"\0\0\0\0", "JSON"),
    "a NUL inside": (patched("村口", b"\0"), "JSON"),
    "random bytes": (bytes(range(128, 256)), ""),
    "an id that is no UTF-8": (patched('"bad"', b'"\xff\xfe"'), "UTF-8"),
    "a text that is no UTF-8": (patched("晚上", b"\xc3\x28"), "UTF-8"),
    "a surrogate as raw bytes": (patched("晚上", b"\xed\xa0\x80"), "UTF-8"),
    "a field's name that is no UTF-8": (patched('"id"', b'"zu\xffsatz": 1, "id"'), "UTF-8"),
    "a lone surrogate escaped": (patched("晚上", rb"\ud800"), "surrogate"),
    "a lone low surrogate escaped": (patched("村口", rb"\udfff"), "surrogate"),
    "a million open brackets": (b"[" * 1_000_000, "object"),
    "a million brackets in a field": (patched('"id"', b'"x": ' + b"[" * 1_000_000), "nested"),
    "a million closed brackets in a field": (
        patched('"id"', b'"x": ' + b"[" * 1_000_000 + b"]" * 1_000_000 + b', "id"'),
        "nested",
    ),
    "a million braces": (b'{"a":' * 1_000_000, "nested"),
    "ten million characters": (changed(text="长" * 10_000_000), "text"),
    "a title of a million": (changed(title="x" * 1_000_000), "title"),
    "no id": (without("id"), "id"),
    "no time": (without("time"), "time"),
    "no title": (without("title"), "title"),
    "no text": (without("text"), "text"),
    "an empty id": (changed(id=""), "id"),
    "a long id": (changed(id="x" * 101), "id"),
    "an id with a line break": (changed(id="a\nb"), "id"),
    "an id that ends with a line break": (changed(id="bad\n"), "id"),
    "an id with a NUL": (changed(id="a\0b"), "id"),
    "a number as id": (changed(id=5), "id"),
    "a huge number as id": (patched('"bad"', b"9" * 10_000), "id"),
    "the same key twice, once wrong": (patched('"id"', b'"id": 7, "id"'), "id"),
    "no time at all": (changed(time=""), "time"),
    "words for a time": (changed(time="gestern"), "time"),
    "a number as time": (changed(time=1_700_000_000), "time"),
    "a huge number as time": (patched(f'"{MONDAY.isoformat()}"', b"9" * 100_000), "time"),
    "the 30th of February": (changed(time="2026-02-30T09:00:00+08:00"), "time"),
    "a time without offset": (changed(time="2026-03-02T09:00:00"), "+08:00"),
    "the year one": (changed(time="0001-01-01T00:00:00+14:00"), "2000-01-01"),
    "the year 1999": (changed(time="1999-12-31T23:59:59Z"), "2000-01-01"),
    "the year 9999": (changed(time="9999-12-31T23:59:59-14:00"), "2026-03-04"),
    "the day after tomorrow": (changed(time=(READ_AT + timedelta(days=2)).isoformat()), "2026-03-04"),
    "null as title": (changed(title=None), "title"),
    "a list as text": (changed(text=["x"]), "text"),
    "no words": (changed(title=" ", text="\t\n"), "text"),
    "a number as reporter": (changed(reporter=13_800_000_000), "reporter"),
    "an unknown channel": (changed(channel="fax"), "channel"),
    "an unknown appeal": (changed(appeal="thanks"), "appeal"),
    "an unknown town": (changed(village=None, town="999999999"), "town"),
    "an unknown village": (changed(village="445303999999"), "village"),
    "a village of another town": (changed(town=OTHER_TOWN), "village"),
    "an unknown matter": (changed(matter="000"), "matter"),
    "a number as matter": (changed(matter=101), "matter"),
    "a source with capitals": (changed(source="Hotline"), "source"),
    "a source with a slash": (changed(source="a/b"), "source"),
    "a source that ends with a line break": (changed(source="hotline\n"), "source"),
    "a word for anonymous": (changed(anonymous="yes"), "anonymous"),
    "a point off the map": (changed(point={"lon": 181, "lat": 0, "datum": "WGS-84"}), "point"),
    "a point with no datum": (changed(point={"lon": 1, "lat": 0}), "point"),
    "a point of text": (changed(point={"lon": "1", "lat": 0, "datum": "WGS-84"}), "point"),
    "a contact of text": (changed(contact="Zhang"), "contact"),
    "a phone of a number": (changed(contact={"phone": 13_800_000_000}), "contact"),
    "a place that is too long": (changed(place="x" * 201), "place"),
    "ten attachments": (changed(attachments=[attachment(b"x")] * 10), "attachments"),
    "an attachment of nothing": (changed(attachments=[{}]), "attachments"),
    "an attachment without bytes": (changed(attachments=[attachment(b"x", data="")]), "attachments"),
    "an attachment of other bytes": (changed(attachments=[attachment(b"x", sha256="0" * 64)]), "SHA-256"),
    "an attachment that is no base64": (changed(attachments=[attachment(b"x", data="!!!")]), "attachments"),
    "an attachment outside the folder": (
        changed(attachments=[attachment(b"x", data="", path="../../etc/hostname")]),
        "inside the folder",
    ),
    "an attachment by absolute path": (
        changed(attachments=[attachment(b"x", data="", path="/etc/hostname")]),
        "inside",
    ),
    "an attachment that is not there": (changed(attachments=[attachment(b"x", data="", path="no.jpg")]), "no.jpg"),
    "an attachment that is a folder": (changed(attachments=[attachment(b"x", data="", path="data")]), "data"),
    "an attachment whose path holds a NUL": (
        changed(attachments=[attachment(b"x", data="", path="a\0b")]),
        "attachments",
    ),
    "a good and a bad attachment": (
        changed(attachments=[attachment(b"x"), attachment(b"y", sha256="0" * 64)]),
        "SHA-256",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_line_is_refused_with_its_number_and_a_reason_and_its_neighbours_are_taken(kind: str) -> None:
    raw, expected = BAD[kind]
    content = b"\n".join((as_line(good("before")), raw, as_line(good("after"))))

    with played(content) as found:
        assert list(found.refused()) == [2]
        reason = found.refused()[2]
        assert expected.lower() in reason.lower()
        assert len(reason) < 1000, "a reason is a sentence, not the line again"
        assert sorted(found.receipts) == ["import/after", "import/before"]
        assert (found.feed.valid, found.feed.receipts, found.feed.repeated) == (2, 2, 0)
        check_nothing_is_lost_or_half_done(found.house, reports=2)
        kept = stored(found.house.vault, "SELECT count(*) FROM attachments")[0][0]
        assert kept == 0, "nothing of a refused line stays in the vault"


def test_all_kinds_of_junk_in_one_file_take_nothing_from_the_good_lines_between_them() -> None:
    lines = [part for n, (raw, _) in enumerate(BAD.values()) for part in (as_line(good(f"{n:03d}")), raw)]
    content = b"\n".join(lines)

    with played(content) as found:
        assert sorted(found.refused()) == list(range(2, len(lines) + 1, 2))
        assert all(found.refused().values())
        assert sorted(found.receipts) == [f"import/{n:03d}" for n in range(len(BAD))]
        assert len({read_receipt(receipt) for receipt in found.receipts.values()}) == len(BAD)
        check_nothing_is_lost_or_half_done(found.house, reports=len(BAD), built_anew=True)


UNUSUAL: dict[str, bytes] = {
    "carriage returns": b"\r\n".join(as_line(good(f"{n}")) for n in range(3)) + b"\r\n",
    "no final newline": b"\n".join(as_line(good(f"{n}")) for n in range(3)),
    "empty lines": b"\n\n \t\n" + b"\n\r\n\n".join(as_line(good(f"{n}")) for n in range(3)) + b"\n\n\n",
    "spaces around": b"\n".join(b"  \t" + as_line(good(f"{n}")) + b"   " for n in range(3)),
    "the same key twice": b"\n".join(as_line(good(f"{n}")).replace(b'"id"', b'"id": "first", "id"') for n in range(3)),
    "unknown fields": b"\n".join(as_line(good(f"{n}", extra={"a": [1e300, None]}, label="x")) for n in range(3)),
    "nested unknown fields": b"\n".join(
        as_line(good(f"{n}")).replace(b'"id"', b'"x": ' + b"[" * 200 + b"]" * 200 + b', "id"') for n in range(3)
    ),
    "huge unknown numbers": b"\n".join(
        as_line(good(f"{n}")).replace(b'"id"', b'"x": ' + b"9" * 100_000 + b', "id"') for n in range(3)
    ),
    "NUL characters in the words": b"\n".join(as_line(good(f"{n}", text="a\0b\x1b[31m")) for n in range(3)),
    "emoji and rare characters": b"\n".join(as_line(good(f"{n}", text="𠮷🧨\u202e\ufeff")) for n in range(3)),
    "escaped characters": b"\n".join(json.dumps(good(f"{n}", text="𠮷🧨")).encode() for n in range(3)),
    "nulls for what may be missing": b"\n".join(
        as_line(good(f"{n}", town=None, place=None, point=None, appeal=None, matter=None, contact=None))
        for n in range(3)
    ),
    "a long text": b"\n".join(as_line(good(f"{n}", text="长" * 20_000)) for n in range(3)),
    "times of other zones": b"\n".join(as_line(good(f"{n}", time=f"2026-03-02T0{n}:00:00-0{n}:30")) for n in range(3)),
    "times long ago": b"\n".join(as_line(good(f"{n}", time=f"200{n}-02-28T12:00:00Z")) for n in range(3)),
    "no place": b"\n".join(as_line(good(f"{n}", village=None)) for n in range(3)),
    "a town by its letters": b"\n".join(as_line(good(f"{n}", village=None, town="LD")) for n in range(3)),
    "no reporter": b"\n".join(as_line(good(f"{n}", reporter=None)) for n in range(3)),
    "markup in the id": b"\n".join(as_line(good(f"{n}")).replace(b'"id": "', b'"id": "[/b]') for n in range(3)),
}


@pytest.mark.parametrize("kind", UNUSUAL)
def test_an_unusual_file_of_good_lines_is_taken_whole(kind: str) -> None:
    with played(UNUSUAL[kind]) as found:
        assert found.refused() == {}
        assert len(found.receipts) == 3
        check_nothing_is_lost_or_half_done(found.house, reports=3)


def test_a_byte_order_mark_spoils_at_most_its_own_line_and_the_reason_says_what_is_wrong() -> None:
    content = b"\xef\xbb\xbf" + as_line(good("1")) + b"\n" + as_line(good("2"))

    with played(content) as found:
        assert list(found.refused()) in ([], [1])
        assert "import/2" in found.receipts
        check_nothing_is_lost_or_half_done(found.house, reports=len(found.receipts))


def test_the_same_line_twice_is_one_report_with_one_receipt() -> None:
    line = as_line(good("1"))

    with played(b"\n".join((line, line, as_line(good("2")), line))) as found:
        assert found.refused() == {}
        assert (found.feed.valid, found.feed.receipts, found.feed.repeated) == (4, 4, 2)
        assert sorted(found.receipts) == ["import/1", "import/2"]
        check_nothing_is_lost_or_half_done(found.house, reports=2)


def test_the_same_fields_in_another_order_are_the_same_line() -> None:
    fields = good("1")
    backwards = dict(reversed(fields.items()))

    with played(as_line(fields) + b"\n" + json.dumps(backwards, indent=None).encode()) as found:
        assert found.refused() == {}
        assert found.feed.repeated == 1
        check_nothing_is_lost_or_half_done(found.house, reports=1)


@pytest.mark.parametrize(
    "other",
    [
        {"text": "今天又黑了。"},
        {"title": ""},
        {"village": DISTRICT.villages[1].code},
        {"reporter": "somebody else"},
        {"time": (MONDAY + timedelta(minutes=1)).isoformat()},
        {"anonymous": True},
        {"contact": {"phone": "12345"}},
        {"matter": "999"},
        {"attachments": [attachment(b"another photo")]},
    ],
    ids=lambda other: next(iter(other)),
)
def test_the_same_id_with_other_content_is_a_conflict_and_the_first_stands(other: dict[str, Any]) -> None:
    with played(as_line(good("1")) + b"\n" + as_line(good("1", **other))) as found:
        assert list(found.refused()) == [2]
        assert "import/1" in found.refused()[2]
        assert list(found.receipts) == ["import/1"]
        check_nothing_is_lost_or_half_done(found.house, reports=1)
        kept = stored(found.house.vault, "SELECT count(*) FROM attachments")[0][0]
        assert kept == 0, "nothing of a refused line stays in the vault"


def test_the_same_id_of_two_sources_is_two_reports() -> None:
    lines = (as_line(good("1", source="hotline")), as_line(good("1", source="app")), as_line(good("1")))

    with played(b"\n".join(lines)) as found:
        assert sorted(found.receipts) == ["app/1", "hotline/1", "import/1"]
        assert len(set(found.receipts.values())) == 3
        check_nothing_is_lost_or_half_done(found.house, reports=3)


def test_an_attachment_beside_the_file_is_taken_into_the_vault(tmp_path: Path) -> None:
    photo = b"a photo of the lamp"
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.jpg").write_bytes(photo)
    line = good("1", attachments=[attachment(photo, data="", path="photos/1.jpg")])

    with played(as_line(line), folder=tmp_path) as found:
        _, rows = Questions(found.house.views.database).sql("SELECT report, attachments FROM reports")
        assert rows == [(rows[0][0], 1)]
        assert found.house.vault.attachment(rows[0][0], sha256(photo).hexdigest()) == photo


def test_an_empty_file_is_a_file_of_no_reports() -> None:
    with played(b"") as found:
        assert (found.feed.valid, found.refused(), found.receipts) == (0, {}, {})
        check_nothing_is_lost_or_half_done(found.house, reports=0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = sorted(ReportLine.__struct_fields__)
JUNK = (
    st.binary(max_size=60).map(lambda raw: raw.replace(b"\n", b"?"))
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.sampled_from([raw for raw, _ in BAD.values() if len(raw) < 10_000])
)
CHANGES = st.dictionaries(st.sampled_from(FIELDS), JSON, min_size=1, max_size=3)
HARMLESS = st.fixed_dictionaries(
    {"title": st.text(max_size=20), "text": st.text(min_size=1, max_size=40).map(lambda text: "灯" + text)},
    optional={
        "place": st.text(max_size=20),
        "reporter": st.text(max_size=10),
        "anonymous": st.booleans(),
        "matter": st.sampled_from(sorted(RULES.matters)),
        "source": st.sampled_from(["hotline", "app"]),
        "village": st.sampled_from([village.code for village in DISTRICT.villages[:20]]),
        "unheard-of": JSON,
    },
)


LINES = st.lists(
    st.one_of(
        HARMLESS.map(lambda fields: ("sound", fields)),
        CHANGES.map(lambda fields: ("changed", fields)),
        JUNK.map(lambda raw: ("junk", raw)),
    ),
    max_size=12,
)


@settings(max_examples=25)
@given(drawn_lines=LINES, ending=st.sampled_from([b"\n", b"\r\n", b"\n\n"]), last=st.booleans())
def test_any_mixture_of_lines_leaves_every_line_either_with_a_receipt_or_with_a_reason(
    drawn_lines: list[tuple[str, Any]], ending: bytes, last: bool
) -> None:
    lines, sure = [], set()
    for n, (kind, value) in enumerate(drawn_lines):
        if kind == "sound":
            sure.add(f"{value.get('source', 'import')}/{n}")
            lines.append(as_line(good(str(n), **value)))
        elif kind == "changed":
            lines.append(json.dumps(good(str(n), **value)).encode())
        else:
            lines.append(value)
    content = ending.join(lines) + (ending if last else b"")
    not_blank = sum(1 for line in content.split(b"\n") if line.strip())

    with played(content) as found:
        assert sure <= set(found.receipts)
        assert len(found.refused()) == len(found.feed.refused), "no line is refused twice"
        assert found.feed.receipts + len(found.refused()) == not_blank
        assert all(found.refused().values())
        check_nothing_is_lost_or_half_done(found.house, reports=len(found.receipts), built_anew=True)


def test_replay_takes_the_good_lines_names_the_bad_ones_and_ends_with_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = ("no JSON", "an unknown village", "a time without offset", "no text")
    file = tmp_path / "mixed.jsonl"
    file.write_bytes(b"\n".join((as_line(good("1")), *(BAD[kind][0] for kind in kinds), as_line(good("2")))))
    receipts = tmp_path / "receipts.tsv"

    status = hujiao("replay", file, "--data", tmp_path / "data", "--receipts", receipts, "--json")

    printed = capsys.readouterr()
    figures = json.loads(printed.out)
    assert status == 3
    assert (figures["reports"], figures["refused"], figures["receipts"], figures["parked"]) == (2, 4, 2, 0)
    assert [line.split("\t")[0] for line in receipts.read_text().splitlines()] == ["import/1", "import/2"]
    for line, kind in enumerate(kinds, start=2):
        assert f"mixed.jsonl:{line}: " in printed.err
        assert BAD[kind][1].lower() in printed.err.lower()


def test_replay_of_nothing_but_junk_ends_with_3_and_a_house_that_is_in_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "junk.jsonl"
    file.write_bytes(b"\n".join(b"junk %d" % n for n in range(50)))

    status = hujiao("replay", file, "--data", tmp_path / "data", "--json")

    printed = capsys.readouterr()
    assert status == 3
    assert json.loads(printed.out)["refused"] == 50
    assert "30 more" in printed.err
    with House(tmp_path / "data", VirtualClock(MONDAY)) as house:
        check_nothing_is_lost_or_half_done(house, reports=0)
