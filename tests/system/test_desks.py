"""What each desk asks the server for: callers, suggestions, reasons of due times, the morning page, passwords."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, get_args

import pytest
from litestar.routes import HTTPRoute

from events.user import UserRole
from services.people.authority import PAGES
from tests.system.gated import OTHER_VILLAGE, ROADS, VILLAGE, VIOLENCE, Gated, gated

_number = count(1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    with gated(tmp_path_factory.mktemp("desks")) as served:
        yield served


@pytest.fixture(scope="module")
def clerk(served: Gated) -> str:
    return served.user("intake_clerk")


def posted(served: Gated, name: str, path: str, body: Any) -> Any:
    return served.client.post(path, json=body, headers=served.as_user(name))


def taken_down(served: Gated, clerk: str, phone: str = "", **fields: Any) -> str:
    """A report that a clerk takes down; gives its receipt."""
    line = {
        "id": f"call-{next(_number)}",
        "time": datetime.now(UTC).isoformat(),
        "title": "",
        "text": "村口路面塌了一块。",
        "village": VILLAGE.code,
        "matter": ROADS.code,
        **({"contact": {"phone": phone}} if phone else {}),
    }
    answer = posted(served, clerk, "/api/desk/reports", line | fields)
    assert answer.status_code == 201, answer.text
    served.settled()
    return str(answer.json()["receipt"])


def told(served: Gated, clerk: str, phone: str) -> list[str]:
    answer = posted(served, clerk, "/api/desk/callers", {"phone": phone})
    assert answer.status_code == 200, answer.text
    return [report["receipt"] for report in answer.json()]


@pytest.mark.parametrize("role", get_args(UserRole))
def test_a_role_posts_to_exactly_the_pages_of_the_table(served: Gated, role: UserRole) -> None:
    name = served.user(role)
    posts = [
        (route.path, handler.opt["page"])
        for route in served.app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if "POST" in handler.http_methods and handler.opt.get("page")
    ]

    refused = {
        (path, page)
        for path, page in posts
        if posted(served, name, path.replace("{case:str}", "0" * 32).replace("{name:str}", "nobody"), {}).status_code
        == 403
        and role not in PAGES[page]
    }

    assert refused == {(path, page) for path, page in posts if role not in PAGES[page]}
    assert {page for _, page in posts} >= {"intake", "users", "clock", "board"}


# Callers


def test_a_caller_is_known_by_the_telephone_however_it_is_written(served: Gated, clerk: str) -> None:
    first = taken_down(served, clerk, "138 0000 1111")
    second = taken_down(served, clerk, "138-0000-1111", matter="603")

    assert told(served, clerk, "13800001111") == [second, first]
    assert told(served, clerk, "13800002222") == []


def test_what_was_reported_anonymously_is_not_told_of_a_caller(served: Gated, clerk: str) -> None:
    taken_down(served, clerk, "13800003333", anonymous=True)

    assert told(served, clerk, "13800003333") == []


def test_the_same_story_of_the_same_caller_joins_its_case(served: Gated, clerk: str) -> None:
    receipts = [taken_down(served, clerk, "13800004444") for _ in range(2)]

    cases = {served.window.questions.receipt(receipt)["case"] for receipt in receipts}  # type: ignore[index]  # known

    assert len(cases) == 1
    assert sorted(told(served, clerk, "13800004444")) == sorted(receipts)


def test_a_clerk_of_another_town_is_not_told(served: Gated, clerk: str) -> None:
    taken_down(served, clerk, "13800005555")
    elsewhere = served.user("intake_clerk", town=OTHER_VILLAGE.town, village=OTHER_VILLAGE.code)

    assert told(served, elsewhere, "13800005555") == []


def test_a_village_clerk_is_told_of_no_confidential_report(served: Gated, clerk: str) -> None:
    taken_down(served, clerk, "13800006666", matter=VIOLENCE.code)

    assert told(served, served.user("village_clerk"), "13800006666") == []
    assert len(told(served, clerk, "13800006666")) == 1


@pytest.mark.parametrize("phone", ["", "12", "one two three", "1" * 21])
def test_what_is_no_telephone_number_is_refused_with_what_was_expected(served: Gated, clerk: str, phone: str) -> None:
    answer = posted(served, clerk, "/api/desk/callers", {"phone": phone})

    assert answer.status_code == 400
    assert "expected 3 to 20 digits" in answer.json()["detail"]


def test_a_contact_that_cannot_be_dialled_is_taken_down_all_the_same(served: Gated, clerk: str) -> None:
    assert taken_down(served, clerk, "无")


# Suggestions and villages


def test_a_suggested_matter_comes_with_the_words_that_decided(served: Gated, clerk: str) -> None:
    answer = posted(served, clerk, "/api/desk/suggestions", {"text": "村口路灯不亮，路面塌陷。"})

    best = answer.json()[0]
    assert best["matter"] == "602"
    assert 0 < best["score"] < 1
    assert "路灯" in best["words"]


def test_words_that_speak_for_nothing_suggest_nothing(served: Gated, clerk: str) -> None:
    assert posted(served, clerk, "/api/desk/suggestions", {"text": "嗯"}).json() == []
    assert posted(served, clerk, "/api/desk/suggestions", {}).json() == []


def test_every_village_can_be_spelled(served: Gated) -> None:
    villages = {village["zh"]: village["pinyin"] for village in served.get("", "/api/catalogue").json()["villages"]}

    assert all(spelled.replace("/", "").replace(" ", "").isalpha() for spelled in villages.values())
    assert villages["大庆村民委员会"] == "da qing cun"
    assert next(spelled for name, spelled in villages.items() if name == "六都社区居民委员会").endswith(" she qu")


# Reasons


def test_every_due_time_of_a_case_has_its_reason(served: Gated) -> None:
    case, _ = served.report()
    name = served.user("command_centre")

    found = served.get(name, f"/api/cases/{case}").json()

    reasons = {(one["call"], one["owner"], one["owes"]): one for one in found["dues"]}
    for leg in found["legs"]:
        for owes in ("acknowledge", "arrive", "contact", "result"):
            if leg[f"{owes}_due"]:
                reason = reasons[leg["call"], leg["department"], owes]
                assert datetime.fromisoformat(reason["by"]) == datetime.fromisoformat(leg[f"{owes}_due"])
                assert datetime.fromisoformat(reason["since"]) == datetime.fromisoformat(leg["called_at"])
                assert reason["rule"]
    assert reasons["", "command_centre", "result"]["by"]
    positions = {row["position"] for row in found["timeline"]}
    assert any(sentence["position"] in positions for sentence in found["explain"])


# The morning page and the printed call


def test_a_towns_morning_tells_who_is_on_duty_and_what_is_due(served: Gated) -> None:
    case, _ = served.report()
    name = served.user("command_centre")

    tomorrow = f"{datetime.now(UTC) + timedelta(days=400):%Y-%m-%d}"
    found = served.get(name, f"/api/towns/{VILLAGE.town}/morning", day=tomorrow).json()

    assert "command-centre" in found["duties"]
    assert case in {row["case"] for row in found["due"]}
    assert found["day"] == tomorrow
    assert datetime.fromisoformat(found["since"]) < datetime.fromisoformat(found["until"]) or found["cases"] == []


@pytest.mark.parametrize(("town", "day", "status"), [("nowhere", "", 404), (VILLAGE.town, "yesterday", 400)])
def test_a_morning_that_is_none_is_refused(served: Gated, town: str, day: str, status: int) -> None:
    asked = {"day": day} if day else {}

    answer = served.get(served.user("command_centre"), f"/api/towns/{town}/morning", **asked)

    assert answer.status_code == status


def test_the_printed_call_has_a_code_that_leads_to_its_case(served: Gated) -> None:
    case, _ = served.report()
    name = served.user("command_centre")

    answer = served.get(name, f"/api/cases/{case}/qr.svg")

    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert ET.fromstring(answer.text).tag.endswith("svg")  # noqa: S314  # our own
    assert served.get(name, "/api/cases/..%2f..%2fsecret/qr.svg").status_code == 404


# Passwords


def test_a_password_that_the_administrator_gives_is_shown_once_and_ends_what_was_open(served: Gated) -> None:
    administrator, name = served.user("administrator"), served.user("reviewer")
    served.house.accounts.set_password(name, "a long enough password")
    old = served.client.post("/api/session", json={"name": name, "password": "a long enough password"})
    served.client.cookies.clear()

    given = posted(served, administrator, f"/api/users/{name}/password", {})

    assert given.status_code == 200
    cookie = {"cookie": old.headers["set-cookie"].split(";")[0]}
    assert served.client.get("/api/board", headers=cookie).status_code == 401
    new = served.client.post("/api/session", json={"name": name, "password": given.json()["password"]})
    served.client.cookies.clear()
    assert new.status_code == 201


def test_nobody_gets_a_password_who_is_no_user(served: Gated) -> None:
    administrator = served.user("administrator")

    assert posted(served, administrator, "/api/users/nobody/password", {}).status_code == 404
    assert posted(served, administrator, "/api/users/..%2fx/password", {}).status_code == 404


# What was written


@pytest.fixture(scope="module")
def officers(served: Gated) -> dict[str, str]:
    return {code: served.user("department_officer", department=code) for code in (ROADS.lead, *ROADS.required)}


def written(served: Gated, name: str, case: str) -> Any:
    return posted(served, name, f"/api/cases/{case}/written", {})


def test_a_reviewer_reads_what_was_done_before_approving_it(served: Gated, officers: dict[str, str]) -> None:
    case, _ = served.report()
    served.to_review(case, officers)
    reviewer = served.user("reviewer")

    found = written(served, reviewer, case).json()

    filed = [one for one in found if one["what"] == "call.result-filed.v1"]
    assert {one["department"] for one in filed} == set(officers)
    assert {one["text"] for one in filed} == {"已修好。"}
    assert [one["reply"] for one in filed if "reply" in one] == ["路面已修复。"]
    opened = served.get(served.user("privacy_officer"), "/api/openings").json()["rows"]
    assert any(reviewer in row["who"] and case in row["purpose"] for row in opened)


def test_a_department_that_must_do_it_again_reads_why(served: Gated, officers: dict[str, str]) -> None:
    case, _ = served.report()
    served.to_review(case, officers)
    sent_back = served.act(served.user("reviewer"), "case.send-back-result.v1", case=case, reason="坑还在。")
    assert sent_back.status_code == 200

    found = written(served, officers[ROADS.lead], case).json()

    assert [one["text"] for one in found if one["what"] == "case.result-sent-back.v1"] == ["坑还在。"]


def test_who_decides_about_a_notice_reads_it_first_and_nothing_else(served: Gated, officers: dict[str, str]) -> None:
    case, _ = served.report()
    served.to_review(case, officers)
    assert served.act(served.user("reviewer"), "case.approve-result.v1", case=case).status_code == 200
    served.settled()
    privacy_officer = served.user("privacy_officer")

    found = written(served, privacy_officer, case)

    assert [(one["what"], one["reply"]) for one in found.json()] == [("outcome.drafted.v1", "路面已修复。")]
    assert served.act(privacy_officer, "outcome.publish.v1", case=case).status_code == 200
    served.settled()
    assert written(served, privacy_officer, case).status_code == 403


@pytest.mark.parametrize("role", ["analyst", "district_command", "village_clerk", "platform_head", "intake_clerk"])
def test_who_may_not_read_the_words_of_a_case_reads_nothing_that_was_written(
    served: Gated, officers: dict[str, str], role: str
) -> None:
    case, _ = served.report()
    served.to_review(case, officers)

    assert written(served, served.user(role), case).status_code == 403
    assert written(served, served.user(role), "0" * 32).status_code == 403


def test_no_desk_is_told_the_receipt_by_which_a_reporter_is_known(served: Gated, officers: dict[str, str]) -> None:
    case, receipt = served.report()

    for name in (officers[ROADS.lead], served.user("command_centre"), served.user("analyst")):
        assert receipt not in served.get(name, f"/api/cases/{case}").text
    assert receipt not in served.words(officers[ROADS.lead], case).text


def test_who_was_erased_is_told_of_no_more(served: Gated, clerk: str) -> None:
    receipt = taken_down(served, clerk, "13800008888")
    assert told(served, clerk, "13800008888") == [receipt]
    found = served.window.questions.receipt(receipt)
    assert found is not None

    served.house.erase(found["report"], "主任", "request")
    served.settled()

    assert told(served, clerk, "13800008888") == []


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "1900-01-01", "2300-01-01"])
def test_a_day_that_no_calendar_knows_has_no_morning(served: Gated, day: str) -> None:
    answer = served.get(served.user("command_centre"), f"/api/towns/{VILLAGE.town}/morning", day=day)

    assert answer.status_code == 400
    assert "expected one within" in answer.json()["detail"]


def test_nobody_is_called_what_stands_for_the_reporter(served: Gated) -> None:
    administrator = served.user("administrator")

    answer = served.act(administrator, "user.add.v1", name="rep", person="reporter", roles=["analyst"], unit={})

    assert answer.status_code == 422
