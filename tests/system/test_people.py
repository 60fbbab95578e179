"""The register and 借调 as people meet them: over HTTP in their own names, and on the command line."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from services.rules.calendar import SHANGHAI
from services.rules.limits import add_months
from services.runtime.clock import SystemClock
from tests.system.commands import Hujiao
from tests.system.gated import OTHER_VILLAGE, VILLAGE, Gated, gated

TODAY = SystemClock().now().astimezone(SHANGHAI).date()
BACK = TODAY + timedelta(days=30)

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    with gated(tmp_path_factory.mktemp("people")) as served:
        yield served


@pytest.fixture(scope="module")
def personnel(served: Gated) -> str:
    return served.user("personnel", town="", village="")


@pytest.fixture(scope="module")
def committee(served: Gated) -> str:
    return served.user("town_committee")


def register(served: Gated, personnel: str, number: str, months: int = 25) -> None:
    employee = {"name": f"人{number}", "employer": "区自然资源局", "town": VILLAGE.town, "department": "D15"}
    since = add_months(TODAY, -months).isoformat()
    answer = served.act(personnel, "person.register.v1", number=number, since=since, **employee)
    assert answer.status_code == 200, answer.text


def request(served: Gated, personnel: str, number: str) -> Any:
    days = {"start": TODAY.isoformat(), "back": BACK.isoformat()}
    return served.act(personnel, "person.request-secondment.v1", number=number, to="区城管局", **days)


def shown(served: Gated, name: str, number: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = served.get(name, "/api/people").json()["rows"]
    return next(row for row in rows if row["number"] == number)


def offered(served: Gated, name: str, number: str) -> list[str]:
    return [act["request"] for act in shown(served, name, number)["acts"]]


def test_somebody_is_lent_by_two_bodies_in_order_and_comes_back(served: Gated, personnel: str, committee: str) -> None:
    register(served, personnel, "LD-0001")
    asking = served.user("personnel", town="", village="")
    assert request(served, asking, "LD-0001").status_code == 200
    early = served.act(personnel, "person.approve-secondment.v1", number="LD-0001")
    refuse = "person.refuse-secondment.v1"
    assert (early.status_code, offered(served, personnel, "LD-0001")) == (422, [refuse])
    assert offered(served, committee, "LD-0001") == ["person.consent-to-secondment.v1", refuse]
    assert early.json()["detail"].startswith("R-SEC-3: expected a secondment that is consented first")

    assert served.act(committee, "person.consent-to-secondment.v1", number="LD-0001").status_code == 200
    assert offered(served, personnel, "LD-0001") == ["person.approve-secondment.v1", refuse]
    assert offered(served, asking, "LD-0001") == [refuse]
    own = served.act(asking, "person.approve-secondment.v1", number="LD-0001")
    assert (own.status_code, own.json()["detail"].partition(":")[0]) == (422, "R-SEC-5")
    assert served.act(personnel, "person.approve-secondment.v1", number="LD-0001").status_code == 200

    served.until(lambda: shown(served, committee, "LD-0001")["secondment"] == "away")
    lent = shown(served, committee, "LD-0001")
    assert (lent["lent_to"], lent["lent_from"], lent["back"]) == ("区城管局", TODAY.isoformat(), BACK.isoformat())
    assert [act["request"] for act in lent["acts"]] == ["person.end-secondment.v1"]
    assert served.act(committee, "person.end-secondment.v1", number="LD-0001").status_code == 200
    back = shown(served, committee, "LD-0001")
    assert back["secondment"] is None
    assert [(step["step"], step["who"]) for step in back["steps"]] == [
        ("requested", served.person(asking)),
        ("consented", served.person(committee)),
        ("approved", served.person(personnel)),
        ("started", None),
        ("ended", served.person(committee)),
    ]
    assert (back["steps"][-1]["back"], back["steps"][-1]["late"]) == (TODAY.isoformat(), 0)


def test_a_secondment_of_which_nothing_comes_keeps_who_said_no_and_why(
    served: Gated, personnel: str, committee: str
) -> None:
    register(served, personnel, "LD-0004")
    assert request(served, personnel, "LD-0004").status_code == 200

    refused = served.act(committee, "person.refuse-secondment.v1", number="LD-0004", ground="needed_here")

    assert refused.status_code == 200
    row = shown(served, committee, "LD-0004")
    assert (row["secondment"], row["acts"]) == (None, [])
    last = row["steps"][-1]
    assert (last["step"], last["before"], last["ground"], last["who"]) == (
        "refused",
        "consent",
        "needed_here",
        served.person(committee),
    )


def test_only_who_may_ask_for_somebody_is_told_so(served: Gated, personnel: str, committee: str) -> None:
    assert [served.get(name, "/api/people").json()["may_request"] for name in (personnel, committee)] == [True, False]


def test_under_two_years_the_refusal_names_the_rule(served: Gated, personnel: str) -> None:
    register(served, personnel, "LD-0002", months=23)

    refused = request(served, personnel, "LD-0002")

    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("R-SEC-1: expected 24 months of service in the town")


def test_another_towns_committee_consents_to_nobody_here_and_sees_nobody(served: Gated, personnel: str) -> None:
    register(served, personnel, "LD-0003")
    assert request(served, personnel, "LD-0003").status_code == 200
    elsewhere = served.user("town_committee", town=OTHER_VILLAGE.town, village=OTHER_VILLAGE.code)

    refused = served.act(elsewhere, "person.consent-to-secondment.v1", number="LD-0003")

    assert refused.status_code == 403
    assert (
        refused.json()["detail"] == f"town: expected {OTHER_VILLAGE.town}, whom the user acts for, found {VILLAGE.town}"
    )
    assert served.get(elsewhere, "/api/people").json()["rows"] == []


@pytest.mark.parametrize("number", ["LD-9999", "", "x" * 400, 7, None])
def test_of_somebody_unknown_nothing_can_be_asked(served: Gated, committee: str, number: Any) -> None:
    answer = served.act(committee, "person.consent-to-secondment.v1", number=number)

    assert answer.status_code == 400, answer.text
    assert answer.json()["detail"].startswith("number: expected one of the register")


def test_the_command_line_lends_and_lists_as_the_api_does(served: Gated, hujiao: Hujiao, tmp_path: Any) -> None:
    data, asking = ("--by", "王强", "--data", tmp_path), ("--by", "张三", "--data", tmp_path)
    assert hujiao("district", "load", "--data", tmp_path).status == 0
    about = ("--employer", "区自然资源局", "--town", "LD", "--department", "D15")
    since = add_months(TODAY, -25).isoformat()
    days = ("--start", TODAY.isoformat(), "--back", BACK.isoformat())

    said = [
        hujiao("person", "register", "LD-0001", "李敏", *about, "--since", since, *data),
        hujiao("person", "secondment", "request", "LD-0001", "区城管局", *days, *asking),
        hujiao("person", "secondment", "approve", "LD-0001", *data),
        hujiao("person", "secondment", "consent", "LD-0001", *data),
        hujiao("person", "secondment", "approve", "LD-0001", *data),
        hujiao("person", "secondment", "refuse", "LD-0001", "needed_here", *data),
        hujiao("person", "secondment", "end", "LD-0001", *data),
    ]

    assert [answer.status for answer in said] == [0, 0, 4, 0, 0, 4, 0], said
    assert "R-SEC-3" in said[2].err
    listed = hujiao("person", "list", "--data", tmp_path, "--json").json
    assert [(row["number"], row["name"], row["secondment"]) for row in listed] == [("LD-0001", "李敏", None)]


def test_a_platforms_party_organisation_is_kept_by_the_towns_committee_and_seen_at_the_people_desk(
    served: Gated, personnel: str, committee: str
) -> None:
    employee = {"name": "赵一", "employer": "区自然资源局", "town": VILLAGE.town, "department": "D15"}
    since = {"since": TODAY.isoformat()}
    served.act(personnel, "person.register.v1", number="LD-0050", **employee, **since, party_relation="town_committee")
    branch = {"town": VILLAGE.town, "platform": "P4"}

    refused = served.act(personnel, "roster.form-party-org.v1", **branch, name="执法平台党支部", **since)
    formed = served.act(committee, "roster.form-party-org.v1", **branch, name="执法平台党支部", **since)
    named = served.act(committee, "roster.name-party-secretary.v1", **branch, number="LD-0050", **since)

    assert (refused.status_code, formed.status_code, named.status_code) == (403, 200, 200)
    for user in (personnel, committee):
        (shown,) = served.get(user, "/api/people").json()["party"]
        assert (shown["name"], shown["secretary_name"], shown["members"]) == ("执法平台党支部", "赵一", 1)
    elsewhere = served.user("town_committee", town=OTHER_VILLAGE.town, village=OTHER_VILLAGE.code)
    assert served.get(elsewhere, "/api/people").json()["party"] == []
    served.act(committee, "person.transfer-party-relation.v1", number="LD-0050", to="bureau")
    (shown,) = served.get(committee, "/api/people").json()["party"]
    assert (shown["secretary_name"], shown["members"]) == (None, 0), "a member no more"
    assert served.act(committee, "roster.dissolve-party-org.v1", **branch, on=TODAY.isoformat()).status_code == 422
    tomorrow = (TODAY + timedelta(days=1)).isoformat()
    assert served.act(committee, "roster.dissolve-party-org.v1", **branch, on=tomorrow).status_code == 200


def test_the_command_line_keeps_party_organisations_too(hujiao: Hujiao, tmp_path: Any) -> None:
    data = ("--by", "王强", "--data", tmp_path)
    assert hujiao("district", "load", "--data", tmp_path).status == 0
    about = ("--employer", "区自然资源局", "--town", "LD", "--department", "D15", "--since", "2020-01-06")
    hujiao("person", "register", "LD-0001", "李敏", *about, "--party", "town_committee", *data)

    said = [
        hujiao("roster", "party-org", "LD", "P4", "执法平台党支部", "--since", "2018-06-01", *data),
        hujiao("roster", "party-secretary", "LD", "P4", "LD-0001", "--since", "2020-02-01", *data),
        hujiao("roster", "party-secretary", "LD", "P1", "LD-0001", "--since", "2020-02-01", *data),
    ]
    shown = hujiao("roster", "show", "LD", "--data", tmp_path, "--json").json["party"]
    over = hujiao("roster", "dissolve-party-org", "LD", "P4", "--on", "2026-01-01", *data)

    assert [answer.status for answer in said] == [0, 0, 4], said
    assert [(org["platform"], org["secretary_name"], org["members"]) for org in shown] == [("P4", "李敏", 1)]
    assert over.status == 0
    assert hujiao("roster", "show", "LD", "--data", tmp_path, "--json").json["party"] == []
