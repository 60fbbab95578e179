"""A district's folder in which a holiday is amended while calls are open: from the file to the timers and the views."""

import shutil
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from events.call import AcknowledgeCall, CallClockMissed, CallDueExtended, ContactReporter, FileResult
from events.case import CaseDueExtended
from events.district import ConfigureDistrict, District
from events.ids import mobilisation_of
from events.mobilisation import OrderMobilisation, StandDown
from events.person import RegisterPerson
from services.people.person import person_id
from services.people.roster import rosters_of
from services.reasons import explain, reasons_of_dues
from services.rules.book import configuration_hash
from services.runtime import configuration
from services.runtime.batch import Submission
from services.runtime.clock import VirtualClock
from services.runtime.district import find_district, load_district
from services.wiring import House
from tests.conftest import Places
from tests.flow.township import act, all_facts, names, open_case, pass_time, react, row, rows, timers
from tests.unit.moments import at

pytestmark = pytest.mark.every_store

EVE = at("2020-01-23 17:00")
"""The last afternoon before the Spring Festival of 2020, which was prolonged on 27 January."""
TOLD, LATER = at("2020-01-31 12:00"), at("2020-02-03 12:00")
RESULT_TOLD, RESULT_LATER = at("2020-02-05 17:30"), at("2020-02-07 17:30")


@pytest.fixture
def first_announced(tmp_path: Path) -> District:
    """The sample district as its files stood before the 27th."""
    folder = shutil.copytree(find_district("yunan"), tmp_path / "yunan")
    file = folder / "calendar.toml"
    text = file.read_text(encoding="utf-8")
    before = text.replace("2020-01-31, ", "").replace("work = [", "work = [\n    2020-02-01,")
    assert before.count("2020-02-01") == 1
    file.write_text(before, encoding="utf-8")
    return load_district(folder)


@pytest.fixture
def house(place: Places, first_announced: District) -> Iterator[House]:
    """A township on the eve, with an open case of one department."""
    with House(place("data"), VirtualClock(EVE)) as opened:
        opened.configure(first_announced)
        open_case(opened, "1", matter="999")
        yield opened


def extensions(house: House) -> list[CallDueExtended]:
    return [recorded.fact for recorded in all_facts(house.log) if isinstance(recorded.fact, CallDueExtended)]


def missed(house: House) -> list[tuple[str, datetime]]:
    return [
        (recorded.fact.clock, recorded.meta.recorded_at)
        for recorded in all_facts(house.log)
        if isinstance(recorded.fact, CallClockMissed) and recorded.fact.clock != "contact"
    ]


def shown(house: House, view: str, column: str, **where: Any) -> datetime:
    return datetime.fromisoformat(row(house, view, **where)[column])


def test_loading_the_amended_files_extends_every_open_call_at_once(house: House, district: District) -> None:
    before = timers(house.log)
    assert shown(house, "legs", "acknowledge_due") == TOLD
    assert shown(house, "cases", "result_due") == RESULT_TOLD

    house.configure(district)
    house.views.catch_up(house.log)

    assert [(fact.clock, fact.was.by, fact.due.by) for fact in extensions(house)] == [
        ("acknowledge", TOLD, LATER),
        ("result", RESULT_TOLD, RESULT_LATER),
    ]
    moved = {name.rpartition(":")[2] for name, due in timers(house.log).items() if due != before[name]}
    assert moved == {"D01.acknowledge", "D01.result"}
    assert timers(house.log).keys() == before.keys()
    assert shown(house, "legs", "acknowledge_due") == LATER
    assert shown(house, "board", "due", owner="D01") == LATER
    for view in ("legs", "calls", "cases"):
        assert shown(house, view, "result_due") == RESULT_LATER
    assert shown(house, "board", "then_result", owner="D01") == RESULT_LATER
    assert sorted(line["detail"] for line in rows(house.views, "timeline", what="call.due-extended.v1")) == [
        "acknowledge 2020-02-03T04:00Z",
        "result 2020-02-07T09:30Z",
    ]


def test_what_cases_and_turn_outs_owe_is_extended_and_seen_too(
    place: Places, first_announced: District, district: District
) -> None:
    with House(place("data"), VirtualClock(EVE)) as house:
        house.configure(first_announced)
        at_work = open_case(house, "1", matter="999")
        at_village = open_case(house, "2", matter="101", reporter="resident-8")
        reviewed = open_case(house, "3", matter="999", reporter="resident-9")
        finish(house, reviewed)
        turn_out = stand_down(house, open_case(house, "4", matter="401", reporter="resident-10"))
        written_by = shown(house, "mobilisations", "review_due", mobilisation=turn_out)
        owners = {at_village: "village", reviewed: "command_centre"}

        def due(case: str) -> datetime:
            return shown(house, "board", "due", case=case, owner=owners[case])

        before = {case: due(case) for case in owners}

        house.configure(district)
        react(house)

        rules = house.ledger.rules
        assert due(at_village) == rules.village_due(EVE).by > before[at_village]
        assert due(reviewed) == rules.review_due("U3", EVE).by > before[reviewed]
        longer = shown(house, "mobilisations", "review_due", mobilisation=turn_out)
        assert longer == rules.turn_out_review_due(EVE).by > written_by
        (timer,) = [due for name, due in timers(house.log).items() if name.endswith(":village")]
        assert timer == round(due(at_village).timestamp() * 1_000_000)
        assert shown(house, "cases", "result_due", case=at_work) == RESULT_LATER
        assert told_longer(house) == {
            (at_work, "result"),
            (at_village, "result"),
            (at_village, "village"),
            (reviewed, "review"),
        }
        newest = [reason for reason in reasons_of_dues(house.log.stream(reviewed)) if reason.owes == "review"][-1]
        assert newest.by == due(reviewed)
        assert "审核期限由" in explain(house.log, house.log.stream(reviewed))[-1]["zh"]
        facts = len(all_facts(house.log))
        house.configure(district)
        react(house)
        assert len(all_facts(house.log)) == facts


def told_longer(house: House) -> set[tuple[str, str]]:
    return {
        (recorded.stream, recorded.fact.owes)
        for recorded in all_facts(house.log)
        if isinstance(recorded.fact, CaseDueExtended)
    }


def stand_down(house: House, case: str) -> str:
    """A turn-out of one person for a case, over at once."""
    town, number = row(house, "cases", case=case)["town"], "LD-D15-1"
    about: dict[str, Any] = {"employer": "单位", "town": town, "department": "D15", "since": date(2018, 1, 8)}
    act(house, RegisterPerson(person=person_id(number), number=number, name=number, by="区", **about))
    turn_out = mobilisation_of(case)
    scene: dict[str, Any] = {"mobilisation": turn_out, "rosters": rosters_of(town, house.ledger.rules), "by": "值班长"}
    act(house, OrderMobilisation(**scene, case=case, min_people=1))
    assert act(house, StandDown(**scene)).status == "accepted"
    return turn_out


def finish(house: House, case: str) -> None:
    """Its one department does its part at once."""
    leg = row(house, "legs", case=case)
    about: dict[str, Any] = {"call": leg["call"], "department": leg["department"], "by": "officer"}
    act(house, AcknowledgeCall(**about))
    act(house, ContactReporter(**about))
    assert act(house, FileResult(**about, case=case, solved="yes", account="x", reply="y")).status == "accepted"


def test_the_clocks_run_out_at_their_new_times_and_not_before(house: House, district: District) -> None:
    house.configure(district)

    pass_time(house, LATER - timedelta(microseconds=1))
    before = missed(house)
    pass_time(house, RESULT_LATER)

    assert before == []
    assert missed(house) == [("acknowledge", LATER), ("result", RESULT_LATER)]


def test_where_a_crash_left_the_calls_alone_each_clock_finds_out_by_itself(house: House, district: District) -> None:
    request = ConfigureDistrict(stream=configuration.STREAM, hash=configuration_hash(district), district=district)
    house.ledger.decide(Submission("configuration", request, "configuration", remembered=False))
    assert extensions(house) == []

    pass_time(house, TOLD)
    at_the_old_time = [fact.clock for fact in extensions(house)]
    pass_time(house, RESULT_LATER)

    assert at_the_old_time == ["acknowledge"]
    assert missed(house) == [("acknowledge", LATER), ("result", RESULT_LATER)]


def test_a_calendar_with_less_time_shortens_nothing_that_was_told(
    house: House, district: District, first_announced: District
) -> None:
    house.configure(district)
    told = timers(house.log)

    house.configure(first_announced)
    pass_time(house, LATER - timedelta(microseconds=1))

    assert timers(house.log).items() <= told.items()
    assert missed(house) == []
    assert len(extensions(house)) == 2


def test_the_same_files_again_and_files_with_the_same_calendar_ask_nobody(
    house: House, first_announced: District
) -> None:
    facts = len(all_facts(house.log))

    house.configure(first_announced)

    assert len(all_facts(house.log)) == facts


@pytest.mark.parametrize(("at_night", "told"), [("2026-12-02 22:00", []), ("2026-12-04 22:00", ["2027-01-01"])])
def test_loading_a_calendar_that_ends_soon_is_told_in_the_log(
    place: Places, district: District, at_night: str, told: list[str]
) -> None:
    structlog.reset_defaults()
    with House(place("other"), VirtualClock(at(at_night))) as other, capture_logs() as logged:
        other.configure(district)

    assert [line["provisional_from"] for line in logged if line["event"] == "calendar_ends"] == told


def test_it_is_explained_with_the_rule_and_both_times(house: House, district: District) -> None:
    house.configure(district)
    (call,) = {recorded.stream for recorded in all_facts(house.log) if recorded.name == "call.issued.v1"}

    said = explain(house.log, house.log.stream(call))
    reasons = reasons_of_dues(house.log.stream(call))

    assert said[-2]["zh"].endswith("签收期限由 2020-01-31 12:00 顺延至 2020-02-03 12:00（U3 acknowledge 4wh）。")
    assert "has until 2020-02-03 12:00 instead of 2020-01-31 12:00" in said[-2]["en"]
    newest = [reason for reason in reasons if reason.owes == "result"][-1]
    assert (newest.by, newest.since) == (RESULT_LATER, EVE)


def test_after_the_extension_the_log_is_whole_and_the_views_can_be_built_anew(house: House, district: District) -> None:
    house.configure(district)
    house.views.catch_up(house.log)
    before = house.views.digest()

    house.views.rebuild(house.log)

    assert house.views.digest() == before
    assert names(all_facts(house.log)).count("call.due-extended") == 2
