"""办理时限: durations as the configuration writes them, due times, and the steps of the ladder after them.

Source of the default profile: city hotline standards (2 h emergency, 24 h utilities, 7 d general, 15 d
complex); every figure is configuration.
"""

import re
from calendar import monthrange
from datetime import date, datetime, timedelta
from typing import Literal

from msgspec import Struct, structs

from events.case import Due
from services.rules.calendar import WorkingCalendar

Unit = Literal["min", "h", "wh", "wd", "d"]
_UNITS: dict[str, Unit] = {"min": "min", "h": "h", "wh": "wh", "wd": "wd", "d": "d"}
_FORM = re.compile(r"([1-9][0-9]{0,3})(min|h|wh|wd|d)")


class Duration(Struct, frozen=True):
    """An amount of wall time (``min``, ``h``, ``d``) or of working time (``wh``, ``wd``)."""

    amount: int
    unit: Unit

    @property
    def working(self) -> bool:
        """Whether it counts office time only."""
        return self.unit in ("wh", "wd")


def parse_duration(text: str) -> Duration:
    """Read ``15min``, ``2h``, ``4wh``, ``5wd`` or ``30d``.

    Raises:
        ValueError: naming what was expected and found.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"expected a duration such as 15min, 2h, 4wh, 5wd or 30d, found {text!r}")
    return Duration(int(match[1]), _UNITS[match[2]])


def comparable_days(duration: Duration) -> float:
    """A rough length in calendar days, to compare a promise with a statute."""
    match duration.unit:
        case "min":
            return duration.amount / 1440
        case "h":
            return duration.amount / 24
        case "wh":
            return duration.amount / 6.5 * 7 / 5
        case "wd":
            return duration.amount * 7 / 5
        case "d":
            return float(duration.amount)


def add_months(day: date, months: int) -> date:
    """The same day so many calendar months later; where there is none, the month's last (Civil Code, article 202)."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def due_by(calendar: WorkingCalendar, start: datetime, text: str, label: str) -> Due:
    """The due time of the duration ``text`` from ``start``, with the rule in words: ``U3 acknowledge 4wh``."""
    duration = parse_duration(text)
    match duration.unit:
        case "min":
            by = start + timedelta(minutes=duration.amount)
        case "h":
            by = start + timedelta(hours=duration.amount)
        case "d":
            by = start + timedelta(days=duration.amount)
        case "wh":
            by = calendar.add_working_time(start, duration.amount * 60)
        case "wd":
            by = calendar.add_working_days(start, duration.amount)
    return Due(by=by, rule=f"{label} {text}", provisional=duration.working and calendar.provisional(by))


_HALF = "half of "


def recounted(calendar: WorkingCalendar, start: datetime, told: Due) -> Due:
    """The due time that the rule of ``told`` gives from ``start`` by this calendar, if it is later; else ``told``.

    What somebody was told is extended and never shortened, whatever is announced after it.
    """
    label, _, text = told.rule.rpartition(" ")
    if not parse_duration(text).working:
        return told
    again = due_by(calendar, start, text, label.removeprefix(_HALF))
    if label.startswith(_HALF):
        again = half_of(calendar, start, again)
    return structs.replace(again, since=told.since) if again.by > told.by else told


def half_of(calendar: WorkingCalendar, start: datetime, due: Due) -> Due:
    """The due time at half of the clock that runs from ``start`` to ``due``, in the clock's own kind of time."""
    working = parse_duration(due.rule.rsplit(" ", 1)[-1]).working
    if working:
        by = calendar.add_working_time(start, calendar.working_minutes(start, due.by) / 2)
    else:
        by = start + (due.by - start) / 2
    provisional = working and calendar.provisional(by)
    return Due(by=by, rule=f"{_HALF}{due.rule}", provisional=provisional, since=due.since)


def after_due(calendar: WorkingCalendar, start: datetime, due: Due, share: float) -> datetime:
    """When ``share`` of the clock's length has passed beyond its due time, in the clock's own kind of time."""
    if parse_duration(due.rule.rsplit(" ", 1)[-1]).working:
        return calendar.add_working_time(due.by, share * calendar.working_minutes(start, due.by))
    return due.by + share * (due.by - start)
