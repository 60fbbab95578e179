"""The file of channels: read strictly, every fault named, no secret told; the most exact route wins; rests grow."""

import random
from pathlib import Path

import pytest

from services.alerting import channels_in
from services.alerts.channels import NOBODY, BadChannels, Channels, Route, read_channels
from services.alerts.pauses import FIRST_S, LONGEST_S, MOST_TRIES, full_jitter
from services.rules.book import RuleBook

KEY = "whsec_" + "QUJD" * 8
HOOK = f"""
[[channel]]
name = "gateway"
kind = "webhook"
url = "https://gateway.test/alerts"
secret = "{KEY}"
"""
MAIL = """
[[channel]]
name = "mail"
kind = "mail"
to = "duty@d15.test"
from = "hujiao@town.test"
smtp = "mail.test"
user = "hujiao"
password = "correct horse"
"""
ROUTE = """
[[route]]
channels = ["gateway", "mail"]
"""
GOOD = f'console_url = "https://hujiao.test/console/"\n{HOOK}{MAIL}{ROUTE}'


def written(folder: Path, text: str) -> Path:
    file = folder / "alerts.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_good_file_is_read(tmp_path: Path, rules: RuleBook) -> None:
    channels = channels_in(written(tmp_path, GOOD), rules)

    assert [channel.name for channel in channels.channel] == ["gateway", "mail"]
    assert channels.of("445303100", "LD", "P4", "D15") == ("gateway", "mail")


def test_without_a_file_nobody_is_alerted(rules: RuleBook) -> None:
    assert channels_in(None, rules) == NOBODY
    assert NOBODY.of("445303100", "LD", "P4", "D15") == ()


FAULTS = [
    ("console_url = ", "console = ", "unknown field `console`"),
    ('"https://hujiao.test/console/"', "7", "Expected `str`, got `int` - at `$.console_url`"),
    ('"https://hujiao.test/console/"', '"ftp://hujiao.test/"', "console_url: expected http://… or https://…, found"),
    ('kind = "webhook"', 'kind = "sms"', "Invalid value 'sms' - at `$.channel[0].kind`"),
    ('kind = "webhook"\n', "", "required field `kind`"),
    ('name = "mail"', 'name = "gateway"', "channel gateway: expected once, found 2 times"),
    ('name = "mail"', 'name = "Duty mail"', "matching regex"),
    ("https://gateway.test/alerts", "file:///etc/passwd", "channel gateway: url: expected http://… or https://…"),
    ("https://gateway.test/alerts", "https://", "channel gateway: url: expected http://… or https://…"),
    ("https://gateway.test/alerts", "https://gateway.test:99999/", "channel gateway: url: expected http://… or"),
    (KEY, "QUJD" * 8, "channel gateway: secret: expected whsec_ and base64, found something else"),
    (KEY, "whsec_?", "channel gateway: secret: expected base64 after whsec_, found something else"),
    (KEY, "whsec_QUJD", "channel gateway: secret: expected 24 to 64 bytes in base64, found 3"),
    ("duty@d15.test", "duty@d15.test\\nBcc: all@d15.test", "matching regex"),
    ("duty@d15.test", "duty", "matching regex"),
    ('smtp = "mail.test"', 'smtp = "smtp://mail.test"', "channel mail: smtp: expected the name or address of a mail"),
    ('smtp = "mail.test"', 'smtp = "mail.test"\nport = 0', "at `$.channel[1].port`"),
    ('smtp = "mail.test"', 'smtp = "mail.test"\nsecurity = "ssl"', "Invalid enum value 'ssl'"),
    (
        'smtp = "mail.test"',
        'smtp = "mail.test"\nsecurity = "none"',
        "expected starttls or tls where there is a pass",
    ),
    ('user = "hujiao"\n', "", "channel mail: password: expected one exactly where there is a user"),
    ('["gateway", "mail"]', '["gateway", "siren"]', "route 1: channels: expected one of gateway, mail, found 'siren'"),
    ('["gateway", "mail"]', "[]", "at `$.route[0].channels`"),
    (ROUTE, ROUTE + ROUTE, "route of everybody: expected once, found 2 times"),
    (ROUTE, ROUTE + 'town = "XX"', "route 1: town: expected one of the district, found 'XX'"),
    (ROUTE, ROUTE + 'department = "D99"', "route 1: department: expected one of the district, found 'D99'"),
    (ROUTE, ROUTE + 'platform = "P9"', "route 1: platform: expected one of the district, found 'P9'"),
    (ROUTE, ROUTE + 'about = "weather"', "Invalid enum value 'weather'"),
    (ROUTE, ROUTE + 'about = "secondments"\ndepartment = "D15"', "route 1: about: expected calls where there is a"),
    (
        ROUTE,
        2 * f'{ROUTE}about = "secondments"\n',
        "route of secondments: expected once, found 2 times",
    ),
    (ROUTE, ROUTE + 'village = "x"', "unknown field `village`"),
    ("[[route]]", "[[route]", "expected TOML in UTF-8, found"),
]


@pytest.mark.parametrize(("given", "instead", "told"), FAULTS)
def test_a_fault_says_what_was_expected_and_what_was_found_and_no_secret(
    tmp_path: Path, rules: RuleBook, given: str, instead: str, told: str
) -> None:
    assert given in GOOD

    with pytest.raises(BadChannels) as bad:
        channels_in(written(tmp_path, GOOD.replace(given, instead)), rules)

    assert told in str(bad.value)
    assert "alerts.toml" in str(bad.value)
    for secret in ("QUJDQUJD", "correct horse"):
        assert secret not in str(bad.value)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadChannels, match="3 faults") as bad:
        read_channels(written(tmp_path, GOOD.replace("https://", "ftp://").replace(KEY, "?")))

    assert str(bad.value).count("\n") == 3


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(BadChannels, match="No such file"):
        read_channels(tmp_path / "none.toml")


def test_bytes_that_are_no_text_are_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "alerts.toml"
    file.write_bytes(b"\xff\xfe")

    with pytest.raises(BadChannels, match="expected TOML in UTF-8"):
        read_channels(file)


# --- routes

ROUTES = (
    Route(channels=("all",)),
    Route(channels=("platform",), platform="P4"),
    Route(channels=("town",), town="LD"),
    Route(channels=("town-platform",), town="LD", platform="P4"),
    Route(channels=("department",), department="D15"),
    Route(channels=("town-department",), town="LD", department="D15"),
)


@pytest.mark.parametrize(
    ("town", "alias", "platform", "department", "expected"),
    [
        ("445303101", "GC", "P1", "D01", "all"),
        ("445303101", "GC", "P4", "D16", "platform"),
        ("445303100", "LD", "P1", "D01", "town"),
        ("445303100", "LD", "P4", "D16", "town-platform"),
        ("445303101", "GC", "P4", "D15", "department"),
        ("445303100", "LD", "P4", "D15", "town-department"),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_the_most_exact_route_wins_in_whatever_order_they_stand(
    order: int, town: str, alias: str, platform: str, department: str, expected: str
) -> None:
    channels = Channels(console_url="", route=ROUTES[::order])

    assert channels.of(town, alias, platform, department) == (expected,)


def test_a_town_is_named_by_its_code_too() -> None:
    channels = Channels(console_url="", route=(Route(channels=("town",), town="445303100"),))

    assert channels.of("445303100", "LD", "P4", "D15") == ("town",)
    assert channels.of("445303101", "GC", "P4", "D15") == ()


def test_of_overdue_returns_those_are_told_whose_route_is_about_them_and_of_calls_nobody_else() -> None:
    about = (
        Route(channels=("personnel",), about="secondments"),
        Route(channels=("committee",), about="secondments", town="LD"),
    )
    channels = Channels(console_url="", route=(*ROUTES, *about))

    assert channels.of_secondments("445303101", "GC") == ("personnel",)
    assert channels.of_secondments("445303100", "LD") == ("committee",)
    assert channels.of("445303101", "GC", "P1", "D01") == ("all",)
    assert Channels(console_url="", route=ROUTES).of_secondments("445303100", "LD") == ()


# --- rests


def test_rests_are_drawn_from_zero_up_to_a_bound_that_doubles() -> None:
    bounds = [full_jitter(tries, lambda low, high: (low, high)[1]) for tries in range(1, MOST_TRIES)]
    shortest = [full_jitter(tries, lambda low, high: low) for tries in range(1, MOST_TRIES)]

    assert bounds[:4] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S]
    assert max(bounds) == LONGEST_S
    assert set(shortest) == {0.0}


def test_no_two_senders_rest_for_the_same_time() -> None:
    rests = {full_jitter(5, random.Random(seed).uniform) for seed in range(20)}

    assert len(rests) == 20
