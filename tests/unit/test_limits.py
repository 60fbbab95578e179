"""Durations as they are written, due times of every handling class, and the ladder after them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.case import Due, LegPlan
from events.district import HandlingClass
from services.rules.book import RuleBook
from services.rules.limits import Duration, after_due, comparable_days, due_by, parse_duration
from tests.unit.moments import at

MONDAY = at("2026-11-23 09:00")
SATURDAY = at("2026-11-28 09:00")


@pytest.mark.parametrize(
    ("text", "duration", "working"),
    [
        ("15min", Duration(15, "min"), False),
        ("2h", Duration(2, "h"), False),
        ("4wh", Duration(4, "wh"), True),
        ("5wd", Duration(5, "wd"), True),
        ("30d", Duration(30, "d"), False),
        ("9999d", Duration(9999, "d"), False),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, duration: Duration, working: bool) -> None:
    found = parse_duration(text)

    assert found == duration
    assert found.working is working


@pytest.mark.parametrize("text", ["", "5", "h", "0h", "-1h", "1.5h", "5 wd", "5WD", "10000d", "5wd ", "五天", "٣h"])
def test_anything_else_is_refused_naming_what_was_expected_and_found(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration such as 15min") as refusal:
        parse_duration(text)

    assert f"found {text!r}" in str(refusal.value)


@pytest.mark.parametrize(
    ("shorter", "longer"),
    [("60min", "2h"), ("23h", "1d"), ("1wd", "2d"), ("7wd", "15wd"), ("15wd", "30d"), ("6wh", "2d")],
)
def test_lengths_compare_in_calendar_days(shorter: str, longer: str) -> None:
    assert comparable_days(parse_duration(shorter)) < comparable_days(parse_duration(longer))


@pytest.mark.parametrize(
    ("start", "text", "by"),
    [
        (SATURDAY, "15min", "2026-11-28 09:15"),
        (SATURDAY, "2h", "2026-11-28 11:00"),
        (SATURDAY, "30d", "2026-12-28 09:00"),
        (SATURDAY, "4wh", "2026-11-30 15:00"),
        (SATURDAY, "5wd", "2026-12-04 17:30"),
        (MONDAY, "4wh", "2026-11-23 15:30"),
        (MONDAY, "5wd", "2026-11-30 17:30"),
    ],
)
def test_a_due_time_runs_in_its_own_kind_of_time(rules: RuleBook, start: datetime, text: str, by: str) -> None:
    due = due_by(rules.calendar, start, text, "U3 acknowledge")

    assert due == Due(by=at(by), rule=f"U3 acknowledge {text}")


@pytest.mark.parametrize(("text", "provisional"), [("5wd", True), ("4wh", True), ("30d", False), ("2h", False)])
def test_only_working_time_is_provisional_while_next_years_calendar_is_not_announced(
    rules: RuleBook, text: str, provisional: bool
) -> None:
    last_evening_of_the_year = at("2026-12-31 17:25")

    due = due_by(rules.calendar, last_evening_of_the_year, text, "label")

    assert due.provisional is provisional


DUES: dict[HandlingClass, dict[str, str | None]] = {
    "U0": {"acknowledge": "2026-11-23 11:00", "arrive": None, "contact": None},
    "U1": {"acknowledge": "2026-11-23 09:15", "arrive": "2026-11-23 09:30", "contact": "2026-11-23 09:15"},
    "U2": {"acknowledge": "2026-11-23 10:00", "arrive": "2026-11-23 11:00", "contact": "2026-11-23 13:00"},
    "U3": {"acknowledge": "2026-11-23 15:30", "arrive": None, "contact": "2026-11-24 09:00"},
    "U4": {"acknowledge": "2026-11-24 17:30", "arrive": None, "contact": "2026-11-24 17:30"},
    "U5": {"acknowledge": "2026-11-24 17:30", "arrive": None, "contact": "2026-11-24 17:30"},
}
"""What the sample's limits make of Monday, nine o'clock, for a lead that is called to the spot."""

RULES: dict[HandlingClass, str] = {
    "U0": "U0 acknowledge 2wh",
    "U1": "U1 acknowledge 15min",
    "U2": "U2 acknowledge 1h",
    "U3": "U3 acknowledge 4wh",
    "U4": "U4 acknowledge 1wd",
    "U5": "U5 acknowledge 1wd",
}


@pytest.mark.parametrize("handling_class", DUES)
def test_each_handling_class_has_due_times_of_its_own(rules: RuleBook, handling_class: HandlingClass) -> None:
    on_the_spot = rules.matters["303"]
    result = Due(by=MONDAY + timedelta(days=9), rule="matter 303 promised 10wd")

    (lead,) = rules.legs(
        (LegPlan("D12", "lead", required=True),), on_the_spot, handling_class, result, MONDAY, contactable=True
    )

    found = {clock: due and due.by for clock in ("acknowledge", "arrive", "contact") for due in [lead.due(clock)]}
    assert found == {clock: by and at(by) for clock, by in DUES[handling_class].items()}
    assert lead.acknowledge.rule == RULES[handling_class]
    assert lead.due("result") == result


def test_only_the_lead_contacts_and_only_who_is_required_comes_to_the_spot(rules: RuleBook) -> None:
    plan = (
        LegPlan("D12", "lead", required=True),
        LegPlan("D13", "assist", required=True),
        LegPlan("D14", "assist"),
    )
    result = Due(by=MONDAY, rule="matter 301 promised 7wd")

    lead, required, other = rules.legs(plan, rules.matters["301"], "U2", result, MONDAY, contactable=True)

    assert (lead.contact and lead.contact.rule, required.contact, other.contact) == ("U2 contact 24h", None, None)
    assert lead.arrive == required.arrive == Due(by=MONDAY + timedelta(hours=2), rule="U2 arrive 2h")
    assert other.arrive is None


def test_nobody_is_to_contact_a_reporter_who_cannot_be_reached(rules: RuleBook) -> None:
    plan = (LegPlan("D12", "lead", required=True),)

    (lead,) = rules.legs(plan, rules.matters["301"], "U2", Due(by=MONDAY, rule="x 1h"), MONDAY, contactable=False)

    assert lead.contact is None


def test_a_matter_handled_at_the_desk_calls_nobody_to_the_spot(rules: RuleBook) -> None:
    plan = (LegPlan("D22", "lead", required=True),)

    (lead,) = rules.legs(plan, rules.matters["503"], "U2", Due(by=MONDAY, rule="x 1h"), MONDAY, contactable=True)

    assert lead.arrive is None


def test_a_matters_own_limit_goes_before_that_of_its_class(rules: RuleBook) -> None:
    forest_theft = rules.matters["405"]

    (lead,) = rules.legs(
        (LegPlan("D18", "lead", required=True),),
        forest_theft,
        "U1",
        Due(by=MONDAY, rule="x 1h"),
        MONDAY,
        contactable=True,
    )

    assert lead.arrive == Due(by=MONDAY + timedelta(hours=1), rule="U1 arrive 1h")
    assert rules.result_due(forest_theft, MONDAY).rule == "matter 405 promised 24h"


@pytest.mark.parametrize("share", [0.25, 0.5])
@pytest.mark.parametrize("length", [timedelta(minutes=15), timedelta(hours=24), timedelta(days=30)])
def test_the_ladder_of_a_clock_in_wall_time_goes_on_in_wall_time(
    rules: RuleBook, length: timedelta, share: float
) -> None:
    minutes = length // timedelta(minutes=1)
    due = due_by(rules.calendar, SATURDAY, f"{minutes}min" if minutes < 10_000 else "30d", "clock")

    told = after_due(rules.calendar, SATURDAY, due, share)

    assert told == SATURDAY + length * (1 + share)


@pytest.mark.parametrize(
    ("start", "text", "quarter", "half"),
    [
        pytest.param(MONDAY, "4wh", "2026-11-23 16:30", "2026-11-23 17:30", id="an hour and two after half past three"),
        pytest.param(at("2026-11-27 14:30"), "4wh", "2026-11-30 10:30", "2026-11-30 11:30", id="over a weekend"),
        pytest.param(at("2026-11-23 17:30"), "4wd", "2026-11-30 17:30", "2026-12-01 17:30", id="in working days"),
    ],
)
def test_the_ladder_of_a_clock_in_working_time_goes_on_in_working_time(
    rules: RuleBook, start: datetime, text: str, quarter: str, half: str
) -> None:
    due = due_by(rules.calendar, start, text, "clock")

    told = rules.escalations(start, due)

    assert told == (at(quarter), at(half))


def test_an_urgent_case_is_reviewed_within_hours_and_any_other_within_a_working_day(rules: RuleBook) -> None:
    dues = {handling_class: rules.review_due(handling_class, SATURDAY) for handling_class in DUES}

    urgent = Due(by=at("2026-11-28 13:00"), rule="urgent review 4h", since=SATURDAY)
    other = Due(by=at("2026-11-30 17:30"), rule="review 1wd", since=SATURDAY)
    assert dues["U1"] == dues["U2"] == urgent
    assert dues["U0"] == dues["U3"] == dues["U4"] == dues["U5"] == other


@pytest.mark.parametrize(
    ("due", "by"),
    [
        (lambda rules: rules.follow_up_due(MONDAY).by, "2026-11-26 17:30"),
        (lambda rules: rules.disclose_due(MONDAY).by, "2026-11-26 17:30"),
        (lambda rules: rules.anonymous_close(MONDAY), "2026-11-30 17:30"),
        (lambda rules: rules.duplicate_since(MONDAY), "2026-11-22 09:00"),
    ],
)
def test_the_periods_after_a_result_are_the_configured_ones(
    rules: RuleBook, due: Callable[[RuleBook], datetime], by: str
) -> None:
    assert due(rules) == at(by)


def test_the_most_exact_entry_answers_for_a_post_and_nobody_for_one_without_entry(rules: RuleBook) -> None:
    head, centre = (rules.on_duty(post, "445303100", "P4") for post in ("platform_head", "command_centre"))

    assert (head and head.person, centre and centre.person) == ("head-P4", "command-centre")
    assert rules.on_duty("platform_head", "445303100", "P9") is None


@given(
    start=st.datetimes(datetime(2015, 1, 1), datetime(2026, 6, 1), timezones=st.just(UTC)),  # noqa: DTZ001  # hypothesis wants naive bounds
    text=st.builds(
        lambda amount, unit: f"{amount}{unit}", st.integers(1, 60), st.sampled_from(["min", "h", "wh", "wd", "d"])
    ),
)
def test_what_is_due_comes_after_the_start_and_each_step_of_the_ladder_after_the_one_before(
    rules: RuleBook, start: datetime, text: str
) -> None:
    due = due_by(rules.calendar, start, text, "clock")

    platform_head, command_centre = rules.escalations(start, due)

    assert start < due.by < platform_head < command_centre
