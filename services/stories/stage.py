"""舞台: a district of its own on a virtual clock, in which a story has people report, act and wait.

Everybody acts as a user of the township, so that what a role may not do fails here as anywhere.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import count
from typing import Any

from msgspec import Struct
from sqlalchemy import text

from events.edge import ReportLine
from events.ids import case_of
from events.report import SubmitReport
from events.user import AddUser, Unit, UserRole
from services.acting import Acting
from services.people.user import User, user_id
from services.rules.book import RuleBook
from services.rules.calendar import SHANGHAI
from services.runtime.batch import Answer, Submission
from services.runtime.clock import VirtualClock
from services.runtime.district import find_district, load_district
from services.runtime.errors import HujiaoError
from services.runtime.places import Place
from services.wiring import House

DISTRICT = "yunan"
"""The stories play in the sample district."""

Tell = Callable[[datetime, str], None]
"""``(at, what)``: told as it happens."""


class Story(Struct, frozen=True):
    """One story: what it is about, and how it is played; its proof says what it has shown.

    ``page`` draws what came of it, in HTML that needs nothing beside it, where a story has such a page.
    """

    name: str
    about: str
    play: "Callable[[Stage], Proof]"
    page: "Callable[[Stage], str] | None" = None


class Proof(Struct, frozen=True):
    """What a story has shown, every figure counted in the log or the views."""

    @property
    def held(self) -> bool:
        """Whether it went as the story says that it goes."""
        raise NotImplementedError


class Handed(Struct, frozen=True):
    """What somebody has who reported: the receipt, and the case to which the report belongs."""

    receipt: str
    report: str
    case: str


class Stage:
    """One township for one story. Close the house when the story is over."""

    def __init__(self, where: Place, start: datetime, tell: Tell) -> None:
        self._clock = VirtualClock(start)
        self.house = House(where, self._clock)
        self.house.lock()
        self.house.remember("clock", "virtual")
        self.house.configure(load_district(find_district(DISTRICT)))
        self._acting = Acting(self.house)
        self._tell, self._told, self._records = tell, list[str](), count(1)

    @property
    def now(self) -> datetime:
        """The time in the story."""
        return self._clock.now()

    @property
    def rules(self) -> RuleBook:
        """The configuration in force."""
        return self.house.ledger.rules

    def town(self, name: str) -> str:
        """The code of a town by name or alias."""
        return self.rules.town_by_name[name].code

    def tell(self, what: str) -> None:
        """Say what has just happened."""
        self._told.append(what)
        self._tell(self.now, what)

    def wait_until(self, moment: datetime) -> None:
        """Let everything happen that is due by then."""
        self.house.engine().run(until=moment)
        self._clock.move(moment)
        self.house.settle()

    def seat(
        self,
        role: UserRole,
        town: str = "",
        department: str = "",
        village: str = "",
        platform: str = "",
        colleague: str = "",
    ) -> User:
        """Somebody in this role of this unit; the same seat is always the same user, a ``colleague`` another one."""
        parts = (role.replace("_", "-"), town, village, platform, department, colleague)
        name = ".".join(part for part in parts if part).lower()
        known = self.house.user(name)
        if known is not None:
            return known
        unit = Unit(town, village, platform, department)
        added = AddUser(user=user_id(name), name=name, person=name, roles=(role,), unit=unit)
        self._decide(Submission(f"story/{name}", added, "story"))
        found = self.house.user(name)
        assert found is not None, "who was added is there"
        return found

    def report(self, title: str, words: str, **fields: Any) -> Handed:
        """Somebody reports; everybody reacts at once."""
        record = str(next(self._records))
        line = ReportLine(id=record, time=self.now, title=title, text=words, **fields)
        submission = self.house.desk.submission(line, "story", self.rules, self.now)
        self._decide(submission)
        request = submission.request
        assert isinstance(request, SubmitReport), "the desk makes reports"
        found = self.ask('SELECT "case" FROM reports WHERE report = :report', report=request.report)
        return Handed(request.receipt, request.report, found[0]["case"] if found else case_of(request.report))

    def act(self, user: User, act: str, **fields: Any) -> Answer:
        """Somebody does something, by the act's wire name without its version; everybody reacts at once.

        Raises:
            HujiaoError: when it is rejected: the story does not go on as it is told.
        """
        answer = self.attempt(user, act, **fields)
        if answer.status == "rejected":
            raise HujiaoError(f"story: expected {act} of {user.name} to be accepted, found: {answer.reason}")
        return answer

    def attempt(self, user: User, act: str, **fields: Any) -> Answer:
        """The same for what may well be rejected."""
        asked = {"request": f"{act}.v1", **fields}
        return self._decide(self._acting.submission(user, asked, f"story-{next(self._records)}"))

    def ask(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """What a question to the views finds."""
        with self.house.views.database.reading() as connection:
            return [dict(row) for row in connection.execute(text(sql), values).mappings()]

    def happened(self, name: str, stream: str | None = None) -> list[Any]:
        """The facts of this wire name without its version, in order; of one stream or of all."""
        found = (
            self.house.log.stream(stream) if stream else [one for some in self.house.log.all_after() for one in some]
        )
        return [recorded.fact for recorded in found if recorded.name.startswith(f"{name}.v")]

    def told_anywhere(self, words: Sequence[str]) -> int:
        """How often any of these words stands in clear in a file of the township, or was told.

        The vault's file is looked through too: what is in it is encrypted.
        """
        files = [path.read_bytes() for path in self.house.folder.rglob("*") if path.is_file()]
        spoken = "\n".join(self._told).encode()
        return sum(content.count(word.encode()) for content in (*files, spoken) for word in words)

    def _decide(self, submission: Submission) -> Answer:
        answer = self.house.ledger.decide(submission)
        self.house.engine().run(until=self.now)
        self.house.settle()
        return answer


def in_shanghai(*when: int) -> datetime:
    """A moment by year, month, day, hour and minute of Asia/Shanghai."""
    return datetime(*when, tzinfo=SHANGHAI)  # type: ignore[misc,arg-type]  # five numbers at the most
