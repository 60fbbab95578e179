"""A district's files: the sample loads, and everything that is wrong is said at once, with file and key."""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from events.district import District
from services.rules.book import configuration_hash
from services.runtime.district import FILES, Faults, check_district, find_district, load_district

Replace = Callable[[str, str, str], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(find_district("yunan"), tmp_path / "broken"))


@pytest.fixture
def replace(folder: Path) -> Replace:
    """Replaces the first occurrence of a text in a file of the district."""

    def replace_it(file: str, old: str, new: str) -> None:
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    return replace_it


def faults_of(folder: Path) -> list[str]:
    with pytest.raises(Faults) as refused:
        load_district(folder)
    return refused.value.faults


def test_the_shipped_sample_has_the_places_platforms_departments_and_matters_it_says(district: District) -> None:
    external = [department for department in district.departments if department.kind == "external"]
    bureaus = [department for department in district.departments if department.kind == "district_bureau"]

    assert len(district.towns) == 7
    assert len(district.villages) == 114
    assert len(district.platforms) == 6
    assert len(district.departments) - len(external) - len(bureaus) == 32
    assert len(bureaus) == 17
    assert [department.code for department in external] == ["X1", "X2", "X3", "X4", "X5"]
    assert len(district.matters) == 48
    assert len(district.limits) == 6
    assert [hotline.name for hotline in district.hotlines] == ["hotline-12345", "police-110"]
    for town in district.towns:
        assert {terminal.channel for terminal in district.terminals if terminal.town == town.code} == {"app", "village"}


def test_the_shipped_sample_says_that_it_is_one(district: District) -> None:
    folder = find_district("yunan")

    assert "示例" in district.note
    assert "Sample" in district.note
    for file in ("departments.toml", "matters.toml", "limits.toml", "senders.toml"):
        assert "SAMPLE" in (folder / file).read_text(encoding="utf-8")


def test_nothing_in_the_shipped_sample_is_at_fault(district: District) -> None:
    assert check_district(district) == []


def test_every_platform_and_every_department_takes_part_in_some_matter(district: District) -> None:
    called = {code for matter in district.matters for code in (matter.lead, *matter.assists, matter.district_lead)}

    assert {department.code for department in district.departments} - called == set()


def test_somebody_answers_for_every_post_of_the_ladder_on_every_platform(district: District) -> None:
    answered = {(duty.post, duty.platform) for duty in district.duties}

    for step in district.ladder:
        for platform in district.platforms:
            assert {(step.post, platform.code), (step.post, "*")} & answered


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        ("matters.toml", 'district_lead = "B01"', 'district_lead = "区纪委监委"', "district_lead: expected a bureau"),
        ("matters.toml", 'district_lead = "B01"', 'district_lead = "D04"', "found D04"),
        ("matters.toml", 'district_lead = "B01"', 'district_lead = ""', "as the district may be called, found none"),
        (
            "matters.toml",
            'lead = "D02"',
            'lead = "B01"',
            "expected departments that are in towns, found the bureau B01",
        ),
        (
            "matters.toml",
            'visibility = "public"\n',
            'visibility = "confidential"\n',
            "village: expected a matter that is",
        ),
        ("district.toml", 'stands_in = "D04"', 'stands_in = "B01"', "stands_in: expected a department that every town"),
        ("district.toml", 'stands_in = "D04"', 'stands_in = "D99"', "has, found D99"),
        ("departments.toml", 'code = "B01"\nplatform = "P1"', 'code = "B01"\nplatform = "P9"', "found 'P9'"),
        (
            "departments.toml",
            'levels = ["town", "district"]',
            'levels = ["town"]',
            "B01: platform: expected one that stands",
        ),
        (
            "departments.toml",
            'kind = "district_bureau"',
            'kind = "district_bureau"\nabsent_in = ["445303100"]',
            "B01: absent_in: expected no town for a bureau",
        ),
        ("places.toml", 'alias = "LD"', 'alias = "YA"', "town alias YA: expected another than the district's own"),
        (
            "places.toml",
            'code = "445303100"',
            'code = "445303"',
            "town 445303: code: expected another than the district's",
        ),
        ("duties.toml", 'town = "445303"', 'town = "445399"', "town: expected a town, the district or *, found 445399"),
        ("limits.toml", 'district_arrive = "60min"', 'district_arrive = "soon"', "limit U1: district_arrive: expected"),
        ("limits.toml", 'village = "2wd"', 'village = ""', "periods: village: expected a duration"),
    ],
)
def test_what_does_not_fit_the_three_levels_is_a_fault(
    folder: Path, replace: Replace, file: str, old: str, new: str, fault: str
) -> None:
    replace(file, old, new)

    assert fault in "\n".join(faults_of(folder))


def test_no_village_handles_what_is_urgent(folder: Path, replace: Replace) -> None:
    text = (folder / "matters.toml").read_text(encoding="utf-8")
    start = text.index('code = "203"')
    urgent = text[start : text.index("\n\n", start)]
    assert 'class = "U2"' in urgent
    replace("matters.toml", urgent, f"{urgent}\nvillage = true")

    assert faults_of(folder) == ["matters.toml: matter 203: village: expected a class other than U1, U2, found U2"]


def test_a_district_is_one_more_unit_beside_its_towns(district: District) -> None:
    assert [unit.alias for unit in district.units] == [*(town.alias for town in district.towns), "YA"]
    assert district.units[-1] == district.seat


def test_a_district_is_found_by_its_name_or_its_folder(folder: Path) -> None:
    assert find_district("yunan").name == "yunan"
    assert find_district(str(folder)) == folder
    with pytest.raises(Faults, match="found none for 'nowhere'"):
        find_district("nowhere")


def test_the_same_files_give_the_same_hash_and_any_change_another(
    district: District, folder: Path, replace: Replace
) -> None:
    unchanged = configuration_hash(load_district(folder))
    replace("limits.toml", 'acknowledge = "4wh"', 'acknowledge = "3wh"')
    changed = configuration_hash(load_district(folder))

    assert unchanged == configuration_hash(district)
    assert changed != unchanged
    assert len(changed) == 12


def test_malformed_parts_of_several_files_are_all_reported_with_file_and_key(folder: Path, replace: Replace) -> None:
    replace("district.toml", "triage_threshold = 0.5", 'triage_threshold = "half"\nslogan = "呼叫"')
    replace("places.toml", 'alias = "GC"', "alias = 7")
    replace("departments.toml", 'kind = "town_office"', 'kind = "village_office"')
    replace("matters.toml", 'class = "U3"', 'class = "U9"')
    replace("matters.toml", 'launch = "condition"', 'launch = "condition"\ncolour = "red"')
    replace("limits.toml", "round_the_clock = true", 'round_the_clock = "always"')
    replace("limits.toml", "after = 0.5", 'after = "half"')
    replace("limits.toml", 'disclose = "3wd"', "disclose = 3")
    replace("duties.toml", 'post = "platform_head"', 'post = "king"')
    replace("calendar.toml", "last_year = 2026", 'last_year = "2026"')

    faults = faults_of(folder)

    assert len(faults) == 11
    for start, said in [
        ("district.toml: triage_threshold:", "expected `float`, got `str`"),
        ("district.toml: slogan:", "the keys of a district"),
        ("places.toml: town 445303101:", "alias"),
        ("departments.toml: department D01:", "village_office"),
        ("matters.toml: matter 101:", "U9"),
        ("matters.toml: matter 102:", "colour"),
        ("limits.toml: limit U1:", "round_the_clock"),
        ("limits.toml: ladder 2:", "after"),
        ("limits.toml: periods:", "disclose"),
        ("duties.toml: duty 2:", "king"),
        ("calendar.toml: calendar:", "last_year"),
    ]:
        (fault,) = [fault for fault in faults if fault.startswith(start)]
        assert said in fault.removeprefix(start)


def test_parts_of_several_files_that_do_not_fit_together_are_all_reported(folder: Path, replace: Replace) -> None:
    replace("places.toml", 'code = "445303100202"', 'code = "445303100201"')
    replace("places.toml", 'alias = "GC"', 'alias = "LD"')
    replace("places.toml", 'town = "445303100"', 'town = "445303999"')
    replace("departments.toml", 'code = "D02"', 'code = "D01"')
    replace("departments.toml", 'platform = "P1"', 'platform = "P7"')
    replace("matters.toml", 'code = "103"', 'code = "102"')
    replace("matters.toml", 'assists = ["D02", "D28"]', 'assists = ["D04", "D99"]')
    replace("matters.toml", 'required = ["D08"]', 'required = ["D09"]')
    replace("matters.toml", 'promised = "15wd"\nstatutory = "30d"', 'promised = "25wd"\nstatutory = "30d"')
    replace("matters.toml", 'promised = "10wd"', 'promised = "ten days"')
    replace("limits.toml", 'acknowledge = "15min"', 'acknowledge = "15 min"')
    replace("limits.toml", "follow_up_tries = 3", "follow_up_tries = 0")
    replace("district.toml", "triage_threshold = 0.5", "triage_threshold = 1.5")
    replace("calendar.toml", "12:00:00", "08:00:00")
    replace("calendar.toml", "first_year = 2004", "first_year = 2005")

    faults = "\n".join(faults_of(folder))

    for expected in [
        "places.toml: village 445303100201: expected once, found 2 times",
        "places.toml: town alias LD: expected once, found 2 times",
        "places.toml: village 445303100001: town: expected a town of this district, found 445303999",
        "departments.toml: department D01: expected once, found 2 times",
        "departments.toml: department D01: platform: expected one of P1, P2, P3, P4, P5, P6, found 'P7'",
        "matters.toml: matter 102: expected once, found 2 times",
        "matters.toml: matter 102: expected departments of departments.toml, found D99",
        "matters.toml: matter 102: assists: expected others than the lead, found D04",
        "matters.toml: matter 104: required: expected some of the assists, found D09",
        "matters.toml: matter 102: promised: expected at most the statutory 30d, found 25wd",
        "matters.toml: matter 105: promised: expected a duration such as 15min, 2h, 4wh, 5wd or 30d, found 'ten days'",
        "limits.toml: limit U1: acknowledge: expected a duration such as",
        "limits.toml: periods: follow_up_tries: expected 1 or more, found 0",
        "district.toml: triage_threshold: expected 0 to 1, found 1.5",
        "calendar.toml: calendar: hours: expected each to begin after the one before has ended, found 08:30 to 08:00",
        "calendar.toml: calendar: expected days of announced years, found 2004-01-01",
    ]:
        assert expected in faults


def test_missing_and_unreadable_files_are_reported_together(folder: Path) -> None:
    (folder / "places.toml").unlink()
    (folder / "duties.toml").write_bytes(b'[[duty]]\nperson = "\xff"')
    (folder / "limits.toml").write_text("[[limit", encoding="utf-8")
    (folder / "calendar.toml").write_text("x = " + "[" * 5000, encoding="utf-8")

    faults = faults_of(folder)

    assert [fault.split(":", 1)[0] for fault in faults] == [
        "places.toml",
        "limits.toml",
        "duties.toml",
        "calendar.toml",
    ]
    assert "expected a file, found none" in faults[0]
    assert "expected TOML" in faults[1]
    assert "expected UTF-8, found the byte 0xff" in faults[2]
    assert "expected TOML" in faults[3]


@pytest.mark.parametrize("content", [None, b"", b"# nobody yet\n"], ids=["missing", "empty", "a comment"])
def test_a_district_may_have_no_senders(folder: Path, district: District, content: bytes | None) -> None:
    (folder / "senders.toml").unlink()
    if content is not None:
        (folder / "senders.toml").write_bytes(content)

    loaded = load_district(folder)

    assert loaded == msgspec.structs.replace(district, hotlines=(), terminals=())


def test_a_sender_that_fits_nothing_else_in_the_district_is_a_fault(folder: Path, replace: Replace) -> None:
    replace("senders.toml", 'name = "police-110"', 'name = "hotline-12345"')
    replace("senders.toml", 'name = "app-ld"', 'name = "timer"')
    replace("senders.toml", 'village = "445303100201"', 'village = "445303101201"')
    replace("senders.toml", 'town = "445303106"', 'town = "LD"')

    assert sorted(faults_of(folder)) == [
        "senders.toml: sender hotline-12345: expected once, found 2 times",
        "senders.toml: terminal app-dy: town: expected a town of this district, found LD",
        "senders.toml: terminal timer: name: expected none of our own names, found timer",
        "senders.toml: terminal village-445303100201: village: "
        "expected a village of the town 445303100, found 445303101201",
    ]


@pytest.mark.parametrize(
    "name", ["svc.intake", "dept.ld.d07", "Hotline", "x", "", "a b", "a/b", "热线", "a\\n", "a" * 41]
)
def test_a_senders_name_that_could_be_one_of_ours_or_no_user_is_a_fault(
    folder: Path, replace: Replace, name: str
) -> None:
    replace("senders.toml", 'name = "police-110"', f'name = "{name}"')

    (fault,) = faults_of(folder)

    assert fault.startswith("senders.toml: hotline ")
    assert "name" in fault


@pytest.mark.parametrize("code", ["p1", "P.1", "P 1", "平台", "1P", ""])
def test_a_code_that_cannot_stand_in_a_queues_name_is_a_fault(folder: Path, replace: Replace, code: str) -> None:
    replace("departments.toml", 'code = "X3"', f'code = "{code}"')

    assert any("expected a capital letter" in fault for fault in faults_of(folder))


def test_missing_and_misshapen_tables_are_reported_together(folder: Path) -> None:
    (folder / "places.toml").write_text("[town]\ncode = 1\n[[hamlet]]\n", encoding="utf-8")
    (folder / "duties.toml").write_text("duty = [1, {}]", encoding="utf-8")

    faults = faults_of(folder)

    assert "places.toml: hamlet: expected one of town, village" in faults
    assert "places.toml: town: expected [[town]], found dict" in faults
    assert "places.toml: village: expected a table, found none" in faults
    assert any(fault.startswith("duties.toml: duty 1: expected `object`") for fault in faults)
    assert any(fault.startswith("duties.toml: duty 2: ") and "missing" in fault for fault in faults)


def test_a_key_left_out_of_the_district_itself_is_reported(folder: Path, replace: Replace) -> None:
    replace("district.toml", 'alias = "YA"', "")

    assert faults_of(folder) == ["district.toml: alias: expected a value, found none"]


@pytest.mark.parametrize("file", FILES)
def test_an_unknown_key_is_a_fault_in_every_file(folder: Path, file: str) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    (folder / file).write_text(f"surprise = 1\n{text}", encoding="utf-8")

    (fault,) = faults_of(folder)

    assert fault.startswith(f"{file}: surprise: expected one of")


def test_a_lead_that_some_town_lacks_and_a_missing_catch_all_are_faults(folder: Path, replace: Replace) -> None:
    replace("departments.toml", 'code = "D02"', 'code = "D02"\nabsent_in = ["445303101", "nowhere"]')
    replace("matters.toml", 'code = "999"', 'code = "998"')
    replace("matters.toml", 'lead = "D04"', 'lead = "X1"')
    replace("matters.toml", 'strong = ["党支部",', 'strong = ["党",')

    faults = faults_of(folder)

    assert sorted(faults) == [
        "departments.toml: department D02: absent_in: expected a town, found nowhere",
        "matters.toml: matter 101: lead: expected a department that every town has, found D02",
        "matters.toml: matter 101: words: expected 2 characters or more, found '党'",
        "matters.toml: matter 102: lead: expected a department that every town has, found X1",
        "matters.toml: matter 999: expected the catch-all that takes what fits nowhere else, found none",
    ]


def test_a_handling_class_without_limits_is_a_fault(folder: Path, replace: Replace) -> None:
    text = (folder / "limits.toml").read_text(encoding="utf-8")
    first = text.index("[[limit]]\n")
    (folder / "limits.toml").write_text(text[text.index("[[limit]]\n", first + 1) :], encoding="utf-8")

    assert faults_of(folder) == ["limits.toml: limit U1: expected one for every handling class, found none"]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("limits.toml", 'acknowledge = "15min"', 'acknowledge = ""'),
        ("limits.toml", 'result = "24h"', 'result = ""'),
        ("limits.toml", 'review = "1wd"', 'review = ""'),
        ("limits.toml", 'anonymous_close = "5wd"', 'anonymous_close = ""'),
    ],
)
def test_a_limit_that_every_case_needs_may_not_be_empty(
    folder: Path, replace: Replace, file: str, old: str, new: str
) -> None:
    replace(file, old, new)

    assert faults_of(folder)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("duties.toml", 'platform = "P1"', 'platform = "P7"'),
        ("duties.toml", 'zh = "党群平台台长"', 'zh = "党群平台台长"\ntown = "445303999"'),
        ("limits.toml", "after = 0.25", "after = -0.25"),
        ("places.toml", 'alias = "GC"', 'alias = "GAO"'),
        ("calendar.toml", "14:30:00", "11:30:00"),
    ],
)
def test_a_value_that_fits_nothing_else_in_the_district_is_a_fault(
    folder: Path, replace: Replace, file: str, old: str, new: str
) -> None:
    replace(file, old, new)

    assert faults_of(folder)


def test_a_district_survives_the_way_through_the_log(district: District) -> None:
    stored = msgspec.msgpack.encode(district)

    assert msgspec.msgpack.decode(stored, type=District) == district
    assert configuration_hash(msgspec.msgpack.decode(stored, type=District)) == configuration_hash(district)


def test_the_shipped_sample_asks_seven_departments_about_a_road(district: District) -> None:
    (asked,) = district.approvals

    assert (asked.matter, asked.due) == ("601", "10wd")
    assert [(item.code, item.department) for item in asked.items] == [
        ("village-land", "X5"),
        ("land", "D16"),
        ("agriculture", "D28"),
        ("forestry", "D18"),
        ("transport", "D32"),
        ("finance", "D30"),
        ("planning", "D20"),
    ]
    assert (asked.milestones.project_approved, asked.milestones.permits_complete) == ("7d", "30d")
    assert "SAMPLE" in (find_district("yunan") / "approvals.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("content", [None, b"", b"# none yet\n"], ids=["missing", "empty", "a comment"])
def test_a_district_may_have_no_approvals(folder: Path, district: District, content: bytes | None) -> None:
    (folder / "approvals.toml").unlink()
    if content is not None:
        (folder / "approvals.toml").write_bytes(content)

    assert load_district(folder) == msgspec.structs.replace(district, approvals=())


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('matter = "601"', 'matter = "998"', "approval 998: matter: expected one of matters.toml, found 998"),
        ('due = "10wd"', 'due = "soon"', "approval 601: due: expected a duration such as 15min, 2h, 4wh, 5wd or 30d"),
        ('due = "10wd"', 'due = "21wd"', "approval 601: due: expected at most the statutory 20wd of land, found 21wd"),
        ('"7d"', '"9999d"', "approval 601: milestones: project_approved: expected at most 3660 days, found 9999d"),
        ('code = "land"', 'code = "forestry"', "approval 601: item forestry: expected once, found 2 times"),
        ('statutory = "20wd"', 'statutory = "1y"', "approval 601: item land: statutory: expected a duration"),
        ('"D16"', '"D99"', "approval 601: item land: department: expected one that every town has, found D99"),
        ('code = "land"', 'code = "Land"', "approval 601: expected `str` matching regex"),
        ('"《中华人民共和国土地管理法》"', '"土地管理法"', "approval 601: expected `str` matching regex"),
        ("[approval.milestones]", "[approval.stones]", "approval 601: object contains unknown field `stones`"),
        ('matter = "601"', "", "approval 1: object missing required field `matter`"),
    ],
)
def test_an_approval_that_cannot_be_asked_for_is_a_fault(
    folder: Path, replace: Replace, old: str, new: str, fault: str
) -> None:
    replace("approvals.toml", old, new)

    assert any(found.startswith(f"approvals.toml: {fault}") for found in faults_of(folder))


def test_a_department_that_some_town_lacks_is_asked_by_no_approval(folder: Path, replace: Replace) -> None:
    replace("departments.toml", 'code = "D30"', 'code = "D30"\nabsent_in = ["445303101"]')

    assert faults_of(folder) == [
        "approvals.toml: approval 601: item finance: department: expected one that every town has, found D30"
    ]


def test_a_matter_has_one_template_and_a_template_asks_somebody(folder: Path) -> None:
    (folder / "approvals.toml").write_text('[[approval]]\nmatter = "601"\ndue = "5wd"\nitems = []\n' * 2, "utf-8")

    assert set(faults_of(folder)) == {
        "approvals.toml: approval 601: expected once, found 2 times",
        "approvals.toml: approval 601: items: expected one at least, found none",
    }
