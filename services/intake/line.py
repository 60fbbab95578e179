"""Reads and checks the report line, which is the same on every transport: alone, in a file, or in a CloudEvent."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

import msgspec
from msgspec import structs

from events.carried import edge_of
from events.cloudevents import BadEvent, CloudEvent
from events.district import Village
from events.edge import ReportLine
from services.rules.book import RuleBook
from services.runtime.district import RESERVED
from services.runtime.errors import HujiaoError

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)
"""How far a sender's clock may run ahead of ours."""


class BadLine(HujiaoError):
    """A report that cannot be taken as it is. The text names the field, what was expected and what was found."""


_DECODER = msgspec.json.Decoder(ReportLine)
_SUBMITTED = {"report.submit.v1": ReportLine}
_FIELDS = frozenset(ReportLine.__struct_fields__)
_NOT_OURS = frozenset(["label", "reply", "replied", "support", "against", "kind", "transfers", "reply_days"])


def read_line(raw: bytes) -> ReportLine:
    """The report in one line of JSON.

    Raises:
        BadLine: for anything else.
    """
    try:
        return _DECODER.decode(raw)
    except msgspec.ValidationError as error:
        raise BadLine(f"{error}") from error
    except msgspec.DecodeError as error:
        raise BadLine(f"expected one JSON object, found something else: {error}") from error
    except RecursionError as error:
        raise BadLine("expected one JSON object, found brackets nested too deeply") from error
    except UnicodeError as error:
        raise BadLine(f"expected UTF-8, found other bytes: {error}") from error


def read_placed_line(raw: bytes) -> ReportLine:
    """As `read_line`, for channels whose senders must say where.

    Raises:
        BadLine: also when neither village nor town is named.
    """
    return placed(read_line(raw))


def read_event(event: CloudEvent, completed: Callable[[ReportLine], ReportLine] = lambda line: line) -> ReportLine:
    """The report in a CloudEvent of type ``report.submit.v1``, whose sender must say where.

    The event's own ``source`` and ``id`` are not the report's: these stand in the line. ``completed`` adds what is
    known of its sender.

    Raises:
        BadLine: for anything else.
    """
    try:
        return placed(completed(edge_of(event, _SUBMITTED)))
    except BadEvent as error:
        raise BadLine(f"{error}") from error


def placed(line: ReportLine) -> ReportLine:
    """A line whose sender said where, under a name of its own.

    Raises:
        BadLine: for another.
    """
    if line.source in RESERVED:
        raise BadLine(f"source: expected the sender's own name, found {line.source!r}, which is one of ours")
    if line.village is None and line.town is None:
        raise BadLine("village: expected a village or a town of the district, found neither")
    return line


def placed_by_hash(line: ReportLine, villages: Sequence[Village]) -> ReportLine:
    """A line without a place gets a village by a stable hash of its reporter, or of its own id."""
    if line.village or line.town:
        return line
    digest = blake2b((line.reporter or line.id).encode(), digest_size=8).digest()
    return structs.replace(line, village=villages[int.from_bytes(digest) % len(villages)].code)


def unknown_fields(raw: bytes) -> Counter[str]:
    """Which fields of a valid line we do not know, so that a sender's misspelling is noticed.

    Raises:
        BadLine: when the name of a field is no text.
    """
    try:
        fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadLine(f"expected the names of fields in UTF-8, found something else: {error}") from error
    return Counter(fields.keys() - _FIELDS - _NOT_OURS)


def check_line(line: ReportLine, rules: RuleBook, received_at: datetime) -> None:
    """What only the configuration and the time of receipt can tell.

    Raises:
        BadLine: naming the field, what was expected and found.
    """
    if line.time.tzinfo is None:
        raise BadLine(f"time: expected an offset such as +08:00, found none in {line.time.isoformat()}")
    if not EARLIEST <= line.time <= received_at + AHEAD:
        raise BadLine(
            f"time: expected between {EARLIEST.date()} and {(received_at + AHEAD).date()}, "
            f"found {line.time.isoformat()}"
        )
    if line.town is not None and line.town not in rules.town_by_name:
        raise BadLine(f"town: expected one of {', '.join(sorted(rules.towns))}, found {line.town!r}")
    if line.village is not None and line.village not in rules.villages:
        raise BadLine(f"village: expected the statistics code of a village of the district, found {line.village!r}")
    if line.village is not None and line.town is not None:
        town = rules.villages[line.village].town
        if town != rules.town_by_name[line.town].code:
            raise BadLine(f"village: expected a village of town {line.town}, found {line.village} of town {town}")
    if line.matter is not None and line.matter not in rules.matters:
        raise BadLine(f"matter: expected a code of the catalogue, found {line.matter!r}")
    for code in line.complained_of:
        if code not in rules.departments:
            raise BadLine(f"complained_of: expected codes of departments of the district, found {code!r}")
    if not (line.title.strip() or line.text.strip() or line.attachments):
        raise BadLine("text: expected words or an attachment, found neither title nor text")
