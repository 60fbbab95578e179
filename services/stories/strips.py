"""One page of two strips: a project's opinions asked for all at once, beside the same ones asked for one by one.

The first strip is drawn from the facts of the story's own township. How long it took one by one is the reform's account
of the time before: three months at best, up to five.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from html import escape
from typing import Any

from services.rules.calendar import SHANGHAI
from services.rules.limits import add_months
from services.stories.stage import Stage

AT_BEST, UP_TO = 3, 5
"""Months, one department after the other."""

_LEFT, _WIDTH, _ROW, _LINE = 240, 720, 26, 16
_COLOURS = {"agree": "#2e7d4f", "agree_with_conditions": "#7a9a2e", "object": "#b3392f", None: "#9a9a9a"}
_SOONEST, _LONGEST = "#8a7a55", "#d6ccb2"
_SAID = {
    "agree": "同意 agrees",
    "agree_with_conditions": "有条件同意 agrees with conditions",
    "object": "不同意 objects",
    None: "逾期未出具 nothing said",
}
_REACHED = {"project_approved": "立项 project", "permits_complete": "审批完成 permits", "works_begun": "开工 works"}

_PAGE = """<!doctype html>
<html lang="zh">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, "Noto Sans CJK SC", sans-serif; color: #1c1c1c; background: #fff; margin: 2rem auto;
  max-width: 62rem; padding: 0 1rem }}
h1 {{ font-size: 1.3rem }} h2 {{ font-size: 1.05rem; margin: 1.6rem 0 .3rem }}
.strip {{ overflow-x: auto }} svg {{ width: 100%; min-width: 44rem; height: auto }}
text {{ font-size: 12px; fill: #333 }} .hush {{ color: #666 }}
</style>
<h1>{title}</h1>
<p class="hush">{about}</p>
<h2>并联 · all at once: {days}</h2>
<div class="strip" tabindex="0">{parallel}</div>
<h2>串联 · one by one: {serial_days}</h2>
<div class="strip" tabindex="0">{serial}</div>
<p class="hush">{legend}</p>
<p class="hush">并联按事实绘出；串联的总时长是改革前的说法，平均分给各部门。
The first strip is drawn from the facts; how long it took one by one is told of the time before the reform, and divided
here into equal parts.</p>
</html>
"""


def two_strips(stage: Stage, case: str) -> str:
    """The page, in HTML that needs nothing beside it.

    ``case`` is one whose approval has reached its permits.
    """
    (row,) = stage.ask('SELECT * FROM cases WHERE "case" = :case', case=case)
    start = _day(row["reported_at"])
    rounds = stage.ask('SELECT * FROM approval_rounds WHERE "case" = :case ORDER BY round', case=case)
    asked = stage.ask('SELECT * FROM approvals WHERE "case" = :case ORDER BY round, item', case=case)
    reached = stage.ask('SELECT * FROM milestones WHERE "case" = :case AND reached_on IS NOT NULL', case=case)
    on = {found["milestone"]: date.fromisoformat(found["reached_on"]) for found in reached}
    names = {item.code: f"{item.zh} {item.en}" for item in stage.rules.approvals[row["matter"]].items}
    length = (add_months(start, UP_TO) - start).days
    permits = (on["permits_complete"] - start).days
    best = (add_months(start, AT_BEST) - start).days
    marks = {name: (on[key] - start).days for key, name in _REACHED.items() if key in on}
    village = next(known.zh for known in stage.rules.district.villages if known.code == row["village"])
    return _PAGE.format(
        title=escape(f"{village} · {stage.rules.matter(row['matter']).zh}"),
        about=escape(
            f"{start} 起，{len(names)} 个事项，{len(rounds)} 轮意见 · {len(names)} items in {len(rounds)} rounds"
        ),
        days=f"{permits} 天 days",
        serial_days=f"{best}–{length} 天 days ({AT_BEST}–{UP_TO} 个月 months)",
        parallel=_svg(list(names.values()), length, _parallel(asked, rounds, list(names), start, length), marks),
        serial=_svg(list(names.values()), length, _serial(len(names), best, length), {}),
        legend=_legend(),
    )


def _legend() -> str:
    colours = {
        **{_COLOURS[said]: words for said, words in _SAID.items()},
        _SOONEST: "最快 at best",
        _LONGEST: "最慢 longest",
    }
    return " ".join(f'<span style="color: {colour}">■</span> {words}' for colour, words in colours.items())


def _parallel(
    asked: list[dict[str, Any]], rounds: list[dict[str, Any]], items: list[str], start: date, length: int
) -> Iterator[str]:
    """A piece for each item and round, from the asking to the opinion; to the round's end where nothing was said."""
    known = {found["round"]: found for found in rounds}
    for row in asked:
        began = _days(known[row["round"]]["opened_at"], start)
        ended = _days(row["filed_at"] or known[row["round"]]["closed_at"], start)
        said = f"{row['department']}: {_SAID[row['opinion']]} {row['legal_basis'] or ''}".strip()
        yield _bar(items.index(row["item"]), began, ended, length, _COLOURS[row["opinion"]], said)


def _serial(many: int, best: int, length: int) -> Iterator[str]:
    """Each waits for the one before: at best, and at the longest."""
    for nth in range(many):
        longest = f"最慢 up to {length * (nth + 1) // many} 天 days"
        yield _bar(nth, length * nth / many, length * (nth + 1) / many, length, _LONGEST, longest)
        soonest = f"最快 at best {best * (nth + 1) // many} 天 days"
        yield _bar(nth, best * nth / many, best * (nth + 1) / many, length, _SOONEST, soonest)


def _svg(names: list[str], length: int, bars: Iterator[str], marks: dict[str, int]) -> str:
    below = _ROW * len(names)
    height = below + _LINE * (len(marks) + 2)
    lines = [f'<svg viewBox="0 0 {_LEFT + _WIDTH + 30} {height}" role="img">']
    for days in range(0, length + 1, 30):
        x = _x(days, length)
        lines.append(f'<line x1="{x}" x2="{x}" y1="0" y2="{below}" stroke="#ddd"/>')
        lines.append(f'<text x="{x}" y="{height - 8}" text-anchor="middle">{days}</text>')
    lines += [
        f'<text x="{_LEFT - 10}" y="{_ROW * nth + 17}" text-anchor="end">{escape(name)}</text>'
        for nth, name in enumerate(names)
    ]
    lines += bars
    for nth, (name, days) in enumerate(reversed(marks.items()), start=1):  # so that no line crosses a name
        x, y = _x(days, length), below + _LINE * nth
        lines.append(f'<line x1="{x}" x2="{x}" y1="0" y2="{y}" stroke="#1c4e9a" stroke-width="2"/>')
        lines.append(f'<text x="{x + 4}" y="{y - 2}">{escape(name)} {days}</text>')
    return "\n".join([*lines, "</svg>"])


def _bar(row: int, began: float, ended: float, length: int, colour: str, says: str) -> str:
    x, width = _x(began, length), max(3.0, _x(ended, length) - _x(began, length))
    shape = f'<rect x="{x}" y="{_ROW * row + 5}" width="{width:.1f}" height="{_ROW - 10}" fill="{colour}" rx="2">'
    return f"{shape}<title>{escape(says)}</title></rect>"


def _x(days: float, length: int) -> float:
    return round(_LEFT + _WIDTH * days / length, 1)


def _days(moment: str, start: date) -> float:
    since = datetime.fromisoformat(moment).astimezone(SHANGHAI) - datetime.combine(start, datetime.min.time(), SHANGHAI)
    return since / timedelta(days=1)


def _day(moment: str) -> date:
    return datetime.fromisoformat(moment).astimezone(SHANGHAI).date()
