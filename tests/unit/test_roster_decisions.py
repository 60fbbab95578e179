"""The roster of a town, read beside the rules: who is there, who answers for a post, and who is free to be sent."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from events.district import Cover
from events.envelope import Request
from events.person import (
    ApproveSecondment,
    ConsentToSecondment,
    EndSecondment,
    MovePerson,
    RegisterPerson,
    RequestSecondment,
    TransferPartyRelation,
)
from events.roster import (
    CoverChecked,
    DeployPerson,
    EndLeave,
    FillPost,
    GrantLeave,
    LeaveGranted,
    MemberLent,
    PassShift,
    PeopleFreed,
    PeopleTaken,
    PersonDeployed,
    PersonReleased,
    PostFilled,
    ReleasePerson,
    RemoveShift,
    SetShift,
    ShiftPassed,
    VacatePost,
)
from services.people.person import midnight, person_id
from services.people.roster import Roster, answers, roster_of
from services.rules.book import RuleBook
from tests.unit.moments import at
from tests.unit.past import GAOCUN, LIUDU, MONDAY, Past, with_district

ROSTER = roster_of(LIUDU)
HERE: dict[str, Any] = {"roster": ROSTER, "town": LIUDU, "by": "值班长"}
HEAD: dict[str, Any] = {"post": "platform_head", "platform": "P4"}
TURN_OUT = "0" * 32
SINCE = date(2020, 1, 6)
MORNING, EVENING, NIGHT = at("2026-11-24 08:00"), at("2026-11-24 20:00"), at("2026-11-25 08:00")


def register(number: str, department: str = "D15", town: str = LIUDU) -> RegisterPerson:
    about: dict[str, Any] = {
        "employer": "镇政府",
        "town": town,
        "department": department,
        "since": SINCE,
        "by": "区人事",
    }
    return RegisterPerson(person=person_id(number), number=number, name=f"{number}同志", **about)


def shift(name: str, number: str, start: datetime, end: datetime) -> SetShift:
    return SetShift(**HERE, **HEAD, shift=name, number=number, start=start, end=end)


def leave(number: str, start: datetime, end: datetime) -> GrantLeave:
    return GrantLeave(**HERE, number=number, start=start, end=end)


@pytest.fixture
def staffed(rules: RuleBook) -> Past:
    """Three people of the enforcement team are on the roster."""
    past = Past(rules)
    for number in ("LD-1", "LD-2", "LD-3"):
        past.play(register(number))
    return past


def roster(past: Past, town: str = LIUDU) -> Roster:
    state = past.states[roster_of(town)]
    assert isinstance(state, Roster)
    return state


def answering(past: Past, when: datetime) -> str:
    return answers(roster(past), "platform_head", LIUDU, "P4", when, past.rules)


# --- who is there


def test_whoever_is_registered_is_on_the_roster_of_the_town(staffed: Past) -> None:
    assert sorted(roster(staffed).members) == ["LD-1", "LD-2", "LD-3"]


def test_whoever_moves_within_the_town_stays_with_the_new_department(staffed: Past) -> None:
    staffed.play(MovePerson(person=person_id("LD-1"), town=LIUDU, department="D16", since=SINCE, by="区人事"))

    assert roster(staffed).members["LD-1"].department == "D16"


def test_whoever_moves_to_another_town_is_on_one_roster_only(staffed: Past) -> None:
    staffed.play(MovePerson(person=person_id("LD-1"), town=GAOCUN, department="D15", since=SINCE, by="区人事"))

    assert "LD-1" not in roster(staffed).members
    assert "LD-1" in roster(staffed, GAOCUN).members


def test_a_party_relation_is_known_to_the_roster(staffed: Past) -> None:
    staffed.play(TransferPartyRelation(person=person_id("LD-1"), to="town_committee", by="镇党委"))

    assert roster(staffed).members["LD-1"].party_relation == "town_committee"


def lend(past: Past, number: str) -> None:
    """Lent from the next midnight on, in the right order."""
    start = MONDAY.date() + timedelta(days=1)
    back, person = start + timedelta(days=60), person_id(number)
    past.play(RequestSecondment(person=person, to="区自然资源局", start=start, back=back, by="区自然资源局"))
    past.play(ConsentToSecondment(person=person, by="镇党委"))
    past.play(ApproveSecondment(person=person, by="区人事"))
    past.play(past.timers[person, "secondment"].request, midnight(start))


def test_whoever_is_lent_is_in_no_pool_from_the_first_instant_to_the_return(staffed: Past) -> None:
    lend(staffed, "LD-1")
    assert MemberLent(number="LD-1") in [fact for _, fact in staffed.facts]
    assert [member.number for member in roster(staffed).free(MORNING)] == ["LD-2", "LD-3"]

    staffed.play(EndSecondment(person=person_id("LD-1"), by="镇党委"), at("2026-12-01 09:00"))

    assert [member.number for member in roster(staffed).free(MORNING)] == ["LD-1", "LD-2", "LD-3"]


def test_what_changed_while_somebody_was_lent_holds_when_they_are_back(staffed: Past) -> None:
    lend(staffed, "LD-1")
    staffed.play(TransferPartyRelation(person=person_id("LD-1"), to="town_committee", by="镇党委"))

    staffed.play(EndSecondment(person=person_id("LD-1"), by="镇党委"), at("2026-12-01 09:00"))

    assert roster(staffed).members["LD-1"].party_relation == "town_committee"


# --- posts


def hold(number: str, rank: int = 0, since: date = SINCE) -> FillPost:
    return FillPost(**HERE, **HEAD, number=number, since=since, rank=rank)


def test_a_post_of_which_the_roster_says_nothing_is_answered_for_as_configured(staffed: Past) -> None:
    assert answering(staffed, MORNING) == "head-P4"


def test_the_holder_answers_then_the_deputies_in_their_order(staffed: Past) -> None:
    for number, rank in (("LD-3", 2), ("LD-1", 0), ("LD-2", 1)):
        staffed.play(hold(number, rank))
    assert answering(staffed, MORNING) == "LD-1同志"

    staffed.play(leave("LD-1", MORNING, NIGHT))
    assert answering(staffed, MORNING) == "LD-2同志"
    assert answering(staffed, NIGHT) == "LD-1同志"

    staffed.play(leave("LD-2", MORNING, NIGHT))
    assert answering(staffed, MORNING) == "LD-3同志"


def test_a_post_counts_from_its_first_day_to_the_day_before_its_last(staffed: Past) -> None:
    staffed.play(hold("LD-1", since=date(2026, 11, 24)))
    staffed.play(VacatePost(**HERE, **HEAD, number="LD-1", on=date(2026, 11, 26)))

    days = [at("2026-11-23 23:59"), at("2026-11-24 00:00"), at("2026-11-25 23:59"), at("2026-11-26 00:00")]
    assert [answering(staffed, day) for day in days] == ["", "LD-1同志", "LD-1同志", ""]


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (hold("LD-2"), "rank: expected one that nobody holds then, found LD-1"),
        (hold("LD-9"), "number: expected one of the roster, found 'LD-9'"),
        (FillPost(**HERE, post="platform_head", number="LD-2", since=SINCE), "platform: expected one of P1"),
        (
            FillPost(**HERE, post="command_centre", platform="P4", number="LD-2", since=SINCE),
            "platform: expected none for a post of the whole town",
        ),
        (hold("LD-2", rank=3, since=date(1, 1, 1)), "since: expected a day of somebody's service"),
        (VacatePost(**HERE, **HEAD, number="LD-2", on=SINCE), "post: expected one that LD-2 holds"),
    ],
)
def test_a_post_is_not_filled_twice_or_by_nobody(staffed: Past, request_: Request, refusal: str) -> None:
    staffed.play(hold("LD-1"))

    assert staffed.refusal(request_).startswith(refusal)


def test_filling_a_post_the_same_way_is_a_repeat(staffed: Past) -> None:
    staffed.play(hold("LD-1"))

    assert staffed.decide(hold("LD-1")) == ()
    assert staffed.facts_of(hold("LD-1", since=date(2026, 1, 1))) == [
        PostFilled(**HEAD, number="LD-1", since=date(2026, 1, 1))
    ]


# --- shifts


def test_whoever_has_the_shift_answers_before_the_holder_of_the_post(staffed: Past) -> None:
    staffed.play(hold("LD-1"))
    staffed.play(shift("night", "LD-2", EVENING, NIGHT))

    moments = (MORNING, EVENING, NIGHT - timedelta(minutes=1), NIGHT)
    assert [answering(staffed, when) for when in moments] == ["LD-1同志", "LD-2同志", "LD-2同志", "LD-1同志"]


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (
            shift("other", "LD-2", EVENING, NIGHT),
            "number: expected one who is free then, found LD-2",
        ),
        (shift("night", "LD-3", EVENING, NIGHT), "shift: expected a new name, found night"),
        (shift("other", "LD-3", NIGHT, EVENING), "end: expected a moment after"),
        (shift("other", "LD-3", NIGHT, NIGHT + timedelta(days=8)), "end: expected at most 7 days after the start"),
        (shift("other", "LD-3", NIGHT, datetime(9999, 1, 1, tzinfo=NIGHT.tzinfo)), "end: expected a time within 366"),
        (shift("other", "LD-1", EVENING, NIGHT), "number: expected one who is there then, found LD-1 on leave"),
        (shift("past", "LD-3", at("2026-11-22 08:00"), at("2026-11-22 20:00")), "end: expected a moment after"),
    ],
)
def test_nobody_is_on_duty_twice_or_while_away(staffed: Past, request_: Request, refusal: str) -> None:
    staffed.play(shift("night", "LD-2", EVENING, NIGHT))
    staffed.play(leave("LD-1", MORNING, NIGHT))

    assert staffed.refusal(request_).startswith(refusal)


def test_a_shift_is_swapped_before_it_begins_and_handed_over_after(staffed: Past) -> None:
    staffed.play(shift("night", "LD-1", EVENING, NIGHT))
    midnight_ = at("2026-11-25 00:00")

    swapped = staffed.facts_of(PassShift(**HERE, shift="night", to="LD-2"))
    staffed.play(PassShift(**HERE, shift="night", to="LD-2"))
    handed_over = staffed.facts_of(PassShift(**HERE, shift="night", to="LD-3"), midnight_)
    staffed.play(PassShift(**HERE, shift="night", to="LD-3"), midnight_)

    assert swapped == [ShiftPassed(shift="night", to="LD-2", at=EVENING)]
    assert handed_over == [ShiftPassed(shift="night", to="LD-3", at=midnight_)]
    assert [answering(staffed, when) for when in (EVENING, midnight_)] == ["LD-2同志", "LD-3同志"]
    assert staffed.decide(PassShift(**HERE, shift="night", to="LD-3"), midnight_) == ()


def test_a_shift_goes_to_nobody_who_is_away_or_on_another(staffed: Past) -> None:
    staffed.play(shift("night", "LD-1", EVENING, NIGHT))
    staffed.play(leave("LD-2", EVENING, NIGHT))
    staffed.play(shift("other", "LD-3", EVENING, NIGHT))

    assert staffed.refusal(PassShift(**HERE, shift="night", to="LD-2")).startswith("to: expected one who is there")
    assert staffed.refusal(PassShift(**HERE, shift="night", to="LD-3")).startswith("to: expected one who is free")
    assert staffed.refusal(PassShift(**HERE, shift="night", to="LD-2"), NIGHT).startswith("shift: expected one that is")


def test_a_shift_is_taken_off_only_before_it_begins(staffed: Past) -> None:
    staffed.play(shift("night", "LD-1", EVENING, NIGHT))

    assert staffed.refusal(RemoveShift(**HERE, shift="night"), EVENING).startswith("shift: expected one that has not")
    staffed.play(RemoveShift(**HERE, shift="night"))

    assert "night" not in roster(staffed).shifts


# --- leave


def test_leave_is_granted_once_and_may_end_early(staffed: Past) -> None:
    granted = staffed.do(leave("LD-1", MORNING, NIGHT))

    assert [fact for _, fact in granted] == [LeaveGranted(town=LIUDU, number="LD-1", start=MORNING, end=NIGHT)]
    assert staffed.decide(leave("LD-1", MORNING, NIGHT)) == ()
    assert staffed.refusal(leave("LD-1", EVENING, NIGHT)).startswith("start: expected a time without leave")
    assert staffed.decide(EndLeave(**HERE, number="LD-1")) == ()
    staffed.do(EndLeave(**HERE, number="LD-1"), EVENING)
    assert roster(staffed).members["LD-1"].there(EVENING)


# --- hours without cover


def check(past: Past, day: str) -> CoverChecked:
    timer = past.timers[ROSTER, f"cover.{day}"]
    assert timer.due == at(f"{day} 17:00")
    (checked,) = past.facts_of(timer.request, timer.due)
    assert isinstance(checked, CoverChecked)
    return checked


def test_hours_without_cover_are_told_before_the_day_that_has_them(rules: RuleBook) -> None:
    past = Past(with_district(rules, lambda district: {"cover": (Cover(post="platform_head", platform="P4"),)}))
    for number in ("LD-1", "LD-2"):
        past.play(register(number))
    past.play(shift("day", "LD-1", at("2026-11-24 17:00"), at("2026-11-24 23:00")))
    past.play(shift("night", "LD-2", at("2026-11-25 01:00"), at("2026-11-25 17:00")))
    past.play(leave("LD-2", at("2026-11-25 16:00"), at("2026-11-25 18:00")))

    checked = check(past, "2026-11-24")

    wanted = [("2026-11-24 23:00", "2026-11-25 01:00"), ("2026-11-25 16:00", "2026-11-25 17:00")]
    assert [(gap.start, gap.end) for gap in checked.gaps] == [(at(start), at(end)) for start, end in wanted]
    past.happened(ROSTER, checked)
    assert past.decide(past.timers[ROSTER, "cover.2026-11-24"].request, at("2026-11-24 17:00")) == ()


def test_where_a_holder_answers_there_is_no_hour_without_cover(rules: RuleBook) -> None:
    past = Past(with_district(rules, lambda district: {"cover": (Cover(post="platform_head", platform="P4"),)}))
    past.play(register("LD-1"))
    past.play(hold("LD-1"))
    past.play(shift("day", "LD-1", at("2026-11-24 17:00"), at("2026-11-24 23:00")))

    assert check(past, "2026-11-24").gaps == ()


def test_a_post_that_need_not_be_covered_has_no_gaps(staffed: Past) -> None:
    staffed.play(shift("day", "LD-1", at("2026-11-24 17:00"), at("2026-11-24 23:00")))

    assert check(staffed, "2026-11-24").gaps == ()


def test_what_is_over_is_forgotten_when_the_days_are_looked_at(staffed: Past) -> None:
    staffed.play(shift("day", "LD-1", at("2026-11-24 08:00"), at("2026-11-24 16:00")))
    staffed.play(shift("next", "LD-1", at("2026-11-25 08:00"), at("2026-11-25 16:00")))

    staffed.happened(ROSTER, check(staffed, "2026-11-24"))

    assert set(roster(staffed).shifts) == {"next"}


# --- deployed for a bounded task


def deploy(number: str, department: str = "D16", until: datetime = NIGHT) -> DeployPerson:
    return DeployPerson(**HERE, number=number, department=department, until=until)


def test_a_person_helps_another_department_until_the_time_is_over(staffed: Past) -> None:
    (deployed,) = staffed.facts_of(deploy("LD-1"))
    staffed.play(deploy("LD-1"))
    assert deployed == PersonDeployed(town=LIUDU, number="LD-1", department="D16", until=NIGHT, by="值班长")
    assert [member.number for member in roster(staffed).free(MORNING)] == ["LD-2", "LD-3"]
    timer = staffed.timers[ROSTER, "deployed.LD-1"]

    released = staffed.do(timer.request, timer.due)

    assert timer.due == NIGHT
    assert [fact for _, fact in released] == [PersonReleased(number="LD-1", by="clock")]
    assert (ROSTER, "deployed.LD-1") not in staffed.timers
    assert staffed.decide(ReleasePerson(**HERE, number="LD-1"), NIGHT) == ()


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (deploy("LD-1"), "number: expected one who is free, found LD-1 with another turn-out"),
        (deploy("LD-2"), "number: expected one who is free, found LD-2 on leave"),
        (deploy("LD-3", "D15"), "department: expected another one of the town"),
        (deploy("LD-3", "D99"), "department: expected another one of the town"),
        (deploy("LD-3", until=MONDAY), "until: expected a moment within 366 days"),
        (deploy("LD-9"), "number: expected one of the roster"),
    ],
)
def test_only_who_is_free_is_deployed(staffed: Past, request_: Request, refusal: str) -> None:
    staffed.happened(ROSTER, PeopleTaken(mobilisation=TURN_OUT, numbers=("LD-1",)))
    staffed.play(leave("LD-2", MONDAY, NIGHT))

    assert staffed.refusal(request_).startswith(refusal)


def test_only_the_turn_out_that_has_somebody_can_let_them_go(staffed: Past) -> None:
    staffed.happened(ROSTER, PeopleTaken(mobilisation=TURN_OUT, numbers=("LD-1",)))

    staffed.happened(ROSTER, PeopleFreed(mobilisation="f" * 32, numbers=("LD-1", "LD-2")))

    assert not roster(staffed).members["LD-1"].free(MORNING)
