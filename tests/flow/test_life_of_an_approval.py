"""The life of an approval, act by act: what is recorded, what the views say of it, and who is offered what."""

from datetime import date, timedelta
from typing import Any

import pytest

from events.approval import (
    DecideApproval,
    FileOpinion,
    OpenNextRound,
    Opinion,
    ReachMilestone,
    RequestMaterial,
    SupplyMaterial,
)
from events.envelope import Request
from events.ids import approval_of
from events.user import Unit, UserRole
from projections.queries import Questions
from services.history import case_as_of, facts_of_case
from services.offering import Offering
from services.people.user import User
from services.wiring import House
from services.written import open_written
from tests.flow.township import act, all_facts, names, open_case, pass_time, row, rows, settled, timers

pytestmark = pytest.mark.every_store
OTHERS = ("village-land", "agriculture", "forestry", "transport", "finance", "planning")
DAY = timedelta(days=1)


@pytest.fixture
def case(house: House) -> str:
    return open_case(house, "road", matter="601", title="修路", text="村道太窄，想拓宽。")


def do(house: House, case: str, kind: type[Request], **fields: Any) -> None:
    answer = act(house, kind(**{"approval": approval_of(case), "case": case, "by": "somebody", **fields}))
    assert answer.status == "accepted", answer.reason


def say(house: House, case: str, *items: str, opinion: Opinion = "agree", **fields: Any) -> None:
    for item in items:
        do(house, case, FileOpinion, item=item, opinion=opinion, **fields)


def acts_of(house: House, case: str, role: UserRole, department: str = "") -> set[tuple[str, str]]:
    """What somebody is offered about the approval, by act and what it is about."""
    town = row(house, "cases", case=case)["town"]
    user = User("somebody", "王小明", (role,), Unit(town=town, department=department))
    found = Questions(house.views.database).case(case)
    assert found is not None
    offered = Offering(house).possible(user, found)
    about = ("item", "decision", "milestone")
    return {
        (act["request"].removesuffix(".v1"), next((act[name] for name in about if name in act), ""))
        for act in offered
        if act["request"].startswith("approval.")
    }


def test_a_road_goes_through_two_rounds_to_its_permits(house: House, case: str) -> None:
    asked = rows(house.views, "approvals", case=case)
    assert len(asked) == 7
    assert {found["opinion"] for found in asked} == {None}
    do(house, case, RequestMaterial, item="land", pieces="勘测定界图")
    pass_time(house, house.clock.now() + DAY)
    do(house, case, SupplyMaterial, item="land")
    say(house, case, *OTHERS)
    say(house, case, "land", opinion="object", conditions="改线绕开基本农田")
    assert row(house, "approval_rounds", case=case)["outcome"] == "objected"

    do(house, case, ReachMilestone, milestone="project_approved", on=date(2026, 11, 24))
    do(house, case, OpenNextRound, remedied="已改线")
    say(house, case, "land", opinion="agree_with_conditions", conditions="施工避开汛期")
    say(house, case, "transport", opinion="object", conditions="桥梁限重", new_facts="桥梁新测为危桥。")
    assert row(house, "approvals", case=case, round=1, item="transport")["opinion"] == "object"
    do(house, case, OpenNextRound, remedied="桥梁已加固")
    say(house, case, "transport")
    do(house, case, DecideApproval, decision="granted")
    do(house, case, ReachMilestone, milestone="permits_complete", on=date(2026, 11, 24))

    land = row(house, "approvals", case=case, round=1, item="land")
    assert (land["opinion"], land["legal_basis"]) == ("object", "《中华人民共和国土地管理法》")
    assert None not in (land["material_requested_at"], land["material_supplied_at"], land["ceiling"])
    (again,) = rows(house.views, "approvals", case=case, round=2)
    assert (again["item"], again["department"], again["opinion"]) == ("land", "D16", "agree_with_conditions")
    second, third = (row(house, "approval_rounds", case=case, round=nth) for nth in (2, 3))
    assert (second["outcome"], second["items"]) == ("approved", 1)
    assert (third["outcome"], third["decision"], third["items"]) == ("approved", "granted", 1)
    reached = rows(house.views, "milestones", case=case)
    assert {found["milestone"]: bool(found["in_time"]) for found in reached} == {
        "project_approved": True,
        "permits_complete": True,
    }
    settled(house.log)


def test_who_says_nothing_is_missed_at_the_due_time_and_told_of_higher_up(house: House, case: str) -> None:
    say(house, case, *OTHERS)
    due = row(house, "approval_rounds", case=case)["due"]
    before = house.log.head()

    pass_time(house, house.clock.now() + 20 * DAY)

    told = [name for name in names(all_facts(house.log, before)) if name.startswith("approval.")]
    assert told == ["approval.opinion-missed", "approval.round-closed"]
    land = row(house, "approvals", case=case, item="land")
    assert (bool(land["missed"]), land["told_post"], land["told_person"]) == (True, "platform_head", "head-P4")
    assert (land["opinion"], land["due"]) == (None, due)
    refused = act(house, DecideApproval(approval=approval_of(case), case=case, by="D27-1", decision="granted"))
    assert refused.reason.startswith("expected every opinion, and no objection, found it incomplete")
    say(house, case, "land")
    assert row(house, "approvals", case=case, item="land")["late"]
    assert not [timer for timer in timers(house.log) if approval_of(case) in timer]


def test_the_timeline_and_the_past_tell_of_the_approval(house: House, case: str) -> None:
    say(house, case, "land", opinion="object", conditions="改线绕开基本农田")

    lines = [found for found in rows(house.views, "timeline", case=case) if found["what"].startswith("approval.")]
    assert [(found["what"], found["department"], found["detail"]) for found in lines] == [
        ("approval.round-opened.v1", None, "village-land land agriculture forestry transport finance planning"),
        ("approval.opinion-filed.v1", "D16", "land object"),
    ]
    facts = facts_of_case(house.log, case, house.log.head())
    past = {found["item"]: found["opinion"] for found in case_as_of(facts)["approvals"]}
    assert (past["land"], past["forestry"]) == ("object", None)


def test_what_was_written_stands_encrypted_and_opens_to_who_may(house: House, case: str) -> None:
    say(house, case, "land", opinion="object", conditions="改线绕开基本农田")

    facts = facts_of_case(house.log, case, house.log.head())
    written = open_written(facts, house.vault, "somebody", "case", house.clock.now())

    assert [one.text for one in written if one.what == "approval.opinion-filed.v1"] == ["改线绕开基本农田"]


def test_everybody_is_offered_what_is_theirs_to_do(house: House, case: str) -> None:
    filing, asking = ("approval.file-opinion", "land"), ("approval.request-material", "land")
    approved = ("approval.reach-milestone", "project_approved")
    assert acts_of(house, case, "department_officer", "D16") == {filing, asking}
    assert acts_of(house, case, "department_officer", "D27") == {approved}
    assert acts_of(house, case, "command_centre") == {approved}

    do(house, case, RequestMaterial, item="land", pieces="勘测定界图")
    assert acts_of(house, case, "department_officer", "D27") == {approved, ("approval.supply-material", "land")}

    say(house, case, *OTHERS)
    say(house, case, "land", opinion="object", conditions="改线")
    assert acts_of(house, case, "department_officer", "D16") == set()
    again, refuse = ("approval.open-next-round", ""), ("approval.decide", "refused")
    assert acts_of(house, case, "command_centre") == {approved, again, refuse}


def test_a_matter_without_a_template_has_no_approval(house: House) -> None:
    other = open_case(house, "pothole")

    assert rows(house.views, "approvals", case=other) == []
    assert acts_of(house, other, "command_centre") == set()
