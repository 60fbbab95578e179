"""Each story is played to its end through the real services, and shows what it says that it shows."""

from datetime import datetime
from pathlib import Path

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
