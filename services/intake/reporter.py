"""The reporter stream: what one pseudonym told lately, so that the same story is not opened as a new case."""

from datetime import datetime, timedelta

from msgspec import Struct

from events.reporter import ReporterReported
from services.rules.book import RuleBook

KEPT = timedelta(hours=72)
"""Longer than any window that asks, so that reports arriving out of order are still compared."""


class Reporter(Struct, frozen=True):
    """The recent reports of one pseudonym, oldest first as they arrived."""

    recent: tuple[ReporterReported, ...] = ()


def evolve(state: Reporter | None, fact: ReporterReported) -> Reporter:
    """Add a report and forget those too old to matter."""
    known = state.recent if state else ()
    return Reporter((*(old for old in known if old.reported_at > fact.reported_at - KEPT), fact))


def told_before(
    reporters: tuple[Reporter | None, ...], matter: str, village: str, reported_at: datetime, rules: RuleBook
) -> ReporterReported | None:
    """The report by which the same reporter told of the same matter in the same village, near enough in time.

    Reports may arrive out of order; without a village nobody can say that the place is the same.
    """
    if not village:
        return None
    window = reported_at - rules.duplicate_since(reported_at)
    for reporter in reporters:
        for old in reversed(reporter.recent if reporter else ()):
            if (old.matter, old.village) == (matter, village) and abs(old.reported_at - reported_at) <= window:
                return old
    return None
