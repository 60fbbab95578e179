"""A case walked through six people's screens in a real browser, from the resident's words to the published outcome."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from events.person import MissReturn
from services.people.person import person_id
from services.rules.calendar import SHANGHAI
from services.runtime.batch import Submission
from services.runtime.clock import SystemClock
from tests.system.gated import DISTRICT, ROADS, VILLAGE, Gated, gated
from tests.system.screens import DESKTOP, PHONE, Screen, someone
from tests.unit.files import photo

TABS = (
    *("board", "intake", "inbox", "triage", "review", "follow_up", "notices", "village", "district"),
    *("launch", "users", "people", "openings", "roster", "muster"),
)
LOOKED_AT = (("zh", False, DESKTOP), ("en", True, PHONE))
"""Here it is also looked for what keeps people from using a page."""

COUNT_RINGS = """(() => {
  const start = OscillatorNode.prototype.start;
  globalThis.rung = 0;
  OscillatorNode.prototype.start = function (...at) { globalThis.rung += 1; return start.apply(this, at); };
})()"""

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
"""The driver's own sockets are closed by its own time."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    with gated(tmp_path_factory.mktemp("browser")) as house:
        yield house


def reported(house: Gated, screen: Screen) -> str:
    """A resident reports a road on a phone, and gets a receipt."""
    screen.size(*PHONE)
    screen.open("/resident/")
    screen.type("#report [name=text]", "村口路面塌陷了一个大坑，摩托车都过不去，请派人修路。")
    screen.type("#report [name=village]", VILLAGE.code)
    screen.type("#report [name=phone]", "13800000000")
    screen.tap("#report button")
    receipt = screen.text("#mine output")
    screen.size(*DESKTOP)
    house.settled()
    return receipt


def legs(house: Gated, case: str) -> list[dict[str, str]]:
    found = house.window.questions.case(case)
    assert found is not None
    return sorted(found["legs"], key=lambda leg: leg["role"] != "lead")


def test_a_case_goes_from_a_residents_words_to_the_published_outcome_through_everybodys_screens(
    house: Gated, screen: Screen
) -> None:
    receipt = reported(house, screen)
    found = house.window.questions.receipt(receipt)
    assert found is not None
    case = found["case"]

    if house.phase(case) == "triage":
        screen.log_in(someone(house, "command_centre"))
        screen.tap(f"#desk-rows a[href='#case={case}']")
        screen.tap("#acts [data-key=t]")
        screen.choose("#act-matter", "602")
        screen.tap(".act-form button.primary")
        screen.until(lambda: house.phase(case) != "triage", "the case to be classified")
        house.settled()

    lead, *others = legs(house, case)
    for leg in (*others, lead):  # the lead's result ends the case's handling
        if progress(house, case, leg) != "released":
            by_hand(house, screen, case, leg)
    screen.until(lambda: house.phase(case) == "in_review", "the result to be in review")
    house.settled()

    screen.log_in(someone(house, "reviewer"))
    screen.tap(f"#desk-rows a[href='#case={case}']")
    screen.the("#acts [data-key=p]")
    screen.press("p")
    screen.until(lambda: house.phase(case) == "resolved", "the result to be approved")
    house.settled()

    screen.log_in(someone(house, "follow_up_clerk"))
    screen.tap(f"#desk-rows a[href='#case={case}']")
    screen.tap("#acts [data-key=y]")
    assert "13800000000" in screen.text(".told")
    screen.tap("#acts [data-key=u]")
    screen.choose("#act-answer", "solved")
    screen.tap(".act-form button.primary")
    screen.until(lambda: house.phase(case) == "closed", "the case to be closed")
    house.settled()

    screen.log_in(someone(house, "privacy_officer"))
    screen.tap(f"#desk-rows a[href='#case={case}']")
    screen.tap("#acts [data-key=o]")
    screen.tap(".act-form button.primary")
    house.until(lambda: bool(house.window.questions.published()))

    screen.open("/resident/")
    screen.type("#lookup [name=receipt]", receipt)
    screen.tap("#lookup button")
    screen.until(lambda: "路面已修复" in screen.text("#found"), "the resident to read the reply")
    assert "路面已修复" in screen.text("#notices")
    assert screen.complaints() == []


def test_a_residents_photo_reaches_the_officer_who_answers_with_a_proof(
    house: Gated, screen: Screen, tmp_path: Path
) -> None:
    taken, proof = tmp_path / "照片.jpg", tmp_path / "done.jpg"
    taken.write_bytes(photo(size=(3200, 2400)))
    proof.write_bytes(photo(size=(640, 480)))
    screen.size(*PHONE)
    screen.open("/resident/")
    screen.type("#report [name=text]", "村口路面塌陷了一个大坑，请派人修路。")
    screen.the("#report [name=files]").send_keys(str(taken))
    screen.type("#report [name=village]", VILLAGE.code)
    screen.tap("#report button")
    screen.until(lambda: "1 / 1" in screen.text("#sending"), "the photo to be received")
    assert not screen.scrolls_sideways()
    receipt = screen.text("#mine output")
    house.settled()

    case = house.window.receipts.report_with(receipt)["case"]
    if house.phase(case) == "triage":
        house.act(house.user("command_centre"), "case.classify.v1", case=case, matter="602")
    lead = legs(house, case)[0]["department"]
    officer = someone(house, "department_officer", department=lead)
    house.act(officer, "call.acknowledge.v1", call=house.call(case, lead), department=lead)
    screen.log_in(officer)
    screen.open(f"/console/#case={case}")
    screen.tap(".files .file-button")
    screen.until(lambda: screen.wide(".file img") == 1600, "the photo, made smaller before it was sent")
    screen.tap("#acts [data-key=v]")
    screen.the("#act-files").send_keys(str(proof))
    screen.tap(".act-form button.primary")
    screen.until(lambda: len(screen.all(".card .file-button")) == 1, "the proof to be listed")
    screen.tap(".card .file-button")
    screen.until(lambda: screen.wide(".card .file img") == 640, "the proof to be seen")

    assert screen.wide(".file img") == 1600, "what was opened stays open when the case is drawn anew"
    assert not screen.scrolls_sideways()
    screen.size(*DESKTOP)


def by_hand(house: Gated, screen: Screen, case: str, leg: dict[str, str]) -> None:
    """What a department's officer does: acknowledges and reports in with few keys, and files the result."""
    screen.log_in(someone(house, "department_officer", department=leg["department"]))
    screen.the("#desk-rows a:focus")
    screen.presses = 0
    screen.press("a")
    house.until(lambda: progress(house, case, leg) == "acknowledged")
    assert screen.presses <= 3

    screen.tap(f"#desk-rows a[href='#case={case}']")
    if leg["arrive_due"]:
        screen.the("#acts [data-key=r]")
        screen.presses = 0
        screen.press("r")
        screen.the("#act-people")
        screen.press(Keys.ENTER)
        house.until(lambda: progress(house, case, leg) == "reported_in")
        assert screen.presses <= 3
    screen.tap("#acts [data-key=f]")
    screen.type("#act-account", "已修好，现场照片存档。")
    if leg["role"] == "lead":
        screen.type("#act-reply", "路面已修复，请放心通行。")
    screen.tap(".act-form button.primary")
    house.until(lambda: progress(house, case, leg) in ("filed", "released"))
    house.settled()


def progress(house: Gated, case: str, leg: dict[str, str]) -> str:
    return next(now["progress"] for now in legs(house, case) if now["department"] == leg["department"])


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_desk_fits_its_screen_in_both_languages_by_day_and_by_night(
    house: Gated, screen: Screen, size: tuple[int, int], dark: bool, language: str
) -> None:
    house.report()
    everything = ["intake_clerk", "command_centre", "department_officer", "reviewer", "follow_up_clerk"]
    everything += ["privacy_officer", "administrator", "village_clerk", "district_command", "personnel"]
    department = next(matter.lead for matter in DISTRICT.matters if matter.code == "602")
    name = someone(house, *everything, department=department)
    screen.size(*size, dark=dark)

    screen.log_in(name)
    screen.speak(language)
    assert len(screen.all(".tab")) == len(TABS)
    for tab in range(len(TABS)):
        screen.all(".tab")[tab].click()
        screen.until(lambda: not screen.scrolls_sideways(), "a desk that fits")
        assert (language, dark, size) not in LOOKED_AT or screen.barriers() == []
    screen.all(".tab")[TABS.index("inbox")].click()
    screen.the("#desk-rows .quick")
    assert screen.squeezed() == []
    screen.tap("#desk-rows a")
    screen.the("#acts button")

    assert not screen.scrolls_sideways()
    assert (language, dark, size) not in LOOKED_AT or screen.barriers() == []
    if language == "en":
        assert not re.search(r"[\u4e00-\u9fff]", screen.text("#acts"))
        screen.tap("#pane-close")
        screen.speak("zh")
    assert screen.complaints() == []


def test_who_is_thrown_out_is_asked_to_log_in_again_and_sees_nothing_more(house: Gated, screen: Screen) -> None:
    screen.size(*DESKTOP)
    house.report()
    department = next(matter.lead for matter in DISTRICT.matters if matter.code == "602")
    name = someone(house, "department_officer", department=department)
    screen.log_in(name)
    screen.the("#desk-rows li")

    house.house.accounts.forget(name)

    screen.the("#login[open]")
    screen.until(lambda: not screen.all("#desk-rows li"), "nothing to be left on the screen")


def test_a_case_can_be_seen_as_it_was_at_each_of_its_facts(house: Gated, screen: Screen) -> None:
    case, _ = house.report()
    department = next(matter.lead for matter in DISTRICT.matters if matter.code == "602")
    officer = someone(house, "department_officer", department=department)
    house.act(officer, "call.acknowledge.v1", call=house.call(case, department), department=department)
    screen.size(*DESKTOP)
    screen.log_in(officer)
    screen.open(f"/console/#case={case}")
    screen.until(lambda: screen.text("#when-text") == "现在", "the case as it is now")
    assert screen.all("#acts button")
    whole = len(screen.all(".timeline time"))

    screen.the("#when-at").click()  # in its middle
    screen.until(lambda: screen.text("#when-text") != "现在", "the case as it was")

    screen.until(lambda: 0 < len(screen.all(".timeline time")) < whole, "only what had happened then")
    assert not screen.all("#acts button[data-key=f]")
    screen.type("#when-at", Keys.END)
    screen.until(lambda: screen.text("#when-text") == "现在", "the present again")
    assert len(screen.all(".timeline time")) == whole


def test_a_clerk_takes_down_a_call_with_the_keyboard_and_reads_the_receipt_back(house: Gated, screen: Screen) -> None:
    screen.size(*DESKTOP)
    screen.log_in(someone(house, "intake_clerk"))
    before = house.house.log.head()

    for text in ("村口路灯不亮三天了，路面还有个大坑。", "还是那个坑，又有人摔了。"):
        screen.the(".intake-form [name=phone]:focus")
        screen.type(".intake-form [name=phone]", "138 0000 7777")
        screen.type(".intake-form [name=village]", "dqc")
        screen.the("#intake-villages li")
        screen.type(".intake-form [name=village]", Keys.ENTER)
        screen.type(".intake-form [name=text]", text)
        screen.type(".intake-form [name=text]", Keys.CONTROL + Keys.ENTER)
        screen.until(
            lambda: not screen.the(".intake-form [name=text]").get_attribute("value"), "a desk for the next call"
        )
        house.settled()

    receipt = screen.text(".read-back").replace("\n", "").replace(" ", "")
    found = house.window.questions.receipt(receipt)
    assert found is not None
    assert found["village"] == next(village.code for village in DISTRICT.villages if village.zh.startswith("大庆"))
    assert house.house.log.head() > before
    screen.type(".intake-form [name=phone]", "13800007777")
    screen.until(lambda: len(screen.all(".told-before li")) == 2, "what the caller told before")
    assert screen.complaints() == []


def test_a_case_is_triaged_with_three_keys_from_the_desk(house: Gated, screen: Screen) -> None:
    case, _ = house.report(title="嗯", text="不知道说什么好", matter=None)
    assert house.phase(case) == "triage"
    screen.size(*DESKTOP)
    screen.log_in(someone(house, "command_centre"))
    while screen.the("#desk-rows a:focus").get_attribute("href").split("=")[-1] != case:
        screen.press(Keys.ARROW_DOWN)

    screen.presses = 0
    screen.press(Keys.ENTER)
    screen.the("#acts [data-key=t]")
    screen.press("t")
    screen.the("#act-matter:focus")
    screen.press(Keys.ENTER)

    screen.until(lambda: house.phase(case) != "triage", "the case to be classified")
    assert screen.presses == 3


def test_a_clerk_takes_down_a_complaint_and_its_department_is_kept_out_before_anybody_is_called(
    house: Gated, screen: Screen
) -> None:
    clerk = someone(house, "intake_clerk", person="话务员王")
    screen.size(*DESKTOP)
    screen.log_in(clerk)
    screen.speak("zh")
    screen.type(".intake-form [name=village]", "dqc")
    screen.the("#intake-villages li")
    screen.type(".intake-form [name=village]", Keys.ENTER)
    screen.type(".intake-form [name=text]", "村口路面塌陷了一个大坑，公路站来人看了就走，不修还收钱。")
    screen.choose(".intake-form [name=complained_of]", ROADS.lead)
    screen.tap(".intake-form button.primary")
    receipt = screen.text(".read-back").replace("\n", "").replace(" ", "")
    house.settled()
    case = house.window.receipts.report_with(receipt)["case"]
    assert house.phase(case) == "triage"

    screen.tap(".tab:last-child")
    screen.tap(f"#desk-rows a[href='#case={case}']")
    assert "上报中提到" in screen.text(".recused")
    screen.tap("#acts [data-key='0']")
    screen.choose("#act-department", ROADS.lead)
    screen.tap(".act-form button.primary")
    screen.until(
        lambda: "被举报" in screen.text(".recused .chip") and "提到" not in screen.text(".recused"), "a recusal"
    )
    screen.tap("#acts [data-key=t]")
    screen.choose("#act-matter", ROADS.code)
    screen.tap(".act-form button.primary")
    screen.until(lambda: house.phase(case) == "calling", "the case to be called for")
    house.settled()
    assert ROADS.lead not in {leg["department"] for leg in legs(house, case)}
    for size in (DESKTOP, PHONE):
        screen.size(*size)
        screen.until(lambda: not screen.scrolls_sideways(), "nothing to scroll sideways")
    screen.size(*DESKTOP)

    screen.log_in(someone(house, "department_officer", department=ROADS.lead))
    screen.open(f"/console/#case={case}")
    screen.until(lambda: "没有这个事件" in screen.text("#pane-body"), "nothing to be there")
    screen.log_in(someone(house, "department_officer", department="D04"))
    screen.the(f"#desk-rows a[href='#case={case}']")
    assert all(" 404 " in complaint for complaint in screen.complaints())


def test_a_due_time_says_at_a_tap_by_which_rule_it_is_what_it_is(house: Gated, screen: Screen) -> None:
    case, _ = house.report()
    screen.size(*PHONE)
    screen.log_in(someone(house, "command_centre"))
    screen.open(f"/console/#case={case}")

    screen.tap(".card .why-this")

    screen.until(lambda: bool(screen.all(".card .because")), "the reason")
    assert "依据" in screen.text(".card .because")
    assert not screen.scrolls_sideways()


def test_a_desk_that_was_asleep_shows_what_has_come_meanwhile(house: Gated, screen: Screen) -> None:
    screen.size(*DESKTOP)
    department = next(matter.lead for matter in DISTRICT.matters if matter.code == "602")
    screen.log_in(someone(house, "department_officer", department=department))
    screen.the("#desk-rows li")
    screen.sleep(asleep=True)
    case, _ = house.report()

    screen.sleep(asleep=False)

    screen.the(f"#desk-rows a[href='#case={case}']")


def test_the_morning_page_and_the_call_fit_their_paper(house: Gated, screen: Screen) -> None:
    case, _ = house.report()
    screen.size(*DESKTOP)
    screen.log_in(someone(house, "command_centre"))

    screen.open(f"/console/slip.html?case={case}")
    assert screen.text("h1") == "呼叫单"
    assert screen.barriers() == []
    screen.open(f"/console/morning.html?town={VILLAGE.town}")
    assert screen.text("h1") == "值班日报"
    assert screen.barriers() == []
    screen.size(*PHONE)
    assert not screen.scrolls_sideways()
    assert screen.complaints() == []


def test_the_residents_page_keeps_nobody_out(house: Gated, screen: Screen) -> None:
    screen.size(*PHONE)
    screen.open("/resident/")
    screen.the("#report button")

    assert screen.barriers() == []


@pytest.mark.parametrize(("language", "size"), [("zh", DESKTOP), ("en", PHONE)])
def test_the_people_desk_rings_and_says_so_when_somebody_is_overdue(
    house: Gated, screen: Screen, language: str, size: tuple[int, int]
) -> None:
    personnel, asking, committee = (
        someone(house, role, town=town, village="")
        for role, town in (("personnel", ""), ("personnel", ""), ("town_committee", VILLAGE.town))
    )
    number = f"LD-{language.upper()}-1"
    employee = {
        "name": "李敏",
        "employer": "区自然资源局",
        "town": VILLAGE.town,
        "department": "D15",
        "since": "2020-01-06",
    }
    house.act(personnel, "person.register.v1", number=number, party_relation="town_committee", **employee)
    branch = {"town": VILLAGE.town, "platform": "P4", "since": "2020-01-06"}
    house.act(committee, "roster.form-party-org.v1", **branch, name="综合执法平台党支部")
    assert house.act(committee, "roster.name-party-secretary.v1", **branch, number=number).status_code == 200
    today = SystemClock().now().astimezone(SHANGHAI).date()
    days = {"start": f"{today}", "back": f"{today + timedelta(days=30)}"}
    house.act(asking, "person.request-secondment.v1", number=number, to="区城管局", **days)
    house.act(committee, "person.consent-to-secondment.v1", number=number)
    assert house.act(personnel, "person.approve-secondment.v1", number=number).status_code == 200
    screen.size(*size)
    screen.log_in(personnel)
    screen.speak(language)
    screen.tap("#screen .ring")
    screen.value(COUNT_RINGS)
    before = screen.all("#screen [role=alert]")

    missed = MissReturn(person=person_id(number))
    house.window.house.ledger.decide(Submission(f"test/{number}", missed, "clock", remembered=False))
    house.settled()
    screen.sleep(asleep=False)

    screen.until(lambda: screen.value("globalThis.rung") == 1, "a ring")
    assert before == []
    said = {"zh": "1 人借调逾期未归", "en": "1 lent and not back"}
    assert screen.text("#screen [role=alert]") == said[language]
    secretary = {"zh": "书记 李敏", "en": "secretary 李敏"}
    assert f"综合执法平台党支部 · {secretary[language]}" in screen.text("#screen .party li")
    assert not screen.scrolls_sideways()
    assert screen.barriers() == []
    house.act(committee, "person.end-secondment.v1", number=number)
    assert screen.complaints() == []
