"""The private servers that tests share: one of each for the session, started when first asked for."""

import os
import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.servers import PostgresServer, missing

NOT_RUN = "NOT RUN: needs "
PASSWORD = "open sesame"  # noqa: S105 - of servers that live as long as the tests


def need(package: str) -> None:
    """Skip what needs a Debian package that is not installed; fail in CI, which must have them all."""
    if package in missing():
        if os.environ.get("CI"):
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
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The superuser's URL of a database for this test alone, which orders text as a Chinese town would."""
    postgres.start()  # an earlier test may have stopped it
    name = f"test_{uuid.uuid4().hex}"
    yield postgres.create_database(name, icu_locale="zh")
    postgres.start()
    postgres.drop_database(name)
