"""Each story is played to its end through the real services, and shows what it says that it shows."""

import re
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from services.cli.stories import START, STORIES, Name
from services.runtime import seal
from services.runtime.places import Folder
from services.stories.stage import Proof, Stage


def play(name: Name, folder: Path) -> tuple[Proof, list[str]]:
    """What a story has shown, and what was told; its chain of seals is whole afterwards."""
    told: list[str] = []

    def tell(at: datetime, what: str) -> None:
        told.append(f"{at.isoformat()} {what}")

    stage = Stage(Folder(folder), START, tell)
    with stage.house as house:
        proof = STORIES[name].play(stage)
        assert house.parked() == 0
        assert seal.verify(house.log).fault is None
    return proof, told


@pytest.mark.parametrize("name", STORIES)
def test_a_story_goes_as_it_says_and_the_same_way_again(name: Name, tmp_path: Path) -> None:
    proof, told = play(name, tmp_path / "once")
    again, told_again = play(name, tmp_path / "again")

    assert proof.held
    assert (proof, told) == (again, told_again)


def test_a_road_needs_a_fraction_of_the_time_it_took_one_by_one(tmp_path: Path) -> None:
    stage = Stage(Folder(tmp_path / "road"), START, lambda at, what: None)
    with stage.house:
        proof = STORIES["road"].play(stage)
        draw = STORIES["road"].page
        assert draw is not None
        drawn = draw(stage)

    shown = msgspec.to_builtins(proof)
    assert (shown["linked_reports"], shown["opinions"], shown["disclosed"]) == (2, 8, 1)
    assert f"all at once: {shown['permits_days']} 天" in drawn
    assert "one by one: 92–153 天 days (3–5 个月 months)" in drawn
    assert drawn.count("<svg ") == drawn.count("</svg>") == 2
    bars = re.findall(r"<title>(D16|D18): ([^<]*)</title>", drawn)
    assert [(department, said.split()[0]) for department, said in bars] == [
        ("D18", "逾期未出具"),
        ("D16", "不同意"),
        ("D18", "同意"),
        ("D16", "有条件同意"),
    ]
