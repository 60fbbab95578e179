"""The messages of the edges: every one has a name and a promise of bytes, and what comes in is checked by field."""

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from events.carried import edge_event, edge_of
from events.catalog import REQUESTS
from events.cloudevents import AMQP, BadEvent, from_headers, to_headers
from events.edge import ACTS, EDGE, NAMES, RECEIVED, SENT, TURN_OUT_ACTS, ReportLine
from events.patterns import END
from tests.golden import samples
from tests.unit.drawn import any_of

CALL = samples.CALL
ACT = {"call": CALL, "by": "officer-D15"}
TURN_OUT_ACT = {"mobilisation": samples.MOBILISATION, "by": "officer-D15"}
WHOLE: dict[str, dict[str, Any]] = {
    "report.submit.v1": {"id": "1", "time": "2026-11-23T09:10:00+08:00", "title": "路灯坏了", "text": ""},
    "call.acknowledge.v1": ACT,
    "call.report-in.v1": {**ACT, "people": 20},
    "call.contact-reporter.v1": ACT,
    "call.note.v1": {**ACT, "note": "已到现场。"},
    "call.file-result.v1": {**ACT, "solved": "partly", "account": "查获挖机一台。"},
    "mobilisation.confirm.v1": {**TURN_OUT_ACT, "numbers": ("LD-0042",)},
    "mobilisation.decline.v1": {**TURN_OUT_ACT, "number": "LD-0042", "ground": "ill"},
    "mobilisation.muster.v1": {**TURN_OUT_ACT, "numbers": ("LD-0042",)},
    "words.open.v1": ACT,
}


@pytest.mark.parametrize("name", EDGE)
@pytest.mark.parametrize("form", ["json", "msgpack"])
def test_the_bytes_of_a_released_message_decode_to_what_it_said(name: str, form: str) -> None:
    decode: Any = msgspec.json.decode if form == "json" else msgspec.msgpack.decode

    written = (samples.GOLDEN / f"{name}.edge.{form}").read_bytes()

    assert decode(written, type=EDGE[name]) == samples.EDGE[name]


@pytest.mark.parametrize("name", EDGE)
def test_a_message_is_encoded_as_it_always_was(name: str) -> None:
    assert msgspec.msgpack.encode(samples.EDGE[name]) == (samples.GOLDEN / f"{name}.edge.msgpack").read_bytes()


@pytest.mark.parametrize("name", EDGE)
def test_a_sample_fills_in_every_field_so_that_every_field_is_kept(name: str) -> None:
    fields = msgspec.structs.fields(EDGE[name])
    sample = samples.EDGE[name]

    assert type(sample) is EDGE[name]
    assert [field.name for field in fields if not field.required and getattr(sample, field.name) == field.default] == []


def test_every_message_has_one_name_and_comes_in_or_goes_out() -> None:
    assert EDGE.keys() == RECEIVED.keys() | SENT.keys()
    assert RECEIVED.keys().isdisjoint(SENT)
    assert ACTS.keys() < RECEIVED.keys()
    assert {struct: name for name, struct in EDGE.items()} == NAMES
    assert len(NAMES) == len(EDGE) == len(samples.EDGE)
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+(-[a-z]+)*\.v[1-9][0-9]*", name) for name in EDGE)


@pytest.mark.parametrize("name", EDGE)
@given(data=st.data())
def test_every_message_of_any_content_passes_its_envelope_as_json_and_as_messagepack(
    name: str, data: st.DataObject
) -> None:
    message: Struct = data.draw(any_of(EDGE[name]))

    for content_type in ("application/json", "application/vnd.msgpack"):
        event = edge_event(message, "A-1", "hotline-12345", samples.REPORTED, content_type=content_type)
        heard = from_headers(to_headers(event, AMQP[0]), event.datacontenttype, event.data, AMQP)

        assert heard.type == name
        assert edge_of(heard, EDGE) == message


def test_a_message_says_in_its_envelope_who_sent_it_when_and_about_what() -> None:
    event = edge_event(
        samples.EDGE["case.news.v1"],
        "N-1",
        "/hujiao/445303",
        samples.LATER,
        subject="LD4K7M2XQ9TRA",
        extensions={"correlation": samples.REPORT},
    )

    assert (event.id, event.source, event.type) == ("N-1", "/hujiao/445303", "case.news.v1")
    assert (event.time, event.subject, event.datacontenttype) == (samples.LATER, "LD4K7M2XQ9TRA", "application/json")
    assert event.extensions == {"correlation": samples.REPORT}


def test_a_door_takes_only_the_types_that_it_accepts() -> None:
    event = edge_event(samples.EDGE["words.open.v1"], "A-1", "dept.mc.d07", samples.REPORTED)

    with pytest.raises(BadEvent) as bad:
        edge_of(event, ACTS)

    assert bad.value.attribute == "type"
    assert "call.note.v1" in bad.value.expected
    assert (bad.value.found, bad.value.event) == ("'words.open.v1'", "A-1")


@pytest.mark.parametrize("name", RECEIVED)
def test_what_must_be_said_is_enough(name: str) -> None:
    message = msgspec.convert(WHOLE[name], RECEIVED[name])

    assert msgspec.to_builtins(message).items() >= {k: v for k, v in WHOLE[name].items() if k != "time"}.items()


@pytest.mark.parametrize("name", RECEIVED)
def test_a_field_that_must_be_there_is_named_when_it_is_missing(name: str) -> None:
    for missing in WHOLE[name]:
        with pytest.raises(msgspec.ValidationError, match=f"`{missing}`"):
            msgspec.convert({field: value for field, value in WHOLE[name].items() if field != missing}, RECEIVED[name])


@pytest.mark.parametrize("name", [*ACTS, "words.open.v1"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("call", "019AB1C2D3E4" + "03" * 10),
        ("call", CALL[:-1]),
        ("call", CALL + "\n"),
        ("call", ""),
        ("by", ""),
        ("by", "x" * 101),
        ("by", 7),
        ("department", "D" * 21),
        ("depratment", "D15"),
    ],
)
def test_a_field_that_cannot_be_taken_is_named(name: str, field: str, value: Any) -> None:
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.convert({**WHOLE[name], field: value}, RECEIVED[name])


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("call.report-in.v1", "people", 0),
        ("call.report-in.v1", "people", 5001),
        ("call.report-in.v1", "people", "20"),
        ("call.note.v1", "note", "字" * 20_001),
        ("call.note.v1", "note", {"private": "sealed", "key": CALL, "box": "aGk="}),
        ("call.file-result.v1", "solved", "maybe"),
        ("call.file-result.v1", "account", None),
        ("call.file-result.v1", "reply", "字" * 20_001),
    ],
)
def test_what_an_act_says_is_bounded_and_in_clear(name: str, field: str, value: Any) -> None:
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.convert({**WHOLE[name], field: value}, RECEIVED[name])


def test_an_act_is_the_request_without_what_identity_and_the_call_say() -> None:
    requests = {str(request.__struct_config__.tag): request for request in REQUESTS}
    for name, act in {**ACTS, **TURN_OUT_ACTS}.items():
        ours = {"case", "rosters"}
        assert set(act.__struct_fields__) | ours == set(requests[name].__struct_fields__) | ours


def test_a_field_of_a_report_that_nobody_knows_is_left_out_and_never_refused() -> None:
    line = msgspec.convert({**WHOLE["report.submit.v1"], "mood": "bad"}, ReportLine)

    assert line.title == "路灯坏了"


def test_a_pattern_ends_where_the_text_ends() -> None:
    assert re.search(rf"^a{END}", "a")
    assert not re.search(rf"^a{END}", "a\n")
    assert not re.search(rf"^a{END}", "ab")


def test_every_message_says_in_chinese_what_it_is_or_whose_answer_it_is() -> None:
    for name, struct in EDGE.items():
        said = struct.__doc__ or ""
        assert re.search("[\u4e00-\u9fff]", said) or "answer to" in said or name == "report.submit.v1", name
