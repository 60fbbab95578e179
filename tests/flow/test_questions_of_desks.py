"""What the desks of launch list, muster and secondments are told, the same from every database."""

from datetime import date
from typing import Any

import pytest

from events.case import CallDistrict
from events.envelope import Request
from events.ids import mobilisation_of
from events.mobilisation import ConfirmResponders, DeclineResponder, Muster, OrderMobilisation, StandDown
from events.person import ConsentToSecondment, RefuseSecondment, RegisterPerson, RequestSecondment
from projections.queries import Questions
from projections.sight import Sight
from services.people.person import person_id
from services.people.roster import rosters_of
from services.wiring import House
from tests.flow.township import act, open_case

pytestmark = pytest.mark.every_store

LIUDU, GAOCUN = "445303100", "445303101"
IN_LIUDU, IN_GAOCUN = "445303100001", "445303101001"
NOISE, ROADS = "203", "602"
PEOPLE = ("LD-D32-1", "LD-D32-2", "LD-D32-3", "LD-D09-1")


def do(house: House, kind: type[Request], **fields: Any) -> None:
    answer = act(house, kind(**{"by": "somebody", **fields}))
    assert answer.status == "accepted", answer.reason
    house.views.catch_up(house.log)


def refused(house: House, record: str, village: str, matter: str, reporter: str) -> None:
    case = open_case(house, record, village=village, matter=matter, reporter=reporter)
    assert act(house, CallDistrict(case=case, nth=1, by="centre")).status == "rejected"
    house.views.catch_up(house.log)


def staffed(house: House) -> None:
    for number in PEOPLE:
        place: dict[str, Any] = {"employer": "六都镇", "town": LIUDU, "department": number[3:6]}
        since = date(2020, 1, 6)
        do(house, RegisterPerson, person=person_id(number), number=number, name="李敏", since=since, **place)


def test_refusals_are_counted_by_matter_town_and_ground_within_the_sight(house: House) -> None:
    refused(house, "1", IN_LIUDU, NOISE, "resident-1")
    refused(house, "2", IN_LIUDU, NOISE, "resident-2")
    refused(house, "3", IN_GAOCUN, ROADS, "resident-3")

    everywhere = Questions(house.views.database).refused_launches()
    of_gaocun = Questions(house.views.database, (Sight(town=GAOCUN),)).refused_launches()

    assert [(one["matter"], one["town"], one["ground"], one["times"]) for one in everywhere] == [
        (NOISE, LIUDU, "not_on_list", 2),
        (ROADS, GAOCUN, "no_condition", 1),
    ]
    assert [one["matter"] for one in of_gaocun] == [ROADS]


def test_turn_outs_under_way_are_counted_by_department_within_the_sight(house: House) -> None:
    staffed(house)
    case = open_case(house, "1", village=IN_LIUDU, matter=ROADS)
    about: dict[str, Any] = {"mobilisation": mobilisation_of(case), "rosters": rosters_of(LIUDU, house.ledger.rules)}
    do(house, OrderMobilisation, **about, case=case, min_people=3)
    do(house, ConfirmResponders, **about, department="D32", numbers=("LD-D32-1", "LD-D32-2"))
    do(house, DeclineResponder, **about, department="D32", number="LD-D32-3", ground="ill")
    do(house, Muster, **about, numbers=("LD-D32-1", "LD-D09-1"))

    (found,) = Questions(house.views.database, (Sight(town=LIUDU),)).turn_outs()

    assert (found["case"], found["mustered"], found["min_people"], found["confirmed"]) == (case, 2, 3, 2)
    counts = ("department", "called", "coming", "present", "gone")
    assert [tuple(one[count] for count in counts) for one in found["departments"]] == [
        ("D09", 1, 0, 1, 0),
        ("D32", 3, 1, 1, 1),
    ]
    assert Questions(house.views.database, (Sight(town=GAOCUN),)).turn_outs() == []
    do(house, StandDown, **about)
    assert Questions(house.views.database).turn_outs() == []
    assert (Questions(house.views.database).turn_out(case) or {})["departments"] == found["departments"]


def test_the_steps_of_secondments_are_told_person_by_person_of_a_town(house: House) -> None:
    staffed(house)
    today = house.clock.now().date()
    for number in PEOPLE[:2]:
        days = {"start": today.replace(day=28), "back": today.replace(year=today.year + 1, month=1)}
        do(house, RequestSecondment, person=person_id(number), to="区城管局", **days)
    do(house, ConsentToSecondment, person=person_id(PEOPLE[0]), by="镇党委")
    do(house, RefuseSecondment, person=person_id(PEOPLE[1]), ground="unsuitable")

    found = Questions(house.views.database).secondments(LIUDU)

    steps = {number: [one for one in found if one["number"] == number] for number in PEOPLE[:2]}
    assert [(one["step"], one["who"]) for one in steps[PEOPLE[0]]] == [
        ("requested", "somebody"),
        ("consented", "镇党委"),
    ]
    assert [(one["step"], one["before"], one["ground"]) for one in steps[PEOPLE[1]]] == [
        ("requested", None, None),
        ("refused", "consent", "unsuitable"),
    ]
    assert Questions(house.views.database).secondments(GAOCUN) == []
