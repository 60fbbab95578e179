"""The resident's page on a phone: a result is rated, a closed case is taken up again, all with a thumb."""

from collections.abc import Iterator

import pytest

from tests.system.gated import Gated, gated
from tests.system.screens import PHONE, Screen
from tests.system.test_receipts import Town

TAPPED = "fieldset.choice input[name={}][value={}] + span"

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning"
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    with gated(tmp_path_factory.mktemp("resident")) as house:
        yield house


def look_up(screen: Screen, receipt: str) -> None:
    screen.size(*PHONE)
    screen.open("/resident/")
    screen.type("#lookup [name=receipt]", receipt)
    screen.tap("#lookup button")
    screen.the("#found dl")


def test_a_resident_rates_a_result_and_has_the_case_taken_up_again(house: Gated, screen: Screen) -> None:
    case, receipt = Town(house).resolved()

    look_up(screen, receipt)
    screen.tap("#found .offer button.primary")
    screen.until(lambda: "请回答两个问题" in screen.text("#found .error"), "both questions to be asked for")
    screen.tap(TAPPED.format("solved", "yes"))
    screen.tap(TAPPED.format("satisfied", "not"))
    assert not screen.scrolls_sideways()
    screen.tap("#found .offer button.primary")
    screen.until(lambda: "解决了，不满意" in screen.text("#found .done"), "the answer to be shown")
    house.settled()
    assert house.phase(case) == "closed"

    look_up(screen, receipt)
    assert "解决了，不满意" in screen.text("#found dl")
    screen.type("#found .offer textarea", "同一处又塌了。")
    assert not screen.scrolls_sideways()
    screen.tap("#found .offer button.primary")
    screen.until(lambda: "已重新办理" in screen.text("#found .done"), "the case to be taken up again")
    house.settled()
    assert house.phase(case) == "calling"
    assert screen.complaints() == []
