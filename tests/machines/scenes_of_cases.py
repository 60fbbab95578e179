"""What is played about reports, cases, their calls and their notices."""

from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from typing import Any

from msgspec import structs

from events.call import (
    AcknowledgeCall,
    AlertDepartment,
    AttachProof,
    ContactReporter,
    NoteDelivery,
    NoteDeliveryFailure,
    NoteProgress,
    RecountDues,
    ReportIn,
)
from events.case import (
    CallDistrict,
    ConsentToHandDown,
    EscalateCase,
    GrantLaunchWaiver,
    HandDown,
    RecountCaseDues,
    RecuseDepartment,
    ResolveInVillage,
)
from events.district import District
from events.envelope import Request
from events.ids import district_call_of, outcome_of
from events.outcome import PublishOutcome, WithholdOutcome
from events.report import AttachFile, EraseReport
from services.rules.book import RuleBook
from tests.machines.explore import Letter, Played, Scene
from tests.machines.letters import (
    APPROVES,
    CLASSIFIES,
    EXPLAINS,
    FOOD,
    IN_VILLAGE,
    NOBODY_THERE,
    NOT_SOLVED,
    OFF_LIST,
    PUBLIC,
    REFUSES,
    REOPENS,
    SENDS_BACK,
    SMALL,
    SOLVED,
    THEFT,
    all_acknowledge,
    all_work,
    does,
    files,
    lead_acknowledges,
    one,
    told,
    told_again,
)
from tests.unit.past import CASE, MONDAY, REPORT, with_district, words

REPORTS = Scene(
    "reports",
    letters=(
        told(SMALL),
        told("", words_say=SMALL),
        told_again(SMALL),
        CLASSIFIES,
        REFUSES,
        one(AttachFile(report=REPORT, case=CASE, media_type="image/jpeg", size=1, file="f")),
        one(EraseReport(report=REPORT, by="officer", reason="request")),
        all_work,
        APPROVES,
        SOLVED,
    ),
    deep=6,
)

CASES = Scene(
    "cases at the town",
    starts=(told(FOOD), told(FOOD, anonymous=True), told("", words_say=SMALL)),
    letters=(
        told_again(FOOD),
        CLASSIFIES,
        REFUSES,
        lead_acknowledges,
        all_acknowledge,
        all_work,
        APPROVES,
        SENDS_BACK,
        SOLVED,
        NOT_SOLVED,
        NOBODY_THERE,
        EXPLAINS,
        REOPENS,
    ),
    deep=10,
    clocks=("case",),
)


def town_works(played: Played) -> Iterable[Request]:
    """Everybody whom the town called."""
    return (request for request in all_work(played) if request.call not in _district_calls())  # type: ignore[attr-defined]  # all are about calls


def bureau_works(played: Played) -> Iterable[Request]:
    """The district's bureau."""
    return (request for request in all_work(played) if request.call in _district_calls())  # type: ignore[attr-defined]  # all are about calls


def _district_calls() -> list[str]:
    return [district_call_of(CASE, nth) for nth in (1, 2)]


def calls_district(played: Played) -> Iterable[Request]:
    """The town calls the district, with a condition and evidence; at most twice."""
    case = played.states.get(CASE)
    if case is None or case.district_calls >= len(_district_calls()):
        return []
    nth = case.district_calls + 1
    return [CallDistrict(case=CASE, by="centre", condition="headcount", evidence=words("x"), nth=nth)]


LEVELS = Scene(
    "village, town and district",
    starts=(told(IN_VILLAGE), told(THEFT), told(OFF_LIST)),
    letters=(
        told_again(IN_VILLAGE),
        one(ResolveInVillage(case=CASE, by="village", solved="yes", account=words("x"), reply=words("y"))),
        one(EscalateCase(case=CASE, reason="beyond_village", by="village")),
        calls_district,
        one(GrantLaunchWaiver(case=CASE, by="leader", reason=words("x"), bureau="B07")),
        one(HandDown(case=CASE, by="district", reason=words("x"))),
        one(ConsentToHandDown(case=CASE, by="centre")),
        all_acknowledge,
        town_works,
        bureau_works,
        APPROVES,
        SENDS_BACK,
        NOT_SOLVED,
    ),
    deep=8,
    clocks=("case",),
)


def recuses_whoever_leads(played: Played) -> Iterable[Request]:
    """回避: the lead is complained of, or who would lead where nobody is called yet."""
    case = played.states.get(CASE)
    if case is None or case.phase == "closed":
        return []
    leads = [leg.department for call in case.calls for leg in call.legs if leg.role == "lead"]
    return [RecuseDepartment(case=CASE, department=(leads or ["D12"])[0], by="centre")]


RECUSALS = Scene(
    "recusals",
    starts=(told(FOOD), told(THEFT), told(IN_VILLAGE), told("", words_say=SMALL)),
    letters=(
        CLASSIFIES,
        recuses_whoever_leads,
        calls_district,
        one(EscalateCase(case=CASE, reason="beyond_village", by="village")),
        all_acknowledge,
        all_work,
        APPROVES,
        SENDS_BACK,
    ),
    deep=6,
)


LEAD, ASSIST, OTHER = "D12", "D13", "D14"
"""Of a case about food: the lead, who else must come, and who only assists."""

LEGS = Scene(
    "a department's part",
    starts=(told(FOOD), told(FOOD, anonymous=True)),
    letters=(
        does(LEAD, AcknowledgeCall),
        does(LEAD, ReportIn, people=2),
        does(LEAD, ContactReporter),
        does(LEAD, NoteProgress, case=CASE, note=words("x")),
        does(LEAD, AttachProof, case=CASE, media_type="image/jpeg", size=1, file="f"),
        files(LEAD),
        does(ASSIST, AcknowledgeCall),
        does(ASSIST, ReportIn, people=2),
        files(ASSIST),
        does(OTHER, AcknowledgeCall),
    ),
    deep=9,
)

DESK = "D01"
"""Who has whatever fits nowhere else, alone."""


@cache
def amended(rules: RuleBook) -> RuleBook:
    """The rules after the first days of the scene were declared holidays."""

    def change(district: District) -> dict[str, Any]:
        rest = {*district.calendar.rest, MONDAY.date(), MONDAY.date() + timedelta(days=1)}
        return {"calendar": structs.replace(district.calendar, rest=tuple(sorted(rest)))}

    return with_district(rules, change)


def recounts_by_itself(played: Played) -> Iterable[Request]:
    """The calendar is amended, nobody is told of it, and the next timer fires."""
    played.rules = amended(played.rules)
    played.let_time_pass(("call",))
    return []


def recounts(played: Played) -> Iterable[Request]:
    """The calendar is amended, and every call is told of it."""
    played.rules = amended(played.rules)
    return [RecountDues(call=call) for call in played.of("call")]


def cases_recount(played: Played) -> Iterable[Request]:
    """The calendar is amended, and the case is told of it."""
    played.rules = amended(played.rules)
    return (RecountCaseDues(case=CASE),)


def village_recounts_by_itself(played: Played) -> Iterable[Request]:
    """The same, and its own timer fires before anybody tells it."""
    played.rules = amended(played.rules)
    played.let_time_pass(("case",))
    return ()


CLOCKS = Scene(
    "clocks and the ladder",
    starts=(told(FOOD), told(SMALL)),
    letters=(
        does(DESK, AcknowledgeCall),
        does(DESK, ContactReporter),
        files(DESK),
        all_acknowledge,
        all_work,
        recounts,
        recounts_by_itself,
    ),
    deep=40,
    clocks=("call",),
)

ALERTED = "D09"
"""The lead of an emergency, whose alerts must arrive in time."""


def alert(act: type[Request], **more: Any) -> Letter:
    """Something about the alerts of the lead."""

    def letter(played: Played) -> Iterable[Request]:
        found = [call for call in played.of("call") if ALERTED in played.states[call].parts]
        return [act(call=call, department=ALERTED, **more) for call in found]

    return letter


ALERTS = Scene(
    "alerts",
    starts=(told("204"),),
    letters=(
        alert(AlertDepartment, channels=("sms", "mail")),
        alert(NoteDelivery, channel="sms"),
        alert(NoteDelivery, channel="mail"),
        *(alert(NoteDeliveryFailure, channel="sms", reason=why) for why in ("refused", "dead_letter")),
        alert(NoteDeliveryFailure, channel="mail", reason="unknown_channel"),
        does(ALERTED, AcknowledgeCall),
    ),
    deep=6,
    clocks=("call",),
)

NOTICE = outcome_of(CASE)

OUTCOMES = Scene(
    "notices",
    starts=(told(PUBLIC),),
    letters=(
        one(EscalateCase(case=CASE, reason="beyond_village", by="village")),
        all_work,
        APPROVES,
        NOT_SOLVED,
        one(PublishOutcome(outcome=NOTICE, case=CASE, by="editor")),
        one(WithholdOutcome(outcome=NOTICE, case=CASE, by="editor", ground="secret")),
        cases_recount,
        village_recounts_by_itself,
    ),
    deep=9,
)
