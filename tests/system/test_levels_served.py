"""Three levels as people meet them: the desks of village and district over HTTP, the launch list by command."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from events.ids import district_call_of
from services.rules.calendar import SHANGHAI
from services.runtime.clock import SystemClock
from tests.system.commands import Hujiao
from tests.system.gated import VILLAGE, Gated, gated

TODAY = SystemClock().now().astimezone(SHANGHAI).date()
OFF_LIST, IN_VILLAGE = "203", "411"
DISTRICT, BUREAU = "445303", "B03"

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    with gated(tmp_path_factory.mktemp("levels")) as served:
        yield served


def desk(served: Gated, name: str, page: str) -> dict[str, Any]:
    """The rows of a desk by their case."""
    answer = served.get(name, f"/api/{page}")
    assert answer.status_code == 200, answer.text
    return {row["case"]: row for row in answer.json()["rows"]}


def offers(row: dict[str, Any]) -> list[str]:
    return [act["request"] for act in row["acts"]]


def test_a_villages_desk_shows_what_it_handles_and_what_it_could_do(served: Gated) -> None:
    clerk, reviewer = served.user("village_clerk"), served.user("reviewer")
    case, _ = served.report(matter=IN_VILLAGE)

    row = desk(served, clerk, "village")[case]
    said = {"solved": "yes", "account": "已清淤。", "reply": "水渠已修复。"}
    done = served.act(clerk, "case.resolve-in-village.v1", case=case, **said)

    assert (row["owes"], row["village"]) == ("village", VILLAGE.code)
    assert offers(row) == ["case.resolve-in-village.v1", "case.escalate.v1"]
    assert done.status_code == 200
    served.settled()
    assert served.phase(case) == "in_review"
    assert case not in desk(served, clerk, "village")
    assert served.get(reviewer, "/api/village").status_code == 403


def test_a_refused_call_waits_on_the_districts_desk_until_its_leader_waives_it(served: Gated) -> None:
    centre, leader = served.user("command_centre"), served.user("district_leader", town="", village="")
    command = served.user("district_command", town="", village="")
    officer = served.user("department_officer", town=DISTRICT, village="", department=BUREAU)
    case, _ = served.report(matter=OFF_LIST)

    refused = served.act(centre, "case.call-district.v1", case=case, evidence="噪声来自邻镇。")
    served.settled()
    waiting = desk(served, leader, "district")[case]
    written = served.client.post(f"/api/cases/{case}/written", json={}, headers=served.as_user(leader)).json()
    waived = served.act(leader, "case.grant-launch-waiver.v1", case=case, bureau=BUREAU, reason="同意一次。")
    called = served.act(centre, "case.call-district.v1", case=case, evidence="噪声来自邻镇。")
    served.settled()

    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("launch list version 0: not_on_list: ")
    assert (waiting["owes"], offers(waiting)) == ("waiver", ["case.grant-launch-waiver.v1"])
    assert [one["text"] for one in written] == ["噪声来自邻镇。"]
    assert (waived.status_code, called.status_code) == (200, 200)
    there = desk(served, command, "district")[case]
    assert (there["owes"], there["tracker"]) == ("district", VILLAGE.town)
    assert offers(there) == ["case.hand-down.v1", "case.recuse-department.v1"]
    assert [row["call"] for row in served.get(officer, "/api/inbox").json()["rows"]] == [district_call_of(case, 1)]
    attempts = served.get(command, "/api/launch-attempts").json()["rows"]
    assert sorted(one["outcome"] for one in attempts if one["case"] == case) == ["refused", "waived"]
    assert served.get(centre, "/api/district").status_code == 403


def test_a_launch_list_is_published_over_the_api_and_what_is_wrong_with_it_is_said(served: Gated) -> None:
    command = served.user("district_command", town="", village="")
    about = {"effective_from": TODAY.isoformat(), "citation": "示例"}

    wrong = served.act(command, "launch.publish.v1", items=[{"matter": "401", "bureau": "D16"}], **about)
    unreadable = served.act(command, "launch.publish.v1", items=[{"matter": "401", "office": "B07"}], **about)
    right = served.act(command, "launch.publish.v1", items=[{"matter": "401", "bureau": "B07"}], **about)

    assert (wrong.status_code, unreadable.status_code, right.status_code) == (422, 400, 200)
    assert "bureau: expected one of the district, found 'D16'" in wrong.json()["detail"]


def test_the_districts_desk_begins_with_what_is_due_first(served: Gated) -> None:
    centre, command = served.user("command_centre"), served.user("district_command", town="", village="")
    items = [{"matter": "601", "bureau": "B08"}, {"matter": "207", "bureau": "B05"}]
    about = {"effective_from": TODAY.isoformat(), "citation": "示例"}
    assert served.act(command, "launch.publish.v1", items=items, **about).status_code == 200
    road, fire = (served.report(matter=matter)[0] for matter in ("601", "207"))
    for case in (road, fire):
        assert served.act(centre, "case.call-district.v1", case=case).status_code == 200

    rows = [row["case"] for row in served.get(command, "/api/district").json()["rows"]]

    assert rows.index(fire) < rows.index(road)


def test_the_list_is_shown_with_what_it_refused_and_with_the_one_that_waits(served: Gated) -> None:
    centre, command = served.user("command_centre"), served.user("district_command", town="", village="")
    leader = served.user("district_leader", town="", village="")
    for _ in range(2):
        case, _ = served.report(matter="204")
        assert served.act(centre, "case.call-district.v1", case=case).status_code == 422
    before = served.get(command, "/api/launch-list").json()
    items, later = before["in_force"]["items"], TODAY + timedelta(days=3)
    about = {"effective_from": later.isoformat(), "citation": "下月清单"}

    assert served.act(command, "launch.publish.v1", items=items, **about).status_code == 200
    found = served.get(command, "/api/launch-list").json()

    refused = [one for one in found["refused"] if (one["matter"], one["town"]) == ("204", VILLAGE.town)]
    assert [(one["times"], one["ground"], one["bureau"]) for one in refused] == [(2, "not_on_list", "B03")]
    assert (found["version"], found["waiting"]["citation"]) == (before["version"] + 1, "下月清单")
    assert (found["in_force"], found["earliest"]) == (before["in_force"], later.isoformat())
    assert served.get(leader, "/api/launch-list").status_code == 403


LIST = """\
effective_from = {day}
citation = "示例清单"

[[item]]
matter = "203"
bureau = "B03"
conditions = ["cross_town"]
evidence_required = "两镇证明"
"""


def test_the_command_line_publishes_a_list_and_calls_by_it(hujiao: Hujiao, tmp_path: Path) -> None:
    data = ("--data", tmp_path / "data")
    by = ("--by", "王强", *data)
    file = tmp_path / "list.toml"
    file.write_text(LIST.format(day=TODAY.isoformat()), encoding="utf-8")
    assert hujiao("district", "load", *data).status == 0
    place = ("--village", VILLAGE.code, "--matter", OFF_LIST)
    reported = hujiao("report", "--title", "很吵", "--text", "夜里很吵。", *place, *data, "--json")
    assert reported.status == 0, reported.err
    case = reported.json["receipt"]

    before = hujiao("launch", "show", "--json", *data).json
    refused = hujiao("act", "call-district", case, *by, "--json")
    published = hujiao("launch", "publish", file, *by, "--json")
    again = hujiao("launch", "publish", file, *by)
    after = hujiao("launch", "show", "--json", *data).json
    called = hujiao("act", "call-district", case, "--condition", "cross_town", "--evidence", "两镇都有。", *by)
    down = hujiao("act", "hand-down", case, "镇里能办。", *by)
    attempts = hujiao("launch", "attempts", "--json", *data).json

    assert before["version"] == 0
    assert (refused.status, refused.json["status"], refused.json["facts"]) == (4, "rejected", 1)
    assert published.json["version"] == "1"
    assert "it was done already" in again.out
    assert (after["version"], after["citation"], [item["matter"] for item in after["items"]]) == (
        1,
        "示例清单",
        ["203"],
    )
    assert (called.status, down.status) == (0, 0), (called, down)
    assert sorted((one["outcome"], one["list_version"]) for one in attempts) == [("on_condition", 1), ("refused", 0)]
    assert "区公安分局" in hujiao("launch", "show", *data).out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("effective_from = 2027-01-01", "missing required field `citation`"),
        ("[[item", "expected TOML in UTF-8"),
        ('effective_from = 2027-01-01\ncitation = "x"\n[[item]]\nmatter = "401"\ncolour = 1', "unknown field `colour`"),
        (
            'effective_from = 2027-01-01\ncitation = "x"\n[[item]]\nmatter = "401"\nbureau = "B07"\narrive = "soon"',
            "arrive",
        ),
        ('effective_from = 2027-01-01\ncitation = "x"\nitem = []', "items"),
    ],
)
def test_a_file_that_is_no_launch_list_is_wrong_use(hujiao: Hujiao, tmp_path: Path, content: str, said: str) -> None:
    assert hujiao("district", "load", "--data", tmp_path).status == 0
    (tmp_path / "list.toml").write_text(content, encoding="utf-8")

    answer = hujiao("launch", "publish", tmp_path / "list.toml", "--by", "王强", "--data", tmp_path)

    assert answer.status == 2
    assert said in answer.err
