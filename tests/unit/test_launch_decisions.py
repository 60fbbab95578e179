"""The launch list: published, in force from its day on, and what it says of a town that calls the district."""

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from events.case import Due
from events.launch import CONDITIONS, LaunchItem, LaunchListPublished, PublishLaunchList
from services.command_centre.launch import STREAM, Lists, in_force, platform_of
from services.decisions import Rejected
from services.rules.book import RuleBook
from tests.unit.moments import at
from tests.unit.past import MONDAY, Past, with_district

TODAY = date(2026, 11, 23)
SAND = LaunchItem(matter="403", bureau="B09")
LAND = LaunchItem(matter="404", bureau="B07", conditions=("cross_town", "headcount"), evidence_required="现场照片")


def publish(*items: LaunchItem, since: date = TODAY, citation: str = "示例清单", **more: Any) -> PublishLaunchList:
    return PublishLaunchList(
        launch=STREAM, items=items or (SAND, LAND), effective_from=since, citation=citation, by="district", **more
    )


def test_until_a_list_is_published_the_configuration_is_version_0(rules: RuleBook) -> None:
    listed = in_force(None, MONDAY, rules)

    assert listed.version == 0
    mining, squatting = listed.item("401"), listed.item("404")
    assert mining is not None
    assert (mining.bureau, mining.conditions) == ("B07", ())
    assert squatting is not None
    assert squatting.conditions == CONDITIONS
    assert listed.item("101") is None
    assert len(listed.items) == sum(matter.launch != "no" for matter in rules.district.matters)


def test_a_configuration_that_names_bureaus_as_older_ones_did_has_nothing_on_its_list(rules: RuleBook) -> None:
    older = with_district(
        rules,
        lambda district: {
            "matters": tuple(msgspec.structs.replace(one, district_lead="区自然资源局") for one in district.matters)
        },
    )

    assert in_force(None, MONDAY, older).items == ()


def test_a_published_list_has_the_next_version_and_replaces_the_one_before_it(past: Past) -> None:
    past.do(publish(SAND))

    (fact,) = past.facts_of(publish(LAND, citation="another"))

    assert isinstance(fact, LaunchListPublished)
    assert (fact.version, fact.items, fact.by) == (2, (LAND,), "district")
    past.happened(STREAM, fact)
    listed = in_force(past.states[STREAM], MONDAY, past.rules)
    assert (listed.version, listed.citation) == (2, "another")
    assert listed.item("403") is None


def test_the_same_list_again_changes_nothing_whoever_publishes_it(past: Past) -> None:
    past.do(publish())

    assert past.decide(msgspec.structs.replace(publish(), by="somebody else")) == ()


def test_a_list_holds_from_the_first_minute_of_its_day_in_shanghai_and_not_before(past: Past) -> None:
    past.do(publish(SAND))
    past.do(publish(LAND, since=date(2026, 12, 1)))
    lists: Lists = past.states[STREAM]

    assert in_force(lists, at("2026-11-30 23:59"), past.rules).version == 1
    assert in_force(lists, at("2026-12-01 00:00"), past.rules).version == 2


def test_before_the_first_list_has_begun_the_configuration_still_holds(past: Past) -> None:
    past.do(publish(SAND, since=date(2026, 12, 1)))

    assert in_force(past.states[STREAM], MONDAY, past.rules).version == 0


@pytest.mark.parametrize(
    ("since", "found"),
    [
        (date(2026, 11, 22), "effective_from: expected 2026-11-23 or later, found 2026-11-22"),
        (date(2026, 12, 30), "effective_from: expected 2026-12-31 or later, found 2026-12-30"),
    ],
)
def test_a_list_begins_neither_in_the_past_nor_before_the_list_before_it(past: Past, since: date, found: str) -> None:
    if since.month == 12:
        past.do(publish(SAND, since=date(2026, 12, 31)))

    assert past.refusal(publish(LAND, since=since)) == found


def test_everything_wrong_with_a_list_is_said_at_once(past: Past) -> None:
    wrong = publish(
        LaunchItem(matter="998", bureau="B07"),
        LaunchItem(matter="401", bureau="D16"),
        LaunchItem(matter="402", bureau="B08", platform="P9"),
        LaunchItem(matter="402", bureau="B08"),
    )

    assert past.refusal(wrong) == (
        "item 1: matter: expected a code of the catalogue, found '998'; "
        "item 2: bureau: expected one of the district, found 'D16'; "
        "item 3: platform: expected one that stands at the district, found 'P9'; "
        "items: expected matter 402 once, found it again"
    )


def test_there_is_one_launch_list_and_no_other_stream_is_written(past: Past) -> None:
    other = msgspec.structs.replace(publish(), launch="0" * 32)

    assert past.refusal(other).startswith(f"launch: expected the one launch list {STREAM}")


def test_the_platform_of_a_line_is_the_bureaus_own_unless_the_line_says_another(rules: RuleBook) -> None:
    assert platform_of(SAND, rules) == "P4"
    assert platform_of(msgspec.structs.replace(SAND, platform="P2"), rules) == "P2"


def test_a_line_whose_bureau_the_configuration_has_lost_calls_nobody(rules: RuleBook) -> None:
    without = with_district(
        rules, lambda district: {"departments": tuple(one for one in district.departments if one.code != "B09")}
    )

    with pytest.raises(Rejected, match="expected a bureau and platform of the district, found B09"):
        platform_of(SAND, without)


def test_bureaus_have_an_hour_to_arrive_at_an_emergency_and_what_the_list_says_holds_first(rules: RuleBook) -> None:
    matter = rules.matter("401")
    plan = (msgspec.structs.replace(rules.plan_calls("0" * 32, "", matter, 1, True)[0].legs[0], department="B07"),)
    due = Due(by=MONDAY, rule="x 1h")

    def clocks(*, at_district: bool, listed: tuple[str, str] = ("", "")) -> list[str]:
        (leg,) = rules.legs(plan, matter, "U1", due, MONDAY, False, at_district, listed)
        assert leg.arrive is not None
        assert leg.arrive.by > MONDAY
        return [leg.acknowledge.rule, leg.arrive.rule]

    assert clocks(at_district=False) == ["U1 acknowledge 15min", "U1 arrive 30min"]
    assert clocks(at_district=True) == ["U1 acknowledge 15min", "U1 arrive 60min"]
    listed = clocks(at_district=True, listed=("20min", "45min"))
    assert listed == ["launch list acknowledge 20min", "launch list arrive 45min"]


def test_a_line_may_send_a_bureau_to_the_spot_where_the_matter_does_not(rules: RuleBook) -> None:
    matter = rules.matter("605")
    assert not matter.on_site
    plan = rules.plan_calls("0" * 32, "", matter, 1, True)[0].legs

    (leg,) = rules.legs(plan, matter, "U3", Due(by=MONDAY, rule="x 1h"), MONDAY, False, True, ("", "90min"))

    assert leg.arrive is not None
    assert leg.arrive.by == MONDAY + timedelta(minutes=90)
