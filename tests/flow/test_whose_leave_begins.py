"""Whose leave or secondment begins on a scene counts there no longer, and others are called in their place."""

from datetime import date, timedelta
from typing import Any

import pytest

from events.ids import mobilisation_of
from events.mobilisation import ConfirmResponders, Muster, StandDown
from events.person import ApproveSecondment, ConsentToSecondment, RegisterPerson, RequestSecondment
from events.roster import GrantLeave
from services.people.person import midnight, person_id
from services.people.roster import roster_of, rosters_of
from services.wiring import House
from tests.flow.township import MONDAY_MORNING, act, names, open_case, pass_time, react, row, rows

STAFF = {"D15": 6, "D08": 6, "D16": 6, "D18": 2, "D06": 2}
"""The called departments' twenty, who are as many as are needed, and two of an office of the town."""


@pytest.fixture
def town(house: House) -> str:
    """A town of the district whose people are on its register."""
    town = next(iter(house.ledger.rules.villages.values())).town
    for department, many in STAFF.items():
        for n in range(1, many + 1):
            number = f"LD-{department}-{n}"
            about: dict[str, Any] = {"employer": "单位", "town": town, "since": date(2020, 1, 6), "by": "区"}
            act(
                house,
                RegisterPerson(person=person_id(number), number=number, name=number, department=department, **about),
            )
    return town


@pytest.fixture
def scene(house: House, town: str) -> dict[str, Any]:
    """A turn-out to which the called departments' twenty have come."""
    case = open_case(house, "1", matter="401", village=next(iter(house.ledger.rules.villages)))
    scene = {"mobilisation": mobilisation_of(case), "rosters": rosters_of(town, house.ledger.rules), "by": "值班长"}
    come = tuple(f"LD-{code}-{n}" for code, many in STAFF.items() for n in range(1, many + 1) if code != "D06")
    assert act(house, Muster(**scene, numbers=come)).status == "accepted"
    assert row(house, "mobilisations")["phase"] == "mustered"
    return scene


def called_more(house: House) -> list[str]:
    return sorted(line["number"] for line in rows(house.views, "responders", presence="called"))


def test_whose_leave_begins_counts_no_longer_and_the_shortfall_calls_others(
    house: House, town: str, scene: dict[str, Any]
) -> None:
    soon = MONDAY_MORNING + timedelta(hours=1)
    about: dict[str, Any] = {"roster": roster_of(town), "town": town, "by": "值班长"}
    granted = act(house, GrantLeave(**about, number="LD-D15-1", start=soon, end=soon + timedelta(hours=8)))
    assert granted.status == "accepted"
    before = row(house, "mobilisations")["mustered"], called_more(house)

    pass_time(house, soon)

    assert before == (20, [])
    assert row(house, "mobilisations")["mustered"] == 19
    assert row(house, "mobilisations")["phase"] == "short"
    assert row(house, "responders", number="LD-D15-1")["presence"] == "dropped"
    assert row(house, "roster", number="LD-D15-1")["mobilisation"] is None
    assert called_more(house) == ["LD-D06-1"]
    act(house, Muster(**scene, numbers=("LD-D06-1",)))
    assert (row(house, "mobilisations")["mustered"], row(house, "mobilisations")["phase"]) == (20, "mustered")


def test_whose_secondment_begins_counts_no_longer_and_the_shortfall_calls_others(
    house: House, scene: dict[str, Any]
) -> None:
    person, tomorrow = person_id("LD-D15-1"), MONDAY_MORNING.date() + timedelta(days=1)
    back = tomorrow + timedelta(days=30)
    act(house, RequestSecondment(person=person, to="区里", start=tomorrow, back=back, by="某部门"))
    act(house, ConsentToSecondment(person=person, by="镇党委"))
    assert act(house, ApproveSecondment(person=person, by="区人事")).status == "accepted"

    pass_time(house, midnight(tomorrow))

    assert row(house, "mobilisations")["mustered"] == 19
    assert called_more(house) == ["LD-D06-1"]


def test_after_it_was_stood_down_nobody_is_dropped_or_confirms(house: House, town: str, scene: dict[str, Any]) -> None:
    soon = MONDAY_MORNING + timedelta(hours=1)
    about: dict[str, Any] = {"roster": roster_of(town), "town": town, "by": "值班长"}
    act(house, GrantLeave(**about, number="LD-D15-1", start=soon, end=soon + timedelta(hours=8)))
    act(house, StandDown(**scene))

    confirmed = act(house, ConfirmResponders(**scene, department="D15", numbers=("LD-D15-2",)))
    pass_time(house, soon)

    assert confirmed.reason == "expected a turn-out that is under way, found it stood down"
    react(house)
    told = names(house.log.stream(scene["mobilisation"]))
    assert told[-1] == "mobilisation.stood-down"
    assert row(house, "mobilisations")["mustered"] == 20
