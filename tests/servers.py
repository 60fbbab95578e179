"""The private servers that tests share: one of each for the session, started when first asked for."""

import os
import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.servers import MosquittoServer, PostgresServer, RabbitCluster, RabbitServer, missing

NOT_RUN = "NOT RUN: needs "
PASSWORD = "open sesame"  # noqa: S105 - of servers that live as long as the tests


def need(package: str, *, there: bool | None = None) -> None:
    """Skip what needs a Debian package that is not installed; fail in CI, which must have them all.

    ``WITHOUT_SERVERS`` leaves these tests to another run, as that on the wheel does.
    """
    if os.environ.get("WITHOUT_SERVERS"):
        pytest.skip("left to the run on the checkout")
    if package in missing() if there is None else not there:
        if os.environ.get("CI") or os.environ.get("NEED_SERVERS"):
            pytest.fail(f"expected {package} to be installed, found it missing: CI must have it")
        pytest.skip(f"{NOT_RUN}{package} (apt install {package})")


@pytest.hookimpl
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    wanting = Counter(
        report.longrepr[2].partition(NOT_RUN)[2].partition(" ")[0]
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and NOT_RUN in report.longrepr[2]
    )
    for package, tests in sorted(wanting.items()):
        terminalreporter.write_line(f"NOT RUN for want of {package}: {tests} tests; apt install {package}", yellow=True)


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    """A folder that the user postgres can enter, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="hujiao-servers-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres(servers_folder: Path) -> Iterator[PostgresServer]:
    """PostgreSQL for all tests of the session; use `postgres_url` for a database of one's own."""
    need("postgresql")
    with PostgresServer(servers_folder / "postgresql", PASSWORD) as server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            # who is killed loses nothing by it: the machine stays up
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server


@pytest.fixture(scope="session")
def rabbit(servers_folder: Path) -> Iterator[RabbitServer]:
    """RabbitMQ for all tests of the session; use `rabbit_vhost` for a virtual host of one's own."""
    need("rabbitmq-server")
    server = RabbitServer(servers_folder / "rabbitmq", PASSWORD)
    server.start()
    yield server
    server.kill()  # nobody waits for what it holds


@pytest.fixture(scope="session")
def started_cluster(servers_folder: Path) -> Iterator[RabbitCluster]:
    need("rabbitmq-server")
    cluster = RabbitCluster(servers_folder / "cluster", PASSWORD)
    cluster.start()
    yield cluster
    cluster.kill()


@pytest.fixture
def rabbit_cluster(started_cluster: RabbitCluster) -> RabbitCluster:
    """Three RabbitMQ nodes for all tests of the session, each time complete. Their first start takes 20 seconds."""
    started_cluster.start()
    return started_cluster


@pytest.fixture(scope="session")
def mosquitto(servers_folder: Path) -> Iterator[MosquittoServer]:
    """Mosquitto for all tests of the session, open to anybody; use `topics` for topics of one's own."""
    need("mosquitto")
    with MosquittoServer(servers_folder / "mosquitto") as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The superuser's URL of a database for this test alone, which orders text as a Chinese town would."""
    postgres.start()  # an earlier test may have stopped it
    name = f"test_{uuid.uuid4().hex}"
    yield postgres.create_database(name, icu_locale="zh")
    postgres.start()
    postgres.drop_database(name)


@pytest.fixture
def rabbit_vhost(rabbit: RabbitServer) -> Iterator[str]:
    """The name of a virtual host for this test alone, in which the administrator may do everything."""
    rabbit.start()
    name = f"test-{uuid.uuid4().hex}"
    rabbit.manage("PUT", f"/api/vhosts/{name}")
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    rabbit.manage("PUT", f"/api/permissions/{name}/{rabbit.user}", everything)
    yield name
    rabbit.start()
    rabbit.manage("DELETE", f"/api/vhosts/{name}")


@pytest.fixture
def topics(mosquitto: MosquittoServer) -> str:
    """A prefix for the topics and client names of this test alone."""
    mosquitto.start()
    return f"test-{uuid.uuid4().hex}"
