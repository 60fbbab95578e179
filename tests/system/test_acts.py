"""Acts over HTTP: who may do what in whose name, once each, and nothing comes of junk."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from events.call import CallAcknowledged, CallNoted, CallResultFiled
from events.case import CaseResolved
from events.envelope import Recorded
from events.ids import outcome_of
from events.report import ReportSubmitted
from services.acting import PERSONAL
from tests.system.gated import OTHER_VILLAGE, ROADS, VILLAGE, Gated, gated

LEAD, ASSISTING = ROADS.lead, ROADS.required[0]

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    with gated(tmp_path_factory.mktemp("acts")) as served:
        yield served


@pytest.fixture(scope="module")
def officer(served: Gated) -> str:
    return served.user("department_officer", department=LEAD)


@pytest.fixture(scope="module")
def officers(served: Gated, officer: str) -> dict[str, str]:
    """Of the departments that must do something about a road, the lead first."""
    return {LEAD: officer, ASSISTING: served.user("department_officer", department=ASSISTING)}


def newest(served: Gated, stream: str) -> Recorded:
    return served.house.log.stream(stream)[-1]


def call_of(served: Gated) -> dict[str, str]:
    """The lead's part in a new call."""
    case, _ = served.report()
    return {"call": served.call(case, LEAD), "department": LEAD}


# In whose name


def test_an_act_stands_in_the_log_with_the_user_and_with_the_person(served: Gated, officer: str) -> None:
    known = call_of(served)

    answer = served.act(officer, "call.acknowledge.v1", **known)

    assert answer.status_code == 200, answer.text
    assert answer.json() == {"facts": 1, "repeated": False}
    recorded = next(fact for fact in served.house.log.stream(known["call"]) if isinstance(fact.fact, CallAcknowledged))
    assert isinstance(recorded.fact, CallAcknowledged)
    assert recorded.fact.by == served.person(officer)
    assert recorded.meta.actor == officer


def test_nobody_acts_in_the_name_of_another_person(served: Gated, officer: str) -> None:
    known = call_of(served)
    before = served.house.log.head()

    forged = served.act(officer, "call.acknowledge.v1", by="县长", **known)

    assert forged.status_code == 403
    assert forged.json()["detail"] == f"by: expected {served.person(officer)}, who is logged in, found '县长'"
    assert served.house.log.head() == before
    assert served.act(officer, "call.acknowledge.v1", by=served.person(officer), **known).status_code == 200


def test_another_departments_and_another_towns_act_is_forbidden_with_the_reason(served: Gated) -> None:
    known = call_of(served)
    others = served.user("department_officer", department=ASSISTING)
    elsewhere = served.user("department_officer", department=LEAD, town=OTHER_VILLAGE.town, village=OTHER_VILLAGE.code)
    before = served.house.log.head()

    of_another = served.act(others, "call.acknowledge.v1", **known)
    of_another_town = served.act(elsewhere, "call.acknowledge.v1", **known)

    assert of_another.status_code == of_another_town.status_code == 403
    expected = f"department: expected {ASSISTING}, whom the user acts for, found {LEAD}"
    assert of_another.json()["detail"] == expected
    expected = f"town: expected {OTHER_VILLAGE.town}, whom the user acts for, found {VILLAGE.town}"
    assert of_another_town.json()["detail"] == expected
    assert served.house.log.head() == before


def test_a_role_that_may_not_is_told_which_may(served: Gated) -> None:
    known = call_of(served)

    answer = served.act(served.user("analyst"), "call.acknowledge.v1", **known)

    assert answer.status_code == 403
    expected = "call.acknowledge.v1: expected the role department_officer, found analyst"
    assert answer.json()["detail"] == expected


def test_an_officer_speaks_for_no_department_that_is_not_called(served: Gated) -> None:
    known = call_of(served)
    uninvolved = served.user("department_officer", department="D30")

    answer = served.act(uninvolved, "call.acknowledge.v1", **(known | {"department": "D30"}))

    assert answer.status_code == 422
    assert "department: expected one that is called" in answer.json()["detail"]


def test_nobody_reviews_what_they_handled_whatever_else_they_are(served: Gated, officers: dict[str, str]) -> None:
    both = served.user("department_officer", "reviewer", department=LEAD)
    namesake = served.user("reviewer", person=served.person(both))
    case, _ = served.report()
    served.to_review(case, {LEAD: both, ASSISTING: officers[ASSISTING]})

    refused = [served.act(name, "case.approve-result.v1", case=case) for name in (both, namesake)]
    approved = served.act(served.user("reviewer"), "case.approve-result.v1", case=case)

    assert [answer.status_code for answer in refused] == [422, 422]
    assert served.person(both) in refused[0].json()["detail"]
    assert approved.status_code == 200
    assert any(isinstance(recorded.fact, CaseResolved) for recorded in served.house.log.stream(case))


# Once each


def test_the_same_act_under_the_same_key_is_done_once(served: Gated, officer: str) -> None:
    known = call_of(served)
    served.act(officer, "call.acknowledge.v1", **known)

    first, again = (served.act(officer, "call.note.v1", key="note-1", note="已派人。", **known) for _ in range(2))

    assert (first.json()["repeated"], again.json()["repeated"]) == (False, True)
    notes = [recorded for recorded in served.house.log.stream(known["call"]) if isinstance(recorded.fact, CallNoted)]
    assert len(notes) == 1


def test_without_a_key_two_acts_are_two_and_another_users_key_is_another(served: Gated, officer: str) -> None:
    known = call_of(served)
    served.act(officer, "call.acknowledge.v1", **known)
    colleague = served.user("department_officer", department=LEAD)

    for name, key in ((officer, ""), (officer, ""), (officer, "note-2"), (colleague, "note-2")):
        assert served.act(name, "call.note.v1", key=key, note="已派人。", **known).json() == {
            "facts": 1,
            "repeated": False,
        }

    notes = [recorded for recorded in served.house.log.stream(known["call"]) if isinstance(recorded.fact, CallNoted)]
    assert len(notes) == 4


def test_another_act_under_a_key_that_was_used_is_a_conflict(served: Gated, officer: str) -> None:
    known = call_of(served)
    served.act(officer, "call.acknowledge.v1", **known)
    served.act(officer, "call.note.v1", key="note-3", note="已派人。", **known)
    before = served.house.log.head()

    answer = served.act(officer, "call.note.v1", key="note-3", note="没有派人。", **known)

    assert answer.status_code == 409
    assert served.house.log.head() == before


def test_a_key_that_is_too_long_is_refused(served: Gated, officer: str) -> None:
    assert served.act(officer, "call.acknowledge.v1", key="k" * 101, **call_of(served)).status_code == 400


# About what


@pytest.mark.parametrize("request_", ["call.note.v1", "call.file-result.v1"])
def test_words_about_a_call_belong_to_its_own_case_whatever_else_is_said(
    served: Gated, officer: str, request_: str
) -> None:
    known, (other, _) = call_of(served), served.report()
    own = served.house.log.stream(known["call"])[0].fact.case  # type: ignore[attr-defined]  # a call knows its case
    served.act(officer, "call.acknowledge.v1", **known)
    served.act(officer, "call.report-in.v1", people=20, **known)
    more = {"note": "已派人。"} if request_ == "call.note.v1" else {"solved": "yes", "account": "好", "reply": "好"}

    answer = served.act(officer, request_, case=other, **known, **more)

    assert answer.status_code == 200, answer.text
    said = [fact.fact for fact in served.house.log.stream(known["call"])]
    noted = next(fact for fact in said if isinstance(fact, CallNoted | CallResultFiled))
    assert noted.case == own
    assert (noted.note if isinstance(noted, CallNoted) else noted.account).key == own


def test_a_notice_is_of_its_own_case_whatever_else_is_said(served: Gated, officers: dict[str, str]) -> None:
    cases = [served.report()[0] for _ in range(2)]
    reviewer, second = served.user("reviewer"), served.user("privacy_officer")
    for case in cases:
        served.to_review(case, officers)
        served.act(reviewer, "case.approve-result.v1", case=case)

    answer = served.act(second, "outcome.publish.v1", case=cases[0], outcome=outcome_of(cases[1]))

    assert answer.status_code == 200, answer.text
    assert [newest(served, outcome_of(case)).name for case in cases] == ["outcome.published.v1", "outcome.drafted.v1"]


def test_an_encrypted_word_is_taken_from_nobody(served: Gated, officer: str) -> None:
    known, (case, _) = call_of(served), served.report(text="不可告人的话")
    report = served.house.log.stream(case)[0].fact.report  # type: ignore[attr-defined]  # a case knows its report
    told = served.house.log.stream(report)[0].fact
    assert isinstance(told, ReportSubmitted)
    taken = {"private": "sealed", "key": told.words.key, "box": base64.b64encode(told.words.box).decode()}
    served.act(officer, "call.acknowledge.v1", **known)
    served.act(officer, "call.report-in.v1", people=20, **known)
    before = served.house.log.head()

    noted = served.act(officer, "call.note.v1", **known, note=taken)
    filed = served.act(officer, "call.file-result.v1", **known, solved="yes", account="好", reply=taken)

    assert (noted.status_code, filed.status_code) == (400, 400)
    assert filed.json()["detail"] == "reply: Expected `str | null`, got `object`"
    assert served.house.log.head() == before


def test_an_administrator_lets_people_in_and_out_but_nobody_for_a_place_that_is_not(served: Gated) -> None:
    admin = served.user("administrator")
    unit = {"town": VILLAGE.town}
    wanted = {"name": "li.hong", "person": "李红", "roles": ["reviewer"], "unit": unit}

    added = served.act(admin, "user.add.v1", **wanted)
    again = served.act(admin, "user.add.v1", **wanted)
    nowhere = served.act(admin, "user.add.v1", **(wanted | {"name": "li.hua", "unit": {"town": "nowhere"}}))
    forged = served.act(admin, "user.add.v1", **(wanted | {"name": "li.hai", "user": "0" * 32}))
    out = served.act(admin, "user.disable.v1", name="li.hong")

    assert (added.json()["facts"], again.json()["facts"]) == (1, 0)
    assert nowhere.status_code == 422
    assert "town: expected one of" in nowhere.json()["detail"]
    assert forged.status_code == 200, "whose stream it is follows from the name"
    assert out.status_code == 200
    found = served.house.user("li.hong")
    assert found is not None
    assert found.disabled
    assert served.house.user("li.hai") is not None


# Junk

JUNK: list[Any] = [
    None,
    [],
    "act",
    {},
    {"request": None},
    {"request": []},
    {"request": "case.close.v1"},
    {"request": "report.submit.v1"},
    {"request": "report.erase.v1", "report": "0" * 32, "reason": "request"},
    {"request": "call.acknowledge.v1"},
    {"request": "call.acknowledge.v1", "call": 7, "department": LEAD},
    {"request": "call.acknowledge.v1", "call": "0" * 32, "department": LEAD},
    {"request": "call.acknowledge.v1", "call": "\x00", "department": LEAD},
    {"request": "call.acknowledge.v1", "call": "x" * 100_000, "department": LEAD},
    {"request": "case.approve-result.v1", "case": {"$ne": ""}},
    {"request": "user.add.v1", "name": "a b", "person": "王", "roles": ["reviewer"], "unit": {}},
    {"request": "user.add.v1", "name": "wang", "person": "王\n", "roles": ["reviewer"], "unit": {}},
    {"request": "user.add.v1", "name": "wang", "person": "王", "roles": [], "unit": {}},
    {"request": "user.add.v1", "name": "wang", "person": "王", "roles": ["god"], "unit": {}},
    {"request": "user.add.v1", "name": "wang", "person": "王", "roles": ["reviewer"], "unit": {"city": "x"}},
    {"request": "user.add.v1", "name": ["wang"], "person": "王", "roles": ["reviewer"], "unit": {}},
    {"request": "user.disable.v1", "name": "wang", "extra": 1},
]


@pytest.mark.parametrize("body", JUNK, ids=lambda body: str(body)[:70])
def test_what_is_no_act_is_refused_and_changes_nothing(served: Gated, body: Any) -> None:
    everybody = served.user("department_officer", "reviewer", "administrator", department=LEAD)
    before = served.house.log.head()

    headers = served.as_user(everybody) | {"content-type": "application/json"}
    answer = served.client.post("/api/acts", content=json.dumps(body), headers=headers)

    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert served.house.log.head() == before


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 20_000, b'{"a":' * 20_000, b'{"request": "\\ud800"}'])
def test_what_is_no_json_is_no_act(served: Gated, officer: str, body: bytes) -> None:
    headers = served.as_user(officer) | {"content-type": "application/json"}

    answer = served.client.post("/api/acts", content=body, headers=headers)

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("request_", "more"),
    [
        ("call.report-in.v1", {"people": "many"}),
        ("call.report-in.v1", {"people": -1}),
        ("call.report-in.v1", {"people": 10**30}),
        ("call.note.v1", {"note": 5}),
        ("call.note.v1", {"note": "长" * 20_001}),
        ("call.note.v1", {}),
        ("call.file-result.v1", {"solved": "perhaps", "account": "好"}),
        ("call.acknowledge.v1", {"late": True}),
        ("call.acknowledge.v1", {"department": 1}),
    ],
)
def test_a_field_that_is_none_is_refused_by_name(
    served: Gated, officer: str, request_: str, more: dict[str, Any]
) -> None:
    known = call_of(served)
    before = served.house.log.head()

    answer = served.act(officer, request_, **(known | more))

    assert answer.status_code in (400, 403)
    assert answer.json()["detail"]
    assert served.house.log.head() == before


def test_every_act_that_is_offered_is_one_that_is_taken(served: Gated, officer: str) -> None:
    case, _ = served.report()

    offered = served.get(officer, f"/api/cases/{case}").json()["acts"]

    assert {act["request"] for act in offered} == {"call.acknowledge.v1"}
    assert set(PERSONAL) >= {act["request"] for act in offered}
    assert served.act(officer, offered[0].pop("request"), **offered[0]).status_code == 200
    after = served.get(officer, f"/api/cases/{case}").json()["acts"]
    assert "call.acknowledge.v1" not in {act["request"] for act in after}
    assert "call.note.v1" in {act["request"] for act in after}


def test_a_case_is_shown_as_it_stood_at_a_position_and_then_nobody_can_act_on_it(served: Gated) -> None:
    case, _ = served.report()
    lead = ROADS.lead
    officer = served.user("department_officer", department=lead)
    before = served.house.log.head()
    served.act(officer, "call.acknowledge.v1", call=served.call(case, lead), department=lead)

    now = served.get(officer, f"/api/cases/{case}").json()
    then = served.get(officer, f"/api/cases/{case}", position=before).json()

    assert now["legs"][0].keys() == then["legs"][0].keys()
    assert {leg["department"]: leg["progress"] for leg in then["legs"]}[lead] == "called"
    assert {leg["department"]: leg["progress"] for leg in now["legs"]}[lead] == "acknowledged"
    assert then["timeline"] == [row for row in now["timeline"] if row["position"] <= before]
    assert (bool(now["acts"]), then["acts"]) == (True, [])


@pytest.mark.parametrize("position", [1, -5])
def test_a_case_that_had_not_begun_then_is_not_found(served: Gated, position: int) -> None:
    case, _ = served.report()
    reviewer = served.user("reviewer")

    answer = served.get(reviewer, f"/api/cases/{case}", position=position)

    assert answer.status_code == 404
    assert "expected one after the case began" in answer.json()["detail"]
