"""What leaks to nobody: confidential matters, residents' words and departments' notes, over every route and role."""

import json
from collections.abc import Iterator
from typing import NamedTuple, get_args

import pytest
from litestar.routes import HTTPRoute

from events.user import UserRole
from services.people.authority import PAGES, SEES_CONFIDENTIAL
from tests.system.commands import Hujiao
from tests.system.gated import OTHER_VILLAGE, ROADS, VILLAGE, VIOLENCE, Gated, gated

ROLES: tuple[UserRole, ...] = get_args(UserRole)
WORD, PHONE, NOTE = "马克尔词", "13712345678", "批注标记"
MARKS = (WORD, PHONE, NOTE)
LEAD = VIOLENCE.lead
HANDLER = "主办人"

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")


class Planted(NamedTuple):
    """A house with a confidential case in progress, an open one, one that is published and one in triage."""

    served: Gated
    confidential: str
    receipt: str
    open: str
    published: str
    waiting: str
    handler: str
    officers: dict[str, str]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    with gated(tmp_path_factory.mktemp("sight")) as served:
        said = {"text": f"{WORD}，请来人。", "contact": {"name": WORD, "phone": PHONE}}
        confidential, receipt = served.report(**said, title=WORD, place=WORD, matter=VIOLENCE.code)
        handler = served.user("department_officer", person=HANDLER, department=LEAD)
        known = {"call": served.call(confidential, LEAD), "department": LEAD}
        for request, more in (("call.acknowledge.v1", {}), ("call.note.v1", {"note": NOTE})):
            assert served.act(handler, request, **known, **more).status_code == 200
        published, _ = served.report(**said)
        officers = {
            department: served.user("department_officer", department=department)
            for department in (ROADS.lead, *ROADS.required)
        }
        served.to_review(published, officers)
        reviewer, second = served.user("reviewer"), served.user("privacy_officer")
        assert served.act(reviewer, "case.approve-result.v1", case=published).status_code == 200
        assert served.act(second, "outcome.publish.v1", case=published).status_code == 200
        opened, _ = served.report(**said)
        waiting, _ = served.report(**(said | {"title": WORD, "text": WORD, "matter": None}))
        assert served.phase(waiting) == "triage"
        yield Planted(served, confidential, receipt, opened, published, waiting, handler, officers)


def told(planted: Planted, name: str) -> dict[str, str]:
    """Everything that any path answers to whoever looks."""
    served = planted.served
    cases = (planted.confidential, planted.open, planted.published, planted.waiting)
    answers: dict[str, str] = {}
    for route in served.app.routes:
        files = route.path.startswith(("/console", "/resident"))
        if files or not isinstance(route, HTTPRoute) or "GET" not in route.methods:
            continue
        path = route.path.replace("{receipt:str}", planted.receipt).replace("{path:str}", "openapi.json")
        path = path.replace("{town:str}", VILLAGE.town)
        for case in cases if "{case:str}" in path else ("",):
            asked = path.replace("{case:str}", case)
            for query in ({}, {"limit": 1000, "overdue": "true"}, {"town": VILLAGE.town}, {"after": 0}):
                answer = served.get(name, asked, **query)
                assert answer.status_code < 500, f"{asked}: {answer.text}"
                answers[f"{asked} {query}"] = answer.text
    return answers


def holding(answers: dict[str, str], text: str) -> list[str]:
    """The paths whose answers hold a text, in whatever way JSON writes it; an id that was asked for is no answer."""
    ways = {text, json.dumps(text)[1:-1]}
    return [path for path, answer in answers.items() if any(way in answer for way in ways) and text not in path]


def seen(answers: dict[str, str], case: str) -> bool:
    """Whether anything shows that there is this case."""
    asked = [answer for path, answer in answers.items() if case in path]
    return bool(holding(answers, case)) or any(
        case in answer and "found none with id" not in answer for answer in asked
    )


# Looking


def test_no_file_holds_what_was_said(planted: Planted) -> None:
    files = [file for file in planted.served.house.folder.rglob("*") if file.is_file()]

    assert [file.name for file in files if any(mark.encode() in file.read_bytes() for mark in MARKS)] == []
    assert len(files) > 3


def test_nothing_that_the_command_line_shows_or_exports_holds_what_was_said(planted: Planted, hujiao: Hujiao) -> None:
    data = ("--data", planted.served.house.folder)
    tables = hujiao("query", "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')", "--json", *data).json
    cases = (planted.confidential, planted.open, planted.published, planted.waiting)
    asked = [("board",), ("status",), ("verify",), ("user", "list"), ("parked", "list"), ("alerts", "dead")]
    asked += [("asof", str(planted.served.house.log.head()))]
    asked += [("query", f"SELECT * FROM {table['name']}", "--csv") for table in tables]
    asked += [(of, case) for of in ("case", "explain") for case in cases]

    said = {" ".join((*how, *words)): hujiao(*words, *how, *data) for words in asked for how in ((), ("--json",))}

    assert {command: answer.err for command, answer in said.items() if answer.status} == {}
    shown = {command: answer.out for command, answer in said.items()}
    assert {mark: holding(shown, mark) for mark in MARKS} == {mark: [] for mark in MARKS}
    assert planted.confidential in shown["query SELECT * FROM cases --csv"]


@pytest.mark.parametrize("role", ROLES)
def test_no_role_finds_words_contacts_or_notes_by_looking(planted: Planted, role: UserRole) -> None:
    name = planted.served.user(role, department=LEAD)

    answers = told(planted, name)

    assert {mark: holding(answers, mark) for mark in MARKS} == {mark: [] for mark in MARKS}


@pytest.mark.parametrize("role", ROLES)
def test_a_confidential_case_shows_to_those_whose_work_it_is_and_to_nobody_else(
    planted: Planted, role: UserRole
) -> None:
    name = planted.served.user(role, department=LEAD, platform="P1")

    answers = {asked: answer for asked, answer in told(planted, name).items() if not asked.startswith("/api/users")}

    assert seen(answers, planted.confidential) == (role in SEES_CONFIDENTIAL)
    assert bool(holding(answers, HANDLER)) == (role in SEES_CONFIDENTIAL)


@pytest.mark.parametrize("role", ROLES)
def test_an_open_case_shows_to_everybody_whose_unit_it_is_and_who_looks_at_cases(
    planted: Planted, role: UserRole
) -> None:
    platform = planted.served.house.ledger.rules.platform_of(ROADS.lead, ROADS)
    name = planted.served.user(role, department=ROADS.lead, platform=platform)

    assert seen(told(planted, name), planted.open) == (role in PAGES["board"])


@pytest.mark.parametrize("role", ["intake_clerk", "village_clerk", "command_centre", "platform_head", "reviewer"])
def test_in_another_town_no_case_shows_at_all(planted: Planted, role: UserRole) -> None:
    elsewhere = {"town": OTHER_VILLAGE.town, "village": OTHER_VILLAGE.code, "department": LEAD}
    name = planted.served.user(role, **elsewhere)

    answers = told(planted, name)

    assert not any(seen(answers, case) for case in (planted.confidential, planted.open, planted.published))


@pytest.mark.parametrize(
    ("role", "unit"),
    [
        ("department_officer", {"department": ROADS.lead}),
        ("platform_head", {"platform": "P6"}),
        ("village_clerk", {"village": "445303100201"}),
    ],
)
def test_in_the_same_town_a_unit_that_is_not_called_sees_nothing_of_a_confidential_case(
    planted: Planted, role: UserRole, unit: dict[str, str]
) -> None:
    assert not seen(told(planted, planted.served.user(role, **unit)), planted.confidential)


def test_without_a_user_there_are_only_notices_and_ones_own_receipt(planted: Planted) -> None:
    answers = told(planted, "")

    assert not any(seen(answers, case) for case in (planted.confidential, planted.open, planted.waiting))
    assert [holding(answers, text) for text in (*MARKS, HANDLER)] == [[]] * 4
    receipt = json.loads(answers[f"/api/receipts/{planted.receipt} {{}}"])
    assert (receipt["matter"], receipt["case"], receipt["holders"]) == (None, None, [])


# Opening words


def opened(planted: Planted, name: str, case: str) -> tuple[int, bool]:
    """What opening words answers, and whether they came."""
    answer = planted.served.words(name, case)
    return answer.status_code, WORD in answer.text


def openings(planted: Planted) -> list[dict[str, str]]:
    officer = planted.served.user("privacy_officer")
    rows: list[dict[str, str]] = planted.served.get(officer, "/api/openings", limit=1000).json()["rows"]
    return rows


@pytest.mark.parametrize("role", [role for role in ROLES if role != "department_officer"])
def test_words_open_to_a_role_in_the_phases_of_the_table_alone(planted: Planted, role: UserRole) -> None:
    name = planted.served.user(role)
    before = len(openings(planted))

    answers = {
        "confidential, in progress": opened(planted, name, planted.confidential),
        "calling": opened(planted, name, planted.open),
        "resolved": opened(planted, name, planted.published),
        "triage": opened(planted, name, planted.waiting),
    }

    allowed = {"resolved": ("follow_up_clerk",), "triage": ("intake_clerk", "command_centre")}
    expected = {about: (200, True) if role in allowed.get(about, ()) else (403, False) for about in answers}
    assert answers == expected
    assert len(openings(planted)) - before == [status for status, _ in answers.values()].count(200)


def test_a_confidential_matters_words_open_to_its_named_handler_and_not_to_a_colleague(planted: Planted) -> None:
    colleague = planted.served.user("department_officer", department=LEAD)

    assert opened(planted, planted.handler, planted.confidential) == (200, True)
    refused = planted.served.words(colleague, planted.confidential)

    assert refused.status_code == 422
    assert f"named handler of a confidential matter ({HANDLER})" in refused.json()["detail"]
    assert WORD not in refused.text


def test_the_lead_reads_at_once_and_who_assists_once_it_has_acknowledged(planted: Planted) -> None:
    served = planted.served
    case, _ = served.report(text=WORD)
    assisting = ROADS.required[0]
    lead, other = planted.officers[ROADS.lead], planted.officers[assisting]

    at_once, too_early = opened(planted, lead, case), opened(planted, other, case)
    served.act(other, "call.acknowledge.v1", call=served.call(case, assisting), department=assisting)

    assert (at_once, too_early) == ((200, True), (422, False))
    assert opened(planted, other, case) == (200, True)


def test_who_has_filed_reads_no_longer(planted: Planted) -> None:
    assert opened(planted, planted.officers[ROADS.lead], planted.published) == (422, False)


def test_another_role_does_not_carry_an_officer_into_another_town(planted: Planted) -> None:
    elsewhere = {"town": OTHER_VILLAGE.town, "village": OTHER_VILLAGE.code, "department": ROADS.lead}
    name = planted.served.user("department_officer", "privacy_officer", **elsewhere)

    assert seen(told(planted, name), planted.open)
    assert opened(planted, name, planted.open) == (403, False)


def test_a_case_that_one_may_not_see_and_one_that_is_not_get_the_same_answer(planted: Planted) -> None:
    name = planted.served.user("district_command")

    unseen, unknown = (planted.served.words(name, case) for case in (planted.confidential, "0" * 32))

    assert unseen.status_code == unknown.status_code == 403
    assert unseen.json() == unknown.json()


def test_each_opening_is_there_for_the_privacy_officer_with_who_and_what_for(planted: Planted) -> None:
    clerk = planted.served.user("intake_clerk")

    planted.served.words(clerk, planted.waiting)

    newest = openings(planted)[0]
    assert newest["who"] == f"{planted.served.person(clerk)} ({clerk})"
    assert newest["purpose"] == f"case {planted.waiting}"
    assert newest["stream"] == planted.served.house.log.stream(planted.waiting)[0].fact.report  # type: ignore[attr-defined]  # a case knows its report
