"""Whatever anybody writes stays words on everybody's screen: script in any field runs nowhere and shows as it is."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from services.rules.calendar import SHANGHAI
from services.runtime.clock import SystemClock
from tests.system.gated import ROADS, VILLAGE, Gated, gated
from tests.system.screens import Screen, someone

STRIKE = "window.struck=(window.struck||0)+1"
SCRIPT = f'"><img src=x onerror="{STRIKE}"><script>{STRIKE}</script>'
LINK = f"javascript:{STRIKE}"

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning"
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    with gated(tmp_path_factory.mktemp("script")) as house:
        yield house


def handled(house: Gated, case: str, *departments: str) -> None:
    """Departments do their parts, with script in every word."""
    for department in departments:
        officer = house.user("department_officer", person=f"{SCRIPT[:60]}{department}", department=department)
        known = {"call": house.call(case, department), "department": department}
        reply = {"reply": SCRIPT} if department == ROADS.lead else {}
        for request, more in (
            ("call.acknowledge.v1", {}),
            ("call.report-in.v1", {"people": 20}),
            *([("call.note.v1", {"note": SCRIPT})] if reply else []),
            ("call.file-result.v1", {"solved": "yes", "account": SCRIPT, **reply}),
        ):
            answer = house.act(officer, request, **known, **more)
            assert answer.status_code == 200, answer.text


def staffed(house: Gated) -> None:
    """A person who is asked for, and a launch list, with script in every word."""
    personnel, command = house.user("personnel"), house.user("district_command")
    person = {"number": "LD-X", "name": SCRIPT[:60], "employer": SCRIPT[:100], "town": VILLAGE.town}
    today = SystemClock().now().astimezone(SHANGHAI).date()
    days = {"start": today.isoformat(), "back": (today + timedelta(days=30)).isoformat()}
    item = {"matter": "203", "bureau": "B03", "evidence_required": SCRIPT, "legal_basis": SCRIPT}
    for user, request, fields in (
        (personnel, "person.register.v1", {**person, "department": ROADS.lead, "since": "2020-01-06"}),
        (personnel, "person.request-secondment.v1", {"number": "LD-X", "to": SCRIPT[:100], **days}),
        (command, "launch.publish.v1", {"items": [item], "citation": SCRIPT, "effective_from": today.isoformat()}),
    ):
        answer = house.act(user, request, **fields)
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def written(house: Gated) -> tuple[str, str, str]:
    """Script in every field that people can write: a case that is open again, its receipt, and a case in triage."""
    said = {
        "title": SCRIPT,
        "text": SCRIPT,
        "place": SCRIPT[:200],
        "contact": {"name": SCRIPT[:60], "phone": LINK[:20]},
    }
    case, receipt = house.report(**said)
    handled(house, case, *ROADS.required, ROADS.lead)
    reviewer = someone(house, "reviewer")
    assert house.act(reviewer, "case.send-back-result.v1", case=case, reason=SCRIPT).status_code == 200
    handled(house, case, ROADS.lead)
    assert house.act(reviewer, "case.approve-result.v1", case=case).status_code == 200
    second = house.user("privacy_officer", person=SCRIPT[:60])
    assert house.act(second, "outcome.publish.v1", case=case, reply=SCRIPT).status_code == 200
    rated = house.client.post(f"/api/receipts/{receipt}/rating", json={"solved": True, "satisfied": False})
    assert rated.status_code == 200, rated.text
    house.settled()
    reopened = house.client.post(f"/api/receipts/{receipt}/reopening", json={"reason": SCRIPT})
    assert reopened.status_code == 200, reopened.text
    house.settled()
    staffed(house)
    waiting, _ = house.report(**said | {"title": SCRIPT, "text": f"嗯{SCRIPT}", "matter": None})
    assert house.phase(waiting) == "triage"
    return case, receipt, waiting


def unstruck(screen: Screen) -> bool:
    return screen.value("window.struck") is None


def test_no_desk_runs_what_somebody_wrote(house: Gated, screen: Screen, written: tuple[str, str, str]) -> None:
    case, _, waiting = written
    everything = ["intake_clerk", "command_centre", "department_officer", "reviewer", "follow_up_clerk"]
    everything += ["privacy_officer", "administrator", "district_command", "personnel"]
    screen.log_in(someone(house, *everything, person=SCRIPT[:60], department=ROADS.lead))

    for tab in range(len(screen.all(".tab"))):
        screen.all(".tab")[tab].click()
        screen.the(".board")
        assert unstruck(screen)
    for tab, button, shown in (("人员", "[data-file]", ".person-file"), ("启动清单", "[id$=edit]", ".launch-fields")):
        next(found for found in screen.all(".tab") if found.text == tab).click()
        screen.tap(f"#screen {button}")
        assert "onerror" in screen.the(".person-file, #screen .case-place").text
        screen.the(shown)
        assert unstruck(screen)
    for shown in (case, waiting):
        screen.open(f"/console/#case={shown}")
        screen.tap("#acts [data-key=y]")
        assert "onerror" in screen.text(".told")
        assert unstruck(screen)
    for page in (f"slip.html?case={case}", f"morning.html?town={VILLAGE.town}"):
        screen.open(f"/console/{page}")
        screen.the("h1")
        assert unstruck(screen)


def test_the_residents_page_runs_nothing_either(house: Gated, screen: Screen, written: tuple[str, str, str]) -> None:
    _, receipt, _ = written
    screen.open("/resident/")
    screen.until(lambda: "onerror" in screen.text("#notices"), "the published words")
    screen.type("#lookup [name=receipt]", receipt)
    screen.tap("#lookup button")
    screen.the("#found dl")
    screen.type("#search", SCRIPT)

    assert unstruck(screen)


@pytest.mark.parametrize(
    "query", [f"#case={SCRIPT}", f"slip.html?case={SCRIPT}", f"morning.html?town={SCRIPT}&day={SCRIPT}"]
)
def test_what_stands_in_an_address_is_not_run(house: Gated, screen: Screen, query: str) -> None:
    screen.log_in(someone(house, "command_centre"))
    screen.open(f"/console/{query}")
    screen.the("main")

    assert unstruck(screen)


def test_the_browser_itself_refuses_what_is_written_into_a_page(house: Gated, screen: Screen) -> None:
    screen.open("/console/")

    screen.value(f"document.body.insertAdjacentHTML('beforeend', `<img src=x onerror='{STRIKE}'>`)")
    screen.until(
        lambda: any("Content Security Policy" in said for said in screen.complaints()), "the browser to refuse"
    )

    assert unstruck(screen)
