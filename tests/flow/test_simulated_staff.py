"""The simulation's people: each is registered once, and they come when they are called."""

from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from events.person import RegisterPerson
from services.decisions import Append, Handler, Service
from services.people.service import SERVICE as PEOPLE
from services.simulation.service import simulation
from services.wiring import SERVICES
from tests.conftest import OpenHouse
from tests.flow.township import all_facts, hand_in, names, rows

REPORTS = 4


@pytest.mark.parametrize("times", [1, 2])
def test_everybody_is_registered_once_however_many_turn_outs_and_starts_there_are(
    open_house: OpenHouse, times: int
) -> None:
    asked: Counter[str] = Counter()
    real = PEOPLE.handlers[RegisterPerson]

    def count(states: tuple[Any, ...], request: RegisterPerson, now: datetime, rules: Any) -> tuple[Append, ...]:
        asked[request.number] += 1
        return real.decide(states, request, now, rules)

    counting = Service(name="counting", handlers={RegisterPerson: Handler(real.streams, count)})
    for _ in range(times):
        house = open_house((*SERVICES, simulation(1), counting))
        for n in range(REPORTS):
            hand_in(house, f"{n}", matter="401", anonymous=True, reporter=None)
        house.engine().run()
        house.views.catch_up(house.log)
        house.close()

    house = open_house()
    registered = names(all_facts(house.log)).count("person.registered")
    assert asked.total() == len(asked) == registered > 100
    turn_outs = rows(house.views, "mobilisations")
    assert len(turn_outs) == REPORTS
    assert sum(turn_out["mustered"] > 0 for turn_out in turn_outs) > 0
