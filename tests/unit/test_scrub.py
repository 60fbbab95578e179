"""What leaves for the public carries no number of a person; ordinary words stay as they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.disclosure.scrub import scrub


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        pytest.param("请致电13812345678。", "请致电〔电话〕。", id="mobile"),
        pytest.param("电话：138 1234 5678", "电话：〔电话〕", id="mobile in groups"),
        pytest.param("138-1234-5678转告", "〔电话〕转告", id="mobile with hyphens"),
        pytest.param("+8613812345678", "〔电话〕", id="mobile with country code"),
        pytest.param("86 13812345678", "〔电话〕", id="mobile with country code and space"),
        pytest.param("致电0766-8822222咨询", "致电〔电话〕咨询", id="landline"),
        pytest.param("010 12345678", "〔电话〕", id="landline of a big city"),
        pytest.param("致电07668822222咨询", "致电〔电话〕咨询", id="landline in one"),
        pytest.param("身份证44530319900101123X已核", "身份证〔证件号〕已核", id="identity number"),
        pytest.param("44530319900101123x", "〔证件号〕", id="identity number with a small x"),
        pytest.param("445303199001011234", "〔证件号〕", id="identity number of digits"),
        pytest.param("445303900101123", "〔号码〕", id="identity number of the first generation"),
        pytest.param("卡号6222021234567890123。", "卡号〔号码〕。", id="bank card"),
        pytest.param("车牌粤W12345违停", "车牌〔车牌〕违停", id="plate"),
        pytest.param("粤WD12345", "〔车牌〕", id="plate of an electric car"),
        pytest.param("粤W·12345", "〔车牌〕", id="plate with a dot"),
        pytest.param("写信至zhang.san@example.com.cn。", "写信至〔邮箱〕。", id="mail"),
        pytest.param("住12号", "住〔门牌〕", id="house number"),
        pytest.param("六都村12号之3张某", "六都村〔门牌〕张某", id="house number with a part"),
        pytest.param("5栋302室", "〔门牌〕", id="building and room"),
        pytest.param("3号楼", "〔门牌〕", id="building"),
        pytest.param(
            "住3号楼2单元501室",
            "住〔门牌〕",
            id="building, stair and room",
        ),
        pytest.param("住5栋1单元302", "住〔门牌〕", id="building, stair and flat"),
        pytest.param("张某13812345678，粤W12345，住12号", "张某〔电话〕，〔车牌〕，住〔门牌〕", id="several at once"),
    ],
)
def test_what_has_the_form_of_personal_data_is_masked(text: str, scrubbed: str) -> None:
    assert scrub(text) == scrubbed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "您反映的问题已处理，感谢支持。",
        "已于2026年11月23日14时30分完成整改，共清运垃圾12吨。",
        "依据云安府办〔2026〕12号文办理。",
        "处理金额为3500.00元，涉及58户。",
        "编号2026000417的来件已办结。",
        "拨打12345热线。",
        "粤东西北地区",
        "Replaced 3 lamps at km 12.5 of the road.",
        pytest.param("已于11月23号完成整改。"),
        pytest.param("新建2座桥。"),
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert scrub(text) == text


@given(before=st.text(st.characters(exclude_categories=["N"])), number=st.integers(13_000_000_000, 19_999_999_999))
def test_no_mobile_number_gets_through_whatever_stands_before_it(before: str, number: int) -> None:
    assert str(number) not in scrub(f"{before}{number}。")


@given(st.text("张村路0123456789-@.号栋室单元粤W京Xx abc", max_size=60))
def test_scrubbing_again_changes_nothing(text: str) -> None:
    once = scrub(text)

    assert scrub(once) == once
