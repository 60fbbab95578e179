"""`hujiao topology` against a RabbitMQ of its own: drifts are seen and mended, and what is foreign is left alone."""

import contextlib
import stat
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from deploy.servers import RabbitServer, free_ports
from services.cli.main import app
from services.cli.topology import wanted_topology
from services.messaging.topology import Topology
from services.provisioning.management import (
    Management,
    Refused,
    TopologyDiffers,
    Unreachable,
    WrongVersion,
    check_mine,
)
from services.provisioning.secret import Secret, read_secret
from services.runtime.errors import HujiaoError
from tests.servers import need
from tests.system.commands import Hujiao, Said

VHOST = "town/hall"
"""A name that has to be quoted everywhere."""

AT = "/api/{}/town%2Fhall"
COUNTED_S = 30.0
PASSWORD = "open sesame"  # noqa: S105 - of a server that lives as long as these tests

Break = Callable[[RabbitServer], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A district of one town with one hotline and one terminal."""
    folder = tmp_path_factory.mktemp("district") / "example"
    app(
        ["district", "new", str(folder), "--code", "440106", "--alias", "TH", "--zh", "天河区", "--en", "Tianhe"],
        exit_on_error=False,
    )
    return folder


@pytest.fixture(scope="module")
def secret_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("secret") / "secret"


@pytest.fixture(scope="module")
def fresh(servers_folder: Path) -> Iterator[RabbitServer]:
    """A broker for these tests alone: users belong to a whole broker, and these tests do things to them."""
    need("rabbitmq-server")
    server = RabbitServer(servers_folder / "topology", PASSWORD)
    server.start()
    yield server
    server.kill()  # nobody waits for what it holds


@pytest.fixture(scope="module")
def options(fresh: RabbitServer, folder: Path, secret_file: Path) -> tuple[str, ...]:
    return (
        *("--management", fresh.management_url(), "--vhost", VHOST),
        *("--district", str(folder), "--secret-file", str(secret_file)),
    )


@pytest.fixture(scope="module")
def broker(fresh: RabbitServer, options: tuple[str, ...]) -> RabbitServer:
    """The broker with everything applied; whoever breaks something mends it."""
    assert app(["topology", "apply", *options], exit_on_error=False) == 0
    return fresh


@pytest.fixture
def wanted(folder: Path) -> Topology:
    return wanted_topology(str(folder))


@pytest.fixture
def secret(broker: RabbitServer, secret_file: Path) -> Secret:
    return read_secret(secret_file)


def management(server: RabbitServer, user: str = "", password: str = "", vhost: str = VHOST) -> Management:
    return Management(server.management_url(user, password), vhost)


def version(server: RabbitServer, user: str, password: str) -> str:
    with management(server, user, password) as own:
        return own.version()


def elsewhere(options: tuple[str, ...], url: str) -> tuple[str, ...]:
    """The same options for another broker or user."""
    return (options[0], url, *options[2:])


def differences(said: Said) -> list[str]:
    return [f"{change['how']} {change['what']} {change['name']}" for change in said.json]


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + COUNTED_S
    while not true():
        assert time.monotonic() < deadline, f"expected {what} within {COUNTED_S:g} s"
        time.sleep(0.2)


def publish(server: RabbitServer, exchange: str, key: str = "") -> None:
    body = {"properties": {"delivery_mode": 2}, "routing_key": key, "payload": "x", "payload_encoding": "string"}
    assert server.manage("POST", f"{AT.format('exchanges')}/{exchange}/publish", body) == {"routed": True}


def test_the_first_apply_creates_all_and_the_second_changes_nothing(
    fresh: RabbitServer, options: tuple[str, ...], secret_file: Path, hujiao: Hujiao
) -> None:
    plan = hujiao("topology", "plan", *options, "--json")
    untouched = [vhost["name"] for vhost in fresh.manage("GET", "/api/vhosts")]
    first = hujiao("topology", "apply", *options, "--json")
    kept = secret_file.read_bytes()
    second = hujiao("topology", "apply", *options, "--json")
    again = hujiao("topology", "plan", *options)

    assert untouched == ["/"]
    assert differences(plan)[0] == f"create vhost {VHOST}"
    assert "secret" in plan.err
    assert (first.status, first.json["left"]) == (0, [])
    assert [change["name"] for change in first.json["made"]] == [change["name"] for change in plan.json]
    assert (second.status, second.json) == (0, {"made": [], "left": []})
    assert again.out.startswith("Nothing to do")
    assert stat.S_IMODE(secret_file.stat().st_mode) == 0o600
    assert secret_file.read_bytes() == kept


def test_after_an_apply_the_check_is_good(broker: RabbitServer, options: tuple[str, ...], hujiao: Hujiao) -> None:
    said = hujiao("topology", "check", *options)

    assert said.status == 0
    assert "Good" in said.out
    assert "messages in dead: 0" in said.out
    assert "messages in unrouted: 0" in said.out


def asking(method: str, what: str, name: str = "", body: object = None) -> Break:
    return lambda server: server.manage(method, AT.format(what) + name, body)


def both(*breaks: Break) -> Break:
    def break_all(server: RabbitServer) -> None:
        for one in breaks:
            one(server)

    return break_all


DRIFTS: dict[str, tuple[Break, set[str]]] = {
    "a deleted queue": (
        asking("DELETE", "queues", "/department.AA.D07"),
        {
            "create queue department.AA.D07",
            "create binding facts -> department.AA.D07 (AA.*.D07.#)",
            "create binding replies -> department.AA.D07 (dept.aa.d07)",
        },
    ),
    "a deleted exchange": (
        asking("DELETE", "exchanges", "/from.hotline-example"),
        {"create exchange from.hotline-example", "create binding from.hotline-example -> intake"},
    ),
    "an exchange of another type": (
        both(
            asking("DELETE", "exchanges", "/from.dept.aa.d07"),
            asking("PUT", "exchanges", "/from.dept.aa.d07", {"type": "topic", "durable": True}),
        ),
        {"replace exchange from.dept.aa.d07", "create binding from.dept.aa.d07 -> acts"},
    ),
    "an exchange that is wanted no more": (
        asking("PUT", "exchanges", "/from.stranger", {"type": "fanout", "durable": True}),
        {"remove exchange from.stranger"},
    ),
    "a missing binding": (
        asking("DELETE", "bindings", "/e/facts/q/platform.AA.P4/AA.P4.all.call.issued"),
        {"create binding facts -> platform.AA.P4 (AA.P4.all.call.issued)"},
    ),
    "an extra binding": (
        asking("POST", "bindings", "/e/facts/q/department.AA.D07", {"routing_key": "AA.*.D08.#"}),
        {"remove binding facts -> department.AA.D07 (AA.*.D08.#)"},
    ),
    "an extra binding with arguments, from somewhere else": (
        asking("POST", "bindings", "/e/amq.topic/q/intake", {"routing_key": "", "arguments": {"x": "a/b"}}),
        {'remove binding amq.topic -> intake {"x":"a/b"}'},
    ),
    "an exchange that is fed by another": (
        asking("POST", "bindings", "/e/amq.topic/e/facts", {"routing_key": "#"}),
        {"remove binding amq.topic -> exchange facts (#)"},
    ),
    "a changed policy": (
        asking(
            "PUT",
            "policies",
            "/hujiao-doors",
            {"pattern": "^(intake|acts)$", "apply-to": "queues", "definition": {"max-length": 5}},
        ),
        {"change policy hujiao-doors"},
    ),
    "a deleted policy": (asking("DELETE", "policies", "/hujiao-calls"), {"create policy hujiao-calls"}),
    "a policy that is wanted no more": (
        asking("PUT", "policies", "/hujiao-old", {"pattern": "^old$", "definition": {"max-length": 5}}),
        {"remove policy hujiao-old"},
    ),
    "a wrong permission": (
        asking("PUT", "permissions", "/dept.aa.d07", {"configure": "^$", "write": ".*", "read": ".*"}),
        {"change permission dept.aa.d07"},
    ),
    "a missing permission": (
        asking("DELETE", "permissions", "/hotline-example"),
        {"create permission hotline-example"},
    ),
    "a wrong tag": (
        lambda server: server.manage("PUT", "/api/users/dept.aa.d07", {"password": "x", "tags": "administrator"}),
        {"change user dept.aa.d07", "change password dept.aa.d07"},
    ),
    "a missing tag": (
        lambda server: server.manage("PUT", "/api/users/svc.relay", {"password": "x", "tags": ""}),
        {"change user svc.relay", "change password svc.relay"},
    ),
    "another password": (
        lambda server: server.manage("PUT", "/api/users/hotline-example", {"password": "guest", "tags": ""}),
        {"change password hotline-example"},
    ),
    "no password": (
        lambda server: server.manage("PUT", "/api/users/hotline-example", {"password_hash": "", "tags": ""}),
        {"change password hotline-example"},
    ),
    "a deleted user": (
        lambda server: server.manage("DELETE", "/api/users/dept.aa.d07"),
        {"create user dept.aa.d07", "create permission dept.aa.d07"},
    ),
    "a department that is wanted no more": (
        both(
            lambda server: server.manage("PUT", "/api/users/dept.aa.d99", {"password": "x", "tags": ""}),
            asking("PUT", "permissions", "/dept.aa.d99", {"configure": "^$", "write": "^$", "read": "^$"}),
        ),
        {"remove user dept.aa.d99"},
    ),
}


@pytest.mark.parametrize("kind", DRIFTS)
def test_a_drift_is_planned_checked_and_mended(
    kind: str, broker: RabbitServer, options: tuple[str, ...], hujiao: Hujiao
) -> None:
    drift, expected = DRIFTS[kind]

    drift(broker)
    plan = hujiao("topology", "plan", *options, "--json")
    check = hujiao("topology", "check", *options)
    apply = hujiao("topology", "apply", *options, "--json")
    after = hujiao("topology", "check", *options, "--json")

    assert set(differences(plan)) == expected
    assert check.status == 5
    assert all(f"{line}" in check.out for line in expected)
    assert (apply.status, apply.json["left"]) == (0, [])
    assert after.status == 0
    assert after.json["differences"] == []


def test_a_mended_password_works_and_the_other_does_not(
    broker: RabbitServer, options: tuple[str, ...], secret: Secret, hujiao: Hujiao
) -> None:
    broker.manage("PUT", "/api/users/svc.relay", {"password": "guest", "tags": "management"})
    with pytest.raises(Refused):
        version(broker, "svc.relay", secret.password("svc.relay"))

    hujiao("topology", "apply", *options)

    assert version(broker, "svc.relay", secret.password("svc.relay"))
    with pytest.raises(Refused, match="Login failed"):
        version(broker, "svc.relay", "guest")


def test_what_others_put_there_is_left_alone(broker: RabbitServer, options: tuple[str, ...], hujiao: Hujiao) -> None:
    foreign = {"durable": True, "arguments": {"x-queue-type": "classic"}}
    broker.manage("PUT", AT.format("queues") + "/weather", foreign)
    broker.manage("PUT", AT.format("exchanges") + "/weather", {"type": "topic"})
    broker.manage("POST", AT.format("bindings") + "/e/facts/q/weather", {"routing_key": "#"})
    broker.manage("PUT", AT.format("policies") + "/weather", {"pattern": "^weather$", "definition": {"max-length": 1}})
    broker.manage("PUT", "/api/users/observer", {"password": "x", "tags": "monitoring"})
    broker.manage("PUT", AT.format("permissions") + "/observer", {"configure": "^$", "write": "^$", "read": ".*"})
    before = broker.manage("GET", "/api/definitions")

    plan = hujiao("topology", "plan", *options, "--json")
    apply = hujiao("topology", "apply", *options, "--json")

    after = broker.manage("GET", "/api/definitions")
    assert plan.json == []
    assert apply.json == {"made": [], "left": []}
    for kind in ("queues", "exchanges", "bindings", "policies", "users", "permissions"):
        assert sorted(map(str, after[kind])) == sorted(map(str, before[kind]))


def test_a_queue_is_only_removed_or_replaced_while_it_is_empty(
    broker: RabbitServer, options: tuple[str, ...], hujiao: Hujiao
) -> None:
    queues = AT.format("queues")
    for name in ("department.AA.D98", "department.AA.D99"):
        broker.manage("PUT", f"{queues}/{name}", {"durable": True, "arguments": {"x-queue-type": "quorum"}})
        broker.manage("POST", f"{AT.format('bindings')}/e/facts/q/{name}", {"routing_key": "AA.P1.all.call.issued"})
    for name in ("platform.AA.P2", "platform.AA.P3"):
        broker.manage("DELETE", f"{queues}/{name}")
        broker.manage("PUT", f"{queues}/{name}", {"durable": True})
    publish(broker, "amq.default", "department.AA.D98")
    publish(broker, "amq.default", "platform.AA.P2")

    apply = hujiao("topology", "apply", *options, "--json")
    publish(broker, "facts", "AA.P1.all.call.issued")

    assert apply.status == 3
    assert sorted(change["name"] for change in apply.json["left"]) == ["department.AA.D98", "platform.AA.P2"]
    assert all("1 messages in it" in change["found"] for change in apply.json["left"])
    there = {queue["name"]: queue for queue in broker.manage("GET", queues)}
    assert {"department.AA.D98", "platform.AA.P2"} <= set(there)
    assert "department.AA.D99" not in there
    assert there["platform.AA.P2"]["type"] == "classic"
    assert there["platform.AA.P3"]["type"] == "quorum"
    (only,) = broker.manage("GET", f"{queues}/department.AA.D98/bindings")
    assert only["source"] == ""
    assert len(broker.manage("GET", f"{queues}/platform.AA.P2/bindings")) == 5

    emptied = {"department.AA.D98", "platform.AA.P2", "platform.AA.P1"}
    for name in emptied:
        broker.manage("DELETE", f"{queues}/{name}/contents")

    def held() -> int:
        return sum(queue.get("messages", 0) for queue in broker.manage("GET", queues) if queue["name"] in emptied)

    until(lambda: held() == 0, "the queues to be counted as empty")
    assert hujiao("topology", "apply", *options).status == 0
    assert {queue["type"] for queue in broker.manage("GET", queues) if queue["name"].startswith("platform.")} == {
        "quorum"
    }


def test_lost_messages_are_a_fault_that_the_check_finds(
    broker: RabbitServer, options: tuple[str, ...], hujiao: Hujiao
) -> None:
    lost = {"dead": 1, "unrouted": 2}
    for queue, messages in lost.items():
        for _ in range(messages):
            publish(broker, queue)
    until(lambda: hujiao("topology", "check", *options, "--json").json["lost"] == lost, "lost messages to be seen")

    said = hujiao("topology", "check", *options)

    assert said.status == 5
    assert "Good" in said.out
    assert "messages in dead: 1\n" in said.out
    assert "messages in unrouted: 2\n" in said.out
    for queue in lost:
        broker.manage("DELETE", f"{AT.format('queues')}/{queue}/contents")
    until(lambda: hujiao("topology", "check", *options).status == 0, "the queues to be counted as empty")


SERVICES = ("svc.intake", "svc.departments", "svc.relay", "svc.platforms")


def test_every_service_can_check_the_topology_with_its_own_user(
    broker: RabbitServer, wanted: Topology, secret: Secret
) -> None:
    for service in SERVICES:
        with management(broker, service, secret.password(service)) as own:
            check_mine(own, wanted, service)


@pytest.mark.parametrize(
    ("drift", "said", "concerned"),
    [
        (
            asking("DELETE", "queues", "/intake"),
            "create binding from.hotline-example -> intake",
            {"svc.intake"},
        ),
        (
            asking("DELETE", "queues", "/platform.AA.P4"),
            "create queue platform.AA.P4",
            {"svc.platforms", "svc.relay"},
        ),
        (
            asking("DELETE", "policies", "/hujiao-doors"),
            "create policy hujiao-doors",
            {"svc.intake", "svc.departments"},
        ),
        (
            asking(
                "PUT",
                "policies",
                "/somebodys",
                {"pattern": "^acts$", "priority": 9, "definition": {"max-length": 5}},
            ),
            "leave queue acts: expected the policy hujiao-doors in force, found somebodys",
            {"svc.departments"},
        ),
    ],
    ids=["a queue of the intake", "a queue of a platform", "a policy", "a foreign policy"],
)
def test_a_service_refuses_to_start_where_its_own_part_differs(
    drift: Break,
    said: str,
    concerned: set[str],
    broker: RabbitServer,
    wanted: Topology,
    secret: Secret,
    options: tuple[str, ...],
    hujiao: Hujiao,
) -> None:
    drift(broker)

    refused: dict[str, TopologyDiffers] = {}
    for service in SERVICES:
        try:
            with management(broker, service, secret.password(service)) as own:
                check_mine(own, wanted, service)
        except TopologyDiffers as differs:
            refused[service] = differs

    with contextlib.suppress(httpx.HTTPStatusError):
        broker.manage("DELETE", AT.format("policies") + "/somebodys")
    assert hujiao("topology", "apply", *options).status == 0
    assert set(refused) == concerned
    for differs in refused.values():
        assert "hujiao topology plan" in str(differs)
        assert said in str(differs)
    assert hujiao("topology", "check", *options).status == 0


def test_a_service_sees_no_users_and_changes_nothing(
    broker: RabbitServer, wanted: Topology, secret: Secret, hujiao: Hujiao, options: tuple[str, ...]
) -> None:
    with management(broker, "svc.relay", secret.password("svc.relay")) as own:
        with pytest.raises(Refused, match=r"expected svc\.relay to be allowed to GET .*found: Not administrator user"):
            own.read()
        assert own.read_without_users().passwords is None
    url = broker.management_url("svc.relay", secret.password("svc.relay"))

    said = hujiao("topology", "apply", *elsewhere(options, url))

    assert said.status == 2
    assert "Not administrator user" in said.err
    assert secret.password("svc.relay") not in said.err


def test_a_service_that_looks_into_a_vhost_that_is_not_there_refuses_to_start(
    broker: RabbitServer, wanted: Topology, secret: Secret
) -> None:
    user = "svc.relay"

    with (
        management(broker, user, secret.password(user), "nowhere") as own,
        pytest.raises(TopologyDiffers, match="create vhost nowhere"),
    ):
        check_mine(own, wanted, user)


def test_an_administrator_who_has_no_rights_in_the_vhost_is_told_how_to_get_them(
    broker: RabbitServer, options: tuple[str, ...], hujiao: Hujiao
) -> None:
    broker.manage("PUT", AT.format("exchanges") + "/from.stranger", {"type": "fanout"})
    broker.manage("DELETE", AT.format("permissions") + f"/{broker.user}")

    said = hujiao("topology", "apply", *options)

    broker.manage(
        "PUT", AT.format("permissions") + f"/{broker.user}", dict.fromkeys(("configure", "write", "read"), ".*")
    )
    assert said.status == 2
    assert f"rabbitmqctl set_permissions -p {VHOST} {broker.user}" in said.err.replace("\n", "")
    assert hujiao("topology", "apply", *options).status == 0


class Impostor(BaseHTTPRequestHandler):
    """Something else that answers where RabbitMQ should."""

    answer = b""
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("status", "answer", "error", "said"),
    [
        (200, b'{"rabbitmq_version": "3.8.9"}', WrongVersion, "expected RabbitMQ 3.10 or newer at .*, found 3.8.9"),
        (200, b"<html>hello</html>", WrongVersion, "expected RabbitMQ's management interface at"),
        (404, b"", WrongVersion, "found none"),
        (503, b"", Unreachable, "found: 503 Service Unavailable"),
        (302, b"", HujiaoError, "found: 302 Found"),
    ],
)
def test_what_is_no_rabbitmq_or_too_old_is_said(status: int, answer: bytes, error: type[Exception], said: str) -> None:
    handler = type("Handler", (Impostor,), {"answer": answer, "status": status})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with (
                Management(f"http://a:b@127.0.0.1:{server.server_port}") as other,
                pytest.raises(error, match=said),
            ):
                other.read()
        finally:
            server.shutdown()
            thread.join()


def test_where_nobody_answers_the_command_fails_and_says_where(options: tuple[str, ...], hujiao: Hujiao) -> None:
    (port,) = free_ports(1)

    said = hujiao("topology", "plan", *elsewhere(options, f"http://admin:hidden@127.0.0.1:{port}"))

    assert said.status == 1
    assert f"http://127.0.0.1:{port}" in said.err
    assert "hidden" not in said.err


@pytest.mark.parametrize("url", ["", "rabbit", "http://127.0.0.1:15672", "amqp://a:b@c", "http://a:b@c:port"])
def test_an_address_that_is_none_is_refused_without_showing_a_password(url: str, folder: Path, hujiao: Hujiao) -> None:
    said = hujiao("topology", "plan", "--management", url, "--district", folder)

    assert said.status == 2
    assert "expected http://user:password@host:15672" in said.err.replace("\n", " ")
    assert "a:b" not in said.err


def test_credentials_are_those_that_the_broker_takes(
    broker: RabbitServer, folder: Path, secret_file: Path, hujiao: Hujiao
) -> None:
    options = ("--district", folder, "--secret-file", secret_file, "--json")

    service = hujiao("topology", "credentials", "svc.relay", *options).json
    department = hujiao("topology", "credentials", "dept.aa.d07", *options).json
    hotline = hujiao("topology", "credentials", "hotline-example", *options).json
    terminal = hujiao("topology", "credentials", "village-440106100001", *options).json
    nobody = hujiao("topology", "credentials", "admin", *options)

    assert version(broker, "svc.relay", service["password"])
    assert (service["exchanges"], service["queues"]) == (["facts", "unrouted"], [])
    assert (department["exchange"], department["queue"]) == ("from.dept.aa.d07", "department.AA.D07")
    assert (hotline["exchange"], hotline["queue"]) == ("from.hotline-example", "replies.hotline-example")
    assert terminal["writes"] == ["report/AA/village/village-440106100001"]
    assert terminal["reads"] == ["receipt/village-440106100001", "news/village-440106100001"]
    assert nobody.status == 2
    assert "found 'admin'" in nobody.err


def test_credentials_without_a_secret_are_refused(tmp_path: Path, folder: Path, hujiao: Hujiao) -> None:
    said = hujiao(*("topology", "credentials", "svc.relay", "--district", folder, "--secret-file", tmp_path / "none"))

    assert said.status == 2
    assert "secret file: expected 32 bytes" in said.err
    assert not (tmp_path / "none").exists()


def test_the_same_files_and_secret_give_the_same_files_for_mosquitto(
    tmp_path: Path, folder: Path, secret_file: Path, broker: RabbitServer, hujiao: Hujiao
) -> None:
    for name in ("a", "b", "b"):
        hujiao("topology", "mosquitto", tmp_path / name, "--district", folder, "--secret-file", secret_file)

    for file in ("passwd", "acl"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
        assert stat.S_IMODE((tmp_path / "b" / file).stat().st_mode) == 0o600
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == ["acl", "passwd"]
