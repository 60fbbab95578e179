"""回避: a department that is complained of leads nothing, is called for nothing and does not turn out in the case."""

from typing import Any

import pytest

from events.call import AcknowledgeCall, DepartmentsCalled
from events.case import (
    CallDistrict,
    CaseDepartmentRecused,
    CaseTriageQueued,
    ClassifyCase,
    EscalateCase,
    GrantLaunchWaiver,
    JoinReport,
    RecuseDepartment,
    SendBackResult,
)
from events.ids import case_of, mobilisation_of, stream_id
from events.mobilisation import (
    ConfirmResponders,
    DeclineResponder,
    Muster,
    RecuseResponders,
    RespondersCalled,
    RespondersRecused,
)
from events.report import Suggestion
from events.roster import PeopleFreed
from services.command_centre.case import Case
from services.people.roster import rosters_of
from services.rules.book import RuleBook
from tests.unit.past import CASE, LIUDU, LIUDU_VILLAGE, MONDAY, REPORT, Past, with_district, words
from tests.unit.test_laws import submit
from tests.unit.test_level_decisions import opened, town_works
from tests.unit.test_mobilisation_decisions import register

SEWAGE, MINING, ROAD, CANAL = "402", "401", "601", "411"
LEAD, REQUIRED, ASSIST = "D17", "D15", "D08"
"""Of a case about sewage."""

TURN_OUT = mobilisation_of(CASE)


def recuse(department: str, case: str = CASE) -> RecuseDepartment:
    return RecuseDepartment(case=case, department=department, by="centre")


def state(past: Past) -> Case:
    found = past.states[CASE]
    assert isinstance(found, Case)
    return found


def called(past: Past) -> dict[str, str]:
    """Who is called for the case now, in which role."""
    return {leg.department: leg.role for call in state(past).calls for leg in call.legs}


def open_parts(past: Past) -> set[str]:
    """Whoever still owes something about any call of the case, the first ones too."""
    calls = [known for known in past.states.values() if type(known).__name__ == "Call"]
    return {code for call in calls for code, part in call.parts.items() if part.open}


# What a report says


def test_a_report_about_a_department_waits_for_a_person_however_certain_its_matter_is(past: Past) -> None:
    past.play(submit(REPORT, MONDAY, SEWAGE, LIUDU_VILLAGE, (), complained_of=(LEAD,)))

    queued = next(fact for _, fact in past.facts if isinstance(fact, CaseTriageQueued))
    assert (queued.complained_of, queued.suggestions) == ((LEAD,), (Suggestion(SEWAGE, 1.0, ()),))
    assert (state(past).phase, called(past)) == ("triage", {})


def test_it_is_not_linked_to_an_earlier_one_of_the_same_reporter(past: Past) -> None:
    again = stream_id("report", MONDAY, "app", "2")
    past.play(submit(REPORT, MONDAY, SEWAGE, LIUDU_VILLAGE, ("reporter-1",)))
    past.play(submit(again, MONDAY, SEWAGE, LIUDU_VILLAGE, ("reporter-1",), complained_of=(LEAD,)))

    assert past.states[case_of(again)].phase == "triage"
    assert len(state(past).reports) == 1


def test_a_person_decides_that_it_is_no_complaint_about_the_department_after_all(past: Past) -> None:
    past.play(submit(REPORT, MONDAY, SEWAGE, LIUDU_VILLAGE, (), complained_of=(LEAD,)))
    past.play(ClassifyCase(case=CASE, matter=SEWAGE, by="operator"))

    assert called(past)[LEAD] == "lead"


# Who is called instead


@pytest.mark.parametrize(
    ("recused", "legs"),
    [
        ((LEAD,), {"D04": "lead", REQUIRED: "assist", "D19": "assist", ASSIST: "assist"}),
        ((ASSIST,), {LEAD: "lead", REQUIRED: "assist", "D19": "assist"}),
        ((LEAD, "D04"), {REQUIRED: "lead", "D19": "assist", ASSIST: "assist"}),
        ((LEAD, "D04", REQUIRED), {"D19": "lead", ASSIST: "assist"}),
    ],
)
def test_before_anybody_is_called_whoever_stands_in_leads_and_the_others_assist(
    past: Past, recused: tuple[str, ...], legs: dict[str, str]
) -> None:
    past.play(submit(REPORT, MONDAY, "", LIUDU_VILLAGE, ()))
    for department in recused:
        past.play(recuse(department))
    past.play(ClassifyCase(case=CASE, matter=SEWAGE, by="operator"))

    assert called(past) == legs
    assert (state(past).phase, state(past).attempt) == ("calling", 1)


def test_where_nobody_stands_in_the_first_that_assists_leads(rules: RuleBook) -> None:
    past = Past(with_district(rules, lambda district: {"stands_in": ""}))
    opened(past, SEWAGE)
    past.play(recuse(LEAD))

    assert called(past)[REQUIRED] == "lead"


def test_who_is_called_already_is_let_go_and_the_others_are_called_anew_with_the_same_promise(past: Past) -> None:
    opened(past, SEWAGE)
    first, promised = [call.call for call in state(past).calls], state(past).result
    past.play(AcknowledgeCall(call=first[0], department=REQUIRED, by="officer"))
    (fact,) = past.facts_of(recuse(LEAD))
    past.play(recuse(LEAD))

    assert isinstance(fact, CaseDepartmentRecused)
    assert (fact.again, fact.released, fact.recused, fact.matter) == (True, tuple(first), (LEAD,), SEWAGE)
    assert called(past) == {"D04": "lead", REQUIRED: "assist", "D19": "assist", ASSIST: "assist"}
    assert (state(past).attempt, state(past).result) == (2, promised)
    assert open_parts(past) == {"D04", REQUIRED, "D19", ASSIST}
    assert all(past.states[call].over for call in first)


def test_who_is_not_called_is_recused_and_nobody_is_called_anew(past: Past) -> None:
    opened(past, SEWAGE)
    past.play(recuse("D30"))

    assert state(past).recused == ("D30",)
    assert (state(past).attempt, called(past)[LEAD]) == (1, "lead")


def test_a_plan_made_before_the_recusal_and_decided_after_it_calls_nobody(past: Past) -> None:
    past.play(submit(REPORT, MONDAY, "", LIUDU_VILLAGE, ()))
    classified = past.do(ClassifyCase(case=CASE, matter=SEWAGE, by="operator"))
    (planned,) = past.reactions(*classified[0])
    recused = past.do(recuse(LEAD))

    assert past.decide(planned) == ()
    past.settle(recused)
    past.settle(classified)
    assert called(past)["D04"] == "lead"
    assert LEAD not in called(past)


def test_an_acknowledgement_on_its_way_does_not_begin_a_case_that_is_called_anew(past: Past) -> None:
    opened(past, SEWAGE)
    call = next(call.call for call in state(past).calls if any(leg.department == LEAD for leg in call.legs))
    (acknowledged,) = past.do(AcknowledgeCall(call=call, department=LEAD, by="officer"))
    recused = past.do(recuse(REQUIRED))
    past.settle((acknowledged,))
    assert state(past).phase == "registered"

    past.settle(recused)
    assert (state(past).phase, state(past).attempt) == ("calling", 2)
    assert called(past) == {LEAD: "lead", "D19": "assist", ASSIST: "assist"}


def test_a_call_on_its_way_calls_nobody_once_the_case_waits_for_it_no_more(past: Past) -> None:
    past.play(submit(REPORT, MONDAY, "", LIUDU_VILLAGE, ()))
    classified = past.do(ClassifyCase(case=CASE, matter=SEWAGE, by="operator"))
    (planned,) = past.reactions(*classified[0])
    issued = past.do(planned)
    recused = past.do(recuse(LEAD))
    past.settle(issued)
    assert not [fact for _, fact in past.facts if isinstance(fact, DepartmentsCalled)]

    past.settle(recused)
    heard = {leg.department for _, fact in past.facts if isinstance(fact, DepartmentsCalled) for leg in fact.legs}
    assert heard == {"D04", REQUIRED, "D19", ASSIST}


def test_rework_and_reopening_go_to_whoever_stood_in(past: Past) -> None:
    opened(past, SEWAGE)
    past.play(recuse(LEAD))
    town_works(past)
    assert state(past).phase == "in_review"
    past.play(SendBackResult(case=CASE, by="reviewer", reason=words("x")))

    assert called(past) == {"D04": "lead"}


def test_a_result_in_review_waits_for_the_reviewer_as_before(past: Past) -> None:
    opened(past, SEWAGE)
    town_works(past)
    (fact,) = past.facts_of(recuse(LEAD))

    assert isinstance(fact, CaseDepartmentRecused)
    assert (fact.again, fact.released) == (False, ())


def test_what_the_village_has_it_keeps_and_hands_up_without_the_department(past: Past) -> None:
    opened(past, CANAL)
    lead = past.rules.matter(CANAL).lead
    past.play(recuse(lead))
    assert state(past).phase == "village_handling"
    past.play(EscalateCase(case=CASE, reason="beyond_village", by="clerk"))

    assert lead not in called(past)
    assert called(past)["D04"] == "lead"


# What is refused


def test_the_same_again_is_nothing_new(past: Past) -> None:
    opened(past, SEWAGE)
    past.play(recuse(LEAD))

    assert past.decide(recuse(LEAD)) == ()


@pytest.mark.parametrize(
    ("matter", "department", "refusal"),
    [
        (SEWAGE, "D99", "expected one of the district, found 'D99'"),
        (ROAD, "D16", "expected one that the matter can do without, found D16, whose part in matter 601 nobody else"),
        (ROAD, "D27", "expected one that the matter can do without, found D27, whose part in matter 601 nobody else"),
    ],
)
def test_a_recusal_that_cannot_be_is_refused(past: Past, matter: str, department: str, refusal: str) -> None:
    opened(past, matter)

    assert past.refusal(recuse(department)).startswith(f"department: {refusal}")


def test_somebody_must_be_left_who_can_lead(past: Past) -> None:
    opened(past, SEWAGE)
    for department in (LEAD, "D04", REQUIRED, "D19"):
        past.play(recuse(department))

    assert past.refusal(recuse(ASSIST)) == (
        "department: expected one that the matter can do without, found nobody left who could lead matter 402"
    )


@pytest.mark.parametrize(
    ("recused", "matter", "found"),
    [
        (("D16",), ROAD, "D16, whose part in matter 601 nobody else can take"),
        ((LEAD, "D04", REQUIRED, "D19", ASSIST), SEWAGE, "nobody left who could lead matter 402"),
    ],
)
def test_nor_is_a_case_found_to_be_about_a_matter_that_cannot_do_without_them(
    past: Past, recused: tuple[str, ...], matter: str, found: str
) -> None:
    past.play(submit(REPORT, MONDAY, "", LIUDU_VILLAGE, ()))
    for department in recused:
        past.play(recuse(department))

    refused = past.refusal(ClassifyCase(case=CASE, matter=matter, by="operator"))
    assert refused == f"matter: expected one that can be handled without who is recused, found {found}"
    assert past.rules.plan_calls(CASE, LIUDU, past.rules.matter(SEWAGE), 1, False, (*called_for(past), "D04")) == ()


def called_for(past: Past) -> tuple[str, ...]:
    matter = past.rules.matter(SEWAGE)
    return (matter.lead, *matter.assists)


def test_what_is_said_about_a_department_is_not_joined_to_a_case_in_which_it_has_a_part(past: Past) -> None:
    other = stream_id("report", MONDAY, "app", "2")
    opened(past, SEWAGE)
    past.play(submit(other, MONDAY, SEWAGE, LIUDU_VILLAGE, (), complained_of=(LEAD,)))
    joins = JoinReport(case=CASE, opened=case_of(other), report=other, by="operator")

    assert past.refusal(joins) == "case: expected one from which D17 is recused too, found one that is not"
    past.play(recuse(LEAD))
    past.play(joins)
    assert past.states[case_of(other)].close_reason == "merged"


def test_whoever_is_named_is_kept_out_until_somebody_has_decided(past: Past) -> None:
    past.play(submit(REPORT, MONDAY, SEWAGE, LIUDU_VILLAGE, (), complained_of=(LEAD,)))
    assert (state(past).kept_from(LEAD), state(past).kept_from(REQUIRED)) == (True, False)

    past.play(ClassifyCase(case=CASE, matter=SEWAGE, by="operator"))
    assert not state(past).kept_from(LEAD)


def test_a_waiver_for_a_bureau_that_is_recused_leaves_room_for_another(past: Past) -> None:
    opened(past, "203")
    past.tried(CallDistrict(case=CASE, by="centre", nth=1))
    past.play(GrantLaunchWaiver(case=CASE, by="leader", reason=words("x"), bureau="B03"))
    past.play(recuse("B03"))
    past.play(GrantLaunchWaiver(case=CASE, by="leader", reason=words("x"), bureau="B07"))

    past.play(CallDistrict(case=CASE, by="centre", nth=1))
    assert called(past)["B07"] == "assist"


def test_a_case_that_has_ended_or_never_began_recuses_nobody(past: Past) -> None:
    assert past.refusal(recuse(LEAD)) == "expected an opened case, found none with this id"
    other = stream_id("report", MONDAY, "app", "2")
    opened(past, SEWAGE)
    past.play(submit(other, MONDAY, "", LIUDU_VILLAGE, ()))
    past.play(JoinReport(case=CASE, opened=case_of(other), report=other, by="operator"))

    assert past.refusal(recuse(LEAD, case_of(other))) == "expected a case that is open, found it closed"


def test_the_district_is_not_called_where_its_own_bureau_is_complained_of(past: Past) -> None:
    opened(past, MINING)
    past.play(recuse("B07"))
    refused = past.refusal(CallDistrict(case=CASE, by="centre", nth=1))

    assert refused == "department: expected one that is not recused from the case, found B07"


def test_nor_does_a_waiver_let_the_town_call_it(past: Past) -> None:
    opened(past, "203")
    past.play(recuse("B03"))
    past.tried(CallDistrict(case=CASE, by="centre", nth=1))
    waived = GrantLaunchWaiver(case=CASE, by="leader", reason=words("x"), bureau="B03")

    assert past.refusal(waived) == "department: expected one that is not recused from the case, found B03"


# Turning out


def staffed(past: Past) -> None:
    for department, many in (("D15", 8), ("D16", 8), ("D08", 8), ("D18", 4)):
        register(past, department, many)


def on_scene(past: Past) -> dict[str, Any]:
    return {"mobilisation": TURN_OUT, "rosters": rosters_of(LIUDU, past.rules)}


def test_its_people_are_not_called_to_turn_out(past: Past) -> None:
    staffed(past)
    past.play(submit(REPORT, MONDAY, "", LIUDU_VILLAGE, ()))
    past.play(recuse("D16"))
    past.play(ClassifyCase(case=CASE, matter=MINING, by="operator"))

    turn_out = past.states[TURN_OUT]
    assert "D16" not in turn_out.ordered.departments
    assert {called.responder.department for called in turn_out.people.values()} == {"D15", "D08", "D18"}
    assert past.refusal(Muster(**on_scene(past), numbers=("LD-D16-1",), by="centre")) == (
        "numbers: expected people of departments that are not recused, found LD-D16-1"
    )


def test_those_on_the_scene_leave_are_free_and_do_not_count(past: Past) -> None:
    staffed(past)
    opened(past, MINING)
    past.play(Muster(**on_scene(past), numbers=("LD-D15-1", "LD-D16-1", "LD-D16-2"), by="centre"))
    past.play(recuse("D16"))

    turn_out, (roster, _) = past.states[TURN_OUT], rosters_of(LIUDU, past.rules)
    left = next(fact for _, fact in past.facts if isinstance(fact, RespondersRecused))
    freed = [fact for stream, fact in past.facts if isinstance(fact, PeopleFreed) and stream == roster]
    assert (left.count, turn_out.present) == (1, 1)
    assert set(left.numbers) == set(freed[-1].numbers) == {f"LD-D16-{n}" for n in range(1, 9)}
    assert past.states[roster].members["LD-D16-1"].free(MONDAY)
    about = {**on_scene(past), "department": "D16", "by": "officer"}
    assert past.decide(DeclineResponder(**about, number="LD-D16-3", ground="ill")) == ()
    assert past.refusal(ConfirmResponders(**about, numbers=("LD-D16-3",))) == (
        "numbers: expected people who are still called, found LD-D16-3 dropped"
    )
    assert past.decide(RecuseResponders(**on_scene(past), department="D16")) == ()
    later = [fact for _, fact in past.facts if isinstance(fact, RespondersCalled)]
    assert len(later) == 1


def test_where_too_few_are_left_others_are_called_at_once(past: Past) -> None:
    staffed(past)
    register(past, "D06", 8)
    opened(past, MINING)
    came = tuple(sorted(past.states[TURN_OUT].people))[:20]
    past.play(Muster(**on_scene(past), numbers=came, by="centre"))
    assert past.states[TURN_OUT].phase == "mustered"
    past.play(recuse("D16"))

    turn_out = past.states[TURN_OUT]
    assert turn_out.phase == "short"
    assert {called.responder.department for called in turn_out.people.values()} > {"D06"}


def test_where_nobody_turned_out_nobody_leaves(past: Past) -> None:
    opened(past, SEWAGE)

    assert past.decide(RecuseResponders(**on_scene(past), department="D16")) == ()
