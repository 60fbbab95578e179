"""Three levels: the village first where it can, the district by the launch list, and down again; the town tracks."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from events.call import AcknowledgeCall, CallIssued, CallReleased, DepartmentsCalled, FileResult, ReportIn
from events.case import (
    ApproveResult,
    CallDistrict,
    CallPlan,
    CaseCallsIssued,
    CaseDistrictCalled,
    CaseDistrictCallRefused,
    CaseEscalated,
    CaseHandDownConsented,
    CaseHandedDown,
    CaseResultSubmitted,
    CaseVillageHandlingStarted,
    CaseVillageResolved,
    ConsentToHandDown,
    Due,
    EscalateCase,
    GrantLaunchWaiver,
    HandDown,
    HandleInVillage,
    LaunchWaiverGranted,
    LegPlan,
    ResolveInVillage,
    SendBackResult,
)
from events.envelope import Request
from events.ids import call_of, district_call_of
from events.launch import LaunchItem, PublishLaunchList
from events.private import Sealed
from events.report import SubmitReport
from services.command_centre.launch import STREAM
from services.decisions import SetTimer
from tests.unit.moments import at
from tests.unit.past import CASE, LIUDU, LIUDU_VILLAGE, MONDAY, REPORT, Past, with_district, with_periods, words

DISTRICT = "445303"
NTH = [district_call_of(CASE, nth) for nth in (1, 2, 3)]
MINING, SQUATTING, NOISE, CANAL = "401", "404", "203", "411"
"""On the list at once, on a condition, not on the list; and one that a village may handle."""

EVIDENCE = words("两镇交界，人手不足。")
REASON = words("镇级有能力处理。")


def opened(past: Past, matter: str, *, village: str = LIUDU_VILLAGE) -> None:
    """A report of this matter is handed in, and every service does what it does."""
    submit = SubmitReport(
        report=REPORT,
        source="hotline",
        record="1",
        receipt="",
        channel="hotline",
        town=LIUDU,
        village=village,
        reported_at=MONDAY,
        words=words("x", REPORT),
        matter=matter,
    )
    past.play(submit)


def call_district(condition: Any = "", evidence: Sealed | None = None, nth: int = 1) -> CallDistrict:
    return CallDistrict(case=CASE, by="centre", condition=condition, evidence=evidence, nth=nth)


def waive(bureau: str = "B03") -> GrantLaunchWaiver:
    return GrantLaunchWaiver(case=CASE, by="leader", reason=REASON, bureau=bureau)


def hand_down() -> HandDown:
    return HandDown(case=CASE, by="district", reason=REASON)


def works(past: Past, call: str, department: str, *, reply: bool = False) -> None:
    """A department does everything that it owes about a call, as far as it can."""
    who: dict[str, Any] = {"call": call, "department": department, "by": f"officer-{department}"}
    past.play(AcknowledgeCall(**who))
    if past.states[call].parts[department].leg.arrive is not None:
        past.play(ReportIn(**who, people=2))
    past.play(FileResult(**who, case=CASE, solved="yes", account=words("x"), reply=words("y") if reply else None))


def town_works(past: Past) -> None:
    """Everybody whom the town called, the lead last."""
    for call in past.states[CASE].calls:
        if call.call in NTH:
            continue
        for leg in sorted(call.legs, key=lambda leg: leg.role == "lead"):
            if past.states[call.call].parts[leg.department].open:
                works(past, call.call, leg.department, reply=leg.role == "lead")


def state(past: Past) -> Any:
    return past.states[CASE]


# Calling the district


def test_a_matter_of_the_list_calls_the_bureau_at_once_and_the_town_keeps_its_lead(past: Past) -> None:
    opened(past, MINING)

    (stream, called), (call, issued) = past.decide(call_district())

    assert (stream, call) == (CASE, NTH[0])
    assert called == CaseDistrictCalled(
        attempt=1,
        nth=1,
        call=CallPlan(NTH[0], "P4", (LegPlan("B07", "assist", required=True),)),
        district=DISTRICT,
        tracker=LIUDU,
        matter=MINING,
        list_version=0,
        allowed="on_list",
        by="centre",
    )
    assert isinstance(issued, CallIssued)
    assert (issued.level, issued.town, issued.platform, issued.attempt) == ("district", DISTRICT, "P4", 1)
    assert issued.result == state(past).result
    leads = [leg.department for plan in (*state(past).calls, called.call) for leg in plan.legs if leg.role == "lead"]
    assert leads == ["D15"]


def test_the_districts_call_is_another_than_the_towns_of_the_same_platform(past: Past) -> None:
    opened(past, MINING)

    past.play(call_district())

    assert call_of(CASE, "P4", 1) != NTH[0]
    assert {call_of(CASE, "P4", 1), NTH[0]} <= past.states.keys()
    assert state(past).level == "district"


def test_the_platform_of_the_district_calls_the_bureau_on_the_districts_clocks(past: Past) -> None:
    opened(past, MINING)

    past.play(call_district())

    (called,) = [fact for stream, fact in past.facts if stream == NTH[0] and isinstance(fact, DepartmentsCalled)]
    (leg,) = called.legs
    assert (leg.department, leg.role, leg.required, leg.contact) == ("B07", "assist", True, None)
    assert leg.acknowledge.by == MONDAY + timedelta(minutes=15)
    assert leg.arrive is not None
    assert leg.arrive.by == MONDAY + timedelta(minutes=60)


def test_what_the_list_says_about_time_goes_to_the_call(past: Past) -> None:
    item = LaunchItem(matter=MINING, bureau="B10", platform="P2", acknowledge="20min", arrive="45min")
    past.do(PublishLaunchList(launch=STREAM, items=(item,), effective_from=MONDAY.date(), citation="x", by="district"))
    opened(past, MINING)

    (_, called), (_, issued) = past.decide(call_district())

    assert called.list_version == 1  # type: ignore[attr-defined]  # it is the case's fact
    assert isinstance(issued, CallIssued)
    assert (issued.platform, issued.acknowledge, issued.arrive) == ("P2", "20min", "45min")
    assert issued.legs == (LegPlan("B10", "assist", required=True),)


def test_a_condition_of_the_list_with_evidence_is_enough(past: Past) -> None:
    opened(past, SQUATTING)

    (called, _) = past.facts_of(call_district("headcount", EVIDENCE))

    assert isinstance(called, CaseDistrictCalled)
    assert (called.allowed, called.condition, called.evidence) == ("on_condition", "headcount", EVIDENCE)


@pytest.mark.parametrize(
    ("matter", "asked", "ground"),
    [
        (NOISE, call_district("headcount", EVIDENCE), "not_on_list"),
        (SQUATTING, call_district(evidence=EVIDENCE), "no_condition"),
        (SQUATTING, call_district("headcount"), "no_evidence"),
    ],
)
def test_what_the_list_does_not_allow_is_refused_and_that_is_a_fact(
    past: Past, matter: str, asked: CallDistrict, ground: str
) -> None:
    opened(past, matter)

    reason, recorded = past.tried(asked)

    assert reason.startswith(f"launch list version 0: {ground}: expected ")
    assert "or a waiver of the district's duty leader" in reason
    assert recorded == [
        CaseDistrictCallRefused(
            nth=1,
            district=DISTRICT,
            town=LIUDU,
            matter=matter,
            list_version=0,
            ground=ground,  # type: ignore[arg-type]  # one of the grounds
            by="centre",
            condition=asked.condition,
            evidence=asked.evidence if isinstance(asked.evidence, Sealed) else None,
        )
    ]
    assert state(past).level == "town"


def test_a_condition_that_the_published_list_has_not_is_refused_with_that_lists_version(past: Past) -> None:
    item = LaunchItem(matter=SQUATTING, bureau="B07", conditions=("cross_town",))
    past.do(PublishLaunchList(launch=STREAM, items=(item,), effective_from=MONDAY.date(), citation="x", by="district"))
    opened(past, SQUATTING)

    reason, recorded = past.tried(call_district("headcount", EVIDENCE))

    assert reason.startswith("launch list version 1: condition_not_listed: expected one of cross_town and evidence")
    assert [fact.list_version for fact in recorded if isinstance(fact, CaseDistrictCallRefused)] == [1]


def test_the_same_attempt_again_is_refused_again_and_recorded_once(past: Past) -> None:
    opened(past, NOISE)
    past.tried(call_district())

    reason, recorded = past.tried(call_district())
    _, another = past.tried(call_district("repeat", EVIDENCE))

    assert "not_on_list" in reason
    assert recorded == []
    assert len(another) == 1


def test_the_same_call_again_is_a_repeat_and_a_call_too_far_ahead_is_refused(past: Past) -> None:
    opened(past, MINING)
    past.play(call_district())

    assert past.decide(call_district()) == ()
    assert past.refusal(call_district(nth=3)) == "nth: expected call no. 2 to the district, found no. 3"
    assert "expected a case at the level of the town, found it at that of the district" in past.refusal(
        call_district(nth=2)
    )


def test_nobody_calls_the_district_before_platforms_are_called_or_after_the_result_is_in(past: Past) -> None:
    opened(past, CANAL)
    before = past.refusal(call_district())
    past.play(ResolveInVillage(case=CASE, by="clerk", solved="yes", account=words("x"), reply=words("y")))

    assert before.endswith("has no result yet, found one in phase village_handling")
    assert past.refusal(call_district()).endswith("has no result yet, found one in phase in_review")
    assert past.refusal(CallDistrict(case="0" * 32, by="centre")) == "expected an opened case, found none with this id"


def test_the_result_waits_for_the_bureau_whoever_is_first(past: Past) -> None:
    opened(past, MINING)
    past.play(call_district())

    town_works(past)
    waiting = state(past).phase
    works(past, NTH[0], "B07")

    assert waiting == "in_progress"
    assert state(past).phase == "in_review"
    assert "officer-B07" in state(past).handlers
    assert "found its handler officer-B07" in past.refusal(ApproveResult(case=CASE, by="officer-B07"))


def test_a_promise_that_has_passed_begins_anew_for_the_bureau(past: Past) -> None:
    opened(past, SQUATTING)
    late = state(past).result.by + timedelta(days=1)

    (_, issued) = past.facts_of(call_district("overdue_at_town", EVIDENCE), late)

    assert isinstance(issued, CallIssued)
    assert issued.result.by > late


# Waivers


def test_after_a_waiver_the_same_call_succeeds_once_and_cites_it(past: Past) -> None:
    opened(past, NOISE)
    past.tried(call_district())
    (granted,) = past.do(waive())

    past.play(call_district())
    past.play(hand_down())
    again, _ = past.tried(call_district(nth=2))

    assert granted[1] == LaunchWaiverGranted(
        nth=1,
        district=DISTRICT,
        town=LIUDU,
        matter=NOISE,
        list_version=0,
        district_platform="P2",
        bureau="B03",
        by="leader",
        reason=REASON,
    )
    (called,) = [fact for _, fact in past.facts if isinstance(fact, CaseDistrictCalled)]
    assert (called.allowed, called.waived_by, called.list_version) == ("waived", "leader", 0)
    assert called.call.legs[0].department == "B03"
    assert "not_on_list" in again


def test_a_waiver_needs_an_attempt_that_waits_for_it(past: Past) -> None:
    opened(past, NOISE)

    assert past.refusal(waive()).startswith("expected a call to the district that the launch list refused")


def test_a_waiver_names_a_bureau_unless_the_list_or_the_catalogue_does(past: Past) -> None:
    opened(past, NOISE)
    past.tried(call_district())

    assert past.refusal(waive("")).startswith("bureau: expected one of the district (B01, ")
    assert past.refusal(waive("D16")).endswith("found 'D16'")


def test_a_waiver_of_a_missing_condition_goes_to_the_lists_own_bureau(past: Past) -> None:
    opened(past, SQUATTING)
    past.tried(call_district())

    (granted,) = past.facts_of(waive(""))

    assert isinstance(granted, LaunchWaiverGranted)
    assert granted.bureau == "B07"


def test_a_waiver_is_granted_once_and_not_for_another_bureau_beside_it(past: Past) -> None:
    opened(past, NOISE)
    past.tried(call_district())
    past.do(waive())

    assert past.decide(waive()) == ()
    assert past.refusal(waive("B05")) == "expected a case without a waiver, found one for B03 that is not used yet"


def test_a_waiver_is_not_used_up_by_a_call_that_the_list_allows(past: Past) -> None:
    opened(past, SQUATTING)
    past.tried(call_district())
    past.do(waive("B11"))

    (called, _) = past.facts_of(call_district("headcount", EVIDENCE))

    assert isinstance(called, CaseDistrictCalled)
    assert (called.allowed, called.waived_by, called.call.legs[0].department) == ("on_condition", "", "B07")


def test_a_bureau_that_the_configuration_has_lost_since_is_called_by_nobody(past: Past) -> None:
    opened(past, NOISE)
    past.tried(call_district())
    past.do(waive())
    past.rules = with_district(
        past.rules, lambda district: {"departments": tuple(one for one in district.departments if one.code != "B03")}
    )

    assert past.refusal(call_district()).startswith("launch list: expected a bureau and platform of the district")


# Handing down


def test_handing_down_releases_the_bureau_and_the_town_goes_on(past: Past) -> None:
    opened(past, MINING)
    past.play(call_district())

    past.play(hand_down())

    (fact,) = [fact for _, fact in past.facts if isinstance(fact, CaseHandedDown)]
    assert fact == CaseHandedDown(nth=1, town=LIUDU, matter=MINING, by="district", reason=REASON, released=(NTH[0],))
    assert [fact for stream, fact in past.facts if stream == NTH[0] and isinstance(fact, CallReleased)]
    assert not [name for stream, name in past.timers if stream == NTH[0]]
    assert (state(past).level, state(past).phase) == ("town", "calling")
    town_works(past)
    assert state(past).phase == "in_review"


def test_when_only_the_bureau_was_waited_for_handing_down_brings_the_result_in(past: Past) -> None:
    opened(past, MINING)
    past.play(call_district())
    town_works(past)

    facts = past.facts_of(hand_down())

    assert [type(fact) for fact in facts] == [CaseHandedDown, CaseResultSubmitted]


def test_only_a_case_at_the_district_whose_bureau_has_not_done_its_part_is_handed_down(past: Past) -> None:
    opened(past, MINING)
    too_early = past.refusal(hand_down())
    past.play(call_district())
    works(past, NTH[0], "B07")

    assert too_early == "expected a case at the level of the district, found it at that of the town"
    assert past.refusal(hand_down()) == "expected a bureau that has not done its part, found its result filed"


def test_the_same_case_is_handed_down_again_only_with_the_towns_consent(past: Past) -> None:
    opened(past, MINING)
    past.play(call_district())
    needless = past.refusal(ConsentToHandDown(case=CASE, by="centre"))
    past.play(hand_down())
    past.play(call_district(nth=2))

    refused = past.refusal(hand_down())
    (consented,) = past.facts_of(ConsentToHandDown(case=CASE, by="centre"))
    past.happened(CASE, consented)
    repeated = past.decide(ConsentToHandDown(case=CASE, by="centre"))
    past.play(hand_down())

    assert needless == "expected a case that was handed down before, found one that needs no consent"
    assert refused == "expected the town's consent to hand the same case down once more, found none"
    assert consented == CaseHandDownConsented(nth=2, town=LIUDU, by="centre")
    assert repeated == ()
    assert state(past).level == "town"
    past.play(call_district(nth=3))
    assert "the town's consent" in past.refusal(hand_down())


def test_a_bureau_that_was_released_counts_no_more_whatever_it_had_done(past: Past) -> None:
    opened(past, MINING)
    past.play(call_district())
    past.play(hand_down())

    refused = past.refusal(AcknowledgeCall(call=NTH[0], department="B07", by="officer-B07"))

    assert refused == "expected a part that is open, found it released"
    assert NTH[0] not in {call.call for call in state(past).calls}


def test_what_is_done_again_is_the_towns_again_and_may_go_to_the_district_again(past: Past) -> None:
    opened(past, MINING)
    past.play(call_district())
    town_works(past)
    works(past, NTH[0], "B07")
    past.play(SendBackResult(case=CASE, by="reviewer", reason=words("x")))

    assert (state(past).level, state(past).attempt, state(past).phase) == ("town", 2, "calling")
    (called, issued) = past.facts_of(call_district(nth=2))
    assert isinstance(called, CaseDistrictCalled)
    assert isinstance(issued, CallIssued)
    assert called.attempt == issued.attempt == 2


# The village


def test_a_matter_that_a_village_may_handle_goes_there_first_with_a_clock(past: Past) -> None:
    opened(past, CANAL)

    (started,) = [fact for _, fact in past.facts if isinstance(fact, CaseVillageHandlingStarted)]
    assert started.village == LIUDU_VILLAGE
    assert started.due.rule == "village 2wd"
    assert started.due.by == at("2026-11-25 17:30")
    assert (state(past).phase, state(past).level, state(past).calls) == ("village_handling", "village", ())
    assert past.timers[CASE, "village"] == SetTimer(
        "village", started.due.by, EscalateCase(case=CASE, reason="village_overdue", by="clock")
    )
    assert past.decide(HandleInVillage(case=CASE)) == ()


def test_how_long_a_village_has_is_configured(past: Past) -> None:
    past.rules = with_periods(past.rules, village="4h")

    opened(past, CANAL)

    assert state(past).village_due == Due(by=MONDAY + timedelta(hours=4), rule="village 4h", since=MONDAY)


@pytest.mark.parametrize(("matter", "village"), [(CANAL, ""), (SQUATTING, LIUDU_VILLAGE)])
def test_without_a_village_or_for_another_matter_the_town_calls_at_once(past: Past, matter: str, village: str) -> None:
    opened(past, matter, village=village)

    assert state(past).phase == "calling"
    assert past.refusal(HandleInVillage(case=CASE)).startswith("expected a classified case that nobody handles yet")


def resolve(solved: Any = "yes") -> ResolveInVillage:
    return ResolveInVillage(case=CASE, by="clerk", solved=solved, account=words("x"), reply=words("y"))


def test_what_the_village_has_done_is_reviewed_like_a_leads_result_and_not_by_the_clerk(past: Past) -> None:
    opened(past, CANAL)

    (resolved, submitted) = past.facts_of(resolve("partly"))
    past.play(resolve("partly"))

    assert isinstance(resolved, CaseVillageResolved)
    assert (resolved.by, resolved.solved) == ("clerk", "partly")
    assert isinstance(submitted, CaseResultSubmitted)
    assert (submitted.attempt, submitted.handlers, submitted.solved) == (0, ("clerk",), "partly")
    assert state(past).phase == "in_review"
    assert (CASE, "village") not in past.timers
    assert "found its handler clerk" in past.refusal(ApproveResult(case=CASE, by="clerk"))
    assert past.facts_of(ApproveResult(case=CASE, by="reviewer"))


def test_a_villages_result_that_is_sent_back_is_called_for_at_the_town_with_all_its_departments(past: Past) -> None:
    opened(past, CANAL)
    past.play(resolve())

    past.play(SendBackResult(case=CASE, by="reviewer", reason=words("x")))

    (issued,) = [fact for _, fact in past.facts if isinstance(fact, CaseCallsIssued)]
    assert (issued.attempt, state(past).level, state(past).phase) == (1, "town", "calling")
    called = {leg.department for call in issued.calls for leg in call.legs}
    matter = past.rules.matter(CANAL)
    assert called == {matter.lead, *matter.assists}


@pytest.mark.parametrize("reason", ["beyond_village", "asked"])
def test_what_is_beyond_the_village_goes_up_and_the_town_calls(past: Past, reason: Any) -> None:
    opened(past, CANAL)

    past.play(EscalateCase(case=CASE, reason=reason, by="clerk"))

    (fact,) = [fact for _, fact in past.facts if isinstance(fact, CaseEscalated)]
    assert (fact.came_from, fact.to, fact.reason, fact.by) == ("village", "town", reason, "clerk")
    assert (state(past).phase, state(past).level, state(past).attempt) == ("calling", "town", 1)
    assert (CASE, "village") not in past.timers


def test_when_the_villages_time_is_over_the_case_goes_up_by_itself_and_not_before(past: Past) -> None:
    opened(past, CANAL)
    timer = past.timers[CASE, "village"]

    early = past.refusal(timer.request, timer.due - timedelta(seconds=1))
    past.play(timer.request, timer.due)

    assert early.startswith("reason: expected one before")
    assert state(past).phase == "calling"
    assert past.decide(timer.request, timer.due) == ()


@pytest.mark.parametrize("request_", [resolve(), EscalateCase(case=CASE, reason="asked", by="clerk")])
def test_a_village_does_nothing_about_a_case_that_it_does_not_handle(past: Past, request_: Request) -> None:
    assert past.refusal(request_) == "expected an opened case, found none with this id"

    opened(past, SQUATTING)

    assert past.refusal(request_) == "expected a case that the village handles, found one in phase calling"


def test_a_matter_that_may_no_longer_be_handled_in_villages_is_not(past: Past) -> None:
    opened(past, CANAL)
    registered = msgspec.structs.replace(state(past), phase="registered", village_due=None)
    past.states[CASE] = registered
    past.rules = with_district(
        past.rules,
        lambda district: {"matters": tuple(msgspec.structs.replace(one, village=False) for one in district.matters)},
    )

    assert past.refusal(HandleInVillage(case=CASE)).startswith("expected a matter that a named village may handle")
