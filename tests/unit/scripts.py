"""What was asked, when and under which rules: enough to play it again, and the same must come of it."""

from datetime import datetime

from events.catalog import CATALOG
from events.envelope import Request
from services.decisions import Rejected
from services.rules.book import RuleBook
from tests.unit.past import Past

EDGES_OF_TIME = (
    "2004-01-21 17:29",
    "2012-02-29 11:59",
    "2019-12-31 17:30",
    "2020-01-23 16:00",
    "2020-02-29 09:00",
    "2023-09-28 17:00",
    "2024-01-31 23:59",
    "2024-02-29 08:30",
    "2025-01-27 14:00",
    "2026-02-14 12:30",
    "2026-08-31 17:00",
    "2026-12-31 17:25",
)
"""Festival eves, leap days, make-up Saturdays, ends of months and years, and where the announced years end."""


class Script:
    """Requests as the log's timers and inbox would keep them: by their bytes."""

    def __init__(self) -> None:
        self._lines: list[tuple[bytes, datetime, RuleBook]] = []

    def play(self, past: Past, request: Request, now: datetime) -> str:
        """Play a request and write it down; gives why it was refused, if it was."""
        self._lines.append((CATALOG.encode_request(request), now, past.rules))
        return _play(past, request, now)

    def play_again(self, past: Past) -> None:
        """Play all of it on another past."""
        for written, now, rules in self._lines:
            past.rules = rules
            _play(past, CATALOG.decode_request(written), now)


def _play(past: Past, request: Request, now: datetime) -> str:
    try:
        past.play(request, now)
    except Rejected as rejected:
        return str(rejected)
    return ""
