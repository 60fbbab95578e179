"""What stands in deploy/ fits the program and the servers: containers, systemd, RabbitMQ, Mosquitto, dashboards.

No container engine is needed: files are held against their schemas, the command line's own parser and one another, and
the servers' configurations are started with.
"""

import ipaddress
import json
import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, get_args

import aiomqtt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from paho.mqtt.packettypes import PacketTypes

from deploy.processes import HOST, free_ports
from deploy.servers import MosquittoServer, RabbitServer
from events.edge import NotTaken
from projections.queries import FIGURES
from services.cli.main import app
from services.messaging.mqtt import properties_of
from services.messaging.topology import SVC_TERMINALS
from services.processes import process
from services.provisioning.environment import Named, environments
from services.provisioning.secret import Secret, read_secret
from services.runtime.probe import Probe
from services.runtime.pulse import Pulse
from tests.servers import NOT_RUN, PASSWORD, need
from tests.system.watching import DEPLOY, SCRAPES, Asked, asked, dashboard, expressions, grouped_by, load

ROOT = DEPLOY.parent
SERVICES = set(process.SERVICES)
STOP_S = 10
ENVIRONMENTS = dict(
    environments(
        Secret(b"s" * 32),
        Named(
            Secret(b"s" * 32),
            store="postgresql://postgres/hujiao",
            broker="amqp://rabbitmq/hujiao",
            management="http://rabbitmq:15672",
            mqtt="mqtt://mosquitto",
        ),
        "http://127.0.0.1:8765",
        "0.0.0.0",  # noqa: S104 - of a container
    )
)
SECONDS = {"s": 1, "m": 60, "min": 60}


class Command(NamedTuple):
    """A command of ours in one of the files, and the variables that it finds there."""

    where: str
    words: tuple[str, ...]
    variables: Mapping[str, str]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = load(DEPLOY / "compose.yaml")
    return found


@pytest.fixture(scope="module")
def containers(compose: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    return found


@pytest.fixture(scope="module")
def stages() -> list[list[tuple[str, str]]]:
    """The stages of the Containerfile: instructions and their arguments."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    joined = re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", text))
    instructions = [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]
    stages: list[list[Any]] = []
    for instruction in instructions:
        if instruction[0] == "FROM":
            stages.append([])
        stages[-1].append(instruction)
    return stages


class Unit:
    """A systemd unit: every value of every setting, in order."""

    def __init__(self, name: str) -> None:
        self.name, self.path = name, DEPLOY / "systemd" / name
        self._lines = [
            tuple(line.split("=", 1))
            for line in self.path.read_text(encoding="utf-8").splitlines()
            if "=" in line and not line.startswith("#")
        ]

    def all(self, setting: str) -> list[str]:
        return [value for name, value in self._lines if name == setting]

    def one(self, setting: str) -> str:
        [value] = self.all(setting)
        return value

    def variables(self) -> dict[str, str]:
        return dict(assignment.split("=", 1) for assignment in self.all("Environment"))


UNITS = ("hujiao@.service", "hujiao.target", "hujiao-provision.service")


@pytest.fixture(scope="module")
def template() -> Unit:
    return Unit("hujiao@.service")


def compose_commands() -> Iterator[Command]:
    for name, container in load(DEPLOY / "compose.yaml")["services"].items():
        if container.get("image") != "hujiao":
            continue
        files = [Path(file["path"]).stem for file in container.get("env_file", ())]
        variables = {key: value for file in files for key, value in ENVIRONMENTS[file].items()}
        variables |= {key: str(value) for key, value in container.get("environment", {}).items()}
        if "entrypoint" not in container:
            yield Command(f"compose {name}", tuple(container["command"]), variables)
            continue
        for line in container["command"][0].splitlines():
            if line.startswith("hujiao "):
                words = shlex.split(line.partition("||")[0].replace('"$$HUJIAO_DISTRICT"', "yunan"), comments=True)
                yield Command(f"compose {name}", tuple(words[1:]), variables)


def systemd_commands() -> Iterator[Command]:
    template, provision = Unit("hujiao@.service"), Unit("hujiao-provision.service")
    for service in sorted(SERVICES):
        words = template.one("ExecStart").replace("%i", service).split()
        yield Command(f"systemd {service}", tuple(words[1:]), ENVIRONMENTS[service])
    variables = provision.variables() | ENVIRONMENTS["provision"]
    for line in provision.all("ExecStart"):
        program, *words = line.replace("${HUJIAO_DISTRICT}", variables["HUJIAO_DISTRICT"]).split()
        if program.endswith("/hujiao"):
            yield Command("systemd provision", tuple(words), variables)


COMMANDS = [*compose_commands(), *systemd_commands()]


def read_by_the_code() -> set[str]:
    """Every variable of ours that the program reads; the file that only writes them does not count."""
    sources = [path for path in (ROOT / "services").rglob("*.py") if path.name != "environment.py"]
    return {name for path in sources for name in re.findall(r"\bHUJIAO_[A-Z_]+\b", path.read_text(encoding="utf-8"))}


# --- commands and variables ---------------------------------------------------------------------------------------


def test_there_are_commands_to_be_looked_at() -> None:
    said = {" ".join(command.words[:2]) for command in COMMANDS}

    assert {"store apply", "topology apply", "topology mosquitto", "district load"} <= said
    assert {f"run {service}" for service in SERVICES} <= said
    assert len(COMMANDS) == 1 + 4 + len(SERVICES) + len(SERVICES) + 4


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"{command.where}: {' '.join(command.words[:2])}")
def test_the_command_line_takes_every_command_with_the_variables_that_it_finds(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in os.environ:
        if name.startswith("HUJIAO_"):
            monkeypatch.delenv(name)
    for name, value in command.variables.items():
        monkeypatch.setenv(name, value)

    does, bound, _ = app.parse_args(list(command.words), exit_on_error=False, print_error=False)

    assert callable(does)
    if command.words[0] == "run":
        assert bound.arguments["data"] == command.variables["HUJIAO_STORE_URL"]
        assert bound.arguments["probe"] == int(command.variables["HUJIAO_PROBE_PORT"])


def test_every_variable_that_is_told_is_read(containers: dict[str, Any]) -> None:
    told = {name for variables in ENVIRONMENTS.values() for name in variables}
    told |= {name for container in containers.values() for name in container.get("environment", {})}
    told |= set(Unit("hujiao-provision.service").variables())
    for file in (DEPLOY / "systemd" / "hujiao.env", DEPLOY / "Containerfile"):
        told |= set(re.findall(r"\bHUJIAO_[A-Z_]+\b", file.read_text(encoding="utf-8")))
    ours = {name for name in told if name.startswith("HUJIAO_")}

    assert len(ours) > 8
    assert sorted(ours - read_by_the_code()) == []


# --- containers ---------------------------------------------------------------------------------------------------


def test_compose_fits_the_schema_of_the_compose_specification() -> None:
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"),
            str(DEPLOY / "compose.yaml"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_service_has_a_container_that_waits_for_provisioning_and_says_when_it_is_ready(
    containers: dict[str, Any],
) -> None:
    running = {name: container for name, container in containers.items() if container.get("command", [""])[0] == "run"}

    assert running.keys() == SERVICES
    for name, container in running.items():
        assert container["command"] == ["run", name]
        assert container["depends_on"]["provision"]["condition"] == "service_completed_successfully"
        assert seconds(container["stop_grace_period"]) > STOP_S
        assert container["init"] is True
        assert "/ready" in container["healthcheck"]["test"][-1]
        assert container["restart"] == "unless-stopped"
    assert containers["terminals"]["depends_on"]["mosquitto"]["condition"] == "service_healthy"


def test_each_container_is_given_its_own_environment_and_no_other(containers: dict[str, Any]) -> None:
    given = {
        name: [Path(file["path"]).stem for file in container["env_file"]]
        for name, container in containers.items()
        if "env_file" in container
    }

    assert given == {name: [name] for name in ENVIRONMENTS}


def test_provisioning_waits_for_the_servers_and_does_everything(containers: dict[str, Any]) -> None:
    provision = containers["provision"]

    for server in ("postgres", "rabbitmq"):
        assert provision["depends_on"][server]["condition"] == "service_healthy"
        assert containers[server]["healthcheck"]["test"]
    done = [command.words[:2] for command in COMMANDS if command.where == "compose provision"]
    assert done == [("store", "apply"), ("topology", "apply"), ("district", "load"), ("topology", "mosquitto")]
    assert containers["mosquitto"]["depends_on"]["provision"]["condition"] == "service_completed_successfully"


def test_mosquitto_finds_what_provisioning_writes_for_it(containers: dict[str, Any]) -> None:
    written = {volume.split(":")[0]: volume.split(":")[1] for volume in containers["provision"]["volumes"]}
    found = {volume.split(":")[0]: volume.split(":")[1] for volume in containers["mosquitto"]["volumes"]}
    settings = mosquitto_settings()

    assert found["mosquitto-access"] == str(Path(settings["password_file"]).parent)
    assert found["mosquitto-access"] == str(Path(settings["acl_file"]).parent)
    assert found["mosquitto-data"] == settings["persistence_location"].rstrip("/")
    script = containers["provision"]["command"][0]
    assert f"hujiao topology mosquitto {written['mosquitto-access']}\n" in script
    owner = containers["mosquitto"]["user"]
    assert f"chown -R {owner} {os.path.commonpath(written.values())}\n" in script


def test_ports_are_open_on_this_machine_alone(containers: dict[str, Any]) -> None:
    ports = [port for container in containers.values() for port in container.get("ports", ())]

    assert len(ports) >= 5
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_whatever_is_mounted_is_there(compose: dict[str, Any]) -> None:
    volumes = [volume for container in compose["services"].values() for volume in container.get("volumes", ())]
    sources = {volume.split(":")[0] for volume in volumes}

    files = {source for source in sources if source.startswith("./")} - {"./access"}
    assert sources - files - {"./access"} == set(compose["volumes"])
    assert [file for file in files if not (DEPLOY / file).exists()] == []


def test_no_password_stands_in_any_file() -> None:
    secret = re.compile(r"(?i)(pass(word|wd|phrase)?|secret|token)[\"']?\s*[:=]\s*[\"']?(?!\s|/|\$\{|-)([\w./+-]{3,})")
    known = {"/run/secrets/hujiao", "/etc/hujiao/secret", "/access/secret"}

    told = [
        f"{path.relative_to(DEPLOY)}: {found[0]}"
        for path in DEPLOY.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".png", ".pyc", ".toml") and path.name != "local"
        for found in secret.finditer(path.read_text(encoding="utf-8"))
        if found[3] not in known
    ]
    assert told == []


def test_the_image_is_built_from_files_that_are_there_and_not_kept_out(stages: list[list[tuple[str, str]]]) -> None:
    copied = [
        source for instruction, arguments in stages[0] if instruction == "COPY" for source in arguments.split()[:-1]
    ]
    let_in = {
        line.removeprefix("!")
        for line in (DEPLOY / "Containerfile.dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }

    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert set(copied) == let_in


def test_the_image_has_only_what_the_lock_knows_by_hash(stages: list[list[tuple[str, str]]]) -> None:
    installs = [part for kind, line in stages[0] if kind == "RUN" for part in line.split("&&") if "pip" in part]

    from_the_network = [part for part in installs if "--no-index" not in part and "--without-pip" not in part]
    assert len(from_the_network) == 1
    assert "--require-hashes" in from_the_network[0]
    assert "requirements.lock" in from_the_network[0]


def test_the_image_runs_as_nobody_in_particular_and_holds_nothing_but_the_program(
    stages: list[list[tuple[str, str]]],
) -> None:
    final = stages[-1]

    assert len(stages) == 2
    assert all("python:3." in stage[0][1] and "-slim" in stage[0][1] for stage in stages)
    assert [arguments for kind, arguments in final if kind == "COPY"] == ["--from=build /opt/hujiao /opt/hujiao"]
    [user] = [arguments for kind, arguments in final if kind == "USER"]
    assert int(user.split(":")[0]) > 0
    assert [arguments for kind, arguments in final if kind == "ENTRYPOINT"] == ['["hujiao"]']


@pytest.mark.parametrize("good", [True, False])
@pytest.mark.parametrize("asks", ["the image", "compose"])
def test_the_health_check_passes_when_the_probe_says_so_and_fails_when_it_does_not(
    good: bool, asks: str, stages: list[list[tuple[str, str]]], containers: dict[str, Any]
) -> None:
    [line] = [arguments for kind, arguments in stages[-1] if kind == "HEALTHCHECK"]
    code = (
        load_list(line[line.index("[") :])[-1] if asks == "the image" else containers["web"]["healthcheck"]["test"][-1]
    )
    pulse = Pulse("web")
    pulse.there("store", up=good)
    probe = Probe(0, pulse, lambda: good)

    asked_it = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"HUJIAO_PROBE_PORT": str(probe.port)},
        capture_output=True,
        text=True,
        check=False,
    )
    probe.close()

    assert (asked_it.returncode == 0) == good, asked_it.stderr
    assert good or "503" in asked_it.stderr


# --- systemd ------------------------------------------------------------------------------------------------------


def test_systemd_finds_no_fault_in_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip(f"{NOT_RUN}systemd (apt install systemd)")
    program = shutil.which("true")
    for name in UNITS:
        text = (DEPLOY / "systemd" / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("/opt/hujiao/bin/hujiao", str(program)))

    verified = analyze("verify", *(str(tmp_path / name.replace("@", "@relay")) for name in UNITS), folder=tmp_path)

    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


@pytest.mark.parametrize(("name", "most"), [("hujiao@.service", 1.5), ("hujiao-provision.service", 3.0)])
def test_a_unit_may_do_little_on_its_machine(name: str, most: float, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip(f"{NOT_RUN}systemd (apt install systemd)")

    judged = analyze(
        "security", "--offline=true", f"--threshold={most * 10:.0f}", str(DEPLOY / "systemd" / name), folder=tmp_path
    )

    assert judged.returncode == 0, judged.stdout[-200:]


def test_the_target_wants_every_service() -> None:
    wanted = Unit("hujiao.target").all("Wants")

    assert sorted(wanted) == sorted(f"hujiao@{service}.service" for service in SERVICES)


def test_a_unit_starts_its_service_again_and_lets_it_finish(template: Unit) -> None:
    assert template.one("Restart") == "always"
    assert template.one("StartLimitIntervalSec") == "0"
    assert int(template.one("TimeoutStopSec")) > STOP_S
    assert template.one("PartOf") == "hujiao.target"
    assert "hujiao-provision.service" in template.one("After").split()
    assert template.all("EnvironmentFile") == ["-/etc/hujiao/hujiao.env", "/etc/hujiao/%i.env"]


# --- RabbitMQ -----------------------------------------------------------------------------------------------------


def settings_of(path: Path, marked: bool = False) -> dict[str, str]:
    """The settings of a file like rabbitmq.conf; ``marked``, those that it offers behind a mark too."""
    mark = r"(?:# )?" if marked else ""
    lines = re.findall(rf"(?m)^{mark}([a-z_][\w.]*) = (.+)$", path.read_text(encoding="utf-8"))
    return dict(lines)


@pytest.fixture(scope="module")
def known_to_rabbitmq() -> Callable[[str], bool]:
    """Whether the installed version knows a setting, by its own schemas."""
    need("rabbitmq-server")
    schemas = Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/plugins/*/priv/schema/*.schema")
    mappings = {name for path in schemas for name in re.findall(r'\{mapping, "([^"]+)"', path.read_text("utf-8"))}
    assert len(mappings) > 100
    patterns = [re.compile(re.sub(r"\\\$\w+", "[^.]+", re.escape(name))) for name in mappings]
    return lambda setting: any(pattern.fullmatch(setting) for pattern in patterns)


def installed_rabbitmq() -> int:
    [*_, newest] = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"))
    return int(newest.name.partition("-")[2].partition(".")[0])


@pytest.mark.parametrize("file", ["rabbitmq.conf", "cluster.conf"])
def test_rabbitmq_knows_every_setting_also_those_behind_a_mark(
    file: str, known_to_rabbitmq: Callable[[str], bool]
) -> None:
    settings = settings_of(DEPLOY / "rabbitmq" / file, marked=True)

    assert len(settings) > 4
    assert [name for name in settings if not known_to_rabbitmq(name)] == []


def test_what_only_4_knows_stands_apart(known_to_rabbitmq: Callable[[str], bool]) -> None:
    settings = settings_of(DEPLOY / "rabbitmq" / "rabbitmq-4.conf")

    assert settings
    assert {name for name in settings if known_to_rabbitmq(name)} == (
        set(settings) if installed_rabbitmq() >= 4 else set()
    )


SETTINGS_OF_RABBITMQ = """
{ok, Handling} = application:get_env(rabbit, cluster_partition_handling),
{ok, Heartbeat} = application:get_env(rabbit, heartbeat),
{ok, Largest} = application:get_env(rabbit, max_message_size),
[Handling, Heartbeat, rabbit_disk_monitor:get_disk_free_limit(), Largest].
"""


class Configured(RabbitServer):
    """A RabbitMQ that reads a given file beside its own."""

    given: str = ""

    def _prepare(self) -> None:
        super()._prepare()
        shutil.copy(DEPLOY / "rabbitmq" / "enabled_plugins", self.folder / "enabled_plugins")
        (self.folder / "conf.d").mkdir(exist_ok=True)
        (self.folder / "conf.d" / "20-hujiao.conf").write_text(self.given)


@pytest.fixture(scope="module")
def certificate(servers_folder: Path) -> Path:
    """A folder with a key, and a certificate that vouches for itself and for this machine."""
    folder = Path(tempfile.mkdtemp(dir=servers_folder))
    folder.chmod(0o755)
    key, name, now = ec.generate_private_key(ec.SECP256R1()), x509.Name([]), datetime.now(UTC)
    alternatives = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(alternatives, critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = signed.public_bytes(serialization.Encoding.PEM)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    for file, content in (("node.pem", pem), ("authority.pem", pem), ("node.key", key.private_bytes(*form))):
        (folder / file).write_bytes(content)
    return folder


def unmarked(text: str, *settings: str) -> str:
    """The text with the marks before these settings taken away."""
    for setting in settings:
        assert f"\n# {setting}" in text, f"expected {setting} behind a mark"
        text = text.replace(f"\n# {setting}", f"\n{setting}")
    return text


def test_rabbitmq_starts_with_our_file_and_over_tls_with_what_stands_behind_the_marks(
    servers_folder: Path, certificate: Path
) -> None:
    need("rabbitmq-server")
    amqps, https = free_ports(2)
    text = unmarked(
        (DEPLOY / "rabbitmq" / "rabbitmq.conf").read_text(encoding="utf-8"),
        *("listeners.ssl.default", "ssl_options", "management.ssl"),
    )
    text = text.replace("/etc/rabbitmq/tls", str(certificate)).replace("= 5671", f"= {amqps}")
    server = Configured(Path(tempfile.mkdtemp(dir=servers_folder)), PASSWORD)
    server.given = text.replace("= 15671", f"= {https}")
    trusting = ssl.create_default_context(cafile=certificate / "authority.pem")

    server.start()
    try:
        said = server.ctl("eval", SETTINGS_OF_RABBITMQ)
        plugins = server.ctl("list", "--enabled", "--minimal", tool="rabbitmq-plugins")
        links = {port: version(port, trusting) for port in (amqps, https)}
    finally:
        server.kill()

    assert re.findall(r"\w+", said) == ["pause_minority", "30", "2000000000", "16777216"]
    assert {"rabbitmq_management", "rabbitmq_prometheus"} <= set(plugins.split())
    assert links == {amqps: "TLSv1.3", https: "TLSv1.3"}


def version(port: int, trusting: ssl.SSLContext) -> str | None:
    with (
        socket.create_connection((HOST, port), 10) as plain,
        trusting.wrap_socket(plain, server_hostname=HOST) as link,
    ):
        return link.version()


# --- Mosquitto ----------------------------------------------------------------------------------------------------


def mosquitto_settings() -> dict[str, str]:
    lines = (DEPLOY / "mosquitto" / "mosquitto.conf").read_text(encoding="utf-8").splitlines()
    return dict(line.split(maxsplit=1) for line in lines if line.strip() and not line.startswith("#"))


class OurMosquitto(MosquittoServer):
    """A Mosquitto that runs with our file, its port and places changed to those of the test."""

    PORTS: ClassVar[tuple[str, ...]] = ("mqtt", "mqtts")
    given: str = ""

    def _prepare(self) -> None:
        text = self.given.replace("listener 1883", f"listener {self.ports['mqtt']} {HOST}")
        text = text.replace("listener 8883", f"listener {self.ports['mqtts']} {HOST}")
        text = text.replace("/var/lib/mosquitto/", f"{self.folder}/")
        (self.folder / "mosquitto.conf").write_text(f"{text}\nuser {self._settings['user']}\n")


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Secret]:
    """What `hujiao topology mosquitto` writes, and the secret from which the passwords come."""
    folder = tmp_path_factory.mktemp("access")
    app(["environment", str(folder / "env"), "--secret-file", str(folder / "secret")], exit_on_error=False)
    app(["topology", "mosquitto", str(folder), "--secret-file", str(folder / "secret")], exit_on_error=False)
    return folder, read_secret(folder / "secret")


@pytest.fixture
def our_mosquitto(
    servers_folder: Path, certificate: Path, access: tuple[Path, Secret]
) -> Iterator[Callable[[], OurMosquitto]]:
    need("mosquitto")
    text = unmarked(
        (DEPLOY / "mosquitto" / "mosquitto.conf").read_text(encoding="utf-8"),
        *("listener 8883", "certfile", "keyfile", "cafile", "tls_version"),
    )
    text = text.replace("/etc/mosquitto/tls", str(certificate)).replace("/etc/mosquitto/hujiao", str(access[0]))
    started: list[OurMosquitto] = []

    def start() -> OurMosquitto:
        server = OurMosquitto(Path(tempfile.mkdtemp(dir=servers_folder)))
        server.given = text
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.stop()


async def test_a_terminal_reports_over_tls_and_hears_what_it_may_also_after_a_restart(
    our_mosquitto: Callable[[], OurMosquitto], access: tuple[Path, Secret], certificate: Path
) -> None:
    server, secret = our_mosquitto(), access[1]
    tls = ssl.create_default_context(cafile=certificate / "authority.pem")

    def client(user: str, name: str, port: int) -> aiomqtt.Client:
        password, encrypted = secret.password(user), tls if port == server.ports["mqtts"] else None
        return aiomqtt.Client(
            HOST,
            port,
            username=user,
            password=password,
            identifier=name,
            tls_context=encrypted,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=False,
            properties=lasting,
        )

    lasting = properties_of(PacketTypes.CONNECT)
    lasting.SessionExpiryInterval = 3600
    async with client(SVC_TERMINALS, "hears", server.port) as hears:
        await hears.subscribe("report/#", qos=1)
    async with client("app-ld", "app", server.ports["mqtts"]) as terminal:
        await terminal.publish("report/GC/app/app-gc", b"another's", qos=1)
        await terminal.publish("report/LD/app/app-ld", b"its own", qos=1)
    server.restart()

    async with client(SVC_TERMINALS, "hears", server.port) as hears:
        heard = await anext(aiter(hears.messages))
    assert heard.payload == b"its own"


async def test_nobody_is_let_in_without_a_password_that_is_right(
    our_mosquitto: Callable[[], OurMosquitto],
) -> None:
    server = our_mosquitto()

    for login in ({}, {"username": "app-ld", "password": "guessed"}):
        with pytest.raises(aiomqtt.MqttError, match=r"(?i)not authori[sz]ed"):
            async with aiomqtt.Client(HOST, server.port, **login):
                pass


def test_nothing_is_thrown_away_that_was_acknowledged() -> None:
    settings = mosquitto_settings()

    assert int(settings["max_queued_messages"]) >= 1_000_000_000
    assert settings["persistence"] == "true"
    assert settings["allow_anonymous"] == "false"
    assert "message_size_limit" not in settings


# --- who watches --------------------------------------------------------------------------------------------------


def test_prometheus_asks_every_service_where_its_probe_answers() -> None:
    jobs = {job["job_name"]: job for job in load(SCRAPES)["scrape_configs"]}

    targets = {
        name: {target for group in job["static_configs"] for target in group["targets"]} for name, job in jobs.items()
    }
    assert targets["hujiao"] == {
        f"{service}:{variables['HUJIAO_PROBE_PORT']}"
        for service, variables in ENVIRONMENTS.items()
        if service in SERVICES
    }
    assert jobs["rabbitmq-queues"]["metrics_path"] == "/metrics/detailed"


def test_every_alert_says_how_urgent_it_is_what_is_wrong_and_what_to_do() -> None:
    rules = [rule for group in load(DEPLOY / "prometheus" / "alerts.yaml")["groups"] for rule in group["rules"]]

    assert len({rule["alert"] for rule in rules}) == len(rules) > 10
    for rule in rules:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"].keys() == {"summary", "description"}
        known = grouped_by(rule["expr"]) | ({"instance"} if " by " not in rule["expr"] else set())
        assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= known, rule["alert"]


def test_what_an_operator_must_be_told_of_has_an_alert() -> None:
    choices = [chosen for name, text in expressions().items() if name.startswith("alert ") for chosen in asked(text)]

    def told(name: str, **labels: str) -> bool:
        return any(chosen.name == name and chosen.fits(labels) for chosen in choices)

    assert told("hujiao_ready")
    assert told("hujiao_figure", of="parked")
    for service in ("relay", "projections", "command_centre", "disclosure", "intake", "terminals"):
        assert told("hujiao_figure", of="lag_s", service=service)
    for queue in ("dead", "unrouted", "intake", "acts", "department.LD.D07"):
        assert told("rabbitmq_detailed_queue_messages", vhost="hujiao", queue=queue)
    assert told("rabbitmq_detailed_queue_consumers", vhost="hujiao", queue="platform.LD.P4")
    assert told("hujiao_figure", of="unacknowledged_s")


def test_what_is_counted_is_counted_somewhere() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "services").rglob("*.py"))
    counted = {*re.findall(r'pulse\.count\(\s*"(\w+)"', sources), "answered", *get_args(NotTaken)}
    figured = {*re.findall(r'pulse\.figure\(\s*"(\w+)"', sources), *FIGURES, "owed", "overdue", "unacknowledged_s"}

    for name, text in expressions().items():
        for chosen in asked(text):
            assert alternatives(chosen, "what") <= counted, name
            assert alternatives(chosen, "of") <= figured, name


def test_the_dashboard_is_a_row_for_each_question_and_every_panel_says_what_it_shows() -> None:
    panels = dashboard()["panels"]

    assert panels[0]["type"] == "row"
    assert [panel["title"].split("?")[0] for panel in panels if panel["type"] == "row"] == [
        *("Is it running", "Is anything stuck", "How fast", "Who is behind", "How much"),
    ]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        if panel["type"] != "row":
            assert panel["description"]
            assert panel["datasource"]["uid"] == data_source()["uid"]
            for target in panel["targets"]:
                assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= grouped_by(target["expr"])


def test_grafana_finds_its_data_and_its_dashboard(containers: dict[str, Any]) -> None:
    mounted = dict(volume.split(":")[:2] for volume in containers["grafana"]["volumes"])
    [provider] = load(DEPLOY / "grafana" / "provisioning" / "dashboards" / "hujiao.yaml")["providers"]

    assert provider["options"]["path"] == mounted["./grafana/dashboards"]
    assert data_source()["url"] == "http://prometheus:9090"
    assert containers["prometheus"]["profiles"] == containers["grafana"]["profiles"] == ["watch"]


def data_source() -> dict[str, Any]:
    [source] = load(DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yaml")["datasources"]
    found: dict[str, Any] = source
    return found


def alternatives(chosen: Asked, label: str) -> set[str]:
    """The values of a label that are chosen by name."""
    how, value = chosen.labels.get(label, ("!=", ""))
    return set(value.split("|")) if how in ("=", "=~") else set()


def load_list(text: str) -> list[str]:
    found: list[str] = json.loads(text)
    return found


def seconds(duration: str) -> int:
    found = re.fullmatch(r"(\d+)([a-z]+)", duration)
    assert found is not None, f"expected a duration, found {duration}"
    return int(found[1]) * SECONDS[found[2]]


def analyze(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(shutil.which("systemd-analyze")), *arguments],
        cwd=folder,
        env=os.environ | {"SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "", "SYSTEMD_UNIT_PATH": f"{folder}:"},
        capture_output=True,
        text=True,
        check=False,
    )
