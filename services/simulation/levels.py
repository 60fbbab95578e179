"""Plays village clerks, towns that call the district, and the district that waives and hands down."""

from collections.abc import Mapping

from events.call import CallIssued
from events.case import (
    CallDistrict,
    CaseDistrictCalled,
    CaseDistrictCallRefused,
    CaseVillageHandlingStarted,
    EscalateCase,
    GrantLaunchWaiver,
    HandDown,
    LaunchWaiverGranted,
    ResolveInVillage,
)
from events.district import Launch
from events.envelope import Recorded
from events.launch import CONDITIONS
from services.decisions import Later, Reaction
from services.rules.book import RuleBook
from services.simulation.people import Dice, after
from services.simulation.words import demo_words

VILLAGE_RESOLVES, VILLAGE_ESCALATES = 0.6, 0.25
"""The others let the village's time run out."""
CALLS_DISTRICT: dict[Launch, float] = {"yes": 0.8, "condition": 0.15, "no": 0.02}
FORGETS_CONDITION = 0.1
WAIVED = 0.5
HANDED_DOWN = 0.08


def reactions(dice: Dice) -> Mapping[str, Reaction]:
    """What they do after which facts."""

    def handle(recorded: Recorded, fact: CaseVillageHandlingStarted, rules: RuleBook) -> tuple[Later, ...]:
        return _in_village(dice, recorded, fact)

    def call_district(recorded: Recorded, fact: CallIssued, rules: RuleBook) -> tuple[Later, ...]:
        return _to_district(dice, recorded, fact, rules)

    def waive(recorded: Recorded, fact: CaseDistrictCallRefused, rules: RuleBook) -> tuple[Later, ...]:
        if not dice.happens(WAIVED, "waive", recorded.id):
            return ()
        bureau = rules.matter(fact.matter).district_lead
        bureaus = tuple(one.code for one in rules.departments.values() if one.kind == "district_bureau")
        wanted = bureau or (dice.choose(bureaus, "bureau", recorded.id) if bureaus else "")
        grant = GrantLaunchWaiver(
            case=recorded.stream, by="district-leader", reason="情况特殊，同意一次。", bureau=wanted
        )
        return (after(recorded, minutes=dice.skewed(30, 120, "waive at", recorded.id), request=grant),)

    def call_again(recorded: Recorded, fact: LaunchWaiverGranted, rules: RuleBook) -> tuple[Later, ...]:
        call = CallDistrict(case=recorded.stream, by=_centre(fact.town), nth=fact.nth)
        return (after(recorded, minutes=dice.skewed(10, 40, "call again", recorded.id), request=call),)

    def hand_down(recorded: Recorded, fact: CaseDistrictCalled, rules: RuleBook) -> tuple[Later, ...]:
        if not dice.happens(HANDED_DOWN, "hand down", recorded.id):
            return ()
        down = HandDown(case=recorded.stream, by="district-command", reason="经研判镇级有能力处置，交镇办理。")
        return (after(recorded, minutes=dice.skewed(45, 240, "hand down at", recorded.id), request=down),)

    return {
        "case.village-handling-started.v1": handle,
        "call.issued.v1": call_district,
        "case.district-call-refused.v1": waive,
        "case.launch-waiver-granted.v1": call_again,
        "case.district-called.v1": hand_down,
    }


def _in_village(dice: Dice, recorded: Recorded, fact: CaseVillageHandlingStarted) -> tuple[Later, ...]:
    """Most of it is done in the village, some is handed up, and some nobody looks at until its time is over."""
    case, by, share = recorded.stream, f"{fact.village[-3:]}-clerk", dice.share("village", recorded.id)
    at = recorded.meta.recorded_at
    at += (0.1 + 0.8 * dice.share("village at", recorded.id)) * (fact.due.by - at)
    if share >= VILLAGE_RESOLVES + VILLAGE_ESCALATES:
        return ()
    if share >= VILLAGE_RESOLVES:
        return (Later(at, EscalateCase(case=case, reason="beyond_village", by=by)),)
    replies = demo_words().replies

    def words(choices: tuple[str, ...], what: str) -> str:
        return dice.choose(choices, what, recorded.id).format(department="村委会", village="当地")

    resolved = ResolveInVillage(
        case=case,
        by=by,
        solved="yes" if dice.happens(0.9, "solved", recorded.id) else "partly",
        account=words(replies.results, "account"),
        reply=words(replies.public, "reply"),
    )
    return (Later(at, resolved),)


def _to_district(dice: Dice, recorded: Recorded, fact: CallIssued, rules: RuleBook) -> tuple[Later, ...]:
    """The town calls the district where it may, seldom where it may not; the lead's call stands for the case."""
    matter = rules.matter(fact.matter)
    leads = any(leg.role == "lead" for leg in fact.legs)
    if fact.attempt > 1 or not leads or not dice.happens(CALLS_DISTRICT[matter.launch], "district", recorded.id):
        return ()
    forgets = matter.launch != "condition" or dice.happens(FORGETS_CONDITION, "forget", recorded.id)
    condition = CONDITIONS[int(dice.share("condition", recorded.id) * len(CONDITIONS))]
    evidence = "事态超出镇级处置能力，请求区级支援。"
    urgent = fact.handling_class in ("U1", "U2")
    minutes = dice.skewed(12, 40, "district at", recorded.id) if urgent else dice.skewed(600, 2400, "at", recorded.id)
    call = CallDistrict(
        case=fact.case, by=_centre(fact.town), condition="" if forgets else condition, evidence=evidence
    )
    return (after(recorded, minutes=minutes, request=call),)


def _centre(town: str) -> str:
    return f"{town[-3:]}-centre"
