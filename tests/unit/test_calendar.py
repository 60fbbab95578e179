"""Working time: days against an independent calendar, hours over gaps, and laws."""

from datetime import UTC, date, datetime, time, timedelta

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.rules.book import RuleBook
from services.rules.calendar import SHANGHAI, Unannounced, WorkingCalendar
from tests.unit.moments import at

DAY_MINUTES = 390
MOMENTS = st.datetimes(datetime(2010, 1, 1), datetime(2027, 6, 30), timezones=st.just(SHANGHAI))  # noqa: DTZ001  # hypothesis wants naive bounds
WHOLE_MINUTES = MOMENTS.map(lambda moment: moment.replace(second=0, microsecond=0))
AMOUNTS = st.integers(1, 20 * DAY_MINUTES)


@pytest.fixture(scope="module")
def calendar(rules: RuleBook) -> WorkingCalendar:
    return rules.calendar


KNOWN = sorted({day.year for day in chinese_calendar.constants.holidays})
"""The years of which the independent calendar knows the holidays."""


def test_both_calendars_know_the_same_years(rules: RuleBook) -> None:
    assert (rules.district.calendar.first_year, rules.district.calendar.last_year) == (KNOWN[0], KNOWN[-1])


@pytest.mark.parametrize("year", KNOWN)
def test_every_day_of_an_announced_year_is_a_working_day_exactly_when_the_state_council_says_so(
    calendar: WorkingCalendar, year: int
) -> None:
    days = [date(year, 1, 1) + timedelta(days=n) for n in range(366)]
    days = [day for day in days if day.year == year]

    wrong = [day for day in days if calendar.is_working_day(day) != chinese_calendar.is_workday(day)]

    assert not wrong


@pytest.mark.parametrize(
    ("start", "minutes", "end"),
    [
        pytest.param("2026-11-23 09:00", 60, "2026-11-23 10:00", id="within a morning"),
        pytest.param("2026-11-23 11:00", 60, "2026-11-23 12:00", id="up to the lunch gap"),
        pytest.param("2026-11-23 11:30", 60, "2026-11-23 15:00", id="over the lunch gap"),
        pytest.param("2026-11-23 13:00", 60, "2026-11-23 15:30", id="from inside the lunch gap"),
        pytest.param("2026-11-23 17:00", 60, "2026-11-24 09:00", id="over the night"),
        pytest.param("2026-11-23 22:00", 60, "2026-11-24 09:30", id="from the evening"),
        pytest.param("2026-11-23 06:00", 60, "2026-11-23 09:30", id="from before the office opens"),
        pytest.param("2026-11-23 08:30", DAY_MINUTES, "2026-11-23 17:30", id="a whole day ends with that day"),
        pytest.param("2026-11-27 17:00", 60, "2026-11-30 09:00", id="over a weekend"),
        pytest.param("2026-11-28 10:00", 60, "2026-11-30 09:30", id="from a Saturday"),
        pytest.param("2026-02-13 17:00", 60, "2026-02-14 09:00", id="into a make-up Saturday"),
        pytest.param("2026-02-28 10:00", 60, "2026-02-28 11:00", id="on a make-up Saturday"),
        pytest.param("2026-09-30 17:00", 60, "2026-10-08 09:00", id="over National Day"),
    ],
)
def test_working_hours_run_in_office_hours_only(calendar: WorkingCalendar, start: str, minutes: int, end: str) -> None:
    found = calendar.add_working_time(at(start), minutes)

    assert found == at(end)
    assert found.tzinfo is UTC


def test_the_spring_festival_of_2020_was_extended_to_the_second_of_february(calendar: WorkingCalendar) -> None:
    last_day_before = at("2020-01-23 17:00")

    an_hour_later = calendar.add_working_time(last_day_before, 60)

    assert an_hour_later == at("2020-02-03 09:00")


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        pytest.param("2026-11-23 09:00", 1, "2026-11-24 17:30", id="the start day is not counted"),
        pytest.param("2026-11-23 00:00", 1, "2026-11-24 17:30", id="not even from its first minute"),
        pytest.param("2026-11-23 23:59", 1, "2026-11-24 17:30", id="nor from its last"),
        pytest.param("2026-11-27 09:00", 1, "2026-11-30 17:30", id="from a Friday"),
        pytest.param("2026-11-28 09:00", 1, "2026-11-30 17:30", id="from a Saturday"),
        pytest.param("2026-11-23 09:00", 5, "2026-11-30 17:30", id="a week"),
        pytest.param("2026-02-13 09:00", 1, "2026-02-14 17:30", id="a make-up Saturday counts"),
        pytest.param("2026-02-14 09:00", 1, "2026-02-24 17:30", id="over the Spring Festival"),
        pytest.param("2020-01-23 09:00", 1, "2020-02-03 17:30", id="over the extended Spring Festival"),
    ],
)
def test_a_limit_in_working_days_ends_at_close_of_business(
    calendar: WorkingCalendar, start: str, days: int, end: str
) -> None:
    assert calendar.add_working_days(at(start), days) == at(end)


def test_the_day_of_the_event_is_shanghais_day_and_not_that_of_utc(calendar: WorkingCalendar) -> None:
    late_on_sunday_in_utc = datetime(2026, 11, 22, 16, 30, tzinfo=UTC)

    end = calendar.add_working_days(late_on_sunday_in_utc, 1)

    assert end == at("2026-11-24 17:30")


@pytest.mark.parametrize(
    ("moment", "provisional"),
    [
        ("2003-12-31 23:59", True),
        ("2004-01-01 00:00", False),
        ("2026-12-31 23:59", False),
        ("2027-01-01 00:00", True),
    ],
)
def test_what_is_due_outside_the_announced_years_is_provisional(
    calendar: WorkingCalendar, moment: str, provisional: bool
) -> None:
    assert calendar.provisional(at(moment)) is provisional


@pytest.mark.parametrize("day", [date(2003, 12, 31), date(2027, 1, 1), date(2027, 10, 1)])
def test_of_a_day_that_nobody_has_announced_it_does_not_say_whether_offices_open(
    calendar: WorkingCalendar, day: date
) -> None:
    with pytest.raises(Unannounced, match=f"expected a day of the announced years 2004 to 2026, found {day}"):
        calendar.is_working_day(day)


@pytest.mark.parametrize(
    ("now", "day"),
    [
        pytest.param("2026-11-23 09:00", None, id="twenty working days end before the new year"),
        pytest.param("2026-12-02 09:00", None, id="just so"),
        pytest.param("2026-12-04 09:00", date(2027, 1, 1), id="and here after it"),
        pytest.param("2027-03-01 09:00", date(2027, 1, 1), id="nobody has announced this year"),
    ],
)
def test_it_is_known_when_promises_begin_to_fall_into_a_year_that_is_not_announced(
    rules: RuleBook, now: str, day: date | None
) -> None:
    assert rules.unannounced_from(at(now)) == day


def test_beyond_the_announced_years_monday_to_friday_count(calendar: WorkingCalendar) -> None:
    the_day_before_a_holiday_nobody_announced = at("2027-09-30 17:00")

    an_hour_later = calendar.add_working_time(the_day_before_a_holiday_nobody_announced, 60)

    assert an_hour_later == at("2027-10-01 09:00")


@given(start=WHOLE_MINUTES, one=AMOUNTS, other=AMOUNTS)
def test_adding_one_stretch_and_then_another_equals_adding_both_at_once(
    rules: RuleBook, start: datetime, one: int, other: int
) -> None:
    calendar = rules.calendar

    in_two = calendar.add_working_time(calendar.add_working_time(start, one), other)

    assert in_two == calendar.add_working_time(start, one + other)


@given(start=MOMENTS, minutes=AMOUNTS)
def test_as_much_office_time_lies_between_start_and_result_as_was_added(
    rules: RuleBook, start: datetime, minutes: int
) -> None:
    end = rules.calendar.add_working_time(start, minutes)

    assert end > start
    assert rules.calendar.working_minutes(start, end) == pytest.approx(minutes, abs=1e-6)
    assert rules.calendar.working_minutes(end, start) == pytest.approx(-minutes, abs=1e-6)


@given(start=MOMENTS, minutes=AMOUNTS, days=st.integers(1, 60))
def test_a_result_is_always_inside_office_hours(rules: RuleBook, start: datetime, minutes: int, days: int) -> None:
    ends = [rules.calendar.add_working_time(start, minutes), rules.calendar.add_working_days(start, days)]

    for end in ends:
        local = end.astimezone(SHANGHAI)
        assert rules.calendar.counts(local.date())
        assert any(opens <= local.time() <= closes for opens, closes in rules.district.calendar.hours)


@given(start=MOMENTS, days=st.integers(1, 60))
def test_a_limit_in_days_ends_at_close_of_a_later_day_with_that_many_working_days_between(
    rules: RuleBook, start: datetime, days: int
) -> None:
    end = rules.calendar.add_working_days(start, days).astimezone(SHANGHAI)

    first, last = start.date(), end.date()
    counted = sum(rules.calendar.counts(first + timedelta(days=n)) for n in range(1, (last - first).days + 1))
    assert counted == days
    assert end.time() == time(17, 30)


@given(one=MOMENTS, later=st.timedeltas(timedelta(0), timedelta(days=60)), minutes=AMOUNTS)
def test_who_starts_later_is_never_due_earlier(rules: RuleBook, one: datetime, later: timedelta, minutes: int) -> None:
    assert rules.calendar.add_working_time(one, minutes) <= rules.calendar.add_working_time(one + later, minutes)
    assert rules.calendar.add_working_days(one, 5) <= rules.calendar.add_working_days(one + later, 5)
