"""The report line: taken as written, or refused by the name of the field."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.edge import ReportLine
from events.report import Contact, Point
from services.intake.line import BadLine, check_line, read_line, read_placed_line, unknown_fields
from services.rules.book import RuleBook

RECEIVED = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
WHOLE = {"id": "2026-000417", "time": "2026-11-23T08:00:00+08:00", "title": "有人挖山", "text": "后山半夜有挖机声。"}
LIUDU, LIUDU_VILLAGE, GAOCUN_VILLAGE = "445303100", "445303100201", "445303101001"


def raw(**changes: Any) -> bytes:
    return msgspec.json.encode({name: value for name, value in {**WHOLE, **changes}.items() if value is not ...})


def line(**changes: Any) -> ReportLine:
    return read_line(raw(**changes))


def test_four_fields_are_enough() -> None:
    found = line()

    assert found.time == datetime(2026, 11, 23, tzinfo=UTC)
    assert (found.channel, found.anonymous, found.source, found.attachments) == ("app", False, None, ())


def test_every_field_is_taken_as_the_sender_wrote_it() -> None:
    attachment = {"name": "a.jpg", "media_type": "image/jpeg", "sha256": "0" * 64, "data": "aGk="}

    found = line(
        source="hotline",
        reporter="4411",
        channel="hotline",
        town="LD",
        village=LIUDU_VILLAGE,
        place="后山",
        point={"lon": 112.01, "lat": 23.06, "datum": "GCJ-02"},
        appeal="tip",
        matter="401",
        anonymous=True,
        contact={"name": "张三", "phone": "13800000000"},
        attachments=[attachment],
    )

    assert found.point == Point(112.01, 23.06, "GCJ-02")
    assert found.contact == Contact("张三", "13800000000")
    assert found.attachments[0].data == b"hi"
    assert (found.source, found.reporter, found.appeal, found.matter) == ("hotline", "4411", "tip", "401")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": ...}, "id"),
        ({"id": ""}, r"\$\.id"),
        ({"id": "a" * 101}, r"\$\.id"),
        ({"id": "line\nbreak"}, r"\$\.id"),
        ({"id": 7}, r"\$\.id"),
        ({"time": ...}, "time"),
        ({"time": "yesterday"}, r"\$\.time"),
        ({"title": ...}, "title"),
        ({"title": None}, r"\$\.title"),
        ({"text": "字" * 20_001}, r"\$\.text"),
        ({"source": "Hot Line"}, r"\$\.source"),
        ({"source": ""}, r"\$\.source"),
        ({"reporter": "4" * 201}, r"\$\.reporter"),
        ({"channel": "fax"}, r"\$\.channel"),
        ({"appeal": "wish"}, r"\$\.appeal"),
        ({"place": "字" * 201}, r"\$\.place"),
        ({"point": {"lon": 181, "lat": 0, "datum": "WGS-84"}}, r"\$\.point\.lon"),
        ({"point": {"lon": 0, "lat": 91, "datum": "WGS-84"}}, r"\$\.point\.lat"),
        ({"point": {"lon": 0, "lat": 0, "datum": "BD-09"}}, r"\$\.point\.datum"),
        ({"point": {"lon": 0, "lat": 0}}, r"\$\.point"),
        ({"point": {"lon": 0, "lat": 0, "datum": "WGS-84", "alt": 3}}, r"\$\.point"),
        ({"anonymous": "yes"}, r"\$\.anonymous"),
        ({"contact": {"phone": "1" * 41}}, r"\$\.contact\.phone"),
        ({"attachments": [{"name": "a", "media_type": "jpeg", "sha256": "0" * 64}]}, r"media_type"),
        ({"attachments": [{"name": "a", "media_type": "image/jpeg", "sha256": "0" * 63}]}, r"sha256"),
        ({"attachments": [{"name": "", "media_type": "a/b", "sha256": "0" * 64}]}, r"name"),
        ({"attachments": [{"name": "a", "media_type": "a/b", "sha256": "0" * 64}] * 10}, r"\$\.attachments"),
    ],
)
def test_a_field_that_cannot_be_taken_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BadLine, match=field):
        line(**changes)


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"id": "\xff"}',
        b'{"id": "\\ud800"}',
        b'{"unknown": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        raw() + raw(),
    ],
)
def test_what_is_no_json_object_is_refused_in_words(broken: bytes) -> None:
    with pytest.raises(BadLine, match=r"(?i)expected"):
        read_line(broken)


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(anything: bytes) -> None:
    with pytest.raises(BadLine):
        read_line(anything)


def test_a_sender_that_must_say_where_names_a_village_or_a_town() -> None:
    with pytest.raises(BadLine, match="village: expected a village or a town"):
        read_placed_line(raw())

    assert read_placed_line(raw(town="LD")).town == "LD"
    assert read_placed_line(raw(village=LIUDU_VILLAGE)).village == LIUDU_VILLAGE


def test_fields_that_nobody_knows_are_counted_and_left_out() -> None:
    written = raw(vilage="x", mood="bad", label="401", reply="known from open data")

    assert unknown_fields(written) == Counter({"vilage": 1, "mood": 1})
    assert read_line(written) == line()


@pytest.mark.parametrize("town", [LIUDU, "LD", "六都镇", "Liudu"])
def test_a_town_is_known_by_its_code_letters_and_names(rules: RuleBook, town: str) -> None:
    check_line(line(town=town, village=LIUDU_VILLAGE, matter="401"), rules, RECEIVED)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"time": "2026-11-23T08:00:00"}, r"time: expected an offset such as \+08:00, found none"),
        ({"time": "1999-12-31T23:59:59Z"}, "time: expected between 2000-01-01 and 2026-11-24, found 1999-12-31"),
        ({"time": "2026-11-24T01:00:01Z"}, "time: expected between 2000-01-01 and 2026-11-24, found 2026-11-24"),
        ({"time": "0001-01-01T00:00:00+14:00"}, "time: expected between"),
        ({"time": "9999-12-31T23:59:59-12:00"}, "time: expected between"),
        ({"town": "XX"}, "town: expected one of 445303100, .*, found 'XX'"),
        ({"town": ""}, "town: expected one of"),
        ({"village": "445303999001"}, "village: expected the statistics code .*, found '445303999001'"),
        (
            {"village": GAOCUN_VILLAGE, "town": "LD"},
            "village: expected a village of town LD, found .* of town 445303101",
        ),
        ({"matter": "998"}, "matter: expected a code of the catalogue, found '998'"),
        ({"matter": ""}, "matter: expected a code of the catalogue, found ''"),
        (
            {"complained_of": ("D17", "D99")},
            "complained_of: expected codes of departments of the district, found 'D99'",
        ),
        ({"title": " ", "text": "\n"}, "text: expected words or an attachment"),
    ],
)
def test_what_only_the_configuration_or_the_time_can_tell_is_refused_by_field(
    rules: RuleBook, changes: dict[str, Any], refusal: str
) -> None:
    with pytest.raises(BadLine, match=refusal):
        check_line(line(**changes), rules, RECEIVED)


def test_a_senders_clock_may_run_a_day_ahead(rules: RuleBook) -> None:
    check_line(line(time=(RECEIVED + timedelta(days=1)).isoformat()), rules, RECEIVED)


@pytest.mark.parametrize("changes", [{"title": ""}, {"text": ""}])
def test_a_title_or_a_text_is_enough(rules: RuleBook, changes: dict[str, Any]) -> None:
    check_line(line(**changes), rules, RECEIVED)


def test_a_photograph_says_enough_without_words(rules: RuleBook) -> None:
    photograph = {"name": "a.jpg", "media_type": "image/jpeg", "sha256": "0" * 64, "data": "aGk="}

    check_line(line(title="", text="", attachments=[photograph]), rules, RECEIVED)
