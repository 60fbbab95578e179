"""`replay` and `report`: reports from files on the virtual clock, or a single one by hand."""

import json
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from events.edge import SOURCE_PATTERN
from events.report import SubmitReport
from projections.queries import Questions
from services.cli.abroad import Abroad, replay_abroad
from services.cli.houses import (
    DEFAULT_DATA,
    DEFAULT_DISTRICT,
    Data,
    District,
    Json,
    drain,
    existing_house,
    place_of,
)
from services.cli.screen import Exit, err, out, print_json, progress, table
from services.intake.files import DEFAULT_SOURCE, FileFeed
from services.intake.line import read_placed_line
from services.rules.book import RuleBook
from services.runtime.clock import SystemClock, VirtualClock
from services.runtime.district import find_district, load_district
from services.runtime.errors import HujiaoError
from services.simulation.service import simulation
from services.wiring import SERVICES, House

SHOWN_REFUSALS = 20
SOURCE_NAME = re.compile(SOURCE_PATTERN)

FIGURES = ("cases", "linked", "triage", "calls", "legs", "acknowledged", "acknowledged_late", "reported_in")
AT_THE_END = ("closed", "disclosed")


def replay(
    *files: Path,
    data: Data = DEFAULT_DATA,
    district: District = DEFAULT_DISTRICT,
    seed: int = 1,
    source: str = DEFAULT_SOURCE,
    receipts: Path | None = None,
    abroad: Abroad | None = None,
    as_json: Json = False,
) -> Exit:
    """Play report lines through the running services until every case has ended.

    Time is virtual and everybody but the senders is simulated: the same files and seed always give the same
    views. The same files again into the same directory add nothing.

    With --via the lines go to a township that runs elsewhere, over its real brokers and on the real clock: senders
    publish them in turn under their own users, and simulated departments answer on their own queues.

    Parameters
    ----------
    files
        Files of report lines, one JSON object each. Lines that are no report are refused, the rest goes on.
    source
        The sender's name for lines that do not name one.
    receipts
        Write ``source/id<TAB>receipt`` for every report to this file.
    """
    if not SOURCE_NAME.fullmatch(source):
        raise HujiaoError(f"--source: expected small letters, digits, dots and hyphens, found {source[:80]!r}")
    paths = list(files)
    for path in paths:
        if not path.is_file():
            raise HujiaoError(f"files: expected a file of report lines, found none at {path}")
    if not paths:
        raise HujiaoError("files: expected at least one file of report lines, found none")
    rules = RuleBook(load_district(find_district(district)))
    if abroad is not None and abroad.via:
        return replay_abroad(paths, rules, abroad, receipts, as_json)
    virtual = VirtualClock(datetime(2000, 1, 1, tzinfo=UTC))
    given: dict[str, str] = {}
    with House(place_of(data), virtual, (*SERVICES, simulation(seed))) as house:
        house.lock()
        house.remember("clock", "virtual")
        house.remember("seed", str(seed))
        began = time.perf_counter()
        feed = FileFeed(
            paths,
            house.desk,
            lambda: rules,
            SystemClock().now(),
            source,
            given.__setitem__ if receipts else _no_receipt,
        )
        with progress("Reading lines", None) as update:
            feed.index(update)
        if feed.first is not None:
            virtual.move(feed.first)
        house.configure(rules.district)
        run_to_the_end(house, feed)
        seconds = time.perf_counter() - began
        feed.close()
        if receipts is not None:
            receipts.write_text("".join(f"{key}\t{value}\n" for key, value in sorted(given.items())), encoding="utf-8")
        figures = result(house, feed, seconds)
    _show(figures, feed, as_json)
    return Exit.PARTLY if feed.refused else Exit.DONE


def run_to_the_end(house: House, feed: FileFeed) -> None:
    """Play everything, keeping the views current, with progress by lines."""
    total = feed.left
    with progress("Playing reports", total) as update:

        def after_commit() -> None:
            house.settle()
            update(total - feed.left)

        house.engine(feed).run(after_commit=after_commit)
    house.views.catch_up(house.log)


def result(house: House, feed: FileFeed, seconds: float) -> dict[str, Any]:
    """The line with which a replay ends."""
    figures = Questions(house.views.database).figures()
    facts = house.log.head()
    return {
        "reports": feed.valid,
        "refused": len(feed.refused),
        "repeated": feed.repeated,
        "receipts": feed.receipts,
        **{name: figures[name] for name in FIGURES + AT_THE_END},
        "facts": facts,
        "parked": house.parked(),
        "catch_all": figures["catch_all"],
        "seconds": round(seconds, 3),
        "facts_per_second": round(facts / seconds, 1),
    }


def report(
    *,
    title: str = "",
    text: str = "",
    village: str | None = None,
    town: str | None = None,
    reporter: str | None = None,
    channel: Literal["hotline", "app", "village", "web"] = "hotline",
    appeal: Literal["enquiry", "help", "complaint", "tip", "suggestion"] | None = None,
    matter: str | None = None,
    place: str | None = None,
    name: str | None = None,
    phone: str | None = None,
    anonymous: bool = False,
    record: Annotated[str | None, Parameter(name="--id")] = None,
    source: str = "desk",
    line: Annotated[
        str | None, Parameter(help="A whole report line of JSON instead; - reads it from the input.")
    ] = None,
    data: Data = DEFAULT_DATA,
    district: District = DEFAULT_DISTRICT,
    as_json: Json = False,
) -> Exit:
    """Hand in one report and get its receipt.

    Parameters
    ----------
    record
        Your own number for the report. The same number with the same words is the same report.
    """
    now = SystemClock().now()
    where = place_of(data)
    if not where.exists():
        loaded = load_district(find_district(district))
        with House(where, SystemClock()) as house:
            house.remember("clock", "system")
            house.configure(loaded)
    with existing_house(data) as house:
        if line is not None:
            raw = sys.stdin.buffer.read() if line == "-" else line.encode("utf-8", "surrogateescape")
        else:
            contact = {key: value for key, value in (("name", name), ("phone", phone)) if value}
            known = Questions(house.views.database).reported_at(source, record) if record else None
            given = {
                "id": record or f"{now:%Y%m%d%H%M%S%f}",
                "time": known or now.isoformat(),
                "title": title,
                "text": text,
                "source": source,
                "village": village,
                "town": town,
                "reporter": reporter,
                "channel": channel,
                "appeal": appeal,
                "matter": matter,
                "place": place,
                "anonymous": anonymous,
                "contact": contact or None,
            }
            kept = {key: value for key, value in given.items() if value is not None}
            raw = json.dumps(kept, ensure_ascii=False).encode("utf-8", "surrogateescape")
        taken = read_placed_line(raw)
        submission = house.desk.submission(taken, taken.source or source, house.ledger.rules, now)
        answer = house.ledger.decide(submission)
        if answer.status == "rejected":
            raise HujiaoError(answer.reason)
        drain(house)
        request = submission.request
        assert isinstance(request, SubmitReport), "the desk makes reports"
        found = Questions(house.views.database).receipt(request.receipt) or {}
    shown = {
        "receipt": request.receipt,
        "report": request.report,
        "repeated": answer.repeated,
        "case": found.get("case"),
    }
    if as_json:
        print_json(shown)
    else:
        out.print(f"Receipt [bold]{request.receipt}[/bold]" + (" (known already)" if answer.repeated else ""))
        out.print(f"Case {found.get('case')}, matter {found.get('matter') or 'waits for an operator'}")
    return Exit.DONE


def _show(figures: dict[str, Any], feed: FileFeed, as_json: bool) -> None:
    for refused in feed.refused[:SHOWN_REFUSALS]:
        err.print(f"{refused.file}:{refused.line}: {refused.reason}", style="red", markup=False)
    if len(feed.refused) > SHOWN_REFUSALS:
        err.print(f"… and {len(feed.refused) - SHOWN_REFUSALS} more refused lines", style="red")
    if feed.unknown:
        known = ", ".join(f"{name} ({count})" for name, count in feed.unknown.most_common(10))
        err.print(f"fields that are not part of a report were left out: {known}", style="yellow", markup=False)
    if as_json:
        print_json(figures)
    else:
        table("Replay", ("figure", "value"), figures.items())
        share = figures["catch_all"] / max(figures["cases"], 1)
        out.print(f"Share of cases in the catch-all matter 999: {share:.1%}")


def _no_receipt(source_id: str, receipt: str) -> None:
    """Nobody wants to see it."""
