"""工作日历: working time in Asia/Shanghai, with lunch gaps, public holidays and make-up workdays.

Counting rules: a limit in working days ends at close of business of its last working day, the day of the
event not counted (Civil Code, articles 201 and 203); working hours run only in office hours.
"""

from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from events.district import Calendar

SHANGHAI = ZoneInfo("Asia/Shanghai")
_OFFSET = timedelta(hours=8)
FIRST_KNOWN = 2000
YEARS_AHEAD = 20
SATURDAY = 5


class Unannounced(LookupError):
    """A day of a year whose holidays nobody has announced, or that the configuration does not have yet."""


class WorkingCalendar:
    """Adds and measures working time. Takes and gives aware times; results are UTC.

    Outside the announced years it counts Monday to Friday and says so through `provisional`; it does not say of any
    single day there whether offices will be open.
    """

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._slots = [(_minutes(start), _minutes(end)) for start, end in calendar.hours]
        self._per_day = sum(end - start for start, end in self._slots)

    @cached_property
    def _days(self) -> list[int]:
        rest = {day.toordinal() for day in self._calendar.rest}
        work = {day.toordinal() for day in self._calendar.work}
        first = date(min(FIRST_KNOWN, self._calendar.first_year), 1, 1).toordinal()
        last = date(self._calendar.last_year + YEARS_AHEAD, 12, 31).toordinal()
        return [
            day
            for day in range(first, last + 1)
            if day in work or (day not in rest and date.fromordinal(day).weekday() < SATURDAY)
        ]

    def is_working_day(self, day: date) -> bool:
        """Whether offices are open on ``day``.

        Raises:
            Unannounced: outside the announced years.
        """
        first, last = self._calendar.first_year, self._calendar.last_year
        if not first <= day.year <= last:
            raise Unannounced(f"expected a day of the announced years {first} to {last}, found {day}")
        return self.counts(day)

    def counts(self, day: date) -> bool:
        """Whether limits count ``day`` as a working day; outside the announced years Monday to Friday."""
        ordinal = day.toordinal()
        index = bisect_left(self._days, ordinal)
        return index < len(self._days) and self._days[index] == ordinal

    def provisional(self, at: datetime) -> bool:
        """Whether the calendar of that time's year is not announced, so that a due there may still move."""
        year = at.astimezone(SHANGHAI).year
        return not self._calendar.first_year <= year <= self._calendar.last_year

    def add_working_time(self, start: datetime, minutes: float) -> datetime:
        """The moment by which ``minutes`` of office time have passed since ``start``."""
        return self._moment(self._passed(start) + minutes)

    def add_working_days(self, start: datetime, days: int) -> datetime:
        """Close of business of the ``days``-th working day after the day of ``start``."""
        today = start.astimezone(SHANGHAI).date().toordinal()
        return self._moment((bisect_right(self._days, today) + days) * self._per_day)

    def working_minutes(self, start: datetime, end: datetime) -> float:
        """Minutes of office time between two moments; negative when ``end`` is before ``start``."""
        return self._passed(end) - self._passed(start)

    def night_before(self, day: date) -> tuple[datetime, datetime]:
        """From the close of business of the last working day before ``day`` to the hour at which offices open."""
        last = day - timedelta(days=1)
        while not self.counts(last):
            last -= timedelta(days=1)
        return self._at(last, self._slots[-1][1]), self._at(day, self._slots[0][0])

    def _at(self, day: date, minute: float) -> datetime:
        return (datetime.combine(day, time(), SHANGHAI) + timedelta(minutes=minute)).astimezone(UTC)

    def _passed(self, at: datetime) -> float:
        """Minutes of office time from the beginning of the table to ``at``."""
        local = at.astimezone(UTC) + _OFFSET
        ordinal = local.toordinal()
        index = bisect_left(self._days, ordinal)
        if index == len(self._days) or self._days[index] != ordinal:
            return index * self._per_day
        minute = local.hour * 60 + local.minute + local.second / 60 + local.microsecond / 60e6
        return index * self._per_day + sum(max(0.0, min(minute, end) - start) for start, end in self._slots)

    def _moment(self, passed: float) -> datetime:
        index, rest = divmod(passed, self._per_day)
        if rest == 0 and index > 0:
            index, rest = index - 1, float(self._per_day)
        day = date.fromordinal(self._days[int(index)])
        for start, end in self._slots:
            if rest <= end - start:
                return self._at(day, start + rest)
            rest -= end - start
        raise AssertionError("a day's office hours are used up before its minutes")


def _minutes(at: time) -> int:
    return at.hour * 60 + at.minute
