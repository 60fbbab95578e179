"""The past: a case, its board and whole views as they stood at a position or time; and why things are as they are."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from events.call import CallEscalated, CallIssued, DepartmentsCalled
from events.case import CaseCallsIssued, CaseClassified, CaseOpened, CaseReopened, CaseReportLinked, CaseTriageQueued
from events.district import DistrictConfigured
from events.envelope import Recorded
from events.ids import outcome_of
from events.report import ReportSubmitted
from projections.all_views import VIEWS
from projections.runner import Progress, Views
from projections.view import Row, Rows
from services.rules.book import RuleBook
from services.rules.calendar import SHANGHAI
from services.runtime import configuration
from services.runtime.log import Log
from services.runtime.places import Place, at


def position_at(log: Log, at: datetime) -> int:
    """The position of the newest fact recorded at or before ``at``; 0 when there is none.

    Times never run backwards in the log, so this looks at a handful of facts only.
    """
    low, high = 0, log.head()
    while low < high:
        middle = (low + high + 1) // 2
        if log.after(middle - 1, 1)[0].meta.recorded_at <= at:
            low = middle
        else:
            high = middle - 1
    return low


def facts_of_case(log: Log, case: str, stop: int) -> list[Recorded]:
    """Every fact about a case up to position ``stop``: its own, its reports', its calls' and its notice's."""
    own = [recorded for recorded in log.stream(case) if recorded.position <= stop]
    streams: list[str] = [outcome_of(case)]
    for recorded in own:
        match recorded.fact:
            case CaseOpened() | CaseReportLinked():
                streams.append(recorded.fact.report)
            case CaseCallsIssued():
                streams += [call.call for call in recorded.fact.calls]
    others = [recorded for stream in streams for recorded in log.stream(stream) if recorded.position <= stop]
    return sorted(own + others, key=lambda recorded: recorded.position)


def case_as_of(facts: Iterable[Recorded]) -> Mapping[str, list[Row]]:
    """The rows of every view about one case, folded in memory from its facts alone."""
    built = [(view, Rows(view.key, lambda key: None)) for view in VIEWS]
    for recorded in facts:
        for view, rows in built:
            fold = view.folds.get(recorded.name)
            if fold is not None:
                fold(rows, recorded, recorded.fact)
    found = {view.name: rows.take_changed(0)[0] for view, rows in built}
    found["timeline"].sort(key=lambda row: row["position"])
    return found


def views_as_of(log: Log, where: Path | Place, position: int, progress: Progress = lambda reached: None) -> Views:
    """All views as they stood at ``position``, in a scratch file or schema named by it; built once."""
    views = _scratch(*at(where).past(position))
    if position:
        views.catch_up(log, stop=position, progress=progress)
    return views


def _scratch(where: Path | str, schema: str) -> Views:
    return Views(where, VIEWS, schema)


Sentence = Mapping[str, str]
"""One sentence in both languages: ``{"zh": …, "en": …}``."""


def explain(log: Log, facts: Iterable[Recorded]) -> list[Sentence]:
    """Why this matter, these platforms and departments, these due times: by the configuration then in force."""
    books = {
        recorded.fact.hash: RuleBook(recorded.fact.district)
        for recorded in log.stream(configuration.STREAM)
        if isinstance(recorded.fact, DistrictConfigured)
    }
    return [
        {**sentence, "at": recorded.meta.recorded_at.isoformat(), "configuration": recorded.meta.configuration}
        for recorded in facts
        for sentence in _because(recorded, recorded.fact, books[recorded.meta.configuration])
    ]


def _because(recorded: Recorded, fact: Any, rules: RuleBook) -> list[Sentence]:
    match fact:
        case ReportSubmitted():
            return _because_words(fact)
        case CaseTriageQueued():
            best = f"{fact.suggestions[0].score:.3f}" if fact.suggestions else "0"
            return [
                _say(
                    f"最高得分 {best} 低于门槛 {fact.threshold}，转人工分类。",
                    f"The best score {best} is below the threshold {fact.threshold}, so an operator decides.",
                )
            ]
        case CaseClassified():
            return _because_matter(fact, rules)
        case CaseCallsIssued():
            return _because_calls(fact, rules)
        case CallIssued():
            return []
        case CaseReopened():
            due = _local(fact.result.by)
            return [
                _say(
                    f"群众要求重新办理（第{fact.reopening}次），办结期限 {due}（{fact.result.rule}）。",
                    f"A reporter had the case reopened (time {fact.reopening}); result due {due} ({fact.result.rule}).",
                )
            ]
        case DepartmentsCalled():
            return _because_due(fact, rules)
        case CallEscalated():
            name = rules.departments[fact.department]
            told = next((duty.zh for duty in rules.district.duties if duty.person == fact.person), "")
            return [
                _say(
                    f"{name.zh}{_CLOCK[fact.clock]}超时，升级第{fact.step}级，告知{told or '（无人值班）'}。",
                    f"{name.en} let its clock ({fact.clock}) run out: "
                    f"step {fact.step} tells {fact.person or 'nobody on duty'}.",
                )
            ]
        case _:
            return []


def _because_words(fact: ReportSubmitted) -> list[Sentence]:
    if fact.matter:
        return [_say(f"来源系统指定事项 {fact.matter}。", f"The sender named matter {fact.matter}.")]
    return [
        _say(
            f"文字匹配：{match.matter} 得分 {match.score:.3f}，依据“{'、'.join(match.words)}”。",
            f"The words speak for matter {match.matter}, score {match.score:.3f}: {', '.join(match.words)}.",
        )
        for match in fact.suggestions
    ]


def _because_matter(fact: CaseClassified, rules: RuleBook) -> list[Sentence]:
    matter = rules.matter(fact.matter)
    by_zh = {"catalogue": "按目录词", "sender": "按来源系统指定"}.get(fact.by, f"由{fact.by}人工")
    by_en = {"catalogue": "by the catalogue's words", "sender": "by its sender"}.get(fact.by, f"by {fact.by}")
    due = _local(fact.result.by)
    return [
        _say(
            f"{by_zh}归入 {matter.code} {matter.zh}，类别 {fact.handling_class}，"
            f"办结期限 {due}（{fact.result.rule}）。",
            f"Classified {by_en} as {matter.code} {matter.en}, class {fact.handling_class}; "
            f"result due {due} ({fact.result.rule}).",
        )
    ]


def _because_calls(fact: CaseCallsIssued, rules: RuleBook) -> list[Sentence]:
    sentences = []
    for call in fact.calls:
        platform = rules.platforms[call.platform]
        zh = "、".join(f"{rules.departments[leg.department].zh}（{_ROLE[leg.role]}）" for leg in call.legs)
        en = ", ".join(f"{rules.departments[leg.department].en} ({leg.role})" for leg in call.legs)
        sentences.append(
            _say(
                f"呼叫{platform.zh}，因其辖下有目录所列部门：{zh}。",
                f"Platform {platform.en} is called because the catalogue names its departments: {en}.",
            )
        )
    return sentences


def _because_due(fact: DepartmentsCalled, rules: RuleBook) -> list[Sentence]:
    sentences = []
    for leg in fact.legs:
        name = rules.departments[leg.department]
        clocks = [
            (_CLOCK[clock], clock, due)
            for clock, due in (
                ("acknowledge", leg.acknowledge),
                ("arrive", leg.arrive),
                ("contact", leg.contact),
                ("result", leg.result),
            )
            if due is not None
        ]
        zh = "，".join(f"{word} {_local(due.by)}（{due.rule}）" for word, _, due in clocks)
        en = ", ".join(f"{clock} by {_local(due.by)} ({due.rule})" for _, clock, due in clocks)
        sentences.append(_say(f"{name.zh}：{zh}。", f"{name.en}: {en}."))
    return sentences


_ROLE = {"lead": "主办", "assist": "协办", "consult": "会商"}
_CLOCK = {"acknowledge": "签收", "arrive": "报到", "contact": "首联", "result": "办结"}


def _say(zh: str, en: str) -> Sentence:
    return {"zh": zh, "en": en}


def _local(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
