"""The main job on real messages of a city's residents; and on invented ones, wherever there are no real ones."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.rules.book import RuleBook
from services.simulation.people import Dice
from services.simulation.residents import invented_reports
from tests.conftest import MONDAY_MORNING

LINES = 7_142
MOST_IN_THE_CATCH_ALL = 0.25

Hujiao = Callable[..., Any]


@pytest.fixture
def hujiao() -> Hujiao:
    """Runs the command with ``--json`` and gives what it says."""

    def run(*arguments: object) -> Any:
        command = [sys.executable, "-m", "services.cli", *map(str, arguments), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def invented(tmp_path: Path, rules: RuleBook) -> Path:
    lines = islice(invented_reports(Dice(7), rules, MONDAY_MORNING - timedelta(days=30), timedelta(hours=2)), 120)
    file = tmp_path / "invented.jsonl"
    file.write_bytes(b"\n".join(msgspec.json.encode(line) for line in lines))
    return file


def test_every_real_message_gets_a_receipt_and_every_case_ends(
    real_reports: Path, tmp_path: Path, hujiao: Hujiao
) -> None:
    files = [real_reports / "messages-2019.jsonl", real_reports / "messages-with-replies.jsonl"]

    first = hujiao("replay", *files, "--data", tmp_path / "data", "--receipts", tmp_path / "first")
    digests = hujiao("digest", "--data", tmp_path / "data")
    again = hujiao("replay", *files, "--data", tmp_path / "data", "--receipts", tmp_path / "again")

    share = first["catch_all"] / first["cases"]
    print(f"share of cases in the catch-all matter 999: {share:.2%}")
    assert (first["reports"], first["receipts"], first["refused"], first["repeated"]) == (LINES, LINES, 0, 0)
    assert (first["triage"], first["parked"]) == (0, 0)
    assert first["closed"] == first["cases"]
    assert first["cases"] + first["linked"] == LINES
    assert share <= MOST_IN_THE_CATCH_ALL
    assert (again["repeated"], again["facts"]) == (LINES, first["facts"])
    assert (tmp_path / "first").read_text() == (tmp_path / "again").read_text()
    assert hujiao("digest", "--data", tmp_path / "data") == digests
    assert hujiao("rebuild", "--data", tmp_path / "data") == digests


def test_the_same_seed_tells_the_same_story_and_another_seed_another(
    invented: Path, tmp_path: Path, hujiao: Hujiao
) -> None:
    for folder, seed in (("one", 1), ("same", 1), ("other", 2)):
        hujiao("replay", invented, "--data", tmp_path / folder, "--seed", seed)

    one, same, other = (hujiao("digest", "--data", tmp_path / folder) for folder in ("one", "same", "other"))

    assert one == same
    assert all(one[view] != other[view] for view in ("cases", "timeline", "legs", "workload"))
