"""Two towns want the same specialists of the district at the same instant: nobody is taken twice."""

import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from events.ids import case_of
from events.person import RegisterPerson
from events.roster import PeopleFreed, PeopleTaken
from services.people.person import person_id
from services.people.roster import roster_of
from services.runtime.places import Folder
from services.wiring import House
from tests.conftest import OpenHouse
from tests.flow.orderer import NEEDED
from tests.flow.stores import where
from tests.flow.township import act, hand_in, settled

pytestmark = pytest.mark.every_store

ROOT = Path(__file__).resolve().parents[2]
TOWNS = ("445303100", "445303101")
DISTRICT = "445303"
LACKING = NEEDED - 1
"""How many specialists each town needs beside its own one person."""
SPECIALISTS = LACKING + 1
"""Fewer than two towns need together."""


def register(house: House, number: str, town: str, department: str) -> None:
    about: dict[str, Any] = {"employer": "单位", "town": town, "department": department, "since": date(2020, 1, 6)}
    act(house, RegisterPerson(person=person_id(number), number=number, name=number, by="人事", **about))


def cases(house: House, town: str, many: int) -> list[str]:
    """So many cases of a town about a matter that is on the launch list and calls nobody out by itself."""
    village = next(village.code for village in house.ledger.rules.district.villages if village.town == town)
    reports = [hand_in(house, f"{town}-{n}", village=village, matter="601", reporter=f"r{n}") for n in range(many)]
    house.engine().run(until=house.clock.now())
    return [case_of(report) for report in reports]


class Town:
    """A process that orders turn-outs for one town."""

    def __init__(self, house: House, town: str) -> None:
        command = [sys.executable, "-m", "tests.flow.orderer", where(house.place), town]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True, bufsize=1
        )
        assert self.heard() == "ready"

    def tell(self, what: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()

    def heard(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def end(self) -> int:
        self._process.communicate(timeout=60)
        return self._process.returncode


def test_two_towns_never_get_the_same_person(open_house: OpenHouse) -> None:
    house = open_house()
    many = 100 if isinstance(house.place, Folder) else 1000
    for n in range(SPECIALISTS):
        register(house, f"YA-{n}", DISTRICT, "B04")
    for town in TOWNS:
        register(house, f"LD-{town}", town, "D27")
    wanted = list(zip(*(cases(house, town, many) for town in TOWNS), strict=True))
    towns = [Town(house, town) for town in TOWNS]

    got: list[list[set[str]]] = []
    for of_both in wanted:
        for town, case in zip(towns, of_both, strict=True):
            town.tell(case)
        got.append([set(town.heard().split()) for town in towns])
        for town in towns:
            town.tell("down")
        assert [town.heard() for town in towns] == ["down", "down"]

    assert [town.end() for town in towns] == [0, 0]
    assert all(one.isdisjoint(other) for one, other in got)
    assert {len(one) + len(other) for one, other in got} == {SPECIALISTS}
    assert {len(one) for one, _ in got} == {LACKING, SPECIALISTS - LACKING}, "each was the first at times"
    assert taken_twice(house) == []
    settled(house.log)


def taken_twice(house: House) -> list[str]:
    """Whoever the roster of the district gave away while somebody had them."""
    twice: list[str] = []
    away: set[str] = set()
    for recorded in house.log.stream(roster_of(DISTRICT)):
        match recorded.fact:
            case PeopleTaken(numbers=numbers):
                twice += [number for number in numbers if number in away]
                away |= set(numbers)
            case PeopleFreed(numbers=numbers):
                away -= set(numbers)
    return twice
