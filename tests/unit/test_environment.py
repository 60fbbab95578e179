"""What each service is told of the servers: its own users, in files that systemd, a shell and containers read."""

import shlex
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from services.cli.running import environment
from services.cli.screen import Exit
from services.messaging import topology
from services.processes.process import AT_THE_BROKER, LOOPBACK, SERVICES
from services.provisioning.environment import USES, Named, environments, of_service, written
from services.provisioning.secret import Secret, read_secret
from services.runtime.errors import HujiaoError

SECRET = Secret(b"s" * 32)
NODES = "amqp://mq1:5672/hujiao amqp://mq2:5672/hujiao"


def named(broker: str = NODES) -> Named:
    return Named(
        SECRET, store="postgresql://pg/hujiao", broker=broker, management="http://mq1:15672", mqtt="mqtts://mqtt"
    )


def test_every_service_that_runs_apart_is_told_something() -> None:
    assert USES.keys() == SERVICES.keys()


def test_those_who_check_the_topology_are_told_where() -> None:
    told = {service for service in USES if "HUJIAO_MANAGEMENT_URL" in of_service(service, named())}

    assert told == set(AT_THE_BROKER)


@pytest.mark.parametrize("service", USES)
def test_a_service_is_told_its_own_user_at_the_brokers_and_no_other(service: str) -> None:
    told = of_service(service, named())

    users = {
        urlsplit(url).username
        for name in ("HUJIAO_BROKER_URL", "HUJIAO_MANAGEMENT_URL", "HUJIAO_MQTT_URL")
        for url in told.get(name, "").split()
    }
    assert users <= {f"svc.{service}"}


def test_a_service_is_told_every_node_with_its_derived_password() -> None:
    told = of_service("relay", named())

    password = SECRET.password(topology.SVC_RELAY)
    assert told["HUJIAO_BROKER_URL"] == " ".join(
        f"amqp://svc.relay:{password}@{node}:5672/hujiao" for node in ("mq1", "mq2")
    )
    assert told["HUJIAO_STORE_URL"] == f"postgresql://hujiao_log:{SECRET.password('hujiao_log')}@pg/hujiao"
    assert "HUJIAO_VAULT_URL" not in told


@pytest.mark.parametrize("address", ["mq1:5672", "amqp://", "amqp://me:hidden@mq1:5672/hujiao"])
def test_an_address_that_is_none_or_has_a_user_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(HujiaoError, match="--broker: expected an address") as refused:
        of_service("relay", named(broker=address))

    assert "hidden" not in str(refused.value)


def test_a_shell_reads_what_was_written() -> None:
    variables = {"PLAIN": "postgresql://a:b@c/d?e=f", "SPACED": "amqp://one amqp://two", "QUOTED": "it's $HOME"}

    script = f"set -eu; set -a; {written(variables)}\nprintenv PLAIN SPACED QUOTED"
    said = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)

    assert said.stdout.splitlines() == list(variables.values())


def test_no_two_services_answer_their_probe_on_one_port() -> None:
    ports = [
        variables["HUJIAO_PROBE_PORT"]
        for _, variables in environments(SECRET, named(), "", LOOPBACK)
        if "HUJIAO_PROBE_PORT" in variables
    ]

    assert len(set(ports)) == len(USES)


def test_files_are_for_their_owner_alone_and_always_the_same(tmp_path: Path) -> None:
    secret_file = tmp_path / "secret"

    status = environment(tmp_path / "env", secret_file=secret_file, broker=NODES, window="https://window")
    first = {path.name: path.read_text() for path in (tmp_path / "env").iterdir()}
    environment(tmp_path / "env", secret_file=secret_file, broker=NODES, window="https://window")

    assert status == Exit.DONE
    assert first == {path.name: path.read_text() for path in (tmp_path / "env").iterdir()}
    assert first.keys() == {f"{name}.env" for name in (*USES, "provision", "postgres", "rabbitmq", "grafana")}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "env").iterdir()} == {0o600}
    assert "HUJIAO_WINDOW_URL=https://window\n" in first["relay.env"]
    assert f"RABBITMQ_DEFAULT_PASS={read_secret(secret_file).password('admin')}\n" in first["rabbitmq.env"]
    assert shlex.split(first["relay.env"].splitlines()[1])[0].count("amqp://svc.relay:") == 2
