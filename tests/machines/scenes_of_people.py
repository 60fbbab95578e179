"""What is played about people: turn-outs, secondments, rosters, users."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from events.case import RecuseDepartment
from events.envelope import Request
from events.ids import mobilisation_of
from events.mobilisation import (
    ConfirmResponders,
    DeclineResponder,
    Muster,
    OrderMobilisation,
    RecountMobilisationReview,
    ReviewMobilisation,
    StandDown,
)
from events.person import (
    ApproveSecondment,
    ConsentToSecondment,
    EndSecondment,
    MovePerson,
    NoteOverdueTold,
    RefuseSecondment,
    RegisterPerson,
    RequestSecondment,
    TransferPartyRelation,
)
from events.roster import DeployPerson, GrantLeave, ReleasePerson
from events.user import AddUser, DisableUser, Unit
from services.people.person import person_id
from services.people.roster import roster_of
from services.people.user import user_id
from tests.machines.explore import Letter, Played, Scene
from tests.machines.letters import DISTRICT, one, submit
from tests.machines.scenes_of_cases import amended
from tests.unit.past import CASE, GAOCUN, LIUDU, MONDAY, REPORT, words

TURN_OUT, ROSTER, RESERVE = mobilisation_of(CASE), roster_of(LIUDU), roster_of(DISTRICT)
SCENE: dict[str, Any] = {"mobilisation": TURN_OUT, "rosters": (ROSTER, RESERVE), "by": "centre"}
FIRST, SECOND, THIRD = "LD-D17-1", "LD-D17-2", "LD-D20-1"
TODAY = MONDAY.date()
SINCE = date(2020, 1, 6)


def register(number: str, town: str = LIUDU) -> RegisterPerson:
    """A person who may be lent."""
    about: dict[str, Any] = {"employer": "单位", "town": town, "since": SINCE, "by": "centre"}
    return RegisterPerson(
        person=person_id(number), number=number, name=number, department=number.split("-")[1], **about
    )


def lent(number: str) -> Letter:
    """Lent from tomorrow on."""
    person = person_id(number)
    tomorrow = TODAY + timedelta(days=1)
    return one(
        RequestSecondment(person=person, to="区里", start=tomorrow, back=tomorrow + timedelta(days=30), by="district"),
        ConsentToSecondment(person=person, by="committee"),
        ApproveSecondment(person=person, by="personnel"),
    )


def recounts(played: Played) -> Iterable[Request]:
    """The calendar is amended, and the turn-out is told of it."""
    played.rules = amended(played.rules)
    return (RecountMobilisationReview(mobilisation=TURN_OUT),)


def recounts_by_itself(played: Played) -> Iterable[Request]:
    """The same, and its own timer fires before anybody tells it."""
    played.rules = amended(played.rules)
    played.let_time_pass(("mobilisation",))
    return ()


TURN_OUTS = Scene(
    "turn-outs",
    starts=(one(*(register(number) for number in (FIRST, SECOND, THIRD)), submit(REPORT, "406")),),
    letters=(
        one(OrderMobilisation(**SCENE, case=CASE, min_people=2)),
        one(ConfirmResponders(**SCENE, department="D17", numbers=(FIRST,))),
        one(DeclineResponder(**SCENE, department="D17", number=SECOND, ground="ill")),
        one(Muster(**SCENE, numbers=(FIRST,))),
        one(Muster(**SCENE, numbers=(SECOND, THIRD))),
        one(StandDown(**SCENE)),
        one(ReviewMobilisation(mobilisation=TURN_OUT, case=CASE, by="centre", note=words("x"))),
        lent(FIRST),
        one(RecuseDepartment(case=CASE, department="D20", by="centre")),
        recounts,
        recounts_by_itself,
    ),
    deep=7,
    clocks=("mobilisation", "person"),
)

LEAVES = Scene(
    "leave",
    starts=(one(*(register(number) for number in (FIRST, SECOND, THIRD)), submit(REPORT, "406")),),
    letters=(
        one(OrderMobilisation(**SCENE, case=CASE, min_people=2)),
        one(Muster(**SCENE, numbers=(FIRST, SECOND))),
        one(Muster(**SCENE, numbers=(THIRD,))),
        lambda played: (
            GrantLeave(
                roster=ROSTER,
                town=LIUDU,
                number=FIRST,
                start=played.now + timedelta(minutes=1),
                end=played.now + timedelta(days=1),
                by="centre",
            ),
        ),
    ),
    deep=6,
    clocks=("roster", "mobilisation"),
)

HER = person_id(FIRST)
BACK = TODAY + timedelta(days=30)

PEOPLE = Scene(
    "people",
    letters=(
        one(register(FIRST)),
        one(MovePerson(person=HER, town=GAOCUN, department="D17", since=TODAY, by="centre")),
        one(TransferPartyRelation(person=HER, to="town", by="committee")),
        one(RequestSecondment(person=HER, to="区里", start=TODAY + timedelta(days=1), back=BACK, by="district")),
        one(ConsentToSecondment(person=HER, by="committee")),
        one(ApproveSecondment(person=HER, by="personnel")),
        one(RefuseSecondment(person=HER, ground="needed_here", by="committee")),
        one(NoteOverdueTold(person=HER, channel="mail")),
        one(EndSecondment(person=HER, by="centre")),
        one(
            DeployPerson(
                roster=ROSTER,
                town=LIUDU,
                number=FIRST,
                department="D20",
                until=MONDAY + timedelta(days=3),
                by="centre",
            )
        ),
        one(ReleasePerson(roster=ROSTER, town=LIUDU, number=FIRST, by="centre")),
    ),
    deep=8,
    clocks=("person", "roster"),
)

USER = user_id("li.min")

USERS = Scene(
    "users",
    letters=(
        one(AddUser(user=USER, name="li.min", person="李敏", roles=("analyst",), unit=Unit())),
        one(AddUser(user=USER, name="li.min", person="李敏", roles=("reviewer",), unit=Unit(town=LIUDU))),
        one(DisableUser(user=USER)),
    ),
    deep=4,
)
