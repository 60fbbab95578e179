"""联合出动, read beside the rules: confirming, mustered or short, stood down, reviewed; nobody in two places."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.case import CaseClassified, CaseOpened, Due
from events.envelope import Fact, Request
from events.ids import case_of, mobilisation_of, stream_id
from events.mobilisation import (
    ConfirmResponders,
    DeclineResponder,
    MissMobilisationReview,
    MissMuster,
    MobilisationOrdered,
    MobilisationReviewed,
    MobilisationReviewMissed,
    Muster,
    MusterReached,
    MusterShort,
    OrderMobilisation,
    ResponderDropped,
    RespondersCalled,
    RespondersConfirmed,
    RespondersMustered,
    ReviewMobilisation,
    StandDown,
    StoodDown,
)
from events.person import MovePerson, RegisterPerson
from events.roster import DeployPerson, EndLeave, GrantLeave, LeaveBegun, MemberLent, PeopleFreed, PeopleTaken
from services.command_centre.mobilisation import Mobilisation
from services.decisions import Rejected
from services.people.person import person_id
from services.people.roster import Roster, roster_of
from services.rules.book import RuleBook
from tests.unit.moments import at
from tests.unit.past import CASE, GAOCUN, LIUDU, LIUDU_VILLAGE, MONDAY, P4_CALL, REPORT, Past, words
from tests.unit.test_call_decisions import ALL_REQUIRED_FILED, LEAD, issued

DISTRICT = "445303"
ROSTER, RESERVE = roster_of(LIUDU), roster_of(DISTRICT)
TURN_OUT = mobilisation_of(CASE)
ASKED: dict[str, Any] = {"mobilisation": TURN_OUT, "rosters": (ROSTER, RESERVE), "by": "值班长"}
ABOUT: dict[str, Any] = {"case": CASE, "town": LIUDU, "platform": "P4"}
MUSTER_DUE = at("2026-11-23 09:30")
SINCE = date(2020, 1, 6)


def register(past: Past, department: str, many: int, town: str = LIUDU, party: Any = "") -> list[str]:
    """So many people of a department; gives their numbers."""
    numbers = [f"{'YA' if town == DISTRICT else 'LD'}-{department}-{n}" for n in range(1, many + 1)]
    for number in numbers:
        about: dict[str, Any] = {"employer": "单位", "town": town, "department": department, "since": SINCE, "by": "区"}
        past.play(RegisterPerson(person=person_id(number), number=number, name=number, party_relation=party, **about))
    return numbers


def opened(past: Past, matter: str = "401", case: str = CASE) -> None:
    about: dict[str, Any] = {"report": REPORT, "town": LIUDU, "village": LIUDU_VILLAGE, "reported_at": MONDAY}
    past.happened(case, CaseOpened(**about, anonymous=True))
    result = Due(by=MONDAY + timedelta(days=1), rule="U1 result 24h")
    known: dict[str, Any] = {"handling_class": "U1", "visibility": "confidential", "by": "sender", "result": result}
    past.happened(case, CaseClassified(matter=matter, town=LIUDU, **known))


def order(min_people: int = 4, case: str = CASE) -> OrderMobilisation:
    return OrderMobilisation(**(ASKED | {"mobilisation": mobilisation_of(case)}), case=case, min_people=min_people)


def muster(*numbers: str, department: str = "") -> Muster:
    return Muster(**ASKED, numbers=numbers, department=department)


@pytest.fixture
def staffed(rules: RuleBook) -> Past:
    """Four of the enforcement team and two of the land office, which are called for the case; others of the town."""
    past = Past(rules)
    for department, many in (("D15", 4), ("D16", 2), ("D20", 1), ("D06", 2), ("D07", 1)):
        register(past, department, many)
    opened(past)
    return past


@pytest.fixture
def ordered(staffed: Past) -> Past:
    """Six are called."""
    staffed.play(order())
    return staffed


def state(past: Past) -> Mobilisation:
    found = past.states[TURN_OUT]
    assert isinstance(found, Mobilisation)
    return found


def called(facts: list[Fact]) -> list[str]:
    return [r.number for fact in facts if isinstance(fact, RespondersCalled) for r in fact.responders]


def free(past: Past, when: datetime = MONDAY) -> list[str]:
    roster: Roster = past.states[ROSTER]
    return [member.number for member in roster.free(when)]


# --- ordered


def test_a_matter_that_wants_many_people_has_them_turn_out_as_soon_as_its_lead_is_called(rules: RuleBook) -> None:
    past = Past(rules)

    wanted = [request for request in past.reactions(P4_CALL, issued(LEAD)) if isinstance(request, OrderMobilisation)]

    assert wanted == [
        OrderMobilisation(mobilisation=TURN_OUT, rosters=(ROSTER, RESERVE), case=CASE, by="clock", min_people=20)
    ]


def test_a_town_without_a_register_turns_out_by_its_departments_alone(past: Past) -> None:
    opened(past)

    assert past.decide(order()) == ()


def test_everybody_free_of_the_called_departments_is_called_the_lead_first(staffed: Past) -> None:
    facts = staffed.facts_of(order())

    assert isinstance(facts[0], MobilisationOrdered)
    assert facts[0].muster == Due(by=MUSTER_DUE.astimezone(UTC), rule="U1 muster 30min")
    assert called(facts) == [f"LD-D15-{n}" for n in (1, 2, 3, 4)] + ["LD-D16-1", "LD-D16-2"]
    assert PeopleTaken(mobilisation=TURN_OUT, numbers=tuple(called(facts))) in facts


def test_who_is_on_leave_lent_deployed_or_with_another_turn_out_is_not_called(staffed: Past) -> None:
    here: dict[str, Any] = {"roster": ROSTER, "town": LIUDU, "by": "值班长"}
    staffed.play(GrantLeave(**here, number="LD-D15-1", start=MONDAY, end=MONDAY + timedelta(hours=1)))
    staffed.play(DeployPerson(**here, number="LD-D15-2", department="D16", until=MONDAY + timedelta(hours=1)))
    staffed.happened(ROSTER, MemberLent(number="LD-D15-3"), PeopleTaken(mobilisation="f" * 32, numbers=("LD-D15-4",)))

    assert called(staffed.facts_of(order(min_people=2))) == ["LD-D16-1", "LD-D16-2"]


def test_when_the_called_departments_cannot_do_it_alone_the_platform_is_asked_then_the_town(staffed: Past) -> None:
    facts = staffed.facts_of(order(min_people=8))

    (asked,) = [fact for fact in facts if isinstance(fact, RespondersCalled)]
    assert called(facts)[6:] == ["LD-D06-1", "LD-D06-2"]
    assert (asked.pools, asked.lacking) == (("called", "town"), 0)


def test_of_dispatched_bodies_only_members_under_the_town_committee_are_asked_beyond_the_called(staffed: Past) -> None:
    register(staffed, "D09", 1)
    managed = register(staffed, "D12", 1, party="town_committee")

    facts = staffed.facts_of(order(min_people=20))

    assert "LD-D09-1" not in called(facts)
    assert managed[0] in called(facts)


def test_the_district_is_asked_last_and_only_for_a_matter_on_the_launch_list(staffed: Past) -> None:
    register(staffed, "B04", 2, town=DISTRICT)
    launched = staffed.facts_of(order(min_people=11))
    other = case_of(stream_id("report", MONDAY, "hotline", "9"))
    opened(staffed, matter="409", case=other)
    not_launched = staffed.facts_of(order(min_people=11, case=other))

    assert [number for number in called(launched) if number.startswith("YA")] != []
    assert [number for number in called(not_launched) if number.startswith("YA")] == []


def test_what_is_lacking_from_the_beginning_is_said(staffed: Past) -> None:
    (asked,) = [fact for fact in staffed.facts_of(order(min_people=50)) if isinstance(fact, RespondersCalled)]

    assert asked.lacking == 50 - len(asked.responders)


def test_a_turn_out_is_ordered_once_and_only_for_an_open_classified_case(ordered: Past) -> None:
    assert ordered.decide(order()) == ()
    nowhere = case_of(stream_id("report", MONDAY, "hotline", "8"))
    assert ordered.refusal(order(case=nowhere)).startswith("case: expected one that is open and classified")


# --- confirming


def test_a_department_says_who_is_coming_and_who_cannot(ordered: Past) -> None:
    confirm = ConfirmResponders(**ASKED, department="D15", numbers=("LD-D15-1", "LD-D15-2"))
    decline = DeclineResponder(**ASKED, department="D15", number="LD-D15-3", ground="ill")

    confirmed = ordered.do(confirm)
    declined = ordered.do(decline)

    assert [type(fact) for _, fact in confirmed] == [RespondersConfirmed]
    assert declined[-1] == (ROSTER, PeopleFreed(mobilisation=TURN_OUT, numbers=("LD-D15-3",)))
    assert "LD-D15-3" in free(ordered)
    assert ordered.decide(confirm) == ordered.decide(decline) == ()


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (ConfirmResponders(**ASKED, department="D16", numbers=("LD-D15-1",)), "number: expected somebody of D16"),
        (DeclineResponder(**ASKED, department="D15", number="LD-D20-1", ground="ill"), "number: expected somebody of"),
        (DeclineResponder(**ASKED, department="D15", number="LD-D15-4", ground="ill"), "number: expected somebody who"),
        (ConfirmResponders(**ASKED, department="D15", numbers=("LD-D15-3",)), "numbers: expected people who are still"),
        (muster("LD-D15-9"), "numbers: expected people of the town's roster, found LD-D15-9"),
        (muster("LD-D15-1", department="D16"), "numbers: expected people of D16, found LD-D15-1"),
        (ReviewMobilisation(mobilisation=TURN_OUT, case=CASE, by="x", note=words("y")), "expected a turn-out that was"),
    ],
)
def test_what_is_not_so_is_refused(ordered: Past, request_: Request, refusal: str) -> None:
    ordered.do(muster("LD-D15-4"))
    ordered.do(DeclineResponder(**ASKED, department="D15", number="LD-D15-3", ground="ill"))

    assert ordered.refusal(request_).startswith(refusal)


# --- mustered


def test_named_people_are_counted_once_until_as_many_are_there_as_are_needed(ordered: Past) -> None:
    first = ordered.facts_of(muster("LD-D15-1", "LD-D15-2", "LD-D15-1"))
    ordered.do(muster("LD-D15-1", "LD-D15-2"))
    assert [fact.count for fact in first if isinstance(fact, RespondersMustered)] == [2]
    assert ordered.decide(muster("LD-D15-2")) == ()

    last = ordered.do(muster("LD-D15-2", "LD-D16-1", "LD-D16-2"))

    assert [type(fact) for _, fact in last] == [RespondersMustered, MusterReached]
    assert (state(ordered).present, state(ordered).phase) == (4, "mustered")
    assert (TURN_OUT, "muster") not in ordered.timers


def test_who_comes_without_being_called_counts_and_is_taken(ordered: Past) -> None:
    came = ordered.do(muster("LD-D20-1"))

    assert (ROSTER, PeopleTaken(mobilisation=TURN_OUT, numbers=("LD-D20-1",))) in came
    assert "LD-D20-1" not in free(ordered)


def test_who_declined_may_come_all_the_same(ordered: Past) -> None:
    ordered.do(DeclineResponder(**ASKED, department="D15", number="LD-D15-3", ground="ill"))

    ordered.do(muster("LD-D15-3"))

    assert (state(ordered).present, "LD-D15-3" in free(ordered)) == (1, False)


def test_nobody_counts_on_two_scenes(ordered: Past) -> None:
    other = case_of(stream_id("report", MONDAY, "hotline", "9"))
    opened(ordered, case=other)
    ordered.play(order(case=other, min_people=1))
    elsewhere = Muster(**(ASKED | {"mobilisation": mobilisation_of(other)}), numbers=("LD-D15-1",))

    assert ordered.refusal(elsewhere) == "numbers: expected people who are free, found LD-D15-1 with another turn-out"


def test_who_serves_in_another_town_from_now_on_is_with_the_turn_out_no_longer(ordered: Past) -> None:
    ordered.do(muster("LD-D15-1", "LD-D15-2"))
    person = person_id("LD-D15-1")

    ordered.play(MovePerson(person=person, town=GAOCUN, department="D15", since=MONDAY.date(), by="区"))

    assert state(ordered).present == 1
    assert "LD-D15-1" not in {responder.number for responder in state(ordered).held()}
    assert ordered.states[roster_of(GAOCUN)].members["LD-D15-1"].free(MONDAY)


def test_who_is_lent_while_on_the_scene_counts_no_longer(ordered: Past) -> None:
    ordered.do(muster("LD-D15-1", "LD-D15-2"))

    ordered.settle(((ROSTER, MemberLent(number="LD-D15-1", taken_by=TURN_OUT)),))

    assert state(ordered).present == 1


def leave(past: Past, number: str, start: datetime, hours: int = 8) -> None:
    """Leave that has begun by its timer."""
    here: dict[str, Any] = {"roster": ROSTER, "town": LIUDU, "by": "值班长"}
    past.play(GrantLeave(**here, number=number, start=start, end=start + timedelta(hours=hours)))
    begin(past, number, start)


def begin(past: Past, number: str, start: datetime) -> None:
    """What the timer of a leave does in its first minute."""
    (timer,) = [timer for (_, name), timer in past.timers.items() if name.startswith(f"leave.{number}.")]
    assert timer.due == start
    past.play(timer.request, start)


def test_whose_leave_begins_on_the_scene_counts_no_longer_from_its_first_minute(ordered: Past) -> None:
    ordered.do(muster("LD-D15-1", "LD-D15-2"))

    leave(ordered, "LD-D15-1", MONDAY + timedelta(minutes=10))

    assert ordered.facts[-2:] == [
        (ROSTER, LeaveBegun(number="LD-D15-1", taken_by=TURN_OUT)),
        (TURN_OUT, ResponderDropped(**ABOUT, number="LD-D15-1", count=1)),
    ]
    assert state(ordered).present == 1
    assert ordered.refusal(muster("LD-D15-1"), MONDAY + timedelta(hours=1)).endswith("found LD-D15-1 on leave")
    begin(ordered, "LD-D15-1", MONDAY + timedelta(minutes=10))
    assert len([fact for _, fact in ordered.facts if isinstance(fact, LeaveBegun)]) == 1


def test_leave_off_the_scene_drops_nobody_and_who_is_back_early_may_come_again(ordered: Past) -> None:
    leave(ordered, "LD-D20-1", MONDAY + timedelta(minutes=10))
    here: dict[str, Any] = {"roster": ROSTER, "town": LIUDU, "by": "值班长"}
    soon = MONDAY + timedelta(minutes=20)
    ordered.do(muster("LD-D15-1"))
    ordered.play(GrantLeave(**here, number="LD-D15-1", start=soon, end=soon + timedelta(hours=1)))

    begin(ordered, "LD-D15-1", soon)
    ordered.play(EndLeave(**here, number="LD-D15-1"), soon)
    ordered.do(muster("LD-D15-1"), soon)

    assert state(ordered).present == 1
    assert [fact.number for _, fact in ordered.facts if isinstance(fact, LeaveBegun)] == ["LD-D15-1"]


def test_leave_that_has_begun_is_not_granted_to_somebody_on_a_scene(ordered: Past) -> None:
    ordered.do(muster("LD-D15-1"))
    about: dict[str, Any] = {"roster": ROSTER, "town": LIUDU, "by": "值班长", "end": MONDAY + timedelta(hours=4)}

    refusal = ordered.refusal(GrantLeave(**about, number="LD-D15-1", start=MONDAY))

    assert refusal == (
        "number: expected one who is on no scene, or leave that begins later, found LD-D15-1 with a turn-out"
    )


@pytest.mark.parametrize("how", ["on leave", "lent"])
def test_where_enough_had_come_and_somebody_is_dropped_others_are_called_at_once(ordered: Past, how: str) -> None:
    ordered.do(muster("LD-D15-1", "LD-D15-2", "LD-D16-1", "LD-D16-2"))
    gone = MONDAY + timedelta(minutes=10)

    if how == "on leave":
        leave(ordered, "LD-D15-1", gone)
    else:
        lent = MemberLent(number="LD-D15-1", taken_by=TURN_OUT)
        ordered.happened(ROSTER, lent)
        ordered.settle(((ROSTER, lent),), gone)

    short = next(fact for _, fact in ordered.facts if isinstance(fact, MusterShort))
    assert (short.count, short.min_people) == (3, 4)
    assert called([fact for _, fact in ordered.facts])[6:] == ["LD-D06-1"], "as many as are lacking"
    assert state(ordered).phase == "short"
    assert ordered.timers[TURN_OUT, "muster"].due == (gone + timedelta(minutes=30)).astimezone(UTC)
    again = ordered.facts_of(muster("LD-D06-1"), gone)
    assert [type(fact) for fact in again] == [RespondersMustered, MusterReached]


def test_where_more_had_come_than_are_needed_a_dropped_one_calls_nobody(ordered: Past) -> None:
    ordered.do(muster("LD-D15-1", "LD-D15-2", "LD-D16-1", "LD-D16-2", "LD-D15-3"))

    leave(ordered, "LD-D15-1", MONDAY + timedelta(minutes=10))

    assert (state(ordered).phase, state(ordered).present) == ("mustered", 4)


def test_before_the_due_time_a_dropped_one_calls_nobody_yet(ordered: Past) -> None:
    leave(ordered, "LD-D15-1", MONDAY + timedelta(minutes=10))

    assert state(ordered).phase == "confirming"
    assert ordered.timers[TURN_OUT, "muster"].due == MUSTER_DUE.astimezone(UTC)


def test_a_muster_after_the_due_time_is_marked_late(ordered: Past) -> None:
    (late, *_) = ordered.facts_of(muster("LD-D15-1"), MUSTER_DUE + timedelta(minutes=1))

    assert isinstance(late, RespondersMustered)
    assert late.late


# --- too few


def missed(past: Past, when: datetime | None = None) -> list[Fact]:
    timer = past.timers[TURN_OUT, "muster"]
    assert isinstance(timer.request, MissMuster)
    return [fact for _, fact in past.do(timer.request, when or timer.due)]


def test_too_few_at_the_due_time_call_the_next_pool_by_itself(ordered: Past) -> None:
    ordered.do(muster("LD-D15-1", "LD-D15-2"))

    facts = missed(ordered)

    short = facts[0]
    assert isinstance(short, MusterShort)
    assert (short.count, short.min_people) == (2, 4)
    assert short.again == Due(by=(MUSTER_DUE + timedelta(minutes=30)).astimezone(UTC), rule="muster again 30min")
    assert called(facts) == ["LD-D06-1", "LD-D06-2"]
    assert ordered.timers[TURN_OUT, "muster"].due == MUSTER_DUE + timedelta(minutes=30)


def test_when_nobody_is_left_the_shortfall_says_so_and_nothing_is_called_again(ordered: Past) -> None:
    for _ in range(5):
        facts = missed(ordered)
        if not called(facts):
            break
        when = ordered.timers[TURN_OUT, "muster"].due

    (short,) = facts
    assert isinstance(short, MusterShort)
    assert short.again is None
    assert free(ordered, when) == ["LD-D20-1"], "of a dispatched body that is not called, and not under the committee"


def test_enough_people_in_time_are_no_shortfall(ordered: Past) -> None:
    request = ordered.timers[TURN_OUT, "muster"].request
    ordered.do(muster("LD-D15-1", "LD-D15-2", "LD-D15-3", "LD-D15-4"))

    assert ordered.decide(request, MUSTER_DUE) == ()


# --- stood down, reviewed


def test_with_the_leads_result_everybody_may_go(ordered: Past) -> None:
    completed = ALL_REQUIRED_FILED[-1]
    ordered.do(muster("LD-D15-1"))

    ordered.settle(((P4_CALL, completed),))

    assert state(ordered).phase == "stood_down"
    assert len(free(ordered)) == len(ordered.states[ROSTER].members)
    assert (TURN_OUT, "muster") not in ordered.timers
    for late in (muster("LD-D15-2"), ConfirmResponders(**ASKED, department="D15", numbers=("LD-D15-2",))):
        assert ordered.refusal(late) == "expected a turn-out that is under way, found it stood down"


def test_whoever_is_told_to_stand_down_without_a_turn_out_is_told_in_vain(past: Past) -> None:
    assert past.decide(StandDown(**(ASKED | {"by": "clock"}))) == ()
    assert past.refusal(StandDown(**ASKED)).startswith("expected a turn-out that was ordered")


def test_a_turn_out_is_written_up_within_two_working_days(ordered: Past) -> None:
    (stood_down, *_) = [fact for _, fact in ordered.do(StandDown(**ASKED))]
    assert isinstance(stood_down, StoodDown)
    due = at("2026-11-25 17:30").astimezone(UTC)
    assert stood_down.review == Due(by=due, rule="turn-out review 2wd", since=MONDAY)
    timer = ordered.timers[TURN_OUT, "review"]
    assert timer.request == MissMobilisationReview(mobilisation=TURN_OUT)
    assert [type(fact) for _, fact in ordered.do(timer.request, timer.due)] == [MobilisationReviewMissed]
    assert ordered.decide(timer.request, timer.due) == ()
    review = ReviewMobilisation(mobilisation=TURN_OUT, case=CASE, by="值班长", note=words("x"))

    written = ordered.do(review, timer.due + timedelta(hours=1))

    assert [fact.late for _, fact in written if isinstance(fact, MobilisationReviewed)] == [True]
    assert ordered.decide(review) == ()
    assert ordered.decide(timer.request) == ()


# --- laws

OTHER = case_of(stream_id("report", MONDAY, "hotline", "2"))
NUMBERS = ["LD-D15-1", "LD-D15-2", "LD-D16-1", "LD-D06-1", "LD-D07-1"]
EITHER: dict[str, Any] = {
    "mobilisation": st.sampled_from([TURN_OUT, mobilisation_of(OTHER)]),
    "rosters": st.just((ROSTER, RESERVE)),
    "by": st.just("值班长"),
}
SOME = st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3).map(tuple)
ANYTHING = st.one_of(
    st.builds(Muster, **EITHER, numbers=SOME),
    st.builds(ConfirmResponders, **EITHER, department=st.sampled_from(["D15", "D16"]), numbers=SOME),
    st.builds(
        DeclineResponder,
        **EITHER,
        department=st.sampled_from(["D15", "D16"]),
        number=st.sampled_from(NUMBERS),
        ground=st.just("ill"),
    ),
    st.builds(StandDown, **EITHER),
    st.builds(
        GrantLeave,
        roster=st.just(ROSTER),
        town=st.just(LIUDU),
        number=st.sampled_from(NUMBERS),
        start=st.sampled_from([MONDAY, MONDAY + timedelta(hours=2)]),
        end=st.just(MONDAY + timedelta(hours=4)),
        by=st.just("值班长"),
    ),
    st.builds(
        DeployPerson,
        roster=st.just(ROSTER),
        town=st.just(LIUDU),
        number=st.sampled_from(NUMBERS),
        department=st.sampled_from(["D15", "D06"]),
        until=st.just(MONDAY + timedelta(hours=4)),
        by=st.just("值班长"),
    ),
)


@given(asked=st.lists(st.tuples(ANYTHING, st.timedeltas(timedelta(0), timedelta(minutes=20))), max_size=25))
def test_whatever_is_asked_nobody_is_in_two_places(rules: RuleBook, asked: list[tuple[Request, timedelta]]) -> None:
    past, now = Past(rules), MONDAY
    for department, many in (("D15", 2), ("D16", 1), ("D06", 1), ("D07", 1)):
        register(past, department, many)
    for case in (CASE, OTHER):
        opened(past, case=case)
        past.play(order(min_people=2, case=case))

    for request, after in asked:
        now += after
        try:
            past.settle(past.do(request, now), now)
        except Rejected:
            continue

        roster: Roster = past.states[ROSTER]
        for turn_out in (TURN_OUT, mobilisation_of(OTHER)):
            held: Mobilisation | None = past.states.get(turn_out)
            if held is None or held.over:
                assert turn_out not in {member.taken_by for member in roster.members.values()}
                continue
            for responder in held.held():
                member = roster.members[responder.number]
                assert (member.taken_by, member.lent, member.deployed_to) == (turn_out, False, "")
