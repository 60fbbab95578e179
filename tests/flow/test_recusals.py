"""回避 through a house: who is complained of finds nothing of the case, by whatever role they look or act."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from events.ids import mobilisation_of
from events.user import UserRole
from projections.queries import Questions
from services.acting import Acting
from services.offering import Offering
from services.opening import Opening
from services.people.authority import PAGES, Forbidden, sights_of
from services.wiring import House
from tests.flow.conftest import keep_roster
from tests.flow.test_levels import CENTRE, LIUDU, VILLAGE, act, offered, seen_by, user, works
from tests.flow.township import MONDAY_MORNING, open_case, rows

SEWAGE = "402"
LEAD, STANDS_IN = "D17", "D04"
OFFICER = user("department_officer", town=LIUDU, department=LEAD)
PLATFORM = "P6"
"""Of the road office, which leads what becomes of a damaged road."""
LOOKING: tuple[UserRole, ...] = PAGES["board"]


SINCE, UNTIL = MONDAY_MORNING - timedelta(hours=1), MONDAY_MORNING + timedelta(days=60)
ASKED_ABOUT = {"case", "turn out", "recent", "happened", "cases", "board", "attempts", "turn outs", "night"}
"""By which questions everybody whose case it is hears of it."""


def told(house: House, case: str, role: UserRole, department: str) -> Iterator[str]:
    """Every question by which somebody of a department hears of a case."""
    one = user(role, town=LIUDU, village=VILLAGE, platform=PLATFORM, department=department)
    seen = Questions(house.views.database, sights_of(one))
    found = seen.case(case)
    yield from ["case"] if found else []
    yield from ["turn out"] if seen.turn_out(case) else []
    for name, answer in {
        "recent": seen.recent(1000),
        "happened": seen.happened(0, house.log.head(), 1000),
        "cases": seen.cases(limit=1000),
        "triage": seen.triage(),
        "owing": seen.owing(house.clock.now(), ("acknowledge", "result", "review", "village"), limit=1000),
        "inbox": seen.owing(house.clock.now(), (), department, limit=1000),
        "board": seen.board(house.clock.now(), limit=1000)["rows"],
        "attempts": seen.launch_attempts(),
        "turn outs": seen.turn_outs(),
        "night": [row for part in seen.night(LIUDU, SINCE, UNTIL, UNTIL).values() for row in part],
    }.items():
        yield from [name] if any(row["case"] == case for row in answer) else []


@pytest.mark.parametrize("role", LOOKING)
def test_nobody_of_the_department_hears_of_the_case_in_any_role_and_others_do(house: House, role: UserRole) -> None:
    keep_roster(house)
    case = open_case(house, "1", matter="602", village=VILLAGE)
    lead = house.ledger.rules.matter("602").lead
    act(house, CENTRE, "mobilisation.order", case=case, min_people=1)
    act(house, CENTRE, "case.call-district", case=case)
    before = set(told(house, case, role, lead))
    assert act(house, CENTRE, "case.recuse-department", case=case, department=lead).status == "accepted"

    own = {"inbox", "owing"} if role == "department_officer" else {"owing"}
    assert before >= ASKED_ABOUT | own
    assert set(told(house, case, role, lead)) == set()
    stands_in = STANDS_IN if role == "department_officer" else "D30"
    assert set(told(house, case, role, stands_in)) >= ASKED_ABOUT


def test_nor_do_they_while_nobody_has_decided_whether_the_report_is_about_them(house: House) -> None:
    case = open_case(house, "1", matter="602", village=VILLAGE, complained_of=("D32",))
    clerk = user("intake_clerk", town=LIUDU)
    hers = user("intake_clerk", town=LIUDU, department="D32")

    assert [(row["department"], row["ground"]) for row in rows(house.views, "recusals", case=case)] == [
        ("D32", "named")
    ]
    assert seen_by(house, hers, case) is None
    assert seen_by(house, clerk, case) is not None
    with pytest.raises(Forbidden):
        Acting(house).submission(hers, {"request": "case.classify.v1", "case": case, "matter": "602"}, "1")
    act(house, clerk, "case.classify", case=case, matter="602")
    assert seen_by(house, hers, case) is not None, "the clerk decided that it is no complaint about them"


def test_whoever_stood_in_handles_the_case_to_its_result_and_the_first_calls_are_over(house: House) -> None:
    case = open_case(house, "1", matter=SEWAGE, village=VILLAGE)
    assert seen_by(house, OFFICER, case) is not None
    assert "case.recuse-department.v1" in offered(house, CENTRE, case)
    act(house, CENTRE, "case.recuse-department", case=case, department=LEAD)

    legs = [leg for leg in rows(house.views, "legs", case=case) if leg["progress"] != "released"]
    assert {leg["department"] for leg in legs} == {STANDS_IN, "D15", "D19", "D08"}
    for leg in sorted(legs, key=lambda leg: leg["role"] == "lead"):
        works(house, case, leg["call"], leg["department"], lead=leg["role"] == "lead")
    found = seen_by(house, CENTRE, case)
    assert found is not None
    assert found["case"]["phase"] == "in_review"
    assert {leg["progress"] for leg in found["legs"] if leg["department"] == LEAD} == {"released"}
    assert [row["department"] for row in found["recusals"]] == [LEAD]


def test_what_was_theirs_to_do_and_to_read_is_theirs_no_longer(house: House) -> None:
    keep_roster(house)
    case = open_case(house, "1", matter=SEWAGE, village=VILLAGE)
    act(house, CENTRE, "mobilisation.order", case=case, min_people=1)
    call = next(leg["call"] for leg in rows(house.views, "legs", case=case) if leg["department"] == LEAD)
    act(house, OFFICER, "call.acknowledge", call=call, department=LEAD)
    assert Opening(house).words(OFFICER, case)
    act(house, CENTRE, "case.recuse-department", case=case, department=LEAD)

    refused = "case: expected one that the user may see, found none"
    with pytest.raises(Forbidden, match=refused):
        Opening(house).words(OFFICER, case)
    with pytest.raises(Forbidden, match=refused):
        Opening(house).written(OFFICER, case)
    reviewer = user("reviewer", town=LIUDU, department=LEAD)
    head = user("platform_head", town=LIUDU, platform="P4", department=LEAD)
    for who, asked in (
        (OFFICER, {"request": "call.note.v1", "call": call, "department": LEAD, "note": "x"}),
        (reviewer, {"request": "case.approve-result.v1", "case": case}),
        (head, {"request": "mobilisation.stand-down.v1", "mobilisation": mobilisation_of(case)}),
    ):
        with pytest.raises(Forbidden, match=refused):
            Acting(house).submission(who, asked, "1")
    assert Offering(house).possible(reviewer, {"case": {"case": case}, "reports": (), "legs": ()}) == []
