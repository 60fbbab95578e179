"""Users: added for units that there are, disabled, and let back in; the same again is a repeat."""

from typing import Any

import msgspec
import pytest

from events.catalog import CATALOG
from events.envelope import Request
from events.user import AddUser, DisableUser, Unit, UserAdded, UserDisabled
from services.people.user import NEEDS, User, evolve, user_id
from tests.unit.past import DAHE_VILLAGE, GAOCUN, LIUDU, LIUDU_VILLAGE, Past

WANG = user_id("wang")
CENTRE = Unit(town=LIUDU)
ELSEWHERE = Unit(town=GAOCUN)


def add(name: str = "wang", **changes: Any) -> AddUser:
    fields: dict[str, Any] = {"person": "王小明", "roles": ("command_centre",), "unit": CENTRE, "user": user_id(name)}
    return AddUser(name=name, **(fields | changes))


ADDED = UserAdded(name="wang", person="王小明", roles=("command_centre",), unit=CENTRE)
DISABLED = UserDisabled(name="wang")
DISABLE = DisableUser(user=WANG)


# Adding


def test_a_user_is_added_under_a_name_that_nobody_has(past: Past) -> None:
    assert past.decide(add()) == ((WANG, ADDED),)


def test_the_same_user_again_is_a_repeat(past: Past) -> None:
    past.happened(WANG, ADDED)

    assert past.decide(add()) == ()


@pytest.mark.parametrize(
    "changes",
    [{"person": "李红"}, {"roles": ("reviewer",)}, {"unit": ELSEWHERE}, {"roles": ("command_centre", "reviewer")}],
)
def test_a_name_that_somebody_has_is_taken_until_it_is_disabled(past: Past, changes: dict[str, Any]) -> None:
    past.happened(WANG, ADDED)

    refused = past.refusal(add(**changes))

    assert refused == "name: expected one that nobody has, found wang of 王小明: disable it first"


def test_two_names_are_two_users_also_of_one_person(past: Past) -> None:
    past.happened(WANG, ADDED)

    assert past.decide(add("wang.2")) == (
        (user_id("wang.2"), UserAdded(name="wang.2", person="王小明", roles=("command_centre",), unit=CENTRE)),
    )
    assert user_id("wang.2") != WANG


# Disabling and coming back


def test_a_user_is_disabled_once(past: Past) -> None:
    past.happened(WANG, ADDED)

    appends = past.do(DISABLE)

    assert appends == ((WANG, DISABLED),)
    assert past.decide(DISABLE) == ()
    assert past.states[WANG] == User("wang", "王小明", ("command_centre",), CENTRE, disabled=True)


def test_nobody_can_be_disabled_who_was_never_added(past: Past) -> None:
    assert past.refusal(DISABLE) == "expected a user, found none with this name"


@pytest.mark.parametrize("changes", [{}, {"unit": ELSEWHERE}, {"roles": ("reviewer",)}, {"person": "李红"}])
def test_who_was_disabled_comes_back_as_they_were_or_elsewhere(past: Past, changes: dict[str, Any]) -> None:
    past.happened(WANG, ADDED, DISABLED)

    past.do(add(**changes))

    expected = {"person": "王小明", "roles": ("command_centre",), "unit": CENTRE, **changes}
    assert past.states[WANG] == User("wang", **expected)


def test_who_came_back_is_a_user_like_any_other(past: Past) -> None:
    past.happened(WANG, ADDED, DISABLED, UserAdded(name="wang", person="王小明", roles=("reviewer",), unit=ELSEWHERE))

    assert past.decide(add(roles=("reviewer",), unit=ELSEWHERE)) == ()
    assert "disable it first" in past.refusal(add())
    assert past.decide(DISABLE) == ((WANG, DISABLED),)


# Refusals


@pytest.mark.parametrize(
    ("unit", "refused"),
    [
        (Unit(town="nowhere"), "town: expected one of 445303, 445303100, 445303101, "),
        (Unit(town=LIUDU, village="445303101001"), f"village: expected one of the town {LIUDU}, found '445303101001'"),
        (Unit(town=LIUDU, village="nowhere"), f"village: expected one of the town {LIUDU}, found 'nowhere'"),
        (Unit(town=LIUDU, platform="P9"), "platform: expected one of P1, P2, P3, P4, P5, P6, found 'P9'"),
        (Unit(town=LIUDU, department="D99"), "department: expected one of D01, D02, "),
        (Unit(town=LIUDU, department="B07"), "department: expected one of D01, D02, "),
        (Unit(town="445303", department="D16"), "department: expected one of B01, B02, "),
    ],
)
def test_a_unit_must_be_one_of_the_district(past: Past, unit: Unit, refused: str) -> None:
    found = past.refusal(add(unit=unit))

    assert found.startswith(refused)
    assert "found '" in found


def test_a_village_without_its_town_is_of_no_unit(past: Past) -> None:
    refused = past.refusal(add(roles=("reviewer",), unit=Unit(village=LIUDU_VILLAGE)))

    assert refused == f"village: expected one of the town , found '{LIUDU_VILLAGE}'"


def test_every_fault_of_a_unit_is_told_at_once(past: Past) -> None:
    refused = past.refusal(add(roles=("village_clerk",), unit=Unit(platform="P9", department="D99")))

    assert [part.split(":")[0] for part in refused.split("; ")] == ["town", "village", "platform", "department"]


@pytest.mark.parametrize(("role", "part"), [(role, part) for role, parts in NEEDS.items() for part in parts])
def test_a_role_that_is_of_a_unit_needs_that_unit(past: Past, role: str, part: str) -> None:
    whole = {"town": LIUDU, "village": LIUDU_VILLAGE, "platform": "P1", "department": "D01"}

    refused = past.refusal(add(roles=(role,), unit=Unit(**(whole | {part: ""}))))

    assert f"{part}: expected one for the role {role}, found none" in refused.split("; ")
    assert past.refusal(add(roles=(role,), unit=Unit(**whole))) == ""


@pytest.mark.parametrize("role", ["intake_clerk", "reviewer", "follow_up_clerk", "analyst", "administrator"])
def test_a_role_that_can_be_of_the_whole_district_needs_no_unit(past: Past, role: str) -> None:
    assert past.facts_of(add(roles=(role,), unit=Unit())) == [
        UserAdded(name="wang", person="王小明", roles=(role,), unit=Unit())  # type: ignore[arg-type]  # each is a role
    ]


def test_of_several_roles_each_needs_its_own_part(past: Past) -> None:
    refused = past.refusal(add(roles=("platform_head", "department_officer"), unit=CENTRE))

    assert refused == (
        "platform: expected one for the role platform_head, found none;"
        " department: expected one for the role department_officer, found none"
    )


def test_a_user_has_the_stream_of_their_name_and_no_other(past: Past) -> None:
    refused = past.refusal(add(user=user_id("li")))

    assert refused == f"user: expected the stream of wang, found {user_id('li')}"


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "w"},
        {"name": "Wang"},
        {"name": "王"},
        {"name": "wang\n"},
        {"name": "1wang"},
        {"name": "w" * 41},
        {"person": ""},
        {"person": "王\x00"},
        {"person": "王" * 101},
        {"roles": ()},
        {"roles": ("god",)},
    ],
)
def test_what_no_name_person_or_role_can_be_never_reaches_a_decision(fields: dict[str, Any]) -> None:
    request = msgspec.structs.replace(add(), **fields)

    with pytest.raises(msgspec.ValidationError):
        CATALOG.decode_request(CATALOG.encode_request(request))


# Folding


@pytest.mark.parametrize("request_", [add(), DISABLE], ids=lambda request: type(request).__name__)
def test_handling_twice_equals_once(past: Past, request_: Request) -> None:
    past.happened(WANG, ADDED, DISABLED, ADDED)
    past.do(request_)
    once = past.states[WANG]

    again = past.do(request_)

    assert again == ()
    assert past.states[WANG] == once


def test_a_user_is_what_the_last_facts_say() -> None:
    elsewhere = UserAdded(name="wang", person="王小明", roles=("village_clerk",), unit=Unit(LIUDU, DAHE_VILLAGE))

    state = None
    for fact in (ADDED, DISABLED, elsewhere):
        state = evolve(state, fact)

    assert state == User("wang", "王小明", ("village_clerk",), Unit(LIUDU, DAHE_VILLAGE))
