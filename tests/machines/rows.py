"""The rows of the specification, as ``rows.toml`` has them, and what is wrong with their marks."""

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import product
from pathlib import Path

from msgspec import Struct, toml

from events.catalog import FACTS, REQUESTS
from tests.machines.explore import Edge, Machine

FILE = Path(__file__).with_name("rows.toml")
SAME = "="
TAGS = frozenset(str(request.__struct_config__.tag) for request in REQUESTS)


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the specification, with the machines whose diagrams belong to it."""

    code: str
    zh: str
    en: str
    about: str
    machines: tuple[str, ...] = ()


class Row(Struct, frozen=True, forbid_unknown_fields=True, rename={"source": "from"}):
    """One row; ``does`` and ``open`` as the head of the file says."""

    section: str
    source: str
    asks: str
    to: str
    who: str
    number: str = ""
    does: tuple[tuple[str, str, str, str], ...] = ()
    open: tuple[str, str] | None = None
    sees: str = ""
    lacks: str = ""

    @property
    def name(self) -> str:
        """The row in a message."""
        return f"{self.section} {self.number or self.asks}"

    def edges(self) -> Iterator[Edge]:
        """Every transition by which the row is done."""
        for line in self.does:
            for source, request, fact in product(*(part.split() for part in line[:3])):
                target = source if line[3] == SAME else line[3]
                yield Edge(self.sees or self.section, source, request, fact, target)


class Rows(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole list."""

    section: tuple[Section, ...]
    row: tuple[Row, ...]


@cache
def the_rows() -> Rows:
    """The list as it stands in the file."""
    return toml.decode(FILE.read_bytes(), type=Rows)


def faults(rows: Rows, seen: Iterable[Edge], machines: tuple[Machine, ...]) -> list[str]:
    """Everything that is marked as it is not, and every transition that no row tells of."""
    edges = set(seen)
    claimed = {edge for row in rows.row for edge in row.edges()}
    shown = [machine for section in rows.section for machine in section.machines]
    return [
        *(fault for row in rows.row for fault in _of_row(row, edges, {section.code for section in rows.section})),
        *(f"no row tells of a transition that is seen: {_line(edge)}" for edge in sorted(edges - claimed)),
        *(
            f"machine {machine.code}: expected in one section, found in none"
            for machine in machines
            if machine.code not in shown
        ),
        *(
            f"machine {code}: expected a line in MACHINES, found none"
            for code in shown
            if code not in {m.code for m in machines}
        ),
    ]


def _of_row(row: Row, edges: set[Edge], sections: set[str]) -> Iterator[str]:
    if row.section not in sections:
        yield f"{row.name}: expected a section, found {row.section}"
    if bool(row.does) == bool(row.open):
        yield f"{row.name}: expected `does` or `open`, found both or neither"
    if row.open and row.open[1] in FACTS:
        yield f"{row.name}: marked open, found the fact {row.open[1]}: say in `does` how it comes about"
    for edge in row.edges():
        if edge.request not in TAGS or edge.fact not in FACTS:
            yield f"{row.name}: expected names of the catalog, found {edge.request} and {edge.fact}"
        elif edge not in edges:
            yield f"{row.name}: marked done, never seen: {_line(edge)}"


def _line(edge: Edge) -> str:
    target = SAME if edge.target == edge.source else edge.target
    return f'{edge.machine} ["{edge.source}", "{edge.request}", "{edge.fact}", "{target}"]'
