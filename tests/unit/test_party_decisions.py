"""平台党组织: which one a platform has since when, who is of it by their Party relation, and who is its secretary."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.person import TransferPartyRelation
from events.roster import (
    DissolvePartyOrg,
    FormPartyOrg,
    NamePartySecretary,
    PartyOrgDissolved,
    PartyOrgFormed,
    PartySecretaryNamed,
)
from services.decisions import Rejected
from services.people.party import members
from services.people.person import person_id
from services.people.roster import PartyOrg, Roster
from services.rules.book import RuleBook
from tests.unit.past import LIUDU, MONDAY, Past
from tests.unit.test_mobilisation_decisions import DISTRICT, RESERVE, ROSTER, register

HERE: dict[str, Any] = {"roster": ROSTER, "town": LIUDU, "by": "镇党委"}
BRANCH, TODAY = "综合执法平台党支部", MONDAY.date()
SINCE = date(2018, 6, 1)


def form(platform: str = "P4", name: str = BRANCH, since: date = SINCE) -> FormPartyOrg:
    return FormPartyOrg(**HERE, platform=platform, name=name, since=since)


def dissolve(on: date = TODAY, platform: str = "P4") -> DissolvePartyOrg:
    return DissolvePartyOrg(**HERE, platform=platform, on=on)


def secretary(number: str, since: date = TODAY, platform: str = "P4") -> NamePartySecretary:
    return NamePartySecretary(**HERE, platform=platform, number=number, since=since)


@pytest.fixture
def staffed(rules: RuleBook) -> Past:
    """Of the enforcement platform: one under the town committee, one with the bureau; and one of another platform."""
    past = Past(rules)
    register(past, "D15", 1, party="town_committee")
    register(past, "D16", 1, party="bureau")
    register(past, "D01", 1, party="town_committee")
    return past


def org(past: Past, day: date = TODAY) -> PartyOrg | None:
    roster: Roster = past.states[ROSTER]
    return roster.party_org("P4", day)


def test_a_platform_has_one_since_a_day_until_a_day(staffed: Past) -> None:
    formed = staffed.do(form())
    assert formed == ((ROSTER, PartyOrgFormed(town=LIUDU, platform="P4", name=BRANCH, since=SINCE)),)
    assert staffed.decide(form()) == ()
    assert staffed.refusal(form(name="另一支部", since=TODAY)).startswith(
        "since: expected a day without one, found 综合"
    )

    dissolved = staffed.do(dissolve())

    assert dissolved == ((ROSTER, PartyOrgDissolved(platform="P4", formed=SINCE, on=TODAY)),)
    assert staffed.decide(dissolve()) == ()
    staffed.do(form(name="新支部", since=TODAY))
    yesterday = TODAY - timedelta(days=1)
    names = [found.name if found else "" for found in (org(staffed, SINCE), org(staffed, yesterday), org(staffed))]
    assert names == [BRANCH, BRANCH, "新支部"]
    assert org(staffed, SINCE - timedelta(days=1)) is None


def test_its_members_are_those_of_its_departments_whose_relation_the_town_committee_has(staffed: Past) -> None:
    staffed.do(form())
    found = org(staffed)
    assert found is not None
    before = members(staffed.states[ROSTER], found, staffed.rules)

    staffed.play(TransferPartyRelation(person=person_id("LD-D16-1"), to="town_committee", by="镇党委"))

    assert before == ["LD-D15-1"]
    assert members(staffed.states[ROSTER], found, staffed.rules) == ["LD-D15-1", "LD-D16-1"]


def test_a_member_is_its_secretary(staffed: Past) -> None:
    staffed.do(form())

    named = staffed.do(secretary("LD-D15-1"))

    assert named == ((ROSTER, PartySecretaryNamed(platform="P4", formed=SINCE, number="LD-D15-1", since=TODAY)),)
    assert staffed.decide(secretary("LD-D15-1")) == ()


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (form(platform="P9"), "platform: expected one of P1, P2, P3, P4, P5, P6, found 'P9'"),
        (form(since=date(1900, 1, 1)), "since: expected a day of somebody's service, found 1900-01-01"),
        (dissolve(platform="P1"), "on: expected a day after which P1 has none any more, found 2026-11-23"),
        (dissolve(on=SINCE), "on: expected a day after which P4 has none any more, found 2018-06-01"),
        (secretary("LD-D16-1"), f"number: expected a member of {BRANCH}, found LD-D16-1"),
        (secretary("LD-D01-1"), f"number: expected a member of {BRANCH}, found LD-D01-1"),
        (secretary("LD-D99-1"), f"number: expected a member of {BRANCH}, found LD-D99-1"),
        (
            secretary("LD-D15-1", since=TODAY + timedelta(days=1)),
            "since: expected a day that has come, found 2026-11-24",
        ),
        (
            secretary("LD-D15-1", platform="P1"),
            "platform: expected one with a Party organisation on 2026-11-23, found P1",
        ),
    ],
)
def test_what_is_not_so_is_refused(staffed: Past, request_: Any, refusal: str) -> None:
    staffed.do(form())

    assert staffed.refusal(request_) == refusal


def test_the_districts_platforms_have_theirs_on_its_own_roster(staffed: Past) -> None:
    about: dict[str, Any] = {"roster": RESERVE, "town": DISTRICT, "by": "区"}

    assert staffed.decide(FormPartyOrg(**about, platform="P4", name=BRANCH, since=SINCE)) != ()


DAYS = st.sampled_from([SINCE + timedelta(days=365 * n) for n in range(9)])


@given(
    asked=st.lists(st.one_of(st.builds(form, since=DAYS, name=st.sampled_from("甲乙丙")), st.builds(dissolve, DAYS)))
)
def test_whatever_is_asked_a_platform_never_has_two_at_once(rules: RuleBook, asked: list[Any]) -> None:
    past = Past(rules)
    for request in asked:
        try:
            past.do(request)
        except Rejected:
            continue
        orgs = sorted(past.states[ROSTER].party, key=lambda found: found.since)
        assert all(found.since < found.until for found in orgs)
        assert all(one.until <= other.since for one, other in pairwise(orgs))
