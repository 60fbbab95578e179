"""Plays requests, breadth first, through the real decisions, and writes down every transition that is seen.

A scene begins with nothing, or with some requests played, and goes on with every letter of its alphabet in every
situation that it comes to. Services react at once, as they do in one process. Two situations are the same when they
differ in moments alone: then what follows is the same but for what is late.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, json

from events.catalog import CATALOG
from events.envelope import Fact, Request, kind_of
from services.decisions import Append, Rejected
from services.rules.book import RuleBook
from tests.unit.past import MONDAY, Past

_MOMENT = re.compile(rb'"\d{4}-\d\d-\d\dT[^"]*"')
_ENCODE = json.Encoder(order="deterministic").encode

START = "[*]"
"""Before the first fact of a stream, in the notation of the diagrams."""

Names = Callable[[Any], Mapping[str, str]]
"""The state of a stream -> the name of the state of each of its parts; a machine with one part calls it ``""``."""


class Machine(Struct, frozen=True):
    """A state machine: the streams of one ``kind``, seen through the names of their states.

    A stream may hold several: then ``only`` are the facts that are about this one, or ``without`` those that are not,
    each by the beginning of its wire name.
    """

    code: str
    kind: str
    names: Names
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def tells(self, name: str) -> bool:
        """Whether the fact with this wire name can change this machine, or is at least about it."""
        about = kind_of(name) == self.kind and not name.startswith(self.without)
        return about and (not self.only or name.startswith(self.only))


class Edge(Struct, frozen=True, order=True):
    """From one state to another: what was asked, and the fact that followed, both by wire name."""

    machine: str
    source: str
    request: str
    fact: str
    target: str


Letter = Callable[["Played"], Iterable[Request]]
"""What somebody may ask for as things stand, one after the other; what is refused is passed over."""


class Scene(Struct, frozen=True):
    """What is played: ``starts`` first, one of them, then ``letters`` in any order, at most ``deep`` of them.

    Timers of the streams of ``clocks`` fire in their order, at their time, as a letter of its own.
    """

    name: str
    letters: tuple[Letter, ...]
    deep: int
    starts: tuple[Letter, ...] = (lambda played: (),)
    clocks: tuple[str, ...] = ()
    most: int = 4000


class Played(Past):
    """A past that knows the time and writes down transitions. ``edges`` are shared by all pasts of one exploration."""

    def __init__(self, rules: RuleBook, machines: tuple[Machine, ...], edges: set[Edge]) -> None:
        super().__init__(rules)
        self.machines, self.edges = machines, edges
        self.now: datetime = MONDAY
        self.kinds: dict[str, str] = {}
        self.shapes: dict[str, bytes] = {}
        """Every stream's state without its moments."""
        self._asked = ""

    def copy(self) -> "Played":
        """The same past, to go on in another way."""
        other = Played(self.rules, self.machines, self.edges)
        other.states, other.timers, other.kinds = dict(self.states), dict(self.timers), dict(self.kinds)
        other.now, other.shapes = self.now, dict(self.shapes)
        return other

    def ask(self, letter: Letter) -> None:
        """Play what a letter asks for; what is refused does not happen, but that it was tried may be a fact."""
        for request in letter(self):
            try:
                appends = self.do(request, self.now)
            except Rejected as rejected:
                appends = rejected.record
            self.settle(appends, self.now)

    def do(self, request: Request, now: datetime = MONDAY) -> tuple[Append, ...]:
        self._asked = str(type(request).__struct_config__.tag)
        return super().do(request, now)

    def happened(self, stream: str, *facts: Fact) -> None:
        for fact in facts:
            name = CATALOG.name(fact)
            self.kinds[stream] = kind_of(name)
            about = [machine for machine in self.machines if machine.tells(name)]
            before = [_names(machine, self.states.get(stream)) for machine in about]
            super().happened(stream, fact)
            for machine, old in zip(about, before, strict=True):
                new = _names(machine, self.states[stream])
                for part in _parts(fact, old, new):
                    edge = Edge(machine.code, old.get(part, START), self._asked, name, new.get(part, START))
                    self.edges.add(edge)
        self.shapes[stream] = _MOMENT.sub(b"", _ENCODE(self.states[stream]))

    def let_time_pass(self, clocks: tuple[str, ...]) -> bool:
        """Fire the next timer of a stream of these kinds; says whether there was one."""
        waiting = sorted((timer.due, key) for key, timer in self.timers.items() if self.kinds[key[0]] in clocks)
        if not waiting:
            return False
        due, key = waiting[0]
        request = self.timers.pop(key).request
        self.now = max(self.now, due)
        self.ask(lambda _: (request,))
        return True

    def of(self, kind: str) -> list[str]:
        """The streams of a kind, in the order of their ids."""
        return sorted(stream for stream, known in self.kinds.items() if known == kind)

    def situation(self) -> tuple[Any, ...]:
        """What two pasts have in common that differ in their moments alone."""
        return tuple(sorted(self.shapes.items())), tuple(sorted(self.timers))


def explore(scenes: tuple[Scene, ...], machines: tuple[Machine, ...], rules: RuleBook) -> set[Edge]:
    """Every transition that the scenes come to.

    Raises:
        AssertionError: when a scene has more situations than it may have, so that it would be cut short.
    """
    edges: set[Edge] = set()
    for scene in scenes:
        _play(scene, Played(rules, machines, edges))
    return edges


def _play(scene: Scene, empty: Played) -> None:
    seen: set[tuple[Any, ...]] = set()
    waiting: deque[tuple[int, Played]] = deque()

    def come_to(depth: int, past: Played) -> None:
        situation = past.situation()
        if situation not in seen:
            seen.add(situation)
            waiting.append((depth, past))
        assert len(seen) <= scene.most, f"{scene.name}: expected at most {scene.most} situations, found more"

    for start in scene.starts:
        past = empty.copy()
        past.ask(start)
        come_to(0, past)
    while waiting:
        depth, past = waiting.popleft()
        if depth == scene.deep:
            continue
        for letter in scene.letters:
            after = past.copy()
            after.ask(letter)
            come_to(depth + 1, after)
        after = past.copy()
        if scene.clocks and after.let_time_pass(scene.clocks):
            come_to(depth + 1, after)


def _names(machine: Machine, state: Any) -> Mapping[str, str]:
    return machine.names(state) if state is not None else {}


def _parts(fact: Fact, old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Whom a fact is about: whoever it changes and whom it names; where it does neither, a machine's only part."""
    changed = [part for part in {**old, **new} if old.get(part) != new.get(part)]
    department, clock = getattr(fact, "department", ""), getattr(fact, "clock", "")
    people = {getattr(fact, "number", ""), *getattr(fact, "numbers", ())}
    named = {department, f"{department}.{clock}", *people} & set(new) - {""}
    if changed or named:
        return sorted({*changed, *named})
    return [""] if "" in new else []
