"""Due times equal those of a slow, obvious second implementation: it walks minute by minute, by another calendar.

Nothing of the first one is used here: neither its table of days nor its office hours.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import chinese_calendar
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.rules.book import RuleBook
from services.rules.limits import after_due, due_by, half_of, recounted

SHANGHAI = ZoneInfo("Asia/Shanghai")
MINUTE = timedelta(minutes=1)
OPEN = {*range(8 * 60 + 30, 12 * 60), *range(14 * 60 + 30, 17 * 60 + 30)}
"""The minutes of a working day at which offices are open."""
CLOSES = time(17, 30)

MOMENTS = st.datetimes(datetime(2004, 1, 1), datetime(2026, 9, 1), timezones=st.just(SHANGHAI)).map(  # noqa: DTZ001  # hypothesis wants naive bounds
    lambda moment: moment.replace(second=0, microsecond=0)
)
FESTIVAL_EVES = st.sampled_from(
    [
        datetime(year, month, day, hour, minute, tzinfo=SHANGHAI)
        for year, month, day in (
            (2004, 1, 21),
            (2008, 2, 29),
            (2012, 2, 29),
            (2016, 2, 6),
            (2020, 1, 23),
            (2020, 1, 31),
            (2024, 2, 29),
            (2025, 1, 27),
            (2026, 2, 14),
            (2026, 9, 30),
        )
        for hour, minute in ((0, 0), (8, 30), (12, 0), (13, 0), (17, 29), (17, 30), (23, 59))
    ]
)
STARTS = st.one_of(MOMENTS, FESTIVAL_EVES)
WORKING = st.one_of(
    st.integers(1, 40).map(lambda amount: f"{amount}wh"), st.integers(1, 30).map(lambda amount: f"{amount}wd")
)
SHORT = st.one_of(
    st.integers(1, 16).map(lambda amount: f"{amount}wh"), st.integers(1, 6).map(lambda amount: f"{amount}wd")
)
"""Short enough to be counted minute by minute several times over."""
WALL = st.one_of(
    st.integers(1, 600).map(lambda amount: f"{amount}min"),
    st.integers(1, 100).map(lambda amount: f"{amount}h"),
    st.integers(1, 40).map(lambda amount: f"{amount}d"),
)
SHARES = st.sampled_from([0.25, 0.5, 1.0])


@cache
def opens_on(day: date) -> bool:
    return bool(chinese_calendar.is_workday(day))


def is_office_time(minute: datetime) -> bool:
    """Whether offices are open during the minute that begins then."""
    return minute.hour * 60 + minute.minute in OPEN and opens_on(minute.date())


def minutes_from(start: datetime) -> Iterator[datetime]:
    """Every minute from then on; a day without office hours at one go."""
    minute = start
    while True:
        if opens_on(minute.date()):
            yield minute
            minute += MINUTE
        else:
            minute = datetime.combine(minute.date() + timedelta(days=1), time(), SHANGHAI)


def after_minutes(start: datetime, amount: float) -> datetime:
    """When so many minutes of office time are over."""
    for minute in minutes_from(start):
        if is_office_time(minute):
            if amount <= 1:
                return minute + amount * MINUTE
            amount -= 1
    raise AssertionError("time does not end")


def after_days(start: datetime, amount: int) -> datetime:
    """When offices close on the last of so many working days, that of the start not counted."""
    day = start.date()
    while amount:
        day += timedelta(days=1)
        amount -= opens_on(day)
    return datetime.combine(day, CLOSES, SHANGHAI)


def counted(start: datetime, text: str) -> datetime:
    """The due time of a duration."""
    amount = int(text.rstrip("abcdefghijklmnopqrstuvwxyz"))
    match text.removeprefix(str(amount)):
        case "min":
            return start + amount * MINUTE
        case "h":
            return start + amount * 60 * MINUTE
        case "d":
            return start + amount * 24 * 60 * MINUTE
        case "wh":
            return after_minutes(start, amount * 60)
        case "wd":
            return after_days(start, amount)
    raise AssertionError(text)


def office_minutes(start: datetime, end: datetime) -> int:
    """How many minutes of office time lie between two moments."""
    return sum(is_office_time(start + n * MINUTE) for n in range((end - start) // MINUTE))


@given(start=STARTS, text=st.one_of(WORKING, WALL))
@example(start=datetime(2012, 2, 29, 17, 30, tzinfo=SHANGHAI), text="1wd")
@example(start=datetime(2020, 1, 23, 17, 0, tzinfo=SHANGHAI), text="1wh")
@settings(max_examples=150)
def test_a_due_time_is_that_of_counting(rules: RuleBook, start: datetime, text: str) -> None:
    due = due_by(rules.calendar, start, text, "label")

    assert due.by == counted(start, text)
    assert not due.provisional


@given(start=STARTS, text=SHORT)
def test_half_of_a_working_time_is_that_of_counting(rules: RuleBook, start: datetime, text: str) -> None:
    due = due_by(rules.calendar, start, text, "label")

    half = half_of(rules.calendar, start, due)

    minutes = office_minutes(start, counted(start, text))
    assert half.by == after_minutes(start, minutes / 2)


@given(start=STARTS, text=WALL)
def test_half_of_a_wall_time_is_that_of_counting(rules: RuleBook, start: datetime, text: str) -> None:
    half = half_of(rules.calendar, start, due_by(rules.calendar, start, text, "label"))

    assert half.by == start + (counted(start, text) - start) / 2


@given(start=STARTS, text=SHORT, share=SHARES)
def test_the_ladder_after_a_working_time_is_that_of_counting(
    rules: RuleBook, start: datetime, text: str, share: float
) -> None:
    due = due_by(rules.calendar, start, text, "label")

    told = after_due(rules.calendar, start, due, share)

    minutes = office_minutes(start, counted(start, text))
    assert abs(told - after_minutes(counted(start, text), share * minutes)) < timedelta(milliseconds=1)


@given(start=STARTS, text=WALL, share=SHARES)
def test_the_ladder_after_a_wall_time_is_that_of_counting(
    rules: RuleBook, start: datetime, text: str, share: float
) -> None:
    due = due_by(rules.calendar, start, text, "label")

    assert after_due(rules.calendar, start, due, share) == counted(start, text) + share * (counted(start, text) - start)


@given(start=STARTS, text=st.one_of(WORKING, WALL))
def test_counting_anew_by_the_same_calendar_changes_nothing(rules: RuleBook, start: datetime, text: str) -> None:
    due = due_by(rules.calendar, start, text, "label")
    half = half_of(rules.calendar, start, due)

    assert recounted(rules.calendar, start, due) is due
    assert recounted(rules.calendar, start, half) is half


def test_the_second_implementation_can_tell_a_wrong_calendar(rules: RuleBook) -> None:
    start = datetime(2020, 1, 23, 9, 0, tzinfo=SHANGHAI)
    as_first_announced = start + timedelta(days=9)

    assert counted(start, "1wd").date() != as_first_announced.date()
    with pytest.raises(NotImplementedError):
        opens_on(date(2027, 1, 1))
