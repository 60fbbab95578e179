"""Who may do what: all that each kind of user can try at the live brokers, held against the README's table.

The names to try come from the broker itself, so that an exchange, queue or user of a new kind is missed here.
"""

import asyncio
import re
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import aiormq
import httpx
import psycopg
import pytest
from aio_pika.exceptions import AMQPError
from aiormq.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import ChannelAccessRefused, ChannelLockedResource, ChannelPreconditionFailed
from pamqp.commands import Basic

from deploy.township import DATABASE, VHOST
from events.call import DepartmentsCalled
from services.provisioning import roles
from tests.system.edges import (
    HOTLINE,
    JSON,
    OTHER_APP,
    OTHER_HOTLINE,
    PAPERS,
    VILLAGE_TERMINAL,
    Edges,
    Event,
    Letter,
    Outside,
    Sent,
    Terminal,
    binary,
    connected,
    event,
    fresh,
    operator,
    outside,
    own_queue,
    submit,
    until,
    wait_for,
)

ROOT = Path(__file__).parents[2]
PROBE = b"may I?"
KEY = "permission.probe"
"""A routing key that no queue is bound with."""

DEFAULT = "amq.default"
"""What RabbitMQ calls the exchange without a name where permissions are meant."""


class May(NamedTuple):
    """A row of the README's table: what a user may write to, and what it may read."""

    writes: set[str]
    reads: set[str]


TABLE = {
    "hotline-12345": May({"from.hotline-12345"}, {"replies.hotline-12345"}),
    "dept.ld.d07": May({"from.dept.ld.d07"}, {"department.LD.D07"}),
    "village-445303100201": May({"report/LD/village/<itself>"}, {"receipt/<itself>", "news/<itself>"}),
    "hujiao_analyst": May(set(), {"analysis"}),
    "svc.intake": May({"replies", "dead", "amq.default"}, {"intake"}),
    "svc.departments": May({"replies", "dead", "amq.default"}, {"acts"}),
    "svc.relay": May({"facts", "unrouted"}, set()),
    "svc.platforms": May({"dead"}, {"platform.<town>.<platform>"}),
    "svc.terminals": May({"receipt/#", "news/#"}, {"report/#"}),
}
DEPARTMENT, ANALYST, TERMINALS = "dept.ld.d07", "hujiao_analyst", "svc.terminals"
AT_RABBIT = (HOTLINE, DEPARTMENT, "svc.intake", "svc.departments", "svc.relay", "svc.platforms")
AT_MOSQUITTO = (VILLAGE_TERMINAL, TERMINALS)

EXCHANGES = {
    "default": DEFAULT,
    "RabbitMQ's": r"amq\.(?!default$).*",
    "facts": "facts",
    "replies": "replies",
    "dead": "dead",
    "unrouted": "unrouted",
    "door of a hotline": r"from\.(hotline-|police-).*",
    "door of a department": r"from\.dept\..*",
}
QUEUES = {
    "intake": "intake",
    "acts": "acts",
    "dead": "dead",
    "unrouted": "unrouted",
    "platform": r"platform\..*",
    "department": r"department\..*",
    "replies": r"replies\..*",
}
USERS = {
    "administrator": "admin",
    "hotline": r"(hotline|police)-.*",
    "department": r"dept\..*",
    "service": "|".join(re.escape(user) for user in TABLE if user.startswith("svc.")),
}


@pytest.mark.parametrize("file", ["README.md", "README.zh.md"])
def test_what_is_tried_here_is_the_readmes_table(file: str) -> None:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    rows = [
        [set(re.findall(r"`([^`]+)`", cell)) for cell in line.split("|")[1:-1]]
        for line in lines
        if re.match(r"\| .*`(hotline-12345|dept\.ld|village-\d|hujiao_analyst|svc\.)", line)
    ]

    assert {next(iter(user)): May(writes, reads) for user, writes, reads, _ in rows} == TABLE


def test_every_exchange_queue_and_user_at_the_broker_is_of_a_kind_that_is_tried_here(edges: Edges) -> None:
    for what, kinds in (("exchanges", EXCHANGES), ("queues", QUEUES), ("users", USERS)):
        names = names_of(edges, what)

        assert [name for name in names if len(kinds_of(name, kinds)) != 1] == []
        assert {kind for name in names for kind in kinds_of(name, kinds)} == set(kinds)


def names_of(edges: Edges, what: str) -> list[str]:
    """The names of all exchanges, queues or users, from the broker; the exchange without a name by its other one."""
    server = edges.township.nodes[0]
    found = server.manage("GET", f"/api/{what}" + ("" if what == "users" else f"/{VHOST}"))
    return sorted(one["name"] or DEFAULT for one in found)


def kinds_of(name: str, kinds: Mapping[str, str]) -> list[str]:
    return [kind for kind, pattern in kinds.items() if re.fullmatch(pattern, name)]


def to_try(names: Sequence[str], kinds: Mapping[str, str], own: str) -> list[str]:
    """Of each kind the first and the last, one's own and its neighbours, and names that are almost one's own."""
    chosen = set()
    for kind in kinds.values():
        some = [name for name in names if re.fullmatch(kind, name)]
        chosen |= {some[0], some[-1]}
        if own in some:
            at = some.index(own)
            chosen |= set(some[max(at - 1, 0) : at + 2])
    return sorted(chosen) + ([f"{own}x", f"x{own}", own.replace(".", "x")] if own else ["anew"])


def allows(allowed: set[str], name: str, user: str = "") -> bool:
    """Whether a column of the table covers a name."""
    patterns = (re.escape(one.replace("<itself>", user)) for one in allowed)
    return any(re.fullmatch(re.sub(r"<\w+>", r"[^./]+", one.replace(r"\#", ".*")), name) for one in patterns)


# --- RabbitMQ


class Attempt(NamedTuple):
    """Something to try, and what one must be allowed for it: nobody is allowed to ``configure`` anything."""

    operation: str
    name: str
    needs: tuple[tuple[str, str], ...]
    run: Callable[[AbstractChannel], Awaitable[Any]]


class Refusal(NamedTuple):
    """What the broker said, and how it calls what was tried."""

    method: str
    text: str


async def nothing(_: object) -> None:
    """Hear a message and do nothing."""


async def consume(channel: AbstractChannel, queue: str) -> None:
    await channel.basic_qos(prefetch_count=1)
    heard = await channel.basic_consume(queue, nothing)
    await channel.basic_cancel(str(heard.consumer_tag))
    await channel.basic_recover(requeue=True)


async def get(channel: AbstractChannel, queue: str) -> None:
    await channel.basic_get(queue)
    await channel.basic_recover(requeue=True)


def at_exchange(name: str, door: str, queue: str) -> Iterator[Attempt]:
    def attempt(operation: str, run: Any, *needs: tuple[str, str]) -> Attempt:
        return Attempt(operation, name, needs, run)

    write, read, configure = ("write", name), ("read", name), ("configure", name)
    wire = "" if name == DEFAULT else name
    yield attempt("basic.publish", lambda on: on.basic_publish(PROBE, exchange=wire, routing_key=KEY), write)
    if name == DEFAULT:
        return  # whatever else is tried with it is refused to everybody
    yield attempt("exchange.declare", lambda on: on.exchange_declare(name, exchange_type="fanout"), configure)
    yield attempt("exchange.delete", lambda on: on.exchange_delete(name, if_unused=True), configure)
    yield attempt("queue.bind", lambda on: on.queue_bind(queue, name, "#"), ("write", queue), read)
    yield attempt("queue.unbind", lambda on: on.queue_unbind(queue, name, "#"), ("write", queue), read)
    for source, destination in ((name, door), (door, name)):
        needs = (("write", destination), ("read", source))
        yield attempt("exchange.bind", lambda on, d=destination, s=source: on.exchange_bind(d, s, "#"), *needs)
        yield attempt("exchange.unbind", lambda on, d=destination, s=source: on.exchange_unbind(d, s, "#"), *needs)


def at_queue(name: str, door: str) -> Iterator[Attempt]:
    def attempt(operation: str, run: Any, *needs: tuple[str, str]) -> Attempt:
        return Attempt(operation, name, needs, run)

    write, read, configure = ("write", name), ("read", name), ("configure", name)
    quorum = {"x-queue-type": "quorum"}
    leading = {**quorum, "x-dead-letter-exchange": "facts"}
    yield attempt("basic.consume", lambda on: consume(on, name), read)
    yield attempt("basic.get", lambda on: get(on, name), read)
    yield attempt("queue.purge", lambda on: on.queue_purge(name), read)
    yield attempt("queue.declare", lambda on: on.queue_declare(name, durable=True, arguments=quorum), configure)
    yield attempt("queue.declare", lambda on: on.queue_declare(name, durable=True, arguments=leading), configure)
    yield attempt("queue.delete", lambda on: on.queue_delete(name, if_unused=True, if_empty=True), configure)
    for source in ("facts", "replies", door):
        needs = (write, ("read", source))
        yield attempt("queue.bind", lambda on, s=source: on.queue_bind(name, s, "#"), *needs)
        yield attempt("queue.unbind", lambda on, s=source: on.queue_unbind(name, s, "#"), *needs)


@pytest.mark.parametrize("user", AT_RABBIT)
async def test_rabbitmq_lets_a_user_do_what_the_table_says_and_refuses_and_logs_the_rest(
    edges: Edges, user: str
) -> None:
    may = TABLE[user]
    outsider = not user.startswith("svc.")
    door, queue = (f"from.{user}", own_queue(user)) if outsider else (min(may.writes), "intake")
    attempts = [
        *(a for x in to_try(names_of(edges, "exchanges"), EXCHANGES, door if outsider else "")
          for a in at_exchange(x, door, queue)),
        *(a for q in to_try(names_of(edges, "queues"), QUEUES, queue if outsider else "") for a in at_queue(q, door)),
        Attempt("queue.declare", "", (("configure", ""),), lambda on: on.queue_declare("", exclusive=True)),
    ]  # fmt: skip
    logged_before = len(edges.broker_log())

    refused = await try_all(edges, user, attempts)

    columns = {"write": may.writes, "read": may.reads, "configure": set()}
    expected = [
        (n, attempt.operation, attempt.name)
        for n, attempt in enumerate(attempts)
        if not all(allows(columns[access], name) for access, name in attempt.needs)
    ]
    assert [(n, attempts[n].operation, attempts[n].name) for n in refused] == expected
    await until(
        lambda: not Counter(refused.values()) - refusals_logged(edges, user, logged_before), "all refusals in the log"
    )
    await take_back(edges, "unrouted")


async def try_all(edges: Edges, user: str, attempts: Sequence[Attempt]) -> dict[int, Refusal]:
    """Try everything on one connection; gives which were refused."""
    refused = {}
    async with connection(edges.township.amqp_url(user)) as link:
        channel = await link.channel()
        for n, attempt in enumerate(attempts):
            if channel.is_closed:
                channel = await link.channel()
            try:
                await attempt.run(channel)
            except ChannelAccessRefused as error:
                refused[n] = Refusal(attempt.operation, str(error).partition(" - ")[2])
            except ChannelLockedResource:
                assert attempt.operation == "basic.get", (
                    "of a queue with one consumer at a time nobody gets single ones"
                )
    return refused


@asynccontextmanager
async def connection(url: str) -> AsyncIterator[AbstractConnection]:
    """A connection without any of aio-pika's comfort."""
    link = await aiormq.connect(url)
    try:
        yield link
    finally:
        await link.close()


def refusals_logged(edges: Edges, user: str, start: int, kind: str = "access_refused") -> Counter[Refusal]:
    """What the broker has logged about a user's channels."""
    lines = rf"Channel error on connection .*user: '{user}'\), channel \d+:\n.* operation (\S+) caused .* {kind}: (.*)"
    return Counter(Refusal(*found) for found in re.findall(lines, edges.broker_log()[start:]))


async def take_back(edges: Edges, queue: str) -> None:
    """Take out of a queue what was only tried."""
    async with connected(edges.admin_url()) as channel:
        source = await channel.get_queue(queue, ensure=False)
        while (found := await source.get(fail=False)) is not None:
            assert found.body == PROBE, f"expected nothing in {queue} but what was tried, found {found.body!r}"
            await found.ack()


@pytest.mark.parametrize("user", [HOTLINE, DEPARTMENT])
async def test_whoever_logs_in_sees_that_a_queue_is_there_and_how_full_and_nothing_more(
    edges: Edges, user: str
) -> None:
    async with connection(edges.township.amqp_url(user)) as link:
        channel = await link.channel()
        seen = await channel.queue_declare("department.BS.D01", passive=True)
        await channel.exchange_declare("facts", passive=True)

    assert (seen.queue, seen.consumer_count) == ("department.BS.D01", 0)


@pytest.mark.parametrize("user", [HOTLINE, DEPARTMENT])
async def test_neither_cc_nor_bcc_leads_past_ones_own_door(edges: Edges, user: str) -> None:
    junk = event("report.submitted.v1", {})
    others = (OTHER_HOTLINE, VICTIM)
    targets = [*QUEUES, *others, *map(own_queue, others), "platform.LD.P5", f"from.{VICTIM}", "LD.P5.D21.call.issued"]

    async with outside(edges, user) as sender, overhearing(edges, others) as overheard:
        await sender.send(binary(junk), headers={"CC": targets, "BCC": targets}, key=VICTIM)
        await sender.hear(about(junk), "the refusal")
        dead = await buried(edges, junk)
        assert await heard_elsewhere(edges, junk, overheard, others) == []
        assert len(sender.got(about(junk))) == 1
    assert [letter.headers["hujiao-from"] for letter in dead] == [user]


@pytest.mark.parametrize("user", AT_RABBIT)
async def test_nobody_publishes_in_anothers_name(edges: Edges, user: str) -> None:
    other = "svc.intake" if user != "svc.intake" else "svc.relay"
    exchange = min(TABLE[user].writes - {DEFAULT})
    logged_before = len(edges.broker_log())

    async with connection(edges.township.amqp_url(user)) as link:
        channel = await link.channel()
        with pytest.raises(ChannelPreconditionFailed) as refused:
            await channel.basic_publish(
                PROBE, exchange=exchange, routing_key=KEY, properties=Basic.Properties(user_id=other)
            )

    said = Refusal("basic.publish", str(refused.value).partition(" - ")[2])
    assert said.text == f"user_id property set to '{other}' but authenticated user was '{user}'"
    await until(lambda: refusals_logged(edges, user, logged_before, "precondition_failed")[said], "it in the log")


class Asked(NamedTuple):
    """A request to the management interface; ``needs`` is what its user must be allowed, beyond what is public."""

    method: str
    path: str
    body: dict[str, Any] | None = None
    needs: tuple[str, str] | None = ("configure", "")


def publishing(exchange: str) -> Asked:
    body = {"properties": {}, "routing_key": KEY, "payload": PROBE.decode(), "payload_encoding": "string"}
    return Asked("POST", f"exchanges/{VHOST}/{exchange}/publish", body, ("write", exchange))


def getting(queue: str) -> Asked:
    body = {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"}
    return Asked("POST", f"queues/{VHOST}/{queue}/get", body, ("read", queue))


SEEN = ("overview", f"queues/{VHOST}", f"exchanges/{VHOST}", f"bindings/{VHOST}", "whoami")
MANAGED = [
    *(Asked("GET", path, needs=None) for path in SEEN),
    *map(publishing, ("facts", "replies", "dead", "unrouted", DEFAULT, f"from.{DEPARTMENT}", "amq.topic")),
    *map(getting, ("intake", "acts", "dead", "unrouted", "department.BS.D01", f"replies.{OTHER_HOTLINE}")),
    *(Asked("GET", path) for path in ("users", "permissions", "definitions", f"definitions/{VHOST}", "nodes")),
    Asked("PUT", f"queues/{VHOST}/anew", {}),
    Asked("DELETE", f"queues/{VHOST}/department.BS.D01?if-empty=true"),
    Asked("PUT", f"exchanges/{VHOST}/anew", {"type": "fanout"}),
    Asked("DELETE", f"exchanges/{VHOST}/from.{DEPARTMENT}"),
    Asked("POST", f"bindings/{VHOST}/e/facts/q/intake", {"routing_key": "#"}),
    Asked("PUT", f"policies/{VHOST}/anew", {"pattern": "^anew$", "definition": {"max-length": 1}}),
    Asked("PUT", f"parameters/shovel/{VHOST}/anew", {"value": {}}),
    Asked("PUT", "users/anew", {"password": "x", "tags": "administrator"}),
    Asked("PUT", f"permissions/{VHOST}/svc.relay", dict.fromkeys(("configure", "write", "read"), ".*")),
    Asked("PUT", "vhosts/anew"),
]


@pytest.mark.parametrize("user", AT_RABBIT)
async def test_over_the_management_interface_services_look_and_outsiders_do_not_and_nobody_may_do_more(
    edges: Edges, user: str
) -> None:
    may = TABLE[user]
    columns = {"write": may.writes, "read": may.reads, "configure": set()}
    allowed = [
        ask
        for ask in MANAGED
        if user.startswith("svc.") and (not ask.needs or allows(columns[ask.needs[0]], ask.needs[1]))
    ]
    logged_before = len(edges.broker_log())

    answers = {}
    login, alone = (user, edges.township.password(user)), {"Connection": "close"}
    async with httpx.AsyncClient(trust_env=False, base_url=f"{edges.management_url}/api/", timeout=30) as client:
        for n, ask in enumerate(MANAGED):
            answers[n] = await client.request(ask.method, ask.path, json=ask.body, auth=login, headers=alone)

    assert [MANAGED[n] for n, answer in answers.items() if answer.is_success] == allowed
    for answer in answers.values():
        assert answer.is_success or answer.status_code == 401 or "ACCESS_REFUSED" in answer.text
    refusals = rf"(HTTP access denied: user '{user}'|access to .* refused for user '{user}')"
    refused = len(MANAGED) - len(allowed)
    await until(lambda: len(re.findall(refusals, edges.broker_log()[logged_before:])) >= refused, "all in the log")
    await take_back(edges, "unrouted")


# --- forging


VICTIM, FORGER, ABROAD, UNCALLED = "dept.ld.d21", "dept.ld.d23", "dept.gc.d21", "dept.ld.d07"
"""Two departments of one call, of which the first leads; the same one of another town; one that is not called."""


def about(said: Event) -> Callable[[Letter], bool]:
    """Whether a message came of an event."""
    return lambda came: said.id in came.id or said.id.encode() in came.body


async def buried(edges: Edges, said: Event) -> list[Letter]:
    """The dead letters of an event, of which there is one at least."""
    async with operator(edges) as looks:
        await looks.hear(about(said), "a dead letter")
        return looks.got(about(said))


class Forged(NamedTuple):
    """What somebody sends to pass for the victim, and what it is told: an act's status, or why it was not taken."""

    forger: str
    said: Callable[[str], Event]
    told: str
    reason: str = ""
    options: Mapping[str, Any] = {}


def act(
    call: str, kind: str = "call.acknowledge.v1", attributes: Mapping[str, Any] | None = None, **data: Any
) -> Event:
    """An act on a call, by somebody who has a name."""
    return event(kind, {"call": call, "by": "李四", **data}, **(attributes or {}))


OTHERS = [VICTIM, own_queue(VICTIM), f"from.{VICTIM}", "acts", "LD.P5.D21.call.acknowledged"]
FORGED = {
    "by its routing key": Forged(FORGER, act, "accepted", options={"key": VICTIM}),
    "by a CC header": Forged(FORGER, act, "accepted", options={"headers": {"CC": OTHERS}}),
    "by a BCC header": Forged(FORGER, act, "accepted", options={"headers": {"BCC": OTHERS}}),
    "in the body": Forged(
        FORGER,
        lambda call: act(call, department="D21"),
        "not_allowed",
        "department: expected D23, who sent it, found D21",
    ),
    "by the name of whoever acts": Forged(FORGER, lambda call: act(call, by=VICTIM), "accepted"),
    "by the event's source and subject": Forged(
        FORGER, lambda call: act(call, attributes={"source": VICTIM, "subject": VICTIM}), "accepted"
    ),
    "by our own extensions": Forged(
        FORGER, lambda call: act(call, attributes={"actor": VICTIM, "causation": "1", "position": 1}), "accepted"
    ),
    "by our own headers": Forged(FORGER, act, "accepted", options={"headers": {"hujiao-from": VICTIM}}),
    "from another town": Forged(ABROAD, act, "not_allowed", "call: expected one of GC, found none with id"),
    "without having been called": Forged(UNCALLED, act, "rejected", "D07"),
    "as a hotline": Forged(HOTLINE, act, "malformed", "type: expected one of report.submit.v1"),
    "by a fact, at a department's door": Forged(
        FORGER, lambda call: act(call, "call.acknowledged.v1", department="D21"), "not_allowed", "type: expected one of"
    ),
    "by a fact, at a hotline's door": Forged(
        HOTLINE, lambda call: act(call, "call.acknowledged.v1", department="D21"), "malformed", "type: expected one of"
    ),
    "by a fact with the source of ours": Forged(
        FORGER,
        lambda call: act(call, "call.acknowledged.v1", {"source": "/hujiao/445303", "subject": call}, department="D21"),
        "not_allowed",
        "type: expected one of",
    ),
    "by a report": Forged(FORGER, lambda _: submit(source=VICTIM), "not_allowed", "type: expected one of"),
    "with the answer to its queue": Forged(FORGER, act, "accepted", options={"reply_to": own_queue(VICTIM)}),
    "with the answer to its user": Forged(FORGER, act, "accepted", options={"reply_to": VICTIM}),
    "with the answer to a hotline's queue": Forged(
        FORGER, act, "accepted", options={"reply_to": own_queue(OTHER_HOTLINE)}
    ),
    "with a bad act's answer to its queue": Forged(
        FORGER, lambda _: act("none"), "malformed", "call", {"reply_to": own_queue(VICTIM)}
    ),
}


@pytest.fixture(scope="module")
def call(edges: Edges) -> str:
    """A call of both victim and forger."""
    before = edges.head()

    async def report() -> str:
        async with outside(edges, HOTLINE) as hotline:
            await hotline.ask(binary(submit(matter=PAPERS)))
        return await until(called, "the call of both")

    def called() -> str:
        both = [
            recorded.stream
            for recorded in edges.since(before)
            if isinstance(recorded.fact, DepartmentsCalled)
            and {"D21", "D23"} <= {leg.department for leg in recorded.fact.legs}
        ]
        return both[0] if both else ""

    return asyncio.run(report())


@pytest.mark.parametrize("how", FORGED)
async def test_nobody_acknowledges_for_another_department(edges: Edges, call: str, how: str) -> None:
    forged = FORGED[how]
    said, before = forged.said(call), edges.head()
    bystanders = [VICTIM, OTHER_HOTLINE]

    async with outside(edges, forged.forger) as forger, overhearing(edges, bystanders) as overheard:
        await forger.send(binary(said), **forged.options)
        answer = await forger.hear(about(said), "an answer")
        elsewhere = await heard_elsewhere(edges, said, overheard, bystanders)

    told = answer.data["status"] if answer.type == "act.decided.v1" else answer.data["kind"]
    assert (told, forged.reason in answer.data["reason"]) == (forged.told, True)
    assert elsewhere == []
    assert made_in(edges, call, before) <= {forged.forger.rpartition(".")[2].upper()}
    if told not in {"accepted", "rejected"}:
        (dead,) = await buried(edges, said)
        assert (dead.headers["hujiao-from"], dead.headers["hujiao-reason"]) == (forged.forger, answer.data["reason"])
    if told != "accepted":
        service = "departments" if forged.forger.startswith("dept.") else "intake"
        logged = [(line.get("user"), line.get("reason")) for line in edges.log_of(service)]
        assert (forged.forger, answer.data["reason"]) in logged


async def test_an_answer_to_a_made_up_direct_address_reaches_nobody(edges: Edges, call: str) -> None:
    said = act(call)
    address = "amq.rabbitmq.reply-to.g1h3AA5yZXBseUA4MzA0OTkwNwAAAAAAAAABZQAAAAA=.AAAAAAAAAAAAAAAAAAAAAA=="

    async with outside(edges, FORGER) as forger, overhearing(edges, [VICTIM]) as overheard:
        await forger.send(binary(said), reply_to=address)
        after = await forger.ask(binary(act(call)))
        assert await heard_elsewhere(edges, said, overheard, [VICTIM]) == []
        assert forger.got(about(said)) == []
    assert after.data["status"] == "accepted"


@pytest.mark.parametrize("first", [VICTIM, FORGER])
async def test_two_departments_may_use_the_same_event_id_and_each_is_decided_for_itself(
    edges: Edges, call: str, first: str
) -> None:
    second = FORGER if first == VICTIM else VICTIM
    said = act(call, "call.note.v1", note="在办")

    answers = []
    for user in (first, second):
        async with outside(edges, user) as department:
            await department.ask(binary(act(call)))
            before = edges.head()
            answers.append(await department.ask(binary(said)))
            assert made_in(edges, call, before) == {user.rpartition(".")[2].upper()}

    assert [(answer.data["status"], answer.data["repeated"]) for answer in answers] == [("accepted", False)] * 2


def made_in(edges: Edges, call: str, before: int) -> set[str]:
    """The departments of which there are new facts in a call."""
    return {
        recorded.fact.department
        for recorded in edges.since(before)
        if recorded.stream == call and hasattr(recorded.fact, "department")
    }


@asynccontextmanager
async def overhearing(edges: Edges, users: Sequence[str]) -> AsyncIterator[Outside]:
    """The administrator, who hears all facts, and the answers to these users, in a queue of its own."""
    async with connected(edges.admin_url()) as channel:
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind("facts", "#")
        for user in users:
            await queue.bind("replies", user)
        overheard = Outside(edges, "admin", channel)
        await overheard.listen(queue.name)
        yield overheard


async def heard_elsewhere(edges: Edges, said: Event, overheard: Outside, users: Sequence[str]) -> list[Letter]:
    """What came of an event to users whom it does not concern, or past them."""
    found: list[Letter] = []
    for user in users:
        async with outside(edges, user) as other:
            last = await other.ask(binary(event("nothing.v1", {})))  # what came before it has come
            found += other.got(about(said))
    await overheard.hear(lambda came: came.id == last.id, "the last answer")
    return found + overheard.got(about(said))


# --- Mosquitto


def reached(*terminals: Terminal, marker: str) -> set[str]:
    """The topics under which terminals heard something of ours."""
    return {message.topic for terminal in terminals for message in terminal.raw if marker.encode() in message.payload}


def client_name(terminal: Terminal) -> str:
    return terminal.client._client_id.decode()


@contextmanager
def listeners(edges: Edges) -> Iterator[list[Terminal]]:
    """Two terminals at their topics and a second service at its own."""
    with (
        Terminal(edges, VILLAGE_TERMINAL) as own,
        Terminal(edges, OTHER_APP) as other,
        Terminal(edges, TERMINALS, listens=False) as service,
    ):
        service.subscribe("report/#")
        yield [own, other, service]


def all_told(own: Terminal, other: Terminal, service: Terminal) -> None:
    """Wait until whatever was sent to these so far has come."""
    last = fresh("last")
    sent = Sent({}, JSON, last.encode())
    assert own.report(sent) == ""
    for terminal in (own, other):
        assert service.publish(f"news/{terminal.user}", sent) == ""
    for terminal in (own, other, service):
        wait_for(lambda terminal=terminal: reached(terminal, marker=last), f"the last message to {terminal.user}")


@pytest.mark.parametrize("old", [False, True], ids=["MQTT 5", "MQTT 3.1.1"])
@pytest.mark.parametrize("user", AT_MOSQUITTO)
def test_mosquitto_takes_from_a_user_what_the_table_says_and_refuses_and_logs_the_rest(
    edges: Edges, user: str, old: bool
) -> None:
    marker, before = fresh("probe"), len(edges.mosquitto_log())
    named = ("report/LD/village", "report/LD/app", "report/GC/app", "report/GC/village", "receipt", "news")
    topics = [f"{topic}/{name}" for topic in named for name in (VILLAGE_TERMINAL, OTHER_APP)]
    topics += [f"report/LD/village/{VILLAGE_TERMINAL}/x", "report/LD/village", "report", "$SYS/broker/version", "x"]
    tries = [(topic, retain) for topic in topics for retain in (False, True)]
    allowed = [topic for topic in topics if allows(TABLE[user].writes, topic, user)]

    with listeners(edges) as three, Terminal(edges, user, old=old, listens=False) as one:
        numbers = [one.post(topic, Sent({}, JSON, marker.encode()), retain=retain) for topic, retain in tries]
        said = [one.confirmed(number) for number in numbers]
        all_told(*three)
        heard = reached(*three, marker=marker)
        for topic in allowed:
            one.publish(topic, Sent({}, JSON, b""), retain=True)  # nothing of it shall stay
    with listeners(edges) as three:
        all_told(*three)
        assert reached(*three, marker=marker) == set()

    refused = [(topic, retain) for topic, retain in tries if topic not in allowed]
    assert [tried for tried, why in zip(tries, said, strict=True) if why] == ([] if old else refused)
    assert set(said) <= {"", "Not authorized"}
    assert heard == set(allowed)
    denied = rf"Denied PUBLISH from {client_name(one)} \(d0, q1, r([01]), m\d+, '(.*)', \.\.\."
    logged = [(topic, retain == "1") for retain, topic in re.findall(denied, edges.mosquitto_log()[before:])]
    assert logged == refused


@pytest.mark.parametrize(
    ("user", "old"), [(VILLAGE_TERMINAL, False), (VILLAGE_TERMINAL, True), (TERMINALS, False)], ids=str
)
def test_whatever_a_user_of_mosquitto_subscribes_to_it_hears_what_the_table_says(
    edges: Edges, user: str, old: bool
) -> None:
    marker = fresh("probe")
    filters = ["#", "+/+", "+/+/+/+", "report/#", "receipt/#", "news/+", "$SYS/#", f"receipt/{OTHER_APP}"]
    filters += [f"$share/group/{topic}" for topic in ("report/#", "receipt/#", f"news/{OTHER_APP}")]
    sent = Sent({}, JSON, marker.encode())

    with listeners(edges) as (own, other, service), Terminal(edges, user, old=old, listens=False) as one:
        for topic in filters:
            one.subscribe(topic)
        for name in (OTHER_APP, VILLAGE_TERMINAL):
            service.publish(f"receipt/{name}", sent)
            service.publish(f"news/{name}", sent)
        other.report(sent)
        own.report(sent)
        all_told(own, other, service)
        wait_for(lambda: reached(one, marker="last"), "the last message")
        topics = reached(own, other, service, marker=marker)
        heard = {message.topic for message in one.raw}

    assert len(topics) == 6
    assert reached(one, marker=marker) == {topic for topic in topics if allows(TABLE[user].reads, topic, user)}
    assert [topic for topic in heard if not allows(TABLE[user].reads, topic, user)] == []


@pytest.mark.parametrize("old", [False, True], ids=["MQTT 5", "MQTT 3.1.1"])
def test_a_terminals_will_is_published_to_its_own_topic_alone(edges: Edges, old: bool) -> None:
    marker = fresh("will")
    allowed = f"report/LD/village/{VILLAGE_TERMINAL}"

    with listeners(edges) as three:
        for topic in (f"receipt/{OTHER_APP}", f"news/{OTHER_APP}", f"report/GC/app/{OTHER_APP}", "report/x", allowed):
            die(edges, topic, marker, old=old)
        wait_for(lambda: reached(*three, marker=marker), "the will that is allowed")
        all_told(*three)

        assert reached(*three, marker=marker) == {allowed}


def die(edges: Edges, topic: str, words: str, *, old: bool) -> None:
    """Log in as a terminal with a will, and vanish without a word."""
    assert knock(edges, VILLAGE_TERMINAL, old=old, will=(topic, words))


def knock(edges: Edges, user: str, *, old: bool = False, will: tuple[str, str] = ("", "")) -> bool:
    """Whether Mosquitto lets a user in, who then vanishes without a word."""

    def text(said: str) -> bytes:
        return struct.pack(">H", len(said)) + said.encode()

    none = b"" if old else b"\0"
    flags = 0xCE if will[0] else 0xC2
    said = text("MQTT") + bytes([4 if old else 5, flags, 0, 30]) + none + text(fresh("knocks"))
    said += none + text(will[0]) + text(will[1]) if will[0] else b""
    said += text(user) + text(edges.township.password(user))
    with socket.create_connection(("127.0.0.1", edges.township.mosquitto.port)) as link:
        link.sendall(bytes([0x10, len(said) % 128 | 128, len(said) // 128]) + said)
        return link.recv(4)[3] == 0


def test_a_terminals_answer_goes_to_its_own_topic_whatever_it_asks_for(edges: Edges) -> None:
    said = submit()

    with listeners(edges) as three:
        own, other, _ = three
        own.report(binary(said, prefix=""), response=f"receipt/{OTHER_APP}")
        assert own.receipt(said.data["id"]).data["receipt"]
        all_told(*three)

        assert [news for news in other.heard if said.data["id"] in str(news)] == []


def test_no_terminal_takes_the_services_session_over(edges: Edges) -> None:
    said, before = submit(), len(edges.log_of("terminals"))

    for name in ("hujiao-hears", "hujiao-tells"):
        with Terminal(edges, OTHER_APP, session=name, listens=False):
            pass
    with Terminal(edges, VILLAGE_TERMINAL) as own:
        own.report(binary(said, prefix=""))
        own.receipt(said.data["id"])

    assert [line["event"] for line in edges.log_of("terminals")[before:]] == []


@pytest.mark.parametrize("old", [False, True], ids=["MQTT 5", "MQTT 3.1.1"])
def test_a_terminal_that_takes_anothers_session_over_hears_nothing_of_it(edges: Edges, old: bool) -> None:
    marker, session = fresh("secret"), fresh("session")
    sent = Sent({}, JSON, marker.encode())
    with Terminal(edges, OTHER_APP, old=old, session=session):
        pass

    with Terminal(edges, TERMINALS, listens=False) as service:
        for topic in (f"receipt/{OTHER_APP}", f"news/{OTHER_APP}"):
            assert service.publish(topic, sent) == ""
        with Terminal(edges, VILLAGE_TERMINAL, old=old, session=session) as thief:
            for topic in (f"receipt/{OTHER_APP}", f"receipt/{VILLAGE_TERMINAL}"):
                assert service.publish(topic, sent) == ""
            wait_for(lambda: reached(thief, marker=marker), "its own receipt")

            assert reached(thief, marker=marker) == {f"receipt/{VILLAGE_TERMINAL}"}


# --- logging in, and PostgreSQL


@pytest.mark.parametrize("user", TABLE)
async def test_a_user_of_one_server_is_unknown_at_the_others(edges: Edges, user: str) -> None:
    own = "RabbitMQ" if user in AT_RABBIT else "Mosquitto" if user in AT_MOSQUITTO else "PostgreSQL"
    before = len(edges.broker_log()), len(edges.mosquitto_log()), len(edges.township.postgres.log.read_text())

    let_in = set()
    for server, enter in (("RabbitMQ", at_rabbit), ("Mosquitto", at_mosquitto), ("PostgreSQL", at_postgres)):
        if await enter(edges, user):
            let_in.add(server)

    assert let_in == {own}
    logs = {
        "RabbitMQ": (
            lambda: edges.broker_log()[before[0] :],
            f"PLAIN login refused: user '{user}' - invalid credentials",
        ),
        "Mosquitto": (
            lambda: edges.mosquitto_log()[before[1] :],
            "Client <unknown> disconnected, not authorised",  # it names nobody who did not log in
        ),
        "PostgreSQL": (
            lambda: edges.township.postgres.log.read_text()[before[2] :],
            f'password authentication failed for user "{user}"',
        ),
    }
    for server in set(logs) - {own}:
        log, line = logs[server]
        await until(lambda log=log, line=line: line in log(), f"{line} in the log of {server}")


@pytest.mark.parametrize("user", TABLE)
async def test_nobody_is_let_in_with_anothers_password(
    edges: Edges, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = edges.township.password(next(name for name in TABLE if name != user))
    monkeypatch.setattr(edges.township, "password", lambda _: other)

    assert not await at_rabbit(edges, user)
    assert not await at_mosquitto(edges, user)
    assert not await at_postgres(edges, user)


async def at_rabbit(edges: Edges, user: str) -> bool:
    url = edges.township.amqp_url(user)
    with suppress(AMQPError):
        async with connection(url):
            with pytest.raises(AMQPError):  # and nobody sees another virtual host
                async with connection(url.removesuffix(f"/{VHOST}") + "/%2F"):
                    pass
            return True
    return False


async def at_mosquitto(edges: Edges, user: str) -> bool:
    return knock(edges, user)


async def at_postgres(edges: Edges, user: str) -> bool:
    try:
        with psycopg.connect(edges.township.postgres.url(user, edges.township.password(user), DATABASE)):
            return True
    except psycopg.OperationalError:
        return False


def test_an_analyst_reads_the_tables_views_and_changes_nothing_whatever_there_is(edges: Edges) -> None:
    relations = edges.rows(
        "SELECT nspname, relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND nspname !~ '^(pg_|information_schema)' ORDER BY 1, 2"
    )
    statements = {
        "SELECT * FROM {} LIMIT 1": True,
        "INSERT INTO {} DEFAULT VALUES": False,
        "DELETE FROM {}": False,
        "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE": False,
    }
    before = len(edges.township.postgres.log.read_text())

    refused = []
    with psycopg.connect(edges.township.store_url(roles.ANALYST), autocommit=True) as analyst:
        for schema, name in relations:
            for statement, reads in statements.items():
                try:
                    with analyst.transaction(force_rollback=True):
                        analyst.execute(statement.format(f'{schema}."{name}"'))  # type: ignore[arg-type]  # made of our own names
                except psycopg.errors.InsufficientPrivilege:
                    refused.append((schema, name, reads))

    assert {schema for schema, _ in relations} == {*roles.OWNERS}
    assert refused == [
        (schema, name, reads)
        for schema, name in relations
        for reads in statements.values()
        if not (reads and schema in TABLE[ANALYST].reads)
    ]
    log = edges.township.postgres.log
    wait_for(lambda: log.read_text()[before:].count("ERROR:  permission denied for") >= len(refused), "all in the log")
