"""The launch list edited and published, a muster that climbs, and a secondment: each through the page people use."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from services.command_centre import launch
from services.rules.calendar import SHANGHAI
from services.rules.limits import add_months
from services.runtime.clock import SystemClock
from tests.system.gated import VILLAGE, Gated, gated
from tests.system.screens import DESKTOP, PHONE, Screen, someone

TODAY = SystemClock().now().astimezone(SHANGHAI).date()
OFF_LIST, BUREAU, ON_LIST, IN_VILLAGE, ROAD, MINING = "203", "B03", "207", "411", "601", "401"
BOTH = [("zh", DESKTOP), ("zh", PHONE), ("en", DESKTOP), ("en", PHONE)]

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning"
)
"""The driver's own sockets are closed by its own time."""


def staffed(house: Gated) -> None:
    """People of three departments, one of whom came to the town three months ago."""
    personnel = house.user("personnel", town="", village="")
    for number, department, since in (
        ("LD-D15-1", "D15", date(2020, 1, 6)),
        ("LD-D15-2", "D15", date(2020, 1, 6)),
        ("LD-D16-1", "D16", date(2020, 1, 6)),
        ("LD-D25-1", "D25", add_months(TODAY, -3)),
    ):
        about = {"name": f"{number}号", "employer": "六都镇", "town": VILLAGE.town, "department": department}
        ok(house, personnel, "person.register.v1", number=number, since=since.isoformat(), **about)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    with gated(tmp_path_factory.mktemp("desks")) as house:
        staffed(house)
        yield house


@pytest.fixture(autouse=True)
def at_a_desk(screen: Screen) -> Iterator[None]:
    screen.size(*DESKTOP)
    yield
    screen.size(*DESKTOP)
    screen.speak("zh")


def open_desk(screen: Screen, name: str, word: str) -> None:
    screen.log_in(name)
    screen.until(lambda: word in [tab.text for tab in screen.all(".tab")], f"the desk {word}")
    next(tab for tab in screen.all(".tab") if tab.text == word).click()


def looked_over(screen: Screen) -> None:
    """The desk as it stands fits in both languages and sizes, and keeps nobody out."""
    for language, size in BOTH:
        screen.size(*size)
        screen.speak(language)
        screen.until(lambda: not screen.scrolls_sideways(), f"a desk that fits in {language} on {size}")
        assert screen.barriers() == []
    screen.size(*DESKTOP)
    screen.speak("zh")


def ok(house: Gated, user: str, request: str, **fields: object) -> None:
    answer = house.act(user, request, **fields)
    assert answer.status_code == 200, answer.text


# 启动清单


def test_a_refused_call_comes_onto_the_next_list_with_one_click_and_the_town_may_call(
    house: Gated, screen: Screen
) -> None:
    centre = house.user("command_centre")
    cases = [house.report(matter=OFF_LIST)[0] for _ in range(2)]
    for case in cases:
        assert house.act(centre, "case.call-district.v1", case=case).status_code == 422
    open_desk(screen, someone(house, "district_command", town="", village=""), "启动清单")
    assert "2 次" in screen.text(f"[data-refused='{OFF_LIST}']")
    before = house.house.log.head()

    screen.tap(f"[data-add='{OFF_LIST}']")
    screen.the(f".launch-line.added[data-matter='{OFF_LIST}']")
    screen.tap("#launch-publish")
    screen.until(lambda: len(screen.all(".fault")) == 2, "what is lacking to be said where it is lacking")
    assert [place.get_attribute("id").split("-")[-2] for place in screen.all(".fault")] == ["bureau", "citation"]
    assert house.house.log.head() == before  # nothing was sent
    looked_over(screen)

    screen.choose("[data-field$=bureau] select", BUREAU)
    screen.tap(f".launch-line[data-matter='{ON_LIST}'] [id$=remove]")
    screen.type("#f-citation", "云安办〔2026〕18号")
    screen.tap("#launch-publish")

    screen.until(lambda: "第 1 版" in screen.text("#screen .case-place"), "the new list to be in force")
    lists = house.house.state(launch.STREAM)
    assert lists is not None
    listed = {item.matter: item.bureau for item in lists.published[-1].items}
    assert (listed[OFF_LIST], ON_LIST in listed) == (BUREAU, False)
    assert "云安办〔2026〕18号" in screen.text("#screen .case-place")
    ok(house, centre, "case.call-district.v1", case=cases[0])


def test_what_the_server_refuses_of_a_list_stands_at_its_field_and_the_draft_stays(
    house: Gated, screen: Screen
) -> None:
    command = someone(house, "district_command", town="", village="")
    open_desk(screen, command, "启动清单")
    screen.tap(".launch-line [id$=edit]")
    screen.type("[data-field$=evidence_required] input", "两镇证明")
    screen.tap(".launch-line [id$=edit]")
    screen.the(".launch-line.changed")
    later = {"effective_from": (TODAY + timedelta(days=9)).isoformat(), "citation": "另一位同事的清单"}
    items = [{"matter": "401", "bureau": "B07"}]
    ok(house, command, "launch.publish.v1", items=items, **later)

    screen.type("#f-citation", "迟到的清单")
    screen.tap("#launch-publish")

    screen.until(lambda: later["effective_from"] in screen.text("#f-effective_from-fault"), "the server's reason")
    assert screen.the("#f-effective_from").get_attribute("aria-invalid") == "true"
    assert screen.all(".launch-line.changed")


# 集结板


def test_the_muster_board_climbs_by_itself_and_leads_to_the_case(house: Gated, screen: Screen) -> None:
    centre = someone(house, "command_centre")
    officer = house.user("department_officer", village="", department="D15")
    open_desk(screen, centre, "集结板")
    screen.until(lambda: "没有正在进行" in screen.text("#screen .sum"), "an empty board")
    screen.value("window.stayed = 1")
    case, _ = house.report(title="有人挖矿", text="后山有挖掘机。", matter=MINING, anonymous=True, reporter=None)

    card = f".muster-card[data-case='{case}']"
    screen.until(lambda: screen.text(f"{card} .muster strong") == "0", "the turn-out to appear")
    ok(house, officer, "mobilisation.confirm.v1", case=case, department="D15", numbers=["LD-D15-2"])
    screen.until(lambda: "应召 1 人" in screen.text(card), "who is coming to be counted")
    assert "途中 1" in screen.text(card)
    for n, number in enumerate(("LD-D15-1", "LD-D15-2"), 1):
        ok(house, officer, "mobilisation.muster.v1", case=case, department="D15", numbers=[number])
        screen.until(lambda n=n: screen.text(f"{card} .muster strong") == str(n), f"{n} to be counted")  # type: ignore[misc]  # mypy cannot infer defaults

    assert "还差 18 人" in screen.text(card)
    assert screen.value("window.stayed") == 1, "nothing was loaded anew"
    assert "LD-D15-1号 出动中" in screen.text("#screen .load")
    assert "空闲 1 / 1" in screen.text("#screen .load")  # the department that was not called
    looked_over(screen)
    screen.tap(f"{card} a")
    screen.until(lambda: screen.text("#pane .muster strong") == "2", "the case with the same count")
    screen.tap("#acts [data-key='4']")
    assert [box.get_attribute("value") for box in screen.all("#act-numbers input")] == ["LD-D16-1"]
    screen.tap(".act-form button.primary")
    screen.until(lambda: screen.text(f"{card} .muster strong") == "3", "who was counted in here to count on the board")
    ok(house, centre, "mobilisation.stand-down.v1", case=case)
    screen.until(lambda: not screen.all(card), "the turn-out to leave the board")


def test_a_departments_board_counts_and_shows_nobody_elses_roster(house: Gated, screen: Screen) -> None:
    case, _ = house.report(title="有人挖矿", text="后山有挖掘机。", matter=MINING, anonymous=True, reporter=None)
    officer = someone(house, "department_officer", village="", department="D16")

    open_desk(screen, officer, "集结板")

    screen.until(lambda: "点名" in screen.text(f".muster-card[data-case='{case}']"), "the turn-out")
    assert not screen.all("#screen .load")
    ok(house, house.user("command_centre"), "mobilisation.stand-down.v1", case=case)


# 借调


def ask_for(screen: Screen, number: str, start: date, back: date) -> None:
    screen.tap(f"[data-ask='{number}']")
    screen.type("#f-to", "区城管局")
    screen.pick_day("#f-start", start)
    screen.pick_day("#f-back", back)
    screen.tap(".ask-for button.primary")


def steps(screen: Screen) -> list[str | None]:
    return [line.get_attribute("data-step") for line in screen.all(".person-file [data-state=done], [data-state=bad]")]


def test_a_secondment_is_asked_for_decided_by_both_and_ended_and_its_file_tells_who_and_when(
    house: Gated, screen: Screen
) -> None:
    personnel = someone(house, "personnel", person="人事李", town="", village="")
    another = someone(house, "personnel", person="人事张", town="", village="")
    committee = someone(house, "town_committee", person="镇党委王")
    screen.log_in(personnel)
    ask_for(screen, "LD-D25-1", TODAY, TODAY)
    screen.until(lambda: bool(screen.all("#f-back[aria-invalid]")), "a day of return after the start")
    screen.pick_day("#f-back", TODAY + timedelta(days=30))
    screen.tap(".ask-for button.primary")
    screen.until(lambda: screen.text("#f-start-fault").startswith("R-SEC-1"), "the rule that stands against it")
    looked_over(screen)

    ask_for(screen, "LD-D15-1", TODAY, TODAY + timedelta(days=30))
    screen.until(lambda: steps(screen) == ["requested"], "the file with its first step")
    assert "人事李" in screen.text(".person-file [data-step=requested]")
    assert screen.the("[data-state=next]").get_attribute("data-step") == "consented"
    screen.log_in(committee)
    screen.tap("[data-file='LD-D15-1']")
    screen.tap("[data-act='person.consent-to-secondment.v1']")
    screen.until(lambda: steps(screen) == ["requested", "consented"], "the consent")
    screen.log_in(another)
    screen.tap("[data-file='LD-D15-1']")
    screen.tap("[data-act='person.approve-secondment.v1']")
    house.until(lambda: house.window.questions.people(VILLAGE.town)[0]["secondment"] == "away")
    screen.log_in(committee)
    screen.tap("[data-file='LD-D15-1']")
    assert "镇党委王" in screen.text(".person-file [data-step=consented]")
    looked_over(screen)
    screen.tap("[data-act='person.end-secondment.v1']")

    screen.until(
        lambda: steps(screen) == ["requested", "consented", "approved", "started", "ended"], "the whole secondment"
    )
    assert not screen.all(".person-file [data-act]")


def test_a_secondment_that_is_refused_names_the_rule_it_did_not_pass(house: Gated, screen: Screen) -> None:
    personnel = someone(house, "personnel", town="", village="")
    start = TODAY + timedelta(days=5)
    about = {"number": "LD-D15-2", "to": "区城管局", "start": start.isoformat()}
    ok(house, personnel, "person.request-secondment.v1", **about, back=(start + timedelta(days=9)).isoformat())
    screen.log_in(someone(house, "town_committee", person="镇党委王"))
    screen.tap("[data-file='LD-D15-2']")

    screen.choose(".person-file [name=ground]", "unsuitable")
    screen.tap("[data-act='person.refuse-secondment.v1']")

    screen.until(lambda: steps(screen) == ["requested", "refused"], "the refusal")
    said = screen.text(".person-file [data-step=refused]")
    assert all(word in said for word in ("镇党委王", "人选不合适", "R-SEC-2"))
    assert not screen.all("[data-ask]")  # the committee asks for nobody


# 村级、区级、并联审批


def test_on_a_phone_the_districts_desk_says_what_is_owed_and_both_levels_fit(house: Gated, screen: Screen) -> None:
    house.report(matter=IN_VILLAGE)
    case, _ = house.report(matter="209")
    centre = house.user("command_centre")
    assert house.act(centre, "case.call-district.v1", case=case).status_code == 422
    leader = someone(house, "district_leader", town="", village="")

    open_desk(screen, someone(house, "village_clerk"), "村级")
    screen.the("#desk-rows li")
    looked_over(screen)
    open_desk(screen, leader, "区级")
    screen.the("#desk-rows li")
    looked_over(screen)
    screen.size(*PHONE)

    screen.until(lambda: "待特批" in screen.text(f"#desk-rows [data-id='{case}']"), "what the district owes")
    assert screen.squeezed() == []


def test_the_approval_matrix_shows_every_opinion_without_scrolling(house: Gated, screen: Screen) -> None:
    case, _ = house.report(title="修路", text="村道太窄，想拓宽。", matter=ROAD)
    found = house.window.questions.case(case)
    assert found is not None
    land = next(row["department"] for row in found["approvals"] if row["item"] == "land")
    officer = someone(house, "department_officer", village="", department=land)
    said = {"item": "land", "opinion": "object", "conditions": "改线绕开基本农田"}
    ok(house, officer, "approval.file-opinion.v1", case=case, **said)
    screen.log_in(officer)

    for language, size in BOTH:
        screen.size(*size)
        screen.open("/console/")
        screen.speak(language)
        screen.open(f"/console/#case={case}")
        screen.until(lambda: bool(screen.all("#pane .matrix")), "the matrix")
        assert not screen.overflows("#pane .scrolls")
        assert "《中华人民共和国土地管理法》" in screen.text("#pane .matrix")
        assert not screen.scrolls_sideways()
    assert screen.barriers() == []
