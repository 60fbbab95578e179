"""Writes the page of the state machines: the rows of the specification, and a diagram of what is seen."""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from tests.machines.explore import START, Edge
from tests.machines.rows import Row, Rows, Section

FILE = Path(__file__).resolve().parents[2] / "deploy" / "docs" / "machines.md"

HEAD = """\
# State machines 状态机

This page is generated: `python -m tests.machines` writes it, and a test fails while it is not current. The table lists
every transition that the specification names, and says whether it is done: then the request and the fact stand there by
which it happens. No mark is an assertion. The diagrams are drawn from what was seen when requests were played through
the real decisions, breadth first, with the rules of the sample district; services react at once, as they do in one
process. A row is done only if each of its transitions was seen, open only while its fact does not exist, and whatever
was seen stands in some row. The list behind it is `tests/machines/rows.toml`; rows without a number are ours beyond the
specification.
"""


def page(rows: Rows, edges: Iterable[Edge]) -> str:
    """The whole page as Markdown."""
    by_machine = {code: list(found) for code, found in groupby(sorted(edges), lambda edge: edge.machine)}
    parts = [HEAD, _summary(rows)]
    for section in rows.section:
        parts.append(f"## {section.en} {section.zh}\n\n{section.about}\n")
        parts += [_diagram(code, by_machine.get(code, [])) for code in section.machines]
        parts.append(_table([row for row in rows.row if row.section == section.code]))
    return "\n".join(parts)


def _summary(rows: Rows) -> str:
    lines = ["| | done | of these in part | open |", "|---|---|---|---|"]
    for section in (*rows.section, None):
        of = [row for row in rows.row if row.number and section in (None, _section(rows, row))]
        done = [row for row in of if row.does]
        name = f"[{section.en} {section.zh}](#{_anchor(section)})" if section else "together"
        if of:
            in_part = sum(bool(row.lacks) for row in done)
            lines.append(f"| {name} | {len(done)} | {in_part} | {len(of) - len(done)} |")
    return "\n".join(lines) + "\n"


def _section(rows: Rows, row: Row) -> Section:
    return next(section for section in rows.section if section.code == row.section)


def _anchor(section: Section) -> str:
    title = f"{section.en} {section.zh}".lower().replace(" ", "-")
    return "".join(character for character in title if character.isalnum() or character == "-")


def _diagram(code: str, edges: list[Edge]) -> str:
    """The changes of state as a diagram, and below it what happens without one."""
    changes = [edge for edge in edges if edge.source != edge.target]
    lines = [f"Machine `{code}`:", "", "```mermaid", "stateDiagram-v2"]
    lines += [f"    {edge.source} --> {edge.target}: {_short(edge.request)} / {_short(edge.fact)}" for edge in changes]
    lines += ["```", ""]
    stays: dict[tuple[str, str], list[str]] = {}
    for edge in edges:
        if edge.source == edge.target != START:
            stays.setdefault((edge.request, edge.fact), []).append(edge.source)
    if stays:
        lines += ["Without a change of state:", ""]
        lines += [
            f"- {_short(request)} / {_short(fact)}: {', '.join(states)}" for (request, fact), states in stays.items()
        ]
        lines.append("")
    return "\n".join(lines)


def _table(rows: list[Row]) -> str:
    lines = ["| | from | what is asked | to | who | request / fact |", "|---|---|---|---|---|---|"]
    for row in rows:
        cells = (row.number, row.source, row.asks, row.to, row.who, _done(row))
        lines.append(f"| {' | '.join(cells)} |".replace("|  |", "| |"))
    return "\n".join(lines) + "\n"


def _done(row: Row) -> str:
    if not row.does:
        return "**open**"
    ways = dict.fromkeys(f"`{_short(edge.request)}` / `{_short(edge.fact)}`" for edge in row.edges())
    lacks = f"; not yet: {row.lacks}" if row.lacks else ""
    return f"{', '.join(ways)}{lacks}"


def _short(name: str) -> str:
    return name.removesuffix(".v1")
