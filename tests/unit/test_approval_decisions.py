"""并联审批: all opinions are asked for at once and due together; nobody's silence is consent; objections come once."""

from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from events.approval import (
    ApprovalDecided,
    ApprovalItem,
    ApprovalRoundClosed,
    ApprovalRoundOpened,
    DecideApproval,
    FileOpinion,
    MaterialRequested,
    MaterialSupplied,
    MilestoneReached,
    MissOpinions,
    OpenApproval,
    OpenNextRound,
    Opinion,
    OpinionFiled,
    OpinionMissed,
    Promised,
    ReachMilestone,
    RequestMaterial,
    SupplyMaterial,
)
from events.call import CallIssued
from events.case import CaseClosed, CaseReworkOrdered, Due
from events.district import ApprovalTemplate, District
from events.envelope import Fact, Request
from events.ids import approval_of
from services.command_centre.approval import Approval
from services.decisions import Rejected, SetTimer
from services.rules.book import MILESTONES, RuleBook
from tests.unit.drawn import built
from tests.unit.moments import at
from tests.unit.past import CASE, LIUDU, LIUDU_VILLAGE, MONDAY, REPORT, Past, with_district, words
from tests.unit.test_laws import submit

APPROVAL = approval_of(CASE)
ITEMS = {
    "village-land": "X5",
    "land": "D16",
    "agriculture": "D28",
    "forestry": "D18",
    "transport": "D32",
    "finance": "D30",
    "planning": "D20",
}
DUE = at("2026-12-07 17:30")
"""Ten working days after Monday, 23 November."""

ABOUT = {"case": CASE, "town": LIUDU}
LAW = "《中华人民共和国土地管理法》第四十四条"
BASIS = "《中华人民共和国土地管理法》"
TERMS = words("改线绕开基本农田")
MISS = MissOpinions(approval=APPROVAL, round=1, town=LIUDU)


def opinion(item: str, said: Opinion = "agree", **changes: Any) -> FileOpinion:
    terms = None if said == "agree" else TERMS
    fields: dict[str, Any] = {"case": CASE, "item": item, "opinion": said, "conditions": terms}
    return FileOpinion(approval=APPROVAL, by=f"officer-{ITEMS.get(item)}", **(fields | changes))


def lacks(item: str) -> RequestMaterial:
    return RequestMaterial(approval=APPROVAL, case=CASE, item=item, by="officer", pieces=words("勘测定界图"))


def supplies(item: str) -> SupplyMaterial:
    return SupplyMaterial(approval=APPROVAL, case=CASE, item=item, by="D27")


def again(remedied: Any = TERMS) -> OpenNextRound:
    return OpenNextRound(approval=APPROVAL, case=CASE, by="D27", remedied=remedied)


def decides(decision: Any = "granted", reason: Any = None) -> DecideApproval:
    return DecideApproval(approval=APPROVAL, case=CASE, by="D27", decision=decision, reason=reason)


def reaches(milestone: Any, on: date) -> ReachMilestone:
    return ReachMilestone(approval=APPROVAL, case=CASE, milestone=milestone, on=on, by="D27")


@pytest.fixture
def asked(past: Past) -> Past:
    """A village wishes for a road; everybody is called and asked."""
    past.play(_wish())
    return past


def _wish() -> Request:
    return submit(REPORT, MONDAY, "601", LIUDU_VILLAGE, ())


def standing(past: Past) -> Approval:
    found: Approval = past.states[APPROVAL]
    return found


def all_say(past: Past, said: dict[str, Opinion] | None = None, when: datetime = MONDAY) -> list[Fact]:
    """Every department that is asked gives its opinion; ``said`` is what some say other than yes."""
    items = [code for code, item in standing(past).items.items() if item.opinion is None]
    return [fact for item in items for _, fact in past.do(opinion(item, (said or {}).get(item, "agree")), when)]


def facts(past: Past, kind: type[Fact]) -> list[Any]:
    return [fact for stream, fact in past.facts if stream == APPROVAL and isinstance(fact, kind)]


# opened 启动


def test_the_call_of_a_matter_with_a_template_asks_all_departments_at_once_with_one_due_time(asked: Past) -> None:
    (opened,) = facts(asked, ApprovalRoundOpened)

    assert {item.item: item.department for item in opened.items} == ITEMS
    assert (opened.round, opened.lead, opened.by, opened.asked_at) == (1, "D27", "clock", MONDAY)
    assert opened.due == Due(by=DUE, rule="matter 601 opinions 10wd")
    assert asked.timers[APPROVAL, "opinions"] == SetTimer("opinions", DUE, MISS)


def test_statutory_ceilings_stay_in_sight_and_what_was_promised_is_told_at_once(asked: Past) -> None:
    (opened,) = facts(asked, ApprovalRoundOpened)
    items = {item.item: item for item in opened.items}

    ceiling = Due(by=at("2026-12-21 17:30"), rule="item land statutory 20wd")
    assert items["land"] == ApprovalItem("land", "D16", ceiling, BASIS)
    assert items["finance"].ceiling is None
    assert opened.milestones == (
        Promised("project_approved", Due(by=at("2026-11-30 09:00"), rule="milestone project_approved promised 7d")),
        Promised("permits_complete", Due(by=at("2026-12-23 09:00"), rule="milestone permits_complete promised 30d")),
    )


def test_a_matter_without_a_template_has_no_round(past: Past) -> None:
    past.play(submit(REPORT, MONDAY, "602", LIUDU_VILLAGE, ()))

    assert APPROVAL not in past.states
    refusal = past.refusal(OpenApproval(approval=APPROVAL, case=CASE))
    assert refusal == "matter: expected one with a template (601), found 602"


def test_a_round_is_opened_once_whoever_calls_again(asked: Past) -> None:
    calls = [(stream, fact) for stream, fact in asked.facts if isinstance(fact, CallIssued)]
    lead = next((stream, fact) for stream, fact in calls if any(leg.role == "lead" for leg in fact.legs))

    assert asked.decide(OpenApproval(approval=APPROVAL, case=CASE)) == ()
    called_again = msgspec.structs.replace(lead[1], attempt=2)
    assert [type(request) for request in asked.reactions(lead[0], called_again)].count(OpenApproval) == 0


def test_a_case_that_is_closed_or_unknown_has_no_round_opened(past: Past) -> None:
    request = OpenApproval(approval=APPROVAL, case=CASE)
    assert past.refusal(request).startswith("case: expected one that is open and classified")

    past.do(submit(REPORT, MONDAY, "601", LIUDU_VILLAGE, ()))
    past.settle(tuple(past.facts[-1:]))
    past.states.pop(APPROVAL)
    past.happened(CASE, CaseClosed(reason="refused", by="clerk"))
    assert past.refusal(request).startswith("case: expected one that is open and classified")


@pytest.mark.parametrize(
    ("begins", "due", "permits"),
    [
        ("2026-01-30 10:00", "2026-02-13 17:30", "2026-03-01 10:00"),
        ("2026-02-28 10:00", "2026-03-13 17:30", "2026-03-30 10:00"),
        ("2024-01-30 10:00", "2024-02-18 17:30", "2024-02-29 10:00"),
        ("2026-09-30 16:00", "2026-10-20 17:30", "2026-10-30 16:00"),
    ],
)
def test_due_times_hold_over_month_ends_leap_days_and_holidays(past: Past, begins: str, due: str, permits: str) -> None:
    now = at(begins)
    past.play(_wish(), now)

    (opened,) = facts(past, ApprovalRoundOpened)
    limits = {one.milestone: one.limit.by for one in opened.milestones}
    assert (opened.due.by, limits["permits_complete"]) == (at(due), at(permits))


def test_no_round_lasts_longer_than_the_law_lets_any_department_take(rules: RuleBook) -> None:
    def change(district: District) -> dict[str, Any]:
        (template,) = district.approvals
        changed: ApprovalTemplate = msgspec.structs.replace(template, due="20wd")
        return {"approvals": (changed,)}

    past = Past(with_district(rules, change))
    past.play(_wish())
    all_say(past, {"land": "object"}, MONDAY)
    past.do(again(), at("2026-11-30 09:00"))

    second = facts(past, ApprovalRoundOpened)[1]
    assert second.due == Due(by=at("2026-12-21 17:30"), rule="item land statutory 20wd")


# opinions 出具意见


@pytest.mark.parametrize("said", ["agree", "agree_with_conditions", "object"])
def test_a_department_files_its_opinion_with_its_legal_basis(asked: Past, said: Opinion) -> None:
    filed = OpinionFiled(
        **ABOUT,
        round=1,
        item="land",
        department="D16",
        by="officer-D16",
        opinion=said,
        legal_basis=BASIS,
        conditions=None if said == "agree" else TERMS,
    )

    assert asked.decide(opinion("land", said)) == ((APPROVAL, filed),)
    (named,) = asked.facts_of(opinion("land", said, legal_basis=LAW))
    assert isinstance(named, OpinionFiled)
    assert named.legal_basis == LAW


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (opinion("water"), "item: expected one of village-land, land, agriculture"),
        (
            opinion("land", "object", conditions=None),
            "conditions: expected what the consent depends on or would remedy",
        ),
        (opinion("land", "agree_with_conditions", conditions=None), "conditions: expected what the consent depends"),
        (opinion("land", case=approval_of("x")), f"case: expected {CASE}, whose approval this is"),
        (opinion("land", new_facts=TERMS), "new_facts: expected an objection, after the round is closed"),
        (supplies("land"), "item: expected one for which material was requested, found land without a request"),
        (again(), "expected a round that is closed, found round 1 open"),
        (decides(), "expected a round that is closed, found round 1 open"),
    ],
)
def test_what_nobody_may_ask_while_a_round_is_open(asked: Past, request_: Request, refusal: str) -> None:
    assert asked.refusal(request_).startswith(refusal)


def test_an_objection_names_the_law_when_the_template_names_none(rules: RuleBook) -> None:
    def change(district: District) -> dict[str, Any]:
        (template,) = district.approvals
        bare = tuple(msgspec.structs.replace(item, basis="") for item in template.items)
        return {"approvals": (msgspec.structs.replace(template, items=bare),)}

    past = Past(with_district(rules, change))
    past.play(_wish())

    assert past.refusal(opinion("land", "object")).startswith("legal_basis: expected the law by which a department")
    assert past.facts_of(opinion("land", "object", legal_basis=LAW))


@pytest.mark.parametrize(
    "basis", ["因为不行", "《法》", "《土地管理法》电话13800138000", "《土地管理法》\n", "土地管理法"]
)
def test_a_legal_basis_is_a_law_and_nothing_else(basis: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**msgspec.to_builtins(opinion("land")), "legal_basis": basis}, FileOpinion)


def test_one_opinion_counts_for_an_item_and_a_round(asked: Past) -> None:
    asked.do(opinion("land"))

    assert asked.decide(opinion("land")) == ()
    assert asked.refusal(opinion("land", "object")).startswith("item: expected one without an opinion, found land with")


def test_the_round_closes_as_soon_as_everybody_has_spoken(asked: Past) -> None:
    said = all_say(asked, {"forestry": "agree_with_conditions"})

    assert said[-1] == ApprovalRoundClosed(**ABOUT, round=1, outcome="approved")
    assert (APPROVAL, "opinions") not in asked.timers


def test_a_round_with_an_objection_closes_as_objected_and_says_to_what(asked: Past) -> None:
    said = all_say(asked, {"land": "object", "forestry": "object"})

    assert said[-1] == ApprovalRoundClosed(**ABOUT, round=1, outcome="objected", objected=("land", "forestry"))


# material 一次性告知


def test_all_that_is_lacking_is_said_once_and_the_due_time_stays(asked: Past) -> None:
    requested = MaterialRequested(
        **ABOUT, round=1, item="land", department="D16", by="officer", pieces=words("勘测定界图")
    )

    assert asked.do(lacks("land")) == ((APPROVAL, requested),)
    assert asked.refusal(lacks("land")).startswith("item: expected one request in a round that says all, found one")
    assert asked.timers[APPROVAL, "opinions"].due == DUE


def test_what_was_lacking_is_supplied_once(asked: Past) -> None:
    asked.do(lacks("land"))
    supplied = MaterialSupplied(**ABOUT, round=1, item="land", department="D16", by="D27")

    assert asked.do(supplies("land")) == ((APPROVAL, supplied),)
    assert asked.decide(supplies("land")) == ()


def test_who_has_spoken_asks_for_no_material_and_nobody_does_after_the_round(asked: Past) -> None:
    asked.do(opinion("land"))
    assert asked.refusal(lacks("land")).startswith("item: expected one without an opinion, found land with agree")

    asked.do(MISS, DUE)
    assert asked.refusal(lacks("forestry")) == "expected a round that is open, found round 1 closed"


def test_a_new_round_may_lack_something_new(asked: Past) -> None:
    asked.do(lacks("land"))
    all_say(asked, {"land": "object"})
    asked.do(again())

    assert asked.facts_of(lacks("land"))


# missed 逾期未出具意见


def test_silence_is_no_consent_and_is_told_to_who_is_on_duty(asked: Past) -> None:
    for item in ITEMS.keys() - {"land", "village-land"}:
        asked.do(opinion(item))
    due = Due(by=DUE, rule="matter 601 opinions 10wd")

    missed = asked.facts_of(MISS, DUE)

    about = {**ABOUT, "round": 1, "due": due, "post": "platform_head"}
    assert missed == [
        OpinionMissed(**about, item="village-land", department="X5", person="head-P6"),
        OpinionMissed(**about, item="land", department="D16", person="head-P4"),
        ApprovalRoundClosed(**ABOUT, round=1, outcome="incomplete", missing=("village-land", "land")),
    ]


def test_a_post_at_which_nobody_is_on_duty_is_skipped(rules: RuleBook) -> None:
    def nobody_at(*posts: str) -> RuleBook:
        def change(district: District) -> dict[str, Any]:
            return {"duties": tuple(duty for duty in district.duties if duty.post not in posts)}

        return with_district(rules, change)

    def told(under: RuleBook) -> set[tuple[str, str]]:
        past = Past(under)
        past.play(_wish())
        return {(fact.post, fact.person) for fact in past.facts_of(MISS, DUE) if isinstance(fact, OpinionMissed)}

    assert told(nobody_at("platform_head")) == {("command_centre", "command-centre")}
    assert told(nobody_at("platform_head", "command_centre")) == {("", "")}


def test_a_late_opinion_is_accepted_and_marked_late(asked: Past) -> None:
    asked.do(MISS, DUE)

    (filed,) = asked.facts_of(opinion("land"), DUE + timedelta(hours=1))

    assert isinstance(filed, OpinionFiled)
    assert (filed.late, filed.round) == (True, 1)


def test_late_opinions_complete_what_can_then_be_granted(asked: Past) -> None:
    asked.do(MISS, DUE)
    assert asked.refusal(decides()).startswith("expected every opinion, and no objection, found it incomplete")

    all_say(asked, when=DUE + timedelta(days=1))

    assert len(facts(asked, ApprovalRoundClosed)) == 1
    assert asked.facts_of(decides(), DUE + timedelta(days=2))


def test_the_clock_misses_nothing_in_a_round_that_is_over(asked: Past) -> None:
    all_say(asked)
    assert asked.decide(MISS, DUE) == ()

    asked.states.pop(APPROVAL)
    assert asked.refusal(MISS, DUE) == "approval: expected a round that was opened, found none for this case"


# a second round 第二轮


def test_only_what_was_objected_to_or_not_answered_is_asked_again(asked: Past) -> None:
    asked.do(opinion("forestry", "object"))
    for item in ITEMS.keys() - {"forestry", "land"}:
        asked.do(opinion(item))
    asked.do(MISS, DUE)

    ((_, opened),) = asked.do(again(), DUE + timedelta(days=1))

    assert isinstance(opened, ApprovalRoundOpened)
    assert (opened.round, [item.item for item in opened.items], opened.remedied) == (2, ["land", "forestry"], TERMS)
    assert opened.milestones == ()
    assert asked.timers[APPROVAL, "opinions"].request == MissOpinions(approval=APPROVAL, round=2, town=LIUDU)
    assert {code for code, item in standing(asked).items.items() if item.settled} == ITEMS.keys() - {"land", "forestry"}
    assert asked.decide(MISS, DUE + timedelta(days=1)) == ()


def test_a_second_round_after_an_objection_says_what_was_changed(asked: Past) -> None:
    all_say(asked, {"land": "object"})

    assert asked.refusal(again(None)) == "remedied: expected what was changed for land, found none"


def test_whom_nobody_answered_is_asked_again_without_a_change(asked: Past) -> None:
    asked.do(MISS, DUE)

    assert asked.facts_of(again(None), DUE)


def test_what_everybody_agrees_to_is_not_asked_again(asked: Past) -> None:
    all_say(asked)

    assert asked.refusal(again()).startswith("expected an objection or a missing opinion, found that everybody agrees")


def test_who_agreed_in_a_closed_round_objects_only_because_of_new_facts(asked: Past) -> None:
    all_say(asked)
    assert "only because of new facts" in asked.refusal(opinion("land", "object"))

    (revised,) = asked.facts_of(opinion("land", "object", new_facts=words("新测绘")))
    asked.happened(APPROVAL, revised)

    assert isinstance(revised, OpinionFiled)
    assert not revised.late
    assert asked.refusal(decides()) == "expected every opinion, and no objection, found it objected: land"
    assert asked.facts_of(again())


def test_who_agreed_in_the_first_round_objects_in_a_later_one_about_what_was_asked_first(asked: Past) -> None:
    all_say(asked, {"land": "object"})
    asked.do(again())
    asked.do(opinion("land"))

    (revised,) = asked.facts_of(opinion("transport", "object", new_facts=words("新测绘")))

    assert isinstance(revised, OpinionFiled)
    assert revised.round == 1


# decided 决定


def test_what_everybody_agrees_to_is_granted_once(asked: Past) -> None:
    all_say(asked)

    assert asked.do(decides()) == (
        (APPROVAL, ApprovalDecided(**ABOUT, round=1, decision="granted", by="D27", on=MONDAY.date())),
    )
    assert asked.decide(decides()) == ()
    assert asked.refusal(decides("refused", TERMS)) == "expected an approval that is not decided, found it granted"


@pytest.mark.parametrize("said", [{"land": "object"}, {}])
def test_nothing_is_granted_against_an_objection_or_without_an_opinion(asked: Past, said: dict[str, Opinion]) -> None:
    if said:
        all_say(asked, said)
    else:
        asked.do(MISS, DUE)

    assert asked.refusal(decides()).startswith("expected every opinion, and no objection, found it ")
    assert asked.refusal(decides("refused")) == "reason: expected why it is refused, found none"
    (refused,) = asked.facts_of(decides("refused", TERMS))
    assert refused == ApprovalDecided(**ABOUT, round=1, decision="refused", by="D27", on=MONDAY.date(), reason=TERMS)


def test_nothing_is_said_about_what_is_decided(asked: Past) -> None:
    asked.do(MISS, DUE)
    asked.do(decides("refused", TERMS), DUE)

    refusal = "expected an approval that is not decided, found it refused"
    for request in (opinion("land"), lacks("land"), again()):
        assert asked.refusal(request, DUE) == refusal
    assert asked.refusal(reaches("project_approved", DUE.date()), DUE).startswith("expected a project that was not")


# milestones 里程碑


def test_a_project_is_approved_within_a_week_or_late_to_the_day(asked: Past) -> None:
    def in_time(on: date) -> Any:
        (reached,) = asked.facts_of(reaches("project_approved", on), DUE)
        assert isinstance(reached, MilestoneReached)
        return reached.in_time

    assert in_time(date(2026, 11, 30)) is True
    assert in_time(date(2026, 12, 1)) is False


def test_milestones_follow_each_other_and_nothing_is_built_before_it_is_permitted(asked: Past) -> None:
    on = date(2026, 11, 27)
    later = at("2027-06-01 09:00")
    assert asked.refusal(reaches("permits_complete", on), later).startswith(
        "milestone: expected permits_complete after"
    )
    all_say(asked)
    asked.do(decides())
    assert asked.refusal(reaches("works_begun", on), later) == (
        "milestone: expected project_approved first, found it not reached"
    )

    for days, milestone in enumerate(MILESTONES):
        asked.do(reaches(milestone, on + timedelta(days=days)), later)

    assert [fact.milestone for fact in facts(asked, MilestoneReached)] == list(MILESTONES)
    assert [fact.in_time for fact in facts(asked, MilestoneReached)] == [True, True, None, None]


@pytest.mark.parametrize(
    ("on", "refusal"),
    [
        (date(2026, 11, 22), "on: expected 2026-11-23, when the departments were asked, or a later day"),
        (date(2026, 11, 24), "on: expected a day that has come, found 2026-11-24"),
    ],
)
def test_a_milestone_is_reached_between_the_asking_and_today(asked: Past, on: date, refusal: str) -> None:
    assert asked.refusal(reaches("project_approved", on)).startswith(refusal)


def test_nothing_is_permitted_on_a_day_before_it_was_granted(asked: Past) -> None:
    all_say(asked)
    asked.do(reaches("project_approved", MONDAY.date()), DUE)
    asked.do(decides(), DUE)

    early = reaches("permits_complete", DUE.date() - timedelta(days=1))
    assert asked.refusal(early, DUE).startswith("on: expected 2026-12-07, when it was granted, or a later day")
    assert asked.facts_of(reaches("permits_complete", DUE.date()), DUE)


def test_a_milestone_is_reached_once(asked: Past) -> None:
    asked.do(reaches("project_approved", MONDAY.date()))

    assert asked.decide(reaches("project_approved", MONDAY.date())) == ()
    other = reaches("project_approved", date(2026, 11, 24))
    assert asked.refusal(other, DUE).startswith(
        "milestone: expected one not reached, found project_approved reached on"
    )


def test_whatever_becomes_of_the_case_its_project_goes_on(asked: Past) -> None:
    asked.happened(CASE, CaseReworkOrdered(attempt=1, matter="601", town=LIUDU, report="r"))

    all_say(asked)

    assert asked.facts_of(decides())


# laws 任何次序

BY_NAME = {
    "approval": st.just(APPROVAL),
    "case": st.sampled_from([CASE, CASE, CASE, APPROVAL]),
    "item": st.sampled_from([*ITEMS, "water"]),
    "round": st.integers(1, 3),
    "town": st.just(LIUDU),
    "legal_basis": st.sampled_from(["", LAW]),
    "on": st.dates(date(2026, 11, 22), date(2027, 3, 1)),
    "by": st.just("somebody"),
    "reason": st.one_of(st.none(), st.just(TERMS)),
    "conditions": st.one_of(st.none(), st.just(TERMS)),
    "new_facts": st.one_of(st.none(), st.just(TERMS)),
    "remedied": st.one_of(st.none(), st.just(TERMS)),
    "pieces": st.just(TERMS),
}
OF_PEOPLE = (FileOpinion, RequestMaterial, SupplyMaterial, OpenNextRound, DecideApproval, ReachMilestone, MissOpinions)


class AnyOrder(RuleBasedStateMachine):
    """Whoever says whatever and whenever about a road."""

    def __init__(self, rules: RuleBook) -> None:
        super().__init__()
        self.past = Past(rules)
        self.now = MONDAY

    @initialize(spoken=st.sets(st.sampled_from(list(ITEMS))), objecting=st.sets(st.sampled_from(list(ITEMS))))
    def begin(self, spoken: set[str], objecting: set[str]) -> None:
        self.past.play(_wish())
        for item in sorted(spoken):
            self.ask(opinion(item, "object" if item in objecting else "agree"))

    @rule(request=st.one_of(*(built(kind, BY_NAME) for kind in OF_PEOPLE)))
    def ask(self, request: Request) -> None:
        try:
            appends = self.past.do(request, self.now)
        except Rejected as rejected:
            note(f"rejected: {rejected}")
            return
        if appends:
            assert self.past.refusal(request, self.now) or self.past.decide(request, self.now) == ()

    @rule(after=st.timedeltas(timedelta(0), timedelta(days=20)))
    def wait(self, after: timedelta) -> None:
        self.now += after
        timer = self.past.timers.get((APPROVAL, "opinions"))
        if timer is not None and timer.due <= self.now:
            del self.past.timers[APPROVAL, "opinions"]
            self.past.do(timer.request, self.now)

    @invariant()
    def nobody_consents_by_silence(self) -> None:
        for position, (stream, fact) in enumerate(self.past.facts):
            if stream == APPROVAL and isinstance(fact, ApprovalDecided) and fact.decision == "granted":
                said: dict[str, str] = {}
                for _, earlier in self.past.facts[:position]:
                    if isinstance(earlier, OpinionFiled):
                        said[earlier.item] = earlier.opinion
                assert said.keys() == ITEMS.keys()
                assert "object" not in said.values()

    @invariant()
    def there_is_one_opinion_for_each_item_and_round_but_for_new_facts(self) -> None:
        filed = [(fact.round, fact.item) for fact in facts(self.past, OpinionFiled) if fact.new_facts is None]
        assert len(filed) == len(set(filed))

    @invariant()
    def a_clock_runs_for_a_round_that_is_open_and_for_no_other(self) -> None:
        if APPROVAL in self.past.states:
            overdue = standing(self.past).opened.due.by <= self.now
            assert ((APPROVAL, "opinions") in self.past.timers) == standing(self.past).open or overdue

    @invariant()
    def rounds_close_in_order_and_once(self) -> None:
        closed = [fact.round for fact in facts(self.past, ApprovalRoundClosed)]
        opened = [fact.round for fact in facts(self.past, ApprovalRoundOpened)]
        assert opened == list(range(1, len(opened) + 1))
        assert closed == opened[: len(closed)]


def test_opinions_in_any_order_are_taken_or_refused_and_silence_never_counts(rules: RuleBook) -> None:
    run_state_machine_as_test(
        lambda: AnyOrder(rules), settings=settings(max_examples=80, stateful_step_count=30, deadline=None)
    )
