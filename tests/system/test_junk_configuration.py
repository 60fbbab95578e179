"""Whatever stands in a district's files: they load, or every fault is named with its file; and what loads works."""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.district import District
from services.cli.main import _explain, app
from services.rules.book import RuleBook
from services.runtime.district import FILES, OPTIONAL, Faults, find_district, load_district
from services.runtime.errors import HujiaoError
from services.simulation.people import Dice
from services.simulation.residents import invented_reports

SAMPLE = find_district("yunan")
MONDAY = datetime(2026, 3, 2, 1, tzinfo=UTC)
Change = Callable[[bytes], bytes]


def hujiao(*tokens: object) -> int:
    """The exit status of a command."""
    try:
        return int(app([str(token) for token in tokens], exit_on_error=False) or 0)
    except Exception as error:  # noqa: BLE001  # what the command line does with it is under test
        return _explain(error)


@contextmanager
def changed(file: str, change: Change) -> Iterator[Path]:
    """A copy of the sample with one file changed."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "copy"
        shutil.copytree(SAMPLE, folder)
        (folder / file).write_bytes(change((SAMPLE / file).read_bytes()))
        yield folder


def put(old: str, new: str) -> Change:
    """Replace the first ``old``, which must be there, by ``new``."""

    def change(content: bytes) -> bytes:
        text = content.decode()
        assert re.search(old, text), f"expected {old} in the sample, found none"
        return re.sub(old, lambda _: new, text, count=1).encode()

    return change


def append(text: str) -> Change:
    return lambda content: content + f"\n{text}\n".encode()


def work_with(district: District) -> None:
    """Ask of a configuration what every day's decisions ask of it."""
    rules = RuleBook(district)
    case = "0" * 32
    rules.calendar.counts(MONDAY.date())
    rules.follow_up_due(MONDAY)
    rules.disclose_due(MONDAY)
    rules.anonymous_close(MONDAY)
    assert rules.duplicate_since(MONDAY) < MONDAY
    for town in rules.towns:
        for matter in district.matters:
            result = rules.result_due(matter, MONDAY)
            rules.review_due(matter.handling_class, MONDAY)
            plans = rules.plan_calls(case, town, matter, attempt=1, only_lead=False)
            assert plans
            for plan in plans:
                for leg in rules.legs(plan.legs, matter, matter.handling_class, result, MONDAY, contactable=True):
                    for due in (leg.acknowledge, leg.result, leg.arrive, leg.contact):
                        assert due is None or all(at >= due.by for at in rules.escalations(MONDAY, due))
    assert next(invented_reports(Dice(1), rules, MONDAY, timedelta(minutes=1))).village in rules.villages


def test_the_sample_loads_and_works() -> None:
    work_with(load_district(SAMPLE))


FAULTS: dict[str, tuple[str, Change, str]] = {
    "an empty district": ("district.toml", lambda content: b"", "district.toml: code"),
    "an empty file of matters": ("matters.toml", lambda content: b"", "matters.toml: matter"),
    "an empty file of limits": ("limits.toml", lambda content: b"", "limits.toml: periods"),
    "other bytes": ("places.toml", lambda content: b"\xff\xfe\x00", "places.toml: expected UTF-8"),
    "a NUL": ("places.toml", lambda content: content + b"\0", "places.toml: expected TOML"),
    "a byte order mark": ("district.toml", lambda content: b"\xef\xbb\xbf" + content, "district.toml: expected TOML"),
    "a table that does not end": ("matters.toml", append("[[matter"), "matters.toml: expected TOML"),
    "open brackets": ("matters.toml", append("x = " + "[" * 100_000), "matters.toml: expected TOML"),
    "nested brackets": ("matters.toml", append("x = " + "[" * 50_000 + "]" * 50_000), "matters.toml: expected TOML"),
    "nested tables": ("matters.toml", append("x = " + "{a=" * 50_000), "matters.toml: expected TOML"),
    "a number of five thousand digits": ("district.toml", append("x = " + "9" * 5_000), "district.toml"),
    "an unknown key": ("district.toml", append("colour = 1"), "district.toml: colour"),
    "an unknown table": ("limits.toml", append("[colours]\nred = 1"), "limits.toml: colours"),
    "a table of another file": ("district.toml", append("towns = []"), "district.toml: towns"),
    "an unknown key of a matter": (
        "matters.toml",
        put(r'closing = "', 'colour = 1\nclosing = "'),
        "matters.toml: matter 101",
    ),
    "a table for a list": ("duties.toml", lambda content: b"[duty]\npost = 1", "duties.toml: duty"),
    "a number for a list": ("duties.toml", lambda content: b"duty = 5", "duties.toml: duty"),
    "a list of numbers": ("duties.toml", lambda content: b"duty = [1, 2]", "duties.toml: duty 1"),
    "a list for a calendar": ("calendar.toml", lambda content: b"calendar = [1]", "calendar.toml: calendar"),
    "a number for a name": ("places.toml", put(r'alias = "LD"', "alias = 5"), "places.toml: town 445303100"),
    "a list for a code": ("places.toml", put(r'code = "445303100"', "code = [1]"), "places.toml: town"),
    "a word for a threshold": ("district.toml", put("= 0.5", '= "half"'), "district.toml: triage_threshold"),
    "a threshold of NaN": ("district.toml", put("= 0.5", "= nan"), "district.toml: triage_threshold"),
    "a threshold below nothing": ("district.toml", put("= 0.5", "= -inf"), "district.toml: triage_threshold"),
    "an unknown lead": ("matters.toml", put('lead = "D02"', 'lead = "D99"'), "matters.toml: matter 101"),
    "an external lead": ("matters.toml", put('lead = "D02"', 'lead = "X1"'), "matters.toml: matter 101: lead"),
    "an unknown assistant": ("matters.toml", put(r'\["D01"\]', '["D99"]'), "matters.toml: matter 101"),
    "a wrong duration": ("limits.toml", put('acknowledge = "15min"', 'acknowledge = "soon"'), "limits.toml: limit U1"),
    "a duration of nothing": (
        "limits.toml",
        put('acknowledge = "15min"', 'acknowledge = "0min"'),
        "limits.toml: limit U1",
    ),
    "an unknown class": ("limits.toml", put('class = "U1"', 'class = "U9"'), "limits.toml: limit U9"),
    "no duration to acknowledge": (
        "limits.toml",
        put('acknowledge = "15min"', 'acknowledge = ""'),
        "limits.toml: limit U1",
    ),
    "no duration for a result": ("limits.toml", put('result = "24h"', 'result = ""'), "limits.toml: limit U1"),
    "no duration to disclose": ("limits.toml", put(r'disclose = "\w+"', 'disclose = ""'), "limits.toml: periods"),
    "no duration to review": ("limits.toml", put(r'review = "\w+"', 'review = ""'), "limits.toml: periods"),
    "a limit of forty years": ("limits.toml", put(r'disclose = "\w+"', 'disclose = "9999wd"'), "limits.toml: periods"),
    "no tries": ("limits.toml", put(r"follow_up_tries = \d+", "follow_up_tries = 0"), "limits.toml: periods"),
    "endless tries": (
        "limits.toml",
        put(r"follow_up_tries = \d+", "follow_up_tries = " + "9" * 30),
        "limits.toml: periods",
    ),
    "a ladder that leads back": ("limits.toml", put(r"after = [\d.]+", "after = -5.0"), "limits.toml: ladder"),
    "a ladder of NaN": ("limits.toml", put(r"after = [\d.]+", "after = nan"), "limits.toml: ladder"),
    "a ladder without end": ("limits.toml", put(r"after = [\d.]+", "after = 1e300"), "limits.toml: ladder"),
    "an unknown platform": (
        "departments.toml",
        put(r'platform = "P1"', 'platform = "P9"'),
        "departments.toml: department",
    ),
    "an unknown town of absence": (
        "departments.toml",
        put(r'platform = "P1"', 'platform = "P1"\nabsent_in = ["1"]'),
        "absent_in",
    ),
    "the same letters twice": ("places.toml", put('alias = "LD"', 'alias = "GC"'), "places.toml: town alias GC"),
    "letters that fit no receipt": (
        "places.toml",
        put('alias = "LD"', 'alias = "Liudu town"'),
        "places.toml: town 445303100",
    ),
    "no letters": ("places.toml", put('alias = "LD"', 'alias = ""'), "places.toml: town 445303100"),
    "an unknown town of a village": ("places.toml", put(r'town = "445303100"', 'town = "1"'), "places.toml: village"),
    "no towns": ("places.toml", lambda content: b"town = []\nvillage = []", "places.toml: town"),
    "no villages": (
        "places.toml",
        lambda content: b"village = []\n" + content[: content.index(b"[[village]]")],
        "places.toml: village",
    ),
    "a number for a sender": ("senders.toml", lambda content: b"hotline = [1]", "senders.toml: hotline 1"),
    "a table for a list of senders": ("senders.toml", lambda content: b"[terminal]", "senders.toml: terminal"),
    "an unknown table of senders": ("senders.toml", append('[[pigeon]]\nname = "x"'), "senders.toml: pigeon"),
    "an unknown channel": (
        "senders.toml",
        put('channel = "app"', 'channel = "pigeon"'),
        "senders.toml: terminal app-ld",
    ),
    "a channel of a hotline": (
        "senders.toml",
        put('zh = "12345', 'channel = "hotline"\nzh = "12345'),
        "senders.toml: hotline hotline-12345",
    ),
    "a sender with one of our users' names": (
        "senders.toml",
        put('"hotline-12345"', '"svc.intake"'),
        "senders.toml: hotline svc.intake",
    ),
    "a sender's name with an end of line": (
        "senders.toml",
        put('"hotline-12345"', '"hotline\\n"'),
        "senders.toml: hotline",
    ),
    "the same sender twice": ("senders.toml", put('"police-110"', '"app-ld"'), "senders.toml: sender app-ld"),
    "a sender that calls itself a timer": (
        "senders.toml",
        put('"police-110"', '"timer"'),
        "senders.toml: hotline timer",
    ),
    "an unknown town of a terminal": (
        "senders.toml",
        put('town = "445303100"', 'town = "1"'),
        "senders.toml: terminal app-ld: town",
    ),
    "a village of another town": (
        "senders.toml",
        put('village = "445303100201"', 'village = "445303101201"'),
        "senders.toml: terminal village-445303100201: village",
    ),
    "a code that is no word of a routing key": (
        "departments.toml",
        put('code = "X3"', 'code = "X.#"'),
        "departments.toml: department X.#: code",
    ),
    "hours that end before they begin": (
        "calendar.toml",
        put("08:30:00", "13:30:00"),
        "calendar.toml: calendar: hours",
    ),
    "hours that overlap": ("calendar.toml", put("14:30:00", "11:00:00"), "calendar.toml: calendar: hours"),
    "hours of a second": (
        "calendar.toml",
        put(r"hours = .*", "hours = [[09:00:00, 09:00:01]]"),
        "calendar.toml: calendar: hours",
    ),
    "no hours": ("calendar.toml", put(r"hours = .*", "hours = []"), "calendar.toml: calendar: hours"),
    "a time for a day": ("calendar.toml", put("2010-01-01", "2010-01-01T00:00:00"), "calendar.toml: calendar"),
    "the 30th of February": ("calendar.toml", put("2010-01-01", "2010-02-30"), "calendar.toml"),
    "a first year of nothing": ("calendar.toml", put("first_year = 2004", "first_year = 0"), "calendar.toml: calendar"),
    "a last year without end": (
        "calendar.toml",
        put("last_year = 2026", "last_year = 9990"),
        "calendar.toml: calendar",
    ),
    "a last year of thirty digits": (
        "calendar.toml",
        put("last_year = 2026", "last_year = " + "9" * 30),
        "calendar.toml: calendar",
    ),
    "a last year before the first": (
        "calendar.toml",
        put("last_year = 2026", "last_year = 2003"),
        "calendar.toml: calendar",
    ),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_named_with_file_and_key_and_the_check_ends_with_2(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file, change, expected = FAULTS[kind]

    with changed(file, change) as folder:
        status = hujiao("district", "check", folder)

    said = capsys.readouterr().err
    assert status == 2
    assert expected in said.replace("\n", " ")


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_is_a_folder_or_missing_but_needed_is_a_fault_of_that_file(file: str, tmp_path: Path) -> None:
    shutil.copytree(SAMPLE, tmp_path / "copy")
    (tmp_path / "copy" / file).unlink()
    if file in OPTIONAL:
        work_with(load_district(tmp_path / "copy"))
    else:
        with pytest.raises(Faults, match=re.escape(file)):
            load_district(tmp_path / "copy")

    (tmp_path / "copy" / file).mkdir()
    with pytest.raises(Faults, match=re.escape(file)):
        load_district(tmp_path / "copy")


def test_all_faults_of_all_files_are_named_at_once(tmp_path: Path) -> None:
    shutil.copytree(SAMPLE, tmp_path / "copy")
    for file, change in (
        ("places.toml", put('alias = "LD"', "alias = 5")),
        ("limits.toml", put('class = "U1"', 'class = "U9"')),
        ("matters.toml", put('class = "U', 'class = "V')),
        ("district.toml", append("colour = 1")),
    ):
        path = tmp_path / "copy" / file
        path.write_bytes(change(path.read_bytes()))

    with pytest.raises(Faults) as found:
        load_district(tmp_path / "copy")

    assert len(found.value.faults) == 4
    assert {fault.split(":")[0] for fault in found.value.faults} == {
        "places.toml",
        "limits.toml",
        "matters.toml",
        "district.toml",
    }


@pytest.mark.parametrize("name", ["nowhere", "", "\0", "/", "../../..", "x" * 5_000, "\udcff"])
def test_a_district_that_is_not_there_is_said_so(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(HujiaoError, match=r"district\.toml"):
        find_district(name)


SMALL = [file for file in FILES if file != "calendar.toml"]
VALUES = st.sampled_from(
    [
        "",
        "1",
        "-1",
        "1e400",
        "nan",
        "true",
        '""',
        '"x"',
        "[]",
        "{}",
        "[[1]]",
        "9" * 25,
        "9" * 5_000,
        "2026-01-01",
        '"' + "x" * 300 + '"',
    ]
)


@st.composite
def mutations(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file of the sample in which a few lines or bytes are not what they were."""
    file = draw(st.sampled_from(SMALL))
    lines = (SAMPLE / file).read_bytes().split(b"\n")
    for _ in range(draw(st.integers(1, 3))):
        n = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["delete", "value", "swap", "bytes", "cut", "again", "key"])):
            case "delete":
                del lines[n : n + draw(st.integers(1, 8))]
                lines = lines or [b""]
            case "value":
                lines[n] = lines[n].split(b"=")[0] + b"= " + draw(VALUES).encode()
            case "swap":
                other = draw(st.integers(0, len(lines) - 1))
                lines[n], lines[other] = lines[other], lines[n]
            case "bytes":
                at = draw(st.integers(0, len(lines[n])))
                lines[n] = lines[n][:at] + draw(st.binary(min_size=1, max_size=6)) + lines[n][at:]
            case "cut":
                lines[n] = lines[n][: draw(st.integers(0, len(lines[n])))]
            case "again":
                lines.insert(n, lines[draw(st.integers(0, len(lines) - 1))])
            case _:
                lines[n] = b"x" + lines[n]
    return file, b"\n".join(lines)


@settings(max_examples=100)
@given(mutation=mutations())
def test_any_change_of_the_files_is_a_fault_with_its_file_or_a_configuration_that_works(
    mutation: tuple[str, bytes],
) -> None:
    file, content = mutation

    with changed(file, lambda _: content) as folder:
        found = faults_of(folder)
        if found is None:
            work_with(load_district(folder))
        else:
            assert found
            assert all(re.match(r"[a-z]+\.toml: ", fault) for fault in found)


def faults_of(folder: Path) -> list[str] | None:
    """Every fault; nothing else may happen."""
    try:
        load_district(folder)
    except Faults as found:
        return found.faults
    return None


def new(folder: Path, **changes: str) -> int:
    wanted = {"code": "440106", "alias": "TH", "zh": "天河区", "en": "Tianhe"} | changes
    return hujiao("district", "new", folder, *(part for key, value in wanted.items() for part in (f"--{key}", value)))


def test_a_new_district_checks_good_and_can_be_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "tianhe"

    assert new(folder) == 0
    assert hujiao("district", "check", folder) == 0
    rules = RuleBook(load_district(folder))
    lines = islice(invented_reports(Dice(1), rules, MONDAY, timedelta(minutes=30)), 5)
    (tmp_path / "lines.jsonl").write_bytes(b"\n".join(msgspec.json.encode(line) for line in lines))
    status = hujiao("replay", tmp_path / "lines.jsonl", "--district", folder, "--data", tmp_path / "data", "--json")

    assert status == 0
    assert msgspec.json.decode(capsys.readouterr().out.splitlines()[-1])["closed"] == 5
    work_with(rules.district)


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "44010"},
        {"code": "4401066"},
        {"code": "44010a"},
        {"code": "440106\n"},
        {"code": "４４０１０６"},
        {"alias": "th"},
        {"alias": "T"},
        {"alias": "THX"},
        {"alias": "T1"},
        {"alias": ""},
        {"zh": ""},
        {"zh": " "},
        {"zh": '"'},
        {"zh": "天河\n区"},
        {"en": "back\\slash"},
        {"en": "bell\x07"},
        {"en": "carriage\rreturn"},
        {"en": "nul\0"},
    ],
    ids=repr,
)
def test_a_new_district_with_a_wrong_name_is_refused_and_writes_nothing(
    wrong: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "wrong"

    status = new(folder, **wrong)

    assert status == 2
    assert "expected" in capsys.readouterr().err
    assert not folder.exists() or not any(folder.iterdir())


def test_a_new_district_never_writes_over_anything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")

    assert new(tmp_path / "full") == 2
    assert new(tmp_path / "file") in (1, 2)

    assert "expected a new or empty folder" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["notes.txt"]
    assert (tmp_path / "file").read_text() == "mine"


def test_a_new_district_may_fill_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert new(tmp_path / "empty") == 0
    assert sorted(path.name for path in (tmp_path / "empty").iterdir()) == sorted(FILES)


def test_the_sample_knows_the_working_days_of_its_announced_years() -> None:
    calendar = RuleBook(load_district(SAMPLE)).calendar

    assert not calendar.is_working_day(date(2026, 10, 1))
    assert calendar.is_working_day(MONDAY.date())
