"""The gate: who is asking, by a session or a token; what is public, and what each role may look at."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.cookies import Morsel, SimpleCookie
from typing import Any, NamedTuple, get_args

import pytest
from httpx import Response
from litestar.routes import HTTPRoute
from litestar.testing import TestClient

from events.user import UserRole
from services.people.accounts import GUESSES, SESSION
from services.people.authority import PAGES
from services.web.app import create_app
from services.web.gate import COOKIE, CSRF_HEADER, PUBLIC
from services.web.window import Window
from tests.system.gated import ROADS, VILLAGE, Gated, gated
from tests.system.users import add_user

PASSWORD = "a long enough password"  # noqa: S105 - of users that live as long as these tests
ROLES: tuple[UserRole, ...] = get_args(UserRole)

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")


class Route(NamedTuple):
    """One way to ask for something."""

    method: str
    path: str
    opt: dict[str, Any]

    @property
    def page(self) -> str | None:
        found: str | None = self.opt.get("page")
        return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    with gated(tmp_path_factory.mktemp("gate")) as served:
        yield served


@pytest.fixture(scope="module")
def case(served: Gated) -> str:
    return served.report()[0]


@pytest.fixture(scope="module")
def clerk(served: Gated) -> str:
    add_user(served.house, "wang", ("command_centre",), "王小明")
    served.house.accounts.set_password("wang", PASSWORD)
    return "wang"


def routes(served: Gated) -> list[Route]:
    return [
        Route(method, route.path, dict(handler.opt))
        for route in served.app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
        if method != "OPTIONS"
    ]


def path_of(route: Route, case: str) -> str:
    filled = {
        "{case:str}": case,
        "{town:str}": VILLAGE.town,
        "{name:str}": "nobody",
        "{receipt:str}": "0" * 13,
        "{file_path:path}": "index.html",
        "{path:str}": "x",
    }
    path = route.path
    for gap, value in filled.items():
        path = path.replace(gap, value)
    return path


def log_in(served: Gated, name: str, password: str = PASSWORD) -> Response:
    served.client.cookies.clear()
    answer = served.client.post("/api/session", json={"name": name, "password": password})
    served.client.cookies.clear()
    return answer


def morsel(answer: Response) -> Morsel[str]:
    return SimpleCookie(answer.headers["set-cookie"])[COOKIE]


class Browser:
    """Somebody who has logged in: the cookie, and what goes with it into a header."""

    def __init__(self, served: Gated, name: str) -> None:
        answer = log_in(served, name)
        assert answer.status_code == 201, answer.text
        self._client, self.csrf = served.client, answer.json()["user"]["csrf"]
        self.cookie = {"cookie": f"{COOKIE}={morsel(answer).value}"}

    def ask(self, method: str, path: str, csrf: str | bytes | None = "", **more: Any) -> Response:
        """With the right header, another one, or with ``None`` without any."""
        sent = {} if csrf is None else {CSRF_HEADER: csrf or self.csrf}
        headers = self.cookie | sent | more.pop("headers", {})
        return self._client.request(method, path, headers=headers, **more)


# Logging in and out


def test_who_logs_in_is_known_by_the_cookie_until_they_log_out(served: Gated, clerk: str) -> None:
    browser = Browser(served, clerk)

    here = browser.ask("GET", "/api/session").json()
    left = browser.ask("DELETE", "/api/session")

    assert here["user"]["person"] == "王小明"
    assert here["user"]["roles"] == ["command_centre"]
    assert here["user"]["pages"] == ["board", "triage", "roster", "muster", "figures", "clock"]
    assert here["user"]["csrf"] == browser.csrf
    assert left.status_code == 200
    assert (morsel(left).value, morsel(left)["max-age"]) == ("", "0")
    assert browser.ask("GET", "/api/board").status_code == 401
    assert browser.ask("GET", "/api/session").json() == {"demo": False, "user": None}


def test_the_cookie_is_kept_from_scripts_and_from_other_sites(served: Gated, clerk: str) -> None:
    cookie = morsel(log_in(served, clerk))

    assert cookie["httponly"] is True
    assert cookie["samesite"].lower() == "strict"
    assert cookie["path"] == "/"
    assert cookie["max-age"] == str(int(SESSION.total_seconds()))
    assert cookie["domain"] == ""


@pytest.mark.parametrize(("scheme", "secure"), [("http", ""), ("https", True)])
def test_over_https_the_cookie_never_travels_in_clear(served: Gated, clerk: str, scheme: str, secure: Any) -> None:
    url = f"{scheme}://testserver.local/api/session"

    answer = served.client.post(url, json={"name": clerk, "password": PASSWORD})

    served.client.cookies.clear()
    assert morsel(answer)["secure"] == secure


def test_every_log_in_has_a_session_of_its_own(served: Gated, clerk: str) -> None:
    one, other = Browser(served, clerk), Browser(served, clerk)

    one.ask("DELETE", "/api/session")

    assert one.cookie != other.cookie
    assert one.csrf != other.csrf
    assert other.ask("GET", "/api/board").status_code == 200


def test_a_user_who_is_disabled_is_out_at_once(served: Gated) -> None:
    admin, gone = served.user("administrator"), served.user("reviewer")
    served.house.accounts.set_password(gone, PASSWORD)
    browser = Browser(served, gone)

    done = served.act(admin, "user.disable.v1", name=gone)

    assert done.status_code == 200, done.text
    assert browser.ask("GET", "/api/board").status_code == 401
    assert served.get(gone, "/api/board").status_code == 401
    assert log_in(served, gone).status_code == 401


def test_an_unknown_user_and_a_wrong_password_get_the_same_answer(served: Gated, clerk: str) -> None:
    unknown = log_in(served, "nobody", "not the password")
    wrong = log_in(served, clerk, "not the password")

    assert unknown.status_code == wrong.status_code == 401
    assert unknown.json() == wrong.json()
    assert "set-cookie" not in wrong.headers


def test_after_too_many_wrong_passwords_the_right_one_does_not_help_either(served: Gated) -> None:
    name = served.user("reviewer")
    served.house.accounts.set_password(name, PASSWORD)

    wrong = [log_in(served, name, f"wrong number {n}").status_code for n in range(GUESSES)]
    locked = log_in(served, name)

    assert wrong == [401] * GUESSES
    assert locked.status_code == 429
    assert "too many" in locked.json()["detail"]


def test_guessing_at_the_same_time_gets_nobody_more_guesses(served: Gated) -> None:
    name = served.user("reviewer")

    with ThreadPoolExecutor(8) as guessers:
        found = list(guessers.map(lambda n: log_in(served, name, f"wrong number {n}").status_code, range(16)))

    assert sorted(found) == [401] * GUESSES + [429] * (16 - GUESSES)


JUNK = [b"", b"{", b"null", b"[]", b'{"name": "wang"}', b'{"name": 1, "password": "x"}', b"[" * 20_000, b"\xff\xfe"]


@pytest.mark.parametrize("body", [*JUNK, b'{"name": "\\ud800", "password": "x"}', b'{"name":"a","password":"b","c":1}'])
def test_a_log_in_that_is_none_is_refused_and_the_refusal_says_why(served: Gated, body: bytes) -> None:
    answer = served.client.post("/api/session", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 400
    assert "expected LogIn as JSON" in answer.json()["detail"]


@pytest.mark.parametrize("name", ["a" * 100_000, "wang\x00", "wang ", "ＷＡＮＧ", "' OR 1=1 --"])
def test_a_name_that_nobody_can_have_never_gets_in_and_breaks_nothing(served: Gated, name: str) -> None:
    assert log_in(served, name).status_code in (400, 401)


# What another site could send


@pytest.mark.parametrize("csrf", [None, "wrong", "é".encode()])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/api/acts"), ("DELETE", "/api/session"), ("POST", "/api/cases/x/words")]
)
def test_a_change_with_the_cookie_alone_is_refused(
    served: Gated, clerk: str, method: str, path: str, csrf: str | bytes | None
) -> None:
    browser = Browser(served, clerk)

    answer = browser.ask(method, path, csrf=csrf, headers={"content-type": "application/json"})

    assert answer.status_code == 403
    assert CSRF_HEADER in answer.json()["detail"]
    assert browser.ask("GET", "/api/board").status_code == 200, "the session goes on"


def test_what_belongs_to_another_session_is_no_help(served: Gated, clerk: str) -> None:
    one, other = Browser(served, clerk), Browser(served, clerk)

    assert one.ask("DELETE", "/api/session", csrf=other.csrf).status_code == 403


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"])
@pytest.mark.parametrize("path", ["/api/acts", "/api/session"])
def test_what_a_form_can_send_is_not_read(served: Gated, clerk: str, path: str, kind: str) -> None:
    browser = Browser(served, clerk)

    answer = browser.ask("POST", path, content=b"{}", headers={"content-type": kind})

    assert answer.status_code == 415
    assert "expected application/json" in answer.json()["detail"]


def test_a_token_needs_no_other_header_and_a_wrong_one_is_nobody(served: Gated) -> None:
    name = served.user("administrator")

    assert served.act(name, "user.disable.v1", name=served.user("analyst")).status_code == 200
    for given in ("Bearer", "Bearer ", "Bearer wrong", "Basic d3g6d3g=", f"Bearer {COOKIE}"):
        assert served.client.get("/metrics", headers={"authorization": given}).status_code == 401


def test_a_wrong_token_does_not_fall_back_on_the_cookie(served: Gated, clerk: str) -> None:
    browser = Browser(served, clerk)

    answer = browser.ask("GET", "/api/board", headers={"authorization": "Bearer wrong"})

    assert answer.status_code == 401


@pytest.mark.parametrize(
    "path", ["/resident/", "/console/index.html", "/console/console.js", "/api/catalogue", "/health"]
)
def test_browsers_are_told_to_run_nothing_of_another_site(served: Gated, path: str) -> None:
    headers = served.client.get(path).headers

    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


# Every route


def test_every_route_is_public_or_names_its_page(served: Gated) -> None:
    found = routes(served)

    assert [route for route in found if (PUBLIC in route.opt) == (route.page is not None)] == []
    assert {route.page for route in found if route.page} <= set(PAGES)


def test_no_more_is_public_than_a_resident_needs(served: Gated) -> None:
    assert {(route.method, route.path) for route in routes(served) if route.opt.get(PUBLIC)} == {
        ("GET", "/"),
        *(
            (method, f"/{folder}/{{file_path:path}}")
            for folder in ("console", "resident")
            for method in ("GET", "HEAD")
        ),
        ("GET", "/console"),
        ("GET", "/resident"),
        ("GET", "/health"),
        *(("GET", f"/schema{document}") for document in ("", "/openapi.json", "/{path:str}")),
        ("GET", "/api/catalogue"),
        ("GET", "/api/notices"),
        ("GET", "/api/receipts/{receipt:str}"),
        ("POST", "/api/receipts/{receipt:str}/rating"),
        ("POST", "/api/receipts/{receipt:str}/reopening"),
        ("POST", "/api/receipts/{receipt:str}/files"),
        ("POST", "/api/reports"),
        ("GET", "/api/session"),
        ("POST", "/api/session"),
    }


def test_without_a_user_nothing_answers_that_is_not_public(served: Gated, case: str) -> None:
    closed = [route for route in routes(served) if not route.opt.get(PUBLIC)]

    answers = {
        (route.method, route.path): served.client.request(route.method, path_of(route, case)).status_code
        for route in closed
    }

    assert answers == dict.fromkeys(answers, 401)
    assert len(answers) >= 15


@pytest.mark.parametrize("role", ROLES)
def test_a_role_gets_exactly_the_pages_of_the_table(served: Gated, case: str, role: UserRole) -> None:
    lead = ROADS.lead
    name = served.user(role, department=lead, platform=served.house.ledger.rules.platform_of(lead, ROADS))
    pages = [route for route in routes(served) if route.method == "GET" and route.page]

    answers = {(route.path, route.page): served.get(name, path_of(route, case)) for route in pages}

    expected = {(path, page): 200 if role in PAGES[page] else 403 for path, page in answers}  # type: ignore[index]  # each is a page
    assert {asked: answer.status_code for asked, answer in answers.items()} == expected
    refused = [answer.json()["detail"] for answer in answers.values() if answer.status_code == 403]
    assert all(f"found {role}" in detail for detail in refused)


@pytest.mark.parametrize("role", ROLES)
def test_only_who_may_set_the_clock_is_asked_how_fast(served: Gated, role: UserRole) -> None:
    headers = served.as_user(served.user(role))

    answer = served.client.post("/api/clock", json={"speed": 60}, headers=headers)

    assert answer.status_code == (409 if role in PAGES["clock"] else 403)


# Receipts


def test_who_tries_out_receipts_is_stopped_and_nobody_else(served: Gated) -> None:
    _, receipt = served.report(village=VILLAGE.code)
    app = create_app(Window(served.house, served.window.front, lambda: True, demo=False), lookups_a_minute=5)

    with TestClient(app) as client:
        found = [client.get(f"/api/receipts/{receipt}").status_code for _ in range(7)]
        forged = client.get(f"/api/receipts/{receipt}", headers={"x-forwarded-for": "203.0.113.7"}).status_code
        others = client.get("/api/notices").status_code

    assert found == [200] * 5 + [429] * 2
    assert forged == 429
    assert others == 200
