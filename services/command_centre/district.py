"""区级: a town calls the district by the launch list or a waiver, and the district may hand the case down again.

The town keeps the case: its lead leads on, the bureau is an assist whose part the result waits for, and the town tracks
it to the end. Source: the reform of Yun'an for the launch list and the tracking; waiver and consent are ours.
"""

from datetime import datetime
from typing import Any, assert_never

from events.call import CallIssued
from events.case import (
    CallDistrict,
    CallPlan,
    CaseDistrictCalled,
    CaseDistrictCallRefused,
    CaseHandDownConsented,
    CaseHandedDown,
    ConsentToHandDown,
    GrantLaunchWaiver,
    HandDown,
    LaunchWaiverGranted,
    LegPlan,
    RefusedGround,
)
from events.envelope import Fact
from events.ids import district_call_of
from events.launch import LaunchItem
from events.private import sealed
from services.command_centre import launch
from services.command_centre.case import AT_WORK, Case, evolve, submitted
from services.command_centre.launch import InForce, Lists
from services.command_centre.recusal import expect_free
from services.decisions import Append, Rejected
from services.rules.book import RuleBook


def decide_call(
    states: tuple[Case | None, Lists | None, Any], request: CallDistrict, now: datetime, rules: RuleBook
) -> tuple[Append, ...]:
    """Call the district: the case's fact and the call's first one, together.

    Raises:
        Rejected: also when the launch list does not allow it; then the attempt is recorded, once for each reason.
    """
    case = _opened(states[0])
    if request.nth <= case.district_calls:
        return ()
    if request.nth > case.district_calls + 1:
        raise Rejected(f"nth: expected call no. {case.district_calls + 1} to the district, found no. {request.nth}")
    _expect_at_work(case)
    _expect_level(case, "town")
    listed = launch.in_force(states[1], now, rules)
    item = listed.item(case.matter)
    ground = _ground(item, request)
    if case.waiver is not None and ground:
        item = LaunchItem(matter=case.matter, bureau=case.waiver.bureau, platform=case.waiver.platform)
    elif item is None or ground:
        raise _refused(case, request, listed, ground or "not_on_list", rules)
    expect_free(case, item.bureau)
    plan = CallPlan(
        district_call_of(request.case, request.nth),
        launch.platform_of(item, rules),
        (LegPlan(item.bureau, "assist", required=True),),
    )
    called = CaseDistrictCalled(
        attempt=case.attempt,
        nth=request.nth,
        call=plan,
        district=rules.district.code,
        tracker=case.town,
        matter=case.matter,
        list_version=listed.version,
        allowed="waived" if ground else "on_condition" if item.conditions else "on_list",
        by=request.by,
        condition=request.condition,
        evidence=sealed(request.evidence) if request.evidence is not None else None,
        waived_by=case.waiver.by if case.waiver is not None and ground else "",
    )
    return (request.case, called), (plan.call, _issued(request.case, case, plan, item, now, rules))


def decide(
    states: tuple[Case | None, Lists | None],
    request: GrantLaunchWaiver | HandDown | ConsentToHandDown,
    now: datetime,
    rules: RuleBook,
) -> tuple[Append, ...]:
    """What the district decides about a case that a town called it for or wanted to, and what the town says to that."""
    case = _opened(states[0])
    match request:
        case GrantLaunchWaiver():
            facts = _grant(case, request, launch.in_force(states[1], now, rules), rules)
        case HandDown():
            facts = _hand_down(case, request, now, rules)
        case ConsentToHandDown():
            facts = _consent(case, request)
        case _:
            assert_never(request)
    return tuple((request.case, fact) for fact in facts)


def _ground(item: LaunchItem | None, request: CallDistrict) -> RefusedGround | None:
    """Why the launch list does not allow a call; ``None`` when it does."""
    if item is None:
        return "not_on_list"
    if not item.conditions:
        return None
    if not request.condition:
        return "no_condition"
    if request.condition not in item.conditions:
        return "condition_not_listed"
    return "no_evidence" if request.evidence is None else None


def _refused(case: Case, request: CallDistrict, listed: InForce, ground: RefusedGround, rules: RuleBook) -> Rejected:
    item = listed.item(case.matter)
    wanted = f"one of {', '.join(item.conditions)} and evidence" if item else "a matter of the list"
    reason = (
        f"launch list version {listed.version}: {ground}: expected {wanted}, or a waiver of the district's duty"
        f" leader, found matter {case.matter} with {request.condition or 'no condition'}"
    )
    if (listed.version, ground, request.condition) in case.refused:
        return Rejected(reason)
    fact = CaseDistrictCallRefused(
        nth=request.nth,
        district=rules.district.code,
        town=case.town,
        matter=case.matter,
        list_version=listed.version,
        ground=ground,
        by=request.by,
        condition=request.condition,
        evidence=sealed(request.evidence) if request.evidence is not None else None,
    )
    return Rejected(reason, record=((request.case, fact),))


def _issued(stream: str, case: Case, plan: CallPlan, item: LaunchItem, now: datetime, rules: RuleBook) -> CallIssued:
    """The first fact of the district's call. A promise that has passed begins anew: the bureau was not asked before."""
    promised = case.result if case.result is not None and case.result.by > now else None
    return CallIssued(
        case=stream,
        attempt=case.attempt,
        platform=plan.platform,
        level="district",
        town=rules.district.code,
        village=case.village,
        matter=case.matter,
        handling_class=case.handling_class,
        legs=plan.legs,
        result=promised or rules.result_due(rules.matter(case.matter), now),
        contactable=case.contactable,
        acknowledge=item.acknowledge,
        arrive=item.arrive,
    )


def _grant(case: Case, request: GrantLaunchWaiver, listed: InForce, rules: RuleBook) -> tuple[Fact, ...]:
    _expect_at_work(case)
    _expect_level(case, "town")
    if case.waiver is not None:
        if request.bureau in ("", case.waiver.bureau):
            return ()
        raise Rejected(f"expected a case without a waiver, found one for {case.waiver.bureau} that is not used yet")
    if not case.refused:
        raise Rejected("expected a call to the district that the launch list refused, found none that waits")
    item = listed.item(case.matter)
    code = request.bureau or (item.bureau if item else "") or rules.matter(case.matter).district_lead
    bureau = rules.bureau(code)
    if bureau is None:
        known = ", ".join(one.code for one in rules.district.departments if one.kind == "district_bureau")
        raise Rejected(f"bureau: expected one of the district ({known}), found {code!r}")
    expect_free(case, code)
    granted = LaunchWaiverGranted(
        nth=case.district_calls + 1,
        district=rules.district.code,
        town=case.town,
        matter=case.matter,
        list_version=listed.version,
        district_platform=item.platform if item and item.bureau == code and item.platform else bureau.platform,
        bureau=code,
        by=request.by,
        reason=sealed(request.reason),
    )
    return (granted,)


def _hand_down(case: Case, request: HandDown, now: datetime, rules: RuleBook) -> tuple[Fact, ...]:
    _expect_at_work(case)
    _expect_level(case, "district")
    call = district_call_of(request.case, case.district_calls)
    if call in case.completed:
        raise Rejected("expected a bureau that has not done its part, found its result filed")
    if case.handed_down and not case.consented:
        raise Rejected("expected the town's consent to hand the same case down once more, found none")
    handed_down = CaseHandedDown(
        nth=case.handed_down + 1,
        town=case.town,
        matter=case.matter,
        by=request.by,
        reason=sealed(request.reason),
        released=(call,),
    )
    return handed_down, *submitted(evolve(case, handed_down), now, rules)


def _consent(case: Case, request: ConsentToHandDown) -> tuple[Fact, ...]:
    if case.consented:
        return ()
    _expect_at_work(case)
    _expect_level(case, "district")
    if not case.handed_down:
        raise Rejected("expected a case that was handed down before, found one that needs no consent")
    return (CaseHandDownConsented(nth=case.handed_down + 1, town=case.town, by=request.by),)


def _opened(case: Case | None) -> Case:
    if case is None:
        raise Rejected("expected an opened case, found none with this id")
    return case


def _expect_at_work(case: Case) -> None:
    if case.phase not in AT_WORK:
        raise Rejected(f"expected a case that is called for and has no result yet, found one in phase {case.phase}")


def _expect_level(case: Case, level: str) -> None:
    if case.level != level:
        raise Rejected(f"expected a case at the level of the {level}, found it at that of the {case.level}")
