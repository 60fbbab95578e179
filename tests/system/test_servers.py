"""Private servers: they keep what they were given when they are killed, keep to themselves, and leave nothing behind.

About 50 seconds, all of them RabbitMQ's: eight for each start of a node, twenty for a cluster, six for each stop.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import aio_pika
import aiomqtt
import psycopg
import pytest
from aio_pika.exceptions import AMQPError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from deploy.processes import HOST, Process, Server, ServerFailed, free_ports, until
from deploy.servers import Epmd, MosquittoServer, PostgresServer, RabbitCluster, RabbitServer, missing
from tests.servers import PASSWORD, need

PATIENCE_S = 30.0

CHILD = """
import json, sys
from pathlib import Path
from deploy.servers import Epmd, MosquittoServer, PostgresServer

folder, outlive = Path(sys.argv[1]), sys.argv[2] == "outlive"
servers = [
    PostgresServer(folder / "postgresql", "sesame", outlive=outlive),
    MosquittoServer(folder / "mosquitto", outlive=outlive),
    Epmd(folder / "epmd", outlive=outlive),
]
for server in servers:
    server.start()
print(json.dumps([pid for server in servers for pid in server.pids]), flush=True)
if not outlive:
    sys.stdin.read()
"""


@pytest.fixture
def folder(servers_folder: Path, request: pytest.FixtureRequest) -> Path:
    made = servers_folder / str(request.node.name)
    made.mkdir()
    return made


def identities(server: Server | RabbitCluster) -> list[Process]:
    return [process for process in map(Process.find, server.pids) if process]


def all_gone(processes: list[Process]) -> bool:
    return until(lambda: not any(process.alive for process in processes), PATIENCE_S)


def listening(pids: set[int]) -> set[str]:
    """At which addresses, as the kernel writes them, these processes take connections."""
    held = {str(entry.readlink()) for pid in pids for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink()}
    rows = [row.split() for table in ("tcp", "tcp6") for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return {row[1].partition(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in held}


def values(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT value FROM kept ORDER BY value")]


def keep(url: str, value: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (value integer)")
        connection.execute("INSERT INTO kept VALUES (%s)", (value,))


async def put(url: str, words: bytes) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message(words, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, "kept", timeout=PATIENCE_S)


async def take(url: str) -> bytes:
    """The next message, as soon as the queue has a leader again."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            async with await aio_pika.connect(url) as connection:
                queue = await (await connection.channel()).get_queue("kept")
                message = await queue.get(timeout=PATIENCE_S)
                await message.ack()
                return message.body
        except AMQPError:
            if time.monotonic() > deadline:
                raise


def terminal(server: MosquittoServer, name: str, version: aiomqtt.ProtocolVersion) -> aiomqtt.Client:
    """A client whose session is kept while it is away."""
    if version is aiomqtt.ProtocolVersion.V5:
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
        return aiomqtt.Client(
            HOST, server.port, identifier=name, protocol=version, clean_start=False, properties=properties
        )
    return aiomqtt.Client(HOST, server.port, identifier=name, protocol=version, clean_session=False)


def let_in(name: str, passwords: Path) -> None:
    subprocess.run(["/usr/bin/mosquitto_passwd", "-b", str(passwords), name, PASSWORD], check=True)


async def send(server: MosquittoServer, topic: str, words: bytes) -> None:
    async with aiomqtt.Client(HOST, server.port) as client:
        await client.publish(topic, words, qos=1)


async def first_heard(client: aiomqtt.Client) -> bytes:
    async with client:
        message = await anext(client.messages)
        assert isinstance(message.payload, bytes)
        return message.payload


def test_postgresql_keeps_a_row_when_it_is_killed(folder: Path) -> None:
    need("postgresql")
    with PostgresServer(folder, PASSWORD) as server:
        url = server.create_database("town")
        keep(url, 7)
        processes = identities(server)

        server.kill()

        assert len(processes) > 1
        assert not any(process.alive for process in processes)
        assert not server.running
        server.start()
        assert values(url) == [7]
        processes = identities(server)
    assert all_gone(processes)


def test_postgresql_wants_the_password_and_writes_through_to_the_disk(servers_folder: Path) -> None:
    need("postgresql")

    with PostgresServer(servers_folder / "durable", PASSWORD) as server:
        with psycopg.connect(server.url()) as connection:
            settings = [connection.execute(f"SHOW {name}").fetchone() for name in ("fsync", "synchronous_commit")]
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.url("postgres", "wrong"))

    assert settings == [("on",), ("on",)]


def test_a_database_orders_words_by_the_rules_of_its_language(postgres: PostgresServer, postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        ordered = connection.execute("SELECT * FROM unnest(ARRAY['b', 'B', 'a', '乙', '甲']) AS words ORDER BY 1")

        assert [row[0] for row in ordered] == ["甲", "乙", "a", "b", "B"]


async def test_rabbitmq_keeps_a_message_of_a_quorum_queue_when_it_is_killed(
    rabbit: RabbitServer, rabbit_vhost: str
) -> None:
    url = rabbit.amqp_url(vhost=rabbit_vhost)
    await put(url, b"report 7")
    rabbit.save()
    processes = identities(rabbit)

    rabbit.kill()

    assert not any(process.alive for process in processes)
    rabbit.start()
    assert rabbit.amqp_url(vhost=rabbit_vhost) == url
    assert await take(url) == b"report 7"


def test_rabbitmq_has_one_user_metrics_and_its_own_tools(rabbit: RabbitServer) -> None:
    rabbit.start()

    assert [user["name"] for user in rabbit.manage("GET", "/api/users")] == ["admin"]
    assert "hujiao@localhost" in rabbit.ctl("cluster_status", "--formatter", "json")
    with socket.create_connection((HOST, rabbit.ports["prometheus"]), PATIENCE_S) as connection:
        connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert connection.recv(15) == b"HTTP/1.1 200 OK"


def test_no_server_listens_to_other_machines(
    rabbit: RabbitServer, postgres: PostgresServer, mosquitto: MosquittoServer
) -> None:
    servers = (rabbit, postgres, mosquitto)
    for server in servers:
        server.start()
    ours = {pid for server in servers for pid in server.pids}

    heard_at = listening(ours)

    assert "0100007F" in heard_at
    assert heard_at <= {"0100007F", "00000000000000000000000001000000"}  # 127.0.0.1 and ::1, as the kernel writes them


@pytest.mark.parametrize("version", [aiomqtt.ProtocolVersion.V5, aiomqtt.ProtocolVersion.V311])
async def test_mosquitto_keeps_a_message_for_a_terminal_that_is_away_when_it_is_killed(
    folder: Path, version: aiomqtt.ProtocolVersion
) -> None:
    need("mosquitto")
    with MosquittoServer(folder) as server:
        async with terminal(server, "village-1", version) as client:
            await client.subscribe("receipt/village-1", qos=1)
        await send(server, "receipt/village-1", b"report 7")
        server.save()
        processes = identities(server)

        server.kill()

        assert not any(process.alive for process in processes)
        server.start()
        assert await first_heard(terminal(server, "village-1", version)) == b"report 7"
        processes = identities(server)
    assert all_gone(processes)


async def test_mosquitto_reads_passwords_and_permissions_anew_without_a_restart(folder: Path) -> None:
    need("mosquitto")
    passwords, acl = folder / "passwords", folder / "acl"
    passwords.touch(mode=0o600)
    acl.write_text("user village-1\ntopic write report/#\n")
    acl.chmod(0o600)
    with MosquittoServer(folder / "server", passwords, acl) as server:
        client = aiomqtt.Client(HOST, server.port, username="village-1", password=PASSWORD)
        with pytest.raises(aiomqtt.MqttError, match=r"[Nn]ot authori[sz]ed"):
            await client.__aenter__()
        let_in("village-1", passwords)
        before = server.pid

        server.reload()

        client = aiomqtt.Client(HOST, server.port, username="village-1", password=PASSWORD)
        async with client:
            await client.publish("report/MC", b"a broken road", qos=1)
        assert server.pid == before


async def test_two_servers_side_by_side_do_not_disturb_one_another(folder: Path) -> None:
    need("postgresql")
    need("mosquitto")
    with (
        PostgresServer(folder / "one", PASSWORD) as one,
        PostgresServer(folder / "two", PASSWORD) as two,
        MosquittoServer(folder / "three") as three,
        MosquittoServer(folder / "four") as four,
    ):
        keep(one.url(), 1)
        keep(two.url(), 2)
        async with terminal(four, "village-1", aiomqtt.ProtocolVersion.V5) as client:
            await client.subscribe("receipt/#", qos=1)
            await send(three, "receipt/village-1", b"of the third")
            await send(four, "receipt/village-1", b"of the fourth")
            one.kill()
            three.kill()

            assert (await anext(client.messages)).payload == b"of the fourth"
        assert values(two.url()) == [2]
        assert two.running
        assert four.running


async def test_a_message_survives_the_loss_of_any_one_node_of_three(
    rabbit: RabbitServer, rabbit_cluster: RabbitCluster
) -> None:
    first, _, third = rabbit_cluster.nodes
    await put(first.amqp_url(), b"report 7")
    rabbit_cluster.save()
    assert len(third.manage("GET", "/api/queues/%2F/kept")["members"]) == 3
    leader = third.manage("GET", "/api/queues/%2F/kept")["leader"]
    lost = next(node for node in rabbit_cluster.nodes if node.name == leader)
    left = [node for node in rabbit_cluster.nodes if node is not lost]

    lost.kill()

    assert await take(left[0].amqp_url()) == b"report 7"
    await put(left[1].amqp_url(), b"report 8")
    assert not lost.running
    lost.start()
    assert await take(lost.amqp_url()) == b"report 8"
    names = {node["name"] for node in lost.manage("GET", "/api/nodes") if node["running"]}
    assert names == {node.name for node in rabbit_cluster.nodes}
    assert [node["name"] for node in rabbit.manage("GET", "/api/nodes")] == ["hujiao@localhost"]


def test_a_stopped_cluster_leaves_nothing_running(rabbit_cluster: RabbitCluster) -> None:
    processes = identities(rabbit_cluster)

    rabbit_cluster.stop()

    assert len(processes) > 3
    assert not any(process.alive for process in processes)
    assert rabbit_cluster.pids == []


@pytest.fixture
def child(folder: Path) -> Iterator[subprocess.Popen[str]]:
    need("postgresql")
    need("rabbitmq-server")
    need("mosquitto")
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), "bound"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        yield process
        process.kill()


def test_servers_die_with_the_process_that_started_them_however_it_dies(child: subprocess.Popen[str]) -> None:
    assert child.stdout is not None
    processes = [process for process in map(Process.find, json.loads(child.stdout.readline())) if process]
    assert len(processes) > 3

    child.send_signal(signal.SIGKILL)

    assert all_gone(processes)


def test_servers_that_shall_outlive_who_started_them_are_found_and_stopped_by_their_folder(folder: Path) -> None:
    need("postgresql")
    need("rabbitmq-server")
    need("mosquitto")
    started = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), "outlive"],
        stdout=subprocess.PIPE,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    servers = [
        PostgresServer(folder / "postgresql", "sesame"),
        MosquittoServer(folder / "mosquitto"),
        Epmd(folder / "epmd"),
    ]

    found = [pid for server in servers for pid in server.pids]

    assert set(found) >= set(json.loads(started.stdout)) - {servers[0].pid}
    assert all(server.running for server in servers)
    for server in servers:
        processes = identities(server)
        server.stop()
        assert all_gone(processes)
        assert not server.running


def test_a_server_stays_when_the_thread_that_started_it_ends(folder: Path) -> None:
    need("mosquitto")
    server = MosquittoServer(folder)
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    assert until(lambda: not Path(f"/proc/self/task/{thread.native_id}").exists(), PATIENCE_S)

    server.save()

    assert server.running
    server.stop()


def test_who_cannot_start_says_why_with_the_end_of_the_log(folder: Path) -> None:
    need("mosquitto")
    server = MosquittoServer(folder)
    server.start()
    server.stop()

    with socket.create_server((HOST, server.port)), pytest.raises(ServerFailed, match=r"(?s)ended.*end of .*in use"):
        server.start()

    assert not server.running
    assert server.pids == []
    server.start()
    server.stop()


def test_free_ports_are_never_those_of_outgoing_connections() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])

    ports = free_ports(20)

    assert len(set(ports)) == 20
    assert all(1024 <= port < first for port in ports)


def test_what_is_missing_is_told_by_package_and_fails_where_it_is_demanded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.servers.PATH", str(tmp_path))  # a machine on which nothing is installed
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("NEED_SERVERS", raising=False)

    assert missing()["mosquitto"] == "Mosquitto"
    with pytest.raises(pytest.skip.Exception, match=r"NOT RUN: needs mosquitto \(apt install mosquitto\)"):
        need("mosquitto")
    monkeypatch.setenv("NEED_SERVERS", "1")
    with pytest.raises(pytest.fail.Exception, match="expected mosquitto to be installed"):
        need("mosquitto")
