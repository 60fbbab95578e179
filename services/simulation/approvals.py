"""Plays the opinions that departments are asked for all at once, a second round, and what is built in the end."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from events.approval import (
    ApprovalDecided,
    ApprovalItem,
    ApprovalRoundClosed,
    ApprovalRoundOpened,
    DecideApproval,
    FileOpinion,
    OpenNextRound,
    Opinion,
    ReachMilestone,
    RequestMaterial,
    SupplyMaterial,
)
from events.district import Milestone
from events.envelope import Recorded
from services.decisions import Later, Reaction
from services.rules.book import RuleBook
from services.rules.calendar import SHANGHAI
from services.simulation.people import Dice, after

SAYS_NOTHING, OBJECTS, ON_CONDITIONS, LACKS_SOMETHING = 0.06, 0.08, 0.2, 0.15
"""Of a first round; in a later one everybody speaks, and nobody objects."""

DAY_MINUTES = 24 * 60
WORDS: Mapping[Opinion, str | None] = {
    "agree": None,
    "agree_with_conditions": "施工时做好排水，工完场清。",
    "object": "线路占用永久基本农田，请调整走向。",
}


def reactions(dice: Dice) -> Mapping[str, Reaction]:
    """What they do after which facts."""

    def speak(recorded: Recorded, fact: ApprovalRoundOpened, rules: RuleBook) -> tuple[Later, ...]:
        acts = [act for item in fact.items for act in _of_item(dice, recorded, fact, item)]
        if fact.round == 1:
            at = _within(recorded, fact, 0.2 + 0.15 * dice.share("project", recorded.id))
            acts.append(_reach(recorded.stream, fact.case, "project_approved", at, fact.lead))
        return tuple(acts)

    def go_on(recorded: Recorded, fact: ApprovalRoundClosed, rules: RuleBook) -> tuple[Later, ...]:
        about = {"approval": recorded.stream, "case": fact.case, "by": f"{fact.town[-3:]}-centre"}
        minutes = dice.skewed(DAY_MINUTES, 3 * DAY_MINUTES, "after the round", recorded.id)
        if fact.outcome == "approved":
            return (after(recorded, minutes=minutes, request=DecideApproval(**about, decision="granted")),)
        return (after(recorded, minutes=minutes, request=OpenNextRound(**about, remedied="已按意见调整线路。")),)

    def build(recorded: Recorded, fact: ApprovalDecided, rules: RuleBook) -> tuple[Later, ...]:
        if fact.decision != "granted":
            return ()
        days = 0.0
        acts = []
        steps: tuple[tuple[Milestone, int, int], ...] = (
            ("permits_complete", 2, 5),
            ("works_begun", 14, 30),
            ("open_to_traffic", 100, 160),
        )
        for milestone, median, p90 in steps:
            days += dice.skewed(median, p90, milestone, recorded.id)
            at = recorded.meta.recorded_at + timedelta(days=days)
            acts.append(_reach(recorded.stream, fact.case, milestone, at, fact.by))
        return tuple(acts)

    return {
        "approval.round-opened.v1": speak,
        "approval.round-closed.v1": go_on,
        "approval.decided.v1": build,
    }


def _of_item(dice: Dice, recorded: Recorded, fact: ApprovalRoundOpened, item: ApprovalItem) -> list[Later]:
    """Everything that one department will do about its item, in order."""
    about = (recorded.id, item.item)
    officer = f"{fact.town[-3:]}-{item.department}-{1 + int(3 * dice.share('officer', *about))}"
    asked = {"approval": recorded.stream, "case": fact.case, "item": item.item}
    acts: list[Later] = []
    first = fact.round == 1
    if first and dice.happens(LACKS_SOMETHING, "lacks", *about):
        at = _within(recorded, fact, 0.05 + 0.1 * dice.share("lacks at", *about))
        acts.append(Later(at, RequestMaterial(**asked, by=officer, pieces="勘测定界图、村民会议决议。")))
        at = _within(recorded, fact, 0.2 + 0.15 * dice.share("supplied at", *about))
        acts.append(Later(at, SupplyMaterial(**asked, by=f"{fact.town[-3:]}-{fact.lead}-1")))
    if first and dice.happens(SAYS_NOTHING, "says nothing", *about):
        return acts
    share = dice.share("opinion", *about)
    objects = first and share < OBJECTS
    opinion: Opinion = "object" if objects else "agree_with_conditions" if share > 1 - ON_CONDITIONS else "agree"
    filed = FileOpinion(
        **asked,
        by=officer,
        opinion=opinion,
        legal_basis="《中华人民共和国土地管理法》" if objects and not item.basis else "",
        conditions=WORDS[opinion],
    )
    return [*acts, Later(_within(recorded, fact, 0.4 + 0.5 * dice.share("opinion at", *about)), filed)]


def _reach(approval: str, case: str, milestone: Milestone, at: datetime, by: str) -> Later:
    on = at.astimezone(SHANGHAI).date()
    return Later(at, ReachMilestone(approval=approval, case=case, milestone=milestone, on=on, by=by))


def _within(recorded: Recorded, fact: ApprovalRoundOpened, share: float) -> datetime:
    """When this share of the round's time has passed."""
    return recorded.meta.recorded_at + share * (fact.due.by - recorded.meta.recorded_at)
