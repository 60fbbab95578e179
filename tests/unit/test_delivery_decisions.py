"""Alerts: a department is told of its part on one channel after another, and no clock of the call waits for it."""

from datetime import datetime, timedelta
from typing import Any, get_args

import pytest

from events.call import (
    AcknowledgeCall,
    AlertDepartment,
    CallAcknowledged,
    CallAlerted,
    CallDelivered,
    CallDeliveryFailed,
    CallIssued,
    CallReleased,
    CallResultFiled,
    DeliveryFailure,
    DepartmentsCalled,
    Leg,
    MissClock,
    MissDelivery,
    NoteDelivery,
    NoteDeliveryFailure,
    ReleaseCall,
)
from events.case import Due, LegPlan
from events.district import HandlingClass
from events.envelope import Fact, Request
from services.rules.book import RuleBook
from tests.unit.past import CASE, LIUDU, LIUDU_VILLAGE, MONDAY, P4_CALL, Past, words

MINUTE = timedelta(minutes=1)
ABOUT: dict[str, Any] = {"case": CASE, "town": LIUDU, "platform": "P4"}
RESULT = Due(by=MONDAY + timedelta(hours=24), rule="matter 401 promised 24h")
ACKNOWLEDGE = Due(by=MONDAY + 15 * MINUTE, rule="U1 acknowledge 15min")
CHANNELS = ("gateway", "mail", "siren")
REASONS = get_args(DeliveryFailure)


def called(urgency: HandlingClass = "U1") -> tuple[Fact, ...]:
    plans = (LegPlan("D15", "lead", required=True), LegPlan("D16", "assist"))
    legs = tuple(Leg(plan.department, plan.role, plan.required, ACKNOWLEDGE, RESULT) for plan in plans)
    issue = CallIssued(
        **ABOUT,
        attempt=1,
        level="town",
        village=LIUDU_VILLAGE,
        matter="401",
        handling_class=urgency,
        legs=plans,
        result=RESULT,
    )
    return issue, DepartmentsCalled(**ABOUT, handling_class=urgency, called_at=MONDAY, legs=legs)


def alerted(
    nth: int, at: datetime | None = MONDAY, *, channels: tuple[str, ...] = CHANNELS, department: str = "D15"
) -> CallAlerted:
    return CallAlerted(
        **ABOUT,
        department=department,
        channel=channels[nth - 1],
        nth=nth,
        then=channels[nth:],
        deliver_by=at and at + 2 * MINUTE,
    )


def delivered(channel: str, department: str = "D15") -> CallDelivered:
    return CallDelivered(**ABOUT, department=department, channel=channel)


def failed(channel: str, reason: Any = "refused") -> CallDeliveryFailed:
    return CallDeliveryFailed(**ABOUT, department="D15", channel=channel, reason=reason)


def alert(*channels: str, department: str = "D15") -> AlertDepartment:
    return AlertDepartment(call=P4_CALL, department=department, channels=channels or CHANNELS)


def note(channel: str, department: str = "D15") -> NoteDelivery:
    return NoteDelivery(call=P4_CALL, department=department, channel=channel)


def fail(channel: str, reason: DeliveryFailure = "refused") -> NoteDeliveryFailure:
    return NoteDeliveryFailure(call=P4_CALL, department="D15", channel=channel, reason=reason)


def miss(channel: str) -> MissDelivery:
    return MissDelivery(call=P4_CALL, department="D15", channel=channel)


ACKNOWLEDGED = CallAcknowledged(**ABOUT, attempt=1, department="D15", by="officer-D15")
FILED = CallResultFiled(**ABOUT, department="D15", by="officer-D15", solved="yes", account=words("-"))
RELEASED = CallReleased(**ABOUT, departments=("D15", "D16"))
NEEDS_NONE = [
    pytest.param((ACKNOWLEDGED,), id="acknowledged"),
    pytest.param((ACKNOWLEDGED, FILED), id="filed"),
    pytest.param((RELEASED,), id="released"),
]


@pytest.fixture
def past(rules: RuleBook) -> Past:
    return Past(rules)


def alerts(past: Past) -> dict[str, datetime]:
    """The timers of alerts: what each is about, and when it is due."""
    return {
        timer.request.channel: timer.due for timer in past.timers.values() if isinstance(timer.request, MissDelivery)
    }


# --- setting out


def test_an_alert_sets_out_on_the_first_channel_and_must_arrive_in_two_minutes(past: Past) -> None:
    past.happened(P4_CALL, *called())

    assert past.facts_of(alert(), MONDAY + MINUTE) == [alerted(1, MONDAY + MINUTE)]


@pytest.mark.parametrize("urgency", ["U0", "U2", "U3", "U4", "U5"])
def test_what_is_no_emergency_has_no_two_minutes(past: Past, urgency: HandlingClass) -> None:
    past.happened(P4_CALL, *called(urgency))

    past.do(alert())

    assert past.facts[-1] == (P4_CALL, alerted(1, None))
    assert alerts(past) == {}


def test_a_department_is_alerted_once_however_often_it_is_asked_for(past: Past) -> None:
    past.happened(P4_CALL, *called(), alerted(1))

    assert past.facts_of(alert()) == []
    assert past.facts_of(alert("other")) == []


def test_a_channel_that_is_named_twice_is_taken_once(past: Past) -> None:
    past.happened(P4_CALL, *called())

    assert past.facts_of(alert("gateway", "gateway", "mail")) == [alerted(1, channels=("gateway", "mail"))]


def test_each_department_is_alerted_by_itself(past: Past) -> None:
    past.happened(P4_CALL, *called(), alerted(1), delivered("gateway"))

    assert past.facts_of(alert(department="D16")) == [alerted(1, department="D16")]


@pytest.mark.parametrize("facts", NEEDS_NONE)
def test_who_need_not_acknowledge_any_more_is_not_alerted(past: Past, facts: tuple[Fact, ...]) -> None:
    past.happened(P4_CALL, *called(), *facts)

    assert past.facts_of(alert()) == []


@pytest.mark.parametrize("request_", [alert(department="D99"), note("gateway", "D99")])
def test_only_who_is_called_is_alerted(past: Past, request_: Request) -> None:
    past.happened(P4_CALL, *called())

    assert "expected one that is called (D15, D16), found D99" in past.refusal(request_)


# --- arriving


def test_what_a_channel_took_is_delivered_and_takes_no_other_channel(past: Past) -> None:
    past.happened(P4_CALL, *called(), alerted(1))

    past.do(note("gateway"))

    assert past.facts[-1] == (P4_CALL, delivered("gateway"))
    assert alerts(past) == {}
    assert past.facts_of(miss("gateway"), MONDAY + 2 * MINUTE) == []


def test_what_arrived_is_noted_once(past: Past) -> None:
    past.happened(P4_CALL, *called(), alerted(1), delivered("gateway"))

    assert past.facts_of(note("gateway")) == []
    assert past.facts_of(fail("gateway")) == []


@pytest.mark.parametrize("request_", [note("mail"), fail("mail")])
def test_nothing_arrives_on_a_channel_that_no_alert_took(past: Past, request_: Request) -> None:
    past.happened(P4_CALL, *called(), alerted(1))

    assert past.refusal(request_) == "channel: expected one on which D15 was alerted (gateway), found mail"


@pytest.mark.parametrize("facts", NEEDS_NONE)
def test_what_arrives_after_the_department_needs_none_is_still_delivered(past: Past, facts: tuple[Fact, ...]) -> None:
    past.happened(P4_CALL, *called(), alerted(1), *facts)

    assert past.facts_of(note("gateway")) == [delivered("gateway")]


# --- failing


@pytest.mark.parametrize("urgency", ["U1", "U3"])
@pytest.mark.parametrize("reason", REASONS)
def test_a_channel_that_fails_is_followed_by_the_next(
    past: Past, urgency: HandlingClass, reason: DeliveryFailure
) -> None:
    later = MONDAY + MINUTE
    in_time = urgency == "U1"
    past.happened(P4_CALL, *called(urgency), alerted(1, MONDAY if in_time else None))

    assert past.facts_of(fail("gateway", reason), later) == [
        failed("gateway", reason),
        alerted(2, later if in_time else None),
    ]


def test_the_last_channel_has_none_to_follow(past: Past) -> None:
    past.happened(P4_CALL, *called(), alerted(1, channels=("gateway",)))

    assert past.facts_of(fail("gateway")) == [failed("gateway")]


def test_a_failure_is_noted_once(past: Past) -> None:
    past.happened(P4_CALL, *called(), alerted(1), failed("gateway"), alerted(2))

    assert past.facts_of(fail("gateway")) == []
    assert past.facts_of(fail("gateway", "dead_letter")) == []


@pytest.mark.parametrize("facts", NEEDS_NONE)
def test_a_failure_after_the_department_needs_none_takes_no_other_channel(past: Past, facts: tuple[Fact, ...]) -> None:
    past.happened(P4_CALL, *called(), alerted(1), *facts)

    assert past.facts_of(fail("gateway")) == [failed("gateway")]


# --- two minutes


def test_an_emergency_without_delivery_in_two_minutes_takes_the_next_channel_with_two_of_its_own(past: Past) -> None:
    past.happened(P4_CALL, *called(), alerted(1))
    assert alerts(past) == {"gateway": MONDAY + 2 * MINUTE}

    past.do(miss("gateway"), MONDAY + 2 * MINUTE)

    assert [fact for _, fact in past.facts[-2:]] == [failed("gateway", "not_in_time"), alerted(2, MONDAY + 2 * MINUTE)]
    assert alerts(past) == {"mail": MONDAY + 4 * MINUTE}


def test_the_last_channel_too_is_found_late(past: Past) -> None:
    past.happened(P4_CALL, *called(), alerted(1, channels=("gateway",)))

    assert past.facts_of(miss("gateway"), MONDAY + 2 * MINUTE) == [failed("gateway", "not_in_time")]


@pytest.mark.parametrize("facts", NEEDS_NONE)
def test_nobody_waits_for_an_alert_that_is_needed_no_more(past: Past, facts: tuple[Fact, ...]) -> None:
    past.happened(P4_CALL, *called(), alerted(1), *facts)

    assert alerts(past) == {}
    assert past.facts_of(miss("gateway"), MONDAY + 2 * MINUTE) == []


def test_a_late_delivery_is_recorded_and_ends_the_search(past: Past) -> None:
    past.happened(P4_CALL, *called(), alerted(1), failed("gateway", "not_in_time"), alerted(2, MONDAY + 2 * MINUTE))

    past.do(note("gateway"), MONDAY + 3 * MINUTE)

    assert past.facts[-1] == (P4_CALL, delivered("gateway"))
    assert alerts(past) == {}
    assert past.facts_of(miss("mail"), MONDAY + 4 * MINUTE) == []
    assert past.facts_of(fail("mail"), MONDAY + 4 * MINUTE) == [failed("mail")]


def test_what_came_late_and_then_never_is_a_dead_letter_and_does_not_skip_a_channel(past: Past) -> None:
    past.happened(P4_CALL, *called(), alerted(1), failed("gateway", "not_in_time"), alerted(2, MONDAY + 2 * MINUTE))

    past.do(fail("gateway", "dead_letter"), MONDAY + 3 * MINUTE)

    assert past.facts[-1] == (P4_CALL, failed("gateway", "dead_letter"))
    assert alerts(past) == {"mail": MONDAY + 4 * MINUTE}


def test_a_failed_channel_keeps_nobody_waiting_for_its_two_minutes(past: Past) -> None:
    past.happened(P4_CALL, *called(), alerted(1))

    past.do(fail("gateway"), MONDAY + MINUTE)

    assert alerts(past) == {"mail": MONDAY + 3 * MINUTE}


# --- what does not wait


def clocks(past: Past) -> dict[tuple[str, str], datetime]:
    """The timers that are no alert's."""
    return {key: timer.due for key, timer in past.timers.items() if not isinstance(timer.request, MissDelivery)}


@pytest.mark.parametrize("urgency", ["U1", "U3"])
def test_the_clocks_are_the_same_with_and_without_alerts(rules: RuleBook, urgency: HandlingClass) -> None:
    without, with_alerts = Past(rules), Past(rules)
    for past in (without, with_alerts):
        past.happened(P4_CALL, *called(urgency))

    with_alerts.do(alert())
    with_alerts.do(fail("gateway"), MONDAY + MINUTE)
    with_alerts.do(miss("mail"), MONDAY + 3 * MINUTE)
    with_alerts.do(note("siren" if urgency == "U1" else "mail"), MONDAY + 4 * MINUTE)

    assert clocks(with_alerts) == clocks(without)
    for minutes, request in (
        (15, MissClock(call=P4_CALL, department="D15", clock="acknowledge")),
        (20, AcknowledgeCall(call=P4_CALL, department="D15", by="officer-D15")),
        (30, ReleaseCall(call=P4_CALL)),
    ):
        now = MONDAY + minutes * MINUTE
        assert with_alerts.do(request, now) == without.do(request, now)
        assert clocks(with_alerts) == clocks(without)


def test_without_alerts_a_call_has_no_timer_and_no_fact_of_them(past: Past) -> None:
    past.happened(P4_CALL, *called())

    assert past.reactions(*past.facts[-1]) == []
    assert {type(timer.request) for timer in past.timers.values()} == {MissClock}
