"""What can be asked: a case, the board, reasons, figures, SQL, and the past."""

import csv
import re
import sys
from datetime import datetime
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.text import Text

from events.report import ReportSubmitted, ReportWords
from projections.queries import Questions
from services.cli.houses import DEFAULT_DATA, Data, Json, existing_house, find_case, known_user, town_code
from services.cli.screen import Exit, as_text, out, print_json, progress, table
from services.history import case_as_of, facts_of_case, position_at, views_as_of
from services.opening import Opening
from services.reasons import explain as explain_case
from services.runtime.batch import EPOCH
from services.runtime.clock import SystemClock
from services.runtime.errors import Erased, HujiaoError
from services.wiring import House

At = Annotated[str, Parameter(help="A time with offset (2026-03-31T23:59:59+08:00), a date (its end), or a position.")]

Limit = Annotated[int, Parameter(validator=Number(gte=1, lte=100_000), help="At most so many rows of each platform.")]

_TOLD = ("receipt", "title", "text", "place", "erased")
_CASE_FACTS = (
    "case",
    "phase",
    "level",
    "tracker",
    "town",
    "village",
    "matter",
    "handling_class",
    "reports",
    "attempt",
    "solved",
)
_CLOCKS = (("acknowledge", "acknowledged"), ("arrive", "reported_in"), ("contact", "contacted"), ("result", "filed"))


def case(
    reference: str,
    *,
    words_for: str | None = None,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> Exit:
    """Show a case: how it stands, its departments with their clocks, and everything that happened.

    Parameters
    ----------
    reference
        A receipt, a case's id or its beginning.
    words_for
        Open the resident's words for this user, who may; for this person, as long as there is none. It is recorded.
    """
    if words_for is not None and not words_for.strip():
        raise HujiaoError("--words-for: expected who will read the words, found nobody")
    with existing_house(data) as house:
        known = find_case(house, reference)
        found = Questions(house.views.database).case(known) or {}
        if words_for is not None and house.users():
            opened = Opening(house).words(known_user(house, words_for), known)
            found["words"] = [{name: getattr(report, name) for name in _TOLD} for report in opened]
        elif words_for is not None:
            found["words"] = [_words(house, report["report"], words_for) for report in found["reports"]]
    if as_json:
        for notice in found["reports"]:
            notice.pop("position", None)
        print_json(found)
    else:
        _show_case(found["case"], found["legs"], found["timeline"])
        for words in found.get("words", ()):
            out.print(f"\n{words['title']}\n{words['text']}", markup=False)
    return Exit.DONE


def board(*, town: str = "", limit: Limit = 50, data: Data = DEFAULT_DATA, as_json: Json = False) -> Exit:
    """Show what is open: who owes what until when, overdue first; at most --limit rows of each platform."""
    with existing_house(data) as house:
        town = town_code(house, town) if town else ""
        now = max(house.clock.now(), house.ledger.recorded_at)
        found = Questions(house.views.database).board(now, town, limit=limit)
    if as_json:
        print_json(found)
    else:
        _show_board(found["rows"], found["total"], found["overdue"])
    return Exit.DONE


def explain(reference: str, *, data: Data = DEFAULT_DATA, as_json: Json = False) -> Exit:
    """Say why: this matter, these platforms and departments, these due times."""
    with existing_house(data) as house:
        known = find_case(house, reference)
        sentences = explain_case(house.log, facts_of_case(house.log, known, house.log.head()))
    if as_json:
        print_json({"case": known, "because": sentences})
    else:
        for sentence in sentences:
            out.print(f"{as_text(sentence['at'])} {sentence['configuration']} {sentence['zh']}", markup=False)
            out.print(f"    {sentence['en']}", style="dim", markup=False)
    return Exit.DONE


def status(*, data: Data = DEFAULT_DATA, as_json: Json = False) -> Exit:
    """Show how much there is of everything, and how current each view is."""
    with existing_house(data) as house:
        questions = Questions(house.views.database)
        head, positions = house.log.head(), house.views.positions()
        with house.log.reading() as cursor:
            timers = cursor.execute("SELECT count(*) FROM timers").fetchone()[0]
        rules = house.ledger.rules
        unannounced = rules.unannounced_from(house.clock.now())
        counted = questions.figures()
        figures: dict[str, Any] = {
            "reports": counted["reports"],
            "receipts": counted["reports"],
            **counted,
            "facts": head,
            "parked": house.parked(),
            "timers": timers,
            "position": head,
            "recorded_at": house.ledger.recorded_at.isoformat(),
            "configuration": rules.hash,
            "calendar": f"announced to {rules.district.calendar.last_year}"
            + (f", provisional from {unannounced}" if unannounced else ""),
            "lag": {name: head - position for name, position in positions.items()},
        }
    if as_json:
        print_json(figures)
    else:
        table("Status", ("figure", "value"), ((k, v) for k, v in figures.items() if k != "lag"))
        table("Views", ("view", "facts behind"), figures["lag"].items())
    return Exit.DONE


def query(
    sql: str,
    *,
    as_csv: Annotated[bool, Parameter(name="--csv", negative="")] = False,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> Exit:
    """Ask the views in SQL; nothing can be changed.

    `SELECT name, sql FROM sqlite_master` lists what there is; on PostgreSQL, `information_schema.columns`.

    Views: reports, cases, timeline, calls, legs, board, triage, workload, notices, files, people. Times are UTC text.
    """
    with existing_house(data) as house:
        columns, rows = Questions(house.views.database).sql(sql)
    _print_rows(columns, rows, as_csv, as_json)
    return Exit.DONE


def asof(
    at: At,
    reference: str | None = None,
    *,
    sql: str | None = None,
    as_csv: Annotated[bool, Parameter(name="--csv", negative="")] = False,
    limit: Limit = 50,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> Exit:
    """Show the past: the board, a case or any question in SQL as things stood at a time or position.

    Parameters
    ----------
    reference
        A case; without it the board is shown, or the answer to ``--sql``.
    sql
        A question to the views of that time.
    """
    with existing_house(data) as house:
        position = _position(house, at)
        if reference is not None:
            known = find_case(house, reference)
            rows = case_as_of(facts_of_case(house.log, known, position))
            if not rows["cases"]:
                raise HujiaoError(f"case: expected one that was open at {at}, found {known} opened later")
            if as_json:
                print_json({"position": position, **rows})
            else:
                _show_case(rows["cases"][0], rows["legs"], rows["timeline"])
            return Exit.DONE
        with progress("Building the views of that time", position) as update:
            past = views_as_of(house.log, house.place, position, update)
        try:
            questions = Questions(past.database)
            if sql is not None:
                _print_rows(*questions.sql(sql), as_csv, as_json)
                return Exit.DONE
            last = house.log.after(position - 1, 1)
            found = questions.board(last[0].meta.recorded_at if last else EPOCH, limit=limit)
        finally:
            past.close()
    if as_json:
        print_json({"position": position, **found})
    else:
        out.print(f"As of {at}, position {position}:")
        _show_board(found["rows"], found["total"], found["overdue"])
    return Exit.DONE


def _position(house: House, at: str) -> int:
    if re.fullmatch(r"[0-9]+", at):
        if len(at) > len(str(house.log.head())) or int(at) > house.log.head():
            raise HujiaoError(f"at: expected a position up to {house.log.head()}, found {at[:40]}")
        return int(at)
    text = f"{at}T23:59:59.999999+08:00" if re.fullmatch(r"\d{4}-\d\d-\d\d", at) else at
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise HujiaoError(f"at: expected a time, a date or a position, found {at!r}") from error
    if moment.tzinfo is None:
        raise HujiaoError(f"at: expected a time with an offset such as +08:00, found {at!r}")
    return position_at(house.log, moment)


def _words(house: House, report: str, who: str) -> dict[str, Any]:
    for recorded in house.log.stream(report):
        if isinstance(recorded.fact, ReportSubmitted):
            box = recorded.fact.words
            try:
                words = house.vault.open(box, ReportWords, who, "case", SystemClock().now())
            except Erased as error:
                return {"report": report, "title": "", "text": str(error), "place": "", "erased": True}
            return {"report": report, "title": words.title, "text": words.text, "place": words.place, "erased": False}
    raise HujiaoError(f"report: expected a submitted report, found none with id {report}")


def _show_case(found: Any, legs: Any, timeline: Any) -> None:
    out.print(f"[bold]Case {found['case']}[/bold]")
    out.print("  ".join(f"{name}: {as_text(found[name])}" for name in _CASE_FACTS[1:]), markup=False)
    rows = []
    for leg in legs:
        clocks = []
        for due, met in _CLOCKS:
            at, late = leg[f"{met}_at"], leg[f"{met}_late"]
            limit = as_text(leg[f"{due}_due"])
            clocks.append(f"{as_text(at)}{' late' if late else ''} / {limit}" if limit else "")
        rows.append((leg["platform"], leg["department"], leg["role"], leg["progress"], *clocks))
    headings = ("platform", "department", "role", "progress", "acknowledged / due", "arrived / due", "contact / due")
    table("Departments", (*headings, "filed / due"), rows)
    entries = (
        (t["at"], t["what"], t["department"], t["who"], "late" if t["late"] else "", t["detail"]) for t in timeline
    )
    table("Timeline", ("at", "what", "department", "who", "", "detail"), entries)


def _show_board(rows: list[dict[str, Any]], total: int, overdue: int) -> None:
    shown = (
        (
            row["due"],
            Text("overdue", style="red") if row["overdue"] else "",
            row["handling_class"],
            row["town"],
            row["platform"],
            row["owner"],
            row["owes"],
            row["matter"],
            row["case"],
        )
        for row in rows
    )
    columns = ("due", "", "class", "town", "platform", "owner", "owes", "matter", "case")
    table(f"Board: {total} duties open, {overdue} overdue", columns, shown)


def _print_rows(columns: list[str], rows: list[tuple[Any, ...]], as_csv: bool, as_json: bool) -> None:
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    else:
        table("", columns, rows)
