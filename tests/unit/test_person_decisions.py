"""借调: nobody is lent against one of the five rules, and who is away is so from the first minute to the last."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.person import (
    ApproveSecondment,
    ConsentToSecondment,
    EndSecondment,
    MissReturn,
    MovePerson,
    NoteOverdueTold,
    OverdueTold,
    PartyRelationTransferred,
    PersonMoved,
    PersonRegistered,
    RefuseSecondment,
    RegisterPerson,
    RequestSecondment,
    SecondmentApproved,
    SecondmentConsented,
    SecondmentEnded,
    SecondmentOverdue,
    SecondmentRefused,
    SecondmentRequested,
    SecondmentStarted,
    StartSecondment,
    TransferPartyRelation,
)
from services.people.person import Employee, midnight, person_id
from services.rules.book import RuleBook
from services.rules.limits import add_months
from tests.unit.moments import at
from tests.unit.past import GAOCUN, LIUDU, MONDAY, Past, with_district

NUMBER = "LD-0042"
LI = person_id(NUMBER)
TODAY = date(2026, 11, 23)
START, BACK = date(2026, 12, 1), date(2027, 6, 1)
TO, HER_TOWN, COMMITTEE, PERSONNEL = "区城管局", "六都镇组织办", "六都镇党委", "区人事部门"


def register(**changes: Any) -> RegisterPerson:
    fields: dict[str, Any] = {
        "person": LI,
        "number": NUMBER,
        "name": "李敏",
        "employer": "区自然资源局",
        "town": LIUDU,
        "department": "D15",
        "since": add_months(START, -25),
        "by": HER_TOWN,
    }
    return RegisterPerson(**(fields | changes))


def ask(**changes: Any) -> RequestSecondment:
    fields: dict[str, Any] = {"person": LI, "to": TO, "start": START, "back": BACK, "by": "张三"}
    return RequestSecondment(**(fields | changes))


CONSENT = ConsentToSecondment(person=LI, by=COMMITTEE)
APPROVE = ApproveSecondment(person=LI, by=PERSONNEL)
REFUSE = RefuseSecondment(person=LI, ground="needed_here", by=COMMITTEE)
STARTS = StartSecondment(person=LI, town=LIUDU)
MISSES = MissReturn(person=LI)
ENDS = EndSecondment(person=LI, by=HER_TOWN)
LENT = {"number": NUMBER, "town": LIUDU}


@pytest.fixture
def served(past: Past) -> Past:
    """Somebody who has served 25 months in the town when the secondment would begin."""
    past.do(register())
    return past


@pytest.fixture
def away(served: Past) -> Past:
    """The same, lent."""
    for request in (ask(), CONSENT, APPROVE):
        served.do(request)
    served.do(STARTS, midnight(START))
    return served


def li(past: Past) -> Employee:
    found: Employee = past.states[LI]
    return found


# The register


def test_a_person_is_registered_once(past: Past) -> None:
    registered = PersonRegistered(
        number=NUMBER, name="李敏", employer="区自然资源局", town=LIUDU, department="D15", since=add_months(START, -25)
    )

    assert past.do(register()) == ((LI, registered),)
    assert past.decide(register()) == ()


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"name": "王强"}, "number: expected one that nobody has, found LD-0042 of 李敏"),
        ({"number": "LD-0043"}, f"person: expected the stream of LD-0043, found {LI}"),
        ({"town": "1"}, "town: expected one of "),
        ({"department": "D99"}, "department: expected one of "),
        ({"since": date(2026, 11, 24)}, "since: expected a day that has come, found 2026-11-24"),
    ],
)
def test_a_register_takes_nobody_twice_and_nobody_from_nowhere(
    served: Past, changes: dict[str, Any], refusal: str
) -> None:
    assert served.refusal(register(**changes)).startswith(refusal)


def test_in_another_town_the_years_of_service_begin_anew(served: Past) -> None:
    served.do(MovePerson(person=LI, town=LIUDU, department="D08", since=TODAY, by=HER_TOWN))
    assert li(served).since == add_months(START, -25)

    moved = served.do(MovePerson(person=LI, town=GAOCUN, department="D08", since=TODAY, by=HER_TOWN))

    assert moved == ((LI, PersonMoved(town=GAOCUN, department="D08", since=TODAY, from_town=LIUDU)),)
    assert "R-SEC-1" in served.refusal(ask())


def test_nobody_is_moved_on_a_day_that_has_not_come_or_before_they_came(served: Past) -> None:
    tomorrow = MovePerson(person=LI, town=GAOCUN, department="D08", since=date(2026, 11, 24), by=HER_TOWN)
    before = MovePerson(person=LI, town=GAOCUN, department="D08", since=date(2020, 1, 1), by=HER_TOWN)

    assert served.refusal(tomorrow) == "since: expected a day that has come, found 2026-11-24"
    assert served.refusal(before).startswith(
        f"since: expected {add_months(START, -25)}, when service here began, or later"
    )


def test_a_party_relation_is_transferred_once(served: Past) -> None:
    transfer = TransferPartyRelation(person=LI, to="town_committee", by=COMMITTEE)

    assert served.do(transfer) == ((LI, PartyRelationTransferred(to="town_committee", town=LIUDU)),)
    assert served.decide(transfer) == ()
    assert li(served).party_relation == "town_committee"


@pytest.mark.parametrize("request_", [ask(), CONSENT, APPROVE, REFUSE, STARTS, MISSES, ENDS])
def test_of_nobody_who_is_not_registered_anything_can_be_asked(past: Past, request_: Any) -> None:
    assert past.refusal(request_) == "person: expected one of the register, found none with this number"


# The four rules


def test_twenty_five_months_of_service_are_enough_after_consent_and_approval(served: Past) -> None:
    assert served.do(ask()) == ((LI, SecondmentRequested(**LENT, to=TO, start=START, back=BACK, by="张三")),)
    assert served.do(CONSENT) == ((LI, SecondmentConsented(**LENT, by=COMMITTEE)),)
    assert served.do(APPROVE) == ((LI, SecondmentApproved(**LENT, by=PERSONNEL, start=START)),)


@pytest.mark.parametrize(("months", "refused"), [(23, True), (24, False), (25, False)])
def test_under_two_years_of_service_in_the_town_nobody_is_lent(past: Past, months: int, refused: bool) -> None:
    past.do(register(since=add_months(START, -months)))

    refusal = past.refusal(ask())

    assert refusal.startswith("R-SEC-1: expected 24 months of service") == refused
    assert bool(refusal) == refused


def test_a_day_short_of_two_years_is_short(past: Past) -> None:
    past.do(register(since=add_months(START, -24) + timedelta(days=1)))

    assert past.refusal(ask()) == (
        "R-SEC-1: expected 24 months of service in the town before a secondment, so not before 2026-12-02,"
        " found service since 2024-12-02 and a start on 2026-12-01"
    )


def test_district_personnel_cannot_approve_before_the_town_committee_consents(served: Past) -> None:
    served.do(ask())

    assert served.refusal(APPROVE) == "R-SEC-3: expected a secondment that is consented first, found it requested"


@pytest.mark.parametrize("step", [ConsentToSecondment, ApproveSecondment])
def test_who_requested_it_neither_consents_nor_approves(served: Past, step: type[Any]) -> None:
    served.do(ask())
    if step is ApproveSecondment:
        served.do(CONSENT)

    refusal = served.refusal(step(person=LI, by="张三"))

    assert refusal == "R-SEC-5: expected another person than the one who requested it, found 张三"
    assert served.decide(step(person=LI, by="李四")) != ()


def test_who_requested_it_may_take_it_back(served: Past) -> None:
    served.do(ask())

    assert served.decide(RefuseSecondment(person=LI, ground="withdrawn", by="张三")) != ()


@pytest.mark.parametrize(
    ("start", "back", "refused"),
    [
        (START, date(2027, 6, 1), False),
        (START, date(2027, 6, 2), True),
        (START, date(2027, 7, 1), True),
        (date(2026, 12, 31), date(2027, 6, 30), False),
        (date(2026, 12, 31), date(2027, 7, 1), True),
        (date(2027, 8, 31), date(2028, 2, 29), False),
        (date(2027, 8, 31), date(2028, 3, 1), True),
        (date(2028, 2, 29), date(2028, 8, 29), False),
    ],
)
def test_six_calendar_months_are_the_most(served: Past, start: date, back: date, refused: bool) -> None:
    refusal = served.refusal(ask(start=start, back=back))

    assert refusal.startswith("R-SEC-4: expected at most 6 calendar months") == refused
    assert bool(refusal) == refused


@pytest.mark.parametrize(("after", "refused"), [(0, True), (5, True), (6, False)])
def test_two_secondments_do_not_follow_each_other(away: Past, after: int, refused: bool) -> None:
    away.do(ENDS, at("2027-06-01 09:00"))
    start = add_months(BACK, after)

    refusal = away.refusal(ask(start=start, back=add_months(start, 1)), at("2027-06-01 10:00"))

    assert refusal.startswith("R-SEC-4: expected a pause of 6 months after 2027-06-01") == refused
    assert bool(refusal) == refused


def test_the_bounds_are_the_districts(served: Past, rules: RuleBook) -> None:
    served.rules = with_district(
        rules, lambda district: {"secondment": type(district.secondment)(service_months=26, longest_months=3)}
    )

    assert served.refusal(ask()).startswith("R-SEC-1: expected 26 months")
    assert served.refusal(ask(start=date(2027, 1, 1))).startswith("R-SEC-4: expected at most 3 calendar months")


# The way


@pytest.mark.parametrize(
    ("before", "request_", "refusal"),
    [
        ((), CONSENT, "expected a secondment under way, found none: it is requested first"),
        ((), ENDS, "expected a secondment under way, found none: it is requested first"),
        ((ask(), CONSENT), ENDS, "expected a person who is away, found the secondment consented"),
        ((ask(),), ask(to="区委办"), f"expected a person who is not lent, found a secondment to {TO} requested"),
        ((), ask(start=date(2026, 11, 22)), "start: expected today or a later day, found 2026-11-22"),
        ((), ask(back=START), "back: expected a day after 2026-12-01, found 2026-12-01"),
        (
            (ask(),),
            MovePerson(person=LI, town=GAOCUN, department="D08", since=TODAY, by=HER_TOWN),
            f"expected a person who is not lent, found a secondment to {TO} under way",
        ),
    ],
)
def test_what_is_out_of_order_is_refused(served: Past, before: tuple[Any, ...], request_: Any, refusal: str) -> None:
    for step in before:
        served.do(step)

    assert served.refusal(request_) == refusal


@pytest.mark.parametrize("steps", [(ask(),), (ask(), CONSENT), (ask(), CONSENT, APPROVE)])
def test_the_same_step_again_is_a_repeat(served: Past, steps: tuple[Any, ...]) -> None:
    for step in steps:
        served.do(step)

    assert [served.decide(step) for step in steps] == [()] * len(steps)


@pytest.mark.parametrize(
    ("steps", "stood_before"),
    [((ask(),), "consent"), ((ask(), CONSENT), "approval"), ((ask(), CONSENT, APPROVE), "start")],
)
def test_a_refusal_says_what_it_stood_before_and_leaves_nothing(
    served: Past, steps: tuple[Any, ...], stood_before: Any
) -> None:
    for step in steps:
        served.do(step)

    refused = served.do(REFUSE)

    assert refused == ((LI, SecondmentRefused(**LENT, at=stood_before, ground="needed_here", by=COMMITTEE)),)
    assert li(served).secondment is None
    assert served.timers == {}
    assert served.decide(STARTS) == ()


def test_who_is_approved_too_late_is_requested_anew(served: Past) -> None:
    served.do(ask())
    served.do(CONSENT)

    assert served.refusal(APPROVE, at("2026-12-02 09:00")).startswith("start: expected today or a later day")


def test_a_secondment_begins_by_itself_at_midnight_of_its_first_day(served: Past) -> None:
    for request in (ask(), CONSENT, APPROVE):
        served.do(request)
    timer = served.timers[LI, "secondment"]
    assert (timer.due, timer.request) == (at("2026-12-01 00:00"), STARTS)
    assert not li(served).away

    begun = served.do(STARTS, timer.due)

    assert begun == ((LI, SecondmentStarted(**LENT, to=TO, start=START, back=BACK)),)
    assert li(served).away
    assert served.refusal(REFUSE) == "expected a secondment that has not begun, found it away"


def test_who_is_not_back_when_the_day_of_return_is_over_is_overdue_and_still_away(away: Past) -> None:
    timer = away.timers[LI, "secondment"]
    assert (timer.due, timer.request) == (at("2027-06-02 00:00"), MISSES)

    overdue = away.do(MISSES, timer.due)

    assert overdue == ((LI, SecondmentOverdue(**LENT, to=TO, back=BACK)),)
    assert li(away).away
    assert away.decide(MISSES, timer.due) == ()


def test_what_became_of_the_alert_that_somebody_is_overdue_is_noted_once(away: Past) -> None:
    told = NoteOverdueTold(person=LI, channel="mail")
    assert away.decide(told) == ()
    away.do(MISSES, away.timers[LI, "secondment"].due)

    assert away.do(told) == ((LI, OverdueTold(**LENT, channel="mail")),)

    assert away.decide(NoteOverdueTold(person=LI)) == ()
    away.do(ENDS, at("2027-06-03 09:00"))
    assert away.decide(told) == ()


@pytest.mark.parametrize(
    ("back_at", "late"), [("2027-03-01 09:00", False), ("2027-06-01 23:59", False), ("2027-06-02 00:00", True)]
)
def test_who_is_back_is_here_and_may_not_be_late(away: Past, back_at: str, late: bool) -> None:
    now = at(back_at)

    ended = away.do(ENDS, now)

    day = date.fromisoformat(back_at[:10])
    assert ended == ((LI, SecondmentEnded(**LENT, on=day, by=HER_TOWN, late=late)),)
    assert not li(away).away
    assert li(away).last_back == day
    assert away.decide(MISSES, now) == ()
    assert (LI, "secondment") not in away.timers


# Whatever is asked

REQUESTS = st.one_of(
    st.sampled_from([CONSENT, APPROVE, REFUSE, STARTS, MISSES, ENDS]),
    st.builds(
        lambda start, days: ask(start=start, back=start + timedelta(days=days)),
        st.dates(date(2025, 1, 1), date(2029, 1, 1)),
        st.integers(-1, 250),
    ),
)


@given(st.dates(date(2022, 1, 1), TODAY), st.lists(st.tuples(REQUESTS, st.integers(0, 200)), max_size=25))
def test_whatever_is_asked_nobody_is_lent_against_a_rule(
    rules: RuleBook, since: date, asked: list[tuple[Any, int]]
) -> None:
    past, now = Past(rules), MONDAY
    past.do(register(since=since))
    lent: list[tuple[date, date]] = []
    for request, days in asked:
        now += timedelta(days=days)
        for timer in sorted(past.timers.values(), key=lambda timer: timer.due):
            if timer.due <= now:
                past.do(timer.request, timer.due)
        if past.refusal(request, now) == "":
            _follow(past.do(request, now), lent, now)

    for start, back in lent:
        assert add_months(since, 24) <= start < back <= add_months(start, 6)


def _follow(appends: tuple[Any, ...], lent: list[tuple[date, date]], now: datetime) -> None:
    for _, fact in appends:
        if isinstance(fact, SecondmentStarted):
            lent.append((fact.start, fact.back))
