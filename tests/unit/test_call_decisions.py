"""Calls: a platform calls its departments, each with clocks of its own, until the required parts are filed."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec import msgpack, structs

from events.call import (
    AcknowledgeCall,
    AttachProof,
    CallAcknowledged,
    CallClockMissed,
    CallCompleted,
    CallDepartments,
    CallEscalated,
    CallIssued,
    CallNoted,
    CallReleased,
    CallResultFiled,
    ContactReporter,
    DepartmentReportedIn,
    DepartmentsCalled,
    FileResult,
    Leg,
    MissClock,
    NoteProgress,
    ProofAttached,
    ReleaseCall,
    ReporterContacted,
    ReportIn,
)
from events.case import CaseResultSubmitted, Due, EngageCase, LegPlan, SubmitResult
from events.district import Clock, District
from events.envelope import Fact, Request
from events.file import MAX_FILES
from services.decisions import Rejected
from services.rules.book import RuleBook
from tests.unit.past import (
    CASE,
    LIUDU,
    LIUDU_VILLAGE,
    MONDAY,
    P2_CALL,
    P4_CALL,
    Past,
    with_district,
    without_matter,
    words,
)

MINUTE = timedelta(minutes=1)
ABOUT: dict[str, Any] = {"case": CASE, "town": LIUDU, "platform": "P4"}
RESULT = Due(by=MONDAY + timedelta(hours=24), rule="matter 401 promised 24h")
ACKNOWLEDGE = Due(by=MONDAY + 15 * MINUTE, rule="U1 acknowledge 15min")
ARRIVE = Due(by=MONDAY + 30 * MINUTE, rule="U1 arrive 30min")
CONTACT = Due(by=MONDAY + 15 * MINUTE, rule="U1 contact 15min")
ACCOUNT, REPLY = words("查处两人。"), words("已查处，现场已恢复。")

LEAD = LegPlan("D15", "lead", required=True)
REQUIRED = LegPlan("D16", "assist", required=True)
ASSIST = LegPlan("D19", "assist")


def issued(*legs: LegPlan, contactable: bool = True, matter: str = "401") -> CallIssued:
    return CallIssued(
        **ABOUT,
        attempt=1,
        level="town",
        village=LIUDU_VILLAGE,
        matter=matter,
        handling_class="U1",
        legs=legs,
        result=RESULT,
        contactable=contactable,
    )


LEAD_LEG = Leg("D15", "lead", True, ACKNOWLEDGE, RESULT, ARRIVE, CONTACT)
REQUIRED_LEG = Leg("D16", "assist", True, ACKNOWLEDGE, RESULT, ARRIVE)
ASSIST_LEG = Leg("D19", "assist", False, ACKNOWLEDGE, RESULT)


def called(*legs: Leg) -> DepartmentsCalled:
    return DepartmentsCalled(**ABOUT, handling_class="U1", called_at=MONDAY, legs=legs)


def acknowledged(department: str, late: bool = False) -> CallAcknowledged:
    return CallAcknowledged(**ABOUT, attempt=1, department=department, by=f"officer-{department}", late=late)


def reported_in(department: str, late: bool = False) -> DepartmentReportedIn:
    return DepartmentReportedIn(**ABOUT, department=department, by=f"officer-{department}", people=5, late=late)


def filed(department: str, late: bool = False) -> CallResultFiled:
    return CallResultFiled(
        **ABOUT,
        department=department,
        by=f"officer-{department}",
        solved="yes",
        account=ACCOUNT,
        reply=REPLY if department == "D15" else None,
        late=late,
    )


def acknowledge(department: str) -> AcknowledgeCall:
    return AcknowledgeCall(call=P4_CALL, department=department, by=f"officer-{department}")


def report_in(department: str) -> ReportIn:
    return ReportIn(call=P4_CALL, department=department, by=f"officer-{department}", people=5)


def contact(department: str) -> ContactReporter:
    return ContactReporter(call=P4_CALL, department=department, by=f"officer-{department}")


def note(department: str) -> NoteProgress:
    return NoteProgress(
        call=P4_CALL, case=CASE, department=department, by=f"officer-{department}", note=words("正在取证")
    )


def file(department: str, **changes: Any) -> FileResult:
    fields: dict[str, Any] = {"by": f"officer-{department}", "solved": "yes", "account": ACCOUNT, "reply": REPLY}
    return FileResult(call=P4_CALL, case=CASE, department=department, **{**fields, **changes})


def prove(department: str, file: str = "a" * 64) -> AttachProof:
    about: dict[str, Any] = {"call": P4_CALL, "case": CASE, "department": department, "by": f"officer-{department}"}
    return AttachProof(**about, media_type="image/jpeg", size=1024, file=file)


def proven(department: str, file: str = "a" * 64) -> ProofAttached:
    return ProofAttached(
        **ABOUT, department=department, by=f"officer-{department}", file=file, media_type="image/jpeg", size=1024
    )


def miss(department: str, clock: Clock, step: int = 0) -> MissClock:
    return MissClock(call=P4_CALL, department=department, clock=clock, step=step)


ACTS = [acknowledge, report_in, contact, note, file]
THREE: tuple[Fact, ...] = (issued(LEAD, REQUIRED, ASSIST), called(LEAD_LEG, REQUIRED_LEG, ASSIST_LEG))
DONE = ("D15", "D16")
ALL_REQUIRED_FILED: tuple[Fact, ...] = (
    *THREE,
    *(acknowledged(code) for code in DONE),
    *(reported_in(code) for code in DONE),
    *(filed(code) for code in DONE),
    CallCompleted(
        **ABOUT, attempt=1, handlers=("officer-D15", "officer-D16"), solved="yes", released=("D19",), reply=REPLY
    ),
)


# --- calling the departments


def test_a_called_platform_calls_its_departments(past: Past) -> None:
    assert CallDepartments(call=P4_CALL, case=CASE) in past.reactions(P4_CALL, issued(LEAD))


def test_each_department_is_called_with_clocks_of_its_own(past: Past) -> None:
    past.happened(P4_CALL, THREE[0])

    facts = past.facts_of(CallDepartments(call=P4_CALL))

    assert facts == [called(LEAD_LEG, REQUIRED_LEG, ASSIST_LEG)]


def test_clocks_run_from_when_the_departments_are_called(past: Past) -> None:
    past.happened(P4_CALL, issued(LEAD))

    (fact,) = past.facts_of(CallDepartments(call=P4_CALL), MONDAY + 7 * MINUTE)

    assert isinstance(fact, DepartmentsCalled)
    assert fact.called_at == MONDAY + 7 * MINUTE
    assert fact.legs[0].acknowledge.by == MONDAY + 22 * MINUTE
    assert fact.legs[0].result == RESULT


def test_the_lead_is_not_to_contact_a_reporter_whom_nobody_can_reach(past: Past) -> None:
    past.happened(P4_CALL, issued(LEAD, contactable=False))

    past.do(CallDepartments(call=P4_CALL))

    assert (P4_CALL, "D15.contact") not in past.timers
    past.do(acknowledge("D15"))
    assert past.refusal(contact("D15")) == "expected the lead of a case whose reporter can be reached, found D15"


def test_departments_called_twice_is_a_repeat(past: Past) -> None:
    past.happened(P4_CALL, *THREE)

    assert past.decide(CallDepartments(call=P4_CALL)) == ()


def test_a_call_whose_matter_the_catalogue_lost_is_handled_as_what_fits_nowhere_else(rules: RuleBook) -> None:
    past = Past(without_matter(rules, "401"))
    past.happened(P4_CALL, issued(LEAD))

    (fact,) = past.facts_of(CallDepartments(call=P4_CALL))

    assert isinstance(fact, DepartmentsCalled)
    assert fact.legs == (Leg("D15", "lead", True, ACKNOWLEDGE, RESULT, None, CONTACT),)


def test_a_call_that_is_over_calls_nobody(past: Past) -> None:
    past.happened(P4_CALL, issued(ASSIST), CallReleased(**ABOUT, departments=()))

    assert past.decide(CallDepartments(call=P4_CALL)) == ()


# --- acknowledging


@pytest.mark.parametrize(
    ("now", "late"),
    [(MONDAY, False), (ACKNOWLEDGE.by, False), (ACKNOWLEDGE.by + MINUTE, True), (MONDAY + timedelta(days=9), True)],
)
def test_a_late_acknowledgement_is_accepted_and_marked_late(past: Past, now: datetime, late: bool) -> None:
    past.happened(P4_CALL, *THREE)

    assert past.facts_of(acknowledge("D15"), now) == [acknowledged("D15", late=late)]


def test_an_acknowledgement_after_its_clock_was_missed_is_accepted_too(past: Past) -> None:
    past.happened(P4_CALL, *THREE)
    past.do(miss("D15", "acknowledge"), ACKNOWLEDGE.by)

    assert past.facts_of(acknowledge("D15"), ACKNOWLEDGE.by + MINUTE) == [acknowledged("D15", late=True)]


def test_an_acknowledgement_twice_is_a_repeat_by_whomever_and_whenever(past: Past) -> None:
    past.happened(P4_CALL, *THREE, acknowledged("D15"), reported_in("D15"))
    before_the_result = past.decide(acknowledge("D15"))
    past.happened(P4_CALL, filed("D15"))

    assert before_the_result == ()
    assert past.decide(AcknowledgeCall(call=P4_CALL, department="D15", by="another"), RESULT.by) == ()


def test_each_acknowledgement_is_told_to_the_case(past: Past) -> None:
    assert past.reactions(P4_CALL, acknowledged("D15")) == [EngageCase(case=CASE, attempt=1, department="D15")]


@pytest.mark.parametrize("act", ACTS)
def test_a_department_that_is_not_called_cannot_act(past: Past, act: Any) -> None:
    past.happened(P4_CALL, *THREE)

    assert past.refusal(act("D08")) == "department: expected one that is called (D15, D16, D19), found D08"


@pytest.mark.parametrize("act", ACTS)
def test_nobody_acts_before_the_departments_are_called(past: Past, act: Any) -> None:
    past.happened(P4_CALL, THREE[0])

    assert past.refusal(act("D15")) == "department: expected one that is called (none yet), found D15"


@pytest.mark.parametrize("act", [report_in, contact, note, file])
def test_every_other_act_comes_after_the_acknowledgement(past: Past, act: Any) -> None:
    past.happened(P4_CALL, *THREE, acknowledged("D16"))

    assert past.refusal(act("D15")) == "expected D15 to acknowledge first, found its part only called"


# --- reporting in, contacting, noting


@pytest.mark.parametrize(("now", "late"), [(ARRIVE.by, False), (ARRIVE.by + MINUTE, True)])
def test_a_department_reports_in_on_the_spot_once(past: Past, now: datetime, late: bool) -> None:
    past.happened(P4_CALL, *THREE, acknowledged("D16"))

    appends = past.do(report_in("D16"), now)

    assert appends == ((P4_CALL, reported_in("D16", late=late)),)
    assert past.decide(report_in("D16"), now) == ()


def test_a_department_called_to_its_desk_does_not_report_in(past: Past) -> None:
    past.happened(P4_CALL, *THREE, acknowledged("D19"))

    assert past.refusal(report_in("D19")) == "expected a department called to the spot, found D19 called to its desk"


@pytest.mark.parametrize(("now", "late"), [(CONTACT.by, False), (CONTACT.by + MINUTE, True)])
def test_the_lead_contacts_the_reporter_once(past: Past, now: datetime, late: bool) -> None:
    past.happened(P4_CALL, *THREE, acknowledged("D15"))

    appends = past.do(contact("D15"), now)

    assert appends == ((P4_CALL, ReporterContacted(**ABOUT, department="D15", by="officer-D15", late=late)),)
    assert past.decide(contact("D15"), now) == ()


def test_who_assists_does_not_contact_the_reporter(past: Past) -> None:
    past.happened(P4_CALL, *THREE, acknowledged("D16"))

    assert past.refusal(contact("D16")) == "expected the lead of a case whose reporter can be reached, found D16"


def test_contacting_the_reporter_is_no_reporting_in(past: Past) -> None:
    past.happened(P4_CALL, *THREE, acknowledged("D15"))
    past.do(contact("D15"))

    assert past.states[P4_CALL].parts["D15"].progress == "acknowledged"
    assert past.decide(report_in("D15")) != ()


def test_notes_are_taken_as_often_as_somebody_writes_one(past: Past) -> None:
    past.happened(P4_CALL, *THREE, acknowledged("D19"))
    taken = CallNoted(**ABOUT, department="D19", by="officer-D19", note=words("正在取证"))

    assert past.do(note("D19")) == past.do(note("D19")) == ((P4_CALL, taken),)


# --- proof


def test_a_proof_is_attached_once_and_another_beside_it(past: Past) -> None:
    past.happened(P4_CALL, *THREE, acknowledged("D15"))

    assert past.do(prove("D15")) == ((P4_CALL, proven("D15")),)
    assert past.do(prove("D15")) == ()
    assert past.facts_of(prove("D15", "b" * 64)) == [proven("D15", "b" * 64)]


def test_the_same_proof_after_the_result_is_a_repeat_and_another_comes_too_late(past: Past) -> None:
    past.happened(P4_CALL, *THREE, acknowledged("D15"), reported_in("D15"), proven("D15"), filed("D15"))

    assert past.decide(prove("D15")) == ()
    assert past.refusal(prove("D15", "b" * 64)) == "expected a part that is open, found it filed"


def test_a_proof_wants_an_acknowledgement_first(past: Past) -> None:
    past.happened(P4_CALL, *THREE)

    assert past.refusal(prove("D15")) == "expected D15 to acknowledge first, found its part only called"


def test_each_department_has_so_many_proofs_of_its_own(past: Past) -> None:
    past.happened(P4_CALL, *THREE, acknowledged("D15"), acknowledged("D16"))
    for n in range(MAX_FILES):
        past.do(prove("D15", f"{n:064x}"))

    assert past.refusal(prove("D15", "f" * 64)) == "files: expected at most 6 of one department, found 6 already"
    assert past.facts_of(prove("D16")) == [proven("D16")]


@pytest.fixture
def demanding(rules: RuleBook) -> Past:
    """Where illegal mining counts as solved only with proof."""

    def change(district: District) -> dict[str, Any]:
        matters = (structs.replace(one, closing_proof=one.code == "401") for one in district.matters)
        return {"matters": tuple(matters)}

    return Past(with_district(rules, change))


def test_where_the_matter_demands_it_the_lead_proves_that_it_is_solved(demanding: Past) -> None:
    demanding.happened(P4_CALL, *THREE, acknowledged("D15"), reported_in("D15"))

    expected = "proof: expected a file of the lead's that shows the matter solved, found none attached"
    assert demanding.refusal(file("D15")) == expected
    demanding.do(prove("D15"))
    assert demanding.facts_of(file("D15")) == [filed("D15")]


def test_another_departments_proof_is_not_the_leads(demanding: Past) -> None:
    demanding.happened(
        P4_CALL, *THREE, acknowledged("D15"), reported_in("D15"), acknowledged("D16"), reported_in("D16"), proven("D16")
    )

    assert demanding.refusal(file("D15")).startswith("proof: expected a file of the lead's")


@pytest.mark.parametrize("solved", ["partly", "no"])
def test_what_is_not_solved_needs_no_proof(demanding: Past, solved: str) -> None:
    demanding.happened(P4_CALL, *THREE, acknowledged("D15"), reported_in("D15"))

    assert demanding.decide(file("D15", solved=solved)) != ()


def test_who_assists_needs_no_proof(demanding: Past) -> None:
    demanding.happened(P4_CALL, *THREE, acknowledged("D16"), reported_in("D16"))

    assert demanding.facts_of(file("D16")) == [filed("D16")]


def test_a_district_that_demands_no_proof_has_the_configuration_it_always_had(rules: RuleBook) -> None:
    def demand(which: str) -> RuleBook:
        def change(district: District) -> dict[str, Any]:
            return {"matters": tuple(structs.replace(one, closing_proof=one.code == which) for one in district.matters)}

        return with_district(rules, change)

    assert b"closing_proof" not in msgpack.encode(rules.district)
    assert demand("").hash == rules.hash
    assert demand("401").hash != rules.hash


# --- results


def test_a_result_from_the_spot_demands_that_somebody_reported_in(past: Past) -> None:
    past.happened(P4_CALL, *THREE, acknowledged("D15"))

    assert past.refusal(file("D15")) == "expected D15 to report in on the spot first, found it only acknowledged"


@pytest.mark.parametrize(("now", "late"), [(RESULT.by, False), (RESULT.by + MINUTE, True)])
def test_a_result_is_filed_and_the_call_waits_for_the_other_required_parts(
    past: Past, now: datetime, late: bool
) -> None:
    past.happened(P4_CALL, *THREE, acknowledged("D15"), reported_in("D15"))

    assert past.facts_of(file("D15"), now) == [filed("D15", late=late)]


def test_the_lead_proposes_a_public_reply(past: Past) -> None:
    past.happened(P4_CALL, *THREE, acknowledged("D15"), reported_in("D15"))

    assert past.refusal(file("D15", reply=None)) == "reply: expected the lead's public reply, found none"


@pytest.mark.parametrize("reply", [None, REPLY])
def test_who_assists_proposes_no_public_reply(past: Past, reply: Any) -> None:
    past.happened(P4_CALL, *THREE, acknowledged("D16"), reported_in("D16"))

    assert past.facts_of(file("D16", reply=reply)) == [filed("D16")]


def test_a_result_in_clear_never_reaches_a_fact(past: Past) -> None:
    past.happened(P4_CALL, *THREE, acknowledged("D15"), reported_in("D15"))

    with pytest.raises(TypeError, match="found str in clear"):
        past.decide(file("D15", account="查处张三"))


def test_a_second_result_of_a_department_is_rejected(past: Past) -> None:
    past.happened(P4_CALL, *THREE, acknowledged("D15"), reported_in("D15"), filed("D15"))

    assert past.refusal(file("D15")) == "expected a part without a result, found one that D15 has filed"
    for act in (report_in, contact, note):
        assert past.refusal(act("D15")) == "expected a part that is open, found it filed"


def test_a_call_is_complete_with_its_required_parts_and_releases_who_only_assists(past: Past) -> None:
    past.happened(P4_CALL, *ALL_REQUIRED_FILED[:-2])

    facts = past.facts_of(file("D16"))

    assert facts == list(ALL_REQUIRED_FILED[-2:])


def test_a_released_department_has_nothing_left_to_do(past: Past) -> None:
    past.happened(P4_CALL, *ALL_REQUIRED_FILED)

    for act in ACTS:
        assert past.refusal(act("D19")) == "expected a part that is open, found it released"
    assert past.decide(miss("D19", "result"), RESULT.by) == ()
    assert past.decide(ReleaseCall(call=P4_CALL)) == ()


def test_an_assisting_result_before_the_others_releases_nobody(past: Past) -> None:
    past.happened(P4_CALL, *THREE, acknowledged("D19"))

    assert past.facts_of(file("D19")) == [filed("D19")]


def test_what_the_lead_says_of_the_solution_goes_before_what_others_say(past: Past) -> None:
    past.happened(P4_CALL, *ALL_REQUIRED_FILED[:-3])
    past.do(file("D15", solved="partly", by="the-captain"))

    _, completed = past.facts_of(file("D16", solved="no"))

    assert isinstance(completed, CallCompleted)
    assert (completed.solved, completed.reply) == ("partly", REPLY)
    assert completed.handlers == ("the-captain", "officer-D16")


def test_a_person_who_files_for_two_departments_is_one_handler(past: Past) -> None:
    past.happened(P4_CALL, *ALL_REQUIRED_FILED[:-2])

    _, completed = past.facts_of(file("D16", by="officer-D15"))

    assert isinstance(completed, CallCompleted)
    assert completed.handlers == ("officer-D15",)


def test_a_call_with_no_required_part_is_complete_when_everybody_has_filed(past: Past) -> None:
    other = Leg("D17", "assist", False, ACKNOWLEDGE, RESULT)
    past.happened(P4_CALL, issued(ASSIST, LegPlan("D17", "assist")), called(ASSIST_LEG, other))
    past.happened(P4_CALL, acknowledged("D19"), acknowledged("D17"))

    first = past.do(file("D19"))
    second = past.do(file("D17"))

    assert [type(fact) for _, fact in first] == [CallResultFiled]
    assert [type(fact) for _, fact in second] == [CallResultFiled, CallCompleted]


def test_a_case_on_two_platforms_is_submitted_when_both_are_complete(past: Past) -> None:
    completed = ALL_REQUIRED_FILED[-1]

    told, *_ = past.reactions(P4_CALL, completed)

    assert told == SubmitResult(
        case=CASE, call=P4_CALL, attempt=1, handlers=("officer-D15", "officer-D16"), solved="yes", reply=REPLY
    )


def test_calls_that_nobody_waits_for_are_released_with_their_departments(past: Past) -> None:
    past.happened(P4_CALL, *THREE, acknowledged("D16"), reported_in("D16"), filed("D16"))
    submitted = CaseResultSubmitted(attempt=1, handlers=(), solved="yes", review=RESULT, released=(P4_CALL, P2_CALL))

    wanted = past.reactions(CASE, submitted)
    appends = past.do(ReleaseCall(call=P4_CALL))

    assert wanted == [ReleaseCall(call=P4_CALL), ReleaseCall(call=P2_CALL)]
    assert appends == ((P4_CALL, CallReleased(**ABOUT, departments=("D15", "D19"))),)
    assert past.decide(ReleaseCall(call=P4_CALL)) == ()
    assert past.refusal(acknowledge("D15")) == "expected a part that is open, found it released"


# --- clocks


def names(past: Past) -> set[str]:
    return {name for _, name in past.timers}


def test_every_clock_of_every_department_is_a_timer(past: Past) -> None:
    past.happened(P4_CALL, *THREE)

    assert {(name, timer.due) for (_, name), timer in past.timers.items()} == {
        ("D15.acknowledge", ACKNOWLEDGE.by),
        ("D15.arrive", ARRIVE.by),
        ("D15.contact", CONTACT.by),
        ("D15.result", RESULT.by),
        ("D16.acknowledge", ACKNOWLEDGE.by),
        ("D16.arrive", ARRIVE.by),
        ("D16.result", RESULT.by),
        ("D19.acknowledge", ACKNOWLEDGE.by),
        ("D19.result", RESULT.by),
    }
    assert past.timers[P4_CALL, "D15.arrive"].request == miss("D15", "arrive")


@pytest.mark.parametrize(
    ("clock", "due", "first", "second"),
    [
        ("acknowledge", ACKNOWLEDGE, timedelta(minutes=3, seconds=45), timedelta(minutes=7, seconds=30)),
        ("arrive", ARRIVE, timedelta(minutes=7, seconds=30), timedelta(minutes=15)),
        ("contact", CONTACT, timedelta(minutes=3, seconds=45), timedelta(minutes=7, seconds=30)),
        ("result", RESULT, timedelta(hours=6), timedelta(hours=12)),
    ],
)
def test_a_missed_clock_is_a_fact_and_the_platform_head_and_the_command_centre_are_told_in_turn(
    past: Past, clock: Clock, due: Due, first: timedelta, second: timedelta
) -> None:
    past.happened(P4_CALL, *THREE)
    steps = (due.by + first, due.by + second)

    missed = past.do(past.timers[P4_CALL, f"D15.{clock}"].request, due.by)
    told = [past.facts_of(past.timers[P4_CALL, f"D15.{clock}.{n}"].request, steps[n - 1]) for n in (1, 2)]

    assert missed == (
        (P4_CALL, CallClockMissed(**ABOUT, department="D15", clock=clock, due=due.by, escalations=steps)),
    )
    assert [past.timers[P4_CALL, f"D15.{clock}.{n}"].due for n in (1, 2)] == list(steps)
    head = CallEscalated(**ABOUT, department="D15", clock=clock, step=1, post="platform_head", person="head-P4")
    centre = CallEscalated(
        **ABOUT, department="D15", clock=clock, step=2, post="command_centre", person="command-centre"
    )
    assert told == [[head], [centre]]


def test_a_step_at_which_nobody_is_on_duty_says_so_and_the_next_is_taken_at_once(rules: RuleBook) -> None:
    def heads_missing(district: District) -> dict[str, Any]:
        return {"duties": tuple(duty for duty in district.duties if duty.post != "platform_head")}

    past = Past(with_district(rules, heads_missing))
    past.happened(P4_CALL, *THREE)
    past.do(miss("D15", "acknowledge"), ACKNOWLEDGE.by)

    taken = [fact for _, fact in past.do(miss("D15", "acknowledge", step=1))]

    told = [(fact.step, fact.post, fact.person) for fact in taken if isinstance(fact, CallEscalated)]
    assert told == [(1, "platform_head", ""), (2, "command_centre", "command-centre")]
    assert past.decide(miss("D15", "acknowledge", step=2)) == ()


def test_when_nobody_at_all_is_on_duty_every_step_says_so(rules: RuleBook) -> None:
    past = Past(with_district(rules, lambda district: {"duties": ()}))
    past.happened(P4_CALL, *THREE)
    past.do(miss("D15", "acknowledge"), ACKNOWLEDGE.by)

    taken = [fact for _, fact in past.do(miss("D15", "acknowledge", step=1))]

    assert [fact.person for fact in taken if isinstance(fact, CallEscalated)] == ["", ""]


def test_a_clock_is_missed_once(past: Past) -> None:
    past.happened(P4_CALL, *THREE)
    past.do(miss("D15", "acknowledge"), ACKNOWLEDGE.by)

    assert past.decide(miss("D15", "acknowledge"), ACKNOWLEDGE.by) == ()


def test_one_departments_acknowledgement_silences_nobody_elses_clock(past: Past) -> None:
    past.happened(P4_CALL, *THREE)

    past.do(acknowledge("D15"))

    assert past.decide(miss("D15", "acknowledge"), ACKNOWLEDGE.by) == ()
    for other in ("D16", "D19"):
        (missed,) = past.facts_of(miss(other, "acknowledge"), ACKNOWLEDGE.by)
        assert isinstance(missed, CallClockMissed)
        assert missed.department == other


@pytest.mark.parametrize("clock", ["arrive", "contact", "result"])
def test_an_acknowledgement_silences_no_other_clock_of_its_own_department(past: Past, clock: Clock) -> None:
    past.happened(P4_CALL, *THREE, acknowledged("D15"))

    assert past.decide(miss("D15", clock), RESULT.by) != ()


def test_whoever_acts_in_time_after_a_missed_clock_is_not_escalated_any_more(past: Past) -> None:
    past.happened(P4_CALL, *THREE)
    past.do(miss("D15", "acknowledge"), ACKNOWLEDGE.by)
    past.do(acknowledge("D15"), ACKNOWLEDGE.by + MINUTE)

    assert past.decide(miss("D15", "acknowledge", step=1)) == ()
    assert past.decide(miss("D15", "acknowledge", step=2)) == ()


@pytest.mark.parametrize(
    "request_",
    [miss("D08", "acknowledge"), miss("D19", "arrive"), miss("D16", "contact"), miss("D08", "result", step=1)],
)
def test_a_clock_that_does_not_run_cannot_be_missed(past: Past, request_: MissClock) -> None:
    past.happened(P4_CALL, *THREE)

    assert past.decide(request_, RESULT.by) == ()


def test_a_step_that_the_ladder_no_longer_has_tells_nobody(rules: RuleBook) -> None:
    past = Past(with_district(rules, lambda district: {"ladder": district.ladder[:1]}))
    past.happened(P4_CALL, *THREE)
    past.do(miss("D15", "acknowledge"), ACKNOWLEDGE.by)

    assert past.decide(miss("D15", "acknowledge", step=2)) == ()


def test_an_act_clears_its_own_clock_and_the_steps_after_it(past: Past) -> None:
    past.happened(P4_CALL, *THREE)
    for clock, due in (("acknowledge", ACKNOWLEDGE), ("contact", CONTACT), ("arrive", ARRIVE)):
        past.do(past.timers[P4_CALL, f"D15.{clock}"].request, due.by)
    all_set = names(past)

    def cleared_by(request: Request) -> set[str]:
        before = names(past)
        past.do(request, ARRIVE.by)
        return before - names(past)

    assert {"D15.acknowledge.1", "D15.acknowledge.2", "D15.arrive.2", "D15.contact.1"} <= all_set
    assert cleared_by(acknowledge("D15")) == {"D15.acknowledge", "D15.acknowledge.1", "D15.acknowledge.2"}
    assert cleared_by(report_in("D15")) == {"D15.arrive", "D15.arrive.1", "D15.arrive.2"}
    assert cleared_by(contact("D15")) == {"D15.contact", "D15.contact.1", "D15.contact.2"}
    assert cleared_by(note("D15")) == set()
    assert cleared_by(file("D15")) == {"D15.result"}


def test_a_result_clears_the_clocks_of_its_department_alone(past: Past) -> None:
    past.happened(P4_CALL, *THREE, acknowledged("D15"), reported_in("D15"))

    past.do(file("D15"))

    assert names(past) == {"D16.acknowledge", "D16.arrive", "D16.result", "D19.acknowledge", "D19.result"}


def test_a_complete_call_has_no_timer_left(past: Past) -> None:
    past.happened(P4_CALL, *THREE)
    past.do(miss("D19", "acknowledge"), ACKNOWLEDGE.by)

    past.happened(P4_CALL, *ALL_REQUIRED_FILED[2:])

    assert past.timers == {}


def test_a_released_call_has_no_timer_left(past: Past) -> None:
    past.happened(P4_CALL, *THREE)
    past.do(miss("D15", "arrive"), ARRIVE.by)

    past.do(ReleaseCall(call=P4_CALL))

    assert past.timers == {}


@pytest.mark.parametrize(
    "fact",
    [
        issued(LEAD),
        CallNoted(**ABOUT, department="D15", by="x", note=words("y")),
        CallEscalated(**ABOUT, department="D15", clock="arrive", step=1, post="platform_head", person=""),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_an_issue_a_note_and_an_escalation_leave_the_clocks_as_they_are(past: Past, fact: Fact) -> None:
    past.happened(P4_CALL, *THREE)
    before = dict(past.timers)

    past.happened(P4_CALL, fact)

    assert past.timers == before


@pytest.mark.parametrize(
    "request_",
    [CallDepartments(call=P4_CALL), ReleaseCall(call=P4_CALL), miss("D15", "result"), *(act("D15") for act in ACTS)],
    ids=lambda request: type(request).__name__,
)
def test_nothing_can_be_done_with_a_call_that_nobody_issued(past: Past, request_: Request) -> None:
    with pytest.raises(Rejected, match="expected an issued call, found none with this id"):
        past.decide(request_)
