"""The window over HTTP: reports come in and get receipts, everybody may look, and junk never hurts."""

import asyncio
import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar.testing import TestClient
from prometheus_client.parser import text_string_to_metric_families

from events.district import District
from events.edge import ReportLine
from events.user import UserRole
from services.intake.receipt import ALPHABET, _check, read_receipt
from services.runtime.clock import ScaledClock, SystemClock
from services.runtime.district import find_district, load_district
from services.runtime.engine import EVERYTHING
from services.runtime.front import Front
from services.runtime.parking import Parking
from services.runtime.seal import verify
from services.serving import EngineThread
from services.web.app import MAX_BODY_BYTES, MAX_SPEED, create_app
from services.web.window import Window
from services.wiring import House
from tests.system.users import token_of

DISTRICT = load_district(find_district("yunan"))
VILLAGE = DISTRICT.villages[0]
OTHER_TOWN = next(town.code for town in DISTRICT.towns if town.code != VILLAGE.town)
CONFIDENTIAL = next(matter.code for matter in DISTRICT.matters if matter.visibility == "confidential")
OPEN = next(matter.code for matter in DISTRICT.matters if matter.visibility == "public")
HOST = "127.0.0.1"
PATIENCE_S = 20.0

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")
"""One test below makes it an error, so that it does not fail all the others."""


class Served:
    """One served house, and what a sender and a looker may do with it."""

    def __init__(self, house: House, client: TestClient[Any], engine: EngineThread) -> None:
        self.house, self.client, self.engine = house, client, engine
        self._number = 0

    def good(self, **fields: Any) -> dict[str, Any]:
        self._number += 1
        return {
            "id": f"{self._number}",
            "time": datetime.now(UTC).isoformat(),
            "title": "村口的路灯坏了",
            "text": "晚上很黑，请来修。",
            "reporter": f"resident-{self._number}",
            "village": VILLAGE.code,
            **fields,
        }

    def post(self, body: Any, **more: Any) -> tuple[int, Any]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self.client.post("/api/reports", content=content, **more)
        return answer.status_code, answer.json()

    def get(self, path: str, **query: Any) -> Any:
        answer = self.client.get(path, params=query or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def until(self, path: str, found: Callable[[Any], bool]) -> Any:
        """What a path answers once it is as wanted."""
        give_up = time.monotonic() + PATIENCE_S
        while not found(answer := self.get(path)):
            assert time.monotonic() < give_up, f"expected another answer of {path}, found {answer}"
        return answer

    def settled(self) -> None:
        """Everybody has reacted to every fact, and every fact is in every view."""
        give_up = time.monotonic() + PATIENCE_S
        while self._reacted_to() < self.house.log.head():
            assert time.monotonic() < give_up, "expected the reactions to come to an end, found that they go on"
        self.until("/api/status", lambda status: status["lag"] == 0)

    def _reacted_to(self) -> int:
        with self.house.log.reading() as cursor:
            return Parking(EVERYTHING).position(cursor)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with House(tmp_path_factory.mktemp("served") / "data", SystemClock()) as house:
        house.configure(DISTRICT)
        house.lock()
        front = Front()
        engine = EngineThread(house.engine(front), front, lambda: house.clock, house.settle)
        engine.start()
        try:
            app = create_app(Window(house, front, engine.is_alive, demo=False), lookups_a_minute=1_000_000)
            with TestClient(app, raise_server_exceptions=False) as client:
                client.headers["authorization"] = f"Bearer {token_of(house, 'everybody', get_args(UserRole))}"
                yield Served(house, client, engine)
        finally:
            engine.stop()
        assert engine.failure is None
        assert verify(house.log).fault is None


@pytest.fixture
def stored(served: Served) -> Callable[[], tuple[Any, ...]]:
    """All that one more report would change."""

    def counts() -> tuple[Any, ...]:
        served.settled()
        with served.house.log.reading() as cursor:
            inbox = cursor.execute("SELECT count(*) FROM inbox").fetchone()[0]
        with served.house.vault._database.reading() as cursor:
            kept = [
                cursor.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in ("keys", "attachments", "openings")
            ]
        return (served.house.log.head(), inbox, *kept)

    return counts


def attachment(content: bytes, **fields: Any) -> dict[str, Any]:
    data = base64.b64encode(content).decode()
    return {
        "name": "photo.jpg",
        "media_type": "image/jpeg",
        "sha256": sha256(content).hexdigest(),
        "data": data,
    } | fields


def test_a_report_gets_a_receipt_under_which_its_case_can_be_found(served: Served) -> None:
    status, taken = served.post(served.good())

    assert status == 201
    assert read_receipt(taken["receipt"]) == taken["receipt"]
    assert taken["repeated"] is False
    served.settled()
    found = served.until(f"/api/receipts/{taken['receipt']}", lambda answer: answer["case"] is not None)
    assert found["receipt"] == taken["receipt"]
    assert found["reply"] is None
    case = served.get(f"/api/cases/{found['case']}")
    assert [report["report"] for report in case["reports"]] == [taken["report"]]


def test_the_window_uses_nothing_that_its_library_is_about_to_drop(served: Served) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        create_app(Window(served.house, Front(), lambda: True, demo=False))


def test_the_same_report_again_gets_the_same_receipt_and_adds_nothing(
    served: Served, stored: Callable[[], tuple[Any, ...]]
) -> None:
    report = served.good(attachments=[attachment(b"a photo")])
    _, first = served.post(report)
    before = stored()

    again = [served.post(report) for _ in range(3)]

    assert [(status, answer["receipt"], answer["repeated"]) for status, answer in again] == [
        (201, first["receipt"], True)
    ] * 3
    assert stored() == before


def test_the_same_id_with_other_words_is_a_conflict_and_the_first_stands(
    served: Served, stored: Callable[[], tuple[Any, ...]]
) -> None:
    report = served.good()
    served.post(report)
    before = stored()

    status, answer = served.post({**report, "text": "今天又黑了。"})

    assert status == 409
    assert report["id"] in answer["detail"]
    assert "expected" in answer["detail"]
    assert stored() == before


def test_a_conflict_leaves_no_attachment_behind(served: Served, stored: Callable[[], tuple[Any, ...]]) -> None:
    report = served.good()
    served.post(report)
    before = stored()

    status, _ = served.post({**report, "attachments": [attachment(b"another photo")]})

    assert status == 409
    assert stored() == before


def test_many_reports_at_once_each_get_their_own_receipt(served: Served) -> None:
    reports = [served.good() for _ in range(60)]

    with ThreadPoolExecutor(12) as senders:
        answers = list(senders.map(served.post, reports))

    assert {status for status, _ in answers} == {201}
    assert len({answer["receipt"] for _, answer in answers}) == 60
    assert not any(answer["repeated"] for _, answer in answers)
    served.settled()
    for _, answer in answers[::10]:
        served.until(f"/api/receipts/{answer['receipt']}", lambda found: found["case"] is not None)


def test_the_same_report_sent_many_times_at_once_is_one_report(served: Served) -> None:
    report = served.good(attachments=[attachment(b"the same photo")])

    with ThreadPoolExecutor(12) as senders:
        answers = list(senders.map(served.post, [report] * 24))

    assert {status for status, _ in answers} == {201}
    assert len({answer["receipt"] for _, answer in answers}) == 1
    assert sorted(answer["repeated"] for _, answer in answers) == [False] + [True] * 23
    stream = answers[0][1]["report"]
    assert served.house.vault.attachment(stream, sha256(b"the same photo").hexdigest()) == b"the same photo"


def test_of_many_different_reports_under_one_id_one_stands_and_the_others_are_conflicts(served: Served) -> None:
    report = served.good()
    versions = [{**report, "text": f"第{n}种说法"} for n in range(12)]

    with ThreadPoolExecutor(12) as senders:
        statuses = [status for status, _ in senders.map(served.post, versions)]

    assert sorted(statuses) == [201] + [409] * 11


def line(served: Served, **fields: Any) -> bytes:
    return json.dumps(served.good(**fields)).encode()


STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
MSGPACK = "application/vnd.msgpack"


def event(line: Any, **attributes: Any) -> dict[str, Any]:
    """An event of a report line in JSON."""
    whole = {"specversion": "1.0", "id": "E-1", "source": "hotline-12345", "type": "report.submit.v1", "data": line}
    return {name: value for name, value in {**whole, **attributes}.items() if value is not ...}


def ce_headers(content_type: str = "application/json", **attributes: Any) -> dict[str, str]:
    whole = {name: value for name, value in event(None, **attributes).items() if name != "data"}
    return {"content-type": content_type, **{f"ce-{name}": value for name, value in whole.items()}}


def as_type(content_type: str) -> dict[str, Any]:
    return {"headers": {"content-type": content_type}}


def test_an_event_gets_the_receipt_that_its_line_would_have_got_alone(
    served: Served, stored: Callable[[], tuple[Any, ...]]
) -> None:
    report = served.good()
    _, first = served.post(report)
    before = stored()
    packed = msgspec.msgpack.encode(report)
    encoded = {"data_base64": base64.b64encode(packed).decode(), "datacontenttype": MSGPACK, "data": ...}

    answers = [
        served.post(event(report), **as_type(f"{STRUCTURED}; charset=UTF-8")),
        served.post(event(None, **encoded), **as_type(STRUCTURED)),
        served.post(report, headers=ce_headers()),
        served.post(packed, headers=ce_headers(MSGPACK)),
    ]

    assert answers == [(201, {**first, "repeated": True})] * 4
    assert stored() == before


@pytest.mark.parametrize("mode", ["structured", "binary", "packed"])
def test_a_report_in_an_event_is_taken_with_its_attachments_and_its_case_can_be_found(
    mode: str, served: Served
) -> None:
    report = served.good(source="call-desk", channel="hotline", attachments=[attachment(mode.encode())])

    if mode == "structured":
        status, taken = served.post(event(report), **as_type(STRUCTURED))
    elif mode == "binary":
        status, taken = served.post(report, headers=ce_headers())
    else:
        report["attachments"] = [{**report["attachments"][0], "data": mode.encode()}]
        status, taken = served.post(msgspec.msgpack.encode(report), headers=ce_headers("application/x-msgpack"))

    assert (status, taken["repeated"]) == (201, False)
    digest = sha256(mode.encode()).hexdigest()
    assert served.house.vault.attachment(taken["report"], digest) == mode.encode()
    served.settled()
    found = served.until(f"/api/receipts/{taken['receipt']}", lambda answer: answer["case"] is not None)
    assert found["receipt"] == taken["receipt"]


def test_the_facts_of_an_event_carry_its_trace(served: Served) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    _, taken = served.post(served.good(), headers=ce_headers(traceparent=trace))

    assert {recorded.meta.trace for recorded in served.house.log.stream(taken["report"])} == {trace}


def test_the_events_own_source_and_id_are_not_the_reports(served: Served) -> None:
    report = served.good()

    _, taken = served.post(event(report, id="E-77", source="somebody-else"), **as_type(STRUCTURED))

    assert served.post(report) == (201, {**taken, "repeated": True})
    assert served.post({**report, "source": "somebody-else"})[1]["receipt"] != taken["receipt"]


JUNK_EVENTS: dict[str, tuple[Callable[[Served], dict[str, Any]], int, str]] = {
    "no JSON": (lambda s: {"content": b"hello", **as_type(STRUCTURED)}, 400, "event: expected one JSON object"),
    "a batch called one event": (
        lambda s: {"content": json.dumps([event(s.good())]).encode(), **as_type(STRUCTURED)},
        400,
        "event: expected one JSON object",
    ),
    "another version": (lambda s: _structured(s, specversion="0.3"), 400, "specversion: expected 1.0, found '0.3'"),
    "no id": (lambda s: _structured(s, id=...), 400, "id: expected some text, found none"),
    "another type": (lambda s: _structured(s, type="call.note.v1"), 400, "type: expected one of report.submit.v1"),
    "a time without offset": (lambda s: _structured(s, time="2026-03-02T09:00:00"), 400, "time: expected RFC 3339"),
    "no data": (lambda s: _structured(s, data=...), 400, "data: expected"),
    "half a line": (lambda s: _structured(s, data={"id": "1"}), 400, "missing required field `time`"),
    "no place": (lambda s: _structured(s, data=s.good(village=None)), 400, "village: expected"),
    "a name of ours": (lambda s: _structured(s, data=s.good(source="timer")), 400, "one of ours"),
    "data twice": (lambda s: _structured(s, data_base64="MQ=="), 400, "data: expected it once"),
    "text": (lambda s: _structured(s, datacontenttype="text/plain", data="x"), 400, "datacontenttype: expected"),
    "a million brackets": (
        lambda s: {"content": b'{"data":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}", **as_type(STRUCTURED)},
        400,
        "nested too deeply",
    ),
    "binary without a version": (lambda s: _binary(s, ce_headers(specversion=...)), 400, "specversion: expected 1.0"),
    "binary without a type": (lambda s: _binary(s, ce_headers(type=...)), 400, "type: expected some text"),
    "binary of a form": (
        lambda s: _binary(s, ce_headers("application/x-www-form-urlencoded")),
        400,
        "datacontenttype: expected application/json",
    ),
    "binary of other words than UTF-8": (
        lambda s: _binary(s, ce_headers("application/json; charset=gbk")),
        400,
        "charset=utf-8",
    ),
    "binary with a raw header": (lambda s: _binary(s, ce_headers() | {"ce-subject": "\xe9"}), 400, "percent-encoded"),
    "JSON called MessagePack": (lambda s: _binary(s, ce_headers(MSGPACK)), 400, "data: expected"),
    "another format of CloudEvents": (
        lambda s: {"content": b"<event/>", **as_type("application/cloudevents+xml")},
        415,
        f"content-type: expected {STRUCTURED}",
    ),
}


def _structured(served: Served, **attributes: Any) -> dict[str, Any]:
    return {"content": json.dumps(event(served.good(), **attributes)).encode(), **as_type(STRUCTURED)}


def _binary(served: Served, headers: dict[str, str]) -> dict[str, Any]:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"content": json.dumps(served.good()).encode(), "headers": raw}


@pytest.mark.parametrize("kind", JUNK_EVENTS)
def test_a_junk_event_is_refused_with_a_reason_and_nothing_is_stored(
    kind: str, served: Served, stored: Callable[[], tuple[Any, ...]]
) -> None:
    make, expected, words = JUNK_EVENTS[kind]
    before = stored()

    answer = served.client.post("/api/reports", **make(served))

    assert answer.status_code == expected
    assert words in answer.json()["detail"]
    assert len(answer.json()["detail"]) < 1000
    assert stored() == before


def test_a_batch_has_one_outcome_for_each_event_in_order(served: Served) -> None:
    first, second = served.good(), served.good(attachments=[attachment(b"in a batch")])
    batch = [
        event(first, id="E-1"),
        event(second, id="E-2"),
        event(first, id="E-3"),
        event({**first, "text": "今天又黑了。"}, id="E-4"),
        event(served.good(), id="E-5", type="call.note.v1"),
        event(served.good(village=None), id="E-6"),
        event(served.good(), id="E-7", specversion="0.3"),
        "no event",
        event(served.good(), id="E-9"),
    ]

    status, outcomes = served.post(batch, **as_type(f"{BATCH}; charset=utf-8"))

    assert status == 200
    assert [outcome["status_code"] for outcome in outcomes] == [201, 201, 201, 409, 400, 400, 400, 400, 201]
    assert [outcome["event"] for outcome in outcomes] == [*(f"E-{n}" for n in range(1, 8)), "", "E-9"]
    assert outcomes[2] == {**outcomes[0], "event": "E-3", "repeated": True}
    for outcome in outcomes:
        assert bool(outcome["receipt"]) == (outcome["status_code"] == 201) == (not outcome["detail"])
    assert served.post(second)[1]["receipt"] == outcomes[1]["receipt"]
    assert "village" in outcomes[5]["detail"]


def test_an_empty_batch_has_no_outcomes(served: Served) -> None:
    assert served.post([], **as_type(BATCH)) == (200, [])


def test_a_batch_of_many_reports_gives_each_its_own_receipt(served: Served) -> None:
    batch = [event(served.good(), id=f"E-{n}") for n in range(40)]

    status, outcomes = served.post(batch, **as_type(BATCH))

    assert status == 200
    assert {outcome["status_code"] for outcome in outcomes} == {201}
    assert len({outcome["receipt"] for outcome in outcomes}) == 40


@pytest.mark.parametrize(
    "broken",
    [
        lambda batch: b"",
        lambda batch: batch[:-1],
        lambda batch: batch + batch,
        lambda batch: b'{"events": ' + batch + b"}",
        lambda batch: batch[:-1] + b',{"specversion": NaN}]',
        lambda batch: batch[:-1] + b"," + b"[" * 100_000 + b"]" * 100_000 + b"]",
        lambda batch: b"[" + b",".join([b"0"] * 1001) + b"]",
    ],
    ids=["nothing", "no end", "two", "an object", "NaN", "brackets", "too many"],
)
def test_of_a_batch_that_is_broken_as_a_whole_nothing_is_taken(
    broken: Callable[[bytes], bytes], served: Served, stored: Callable[[], tuple[Any, ...]]
) -> None:
    batch = json.dumps([event(served.good())]).encode()
    before = stored()

    status, answer = served.post(broken(batch), **as_type(BATCH))

    assert status == 400
    assert answer["detail"].startswith("batch: expected")
    assert stored() == before


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.dictionaries(
        st.sampled_from(["specversion", "id", "source", "type", "time", "datacontenttype", "data", "data_base64", "x"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        min_size=1,
        max_size=3,
    ),
    batch=st.booleans(),
)
def test_any_event_at_all_is_answered_with_a_receipt_or_a_reason(
    served: Served, changes: dict[str, Any], batch: bool
) -> None:
    body = event(served.good(), **changes)

    if batch:
        status, [answer] = served.post([body], **as_type(BATCH))
        assert status == 200
        status = answer["status_code"]
    else:
        status, answer = served.post(body, **as_type(STRUCTURED))

    assert status in (201, 400)
    assert read_receipt(answer["receipt"]) if status == 201 else answer["detail"]


Make = Callable[[Served], bytes]

JUNK: dict[str, tuple[Make, str]] = {
    "nothing": (lambda s: b"", "JSON"),
    "no JSON": (lambda s: b"title=hello", "JSON"),
    "half an object": (lambda s: line(s)[:-3], "JSON"),
    "two objects": (lambda s: line(s) + b"\n" + line(s), "JSON"),
    "a list of reports": (lambda s: b"[" + line(s) + b"]", "object"),
    "null": (lambda s: b"null", "object"),
    "an empty object": (lambda s: b"{}", "id"),
    "NUL bytes": (lambda s: b"\0" * 100, "JSON"),
    "random bytes": (lambda s: bytes(range(128, 256)), ""),
    "other bytes than UTF-8": (lambda s: line(s).replace(b"resident", b"\xff\xfe"), "UTF-8"),
    "a lone surrogate": (lambda s: line(s, title="\ud800"), "surrogate"),
    "a million brackets": (lambda s: b"[" * 1_000_000, "object"),
    "a million brackets in a field": (lambda s: b'{"x":' + b"[" * 1_000_000, "nested"),
    "ten million characters": (lambda s: line(s, text="x" * 10_000_000), "text"),
    "a huge number": (lambda s: line(s, id=10**400), "id"),
    "an id with a line break": (lambda s: line(s, id="a\nb"), "id"),
    "an id that ends with a line break": (lambda s: line(s, id="a\n"), "id"),
    "a number as time": (lambda s: line(s, time=5), "time"),
    "a time without offset": (lambda s: line(s, time="2026-03-02T09:00:00"), "+08:00"),
    "a time of the future": (lambda s: line(s, time="2999-01-01T00:00:00Z"), "time"),
    "a time of prehistory": (lambda s: line(s, time="0001-01-01T00:00:00+14:00"), "time"),
    "no place": (lambda s: line(s, village=None), "village"),
    "an unknown village": (lambda s: line(s, village="1"), "village"),
    "an unknown town": (lambda s: line(s, town="1", village=None), "town"),
    "a village of another town": (lambda s: line(s, town=OTHER_TOWN), "village"),
    "an unknown matter": (lambda s: line(s, matter="000"), "matter"),
    "no words": (lambda s: line(s, title="", text=" "), "text"),
    "an unknown channel": (lambda s: line(s, channel="fax"), "channel"),
    "a point of NaN": (
        lambda s: line(s, point={"lon": 1, "lat": 2, "datum": "WGS-84"}).replace(b'"lon": 1', b'"lon": NaN'),
        "JSON",
    ),
    "an attachment of a file of ours": (
        lambda s: line(s, attachments=[attachment(b"x", data="", path="/etc/hostname")]),
        "data",
    ),
    "an attachment of other bytes": (lambda s: line(s, attachments=[attachment(b"x", sha256="0" * 64)]), "SHA-256"),
    "an attachment that is too big": (lambda s: line(s, attachments=[attachment(b"x" * (9 << 20))]), "8388608"),
    "a good and a bad attachment": (
        lambda s: line(s, attachments=[attachment(b"x"), attachment(b"y", sha256="0" * 64)]),
        "SHA-256",
    ),
}


@pytest.mark.parametrize("kind", JUNK)
def test_junk_is_refused_with_400_and_a_reason_and_nothing_is_stored(
    kind: str, served: Served, stored: Callable[[], tuple[Any, ...]]
) -> None:
    make, expected = JUNK[kind]
    before = stored()

    status, answer = served.post(make(served))

    assert status == 400
    assert expected.lower() in answer["detail"].lower()
    assert len(answer["detail"]) < 1000
    assert stored() == before


def test_a_body_above_the_limit_is_refused_with_413(served: Served, stored: Callable[[], tuple[Any, ...]]) -> None:
    before = stored()

    status, answer = served.post(line(served, text="x" * MAX_BODY_BYTES))

    assert status == 413
    assert answer["detail"]
    assert stored() == before


@pytest.mark.parametrize(
    "media_type", ["text/plain", "multipart/form-data", "application/x-msgpack", "x", "application/json; charset=gbk"]
)
def test_a_report_is_read_as_json_whatever_its_sender_calls_it(media_type: str, served: Served) -> None:
    status, _ = served.post(served.good(), headers={"content-type": media_type})

    assert status == 201


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = sorted(ReportLine.__struct_fields__)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.sampled_from(FIELDS), JSON, min_size=1, max_size=3) | st.binary(max_size=80))
def test_any_body_at_all_is_answered_with_a_receipt_or_a_reason(served: Served, changes: Any) -> None:
    head = served.house.log.head()

    status, answer = served.post(changes if isinstance(changes, bytes) else {**served.good(), **changes})

    assert status in (201, 400, 409)
    if status == 201:
        assert read_receipt(answer["receipt"])
    else:
        assert answer["detail"]
        served.settled()
        assert served.house.log.head() == head


def test_a_receipt_with_a_slip_is_400_and_one_that_we_never_gave_404(served: Served) -> None:
    _, taken = served.post(served.good())
    right = taken["receipt"]
    slip = right[:-1] + next(letter for letter in ALPHABET if letter != right[-1])
    unknown = "LD" + "2" * 10 + _check("LD" + "2" * 10)

    wrong = served.client.get(f"/api/receipts/{slip}")
    never_given = served.client.get(f"/api/receipts/{unknown}")

    assert wrong.status_code == 400
    assert "check character" in wrong.json()["detail"]
    assert never_given.status_code == 404
    assert "expected" in never_given.json()["detail"]


def test_a_receipt_may_be_typed_in_small_letters_and_groups(served: Served) -> None:
    _, taken = served.post(served.good())
    receipt = taken["receipt"]
    served.settled()

    found = served.get(f"/api/receipts/{receipt[:4].lower()}-{receipt[4:8].lower()} {receipt[8:].lower()}")

    assert found["receipt"] == receipt


@pytest.mark.parametrize("junk", ["x", "%00", "%ff", "€" * 13, "2" * 12 + "I", "'%20OR%201=1", "A" * 5_000])
def test_a_junk_receipt_is_400(junk: str, served: Served) -> None:
    answer = served.client.get(f"/api/receipts/{junk}")

    assert answer.status_code == 400
    assert "receipt" in answer.json()["detail"]


def test_the_receipt_of_a_confidential_case_tells_neither_matter_nor_case(served: Served) -> None:
    _, hidden = served.post(served.good(matter=CONFIDENTIAL))
    _, shown = served.post(served.good(matter=OPEN))
    served.settled()
    served.until(f"/api/receipts/{shown['receipt']}", lambda answer: answer["matter"] == OPEN)

    secret = served.until(f"/api/receipts/{hidden['receipt']}", lambda answer: answer["stage"] is not None)

    assert secret["matter"] is None
    assert secret["case"] is None
    assert CONFIDENTIAL not in json.dumps({**secret, "receipt": "", "reported_at": ""})


def test_no_answer_holds_words_of_residents(served: Served) -> None:
    words = {"title": "标题暗号甲", "text": "正文暗号乙", "place": "地点暗号丙", "reporter": "number-of-resident-9731"}
    _, taken = served.post(served.good(**words, contact={"name": "姓名暗号丁", "phone": "13900009731"}))
    served.settled()
    found = served.until(f"/api/receipts/{taken['receipt']}", lambda answer: answer["case"] is not None)
    paths = (
        "board",
        "recent",
        "cases",
        "triage",
        "workload",
        "status",
        f"cases/{found['case']}",
        f"receipts/{taken['receipt']}",
    )

    told = "".join(json.dumps(served.get(f"/api/{path}"), ensure_ascii=False) for path in paths)
    told += served.client.get("/metrics").text

    for marker in (*words.values(), "姓名暗号丁", "13900009731"):
        assert marker not in told


@pytest.mark.parametrize(
    "source",
    [DISTRICT.hotlines[0].name, DISTRICT.terminals[0].name, "dept.ld.d07"],
    ids=["hotline", "terminal", "department"],
)
def test_nobody_speaks_over_http_as_one_who_proves_himself_at_the_broker(
    served: Served, stored: Callable[[], tuple[Any, ...]], source: str
) -> None:
    before = stored()

    status, answer = served.post(served.good(source=source))

    assert status == 400
    assert f"source: expected the sender's own name, found {source}" in answer["detail"]
    assert stored() == before


def test_status_says_how_things_stand(served: Served) -> None:
    served.post(served.good())
    served.settled()

    status = served.get("/api/status")

    about = served.get("/api/catalogue")
    assert about["demo"] is False
    assert about["district"]["zh"] == "云安区"
    assert status["clock"] == {"kind": "system", "speed": 1.0}
    assert status["position"] == served.house.log.head()
    assert status["parked"] == 0
    assert abs(datetime.fromisoformat(status["now"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert status["figures"]["cases"] > 0


def test_the_catalogue_names_everything(served: Served) -> None:
    catalogue = served.get("/api/catalogue")

    assert len(catalogue["towns"]) == len(DISTRICT.towns)
    assert len(catalogue["villages"]) == len(DISTRICT.villages)
    assert len(catalogue["platforms"]) == len(DISTRICT.platforms)
    assert len(catalogue["departments"]) == len(DISTRICT.departments)
    assert {matter["code"] for matter in catalogue["matters"]} == {matter.code for matter in DISTRICT.matters}
    assert all(matter["lead"] for matter in catalogue["matters"])


def test_the_board_shows_who_owes_what_and_can_be_asked_for_one_town(served: Served) -> None:
    served.post(served.good(matter=OPEN))
    served.settled()

    everything = served.get("/api/board")
    here = served.get("/api/board", town=VILLAGE.town)
    elsewhere = served.get("/api/board", town=OTHER_TOWN)

    assert everything["total"] >= here["total"] > 0
    assert {row["town"] for row in here["rows"]} == {VILLAGE.town}
    assert elsewhere["rows"] == []
    assert all(row["owes"] for row in everything["rows"])


def test_recent_cases_triage_and_workload_are_lists_of_rows(served: Served) -> None:
    served.post(served.good(title="嗯", text="不知道说什么"))
    served.settled()

    recent = served.get("/api/recent", limit=5)["rows"]
    cases = served.get("/api/cases", limit=3)["rows"]
    triage = served.until("/api/triage", lambda answer: bool(answer["rows"]))["rows"]

    assert [row["position"] for row in recent] == sorted((row["position"] for row in recent), reverse=True)
    assert len(recent) == 5
    assert [row["case"] for row in cases] == sorted((row["case"] for row in cases), reverse=True)
    assert {row["phase"] for row in served.get("/api/cases", phase="triage")["rows"]} == {"triage"}
    assert len(triage) == len(served.get("/api/cases", phase="triage", limit=1000)["rows"])
    assert {row["town"] for row in served.get("/api/workload")["rows"]} <= {town.code for town in DISTRICT.towns}


@pytest.mark.parametrize("path", ["/api/board", "/api/recent", "/api/cases"])
@pytest.mark.parametrize("limit", ["0", "-1", "99999999999999999999999", "abc", "NaN", "", "1e400", "0x10", "%00"])
def test_a_junk_limit_is_bounded_or_refused(path: str, limit: str, served: Served) -> None:
    answer = served.client.get(f"{path}?limit={limit}")

    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        assert len(answer.json()["rows"]) <= 1000
    else:
        assert "limit" in answer.text


@pytest.mark.parametrize("junk", ["x", "%00", "%ff", "0", "'%20OR%201=1--", "..%5c..", "a" * 5_000, "0" * 32])
def test_an_unknown_case_is_404(junk: str, served: Served) -> None:
    answer = served.client.get(f"/api/cases/{junk}")

    assert answer.status_code == 404
    assert "case" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/nope",
        "/api",
        "/api/",
        "/api/cases/a/b",
        "/console/../app.py",
        "/console/%2e%2e/app.py",
        "/console/..%2f..%2fwiring.py",
    ],
)
def test_what_is_not_there_is_404_and_no_file_of_ours_is_handed_out(path: str, served: Served) -> None:
    answer = served.client.get(path)

    assert answer.status_code == 404
    assert "import" not in answer.text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed_by_another_method(method: str, served: Served) -> None:
    assert served.client.request(method, "/api/reports").status_code == 405


def test_the_console_page_is_there(served: Served) -> None:
    answer = served.client.get("/")

    assert answer.status_code == 200
    assert "text/html" in answer.headers["content-type"]
    assert "<html" in answer.text


def test_health_is_200_while_the_engine_runs(served: Served) -> None:
    assert served.get("/health") == {"healthy": True}


def test_health_is_503_when_the_engine_has_ended(tmp_path: Path, district: District) -> None:
    with House(tmp_path / "data", SystemClock()) as house:
        house.configure(district)
        front = Front()
        engine = EngineThread(house.engine(front), front, lambda: house.clock, house.settle)
        engine.start()
        engine.stop()

        with TestClient(create_app(Window(house, front, engine.is_alive, demo=False))) as client:
            answer = client.get("/health")

    assert answer.status_code == 503
    assert answer.json() == {"healthy": False}


def test_metrics_are_figures_that_prometheus_can_read(served: Served) -> None:
    served.post(served.good())
    served.settled()

    answer = served.client.get("/metrics")

    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert answer.headers["content-type"].startswith("text/plain")
    assert {"hujiao_figure", "hujiao_log_position", "hujiao_view_lag", "hujiao_parked"} <= families.keys()
    assert families["hujiao_log_position"].samples[0].value == served.house.log.head()
    assert families["hujiao_view_lag"].samples[0].value == 0
    figures = {sample.labels["of"]: sample.value for sample in families["hujiao_figure"].samples}
    assert figures["cases"] > 0


def test_openapi_lists_every_route_and_the_fields_of_a_report(served: Served) -> None:
    paths = served.get("/schema/openapi.json")["paths"]

    assert {
        "/api/status",
        "/api/catalogue",
        "/api/board",
        "/api/recent",
        "/api/cases",
        "/api/cases/{case}",
        "/api/triage",
        "/api/workload",
        "/api/reports",
        "/api/receipts/{receipt}",
        "/api/receipts/{receipt}/rating",
        "/api/receipts/{receipt}/reopening",
        "/api/clock",
        "/health",
        "/metrics",
    } <= paths.keys()
    body = paths["/api/reports"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {"id", "time", "title", "text", "village", "contact", "attachments"} <= body["properties"].keys()
    assert set(body["required"]) == {"id", "time", "title", "text"}


def test_openapi_says_how_reports_come_in_events_and_how_batches_are_answered(served: Served) -> None:
    operation = served.get("/schema/openapi.json")["paths"]["/api/reports"]["post"]

    content = operation["requestBody"]["content"]
    assert content.keys() == {"application/json", STRUCTURED, BATCH, MSGPACK}
    assert set(content[STRUCTURED]["schema"]["required"]) == {"specversion", "id", "source", "type"}
    assert "title" in content[STRUCTURED]["schema"]["properties"]["data"]["properties"]
    assert content[BATCH]["schema"]["items"]["title"] == "CloudEvent"
    assert [header["name"] for header in operation["parameters"]] == [
        "ce-specversion",
        "ce-id",
        "ce-source",
        "ce-type",
    ]
    assert not any(header["required"] for header in operation["parameters"])
    assert {"200", "201"} <= operation["responses"].keys()


def test_the_clock_of_a_real_township_cannot_be_set(served: Served) -> None:
    answer = served.client.post("/api/clock", json={"speed": 5})

    assert answer.status_code == 409
    assert "expected the demo" in answer.json()["detail"]


@pytest.fixture
def demo(tmp_path: Path, district: District) -> Iterator[tuple[TestClient[Any], ScaledClock]]:
    clock = ScaledClock(datetime(2026, 3, 2, 1, tzinfo=UTC), 60.0)
    with House(tmp_path / "data", clock) as house:
        house.configure(district)
        app = create_app(Window(house, Front(), lambda: True, demo=True))
        with TestClient(app, raise_server_exceptions=False) as client:
            client.headers["authorization"] = f"Bearer {token_of(house, 'district', ['district_command'])}"
            yield client, clock


@pytest.mark.parametrize("speed", [0.5, 1, 3600])
def test_the_speed_of_the_demo_can_be_changed(speed: float, demo: tuple[TestClient[Any], ScaledClock]) -> None:
    client, clock = demo

    answer = client.post("/api/clock", json={"speed": speed})

    assert answer.status_code == 201
    assert clock.speed == speed
    assert client.get("/api/status").json()["clock"] == {"kind": "scaled", "speed": speed}


@pytest.mark.parametrize(
    "body",
    [
        b'{"speed": 0}',
        b'{"speed": -0.0}',
        b'{"speed": -1}',
        b'{"speed": 3600.1}',
        b'{"speed": 1e308}',
        b'{"speed": 1e999}',
        b'{"speed": NaN}',
        b'{"speed": Infinity}',
        b'{"speed": ' + b"9" * 1000 + b"}",
        b'{"speed": true}',
        b'{"speed": null}',
        b'{"speed": [1]}',
        b'{"speed": "fast"}',
        b"{}",
        b"[]",
        b"",
        b"5",
        b"\xff",
        b"\0",
        b"[" * 100_000,
        b'{"speed": ' + b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_junk_speed_is_refused_and_the_clock_goes_on(body: bytes, demo: tuple[TestClient[Any], ScaledClock]) -> None:
    client, clock = demo

    answer = client.post("/api/clock", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert clock.speed == 60.0
    assert clock.now() >= datetime(2026, 3, 2, 1, tzinfo=UTC)


def test_the_fastest_speed_is_an_hour_a_second() -> None:
    assert MAX_SPEED == 3600


def free_port() -> int:
    with socket.create_server((HOST, 0)) as found:
        return int(found.getsockname()[1])


def other_addresses() -> list[str]:
    """Addresses of this machine under which the window must not answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            own = probe.getsockname()[0]
        except OSError:
            own = "127.0.0.2"
    return sorted({own, "127.0.0.2"} - {HOST, "0.0.0.0"})  # noqa: S104  # not bound, only left out


def hear(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # our own server
        return json.load(answer)


@contextmanager
def up(folder: Path, port: int, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """`hujiao up` in a process of its own, once it answers."""
    command = [sys.executable, "-c", "from services.cli.main import main; main()", "up"]
    told = {**os.environ, "HUJIAO_DATA": str(folder / "data"), "HUJIAO_PORT": str(port), **environment}
    with subprocess.Popen(command, env=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as serving:
        try:
            give_up = time.monotonic() + 60
            while True:
                assert time.monotonic() < give_up, "expected the window to open, found it closed"
                assert serving.poll() is None, serving.stdout and serving.stdout.read()
                try:
                    hear(f"http://{HOST}:{port}/health")
                    break
                except (urllib.error.URLError, OSError):
                    continue
            yield serving
        finally:
            serving.kill()


def test_no_line_of_the_log_holds_what_somebody_said(tmp_path: Path) -> None:
    port, mark = free_port(), "马克尔词13712345678"
    said = {"id": "1", "time": datetime.now(UTC).isoformat(), "title": mark, "text": mark, "village": "445303100201"}
    said |= {"contact": {"name": mark, "phone": "13712345678"}}
    bodies = [said, said | {"text": f"{mark}!"}, said | {"id": "2", "village": mark}, said | {"id": "3", mark: mark}]
    url = f"http://{HOST}:{port}/api"

    with up(tmp_path, port, HUJIAO_LOG="DEBUG") as serving, httpx.Client() as client:
        answers = [client.post(f"{url}/reports", json=body).status_code for body in bodies]
        answers += [client.post(f"{url}/reports", content=f"{{{mark}").status_code]
        answers += [client.post(f"{url}/session", json={"name": "nobody", "password": mark}).status_code]
        serving.send_signal(signal.SIGTERM)
        told, _ = serving.communicate(timeout=60)

    assert answers == [201, 409, 400, 201, 400, 401]
    assert b"log_in_refused" in told
    assert mark.encode() not in told
    assert b"13712345678" not in told


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_up_answers_on_this_machine_alone_and_ends_with_0_when_it_is_told_to(
    how: signal.Signals, tmp_path: Path
) -> None:
    port = free_port()
    with up(tmp_path, port) as serving:
        health = hear(f"http://{HOST}:{port}/health")
        reached = []
        for address in other_addresses():
            with socket.socket() as outside:
                outside.settimeout(5)
                if outside.connect_ex((address, port)) == 0:
                    reached.append(address)
        serving.send_signal(how)
        told, _ = serving.communicate(timeout=60)

    assert health == {"healthy": True}
    assert reached == []
    assert serving.returncode == 0, told.decode()
    assert b"Traceback" not in told


def test_a_client_that_goes_away_does_not_take_its_report_with_it(served: Served) -> None:
    report = served.good()

    async def leave() -> None:
        window = Window(served.house, served.engine._front, served.engine.is_alive, demo=False)
        sending = asyncio.create_task(window.reports.take([], "", json.dumps(report).encode()))
        await asyncio.sleep(0)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

    asyncio.run(leave())

    status, answer = served.post(report)
    assert status == 201
    assert served.engine.is_alive()
    assert read_receipt(answer["receipt"])
