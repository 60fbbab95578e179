"""An engine asks what it has to do without keeping anybody from writing, and passes over what concerns it not."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec import structs

from events.case import CaseOpened
from events.district import District
from services.command_centre.service import SERVICE as COMMAND_CENTRE
from services.decisions import Service
from services.disclosure.service import SERVICE as DISCLOSURE
from services.runtime.engine import BATCH_FACTS, Engine
from services.wiring import House
from tests.flow.township import all_facts, hand_in, submission

pytestmark = pytest.mark.every_store


def at_the_end_of_the_log(house: House, engine: Engine) -> None:
    """Have an engine do what there is to do."""
    while engine.step(house.clock.now()):
        pass
    assert engine.idle(house.clock.now())


def test_an_engine_that_no_new_fact_concerns_is_idle_while_somebody_writes(house: House) -> None:
    engine = house.engine_of("disclosure", DISCLOSURE)
    at_the_end_of_the_log(house, engine)
    hand_in(house, "r-1")

    with house.log.exclusive():
        idle = engine.idle(house.clock.now())

    assert idle


def test_where_an_engine_has_passed_over_facts_is_stored_once_nothing_more_comes(house: House) -> None:
    engine = house.engine_of("disclosure", DISCLOSURE)
    at_the_end_of_the_log(house, engine)
    hand_in(house, "r-1")

    before = house.position("disclosure")
    assert engine.idle(house.clock.now())
    while_more_may_come = house.position("disclosure")
    assert engine.idle(house.clock.now())

    assert before == while_more_may_come < house.log.head()
    assert house.position("disclosure") == house.log.head()


def test_where_an_engine_has_passed_over_many_facts_is_stored_at_once(house: House) -> None:
    engine = house.engine_of("disclosure", DISCLOSURE)
    at_the_end_of_the_log(house, engine)
    with house.ledger.batch() as batch:
        for n in range(BATCH_FACTS // 2):
            batch.decide(submission(house, f"r-{n}"))

    assert engine.idle(house.clock.now())

    assert house.position("disclosure") == house.log.head()


def test_what_an_engine_has_read_ahead_is_handled_once_with_what_came_meanwhile(house: House) -> None:
    engine = house.engine_of("command_centre", COMMAND_CENTRE)
    at_the_end_of_the_log(house, engine)
    reports = [hand_in(house, "r-0")]

    idle = engine.idle(house.clock.now())
    reports.append(hand_in(house, "r-1", reporter="resident-8"))
    at_the_end_of_the_log(house, engine)

    assert not idle
    opened = [recorded.fact.report for recorded in all_facts(house.log) if isinstance(recorded.fact, CaseOpened)]
    assert opened == reports


@pytest.mark.parametrize("reacting", [(), (DISCLOSURE,)])
def test_an_engine_with_nothing_to_do_knows_a_new_configuration_within_a_second(
    reacting: tuple[Service, ...], open_house: Callable[..., House], district: District
) -> None:
    house, elsewhere = open_house(), open_house()
    engine = house.engine_of("door", *reacting)
    at_the_end_of_the_log(house, engine)
    changed = structs.replace(district, note="one hotline more")

    elsewhere.configure(changed)
    later = house.clock.now() + timedelta(seconds=1)
    while not engine.idle(later):
        engine.step(later)

    assert house.ledger.rules.district == changed
