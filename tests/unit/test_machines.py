"""The page of the state machines says what the decisions do: no row is marked as it is not, no transition is untold."""

import re

import pytest
from msgspec import structs

from services.rules.book import RuleBook
from tests.machines.explore import START, Edge, explore
from tests.machines.machines import MACHINES
from tests.machines.page import FILE, page
from tests.machines.rows import Row, Rows, faults, the_rows
from tests.machines.scenes import SCENES
from tests.machines.scenes_of_people import USERS

README = FILE.parents[2]


@pytest.fixture(scope="module")
def seen(rules: RuleBook) -> set[Edge]:
    return explore(SCENES, MACHINES, rules)


def test_every_row_is_marked_as_it_is_and_every_transition_stands_in_a_row(seen: set[Edge]) -> None:
    assert faults(the_rows(), seen, MACHINES) == []


def test_the_page_is_current(seen: set[Edge]) -> None:
    assert FILE.read_text(encoding="utf-8") == page(the_rows(), seen), "write it anew: python -m tests.machines"


@pytest.mark.parametrize("readme", ["README.md", "README.zh.md"])
def test_the_readme_leads_to_the_page(readme: str) -> None:
    assert "](deploy/docs/machines.md)" in (README / readme).read_text(encoding="utf-8")


def test_every_state_is_come_to_from_the_beginning_and_a_case_can_end_from_each(seen: set[Edge]) -> None:
    for machine in MACHINES:
        edges = [edge for edge in seen if edge.machine == machine.code]
        states = {edge.source for edge in edges} | {edge.target for edge in edges}
        reached = reachable({START}, edges)
        assert states - {START} <= reached, machine.code
    back = [structs.replace(edge, source=edge.target, target=edge.source) for edge in seen if edge.machine == "case"]
    assert {edge.source for edge in seen if edge.machine == "case"} <= reachable({"closed"}, back) | {START}


def reachable(states: set[str], edges: list[Edge]) -> set[str]:
    found = set(states)
    while more := {edge.target for edge in edges if edge.source in found} - found:
        found |= more
    return found


def test_a_diagram_has_every_change_of_state_and_the_lines_below_it_the_rest(seen: set[Edge]) -> None:
    text = FILE.read_text(encoding="utf-8")

    drawn = re.findall(r"^    (\S+) --> (\S+): (\S+) / (\S+)$", text, flags=re.MULTILINE)
    below = re.findall(r"^- (\S+) / (\S+): (.+)$", text, flags=re.MULTILINE)

    assert len(drawn) == sum(edge.source != edge.target for edge in seen)
    assert sum(len(states.split(", ")) for *_, states in below) == sum(edge.source == edge.target for edge in seen)


def user_rows(*rows: Row) -> Rows:
    known = the_rows()
    section = structs.replace(next(one for one in known.section if one.code == "user"), machines=("user",))
    return Rows((section,), rows or tuple(row for row in known.row if row.section == "user"))


@pytest.fixture
def users(rules: RuleBook) -> set[Edge]:
    return explore((USERS,), MACHINES, rules)


ADD, DISABLE = user_rows().row
USER = tuple(machine for machine in MACHINES if machine.code == "user")


def test_a_list_that_is_right_has_no_faults(users: set[Edge]) -> None:
    assert faults(user_rows(), users, USER) == []


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"does": (("disabled", "user.disable.v1", "user.disabled.v1", "="),)}, "marked done, never seen"),
        ({"does": (("active", "user.forget.v1", "user.disabled.v1", "="),)}, "expected names of the catalog"),
        ({"does": (), "open": ("user.forget.v1", "user.disabled.v1")}, "marked open, found the fact"),
        ({"does": ()}, "found both or neither"),
        ({"section": "nowhere"}, "expected a section"),
    ],
)
def test_a_row_that_says_what_is_not_so_is_a_fault(users: set[Edge], wrong: dict[str, object], fault: str) -> None:
    found = faults(user_rows(ADD, DISABLE, structs.replace(DISABLE, **wrong)), users, USER)

    assert any(fault in said for said in found)


def test_a_transition_of_which_no_row_tells_is_a_fault(users: set[Edge]) -> None:
    found = faults(user_rows(ADD), users, USER)

    assert found == [
        'no row tells of a transition that is seen: user ["active", "user.disable.v1", "user.disabled.v1", "disabled"]'
    ]


def test_a_machine_that_no_section_shows_is_a_fault(users: set[Edge]) -> None:
    assert "machine report: expected in one section, found in none" in faults(user_rows(), users, MACHINES)
