"""Sight: every question that is asked within it answers of its cases alone, the same from every database."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from projections.queries import Questions
from projections.sight import Sight
from services.wiring import House
from tests.flow.township import open_case, row

pytestmark = pytest.mark.every_store

LIUDU, GAOCUN = "445303100", "445303101"
IN_LIUDU, IN_GAOCUN = "445303100001", "445303101001"
ROADS, VIOLENCE, UNCLEAR = "602", "104", None
ASKED: dict[str, Callable[[Questions, House], list[Any]]] = {
    "board": lambda asked, house: asked.board(house.clock.now())["rows"],
    "recent": lambda asked, house: asked.recent(1000),
    "happened": lambda asked, house: asked.happened(0, house.log.head(), 1000),
    "cases": lambda asked, house: asked.cases(),
    "owing": lambda asked, house: asked.owing(house.clock.now(), ("acknowledge", "classify")),
}


@pytest.fixture
def cases(house: House) -> dict[str, str]:
    """An open and a confidential case and one in triage in one town, and an open one in another."""
    unclear = {"title": "嗯", "text": "不知道说什么好", "matter": UNCLEAR}
    return {
        "open": open_case(house, "1", village=IN_LIUDU, matter=ROADS),
        "confidential": open_case(house, "2", village=IN_LIUDU, matter=VIOLENCE, reporter="resident-8"),
        "triage": open_case(house, "3", village=IN_LIUDU, reporter="resident-9", **unclear),
        "elsewhere": open_case(house, "4", village=IN_GAOCUN, matter=ROADS, reporter="resident-10"),
    }


def seen(house: House, cases: dict[str, str], sights: Sequence[Sight] | None) -> dict[str, set[str]]:
    """Of which cases each question answers."""
    asked, names = Questions(house.views.database, sights), {case: name for name, case in cases.items()}
    found = {name: {names[one["case"]] for one in ask(asked, house)} for name, ask in ASKED.items()}
    return found | {"case": {name for name, case in cases.items() if asked.case(case) is not None}}


@pytest.mark.parametrize(
    ("sights", "expected"),
    [
        (None, {"open", "confidential", "triage", "elsewhere"}),
        ((), set()),
        ((Sight(),), {"open", "confidential", "triage", "elsewhere"}),
        ((Sight(confidential=False),), {"open", "elsewhere"}),
        ((Sight(town=LIUDU),), {"open", "confidential", "triage"}),
        ((Sight(town=LIUDU, village=IN_GAOCUN),), set()),
        ((Sight(village=IN_GAOCUN, confidential=False),), {"elsewhere"}),
        ((Sight(department="D32"),), {"open", "elsewhere"}),
        ((Sight(town=GAOCUN, department="D32"),), {"elsewhere"}),
        ((Sight(department="D05"),), {"confidential"}),
        ((Sight(department="D05", confidential=False),), set()),
        ((Sight(platform="P2"),), {"open", "confidential", "elsewhere"}),
        ((Sight(platform="P6", town=LIUDU),), {"open"}),
        ((Sight(town=GAOCUN), Sight(department="D05")), {"elsewhere", "confidential"}),
        ((Sight(town="' OR '1'='1"), Sight(department="x\x00")), set()),
    ],
)
def test_within_a_sight_every_question_answers_of_its_cases_alone(
    house: House, cases: dict[str, str], sights: Sequence[Sight] | None, expected: set[str]
) -> None:
    assert seen(house, cases, sights) == dict.fromkeys((*ASKED, "case"), expected)


def test_triage_shows_what_waits_within_the_sight(house: House, cases: dict[str, str]) -> None:
    of_liudu, of_gaocun = (Questions(house.views.database, (Sight(town=town),)).triage() for town in (LIUDU, GAOCUN))

    assert [found["case"] for found in of_liudu] == [cases["triage"]]
    assert of_gaocun == []


def test_what_a_department_owes_comes_with_how_far_it_has_come_the_latest_first(
    house: House, cases: dict[str, str]
) -> None:
    asked = Questions(house.views.database, (Sight(town=LIUDU, department="D32"),))

    now = asked.owing(house.clock.now(), (), "D32")
    later = asked.owing(house.clock.now() + timedelta(days=300), (), "D32")

    assert [(one["case"], one["progress"], one["late"]) for one in now] == [(cases["open"], "called", 0)]
    assert [one["late"] for one in later] == [1]
    assert now[0]["call"] == row(house, "legs", case=cases["open"], department="D32")["call"]


def test_the_board_counts_nothing_that_is_out_of_sight(house: House, cases: dict[str, str]) -> None:
    board = Questions(house.views.database, (Sight(town=LIUDU, confidential=False),)).board(house.clock.now())

    assert board["total"] == len(board["rows"]) == sum(group["total"] for group in board["groups"].values())
    assert {one["case"] for one in board["rows"]} == {cases["open"]}


def test_a_towns_night_tells_of_what_is_within_the_sight(house: House, cases: dict[str, str]) -> None:
    now = house.clock.now()
    asked = Questions(house.views.database, (Sight(town=LIUDU, confidential=False),))

    night = asked.night(LIUDU, now - timedelta(days=1), now, now + timedelta(days=300))
    before = asked.night(LIUDU, now - timedelta(days=2), now - timedelta(days=1), now - timedelta(days=1))
    elsewhere = asked.night(GAOCUN, now - timedelta(days=1), now, now + timedelta(days=300))

    assert {one["case"] for one in (*night["cases"], *night["due"])} == {cases["open"]}
    assert before == elsewhere == {"cases": [], "missed": [], "due": []}
    assert [one["due"] for one in night["due"]] == sorted(one["due"] for one in night["due"])


def test_what_happened_is_told_in_order_from_one_position_to_another(house: House, cases: dict[str, str]) -> None:
    asked = Questions(house.views.database)
    whole = [one["position"] for one in asked.happened(0, house.log.head(), 1000)]

    first = [one["position"] for one in asked.happened(0, house.log.head(), 3)]
    rest = [one["position"] for one in asked.happened(first[-1], house.log.head(), 1000)]

    assert whole == sorted(whole) == first + rest
    assert asked.happened(whole[0], whole[0], 1000) == []
