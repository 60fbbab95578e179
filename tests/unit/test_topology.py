"""What a district wants at the brokers: messages find their way, nobody may do more, all that differs is said."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.messaging.topology import (
    POLICIES,
    VHOST,
    Binding,
    Exchange,
    Part,
    Permission,
    Policy,
    Queue,
    Senders,
    Topology,
    User,
    department_queue,
    department_user,
    derive,
    door,
    fact_key,
    local_departments,
    news_topic,
    platform_queue,
    read_report_topic,
    receipt_topic,
    replies_queue,
    report_topic,
    user_at,
)
from services.platforms.service import SERVICE as PLATFORMS
from services.provisioning.drift import Change, Found, PasswordHash, concerning, difference, name_of
from services.provisioning.mosquitto import access_file, may, password_file
from services.provisioning.secret import SHA256, Secret, salted_hash
from services.runtime.district import find_district, load_district

DISTRICT = load_district(find_district("yunan"))
WANTED = derive(DISTRICT, PLATFORMS.reactions)
SECRET = Secret(b"0123456789abcdef0123456789abcdef")
PARTS = ("exchanges", "queues", "bindings", "policies", "users", "permissions")
OUTSIDE = [user.name for user in WANTED.users if not user.name.startswith("svc.")]


def reached(exchange: str, key: str) -> set[str]:
    """The queues that a message with this key goes to, as RabbitMQ routes it."""
    kind = next(one.type for one in WANTED.exchanges if one.name == exchange)

    def fits(binding: Binding) -> bool:
        match kind:
            case "fanout":
                return True
            case "direct":
                return binding.key == key
            case _:
                return words_fit(binding.key.split("."), key.split("."))

    return {binding.destination for binding in WANTED.bindings if binding.source == exchange and fits(binding)}


def words_fit(pattern: list[str], words: list[str]) -> bool:
    match pattern:
        case []:
            return not words
        case ["#", *rest]:
            return any(words_fit(rest, words[n:]) for n in range(len(words) + 1))
        case [first, *rest]:
            return bool(words) and first in ("*", words[0]) and words_fit(rest, words[1:])
    return False


def found(topology: Topology = WANTED, **seen: Any) -> Found:
    """A broker with this topology, governed by our policies, with the passwords of our secret."""
    passwords = {
        user.name: PasswordHash(salted_hash(SECRET.password(user.name), b"salt"), SHA256) for user in topology.users
    }
    governed = {
        queue.name: policy.name
        for queue in topology.queues
        for policy in topology.policies
        if re.search(policy.pattern, queue.name)
    }
    return Found(**({"topology": topology, "passwords": passwords, "governed_by": governed} | seen))


def without(names: Iterable[str], topology: Topology = WANTED) -> Topology:
    gone = set(names)
    return Topology(**{kind: tuple(p for p in getattr(topology, kind) if name_of(p) not in gone) for kind in PARTS})


def added(*parts: Part, to: Topology = WANTED) -> Topology:
    kinds = dict(zip(PARTS, (Exchange, Queue, Binding, Policy, User, Permission), strict=True))
    return Topology(
        **{kind: (*getattr(to, kind), *(p for p in parts if isinstance(p, form))) for kind, form in kinds.items()}
    )


def words(topology_found: Found, wanted: Topology = WANTED) -> list[str]:
    return [change.words for change in difference(wanted, topology_found, VHOST, SECRET.password)]


def test_the_sample_wants_a_queue_for_every_platform_and_department_of_every_town() -> None:
    names = [queue.name for queue in WANTED.queues]

    assert len(names) == len(set(names)) == 4 + 2 + 7 * 6 + 7 * 37 + 6 + 17
    assert {
        "intake",
        "acts",
        "dead",
        "unrouted",
        "replies.hotline-12345",
        "platform.LD.P4",
        "department.DY.X5",
        "platform.YA.P4",
        "department.YA.B07",
    } <= set(names)
    assert all(part.durable and not part.auto_delete for part in (*WANTED.queues, *WANTED.exchanges))


def test_every_queue_is_replicated_and_only_platforms_have_a_single_active_consumer() -> None:
    for queue in WANTED.queues:
        single = {"x-single-active-consumer": True} if queue.name.startswith("platform.") else {}
        assert queue.arguments == {"x-queue-type": "quorum", **single}


def test_every_queue_is_governed_by_exactly_one_policy_with_a_delivery_limit() -> None:
    for queue in WANTED.queues:
        (policy,) = [policy for policy in POLICIES if re.search(policy.pattern, queue.name)]
        assert policy.definition["delivery-limit"] >= 1000
        assert policy.apply_to == "queues"


def test_what_loses_its_way_is_kept_and_what_is_kept_back_loses_nothing() -> None:
    limits = {policy.name: policy.definition for policy in POLICIES}

    for name in ("hujiao-doors", "hujiao-calls"):
        assert limits[name]["dead-letter-exchange"] == "dead"
        assert limits[name]["dead-letter-strategy"] == "at-least-once"
        assert limits[name]["overflow"] == "reject-publish"
    assert "max-length" not in limits["hujiao-calls"]
    assert "max-length" not in limits["hujiao-dead"]
    assert reached("dead", "whatever") == {"dead"}
    assert reached("unrouted", "whatever") == {"unrouted"}


def test_a_call_is_heard_by_its_platform_and_the_end_of_a_case_by_all_platforms_of_its_town() -> None:
    issued = reached("facts", fact_key("LD", "P4", None, "call.issued.v1"))
    submitted = reached("facts", fact_key("LD", None, None, "case.result-submitted.v1"))

    assert issued == {"platform.LD.P4"}
    assert submitted == {f"platform.LD.P{n}" for n in range(1, 7)}
    assert reached("facts", fact_key("LD", "P4", None, "call.acknowledged.v1")) == set()


def test_a_leg_is_heard_by_its_department_alone() -> None:
    for local in local_departments(DISTRICT):
        key = fact_key(local.town.alias, "P2", local.department.code, "call.departments-called.v1")
        assert reached("facts", key) == {local.queue}


def test_only_hotlines_reach_the_intake_and_only_departments_the_acts() -> None:
    for user in OUTSIDE:
        assert reached(door(user), "any.key") == {"acts" if user.startswith("dept.") else "intake"}


def test_an_answer_goes_to_the_one_who_asked() -> None:
    assert reached("replies", "hotline-12345") == {"replies.hotline-12345"}
    assert reached("replies", "dept.ld.d07") == {"department.LD.D07"}
    assert reached("replies", "nobody") == set()


def test_an_outside_user_may_write_to_its_own_door_read_its_own_queue_and_nothing_else() -> None:
    exchanges = [exchange.name for exchange in WANTED.exchanges] + ["amq.default", "amq.topic", ""]
    queues = [queue.name for queue in WANTED.queues]

    for user in OUTSIDE:
        permission = WANTED.permission(user)
        (own,) = reached("replies", user)
        assert [name for name in exchanges if re.search(permission.write, name)] == [door(user)]
        assert [name for name in queues if re.search(permission.read, name)] == [own]
        assert not any(re.search(permission.write, name) for name in queues)
        assert not any(re.search(permission.read, name) for name in exchanges if name)


def test_nobody_may_declare_anything_and_only_services_may_look() -> None:
    for user in WANTED.users:
        assert WANTED.permission(user.name).configure == "^$"
        assert user.tags == (("management",) if user.name.startswith("svc.") else ())
    assert len(WANTED.permissions) == len(WANTED.users) == 4 + 2 + 7 * 37 + 17


@pytest.mark.parametrize(
    ("service", "writes", "reads"),
    [
        ("svc.intake", ("replies", "dead"), ("intake",)),
        ("svc.departments", ("replies", "dead"), ("acts",)),
        ("svc.relay", ("facts", "unrouted"), ()),
        ("svc.platforms", ("dead",), tuple(f"platform.{t.alias}.P{n}" for t in DISTRICT.units for n in range(1, 7))),
    ],
)
def test_a_service_may_do_its_own_work(service: str, writes: tuple[str, ...], reads: tuple[str, ...]) -> None:
    assert set(WANTED.written_by(service)) == set(writes)
    assert WANTED.read_by(service) == reads


def test_a_department_that_a_town_lacks_has_nothing_there() -> None:
    departments = tuple(
        msgspec.structs.replace(one, absent_in=("445303100",)) if one.code == "D07" else one
        for one in DISTRICT.departments
    )
    wanted = derive(msgspec.structs.replace(DISTRICT, departments=departments), PLATFORMS.reactions)

    missing = {user.name for user in WANTED.users} - {user.name for user in wanted.users}
    assert missing == {"dept.ld.d07"}
    assert "department.LD.D07" not in {queue.name for queue in wanted.queues}
    assert not any("LD.*.D07" in binding.key or "dept.ld.d07" in binding.key for binding in wanted.bindings)
    assert "department.GC.D07" in {queue.name for queue in wanted.queues}


def test_a_platform_of_the_district_alone_has_no_queue_in_a_town() -> None:
    platforms = (*DISTRICT.platforms[1:], msgspec.structs.replace(DISTRICT.platforms[0], levels=("district",)))
    wanted = derive(msgspec.structs.replace(DISTRICT, platforms=platforms), PLATFORMS.reactions)

    assert [queue.name for queue in wanted.queues if queue.name.endswith(".P1")] == ["platform.YA.P1"]


def test_a_platform_of_the_towns_alone_has_no_queue_at_the_district() -> None:
    platforms = (*DISTRICT.platforms[1:], msgspec.structs.replace(DISTRICT.platforms[0], levels=("town",)))
    wanted = derive(msgspec.structs.replace(DISTRICT, platforms=platforms), PLATFORMS.reactions)

    assert "platform.YA.P1" not in {queue.name for queue in wanted.queues}
    assert "platform.LD.P1" in {queue.name for queue in wanted.queues}


def test_bureaus_are_at_the_district_alone_and_everybody_else_in_towns_alone() -> None:
    bureaus = {department.code for department in DISTRICT.departments if department.kind == "district_bureau"}
    there: dict[str, set[str]] = {}
    for local in local_departments(DISTRICT):
        there.setdefault(local.town.alias, set()).add(local.department.code)

    assert there.pop("YA") == bureaus
    assert len(there) == 7
    assert not any(codes & bureaus for codes in there.values())


def test_a_call_of_the_district_is_heard_by_its_own_platform_and_its_leg_by_the_bureau() -> None:
    issued = reached("facts", fact_key("YA", "P4", None, "call.issued.v1"))
    leg = reached("facts", fact_key("YA", "P4", "B07", "call.departments-called.v1"))

    assert issued == {"platform.YA.P4"}
    assert leg == {"department.YA.B07"}


def test_a_district_without_senders_wants_no_hotlines() -> None:
    quiet = msgspec.structs.replace(DISTRICT, hotlines=(), terminals=())

    wanted = derive(quiet, PLATFORMS.reactions)

    assert {queue.name for queue in WANTED.queues} - {queue.name for queue in wanted.queues} == {
        "replies.hotline-12345",
        "replies.police-110",
    }
    assert list(may(quiet)) == ["svc.terminals"]


def test_names_lead_to_whom_they_belong_and_back() -> None:
    senders = Senders(DISTRICT)

    for user in OUTSIDE:
        assert user_at(door(user)) == user
    assert senders.who("hotline-12345") == DISTRICT.hotlines[0]
    for local in local_departments(DISTRICT):
        assert senders.who(department_user(local.town.alias, local.department.code)) == local
        assert local.queue == department_queue(local.town.alias, local.department.code)
    assert senders.terminal("app-ld") == DISTRICT.terminals[0]
    for nobody in ("svc.intake", "admin", "", "dept.ld.d99", "app-ld", "from.hotline-12345"):
        assert senders.who(nobody) is None
    assert senders.terminal("hotline-12345") is None
    assert user_at("facts") is None
    assert platform_queue("LD", "P4") == "platform.LD.P4"
    assert replies_queue("hotline-12345") == "replies.hotline-12345"


def test_a_key_says_town_platform_department_and_what_happened_without_the_version() -> None:
    assert fact_key("MC", "P2", "D07", "call.departments-called.v1") == "MC.P2.D07.call.departments-called"
    assert fact_key("MC", "", None, "case.closed.v12") == "MC.all.all.case.closed"


def test_a_topic_of_reports_says_town_channel_and_terminal_and_any_other_topic_says_nothing() -> None:
    assert read_report_topic(report_topic("LD", "app", "app-ld")) == ("LD", "app", "app-ld")
    for other in ("report/LD/app", "report/LD/app/x/y", "news/app-ld", "", "report", "Report/LD/app/x"):
        assert read_report_topic(other) is None


def test_a_terminal_may_write_its_reports_read_what_is_for_it_and_nothing_else() -> None:
    allowed = may(DISTRICT)

    for terminal in DISTRICT.terminals:
        alias = next(town.alias for town in DISTRICT.towns if town.code == terminal.town)
        assert allowed[terminal.name] == (
            ("write", report_topic(alias, terminal.channel, terminal.name)),
            ("read", receipt_topic(terminal.name)),
            ("read", news_topic(terminal.name)),
        )
    assert allowed["svc.terminals"] == (("read", "report/#"), ("write", "receipt/#"), ("write", "news/#"))
    assert "user app-ld\ntopic write report/LD/app/app-ld\ntopic read receipt/app-ld\n" in access_file(DISTRICT)


def test_the_same_secret_gives_the_same_password_file_and_another_secret_another() -> None:
    lines = password_file(DISTRICT, SECRET).splitlines()

    assert lines == password_file(DISTRICT, SECRET).splitlines()
    assert not set(lines) & set(password_file(DISTRICT, Secret(b"x" * 32)).splitlines())
    assert [line.split(":")[0] for line in lines] == list(may(DISTRICT))
    assert all(re.fullmatch(r"[a-z0-9.-]+:\$7\$101\$[A-Za-z0-9+/]{16}\$[A-Za-z0-9+/]{86}==", line) for line in lines)


def test_where_all_is_as_wanted_nothing_differs() -> None:
    assert words(found()) == []


def test_where_nothing_is_everything_is_to_be_created_and_then_nothing_differs() -> None:
    changes = difference(WANTED, Found(vhost=False, passwords={}), VHOST, SECRET.password)

    made = added(*(change.part for change in changes if change.part), to=Topology())
    assert {change.how for change in changes} == {"create"}
    assert changes[0].words == "create vhost hujiao"
    assert made == WANTED


@given(st.data())
def test_whatever_is_missing_is_created_and_nothing_else(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(PARTS))
    missing = data.draw(st.sets(st.sampled_from([name_of(part) for part in getattr(WANTED, kind)]), min_size=1))
    rest = tuple(part for part in getattr(WANTED, kind) if name_of(part) not in missing)

    changes = difference(WANTED, found(msgspec.structs.replace(WANTED, **{kind: rest})), VHOST)

    assert {change.name for change in changes} == missing
    assert {change.how for change in changes} == {"create"}


@given(st.data())
def test_whatever_is_not_wanted_but_carries_our_names_is_removed(data: st.DataObject) -> None:
    quiet = msgspec.structs.replace(
        DISTRICT,
        towns=tuple(data.draw(st.sets(st.sampled_from(DISTRICT.towns), min_size=1))),
        departments=tuple(data.draw(st.sets(st.sampled_from(DISTRICT.departments), min_size=1))),
        hotlines=tuple(data.draw(st.sets(st.sampled_from(DISTRICT.hotlines)))),
    )
    wanted = derive(quiet, PLATFORMS.reactions)

    changes = difference(wanted, found(), VHOST)

    gone = {change.name for change in changes}
    assert {change.how for change in changes} <= {"remove"}
    for kind in ("exchanges", "queues", "bindings", "users"):
        before, after = ({name_of(part) for part in getattr(one, kind)} for one in (WANTED, wanted))
        assert before - after <= gone
        assert not after & gone


def test_what_others_put_there_is_nobodys_business() -> None:
    foreign = added(
        Exchange("amq.topic", "topic"),
        Exchange("weather", "fanout"),
        Queue("weather", {}, durable=False),
        Queue("department.LD", {}),
        Queue("firehose", {}),
        Binding("weather", "weather"),
        Binding("facts", "firehose", "#"),
        Policy("weather", "^weather$", {"max-length": 1}),
        User("admin", ("administrator",)),
        User("dept.zz.d01"),
        Permission("admin", ".*", ".*", ".*"),
        Permission("observer", "^$", "^$", ".*"),
    )

    assert words(found(foreign)) == []


def test_what_differs_is_said_with_both_sides() -> None:
    there = added(
        Exchange("facts", "fanout"),
        Queue("intake", {"x-queue-type": "classic", "x-max-length": 5}),
        Policy("hujiao-doors", "^intake$", {**POLICIES[0].definition, "max-length": 5, "message-ttl": 1}),
        User("svc.relay", ("administrator", "management")),
        Permission("dept.ld.d07", "^$", ".*", "^department\\.LD\\.D07$"),
        to=without({"facts", "intake", "hujiao-doors"}),
    )
    there = msgspec.structs.replace(
        there,
        users=tuple(u for u in there.users if u.name != "svc.relay" or u.tags != ("management",)),
        permissions=tuple(p for p in there.permissions if p.user != "dept.ld.d07" or p.write == ".*"),
    )

    said = words(found(there))

    assert "replace exchange facts: expected type topic, found type fanout" in said
    assert (
        "replace queue intake: expected no x-max-length, x-queue-type quorum, "
        "found x-max-length 5, x-queue-type classic"
    ) in said
    assert (
        "change policy hujiao-doors: expected pattern ^(intake|acts)$, max-length 100000, no message-ttl, "
        "found pattern ^intake$, max-length 5, message-ttl 1"
    ) in said
    assert "change user svc.relay: expected tags management, found tags administrator management" in said
    assert r"change permission dept.ld.d07: expected write ^from\.dept\.ld\.d07$, found write .*" in said


def test_what_is_created_anew_gets_all_its_bindings_again() -> None:
    there = added(Queue("platform.LD.P4", {"x-queue-type": "quorum"}), to=without({"platform.LD.P4"}))

    said = words(found(there))

    assert "create binding facts -> platform.LD.P4 (LD.P4.all.call.issued)" in said
    assert "create binding facts -> platform.LD.P4 (LD.all.all.case.result-submitted)" in said
    assert "create binding facts -> platform.LD.P4 (LD.all.all.case.handed-down)" in said
    assert "create binding facts -> platform.LD.P4 (LD.all.all.case.department-recused)" in said
    assert len(said) == 5


def test_a_queue_with_messages_is_left_whether_it_is_unwanted_or_of_the_wrong_kind() -> None:
    there = added(Queue("department.LD.D99", {}), Queue("intake", {"x-queue-type": "classic"}), to=without({"intake"}))

    said = words(found(there, messages={"department.LD.D99": 3, "intake": 2}))

    assert said == [
        "leave queue intake: expected x-queue-type quorum, found x-queue-type classic, 2 messages in it",
        "leave queue department.LD.D99: expected none, found 3 messages in it",
    ]


def test_a_queue_that_another_policy_governs_is_said_and_left() -> None:
    governed = dict(found().governed_by) | {"intake": "somebodys", "acts": ""}

    assert words(found(governed_by=governed)) == [
        "leave queue intake: expected the policy hujiao-doors in force, found somebodys",
        "leave queue acts: expected the policy hujiao-doors in force, found none",
    ]


def test_a_binding_that_brings_something_else_into_our_queues_is_removed() -> None:
    there = added(
        Binding("amq.topic", "acts", "#"),
        Binding("from.dept.ld.d07", "intake"),
        Binding("amq.topic", "facts", "#", "exchange"),
        Binding("facts", "department.LD.D07", "LD.*.D08.#", arguments={"x": 1}),
    )

    assert words(found(there)) == [
        "remove binding amq.topic -> acts (#)",
        "remove binding from.dept.ld.d07 -> intake",
        "remove binding amq.topic -> exchange facts (#)",
        'remove binding facts -> department.LD.D07 (LD.*.D08.#) {"x":1}',
    ]


def test_a_hotline_that_is_wanted_no_more_is_known_by_its_door() -> None:
    wanted = derive(msgspec.structs.replace(DISTRICT, hotlines=DISTRICT.hotlines[1:]), PLATFORMS.reactions)

    said = words(found(), wanted)

    assert said == [
        "remove user hotline-12345",
        "remove binding from.hotline-12345 -> intake",
        "remove binding replies -> replies.hotline-12345 (hotline-12345)",
        "remove queue replies.hotline-12345",
        "remove exchange from.hotline-12345",
    ]


def test_a_user_who_is_at_home_elsewhere_too_only_loses_the_right_to_be_here() -> None:
    wanted = derive(msgspec.structs.replace(DISTRICT, hotlines=DISTRICT.hotlines[1:]), PLATFORMS.reactions)

    assert "remove permission hotline-12345" in words(found(elsewhere=frozenset({"hotline-12345"})), wanted)


def test_a_password_that_is_not_the_secrets_is_said_without_saying_it() -> None:
    passwords = dict(found().passwords or {})
    passwords["svc.relay"] = PasswordHash(salted_hash("guest", b"salt"), SHA256)
    passwords["svc.intake"] = PasswordHash(passwords["svc.intake"].hash, "rabbit_password_hashing_md5")
    passwords["dept.ld.d07"] = PasswordHash("", SHA256)
    passwords["dept.ld.d08"] = PasswordHash("no base64", SHA256)

    changes = difference(WANTED, found(passwords=passwords), VHOST, SECRET.password)

    assert [(change.what, change.name) for change in changes] == [
        ("password", name) for name in ("svc.intake", "svc.relay", "dept.ld.d07", "dept.ld.d08")
    ]
    said = msgspec.json.encode([change.as_data() for change in changes]).decode()
    assert not any(SECRET.password(change.name) in said for change in changes)


def test_without_a_secret_passwords_and_without_an_administrator_users_are_not_looked_at() -> None:
    changed = {name: PasswordHash("x", SHA256) for name in found().passwords or {}}
    nobody = msgspec.structs.replace(WANTED, users=(), permissions=())

    assert difference(WANTED, found(passwords=changed), VHOST) == ()
    assert difference(WANTED, found(nobody, passwords=None), VHOST, SECRET.password) == ()


@pytest.mark.parametrize(
    ("service", "concerned"),
    [
        (
            "svc.intake",
            {"intake", "from.police-110 -> intake", "from.hotline-12345", "replies", "dead", "hujiao-doors"},
        ),
        ("svc.departments", {"replies", "dead", "hujiao-doors"}),
        ("svc.relay", {"facts", "facts -> platform.LD.P1 (LD.P1.all.call.issued)", "dead"}),
        ("svc.platforms", {"facts", "facts -> platform.LD.P1 (LD.P1.all.call.issued)", "dead"}),
    ],
)
def test_a_service_is_concerned_by_what_it_reads_and_writes_alone(service: str, concerned: set[str]) -> None:
    missing = {
        *("intake", "replies", "dead", "facts", "hujiao-doors", "from.hotline-12345", "dept.ld.d07"),
        *("from.police-110 -> intake", "facts -> platform.LD.P1 (LD.P1.all.call.issued)"),
    }
    changes = difference(WANTED, found(without(missing)), VHOST)

    assert {change.name for change in concerning(changes, WANTED, service)} == concerned


def test_a_missing_vhost_concerns_every_service() -> None:
    changes = (Change("create", "vhost", VHOST), Change("create", "user", "svc.relay", part=User("svc.relay")))

    assert concerning(changes, WANTED, "svc.relay") == changes[:1]


def test_who_is_none_of_ours_may_do_nothing_that_we_know_of() -> None:
    with pytest.raises(KeyError, match="admin"):
        WANTED.permission("admin")
