"""Facts in CloudEvents: what everybody outside hears, and the same recorded fact back from it."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.carried import fact_event, recorded_of
from events.case import CaseClosed
from events.catalog import FACTS, Catalog, UnknownFact
from events.cloudevents import (
    AMQP,
    HTTP,
    MQTT,
    BadEvent,
    CloudEvent,
    from_headers,
    from_structured,
    to_headers,
    to_structured,
)
from events.envelope import Fact, Meta, Recorded
from tests.golden import samples
from tests.unit.drawn import any_of

SOURCE = "/hujiao/445303"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
STREAM = samples.CASE
CLOSED = CaseClosed(reason="solved", by="clerk")


def recorded(name: str, fact: Fact, **meta: Any) -> Recorded:
    return Recorded(417, STREAM, 3, name, msgspec.structs.replace(samples.META, **meta), fact)


def changed(event: CloudEvent, **fields: Any) -> CloudEvent:
    return msgspec.structs.replace(event, **fields)


@pytest.fixture
def event() -> CloudEvent:
    return fact_event(recorded("case.closed.v1", CLOSED), SOURCE)


def test_a_fact_is_an_event_with_its_id_its_stream_and_its_origin() -> None:
    event = fact_event(recorded("case.closed.v1", CLOSED, trace=TRACE), SOURCE)

    assert to_headers(event, "cloudEvents_") == {
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": f"{STREAM}:3",
        "cloudEvents_source": SOURCE,
        "cloudEvents_type": "case.closed.v1",
        "cloudEvents_subject": STREAM,
        "cloudEvents_time": "2026-11-23T01:00:00.123456Z",
        "cloudEvents_position": 417,
        "cloudEvents_causation": samples.META.causation,
        "cloudEvents_correlation": samples.META.correlation,
        "cloudEvents_actor": samples.META.actor,
        "cloudEvents_configuration": samples.META.configuration,
        "cloudEvents_traceparent": TRACE,
    }
    assert event.datacontenttype == "application/json"
    assert msgspec.json.decode(event.data) == {"reason": "solved", "by": "clerk"}


@pytest.mark.parametrize("name", FACTS)
@pytest.mark.parametrize("trace", ["", TRACE])
def test_the_event_of_a_fact_gives_the_same_recorded_fact_back_in_every_mode(name: str, trace: str) -> None:
    told = recorded(name, samples.FACTS[name], trace=trace)
    event = fact_event(told, SOURCE)

    assert recorded_of(event) == told
    assert recorded_of(from_structured(to_structured(event))) == told
    for prefixes in (AMQP, HTTP, MQTT):
        heard = from_headers(to_headers(event, prefixes[0]), event.datacontenttype, event.data, prefixes)
        assert recorded_of(heard) == told


@pytest.mark.parametrize("name", FACTS)
@settings(max_examples=25)
@given(data=st.data())
def test_any_fact_of_any_origin_comes_back_as_it_was(name: str, data: st.DataObject) -> None:
    texts = st.text(max_size=20) | st.sampled_from(["", "50%", "%41", "a\nb", "\x85", "\uffff", "张三"])
    meta = Meta(
        recorded_at=data.draw(st.datetimes(datetime(1970, 1, 1), timezones=st.just(UTC))),  # noqa: DTZ001  # a bound
        causation=data.draw(texts),
        actor=data.draw(texts),
        correlation=data.draw(st.sampled_from(["", samples.REPORT])),
        configuration=data.draw(st.sampled_from(["", "0123456789ab"])),
    )
    position = data.draw(st.integers(1, 2**53))
    told = Recorded(position, STREAM, data.draw(st.integers(1, 2**53)), name, meta, data.draw(any_of(FACTS[name])))

    event = fact_event(told, SOURCE)

    heard = from_headers(to_headers(event, AMQP[0]), event.datacontenttype, event.data, AMQP)
    assert recorded_of(heard) == told


def test_what_an_origin_does_not_say_is_no_attribute() -> None:
    meta = Meta(recorded_at=samples.REPORTED, causation="", actor="")

    event = fact_event(Recorded(1, STREAM, 1, "case.closed.v1", meta, CLOSED), SOURCE)

    assert event.extensions == {"position": 1}


def test_a_position_beyond_cloudevents_integers_becomes_text() -> None:
    for position, written in ((2**31 - 1, 2**31 - 1), (2**31, str(2**31))):
        told = Recorded(position, STREAM, 1, "case.closed.v1", samples.META, CLOSED)
        event = fact_event(told, SOURCE)
        assert event.extensions["position"] == written
        assert recorded_of(event) == told


def test_a_type_that_nobody_knows_is_a_newer_log_and_no_bad_event(event: CloudEvent) -> None:
    for data in (event.data, b"", b"\xff"):
        with pytest.raises(UnknownFact, match=r"case\.merged\.v1"):
            recorded_of(changed(event, type="case.merged.v1", data=data))


def test_an_old_version_is_upcast_as_in_the_log(event: CloudEvent) -> None:
    catalog = Catalog(
        facts={"case.closed.v2": FACTS["case.closed.v1"]},
        upcasts={"case.closed.v1": ("case.closed.v2", lambda fields: {**fields, "by": fields["by"].upper()})},
    )

    found = recorded_of(event, catalog)

    assert (found.name, found.fact) == ("case.closed.v2", CaseClosed(reason="solved", by="CLERK"))


@pytest.mark.parametrize(
    ("fields", "attribute"),
    [
        ({"id": "417"}, "id"),
        ({"id": f"{STREAM}:"}, "id"),
        ({"id": f"{STREAM}:0"}, "id"),
        ({"id": f"{STREAM}:³"}, "id"),
        ({"id": f"{STREAM}:{'9' * 19}"}, "id"),
        ({"id": ":3"}, "id"),
        ({"subject": ""}, "subject"),
        ({"subject": samples.CALL}, "subject"),
        ({"time": None}, "time"),
        ({"datacontenttype": "application/msgpack"}, "datacontenttype"),
        ({"extensions": {}}, "position"),
        ({"extensions": {"position": 0}}, "position"),
        ({"extensions": {"position": True}}, "position"),
        ({"extensions": {"position": "seven"}}, "position"),
        ({"extensions": {"position": 1, "actor": "%FF"}}, "actor"),
        ({"data": b""}, "data"),
        ({"data": b"\xff"}, "data"),
        ({"data": b'{"reason": "\xff", "by": "clerk"}'}, "data"),
        ({"data": b'{"by": "clerk"}'}, "data"),
        ({"data": b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"}, "data"),
    ],
)
def test_an_event_that_carries_no_recorded_fact_is_refused_by_attribute(
    event: CloudEvent, fields: dict[str, Any], attribute: str
) -> None:
    with pytest.raises(BadEvent) as bad:
        recorded_of(changed(event, **fields))

    assert bad.value.attribute == attribute


def test_an_origin_without_a_trace_is_stored_as_it_always_was() -> None:
    traced = msgspec.structs.replace(samples.META, trace=TRACE)

    assert b"trace" not in msgspec.msgpack.encode(samples.META)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(traced), type=Meta) == traced
