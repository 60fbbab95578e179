"""`approval`: all departments' opinions on one project, asked for at once, until it is decided and built."""

from collections.abc import Callable
from datetime import date
from typing import Annotated

from cyclopts import App, Parameter

from events.approval import (
    DecideApproval,
    Decision,
    FileOpinion,
    OpenNextRound,
    Opinion,
    ReachMilestone,
    RequestMaterial,
    SupplyMaterial,
)
from events.district import Milestone
from events.envelope import Request
from events.ids import approval_of
from projections.queries import Questions
from services.cli.acting import Options, decide, tell
from services.cli.houses import DEFAULT_DATA, Data, Json, existing_house, find_case
from services.cli.screen import Exit, as_text, out, print_json, table

approval = App(
    name="approval",
    help="并联审批: opinions asked for all at once, the decision, the milestones. CASE is a receipt or a case's id.",
)

Day = Annotated[date, Parameter(help="A day in Asia/Shanghai: 2026-12-01.")]
_ITEMS = ("round", "item", "department", "due", "opinion", "filed_at", "late", "missed", "told_person")
_ROUNDS = ("round", "opened_at", "due", "closed_at", "outcome", "decision", "decided_by")
_MILESTONES = ("milestone", "due", "reached_on", "in_time")


@approval.command
def show(case: str, *, data: Data = DEFAULT_DATA, as_json: Json = False) -> Exit:
    """Show who was asked what in which round, what they said, and how far the project got."""
    with existing_house(data) as house:
        found = Questions(house.views.database).case(find_case(house, case)) or {}
    parts = {name: found[name] for name in ("approval_rounds", "approvals", "milestones")}
    if as_json:
        print_json(parts)
    elif not parts["approval_rounds"]:
        out.print("Nobody was asked for opinions on this case.")
    else:
        for title, columns in zip(parts, (_ROUNDS, _ITEMS, _MILESTONES), strict=True):
            rows = ([_shown(name, row[name]) for name in columns] for row in parts[title])
            table(title.replace("_", " ").capitalize(), columns, rows)
    return Exit.DONE


@approval.command
def opinion(
    case: str,
    item: str,
    opinion: Opinion,
    *,
    basis: str = "",
    conditions: str | None = None,
    new_facts: str | None = None,
    options: Options,
) -> Exit:
    """出具意见: a department's opinion on its own item.

    Parameters
    ----------
    basis
        The law by its title: 《中华人民共和国公路法》第四十三条.
    conditions
        What the consent depends on, or what would remedy the objection.
    new_facts
        Why a department objects, after the round, to what it had agreed to.
    """

    def make(found: str, stream: str) -> Request:
        return FileOpinion(
            approval=stream,
            case=found,
            item=item,
            by=options.by,
            opinion=opinion,
            legal_basis=basis,
            conditions=conditions,
            new_facts=new_facts,
        )

    return _decide(case, options, make)


@approval.command
def material(case: str, item: str, pieces: str, *, options: Options) -> Exit:
    """一次性告知: say everything that an item lacks, at once. The due time stays where it is."""
    return _decide(
        case,
        options,
        lambda found, stream: RequestMaterial(approval=stream, case=found, item=item, by=options.by, pieces=pieces),
    )


@approval.command
def supply(case: str, item: str, *, options: Options) -> Exit:
    """补正: what an item lacked has been handed in."""
    return _decide(
        case, options, lambda found, stream: SupplyMaterial(approval=stream, case=found, item=item, by=options.by)
    )


@approval.command
def again(case: str, *, remedied: str | None = None, options: Options) -> Exit:
    """再次征求意见: ask again about what was objected to or not answered.

    Parameters
    ----------
    remedied
        What was changed; needed where somebody objected.
    """
    return _decide(
        case,
        options,
        lambda found, stream: OpenNextRound(approval=stream, case=found, by=options.by, remedied=remedied),
    )


@approval.command(name="decide")
def decide_it(case: str, decision: Decision, *, reason: str | None = None, options: Options) -> Exit:
    """Grant or refuse; a refusal says why."""
    return _decide(
        case,
        options,
        lambda found, stream: DecideApproval(
            approval=stream, case=found, by=options.by, decision=decision, reason=reason
        ),
    )


@approval.command
def milestone(case: str, milestone: Milestone, on: Day, *, options: Options) -> Exit:
    """Record the day on which the project got so far (立项、审批完成、开工、通行)."""
    return _decide(
        case,
        options,
        lambda found, stream: ReachMilestone(approval=stream, case=found, milestone=milestone, on=on, by=options.by),
    )


def _decide(case: str, options: Options, make: Callable[[str, str], Request]) -> Exit:
    with existing_house(options.data) as house:
        found = find_case(house, case)
        answer = decide(house, make(found, approval_of(found)), options)
    return tell(answer, options, {"case": found})


def _shown(name: str, value: object) -> str:
    if value is None:
        return ""
    if name in ("late", "missed", "in_time"):
        return "yes" if value else ""
    return as_text(str(value)) if name == "due" or name.endswith("_at") else str(value)
