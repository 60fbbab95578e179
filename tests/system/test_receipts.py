"""Receipts over HTTP: what their holder may see and do, and that nobody finds one by trying."""

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from httpx import Response

from services.intake.receipt import ALPHABET, _check
from tests.system.gated import VIOLENCE, Gated, gated

GUESSES = (
    f"{town}{''.join(body)}{_check(town + ''.join(body))}"
    for body in product(ALPHABET[5:], repeat=10)
    for town in ("LD", "ZZ")
)
RATED = {"solved": True, "satisfied": True}
UNKNOWN = "receipt: expected one that we gave, found none such"

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")


class Town:
    """A served house with the people who bring a road's case to its result."""

    def __init__(self, served: Gated) -> None:
        self.served, self.client = served, served.client
        self.officers = {code: served.user("department_officer", department=code) for code in ("D32", "D09")}
        self.reviewer, self.clerk = served.user("reviewer"), served.user("follow_up_clerk")

    def resolved(self, **fields: Any) -> tuple[str, str]:
        """A case that waits for its reporter's answer, with the receipt."""
        case, receipt = self.served.report(**fields)
        self.resolve(case)
        return case, receipt

    def resolve(self, case: str) -> None:
        found = self.served.window.questions.case(case)
        assert found is not None
        newest = {leg["department"] for leg in found["legs"] if leg["progress"] == "called" and leg["required"]}
        officers = {code: name for code, name in self.officers.items() if code in newest}
        self.served.to_review(case, officers)
        assert self.served.act(self.reviewer, "case.approve-result.v1", case=case).status_code == 200

    def look(self, receipt: str) -> Any:
        self.served.settled()
        return self.client.get(f"/api/receipts/{receipt}").json()

    def rate(self, receipt: str, **answers: bool) -> Response:
        return self.post(receipt, "rating", {**RATED, **answers})

    def reopen(self, receipt: str, reason: str = "又塌了。") -> Response:
        return self.post(receipt, "reopening", {"reason": reason})

    def post(self, receipt: str, what: str, body: Any) -> Response:
        answer = self.client.post(f"/api/receipts/{receipt}/{what}", json=body)
        self.served.settled()
        return answer


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with gated(tmp_path_factory.mktemp("receipts")) as served:
        yield Town(served)


def facts(town: Town) -> int:
    return town.served.house.log.head()


def test_the_holder_of_a_receipt_sees_what_can_be_done_and_does_it(town: Town) -> None:
    case, receipt = town.served.report()
    assert (town.look(receipt)["may"], town.look(receipt)["rated"]) == ([], None)
    town.resolve(case)
    assert town.look(receipt)["may"] == ["rate"]

    rated = town.rate(receipt, satisfied=False)

    assert rated.status_code == 200, rated.text
    assert (rated.json()["repeated"], rated.json()["may"]) == (False, ["reopen"])
    assert (rated.json()["rated"]["solved"], rated.json()["rated"]["satisfied"]) == (True, False)
    found = town.look(receipt)
    assert (found["stage"], found["may"], found["rated"]) == ("closed", ["reopen"], rated.json()["rated"])

    reopened = town.reopen(receipt)

    assert (reopened.status_code, reopened.json()["may"]) == (200, [])
    found = town.look(receipt)
    assert found["stage"] == "calling"
    assert {"D32", "command_centre"} <= set(found["holders"])
    assert found["result_due"] is not None
    town.resolve(case)
    assert (town.look(receipt)["may"], town.look(receipt)["rated"]) == (["rate"], None)


def test_the_same_answer_again_is_harmless_and_another_one_a_conflict(town: Town) -> None:
    _, receipt = town.resolved()
    town.rate(receipt)
    head = facts(town)

    again, other = town.rate(receipt), town.rate(receipt, solved=False)

    assert (again.status_code, again.json()["repeated"]) == (200, True)
    assert other.status_code == 409
    assert facts(town) == head


def test_the_same_wish_again_is_harmless_and_another_one_a_conflict(town: Town) -> None:
    _, receipt = town.resolved()
    town.rate(receipt)
    assert town.reopen(receipt).status_code == 200
    head = facts(town)

    again, other = town.reopen(receipt), town.reopen(receipt, "另有理由")

    assert (again.status_code, again.json()["repeated"]) == (200, True)
    assert other.status_code == 409
    assert facts(town) == head


def test_what_is_not_solved_is_done_again(town: Town) -> None:
    case, receipt = town.resolved()

    answer = town.rate(receipt, solved=False, satisfied=False)

    assert answer.status_code == 200
    assert town.served.phase(case) == "calling"
    assert town.look(receipt)["rated"]["solved"] is False


def test_who_answered_the_clerk_does_not_answer_again_by_receipt(town: Town) -> None:
    case, receipt = town.resolved()
    found = town.served.window.questions.case(case)
    assert found is not None
    asked = {"case": case, "report": found["reports"][0]["report"], "contacted": True, "solved": True}
    town.served.act(town.clerk, "case.follow-up.v1", **asked, satisfied=True)

    answer = town.rate(receipt)

    assert (answer.status_code, town.look(receipt)["may"]) == (422, ["reopen"])
    assert town.look(receipt)["rated"]["satisfied"] is True


def test_before_its_time_an_answer_is_refused_with_the_reason(town: Town) -> None:
    _, receipt = town.served.report()

    answers = [town.rate(receipt), town.reopen(receipt)]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].json()["detail"] == "expected a case with a result, found one that has none yet"
    assert answers[1].json()["detail"] == "expected a closed case, found one that was never closed"


def test_the_third_reopening_is_refused_with_the_advice_to_call_the_hotline(town: Town) -> None:
    case, receipt = town.resolved()
    for _ in range(2):
        town.rate(receipt)
        assert town.reopen(receipt).status_code == 200
        town.resolve(case)
    town.rate(receipt)

    refused = town.reopen(receipt)

    assert (refused.status_code, town.look(receipt)["may"]) == (422, [])
    assert refused.json()["detail"].endswith("call the hotline 12345")


def test_a_reporter_who_was_erased_cannot_come_back(town: Town) -> None:
    case, receipt = town.resolved()
    town.rate(receipt)
    found = town.served.window.questions.case(case)
    assert found is not None
    town.served.house.erase(found["reports"][0]["report"], "test", "request")

    refused = town.reopen(receipt)

    assert (refused.status_code, town.look(receipt)["may"]) == (422, [])
    assert "erased" in refused.json()["detail"]


def test_a_confidential_matter_shows_what_can_be_done_and_nothing_more(town: Town) -> None:
    _, receipt = town.served.report(matter=VIOLENCE.code)

    found = town.look(receipt)

    assert (found["case"], found["matter"], found["holders"], found["reply"]) == (None, None, [], None)
    assert (found["may"], found["rated"]) == ([], None)


def test_the_reason_stands_nowhere_in_clear(town: Town) -> None:
    case, receipt = town.resolved()
    town.rate(receipt)
    town.reopen(receipt, "理由暗号戊")

    seen = [town.served.get(town.reviewer, f"/api/cases/{case}"), town.client.get(f"/api/receipts/{receipt}")]

    assert all(answer.status_code == 200 and "暗号戊" not in answer.text for answer in seen)
    files = [file for file in Path(town.served.house.folder).rglob("*") if file.is_file()]
    assert not [file.name for file in files if "理由暗号戊".encode() in file.read_bytes()]


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("rating", {}),
        ("rating", {"solved": True}),
        ("rating", {"solved": "yes", "satisfied": True}),
        ("rating", {**RATED, "by": "clerk"}),
        ("rating", []),
        ("reopening", {}),
        ("reopening", {"reason": ""}),
        ("reopening", {"reason": " \n"}),
        ("reopening", {"reason": "x" * 2001}),
        ("reopening", {"reason": 7}),
    ],
)
def test_a_junk_body_is_400_whether_or_not_we_gave_the_receipt(town: Town, what: str, body: Any) -> None:
    _, receipt = town.served.report()

    known, unknown = town.post(receipt, what, body), town.post(next(GUESSES), what, body)

    assert (known.status_code, unknown.status_code) == (400, 400)
    assert known.json() == unknown.json()


def test_only_json_is_taken_which_no_form_of_another_site_can_send(town: Town) -> None:
    _, receipt = town.resolved()

    answer = town.client.post(f"/api/receipts/{receipt}/rating", data={"solved": "true", "satisfied": "true"})

    assert answer.status_code == 415
    assert town.look(receipt)["rated"] is None


WAYS: tuple[Callable[[Any, str], Response], ...] = (
    lambda client, receipt: client.get(f"/api/receipts/{receipt}"),
    lambda client, receipt: client.post(f"/api/receipts/{receipt}/rating", json=RATED),
    lambda client, receipt: client.post(f"/api/receipts/{receipt}/reopening", json={"reason": "x"}),
)


@pytest.mark.parametrize("way", WAYS, ids=["look up", "rate", "reopen"])
def test_a_guess_learns_nothing_but_that_there_is_no_such_receipt(town: Town, way: Any) -> None:
    fitting = [next(GUESSES) for _ in range(20)]
    slips = [guess[:-1] + next(one for one in ALPHABET if one != guess[-1]) for guess in fitting]

    answers = [way(town.client, guess) for guess in fitting]
    slipped = [way(town.client, slip) for slip in slips]

    assert {(answer.status_code, answer.json()["detail"]) for answer in answers} == {(404, UNKNOWN)}
    assert {answer.status_code for answer in slipped} == {400}


def test_an_address_that_tries_many_receipts_is_listened_to_no_more_whatever_it_calls_itself(tmp_path: Path) -> None:
    with gated(tmp_path, lookups=12) as served:
        answers = [
            WAYS[n % 3](served.client, next(GUESSES)).status_code if n else served.client.get("/health").status_code
            for n in range(20)
        ]
        posing = served.client.get(
            f"/api/receipts/{next(GUESSES)}", headers={"x-forwarded-for": "203.0.113.7", "x-real-ip": "203.0.113.7"}
        )

        assert answers == [200, *[404] * 12, *[429] * 7]
        assert posing.status_code == 429
