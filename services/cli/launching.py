"""`launch`: 启动清单, for which matters a town may call the district, and what towns tried beside it."""

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
from cyclopts import App
from msgspec import Struct

from events.envelope import Request
from events.launch import LaunchItem, PublishLaunchList
from projections.queries import Questions
from services.cli.acting import Options, decide, tell
from services.cli.houses import DEFAULT_DATA, Data, Json, existing_house
from services.cli.screen import Exit, out, print_json, table
from services.command_centre import launch as lists
from services.rules.book import RuleBook
from services.runtime.errors import HujiaoError
from services.wiring import House

launch = App(name="launch", help="启动清单: for which matters a town may call the district, and who tried beside it.")

_ITEM = ("matter", "bureau", "platform", "conditions", "evidence_required", "acknowledge", "arrive", "legal_basis")
_ATTEMPT = ("at", "town", "matter", "outcome", "ground", "condition", "bureau", "list_version", "case")


class ListFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A launch list as a file: a table ``[[item]]`` for each line, and from when and by which decision it holds."""

    effective_from: date
    citation: str
    item: tuple[LaunchItem, ...]


@launch.command
def show(*, data: Data = DEFAULT_DATA, as_json: Json = False) -> Exit:
    """Show the list that is in force now; version 0 is what the district's files say."""
    with existing_house(data) as house:
        now = max(house.clock.now(), house.ledger.recorded_at)
        state = _lists(house)
        listed, rules = lists.in_force(state, now, house.ledger.rules), house.ledger.rules
        waiting = [fact.version for fact in state.published if fact.version > listed.version] if state else []
    if as_json:
        print_json({**msgspec.to_builtins(listed), "waiting": waiting})
        return Exit.DONE
    rows = [_cells(item, rules) for item in listed.items]
    since = f", since {listed.effective_from}: {listed.citation}" if listed.version else ", the district's files"
    table(f"Launch list version {listed.version}{since}", _ITEM, rows)
    if waiting:
        out.print(f"Published and not in force yet: version {', '.join(map(str, waiting))}.")
    return Exit.DONE


@launch.command
def publish(file: Path, *, options: Options) -> Exit:
    """Publish the whole list anew from a TOML file: effective_from, citation and an [[item]] for each matter.

    An item has matter and bureau, and may have platform, conditions, evidence_required, acknowledge, arrive and
    legal_basis. Without conditions a town may call at once.
    """
    read = _read(file)

    def make() -> Request:
        return PublishLaunchList(
            launch=lists.STREAM,
            items=read.item,
            effective_from=read.effective_from,
            citation=read.citation,
            by=options.by,
        )

    with existing_house(options.data) as house:
        answer = decide(house, make(), options)
        state = _lists(house)
    version = state.published[-1].version if state else 0
    return tell(answer, options, {"version": f"{version}"}, f" The newest launch list is version {version}.")


@launch.command
def attempts(*, data: Data = DEFAULT_DATA, as_json: Json = False) -> Exit:
    """Show every attempt to call the district, the newest first; what was refused feeds the next list."""
    with existing_house(data) as house:
        rows = Questions(house.views.database).launch_attempts()
    if as_json:
        print_json(rows)
    else:
        table("Calls to the district", _ATTEMPT, ([row[name] for name in _ATTEMPT] for row in rows))
    return Exit.DONE


def _read(file: Path) -> ListFile:
    try:
        return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), ListFile)
    except OSError as error:
        raise HujiaoError(f"file: expected a launch list, found: {error.strerror}") from error
    except msgspec.ValidationError as error:
        raise HujiaoError(f"file: expected a launch list, found something else: {error}") from error
    except ValueError as error:
        raise HujiaoError(f"file: expected TOML in UTF-8, found: {error}") from error


def _lists(house: House) -> lists.Lists | None:
    state: lists.Lists | None = None
    for recorded in house.log.stream(lists.STREAM):
        fact: Any = recorded.fact
        state = lists.evolve(state, fact)
    return state


def _cells(item: LaunchItem, rules: RuleBook) -> list[str]:
    cells = {name: getattr(item, name) for name in _ITEM}
    cells["matter"] += f" {rules.matters[item.matter].zh}" if item.matter in rules.matters else ""
    cells["bureau"] += f" {bureau.zh}" if (bureau := rules.bureau(item.bureau)) else ""
    cells["platform"] = item.platform or (bureau.platform if bureau else "")
    cells["conditions"] = " ".join(item.conditions) or "at once"
    return list(cells.values())
