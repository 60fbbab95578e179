"""A process that is killed while it puts a configuration into force, at any step, and started again: no difference."""

from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from events.district import District
from services.runtime.clock import VirtualClock
from services.runtime.places import Folder
from services.wiring import SERVICES, House
from tests.flow.test_amended_calendar import EVE, RESULT_LATER, finish, first_announced, stand_down
from tests.flow.test_engine import Killed
from tests.flow.township import all_facts, names, open_case, pass_time, settled, timers, told

__all__ = ["first_announced"]

FEW = 2
"""So many dues are counted anew in one transaction here."""


@pytest.fixture(autouse=True)
def _in_small_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.wiring.BATCH_FACTS", FEW)


def at_work(where: Path, first_announced: District) -> None:
    """A township on the eve: calls that are open, a village, a review, a turn-out to be written up."""
    with House(Folder(where), VirtualClock(EVE)) as house:
        house.configure(first_announced)
        for n in range(3):
            open_case(house, f"{n}", matter="999", reporter=f"resident-{n}")
        open_case(house, "village", matter="101", reporter="resident-v")
        finish(house, open_case(house, "review", matter="999", reporter="resident-r"))
        stand_down(house, open_case(house, "turn-out", matter="401", reporter="resident-t"))


def outcome(where: Path, district: District) -> dict[str, Any]:
    """The process is started, and goes on until what was extended is due."""
    with House(Folder(where), VirtualClock(EVE)) as house:
        house.configure(district)
        pass_time(house, RESULT_LATER)
        settled(house.log)
        assert house.parked() == 0
        return {"told": told(house.log), "views": house.views.digest(), "timers": timers(house.log)}


def killed_at(step: int, where: Path, district: District, among: str = "") -> str:
    """Configure, and be killed at this step, or this one of a kind; gives where that was, empty without such a step."""
    steps = count()

    def kill(point: str) -> None:
        if point.startswith(among) and next(steps) == step:
            raise Killed(point)

    with House(Folder(where), VirtualClock(EVE), SERVICES, kill) as house:
        try:
            house.configure(district)
        except Killed as killed:
            return str(killed)
    return ""


def test_a_process_killed_while_it_configures_and_started_again_makes_no_difference(
    tmp_path: Path, first_announced: District, district: District
) -> None:
    at_work(tmp_path / "undisturbed", first_announced)
    undisturbed = outcome(tmp_path / "undisturbed", district)
    points: Counter[str] = Counter()

    for step in count():
        where = tmp_path / f"{step}"
        at_work(where, first_announced)
        point = killed_at(step, where, district)
        if not point:
            break
        points[point] += 1
        assert outcome(where, district) == undisturbed, f"killed at step {step}, {point}"

    assert points.keys() == {"deciding", "inside", "committed"}
    assert points["committed"] > 3
    extended = Counter(name for name, *_ in undisturbed["told"] if "extended" in name)
    assert extended["case.due-extended.v1"] >= 6
    assert extended["mobilisation.review-extended.v1"] == 1


def test_killed_again_and_again_it_is_done_in_the_end(
    tmp_path: Path, first_announced: District, district: District
) -> None:
    for where in ("undisturbed", "killed"):
        at_work(tmp_path / where, first_announced)
    undisturbed = outcome(tmp_path / "undisturbed", district)

    for step in (1, 2, 4, 5, 7, 9):
        assert killed_at(step, tmp_path / "killed", district)

    assert outcome(tmp_path / "killed", district) == undisturbed


def test_what_was_told_by_a_calendar_that_came_and_went_is_counted_anew_whatever_was_cut(
    tmp_path: Path, first_announced: District, district: District
) -> None:
    where = tmp_path / "data"
    with House(Folder(where), VirtualClock(EVE)) as house:
        house.configure(district)
    assert killed_at(0, where, first_announced, among="committed")
    with House(Folder(where), VirtualClock(EVE)) as house:
        finish(house, open_case(house, "1", matter="999"))
    assert killed_at(0, where, district, among="committed")

    with House(Folder(where), VirtualClock(EVE)) as house:
        before = names(all_facts(house.log)).count("case.due-extended")
        house.configure(district)

        assert (before, names(all_facts(house.log)).count("case.due-extended")) == (0, 1)
