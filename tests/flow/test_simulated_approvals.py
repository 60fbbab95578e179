"""The simulation plays roads to their end: opinions, a second round where one is needed, permits and traffic."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from services.simulation.service import simulation
from services.wiring import SERVICES, House
from tests.flow.township import all_facts, hand_in, rows, told

OpenHouse = Callable[..., House]
ROADS = 12


def played(open_house: OpenHouse, name: str, seed: int) -> House:
    house = open_house((*SERVICES, simulation(seed)), name=name)
    for nth in range(ROADS):
        fields = {"matter": "601", "reporter": f"village-{nth}", "time": house.clock.now() + timedelta(minutes=nth)}
        hand_in(house, f"road-{nth}", title="修路", text="想拓宽村道。", **fields)
    house.engine().run()
    house.views.catch_up(house.log)
    return house


def test_every_road_is_granted_and_opened_and_its_case_closed(open_house: OpenHouse) -> None:
    house = played(open_house, "once", seed=3)

    assert {found["phase"] for found in rows(house.views, "cases")} == {"closed"}
    reached = Counter(found["milestone"] for found in rows(house.views, "milestones") if found["reached_on"])
    milestones = ("project_approved", "permits_complete", "works_begun", "open_to_traffic")
    assert reached == dict.fromkeys(milestones, ROADS)
    outcomes = Counter(found["outcome"] for found in rows(house.views, "approval_rounds"))
    assert outcomes["approved"] == ROADS
    assert set(outcomes) == {"approved", "objected", "incomplete"}
    assert Counter(name for name, *_ in told(house.log))["approval.material-supplied.v1"] > 0
    assert house.parked() == 0


def test_the_same_seed_plays_the_same_opinions(open_house: OpenHouse) -> None:
    once, again = played(open_house, "once", seed=3), played(open_house, "again", seed=3)

    assert told(once.log) == told(again.log)
    assert len(all_facts(once.log)) > ROADS
