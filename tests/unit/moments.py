"""Times as people in Shanghai say them, for tests that count in office hours."""

from datetime import datetime

from services.rules.calendar import SHANGHAI


def at(text: str) -> datetime:
    """The aware moment of ``2026-11-23 09:00`` on a clock in Shanghai."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)
