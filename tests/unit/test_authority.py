"""Who may do and see what: every role against every act and every page, in its own unit and in another."""

from collections.abc import Callable
from typing import Any, get_args

import pytest

from events.call import AcknowledgeCall
from events.case import ApproveResult, CallDistrict, ClassifyCase, FollowUp, GrantLaunchWaiver
from events.catalog import REQUESTS
from events.envelope import Request
from events.outcome import PublishOutcome
from events.report import EraseReport
from events.user import AddUser, Unit, UserRole
from projections.sight import Sight, within
from services.people.authority import (
    ACTS,
    PAGES,
    SEES_CONFIDENTIAL,
    WORDS,
    Forbidden,
    Page,
    may_act,
    may_look,
    may_read_words,
    sights_of,
)
from services.people.user import NEEDS, User

ROLES: tuple[UserRole, ...] = get_args(UserRole)
OWN = Unit(town="t1", village="v1", platform="P1", department="D01")
OTHER = Unit(town="t2", village="v2", platform="P2", department="D02")
PARTS = ("town", "village", "platform", "department")
PHASES = (
    "registered",
    "triage",
    "village_handling",
    "calling",
    "in_progress",
    "in_review",
    "rework",
    "resolved",
    "closed",
)
BOUND: dict[UserRole, tuple[str, ...]] = {
    "intake_clerk": ("town",),
    "village_clerk": ("town", "village"),
    "command_centre": ("town",),
    "platform_head": ("town", "platform"),
    "department_officer": ("town", "department"),
    "reviewer": ("town",),
    "follow_up_clerk": ("town",),
    "town_committee": ("town",),
}
"""In which parts the unit of a role counts; those who look at the whole district are bound in none."""


def user(*roles: UserRole, unit: Unit = OWN, disabled: bool = False) -> User:
    return User("somebody", "王小明", roles, unit, disabled)


def with_part(unit: Unit, part: str, value: str) -> Unit:
    return Unit(**{name: value if name == part else getattr(unit, name) for name in PARTS})


def refusal(asking: Callable[..., None], *about: Any, **more: Any) -> str:
    """Why it is forbidden; empty when it is not."""
    try:
        asking(*about, **more)
    except Forbidden as forbidden:
        return str(forbidden)
    return ""


def named(act: type[Request]) -> str:
    return act.__name__


# Acts


@pytest.mark.parametrize("act", ACTS, ids=named)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_ask_in_its_own_unit_for_exactly_what_the_table_says(role: UserRole, act: type[Request]) -> None:
    refused = refusal(may_act, user(role), act, OWN)

    assert (refused == "") == (role in ACTS[act])
    if refused:
        expected = " or ".join(ACTS[act])
        assert refused == f"{act.__struct_config__.tag}: expected the role {expected}, found {role}"


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("role", "act"), [(role, act) for act in ACTS for role in ACTS[act]])
def test_in_another_unit_a_role_may_do_nothing_where_that_part_of_the_unit_binds_it(
    role: UserRole, act: type[Request], part: str
) -> None:
    about = with_part(OWN, part, getattr(OTHER, part))

    refused = refusal(may_act, user(role), act, about)

    if part in BOUND.get(role, ()):
        own, found = getattr(OWN, part), getattr(OTHER, part)
        assert refused == f"{part}: expected {own}, whom the user acts for, found {found}"
    else:
        assert refused == ""


@pytest.mark.parametrize("act", [request for request in REQUESTS if request not in ACTS], ids=named)
def test_what_the_services_ask_for_themselves_no_person_may_ask_for(act: type[Request]) -> None:
    everybody = user(*ROLES)

    assert "expected the role no person, found" in refusal(may_act, everybody, act, OWN)


def test_what_must_be_kept_apart_is_in_different_hands() -> None:
    assert ACTS[ApproveResult] == ("reviewer",)
    assert "department_officer" not in {*ACTS[ApproveResult], *ACTS[PublishOutcome], *ACTS[FollowUp]}
    assert ACTS[EraseReport] == ("privacy_officer",)
    assert ACTS[AddUser] == ("administrator",)
    assert not any("analyst" in roles for roles in ACTS.values())
    assert ACTS[GrantLaunchWaiver] == ("district_leader",)
    assert not set(ACTS[CallDistrict]) & {"district_command", "district_leader"}
    assert [act for act, roles in ACTS.items() if "administrator" in roles and len(roles) > 1] == []


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_for_the_whole_district_acts_in_every_unit(role: UserRole, part: str) -> None:
    of_all = user(role, unit=with_part(OWN, part, ""))
    acts = [act for act in ACTS if role in ACTS[act]]

    assert [act for act in acts if refusal(may_act, of_all, act, with_part(OWN, part, "elsewhere"))] == []


def test_what_is_of_no_department_is_of_no_officer() -> None:
    refused = refusal(may_act, user("department_officer"), AcknowledgeCall, with_part(OWN, "department", ""))

    assert refused == "department: expected D01, whom the user acts for, found none"


def test_of_several_roles_the_one_that_fits_is_enough_and_none_lends_another_its_reach() -> None:
    both = user("reviewer", "privacy_officer")

    assert refusal(may_act, both, PublishOutcome, OTHER) == ""
    assert refusal(may_act, both, ApproveResult, OTHER) == "town: expected t1, whom the user acts for, found t2"
    assert "expected the role" in refusal(may_act, both, ClassifyCase, OWN)


def test_every_part_without_which_a_role_cannot_be_binds_it() -> None:
    assert {role: set(parts) - set(BOUND[role]) for role, parts in NEEDS.items()} == {role: set() for role in NEEDS}


# Pages


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_look_at_exactly_the_pages_that_the_table_says(role: UserRole, page: Page) -> None:
    refused = refusal(may_look, user(role), page)

    assert (refused == "") == (role in PAGES[page])
    assert refused in ("", f"{page}: expected the role {' or '.join(PAGES[page])}, found {role}")


def test_every_page_is_in_the_table_and_every_role_has_one() -> None:
    assert set(PAGES) == set(get_args(Page))
    assert {role for roles in PAGES.values() for role in roles} == set(ROLES)


def test_who_is_disabled_may_do_and_see_nothing() -> None:
    gone = user(*ROLES, disabled=True)
    expected = "expected a user who is not disabled, found somebody"

    assert {refusal(may_act, gone, act, OWN) for act in ACTS} == {expected}
    assert {refusal(may_look, gone, page) for page in PAGES} == {expected}
    assert refusal(may_read_words, gone, "triage", OWN, confidential=False) == expected


# Words


@pytest.mark.parametrize("confidential", [False, True])
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("role", ROLES)
def test_words_open_to_a_role_only_while_it_works_on_the_case(role: UserRole, phase: str, confidential: bool) -> None:
    open_to = {
        "intake_clerk": {"registered", "triage"},
        "village_clerk": {"village_handling"},
        "command_centre": {"triage"},
        "reviewer": {"in_review"},
        "follow_up_clerk": {"resolved"},
    }

    refused = refusal(may_read_words, user(role), phase, OWN, confidential=confidential)

    allowed = phase in open_to.get(role, ()) and (role == "intake_clerk" or not confidential)
    assert (refused == "") == allowed
    assert "expected" in refused or allowed


def test_words_of_another_town_stay_closed_and_the_refusal_says_why() -> None:
    other_town = with_part(OWN, "town", "t2")

    assert {
        role: refusal(may_read_words, user(role), WORDS[role][0], other_town, confidential=False) for role in WORDS
    } == dict.fromkeys(WORDS, "town: expected t1, whom the user acts for, found t2")


def test_who_may_read_in_another_phase_is_told_in_which() -> None:
    refused = refusal(may_read_words, user("reviewer", "intake_clerk"), "closed", OWN, confidential=False)

    when = "reviewer while in_review, intake_clerk while registered or triage"
    assert refused == f"expected a case whose words are open to the user ({when}), found one in phase closed"


def test_being_at_intake_as_well_does_not_open_a_confidential_matter_to_a_reviewer() -> None:
    refused = refusal(may_read_words, user("intake_clerk", "reviewer"), "in_review", OWN, confidential=True)

    assert "found one in phase in_review" in refused


# Sight


@pytest.mark.parametrize("role", ROLES)
def test_a_role_sees_the_cases_of_what_binds_it_and_no_confidential_ones_beyond_its_work(role: UserRole) -> None:
    seen = sights_of(user(role))

    parts = {part: getattr(OWN, part) for part in BOUND.get(role, ())}
    at_district = ("district_command", "district_leader")
    own = Sight(**parts, confidential=role not in ("village_clerk", *at_district, "analyst"), of=OWN.department)
    asked = (Sight(asked=True, of=OWN.department),) if role in at_district else ()
    assert seen == (() if role in ("administrator", "town_committee", "personnel") else (own, *asked))


def test_who_sees_confidential_matters_at_all_looks_at_the_board() -> None:
    assert set(PAGES["board"]) >= SEES_CONFIDENTIAL


def test_each_role_adds_its_own_sight_and_keeps_its_own_bounds() -> None:
    seen = sights_of(user("analyst", "department_officer", "administrator"))

    assert seen == (Sight(confidential=False, of="D01"), Sight(town="t1", department="D01", of="D01"))


def test_without_sights_everything_is_seen_and_with_none_of_them_nothing() -> None:
    nothing, values = within((), "board")

    assert within(None, "board") == ("1 = 1", {})
    assert nothing == 'EXISTS (SELECT 1 FROM cases seen WHERE seen."case" = board."case" AND (1 = 0))'
    assert values == {}


def test_any_of_several_sights_is_enough_and_each_value_has_a_name_of_its_own() -> None:
    one, other = Sight(town="t1", department="D01"), Sight(town="t2", village="v2", confidential=False)

    condition, values = within((one, other), "timeline")

    assert values == {"town0_": "t1", "department0_": "D01", "town1_": "t2", "village1_": "v2"}
    assert all(f":{name}" in condition for name in values)
    assert condition.count("confidential") == 1
    assert ") OR (" in condition
    assert 'seen."case" = timeline."case"' in condition


def test_a_name_never_becomes_part_of_the_question() -> None:
    condition, values = within((Sight(town="' OR 1=1 --"),), "cases")

    assert "OR 1=1" not in condition
    assert values == {"town0_": "' OR 1=1 --"}
