"""Three levels through a house: refused and waived, called and tracked, handed down, and handled in the village."""

from datetime import date, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from events.case import CaseDistrictCallRefused
from events.ids import call_of, district_call_of
from events.user import Unit, UserRole
from projections.queries import Questions
from services.acting import Acting
from services.decisions import Rejected
from services.offering import Offering
from services.opening import Opening
from services.people.authority import Forbidden, sights_of
from services.people.user import User
from services.runtime import seal
from services.runtime.batch import Answer
from services.wiring import House
from tests.conftest import OpenHouse
from tests.flow.township import (
    MONDAY_MORNING,
    all_facts,
    names,
    open_case,
    pass_time,
    react,
    row,
    rows,
    settled,
    timers,
)

LIUDU, GAOCUN, DISTRICT = "445303100", "445303101", "445303"
VILLAGE = "445303100201"
OFF_LIST, ON_LIST, IN_VILLAGE = "203", "401", "411"
_records = count()


def user(role: UserRole, **unit: str) -> User:
    return User(f"{role}-{'-'.join(unit.values())}", f"{role} {' '.join(unit.values())}", (role,), Unit(**unit))


CENTRE = user("command_centre", town=LIUDU)
LEADER, COMMAND, ANALYST = user("district_leader"), user("district_command"), user("analyst")
BUREAU = user("department_officer", town=DISTRICT, department="B03")
CLERK = user("village_clerk", town=LIUDU, village=VILLAGE)
REVIEWER, FOLLOW_UP = user("reviewer", town=LIUDU), user("follow_up_clerk", town=LIUDU)


def act(house: House, who: User, name: str, record: str = "", **fields: Any) -> Answer:
    """Somebody asks for something in their own name; everybody reacts at this instant."""
    asked = {"request": f"{name}.v1", **fields}
    submission = Acting(house).submission(who, asked, record or f"record-{next(_records)}")
    answer = house.ledger.decide(submission)
    react(house)
    return answer


def seen_by(house: House, who: User, case: str) -> dict[str, Any] | None:
    return Questions(house.views.database, sights_of(who)).case(case)


def offered(house: House, who: User, case: str) -> set[str]:
    found = seen_by(house, who, case)
    return {one["request"] for one in Offering(house).possible(who, found)} if found else set()


def works(house: House, case: str, call: str, department: str, town: str = LIUDU, *, lead: bool = False) -> None:
    officer = user("department_officer", town=town, department=department)
    about = {"call": call, "department": department}
    act(house, officer, "call.acknowledge", **about)
    if row(house, "legs", call=call, department=department)["arrive_due"]:
        act(house, officer, "call.report-in", **about, people=2)
    reply = {"reply": "已处理。"} if lead else {}
    assert (
        act(house, officer, "call.file-result", **about, solved="yes", account="已处理。", **reply).status == "accepted"
    )


def test_a_refused_call_is_answered_as_rejected_and_recorded_in_the_same_transaction(house: House) -> None:
    case = open_case(house, "1", matter=OFF_LIST, village=VILLAGE)
    before = house.log.head()

    answer = act(house, CENTRE, "case.call-district", "attempt", case=case, evidence="噪声来自邻镇。")
    again = act(house, CENTRE, "case.call-district", "attempt", case=case, evidence="噪声来自邻镇。")

    assert (answer.status, answer.facts, answer.repeated) == ("rejected", 1, False)
    assert "launch list version 0: not_on_list" in answer.reason
    assert (again.status, again.reason, again.facts, again.repeated) == ("rejected", answer.reason, 1, True)
    (recorded,) = all_facts(house.log, before)
    assert isinstance(recorded.fact, CaseDistrictCallRefused)
    assert recorded.fact.evidence is not None
    assert recorded.meta.actor == CENTRE.name
    assert house.vault.open(recorded.fact.evidence, str, "test", "test", MONDAY_MORNING) == "噪声来自邻镇。"
    assert seal.verify(house.log).fault is None
    settled(house.log)


def test_what_was_refused_and_recorded_is_known_to_a_house_that_is_opened_again(open_house: OpenHouse) -> None:
    first = open_house()
    case = open_case(first, "1", matter=OFF_LIST, village=VILLAGE)
    act(first, CENTRE, "case.call-district", "attempt", case=case)
    first.close()

    second = open_house()
    repeated = act(second, CENTRE, "case.call-district", "attempt", case=case)
    another = act(second, CENTRE, "case.call-district", "another", case=case)

    assert (repeated.status, repeated.repeated) == ("rejected", True)
    assert (another.status, another.facts) == ("rejected", 0)
    assert names(all_facts(second.log)).count("case.district-call-refused") == 1


@pytest.mark.every_store
def test_off_the_list_refused_then_waived_called_and_tracked_by_the_town_to_the_end(house: House) -> None:
    case = open_case(house, "1", matter=OFF_LIST, village=VILLAGE)
    assert "case.call-district.v1" in offered(house, CENTRE, case)
    assert act(house, CENTRE, "case.call-district", case=case, evidence="x").status == "rejected"
    (waiting,) = Questions(house.views.database, sights_of(LEADER)).at_district()["waiver"]
    assert waiting["case"] == case
    assert offered(house, LEADER, case) == {"case.grant-launch-waiver.v1"}

    act(house, LEADER, "case.grant-launch-waiver", case=case, bureau="B03", reason="情况紧急。")
    assert act(house, CENTRE, "case.call-district", case=case, evidence="x").status == "accepted"
    tracked = row(house, "cases", case=case)
    district_call = district_call_of(case, 1)
    works(house, case, call_of(case, "P2", 1), "D08", lead=True)
    waiting_for_bureau = row(house, "cases", case=case)["phase"]
    works(house, case, district_call, "B03", DISTRICT)
    act(house, REVIEWER, "case.approve-result", case=case)
    report = rows(house.views, "reports", case=case)[0]["report"]
    act(house, FOLLOW_UP, "case.follow-up", case=case, report=report, contacted=True, solved=True)

    assert (tracked["level"], tracked["tracker"], tracked["district"]) == ("district", LIUDU, DISTRICT)
    assert (tracked["asked"], tracked["list_version"]) == ("called", 0)
    assert waiting_for_bureau == "in_progress"
    closed = row(house, "cases", case=case)
    assert (closed["phase"], closed["tracker"]) == ("closed", LIUDU)
    attempts = Questions(house.views.database).launch_attempts()
    assert sorted((one["outcome"], one["ground"], one["list_version"]) for one in attempts) == [
        ("refused", "not_on_list", 0),
        ("waived", None, 0),
    ]
    found = seen_by(house, CENTRE, case)
    assert found is not None
    assert {leg["department"] for leg in found["legs"]} >= {"D08", "B03"}
    assert [one["what"] for one in found["timeline"] if "district" in one["what"] or "waiver" in one["what"]] == [
        "case.district-call-refused.v1",
        "case.launch-waiver-granted.v1",
        "case.district-called.v1",
    ]
    assert not timers(house.log)
    settled(house.log)


def test_the_bureau_hears_of_its_call_under_its_own_unit_and_sees_that_case_alone(house: House) -> None:
    case = open_case(house, "1", matter=ON_LIST, village=VILLAGE)
    other = open_case(house, "2", matter=ON_LIST, village=VILLAGE, reporter="another")
    land = user("department_officer", town=DISTRICT, department="B07")
    platform = user("platform_head", town=DISTRICT, platform="P4")
    elsewhere = user("platform_head", town=DISTRICT, platform="P2")
    assert seen_by(house, land, case) is None

    act(house, CENTRE, "case.call-district", case=case)

    leg = row(house, "legs", call=district_call_of(case, 1))
    assert (leg["town"], leg["platform"], leg["department"]) == (DISTRICT, "P4", "B07")
    assert seen_by(house, land, case) is not None
    assert seen_by(house, land, other) is None
    assert seen_by(house, platform, case) is not None
    assert seen_by(house, elsewhere, case) is None, "P2 is called in the town, not at the district"
    owed = Questions(house.views.database, sights_of(land)).owing(house.clock.now(), (), "B07")
    assert [(one["case"], one["owes"]) for one in owed] == [(case, "acknowledge")]
    wrong_town = user("department_officer", town=LIUDU, department="B07")
    with pytest.raises(Forbidden, match="town: expected 445303100"):
        act(house, wrong_town, "call.acknowledge", call=district_call_of(case, 1), department="B07")


def test_a_bureau_opens_the_words_of_its_case_once_it_has_acknowledged(house: House) -> None:
    case = open_case(house, "1", matter=OFF_LIST, village=VILLAGE, title="夜里很吵")
    act(house, CENTRE, "case.call-district", case=case)
    act(house, LEADER, "case.grant-launch-waiver", case=case, bureau="B03", reason="x")
    act(house, CENTRE, "case.call-district", case=case)
    opening = Opening(house)
    with pytest.raises(Rejected, match="expected"):
        opening.words(BUREAU, case)

    act(house, BUREAU, "call.acknowledge", call=district_call_of(case, 1), department="B03")

    assert [told.title for told in opening.words(BUREAU, case)] == ["夜里很吵"]


@pytest.mark.every_store
def test_who_answers_for_the_district_sees_what_it_is_asked_about_and_reads_only_what_was_written_to_it(
    house: House,
) -> None:
    case = open_case(house, "1", matter=ON_LIST, village=VILLAGE)
    unseen = [seen_by(house, who, case) for who in (COMMAND, LEADER, ANALYST)]

    act(house, CENTRE, "case.call-district", case=case, evidence="需要测绘。")

    assert unseen == [None, None, None]
    assert seen_by(house, COMMAND, case) is not None
    assert seen_by(house, LEADER, case) is not None
    assert seen_by(house, ANALYST, case) is None
    assert [one.text for one in Opening(house).written(COMMAND, case)] == ["需要测绘。"]
    with pytest.raises(Forbidden):
        Opening(house).words(COMMAND, case)
    assert rows(house.views, "launch_attempts") != []
    assert Questions(house.views.database, sights_of(ANALYST)).launch_attempts() == []


def test_a_case_that_is_handed_down_is_the_towns_again_and_its_bureau_is_free(house: House) -> None:
    case = open_case(house, "1", matter=ON_LIST, village=VILLAGE)
    act(house, CENTRE, "case.call-district", case=case)
    assert offered(house, COMMAND, case) == {"case.hand-down.v1", "case.recuse-department.v1"}

    answer = act(house, COMMAND, "case.hand-down", case=case, reason="镇里有能力处理。")

    assert answer.status == "accepted"
    assert row(house, "cases", case=case)["level"] == "town"
    assert row(house, "calls", call=district_call_of(case, 1))["phase"] == "released"
    assert not [name for name in timers(house.log) if district_call_of(case, 1) in name]
    assert rows(house.views, "board", case=case, owner="B07") == []
    assert "case.call-district.v1" in offered(house, CENTRE, case)
    settled(house.log)


def test_another_town_may_not_call_and_nobody_but_the_leader_may_waive(house: House) -> None:
    case = open_case(house, "1", matter=OFF_LIST, village=VILLAGE)

    with pytest.raises(Forbidden, match=f"town: expected {GAOCUN}"):
        act(house, user("command_centre", town=GAOCUN), "case.call-district", case=case)
    for who in (COMMAND, CENTRE, REVIEWER):
        with pytest.raises(Forbidden, match="expected the role district_leader"):
            act(house, who, "case.grant-launch-waiver", case=case, reason="x", bureau="B03")


def publish(house: House, since: date, **item: Any) -> Answer:
    items = [{"matter": OFF_LIST, "bureau": "B03", **item}]
    return act(
        house, COMMAND, "launch.publish", items=items, effective_from=since.isoformat(), citation="示例〔2026〕1号"
    )


def test_a_published_list_is_in_force_from_its_day_on_and_calls_cite_its_version(house: House) -> None:
    first, second = (open_case(house, f"{n}", matter=OFF_LIST, village=VILLAGE, reporter=f"r-{n}") for n in (1, 2))
    assert publish(house, date(2026, 11, 24), legal_basis="示例").status == "accepted"
    assert publish(house, date(2026, 11, 24), legal_basis="示例").facts == 0

    before = act(house, CENTRE, "case.call-district", case=first)
    pass_time(house, MONDAY_MORNING + timedelta(hours=16))
    after = act(house, CENTRE, "case.call-district", case=second)

    assert "version 0" in before.reason
    assert after.status == "accepted"
    assert row(house, "cases", case=second)["list_version"] == 1
    on_list = rows(house.views, "launch_attempts", case=second)
    assert [(one["outcome"], one["bureau"]) for one in on_list] == [("on_list", "B03")]


def test_a_list_that_names_what_the_district_has_not_is_not_published(house: House) -> None:
    refused = publish(house, date(2026, 11, 24), bureau="D16")

    assert refused.status == "rejected"
    assert "bureau: expected one of the district, found 'D16'" in refused.reason


def test_the_village_resolves_what_it_can_and_a_reviewer_and_the_reporter_end_it(house: House) -> None:
    case = open_case(house, "1", matter=IN_VILLAGE, village=VILLAGE, title="水渠塌了")
    assert row(house, "cases", case=case)["phase"] == "village_handling"
    waiting = Questions(house.views.database, sights_of(CLERK)).owing(house.clock.now(), ("village",))
    assert [(one["case"], one["owner"]) for one in waiting] == [(case, "village")]
    assert offered(house, CLERK, case) == {"case.resolve-in-village.v1", "case.escalate.v1"}
    assert [told.title for told in Opening(house).words(CLERK, case)] == ["水渠塌了"]

    words = {"account": "已组织村民清淤。", "reply": "水渠已修复。"}
    assert act(house, CLERK, "case.resolve-in-village", case=case, solved="yes", **words).status == "accepted"
    act(house, REVIEWER, "case.approve-result", case=case)
    report = rows(house.views, "reports", case=case)[0]["report"]
    act(house, FOLLOW_UP, "case.follow-up", case=case, report=report, contacted=True, solved=True)

    closed = row(house, "cases", case=case)
    assert (closed["phase"], closed["level"], closed["attempt"], closed["calls"]) == ("closed", "village", 0, 0)
    assert rows(house.views, "board", case=case, owner="village") == []
    (notice,) = rows(house.views, "notices", case=case)
    assert notice["phase"] == "drafted"
    assert not timers(house.log)


def test_what_a_village_lets_run_out_goes_up_at_its_due_time_and_is_called_for(house: House) -> None:
    case = open_case(house, "1", matter=IN_VILLAGE, village=VILLAGE)
    due = datetime.fromisoformat(row(house, "board", case=case, owner="village")["due"])

    pass_time(house, due)

    known = row(house, "cases", case=case)
    assert (known["phase"], known["level"], known["attempt"]) == ("calling", "town", 1)
    (went_up,) = rows(house.views, "timeline", case=case, what="case.escalated.v1")
    assert (went_up["detail"], went_up["at"]) == ("village_overdue", due.isoformat(timespec="microseconds"))
    assert rows(house.views, "board", case=case, owner="village") == []


def test_another_village_neither_sees_the_case_nor_acts_on_it(house: House) -> None:
    case = open_case(house, "1", matter=IN_VILLAGE, village=VILLAGE)
    other = user("village_clerk", town=LIUDU, village="445303100202")

    assert seen_by(house, other, case) is None
    with pytest.raises(Forbidden, match="village: expected 445303100202"):
        act(house, other, "case.escalate", case=case, reason="asked")
