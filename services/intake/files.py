"""The channel of files: report lines, one JSON object each, fed to the engine in the order of their times.

Lines are looked at twice: once to refuse what is no report and to learn the order, and again, one by one,
when their time has come; so a file of any size needs little memory.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, NamedTuple

from events.edge import ReportLine
from events.report import SubmitReport
from services.intake.desk import Desk
from services.intake.line import BadLine, check_line, placed_by_hash, read_line, unknown_fields
from services.rules.book import RuleBook
from services.runtime.batch import Submission
from services.runtime.engine import Answered, Due
from services.runtime.errors import Conflict, Erased, HujiaoError

MAX_LINE_BYTES = 128 * 1024 * 1024
DEFAULT_SOURCE = "import"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Refused(NamedTuple):
    """A line that was not taken, and why."""

    file: str
    line: int
    reason: str


class _Place(NamedTuple):
    """Where a valid line stands, in the order in which it is due."""

    microseconds: int
    source_id: str
    file: int
    offset: int
    line: int


class FileFeed:
    """A feed of files. Read `refused`, `unknown` and the counts when the engine has run.

    ``received_at`` is when the files were read: reports of the future are refused.
    """

    def __init__(
        self,
        paths: list[Path],
        desk: Desk,
        rules: Callable[[], RuleBook],
        received_at: datetime,
        source: str = DEFAULT_SOURCE,
        on_receipt: Callable[[str, str], None] = lambda source_id, receipt: None,
    ) -> None:
        self._paths, self._desk, self._rules = paths, desk, rules
        self._received_at, self._source, self._on_receipt = received_at, source, on_receipt
        self._places: deque[_Place] = deque()
        self._taken: dict[str, deque[_Place]] = {}
        self._again: deque[Due] = deque()
        self._open: dict[int, BinaryIO] = {}
        self.refused: list[Refused] = []
        self.unknown: Counter[str] = Counter()
        self.valid = self.repeated = self.receipts = 0

    def index(self, progress: Callable[[int], None] = lambda lines: None) -> None:
        """Look at every line once: refuse what is no report, and learn when each of the others is due."""
        places = []
        for number, path in enumerate(self._paths):
            for line_number, offset, raw in _lines(path):
                if raw is None:
                    reason = f"expected a line of at most {MAX_LINE_BYTES} bytes, found a longer one"
                    self.refused.append(Refused(path.name, line_number, reason))
                    continue
                try:
                    line = read_line(raw)
                    check_line(self._placed(line), self._rules(), self._received_at)
                    unknown = unknown_fields(raw)
                except BadLine as error:
                    self.refused.append(Refused(path.name, line_number, str(error)))
                    continue
                self.unknown += unknown
                microseconds = (line.time - _EPOCH) // timedelta(microseconds=1)
                source_id = f"{line.source or self._source}/{line.id}"
                places.append(_Place(microseconds, source_id, number, offset, line_number))
                progress(len(places))
        places.sort()
        self._places = deque(places)
        self.valid = len(places)

    @property
    def first(self) -> datetime | None:
        """When the first report is due."""
        return _moment(self._places[0]) if self._places else None

    @property
    def left(self) -> int:
        """How many lines have not been taken yet."""
        return len(self._places)

    def next_due(self) -> datetime | None:
        """When the next report is due."""
        if self._again:
            return self._again[0][0]
        return _moment(self._places[0]) if self._places else None

    def take(self, until: datetime, limit: int) -> list[Due]:
        """Reports due by ``until``, prepared for the ledger. A line that cannot be prepared is refused."""
        taken: list[Due] = []
        while self._again and self._again[0][0] <= until and len(taken) < limit:
            taken.append(self._again.popleft())
        bound = (until - _EPOCH) // timedelta(microseconds=1)
        while self._places and self._places[0].microseconds <= bound and len(taken) < limit:
            place = self._places.popleft()
            try:
                submission = self._submission(place)
            except (BadLine, Erased) as error:
                self._refuse(place, error)
                continue
            self._taken.setdefault(submission.source_id, deque()).append(place)
            taken.append((_moment(place), submission))
        return taken

    def answered(self, answers: list[Answered]) -> None:
        """Count the answers; a conflict or rejection refuses the line."""
        for submission, answer in answers:
            places = self._taken[submission.source_id]
            place = places.popleft()
            if not places:
                del self._taken[submission.source_id]
            if isinstance(answer, Conflict):
                self._refuse(place, answer)
            elif answer.status == "rejected":
                self._refuse(place, BadLine(answer.reason))
            else:
                self.receipts += 1
                self.repeated += answer.repeated
                assert isinstance(submission.request, SubmitReport), "a file holds nothing but reports"
                self._on_receipt(submission.source_id, submission.request.receipt)

    def give_back(self, taken: list[Due]) -> None:
        """Offer these again."""
        self._again.extendleft(reversed(taken))

    def close(self) -> None:
        """Close the files."""
        for file in self._open.values():
            file.close()
        self._open.clear()

    def _submission(self, place: _Place) -> Submission:
        file = self._open.get(place.file)
        if file is None:
            file = self._open[place.file] = self._paths[place.file].open("rb")
        file.seek(place.offset)
        line = self._placed(read_line(file.readline(MAX_LINE_BYTES)))
        folder = self._paths[place.file].parent
        return self._desk.submission(line, line.source or self._source, self._rules(), self._received_at, folder)

    def _placed(self, line: ReportLine) -> ReportLine:
        return placed_by_hash(line, self._rules().district.villages)

    def _refuse(self, place: _Place, error: HujiaoError) -> None:
        self.valid -= 1
        self.refused.append(Refused(self._paths[place.file].name, place.line, str(error)))


def _lines(path: Path) -> Iterator[tuple[int, int, bytes | None]]:
    """``(line number, offset, bytes)`` of every line that is not blank; ``None`` for one that is too long."""
    with path.open("rb") as file:
        number, offset = 0, 0
        while raw := file.readline(MAX_LINE_BYTES):
            number += 1
            at, offset = offset, file.tell()
            too_long = not raw.endswith(b"\n") and len(raw) == MAX_LINE_BYTES
            while too_long and (more := file.readline(MAX_LINE_BYTES)) and not more.endswith(b"\n"):
                pass
            offset = file.tell()
            if raw.strip():
                yield number, at, None if too_long else raw


def _moment(place: _Place) -> datetime:
    return _EPOCH + timedelta(microseconds=place.microseconds)
