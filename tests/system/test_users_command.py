"""`hujiao user` and, once there are users, `hujiao act`: only in the name of one who may, and else nothing changes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from events.call import CallAcknowledged
from events.user import DisableUser, Unit, UserAdded
from services.people.user import user_id
from services.runtime.batch import Submission
from services.runtime.clock import SystemClock
from services.runtime.district import find_district, load_district
from services.wiring import House
from tests.system.commands import Hujiao, Said

DISTRICT = load_district(find_district("yunan"))
VILLAGE = DISTRICT.villages[0]
TOWN = next(town for town in DISTRICT.towns if town.code == VILLAGE.town)
OTHER_TOWN = next(town for town in DISTRICT.towns if town.code != VILLAGE.town)
ROADS = next(matter for matter in DISTRICT.matters if matter.code == "602")
PASSWORD, OTHER = "correct horse battery", "staple correct horse"
HERE = "192.0.2.1"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A district in which nothing has happened yet."""
    with House(tmp_path / "data", SystemClock()) as house:
        house.configure(DISTRICT)
    return tmp_path / "data"


@pytest.fixture
def case(data: Path, hujiao: Hujiao) -> str:
    """A case on a road, for which departments are called."""
    report = ("--text", "路面塌了", "--village", VILLAGE.code, "--matter", ROADS.code, "--source", "office")
    said = hujiao("report", *report, "--data", data, "--json")
    assert said.status == 0, said.err
    return str(said.json["case"])


def add(hujiao: Hujiao, data: Path, name: str, *roles: str, typed: str = PASSWORD, **unit: str) -> Said:
    """`hujiao user add`, of a user of the village's town unless another is named."""
    own = {"town": VILLAGE.town} | unit
    options = [part for role in roles for part in ("--role", role)]
    options += [part for option, value in own.items() for part in (f"--{option}", value)]
    more = ("--password-stdin", "--data", data, "--json")
    return hujiao("user", "add", name, f"人{name}", *options, *more, typed=f"{typed}\n")


def facts(data: Path) -> int:
    with House(data, SystemClock()) as house:
        return house.log.head()


def gets_in(data: Path, name: str, password: str) -> bool:
    with House(data, SystemClock()) as house:
        return house.accounts.check(name, password, HERE)


# add


def test_an_added_user_logs_in_with_the_password_and_stands_in_the_log_without_it(data: Path, hujiao: Hujiao) -> None:
    said = add(hujiao, data, "wang", "reviewer", "intake_clerk")

    assert (said.status, said.json) == (0, {"user": "wang", "facts": 1})
    assert gets_in(data, "wang", PASSWORD)
    with House(data, SystemClock()) as house:
        recorded = house.log.stream(user_id("wang"))
    roles = ("reviewer", "intake_clerk")
    assert [one.fact for one in recorded] == [
        UserAdded(name="wang", person="人wang", roles=roles, unit=Unit(town=VILLAGE.town))  # type: ignore[arg-type]  # each is a role
    ]
    assert PASSWORD not in said.out + said.err


def test_the_password_is_asked_for_twice_where_nobody_sees_it(
    data: Path, hujiao: Hujiao, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    answers = iter([PASSWORD, PASSWORD, PASSWORD, OTHER])
    monkeypatch.setattr("getpass.getpass", lambda prompt: asked.append(prompt) or next(answers))

    same = hujiao("user", "add", "wang", "王小明", "--role", "analyst", "--data", data)
    differs = hujiao("user", "add", "li", "李红", "--role", "analyst", "--data", data)

    assert asked == ["Password: ", "Again: "] * 2
    assert same.status == 0
    assert "王小明 may log in as wang (analyst)." in same.out
    assert differs.status == 2
    assert "expected the same twice" in differs.err
    assert [gets_in(data, name, PASSWORD) for name in ("wang", "li")] == [True, False]
    assert facts(data) == 2


def test_a_town_may_be_named_by_its_alias(data: Path, hujiao: Hujiao) -> None:
    assert add(hujiao, data, "wang", "reviewer", town=TOWN.alias).status == 0

    listed = hujiao("user", "list", "--data", data, "--json").json
    assert listed[0]["unit"]["town"] == TOWN.code


@pytest.mark.parametrize(
    ("roles", "unit", "status", "expected"),
    [
        (("village_clerk",), {}, 4, "village: expected one for the role village_clerk, found none"),
        (("reviewer",), {"town": "nowhere"}, 4, "town: expected one of"),
        (("reviewer",), {"village": "1"}, 4, f"village: expected one of the town {VILLAGE.town}, found '1'"),
        (("platform_head",), {"platform": "P9"}, 4, "platform: expected one of"),
        (("department_officer",), {"department": "D99"}, 4, "department: expected one of"),
        (("god",), {}, 2, ""),
        ((), {}, 2, ""),
    ],
)
def test_a_user_that_cannot_be_is_refused_and_nothing_changes(
    data: Path, hujiao: Hujiao, roles: tuple[str, ...], unit: dict[str, str], status: int, expected: str
) -> None:
    before = facts(data)

    said = add(hujiao, data, "wang", *roles, **unit)

    assert said.status == status
    assert expected in said.err
    assert facts(data) == before
    assert not gets_in(data, "wang", PASSWORD)


@pytest.mark.parametrize("name", ["Wang", "王", "w", "wang li", "-", "w" * 41, "wang\\udcff", ""])
def test_what_can_be_no_name_is_wrong_use(data: Path, hujiao: Hujiao, name: str) -> None:
    before = facts(data)

    assert add(hujiao, data, name, "reviewer").status == 2
    assert facts(data) == before


@pytest.mark.parametrize("typed", ["", "short", "x" * 201])
def test_with_a_weak_password_nobody_is_added(data: Path, hujiao: Hujiao, typed: str) -> None:
    before = facts(data)

    said = add(hujiao, data, "wang", "reviewer", typed=typed)

    assert said.status == 2
    assert f"password: expected 10 to 200 characters, found {len(typed)}" in said.err
    assert facts(data) == before


def test_a_name_that_somebody_has_is_refused_and_their_password_stays(data: Path, hujiao: Hujiao) -> None:
    add(hujiao, data, "wang", "reviewer")

    said = add(hujiao, data, "wang", "administrator", typed=OTHER)

    assert said.status == 4
    assert "disable it first" in said.err
    assert (gets_in(data, "wang", PASSWORD), gets_in(data, "wang", OTHER)) == (True, False)


def test_without_a_district_there_is_nobody_to_add_to(tmp_path: Path, hujiao: Hujiao) -> None:
    assert add(hujiao, tmp_path / "nowhere", "wang", "reviewer").status == 2
    assert not (tmp_path / "nowhere").exists()


# list, disable


def test_the_list_shows_everybody_there_ever_was(data: Path, hujiao: Hujiao) -> None:
    add(hujiao, data, "wang", "reviewer")
    add(hujiao, data, "li", "department_officer", department="D32")
    hujiao("user", "disable", "wang", "--data", data)

    listed, shown = (hujiao("user", "list", "--data", data, *more) for more in (("--json",), ()))

    assert [(one["name"], one["disabled"]) for one in listed.json] == [("li", False), ("wang", True)]
    assert listed.json[0]["unit"]["department"] == "D32"
    assert "department_officer" in shown.out
    assert "人wang" in shown.out


def test_who_is_disabled_is_out_with_everything_they_had_and_may_come_back_without_it(
    data: Path, hujiao: Hujiao
) -> None:
    add(hujiao, data, "wang", "reviewer")
    token = hujiao("user", "token", "wang", "board", "--data", data, "--json").json["token"]
    with House(data, SystemClock()) as house:
        session = house.accounts.open_session("wang").secret

    said = [hujiao("user", "disable", "wang", "--data", data) for _ in range(2)]
    back = add(hujiao, data, "wang", "reviewer", typed=OTHER, town=OTHER_TOWN.code)

    assert [one.status for one in (*said, back)] == [0, 0, 0]
    assert (gets_in(data, "wang", PASSWORD), gets_in(data, "wang", OTHER)) == (False, True)
    with House(data, SystemClock()) as house:
        assert (house.accounts.token(token), house.accounts.session(session)) == (None, None)


def test_nobody_can_be_disabled_who_is_not_there(data: Path, hujiao: Hujiao) -> None:
    said = hujiao("user", "disable", "nobody", "--data", data)

    assert said.status == 4
    assert "expected a user, found none with this name" in said.err


# token, password


def test_a_token_is_shown_once_and_is_the_users_until_it_ends(data: Path, hujiao: Hujiao) -> None:
    add(hujiao, data, "wang", "analyst")

    one = hujiao("user", "token", "wang", "prometheus", "--data", data).out.strip()
    short = hujiao("user", "token", "wang", "board", "--days", 1, "--data", data, "--json").json["token"]

    with House(data, SystemClock()) as house:
        assert (house.accounts.token(one), house.accounts.token(short)) == ("wang", "wang")
        house.accounts._now = lambda: datetime.now(UTC) + timedelta(days=2)
        assert (house.accounts.token(one), house.accounts.token(short)) == ("wang", None)


@pytest.mark.parametrize("days", ["0", "-1", "10000000000", "x"])
def test_a_token_for_no_time_or_for_ever_is_wrong_use(data: Path, hujiao: Hujiao, days: str) -> None:
    add(hujiao, data, "wang", "analyst")

    assert hujiao("user", "token", "wang", "board", f"--days={days}", "--data", data).status == 2


def test_another_password_is_right_from_then_on(data: Path, hujiao: Hujiao) -> None:
    add(hujiao, data, "wang", "analyst")

    said = hujiao("user", "password", "wang", "--password-stdin", "--data", data, typed=f"{OTHER}\n")
    weak = hujiao("user", "password", "wang", "--password-stdin", "--data", data, typed="weak\n")

    assert (said.status, weak.status) == (0, 2)
    assert (gets_in(data, "wang", PASSWORD), gets_in(data, "wang", OTHER)) == (False, True)


@pytest.mark.parametrize("command", [["token", "wang", "board"], ["password", "wang", "--password-stdin"]])
def test_who_is_unknown_or_disabled_gets_neither_token_nor_password(
    data: Path, hujiao: Hujiao, command: list[str]
) -> None:
    unknown = hujiao("user", *command, "--data", data, typed=f"{PASSWORD}\n")
    add(hujiao, data, "wang", "analyst")
    hujiao("user", "disable", "wang", "--data", data)
    disabled = hujiao("user", *command, "--data", data, typed=f"{PASSWORD}\n")

    assert (unknown.status, disabled.status) == (2, 2)
    assert "expected one who is enabled, found 'wang', unknown" in unknown.err
    assert "expected one who is enabled, found 'wang', disabled" in disabled.err
    assert not gets_in(data, "wang", PASSWORD)


# act


def acknowledge(hujiao: Hujiao, data: Path, case: str, by: str, *more: object) -> Said:
    return hujiao("act", "acknowledge", case, ROADS.lead, "--by", by, *more, "--data", data)


def test_as_long_as_there_is_no_user_any_named_person_acts(data: Path, hujiao: Hujiao, case: str) -> None:
    assert acknowledge(hujiao, data, case, "王小明").status == 0


def test_once_there_are_users_one_who_may_acts_in_their_own_name(data: Path, hujiao: Hujiao, case: str) -> None:
    add(hujiao, data, "wang", "department_officer", department=ROADS.lead)

    said = acknowledge(hujiao, data, case, "wang")

    assert said.status == 0, said.err
    with House(data, SystemClock()) as house:
        found = [one for batch in house.log.all_after(0) for one in batch if isinstance(one.fact, CallAcknowledged)]
    assert [(one.fact.by, one.meta.actor) for one in found] == [("人wang", "wang")]  # type: ignore[attr-defined]  # each is an acknowledgement


@pytest.mark.parametrize(
    ("roles", "unit", "expected"),
    [
        (("reviewer",), {}, "call.acknowledge.v1: expected the role department_officer, found reviewer"),
        (
            ("department_officer",),
            {"department": "D30"},
            f"department: expected D30, whom the user acts for, found {ROADS.lead}",
        ),
        (
            ("department_officer",),
            {"town": OTHER_TOWN.code, "department": ROADS.lead},
            f"town: expected {OTHER_TOWN.code}, whom the user acts for, found {TOWN.code}",
        ),
    ],
)
def test_a_user_who_may_not_is_refused_and_nothing_changes(
    data: Path, hujiao: Hujiao, case: str, roles: tuple[str, ...], unit: dict[str, str], expected: str
) -> None:
    add(hujiao, data, "wang", *roles, **unit)
    before = facts(data)

    said = acknowledge(hujiao, data, case, "wang")

    assert said.status == 4
    assert expected in said.err
    assert facts(data) == before


@pytest.mark.parametrize("by", ["王小明", "nobody", "gone", "人wang"])
def test_once_there_are_users_nobody_else_acts(data: Path, hujiao: Hujiao, case: str, by: str) -> None:
    for name in ("wang", "gone"):
        add(hujiao, data, name, "department_officer", department=ROADS.lead)
    hujiao("user", "disable", "gone", "--data", data)
    before = facts(data)

    said = acknowledge(hujiao, data, case, by)

    assert said.status == 2
    assert "user: expected one who is enabled" in said.err
    assert facts(data) == before


def test_when_every_user_is_disabled_still_nobody_else_acts(data: Path, hujiao: Hujiao, case: str) -> None:
    add(hujiao, data, "gone", "department_officer", department=ROADS.lead)
    hujiao("user", "disable", "gone", "--data", data)

    assert acknowledge(hujiao, data, case, "王小明").status == 2


def test_the_same_act_under_the_same_number_is_done_once_for_each_user(data: Path, hujiao: Hujiao, case: str) -> None:
    for name in ("wang", "li"):
        add(hujiao, data, name, "department_officer", department=ROADS.lead)
    acknowledge(hujiao, data, case, "wang")

    def note(by: str) -> Any:
        tokens = ("act", "note", case, ROADS.lead, "已派人", "--by", by, "--id", "7", "--data", data, "--json")
        said = hujiao(*tokens)
        assert said.status == 0, said.err
        return facts(data)

    first, again, others = note("wang"), note("wang"), note("li")

    assert (again - first, others - again) == (0, 1)


def test_words_open_on_the_command_line_by_the_table_too(data: Path, case: str, hujiao: Hujiao) -> None:
    hujiao(
        "user", "add", "reviewer.one", "张三", "--role", "reviewer", "--password-stdin", "--data", data, typed=PASSWORD
    )

    said = hujiao("case", case, "--words-for", "reviewer.one", "--data", data, "--json")

    assert said.status == 4
    assert "expected a case whose words are open to the user" in said.err
    assert "路面塌了" not in said.out


def test_who_gets_a_name_that_another_had_gets_nothing_else_of_his(data: Path, hujiao: Hujiao) -> None:
    add = ("user", "add", "duty", "--role", "reviewer", "--password-stdin", "--data", data)
    hujiao(*add[:3], "张三", *add[3:], typed=PASSWORD)
    token = hujiao("user", "token", "duty", "phone", "--data", data, "--json").json["token"]
    with House(data, SystemClock()) as house:  # the process ended between the fact and forgetting the secrets
        house.ledger.decide(Submission("user/duty", DisableUser(user=user_id("duty")), "test", remembered=False))

    said = hujiao(*add[:3], "李四", *add[3:], typed=OTHER)

    assert said.status == 0, said.err
    with House(data, SystemClock()) as house:
        assert house.accounts.token(token) is None
        assert not house.accounts.check("duty", PASSWORD, HERE)
        assert house.accounts.check("duty", OTHER, HERE)
