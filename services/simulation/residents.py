"""Plays residents: a feed of invented reports at a steady pace, for the demo and for measuring."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from events.edge import ReportLine
from events.report import Contact
from services.intake.desk import Desk
from services.rules.book import RuleBook
from services.runtime.engine import Answered, Due, Feed, NoFeed
from services.simulation.people import Dice
from services.simulation.words import demo_words

SOURCE = "demo"


def invented_reports(
    dice: Dice, rules: RuleBook, start: datetime, gap: timedelta, first: int = 0
) -> Iterator[ReportLine]:
    """Reports without end, one every ``gap`` on average, beginning with number ``first`` after ``start``."""
    words, villages = demo_words(), rules.district.villages
    at, n = start, first
    while True:
        about = str(n)
        at += gap * (0.3 + 1.4 * dice.share("gap", about))
        wording = words.wording[int(dice.share("wording", about) * len(words.wording))]
        village = villages[int(dice.share("village", about) * len(villages))]
        name = dice.choose(words.people.surnames, "surname", about) + dice.choose(words.people.given, "given", about)
        yield ReportLine(
            id=f"{n:06d}",
            time=at.astimezone(UTC),
            title=wording.title.format(village=village.zh),
            text=wording.text.format(village=village.zh),
            reporter=f"resident-{int(dice.share('resident', about) * 5000)}",
            channel=wording.channel,
            village=village.code,
            place=wording.place or None,
            appeal=wording.appeal,
            anonymous=wording.anonymous,
            contact=Contact(name=name),
        )
        n += 1


class Residents:
    """A feed that adds invented reports to whatever else comes in through ``others``."""

    def __init__(self, lines: Iterator[ReportLine], desk: Desk, rules: RuleBook, others: Feed | None = None) -> None:
        self._lines, self._desk, self._rules = lines, desk, rules
        self._others: Feed = others or NoFeed()
        self._next = next(lines, None)
        self._again: list[Due] = []
        self._taken: set[str] = set()
        self.receipts = 0

    def next_due(self) -> datetime | None:
        """When the next resident reports."""
        own = self._again[0][0] if self._again else self._next.time if self._next else None
        return min((at for at in (own, self._others.next_due()) if at is not None), default=None)

    def take(self, until: datetime, limit: int) -> list[Due]:
        """What residents report by ``until``, and what the others bring."""
        own, self._again = self._again[:limit], self._again[limit:]
        while self._next is not None and self._next.time <= until and len(own) < limit:
            submission = self._desk.submission(self._next, SOURCE, self._rules, until)
            self._taken.add(submission.source_id)
            own.append((self._next.time, submission))
            self._next = next(self._lines, None)
        return own + self._others.take(until, limit - len(own))

    def answered(self, answers: list[Answered]) -> None:
        """Residents need no answer; the others do."""
        others = [answered for answered in answers if answered[0].source_id not in self._taken]
        own = {answered[0].source_id for answered in answers} & self._taken
        self.receipts += len(own)
        self._taken -= own
        if others:
            self._others.answered(others)

    def give_back(self, taken: list[Due]) -> None:
        """Offer everything again."""
        self._again = [due for due in taken if due[1].source_id in self._taken] + self._again
        self._others.give_back([due for due in taken if due[1].source_id not in self._taken])
