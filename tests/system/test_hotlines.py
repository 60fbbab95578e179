"""A hotline publishes reports over a real RabbitMQ and is answered, whatever it sends and however it sends it."""

import asyncio
import base64
import struct
from collections.abc import Callable, Collection
from hashlib import sha256
from typing import Any, NamedTuple

import pytest
from aio_pika import IncomingMessage
from aio_pika.exceptions import AMQPError
from aiormq.abc import DeliveredMessage
from pamqp import encode
from pamqp.commands import Basic

from events.report import ReportSubmitted, ReportWords
from services.intake.receipt import make_receipt
from tests.system.edges import (
    BATCH,
    HOTLINE,
    JSON,
    MSGPACK,
    OTHER_HOTLINE,
    STRUCTURED,
    VILLAGE,
    Edges,
    Event,
    Letter,
    Outside,
    Sent,
    batch,
    binary,
    connected,
    dead_letter,
    encoded,
    event,
    fresh,
    letter,
    operator,
    outside,
    own_queue,
    report,
    structured,
    submit,
    until,
)

MODES: dict[str, Callable[[Event], Sent]] = {
    "binary JSON": binary,
    "binary JSON with a charset": lambda said: binary(said, "application/json; charset=utf-8"),
    "binary MessagePack": lambda said: binary(said, MSGPACK),
    "binary MessagePack by its old name": lambda said: binary(said, "application/x-msgpack"),
    "binary with the colon of AMQP 1.0": lambda said: binary(said, prefix="cloudEvents:"),
    "structured JSON": structured,
    "structured MessagePack": lambda said: structured(said, MSGPACK),
    "a batch of one": lambda said: batch([said]),
}


def received(answer: Letter) -> bool:
    return answer.type == "report.received.v1"


def names(record: str) -> Callable[[Letter], bool]:
    """Whether a message is about this record or event."""
    return lambda came: record.encode() in came.body


def receipts_of(records: Collection[str]) -> Callable[[Letter], bool]:
    """Whether a message is the receipt of one of these."""
    return lambda came: received(came) and came.data["record"] in records


async def test_whoever_sees_nothing_but_a_tool_can_read_an_answer(edges: Edges) -> None:
    said = submit()

    async with outside(edges, HOTLINE) as hotline:
        answer = await hotline.ask(binary(said))

    assert answer.type == "report.received.v1"
    assert answer.content_type == JSON
    assert answer.headers["cloudEvents_specversion"] == "1.0"
    assert answer.headers["cloudEvents_source"] == "/hujiao/445303"
    assert answer.headers["cloudEvents_time"].endswith("Z")
    assert said.id in answer.id
    assert answer.data["record"] == said.data["id"]
    assert answer.data["receipt"].startswith("LD")
    assert answer.data["repeated"] is False


@pytest.mark.parametrize("mode", MODES)
async def test_a_report_is_taken_in_every_mode_and_its_receipt_comes_to_the_hotlines_own_queue(
    edges: Edges, mode: str
) -> None:
    said = submit()
    before = edges.head()

    async with outside(edges, HOTLINE) as hotline:
        answer = await hotline.ask(MODES[mode](said))

    found = edges.report(HOTLINE, said.data["id"], before)
    assert found is not None
    assert isinstance(found.fact, ReportSubmitted)
    assert (found.fact.receipt, found.fact.matter) == (answer.data["receipt"], "501")
    assert found.meta.actor == HOTLINE
    assert received(answer)
    with edges.vault() as vault:
        words = vault.open(found.fact.words, ReportWords, "a test", "to see what was kept", found.meta.recorded_at)
    assert (words.title, words.text) == (said.data["title"], said.data["text"])


async def test_whoever_writes_messagepack_is_answered_in_messagepack(edges: Edges) -> None:
    async with outside(edges, HOTLINE) as hotline:
        answer = await hotline.ask(binary(submit(), MSGPACK))

    assert answer.content_type == MSGPACK
    assert received(answer)


async def test_without_correlation_an_answer_carries_the_messages_id_and_without_that_the_events(
    edges: Edges,
) -> None:
    named, unnamed = submit(), submit()
    properties = Raw()
    properties.raw = _raw(event=unnamed.id.encode())

    async with outside(edges, HOTLINE) as hotline:
        await hotline.send(binary(named), message_id="m-1")
        await _publish_raw(hotline, binary(unnamed), properties)
        first = await hotline.hear(names(named.data["id"]))
        second = await hotline.hear(names(unnamed.data["id"]))

    assert first.correlation_id == "m-1"
    assert second.correlation_id == unnamed.id


async def test_an_answer_goes_to_direct_reply_to_where_that_is_asked_for_and_not_to_the_queue(edges: Edges) -> None:
    said = submit()

    async with outside(edges, HOTLINE) as hotline:
        direct: asyncio.Queue[Letter] = asyncio.Queue()
        await _hear_directly(hotline, direct)
        await hotline.send(binary(said), reply_to="amq.rabbitmq.reply-to", correlation_id="direct-1")
        answer = await asyncio.wait_for(direct.get(), 30)
        await hotline.ask(binary(submit()))  # what came before it has come

        assert hotline.got(names(said.data["id"])) == []
    assert (answer.correlation_id, answer.data["record"]) == ("direct-1", said.data["id"])


@pytest.mark.parametrize(
    "to", ["replies.police-110", "department.LD.D07", "intake", "amq.gen-x", "amq.rabbitmq.reply-to.made.up"]
)
async def test_no_other_reply_to_leads_anywhere_but_to_the_senders_own_queue_or_nowhere(edges: Edges, to: str) -> None:
    said = submit()
    before = edges.head()

    async with outside(edges, HOTLINE) as hotline, outside(edges, OTHER_HOTLINE) as other:
        await hotline.send(binary(said), reply_to=to)
        await hotline.ask(binary(submit()))
        await other.ask(binary(submit()))

        assert len(hotline.got(names(said.data["id"]))) == (0 if to.startswith("amq.rabbitmq.") else 1)
        assert other.got(names(said.data["id"])) == []
    assert edges.report(HOTLINE, said.data["id"], before) is not None


async def test_whoever_asked_directly_and_has_gone_can_ask_again(edges: Edges) -> None:
    said = submit()
    async with outside(edges, HOTLINE, deaf=True) as hotline:
        await _hear_directly(hotline, asyncio.Queue())
        await hotline.send(binary(said), reply_to="amq.rabbitmq.reply-to")

    async with outside(edges, HOTLINE) as hotline:
        answer = await hotline.ask(binary(said))

    assert received(answer)


async def test_the_same_report_again_gets_the_same_receipt_in_whatever_mode(edges: Edges) -> None:
    line = report(fresh())
    before = edges.head()

    async with outside(edges, HOTLINE) as hotline:
        answers = [await hotline.ask(write(event("report.submit.v1", line))) for write in MODES.values()]

    assert {answer.data["receipt"] for answer in answers} == {answers[0].data["receipt"]}
    assert [answer.data["repeated"] for answer in answers] == [False] + [True] * (len(MODES) - 1)
    assert sum(isinstance(recorded.fact, ReportSubmitted) for recorded in edges.since(before)) == 1


async def test_the_same_number_with_other_words_is_a_conflict_and_nothing_of_it_is_kept(edges: Edges) -> None:
    record = fresh()
    async with outside(edges, HOTLINE) as hotline:
        await hotline.ask(binary(submit(record)))
        before = edges.head()

        answer = await hotline.ask(binary(submit(record, text="别的话")))

    assert answer.type == "request.not-taken.v1"
    assert answer.data["kind"] == "conflict"
    assert f"{HOTLINE}/{record}" in answer.data["reason"]
    assert not any(
        isinstance(recorded.fact, ReportSubmitted) and recorded.fact.record == record
        for recorded in edges.since(before)
    )


async def test_two_hotlines_may_use_the_same_number(edges: Edges) -> None:
    record = fresh()

    async with outside(edges, HOTLINE) as one, outside(edges, OTHER_HOTLINE) as other:
        first, second = await one.ask(binary(submit(record))), await other.ask(binary(submit(record, text="别的话")))

    assert received(first)
    assert received(second)
    assert first.data["receipt"] != second.data["receipt"]


class Bad(NamedTuple):
    """What a hotline sends, and what it and the dead letters are told."""

    send: Callable[[str], Sent]
    kind: str
    reason: str


def _line(**fields: Any) -> Callable[[str], Sent]:
    return lambda record: binary(submit(record, **fields))


def _attributes(**attributes: Any) -> Callable[[str], Sent]:
    def send(record: str) -> Sent:
        said = submit(record)
        return binary(event("report.submit.v1", said.data, **attributes))

    return send


REFUSED = {
    "no JSON": Bad(lambda record: binary(event("report.submit.v1", b"{" + record.encode())), "malformed", "data:"),
    "no UTF-8": Bad(
        lambda record: binary(event("report.submit.v1", b'{"id":"\xff' + record.encode())), "malformed", "data:"
    ),
    "no event": Bad(lambda record: Sent({}, JSON, encoded(report(record))), "malformed", "specversion:"),
    "another version": Bad(_attributes(specversion="0.3"), "malformed", "specversion: expected 1.0, found '0.3'"),
    "no id": Bad(_attributes(id=None), "malformed", "id: expected some text, found none"),
    "no source": Bad(_attributes(source=None), "malformed", "source: expected some text, found none"),
    "another type": Bad(_attributes(type="report.submit.v2"), "malformed", "type: expected one of report.submit.v1"),
    "a department's act": Bad(_attributes(type="call.acknowledge.v1"), "malformed", "type: expected one of"),
    "a fact of ours": Bad(_attributes(type="report.submitted.v1"), "malformed", "type: expected one of"),
    "another content type": Bad(lambda record: binary(submit(record), "text/plain"), "malformed", "datacontenttype:"),
    "no content type at all": Bad(
        lambda record: binary(event("report.submit.v1", record.encode()))._replace(content_type=None),
        "malformed",
        "data:",
    ),
    "structured, no object": Bad(
        lambda record: Sent({}, STRUCTURED, encoded([record])), "malformed", "event: expected one JSON object"
    ),
    "no title": Bad(_line(title=None), "malformed", "title"),
    "no words": Bad(_line(title=" ", text=""), "malformed", "text: expected words or an attachment"),
    "a number as its time": Bad(_line(time=1), "malformed", "time"),
    "no offset": Bad(_line(time="2026-11-23T09:10:00"), "malformed", "time"),
    "the day after tomorrow": Bad(_line(time="2099-01-01T00:00:00Z"), "malformed", "time: expected between"),
    "before everything": Bad(_line(time="1999-12-31T00:00:00Z"), "malformed", "time: expected between"),
    "no place": Bad(_line(village=None), "malformed", "village: expected a village or a town of the district"),
    "a village of nowhere": Bad(_line(village="999999999999"), "malformed", "village: expected the statistics code"),
    "a town of nowhere": Bad(_line(village=None, town="XX"), "malformed", "town: expected one of"),
    "a village of another town": Bad(_line(town="GC"), "malformed", "village: expected a village of town GC"),
    "an unknown matter": Bad(_line(matter="000"), "malformed", "matter: expected a code of the catalogue"),
    "too many words": Bad(_line(text="字" * 20_001), "malformed", "text"),
    "another hotline's name": Bad(_line(source=OTHER_HOTLINE), "not_allowed", f"source: expected {HOTLINE}"),
    "a terminal's name": Bad(_line(source="app-ld"), "not_allowed", f"source: expected {HOTLINE}"),
    "a name of ours": Bad(_line(source="reaction"), "malformed", "source: expected the sender's own name"),
    "an attachment without bytes": Bad(
        _line(attachments=[{"name": "a.jpg", "media_type": "image/jpeg", "sha256": "0" * 64}]),
        "malformed",
        "attachments: expected the bytes of a.jpg",
    ),
    "an attachment of ours": Bad(
        _line(attachments=[{"name": "a", "media_type": "text/plain", "sha256": "0" * 64, "path": "/etc/passwd"}]),
        "malformed",
        "attachments: expected the bytes of a",
    ),
    "another attachment than it says": Bad(
        _line(attachments=[{"name": "a.jpg", "media_type": "image/jpeg", "sha256": "0" * 64, "data": "aGFsbG8="}]),
        "malformed",
        "attachments: expected a.jpg with SHA-256 0000",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_cannot_be_taken_is_refused_with_its_reason_and_goes_to_the_dead_letters(
    edges: Edges, what: str
) -> None:
    bad, record = REFUSED[what], fresh()
    before = edges.head()

    async with outside(edges, HOTLINE) as hotline:
        answer = await hotline.ask(bad.send(record))
    dead = await dead_letter(edges, names(record))

    assert (answer.type, answer.data["kind"]) == ("request.not-taken.v1", bad.kind)
    assert bad.reason in answer.data["reason"]
    assert dead.headers["hujiao-from"] == HOTLINE
    assert (dead.headers["hujiao-kind"], dead.headers["hujiao-reason"]) == (bad.kind, answer.data["reason"])
    assert edges.since(before) == [] or edges.report(HOTLINE, record, before) is None
    assert any(
        line["event"] == "not_taken" and line["user"] == HOTLINE and line["reason"] == answer.data["reason"]
        for line in edges.log_of("intake")
    )


async def test_the_good_events_of_a_batch_are_taken_and_the_bad_ones_refused_each_by_itself(edges: Edges) -> None:
    good = [submit() for _ in range(3)]
    bad = submit(village="1")
    sent = batch([good[0], bad, good[1], {"id": "torso", "specversion": "1.0"}, good[2]])

    async with outside(edges, HOTLINE) as hotline:
        await hotline.send(sent, correlation_id=(asked := fresh("c")))
        answers = await hotline.hear_all(lambda came: came.correlation_id == asked, 5)
    async with operator(edges) as looks:
        await looks.hear(names(bad.data["id"]))
        dead = looks.got(names(bad.data["id"]))

    assert sorted(answer.data["record"] for answer in answers if received(answer)) == sorted(
        said.data["id"] for said in good
    )
    refusals = {answer.data["event"]: answer.data["reason"] for answer in answers if not received(answer)}
    assert "village: expected the statistics code" in refusals[bad.id]
    assert "expected some text, found none" in refusals["torso"]
    assert len(dead) == 1
    assert "event 1: village: expected" in dead[0].headers["hujiao-reason"]
    assert "event 3: source: expected" in dead[0].headers["hujiao-reason"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[]", "batch: expected at least one event, found none"),
        (b"{}", "batch: expected a list of events"),
        (b"[" + b"{}," * 1000 + b"{}]", "batch: expected at most 1000 events, found 1001"),
        (b"[" * 60_000, "batch: expected a list of events"),
    ],
)
async def test_a_batch_that_is_none_is_refused_as_a_whole(edges: Edges, body: bytes, reason: str) -> None:
    async with outside(edges, HOTLINE) as hotline:
        answer = await hotline.ask(Sent({}, BATCH, body))

    assert answer.data["kind"] == "malformed"
    assert reason in answer.data["reason"]


async def test_the_largest_batch_is_taken_whole_and_in_order(edges: Edges) -> None:
    said = [submit(title="问", text="问一下") for _ in range(1000)]
    before = edges.head()

    async with outside(edges, HOTLINE) as hotline:
        await hotline.send(batch(said), correlation_id=(asked := fresh("c")))
        answers = await hotline.hear_all(lambda came: came.correlation_id == asked, 1000)

    records = [one.data["id"] for one in said]
    facts = [recorded.fact for recorded in edges.since(before)]
    assert [fact.record for fact in facts if isinstance(fact, ReportSubmitted)] == records
    assert [answer.data["record"] for answer in answers] == records


async def test_attachments_are_kept_in_the_vault(edges: Edges) -> None:
    photo = bytes(range(256)) * 400
    note = {"name": "路.jpg", "media_type": "image/jpeg", "sha256": sha256(photo).hexdigest()}
    as_text, as_bytes = submit(attachments=[{**note, "data": base64.b64encode(photo).decode()}]), submit()
    as_bytes.data["attachments"] = [{**note, "data": photo}]

    async with outside(edges, HOTLINE) as hotline:
        answers = [await hotline.ask(structured(as_text)), await hotline.ask(binary(as_bytes, MSGPACK))]

    assert all(received(answer) for answer in answers)
    with edges.vault() as vault:
        kept = [vault.attachment(answer.data["report"], note["sha256"]) for answer in answers]
    assert kept == [photo, photo]


async def test_two_hundred_reports_in_one_go_are_recorded_and_answered_in_their_order(edges: Edges) -> None:
    said = [submit() for _ in range(200)]
    records = [one.data["id"] for one in said]
    before = edges.head()

    async with outside(edges, HOTLINE) as hotline:
        for one in said:
            await hotline.send(binary(one))
        answers = await hotline.hear_all(receipts_of(records), len(said))

    facts = [recorded.fact for recorded in edges.since(before)]
    assert [fact.record for fact in facts if isinstance(fact, ReportSubmitted)] == records
    assert [answer.data["record"] for answer in answers] == records


async def test_a_hotline_that_knows_its_key_computes_its_receipts_itself(edges: Edges) -> None:
    here, there = submit(), submit(village=None, town="GC")
    shown = edges.township.hujiao("receipt-key", HOTLINE, "--by", "李四", "--json")
    key = bytes.fromhex(shown["key"])

    async with outside(edges, HOTLINE) as hotline:
        answers = [await hotline.ask(binary(one)) for one in (here, there)]

    assert [answer.data["receipt"] for answer in answers] == [
        make_receipt(key, "LD", HOTLINE, here.data["id"]),
        make_receipt(key, "GC", HOTLINE, there.data["id"]),
    ]
    assert shown["example"]["receipt"] == make_receipt(key, "LD", HOTLINE, shown["example"]["record"])
    assert edges.openings(HOTLINE)[-1] == ("李四", f"receipt key of {HOTLINE}")


AWKWARD: dict[str, dict[str, Any]] = {
    "an event's id of 2,048 characters": {"event": {"id": "x" * 2048}},
    "an event's id of 600 Chinese characters": {"event": {"id": "号" * 600}},
    "an event's id that is no file name": {"event": {"id": "../../%2f?#&\"'\\"}},
    "a correlation of 255 characters": {"correlation_id": "c" * 255},
    "a message's id of 255 characters": {"message_id": "m" * 255},
    "a message's id with control characters": {"message_id": "a\x01b\x00c"},
    "headers almost as long as a frame": {"headers": {"x": "y" * 130_000}},
    "headers of every kind": {
        "headers": {
            "list": [1, [2]],
            "table": {"a": {"b": None}},
            "none": None,
            "float": 1.5,
            "yes": True,
            "big": 2**60,
        }
    },
    "CC and BCC": {"headers": {"CC": ["intake", "dead", "department.LD.D07"], "BCC": ["acts"]}},
    "our own names in headers": {
        "headers": {"hujiao-from": "svc.intake", "hujiao-unreadable": "ha", "x-death": [{"a": 1}]}
    },
}


@pytest.mark.parametrize("broken", [False, True], ids=["a good report", "a bad one"])
@pytest.mark.parametrize("what", AWKWARD)
async def test_whatever_stands_in_properties_and_headers_the_sender_is_answered_and_the_door_stays_open(
    edges: Edges, what: str, broken: bool
) -> None:
    awkward = dict(AWKWARD[what])
    record = fresh()
    said = submit(record, village="1" if broken else VILLAGE)
    said = event("report.submit.v1", said.data, **awkward.pop("event", {}))
    before = edges.pids()

    async with outside(edges, HOTLINE) as hotline:
        await hotline.send(binary(said), **awkward)
        answer = await hotline.hear(lambda came: record.encode() in came.body or not received(came))
        if broken:
            await dead_letter(edges, names(record))
        after = await hotline.ask(binary(submit()))

    unreadable = "hujiao-unreadable" in awkward.get("headers", {})
    assert received(answer) is not (broken or unreadable)
    assert received(after)
    assert edges.pids() == before


class Raw(Basic.Properties):
    """Properties in bytes of our own choice."""

    raw = b""

    def marshal(self) -> bytes:
        return self.raw


def _short(text: bytes) -> bytes:
    return bytes([len(text)]) + text


def _long(text: bytes) -> bytes:
    return struct.pack(">I", len(text)) + text


def _nested(depth: int) -> bytes:
    value = b"V"
    for _ in range(depth):
        value = b"A" + _long(value)
    return value


_FLAGS = {
    "content_type": 15,
    "headers": 13,
    "correlation_id": 10,
    "reply_to": 9,
    "message_id": 7,
    "timestamp": 6,
    "type": 5,
}


def _raw(
    headers: bytes = b"", content_type: bytes = b"application/json", event: bytes = b"raw", **also: bytes
) -> bytes:
    """The properties of a report: its attributes, more headers after them, and other properties in their order."""
    attributes = {"specversion": b"1.0", "type": b"report.submit.v1", "source": b"//example.org", "id": event}
    ours = b"".join(_short(f"cloudEvents_{name}".encode()) + b"S" + _long(value) for name, value in attributes.items())
    flags = sum(1 << _FLAGS[name] for name in ("content_type", "headers", *also))
    return struct.pack(">H", flags) + _short(content_type) + _long(ours + headers) + b"".join(also.values())


JUNK = {
    "a header's name that is no UTF-8": _raw(headers=_short(b"\xff\xfe") + b"S" + _long(b"x")),
    "a header's value that is no UTF-8": _raw(headers=_short(b"x") + b"S" + _long(b"\xff\xfe")),
    "an attribute that is no UTF-8": _raw(headers=_short(b"cloudEvents_subject") + b"S" + _long(b"\xff\xfe")),
    "a header of the year 292278994": _raw(headers=_short(b"x") + b"T" + struct.pack(">Q", 2**63)),
    "a header as deep as a well": _raw(headers=_short(b"x") + _nested(3000)),
    "a header of 2**200": _raw(headers=_short(b"x") + b"D" + struct.pack(">BI", 200, 1)),
    "bytes": _raw(headers=_short(b"x") + b"x" + _long(b"\xff\xfe")),
    "a content type that is no UTF-8": _raw(content_type=b"\xff\xfe"),
    "a message's id that is no UTF-8": _raw(message_id=_short(b"\xff\xfe")),
    "a correlation that is no UTF-8": _raw(correlation_id=_short(b"\xff\xfe")),
    "a reply-to that is no UTF-8": _raw(reply_to=_short(b"amq.rabbitmq.reply-to.\xff\xfe")),
    "a type that is no UTF-8": _raw(type=_short(b"\xff\xfe")),
    "a time of the year 584556019": _raw(timestamp=struct.pack(">Q", 2**64 - 1)),
}


@pytest.mark.parametrize("what", JUNK)
async def test_no_bytes_of_one_sender_silence_the_door_of_all(edges: Edges, what: str) -> None:
    record = fresh()
    properties = Raw()
    properties.raw = JUNK[what]
    before, head = edges.pids(), edges.head()

    async with outside(edges, HOTLINE) as hotline:
        await _publish_raw(hotline, Sent({}, JSON, encoded(report(record))), properties)
        await hotline.hear(lambda came: True, "any answer to junk")
        after = await hotline.ask(binary(submit()))

    assert received(after)
    assert edges.pids() == before
    if edges.report(HOTLINE, record, head) is None:
        dead = await dead_letter(edges, names(record))
        assert dead.headers["hujiao-kind"] == "malformed"


async def test_a_routing_key_that_is_no_utf_8_changes_nothing(edges: Edges, monkeypatch: pytest.MonkeyPatch) -> None:
    said = submit()
    monkeypatch.setitem(
        encode.METHODS, "shortstr", lambda text: _short(b"\xff\xfe") if text == "KEY" else _short(text.encode())
    )

    async with outside(edges, HOTLINE) as hotline:
        answer = await hotline.ask(binary(said), key="KEY")

    assert received(answer)


async def test_a_report_with_control_characters_in_every_word_is_taken_and_reaches_the_views(edges: Edges) -> None:
    nul = "a\x00b\x1b[31m\u202e\ufffe"
    said = submit(title=nul, text=nul, place=nul, reporter=nul, contact={"name": nul, "phone": "\x00"})

    async with outside(edges, HOTLINE) as hotline:
        answer = await hotline.ask(binary(said))

    assert received(answer)
    receipt = answer.data["receipt"]
    await until(
        lambda: edges.rows(f"SELECT 1 FROM views.reports WHERE receipt = '{receipt}'"), "the report in the views"
    )


async def test_what_comes_while_intake_is_away_is_taken_when_it_is_back(edges: Edges) -> None:
    said = [submit() for _ in range(20)]
    records = [one.data["id"] for one in said]
    intake = edges.township.services["intake"]

    async with outside(edges, HOTLINE) as hotline:
        intake.kill()
        for one in said:
            await hotline.send(binary(one))
        await asyncio.to_thread(intake.start)
        answers = await hotline.hear_all(receipts_of(records), 20)

    assert [answer.data["record"] for answer in answers] == records


async def _hear_directly(hotline: Outside, heard: "asyncio.Queue[Letter]") -> None:
    """Listen at direct reply-to, which has to be the channel that asks."""
    under = await hotline.channel.get_underlay_channel()

    async def hear(message: DeliveredMessage) -> None:
        await heard.put(letter(IncomingMessage(message, no_ack=True)))

    await under.basic_consume("amq.rabbitmq.reply-to", hear, no_ack=True)


async def _publish_raw(hotline: Outside, sent: Sent, properties: Basic.Properties) -> None:
    """Publish with nothing between us and the broker that would put properties right."""
    under = await hotline.channel.get_underlay_channel()
    await under.basic_publish(sent.body, exchange=f"from.{hotline.user}", properties=properties)


async def test_wrong_password_and_unknown_users_are_not_let_in(edges: Edges) -> None:
    good = edges.township.amqp_url(HOTLINE)
    password = edges.township.password(HOTLINE)

    for url in (good.replace(password, "x" * 32), good.replace(HOTLINE, "hotline-99999")):
        with pytest.raises(AMQPError):
            async with connected(url):
                pass

    assert "Error on AMQP connection" in edges.broker_log() or "refused" in edges.broker_log()
    assert own_queue(HOTLINE) == "replies.hotline-12345"
