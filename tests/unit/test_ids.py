"""Stream ids: in order of time, the same for the same thing, and children beside their parents."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.envelope import Meta, Recorded, fact_id, kind_of
from events.ids import PREFIX, call_of, case_of, child_id, is_stream_id, outcome_of, stream_id
from events.report import ReportAccepted

MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis wants naive bounds
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


@given(one=MOMENTS, later=st.timedeltas(timedelta(milliseconds=2), timedelta(days=10_000)), record=st.text())
def test_ids_sort_by_the_time_of_what_they_are_about(one: datetime, later: timedelta, record: str) -> None:
    earlier = stream_id("report", one, "hotline", record)

    assert earlier < stream_id("report", one + later, "hotline", "1")


@given(at=MOMENTS, kind=st.text(), about=st.lists(st.text()))
def test_an_id_has_thirty_two_digits_and_is_the_same_each_time(at: datetime, kind: str, about: list[str]) -> None:
    found = stream_id(kind, at, *about)

    assert is_stream_id(found)
    assert found == stream_id(kind, at, *about)


def test_the_same_moment_in_another_zone_gives_the_same_id() -> None:
    in_shanghai = datetime.fromisoformat("2026-11-23T09:00:00+08:00")

    assert stream_id("report", in_shanghai, "a") == stream_id("report", NOW, "a")


def test_other_things_have_other_ids() -> None:
    ids = [
        stream_id("report", NOW, "hotline", "1"),
        stream_id("report", NOW, "hotline", "2"),
        stream_id("report", NOW, "app", "1"),
        stream_id("case", NOW, "hotline", "1"),
        stream_id("report", NOW, "hotline1", ""),
        stream_id("report", NOW, "hotline1"),
        stream_id("report", NOW + timedelta(milliseconds=1), "hotline", "1"),
    ]

    assert len(set(ids)) == len(ids)


@given(at=MOMENTS, record=st.text())
def test_everything_about_a_report_lies_beside_it(at: datetime, record: str) -> None:
    report = stream_id("report", at, "hotline", record)
    case = case_of(report)
    children = [case, *(call_of(case, f"P{n}", attempt) for n in (1, 2) for attempt in (1, 2)), outcome_of(case)]

    assert {child[:PREFIX] for child in children} == {report[:PREFIX]}
    assert len({report, *children}) == 7
    assert all(map(is_stream_id, children))


def test_a_time_before_1970_sorts_first() -> None:
    assert stream_id("report", datetime(1949, 10, 1, tzinfo=UTC)).startswith("0" * PREFIX)


@pytest.mark.parametrize("text", ["", "0" * 31, "0" * 33, "G" + "0" * 31, "A" * 32, "0" * 31 + " ", "１" * 32])
def test_anything_else_is_not_a_stream_id(text: str) -> None:
    assert not is_stream_id(text)


def test_a_fact_is_named_by_its_stream_and_version() -> None:
    stream = child_id("case", "0" * 32)
    meta = Meta(recorded_at=NOW, causation="x", actor="y")

    recorded = Recorded(7, stream, 3, "report.accepted.v1", meta, ReportAccepted(case="c"))

    assert recorded.id == fact_id(stream, 3) == f"{stream}:3"
    assert kind_of(recorded.name) == "report"
