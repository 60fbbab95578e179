"""What operators see of who owes what: by town and owner, with what is late and what nobody has acknowledged."""

from datetime import timedelta
from typing import Any

from events.call import AcknowledgeCall
from projections.queries import Questions
from services.wiring import House
from tests.flow.township import MONDAY_MORNING, act, open_case, pass_time, rows


def owed(house: House, minutes: int) -> dict[str, dict[str, Any]]:
    found = Questions(house.views.database).owed(MONDAY_MORNING + timedelta(minutes=minutes))
    return {row["owner"]: row for row in found}


def test_a_call_waits_from_the_moment_at_which_its_department_was_called(house: House) -> None:
    open_case(house, "1")
    leg = rows(house.views, "legs", role="lead")[0]

    found = owed(house, minutes=7)[leg["department"]]

    assert found == {
        "town": leg["town"],
        "owner": leg["department"],
        "owed": 1,
        "overdue": 0,
        "unacknowledged_s": 7 * 60.0,
    }


def test_the_oldest_of_several_calls_counts(house: House) -> None:
    open_case(house, "1")
    pass_time(house, MONDAY_MORNING + timedelta(minutes=5))
    open_case(
        house, "2", reporter="resident-8", text="另一处路面塌陷。", village=house.ledger.rules.district.villages[1].code
    )
    department = rows(house.views, "legs", role="lead")[0]["department"]

    found = owed(house, minutes=9)[department]

    assert (found["owed"], found["unacknowledged_s"]) == (2, 9 * 60.0)


def test_whoever_acknowledged_owes_still_but_lets_nobody_wait(house: House) -> None:
    open_case(house, "1")
    leg = rows(house.views, "legs", role="lead")[0]

    act(house, AcknowledgeCall(call=leg["call"], department=leg["department"], by="张三"))

    found = owed(house, minutes=7)[leg["department"]]
    assert (found["owed"], found["unacknowledged_s"]) == (1, 0.0)


def test_what_is_past_its_due_time_is_late_before_anybody_has_recorded_it(house: House) -> None:
    open_case(house, "1")
    leg = rows(house.views, "legs", role="lead")[0]

    found = owed(house, minutes=60 * 24 * 30)[leg["department"]]

    assert found["overdue"] == 1
