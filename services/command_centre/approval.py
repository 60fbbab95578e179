"""The approval's stream: rounds of opinions asked for at once, a decision, and how far the project gets.

Source: the reform of Yun'an, in which the departments raise their objections together. That nobody's silence is
consent, and that who agreed objects later only because of new facts, are our defaults.
"""

from datetime import date, datetime
from typing import Any, assert_never

from msgspec import Struct, structs

from events.approval import (
    ApprovalDecided,
    ApprovalItem,
    ApprovalRoundClosed,
    ApprovalRoundOpened,
    DecideApproval,
    Decision,
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
    RoundOutcome,
    SupplyMaterial,
)
from events.case import Due
from events.district import Milestone
from events.envelope import Fact
from events.private import sealed
from services.command_centre.case import Case
from services.decisions import Append, ClearTimer, Rejected, SetTimer
from services.people.roster import Roster, answers
from services.rules.book import MILESTONES, RuleBook
from services.rules.calendar import SHANGHAI

Facts = (
    ApprovalRoundOpened
    | OpinionFiled
    | MaterialRequested
    | MaterialSupplied
    | OpinionMissed
    | ApprovalRoundClosed
    | ApprovalDecided
    | MilestoneReached
)
OfPeople = FileOpinion | RequestMaterial | SupplyMaterial | OpenNextRound | DecideApproval | ReachMilestone

CLOCK = "clock"
"""Who opens the first round, and closes one at its due time."""

TIMER = "opinions"


class Item(Struct, frozen=True):
    """One department's item as it stands: what it said and lacks in the last ``round`` in which it was asked."""

    asked: ApprovalItem
    round: int = 1
    opinion: Opinion | None = None
    lacking: bool = False
    supplied: bool = False

    @property
    def settled(self) -> bool:
        """Whether it stands and is not asked about again."""
        return self.opinion in ("agree", "agree_with_conditions")


class Approval(Struct, frozen=True):
    """An approval as it stands. ``opened`` opened the present round; ``began`` is when the first was opened (UTC)."""

    opened: ApprovalRoundOpened
    began: datetime
    items: dict[str, Item]
    limits: dict[Milestone, Due]
    open: bool = True
    decision: Decision | None = None
    decided_on: date | None = None
    reached: dict[Milestone, date] = {}

    @property
    def outcome(self) -> RoundOutcome:
        """What the opinions come to, all rounds together."""
        opinions = [item.opinion for item in self.items.values()]
        return "incomplete" if None in opinions else "objected" if "object" in opinions else "approved"

    def of(self, opinion: Opinion | None) -> tuple[str, ...]:
        """The items that have this opinion, or none."""
        return tuple(code for code, item in self.items.items() if item.opinion == opinion)

    @property
    def about(self) -> dict[str, Any]:
        """What every fact of it says."""
        return {"case": self.opened.case, "town": self.opened.town}

    def about_item(self, code: str) -> dict[str, Any]:
        """What every fact about one item says."""
        item = self.items[code]
        return {**self.about, "round": item.round, "item": code, "department": item.asked.department}


def evolve(state: Approval | None, fact: Facts) -> Approval:
    """Fold one fact of an approval's stream."""
    if isinstance(fact, ApprovalRoundOpened):
        items = {asked.item: Item(asked, fact.round) for asked in fact.items}
        if state is None:
            limits = {promised.milestone: promised.limit for promised in fact.milestones}
            return Approval(fact, fact.asked_at, items, limits)
        return structs.replace(state, opened=fact, items={**state.items, **items}, open=True)
    assert state is not None, "an approval begins with its first round"
    match fact:
        case OpinionFiled():
            return _with(state, fact.item, opinion=fact.opinion)
        case MaterialRequested():
            return _with(state, fact.item, lacking=True)
        case MaterialSupplied():
            return _with(state, fact.item, supplied=True)
        case OpinionMissed():
            return state
        case ApprovalRoundClosed():
            return structs.replace(state, open=False)
        case ApprovalDecided():
            return structs.replace(state, decision=fact.decision, decided_on=fact.on)
        case MilestoneReached():
            return structs.replace(state, reached={**state.reached, fact.milestone: fact.on})
        case _:
            assert_never(fact)


def decide_open(
    states: tuple[Approval | None, Case | None], request: OpenApproval, now: datetime, rules: RuleBook
) -> tuple[Append, ...]:
    """Ask all departments of the matter's template at once. A matter without a template has no such round."""
    state, case = states
    if state is not None:
        return ()
    if case is None or not case.matter or case.phase == "closed":
        raise Rejected("case: expected one that is open and classified, found another")
    template = rules.approvals.get(case.matter)
    if needed := rules.needed_of(case.town, rules.matter(case.matter), case.recused):
        raise Rejected(f"case: expected one whose matter can do without who is recused, found {needed}")
    if template is None:
        raise Rejected(f"matter: expected one with a template ({', '.join(rules.approvals)}), found {case.matter}")
    items = tuple(
        ApprovalItem(item.code, item.department, rules.ceiling(item, now), item.basis) for item in template.items
    )
    opened = ApprovalRoundOpened(
        case=request.case,
        town=case.town,
        matter=case.matter,
        village=case.village,
        lead=rules.matter(case.matter).lead,
        round=1,
        items=items,
        asked_at=now,
        due=_due(rules.opinions_due(template, now), items, now),
        by=CLOCK,
        milestones=tuple(Promised(*promised) for promised in rules.promised_milestones(template, now).items()),
    )
    return ((request.approval, opened),)


def decide(state: Approval | None, request: OfPeople, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    """What people ask of an approval whose first round was opened."""
    state = _known(state)
    if request.case != state.opened.case:
        raise Rejected(f"case: expected {state.opened.case}, whose approval this is, found {request.case}")
    match request:
        case FileOpinion():
            return _file(state, request, now)
        case RequestMaterial():
            return _request_material(state, request)
        case SupplyMaterial():
            return _supply(state, request)
        case OpenNextRound():
            return _open_next(state, request, now, rules)
        case DecideApproval():
            return _decide(state, request, now)
        case ReachMilestone():
            return _reach(state, request, now)
        case _:
            assert_never(request)


def miss(
    states: tuple[Approval | None, Roster | None], request: MissOpinions, now: datetime, rules: RuleBook
) -> tuple[Append, ...]:
    """Close a round at its due time, and tell of each missing opinion whoever answers for the department's platform."""
    state, roster = _known(states[0]), states[1]
    opened = state.opened
    if not state.open or request.round != opened.round:
        return ()
    missed = []
    for code in state.of(None):
        platform = rules.platform_of(state.items[code].asked.department, rules.matter(opened.matter))
        post, person = _told(roster, opened.town, platform, now, rules)
        missed.append(OpinionMissed(**state.about_item(code), due=opened.due, post=post, person=person))
    return tuple((request.approval, fact) for fact in (*missed, _closed(state)))


def timers(stream: str, fact: Facts) -> tuple[SetTimer | ClearTimer, ...]:
    """All opinions of a round are due at one moment."""
    match fact:
        case ApprovalRoundOpened():
            return (SetTimer(TIMER, fact.due.by, MissOpinions(approval=stream, round=fact.round, town=fact.town)),)
        case ApprovalRoundClosed():
            return (ClearTimer(TIMER),)
        case _:
            return ()


def _file(state: Approval, request: FileOpinion, now: datetime) -> tuple[Fact, ...]:
    item = _item(state, request.item)
    _undecided(state)
    revised = request.new_facts is not None
    if revised:
        _check_new_facts(state, item, request)
    elif item.opinion is not None:
        if item.opinion == request.opinion == "agree":
            return ()
        raise Rejected(
            f"item: expected one without an opinion, found {request.item} with {item.opinion}: all is said at once, and"
            " who agreed objects later only because of new facts"
        )
    if request.opinion != "agree" and request.conditions is None:
        raise Rejected("conditions: expected what the consent depends on or would remedy the objection, found none")
    basis = request.legal_basis or item.asked.basis
    if request.opinion == "object" and not basis:
        raise Rejected("legal_basis: expected the law by which a department objects, found none")
    filed = OpinionFiled(
        **state.about_item(request.item),
        by=request.by,
        opinion=request.opinion,
        legal_basis=basis,
        conditions=sealed(request.conditions) if request.conditions is not None else None,
        new_facts=sealed(request.new_facts) if request.new_facts is not None else None,
        late=not revised and now > state.opened.due.by,
    )
    after = evolve(state, filed)
    return (filed, _closed(after)) if state.open and after.outcome != "incomplete" else (filed,)


def _check_new_facts(state: Approval, item: Item, request: FileOpinion) -> None:
    if request.opinion != "object" or not item.settled or state.open:
        raise Rejected(
            "new_facts: expected an objection, after the round is closed, to what the department had agreed to, found"
            f" {request.opinion} on {request.item} with {item.opinion or 'no opinion'}"
        )


def _request_material(state: Approval, request: RequestMaterial) -> tuple[Fact, ...]:
    item = _item(state, request.item)
    _undecided(state)
    if not state.open:
        raise Rejected(f"expected a round that is open, found round {state.opened.round} closed")
    if item.opinion is not None:
        raise Rejected(f"item: expected one without an opinion, found {request.item} with {item.opinion}")
    if item.lacking:
        raise Rejected(f"item: expected one request in a round that says all, found one about {request.item} already")
    return (MaterialRequested(**state.about_item(request.item), by=request.by, pieces=sealed(request.pieces)),)


def _supply(state: Approval, request: SupplyMaterial) -> tuple[Fact, ...]:
    item = _item(state, request.item)
    if item.supplied:
        return ()
    _undecided(state)
    if not item.lacking:
        raise Rejected(f"item: expected one for which material was requested, found {request.item} without a request")
    return (MaterialSupplied(**state.about_item(request.item), by=request.by),)


def _open_next(state: Approval, request: OpenNextRound, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    _undecided(state)
    if state.open:
        raise Rejected(f"expected a round that is closed, found round {state.opened.round} open")
    again = tuple(item.asked for item in state.items.values() if not item.settled)
    if not again:
        raise Rejected("expected an objection or a missing opinion, found that everybody agrees: decide it")
    if state.of("object") and request.remedied is None:
        raise Rejected(f"remedied: expected what was changed for {', '.join(state.of('object'))}, found none")
    template = rules.approvals.get(state.opened.matter)
    if template is None:
        raise Rejected(f"matter: expected one with a template, found {state.opened.matter} without one now")
    opened = ApprovalRoundOpened(
        **state.about,
        matter=state.opened.matter,
        village=state.opened.village,
        lead=state.opened.lead,
        round=state.opened.round + 1,
        items=again,
        asked_at=now,
        due=_due(rules.opinions_due(template, now), again, now),
        by=request.by,
        remedied=sealed(request.remedied) if request.remedied is not None else None,
    )
    return (opened,)


def _decide(state: Approval, request: DecideApproval, now: datetime) -> tuple[Fact, ...]:
    if state.decision == request.decision:
        return ()
    _undecided(state)
    if state.open:
        raise Rejected(f"expected a round that is closed, found round {state.opened.round} open")
    if request.decision == "granted" and state.outcome != "approved":
        unsettled = ", ".join((*state.of("object"), *state.of(None)))
        raise Rejected(f"expected every opinion, and no objection, found it {state.outcome}: {unsettled}")
    if request.decision == "refused" and request.reason is None:
        raise Rejected("reason: expected why it is refused, found none")
    reason = sealed(request.reason) if request.reason is not None else None
    decided = ApprovalDecided(
        **state.about,
        round=state.opened.round,
        decision=request.decision,
        by=request.by,
        on=now.astimezone(SHANGHAI).date(),
        reason=reason,
    )
    return (decided,)


def _reach(state: Approval, request: ReachMilestone, now: datetime) -> tuple[Fact, ...]:
    milestone, on = request.milestone, request.on
    if state.reached.get(milestone) == on:
        return ()
    if milestone in state.reached:
        raise Rejected(f"milestone: expected one not reached, found {milestone} reached on {state.reached[milestone]}")
    if state.decision == "refused":
        raise Rejected("expected a project that was not refused, found it refused")
    if on > now.astimezone(SHANGHAI).date():
        raise Rejected(f"on: expected a day that has come, found {on}")
    if milestone != "project_approved" and state.decision != "granted":
        raise Rejected(f"milestone: expected {milestone} after the decision, found nothing decided: 未批不得先建")
    _check_order(state, milestone, on)
    limit = state.limits.get(milestone)
    in_time = on <= limit.by.astimezone(SHANGHAI).date() if limit is not None else None
    return (MilestoneReached(**state.about, milestone=milestone, on=on, by=request.by, limit=limit, in_time=in_time),)


def _check_order(state: Approval, milestone: Milestone, on: date) -> None:
    """Milestones follow each other; nothing is built before it is permitted."""
    earlier = MILESTONES[: MILESTONES.index(milestone)]
    missing = [before for before in earlier if before not in state.reached]
    if missing:
        raise Rejected(f"milestone: expected {missing[0]} first, found it not reached")
    days = [(state.began.astimezone(SHANGHAI).date(), "the departments were asked")]
    days += [(state.reached[before], f"{before} was reached") for before in earlier]
    if earlier and state.decided_on is not None:
        days.append((state.decided_on, "it was granted"))
    last, what = max(days)
    if on < last:
        raise Rejected(f"on: expected {last}, when {what}, or a later day, found {on}")


def _due(ordinary: Due, items: tuple[ApprovalItem, ...], now: datetime) -> Due:
    """When all opinions are due: never later than the statutory limit of any that is asked for and still ahead."""
    ceilings = (item.ceiling for item in items)
    return min((ordinary, *(due for due in ceilings if due is not None and due.by > now)), key=lambda due: due.by)


def _told(roster: Roster | None, town: str, platform: str, now: datetime, rules: RuleBook) -> tuple[str, str]:
    """The first post of the ladder for which somebody answers, and who; both empty when nobody does for any."""
    for step in rules.district.ladder:
        person = answers(roster, step.post, town, platform, now, rules)
        if person:
            return step.post, person
    return "", ""


def _closed(state: Approval) -> ApprovalRoundClosed:
    round_ = state.opened.round
    return ApprovalRoundClosed(
        **state.about, round=round_, outcome=state.outcome, objected=state.of("object"), missing=state.of(None)
    )


def _known(state: Approval | None) -> Approval:
    if state is None:
        raise Rejected("approval: expected a round that was opened, found none for this case")
    return state


def _item(state: Approval, code: str) -> Item:
    item = state.items.get(code)
    if item is None:
        raise Rejected(f"item: expected one of {', '.join(state.items)}, found {code}")
    return item


def _undecided(state: Approval) -> None:
    if state.decision is not None:
        raise Rejected(f"expected an approval that is not decided, found it {state.decision}")


def _with(state: Approval, code: str, **changes: object) -> Approval:
    return structs.replace(state, items={**state.items, code: structs.replace(state.items[code], **changes)})
