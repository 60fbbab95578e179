"""App and village terminals report over a real Mosquitto, in both versions of MQTT, and hear how their cases go on."""

import hmac
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from deploy.processes import ServerFailed
from events.call import DepartmentsCalled
from events.ids import call_of, case_of
from events.report import ReportSubmitted
from tests.system.edges import (
    APP,
    JSON,
    MSGPACK,
    OTHER_APP,
    STRUCTURED,
    TOWN,
    VILLAGE,
    VILLAGE_TERMINAL,
    Edges,
    Event,
    News,
    Sent,
    Terminal,
    as_json,
    batch,
    binary,
    days_ago,
    encoded,
    event,
    fresh,
    report,
    report_topic,
    structured,
    wait_for,
)

TERMINALS = {APP: ("app", ""), VILLAGE_TERMINAL: ("village", VILLAGE)}
"""Each one's channel, and the village where it stands."""

LIUDU, GAOCUN, GAOCUN_VILLAGE = "445303100", "445303101", "445303101201"

PARTY = "101"
"""A public matter at the desk: lead D02, D01 assists, in one call."""


class Mode(NamedTuple):
    """How a terminal writes a report, and in which version of MQTT."""

    write: Callable[[Event], Sent]
    old: bool = False


def bare(said: Event, content_type: str = JSON) -> Sent:
    """A structured event as 3.1.1 has it: nothing beside the body says what it is."""
    return Sent({}, None, encoded(as_json(said, content_type)))


MODES = {
    "MQTT 5, binary JSON": Mode(lambda said: binary(said, prefix="")),
    "MQTT 5, binary MessagePack": Mode(lambda said: binary(said, MSGPACK, prefix="")),
    "MQTT 5, structured": Mode(structured),
    "MQTT 5, structured MessagePack": Mode(lambda said: structured(said, MSGPACK)),
    "MQTT 5, structured without a content type": Mode(bare),
    "MQTT 3.1.1, structured": Mode(bare, old=True),
    "MQTT 3.1.1, structured MessagePack": Mode(lambda said: bare(said, MSGPACK), old=True),
}


def told(record: str = "", **fields: Any) -> Event:
    """A report in its event; without a place, as a terminal sends it."""
    return event("report.submit.v1", report(record or fresh(), **{"village": None, **fields}))


def received(news: News) -> bool:
    return news.type == "report.received.v1"


def refused(news: News) -> bool:
    return news.type == "request.not-taken.v1"


def answers(said: Event) -> Callable[[News], bool]:
    """Whether a message answers this event."""

    def wanted(news: News) -> bool:
        data = news.data if isinstance(news.data, dict) else {}
        return news.topic.startswith("receipt/") and (
            data.get("event") == said.id or data.get("record") == said.data["id"]
        )

    return wanted


def ask(terminal: Terminal, said: Event, write: Callable[[Event], Sent] = bare, **options: Any) -> News:
    """Report, and wait for the answer."""
    before = len(terminal.heard)
    terminal.report(write(said), **options)
    return wait_for(lambda: list(filter(answers(said), terminal.heard[before:])), f"an answer for {terminal.user}")[0]


def submitted(edges: Edges, records: Sequence[str], since: int) -> list[ReportSubmitted]:
    """The first facts of these reports, in the order of the log."""
    facts = [recorded.fact for recorded in edges.since(since)]
    return [fact for fact in facts if isinstance(fact, ReportSubmitted) and fact.record in set(records)]


# --- reports and receipts


@pytest.mark.parametrize("user", TERMINALS)
@pytest.mark.parametrize("mode", MODES)
def test_a_report_is_taken_in_every_mode_and_its_receipt_comes_to_the_terminals_own_topic(
    edges: Edges, mode: str, user: str
) -> None:
    said = told()
    before = edges.head()

    with Terminal(edges, user, old=MODES[mode].old) as terminal:
        answer = ask(terminal, said, MODES[mode].write, correlation=b"\x00c-1\xff")

    assert answer.topic == f"receipt/{user}"
    assert received(answer)
    assert (answer.data["record"], answer.data["repeated"]) == (said.data["id"], False)
    assert (answer.event["specversion"], answer.event["source"]) == ("1.0", "/hujiao/445303")
    if not MODES[mode].old:
        assert (answer.correlation, answer.content_type) == (b"\x00c-1\xff", STRUCTURED)
    found = edges.report(user, said.data["id"], before)
    assert found is not None
    assert isinstance(found.fact, ReportSubmitted)
    assert found.fact.receipt == answer.data["receipt"]
    assert (found.fact.channel, found.fact.village) == TERMINALS[user]
    assert found.fact.town == LIUDU
    assert found.meta.actor == user


def test_a_report_with_a_place_is_of_that_place_and_always_of_the_terminals_own_channel(edges: Edges) -> None:
    village, town = told(village=GAOCUN_VILLAGE, channel="web"), told(town="GC")
    before = edges.head()

    with Terminal(edges, VILLAGE_TERMINAL) as terminal:
        receipts = [ask(terminal, said).data["receipt"] for said in (village, town)]

    facts = submitted(edges, [village.data["id"], town.data["id"]], before)
    assert [(fact.town, fact.village, fact.channel) for fact in facts] == [
        (GAOCUN, GAOCUN_VILLAGE, "village"),
        (GAOCUN, "", "village"),
    ]
    assert [receipt[:2] for receipt in receipts] == ["GC", "GC"]


def test_nobody_but_the_terminal_itself_hears_its_receipts_and_refusals(edges: Edges) -> None:
    good, bad, others = told(), told(matter="000"), told()

    with Terminal(edges, APP) as terminal, Terminal(edges, OTHER_APP) as other:
        terminal.report(bare(good), response=f"receipt/{OTHER_APP}")
        terminal.report(bare(bad))
        terminal.hear_all(answers(bad), 1)
        ask(other, others)

        assert terminal.hear(answers(good)).topic == f"receipt/{APP}"
        assert [news for news in other.heard if answers(good)(news) or answers(bad)(news)] == []


def test_the_same_report_again_gets_the_same_receipt_in_whatever_mode_and_version(edges: Edges) -> None:
    line = report(fresh(), village=None)
    before = edges.head()

    found = []
    for mode in MODES.values():
        with Terminal(edges, APP, old=mode.old) as terminal:
            found.append(ask(terminal, event("report.submit.v1", line), mode.write))

    assert all(received(answer) for answer in found)
    assert {answer.data["receipt"] for answer in found} == {found[0].data["receipt"]}
    assert [answer.data["repeated"] for answer in found] == [False] + [True] * (len(MODES) - 1)
    assert len(submitted(edges, [line["id"]], before)) == 1


def test_the_same_number_with_other_words_is_a_conflict(edges: Edges) -> None:
    record = fresh()
    with Terminal(edges, APP) as terminal:
        ask(terminal, told(record))
        before = edges.head()
        other = told(record, text="别的话")
        answer = ask(terminal, other)

    assert refused(answer)
    assert (answer.data["kind"], answer.data["event"]) == ("conflict", other.id)
    assert f"{APP}/{record}" in answer.data["reason"]
    assert submitted(edges, [record], before) == []


def test_two_terminals_may_use_the_same_number(edges: Edges) -> None:
    record = fresh()

    with Terminal(edges, APP) as one, Terminal(edges, VILLAGE_TERMINAL) as other:
        found = [ask(one, told(record)), ask(other, told(record, text="别的话"))]

    assert all(received(answer) for answer in found)
    assert found[0].data["receipt"] != found[1].data["receipt"]


REFUSED: dict[str, tuple[Callable[[str], Event], str, str]] = {
    "no title": (lambda record: told(record, title=None), "malformed", "title"),
    "no words": (lambda record: told(record, title="", text=" "), "malformed", "text: expected words"),
    "no offset": (lambda record: told(record, time="2026-11-23T09:10:00"), "malformed", "time"),
    "the day after tomorrow": (lambda record: told(record, time="2099-01-01T00:00:00Z"), "malformed", "time: expected"),
    "an unknown matter": (lambda record: told(record, matter="000"), "malformed", "matter: expected a code"),
    "a village of nowhere": (lambda record: told(record, village="1"), "malformed", "village: expected"),
    "another version": (
        lambda record: event("report.submit.v1", report(record), specversion="0.3"),
        "malformed",
        "specversion: expected 1.0, found '0.3'",
    ),
    "a department's act": (
        lambda record: event("call.acknowledge.v1", {"id": record, "call": "0" * 32, "by": "李四"}),
        "malformed",
        "type: expected one of report.submit.v1",
    ),
    "another terminal's name": (
        lambda record: told(record, source=OTHER_APP),
        "not_allowed",
        f"source: expected {APP}, who sent it",
    ),
    "a hotline's name": (
        lambda record: told(record, source="hotline-12345"),
        "not_allowed",
        f"source: expected {APP}, who sent it",
    ),
    "a name of ours": (lambda record: told(record, source="reaction"), "malformed", "source: expected the sender's"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_taken_is_refused_with_its_reason_on_the_receipts_topic(edges: Edges, what: str) -> None:
    write, kind, reason = REFUSED[what]
    said = write(fresh())
    before = edges.head()

    with Terminal(edges, APP) as terminal:
        answer = ask(terminal, said, lambda one: binary(one, prefix=""), correlation=b"c-7")

    assert refused(answer)
    assert (answer.topic, answer.correlation) == (f"receipt/{APP}", b"c-7")
    assert (answer.data["kind"], answer.data["event"]) == (kind, said.id)
    assert reason in answer.data["reason"]
    assert submitted(edges, [said.data["id"]], before) == []
    assert any(
        line["event"] == "not_taken" and line["user"] == APP and line["reason"] == answer.data["reason"]
        for line in edges.log_of("terminals")
    )


def test_two_hundred_reports_in_one_go_are_recorded_and_answered_in_their_order(edges: Edges) -> None:
    said = [told() for _ in range(200)]
    records = [one.data["id"] for one in said]
    before = edges.head()

    with Terminal(edges, APP) as terminal:
        for one in said:
            terminal.post(report_topic(edges, APP), bare(one))
        found = terminal.hear_all(lambda news: received(news) and news.data["record"] in records, 200)

    assert [fact.record for fact in submitted(edges, records, before)] == records
    assert [news.data["record"] for news in found] == records


# --- news


def test_a_terminal_hears_how_its_case_goes_on_stage_by_stage_and_nobody_else_does(edges: Edges) -> None:
    said = told(matter=PARTY)
    with Terminal(edges, APP) as terminal, Terminal(edges, OTHER_APP) as other:
        answer = ask(terminal, said)
        receipt, case = answer.data["receipt"], case_of(answer.data["report"])

        def stages(count: int) -> list[News]:
            return terminal.hear_all(lambda news: _is_news_of(news, receipt), count, f"{count} stages of {receipt}")

        stages(2)
        act = edges.township.hujiao
        act("act", "acknowledge", receipt, "D02", "--by", "李四", "--json")
        act("act", "file", receipt, "D02", "已答复。", "--reply", "已办好，欢迎再来。", "--by", "李四", "--json")
        act("act", "approve", receipt, "--by", "王五", "--json")
        act("act", "follow-up", receipt, "solved", "--by", "赵六", "--json")
        act("act", "publish", receipt, "--by", "孙七", "--json")
        news = stages(7)
        ask(other, told())

        assert [one for one in other.heard if one.topic.startswith("news/") and receipt in str(one.data)] == []
    assert {one.topic for one in news} == {f"news/{APP}"}
    assert {one.content_type for one in news} == {STRUCTURED}
    assert [one.data["stage"] for one in news] == [
        "registered",
        "calling",
        "in_progress",
        "in_review",
        "resolved",
        "closed",
        "published",
    ]
    assert {(one.data["record"], one.event["subject"]) for one in news} == {(said.data["id"], receipt)}
    assert [one.data["note"] for one in news] == [""] * 6 + ["已办好，欢迎再来。"]
    times = [datetime.fromisoformat(one.data["at"]) for one in news]
    assert times == sorted(times)
    assert edges.log.first(case) is not None


def test_a_terminal_hears_that_its_report_waits_for_somebody_and_then_that_it_was_refused_and_why(
    edges: Edges,
) -> None:
    said = told(matter=None, title="问", text="嗯")
    with Terminal(edges, VILLAGE_TERMINAL, old=True) as terminal:
        receipt = ask(terminal, said).data["receipt"]
        terminal.hear(lambda news: _is_news_of(news, receipt), "news that it waits")
        edges.township.hujiao("act", "refuse", receipt, "emergency_line", "请打110。", "--by", "王五", "--json")
        news = terminal.hear_all(lambda news: _is_news_of(news, receipt) and news.data["stage"] == "refused", 1)

    stages = [one.data["stage"] for one in terminal.heard if _is_news_of(one, receipt)]
    assert stages[0] == "triage"
    assert (news[0].data["note"], news[0].data["record"]) == ("请打110。", said.data["id"])


def _is_news_of(news: News, receipt: str) -> bool:
    return news.topic.startswith("news/") and news.type == "case.news.v1" and news.data["receipt"] == receipt


# --- away


@contextmanager
def asleep(edges: Edges) -> Iterator[None]:
    """The service for terminals does nothing meanwhile, and the broker takes it for alive."""
    pid = edges.township.services["terminals"].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_reports_wait_at_the_broker_while_the_service_stands_still(edges: Edges) -> None:
    said = [told() for _ in range(20)]
    records = [one.data["id"] for one in said]
    before = edges.head()

    with Terminal(edges, APP) as terminal:
        with asleep(edges):
            refusals = [terminal.report(bare(one)) for one in said]
            early = [news for news in terminal.heard if received(news)]
        found = terminal.hear_all(lambda news: received(news) and news.data["record"] in records, 20)

    assert refusals == [""] * 20  # the broker has them, and says so itself
    assert early == []
    assert [news.data["record"] for news in found] == records
    assert [fact.record for fact in submitted(edges, records, before)] == records


def test_reports_on_their_way_when_the_service_is_killed_are_all_taken_once_and_in_order(edges: Edges) -> None:
    service = edges.township.services["terminals"]
    said = {user: [told() for _ in range(60)] for user in (APP, VILLAGE_TERMINAL)}
    records = {user: [one.data["id"] for one in some] for user, some in said.items()}
    before = edges.head()

    with Terminal(edges, APP) as app, Terminal(edges, VILLAGE_TERMINAL, old=True) as village:
        for n, both in enumerate(zip(said[APP], said[VILLAGE_TERMINAL], strict=True)):
            for terminal, one in zip((app, village), both, strict=True):
                terminal.post(report_topic(edges, terminal.user), bare(one))
            if n == 30:
                app.hear(received, "a first receipt")
                service.kill()
        service.start()
        for terminal in (app, village):
            for record in records[terminal.user]:
                terminal.receipt(record)

    for user in said:
        assert [fact.record for fact in submitted(edges, records[user], before)] == records[user]


def test_a_terminal_that_was_offline_for_days_delivers_everything_in_order_with_its_own_times(edges: Edges) -> None:
    said = [told(time=days_ago(5 - n / 10)) for n in range(30)]
    records = [one.data["id"] for one in said]
    before, began = edges.head(), datetime.now(UTC)

    with Terminal(edges, VILLAGE_TERMINAL, old=True) as terminal:
        for one in said:
            terminal.post(report_topic(edges, VILLAGE_TERMINAL), bare(one))
        found = terminal.hear_all(lambda news: received(news) and news.data["record"] in records, 30)

    assert [news.data["record"] for news in found] == records
    facts = submitted(edges, records, before)
    assert [fact.record for fact in facts] == records
    assert [fact.reported_at for fact in facts] == [datetime.fromisoformat(one.data["time"]) for one in said]
    first = edges.report(VILLAGE_TERMINAL, records[0], before)
    assert first is not None
    assert first.meta.recorded_at >= began
    call = call_of(case_of(first.stream), "P5", 1)
    (called,) = wait_for(
        lambda: [r.fact for r in edges.log.stream(call) if isinstance(r.fact, DepartmentsCalled)],
        "the call of the oldest report",
    )
    assert called.called_at >= began
    assert all(due.by > began for leg in called.legs for due in (leg.acknowledge, leg.result))


@pytest.mark.parametrize("old", [False, True], ids=["MQTT 5", "MQTT 3.1.1"])
def test_a_persistent_session_gets_the_receipts_and_news_that_came_while_it_was_away(edges: Edges, old: bool) -> None:
    session, said = fresh("session"), [told() for _ in range(3)]
    with Terminal(edges, VILLAGE_TERMINAL, old=old, session=session):
        pass

    with Terminal(edges, VILLAGE_TERMINAL) as another:
        records = [one.data["id"] for one in said]
        for one in said:
            ask(another, one)
        another.hear_all(lambda news: news.type == "case.news.v1" and news.data["record"] in records, 6)
    with Terminal(edges, VILLAGE_TERMINAL, old=old, session=session, listens=False) as terminal:
        found = terminal.hear_all(lambda news: received(news) and news.data["record"] in records, 3)
        news = terminal.hear_all(lambda news: news.type == "case.news.v1" and news.data["record"] in records, 6)

    assert [one.data["record"] for one in found] == records
    for record in records:
        assert [one.data["stage"] for one in news if one.data["record"] == record] == ["registered", "calling"]


# --- receipts of its own


def own_receipt(key: bytes, town: str, source: str, record: str) -> str:
    """A receipt as a terminal computes it that knows no more than what the README says."""
    alphabet = "23456789ABCDEFGHJKLMNPQRSTVWXYZ"
    number = int.from_bytes(hmac.digest(key, f"{source}/{record}".encode(), "sha256"), "big")
    text = town + "".join(alphabet[number // 31**place % 31] for place in range(10))
    check = sum(place * alphabet.index(character) for place, character in enumerate(text, start=1)) % 31
    return text + alphabet[check]


@pytest.mark.parametrize("user", TERMINALS)
def test_a_terminal_that_knows_its_key_computes_its_receipts_itself(edges: Edges, user: str) -> None:
    shown = edges.township.hujiao("receipt-key", user, "--by", "李四", "--json")
    key = bytes.fromhex(shown["key"])
    said = [(TOWN, told()), ("GC", told(town="GC")), (TOWN, told(f"号/{fresh()}"))]
    expected = [own_receipt(key, town, user, one.data["id"]) for town, one in said]

    with Terminal(edges, user) as terminal:
        found = [ask(terminal, one).data["receipt"] for _, one in said]

    assert found == expected
    assert shown["example"]["receipt"] == own_receipt(key, TOWN, user, shown["example"]["record"])


def test_there_is_no_receipt_key_for_whoever_is_no_sender(edges: Edges) -> None:
    with pytest.raises(ServerFailed, match="source: expected a hotline or terminal of"):
        edges.township.hujiao("receipt-key", "dept.ld.d21", "--by", "李四", "--json")

    assert edges.openings("dept.ld.d21") == []


# --- abuse


class Odd(NamedTuple):
    """What a terminal sends, and what it is told: a receipt, or why not."""

    write: Callable[[Event], Sent]
    reason: str = ""


def _said(**attributes: Any) -> Callable[[Event], Sent]:
    return lambda said: binary(event("report.submit.v1", said.data, **{"id": said.id, **attributes}), prefix="")


def _body(body: bytes, content_type: str | None = None) -> Callable[[Event], Sent]:
    return lambda said: Sent({}, content_type, body)


ODD = {
    "nothing": Odd(_body(b""), "event: expected one JSON object in UTF-8"),
    "nothing, as an event": Odd(_body(b"", STRUCTURED), "event: expected one JSON object"),
    "rubbish": Odd(_body(bytes(range(256))), "event: expected one JSON object in UTF-8"),
    "rubbish that says it is JSON": Odd(_body(b"\xff\xfe\x00", JSON), "event: expected one JSON object"),
    "text": Odd(_body("路灯不亮".encode(), "text/plain"), "event: expected one JSON object"),
    "a report without its event": Odd(
        lambda said: Sent({}, JSON, encoded(said.data)), "specversion: expected 1.0, found none"
    ),
    "a batch": Odd(lambda said: batch([said]), "event: expected one JSON object"),
    "brackets as deep as a well": Odd(_body(b"[" * 100_000), "event: expected one JSON object"),
    "an object as deep as a well": Odd(
        lambda said: Sent({}, None, b'{"a":' * 100_000 + b"1" + b"}" * 100_000), "event: expected one JSON object"
    ),
    "the same attribute twice": Odd(
        lambda said: Sent({}, None, bare(said).body.replace(b'"id":', b'"id": "x", "id":', 1)), "id: expected it once"
    ),
    "a binary event of another content type": Odd(
        lambda said: binary(said, "text/plain", prefix=""), "datacontenttype: expected"
    ),
    "MessagePack that says it is JSON": Odd(
        lambda said: Sent(binary(said, prefix="").headers, JSON, encoded(said.data, MSGPACK)), "data: expected"
    ),
    "a structured event whose content type says JSON": Odd(lambda said: bare(said)._replace(content_type=JSON)),
    "a long content type": Odd(lambda said: binary(said, "x" * 60_000, prefix=""), "datacontenttype: expected"),
    "an id of 2,048 characters": Odd(_said(id="x" * 2048)),
    "an id of 2,048 Chinese characters": Odd(_said(id="号" * 2048)),
    "an id that is too long": Odd(_said(id="x" * 2049), "id: expected"),
    "an id that is a topic": Odd(_said(id="#/+/../receipt/app-gc")),
    "many other properties": Odd(_said(**{f"X-{n}": "y" * 50 for n in range(500)})),
    "an attribute of its own": Odd(_said(hujiao="svc.intake", traceparent="nonsense")),
    "a time of nowhere": Odd(_said(time="yesterday"), "time: expected RFC 3339"),
    "control characters in its words": Odd(
        lambda said: bare(event("report.submit.v1", {**said.data, "text": "a\x00b\x1b[31m\u202e"}, id=said.id))
    ),
    "fifteen megabytes": Odd(
        lambda said: bare(event("report.submit.v1", {**said.data, "text": "x" * 15_000_000}, id=said.id)), "text"
    ),
}


@pytest.mark.parametrize("what", ODD)
def test_whatever_a_terminal_sends_it_is_answered_and_others_reports_go_on(edges: Edges, what: str) -> None:
    odd, said = ODD[what], told()
    before = edges.pids()

    with Terminal(edges, APP) as terminal, Terminal(edges, OTHER_APP, old=True) as other:
        assert terminal.report(odd.write(said), correlation=b"odd") == ""
        answer = terminal.hear(lambda news: news.correlation == b"odd", f"an answer to {what}")
        after = ask(other, told())
        own = ask(terminal, told())

    if odd.reason:
        assert refused(answer)
        assert answer.data["kind"] == "malformed"
        assert odd.reason in answer.data["reason"]
    else:
        assert received(answer)
        assert answer.data["record"] == said.data["id"]
    assert received(after)
    assert received(own)
    assert edges.pids() == before


def test_a_correlation_of_sixty_thousand_bytes_comes_back_as_it_was(edges: Edges) -> None:
    correlation = bytes(range(256)) * 234

    with Terminal(edges, APP) as terminal:
        answer = ask(terminal, told(), correlation=correlation)

    assert answer.correlation == correlation


def test_a_retained_report_is_taken_once_however_often_it_is_heard(edges: Edges) -> None:
    service, said = edges.township.services["terminals"], told()
    before = edges.head()
    with Terminal(edges, VILLAGE_TERMINAL) as terminal:
        try:
            first = ask(terminal, said, retain=True)
            service.stop()
            service.start()  # subscribes again, and hears again what was retained
            after = ask(terminal, told())
        finally:
            terminal.report(Sent({}, None, b""), retain=True)

    assert received(first)
    assert received(after)
    assert len(submitted(edges, [said.data["id"]], before)) == 1
    assert {news.data["receipt"] for news in terminal.heard if received(news) and answers(said)(news)} == {
        first.data["receipt"]
    }


@pytest.mark.parametrize("good", [True, False], ids=["a report", "rubbish"])
def test_the_will_of_a_terminal_that_dies_is_a_message_like_any_other(edges: Edges, good: bool) -> None:
    said = told()
    dying = Terminal(edges, APP, listens=False)
    about = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # untyped library
    about.CorrelationData = b"the will"
    body = bare(said).body if good else b"\xff\x00"
    dying.client.will_set(report_topic(edges, APP), body, qos=1, properties=about)

    with Terminal(edges, APP) as heir, dying:
        link = dying.client.socket()
        assert isinstance(link, socket.socket)
        link.shutdown(socket.SHUT_RDWR)
        answer = heir.hear(lambda news: news.correlation == b"the will", "an answer to a will")
        after = ask(heir, told())

    assert received(answer) is good
    assert received(after)


def test_an_expired_report_and_one_with_an_alias_for_its_topic_are_taken_like_any_other(edges: Edges) -> None:
    short, alias = told(), told()

    with Terminal(edges, APP) as terminal:
        for said, name, value in ((short, "MessageExpiryInterval", 60), (alias, "TopicAlias", 1)):
            about = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # untyped library
            setattr(about, name, value)
            about.PayloadFormatIndicator = 1
            terminal.client.publish(report_topic(edges, APP), bare(said).body, 1, properties=about)
        found = [terminal.receipt(said.data["id"]) for said in (short, alias)]

    assert all(received(answer) for answer in found)


@pytest.mark.parametrize("qos", [0, 2])
def test_a_report_of_another_quality_of_service_is_answered_too(edges: Edges, qos: int) -> None:
    said = told()

    with Terminal(edges, APP) as terminal:
        terminal.client.publish(report_topic(edges, APP), bare(said).body, qos)
        answer = terminal.receipt(said.data["id"])

    assert received(answer)
