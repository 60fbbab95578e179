"""值班、联合出动 as people meet them: over HTTP in their own names, each within their own role and unit."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.rules.calendar import SHANGHAI
from services.runtime.clock import SystemClock
from tests.system.gated import OTHER_VILLAGE, VILLAGE, Gated, gated

NOW = SystemClock().now()
TODAY = NOW.astimezone(SHANGHAI).date()
TOWN = VILLAGE.town
STAFF = {"D15": 3, "D16": 2, "D18": 1, "D08": 2, "D06": 2}

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    with gated(tmp_path_factory.mktemp("turn_outs")) as served:
        personnel = served.user("personnel", town="", village="")
        for department, many in STAFF.items():
            for n in range(1, many + 1):
                person = {"number": f"LD-{department}-{n}", "name": f"{department}{n}号", "employer": "六都镇"}
                place = {"town": TOWN, "department": department, "since": "2020-01-06"}
                answer = served.act(personnel, "person.register.v1", **person, **place)
                assert answer.status_code == 200, answer.text
        yield served


@pytest.fixture(scope="module")
def centre(served: Gated) -> str:
    return served.user("command_centre")


def status(served: Gated, user: str, request: str, **fields: Any) -> tuple[int, str]:
    answer = served.act(user, request, **fields)
    return answer.status_code, answer.json().get("detail", "")


def hours(after: float) -> str:
    return (NOW + timedelta(hours=after)).isoformat()


def illegal_mining(served: Gated) -> str:
    case, _ = served.report(title="有人挖矿", text="后山有挖掘机。", matter="401", anonymous=True, reporter=None)
    return case


def turn_out(served: Gated, user: str, case: str) -> dict[str, Any]:
    found: dict[str, Any] = served.get(user, f"/api/cases/{case}").json()["turn_out"]
    return found


def test_a_town_keeps_its_roster_and_knows_who_is_on_duty(served: Gated, centre: str) -> None:
    committee = served.user("town_committee")
    head = {"town": TOWN, "post": "platform_head", "platform": "P4", "number": "LD-D15-1"}
    assert status(served, committee, "roster.fill-post.v1", **head, since=TODAY.isoformat())[0] == 200
    night = {"town": TOWN, "shift": "tonight", "post": "command_centre", "number": "LD-D06-1"}
    times = {"start": hours(-1), "end": hours(8)}
    assert status(served, centre, "roster.set-shift.v1", **night, **times)[0] == 200

    found = served.get(centre, "/api/roster").json()

    assert {"D151号", "D061号"} <= set(found["duties"])
    assert [(row["shift"], row["name"]) for row in found["shifts"]] == [("tonight", "D061号")]
    assert {row["number"]: row["posts"] for row in found["people"]}["LD-D15-1"] == "platform_head P4 0"
    covered_until = datetime.fromisoformat(times["end"])
    assert all(datetime.fromisoformat(gap["start"]) >= covered_until for gap in found["gaps"])
    assert {gap["post"] for gap in found["gaps"]} <= {"command_centre"}
    again = served.get(centre, f"/api/towns/{TOWN}/morning").json()
    assert "D061号" in again["duties"]


@pytest.mark.parametrize(
    ("role", "request_", "fields"),
    [
        ("platform_head", "roster.grant-leave.v1", {"number": "LD-D15-2", "start": hours(1), "end": hours(2)}),
        (
            "command_centre",
            "roster.fill-post.v1",
            {"post": "command_centre", "number": "LD-D15-2", "since": "2026-01-01"},
        ),
        ("department_officer", "roster.remove-shift.v1", {"shift": "tonight"}),
        ("analyst", "roster.deploy.v1", {"number": "LD-D15-2", "department": "D06", "until": hours(2)}),
    ],
)
def test_a_roster_is_kept_by_those_whose_it_is(served: Gated, role: str, request_: str, fields: dict[str, Any]) -> None:
    user = served.user(role, department="D15" if role == "department_officer" else "", platform="P4")

    code, why = status(served, user, request_, town=TOWN, **fields)

    assert (code, why.startswith("roster.")) == (403, True)


def test_another_town_keeps_its_own_roster_alone(served: Gated) -> None:
    elsewhere = served.user("command_centre", town=OTHER_VILLAGE.town, village="")

    code, why = status(served, elsewhere, "roster.end-leave.v1", town=TOWN, number="LD-D15-1")

    assert (code, why) == (403, f"town: expected {OTHER_VILLAGE.town}, whom the user acts for, found {TOWN}")


def test_a_head_deploys_the_people_of_the_own_platform(served: Gated) -> None:
    own, other = (served.user("platform_head", village="", platform=platform) for platform in ("P4", "P5"))
    task = {"town": TOWN, "number": "LD-D18-1", "department": "D06", "until": hours(3)}

    assert status(served, other, "roster.deploy.v1", **task)[0] == 403
    assert status(served, own, "roster.deploy.v1", **task)[0] == 200
    assert status(served, own, "roster.release.v1", town=TOWN, number="LD-D18-1")[0] == 200


def test_people_turn_out_are_counted_by_name_and_may_go(served: Gated, centre: str) -> None:
    officer = served.user("department_officer", village="", department="D15")
    reviewer = served.user("reviewer", village="")
    case = illegal_mining(served)
    called = turn_out(served, centre, case)
    assert (called["phase"], called["min_people"], called["called"]) == ("confirming", 20, sum(STAFF.values()))
    mine = {"case": case, "department": "D15"}

    assert status(served, officer, "mobilisation.confirm.v1", **mine, numbers=["LD-D15-1"])[0] == 200
    declined = status(served, officer, "mobilisation.decline.v1", **mine, number="LD-D15-3", ground="ill")
    mustered = status(served, officer, "mobilisation.muster.v1", **mine, numbers=["LD-D15-1", "LD-D15-2"])
    foreign = status(served, officer, "mobilisation.muster.v1", **mine, numbers=["LD-D16-1"])
    twice = status(served, centre, "mobilisation.muster.v1", case=case, numbers=["LD-D15-1", "LD-D16-1"])

    assert (declined[0], mustered[0], twice[0]) == (200, 200, 200)
    assert foreign == (422, "numbers: expected people of D15, found LD-D16-1")
    assert turn_out(served, officer, case)["mustered"] == 3
    assert "responders" in turn_out(served, officer, case)
    assert "responders" not in turn_out(served, reviewer, case)
    assert status(served, officer, "mobilisation.stand-down.v1", case=case)[0] == 403
    assert status(served, centre, "mobilisation.stand-down.v1", case=case)[0] == 200
    assert status(served, centre, "mobilisation.review.v1", case=case, note="已处置。")[0] == 200
    people = served.get(centre, "/api/roster").json()["people"]
    assert {row["mobilisation"] for row in people} == {None}


def board(served: Gated, user: str, case: str) -> dict[str, Any] | None:
    """The row of a case on somebody's muster board, while it has one."""
    answer = served.get(user, "/api/turn-outs")
    assert answer.status_code == 200, answer.text
    return next((row for row in answer.json()["rows"] if row["case"] == case), None)


def test_the_muster_board_counts_by_department_and_names_people_to_those_who_may_know(
    served: Gated, centre: str
) -> None:
    officer = served.user("department_officer", village="", department="D15")
    leader = served.user("district_leader", town="", village="")
    elsewhere = served.user("command_centre", town=OTHER_VILLAGE.town, village="")
    case = illegal_mining(served)
    mine = {"case": case, "department": "D15"}
    assert status(served, officer, "mobilisation.confirm.v1", **mine, numbers=["LD-D15-1", "LD-D15-2"])[0] == 200
    assert status(served, officer, "mobilisation.decline.v1", **mine, number="LD-D15-3", ground="ill")[0] == 200
    assert status(served, centre, "mobilisation.muster.v1", case=case, numbers=["LD-D15-1"])[0] == 200

    row = board(served, centre, case)

    assert row is not None
    counts = {one.pop("department"): one for one in row["departments"]}
    about = {"mobilisation": row["mobilisation"]}
    assert counts["D15"] == {**about, "called": 3, "coming": 1, "present": 1, "gone": 1}
    assert counts["D16"] == {**about, "called": 2, "coming": 0, "present": 0, "gone": 0}
    assert {one["number"] for one in row["responders"]} >= {"LD-D15-1", "LD-D16-1"}
    people = served.get(centre, "/api/turn-outs").json()["people"]
    assert {one["number"] for one in people if one["mobilisation"]} >= {"LD-D15-1", "LD-D16-1"}
    assert served.get(officer, "/api/turn-outs").json()["people"] is None
    assert "responders" in (board(served, officer, case) or {})
    assert board(served, leader, case) is None  # it is confidential, and no town wanted to call the district
    assert board(served, elsewhere, case) is None
    told = [fact["what"] for fact in served.get(centre, f"/api/cases/{case}").json()["timeline"]]
    assert {"mobilisation.responders-confirmed.v1", "mobilisation.responder-declined.v1"} <= set(told)
    assert status(served, centre, "mobilisation.stand-down.v1", case=case)[0] == 200
    assert board(served, centre, case) is None


def offered(served: Gated, user: str, case: str) -> dict[str, dict[str, Any]]:
    """What somebody could do now about a turn-out, by act."""
    acts = served.get(user, f"/api/cases/{case}").json()["acts"]
    return {act["request"]: act for act in acts if act["request"].startswith("mobilisation.")}


def test_everybody_is_offered_what_is_theirs_to_do_about_a_turn_out(served: Gated, centre: str) -> None:
    officer = served.user("department_officer", village="", department="D15")
    reviewer = served.user("reviewer", village="")
    case = illegal_mining(served)
    mine = {"case": case, "department": "D15"}
    of_centre = {"mobilisation.muster.v1", "mobilisation.stand-down.v1"}
    of_officer = {"mobilisation.confirm.v1", "mobilisation.decline.v1", "mobilisation.muster.v1"}

    assert set(offered(served, centre, case)) == of_centre
    assert "department" not in offered(served, centre, case)["mobilisation.muster.v1"]
    assert set(offered(served, officer, case)) == of_officer
    assert offered(served, officer, case)["mobilisation.muster.v1"]["department"] == "D15"
    assert offered(served, reviewer, case) == {}
    everybody = [f"LD-D15-{n}" for n in range(1, STAFF["D15"] + 1)]
    assert status(served, officer, "mobilisation.confirm.v1", **mine, numbers=everybody)[0] == 200
    assert set(offered(served, officer, case)) == of_officer - {"mobilisation.confirm.v1"}
    assert status(served, officer, "mobilisation.muster.v1", **mine, numbers=everybody)[0] == 200
    assert offered(served, officer, case) == {}
    assert status(served, centre, "mobilisation.stand-down.v1", case=case)[0] == 200
    assert set(offered(served, centre, case)) == {"mobilisation.review.v1"}
    quiet, _ = served.report()
    assert set(offered(served, centre, quiet)) == {"mobilisation.order.v1"}


def test_who_is_on_one_scene_counts_on_no_other(served: Gated, centre: str) -> None:
    one, other = illegal_mining(served), illegal_mining(served)

    refused = status(served, centre, "mobilisation.muster.v1", case=other, numbers=["LD-D15-1"])

    assert refused == (422, "numbers: expected people who are free, found LD-D15-1 with another turn-out")
    assert turn_out(served, centre, other)["called"] == 0
    assert status(served, centre, "mobilisation.stand-down.v1", case=one)[0] == 200
    assert status(served, centre, "mobilisation.muster.v1", case=other, numbers=["LD-D15-1"])[0] == 200


def test_nobody_acts_on_a_case_that_has_no_turn_out(served: Gated, centre: str) -> None:
    case, _ = served.report()

    code, why = status(served, centre, "mobilisation.stand-down.v1", case=case)

    assert (code, why) == (422, "expected a turn-out that was ordered, found none with this id")
    assert turn_out(served, centre, case) is None
