"""CloudEvents 1.0.2: what is written is read again in every mode, and whatever is none is refused by attribute."""

import contextlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.cloudevents import (
    AMQP,
    BATCH,
    HTTP,
    JSON,
    MAX_BYTES,
    MAX_EVENTS,
    MQTT,
    MSGPACK,
    STRUCTURED,
    BadEvent,
    CloudEvent,
    decode_data,
    from_batch,
    from_headers,
    from_structured,
    is_batch,
    is_binary,
    is_json,
    is_structured,
    to_batch,
    to_headers,
    to_structured,
)
from events.edge import RECEIVED, Acknowledge

CORE = ["specversion", "id", "source", "type", "subject", "time", "datacontenttype"]
NONCHARACTERS = [chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF)]
NONCHARACTERS += [chr(code) for code in range(0xFDD0, 0xFDF0)]
TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters=NONCHARACTERS), max_size=20)
SOME_TEXT = TEXTS.filter(bool)
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=OFFSETS)  # noqa: DTZ001  # bounds are naive
NAMES = st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True).filter(lambda name: name not in {*CORE, "data"})
INTEGERS = st.integers(-(2**31), 2**31 - 1)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | INTEGERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
DATA = st.binary(max_size=30) | ANY_JSON.map(lambda value: json.dumps(value, indent=1).encode())
TYPES_OF_DATA = st.sampled_from(["", JSON, "application/problem+json; charset=utf-8", "text/plain", *MSGPACK])


def events(values: st.SearchStrategy[Any]) -> st.SearchStrategy[CloudEvent]:
    return st.builds(
        CloudEvent,
        id=SOME_TEXT,
        source=SOME_TEXT,
        type=SOME_TEXT,
        subject=TEXTS,
        time=st.none() | TIMES,
        datacontenttype=TYPES_OF_DATA,
        data=DATA,
        extensions=st.dictionaries(NAMES, values, max_size=4),
    )


EVENTS = events(TEXTS | INTEGERS | st.booleans())
EVENTS_OF_TEXT = events(TEXTS)

WHOLE = {"specversion": "1.0", "id": "A-1", "source": "hotline-12345", "type": "report.submit.v1"}


def amqp(**attributes: Any) -> dict[str, Any]:
    given_attributes = {**WHOLE, **attributes}
    return {f"cloudEvents_{name}": value for name, value in given_attributes.items() if value is not ...}


def document(**fields: Any) -> bytes:
    return json.dumps({name: value for name, value in {**WHOLE, **fields}.items() if value is not ...}).encode()


def kinds(event: CloudEvent) -> dict[str, type]:
    return {name: type(value) for name, value in event.extensions.items()}


@given(EVENTS)
def test_what_is_written_into_the_headers_of_amqp_is_read_again_integers_and_all(event: CloudEvent) -> None:
    again = from_headers(to_headers(event, AMQP[0]), event.datacontenttype, event.data, AMQP)

    assert again == event
    assert kinds(again) == kinds(event)


@given(EVENTS_OF_TEXT)
def test_what_is_written_into_the_headers_of_http_is_read_again(event: CloudEvent) -> None:
    written = to_headers(event, HTTP[0])

    assert all(isinstance(value, str) and value.isascii() and " " not in value for value in written.values())
    assert from_headers(written, event.datacontenttype, event.data, HTTP) == event


@given(EVENTS_OF_TEXT)
def test_what_is_written_into_the_user_properties_of_mqtt_is_read_again(event: CloudEvent) -> None:
    written = list(to_headers(event, MQTT[0]).items())

    assert from_headers(written, event.datacontenttype, event.data, MQTT) == event


@given(EVENTS)
def test_what_is_written_as_one_document_is_read_again_byte_for_byte(event: CloudEvent) -> None:
    again = from_structured(to_structured(event))

    assert again == event
    assert kinds(again) == kinds(event)


@given(st.lists(EVENTS, max_size=4))
def test_a_batch_is_read_again_in_order(several: list[CloudEvent]) -> None:
    assert list(from_batch(to_batch(several))) == several


@given(EVENTS)
def test_any_json_reader_understands_a_written_document(event: CloudEvent) -> None:
    read = json.loads(to_structured(event))

    assert read["specversion"] == "1.0"
    assert {"id": event.id, "source": event.source, "type": event.type}.items() <= read.items()
    assert not ({"data", "data_base64"} <= read.keys())


def test_integers_and_booleans_become_text_where_a_transport_knows_only_text() -> None:
    event = CloudEvent("1", "s", "t", extensions={"position": -7, "urgent": True})

    assert to_headers(event, AMQP[0])["cloudEvents_position"] == -7
    for prefixes in (HTTP, MQTT):
        written = to_headers(event, prefixes[0])
        assert (written[f"{prefixes[0]}position"], written[f"{prefixes[0]}urgent"]) == ("-7", "true")
        assert from_headers(written, None, b"", prefixes).extensions == {"position": "-7", "urgent": "true"}


def test_json_stands_in_a_document_as_it_is_and_everything_else_in_base64() -> None:
    def fields(content_type: str, data: bytes) -> Any:
        return json.loads(to_structured(CloudEvent("1", "s", "t", datacontenttype=content_type, data=data)))

    assert fields(JSON, b'{"a": [1, null]}')["data"] == {"a": [1, None]}
    assert fields("", b"null")["data"] is None
    assert fields(MSGPACK[0], b"\x81\xa1a\x01")["data_base64"] == "gaFhAQ=="
    assert fields(JSON, b"{broken")["data_base64"] == "e2Jyb2tlbg=="
    assert fields(JSON, b'"\xff"')["data_base64"] == "Iv8i"
    assert fields(JSON, b" 1\n")["data_base64"] == "IDEK"
    assert fields(JSON, b"").keys().isdisjoint({"data", "data_base64"})


def test_text_that_is_no_json_may_stand_in_a_document_as_text() -> None:
    event = from_structured(document(datacontenttype="text/plain", data="路灯坏了"))

    assert event.data == "路灯坏了".encode()


@pytest.mark.parametrize("prefix", AMQP)
def test_both_separators_of_amqp_are_understood(prefix: str) -> None:
    headers = {f"{prefix}{name}": value for name, value in WHOLE.items()}

    assert from_headers(headers, JSON, b"{}", AMQP) == CloudEvent(
        "A-1", "hotline-12345", "report.submit.v1", datacontenttype=JSON, data=b"{}"
    )


def test_amqps_clients_may_write_bytes_integers_and_times() -> None:
    at = datetime(2026, 11, 23, 1, 10, tzinfo=UTC)

    event = from_headers(
        amqp(id=417, source=b"hotline-12345", time=at, seen=at, count=5, wide=2**40, urgent=True, nothing=None),
        None,
        b"",
        AMQP,
    )

    assert (event.id, event.source, event.time) == ("417", "hotline-12345", at)
    assert event.extensions == {
        "seen": "2026-11-23T01:10:00Z",
        "count": 5,
        "wide": str(2**40),
        "urgent": True,
    }


def test_headers_that_are_none_of_cloudevents_are_not_looked_at() -> None:
    foreign = {"x-death": [{"count": 1}], "traceparent": "00-1-2-03", "ce-id": "B-2", "cloudEventsid": 3}

    assert from_headers({**amqp(), **foreign}, None, b"", AMQP).extensions == {}


def test_user_properties_whose_names_can_be_no_attributes_are_somebody_elses() -> None:
    properties = [*WHOLE.items(), ("Retry-After", "5"), ("x_y", "1"), ("x_y", "2"), ("channel", "village")]

    assert from_headers(properties, None, b"", MQTT).extensions == {"channel": "village"}


def test_the_headers_of_http_are_read_in_any_case_and_percent_decoded_once() -> None:
    headers = {
        "CE-SpecVersion": "1.0",
        "Ce-Id": " A%2D1 ",
        "ce-source": "%E4%BA%91%E5%AE%89",
        "ce-TYPE": '"a \\"quoted\\" \\\\ type"',
        "ce-note": "100%2525",
    }

    event = from_headers(headers, None, b"", HTTP)

    assert event == CloudEvent("A-1", "云安", 'a "quoted" \\ type', extensions={"note": "100%25"})


def test_what_an_event_does_not_say_is_not_there() -> None:
    event = CloudEvent("1", "s", "t")

    assert to_headers(event, "cloudEvents_").keys() == {f"cloudEvents_{name}" for name in WHOLE}
    assert json.loads(to_structured(event)) == {"specversion": "1.0", "id": "1", "source": "s", "type": "t"}
    assert from_structured(document(subject=None, time=None, mood=None)).extensions == {}


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-23T09:10:00+08:00", datetime(2026, 11, 23, 1, 10, tzinfo=UTC)),
        ("2026-11-23t01:10:00.25z", datetime(2026, 11, 23, 1, 10, 0, 250_000, tzinfo=UTC)),
        ("2026-11-23T01:10:00.123456789-00:00", datetime(2026, 11, 23, 1, 10, 0, 123_456, tzinfo=UTC)),
    ],
)
def test_a_time_is_rfc_3339_and_kept_in_utc(text: str, instant: datetime) -> None:
    event = from_structured(document(time=text))

    assert event.time == instant
    assert event.time is not None
    assert event.time.tzinfo is UTC


@pytest.mark.parametrize(
    "content_type", [STRUCTURED, "application/CloudEvents+JSON; charset=UTF-8", f" {STRUCTURED} ;x=y"]
)
def test_a_structured_event_is_known_by_its_content_type_whatever_its_parameters(content_type: str) -> None:
    assert is_structured(content_type)
    assert not is_batch(content_type)


def test_a_batch_is_known_by_its_content_type() -> None:
    assert is_batch(f"{BATCH}; charset=utf-8")
    assert not is_structured(BATCH)
    assert not any(found(content_type) for found in (is_structured, is_batch) for content_type in (None, "", JSON))


def test_a_binary_event_is_known_by_any_attribute_that_every_event_has() -> None:
    assert is_binary({"CE-ID": "1"}, HTTP)
    assert is_binary({"cloudEvents:type": "t"}, AMQP)
    assert is_binary([("source", "s")], MQTT)
    assert not is_binary({"ce-subject": "s", "id": "1"}, HTTP)
    assert not is_binary({"x-death": "1"}, AMQP)
    assert not is_binary([], MQTT)


@pytest.mark.parametrize(
    ("headers", "content_type", "attribute", "words"),
    [
        (amqp(specversion=...), JSON, "specversion", "expected 1.0, found none"),
        (amqp(specversion="0.3"), JSON, "specversion", "found '0.3'"),
        (amqp(specversion=1), JSON, "specversion", "found '1'"),
        (amqp(id=...), JSON, "id", "expected some text, found none"),
        (amqp(id=""), JSON, "id", "expected some text, found none"),
        (amqp(source=""), JSON, "source", "expected some text"),
        (amqp(type=...), JSON, "type", "expected some text"),
        (amqp(id="a\nb"), JSON, "id", "control characters"),
        (amqp(id="a\x85b"), JSON, "id", "control characters"),
        (amqp(id="\ufffe"), JSON, "id", "noncharacters"),
        (amqp(id="\U0010ffff"), JSON, "id", "noncharacters"),
        (amqp(id="\ud800"), JSON, "id", "control characters"),
        (amqp(id="x" * 2049), JSON, "id", "at most 2048 characters, found 2049"),
        (amqp(id=b"\xff"), JSON, "id", "UTF-8"),
        (amqp(id=1.5), JSON, "id", "a value of type float"),
        (amqp(id=[1]), JSON, "id", "a value of type list"),
        (amqp(subject=""), JSON, "subject", "some text or no subject"),
        (amqp(time="yesterday"), JSON, "time", "RFC 3339"),
        (amqp(time="2026-11-23T09:10:00"), JSON, "time", "with an offset"),
        (amqp(time="2026-11-23 09:10:00Z"), JSON, "time", "RFC 3339"),
        (amqp(time="2026-11-23T09:10:00+08:60"), JSON, "time", "RFC 3339"),
        (amqp(time="2026-11-23T09:10:00Z\n"), JSON, "time", "RFC 3339"),
        (amqp(time="2026-02-30T09:10:00Z"), JSON, "time", "of the calendar"),
        (amqp(time="0001-01-01T00:00:00+14:00"), JSON, "time", "years 1 to 9999"),
        (amqp(time=""), JSON, "time", "RFC 3339"),
        (amqp(Mood="good"), JSON, "Mood", "lower-case letters and digits"),
        ({**amqp(), "cloudEvents_": "x"}, JSON, "", "lower-case letters and digits"),
        (amqp(data="x"), JSON, "data", "lower-case letters and digits"),
        (amqp(mood=1.0), JSON, "mood", "a value of type float"),
        (amqp(mood=Decimal(1)), JSON, "mood", "a value of type Decimal"),
        (amqp(mood={"a": 1}), JSON, "mood", "a value of type dict"),
        (amqp(mood=2**64), JSON, "mood", "a value of type int"),
        (amqp(mood="\t"), JSON, "mood", "control characters"),
        (amqp(**{f"x{n}": "y" for n in range(65)}), JSON, "extensions", "at most 64, found 65"),
        ({**amqp(), "cloudEvents:id": "A-1"}, JSON, "id", "it once"),
        (amqp(), "json", "datacontenttype", "a media type such as application/json"),
        (amqp(), STRUCTURED, "datacontenttype", "of the data alone"),
        (amqp(), f"{BATCH}; charset=utf-8", "datacontenttype", "of the data alone"),
        (amqp(datacontenttype="text/plain"), JSON, "datacontenttype", "content type 'application/json'"),
    ],
)
def test_a_fault_names_the_attribute_what_was_expected_and_what_was_found(
    headers: Mapping[str, Any], content_type: str, attribute: str, words: str
) -> None:
    with pytest.raises(BadEvent) as bad:
        from_headers(headers, content_type, b"{}", AMQP)

    assert bad.value.attribute == attribute
    assert words in str(bad.value)
    assert str(bad.value) == f"{attribute}: expected {bad.value.expected}, found {bad.value.found}"
    assert len(str(bad.value)) < 500


@pytest.mark.parametrize(
    ("headers", "attribute"),
    [
        ([("ce-id", "1"), ("CE-ID", "1")], "id"),
        ([("ce-id", "云安")], "id"),
        ([("ce-id", "%FF")], "id"),
        ([("ce-id", "a%0Ab")], "id"),
    ],
)
def test_a_header_of_http_that_its_binding_forbids_is_refused(headers: list[tuple[str, str]], attribute: str) -> None:
    with pytest.raises(BadEvent) as bad:
        from_headers([(f"ce-{name}", value) for name, value in WHOLE.items() if name != "id"] + headers, "", b"", HTTP)

    assert bad.value.attribute == attribute


@pytest.mark.parametrize(
    ("body", "attribute", "words"),
    [
        (b"", "event", "JSON object"),
        (b"[]", "event", "JSON object"),
        (b"null", "event", "JSON object"),
        (b"\xff", "event", "JSON object"),
        (document() + document(), "event", "JSON object"),
        ("\ufeff".encode() + document(), "event", "JSON object"),
        (document().decode().encode("utf-16"), "event", "JSON object"),
        (b"[" * 100_000, "event", "JSON object"),
        (b'{"id":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "event", "nested too deeply"),
        (b'{"data":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}", "event", "nested too deeply"),
        (document(data="x").replace(b'"x"', b"NaN"), "event", "JSON object"),
        (document(data="x").replace(b"x", b"\xff"), "event", "UTF-8"),
        (document(mood="x").replace(b'"x"', b"1e999"), "mood", "value"),
        (document()[:-1] + b',"id":"A-2"}', "id", "it once, found it 2 times"),
        (document()[:-1] + b',"\\u0069d":"A-1"}', "id", "it once, found it 2 times"),
        (document(id=5), "id", "expected text, found a value of type int"),
        (document(id=None), "id", "expected some text, found none"),
        (document(type=True), "type", "expected text"),
        (document(specversion=1.0), "specversion", "expected text"),
        (document(datacontenttype=["application/json"]), "datacontenttype", "expected text"),
        (document(mood=1.5), "mood", "text, an integer or a boolean"),
        (document(mood={}), "mood", "text, an integer or a boolean"),
        (document(mood=10**30), "mood", "a value of type int"),
        (document(MOOD="x"), "MOOD", "lower-case"),
        (document(**{"x" * 3000: "x"}), "x" * 80 + "…", "lower-case"),
        (document(data=1, data_base64="MQ=="), "data", "it once"),
        (document(data_base64="MQ"), "data_base64", "Base64"),
        (document(data_base64="MQ=\n="), "data_base64", "Base64"),
        (document(data_base64=5), "data_base64", "Base64"),
        (document(datacontenttype="text/plain", data={"a": 1}), "data", "text, or data_base64"),
    ],
)
def test_a_document_that_is_no_event_is_refused_by_attribute(body: bytes, attribute: str, words: str) -> None:
    with pytest.raises(BadEvent) as bad:
        from_structured(body)

    assert bad.value.attribute == attribute
    assert words in str(bad.value)
    assert len(str(bad.value)) < 500


def test_a_fault_names_the_event_as_far_as_its_id_can_be_read() -> None:
    for read in (
        lambda **fields: from_structured(document(**fields)),
        lambda **fields: from_headers(amqp(**fields), JSON, b"", AMQP),
    ):
        for fields, event in (({"type": ""}, "A-1"), ({"id": ["A-1"]}, ""), ({"id": "x" * 5000}, "x" * 80 + "…")):
            with pytest.raises(BadEvent) as bad:
                read(**fields)
            assert bad.value.event == event


def test_what_is_wrong_with_one_event_of_a_batch_stands_in_its_place() -> None:
    good, bad = document(), document(id="A-2", type="")

    found = from_batch(b"[" + b",".join((good, bad, b"null", good)) + b"]")

    assert [type(one) for one in found] == [CloudEvent, BadEvent, BadEvent, CloudEvent]
    assert isinstance(found[1], BadEvent)
    assert (found[1].attribute, found[1].event) == ("type", "A-2")


@pytest.mark.parametrize(
    "body", [b"", document(), b"[" + document(), b"\xff", b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000]
)
def test_a_body_that_is_no_list_is_no_batch_at_all(body: bytes) -> None:
    with pytest.raises(BadEvent, match="batch: expected a list of events in JSON"):
        from_batch(body)


def test_a_batch_of_nothing_is_one_and_one_of_too_many_events_is_none() -> None:
    assert from_batch(b"[]") == ()
    assert len(from_batch(b"[" + b",".join([b"0"] * MAX_EVENTS) + b"]")) == MAX_EVENTS
    with pytest.raises(BadEvent, match=f"at most {MAX_EVENTS} events, found {MAX_EVENTS + 1}"):
        from_batch(b"[" + b",".join([b"0"] * (MAX_EVENTS + 1)) + b"]")


def test_a_body_that_is_too_big_is_refused_before_it_is_read() -> None:
    body = b" " * (MAX_BYTES + 1)

    for read in (from_structured, from_batch, lambda b: from_headers(amqp(), JSON, b, AMQP)):
        with pytest.raises(BadEvent, match=f"at most {MAX_BYTES} bytes, found {MAX_BYTES + 1}"):
            read(body)


def test_an_event_that_could_not_be_written_cannot_be_made() -> None:
    for fields in (
        {"id": ""},
        {"type": "a\nb"},
        {"time": datetime(2026, 1, 1)},  # noqa: DTZ001  # the point
        {"extensions": {"time": "x"}},
        {"extensions": {"data": "x"}},
        {"extensions": {"a-b": "x"}},
        {"extensions": {"a": 2**31}},
        {"datacontenttype": "json"},
    ):
        with pytest.raises(BadEvent):
            CloudEvent(**{"id": "1", "source": "s", "type": "t", **fields})  # type: ignore[arg-type]  # drawn


def anything(integers: st.SearchStrategy[int]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none()
        | st.booleans()
        | integers
        | st.floats()
        | st.text(max_size=8)
        | st.binary(max_size=8)
        | st.datetimes()
        | st.datetimes(timezones=OFFSETS)
        | st.decimals(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=4,
    )


ANYTHING = anything(st.integers())
PACKABLE = anything(st.integers(-(2**63), 2**64 - 1))
ANY_NAME = st.sampled_from([*CORE, "data", "data_base64"]) | st.text(max_size=6)
HALF_RIGHT = st.dictionaries(ANY_NAME, ANYTHING, max_size=4).map(lambda some: {**WHOLE, **some})


@given(HALF_RIGHT, st.none() | st.text(max_size=12), st.binary(max_size=12), st.sampled_from([AMQP, HTTP, MQTT]))
def test_no_headers_do_more_than_be_refused(
    attributes: dict[str, Any], content_type: str | None, body: bytes, prefixes: tuple[str, ...]
) -> None:
    headers = {prefixes[0] + name: value for name, value in attributes.items()}

    with contextlib.suppress(BadEvent):
        event = from_headers(headers, content_type, body, prefixes)
        assert from_structured(to_structured(event)) == event


@settings(max_examples=300)
@given(
    st.binary(max_size=60)
    | HALF_RIGHT.map(lambda fields: json.dumps(fields, default=str).encode())
    | st.tuples(st.integers(0, 120), st.binary(max_size=3)).map(lambda cut: _overwritten(document(data=[1]), *cut))
)
def test_no_bytes_do_more_than_be_refused(body: bytes) -> None:
    for read in (from_structured, from_batch, lambda b: from_batch(b"[" + b + b"]")):
        with contextlib.suppress(BadEvent):
            read(body)


def _overwritten(body: bytes, at: int, by: bytes) -> bytes:
    return body[:at] + by + body[at + len(by) :]


ACT = {"call": "019ab1c2d3e4" + "03" * 10, "by": "officer-D15"}


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("", msgspec.json.encode(ACT)),
        (JSON, msgspec.json.encode(ACT)),
        ("application/JSON; charset=UTF-8", msgspec.json.encode(ACT)),
        ('application/act+json; charset="utf-8"', msgspec.json.encode(ACT)),
        *((content_type, msgspec.msgpack.encode(ACT)) for content_type in MSGPACK),
    ],
)
def test_data_is_json_or_messagepack_as_its_content_type_says(content_type: str, data: bytes) -> None:
    event = CloudEvent("1", "s", "call.acknowledge.v1", datacontenttype=content_type, data=data)

    assert decode_data(event, Acknowledge) == Acknowledge(**ACT)


@pytest.mark.parametrize(
    ("content_type", "data", "attribute", "words"),
    [
        ("text/plain", b"{}", "datacontenttype", "application/json or application/vnd.msgpack, found 'text/plain'"),
        ("application/json; charset=gbk", b"{}", "datacontenttype", "charset=utf-8, found 'gbk'"),
        (JSON, b"", "data", "application/json"),
        (JSON, b"{}", "data", "missing required field `call`"),
        (JSON, b'{"call": "\xff"}', "data", "UTF-8"),
        (JSON, b'{"call": NaN}', "data", "application/json"),
        (JSON, b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "data", "unknown field `x`"),
        (JSON, msgspec.msgpack.encode(ACT), "data", "application/json"),
        (MSGPACK[0], msgspec.json.encode(ACT), "data", "call.acknowledge.v1"),
        (MSGPACK[0], b"\xc1", "data", "application/vnd.msgpack"),
        (MSGPACK[0], b"", "data", "application/vnd.msgpack"),
        (MSGPACK[0], b"\x81\xa4call\xa1\xff", "data", "UTF-8"),
    ],
)
def test_data_of_another_form_is_refused(content_type: str, data: bytes, attribute: str, words: str) -> None:
    event = CloudEvent("A-1", "s", "call.acknowledge.v1", datacontenttype=content_type, data=data)

    with pytest.raises(BadEvent) as bad:
        decode_data(event, Acknowledge)

    assert bad.value.attribute == attribute
    assert bad.value.event == "A-1"
    assert words in str(bad.value)


@pytest.mark.parametrize("content_type", [JSON, MSGPACK[0]])
def test_data_nested_too_deeply_is_refused(content_type: str) -> None:
    deep = b'{"x":' * 100_000 if content_type == JSON else b"\x91" * 100_000
    event = CloudEvent("A-1", "s", "t", datacontenttype=content_type, data=deep)

    with pytest.raises(BadEvent):
        decode_data(event, dict[str, Any])
    with pytest.raises(BadEvent, match="nested too deeply"):
        decode_data(event, Any)


FIELDS = sorted({field for struct in RECEIVED.values() for field in struct.__struct_fields__})
HALF_AN_ACT = st.dictionaries(st.sampled_from(FIELDS), PACKABLE, max_size=4).map(lambda some: {**ACT, **some})
PACKED = (PACKABLE | HALF_AN_ACT).map(lambda value: msgspec.msgpack.encode(value, enc_hook=str))


@pytest.mark.parametrize("name", RECEIVED)
@given(
    data=st.binary(max_size=60) | PACKED | HALF_AN_ACT.map(lambda value: json.dumps(value, default=str).encode()),
    content_type=st.sampled_from([JSON, MSGPACK[0]]),
)
def test_no_data_does_more_than_be_refused(name: str, data: bytes, content_type: str) -> None:
    event = CloudEvent("1", "s", name, datacontenttype=content_type, data=data)

    with contextlib.suppress(BadEvent):
        assert isinstance(decode_data(event, RECEIVED[name]), RECEIVED[name])


def test_what_counts_as_json() -> None:
    assert all(map(is_json, ("", None, JSON, "text/json", "application/vnd.x+json; a=b")))
    assert not any(map(is_json, ("text/plain", MSGPACK[0], "application/jsonl")))
