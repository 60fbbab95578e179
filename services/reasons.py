"""Why things are as they are: this matter, these departments, these due times, by the configuration then in force."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from events.call import CallDueExtended, CallEscalated, CallIssued, DepartmentsCalled
from events.case import (
    CaseCallsIssued,
    CaseClassified,
    CaseDepartmentRecused,
    CaseDistrictCalled,
    CaseDistrictCallRefused,
    CaseDueExtended,
    CaseEscalated,
    CaseReopened,
    CaseResolved,
    CaseResultSubmitted,
    CaseReviewReopened,
    CaseTriageQueued,
    CaseVillageHandlingStarted,
    Due,
)
from events.district import DistrictConfigured
from events.envelope import Recorded
from events.outcome import OutcomeDrafted
from events.report import ReportSubmitted
from services.rules.book import RuleBook
from services.rules.calendar import SHANGHAI
from services.runtime import configuration
from services.runtime.log import Log

Sentence = Mapping[str, Any]
"""One sentence in both languages, ``{"zh": …, "en": …}``, with the time and position of the fact that it is about."""


class Reason(Struct, frozen=True):
    """Why ``owner`` has until ``by`` (UTC) for ``owes``: by ``rule``, such as ``U3 acknowledge 4wh``, from ``since``.

    ``call`` is empty for what the case itself owes. ``provisional``: that time's calendar is not announced.
    """

    call: str
    owner: str
    owes: str
    by: datetime
    rule: str
    since: datetime
    provisional: bool


def reasons_of_dues(facts: Iterable[Recorded]) -> list[Reason]:
    """The reason of every due time of a case, its calls and its notice, as they were set."""
    return [
        Reason(
            recorded.stream if call else "",
            owner,
            owes,
            due.by,
            due.rule,
            due.since or recorded.meta.recorded_at,
            due.provisional,
        )
        for recorded in facts
        for call, owner, owes, due in _dues(recorded.fact)
    ]


def _dues(fact: Any) -> Iterator[tuple[bool, str, str, Due]]:
    """Whether a fact's due times are a call's, whose they are, for what, and until when."""
    match fact:
        case DepartmentsCalled():
            for leg in fact.legs:
                clocks = {"acknowledge": leg.acknowledge, "arrive": leg.arrive, "contact": leg.contact}
                for owes, due in {**clocks, "result": leg.result}.items():
                    if due is not None:
                        yield True, leg.department, owes, due
        case CallDueExtended():
            yield True, fact.department, fact.clock, fact.due
        case CaseClassified() | CaseReopened():
            yield False, "command_centre", "result", fact.result
        case CaseVillageHandlingStarted():
            yield False, "village", "village", fact.due
        case CaseResultSubmitted() | CaseReviewReopened():
            yield False, "command_centre", "review", fact.review
        case CaseResolved():
            yield False, "command_centre", "follow_up", fact.follow_up
        case CaseDueExtended():
            yield False, "village" if fact.owes == "village" else "command_centre", fact.owes, fact.due
        case OutcomeDrafted():
            yield False, "disclosure", "disclose", fact.disclose


def explain(log: Log, facts: Iterable[Recorded]) -> list[Sentence]:
    """Why this matter, these platforms and departments, these due times: by the configuration then in force."""
    books = {
        recorded.fact.hash: RuleBook(recorded.fact.district)
        for recorded in log.stream(configuration.STREAM)
        if isinstance(recorded.fact, DistrictConfigured)
    }
    return [
        {
            **sentence,
            "at": recorded.meta.recorded_at.isoformat(),
            "configuration": recorded.meta.configuration,
            "position": recorded.position,
        }
        for recorded in facts
        for sentence in _because(recorded, recorded.fact, books[recorded.meta.configuration])
    ]


def _because(recorded: Recorded, fact: Any, rules: RuleBook) -> list[Sentence]:
    match fact:
        case ReportSubmitted():
            return _because_words(fact)
        case CaseTriageQueued() if fact.complained_of:
            zh, en = _names(fact.complained_of, rules)
            return [
                _say(
                    f"上报中提到被举报部门：{zh}，不论得分，转人工认定。",
                    f"The report complains of {en}, so an operator decides whatever the score.",
                )
            ]
        case CaseDepartmentRecused():
            zh, en = _names((fact.department,), rules)
            lead = rules.lead(fact.town, rules.matter(fact.matter), fact.recused) if fact.matter else ""
            lead_zh, lead_en = _names((lead,) if lead else (), rules)
            return [
                _say(
                    f"{zh}回避（{_RECUSED[fact.ground]}），不参与办理。" + (f"由{lead_zh}主办。" if lead else ""),
                    f"{en} has no part in the case ({fact.ground.replace('_', ' ')})."
                    + (f" {lead_en} leads." if lead else ""),
                )
            ]
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
        case CaseVillageHandlingStarted():
            due = _local(fact.due.by)
            return [
                _say(
                    f"该事项可由村级先行办理，期限 {due}（{fact.due.rule}），逾期自动上提到镇。",
                    f"The village may handle this matter first, until {due} ({fact.due.rule}); then it goes up.",
                )
            ]
        case CaseEscalated():
            return [
                _say(
                    f"由村上提到镇：{_WENT_UP[fact.reason]}。",
                    f"From the village up to the town: {fact.reason.replace('_', ' ')}.",
                )
            ]
        case CaseDistrictCalled() | CaseDistrictCallRefused():
            return _because_list(fact, rules)
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
        case CaseDueExtended():
            was, due = _local(fact.was.by), _local(fact.due.by)
            return [
                _say(
                    f"放假安排有调整，{_OWES[fact.owes]}期限由 {was} 顺延至 {due}（{fact.due.rule}）。",
                    f"Another working calendar is in force: until {due} instead of {was} ({fact.due.rule}).",
                )
            ]
        case CallDueExtended():
            name = rules.departments[fact.department]
            was, due = _local(fact.was.by), _local(fact.due.by)
            return [
                _say(
                    f"放假安排有调整，{name.zh}{_CLOCK[fact.clock]}期限由 {was} 顺延至 {due}（{fact.due.rule}）。",
                    f"Another working calendar is in force: {name.en} has until {due} instead of {was} for its clock"
                    f" ({fact.clock}, {fact.due.rule}).",
                )
            ]
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
                f"呼叫{platform.zh}，因其辖下有应呼叫部门：{zh}。",
                f"Platform {platform.en} is called because these of its departments are needed: {en}.",
            )
        )
    return sentences


def _because_list(fact: CaseDistrictCalled | CaseDistrictCallRefused, rules: RuleBook) -> list[Sentence]:
    matter, version = rules.matter(fact.matter), fact.list_version
    zh = f"启动清单第{version}版，事项“{matter.zh}”："
    en = f"Launch list version {version}, matter {matter.code} {matter.en}: "
    if isinstance(fact, CaseDistrictCallRefused):
        return [
            _say(f"{zh}{_GROUND[fact.ground]}，不得向区呼叫。", f"{en}{fact.ground}, the district may not be called.")
        ]
    bureau = rules.departments[fact.call.legs[0].department]
    match fact.allowed:
        case "on_list":
            why_zh, why_en = "在清单内", "it is on the list"
        case "on_condition":
            why_zh, why_en = f"符合条件 {fact.condition}", f"the condition {fact.condition} is met"
        case "waived":
            why_zh, why_en = f"经{fact.waived_by}特批", f"{fact.waived_by} waived it"
    return [_say(f"{zh}{why_zh}，向{bureau.zh}呼叫。", f"{en}{why_en}; {bureau.en} is called.")]


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


_GROUND = {
    "not_on_list": "不在清单",
    "no_condition": "未说明条件",
    "condition_not_listed": "条件不在清单",
    "no_evidence": "没有依据材料",
}
_RECUSED = {"complained_of": "被举报", "interested": "有利害关系"}
_WENT_UP = {"village_overdue": "村级逾期", "beyond_village": "超出村级能力", "asked": "群众要求"}
_ROLE = {"lead": "主办", "assist": "协办", "consult": "会商"}
_OWES = {"result": "办结", "village": "村级办理", "review": "审核", "follow_up": "回访"}
_CLOCK = {"acknowledge": "签收", "arrive": "报到", "contact": "首联", "result": "办结"}


def _names(departments: Iterable[str], rules: RuleBook) -> tuple[str, str]:
    known = [rules.departments[code] for code in departments]
    return "、".join(one.zh for one in known), ", ".join(one.en for one in known)


def _say(zh: str, en: str) -> Sentence:
    return {"zh": zh, "en": en}


def _local(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
