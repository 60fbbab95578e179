"""A department gets its part of a call over a real RabbitMQ, acts, opens the words, and hears what becomes of it."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

import pytest

from events.call import CallAcknowledged, CallNoted, CallResultFiled
from events.case import CallDistrict, CaseReportLinked, CaseResultSubmitted, HandDown, RecuseDepartment
from events.envelope import Recorded, Request
from events.ids import case_of
from events.mobilisation import StandDown
from events.person import RegisterPerson
from services.people.person import person_id
from services.people.roster import roster_of
from services.provisioning import roles
from services.runtime.batch import Submission
from services.runtime.clock import SystemClock
from services.runtime.places import Server
from services.wiring import House
from tests.system.edges import (
    ALLEY,
    BATCH,
    HOTLINE,
    JSON,
    MSGPACK,
    PAPERS,
    POTHOLE,
    VILLAGE,
    Edges,
    Event,
    Letter,
    Outside,
    Sent,
    batch,
    binary,
    dead_letter,
    encoded,
    event,
    fresh,
    outside,
    own_queue,
    structured,
    submit,
    until,
)

TRAFFIC, POLICE, TRANSPORT = "dept.ld.d09", "dept.ld.d08", "dept.ld.d32"
"""Lead, required and assisting department of `POTHOLE`; the first two are of one platform, and so share one call."""

COUNTER, AFFAIRS = "dept.ld.d21", "dept.ld.d23"
"""Lead of `PAPERS`, and, beside `POLICE`, its assistant; these two share one call."""

DISCIPLINE, OFFICE = "dept.ld.d04", "dept.ld.d01"
"""Lead and assistant of `ALLEY`, in one call."""

ENFORCEMENT, LAND_BUREAU, MINING = "dept.ld.d15", "dept.ya.b07", "401"
"""Lead of a matter for which the town may call the district at once, and the bureau that is called there."""

ENVIRONMENT, SEWAGE = "dept.ld.d17", "402"
"""Lead of a matter that `DISCIPLINE` leads in its place, and that `ENFORCEMENT` assists in."""

FORESTRY, LOGGING = "dept.ld.d18", "405"
"""Lead of a matter that has many people turn out."""

STAFF = [f"LD-{department}-{n}" for department in ("D18", "D08") for n in (1, 2, 3)]
LIUDU = "445303100"
ROSTERS = (roster_of(LIUDU), roster_of("445303"))

ELSEWHERE = "dept.gc.d21"
"""The same department in another town."""

NOWHERE = "0" * 32
MINUTE = timedelta(minutes=1)

MODES: dict[str, Callable[[Event], Sent]] = {
    "binary JSON": binary,
    "binary MessagePack": lambda said: binary(said, MSGPACK),
    "binary with the colon of AMQP 1.0": lambda said: binary(said, prefix="cloudEvents:"),
    "structured JSON": structured,
    "structured MessagePack": lambda said: structured(said, MSGPACK),
    "a batch of one": lambda said: batch([said]),
}


class Called(NamedTuple):
    """A case with the parts that those who listen got of it, by user."""

    record: str
    receipt: str
    report: str
    case: str
    legs: dict[str, Letter]

    def call(self, user: str) -> str:
        """The call that a department is part of."""
        return str(self.legs[user].data["call"])


async def called(edges: Edges, departments: Sequence[Outside], **fields: Any) -> Called:
    """Report something that calls these departments."""
    said = submit(**fields)
    async with outside(edges, HOTLINE) as hotline:
        answer = await hotline.ask(binary(said))
    case = case_of(answer.data["report"])
    legs = {
        who.user: await who.hear(lambda came: is_leg(came) and came.data["case"] == case, f"its part of {case}")
        for who in departments
    }
    return Called(said.data["id"], answer.data["receipt"], answer.data["report"], case, legs)


@asynccontextmanager
async def at_work(edges: Edges, *users: str) -> AsyncIterator[list[Outside]]:
    """Several departments, each on its own link."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(outside(edges, user)) for user in users]


def is_leg(came: Letter) -> bool:
    return came.type == "leg.called.v1"


def about(text: str) -> Callable[[Letter], bool]:
    """Whether a message holds this text."""
    return lambda came: text.encode() in came.body


def act(kind: str, call: str, by: str = "李四", /, **said: Any) -> Event:
    """What a department does about a call."""
    return event(f"call.{kind}.v1", {"call": call, "by": by, **said})


def opening(call: str, by: str = "李四") -> Event:
    """Somebody asks for the words behind a call."""
    return event("words.open.v1", {"call": call, "by": by})


async def send_all(who: Outside, said: Sequence[Event]) -> None:
    """Send events one after the other, each a message of its own, without waiting for the broker in between."""
    await asyncio.gather(*(who.send(binary(one), correlation_id=one.id) for one in said))


def outcome(answer: Letter) -> tuple[str, str]:
    """What became of an act: status and reason."""
    assert answer.type == "act.decided.v1", answer.data
    return answer.data["status"], answer.data["reason"]


def times(leg: Letter, clock: str) -> timedelta:
    """How long a clock of a part runs."""
    return datetime.fromisoformat(leg.data[clock]["by"]) - datetime.fromisoformat(leg.data["called_at"])


def notes_of(edges: Edges, call: str) -> list[Recorded]:
    """The notes on a call, in their order."""
    return [recorded for recorded in edges.log.stream(call) if isinstance(recorded.fact, CallNoted)]


def decided(edges: Edges, request: Request) -> None:
    """Have something decided that people ask for and no department."""
    township = edges.township
    place = Server(township.store_url(roles.LOG), vault_url=township.store_url(roles.VAULT))
    with House(place, SystemClock()) as house:
        answer = house.ledger.decide(Submission(f"act/test/{fresh()}", request, "test"))
    assert answer.status == "accepted", answer.reason


# --- parts


async def test_each_department_gets_its_own_part_of_a_call_and_nobody_elses(edges: Edges) -> None:
    async with at_work(edges, TRAFFIC, POLICE, TRANSPORT, COUNTER) as departments:
        case = await called(edges, departments[:3], matter=POTHOLE)
        lead, required, assist = (case.legs[who.user] for who in departments[:3])
        other = await called(edges, departments[3:], matter=PAPERS)

        for who in departments[:3]:
            legs = who.got(lambda came: is_leg(came) and case.case in str(came.data))
            assert [leg.data["department"] for leg in legs] == [who.user[-3:].upper()]
        assert departments[3].got(about(case.case)) == []
        assert departments[0].got(about(other.case)) == []
    assert [leg.data["role"] for leg in (lead, required, assist)] == ["lead", "assist", "assist"]
    assert [leg.data["required"] for leg in (lead, required, assist)] == [True, True, False]
    assert lead.data["call"] == required.data["call"] != assist.data["call"]
    assert [leg.data["platform"] for leg in (lead, required, assist)] == ["P2", "P2", "P6"]
    for leg in (lead, required, assist):
        assert (leg.data["matter"], leg.data["matter_zh"], leg.data["handling_class"]) == (
            "204",
            "道路交通事故与圩日拥堵",
            "U1",
        )
        assert (leg.data["town"], leg.data["village"], leg.data["level"]) == ("445303100", VILLAGE, "town")
        assert leg.data["attempt"] == 1
        assert leg.data["link"] == f"{edges.township.console}#case={case.case}"
        assert times(leg, "acknowledge") == 15 * MINUTE
        assert leg.content_type == JSON
        assert leg.headers["cloudEvents_source"] == "/hujiao/445303"
        assert leg.headers["cloudEvents_subject"] == leg.data["call"]
    assert [times(leg, "arrive") for leg in (lead, required)] == [30 * MINUTE] * 2
    assert times(lead, "contact") == 15 * MINUTE
    assert [required.data["contact"], assist.data["contact"], assist.data["arrive"]] == [None] * 3
    assert lead.routing_key == "LD.P2.D09.call.departments-called"


async def test_a_part_says_nothing_of_who_reported_or_of_what_was_said(edges: Edges) -> None:
    contact = {"name": "王五", "phone": "13800000000"}
    said: dict[str, Any] = {"text": fresh("words"), "reporter": fresh("resident"), "contact": contact}
    async with at_work(edges, COUNTER) as (counter,):
        case = await called(edges, [counter], **said)

    part = case.legs[COUNTER]
    shown = part.body.decode() + str(part.headers)
    assert [word for word in (said["text"], said["reporter"], *contact.values()) if word in shown] == []


# --- acts


async def test_a_department_acts_in_every_mode_and_is_answered_with_its_correlation(edges: Edges) -> None:
    async with at_work(edges, COUNTER) as (counter,):
        call = (await called(edges, [counter])).call(COUNTER)
        await counter.ask(binary(act("acknowledge", call)))
        said = {mode: act("note", call, fresh("officer"), note=f"以{mode}报告") for mode in MODES}
        answers = {mode: await counter.ask(write(said[mode])) for mode, write in MODES.items()}

    assert {mode: outcome(answer) for mode, answer in answers.items()} == dict.fromkeys(MODES, ("accepted", ""))
    assert {mode: answer.data["event"] for mode, answer in answers.items()} == {m: e.id for m, e in said.items()}
    assert all((answer.data["facts"], answer.data["repeated"]) == (1, False) for answer in answers.values())
    assert answers["binary JSON"].content_type == JSON
    assert answers["binary MessagePack"].content_type == answers["structured MessagePack"].content_type == MSGPACK
    assert [recorded.meta.actor for recorded in notes_of(edges, call)] == [said[mode].data["by"] for mode in MODES]
    with edges.vault() as vault:
        kept = [
            vault.open(recorded.fact.note, str, "a test", "to see what was kept", recorded.meta.recorded_at)
            for recorded in notes_of(edges, call)
            if isinstance(recorded.fact, CallNoted)
        ]
    assert kept == [f"以{mode}报告" for mode in MODES]


async def test_a_case_goes_its_whole_way_over_the_queues_and_each_hears_what_becomes_of_its_own_part(
    edges: Edges,
) -> None:
    async with at_work(edges, TRAFFIC, POLICE, TRANSPORT) as departments:
        traffic, police, transport = departments
        case = await called(edges, departments, matter=POTHOLE)
        mine, other = case.call(TRAFFIC), case.call(TRANSPORT)
        acts = [
            (transport, act("acknowledge", other, "赵六")),
            (traffic, act("acknowledge", mine, "李四")),
            (police, act("acknowledge", mine, "王五")),
            (police, act("report-in", mine, "王五", people=3)),
            (traffic, act("contact-reporter", mine, "李四")),
            (traffic, act("report-in", mine, "李四", people=2)),
            (traffic, act("note", mine, "李四", note="已设警示")),
            (police, act("file-result", mine, "王五", solved="yes", account="现场已清理。")),
            (
                traffic,
                act("file-result", mine, "李四", solved="yes", account="登记两车。", reply="事故已处理，道路已通。"),
            ),
        ]
        answers = [await who.ask(binary(said)) for who, said in acts]
        released = await transport.hear(lambda came: came.type == "call.released.v1" and about(case.case)(came))
        await traffic.hear(lambda came: came.type == "call.result-filed.v1" and came.id.startswith(mine))

        heard = {
            who.user: [came.type for came in who.got(about(case.case)) if not came.correlation_id]
            for who in departments
        }
    assert [outcome(answer) for answer in answers] == [("accepted", "")] * len(acts)
    assert answers[-1].data["facts"] == 2  # filed, and with it the whole call completed
    assert heard == {
        TRAFFIC: [
            "leg.called.v1",
            "call.acknowledged.v1",
            "call.reporter-contacted.v1",
            "call.reported-in.v1",
            "call.noted.v1",
            "call.result-filed.v1",
        ],
        POLICE: ["leg.called.v1", "call.acknowledged.v1", "call.reported-in.v1", "call.result-filed.v1"],
        TRANSPORT: ["leg.called.v1", "call.acknowledged.v1", "call.released.v1"],
    }
    assert released.data["departments"] == ["D32"]
    submitted = [r.fact for r in edges.log.stream(case.case) if isinstance(r.fact, CaseResultSubmitted)]
    assert len(submitted) == 1
    filed = [r for r in edges.log.stream(mine) if isinstance(r.fact, CallResultFiled) and r.fact.department == "D09"]
    assert isinstance(filed[0].fact, CallResultFiled)
    assert filed[0].fact.reply is not None
    with edges.vault() as vault:
        reply = vault.open(filed[0].fact.reply, str, "a test", "to see what was kept", filed[0].meta.recorded_at)
    assert reply == "事故已处理，道路已通。"


async def test_who_only_assisted_in_the_leads_own_call_is_released_with_it(edges: Edges) -> None:
    async with at_work(edges, DISCIPLINE, OFFICE) as (discipline, office):
        case = await called(edges, [discipline, office], matter=ALLEY)
        call = case.call(DISCIPLINE)
        await discipline.ask(binary(act("acknowledge", call)))
        await discipline.ask(binary(act("file-result", call, solved="yes", account="已查清。", reply="已查清并告知。")))
        completed = await office.hear(lambda came: came.type == "call.completed.v1" and about(case.case)(came))
        late = await office.ask(binary(act("acknowledge", call)))

        assert discipline.got(lambda came: came.type == "call.completed.v1" and about(case.case)(came)) == []
    assert completed.data["released"] == ["D01"]
    assert completed.data["handlers"] == []  # who else was at work is nothing of the office's
    assert completed.data.get("reply") is None
    assert outcome(late) == ("rejected", "expected a part that is open, found it released")


async def test_the_same_event_again_gets_the_first_answer_in_whatever_mode(edges: Edges) -> None:
    async with at_work(edges, COUNTER) as (counter,):
        call = (await called(edges, [counter])).call(COUNTER)
        early = act("note", call, note="还没签收")
        refused = [await counter.ask(binary(early)), await counter.ask(structured(early))]
        said = act("acknowledge", call)
        answers = [await counter.ask(write(said)) for write in MODES.values()]
        anew = await counter.ask(binary(act("acknowledge", call, "别人")))
        still = await counter.ask(binary(early))

    assert [answer.data["repeated"] for answer in answers] == [False] + [True] * (len(MODES) - 1)
    assert {(*outcome(answer), answer.data["facts"]) for answer in answers} == {("accepted", "", 1)}
    assert len({outcome(answer) for answer in (*refused, still)}) == 1
    assert outcome(still)[0] == "rejected"  # what may be done now, may be said in an event of its own
    assert [answer.data["repeated"] for answer in (*refused, still)] == [False, True, True]
    assert (*outcome(anew), anew.data["facts"], anew.data["repeated"]) == ("accepted", "", 0, False)
    assert sum(isinstance(recorded.fact, CallAcknowledged) for recorded in edges.log.stream(call)) == 1


async def test_an_events_id_with_another_act_under_it_is_a_conflict_and_changes_nothing(edges: Edges) -> None:
    async with at_work(edges, COUNTER) as (counter,):
        call = (await called(edges, [counter])).call(COUNTER)
        said = act("acknowledge", call)
        await counter.ask(binary(said))
        before = len(edges.log.stream(call))
        answer = await counter.ask(binary(event("call.note.v1", {**said.data, "note": "别的"}, id=said.id)))

    assert (answer.type, answer.data["kind"]) == ("request.not-taken.v1", "conflict")
    assert said.id in answer.data["reason"]
    assert len(edges.log.stream(call)) == before


async def test_two_departments_may_use_the_same_event_id(edges: Edges) -> None:
    async with at_work(edges, TRAFFIC, POLICE) as departments:
        case = await called(edges, departments, matter=POTHOLE)
        said = act("acknowledge", case.call(TRAFFIC))
        answers = [await who.ask(binary(said)) for who in departments]

    assert [(*outcome(answer), answer.data["repeated"]) for answer in answers] == [("accepted", "", False)] * 2


async def test_what_is_not_allowed_as_things_stand_is_rejected_with_the_reason(edges: Edges) -> None:
    async with at_work(edges, TRAFFIC, POLICE, TRANSPORT, AFFAIRS) as departments:
        traffic, police, transport, affairs = departments
        case = await called(edges, departments[:3], matter=POTHOLE)
        mine, other = case.call(TRAFFIC), case.call(TRANSPORT)
        file = {"solved": "yes", "account": "好了。"}
        steps = [
            (
                traffic,
                act("report-in", mine, people=2),
                "expected D09 to acknowledge first, found its part only called",
            ),
            (traffic, act("contact-reporter", mine), "expected D09 to acknowledge first"),
            (traffic, act("note", mine, note="去看"), "expected D09 to acknowledge first"),
            (traffic, act("file-result", mine, **file, reply="好了。"), "expected D09 to acknowledge first"),
            (affairs, act("acknowledge", mine), "department: expected one that is called (D08, D09), found D23"),
            (transport, act("acknowledge", mine), "department: expected one that is called (D08, D09), found D32"),
            (traffic, act("acknowledge", mine), ""),
            (traffic, act("file-result", mine, **file, reply="好了。"), "expected D09 to report in on the spot first"),
            (traffic, act("report-in", mine, people=2), ""),
            (traffic, act("file-result", mine, **file), "reply: expected the lead's public reply, found none"),
            (police, act("acknowledge", mine), ""),
            (police, act("contact-reporter", mine), "expected the lead of a case whose reporter can be reached"),
            (transport, act("acknowledge", other), ""),
            (transport, act("report-in", other, people=1), "expected a department called to the spot, found D32"),
            (traffic, act("file-result", mine, **file, reply="好了。"), ""),
            (traffic, act("file-result", mine, **file, reply="好了。"), "expected a part without a result"),
            (traffic, act("note", mine, note="补充"), "expected a part that is open, found it filed"),
        ]
        answers = [await who.ask(binary(said)) for who, said, _ in steps]

    for (_, said, reason), answer in zip(steps, answers, strict=True):
        status, found = outcome(answer)
        assert status == ("rejected" if reason else "accepted"), (said, found)
        assert reason in found


class Bad(NamedTuple):
    """What a department sends, and what it and the dead letters are told. ``write`` gets a name to know it by."""

    write: Callable[[str], Sent]
    kind: str
    reason: str


def _wrong(kind: str, content_type: str = JSON, /, **said: Any) -> Callable[[str], Sent]:
    def write(mark: str) -> Sent:
        data = {"call": NOWHERE, "by": mark, **said}
        return binary(event(kind, {name: value for name, value in data.items() if value is not None}), content_type)

    return write


REFUSED = {
    "no JSON": Bad(lambda mark: binary(event("call.note.v1", f"{{{mark}".encode())), "malformed", "data: expected"),
    "no event": Bad(lambda mark: Sent({}, JSON, encoded({"by": mark})), "malformed", "specversion: expected 1.0"),
    "no id": Bad(
        lambda mark: binary(event("call.acknowledge.v1", {"call": NOWHERE, "by": mark}, id=None)),
        "malformed",
        "id: expected some text, found none",
    ),
    "no call": Bad(_wrong("call.acknowledge.v1", call=None), "malformed", "`call`"),
    "a call that is none": Bad(_wrong("call.acknowledge.v1", call="1"), "malformed", "$.call"),
    "nobody": Bad(_wrong("call.acknowledge.v1", by="", mark="x"), "malformed", "$.by"),
    "more than an act says": Bad(_wrong("call.acknowledge.v1", people=2), "malformed", "unknown field `people`"),
    "a misspelling": Bad(_wrong("call.note.v1", notes="去看"), "malformed", "unknown field `notes`"),
    "no people": Bad(_wrong("call.report-in.v1", people=0), "malformed", "$.people"),
    "a crowd": Bad(_wrong("call.report-in.v1", people=5001), "malformed", "$.people"),
    "a note without words": Bad(_wrong("call.note.v1"), "malformed", "`note`"),
    "a book": Bad(_wrong("call.note.v1", note="字" * 20_001), "malformed", "$.note"),
    "solved, perhaps": Bad(_wrong("call.file-result.v1", solved="perhaps", account="好了。"), "malformed", "$.solved"),
    "a late one, it says itself": Bad(_wrong("call.acknowledge.v1", late=False), "malformed", "unknown field `late`"),
    "a list": Bad(lambda mark: binary(event("call.acknowledge.v1", [mark])), "malformed", "data: expected"),
    "another content type": Bad(_wrong("call.acknowledge.v1", "text/plain"), "malformed", "datacontenttype:"),
    "JSON that says it is MessagePack": Bad(
        lambda mark: binary(event("call.acknowledge.v1", encoded({"call": NOWHERE, "by": mark})), MSGPACK),
        "malformed",
        "data:",
    ),
    "a report": Bad(_wrong("report.submit.v1"), "not_allowed", "type: expected one of call.acknowledge.v1"),
    "a fact of ours": Bad(_wrong("call.acknowledged.v1"), "not_allowed", "type: expected one of call.acknowledge.v1"),
    "a timer's request": Bad(_wrong("call.miss-clock.v1"), "not_allowed", "type: expected one of"),
    "a reviewer's request": Bad(_wrong("case.approve-result.v1"), "not_allowed", "type: expected one of"),
    "in another's name": Bad(
        _wrong("call.acknowledge.v1", department="D08"),
        "not_allowed",
        "department: expected D21, who sent it, found D08",
    ),
    "a call that nobody issued": Bad(
        _wrong("call.acknowledge.v1"), "not_allowed", f"call: expected one of LD, found none with id {NOWHERE}"
    ),
    "the words of nothing": Bad(_wrong("words.open.v1"), "not_allowed", "call: expected one of LD, found none"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_malformed_or_not_allowed_is_refused_and_goes_to_the_dead_letters(
    edges: Edges, what: str
) -> None:
    bad, mark = REFUSED[what], fresh("officer")
    sent = bad.write(mark)
    before = edges.head()

    async with outside(edges, COUNTER) as counter:
        answer = await counter.ask(sent, headers={"x-mark": mark})
    dead = await dead_letter(edges, lambda came: came.headers.get("x-mark") == mark)

    assert (answer.type, answer.data["kind"]) == ("request.not-taken.v1", bad.kind)
    assert bad.reason in answer.data["reason"]
    assert dead.headers["hujiao-from"] == COUNTER
    assert (dead.headers["hujiao-kind"], dead.headers["hujiao-reason"]) == (bad.kind, answer.data["reason"])
    assert dead.body == sent.body
    assert edges.since(before) == []
    assert any(
        line["event"] == "not_taken" and line["user"] == COUNTER and line["reason"] == answer.data["reason"]
        for line in edges.log_of("departments")
    )


async def test_another_towns_department_may_neither_act_on_a_call_nor_open_its_words(edges: Edges) -> None:
    async with at_work(edges, COUNTER, ELSEWHERE) as (counter, elsewhere):
        call = (await called(edges, [counter])).call(COUNTER)
        answers = [await elsewhere.ask(binary(said)) for said in (act("acknowledge", call), opening(call))]
        own = await counter.ask(binary(act("acknowledge", call, department="D21")))

    assert [answer.data.get("kind") for answer in answers] == ["not_allowed"] * 2
    assert all(f"call: expected one of GC, found none with id {call}" in answer.data["reason"] for answer in answers)
    assert outcome(own) == ("accepted", "")


async def test_the_acts_of_a_batch_are_decided_in_their_order_and_each_is_answered(edges: Edges) -> None:
    async with at_work(edges, COUNTER) as (counter,):
        call = (await called(edges, [counter])).call(COUNTER)
        said = [
            act("note", call, note="太早"),
            act("acknowledge", call),
            act("note", call, note="去看"),
            act("note", call, note="去看", department="D08"),
            opening(call),
            act("contact-reporter", call),
            act("file-result", call, solved="partly", account="办了一半。", reply="已办一半。"),
            act("note", call, note="太晚"),
        ]
        sent = Sent({}, BATCH, batch(said).body)
        await counter.send(sent, correlation_id=(asked := fresh("c")))
        answers = await counter.hear_all(lambda came: came.correlation_id == asked, len(said))

    assert [answer.data["event"] for answer in answers] == [one.id for one in said]
    assert [answer.data.get("status") or answer.data.get("kind") or answer.type for answer in answers] == [
        "rejected",
        "accepted",
        "accepted",
        "not_allowed",
        "words.opened.v1",
        "accepted",
        "accepted",
        "rejected",
    ]


async def test_two_hundred_acts_in_one_go_are_decided_and_answered_in_their_order(edges: Edges) -> None:
    async with at_work(edges, COUNTER) as (counter,):
        call = (await called(edges, [counter])).call(COUNTER)
        officers = [f"officer-{n:03}" for n in range(199)]
        said = [act("acknowledge", call), *(act("note", call, by, note="办理中") for by in officers)]
        await send_all(counter, said)
        names = {one.id for one in said}
        answers = await counter.hear_all(lambda came: came.correlation_id in names, len(said))

    assert [answer.correlation_id for answer in answers] == [one.id for one in said]
    assert {outcome(answer) for answer in answers} == {("accepted", "")}
    assert [recorded.meta.actor for recorded in notes_of(edges, call)] == officers


async def test_two_departments_act_on_one_call_at_once_and_neither_is_in_the_others_way(edges: Edges) -> None:
    async def work(who: Outside, call: str) -> list[Letter]:
        said = [act("acknowledge", call), *(act("note", call, f"{who.user}-{n}", note="办理中") for n in range(40))]
        await send_all(who, said)
        names = {one.id for one in said}
        return await who.hear_all(lambda came: came.correlation_id in names, len(said))

    async with at_work(edges, TRAFFIC, POLICE) as departments:
        call = (await called(edges, departments, matter=POTHOLE)).call(TRAFFIC)
        answers = await asyncio.gather(*(work(who, call) for who in departments))

    assert {outcome(answer) for some in answers for answer in some} == {("accepted", "")}
    actors = [recorded.meta.actor for recorded in notes_of(edges, call)]
    for user in (TRAFFIC, POLICE):
        assert [actor for actor in actors if actor.startswith(user)] == [f"{user}-{n}" for n in range(40)]


async def test_acts_on_their_way_when_the_service_is_killed_are_all_decided_once_and_answered(edges: Edges) -> None:
    service = edges.township.services["departments"]
    async with at_work(edges, COUNTER) as (counter,):
        call = (await called(edges, [counter])).call(COUNTER)
        await counter.ask(binary(act("acknowledge", call)))
        said = [act("note", call, f"officer-{n:03}", note="办理中") for n in range(150)]
        names = {one.id for one in said}
        await send_all(counter, said[:100])
        service.kill()
        await send_all(counter, said[100:])
        await asyncio.to_thread(service.start)
        await counter.hear_all(
            lambda came: came.correlation_id in names and came is _first(counter, came), len(said), "every answer"
        )
        answers = counter.got(lambda came: came.correlation_id in names)

    assert {outcome(answer) for answer in answers} == {("accepted", "")}
    assert [recorded.meta.actor for recorded in notes_of(edges, call)] == [one.data["by"] for one in said]


def _first(who: Outside, came: Letter) -> Letter:
    """The first answer to what this one answers too: an answer may come again."""
    return next(one for one in who.heard if one.correlation_id == came.correlation_id)


async def test_a_department_that_slept_finds_everything_in_its_order_when_it_wakes(edges: Edges) -> None:
    async with outside(edges, COUNTER) as counter:
        cases = [await called(edges, [counter]) for _ in range(5)]
    calls = [case.call(COUNTER) for case in cases]
    said = [
        one
        for call in calls
        for one in (act("acknowledge", call), *(act("note", call, f"officer-{n}", note="办理中") for n in range(4)))
    ]
    names = {one.id for one in said}
    await until(lambda: edges.depth(own_queue(AFFAIRS)) >= len(cases), "its parts in the queue of who sleeps")

    async with outside(edges, COUNTER, deaf=True) as deaf:
        await send_all(deaf, said)
    await until(lambda: edges.depth(own_queue(COUNTER)) >= 2 * len(said), "its facts and answers in its queue")
    async with at_work(edges, COUNTER, AFFAIRS) as (counter, affairs):
        facts = await counter.hear_all(lambda came: came.id.startswith(tuple(calls)) and not is_leg(came), len(said))
        answers = await counter.hear_all(lambda came: came.correlation_id in names, len(said))
        slept = await affairs.hear_all(lambda came: is_leg(came) and came.data["call"] in calls, 5)

    assert len({leg.data["call"] for leg in slept}) == len(cases)
    assert [answer.correlation_id for answer in answers] == [one.id for one in said]
    for call in calls:
        heard = [came.id for came in facts if came.id.startswith(call)]
        assert heard == [f"{call}:{version}" for version in range(3, 8)]


# --- words


async def test_the_lead_may_open_the_words_at_once_and_others_once_they_have_acknowledged(edges: Edges) -> None:
    photo = b"\xff\xd8 a photo"
    note = {"name": "门.jpg", "media_type": "image/jpeg", "sha256": sha256(photo).hexdigest()}
    fields: dict[str, Any] = {
        "text": fresh("窗口一直没有人"),
        "place": "二楼窗口",
        "contact": {"name": "张三", "phone": "13800000000"},
        "attachments": [{**note, "data": base64.b64encode(photo).decode()}],
    }
    async with at_work(edges, COUNTER, AFFAIRS, POLICE) as departments:
        counter, affairs, police = departments
        case = await called(edges, departments, **fields)
        call = case.call(COUNTER)
        lead = await counter.ask(binary(opening(call, "李四")))
        early = await affairs.ask(binary(opening(call, "王五")))
        await affairs.ask(binary(act("acknowledge", call, "王五")))
        assistant = await affairs.ask(binary(opening(call, "赵六")))
        other = await police.ask(binary(opening(case.call(POLICE), "孙七")))

        assert police.got(about(fields["text"])) == []
        assert counter.got(about(fields["text"])) == [lead]
        assert affairs.got(about(fields["text"])) == [assistant]
    assert lead.type == assistant.type == "words.opened.v1"
    assert (lead.data["call"], lead.data["case"]) == (call, case.case)
    (report,) = lead.data["reports"]
    assert (report["receipt"], report["record"], report["erased"]) == ("", case.record, False)
    assert {name: report[name] for name in ("text", "place", "contact")} == {
        name: fields[name] for name in ("text", "place", "contact")
    }
    assert report["attachments"] == [{**note, "size": len(photo)}]
    assert "reporter" not in report
    assert lead.data["reports"] == assistant.data["reports"]
    assert (early.type, early.data["kind"]) == ("request.not-taken.v1", "rejected")
    assert early.data["reason"] == "expected D23 to acknowledge first, found its part only called"
    assert other.data["kind"] == "rejected"
    assert edges.openings(case.report) == [
        (f"李四 ({COUNTER})", f"call {call}"),
        (f"赵六 ({AFFAIRS})", f"call {call}"),
    ]
    refused = [line for line in edges.log_of("departments") if line["event"] == "words_refused"]
    assert {(AFFAIRS, call), (POLICE, case.call(POLICE))} <= {(line["user"], line["call"]) for line in refused}


async def test_a_confidential_matters_words_open_to_nobody_but_the_one_who_acknowledged(edges: Edges) -> None:
    async with at_work(edges, DISCIPLINE, OFFICE) as departments:
        discipline, office = departments
        case = await called(edges, departments, matter=ALLEY, text=fresh("部门推诿"))
        call = case.call(DISCIPLINE)
        early = await discipline.ask(binary(opening(call, "李四")))
        await discipline.ask(binary(act("acknowledge", call, "李四")))
        colleague = await discipline.ask(binary(opening(call, "王五")))
        handler = await discipline.ask(binary(opening(call, "李四")))
        impostor = await office.ask(binary(opening(call, "李四")))
        await office.ask(binary(act("acknowledge", call, "赵六")))
        still = await office.ask(binary(opening(call, "李四")))
        own = await office.ask(binary(opening(call, "赵六")))

    expected = "by: expected the named handler of a confidential matter"
    assert early.data["reason"] == f"{expected} (nobody yet), found 李四"
    assert colleague.data["reason"] == f"{expected} (李四), found 王五"
    assert impostor.data["reason"] == f"{expected} (nobody yet), found 李四"
    assert still.data["reason"] == f"{expected} (赵六), found 李四"
    assert [answer.type for answer in (handler, own)] == ["words.opened.v1"] * 2
    assert [who for who, _ in edges.openings(case.report)] == [f"李四 ({DISCIPLINE})", f"赵六 ({OFFICE})"]


async def test_the_words_close_again_once_a_department_has_filed_or_was_released(edges: Edges) -> None:
    async with at_work(edges, COUNTER, AFFAIRS) as departments:
        counter = departments[0]
        call = (await called(edges, departments)).call(COUNTER)
        for who in departments:
            await who.ask(binary(act("acknowledge", call)))
        before = [await who.ask(binary(opening(call))) for who in departments]
        await counter.ask(binary(act("file-result", call, solved="yes", account="办好了。", reply="已办好。")))
        after = [await who.ask(binary(opening(call))) for who in departments]

    assert [answer.type for answer in before] == ["words.opened.v1"] * 2
    assert [answer.data["reason"] for answer in after] == [
        "expected a part that is open, found it filed",
        "expected a part that is open, found it released",
    ]


async def test_the_words_do_not_open_to_a_department_that_is_not_called(edges: Edges) -> None:
    async with at_work(edges, COUNTER, TRAFFIC) as (counter, traffic):
        case = await called(edges, [counter])
        answer = await traffic.ask(binary(opening(case.call(COUNTER))))

    assert answer.data["kind"] == "rejected"
    assert answer.data["reason"] == "department: expected one that is called, found D09"
    assert edges.openings(case.report) == []


async def test_the_same_opening_again_is_another_opening_and_recorded_as_one(edges: Edges) -> None:
    async with at_work(edges, COUNTER) as (counter,):
        case = await called(edges, [counter])
        said = opening(case.call(COUNTER))
        answers = [await counter.ask(binary(said)), await counter.ask(binary(said, MSGPACK))]

    assert [answer.content_type for answer in answers] == [JSON, MSGPACK]
    assert answers[0].data["reports"][0]["receipt"] == ""
    assert len(edges.openings(case.report)) == 2


async def test_all_reports_of_a_case_are_opened_oldest_first_and_an_anonymous_one_has_no_contact(
    edges: Edges,
) -> None:
    who = fresh("resident")
    contact = {"name": "张三", "phone": "1"}
    async with at_work(edges, COUNTER) as (counter,):
        case = await called(edges, [counter], reporter=who, text="第一次", contact=contact)
        async with outside(edges, HOTLINE) as hotline:
            await hotline.ask(binary(submit(reporter=who, text="第二次")))
        await until(
            lambda: [r for r in edges.log.stream(case.case) if isinstance(r.fact, CaseReportLinked)],
            "the second report in the first one's case",
        )
        opened = await counter.ask(binary(opening(case.call(COUNTER))))
        hidden = await called(edges, [counter], reporter=None, anonymous=True, contact=contact)
        anonymous = await counter.ask(binary(opening(hidden.call(COUNTER))))

    assert [report["text"] for report in opened.data["reports"]] == ["第一次", "第二次"]
    assert [report["receipt"] for report in opened.data["reports"]] == ["", ""]
    assert opened.data["reports"][0]["contact"] == contact
    (report,) = anonymous.data["reports"]
    assert (report["anonymous"], report["contact"]) == (True, None)


async def test_the_words_of_a_person_who_was_erased_are_gone(edges: Edges) -> None:
    async with at_work(edges, COUNTER) as (counter,):
        case = await called(edges, [counter], text=fresh("words"), place="二楼", contact={"name": "张三"})
        call = case.call(COUNTER)
        before = await counter.ask(binary(opening(call)))
        await asyncio.to_thread(edges.township.hujiao, "erase", case.receipt, "--by", "主任", "--json")
        after = await counter.ask(binary(opening(call)))
        noted = await counter.ask(binary(act("acknowledge", call)))

    assert before.data["reports"][0]["text"].startswith("words")
    (report,) = after.data["reports"]
    assert report["erased"] is True
    assert (report["receipt"], report["record"]) == ("", case.record)
    assert [report[name] for name in ("title", "text", "place", "point", "contact", "attachments")] == [
        "",
        "",
        "",
        None,
        None,
        [],
    ]
    assert outcome(noted) == ("accepted", "")


async def test_a_bureau_of_the_district_hears_of_its_call_answers_it_and_hears_that_it_is_handed_down(
    edges: Edges,
) -> None:
    async with at_work(edges, ENFORCEMENT, LAND_BUREAU) as (team, bureau):
        case = await called(edges, [team], matter=MINING)
        await asyncio.to_thread(decided, edges, CallDistrict(case=case.case, by="镇指挥中心"))
        leg = await bureau.hear(lambda came: is_leg(came) and about(case.case)(came))
        call = leg.data["call"]
        taken = await bureau.ask(binary(act("acknowledge", call, "周七")))
        foreign = await bureau.ask(binary(act("acknowledge", case.call(ENFORCEMENT), "周七")))
        await asyncio.to_thread(decided, edges, HandDown(case=case.case, by="区指挥中心", reason="镇里能办。"))
        released = await bureau.hear(lambda came: came.type == "call.released.v1" and about(case.case)(came))

    assert (leg.data["town"], leg.data["level"], leg.data["department"]) == ("445303", "district", "B07")
    assert leg.routing_key == "YA.P4.B07.call.departments-called"
    assert (times(leg, "acknowledge"), times(leg, "arrive")) == (15 * MINUTE, 60 * MINUTE)
    assert outcome(taken) == ("accepted", "")
    assert foreign.type == "request.not-taken.v1"
    assert "call: expected one of YA" in foreign.data["reason"]
    assert released.data["departments"] == ["B07"]


async def test_a_department_that_is_complained_of_hears_that_its_part_is_over_and_nothing_that_comes_after(
    edges: Edges,
) -> None:
    async with at_work(edges, ENVIRONMENT, ENFORCEMENT, DISCIPLINE) as (complained_of, team, stands_in):
        case = await called(edges, [complained_of, team], matter=SEWAGE)
        recuse = RecuseDepartment(case=case.case, department="D17", by="镇指挥中心")
        await asyncio.to_thread(decided, edges, recuse)
        released = await complained_of.hear(lambda came: came.type == "call.released.v1" and about(case.case)(came))
        leg = await stands_in.hear(lambda came: is_leg(came) and about(case.case)(came))
        again = await team.hear(lambda came: is_leg(came) and about(case.case)(came) and came.data["attempt"] == 2)
        taken = await stands_in.ask(binary(act("acknowledge", leg.data["call"], "赵六")))
        helps = await team.ask(binary(act("acknowledge", again.data["call"], "李四")))
        late = await complained_of.ask(binary(act("acknowledge", case.call(ENVIRONMENT))))
        words = await complained_of.ask(binary(opening(case.call(ENVIRONMENT))))
        meanwhile = await called(edges, [complained_of], matter=SEWAGE)

        heard = complained_of.got(about(case.case))
    assert (leg.data["role"], leg.data["department"], again.data["role"]) == ("lead", "D04", "assist")
    assert (outcome(taken), outcome(helps)) == (("accepted", ""), ("accepted", ""))
    assert released.data["departments"] == ["D17"]
    assert outcome(late)[0] == "rejected"
    assert words.type == "request.not-taken.v1"
    assert meanwhile.case != case.case, "its queue is read up to here"
    assert [came.type for came in heard] == ["leg.called.v1", "call.released.v1"]


async def test_departments_hear_which_of_their_own_people_turn_out_and_report_them_in_over_their_queues(
    edges: Edges,
) -> None:
    before = edges.head()
    for number in STAFF:
        about: dict[str, Any] = {
            "employer": "单位",
            "town": LIUDU,
            "department": number[3:6],
            "since": date(2020, 1, 6),
        }
        register = RegisterPerson(person=person_id(number), number=number, name=number, by="区人事部门", **about)
        await asyncio.to_thread(decided, edges, register)
    joined = "roster.joined.v1"
    await until(lambda: sum(one.name == joined for one in edges.since(before)) == len(STAFF), "all on the roster")
    async with at_work(edges, FORESTRY, POLICE, ELSEWHERE) as (forestry, police, elsewhere):
        case = await called(edges, [forestry], matter=LOGGING)
        mine = await forestry.hear(lambda came: came.type == "responders.called.v1" and about_case(came, case))
        theirs = await police.hear(lambda came: came.type == "responders.called.v1" and about_case(came, case))
        turn_out = {"mobilisation": mine.data["mobilisation"], "by": "周七"}
        coming = await forestry.ask(binary(event("mobilisation.confirm.v1", {**turn_out, "numbers": ["LD-D18-1"]})))
        ill = {**turn_out, "number": "LD-D18-2", "ground": "ill"}
        cannot = await forestry.ask(binary(event("mobilisation.decline.v1", ill)))
        there = await forestry.ask(binary(event("mobilisation.muster.v1", {**turn_out, "numbers": ["LD-D18-1"]})))
        others = {**turn_out, "numbers": ["LD-D08-1"]}
        refused = await forestry.ask(binary(event("mobilisation.muster.v1", others)))
        foreign = await elsewhere.ask(binary(event("mobilisation.muster.v1", others)))
        over = StandDown(mobilisation=mine.data["mobilisation"], rosters=ROSTERS, by="镇指挥中心")
        await asyncio.to_thread(decided, edges, over)
        go = await forestry.hear(lambda came: came.type == "responders.released.v1" and about_case(came, case))
        await police.hear(lambda came: came.type == "responders.released.v1" and about_case(came, case))

    assert (mine.data["numbers"], mine.data["department"]) == ([f"LD-D18-{n}" for n in range(1, 4)], "D18")
    assert theirs.data["numbers"] == [f"LD-D08-{n}" for n in range(1, 4)]
    assert mine.routing_key == "LD.P4.D18.responders.called"
    assert [outcome(answer) for answer in (coming, cannot, there)] == [("accepted", "")] * 3
    assert outcome(refused) == ("rejected", "numbers: expected people of D18, found LD-D08-1")
    assert foreign.type == "request.not-taken.v1"
    assert foreign.data["reason"].startswith("mobilisation: expected one of GC")
    assert (go.data["numbers"], go.data["why"]) == (["LD-D18-1", "LD-D18-3"], "stood_down")


def about_case(came: Letter, case: Called) -> bool:
    return bool(came.data["case"] == case.case)
