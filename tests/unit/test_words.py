"""The residents' words open to those called, by role and by what they have done so far, and to nobody else."""

from typing import Any

import pytest

from events.call import (
    CallAcknowledged,
    CallClockMissed,
    CallCompleted,
    CallIssued,
    CallNoted,
    CallReleased,
    CallResultFiled,
    DepartmentReportedIn,
    DepartmentsCalled,
    Leg,
    ReporterContacted,
)
from events.case import Due, LegPlan
from events.district import Visibility
from events.envelope import Fact
from services.decisions import Rejected
from services.platforms.words import may_open
from services.rules.book import RuleBook
from tests.unit.past import CASE, LIUDU, LIUDU_VILLAGE, MONDAY, P4_CALL, Past, words

ABOUT: dict[str, Any] = {"case": CASE, "town": LIUDU, "platform": "P4"}
DUE = Due(by=MONDAY, rule="a rule")
LEAD, ASSIST, CONSULT, NOT_CALLED = "D15", "D16", "D19", "D01"
LEGS = (
    Leg(LEAD, "lead", True, DUE, DUE, DUE, DUE),
    Leg(ASSIST, "assist", True, DUE, DUE, DUE),
    Leg(CONSULT, "consult", False, DUE, DUE),
)
ISSUED = CallIssued(
    **ABOUT,
    attempt=1,
    level="town",
    village=LIUDU_VILLAGE,
    matter="401",
    handling_class="U1",
    legs=tuple(LegPlan(leg.department, leg.role, leg.required) for leg in LEGS),
    result=DUE,
)
CALLED: tuple[Fact, ...] = (
    ISSUED,
    DepartmentsCalled(**ABOUT, handling_class="U1", called_at=MONDAY, legs=LEGS),
)
EVERYBODY = ("public", "statistics")


def acknowledged(department: str, by: str = "李四") -> Fact:
    return CallAcknowledged(**ABOUT, attempt=1, department=department, by=by)


def filed(department: str) -> Fact:
    reply = words("已办好。") if department == LEAD else None
    return CallResultFiled(
        **ABOUT, department=department, by="李四", solved="yes", account=words("办好了。"), reply=reply
    )


def refusal(rules: RuleBook, *facts: Fact, department: str, by: str = "李四", visibility: Visibility = "public") -> str:
    """Why the words stay closed after these facts; empty when they open."""
    past = Past(rules)
    past.happened(P4_CALL, *facts)
    try:
        may_open(past.states.get(P4_CALL), department, by, visibility)
    except Rejected as rejected:
        return str(rejected)
    return ""


@pytest.mark.parametrize("facts", [(), (ISSUED,)], ids=["no call", "a call whose departments are not called yet"])
def test_before_anybody_is_called_the_words_open_to_nobody(rules: RuleBook, facts: tuple[Fact, ...]) -> None:
    found = refusal(rules, *facts, department=LEAD)

    assert found == "expected a call whose departments are called, found none with this id"


@pytest.mark.parametrize("visibility", ["public", "statistics", "confidential"])
def test_a_department_that_is_not_called_opens_nothing(rules: RuleBook, visibility: Visibility) -> None:
    found = refusal(rules, *CALLED, acknowledged(LEAD), department=NOT_CALLED, visibility=visibility)

    assert found == "department: expected one that is called, found D01"


@pytest.mark.parametrize("visibility", EVERYBODY)
def test_the_lead_opens_the_words_at_once(rules: RuleBook, visibility: Visibility) -> None:
    assert refusal(rules, *CALLED, department=LEAD, visibility=visibility) == ""


@pytest.mark.parametrize("visibility", EVERYBODY)
@pytest.mark.parametrize("department", [ASSIST, CONSULT])
def test_who_is_no_lead_opens_them_only_after_acknowledging_itself(
    rules: RuleBook, department: str, visibility: Visibility
) -> None:
    before = refusal(rules, *CALLED, acknowledged(LEAD), department=department, visibility=visibility)
    after = refusal(rules, *CALLED, acknowledged(department), department=department, visibility=visibility)

    assert before == f"expected {department} to acknowledge first, found its part only called"
    assert after == ""


@pytest.mark.parametrize("visibility", EVERYBODY)
def test_anybody_of_a_department_may_open_what_is_not_confidential(rules: RuleBook, visibility: Visibility) -> None:
    found = refusal(rules, *CALLED, acknowledged(ASSIST, "李四"), department=ASSIST, by="王五", visibility=visibility)

    assert found == ""


@pytest.mark.parametrize("department", [LEAD, ASSIST, CONSULT])
def test_a_confidential_matter_opens_to_whoever_acknowledged_and_to_no_colleague(
    rules: RuleBook, department: str
) -> None:
    def opened_by(by: str, *facts: Fact) -> str:
        return refusal(rules, *CALLED, *facts, department=department, by=by, visibility="confidential")

    before, colleague = opened_by("李四"), opened_by("王五", acknowledged(department, "李四"))
    handler = opened_by("李四", acknowledged(department, "李四"))

    expected = "by: expected the named handler of a confidential matter"
    assert before == f"{expected} (nobody yet), found 李四"
    assert colleague == f"{expected} (李四), found 王五"
    assert handler == ""


@pytest.mark.parametrize("by", ["", "nobody yet"])
def test_before_anybody_acknowledged_no_name_is_the_handlers(rules: RuleBook, by: str) -> None:
    found = refusal(rules, *CALLED, department=ASSIST, by=by, visibility="confidential")

    assert found != ""


def test_the_handler_of_another_department_is_none_of_this_one(rules: RuleBook) -> None:
    facts = (*CALLED, acknowledged(LEAD, "李四"), acknowledged(ASSIST, "王五"))

    found = refusal(rules, *facts, department=ASSIST, by="李四", visibility="confidential")

    assert found == "by: expected the named handler of a confidential matter (王五), found 李四"


def test_who_reports_in_speaks_with_the_reporter_or_notes_something_does_not_become_the_handler(
    rules: RuleBook,
) -> None:
    facts = (
        *CALLED,
        acknowledged(LEAD, "李四"),
        DepartmentReportedIn(**ABOUT, department=LEAD, by="王五", people=2),
        ReporterContacted(**ABOUT, department=LEAD, by="王五"),
        CallNoted(**ABOUT, department=LEAD, by="王五", note=words("去看")),
    )

    assert refusal(rules, *facts, department=LEAD, by="李四", visibility="confidential") == ""
    assert refusal(rules, *facts, department=LEAD, by="王五", visibility="confidential") != ""


@pytest.mark.parametrize("department", [LEAD, ASSIST, CONSULT])
def test_a_department_that_has_filed_opens_nothing_any_more_and_the_others_still_do(
    rules: RuleBook, department: str
) -> None:
    facts = (*CALLED, *(acknowledged(leg.department) for leg in LEGS), filed(department))

    found = {leg.department: refusal(rules, *facts, department=leg.department) for leg in LEGS}

    assert found == {
        leg.department: "expected a part that is open, found it filed" if leg.department == department else ""
        for leg in LEGS
    }


@pytest.mark.parametrize(
    "release",
    [
        CallReleased(**ABOUT, departments=(CONSULT,)),
        CallCompleted(**ABOUT, attempt=1, handlers=("李四",), solved="yes", released=(CONSULT,)),
    ],
    ids=["by the case", "with its call"],
)
@pytest.mark.parametrize("visibility", ["public", "statistics", "confidential"])
def test_a_department_that_was_released_opens_nothing_any_more(
    rules: RuleBook, release: Fact, visibility: Visibility
) -> None:
    found = refusal(rules, *CALLED, acknowledged(CONSULT), release, department=CONSULT, visibility=visibility)

    assert found == "expected a part that is open, found it released"


def test_a_missed_clock_closes_nothing(rules: RuleBook) -> None:
    missed = (CallClockMissed(**ABOUT, department=code, clock="acknowledge", due=MONDAY) for code in (LEAD, ASSIST))

    facts = (*CALLED, *missed, acknowledged(ASSIST))

    assert refusal(rules, *facts, department=LEAD) == ""
    assert refusal(rules, *facts, department=ASSIST) == ""
