"""What the READMEs and the example file say of alerts is so."""

import base64
import re
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.alerting import channels_in
from services.alerts.alert import Alert
from services.alerts.channels import read_channels
from services.alerts.pauses import FIRST_S, LONGEST_S, MOST_TRIES
from services.alerts.webhook import signature
from services.rules.book import RuleBook

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "deploy" / "alerts.example.toml"
READMES = {"README.md": "How a department is alerted", "README.zh.md": "怎样提醒部门"}


def section(readme: str) -> str:
    text = (ROOT / readme).read_text(encoding="utf-8")
    return text.partition(f"### {READMES[readme]}\n")[2].partition("\n### ")[0]


@pytest.mark.parametrize("readme", READMES)
def test_the_check_of_signatures_in_the_readme_takes_ours_and_no_other(readme: str) -> None:
    (sample,) = re.findall(r"```python\n(.*?)```", section(readme), flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(sample, names)  # noqa: S102  # the sample is what is under test
    key, now = bytes(range(32)), datetime.now(UTC)
    secret = f"whsec_{base64.b64encode(key).decode()}"

    def signed(body: bytes, at: datetime = now) -> dict[str, str]:
        timestamp = str(int(at.timestamp()))
        written = signature(key, "a:3", timestamp, body)
        return {"webhook-id": "a:3", "webhook-timestamp": timestamp, "webhook-signature": written}

    assert names["is_ours"](secret, signed(b"{}"), b"{}")
    assert names["is_ours"](
        secret, signed(b"{}") | {"webhook-signature": f"v1,x {signed(b'{}')['webhook-signature']}"}, b"{}"
    )
    assert not names["is_ours"](secret, signed(b"{}"), b"{ }")
    assert not names["is_ours"](secret, signed(b"{}") | {"webhook-id": "a:4"}, b"{}")
    assert not names["is_ours"](secret, signed(b"{}", now - timedelta(hours=1)), b"{}")


@pytest.mark.parametrize("readme", READMES)
def test_the_alert_in_the_readme_has_the_fields_of_one(readme: str) -> None:
    (sample,) = re.findall(r"```json\n(.*?)```", section(readme), flags=re.DOTALL)

    assert set(re.findall(r'"(\w+)":', sample)) == {"type", "timestamp", "data", *Alert.__struct_fields__}


@pytest.mark.parametrize("readme", READMES)
def test_the_readme_tells_how_long_it_is_tried(readme: str) -> None:
    longest_s = sum(min(LONGEST_S, FIRST_S * 2.0 ** (tries - 1)) for tries in range(1, MOST_TRIES))

    assert MOST_TRIES == 12
    assert 37 * 60 < longest_s < 38 * 60
    assert "38" in section(readme)


def test_the_example_can_be_used_in_the_sample_district(rules: RuleBook) -> None:
    channels = channels_in(EXAMPLE, rules)

    assert {channel.name for channel in channels.channel} == {"duty-gateway", "duty-mail"}
    assert channels == read_channels(EXAMPLE)
    assert tomllib.loads(EXAMPLE.read_text(encoding="utf-8")).keys() == {"console_url", "channel", "route"}
