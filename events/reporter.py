"""What one pseudonym reported lately, kept to recognise that somebody tells us the same thing again."""

from datetime import datetime

from events.envelope import Fact


class ReporterReported(Fact, frozen=True, kw_only=True):
    """Somebody reported on ``matter`` in ``village`` at ``reported_at`` (UTC); it went to ``case``."""

    report: str
    case: str
    matter: str
    village: str
    reported_at: datetime
