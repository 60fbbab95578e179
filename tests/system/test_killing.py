"""A department loses no call when any process is killed at any moment."""

import random
from collections.abc import Callable
from datetime import timedelta
from itertools import islice
from pathlib import Path

import msgspec
import pytest

from services.rules.book import RuleBook
from services.runtime.log import Log
from services.runtime.places import Folder, Place
from services.runtime.seal import verify
from services.simulation.people import Dice
from services.simulation.residents import invented_reports
from tests.conftest import MONDAY_MORNING
from tests.system.killing import kill_and_restart, play

KILLS, KILLS_OF_A_CLIENT = 20, 8
Places = Callable[[str], Place]


@pytest.mark.every_store
def test_a_replay_killed_again_and_again_ends_with_the_digests_of_an_undisturbed_one(
    place: Places, tmp_path: Path, rules: RuleBook
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    lines = islice(invented_reports(Dice(seed), rules, MONDAY_MORNING - timedelta(days=9), timedelta(minutes=30)), 150)
    file = tmp_path / "reports.jsonl"
    file.write_bytes(b"\n".join(msgspec.json.encode(line) for line in lines))
    undisturbed = play(Folder(tmp_path / "undisturbed"), [file], batch_facts=1000)

    kills = KILLS if isinstance(place("killed"), Folder) else KILLS_OF_A_CLIENT
    killed = kill_and_restart(place("killed"), [file], kills, seed, batches=(40, 20, 900), most_facts=250)
    digests = play(place("killed"), [file], batch_facts=40)

    assert sum(killed.values()) == kills, f"seed {seed}: {killed}"
    assert killed["inside"] + killed["committed"] >= 5, f"seed {seed}: {killed}"
    assert digests == undisturbed, f"seed {seed}"
    log = Log(place("killed").log())
    assert verify(log).fault is None
    log.close()
